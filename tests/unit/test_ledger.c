/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger's tables against a plain list, its sweeping, its communicators, and the collectives' sum. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/ledger.h"

static uint64_t state = 88172645463325252u;

static unsigned draw(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % below;
}

static void test_keys_keep_their_parts(void)
{
	unsigned comms[] = {0, 1, LEDGER_COMMS_MAX - 1}, peers[] = {0, 7, LEDGER_PEERS_MAX - 1}, tags[] = {0, 5, 0x7FFFFFFF};
	for (int i = 0; i < 27; i++) {
		uint64_t key = ledger_key(comms[i % 3], peers[i / 3 % 3], tags[i / 9]);
		CU_ASSERT_EQUAL(ledger_key_comm(key), comms[i % 3]);
		CU_ASSERT_EQUAL(ledger_key_peer(key), peers[i / 3 % 3]);
		CU_ASSERT_EQUAL(ledger_key_tag(key), tags[i / 9]);
		CU_ASSERT_NOT_EQUAL(key, 0);
	}
}

static void test_tables_count_like_a_list(void)
{
	enum { KEYS = 3000 };
	struct ledger ledger;
	int64_t *sent = calloc(KEYS, sizeof *sent), *seen = calloc(KEYS, sizeof *seen);
	CU_ASSERT_FATAL(ledger_open(&ledger));
	int world = ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 1, 0, 100, 100, NULL, true);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 4000; i++) {
			unsigned at = draw(KEYS);
			ledger_stream(&ledger.sent, ledger_key((unsigned)world, at % 100, at / 100))->total++;
			sent[at]++;
			at = draw(KEYS);
			struct ledger_stream *stream = ledger_stream(&ledger.seen, ledger_key((unsigned)world, at % 100, at / 100));
			stream->total++;
			stream->seen++;
			seen[at]++;
		}
		for (unsigned at = 0; at < KEYS; at++) {
			uint64_t key = ledger_key((unsigned)world, at % 100, at / 100);
			const struct ledger_stream *out = ledger_find(&ledger.sent, key), *in = ledger_find(&ledger.seen, key);
			CU_ASSERT_EQUAL(out ? out->total : 0, sent[at]);
			CU_ASSERT_EQUAL(in ? in->total : 0, seen[at]);
			/* The base moves past most of them: they go, the others stay. */
			if (draw(10) != 0) {
				if (out)
					ledger_rebase(ledger_find(&ledger.sent, key), sent[at], false);
				if (in)
					ledger_rebase(ledger_find(&ledger.seen, key), seen[at], true);
				sent[at] = seen[at] = 0;
			}
		}
		ledger_sweep(&ledger, true);
		size_t left = 0;
		for (unsigned at = 0; at < KEYS; at++)
			left += (sent[at] != 0) + (size_t)(seen[at] != 0);
		CU_ASSERT_EQUAL(ledger_weight(&ledger), left);
	}
	CU_ASSERT_FALSE(ledger_is_broken(&ledger));
	ledger_close(&ledger);
	free(sent);
	free(seen);
}

static void test_a_stream_that_owes_is_not_swept(void)
{
	struct ledger ledger;
	CU_ASSERT_FATAL(ledger_open(&ledger));
	int world = ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 1, 0, 4, 4, NULL, true);
	uint64_t key = ledger_key((unsigned)world, 2, 9);
	struct ledger_stream *stream = ledger_stream(&ledger.seen, key);
	stream->total = 3;
	stream->seen = 2;
	ledger_rebase(stream, 3, true);
	ledger_sweep(&ledger, true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ledger_find(&ledger.seen, key));
	CU_ASSERT_EQUAL(ledger_find(&ledger.seen, key)->seen, -1);
	ledger_find(&ledger.seen, key)->seen++;
	ledger_sweep(&ledger, true);
	CU_ASSERT_PTR_NULL(ledger_find(&ledger.seen, key));
	ledger_close(&ledger);
}

