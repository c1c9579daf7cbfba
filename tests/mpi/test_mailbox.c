/* SPDX-License-Identifier: BSD-3-Clause */
/* What was drained into the mailbox is received by every call as if it had come from the MPI library, in order and before what is still there. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "channel/comms.h"
#include "channel/recorder.h"
#include "oracle.h"
#include "session/session.h"

#define rank oracle_rank
#define size oracle_size
enum { TAG = 40, ITEMS = 6 };

static int next(void)
{
	return (rank + 1) % size;
}

static int before(void)
{
	return (rank + size - 1) % size;
}

static bool any(void *context, int tag)
{
	(void)context, (void)tag;
	return true;
}

/* Takes what the rank before has sent, in order, as a window does. */
static void drain(int count)
{
	int index = comms_index(MPI_COMM_WORLD);
	while (count > 0) {
		struct mail *mail;
		struct taking taking;
		if (recorder_drain(MPI_COMM_WORLD, before(), any, NULL, &mail, NULL) != 1)
			continue;
		mail->key = ledger_key((unsigned)index, mail->source, mail->tag);
		position_drain(&session.sequence, &session.ledger, mail->key, 0, &taking);
		mail->turn = taking.turn;
		mail->position = taking.position;
		mailbox_put(&session.mailbox, mail);
		count--;
	}
}

static int sent[ITEMS][3];
static void receive(int way, int i);

/* Each rank sends ITEMS messages to the next; the first `drained` are taken into the mailbox. */
static void prepare(MPI_Request *sends, int drained)
{
	for (int i = 0; i < ITEMS; i++) {
		memcpy(sent[i], (int[3]){rank, i, 1000 + i}, sizeof sent[i]);
		MPI_Isend(sent[i], 3, MPI_INT, next(), TAG, MPI_COMM_WORLD, &sends[i]);
	}
	drain(drained);
	CU_ASSERT_EQUAL(session.mailbox.count, drained);
}

static void check(const int *in, const MPI_Status *status, int i)
{
	int count, cancelled;
	MPI_Count elements;
	CU_ASSERT(in[0] == before() && in[1] == i && in[2] == 1000 + i);
	CU_ASSERT_EQUAL(status->MPI_SOURCE, before());
	CU_ASSERT_EQUAL(status->MPI_TAG, TAG);
	MPI_Get_count(status, MPI_INT, &count);
	MPI_Get_elements_x(status, MPI_INT, &elements);
	MPI_Test_cancelled(status, &cancelled);
	CU_ASSERT(count == 3 && elements == 3 && !cancelled);
}

static void receive_matched(bool blocking, int source, int tag, int *in, int i)
{
	int flag = 0;
	MPI_Message message;
	MPI_Request request;
	MPI_Status status = {0}; /* MPICH's probes leave in it whether something was cancelled as it was */
	if (blocking)
		MPI_Mprobe(source, tag, MPI_COMM_WORLD, &message, &status);
	while (!blocking && !flag)
		MPI_Improbe(source, tag, MPI_COMM_WORLD, &flag, &message, &status);
	check((int[]){before(), i, 1000 + i}, &status, i);
	if (blocking) {
		MPI_Mrecv(in, 4, MPI_INT, &message, &status);
	} else {
		MPI_Imrecv(in, 4, MPI_INT, &message, &request);
		MPI_Wait(&request, &status);
		CU_ASSERT_EQUAL(request, MPI_REQUEST_NULL);
	}
	CU_ASSERT_EQUAL(message, MPI_MESSAGE_NULL);
	check(in, &status, i);
}

enum { PERSISTENT_WAYS = 8 };

