/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/elf.h"

#include <link.h>
#include <string.h>

/* So many are in no library that there is; reading them all takes a second. */
enum { SYMBOLS_MOST = 1 << 24 };

#if UINTPTR_MAX > UINT32_MAX
enum { OWN_CLASS = ELFCLASS64 };
#define SYMBOL_TYPE ELF64_ST_TYPE
#define SYMBOL_BIND ELF64_ST_BIND
#else
enum { OWN_CLASS = ELFCLASS32 };
#define SYMBOL_TYPE ELF32_ST_TYPE
#define SYMBOL_BIND ELF32_ST_BIND
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { OWN_DATA = ELFDATA2LSB };
#else
enum { OWN_DATA = ELFDATA2MSB };
#endif

static int damaged(struct fault *fault, const char *what)
{
	return fault_set(fault, SEAMARK_E_DAMAGED, "%s", what);
}

/* Offsets come from the file: sums that wrap around are outside. */
static bool lies_in(const struct elf *elf, uint64_t offset, uint64_t size)
{
	return offset <= elf->size && size <= elf->size - offset;
}

/* Entry i of a table that lies in the file. Nothing is aligned in a file that somebody made up. */
#define GET(into, elf, part, i) memcpy(&(into), (elf)->bytes + (part).offset + (i) * sizeof(into), sizeof(into))

/* A table of texts up to its last end of a text: what begins in it ends in it, and nobody need look for the end of each. */
static struct elf_part texts(const struct elf *elf, size_t offset, size_t size)
{
	const unsigned char *last = memrchr(elf->bytes + offset, 0, size);
	return (struct elf_part){ offset, last ? (size_t)(last - elf->bytes) - offset + 1 : 0 };
}

static const char *text_at(const struct elf *elf, struct elf_part names, uint64_t at)
{
	return at < names.size ? (const char *)elf->bytes + names.offset + at : NULL;
}

static int read_header(struct elf *elf, ElfW(Ehdr) *header, struct fault *fault)
{
	if (elf->size < SELFMAG || memcmp(elf->bytes, ELFMAG, SELFMAG))
		return fault_set(fault, SEAMARK_E_NOT_FOUND, "not a program or library in the ELF format");
	if (elf->size < EI_NIDENT)
		return damaged(fault, "it ends in its header");
	if (elf->bytes[EI_CLASS] != OWN_CLASS || elf->bytes[EI_DATA] != OWN_DATA)
		return fault_set(fault, SEAMARK_E_VERSION, "it is for a machine of another word size or byte order");
	if (elf->size < sizeof *header)
		return damaged(fault, "it ends in its header");
	memcpy(header, elf->bytes, sizeof *header);
	elf->type = header->e_type;
	elf->machine = header->e_machine;
	if (header->e_phnum && header->e_phentsize != sizeof(ElfW(Phdr)))
		return damaged(fault, "its program headers have a size that cannot be");
	if (!lies_in(elf, header->e_phoff, (uint64_t)header->e_phnum * sizeof(ElfW(Phdr))))
		return damaged(fault, "its program headers lie beyond its end");
	return 0;
}

/* Where in the file an address of memory is, and how much of its segment follows; false: nowhere. */
static bool find_address(const struct elf *elf, const ElfW(Ehdr) *header, uint64_t address, struct elf_part *part)
{
	const struct elf_part table = { header->e_phoff, 0 };
	for (size_t i = 0; i < header->e_phnum; i++) {
		ElfW(Phdr) segment;
		GET(segment, elf, table, i);
		if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz ||
		    !lies_in(elf, segment.p_offset, segment.p_filesz))
			continue;
		part->offset = (size_t)(segment.p_offset + (address - segment.p_vaddr));
		part->size = (size_t)(segment.p_filesz - (address - segment.p_vaddr));
		return true;
	}
	return false;
}

