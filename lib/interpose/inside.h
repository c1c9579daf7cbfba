/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the door interpose: MPI_ functions that count, and pass to PMPI_.
 *   init.c          MPI_Init to MPI_Finalize
 *   send.c          sends, blocking and not
 *   receive.c       receives, and sends with receives
 *   probe.c         probes
 *   matched.c       matched probes, and receives of matched messages
 *   persistent.c    persistent requests
 *   wait.c          waits and tests, and how completions are told
 *   request.c       what else is done with requests: asked, freed, cancelled
 *   collective.c    collectives, from the table in collectives.h
 *   file.c          requests of files
 *   onesided.c      windows and their epochs, from the table in onesided.h
 *   communicator.c  communicators made, named and freed
 *   type.c          datatypes that pending receives still need
 *   noticed.c       functions that are not carried, from the table in noticed.h
 *   coverage.c      what becomes of each MPI function, in coverage_table.h: a new wrapper changes its row, which the tests see to
 *   objects.c       the loaded objects, their symbols and relocations
 *   slots.c         what calls PMPI_ names is made to call Seamark
 *   unwrapped.c     functions of a newer MPI library, for which there is no wrapper
 *   uncounted.c     calls that pass by
 *
 * Every wrapper begins with session_enter, which is false outside MPI_Init and MPI_Finalize and when Seamark is off: then it is MPI's own. It ends with
 * session_leave. Sends, receives, waits and tests have a short way before that (session_hurry), for the common case between snapshots; whatever is unusual begins
 * anew, in full. */
#ifndef INTERPOSE_INSIDE_H
#define INTERPOSE_INSIDE_H

/* Our wrappers are seen from outside; not every mpi.h says so (MPICH's leaves it to the flags of the compiler). */
#pragma GCC visibility push(default)
#include <mpi.h>
#pragma GCC visibility pop
#include <stdbool.h>
#include <stdint.h>

#include "base/likely.h"
#include "channel/comms.h"
#include "channel/recorder.h"
#include "session/session.h"

/* What a shadow of kind SHADOW_OTHER is, in `spare`. */
enum {
	OTHER_OUTSIDE,   /* the application's own generalized request */
	OTHER_FILE,      /* a request of a file */
	OTHER_NAMING,    /* MPI_Comm_idup: `extra` is a struct naming */
	OTHER_DELIVERED  /* served from the mailbox and told by MPI_Request_get_status: the key still has source and tag */
};

/* A request that Seamark does not follow may be about: a cancel is passed on to MPI whatever it is for. */
extern bool interpose_untracked;

static inline uint64_t handle_of(MPI_Request request)
{
	return (uint64_t)(uintptr_t)request;
}

static inline struct shadow *shadow_of(MPI_Request request)
{
	return shadow_find(&session.sequence.shadows, handle_of(request));
}

/* A shadow for a new request; null: no memory, or the handle is one that was completed behind Seamark's back. Snapshots are void then. */
struct shadow *interpose_shadow(MPI_Request request, enum shadow_kind kind, uint64_t key);

/* Traffic passed that cannot be counted: snapshots are void from now on. Not when the caller is the MPI library itself, on a communicator of its
 * own (Open MPI's ROMIO calls MPI_ names). */
void interpose_uncounted(const char *function, MPI_Comm comm, const void *caller);

/* Points the PMPI_ slots of objects that were loaded since the last time at Seamark's functions. */
enum slots_moment {
	SLOTS_LOAD,  /* at library load: nobody has called MPI yet */
	SLOTS_INIT,  /* in MPI_Init, at its end: what cannot be pointed is said */
	SLOTS_QUIET, /* in seamark_restore, where nothing of the program is under way */
	SLOTS_LATE   /* what an object has called before it was found makes snapshots void */
};
void interpose_slots(enum slots_moment moment);
struct object;
/* Says which object, if one does, uses a function of the MPI library that Seamark should see and has no wrapper for. `own` is Seamark's. */
void interpose_unwrapped(const struct object *own);

