/* SPDX-License-Identifier: BSD-3-Clause */
/* A scenario says how many processes it wants, so nobody should have to say it twice: without mpirun, bank starts it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bank.h"
#include "scenario.h"

static bool is_launched(void)
{
	static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "PMIX_RANK", "SLURM_PROCID"};

	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (getenv(signs[i]) != NULL)
			return true;
	return false;
}

/* Makes the scenario the standard input, which the launcher hands to rank 0. */
static bool put_into_input(const struct scenario *scenario)
{
	int descriptor = memfd_create("scenario", 0);
	FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
	bool done = file != NULL && scenario_write(scenario, file) && lseek(descriptor, 0, SEEK_SET) == 0 &&
		    dup2(descriptor, STDIN_FILENO) == STDIN_FILENO;

	if (!done)
		fprintf(stderr, "bank: cannot hand on the scenario: %s\n", strerror(errno));
	if (file != NULL)
		fclose(file);
	return done;
}

static int become_launcher(const struct bank_options *options, int64_t processes, const char *program)
{
	const char *launcher = getenv("MPIEXEC");
	char path[4096], count[32];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

	if (length > 0) {
		path[length] = '\0';
		program = path;
	}
	if (launcher == NULL)
		launcher = BANK_LAUNCHER;
	snprintf(count, sizeof count, "%lld", (long long)processes);
	/* Open MPI: the processes of a scenario may be more than the cores. */
	setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 0);
	if (options->example)
		execlp(launcher, launcher, "-n", count, program, "--example", (char *)NULL);
	else
		execlp(launcher, launcher, "-n", count, program, "--script", "-", options->delay ? "--delay" : (char *)NULL,
		       (char *)NULL);
	fprintf(stderr, "bank: cannot start '%s': %s\n", launcher, strerror(errno));
	return BANK_TROUBLE;
}

int bank_launch(const struct bank_options *options, const char *program)
{
	struct scenario scenario;

	if ((options->script == NULL && !options->example) || is_launched())
		return 0;
	if (options->example)
		return become_launcher(options, 3, program);
	if (!scenario_open(&scenario, options->script))
		return BANK_TROUBLE;
	int status = put_into_input(&scenario) ? become_launcher(options, scenario.processes, program) : BANK_TROUBLE;
	scenario_free(&scenario);
	return status;
}
