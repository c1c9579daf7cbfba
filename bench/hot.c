/* SPDX-License-Identifier: BSD-3-Clause */
/* MPI calls in a loop, to see what Seamark adds to them between snapshots. Not linked with Seamark: bench/hot.sh runs it with and without the
 * library preloaded, and compares.
 *
 *     mpirun -n 1 hot CALLS turns        messages of 8 bytes to oneself; for counting instructions
 *     mpirun -n 2 hot ping turns bytes   prints the nanoseconds from a send to its receive, half of a median round trip
 *
 * CALLS says which are the program's own MPI_ calls. Their counterparts are PMPI_ functions, which Seamark does not see: it adds nothing there. They
 * are looked up at run time, or Seamark would find them in the program's table of imports. */
#include <dlfcn.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 101, BYTES_MOST = 1 << 20 };

static char out[BYTES_MOST], in[BYTES_MOST];
static MPI_Comm world = MPI_COMM_WORLD;

static int (*pmpi_send)(const void *, int, MPI_Datatype, int, int, MPI_Comm);
static int (*pmpi_recv)(void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Status *);

/* --- one turn of each kind --------------------------------------------------------------------------------------------- */

static void turn_send(void)
{
	MPI_Send(out, 8, MPI_BYTE, 0, 1, world);
	pmpi_recv(in, 8, MPI_BYTE, 0, 1, world, MPI_STATUS_IGNORE);
}

static void turn_recv(void)
{
	pmpi_send(out, 8, MPI_BYTE, 0, 1, world);
	MPI_Recv(in, 8, MPI_BYTE, 0, 1, world, MPI_STATUS_IGNORE);
}

static void turn_recv_any(void)
{
	pmpi_send(out, 8, MPI_BYTE, 0, 1, world);
	MPI_Recv(in, 8, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, world, MPI_STATUS_IGNORE);
}

