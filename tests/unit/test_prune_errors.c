/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark prune on storage that fails, and killed, at each of its calls; with another prune, or another life, that begins in the middle of it where locks are not seen; and beside a run that is not
 * seen. What is listed is whole, the newest and what is pinned stay, what was told was done; a prune after it does the rest; and a run goes on. */
#define URING_UNTOUCHED
#include "../fault/uring.h"
#include <sys/wait.h>

#include "base/moment.h"
#include "seamark_files.h"
#include "suites.h"
#include "store/manifest.h"
#include "store/prune.h"
#include "store/run_file.h"
#include "test_plan.h"

enum { TAKEN = 6, PINNED = 2, TOLD_MOST = 16, DIED = 77 };

static bool uring_refused(void)
{
	return true;
}

/* What meets the call besides a fault: the end of this process, or somebody else's doings. */
static void (*instead)(void);

/* Whose name cannot be changed; null: nobody's. */
static const char *refused;

static long call_begin(const struct call *call)
{
	if (refused && call->kind == CALL_RENAME && calls_below(call->path) && strstr(call->path, refused))
		return -EIO;
	if (!instead)
		return plan_fate(call);
	if (!spared && meets(call) && atomic_load(&plan.calls) == plan.at) {
		spared = true;
		instead();
		spared = false;
	}
	return 0;
}

static void call_end(const struct call *call, long result)
{
	(void)call;
	(void)result;
}

/* --- a folder ---------------------------------------------------------------------------------------------------------- */

static char master[256];
static bool wanted[TAKEN + 1], needed[TAKEN + 1];

static struct io_path at(const char *where, uint64_t number, const char *name)
{
	return io_path("%s/%07" PRIu64 ".L01%s%s", where, number, name ? "/" : "", name ? name : "");
}

static void put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, "left", 4) != 4)
		fixture_stop(path, NULL);
	close(fd);
}

static void note_parents(const char *where, uint64_t number)
{
	static struct store_checkpoint found;
	struct fault fault = FAULT_NONE;

	memset(&found, 0, sizeof found);
	if (manifest_read(&found, at(where, number, NULL).text, &fault))
		fixture_stop("manifest", &fault);
	for (uint32_t i = 0; i < found.parent_count; i++)
		needed[found.parents[i].number] = true;
}

/* Six checkpoints, most of which rest on others; one is pinned; and what attempts and a rewriting have left. Of these the newest is to stay, the pinned one, and what they need. */
static void make_master(void)
{
	struct fixture fixture;
	struct fault fault = FAULT_NONE;

	fixture_folder(master);
	if (world_open(&fixture, master, &fault))
		fixture_stop("life", &fault);
	for (int i = 0; i < TAKEN; i++)
		take_for_sure(&fixture, 0);
	world_close(&fixture);
	if (seamark_files_pin(at(master, PINNED, NULL).text, 1))
		fixture_stop(seamark_files_error(), NULL);
	wanted[PINNED] = wanted[TAKEN] = true;
	note_parents(master, PINNED);
	note_parents(master, TAKEN);
	if (mkdir(at(master, 7, NULL).text, 0700) || mkdir(io_path("%s.void", at(master, 8, NULL).text).text, 0700))
		fixture_stop("leavings", NULL);
	put(at(master, 7, "rank-00000.smk").text);
	put(io_path("%s.void/rank-00000.smk", at(master, 8, NULL).text).text);
	put(at(master, TAKEN, "manifest.json.tmp").text);
	put(at(master, 5, "mine").text); /* a person's: it stays, and its folder with it */
}

static int copy_one(const char *path, const struct stat *about, int flag, struct FTW *where)
{
	char to[4096];
	static char data[1 << 20];
	int from, fd;
	ssize_t size;

	(void)about;
	(void)where;
	snprintf(to, sizeof to, "%s%s", folder, path + strlen(master));
	if (flag == FTW_D)
		return mkdir(to, 0700) && errno != EEXIST;
	from = open(path, O_RDONLY);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while ((size = read(from, data, sizeof data)) > 0)
		if (write(fd, data, (size_t)size) != size)
			fixture_stop(to, NULL);
	close(from);
	close(fd);
	return 0;
}

static void make_folder(void)
{
	fixture_remove(folder);
	if (nftw(master, copy_one, 16, FTW_PHYS))
		fixture_stop("copy", NULL);
	committed_count = TAKEN;
}

/* --- prune --------------------------------------------------------------------------------------------------------------- */

