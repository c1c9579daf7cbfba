/* SPDX-License-Identifier: BSD-3-Clause */
/* Communicators: from the C handle to the ledger's index, and names that mean the same on every member and after a restart.
 *
 * A name is a path: the parent's name, the world rank of the new one's leader, the leader's count of children of that parent: "world/0.3". The leader (rank 0;
 * of an intercommunicator the lower of both groups' rank 0) gives it to the members when the communicator is made. PMPI_ only. */
#ifndef CHANNEL_COMMS_H
#define CHANNEL_COMMS_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/likely.h"
#include "snapshot/ledger.h"

enum { COMMS_NAME_BYTES = 256 };

/* In MPI_Init: enters MPI_COMM_WORLD as "world" and MPI_COMM_SELF as "self.<rank>". */
int comms_open(struct ledger *ledger, struct fault *fault);
void comms_close(void);

struct comms_entry { MPI_Comm comm; int index; };
struct comms_cache { struct comms_entry *slots; unsigned shift; };
extern struct comms_cache comms_cache;
int comms_probe(MPI_Comm comm);
/* The ledger's index of a communicator, or LEDGER_NO_COMM: made where Seamark did not see it. Open addressing by handle, first probe inline. */
static inline int comms_index(MPI_Comm comm)
{
	const struct comms_entry *entry =
		&comms_cache.slots[((uint64_t)(uintptr_t)comm * UINT64_C(0x9E3779B97F4A7C15)) >> comms_cache.shift];
	return likely(entry->comm == comm) ? entry->index : comms_probe(comm);
}

/* A new communicator: names it and enters it. Collective over its members, called directly after it was made; blocks no more than its making did. */
int comms_made(MPI_Comm parent, MPI_Comm made, struct fault *fault);
/* For MPI_Comm_idup: begins naming by a broadcast on the parent; done when `comms_idup_test` says so; both complete as one request. */
struct comms_naming;
int comms_idup_begin(MPI_Comm parent, struct comms_naming **naming, MPI_Request *request);
int comms_idup_finish(struct comms_naming *naming, MPI_Comm made, struct fault *fault);
/* Before MPI_Comm_free or MPI_Comm_disconnect frees the handle. */
void comms_freed(MPI_Comm comm);
void comms_labelled(MPI_Comm comm, const char *label);

/* From index to handle (MPI_COMM_NULL for a freed one), name and label. */
MPI_Comm comms_handle(int index);
const char *comms_name(int index);
const char *comms_label(int index);
/* Hash of the world ranks of a communicator's members, in order. */
uint64_t comms_members(int index);
/* Marks everything made from now on as nameless: the first safepoint has been passed. */
void comms_settled(void);

/* After a restart: the communicators alive at the cut, as this rank's image lists them. Collective over MPI_COMM_WORLD: leaders match those that were made already and
 * give the members their old names; those made from now on take the i-th old name that is still free among the leader's children of that parent, if kind and group agree. */
struct comms_old { const char *name; const char *label; uint64_t key; uint32_t kind; uint64_t members; };
int comms_restore(const struct comms_old *old, size_t count, struct fault *fault);
/* Told after comms_made or comms_restore gave an index its final name: the mailbox adopts. Set once, by the session. */
void comms_on_named(void (*named)(int index, uint64_t key));

#endif
