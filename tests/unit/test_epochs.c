/* SPDX-License-Identifier: BSD-3-Clause */
/* The epochs of one-sided windows: the table, what is open, what settles, what comes too early after a cut, and the balance. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "channel/epochs.h"

enum { RANKS = 4 };

static uint64_t state = 7;

static uint64_t draw(uint64_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (state >> 33) % below;
}

struct member {
	struct ledger ledger;
	struct epochs epochs;
	struct epochs_window *window; /* on the world */
	struct epochs_window *pair;   /* on ranks 2 and 3 only */
};

static void open_member(struct member *member, int32_t rank)
{
	static const int32_t world[2] = {2, 3};
	CU_ASSERT_FATAL(ledger_open(&member->ledger));
	CU_ASSERT_FATAL(epochs_open(&member->epochs, &member->ledger, RANKS));
	int comm = ledger_add_comm(&member->ledger, LEDGER_COMM_INTRA, 1, rank, RANKS, RANKS, NULL, rank == 0);
	member->window = epochs_add(&member->epochs, 0x1000, comm, 77, false);
	member->pair = NULL;
	if (rank >= 2) {
		comm = ledger_add_comm(&member->ledger, LEDGER_COMM_INTRA, 2, rank - 2, 2, 2, world, rank == 2);
		member->pair = epochs_add(&member->epochs, 0x2000, comm, 78, false);
	}
}

static void close_member(struct member *member)
{
	epochs_close(&member->epochs);
	ledger_close(&member->ledger);
}

static uint64_t sum_of(const struct member *members)
{
	uint64_t sum = 0;
	for (int i = 0; i < RANKS; i++)
		sum += ledger_collective_sum(&members[i].ledger);
	return sum;
}

static void test_windows_are_found_by_handle(void)
{
	enum { HANDLES = 300 };
	static struct epochs_window *windows[HANDLES];
	struct member member;
	open_member(&member, 0);
	for (int i = 0; i < 20000; i++) {
		uint64_t at = draw(HANDLES), handle = UINT64_C(0x55550000) + at * 64;
		CU_ASSERT_PTR_EQUAL(epochs_find(&member.epochs, handle), windows[at]);
		if (windows[at]) {
			epochs_remove(&member.epochs, windows[at]);
			windows[at] = NULL;
		} else {
			windows[at] = epochs_add(&member.epochs, handle, 0, draw(3), false);
		}
	}
	for (uint64_t i = 0; i < HANDLES; i++)
		CU_ASSERT_PTR_EQUAL(epochs_find(&member.epochs, UINT64_C(0x55550000) + i * 64), windows[i]);
	CU_ASSERT_PTR_EQUAL(epochs_find(&member.epochs, 0x1000), member.window);
	close_member(&member);
}

static void test_windows_of_the_same_members_have_keys_of_their_own(void)
{
	struct member member;
	open_member(&member, 0);
	const struct epochs_window *second = epochs_add(&member.epochs, 0x3000, 0, 77, false);
	CU_ASSERT_NOT_EQUAL(second->key, member.window->key);
	epochs_remove(&member.epochs, member.window);
	CU_ASSERT_NOT_EQUAL(epochs_add(&member.epochs, 0x1000, 0, 77, false)->key, second->key);
	close_member(&member);
}

