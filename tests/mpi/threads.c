/* SPDX-License-Identifier: BSD-3-Clause */
/* Several threads in MPI at a time: threads traffic ROUNDS [snapshots], threads rule WHAT, or threads run MESSAGES [die AFTER].
 *
 * traffic: four threads of each rank exchange messages in every way, each on tags and a communicator of its own and all on one tag of the world, and begin
 *          collectives. Contents and order are checked; in the end the ledger of what was sent and seen must balance, which a snapshot proves: it commits only if
 *          everything that was sent was seen. "snapshots": the main thread calls safepoints meanwhile. Nothing is protected, so that they may fall anywhere.
 * rule:    a checkpoint is void, and says why, when another thread is inside a send (WHAT is "send") or a collective ("barrier") at the safepoint, or returns
 *          from a receive while one waits in seamark_checkpoint ("receive"); the next one commits. On two ranks.
 * run:     each rank's threads send numbered messages to the next rank and take those of the one before, under the program's lock; the main thread calls the
 *          safepoint under it. The numbers are in the protected state: over any number of lives each stream comes without a gap and without a double. "die" ends
 *          a life without warning, after so many checkpoints of this life, and its exit status is 9.
 *
 * Exit status 0: all was right. */
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seamark.h"

enum { THREADS = 4, SHARED_TAG = 1000, LIMIT_S = 60 };

static int rank, size;

static int next(void)
{
	return (rank + 1) % size;
}

static int before(void)
{
	return (rank + size - 1) % size;
}