static void turn_isend_wait(void)
{
	MPI_Request request;
	MPI_Isend(out, 8, MPI_BYTE, 0, 1, world, &request);
	pmpi_recv(in, 8, MPI_BYTE, 0, 1, world, MPI_STATUS_IGNORE);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static void turn_irecv_wait(void)
{
	MPI_Request request;
	MPI_Irecv(in, 8, MPI_BYTE, 0, 1, world, &request);
	pmpi_send(out, 8, MPI_BYTE, 0, 1, world);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static void turn_irecv_test(void)
{
	MPI_Request request;
	int complete;
	MPI_Irecv(in, 8, MPI_BYTE, 0, 1, world, &request);
	pmpi_send(out, 8, MPI_BYTE, 0, 1, world);
	do
		MPI_Test(&request, &complete, MPI_STATUS_IGNORE);
	while (!complete);
}

static void turn_waitall(void)
{
	MPI_Request requests[2];
	MPI_Irecv(in, 8, MPI_BYTE, 0, 1, world, &requests[0]);
	MPI_Isend(out, 8, MPI_BYTE, 0, 1, world, &requests[1]);
	MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
}

/* The halo exchange of a grid in two dimensions. */
static void turn_waitall_8(void)
{
	MPI_Request requests[8];
	for (int i = 0; i < 4; i++)
		MPI_Irecv(in + 8 * i, 8, MPI_BYTE, 0, i, world, &requests[i]);
	for (int i = 0; i < 4; i++)
		MPI_Isend(out + 8 * i, 8, MPI_BYTE, 0, i, world, &requests[4 + i]);
	MPI_Waitall(8, requests, MPI_STATUSES_IGNORE);
}

static void turn_any_waitall(void)
{
	MPI_Request requests[64];
	for (int i = 0; i < 64; i++)
		MPI_Irecv(in + 8 * i, 8, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, world, &requests[i]);
	for (int i = 0; i < 64; i++)
		pmpi_send(out, 8, MPI_BYTE, 0, 1, world);
	MPI_Waitall(64, requests, MPI_STATUSES_IGNORE);
}

static void turn_many_waitall(void)
{
	MPI_Request requests[64];
	for (int i = 0; i < 64; i++)
		MPI_Irecv(in + 8 * i, 8, MPI_BYTE, 0, 1, world, &requests[i]);
	for (int i = 0; i < 64; i++)
		pmpi_send(out, 8, MPI_BYTE, 0, 1, world);
	MPI_Waitall(64, requests, MPI_STATUSES_IGNORE);
}

static void turn_irecv_any(void)
{
	MPI_Request request;
	MPI_Irecv(in, 8, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, world, &request);
	pmpi_send(out, 8, MPI_BYTE, 0, 1, world);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static void turn_iprobe(void)
{
	int found;
	MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, world, &found, MPI_STATUS_IGNORE);
}

static void turn_barrier(void)
{
	MPI_Barrier(world);
}

static const struct {
	const char *name;
	void (*turn)(void);
} kinds[] = {
	{"send", turn_send},
	{"recv", turn_recv},
	{"recv-any", turn_recv_any},
	{"isend-wait", turn_isend_wait},
	{"irecv-wait", turn_irecv_wait},
	{"irecv-test", turn_irecv_test},
	{"irecv-isend-waitall", turn_waitall},
	{"4-irecv-4-isend-waitall", turn_waitall_8},
	{"irecv-any-wait", turn_irecv_any},
	{"64-irecv-waitall", turn_many_waitall},
	{"64-irecv-any-waitall", turn_any_waitall},
	{"iprobe-nothing", turn_iprobe},
	{"barrier", turn_barrier},
};

/* --- there and back ---------------------------------------------------------------------------------------------------- */

static int in_order(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static void ping(int rank, long turns, int bytes)
{
	double taken[BATCHES];
	for (int batch = 0; batch < BATCHES; batch++) {
		MPI_Barrier(world);
		double begin = MPI_Wtime();
		for (long i = 0; i < turns; i++) {
			if (rank == 0)
				MPI_Send(out, bytes, MPI_BYTE, 1, 1, world);
			MPI_Recv(in, bytes, MPI_BYTE, 1 - rank, 1, world, MPI_STATUS_IGNORE);
			if (rank == 1)
				MPI_Send(out, bytes, MPI_BYTE, 0, 1, world);
		}
		taken[batch] = (MPI_Wtime() - begin) / (double)turns / 2 * 1e9;
	}
	qsort(taken, BATCHES, sizeof *taken, in_order);
	if (rank == 0)
		printf("%.1f\n", taken[BATCHES / 2]);
}

static int usage(int rank)
{
	if (rank == 0) {
		fprintf(stderr, "usage: hot CALLS turns (1 rank), or hot ping turns bytes (2 ranks); CALLS:\n");
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
			fprintf(stderr, "  %s\n", kinds[i].name);
	}
	return 2;
}

static int run(int rank, int ranks, int argc, char **argv)
{
	long turns = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	if (turns <= 0)
		return usage(rank);
	if (strcmp(argv[1], "ping") == 0) {
		long bytes = argc > 3 ? strtol(argv[3], NULL, 10) : 8;
		if (ranks != 2 || bytes < 0 || bytes > BYTES_MOST)
			return usage(rank);
		ping(rank, turns, (int)bytes);
		return 0;
	}
	for (size_t kind = 0; ranks == 1 && kind < sizeof kinds / sizeof *kinds; kind++)
		if (strcmp(argv[1], kinds[kind].name) == 0) {
			for (long i = 0; i < turns; i++)
				kinds[kind].turn();
			return 0;
		}
	return usage(rank);
}

int main(int argc, char **argv)
{
	int rank, ranks;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(world, &rank);
	MPI_Comm_size(world, &ranks);
	*(void **)&pmpi_send = dlsym(RTLD_DEFAULT, "PMPI_Send");
	*(void **)&pmpi_recv = dlsym(RTLD_DEFAULT, "PMPI_Recv");
	if (!pmpi_send || !pmpi_recv)
		MPI_Abort(world, 2);
	int code = run(rank, ranks, argc, argv);
	MPI_Finalize();
	return code;
}
