/* SPDX-License-Identifier: BSD-3-Clause */
/* scaled PATTERN STEPS: in each step every rank sends one message to each of those that bench/scale says it sends to. scaled.sh counts what Seamark sends beside. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "scale.h"
#include "seamark.h"

enum { RANKS_MOST = 64 };

static int ranks, rank;

/* The ranks that send to this one: those whose lists have it. */
static int sources(enum pattern pattern, int32_t *list)
{
	int count = 0;
	for (int32_t other = 0; other < ranks; other++) {
		int32_t targets[RANKS_MOST], known = pattern_targets(pattern, ranks, other, targets);
		for (int32_t i = 0; i < known; i++)
			if (targets[i] == rank)
				list[count++] = other;
	}
	return count;
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	int pattern = argc > 2 ? pattern_named(argv[1]) : -1;
	if (pattern < 0 || ranks > RANKS_MOST)
		MPI_Abort(MPI_COMM_WORLD, 2);
	int32_t to[RANKS_MOST], from[RANKS_MOST];
	int out = pattern_targets((enum pattern)pattern, ranks, rank, to), in = sources((enum pattern)pattern, from);
	int64_t sent[RANKS_MOST], got[RANKS_MOST], wrong = 0, begun = 0;
	MPI_Request requests[2 * RANKS_MOST];
	seamark_protect("wrong", &wrong, sizeof wrong);
	seamark_restore(&begun);
	for (int64_t step = begun; step < atoll(argv[2]); step++) {
		seamark_safepoint(step);
		for (int i = 0; i < in; i++)
			MPI_Irecv(&got[i], 1, MPI_INT64_T, from[i], 7, MPI_COMM_WORLD, &requests[i]);
		for (int i = 0; i < out; i++) {
			sent[i] = step * RANKS_MOST + rank;
			MPI_Isend(&sent[i], 1, MPI_INT64_T, to[i], 7, MPI_COMM_WORLD, &requests[in + i]);
		}
		MPI_Waitall(in + out, requests, MPI_STATUSES_IGNORE);
		for (int i = 0; i < in; i++)
			wrong += got[i] != step * RANKS_MOST + from[i];
	}
	if (wrong != 0)
		printf("rank %d: %lld messages were not what was sent\n", rank, (long long)wrong);
	MPI_Finalize();
	return wrong != 0;
}
