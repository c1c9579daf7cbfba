/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark compact: what is folded holds all its bytes, what others need of it is found, and whatever moment it dies at, everything is whole. The calls of the library are
 * this program's own. */
#include <CUnit/Basic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "seamark_files.h"
#include "store/manifest.h"
#include "store/verify.h"
#include "suites.h"
#include "test_store_fixture.h"

enum { RANKS = 2, BYTES = 20000, REGIONS = 6 };

static int calls, fated_call;
static bool fails; /* instead of dying */

static bool meets_fate(void)
{
	if (++calls != fated_call)
		return false;
	if (!fails)
		_exit(77);
	errno = EIO;
	return true;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return fated_call && meets_fate() ? -1 : syscall(SYS_pwrite64, fd, data, size, offset);
}

int fsync(int fd)
{
	return fated_call && meets_fate() ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	return fated_call && meets_fate() ? -1 : (int)syscall(SYS_rename, from, to);
}

int unlink(const char *path)
{
	return fated_call && meets_fate() ? -1 : (int)syscall(SYS_unlink, path);
}

int unlinkat(int at, const char *path, int flags)
{
	return fated_call && meets_fate() ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
}

/* --- */

static char folder[256];
static uint8_t data[RANKS][REGIONS][BYTES];
static struct fixture_part parts[RANKS];
static struct store_comm comms[1] = { { .name = "world", .key = 1, .size = RANKS, .members = 5 } };
static uint8_t saved[8][RANKS][REGIONS][BYTES];

/* Checkpoints 1 to 6, in each of which another region differs; 3, 5 and 6 are kept, and 1, 2 and 4 only held. */
static void make(void)
{
	static const char *const names[REGIONS] = { "a", "b", "c", "d", "e", "f" };
	struct fixture fixture;
	char path[512];

	for (uint32_t rank = 0; rank < RANKS; rank++) {
		memset(&parts[rank], 0, sizeof parts[rank]);
		for (int i = 0; i < REGIONS; i++) {
			for (size_t at = 0; at < BYTES; at++)
				data[rank][i][at] = (uint8_t)mix64_pair(rank * 10 + (uint32_t)i, at);
			parts[rank].regions[i] = (struct store_region){ .name = names[i], .data = data[rank][i], .bytes = BYTES };
		}
		parts[rank].region_count = REGIONS;
		parts[rank].record = (struct store_record){ .comms = comms, .comm_count = 1 };
	}
	fixture_folder(folder);
	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	for (uint64_t number = 1; number <= 6; number++) {
		data[0][number - 1][5] ^= 1;
		data[1][number - 1][7] ^= 1;
		fixture_take(&fixture, number, parts, 2);
		memcpy(saved[number], data, sizeof data);
		snprintf(path, sizeof path, "%s/0000003.L01", folder);
		if (number == 3 && seamark_files_pin(path, 1))
			fixture_stop("pin", NULL);
	}
	fixture_end(&fixture);
}

static void end(void)
{
	fated_call = 0;
	fixture_remove(folder);
}

static const char *path_of(uint64_t number)
{
	static char path[300];

	snprintf(path, sizeof path, "%s/%07" PRIu64 ".L01", folder, number);
	return path;
}

static bool is_there(uint64_t number, const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", path_of(number), name);
	return !access(path, F_OK);
}

static void told(const struct seamark_files_problem *problem, void *context)
{
	(void)context;
	printf("\n  rank %d: %s", (int)problem->rank, problem->text);
}

static bool is_right(uint64_t number, size_t *parents)
{
	seamark_files_checkpoint *checkpoint;
	struct seamark_files_entry entry;
	bool good;

	if (seamark_files_checkpoint_open(&checkpoint, path_of(number))) {
		printf("\n  %s", seamark_files_error());
		return false;
	}
	seamark_files_checkpoint_entry(checkpoint, &entry);
	*parents = entry.parent_count;
	good = !seamark_files_verify(checkpoint, told, NULL, NULL);
	for (uint32_t rank = 0; good && rank < RANKS; rank++) {
		seamark_files_image *image;
		static uint8_t read[BYTES];

		good = !seamark_files_image_open(&image, checkpoint, rank);
		for (int i = 0; good && i < REGIONS; i++)
			good = !seamark_files_read(image, parts[rank].regions[i].name, read, BYTES) && !memcmp(read, saved[number][rank][i], BYTES);
		seamark_files_image_close(image);
	}
	seamark_files_checkpoint_close(checkpoint);
	return good;
}

