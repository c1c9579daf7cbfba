/* SPDX-License-Identifier: BSD-3-Clause */
/* files MIB TIMES: each rank has so many MiB of random bytes, other ones each time, in so many checkpoints; rank 0 prints the seconds from asking for each to its commit. Then
 * files read MIB: the seconds that the restart from the newest takes. files.sh compares ways to lay images out in files. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "seamark.h"

static void need(int code, const char *what)
{
	if (code >= 0)
		return;
	fprintf(stderr, "files: %s: %s\n", what, seamark_strerror(code));
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void fill(uint64_t *data, size_t words, uint64_t seed)
{
	for (size_t i = 0; i < words; i++)
		data[i] = mix64(seed + i);
}

int main(int argc, char **argv)
{
	int rank;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	if (argc != 3)
		MPI_Abort(MPI_COMM_WORLD, 2);
	int reads = strcmp(argv[1], "read") == 0;
	size_t bytes = (size_t)atol(argv[reads ? 2 : 1]) << 20;
	uint64_t *data = aligned_alloc(4096, bytes);
	fill(data, bytes / 8, 0);
	need(seamark_protect("data", data, bytes), "seamark_protect");
	MPI_Barrier(MPI_COMM_WORLD);
	double began = MPI_Wtime();
	int restored = seamark_restore(NULL);
	MPI_Barrier(MPI_COMM_WORLD);
	need(restored, "seamark_restore");
	if (rank == 0 && reads)
		printf("%.4f\n", restored == SEAMARK_RESTORED ? MPI_Wtime() - began : -1.0);
	for (int i = 0; !reads && i < atoi(argv[2]); i++) {
		fill(data, bytes / 8, (uint64_t)(rank * 1000 + i + 1) << 40);
		MPI_Barrier(MPI_COMM_WORLD);
		began = MPI_Wtime();
		need(seamark_checkpoint(i, 600), "seamark_checkpoint");
		if (rank == 0)
			printf("%.4f\n", MPI_Wtime() - began);
	}
	MPI_Finalize();
	free(data);
	return 0;
}
