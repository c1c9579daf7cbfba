/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder over the lives of a run: lock, numbers, commit, retention, pins, leavings, the file `stop`. */
#include <CUnit/Basic.h>
#include <xxhash.h>
#include <signal.h>
#include <sys/wait.h>

#include "seamark_files.h"
#include "store/verify.h"
#include "suites.h"
#include "test_store_fixture.h"

static char folder[256];
static struct fixture_world world;

static void begin(void)
{
	fixture_folder(folder);
}

static void end(void)
{
	fixture_remove(folder);
}

static bool is_there(const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return !access(path, F_OK);
}

static void put_file(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file))
		fixture_stop(path, NULL);
}

static void put_sealed_run(const char *start)
{
	char text[512], whole[256];

	snprintf(whole, sizeof whole, "%s, \"owner\": \"\", \"start\": \"\", \"host\": \"n1\", \"process\": 1", start);
	snprintf(text, sizeof text, "%s, \"xxh3\": \"%016" PRIx64 "\"}\n", whole, (uint64_t)XXH3_64bits(whole, strlen(whole)));
	put_file("run.json", text);
}

static void take(struct fixture *fixture, uint64_t keep)
{
	fixture_fill(&world, fixture->ranks);
	fixture_take(fixture, fixture->next++, world.parts, keep);
}

/* Retention comes after the commit is told: closing waits for it. */
static void the_newest_are_kept_and_pinned_ones(void)
{
	struct fixture fixture;
	char path[512];

	fixture_begin(&fixture, folder, 2);
	for (int i = 0; i < 3; i++)
		take(&fixture, 0);
	snprintf(path, sizeof path, "%s/0000002.L01", folder);
	CU_ASSERT_EQUAL(seamark_files_pin(path, 1), 0);
	for (int i = 0; i < 3; i++)
		take(&fixture, 2);
	fixture_end(&fixture);
	CU_ASSERT_FALSE(is_there("0000001.L01"));
	CU_ASSERT_TRUE(is_there("0000002.L01/manifest.json"));
	CU_ASSERT_FALSE(is_there("0000003.L01"));
	CU_ASSERT_FALSE(is_there("0000004.L01"));
	CU_ASSERT_TRUE(is_there("0000005.L01/manifest.json"));
	CU_ASSERT_TRUE(is_there("0000006.L01/manifest.json"));
	CU_ASSERT_EQUAL(seamark_files_pin(path, 0), 0);
	fixture_begin(&fixture, folder, 2);
	take(&fixture, 2);
	fixture_end(&fixture);
	CU_ASSERT_FALSE(is_there("0000002.L01"));
	CU_ASSERT_FALSE(is_there("0000005.L01"));
	CU_ASSERT_TRUE(is_there("0000007.L02"));
}

static void a_garbled_checkpoint_is_neither_counted_nor_removed(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, 1);
	for (int i = 0; i < 3; i++)
		take(&fixture, 0);
	put_file("0000002.L01/manifest.json", "{}");
	put_file("0000003.L01/manifest.json", "");
	take(&fixture, 2);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_there("0000001.L01/manifest.json"));
	CU_ASSERT_TRUE(is_there("0000002.L01/rank-00000.smk"));
	CU_ASSERT_TRUE(is_there("0000004.L01"));
}

static void what_people_put_into_a_folder_is_not_removed(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, 1);
	take(&fixture, 1);
	put_file("0000001.L01/notes.txt", "mine");
	take(&fixture, 1);
	fixture_end(&fixture);
	CU_ASSERT_FALSE(is_there("0000001.L01/manifest.json"));
	CU_ASSERT_TRUE(is_there("0000001.L01/notes.txt"));
}

