/* SPDX-License-Identifier: BSD-3-Clause */
/* MPI means what it means without Seamark: every interposed call, its statuses and errors; and the ledger balances after each test. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "session/session.h"

#define rank oracle_rank
#define size oracle_size
enum { ROUNDS = 40, TAG_NOBODY = 4711 };

static int next(void)
{
	return (rank + 1) % size;
}

static int before(void)
{
	return (rank + size - 1) % size;
}

/* Of a probe; MPICH leaves in its status whether something was cancelled as it was. */
static void found_is(const MPI_Status *status, int source, int tag, int items, MPI_Datatype type)
{
	int count = -1;
	MPI_Get_count(status, type, &count);
	CU_ASSERT_EQUAL(status->MPI_SOURCE, source);
	CU_ASSERT_EQUAL(status->MPI_TAG, tag);
	CU_ASSERT_EQUAL(count, items);
}

static void status_is(const MPI_Status *status, int source, int tag, int items, MPI_Datatype type)
{
	int cancelled = 1;
	MPI_Test_cancelled(status, &cancelled);
	found_is(status, source, tag, items, type);
	CU_ASSERT_EQUAL(cancelled, 0);
}

static void status_is_empty(const MPI_Status *status)
{
	int count = -1;
	MPI_Get_count(status, MPI_BYTE, &count);
	CU_ASSERT_EQUAL(status->MPI_SOURCE, MPI_ANY_SOURCE);
	CU_ASSERT_EQUAL(status->MPI_TAG, MPI_ANY_TAG);
	CU_ASSERT_EQUAL(count, 0);
}

/* --- blocking --------------------------------------------------------------------------------------------------------------- */

static void test_a_ring_of_sendrecv(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		oracle_point();
		int out[3] = {rank, i, 7}, in[4] = {0};
		MPI_Status status;
		MPI_Sendrecv(out, 3, MPI_INT, next(), i, in, 4, MPI_INT, i % 2 ? before() : MPI_ANY_SOURCE, i % 3 ? i : MPI_ANY_TAG,
			     MPI_COMM_WORLD, &status);
		CU_ASSERT(in[0] == before() && in[1] == i && in[2] == 7);
		status_is(&status, before(), i, 3, MPI_INT);
		MPI_Barrier(MPI_COMM_WORLD);
	}
}

static void test_sendrecv_replace_of_gapped_types(void)
{
	MPI_Datatype type;
	MPI_Type_vector(3, 1, 2, MPI_INT, &type);
	MPI_Type_commit(&type);
	int area[6] = {rank, -1, rank + 100, -2, rank + 200, -3};
	MPI_Status status;
	MPI_Sendrecv_replace(area, 1, type, next(), 4, before(), 4, MPI_COMM_WORLD, &status);
	CU_ASSERT(area[0] == before() && area[2] == before() + 100 && area[4] == before() + 200);
	CU_ASSERT(area[1] == -1 && area[3] == -2 && area[5] == -3);
	status_is(&status, before(), 4, 1, type);
	MPI_Sendrecv_replace(area, 1, type, MPI_PROC_NULL, 4, MPI_PROC_NULL, 4, MPI_COMM_WORLD, &status);
	CU_ASSERT_EQUAL(status.MPI_SOURCE, MPI_PROC_NULL);
	CU_ASSERT_EQUAL(area[0], before());
	MPI_Type_free(&type);
	CU_ASSERT_EQUAL(type, MPI_DATATYPE_NULL);
}

static void send_mode(int mode, const void *data, int count, int dest, int tag)
{
	if (mode == 0)
		MPI_Send(data, count, MPI_CHAR, dest, tag, MPI_COMM_WORLD);
	else if (mode == 1)
		MPI_Ssend(data, count, MPI_CHAR, dest, tag, MPI_COMM_WORLD);
	else if (mode == 2)
		MPI_Bsend(data, count, MPI_CHAR, dest, tag, MPI_COMM_WORLD);
	else
		MPI_Rsend(data, count, MPI_CHAR, dest, tag, MPI_COMM_WORLD);
}

static void isend_mode(int mode, const void *data, int count, int dest, int tag, MPI_Request *request)
{
	if (mode == 0)
		MPI_Isend(data, count, MPI_CHAR, dest, tag, MPI_COMM_WORLD, request);
	else if (mode == 1)
		MPI_Issend(data, count, MPI_CHAR, dest, tag, MPI_COMM_WORLD, request);
	else if (mode == 2)
		MPI_Ibsend(data, count, MPI_CHAR, dest, tag, MPI_COMM_WORLD, request);
	else
		MPI_Irsend(data, count, MPI_CHAR, dest, tag, MPI_COMM_WORLD, request);
}

static const int sizes[] = {0, 1, 100, 5000, 70000, 400000};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void fill(char *data, int count, int seed)
{
	for (int i = 0; i < count; i++)
		data[i] = (char)(seed * 13 + i * 7 + i / 256);
}

static void test_every_mode_and_size_arrives(void)
{
	char *out = malloc(400000), *in = malloc(400000), *room = malloc(2 * (400000 + MPI_BSEND_OVERHEAD)), *detached;
	int bytes;
	MPI_Buffer_attach(room, 2 * (400000 + MPI_BSEND_OVERHEAD));
	for (int mode = 0; mode < 4; mode++)
		for (int i = 0; i < SIZES; i++)
			for (int blocking = 0; blocking < 2; blocking++) {
				MPI_Request requests[2];
				MPI_Status statuses[2];
				oracle_point();
				fill(out, sizes[i], rank + mode + i);
				memset(in, 0, 400000);
				MPI_Irecv(in, 400000, MPI_CHAR, before(), mode, MPI_COMM_WORLD, &requests[0]);
				MPI_Barrier(MPI_COMM_WORLD); /* a ready send needs its receive */
				if (blocking) {
					send_mode(mode, out, sizes[i], next(), mode);
					MPI_Wait(&requests[0], &statuses[0]);
				} else {
					isend_mode(mode, out, sizes[i], next(), mode, &requests[1]);
					MPI_Waitall(2, requests, statuses);
					CU_ASSERT_EQUAL(requests[1], MPI_REQUEST_NULL);
				}
				CU_ASSERT_EQUAL(requests[0], MPI_REQUEST_NULL);
				status_is(&statuses[0], before(), mode, sizes[i], MPI_CHAR);
				fill(out, sizes[i], before() + mode + i);
				CU_ASSERT_EQUAL(memcmp(in, out, (size_t)sizes[i]), 0);
			}
	MPI_Buffer_detach(&detached, &bytes);
	free(room);
	free(in);
	free(out);
}

