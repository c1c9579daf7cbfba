/* SPDX-License-Identifier: BSD-3-Clause */
/* The MPI library may be newer than the one that Seamark was built with, and have functions that move messages and have no wrapper here. Nobody can see
 * when one is called, so a program that is linked to one is told so at the start, and makes snapshots void. */
#include <stdio.h>
#include <string.h>

#include "interpose/coverage.h"
#include "interpose/inside.h"
#include "interpose/objects.h"

#if UINTPTR_MAX > UINT32_MAX
#define SYMBOL_OF ELF64_R_SYM
#else
#define SYMBOL_OF ELF32_R_SYM
#endif

/* So many are asked about when a walk through the objects is over; another walk follows if there are more. */
enum { SUSPECTS_MOST = 16 };

struct search {
	struct object own;
	const struct object *object; /* that is being looked at */
	bool binding;                /* it is MPI's interface for Fortran, which is linked to all there is */
	size_t found, asked;         /* in this walk; in those before it */
	size_t count;
	struct suspect {
		char name[80], by[80];
		bool is_mpi, for_fortran;
	} suspects[SUSPECTS_MOST];
	void (*look)(struct search *search, const char *name);
};

/* --- who is linked to what ------------------------------------------------------------------------------------------------------ */

static void look_at_imports(const struct object *object, void *context)
{
	struct search *search = context;
	if (object->begin == search->own.begin || objects_is_mpi(object))
		return;
	search->object = object;
	search->binding = objects_find(object, "mpi_init_") || objects_find(object, "mpi_init_f08_");
	for (size_t list = 0; list < sizeof object->lists / sizeof *object->lists; list++) {
		const struct relocations *all = &object->lists[list];
		for (size_t at = 0; at + all->stride <= all->bytes; at += all->stride) {
			const ElfW(Rel) *entry = (const ElfW(Rel) *)(all->entries + at);
			const ElfW(Sym) *symbol = &object->symbols[SYMBOL_OF(entry->r_info)];
			if (symbol->st_shndx == SHN_UNDEF)
				search->look(search, object->strings + symbol->st_name);
		}
	}
}

static void suspect(struct search *search, const char *name)
{
	const struct coverage *row;
	if (text_begins(name, "PMPI") && search->binding)
		name++;
	if (!text_begins(name, "MPI") || !coverage_is_function(name) || objects_find(&search->own, name))
		return;
	if ((row = coverage_of(name)) && row->treatment == COVERAGE_PASSES)
		return;
	if (search->found++ < search->asked || search->count == SUSPECTS_MOST)
		return;
	struct suspect *found = &search->suspects[search->count++];
	*found = (struct suspect){.for_fortran = search->binding};
	snprintf(found->name, sizeof found->name, "%s", name);
	snprintf(found->by, sizeof found->by, "%s", objects_name(search->object));
}

/* What the interface for Fortran is linked to matters if somebody calls it by its name in Fortran. */
static void clear(struct search *search, const char *name)
{
	if (search->binding || (name[0] | 0x20) != 'm')
		return;
	for (size_t i = 0; i < search->count; i++) {
		struct suspect *found = &search->suspects[i];
		if (!found->for_fortran || !coverage_is_in_fortran(name, found->name))
			continue;
		found->for_fortran = false;
		snprintf(found->by, sizeof found->by, "%s", objects_name(search->object));
	}
}

static void find_in_mpi(const struct object *object, void *context)
{
	struct search *search = context;
	for (size_t i = 0; objects_is_mpi(object) && i < search->count; i++)
		search->suspects[i].is_mpi |= objects_find(object, search->suspects[i].name) != NULL;
}

/* --- all -------------------------------------------------------------------------------------------------------------------------- */

static void walk(struct search *search)
{
	search->asked += search->count;
	search->found = search->count = 0;
	search->look = suspect;
	objects_each(look_at_imports, search);
	if (search->count == 0)
		return;
	objects_each(find_in_mpi, search);
	search->look = clear;
	objects_each(look_at_imports, search);
}

/* true: one was found and said. */
static bool say(const struct search *search)
{
	char text[240];
	for (size_t i = 0; i < search->count; i++) {
		if (!search->suspects[i].is_mpi || search->suspects[i].for_fortran)
			continue;
		snprintf(text, sizeof text, "%s is linked to it, and this Seamark has no wrapper for it: what it sends and receives would not be seen",
			 search->suspects[i].by);
		interpose_untracked = true;
		session_unable(search->suspects[i].name, text);
		return true;
	}
	return false;
}

void interpose_unwrapped(const struct object *own)
{
	struct search search = {.own = *own};
	do
		walk(&search);
	while (!say(&search) && search.count == SUSPECTS_MOST);
}
