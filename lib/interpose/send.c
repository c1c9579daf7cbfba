/* SPDX-License-Identifier: BSD-3-Clause */
/* A send counts when it is called: as late as possible before MPI has it, and not at all if MPI refuses it. Blocking sends are MPI's own. */
#include "interpose/inside.h"

/* Begins a send: its stream's key, or 0 if it cannot be counted. */
static inline uint64_t begin_send(enum session_call call, int dest, int tag, MPI_Comm comm)
{
	session_turn(call);
	session_close_safepoint();
	int index = comms_index(comm);
	/* A stream to a rank that is not there must not be made, though MPI will refuse the send. */
	if (unlikely((index | tag) < 0 || (uint32_t)dest >= (uint32_t)session.ledger.comms[index].peers))
		return 0;
	return ledger_key((unsigned)index, (unsigned)dest, (unsigned)tag);
}

static inline void count_send(uint64_t key)
{
	if (likely(key != 0))
		ledger_stream(&session.ledger.sent, key)->total++;
}

/* A send that was counted is about to begin: for SEAMARK_TRACE. */
static inline void note_send(const char *function, uint64_t key, int count, MPI_Datatype type, bool synchronous)
{
	if (unlikely(session.watching & SESSION_WATCH_TRACE) && key != 0)
		session_trace_send(function, key, bytes_of(count, type), synchronous);
}

/* What could not be counted, or was not sent. */
static void end_send(const char *function, const void *caller, uint64_t key, int dest, MPI_Comm comm, int error)
{
	if (key != 0) {
		if (session.watching & SESSION_WATCH_TRACE)
			session_trace_unsent(key);
		ledger_stream(&session.ledger.sent, key)->total--;
	} else if (error == MPI_SUCCESS && dest != MPI_PROC_NULL)
		interpose_uncounted(function, comm, caller);
}

/* --- the short way ---------------------------------------------------------------------------------------------------------- */

/* Begins a send of the common kind and counts it; false: nothing was counted, and it takes the long way. */
static inline bool hurry_send(enum session_call call, int dest, int tag, MPI_Comm comm, uint64_t *key)
{
	if (unlikely(!session_hurry(SESSION_HURRY, call) || !comms_key_at_home(comm, dest, tag, key)))
		return false;
	struct ledger_stream *stream = ledger_home(&session.ledger.sent, *key);
	if (unlikely(stream->key != *key))
		return false;
	session_close_safepoint();
	stream->total++;
	return true;
}

/* MPI refused it. */
static out_of_line int refused(uint64_t key, int error)
{
	ledger_stream(&session.ledger.sent, key)->total--;
	return error;
}

/* --- sends ------------------------------------------------------------------------------------------------------------------ */

/* Where threads share MPI a message that was counted must have begun before another one is counted: else it could enter its stream behind that. So it is begun
 * without blocking, in the lock, and awaited outside. */
static int await_send(enum look_send as, uint64_t key, MPI_Request *request, int error)
{
	if (error != MPI_SUCCESS)
		return error;
	session_outside_sending(as, key);
	error = PMPI_Wait(request, MPI_STATUS_IGNORE);
	session_back();
	return error;
}

