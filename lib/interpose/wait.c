/* SPDX-License-Identifier: BSD-3-Clause */
/* Waits and tests. A wait is a loop of tests. A request was found complete when its handle has changed, or if it is a persistent one, when MPI says so: what MPI
 * returns as errors, and what the application wants to know of statuses, does not matter for that. */
#include <stdlib.h>

#include "interpose/inside.h"

enum { FEW = 64 };

/* --- telling ---------------------------------------------------------------------------------------------------------------- */

static MPI_Comm raised_on;

void interpose_raise(int error)
{
	PMPI_Comm_call_errhandler(raised_on == MPI_COMM_NULL ? MPI_COMM_WORLD : raised_on, error);
}

static int tell_delivery(struct shadow *shadow, MPI_Status *status)
{
	bool truncated = shadow->spare;
	if (status) {
		status->MPI_SOURCE = (int)ledger_key_peer(shadow->key);
		status->MPI_TAG = (int)ledger_key_tag(shadow->key);
	}
	raised_on = comms_handle((int)ledger_key_comm(shadow->key));
	struct mail *mail = (struct mail *)(uintptr_t)shadow->extra;
	shadow_drop(&session.sequence.shadows, shadow);
	session_told_mail(mail);
	return truncated ? MPI_ERR_TRUNCATE : MPI_SUCCESS;
}

static void tell_other(struct shadow *shadow, MPI_Status *status)
{
	interpose_files -= shadow->spare == OTHER_FILE;
	struct naming *naming = shadow->spare == OTHER_NAMING ? (struct naming *)(uintptr_t)shadow->extra : NULL;
	if (shadow->spare == OTHER_DELIVERED && status) {
		status->MPI_SOURCE = (int)ledger_key_peer(shadow->key);
		status->MPI_TAG = (int)ledger_key_tag(shadow->key);
	}
	shadow_drop(&session.sequence.shadows, shadow);
	if (naming) {
		session.collectives_pending--;
		interpose_name_idup(naming);
	}
}

static void tell_receive(struct shadow *shadow, MPI_Status *status)
{
	int cancelled = 0;
	if (unlikely(shadow->flags & SHADOW_CANCELLING)) {
		PMPI_Test_cancelled(status, &cancelled);
		if (!cancelled)
			position_not_cancelled(&session.sequence, shadow);
	}
	if (cancelled)
		session_told_cancelled(shadow);
	else
		session_told(shadow, status);
}

int interpose_tell(struct shadow *shadow, MPI_Status *status)
{
	switch ((enum shadow_kind)shadow->kind) {
	case SHADOW_RECEIVE:
		tell_receive(shadow, status);
		return MPI_SUCCESS;
	case SHADOW_DELIVERY:
		return tell_delivery(shadow, status);
	case SHADOW_SYNCHRONOUS:
		session.synchronous_pending--;
		session_synchronous_done(shadow->key, shadow->position);
		break;
	case SHADOW_COLLECTIVE:
		session.collectives_pending--;
		break;
	case SHADOW_OTHER:
		tell_other(shadow, status);
		return MPI_SUCCESS;
	case SHADOW_MATCHED:  /* no request */
	case SHADOW_INACTIVE: /* told already, or nothing to tell */
		return MPI_SUCCESS;
	}
	shadow_end(&session.sequence.shadows, shadow);
	return MPI_SUCCESS;
}

static void mark_complete(uint64_t handle, int error)
{
	struct shadow *shadow = shadow_find(&session.sequence.shadows, handle);
	if (shadow == NULL)
		return;
	shadow->flags |= SHADOW_COMPLETE;
	if (unlikely(error != MPI_SUCCESS) && shadow->kind == SHADOW_RECEIVE)
		shadow->spare = SHADOW_FAILED;
}

void interpose_before_telling(uint64_t handle, int error)
{
	mark_complete(handle, error);
	session_before_telling();
}

/* --- one ---------------------------------------------------------------------------------------------------------------------- */

