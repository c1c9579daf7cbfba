/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "scale.h"

enum { SPARSE_TARGETS = 16 };

const char *const pattern_names[PATTERNS] = {
	[HALO_2D] = "halo-2d", [HALO_3D] = "halo-3d", [SPARSE] = "sparse", [HUB] = "hub", [ALL_TO_ALL] = "all-to-all",
};

int pattern_named(const char *name)
{
	for (int i = 0; i < PATTERNS; i++)
		if (strcmp(name, pattern_names[i]) == 0)
			return i;
	return -1;
}

/* The largest divisor whose power is at most the number. */
static int32_t side(int32_t number, int power)
{
	int32_t best = 1;
	for (int32_t i = 2; (power == 2 ? (int64_t)i * i : (int64_t)i * i * i) <= number; i++)
		if (number % i == 0)
			best = i;
	return best;
}

int32_t pattern_most(enum pattern pattern, int32_t ranks, int32_t rank)
{
	static const int32_t fixed[] = {[HALO_2D] = 4, [HALO_3D] = 26, [SPARSE] = SPARSE_TARGETS};
	if (pattern == HUB)
		return rank == 0 ? ranks - 1 : 1;
	return pattern == ALL_TO_ALL ? ranks - 1 : fixed[pattern];
}

/* Enters a rank, if it is not there yet: lists are short where this is asked. */
static void enter(int32_t *list, int32_t *count, int32_t rank, int32_t target)
{
	for (int32_t i = 0; i < *count; i++)
		if (list[i] == target)
			return;
	if (target != rank)
		list[(*count)++] = target;
}

/* Periodic boxes; in two dimensions with the sides only, in three with edges and corners. */
static int32_t halo(int dimensions, int32_t ranks, int32_t rank, int32_t *list)
{
	int32_t x = side(ranks, dimensions), y = dimensions == 3 ? side(ranks / x, 2) : ranks / x, z = ranks / x / y;
	int32_t at[3] = {rank % x, rank / x % y, rank / x / y}, count = 0;
	for (int i = 0; i < 27; i++) {
		int d[3] = {i % 3 - 1, i / 3 % 3 - 1, i / 9 - 1};
		if (dimensions == 2 && (d[2] != 0 || abs(d[0]) + abs(d[1]) != 1))
			continue;
		enter(list, &count, rank, (at[0] + d[0] + x) % x + x * ((at[1] + d[1] + y) % y + y * ((at[2] + d[2] + z) % z)));
	}
	return count;
}

static int32_t everybody(int32_t ranks, int32_t rank, int32_t *list)
{
	for (int32_t i = 1; i < ranks; i++)
		list[i - 1] = (rank + i) % ranks;
	return ranks - 1;
}

static int32_t sparse(int32_t ranks, int32_t rank, int32_t *list)
{
	int32_t count = 0;
	if (ranks <= SPARSE_TARGETS)
		return everybody(ranks, rank, list);
	for (uint64_t draw = 0; count < SPARSE_TARGETS; draw++)
		enter(list, &count, rank, (int32_t)(mix64_pair((uint64_t)rank, draw) % (uint64_t)ranks));
	return count;
}

static void sort_around(int32_t ranks, int32_t rank, int32_t *list, int32_t count)
{
	for (int32_t i = 1; i < count; i++)
		for (int32_t j = i; j > 0 && (list[j] - rank + ranks) % ranks < (list[j - 1] - rank + ranks) % ranks; j--) {
			int32_t other = list[j];
			list[j] = list[j - 1];
			list[j - 1] = other;
		}
}

int32_t pattern_targets(enum pattern pattern, int32_t ranks, int32_t rank, int32_t *list)
{
	int32_t count;
	if (ranks < 2)
		return 0;
	if (pattern == ALL_TO_ALL || (pattern == HUB && rank == 0))
		return everybody(ranks, rank, list);
	if (pattern == HUB) {
		list[0] = 0;
		return 1;
	}
	count = pattern == SPARSE ? sparse(ranks, rank, list) : halo(pattern == HALO_2D ? 2 : 3, ranks, rank, list);
	sort_around(ranks, rank, list, count);
	return count;
}
