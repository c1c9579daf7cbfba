/* SPDX-License-Identifier: BSD-3-Clause */
/* What comms.c (who they are), names.c (what they are called) and claims.c (what members know of old ones) share. */
#ifndef CHANNEL_COMMS_INSIDE_H
#define CHANNEL_COMMS_INSIDE_H

#include "channel/comms.h"

/* One that was alive at the cut that was restored. */
struct old {
	char name[COMMS_NAME_BYTES];
	char *label;           /* null: none */
	uint64_t members;
	uint32_t kind;
	bool nameless;
	bool taken;
};

/* What the ledger does not know of a communicator. */
struct place {
	MPI_Comm comm;         /* MPI_COMM_NULL: freed */
	char name[COMMS_NAME_BYTES];
	char *label;           /* null: none */
	uint64_t members;
	struct comms_making making;
	uint64_t constructors; /* called on it, with all of its members */
	uint32_t leader;       /* world rank */
	struct old *old;       /* whose name it has; null: it has a new one */
	bool by_label;         /* it was found by its label */
};

struct comms_table {
	struct ledger *ledger;
	struct place *places;  /* by the ledger's index */
	size_t room;
	bool settled;
	void (*on_named)(int index, uint64_t key);
	void (*on_unnamed)(int index);
};
extern struct comms_table comms_table inside_library;

static inline bool comms_is_live(int index)
{
	return index >= 0 && (size_t)index < comms_table.room && comms_table.ledger->comms[index].state == LEDGER_COMM_LIVE;
}

void names_rename(int index, const char *name);
/* It was made: its place is filled, but for the name. */
void names_give(int index);
/* It is no longer live. */
void names_freed(int index);
/* The number of what these members, of which key is a hash, make together. Without memory it is one that nobody else has: the name will match nothing. */
uint64_t names_count(uint64_t key);
void names_close(void);

/* Collective over MPI_COMM_WORLD: olds becomes what counts for all members, *highest the highest of all. able: this rank has its list. false: not all ranks were able, or there was no memory
 * on one; the same on all. */
bool claims_settle(struct old *olds, size_t *count, bool able, uint64_t *highest);

#endif
