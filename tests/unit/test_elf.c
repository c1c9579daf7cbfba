/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader of programs says what is in them, and no file, whatever its bytes, makes it read outside of them: they lie before a page that may
 * not be read. Random choices come from a seed that is printed; TEST_SEED=... repeats them. */
#include <CUnit/Basic.h>
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/elf.h"
#include "base/mix.h"
#include "suites.h"

enum { ROUNDS = 4000 };

static uint64_t state;

static uint64_t draw(uint64_t below)
{
	return mix64(state++) % below;
}

/* --- bytes with a wall behind them ---------------------------------------------------------------------------------- */

static unsigned char *walled;
static size_t walled_room;

static unsigned char *before_the_wall(const void *bytes, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;

	if (walled_room < room) {
		if (walled)
			munmap(walled, walled_room + page);
		walled_room = room;
		walled = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (walled == MAP_FAILED || mprotect(walled + room, page, PROT_NONE))
			abort();
	}
	return size ? memcpy(walled + walled_room - size, bytes, size) : walled + walled_room;
}

static unsigned char *load(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	unsigned char *bytes;

	if (!file || fseek(file, 0, SEEK_END)) {
		perror(path);
		abort();
	}
	*size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*size);
	if (fread(bytes, 1, *size, file) != *size)
		abort();
	fclose(file);
	return bytes;
}

/* Everything that can be asked. Returns a number made of all of it, so that nothing is left out. */
static size_t ask_all(const struct elf *elf)
{
	static const int64_t tags[] = { DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH };
	struct elf_symbol symbol;
	const char *text;
	size_t sum = 0;

	for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
		for (size_t n = 0; (text = elf_dynamic(elf, tags[i], n)); n++)
			sum += strlen(text);
	for (size_t i = 0; elf_symbol(elf, &elf->imports, i, &symbol); i++)
		sum += strlen(symbol.name);
	for (size_t i = 0; elf_symbol(elf, &elf->own, i, &symbol); i++)
		sum += strlen(symbol.name);
	return sum + elf_defines(elf, "PMPI_Comm_dup");
}

static bool has(const struct elf *elf, const struct elf_symbols *symbols, const char *name, bool imported)
{
	struct elf_symbol symbol;

	for (size_t i = 0; elf_symbol(elf, symbols, i, &symbol); i++)
		if (symbol.imported == imported && strcmp(symbol.name, name) == 0)
			return true;
	return false;
}

/* --- real files --------------------------------------------------------------------------------------------------------- */

static void this_program_is_read(void)
{
	size_t size;
	unsigned char *bytes = load("/proc/self/exe", &size);
	struct elf elf;
	struct fault fault = FAULT_NONE;
	bool needs_cunit = false;
	const char *needed;

	CU_ASSERT_EQUAL_FATAL(elf_read(&elf, bytes, size, &fault), 0);
	for (size_t n = 0; (needed = elf_dynamic(&elf, DT_NEEDED, n)); n++)
		needs_cunit |= strncmp(needed, "libcunit.so", 11) == 0;
	CU_ASSERT_TRUE(needs_cunit);
	CU_ASSERT_TRUE(elf.has_interpreter);
	CU_ASSERT_TRUE(has(&elf, &elf.imports, "CU_initialize_registry", true));
	CU_ASSERT_FALSE(has(&elf, &elf.imports, "CU_initialize_registry", false));
	CU_ASSERT_TRUE(has(&elf, &elf.own, "main", false));
	CU_ASSERT_FALSE(elf_defines(&elf, "CU_initialize_registry"));
	free(bytes);
}

static void a_library_is_read(void)
{
	size_t size;
	unsigned char *bytes;
	struct elf elf;
	Dl_info info;

	CU_ASSERT_TRUE_FATAL(dladdr(dlsym(RTLD_DEFAULT, "CU_initialize_registry"), &info) != 0);
	bytes = load(info.dli_fname, &size);
	CU_ASSERT_EQUAL_FATAL(elf_read(&elf, bytes, size, NULL), 0);
	CU_ASSERT_EQUAL(elf.type, ET_DYN);
	CU_ASSERT_EQUAL(strncmp(elf_dynamic(&elf, DT_SONAME, 0), "libcunit.so", 11), 0);
	CU_ASSERT_PTR_NULL(elf_dynamic(&elf, DT_SONAME, 1));
	CU_ASSERT_TRUE(elf_defines(&elf, "CU_initialize_registry"));
	CU_ASSERT_FALSE(elf_defines(&elf, "CU_initialize_registr"));
	free(bytes);
}

