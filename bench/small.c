/* SPDX-License-Identifier: BSD-3-Clause */
/* What very many small regions cost.
 *
 *     mpirun -n 1 small [regions (100000) [bytes of each (16) [rounds (3) [share that changes in percent (100)]]]]
 *
 * Run twice on one SEAMARK_DIR. Fresh, it prints how long naming all regions takes, and for each round how long the safepoint that makes the cut holds the program and how long it is from
 * there until the checkpoint is committed. From a checkpoint, it prints how long seamark_restore takes, and compares every byte. What a checkpoint takes on the disk `seamark list` tells. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamark.h>

static size_t count, bytes;
static int64_t safepoints, filled; /* filled: for which round; protected too */
static uint8_t *memory;

static void stop(const char *what)
{
	fprintf(stderr, "small: %s\n", what);
	MPI_Abort(MPI_COMM_WORLD, 2);
}

/* No two regions are alike. */
static void fill(size_t region, int64_t round)
{
	uint64_t value = (uint64_t)round * 1000003 + region + 1;

	for (size_t i = 0; i < bytes; i++)
		memory[region * bytes + i] = (uint8_t)((value * UINT64_C(0x9E3779B97F4A7C15)) >> (i % 8 * 8)) ^ (uint8_t)i;
}

static int64_t last_change(size_t region, int64_t round, long share)
{
	while (round > 1 && (region * 2654435761U + (size_t)round * 40503) % 100 >= (size_t)share)
		round--;
	return round;
}

static void name_all(void)
{
	double begin = MPI_Wtime();

	for (size_t i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof name, "region %zu", i);
		if (seamark_protect(name, memory + i * bytes, bytes))
			stop("seamark_protect");
	}
	if (seamark_protect("round", &filled, sizeof filled))
		stop("seamark_protect");
	printf("naming %zu regions of %zu bytes: %.1f ms\n", count, bytes, (MPI_Wtime() - begin) * 1e3);
}

static void take(void)
{
	double begin = 0, held = 0;
	int made = 0;

	if (seamark_request())
		stop("seamark_request");
	while (!made) {
		begin = MPI_Wtime();
		made = seamark_safepoint(safepoints++);
		held = MPI_Wtime() - begin;
		if (made < 0)
			stop("seamark_safepoint");
	}
	if (seamark_wait(60))
		stop("seamark_wait");
	printf("round %d: held %.2f ms, committed after %.1f ms\n", (int)filled, held * 1e3, (MPI_Wtime() - begin) * 1e3);
}

static void compare(long share)
{
	uint8_t *was = malloc(count * bytes);

	if (!was)
		stop("no memory");
	memcpy(was, memory, count * bytes);
	for (size_t i = 0; i < count; i++)
		fill(i, last_change(i, filled, share));
	if (memcmp(was, memory, count * bytes))
		stop("what was restored is not what was saved");
	free(was);
}

int main(int argc, char **argv)
{
	long rounds = argc > 3 ? atol(argv[3]) : 3, share = argc > 4 ? atol(argv[4]) : 100;
	double begin;
	int code;

	MPI_Init(&argc, &argv);
	count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
	bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 16;
	memory = calloc(count, bytes);
	if (!memory || !count || !bytes)
		stop("no memory");
	name_all();
	begin = MPI_Wtime();
	code = seamark_restore(&safepoints);
	if (code == SEAMARK_RESTORED) {
		printf("restored round %d: %.1f ms\n", (int)filled, (MPI_Wtime() - begin) * 1e3);
		compare(share);
	} else if (code != SEAMARK_FRESH) {
		stop("seamark_restore");
	}
	for (filled = code == SEAMARK_FRESH ? 1 : rounds + 1; filled <= rounds; filled++) {
		for (size_t i = 0; i < count; i++)
			if (last_change(i, filled, share) == filled)
				fill(i, filled);
		take();
	}
	MPI_Finalize();
	free(memory);
	return 0;
}
