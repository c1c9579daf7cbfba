/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queens: counts the ways to place N queens on a board by work stealing, as an example of a program without steps.
 *
 *     mpirun -n 4 queens 16
 *
 * Each rank has a stack of boards whose first rows are placed. It takes the newest, and replaces it by the boards
 * with one row more, or from a certain depth on counts what begins with it. A rank without boards asks another
 * one, drawn at random, which answers between two boards of its own with half of what it has, or with nothing.
 * Nobody knows when a message will come, or from whom, and the ranks are never at the same place. The end is found
 * by a token that goes round (Safra, EWD 998).
 *
 * What Seamark needs of such a program is one habit and three calls, all of them in this file:
 *
 *     the habit: everything that a rank knows is in memory that is protected (struct work), and whole at the top of
 *         the loop. It says what the rank has, what it has sent, and what it still expects: a request that is not
 *         answered yet is a flag there, not a place in the code or a request handle.
 *     seamark_protect    names that memory
 *     seamark_restore    brings it back; what was under way between the ranks comes back by itself, as messages to be
 *         received
 *     seamark_safepoint(SEAMARK_ANY_STEP)    at the top of the loop. It is open until the next message is taken or
 *         sent, so a rank that waits for a message can be saved while it waits
 *
 * How we know that it is right: the counts are known. A message with work that is lost or delivered twice gives
 * another count, and a token or an answer that is lost gives no end.
 */
#include <inttypes.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "../common/arguments.h"
#include "seamark.h"
#include "work.h"

enum { RIGHT = 0, WRONG = 1, TROUBLE = 2 };

struct options {
	int queens;
	int depth;
};

static const struct argp_option option_table[] = {
	{"depth", 'd', "ROWS", 0, "boards with so many rows placed are counted in one go, between two looks at the messages, "
	 "1 to N (default N - 11, at least 2: some ten microseconds to a millisecond)", 0},
	{0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'd':
		options->depth = (int)argument_integer(state, "--depth", text, 1, BOARD_LARGEST);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			return ARGP_ERR_UNKNOWN;
		options->queens = (int)argument_integer(state, "N", text, 1, BOARD_LARGEST);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "give the number of queens");
		return 0;
	case ARGP_KEY_END:
		if (options->depth == 0)
			options->depth = options->queens > 13 ? options->queens - 11 : 2;
		if (options->depth > options->queens)
			options->depth = options->queens;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
	option_table, parse_option, "N",
	"Counts the ways to place N queens (1 to 20) by work stealing under MPI, and goes on from its last Seamark checkpoint "
	"after it was killed."
	"\vExit status: 0 if the count is right (or the run was asked to stop), 1 if not, 2 for trouble.",
	NULL, NULL, NULL,
};

static void fail(const char *what, int error)
{
	fprintf(stderr, "queens: %s: %s\n", what, seamark_strerror(error));
	MPI_Abort(MPI_COMM_WORLD, TROUBLE);
}

/* Receives a message; if it may not wait, only one that is here. */
static bool receive(struct message *message, bool wait)
{
	MPI_Status status;
	int here = 1;

	if (!wait)
		MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &here, MPI_STATUS_IGNORE);
	if (!here)
		return false;
	MPI_Recv(&message->content, sizeof message->content, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
	message->source = status.MPI_SOURCE;
	message->tag = status.MPI_TAG;
	MPI_Get_count(&status, MPI_BYTE, &message->bytes);
	return true;
}

/* Leaving before the end, all together, with nothing unreceived: each tells each, and takes what comes until all
 * have told. (The messages of one rank are received in the order in which it sent them, so nothing comes after its
 * WORK_STOP.) What is taken here was in flight when the checkpoint was made, or was sent after it: nothing is lost
 * by forgetting it.
 *
 * Only a rank that has not reported its count begins to leave: until it has, no other one can be over and gone. */
