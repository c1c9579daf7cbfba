/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks Slurm by its own commands (squeue, scontrol), in processes beside this one: a controller that is away holds up nobody. */
#ifndef SLURM_H
#define SLURM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "slurm/text.h"

/* The job that this process belongs to; 0: none. */
uint64_t slurm_own_job(void);
/* This process belongs to the batch script itself, not to a step or to an interactive shell. */
bool slurm_in_batch_script(void);

/* A command that was started. All zero: none was. */
struct slurm_query {
	pid_t process;
	int output, errors;    /* what it prints */
	double until_s;
	bool ended;            /* the process, with this status */
	int status;
	char *text;            /* what it printed so far; up to length, and a NUL */
	size_t length;
	char complaint[256];   /* the first line of its errors */
	struct slurm_query *next;
};

enum slurm_answer {
	SLURM_WAIT,            /* it has not answered yet */
	SLURM_ANSWER,          /* query->text is what it printed */
	SLURM_FAILURE          /* query->complaint says why */
};

/* Starts a command, which has so many seconds. A failure is told by the first look. */
void slurm_begin(struct slurm_query *query, const char *const *arguments, double seconds);
void slurm_ask_queue(struct slurm_query *query, uint64_t id);
void slurm_ask_job(struct slurm_query *query, uint64_t id);
/* "17_3" */
void slurm_ask_job_named(struct slurm_query *query, const char *name);
void slurm_ask_config(struct slurm_query *query);
void slurm_requeue(struct slurm_query *query, uint64_t id);
bool slurm_is_asking(const struct slurm_query *query);
/* Does not wait. What it tells last stays until slurm_end. */
enum slurm_answer slurm_look(struct slurm_query *query);
/* Looks until it is told, or the time of the query is over. */
enum slurm_answer slurm_wait(struct slurm_query *query);
/* Ends it, answered or not, and frees what it has. */
void slurm_end(struct slurm_query *query);

/* Whoever waits for all children tells of those that are not its own. false: nor is it one of these. */
bool slurm_child_ended(pid_t process, int status);

#endif
