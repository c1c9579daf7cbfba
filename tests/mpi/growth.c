/* SPDX-License-Identifier: BSD-3-Clause */
/* Nothing grows: growth snapshots|communicators|requests|persistent|tags COUNT. Does the same thing COUNT times, in 200 batches. Between batches nothing is
 * under way, and what is in memory then is compared, the most of the first quarter with the least of the last (tables grow and shrink again): the memory in
 * use, to the byte, and the resident memory. A leak of the smallest block that malloc gives (32 bytes) for each thing that is done is more than what is
 * allowed: some KiB for the MPI library, whose free lists grow when traffic comes in heaps; and the size of the tables that grow with what happens
 * between two resets of the ledger, which depends on when they come. The first quarter must be long enough for some resets.
 *
 * The time of the processor, by the fastest batches, is printed and not judged. */
#include <malloc.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "seamark.h"

enum { BATCHES = 200, RESIDENT_MORE_KIB = 256 };

static int rank, ranks, left, right;
static MPI_Comm world = MPI_COMM_WORLD;

struct memory {
	int64_t in_use, resident_kib;
};

static struct memory memory(void)
{
	struct mallinfo2 info = mallinfo2();
	long pages = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
		MPI_Abort(world, 2);
	fclose(file);
	return (struct memory){(int64_t)(info.uordblks + info.hblkhd), resident * (sysconf(_SC_PAGESIZE) / 1024)};
}

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "growth: WRONG: rank %d: %s\n", rank, what);
		MPI_Abort(world, 1);
	}
}

/* --- what is done again and again -------------------------------------------------------------------------------------- */

/* Sends to the right and receives from the left, so that something is under way. */
static void shift(MPI_Comm comm, int tag, uint64_t value)
{
	uint64_t got;
	MPI_Request request;
	MPI_Isend(&value, 1, MPI_UINT64_T, right, tag, comm, &request);
	MPI_Recv(&got, 1, MPI_UINT64_T, left, tag, comm, MPI_STATUS_IGNORE);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	must(got == value, "another value came");
}

static void snapshots(long i)
{
	uint64_t got, value = (uint64_t)i;
	MPI_Request request;
	/* One message is in flight. */
	MPI_Isend(&value, 1, MPI_UINT64_T, right, 1, world, &request);
	int result = seamark_checkpoint(i, 60);
	must(result == 0 || result == SEAMARK_E_VOID, seamark_strerror(result));
	MPI_Recv(&got, 1, MPI_UINT64_T, left, 1, world, MPI_STATUS_IGNORE);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	must(got == value, "another value came");
}

static void communicators(long i)
{
	MPI_Comm comm;
	MPI_Request request;
	int all = ranks, periodic = 1;
	switch (i % 5) {
	case 0: MPI_Comm_dup(world, &comm); break;
	case 1: MPI_Comm_split(world, 0, rank, &comm); break;
	case 2: MPI_Cart_create(world, 1, &all, &periodic, 0, &comm); break;
	case 3:
		MPI_Comm_idup(world, &comm, &request);
		MPI_Wait(&request, MPI_STATUS_IGNORE);
		break;
	default: {
		MPI_Group group;
		MPI_Comm_group(world, &group);
		MPI_Comm_create_group(world, group, 5, &comm);
		MPI_Group_free(&group);
	}
	}
	if (i % 7 == 0)
		MPI_Comm_set_name(comm, "one of many");
	shift(comm, 1, (uint64_t)i);
	MPI_Comm_free(&comm);
	seamark_safepoint(SEAMARK_ANY_STEP);
}

static void requests(long i)
{
	uint64_t value = (uint64_t)i, got[2];
	MPI_Request receives[2], send;
	int done;
	MPI_Irecv(&got[0], 1, MPI_UINT64_T, i % 3 ? left : MPI_ANY_SOURCE, 1, world, &receives[0]);
	if (i % 4 == 0)
		MPI_Irecv(&got[1], 1, MPI_UINT64_T, left, 2, world, &receives[1]);
	MPI_Isend(&value, 1, MPI_UINT64_T, right, 1, world, &send);
	if (i % 5 == 0) {
		MPI_Wait(&receives[0], MPI_STATUS_IGNORE);
		MPI_Request_free(&send);
	} else {
		MPI_Wait(&send, MPI_STATUS_IGNORE);
		do
			MPI_Test(&receives[0], &done, MPI_STATUS_IGNORE);
		while (!done);
	}
	must(got[0] == value, "another value came");
	if (i % 4 == 0) { /* nobody sends with this tag */
		MPI_Cancel(&receives[1]);
		if (i % 8 == 0)
			MPI_Request_free(&receives[1]);
		else
			MPI_Wait(&receives[1], MPI_STATUS_IGNORE);
	}
}

