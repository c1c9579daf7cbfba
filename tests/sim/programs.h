/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of programs share: small.c has those of a few messages, others.c some of other shapes, programs.c the others and the table. */
#ifndef SIM_PROGRAMS_H
#define SIM_PROGRAMS_H

#include "base/mix.h"
#include "sim/sim.h"

static inline int left_of(const struct rank *rank)
{
	return (rank->rank + rank->world->ranks - 1) % rank->world->ranks;
}

static inline int right_of(const struct rank *rank)
{
	return (rank->rank + 1) % rank->world->ranks;
}

/* As many steps, rounds or transfers as are drawn, or fewer by --length. */
static inline int64_t length(const struct rank *rank, int64_t drawn)
{
	int64_t most = rank->world->options.length;
	return most && most < drawn ? most : drawn;
}

/* What a rank gives to and takes from another, as sums of mixed values: at the end they have to be the same for each pair. */
static inline void gave(struct rank *rank, int to, int64_t a, int64_t b)
{
	rank->app.gave[to] += mix64_pair((uint64_t)a, (uint64_t)b);
}

static inline void took(struct rank *rank, const struct status *status)
{
	rank->app.took[status->source] += mix64_pair((uint64_t)status->payload.a, (uint64_t)status->payload.b);
}

const char *check_pairs(struct world *world);

void ring_begin(struct rank *rank);
void ring_run(struct rank *rank);
const char *ring_check(struct world *world);
void hello_run(struct rank *rank);
void one_run(struct rank *rank);
const char *one_check(struct world *world);
void gather_run(struct rank *rank);
const char *gather_check(struct world *world);
void replies_begin(struct rank *rank);
void replies_run(struct rank *rank);
void threads_begin(struct rank *rank);
void threads_run(struct rank *rank);
void threads_second(struct rank *rank);
const char *threads_check(struct world *world);
void blocked_run(struct rank *rank);
const char *blocked_check(struct world *world);

#endif
