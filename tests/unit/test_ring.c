/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring: what comes back is what was given, by io_uring and without it, past the page cache and by way of it, whatever results the kernel tells of. The calls of
 * the library are this program's own. */
#include <CUnit/Basic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "suites.h"
#include "../fault/uring.h"
#include "store/ring.h"
#include "test_store_fixture.h"

enum { MIB = 1 << 20, FILE_MIB = 24 };

/* What the kernel says instead of what it does. */
enum trouble { NO_TROUBLE, SHORT_AND_INTERRUPTED, ODD, REFUSES_DIRECT, CANNOT_REACH, BROKEN };
static enum trouble trouble;
static bool without_ring;
static uint64_t times;
static int broken_at;        /* the write that fails, from 1 */
static int writes;

static int fate(int fd)
{
	int number = __atomic_add_fetch(&writes, 1, __ATOMIC_SEQ_CST);

	if (trouble == SHORT_AND_INTERRUPTED && mix64(times++) % 3 == 0)
		return mix64(times++) % 2 ? -EINTR : -EAGAIN;
	if (trouble == REFUSES_DIRECT && (fcntl(fd, F_GETFL) & O_DIRECT))
		return -EINVAL;
	if (trouble == BROKEN && number == broken_at)
		return -EIO;
	return 0;
}

static int result_of(int result)
{
	if (trouble == SHORT_AND_INTERRUPTED && result > 4096)
		return (1 + (int)(mix64(times++) % (uint64_t)(result / 4096))) * 4096;
	if (trouble == ODD && result > 1)
		return 1 + (int)(mix64(times++) % (uint64_t)(result - 1));
	return result;
}

static bool uring_refused(void)
{
	return without_ring;
}

static int uring_fate(int fd)
{
	return trouble == CANNOT_REACH ? -EFAULT : fate(fd);
}

static int uring_result(int fd, int result)
{
	(void)fd;
	return result_of(result);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	int number = fate(fd);

	/* What goes by way of our own memory can be reached. */
	if (trouble == CANNOT_REACH && size > 256 << 10)
		number = -EFAULT;
	if (number) {
		errno = -number;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, data, (size_t)result_of((int)size), offset);
}

/* --- */

static char folder[256], path[320];
static uint8_t *content, *read_back;

static int begin(void)
{
	fixture_folder(folder);
	snprintf(path, sizeof path, "%s/file", folder);
	content = mmap(NULL, FILE_MIB * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	read_back = mmap(NULL, FILE_MIB * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < FILE_MIB * MIB / sizeof(uint64_t); i++)
		((uint64_t *)content)[i] = mix64(i);
	return content == MAP_FAILED || read_back == MAP_FAILED;
}

static int end(void)
{
	munmap(content, FILE_MIB * MIB);
	munmap(read_back, FILE_MIB * MIB);
	fixture_remove(folder);
	return 0;
}

static struct ring *ring_on(int flags, int *fd)
{
	struct fault fault = FAULT_NONE;
	struct ring *ring;

	*fd = open(path, flags | O_CLOEXEC, 0600);
	CU_ASSERT_TRUE_FATAL(*fd >= 0);
	CU_ASSERT_EQUAL_FATAL(ring_open(&ring, *fd, path, RING_DEPTH, &fault), 0);
	return ring;
}

static int take_one(struct ring *ring, struct fault *fault)
{
	struct ring_piece done;
	int code = ring_wait(ring, &done, fault);

	if (done.slot >= 0)
		ring_give_slot(ring, done.slot);
	return code;
}

/* In pieces of many sizes, every other one by way of a slot. */
static int pass_all(struct ring *ring, bool write, struct fault *fault)
{
	size_t at = 0;
	int code = 0;

	for (int i = 0; !code && at < FILE_MIB * MIB; i++) {
		size_t size = 4096 * (1 + mix64((uint64_t)i) % 1024);
		struct ring_piece piece = { .write = write, .slot = -1, .tag = (uint64_t)i, .offset = at };

		if (size > FILE_MIB * MIB - at)
			size = FILE_MIB * MIB - at;
		piece.size = size;
		piece.data = (write ? content : read_back) + at;
		CU_ASSERT_TRUE(ring_fits(ring, piece.data, size, at));
		while (!code && !ring_has_room(ring))
			code = take_one(ring, fault);
		if (write && i % 2 && trouble != CANNOT_REACH) {
			while (!code && (piece.slot = ring_take_slot(ring)) < 0)
				code = take_one(ring, fault);
			if (code)
				break;
			piece.data = memcpy(ring_slot(ring, piece.slot), content + at, size);
		}
		if (!code)
			ring_start(ring, &piece);
		at += size;
	}
	while (!code && ring_under_way(ring))
		code = take_one(ring, fault);
	return code;
}

static void write_and_read(void)
{
	struct fault fault = FAULT_NONE;
	struct ring *ring;
	int fd;

	writes = 0;
	unlink(path);
	ring = ring_on(O_RDWR | O_CREAT, &fd);
	CU_ASSERT_EQUAL(pass_all(ring, true, &fault), 0);
	ring_close(ring);
	close(fd);
	trouble = NO_TROUBLE;
	memset(read_back, 0xAA, FILE_MIB * MIB);
	ring = ring_on(O_RDONLY, &fd);
	CU_ASSERT_EQUAL(pass_all(ring, false, &fault), 0);
	CU_ASSERT_FALSE(memcmp(content, read_back, FILE_MIB * MIB));
	ring_close(ring);
	close(fd);
}

static void what_is_written_is_read(void)
{
	trouble = NO_TROUBLE;
	write_and_read();
}

static void short_and_interrupted_writes_go_on(void)
{
	trouble = SHORT_AND_INTERRUPTED;
	write_and_read();
}

/* Past the page cache no offset may be odd. */
static void odd_results_go_on(void)
{
	trouble = ODD;
	write_and_read();
}

static void a_file_system_that_refuses_to_go_past_the_cache_is_written(void)
{
	trouble = REFUSES_DIRECT;
	write_and_read();
}

static void memory_that_the_disk_cannot_reach_is_written(void)
{
	trouble = CANNOT_REACH;
	write_and_read();
}

/* Whatever write it is: the fault names file and cause, and nothing is under way when the ring is closed. */
static void a_write_that_fails_says_so(void)
{
	for (broken_at = 1; broken_at <= 10; broken_at += 3) {
		struct fault fault = FAULT_NONE;
		struct ring *ring;
		int fd;

		writes = 0;
		ring = ring_on(O_RDWR | O_CREAT, &fd);
		trouble = BROKEN;
		CU_ASSERT_EQUAL(pass_all(ring, true, &fault), SEAMARK_E_IO);
		CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, path));
		CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, strerror(EIO)));
		ring_close(ring);
		trouble = NO_TROUBLE;
		/* The kernel has let go of everything: the memory may be gone. */
		close(fd);
	}
}

