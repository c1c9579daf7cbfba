/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger: per stream, how many messages were sent and how many were seen, and per communicator, how many collectives were begun.
 *
 * A stream is (communicator, peer, tag) in one direction. MPI matches a stream in the order it was sent, so its messages have positions
 * 1, 2, ..., counted from the base: the last cut after which every channel was closed. Positions at or below zero are of messages that
 * were sent before the base and were then still unseen. Pure: no MPI, no files, no clock. */
#ifndef SNAPSHOT_LEDGER_H
#define SNAPSHOT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/likely.h"

/* --- keys: communicator, peer and tag in one word ------------------------------------------------------------------ */

enum {
	LEDGER_COMMS_MAX = 1 << 12,  /* communicators alive or with unseen messages, at one time */
	LEDGER_PEERS_MAX = 1 << 20,  /* ranks of one communicator */
	LEDGER_NO_COMM = -1
};

/* The top bit is set in every key, so that 0 is an empty slot. peer: rank in the communicator, of the remote group in an intercommunicator. */
static inline uint64_t ledger_key(unsigned comm, unsigned peer, unsigned tag)
{
	return UINT64_C(1) << 63 | (uint64_t)comm << 51 | (uint64_t)peer << 31 | tag;
}

static inline unsigned ledger_key_comm(uint64_t key)
{
	return (unsigned)(key >> 51) & (LEDGER_COMMS_MAX - 1);
}

static inline unsigned ledger_key_peer(uint64_t key)
{
	return (unsigned)(key >> 31) & (LEDGER_PEERS_MAX - 1);
}

static inline unsigned ledger_key_tag(uint64_t key)
{
	return (unsigned)key & 0x7FFFFFFFu;
}

/* --- streams -------------------------------------------------------------------------------------------------------- */

/* Outgoing: total is the number sent; seen the number of synchronous ones among them; high the highest position whose synchronous send is known to be complete.
 * Incoming: total is the number of positions drawn; seen the number of messages the application was told, less those carried over the base;
 * high the highest position told out of order (the highest told at all is the larger of seen and high). */
struct ledger_stream {
	uint64_t key;
	int64_t total;
	int64_t seen;
	int64_t high;
};

struct ledger_table {
	struct ledger_stream *slots; /* open addressing, linear probing */
	unsigned shift;              /* 64 - log2(slots) */
	size_t used;
	bool broken;                 /* there was no memory for a stream: the counts are wrong from now on */
	struct ledger_stream lost;   /* takes the counts of streams without a slot */
};

/* The slow half of ledger_stream(): probes on, inserts a stream at zero. */
struct ledger_stream *ledger_probe(struct ledger_table *table, uint64_t key);

/* Where the stream of a key is looked for first. */
static inline struct ledger_stream *ledger_home(const struct ledger_table *table, uint64_t key)
{
	return &table->slots[(key * UINT64_C(0x9E3779B97F4A7C15)) >> table->shift];
}

/* The stream of a key, made at zero if it is new. Valid until the next stream is made in this table. Never null. */
static inline struct ledger_stream *ledger_stream(struct ledger_table *table, uint64_t key)
{
	struct ledger_stream *stream = ledger_home(table, key);
	return likely(stream->key == key) ? stream : ledger_probe(table, key);
}

/* The stream of a key, or null. */
struct ledger_stream *ledger_find(struct ledger_table *table, uint64_t key);

/* --- communicators --------------------------------------------------------------------------------------------------- */

enum ledger_comm_kind {
	LEDGER_COMM_INTRA,
	LEDGER_COMM_INTER
};

enum ledger_comm_state { LEDGER_COMM_NONE, LEDGER_COMM_LIVE, LEDGER_COMM_FREED };