static inline int end_wait(const MPI_Request *request, uint64_t handle, MPI_Status *status, int complete, int error)
{
	session_waited();
	if (unlikely(error != MPI_SUCCESS && !complete && handle_of(*request) == handle))
		return error;
	return told_one(handle, status, error);
}

int interpose_wait(enum look_call call, MPI_Request *request, MPI_Status *status, MPI_Comm comm)
{
	const uint64_t handle = handle_of(*request);
	int error, complete = 0;
	for (session.spins = 0;; session_spin(call, SESSION_AWAITS_REQUEST, handle, 1)) {
		error = test_for(request, &complete, status, comm);
		if (likely(complete || error != MPI_SUCCESS))
			break;
	}
	return end_wait(request, handle, status, complete, error);
}

static void spin_sending(enum look_call call, int dest, int tag, MPI_Comm comm)
{
	const int index = comms_index(comm);
	session_spin(call, SESSION_AWAITS_SENDING, (index | dest | tag) < 0 ? 0 : ledger_key((unsigned)index, (unsigned)dest, (unsigned)tag), 0);
}

int interpose_wait_sending(enum look_call call, MPI_Request *request, int dest, int tag, MPI_Comm comm)
{
	const uint64_t handle = handle_of(*request);
	MPI_Status ignored;
	int error, complete = 0;
	for (session.spins = 0;; spin_sending(call, dest, tag, comm)) {
		error = test_for(request, &complete, &ignored, comm);
		if (likely(complete || error != MPI_SUCCESS))
			break;
	}
	return end_wait(request, handle, &ignored, complete, error);
}

/* The same for the application's request, which a stand-in may serve. */
static int wait_for(MPI_Request *request, MPI_Status *status)
{
	const MPI_Request was = *request;
	const bool stood_in = unlikely(session.stand_ins != 0) && interpose_stand_in(request);
	int error = interpose_wait(LOOK_Wait, request, status, MPI_COMM_NULL);
	if (unlikely(stood_in))
		interpose_stand_down(request, was);
	return error;
}

static out_of_line int wait_in_full(MPI_Request *request, MPI_Status *status)
{
	if (request == NULL || !session_enter())
		return PMPI_Wait(request, status);
	MPI_Status own;
	session_turn(SESSION_COMPLETES);
	return session_leave(wait_for(request, status == MPI_STATUS_IGNORE ? &own : status));
}

static out_of_line int test_in_full(MPI_Request *request, int *flag, MPI_Status *status)
{
	if (request == NULL || flag == NULL || !session_enter())
		return PMPI_Test(request, flag, status);
	MPI_Status own;
	int complete = 0;
	if (status == MPI_STATUS_IGNORE)
		status = &own;
	session_turn(SESSION_COMPLETES);
	const MPI_Request was = *request;
	const bool stood_in = session.stand_ins != 0 && interpose_stand_in(request);
	const uint64_t handle = handle_of(*request);
	int error = PMPI_Test(request, &complete, status);
	*flag = complete;
	if (complete || handle_of(*request) != handle)
		error = told_one(handle, status, error);
	else
		nothing_found();
	if (stood_in)
		interpose_stand_down(request, was);
	return session_leave(error);
}

/* A wait or test by the short way: of a request without a shadow (an ordinary send), or of an exact receive. */
struct waiting {
	MPI_Request *request;
	MPI_Status *status;
	uint64_t handle;
	int complete;
};

/* The first test has told nothing yet. (An error handler may have called MPI: the shadow may be elsewhere.) */
static out_of_line int go_on_waiting(const struct waiting *waiting, int error)
{
	MPI_Status own = {0}, *status = waiting->status == MPI_STATUS_IGNORE ? &own : waiting->status;
	if (error == MPI_SUCCESS && !waiting->complete)
		return interpose_wait(LOOK_Wait, waiting->request, status, MPI_COMM_NULL);
	if (!waiting->complete && handle_of(*waiting->request) == waiting->handle)
		return error;
	return told_one(waiting->handle, status, error);
}

