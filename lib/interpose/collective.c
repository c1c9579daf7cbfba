/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives cannot be seen message by message: each rank counts those it has begun, per communicator, and a verdict compares the counts. */
#include "interpose/inside.h"

#define ROOTED(name, from, parameters, arguments)                                                                              \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		const int index = begin_collective("MPI_" #name, comm, __builtin_return_address(0));                           \
		session_outside(look_inside(LOOK_##name, index, from));                                                        \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		return session_leave(error);                                                                                   \
	}

#define COLLECTIVE(name, parameters, arguments) ROOTED(name, -1, parameters, arguments)

/* Nobody leaves it before everybody is in it, unless there are no items: that settles epochs of windows (channel/epochs.h). */
#define MEETING(name, items, type, parameters, arguments)                                                                      \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		const int index = begin_collective("MPI_" #name, comm, __builtin_return_address(0));                           \
		const uint64_t number = session.epochs.number;                                                                 \
		session_outside(look_inside(LOOK_##name, index, -1));                                                          \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		if (unlikely(session.epochs.count != 0) && error == MPI_SUCCESS && (items) > 0)                                \
			interpose_met(comm, type, number);                                                                     \
		return session_leave(error);                                                                                   \
	}

/* `extra` and `position` say which it is, and the how many-th on its communicator. */
static int began(enum look_call call, int index, int error, const MPI_Request *request)
{
	struct shadow *shadow;
	if (error != MPI_SUCCESS || interpose_began(*request, SHADOW_COLLECTIVE, &shadow) || shadow == NULL)
		return error;
	session.collectives_pending++;
	if (index != LEDGER_NO_COMM) {
		shadow->extra = look_inside(call, index, -1);
		shadow->position = (int64_t)session.ledger.comms[index].begun;
	}
	return error;
}

#define NONBLOCKING(name, parameters, arguments)                                                                               \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		const int index = begin_collective("MPI_" #name, comm, __builtin_return_address(0));                           \
		return session_leave(began(LOOK_##name, index, PMPI_##name arguments, request));                               \
	}

#include "interpose/collectives.h"
