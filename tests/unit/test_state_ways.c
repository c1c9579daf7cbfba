/* SPDX-License-Identifier: BSD-3-Clause */
/* Every way of taking the state: what was captured is what memory was at the cut, byte by byte, while the program writes on; whatever has
 * changed is noticed, however it was changed. The oracle is a copy by the test itself, made at the cut. */
#include <CUnit/Basic.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
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

static uint64_t draw(uint64_t below)
{
	seed = mix64(seed);
	return seed % below;
}

static void begin(enum state_way way, uint64_t memory, unsigned helpers)
{
	state = state_new(&(struct state_config){ .way = way, .memory = memory, .helpers = helpers });
	fault = FAULT_NONE;
	if (!state)
		abort();
}

static void end(void)
{
	state_free(state);
	state = NULL;
}

static uint8_t *map(size_t bytes)
{
	uint8_t *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		abort();
	return data;
}

static void protect(const char *name, void *data, size_t bytes)
{
	CU_ASSERT_EQUAL(state_protect(state, name, data, bytes, &fault), 0);
}

/* What the writer would write. */
static uint8_t *read_captured(const struct state_captured *region)
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

static bool captured_is(size_t index, const void *expected, size_t bytes)
{
	uint8_t *data = read_captured(&capture.regions[index]);
	bool same = capture.regions[index].bytes == bytes && !memcmp(data, expected, bytes);

	free(data);
	return same;
}

static void take(void)
{
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL_FATAL(state_capture(state, &capture, &fault), 0);
}

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

static void scribble(uint8_t *data, size_t bytes)
{
	for (size_t at = 0; at + 8 <= bytes; at += 8)
		*(uint64_t *)(data + at) = mix64(seed + at);
	seed = mix64(seed + bytes);
}

static void place_block(struct block *block, size_t bytes)
{
	/* On a page, or anywhere. */
	size_t before = draw(2) ? PAGE : PAGE + 8 * (size_t)draw(500);
	uint8_t *old = block->mapping, *from = block->data;
	size_t mapped = block->mapped, keep = block->bytes < bytes ? block->bytes : bytes;

	block->mapped = (before + bytes + 2 * PAGE) / PAGE * PAGE;
	block->mapping = map(block->mapped);
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
			/* Moves, and forgets, what is being read. */
			change_something();
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
	run_program(STATE_CHANGES, UINT64_MAX, 0, 150, 21);
	CU_ASSERT_TRUE(!kernel_tells || clean_seen > 100);
	run_program(STATE_CHANGES, UINT64_MAX, 2, 100, 22);
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
	run_program(STATE_AUTO, UINT64_MAX, 1, 150, 51);
}

static void with_little_memory(void)
{
	run_program(STATE_AUTO, 2 * MIB, 0, 60, 61);
	run_program(STATE_AUTO, 0, 0, 30, 62);
	run_program(STATE_COPY, MIB, 0, 30, 63);
}

/* --- each way in which memory can change -------------------------------------------------------------------------------------- */

#define GRID (4 * MIB)

static uint8_t *grid;

static void expect_now(const char *what)
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
static size_t fresh_blocks(void)
{
	size_t count = 0;

	for (size_t i = 0; capture.regions[0].changed && i < GRID / BLOCK; i++)
		count += capture.regions[0].changed[i] == capture.number;
	return capture.regions[0].changed ? count : GRID / BLOCK;
}

static void write_from_another_process(void)
{
	pid_t program = getpid(), child = fork();
	int status;

	if (!child) {
		char text[] = "from another process";
		struct iovec here = { text, sizeof text }, there = { grid + 33 * PAGE + 7, sizeof text };

		_exit(process_vm_writev(program, &here, 1, &there, 1, 0) != sizeof text);
	}
	waitpid(child, &status, 0);
}

static void read_a_file(void)
{
	int file = open("/proc/self/exe", O_RDONLY);

	CU_ASSERT_EQUAL(read(file, grid + 100 * PAGE + 5, 9000), 9000);
	close(file);
}