static void test_communicators_end_as_tombstones(void)
{
	struct ledger ledger;
	CU_ASSERT_FATAL(ledger_open(&ledger));
	int32_t members[] = {5, 3};
	int world = ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 1, 0, 8, 8, NULL, true);
	int pair = ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 2, 0, 2, 2, members, true);
	CU_ASSERT_EQUAL(ledger_world_of(&ledger, ledger_key((unsigned)pair, 1, 0)), 3);
	CU_ASSERT_EQUAL(ledger_world_of(&ledger, ledger_key((unsigned)world, 1, 0)), 1);
	uint64_t key = ledger_key((unsigned)pair, 1, 0);
	ledger_stream(&ledger.sent, key)->total = 1;
	ledger_free_comm(&ledger, pair);
	for (int i = 0; i < 5; i++)
		ledger_sweep(&ledger, true);
	CU_ASSERT_EQUAL(ledger_comm_named(&ledger, 2), pair); /* it has a count still */
	ledger_rebase(ledger_find(&ledger.sent, key), 1, false);
	for (int i = 0; i < 3; i++)
		ledger_sweep(&ledger, false);
	CU_ASSERT_EQUAL(ledger_comm_named(&ledger, 2), pair); /* its peers may have freed it later, and count on it */
	ledger_sweep(&ledger, true);
	CU_ASSERT_EQUAL(ledger_comm_named(&ledger, 2), pair); /* that all had freed the same says nothing of one that was freed since */
	ledger.comms[pair].freed_early = true;
	ledger_sweep(&ledger, true);
	CU_ASSERT_EQUAL(ledger_comm_named(&ledger, 2), LEDGER_NO_COMM);
	/* Nor does one without proof stay for ever, and where there are many it goes at the second. */
	pair = ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 2, 0, 2, 2, members, true);
	ledger_free_comm(&ledger, pair);
	for (int i = 0; i < 6; i++) {
		CU_ASSERT_EQUAL(ledger_comm_named(&ledger, 2), pair);
		ledger_sweep(&ledger, false);
	}
	CU_ASSERT_EQUAL(ledger_comm_named(&ledger, 2), LEDGER_NO_COMM);
	for (int i = 0; i < LEDGER_COMMS_MAX / 4; i++)
		ledger_free_comm(&ledger, ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 4, 0, 2, 2, NULL, true));
	ledger_sweep(&ledger, false);
	CU_ASSERT_EQUAL(ledger.freed, LEDGER_COMMS_MAX / 4);
	ledger_sweep(&ledger, false);
	CU_ASSERT_TRUE(ledger.freed <= LEDGER_COMMS_MAX / 8);
	for (int i = 0; i < 4; i++)
		ledger_sweep(&ledger, false);
	CU_ASSERT_EQUAL(ledger.freed, 0);
	/* Of two with one name, the live one. */
	int again = ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 3, 0, 2, 2, NULL, true);
	ledger_free_comm(&ledger, again);
	int live = ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 3, 0, 2, 2, NULL, true);
	CU_ASSERT_EQUAL(ledger_comm_named(&ledger, 3), live);
	ledger_close(&ledger);
}

static void test_more_communicators_than_keys_hold_break_the_counts(void)
{
	struct ledger ledger;
	CU_ASSERT_FATAL(ledger_open(&ledger));
	for (int i = 0; i < LEDGER_COMMS_MAX; i++)
		CU_ASSERT_NOT_EQUAL(ledger_add_comm(&ledger, LEDGER_COMM_INTRA, (uint64_t)i, 0, 1, 1, NULL, true), LEDGER_NO_COMM);
	CU_ASSERT_FALSE(ledger_is_broken(&ledger));
	CU_ASSERT_EQUAL(ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 0, 0, 1, 1, NULL, true), LEDGER_NO_COMM);
	CU_ASSERT_TRUE(ledger_is_broken(&ledger));
	ledger_close(&ledger);
}