static bool all_are_right(void)
{
	size_t parents;

	return is_right(3, &parents) && is_right(5, &parents) && is_right(6, &parents);
}

static void what_is_folded_needs_no_other(void)
{
	struct seamark_files_compaction done;
	size_t parents = 9;

	CU_ASSERT_TRUE(all_are_right());
	CU_ASSERT_EQUAL(seamark_files_compact(path_of(6), &done), 0);
	CU_ASSERT_EQUAL(done.parents, 5);
	CU_ASSERT_TRUE(done.bytes_after > done.bytes_before + 4 * RANKS * (uint64_t)BYTES);
	CU_ASSERT_TRUE(is_right(6, &parents));
	CU_ASSERT_EQUAL(parents, 0);
	CU_ASSERT_TRUE(is_there(6, "whole-00001.smk") && !is_there(6, "rank-00001.smk"));
	/* The others still need what they needed. */
	CU_ASSERT_TRUE(is_there(1, "manifest.held") && is_there(2, "manifest.held") && is_there(4, "manifest.held"));
	CU_ASSERT_TRUE(all_are_right());
	CU_ASSERT_EQUAL(seamark_files_compact(path_of(6), &done), 0);
	CU_ASSERT_EQUAL(done.parents, 0);
	CU_ASSERT_TRUE(is_right(6, &parents));
	/* 5 and 6 have chunks in 3. */
	CU_ASSERT_EQUAL(seamark_files_compact(path_of(3), &done), 0);
	CU_ASSERT_EQUAL(done.parents, 2);
	CU_ASSERT_TRUE(all_are_right());
	CU_ASSERT_EQUAL(seamark_files_compact(path_of(5), NULL), 0);
	CU_ASSERT_TRUE(all_are_right());
	for (uint64_t number = 1; number <= 4; number++)
		CU_ASSERT_EQUAL(!access(path_of(number), F_OK), number == 3);
}

static void one_that_is_folded_can_be_moved(void)
{
	char apart[300];
	seamark_files_checkpoint *checkpoint;

	CU_ASSERT_EQUAL(seamark_files_compact(path_of(5), NULL), 0);
	snprintf(apart, sizeof apart, "%s/apart", folder);
	CU_ASSERT_EQUAL(rename(path_of(5), apart), 0);
	CU_ASSERT_EQUAL_FATAL(seamark_files_checkpoint_open(&checkpoint, apart), 0);
	CU_ASSERT_EQUAL(seamark_files_verify(checkpoint, told, NULL, NULL), 0);
	seamark_files_checkpoint_close(checkpoint);
}

/* A run goes on from it, and refers to it. */
static void a_life_goes_on_from_one_that_is_folded(void)
{
	static struct store_checkpoint restored;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	size_t parents;

	CU_ASSERT_EQUAL(seamark_files_compact(path_of(6), NULL), 0);
	fixture_begin(&fixture, folder, RANKS);
	CU_ASSERT_EQUAL(store_newest(fixture.stores[0], UINT64_MAX, &restored, &fault), 0);
	fixture_chain(&fixture, 8, &restored);
	fixture_take(&fixture, 7, parts, 1);
	fixture_end(&fixture);
	memcpy(saved[7], data, sizeof data);
	CU_ASSERT_TRUE(is_there(6, "manifest.held"));
	{
		char path[512];
		seamark_files_checkpoint *checkpoint;
		struct seamark_files_entry entry;

		snprintf(path, sizeof path, "%s/0000007.L02", folder);
		CU_ASSERT_EQUAL_FATAL(seamark_files_checkpoint_open(&checkpoint, path), 0);
		seamark_files_checkpoint_entry(checkpoint, &entry);
		CU_ASSERT_EQUAL(entry.parent_count, 1);
		CU_ASSERT_EQUAL(seamark_files_verify(checkpoint, told, NULL, NULL), 0);
		seamark_files_checkpoint_close(checkpoint);
	}
	CU_ASSERT_TRUE(is_right(3, &parents));
}

