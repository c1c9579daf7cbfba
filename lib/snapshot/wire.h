/* SPDX-License-Identifier: BSD-3-Clause */
/* The protocol's own messages, as structs and as bytes. Decoding gives false for bytes that are no such message. */
#ifndef SNAPSHOT_WIRE_H
#define SNAPSHOT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { WIRE_TEXT_BYTES = 320 };

enum wire_kind {
	WIRE_REQUEST = 1,  /* any rank -> rank 0: a snapshot, please */
	WIRE_ANNOUNCE,     /* rank 0 -> initiator -> down its tree: the alert begins */
	WIRE_READY,        /* up the tree: how far this part of it is */
	WIRE_CUT,          /* down the tree: the order */
	WIRE_HASTEN,       /* rank 0 -> initiator: the ordered step is far; name a nearer one */
	WIRE_OUTCOME       /* rank 0 -> down its tree: committed, or why not */
};

/* What a snapshot is for. */
enum {
	WANT_REQUEST = 1,     /* somebody asked */
	WANT_INTERVAL = 2,    /* steps or the clock */
	WANT_STOP = 4,        /* ... and leave */
	WANT_COLLECTIVE = 8,  /* seamark_checkpoint: every rank is, or will be, in it */
	WANT_EMPTY = 16,      /* no state: move the base */
	WANT_DRILL = 32       /* no state, and a cut anywhere: do the counts hold? */
};

struct wire_request {
	uint8_t want;
};

/* The outcome of a snapshot whose verdict was good. */
struct wire_outcome {
	uint64_t epoch;
	bool committed;
	uint8_t reason;       /* enum reason */
	char text[WIRE_TEXT_BYTES];
};

struct wire_announce {
	uint64_t epoch;
	uint64_t number;
	uint64_t nonce;
	uint8_t run[16];      /* what the images of this attempt say they belong to */
	uint32_t life;
	uint32_t root;        /* the initiator */
	uint8_t want;
	int64_t lead;         /* safepoints beyond the highest known, for the initiator */
	int64_t world_lead;   /* the order is to name a count of the world's collectives, so many beyond the highest; 0: it names none */
	int64_t every;        /* the ordered step is to be a multiple of this; 0: any */
	struct wire_outcome last; /* in case it was overtaken; epoch 0: none yet */
};

enum { READY_RUNNING = 4 };
struct wire_ready {
	uint64_t epoch;
	int64_t step;         /* highest reached, or -1 */
	uint64_t world;       /* most collectives begun on the world */
	uint8_t kinds;        /* enum snapshot_kind, added up; and READY_RUNNING, if a rank is not in MPI_Finalize */
};

struct wire_cut {
	uint64_t epoch;
	int64_t step;         /* of step programs; -1 in event programs */
	int64_t world;        /* the world's count at which to cut, or -1 */
	bool mixed;           /* ranks of both kinds */
};

struct wire_hasten {
	uint64_t epoch;
};

/* A marker's head: enough to act as an order. */
struct wire_head {
	uint64_t epoch;
	uint64_t number;
	uint64_t nonce;
	uint8_t want;
	bool is_void;
	bool stepped;         /* a step rank; step is then its cut's */
	int64_t step;
	uint64_t world;       /* collectives begun on the world */
};

/* A marker's counts follow as: varint epoch; varint streams, then per stream the five fields; varint communicators, then name and begun. */
struct wire_stream {
	uint64_t comm;        /* name */
	uint32_t peer;        /* what the receiver calls the sender */
	uint32_t tag;
	int64_t sent;
	int64_t synchronous;  /* highest position known to be complete; meaningless unless had_synchronous */
	bool had_synchronous;
};
struct wire_begun {
	uint64_t comm;
	uint64_t begun;
};

/* The kind of an encoded order; 0: none. */
enum wire_kind wire_kind(const void *data, size_t size);

void wire_put_request(struct bytes_out *out, const struct wire_request *request);
void wire_put_announce(struct bytes_out *out, const struct wire_announce *announce);
void wire_put_ready(struct bytes_out *out, const struct wire_ready *ready);
void wire_put_cut(struct bytes_out *out, const struct wire_cut *cut);
void wire_put_hasten(struct bytes_out *out, const struct wire_hasten *hasten);
void wire_put_outcome(struct bytes_out *out, const struct wire_outcome *outcome);
void wire_put_head(struct bytes_out *out, const struct wire_head *head);
void wire_put_stream(struct bytes_out *out, const struct wire_stream *stream);
void wire_put_begun(struct bytes_out *out, const struct wire_begun *begun);

bool wire_get_request(const void *data, size_t size, struct wire_request *request);
bool wire_get_announce(const void *data, size_t size, struct wire_announce *announce);
bool wire_get_ready(const void *data, size_t size, struct wire_ready *ready);
bool wire_get_cut(const void *data, size_t size, struct wire_cut *cut);
bool wire_get_hasten(const void *data, size_t size, struct wire_hasten *hasten);
bool wire_get_outcome(const void *data, size_t size, struct wire_outcome *outcome);
bool wire_get_head(const void *data, size_t size, struct wire_head *head);
void wire_get_stream(struct bytes_in *in, struct wire_stream *stream);
void wire_get_begun(struct bytes_in *in, struct wire_begun *begun);

#endif