static void test_the_collective_sum_is_zero_only_for_equal_counts(void)
{
	enum { RANKS = 5 };
	struct ledger ledgers[RANKS];
	for (int rank = 0; rank < RANKS; rank++) {
		CU_ASSERT_FATAL(ledger_open(&ledgers[rank]));
		ledger_add_comm(&ledgers[rank], LEDGER_COMM_INTRA, 1, rank, RANKS, RANKS, NULL, rank == 0);
		ledger_add_comm(&ledgers[rank], LEDGER_COMM_INTRA, (uint64_t)10 + (rank < 2), rank, rank < 2 ? 2 : 3,
				rank < 2 ? 2 : 3, NULL, rank == 0 || rank == 2);
	}
	for (int i = 0; i < 200; i++) {
		uint64_t sum = 0;
		bool equal = true;
		uint64_t world = draw(5), halves[2] = {draw(5), draw(5)};
		for (int rank = 0; rank < RANKS; rank++) {
			ledgers[rank].comms[0].begun = world + (draw(12) == 0);
			ledgers[rank].comms[1].begun = halves[rank < 2];
			sum += ledger_collective_sum(&ledgers[rank]);
			equal = equal && ledgers[rank].comms[0].begun == ledgers[0].comms[0].begun;
		}
		CU_ASSERT_EQUAL(sum == 0, equal);
	}
	/* What one rank has too many does not make good what another has too few, nor one communicator for another. */
	for (int others = 0; others < 2; others++) {
		uint64_t sum = 0;
		for (int rank = 0; rank < RANKS; rank++) {
			ledgers[rank].comms[0].begun = (uint64_t)(others ? rank == 1 || rank == 3 : 5 + (rank == 1) - (rank == 2));
			ledgers[rank].comms[1].begun = (uint64_t)(others && rank == 2);
			sum += ledger_collective_sum(&ledgers[rank]);
		}
		CU_ASSERT_NOT_EQUAL(sum, 0);
	}
	/* Freed communicators do not enter it, and a free on some ranks only shows. */
	uint64_t sum = 0;
	for (int rank = 0; rank < RANKS; rank++) {
		ledgers[rank].comms[0].begun = 1;
		if (rank >= 3)
			ledger_free_comm(&ledgers[rank], 1);
		sum += ledger_collective_sum(&ledgers[rank]);
	}
	CU_ASSERT_NOT_EQUAL(sum, 0);
	/* One that came and went on one of its two members only shows too. */
	sum = 0;
	for (int rank = 0; rank < RANKS; rank++) {
		ledger_free_comm(&ledgers[rank], 1);
		if (rank == 4)
			ledger_free_comm(&ledgers[rank], ledger_add_comm(&ledgers[rank], LEDGER_COMM_INTRA, 20, 1, 2, 2, NULL, false));
		sum += ledger_collective_sum(&ledgers[rank]);
	}
	CU_ASSERT_NOT_EQUAL(sum, 0);
	sum = 0;
	for (int rank = 0; rank < RANKS; rank++) {
		if (rank == 3)
			ledger_free_comm(&ledgers[rank], ledger_add_comm(&ledgers[rank], LEDGER_COMM_INTRA, 20, 0, 2, 2, NULL, true));
		sum += ledger_collective_sum(&ledgers[rank]);
	}
	CU_ASSERT_EQUAL(sum, 0);
	for (int rank = 0; rank < RANKS; rank++)
		ledger_close(&ledgers[rank]);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("ledger", NULL, NULL);
	CU_add_test(suite, "a key keeps communicator, peer and tag", test_keys_keep_their_parts);
	CU_add_test(suite, "the tables count like a list, and the sweep keeps what counts", test_tables_count_like_a_list);
	CU_add_test(suite, "a stream that owes is not swept", test_a_stream_that_owes_is_not_swept);
	CU_add_test(suite, "freed communicators stay as long as they have counts", test_communicators_end_as_tombstones);
	CU_add_test(suite, "more communicators than keys hold: the counts are broken, and say so",
		    test_more_communicators_than_keys_hold_break_the_counts);
	CU_add_test(suite, "the collectives' sum is zero for equal counts, and only then",
		    test_the_collective_sum_is_zero_only_for_equal_counts);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
