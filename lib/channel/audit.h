/* SPDX-License-Identifier: BSD-3-Clause */
/* The audit of a drill: whether, of every stream, each message from before the cut was told before it or recorded, once, position by position.
 *
 * Between snapshots only counts are kept. But what was told is known from what was not: of the positions drawn, all but those that something
 * pending still holds. These are noted at the cut; after it, what was told before and had no final position then, and what is recorded.
 * Pure. */
#ifndef CHANNEL_AUDIT_H
#define CHANNEL_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel/mailbox.h"
#include "channel/position.h"

struct audit_place {
	uint64_t key;
	int64_t position;
};

struct audit_places {
	struct audit_place *list;
	size_t count;
	size_t room;
	bool sorted;
};

struct audit {
	struct audit_places drawn;    /* per stream, the number of positions drawn at the cut */
	struct audit_places told;     /* ... and the number told, less those carried over the base */
	struct audit_places held;     /* drawn at the cut, and not told, or not finally placed */
	struct audit_places settled;  /* told before the cut, and placed after it */
	struct audit_places recorded;
	bool broken;                  /* no memory: it says nothing */
};

void audit_close(struct audit *audit);

/* This rank's cut: forgets the last one, and notes who holds what. */
void audit_cut(struct audit *audit, const struct sequence *sequence, const struct ledger *ledger, const struct mailbox *mailbox);
void audit_settled(struct audit *audit, uint64_t key, int64_t position);
void audit_recorded(struct audit *audit, uint64_t key, int64_t position);

/* How many messages of a stream that were told before the cut have a position above `limit`. */
int64_t audit_told_beyond(struct audit *audit, uint64_t key, int64_t limit);

/* What the protocol says of one stream when its channel is closed. */
struct audit_claim {
	uint64_t key;
	int64_t limit;      /* sent before its sender's cut */
	int64_t seen;       /* before this rank's cut, as in the ledger */
	int64_t recorded;
	int64_t orphans;
	bool abandoned;     /* what was owed was given up, as nobody can ask for it */
};
/* Whether it is so; else `text` says what is wrong. */
bool audit_stream(struct audit *audit, const struct audit_claim *claim, char *text, size_t room);

#endif
