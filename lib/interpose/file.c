/* SPDX-License-Identifier: BSD-3-Clause */
/* Files pass. Two things are looked at. What all that have opened a file do together is counted as a collective: a restart from cuts on different sides
 * of it would hang. And requests are known, so that waits leave them to themselves: MPICH 4.0 fails in MPI_Testall, of which our MPI_Waitall is
 * made, and hangs in MPI_Request_get_status, where one of them is among the requests. */
#include <stdlib.h>

#include "base/mix.h"
#include "interpose/inside.h"

uint32_t interpose_files;

/* --- together ------------------------------------------------------------------------------------------------------------------- */

/* Open files, as windows without epochs; what is done together is a fence. */
static struct epochs files;

static struct epochs_window *file_of(MPI_File fh)
{
	return files.slots ? epochs_find(&files, (uint64_t)(uintptr_t)fh) : NULL;
}

static int opened(int error, MPI_Comm comm, const MPI_File *fh)
{
	int index = comms_index(comm);
	if (error != MPI_SUCCESS || index == LEDGER_NO_COMM)
		return error;
	uint64_t members = mix64_pair(comms_members(index), 1);
	if ((files.slots == NULL && !epochs_open(&files, &session.ledger, 1)) ||
	    epochs_add(&files, (uint64_t)(uintptr_t)*fh, index, members, false) == NULL)
		session_unable("MPI_File_open", "there was no memory to follow a file");
	return error;
}

static void begin_together(MPI_File fh)
{
	session_turn(SESSION_COMPLETES);
	session_close_safepoint();
	struct epochs_window *file = file_of(fh);
	if (file)
		epochs_fence(&files, file, false, false);
}

int MPI_File_open(MPI_Comm comm, const char *filename, int amode, MPI_Info info, MPI_File *fh)
{
	if (unlikely(!session_enter()))
		return PMPI_File_open(comm, filename, amode, info, fh);
	begin_collective("MPI_File_open", comm, __builtin_return_address(0));
	session_outside(look_inside(LOOK_File, LEDGER_NO_COMM, -1));
	int error = PMPI_File_open(comm, filename, amode, info, fh);
	session_back();
	return session_leave(opened(error, comm, fh));
}

int MPI_File_close(MPI_File *fh)
{
	if (unlikely(fh == NULL || !session_enter()))
		return PMPI_File_close(fh);
	begin_together(*fh);
	struct epochs_window *file = file_of(*fh);
	session_outside(look_inside(LOOK_File, LEDGER_NO_COMM, -1));
	int error = PMPI_File_close(fh);
	session_back();
	if (file && error == MPI_SUCCESS)
		epochs_remove(&files, file);
	return session_leave(error);
}

#define TOGETHER(name, parameters, arguments)                                                                                  \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		begin_together(fh);                                                                                            \
		session_outside(look_inside(LOOK_File, LEDGER_NO_COMM, -1));                                                   \
		int error = PMPI_##name arguments;                                                                             \
		session_back();                                                                                                \
		return session_leave(error);                                                                                   \
	}

TOGETHER(File_set_size, (MPI_File fh, MPI_Offset size), (fh, size))
TOGETHER(File_preallocate, (MPI_File fh, MPI_Offset size), (fh, size))
TOGETHER(File_set_info, (MPI_File fh, MPI_Info info), (fh, info))
TOGETHER(File_set_view, (MPI_File fh, MPI_Offset disp, MPI_Datatype etype, MPI_Datatype filetype, const char *datarep, MPI_Info info),
	 (fh, disp, etype, filetype, datarep, info))
TOGETHER(File_set_atomicity, (MPI_File fh, int flag), (fh, flag))
TOGETHER(File_sync, (MPI_File fh), (fh))
TOGETHER(File_seek_shared, (MPI_File fh, MPI_Offset offset, int whence), (fh, offset, whence))

/* A way of reading or writing with all of its forms: at once, and split in two. items: int or MPI_Count. */
#define ALL(name, end, const_, items)                                                                                          \
	TOGETHER(name##end, (MPI_File fh, const_ void *buf, items count, MPI_Datatype datatype, MPI_Status *status),           \
		 (fh, buf, count, datatype, status))                                                                           \
	TOGETHER(name##_begin##end, (MPI_File fh, const_ void *buf, items count, MPI_Datatype datatype), (fh, buf, count, datatype))
#define ALL_AT(name, end, const_, items)                                                                                       \
	TOGETHER(name##end, (MPI_File fh, MPI_Offset offset, const_ void *buf, items count, MPI_Datatype datatype,             \
		 MPI_Status *status), (fh, offset, buf, count, datatype, status))                                              \
	TOGETHER(name##_begin##end, (MPI_File fh, MPI_Offset offset, const_ void *buf, items count, MPI_Datatype datatype),    \
		 (fh, offset, buf, count, datatype))
