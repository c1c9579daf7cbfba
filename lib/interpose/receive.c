/* SPDX-License-Identifier: BSD-3-Clause */
/* Receives. The mailbox is looked into first; then the receive is posted in the MPI library, and joins the sequence. A blocking one is a loop of tests:
 * a rank that waits for a message answers orders, and can make its cut in an open safepoint. */
#include <stdlib.h>

#include "interpose/inside.h"

/* --- from the mailbox --------------------------------------------------------------------------------------------------- */

struct mail *interpose_mail(int index, int source, int tag)
{
	if (index == LEDGER_NO_COMM || (source < 0 && source != MPI_ANY_SOURCE) || (tag < 0 && tag != MPI_ANY_TAG))
		return NULL;
	return mailbox_find(&session.mailbox, (unsigned)index, source == MPI_ANY_SOURCE ? -1 : source, tag == MPI_ANY_TAG ? -1 : tag);
}

/* A blocking receive; false: there is no mail for it. */
static bool receive_mail(void *buffer, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm, MPI_Status *status, int *error)
{
	int index = comms_index(comm);
	if (interpose_mail(index, source, tag) == NULL)
		return false;
	session_before_telling();
	struct mail *mail = interpose_mail(index, source, tag);
	if (mail == NULL)
		return false;
	/* While it is still arriving, other threads do not find it; a cut does. */
	mail->taken = true;
	while (!session_mail_arrived(mail))
		session_spin(LOOK_Recv, SESSION_AWAITS_ARRIVAL, 0, 0);
	session_waited();
	mailbox_remove(&session.mailbox, mail);
	*error = recorder_deliver(mail, buffer, count, type, status);
	if (*error == MPI_SUCCESS || *error == MPI_ERR_TRUNCATE)
		session_told_mail(mail);
	else
		mailbox_put(&session.mailbox, mail);
	session_close_safepoint();
	if (*error != MPI_SUCCESS)
		PMPI_Comm_call_errhandler(comm, *error);
	return true;
}

int interpose_deliver_taken(struct mail *mail, void *buffer, int count, MPI_Datatype type, MPI_Comm comm, MPI_Request *request)
{
	bool truncated;
	int error = recorder_deliver_request(mail, buffer, count, type, request, &truncated);
	if (error != MPI_SUCCESS) {
		mailbox_put(&session.mailbox, mail);
		PMPI_Comm_call_errhandler(comm == MPI_COMM_NULL ? MPI_COMM_WORLD : comm, error);
		return error;
	}
	struct shadow *shadow = interpose_shadow(*request, SHADOW_DELIVERY, mail->key);
	if (shadow == NULL) {
		session_told_mail(mail); /* said to be unable: the status will name this rank itself */
		return error;
	}
	shadow->extra = (uint64_t)(uintptr_t)mail;
	shadow->spare = truncated;
	return error;
}

int interpose_deliver(struct mail *mail, void *buffer, int count, MPI_Datatype type, MPI_Comm comm, MPI_Request *request)
{
	mail->taken = true;
	/* The sender is on its way into MPI: its message was matched when it was drained. */
	while (!session_mail_arrived(mail))
		session_spin(LOOK_Recv, SESSION_AWAITS_ARRIVAL, 0, 0);
	session_waited();
	mailbox_remove(&session.mailbox, mail);
	return interpose_deliver_taken(mail, buffer, count, type, comm, request);
}

/* --- errors ------------------------------------------------------------------------------------------------------------- */

bool interpose_tests_raise_on_world;

static bool was_raised;

static void raised(MPI_Comm *comm, int *error, ...)
{
	(void)comm, (void)error;
	was_raised = true;
}

/* A message to oneself that is too long for its receive, though not for the memory there: where does the error come out? (Open MPI has none. MPICH's tests
 * raise it on the communicator when it is from oneself, but MPI_Request_get_status as its tests do otherwise.) */