static int read_segments(struct elf *elf, const ElfW(Ehdr) *header, struct fault *fault)
{
	const struct elf_part table = { header->e_phoff, 0 };
	for (size_t i = 0; i < header->e_phnum; i++) {
		ElfW(Phdr) segment;
		GET(segment, elf, table, i);
		if (segment.p_type == PT_INTERP)
			elf->has_interpreter = true;
		if (segment.p_type != PT_DYNAMIC)
			continue;
		if (!lies_in(elf, segment.p_offset, segment.p_filesz))
			return damaged(fault, "its dynamic section lies beyond its end");
		elf->has_dynamic = true;
		elf->dynamic = (struct elf_part){ segment.p_offset, segment.p_filesz / sizeof(ElfW(Dyn)) * sizeof(ElfW(Dyn)) };
	}
	return 0;
}

static bool dynamic_entry(const struct elf *elf, size_t i, ElfW(Dyn) *entry)
{
	if (i >= elf->dynamic.size / sizeof *entry)
		return false;
	GET(*entry, elf, elf->dynamic, i);
	return entry->d_tag != DT_NULL;
}

static bool dynamic_value(const struct elf *elf, int64_t tag, uint64_t *value)
{
	ElfW(Dyn) entry;
	for (size_t i = 0; dynamic_entry(elf, i, &entry); i++)
		if (entry.d_tag == tag) {
			*value = entry.d_un.d_val;
			return true;
		}
	return false;
}

/* The dynamic section does not say how many symbols there are. The old hash table does; without it the names follow the symbols, as every linker
 * lays them out. */
static size_t count_imports(const struct elf *elf, const ElfW(Ehdr) *header, uint64_t symbols, uint64_t names)
{
	uint64_t hash;
	struct elf_part part;
	uint32_t words[2];
	if (dynamic_value(elf, DT_HASH, &hash) && find_address(elf, header, hash, &part) && part.size >= sizeof words) {
		memcpy(words, elf->bytes + part.offset, sizeof words);
		return words[1];
	}
	return names > symbols ? (size_t)((names - symbols) / sizeof(ElfW(Sym))) : 0;
}

static int check_symbols(const struct elf *elf, const struct elf_symbols *symbols, struct fault *fault)
{
	for (size_t i = 0; i < symbols->count; i++) {
		ElfW(Sym) symbol;
		GET(symbol, elf, symbols->symbols, i);
		if (symbol.st_name && !text_at(elf, symbols->names, symbol.st_name))
			return fault_set(fault, SEAMARK_E_DAMAGED, "the name of its symbol %zu lies outside of the names", i);
	}
	return 0;
}

static int read_dynamic(struct elf *elf, const ElfW(Ehdr) *header, struct fault *fault)
{
	uint64_t names, length, symbols;
	struct elf_part part;
	ElfW(Dyn) entry;

	if (!dynamic_value(elf, DT_STRTAB, &names) || !dynamic_value(elf, DT_STRSZ, &length))
		return 0; /* a static program that can be moved has a dynamic section with next to nothing in it */
	if (!find_address(elf, header, names, &part) || length > part.size)
		return damaged(fault, "the names of its dynamic section lie outside of it");
	elf->dynamic_names = texts(elf, part.offset, (size_t)length);
	for (size_t i = 0; dynamic_entry(elf, i, &entry); i++)
		if ((entry.d_tag == DT_NEEDED || entry.d_tag == DT_SONAME || entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) &&
		    !text_at(elf, elf->dynamic_names, entry.d_un.d_val))
			return damaged(fault, "a name in its dynamic section lies outside of the names");
	if (!dynamic_value(elf, DT_SYMTAB, &symbols))
		return 0;
	if (!find_address(elf, header, symbols, &part))
		return damaged(fault, "its symbols lie outside of it");
	elf->imports = (struct elf_symbols){ part, elf->dynamic_names, count_imports(elf, header, symbols, names) };
	if (elf->imports.count > SYMBOLS_MOST || elf->imports.count > part.size / sizeof(ElfW(Sym)))
		return damaged(fault, "it has more symbols than there is room for");
	return check_symbols(elf, &elf->imports, fault);
}

