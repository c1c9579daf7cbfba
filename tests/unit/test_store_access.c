/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may read what is written, and that no symbolic link leads the store out of its folder: one is planted at every name that it uses, to something that must stay
 * as it is. */
#include <CUnit/Basic.h>
#include <glob.h>

#include "seamark_files.h"
#include "suites.h"
#include "test_store_fixture.h"

static char folder[256], outside[300];
static struct fixture_world world;

static void begin(void)
{
	fixture_fill(&world, 2);
	fixture_folder(folder);
	snprintf(outside, sizeof outside, "%s.outside", folder);
	if (mkdir(outside, 0777))
		fixture_stop(outside, NULL);
}

static void end(void)
{
	fixture_remove(folder);
	fixture_remove(outside);
}

static const char *in(const char *above, const char *name)
{
	static char paths[4][600];
	static int next;

	next = (next + 1) % 4;
	snprintf(paths[next], sizeof paths[next], "%s/%s", above, name);
	return paths[next];
}

/* --- permissions ------------------------------------------------------------------------------------------------------ */

static mode_t mode_of(const char *path)
{
	struct stat status;

	if (lstat(path, &status))
		fixture_stop(path, NULL);
	return status.st_mode & 07777;
}

static void check_modes(mode_t mask, mode_t of_files, mode_t of_folders)
{
	static const char *const files[] = { "run.json", "lock", "0000001.L01/rank-00000.smk", "0000001.L01/rank-00001.smk",
		"0000001.L01/manifest.json", "0000001.L01/pinned" };
	char below[300];
	struct fixture fixture;
	mode_t before = umask(mask);

	snprintf(below, sizeof below, "%s/made/by%03o", folder, mask);
	fixture_begin(&fixture, below, 2);
	fixture_take(&fixture, 1, world.parts, 0);
	CU_ASSERT_EQUAL(seamark_files_pin(in(below, "0000001.L01"), 1), 0);
	fixture_end(&fixture);
	umask(before);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (mode_of(in(below, files[i])) != of_files)
			printf("\n  umask %03o: '%s' has %03o", mask, files[i], mode_of(in(below, files[i])));
		CU_ASSERT_EQUAL(mode_of(in(below, files[i])), of_files);
	}
	CU_ASSERT_EQUAL(mode_of(below), of_folders);
	CU_ASSERT_EQUAL(mode_of(in(below, "0000001.L01")), of_folders);
}

static void files_are_the_owners_unless_others_may_write(void)
{
	check_modes(022, 0600, 0700);
	check_modes(077, 0600, 0700);
	check_modes(027, 0600, 0700);
	check_modes(002, 0660, 0770);
	check_modes(007, 0660, 0770);
	check_modes(000, 0666, 0777);
}

/* --- links ------------------------------------------------------------------------------------------------------------- */

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		fixture_stop(path, NULL);
}

static void plant(const char *to, const char *name)
{
	if (symlink(to, in(folder, name)))
		fixture_stop(name, NULL);
}

/* What lies outside, as one number: names, and bytes of files. */
static uint64_t sum_outside(void)
{
	uint64_t sum = 0;
	glob_t found;

	if (glob(in(outside, "*"), 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "rb");
		int byte;

		for (const char *c = found.gl_pathv[i]; *c; c++)
			sum = mix64_pair(sum, (uint64_t)*c);
		while (file && (byte = getc(file)) != EOF)
			sum = mix64_pair(sum, (uint64_t)byte + 1000);
		if (file)
			fclose(file);
	}
	globfree(&found);
	return sum;
}

/* Takes a checkpoint as far as that goes. true: committed. */
static bool try_take(struct fixture *fixture, uint64_t number)
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
	}
	if (good && !store_begin_commit(fixture->stores[0], &commit, 1, &fault))
		good = fixture_commit_state(fixture->stores[0], &fault) == STORE_DURABLE;
	if (!good) {
		for (uint32_t rank = 0; rank < 2; rank++)
			store_abandon_image(fixture->stores[rank]);
		store_drop_attempt(fixture->stores[0], number);
		for (uint32_t rank = 0; rank < 2; rank++)
			fixture_image_state(fixture->stores[rank], &result);
	}
	return good;
}

static void nothing_is_written_through_a_link(void)
{
	static const char *const names[] = { "0000002.L01/rank-00000.smk", "0000002.L01/rank-00001.smk", "0000002.L01/manifest.json",
		"0000002.L01/manifest.json.tmp", "0000002.L01/pinned" };
	struct fixture fixture;
	uint64_t sum;

	put(in(outside, "precious"), "precious");
	sum = sum_outside();
	fixture_begin(&fixture, folder, 2);
	CU_ASSERT_TRUE(try_take(&fixture, 1));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (mkdir(in(folder, "0000002.L01"), 0700) && errno != EEXIST)
			fixture_stop("mkdir", NULL);
		plant(in(outside, "precious"), names[i]);
		try_take(&fixture, 2);
		CU_ASSERT_EQUAL(sum_outside(), sum);
		fixture_remove(in(folder, "0000002.L01"));
	}
	/* The whole folder, with names outside that are those of a checkpoint's files. */
	put(in(outside, "rank-00000.smk"), "somebody's");
	put(in(outside, "manifest.json"), "somebody's");
	put(in(outside, "manifest.json.tmp"), "somebody's");
	sum = sum_outside();
	plant(outside, "0000003.L01");
	CU_ASSERT_FALSE(try_take(&fixture, 3));
	CU_ASSERT_TRUE(try_take(&fixture, 4));
	CU_ASSERT_EQUAL(sum_outside(), sum);
	fixture_end(&fixture);
	/* A new life tidies up, and retires what is old. */
	fixture_begin(&fixture, folder, 2);
	CU_ASSERT_EQUAL(fixture.next, 5);
	CU_ASSERT_TRUE(try_take(&fixture, fixture.next));
	CU_ASSERT_EQUAL(sum_outside(), sum);
	fixture_end(&fixture);
	CU_ASSERT_EQUAL(access(in(folder, "0000004.L01"), F_OK), -1);
}

