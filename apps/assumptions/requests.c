/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "check.h"

enum { LARGE = 8 << 20, LIVE = 1000, MATCHED = 200, PERSISTENT = 100, LIMIT_S = 30 };

/* --- asked --------------------------------------------------------------------------------------------------------------------- */

static const int sizes[] = {0, 8, 4096, 65536, 1 << 20, LARGE};
enum { SIZES = sizeof sizes / sizeof *sizes };
enum { EXACT, WILDCARD, STARTED, KINDS };

static bool same_status(const MPI_Status *one, const MPI_Status *other)
{
	int counts[2], cancelled[2];

	MPI_Get_count(one, MPI_BYTE, &counts[0]);
	MPI_Get_count(other, MPI_BYTE, &counts[1]);
	MPI_Test_cancelled(one, &cancelled[0]);
	MPI_Test_cancelled(other, &cancelled[1]);
	return one->MPI_SOURCE == other->MPI_SOURCE && one->MPI_TAG == other->MPI_TAG && counts[0] == counts[1] && cancelled[0] == cancelled[1];
}

static void ask(MPI_Request *request, int *complete, MPI_Status *status)
{
	if (world.control)
		MPI_Test(request, complete, status);
	else
		MPI_Request_get_status(*request, complete, status);
}

/* Its message is asked for until it is there; nothing else makes progress. */
static void ask_for_one(MPI_Comm comm, unsigned char *buffer, int kind, int bytes, unsigned number)
{
	static const char *const names[] = {"an exact", "a wildcard", "a persistent"};
	const int source = kind == WILDCARD ? MPI_ANY_SOURCE : world.partner, tag = kind == WILDCARD ? MPI_ANY_TAG : TAG_A;
	MPI_Request request;
	MPI_Status asked, waited;
	int complete = 0, count = -1;

	if (kind == STARTED) {
		MPI_Recv_init(buffer, bytes, MPI_BYTE, source, tag, comm, &request);
		MPI_Start(&request);
	} else {
		MPI_Irecv(buffer, bytes, MPI_BYTE, source, tag, comm, &request);
	}
	const uint64_t was = handle_of(&request, sizeof request);
	ask(&request, &complete, &asked);
	if (complete)
		violated("%s receive is complete before its message was sent", names[kind]);
	say_go();
	for (double begin = now_s(); !complete && now_s() - begin < LIMIT_S;)
		ask(&request, &complete, &asked);
	if (!complete)
		violated("asking for %s receive of %d bytes makes no progress", names[kind], bytes);
	MPI_Get_count(&asked, MPI_BYTE, &count);
	if (complete && (asked.MPI_SOURCE != world.partner || asked.MPI_TAG != TAG_A || count != bytes))
		violated("%s receive of %d bytes is said to be of rank %d, tag %d, %d bytes", names[kind], bytes, asked.MPI_SOURCE, asked.MPI_TAG, count);
	if (complete && !is_filled(buffer, (size_t)bytes, number))
		violated("%s receive of %d bytes is said to be complete, and its content is not there", names[kind], bytes);
	if (handle_of(&request, sizeof request) != was)
		violated("asking changed the request of %s receive", names[kind]);
	if (!(world.control && complete)) {
		MPI_Wait(&request, &waited);
		if (complete && !same_status(&asked, &waited))
			violated("the wait for %s receive of %d bytes gives another status than asking did", names[kind], bytes);
	}
	if (kind == STARTED && request != MPI_REQUEST_NULL)
		MPI_Request_free(&request);
}

void check_asking(void)
{
	unsigned char *buffer = malloc(LARGE);
	MPI_Comm comm;
	unsigned number = 0;

	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	for (int turn = 0; turn < world.turns / 20 + 1; turn++)
		for (int kind = 0; kind < KINDS; kind++)
			for (int i = 0; i < SIZES; i++) {
				if (sizes[i] == LARGE && turn > 0)
					continue;
				number++;
				if (world.receives) {
					ask_for_one(comm, buffer, kind, sizes[i], number);
				} else if (world.sends) {
					fill(buffer, (size_t)sizes[i], number);
					await_go();
					MPI_Send(buffer, sizes[i], MPI_BYTE, world.partner, TAG_A, comm);
				}
			}
	MPI_Comm_free(&comm);
	free(buffer);
	saw("%u receives of each kind, up to %d bytes", number / KINDS, LARGE);
}

