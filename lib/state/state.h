/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of this rank: its protected regions, and the copy that is taken of them at the cut. Knows no MPI, no files. */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/shape.h"
#include "seamark.h"

struct state;

/* By which way the state is taken at the cut. */
enum state_way {
	STATE_AUTO,        /* changes or copy, whichever costs the program less, region by region; fork without memory for that; else hold */
	STATE_COPY,        /* all of it is copied, or held */
	STATE_CHANGES,     /* what was written since the last capture is copied, where the kernel tells; else as copy */
	STATE_FORK,        /* a child process holds large regions as they were; as copy what it cannot hold */
	STATE_HOLD         /* nothing is taken: the program is held until its memory is written */
};
struct state_config {
	enum state_way way;
	uint64_t memory;   /* the most that copies may take, in bytes, beside what save callbacks write */
	unsigned helpers;  /* threads that help with copying; each calls `place` (may be null) first, to be bound */
	void (*place)(void *context);
	void *context;
};

/* config null: auto, all memory that is free, no helpers. */
struct state *state_new(const struct state_config *config);
void state_free(struct state *state);

/* See seamark_protect, seamark_protect_with, seamark_unprotect. That the memory can be read is looked at here, without a fault; memory that is
 * unmapped later, while it is still protected, makes the capture crash. SEAMARK_E_ORDER from inside a save or load callback. */
int state_protect(struct state *state, const char *name, void *data, size_t bytes, struct fault *fault);
/* The shape is copied; it must be one that shape_check finds nothing wrong with. */
int state_protect_array(struct state *state, const char *name, void *data, const struct shape *shape, struct fault *fault);
int state_protect_with(struct state *state, const char *name, int (*save)(seamark_writer *, void *),
		       int (*load)(seamark_reader *, void *), void *context, struct fault *fault);
int state_unprotect(struct state *state, const char *name, struct fault *fault);

/* The regions now, in the order in which they were protected. */
size_t state_count(const struct state *state);
struct state_region_view {
	const char *name;
	void *data;        /* null for one with callbacks */
	uint64_t bytes;    /* 0 for one with callbacks */
	bool callbacks;
	struct shape shape; /* valid until regions are named or forgotten */
};
void state_view(struct state *state, size_t index, struct state_region_view *view);
/* SIZE_MAX if there is none. */
size_t state_find(struct state *state, const char *name);
/* Feeds bytes to a region's load callback, or copies them into its memory, which must be of that size: else SEAMARK_E_REGION. */
int state_load(struct state *state, size_t index, const void *data, uint64_t bytes, struct fault *fault);

/* Chooses the way of each region, makes memory for the copies ready and touches it, so that a capture is a copy and nothing else. Called at safepoints; cheap if nothing
 * changed. Never touches what the last capture gave, unless state_capture_done was called. */
void state_prepare(struct state *state);

/* Of what size the blocks are whose last change is known. */
#define STATE_BLOCK (UINT64_C(64) << 10)

/* What the cut took: names and bytes, to be written by another thread. Valid until the next capture or state_free. */
struct state_capture {
	const struct state_captured {
		const char *name;
		const void *data;
		uint64_t bytes;
		struct shape shape; /* valid until regions are named or forgotten */
		/* Null: data is memory of this process. Else its bytes are had by this call, from any thread: 0, or why they cannot be had. */
		int (*read)(void *context, const void *data, void *to, uint64_t bytes, struct fault *fault);
		void *context;
		/* Per block of STATE_BLOCK bytes, the number of the capture that first found it as it is in this one; the memory of
		 * the region of that name was the same in all captures since then. Null: not known. */
		const uint64_t *changed;
	} *regions;
	size_t count;
	uint64_t bytes;    /* of all */
	uint64_t number;   /* of this capture: 1, 2, ..., also those that failed */
	bool copied;       /* false: data points into the program's own memory, which must not go on until it is written */
};
/* Captures all regions, and ends the validity of the last capture. SEAMARK_E_MEMORY, or SEAMARK_E_REGION when a save callback failed: nothing was captured. */
int state_capture(struct state *state, struct state_capture *capture, struct fault *fault);
/* What the last capture gave is not read any more, or need not be had: its memory may be changed, or given back, by state_prepare, and the child that
 * held it is ended (reads of it fail). Saves memory; not needed before another capture. */
void state_capture_done(struct state *state);

#endif