static void move_away_and_back(void)
{
	uint8_t *other = map(MIB);

	mremap(grid + MIB, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, other);
	memset(other, 77, 3 * PAGE);
	mremap(other, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, grid + MIB);
}

static void map_anew(void)
{
	munmap(grid + 2 * MIB, 16 * PAGE);
	CU_ASSERT_PTR_EQUAL(mmap(grid + 2 * MIB, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), grid + 2 * MIB);
	grid[2 * MIB + 5] = 3;
}

static void share_with_another_mapping(void)
{
	int file = memfd_create("shared", MFD_CLOEXEC);
	uint8_t *other;

	if (file < 0 || ftruncate(file, (off_t)(16 * PAGE)))
		abort();
	mmap(grid + 3 * MIB, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
	other = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	expect_now("another mapping in its place");
	expect_now("nothing");
	other[5 * PAGE] = 99;
	expect_now("a write by another mapping");
	other[5 * PAGE] = 100;
	expect_now("another write by another mapping");
	munmap(other, 16 * PAGE);
	close(file);
}

static void fork_and_write(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		memset(grid, 1, GRID);
		_exit(0);
	}
	memset(grid + 50 * PAGE, 5, 3 * PAGE);
	expect_now("a write beside a child");
	waitpid(child, &status, 0);
	grid[51 * PAGE] = 6;
	expect_now("a write after a child");
}

