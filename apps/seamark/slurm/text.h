/* SPDX-License-Identifier: BSD-3-Clause */
/* What Slurm's commands print, understood. Nothing is guessed: a line that is not of the known form is refused, and shown. Pure: text in, facts out. */
#ifndef SLURM_TEXT_H
#define SLURM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* There is none (UNLIMITED), or Slurm does not know it (NOT_SET, N/A, INVALID, ...). */
#define SLURM_UNLIMITED INT64_MAX
#define SLURM_UNKNOWN (-1)

/* What is asked of squeue by -o, and read by slurm_read_queue. The reason is last, as it may be any text. */
#define SLURM_QUEUE_FORMAT "%A|%T|%e|%l|%N|%r"

struct slurm_job {
	uint64_t id;
	char state[32];        /* RUNNING, COMPLETING, ... */
	char reason[64];       /* why it waits or ended: None, TimeLimit, ...; cut if it is long */
	int64_t end_s;         /* when it is to end, since 1970; or SLURM_UNLIMITED, SLURM_UNKNOWN */
	int64_t limit_s;       /* its time limit; or SLURM_UNLIMITED, SLURM_UNKNOWN */
	char nodes[32768];     /* "n[1,3]": those that it has now; empty if it has none */
	/* slurm_read_job only: */
	bool requeue;          /* it may be queued again */
	bool batch;            /* it has a batch script */
	bool preempted;        /* another job takes its place */
	int64_t restarts;
};

struct slurm_problem {
	char text[512];
};

/* A length of time: "1-02:03:04", "02:03:04", "03:04" (minutes and seconds). false: it is none. */
bool slurm_read_span(const char *text, int64_t *seconds);
/* A moment, as it is printed with TZ=UTC: "2026-11-21T21:24:11". false: it is none. */
bool slurm_read_moment(const char *text, int64_t *since_1970_s);
/* squeue -h -o SLURM_QUEUE_FORMAT -j ID. It may name other jobs as well (an array's). false: the job is not there, or what is printed is not understood; the problem is in words. */
bool slurm_read_queue(const char *printed, uint64_t id, struct slurm_job *job, struct slurm_problem *problem);
/* scontrol -o show job ID: the same, and more. */
bool slurm_read_job(const char *printed, uint64_t id, struct slurm_job *job, struct slurm_problem *problem);
/* scontrol show config: how long processes have between TERM and KILL. */
bool slurm_read_kill_wait(const char *printed, int64_t *seconds, struct slurm_problem *problem);

#endif
