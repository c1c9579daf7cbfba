/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a checkpoint holds the program, against a plain memcpy of the same memory in the same run, all ranks at once.
 *
 *     mpirun -n 2 held [MiB per rank (256)] [rounds (7)] [limit]
 *
 * Each round copies the memory once by memcpy into memory touched before, and once by a cut; between them the program rewrites
 * all of it. A round's time is that of the slowest rank. Prints the medians and their ratio; exit status 1 if a limit is given and
 * the ratio reaches it. Checkpoints go where SEAMARK_DIR says. */
#include <inttypes.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamark.h>

enum { ROUNDS_MAX = 1000 };

static int64_t step;

static double slowest(double seconds)
{
	double most;

	MPI_Allreduce(&seconds, &most, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
	return most;
}

static void rewrite(unsigned char *memory, size_t bytes, int round)
{
	memset(memory, round + 1, bytes);
}

static double time_memcpy(unsigned char *copy, const unsigned char *memory, size_t bytes)
{
	double begin;

	MPI_Barrier(MPI_COMM_WORLD);
	begin = MPI_Wtime();
	memcpy(copy, memory, bytes);
	return slowest(MPI_Wtime() - begin);
}

/* Steps on until the cut is made; the time of the safepoint that made it, or negative: the snapshot failed. */
static double time_cut(void)
{
	double held = 0;
	int rank, made = 0, outcome;

	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	if (rank == 0 && seamark_request())
		MPI_Abort(MPI_COMM_WORLD, 2);
	while (!made) {
		double begin;

		MPI_Barrier(MPI_COMM_WORLD);
		begin = MPI_Wtime();
		made = seamark_safepoint(step++);
		held = MPI_Wtime() - begin;
		if (made < 0)
			MPI_Abort(MPI_COMM_WORLD, 2);
	}
	outcome = seamark_wait(-1);
	MPI_Allreduce(MPI_IN_PLACE, &outcome, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	held = slowest(held);
	return outcome ? -1 : held;
}

static int in_order(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, in_order);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static bool number(const char *text, double least, double most, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && *value >= least && *value <= most;
}

int main(int argc, char **argv)
{
	static double copied[ROUNDS_MAX], held[ROUNDS_MAX];
	double mib = 256, rounds = 7, limit = 0, ratio;
	unsigned char *memory, *copy;
	size_t bytes;
	int rank, ranks;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	if (argc > 4 || (argc > 1 && !number(argv[1], 1, 1 << 20, &mib)) ||
	    (argc > 2 && !number(argv[2], 1, ROUNDS_MAX, &rounds)) || (argc > 3 && !number(argv[3], 0, 1e6, &limit))) {
		if (rank == 0)
			fprintf(stderr, "usage: held [MiB per rank] [rounds] [limit]\n");
		MPI_Finalize();
		return 2;
	}
	bytes = (size_t)(mib * 1048576);
	memory = malloc(bytes);
	copy = malloc(bytes);
	if (!memory || !copy || seamark_protect("memory", memory, bytes))
		MPI_Abort(MPI_COMM_WORLD, 2);
	memset(copy, 1, bytes);
	if (seamark_restore(&step) < 0)
		MPI_Abort(MPI_COMM_WORLD, 2);

	for (int round = 0; round < (int)rounds; round++) {
		rewrite(memory, bytes, 2 * round);
		copied[round] = time_memcpy(copy, memory, bytes);
		rewrite(memory, bytes, 2 * round + 1);
		held[round] = time_cut();
		if (rank == 0)
			printf("round %d: memcpy %.1f ms, held %.1f ms%s\n", round + 1, copied[round] * 1e3,
			       held[round] * 1e3, held[round] < 0 ? " (not committed)" : "");
		if (held[round] < 0)
			MPI_Abort(MPI_COMM_WORLD, 2);
	}
	ratio = median(held, (int)rounds) / median(copied, (int)rounds);
	if (rank == 0)
		printf("%d ranks, %.0f MiB each: memcpy %.1f ms, held %.1f ms, ratio %.2f\n", ranks, mib,
		       median(copied, (int)rounds) * 1e3, median(held, (int)rounds) * 1e3, ratio);
	free(copy);
	MPI_Finalize();
	free(memory);
	return limit > 0 && ratio >= limit;
}