static out_of_line int end_test(const struct waiting *waiting, int error)
{
	MPI_Status own = {0};
	if (waiting->complete || handle_of(*waiting->request) != waiting->handle)
		return told_one(waiting->handle, waiting->status == MPI_STATUS_IGNORE ? &own : waiting->status, error);
	nothing_found();
	return error;
}

static inline bool is_exact_receive(const struct shadow *shadow)
{
	return likely(shadow->kind == SHADOW_RECEIVE && shadow->flags == 0);
}

/* Wildcards, and nothing else that is out of the ordinary. */
static inline bool is_wildcard(const struct shadow *shadow)
{
	return shadow->kind == SHADOW_RECEIVE && (shadow->flags & ~(SHADOW_ANY_SOURCE | SHADOW_ANY_TAG)) == 0;
}

static inline bool tell_wildcard(struct shadow *shadow, const MPI_Status *status)
{
	if (unlikely((status->MPI_SOURCE | status->MPI_TAG) < 0))
		return false;
	uint64_t key = ledger_key(ledger_key_comm(shadow->key), (unsigned)status->MPI_SOURCE, (unsigned)status->MPI_TAG);
	return position_tell_wildcard(&session.sequence, &session.ledger, shadow, key);
}

/* A request that has no shadow: there is nothing to tell. */
static inline int hurry_wait_send(MPI_Request *request, MPI_Status *status, uint64_t handle)
{
	struct waiting waiting = {request, status, handle, 0};
	int error = PMPI_Test(request, &waiting.complete, status);
	if (unlikely(error != MPI_SUCCESS))
		return go_on_waiting(&waiting, error);
	if (unlikely(!waiting.complete))
		return go_on_waiting(&waiting, error);
	session_close_safepoint();
	return MPI_SUCCESS;
}

static inline int hurry_wait_receive(MPI_Request *request, MPI_Status *status, uint64_t handle, struct shadow *shadow)
{
	struct waiting waiting = {request, status, handle, 0};
	int error = PMPI_Test(request, &waiting.complete, status);
	if (unlikely(error != MPI_SUCCESS))
		return go_on_waiting(&waiting, error);
	if (unlikely(!waiting.complete || !position_tell_at_home(&session.sequence, &session.ledger, shadow)))
		return go_on_waiting(&waiting, MPI_SUCCESS);
	session_close_safepoint();
	return MPI_SUCCESS;
}

static out_of_line int hurry_wait_wildcard(MPI_Request *request, MPI_Status *status, uint64_t handle, struct shadow *shadow)
{
	MPI_Status own;
	struct waiting waiting = {request, status == MPI_STATUS_IGNORE ? &own : status, handle, 0};
	int error = PMPI_Test(request, &waiting.complete, waiting.status);
	if (unlikely(error != MPI_SUCCESS || !waiting.complete || !tell_wildcard(shadow, waiting.status)))
		return go_on_waiting(&waiting, error);
	session_close_safepoint();
	return MPI_SUCCESS;
}

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
	if (unlikely(request == NULL || !session_hurry(SESSION_HURRY, SESSION_COMPLETES)))
		return wait_in_full(request, status);
	uint64_t handle = handle_of(*request);
	struct shadow *shadow = shadow_home(&session.sequence.shadows, handle);
	if (shadow->handle == handle && is_exact_receive(shadow))
		return hurry_wait_receive(request, status, handle, shadow);
	if (likely(shadow->handle != handle && session.sequence.shadows.others.used == 0))
		return hurry_wait_send(request, status, handle);
	if (shadow->handle == handle && is_wildcard(shadow))
		return hurry_wait_wildcard(request, status, handle, shadow);
	return wait_in_full(request, status);
}

static inline int hurry_test_send(MPI_Request *request, int *flag, MPI_Status *status, uint64_t handle)
{
	struct waiting waiting = {request, status, handle, 0};
	int error = PMPI_Test(request, &waiting.complete, status);
	*flag = waiting.complete;
	if (unlikely(error != MPI_SUCCESS || !waiting.complete))
		return end_test(&waiting, error);
	session_close_safepoint();
	return MPI_SUCCESS;
}

