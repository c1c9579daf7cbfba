/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the shared libraries of a program where the dynamic linker would (ld.so(8)), without running anything. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "doctor/doctor.h"

enum { OBJECTS_MOST = 4096 };

const char *path_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* --- one file ------------------------------------------------------------------------------------------------------- */

static enum object_role role_of(const struct object *object)
{
	static const char *const parts[] = { "mca_", "libmca_", "libopen-", "libmpi.", "libmpich.", "libromio", "libompitrace." };
	const char *name = path_name(object->path);

	if (elf_defines(&object->elf, "seamark_safepoint"))
		return OBJECT_SEAMARK;
	if (elf_defines(&object->elf, "PMPI_Comm_dup"))
		return OBJECT_MPI;
	if (elf_defines(&object->elf, "mpi_init_") || elf_defines(&object->elf, "mpi_init_f08_"))
		return OBJECT_BINDING;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (strncmp(name, parts[i], strlen(parts[i])) == 0)
			return OBJECT_COMPONENT;
	return OBJECT_PLAIN;
}

static int map_file(const char *path, struct object *object, struct fault *fault)
{
	struct stat about;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = 0;

	if (fd < 0)
		return fault_errno(fault, "cannot open '%s'", path);
	if (fstat(fd, &about))
		result = fault_errno(fault, "cannot look at '%s'", path);
	else if (!S_ISREG(about.st_mode))
		result = fault_set(fault, SEAMARK_E_NOT_FOUND, "'%s' is not a file", path);
	else if (about.st_size == 0)
		result = fault_set(fault, SEAMARK_E_NOT_FOUND, "'%s' is empty", path);
	else {
		void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (bytes == MAP_FAILED)
			result = fault_errno(fault, "cannot read '%s'", path);
		else
			*object = (struct object){ .bytes = bytes, .size = (size_t)about.st_size, .device = about.st_dev, .inode = about.st_ino };
	}
	close(fd);
	return result;
}

static void unmap(struct object *object)
{
	if (object->bytes)
		munmap(object->bytes, object->size);
	free(object->path);
	*object = (struct object){0};
}

static int read_object(const char *path, struct object *object, struct fault *fault)
{
	struct fault why = FAULT_NONE;
	int result = map_file(path, object, fault);

	if (result)
		return result;
	result = elf_read(&object->elf, object->bytes, object->size, &why);
	if (result)
		fault_set(fault, result, "cannot read '%s': %s", path, why.text);
	else if (!(object->path = strdup(path)))
		result = fault_set(fault, SEAMARK_E_MEMORY, "no memory for '%s'", path);
	if (result)
		unmap(object);
	else
		object->role = role_of(object);
	return result;
}

/* --- where libraries are looked for ------------------------------------------------------------------------------------- */

struct search {
	struct program *program;
	size_t needed_by;
	const char *library;
	struct object *found;
};

static bool try(struct search *search, const char *path)
{
	const struct object *first = &search->program->objects[0];

	if (read_object(path, search->found, NULL))
		return false;
	if (search->found->elf.machine == first->elf.machine)
		return true;
	unmap(search->found);
	return false;
}

/* A folder of a list, with $ORIGIN and $LIB in it, each in braces or not. $LIB has two values in use. */
static bool expand(const char *folder, size_t length, const char *origin, const char *lib, char *text, size_t room)
{
	size_t used = 0;

	for (size_t i = 0; i < length;) {
		static const char *const names[] = { "$ORIGIN", "${ORIGIN}", "$LIB", "${LIB}" };
		const char *put = NULL;
		size_t taken = 1;

		for (size_t n = 0; n < 4 && !put; n++)
			if (strlen(names[n]) <= length - i && strncmp(folder + i, names[n], strlen(names[n])) == 0) {
				put = n < 2 ? origin : lib;
				taken = strlen(names[n]);
			}
		int wrote = put ? snprintf(text + used, room - used, "%s", put) : snprintf(text + used, room - used, "%c", folder[i]);
		if (wrote < 0 || (size_t)wrote >= room - used)
			return false;
		used += (size_t)wrote;
		i += taken;
	}
	if (used == 0)
		snprintf(text, room, ".");
	return true;
}

