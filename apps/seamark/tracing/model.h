/* SPDX-License-Identifier: BSD-3-Clause */
/* A snapshot as it was traced (SEAMARK_TRACE, docs/tracing.md): what happened on each rank around it, in one causal order, messages and markers with both their ends.
 *
 *     struct trace_model *model;
 *     struct fault fault = FAULT_NONE;
 *     if (trace_model_of_snapshot("seamark", 13, &model, &fault))
 *             command_complain("%s", fault.text);
 *     for (uint32_t rank = 0; rank < model->ranks; rank++)
 *             for (size_t i = 0; i < model->of[rank].count; i++)
 *                     draw(&model->of[rank].events[i]);
 *     trace_model_free(model);
 *
 * Everything points into the model and lives as long as it. Nothing here is trusted by whoever made it: files are hostile, the model is sound. Indices are in range or -1. */
#ifndef TRACE_MODEL_H
#define TRACE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "trace/event.h"
#include "trace/format.h"

#define TRACE_MODEL_NO_STEP INT64_MIN  /* of no safepoint that was traced; SEAMARK_ANY_STEP (-1) is one of an event program */

/* One end of something: an event of a rank. */
struct trace_model_end {
	int32_t rank;           /* -1: it is not in the trace */
	uint32_t index;         /* in that rank's events */
};

/* Something that happened on a rank. What the kinds (enum trace_kind) mean, and which fields they have, stands in trace/event.h. */
struct trace_model_event {
	enum trace_kind kind;
	uint8_t flags;          /* TRACE_SYNCHRONOUS, ... */
	bool after;             /* after this rank's cut of the snapshot (colour); the cut itself is the last before. Without a cut: before */
	int64_t own_ns;         /* by the rank's own clock */
	int64_t ns;             /* corrected, since the announcement (the first TRACE_ALERT of all ranks), so before it negative. Never goes back in a rank, and always grows from a message's
	                         * sending to its telling and from a marker's sending to its coming */
	uint32_t order;         /* place in one order of all events in which every cause comes before its effects: index + 1 in model->in_order */
	int64_t step;           /* of the rank's last safepoint before, or TRACE_MODEL_NO_STEP */
	int32_t peer;           /* world rank; -1: none */
	int32_t comm;           /* index in model->comms; -1: none, or one that is freed and forgotten */
	uint32_t tag;
	int64_t position;       /* of a message: in its stream, counted as `seamark messages` does for this snapshot; TRACE_MODEL_NO_POSITION. Else as the kind says */
	uint64_t value;         /* bytes, or as the kind says */
	uint64_t turn;
	const char *text;       /* of TRACE_SEND and TRACE_COLLECTIVE the call, as "MPI_Isend"; of TRACE_VOID_HERE and TRACE_OUTCOME why. Null: none */
	int32_t message;        /* index in model->messages, of TRACE_SEND, TRACE_TOLD, TRACE_RECORDED, TRACE_DRAINED; -1: none */
	int32_t marker;         /* index in model->markers, of TRACE_MARKER_SENT, TRACE_HEAD_CAME, TRACE_COUNTS_CAME; -1: none */
	struct trace_model_end match; /* the other end: of a message's or marker's sending where it came, and the other way round */
};
#define TRACE_MODEL_NO_POSITION INT64_MIN

/* Where a message stands to the cut. */
enum trace_model_place {
	TRACE_MODEL_BEFORE,     /* sent and received before the cuts */
	TRACE_MODEL_LATE,       /* in flight: sent before its sender's cut, and not received before its receiver's */
	TRACE_MODEL_NEW,        /* sent after its sender's cut, received after its receiver's, or not yet */
	TRACE_MODEL_ORPHAN,     /* sent after its sender's cut, received before its receiver's: makes the snapshot void */
	TRACE_MODEL_UNKNOWN     /* one of the ends, or a cut, is not in the trace */
};

struct trace_model_message {
	int32_t from, to;       /* world ranks */
	int32_t comm;           /* index in model->comms, or -1 */
	uint32_t tag;
	uint64_t bytes;
	int64_t position;       /* or TRACE_MODEL_NO_POSITION */
	struct trace_model_end sent;     /* TRACE_SEND */
	struct trace_model_end told;     /* TRACE_TOLD: the application has it */
	struct trace_model_end recorded; /* TRACE_RECORDED */
	struct trace_model_end drained;  /* TRACE_DRAINED */
	enum trace_model_place place;
	bool synchronous;
	int64_t way_ns;         /* how long it has been on the way: from its sending to its telling; of a late one to its receiver's cut, 0 if that came first. -1: not known */
};