/* --- a small file of our own, and lies in it ---------------------------------------------------------------------------- */

static const char names[] = "\0libmpi.so.40\0MPI_Send\0mine\0/opt/lib";
enum { NEEDED_AT = 1, SEND_AT = 14, MINE_AT = 23, RUNPATH_AT = 28 };

/* The symbols lie before their names, as linkers put them. */
struct small {
	ElfW(Ehdr) header;
	ElfW(Phdr) segments[3];
	ElfW(Dyn) dynamic[6];
	ElfW(Sym) symbols[3];
	char names[sizeof names];
	ElfW(Sym) last;
};

static struct small make_small(void)
{
	struct small small = {0};

	memcpy(small.header.e_ident, ELFMAG, SELFMAG);
	small.header.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	small.header.e_ident[EI_DATA] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	small.header.e_type = ET_DYN;
	small.header.e_phoff = offsetof(struct small, segments);
	small.header.e_phentsize = sizeof(ElfW(Phdr));
	small.header.e_phnum = 3;
	small.segments[0] = (ElfW(Phdr)){ .p_type = PT_LOAD, .p_filesz = sizeof small, .p_memsz = sizeof small };
	small.segments[1] = (ElfW(Phdr)){ .p_type = PT_DYNAMIC, .p_offset = offsetof(struct small, dynamic),
					  .p_vaddr = offsetof(struct small, dynamic), .p_filesz = sizeof small.dynamic };
	small.segments[2] = (ElfW(Phdr)){ .p_type = PT_INTERP };
	small.dynamic[0] = (ElfW(Dyn)){ DT_NEEDED, { NEEDED_AT } };
	small.dynamic[1] = (ElfW(Dyn)){ DT_RUNPATH, { RUNPATH_AT } };
	small.dynamic[2] = (ElfW(Dyn)){ DT_STRTAB, { offsetof(struct small, names) } };
	small.dynamic[3] = (ElfW(Dyn)){ DT_STRSZ, { sizeof names } };
	small.dynamic[4] = (ElfW(Dyn)){ DT_SYMTAB, { offsetof(struct small, symbols) } };
	small.symbols[1] = (ElfW(Sym)){ .st_name = SEND_AT, .st_shndx = SHN_UNDEF };
	small.symbols[2] = (ElfW(Sym)){ .st_name = MINE_AT, .st_shndx = 1, .st_info = (STB_GLOBAL << 4) | STT_FUNC };
	memcpy(small.names, names, sizeof names);
	return small;
}

static int read_small(const struct small *small, struct elf *elf)
{
	return elf_read(elf, before_the_wall(small, sizeof *small), sizeof *small, NULL);
}

static void a_small_file_is_read(void)
{
	struct small small = make_small();
	struct elf elf;

	CU_ASSERT_EQUAL_FATAL(read_small(&small, &elf), 0);
	CU_ASSERT_STRING_EQUAL(elf_dynamic(&elf, DT_NEEDED, 0), "libmpi.so.40");
	CU_ASSERT_PTR_NULL(elf_dynamic(&elf, DT_NEEDED, 1));
	CU_ASSERT_STRING_EQUAL(elf_dynamic(&elf, DT_RUNPATH, 0), "/opt/lib");
	CU_ASSERT_EQUAL(elf.imports.count, 3);
	CU_ASSERT_TRUE(has(&elf, &elf.imports, "MPI_Send", true));
	CU_ASSERT_TRUE(has(&elf, &elf.imports, "mine", false));
	CU_ASSERT_TRUE(elf_defines(&elf, "mine"));
	CU_ASSERT_FALSE(elf_defines(&elf, "MPI_Send"));
	CU_ASSERT_TRUE(elf.has_interpreter);
}

