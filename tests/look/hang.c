/* SPDX-License-Identifier: BSD-3-Clause */
/* hang NAME: plain MPI programs that hang, each in its way, or that only look as if they did. They never end by themselves. Some traffic goes before, so that counts are
 * not all zero. */
#include <mpi.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seamark.h"

/* There if the library is preloaded. */
#pragma weak seamark_protect
#pragma weak seamark_restore
#pragma weak seamark_safepoint

enum { LARGE = 32 << 20 };

static int rank, ranks;
static char *large;
static int one;

static void exchange_before(void)
{
	int next = (rank + 1) % ranks, previous = (rank + ranks - 1) % ranks, got;

	for (int i = 0; i < 5; i++)
		MPI_Sendrecv(&rank, 1, MPI_INT, next, 1, &got, 1, MPI_INT, previous, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void receive(int source, int tag)
{
	MPI_Recv(&one, 1, MPI_INT, source, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void compute(void)
{
	for (volatile int i = 0;; i++)
		if (i == 1 << 30)
			i = 0;
}

/* --- deadlocks ---------------------------------------------------------------------------------------------------------- */

static void receives(void)
{
	receive((rank + 1) % ranks, 7);
}

static void sends(void)
{
	if (rank < 2)
		MPI_Send(large, LARGE, MPI_CHAR, 1 - rank, 7, MPI_COMM_WORLD);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void ssends(void)
{
	MPI_Ssend(&one, 1, MPI_INT, (rank + 1) % ranks, 7, MPI_COMM_WORLD);
}

static void issends(void)
{
	MPI_Request request;

	MPI_Issend(&one, 1, MPI_INT, (rank + 1) % ranks, 7, MPI_COMM_WORLD, &request);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static void tag(void)
{
	if (rank == 0)
		MPI_Send(&one, 1, MPI_INT, 1, 5, MPI_COMM_WORLD);
	if (rank == 1)
		receive(0, 6);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void missed(void)
{
	if (rank == 1)
		receive(0, 7);
	MPI_Barrier(MPI_COMM_WORLD);
}

/* Small ones may pass for each other. */
static void different(void)
{
	if (rank == 0)
		MPI_Barrier(MPI_COMM_WORLD);
	else
		MPI_Allreduce(MPI_IN_PLACE, large, LARGE, MPI_CHAR, MPI_MAX, MPI_COMM_WORLD);
}

/* One rank exchanges with the wrong one. */
static void exchange(void)
{
	MPI_Request request;

	MPI_Irecv(&one, 1, MPI_INT, MPI_ANY_SOURCE, 9, MPI_COMM_WORLD, &request); /* nobody sends it */
	MPI_Sendrecv(large, LARGE / 2, MPI_CHAR, (rank + 1) % ranks, 7, large + LARGE / 2, LARGE / 2, MPI_CHAR, (rank + ranks - 1) % ranks, rank == 1 ? 8 : 7,
		     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Barrier(MPI_COMM_WORLD);
}

/* Two communicators, and not in the same order. */
static void order(void)
{
	MPI_Comm copy;

	MPI_Comm_dup(MPI_COMM_WORLD, &copy);
	MPI_Comm_set_name(copy, "copy");
	MPI_Barrier(rank == 0 ? copy : MPI_COMM_WORLD);
	MPI_Barrier(rank == 0 ? MPI_COMM_WORLD : copy);
}

/* What is sent on one communicator is waited for on another. */
static void comm(void)
{
	MPI_Comm copy;

	MPI_Comm_dup(MPI_COMM_WORLD, &copy);
	MPI_Comm_set_name(copy, "copy");
	if (rank == 0)
		MPI_Send(&one, 1, MPI_INT, 1, 7, copy);
	if (rank == 1)
		receive(0, 7);
	MPI_Barrier(MPI_COMM_WORLD);
}

/* From one side of an intercommunicator to the other, and back. */
static void between(void)
{
	MPI_Comm own, both;

	MPI_Comm_split(MPI_COMM_WORLD, rank == 0, rank, &own);
	MPI_Intercomm_create(own, 0, MPI_COMM_WORLD, rank == 0 ? 1 : 0, 5, &both);
	MPI_Comm_set_name(both, "both");
	if (rank < 2)
		MPI_Recv(&one, 1, MPI_INT, rank == 0 ? MPI_ANY_SOURCE : 0, 7, both, MPI_STATUS_IGNORE);
	else
		MPI_Send(large, LARGE, MPI_CHAR, 0, 8, both);
}

static void root(void)
{
	if (rank == 0)
		receive(1, 7);
	MPI_Bcast(&one, 1, MPI_INT, 0, MPI_COMM_WORLD);
}

static void waits(void)
{
	MPI_Request requests[2];

	if (rank == 0) {
		MPI_Irecv(&one, 1, MPI_INT, 1, 7, MPI_COMM_WORLD, &requests[0]);
		MPI_Isend(&one, 1, MPI_INT, 1, 8, MPI_COMM_WORLD, &requests[1]);
		MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
	}
	MPI_Barrier(MPI_COMM_WORLD);
}

static void waitany(void)
{
	MPI_Request requests[2];
	int which, to[2];

	if (rank == 0) {
		MPI_Irecv(&to[0], 1, MPI_INT, 1, 7, MPI_COMM_WORLD, &requests[0]);
		MPI_Irecv(&to[1], 1, MPI_INT, 2, 8, MPI_COMM_WORLD, &requests[1]);
		MPI_Waitany(2, requests, &which, MPI_STATUS_IGNORE);
	}
	MPI_Barrier(MPI_COMM_WORLD);
}

static void probe(void)
{
	if (rank == 2)
		MPI_Probe(1, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void mprobe(void)
{
	MPI_Message message;

	if (rank == 2)
		MPI_Mprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &message, MPI_STATUS_IGNORE);
	MPI_Barrier(MPI_COMM_WORLD);
}

/* What was cancelled takes nothing, and what is posted later takes nothing from what was posted before: the first message is for the receive from anywhere. */
static void later(void)
{
	MPI_Request cancelled, first, second;
	int to[3];

	if (rank == 0) {
		MPI_Irecv(&to[0], 1, MPI_INT, 1, 7, MPI_COMM_WORLD, &cancelled);
		MPI_Irecv(&to[1], 1, MPI_INT, MPI_ANY_SOURCE, 7, MPI_COMM_WORLD, &first);
		MPI_Irecv(&to[2], 1, MPI_INT, 1, 7, MPI_COMM_WORLD, &second);
		MPI_Cancel(&cancelled);
		MPI_Wait(&cancelled, MPI_STATUS_IGNORE);
		MPI_Send(&one, 1, MPI_INT, 1, 3, MPI_COMM_WORLD);
		MPI_Wait(&first, MPI_STATUS_IGNORE);
		MPI_Wait(&second, MPI_STATUS_IGNORE);
	}
	if (rank == 1) {
		receive(0, 3);
		MPI_Send(&one, 1, MPI_INT, 0, 7, MPI_COMM_WORLD);
	}
	MPI_Barrier(MPI_COMM_WORLD);
}

static void any(void)
{
	receive(MPI_ANY_SOURCE, 7);
}

static void finalize(void)
{
	if (rank == 0)
		receive(1, 7);
	MPI_Finalize();
}

static void part(void)
{
	MPI_Comm comm;

	MPI_Comm_split(MPI_COMM_WORLD, rank != 0, -rank, &comm);
	MPI_Comm_set_name(comm, "workers");
	if (rank != 0) {
		int number;
		MPI_Comm_rank(comm, &number);
		MPI_Recv(&one, 1, MPI_INT, 1 - number, 7, comm, MPI_STATUS_IGNORE);
	}
	compute();
}

static void ibarrier(void)
{
	MPI_Request request;

	if (rank == 1)
		receive(0, 7);
	MPI_Ibarrier(MPI_COMM_WORLD, &request);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static void isends(void)
{
	MPI_Request request;

	MPI_Isend(large, LARGE, MPI_CHAR, (rank + 1) % ranks, 7, MPI_COMM_WORLD, &request);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	MPI_Recv(large, LARGE, MPI_CHAR, (rank + ranks - 1) % ranks, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void *other_thread(void *argument)
{
	(void)argument;
	MPI_Ssend(&rank, 1, MPI_INT, (rank + 1) % ranks, 8, MPI_COMM_WORLD);
	return NULL;
}

static void threads(void)
{
	pthread_t other;

	pthread_create(&other, NULL, other_thread, NULL);
	receive((rank + 1) % ranks, 7);
}

/* Checkpoints are committed meanwhile, and with each the base of the counts moves. */
static void moved(void)
{
	int64_t step;
	int got;

	if (!seamark_protect || !seamark_restore || !seamark_safepoint)
		return;
	seamark_protect("rank", &rank, sizeof rank);
	seamark_restore(&step);
	for (int i = 0; i < 1000; i++)
		MPI_Sendrecv(&rank, 1, MPI_INT, (rank + ranks - 1) % ranks, 7, &got, 1, MPI_INT, (rank + 1) % ranks, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	seamark_safepoint(SEAMARK_ANY_STEP);
	receive((rank + 1) % ranks, 7);
}

/* --- none --------------------------------------------------------------------------------------------------------------- */

static void quiet(void)
{
	if (rank == 1)
		compute();
	receive(1, 7);
}

/* Other threads may be in MPI at any time, though none was so far. */
static void *late_thread(void *argument)
{
	(void)argument;
	compute();
	MPI_Send(&one, 1, MPI_INT, (rank + 1) % ranks, 7, MPI_COMM_WORLD);
	return NULL;
}

static void maybe(void)
{
	pthread_t late;

	if (rank == 0)
		pthread_create(&late, NULL, late_thread, NULL);
	receive((rank + ranks - 1) % ranks, 7);
}

/* Whoever closes what is not its own is not seen any more. */
static void hidden(void)
{
	char path[64], link[64];

	for (int i = 3; rank == 1 && i < 256; i++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", i);
		const ssize_t length = readlink(path, link, sizeof link - 1);
		link[length < 0 ? 0 : length] = 0;
		if (!strncmp(link, "/memfd:seamark-look", 19))
			close(i);
	}
	quiet();
}

/* The receive is not there yet, but its rank runs. */
static void slow(void)
{
	if (rank == 0)
		MPI_Send(large, LARGE, MPI_CHAR, 1, 7, MPI_COMM_WORLD);
	if (rank == 1)
		compute();
	MPI_Barrier(MPI_COMM_WORLD);
}

static void tests(void)
{
	MPI_Request request;
	int flag = 0;

	MPI_Irecv(&one, 1, MPI_INT, (rank + 1) % ranks, 7, MPI_COMM_WORLD, &request);
	while (!flag)
		MPI_Test(&request, &flag, MPI_STATUS_IGNORE);
}

/* One after the other computes for a while, and all others wait for it, in another way each time: so that looks find most ranks in their calls. It goes on for ever. */
static void compute_for(double seconds)
{
	const double until = MPI_Wtime() + seconds;

	while (MPI_Wtime() < until)
		;
}

static void to_all(int tag)
{
	for (int to = 0; to < ranks; to++)
		if (to != rank)
			MPI_Send(&one, 1, MPI_INT, to, tag, MPI_COMM_WORLD);
}

static void from_all(int count, int tag)
{
	for (int from = 0; from < ranks; from++)
		if (from != rank)
			MPI_Recv(large, count, MPI_CHAR, from, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void wait_for_one_of_two(int worker)
{
	MPI_Request requests[2];
	int which, to[2];

	MPI_Irecv(&to[0], 1, MPI_INT, worker, 7, MPI_COMM_WORLD, &requests[0]);
	MPI_Irecv(&to[1], 1, MPI_INT, MPI_ANY_SOURCE, 8, MPI_COMM_WORLD, &requests[1]);
	MPI_Waitany(2, requests, &which, MPI_STATUS_IGNORE);
	MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
}

static void relay_once(int way, int worker, MPI_Comm copy)
{
	const int next = (rank + 1) % ranks, previous = (rank + ranks - 1) % ranks;
	int sum;

	if (rank == worker)
		compute_for(0.6);
	switch (way) {
	case 0:
		MPI_Barrier(MPI_COMM_WORLD);
		break;
	case 1:
		MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, copy);
		break;
	case 2: /* large sends */
		if (rank == worker)
			from_all(1 << 20, 7);
		else
			MPI_Send(large, 1 << 20, MPI_CHAR, worker, 7, MPI_COMM_WORLD);
		break;
	case 3:
		if (rank == worker)
			from_all(4, 7);
		else
			MPI_Ssend(&one, 1, MPI_INT, worker, 7, MPI_COMM_WORLD);
		break;
	case 4:
		if (rank == worker) {
			to_all(7);
			to_all(8);
		} else {
			wait_for_one_of_two(worker);
		}
		break;
	case 5: /* one after the other */
		if (rank != worker)
			receive(previous, 7);
		if (next != worker)
			MPI_Send(&one, 1, MPI_INT, next, 7, MPI_COMM_WORLD);
		break;
	case 6:
		if (rank == worker)
			to_all(7);
		else
			MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (rank != worker)
			receive(worker, 7);
		break;
	default:
		MPI_Sendrecv(large, 1 << 20, MPI_CHAR, next, 7, large + LARGE / 2, 1 << 20, MPI_CHAR, previous, 7, copy, MPI_STATUS_IGNORE);
	}
}

static void relay(void)
{
	MPI_Comm copy;

	MPI_Comm_dup(MPI_COMM_WORLD, &copy);
	for (int round = 0;; round++)
		relay_once(round % 8, round % ranks, copy);
}

/* Tag 9 is never received. */
static void leak(void)
{
	int next = (rank + 1) % ranks, previous = (rank + ranks - 1) % ranks, got;

	for (;;) {
		MPI_Sendrecv(&rank, 1, MPI_INT, next, 1, &got, 1, MPI_INT, previous, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (rank == 0)
			MPI_Send(&rank, 1, MPI_INT, 1, 9, MPI_COMM_WORLD);
		usleep(2000);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} ways[] = {
		{"receives", receives}, {"sends", sends}, {"ssends", ssends}, {"issends", issends}, {"tag", tag}, {"missed", missed}, {"different", different},
		{"exchange", exchange}, {"order", order}, {"comm", comm}, {"between", between}, {"mprobe", mprobe}, {"later", later}, {"maybe", maybe}, {"hidden", hidden},
		{"root", root}, {"waits", waits}, {"waitany", waitany}, {"probe", probe}, {"any", any}, {"finalize", finalize}, {"part", part},
		{"ibarrier", ibarrier}, {"isends", isends}, {"threads", threads}, {"quiet", quiet}, {"slow", slow}, {"tests", tests}, {"leak", leak}, {"moved", moved}, {"relay", relay},
	};
	int level;

	const bool several = argc > 1 && (!strcmp(argv[1], "threads") || !strcmp(argv[1], "maybe"));
	MPI_Init_thread(&argc, &argv, several ? MPI_THREAD_MULTIPLE : MPI_THREAD_SINGLE, &level);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	large = calloc(1, LARGE);
	exchange_before();
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		if (argc > 1 && !strcmp(argv[1], ways[i].name))
			ways[i].run();
	fprintf(stderr, "%s\n", argc > 1 ? "it did not hang" : "usage: hang NAME");
	MPI_Abort(MPI_COMM_WORLD, 1);
}
