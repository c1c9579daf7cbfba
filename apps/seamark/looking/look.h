/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking at running processes from outside: their status blocks, and their tables where those may be read.
 *   find.c     which processes
 *   read.c     a reading of one
 *   tables.c   its tables, out of its memory
 *   document.c two readings of all, as a document
 *   look.c          seamark snapshot --look */
#ifndef LOOK_COMMAND_H
#define LOOK_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "channel/shadow.h"
#include "look/look.h"
#include "snapshot/ledger.h"

/* --- processes -------------------------------------------------------------------------------------------------------- */

struct look_process {
	pid_t pid;
	int descriptor;   /* of its block */
	uint64_t identity;
	int rank;
	bool picked;
};

struct look_processes {
	struct look_process *list;
	size_t count, room;
};

/* All processes on this node that have a block which this user may open. */
bool look_find(struct look_processes *found);
void look_lose(struct look_processes *found);
/* Picks the ranks of the run that `target` means: a process, a Slurm job, a folder. false: none, or several runs, which is said. */
bool look_pick(struct look_processes *found, const char *target);

/* --- readings --------------------------------------------------------------------------------------------------------- */

struct look_comm {
	int index;
	char name[256], label[64];
	bool inter;
	int32_t own, peers;
	int32_t *world;       /* null: the same numbers */
	uint64_t begun;
};

/* A thread that may be in MPI. */
struct look_thread {
	pid_t number;
	char state;
	int64_t ran_ns;
};

struct look_reading {
	bool there;                        /* the process was there, and its block is in order */
	struct look_block block;
	char state;                        /* as in /proc/PID/stat */
	int64_t cpu_ns;                    /* used by all of its threads; -1: not known */
	struct look_thread *threads;
	size_t thread_count;
	bool steady[LOOK_SLOTS];           /* what it was in before its tables were read it was in after that */
	char why[240];                     /* why its tables could not be read; empty: they were */
	struct ledger_stream *sent, *taken; /* in the order of their keys */
	size_t sent_count, taken_count;
	struct look_comm *comms;
	size_t comm_count;
	struct shadow *shadows;
	size_t shadow_count;
	uint64_t turn;                     /* how many receives it has posted so far */
};

void look_read(const struct look_process *process, struct look_reading *reading);
/* What /proc says of a process; what it does not say stays as it is. false: it is gone. */
bool look_stat(pid_t pid, char *state, int *parent);
void look_read_tables(pid_t pid, struct look_reading *reading);
void look_forget(struct look_reading *reading);
const struct look_comm *look_comm_at(const struct look_reading *reading, int index);
const struct ledger_stream *look_stream(const struct ledger_stream *list, size_t count, uint64_t key);

/* --- looks ------------------------------------------------------------------------------------------------------------ */

struct look_pair {
	struct look_reading first, second;
	int64_t first_ns, second_ns;       /* CLOCK_REALTIME */
};

/* Whether a thread of it is, in both readings, in one and the same call. */
bool look_same(const struct look_pair *pair, size_t slot);
/* ... and has worked on it meanwhile, so that what could end it has been looked at. */
bool look_tried(const struct look_pair *pair, size_t slot);
static inline bool look_slot_is_used(const struct look_slot *slot)
{
	return slot->call != LOOK_Nothing || slot->inside != 0 || slot->sending[0] != 0 || slot->sending[1] != 0 || slot->sending[2] != 0 ||
	       slot->sending[3] != 0;
}
/* gone: ranks of the run whose processes there are no more. */
json_t *look_document(const struct look_process *processes, const struct look_pair *pairs, size_t count, json_t *gone);
/* Whether the numbers of processes that a process knows are those that are seen here. */
bool look_shares_numbers(pid_t pid);
/* Looks at what `target` means; null: it could not, which was said. */
json_t *look_take(const char *target);

/* seamark snapshot --look: to a file, or into a folder, or "-"; null: a new file here. */
int look_main(const char *target, const char *output);

#endif
