/* SPDX-License-Identifier: BSD-3-Clause */
/* Matched probes. MPI_Mprobe takes a message: it joins the sequence there, and has its position. It is told when a receive of it is, and until then it is in
 * flight; a window waits for that, since nobody can look into a matched message. What lies in the mailbox is put into the application's hands as a
 * message to oneself, without content, for which the mail is delivered. */
#include "interpose/inside.h"

/* Handles of messages and of requests are kept apart. */
static uint64_t message_handle(MPI_Message message)
{
	return (uint64_t)(uintptr_t)message ^ UINT64_C(1) << 63;
}

static struct shadow *matched_of(MPI_Message message)
{
	return shadow_find(&session.sequence.shadows, message_handle(message));
}

static struct shadow *hold(MPI_Message message, enum shadow_kind kind, uint64_t key)
{
	struct shadow *shadow = shadow_add(&session.sequence.shadows, message_handle(message));
	if (shadow == NULL) {
		session.sequence.broken = true;
		session_unable("MPI_Mprobe", "there was no memory to follow a message");
		return NULL;
	}
	shadow->kind = (uint8_t)kind;
	shadow->key = key;
	return shadow;
}

/* --- found ---------------------------------------------------------------------------------------------------------------------- */

static int match_mail(struct mail *mail, MPI_Comm comm, MPI_Message *message, MPI_Status *status)
{
	mail->taken = true;
	while (!session_mail_arrived(mail))
		session_spin(LOOK_Mprobe, SESSION_AWAITS_ARRIVAL, 0, 0);
	session_waited();
	mailbox_remove(&session.mailbox, mail);
	MPI_Request sending;
	int error = recorder_stand_in(message, &sending);
	if (error == MPI_SUCCESS)
		error = recorder_probe_status(mail, status);
	struct shadow *shadow = error == MPI_SUCCESS ? hold(*message, SHADOW_DELIVERY, mail->key) : NULL;
	if (shadow) {
		shadow->extra = (uint64_t)(uintptr_t)mail;
		shadow->type = handle_of(sending); /* it has no datatype */
		return error;
	}
	mailbox_put(&session.mailbox, mail);
	if (error == MPI_SUCCESS)
		error = MPI_ERR_NO_MEM;
	PMPI_Comm_call_errhandler(comm, error);
	return error;
}

/* One look; *flag: found. status is real. */
static int look(const char *function, const void *caller, int source, int tag, MPI_Comm comm, int *flag, MPI_Message *message,
		MPI_Status *status)
{
	int index = comms_index(comm);
	if (unlikely(session.mailbox.count != 0)) {
		struct mail *mail = interpose_mail(index, source, tag);
		if (mail) {
			*flag = 1;
			return match_mail(mail, comm, message, status);
		}
	}
	int error = PMPI_Improbe(source, tag, comm, flag, message, status);
	if (error != MPI_SUCCESS || !*flag || source == MPI_PROC_NULL)
		return error;
	if (unlikely(index == LEDGER_NO_COMM)) {
		interpose_uncounted(function, comm, caller);
		return error;
	}
	uint64_t key = ledger_key((unsigned)index, (unsigned)status->MPI_SOURCE, (unsigned)status->MPI_TAG);
	struct shadow *shadow = hold(*message, SHADOW_MATCHED, key);
	if (likely(shadow != NULL))
		position_post(&session.sequence, &session.ledger, shadow);
	if (unlikely(shadow != NULL && session.watching)) {
		int64_t position = shadow->position;
		session_before_telling();
		session_probed(key, position);
	}
	return error;
}

int MPI_Improbe(int source, int tag, MPI_Comm comm, int *flag, MPI_Message *message, MPI_Status *status)
{
	if (unlikely(!session_enter()))
		return PMPI_Improbe(source, tag, comm, flag, message, status);
	MPI_Status own;
	session_turn(SESSION_COMPLETES);
	int error = look("MPI_Improbe", __builtin_return_address(0), source, tag, comm, flag, message,
			 status == MPI_STATUS_IGNORE ? &own : status);
	if (error == MPI_SUCCESS && !*flag)
		nothing_found();
	else if (error != MPI_SUCCESS || source == MPI_PROC_NULL)
		session_close_safepoint();
	return session_leave(error);
}

