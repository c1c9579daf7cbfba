/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor --mpi: the program seamark-assumptions, started by the launcher that the user's programs are started by, says which of the things hold that Seamark
 * takes for granted of an MPI library. It tells a line for each, with tabs. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor/doctor.h"

enum { FIELDS = 5, LAUNCH_MOST = 128 };

/* --- starting it ----------------------------------------------------------------------------------------------------- */

/* Beside this command in the tree it was built in, else where it was installed. */
static bool find_program(char *path, size_t room)
{
	static const char *const places[] = {"seamark-assumptions", DOCTOR_LIBEXEC "/seamark-assumptions"};
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);

	if (length < 0)
		return false;
	own[length] = 0;
	*strrchr(own, '/') = 0;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		snprintf(path, room, "%s/%s", own, places[i]);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Its standard output; standard error stays the user's. */
static FILE *launch(char *const *arguments, pid_t *child)
{
	int ends[2];
	FILE *from = NULL;

	if (pipe(ends) < 0)
		return NULL;
	*child = fork();
	if (*child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		setenv("SEAMARK_OFF", "1", 1); /* should Seamark be preloaded into everything */
		execvp(arguments[0], arguments);
		command_complain("cannot start '%s': %s", arguments[0], strerror(errno));
		_exit(127);
	}
	close(ends[1]);
	if (*child > 0)
		from = fdopen(ends[0], "r");
	if (!from)
		close(ends[0]);
	return from;
}

/* --- what it says ---------------------------------------------------------------------------------------------------- */

static int split(char *line, char **fields)
{
	int count = 0;

	line[strcspn(line, "\n")] = 0;
	while (count < FIELDS && line)
		fields[count++] = strsep(&line, "\t");
	return count;
}

struct told {
	struct doctor *doctor;
	json_t *list;      /* null: as lines */
	size_t checks;
};

static void say(struct told *told, char **fields)
{
	const char *name = fields[0], *verdict = fields[1], *claim = fields[2], *text = fields[3], *without = fields[4];
	const bool fails = strcmp(verdict, "does not hold") == 0, holds = strcmp(verdict, "holds") == 0;

	told->checks++;
	told->doctor->problems += fails;
	if (told->list) {
		json_array_append_new(told->list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", command_json_text(name), "holds",
				      holds || fails ? json_boolean(holds) : json_null(), "assumed", command_json_text(claim), "seen",
				      command_json_text(text), "without", command_json_text(without)));
		return;
	}
	command_print("%-18s %-14s %s", name, verdict, text);
	if (fails) {
		command_print("    assumed: %s", claim);
		command_print("    without it: %s", without);
	}
}

/* Lines that are not its own are the launcher's. */
static void read_all(struct told *told, FILE *from)
{
	char *line = NULL, *fields[FIELDS];
	size_t room = 0;

	while (getline(&line, &room, from) > 0) {
		char *copy = strdup(line);
		int count = split(line, fields);
		if (count == FIELDS)
			say(told, fields);
		else if (count == 3 && strcmp(fields[0], "library") == 0 && told->list)
			json_object_set_new(told->doctor->report, "library", command_json_text(fields[1])),
			json_object_set_new(told->doctor->report, "ranks", json_integer(atoi(fields[2])));
		else if (count == 3 && strcmp(fields[0], "library") == 0)
			command_print("%s, %s ranks", fields[1], fields[2]);
		else
			fputs(copy ? copy : "", stderr);
		free(copy);
	}
	free(line);
}

static void say_how_it_ended(struct told *told, const char *launcher, int status)
{
	char text[PATH_MAX + 100] = "";

	if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "'%s' was ended by signal %d", launcher, WTERMSIG(status));
	else if (WEXITSTATUS(status) > 1)
		snprintf(text, sizeof text, "'%s' ended with %d", launcher, WEXITSTATUS(status));
	else if (told->checks == 0)
		snprintf(text, sizeof text, "'%s' has started nothing that tells of the MPI library", launcher);
	if (!*text)
		return;
	told->doctor->problems++;
	if (told->list)
		json_object_set_new(told->doctor->report, "trouble", command_json_text(text));
	else
		command_complain("%s", text);
}

int doctor_mpi(struct doctor *doctor, int count, char **launcher)
{
	static char *usual[] = {(char *)DOCTOR_LAUNCHER, (char *)"-n", (char *)"2"};
	char path[PATH_MAX * 2], *arguments[LAUNCH_MOST + 4];
	struct told told = {.doctor = doctor, .list = doctor->report ? json_array() : NULL};
	int status = 0;
	pid_t child;

	if (count == 0) {
		launcher = usual;
		count = 3;
	}
	if (count > LAUNCH_MOST || !find_program(path, sizeof path)) {
		json_decref(told.list);
		command_complain(count > LAUNCH_MOST ? "too many words for the launcher" : "the program seamark-assumptions is not installed beside this command");
		return EXIT_CANNOT_READ;
	}
	memcpy(arguments, launcher, (size_t)count * sizeof *launcher);
	arguments[count] = path;
	arguments[count + 1] = (char *)"--records";
	arguments[count + 2] = NULL;
	fflush(stdout);
	FILE *from = launch(arguments, &child);
	if (!from) {
		json_decref(told.list);
		command_complain("cannot start '%s': %s", launcher[0], strerror(errno));
		return EXIT_CANNOT_READ;
	}
	read_all(&told, from);
	fclose(from);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	say_how_it_ended(&told, launcher[0], status);
	if (told.list)
		json_object_set_new(doctor->report, "assumptions", told.list);
	return EXIT_FINE;
}
