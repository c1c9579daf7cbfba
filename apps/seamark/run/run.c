/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark run: starts a program by its launcher, and starts it again from its newest checkpoint when it fails, as long as that leads anywhere. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/values.h"
#include "command/command.h"
#include "run/run.h"
#include "slurm/slurm.h"

#define LONGEST_PAUSE_S 300.0
#define LONGEST_QUESTION_S 2.0
#define IN_VAIN_MOST 5
#define EXIT_LOST 1 /* of a launcher that says 0 all the same */

/* --- all lives ------------------------------------------------------------------------------------------------------------------ */

struct account {
	double began_s;
	unsigned restarts;
	int last_status;        /* of the last life, if that made no checkpoint; -1: it made one, or there was none */
	unsigned fruitless;     /* lives in a row without a checkpoint */
	bool restart_kept;      /* SEAMARK_RESTART is still the user's */
	bool out_of_time;       /* it stopped for that alone */
	bool launch_failed;     /* the launcher has said so of the last life, whatever its status */
	unsigned in_vain;       /* starts in a row at which the program has not even begun */
	bool node_lost;         /* the last life ended with a node, which is no failure of the program */
};

static bool has_progressed(const struct run_life *life)
{
	return life->newest.number > life->before.number;
}

/* Whether it ended because its time is over: it was asked in time, or Slurm has ended it for that, or takes its place away. */
static bool is_in_time(const struct run_life *life)
{
	if (life->wants == WANTS_TO_LEAVE && life->why == WANTED_BY_LIMIT)
		return true;
	if (!run_limit_is_in_job() || (life->wants == WANTS_NOTHING && !life->launch.status && !life->left))
		return false;
	if (life->wants == WANTS_NOTHING)
		run_limit_ask_why();
	return life->wants != WANTS_TO_QUIT && run_limit_is_over(run_limit_why(LONGEST_QUESTION_S));
}

/* It was to be ended at a checkpoint, and had come to its end before. */
static bool has_come_first(const struct run_options *options, const struct run_life *life)
{
	return life->just_committed && !life->launch.status && run_has_finalized(options->folder, life->history);
}

/* In a Slurm job 0 does not say it all: mpirun was seen to end so when its daemons were ended with a node, and srun when it could not start all tasks. A program that has told its own end has ended. */
static bool is_done(const struct run_options *options, const struct account *account, const struct run_life *life)
{
	if (life->launch.status || account->launch_failed)
		return false;
	if (life->wants != WANTS_NOTHING)
		return true;
	if (run_nodes_were_lost())
		return run_has_finalized(options->folder, life->history);
	if (!run_limit_is_in_job() || getenv("SEAMARK_OFF") || !run_has_not_begun(options->folder, life->history))
		return true;
	run_say("the launcher says that all is done, but the program has not even begun");
	return false;
}

/* What a run leaves with that is not started again; -1: it is. */
static int verdict(const struct run_options *options, struct account *account, const struct run_life *life)
{
	int status = life->launch.status;
	struct command_text took = run_time_text(run_now_s() - account->began_s), lost;

	lost = run_lost(&account->launch_failed);
	if (status && (status == EXIT_SUPERSEDED || life->superseded_s)) {
		run_say("another start goes on with this run: this one is over after %s, and is not started again", took.text);
		return EXIT_SUPERSEDED;
	}
	account->out_of_time = is_in_time(life);
	if (((life->wants == WANTS_TO_LEAVE && life->committed) || life->left) && !has_come_first(options, life)) {
		run_say("stopped at %s after %s; the same command goes on from there", run_checkpoint_text(&life->newest).text, took.text);
		return EXIT_STOPPED;
	}
	if (is_done(options, account, life)) {
		account->out_of_time = false;
		run_say("done after %s, with %u restart%s", took.text, account->restarts, account->restarts == 1 ? "" : "s");
		return EXIT_FINE;
	}
	if (life->wants != WANTS_NOTHING) {
		run_say("ended with %s, as was asked; newest: %s", run_status_text(status).text, run_checkpoint_text(&life->newest).text);
		return account->out_of_time ? EXIT_STOPPED : status;
	}
	if (status == EXIT_NOT_STARTED || status == EXIT_NOT_EXECUTED) {
		run_say("'%s' or the program cannot be started: it is not tried again", options->arguments[0]);
		return status;
	}
	if (status != EXIT_NOT_STARTED && account->out_of_time) {
		run_say("it ended with %s, as Slurm ends the job; newest: %s", run_status_text(status).text, run_checkpoint_text(&life->newest).text);
		return EXIT_STOPPED;
	}
	if (lost.text[0])
		run_say("lost %s", lost.text);
	run_say("it ended with %s after %s; newest: %s", run_status_text(status).text, run_time_text(run_now_s() - life->began_s).text,
		run_checkpoint_text(&life->newest).text);
	status = status ? status : EXIT_LOST;
	account->node_lost = !(run_limit_is_in_job() && run_limit_why(0) == RUN_JOB_ENDS) && run_nodes_look_again();
	/* Slurm may be in trouble for some starts, where a job's first life has left something. */
	account->in_vain = run_limit_is_in_job() && (account->launch_failed || run_has_not_begun(options->folder, life->history)) ? account->in_vain + 1 : 0;
	if (!has_progressed(life) && account->last_status == status && !account->node_lost && (!account->in_vain || account->in_vain > IN_VAIN_MOST)) {
		run_say("the same failure twice, with no new checkpoint between: this is a mistake of the program or of what it was given, and another start would not help");
		return status;
	}
	if (account->restarts >= options->restarts_most) {
		run_say("it was restarted %u times, which is what --max-restarts allows", account->restarts);
		return status;
	}
	if (run_limit_is_in_job() && run_limit_why(0) == RUN_JOB_ENDS) {
		run_say("the job is ended by Slurm: nothing is started again");
		return status;
	}
	if (run_limit_left_s() <= options->pause_s) {
		run_say("there is no time for another start; newest: %s", run_checkpoint_text(&life->newest).text);
		account->out_of_time = true;
		return EXIT_STOPPED;
	}
	return -1;
}