int MPI_Mprobe(int source, int tag, MPI_Comm comm, MPI_Message *message, MPI_Status *status)
{
	if (unlikely(!session_enter()))
		return PMPI_Mprobe(source, tag, comm, message, status);
	MPI_Status own;
	const void *caller = __builtin_return_address(0);
	int error, found = 0;
	session_turn(SESSION_COMPLETES);
	for (session.spins = 0;; interpose_spin_for(LOOK_Mprobe, source, tag, comm)) {
		error = look("MPI_Mprobe", caller, source, tag, comm, &found, message, status == MPI_STATUS_IGNORE ? &own : status);
		if (found || error != MPI_SUCCESS)
			break;
	}
	session_waited();
	if (error != MPI_SUCCESS || source == MPI_PROC_NULL)
		session_close_safepoint();
	return session_leave(error);
}

/* --- received ------------------------------------------------------------------------------------------------------------------- */

/* Ends the stand-in of a mail in the application's hands; the mail goes on to its receive. */
static struct mail *take_mail(MPI_Message *message)
{
	struct shadow *shadow = matched_of(*message);
	struct mail *mail = (struct mail *)(uintptr_t)shadow->extra;
	MPI_Request sending = (MPI_Request)(uintptr_t)shadow->type;
	shadow_drop(&session.sequence.shadows, shadow);
	recorder_end_stand_in(message, sending);
	return mail;
}

static int receive_mail(void *buffer, int count, MPI_Datatype type, MPI_Message *message, MPI_Status *status)
{
	session_before_telling();
	struct mail *mail = take_mail(message);
	const MPI_Comm comm = comms_handle((int)ledger_key_comm(mail->key));
	int error = recorder_deliver(mail, buffer, count, type, status);
	session_told_mail(mail);
	session_close_safepoint();
	if (error != MPI_SUCCESS)
		PMPI_Comm_call_errhandler(comm == MPI_COMM_NULL ? MPI_COMM_WORLD : comm, error);
	return error;
}

/* A matched message goes over to a receive, with its place. */
static int begin_receive(void *buffer, int count, MPI_Datatype type, MPI_Message *message, MPI_Request *request)
{
	struct shadow *matched = matched_of(*message);
	if (matched == NULL) /* nobody's, MPI_MESSAGE_NO_PROC, or one that could not be counted: that was said */
		return PMPI_Imrecv(buffer, count, type, message, request);
	if (matched->kind == SHADOW_DELIVERY) {
		struct mail *mail = take_mail(message);
		return interpose_deliver_taken(mail, buffer, count, type, comms_handle((int)ledger_key_comm(mail->key)), request);
	}
	const struct shadow was = *matched;
	int error = PMPI_Imrecv(buffer, count, type, message, request);
	if (error != MPI_SUCCESS)
		return error;
	shadow_drop(&session.sequence.shadows, matched);
	struct shadow *shadow = interpose_shadow(*request, SHADOW_RECEIVE, was.key);
	if (shadow == NULL)
		return error;
	/* It has its message: a cancelling comes too late, and nobody else waits for it. */
	shadow->flags = SHADOW_LEARNED;
	shadow->turn = was.turn;
	shadow->position = was.position;
	shadow->buffer = buffer;
	shadow->count = count;
	shadow->type = (uint64_t)(uintptr_t)type;
	return error;
}

int MPI_Imrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Request *request)
{
	if (unlikely(message == NULL || !session_enter()))
		return PMPI_Imrecv(buf, count, type, message, request);
	session_turn(SESSION_COMPLETES);
	return session_leave(begin_receive(buf, count, type, message, request));
}

int MPI_Mrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Status *status)
{
	if (unlikely(message == NULL || !session_enter()))
		return PMPI_Mrecv(buf, count, type, message, status);
	session_turn(SESSION_COMPLETES);
	const struct shadow *matched = matched_of(*message);
	if (matched == NULL) {
		int error = PMPI_Mrecv(buf, count, type, message, status);
		session_close_safepoint();
		return session_leave(error);
	}
	if (matched->kind == SHADOW_DELIVERY)
		return session_leave(receive_mail(buf, count, type, message, status));
	MPI_Request request;
	MPI_Status own;
	MPI_Comm comm = comms_handle((int)ledger_key_comm(matched->key));
	int error = begin_receive(buf, count, type, message, &request);
	if (error == MPI_SUCCESS)
		error = interpose_wait(LOOK_Mrecv, &request, status == MPI_STATUS_IGNORE ? &own : status, comm);
	return session_leave(error);
}
