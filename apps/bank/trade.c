/* SPDX-License-Identifier: BSD-3-Clause */
/* Trading: each branch sends transfers to others, drawn at random, and takes what comes, from anybody, at any time. */
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/outbox.h"
#include "bank.h"
#include "seamark.h"

enum {
	LARGEST_TRANSFER = 100,
	AHEAD = 64             /* transfers that a branch may have sent beyond those that it has received */
};

struct trade {
	const struct bank_options *options;
	int rank, ranks;

	struct bank_branch branch; /* protected */
	struct bank_post *post;    /* protected; one for each rank */

	/* Not protected: made anew at every start. */
	struct outbox outbox;
	MPI_Request inbox;         /* posted for whatever comes next */
	struct bank_letter letter; /* what it comes into */
	double start;
	int64_t committed;         /* rank 0: the last checkpoint it has counted, and how many */
	int64_t commits;
	bool asked;                /* rank 0: has asked for one that is not committed yet */
};

static void fail(const char *what, int error)
{
	fprintf(stderr, "bank: %s: %s\n", what, seamark_strerror(error));
	MPI_Abort(MPI_COMM_WORLD, BANK_TROUBLE);
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). Each branch has its own sequence, so its choices are the same in
 * every run with a seed, in whatever order the messages of the others come. */