/* Each message by another way, and the request is there for the next. */
static void wait_for_persistent(int way, MPI_Request *request, const int *in, MPI_Status *status, int i)
{
	MPI_Request both[] = {MPI_REQUEST_NULL, *request};
	MPI_Status statuses[2];
	int flag = 0, index = -1, count;
	if (way == 0)
		MPI_Wait(request, status);
	while (way == 1 && !flag)
		MPI_Test(request, &flag, status);
	if (way == 2)
		MPI_Waitall(2, both, statuses);
	while (way == 3 && !flag)
		MPI_Testall(2, both, &flag, statuses);
	if (way == 2 || way == 3)
		*status = statuses[1];
	if (way == 4)
		MPI_Waitany(2, both, &index, status);
	while (way == 5 && !flag)
		MPI_Testany(2, both, &index, &flag, status);
	if (way == 4 || way == 5)
		CU_ASSERT_EQUAL(index, 1);
	if (way == 6) {
		MPI_Waitsome(2, both, &count, &index, status);
		CU_ASSERT(count == 1 && index == 1);
	}
	if (way == 7) {
		while (!flag)
			MPI_Request_get_status(*request, &flag, status);
		check(in, status, i);
		MPI_Request_get_status(*request, &flag, status);
		CU_ASSERT(flag);
		MPI_Wait(request, status);
	}
	CU_ASSERT(both[0] == MPI_REQUEST_NULL && both[1] == *request);
}

static void test_persistent_receives(void)
{
	for (int way = 0; way < PERSISTENT_WAYS; way++)
		for (int drained = 0; drained <= ITEMS; drained += 3) {
			MPI_Request sends[ITEMS], receive;
			MPI_Status status;
			int in[4], flag;
			MPI_Recv_init(in, 4, MPI_INT, way % 2 ? MPI_ANY_SOURCE : before(), way % 3 ? TAG : MPI_ANY_TAG, MPI_COMM_WORLD,
				      &receive);
			MPI_Request was = receive;
			prepare(sends, drained);
			for (int i = 0; i < ITEMS; i++) {
				MPI_Start(&receive);
				wait_for_persistent(way, &receive, in, &status, i);
				check(in, &status, i);
				CU_ASSERT_EQUAL(receive, was);
				/* Inactive: complete at once, and empty. */
				MPI_Test(&receive, &flag, &status);
				CU_ASSERT(flag && status.MPI_SOURCE == MPI_ANY_SOURCE && status.MPI_TAG == MPI_ANY_TAG);
			}
			CU_ASSERT_EQUAL(session.mailbox.count, 0);
			CU_ASSERT_EQUAL(session.stand_ins, 0);
			MPI_Waitall(ITEMS, sends, MPI_STATUSES_IGNORE);
			MPI_Request_free(&receive);
			CU_ASSERT_EQUAL(session.persistents, 0);
			MPI_Barrier(MPI_COMM_WORLD);
		}
}

/* Some from the mailbox, some from the MPI library, in arrays of which MPI sees stand-ins. */
static void test_many_persistent_receives_at_once(void)
{
	MPI_Request requests[2 * ITEMS], were[ITEMS];
	MPI_Status statuses[2 * ITEMS];
	int in[ITEMS][3], done, indices[2 * ITEMS];
	for (int i = 0; i < ITEMS; i++) {
		MPI_Recv_init(in[i], 3, MPI_INT, i % 2 ? before() : MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &requests[i]);
		were[i] = requests[i];
	}
	for (int round = 0; round < 4; round++) {
		prepare(requests + ITEMS, 4);
		MPI_Startall(ITEMS, requests);
		if (round % 2) {
			MPI_Waitall(2 * ITEMS, requests, statuses);
		} else {
			MPI_Status some[2 * ITEMS];
			for (int told = 0; told < 2 * ITEMS; told += done) {
				MPI_Waitsome(2 * ITEMS, requests, &done, indices, some);
				for (int i = 0; i < done; i++)
					statuses[indices[i]] = some[i];
			}
		}
		for (int i = 0; i < ITEMS; i++)
			check(in[i], &statuses[i], i);
		for (int i = 0; i < ITEMS; i++)
			CU_ASSERT(requests[i] == were[i] && requests[ITEMS + i] == MPI_REQUEST_NULL);
		MPI_Barrier(MPI_COMM_WORLD);
	}
	for (int i = 0; i < ITEMS; i++)
		MPI_Request_free(&requests[i]);
}

