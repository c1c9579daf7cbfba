/* SPDX-License-Identifier: BSD-3-Clause */
/* What a program and its libraries say of MPI and of Seamark, before they run. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "doctor/doctor.h"
#include "interpose/coverage.h"

/* --- MPI calls ------------------------------------------------------------------------------------------------------ */

struct call {
	const struct coverage *row; /* null: the table does not have it */
	const char *name;
	const struct object *by;    /* the first that imports it */
	bool uncovered;             /* the table says that Seamark sees it, and this libseamark has no wrapper */
};

struct calls {
	struct call *list;
	size_t count;
	bool fortran;
	const struct object *below; /* an object that calls functions by their PMPI_ names */
	const char *below_name;
	const struct object *dlopens;
};

static const struct coverage *fortran_row(const char *symbol)
{
	const struct coverage *row;

	for (size_t i = 0; (row = coverage_at(i)); i++)
		if (row->name && coverage_is_in_fortran(symbol, row->name))
			return row;
	return NULL;
}

static void add_call(struct calls *calls, const struct coverage *row, const char *name, const struct object *by)
{
	struct call *more;

	for (size_t i = 0; i < calls->count; i++)
		if (strcmp(calls->list[i].name, row ? row->name : name) == 0)
			return;
	more = realloc(calls->list, (calls->count + 1) * sizeof *more);
	if (!more)
		return;
	calls->list = more;
	more[calls->count++] = (struct call){ row, row ? row->name : name, by, false };
}

static void add_import(struct calls *calls, const char *name, const struct object *by, const struct object *mpi)
{
	const struct coverage *row;

	if (coverage_is_function(name)) {
		row = coverage_of(name);
		/* A name that nobody knows is MPI's only if the library has it. */
		if (row || (mpi && elf_defines(&mpi->elf, name)))
			add_call(calls, row, name, by);
	} else if (strncmp(name, "PMPI_", 5) == 0 && coverage_is_function(name + 1)) {
		row = coverage_of(name + 1);
		if (row && row->treatment != COVERAGE_PASSES && !calls->below) {
			calls->below = by;
			calls->below_name = name;
		}
	} else if (strncasecmp(name, "mpi_", 4) == 0 && (row = fortran_row(name))) {
		calls->fortran = true;
		add_call(calls, row, name, by);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct call *)a)->name, ((const struct call *)b)->name);
}

static void collect(struct calls *calls, const struct program *program, const struct object *seamark)
{
	const struct object *mpi = program_find(program, OBJECT_MPI);
	struct elf_symbol symbol;

	for (size_t i = 0; i < program->count; i++) {
		const struct object *object = &program->objects[i];
		size_t before = calls->count;

		if (object->role != OBJECT_PLAIN)
			continue;
		for (size_t n = 0; elf_symbol(&object->elf, &object->elf.imports, n, &symbol); n++)
			if (symbol.imported)
				add_import(calls, symbol.name, object, mpi);
		for (size_t n = 0; (i == 0 || calls->count > before) && !calls->dlopens &&
				   elf_symbol(&object->elf, &object->elf.imports, n, &symbol); n++)
			if (symbol.imported && strcmp(symbol.name, "dlopen") == 0)
				calls->dlopens = object;
	}
	for (size_t i = 0; seamark && i < calls->count; i++) {
		const struct coverage *row = calls->list[i].row;
		calls->list[i].uncovered = row && row->treatment != COVERAGE_PASSES && !elf_defines(&seamark->elf, row->name);
	}
	if (calls->count)
		qsort(calls->list, calls->count, sizeof *calls->list, by_name);
}

/* --- telling of them ------------------------------------------------------------------------------------------------- */

static void tell_group(struct doctor *doctor, const struct calls *calls, enum coverage_treatment treatment, json_t *lists)
{
	json_t *list = json_array();
	char *text = NULL;
	size_t size;
	FILE *line = open_memstream(&text, &size);

	for (size_t i = 0; line && i < calls->count; i++)
		if (calls->list[i].row && calls->list[i].row->treatment == treatment) {
			fprintf(line, " %s", calls->list[i].name);
			json_array_append_new(list, command_json_text(calls->list[i].name));
		}
	if (line && !fclose(line) && json_array_size(list) && treatment != COVERAGE_MAKES_VOID)
		doctor_say(doctor, "calls", DOCTOR_FINE, "%s:%s", coverage_word(treatment), text);
	free(text);
	if (lists)
		json_object_set(lists, treatment == COVERAGE_MAKES_VOID ? "void" : coverage_word(treatment), list);
	json_decref(list);
}

