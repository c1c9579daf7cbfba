/* SPDX-License-Identifier: BSD-3-Clause */
/* What messages cost, by the clock. Not linked with Seamark: bench/overhead.sh runs it with and without the library preloaded, in turns, and compares.
 *
 *     mpirun -n 2 overhead messages     every kind of exchange between a pair of ranks, 8 B to 4 MiB
 *     mpirun -n 4 overhead pairs        several pairs at once: rank r with rank r + n/2
 *     mpirun -n 3 overhead snapshots SECONDS
 *
 * The first two print lines "kind bytes nanoseconds": the time of one message, the median of many batches. The third needs the library: ranks 0 and 1 exchange
 * messages of 8 bytes while rank 2 sleeps, and comes to a safepoint now and then only, so that most of the time a snapshot is in its alert (nobody
 * has cut) or in its window (0 and 1 have). It prints "idle|alert|window messages median p99 max", in nanoseconds of half a round trip. */
#include <dlfcn.h>
#include <inttypes.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCHES = 31, BYTES_MOST = 4 << 20, WINDOW = 8, OUTSTANDING = 64, SMALL = 4096 };

static MPI_Comm world = MPI_COMM_WORLD;
static int rank, ranks, other;
static bool first;                 /* of the pair */
static int from = 0, tag = 1;      /* what receives name: a rank and a tag, or any */
static char *out, *in;
static MPI_Request requests[2 * OUTSTANDING];

/* --- exchanges: one turn each, of so many messages ---------------------------------------------------------------------------------- */

static void send_blocking(int bytes)
{
	MPI_Send(out, bytes, MPI_BYTE, other, 1, world);
}

static void receive_blocking(int bytes)
{
	MPI_Recv(in, bytes, MPI_BYTE, from, tag, world, MPI_STATUS_IGNORE);
}

static void ping_blocking(int bytes)
{
	if (first)
		send_blocking(bytes);
	receive_blocking(bytes);
	if (!first)
		send_blocking(bytes);
}

static void ping_nonblocking(int bytes)
{
	MPI_Irecv(in, bytes, MPI_BYTE, from, tag, world, &requests[0]);
	if (!first)
		MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
	MPI_Isend(out, bytes, MPI_BYTE, other, 1, world, &requests[1]);
	MPI_Wait(&requests[1], MPI_STATUS_IGNORE);
	if (first)
		MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
}

/* The receiver says that it has them all. */
static void acknowledge(void)
{
	if (first)
		receive_blocking(0);
	else
		send_blocking(0);
}

static void stream_blocking(int bytes)
{
	for (int i = 0; i < WINDOW; i++)
		if (first)
			send_blocking(bytes);
		else
			receive_blocking(bytes);
	acknowledge();
}

static void start(bool receives, int count, int bytes)
{
	for (int i = 0; i < count; i++)
		if (receives)
			MPI_Irecv(in + (size_t)i * (size_t)bytes, bytes, MPI_BYTE, from, tag, world, &requests[i]);
		else
			MPI_Isend(out, bytes, MPI_BYTE, other, 1, world, &requests[i]);
}

static void stream_nonblocking(int bytes)
{
	start(!first, WINDOW, bytes);
	MPI_Waitall(WINDOW, requests, MPI_STATUSES_IGNORE);
	acknowledge();
}

static void both_ways(int bytes)
{
	for (int i = 0; i < WINDOW; i++)
		MPI_Irecv(in + (size_t)i * (size_t)bytes, bytes, MPI_BYTE, from, tag, world, &requests[i]);
	for (int i = 0; i < WINDOW; i++)
		MPI_Isend(out, bytes, MPI_BYTE, other, 1, world, &requests[WINDOW + i]);
	MPI_Waitall(2 * WINDOW, requests, MPI_STATUSES_IGNORE);
}

static void many(int bytes)
{
	start(!first, OUTSTANDING, bytes);
	MPI_Waitall(OUTSTANDING, requests, MPI_STATUSES_IGNORE);
	acknowledge();
}