static const char *const libs[] = { "lib/" MULTIARCH, "lib64", "lib" };

static bool try_list(struct search *search, const char *list, const char *separators, const char *object_path)
{
	char origin[4096], folder[4096], path[8300];
	const char *slash = object_path ? strrchr(object_path, '/') : NULL;

	snprintf(origin, sizeof origin, "%.*s", slash ? (int)(slash - object_path) : 1, slash ? object_path : ".");
	while (list) {
		size_t length = strcspn(list, separators);
		for (size_t i = 0; i < sizeof libs / sizeof libs[0]; i++) {
			if (!expand(list, length, *origin ? origin : "/", libs[i], folder, sizeof folder))
				continue;
			snprintf(path, sizeof path, "%s/%s", folder, search->library);
			if (try(search, path))
				return true;
			if (!memmem(list, length, "LIB", 3))
				break;
		}
		list = list[length] ? list + length + 1 : NULL;
	}
	return false;
}

/* DT_RPATH counts for what the object's libraries need as well, unless it has a DT_RUNPATH. */
static bool try_rpaths(struct search *search)
{
	const struct program *program = search->program;
	size_t at = search->needed_by;

	if (elf_dynamic(&program->objects[at].elf, DT_RUNPATH, 0))
		return false;
	for (;;) {
		const struct object *object = &program->objects[at];
		const char *list = elf_dynamic(&object->elf, DT_RPATH, 0);
		if (list && !elf_dynamic(&object->elf, DT_RUNPATH, 0) && try_list(search, list, ":", object->path))
			return true;
		if (object->parent == at)
			return false;
		at = object->parent;
	}
}

static bool try_cache(struct search *search)
{
	struct object cache;
	const char *path;
	bool found = false;

	if (map_file("/etc/ld.so.cache", &cache, NULL))
		return false;
	for (size_t n = 0; !found && (path = elf_cached(cache.bytes, cache.size, search->library, n)); n++)
		found = try(search, path);
	unmap(&cache);
	return found;
}

static bool find_library(struct search *search)
{
	const struct object *object = &search->program->objects[search->needed_by];
	const char *set = getenv("LD_LIBRARY_PATH"), *runpath = elf_dynamic(&object->elf, DT_RUNPATH, 0);

	if (strchr(search->library, '/'))
		return try(search, search->library);
	return try_rpaths(search) || (set && *set && try_list(search, set, ":;", NULL)) ||
	       (runpath && try_list(search, runpath, ":", object->path)) || try_cache(search) ||
	       try_list(search, "/$LIB:/usr/$LIB", ":", NULL);
}

/* --- all of them ---------------------------------------------------------------------------------------------------- */

static bool has_name(const struct object *object, const char *library)
{
	const char *soname = elf_dynamic(&object->elf, DT_SONAME, 0);
	return (soname && strcmp(soname, library) == 0) || strcmp(path_name(object->path), library) == 0;
}

static bool is_there(const struct program *program, const char *library)
{
	for (size_t i = 1; i < program->count; i++)
		if (has_name(&program->objects[i], library))
			return true;
	return false;
}

static bool is_loaded(const struct program *program, const struct object *object)
{
	for (size_t i = 0; i < program->count; i++)
		if (program->objects[i].device == object->device && program->objects[i].inode == object->inode)
			return true;
	return false;
}

static int add_object(struct program *program, const struct object *object, struct fault *fault)
{
	struct object *more = program->count < OBJECTS_MOST ? realloc(program->objects, (program->count + 1) * sizeof *more) : NULL;

	if (!more)
		return fault_set(fault, SEAMARK_E_MEMORY, "no room for more than %zu libraries", program->count);
	program->objects = more;
	more[program->count++] = *object;
	return 0;
}

