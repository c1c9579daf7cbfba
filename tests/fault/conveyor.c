/* SPDX-License-Identifier: BSD-3-Clause */
/* conveyor STEPS RESULT: a step program whose messages are in flight at every safepoint. The ranks stand in a ring. What a rank puts on the belt in
 * step k is taken off by the next rank in step k + LAG; the receives are posted AHEAD steps before; and now and then a letter goes on a
 * communicator of its own, where nobody looks for it for many steps. Pairs go round within a step, and the second is asked for before the first, of which
 * only its wildcard tells what it was. All that a rank computes comes from what it received, so the numbers that rank 0
 * writes to RESULT are those of an undisturbed run, bit for bit, or something was lost, doubled or changed. On a stop it leaves. CONVEYOR_PAUSE_US: how long it sleeps in each
 * step. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "seamark.h"

enum {
	LAG = 5, AHEAD = 3, WORDS = 40,
	TAGS = 150,
	BURST = 120, BURST_EVERY = 15, BURST_AT = 10, /* so many streams that a marker's counts need a message of their own */
	LETTER_EVERY = 20, LETTER_LATE = 18, LETTER_TAG = 7,
	BULK = 75000,            /* 600 KB: an image is more than one write */
	PAIR_EVERY = 5,
	CONSTANT = 25000,        /* a region that never changes, and one that seldom does: what increments are for */
	SELDOM = 3000, SELDOM_EVERY = 40,
	REQUEST_STEP = 33
};

static int rank, ranks, right, left;
static long pause_us = 500;
static MPI_Comm letters, pairs;
static uint64_t bulk[BULK], sum, later[4], streamed, constant[CONSTANT], seldom[SELDOM];
static int64_t step;
static uint64_t taken[AHEAD + 1][WORDS];
static MPI_Request receives[AHEAD + 1];

static uint64_t mix(uint64_t a, uint64_t b)
{
	a ^= b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2);
	a *= UINT64_C(0xff51afd7ed558ccd);
	return a ^ a >> 33;
}

static int save(seamark_writer *to, void *context)
{
	return seamark_write(to, context, sizeof streamed);
}

static int load(seamark_reader *from, void *context)
{
	return seamark_read(from, context, sizeof streamed);
}

