/* SPDX-License-Identifier: BSD-3-Clause */
/* Fortran bindings, tools and some programs call the MPI library by its PMPI_ names, which no library can define in its place. So the slots by which the
 * loaded objects reach those functions are pointed at Seamark's own; all but the slots of Seamark, of the MPI library and of its components. A tool that
 * stands before Seamark so calls it as if it were the MPI library.
 *
 * An object that is loaded later has its slots pointed when it is found, and what it called before that was not counted: where that matters, and cannot be
 * excluded, snapshots are void. */
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "interpose/inside.h"
#include "interpose/objects.h"

#if UINTPTR_MAX > UINT32_MAX
#define SYMBOL_OF ELF64_R_SYM
#define TYPE_OF ELF64_R_TYPE
#else
#define SYMBOL_OF ELF32_R_SYM
#define TYPE_OF ELF32_R_TYPE
#endif

/* Relocations that fill a word with a function's address. */
#if defined(__x86_64__)
static const unsigned slot_types[] = {R_X86_64_JUMP_SLOT, R_X86_64_GLOB_DAT, R_X86_64_64};
#elif defined(__aarch64__)
static const unsigned slot_types[] = {R_AARCH64_JUMP_SLOT, R_AARCH64_GLOB_DAT, R_AARCH64_ABS64};
#elif defined(__powerpc64__)
static const unsigned slot_types[] = {R_PPC64_JMP_SLOT, R_PPC64_GLOB_DAT, R_PPC64_ADDR64};
#elif defined(__riscv) && __riscv_xlen == 64
static const unsigned slot_types[] = {R_RISCV_JUMP_SLOT, R_RISCV_64};
#else
static const unsigned slot_types[] = {~0U}; /* none is known: who uses PMPI_ names is said to be unable */
#endif

struct pass {
	struct object own;    /* Seamark's */
	bool may_have_called; /* what is found only now can have called the MPI library before */
	/* of the object that is being looked at */
	bool opened;          /* its sealed pages may be written */
	bool failed, used;
	const char *symbol;   /* the first slot that was pointed, or could not be */
};

/* --- one slot ---------------------------------------------------------------------------------------------------------------- */

static bool is_slot(unsigned type)
{
	for (size_t i = 0; i < sizeof slot_types / sizeof *slot_types; i++)
		if (slot_types[i] == type)
			return true;
	return false;
}

static bool open_pages(struct pass *pass, const struct object *object)
{
	if (!pass->opened)
		pass->opened = mprotect((void *)object->sealed, object->sealed_end - object->sealed, PROT_READ | PROT_WRITE) == 0;
	return pass->opened;
}

static bool point(struct pass *pass, const struct object *object, const void **slot, const void *function)
{
	const uintptr_t place = (uintptr_t)slot;
	if (place >= object->sealed && place < object->sealed_end && !open_pages(pass, object))
		return false;
	*slot = function;
	return true;
}

/* --- one object --------------------------------------------------------------------------------------------------------------- */

static void look_at_relocation(struct pass *pass, const struct object *object, const ElfW(Rel) *entry, ElfW(Sxword) addend)
{
	const ElfW(Sym) *symbol = &object->symbols[SYMBOL_OF(entry->r_info)];
	const char *name = object->strings + symbol->st_name;
	const void **slot = (const void **)(object->base + entry->r_offset);
	if (symbol->st_shndx != SHN_UNDEF || !text_begins(name, "PMPI"))
		return;
	/* Not by a search through all objects: a tool has functions of the same names. */
	const void *function = objects_find(&pass->own, name + 1);
	if (function == NULL)
		return;
	bool right = is_slot((unsigned)TYPE_OF(entry->r_info)) && addend == 0;
	/* A weak one that is not there stays so. */
	if (right && (*slot == function || *slot == NULL))
		return;
	/* A slot that still leads into its own object was never used: the dynamic linker fills it at the first call. */
	bool used = !right || !objects_has(object, *slot);
	if (right)
		right = point(pass, object, slot, function);
	pass->symbol = pass->symbol ? pass->symbol : name;
	pass->failed |= !right;
	pass->used |= used;
}

static void say(const struct pass *pass, const struct object *object)
{
	char text[240];
	if (pass->failed)
		snprintf(text, sizeof text, "%.80s calls it below Seamark, and cannot be made to call Seamark", objects_name(object));
	else if (pass->may_have_called && pass->used)
		snprintf(text, sizeof text, "%.80s, which calls it below Seamark, was loaded after MPI_Init: load it before, or link or preload it",
			 objects_name(object));
	else
		return;
	interpose_untracked = true;
	session_unable(pass->symbol, text);
}

static void look_at_object(const struct object *object, void *context)
{
	struct pass *pass = context;
	if (object->begin == pass->own.begin || objects_is_mpi(object))
		return;
	pass->opened = pass->failed = pass->used = false;
	pass->symbol = NULL;
	for (size_t list = 0; list < sizeof object->lists / sizeof *object->lists; list++) {
		const struct relocations *all = &object->lists[list];
		for (size_t at = 0; at + all->stride <= all->bytes; at += all->stride) {
			const ElfW(Rela) *entry = (const ElfW(Rela) *)(all->entries + at);
			look_at_relocation(pass, object, (const ElfW(Rel) *)entry, all->stride == sizeof *entry ? entry->r_addend : 0);
		}
	}
	if (pass->opened)
		mprotect((void *)object->sealed, object->sealed_end - object->sealed, PROT_READ);
	if (pass->symbol && session.mode != SESSION_OFF)
		say(pass, object);
}

/* --- all ----------------------------------------------------------------------------------------------------------------------- */

static void find_own(const struct object *object, void *context)
{
	if (objects_has(object, (const void *)(uintptr_t)interpose_slots))
		*(struct object *)context = *object;
}

void interpose_slots(enum slots_moment moment)
{
	static unsigned long long seen;
	struct pass pass = {.may_have_called = moment == SLOTS_LATE};
	unsigned long long loaded = objects_loaded();
	if (loaded == seen && moment != SLOTS_INIT)
		return;
	seen = loaded;
	objects_each(find_own, &pass.own);
	if (pass.own.symbols)
		objects_each(look_at_object, &pass);
	if (pass.own.symbols && moment != SLOTS_LOAD && session.mode != SESSION_OFF)
		interpose_unwrapped(&pass.own);
}
