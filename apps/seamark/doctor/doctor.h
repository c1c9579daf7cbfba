/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the doctor, who looks at a program and a machine before the run.
 *   doctor.c           options, and how findings are told
 *   objects.c   a program with the shared libraries it needs, found as the dynamic linker finds them
 *   program.c   what they say of MPI and of Seamark
 *   machine.c   launchers, and the core for the writer
 *   folder.c    the folder of the checkpoints and its file system
 *   mpi.c       what the MPI library really does, by a program that is started */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <sys/stat.h>

#include "base/elf.h"
#include "command/command.h"

/* --- findings ------------------------------------------------------------------------------------------------------ */

enum doctor_level {
	DOCTOR_FINE,
	DOCTOR_NOTE,     /* should be known, or cannot be known before the run */
	DOCTOR_PROBLEM   /* makes checkpoints void or fail: the command ends with 1 */
};

struct doctor {
	json_t *findings; /* null: as lines */
	json_t *report;   /* what else stands in the JSON; null with lines */
	size_t problems;
};

/* One finding of a check ("mpi", "calls", "folder", ...: these words are documented). A line, or an entry in the JSON. */
void doctor_say(struct doctor *doctor, const char *check, enum doctor_level level, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* --- programs ------------------------------------------------------------------------------------------------------- */

enum object_role {
	OBJECT_PLAIN,     /* the program, and libraries that may call MPI */
	OBJECT_MPI,       /* the MPI library */
	OBJECT_COMPONENT, /* a part of it */
	OBJECT_BINDING,   /* its Fortran interface */
	OBJECT_SEAMARK
};

struct object {
	char *path;
	enum object_role role;
	size_t parent;       /* who needs it: itself, for the first */
	size_t size;
	void *bytes;
	struct elf elf;
	dev_t device;
	ino_t inode;
};

/* A program, first, and what it needs, in the order in which the dynamic linker looks symbols up. */
struct program {
	struct object *objects;
	size_t count;
	char **missing;      /* "libx.so.1, which libfoo.so needs" */
	size_t missing_count;
};

/* The last part of a path. */
const char *path_name(const char *path);

/* Reads the program and what it needs. 0 or SEAMARK_E_...; a library that is not found or not readable is missing, no error. Free it in
 * either case. */
int program_load(struct program *program, const char *path, struct fault *fault);
void program_free(struct program *program);
/* The first of a role, or null. */
const struct object *program_find(const struct program *program, enum object_role role);
/* libseamark.so, which lies beside the library that this command is linked with. */
int program_load_seamark(struct program *program, struct fault *fault);

enum mpi_kind {MPI_KIND_NONE, MPI_KIND_OPEN_MPI, MPI_KIND_MPICH, MPI_KIND_OTHER};
/* Whose library this is; null: none. */
enum mpi_kind mpi_kind(const struct object *mpi);
const char *mpi_kind_name(enum mpi_kind kind);

/* --- checks --------------------------------------------------------------------------------------------------------- */

/* `seamark` is libseamark with what it needs, empty if it is not there. Returns the kind of MPI library that a launcher must fit. */
enum mpi_kind doctor_program(struct doctor *doctor, const char *name, const struct program *seamark);
void doctor_launcher(struct doctor *doctor, enum mpi_kind kind);
/* ranks: of this node; 0: not known. */
void doctor_core(struct doctor *doctor, unsigned ranks);
void doctor_folder(struct doctor *doctor, const char *folder);
/* What is assumed of the MPI library, tried: `launcher` (with its arguments; none: the one of the MPI this was built for, on 2 ranks) starts the program that
 * tells. EXIT_FINE if that is all told, with what does not hold among the problems. */
int doctor_mpi(struct doctor *doctor, int count, char **launcher);

#endif