static void the_run_and_its_lock_are_no_links(void)
{
	struct store *store;
	struct fault fault = FAULT_NONE;
	struct fixture fixture;
	uint8_t run[16];
	uint32_t life;
	uint64_t next, sum;

	put(in(outside, "run.json"), "{}");
	sum = sum_outside();
	if (mkdir(folder, 0700) && errno != EEXIST)
		fixture_stop(folder, NULL);
	plant(in(outside, "lock"), "lock");
	CU_ASSERT_EQUAL_FATAL(store_open(&store, folder, 0, 1, &fault), 0);
	CU_ASSERT_NOT_EQUAL(store_begin_life(store, 0, run, &life, &next, &fault), 0);
	store_close(store);
	CU_ASSERT_EQUAL(sum_outside(), sum);
	unlink(in(folder, "lock"));
	/* In the place of run.json a file of its own is put. */
	plant(in(outside, "run.json"), "run.json");
	plant(in(outside, "run.json.tmp"), "run.json.tmp");
	CU_ASSERT_EQUAL(seamark_files_check_run(folder), SEAMARK_E_DAMAGED);
	unlink(in(folder, "run.json.tmp"));
	fixture_begin(&fixture, folder, 2);
	CU_ASSERT_TRUE(try_take(&fixture, 1));
	fixture_end(&fixture);
	CU_ASSERT_EQUAL(sum_outside(), sum);
	CU_ASSERT_EQUAL(seamark_files_check_run(folder), 0);
}

/* Moves a file or folder of a good checkpoint out, and puts a link in its place. */
static void move_out(const char *name)
{
	const char *last = strrchr(name, '/');
	char to[600];

	snprintf(to, sizeof to, "%s/%s", outside, last ? last + 1 : name);
	if (rename(in(folder, name), to))
		fixture_stop(name, NULL);
	plant(to, name);
}

static void move_back(const char *name)
{
	const char *last = strrchr(name, '/');
	char from[600];

	snprintf(from, sizeof from, "%s/%s", outside, last ? last + 1 : name);
	if (unlink(in(folder, name)) || rename(from, in(folder, name)))
		fixture_stop(name, NULL);
}

static void nothing_is_read_through_a_link(void)
{
	static const char *const names[] = { "0000001.L01/rank-00000.smk", "0000001.L01/rank-00001.smk", "0000001.L01/manifest.json" };
	seamark_files_checkpoint *checkpoint;
	struct store_checkpoint found;
	struct store *store;
	seamark_files *files;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;

	fixture_begin(&fixture, folder, 2);
	fixture_take(&fixture, 1, world.parts, 0);
	fixture_end(&fixture);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int code;

		move_out(names[i]);
		code = seamark_files_checkpoint_open(&checkpoint, in(folder, "0000001.L01"));
		if (!code) {
			code = seamark_files_verify(checkpoint, NULL, NULL, NULL);
			seamark_files_checkpoint_close(checkpoint);
		}
		CU_ASSERT_EQUAL(code, SEAMARK_E_DAMAGED);
		move_back(names[i]);
	}
	/* A whole folder that is a link is not in the list, and a restart does not see it; who names it means it. */
	move_out("0000001.L01");
	CU_ASSERT_EQUAL_FATAL(seamark_files_open(&files, folder), 0);
	CU_ASSERT_EQUAL(seamark_files_count(files), 0);
	seamark_files_close(files);
	CU_ASSERT_EQUAL_FATAL(store_open(&store, folder, 0, 2, &fault), 0);
	CU_ASSERT_EQUAL(store_newest(store, UINT64_MAX, &found, &fault), SEAMARK_E_NOT_FOUND);
	store_close(store);
	CU_ASSERT_EQUAL_FATAL(seamark_files_checkpoint_open(&checkpoint, in(folder, "0000001.L01/")), 0);
	CU_ASSERT_EQUAL(seamark_files_verify(checkpoint, NULL, NULL, NULL), 0);
	seamark_files_checkpoint_close(checkpoint);
	move_back("0000001.L01");
	/* The folder of them all may be one. */
	CU_ASSERT_EQUAL(symlink(folder, in(outside, "all")), 0);
	CU_ASSERT_EQUAL_FATAL(seamark_files_open(&files, in(outside, "all")), 0);
	CU_ASSERT_EQUAL(seamark_files_count(files), 1);
	seamark_files_close(files);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "files are the owner's unless others may write", files_are_the_owners_unless_others_may_write },
		{ "nothing is written through a link", nothing_is_written_through_a_link },
		{ "the run and its lock are no links", the_run_and_its_lock_are_no_links },
		{ "nothing is read through a link", nothing_is_read_through_a_link },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "access", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
