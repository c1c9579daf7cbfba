/* SPDX-License-Identifier: BSD-3-Clause */
/* Persistent requests: each start is a send or a receive of its own. Their handles stay when they complete, so a shadow stays with each: SHADOW_INACTIVE between its
 * starts, and while a standard, buffered or ready send is under way, of which there is nothing to follow.
 *
 * A start that is served from the mailbox does not start MPI's request: the delivery's own request stands in for it in the waits and tests that follow, and
 * the application never sees that. */
#include <stdlib.h>

#include "interpose/inside.h"

enum what { SEND, SYNCHRONOUS, RECEIVE };

struct persistent {
	struct shadow_pattern pattern; /* must be first. Key 0: there is nothing to count (MPI_PROC_NULL) */
	enum what what;
	uint64_t making;               /* of its communicator: the index may be another's, when that is freed */
	void *buffer;
	int count;
	MPI_Datatype type;
	uint64_t bytes;                /* of a send, if it is traced: its type may be freed */
	MPI_Request stand_in;          /* MPI_REQUEST_NULL: none */
};

static struct persistent *persistent_of(const struct shadow *shadow)
{
	return (struct persistent *)(uintptr_t)shadow->extra;
}

/* --- made ------------------------------------------------------------------------------------------------------------------- */

static void follow(MPI_Request request, struct persistent given)
{
	struct persistent *persistent = malloc(sizeof *persistent);
	struct shadow *shadow = persistent ? interpose_shadow(request, SHADOW_INACTIVE, given.pattern.key) : NULL;
	if (shadow == NULL) {
		free(persistent);
		session.sequence.broken = true;
		session_unable("a persistent request", "there was no memory to follow it");
		return;
	}
	*persistent = given;
	shadow->extra = (uint64_t)(uintptr_t)persistent;
	shadow->flags = SHADOW_PERSISTENT;
	shadow->buffer = given.buffer;
	shadow->count = given.count;
	/* Of a receive, for MPI_Type_free: the type is needed at every start. */
	shadow->type = given.what == RECEIVE ? (uint64_t)(uintptr_t)given.type : 0;
	session.persistents++;
}

static int made(const char *function, const void *caller, int error, MPI_Request request, MPI_Comm comm, int peer, int tag,
		struct persistent given)
{
	if (error != MPI_SUCCESS)
		return error;
	int index = comms_index(comm);
	if (peer != MPI_PROC_NULL && index == LEDGER_NO_COMM) {
		interpose_uncounted(function, comm, caller);
		return error;
	}
	if (peer != MPI_PROC_NULL) {
		given.pattern.key = pattern_of(index, peer, tag, &given.pattern.flags);
		given.making = session.ledger.comms[index].making;
	}
	given.stand_in = MPI_REQUEST_NULL;
	follow(request, given);
	return error;
}

static uint64_t traced_bytes(int count, MPI_Datatype type)
{
	return session.watching & SESSION_WATCH_TRACE ? bytes_of(count, type) : 0;
}

#define SEND_INIT(name, kind)                                                                                                  \
	int MPI_##name(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,                    \
		       MPI_Request *request)                                                                                   \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name(buf, count, datatype, dest, tag, comm, request);                                    \
		int error = PMPI_##name(buf, count, datatype, dest, tag, comm, request);                                       \
		return session_leave(made("MPI_" #name, __builtin_return_address(0), error, *request, comm, dest, tag,         \
					  (struct persistent){.what = kind, .bytes = traced_bytes(count, datatype)}));                \
	}
SEND_INIT(Send_init, SEND)
SEND_INIT(Bsend_init, SEND)
SEND_INIT(Rsend_init, SEND)
SEND_INIT(Ssend_init, SYNCHRONOUS)
#undef SEND_INIT

int MPI_Recv_init(void *buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm, MPI_Request *request)
{
	if (unlikely(!session_enter()))
		return PMPI_Recv_init(buf, count, datatype, source, tag, comm, request);
	int error = PMPI_Recv_init(buf, count, datatype, source, tag, comm, request);
	return session_leave(made("MPI_Recv_init", __builtin_return_address(0), error, *request, comm, source, tag,
				  (struct persistent){.what = RECEIVE, .buffer = buf, .count = count, .type = datatype}));
}

/* --- started ------------------------------------------------------------------------------------------------------------------ */

/* PMPI_Start. Open MPI puts another request in the place of one whose last message was told complete and is not yet done with inside it: the handle changes,
 * and the shadow goes with it. Null: there was no memory for that. */
static int start_it(MPI_Request *request, struct shadow **shadow)
{
	const MPI_Request was = *request;
	int error = PMPI_Start(request);
	if (likely(*request == was))
		return error;
	const struct shadow moved = **shadow;
	shadow_drop(&session.sequence.shadows, *shadow);
	*shadow = interpose_shadow(*request, SHADOW_INACTIVE, moved.key);
	if (*shadow) {
		const uint64_t handle = (*shadow)->handle;
		**shadow = moved;
		(*shadow)->handle = handle;
	}
	return error;
}

