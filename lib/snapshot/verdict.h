/* SPDX-License-Identifier: BSD-3-Clause */
/* The verdict: what all ranks say of a snapshot, in one reduction. Plain memory of one size on every rank. */
#ifndef SNAPSHOT_VERDICT_H
#define SNAPSHOT_VERDICT_H

#include <stdint.h>

#include "snapshot/wire.h"

struct verdict {
	/* sums */
	uint64_t voids;            /* ranks that made a void cut or gave up */
	uint64_t open;             /* ranks with an open channel */
	uint64_t messages;         /* in flight */
	uint64_t message_bytes;
	uint64_t image_bytes;
	uint64_t referred_bytes;   /* of images, in checkpoints before this one */
	uint64_t collectives;      /* modulo 2^64; zero is right */
	uint64_t tables;           /* modulo 2^64: of mix64_pair(rank, hash of the image's chunk table) */
	uint64_t abandoned;        /* messages owed on communicators that their receiver had freed */
	uint64_t orphans;          /* of a drill */
	/* of any rank */
	uint64_t parents;          /* these checkpoints: bit i for the number of this attempt less i + 1 */
	/* maxima */
	int64_t held_ns;           /* the longest time that a rank was held for its cut */
	int64_t overshoot;         /* safepoints by which a rank had passed the ordered step */
	int64_t step;              /* of the cut; -1 in event programs */
	int64_t step_least;        /* ... negated, so that it is a maximum too; INT64_MIN in event programs */
	int64_t world_most;        /* collectives begun on the world at the cut */
	int64_t world_least;       /* ... negated, so that it is a maximum too */
	/* the lowest rank's reason */
	int32_t reason_rank;       /* INT32_MAX: none */
	int32_t reason;            /* enum reason */
	char text[WIRE_TEXT_BYTES];
};

/* Associative and commutative. */
void verdict_combine(void *sum, const void *other);

#endif