static void test_messages_held_while_others_are_received(void)
{
	MPI_Request sends[ITEMS], request;
	MPI_Message held[3];
	MPI_Status status;
	int in[3];
	prepare(sends, 4);
	for (int i = 0; i < 3; i++)
		MPI_Mprobe(before(), TAG, MPI_COMM_WORLD, &held[i], &status);
	for (int i = 3; i < ITEMS; i++)
		receive(i, i);
	MPI_Mrecv(in, 3, MPI_INT, &held[2], &status);
	check(in, &status, 2);
	MPI_Imrecv(in, 3, MPI_INT, &held[0], &request);
	MPI_Wait(&request, &status);
	check(in, &status, 0);
	MPI_Mrecv(in, 3, MPI_INT, &held[1], &status);
	check(in, &status, 1);
	MPI_Waitall(ITEMS, sends, MPI_STATUSES_IGNORE);
}

static void receive(int way, int i)
{
	int in[4] = {-1, -1, -1, -1}, flag = 0, index, count;
	MPI_Status status = {.MPI_SOURCE = -5};
	MPI_Request request;
	int source = way % 2 ? MPI_ANY_SOURCE : before(), tag = way % 3 ? TAG : MPI_ANY_TAG;
	if (way == 0) {
		MPI_Recv(in, 4, MPI_INT, source, tag, MPI_COMM_WORLD, &status);
	} else if (way == 1) {
		MPI_Probe(source, tag, MPI_COMM_WORLD, &status);
		MPI_Get_count(&status, MPI_INT, &count);
		CU_ASSERT_EQUAL(count, 3);
		MPI_Recv(in, count, MPI_INT, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD, &status);
	} else if (way == 2) {
		while (!flag)
			MPI_Iprobe(source, tag, MPI_COMM_WORLD, &flag, &status);
		check((int[]){before(), i, 1000 + i}, &status, i);
		MPI_Recv(in, 4, MPI_INT, source, tag, MPI_COMM_WORLD, &status);
	} else if (way == 11 || way == 12) {
		receive_matched(way == 11, source, tag, in, i);
		return;
	} else if (way == 3) {
		int nothing = 0;
		MPI_Sendrecv(&nothing, 0, MPI_INT, MPI_PROC_NULL, 0, in, 4, MPI_INT, source, tag, MPI_COMM_WORLD, &status);
	} else {
		MPI_Irecv(in, 4, MPI_INT, source, tag, MPI_COMM_WORLD, &request);
		if (way == 4)
			MPI_Wait(&request, &status);
		while (way == 5 && !flag)
			MPI_Test(&request, &flag, &status);
		if (way == 6)
			MPI_Waitall(1, &request, &status);
		if (way == 7)
			MPI_Waitany(1, &request, &index, &status);
		if (way == 8)
			MPI_Waitsome(1, &request, &count, &index, &status);
		if (way == 9) {
			while (!flag)
				MPI_Request_get_status(request, &flag, &status);
			check(in, &status, i);
			MPI_Request_get_status(request, &flag, &status);
			check(in, &status, i);
			MPI_Wait(&request, &status);
		}
		if (way == 10) { /* in the middle of many that are from the MPI library or none */
			MPI_Request many[70];
			MPI_Status statuses[70];
			for (int j = 0; j < 70; j++)
				many[j] = MPI_REQUEST_NULL;
			many[33] = request;
			MPI_Waitall(70, many, statuses);
			status = statuses[33];
			request = many[33];
		}
		CU_ASSERT_EQUAL(request, MPI_REQUEST_NULL);
	}
	check(in, &status, i);
}

enum { WAYS = 13 };

static void test_every_way_to_receive(void)
{
	for (int way = 0; way < WAYS; way++)
		for (int drained = 0; drained <= ITEMS; drained += 3) {
			MPI_Request sends[ITEMS];
			prepare(sends, drained);
			for (int i = 0; i < ITEMS; i++)
				receive(way, i);
			CU_ASSERT_EQUAL(session.mailbox.count, 0);
			MPI_Waitall(ITEMS, sends, MPI_STATUSES_IGNORE);
			MPI_Barrier(MPI_COMM_WORLD);
		}
}

