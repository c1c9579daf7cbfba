/* SPDX-License-Identifier: BSD-3-Clause */
/* Every way of taking the state: what was captured is what memory was at the cut, byte by byte, while the program writes on; which way is
 * chosen, and within which memory. The oracle is a copy by the test itself, made at the cut. */
#include <pthread.h>
#include <time.h>

#include "test_state_fixture.h"

/* --- programs of all kinds --------------------------------------------------------------------------------------------- */

enum { REGIONS = 7, PAST = 3 };

/* A region of the program, in memory of its own with something before and behind it. */
struct block {
	char name[12];
	uint8_t *mapping;
	size_t mapped;
	uint8_t *data;
	size_t bytes;
	bool there;
	uint8_t *past[PAST];   /* as the capture with that number, modulo PAST, found it */
	uint64_t past_number[PAST];
	size_t past_bytes[PAST];
};

static struct block blocks[REGIONS];

static void place_block(struct block *block, size_t bytes)
{
	/* On a page, or anywhere. */
	size_t before = draw(2) ? PAGE : PAGE + 8 * (size_t)draw(500);
	uint8_t *old = block->mapping, *from = block->data;
	size_t mapped = block->mapped, keep = block->bytes < bytes ? block->bytes : bytes;

	block->mapped = (before + bytes + 2 * PAGE) / PAGE * PAGE;
	block->mapping = map_memory(block->mapped);
	if (draw(3) == 0)
		madvise(block->mapping, block->mapped, MADV_HUGEPAGE);
	block->data = block->mapping + before;
	scribble(block->data, bytes);
	if (old && draw(2))
		memcpy(block->data, from, keep);
	block->bytes = bytes;
	protect(block->name, block->data, bytes);
	if (old)
		munmap(old, mapped);
	block->there = true;
}

static void remove_block(struct block *block)
{
	CU_ASSERT_EQUAL(state_unprotect(state, block->name, &fault), 0);
	munmap(block->mapping, block->mapped);
	block->mapping = NULL;
	block->bytes = 0;
	block->there = false;
}

static size_t any_size(void)
{
	switch (draw(5)) {
	case 0: return 8;
	case 1: return 8 + 8 * (size_t)draw(2000);
	case 2: return (64 << 10) + 8 * (size_t)draw(40000);
	case 3: return MIB + 8 * (size_t)draw(200000);
	default: return PAGE * (64 + (size_t)draw(500));
	}
}

/* Writes to a share of the pages, in percent, a few bytes in each. */
static void change_share(struct block *block, uint64_t percent)
{
	for (size_t at = 0; at < block->bytes; at += PAGE)
		if (draw(100) < percent) {
			size_t byte = at + (size_t)draw(PAGE);

			block->data[byte < block->bytes ? byte : at] += 1 + (uint8_t)draw(255);
		}
}

static void change_something(void)
{
	static const uint64_t shares[] = { 0, 1, 10, 50, 100 };

	for (size_t i = 0; i < REGIONS; i++) {
		struct block *block = &blocks[i];

		if (!block->there) {
			if (draw(3) == 0)
				place_block(block, any_size());
		} else {
			switch (draw(16)) {
			case 0: remove_block(block); break;
			case 1: place_block(block, any_size()); break;
			case 2: place_block(block, block->bytes); break;
			case 3: protect(block->name, block->data, block->bytes -= draw(block->bytes / 16 + 1) * 8); break;
			default: change_share(block, shares[draw(5)]);
			}
		}
	}
}

/* The oracle: what the regions are now, in the order of the capture's names. */
static void keep_past(uint64_t number)
{
	for (size_t i = 0; i < REGIONS; i++) {
		struct block *block = &blocks[i];
		size_t slot = number % PAST;

		block->past_number[slot] = 0;
		if (!block->there)
			continue;
		block->past[slot] = realloc(block->past[slot], block->bytes);
		memcpy(block->past[slot], block->data, block->bytes);
		block->past_bytes[slot] = block->bytes;
		block->past_number[slot] = number;
	}
}

static struct block *block_of(const char *name)
{
	for (size_t i = 0; i < REGIONS; i++)
		if (!strcmp(blocks[i].name, name))
			return &blocks[i];
	return NULL;
}

static size_t clean_seen;