void interpose_learn_errors(void)
{
	MPI_Comm self;
	MPI_Errhandler ours, old;
	MPI_Request receive, send;
	char from[8] = "", to[8];
	int complete = 0;
	if (PMPI_Comm_dup(MPI_COMM_SELF, &self) != MPI_SUCCESS)
		return;
	PMPI_Comm_set_errhandler(self, MPI_ERRORS_RETURN);
	PMPI_Comm_create_errhandler(raised, &ours);
	PMPI_Comm_get_errhandler(MPI_COMM_WORLD, &old);
	PMPI_Comm_set_errhandler(MPI_COMM_WORLD, ours);
	PMPI_Irecv(to, 4, MPI_CHAR, 0, 0, self, &receive);
	PMPI_Isend(from, 8, MPI_CHAR, 0, 0, self, &send);
	for (int tries = 0; !complete && tries < 1000 && !was_raised; tries++)
		PMPI_Request_get_status(receive, &complete, MPI_STATUS_IGNORE);
	interpose_tests_raise_on_world = was_raised;
	if (was_raised)
		session.hurry &= (uint8_t)~SESSION_HURRY_RECEIVING;
	PMPI_Wait(&receive, MPI_STATUS_IGNORE);
	PMPI_Wait(&send, MPI_STATUS_IGNORE);
	PMPI_Comm_set_errhandler(MPI_COMM_WORLD, old);
	PMPI_Errhandler_free(&old);
	PMPI_Errhandler_free(&ours);
	PMPI_Comm_free(&self);
}

int interpose_test_quietly(MPI_Request *request, int *complete, MPI_Status *status, MPI_Comm comm)
{
	MPI_Errhandler old;
	PMPI_Comm_get_errhandler(MPI_COMM_WORLD, &old);
	PMPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	int error = PMPI_Test(request, complete, status);
	PMPI_Comm_set_errhandler(MPI_COMM_WORLD, old);
	PMPI_Errhandler_free(&old);
	if (error != MPI_SUCCESS)
		PMPI_Comm_call_errhandler(comm, error);
	return error;
}

/* --- posted --------------------------------------------------------------------------------------------------------------- */

/* Returns MPI_SUCCESS. */
static __attribute__((noinline)) int post(const struct shadow_posting *posting, MPI_Request request)
{
	struct shadow *shadow = shadow_add_at_home(&session.sequence.shadows, handle_of(request));
	if (unlikely(shadow == NULL)) {
		shadow = interpose_shadow(request, SHADOW_RECEIVE, posting->key);
		if (shadow == NULL)
			return MPI_SUCCESS;
	}
	shadow_set_posting(shadow, posting);
	position_post(&session.sequence, &session.ledger, shadow);
	return MPI_SUCCESS;
}

/* MPI_Irecv without its turn: from the mailbox, or posted and counted. */
static inline int start(const char *function, const void *caller, void *buffer, int count, MPI_Datatype type, int source, int tag,
		    MPI_Comm comm, MPI_Request *request)
{
	int index = comms_index(comm);
	if (unlikely(session.mailbox.count != 0)) {
		struct mail *mail = interpose_mail(index, source, tag);
		if (mail)
			return interpose_deliver(mail, buffer, count, type, comm, request);
	}
	int error = PMPI_Irecv(buffer, count, type, source, tag, comm, request);
	if (unlikely(error != MPI_SUCCESS || source == MPI_PROC_NULL))
		return error;
	if (unlikely(index == LEDGER_NO_COMM)) {
		interpose_uncounted(function, comm, caller);
		return error;
	}
	uint8_t flags;
	uint64_t key = pattern_of(index, source, tag, &flags);
	struct shadow_posting posting;
	set_posting(&posting, key, flags, buffer, count, type);
	post(&posting, *request);
	return error;
}

static __attribute__((noinline)) int irecv_in_full(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
				     MPI_Request *request, const void *caller)
{
	if (!session_enter())
		return PMPI_Irecv(buf, count, datatype, source, tag, comm, request);
	session_turn(SESSION_STARTS);
	return session_leave(start("MPI_Irecv", caller, buf, count, datatype, source, tag, comm, request));
}

int MPI_Irecv(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm, MPI_Request *request)
{
	uint64_t key;
	if (unlikely(!session_hurry(SESSION_HURRY, SESSION_STARTS) || session.mailbox.count != 0 || !comms_key_at_home(comm, source, tag, &key)))
		return irecv_in_full(buf, count, datatype, source, tag, comm, request, __builtin_return_address(0));
	struct shadow_posting posting;
	set_posting(&posting, key, 0, buf, count, datatype);
	keep_in_memory(posting);
	int error = PMPI_Irecv(buf, count, datatype, source, tag, comm, request);
	if (unlikely(error != MPI_SUCCESS))
		return error;
	if (unlikely(!position_post_at_home(&session.sequence, &session.ledger, handle_of(*request), &posting)))
		return post(&posting, *request);
	/* Not `error`, which is the same, but would be kept for it. */
	int success = MPI_SUCCESS;
	__asm__("" : "+r"(success));
	return success;
}

/* --- waited for at once ---------------------------------------------------------------------------------------------------- */

