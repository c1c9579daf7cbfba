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

struct state *state_new(void);
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
void state_view(const struct state *state, size_t index, struct state_region_view *view);
/* SIZE_MAX if there is none. */
size_t state_find(const struct state *state, const char *name);
/* Feeds bytes to a region's load callback, or copies them into its memory, which must be of that size: else SEAMARK_E_REGION. */
int state_load(struct state *state, size_t index, const void *data, uint64_t bytes, struct fault *fault);

/* Makes memory for the copy ready and touches it, so that a capture is a copy and nothing else. Called at safepoints; cheap if nothing changed. Without
 * memory for it the state is remembered as uncopied: state_capture then gives the regions themselves. Never touches what the last
 * capture gave, unless state_capture_done was called. */
void state_prepare(struct state *state);

/* What the cut took: names and bytes, to be written by another thread. Valid until the next capture or state_free. */
struct state_capture {
	const struct state_captured {
		const char *name;
		const void *data;
		uint64_t bytes;
		struct shape shape; /* valid until regions are named or forgotten */
	} *regions;
	size_t count;
	uint64_t bytes;    /* of all */
	bool copied;       /* false: data points into the program's own memory, which must not go on until it is written */
};
/* Captures all regions, and ends the validity of the last capture. SEAMARK_E_MEMORY, or SEAMARK_E_REGION when a save callback failed: nothing was captured. */
int state_capture(struct state *state, struct state_capture *capture, struct fault *fault);
/* What the last capture gave is not read any more: its memory may be changed, or given back, by state_prepare. Saves memory when
 * regions grow; not needed before another capture. */
void state_capture_done(struct state *state);

#endif