static const struct kind {
	const char *name;
	void (*turn)(int bytes);
	int messages;      /* in a turn, one after the other */
	bool any;          /* receives from any source, any tag */
	int most;          /* bytes */
} kinds[] = {
	{"latency/blocking", ping_blocking, 2, false, BYTES_MOST},
	{"latency/blocking/any", ping_blocking, 2, true, BYTES_MOST},
	{"latency/nonblocking", ping_nonblocking, 2, false, BYTES_MOST},
	{"latency/nonblocking/any", ping_nonblocking, 2, true, BYTES_MOST},
	{"bandwidth/blocking", stream_blocking, WINDOW, false, BYTES_MOST},
	{"bandwidth/nonblocking", stream_nonblocking, WINDOW, false, BYTES_MOST},
	{"bidirectional", both_ways, 2 * WINDOW, false, BYTES_MOST},
	{"rate/64-outstanding", many, OUTSTANDING, false, SMALL},
	{"rate/64-outstanding/any", many, OUTSTANDING, true, SMALL},
};

/* --- the clock ------------------------------------------------------------------------------------------------------------------------- */

static int in_order(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static void measure(const struct kind *kind, int bytes)
{
	double taken[BATCHES];
	long turns = 1 + 1500000 / ((long)kind->messages * (bytes + 500));
	from = kind->any ? MPI_ANY_SOURCE : other;
	tag = kind->any ? MPI_ANY_TAG : 1;
	for (int batch = -1; batch < BATCHES; batch++) { /* the first is not counted */
		MPI_Barrier(world);
		double begin = MPI_Wtime();
		for (long i = 0; i < turns; i++)
			kind->turn(bytes);
		double took = MPI_Wtime() - begin;
		if (ranks > 2)
			MPI_Allreduce(MPI_IN_PLACE, &took, 1, MPI_DOUBLE, MPI_MAX, world);
		if (batch >= 0)
			taken[batch] = took / (double)(turns * kind->messages) * 1e9;
	}
	qsort(taken, BATCHES, sizeof *taken, in_order);
	if (rank == 0)
		printf("%s%s %d %.1f\n", ranks > 2 ? "pairs/" : "", kind->name, bytes, taken[BATCHES / 2]);
}

static void run_messages(void)
{
	static const int sizes[] = {8, 128, 1024, 8192, 65536, 524288, BYTES_MOST};
	for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
			if (sizes[i] <= kinds[kind].most)
				measure(&kinds[kind], sizes[i]);
}

static void run_pairs(void)
{
	static const int sizes[] = {8, 1024, 65536};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		measure(&kinds[sizes[i] <= SMALL ? 7 : 6], sizes[i]);
}

/* --- with snapshots under way ----------------------------------------------------------------------------------------------------------- */

enum { IDLE, ALERT, CUT, PHASES, SAMPLES = 1 << 20, BETWEEN_SAFEPOINTS = 32, REST_MS = 20, SAMPLES_LEAST = 1000 };

static int (*safepoint)(int64_t step);
static int (*ask)(void);
static int (*committed)(int64_t *number, int64_t *step);
static double *samples[PHASES];
static size_t sampled[PHASES];

static bool find_library(void)
{
	*(void **)&safepoint = dlsym(RTLD_DEFAULT, "seamark_safepoint");
	*(void **)&ask = dlsym(RTLD_DEFAULT, "seamark_request");
	*(void **)&committed = dlsym(RTLD_DEFAULT, "seamark_committed");
	for (int phase = 0; phase < PHASES; phase++)
		samples[phase] = malloc(SAMPLES * sizeof *samples[phase]);
	return safepoint && ask && committed;
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void sleep_ms(long ms)
{
	struct timespec time = {.tv_nsec = ms * 1000000};
	nanosleep(&time, NULL);
}

/* Which phase the messages from now on are in. Rank 0 asks for a snapshot after a rest. */
static int next_phase(int phase, double *rest_until)
{
	static int64_t last = 0;
	int64_t number = 0;
	int cut = safepoint(-1);
	if (phase == IDLE && now() > *rest_until) {
		ask();
		return ALERT;
	}
	if (phase == ALERT && cut == 1)
		phase = CUT;
	if (phase != IDLE && committed(&number, NULL) == 1 && number != last) {
		last = number;
		*rest_until = now() + REST_MS * 1e6;
		return IDLE;
	}
	return phase;
}

static void exchange_until(double end)
{
	int phase = IDLE, over = 0;
	double rest_until = now() + REST_MS * 1e6;
	char word[8] = "";
	while (!over) {
		if (rank == 0)
			phase = next_phase(phase, &rest_until);
		else
			safepoint(-1);
		for (int i = 0; i < BETWEEN_SAFEPOINTS && !over; i++) {
			double begin = now();
			if (rank == 0) {
				word[0] = begin > end;
				MPI_Send(word, 8, MPI_BYTE, 1, 1, world);
				MPI_Recv(word, 8, MPI_BYTE, 1, 1, world, MPI_STATUS_IGNORE);
				if (sampled[phase] < SAMPLES)
					samples[phase][sampled[phase]++] = (now() - begin) / 2;
			} else {
				MPI_Recv(word, 8, MPI_BYTE, 0, 1, world, MPI_STATUS_IGNORE);
				MPI_Send(word, 8, MPI_BYTE, 0, 1, world);
			}
			over = word[0];
		}
	}
}

static int run_snapshots(double seconds)
{
	static const char *const names[PHASES] = {"idle", "alert", "window"};
	double end = now() + seconds * 1e9;
	int bad = 0;
	if (!find_library())
		MPI_Abort(world, 2);
	MPI_Barrier(world);
	if (rank < 2)
		exchange_until(end);
	else
		while (now() < end) {
			safepoint(-1);
			sleep_ms(REST_MS);
		}
	for (int phase = 0; rank == 0 && phase < PHASES; phase++) {
		size_t count = sampled[phase];
		if (count < SAMPLES_LEAST) {
			fprintf(stderr, "overhead: only %zu messages were in phase '%s'\n", count, names[phase]);
			bad = 1;
			continue;
		}
		qsort(samples[phase], count, sizeof *samples[phase], in_order);
		printf("%s %zu %.1f %.1f %.1f\n", names[phase], count, samples[phase][count / 2], samples[phase][count - 1 - count / 100],
		       samples[phase][count - 1]);
	}
	MPI_Barrier(world);
	return bad;
}

int main(int argc, char **argv)
{
	int bad = 2;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(world, &rank);
	MPI_Comm_size(world, &ranks);
	first = rank < ranks / 2;
	other = first ? rank + ranks / 2 : rank - ranks / 2;
	out = malloc(BYTES_MOST);
	in = malloc((size_t)WINDOW * BYTES_MOST);
	if (!out || !in)
		MPI_Abort(world, 2);
	memset(out, 1, BYTES_MOST);
	memset(in, 1, (size_t)WINDOW * BYTES_MOST);
	if (argc == 2 && strcmp(argv[1], "messages") == 0 && ranks == 2) {
		run_messages();
		bad = 0;
	} else if (argc == 2 && strcmp(argv[1], "pairs") == 0 && ranks > 2 && ranks % 2 == 0) {
		run_pairs();
		bad = 0;
	} else if (argc == 3 && strcmp(argv[1], "snapshots") == 0 && ranks == 3) {
		bad = run_snapshots(strtod(argv[2], NULL));
	} else if (rank == 0) {
		fprintf(stderr, "usage: overhead messages (2 ranks) | pairs (4, 6, ... ranks) | snapshots SECONDS (3 ranks)\n");
	}
	MPI_Finalize();
	return bad;
}
