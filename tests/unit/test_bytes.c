/* SPDX-License-Identifier: BSD-3-Clause */
/* Encoding of bytes: what is put comes back, values have one coding, and short or wrong input is remembered. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "suites.h"

static void numbers_are_little_endian(void)
{
	static const uint8_t expected[] = { 0xAB, 0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0, 0 };
	struct bytes_out out = {0};

	bytes_put_u8(&out, 0xAB);
	bytes_put_u32(&out, 0x01020304);
	bytes_put_u64(&out, 0x0102030405060708);
	bytes_put_zeros(&out, 2);
	CU_ASSERT_EQUAL(out.size, sizeof expected);
	CU_ASSERT_FALSE(memcmp(out.data, expected, sizeof expected));
	bytes_free(&out);
	CU_ASSERT_PTR_NULL(out.data);
}

static void everything_put_comes_back(void)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX };
	struct bytes_out out = {0};
	struct bytes_in in;
	char text[8];
	const size_t count = sizeof values / sizeof values[0];

	for (size_t i = 0; i < count; i++) {
		bytes_put_u8(&out, (uint8_t)values[i]);
		bytes_put_u32(&out, (uint32_t)values[i]);
		bytes_put_u64(&out, values[i]);
		bytes_put_varint(&out, values[i]);
		bytes_put_signed(&out, (int64_t)values[i]);
		bytes_put_signed(&out, -(int64_t)(values[i] / 2) - 1);
		bytes_put_text(&out, i % 2 ? "seven..." + 1 : "");
	}
	in = bytes_from(out.data, out.size);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(bytes_get_u8(&in), (uint8_t)values[i]);
		CU_ASSERT_EQUAL(bytes_get_u32(&in), (uint32_t)values[i]);
		CU_ASSERT_EQUAL(bytes_get_u64(&in), values[i]);
		CU_ASSERT_EQUAL(bytes_get_varint(&in), values[i]);
		CU_ASSERT_EQUAL(bytes_get_signed(&in), (int64_t)values[i]);
		CU_ASSERT_EQUAL(bytes_get_signed(&in), -(int64_t)(values[i] / 2) - 1);
		bytes_get_text(&in, text, sizeof text);
		CU_ASSERT_STRING_EQUAL(text, i % 2 ? "even..." : "");
	}
	CU_ASSERT_EQUAL(bytes_left(&in), 0);
	CU_ASSERT_FALSE(in.bad);
	bytes_free(&out);
}

static void signed_numbers_are_folded(void)
{
	static const struct { int64_t value; uint8_t coded; } cases[] = { { 0, 0 }, { -1, 1 }, { 1, 2 }, { -2, 3 }, { 63, 126 }, { -64, 127 } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes_out out = {0};

		bytes_put_signed(&out, cases[i].value);
		CU_ASSERT_EQUAL(out.size, 1);
		CU_ASSERT_EQUAL(out.data[0], cases[i].coded);
		bytes_free(&out);
	}
}

static void short_input_is_bad_and_stays_so(void)
{
	static const uint8_t data[] = { 1, 2, 3 };
	struct bytes_in in = bytes_from(data, sizeof data);

	CU_ASSERT_EQUAL(bytes_get_u32(&in), 0);
	CU_ASSERT_TRUE(in.bad);
	CU_ASSERT_EQUAL(bytes_get_u8(&in), 0);
	CU_ASSERT_EQUAL(bytes_left(&in), 0);
	CU_ASSERT_PTR_NULL(bytes_get(&in, 0));
	in = bytes_from(NULL, 0);
	CU_ASSERT_PTR_NOT_NULL(bytes_get(&in, 0));
	CU_ASSERT_EQUAL(bytes_get_varint(&in), 0);
	CU_ASSERT_TRUE(in.bad);
}

static void a_varint_has_one_form(void)
{
	static const struct { uint8_t data[12]; size_t size; } wrong[] = {
		{ { 0x80 }, 1 },                                                             /* ends too early */
		{ { 0x80, 0x00 }, 2 },                                                       /* zero in two bytes */
		{ { 0xFF, 0x80, 0x00 }, 3 },
		{ { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02 }, 10 },      /* 2^64 and more */
		{ { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 }, 11 },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct bytes_in in = bytes_from(wrong[i].data, wrong[i].size);

		CU_ASSERT_EQUAL(bytes_get_varint(&in), 0);
		CU_ASSERT_TRUE(in.bad);
	}
}

static void a_text_that_does_not_fit_is_bad(void)
{
	static const uint8_t long_text[] = { 4, 'a', 'b', 'c', 'd' }, short_input[] = { 9, 'a' }, nul[] = { 3, 'a', 0, 'b' };
	static const uint8_t huge[] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 'a' };
	char text[4];
	struct bytes_in in = bytes_from(long_text, sizeof long_text);

	bytes_get_text(&in, text, sizeof text);
	CU_ASSERT_TRUE(in.bad);
	in = bytes_from(short_input, sizeof short_input);
	bytes_get_text(&in, text, sizeof text);
	CU_ASSERT_TRUE(in.bad);
	in = bytes_from(nul, sizeof nul);
	bytes_get_text(&in, text, sizeof text);
	CU_ASSERT_TRUE(in.bad);
	in = bytes_from(huge, sizeof huge);
	bytes_get_text(&in, text, sizeof text);
	CU_ASSERT_TRUE(in.bad);
	CU_ASSERT_STRING_EQUAL(text, "");
}

static void no_memory_is_remembered(void)
{
	struct bytes_out out = {0};

	bytes_put_u8(&out, 1);
	bytes_put_zeros(&out, SIZE_MAX / 2);
	CU_ASSERT_TRUE(out.failed);
	CU_ASSERT_EQUAL(out.size, 1);
	bytes_put_u8(&out, 2);
	CU_ASSERT_EQUAL(out.size, 1);
	bytes_free(&out);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "numbers are little-endian", numbers_are_little_endian },
		{ "everything put comes back", everything_put_comes_back },
		{ "signed numbers are folded", signed_numbers_are_folded },
		{ "short input is bad and stays so", short_input_is_bad_and_stays_so },
		{ "a varint has one form", a_varint_has_one_form },
		{ "a text that does not fit is bad", a_text_that_does_not_fit_is_bad },
		{ "no memory is remembered", no_memory_is_remembered },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "bytes", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
