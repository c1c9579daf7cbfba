/* SPDX-License-Identifier: BSD-3-Clause */
/* test_noticed WHAT: functions that are not carried work as without Seamark, and from the first use of one on no checkpoint can be asked for. WHAT is
 * "nothing" (one can), or "window". */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
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

static void window(int rank, int size)
{
	/* On the heap: Debian's MPICH loses what is put into a window over the stack. */
	int value = rank, *mine = malloc(sizeof *mine);
	MPI_Win win;
	*mine = -1;
	MPI_Win_create(mine, sizeof *mine, sizeof *mine, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
	MPI_Win_fence(0, win);
	MPI_Put(&value, 1, MPI_INT, (rank + 1) % size, 0, 1, MPI_INT, win);
	MPI_Win_fence(0, win);
	expect(*mine == (rank + size - 1) % size, "a put arrives");
	MPI_Win_free(&win);
	free(mine);
}

int main(int argc, char **argv)
{
	int rank, size;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	const char *what = argc > 1 ? argv[1] : "nothing";
	expect(seamark_request() == 0, "a checkpoint can be asked for");
	if (strcmp(what, "window") == 0)
		window(rank, size);
	expect(seamark_request() == (strcmp(what, "nothing") ? SEAMARK_E_UNABLE : 0), "it is known whether one can be asked for");
	MPI_Finalize();
	return failures != 0;
}
