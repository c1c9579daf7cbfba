/* SPDX-License-Identifier: BSD-3-Clause */
/* Communicators: from the C handle to the ledger's index, and names that mean the same on every member and after a restart.
 *
 * Nobody sends anything for a name: what all members of a new communicator know alike is enough. A constructor is called by every member of
 * its parent, in the same order, so that all know its number k among the parent's constructors; and the parts of a split differ in
 * their leader (the member of rank 0; in an intercommunicator the rank 0 that is lower in MPI_COMM_WORLD). Hence the path
 *
 *     <parent's name>/<leader's world rank>.<k>                     "world/0.3"
 *     <parent's name>/g<members>.<n>   MPI_Comm_create_group: the n-th of this parent with exactly these members
 *     inter/<members>.<n>              MPI_Intercomm_create, whose two sides have different parents: the n-th of exactly these groups
 *
 * where members is a hash of the members' world ranks. PMPI_ only. */
#ifndef CHANNEL_COMMS_H
#define CHANNEL_COMMS_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/likely.h"
#include "base/mix.h"
#include "snapshot/ledger.h"

enum { COMMS_NAME_BYTES = 256 };

/* In MPI_Init: enters MPI_COMM_WORLD as "world" and MPI_COMM_SELF as "self.<rank>". Local. */
int comms_open(struct ledger *ledger, struct fault *fault);
void comms_close(void);

/* `base` is the key of its stream with peer 0 and tag 0. */
struct comms_entry { _Alignas(32) MPI_Comm comm; uint64_t base; int32_t peers; int32_t index; };
struct comms_cache { struct comms_entry *slots; size_t mask; /* of a home's offset in bytes */ };
extern struct comms_cache comms_cache inside_library;
int comms_probe(MPI_Comm comm);
static inline const struct comms_entry *comms_home(const struct comms_cache *cache, MPI_Comm comm)
{
	_Static_assert(sizeof(struct comms_entry) == 1 << 5, "a home's offset is some bits of the handle's mixture");
	uint64_t mixed = mix_handle((uint64_t)(uintptr_t)comm);
	return (const struct comms_entry *)((const char *)cache->slots + (mixed >> (MIX_HANDLE_SHIFT - 5) & cache->mask));
}
/* The ledger's index of a communicator, or LEDGER_NO_COMM: made where Seamark did not see it. Open addressing by handle, first probe inline. */
static inline int comms_index(MPI_Comm comm)
{
	const struct comms_entry *entry = comms_home(&comms_cache, comm);
	return likely(entry->comm == comm) ? entry->index : comms_probe(comm);
}
/* The key of a stream of a communicator that is at its home. false: it is not, or peer or tag are none of its streams' (wildcards, MPI_PROC_NULL, errors). */
static inline bool comms_key_at_home(MPI_Comm comm, int peer, int tag, uint64_t *key)
{
	const struct comms_entry *entry = comms_home(&comms_cache, comm);
	if (unlikely(entry->comm != comm || (uint32_t)peer >= (uint32_t)entry->peers || tag < 0))
		return false;
	*key = entry->base | (uint64_t)(uint32_t)peer << 31 | (uint32_t)tag;
	return true;
}

/* A new communicator in two steps: comms_making before the constructor is called (by every member of the parent, whatever becomes of the call), comms_made when
 * the new communicator is there, if it is one (not MPI_COMM_NULL). Both local. */
enum comms_way {
	COMMS_BY_ALL,    /* all members of the parent call it */
	COMMS_BY_GROUP,  /* MPI_Comm_create_group: only the new members do */
	COMMS_BY_BRIDGE  /* MPI_Intercomm_create */
};
struct comms_making {
	int parent;
	uint64_t parent_making;
	uint64_t number;
	enum comms_way way;
	char parent_name[COMMS_NAME_BYTES]; /* the parent may be freed before a non-blocking constructor is done */
};
struct comms_making comms_making(MPI_Comm parent, enum comms_way way);
/* Names it and enters it; its index, or LEDGER_NO_COMM and a fault: its traffic will pass uncounted. */
int comms_made(const struct comms_making *making, MPI_Comm made, struct fault *fault);
/* Directly after MPI_Comm_free or MPI_Comm_disconnect, with the index that it had. */
void comms_freed(int index);
/* MPI_Comm_set_name: the label helps to find the communicator again after a restart. */
void comms_labelled(MPI_Comm comm, const char *label);

/* From index to handle (MPI_COMM_NULL for a freed one), name and label ("" for none). */
MPI_Comm comms_handle(int index);
const char *comms_name(int index);
const char *comms_label(int index);
/* Hash of the world ranks of a communicator's members, in order; the same on both sides of an intercommunicator. */
uint64_t comms_members(int index);
/* Marks everything made from now on as nameless, until it is labelled: the first safepoint has been passed. */
void comms_settled(void);

/* After a restart: the communicators alive at the cut, as this rank's image lists them. Collective over MPI_COMM_WORLD: the ranks agree on what counts. Those that were made
 * already, and those made from now on, take the first old name that is still free and that has the same parent, leader, kind and members, in the order of the constructors' numbers; one
 * that is labelled takes the old name with the same label, kind and members, if there is one. Until the first safepoint they choose anew when one is labelled or freed. All members
 * decide alike. */
struct comms_old { const char *name; const char *label; uint32_t kind; uint64_t members; bool nameless; };
int comms_restore(const struct comms_old *old, size_t count, struct fault *fault);
/* named: told when an index was given a name, whose hash, as in the ledger, is key. unnamed: its name may become another's. Set once, by the session. */
void comms_on_named(void (*named)(int index, uint64_t key), void (*unnamed)(int index));
/* Where names and labels lie in memory, for whoever looks from outside: the address of the pointer to an array by index, and of its size_t of items. */
struct comms_where { const void *places; const void *room; size_t stride, name, label; };
struct comms_where comms_where(void);
/* The hash of a name. */
uint64_t comms_key(const char *name);

#endif