static void leave(struct place *place, int told)
{
	struct message message;

	for (int rank = 0; rank < place->ranks; rank++)
		if (rank != place->rank)
			outbox_send(&place->outbox, rank, WORK_STOP, NULL, 0);
	while (told < place->ranks - 1) {
		receive(&message, true);
		told += message.tag == WORK_STOP;
	}
}

/* Searches to the end: true; or until the run is asked to stop: false. */
static bool search_together(struct work *work, struct place *place)
{
	struct message message;

	while (work->phase != WORK_OVER) {
		int result = seamark_safepoint(SEAMARK_ANY_STEP);

		if (result < 0)
			fail("safepoint", result);
		if (seamark_stopping() && work->phase < WORK_COUNTED) {
			leave(place, 0);
			return false;
		}
		/* The state may change only after the message has come or was not there: until then the safepoint
		 * is open. */
		if (!receive(&message, !work_is_at_hand(work, place))) {
			work_do(work, place);
		} else if (message.tag == WORK_STOP) {
			leave(place, 1);
			return false;
		} else {
			work_take(work, place, &message);
		}
		/* Unreceived are at most a request, a token and a report of ours, an answer to each rank and two
		 * words to all; there is room for more, so this only waits until the MPI library has noticed that
		 * others are received. */
		while (!outbox_has_room(&place->outbox, place->ranks))
			;
	}
	return true;
}

static int tell(const struct work *work, const struct place *place, double seconds)
{
	bool right = work->total == board_known((int)work->queens);

	printf("queens: rank %d counted %" PRIu64 " in %" PRIu64 " parts, got %" PRIu64 " boards, gave %" PRIu64 ", asked %" PRIu64
	       " times in vain\n", place->rank, work->solutions, work->subtrees, work->stolen, work->given, work->refused);
	if (place->rank != 0)
		return RIGHT;
	printf("queens: %" PRId64 " queens: %" PRIu64 " solutions in %.2f s on %d ranks: %s\n", work->queens, work->total, seconds,
	       place->ranks, right ? "right" : "wrong");
	if (!right)
		printf("queens: there are %" PRIu64 "\n", board_known((int)work->queens));
	return right ? RIGHT : WRONG;
}

static int run(struct work *work, struct place *place, const struct options *options)
{
	double start = MPI_Wtime();

	work_begin(work, place->rank, options->queens, options->depth);
	int result = seamark_protect("work", work, sizeof *work);
	if (result < 0)
		fail("work", result);
	result = seamark_restore(NULL);
	if (result < 0 && place->rank == 0)
		fprintf(stderr, "queens: cannot go on from the checkpoint: %s\n", seamark_strerror(result));
	if (result < 0)
		return TROUBLE;
	if (work->queens != options->queens) {
		if (place->rank == 0)
			fprintf(stderr, "queens: the checkpoint is of %" PRId64 " queens\n", work->queens);
		return TROUBLE;
	}
	if (result == SEAMARK_RESTORED && place->rank == 0)
		printf("queens: going on, with %" PRIu64 " solutions counted here before\n", work->solutions);

	if (!search_together(work, place)) {
		if (place->rank == 0)
			printf("queens: stopped, as was asked; start again to go on\n");
		return RIGHT;
	}
	return tell(work, place, MPI_Wtime() - start);
}

int main(int argc, char **argv)
{
	static struct work work;
	struct options options = {0};
	struct place place;
	int status = TROUBLE;

	setvbuf(stdout, NULL, _IOLBF, 0); /* a killed run has said what it had to say */
	argp_err_exit_status = ARGUMENTS_STATUS;
	argp_parse(&parser, argc, argv, 0, NULL, &options);
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &place.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &place.ranks);
	if (outbox_open(&place.outbox, 4 * place.ranks + 16))
		status = run(&work, &place, &options);
	else
		fprintf(stderr, "queens: not enough memory\n");
	outbox_close(&place.outbox);
	MPI_Finalize();
	return status;
}
