/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark run: starts a program by its launcher, and starts it again from its newest checkpoint when it fails, as long as that leads anywhere. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "command.h"
#include "run.h"

#define LONGEST_PAUSE_S 300.0

/* --- all lives ------------------------------------------------------------------------------------------------------------------ */

struct account {
	double began_s;
	unsigned restarts;
	int last_status;        /* of the last life, if that made no checkpoint; -1: it made one, or there was none */
	unsigned fruitless;     /* lives in a row without a checkpoint */
	bool restart_kept;      /* SEAMARK_RESTART is still the user's */
};

static bool has_progressed(const struct run_life *life)
{
	return life->newest.number > life->before.number;
}

/* What a run leaves with that is not started again; -1: it is. */
static int verdict(const struct run_options *options, struct account *account, const struct run_life *life)
{
	int status = life->launch.status;
	struct command_text took = run_time_text(run_now_s() - account->began_s);

	if (life->wants == WANTS_TO_LEAVE && life->committed) {
		run_say("stopped at %s after %s; the same command goes on from there", run_checkpoint_text(&life->newest).text, took.text);
		return EXIT_STOPPED;
	}
	if (!status) {
		run_say("done after %s, with %u restart%s", took.text, account->restarts, account->restarts == 1 ? "" : "s");
		return EXIT_FINE;
	}
	if (life->wants != WANTS_NOTHING) {
		run_say("ended with %s, as was asked; newest: %s", run_status_text(status).text, run_checkpoint_text(&life->newest).text);
		return status;
	}
	if (status == EXIT_NOT_STARTED || status == EXIT_NOT_EXECUTED) {
		run_say("'%s' or the program cannot be started: it is not tried again", options->arguments[0]);
		return status;
	}
	run_say("it ended with %s after %s; newest: %s", run_status_text(status).text, run_time_text(run_now_s() - life->began_s).text,
		run_checkpoint_text(&life->newest).text);
	if (!has_progressed(life) && account->last_status == status) {
		run_say("the same failure twice, with no new checkpoint between: this is a mistake of the program or of what it was given, and another start would not help");
		return status;
	}
	if (account->restarts >= options->restarts_most) {
		run_say("it was restarted %u times, which is what --max-restarts allows", account->restarts);
		return status;
	}
	return -1;
}

static void remember(struct account *account, const struct run_life *life)
{
	bool progressed = has_progressed(life);

	account->last_status = progressed ? -1 : life->launch.status;
	account->fruitless = progressed ? 0 : account->fruitless + 1;
	/* The user's choice was of where to begin; what is there now was made since. */
	if (progressed && account->restart_kept) {
		unsetenv("SEAMARK_RESTART");
		account->restart_kept = false;
	}
	account->restarts++;
}

/* Waits before the next life; false: somebody wants the run to end. */
static bool pause_between(const struct run_options *options, const struct account *account, const struct run_life *life, int *status)
{
	double seconds = fmin(account->fruitless > 1 ? ldexp(options->pause_s, (int)fmin(account->fruitless - 1, 30)) : options->pause_s, LONGEST_PAUSE_S);
	struct run_launch nobody = { 0 };

	run_end_leftovers();
	run_say("restarting from %s in %s", life->newest.number ? run_checkpoint_text(&life->newest).text : "the beginning", run_time_text(seconds).text);
	for (double until = run_now_s() + seconds; run_now_s() < until;)
		if (run_wait(&nobody, until - run_now_s()) != RUN_NOTHING && nobody.signal) {
			run_say("asked to end while nothing runs; newest: %s", run_checkpoint_text(&life->newest).text);
			*status = nobody.signal == SIGTERM && life->newest.number ? EXIT_STOPPED : 128 + nobody.signal;
			return false;
		}
	return true;
}

static int run_on(const struct run_options *options)
{
	struct account account = { .began_s = run_now_s(), .last_status = -1, .restart_kept = true };
	struct run_life life;
	int status;

	run_take_signals();
	for (;;) {
		if (!run_live(options, &life))
			return EXIT_CANNOT_READ;
		status = verdict(options, &account, &life);
		/* After a good end, what a program leaves running is its own affair. */
		if (status > 0)
			run_end_leftovers();
		if (status >= 0)
			return status;
		remember(&account, &life);
		if (!pause_between(options, &account, &life, &status))
			return status;
	}
}

/* --- the options ------------------------------------------------------------------------------------------------------------ */

static bool number_of(const char *text, const char *option, double most, double *number)
{
	char *end;

	if (!text)
		return true;
	errno = 0;
	*number = strtod(text, &end);
	if (!errno && end != text && !*end && *number >= 0 && *number <= most)
		return true;
	command_complain("--%s takes a number from 0 to %.0f, not '%s'", option, most, text);
	return false;
}

int command_run(int argc, char **argv)
{
	const char *folder = NULL, *restarts = NULL, *pause = NULL, *commit = NULL, *leave = NULL, *steps = NULL;
	const struct command_option table[] = {
		COMMAND_DIR(&folder),
		{ "max-restarts", "N", "restarts at most (100)", &restarts, NULL },
		{ "backoff", "SECONDS", "before a restart (1); twice as long after each that made no checkpoint", &pause, NULL },
		{ "commit", "SECONDS", "at TERM: for the last checkpoint (60)", &commit, NULL },
		{ "leave", "SECONDS", "... and then for the program to leave by itself (10)", &leave, NULL },
		{ "steps", "N", "the program's last step: tells how far it is", &steps, NULL },
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "run [OPTIONS] -- LAUNCHER ARGUMENTS... PROGRAM ARGUMENTS...",
		"Starts a program, and starts it again from its newest checkpoint when it fails, as long as restarts lead anywhere: the same\n"
		"failure twice without a new checkpoint between is the program's. The launcher is mpirun, mpiexec or srun, with its own arguments.\n\n"
		"At TERM the program is asked for a last checkpoint and to leave (seamark_stopping); a second TERM, INT, QUIT and HUP end it.\n"
		"USR1, USR2, ALRM and WINCH are passed on to the launcher.\n\n"
		"Exit status: the program's own (128 + n: ended by signal n), or 75: stopped at a checkpoint, to be gone on with by the same\n"
		"command, 127: the launcher was not found, 2 wrong usage.", table, 1, INT_MAX };
	struct run_options options = { .restarts_most = 100, .pause_s = 1, .commit_s = 60, .leave_s = 10 };
	double last = 0;
	int status;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (!number_of(restarts, "max-restarts", 1e9, &options.restarts_most) || !number_of(pause, "backoff", 86400, &options.pause_s) ||
	    !number_of(commit, "commit", 86400, &options.commit_s) || !number_of(leave, "leave", 86400, &options.leave_s) ||
	    !number_of(steps, "steps", 1e15, &last))
		return EXIT_USAGE;
	options.steps = (int64_t)last;
	options.folder = command_folder(folder);
	options.arguments = argv;
	if (folder)
		setenv("SEAMARK_DIR", folder, 1);
	run_set_environment(argv);
	return run_on(&options);
}
