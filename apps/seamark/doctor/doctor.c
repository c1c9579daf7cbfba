/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/settings.h"
#include "doctor/doctor.h"
#include "command/terminal.h"

static const char *const levels[] = { "fine", "note", "problem" };
static const enum terminal_colour colours[] = { TERMINAL_GOOD, TERMINAL_DOUBTFUL, TERMINAL_BAD };

void doctor_say(struct doctor *doctor, const char *check, enum doctor_level level, const char *format, ...)
{
	char *text;
	va_list list;

	doctor->problems += level == DOCTOR_PROBLEM;
	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		text = NULL;
	va_end(list);
	if (doctor->findings)
		json_array_append_new(doctor->findings, json_pack("{s:s, s:s, s:o}", "check", check, "level", levels[level], "text",
				      command_json_text(text ? text : "")));
	else
		terminal_print_filled(19, colours[level], levels[level], "%-9s %-8s %s", check, levels[level], text ? text : "");
	free(text);
}

/* The number of an option, or 0 where it is none. */
static unsigned number_of(const char *text)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && value <= 1 << 20 ? (unsigned)value : 0;
}

/* What a run would read from this environment. */
static void check_settings(struct doctor *doctor)
{
	struct settings settings;
	struct fault fault = FAULT_NONE;

	if (settings_load(&settings, environ, &fault))
		doctor_say(doctor, "settings", DOCTOR_PROBLEM, "%s", fault.text);
	else if (settings.off)
		doctor_say(doctor, "settings", DOCTOR_PROBLEM, "SEAMARK_OFF=1: Seamark does nothing at all");
	else
		doctor_say(doctor, "settings", DOCTOR_FINE, "those of this environment can be read");
	settings_tell_unknown(environ);
}

static void examine(struct doctor *doctor, const char *name, const char *folder, unsigned ranks)
{
	struct program seamark;
	struct fault fault = FAULT_NONE;
	const struct object *mpi;
	enum mpi_kind kind = MPI_KIND_NONE;

	if (program_load_seamark(&seamark, &fault))
		doctor_say(doctor, "library", DOCTOR_PROBLEM, "%s", fault.text);
	else if (!(mpi = program_find(&seamark, OBJECT_MPI)))
		doctor_say(doctor, "library", DOCTOR_PROBLEM, "%s does not find its MPI library", seamark.objects[0].path);
	else {
		kind = mpi_kind(mpi);
		doctor_say(doctor, "library", DOCTOR_FINE, "%s, built for %s (%s)", seamark.objects[0].path, mpi_kind_name(kind), mpi->path);
	}
	if (name) {
		enum mpi_kind own = doctor_program(doctor, name, &seamark);
		kind = own == MPI_KIND_NONE ? kind : own;
	}
	check_settings(doctor);
	doctor_launcher(doctor, kind);
	doctor_folder(doctor, folder);
	doctor_core(doctor, ranks);
	program_free(&seamark);
}

static int finish(struct doctor *doctor)
{
	int status = doctor->problems ? EXIT_PROBLEMS : EXIT_FINE;

	if (!doctor->report) {
		if (doctor->problems)
			command_print("%zu problem%s", doctor->problems, doctor->problems == 1 ? "" : "s");
		return status;
	}
	json_object_set_new(doctor->report, "problems", json_integer((json_int_t)doctor->problems));
	json_object_set_new(doctor->report, "findings", doctor->findings);
	return command_print_json(doctor->report) ? EXIT_CANNOT_READ : status;
}

/* How many operands there may be: after "--" the words that start a program. */
static int operands_most(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return INT_MAX;
	return 1;
}

static int examine_mpi(struct doctor *doctor, int argc, char **argv)
{
	int status = doctor_mpi(doctor, argc, argv);

	if (status == EXIT_FINE)
		return finish(doctor);
	json_decref(doctor->findings);
	json_decref(doctor->report);
	return status;
}

int command_doctor(int argc, char **argv)
{
	const char *folder = NULL, *ranks = NULL;
	int json = 0, mpi = 0, status;
	unsigned count = 0;
	const struct command_option options[] = {
		COMMAND_DIR(&folder),
		{ "ranks", "N", "so many ranks are to run on this node", &ranks, NULL },
		{ "mpi", NULL, "tries out the MPI library instead; after -- what starts a program, else 'mpirun -n 2'", NULL, &mpi },
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "doctor [--dir DIR] [--ranks N] [--json] [PROGRAM]\n       seamark doctor --mpi [--json] [-- LAUNCHER ARGUMENTS...]",
		"Looks at PROGRAM (or at an object that it loads) without running it, and at this machine, and says what would make its\n"
		"checkpoints void or fail: the MPI library it is linked to, the MPI calls in it and its libraries and what becomes of\n"
		"each, whether Seamark is linked or must be preloaded, the level of threads; the settings in the environment, the\n"
		"launcher, the folder of the checkpoints and its file system, and whether a core is left for the writer. Without\n"
		"PROGRAM: the machine alone.\n\n"
		"With --mpi: starts a small program, with your launcher, that tries which of the things hold that Seamark takes for\n"
		"granted of an MPI library beyond what the standard says: a minute at most on two ranks. Ranks on several nodes try\n"
		"what is between them: seamark doctor --mpi -- srun -N 2 -n 8\n\n"
		"Exit status: 0 nothing was found, 1 something would make checkpoints void or fail, 2 wrong usage,\n"
		"3 with --mpi: the program for it is not installed.", options, 0,
		operands_most(argc, argv) };
	struct doctor doctor = {0};

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (argc > 1 && !mpi) {
		command_complain("this is one too many: '%s'", argv[1]);
		return EXIT_USAGE;
	}
	if (ranks && !(count = number_of(ranks))) {
		command_complain("'%s' is not a number of ranks", ranks);
		return EXIT_USAGE;
	}
	if (json) {
		doctor.findings = json_array();
		doctor.report = json_object();
	}
	if (mpi)
		return examine_mpi(&doctor, argc, argv);
	examine(&doctor, argc ? argv[0] : NULL, command_folder(folder), count);
	return finish(&doctor);
}