static void each_way_on(bool huge)
{
	uint8_t *mapping = map(GRID + 2 * MIB);

	grid = mapping + (2 * MIB - (uintptr_t)mapping % (2 * MIB)) % (2 * MIB);
	madvise(grid, GRID, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	scribble(grid, GRID);
	begin(STATE_CHANGES, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	expect_now("the first time");
	expect_now("nothing");
	CU_ASSERT_TRUE(!kernel_tells || fresh_blocks() == 0);
	grid[5 * BLOCK] ^= 1;
	expect_now("a store");
	CU_ASSERT_TRUE(!kernel_tells || fresh_blocks() == 1);
	read_a_file();
	expect_now("read(2)");
	CU_ASSERT_TRUE(!kernel_tells || fresh_blocks() <= 2);
	write_from_another_process();
	expect_now("process_vm_writev");
	CU_ASSERT_TRUE(!kernel_tells || fresh_blocks() == 1);
	madvise(grid + 7 * PAGE, 2 * PAGE, MADV_DONTNEED);
	expect_now("madvise DONTNEED of pages");
	madvise(grid, 2 * MIB, MADV_DONTNEED);
	expect_now("madvise DONTNEED of a table of pages");
	scribble(grid, GRID);
	expect_now("all of it");
	mprotect(grid + 9 * PAGE, 4 * PAGE, PROT_READ);
	mprotect(grid + 9 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE);
	grid[10 * PAGE] ^= 1;
	expect_now("a store after mprotect");
	fork_and_write();
	move_away_and_back();
	expect_now("mremap, store, mremap");
	expect_now("nothing after that");
	grid[MIB + 5] ^= 1;
	expect_now("a store after that");
	map_anew();
	expect_now("munmap and mmap");
	grid[2 * MIB + 6] = 9;
	expect_now("a store into that");
	share_with_another_mapping();
	end();
	munmap(mapping, GRID + 2 * MIB);
}

static void whatever_changes_memory_is_noticed_in_small_pages(void)
{
	seed = 5;
	each_way_on(false);
}

static void whatever_changes_memory_is_noticed_in_huge_pages(void)
{
	seed = 6;
	each_way_on(true);
}

/* Two names for one memory: what is told of a page is told once. */
static void regions_that_share_memory_are_both_right(void)
{
	uint8_t *data = map(2 * MIB), *expected = malloc(2 * MIB);

	begin(STATE_CHANGES, UINT64_MAX, 0);
	protect("all", data, 2 * MIB);
	protect("part", data + 512 * 1024, MIB);
	for (int i = 0; i < 6; i++) {
		memset(data + 600 * 1024 + (size_t)i * PAGE, i + 1, 100);
		memcpy(expected, data, 2 * MIB);
		take();
		CU_ASSERT_TRUE(captured_is(0, expected, 2 * MIB));
		CU_ASSERT_TRUE(captured_is(1, expected + 512 * 1024, MIB));
	}
	end();
	free(expected);
	munmap(data, 2 * MIB);
}

/* As a device would write, so that the kernel sees nothing: the copy is changed instead of the memory. */
static void what_the_kernel_did_not_notice_is_found_in_the_end(void)
{
	grid = map(GRID);
	seed = 8;
	scribble(grid, GRID);
	begin(STATE_CHANGES, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	take();
	take();
	memset((void *)(uintptr_t)capture.regions[0].data, 1, GRID);
	expect_now("a write that nobody saw");
	CU_ASSERT_EQUAL(fresh_blocks(), GRID / BLOCK);
	expect_now("nothing");
	CU_ASSERT_EQUAL(fresh_blocks(), GRID / BLOCK); /* whole from now on */
	end();
	munmap(grid, GRID);
}

/* io_uring with a registered buffer holds the pages; the kernel would not see what it puts there. */
static void memory_that_a_device_may_write_to_is_copied_whole(void)
{
	uint8_t parameters[120] = { 0 };
	struct iovec buffer;
	int ring;

	grid = map(GRID);
	memset(grid, 3, GRID);
	begin(STATE_CHANGES, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	take();
	take();
	CU_ASSERT_TRUE(!kernel_tells || fresh_blocks() == 0);
	ring = (int)syscall(425, 4, parameters);
	buffer = (struct iovec){ grid + MIB, 64 * 1024 };
	if (ring >= 0 && !syscall(427, ring, 0, &buffer, 1)) {
		take();
		CU_ASSERT_EQUAL(fresh_blocks(), GRID / BLOCK);
	} else {
		printf(" (no io_uring here) ");
	}
	if (ring >= 0)
		close(ring);
	end();
	munmap(grid, GRID);
}

/* --- the child ----------------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t signalled;

static void count_signal(int number)
{
	(void)number;
	signalled++;
}

/* The one child of this process that is one for clone. */
static pid_t memory_child(void)
{
	char path[64], text[2000] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
	file = fopen(path, "r");
	if (file) {
		if (!fgets(text, sizeof text, file))
			text[0] = 0;
		fclose(file);
	}
	return (pid_t)atol(text);
}

static int files_of(pid_t process)
{
	char command[100];
	FILE *pipe;
	int count = -1;

	snprintf(command, sizeof command, "ls /proc/%ld/fd | wc -l", (long)process);
	pipe = popen(command, "r");
	if (!pipe || fscanf(pipe, "%d", &count) != 1)
		count = -1;
	if (pipe)
		pclose(pipe);
	return count;
}

static void take_by_fork(void)
{
	grid = map(GRID);
	scribble(grid, GRID);
	begin(STATE_FORK, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	take();
	CU_ASSERT_TRUE(capture.copied);
	CU_ASSERT_PTR_NOT_NULL(capture.regions[0].read);
}

static void wait_gone(pid_t child)
{
	for (int i = 0; i < 5000 && !kill(child, 0); i++)
		usleep(1000);
}

static void the_program_does_not_notice_the_child(void)
{
	struct sigaction action = { .sa_handler = count_signal }, before;
	pid_t child;
	int status;

	signalled = 0;
	sigaction(SIGCHLD, &action, &before);
	take_by_fork();
	child = memory_child();
	CU_ASSERT_TRUE_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(-1, &status, WNOHANG), -1);
	CU_ASSERT_EQUAL(errno, ECHILD);
	sigaction(SIGCHLD, &before, NULL);
	for (int i = 0; i < 1000 && files_of(child) > 1; i++)
		usleep(1000);
	CU_ASSERT_EQUAL(files_of(child), 1); /* its line to the program */
	signalled = 0;
	sigaction(SIGCHLD, &action, NULL);
	state_capture_done(state);
	for (int i = 0; i < 1000 && !kill(child, 0); i++) {
		usleep(1000);
		state_prepare(state);
		state_capture_done(state);
	}
	CU_ASSERT_EQUAL(kill(child, 0), -1);
	CU_ASSERT_EQUAL(signalled, 0);
	sigaction(SIGCHLD, &before, NULL);
	end();
	munmap(grid, GRID);
}

static void a_child_that_is_killed_is_a_failed_read_and_nothing_else(void)
{
	uint8_t byte;
	struct fault why = FAULT_NONE;
	pid_t child;

	take_by_fork();
	child = memory_child();
	CU_ASSERT_EQUAL(capture.regions[0].read(capture.regions[0].context, capture.regions[0].data, &byte, 1, &why), 0);
	kill(child, SIGKILL);
	usleep(20000);
	CU_ASSERT_EQUAL(capture.regions[0].read(capture.regions[0].context, capture.regions[0].data, &byte, 1, &why), SEAMARK_E_UNABLE);
	CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "was ended"));
	expect_now("the next");
	end();
	munmap(grid, GRID);
}

static void the_child_goes_when_the_program_does(void)
{
	int ends[2];
	pid_t program, child = 0;

	if (pipe(ends))
		abort();
	program = fork();
	if (!program) {
		take_by_fork();
		child = memory_child();
		if (write(ends[1], &child, sizeof child) < 0)
			_exit(1);
		pause();
	}
	CU_ASSERT_EQUAL(read(ends[0], &child, sizeof child), sizeof child);
	CU_ASSERT_TRUE(child > 0);
	kill(program, SIGKILL);
	waitpid(program, NULL, 0);
	wait_gone(child);
	CU_ASSERT_EQUAL(kill(child, 0), -1);
	close(ends[0]);
	close(ends[1]);
}

static void memory_that_a_child_does_not_have_is_taken_otherwise(void)
{
	grid = map(GRID);
	scribble(grid, GRID);
	madvise(grid + MIB, MIB, MADV_DONTFORK);
	begin(STATE_FORK, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	expect_now("memory that is not inherited");
	CU_ASSERT_FALSE(capture.copied); /* for once */
	expect_now("memory that is not inherited");
	CU_ASSERT_TRUE(capture.copied);
	end();
	munmap(grid, GRID);

	grid = mmap(NULL, GRID, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(grid, 4, GRID);
	begin(STATE_FORK, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	take();
	CU_ASSERT_FALSE(capture.copied);
	take();
	CU_ASSERT_TRUE(capture.copied);
	memset(grid, 5, GRID);
	CU_ASSERT_EQUAL(*(const uint8_t *)capture.regions[0].data, 4);
	end();
	munmap(grid, GRID);
}

static void memory_that_a_child_has_as_zeros_is_not_saved_as_zeros(void)
{
	uint8_t byte;
	struct fault why = FAULT_NONE;

	grid = map(GRID);
	memset(grid, 9, GRID);
	madvise(grid + MIB, MIB, MADV_WIPEONFORK);
	begin(STATE_FORK, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	take();
	CU_ASSERT_EQUAL(capture.regions[0].read(capture.regions[0].context, grid + MIB, &byte, 1, &why), SEAMARK_E_REGION);
	CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "MADV_WIPEONFORK"));
	expect_now("memory that is wiped");
	end();
	munmap(grid, GRID);
}

static bool forbid(long call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* As in containers. */
static void run_forbidden(long call, int (*run)(void))
{
	pid_t child = fork();
	int status = -1;

	if (!child)
		_exit(forbid(call) ? run() : 77);
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		printf(" (no seccomp here) ");
	else
		CU_ASSERT_EQUAL(status, 0);
}

static int fork_works(void)
{
	uint8_t *expected = malloc(GRID), *data;

	seed = 3;
	grid = map(GRID);
	scribble(grid, GRID);
	memcpy(expected, grid, GRID);
	begin(STATE_FORK, UINT64_MAX, 0);
	if (state_protect(state, "grid", grid, GRID, &fault) || state_capture(state, &capture, &fault) || !capture.regions[0].read)
		return 1;
	memset(grid, 1, GRID);
	data = read_captured(&capture.regions[0]);
	if (memcmp(data, expected, GRID))
		return 2;
	kill(memory_child(), SIGKILL);
	return capture.regions[0].read(capture.regions[0].context, grid, data, GRID, &fault) == SEAMARK_E_UNABLE ? 0 : 3;
}

static void a_child_that_may_not_be_read_sends_its_memory(void)
{
	run_forbidden(SYS_process_vm_readv, fork_works);
}

static int copies_whole(void)
{
	grid = map(GRID);
	memset(grid, 1, GRID);
	begin(STATE_CHANGES, UINT64_MAX, 0);
	if (state_protect(state, "grid", grid, GRID, &fault))
		return 1;
	for (int i = 0; i < 4; i++) {
		grid[i] = (uint8_t)i;
		if (state_capture(state, &capture, &fault) || fresh_blocks() != GRID / BLOCK || memcmp(capture.regions[0].data, grid, GRID))
			return 2;
	}
	return 0;
}

static void without_help_of_the_kernel_all_is_copied(void)
{
	run_forbidden(SYS_userfaultfd, copies_whole);
}

static int holds_the_program(void)
{
	grid = map(GRID);
	memset(grid, 1, GRID);
	begin(STATE_FORK, UINT64_MAX, 0);
	if (state_protect(state, "grid", grid, GRID, &fault) || state_capture(state, &capture, &fault) || capture.copied)
		return 1; /* for once */
	return state_capture(state, &capture, &fault) || !capture.copied || capture.regions[0].data == grid;
}

static void without_a_child_the_program_is_held_once_and_then_copied(void)
{
	run_forbidden(SYS_clone, holds_the_program);
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
	grid = map(GRID);
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
	uint8_t *large = map(6 * MIB), *small = map(2 * MIB);

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

int main(void)
{
	CU_TestInfo tests[] = {
		{ "programs of all kinds, by copy", by_copy },
		{ "programs of all kinds, by changes", by_changes },
		{ "programs of all kinds, by fork", by_fork },
		{ "programs of all kinds, held", held },
		{ "programs of all kinds, by its own choice", by_its_own_choice },
		{ "programs of all kinds, with little memory", with_little_memory },
		{ "whatever changes memory is noticed, in small pages", whatever_changes_memory_is_noticed_in_small_pages },
		{ "whatever changes memory is noticed, in huge pages", whatever_changes_memory_is_noticed_in_huge_pages },
		{ "regions that share memory are both right", regions_that_share_memory_are_both_right },
		{ "what the kernel did not notice is found in the end", what_the_kernel_did_not_notice_is_found_in_the_end },
		{ "memory that a device may write to is copied whole", memory_that_a_device_may_write_to_is_copied_whole },
		{ "the program does not notice the child", the_program_does_not_notice_the_child },
		{ "a child that is killed is a failed read and nothing else", a_child_that_is_killed_is_a_failed_read_and_nothing_else },
		{ "the child goes when the program does", the_child_goes_when_the_program_does },
		{ "memory that a child does not have is taken otherwise", memory_that_a_child_does_not_have_is_taken_otherwise },
		{ "memory that a child has as zeros is not saved as zeros", memory_that_a_child_has_as_zeros_is_not_saved_as_zeros },
		{ "a child that may not be read sends its memory", a_child_that_may_not_be_read_sends_its_memory },
		{ "without help of the kernel all is copied", without_help_of_the_kernel_all_is_copied },
		{ "without a child the program is held once and then copied", without_a_child_the_program_is_held_once_and_then_copied },
		{ "it chooses, and changes its mind, and says so", it_chooses_and_changes_its_mind_and_says_so },
		{ "memory beyond the bound is not taken", memory_beyond_the_bound_is_not_taken },
		{ "hundreds of thousands of regions are no more than many", hundreds_of_thousands_of_regions_are_no_more_than_many },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ .pName = "state: ways", .pTests = tests },
		CU_SUITE_INFO_NULL,
	};
	const char *why = NULL;
	struct pages *pages = pages_open(&why);
	unsigned failures;

	kernel_tells = pages != NULL;
	if (!kernel_tells)
		printf("%s\n", why);
	pages_close(pages);
	if (CU_initialize_registry() || CU_register_suites(suites))
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