static inline int hurry_test_receive(MPI_Request *request, int *flag, MPI_Status *status, uint64_t handle,
				     struct shadow *shadow)
{
	struct waiting waiting = {request, status, handle, 0};
	int error = PMPI_Test(request, &waiting.complete, status);
	*flag = waiting.complete;
	if (unlikely(error != MPI_SUCCESS || !waiting.complete))
		return end_test(&waiting, error);
	if (unlikely(!position_tell_at_home(&session.sequence, &session.ledger, shadow)))
		return end_test(&waiting, MPI_SUCCESS);
	session_close_safepoint();
	return MPI_SUCCESS;
}

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
	if (unlikely(request == NULL || flag == NULL || !session_hurry(SESSION_HURRY, SESSION_COMPLETES)))
		return test_in_full(request, flag, status);
	uint64_t handle = handle_of(*request);
	struct shadow *shadow = shadow_home(&session.sequence.shadows, handle);
	if (shadow->handle == handle && is_exact_receive(shadow))
		return hurry_test_receive(request, flag, status, handle, shadow);
	if (likely(shadow->handle != handle && session.sequence.shadows.others.used == 0))
		return hurry_test_send(request, flag, status, handle);
	return test_in_full(request, flag, status);
}

/* --- several ------------------------------------------------------------------------------------------------------------------ */

/* The requests of a call as they were before it, and statuses of our own where the application wants none and they are needed. */
struct several {
	int count;
	MPI_Request *were;
	MPI_Status *given;   /* the application's; null: it wants none */
	MPI_Status *own;     /* null until needed */
	MPI_Request *stood;  /* null unless some are stood in for: the requests as the application has them */
	MPI_Request few_requests[FEW];
	MPI_Status few_statuses[FEW];
};

/* Persistent requests that were served from the mailbox are replaced while MPI looks at the array. */
static bool stand_in_several(struct several *several, MPI_Request *requests)
{
	several->stood = malloc((size_t)several->count * sizeof *several->stood);
	if (several->stood == NULL) {
		session_unable("a wait for many requests", "there was no memory to follow it");
		return false;
	}
	for (int i = 0; i < several->count; i++) {
		several->stood[i] = requests[i];
		interpose_stand_in(&requests[i]);
		several->were[i] = requests[i];
	}
	return true;
}

static void stand_down_several(struct several *several, MPI_Request *requests)
{
	for (int i = 0; i < several->count; i++)
		if (several->stood[i] != several->were[i])
			interpose_stand_down(&requests[i], several->stood[i]);
	free(several->stood);
}

/* Keeps the requests as they are now. */
static bool keep_several(struct several *several, int count, const MPI_Request *requests, MPI_Status *statuses)
{
	several->count = count;
	several->stood = NULL;
	several->given = statuses == MPI_STATUSES_IGNORE ? NULL : statuses;
	several->own = NULL;
	several->were = several->few_requests;
	if (unlikely(requests == NULL))
		return count <= 0; /* else MPI has something to say */
	if (unlikely(count > FEW)) {
		several->were = malloc((size_t)count * sizeof *several->were);
		if (several->were == NULL) {
			session_unable("a wait for many requests", "there was no memory to follow it");
			return false;
		}
	}
	for (int i = 0; i < count; i++)
		several->were[i] = requests[i];
	return true;
}

static bool begin_several(struct several *several, int count, MPI_Request *requests, MPI_Status *statuses)
{
	if (!keep_several(several, count, requests, statuses))
		return false;
	if (likely(session.stand_ins == 0) || count <= 0)
		return true;
	if (!stand_in_several(several, requests)) {
		if (several->were != several->few_requests)
			free(several->were);
		return false;
	}
	return true;
}

