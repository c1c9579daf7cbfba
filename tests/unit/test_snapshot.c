/* SPDX-License-Identifier: BSD-3-Clause */
/* The protocol of two ranks in one process, message by message: what is too rare for the simulator to draw. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/snapshot.h"

enum { RANKS = 2, WORLD_NAME = 1, LOST_NAME = 7 };

static struct ledger ledgers[RANKS];
static struct snapshot *snapshots[RANKS];
static bool in_barrier[RANKS], in_verdict[RANKS];
static struct verdict verdicts[RANKS];
static int64_t now_ns;

static void feed(int rank, struct snapshot_event event);

static void do_action(int rank, const struct snapshot_action *action)
{
	struct snapshot_event event = {.peer = rank, .data = action->data.data, .size = action->data.size};
	switch (action->kind) {
	case SNAPSHOT_SEND_ORDER:
		event.kind = SNAPSHOT_ORDER;
		feed(action->peer, event);
		break;
	case SNAPSHOT_SEND_MARKER:
		event.kind = SNAPSHOT_HEAD;
		feed(action->peer, event);
		feed(action->peer, (struct snapshot_event){.kind = SNAPSHOT_COUNTS, .peer = rank, .data = action->counts.data,
							   .size = action->counts.size});
		break;
	case SNAPSHOT_CAPTURE:
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_CAPTURED});
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_CUT_MADE});
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_MARKERS_SENT});
		break;
	case SNAPSHOT_ENTER_BARRIER:
		in_barrier[rank] = true;
		break;
	case SNAPSHOT_FINISH_IMAGE:
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_IMAGE});
		break;
	case SNAPSHOT_ENTER_VERDICT:
		in_verdict[rank] = true;
		verdicts[rank] = *action->verdict;
		break;
	default:
		break;
	}
}

static void feed(int rank, struct snapshot_event event)
{
	struct snapshot_actions actions = {0};
	event.now_ns = ++now_ns;
	if (event.text == NULL)
		event.text = "";
	snapshot_step(snapshots[rank], &event, &actions);
	for (size_t i = 0; i < actions.count; i++)
		do_action(rank, &actions.list[i]);
	snapshot_actions_free(&actions);
}

static void open_ranks(void)
{
	static const uint8_t run[16] = {1};
	for (int rank = 0; rank < RANKS; rank++) {
		CU_ASSERT_FATAL(ledger_open(&ledgers[rank]));
		int world = ledger_add_comm(&ledgers[rank], LEDGER_COMM_INTRA, WORLD_NAME, rank, RANKS, RANKS, NULL, rank == 0);
		struct snapshot_config config = {.rank = rank, .ranks = RANKS, .markers_all = true, .timeout_ns = INT64_C(600000000000),
						 .ledger = &ledgers[rank], .world = world, .ledger_bound = 1 << 20, .seed = 3};
		snapshots[rank] = snapshot_new(&config);
		CU_ASSERT_PTR_NOT_NULL_FATAL(snapshots[rank]);
		in_barrier[rank] = in_verdict[rank] = false;
	}
	snapshot_set_life(snapshots[0], run, 1, 1);
}

static void close_ranks(void)
{
	for (int rank = 0; rank < RANKS; rank++) {
		snapshot_free(snapshots[rank]);
		ledger_close(&ledgers[rank]);
	}
}

/* Until both ranks have cut, their markers are sent and received, and the barrier is over. */
static void snapshot_up_to_the_barrier(void)
{
	feed(0, (struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_REQUEST});
	for (int64_t step = 0; step < 20 && !(in_barrier[0] && in_barrier[1]); step++)
		for (int rank = 0; rank < RANKS; rank++) {
			feed(rank, (struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = step});
			feed(rank, (struct snapshot_event){.kind = SNAPSHOT_MOMENT});
		}
	CU_ASSERT_FATAL(in_barrier[0] && in_barrier[1]);
	for (int rank = 0; rank < RANKS; rank++)
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_BARRIER});
}

/* Rank 0 has sent on a communicator that rank 1 has not made: it may make it later, but not in MPI_Finalize. */
static void test_a_communicator_that_is_never_made_is_waited_for_up_to_the_end_only(void)
{
	open_ranks();
	int lost = ledger_add_comm(&ledgers[0], LEDGER_COMM_INTRA, LOST_NAME, 0, RANKS, RANKS, NULL, true);
	ledger_stream(&ledgers[0].sent, ledger_key((unsigned)lost, 1, 5))->total = 1;
	snapshot_up_to_the_barrier();
	feed(1, (struct snapshot_event){.kind = SNAPSHOT_MOMENT});
	CU_ASSERT_TRUE(in_verdict[0]);
	CU_ASSERT_FALSE(in_verdict[1]);
	feed(1, (struct snapshot_event){.kind = SNAPSHOT_FINALIZE});
	feed(1, (struct snapshot_event){.kind = SNAPSHOT_MOMENT});
	CU_ASSERT_TRUE(in_verdict[1]);
	CU_ASSERT_EQUAL(verdicts[1].voids, 1);
	CU_ASSERT_EQUAL(verdicts[1].open, 1);
	CU_ASSERT_EQUAL(verdicts[1].reason, REASON_OPEN_CHANNEL);
	close_ranks();
}

static void test_a_communicator_that_is_made_late_is_found(void)
{
	open_ranks();
	int lost = ledger_add_comm(&ledgers[0], LEDGER_COMM_INTRA, LOST_NAME, 0, RANKS, RANKS, NULL, true);
	ledger_stream(&ledgers[0].sent, ledger_key((unsigned)lost, 1, 5))->total = 1;
	snapshot_up_to_the_barrier();
	struct snapshot_actions actions = {0};
	int made = ledger_add_comm(&ledgers[1], LEDGER_COMM_INTRA, LOST_NAME, 1, RANKS, RANKS, NULL, false);
	snapshot_comm_named(snapshots[1], made, ++now_ns, &actions);
	struct snapshot_taking taking = {.key = ledger_key((unsigned)made, 0, 5), .position = 1, .token = 9};
	ledger_stream(&ledgers[1].seen, taking.key)->seen = 1;
	snapshot_taken(snapshots[1], &taking, ++now_ns, &actions);
	for (size_t i = 0; i < actions.count; i++)
		do_action(1, &actions.list[i]);
	snapshot_actions_free(&actions);
	feed(1, (struct snapshot_event){.kind = SNAPSHOT_MOMENT});
	CU_ASSERT_TRUE(in_verdict[1]);
	CU_ASSERT_EQUAL(verdicts[1].open, 0);
	CU_ASSERT_EQUAL(verdicts[1].messages, 1);
	close_ranks();
}

int main(void)
{
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	CU_pSuite suite = CU_add_suite("snapshot", NULL, NULL);
	CU_ADD_TEST(suite, test_a_communicator_that_is_never_made_is_waited_for_up_to_the_end_only);
	CU_ADD_TEST(suite, test_a_communicator_that_is_made_late_is_found);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
