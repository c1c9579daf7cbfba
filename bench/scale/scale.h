/* SPDX-License-Identifier: BSD-3-Clause */
/* What one snapshot costs as the world grows: messages, time and memory, for patterns of traffic (docs/scaling.md).
 *   patterns.c  who sends to whom
 *   real.c      the library's own protocol objects, one set per rank, in one process: what they send is counted, what they hold is measured
 *   model.c     the same counts from formulas, and the time by LogGP, for any number of ranks
 *   plot.c      the picture
 *   main.c      options, tables, and the check of the model against the objects */
#ifndef SCALE_H
#define SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* --- patterns.c ---------------------------------------------------------------------------------------------------------- */

enum pattern { HALO_2D, HALO_3D, SPARSE, HUB, ALL_TO_ALL, PATTERNS };
extern const char *const pattern_names[PATTERNS];
/* -1: none of that name. */
int pattern_named(const char *name);
/* How many ranks one rank sends to, at most. */
int32_t pattern_most(enum pattern pattern, int32_t ranks, int32_t rank);
/* Those ranks, each once and without itself, in order from the next one on and around; the list has room for pattern_most(). Gives their number. */
int32_t pattern_targets(enum pattern pattern, int32_t ranks, int32_t rank, int32_t *list);

/* --- real.c ----------------------------------------------------------------------------------------------------------------- */

enum order { ANNOUNCE, READY, CUT, OUTCOME, REQUEST, ORDERS };

/* What was sent in one snapshot. */
struct sent {
	uint64_t orders[ORDERS];
	uint64_t markers;
};

struct real {
	struct sent all;
	struct sent *by_rank;
	double order_bytes[ORDERS];   /* means */
	double marker_bytes;
	uint64_t second_parts;        /* counts that did not fit behind a marker's head */
	int32_t barriers, verdicts;   /* ranks that entered them */
	bool committed;
};

struct run {
	enum pattern pattern;
	int32_t ranks;
	bool markers_all;
	bool events;                  /* an event program, or one with steps */
	int32_t asked_by;
};

/* One snapshot of that many ranks, each with traffic in both directions. Ends the process if it does not commit. */
void real_run(const struct run *run, struct real *real);
void real_free(struct real *real);

struct memory {
	size_t idle;       /* the ledger and the protocol's state, between snapshots */
	size_t window;     /* the same in a snapshot, when all markers are here */
	size_t cut;        /* in the act of the cut: with all its markers on their way */
};
/* Of one rank with so many neighbours, in both directions, as the allocator counts it. */
struct memory real_memory(int32_t ranks, int32_t neighbours);

/* --- model.c ---------------------------------------------------------------------------------------------------------------- */

/* Microseconds; `G` per byte. */
struct network { char name[32]; double L, o, g, G; };

struct counts {
	struct sent all;
	uint64_t barrier, verdict;    /* messages in the MPI library's barrier and reduction */
	uint64_t total;
	uint64_t most;                /* that one rank sends and receives */
	int32_t most_neighbours;      /* of one rank, both directions */
	double neighbours;            /* mean */
	bool within;                  /* no rank has more than its neighbours and some times log N */
};
struct sent model_sent(const struct run *run, int32_t rank);
/* Null for `sources` and `targets`: both directions are alike. */
struct counts model_counts(const struct run *run);

struct times {
	double alert;                 /* announcement to the last READY */
	double cut;                   /* order to the last cut */
	double markers;               /* ... to the last marker here */
	double closure;
	double verdict;               /* noticed by the last rank */
	double posting;               /* of a rank, to post its markers: in the program's way */
	double textbook;              /* N(N-1) markers, first to last */
	double barrier;               /* all stand still: two barriers */
};
/* attention: a rank looks for messages at a time drawn between 0 and this, in microseconds, after they have come. */
struct times model_times(const struct run *run, const struct network *network, const struct real *sizes, double attention);

int32_t model_log2(int32_t ranks); /* rounded up */

/* --- plot.c ------------------------------------------------------------------------------------------------------------------ */

enum { SIZES_MOST = 32, CURVES_MOST = 12 };
struct curve { const char *label; const char *colour; bool dashed; int count; double x[SIZES_MOST], y[SIZES_MOST]; };
struct panel { const char *title, *unit; struct curve curves[CURVES_MOST]; int count; };
/* All axes are logarithmic; x are numbers of ranks. */
bool plot_write(const char *path, const char *title, const struct panel *panels, int count);

#endif