/* The statuses to give to MPI: only wildcards, cancelled receives and snapshots need them. A snapshot may begin in any turn of a waiting loop. */
static MPI_Status *statuses_of(struct several *several)
{
	if (several->given)
		return several->given;
	if (likely(!session.watching && position_is_plain(&session.sequence)))
		return MPI_STATUSES_IGNORE;
	if (several->own == NULL)
		several->own = several->count <= FEW ? several->few_statuses : malloc((size_t)several->count * sizeof *several->own);
	if (several->own == NULL) {
		session_unable("a wait for many requests", "there was no memory for statuses");
		session.sequence.broken = true;
		return MPI_STATUSES_IGNORE;
	}
	return several->own;
}

static void end_several(struct several *several, MPI_Request *requests)
{
	if (unlikely(several->stood != NULL))
		stand_down_several(several, requests);
	if (unlikely(several->were != several->few_requests))
		free(several->were);
	if (unlikely(several->own != NULL && several->own != several->few_statuses))
		free(several->own);
	session_close_safepoint();
}

static inline bool has_changed(const struct several *several, const MPI_Request *requests, int i)
{
	return requests[i] != several->were[i];
}

/* After a call that waited for all: with an error some may still be pending. */
static bool is_over(const struct several *several, const MPI_Request *requests, int i, int error)
{
	int complete = 1;
	if (has_changed(several, requests, i))
		return true;
	if (likely(session.persistents == 0) || !interpose_is_active(requests[i]))
		return false;
	if (error != MPI_SUCCESS)
		recorder_ask(requests[i], &complete, MPI_STATUS_IGNORE);
	return complete;
}

/* Of one of several, in whose call there was this error. */
static int error_of(const MPI_Status *statuses, int i, int error)
{
	int class = MPI_SUCCESS;
	if (unlikely(error != MPI_SUCCESS) && statuses != MPI_STATUSES_IGNORE)
		PMPI_Error_class(error, &class);
	return class == MPI_ERR_IN_STATUS ? statuses[i].MPI_ERROR : error;
}

static void mark_several(const struct several *several, const MPI_Request *requests, const MPI_Status *statuses, int error)
{
	for (int i = 0; i < several->count; i++)
		if (is_over(several, requests, i, error))
			mark_complete(handle_of(several->were[i]), error_of(statuses, i, error));
	session_before_telling();
}

/* An error of our own in one status of many: the others are said to be in order, if MPI had nothing to say. */
static int own_error(struct several *several, int statuses, int error, int at, int own)
{
	for (int i = 0; several->given && error != MPI_ERR_IN_STATUS && i < statuses; i++)
		several->given[i].MPI_ERROR = MPI_SUCCESS;
	if (several->given)
		several->given[at].MPI_ERROR = own;
	return MPI_ERR_IN_STATUS;
}

/* Tells all requests that have changed; the status of requests[i] is statuses[i]. */
static int told_several(struct several *several, MPI_Request *requests, MPI_Status *statuses, int error)
{
	bool raise = false;
	if (unlikely(session.watching))
		mark_several(several, requests, statuses, error);
	for (int i = 0; i < several->count; i++) {
		if (!is_over(several, requests, i, error))
			continue;
		int own = tell(handle_of(several->were[i]), statuses == MPI_STATUSES_IGNORE ? NULL : &statuses[i]);
		if (likely(own == MPI_SUCCESS))
			continue;
		error = own_error(several, several->count, error, i, own);
		raise = true;
	}
	end_several(several, requests);
	if (unlikely(raise))
		interpose_raise(error);
	return error;
}

static out_of_line int testall_in_full(int count, MPI_Request *requests, int *flag, MPI_Status *statuses)
{
	struct several several;
	if (unlikely(!session_enter()))
		return PMPI_Testall(count, requests, flag, statuses);
	if (unlikely(!begin_several(&several, count, requests, statuses)))
		return session_leave(PMPI_Testall(count, requests, flag, statuses));
	session_turn(SESSION_COMPLETES);
	MPI_Status *used = statuses_of(&several);
	int error = PMPI_Testall(count, requests, flag, used);
	if (error == MPI_SUCCESS && !*flag) {
		session_in_vain();
		end_several(&several, requests);
		return session_leave(error);
	}
	return session_leave(told_several(&several, requests, used, error));
}

