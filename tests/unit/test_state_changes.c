/* SPDX-License-Identifier: BSD-3-Clause */
/* Whatever has changed since the last capture is in the next, however it was changed; and what has not is not copied. */
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "test_state_fixture.h"

/* --- each way in which memory can change -------------------------------------------------------------------------------------- */

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
	uint8_t *other = map_memory(MIB);

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
	uint8_t *mapping = map_memory(GRID + 2 * MIB);

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
	uint8_t *data = map_memory(2 * MIB), *expected = malloc(2 * MIB);

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
	grid = map_memory(GRID);
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

	grid = map_memory(GRID);
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

int main(void)
{
	CU_TestInfo tests[] = {
		{ "whatever changes memory is noticed, in small pages", whatever_changes_memory_is_noticed_in_small_pages },
		{ "whatever changes memory is noticed, in huge pages", whatever_changes_memory_is_noticed_in_huge_pages },
		{ "regions that share memory are both right", regions_that_share_memory_are_both_right },
		{ "what the kernel did not notice is found in the end", what_the_kernel_did_not_notice_is_found_in_the_end },
		{ "memory that a device may write to is copied whole", memory_that_a_device_may_write_to_is_copied_whole },
		CU_TEST_INFO_NULL,
	};

	return run_tests("state: changes", tests);
}
