/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of `seamark run` share: run.c decides over all lives, life.c has one, limit.c the time that there is, nodes.c the nodes, launch.c the launcher's process,
 * told.c what that says, folder.c looks into the folder of the checkpoints, owner.c tells whose the run is. */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "command/command.h"

/* What it leaves with, beside the program's own status. */
enum { EXIT_STOPPED = 75, EXIT_SUPERSEDED = 76, EXIT_NOT_STARTED = 127, EXIT_NOT_EXECUTED = 126 };

struct run_options {
	const char *folder;
	double restarts_most, pause_s, commit_s, leave_s, margin_s;
	double time_s;          /* how long it may run; INFINITY: as long as it takes */
	bool no_requeue;
	int requeue_exit;       /* what it leaves with to be queued again; 0: scontrol does it */
	int leave_on;           /* a signal that says that the time is nearly over; 0: none does */
	int64_t steps;          /* 0: not told */
	size_t ranks;           /* of the program; 0: not told */
	const char *hosts;      /* instead of Slurm's nodes; or NULL */
	double watch_s;         /* how often it is looked whether nodes are lost; 0: never */
	char **arguments;
};

double run_now_s(void);
/* What is set in the environment for the launcher with these arguments. */
void run_set_environment(char *const *arguments);

/* --- the folder ------------------------------------------------------------------------------------------------------ */

struct run_newest {
	uint64_t number;       /* 0: there is none that can be used */
	int64_t step;
	int64_t taken_ns;      /* when it was asked for, since 1970 */
	double held_s;
	double commit_s;       /* from then until it was there */
	uint32_t ranks, life;
};

/* What cannot be read now counts as not there. */
struct run_newest run_newest(const char *folder);
/* The file `stop`: asks the program to checkpoint and leave; it is taken away when that is committed. false: it cannot be made, as errno says. */
bool run_ask_to_stop(const char *folder);
bool run_is_asked_to_stop(const char *folder);
void run_take_stop_back(const char *folder);
/* At the start: one that another start has made, which was ended before it was answered, is not for this one. true: it was removed. */
bool run_forget_stop(const char *folder);
/* How long the history is now; and whether a life has been written into it since that has left because somebody, whoever it was, had asked for it. */
int64_t run_history_size(const char *folder);
bool run_has_left(const char *folder, int64_t since);
/* ... or one that has come to its end: all of its ranks were in MPI_Finalize, and nobody had asked it to leave. */
bool run_has_finalized(const char *folder, int64_t since);
/* Whether a checkpoint was taken by a life of this owner, as the history tells. */
bool run_is_of_owner(const char *folder, const struct run_newest *newest, const char *owner);
/* Notes there that this life, which has not said so itself, was ended at its last checkpoint: nothing is lost by that, and it is no failure to who learns how often the run fails. */
void run_note_end(const char *folder, uint32_t life, int64_t since);
/* The program, which wrote to the history in lives before, has not begun another one since it had that size. */
bool run_has_not_begun(const char *folder, int64_t since);

/* --- whose it is ------------------------------------------------------------------------------------------------------- */

/* Once, before anything is started: an owner, if the user has not named one, and a name for this start. */
void run_own(void);
/* Before it is started again: then it must still be ours. */
void run_own_next(const char *folder);
uint32_t run_newest_life(const char *folder);
const char *run_start_name(void);
bool run_is_start_name(const char *name);
/* Whether another start has begun a life after that one; by: which. */
bool run_is_superseded(const char *folder, uint32_t after, struct command_text *by);

/* --- words ----------------------------------------------------------------------------------------------------------- */

/* A line of the account, on standard error. */
void run_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct command_text run_time_text(double seconds);
struct command_text run_short_time_text(double seconds); /* "45 ms" */
struct command_text run_checkpoint_text(const struct run_newest *newest);
struct command_text run_status_text(int status);

/* --- the launcher ---------------------------------------------------------------------------------------------------- */

enum run_event {
	RUN_NOTHING,           /* the time is over */
	RUN_ENDED,             /* the launcher; launch->status is how */
	RUN_LEAVE,             /* somebody wants the run to checkpoint and leave: TERM, or what --leave-on says; launch->signal */
	RUN_QUIT               /* ... to end: INT, QUIT, HUP; launch->signal */
};

struct run_launch {
	pid_t process;         /* 0: none */
	int status;            /* what a shell would have as $? */
	int signal;            /* of the last RUN_LEAVE or RUN_QUIT */
	bool told;             /* ... which the launcher got by itself: it was typed at the terminal */
};

/* Once: signals are told by run_wait from here on. */
void run_take_signals(const struct run_options *options);
/* false: it cannot be started, and that was said. */
bool run_start(struct run_launch *launch, char *const *arguments);
/* The next thing that happens, within so many seconds. Other signals are passed on. */
enum run_event run_wait(struct run_launch *launch, double seconds);
void run_signal(const struct run_launch *launch, int signal);
/* Processes that the launcher left behind: gives them time, then ends them. */
void run_end_leftovers(void);