#define SEND(name, iname)                                                                                                      \
	static out_of_line int name##_in_full(const void *buf, int count, MPI_Datatype datatype, int dest, int tag,            \
					      MPI_Comm comm, const void *caller)                                               \
	{                                                                                                                      \
		if (!session_enter())                                                                                          \
			return PMPI_##name(buf, count, datatype, dest, tag, comm);                                             \
		MPI_Request request;                                                                                           \
		uint64_t key = begin_send(SESSION_COMPLETES, dest, tag, comm);                                                 \
		count_send(key);                                                                                               \
		note_send("MPI_" #name, key, count, datatype, false);                                                          \
		int error;                                                                                                     \
		if (session.mode == SESSION_ALONE) {                                                                           \
			look_sending(LOOK_AS_##name, key);                                                                     \
			error = PMPI_##name(buf, count, datatype, dest, tag, comm);                                            \
			look_sending(LOOK_AS_##name, 0);                                                                       \
		} else {                                                                                                       \
			error = PMPI_##iname(buf, count, datatype, dest, tag, comm, &request);                                 \
			error = await_send(LOOK_AS_##name, key, &request, error);                                              \
		}                                                                                                              \
		if (error != MPI_SUCCESS || key == 0)                                                                          \
			end_send("MPI_" #name, caller, key, dest, comm, error);                                                \
		return session_leave(error);                                                                                   \
	}                                                                                                                      \
	int MPI_##name(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)                    \
	{                                                                                                                      \
		uint64_t key;                                                                                                  \
		if (unlikely(!hurry_send(SESSION_COMPLETES, dest, tag, comm, &key)))                                           \
			return name##_in_full(buf, count, datatype, dest, tag, comm, __builtin_return_address(0));             \
		look_sending(LOOK_AS_##name, key);                                                                             \
		int error = PMPI_##name(buf, count, datatype, dest, tag, comm);                                                \
		look_sending(LOOK_AS_##name, 0);                                                                               \
		return likely(error == MPI_SUCCESS) ? error : refused(key, error);                                             \
	}
SEND(Send, Isend)
SEND(Bsend, Ibsend)
SEND(Rsend, Irsend)
#undef SEND

#define ISEND(name)                                                                                                            \
	static out_of_line int name##_in_full(const void *buf, int count, MPI_Datatype datatype, int dest, int tag,            \
					      MPI_Comm comm, MPI_Request *request, const void *caller)                         \
	{                                                                                                                      \
		if (!session_enter())                                                                                          \
			return PMPI_##name(buf, count, datatype, dest, tag, comm, request);                                    \
		uint64_t key = begin_send(SESSION_STARTS, dest, tag, comm);                                                    \
		count_send(key);                                                                                               \
		note_send("MPI_" #name, key, count, datatype, false);                                                          \
		int error = PMPI_##name(buf, count, datatype, dest, tag, comm, request);                                       \
		if (error != MPI_SUCCESS || key == 0)                                                                          \
			end_send("MPI_" #name, caller, key, dest, comm, error);                                                \
		return session_leave(error);                                                                                   \
	}                                                                                                                      \
	int MPI_##name(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm,                    \
		       MPI_Request *request)                                                                                   \
	{                                                                                                                      \
		uint64_t key;                                                                                                  \
		if (unlikely(!hurry_send(SESSION_STARTS, dest, tag, comm, &key)))                                              \
			return name##_in_full(buf, count, datatype, dest, tag, comm, request, __builtin_return_address(0));    \
		int error = PMPI_##name(buf, count, datatype, dest, tag, comm, request);                                       \
		return likely(error == MPI_SUCCESS) ? error : refused(key, error);                                             \
	}
ISEND(Isend)
ISEND(Ibsend)
ISEND(Irsend)
#undef ISEND

/* --- synchronous sends: their completion brings news back ------------------------------------------------------------------ */

/* The position of a synchronous send in its stream. */
static int64_t count_synchronous(uint64_t key)
{
	struct ledger_stream *stream = ledger_stream(&session.ledger.sent, key);
	stream->seen++;
	return ++stream->total;
}

static void uncount_synchronous(uint64_t key)
{
	if (key != 0)
		ledger_stream(&session.ledger.sent, key)->seen--;
}

int MPI_Ssend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm)
{
	if (unlikely(!session_enter()))
		return PMPI_Ssend(buf, count, datatype, dest, tag, comm);
	MPI_Request request;
	uint64_t key = begin_send(SESSION_COMPLETES, dest, tag, comm);
	int64_t position = key != 0 ? count_synchronous(key) : 0;
	note_send("MPI_Ssend", key, count, datatype, true);
	int error;
	if (likely(session.mode == SESSION_ALONE)) {
		look_sending(LOOK_AS_Ssend, key);
		error = PMPI_Ssend(buf, count, datatype, dest, tag, comm);
		look_sending(LOOK_AS_Ssend, 0);
	} else {
		error = PMPI_Issend(buf, count, datatype, dest, tag, comm, &request);
		error = await_send(LOOK_AS_Ssend, key, &request, error);
	}
	if (unlikely(error != MPI_SUCCESS || key == 0)) {
		uncount_synchronous(key);
		end_send("MPI_Ssend", __builtin_return_address(0), key, dest, comm, error);
	} else {
		session_synchronous_done(key, position);
	}
	return session_leave(error);
}

int MPI_Issend(const void *buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm, MPI_Request *request)
{
	if (unlikely(!session_enter()))
		return PMPI_Issend(buf, count, datatype, dest, tag, comm, request);
	uint64_t key = begin_send(SESSION_STARTS, dest, tag, comm);
	int64_t position = key != 0 ? count_synchronous(key) : 0;
	note_send("MPI_Issend", key, count, datatype, true);
	int error = PMPI_Issend(buf, count, datatype, dest, tag, comm, request);
	if (unlikely(error != MPI_SUCCESS || key == 0)) {
		uncount_synchronous(key);
		end_send("MPI_Issend", __builtin_return_address(0), key, dest, comm, error);
		return session_leave(error);
	}
	struct shadow *shadow;
	if (interpose_began(*request, SHADOW_SYNCHRONOUS, &shadow)) {
		/* Taken for known a little early: at worst a snapshot is void that need not be. */
		session_synchronous_done(key, position);
	} else if (shadow != NULL) {
		shadow->key = key;
		shadow->position = position;
		session.synchronous_pending++;
	}
	return session_leave(error);
}
