/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of `seamark run` share: run.c decides over all lives, run_life.c has one, run_launch.c the launcher's process, run_folder.c looks into the folder of the
 * checkpoints. */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "command.h"

/* What it leaves with, beside the program's own status. */
enum { EXIT_STOPPED = 75, EXIT_NOT_STARTED = 127, EXIT_NOT_EXECUTED = 126 };

struct run_options {
	const char *folder;
	double restarts_most, pause_s, commit_s, leave_s;
	int64_t steps;          /* 0: not told */
	char **arguments;
};

double run_now_s(void);
/* What is set in the environment for the launcher with these arguments. */
void run_set_environment(char *const *arguments);

/* --- the folder ------------------------------------------------------------------------------------------------------ */

struct run_newest {
	uint64_t number;       /* 0: there is none that can be used */
	int64_t step;
	int64_t taken_ns;
};

/* What cannot be read now counts as not there. */
struct run_newest run_newest(const char *folder);
/* The file `stop`: asks the program to checkpoint and leave; it is taken away when that is committed. false: it cannot be made, as errno says. */
bool run_ask_to_stop(const char *folder);
bool run_is_asked_to_stop(const char *folder);
void run_take_stop_back(const char *folder);

/* --- words ----------------------------------------------------------------------------------------------------------- */

/* A line of the account, on standard error. */
void run_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct command_text run_time_text(double seconds);
struct command_text run_checkpoint_text(const struct run_newest *newest);
struct command_text run_status_text(int status);

/* --- the launcher ---------------------------------------------------------------------------------------------------- */

enum run_event {
	RUN_NOTHING,           /* the time is over */
	RUN_ENDED,             /* the launcher; launch->status is how */
	RUN_LEAVE,             /* somebody wants the run to checkpoint and leave: TERM */
	RUN_QUIT               /* ... to end: INT, QUIT, HUP; launch->signal */
};

struct run_launch {
	pid_t process;         /* 0: none */
	int status;            /* what a shell would have as $? */
	int signal;            /* of the last RUN_LEAVE or RUN_QUIT */
	bool told;             /* ... which the launcher got by itself: it was typed at the terminal */
};

/* Once: signals are told by run_wait from here on. */
void run_take_signals(void);
/* false: it cannot be started, and that was said. */
bool run_start(struct run_launch *launch, char *const *arguments);
/* The next thing that happens, within so many seconds. Other signals are passed on. */
enum run_event run_wait(struct run_launch *launch, double seconds);
void run_signal(const struct run_launch *launch, int signal);
/* Processes that the launcher left behind: gives them time, then ends them. */
void run_end_leftovers(void);

/* --- a life ---------------------------------------------------------------------------------------------------------- */

struct run_life {
	struct run_launch launch;
	struct run_newest before, newest; /* at its start, and as far as was seen */
	double began_s;
	struct run_newest first;          /* the first checkpoint of this life */
	enum { WANTS_NOTHING, WANTS_TO_LEAVE, WANTS_TO_QUIT } wants;
	double until_s;                   /* ... until then in good time */
	bool committed;                   /* ... and the checkpoint for it is */
	bool ordered;                     /* the launcher was told to end */
};

/* Starts the launcher and stays with it until it has ended. false: it could not be started, and that was said. */
bool run_live(const struct run_options *options, struct run_life *life);

#endif