/* Without taking it. What MPI would raise when it is asked comes out when it is taken. */
static inline bool is_complete(MPI_Request request)
{
	int complete = 0;
	if (unlikely(interpose_tests_raise_on_world))
		recorder_ask(request, &complete, MPI_STATUS_IGNORE);
	else if (PMPI_Request_get_status(request, &complete, MPI_STATUS_IGNORE) != MPI_SUCCESS)
		complete = 1;
	return complete;
}

/* Their completion is awaited one after the other, without taking it. A test of all would rescan all; and where Open MPI finds the last of them complete, it says so in the next
 * call only: a poll could come in between. */
static void await_all(int count, MPI_Request *requests)
{
	session.spins = 0;
	for (int i = 0; i < count; i++)
		while (requests[i] != MPI_REQUEST_NULL && !is_complete(requests[i]))
			session_spin(LOOK_Waitall, SESSION_AWAITS_REQUEST, handle_of(requests[i]), 1);
	session_waited();
}

static out_of_line int waitall_in_full(int count, MPI_Request *requests, MPI_Status *statuses)
{
	struct several several;
	if (unlikely(!session_enter()))
		return PMPI_Waitall(count, requests, statuses);
	if (unlikely(!begin_several(&several, count, requests, statuses)))
		return session_leave(PMPI_Waitall(count, requests, statuses));
	MPI_Status *used;
	int error;
	session_turn(SESSION_COMPLETES);
	struct files_taken *files = unlikely(interpose_files != 0) ? interpose_take_files(count, requests) : NULL;
	await_all(count, requests);
	used = statuses_of(&several);
	error = PMPI_Waitall(count, requests, used);
	if (unlikely(files != NULL))
		error = interpose_give_files(files, count, used, error);
	return session_leave(told_several(&several, requests, used, error));
}

/* The short way of a test for all of a few: the receives among them, if all others have no shadow. */
struct receives {
	int count;
	bool wildcards; /* there are: statuses are needed */
	struct receive {
		uint64_t handle;
		struct shadow *shadow;
		int at;
	} list[FEW];
};

/* false: they take the long way. */
static inline bool find_receives(int count, const MPI_Request *requests, struct receives *receives)
{
	const struct shadow_table *table = &session.sequence.shadows;
	receives->count = 0;
	receives->wildcards = false;
	if (unlikely(!session_hurry(SESSION_HURRY, SESSION_COMPLETES) || (unsigned)count > FEW || requests == NULL || table->others.used != 0))
		return false;
	for (int i = 0; i < count; i++) {
		const uint64_t handle = handle_of(requests[i]);
		struct shadow *shadow = shadow_home(table, handle);
		if (shadow->handle != handle)
			continue;
		if (unlikely(!is_exact_receive(shadow))) {
			if (!is_wildcard(shadow))
				return false;
			receives->wildcards = true;
		}
		receives->list[receives->count++] = (struct receive){handle, shadow, i};
	}
	return true;
}

static inline int told_exact(const struct receives *receives)
{
	/* Nobody adds shadows here: they stay where they are. */
	for (const struct receive *at = receives->list, *end = at + receives->count; at < end; at++)
		if (unlikely(!position_tell_at_home(&session.sequence, &session.ledger, at->shadow)))
			interpose_tell(at->shadow, NULL);
	session_close_safepoint();
	return MPI_SUCCESS;
}

/* With an error some are complete and others are not: those whose handles have changed. */
static out_of_line int told_with_error(int count, MPI_Request *requests, MPI_Status *given, MPI_Status *used, const struct receives *receives, int error)
{
	struct several several;
	/* No persistent request is among them, that could be stood in for. */
	if (!keep_several(&several, count, requests, given))
		return error;
	for (int i = 0; i < receives->count; i++)
		several.were[receives->list[i].at] = (MPI_Request)(uintptr_t)receives->list[i].handle;
	return told_several(&several, requests, used, error);
}

