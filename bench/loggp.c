/* SPDX-License-Identifier: BSD-3-Clause */
/* LogGP between ranks 0 and 1, for bench/scale:
 *
 *     mpirun -n 2 loggp [NAME]     ->  NAME:L,o,g,G   in microseconds, G per byte
 *
 * o is the mean of a send's time and of a receive's of a message that is here; L what is left of half a round trip; g the time between two of many messages; G
 * from the longer half of two lengths. After Hoefler, Lichei, Rehm: Low-overhead LogGP parameter assessment, IPDPS 2007. The fastest of many batches: the machine may be busy. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 41, TURNS = 200, FEW_TURNS = 8, MANY = 64, SMALL = 64, LARGE = 1 << 19 };

static char *data;
static int rank;

static double microseconds(void)
{
	return MPI_Wtime() * 1e6;
}

static double fastest(double (*measure)(int bytes), int bytes)
{
	double least = measure(bytes);
	for (int i = 1; i < BATCHES; i++) {
		double took = measure(bytes);
		least = took < least ? took : least;
	}
	return least;
}

static void send(int bytes)
{
	MPI_Send(data, bytes, MPI_BYTE, 1 - rank, 0, MPI_COMM_WORLD);
}

static void receive(int bytes)
{
	MPI_Recv(data, bytes, MPI_BYTE, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static double half_round_trip(int bytes)
{
	int turns = bytes > SMALL ? FEW_TURNS : TURNS;
	double begun = microseconds();
	for (int i = 0; i < turns; i++) {
		if (rank == 0)
			send(bytes);
		receive(bytes);
		if (rank == 1)
			send(bytes);
	}
	return (microseconds() - begun) / turns / 2;
}

/* Rank 0 sends, rank 1 waits until all are there. */
static double sending(int bytes)
{
	MPI_Request requests[MANY];
	double begun = microseconds();
	for (int i = 0; rank == 0 && i < MANY; i++)
		MPI_Isend(data, bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD, &requests[i]);
	double took = (microseconds() - begun) / MANY;
	for (int i = 0; rank == 1 && i < MANY; i++)
		receive(bytes);
	if (rank == 0)
		MPI_Waitall(MANY, requests, MPI_STATUSES_IGNORE);
	MPI_Barrier(MPI_COMM_WORLD);
	return took;
}

static double receiving(int bytes)
{
	for (int i = 0; rank == 1 && i < MANY; i++)
		send(bytes);
	MPI_Barrier(MPI_COMM_WORLD);
	double begun = microseconds();
	for (int i = 0; rank == 0 && i < MANY; i++)
		receive(bytes);
	double took = (microseconds() - begun) / MANY;
	MPI_Barrier(MPI_COMM_WORLD);
	return took;
}

static double there_and_back(int there, int bytes)
{
	double begun = microseconds();
	for (int i = 0; i < there; i++)
		rank == 0 ? send(bytes) : receive(bytes);
	rank == 0 ? receive(bytes) : send(bytes);
	return microseconds() - begun;
}

static double one_and_back(int bytes)
{
	return there_and_back(1, bytes);
}

static double many_and_back(int bytes)
{
	return there_and_back(MANY + 1, bytes);
}

int main(int argc, char **argv)
{
	int ranks;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	data = calloc(1, LARGE);
	if (ranks != 2 || !data) {
		fprintf(stderr, "loggp: two ranks, please\n");
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	half_round_trip(LARGE);
	double half = fastest(half_round_trip, SMALL), o = (fastest(sending, SMALL) + fastest(receiving, SMALL)) / 2;
	double g = (fastest(many_and_back, SMALL) - fastest(one_and_back, SMALL)) / MANY;
	double G = (fastest(half_round_trip, LARGE) - fastest(half_round_trip, LARGE / 2)) / (LARGE / 2);
	double L = half > 2 * o ? half - 2 * o : 0;
	if (rank == 0)
		printf("%s:%.3f,%.3f,%.3f,%.7f\n", argc > 1 ? argv[1] : "here", L, o, g, G);
	free(data);
	MPI_Finalize();
	return 0;
}