static uint64_t draw(struct bank_branch *branch)
{
	uint64_t value = branch->random += UINT64_C(0x9E3779B97F4A7C15);

	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

static int draw_other(struct trade *trade)
{
	int other = (int)(draw(&trade->branch) % (uint64_t)(trade->ranks - 1));

	return other < trade->rank ? other : other + 1;
}

/* Sending. */

static void send(struct trade *trade, int to, int kind, int64_t amount)
{
	struct bank_letter letter = {.kind = kind, .serial = ++trade->post[to].sent, .amount = amount};

	outbox_send(&trade->outbox, to, BANK_TAG, &letter, sizeof letter);
}

static void send_to_others(struct trade *trade, int kind)
{
	for (int rank = 0; rank < trade->ranks; rank++)
		if (rank != trade->rank)
			send(trade, rank, kind, 0);
}

static void request_checkpoint(void)
{
	int result = seamark_request();

	if (result < 0)
		fail("request", result);
}

/* A branch without money sends nothing but a letter: all that is asked of the amounts is that none is lost. */
static void send_transfer(struct trade *trade)
{
	struct bank_branch *branch = &trade->branch;
	int to = draw_other(trade);
	int64_t amount = 1 + (int64_t)(draw(branch) % LARGEST_TRANSFER);

	if (amount > branch->balance)
		amount = branch->balance;
	branch->balance -= amount;
	branch->sent++;
	send(trade, to, BANK_TRANSFER, amount);
	if (trade->options->every > 0 && draw(branch) % (uint64_t)trade->options->every == 0)
		request_checkpoint();
}

/* Receiving. */

static void post_inbox(struct trade *trade)
{
	MPI_Irecv(&trade->letter, sizeof trade->letter, MPI_BYTE, MPI_ANY_SOURCE, BANK_TAG, MPI_COMM_WORLD, &trade->inbox);
}

/* Whether a letter has come; waits for one if there is nothing else to do. The status then has its sender. */
static bool letter_is_here(struct trade *trade, bool wait, MPI_Status *status)
{
	int here = 1;

	if (wait)
		MPI_Wait(&trade->inbox, status);
	else
		MPI_Test(&trade->inbox, &here, status);
	return here;
}

/* Everything that one rank sends another has one tag, so MPI keeps it in order, and a restart must keep it too. */
static void check_serial(struct trade *trade, int from)
{
	uint64_t next = ++trade->post[from].received;

	if (trade->letter.serial == next)
		return;
	fprintf(stderr, "bank: rank %d: letter %" PRIu64 " of rank %d has come where %" PRIu64 " was the next\n", trade->rank,
		trade->letter.serial, from, next);
	MPI_Abort(MPI_COMM_WORLD, BANK_WRONG);
}

/* Takes in the letter that has come. True if the run is to be left. */
static bool take_letter(struct trade *trade, int from)
{
	check_serial(trade, from);
	switch (trade->letter.kind) {
	case BANK_TRANSFER:
		trade->branch.balance += trade->letter.amount;
		trade->branch.received++;
		break;
	case BANK_REQUEST:
		request_checkpoint();
		break;
	case BANK_ENOUGH:
		trade->branch.enough = 1;
		break;
	case BANK_CLOSE:
		trade->post[from].closed = 1;
		break;
	case BANK_LEAVE:
		return true;
	}
	return false;
}

/* When to do what. */

/* Whether a transfer may be sent. Without a bound a branch that the system lets run alone for a while would fill
 * the memory of the others. This one never stops them all: were nothing in flight and all at the bound, more would
 * have been sent than received. It ends with the first branch that closes, which receives on but sends no more. */
static bool may_send(const struct trade *trade)
{
	const struct bank_branch *branch = &trade->branch;

	if (branch->enough)
		return false;
	if (branch->sent < branch->received + AHEAD)
		return true;
	for (int rank = 0; rank < trade->ranks; rank++)
		if (trade->post[rank].closed)
			return true;
	return false;
}

static bool all_is_received(const struct trade *trade)
{
	for (int rank = 0; rank < trade->ranks; rank++)
		if (rank != trade->rank && !trade->post[rank].closed)
			return false;
	return trade->branch.closed;
}

static bool work_is_at_hand(const struct trade *trade)
{
	return may_send(trade) || (trade->branch.enough && !trade->branch.closed);
}

/* Does one thing. Nothing, if too much of what was sent before has not left yet. */
static void work(struct trade *trade)
{
	if (!outbox_has_room(&trade->outbox, trade->ranks))
		return;
	if (trade->branch.enough) {
		send_to_others(trade, BANK_CLOSE);
		trade->branch.closed = 1;
		return;
	}
	if (may_send(trade))
		send_transfer(trade);
	if (trade->options->transfers > 0 && trade->branch.sent >= (uint64_t)trade->options->transfers)
		trade->branch.enough = 1;
}

static void count_commits(struct trade *trade)
{
	int64_t number;

	if (seamark_committed(&number, NULL) == 1 && number != trade->committed) {
		trade->committed = number;
		trade->commits++;
		trade->asked = false;
	}
}

/* What rank 0 has to do besides: to end the trade, and to have the next checkpoint asked for, by a branch drawn at
 * random. */
static void govern(struct trade *trade)
{
	const struct bank_options *options = trade->options;

	count_commits(trade);
	if (trade->branch.enough || !outbox_has_room(&trade->outbox, trade->ranks))
		return;
	if ((options->checkpoints > 0 && trade->commits >= options->checkpoints) ||
	    (options->seconds > 0 && MPI_Wtime() - trade->start >= options->seconds)) {
		trade->branch.enough = 1;
		send_to_others(trade, BANK_ENOUGH);
	} else if (options->checkpoints > 0 && options->every == 0 && !trade->asked) {
		trade->asked = true;
		int branch = (int)(draw(&trade->branch) % (uint64_t)trade->ranks);
		if (branch == trade->rank)
			request_checkpoint();
		else
			send(trade, branch, BANK_REQUEST, 0);
	}
}

/* Leaving before the end, all together: each tells each, and takes what comes until all have told. What is taken
 * here was in flight when the checkpoint was made, or was sent after it: nothing is lost by forgetting it.
 *
 * Only a branch that has not closed begins to leave: until it has closed, no other one can be done and gone. */
static void leave(struct trade *trade, int told)
{
	bool telling = true;
	MPI_Status status;

	while (telling || told < trade->ranks - 1) {
		if (telling && outbox_has_room(&trade->outbox, trade->ranks)) {
			send_to_others(trade, BANK_LEAVE);
			telling = false;
		}
		if (told < trade->ranks - 1 && letter_is_here(trade, !telling, &status)) {
			told += trade->letter.kind == BANK_LEAVE;
			post_inbox(trade);
		}
	}
}

/* Trades to the end: true; or until the run is asked to stop: false. */
static bool trade_on(struct trade *trade)
{
	MPI_Status status;

	while (!all_is_received(trade)) {
		int result = seamark_safepoint(SEAMARK_ANY_STEP);

		if (result < 0)
			fail("safepoint", result);
		if (seamark_stopping() && !trade->branch.closed) {
			leave(trade, 0);
			return false;
		}
		/* The state may change only after a letter has come or none was there: until then the safepoint is
		 * open. */
		if (!letter_is_here(trade, !work_is_at_hand(trade), &status)) {
			work(trade);
		} else {
			bool left = take_letter(trade, status.MPI_SOURCE);
			post_inbox(trade);
			if (left) {
				leave(trade, 1);
				return false;
			}
		}
		if (trade->rank == 0)
			govern(trade);
	}
	return true;
}

/* Beginning and end. */

static int finish(const struct trade *trade)
{
	const struct bank_branch *branch = &trade->branch;
	int64_t own[3] = {branch->balance, (int64_t)branch->sent, (int64_t)branch->received};
	int64_t sums[3];

	MPI_Allreduce(own, sums, 3, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
	bool right = sums[0] == branch->initial * trade->ranks && sums[1] == sums[2];
	if (trade->rank == 0) {
		if (trade->commits > 0)
			printf("bank: %" PRId64 " checkpoints committed, %.2f s\n", trade->commits, MPI_Wtime() - trade->start);
		printf("bank: %" PRId64 " transfers sent, %" PRId64 " received; the %d branches hold %" PRId64 " of %" PRId64
		       ": %s\n", sums[1], sums[2], trade->ranks, sums[0], branch->initial * trade->ranks,
		       right ? "right" : "wrong");
	}
	return right ? BANK_RIGHT : BANK_WRONG;
}

static void protect(const char *name, void *data, size_t bytes)
{
	int result = seamark_protect(name, data, bytes);

	if (result < 0)
		fail(name, result);
}

/* False if there is a checkpoint that this run cannot go on from. */
static bool begin(struct trade *trade)
{
	struct bank_branch *branch = &trade->branch;
	const struct bank_options *options = trade->options;

	*branch = (struct bank_branch){
		.initial = options->initial, .ranks = trade->ranks, .seed = options->seed, .balance = options->initial,
		/* Far apart, whatever the seeds are. */
		.random = (options->seed + 1) * UINT64_C(0xD6E8FEB86659FD93) + (uint64_t)trade->rank * UINT64_C(0xA0761D6478BD642F),
	};
	protect(BANK_BRANCH, branch, sizeof *branch);
	protect(BANK_POST, trade->post, (size_t)trade->ranks * sizeof *trade->post);
	int result = seamark_restore(NULL);
	if (trade->rank == 0 && result < 0)
		fprintf(stderr, "bank: cannot go on from the checkpoint: %s\n", seamark_strerror(result));
	if (result < 0)
		return false;
	if (trade->rank == 0)
		printf("bank: %s: %d branches with %" PRId64 " each at the start, seed %" PRIu64 "\n",
		       result == SEAMARK_RESTORED ? "going on" : "new", trade->ranks, branch->initial, branch->seed);
	trade->start = MPI_Wtime();
	if (seamark_committed(&trade->committed, NULL) != 1)
		trade->committed = -1;
	return true;
}

static int run(struct trade *trade)
{
	int status = BANK_RIGHT;

	if (!begin(trade))
		return BANK_TROUBLE;
	post_inbox(trade);
	if (trade_on(trade))
		status = finish(trade);
	else if (trade->rank == 0)
		printf("bank: stopped, as was asked; start again to go on\n");
	/* Nothing can come any more. */
	MPI_Cancel(&trade->inbox);
	MPI_Wait(&trade->inbox, MPI_STATUS_IGNORE);
	return status;
}

int bank_trade(const struct bank_options *options)
{
	struct trade trade = {.options = options, .inbox = MPI_REQUEST_NULL};
	int status = BANK_TROUBLE;

	MPI_Comm_rank(MPI_COMM_WORLD, &trade.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &trade.ranks);
	trade.post = calloc((size_t)trade.ranks, sizeof *trade.post);
	if (trade.ranks < 2)
		fprintf(stderr, "bank: one branch has nobody to trade with: start it with mpirun, on two ranks or more\n");
	else if (trade.post == NULL || !outbox_open(&trade.outbox, 4 * trade.ranks + AHEAD))
		fprintf(stderr, "bank: not enough memory\n");
	else
		status = run(&trade);
	outbox_close(&trade.outbox);
	free(trade.post);
	return status;
}