static struct seamark_files_pruned told[TOLD_MOST];
static size_t told_count;

static void hear(const struct seamark_files_pruned *pruned, void *context)
{
	(void)context;
	if (told_count < TOLD_MOST)
		told[told_count++] = *pruned;
}

static int prune_one(struct fault *fault)
{
	static const struct seamark_files_wish wish = { .keep = 1 };

	*fault = FAULT_NONE;
	told_count = 0;
	return prune_folder(folder, &wish, hear, NULL, fault);
}

static bool is_there(uint64_t number, const char *name)
{
	return !access(at(folder, number, name).text, F_OK);
}

static void check_told(void)
{
	for (size_t i = 0; i < told_count; i++) {
		uint64_t number = told[i].number;
		bool listed = is_there(number, "manifest.json"), held = is_there(number, "manifest.held");

		if ((told[i].fate == SEAMARK_FILES_REMOVED && (listed || held || is_there(number, "rank-00000.smk"))) || (told[i].fate == SEAMARK_FILES_HIDDEN && (listed || !held)) ||
		    (told[i].fate == SEAMARK_FILES_LEFT && number > TAKEN && is_there(number, NULL)))
			complain("what is said to be done was not", at(folder, number, NULL).text);
	}
}

/* All is done. */
static void check_done(void)
{
	for (uint64_t number = 1; number <= TAKEN; number++)
		if (is_there(number, "manifest.json") != wanted[number] || is_there(number, "manifest.held") != (needed[number] && !wanted[number]) ||
		    is_there(number, "rank-00001.smk") != (wanted[number] || needed[number]))
			complain("it is not as it was to be", at(folder, number, NULL).text);
	if (is_there(7, NULL) || !access(io_path("%s.void", at(folder, 8, NULL).text).text, F_OK) || is_there(TAKEN, "manifest.json.tmp"))
		complain("what was left is there", NULL);
	/* What was in its folder besides is gone: the second time that counts as an attempt's. */
	if ((!is_there(5, "mine") && access(io_path("%s.void/mine", at(folder, 5, NULL).text).text, F_OK)) || !is_there(PINNED, "pinned"))
		complain("a person's file is gone", NULL);
}

/* Whatever has happened: nothing that is listed has lost anything, and what must stay is listed. */
static void check_whole(void)
{
	struct store *reader;
	struct fault fault = FAULT_NONE;

	if (store_open(&reader, folder, 0, WORLD_RANKS, &fault))
		fixture_stop("store_open", &fault);
	check_folder(reader, true);
	store_close(reader);
	if (!is_there(PINNED, "manifest.json"))
		complain("what is pinned is gone", NULL);
}

static void check_life(void)
{
	struct fixture fixture;
	struct fault fault = FAULT_NONE;

	if (world_open(&fixture, folder, &fault)) {
		complain("no life begins any more", fault.text);
		return;
	}
	take_for_sure(&fixture, 0);
	check_folder(fixture.stores[0], true);
	world_close(&fixture);
}

static void finish(void)
{
	struct fault fault;

	if (prune_one(&fault))
		complain("the next does not do the rest", fault.text);
	check_told();
	check_done();
	check_whole();
	if (trials % 16 == 0)
		check_life();
}

/* --- faults ---------------------------------------------------------------------------------------------------------------- */

static bool changes_a_checkpoint(void)
{
	bool changes = plan.met.kind == CALL_RENAME || plan.met.kind == CALL_UNLINK || plan.met.kind == CALL_RMDIR || plan.met.kind == CALL_SYNC;

	return changes && strstr(plan.path, ".L01") && plan.number != EINTR;
}

static bool meet_a_fault(bool must_go_on)
{
	long files = atomic_load(&calls_open_files), blocks = atomic_load(&calls_blocks);
	struct fault fault;
	bool met;
	int code;

	make_folder();
	arm();
	code = prune_one(&fault);
	met = disarm();
	if (code && must_go_on)
		complain("it is not pruned", fault.text);
	if (code)
		check_reason(&fault);
	check_told();
	check_whole();
	if (!code && met && changes_a_checkpoint())
		complain("it is said to be done all the same", NULL);
	finish();
	check_losses(files, blocks);
	return met;
}

static bool deep;
static const int errors[] = { EIO, EACCES, ENOSPC, EROFS, EMFILE, ENOMEM };