static int start_send(MPI_Request *request, struct shadow *shadow, const struct persistent *persistent)
{
	const bool synchronous = persistent->what == SYNCHRONOUS;
	session_close_safepoint();
	struct ledger_stream *stream = ledger_stream(&session.ledger.sent, persistent->pattern.key);
	stream->total++;
	stream->seen += synchronous;
	if (unlikely(session.watching & SESSION_WATCH_TRACE))
		session_trace_send("MPI_Start", persistent->pattern.key, persistent->bytes, synchronous);
	int error = start_it(request, &shadow);
	if (unlikely(error != MPI_SUCCESS)) {
		if (session.watching & SESSION_WATCH_TRACE)
			session_trace_unsent(persistent->pattern.key);
		stream->total--;
		stream->seen -= synchronous;
	} else if (synchronous && shadow) {
		shadow->kind = SHADOW_SYNCHRONOUS;
		shadow->position = stream->total;
		session.synchronous_pending++;
	}
	return error;
}

static int start_receive(MPI_Request *request, struct shadow *shadow, struct persistent *persistent)
{
	const struct shadow_pattern *pattern = &persistent->pattern;
	const int index = (int)ledger_key_comm(pattern->key);
	struct mail *mail = NULL;
	if (unlikely(session.mailbox.count != 0))
		mail = interpose_mail(index, pattern->flags & SHADOW_ANY_SOURCE ? MPI_ANY_SOURCE : (int)ledger_key_peer(pattern->key),
				      pattern->flags & SHADOW_ANY_TAG ? MPI_ANY_TAG : (int)ledger_key_tag(pattern->key));
	if (mail) {
		int error = interpose_deliver(mail, persistent->buffer, persistent->count, persistent->type, comms_handle(index),
					      &persistent->stand_in);
		session.stand_ins += error == MPI_SUCCESS;
		return error;
	}
	int error = start_it(request, &shadow);
	if (unlikely(error != MPI_SUCCESS || shadow == NULL))
		return error;
	shadow->kind = SHADOW_RECEIVE;
	shadow->key = pattern->key;
	shadow->flags = pattern->flags | SHADOW_PERSISTENT;
	position_post(&session.sequence, &session.ledger, shadow);
	return error;
}

static int start(MPI_Request *request)
{
	struct shadow *shadow = shadow_of(*request);
	/* Started twice, which MPI will refuse; a persistent collective, which was noticed when it was made; or nothing to count. */
	if (shadow == NULL || shadow->kind != SHADOW_INACTIVE || shadow->key == 0)
		return PMPI_Start(request);
	struct persistent *persistent = persistent_of(shadow);
	const struct ledger_comm *comm = &session.ledger.comms[ledger_key_comm(shadow->key)];
	if (unlikely(comm->state != LEDGER_COMM_LIVE || comm->making != persistent->making)) {
		interpose_untracked = true;
		session_unable("MPI_Start", "it was called for a communicator that was freed");
		return PMPI_Start(request);
	}
	return persistent->what == RECEIVE ? start_receive(request, shadow, persistent) : start_send(request, shadow, persistent);
}

int MPI_Start(MPI_Request *request)
{
	if (unlikely(request == NULL || !session_enter()))
		return PMPI_Start(request);
	session_turn(SESSION_STARTS);
	return session_leave(start(request));
}

/* The standard leaves the order open; ours is that of the array. */
int MPI_Startall(int count, MPI_Request array_of_requests[])
{
	if (unlikely(count <= 0 || array_of_requests == NULL || !session_enter()))
		return PMPI_Startall(count, array_of_requests);
	int error = MPI_SUCCESS;
	session_turn(SESSION_STARTS);
	for (int i = 0; i < count && error == MPI_SUCCESS; i++)
		error = start(&array_of_requests[i]);
	return session_leave(error);
}

/* --- stood in for --------------------------------------------------------------------------------------------------------------- */

bool interpose_stand_in(MPI_Request *request)
{
	const struct shadow *shadow = shadow_of(*request);
	if (shadow == NULL || shadow->kind != SHADOW_INACTIVE || persistent_of(shadow)->stand_in == MPI_REQUEST_NULL)
		return false;
	*request = persistent_of(shadow)->stand_in;
	return true;
}

void interpose_stand_down(MPI_Request *request, MPI_Request persistent)
{
	if (*request == MPI_REQUEST_NULL) {
		persistent_of(shadow_of(persistent))->stand_in = MPI_REQUEST_NULL;
		session.stand_ins--;
	}
	*request = persistent;
}

bool interpose_is_active(MPI_Request request)
{
	const struct shadow *shadow = shadow_of(request);
	return shadow && (shadow->flags & SHADOW_PERSISTENT) && shadow->kind != SHADOW_INACTIVE;
}

/* --- freed ---------------------------------------------------------------------------------------------------------------------- */

int interpose_free_persistent(MPI_Request *request)
{
	struct shadow *shadow = shadow_of(*request);
	struct persistent *persistent = persistent_of(shadow);
	MPI_Request stand_in = persistent->stand_in;
	free(persistent);
	session.persistents--;
	shadow->extra = 0;
	shadow->flags &= (uint8_t)~SHADOW_PERSISTENT;
	if (shadow->kind == SHADOW_RECEIVE) {
		session_adopt_freed(shadow, *request);
		*request = MPI_REQUEST_NULL;
		return MPI_SUCCESS;
	}
	if (stand_in != MPI_REQUEST_NULL) {
		session.stand_ins--;
		session_adopt_freed(shadow_of(stand_in), stand_in);
	}
	/* The completion of a synchronous send is never learned: it brings no news. */
	session.synchronous_pending -= shadow->kind == SHADOW_SYNCHRONOUS;
	shadow_drop(&session.sequence.shadows, shadow);
	return PMPI_Request_free(request);
}
