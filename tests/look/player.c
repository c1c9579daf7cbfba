/* SPDX-License-Identifier: BSD-3-Clause */
/* player FILE END: does what the file says, which programs.py has drawn: a line for each operation, "RANK OPERATION ARGUMENTS", on five communicators:
 *   0 the world   1 a copy of it   2 its even or odd ranks   3 between these two (ranks of the other side)   4 the world from behind
 * A rank that has done all of its own says so, and goes to its END: "compute", for ever, or "finalize". */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMMS = 5, LARGE = 1 << 20, SLOTS = 64, OPERATIONS = 4096 };

static MPI_Comm comms[COMMS];
static MPI_Request slots[SLOTS];
static char *large, *into;
static int rank, ranks, number[6];

static void make_comms(void)
{
	comms[0] = MPI_COMM_WORLD;
	MPI_Comm_dup(MPI_COMM_WORLD, &comms[1]);
	MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &comms[2]);
	MPI_Intercomm_create(comms[2], 0, MPI_COMM_WORLD, 1 - rank % 2, 77, &comms[3]);
	MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &comms[4]);
}

/* Several of the slots from number[1] on. */
static void wait_for_any(void)
{
	int which;
	MPI_Waitany(number[1], slots + number[0], &which, MPI_STATUS_IGNORE);
}

static void probe_and_receive(void)
{
	MPI_Message message;
	MPI_Mprobe(number[1], number[2], comms[number[0]], &message, MPI_STATUS_IGNORE);
	MPI_Mrecv(into, LARGE, MPI_CHAR, &message, MPI_STATUS_IGNORE);
}

static void collective(const char *what)
{
	const MPI_Comm comm = comms[number[0]];
	char all[4 * 64];
	int sum;

	if (!strcmp(what, "barrier"))
		MPI_Barrier(comm);
	else if (!strcmp(what, "allreduce"))
		MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
	else if (!strcmp(what, "allgather"))
		MPI_Allgather(&rank, 4, MPI_CHAR, all, 4, MPI_CHAR, comm);
	else if (!strcmp(what, "bcast"))
		MPI_Bcast(into, 4, MPI_CHAR, number[1], comm);
	else if (!strcmp(what, "reduce"))
		MPI_Reduce(&rank, &sum, 1, MPI_INT, MPI_SUM, number[1], comm);
	else
		MPI_Abort(MPI_COMM_WORLD, 3);
}

static void point_to_point(const char *what)
{
	const MPI_Comm comm = number[0] >= 0 && number[0] < COMMS ? comms[number[0]] : MPI_COMM_NULL;

	if (!strcmp(what, "send"))
		MPI_Send(large, 4, MPI_CHAR, number[1], number[2], comm);
	else if (!strcmp(what, "large"))
		MPI_Send(large, LARGE, MPI_CHAR, number[1], number[2], comm);
	else if (!strcmp(what, "ssend"))
		MPI_Ssend(large, 4, MPI_CHAR, number[1], number[2], comm);
	else if (!strcmp(what, "recv"))
		MPI_Recv(into, LARGE, MPI_CHAR, number[1], number[2], comm, MPI_STATUS_IGNORE);
	else if (!strcmp(what, "any"))
		MPI_Recv(into, LARGE, MPI_CHAR, MPI_ANY_SOURCE, number[2], comm, MPI_STATUS_IGNORE);
	else if (!strcmp(what, "probe"))
		MPI_Probe(number[1], number[2], comm, MPI_STATUS_IGNORE);
	else if (!strcmp(what, "mprobe"))
		probe_and_receive();
	else
		collective(what);
}

static void operate(const char *what)
{
	if (!strcmp(what, "sleep"))
		usleep((useconds_t)number[0] * 1000);
	else if (!strcmp(what, "irecv"))
		MPI_Irecv(malloc(LARGE), LARGE, MPI_CHAR, number[1], number[2], comms[number[0]], &slots[number[3]]);
	else if (!strcmp(what, "issend"))
		MPI_Issend(large, 4, MPI_CHAR, number[1], number[2], comms[number[0]], &slots[number[3]]);
	else if (!strcmp(what, "isend"))
		MPI_Isend(large, 4, MPI_CHAR, number[1], number[2], comms[number[0]], &slots[number[3]]);
	else if (!strcmp(what, "ibarrier"))
		MPI_Ibarrier(comms[number[0]], &slots[number[1]]);
	else if (!strcmp(what, "wait"))
		MPI_Wait(&slots[number[0]], MPI_STATUS_IGNORE);
	else if (!strcmp(what, "waitall"))
		MPI_Waitall(number[1], slots + number[0], MPI_STATUSES_IGNORE);
	else if (!strcmp(what, "waitany"))
		wait_for_any();
	else
		point_to_point(what);
}

int main(int argc, char **argv)
{
	char line[128], what[16];
	int whose;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	FILE *file = argc < 3 ? NULL : fopen(argv[1], "r");
	large = calloc(1, LARGE);
	into = calloc(1, LARGE);
	if (argc < 3 || !file || !large || !into)
		MPI_Abort(MPI_COMM_WORLD, 2);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = MPI_REQUEST_NULL;
	make_comms();
	while (fgets(line, sizeof line, file)) {
		memset(number, 0, sizeof number);
		if (sscanf(line, "%d %15s %d %d %d %d", &whose, what, &number[0], &number[1], &number[2], &number[3]) >= 2 && whose == rank)
			operate(what);
	}
	fclose(file);
	printf("rank %d is through\n", rank);
	fflush(stdout);
	if (!strcmp(argv[2], "finalize"))
		return MPI_Finalize();
	/* Now and then in MPI, so that what others do with it goes on. */
	for (int there;; usleep(5000))
		MPI_Iprobe(MPI_ANY_SOURCE, 9999, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
}
