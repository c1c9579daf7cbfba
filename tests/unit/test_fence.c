/* SPDX-License-Identifier: BSD-3-Clause */
/* A life that another has taken the place of, and what it may still be about to do.
 *
 * It is a process of its own that stands still at each of its calls on files in turn: in a checkpoint, its commit, the retirement of older ones and the removal of the file `stop`. Meanwhile its successor
 * begins, goes on from the newest checkpoint and takes one that refers to it. Then the old one goes on as if nothing had happened, or is killed where it stands. Locks are not believed. After that whatever is listed is
 * whole with all that it needs, what the successor has committed is there, the old one commits nothing more, and nobody has taken `stop` away who was not to. */
#include <CUnit/Basic.h>

#include "seamark_files.h"
#include "test_old_life.h"

static bool is_there(const char *name)
{
	return !access(io_path("%s/%s", folder, name).text, F_OK);
}

/* --- both ------------------------------------------------------------------------------------------------------------ */

/* `newest`: what the successor went on from. */
static void hear_the_rest(uint32_t life, uint64_t newest)
{
	struct word word = { .kind = STANDS };

	while (word.kind != OVER && hear(&word)) {
		if (word.kind == COMMITTED && word.number > newest)
			complain("the old life commits what its successor did not find", "");
		if (word.kind == NOT_COMMITTED && is_listed(word.number, life))
			complain("what the old one did not commit is listed", "");
	}
	if (word.kind != OVER)
		complain("the old life did not come to its end", "");
}

static bool try_at(bool dies, bool oldest, char *stood)
{
	struct word word = { .kind = OVER };
	struct fixture second;
	struct fault fault = FAULT_NONE;
	uint64_t newest, number;
	bool stop_there;
	pid_t child;

	child = begin_and_hear(oldest, &word);
	snprintf(stood, sizeof word.call, "%s", word.call);
	if (word.kind == STANDS) {
		stop_there = is_there("stop") || is_there(".stop-2");
		if (world_open(&second, folder, &fault))
			fixture_stop("the successor", &fault);
		newest = go_on_from(&second, oldest);
		number = second.next;
		if (!world_take(&second, KEEP, &fault))
			complain("the successor cannot commit", fault.text);
		world_wait_for_retention(&second);
		if (dies) {
			kill(child, SIGKILL);
		} else {
			let_go_on();
			hear_the_rest(2, newest);
		}
		waitpid(child, NULL, 0);
		if (stop_there && !is_there("stop"))
			complain("the file stop is gone", word.call);
		if (!is_listed(number, second.life))
			complain("what the successor has committed is gone", word.call);
		check_folder(second.stores[0]);
		if (!world_take(&second, KEEP, &fault) && !world_take(&second, KEEP, &fault))
			complain("the successor cannot go on", fault.text);
		world_wait_for_retention(&second);
		check_folder(second.stores[0]);
		world_close(&second);
		/* A third one finds nothing in disorder. */
		if (world_open(&second, folder, &fault))
			fixture_stop("a third life", &fault);
		check_folder(second.stores[0]);
		world_close(&second);
	} else {
		waitpid(child, NULL, 0);
	}
	close(told);
	close(asked);
	return word.kind == STANDS;
}