static void remember(struct account *account, const struct run_life *life)
{
	bool progressed = has_progressed(life);

	account->last_status = progressed || account->node_lost ? -1 : life->launch.status ? life->launch.status : EXIT_LOST;
	account->fruitless = progressed || account->node_lost ? 0 : account->fruitless + 1;
	/* The user's choice was of where to begin; what is there now was made since. */
	if (progressed && account->restart_kept) {
		unsetenv("SEAMARK_RESTART");
		account->restart_kept = false;
	}
	account->restarts++;
}

/* A signal while nothing runs. */
static int leave_between(const struct run_options *options, struct account *account, const struct run_life *life, int signal)
{
	run_say("asked to end while nothing runs; newest: %s", run_checkpoint_text(&life->newest).text);
	account->out_of_time = signal == options->leave_on;
	if (signal == SIGTERM && run_limit_is_in_job()) {
		run_limit_ask_why();
		account->out_of_time = run_limit_is_over(run_limit_why(LONGEST_QUESTION_S));
	}
	return (account->out_of_time || signal == SIGTERM) && life->newest.number ? EXIT_STOPPED : 128 + signal;
}

/* Waits before the next life. -1: it may begin; else what this is to leave with. */
static int pause_between(const struct run_options *options, struct account *account, const struct run_life *life, bool has_place)
{
	double seconds = fmin(account->fruitless > 1 ? ldexp(options->pause_s, (int)fmin(account->fruitless - 1, 30)) : options->pause_s, LONGEST_PAUSE_S);
	struct run_launch nobody = { 0 };
	struct command_text by;

	run_end_leftovers();
	if (!has_place)
		run_say("the hosts are tried again in %s", run_time_text(seconds).text);
	else
		run_say("restarting from %s in %s", life->newest.number ? run_checkpoint_text(&life->newest).text : "the beginning", run_time_text(seconds).text);
	for (double until = run_now_s() + seconds; run_now_s() < until;)
		if (run_wait(&nobody, until - run_now_s()) != RUN_NOTHING && nobody.signal)
			return leave_between(options, account, life, nobody.signal);
	if (run_is_superseded(options->folder, life->life_before, &by)) {
		run_say("another start has taken the place of this one (%s): it is not started again", by.text);
		return EXIT_SUPERSEDED;
	}
	run_own_next(options->folder);
	return -1;
}

/* Where the next life is to be; hosts are waited for. -1: it has a place; else what this is to leave with. */
static int find_place(const struct run_options *options, struct account *account, const struct run_life *life)
{
	enum run_nodes nodes;
	int status = -1;

	while ((nodes = run_nodes_choose(&life->newest)) == RUN_NODES_TOO_FEW && run_nodes_may_come_back()) {
		account->fruitless++;
		status = pause_between(options, account, life, false);
		if (status >= 0)
			return status;
		run_nodes_look_again();
	}
	if (nodes == RUN_NODES_ENOUGH)
		return -1;
	run_end_leftovers();
	if (nodes != RUN_NODES_ENDING)
		return run_limit_requeue_elsewhere(life->launch.status);
	run_say("the job is ended by Slurm: nothing is started again");
	return life->launch.status;
}

