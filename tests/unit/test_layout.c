/* SPDX-License-Identifier: BSD-3-Clause */
/* Which ranks share a file, on worlds of all kinds: each rank finds itself, by the locators of a manifest, in the file that it chose, with its neighbours of the same node and no others; and
 * in whatever order the ranks' parts are brought together, the locators are the same. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "store/layout.h"
#include "store/manifest.h"
#include "suites.h"

enum { RANKS_MOST = 4000 };

static uint32_t node_of[RANKS_MOST], ranks;

static struct layout_ranks file_of(uint32_t rank, uint32_t most, bool evenly)
{
	static uint32_t node[RANKS_MOST];
	uint32_t count = 0;

	for (uint32_t i = 0; i < ranks; i++)
		if (node_of[i] == node_of[rank])
			node[count++] = i;
	return layout_file(layout_neighbours(node, count, rank), rank, most, evenly);
}

static uint32_t locate(struct store_locator *locators, uint32_t most, bool evenly)
{
	struct layout all = {0};

	for (uint32_t rank = 0; rank < ranks; rank++) {
		struct layout own = layout_of(file_of(rank, most, evenly), rank);

		layout_append(&all, &own);
	}
	return layout_locators(&all, locators);
}

/* What is wrong with a rank's file, or null. */
static const char *check_file(const struct store_locator *locators, uint32_t count, uint32_t rank, uint32_t most, bool evenly, uint32_t *next_group)
{
	struct layout_ranks file = file_of(rank, most, evenly);
	uint32_t first, group;

	if (rank < file.first || rank - file.first >= file.count || file.count > most)
		return "it is not in its file, or that is too large";
	for (uint32_t i = file.first; i < file.first + file.count; i++)
		if (node_of[i] != node_of[rank])
			return "a rank of another node is in it";
	if (!count)
		return NULL;
	if (!manifest_place(locators, count, rank, &first, &group) || first != file.first)
		return "the locators have it elsewhere";
	*next_group += first == rank;
	return group + 1 == *next_group ? NULL : "its number is wrong";
}

static unsigned wrong;

static uint32_t check(uint32_t most, bool evenly)
{
	struct store_locator locators[STORE_LOCATORS_MAX];
	uint32_t count = locate(locators, most, evenly), groups = 0;

	for (uint32_t rank = 0; rank < ranks; rank++) {
		const char *why = check_file(locators, count, rank, most, evenly, &groups);

		if (why && wrong++ < 10)
			printf("\n  rank %u of %u, at most %u%s: %s", rank, ranks, most, evenly ? ", evenly" : "", why);
	}
	return count;
}

static void by_blocks(uint32_t of, uint32_t each)
{
	ranks = of;
	for (uint32_t i = 0; i < ranks; i++)
		node_of[i] = i / each;
}

static void nodes_that_are_alike_are_one_locator(void)
{
	static const uint32_t cores[] = { 1, 2, 3, 47, 48, 63, 64, 127, 128, 192, 256 };

	for (size_t i = 0; i < sizeof cores / sizeof *cores; i++) {
		by_blocks(15 * cores[i] + cores[i] / 2, cores[i]);
		CU_ASSERT_EQUAL(check(509, false), 1);
	}
	/* Three files of each node: no locator says 3, 3, 2, 3, 3, 2. */
	by_blocks(8, 8);
	CU_ASSERT_EQUAL(check(3, false), 1);
	by_blocks(800, 8);
	CU_ASSERT_EQUAL(check(3, false), 0);
	CU_ASSERT_EQUAL(check(3, true), 1);
	CU_ASSERT_EQUAL(file_of(5, 3, true).count, 2);
	/* Not 509 and 91. */
	by_blocks(600, 600);
	CU_ASSERT_EQUAL(check(509, false), 1);
	CU_ASSERT_EQUAL(file_of(0, 509, false).count, 300);
	CU_ASSERT_EQUAL(wrong, 0);
}

static void ranks_dealt_out_in_turns_share_nothing(void)
{
	ranks = 1000;
	for (uint32_t i = 0; i < ranks; i++)
		node_of[i] = i % 10;
	CU_ASSERT_EQUAL(check(509, false), 1);
	CU_ASSERT_EQUAL(file_of(77, 509, false).count, 1);
	/* By pairs. */
	for (uint32_t i = 0; i < ranks; i++)
		node_of[i] = i / 2 % 10;
	CU_ASSERT_EQUAL(check(509, false), 1);
	CU_ASSERT_EQUAL(file_of(77, 509, false).first, 76);
	CU_ASSERT_EQUAL(file_of(77, 509, false).count, 2);
	CU_ASSERT_EQUAL(wrong, 0);
}

static void any_world(void)
{
	unsigned told = 0;

	for (uint64_t seed = 0; seed < 3000; seed++) {
		uint32_t stretches = 1 + (uint32_t)(mix64_pair(seed, 1) % 12), most = 1 + (uint32_t)(mix64_pair(seed, 2) % 20);

		ranks = 0;
		for (uint32_t s = 0; s < stretches; s++) {
			uint32_t each = 1 + (uint32_t)(mix64_pair(seed, 10 + s) % 9), nodes = 1 + (uint32_t)(mix64_pair(seed, 50 + s) % 4);

			for (uint32_t i = 0; i < each * nodes; i++)
				node_of[ranks++] = s * 100 + i / each;
		}
		told += check(most, false) > 0;
		told += check(most, true) > 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(told > 3000);
}

static struct layout join(uint32_t from, uint32_t to, uint32_t most, uint64_t seed)
{
	uint32_t cut = from + 1 + (uint32_t)(mix64_pair(seed, from * 5000 + to) % (to - from));
	struct layout left, right;

	if (to - from == 1)
		return layout_of(file_of(from, most, false), from);
	if (cut == to)
		cut--;
	left = join(from, cut, most, seed);
	right = join(cut, to, most, seed);
	layout_append(&left, &right);
	return left;
}

static void the_order_of_joining_does_not_matter(void)
{
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct layout one, other;

		ranks = 20 + (uint32_t)(mix64(seed) % 200);
		for (uint32_t i = 0, node = 0; i < ranks; i++)
			node_of[i] = node += mix64_pair(seed, i) % (seed % 3 ? 12 : 2) == 0;
		one = join(0, ranks, 5, seed);
		other = join(0, ranks, 5, seed + 1000000);
		wrong += one.count != other.count || (one.count <= LAYOUT_STRETCHES && memcmp(&one, &other, (1 + 2 * one.count) * sizeof(uint32_t)));
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "nodes that are alike are one locator", nodes_that_are_alike_are_one_locator },
		{ "ranks dealt out in turns share nothing", ranks_dealt_out_in_turns_share_nothing },
		{ "any world", any_world },
		{ "the order of joining does not matter", the_order_of_joining_does_not_matter },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "who shares a file", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
