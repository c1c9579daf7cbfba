/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "check.h"

enum { ITEMS = 1 << 16, LIMIT_MS = 20000, CONTROL_MS = 300, HEAD_START_MS = 20 };

static const char *const waits[] = {"MPI_Recv", "MPI_Ssend", "MPI_Barrier"};
static const char *const collectives[] = {"MPI_Ibarrier", "MPI_Iallreduce of 8 bytes", "MPI_Iallreduce of 512 KiB"};
enum { WAITS = 3, COLLECTIVES = 3 };

static double *in, *out;
static double slowest_s;

static void begin(int collective, MPI_Comm comm, MPI_Request *request)
{
	if (collective == 0)
		MPI_Ibarrier(comm, request);
	else
		MPI_Iallreduce(in, out, collective == 1 ? 1 : ITEMS, MPI_DOUBLE, MPI_SUM, comm, request);
}

/* In a blocking call until the partner, whose collective is complete, ends it. */
static void block(int wait, MPI_Comm barrier)
{
	if (wait == 0)
		MPI_Recv(NULL, 0, MPI_BYTE, world.partner, TAG_BACK, world.talk, MPI_STATUS_IGNORE);
	else if (wait == 1)
		MPI_Ssend(NULL, 0, MPI_BYTE, world.partner, TAG_BACK, world.talk);
	else
		MPI_Barrier(barrier);
}

static void unblock(int wait, MPI_Comm barrier)
{
	if (wait == 2)
		MPI_Barrier(barrier);
	else if (world.sends && wait == 0)
		MPI_Send(NULL, 0, MPI_BYTE, world.partner, TAG_BACK, world.talk);
	else if (world.sends)
		MPI_Recv(NULL, 0, MPI_BYTE, world.partner, TAG_BACK, world.talk, MPI_STATUS_IGNORE);
}

static void try(int wait, int collective, MPI_Comm comm, MPI_Comm barrier)
{
	MPI_Request request;
	int complete = 0;

	MPI_Barrier(comm);
	if (world.receives) {
		if (!world.control)
			begin(collective, comm, &request);
		block(wait, barrier);
		if (world.control) /* it entered too late */
			begin(collective, comm, &request);
	} else {
		nap_ms(HEAD_START_MS); /* the others are in their call by now */
		double start = now_s(), took;
		begin(collective, comm, &request);
		do {
			MPI_Test(&request, &complete, MPI_STATUS_IGNORE);
			took = now_s() - start;
		} while (!complete && took * 1000 < (world.control ? CONTROL_MS : LIMIT_MS));
		if (!complete)
			violated("%s does not end while other ranks are in %s", collectives[collective], waits[wait]);
		if (took > slowest_s)
			slowest_s = took;
		unblock(wait, barrier);
	}
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	if (collective == 2 && out[ITEMS - 1] != world.size)
		violated("%s has a wrong result", collectives[collective]);
}

void check_progress(void)
{
	MPI_Comm comm, barrier;
	double slowest;

	in = malloc(ITEMS * sizeof *in);
	out = malloc(ITEMS * sizeof *out);
	for (int i = 0; i < ITEMS; i++)
		in[i] = 1;
	slowest_s = 0;
	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	MPI_Comm_dup(MPI_COMM_WORLD, &barrier);
	for (int wait = 0; wait < WAITS; wait++)
		for (int collective = 0; collective < (world.control ? 1 : COLLECTIVES); collective++)
			try(wait, collective, comm, barrier);
	MPI_Allreduce(&slowest_s, &slowest, 1, MPI_DOUBLE, MPI_MAX, comm);
	MPI_Comm_free(&barrier);
	MPI_Comm_free(&comm);
	free(in);
	free(out);
	saw("the slowest of %d took %.1f ms", WAITS * COLLECTIVES, slowest * 1e3);
}