static void test_many_receives_at_once_keep_the_order(void)
{
	MPI_Request requests[2 * ITEMS];
	MPI_Status statuses[2 * ITEMS];
	int in[ITEMS][3];
	prepare(requests + ITEMS, 4);
	for (int i = 0; i < ITEMS; i++)
		MPI_Irecv(in[i], 3, MPI_INT, i % 2 ? before() : MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &requests[i]);
	MPI_Waitall(2 * ITEMS, requests, statuses);
	for (int i = 0; i < ITEMS; i++)
		check(in[i], &statuses[i], i);
}

static void test_other_patterns_do_not_get_it(void)
{
	MPI_Request sends[ITEMS], request;
	int in[3], flag = 1;
	prepare(sends, ITEMS);
	MPI_Iprobe(before(), TAG + 1, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
	CU_ASSERT_FALSE(flag);
	MPI_Recv(in, 3, MPI_INT, MPI_PROC_NULL, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Irecv(in, 3, MPI_INT, 0, TAG, MPI_COMM_SELF, &request);
	CU_ASSERT_EQUAL(session.mailbox.count, ITEMS);
	MPI_Cancel(&request);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	for (int i = 0; i < ITEMS; i++)
		receive(0, i);
	MPI_Waitall(ITEMS, sends, MPI_STATUSES_IGNORE);
}

static int handled;

static void handler(MPI_Comm *comm, int *error, ...)
{
	(void)comm, (void)error;
	handled++;
}

static void test_truncation(void)
{
	MPI_Errhandler errors;
	MPI_Comm_create_errhandler(handler, &errors);
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, errors);
	MPI_Request sends[ITEMS], requests[2];
	MPI_Status statuses[2];
	int in[2] = {0}, other[3], class, index, found;
	prepare(sends, ITEMS);
	handled = 0;
	MPI_Error_class(MPI_Recv(in, 2, MPI_INT, before(), TAG, MPI_COMM_WORLD, &statuses[0]), &class);
	CU_ASSERT_EQUAL(class, MPI_ERR_TRUNCATE);
	CU_ASSERT_EQUAL(handled, 1);
	MPI_Irecv(in, 2, MPI_INT, before(), TAG, MPI_COMM_WORLD, &requests[0]);
	MPI_Error_class(MPI_Wait(&requests[0], &statuses[0]), &class);
	CU_ASSERT_EQUAL(class, MPI_ERR_TRUNCATE);
	CU_ASSERT_EQUAL(handled, 2);
	MPI_Irecv(in, 2, MPI_INT, before(), TAG, MPI_COMM_WORLD, &requests[0]);
	MPI_Irecv(other, 3, MPI_INT, before(), TAG, MPI_COMM_WORLD, &requests[1]);
	CU_ASSERT_EQUAL(MPI_Waitall(2, requests, statuses), MPI_ERR_IN_STATUS);
	MPI_Error_class(statuses[0].MPI_ERROR, &class);
	CU_ASSERT_EQUAL(class, MPI_ERR_TRUNCATE);
	CU_ASSERT_EQUAL(statuses[1].MPI_ERROR, MPI_SUCCESS);
	CU_ASSERT_EQUAL(handled, 3);
	check(other, &statuses[1], 3);
	MPI_Irecv(in, 2, MPI_INT, before(), TAG, MPI_COMM_WORLD, &requests[0]);
	MPI_Error_class(MPI_Waitany(1, requests, &index, &statuses[0]), &class);
	CU_ASSERT(class == MPI_ERR_TRUNCATE && index == 0);
	MPI_Irecv(in, 2, MPI_INT, before(), TAG, MPI_COMM_WORLD, &requests[0]);
	CU_ASSERT_EQUAL(MPI_Waitsome(1, requests, &found, &index, statuses), MPI_ERR_IN_STATUS);
	CU_ASSERT_EQUAL(handled, 5);
	MPI_Waitall(ITEMS, sends, MPI_STATUSES_IGNORE);
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
	MPI_Errhandler_free(&errors);
}

/* While another's persistent receive is stood in for. */
static void test_an_error_among_receives_that_nobody_stands_in_for(void)
{
	MPI_Request sends[ITEMS], requests[2], persistent;
	MPI_Status statuses[2];
	int in[2], other[3], last[3], held[3], flag = 0, error = MPI_SUCCESS;
	if (size == 1) /* Open MPI reports no truncation from a rank to itself */
		return;
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	MPI_Recv_init(held, 3, MPI_INT, before(), TAG, MPI_COMM_WORLD, &persistent);
	prepare(sends, 1);
	MPI_Start(&persistent);
	CU_ASSERT_EQUAL(session.stand_ins, 1);
	MPI_Irecv(in, 2, MPI_INT, before(), TAG, MPI_COMM_WORLD, &requests[0]);
	MPI_Irecv(other, 3, MPI_INT, before(), TAG, MPI_COMM_WORLD, &requests[1]);
	while (error == MPI_SUCCESS && !flag)
		error = MPI_Testall(2, requests, &flag, statuses);
	CU_ASSERT_EQUAL(error, MPI_ERR_IN_STATUS);
	MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
	check(other, &statuses[1], 2);
	MPI_Wait(&persistent, statuses);
	check(held, statuses, 0);
	MPI_Recv(last, 3, MPI_INT, before(), TAG, MPI_COMM_WORLD, statuses);
	check(last, statuses, 3);
	for (int i = 4; i < ITEMS; i++)
		MPI_Recv(last, 3, MPI_INT, before(), TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Request_free(&persistent);
	MPI_Waitall(ITEMS, sends, MPI_STATUSES_IGNORE);
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void test_freed_and_cancelled(void)
{
	MPI_Request sends[ITEMS], request;
	MPI_Status status;
	int in[3], cancelled;
	prepare(sends, ITEMS);
	MPI_Irecv(in, 3, MPI_INT, before(), TAG, MPI_COMM_WORLD, &request);
	MPI_Request_free(&request);
	CU_ASSERT_EQUAL(request, MPI_REQUEST_NULL);
	CU_ASSERT_EQUAL(in[1], 0);
	MPI_Irecv(in, 3, MPI_INT, before(), TAG, MPI_COMM_WORLD, &request);
	MPI_Cancel(&request);
	MPI_Wait(&request, &status);
	MPI_Test_cancelled(&status, &cancelled);
	CU_ASSERT_FALSE(cancelled);
	check(in, &status, 1);
	for (int i = 2; i < ITEMS; i++)
		receive(4, i);
	MPI_Waitall(ITEMS, sends, MPI_STATUSES_IGNORE);
	while (session.sequence.shadows.used)
		session_poll();
}

static void test_exchange_in_place(void)
{
	if (size == 1)
		return; /* a second message to oneself, with no receive for it yet, may block */
	MPI_Request send;
	int value[3] = {rank, 0, 1000};
	MPI_Status status;
	MPI_Isend(value, 3, MPI_INT, next(), TAG, MPI_COMM_WORLD, &send);
	drain(1);
	int both[3] = {rank, 1, 1001};
	MPI_Sendrecv_replace(both, 3, MPI_INT, next(), TAG, before(), TAG, MPI_COMM_WORLD, &status);
	check(both, &status, 0);
	MPI_Recv(both, 3, MPI_INT, before(), TAG, MPI_COMM_WORLD, &status);
	check(both, &status, 1);
	MPI_Wait(&send, MPI_STATUS_IGNORE);
}

static void add(CU_pSuite suite)
{
	ORACLE_ADD(suite, test_every_way_to_receive);
	ORACLE_ADD(suite, test_many_receives_at_once_keep_the_order);
	ORACLE_ADD(suite, test_persistent_receives);
	ORACLE_ADD(suite, test_many_persistent_receives_at_once);
	ORACLE_ADD(suite, test_messages_held_while_others_are_received);
	ORACLE_ADD(suite, test_other_patterns_do_not_get_it);
	ORACLE_ADD(suite, test_truncation);
	ORACLE_ADD(suite, test_an_error_among_receives_that_nobody_stands_in_for);
	ORACLE_ADD(suite, test_freed_and_cancelled);
	ORACLE_ADD(suite, test_exchange_in_place);
}

int main(int argc, char **argv)
{
	return oracle_main(argc, argv, add);
}