static int add_missing(struct program *program, const char *library, const char *by, struct fault *fault)
{
	char **more = realloc(program->missing, (program->missing_count + 1) * sizeof *more), *text;

	if (more)
		program->missing = more;
	if (!more || asprintf(&text, "%s, which %s needs", library, path_name(by)) < 0)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a name");
	more[program->missing_count++] = text;
	return 0;
}

static int load_needed(struct program *program, size_t by, struct fault *fault)
{
	const char *library;
	int result = 0;

	for (size_t n = 0; !result && (library = elf_dynamic(&program->objects[by].elf, DT_NEEDED, n)); n++) {
		struct object found = {0};
		struct search search = { program, by, library, &found };

		if (is_there(program, library))
			continue;
		if (!find_library(&search)) {
			result = add_missing(program, library, program->objects[by].path, fault);
			continue;
		}
		found.parent = by;
		if (is_loaded(program, &found) || (result = add_object(program, &found, fault)))
			unmap(&found);
	}
	return result;
}

int program_load(struct program *program, const char *path, struct fault *fault)
{
	struct object first = {0};
	int result = read_object(path, &first, fault);

	*program = (struct program){0};
	if (result)
		return result;
	result = add_object(program, &first, fault);
	if (result)
		unmap(&first);
	/* Breadth first: the order in which the dynamic linker looks symbols up. */
	for (size_t i = 0; !result && i < program->count; i++)
		result = load_needed(program, i, fault);
	return result;
}

void program_free(struct program *program)
{
	for (size_t i = 0; i < program->count; i++)
		unmap(&program->objects[i]);
	for (size_t i = 0; i < program->missing_count; i++)
		free(program->missing[i]);
	free(program->objects);
	free(program->missing);
	*program = (struct program){0};
}

const struct object *program_find(const struct program *program, enum object_role role)
{
	for (size_t i = 0; i < program->count; i++)
		if (program->objects[i].role == role)
			return &program->objects[i];
	return NULL;
}

int program_load_seamark(struct program *program, struct fault *fault)
{
	static const char *const names[] = { "libseamark.so.0", "libseamark.so" };
	char path[PATH_MAX + 64], folder[PATH_MAX];
	Dl_info own;
	void *symbol = dlsym(RTLD_DEFAULT, "seamark_files_open");

	*program = (struct program){0};
	if (!symbol || !dladdr(symbol, &own) || !own.dli_fname || !strchr(own.dli_fname, '/'))
		return fault_set(fault, SEAMARK_E_NOT_FOUND, "libseamark.so is not found: this command does not know where it is itself");
	snprintf(path, sizeof path, "%.*s/", (int)(strrchr(own.dli_fname, '/') - own.dli_fname), own.dli_fname);
	if (!realpath(path, folder))
		return fault_errno(fault, "cannot look for libseamark.so in '%s'", path);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		if (!access(path, R_OK))
			return program_load(program, path, fault);
	}
	return fault_set(fault, SEAMARK_E_NOT_FOUND, "there is no libseamark.so beside '%s'", own.dli_fname);
}

enum mpi_kind mpi_kind(const struct object *mpi)
{
	if (!mpi)
		return MPI_KIND_NONE;
	if (elf_defines(&mpi->elf, "ompi_mpi_comm_world"))
		return MPI_KIND_OPEN_MPI;
	return elf_defines(&mpi->elf, "MPII_Version_string") || elf_defines(&mpi->elf, "MPIR_Err_create_code") ? MPI_KIND_MPICH : MPI_KIND_OTHER;
}

const char *mpi_kind_name(enum mpi_kind kind)
{
	switch (kind) {
	case MPI_KIND_OPEN_MPI: return "Open MPI";
	case MPI_KIND_MPICH: return "MPICH, or an MPI made of it";
	default: return "an MPI library that Seamark does not know";
	}
}