static void it_meets_each_error_once(void)
{
	stride = deep ? 1 : 2;
	for (size_t i = 0; i < (deep ? sizeof errors / sizeof errors[0] : 1); i++)
		at_each_call(meet_a_fault, WAY_FAIL, errors[i], false, false);
	over();
}

static void it_meets_an_error_that_lasts(void)
{
	stride = deep ? 1 : 3;
	at_each_call(meet_a_fault, WAY_FAIL, ENOSPC, true, false);
	if (deep)
		at_each_call(meet_a_fault, WAY_FAIL, EROFS, true, false);
	over();
}

static void what_is_done_may_be_said_to_have_failed(void)
{
	stride = 1;
	at_each_call(meet_a_fault, WAY_DONE, EIO, false, false);
	over();
}

static void it_gets_no_memory(void)
{
	plan.of = OF_MEMORY;
	stride = deep ? 1 : 7;
	at_each_call(meet_a_fault, WAY_FAIL, ENOMEM, false, false);
	over();
}

static void interrupted_calls_fail_nothing(void)
{
	stride = deep ? 1 : 7;
	at_each_call(meet_a_fault, WAY_FAIL, EINTR, false, true);
	over();
}

/* Whatever cannot be read: nothing goes, and it is said why. */
static bool meet_a_fault_and_name_the_newest(bool must_go_on)
{
	static const uint64_t newest = TAKEN;
	const struct seamark_files_wish wish = { .numbers = &newest, .count = 1 };
	struct fault fault = FAULT_NONE;
	bool met;
	int code;

	(void)must_go_on;
	make_folder();
	arm();
	told_count = 0;
	code = prune_folder(folder, &wish, hear, NULL, &fault);
	met = disarm();
	if (!code || told_count || !fault.text[0])
		complain("the newest may go", NULL);
	for (uint64_t number = 1; number <= TAKEN; number++)
		if (!is_there(number, "manifest.json"))
			complain("something has gone", at(folder, number, NULL).text);
	trials++;
	return met;
}

static void the_newest_stays_though_it_is_named(void)
{
	stride = 1;
	at_each_call(meet_a_fault_and_name_the_newest, WAY_FAIL, EIO, false, false);
	plan.of = OF_MEMORY;
	stride = deep ? 1 : 9;
	at_each_call(meet_a_fault_and_name_the_newest, WAY_FAIL, ENOMEM, false, false);
	over();
}

/* The third rests on the second, and that on the first. By a run's own clearing up, which goes on after a failure. */
static void what_cannot_be_taken_off_the_list_keeps_what_it_needs(void)
{
	static struct fixture_part part;
	static uint8_t a[WORLD_STILL], b[WORLD_STILL];
	struct fixture fixture;

	fixture_remove(folder);
	fixture_begin(&fixture, folder, 1);
	fixture_chain(&fixture, 8, NULL);
	part.regions[0] = (struct store_region){ .name = "a", .data = a, .bytes = sizeof a };
	part.regions[1] = (struct store_region){ .name = "b", .data = b, .bytes = sizeof b };
	part.region_count = 2;
	world_fill(a, sizeof a, 1);
	world_fill(b, sizeof b, 2);
	fixture_take(&fixture, fixture.next++, &part, 0);
	world_fill(b, sizeof b, 3);
	fixture_take(&fixture, fixture.next++, &part, 0);
	world_fill(a, sizeof a, 4);
	refused = "0000002.L01/manifest.json";
	fixture_take(&fixture, fixture.next++, &part, 1);
	world_wait_for_retention(&fixture);
	CU_ASSERT_TRUE(is_there(1, "manifest.held") && is_there(1, "rank-00000.smk") && is_there(2, "manifest.json") && is_there(3, "manifest.json"));
	refused = NULL;
	world_fill(b, sizeof b, 5);
	fixture_take(&fixture, fixture.next++, &part, 2);
	world_wait_for_retention(&fixture);
	CU_ASSERT_TRUE(!is_there(1, NULL) && is_there(2, "manifest.held") && is_there(3, "manifest.json") && is_there(4, "manifest.json"));
	fixture_end(&fixture);
}

