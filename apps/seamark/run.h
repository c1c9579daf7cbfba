/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of `seamark run` share: run.c decides, run_launch.c has the launcher's process, run_folder.c looks into the folder of the checkpoints. */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A line of the account, on standard error. */
void run_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
double run_now_s(void);

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

#endif
