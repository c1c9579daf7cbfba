/* SPDX-License-Identifier: BSD-3-Clause */
/* One-sided communication: the windows, and what their epochs allow a cut.
 *
 * What a rank puts, gets or accumulates in another's window is seen by no one else, and cannot be recorded. A checkpoint is right if every operation is on
 * the same side of two cuts: its origin's, and its target's (docs/design.md, 3.10, has the proofs). Three kinds of epochs, three ways to know:
 *   fences     the balance says that all have made the same number of them; no operation may be open at a cut, nor come after it before a fence
 *   pairs      post and start, complete and wait: the balance says that origin and target have begun the same number; none may be open at a cut
 *   locks      the target knows nothing of them: after the last one, and after a cut before the next, there must be a collective that nobody leaves before
 *              everybody is in it (or, after the cut, the target's marker)
 * Pure: no MPI, no files, no clock. */
#ifndef CHANNEL_EPOCHS_H
#define CHANNEL_EPOCHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/likely.h"
#include "snapshot/ledger.h"

struct epochs_window {
	uint64_t handle;
	uint64_t key;          /* the same on every member */
	int32_t own;           /* this rank's number in it */
	int32_t members;
	int32_t *world;        /* world rank of each member; null: the same number */
	bool first;            /* this rank adds the members' sum */
	bool shared;           /* others may read and write its memory directly, unseen */
	int comm;              /* the ledger's index of the communicator it was made on ... */
	uint64_t making;       /* ... whose index may be another's by now */

	uint64_t fences;
	bool fenced;           /* the last fence may have begun an epoch */
	bool accessed;         /* an operation was begun since the last fence, outside the other kinds of epochs */
	uint32_t locks;        /* held now */
	bool reached;          /* an operation on another rank was begun in them */
	bool started, posted;
	uint64_t unsettled;    /* the number of the last epoch with locks that nothing has settled; 0: none */

	bool fenced_since;     /* the cut: a fence */
	bool met_since;        /* the cut: a collective on all its members, or it was made after it */
};

struct epochs_slot { uint64_t handle; struct epochs_window *window; };
struct epochs_counter { uint64_t members, count; };

struct epochs {
	struct epochs_slot *slots;   /* open addressing by handle */
	unsigned shift;
	size_t count;                /* windows alive */
	uint32_t open;               /* windows with an epoch that no cut may be in */
	uint32_t unsettled;          /* windows with an epoch that nothing has settled */
	uint64_t number;             /* of the last epoch with locks */
	struct epochs_counter *made; /* windows made so far by a set of members */
	size_t made_count;
	uint8_t *marks;              /* one per rank of the world, for comparing groups */
	struct ledger *ledger;
};

/* false: no memory. */
bool epochs_open(struct epochs *epochs, struct ledger *ledger, int32_t ranks);
void epochs_close(struct epochs *epochs);

/* A window made by all members of a communicator; null: no memory. `members`: the hash of its group. */
struct epochs_window *epochs_add(struct epochs *epochs, uint64_t handle, int comm, uint64_t members, bool shared);
/* The window is being freed, by all members. */
void epochs_remove(struct epochs *epochs, struct epochs_window *window);

struct epochs_window *epochs_probe(const struct epochs *epochs, uint64_t handle);
/* null: not known. */
static inline struct epochs_window *epochs_find(const struct epochs *epochs, uint64_t handle)
{
	const struct epochs_slot *slot = &epochs->slots[(handle * UINT64_C(0x9E3779B97F4A7C15)) >> epochs->shift];
	return likely(slot->handle == handle) ? slot->window : epochs_probe(epochs, handle);
}

/* Where it was made, if that is still alive: what is done on the window together counts there too. */
struct ledger_comm *epochs_comm(struct epochs *epochs, const struct epochs_window *window);

/* --- what the application does ------------------------------------------------------------------------------------------- */

void epochs_accessed(struct epochs *epochs, struct epochs_window *window);
/* An operation on a member is begun. */
static inline void epochs_operate(struct epochs *epochs, struct epochs_window *window, int32_t target)
{
	if (window->locks != 0)
		window->reached |= target != window->own;
	else if (!window->accessed && !window->started)
		epochs_accessed(epochs, window);
}

/* A fence begins. true: nobody leaves it before everybody is in it. */
bool epochs_fence(struct epochs *epochs, struct epochs_window *window, bool no_precede, bool no_succeed);
/* Locks taken and given back. */
void epochs_lock(struct epochs *epochs, struct epochs_window *window);
void epochs_unlock(struct epochs *epochs, struct epochs_window *window);
/* An access epoch to each of some members begins, and ends. */
void epochs_start(struct epochs *epochs, struct epochs_window *window, const int *targets, int count);
void epochs_complete(struct epochs *epochs, struct epochs_window *window);
/* An exposure epoch likewise. */
void epochs_post(struct epochs *epochs, struct epochs_window *window, const int *origins, int count);
void epochs_waited(struct epochs *epochs, struct epochs_window *window);

/* A collective that nobody leaves before everybody is in it: at its end, for the members of a communicator (world as in the ledger), with
 * epochs->number as it was when it began. */
void epochs_met(struct epochs *epochs, const int32_t *world, int32_t members, uint64_t number);

/* --- what a cut asks ------------------------------------------------------------------------------------------------------ */

/* One of the epochs that are open, in words; null: none is. */
const char *epochs_open_one(const struct epochs *epochs);
/* The number of the newest epoch with locks that nothing has settled; 0: none. */
uint64_t epochs_newest_unsettled(const struct epochs *epochs);
/* This rank's cut is here. */
void epochs_cut(struct epochs *epochs);
/* After the cut: whether an operation on this member, begun now, may come before the member's cut. */
bool epochs_is_early(const struct epochs_window *window, int32_t target);
static inline int32_t epochs_world_of(const struct epochs_window *window, int32_t member)
{
	return window->world ? window->world[member] : member;
}

#endif
