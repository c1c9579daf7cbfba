/* SPDX-License-Identifier: BSD-3-Clause */
/* test_noticed WHAT: functions that are not carried work as without Seamark, and from the first use of one on no checkpoint can be asked for. WHAT is
 * "nothing" (one can), "persistent", "matched", "window", or "tool" (a preloaded library that calls PMPI_Send is noticed at start). */
#include <mpi.h>
#include <stdio.h>
#include <string.h>

#include "seamark.h"

static int failures;

static void expect(int right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "not so: %s\n", what);
	failures++;
}

static void persistent(int rank, int size)
{
	int out = rank, in = -1, flag, index, done, indices[2];
	MPI_Request requests[2];
	MPI_Status status;
	MPI_Send_init(&out, 1, MPI_INT, (rank + 1) % size, 1, MPI_COMM_WORLD, &requests[0]);
	MPI_Recv_init(&in, 1, MPI_INT, (rank + size - 1) % size, 1, MPI_COMM_WORLD, &requests[1]);
	/* Inactive ones are complete, with an empty status. */
	MPI_Wait(&requests[1], &status);
	expect(status.MPI_SOURCE == MPI_ANY_SOURCE, "an inactive request has an empty status");
	MPI_Waitany(2, requests, &index, &status);
	expect(index == MPI_UNDEFINED, "no request is active");
	for (int way = 0; way < 5; way++) {
		in = -1;
		out = rank + 100 * way;
		MPI_Startall(2, requests);
		if (way == 0)
			MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
		for (int i = 0; way == 1 && i < 2; i++)
			MPI_Wait(&requests[i], &status);
		for (int i = 0; way == 2 && i < 2; i++)
			MPI_Waitany(2, requests, &index, &status);
		for (int i = 0; way == 3 && i < 2; i += done)
			MPI_Waitsome(2, requests, &done, indices, MPI_STATUSES_IGNORE);
		for (flag = 0; way == 4 && !flag;)
			MPI_Testall(2, requests, &flag, MPI_STATUSES_IGNORE);
		expect(in == (rank + size - 1) % size + 100 * way, "a persistent message arrives");
		expect(requests[1] != MPI_REQUEST_NULL, "a persistent request stays");
	}
	/* One that never gets a message can be taken back. */
	MPI_Start(&requests[1]);
	MPI_Cancel(&requests[1]);
	MPI_Wait(&requests[1], &status);
	MPI_Test_cancelled(&status, &flag);
	expect(flag, "a persistent receive is cancelled");
	MPI_Request_free(&requests[0]);
	MPI_Request_free(&requests[1]);
}

static void matched(int rank, int size)
{
	int out = rank, in = -1;
	MPI_Request request;
	MPI_Message message;
	MPI_Status status;
	MPI_Isend(&out, 1, MPI_INT, (rank + 1) % size, 1, MPI_COMM_WORLD, &request);
	MPI_Mprobe(MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &message, &status);
	MPI_Mrecv(&in, 1, MPI_INT, &message, &status);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	expect(in == (rank + size - 1) % size, "a matched message arrives");
}

static void window(int rank, int size)
{
	int value = rank, mine = -1;
	MPI_Win win;
	MPI_Win_create(&mine, sizeof mine, sizeof mine, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
	MPI_Win_fence(0, win);
	MPI_Put(&value, 1, MPI_INT, (rank + 1) % size, 0, 1, MPI_INT, win);
	MPI_Win_fence(0, win);
	expect(mine == (rank + size - 1) % size, "a put arrives");
	MPI_Win_free(&win);
}

int main(int argc, char **argv)
{
	int rank, size;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	const char *what = argc > 1 ? argv[1] : "nothing";
	if (strcmp(what, "tool") != 0)
		expect(seamark_request() == 0, "a checkpoint can be asked for");
	if (strcmp(what, "persistent") == 0)
		persistent(rank, size);
	else if (strcmp(what, "matched") == 0)
		matched(rank, size);
	else if (strcmp(what, "window") == 0)
		window(rank, size);
	expect(seamark_request() == (strcmp(what, "nothing") ? SEAMARK_E_UNABLE : 0), "it is known whether one can be asked for");
	MPI_Finalize();
	return failures != 0;
}
