/* SPDX-License-Identifier: BSD-3-Clause */
/* What a program or shared library says of itself in its ELF file: which libraries it needs and where they are looked for, which symbols it
 * imports and defines. Nothing is run, every number in the file is taken for hostile. Only files for the machine's own word size and byte order. */
#ifndef BASE_ELF_H
#define BASE_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* A part of the file that was looked at and lies in it. */
struct elf_part {
	size_t offset, size;
};

/* Symbols with the table of their names. Every name was looked at: it begins in the table and ends in it. */
struct elf_symbols {
	struct elf_part symbols, names;
	size_t count;
};

struct elf {
	const unsigned char *bytes;
	size_t size;
	uint16_t type, machine;        /* ET_..., EM_... */
	bool has_interpreter;          /* a program that the dynamic linker starts */
	bool has_dynamic;
	struct elf_part dynamic, dynamic_names;
	struct elf_symbols imports;    /* .dynsym: what it imports, and what others may import of it */
	struct elf_symbols own;        /* .symtab: all, unless it was stripped */
};

struct elf_symbol {
	const char *name;
	bool imported;       /* others define it */
	bool function;       /* said to be one; a symbol that is imported need not say what it is */
	bool local;
};

/* Reads what is in these bytes, which must stay. 0; SEAMARK_E_NOT_FOUND: this is no ELF file; SEAMARK_E_VERSION: it is one for another
 * machine; SEAMARK_E_DAMAGED: it contradicts itself. */
int elf_read(struct elf *elf, const void *bytes, size_t size, struct fault *fault);

/* The text of the n-th entry with this tag (DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH); null: there are not so many. */
const char *elf_dynamic(const struct elf *elf, int64_t tag, size_t n);
/* The symbol number i; false beyond the last. */
bool elf_symbol(const struct elf *elf, const struct elf_symbols *symbols, size_t i, struct elf_symbol *symbol);
/* Whether one of this name is defined and can be seen from without. */
bool elf_defines(const struct elf *elf, const char *name);

/* The n-th path that the dynamic linker's cache (/etc/ld.so.cache) has for a library; null: none, or these bytes are no such cache. */
const char *elf_cached(const void *cache, size_t size, const char *library, size_t n);

#endif
