/* SPDX-License-Identifier: BSD-3-Clause */
/* One-sided epochs and the cut, by the protocol of one rank: what is open makes it void and ends the request, what is not settled makes it void, to be tried
 * again, unless it was over before this rank had answered. */
#include <CUnit/Basic.h>
#include <string.h>

#include "snapshot/snapshot.h"

static struct ledger ledger;
static struct snapshot *snapshot;
static struct snapshot_event scene; /* what is told with every event */
static int64_t now_ns = 1;
static int committed, cuts;

static void feed(struct snapshot_event event);

static void answer(const struct snapshot_action *action)
{
	switch (action->kind) {
	case SNAPSHOT_CAPTURE:
		feed((struct snapshot_event){.kind = SNAPSHOT_CAPTURED});
		break;
	case SNAPSHOT_CUT:
		cuts++;
		feed((struct snapshot_event){.kind = SNAPSHOT_CUT_MADE});
		feed((struct snapshot_event){.kind = SNAPSHOT_MARKERS_SENT});
		break;
	case SNAPSHOT_ENTER_BARRIER:
		feed((struct snapshot_event){.kind = SNAPSHOT_BARRIER});
		break;
	case SNAPSHOT_FINISH_IMAGE:
		feed((struct snapshot_event){.kind = SNAPSHOT_IMAGE});
		break;
	case SNAPSHOT_ENTER_VERDICT:
		feed((struct snapshot_event){.kind = SNAPSHOT_VERDICT, .verdict = action->verdict});
		break;
	case SNAPSHOT_REBASE:
		snapshot_rebased(snapshot);
		break;
	case SNAPSHOT_PUBLISH:
		feed((struct snapshot_event){.kind = SNAPSHOT_PUBLISHED});
		break;
	case SNAPSHOT_ENDED:
		committed += snapshot_outcome(snapshot)->committed;
		break;
	default:
		break;
	}
}

static void feed(struct snapshot_event event)
{
	struct snapshot_actions actions = {0};
	event.now_ns = now_ns += 1000;
	event.open = scene.open;
	event.epoch_open = scene.epoch_open;
	event.epochs_over = scene.epochs_over;
	event.epoch_unsettled = scene.epoch_unsettled;
	snapshot_step(snapshot, &event, &actions);
	for (size_t i = 0; i < actions.count; i++)
		answer(&actions.list[i]);
	CU_ASSERT_FALSE(actions.failed);
	snapshot_actions_free(&actions);
}

static void begin(void)
{
	const uint8_t run[16] = {1};
	scene = (struct snapshot_event){0};
	committed = cuts = 0;
	CU_ASSERT_FATAL(ledger_open(&ledger));
	int world = ledger_add_comm(&ledger, LEDGER_COMM_INTRA, 1, 0, 1, 1, NULL, true);
	snapshot = snapshot_new(&(struct snapshot_config){
		.ranks = 1, .timeout_ns = INT64_C(60000000000), .seed = 5, .ledger = &ledger, .world = world, .ledger_bound = 1000});
	CU_ASSERT_PTR_NOT_NULL_FATAL(snapshot);
	snapshot_set_life(snapshot, run, 1, 1);
	/* The first safepoint, from which on it can answer. */
	feed((struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = 0});
}

static void end(void)
{
	snapshot_free(snapshot);
	ledger_close(&ledger);
}

static void ask(void)
{
	feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_REQUEST});
	feed((struct snapshot_event){.kind = SNAPSHOT_MOMENT});
}

static void steps(int64_t from, int64_t to)
{
	for (int64_t step = from; step <= to; step++)
		feed((struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = step});
}

static void test_nothing_open_commits(void)
{
	begin();
	ask();
	steps(1, 10);
	CU_ASSERT_EQUAL(committed, 1);
	end();
}

static void test_an_open_epoch_ends_the_request(void)
{
	begin();
	ask();
	scene.epoch_open = "a window is locked";
	steps(1, 10);
	const struct snapshot_outcome *outcome = snapshot_outcome(snapshot);
	CU_ASSERT_EQUAL(committed, 0);
	CU_ASSERT_EQUAL(outcome->reason, REASON_EPOCH);
	CU_ASSERT_FALSE(outcome->again);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->text, "a window is locked"));
	end();
}

static void test_an_event_program_puts_its_cut_off_while_an_epoch_is_open(void)
{
	begin();
	feed((struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = -1});
	ask();
	scene.open = true;
	scene.epoch_open = "a window is locked";
	for (int i = 0; i < 10; i++)
		feed((struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = -1});
	CU_ASSERT_EQUAL(cuts, 0);
	scene.epoch_open = NULL;
	feed((struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = -1});
	CU_ASSERT_EQUAL(committed, 1);
	end();
}

static void test_what_was_over_before_the_answer_is_settled(void)
{
	begin();
	scene.epochs_over = scene.epoch_unsettled = 7;
	ask();
	steps(1, 10);
	CU_ASSERT_EQUAL(committed, 1);
	end();
}

static void test_what_was_over_after_the_answer_is_not(void)
{
	begin();
	scene.epochs_over = scene.epoch_unsettled = 7;
	ask();
	scene.epochs_over = scene.epoch_unsettled = 8;
	steps(1, 2);
	const struct snapshot_outcome *outcome = snapshot_outcome(snapshot);
	CU_ASSERT_EQUAL(committed, 0);
	CU_ASSERT_EQUAL(outcome->reason, REASON_UNSETTLED);
	CU_ASSERT_TRUE(outcome->again);
	/* It is settled in the next attempt. */
	scene.epoch_unsettled = 0;
	for (int64_t step = 3; step < 20 && !committed; step++) {
		feed((struct snapshot_event){.kind = SNAPSHOT_MOMENT});
		steps(step, step);
	}
	CU_ASSERT_EQUAL(committed, 1);
	end();
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("epochs and cuts", NULL, NULL);
	CU_add_test(suite, "nothing open commits", test_nothing_open_commits);
	CU_add_test(suite, "an open epoch ends the request", test_an_open_epoch_ends_the_request);
	CU_add_test(suite, "an event program puts its cut off while an epoch is open",
		    test_an_event_program_puts_its_cut_off_while_an_epoch_is_open);
	CU_add_test(suite, "what was over before the answer is settled", test_what_was_over_before_the_answer_is_settled);
	CU_add_test(suite, "what was over after the answer is not", test_what_was_over_after_the_answer_is_not);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
