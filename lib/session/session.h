/* SPDX-License-Identifier: BSD-3-Clause */
/* The hall: one session per process. Doors tell it what the application does; it takes that to the protocol and carries out what
 * the protocol orders. Everything here runs in the thread that calls MPI. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/likely.h"
#include "base/settings.h"
#include "channel/epochs.h"
#include "channel/mailbox.h"
#include "channel/position.h"
#include "look/look.h"
#include "snapshot/ledger.h"

struct snapshot;
struct state;
struct store;

/* From the end of MPI_Init to the end of MPI_Finalize wrappers count, unless Seamark is off; under MPI_THREAD_MULTIPLE in the lock. */
enum session_mode { SESSION_OFF, SESSION_ALONE, SESSION_THREADS };

/* Calls that have a short way: of a process with one thread in MPI. */
enum session_hurry { SESSION_HURRY_NONE = 0, SESSION_HURRY = 1, SESSION_HURRY_RECEIVING = 2 /* MPI_Recv */ };

/* SNAPSHOT: one is under way on this rank, every call looks for orders, everything told is placed. TRACE: SEAMARK_TRACE. */
enum session_watch { SESSION_WATCH_SNAPSHOT = 1, SESSION_WATCH_TRACE = 2 };

/* What the doors see of the session. Read and written inline in the hot path. */
struct session {
	uint8_t mode;       /* enum session_mode */
	uint8_t watching;   /* enum session_watch: why calls may not take their short ways */
	bool drilling;      /* SEAMARK_DRILL: whenever the countdown runs out session_look must know, which counts calls */
	bool open;          /* the safepoint of an event program is open */
	uint8_t hurry;      /* enum session_hurry: which calls may take their short way */
	uint32_t countdown; /* calls until the time-stamp counter is looked at; 1 while watching */
	uint64_t last_look; /* time-stamp counter: the last poll */
	uint64_t ticks_between_polls;
	uint32_t synchronous_pending; /* synchronous sends that the application has not been told are complete */
	uint32_t collectives_pending; /* non-blocking collectives likewise */
	bool several;       /* a second thread was seen in MPI: a safepoint ends with its call */
	uint32_t outside;   /* threads inside a blocking send or collective, without the lock */
	uint32_t persistents; /* persistent requests */
	uint32_t stand_ins;   /* of those, started and served from the mailbox */
	uint32_t spins;     /* turns of a waiting loop without success: session_spin yields the core after a while */
	uint32_t noted;     /* waiting loops that are noted for looks */
	struct ledger ledger;
	struct sequence sequence;
	struct mailbox mailbox;
	struct epochs epochs;
};
extern struct session session inside_library;

/* A snapshot is under way on this rank. */
static inline bool session_in_snapshot(void)
{
	return session.watching & SESSION_WATCH_SNAPSHOT;
}

/* --- from the door interpose ------------------------------------------------------------------------------------------ */

/* At library load: settings, signals, which MPI is loaded. false: the library does nothing in this process. */
bool session_load(void);
/* An object that is loaded after MPI_Init may call MPI where nobody sees it. `look` is called in seamark_restore (quiet: nothing of the application is under
 * way), at safepoints, and in snapshots until their verdict. */
void session_on_objects(void (*look)(bool quiet));
/* Around PMPI_Init_thread: begin is called after it succeeded (collective; also sets the finalize callback), with the level granted. Failures are
 * logged, and leave the session off: the program runs as without Seamark. */
void session_begin(int thread_level);
/* MPI_Finalize was called: the wrapper calls this, then PMPI_Finalize, whose delete callback on MPI_COMM_SELF finishes what is under way. */
void session_finalizing(void);

/* Every call of the application begins with session_enter, and ends with session_leave if that was true: false means that the call is none of our business.
 * Calls nest (an error handler may call MPI). Between session_outside and session_back a call blocks in MPI without the lock, having counted and begun
 * what it does. What it is (look_inside) is noted there, for looks. */
bool session_enter_slow(void);
void session_leave_slow(void);
void session_outside_slow(uint64_t call);
void session_back_slow(void);
/* Likewise for a blocking send where threads share MPI. */
void session_outside_sending(enum look_send as, uint64_t key);

static inline bool session_enter(void)
{
	return likely(session.mode == SESSION_ALONE) || session_enter_slow();
}

static inline int session_leave(int result)
{
	if (unlikely(session.mode != SESSION_ALONE))
		session_leave_slow();
	return result;
}

static inline void session_outside(uint64_t call)
{
	if (likely(session.mode == SESSION_ALONE))
		look_store(&look_here.slots[0].inside, call);
	else
		session_outside_slow(call);
}

static inline void session_back(void)
{
	if (likely(session.mode == SESSION_ALONE))
		look_store(&look_here.slots[0].inside, 0);
	else
		session_back_slow();
}

/* The slow half of session_turn. May make the cut of an event program whose safepoint is open. Never sends or receives for the application. */
void session_poll(void);
/* A poll has MPI receive whatever has come. In a call that MPI would have ended without looking that may be large messages, before the application has begun its next sends, for
 * which the other side waits: two that exchange would then copy in turns, for ever, rather than at once. So polls are made in waiting loops and in tests that
 * found nothing, where MPI looks itself. Other calls poll only if there was none for so many times as long: those that only start something not in any exchange. */
enum session_call { SESSION_COMPLETES = 64, SESSION_STARTS = 65536 };

/* A look at the clock every 16 calls, in a snapshot in each, and a poll if there was none for long. */
void session_look(enum session_call call);
/* A test that found nothing is about to say so: a poll if one is due. */
void session_in_vain(void);

/* Begins every intercepted call that communicates (send, receive, probe, wait, test, collective), before anything is counted. */
static inline void session_turn(enum session_call call)
{
	if (unlikely(--session.countdown == 0))
		session_look(call);
}