/* A block that is told to be unchanged since capture n is what capture n had there. */
static bool stamps_are_true(const struct state_captured *region, const struct block *block, const uint8_t *now)
{
	for (size_t i = 0; region->changed && i * BLOCK < region->bytes; i++) {
		size_t size = region->bytes - i * BLOCK < BLOCK ? region->bytes - i * BLOCK : BLOCK;

		if (region->changed[i] > capture.number || !region->changed[i])
			return false;
		for (size_t slot = 0; slot < PAST; slot++) {
			uint64_t number = block->past_number[slot];

			if (!number || number == capture.number || region->changed[i] > number)
				continue;
			clean_seen++;
			if (block->past_bytes[slot] < i * BLOCK + size || memcmp(block->past[slot] + i * BLOCK, now + i * BLOCK, size))
				return false;
		}
	}
	return true;
}

/* As the writer's thread: reads the capture while the program writes on. */
static void *read_all(void *argument)
{
	uint8_t **read = argument;

	for (size_t i = 0; i < capture.count; i++)
		read[i] = read_captured(&capture.regions[i]);
	return NULL;
}

static bool is_as_it_was(uint8_t *const *read)
{
	bool right = true;

	for (size_t i = 0; i < capture.count; i++) {
		const struct state_captured *region = &capture.regions[i];
		struct block *block = block_of(region->name);
		size_t slot = capture.number % PAST;

		right &= block && region->bytes == block->past_bytes[slot] && block->past_number[slot] == capture.number &&
			 !memcmp(read[i], block->past[slot], region->bytes) && stamps_are_true(region, block, read[i]);
	}
	return right;
}

static void run_program(enum state_way way, uint64_t memory, unsigned helpers, int rounds, uint64_t start)
{
	seed = start;
	clean_seen = 0;
	printf(" (seed %llu) ", (unsigned long long)start);
	begin(way, memory, helpers);
	for (size_t i = 0; i < REGIONS; i++)
		snprintf(blocks[i].name, sizeof blocks[i].name, "block %zu", i);
	for (int round = 0; round < rounds; round++) {
		uint8_t *read[REGIONS] = { 0 };
		pthread_t thread;
		size_t there = 0;
		bool right;

		change_something();
		if (draw(4))
			state_prepare(state);
		if (draw(3) == 0) /* between safepoint and cut */
			for (size_t i = 0; i < REGIONS; i++)
				if (blocks[i].there)
					change_share(&blocks[i], 5);
		keep_past(capture.number + 1);
		take();
		if (!capture.copied) {
			read_all(read);
		} else {
			if (pthread_create(&thread, NULL, read_all, read))
				abort();
			/* Moves, and forgets, what is being read; and makes ready for the next capture. */
			change_something();
			if (draw(2))
				state_prepare(state);
			pthread_join(thread, NULL);
		}
		for (size_t i = 0; i < REGIONS; i++)
			there += blocks[i].past_number[capture.number % PAST] == capture.number;
		CU_ASSERT_EQUAL(capture.count, there);
		CU_ASSERT_TRUE(way != STATE_HOLD || !there || !capture.copied);
		right = is_as_it_was(read);
		CU_ASSERT_TRUE(right);
		for (size_t i = 0; i < REGIONS; i++)
			free(read[i]);
		if (!right)
			break;
		if (draw(3))
			state_capture_done(state);
	}
	for (size_t i = 0; i < REGIONS; i++) {
		if (blocks[i].there)
			remove_block(&blocks[i]);
		for (int j = 0; j < PAST; j++)
			free(blocks[i].past[j]);
	}
	memset(blocks, 0, sizeof blocks);
	capture = (struct state_capture){ 0 };
	end();
}

static void by_copy(void)
{
	run_program(STATE_COPY, UINT64_MAX, 0, 60, 11);
	run_program(STATE_COPY, UINT64_MAX, 2, 60, 12);
}

static void by_changes(void)
{
	run_program(STATE_CHANGES, UINT64_MAX, 0, 100, 21);
	CU_ASSERT_TRUE(!kernel_tells || clean_seen > 100);
	run_program(STATE_CHANGES, UINT64_MAX, 2, 60, 22);
}

static void by_fork(void)
{
	run_program(STATE_FORK, UINT64_MAX, 0, 60, 31);
}

static void held(void)
{
	run_program(STATE_HOLD, UINT64_MAX, 0, 20, 41);
}

static void by_its_own_choice(void)
{
	run_program(STATE_AUTO, UINT64_MAX, 1, 100, 51);
}

static void with_little_memory(void)
{
	run_program(STATE_AUTO, 2 * MIB, 0, 60, 61);
	run_program(STATE_AUTO, 0, 0, 30, 62);
	run_program(STATE_COPY, MIB, 0, 30, 63);
}

