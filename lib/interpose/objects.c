/* SPDX-License-Identifier: BSD-3-Clause */
#include "interpose/objects.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- one object --------------------------------------------------------------------------------------------------------------- */

/* The dynamic linker has added the base, or has not where the table may not be written. */
static uintptr_t place_of(const struct object *object, ElfW(Addr) value)
{
	return value < object->base ? value + object->base : value;
}

static void read_segments(const struct dl_phdr_info *info, struct object *object, const ElfW(Dyn) **dynamic)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	object->begin = UINTPTR_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const uintptr_t begin = object->base + segment->p_vaddr, end = begin + segment->p_memsz;
		if (segment->p_type == PT_LOAD) {
			object->begin = begin < object->begin ? begin : object->begin;
			object->end = end > object->end ? end : object->end;
		} else if (segment->p_type == PT_DYNAMIC) {
			*dynamic = (const ElfW(Dyn) *)begin;
		} else if (segment->p_type == PT_GNU_RELRO) {
			object->sealed = begin & -page;
			object->sealed_end = end & -page;
		}
	}
}

static void read_dynamic(const ElfW(Dyn) *entry, struct object *object)
{
	struct relocations *plt = &object->lists[0], *rela = &object->lists[1], *rel = &object->lists[2];
	rela->stride = plt->stride = sizeof(ElfW(Rela));
	rel->stride = sizeof(ElfW(Rel));
	for (; entry && entry->d_tag != DT_NULL; entry++) {
		const uintptr_t place = place_of(object, entry->d_un.d_ptr);
		switch (entry->d_tag) {
		case DT_SYMTAB: object->symbols = (const ElfW(Sym) *)place; break;
		case DT_STRTAB: object->strings = (const char *)place; break;
		case DT_GNU_HASH: object->gnu_hash = (const uint32_t *)place; break;
		case DT_HASH: object->hash = (const uint32_t *)place; break;
		case DT_JMPREL: plt->entries = place; break;
		case DT_PLTRELSZ: plt->bytes = entry->d_un.d_val; break;
		case DT_PLTREL: plt->stride = entry->d_un.d_val == DT_REL ? rel->stride : rela->stride; break;
		case DT_RELA: rela->entries = place; break;
		case DT_RELASZ: rela->bytes = entry->d_un.d_val; break;
		case DT_REL: rel->entries = place; break;
		case DT_RELSZ: rel->bytes = entry->d_un.d_val; break;
		default: break;
		}
	}
	for (size_t i = 0; i < sizeof object->lists / sizeof *object->lists; i++)
		if (object->lists[i].entries == 0)
			object->lists[i].bytes = 0;
}

/* --- its symbols ------------------------------------------------------------------------------------------------------------- */

static bool is_named(const struct object *object, uint32_t index, const char *name)
{
	const ElfW(Sym) *symbol = &object->symbols[index];
	return symbol->st_shndx != SHN_UNDEF && strcmp(object->strings + symbol->st_name, name) == 0;
}

/* The table's form: Ali Bahrami, "GNU Hash ELF Sections". Symbols of one bucket follow each other, the last with an odd number in its chain. 0: none. */
static uint32_t find_gnu(const struct object *object, const char *name)
{
	const uint32_t *table = object->gnu_hash, buckets = table[0], first = table[1], filter = table[2];
	const uint32_t *bucket = (const uint32_t *)((const ElfW(Addr) *)(table + 4) + filter), *chain = bucket + buckets;
	uint32_t hash = 5381;
	for (const char *at = name; *at; at++)
		hash = hash * 33 + (unsigned char)*at;
	if (buckets == 0 || bucket[hash % buckets] < first)
		return 0;
	for (uint32_t i = bucket[hash % buckets];; i++) {
		uint32_t link = chain[i - first];
		if ((link | 1) == (hash | 1) && is_named(object, i, name))
			return i;
		if (link & 1)
			return 0;
	}
}

static uint32_t find_any(const struct object *object, const char *name)
{
	const uint32_t count = object->hash[1];
	for (uint32_t i = 1; i < count; i++)
		if (is_named(object, i, name))
			return i;
	return 0;
}

const void *objects_find(const struct object *object, const char *name)
{
	uint32_t index = object->gnu_hash ? find_gnu(object, name) : object->hash ? find_any(object, name) : 0;
	return index ? (const void *)(object->base + object->symbols[index].st_value) : NULL;
}

/* --- all --------------------------------------------------------------------------------------------------------------------- */

struct walk {
	void (*visit)(const struct object *object, void *context);
	void *context;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
	const struct walk *walk = context;
	(void)size;
	const ElfW(Dyn) *dynamic = NULL;
	struct object object = {.base = info->dlpi_addr};
	object.path = info->dlpi_name && *info->dlpi_name ? info->dlpi_name : program_invocation_name;
	read_segments(info, &object, &dynamic);
	read_dynamic(dynamic, &object);
	if (object.symbols && object.strings)
		walk->visit(&object, walk->context);
	return 0;
}

void objects_each(void (*visit)(const struct object *object, void *context), void *context)
{
	struct walk walk = {visit, context};
	dl_iterate_phdr(look_at, &walk);
}

static int take_count(struct dl_phdr_info *info, size_t size, void *context)
{
	if (size >= offsetof(struct dl_phdr_info, dlpi_adds) + sizeof info->dlpi_adds)
		*(unsigned long long *)context = info->dlpi_adds;
	return 1;
}

unsigned long long objects_loaded(void)
{
	unsigned long long count = 0;
	dl_iterate_phdr(take_count, &count);
	return count;
}

/* --- which ------------------------------------------------------------------------------------------------------------------- */

bool objects_has(const struct object *object, const void *address)
{
	return (uintptr_t)address >= object->begin && (uintptr_t)address < object->end;
}

const char *objects_name(const struct object *object)
{
	const char *slash = strrchr(object->path, '/');
	return slash ? slash + 1 : object->path;
}

/* The MPI library's components are files of their own in Open MPI. */
bool objects_is_mpi(const struct object *object)
{
	static const char *const components[] = {"mca_", "libmca_", "libopen-", "libmpi.", "libmpich.", "libromio"};
	const char *name = objects_name(object);
	for (size_t i = 0; i < sizeof components / sizeof *components; i++)
		if (text_begins(name, components[i]))
			return true;
	return objects_find(object, "PMPI_Comm_dup") != NULL;
}

struct question {
	const void *address;
	bool answer;
};

static void ask(const struct object *object, void *context)
{
	struct question *question = context;
	question->answer |= objects_has(object, question->address) && objects_is_mpi(object);
}

bool objects_is_in_mpi(const void *address)
{
	struct question question = {.address = address};
	objects_each(ask, &question);
	return question.answer;
}
