/* SPDX-License-Identifier: BSD-3-Clause */
/* drilled WHAT: a program that knows nothing of Seamark, for drills.
 *   traffic   exchanges of all kinds between all ranks, content checked
 *   stolen    one message is received behind Seamark's back
 *   changed   a message is changed in the buffer of its receive, before the program is told of it
 *   memory    some seconds of it, and says by how many KiB rank 0 has grown in the second half */
#include <dlfcn.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, size, failures;

static void check(int right, const char *what)
{
	if (!right && failures++ < 5)
		fprintf(stderr, "FAILED: rank %d: %s\n", rank, what);
}

enum { TAGS = 3, LONGEST = 3000, POOL = 8 };

/* What the n-th message from a rank to another is. */
static int length_of(int from, int to, int turn)
{
	return (from * 7 + to * 13 + turn * 31) % 5 == 0 ? LONGEST : (from + to + turn) % 17;
}

static void fill(int *data, int from, int to, int turn)
{
	for (int i = 0; i < length_of(from, to, turn); i++)
		data[i] = from << 24 ^ to << 16 ^ turn * 64 ^ i;
}

static void compare(const int *data, int count, int from, int turn)
{
	static int right[LONGEST];
	fill(right, from, rank, turn);
	check(count == length_of(from, rank, turn), "the length");
	check(count == MPI_UNDEFINED || memcmp(data, right, (size_t)count * sizeof *data) == 0, "the content");
}

/* One exchange between all: some receives are posted before, some are wildcards, some messages are probed for. */
static void exchange(int turn, MPI_Comm comm)
{
	static int out[LONGEST], in[64][LONGEST];
	MPI_Request receives[64], *sends = malloc((size_t)size * sizeof *sends);
	int pending = 0, count, *sent = malloc((size_t)size * LONGEST * sizeof *sent);
	for (int from = 0; from < size; from++)
		if ((from + rank + turn) % 3 == 0)
			MPI_Irecv(in[from], LONGEST, MPI_INT, from, turn % TAGS, comm, &receives[pending++]);
	for (int i = 0; i < size; i++) {
		int to = (rank + i) % size;
		fill(out, rank, to, turn);
		memcpy(sent + (size_t)i * LONGEST, out, sizeof out);
		MPI_Isend(sent + (size_t)i * LONGEST, length_of(rank, to, turn), MPI_INT, to, turn % TAGS, comm, &sends[i]);
	}
	for (int i = 0, from = 0; from < size; from++) {
		MPI_Status status;
		if ((from + rank + turn) % 3 == 0)
			MPI_Wait(&receives[i++], &status);
		else if ((from + turn) % 2)
			MPI_Recv(in[from], LONGEST, MPI_INT, from, turn % TAGS, comm, &status);
		else {
			MPI_Message message;
			MPI_Mprobe(from, MPI_ANY_TAG, comm, &message, &status);
			check(status.MPI_TAG == turn % TAGS, "the tag of a probe");
			MPI_Mrecv(in[from], LONGEST, MPI_INT, &message, &status);
		}
		MPI_Get_count(&status, MPI_INT, &count);
		check(status.MPI_SOURCE == from && status.MPI_TAG == turn % TAGS, "source and tag");
		compare(in[from], count, from, turn);
	}
	MPI_Waitall(size, sends, MPI_STATUSES_IGNORE);
	free(sends);
	free(sent);
}

/* Anybody's, into a pool that stays posted: from one turn to the next, and over other calls. */
static void pool(int turns, MPI_Comm comm)
{
	int data[POOL] = {0}, sum = 0, expected = turns * size * (size - 1) / 2;
	MPI_Request requests[POOL];
	for (int i = 0; i < POOL; i++)
		MPI_Irecv(&data[i], 1, MPI_INT, MPI_ANY_SOURCE, 9, comm, &requests[i]);
	for (int turn = 0; turn < turns; turn++)
		for (int to = 0; to < size; to++)
			MPI_Send(&rank, 1, MPI_INT, to, 9, comm);
	for (int got = 0; got < turns * size; got++) {
		int which;
		MPI_Waitany(POOL, requests, &which, MPI_STATUS_IGNORE);
		sum += data[which];
		if (got + POOL < turns * size)
			MPI_Irecv(&data[which], 1, MPI_INT, MPI_ANY_SOURCE, 9, comm, &requests[which]);
	}
	for (int i = turns * size; i < POOL; i++)
		check(0, "the pool is larger than what is sent");
	check(sum == expected, "the sum of the pool");
}

static void traffic(double seconds)
{
	double began = MPI_Wtime();
	int go_on = 1;
	for (int turn = 0; go_on; turn++) {
		MPI_Comm own;
		exchange(turn, MPI_COMM_WORLD);
		if (turn % 8 == 0) {
			MPI_Comm_dup(MPI_COMM_WORLD, &own);
			exchange(turn, own);
			pool(POOL, own);
			MPI_Comm_free(&own);
		}
		go_on = rank != 0 || MPI_Wtime() - began < seconds;
		MPI_Bcast(&go_on, 1, MPI_INT, 0, MPI_COMM_WORLD);
	}
}

/* So that drills happen. */
static void pass(double seconds)
{
	int found;
	for (double end = MPI_Wtime() + seconds; MPI_Wtime() < end;)
		MPI_Iprobe(MPI_ANY_SOURCE, 77, MPI_COMM_WORLD, &found, MPI_STATUS_IGNORE);
}

static void stolen(void)
{
	int value = 5;
	/* Not by an import, which Seamark would find. */
	void *library = dlopen("libmpi.so.40", RTLD_NOW | RTLD_NOLOAD);
	if (library == NULL)
		library = dlopen("libmpich.so.12", RTLD_NOW | RTLD_NOLOAD);
	int (*receive)(void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Status *) = NULL;
	*(void **)&receive = library ? dlsym(library, "PMPI_Recv") : NULL;
	if (receive == NULL)
		MPI_Abort(MPI_COMM_WORLD, 3);
	if (rank == 0)
		MPI_Send(&value, 1, MPI_INT, size - 1, 3, MPI_COMM_WORLD);
	if (rank == size - 1)
		receive(&value, 1, MPI_INT, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void changed(void)
{
	int value = 5, got = 0;
	MPI_Request request;
	if (rank == size - 1)
		MPI_Irecv(&got, 1, MPI_INT, 0, 3, MPI_COMM_WORLD, &request);
	if (rank == 0)
		MPI_Send(&value, 1, MPI_INT, size - 1, 3, MPI_COMM_WORLD);
	pass(0.5);
	if (rank != size - 1)
		return;
	check(got == 5, "the message is there");
	got = 6;
	MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static long resident(void)
{
	char line[256];
	long kib = 0;
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof line, file))
		sscanf(line, "VmRSS: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	if (strcmp(what, "traffic") == 0) {
		traffic(argc > 2 ? atof(argv[2]) : 1);
	} else if (strcmp(what, "stolen") == 0) {
		stolen();
	} else if (strcmp(what, "changed") == 0) {
		changed();
	} else if (strcmp(what, "memory") == 0) {
		traffic(1.5);
		long before = resident();
		traffic(1.5);
		if (rank == 0)
			printf("grown by %ld KiB\n", resident() - before);
	} else {
		failures++;
	}
	MPI_Finalize();
	return failures != 0;
}
