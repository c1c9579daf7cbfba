/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the ways of taking the state share: a state, its last capture, and what the writer would read of it. */
#ifndef TEST_STATE_FIXTURE_H
#define TEST_STATE_FIXTURE_H

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mix.h"
#include "state/pages.h"
#include "state/state.h"

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)
#define BLOCK ((size_t)STATE_BLOCK)

static struct state *state;
static struct fault fault;
static struct state_capture capture;
static uint64_t seed;
static bool kernel_tells;

static inline uint64_t draw(uint64_t below)
{
	seed = mix64(seed);
	return seed % below;
}

static inline void begin(enum state_way way, uint64_t memory, unsigned helpers)
{
	state = state_new(&(struct state_config){ .way = way, .memory = memory, .helpers = helpers });
	fault = FAULT_NONE;
	if (!state)
		abort();
}

static inline void end(void)
{
	state_free(state);
	state = NULL;
}

static inline uint8_t *map_memory(size_t bytes)
{
	uint8_t *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		abort();
	return data;
}

static inline void protect(const char *name, void *data, size_t bytes)
{
	CU_ASSERT_EQUAL(state_protect(state, name, data, bytes, &fault), 0);
}

/* What the writer would write. */
static inline uint8_t *read_captured(const struct state_captured *region)
{
	uint8_t *data = malloc(region->bytes + 1);
	struct fault why = FAULT_NONE;

	if (!region->read) {
		memcpy(data, region->data, region->bytes);
		return data;
	}
	for (uint64_t at = 0; at < region->bytes; at += 3 * MIB) {
		uint64_t size = region->bytes - at < 3 * MIB ? region->bytes - at : 3 * MIB;

		if (region->read(region->context, (const uint8_t *)region->data + at, data + at, size, &why)) {
			printf("\n  %s ", why.text);
			memset(data, 0xEE, region->bytes);
			return data;
		}
	}
	return data;
}

static inline bool captured_is(size_t index, const void *expected, size_t bytes)
{
	uint8_t *data = read_captured(&capture.regions[index]);
	bool same = capture.regions[index].bytes == bytes && !memcmp(data, expected, bytes);

	free(data);
	return same;
}

static inline void take(void)
{
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL_FATAL(state_capture(state, &capture, &fault), 0);
}

static inline void scribble(uint8_t *data, size_t bytes)
{
	for (size_t at = 0; at + 8 <= bytes; at += 8)
		*(uint64_t *)(data + at) = mix64(seed + at);
	seed = mix64(seed + bytes);
}

#define GRID (4 * MIB)

static uint8_t *grid;

static inline void expect_now(const char *what)
{
	uint8_t *expected = malloc(GRID);
	bool right;

	memcpy(expected, grid, GRID);
	take();
	right = captured_is(0, expected, GRID);
	if (!right)
		printf("\n  %s was not noticed ", what);
	CU_ASSERT_TRUE(right);
	free(expected);
}

/* Whether only some of it was copied the last time. */
static inline size_t fresh_blocks(void)
{
	size_t count = 0;

	for (size_t i = 0; capture.regions[0].changed && i < GRID / BLOCK; i++)
		count += capture.regions[0].changed[i] == capture.number;
	return capture.regions[0].changed ? count : GRID / BLOCK;
}

/* Runs the tests of one file. */
static inline int run_tests(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = { { .pName = name, .pTests = tests }, CU_SUITE_INFO_NULL };
	const char *why = NULL;
	struct pages *pages = pages_open(&why);
	unsigned failures;

	kernel_tells = pages != NULL;
	if (!kernel_tells)
		printf("%s\n", why);
	pages_close(pages);
	/* That would be a kernel to look at, or a mistake in the asking. */
	if (!kernel_tells && strstr(why, "does not notice"))
		return 3;
	if (CU_initialize_registry() || CU_register_suites(suites))
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}

#endif
