/* SPDX-License-Identifier: BSD-3-Clause */
/* A run that goes on, from outside: which folder it uses, and its status in words.
 *   find.c   a process, a Slurm job or a folder: the folder
 *   job.c    ... of a job
 *   words.c  the status, in words and as JSON; a line on a terminal that is written over
 *   snapshot.c    seamark snapshot
 *   watch.c       seamark watch */
#ifndef LIVE_H
#define LIVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "command/command.h"

struct live_folder {
	char path[4096];
	int process;           /* that was named: it is to be there; 0: none was */
};

/* What a number is to be: a process of this host, or a Slurm job; LIVE_ANY: either. */
enum live_kind { LIVE_ANY, LIVE_PROCESS, LIVE_JOB };
/* LIVE_UNKNOWN: nobody knows; LIVE_NOT_RUNNING: there is no run that could be asked, as of a job that is pending. Both were said. */
enum live_found { LIVE_FOUND, LIVE_UNKNOWN, LIVE_NOT_RUNNING };
/* The folder of the run that `target` names; null: the usual one. */
enum live_found live_find(const char *target, enum live_kind kind, struct live_folder *folder);

/* false: nothing can be known of it, as of another's folder; that was said. */
bool live_may_be_looked_at(const char *folder);
/* Whether the program that uses the folder is there, as far as can be known. LIVE_UNSURE: nobody has the lock, but its host is another, and locks may not be seen from here. */
enum live_state { LIVE_GONE, LIVE_UNSURE, LIVE_THERE };
/* by: who it is or was, in words. */
enum live_state live_state(const char *folder, struct command_text *by);

double live_now_s(void);

struct live_line { char text[512]; };
/* "announced: 3 of 4 ranks have answered". */
struct live_line live_phase(const struct seamark_files_status *status);
const char *live_phase_word(enum seamark_files_phase phase);
/* Nothing changes but what it tells: for a program that reads. */
json_t *live_json(const struct seamark_files_status *status);

/* A line on a terminal that the next one, or nothing, takes the place of; `to` is a descriptor that is a terminal. */
void live_put_line(int to, const char *text);
int live_width(int to);

#endif
