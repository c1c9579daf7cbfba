/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of a life that another has taken the place of. This is the one case in which Seamark ends a program: what such a life does is lost, and the files that the program writes, its output among them, are
 * written by its successor too. */
#include <mpi.h>
#include <unistd.h>

#include "base/log.h"
#include "session/inside.h"

enum { EXIT_SUPERSEDED = 76 };

/* In the writer's thread. The program's own, which may call MPI, ends it at its next poll; if none comes for some seconds, because it computes or waits inside MPI, or because an abort that nobody
 * answers hangs, this process ends, and its launcher the others. */
void superseded_noticed(const char *by, bool late)
{
	if (late)
		_exit(EXIT_SUPERSEDED);
	log_say(LOG_QUIET, "%s of this run has taken the place of this one in folder '%s': what this one has done since its last checkpoint is lost, and it is ended with status %d", by,
		store_folder(inside.store), EXIT_SUPERSEDED);
}

/* In the program's thread, in polls. */
void superseded_end(void)
{
	PMPI_Abort(MPI_COMM_WORLD, EXIT_SUPERSEDED);
}