static void a_file_that_ends_early_is_cut_short(void)
{
	struct fault fault = FAULT_NONE;
	struct ring *ring;
	int fd;

	trouble = NO_TROUBLE;
	CU_ASSERT_EQUAL(truncate(path, FILE_MIB * MIB / 2), 0);
	ring = ring_on(O_RDONLY, &fd);
	CU_ASSERT_EQUAL(pass_all(ring, false, &fault), SEAMARK_E_DAMAGED);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "cut short"));
	ring_close(ring);
	close(fd);
}

static void slots_run_out_and_come_back(void)
{
	struct ring *ring;
	bool had[RING_DEPTH] = { false };
	int fd;

	ring = ring_on(O_RDWR | O_CREAT, &fd);
	for (int i = 0; i < RING_DEPTH; i++) {
		int slot = ring_take_slot(ring);

		CU_ASSERT_TRUE_FATAL(slot >= 0 && slot < RING_DEPTH && !had[slot]);
		had[slot] = true;
		memset(ring_slot(ring, slot), slot, RING_SLOT_SIZE);
	}
	CU_ASSERT_EQUAL(ring_take_slot(ring), -1);
	for (int i = 0; i < RING_DEPTH; i++)
		CU_ASSERT_TRUE(ring_slot(ring, i)[0] == i && ring_slot(ring, i)[RING_SLOT_SIZE - 1] == i);
	ring_give_slot(ring, 5);
	CU_ASSERT_EQUAL(ring_take_slot(ring), 5);
	ring_close(ring);
	close(fd);
}

static int begin_without_ring(void)
{
	without_ring = true;
	return begin();
}

/* A memory file system; those of old kernels refuse to go past the page cache. */
static int begin_in_memory(void)
{
	int code = begin();

	without_ring = false;
	if (!code && !access("/dev/shm", W_OK)) {
		fixture_remove(folder);
		strcpy(folder, "/dev/shm/seamark-test-XXXXXX");
		if (!mkdtemp(folder))
			return 1;
		snprintf(path, sizeof path, "%s/file", folder);
	}
	return code;
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "what is written is read", what_is_written_is_read },
		{ "short and interrupted writes go on", short_and_interrupted_writes_go_on },
		{ "odd results go on", odd_results_go_on },
		{ "a file system that refuses to go past the cache is written", a_file_system_that_refuses_to_go_past_the_cache_is_written },
		{ "memory that the disk cannot reach is written", memory_that_the_disk_cannot_reach_is_written },
		{ "a write that fails says so", a_write_that_fails_says_so },
		{ "a file that ends early is cut short", a_file_that_ends_early_is_cut_short },
		{ "slots run out and come back", slots_run_out_and_come_back },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "ring", begin, end, NULL, NULL, tests },
		{ "ring, without io_uring", begin_without_ring, end, NULL, NULL, tests },
		{ "ring, in memory", begin_in_memory, end, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};

	return suites_run(suites);
}