#define END(name, const_) TOGETHER(name##_end, (MPI_File fh, const_ void *buf, MPI_Status *status), (fh, buf, status))
#define ALL_WAYS(end, items)                                                                                                   \
	ALL(File_read_all, end, , items)                                                                                       \
	ALL(File_write_all, end, const, items)                                                                                 \
	ALL(File_read_ordered, end, , items)                                                                                   \
	ALL(File_write_ordered, end, const, items)                                                                             \
	ALL_AT(File_read_at_all, end, , items)                                                                                 \
	ALL_AT(File_write_at_all, end, const, items)

ALL_WAYS(, int)
END(File_read_all, )
END(File_write_all, const)
END(File_read_ordered, )
END(File_write_ordered, const)
END(File_read_at_all, )
END(File_write_at_all, const)
#if MPI_VERSION >= 4
ALL_WAYS(_c, MPI_Count)
#endif

/* --- requests --------------------------------------------------------------------------------------------------------------------- */

static int began(int error, const MPI_Request *request)
{
	/* What is complete when it is made may share its handle with others. */
	if (error != MPI_SUCCESS || *request == MPI_REQUEST_NULL || shadow_of(*request) != NULL)
		return error;
	struct shadow *shadow = interpose_shadow(*request, SHADOW_OTHER, 0);
	if (shadow) {
		shadow->spare = OTHER_FILE;
		interpose_files++;
	}
	return error;
}

#define FILE_REQUEST(name, together, parameters, arguments)                                                                    \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		if (together)                                                                                                  \
			begin_together(fh);                                                                                    \
		return session_leave(began(PMPI_##name arguments, request));                                                   \
	}

/* const_: const or nothing, for what is written or read. */
#define AT_POINTER(name, together, const_, items)                                                                              \
	FILE_REQUEST(name, together, (MPI_File fh, const_ void *buf, items count, MPI_Datatype datatype, MPI_Request *request), \
		     (fh, buf, count, datatype, request))
#define AT_OFFSET(name, together, const_, items)                                                                               \
	FILE_REQUEST(name, together, (MPI_File fh, MPI_Offset offset, const_ void *buf, items count, MPI_Datatype datatype,    \
		     MPI_Request *request), (fh, offset, buf, count, datatype, request))
#define REQUESTS(end, items)                                                                                                   \
	AT_POINTER(File_iread##end, false, , items)                                                                            \
	AT_POINTER(File_iread_all##end, true, , items)                                                                         \
	AT_POINTER(File_iread_shared##end, false, , items)                                                                     \
	AT_OFFSET(File_iread_at##end, false, , items)                                                                          \
	AT_OFFSET(File_iread_at_all##end, true, , items)                                                                       \
	AT_POINTER(File_iwrite##end, false, const, items)                                                                      \
	AT_POINTER(File_iwrite_all##end, true, const, items)                                                                   \
	AT_POINTER(File_iwrite_shared##end, false, const, items)                                                               \
	AT_OFFSET(File_iwrite_at##end, false, const, items)                                                                    \
	AT_OFFSET(File_iwrite_at_all##end, true, const, items)

REQUESTS(, int)
#if MPI_VERSION >= 4
REQUESTS(_c, MPI_Count)
#endif

/* --- in a wait for all ------------------------------------------------------------------------------------------------------------ */

struct files_taken {
	int count;
	struct { int at, error; MPI_Status status; } list[];
};

static bool is_file(MPI_Request request)
{
	const struct shadow *shadow = request == MPI_REQUEST_NULL ? NULL : shadow_of(request);
	return shadow && shadow->kind == SHADOW_OTHER && shadow->spare == OTHER_FILE;
}

struct files_taken *interpose_take_files(int count, MPI_Request *requests)
{
	int wanted = 0;
	for (int i = 0; i < count; i++)
		wanted += is_file(requests[i]);
	struct files_taken *taken = wanted ? malloc(sizeof *taken + (size_t)wanted * sizeof *taken->list) : NULL;
	if (taken == NULL)
		return NULL;
	taken->count = 0;
	for (int i = 0; i < count && taken->count < wanted; i++) {
		if (!is_file(requests[i]))
			continue;
		int complete = 0, error, n = taken->count++;
		taken->list[n].at = i;
		while ((error = PMPI_Test(&requests[i], &complete, &taken->list[n].status)) == MPI_SUCCESS && !complete)
			session_spin(LOOK_Waitall, SESSION_AWAITS_FILE, 0, 0);
		session_waited();
		taken->list[n].error = error;
	}
	return taken;
}

int interpose_give_files(struct files_taken *taken, int count, MPI_Status *statuses, int error)
{
	bool in_status = error == MPI_ERR_IN_STATUS;
	for (int i = 0; i < taken->count; i++)
		if (taken->list[i].error != MPI_SUCCESS)
			error = MPI_ERR_IN_STATUS;
	for (int i = 0; statuses != MPI_STATUSES_IGNORE && error == MPI_ERR_IN_STATUS && !in_status && i < count; i++)
		statuses[i].MPI_ERROR = MPI_SUCCESS;
	for (int i = 0; statuses != MPI_STATUSES_IGNORE && i < taken->count; i++) {
		statuses[taken->list[i].at] = taken->list[i].status;
		if (error == MPI_ERR_IN_STATUS)
			statuses[taken->list[i].at].MPI_ERROR = taken->list[i].error;
	}
	free(taken);
	return error;
}
