/* SPDX-License-Identifier: BSD-3-Clause */
/* below [LIBRARY MOMENT]: a ring in which AHEAD messages are always under way to each rank. All go through transport.c, which is part of the program, or a
 * library that is loaded at a MOMENT: "before" MPI_Init; "quiet", before seamark_restore; "late", after the first safepoint. "lazy": late too, but its
 * functions are bound when they are called first, which is after another safepoint.
 *
 * A fresh life takes a checkpoint in the middle and aborts; the next goes on to the end. Every number must come, in order. If the checkpoint cannot be
 * taken the program runs to its end. */
#include <dlfcn.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seamark.h"
#include "transport.h"

enum { STEPS = 60, MIDDLE = 31 };

#ifdef LOADED
static void (*send)(int);
static int (*receive)(int), (*sum)(int);

static void load(char **argv, const char *moment)
{
	bool lazy = argv[1] && strcmp(argv[2], "lazy") == 0;
	if (argv[1] == NULL || (strcmp(argv[2], moment) != 0 && !(lazy && strcmp(moment, "late") == 0)))
		return;
	void *library = dlopen(argv[1], lazy ? RTLD_LAZY : RTLD_NOW);
	if (library == NULL) {
		fprintf(stderr, "FAILED: %s\n", dlerror());
		exit(1);
	}
	*(void **)&send = dlsym(library, "transport_send");
	*(void **)&receive = dlsym(library, "transport_receive");
	*(void **)&sum = dlsym(library, "transport_sum");
}
#else
#define send transport_send
#define receive transport_receive
#define sum transport_sum
#define load(argv, moment) ((void)argv)
#endif

static int rank, size, failures;

static void check(int is, int wanted, const char *what)
{
	if (is == wanted)
		return;
	fprintf(stderr, "FAILED: rank %d: %s is %d, not %d\n", rank, what, is, wanted);
	failures++;
}

/* Up to AHEAD messages are under way when a step begins. */
static void step(int number)
{
	if (number + AHEAD < STEPS)
		send(number + AHEAD);
	check(receive(number), 1000 * (rank + 1) + number, "a message");
	if (number % 4 == 0)
		check(sum(number), size * number, "a sum");
}

int main(int argc, char **argv)
{
	int64_t at = 0, unsaved = 0;
	load(argv, "before");
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	load(argv, "quiet");
	seamark_protect("unsaved", &unsaved, sizeof unsaved);
	int restored = seamark_restore(&at);
	seamark_safepoint(at);
	load(argv, "late");
	seamark_safepoint(at);
	for (int i = 0; restored != SEAMARK_RESTORED && i < AHEAD; i++)
		send(i);
	for (; at < STEPS; at++) {
		if (at == MIDDLE && restored == SEAMARK_FRESH && seamark_checkpoint(at, 60) == 0 && seamark_committed(NULL, NULL))
			MPI_Abort(MPI_COMM_WORLD, 9);
		seamark_safepoint(at);
		step((int)at);
	}
	if (rank == 0 && failures == 0)
		printf("all %d messages came\n", STEPS);
	MPI_Finalize();
	return failures != 0;
}
