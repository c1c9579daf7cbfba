/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls that pass Seamark by without being counted. */
#include <stdio.h>

#include "interpose/inside.h"
#include "interpose/objects.h"

void interpose_uncounted(const char *function, MPI_Comm comm, const void *caller)
{
	char text[160], name[MPI_MAX_OBJECT_NAME + 1] = "";
	int length;
	if (interpose_untracked || objects_is_in_mpi(caller))
		return;
	interpose_untracked = true;
	PMPI_Comm_get_name(comm, name, &length);
	snprintf(text, sizeof text, "it was called on a communicator%s%.80s%s that was made where Seamark did not see it", *name ? " '" : "",
		 name, *name ? "'" : "");
	session_unable(function, text);
}
