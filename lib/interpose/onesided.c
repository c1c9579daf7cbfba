/* SPDX-License-Identifier: BSD-3-Clause */
/* One-sided communication passes as it is. What is followed are the epochs: whether a cut may be made, and what may come after it (channel/epochs.h). */
#include <stdlib.h>

#include "base/log.h"
#include "interpose/inside.h"
#include "interpose/objects.h"

static struct epochs_window *window_of(MPI_Win win)
{
	return epochs_find(&session.epochs, (uint64_t)(uintptr_t)win);
}

static void unknown(const char *function, const void *caller)
{
	if (interpose_untracked || objects_is_in_mpi(caller))
		return;
	interpose_untracked = true;
	session_unable(function, "it was called on a window that was made where Seamark did not see it");
}

/* --- windows made and freed ------------------------------------------------------------------------------------------------- */

static int made(const char *function, int error, MPI_Comm comm, const MPI_Win *win, bool shared)
{
	int index = comms_index(comm);
	if (error != MPI_SUCCESS || index == LEDGER_NO_COMM)
		return error;
	struct epochs_window *window =
		epochs_add(&session.epochs, (uint64_t)(uintptr_t)*win, index, comms_members(index), shared);
	if (window == NULL)
		session_unable(function, "there was no memory to follow a window");
	else if (shared && window->members > 1)
		log_say(LOG_INFO, "%s: what is read and written in it directly is not seen: let a barrier stand on both sides of each safepoint",
			function);
	return error;
}

#define WINDOW(name, shared, parameters, arguments)                                                                            \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		begin_collective("MPI_" #name, comm, __builtin_return_address(0));                                             \
		session_outside(look_inside(LOOK_Window, LEDGER_NO_COMM, -1));                                                 \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		return session_leave(made("MPI_" #name, error, comm, win, shared));                                            \
	}

/* --- operations ------------------------------------------------------------------------------------------------------------- */

static void operate_in_snapshot(const struct epochs_window *window, int target)
{
	if (window && target != MPI_PROC_NULL)
		session_one_sided(window, target);
}

static inline void operate(const char *function, MPI_Win win, int target, const void *caller)
{
	if (unlikely(session_in_snapshot()))
		session_poll();
	session_close_safepoint();
	struct epochs_window *window = window_of(win);
	if (unlikely(window == NULL))
		unknown(function, caller);
	else if (likely(target != MPI_PROC_NULL))
		epochs_operate(&session.epochs, window, target);
	if (unlikely(session_in_snapshot()))
		operate_in_snapshot(window, target);
}

#define OPERATION(name, parameters, arguments)                                                                                 \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		operate("MPI_" #name, win, target_rank, __builtin_return_address(0));                                          \
		session_outside(look_inside(LOOK_Window, LEDGER_NO_COMM, -1));                                                 \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		return session_leave(error);                                                                                   \
	}

#include "interpose/onesided.h"

/* --- epochs ----------------------------------------------------------------------------------------------------------------- */

/* Begins a call that is about an epoch; null: the window is not known. */
static struct epochs_window *begin_epoch(const char *function, MPI_Win win, const void *caller)
{
	session_turn(SESSION_COMPLETES);
	session_close_safepoint();
	struct epochs_window *window = window_of(win);
	if (window == NULL)
		unknown(function, caller);
	return window;
}

/* EPOCH(name, (parameters), (arguments), what follows from its success) */
#define EPOCH(name, parameters, arguments, then)                                                                               \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		struct epochs_window *window = begin_epoch("MPI_" #name, win, __builtin_return_address(0));                    \
		session_outside(look_inside(LOOK_Window, LEDGER_NO_COMM, -1));                                                 \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		if (likely(window != NULL && error == MPI_SUCCESS))                                                            \
			then;                                                                                                  \
		return session_leave(error);                                                                                   \
	}

static void lock(struct epochs_window *window, int rank)
{
	if (rank != MPI_PROC_NULL)
		epochs_lock(&session.epochs, window);
}

static void unlock(struct epochs_window *window, int rank)
{
	if (rank != MPI_PROC_NULL)
		epochs_unlock(&session.epochs, window);
}