struct ledger_comm {
	enum ledger_comm_state state;
	enum ledger_comm_kind kind;
	bool freed_early;    /* freed before the cut of the snapshot under way */
	bool held;           /* something pending still names its index: cleared by every sweep */
	uint8_t sweeps;      /* since it was freed: its peers may have freed it later, and still count messages on it */
	bool freed_by_all;   /* a snapshot has proved: before their cuts */
	bool nameless;       /* made after the first safepoint: it cannot be found again after a restart */
	bool first;          /* this rank adds the members' sum (below); on an intercommunicator one rank of both groups */
	uint64_t name;       /* hash of its name: the same on every member */
	uint64_t making;     /* 1, 2, ... : order of making on this rank */
	int32_t own;         /* this rank's number in it (in its own group of an intercommunicator): what its peers call it */
	int32_t peers;       /* size of the (remote) group: the ranks that can be named in a send */
	int32_t members;     /* how many ranks count its collectives: both groups of an intercommunicator */
	int32_t *world;      /* world rank of each peer; null: the same number */
	uint64_t begun;      /* collectives begun on it */
	uint64_t ahead;      /* the most that a marker of the snapshot under way says another member had begun */
};

struct ledger {
	struct ledger_table sent;
	struct ledger_table seen;
	struct ledger_comm *comms;   /* LEDGER_COMMS_MAX are possible, comm_room are there */
	size_t comm_room;
	size_t freed;                /* tombstones */
	size_t lowest;               /* no index below is free */
	uint64_t made;               /* communicators made so far */
	uint64_t balance;            /* of what members do together: see ledger_together and ledger_pair */
	bool overflow;               /* traffic passed uncounted: too many communicators, or too large a one */
};

/* false: no memory. */
bool ledger_open(struct ledger *ledger);
void ledger_close(struct ledger *ledger);

/* Enters a communicator and gives its index, or LEDGER_NO_COMM (then overflow is set). world is copied; null for the world itself. */
int ledger_add_comm(struct ledger *ledger, enum ledger_comm_kind kind, uint64_t name, int32_t own, int32_t peers,
		    int32_t members, const int32_t *world, bool first);
/* The communicator was freed: its counts stay, as a tombstone, until the base has moved past them. */
void ledger_free_comm(struct ledger *ledger, int comm);
/* The index of the communicator with a name, live or freed; LEDGER_NO_COMM. Of several, the live one. */
int ledger_comm_named(const struct ledger *ledger, uint64_t name);

static inline int32_t ledger_world_of(const struct ledger *ledger, uint64_t key)
{
	const struct ledger_comm *comm = &ledger->comms[ledger_key_comm(key)];
	return comm->world ? comm->world[ledger_key_peer(key)] : (int32_t)ledger_key_peer(key);
}

/* All `members` do something together, of which `key` is a hash: over all ranks the balance is zero, modulo 2^64, when each of them has done it. `first`
 * is true on exactly one of them. */
void ledger_together(struct ledger *ledger, uint64_t key, int32_t members, bool first);
/* Two ranks do something as a pair: the balance is zero when both have done it as often. */
void ledger_pair(struct ledger *ledger, uint64_t key, bool first);
/* This rank's share of the collectives' sum: zero over all ranks, modulo 2^64, if every communicator's members have begun the same number, have freed the
 * same ones, and what was done together was done by all. */
uint64_t ledger_collective_sum(const struct ledger *ledger);

/* Whether counts may be wrong, from lack of memory or of keys. */
bool ledger_is_broken(const struct ledger *ledger);
/* Streams and tombstones held: when it grows past a bound, an empty snapshot resets it. */
static inline size_t ledger_weight(const struct ledger *ledger)
{
	/* A communicator costs more than a stream: keys hold few of them. At a quarter of those, a program that makes many has time for two resets. */
	return ledger->sent.used + ledger->seen.used + 64 * ledger->freed;
}

/* Moves the base of one stream by `count`; it stays in the table until ledger_sweep. */
static inline void ledger_rebase(struct ledger_stream *stream, int64_t count, bool incoming)
{
	stream->total -= count;
	if (incoming)
		stream->seen -= count;
	stream->high -= count;
}
/* The base has moved: streams that say nothing go, and freed communicators on which nobody can count any more. `together`: at the cuts of the snapshot all ranks had
 * freed the same ones (ledger_collective_sum). Without that proof a peer may still be where it sends on one, so it stays for more sweeps, unless there are many. */
void ledger_sweep(struct ledger *ledger, bool together);

#endif