static void lives_and_numbers_go_on_and_leavings_go(void)
{
	struct fixture fixture;
	uint8_t run[16];
	struct store_checkpoint found;
	struct fault fault = FAULT_NONE;

	fixture_begin(&fixture, folder, 2);
	memcpy(run, fixture.run, sizeof run);
	CU_ASSERT_EQUAL(fixture.life, 1);
	CU_ASSERT_EQUAL(fixture.next, 1);
	CU_ASSERT_EQUAL(store_newest(fixture.stores[0], UINT64_MAX, &found, &fault), SEAMARK_E_NOT_FOUND);
	take(&fixture, 0);
	/* An attempt that both ranks made durable, and then the run was killed. */
	fixture_begin_part(&fixture, 2, 0, &world.parts[0]);
	fixture_begin_part(&fixture, 2, 1, &world.parts[1]);
	for (uint32_t rank = 0; rank < 2; rank++) {
		struct store_commit unused = {0};

		fixture_finish_part(&fixture, rank, &world.parts[rank], &unused);
	}
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_there("0000002.L01/rank-00001.smk"));
	put_file(".life-1", "half");
	put_file("0000002.L01/manifest.json.tmp", "half");

	fixture_begin(&fixture, folder, 2);
	CU_ASSERT_EQUAL(fixture.life, 2);
	CU_ASSERT_EQUAL(fixture.next, 3);
	CU_ASSERT_FALSE(memcmp(run, fixture.run, sizeof run));
	CU_ASSERT_FALSE(is_there("0000002.L01"));
	CU_ASSERT_FALSE(is_there(".life-1"));
	CU_ASSERT_EQUAL(store_newest(fixture.stores[0], UINT64_MAX, &found, &fault), 0);
	CU_ASSERT_EQUAL(found.number, 1);
	CU_ASSERT_EQUAL(found.life, 1);
	take(&fixture, 0);
	CU_ASSERT_TRUE(is_there("0000003.L02/manifest.json"));
	fixture_end(&fixture);
}

static void a_run_file_that_is_garbled_is_made_anew(void)
{
	struct fixture fixture;
	uint8_t run[16];

	fixture_begin(&fixture, folder, 1);
	memcpy(run, fixture.run, sizeof run);
	take(&fixture, 0);
	fixture_end(&fixture);
	put_file("run.json", "{\"format\": 1, \"run\": \"0\"");
	fixture_begin(&fixture, folder, 1);
	CU_ASSERT_FALSE(memcmp(run, fixture.run, sizeof run));
	CU_ASSERT_EQUAL(fixture.life, 2);
	fixture_end(&fixture);
	put_file("run.json", "{\"format\": 2}");
	{
		struct store *store;
		struct fault fault = FAULT_NONE;

		CU_ASSERT_EQUAL_FATAL(store_open(&store, folder, 0, 1, &fault), 0);
		CU_ASSERT_EQUAL(store_begin_life(store, 0, run, &fixture.life, &fixture.next, &fault), SEAMARK_E_VERSION);
		store_close(store);
	}
}

/* A child that holds the folder until it is told, or until some time has passed. */
static pid_t hold_folder(int *tell_end, long ms)
{
	int told[2], ready[2];
	pid_t child;
	char byte;

	if (pipe(told) || pipe(ready) || (child = fork()) < 0)
		fixture_stop("fork", NULL);
	if (!child) {
		struct fixture fixture;

		close(told[1]);
		close(ready[0]);
		fixture_begin(&fixture, folder, 1);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		if (ms)
			fixture_sleep_ms(ms);
		else if (read(told[0], &byte, 1) < 0)
			_exit(1);
		_exit(0); /* without a word, like one that is killed */
	}
	close(told[0]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fixture_stop("child", NULL);
	close(ready[0]);
	*tell_end = told[1];
	return child;
}

static void a_folder_that_is_held_is_refused_by_name(void)
{
	struct store *store;
	struct fault fault = FAULT_NONE;
	uint8_t run[16];
	uint32_t life;
	uint64_t next;
	char pid[64], host[256] = "";
	int tell_end;
	pid_t child = hold_folder(&tell_end, 0);

	CU_ASSERT_EQUAL_FATAL(store_open(&store, folder, 0, 1, &fault), 0);
	CU_ASSERT_EQUAL(store_begin_life(store, 0.2, run, &life, &next, &fault), SEAMARK_E_BUSY);
	snprintf(pid, sizeof pid, "process %ld ", (long)child);
	gethostname(host, sizeof host - 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, pid));
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, host));
	close(tell_end);
	waitpid(child, NULL, 0);
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL(store_begin_life(store, 0, run, &life, &next, &fault), 0);
	CU_ASSERT_EQUAL(life, 2);
	CU_ASSERT_EQUAL(store_begin_life(store, 0, run, &life, &next, &fault), SEAMARK_E_ORDER);
	store_close(store);
}