EPOCH(Win_lock, (int lock_type, int rank, int assert, MPI_Win win), (lock_type, rank, assert, win), lock(window, rank))
EPOCH(Win_unlock, (int rank, MPI_Win win), (rank, win), unlock(window, rank))
EPOCH(Win_lock_all, (int assert, MPI_Win win), (assert, win), epochs_lock(&session.epochs, window))
EPOCH(Win_unlock_all, (MPI_Win win), (win), epochs_unlock(&session.epochs, window))

/* The members of a group, as numbers in the window; null: no memory. */
static int *members_of(MPI_Group group, MPI_Win win, int *count)
{
	MPI_Group all;
	*count = 0;
	PMPI_Group_size(group, count);
	int *members = malloc((2 * (size_t)*count + 1) * sizeof *members);
	if (members == NULL || PMPI_Win_get_group(win, &all) != MPI_SUCCESS) {
		free(members);
		return NULL;
	}
	for (int i = 0; i < *count; i++)
		members[*count + i] = i;
	PMPI_Group_translate_ranks(group, *count, members + *count, all, members);
	PMPI_Group_free(&all);
	return members;
}

typedef void beginning(struct epochs *epochs, struct epochs_window *window, const int *members, int count);

static void begin_pairs(const char *function, beginning *begin, struct epochs_window *window, MPI_Group group, MPI_Win win)
{
	int count, *members = members_of(group, win, &count);
	if (members)
		begin(&session.epochs, window, members, count);
	else
		session_unable(function, "there was no memory to follow its epoch");
	free(members);
}

EPOCH(Win_start, (MPI_Group group, int assert, MPI_Win win), (group, assert, win),
      begin_pairs("MPI_Win_start", epochs_start, window, group, win))
EPOCH(Win_complete, (MPI_Win win), (win), epochs_complete(&session.epochs, window))
EPOCH(Win_post, (MPI_Group group, int assert, MPI_Win win), (group, assert, win),
      begin_pairs("MPI_Win_post", epochs_post, window, group, win))
EPOCH(Win_wait, (MPI_Win win), (win), epochs_waited(&session.epochs, window))

static void tested(struct epochs_window *window, int flag)
{
	if (flag)
		epochs_waited(&session.epochs, window);
}

EPOCH(Win_test, (MPI_Win win, int *flag), (win, flag), tested(window, *flag))

/* --- meetings --------------------------------------------------------------------------------------------------------------- */

int MPI_Win_fence(int assert, MPI_Win win)
{
	if (unlikely(!session_enter()))
		return PMPI_Win_fence(assert, win);
	struct epochs_window *window = begin_epoch("MPI_Win_fence", win, __builtin_return_address(0));
	const uint64_t number = session.epochs.number;
	bool meets = window && epochs_fence(&session.epochs, window, assert & MPI_MODE_NOPRECEDE, assert & MPI_MODE_NOSUCCEED);
	session_outside(look_inside(LOOK_Window, LEDGER_NO_COMM, -1));
	int error = PMPI_Win_fence(assert, win);
	session_back();
	if (meets && error == MPI_SUCCESS)
		epochs_met(&session.epochs, window->world, window->members, number);
	return session_leave(error);
}

int MPI_Win_free(MPI_Win *win)
{
	if (unlikely(!session_enter()))
		return PMPI_Win_free(win);
	struct epochs_window *window = win ? begin_epoch("MPI_Win_free", *win, __builtin_return_address(0)) : NULL;
	session_outside(look_inside(LOOK_Window, LEDGER_NO_COMM, -1));
	int error = PMPI_Win_free(win);
	session_back();
	if (window && error == MPI_SUCCESS)
		epochs_remove(&session.epochs, window);
	return session_leave(error);
}

void interpose_met(MPI_Comm comm, MPI_Datatype type, uint64_t number)
{
	int index = comms_index(comm), size = 0;
	if (index == LEDGER_NO_COMM || session.ledger.comms[index].kind != LEDGER_COMM_INTRA)
		return;
	PMPI_Type_size(type, &size);
	if (size != 0)
		epochs_met(&session.epochs, session.ledger.comms[index].world, session.ledger.comms[index].peers, number);
}