/* Large enough for them to be woken; on few cores they come late, and hold pieces when the others are done. */
static void with_help_all_is_copied_before_the_program_goes_on(void)
{
	const size_t bytes = 24 * MIB;
	uint8_t *data = map_memory(bytes);
	bool right = true;

	begin(STATE_COPY, UINT64_MAX, 3);
	protect("data", data, bytes);
	for (int round = 1; round <= 20; round++) {
		memset(data, round, bytes);
		take();
		/* What is copied last first. */
		for (size_t at = bytes; at; at -= 64 << 10)
			memset(data + at - (64 << 10), 0, 64 << 10);
		for (size_t at = 0; at < bytes; at += 64)
			right &= ((const uint8_t *)capture.regions[0].data)[at] == round;
	}
	CU_ASSERT_TRUE(right);
	end();
	munmap(data, bytes);
}

/* --- auto ---------------------------------------------------------------------------------------------------------------------- */

static char said[8000];

static void listen(void (*run)(void))
{
	int ends[2], old = dup(STDERR_FILENO);
	ssize_t size;

	if (old < 0 || pipe2(ends, O_NONBLOCK))
		abort();
	fflush(stderr);
	dup2(ends[1], STDERR_FILENO);
	run();
	dup2(old, STDERR_FILENO);
	size = read(ends[0], said, sizeof said - 1);
	said[size > 0 ? size : 0] = 0;
	close(old);
	close(ends[0]);
	close(ends[1]);
}

static size_t lines_with(const char *text)
{
	size_t count = 0;

	for (const char *at = said; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static void change_little_then_all_then_little(void)
{
	static const int captures[] = { 6, 6, 20 };

	for (int phase = 0; phase < 3; phase++)
		for (int i = 0; i < captures[phase]; i++) {
			if (phase == 1)
				scribble(grid, GRID);
			else
				grid[(size_t)i * 3 * PAGE] ^= 1;
			state_prepare(state);
			expect_now("a change");
		}
}

static void it_chooses_and_changes_its_mind_and_says_so(void)
{
	if (!kernel_tells)
		return;
	log_open(LOG_INFO, 0);
	grid = map_memory(GRID);
	begin(STATE_AUTO, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	listen(change_little_then_all_then_little);
	log_open(LOG_NOTICE, 0);
	CU_ASSERT_EQUAL(lines_with("region 'grid' (4.0 MiB): what has changed is copied, as that was"), 2);
	CU_ASSERT_EQUAL(lines_with("region 'grid' (4.0 MiB): all of it is copied, as 100 % of it had changed"), 1);
	CU_ASSERT_EQUAL(lines_with("\n"), 3);
	CU_ASSERT_EQUAL(fresh_blocks(), 1);
	end();
	munmap(grid, GRID);
}

static void take_thrice(void)
{
	for (int i = 0; i < 3; i++) {
		state_prepare(state);
		take();
	}
}

static void memory_beyond_the_bound_is_not_taken(void)
{
	uint8_t *large = map_memory(6 * MIB), *small = map_memory(2 * MIB);

	begin(STATE_AUTO, 3 * MIB, 0);
	protect("large", large, 6 * MIB);
	protect("small", small, 2 * MIB);
	listen(take_thrice);
	CU_ASSERT_TRUE(capture.copied);
	CU_ASSERT_PTR_NOT_NULL(capture.regions[0].read);
	CU_ASSERT_PTR_NULL(capture.regions[1].read);
	CU_ASSERT_PTR_NOT_EQUAL(capture.regions[1].data, small);
	CU_ASSERT_EQUAL(lines_with("\n"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "no memory for a copy of the state: 6.0 MiB needed, "));
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "SEAMARK_MEMORY allows 3.0 MiB; a child process holds it while it is written\n"));
	end();
	begin(STATE_COPY, 3 * MIB, 0);
	protect("large", large, 6 * MIB);
	protect("small", small, 2 * MIB);
	listen(take_thrice);
	CU_ASSERT_FALSE(capture.copied);
	CU_ASSERT_PTR_EQUAL(capture.regions[1].data, small);
	CU_ASSERT_EQUAL(lines_with("\n"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "held while its checkpoints are written: fewer ranks on a node or more of SEAMARK_MEMORY would avoid it\n"));
	end();
	munmap(large, 6 * MIB);
	munmap(small, 2 * MIB);
}

/* --- very many ------------------------------------------------------------------------------------------------------------------- */

enum { MANY = 200000 };

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What is quadratic takes minutes here. */
static void hundreds_of_thousands_of_regions_are_no_more_than_many(void)
{
	uint64_t *data = calloc(MANY, sizeof *data);
	char name[256];
	double began = seconds(), captured;
	bool right = true;

	memset(name, 'n', sizeof name - 1);
	name[255] = 0;
	begin(STATE_AUTO, UINT64_MAX, 0);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(name + 200, 56, "%055zu", i * 7919 % MANY);
		right &= !state_protect(state, name, &data[i], sizeof data[i], &fault);
		data[i] = mix64(i);
	}
	CU_ASSERT_TRUE(right);
	CU_ASSERT_EQUAL(state_count(state), MANY);
	state_prepare(state);
	captured = seconds();
	take();
	captured = seconds() - captured;
	for (size_t i = 0; i < MANY; i++)
		right &= *(const uint64_t *)capture.regions[i].data == mix64(i);
	for (size_t i = 0; i < MANY; i += 2) {
		snprintf(name + 200, 56, "%055zu", i * 7919 % MANY);
		right &= !state_unprotect(state, name, &fault);
	}
	for (size_t i = 1; i < MANY; i += 2) {
		snprintf(name + 200, 56, "%055zu", i * 7919 % MANY);
		right &= state_find(state, name) == i / 2;
	}
	for (size_t i = 0; i < MANY; i++)
		right &= !memcmp(capture.regions[i].name, name, 200);
	take();
	CU_ASSERT_EQUAL(capture.count, MANY / 2);
	CU_ASSERT_TRUE(right);
	end();
	free(data);
	printf(" (%.0f ms of %.1f s were the capture) ", captured * 1e3, seconds() - began);
	CU_ASSERT_TRUE(seconds() - began < 60);
}