static void lies_are_found(void)
{
#define LIE(code, ...) do { struct small small = make_small(); struct elf elf; __VA_ARGS__; \
		CU_ASSERT_EQUAL(read_small(&small, &elf), code); } while (0)
	LIE(SEAMARK_E_NOT_FOUND, small.header.e_ident[0] = '#');
	LIE(SEAMARK_E_VERSION, small.header.e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64);
	LIE(SEAMARK_E_VERSION, small.header.e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB);
	LIE(SEAMARK_E_DAMAGED, small.header.e_phentsize--);
	LIE(SEAMARK_E_DAMAGED, small.header.e_phoff = sizeof small - 1);
	LIE(SEAMARK_E_DAMAGED, small.header.e_phoff = (ElfW(Off))-8);
	LIE(SEAMARK_E_DAMAGED, small.header.e_phnum = 0xffff);
	LIE(SEAMARK_E_DAMAGED, small.segments[1].p_offset = sizeof small);
	LIE(SEAMARK_E_DAMAGED, small.segments[1].p_filesz = (ElfW(Xword))-1);
	LIE(SEAMARK_E_DAMAGED, small.segments[0].p_filesz++);           /* no segment holds the names now */
	LIE(SEAMARK_E_DAMAGED, small.segments[0].p_vaddr = 0x400000);
	LIE(SEAMARK_E_DAMAGED, small.dynamic[0].d_un.d_val = sizeof names);
	LIE(SEAMARK_E_DAMAGED, small.dynamic[1].d_un.d_val = (ElfW(Xword))-1);
	LIE(SEAMARK_E_DAMAGED, small.dynamic[2].d_un.d_ptr = sizeof small);
	LIE(SEAMARK_E_DAMAGED, small.dynamic[3].d_un.d_val = sizeof small);
	LIE(SEAMARK_E_DAMAGED, small.dynamic[4].d_un.d_ptr = (ElfW(Addr))-16);
	LIE(SEAMARK_E_DAMAGED, small.symbols[1].st_name = sizeof names);
	LIE(SEAMARK_E_DAMAGED, memset(small.names + RUNPATH_AT, 'x', sizeof names - RUNPATH_AT)); /* without an end */
	LIE(0, small.header.e_shoff = (ElfW(Off))-8; small.header.e_shnum = 7; small.header.e_shentsize = sizeof(ElfW(Shdr)));
	LIE(0, small.header.e_phnum = 0);
#undef LIE
	/* How many symbols there are is said by a hash table, which says too many. */
	struct small small = make_small();
	struct elf elf;
	uint32_t *words = (uint32_t *)&small.symbols[0];
	small.dynamic[5] = (ElfW(Dyn)){ DT_HASH, { offsetof(struct small, symbols) } };
	words[1] = 3;
	CU_ASSERT_EQUAL(read_small(&small, &elf), 0);
	words[1] = 300;
	CU_ASSERT_EQUAL(read_small(&small, &elf), SEAMARK_E_DAMAGED);
	words[1] = 0xffffffff;
	CU_ASSERT_EQUAL(read_small(&small, &elf), SEAMARK_E_DAMAGED);
	small.dynamic[4].d_un.d_ptr = offsetof(struct small, last);
	words[1] = 1;
	CU_ASSERT_EQUAL(read_small(&small, &elf), 0);
	words[1] = 2;
	CU_ASSERT_EQUAL(read_small(&small, &elf), SEAMARK_E_DAMAGED);
}

static void a_file_cut_short_harms_nobody(void)
{
	struct small small = make_small();
	struct elf elf;

	for (size_t size = 0; size < sizeof small; size++) {
		int result = elf_read(&elf, before_the_wall(&small, size), size, NULL);
		CU_ASSERT_TRUE(result != 0);
		CU_ASSERT_EQUAL(result, size < SELFMAG ? SEAMARK_E_NOT_FOUND : SEAMARK_E_DAMAGED);
	}
}

