/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots whose traces must tell something: told orphan, on two ranks, or told overtaken, on four.
 *
 * orphan:    rank 0 sends and comes to a safepoint after each message; rank 1 receives them all before it comes to one. So it has received what was sent after rank 0's cut, and the snapshot is void. A last one is committed.
 * overtaken: rank 3 asks for snapshots without a pause, and rank 2, by way of which it hears of outcomes, is seldom in MPI: it hears of the next attempt before the outcome of the last. */
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "seamark.h"

enum { TAG = 7, LETTERS = 300, COMMITTED = 12, LIMIT_S = 60 };

static int rank;

static void orphan(void)
{
	for (int i = 0; i < LETTERS; i++) {
		int letter = i;
		if (rank == 0) {
			MPI_Send(&letter, 1, MPI_INT, 1, TAG, MPI_COMM_WORLD);
			if (i == LETTERS / 10)
				seamark_request();
			seamark_safepoint(SEAMARK_ANY_STEP);
			usleep(300);
		} else if (rank == 1) {
			MPI_Recv(&letter, 1, MPI_INT, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		}
	}
}

/* Rank 2 says when it is over. */
static void overtaken(void)
{
	int64_t number = 0;
	int over = 0;
	for (bool told = false; !over;) {
		seamark_safepoint(SEAMARK_ANY_STEP);
		if (rank == 3)
			seamark_request();
		usleep(rank == 2 ? 3000 : 100);
		MPI_Iprobe(2, TAG, MPI_COMM_WORLD, &over, MPI_STATUS_IGNORE);
		if (rank != 2 || told || seamark_committed(&number, NULL) < 0 || number < COMMITTED)
			continue;
		for (int other = 0; other < 4; other++)
			MPI_Send(NULL, 0, MPI_INT, other, TAG, MPI_COMM_WORLD);
		told = true;
	}
	MPI_Recv(NULL, 0, MPI_INT, 2, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	seamark_restore(NULL);
	seamark_safepoint(SEAMARK_ANY_STEP);
	if (argc > 1 && !strcmp(argv[1], "orphan"))
		orphan();
	else
		overtaken();
	int code = seamark_checkpoint(SEAMARK_ANY_STEP, LIMIT_S);
	if (code)
		fprintf(stderr, "rank %d: the last checkpoint: %s\n", rank, seamark_strerror(code));
	MPI_Finalize();
	return code != 0;
}