/* --- handles ------------------------------------------------------------------------------------------------------------------- */

static int by_value(const void *one, const void *other)
{
	const uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return a < b ? -1 : a > b;
}

/* The handles are sorted. */
static void look_for_twins(uint64_t *handles, int count, const char *what)
{
	qsort(handles, (size_t)count, sizeof *handles, by_value);
	for (int i = 1; i < count; i++)
		if (handles[i] == handles[i - 1]) {
			violated("two of %d %s have the same handle", count, what);
			return;
		}
}

static void look_at_requests(const MPI_Request *requests, int count, const char *what)
{
	uint64_t handles[LIVE];

	for (int i = 0; i < count; i++)
		handles[i] = handle_of(&requests[i], sizeof requests[i]);
	look_for_twins(handles, count, what);
}

static void receive_many(MPI_Comm comm, MPI_Request *requests, int *values)
{
	for (int i = 0; i < LIVE; i++) /* the control: receives from nobody share a handle */
		MPI_Irecv(&values[i], 1, MPI_INT, world.control ? MPI_PROC_NULL : i % 3 ? world.partner : MPI_ANY_SOURCE,
			  i % 5 ? TAG_A : MPI_ANY_TAG, comm, &requests[i]);
	look_at_requests(requests, LIVE, "pending receives");
	say_go();
	for (int i = 0; world.control && i < LIVE; i++)
		MPI_Recv(&values[i], 1, MPI_INT, world.partner, TAG_A, comm, MPI_STATUS_IGNORE);
	MPI_Waitall(LIVE, requests, MPI_STATUSES_IGNORE);
}

static void match_many(MPI_Comm comm, MPI_Request *requests, int *values)
{
	MPI_Message messages[MATCHED];
	uint64_t handles[MATCHED];

	say_go();
	for (int i = 0; i < MATCHED; i++)
		for (int found = 0; !found;)
			MPI_Improbe(world.partner, TAG_A, comm, &found, &messages[i], MPI_STATUS_IGNORE);
	for (int i = 0; i < MATCHED; i++)
		handles[i] = handle_of(&messages[i], sizeof messages[i]);
	look_for_twins(handles, MATCHED, "matched messages");
	for (int i = 0; i < MATCHED; i++)
		MPI_Imrecv(&values[i], 1, MPI_INT, &messages[i], &requests[i]);
	look_at_requests(requests, MATCHED, "matched receives");
	MPI_Waitall(MATCHED, requests, MPI_STATUSES_IGNORE);
}

static int start_many(MPI_Comm comm, MPI_Request *requests, int *values)
{
	uint64_t started[PERSISTENT];
	int changed = 0;

	for (int i = 0; i < PERSISTENT; i++)
		MPI_Recv_init(&values[i], 1, MPI_INT, world.partner, TAG_A, comm, &requests[i]);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < PERSISTENT; i++) {
			const uint64_t was = handle_of(&requests[i], sizeof requests[i]);
			MPI_Start(&requests[i]);
			started[i] = handle_of(&requests[i], sizeof requests[i]);
			changed += started[i] != was;
		}
		look_at_requests(requests, PERSISTENT, "persistent receives");
		say_go();
		MPI_Waitall(PERSISTENT, requests, MPI_STATUSES_IGNORE);
		for (int i = 0; i < PERSISTENT; i++)
			if (handle_of(&requests[i], sizeof requests[i]) != started[i])
				violated("the handle of a persistent receive changes when it completes");
	}
	for (int i = 0; i < PERSISTENT; i++)
		MPI_Request_free(&requests[i]);
	return changed;
}

static void send_many(MPI_Comm comm, int count)
{
	await_go();
	for (int i = 0; i < count; i++)
		MPI_Send(&i, 1, MPI_INT, world.partner, TAG_A, comm);
}

void check_handles(void)
{
	static MPI_Request requests[LIVE];
	static int values[LIVE];
	int changed = 0;
	MPI_Comm comm;

	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	if (world.receives) {
		receive_many(comm, requests, values);
		match_many(comm, requests, values);
		changed = start_many(comm, requests, values);
	} else if (world.sends) {
		send_many(comm, LIVE);
		send_many(comm, MATCHED);
		for (int round = 0; round < 3; round++)
			send_many(comm, PERSISTENT);
	}
	MPI_Comm_free(&comm);
	saw("%d pending receives, %d matched ones, %d persistent ones; MPI_Start changed %d handles", LIVE, MATCHED, PERSISTENT, changed);
}

