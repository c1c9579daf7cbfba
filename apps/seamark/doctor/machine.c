/* SPDX-License-Identifier: BSD-3-Clause */
/* What starts the ranks, and where the writer's thread would run. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "doctor/doctor.h"
#include "topology/topology.h"

/* --- launchers ------------------------------------------------------------------------------------------------------ */

/* In the order in which they are looked at. */
static const char *const launchers[] = { "mpirun", "mpiexec", "srun", "mpirun.openmpi", "mpirun.mpich", "mpiexec.hydra", "prterun" };

static bool find_in_path(const char *name, char *path, size_t room)
{
	const char *list = getenv("PATH");

	for (list = list ? list : ""; *list;) {
		size_t length = strcspn(list, ":");
		if (length && snprintf(path, room, "%.*s/%s", (int)length, list, name) < (int)room && !access(path, X_OK))
			return true;
		list += length + (list[length] == ':');
	}
	return false;
}

/* By the name it has behind all links, and by what it is linked to. */
static enum mpi_kind launcher_kind(const char *path)
{
	static const char *const open_mpi[] = { "libopen-rte.", "libopen-pal.", "libprrte.", "libpmix." };
	struct program program;
	char real[PATH_MAX];
	enum mpi_kind kind = MPI_KIND_OTHER;
	const char *library;

	if (!realpath(path, real))
		return kind;
	if (strstr(path_name(real), "hydra"))
		return MPI_KIND_MPICH;
	if (strstr(path_name(real), "orterun") || strstr(path_name(real), "prterun") || strstr(path_name(real), "openmpi"))
		return MPI_KIND_OPEN_MPI;
	if (!program_load(&program, real, NULL))
		for (size_t n = 0; (library = elf_dynamic(&program.objects[0].elf, DT_NEEDED, n)); n++)
			for (size_t i = 0; i < sizeof open_mpi / sizeof open_mpi[0]; i++)
				if (strncmp(library, open_mpi[i], strlen(open_mpi[i])) == 0)
					kind = MPI_KIND_OPEN_MPI;
	program_free(&program);
	return kind;
}

void doctor_launcher(struct doctor *doctor, enum mpi_kind kind)
{
	char path[PATH_MAX], wrong[PATH_MAX] = "";
	enum mpi_kind wrong_kind = MPI_KIND_NONE;
	bool found = false;

	for (size_t i = 0; i < sizeof launchers / sizeof launchers[0]; i++) {
		if (!find_in_path(launchers[i], path, sizeof path))
			continue;
		found = true;
		enum mpi_kind own = strcmp(launchers[i], "srun") == 0 ? MPI_KIND_OTHER : launcher_kind(path);
		if (own == MPI_KIND_OTHER) {
			doctor_say(doctor, "launcher", DOCTOR_NOTE, strcmp(launchers[i], "srun") == 0
				   ? "%s is Slurm's: it fits if it speaks the PMI of the MPI library (srun --mpi=list)"
				   : "%s: whose it is cannot be told", path);
			return;
		}
		if (kind == MPI_KIND_NONE || kind == MPI_KIND_OTHER || own == kind) {
			doctor_say(doctor, "launcher", *wrong ? DOCTOR_NOTE : DOCTOR_FINE, "%s is of %s%s%s%s", path, mpi_kind_name(own),
				   *wrong ? ": use it, not " : "", wrong, *wrong ? ", which is of another MPI" : "");
			return;
		}
		if (!*wrong)
			memcpy(wrong, path, sizeof wrong);
		wrong_kind = own;
	}
	if (!found)
		doctor_say(doctor, "launcher", DOCTOR_PROBLEM, "neither mpirun nor mpiexec nor srun is in PATH");
	else
		doctor_say(doctor, "launcher", DOCTOR_PROBLEM, "%s is of %s, which does not fit: every rank would be alone in a world of its own",
			   wrong, mpi_kind_name(wrong_kind));
}

/* --- the core for the writer ------------------------------------------------------------------------------------------ */

void doctor_core(struct doctor *doctor, unsigned ranks)
{
	struct topology *topology;
	struct fault fault = FAULT_NONE;
	double quota = limits_cpus("");
	unsigned cores, most;
	char limit[64] = "";

	if (topology_open(&topology, &fault)) {
		doctor_say(doctor, "core", DOCTOR_NOTE, "%s", fault.text);
		return;
	}
	cores = topology_count_cores(topology);
	topology_close(topology);
	most = cores > 0 ? cores - 1 : 0;
	if (isfinite(quota)) {
		snprintf(limit, sizeof limit, ", and the control group allows %.3g CPUs' worth of time", quota);
		if (ceil(quota) - 1 < most)
			most = quota > 1 ? (unsigned)(ceil(quota) - 1) : 0;
	}
	if (doctor->report)
		json_object_set_new(doctor->report, "ranks_with_a_spare_core", json_integer(most));
	if (!most || ranks > most)
		doctor_say(doctor, "core", DOCTOR_NOTE, "%u core%s allowed here%s: none is left for the writer%s, who takes time from a rank while it "
			   "writes", cores, cores == 1 ? " is" : "s are", limit, ranks > most && most ? " beside so many ranks" : "");
	else
		doctor_say(doctor, "core", DOCTOR_FINE, "%u cores are allowed here%s: beside up to %u rank%s one is free for the writer", cores, limit,
			   most, most == 1 ? "" : "s");
}
