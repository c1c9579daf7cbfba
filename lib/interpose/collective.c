/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives cannot be seen message by message: each rank counts those it has begun, per communicator, and a verdict compares the counts. */
#include "interpose/inside.h"

#define COLLECTIVE(name, parameters, arguments)                                                                                \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		begin_collective("MPI_" #name, comm, __builtin_return_address(0));                                             \
		session_outside();                                                                                             \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		return session_leave(error);                                                                                   \
	}

/* Nobody leaves it before everybody is in it, unless there are no items: that settles epochs of windows (channel/epochs.h). */
#define MEETING(name, items, type, parameters, arguments)                                                                      \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		begin_collective("MPI_" #name, comm, __builtin_return_address(0));                                             \
		const uint64_t number = session.epochs.number;                                                                 \
		session_outside();                                                                                             \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		if (unlikely(session.epochs.count != 0) && error == MPI_SUCCESS && (items) > 0)                                \
			interpose_met(comm, type, number);                                                                     \
		return session_leave(error);                                                                                   \
	}

static int began(int error, const MPI_Request *request)
{
	struct shadow *shadow;
	if (error == MPI_SUCCESS && !interpose_began(*request, SHADOW_COLLECTIVE, &shadow) && shadow != NULL)
		session.collectives_pending++;
	return error;
}

#define NONBLOCKING(name, parameters, arguments)                                                                               \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		begin_collective("MPI_" #name, comm, __builtin_return_address(0));                                             \
		return session_leave(began(PMPI_##name arguments, request));                                                   \
	}

#include "interpose/collectives.h"
