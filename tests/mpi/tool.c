/* SPDX-License-Identifier: BSD-3-Clause */
/* A profiling tool, as tools are: it counts calls, has a communicator of its own, and says at the end what it has seen. */
#include <mpi.h>
#include <stdio.h>

static int sends, receives;
static MPI_Comm own;

int MPI_Init(int *argc, char ***argv)
{
	int error = PMPI_Init(argc, argv);
	PMPI_Comm_dup(MPI_COMM_WORLD, &own);
	return error;
}

int MPI_Isend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm, MPI_Request *request)
{
	sends++;
	return PMPI_Isend(buf, count, datatype, dest, tag, comm, request);
}

int MPI_Recv(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm, MPI_Status *status)
{
	receives++;
	return PMPI_Recv(buf, count, datatype, source, tag, comm, status);
}

int MPI_Irecv(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm, MPI_Request *request)
{
	receives++;
	return PMPI_Irecv(buf, count, datatype, source, tag, comm, request);
}

int MPI_Finalize(void)
{
	int counts[2] = {sends, receives}, sums[2] = {0}, rank;
	PMPI_Reduce(counts, sums, 2, MPI_INT, MPI_SUM, 0, own);
	PMPI_Comm_rank(own, &rank);
	if (rank == 0)
		fprintf(stderr, "tool: %d sends, %d receives\n", sums[0], sums[1]);
	PMPI_Comm_free(&own);
	return PMPI_Finalize();
}