static void test_the_balance_is_zero_when_all_have_done_the_same(void)
{
	struct member members[RANKS];
	for (int32_t i = 0; i < RANKS; i++)
		open_member(&members[i], i);
	CU_ASSERT_EQUAL(sum_of(members), 0);
	for (int round = 0; round < 200; round++) {
		/* One after the other fences, or one pair posts and starts: in between it shows. */
		int what = (int)draw(3), origin = (int)draw(RANKS), target = (int)draw(RANKS);
		for (int i = 0; what == 0 && i < RANKS; i++) {
			CU_ASSERT_EQUAL(sum_of(members) == 0, i == 0);
			epochs_fence(&members[i].epochs, members[i].window, false, false);
		}
		for (int i = 2; what == 1 && i < RANKS; i++) {
			CU_ASSERT_EQUAL(sum_of(members) == 0, i == 2);
			epochs_fence(&members[i].epochs, members[i].pair, false, false);
		}
		if (what == 2) {
			epochs_start(&members[origin].epochs, members[origin].window, &target, 1);
			CU_ASSERT_NOT_EQUAL(sum_of(members), 0);
			epochs_post(&members[target].epochs, members[target].window, &origin, 1);
			epochs_complete(&members[origin].epochs, members[origin].window);
			epochs_waited(&members[target].epochs, members[target].window);
		}
		CU_ASSERT_EQUAL(sum_of(members), 0);
	}
	/* A pair the other way round is another pair. */
	int zero = 0, one = 1;
	epochs_start(&members[0].epochs, members[0].window, &one, 1);
	epochs_post(&members[0].epochs, members[0].window, &one, 1);
	CU_ASSERT_NOT_EQUAL(sum_of(members), 0);
	epochs_post(&members[1].epochs, members[1].window, &zero, 1);
	epochs_start(&members[1].epochs, members[1].window, &zero, 1);
	CU_ASSERT_EQUAL(sum_of(members), 0);
	/* A window that is freed on some only. */
	for (int i = 0; i < RANKS; i++) {
		CU_ASSERT_EQUAL(sum_of(members) == 0, i == 0);
		epochs_remove(&members[i].epochs, members[i].window);
	}
	CU_ASSERT_EQUAL(sum_of(members), 0);
	for (int i = 0; i < RANKS; i++)
		close_member(&members[i]);
}

static void test_fences_count_on_a_communicator_that_is_alive(void)
{
	struct member member;
	open_member(&member, 0);
	epochs_fence(&member.epochs, member.window, false, false);
	CU_ASSERT_EQUAL(member.ledger.comms[0].begun, 1);
	ledger_free_comm(&member.ledger, 0);
	epochs_fence(&member.epochs, member.window, false, false);
	CU_ASSERT_EQUAL(member.ledger.comms[0].begun, 1);
	CU_ASSERT_PTR_NULL(epochs_comm(&member.epochs, member.window));
	close_member(&member);
}

static void open_is(const struct member *member, bool open)
{
	CU_ASSERT_EQUAL(member->epochs.open != 0, open);
	CU_ASSERT_EQUAL(epochs_open_one(&member->epochs) != NULL, open);
}

static void test_what_is_open(void)
{
	struct member member;
	int other = 1;
	open_member(&member, 0);
	struct epochs *epochs = &member.epochs;
	struct epochs_window *window = member.window;
	open_is(&member, false);
	epochs_fence(epochs, window, true, false);
	open_is(&member, false); /* a fence alone begins nothing */
	epochs_operate(epochs, window, 1);
	epochs_operate(epochs, window, 0);
	open_is(&member, true);
	epochs_fence(epochs, window, false, true);
	open_is(&member, false);
	epochs_lock(epochs, window);
	epochs_lock(epochs, window);
	epochs_operate(epochs, window, 1);
	epochs_unlock(epochs, window);
	open_is(&member, true);
	epochs_unlock(epochs, window);
	open_is(&member, false);
	epochs_start(epochs, window, &other, 1);
	epochs_operate(epochs, window, 1);
	epochs_post(epochs, window, &other, 1);
	open_is(&member, true);
	epochs_complete(epochs, window);
	open_is(&member, true);
	epochs_waited(epochs, window);
	open_is(&member, false);
	epochs_lock(epochs, window);
	epochs_remove(epochs, window);
	open_is(&member, false);
	close_member(&member);
}

static void lock_and_reach(struct member *member, struct epochs_window *window, int target)
{
	epochs_lock(&member->epochs, window);
	epochs_operate(&member->epochs, window, target);
	epochs_unlock(&member->epochs, window);
}