/* --- what it says ---------------------------------------------------------------------------------------------------- */

/* Once, after run_take_signals: from now on what launchers say on standard error is passed on, and looked through. */
void run_listen(void);
/* In the process that becomes the launcher. */
void run_speak_into(void);
/* Waits until all that was said is passed on. */
void run_hear_all(void);
/* The first rank that a launcher said was lost, "rank 3 on n2", since this was last asked; empty: it did not say so. *failed: srun has said since then that it could not start tasks, with which
 * it may end with 0. */
struct command_text run_lost(bool *failed);

/* --- a life ---------------------------------------------------------------------------------------------------------- */

struct run_life {
	struct run_launch launch;
	struct run_newest before, newest; /* at its start, and as far as was seen */
	double began_s;
	struct run_newest first;          /* the first checkpoint of this life */
	enum { WANTS_NOTHING, WANTS_TO_LEAVE, WANTS_TO_QUIT } wants;
	enum { WANTED_BY_TERM, WANTED_BY_LIMIT } why; /* LIMIT: the time is over, or nearly so as --leave-on says */
	double until_s;                   /* ... until then in good time */
	bool committed;                   /* ... and the checkpoint for it is */
	bool just_committed;              /* ... before anybody asked: it is ended at that one */
	bool ordered;                     /* the launcher was told to end */
	uint32_t life_before;             /* the newest at its start */
	double superseded_s;              /* when another start was seen to have taken its place; 0: none has */
	bool left;                        /* the program has left at its last checkpoint, asked by others: by a signal of Slurm's, by a person */
	int64_t history;                  /* where it begins in the history */
};

/* Starts the launcher and stays with it until it has ended. false: it could not be started, and that was said. */
bool run_live(const struct run_options *options, struct run_life *life);

/* --- the limit ------------------------------------------------------------------------------------------------------- */

/* Once, with the newest checkpoint there is. */
void run_limit_begin(const struct run_options *options, const struct run_newest *newest);
void run_limit_new_life(const struct run_newest *newest);
/* A checkpoint of this life. */
void run_limit_saw(const struct run_newest *newest);
/* Takes what Slurm has answered, and asks it again when it is time. Never waits. */
void run_limit_look(void);
/* How long the program may go on before it is asked to leave; below 0: it should have been; INFINITY: no end is known. */
double run_limit_left_s(void);
/* The end itself, on the clock of run_now_s. */
double run_limit_end_s(void);
/* What is kept back of it for leaving. */
double run_limit_margin_s(void);
/* A checkpoint is known to take longer than so many seconds. */
bool run_limit_is_long(double seconds);
/* Checkpoints take long, and the newest was committed so shortly ago that hardly anything would be lost. */
bool run_limit_has_just_committed(const struct run_newest *newest);

/* What becomes of the job: asked for, and then waited for, so many seconds. */
enum run_job_end {
	RUN_JOB_UNKNOWN,
	RUN_JOB_GOES_ON,
	RUN_JOB_TIMED_OUT,
	RUN_JOB_PREEMPTED,     /* it has a time of grace */
	RUN_JOB_ENDS           /* cancelled, or queued again by Slurm itself */
};
bool run_limit_is_in_job(void);
void run_limit_ask_why(void);
enum run_job_end run_limit_why(double seconds);
/* It is to be queued again by whoever is in it. */
bool run_limit_is_over(enum run_job_end end);
/* Slurm's time between TERM and KILL. */
double run_limit_kill_wait_s(void);
/* Gives up questions that are not answered: the processes that ask are children too. */
void run_limit_drop_questions(void);
/* After a run that stopped because its time is over: has the job queued again, if that is wanted and leads anywhere. What this is to leave with. */
int run_limit_requeue(const struct run_newest *newest);
/* After a run that has too few nodes left in this job. What this is to leave with if it is not queued again: that status. */
int run_limit_requeue_elsewhere(int status);

/* --- the nodes ------------------------------------------------------------------------------------------------------- */

/* Once: which there are. false: wrong usage, and that was said. */
bool run_nodes_begin(const struct run_options *options);
enum run_nodes {
	RUN_NODES_ENOUGH,
	RUN_NODES_TOO_FEW,     /* that was said */
	RUN_NODES_ENDING       /* Slurm ends the job */
};
/* Before a life that goes on from this checkpoint: where it is to be. The launcher is told by the environment and by these arguments. */
enum run_nodes run_nodes_choose(const struct run_newest *newest);
char *const *run_nodes_arguments(void);
/* After a failure: asks Slurm, and tries the nodes. true: one that was in use is lost. */
bool run_nodes_look_again(void);
/* After an end with status 0: a node was lost meanwhile, and Open MPI's mpirun says 0 when Slurm ends its daemons for that. */
bool run_nodes_were_lost(void);
/* They are not a job's, which never gets one back. */
bool run_nodes_may_come_back(void);
/* While a life runs, without waiting. true: the launcher does not end by itself after it lost a node. */
bool run_nodes_look(void);
/* Gives up what is asked: the processes that ask are children too. */
void run_nodes_drop_questions(void);

#endif
