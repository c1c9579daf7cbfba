/* SPDX-License-Identifier: BSD-3-Clause */
/* What the search for a run's folder shares: find.c has processes, job.c the jobs of Slurm. */
#ifndef LIVE_FIND_H
#define LIVE_FIND_H

#include "live/live.h"

struct process {
	int number, parent;
	bool picked;
};

struct processes {
	struct process *list;
	size_t count, room;
};

struct path { char text[4096]; };

/* All that there are; the caller frees the list. */
bool processes_list(struct processes *all);

/* The environment that a process was started with; empty where it may not be read. */
struct started_with { char *text; size_t size; };
void started_with_read(struct started_with *with, int process);
/* null: it has none of that name. */
const char *started_with_value(const struct started_with *with, const char *name);
void started_with_free(struct started_with *with);

/* The one folder that all have in common that tell of one; several: they do not; off: there is none, as SEAMARK_OFF is set. */
struct found {
	struct path folder, other;
	unsigned count;
	bool several, off;
};
void found_take(struct found *found, const struct path *folder);
/* Of those that are picked. */
void found_look_through(struct found *found, const struct processes *all);
/* Of one that has found something, or is off. what: "job 4711". */
enum live_found found_tell(const struct found *found, const char *what, struct live_folder *folder);

/* "4711", "4711_3", "4711.0", "4711_3.0"; -1: none is named. */
struct live_job {
	uint64_t number;
	int64_t task, step;
};
bool live_read_job(const char *text, struct live_job *job);
enum live_found live_find_job(const struct live_job *job, bool is_process, struct live_folder *folder);

#endif
