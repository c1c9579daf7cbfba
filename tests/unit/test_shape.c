/* SPDX-License-Identifier: BSD-3-Clause */
/* Shapes: what can be and what cannot, with every number at its edge. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "seamark.h"
#include "suites.h"

static const char *check(uint32_t type, uint32_t dimensions, const struct shape_extent *extents, uint64_t *bytes)
{
	const struct shape shape = { type, dimensions, extents };

	*bytes = 12345;
	return shape_check(&shape, bytes);
}

static void test_sizes(void)
{
	static const size_t sizes[] = { 1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 8, 16 };
	static const uint32_t types[] = { SEAMARK_BYTE, SEAMARK_INT8, SEAMARK_UINT8, SEAMARK_INT16, SEAMARK_UINT16, SEAMARK_INT32, SEAMARK_UINT32,
		SEAMARK_INT64, SEAMARK_UINT64, SEAMARK_FLOAT32, SEAMARK_FLOAT64, SEAMARK_COMPLEX64, SEAMARK_COMPLEX128 };
	struct shape_extent extent = { .global = 10, .first = 2, .local = 7, .before = 1, .after = 2 };
	uint64_t bytes;

	for (uint32_t i = 0; i < SHAPE_TYPES; i++) {
		CU_ASSERT_EQUAL(types[i], i);
		CU_ASSERT_EQUAL(shape_element_size(i), sizes[i]);
		CU_ASSERT_PTR_NOT_NULL(shape_type_name(i));
		CU_ASSERT_PTR_NULL(check(i, 1, &extent, &bytes));
		CU_ASSERT_EQUAL(bytes, 7 * sizes[i]);
	}
	CU_ASSERT_EQUAL(shape_element_size(SHAPE_TYPES), 0);
	CU_ASSERT_PTR_NULL(shape_type_name(SHAPE_TYPES));
	CU_ASSERT_PTR_NOT_NULL(check(SHAPE_TYPES, 1, &extent, &bytes));
}

static void test_places(void)
{
	struct shape_extent extent = { .global = 10, .first = 6, .local = 4 };
	uint64_t bytes;

	CU_ASSERT_PTR_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	extent.first = 7;
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	extent.before = 1;
	CU_ASSERT_PTR_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	CU_ASSERT_EQUAL(bytes, 4);
	extent = (struct shape_extent){ .global = 10, .first = 10, .local = 4, .before = 2, .after = 2 };
	CU_ASSERT_PTR_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	extent.after = 3;
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	extent.after = UINT64_MAX;
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	extent = (struct shape_extent){ .global = 10, .first = UINT64_MAX, .local = 1 };
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	extent = (struct shape_extent){ .global = 10, .first = 1, .local = UINT64_MAX };
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	extent = (struct shape_extent){ .global = 10, .first = 1, .local = 0 };
	CU_ASSERT_PTR_NULL(check(SEAMARK_BYTE, 1, &extent, &bytes));
	CU_ASSERT_EQUAL(bytes, 0);
}

static void test_products(void)
{
	struct shape_extent all[SHAPE_DIMENSIONS_MAX + 1], *two = all;
	uint64_t bytes;

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		all[i] = (struct shape_extent){ .global = 3, .local = 2 };
	CU_ASSERT_PTR_NULL(check(SEAMARK_FLOAT64, SHAPE_DIMENSIONS_MAX, all, &bytes));
	CU_ASSERT_EQUAL(bytes, UINT64_C(8) << 32);
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_FLOAT64, SHAPE_DIMENSIONS_MAX + 1, all, &bytes));
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_FLOAT64, 0, all, &bytes));
	/* 2^62 bytes can be, 2^63 cannot, nor 2^64 + 8. */
	two[0] = (struct shape_extent){ .global = UINT64_C(1) << 30, .local = UINT64_C(1) << 30 };
	two[1] = (struct shape_extent){ .global = UINT64_C(1) << 29, .local = UINT64_C(1) << 29 };
	CU_ASSERT_PTR_NULL(check(SEAMARK_FLOAT64, 2, two, &bytes));
	CU_ASSERT_EQUAL(bytes, UINT64_C(1) << 62);
	two[1].global <<= 1;
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_FLOAT64, 2, two, &bytes));
	two[1].local <<= 1;
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_FLOAT64, 2, two, &bytes));
	two[0] = (struct shape_extent){ .global = UINT64_C(1) << 61, .local = 1 };
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_FLOAT64, 1, two, &bytes));
	/* A 0 in one place makes none of the others harmless. */
	two[1] = (struct shape_extent){ .global = 0, .local = 0 };
	CU_ASSERT_PTR_NOT_NULL(check(SEAMARK_FLOAT64, 2, two, &bytes));
	two[0].global = UINT64_C(1) << 59;
	CU_ASSERT_PTR_NULL(check(SEAMARK_FLOAT64, 2, two, &bytes));
	CU_ASSERT_EQUAL(bytes, 0);
}

static void test_words(void)
{
	struct shape_extent extents[2] = { { .global = 5, .local = 5 }, { .global = 100, .first = 8, .local = 10, .before = 2, .after = 1 } };
	struct shape shape = { SEAMARK_FLOAT32, 2, extents }, same = shape, none = SHAPE_NONE;
	char text[64], small[10];

	shape_text(&shape, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "float32 [5, 2+7+1 at 8 of 100]");
	shape_text(&none, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "bytes");
	shape_text(&shape, small, sizeof small);
	CU_ASSERT_EQUAL(strlen(small), sizeof small - 1);
	CU_ASSERT_TRUE(shape_equal(&shape, &same) && shape_equal(&none, &none));
	CU_ASSERT_FALSE(shape_equal(&shape, &none) || shape_equal(&none, &shape));
	same.type = SEAMARK_INT32;
	CU_ASSERT_FALSE(shape_equal(&shape, &same));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "types have sizes", test_sizes },
		{ "a block lies in its array", test_places },
		{ "no product is too large", test_products },
		{ "shapes in words", test_words },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "shape", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
