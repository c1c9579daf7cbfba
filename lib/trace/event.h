/* SPDX-License-Identifier: BSD-3-Clause */
/* What a trace is made of: one thing that happened on one rank, as it is kept in memory, and as it is read from a file. Pure. */
#ifndef TRACE_EVENT_H
#define TRACE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are those of the file (docs/format.md, 10): they stay what they are, and new ones are added at the end. Which fields mean something is said behind each; `peer` is
 * a rank of MPI_COMM_WORLD. */
enum trace_kind {
	TRACE_NONE = 0,
	/* what the application does */
	TRACE_SEND = 1,        /* begins a send: text (the call), flags (TRACE_SYNCHRONOUS), peer, comm, tag, position, value (bytes) */
	TRACE_UNSENT,          /* ... which MPI refused: peer, comm, tag, position */
	TRACE_TOLD,            /* is told of a message: flags (TRACE_MAIL, TRACE_UNPLACED, TRACE_TRUNCATED), peer, comm, tag, position, value (bytes), turn */
	TRACE_PLACED,          /* one that was unplaced has its position: turn, peer, comm, tag, position */
	TRACE_COLLECTIVE,      /* begins a collective: text (the call), comm, value (the how manieth on it) */
	TRACE_SAFEPOINT,       /* is at a safepoint: position (its step, or -1) */
	/* the snapshot: what goes between ranks */
	TRACE_REQUEST,         /* asks for a snapshot here: value (what for) */
	TRACE_ORDER_SENT,      /* order (enum trace_order in value), peer, turn (epoch; 0: none), position (of a cut: the ordered step, or -1) */
	TRACE_ORDER_CAME,
	TRACE_MARKER_SENT,     /* peer, value (epoch), flags (TRACE_VOID) */
	TRACE_HEAD_CAME,       /* a marker's first part is noticed: peer, value (epoch), flags (TRACE_VOID) */
	TRACE_COUNTS_CAME,     /* ... and its counts: peer, value (epoch) */
	/* the snapshot: what this rank does */
	TRACE_ALERT,           /* knows of the attempt: value (epoch), turn (its number) */
	TRACE_CAPTURE,         /* begins to take its state */
	TRACE_CAPTURED,        /* has it: flags (TRACE_FAILED) */
	TRACE_CUT,             /* its cut: position (its step, or -1), value (epoch), flags (TRACE_VOID) */
	TRACE_MARKED,          /* of a stream it had sent so many before its cut: peer, comm, tag, position. Follows TRACE_CUT */
	TRACE_MARKED_MORE,     /* ... and there were value streams more, which are left out */
	TRACE_GOES_ON,         /* the program goes on after the cut */
	TRACE_MATCHED,         /* all its markers are with their receivers */
	TRACE_RECORDED,        /* keeps a late message: peer, comm, tag, position, value (bytes), turn */
	TRACE_DRAINED,         /* takes a late message out of the MPI library, for which the program has not asked: peer, comm, tag, position, value (bytes), turn */
	TRACE_BARRIER,         /* enters the closing barrier */
	TRACE_BARRIER_DONE,    /* every marker is where it is to be */
	TRACE_CLOSED,          /* its channels are closed: the record is handed to the writer */
	TRACE_DURABLE,         /* its image is on the disk: value (bytes) */
	TRACE_VOID_HERE,       /* cannot be right, for a reason of this rank: text */
	TRACE_GIVEN_UP,        /* its image is dropped */
	TRACE_VERDICT,         /* enters the verdict: flags (TRACE_VOID) */
	TRACE_VERDICT_DONE,    /* ... which is here: flags (TRACE_VOID) */
	TRACE_REBASED,         /* its base is at the cut of this attempt: value (epoch) */
	TRACE_COMMIT,          /* rank 0 writes the manifest */
	TRACE_COMMITTED,       /* ... which is in place: flags (TRACE_FAILED) */
	TRACE_OUTCOME,         /* it is known: value (epoch), flags (TRACE_VOID), text (why) */
	TRACE_LEFT_OUT,        /* so many events of messages, markers and orders had no room from here to the outcome: value */
	TRACE_KINDS
};

enum { TRACE_SYNCHRONOUS = 1, TRACE_MAIL = 2 /* from the mailbox */, TRACE_UNPLACED = 4, TRACE_TRUNCATED = 8, TRACE_VOID = 16, TRACE_FAILED = 32 };

enum trace_order { TRACE_ORDER_REQUEST = 1, TRACE_ORDER_ANNOUNCE, TRACE_ORDER_READY, TRACE_ORDER_CUT, TRACE_ORDER_HASTEN, TRACE_ORDER_OUTCOME };

struct trace_event {
	int64_t ns;            /* CLOCK_MONOTONIC of this rank */
	uint8_t kind;          /* enum trace_kind */
	uint8_t flags;
	uint32_t comm;         /* in memory: a number of its own; in a file: index of its communicators. TRACE_NO_COMM */
	int32_t peer;          /* -1: none */
	uint32_t tag;
	int64_t position;
	uint64_t value;        /* bytes of a message, or as the kind says */
	uint64_t turn;         /* its place in the rank's one sequence of taking */
	/* In memory: a call's name, or the serial of a text (trace_text). In a file: index of its texts + 1; 0: none. */
	union {
		const char *call;
		uint64_t text;
	};
};
#define TRACE_NO_COMM UINT32_MAX

#endif