static const char *told_by(const struct program *program, const struct call *call, char *text, size_t room)
{
	*text = 0;
	if (call->by != program->objects)
		snprintf(text, room, " (%.90s calls it)", path_name(call->by->path));
	return text;
}

static void tell_void(struct doctor *doctor, const struct program *program, const struct calls *calls, json_t *unknown)
{
	char by[128];

	for (size_t i = 0; i < calls->count; i++) {
		const struct call *call = &calls->list[i];

		told_by(program, call, by, sizeof by);
		if (!call->row) {
			doctor_say(doctor, "calls", DOCTOR_PROBLEM, "%s%s is not known to this Seamark: checkpoints are void from the start", call->name,
				   by);
			if (unknown)
				json_array_append_new(unknown, command_json_text(call->name));
		} else if (strncmp(call->row->note, "at the start", 12) == 0) {
			doctor_say(doctor, "calls", DOCTOR_PROBLEM, "%s%s makes checkpoints void from the start", call->name, by);
		} else if (call->uncovered) {
			doctor_say(doctor, "calls", DOCTOR_PROBLEM, "%s%s makes checkpoints void from the start: libseamark.so was built with an MPI library "
				   "that lacks it; build Seamark with the one that the program uses", call->name, by);
		} else if (call->row->treatment == COVERAGE_MAKES_VOID) {
			doctor_say(doctor, "calls", DOCTOR_PROBLEM, "%s%s makes checkpoints void from its first use on%s%s", call->name, by,
				   *call->row->note ? ": " : "", call->row->note);
		}
	}
}

/* What the table notes about calls that can stand in a checkpoint's way, once for all that have the same note. */
static void tell_notes(struct doctor *doctor, const struct calls *calls)
{
	for (size_t i = 0; i < calls->count; i++) {
		const struct coverage *row = calls->list[i].row;
		size_t others = 0;
		bool told = false;

		if (!row || row->treatment == COVERAGE_MAKES_VOID ||
		    (!strstr(row->note, "void") && !strstr(row->note, "no cut")))
			continue;
		for (size_t n = 0; n < calls->count; n++)
			if (n != i && calls->list[n].row && strcmp(calls->list[n].row->note, row->note) == 0) {
				told |= n < i;
				others++;
			}
		const char *note = strncmp(row->note, "watched: ", 9) == 0 ? row->note + 9 : row->note;
		char more[40] = "";
		if (others)
			snprintf(more, sizeof more, " and %zu more", others);
		if (!told)
			doctor_say(doctor, "calls", DOCTOR_NOTE, "%s%s: %s", row->name, more, note);
	}
}

static void tell_calls(struct doctor *doctor, const struct program *program, const struct calls *calls)
{
	json_t *lists = doctor->report ? json_object() : NULL, *unknown = doctor->report ? json_array() : NULL;

	if (!calls->count)
		doctor_say(doctor, "calls", DOCTOR_NOTE, "no MPI call is in the program or in its libraries");
	for (enum coverage_treatment t = 0; t < COVERAGE_TREATMENTS; t++)
		tell_group(doctor, calls, t, lists);
	tell_notes(doctor, calls);
	tell_void(doctor, program, calls, unknown);
	if (calls->below)
		doctor_say(doctor, "calls", DOCTOR_FINE, "%s calls %s, and maybe more by such names: they are led to Seamark",
			   path_name(calls->below->path), calls->below_name);
	if (calls->dlopens)
		doctor_say(doctor, "calls", DOCTOR_NOTE, "%s loads objects while it runs (dlopen): what those call is not known",
			   path_name(calls->dlopens->path));
	if (lists) {
		json_object_set_new(lists, "unknown", unknown);
		json_object_set_new(doctor->report, "calls", lists);
	}
}

static bool calls_function(const struct calls *calls, const char *name)
{
	for (size_t i = 0; i < calls->count; i++)
		if (strcmp(calls->list[i].name, name) == 0)
			return true;
	return false;
}

