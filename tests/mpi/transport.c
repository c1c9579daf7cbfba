/* SPDX-License-Identifier: BSD-3-Clause */
/* A library for messages that calls the MPI library by its PMPI_ names, as some do, or with ABOVE by those that are usual. With BY_ADDRESS sends go through a pointer
 * that the linker or the dynamic linker has filled. */
#include <mpi.h>

#include "transport.h"

#ifdef ABOVE
#define CALL(name) MPI_##name
#else
#define CALL(name) PMPI_##name
#endif

#ifdef BY_ADDRESS
static int (*const volatile isend)(const void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request *) = CALL(Isend);
#else
#define isend CALL(Isend)
#endif

static int out[2 * AHEAD];
static MPI_Request sent[2 * AHEAD];
static int used;

static void neighbours(int *next, int *previous)
{
	int rank, size;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	*next = (rank + 1) % size;
	*previous = (rank + size - 1) % size;
}

void transport_send(int number)
{
	int next, previous, slot = used++ % (2 * AHEAD);
	neighbours(&next, &previous);
	if (used > 2 * AHEAD)
		CALL(Wait)(&sent[slot], MPI_STATUS_IGNORE);
	out[slot] = 1000 * (next + 1) + number;
	isend(&out[slot], 1, MPI_INT, next, TAG, MPI_COMM_WORLD, &sent[slot]);
}

int transport_receive(int number)
{
	int next, previous, flag = 0, in = -1;
	MPI_Request request;
	MPI_Status status;
	neighbours(&next, &previous);
	switch (number % 3) {
	case 0:
		CALL(Irecv)(&in, 1, MPI_INT, previous, TAG, MPI_COMM_WORLD, &request);
		while (!flag)
			CALL(Test)(&request, &flag, MPI_STATUS_IGNORE);
		break;
	case 1:
		while (!flag)
			CALL(Iprobe)(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &flag, &status);
		CALL(Recv)(&in, 1, MPI_INT, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		break;
	default:
		CALL(Recv)(&in, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
		if (status.MPI_SOURCE != previous || status.MPI_TAG != TAG)
			in = -2;
	}
	return in;
}

int transport_sum(int value)
{
	int sum = 0;
	CALL(Allreduce)(&value, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	return sum;
}
