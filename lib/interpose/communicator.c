/* SPDX-License-Identifier: BSD-3-Clause */
/* Communicators made, named and freed. A constructor is a collective on its parent and counts as one, except MPI_Comm_create_group, which only the new
 * members call. */
#include <stdlib.h>

#include "interpose/inside.h"

/* The new communicator is there, unless this rank is not in it. Returns MPI's error. */
static int made(const char *function, const struct comms_making *making, int error, const MPI_Comm *comm)
{
	struct fault fault = FAULT_NONE;
	if (error == MPI_SUCCESS && *comm != MPI_COMM_NULL && comms_made(making, *comm, &fault) == LEDGER_NO_COMM)
		session_unable(function, fault.text);
	return error;
}

/* CONSTRUCTOR(name, way, parent, new, (parameters), (arguments)) */
#define CONSTRUCTOR(name, way, parent, new, parameters, arguments)                                                             \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		int parents = LEDGER_NO_COMM;                                                                                  \
		if ((way) == COMMS_BY_GROUP) {                                                                                 \
			session_turn(SESSION_COMPLETES);                                                                       \
			session_close_safepoint();                                                                             \
		} else {                                                                                                       \
			parents = begin_collective("MPI_" #name, parent, __builtin_return_address(0));                         \
		}                                                                                                              \
		struct comms_making making = comms_making(parent, way);                                                        \
		session_outside(look_inside(LOOK_##name, parents, -1));                                                        \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		return session_leave(made("MPI_" #name, &making, error, new));                                                 \
	}

CONSTRUCTOR(Comm_dup, COMMS_BY_ALL, comm, newcomm, (MPI_Comm comm, MPI_Comm *newcomm), (comm, newcomm))
CONSTRUCTOR(Comm_dup_with_info, COMMS_BY_ALL, comm, newcomm, (MPI_Comm comm, MPI_Info info, MPI_Comm *newcomm), (comm, info, newcomm))
CONSTRUCTOR(Comm_create, COMMS_BY_ALL, comm, newcomm, (MPI_Comm comm, MPI_Group group, MPI_Comm *newcomm), (comm, group, newcomm))
CONSTRUCTOR(Comm_create_group, COMMS_BY_GROUP, comm, newcomm, (MPI_Comm comm, MPI_Group group, int tag, MPI_Comm *newcomm),
	    (comm, group, tag, newcomm))
CONSTRUCTOR(Comm_split, COMMS_BY_ALL, comm, newcomm, (MPI_Comm comm, int color, int key, MPI_Comm *newcomm),
	    (comm, color, key, newcomm))
CONSTRUCTOR(Comm_split_type, COMMS_BY_ALL, comm, newcomm,
	    (MPI_Comm comm, int split_type, int key, MPI_Info info, MPI_Comm *newcomm), (comm, split_type, key, info, newcomm))
CONSTRUCTOR(Cart_create, COMMS_BY_ALL, old_comm, comm_cart,
	    (MPI_Comm old_comm, int ndims, const int dims[], const int periods[], int reorder, MPI_Comm *comm_cart),
	    (old_comm, ndims, dims, periods, reorder, comm_cart))
CONSTRUCTOR(Cart_sub, COMMS_BY_ALL, comm, new_comm, (MPI_Comm comm, const int remain_dims[], MPI_Comm *new_comm),
	    (comm, remain_dims, new_comm))
CONSTRUCTOR(Graph_create, COMMS_BY_ALL, comm_old, comm_graph,
	    (MPI_Comm comm_old, int nnodes, const int index[], const int edges[], int reorder, MPI_Comm *comm_graph),
	    (comm_old, nnodes, index, edges, reorder, comm_graph))
CONSTRUCTOR(Dist_graph_create, COMMS_BY_ALL, comm_old, newcomm,
	    (MPI_Comm comm_old, int n, const int nodes[], const int degrees[], const int targets[], const int weights[], MPI_Info info,
	     int reorder, MPI_Comm *newcomm),
	    (comm_old, n, nodes, degrees, targets, weights, info, reorder, newcomm))
CONSTRUCTOR(Dist_graph_create_adjacent, COMMS_BY_ALL, comm_old, comm_dist_graph,
	    (MPI_Comm comm_old, int indegree, const int sources[], const int sourceweights[], int outdegree, const int destinations[],
	     const int destweights[], MPI_Info info, int reorder, MPI_Comm *comm_dist_graph),
	    (comm_old, indegree, sources, sourceweights, outdegree, destinations, destweights, info, reorder, comm_dist_graph))
CONSTRUCTOR(Intercomm_create, COMMS_BY_BRIDGE, local_comm, newintercomm,
	    (MPI_Comm local_comm, int local_leader, MPI_Comm bridge_comm, int remote_leader, int tag, MPI_Comm *newintercomm),
	    (local_comm, local_leader, bridge_comm, remote_leader, tag, newintercomm))
CONSTRUCTOR(Intercomm_merge, COMMS_BY_ALL, intercomm, newintercomm, (MPI_Comm intercomm, int high, MPI_Comm *newintercomm),
	    (intercomm, high, newintercomm))

/* --- the non-blocking constructor: the name is given when it is told complete ------------------------------------------------- */

struct naming {
	struct comms_making making;
	MPI_Comm *where;
};

static unsigned namings; /* under way */

void interpose_name_idup(struct naming *naming)
{
	namings--;
	made("MPI_Comm_idup", &naming->making, MPI_SUCCESS, naming->where);
	free(naming);
}

void interpose_forget_idup(struct naming *naming)
{
	namings--;
	free(naming);
}

/* Open MPI 4.1 hangs if it makes progress between three of these on one parent (MPI_Iprobe between them is enough, without Seamark): so while
 * one is under way, the next neither looks for orders nor asks whether it is complete. A handle that has a shadow already can only be one
 * that complete requests share. */
static int idup(MPI_Comm comm, MPI_Comm *newcomm, MPI_Request *request, const void *caller)
{
	if (namings == 0)
		session_turn(SESSION_COMPLETES);
	count_collective("MPI_Comm_idup", comm, caller);
	struct comms_making making = comms_making(comm, COMMS_BY_ALL);
	struct naming *naming = malloc(sizeof *naming);
	int error = PMPI_Comm_idup(comm, newcomm, request);
	if (error != MPI_SUCCESS || naming == NULL) {
		if (error == MPI_SUCCESS)
			session_unable("MPI_Comm_idup", "there was no memory to name a communicator");
		free(naming);
		return error;
	}
	*naming = (struct naming){making, newcomm};
	namings++;
	if (shadow_of(*request) != NULL) {
		interpose_name_idup(naming);
		return error;
	}
	struct shadow *shadow = interpose_shadow(*request, SHADOW_OTHER, 0);
	if (shadow == NULL) {
		interpose_forget_idup(naming);
		return error;
	}
	shadow->spare = OTHER_NAMING;
	shadow->extra = (uint64_t)(uintptr_t)naming;
	session.collectives_pending++;
	return error;
}

int MPI_Comm_idup(MPI_Comm comm, MPI_Comm *newcomm, MPI_Request *request)
{
	if (unlikely(!session_enter()))
		return PMPI_Comm_idup(comm, newcomm, request);
	return session_leave(idup(comm, newcomm, request, __builtin_return_address(0)));
}

/* --- freed and labelled --------------------------------------------------------------------------------------------------------- */

#define DESTRUCTOR(name)                                                                                                       \
	int MPI_##name(MPI_Comm *comm)                                                                                         \
	{                                                                                                                      \
		if (unlikely(comm == NULL || *comm == MPI_COMM_WORLD || *comm == MPI_COMM_SELF || !session_enter()))           \
			return PMPI_##name(comm);                                                                              \
		int index = comms_index(*comm);                                                                                \
		session_turn(SESSION_COMPLETES);                                                                                                \
		session_close_safepoint();                                                                                     \
		session_comm_freeing(*comm);                                                                                   \
		session_outside(look_inside(LOOK_##name, LEDGER_NO_COMM, -1));                                                 \
		int error = PMPI_##name(comm);                                                                                 \
		session_back();                                                                                                \
		if (error == MPI_SUCCESS)                                                                                      \
			comms_freed(index);                                                                                    \
		return session_leave(error);                                                                                   \
	}
DESTRUCTOR(Comm_free)
DESTRUCTOR(Comm_disconnect)

int MPI_Comm_set_name(MPI_Comm comm, const char *comm_name)
{
	if (unlikely(!session_enter()))
		return PMPI_Comm_set_name(comm, comm_name);
	int error = PMPI_Comm_set_name(comm, comm_name);
	if (error == MPI_SUCCESS)
		comms_labelled(comm, comm_name);
	return session_leave(error);
}