/* Where to begin, which the user chose for the job, is not where a job that was queued again goes on, once it has a checkpoint of its own. */
static void forget_restart(const struct run_options *options, struct account *account, const struct run_newest *newest)
{
	const char *count = getenv("SLURM_RESTART_COUNT"), *restart = getenv("SEAMARK_RESTART");

	if (!restart || !count || !atoi(count) || !run_is_of_owner(options->folder, newest, getenv("SEAMARK_OWNER")))
		return;
	run_say("SEAMARK_RESTART=%s was for the first start of this job, which has had checkpoints since", restart);
	unsetenv("SEAMARK_RESTART");
	account->restart_kept = false;
}

/* The command, and where it begins. */
static void tell_start(const struct run_options *options, const struct run_newest *newest)
{
	const char *restart = getenv("SEAMARK_RESTART");
	char command[512] = "";
	size_t length = 0;

	for (char **word = options->arguments; *word && length < sizeof command; word++)
		length += (size_t)snprintf(command + length, sizeof command - length, "%s%s", length ? " " : "", *word);
	run_say("started: %s%s; %s%s", command, length < sizeof command ? "" : "...", restart ? "SEAMARK_RESTART=" : newest->number ? "newest: " : "",
		restart ? restart : run_checkpoint_text(newest).text);
}