struct receiving {
	MPI_Request request, was;
	struct shadow_posting posting;
	MPI_Comm comm;
	MPI_Status *status;
};

/* What was not complete at the first look, or is not in order: posted like any other, and waited for. */
static out_of_line int receive_in_order(struct receiving *receiving, int complete, int error)
{
	MPI_Status own = {0}, *status = receiving->status == MPI_STATUS_IGNORE ? &own : receiving->status;
	post(&receiving->posting, receiving->was);
	if (complete || error != MPI_SUCCESS)
		return told_one(handle_of(receiving->was), status, error);
	return interpose_wait(LOOK_Recv, &receiving->request, status, receiving->comm);
}

static out_of_line int recv_in_full(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm, MPI_Status *status,
				    const void *caller)
{
	if (!session_enter())
		return PMPI_Recv(buf, count, datatype, source, tag, comm, status);
	int error, complete = 0, index;
	uint8_t flags;
	session_turn(SESSION_COMPLETES);
	if (source == MPI_PROC_NULL) {
		/* Whole: MPICH has another status for MPI_Irecv. */
		session_before_telling();
		session_close_safepoint();
		return session_leave(PMPI_Recv(buf, count, datatype, source, tag, comm, status));
	}
	if (session.mailbox.count != 0 && receive_mail(buf, count, datatype, source, tag, comm, status, &error))
		return session_leave(error);
	MPI_Status own;
	struct receiving receiving = {.comm = comm, .status = status == MPI_STATUS_IGNORE ? &own : status};
	error = PMPI_Irecv(buf, count, datatype, source, tag, comm, &receiving.request);
	if (error != MPI_SUCCESS)
		return session_leave(error);
	receiving.was = receiving.request;
	index = comms_index(comm);
	if (index == LEDGER_NO_COMM) {
		interpose_uncounted("MPI_Recv", comm, caller);
		return session_leave(interpose_wait(LOOK_Recv, &receiving.request, receiving.status, comm));
	}
	uint64_t key = pattern_of(index, source, tag, &flags);
	set_posting(&receiving.posting, key, flags, buf, count, datatype);
	error = test_for(&receiving.request, &complete, receiving.status, comm);
	if (complete && error == MPI_SUCCESS && flags == 0 && !session.watching && position_pass(&session.sequence, &session.ledger, key)) {
		session_close_safepoint();
		return session_leave(error);
	}
	return session_leave(receive_in_order(&receiving, complete, error));
}

/* Wildcards by the short way: the message says which stream it is of. */
static __attribute__((noinline)) int receive_any(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
						 MPI_Status *status, const void *caller)
{
	const struct comms_entry *entry = comms_home(&comms_cache, comm);
	if (unlikely(entry->comm != comm || (source != MPI_ANY_SOURCE && (uint32_t)source >= (uint32_t)entry->peers) ||
		     (tag != MPI_ANY_TAG && tag < 0)))
		return recv_in_full(buf, count, datatype, source, tag, comm, status, caller);
	uint8_t flags;
	int complete = 0;
	uint64_t key = pattern_of(entry->index, source, tag, &flags), base = entry->base;
	MPI_Status own;
	struct receiving receiving;
	set_posting(&receiving.posting, key, flags, buf, count, datatype);
	receiving.comm = comm;
	receiving.status = status == MPI_STATUS_IGNORE ? &own : status;
	int error = PMPI_Irecv(buf, count, datatype, source, tag, comm, &receiving.request);
	if (unlikely(error != MPI_SUCCESS))
		return error;
	receiving.was = receiving.request;
	error = PMPI_Test(&receiving.request, &complete, receiving.status);
	if (unlikely(error != MPI_SUCCESS || !complete))
		return receive_in_order(&receiving, complete, error);
	const MPI_Status *told = receiving.status;
	key = base | (uint64_t)(uint32_t)told->MPI_SOURCE << 31 | (uint32_t)told->MPI_TAG;
	if (unlikely((told->MPI_SOURCE | told->MPI_TAG) < 0 || !position_pass(&session.sequence, &session.ledger, key)))
		return receive_in_order(&receiving, complete, error);
	session_close_safepoint();
	return MPI_SUCCESS;
}