/* Wildcards are among them. complete: whether all are, and told. */
static out_of_line int test_wildcards(int count, MPI_Request *requests, int *complete, MPI_Status *statuses, const struct receives *receives)
{
	MPI_Status own[FEW], *used = statuses == MPI_STATUSES_IGNORE ? own : statuses;
	int error = PMPI_Testall(count, requests, complete, used);
	if (unlikely(error != MPI_SUCCESS))
		return told_with_error(count, requests, statuses, used, receives, error);
	if (!*complete)
		return MPI_SUCCESS;
	for (const struct receive *at = receives->list, *end = at + receives->count; at < end; at++)
		if (!(is_exact_receive(at->shadow) ? position_tell_at_home(&session.sequence, &session.ledger, at->shadow)
						   : tell_wildcard(at->shadow, &used[at->at])))
			interpose_tell(at->shadow, &used[at->at]);
	session_close_safepoint();
	return MPI_SUCCESS;
}

static inline int test_all(int count, MPI_Request *requests, int *complete, MPI_Status *statuses, const struct receives *receives)
{
	*complete = 0;
	if (unlikely(receives->wildcards))
		return test_wildcards(count, requests, complete, statuses, receives);
	int error = PMPI_Testall(count, requests, complete, statuses);
	if (unlikely(error != MPI_SUCCESS))
		return told_with_error(count, requests, statuses, statuses, receives, error);
	return likely(*complete) ? told_exact(receives) : MPI_SUCCESS;
}

int MPI_Testall(int count, MPI_Request requests[], int *flag, MPI_Status statuses[])
{
	struct receives receives;
	int complete;
	if (unlikely(!find_receives(count, requests, &receives) || flag == NULL))
		return testall_in_full(count, requests, flag, statuses);
	int error = test_all(count, requests, &complete, statuses, &receives);
	*flag = complete;
	if (unlikely(error == MPI_SUCCESS && !complete))
		nothing_found();
	return error;
}

/* Some are not complete yet; then the short way once more, if it is still open. */
static out_of_line int waitall_and_hurry(int count, MPI_Request *requests, MPI_Status *statuses)
{
	struct receives receives;
	int complete;
	if (unlikely(interpose_files != 0))
		return waitall_in_full(count, requests, statuses);
	await_all(count, requests);
	if (unlikely(!find_receives(count, requests, &receives)))
		return waitall_in_full(count, requests, statuses);
	int error = test_all(count, requests, &complete, statuses, &receives);
	return likely(complete || error != MPI_SUCCESS) ? error : waitall_in_full(count, requests, statuses);
}

int MPI_Waitall(int count, MPI_Request requests[], MPI_Status statuses[])
{
	struct receives receives;
	int complete;
	if (unlikely(!find_receives(count, requests, &receives)))
		return waitall_in_full(count, requests, statuses);
	int error = test_all(count, requests, &complete, statuses, &receives);
	return likely(complete || error != MPI_SUCCESS) ? error : waitall_and_hurry(count, requests, statuses);
}

/* --- any ------------------------------------------------------------------------------------------------------------------------ */

/* Ends a call that found one of several complete, or none active. */
static int told_any(struct several *several, MPI_Request *requests, int index, MPI_Status *status, int error)
{
	if (index >= 0 && index < several->count && (session.persistents != 0 || has_changed(several, requests, index)))
		error = told_one(handle_of(several->were[index]), status, error);
	end_several(several, requests);
	return error;
}

int MPI_Testany(int count, MPI_Request requests[], int *index, int *flag, MPI_Status *status)
{
	struct several several;
	MPI_Status own;
	if (unlikely(!session_enter()))
		return PMPI_Testany(count, requests, index, flag, status);
	if (unlikely(!begin_several(&several, count, requests, MPI_STATUSES_IGNORE)))
		return session_leave(PMPI_Testany(count, requests, index, flag, status));
	if (status == MPI_STATUS_IGNORE)
		status = &own;
	session_turn(SESSION_COMPLETES);
	*index = MPI_UNDEFINED;
	int error = PMPI_Testany(count, requests, index, flag, status);
	if (error == MPI_SUCCESS && !*flag)
		session_in_vain();
	return session_leave(told_any(&several, requests, *index, status, error));
}

