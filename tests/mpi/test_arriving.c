/* SPDX-License-Identifier: BSD-3-Clause */
/* A large in-flight message is drained while its sender computes and is not in MPI: the receiver must not wait for it. Rank 1 begins a send,
 * cuts, and computes for a while; rank 0 goes round its loop meanwhile, and no round may take long. The transport is one without
 * single copy (tcp), so that the message cannot arrive by itself. In the end it must be there, whole, and in the checkpoint. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "seamark.h"

enum { ITEMS = 1 << 20, COMPUTE_S = 2, TAG = 7, TAG_OTHER = 8 };

static int item(int i)
{
	return (int)((unsigned)i * 2654435761u >> 1);
}

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	fprintf(stderr, "arriving: %s\n", what);
	MPI_Abort(MPI_COMM_WORLD, 1);
	return 1;
}

/* Rounds until the checkpoint is committed; the longest of them. */
static double go_round(void)
{
	double longest = 0;
	int64_t number;
	seamark_request();
	for (double last = now_s(); seamark_committed(&number, NULL) != 1;) {
		int found;
		seamark_safepoint(SEAMARK_ANY_STEP);
		MPI_Iprobe(MPI_ANY_SOURCE, TAG_OTHER, MPI_COMM_WORLD, &found, MPI_STATUS_IGNORE);
		double now = now_s();
		longest = now - last > longest ? now - last : longest;
		last = now;
	}
	return longest;
}

static void receive(int *data)
{
	MPI_Status status;
	int count;
	MPI_Recv(data, ITEMS, MPI_INT, MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &status);
	MPI_Get_count(&status, MPI_INT, &count);
	if (count != ITEMS || status.MPI_SOURCE != 1)
		fail("the message is not the one that was sent");
	for (int i = 0; i < ITEMS; i++)
		if (data[i] != item(i))
			fail("the message has changed");
}

int main(int argc, char **argv)
{
	int rank;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	int *data = calloc(ITEMS, sizeof *data);
	seamark_restore(NULL);
	MPI_Barrier(MPI_COMM_WORLD);
	if (rank == 0) {
		double longest = go_round();
		printf("the longest round took %.3f s\n", longest);
		if (longest > COMPUTE_S / 2.0)
			fail("the receiver waited for the sender");
		receive(data);
	} else if (rank == 1) {
		MPI_Request request;
		for (int i = 0; i < ITEMS; i++)
			data[i] = item(i);
		MPI_Isend(data, ITEMS, MPI_INT, 0, TAG, MPI_COMM_WORLD, &request);
		while (seamark_safepoint(SEAMARK_ANY_STEP) != 1)
			;
		for (double begin = now_s(); now_s() - begin < COMPUTE_S;)
			usleep(1000);
		MPI_Wait(&request, MPI_STATUS_IGNORE);
	}
	free(data);
	MPI_Finalize();
	return 0;
}