static void damage_harms_nobody(void)
{
	static const uint64_t values[] = { 0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, 0xffffffffffffffff,
					   0xfffffffffffffff0, sizeof(struct small), sizeof(struct small) - 1 };
	size_t size, read = 0, sum = 0;
	unsigned char *real = load("/proc/self/exe", &size);

	for (int round = 0; round < ROUNDS; round++) {
		struct small small = make_small();
		bool own = round % 4 == 0;      /* of this program the headers, else anywhere in the small one */
		size_t whole = own ? size : sizeof small, within = own ? 1024 : sizeof small;
		unsigned char *bytes = before_the_wall(own ? (void *)real : &small, whole);
		struct elf elf;

		for (uint64_t n = 1 + draw(4); n; n--) {
			uint64_t value = draw(3) ? values[draw(sizeof values / sizeof values[0])] : draw(UINT64_MAX);
			size_t width = (size_t)1 << draw(4), at = draw(within / width) * width;
			memcpy(bytes + at, &value, width);
		}
		if (elf_read(&elf, bytes, whole, NULL) == 0) {
			read++;
			sum += ask_all(&elf);
		}
	}
	printf("%zu of %d damaged files could be read, %zu\n", read, ROUNDS, sum);
	CU_ASSERT_TRUE(read > ROUNDS / 100);
	CU_ASSERT_TRUE(read < ROUNDS);
	free(real);
}

/* --- the dynamic linker's cache ------------------------------------------------------------------------------------------- */

struct cache {
	char magic[20];
	uint32_t entries, text_bytes, rest[5];
	struct { int32_t flags; uint32_t name, path, system; uint64_t hardware; } list[3];
	char text[48];
};

static struct cache make_cache(void)
{
	struct cache cache = { .entries = 3 };
	const uint32_t text = offsetof(struct cache, text);

	memcpy(cache.magic, "glibc-ld.so.cache1.1", sizeof cache.magic);
	memcpy(cache.text, "libm.so\0/a/libm.so\0/b/libm.so\0libn.so\0/libn.so\0", sizeof cache.text);
	cache.list[0].name = cache.list[1].name = text;
	cache.list[0].path = text + 8;
	cache.list[1].path = text + 19;
	cache.list[2].name = text + 30;
	cache.list[2].path = text + 38;
	return cache;
}

static const char *look_up(const struct cache *cache, const char *name, size_t n)
{
	return elf_cached(before_the_wall(cache, sizeof *cache), sizeof *cache, name, n);
}

static void the_cache_is_read(void)
{
	struct cache cache = make_cache();

	CU_ASSERT_STRING_EQUAL(look_up(&cache, "libm.so", 0), "/a/libm.so");
	CU_ASSERT_STRING_EQUAL(look_up(&cache, "libm.so", 1), "/b/libm.so");
	CU_ASSERT_PTR_NULL(look_up(&cache, "libm.so", 2));
	CU_ASSERT_STRING_EQUAL(look_up(&cache, "libn.so", 0), "/libn.so");
	CU_ASSERT_PTR_NULL(look_up(&cache, "libo.so", 0));
}

static void a_cache_that_lies_harms_nobody(void)
{
	struct cache cache = make_cache();

	cache.magic[0] = 'G';
	CU_ASSERT_PTR_NULL(look_up(&cache, "libm.so", 0));
	cache = make_cache();
	cache.entries = 0xffffffff;
	CU_ASSERT_PTR_NULL(look_up(&cache, "libm.so", 0));
	cache = make_cache();
	cache.list[0].path = 0xffffffff;
	CU_ASSERT_STRING_EQUAL(look_up(&cache, "libm.so", 0), "/b/libm.so");
	cache = make_cache();
	memset(cache.text + sizeof cache.text - 2, 'x', 2); /* without an end */
	CU_ASSERT_PTR_NULL(look_up(&cache, "libn.so", 0));
	cache = make_cache();
	for (size_t size = 0; size < sizeof cache; size++)
		elf_cached(before_the_wall(&cache, size), size, "libn.so", 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "this program is read", this_program_is_read },
		{ "a library is read", a_library_is_read },
		{ "a small file is read", a_small_file_is_read },
		{ "lies are found", lies_are_found },
		{ "a file cut short harms nobody", a_file_cut_short_harms_nobody },
		{ "damage harms nobody", damage_harms_nobody },
		{ "the cache is read", the_cache_is_read },
		{ "a cache that lies harms nobody", a_cache_that_lies_harms_nobody },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "elf", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };
	const char *seed = getenv("TEST_SEED");

	state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	printf("TEST_SEED=%llu\n", (unsigned long long)state);
	fflush(stdout);
	return suites_run(suites);
}
