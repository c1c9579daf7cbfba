/* SPDX-License-Identifier: BSD-3-Clause */
/* The shadow of a request: what Seamark must know of it that MPI does not tell. A slot of 64 bytes, found by the C handle: at the home of the handle, which
 * is looked at inline, or, if somebody else lives there, in a second table. A home that was left leaves nothing behind. When one is taken and many are, the
 * table grows. Pure. */
#ifndef CHANNEL_SHADOW_H
#define CHANNEL_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/likely.h"
#include "base/mix.h"

enum shadow_kind {
	SHADOW_RECEIVE,      /* a posted receive: draws a position */
	SHADOW_DELIVERY,     /* a receive served from the mailbox: `extra` is its struct mail */
	SHADOW_SYNCHRONOUS,  /* a synchronous send under way: `key` its stream, `position` its place in it */
	SHADOW_COLLECTIVE,   /* a non-blocking collective under way */
	SHADOW_MATCHED,      /* a message that a matched probe has taken: `handle` is made of the message's, `position` its place */
	SHADOW_INACTIVE,     /* a persistent request that is not followed at the moment: `key` and `extra` are its pattern */
	SHADOW_OTHER         /* bookkeeping of a door, in `extra` */
};

enum {
	SHADOW_ANY_SOURCE = 1, /* the source is not known yet: the key's peer is 0 and means nothing */
	SHADOW_ANY_TAG = 2,
	SHADOW_FREED = 4,      /* the application freed the handle: Seamark keeps and tests the request */
	SHADOW_CANCELLING = 8, /* cancelled, and not yet known whether in time */
	SHADOW_LEARNED = 16,   /* was a wildcard; complete, not told; key and position are its real ones */
	SHADOW_RECORDED = 32,  /* recorded in this window while untold: not again when told */
	SHADOW_PERSISTENT = 128, /* the request stays when it is complete: `extra` names its struct shadow_pattern */
	SHADOW_COMPLETE = 64   /* its request is complete and gone, and it is about to be told: MPI cannot be asked about the handle any more */
};

/* In `spare`, of a receive that is complete: MPI ended it with an error, and what is in its buffer is not the message. */
enum {SHADOW_FAILED = 1};

struct shadow {
	uint64_t handle;       /* 0: free; among the others: never used, and 1: dropped */
	uint64_t turn;         /* place in the rank's one sequence of taking; 0: none */
	int64_t position;      /* in its stream, provisional while an earlier wildcard is pending */
	uint64_t extra;        /* means nothing in a receive that is neither delivered nor persistent */
	/* from here on as in struct shadow_posting */
	uint64_t key;          /* ledger_key of its stream or pattern */
	void *buffer;
	uint64_t type;         /* the C handle of its datatype */
	int32_t count;
	uint8_t kind;
	uint8_t flags;
	uint16_t spare;
};

/* What is known of a receive before it has a request: the second half of its shadow. */
struct shadow_posting {
	uint64_t key;
	void *buffer;
	uint64_t type;
	int32_t count;
	uint8_t kind;
	uint8_t flags;
	uint16_t spare;
};

static inline void shadow_set_posting(struct shadow *shadow, const struct shadow_posting *posting)
{
	_Static_assert(offsetof(struct shadow, key) + sizeof *posting == sizeof *shadow, "the second half");
	_Static_assert(offsetof(struct shadow, spare) - offsetof(struct shadow, key) == offsetof(struct shadow_posting, spare), "alike");
	__builtin_memcpy(&shadow->key, posting, sizeof *posting);
}

/* What a persistent request is between its starts. */
struct shadow_pattern {
	uint64_t key;
	uint8_t flags;         /* wildcards */
};

/* Those whose homes were taken: open addressing. */
struct shadow_others {
	struct shadow *slots;  /* null: there never were any */
	unsigned bits;
	size_t used;           /* live ones */
	size_t filled;         /* live ones and dropped ones */
};

struct shadow_table {
	struct shadow *slots;
	size_t mask;           /* of a home's offset in bytes */
	size_t used;           /* live ones, the others with them */
	struct shadow_others others;
};

bool shadow_open(struct shadow_table *table);
void shadow_close(struct shadow_table *table);

/* The slow half of shadow_find(). */
struct shadow *shadow_find_other(const struct shadow_table *table, uint64_t handle);

static inline struct shadow *shadow_home(const struct shadow_table *table, uint64_t handle)
{
	_Static_assert(sizeof(struct shadow) == 1 << 6, "a home's offset is some bits of the handle's mixture");
	return (struct shadow *)((char *)table->slots + (mix_handle(handle) >> (MIX_HANDLE_SHIFT - 6) & table->mask));
}

/* The shadow of a handle, or null. Valid until the next shadow_add. */
static inline struct shadow *shadow_find(const struct shadow_table *table, uint64_t handle)
{
	struct shadow *shadow = shadow_home(table, handle);
	if (likely(shadow->handle == handle))
		return shadow;
	return likely(table->others.used == 0) ? NULL : shadow_find_other(table, handle);
}

/* A new zeroed shadow with this handle (which has none); null: no memory. Moves the others. */
struct shadow *shadow_add(struct shadow_table *table, uint64_t handle);
/* The common case of shadow_add, if its home is free: null otherwise, or if the handle may have a shadow already. The caller sets every member but the handle. */
static inline struct shadow *shadow_add_at_home(struct shadow_table *table, uint64_t handle)
{
	struct shadow *shadow = shadow_home(table, handle);
	if (unlikely(shadow->handle != 0 || table->others.used != 0))
		return NULL;
	table->used++;
	shadow->handle = handle;
	return shadow;
}

/* Whether a shadow is at its home, and not among the others. */
static inline bool shadow_is_home(const struct shadow_table *table, const struct shadow *shadow)
{
	return (size_t)((const char *)shadow - (const char *)table->slots) <= table->mask;
}

static inline void shadow_drop_home(struct shadow_table *table, struct shadow *shadow)
{
	shadow->handle = 0;
	table->used--;
}

void shadow_drop_other(struct shadow_table *table, struct shadow *shadow);
static inline void shadow_drop(struct shadow_table *table, struct shadow *shadow)
{
	if (likely(shadow_is_home(table, shadow)))
		shadow_drop_home(table, shadow);
	else
		shadow_drop_other(table, shadow);
}

/* The request is complete, and told so: the shadow is dropped, or that of a persistent request inactive. */
void shadow_end(struct shadow_table *table, struct shadow *shadow);
/* Walks the live ones: start with null; null at the end. Shadows may be dropped on the way, not added. */
struct shadow *shadow_next(const struct shadow_table *table, struct shadow *previous);

#endif
