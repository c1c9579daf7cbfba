/* SPDX-License-Identifier: BSD-3-Clause */
/* Who calls the MPI library below Seamark. Fortran bindings do, and tools and some libraries: the relocations of the loaded objects tell, in about
 * 100 microseconds. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "interpose/inside.h"

#if UINTPTR_MAX > UINT32_MAX
#define SYMBOL_OF ELF64_R_SYM
#else
#define SYMBOL_OF ELF32_R_SYM
#endif

static const char *file_of(const void *address, void **base)
{
	Dl_info info;
	if (!dladdr(address, &info)) {
		*base = NULL;
		return "";
	}
	*base = info.dli_fbase;
	return info.dli_fname ? info.dli_fname : "";
}

static const char *last_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void *mpi_base(void)
{
	void *base;
	file_of(dlsym(RTLD_DEFAULT, "PMPI_Comm_dup"), &base);
	return base;
}

/* The MPI library's components are files of their own in Open MPI. */
static bool is_component(const char *path)
{
	const char *name = last_of(path);
	return begins(name, "mca_") || begins(name, "libmca_") || begins(name, "libopen-") || begins(name, "libmpi.") ||
	       begins(name, "libmpich.") || begins(name, "libromio");
}

bool interpose_is_mpi(const void *caller)
{
	void *base;
	const char *path = file_of(caller, &base);
	return base != NULL && (base == mpi_base() || is_component(path));
}

void interpose_uncounted(const char *function, MPI_Comm comm, const void *caller)
{
	char text[160], name[MPI_MAX_OBJECT_NAME + 1] = "";
	int length;
	if (interpose_is_mpi(caller))
		return;
	interpose_untracked = true;
	PMPI_Comm_get_name(comm, name, &length);
	snprintf(text, sizeof text, "it was called on a communicator%s%.80s%s that was made where Seamark did not see it", *name ? " '" : "",
		 name, *name ? "'" : "");
	session_unable(function, text);
}

/* --- the loaded objects ----------------------------------------------------------------------------------------------------------- */

/* The tables of an object that matter here. */
struct dynamic {
	const ElfW(Sym) *symbols;
	const char *strings;
	struct { const ElfW(Rela) *entries; size_t bytes; } lists[2];
	bool rela;
};

static const void *pointer_of(const struct dl_phdr_info *object, ElfW(Addr) value)
{
	/* The dynamic linker has added the base, or has not where the table may not be written. */
	return (const void *)(value < object->dlpi_addr ? value + object->dlpi_addr : value);
}

static bool read_dynamic(const struct dl_phdr_info *object, struct dynamic *dynamic)
{
	const ElfW(Dyn) *entry = NULL;
	*dynamic = (struct dynamic){.rela = true};
	for (int i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
			entry = (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
	for (; entry && entry->d_tag != DT_NULL; entry++)
		switch (entry->d_tag) {
		case DT_SYMTAB: dynamic->symbols = pointer_of(object, entry->d_un.d_ptr); break;
		case DT_STRTAB: dynamic->strings = pointer_of(object, entry->d_un.d_ptr); break;
		case DT_JMPREL: dynamic->lists[0].entries = pointer_of(object, entry->d_un.d_ptr); break;
		case DT_PLTRELSZ: dynamic->lists[0].bytes = entry->d_un.d_val; break;
		case DT_RELA: dynamic->lists[1].entries = pointer_of(object, entry->d_un.d_ptr); break;
		case DT_RELASZ: dynamic->lists[1].bytes = entry->d_un.d_val; break;
		case DT_PLTREL: dynamic->rela = entry->d_un.d_val == DT_RELA; break;
		default: break;
		}
	return dynamic->symbols && dynamic->strings && dynamic->rela;
}

/* Whether Seamark counts or notices the MPI_ function of this PMPI_ name: it exports it. */
struct scan {
	void *seamark, *mpi, *handle;
};

static bool is_ours(const struct scan *scan, const char *name)
{
	static const char *const harmless[] = {"PMPI_Type_free", "PMPI_Comm_set_name"};
	void *base;
	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
		if (strcmp(name, harmless[i]) == 0)
			return false;
	const void *function = dlsym(scan->handle, name + 1);
	if (function == NULL)
		return false;
	file_of(function, &base);
	return base == scan->seamark;
}

/* The first symbol that an object imports and that passes Seamark by; null: none. */
static const char *bypass_of(const struct scan *scan, const struct dl_phdr_info *object)
{
	struct dynamic dynamic;
	if (!read_dynamic(object, &dynamic))
		return NULL;
	for (int list = 0; list < 2; list++) {
		const ElfW(Rela) *entries = dynamic.lists[list].entries;
		size_t count = entries ? dynamic.lists[list].bytes / sizeof *entries : 0;
		for (size_t i = 0; i < count; i++) {
			const ElfW(Sym) *symbol = &dynamic.symbols[SYMBOL_OF(entries[i].r_info)];
			const char *name = dynamic.strings + symbol->st_name;
			if (symbol->st_shndx == SHN_UNDEF && begins(name, "PMPI_") && is_ours(scan, name))
				return name;
		}
	}
	return NULL;
}

static bool is_fortran(const char *path)
{
	const char *name = last_of(path);
	return strstr(name, "mpifh") || strstr(name, "usempi") || strstr(name, "fort");
}

static int look_at(struct dl_phdr_info *object, size_t size, void *context)
{
	const struct scan *scan = context;
	(void)size;
	const char *path = object->dlpi_name && *object->dlpi_name ? object->dlpi_name : program_invocation_name;
	const void *inside = object->dlpi_phdr; /* the headers lie in the object's first segment */
	void *base;
	file_of(inside, &base);
	if (base == scan->seamark || base == scan->mpi || is_component(path))
		return 0;
	const char *symbol = bypass_of(scan, object);
	if (symbol) {
		char text[200];
		snprintf(text, sizeof text, "%.80s calls it below Seamark%s", last_of(path),
			 is_fortran(path) ? ": the Fortran binding of this MPI library is not followed yet" : "");
		interpose_untracked = true;
		session_unable(symbol, text);
	}
	return symbol != NULL;
}

void interpose_scan(void)
{
	struct scan scan = {.mpi = mpi_base()};
	/* By name: the address of a function of ours could be that of a tool before us. */
	const char *own = file_of(interpose_scan, &scan.seamark);
	scan.handle = dlopen(own, RTLD_LAZY | RTLD_NOLOAD);
	if (scan.handle == NULL)
		return; /* linked into the program itself */
	dl_iterate_phdr(look_at, &scan);
	dlclose(scan.handle);
}