static void a_start_waits_for_an_old_life_to_end(void)
{
	struct store *store;
	struct fault fault = FAULT_NONE;
	uint8_t run[16];
	uint32_t life;
	uint64_t next;
	int tell_end;
	pid_t child = hold_folder(&tell_end, 300);

	CU_ASSERT_EQUAL_FATAL(store_open(&store, folder, 0, 1, &fault), 0);
	CU_ASSERT_EQUAL(store_begin_life(store, 10, run, &life, &next, &fault), 0);
	CU_ASSERT_EQUAL(life, 2);
	store_close(store);
	close(tell_end);
	waitpid(child, NULL, 0);
}

static void a_child_of_the_program_does_not_hold_the_folder(void)
{
	struct fixture fixture;
	struct store *store;
	struct fault fault = FAULT_NONE;
	uint8_t run[16];
	uint32_t life;
	uint64_t next;
	pid_t child;

	fixture_begin(&fixture, folder, 1);
	child = fork();
	if (!child) {
		fixture_sleep_ms(5000);
		_exit(0);
	}
	fixture_end(&fixture);
	CU_ASSERT_EQUAL_FATAL(store_open(&store, folder, 0, 1, &fault), 0);
	CU_ASSERT_EQUAL(store_begin_life(store, 1, run, &life, &next, &fault), 0);
	store_close(store);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void an_older_life_commits_nothing(void)
{
	struct fixture fixture;
	struct store_commit commit = {0};
	struct fault fault = FAULT_NONE;

	fixture_begin(&fixture, folder, 1);
	take(&fixture, 0);
	CU_ASSERT_TRUE(store_is_newest_life(fixture.stores[0]));
	put_sealed_run("{\"format\": 1, \"run\": \"00112233445566778899aabbccddeeff\", \"life\": 2");
	CU_ASSERT_FALSE(store_is_newest_life(fixture.stores[0]));
	fixture_begin_part(&fixture, 2, 0, &world.parts[0]);
	fixture_finish_part(&fixture, 0, &world.parts[0], &commit);
	commit.identity = fixture_identity(&fixture, 2, 0);
	CU_ASSERT_EQUAL(store_begin_commit(fixture.stores[0], &commit, 1, &fault), 0);
	CU_ASSERT_EQUAL(fixture_commit_state(fixture.stores[0], &fault), STORE_FAILED);
	CU_ASSERT_EQUAL(fault.code, SEAMARK_E_BUSY);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_there("0000001.L01/manifest.json"));
	CU_ASSERT_FALSE(is_there("0000002.L01/manifest.json"));
}

static void a_commit_that_fails_costs_no_older_checkpoint(void)
{
	struct fixture fixture;
	struct store_commit commit = {0};
	struct fault fault = FAULT_NONE;

	fixture_begin(&fixture, folder, 1);
	take(&fixture, 1);
	/* There is no attempt's folder to put the manifest into. */
	commit.identity = fixture_identity(&fixture, 2, 0);
	CU_ASSERT_EQUAL(store_begin_commit(fixture.stores[0], &commit, 1, &fault), 0);
	CU_ASSERT_EQUAL(fixture_commit_state(fixture.stores[0], &fault), STORE_FAILED);
	CU_ASSERT_EQUAL(fault.code, SEAMARK_E_NOT_FOUND);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_there("0000001.L01/manifest.json"));
}

