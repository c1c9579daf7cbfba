/* SPDX-License-Identifier: BSD-3-Clause */
/* Storage that fails, and runs that die, at every single call: an older checkpoint is never the worse for it, one that has a manifest
 * is whole, and the next life goes on. The calls of the library are this program's own. */
#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "suites.h"
#include "../fault/uring.h"
#include "store/verify.h"
#include "test_store_fixture.h"

enum fate { FATE_NONE, FATE_ERROR, FATE_DEATH };

static atomic_int calls;     /* counted from 1 */
static int fated_call;       /* which of them meets its fate; 0: none */
static enum fate fate;
static int fate_errno;
static bool hard_times;      /* writes are interrupted and short */
static bool without_ring;
static char fated_name[16];
static uint64_t times;

static bool meets_fate(const char *name)
{
	if (atomic_fetch_add(&calls, 1) + 1 != fated_call)
		return false;
	snprintf(fated_name, sizeof fated_name, "%s", name);
	if (fate == FATE_DEATH)
		_exit(77);
	errno = fate_errno;
	return fate == FATE_ERROR;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	if (meets_fate("pwrite"))
		return -1;
	if (hard_times && mix64(times++) % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	if (hard_times && size > 1)
		size = 1 + mix64(times++) % (size - 1);
	return syscall(SYS_pwrite64, fd, data, size, offset);
}

static bool uring_refused(void)
{
	return without_ring;
}

static int uring_fate(int fd)
{
	(void)fd;
	if (meets_fate("write by ring"))
		return -errno;
	return hard_times && mix64(times++) % 3 == 0 ? (mix64(times++) % 2 ? -EINTR : -EAGAIN) : 0;
}

static int uring_result(int fd, int result)
{
	(void)fd;
	return hard_times ? 1 + (int)(mix64(times++) % (uint64_t)result) : result;
}

int ftruncate(int fd, off_t size)
{
	return meets_fate("ftruncate") ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

/* A file system may be unable to reserve, and then only that. */
int fallocate(int fd, int mode, off_t offset, off_t size)
{
	return meets_fate("fallocate") ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

int fsync(int fd)
{
	return meets_fate("fsync") ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	return meets_fate("rename") ? -1 : (int)syscall(SYS_rename, from, to);
}

int unlink(const char *path)
{
	return meets_fate("unlink") ? -1 : (int)syscall(SYS_unlink, path);
}

int unlinkat(int folder, const char *path, int flags)
{
	return meets_fate("unlinkat") ? -1 : (int)syscall(SYS_unlinkat, folder, path, flags);
}

int mkdir(const char *path, mode_t mode)
{
	return meets_fate("mkdir") ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

/* --- */

static char folder[256];
static struct fixture_world world;

static void begin(void)
{
	fated_call = 0;
	fixture_fill(&world, 2);
	fixture_folder(folder);
}

static void begin_without_ring(void)
{
	without_ring = true;
	begin();
}

static void end(void)
{
	without_ring = false;
	fated_call = 0;
	fixture_remove(folder);
}

static bool is_whole(const struct store_checkpoint *found)
{
	struct verify_proof proof;

	return store_verify(found, NULL, NULL, &proof, NULL) == 0;
}

/* Tries for a checkpoint as a session would: what fails makes the attempt void. true: committed. */
static bool try_checkpoint(struct fixture *fixture, uint64_t number, uint64_t keep)
{
	struct store_commit commit = { .identity = fixture_identity(fixture, number, 0) };
	struct store_image_result result;
	struct fault fault = FAULT_NONE;
	bool good = true;

	for (uint32_t rank = 0; rank < 2; rank++)
		fixture_begin_part(fixture, number, rank, &world.parts[rank]);
	for (uint32_t rank = 0; rank < 2; rank++) {
		store_finish_image(fixture->stores[rank], &world.parts[rank].record, &fault);
		good = fixture_image_state(fixture->stores[rank], &result) == STORE_DURABLE && good;
		commit.table_sum += mix64_pair(rank, result.table_hash);
		commit.bytes += result.bytes;
		commit.messages += world.parts[rank].record.message_count;
		for (size_t i = 0; i < world.parts[rank].record.message_count; i++)
			commit.message_bytes += world.messages[rank][i].bytes;
	}
	if (good) {
		CU_ASSERT_EQUAL(store_begin_commit(fixture->stores[0], &commit, keep, &fault), 0);
		good = fixture_commit_state(fixture->stores[0], &fault) == STORE_DURABLE;
	}
	if (!good) {
		for (uint32_t rank = 0; rank < 2; rank++)
			store_abandon_image(fixture->stores[rank]);
		store_drop_attempt(fixture->stores[0], number);
		for (uint32_t rank = 0; rank < 2; rank++)
			CU_ASSERT_EQUAL(fixture_image_state(fixture->stores[rank], &result), STORE_IDLE);
	}
	return good;
}

/* One failing call after the other, until none of the calls of an attempt is left. */
static void fail_at_every_call(int number)
{
	bool met = true;

	for (int at = 1; met; at++) {
		struct fixture fixture;
		struct store_checkpoint found;
		struct fault fault = FAULT_NONE;
		bool good;

		fixture_remove(folder);
		fixture_begin(&fixture, folder, 2);
		fixture_take(&fixture, 1, world.parts, 1);
		fate = FATE_ERROR;
		fate_errno = number;
		atomic_store(&calls, 0);
		fated_call = at;
		good = try_checkpoint(&fixture, 2, 1);
		fixture_end(&fixture);
		met = atomic_load(&calls) >= at;
		fated_call = 0;
		fixture_begin(&fixture, folder, 2);
		CU_ASSERT_EQUAL_FATAL(store_newest(fixture.stores[0], UINT64_MAX, &found, &fault), 0);
		CU_ASSERT_TRUE(is_whole(&found));
		if (found.number != (good ? 2 : 1))
			printf("\n  call %d, %s, %s: newest is %d", at, fated_name, strerror(number), (int)found.number);
		CU_ASSERT_EQUAL(found.number, good ? 2 : 1);
		CU_ASSERT_TRUE(try_checkpoint(&fixture, 3, 1));
		fixture_end(&fixture);
	}
}

static void a_call_that_fails_harms_no_older_checkpoint(void)
{
	fail_at_every_call(EIO);
	fail_at_every_call(ENOSPC);
}

/* The run is killed at one call after the other, from the start of its first life on. */
static void a_run_that_dies_at_any_call_leaves_what_was_committed(void)
{
	bool died = true;

	for (int at = 1; died; at++) {
		struct fixture fixture;
		struct store_checkpoint found;
		struct fault fault = FAULT_NONE;
		int committed = 0, status, told[2], code;
		pid_t child;
		char byte;

		fixture_remove(folder);
		CU_ASSERT_EQUAL_FATAL(pipe(told), 0);
		child = fork();
		CU_ASSERT_TRUE_FATAL(child >= 0);
		if (!child) {
			fate = FATE_DEATH;
			atomic_store(&calls, 0);
			fated_call = at;
			fixture_begin(&fixture, folder, 2);
			for (uint64_t number = 1; number <= 3; number++)
				if (!try_checkpoint(&fixture, number, 1) || write(told[1], "", 1) != 1)
					_exit(1);
			fixture_end(&fixture);
			_exit(0);
		}
		close(told[1]);
		while (read(told[0], &byte, 1) == 1)
			committed++;
		close(told[0]);
		waitpid(child, &status, 0);
		died = WEXITSTATUS(status) == 77;
		CU_ASSERT_TRUE(WIFEXITED(status) && (died || !WEXITSTATUS(status)));
		fixture_begin(&fixture, folder, 2);
		code = store_newest(fixture.stores[0], UINT64_MAX, &found, &fault);
		CU_ASSERT_EQUAL(code, !code || committed ? 0 : SEAMARK_E_NOT_FOUND);
		if (!code) {
			/* One more may have been committed than it lived to tell. */
			CU_ASSERT_TRUE(found.number == (uint64_t)committed || found.number == (uint64_t)committed + 1);
			CU_ASSERT_TRUE(is_whole(&found));
		}
		CU_ASSERT_TRUE(try_checkpoint(&fixture, fixture.next, 1));
		fixture_end(&fixture);
	}
}

static void interrupted_and_short_writes_go_on(void)
{
	struct fixture fixture;
	struct store_checkpoint found;
	struct fault fault = FAULT_NONE;

	hard_times = true;
	fixture_begin(&fixture, folder, 2);
	for (uint64_t number = 1; number <= 5; number++)
		CU_ASSERT_TRUE(try_checkpoint(&fixture, number, 0));
	hard_times = false;
	for (uint64_t number = 5; number; number--) {
		CU_ASSERT_EQUAL_FATAL(store_newest(fixture.stores[0], number + 1, &found, &fault), 0);
		CU_ASSERT_EQUAL(found.number, number);
		CU_ASSERT_TRUE(is_whole(&found));
	}
	fixture_end(&fixture);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "a call that fails harms no older checkpoint", a_call_that_fails_harms_no_older_checkpoint },
		{ "a run that dies at any call leaves what was committed", a_run_that_dies_at_any_call_leaves_what_was_committed },
		{ "interrupted and short writes go on", interrupted_and_short_writes_go_on },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "store: faults", NULL, NULL, begin, end, tests },
		{ "store: faults, without io_uring", NULL, NULL, begin_without_ring, end, tests },
		CU_SUITE_INFO_NULL,
	};

	return suites_run(suites);
}
