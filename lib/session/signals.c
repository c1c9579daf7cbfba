/* SPDX-License-Identifier: BSD-3-Clause */
#include "session/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#if ATOMIC_INT_LOCK_FREE != 2 || ATOMIC_POINTER_LOCK_FREE != 2
#error "a signal handler needs atomics without locks"
#endif

/* A handler that was there before ours. A handler may run in any thread while another is put in its place, so it is never changed but
 * only replaced by the next of a few; a program that takes the signal back that often is left alone. */
#define CHAINED 8

struct taken {
	int number;                              /* 0: not taken */
	atomic_uint count;
	struct sigaction chained[CHAINED];
	int chained_count;
	_Atomic(struct sigaction *) chain;       /* null: nothing */
};

static struct taken request, stop;

/* The delivery that this thread is handing on. A handler that we chain to may chain to us, if it was set after ours: then that is the end
 * of the chain. (Told by the context and not by a flag, so that a handler may leave by siglongjmp. Initial-exec: other thread-local
 * memory may be allocated at its first use, and this is a signal handler.) */
static _Thread_local void *volatile handing_on __attribute__((tls_model("initial-exec")));

static void call_chained(struct taken *taken, int number, siginfo_t *info, void *context)
{
	const struct sigaction *chain = atomic_load(&taken->chain);
	void *before = handing_on;

	if (!chain || !context || context == before)
		return;
	handing_on = context;
	if (chain->sa_flags & SA_SIGINFO)
		chain->sa_sigaction(number, info, context);
	else
		chain->sa_handler(number);
	handing_on = before;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	struct taken *taken = number == request.number ? &request : &stop;
	int error = errno;

	atomic_fetch_add(&taken->count, 1);
	call_chained(taken, number, info, context);
	errno = error;
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_signal;
}

static bool is_handler(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) || (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* What the other handler asked for while it runs, it has while ours runs: its mask, and its own stack. */
static void fill_action(struct sigaction *action, const struct sigaction *chain)
{
	memset(action, 0, sizeof *action);
	sigemptyset(&action->sa_mask);
	if (chain) {
		action->sa_mask = chain->sa_mask;
		action->sa_flags = chain->sa_flags & (SA_ONSTACK | SA_NODEFER);
	}
	action->sa_sigaction = on_signal;
	action->sa_flags |= SA_SIGINFO | SA_RESTART;
}

static int take(struct taken *taken, struct fault *fault)
{
	struct sigaction before, action;
	struct sigaction *chain = NULL;

	if (!taken->number)
		return 0;
	if (sigaction(taken->number, NULL, &before))
		return fault_errno(fault, "cannot ask for the handler of signal %d", taken->number);
	if (is_ours(&before))
		return 0;
	if (is_handler(&before)) {
		if (taken->chained_count == CHAINED)
			return 0;
		chain = &taken->chained[taken->chained_count++];
		*chain = before;
	}
	/* First the chain, then the handler that follows it. */
	atomic_store(&taken->chain, chain);
	fill_action(&action, chain);
	if (sigaction(taken->number, &action, NULL))
		return fault_errno(fault, "cannot set a handler for signal %d", taken->number);
	return 0;
}

int signals_reinstall(struct fault *fault)
{
	int first = take(&request, fault);
	int second = take(&stop, fault);

	return first ? first : second;
}

int signals_install(int request_signal, int stop_signal, struct fault *fault)
{
	request.number = request_signal;
	stop.number = stop_signal;
	return signals_reinstall(fault);
}

unsigned signals_requests(void)
{
	return atomic_exchange(&request.count, 0);
}

bool signals_stop(void)
{
	return atomic_exchange(&stop.count, 0) != 0;
}