static void what_an_old_life_was_about_to_do(bool dies, bool oldest)
{
	char stood[sizeof ((struct word *)NULL)->call];
	unsigned before = wrong;

	for (at = 1; try_at(dies, oldest, stood); at++) {
		if (wrong != before)
			printf("\n  (it stood at %s)", stood);
		before = wrong;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(at > 100);
	printf(" (%d places)", at - 1);
}

static void an_old_life_that_thaws_harms_nothing(void)
{
	wrong = 0;
	what_an_old_life_was_about_to_do(false, false);
}

static void an_old_life_that_dies_there_has_harmed_nothing(void)
{
	wrong = 0;
	what_an_old_life_was_about_to_do(true, false);
}

static void what_it_was_about_to_retire_stays(void)
{
	wrong = 0;
	what_an_old_life_was_about_to_do(false, true);
	what_an_old_life_was_about_to_do(true, true);
}

/* --- its ranks, that still write --------------------------------------------------------------------------------------- */

static struct store_commit commit_of(struct fixture *fixture)
{
	return (struct store_commit){ .identity = fixture_identity(fixture, fixture->next++, 0) };
}

static void a_folder_that_its_ranks_make_again_is_of_no_use_and_goes(void)
{
	struct fixture first, second;
	struct fault fault = FAULT_NONE;
	struct store_commit commit;
	enum store_state state;

	fixture_remove(folder);
	CU_ASSERT_EQUAL_FATAL(world_open(&first, folder, &fault), 0);
	CU_ASSERT_TRUE(world_take(&first, 0, &fault));
	world_set(2);
	commit = commit_of(&first);
	CU_ASSERT_TRUE(world_write(&first, 0, &commit, &fault));
	CU_ASSERT_EQUAL_FATAL(world_open(&second, folder, &fault), 0);
	CU_ASSERT_FALSE(is_there("0000002.L01"));
	world_set(2);
	CU_ASSERT_TRUE(world_write(&first, 1, &commit, &fault));
	CU_ASSERT_TRUE(is_there("0000002.L01/rank-00001.smk"));
	CU_ASSERT_EQUAL(store_begin_commit(first.stores[0], &commit, 1, &fault), 0);
	while ((state = store_commit_state(first.stores[0], &fault)) == STORE_WORKING)
		world_pause();
	CU_ASSERT_EQUAL(state, STORE_FAILED);
	CU_ASSERT_EQUAL(fault.code, SEAMARK_E_BUSY);
	CU_ASSERT_TRUE(world_take(&second, 1, &fault));
	world_wait_for_retention(&second);
	CU_ASSERT_FALSE(is_there("0000002.L01"));
	check_folder(second.stores[0]);
	world_close(&first);
	world_close(&second);
	CU_ASSERT_EQUAL(wrong, 0);
}

/* --- a folder that somebody removes ------------------------------------------------------------------------------------ */

static void a_folder_that_goes_between_two_writes_makes_no_checkpoint(void)
{
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	struct store_commit commit;
	enum store_state state;

	fixture_remove(folder);
	CU_ASSERT_EQUAL_FATAL(world_open(&fixture, folder, &fault), 0);
	CU_ASSERT_TRUE(world_take(&fixture, 0, &fault));
	world_set(2);
	commit = commit_of(&fixture);
	CU_ASSERT_TRUE(world_write(&fixture, 0, &commit, &fault));
	fixture_remove(io_path("%s/0000002.L01", folder).text);
	CU_ASSERT_TRUE(world_write(&fixture, 1, &commit, &fault));
	CU_ASSERT_EQUAL(store_begin_commit(fixture.stores[0], &commit, 0, &fault), 0);
	while ((state = store_commit_state(fixture.stores[0], &fault)) == STORE_WORKING)
		world_pause();
	CU_ASSERT_EQUAL(state, STORE_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "0000002.L01/rank-00000.smk"));
	CU_ASSERT_FALSE(is_listed(2, 1));
	world_give_up(&fixture, 2);
	world_settle(&fixture, &commit, false, true);
	CU_ASSERT_TRUE(world_take(&fixture, 0, &fault));
	check_folder(fixture.stores[0]);
	world_close(&fixture);
	CU_ASSERT_EQUAL(wrong, 0);
}

static void a_folder_that_goes_while_a_rank_writes_fails_its_image(void)
{
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	struct store_image_result result;
	struct store_identity identity;

	fixture_remove(folder);
	CU_ASSERT_EQUAL_FATAL(world_open(&fixture, folder, &fault), 0);
	world_set(1);
	identity = fixture_identity(&fixture, 1, 0);
	CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, world.parts[0].regions, world.parts[0].region_count, &fault), 0);
	for (store_image_state(fixture.stores[0], &result); !result.regions_written; store_image_state(fixture.stores[0], &result))
		world_pause();
	fixture_remove(io_path("%s/0000001.L01", folder).text);
	/* As another rank would. */
	CU_ASSERT_EQUAL(mkdir(io_path("%s/0000001.L01", folder).text, 0777), 0);
	CU_ASSERT_EQUAL(store_finish_image(fixture.stores[0], &world.parts[0].record, &fault), 0);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], &result), STORE_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(result.fault.text, "was removed"));
	world_close(&fixture);
}

/* --- taking over ------------------------------------------------------------------------------------------------------- */