/* Its lock cannot be seen, and its clock is a day ahead: what counts is when it has written, by the clock of the files. */
static void a_run_elsewhere_is_known_by_what_it_writes(void)
{
	static char text[STATUS_SIZE_MOST];
	const struct status_now now = { .from_step = -1 };
	struct status_facts facts = { .now = &now, .host = "elsewhere", .process = 4711, .ranks = 2, .step = -1, .space = -1, .now_ns = 1,
		.realtime_ns = moment_now_ns() + INT64_C(86400000000000) };
	const struct timespec long_ago[2] = { { .tv_sec = time(NULL) - 200 }, { .tv_sec = time(NULL) - 200 } };
	struct io_path path;
	struct run_file newest;
	struct fault fault = FAULT_NONE;
	size_t size;
	int fd;

	make_folder();
	path = io_path("%s/status", folder);
	CU_ASSERT_EQUAL_FATAL(run_file_read(folder, &newest, &fault), 0);
	strcpy(newest.host, "elsewhere");
	CU_ASSERT_EQUAL_FATAL(run_file_write(folder, &newest, &fault), 0);
	memcpy(facts.run, newest.run, sizeof facts.run);
	facts.life = newest.life;
	size = status_text(&facts, text, sizeof text);
	fd = open(path.text, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CU_ASSERT_TRUE_FATAL(size && fd >= 0 && write(fd, text, size) == (ssize_t)size);
	close(fd);
	CU_ASSERT_EQUAL(prune_one(&fault), SEAMARK_E_BUSY);
	CU_ASSERT_TRUE(is_there(5, "manifest.json") && is_there(7, NULL));
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path.text, long_ago, 0), 0);
	CU_ASSERT_EQUAL(prune_one(&fault), 0);
	check_done();
	over();
}

/* --- death ------------------------------------------------------------------------------------------------------------------- */

static void die(void)
{
	_exit(DIED);
}

static bool meet_death(bool must_go_on)
{
	int status = 0;
	pid_t child;

	(void)must_go_on;
	make_folder();
	plan.path[0] = 0;
	child = fork();
	if (!child) {
		struct fault fault;

		instead = die;
		arm();
		_exit(prune_one(&fault) ? 1 : 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != DIED))
		complain("it ends otherwise", NULL);
	told_count = 0;
	check_whole();
	finish();
	trials++;
	return WEXITSTATUS(status) == DIED;
}

static void it_is_killed_at_each_call(void)
{
	stride = deep ? 1 : 2;
	at_each_call(meet_death, WAY_FAIL, 0, false, false);
	over();
}

/* --- others, where locks are not seen ------------------------------------------------------------------------------------ */

static void another_prune(void)
{
	struct fault fault;
	struct seamark_files_pruned before[TOLD_MOST];
	size_t count = told_count;

	memcpy(before, told, sizeof before);
	if (prune_one(&fault))
		complain("one beside it fails", fault.text);
	memcpy(told, before, sizeof told);
	told_count = count;
}

static bool kept;

/* Goes on from one that is about to go: what it takes rests on that. */
static void another_life(void)
{
	static struct store_checkpoint found;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	uint64_t from = 5;

	if (world_open(&fixture, folder, &fault)) {
		complain("no life begins beside it", fault.text);
		return;
	}
	while (store_at(fixture.stores[0], at(folder, from, NULL).text, &found, &fault)) {
		fault = FAULT_NONE;
		from++;
	}
	if (world_go_on_from(&fixture, &found, &fault))
		complain("a life beside it does not go on", fault.text);
	take_for_sure(&fixture, 0);
	take_for_sure(&fixture, 0);
	world_close(&fixture);
}

/* Who is told that it is kept has it. */
static void somebody_keeps_one(void)
{
	kept = !seamark_files_pin(at(folder, 3, NULL).text, 1);
}

static void (*other)(void);

static bool meet_another(bool must_go_on)
{
	struct fault fault;
	bool met;

	(void)must_go_on;
	make_folder();
	instead = other;
	kept = false;
	arm();
	/* It may find that somebody was faster. */
	prune_one(&fault);
	met = disarm();
	instead = NULL;
	check_whole();
	if (prune_one(&fault))
		complain("the next does not do the rest", fault.text);
	check_whole();
	if (kept && !is_there(3, "manifest.json"))
		complain("one that somebody keeps is gone", NULL);
	trials++;
	return met;
}

static void two_prune(void)
{
	calls_locks_lie = true;
	other = another_prune;
	stride = deep ? 1 : 3;
	at_each_call(meet_another, WAY_FAIL, 0, false, false);
	calls_locks_lie = false;
	over();
}

static void a_life_begins(void)
{
	calls_locks_lie = true;
	other = another_life;
	stride = deep ? 1 : 5;
	at_each_call(meet_another, WAY_FAIL, 0, false, false);
	calls_locks_lie = false;
	over();
}