static void require(bool right, const char *what, int64_t one, int64_t other)
{
	if (right)
		return;
	fprintf(stderr, "WRONG: rank %d: %s (%lld, %lld)\n", rank, what, (long long)one, (long long)other);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

/* --- traffic -------------------------------------------------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	int number, rounds;
	MPI_Comm comm;
};

struct shared {
	int thread, round, pad[2];
};

static void exchange(const struct worker *worker, int round)
{
	const int tag = worker->number, way = round % 8;
	int out[300], in[300] = {0}, count = round % 3 ? 3 : 300, flag = 0, index;
	MPI_Request requests[2];
	MPI_Message message;
	MPI_Status status;
	for (int i = 0; i < count; i++)
		out[i] = rank + 7 * round + 131 * tag + i;
	if (way == 0) {
		MPI_Sendrecv(out, count, MPI_INT, next(), tag, in, count, MPI_INT, before(), tag, MPI_COMM_WORLD, &status);
	} else if (way == 1) {
		MPI_Irecv(in, count, MPI_INT, before(), tag, MPI_COMM_WORLD, &requests[0]);
		MPI_Send(out, count, MPI_INT, next(), tag, MPI_COMM_WORLD);
		MPI_Wait(&requests[0], &status);
	} else if (way == 2) {
		MPI_Irecv(in, count, MPI_INT, MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, &requests[0]);
		MPI_Ssend(out, count, MPI_INT, next(), tag, MPI_COMM_WORLD);
		while (!flag)
			MPI_Test(&requests[0], &flag, &status);
	} else if (way == 3) {
		MPI_Isend(out, count, MPI_INT, next(), tag, worker->comm, &requests[0]);
		MPI_Mprobe(before(), tag, worker->comm, &message, &status);
		MPI_Mrecv(in, count, MPI_INT, &message, &status);
		MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
	} else if (way == 4) {
		MPI_Isend(out, count, MPI_INT, next(), tag, worker->comm, &requests[0]);
		MPI_Recv(in, count, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, worker->comm, &status);
		MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
	} else if (way == 5) {
		MPI_Recv_init(in, count, MPI_INT, before(), tag, MPI_COMM_WORLD, &requests[0]);
		MPI_Ssend_init(out, count, MPI_INT, next(), tag, MPI_COMM_WORLD, &requests[1]);
		MPI_Startall(2, requests);
		for (int i = 0; i < 2; i++) {
			MPI_Status any;
			MPI_Waitany(2, requests, &index, &any);
			if (index == 0)
				status = any;
		}
		MPI_Request_free(&requests[0]);
		MPI_Request_free(&requests[1]);
	} else if (way == 6) {
		MPI_Issend(out, count, MPI_INT, next(), tag, MPI_COMM_WORLD, &requests[1]);
		while (!flag)
			MPI_Iprobe(before(), tag, MPI_COMM_WORLD, &flag, &status);
		MPI_Irecv(in, count, MPI_INT, status.MPI_SOURCE, tag, MPI_COMM_WORLD, &requests[0]);
		MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
	} else {
		int sum;
		MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, worker->comm);
		require(sum == size * (size - 1) / 2, "a sum", sum, round);
		MPI_Ibarrier(worker->comm, &requests[0]);
		MPI_Wait(&requests[0], MPI_STATUS_IGNORE);
		return;
	}
	require(status.MPI_SOURCE == before() && status.MPI_TAG == tag, "a status", status.MPI_SOURCE, status.MPI_TAG);
	for (int i = 0; i < count; i++)
		require(in[i] == before() + 7 * round + 131 * tag + i, "a content", in[i], round);
}

/* All threads send on one stream, and receive from it: each message once, those of one thread in order if one thread receives them all. */
static pthread_mutex_t seen_mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned char *seen;

static void share(const struct worker *worker, int round)
{
	struct shared out = {.thread = worker->number, .round = round}, in;
	MPI_Request request;
	MPI_Isend(&out, sizeof out, MPI_BYTE, next(), SHARED_TAG, MPI_COMM_WORLD, &request);
	MPI_Recv(&in, sizeof in, MPI_BYTE, round % 2 ? before() : MPI_ANY_SOURCE, SHARED_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	pthread_mutex_lock(&seen_mutex);
	unsigned char *mark = &seen[in.thread * worker->rounds + in.round];
	require(++*mark == 1, "a shared message came again", in.thread, in.round);
	pthread_mutex_unlock(&seen_mutex);
}

static atomic_int working;

static void *work(void *argument)
{
	const struct worker *worker = argument;
	for (int round = 0; round < worker->rounds; round++) {
		exchange(worker, round);
		share(worker, round);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

static void traffic(int rounds, bool snapshots)
{
	struct worker workers[THREADS];
	seen = calloc(THREADS, (size_t)rounds);
	require(seamark_restore(NULL) == SEAMARK_FRESH, "the start", 0, 0);
	working = THREADS;
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.number = i, .rounds = rounds};
		MPI_Comm_dup(MPI_COMM_WORLD, &workers[i].comm);
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (; snapshots && working != 0; usleep(300))
		seamark_safepoint(SEAMARK_ANY_STEP);
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	MPI_Barrier(MPI_COMM_WORLD);
	int code = seamark_checkpoint(SEAMARK_ANY_STEP, LIMIT_S);
	require(code == 0, seamark_strerror(code), code, 0);
	for (int i = 0; i < THREADS; i++)
		MPI_Comm_free(&workers[i].comm);
	free(seen);
}

/* --- rule ------------------------------------------------------------------------------------------------------------------------ */

static const char *what;
static MPI_Comm aside;

/* On rank 0, beside its safepoints. */
static void *break_the_rule(void *argument)
{
	int value = 1;
	(void)argument;
	if (strcmp(what, "send") == 0)
		MPI_Ssend(&value, 1, MPI_INT, 1, 0, aside);
	else if (strcmp(what, "barrier") == 0)
		MPI_Barrier(aside);
	else
		MPI_Recv(&value, 1, MPI_INT, 1, 0, aside, MPI_STATUS_IGNORE);
	return NULL;
}

static void end_it(void)
{
	int value = 1;
	if (strcmp(what, "send") == 0)
		MPI_Recv(&value, 1, MPI_INT, 0, 0, aside, MPI_STATUS_IGNORE);
	else if (strcmp(what, "barrier") == 0)
		MPI_Barrier(aside);
	else
		MPI_Send(&value, 1, MPI_INT, 0, 0, aside);
}

static void rule(void)
{
	pthread_t thread;
	const bool receives = strcmp(what, "receive") == 0;
	MPI_Comm_dup(MPI_COMM_WORLD, &aside);
	seamark_restore(NULL);
	if (rank == 0)
		pthread_create(&thread, NULL, break_the_rule, NULL);
	usleep(100000);
	/* The receive ends while rank 0 waits for rank 1 in the call. */
	if (rank == 1)
		usleep(200000);
	if (rank == 1 && receives)
		end_it();
	if (rank == 1)
		usleep(100000);
	int code = seamark_checkpoint(1, LIMIT_S);
	require(code == SEAMARK_E_VOID, "a checkpoint against the rule", code, 0);
	if (rank == 1 && !receives)
		end_it();
	if (rank == 0)
		pthread_join(thread, NULL);
	code = seamark_checkpoint(2, LIMIT_S);
	require(code == 0, seamark_strerror(code), code, 0);
	MPI_Comm_free(&aside);
}

/* --- run ------------------------------------------------------------------------------------------------------------------------- */

enum { MOST_UNDER_WAY = 64 };

struct stream {
	int64_t sent, seen, sum;
};

static struct {
	struct stream streams[THREADS];
} state;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t messages;

struct letter {
	int64_t number, thread;
};

/* What goes out, and what is found at hand, is in the state when the lock is released. */
static bool turn(int number, MPI_Request *receive, struct letter *in, MPI_Request *sends, struct letter *letters)
{
	struct stream *stream = &state.streams[number];
	int flag = 0;
	const int slot = (int)(stream->sent % MOST_UNDER_WAY);
	MPI_Test(&sends[slot], &flag, MPI_STATUS_IGNORE);
	if (flag && stream->sent < messages) {
		letters[slot] = (struct letter){++stream->sent, number};
		MPI_Isend(&letters[slot], sizeof *letters, MPI_BYTE, next(), number, MPI_COMM_WORLD, &sends[slot]);
	}
	if (*receive == MPI_REQUEST_NULL && stream->seen < messages)
		MPI_Irecv(in, sizeof *in, MPI_BYTE, number % 2 ? before() : MPI_ANY_SOURCE, number, MPI_COMM_WORLD, receive);
	if (*receive != MPI_REQUEST_NULL) {
		MPI_Test(receive, &flag, MPI_STATUS_IGNORE);
		if (flag) {
			require(in->number == stream->seen + 1 && in->thread == number, "a number", in->number, stream->seen);
			stream->seen++;
			stream->sum += in->number;
		}
	}
	return stream->sent < messages || stream->seen < messages;
}

static void *play(void *argument)
{
	const int number = *(const int *)argument;
	MPI_Request receive = MPI_REQUEST_NULL, sends[MOST_UNDER_WAY];
	struct letter in, letters[MOST_UNDER_WAY];
	for (int i = 0; i < MOST_UNDER_WAY; i++)
		sends[i] = MPI_REQUEST_NULL;
	for (bool more = true; more; usleep(200)) {
		pthread_mutex_lock(&lock);
		more = turn(number, &receive, &in, sends, letters);
		pthread_mutex_unlock(&lock);
	}
	MPI_Waitall(MOST_UNDER_WAY, sends, MPI_STATUSES_IGNORE);
	return NULL;
}

static bool all_done(void)
{
	bool done = true;
	for (int i = 0; i < THREADS; i++)
		done = done && state.streams[i].sent == messages && state.streams[i].seen == messages;
	return done;
}

static void run(int64_t die_after)
{
	pthread_t threads[THREADS];
	int numbers[THREADS];
	int64_t first = 0, number = 0;
	seamark_protect("streams", &state, sizeof state);
	int code = seamark_restore(NULL);
	require(code >= 0, seamark_strerror(code), code, 0);
	seamark_committed(&first, NULL);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, play, &numbers[i]);
	}
	for (bool done = false; !done; usleep(500)) {
		pthread_mutex_lock(&lock);
		seamark_safepoint(SEAMARK_ANY_STEP);
		done = all_done();
		pthread_mutex_unlock(&lock);
		if (die_after && seamark_committed(&number, NULL) > 0 && number - first >= die_after)
			_exit(9);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		require(state.streams[i].sum == messages * (messages + 1) / 2, "a sum", state.streams[i].sum, i);
	}
	if (rank == 0)
		printf("%s, %lld checkpoints\n", code == SEAMARK_RESTORED ? "restored" : "fresh", (long long)(number - first));
}

int main(int argc, char **argv)
{
	int provided;
	MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	require(provided == MPI_THREAD_MULTIPLE && argc > 2, "the level of threads", provided, argc);
	what = argv[2];
	messages = atoll(what);
	if (strcmp(argv[1], "traffic") == 0)
		traffic((int)messages, argc > 3);
	else if (strcmp(argv[1], "rule") == 0)
		rule();
	else
		run(argc > 4 ? atoll(argv[4]) : 0);
	MPI_Finalize();
	return 0;
}
