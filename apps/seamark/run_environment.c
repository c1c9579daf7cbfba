/* SPDX-License-Identifier: BSD-3-Clause */
/* What `seamark run` sets in the environment of the launcher. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

extern char **environ;

static bool has_argument(char *const *arguments, const char *wanted)
{
	for (; *arguments; arguments++)
		if (!strcmp(*arguments, wanted))
			return true;
	return false;
}

/* Open MPI's mpirun takes to other hosts only what it is told to: all of Seamark's settings, unless the user has said by its own options what is to go there. Other launchers take everything. */
void run_set_environment(char *const *arguments)
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