static void one_is_kept(void)
{
	other = somebody_keeps_one;
	stride = deep ? 1 : 2;
	at_each_call(meet_another, WAY_FAIL, 0, false, false);
	over();
}

/* A run that is just writing: its attempt may be lost with that, and nothing else. */
static void a_run_is_not_seen(void)
{
	calls_locks_lie = true;
	for (uint32_t stage = 0; stage <= WORLD_RANKS; stage++) {
		struct fixture fixture;
		struct store_commit commit = { .requested_ns = INT64_C(1700000000123456789) };
		struct fault fault = FAULT_NONE, pruned;
		enum store_state state = STORE_FAILED;
		bool good = true;

		make_folder();
		if (world_open(&fixture, folder, &fault))
			fixture_stop("life", &fault);
		take_for_sure(&fixture, 0);
		commit.identity = fixture_identity(&fixture, fixture.next++, 0);
		memset(world_begun, 0, sizeof world_begun);
		world_set(commit.identity.number);
		for (uint32_t rank = 0; rank < WORLD_RANKS; rank++) {
			if (rank == stage && prune_one(&pruned))
				complain("it cannot be pruned beside a run", pruned.text);
			good = good && world_write(&fixture, rank, &commit, &fault);
		}
		if (stage == WORLD_RANKS)
			prune_one(&pruned);
		if (good && !store_begin_commit(fixture.stores[0], &commit, 0, &fault))
			while ((state = store_commit_state(fixture.stores[0], &fault)) == STORE_WORKING)
				world_pause();
		good = state == STORE_DURABLE;
		if (!good)
			world_give_up(&fixture, commit.identity.number);
		note(commit.identity.number, good);
		world_settle(&fixture, &commit, good, !good);
		check_folder(fixture.stores[0], true);
		take_for_sure(&fixture, 0);
		check_folder(fixture.stores[0], true);
		world_close(&fixture);
		trials++;
	}
	calls_locks_lie = false;
	over();
}

/* With --dry-run nothing is changed, and what is told is what is done then. */
static void a_dry_run_tells_and_changes_nothing(void)
{
	static const struct seamark_files_wish wish = { .keep = 1, .dry_run = 1 };
	struct seamark_files_pruned would[TOLD_MOST];
	struct fault fault = FAULT_NONE;
	size_t count;

	make_folder();
	told_count = 0;
	CU_ASSERT_EQUAL(prune_folder(folder, &wish, hear, NULL, &fault), 0);
	count = told_count;
	memcpy(would, told, sizeof would);
	for (uint64_t number = 1; number <= 7; number++)
		CU_ASSERT_TRUE(is_there(number, number == 7 ? "rank-00000.smk" : "manifest.json"));
	CU_ASSERT_FALSE(is_there(5, "manifest.held"));
	finish();
	CU_ASSERT_EQUAL_FATAL(told_count, count);
	for (size_t i = 0; i < count; i++)
		CU_ASSERT_TRUE(told[i].fate == would[i].fate && told[i].number == would[i].number && told[i].bytes == would[i].bytes);
	over();
}

static void begin(void)
{
	struct fault fault;

	plan_folder();
	make_master();
	/* What is made once and stays. */
	make_folder();
	prune_one(&fault);
}

static void end(void)
{
	fixture_remove(folder);
	fixture_remove(master);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{ "a dry run tells, and changes nothing", a_dry_run_tells_and_changes_nothing },
		{ "it meets each error once", it_meets_each_error_once },
		{ "it meets an error that lasts", it_meets_an_error_that_lasts },
		{ "what is done may be said to have failed", what_is_done_may_be_said_to_have_failed },
		{ "it gets no memory", it_gets_no_memory },
		{ "the newest stays though it is named", the_newest_stays_though_it_is_named },
		{ "what cannot be taken off the list keeps what it needs", what_cannot_be_taken_off_the_list_keeps_what_it_needs },
		{ "a run elsewhere is known by what it writes", a_run_elsewhere_is_known_by_what_it_writes },
		{ "interrupted calls fail nothing", interrupted_calls_fail_nothing },
		{ "it is killed at each call", it_is_killed_at_each_call },
		{ "two prune", two_prune },
		{ "a life begins", a_life_begins },
		{ "one is kept", one_is_kept },
		{ "a run is not seen", a_run_is_not_seen },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "prune: each call, each error", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	deep = argc > 1 && !strcmp(argv[1], "deep");
	return suites_run(suites);
}