/* --- inactive -------------------------------------------------------------------------------------------------------------------- */

static void expect_empty(const char *call, int complete, const MPI_Status *status)
{
	int count = -1, cancelled = 1;

	if (!complete) {
		violated("%s says that an inactive request is not complete", call);
		return;
	}
	MPI_Get_count(status, MPI_BYTE, &count);
	MPI_Test_cancelled(status, &cancelled);
	if (status->MPI_SOURCE != MPI_ANY_SOURCE || status->MPI_TAG != MPI_ANY_TAG || count != 0 || cancelled)
		violated("%s gives an inactive request the status of rank %d, tag %d, %d bytes", call, status->MPI_SOURCE, status->MPI_TAG, count);
}

static void look_at_inactive(MPI_Request *request)
{
	MPI_Status status;
	int complete = 0;

	MPI_Request_get_status(*request, &complete, &status);
	expect_empty("MPI_Request_get_status", complete, &status);
	complete = 0;
	MPI_Test(request, &complete, &status);
	expect_empty("MPI_Test", complete, &status);
	if (!complete)
		return;
	MPI_Wait(request, &status);
	expect_empty("MPI_Wait", 1, &status);
	if (*request == MPI_REQUEST_NULL)
		violated("waiting for an inactive request frees it");
}

void check_inactive(void)
{
	const int out = 1;
	int in = 0;
	MPI_Request receive, send;
	MPI_Comm self;

	MPI_Comm_dup(MPI_COMM_SELF, &self);
	MPI_Recv_init(&in, 1, MPI_INT, 0, TAG_A, self, &receive);
	MPI_Send_init(&out, 1, MPI_INT, 0, TAG_A, self, &send);
	if (world.control)
		MPI_Start(&receive);
	look_at_inactive(&receive);
	look_at_inactive(&send);
	if (!world.control)
		MPI_Start(&receive);
	MPI_Start(&send);
	MPI_Wait(&receive, MPI_STATUS_IGNORE);
	MPI_Wait(&send, MPI_STATUS_IGNORE);
	look_at_inactive(&receive); /* also after it was active */
	MPI_Request_free(&receive);
	MPI_Request_free(&send);
	MPI_Comm_free(&self);
	saw("sends and receives, new and used");
}

/* --- cancelled --------------------------------------------------------------------------------------------------------------------- */

static void cancel(MPI_Request *request, const char *what)
{
	MPI_Status status;
	int cancelled = 0;

	MPI_Cancel(request);
	MPI_Wait(request, &status);
	MPI_Test_cancelled(&status, &cancelled);
	if (!cancelled)
		violated("%s that has no message is not cancelled", what);
}

void check_cancel(void)
{
	const int out = 5;
	int in = -1, given = -1, here = 0;
	MPI_Request receive, send;
	MPI_Comm comm;

	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	MPI_Irecv(&in, 1, MPI_INT, MPI_ANY_SOURCE, TAG_A, comm, &receive);
	if (world.control) { /* it has one */
		MPI_Isend(&out, 1, MPI_INT, world.rank, TAG_A, comm, &send);
		for (double begin = now_s(); !here && now_s() - begin < LIMIT_S;)
			MPI_Request_get_status(receive, &here, MPI_STATUS_IGNORE);
		MPI_Wait(&send, MPI_STATUS_IGNORE);
	}
	cancel(&receive, "a receive");
	MPI_Recv_init(&in, 1, MPI_INT, world.rank, TAG_A, comm, &receive);
	for (int round = 0; round < 2; round++) {
		MPI_Start(&receive);
		cancel(&receive, "a persistent receive");
	}
	MPI_Request_free(&receive);
	in = -1;
	MPI_Isend(&out, 1, MPI_INT, world.rank, TAG_A, comm, &send);
	MPI_Recv(&given, 1, MPI_INT, world.rank, TAG_A, comm, MPI_STATUS_IGNORE);
	MPI_Wait(&send, MPI_STATUS_IGNORE);
	if (given != out || in != -1)
		violated("a receive that was cancelled has taken a message");
	MPI_Comm_free(&comm);
	saw("receives and persistent ones");
}