static void tell_threads(struct doctor *doctor, const struct calls *calls)
{
	if (calls_function(calls, "MPI_Init_thread"))
		doctor_say(doctor, "threads", DOCTOR_NOTE, "MPI_Init_thread asks for a level that is known when the program runs; with "
			   "MPI_THREAD_MULTIPLE there is a rule for safepoints (docs/mpi-calls.md, Threads)");
	else if (calls_function(calls, "MPI_Init"))
		doctor_say(doctor, "threads", DOCTOR_FINE, "MPI_Init: one thread calls MPI");
}

static void tell_fortran(struct doctor *doctor, const struct program *program, const struct calls *calls)
{
	const struct object *binding = program_find(program, OBJECT_BINDING);

	if (calls->fortran)
		doctor_say(doctor, "fortran", DOCTOR_FINE, "calls MPI from Fortran%s%s: the calls are led to Seamark", binding ? " through " : "",
			   binding ? path_name(binding->path) : "");
}

/* --- libraries -------------------------------------------------------------------------------------------------------- */

static bool has_mpi_inside(const struct object *object)
{
	struct elf_symbol symbol;

	for (size_t i = 0; elf_symbol(&object->elf, &object->elf.own, i, &symbol); i++)
		if (!symbol.imported && strcmp(symbol.name, "PMPI_Comm_dup") == 0)
			return true;
	return false;
}

static void tell_mpi(struct doctor *doctor, const struct program *program, const struct program *seamark)
{
	const struct object *mpi = program_find(program, OBJECT_MPI), *ours = program_find(seamark, OBJECT_MPI);
	const char *name, *our_name;

	if (!mpi) {
		doctor_say(doctor, "mpi", DOCTOR_NOTE, program->missing_count ? "which MPI library it would use is not known: a library is missing"
			   : "linked to no MPI library: if one is loaded while it runs, as Python does, ask about the object that is linked to it");
		return;
	}
	name = elf_dynamic(&mpi->elf, DT_SONAME, 0);
	name = name ? name : path_name(mpi->path);
	our_name = ours ? elf_dynamic(&ours->elf, DT_SONAME, 0) : NULL;
	for (size_t i = 0; i < program->count; i++)
		if (program->objects[i].role == OBJECT_MPI && &program->objects[i] != mpi)
			doctor_say(doctor, "mpi", DOCTOR_PROBLEM, "two MPI libraries would be loaded: %s and %s", mpi->path,
				   program->objects[i].path);
	if (!ours)
		doctor_say(doctor, "mpi", DOCTOR_NOTE, "linked to %s (%s)", mpi_kind_name(mpi_kind(mpi)), mpi->path);
	else if (mpi_kind(mpi) != mpi_kind(ours) || !our_name || strcmp(name, our_name) != 0)
		doctor_say(doctor, "mpi", DOCTOR_PROBLEM, "linked to %s (%s), but libseamark.so was built for %s (%s): build Seamark with the "
			   "library that the program uses", mpi_kind_name(mpi_kind(mpi)), mpi->path, mpi_kind_name(mpi_kind(ours)), ours->path);
	else if (mpi->device != ours->device || mpi->inode != ours->inode)
		doctor_say(doctor, "mpi", DOCTOR_NOTE, "linked to %s (%s); libseamark.so finds it elsewhere (%s), which is well if they are of one "
			   "version", mpi_kind_name(mpi_kind(mpi)), mpi->path, ours->path);
	else
		doctor_say(doctor, "mpi", DOCTOR_FINE, "linked to %s (%s), as libseamark.so is", mpi_kind_name(mpi_kind(mpi)), mpi->path);
}

static bool imports(const struct program *program, const char *name)
{
	struct elf_symbol symbol;

	for (size_t i = 0; i < program->count; i++)
		for (size_t n = 0; program->objects[i].role == OBJECT_PLAIN &&
				   elf_symbol(&program->objects[i].elf, &program->objects[i].elf.imports, n, &symbol); n++)
			if (symbol.imported && strcmp(symbol.name, name) == 0)
				return true;
	return false;
}