static void the_folder_of_a_void_attempt_goes(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, 2);
	fixture_fill(&world, 2);
	fixture_begin_part(&fixture, 1, 0, &world.parts[0]);
	fixture_begin_part(&fixture, 1, 1, &world.parts[1]);
	for (int i = 0; i < 2000 && !is_there("0000001.L01/rank-00001.smk"); i++)
		fixture_sleep_ms(1);
	store_abandon_image(fixture.stores[0]);
	store_drop_attempt(fixture.stores[0], 1);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], NULL), STORE_IDLE);
	CU_ASSERT_TRUE(is_there("0000001.L01/rank-00001.smk"));
	store_abandon_image(fixture.stores[1]);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[1], NULL), STORE_IDLE);
	CU_ASSERT_FALSE(is_there("0000001.L01"));
	/* One whose folder was left by a rank that died: with the next commit, once it is empty. */
	{
		char path[512];

		snprintf(path, sizeof path, "%s/0000002.L01", folder);
		CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
		put_file("0000002.L01/x", "");
		store_drop_attempt(fixture.stores[0], 2);
		fixture.next = 3;
		take(&fixture, 0);
		CU_ASSERT_TRUE(is_there("0000002.L01"));
		snprintf(path, sizeof path, "%s/0000002.L01/x", folder);
		unlink(path);
		take(&fixture, 0);
	}
	fixture_end(&fixture);
	CU_ASSERT_FALSE(is_there("0000002.L01"));
}

static void the_file_stop_is_seen_within_two_seconds_and_cleared(void)
{
	struct fixture fixture;
	bool seen = false;

	fixture_begin(&fixture, folder, 1);
	fixture_sleep_ms(50);
	CU_ASSERT_FALSE(store_stop_seen(fixture.stores[0]));
	put_file("stop", "");
	for (int i = 0; i < 200 && !seen; i++) {
		fixture_sleep_ms(10);
		seen = store_stop_seen(fixture.stores[0]);
	}
	CU_ASSERT_TRUE(seen);
	store_clear_stop(fixture.stores[0]);
	CU_ASSERT_FALSE(store_stop_seen(fixture.stores[0]));
	fixture_end(&fixture);
	CU_ASSERT_FALSE(is_there("stop"));
}

static void the_newest_is_found_past_garbled_ones(void)
{
	struct fixture fixture;
	struct store_checkpoint found;
	struct fault fault = FAULT_NONE;

	fixture_begin(&fixture, folder, 1);
	for (int i = 0; i < 3; i++)
		take(&fixture, 0);
	put_file("0000003.L01/manifest.json", "\x89nonsense");
	CU_ASSERT_EQUAL(store_newest(fixture.stores[0], UINT64_MAX, &found, &fault), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(found.number, 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "0000003.L01/manifest.json"));
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL(store_newest(fixture.stores[0], found.number, &found, &fault), 0);
	CU_ASSERT_EQUAL(found.number, 2);
	CU_ASSERT_EQUAL(found.step, 20);
	CU_ASSERT_EQUAL(store_newest(fixture.stores[0], 1, &found, &fault), SEAMARK_E_NOT_FOUND);
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL(store_at(fixture.stores[0], "1", &found, &fault), 0);
	CU_ASSERT_EQUAL(found.number, 1);
	CU_ASSERT_EQUAL(store_at(fixture.stores[0], "3", &found, &fault), SEAMARK_E_DAMAGED);
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL(store_at(fixture.stores[0], "4", &found, &fault), SEAMARK_E_NOT_FOUND);
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL(store_at(fixture.stores[0], "18446744073709551615", &found, &fault), SEAMARK_E_NOT_FOUND);
	fixture_end(&fixture);
}

/* A checkpoint's folder may be moved, and be given by path. */
static void a_checkpoint_may_be_moved(void)
{
	struct fixture fixture;
	struct store_checkpoint found;
	struct store_image *image;
	struct fault fault = FAULT_NONE;
	char from[512], to[512];

	fixture_begin(&fixture, folder, 1);
	take(&fixture, 0);
	snprintf(from, sizeof from, "%s/0000001.L01", folder);
	snprintf(to, sizeof to, "%s/good one", folder);
	CU_ASSERT_EQUAL(rename(from, to), 0);
	CU_ASSERT_EQUAL(store_at(fixture.stores[0], to, &found, &fault), 0);
	CU_ASSERT_EQUAL(found.number, 1);
	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, &found, 0, &fault), 0);
	store_close_image(image);
	/* Under another checkpoint's name it is a lie. */
	snprintf(from, sizeof from, "%s/0000009.L01", folder);
	CU_ASSERT_EQUAL(rename(to, from), 0);
	CU_ASSERT_EQUAL(store_newest(fixture.stores[0], UINT64_MAX, &found, &fault), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(found.number, 9);
	fixture_end(&fixture);
}