static struct { uint8_t run[16]; uint32_t life; uint64_t next; } made;

static struct store *open_as(const char *owner, const char *start, int64_t after)
{
	struct store *store;
	struct fault fault = FAULT_NONE;

	if (store_open(&store, folder, 0, 1, &fault))
		fixture_stop("store_open", &fault);
	store_set_owner(store, owner, start, after >= 0, after >= 0 ? (uint32_t)after : 0);
	return store;
}

static int begin_life(struct store *store, struct fault *fault)
{
	*fault = FAULT_NONE;
	return store_begin_life(store, 0, made.run, &made.life, &made.next, fault);
}

static void a_life_of_the_same_owner_takes_the_place(void)
{
	struct store *old = open_as("us", "run-1", -1), *others = open_as("them", "", -1), *nobodys = open_as("", "", -1), *newer = open_as("us", "run-2", -1);
	struct seamark_files_life life;
	struct fault fault;

	calls_locks_lie = false;
	fixture_remove(folder);
	CU_ASSERT_EQUAL(begin_life(old, &fault), 0);
	CU_ASSERT_EQUAL(seamark_files_newest_life(folder, &life), 0);
	CU_ASSERT_STRING_EQUAL(life.owner, "us");
	CU_ASSERT_STRING_EQUAL(life.start, "run-1");
	CU_ASSERT_EQUAL(begin_life(others, &fault), SEAMARK_E_BUSY);
	CU_ASSERT_EQUAL(begin_life(nobodys, &fault), SEAMARK_E_BUSY);
	CU_ASSERT_TRUE(store_is_newest_life(old));
	CU_ASSERT_EQUAL(begin_life(newer, &fault), 0);
	CU_ASSERT_EQUAL(made.life, 2);
	CU_ASSERT_FALSE(store_is_newest_life(old));
	CU_ASSERT_TRUE(store_is_newest_life(newer));
	/* The lock is still the old one's, but who holds it signs there. */
	CU_ASSERT_EQUAL(begin_life(others, &fault), SEAMARK_E_BUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "life 2"));
	store_close(others);
	store_close(nobodys);
	store_close(newer);
	store_close(old);
	calls_locks_lie = true;
}

static void nobody_is_not_an_owner(void)
{
	struct store *old = open_as("", "", -1), *newer = open_as("", "", -1);
	struct fault fault;

	calls_locks_lie = false;
	fixture_remove(folder);
	CU_ASSERT_EQUAL(begin_life(old, &fault), 0);
	CU_ASSERT_EQUAL(begin_life(newer, &fault), SEAMARK_E_BUSY);
	store_close(newer);
	store_close(old);
	calls_locks_lie = true;
}

static void who_rewrites_a_checkpoint_is_left_to_it(void)
{
	struct store *first = open_as("us", "", -1), *rewriter = open_as("", "", -1), *next = open_as("us", "", -1);
	struct fault fault;

	calls_locks_lie = false;
	fixture_remove(folder);
	CU_ASSERT_EQUAL(begin_life(first, &fault), 0);
	store_close(first);
	CU_ASSERT_EQUAL(lives_lock(rewriter, &fault), 0);
	CU_ASSERT_EQUAL(begin_life(next, &fault), SEAMARK_E_BUSY);
	store_close(rewriter);
	CU_ASSERT_EQUAL(begin_life(next, &fault), 0);
	store_close(next);
	calls_locks_lie = true;
}

static void a_start_that_another_came_after_goes_no_further(void)
{
	struct store *here = open_as("us", "run-here", -1), *there = open_as("us", "run-there", -1), *again = open_as("us", "run-here", 1), *own = open_as("us", "run-there", 1);
	struct fault fault;

	fixture_remove(folder);
	CU_ASSERT_EQUAL(begin_life(here, &fault), 0);
	CU_ASSERT_EQUAL(begin_life(there, &fault), 0);
	CU_ASSERT_EQUAL(begin_life(again, &fault), SEAMARK_E_BUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "this start is over"));
	CU_ASSERT_TRUE(store_is_newest_life(there));
	/* Its own lives are no others. */
	CU_ASSERT_EQUAL(begin_life(own, &fault), 0);
	CU_ASSERT_EQUAL(made.life, 3);
	store_close(here);
	store_close(there);
	store_close(again);
	store_close(own);
}