struct trace_model_marker {
	int32_t from, to;
	bool is_void;
	struct trace_model_end sent;     /* TRACE_MARKER_SENT */
	struct trace_model_end head;     /* TRACE_HEAD_CAME: noticed */
	struct trace_model_end counts;   /* TRACE_COUNTS_CAME */
	uint64_t streams;       /* how many its sender's cut has for this receiver ... */
	uint64_t counted;       /* ... and how many messages they have, as far as these are positive */
};

/* A communicator. */
struct trace_model_comm {
	const char *name;       /* the same on all members; the world is "world" */
	const char *label;      /* what the program called it; "": nothing */
};

/* The phases of the snapshot on one rank: indices of its events, -1 if it is not there. */
struct trace_model_phases {
	int32_t alert;          /* TRACE_ALERT */
	int32_t ordered;        /* the first TRACE_ORDER_CAME of kind cut, or marker's head, that came before the cut: what made it cut */
	int32_t capture, captured; /* its state is taken between these */
	int32_t cut;            /* TRACE_CUT */
	int32_t goes_on;        /* the program is held from capture, or cut, to this */
	int32_t matched, barrier, barrier_done;
	int32_t closed;         /* end of the window, or -1: a void cut has none */
	int32_t durable;        /* image written */
	int32_t void_here;      /* the first reason of this rank */
	int32_t given_up;
	int32_t verdict, verdict_done, rebased;
	int32_t outcome;
};

struct trace_model_rank {
	bool there;             /* its file was there, and whole; else `problem` says why not, and it has no events */
	char problem[160];      /* "": there is no file */
	struct trace_model_event *events; /* in program order */
	size_t count;
	uint64_t lost;          /* events before the first that were not kept */
	bool is_void;           /* its cut was void */
	int64_t step;           /* of its cut; -1: any, TRACE_MODEL_NO_STEP: it has none */
	int64_t offset_ns;      /* what was added to its clock */
	struct trace_model_phases phases;
};

struct trace_model {
	uint8_t run[16];
	uint64_t number;        /* of the snapshot's checkpoint, or of what would have been one */
	uint32_t life;
	uint64_t epoch;
	uint64_t nonce;         /* of the attempt */
	uint32_t ranks;         /* of the world */
	uint32_t read;          /* of these, in the trace */
	bool committed;         /* false also if nobody knows */
	bool is_void;
	const char *why;        /* of a void one, in words; "" if not known */
	int64_t announced_at_ns; /* since 1970, by the clock of the rank that began first: when `ns` is 0 */
	int64_t span_ns[2];     /* the first and the last event */
	struct trace_model_rank *of; /* [ranks] */
	struct trace_model_comm *comms;
	size_t comm_count;
	struct trace_model_message *messages; /* in order of sending, those whose sending is unknown first */
	size_t message_count;
	struct trace_model_marker *markers;
	size_t marker_count;
	struct trace_model_end *in_order;     /* all events in causal order; ties by rank */
	size_t event_count;
	uint64_t late, late_bytes, orphans;
	uint64_t clocks;        /* how many different clocks the ranks had (nodes) */
	int64_t pushed_ns;      /* the most that an event was moved, beyond its rank's offset, to come after its cause; 0: offsets were enough */
	struct trace_file *files;             /* the model's own: [ranks], what it was made of */
	uint64_t unordered;     /* events that a cause should come before, and could not: a damaged trace. 0 in a sound one */
};

/* A snapshot that was traced. */
struct trace_model_entry {
	uint64_t number;
	uint32_t life;
	uint32_t files;         /* of ranks */
};

/* The snapshots with a trace below SEAMARK_DIR, oldest number first. *entries is the caller's to free. 0; SEAMARK_E_NOT_FOUND: there is no such folder; SEAMARK_E_IO, SEAMARK_E_MEMORY */
int trace_model_list(const char *folder, struct trace_model_entry **entries, size_t *count, struct fault *fault);

/* Reads the trace of snapshot `number` (0: the newest) below SEAMARK_DIR. Ranks whose files are missing or damaged are left out, and say so. 0; SEAMARK_E_NOT_FOUND: there is no such trace; SEAMARK_E_DAMAGED:
 * no rank's file can be used; SEAMARK_E_IO, SEAMARK_E_MEMORY */
int trace_model_of_snapshot(const char *folder, uint64_t number, struct trace_model **model, struct fault *fault);
void trace_model_free(struct trace_model *model);


#endif
