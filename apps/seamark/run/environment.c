/* SPDX-License-Identifier: BSD-3-Clause */
/* What `seamark run` sets in the environment of the launcher. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "run/run.h"
#include "slurm/slurm.h"

extern char **environ;

static bool has_argument(char *const *arguments, const char *wanted)
{
	for (; *arguments; arguments++)
		if (!strcmp(*arguments, wanted))
			return true;
	return false;
}

/* Under srun a TERM of Slurm's (preemption, scancel, the time limit) reaches the ranks themselves, which have some seconds then: they take a checkpoint, and leave. Open MPI's
 * mpirun ends them at a TERM, whatever they would do. */
static void take_term(char *const *arguments)
{
	const char *launcher = strrchr(arguments[0], '/'), *signal = getenv("SEAMARK_SIGNAL");

	launcher = launcher ? launcher + 1 : arguments[0];
	if (!slurm_own_job() || strcmp(launcher, "srun") || (signal && (!strcasecmp(signal, "TERM") || !strcasecmp(signal, "SIGTERM"))))
		return;
	setenv("SEAMARK_STOP_SIGNAL", "TERM", 0);
}

/* Open MPI's mpirun takes to other hosts only what it is told to: all of Seamark's settings, unless the user has said by its own options what is to go there. Other launchers take everything. */
static void name_settings(char *const *arguments)
{
	char list[4096] = "";
	size_t length = 0;

	if (getenv("OMPI_MCA_mca_base_env_list") || has_argument(arguments, "-x") || has_argument(arguments, "mca_base_env_list"))
		return;
	for (char **variable = environ; *variable; variable++) {
		size_t name = strcspn(*variable, "=");

		if (!strncmp(*variable, "SEAMARK_", 8) && length + name + 2 < sizeof list)
			length += (size_t)snprintf(list + length, sizeof list - length, "%s%.*s", length ? ";" : "", (int)name, *variable);
	}
	if (length)
		setenv("OMPI_MCA_mca_base_env_list", list, 1);
}

void run_set_environment(char *const *arguments)
{
	take_term(arguments);
	name_settings(arguments);
}