int MPI_Waitany(int count, MPI_Request requests[], int *index, MPI_Status *status)
{
	struct several several;
	MPI_Status own;
	if (unlikely(!session_enter()))
		return PMPI_Waitany(count, requests, index, status);
	if (unlikely(!begin_several(&several, count, requests, MPI_STATUSES_IGNORE)))
		return session_leave(PMPI_Waitany(count, requests, index, status));
	if (status == MPI_STATUS_IGNORE)
		status = &own;
	session_turn(SESSION_COMPLETES);
	session.spins = 0;
	for (int found = 0;; session_spin(LOOK_Waitany, SESSION_AWAITS_REQUESTS, (uint64_t)(uintptr_t)requests, count)) {
		*index = MPI_UNDEFINED;
		int error = PMPI_Testany(count, requests, index, &found, status);
		if (likely(found || error != MPI_SUCCESS)) {
			session_waited();
			return session_leave(told_any(&several, requests, *index, status, error));
		}
	}
}

/* --- some ----------------------------------------------------------------------------------------------------------------------- */

/* As told_several, but the status of requests[indices[i]] is statuses[i]. */
static int told_some(struct several *several, MPI_Request *requests, int found, const int *indices, MPI_Status *statuses, int error)
{
	bool raise = false;
	if (found == MPI_UNDEFINED)
		found = 0;
	if (unlikely(session.watching)) {
		for (int i = 0; i < found; i++)
			mark_complete(handle_of(several->were[indices[i]]), error_of(statuses, i, error));
		session_before_telling();
	}
	for (int i = 0; i < found; i++) {
		int own = tell(handle_of(several->were[indices[i]]), statuses == MPI_STATUSES_IGNORE ? NULL : &statuses[i]);
		if (likely(own == MPI_SUCCESS))
			continue;
		error = own_error(several, found, error, i, own);
		raise = true;
	}
	end_several(several, requests);
	if (unlikely(raise))
		interpose_raise(error);
	return error;
}

int MPI_Testsome(int count, MPI_Request requests[], int *found, int indices[], MPI_Status statuses[])
{
	struct several several;
	if (unlikely(!session_enter()))
		return PMPI_Testsome(count, requests, found, indices, statuses);
	if (unlikely(!begin_several(&several, count, requests, statuses)))
		return session_leave(PMPI_Testsome(count, requests, found, indices, statuses));
	session_turn(SESSION_COMPLETES);
	*found = 0;
	MPI_Status *used = statuses_of(&several);
	int error = PMPI_Testsome(count, requests, found, indices, used);
	if (error == MPI_SUCCESS && *found == 0)
		session_in_vain();
	return session_leave(told_some(&several, requests, *found, indices, used, error));
}

int MPI_Waitsome(int count, MPI_Request requests[], int *found, int indices[], MPI_Status statuses[])
{
	struct several several;
	if (unlikely(!session_enter()))
		return PMPI_Waitsome(count, requests, found, indices, statuses);
	if (unlikely(!begin_several(&several, count, requests, statuses)))
		return session_leave(PMPI_Waitsome(count, requests, found, indices, statuses));
	session_turn(SESSION_COMPLETES);
	session.spins = 0;
	for (*found = 0;; session_spin(LOOK_Waitsome, SESSION_AWAITS_REQUESTS, (uint64_t)(uintptr_t)requests, count)) {
		MPI_Status *used = statuses_of(&several);
		int error = PMPI_Testsome(count, requests, found, indices, used);
		if (likely(*found != 0 || error != MPI_SUCCESS)) {
			session_waited();
			return session_leave(told_some(&several, requests, *found, indices, used, error));
		}
	}
}
