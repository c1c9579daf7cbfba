/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share.
 *   state.c    the regions by name, and what is loaded into them; names.c finds them
 *   choose.c   before the cut: by which way each region is taken, and the memory for it
 *   staging.c  memory in which a large region's copy stays from one capture to the next
 *   copy.c     memory in which the copies of the others lie one behind the other
 *   capture.c  the cut
 *   pages.c    what the kernel knows of pages written; maps.c its mappings; child.c a child that holds memory as it was
 *   mover.c    copying; memory.c  memory for copies; probe.c  can it be read?; stream.c  what callbacks write */
#ifndef STATE_INSIDE_H
#define STATE_INSIDE_H

#include "state/child.h"
#include "state/memory.h"
#include "state/mover.h"
#include "state/names.h"
#include "state/pages.h"
#include "state/state.h"
#include "state/stream.h"

#define NAME_ROOM 256

/* Memory that was found readable. A program that swaps two buffers names them in turn, at each step. */
struct known {
	const void *data;
	size_t bytes;
};

/* How a region is taken at the cut. */
enum way {
	WAY_NONE,                          /* it streams, or is empty */
	WAY_PACKED,                        /* copied, with others */
	WAY_COPY,                          /* copied to its own staging memory */
	WAY_CHANGES,                       /* so, but of what is there already only what has changed */
	WAY_FORK,                          /* a child process holds it */
	WAY_HELD                           /* not at all: the program is held until it is written */
};

/* What a large region was at the last capture, and while that is live what the writer reads. */
struct staging {
	struct memory memory;
	const void *data;                  /* whose copy it is; null: nobody's */
	size_t bytes;
	uint64_t *changed;                 /* per block, as state.h has it */
	uintptr_t from, to;                /* the pages that are watched; equal: none */
	bool protected;                    /* at the last capture they were declared unwritten */
	struct staging *next;              /* of those to be freed */
	uint64_t last_capture;             /* ... when no capture up to this one is read any more */
};

struct region {
	char *name;
	size_t place;                      /* in the list */
	void *data;
	size_t bytes;
	int (*save)(seamark_writer *, void *); /* null: a block of memory */
	int (*load)(seamark_reader *, void *);
	void *context;
	struct shape shape;                /* owns its extents */
	struct known known[2];

	enum way way;                      /* at the next capture */
	struct staging *staging;
	struct known unwatchable;          /* there it cannot be watched */
	struct known unforkable;           /* there a child does not have it */
	bool whole;                        /* what changed was not worth watching for */
	bool told;                         /* that it is taken this way */
	unsigned pause;                    /* captures until that is tried again; each time twice as many */
	uint64_t try_at;
	double share;                      /* of it, that had changed at the last capture */

	struct region *next;               /* of those to be freed */
	uint64_t last_capture;
};

/* What a capture is made of. There are two: regions may change while the last capture is still being written. */
struct copy {
	struct memory blocks;              /* the small regions' memory */
	struct memory saved;               /* what callbacks streamed */
	struct state_captured *captured;
	size_t room;                       /* of the last */
};

struct state {
	struct state_config config;
	struct region **regions;           /* in order; with holes after some were forgotten */
	size_t count;                      /* with holes */
	size_t room;
	size_t holes;
	struct names names;
	bool busy;                         /* inside a callback */
	seamark_writer writer;
	seamark_reader reader;

	struct copy copies[2];
	struct copy *live;                 /* of the last capture, while somebody may read it */
	struct copy *ready;                /* for the next */
	bool prepared;                     /* ready and the regions' ways are as they should be */
	bool told;                         /* that the program is held */
	bool told_fork;                    /* that there was no memory for a copy, but for a child */
	size_t saved_bytes;                /* what callbacks streamed last time */

	uint64_t captures;                 /* the number of the last */
	struct staging *old_stagings;      /* that a live capture may still need */
	struct region *old_regions;        /* their names */
	uint64_t staged;                   /* bytes of memory of stagings, old ones too */

	bool opened;                       /* the tools below were looked for */
	struct mover *mover;
	struct pages *pages;               /* null: nothing can be watched */
	struct pages_range *ranges;
	double copy_ns;                    /* per byte, as measured */
	struct child *child;               /* of the last capture */
	bool child_ended;                  /* but it may not be gone yet */
	uint64_t no_fork_until;            /* it has failed */
	bool drifted;                      /* pages changed unseen */
};

enum { STATE_RANGES = 8192 };

/* From here on a region has memory of its own for its copy, as far as there are not too many of them. */
#define STATE_LARGE ((size_t)64 << 10)
enum { STATE_LARGE_MOST = 4096 };

/* state.c: takes the holes out of the list. */
void regions_close_up(struct state *state);
/* What was kept for captures that nobody reads any more. */
void regions_drop_old(struct state *state, bool all);

/* copy.c */
bool copy_prepare(struct state *state, size_t bytes);
size_t copy_place(size_t offset, size_t bytes);
size_t copy_bytes(const struct state *state);
void copies_free(struct state *state);

/* staging.c */
/* False: there is no memory for it, or it may not be taken. */
bool staging_take(struct state *state, struct region *region);
void staging_retire(struct state *state, struct region *region);
void staging_drop_old(struct state *state, bool all);
void staging_watch(struct state *state);
void staging_leave(struct state *state, struct staging *staging);
/* Copies what has changed of a region, or all of it. */
void staging_refresh(struct state *state, struct region *region);
/* After that: whether what the kernel said can be true. False: it was not, and now all has been copied. */
bool staging_check(struct state *state, struct region *region);

/* choose.c */
void choose_after(struct state *state, struct region *region, double share);
void choose_end_child(struct state *state);

/* The largest that may be taken in all. */
static inline uint64_t state_staging_left(const struct state *state)
{
	uint64_t taken = state->staged + copy_bytes(state);

	return taken < state->config.memory ? state->config.memory - taken : 0;
}

#endif
