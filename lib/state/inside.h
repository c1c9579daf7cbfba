/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share. */
#ifndef STATE_INSIDE_H
#define STATE_INSIDE_H

#include "state/memory.h"
#include "state/state.h"
#include "state/stream.h"

#define NAME_ROOM 256

/* Memory that was found readable. A program that swaps two buffers names them in turn, at each step. */
struct known {
	const void *data;
	size_t bytes;
};

struct region {
	char name[NAME_ROOM];
	void *data;
	size_t bytes;
	int (*save)(seamark_writer *, void *); /* null: a block of memory */
	int (*load)(seamark_reader *, void *);
	void *context;
	struct shape shape;                /* owns its extents */
	struct known known[2];
};

/* What a capture is made of. There are two: regions may change while the last capture is still being written. */
struct copy {
	struct memory blocks;              /* the regions' memory */
	struct memory saved;               /* what callbacks streamed */
	struct state_captured *captured;
	char (*names)[NAME_ROOM];
	size_t room;                       /* of the last two */
};

struct state {
	struct region **regions;           /* each on its own: a view's name stays where it is */
	size_t count;
	size_t room;
	bool busy;                         /* inside a callback */
	seamark_writer writer;
	seamark_reader reader;

	struct copy copies[2];
	struct copy *live;                 /* of the last capture, while somebody may read it */
	struct copy *ready;                /* for the next */
	bool prepared;                     /* ready fits the regions, or there is no memory for it */
	bool copied;                       /* the next capture will be a copy */
	bool told;                         /* that it will not */
	size_t saved_bytes;                /* what callbacks streamed last time */
};

void copies_free(struct state *state);

#endif