/* Sections are for linkers and debuggers: a program runs without them, so what is wrong with them is left out, not complained about. */
static void read_sections(struct elf *elf, const ElfW(Ehdr) *header)
{
	const struct elf_part table = { header->e_shoff, 0 };
	if (!header->e_shoff || header->e_shentsize != sizeof(ElfW(Shdr)) ||
	    !lies_in(elf, header->e_shoff, (uint64_t)header->e_shnum * sizeof(ElfW(Shdr))))
		return;
	for (size_t i = 0; i < header->e_shnum; i++) {
		ElfW(Shdr) section, names;
		GET(section, elf, table, i);
		if (section.sh_type != SHT_SYMTAB || section.sh_link >= header->e_shnum || !lies_in(elf, section.sh_offset, section.sh_size))
			continue;
		GET(names, elf, table, section.sh_link);
		if (!lies_in(elf, names.sh_offset, names.sh_size) || section.sh_size / sizeof(ElfW(Sym)) > SYMBOLS_MOST)
			continue;
		const struct elf_symbols own = { { section.sh_offset, section.sh_size }, texts(elf, names.sh_offset, names.sh_size),
						 section.sh_size / sizeof(ElfW(Sym)) };
		if (!check_symbols(elf, &own, NULL))
			elf->own = own;
		return;
	}
}

int elf_read(struct elf *elf, const void *bytes, size_t size, struct fault *fault)
{
	ElfW(Ehdr) header;
	int result;

	*elf = (struct elf){ .bytes = bytes, .size = size };
	if ((result = read_header(elf, &header, fault)) || (result = read_segments(elf, &header, fault)) ||
	    (result = read_dynamic(elf, &header, fault)))
		return result;
	read_sections(elf, &header);
	return 0;
}

const char *elf_dynamic(const struct elf *elf, int64_t tag, size_t n)
{
	ElfW(Dyn) entry;
	for (size_t i = 0; dynamic_entry(elf, i, &entry); i++)
		if (entry.d_tag == tag && n-- == 0)
			return text_at(elf, elf->dynamic_names, entry.d_un.d_val);
	return NULL;
}

bool elf_symbol(const struct elf *elf, const struct elf_symbols *symbols, size_t i, struct elf_symbol *found)
{
	ElfW(Sym) symbol;
	if (i >= symbols->count)
		return false;
	GET(symbol, elf, symbols->symbols, i);
	*found = (struct elf_symbol){
		.name = symbol.st_name ? (const char *)elf->bytes + symbols->names.offset + symbol.st_name : "",
		.imported = symbol.st_shndx == SHN_UNDEF,
		.function = SYMBOL_TYPE(symbol.st_info) == STT_FUNC || SYMBOL_TYPE(symbol.st_info) == STT_GNU_IFUNC,
		.local = SYMBOL_BIND(symbol.st_info) == STB_LOCAL,
	};
	return true;
}

bool elf_defines(const struct elf *elf, const char *name)
{
	struct elf_symbol symbol;
	for (size_t i = 0; elf_symbol(elf, &elf->imports, i, &symbol); i++)
		if (!symbol.imported && !symbol.local && strcmp(symbol.name, name) == 0)
			return true;
	return false;
}

/* --- the dynamic linker's cache: a header, entries of 24 bytes, texts; offsets count from the header ------------------------------------- */

struct cache_header {
	char magic[20];
	uint32_t entries, text_bytes, rest[5];
};

struct cache_entry {
	int32_t flags;
	uint32_t name, path, system;
	uint64_t hardware;
};

const char *elf_cached(const void *cache, size_t size, const char *library, size_t n)
{
	static const char magic[] = "glibc-ld.so.cache1.1";
	const struct elf whole = { .bytes = cache, .size = size };
	const struct elf_part entries = { sizeof(struct cache_header), 0 }, all = texts(&whole, 0, size);
	struct cache_header header;
	struct cache_entry entry;

	if (size < sizeof header)
		return NULL;
	memcpy(&header, cache, sizeof header);
	if (memcmp(header.magic, magic, sizeof header.magic) || !lies_in(&whole, sizeof header, (uint64_t)header.entries * sizeof entry))
		return NULL;
	for (size_t i = 0; i < header.entries; i++) {
		GET(entry, &whole, entries, i);
		const char *name = text_at(&whole, all, entry.name), *path = text_at(&whole, all, entry.path);
		if (name && path && strcmp(name, library) == 0 && n-- == 0)
			return path;
	}
	return NULL;
}
