/* SPDX-License-Identifier: BSD-3-Clause */
/* Who waits for whom, by looks.
 *   explain_model.c  from documents to ranks, calls and streams
 *   explain_graph.c  who can go on, and who never will
 *   explain_text.c   what a call waits for, in words
 *   explain_lines.c  where each rank is
 *   explain_leaks.c  messages that nobody asks for
 *   explain.c        the command */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum explain_kind {
	EXPLAIN_RECEIVE, EXPLAIN_PROBE, EXPLAIN_BLOCKING_SEND, EXPLAIN_SYNCHRONOUS, EXPLAIN_PERSISTENT, EXPLAIN_SEND, EXPLAIN_COLLECTIVE, EXPLAIN_ARRIVING,
	EXPLAIN_FILE
};
enum { EXPLAIN_ANY = -1, EXPLAIN_NOT_KNOWN = -2 };
#define EXPLAIN_NO_NUMBER INT64_MIN

struct explain_stream {
	int comm, peer, tag;
	int64_t total, seen;
};

struct explain_streams {
	struct explain_stream *list; /* in the order of comm, peer, tag */
	size_t count;
};

struct explain_await {
	enum explain_kind kind;
	int comm;              /* of explain_look.comms, or EXPLAIN_NOT_KNOWN */
	int peer, tag;         /* EXPLAIN_ANY, EXPLAIN_NOT_KNOWN */
	int64_t number;        /* EXPLAIN_NO_NUMBER */
	int root;              /* EXPLAIN_NOT_KNOWN: none */
	const char *call;      /* of a collective */
	struct explain_streams later; /* of a receive from anywhere: by stream, how many receives were posted after it */
};

struct explain_call {
	const char *name, *since;
	bool same;             /* in both readings */
	bool more;             /* it awaits more than is told */
	struct explain_await *awaits;
	size_t count;
};

struct explain_rank {
	bool present, readable, gone, stopped, moved, several;
	const char *unreadable;
	int64_t step, safepoints, base;
	double from_s, to_s;   /* when it was as it is told */
	const char *node;
	int pid;
	struct explain_call *calls;
	size_t call_count;
	struct explain_await *posted;
	size_t posted_count;
	struct explain_streams sent, taken;
	int64_t *begun;        /* by communicator; -1: it is not in it, or has freed it */
	const json_t *source;  /* of its calls */
	/* of the graph */
	bool can_go_on;
};

struct explain_comm {
	const char *name, *label;
	bool inter;
	int *members;          /* null: all ranks */
	int count;
};

struct explain_look {
	const char *run;
	int ranks;
	double from_s, to_s;
	struct explain_rank *rank;
	struct explain_comm *comms;
	size_t comm_count;
};

/* Whether a document is a look at all; false: what it is instead was said of `name`. */
bool explain_is_look(const json_t *document, const char *name);
/* The documents are looks, of one run, at most one of each node; they stay as long as the model. false: that was said. */
bool explain_model(json_t *const *documents, size_t count, struct explain_look *look);
void explain_free(struct explain_look *look);
const struct explain_stream *explain_stream(const struct explain_streams *streams, int comm, int peer, int tag);
/* Where those of a communicator with a peer begin. */
size_t explain_streams_with(const struct explain_streams *streams, int comm, int peer);
const struct explain_call *explain_blocked_call(const struct explain_rank *rank);
/* Whether the counts of two ranks can be compared: both were read, and their bases moved equally often. */
bool explain_comparable(const struct explain_look *look, int a, int b);

/* --- the graph -------------------------------------------------------------------------------------------------------- */

/* Which ranks can go on, at last, if those that run do. supposed: what the MPI library is free to wait for, it waits for. Returns how many never will. */
size_t explain_settle(struct explain_look *look, bool supposed);
/* For whom a rank that cannot go on, or is blocked, waits: the first of those of a kind, or -1. stuck: only those that cannot go on. */
struct explain_waits { int *list; int count; };
struct explain_waits explain_waits_for(const struct explain_look *look, int rank, bool stuck, bool supposed);
/* Whether all ranks that cannot go on were so at one moment. */
bool explain_at_one_moment(const struct explain_look *look);

/* --- words ------------------------------------------------------------------------------------------------------------ */

struct explain_text { char text[400]; };
/* "MPI_Recv from rank 1 with tag 7" */
struct explain_text explain_call_text(const struct explain_look *look, int rank, const struct explain_call *call);
/* What is known of why it does not end; empty: nothing. */
struct explain_text explain_why_text(const struct explain_look *look, int rank, const struct explain_call *call);
/* "rank 3", "ranks 0, 1 and 2", "ranks 0 to 63" */
struct explain_text explain_ranks_text(const int *list, int count);
/* " on 'world/0.3'", or nothing for the world. */
struct explain_text explain_on_text(const struct explain_look *look, int comm);

/* Where each rank is, printed: those of a circle first. */
void explain_tell_ranks(const struct explain_look *look, const struct explain_waits *circle);

/* --- messages --------------------------------------------------------------------------------------------------------- */

/* Those that were sent to a rank and for which it has posted no receive; -1: all ranks. Printed, at most so many lines, or added to a list. */
void explain_unreceived(const struct explain_look *look, int to, json_t *list);
/* Streams that have grown between two looks, while their receivers took other messages and none of these. */
size_t explain_leaks(const struct explain_look *before, const struct explain_look *after, json_t *list);

#endif