static void persistent(long i)
{
	uint64_t value = (uint64_t)i, got;
	MPI_Request both[2];
	MPI_Recv_init(&got, 1, MPI_UINT64_T, left, 1, world, &both[0]);
	MPI_Send_init(&value, 1, MPI_UINT64_T, right, 1, world, &both[1]);
	for (int turn = 0; turn < 2; turn++) {
		MPI_Startall(2, both);
		MPI_Waitall(2, both, MPI_STATUSES_IGNORE);
		must(got == value, "another value came");
	}
	MPI_Request_free(&both[0]);
	MPI_Request_free(&both[1]);
}

/* A program that counts with its tags: each is a stream of its own. */
static void tags(long i)
{
	shift(world, (int)(i % 1000000), (uint64_t)i);
	seamark_safepoint(SEAMARK_ANY_STEP);
}

static const struct {
	const char *name;
	void (*once)(long i);
	int64_t more; /* bytes in use */
} kinds[] = {
	{"snapshots", snapshots, 24 << 10}, {"communicators", communicators, 3 << 20}, {"requests", requests, 24 << 10},
	{"persistent", persistent, 24 << 10}, {"tags", tags, 8 << 20},
};

/* --- the judge ---------------------------------------------------------------------------------------------------------- */

static double fastest(const double *batches, int count)
{
	double least = batches[0];
	for (int i = 1; i < count; i++)
		least = batches[i] < least ? batches[i] : least;
	return least * 1e9;
}

static struct memory larger(struct memory one, struct memory other)
{
	return (struct memory){one.in_use > other.in_use ? one.in_use : other.in_use,
			       one.resident_kib > other.resident_kib ? one.resident_kib : other.resident_kib};
}

static struct memory smaller(struct memory one, struct memory other)
{
	return (struct memory){one.in_use < other.in_use ? one.in_use : other.in_use,
			       one.resident_kib < other.resident_kib ? one.resident_kib : other.resident_kib};
}

static int judge(size_t kind, const struct memory *early, const struct memory *late, const double *batches, long each)
{
	double first = fastest(batches, BATCHES / 4) / (double)each, last = fastest(batches + 3 * BATCHES / 4, BATCHES / 4) / (double)each;
	int64_t in_use = late->in_use - early->in_use, resident = late->resident_kib - early->resident_kib, more = kinds[kind].more;
	bool bad = in_use > more || resident > RESIDENT_MORE_KIB + more / 1024;
	printf("growth %s, rank %d of %d: in use %lld%+lld bytes, resident %lld%+lld KiB, %.0f ns at first, %.0f at last%s\n", kinds[kind].name, rank,
	       ranks, (long long)early->in_use, (long long)in_use, (long long)early->resident_kib, (long long)resident, first, last,
	       bad ? ": GROWS" : "");
	return bad;
}

static double cpu_seconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int run(size_t kind, long each)
{
	static double batches[BATCHES];
	struct memory early = {0}, late = {INT64_MAX, INT64_MAX};
	long i = 0;
	int bad;
	for (int batch = 0; batch < BATCHES; batch++) {
		double begin = cpu_seconds();
		for (long end = i + each; i < end; i++)
			kinds[kind].once(i);
		batches[batch] = cpu_seconds() - begin;
		MPI_Barrier(world);
		if (batch < BATCHES / 4)
			early = larger(early, memory());
		if (batch >= 3 * BATCHES / 4)
			late = smaller(late, memory());
	}
	bad = judge(kind, &early, &late, batches, each);
	MPI_Allreduce(MPI_IN_PLACE, &bad, 1, MPI_INT, MPI_MAX, world);
	return bad;
}

int main(int argc, char **argv)
{
	static uint64_t state[512];
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	int status = 2;

	mallopt(M_ARENA_MAX, 1); /* all threads' memory in one place, where it can be counted */
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(world, &rank);
	MPI_Comm_size(world, &ranks);
	right = (rank + 1) % ranks;
	left = (rank + ranks - 1) % ranks;
	must(count >= BATCHES, "usage: growth KIND COUNT");
	must(seamark_protect("state", state, sizeof state) == 0 && seamark_restore(NULL) == SEAMARK_FRESH, "no fresh start");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			status = run(i, count / BATCHES);
	MPI_Finalize();
	return status;
}
