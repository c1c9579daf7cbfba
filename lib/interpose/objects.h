/* SPDX-License-Identifier: BSD-3-Clause */
/* The loaded objects (program and shared libraries), as the dynamic linker has them. */
#ifndef INTERPOSE_OBJECTS_H
#define INTERPOSE_OBJECTS_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object {
	const char *path;
	uintptr_t base, begin, end;
	const ElfW(Sym) *symbols;
	const char *strings;
	const uint32_t *gnu_hash, *hash; /* its tables of symbols, either may be null */
	/* REL and RELA entries begin alike; PLT's and data's. */
	struct relocations {
		uintptr_t entries;
		size_t bytes, stride;
	} lists[3];
	uintptr_t sealed, sealed_end; /* pages that became read-only when its relocations were done */
};

/* Calls `visit` for each object that has symbols. */
void objects_each(void (*visit)(const struct object *object, void *context), void *context);
/* How many were ever loaded: what was looked at is still all there is while this does not change. */
unsigned long long objects_loaded(void);

bool objects_has(const struct object *object, const void *address);
/* What it defines itself under a name, whatever others define; null: nothing. */
const void *objects_find(const struct object *object, const char *name);
/* Whether it is the MPI library or one of its components. */
bool objects_is_mpi(const struct object *object);
/* The same of the object that has this address. */
bool objects_is_in_mpi(const void *address);

static inline bool text_begins(const char *text, const char *with)
{
	while (*with)
		if (*text++ != *with++)
			return false;
	return true;
}

/* The file's name without its folders. */
const char *objects_name(const struct object *object);

#endif