static void while_a_run_uses_the_folder_it_is_refused(void)
{
	struct fixture fixture;
	size_t parents;

	fixture_begin(&fixture, folder, RANKS);
	CU_ASSERT_EQUAL(seamark_files_compact(path_of(6), NULL), SEAMARK_E_BUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(seamark_files_error(), "is used by another run (process "));
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_right(6, &parents));
	CU_ASSERT_EQUAL(parents, 5);
	CU_ASSERT_EQUAL(seamark_files_compact(path_of(6), NULL), 0);
}

static void a_damaged_chunk_stops_it(void)
{
	size_t parents;
	char path[512];
	uint8_t byte;
	int fd;

	snprintf(path, sizeof path, "%s/rank-00000.smk", path_of(2));
	fd = open(path, O_RDWR);
	CU_ASSERT_EQUAL(pread(fd, &byte, 1, 4096 + 77), 1);
	byte ^= 1;
	CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, 4096 + 77), 1);
	CU_ASSERT_EQUAL(seamark_files_compact(path_of(6), NULL), SEAMARK_E_DAMAGED);
	CU_ASSERT_FALSE(is_there(6, "whole-00000.smk"));
	byte ^= 1;
	CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, 4096 + 77), 1);
	close(fd);
	CU_ASSERT_TRUE(is_right(6, &parents));
	CU_ASSERT_EQUAL(parents, 5);
	CU_ASSERT_EQUAL(seamark_files_compact(path_of(7), NULL), SEAMARK_E_NOT_FOUND);
}

/* One call after the other, until none of those of a compaction is left. Then a life on what it left, or a second compaction. */
static void meet_fate_at_every_call(uint64_t number)
{
	bool met = true;

	for (int at = 1; met; at++) {
		size_t parents = 9;
		int status = 0;
		pid_t child;

		make();
		child = fork();
		CU_ASSERT_TRUE_FATAL(child >= 0);
		if (!child) {
			fated_call = at;
			status = seamark_files_compact(path_of(number), NULL);
			_exit(calls >= at ? 3 : status ? 4 : 0);
		}
		waitpid(child, &status, 0);
		CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 4);
		met = WEXITSTATUS(status) != 0;
		CU_ASSERT_TRUE(all_are_right());
		if (at % 2) {
			struct fixture fixture;

			fixture_begin(&fixture, folder, RANKS);
			fixture_end(&fixture);
			CU_ASSERT_TRUE(is_there(number, "rank-00000.smk") != is_there(number, "whole-00000.smk"));
			CU_ASSERT_TRUE(is_there(number, "rank-00001.smk") != is_there(number, "whole-00001.smk"));
			CU_ASSERT_FALSE(is_there(number, "manifest.json.tmp"));
			CU_ASSERT_TRUE(all_are_right());
		}
		CU_ASSERT_EQUAL(seamark_files_compact(path_of(number), NULL), 0);
		CU_ASSERT_TRUE(is_right(number, &parents));
		CU_ASSERT_EQUAL(parents, 0);
		CU_ASSERT_TRUE(all_are_right());
		CU_ASSERT_FALSE(is_there(number, "rank-00000.smk") || is_there(number, "rank-00001.smk"));
		end();
	}
	make();
}

static void killed_at_every_call_it_leaves_what_was_or_is_to_be(void)
{
	end();
	fails = false;
	meet_fate_at_every_call(6);
	end();
	meet_fate_at_every_call(3);
}

static void failing_at_every_call_it_harms_nothing(void)
{
	end();
	fails = true;
	meet_fate_at_every_call(6);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "what is folded needs no other", what_is_folded_needs_no_other },
		{ "one that is folded can be moved", one_that_is_folded_can_be_moved },
		{ "a life goes on from one that is folded", a_life_goes_on_from_one_that_is_folded },
		{ "while a run uses the folder it is refused", while_a_run_uses_the_folder_it_is_refused },
		{ "a damaged chunk stops it", a_damaged_chunk_stops_it },
		{ "killed at every call, it leaves what was or is to be", killed_at_every_call_it_leaves_what_was_or_is_to_be },
		{ "failing at every call, it harms nothing", failing_at_every_call_it_harms_nothing },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "compact", NULL, NULL, make, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
