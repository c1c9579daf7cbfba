/* SPDX-License-Identifier: BSD-3-Clause */
/* Events in memory: the newest of what the application does, and the newest of what the snapshot does, each in a ring of its own, so that many messages do not push out a cut. While an attempt is under way
 * nothing is overwritten that came after its beginning, nor of the application's what came shortly before: what has no room then is left out, and counted; for what a rank does once in an attempt there is always
 * room. Pure. */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include "trace/event.h"
#include "trace/format.h"

struct trace;

/* With so many bytes of memory, or somewhat less; null: there is none. */
struct trace *trace_new(uint64_t bytes);
void trace_free(struct trace *trace);

void trace_add(struct trace *trace, const struct trace_event *event);
/* Whether an event of this kind would be kept. */
bool trace_has_room(const struct trace *trace, enum trace_kind kind);
/* Keeps a text for an event, for as long as those after it leave it there. Its number. */
uint64_t trace_text(struct trace *trace, const char *text);
/* Whether nothing has happened since an event of this kind with this position was added. */
bool trace_is_last(const struct trace *trace, enum trace_kind kind, int64_t position);

/* An attempt begins here; it is over. */
void trace_begin(struct trace *trace);
void trace_end(struct trace *trace);

/* A communicator that events may name. */
struct trace_known_comm {
	uint32_t id;           /* what events have in `comm` */
	struct trace_comm comm;
};

/* All that is in memory, for the writer. */
struct trace_copy {
	struct trace_file head; /* whose it is; lists are empty */
	struct trace_known_comm *comms; /* owned */
	size_t comm_count;
	struct trace_slot *slots[2];
	size_t count[2];
	uint64_t turns_from;   /* what the application did before this turn is not told; 0: all of it is */
	struct trace_text *texts;
	uint64_t first_text, text_end;
};
/* head and comms are the caller's to set: comms becomes the copy's. null: no memory. */
struct trace_copy *trace_copy(const struct trace *trace);
void trace_copy_free(struct trace_copy *copy);
/* As the file has it; out->failed: no memory. */
void trace_copy_put(const struct trace_copy *copy, struct bytes_out *out);

#endif