int MPI_Recv(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm, MPI_Status *status)
{
	uint64_t key;
	if (unlikely(!session_hurry(SESSION_HURRY_RECEIVING, SESSION_COMPLETES) || session.mailbox.count != 0))
		return recv_in_full(buf, count, datatype, source, tag, comm, status, __builtin_return_address(0));
	if (unlikely(!comms_key_at_home(comm, source, tag, &key)))
		return receive_any(buf, count, datatype, source, tag, comm, status, __builtin_return_address(0));
	struct receiving receiving;
	int complete = 0;
	set_posting(&receiving.posting, key, 0, buf, count, datatype);
	receiving.comm = comm;
	receiving.status = status;
	int error = PMPI_Irecv(buf, count, datatype, source, tag, comm, &receiving.request);
	if (unlikely(error != MPI_SUCCESS))
		return error;
	receiving.was = receiving.request;
	error = PMPI_Test(&receiving.request, &complete, receiving.status);
	if (unlikely(error != MPI_SUCCESS || !complete ||
		     !position_pass(&session.sequence, &session.ledger, receiving.posting.key)))
		return receive_in_order(&receiving, complete, error);
	session_close_safepoint();
	return MPI_SUCCESS;
}

/* --- a send and a receive in one ------------------------------------------------------------------------------------------- */

/* Takes back a receive whose send was refused. */
static void take_back(MPI_Request *request)
{
	MPI_Status status;
	MPI_Cancel(request);
	interpose_wait(LOOK_Sendrecv, request, &status, MPI_COMM_NULL);
}

static int exchange(const char *function, const void *caller, const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest,
		    int sendtag, void *recvbuf, int recvcount, MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm,
		    MPI_Status *status)
{
	MPI_Request receive, send;
	MPI_Status own;
	int error = start(function, caller, recvbuf, recvcount, recvtype, source, recvtag, comm, &receive);
	if (error != MPI_SUCCESS)
		return error;
	error = MPI_Isend(sendbuf, sendcount, sendtype, dest, sendtag, comm, &send);
	if (error != MPI_SUCCESS) {
		take_back(&receive);
		return error;
	}
	int send_error = interpose_wait_sending(LOOK_Sendrecv, &send, dest, sendtag, comm);
	if (source == MPI_PROC_NULL) {
		PMPI_Request_free(&receive);
		error = PMPI_Recv(recvbuf, recvcount, recvtype, source, recvtag, comm, status); /* for its status */
	} else {
		error = interpose_wait(LOOK_Sendrecv, &receive, status == MPI_STATUS_IGNORE ? &own : status, comm);
	}
	return error == MPI_SUCCESS ? send_error : error;
}

int MPI_Sendrecv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag, void *recvbuf, int recvcount,
		 MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm, MPI_Status *status)
{
	if (unlikely(!session_enter()))
		return PMPI_Sendrecv(sendbuf, sendcount, sendtype, dest, sendtag, recvbuf, recvcount, recvtype, source, recvtag, comm,
				     status);
	session_turn(SESSION_COMPLETES);
	session_close_safepoint();
	return session_leave(exchange("MPI_Sendrecv", __builtin_return_address(0), sendbuf, sendcount, sendtype, dest, sendtag,
				      recvbuf, recvcount, recvtype, source, recvtag, comm, status));
}

int MPI_Sendrecv_replace(void *buf, int count, MPI_Datatype datatype, int dest, int sendtag, int source, int recvtag, MPI_Comm comm,
			 MPI_Status *status)
{
	if (unlikely(!session_enter()))
		return PMPI_Sendrecv_replace(buf, count, datatype, dest, sendtag, source, recvtag, comm, status);
	session_turn(SESSION_COMPLETES);
	session_close_safepoint();
	/* What goes out is packed first: the receive may be served at once, from the mailbox or by the MPI library. */
	struct recorder_named packed = {MPI_PACKED, 0};
	void *data = NULL;
	int64_t bytes = 0;
	int error = MPI_SUCCESS;
	if (dest != MPI_PROC_NULL) {
		if (recorder_pack_all(buf, count, datatype, &data, &bytes, NULL) < 0) {
			/* The arguments are wrong, which MPI will say; or there is no memory. */
			error = PMPI_Sendrecv_replace(buf, count, datatype, dest, sendtag, source, recvtag, comm, status);
			if (error == MPI_SUCCESS)
				session_unable("MPI_Sendrecv_replace", "there was no memory to pack a message");
			return session_leave(error);
		}
		error = recorder_name(bytes, &packed);
	}
	if (error == MPI_SUCCESS)
		error = exchange("MPI_Sendrecv_replace", __builtin_return_address(0), data, packed.count, packed.type, dest, sendtag, buf,
				 count, datatype, source, recvtag, comm, status);
	recorder_unname(&packed);
	free(data);
	return session_leave(error);
}