static void test_what_settles(void)
{
	static const int32_t three[3] = {3, 0, 2};
	struct member member;
	open_member(&member, 2);
	struct epochs *epochs = &member.epochs;
	lock_and_reach(&member, member.window, 2);
	CU_ASSERT_EQUAL(epochs_newest_unsettled(epochs), 0); /* oneself */
	epochs_lock(epochs, member.window);
	epochs_unlock(epochs, member.window);
	CU_ASSERT_EQUAL(epochs_newest_unsettled(epochs), 0); /* nothing done */
	lock_and_reach(&member, member.pair, 1);
	lock_and_reach(&member, member.window, 0);
	uint64_t first = epochs_newest_unsettled(epochs);
	CU_ASSERT_EQUAL(first, epochs->number);
	CU_ASSERT_EQUAL(epochs->unsettled, 2);
	epochs_met(epochs, three, 3, first);
	CU_ASSERT_EQUAL(epochs->unsettled, 1); /* the pair are among the three, the world is not */
	CU_ASSERT_EQUAL(member.pair->unsettled, 0);
	lock_and_reach(&member, member.window, 1);
	epochs_met(epochs, NULL, RANKS, first);
	CU_ASSERT_EQUAL(epochs->unsettled, 1); /* the last one came after the meeting began */
	epochs_met(epochs, NULL, RANKS, epochs->number);
	CU_ASSERT_EQUAL(epochs_newest_unsettled(epochs), 0);
	lock_and_reach(&member, member.window, 1);
	epochs_remove(epochs, member.window);
	CU_ASSERT_EQUAL(epochs_newest_unsettled(epochs), 0); /* freed by all */
	struct epochs_window *shared = epochs_add(epochs, 0x4000, 0, 79, true);
	epochs_lock(epochs, shared);
	epochs_unlock(epochs, shared);
	CU_ASSERT_NOT_EQUAL(epochs_newest_unsettled(epochs), 0); /* its memory may have been written without a call */
	close_member(&member);
}

static void test_only_a_fence_that_ends_an_epoch_is_a_meeting(void)
{
	struct member member;
	open_member(&member, 0);
	CU_ASSERT_FALSE(epochs_fence(&member.epochs, member.window, false, false));
	CU_ASSERT_TRUE(epochs_fence(&member.epochs, member.window, false, false));
	CU_ASSERT_FALSE(epochs_fence(&member.epochs, member.window, true, false));
	CU_ASSERT_TRUE(epochs_fence(&member.epochs, member.window, false, true));
	CU_ASSERT_FALSE(epochs_fence(&member.epochs, member.window, false, false));
	close_member(&member);
}

static void test_what_is_early_after_a_cut(void)
{
	struct member member;
	int other = 1;
	open_member(&member, 0);
	struct epochs *epochs = &member.epochs;
	struct epochs_window *window = member.window;
	CU_ASSERT_FALSE(epochs_is_early(window, 1)); /* it was made since */
	epochs_cut(epochs);
	CU_ASSERT_TRUE(epochs_is_early(window, 1));
	CU_ASSERT_FALSE(epochs_is_early(window, 0));
	epochs_start(epochs, window, &other, 1);
	CU_ASSERT_FALSE(epochs_is_early(window, 1)); /* the balance says it */
	epochs_complete(epochs, window);
	epochs_fence(epochs, window, true, false);
	CU_ASSERT_FALSE(epochs_is_early(window, 1));
	epochs_lock(epochs, window);
	CU_ASSERT_TRUE(epochs_is_early(window, 1)); /* a fence says nothing to locks */
	epochs_met(epochs, NULL, RANKS, epochs->number);
	CU_ASSERT_FALSE(epochs_is_early(window, 1));
	epochs_cut(epochs);
	CU_ASSERT_TRUE(epochs_is_early(window, 1));
	close_member(&member);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("epochs", NULL, NULL);
	CU_add_test(suite, "windows are found by handle", test_windows_are_found_by_handle);
	CU_add_test(suite, "windows of the same members have keys of their own", test_windows_of_the_same_members_have_keys_of_their_own);
	CU_add_test(suite, "the balance is zero when all have done the same, and only then",
		    test_the_balance_is_zero_when_all_have_done_the_same);
	CU_add_test(suite, "fences count on a communicator that is alive", test_fences_count_on_a_communicator_that_is_alive);
	CU_add_test(suite, "what is open", test_what_is_open);
	CU_add_test(suite, "what settles, and what does not", test_what_settles);
	CU_add_test(suite, "only a fence that ends an epoch is a meeting", test_only_a_fence_that_ends_an_epoch_is_a_meeting);
	CU_add_test(suite, "what is early after a cut", test_what_is_early_after_a_cut);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
