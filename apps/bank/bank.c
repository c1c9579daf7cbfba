/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bank: branches that send each other money, as an example of a program that is driven by what comes in.
 *
 *     mpirun -n 4 bank --transfers 100000 --every 5000
 *         branches send transfers at random, and checkpoints are taken now and then
 *     bank --audit seamark
 *         adds up the money in every checkpoint: balances, and what was in flight
 *     bank --script FILE
 *         plays a scenario: who sends what to whom, and who starts the snapshot
 *     bank --example
 *         a transfer that is caught in its channel
 *
 * The branches of the first form (trade.c) have no steps in common. A branch is debited when it sends, the
 * receiver is credited when it has received: in between the money is nowhere but in the message. This is the
 * classical example for snapshots of distributed programs (Chandy and Lamport, 1985): a checkpoint that misses
 * what is in flight, or has it twice, is seen at once, because the sum of the money changes.
 *
 * What Seamark needs, all in trade.c: the balance, the counters and the state of the random generator are
 * protected; at the top of the loop they are whole, and seamark_safepoint(SEAMARK_ANY_STEP) says so; a receive for
 * whatever comes next is posted before the loop, as at every start, since request handles do not survive a
 * restart. What had been in flight is then received by it.
 */
#include "bank.h"

#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>

#include "../common/arguments.h"

enum { KEY_AUDIT = 256, KEY_SCRIPT, KEY_DELAY, KEY_EXAMPLE, KEY_CHECKPOINTS };

static const struct argp_option option_table[] = {
	{NULL, 0, NULL, 0, "Trading (the limits may be combined; the first that is reached counts):", 1},
	{"transfers", 'n', "NUMBER", 0, "transfers that each branch sends (default 100000, if no other limit is given)", 1},
	{"seconds", 't', "SECONDS", 0, "trade for so long", 1},
	{"checkpoints", KEY_CHECKPOINTS, "NUMBER", 0, "trade until so many checkpoints are committed; without --every, "
	 "ask for the next as soon as one is", 1},
	{"every", 'e', "TRANSFERS", 0, "ask for a checkpoint once in so many transfers of the whole bank, on average, "
	 "at whatever branch it falls", 1},
	{"initial", 'i', "MONEY", 0, "money of each branch at the start (default 1000000)", 1},
	{"seed", 's', "NUMBER", 0, "for the random generator (default 1)", 1},
	{NULL, 0, NULL, 0, "Auditing (without mpirun):", 2},
	{"audit", KEY_AUDIT, "DIR", 0, "add up every checkpoint in a folder", 2},
	{NULL, 0, NULL, 0, "Scenarios (without mpirun it is started):", 3},
	{"script", KEY_SCRIPT, "FILE", 0, "play a scenario; - is standard input, with prompts if that is a terminal. "
	 "In this order, whole numbers, white space between, # to the end of a line is a comment: the number of processes; "
	 "the initial state of each; the number of messages; for each its sender, its receiver and its value; the initiator "
	 "of the snapshot. Processes count from 1", 3},
	{"delay", KEY_DELAY, NULL, 0, "messages of the scenario are received after the snapshot only", 3},
	{"example", KEY_EXAMPLE, NULL, 0, "three branches: A starts the snapshot, B sends 50 to A before A's marker reaches it", 3},
	{0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct bank_options *options = state->input;

	switch (key) {
	case 'n':
		options->transfers = argument_integer(state, "--transfers", text, 1, INT64_MAX);
		return 0;
	case 't':
		options->seconds = argument_real(state, "--seconds", text, 0, 1e9);
		return 0;
	case KEY_CHECKPOINTS:
		options->checkpoints = argument_integer(state, "--checkpoints", text, 1, INT64_MAX);
		return 0;
	case 'e':
		options->every = argument_integer(state, "--every", text, 1, INT64_MAX);
		return 0;
	case 'i':
		options->initial = argument_integer(state, "--initial", text, 0, INT64_C(1) << 40);
		return 0;
	case 's':
		options->seed = (uint64_t)argument_integer(state, "--seed", text, 0, INT64_MAX);
		return 0;
	case KEY_AUDIT:
		options->audit = text;
		return 0;
	case KEY_SCRIPT:
		options->script = text;
		return 0;
	case KEY_DELAY:
		options->delay = true;
		return 0;
	case KEY_EXAMPLE:
		options->example = true;
		return 0;
	case ARGP_KEY_END:
		if ((options->audit != NULL) + (options->script != NULL) + options->example > 1)
			argp_error(state, "--audit, --script and --example exclude each other");
		if (options->delay && options->script == NULL)
			argp_error(state, "--delay goes with --script");
		if (options->transfers == 0 && options->seconds == 0 && options->checkpoints == 0)
			options->transfers = 100000;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
	option_table, parse_option, NULL,
	"Trades among the branches of a bank under MPI, with checkpoints while money is in flight; audits the checkpoints; "
	"plays scenarios."
	"\vExit status: 0 if the sums are right (or the run was asked to stop), 1 if not, 2 for trouble.",
	NULL, NULL, NULL,
};

int main(int argc, char **argv)
{
	struct bank_options options = {.initial = 1000000, .seed = 1};
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0); /* a killed run has said what it had to say */
	argp_err_exit_status = ARGUMENTS_STATUS;
	argp_parse(&parser, argc, argv, 0, NULL, &options);
	if (options.audit != NULL)
		return bank_audit(options.audit);
	status = bank_launch(&options, argv[0]);
	if (status != 0)
		return status;

	MPI_Init(&argc, &argv);
	status = options.script != NULL || options.example ? bank_play(&options) : bank_trade(&options);
	MPI_Finalize();
	return status;
}
