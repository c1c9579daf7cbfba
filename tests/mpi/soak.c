/* SPDX-License-Identifier: BSD-3-Clause */
/* Thousands of snapshots in one run: soak event|step COMMITS. Nothing may hang or grow: resident memory, descriptors and communicators are
 * looked at after a fifth of the commits and at the end. The clock interval comes from SEAMARK_EVERY; attempts and reasons are in the log,
 * which soak.sh reads.
 *
 * event: ranks send each other numbered messages at random and receive from any source; every pair's numbers must come without a gap.
 * step: a ring; each rank gets its neighbours' values of the step before. */
#include <dirent.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seamark.h"

enum { TAG_NUMBER = 1, TAG_END = 2, STEPS_BETWEEN_ASKING = 64, RANKS_MOST = 64 };

struct growth {
	long commits, wanted;
	int64_t last;
	long resident_early, resident_late; /* KiB */
	int descriptors_early, descriptors_late;
};

static long resident_kib(void)
{
	long pages = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file && fscanf(file, "%ld %ld", &pages, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static int descriptors(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* Counts the commits that this rank knows of. */
static void look(struct growth *growth)
{
	int64_t number, step;
	if (seamark_committed(&number, &step) != 1 || number == growth->last)
		return;
	growth->last = number;
	growth->commits++;
	/* Before a hundred of them, the MPI library is still making its connections. */
	if (growth->commits == growth->wanted / 5 && growth->commits >= 100) {
		growth->resident_early = resident_kib();
		growth->descriptors_early = descriptors();
	}
}

/* An image may still be open, if other ranks have not heard of it. */
static int has_grown(struct growth *growth)
{
	growth->resident_late = resident_kib();
	growth->descriptors_late = descriptors();
	return growth->resident_late - growth->resident_early > 1024 || growth->descriptors_late - growth->descriptors_early > 2;
}

static int judge(struct growth *growth, int rank)
{
	/* A rank may know of fewer commits than rank 0: outcomes that come while it waits elsewhere are told in one. */
	if (growth->resident_early == 0) {
		printf("rank %d: %ld commits seen\n", rank, growth->commits);
		return 0;
	}
	/* The memory by which an image goes to the disk is there while there is one, and a slow disk takes its time. What was lost stays lost. */
	int grown = 1;
	for (int i = 0; grown && i < 50; i++) {
		usleep(i * 10000);
		seamark_wait(2);
		grown = has_grown(growth);
	}
	printf("rank %d: %ld commits seen, memory %+ld KiB, descriptors %+d\n", rank, growth->commits,
	       growth->resident_late - growth->resident_early, growth->descriptors_late - growth->descriptors_early);
	return grown;
}

/* --- event ------------------------------------------------------------------------------------------------------------ */

struct numbers {
	uint64_t sent[RANKS_MOST], received[RANKS_MOST], random;
};

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* 1: this message ends the run. */
static int receive(struct numbers *numbers)
{
	uint64_t number;
	MPI_Status status;
	MPI_Recv(&number, 1, MPI_UINT64_T, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
	if (status.MPI_TAG == TAG_END)
		return 1;
	if (number != ++numbers->received[status.MPI_SOURCE]) {
		fprintf(stderr, "a gap: number %llu from rank %d, not %llu\n", (unsigned long long)number, status.MPI_SOURCE,
			(unsigned long long)numbers->received[status.MPI_SOURCE]);
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	return 0;
}

static void send(struct numbers *numbers, int ranks)
{
	int to = (int)(draw(&numbers->random) % (uint64_t)ranks);
	numbers->sent[to]++;
	MPI_Send(&numbers->sent[to], 1, MPI_UINT64_T, to, TAG_NUMBER, MPI_COMM_WORLD);
}

static void run_events(struct growth *growth, int rank, int ranks)
{
	static struct numbers numbers;
	int over = 0, credit = 4, waiting;
	numbers.random = 0x9E3779B97F4A7C15u + (uint64_t)rank;
	seamark_protect("numbers", &numbers, sizeof numbers);
	seamark_restore(NULL);
	while (!over) {
		seamark_safepoint(SEAMARK_ANY_STEP);
		look(growth);
		if (rank == 0 && growth->commits >= growth->wanted)
			break;
		MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &waiting, MPI_STATUS_IGNORE);
		if (waiting) {
			over = receive(&numbers);
			credit++;
		} else if (credit > 0) { /* credit is neither made nor lost, so the traffic does not grow by itself */
			credit--;
			send(&numbers, ranks);
		}
	}
	if (rank == 0)
		for (int to = 1; to < ranks; to++)
			MPI_Send(&numbers.sent[0], 1, MPI_UINT64_T, to, TAG_END, MPI_COMM_WORLD);
	/* Nothing may be left unreceived: everybody tells everybody how much there was. */
	uint64_t expected[RANKS_MOST];
	MPI_Alltoall(numbers.sent, 1, MPI_UINT64_T, expected, 1, MPI_UINT64_T, MPI_COMM_WORLD);
	for (int from = 0; from < ranks; from++)
		while (numbers.received[from] < expected[from])
			receive(&numbers);
}

/* --- step ------------------------------------------------------------------------------------------------------------- */

static void run_steps(struct growth *growth, int rank, int ranks)
{
	int64_t step = 0, left, right;
	int to_left = (rank + ranks - 1) % ranks, to_right = (rank + 1) % ranks, over = 0;
	seamark_protect("step", &step, sizeof step);
	seamark_restore(&step);
	for (; !over; step++) {
		seamark_safepoint(step);
		look(growth);
		MPI_Sendrecv(&step, 1, MPI_INT64_T, to_right, 1, &left, 1, MPI_INT64_T, to_left, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		MPI_Sendrecv(&step, 1, MPI_INT64_T, to_left, 2, &right, 1, MPI_INT64_T, to_right, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (left != step || right != step) {
			fprintf(stderr, "rank %d at step %lld got %lld and %lld\n", rank, (long long)step, (long long)left, (long long)right);
			MPI_Abort(MPI_COMM_WORLD, 1);
		}
		if (step % STEPS_BETWEEN_ASKING == 0) {
			over = growth->commits >= growth->wanted;
			MPI_Bcast(&over, 1, MPI_INT, 0, MPI_COMM_WORLD);
		}
	}
}

int main(int argc, char **argv)
{
	struct growth growth = {.last = -1};
	int rank, ranks, bad, all_bad = 0;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	if (argc != 3 || ranks > RANKS_MOST || (strcmp(argv[1], "event") && strcmp(argv[1], "step"))) {
		fprintf(stderr, "usage: soak event|step COMMITS, on at most %d ranks\n", RANKS_MOST);
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	growth.wanted = atol(argv[2]);
	if (argv[1][0] == 'e')
		run_events(&growth, rank, ranks);
	else
		run_steps(&growth, rank, ranks);
	bad = judge(&growth, rank);
	MPI_Allreduce(&bad, &all_bad, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
	MPI_Finalize();
	return all_bad;
}