static void need(int code, const char *what)
{
	if (code >= 0)
		return;
	fprintf(stderr, "conveyor: %s: %s\n", what, seamark_strerror(code));
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void put(int64_t number)
{
	uint64_t words[WORDS];
	for (int i = 0; i < WORDS; i++)
		words[i] = mix(mix(sum, (uint64_t)number), bulk[(sum + (uint64_t)i * 7919) % BULK]);
	MPI_Send(words, WORDS, MPI_UINT64_T, right, (int)(number % TAGS), MPI_COMM_WORLD);
}

static void post(int64_t number)
{
	int slot = (int)(number % (AHEAD + 1));
	MPI_Irecv(taken[slot], WORDS, MPI_UINT64_T, left, (int)(number % TAGS), MPI_COMM_WORLD, &receives[slot]);
}

static void take(int64_t number)
{
	int slot = (int)(number % (AHEAD + 1));
	MPI_Wait(&receives[slot], MPI_STATUS_IGNORE);
	for (int i = 0; i < WORDS; i++) {
		sum = mix(sum, taken[slot][i]);
		bulk[sum % BULK] = mix(sum, bulk[i]);
	}
	later[number % 4] ^= sum;
	streamed = mix(streamed, sum);
}

static void send_letter(void)
{
	MPI_Send(&sum, 1, MPI_UINT64_T, right, LETTER_TAG, letters);
}

static void take_letter(void)
{
	uint64_t letter;
	MPI_Recv(&letter, 1, MPI_UINT64_T, left, LETTER_TAG, letters, MPI_STATUS_IGNORE);
	sum = mix(sum, letter);
}

/* Until the wildcard is told, nobody can say which of its stream the second one is. */
static void exchange_pair(void)
{
	uint64_t mine[2] = {mix(sum, 1), mix(sum, 2)}, first, second;
	MPI_Request wildcard;
	MPI_Irecv(&first, 1, MPI_UINT64_T, MPI_ANY_SOURCE, MPI_ANY_TAG, pairs, &wildcard);
	for (int i = 0; i < 2; i++)
		MPI_Send(&mine[i], 1, MPI_UINT64_T, right, 0, pairs);
	MPI_Recv(&second, 1, MPI_UINT64_T, left, 0, pairs, MPI_STATUS_IGNORE);
	MPI_Wait(&wildcard, MPI_STATUS_IGNORE);
	sum = mix(mix(sum, first), second);
}

static void exchange_burst(void)
{
	uint64_t word = sum;
	for (int tag = 1; tag <= BURST; tag++) {
		MPI_Send(&word, 1, MPI_UINT64_T, right, tag, pairs);
		MPI_Recv(&word, 1, MPI_UINT64_T, left, tag, pairs, MPI_STATUS_IGNORE);
	}
	sum = mix(sum, word);
}

static void leave(void)
{
	for (int i = 0; i <= AHEAD; i++)
		if (receives[i] != MPI_REQUEST_NULL) {
			MPI_Cancel(&receives[i]);
			MPI_Wait(&receives[i], MPI_STATUS_IGNORE);
		}
	if (rank == 0)
		puts("conveyor: stopped");
	MPI_Finalize();
	exit(0);
}

static void one_step(void)
{
	need(seamark_safepoint(step), "seamark_safepoint");
	if (seamark_stopping())
		leave();
	if (step % SELDOM_EVERY == 0)
		seldom[step % SELDOM] = mix(sum, (uint64_t)step);
	if (step == REQUEST_STEP && rank == ranks - 1)
		seamark_request();
	post(step + AHEAD);
	put(step + LAG);
	take(step);
	if (step % LETTER_EVERY == 0)
		send_letter();
	if (step % LETTER_EVERY == LETTER_LATE)
		take_letter();
	if (step % PAIR_EVERY == 0)
		exchange_pair();
	if (step % BURST_EVERY == BURST_AT)
		exchange_burst();
	nanosleep(&(struct timespec){.tv_nsec = pause_us * 1000}, NULL);
}

static void begin(void)
{
	need(seamark_protect("bulk", bulk, sizeof bulk), "seamark_protect");
	need(seamark_protect("constant", constant, sizeof constant), "seamark_protect");
	need(seamark_protect("seldom", seldom, sizeof seldom), "seamark_protect");
	need(seamark_protect("sum", &sum, sizeof sum), "seamark_protect");
	need(seamark_protect("step", &step, sizeof step), "seamark_protect");
	need(seamark_protect_with("streamed", save, load, &streamed), "seamark_protect_with");
	int restored = seamark_restore(NULL);
	/* All ranks are told the same, and leave together: of what was said before MPI_Abort, MPICH's mpiexec may lose some. */
	if (restored < 0) {
		fprintf(stderr, "conveyor: seamark_restore: %s\n", seamark_strerror(restored));
		MPI_Finalize();
		exit(1);
	}
	need(seamark_protect("later", later, sizeof later), "seamark_protect");
	if (restored == SEAMARK_RESTORED) {
		int64_t number = 0;
		seamark_committed(&number, NULL);
		if (rank == 0)
			printf("conveyor: from checkpoint %lld at step %lld\n", (long long)number, (long long)step);
	} else {
		sum = (uint64_t)rank + 1;
		for (int i = 0; i < CONSTANT; i++)
			constant[i] = mix((uint64_t)rank, (uint64_t)i);
		for (int64_t number = 0; number < LAG; number++)
			put(number);
	}
	fflush(stdout);
	for (int64_t number = step; number < step + AHEAD; number++)
		post(number);
}

static void end(const char *path)
{
	/* A letter that was sent less than LETTER_LATE steps ago. */
	if (step % LETTER_EVERY > 0 && step % LETTER_EVERY <= LETTER_LATE)
		take_letter();
	for (int64_t number = step; number < step + LAG; number++) {
		if (number >= step + AHEAD)
			post(number);
		take(number);
	}
	for (int i = 0; i < BULK; i++)
		sum = mix(sum, bulk[i]);
	for (int i = 0; i < CONSTANT; i++)
		sum = mix(sum, constant[i]);
	for (int i = 0; i < SELDOM; i++)
		sum = mix(sum, seldom[i]);
	sum = mix(mix(sum, streamed), mix(later[0], later[3]));
	uint64_t *sums = calloc((size_t)ranks, sizeof *sums);
	MPI_Gather(&sum, 1, MPI_UINT64_T, sums, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
	FILE *file = rank == 0 ? fopen(path, "w") : NULL;
	for (int i = 0; file && i < ranks; i++)
		fprintf(file, "%016llx\n", (unsigned long long)sums[i]);
	if (rank == 0 && (!file || fclose(file)))
		need(SEAMARK_E_IO, path);
	free(sums);
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	if (argc != 3)
		MPI_Abort(MPI_COMM_WORLD, 2);
	if (getenv("CONVEYOR_PAUSE_US"))
		pause_us = atol(getenv("CONVEYOR_PAUSE_US"));
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	right = (rank + 1) % ranks;
	left = (rank + ranks - 1) % ranks;
	MPI_Comm_dup(MPI_COMM_WORLD, &letters);
	MPI_Comm_dup(MPI_COMM_WORLD, &pairs);
	for (int i = 0; i <= AHEAD; i++)
		receives[i] = MPI_REQUEST_NULL;
	begin();
	for (int64_t steps = atoll(argv[1]); step < steps; step++)
		one_step();
	end(argv[2]);
	MPI_Comm_free(&letters);
	MPI_Comm_free(&pairs);
	MPI_Finalize();
	return 0;
}