/* Of a message that is about to be sent: for SEAMARK_TRACE. */
static inline uint64_t bytes_of(int count, MPI_Datatype type)
{
	int size = 0;
	PMPI_Type_size(type, &size);
	return count > 0 && size > 0 ? (uint64_t)count * (uint64_t)size : 0;
}

/* --- receives ---------------------------------------------------------------------------------------------------------- */

/* The key of a receive's pattern, and its wildcards. */
static inline uint64_t pattern_of(int index, int source, int tag, uint8_t *flags)
{
	*flags = (uint8_t)((source == MPI_ANY_SOURCE ? SHADOW_ANY_SOURCE : 0) | (tag == MPI_ANY_TAG ? SHADOW_ANY_TAG : 0));
	return ledger_key((unsigned)index, source < 0 ? 0 : (unsigned)source, tag < 0 ? 0 : (unsigned)tag);
}

/* What is kept of a receive that is about to be posted. */
static inline void set_posting(struct shadow_posting *posting, uint64_t key, uint8_t flags, void *buffer, int count, MPI_Datatype type)
{
	posting->key = key;
	posting->buffer = buffer;
	posting->type = (uint64_t)(uintptr_t)type;
	posting->count = count;
	posting->kind = SHADOW_RECEIVE;
	posting->flags = flags;
	posting->spare = 0;
}

/* A turn of the waiting loop of a probe. */
void interpose_spin_for(enum look_call call, int source, int tag, MPI_Comm comm);

/* The mail that a receive or probe would get, or null. */
struct mail *interpose_mail(int index, int source, int tag);

/* A mail for a receive that is waited for later: a request of its own, whose status is addressed when it is told. Errors are raised on comm. deliver takes the mail out of the
 * mailbox, and waits until its data is here; deliver_taken has one that is out. */
int interpose_deliver(struct mail *mail, void *buffer, int count, MPI_Datatype type, MPI_Comm comm, MPI_Request *request);
int interpose_deliver_taken(struct mail *mail, void *buffer, int count, MPI_Datatype type, MPI_Comm comm, MPI_Request *request);

/* --- persistent requests ------------------------------------------------------------------------------------------------ */

/* A persistent request that was served from the mailbox is replaced by what stands in for it. true: it was; then, after MPI has looked at that, stand_down puts the
 * persistent one back. Both only while session.stand_ins is not 0. */
bool interpose_stand_in(MPI_Request *request);
void interpose_stand_down(MPI_Request *request, MPI_Request persistent);
/* A persistent receive or synchronous send that was started and not told complete: its handle does not change when it is. */
bool interpose_is_active(MPI_Request request);
int interpose_free_persistent(MPI_Request *request);

/* --- telling ----------------------------------------------------------------------------------------------------------- */

/* The general path; the shadow is dropped. Null status: it is not needed. An error that MPI does not know of (a mail that did not fit), or MPI_SUCCESS. */
int interpose_tell(struct shadow *shadow, MPI_Status *status);
/* In a snapshot: marks what is complete, with MPI's error for it, and looks once more for orders and markers. */
void interpose_before_telling(uint64_t handle, int error);
/* Hands an error of interpose_tell to the error handler of its communicator; `error` is what the call will return. */
void interpose_raise(int error);

/* The request with this handle is complete, and the application is told when the call returns. */
static inline int tell(uint64_t handle, MPI_Status *status)
{
	struct shadow *shadow = shadow_find(&session.sequence.shadows, handle);
	if (shadow == NULL)
		return MPI_SUCCESS;
	if (likely(!session.watching && shadow->kind == SHADOW_RECEIVE && shadow->flags == 0)) {
		struct ledger_stream *stream = ledger_stream(&session.ledger.seen, shadow->key);
		if (position_told_in_order(&session.sequence, stream, shadow->position)) {
			shadow_drop(&session.sequence.shadows, shadow);
			return MPI_SUCCESS;
		}
	}
	return interpose_tell(shadow, status);
}