static void a_folder_that_may_not_be_written_is_refused(void)
{
	struct store *store;
	struct fault fault = FAULT_NONE;
	uint8_t run[16];
	uint32_t life;
	uint64_t next;
	int code;

	CU_ASSERT_EQUAL_FATAL(store_open(&store, "/proc/seamark", 0, 1, &fault), 0);
	CU_ASSERT_EQUAL(store_begin_life(store, 0, run, &life, &next, &fault), SEAMARK_E_NOT_FOUND);
	store_close(store);
	if (!geteuid())
		return; /* root may write everywhere */
	chmod(folder, 0555);
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL_FATAL(store_open(&store, folder, 0, 1, &fault), 0);
	code = store_begin_life(store, 0, run, &life, &next, &fault);
	CU_ASSERT_EQUAL(code, SEAMARK_E_PERMISSION);
	store_close(store);
	chmod(folder, 0755);
}

static void the_first_life_makes_the_folder_with_those_above_it(void)
{
	struct store *store;
	struct fault fault = FAULT_NONE;
	char path[512], before[4096];
	uint8_t run[16];
	uint32_t life;
	uint64_t next;

	snprintf(path, sizeof path, "%s/a//b/c/", folder);
	CU_ASSERT_EQUAL_FATAL(store_open(&store, path, 0, 1, &fault), 0);
	CU_ASSERT_FALSE(is_there("a"));
	CU_ASSERT_EQUAL(store_begin_life(store, 0, run, &life, &next, &fault), 0);
	CU_ASSERT_TRUE(is_there("a/b/c"));
	store_close(store);
	CU_ASSERT_PTR_NOT_NULL(getcwd(before, sizeof before));
	CU_ASSERT_EQUAL(chdir(folder), 0);
	CU_ASSERT_EQUAL_FATAL(store_open(&store, "d/e", 0, 1, &fault), 0);
	CU_ASSERT_EQUAL(store_begin_life(store, 0, run, &life, &next, &fault), 0);
	CU_ASSERT_TRUE(is_there("d/e"));
	CU_ASSERT_EQUAL(store_folder(store)[0], '/');
	store_close(store);
	CU_ASSERT_EQUAL(chdir(before), 0);
	put_file("file", "");
	snprintf(path, sizeof path, "%s/file/x", folder);
	CU_ASSERT_EQUAL_FATAL(store_open(&store, path, 0, 1, &fault), 0);
	CU_ASSERT_NOT_EQUAL(store_begin_life(store, 0, run, &life, &next, &fault), 0);
	store_close(store);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the newest are kept, and pinned ones", the_newest_are_kept_and_pinned_ones },
		{ "a garbled checkpoint is neither counted nor removed", a_garbled_checkpoint_is_neither_counted_nor_removed },
		{ "what people put into a folder is not removed", what_people_put_into_a_folder_is_not_removed },
		{ "lives and numbers go on, and leavings go", lives_and_numbers_go_on_and_leavings_go },
		{ "a run file that is garbled is made anew", a_run_file_that_is_garbled_is_made_anew },
		{ "a folder that is held is refused by name", a_folder_that_is_held_is_refused_by_name },
		{ "a start waits for an old life to end", a_start_waits_for_an_old_life_to_end },
		{ "a child of the program does not hold the folder", a_child_of_the_program_does_not_hold_the_folder },
		{ "an older life commits nothing", an_older_life_commits_nothing },
		{ "a commit that fails costs no older checkpoint", a_commit_that_fails_costs_no_older_checkpoint },
		{ "the folder of a void attempt goes", the_folder_of_a_void_attempt_goes },
		{ "the file stop is seen within two seconds and cleared", the_file_stop_is_seen_within_two_seconds_and_cleared },
		{ "the newest is found past garbled ones", the_newest_is_found_past_garbled_ones },
		{ "a checkpoint may be moved", a_checkpoint_may_be_moved },
		{ "a folder that may not be written is refused", a_folder_that_may_not_be_written_is_refused },
		{ "the first life makes the folder with those above it", the_first_life_makes_the_folder_with_those_above_it },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "store: lives", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
