/* SPDX-License-Identifier: BSD-3-Clause */
/* What else is done with requests: made to look at, asked, freed, cancelled. */
#include "interpose/inside.h"

bool interpose_untracked;

struct shadow *interpose_shadow(MPI_Request request, enum shadow_kind kind, uint64_t key)
{
	/* A handle that has a shadow already was completed by a call of PMPI_ that Seamark did not see. */
	if (unlikely(shadow_of(request) != NULL)) {
		shadow_drop(&session.sequence.shadows, shadow_of(request));
		session.sequence.broken = true;
		session_unable("a request", "it was completed by a call below Seamark (PMPI_Wait or PMPI_Test)");
	}
	struct shadow *shadow = shadow_add(&session.sequence.shadows, handle_of(request));
	if (unlikely(shadow == NULL)) {
		session.sequence.broken = true;
		session_unable("a request", "there was no memory to follow it");
		return NULL;
	}
	shadow->kind = (uint8_t)kind;
	shadow->key = key;
	return shadow;
}

bool interpose_began(MPI_Request request, enum shadow_kind kind, struct shadow **shadow)
{
	int complete = 0;
	*shadow = NULL;
	/* What is complete when it is made may share its handle with others, and needs no shadow. */
	PMPI_Request_get_status(request, &complete, MPI_STATUS_IGNORE);
	if (complete)
		return true;
	*shadow = interpose_shadow(request, kind, 0);
	return false;
}

/* A delivery that was told keeps its place: the status of the call that ends the request is addressed again. */
static int told_delivery(struct shadow *shadow, MPI_Status *status)
{
	const uint64_t handle = shadow->handle, key = shadow->key;
	int own = interpose_tell(shadow, status);
	struct shadow *left = interpose_shadow((MPI_Request)(uintptr_t)handle, SHADOW_OTHER, key);
	if (left)
		left->spare = OTHER_DELIVERED;
	return own;
}

static int get_status(MPI_Request request, int *flag, MPI_Status *status)
{
	session_turn(SESSION_COMPLETES);
	if (unlikely(session.stand_ins != 0))
		interpose_stand_in(&request);
	int error = PMPI_Request_get_status(request, flag, status), own_error = MPI_SUCCESS;
	struct shadow *shadow = shadow_of(request);
	if (error != MPI_SUCCESS && shadow == NULL)
		return error;
	if (shadow != NULL && (error != MPI_SUCCESS || *flag)) {
		/* The request stays, and may be asked: it is told now all the same. */
		session_before_telling();
		shadow = shadow_of(request);
		if (error != MPI_SUCCESS && shadow->kind == SHADOW_RECEIVE)
			shadow->spare = SHADOW_FAILED;
		if (shadow->kind == SHADOW_DELIVERY)
			own_error = told_delivery(shadow, status);
		else if (shadow->kind == SHADOW_OTHER && shadow->spare == OTHER_DELIVERED)
			recorder_address(&(struct mail){.source = ledger_key_peer(shadow->key), .tag = ledger_key_tag(shadow->key)},
					 status);
		else if (shadow->kind != SHADOW_OTHER || (shadow->spare != OTHER_OUTSIDE && shadow->spare != OTHER_FILE))
			tell(handle_of(request), status);
	}
	if (error == MPI_SUCCESS && !*flag)
		session_in_vain();
	session_close_safepoint();
	if (unlikely(own_error != MPI_SUCCESS)) {
		interpose_raise(own_error);
		return own_error;
	}
	return error;
}

int MPI_Request_get_status(MPI_Request request, int *flag, MPI_Status *status)
{
	if (unlikely(!session_enter()))
		return PMPI_Request_get_status(request, flag, status);
	MPI_Status own;
	return session_leave(get_status(request, flag, status == MPI_STATUS_IGNORE ? &own : status));
}

static int request_free(MPI_Request *request)
{
	session_turn(SESSION_COMPLETES);
	struct shadow *shadow = shadow_of(*request);
	if (shadow && (shadow->flags & SHADOW_PERSISTENT))
		return interpose_free_persistent(request);
	if (shadow && (shadow->kind == SHADOW_RECEIVE || shadow->kind == SHADOW_DELIVERY)) {
		session_adopt_freed(shadow, *request);
		*request = MPI_REQUEST_NULL;
		return MPI_SUCCESS;
	}
	if (shadow) {
		/* The completion of a synchronous send is never learned: it brings no news. */
		session.synchronous_pending -= shadow->kind == SHADOW_SYNCHRONOUS;
		bool naming = shadow->kind == SHADOW_OTHER && shadow->spare == OTHER_NAMING;
		session.collectives_pending -= shadow->kind == SHADOW_COLLECTIVE || naming;
		interpose_files -= shadow->kind == SHADOW_OTHER && shadow->spare == OTHER_FILE;
		if (naming)
			interpose_forget_idup((struct naming *)(uintptr_t)shadow->extra);
		shadow_drop(&session.sequence.shadows, shadow);
	}
	return PMPI_Request_free(request);
}

int MPI_Request_free(MPI_Request *request)
{
	if (unlikely(request == NULL || !session_enter()))
		return PMPI_Request_free(request);
	return session_leave(request_free(request));
}

/* The receive may have been taken back, or not: what is known at once need not be waited for. */
static void cancelling(MPI_Request request)
{
	int complete = 0, cancelled = 0;
	MPI_Status status;
	recorder_ask(request, &complete, &status);
	if (complete)
		PMPI_Test_cancelled(&status, &cancelled);
	struct shadow *shadow = shadow_of(request);
	if (!complete)
		position_cancelling(&session.sequence, shadow);
	else if (cancelled)
		session_told_cancelled(shadow);
}

static int cancel(MPI_Request *request)
{
	session_turn(SESSION_COMPLETES);
	const struct shadow *shadow = shadow_of(*request);
	if (shadow == NULL && !interpose_untracked)
		return MPI_SUCCESS; /* a send, or complete: a cancelled send would change the count that a marker has told. The standard lets it complete */
	if (shadow && (shadow->kind == SHADOW_DELIVERY || shadow->kind == SHADOW_SYNCHRONOUS || shadow->kind == SHADOW_INACTIVE))
		return MPI_SUCCESS;
	int error = PMPI_Cancel(request);
	shadow = shadow_of(*request);
	if (error == MPI_SUCCESS && shadow && shadow->kind == SHADOW_RECEIVE)
		cancelling(*request);
	return error;
}

int MPI_Cancel(MPI_Request *request)
{
	if (unlikely(request == NULL || *request == MPI_REQUEST_NULL || !session_enter()))
		return PMPI_Cancel(request);
	return session_leave(cancel(request));
}

int MPI_Grequest_start(MPI_Grequest_query_function *query_fn, MPI_Grequest_free_function *free_fn,
		       MPI_Grequest_cancel_function *cancel_fn, void *extra_state, MPI_Request *request)
{
	if (unlikely(!session_enter()))
		return PMPI_Grequest_start(query_fn, free_fn, cancel_fn, extra_state, request);
	int error = PMPI_Grequest_start(query_fn, free_fn, cancel_fn, extra_state, request);
	struct shadow *shadow = error == MPI_SUCCESS ? interpose_shadow(*request, SHADOW_OTHER, 0) : NULL;
	if (shadow)
		shadow->spare = OTHER_OUTSIDE;
	return session_leave(error);
}
