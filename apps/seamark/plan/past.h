/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run's history tells (docs/format.md, 7): its lives, their checkpoints, and what was lost between one life and the next. */
#ifndef PAST_H
#define PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/interval.h"

struct past_commit {
	uint64_t number, bytes;
	int64_t messages, message_bytes; /* in flight; or -1 */
	int64_t step;            /* or -1 */
	int64_t cut_ns;          /* when it was asked for ... */
	int64_t durable_ns;      /* ... and when it was committed; since 1970 */
	double held_s, cost_s, durable_s;
};

enum past_end { PAST_OPEN, PAST_FAILED, PAST_STOPPED, PAST_ENDED, PAST_FINALIZED };

struct past_life {
	uint32_t number;
	int64_t began_ns;
	int64_t last_ns;         /* the last that is known of it */
	uint64_t from;           /* the checkpoint it went on from; 0: none */
	int64_t step;            /* its step, or -1 */
	uint64_t ranks, process;
	char host[65];
	enum past_end end;       /* open: it may be computing, or has failed since */
	double computed_s;       /* what of the run had been computed when it began; NaN: not known */
	/* From here until the next life had come so far again: what had been computed in vain, and the time in which nothing was. NaN: not known, or there is no next. */
	double lost_s;
	struct past_commit *commits;
	size_t commit_count, commit_room;
};

struct past {
	char run[33];            /* empty: there is no history */
	struct past_life *lives;
	size_t life_count, life_room;
	/* of lives that the history has only as sums */
	uint64_t lives_before, failures_before;
	double lived_before_s;
	bool without_memory;
};

/* A folder without a history has an empty past. false: it cannot be read, and that was said. */
bool past_read(struct past *past, const char *folder);
void past_free(struct past *past);
const char *past_end_name(enum past_end end); /* "open", "failed", "stopped", "ended", "finalized" */

/* What all lives tell together. Times are 0, and NaN where noted, as long as nothing is known. */
struct past_sums {
	uint64_t lives, failures, commits;
	uint64_t stops;          /* lives that ended otherwise, and were followed by another */
	double lived_s;
	double elapsed_s;        /* from the first begin to the last that is known */
	double cost_s, durable_s, held_s; /* of a checkpoint: the first two as a life that begins has them; the longest time that a rank was held, a moving mean */
	bool by_steps;           /* the cost is what its steps lose while one is written */
	double restart_s;        /* the shortest time from the last that is known of a life that failed to the next one's begin; NaN */
	double every_s;          /* between two cuts, on average; NaN */
	/* What was lost so far: by checkpoints that were not taken in vain, by failures (NaN: of some it is not known), between a stop and the next begin. */
	double lost_checkpoints_s, lost_failures_s, between_s;
};
void past_sum_up(const struct past *past, struct past_sums *sums);

#endif