/* Every 16th call takes a look at the clock. */
enum { SESSION_CALLS_BETWEEN_LOOKS = 16 };

static inline bool session_poll_is_due(enum session_call call)
{
#if defined(__x86_64__)
	/* rdx is given back: it holds an argument of the call, which would be laid aside for this. */
	uint64_t now, rdx;
	__asm__ volatile("mov %%rdx, %1; rdtsc; shl $32, %%rdx; or %%rdx, %%rax; mov %1, %%rdx" : "=&a"(now), "=&r"(rdx));
	return session.watching || session.drilling || now - session.last_look > session.ticks_between_polls * call;
#else
	(void)call;
	return true;
#endif
}

/* session_enter and session_turn in one, for calls that have a short way: between snapshots, when no poll is due. false: none of it has been done. A call
 * that took it need not leave. */
static inline bool session_hurry(enum session_hurry which, enum session_call call)
{
	if (unlikely(!(session.hurry & which)))
		return false;
	if (unlikely(--session.countdown == 0)) {
		session.countdown = 1;
		if (session_poll_is_due(call))
			return false;
		session.countdown = SESSION_CALLS_BETWEEN_LOOKS;
	}
	return true;
}

/* The safepoint ends here: in calls that send or begin a collective, after session_turn and before counting; in completions, after they were told; in
 * calls that found nothing, before returning. */
static inline void session_close_safepoint(void)
{
	session.open = false;
}

/* A turn of a waiting loop (blocking receive, probe, wait) that found nothing: polls, lets other threads in and, after a while, yields the core, and notes for looks
 * what is awaited: in which call, and in `which` a request's handle, the address of an array of `many` requests one of which is enough, or the key of a message
 * with `many` as its wildcards (of SHADOW_...). No shadow or stream that was found before it may be used after it. */
enum session_wait {
	SESSION_AWAITS_REQUEST,
	SESSION_AWAITS_REQUESTS,
	SESSION_AWAITS_MESSAGE,
	SESSION_AWAITS_ARRIVAL, /* of data that is on its way */
	SESSION_AWAITS_FILE,
	SESSION_AWAITS_SENDING, /* that the last send of the stream `which` is complete; 0: it is not counted */
	SESSION_AWAITS_ALL      /* all ranks */
};
void session_spin(enum look_call call, enum session_wait what, uint64_t which, int64_t many);
/* Ends every waiting loop. */
void session_waited_slow(void);
static inline void session_waited(void)
{
	if (unlikely(session.noted != 0))
		session_waited_slow();
}

/* A receive has completed in MPI and the application is not told yet. In a snapshot, looks once more for orders and markers, and may cut in an open
 * safepoint. Call it before session_told, once per call that will tell something. */
void session_before_telling_slow(void);
static inline void session_before_telling(void)
{
	if (unlikely(session.watching))
		session_before_telling_slow();
}

/* The general path of telling the application about a receive, as it is about to return: `shadow` is of kind SHADOW_RECEIVE; `status` must be real. Learns a
 * wildcard's stream, places the message, in a window copies what is late. The shadow is dropped. */
void session_told(struct shadow *shadow, const MPI_Status *status);
/* A receive that was served from the mailbox is told: counts, and frees the mail. */
void session_told_mail(struct mail *mail);
/* Whether the data of a mail that is about to be delivered is here; else turn the loop, and ask again. */
bool session_mail_arrived(struct mail *mail);
/* A synchronous send is known to be complete: key and position as counted when it was begun. */
void session_synchronous_done(uint64_t key, int64_t position);
/* A receive that the application cancelled and that took nothing is told so. The shadow is dropped. */
void session_told_cancelled(struct shadow *shadow);
/* The application freed a pending receive's handle (see DESIGN): Seamark keeps the request and tests it. */
void session_adopt_freed(struct shadow *shadow, MPI_Request request);
/* A probe is about to tell the application of a message from the MPI library (not from the mailbox): of this stream, and the place it has or will have there. */
void session_probed(uint64_t key, int64_t position);
/* In a snapshot, an operation on a member of a one-sided window is about to begin: it may come before the member's cut. */
void session_one_sided(const struct epochs_window *window, int target);
/* While SESSION_WATCH_TRACE is set: a send was counted, and is about to begin; MPI has refused it, and its count is about to go back; a collective was counted. `call` stays for ever. */
void session_trace_send(const char *call, uint64_t key, uint64_t bytes, bool synchronous);
void session_trace_unsent(uint64_t key);
void session_trace_collective(const char *call, int comm);
/* Before MPI_Comm_free: in a window, drains what is owed on it. Collectives' counts and streams become a tombstone. */
void session_comm_freeing(MPI_Comm comm);

/* From now on every snapshot is void: a function that Seamark does not carry was used (its name), or another reason in words. Said in the log once per function. */
void session_unable(const char *function, const char *why);

/* --- from the door api ------------------------------------------------------------------------------------------------- */

int session_protect(const char *name, void *data, size_t bytes);
int session_protect_array(const char *name, void *data, int type, int dimensions, const uint64_t *global, const uint64_t *offset,
			  const uint64_t *local, const uint64_t *before, const uint64_t *after);
int session_protect_with(const char *name, int (*save)(seamark_writer *, void *), int (*load)(seamark_reader *, void *), void *context);
int session_unprotect(const char *name);
int session_restore(int64_t *step);
int session_saved_bytes(const char *name, size_t *bytes);
int session_safepoint(int64_t step);
int session_request(void);
int session_wait(double timeout_s);
int session_checkpoint(int64_t step, double timeout_s);
int session_committed(int64_t *number, int64_t *step);
int session_stopping(void);

#endif
