/* SPDX-License-Identifier: BSD-3-Clause */
/* The protocol's messages: as they went in they come out, and bytes that are no message are told apart. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/wire.h"

static void test_announce_comes_out_as_it_went_in(void)
{
	struct wire_announce in, out;
	struct bytes_out bytes = {0};
	memset(&in, 0, sizeof in);
	in = (struct wire_announce){.epoch = UINT64_MAX, .number = 7, .nonce = 0x1234567890abcdef, .run = {1, 2, 255}, .life = 9,
		.root = 31, .want = WANT_REQUEST | WANT_STOP, .world_lead = INT64_MAX - 1, .lead = -1, .every = INT64_MAX,
		.last = {.epoch = 5, .committed = true, .reason = 3, .text = "a text"}};
	wire_put_announce(&bytes, &in);
	CU_ASSERT_EQUAL(wire_kind(bytes.data, bytes.size), WIRE_ANNOUNCE);
	CU_ASSERT_TRUE(wire_get_announce(bytes.data, bytes.size, &out));
	CU_ASSERT_EQUAL(out.epoch, in.epoch);
	CU_ASSERT_EQUAL(out.number, in.number);
	CU_ASSERT_EQUAL(out.nonce, in.nonce);
	CU_ASSERT_EQUAL(memcmp(out.run, in.run, sizeof in.run), 0);
	CU_ASSERT_EQUAL(out.life, in.life);
	CU_ASSERT_EQUAL(out.root, in.root);
	CU_ASSERT_EQUAL(out.want, in.want);
	CU_ASSERT_EQUAL(out.world_lead, in.world_lead);
	CU_ASSERT_EQUAL(out.lead, in.lead);
	CU_ASSERT_EQUAL(out.every, in.every);
	CU_ASSERT_EQUAL(out.last.epoch, in.last.epoch);
	CU_ASSERT_EQUAL(out.last.committed, in.last.committed);
	CU_ASSERT_EQUAL(out.last.reason, in.last.reason);
	CU_ASSERT_STRING_EQUAL(out.last.text, in.last.text);
	bytes_free(&bytes);
}

static void test_orders_come_out_as_they_went_in(void)
{
	struct bytes_out bytes = {0};
	struct wire_ready ready = {.epoch = 3, .step = -1, .world = 12, .kinds = 3}, ready_out;
	wire_put_ready(&bytes, &ready);
	CU_ASSERT_TRUE(wire_get_ready(bytes.data, bytes.size, &ready_out));
	CU_ASSERT_TRUE(ready_out.epoch == 3 && ready_out.step == -1 && ready_out.world == 12 && ready_out.kinds == 3);
	struct wire_cut cut_out;
	CU_ASSERT_FALSE(wire_get_cut(bytes.data, bytes.size, &cut_out));
	bytes_free(&bytes);
	bytes = (struct bytes_out){0};
	wire_put_cut(&bytes, &(struct wire_cut){.epoch = 4, .step = 1000, .world = -1, .mixed = true});
	CU_ASSERT_TRUE(wire_get_cut(bytes.data, bytes.size, &cut_out));
	CU_ASSERT_TRUE(cut_out.epoch == 4 && cut_out.step == 1000 && cut_out.world == -1 && cut_out.mixed);
	bytes_free(&bytes);
	bytes = (struct bytes_out){0};
	struct wire_head head = {.epoch = 9, .number = 2, .nonce = 3, .want = 4, .is_void = true, .stepped = true, .step = -5,
				 .world = 77}, head_out;
	wire_put_head(&bytes, &head);
	CU_ASSERT_TRUE(bytes.size <= 1024);
	CU_ASSERT_TRUE(wire_get_head(bytes.data, bytes.size, &head_out));
	CU_ASSERT_TRUE(head_out.epoch == 9 && head_out.number == 2 && head_out.nonce == 3 && head_out.want == 4 &&
		       head_out.is_void && head_out.stepped && head_out.step == -5 && head_out.world == 77);
	bytes_free(&bytes);
}

static void test_streams_come_out_as_they_went_in(void)
{
	struct wire_stream streams[] = {
		{.comm = 1, .peer = 0, .tag = 0, .sent = 0},
		{.comm = UINT64_MAX, .peer = (1 << 20) - 1, .tag = 0x7FFFFFFF, .sent = INT64_MAX, .synchronous = -7, .had_synchronous = true},
		{.comm = 5, .peer = 3, .tag = 9, .sent = -4, .synchronous = INT64_MIN, .had_synchronous = true},
	};
	struct bytes_out bytes = {0};
	for (int i = 0; i < 3; i++)
		wire_put_stream(&bytes, &streams[i]);
	struct bytes_in in = bytes_from(bytes.data, bytes.size);
	for (int i = 0; i < 3; i++) {
		struct wire_stream out;
		wire_get_stream(&in, &out);
		CU_ASSERT_TRUE(out.comm == streams[i].comm && out.peer == streams[i].peer && out.tag == streams[i].tag &&
			       out.sent == streams[i].sent && out.had_synchronous == streams[i].had_synchronous);
		if (out.had_synchronous)
			CU_ASSERT_EQUAL(out.synchronous, streams[i].synchronous);
	}
	CU_ASSERT_FALSE(in.bad);
	CU_ASSERT_EQUAL(bytes_left(&in), 0);
	bytes_free(&bytes);
}

/* Every prefix of a message, and every message with a byte too many, is refused; changed bytes never crash. */
static void test_cut_and_changed_bytes_are_refused_or_harmless(void)
{
	struct bytes_out bytes = {0};
	struct wire_announce announce;
	wire_put_announce(&bytes, &(struct wire_announce){.epoch = 300, .last = {.text = "words"}});
	uint8_t *copy = malloc(bytes.size + 1);
	for (size_t size = 0; size < bytes.size; size++) {
		uint8_t *exact = malloc(size ? size : 1); /* so that reading beyond shows under a sanitizer */
		memcpy(exact, bytes.data, size);
		CU_ASSERT_FALSE(wire_get_announce(exact, size, &announce));
		free(exact);
	}
	memcpy(copy, bytes.data, bytes.size);
	copy[bytes.size] = 0;
	CU_ASSERT_FALSE(wire_get_announce(copy, bytes.size + 1, &announce));
	uint64_t state = 1;
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, bytes.data, bytes.size);
		for (int j = 0; j < 3; j++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
			copy[(state >> 33) % bytes.size] = (uint8_t)(state >> 20);
		}
		if (wire_get_announce(copy, bytes.size, &announce))
			CU_ASSERT_TRUE(memchr(announce.last.text, 0, sizeof announce.last.text) != NULL);
		struct wire_head head;
		struct wire_ready ready;
		wire_get_head(copy, bytes.size, &head);
		wire_get_ready(copy, bytes.size, &ready);
	}
	CU_ASSERT_EQUAL(wire_kind("", 0), 0);
	CU_ASSERT_EQUAL(wire_kind("\0", 1), 0);
	CU_ASSERT_EQUAL(wire_kind("\7", 1), 0);
	free(copy);
	bytes_free(&bytes);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("wire", NULL, NULL);
	CU_add_test(suite, "an announcement comes out as it went in", test_announce_comes_out_as_it_went_in);
	CU_add_test(suite, "orders and heads come out as they went in", test_orders_come_out_as_they_went_in);
	CU_add_test(suite, "streams come out as they went in", test_streams_come_out_as_they_went_in);
	CU_add_test(suite, "cut and changed bytes are refused, or harmless", test_cut_and_changed_bytes_are_refused_or_harmless);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
