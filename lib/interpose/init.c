/* SPDX-License-Identifier: BSD-3-Clause */
#include "interpose/inside.h"

/* Before main: a Fortran program reaches MPI_Init by a slot too. */
__attribute__((constructor)) static void load(void)
{
	if (session_load())
		interpose_slots(SLOTS_LOAD);
}

static void look_for_objects(bool quiet)
{
	interpose_slots(quiet ? SLOTS_QUIET : SLOTS_LATE);
}

static void begin(int thread_level)
{
	session_begin(thread_level);
	if (session.mode == SESSION_OFF)
		return;
	interpose_learn_errors();
	interpose_slots(SLOTS_INIT);
	session_on_objects(look_for_objects);
}

int MPI_Init(int *argc, char ***argv)
{
	int error = PMPI_Init(argc, argv), level;
	if (error != MPI_SUCCESS)
		return error;
	PMPI_Query_thread(&level);
	begin(level);
	return error;
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
	int error = PMPI_Init_thread(argc, argv, required, provided), level;
	if (error != MPI_SUCCESS)
		return error;
	PMPI_Query_thread(&level);
	begin(level);
	return error;
}

int MPI_Finalize(void)
{
	if (session_enter()) {
		interpose_free_types();
		session_leave(MPI_SUCCESS);
	}
	/* What is under way ends in the delete callback that session_begin has set, which also runs when PMPI_Finalize is called directly. */
	session_finalizing();
	return PMPI_Finalize();
}
