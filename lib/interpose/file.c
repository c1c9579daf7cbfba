/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of files are the MPI library's own, and pass. They are only known, so that waits leave them to themselves: MPICH 4.0 fails in MPI_Testall, of
 * which our MPI_Waitall is made, and hangs in MPI_Request_get_status, where one of them is among the requests. */
#include <stdlib.h>

#include "interpose/inside.h"

uint32_t interpose_files;

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

#define FILE_REQUEST(name, parameters, arguments)                                                                              \
	int MPI_##name parameters                                                                                              \
	{                                                                                                                      \
		if (unlikely(!session_enter()))                                                                                \
			return PMPI_##name arguments;                                                                          \
		return session_leave(began(PMPI_##name arguments, request));                                                   \
	}

/* const_: const or nothing, for what is written or read. */
#define AT_POINTER(name, const_)                                                                                               \
	FILE_REQUEST(name, (MPI_File fh, const_ void *buf, int count, MPI_Datatype datatype, MPI_Request *request),            \
		     (fh, buf, count, datatype, request))
#define AT_OFFSET(name, const_)                                                                                                \
	FILE_REQUEST(name, (MPI_File fh, MPI_Offset offset, const_ void *buf, int count, MPI_Datatype datatype, MPI_Request *request), \
		     (fh, offset, buf, count, datatype, request))

AT_POINTER(File_iread, )
AT_POINTER(File_iread_all, )
AT_POINTER(File_iread_shared, )
AT_OFFSET(File_iread_at, )
AT_OFFSET(File_iread_at_all, )
AT_POINTER(File_iwrite, const)
AT_POINTER(File_iwrite_all, const)
AT_POINTER(File_iwrite_shared, const)
AT_OFFSET(File_iwrite_at, const)
AT_OFFSET(File_iwrite_at_all, const)

#if MPI_VERSION >= 4
#define AT_POINTER_C(name, const_)                                                                                             \
	FILE_REQUEST(name, (MPI_File fh, const_ void *buf, MPI_Count count, MPI_Datatype datatype, MPI_Request *request),      \
		     (fh, buf, count, datatype, request))
#define AT_OFFSET_C(name, const_)                                                                                              \
	FILE_REQUEST(name, (MPI_File fh, MPI_Offset offset, const_ void *buf, MPI_Count count, MPI_Datatype datatype,          \
		     MPI_Request *request), (fh, offset, buf, count, datatype, request))
AT_POINTER_C(File_iread_c, )
AT_POINTER_C(File_iread_all_c, )
AT_POINTER_C(File_iread_shared_c, )
AT_OFFSET_C(File_iread_at_c, )
AT_OFFSET_C(File_iread_at_all_c, )
AT_POINTER_C(File_iwrite_c, const)
AT_POINTER_C(File_iwrite_all_c, const)
AT_POINTER_C(File_iwrite_shared_c, const)
AT_OFFSET_C(File_iwrite_at_c, const)
AT_OFFSET_C(File_iwrite_at_all_c, const)
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
	int files = 0;
	for (int i = 0; i < count; i++)
		files += is_file(requests[i]);
	struct files_taken *taken = files ? malloc(sizeof *taken + (size_t)files * sizeof *taken->list) : NULL;
	if (taken == NULL)
		return NULL;
	taken->count = 0;
	for (int i = 0; i < count && taken->count < files; i++) {
		if (!is_file(requests[i]))
			continue;
		int complete = 0, error, n = taken->count++;
		taken->list[n].at = i;
		while ((error = PMPI_Test(&requests[i], &complete, &taken->list[n].status)) == MPI_SUCCESS && !complete)
			session_spin();
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