static int run_on(const struct run_options *options)
{
	struct account account = { .began_s = run_now_s(), .last_status = -1, .restart_kept = true };
	struct run_newest newest = run_newest(options->folder);
	struct run_life life = { .newest = newest, .launch.status = EXIT_NOT_EXECUTED };
	int status;

	run_take_signals(options);
	if (run_forget_stop(options->folder))
		run_say("an earlier start was ended before it had left: its '%s/stop' is removed", options->folder);
	run_listen();
	forget_restart(options, &account, &newest);
	tell_start(options, &newest);
	run_limit_begin(options, &newest);
	/* A launcher may wait long for a host that is not there. */
	if (run_nodes_may_come_back())
		run_nodes_look_again();
	status = find_place(options, &account, &life);
	while (status < 0) {
		if (!run_live(options, &life))
			return EXIT_CANNOT_READ;
		status = verdict(options, &account, &life);
		/* After a good end, what a program leaves running is its own affair. */
		if (status > 0)
			run_end_leftovers();
		if (status < 0) {
			remember(&account, &life);
			status = find_place(options, &account, &life);
			if (status < 0)
				status = pause_between(options, &account, &life, true);
		}
	}
	return status == EXIT_STOPPED && account.out_of_time ? run_limit_requeue(&life.newest) : status;
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

/* Seconds, or with a unit as in the settings. */
static bool time_of(const char *text, const char *option, double *seconds)
{
	char word[64], *end;
	int64_t ns;

	if (!text)
		return true;
	if (values_word(text, word, sizeof word) && values_time(word, &ns)) {
		*seconds = (double)ns / 1e9;
		return true;
	}
	errno = 0;
	*seconds = strtod(text, &end);
	if (!errno && end != text && !*end && *seconds >= 0 && *seconds <= 1e9)
		return true;
	command_complain("--%s takes seconds, or a time as 90s, 15min, 2h, not '%s'", option, text);
	return false;
}

/* In a batch script USR1 is what --signal=B:USR1@... is written for, unless it is said otherwise. */
static bool leave_on_of(const char *text, int *signal)
{
	static const int passed_on[] = { SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH };
	char word[64];

	*signal = text || !slurm_in_batch_script() ? 0 : SIGUSR1;
	if (!text || !strcmp(text, "none"))
		return true;
	if (values_word(text, word, sizeof word) && values_signal(word, signal))
		for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
			if (*signal == passed_on[i])
				return true;
	command_complain("--leave-on takes USR1, USR2, ALRM, WINCH or none, not '%s'", text);
	return false;
}

int command_run(int argc, char **argv)
{
	const char *folder = NULL, *restarts = NULL, *pause = NULL, *commit = NULL, *leave = NULL, *steps = NULL, *margin = NULL, *time = NULL,
		   *requeue_exit = NULL, *leave_on = NULL, *ranks = NULL, *hosts = NULL, *watch = NULL;
	int no_requeue = 0;
	const struct command_option table[] = {
		COMMAND_DIR(&folder),
		{ "max-restarts", "N", "restarts at most (100)", &restarts, NULL },
		{ "backoff", "TIME", "before a restart (1s); twice as long after each that made no checkpoint", &pause, NULL },
		{ "commit", "TIME", "for the last checkpoint, at most; and what one takes before it is measured (1min)", &commit, NULL },
		{ "leave", "TIME", "... and then for the program to leave by itself (10s)", &leave, NULL },
		{ "time", "TIME", "how long it may run: it is asked to leave in time before (as long as the Slurm job)", &time, NULL },
		{ "margin", "TIME", "kept back of that time, beside what checkpoints were measured to take (10s)", &margin, NULL },
		{ "leave-on", "SIGNAL", "says that the time is nearly over: USR1 (in a batch job), USR2, ALRM, WINCH, none", &leave_on, NULL },
		{ "no-requeue", NULL, "when the time is over, the Slurm job is not queued again", NULL, &no_requeue },
		{ "requeue-exit", "N", "... it is by this exit status (the site's RequeueExit), not by scontrol", &requeue_exit, NULL },
		{ "ranks", "N", "of the program; nodes that it does not need are spare ones, for those that are lost", &ranks, NULL },
		{ "hosts", "LIST", "where mpirun is to start it, without Slurm: names with the ranks that each may have, as h1:4,h2:4", &hosts, NULL },
		{ "watch", "TIME", "how often it is looked whether a node is lost (1min; 0: never)", &watch, NULL },
		{ "steps", "N", "the program's last step: tells how far it is", &steps, NULL },
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "run [OPTIONS] -- LAUNCHER ARGUMENTS... PROGRAM ARGUMENTS...",
		"Starts a program, and starts it again from its newest checkpoint when it fails, as long as restarts lead anywhere: the same\n"
		"failure twice without a new checkpoint between is the program's. The launcher is mpirun, mpiexec or srun, with its own arguments.\n\n"
		"At TERM the program is asked for a last checkpoint and to leave (seamark_stopping); a second TERM, INT, QUIT and HUP end it.\n"
		"USR1, USR2, ALRM and WINCH are passed on to the launcher. When the time is nearly over (the Slurm job's, or --time), it is\n"
		"asked in the same way, at the last moment that is safe, and the batch job is queued again. TIME is in seconds, or 90s, 15min, 2h.\n\n"
		"After a failure it is found out which nodes of the Slurm job, or of --hosts, are left: the program goes on on those, if they are enough\n"
		"for its ranks. Else the job is queued again, and hosts are waited for.\n\n"
		"Exit status: the program's own (128 + n: ended by signal n), or 75: stopped at a checkpoint, to be gone on with by the same\n"
		"command, 76: another start goes on with this run, 126 or 127: the launcher cannot be executed,\n"
		"or was not found, 2 wrong usage, 3 no process could be started.", table, 1, INT_MAX };
	struct run_options options = { .restarts_most = 100, .pause_s = 1, .commit_s = 60, .leave_s = 10, .margin_s = 10, .time_s = INFINITY, .watch_s = 60 };
	double last = 0, requeue_status = 0, count = 0;
	int status;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (!number_of(restarts, "max-restarts", 1e9, &options.restarts_most) || !time_of(pause, "backoff", &options.pause_s) ||
	    !time_of(commit, "commit", &options.commit_s) || !time_of(leave, "leave", &options.leave_s) ||
	    !time_of(time, "time", &options.time_s) || !time_of(margin, "margin", &options.margin_s) ||
	    !number_of(requeue_exit, "requeue-exit", 255, &requeue_status) || !leave_on_of(leave_on, &options.leave_on) ||
	    !number_of(steps, "steps", 1e15, &last) || !number_of(ranks, "ranks", 1e9, &count) || !time_of(watch, "watch", &options.watch_s))
		return EXIT_USAGE;
	options.ranks = (size_t)count;
	options.hosts = hosts;
	options.no_requeue = no_requeue;
	options.requeue_exit = (int)requeue_status;
	options.steps = (int64_t)last;
	options.folder = command_folder(folder);
	options.arguments = argv;
	if (folder)
		setenv("SEAMARK_DIR", folder, 1);
	run_own();
	run_set_environment(argv);
	if (!run_nodes_begin(&options))
		return EXIT_USAGE;
	return run_on(&options);
}