/* --- very large (deep) ------------------------------------------------------------------------------------------------------ */

static size_t large_bytes;

static void a_large_region_by(enum state_way way)
{
	uint8_t *data = map_memory(large_bytes), *expected = map_memory(large_bytes), *piece = malloc(MIB);
	size_t pages = large_bytes / PAGE;
	struct fault why = FAULT_NONE;

	seed = 71;
	scribble(data, large_bytes);
	begin(way, UINT64_MAX, 1);
	protect("large", data, large_bytes);
	for (int round = 0; round < 4; round++) {
		bool right = true;

		state_prepare(state);
		memcpy(expected, data, large_bytes);
		take();
		CU_ASSERT_TRUE(capture.copied);
		for (size_t i = 0; i < pages / 50; i++)
			data[(size_t)draw(pages) * PAGE + (size_t)draw(PAGE)] ^= 1;
		for (size_t at = 0; at < large_bytes; at += MIB) {
			const uint8_t *from = (const uint8_t *)capture.regions[0].data + at;

			if (capture.regions[0].read)
				right &= !capture.regions[0].read(capture.regions[0].context, from, piece, MIB, &why);
			right &= !memcmp(capture.regions[0].read ? piece : from, expected + at, MIB);
		}
		CU_ASSERT_TRUE(right);
		state_capture_done(state);
	}
	end();
	free(piece);
	munmap(data, large_bytes);
	munmap(expected, large_bytes);
}

static void a_region_of_gigabytes_in_every_way(void)
{
	a_large_region_by(STATE_COPY);
	a_large_region_by(STATE_CHANGES);
	a_large_region_by(STATE_FORK);
	a_large_region_by(STATE_AUTO);
}

/* test_state_ways [GiB]: with a number, one region of that size and nothing else. */
int main(int argc, char **argv)
{
	CU_TestInfo large[] = {
		{ "a region of gigabytes in every way", a_region_of_gigabytes_in_every_way },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo tests[] = {
		{ "programs of all kinds, by copy", by_copy },
		{ "programs of all kinds, by changes", by_changes },
		{ "programs of all kinds, by fork", by_fork },
		{ "programs of all kinds, held", held },
		{ "programs of all kinds, by its own choice", by_its_own_choice },
		{ "programs of all kinds, with little memory", with_little_memory },
		{ "with help all is copied before the program goes on", with_help_all_is_copied_before_the_program_goes_on },
		{ "it chooses, and changes its mind, and says so", it_chooses_and_changes_its_mind_and_says_so },
		{ "memory beyond the bound is not taken", memory_beyond_the_bound_is_not_taken },
		{ "hundreds of thousands of regions are no more than many", hundreds_of_thousands_of_regions_are_no_more_than_many },
		CU_TEST_INFO_NULL,
	};

	large_bytes = (size_t)(argc > 1 ? atoi(argv[1]) : 0) << 30;
	return run_tests("state: ways", argc > 1 ? large : tests);
}