/* Ends a call in which one request was found complete: `error` is MPI's. */
static inline int told_one(uint64_t handle, MPI_Status *status, int error)
{
	if (unlikely(session.watching))
		interpose_before_telling(handle, error);
	int own = tell(handle, status);
	session_close_safepoint();
	if (unlikely(own != MPI_SUCCESS)) {
		interpose_raise(own);
		return error == MPI_SUCCESS ? own : error;
	}
	return error;
}

/* Waits for one request, in `call`; status is a real one. Errors are raised where MPI_Wait would (comm is MPI_COMM_NULL), or on comm. */
int interpose_wait(enum look_call call, MPI_Request *request, MPI_Status *status, MPI_Comm comm);
/* ... of a send that was begun just now, as a part of the call: errors are raised on comm. */
int interpose_wait_sending(enum look_call call, MPI_Request *request, int dest, int tag, MPI_Comm comm);

/* MPICH raises the error of a truncated receive on MPI_COMM_WORLD when it comes out in a test, and on its communicator in MPI_Recv, which we make of
 * tests. Found out in MPI_Init; then such tests are made with errors returned, for some 20 ns, and the error is raised where it belongs. */
extern bool interpose_tests_raise_on_world inside_library;
void interpose_learn_errors(void);
int interpose_test_quietly(MPI_Request *request, int *complete, MPI_Status *status, MPI_Comm comm);
static inline int test_for(MPI_Request *request, int *complete, MPI_Status *status, MPI_Comm comm)
{
	if (unlikely(interpose_tests_raise_on_world) && comm != MPI_COMM_NULL)
		return interpose_test_quietly(request, complete, status, comm);
	return PMPI_Test(request, complete, status);
}

/* --- files ------------------------------------------------------------------------------------------------------------- */

/* Requests of files that the application has not been told are complete. */
extern uint32_t interpose_files;
/* Waits for those among some requests, before all others; null: there are none. Their statuses are given when the rest are complete, with what the
 * call will return. */
struct files_taken;
struct files_taken *interpose_take_files(int count, MPI_Request *requests);
int interpose_give_files(struct files_taken *taken, int count, MPI_Status *statuses, int error);

/* --- collectives and communicators -------------------------------------------------------------------------------------- */

/* Ends a test or a probe in vain. */
static inline void nothing_found(void)
{
	session_in_vain();
	session_close_safepoint();
}

/* A collective begins on a communicator: what comes after the turn. The communicator's index is returned. */
static inline int count_collective(const char *function, MPI_Comm comm, const void *caller)
{
	session_close_safepoint();
	int index = comms_index(comm);
	if (unlikely(index == LEDGER_NO_COMM)) {
		interpose_uncounted(function, comm, caller);
		return index;
	}
	session.ledger.comms[index].begun++;
	if (unlikely(session.watching & SESSION_WATCH_TRACE))
		session_trace_collective(function, index);
	return index;
}

static inline int begin_collective(const char *function, MPI_Comm comm, const void *caller)
{
	session_turn(SESSION_COMPLETES);
	return count_collective(function, comm, caller);
}

/* A collective that nobody leaves before everybody is in it, if there are items of this type to exchange, is over. number: of the last epoch before it. */
void interpose_met(MPI_Comm comm, MPI_Datatype type, uint64_t number);

/* A non-blocking one was begun: a shadow, unless it is complete already. true: it is. */
bool interpose_began(MPI_Request request, enum shadow_kind kind, struct shadow **shadow);

/* Types that the application has freed, and that no pending receive needs any more, are freed. */
void interpose_free_types(void);

struct naming;
/* MPI_Comm_idup is complete: the new communicator is named. */
void interpose_name_idup(struct naming *naming);
/* Its request was freed: nobody will know when it is complete. */
void interpose_forget_idup(struct naming *naming);

#endif
