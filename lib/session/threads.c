/* SPDX-License-Identifier: BSD-3-Clause */
/* One lock per process, under MPI_THREAD_MULTIPLE only. It makes single acts of counting a send and starting it, of drawing a position and posting
 * the receive, and of the cut. Nobody holds it while waiting: waits are loops of tests that let others in between two of them, and blocking sends and
 * collectives are left to MPI without it.
 *
 * An error handler, or a callback of an attribute, may call MPI from inside a call: the lock is counted per thread. */
#include "session/inside.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* So often does a loop that lets others in offer them the core before it takes the lock again. */
enum { OFFERS = 64 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint waiting;  /* threads that want the lock */
static atomic_uint takings;  /* how often it was taken, so that a loop can see that somebody else had it */
static _Thread_local unsigned depth __attribute__((tls_model("initial-exec")));
static pthread_t first;
static bool has_first;

static void take(void)
{
	if (pthread_mutex_trylock(&mutex) != 0) {
		atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
		pthread_mutex_lock(&mutex);
		atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
	}
	atomic_fetch_add_explicit(&takings, 1, memory_order_relaxed);
}

/* A second thread in MPI: from now on a safepoint ends with its call. */
static void notice(void)
{
	if (!has_first)
		first = pthread_self();
	has_first = true;
	if (unlikely(!session.several && !pthread_equal(first, pthread_self())))
		look_here.several = session.several = true;
}

bool session_enter_slow(void)
{
	if (session.mode == SESSION_OFF)
		return false;
	if (depth == 0) {
		take();
		notice();
	}
	depth++;
	return true;
}

/* While a thread waits in seamark_checkpoint for its cut, nothing may reach the state that it will save: a call of another thread that goes back to the
 * application now may have brought something, or sent it. */
static void look_at_meeting(void)
{
	if (unlikely(inside.meeting && !pthread_equal(inside.meeting_thread, pthread_self())))
		inside.meeting_disturbed = true;
}

void threads_meet(bool meeting)
{
	inside.meeting = meeting && session.mode == SESSION_THREADS;
	inside.meeting_thread = pthread_self();
	inside.meeting_disturbed = false;
}

void session_leave_slow(void)
{
	if (session.mode != SESSION_THREADS)
		return;
	if (depth == 1)
		look_at_meeting();
	if (--depth == 0)
		pthread_mutex_unlock(&mutex);
}

void session_outside_slow(uint64_t call)
{
	struct look_slot *slot = looking_slot();
	if (slot)
		look_store(&slot->inside, call);
	session.outside++;
	session_leave_slow();
}

void session_outside_sending(enum look_send as, uint64_t key)
{
	struct look_slot *slot = looking_slot();
	if (slot)
		look_store(&slot->sending[as], key);
	session.outside++;
	session_leave_slow();
}

void session_back_slow(void)
{
	session_enter_slow();
	session.outside--;
	looking_slot_free();
}

void session_let_others(void)
{
	if (depth == 0)
		return;
	unsigned was = depth, seen = atomic_load_explicit(&takings, memory_order_relaxed);
	bool wanted = atomic_load_explicit(&waiting, memory_order_relaxed) != 0;
	depth = 0;
	pthread_mutex_unlock(&mutex);
	for (int offers = 0; wanted && offers < OFFERS && atomic_load_explicit(&takings, memory_order_relaxed) == seen; offers++)
		sched_yield();
	take();
	depth = was;
}
