/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives cannot be seen message by message: each rank counts those it has begun, per communicator, and a verdict compares the counts. */
#include "interpose/inside.h"

#define COLLECTIVE(name, parameters, arguments)                                                                                \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (likely(session.counting))                                                                                  \
			begin_collective("MPI_" #name, comm, __builtin_return_address(0));                                     \
		return PMPI_##name arguments;                                                                                  \
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
		if (unlikely(!session.counting))                                                                               \
			return PMPI_##name arguments;                                                                          \
		begin_collective("MPI_" #name, comm, __builtin_return_address(0));                                             \
		return began(PMPI_##name arguments, request);                                                                  \
	}

#include "interpose/collectives.h"