static void test_messages_to_nobody(void)
{
	int value = 5;
	MPI_Status status;
	MPI_Request requests[2];
	MPI_Send(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
	MPI_Ssend(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
	MPI_Recv(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &status);
	status_is(&status, MPI_PROC_NULL, MPI_ANY_TAG, 0, MPI_INT);
	MPI_Irecv(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &requests[0]);
	MPI_Issend(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &requests[1]);
	MPI_Wait(&requests[0], &status); /* its status is not the same in all MPI libraries */
	MPI_Wait(&requests[1], MPI_STATUS_IGNORE);
	MPI_Probe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &status);
	status_is(&status, MPI_PROC_NULL, MPI_ANY_TAG, 0, MPI_INT);
	int flag = 0;
	MPI_Iprobe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &flag, &status);
	CU_ASSERT_TRUE(flag);
	CU_ASSERT_EQUAL(value, 5);
}

static void test_messages_to_oneself(void)
{
	int out[2] = {1, 2}, in[2] = {0, 0};
	MPI_Request requests[2];
	MPI_Status status;
	MPI_Isend(&out[0], 1, MPI_INT, rank, 8, MPI_COMM_WORLD, &requests[0]);
	MPI_Isend(&out[1], 1, MPI_INT, 0, 9, MPI_COMM_SELF, &requests[1]);
	MPI_Recv(&in[1], 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_SELF, &status);
	status_is(&status, 0, 9, 1, MPI_INT);
	MPI_Recv(&in[0], 1, MPI_INT, rank, 8, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
	CU_ASSERT(in[0] == 1 && in[1] == 2);
}

/* --- probes ------------------------------------------------------------------------------------------------------------------- */

static void test_probes_find_what_is_received(void)
{
	int out[5] = {rank, 1, 2, 3, 4}, in[5], flag = 0, count;
	MPI_Request request;
	MPI_Status status, probed;
	MPI_Iprobe(before(), 31, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
	CU_ASSERT_FALSE(flag);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Isend(out, 5, MPI_INT, next(), 31, MPI_COMM_WORLD, &request);
	while (!flag)
		MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &probed);
	found_is(&probed, before(), 31, 5, MPI_INT);
	MPI_Probe(before(), 31, MPI_COMM_WORLD, &probed);
	MPI_Get_count(&probed, MPI_INT, &count);
	MPI_Recv(in, count, MPI_INT, probed.MPI_SOURCE, probed.MPI_TAG, MPI_COMM_WORLD, &status);
	status_is(&status, before(), 31, 5, MPI_INT);
	CU_ASSERT_EQUAL(in[0], before());
	MPI_Wait(&request, MPI_STATUS_IGNORE);
}

/* --- many requests ------------------------------------------------------------------------------------------------------------- */

enum { MANY = 150 };

static void post_many(int *in, int *out, int count, MPI_Request *requests, bool wild)
{
	for (int i = 0; i < count; i++) {
		MPI_Irecv(&in[i], 1, MPI_INT, wild && i % 3 == 0 ? MPI_ANY_SOURCE : before(), wild && i % 5 == 0 ? MPI_ANY_TAG : 50,
			  MPI_COMM_WORLD, &requests[i]);
		out[i] = rank * 1000 + i;
	}
	for (int i = 0; i < count; i++)
		MPI_Isend(&out[i], 1, MPI_INT, next(), 50, MPI_COMM_WORLD, &requests[count + i]);
}

/* Messages of one stream are matched in order, whatever asked for them. */
static void check_many(const int *in, int count)
{
	for (int i = 0; i < count; i++)
		CU_ASSERT_EQUAL(in[i], before() * 1000 + i);
}

static void test_waitall_of_few_and_of_many(void)
{
	static int in[MANY], out[MANY];
	static MPI_Request requests[2 * MANY + 1];
	static MPI_Status statuses[2 * MANY + 1];
	const int counts[] = {0, 1, 31, 32, 33, MANY};
	for (int i = 0; i < 12; i++) {
		int count = counts[i / 2];
		requests[2 * count] = MPI_REQUEST_NULL;
		post_many(in, out, count, requests, i % 3);
		MPI_Waitall(2 * count + 1, requests, i % 2 ? statuses : MPI_STATUSES_IGNORE);
		check_many(in, count);
		for (int j = 0; j <= 2 * count; j++)
			CU_ASSERT_EQUAL(requests[j], MPI_REQUEST_NULL);
		for (int j = 0; i % 2 && j < count; j++)
			status_is(&statuses[j], before(), 50, 1, MPI_INT);
		if (i % 2)
			status_is_empty(&statuses[2 * count]);
		MPI_Barrier(MPI_COMM_WORLD);
	}
}

static void test_testall_completes_all_or_none(void)
{
	int in[2] = {0}, out[2] = {4, 5}, flag = 1;
	MPI_Request requests[3] = {MPI_REQUEST_NULL};
	MPI_Status statuses[3];
	MPI_Irecv(&in[0], 1, MPI_INT, before(), 1, MPI_COMM_WORLD, &requests[1]);
	MPI_Irecv(&in[1], 1, MPI_INT, before(), 2, MPI_COMM_WORLD, &requests[2]);
	MPI_Send(&out[0], 1, MPI_INT, next(), 1, MPI_COMM_WORLD);
	MPI_Barrier(MPI_COMM_WORLD);
	for (int i = 0; i < 1000; i++) {
		MPI_Testall(3, requests, &flag, statuses);
		CU_ASSERT_FALSE(flag);
	}
	CU_ASSERT_NOT_EQUAL(requests[1], MPI_REQUEST_NULL);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Send(&out[1], 1, MPI_INT, next(), 2, MPI_COMM_WORLD);
	while (!flag)
		MPI_Testall(3, requests, &flag, statuses);
	status_is_empty(&statuses[0]);
	status_is(&statuses[1], before(), 1, 1, MPI_INT);
	status_is(&statuses[2], before(), 2, 1, MPI_INT);
	CU_ASSERT(in[0] == 4 && in[1] == 5);
	MPI_Testall(0, NULL, &flag, MPI_STATUSES_IGNORE);
	CU_ASSERT_TRUE(flag);
}

static void test_any_and_some_give_each_request_once(void)
{
	static int in[MANY], out[MANY];
	static MPI_Request requests[2 * MANY];
	for (int way = 0; way < 8; way++) {
		oracle_point();
		int count = way < 4 ? 10 : MANY, left = 2 * count, index, flag, found, indices[2 * MANY];
		bool given[2 * MANY] = {false};
		MPI_Status status, statuses[2 * MANY];
		post_many(in, out, count, requests, way % 2);
		while (left > 0) {
			found = 1;
			if (way % 4 == 0) {
				MPI_Waitany(2 * count, requests, &index, &status);
				indices[0] = index;
				statuses[0] = status;
			} else if (way % 4 == 1) {
				MPI_Testany(2 * count, requests, &index, &flag, &status);
				found = flag;
				indices[0] = index;
				statuses[0] = status;
			} else if (way % 4 == 2) {
				MPI_Waitsome(2 * count, requests, &found, indices, statuses);
				CU_ASSERT(found > 0);
			} else {
				MPI_Testsome(2 * count, requests, &found, indices, statuses);
			}
			for (int i = 0; i < found; i++) {
				CU_ASSERT_FALSE(given[indices[i]]);
				given[indices[i]] = true;
				if (indices[i] < count)
					status_is(&statuses[i], before(), 50, 1, MPI_INT);
			}
			left -= found;
		}
		check_many(in, count);
		MPI_Waitany(2 * count, requests, &index, &status);
		CU_ASSERT_EQUAL(index, MPI_UNDEFINED);
		status_is_empty(&status);
		MPI_Testany(2 * count, requests, &index, &flag, MPI_STATUS_IGNORE);
		CU_ASSERT(flag && index == MPI_UNDEFINED);
		MPI_Waitsome(2 * count, requests, &found, indices, MPI_STATUSES_IGNORE);
		CU_ASSERT_EQUAL(found, MPI_UNDEFINED);
		MPI_Testsome(2 * count, requests, &found, indices, statuses);
		CU_ASSERT_EQUAL(found, MPI_UNDEFINED);
		MPI_Barrier(MPI_COMM_WORLD);
	}
}

static void test_null_requests(void)
{
	MPI_Request request = MPI_REQUEST_NULL;
	MPI_Status status;
	int flag = 0;
	MPI_Wait(&request, &status);
	status_is_empty(&status);
	MPI_Test(&request, &flag, &status);
	CU_ASSERT_TRUE(flag);
	status_is_empty(&status);
	MPI_Request_get_status(request, &flag, &status);
	CU_ASSERT_TRUE(flag);
	status_is_empty(&status);
}

static void test_asking_tells_and_leaves_the_request(void)
{
	int in = 0, out = rank, flag = 0;
	MPI_Request request;
	MPI_Status status;
	for (int wild = 0; wild < 2; wild++) {
		MPI_Irecv(&in, 1, MPI_INT, wild ? MPI_ANY_SOURCE : before(), 3, MPI_COMM_WORLD, &request);
		MPI_Barrier(MPI_COMM_WORLD);
		MPI_Send(&out, 1, MPI_INT, next(), 3, MPI_COMM_WORLD);
		for (flag = 0; !flag;)
			MPI_Request_get_status(request, &flag, &status);
		status_is(&status, before(), 3, 1, MPI_INT);
		CU_ASSERT_NOT_EQUAL(request, MPI_REQUEST_NULL);
		MPI_Request_get_status(request, &flag, MPI_STATUS_IGNORE);
		CU_ASSERT_TRUE(flag);
		MPI_Wait(&request, &status);
		status_is(&status, before(), 3, 1, MPI_INT);
	}
}

/* --- wildcards and exact receives in one stream ---------------------------------------------------------------------------------- */

/* --- persistent requests ------------------------------------------------------------------------------------------------------ */

static void test_persistent_requests_start_again_and_again(void)
{
	enum { MODES = 4, WAYS = 5 };
	int out[MODES], in[MODES], index, done, indices[2 * MODES], flag;
	MPI_Request requests[2 * MODES], were[2 * MODES];
	MPI_Status status, statuses[2 * MODES];
	void *buffer = malloc(4096 + MPI_BSEND_OVERHEAD);
	MPI_Buffer_attach(buffer, 4096 + MPI_BSEND_OVERHEAD);
	for (int i = 0; i < MODES; i++)
		MPI_Recv_init(&in[i], 1, MPI_INT, i % 2 ? before() : MPI_ANY_SOURCE, i == 2 ? MPI_ANY_TAG : 60 + i, MPI_COMM_WORLD,
			      &requests[i]);
	MPI_Send_init(&out[0], 1, MPI_INT, next(), 60, MPI_COMM_WORLD, &requests[MODES]);
	MPI_Bsend_init(&out[1], 1, MPI_INT, next(), 61, MPI_COMM_WORLD, &requests[MODES + 1]);
	MPI_Ssend_init(&out[2], 1, MPI_INT, next(), 62, MPI_COMM_WORLD, &requests[MODES + 2]);
	MPI_Rsend_init(&out[3], 1, MPI_INT, next(), 63, MPI_COMM_WORLD, &requests[MODES + 3]);
	memcpy(were, requests, sizeof were);
	MPI_Wait(&requests[0], &status);
	status_is_empty(&status);
	MPI_Waitany(2 * MODES, requests, &index, &status);
	CU_ASSERT_EQUAL(index, MPI_UNDEFINED);
	for (int round = 0; round < 4 * WAYS; round++) {
		oracle_point();
		for (int i = 0; i < MODES; i++) {
			in[i] = -1;
			out[i] = rank * 1000 + round * 10 + i;
		}
		MPI_Startall(MODES, requests);
		MPI_Barrier(MPI_COMM_WORLD); /* receives are there before the ready send */
		/* One by one in another order, which each stream does not mind; what an earlier wildcard could take comes after it. */
		for (int i = 0; i < MODES; i++)
			MPI_Start(&requests[MODES + (round % 2 ? i : (i + 2) % MODES)]);
		const int way = round % WAYS;
		if (way == 0)
			MPI_Waitall(2 * MODES, requests, statuses);
		for (int i = 0; way == 1 && i < 2 * MODES; i++)
			MPI_Wait(&requests[i], &statuses[i]);
		for (int i = 0; way == 2 && i < 2 * MODES; i++)
			MPI_Waitany(2 * MODES, requests, &index, &status);
		for (int i = 0; way == 3 && i < 2 * MODES; i += done)
			MPI_Waitsome(2 * MODES, requests, &done, indices, MPI_STATUSES_IGNORE);
		for (flag = 0; way == 4 && !flag;)
			MPI_Testall(2 * MODES, requests, &flag, MPI_STATUSES_IGNORE);
		/* The receive for any tag is posted third: it takes what is left, in either order of the sends. */
		for (int i = 0; i < MODES; i++)
			CU_ASSERT_EQUAL(in[i], before() * 1000 + round * 10 + i);
		for (int i = 0; way < 2 && i < MODES; i++)
			status_is(&statuses[i], before(), 60 + i, 1, MPI_INT);
		CU_ASSERT_EQUAL(memcmp(were, requests, sizeof were), 0);
		MPI_Barrier(MPI_COMM_WORLD);
	}
	/* One that never gets a message can be taken back, and started again. */
	MPI_Start(&requests[1]);
	MPI_Cancel(&requests[1]);
	MPI_Wait(&requests[1], &status);
	MPI_Test_cancelled(&status, &flag);
	CU_ASSERT(flag);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Start(&requests[1]);
	MPI_Start(&requests[MODES + 1]);
	MPI_Wait(&requests[1], &status);
	status_is(&status, before(), 61, 1, MPI_INT);
	MPI_Wait(&requests[MODES + 1], MPI_STATUS_IGNORE);
	/* Freed while they are under way: they end all the same. */
	in[3] = -1;
	MPI_Start(&requests[3]);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Start(&requests[MODES + 3]);
	for (int i = 0; i < 2 * MODES; i++) {
		MPI_Request_free(&requests[i]);
		CU_ASSERT_EQUAL(requests[i], MPI_REQUEST_NULL);
	}
	while (*(volatile int *)&in[3] == -1 || session.sequence.shadows.used)
		MPI_Iprobe(MPI_ANY_SOURCE, TAG_NOBODY, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
	CU_ASSERT_EQUAL(session.persistents, 0);
	MPI_Buffer_detach(&buffer, &index);
	free(buffer);
}

static void test_persistent_requests_to_nobody_and_of_no_communicator(void)
{
	int value = 5;
	MPI_Comm comm;
	MPI_Request requests[3];
	MPI_Status statuses[3];
	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	MPI_Send_init(&value, 1, MPI_INT, MPI_PROC_NULL, 1, comm, &requests[0]);
	MPI_Recv_init(&value, 1, MPI_INT, MPI_PROC_NULL, 1, comm, &requests[1]);
	MPI_Recv_init(&value, 1, MPI_INT, rank, 1, comm, &requests[2]);
	for (int i = 0; i < 3; i++) {
		MPI_Startall(2, requests);
		MPI_Waitall(3, requests, statuses);
		/* MPICH gives it the status of an inactive one. */
		CU_ASSERT(statuses[1].MPI_SOURCE == MPI_PROC_NULL || statuses[1].MPI_SOURCE == MPI_ANY_SOURCE);
		CU_ASSERT(statuses[1].MPI_TAG == MPI_ANY_TAG && value == 5);
	}
	MPI_Comm_free(&comm);
	for (int i = 0; i < 3; i++)
		MPI_Request_free(&requests[i]);
	CU_ASSERT_EQUAL(session.persistents, 0);
}

/* --- matched probes ------------------------------------------------------------------------------------------------------------ */

static void test_matched_messages_are_received_in_any_order(void)
{
	enum { COUNT = 6 };
	int out[COUNT], in;
	MPI_Request sends[COUNT], request;
	MPI_Message held[COUNT];
	MPI_Status status;
	for (int round = 0; round < ROUNDS; round++) {
		oracle_point();
		for (int i = 0; i < COUNT; i++) {
			out[i] = rank * 1000 + i;
			MPI_Isend(&out[i], 1, MPI_INT, next(), 70 + i % 2, MPI_COMM_WORLD, &sends[i]);
		}
		for (int i = 0, flag; i < COUNT; i++) {
			const int source = i % 3 ? before() : MPI_ANY_SOURCE;
			if (i % 2)
				MPI_Mprobe(source, 70 + i % 2, MPI_COMM_WORLD, &held[i], &status);
			else
				for (flag = 0; !flag;)
					MPI_Improbe(source, 70 + i % 2, MPI_COMM_WORLD, &flag, &held[i], &status);
			found_is(&status, before(), 70 + i % 2, 1, MPI_INT);
		}
		for (int i = 0; i < COUNT; i++) {
			const int which = (i * 5 + round) % COUNT;
			in = -1;
			if (which % 3) {
				MPI_Mrecv(&in, 1, MPI_INT, &held[which], &status);
			} else {
				MPI_Imrecv(&in, 1, MPI_INT, &held[which], &request);
				MPI_Wait(&request, &status);
			}
			CU_ASSERT(in == before() * 1000 + which && held[which] == MPI_MESSAGE_NULL);
			status_is(&status, before(), 70 + which % 2, 1, MPI_INT);
		}
		MPI_Waitall(COUNT, sends, MPI_STATUSES_IGNORE);
	}
	MPI_Mprobe(MPI_PROC_NULL, 1, MPI_COMM_WORLD, &held[0], &status);
	CU_ASSERT(held[0] == MPI_MESSAGE_NO_PROC && status.MPI_SOURCE == MPI_PROC_NULL);
	MPI_Mrecv(&in, 1, MPI_INT, &held[0], &status);
	CU_ASSERT(held[0] == MPI_MESSAGE_NULL && status.MPI_SOURCE == MPI_PROC_NULL);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void test_wildcards_between_exact_receives(void)
{
	enum { COUNT = 6 };
	for (int told = 0; told < 4; told++) {
		oracle_point();
		int in[COUNT], out[COUNT], order[COUNT];
		MPI_Request requests[COUNT];
		MPI_Status status;
		for (int i = 0; i < COUNT; i++) {
			MPI_Irecv(&in[i], 1, MPI_INT, i % 2 ? MPI_ANY_SOURCE : before(), i % 3 == 2 ? MPI_ANY_TAG : 6, MPI_COMM_WORLD,
				  &requests[i]);
			out[i] = rank * 10 + i;
			order[i] = told == 0 ? i : told == 1 ? COUNT - 1 - i : told == 2 ? (i * 5) % COUNT : (i * 5 + 3) % COUNT;
		}
		MPI_Barrier(MPI_COMM_WORLD);
		for (int i = 0; i < COUNT; i++)
			MPI_Send(&out[i], 1, MPI_INT, next(), 6, MPI_COMM_WORLD);
		for (int i = 0; i < COUNT; i++) {
			oracle_point();
			MPI_Wait(&requests[order[i]], &status);
			status_is(&status, before(), 6, 1, MPI_INT);
		}
		for (int i = 0; i < COUNT; i++)
			CU_ASSERT_EQUAL(in[i], before() * 10 + i);
		MPI_Barrier(MPI_COMM_WORLD);
	}
}

/* --- freed and cancelled ------------------------------------------------------------------------------------------------------------ */

static void test_freed_receives_are_still_filled(void)
{
	int in = -1, out = rank, done = 0, heard;
	MPI_Request request;
	MPI_Irecv(&in, 1, MPI_INT, before(), 12, MPI_COMM_WORLD, &request);
	MPI_Request_free(&request);
	CU_ASSERT_EQUAL(request, MPI_REQUEST_NULL);
	MPI_Isend(&out, 1, MPI_INT, next(), 12, MPI_COMM_WORLD, &request);
	MPI_Request_free(&request);
	/* A later message of the same stream says that it has arrived. */
	MPI_Sendrecv(&done, 1, MPI_INT, next(), 12, &heard, 1, MPI_INT, before(), 12, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	CU_ASSERT_EQUAL(in, before());
	while (session.sequence.shadows.used)
		session_poll();
}

static void test_cancelled_receives_take_nothing(void)
{
	int in[3] = {-1, -1, -1}, out = rank, cancelled;
	for (int wild = 0; wild < 2; wild++) {
		MPI_Request requests[3];
		MPI_Status status;
		for (int i = 0; i < 3; i++)
			MPI_Irecv(&in[i], 1, MPI_INT, wild ? MPI_ANY_SOURCE : before(), 13, MPI_COMM_WORLD, &requests[i]);
		MPI_Cancel(&requests[0]);
		MPI_Wait(&requests[0], &status);
		MPI_Test_cancelled(&status, &cancelled);
		CU_ASSERT_TRUE(cancelled);
		MPI_Barrier(MPI_COMM_WORLD);
		MPI_Send(&out, 1, MPI_INT, next(), 13, MPI_COMM_WORLD);
		MPI_Wait(&requests[1], &status);
		status_is(&status, before(), 13, 1, MPI_INT);
		MPI_Barrier(MPI_COMM_WORLD);
		MPI_Cancel(&requests[2]);
		MPI_Wait(&requests[2], &status);
		MPI_Test_cancelled(&status, &cancelled);
		CU_ASSERT_TRUE(cancelled);
		CU_ASSERT(in[1] == before() && in[0] == -1 && in[2] == -1);
		in[1] = -1;
		MPI_Barrier(MPI_COMM_WORLD);
	}
}

static void test_a_cancel_that_comes_too_late_changes_nothing(void)
{
	int in = -1, out = rank, cancelled, flag = 0;
	MPI_Request request;
	MPI_Status status;
	MPI_Irecv(&in, 1, MPI_INT, before(), 14, MPI_COMM_WORLD, &request);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Send(&out, 1, MPI_INT, next(), 14, MPI_COMM_WORLD);
	MPI_Barrier(MPI_COMM_WORLD);
	while (!flag)
		PMPI_Request_get_status(request, &flag, MPI_STATUS_IGNORE);
	MPI_Cancel(&request);
	MPI_Wait(&request, &status);
	MPI_Test_cancelled(&status, &cancelled);
	CU_ASSERT_FALSE(cancelled);
	status_is(&status, before(), 14, 1, MPI_INT);
	CU_ASSERT_EQUAL(in, before());
	/* A send is not cancelled: it arrives. */
	MPI_Isend(&out, 1, MPI_INT, next(), 15, MPI_COMM_WORLD, &request);
	MPI_Cancel(&request);
	MPI_Recv(&in, 1, MPI_INT, before(), 15, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Wait(&request, &status);
	MPI_Test_cancelled(&status, &cancelled);
	CU_ASSERT_FALSE(cancelled);
}

static void test_types_freed_while_receives_use_them(void)
{
	MPI_Datatype type;
	int in[4] = {-1, -1, -1, -1}, out[2] = {rank, rank + 50};
	MPI_Request request;
	MPI_Status status;
	MPI_Type_vector(2, 1, 2, MPI_INT, &type);
	MPI_Type_commit(&type);
	MPI_Irecv(in, 1, type, before(), 16, MPI_COMM_WORLD, &request);
	MPI_Type_free(&type);
	CU_ASSERT_EQUAL(type, MPI_DATATYPE_NULL);
	MPI_Send(out, 2, MPI_INT, next(), 16, MPI_COMM_WORLD);
	MPI_Wait(&request, &status);
	status_is(&status, before(), 16, 2, MPI_INT);
	CU_ASSERT(in[0] == before() && in[2] == before() + 50 && in[1] == -1 && in[3] == -1);
}

/* --- errors --------------------------------------------------------------------------------------------------------------------------- */

static int class_of(int error)
{
	int class = error;
	MPI_Error_class(error, &class);
	return class;
}

static int handled, handled_in_world;

static void handler(MPI_Comm *comm, int *error, ...)
{
	(void)comm, (void)error;
	handled++;
}

static void world_handler(MPI_Comm *comm, int *error, ...)
{
	(void)comm, (void)error;
	handled_in_world++;
}

static void test_wrong_arguments_are_errors_and_do_not_count(void)
{
	int value = 0, flag;
	MPI_Request request;
	MPI_Comm comm;
	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
	CU_ASSERT_EQUAL(class_of(MPI_Send(&value, 1, MPI_INT, size, 0, comm)), MPI_ERR_RANK);
	CU_ASSERT_EQUAL(class_of(MPI_Send(&value, -1, MPI_INT, rank, 0, comm)), MPI_ERR_COUNT);
	CU_ASSERT_EQUAL(class_of(MPI_Issend(&value, 1, MPI_INT, rank, -7, comm, &request)), MPI_ERR_TAG);
	CU_ASSERT_EQUAL(class_of(MPI_Ssend(&value, 1, MPI_INT, size + 3, 0, comm)), MPI_ERR_RANK);
	CU_ASSERT_EQUAL(class_of(MPI_Irecv(&value, 1, MPI_DATATYPE_NULL, rank, 0, comm, &request)), MPI_ERR_TYPE);
	CU_ASSERT_EQUAL(class_of(MPI_Recv(&value, 1, MPI_INT, size, 0, comm, MPI_STATUS_IGNORE)), MPI_ERR_RANK);
	CU_ASSERT_EQUAL(class_of(MPI_Iprobe(size, 0, comm, &flag, MPI_STATUS_IGNORE)), MPI_ERR_RANK);
	CU_ASSERT_EQUAL(class_of(MPI_Sendrecv(&value, 1, MPI_INT, size, 0, &value, 1, MPI_INT, rank, 0, comm, MPI_STATUS_IGNORE)),
			MPI_ERR_RANK);
	MPI_Comm_free(&comm);
}

static void test_truncation_is_an_error_and_the_message_is_seen(void)
{
	int out[4] = {1, 2, 3, 4}, in[4] = {0};
	MPI_Comm comm;
	MPI_Errhandler errors;
	MPI_Status status, statuses[2];
	MPI_Request requests[2];
	if (size == 1)
		return; /* Open MPI does not call it truncated, from oneself */
	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	MPI_Comm_create_errhandler(handler, &errors);
	MPI_Comm_set_errhandler(comm, errors);
	MPI_Errhandler world_errors;
	MPI_Comm_create_errhandler(world_handler, &world_errors);
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, world_errors);
	for (int way = 0; way < 7; way++) {
		int error = MPI_SUCCESS, count = 0, index;
		handled = handled_in_world = 0;
		MPI_Request send;
		if (way == 1 || way == 4) {
			MPI_Irecv(in, 2, MPI_INT, way == 4 ? MPI_ANY_SOURCE : before(), 1, comm, &requests[0]);
			MPI_Irecv(in + 2, 1, MPI_INT, before(), 2, comm, &requests[1]);
		}
		MPI_Isend(out, 4, MPI_INT, next(), 1, comm, &send);
		if (way == 0) {
			error = MPI_Recv(in, 2, MPI_INT, MPI_ANY_SOURCE, 1, comm, &status);
		} else if (way == 6) {
			error = MPI_Sendrecv(out, 0, MPI_INT, MPI_PROC_NULL, 1, in, 2, MPI_INT, before(), 1, comm, &status);
		} else if (way == 1 || way == 4) {
			MPI_Request other;
			MPI_Isend(out, 1, MPI_INT, next(), 2, comm, &other);
			CU_ASSERT_EQUAL(MPI_Waitall(2, requests, statuses), MPI_ERR_IN_STATUS);
			error = statuses[0].MPI_ERROR;
			if (class_of(statuses[1].MPI_ERROR) == MPI_ERR_PENDING) /* an error may end the call before all are complete */
				MPI_Wait(&requests[1], &statuses[1]);
			else
				CU_ASSERT_EQUAL(statuses[1].MPI_ERROR, MPI_SUCCESS);
			CU_ASSERT_EQUAL(requests[1], MPI_REQUEST_NULL);
			CU_ASSERT_EQUAL(requests[0], MPI_REQUEST_NULL);
			MPI_Wait(&other, MPI_STATUS_IGNORE);
		} else if (way == 2) {
			MPI_Irecv(in, 2, MPI_INT, before(), 1, comm, &requests[0]);
			error = MPI_Wait(&requests[0], &status);
			CU_ASSERT_EQUAL(requests[0], MPI_REQUEST_NULL);
		} else if (way == 3) {
			MPI_Irecv(in, 2, MPI_INT, before(), 1, comm, &requests[0]);
			error = MPI_Waitany(1, requests, &index, &status);
			CU_ASSERT_EQUAL(index, 0);
		} else {
			MPI_Irecv(in, 2, MPI_INT, before(), 1, comm, &requests[0]);
			CU_ASSERT_EQUAL(MPI_Waitsome(1, requests, &count, &index, statuses), MPI_ERR_IN_STATUS);
			error = count == 1 ? statuses[0].MPI_ERROR : MPI_SUCCESS;
		}
		CU_ASSERT_EQUAL(class_of(error), MPI_ERR_TRUNCATE);
		/* A blocking receive's error belongs to its communicator; others come out in MPI_COMM_WORLD with MPICH. */
		CU_ASSERT_EQUAL(handled + (way == 0 || way == 6 ? 0 : handled_in_world), 1);
		MPI_Wait(&send, MPI_STATUS_IGNORE);
		MPI_Barrier(comm);
	}
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
	MPI_Errhandler_free(&errors);
	MPI_Errhandler_free(&world_errors);
	MPI_Comm_free(&comm);
}

/* --- collectives ------------------------------------------------------------------------------------------------------------------------ */

static void test_collectives_give_their_results(void)
{
	int own = rank + 1, sum = 0, *all = malloc((size_t)size * sizeof *all), scan = 0, root = rank == 0 ? 99 : 0;
	MPI_Allreduce(&own, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	CU_ASSERT_EQUAL(sum, size * (size + 1) / 2);
	MPI_Allgather(&own, 1, MPI_INT, all, 1, MPI_INT, MPI_COMM_WORLD);
	for (int i = 0; i < size; i++)
		CU_ASSERT_EQUAL(all[i], i + 1);
	MPI_Bcast(&root, 1, MPI_INT, 0, MPI_COMM_WORLD);
	CU_ASSERT_EQUAL(root, 99);
	MPI_Scan(&own, &scan, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	CU_ASSERT_EQUAL(scan, (rank + 1) * (rank + 2) / 2);
	MPI_Alltoall(MPI_IN_PLACE, 1, MPI_INT, all, 1, MPI_INT, MPI_COMM_WORLD);
	for (int i = 0; i < size; i++)
		CU_ASSERT_EQUAL(all[i], rank + 1);
	free(all);
}

static void test_nonblocking_collectives_complete_in_every_way(void)
{
	for (int way = 0; way < 6; way++) {
		int own = rank, sums[3] = {0}, flag = 0, index;
		MPI_Request requests[4];
		MPI_Iallreduce(&own, &sums[0], 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &requests[0]);
		MPI_Ibarrier(MPI_COMM_WORLD, &requests[1]);
		MPI_Iallreduce(&own, &sums[1], 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &requests[2]);
		MPI_Ibarrier(MPI_COMM_SELF, &requests[3]);
		if (way == 0)
			MPI_Waitall(4, requests, MPI_STATUSES_IGNORE);
		for (int i = 0; way == 1 && i < 4; i++)
			MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
		while (way == 2 && !flag)
			MPI_Testall(4, requests, &flag, MPI_STATUSES_IGNORE);
		for (int i = 0; way == 3 && i < 4; i++)
			MPI_Waitany(4, requests, &index, MPI_STATUS_IGNORE);
		for (int i = 0; way == 4 && i < 4; i++)
			for (flag = 0; !flag;)
				MPI_Test(&requests[i], &flag, MPI_STATUS_IGNORE);
		for (int i = 0; way == 5 && i < 4; i++) {
			for (flag = 0; !flag;)
				MPI_Request_get_status(requests[i], &flag, MPI_STATUS_IGNORE);
			MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
		}
		CU_ASSERT(sums[0] == size * (size - 1) / 2 && sums[1] == size - 1);
	}
}

/* --- communicators ------------------------------------------------------------------------------------------------------------------------ */

/* A ring of messages and a collective on it, then it is freed. */
static void use_and_free(MPI_Comm *comm)
{
	int mine, many, sum = 0, in = -1;
	if (*comm == MPI_COMM_NULL)
		return;
	MPI_Comm_rank(*comm, &mine);
	MPI_Comm_size(*comm, &many);
	MPI_Status status;
	MPI_Sendrecv(&mine, 1, MPI_INT, (mine + 1) % many, 2, &in, 1, MPI_INT, MPI_ANY_SOURCE, 2, *comm, &status);
	CU_ASSERT_EQUAL(in, (mine + many - 1) % many);
	CU_ASSERT_EQUAL(status.MPI_SOURCE, in);
	MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, *comm);
	CU_ASSERT_EQUAL(sum, many * (many - 1) / 2);
	MPI_Comm_free(comm);
	CU_ASSERT_EQUAL(*comm, MPI_COMM_NULL);
}

static void test_every_constructor(void)
{
	MPI_Comm comm, parent;
	MPI_Group group, part;
	int dims[2] = {0, 0}, periods[2] = {1, 1}, keep[2] = {1, 0}, range[1][3] = {{0, size - 1, 2}};
	MPI_Comm_dup(MPI_COMM_WORLD, &parent);
	MPI_Comm_dup_with_info(parent, MPI_INFO_NULL, &comm);
	use_and_free(&comm);
	MPI_Comm_split(parent, rank % 2, -rank, &comm);
	use_and_free(&comm);
	MPI_Comm_split(parent, rank ? 1 : MPI_UNDEFINED, rank, &comm);
	use_and_free(&comm);
	MPI_Comm_split_type(parent, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &comm);
	use_and_free(&comm);
	MPI_Comm_group(parent, &group);
	MPI_Group_range_incl(group, 1, range, &part);
	MPI_Comm_create(parent, part, &comm);
	use_and_free(&comm);
	for (int i = 0; rank % 2 == 0 && i < 2; i++) {
		MPI_Comm_create_group(parent, part, 4, &comm);
		MPI_Comm_set_name(comm, i ? "evens" : "even");
		use_and_free(&comm);
	}
	MPI_Group_free(&group);
	MPI_Group_free(&part);
	MPI_Dims_create(size, 2, dims);
	MPI_Cart_create(parent, 2, dims, periods, 1, &comm);
	MPI_Comm row;
	MPI_Cart_sub(comm, keep, &row);
	use_and_free(&row);
	int grid_rank, around[4], from[4];
	MPI_Comm_rank(comm, &grid_rank);
	MPI_Neighbor_allgather(&grid_rank, 1, MPI_INT, around, 1, MPI_INT, comm);
	MPI_Cart_shift(comm, 0, 1, &from[0], &from[1]);
	MPI_Cart_shift(comm, 1, 1, &from[2], &from[3]);
	CU_ASSERT_EQUAL(memcmp(around, from, sizeof from), 0);
	use_and_free(&comm);
	int one = 1, to = next(), me = rank, got = -1;
	MPI_Dist_graph_create(parent, 1, &me, &one, &to, &one, MPI_INFO_NULL, 0, &comm);
	MPI_Neighbor_alltoall(&me, 1, MPI_INT, &got, 1, MPI_INT, comm);
	CU_ASSERT_EQUAL(got, before());
	use_and_free(&comm);
	int source = before();
	MPI_Dist_graph_create_adjacent(parent, 1, &source, &one, 1, &to, &one, MPI_INFO_NULL, 0, &comm);
	use_and_free(&comm);
	int *index = malloc(2 * (size_t)size * sizeof *index);
	for (int i = 0; i < size; i++) {
		index[i] = i + 1;
		index[size + i] = (i + 1) % size;
	}
	MPI_Graph_create(parent, size, index, index + size, 0, &comm);
	use_and_free(&comm);
	free(index);
	MPI_Comm_disconnect(&parent);
}

enum { DUPS = 2 }; /* three at a time hang in Open MPI 4.1 if it makes progress between them */

static void test_nonblocking_dup_in_every_way(void)
{
	for (int way = 0; way < 4; way++) {
		MPI_Comm comms[DUPS];
		MPI_Request requests[DUPS];
		int flag = 0;
		for (int i = 0; i < DUPS; i++)
			MPI_Comm_idup(MPI_COMM_WORLD, &comms[i], &requests[i]);
		if (way == 0)
			MPI_Waitall(DUPS, requests, MPI_STATUSES_IGNORE);
		for (int i = 0; way == 1 && i < DUPS; i++)
			MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
		while (way == 2 && !flag)
			MPI_Testall(DUPS, requests, &flag, MPI_STATUSES_IGNORE);
		for (int i = 0; way == 3 && i < DUPS; i++) {
			for (flag = 0; !flag;)
				MPI_Request_get_status(requests[i], &flag, MPI_STATUS_IGNORE);
			MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
		}
		for (int i = 0; i < DUPS; i++)
			use_and_free(&comms[i]);
	}
}

static void test_intercommunicators(void)
{
	if (size < 2)
		return;
	MPI_Comm half, inter, merged, again;
	int side = rank % 2, value = rank, got = -1, local, remote;
	MPI_Comm_split(MPI_COMM_WORLD, side, rank, &half);
	MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 1 - side, 5, &inter);
	MPI_Comm_rank(inter, &local);
	MPI_Comm_remote_size(inter, &remote);
	MPI_Request request;
	MPI_Status status;
	/* Each sends to its counterpart, as far as there is one. */
	if (local < remote)
		MPI_Isend(&value, 1, MPI_INT, local, 1, inter, &request);
	if (local < remote) {
		MPI_Recv(&got, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, inter, &status);
		status_is(&status, local, 1, 1, MPI_INT);
		CU_ASSERT_EQUAL(got, side ? rank - 1 : rank + 1);
		MPI_Wait(&request, MPI_STATUS_IGNORE);
	}
	int sum = 0, others = 0;
	MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, inter);
	for (int i = 1 - side; i < size; i += 2)
		others += i;
	CU_ASSERT_EQUAL(sum, others);
	MPI_Comm_dup(inter, &again);
	MPI_Barrier(again);
	MPI_Intercomm_merge(again, side, &merged);
	use_and_free(&merged);
	MPI_Comm_free(&again);
	MPI_Comm_free(&inter);
	MPI_Comm_free(&half);
}

/* --- others ------------------------------------------------------------------------------------------------------------------------------ */

static int cancels, frees;

static int query(void *state, MPI_Status *status)
{
	(void)state;
	MPI_Status_set_elements(status, MPI_INT, 3);
	MPI_Status_set_cancelled(status, 0);
	status->MPI_SOURCE = status->MPI_TAG = MPI_UNDEFINED;
	return MPI_SUCCESS;
}

static int free_it(void *state)
{
	(void)state;
	frees++;
	return MPI_SUCCESS;
}

static int cancel_it(void *state, int complete)
{
	(void)state, (void)complete;
	cancels++;
	return MPI_SUCCESS;
}

static void test_generalized_requests(void)
{
	MPI_Request request;
	MPI_Status status;
	int count = 0;
	MPI_Grequest_start(query, free_it, cancel_it, NULL, &request);
	MPI_Cancel(&request);
	CU_ASSERT_EQUAL(cancels, 1);
	MPI_Grequest_complete(request);
	MPI_Wait(&request, &status);
	MPI_Get_count(&status, MPI_INT, &count);
	CU_ASSERT_EQUAL(count, 3);
	CU_ASSERT_EQUAL(frees, 1);
}

/* Everybody sends to everybody, with random tags, sizes and ways to receive. */
static void test_random_traffic(void)
{
	enum { MESSAGES = 60, LONGEST = 3000 };
	unsigned seed = 12345 + (unsigned)rank;
	for (int round = 0; round < 6; round++) {
		int total = MESSAGES * size;
		MPI_Request *requests = malloc((size_t)total * sizeof *requests);
		int (*out)[3] = calloc((size_t)total, sizeof *out), received = 0;
		int *last = malloc(4 * (size_t)size * sizeof *last);
		memset(last, -1, 4 * (size_t)size * sizeof *last);
		for (int i = 0; i < total; i++) {
			oracle_point();
			seed = seed * 1103515245 + 12345;
			int to = i % size, tag = (int)(seed >> 16) % 4;
			out[i][0] = rank;
			out[i][1] = i;
			out[i][2] = tag;
			if (i % 7 == 0)
				MPI_Issend(out[i], 3, MPI_INT, to, tag, MPI_COMM_WORLD, &requests[i]);
			else
				MPI_Isend(out[i], 3, MPI_INT, to, tag, MPI_COMM_WORLD, &requests[i]);
		}
		while (received < total) {
			int in[3], flag = 0;
			MPI_Status status;
			MPI_Request request;
			oracle_point();
			seed = seed * 1103515245 + 12345;
			switch ((seed >> 16) % 4) {
			case 0:
				MPI_Recv(in, 3, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
				break;
			case 1:
				MPI_Irecv(in, 3, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &request);
				while (!flag)
					MPI_Test(&request, &flag, &status);
				break;
			case 2:
				MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
				MPI_Recv(in, 3, MPI_INT, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD, &status);
				break;
			default:
				MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &status);
				if (!flag)
					continue;
				MPI_Irecv(in, 3, MPI_INT, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD, &request);
				MPI_Waitall(1, &request, MPI_STATUSES_IGNORE);
			}
			received++;
			CU_ASSERT(in[0] == status.MPI_SOURCE && in[2] == status.MPI_TAG);
			CU_ASSERT(in[1] > last[in[0] * 4 + in[2]]);
			last[in[0] * 4 + in[2]] = in[1];
		}
		MPI_Waitall(total, requests, MPI_STATUSES_IGNORE);
		MPI_Barrier(MPI_COMM_WORLD);
		free(last);
		free(out);
		free(requests);
	}
}

static void add(CU_pSuite suite)
{
	ORACLE_ADD(suite, test_a_ring_of_sendrecv);
	ORACLE_ADD(suite, test_sendrecv_replace_of_gapped_types);
	ORACLE_ADD(suite, test_every_mode_and_size_arrives);
	ORACLE_ADD(suite, test_messages_to_nobody);
	ORACLE_ADD(suite, test_messages_to_oneself);
	ORACLE_ADD(suite, test_probes_find_what_is_received);
	ORACLE_ADD(suite, test_waitall_of_few_and_of_many);
	ORACLE_ADD(suite, test_testall_completes_all_or_none);
	ORACLE_ADD(suite, test_any_and_some_give_each_request_once);
	ORACLE_ADD(suite, test_null_requests);
	ORACLE_ADD(suite, test_asking_tells_and_leaves_the_request);
	ORACLE_ADD(suite, test_persistent_requests_start_again_and_again);
	ORACLE_ADD(suite, test_persistent_requests_to_nobody_and_of_no_communicator);
	ORACLE_ADD(suite, test_matched_messages_are_received_in_any_order);
	ORACLE_ADD(suite, test_wildcards_between_exact_receives);
	ORACLE_ADD(suite, test_freed_receives_are_still_filled);
	ORACLE_ADD(suite, test_cancelled_receives_take_nothing);
	ORACLE_ADD(suite, test_a_cancel_that_comes_too_late_changes_nothing);
	ORACLE_ADD(suite, test_types_freed_while_receives_use_them);
	ORACLE_ADD(suite, test_wrong_arguments_are_errors_and_do_not_count);
	ORACLE_ADD(suite, test_truncation_is_an_error_and_the_message_is_seen);
	ORACLE_ADD(suite, test_collectives_give_their_results);
	ORACLE_ADD(suite, test_nonblocking_collectives_complete_in_every_way);
	ORACLE_ADD(suite, test_every_constructor);
	ORACLE_ADD(suite, test_nonblocking_dup_in_every_way);
	ORACLE_ADD(suite, test_intercommunicators);
	ORACLE_ADD(suite, test_generalized_requests);
	ORACLE_ADD(suite, test_random_traffic);
}

int main(int argc, char **argv)
{
	return oracle_main(argc, argv, add);
}
