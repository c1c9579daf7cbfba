/* SPDX-License-Identifier: BSD-3-Clause */
/* The incoming streams in one snapshot: what the markers said, what had been seen at the cut, what was recorded. */
#ifndef SNAPSHOT_WINDOW_H
#define SNAPSHOT_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/index.h"

struct window_stream {
	uint64_t key;
	int64_t limit;         /* messages before the sender's cut; 0 until a marker says otherwise */
	int64_t synchronous;   /* highest position known to its sender as complete, of synchronous sends */
	int64_t seen;          /* before this rank's cut; may be negative: carried ones */
	int64_t highest;       /* position seen before this rank's cut */
	int64_t recorded;
	int64_t orphans;       /* of those seen before this rank's cut; in a drill, where they are counted and void nothing */
	int64_t next;          /* the next stream of the same channel, or -1 */
	bool had_synchronous;
	bool abandoned;        /* this rank had freed the communicator: nobody can ask for what is owed */
};

struct window {
	struct window_stream *streams; /* dense, in order of appearance */
	size_t count;
	size_t room;
	struct index index;    /* by key */
	size_t open;           /* streams that owe a late message */
	bool failed;           /* no memory for a stream */
};

void window_clear(struct window *window);
void window_free(struct window *window);
struct window_stream *window_find(const struct window *window, uint64_t key);
/* The stream, made at zero if it is new (then *made is true); null: no memory. Moves the others. */
struct window_stream *window_stream(struct window *window, uint64_t key, bool *made);

static inline int64_t window_owed(const struct window_stream *stream)
{
	return stream->abandoned ? 0 : stream->limit - (stream->seen - stream->orphans) - stream->recorded;
}

/* What nobody will ask for, of a stream on a communicator that was freed. */
static inline int64_t window_lost(const struct window_stream *stream)
{
	int64_t missing = stream->limit - (stream->seen - stream->orphans) - stream->recorded;
	return stream->abandoned && missing > 0 ? missing : 0;
}

#endif