/* --- noticing ---------------------------------------------------------------------------------------------------------- */

static atomic_int noticed, noticed_late;
static char noticed_by[200];

static void notice(const char *by, bool late)
{
	if (!late)
		snprintf(noticed_by, sizeof noticed_by, "%s", by);
	atomic_fetch_add(late ? &noticed_late : &noticed, 1);
}

static void it_is_noticed_in_seconds_and_once_more_when_nothing_follows(void)
{
	struct store *old = open_as("us", "", -1), *rank, *newer = open_as("us", "", -1);
	struct fault fault;

	calls_locks_lie = false;
	fixture_remove(folder);
	CU_ASSERT_EQUAL(store_open(&rank, folder, 1, 2, &fault), 0);
	store_watch_lives(old, notice);
	store_watch_lives(rank, notice);
	CU_ASSERT_EQUAL(store_start_writer(old, NULL, NULL, &fault), 0);
	CU_ASSERT_EQUAL(store_start_writer(rank, NULL, NULL, &fault), 0);
	CU_ASSERT_EQUAL(begin_life(old, &fault), 0);
	store_set_life(rank, made.run, made.life);
	fixture_sleep_ms(1500);
	CU_ASSERT_EQUAL(atomic_load(&noticed), 0);
	CU_ASSERT_FALSE(store_is_superseded(old));
	CU_ASSERT_EQUAL(begin_life(newer, &fault), 0);
	for (int i = 0; i < 2000 && atomic_load(&noticed) < 2; i++)
		fixture_sleep_ms(10);
	CU_ASSERT_EQUAL(atomic_load(&noticed), 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(noticed_by, "life 2 (process "));
	fixture_sleep_ms(100);
	CU_ASSERT_TRUE(store_is_superseded(old));
	CU_ASSERT_TRUE(store_is_superseded(rank));
	for (int i = 0; i < 2000 && atomic_load(&noticed_late) < 2; i++)
		fixture_sleep_ms(10);
	CU_ASSERT_EQUAL(atomic_load(&noticed_late), 2);
	store_close(newer);
	store_close(rank);
	store_close(old);
	calls_locks_lie = true;
}

static void the_lock_follows_when_the_old_one_lets_go(void)
{
	struct store *old = open_as("us", "", -1), *newer = open_as("us", "", -1), *others = open_as("them", "", -1);
	struct fault fault;

	calls_locks_lie = false;
	fixture_remove(folder);
	CU_ASSERT_EQUAL(begin_life(old, &fault), 0);
	CU_ASSERT_EQUAL(store_start_writer(newer, NULL, NULL, &fault), 0);
	CU_ASSERT_EQUAL(begin_life(newer, &fault), 0);
	store_close(old);
	fixture_sleep_ms(2500);
	CU_ASSERT_EQUAL(begin_life(others, &fault), SEAMARK_E_BUSY);
	store_close(newer);
	CU_ASSERT_EQUAL(begin_life(others, &fault), 0);
	store_close(others);
	calls_locks_lie = true;
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "an old life that thaws harms nothing", an_old_life_that_thaws_harms_nothing },
		{ "an old life that dies there has harmed nothing", an_old_life_that_dies_there_has_harmed_nothing },
		{ "what it was about to retire stays", what_it_was_about_to_retire_stays },
		{ "a folder that its ranks make again is of no use, and goes", a_folder_that_its_ranks_make_again_is_of_no_use_and_goes },
		{ "a folder that goes between two writes makes no checkpoint", a_folder_that_goes_between_two_writes_makes_no_checkpoint },
		{ "a folder that goes while a rank writes fails its image", a_folder_that_goes_while_a_rank_writes_fails_its_image },
		{ "a life of the same owner takes the place", a_life_of_the_same_owner_takes_the_place },
		{ "nobody is not an owner", nobody_is_not_an_owner },
		{ "who rewrites a checkpoint is left to it", who_rewrites_a_checkpoint_is_left_to_it },
		{ "a start that another came after goes no further", a_start_that_another_came_after_goes_no_further },
		{ "it is noticed in seconds, and once more when nothing follows", it_is_noticed_in_seconds_and_once_more_when_nothing_follows },
		{ "the lock follows when the old one lets go", the_lock_follows_when_the_old_one_lets_go },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "fencing", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