static void tell_seamark(struct doctor *doctor, const struct program *program, const struct program *seamark)
{
	const struct object *linked = program_find(program, OBJECT_SEAMARK), *mpi = program_find(program, OBJECT_MPI);
	bool protects = imports(program, "seamark_protect") || imports(program, "seamark_protect_with");
	bool safepoints = imports(program, "seamark_safepoint") || imports(program, "seamark_checkpoint");

	if (linked && mpi && linked > mpi)
		doctor_say(doctor, "seamark", DOCTOR_PROBLEM, "linked behind the MPI library, whose functions are found first: put -lseamark before "
			   "it, or preload %s", linked->path);
	else if (linked)
		doctor_say(doctor, "seamark", DOCTOR_FINE, "linked with %s", linked->path);
	else if (seamark->count)
		doctor_say(doctor, "seamark", DOCTOR_NOTE, "not linked with Seamark: start it with LD_PRELOAD=%s", seamark->objects[0].path);
	if (!protects || !safepoints)
		doctor_say(doctor, "seamark", DOCTOR_NOTE, "it calls %s: nothing of it is saved until it does",
			   protects ? "no seamark_safepoint" : safepoints ? "no seamark_protect" : "neither seamark_protect nor seamark_safepoint");
}

/* --- programs that are none ---------------------------------------------------------------------------------------------- */

/* A script is told as such; false: it is none. */
static bool tell_script(struct doctor *doctor, const char *path)
{
	char line[256] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
	size_t length = strlen(path);
	bool python = length > 3 && strcmp(path + length - 3, ".py") == 0;

	if (fd >= 0)
		close(fd);
	if (got < 0 || (strncmp(line, "#!", 2) && !python))
		return false;
	line[strcspn(line, "\n")] = 0;
	if (python || strstr(line, "python"))
		doctor_say(doctor, "program", DOCTOR_NOTE, "a Python script: which MPI calls it makes is not known before it runs. It must "
			   "import seamark before mpi4py, or be started with libseamark.so preloaded. Ask about mpi4py's own object "
			   "(mpi4py.MPI.__file__) for what that is linked to");
	else
		doctor_say(doctor, "program", DOCTOR_NOTE, "a script for %s: ask about the program that it starts", line + 2);
	return true;
}

static bool is_static(const struct elf *elf)
{
	return !elf->has_interpreter && !elf_dynamic(elf, DT_NEEDED, 0) && !elf_dynamic(elf, DT_SONAME, 0);
}

/* A name without a slash is a file here, or a program in PATH. */
static const char *find_program(const char *name, char *path, size_t room)
{
	const char *list = getenv("PATH");

	if (strchr(name, '/') || !access(name, F_OK))
		return name;
	while (list && *list) {
		size_t length = strcspn(list, ":");
		if (length && snprintf(path, room, "%.*s/%s", (int)length, list, name) < (int)room && !access(path, X_OK))
			return path;
		list += length + (list[length] == ':');
	}
	return name;
}

static enum mpi_kind look_at(struct doctor *doctor, const struct program *program, const struct program *seamark)
{
	struct calls calls = {0};
	enum mpi_kind kind = mpi_kind(program_find(program, OBJECT_MPI));

	for (size_t i = 0; i < program->missing_count; i++)
		doctor_say(doctor, "program", DOCTOR_PROBLEM, "a library is not found: %s", program->missing[i]);
	if (!program_find(program, OBJECT_MPI) && has_mpi_inside(&program->objects[0])) {
		doctor_say(doctor, "mpi", DOCTOR_PROBLEM, "the MPI library is linked into the program statically: its calls do not pass through "
			   "Seamark, nothing is saved");
		return kind;
	}
	tell_mpi(doctor, program, seamark);
	tell_seamark(doctor, program, seamark);
	collect(&calls, program, seamark->count ? &seamark->objects[0] : NULL);
	tell_calls(doctor, program, &calls);
	tell_fortran(doctor, program, &calls);
	tell_threads(doctor, &calls);
	free(calls.list);
	return kind;
}

enum mpi_kind doctor_program(struct doctor *doctor, const char *name, const struct program *seamark)
{
	struct program program;
	struct fault fault = FAULT_NONE;
	char text[4300];
	const char *path = find_program(name, text, sizeof text);
	enum mpi_kind kind = MPI_KIND_NONE;

	if (doctor->report)
		json_object_set_new(doctor->report, "program", command_json_text(path));
	if (tell_script(doctor, path))
		return kind;
	if (program_load(&program, path, &fault))
		doctor_say(doctor, "program", DOCTOR_PROBLEM, "%s", fault.text);
	else if (is_static(&program.objects[0].elf))
		doctor_say(doctor, "program", DOCTOR_PROBLEM, "linked statically: Seamark cannot be preloaded into it and sees nothing of it, nothing is "
			   "saved");
	else
		kind = look_at(doctor, &program, seamark);
	program_free(&program);
	return kind;
}
