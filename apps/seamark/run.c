/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark run: starts a program by its launcher, and starts it again from its newest checkpoint when it fails, as long as that leads anywhere. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "run.h"

enum { EXIT_STOPPED = 75, EXIT_NOT_STARTED = 127, EXIT_NOT_EXECUTED = 126 };
#define LONGEST_PAUSE_S 300.0
#define LOOK_EVERY_S 1.0

extern char **environ;

void run_say(const char *format, ...)
{
	char text[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	fprintf(stderr, "seamark run: %s\n", text);
}

/* --- words ---------------------------------------------------------------------------------------------------------------- */

static struct command_text time_text(double seconds)
{
	struct command_text text;
	long whole = lround(seconds);

	if (seconds < 9.95)
		snprintf(text.text, sizeof text.text, "%.1f s", seconds);
	else if (whole < 120)
		snprintf(text.text, sizeof text.text, "%ld s", whole);
	else if (whole < 7200)
		snprintf(text.text, sizeof text.text, "%ld min", (whole + 30) / 60);
	else
		snprintf(text.text, sizeof text.text, "%ld h %ld min", whole / 3600, whole % 3600 / 60);
	return text;
}

static struct command_text checkpoint_text(const struct run_newest *newest)
{
	struct command_text text;

	if (!newest->number)
		snprintf(text.text, sizeof text.text, "there is no checkpoint");
	else if (newest->step < 0)
		snprintf(text.text, sizeof text.text, "checkpoint %" PRIu64, newest->number);
	else
		snprintf(text.text, sizeof text.text, "checkpoint %" PRIu64 " at step %" PRId64, newest->number, newest->step);
	return text;
}

static struct command_text status_text(int status)
{
	struct command_text text;

	if (status > 128 && status < 128 + 65)
		snprintf(text.text, sizeof text.text, "status %d (signal %d, %s)", status, status - 128, strsignal(status - 128));
	else
		snprintf(text.text, sizeof text.text, "status %d", status);
	return text;
}

/* --- the options ------------------------------------------------------------------------------------------------------------ */

struct options {
	const char *folder;
	double restarts_most, pause_s, commit_s, leave_s;
	int64_t steps;          /* 0: not told */
	char **arguments;
};

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

/* --- the environment -------------------------------------------------------------------------------------------------------- */

static bool has_argument(char *const *arguments, const char *wanted)
{
	for (; *arguments; arguments++)
		if (!strcmp(*arguments, wanted))
			return true;
	return false;
}

/* Open MPI's mpirun takes to other hosts only what it is told to: all of Seamark's settings, unless the user has said by its own options what is to go there. Other launchers take everything. */
static void name_settings(char *const *arguments)
{
	char list[4096] = "";
	size_t length = 0;

	if (getenv("OMPI_MCA_mca_base_env_list") || has_argument(arguments, "-x") || has_argument(arguments, "mca_base_env_list"))
		return;
	for (char **variable = environ; *variable; variable++) {
		size_t name = strcspn(*variable, "=");

		if (!strncmp(*variable, "SEAMARK_", 8) && length + name + 2 < sizeof list)
			length += (size_t)snprintf(list + length, sizeof list - length, "%s%.*s", length ? ";" : "", (int)name, *variable);
	}
	if (length)
		setenv("OMPI_MCA_mca_base_env_list", list, 1);
}

/* --- one life ----------------------------------------------------------------------------------------------------------------- */

struct life {
	struct run_launch launch;
	struct run_newest before, newest; /* at its start, and as far as was seen */
	double began_s;
	struct run_newest first;          /* the first checkpoint of this life */
	enum { WANTS_NOTHING, WANTS_TO_LEAVE, WANTS_TO_QUIT } wants;
	double until_s;                   /* ... until then in good time */
	bool committed;                   /* ... and the checkpoint for it is */
	bool ordered;                     /* the launcher was told to end */
};

/* A checkpoint that was not there before: how far it is, if the last step is known. */
static void look_for_checkpoint(const struct options *options, struct life *life)
{
	struct run_newest newest = run_newest(options->folder);
	double per_step, share = options->steps ? (double)newest.step / (double)options->steps : 0;

	if (newest.number <= life->newest.number)
		return;
	life->newest = newest;
	if (!life->first.number)
		life->first = newest;
	if (!options->steps || newest.step < 0 || newest.step > options->steps)
		return;
	if (newest.step <= life->first.step) {
		run_say("%s of %" PRId64 ", %.0f %%", checkpoint_text(&newest).text, options->steps, 100 * share);
		return;
	}
	per_step = (double)(newest.taken_ns - life->first.taken_ns) / 1e9 / (double)(newest.step - life->first.step);
	run_say("%s of %" PRId64 ", %.0f %%, about %s left", checkpoint_text(&newest).text, options->steps, 100 * share,
		time_text(per_step * (double)(options->steps - newest.step)).text);
}

static void order_to_end(struct life *life, int signal)
{
	life->ordered = true;
	life->until_s = run_now_s() + 30;
	run_signal(&life->launch, signal);
}

/* Checkpoint, and leave. */
static void begin_to_leave(const struct options *options, struct life *life)
{
	if (life->wants != WANTS_NOTHING) {
		order_to_end(life, SIGTERM);
		return;
	}
	life->wants = WANTS_TO_LEAVE;
	life->until_s = run_now_s() + options->commit_s;
	if (run_ask_to_stop(options->folder)) {
		run_say("asked to leave: a last checkpoint is taken, for up to %s; once more: at once", time_text(options->commit_s).text);
	} else {
		run_say("asked to leave; no checkpoint can be asked for, as there is no '%s/stop' to be made: %s", options->folder, strerror(errno));
		order_to_end(life, SIGTERM);
	}
}

static void begin_to_quit(const struct options *options, struct life *life)
{
	if (life->wants == WANTS_TO_LEAVE && !life->committed)
		run_take_stop_back(options->folder);
	life->wants = WANTS_TO_QUIT;
	if (!life->launch.told)
		order_to_end(life, life->launch.signal);
}

/* What leaving waits for. */
static void go_on_leaving(const struct options *options, struct life *life)
{
	bool late = run_now_s() > life->until_s;

	if (!life->committed && !life->ordered && !run_is_asked_to_stop(options->folder) && life->newest.number > life->before.number) {
		life->committed = true;
		life->until_s = run_now_s() + options->leave_s;
		return;
	}
	if (!late)
		return;
	if (life->ordered) {
		run_signal(&life->launch, SIGKILL);
	} else {
		run_say(life->committed ? "the program does not leave by itself (seamark_stopping): it is ended"
					: "no checkpoint was committed in time: the program is ended all the same");
		order_to_end(life, SIGTERM);
	}
}

/* false: it could not be started. */
static bool live(const struct options *options, struct life *life)
{
	enum run_event event;

	*life = (struct life){ .before = run_newest(options->folder), .began_s = run_now_s() };
	life->newest = life->before;
	if (!run_start(&life->launch, options->arguments))
		return false;
	do {
		event = run_wait(&life->launch, LOOK_EVERY_S);
		look_for_checkpoint(options, life);
		if (event == RUN_LEAVE)
			begin_to_leave(options, life);
		else if (event == RUN_QUIT)
			begin_to_quit(options, life);
		else if (event == RUN_NOTHING && (life->wants == WANTS_TO_LEAVE || life->ordered))
			go_on_leaving(options, life);
	} while (event != RUN_ENDED);
	if (life->wants == WANTS_TO_LEAVE && !life->ordered && !run_is_asked_to_stop(options->folder) && life->newest.number > life->before.number)
		life->committed = true;
	if (life->wants == WANTS_TO_LEAVE)
		run_take_stop_back(options->folder);
	return true;
}

/* --- all lives ------------------------------------------------------------------------------------------------------------------ */

struct account {
	double began_s;
	unsigned restarts;
	int last_status;        /* of the last life, if that made no checkpoint; -1: it made one, or there was none */
	unsigned fruitless;     /* lives in a row without a checkpoint */
	bool restart_kept;      /* SEAMARK_RESTART is still the user's */
};

static bool has_progressed(const struct life *life)
{
	return life->newest.number > life->before.number;
}

/* What a run leaves with that is not started again; -1: it is. */
static int verdict(const struct options *options, struct account *account, const struct life *life)
{
	int status = life->launch.status;
	struct command_text took = time_text(run_now_s() - account->began_s);

	if (life->wants == WANTS_TO_LEAVE && life->committed) {
		run_say("stopped at %s after %s; the same command goes on from there", checkpoint_text(&life->newest).text, took.text);
		return EXIT_STOPPED;
	}
	if (!status) {
		run_say("done after %s, with %u restart%s", took.text, account->restarts, account->restarts == 1 ? "" : "s");
		return EXIT_FINE;
	}
	if (life->wants != WANTS_NOTHING) {
		run_say("ended with %s, as was asked; newest: %s", status_text(status).text, checkpoint_text(&life->newest).text);
		return status;
	}
	if (status == EXIT_NOT_STARTED || status == EXIT_NOT_EXECUTED) {
		run_say("'%s' or the program cannot be started: it is not tried again", options->arguments[0]);
		return status;
	}
	run_say("it ended with %s after %s; newest: %s", status_text(status).text, time_text(run_now_s() - life->began_s).text,
		checkpoint_text(&life->newest).text);
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

static void remember(struct account *account, const struct life *life)
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
static bool pause_between(const struct options *options, const struct account *account, const struct life *life, int *status)
{
	double seconds = fmin(account->fruitless > 1 ? ldexp(options->pause_s, (int)fmin(account->fruitless - 1, 30)) : options->pause_s, LONGEST_PAUSE_S);
	struct run_launch nobody = { 0 };

	run_end_leftovers();
	run_say("restarting from %s in %s", life->newest.number ? checkpoint_text(&life->newest).text : "the beginning", time_text(seconds).text);
	for (double until = run_now_s() + seconds; run_now_s() < until;)
		if (run_wait(&nobody, until - run_now_s()) != RUN_NOTHING && nobody.signal) {
			run_say("asked to end while nothing runs; newest: %s", checkpoint_text(&life->newest).text);
			*status = nobody.signal == SIGTERM && life->newest.number ? EXIT_STOPPED : 128 + nobody.signal;
			return false;
		}
	return true;
}

static int run_on(const struct options *options)
{
	struct account account = { .began_s = run_now_s(), .last_status = -1, .restart_kept = true };
	struct life life;
	int status;

	run_take_signals();
	for (;;) {
		if (!live(options, &life))
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
	struct options options = { .restarts_most = 100, .pause_s = 1, .commit_s = 60, .leave_s = 10 };
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
	name_settings(argv);
	return run_on(&options);
}
