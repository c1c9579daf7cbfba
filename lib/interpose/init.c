/* SPDX-License-Identifier: BSD-3-Clause */
#include "interpose/inside.h"

static void begin(int thread_level)
{
	session_begin(thread_level);
	if (session.mode == SESSION_OFF)
		return;
	interpose_learn_errors();
	interpose_scan();
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
	/* What is under way ends in the delete callback that session_begin has set, which also runs when PMPI_Finalize is called directly. */
	session_finalizing();
	return PMPI_Finalize();
}
