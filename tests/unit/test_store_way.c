/* SPDX-License-Identifier: BSD-3-Clause */
/* Images of all kinds of chunks, by every codec, with and without io_uring: what is loaded is what was saved, what is damaged is found, a limit of the rate is kept, and
 * writing takes no more memory than its ring. */
#include <CUnit/Basic.h>
#include <sys/mman.h>

#include "suites.h"
#define URING_UNTOUCHED
#include "../fault/uring.h"
#include "store/format.h"
#include "store/ring.h"
#include "store/verify.h"
#include "test_store_fixture.h"

enum { MIB = 1 << 20, REGIONS = 9 };

/* Sanitizers keep what is freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_MEMORY true
#else
#define KEEPS_MEMORY false
#endif

static bool without_ring;

static bool uring_refused(void)
{
	return without_ring;
}

static char folder[256];
static struct store_region regions[REGIONS];
static uint8_t *memory;
static const struct store_record nothing;

static void fill(uint8_t *at, size_t bytes, char kind)
{
	memset(at, 0, bytes);
	for (size_t i = 0; kind != 'z' && i < bytes; i++)
		at[i] = kind == 'r' ? (uint8_t)mix64(i) : (uint8_t)("what passed"[mix64(i / 50) % 11]);
}

/* From one byte to several chunks, on pages and off them, with zeros in places. */
static int begin(void)
{
	static const struct { const char *name; size_t bytes; size_t off; char kind; } table[REGIONS] = {
		{ "one", 1, 0, 'r' }, { "none", 0, 0, 'r' }, { "random", 9 * MIB + 77, 0, 'r' }, { "text", 13 * MIB + 1, 0, 't' },
		{ "zeros", 10 * MIB + 3, 0, 'z' }, { "odd", 5 * MIB, 13, 'r' }, { "odd text", 5 * MIB + 5, 3, 't' }, { "little", 5000, 7, 't' },
		{ "zero", 1, 0, 'z' },
	};
	size_t at = 0;

	memory = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	for (int i = 0; i < REGIONS; i++) {
		regions[i] = (struct store_region){ .name = table[i].name, .data = memory + at + table[i].off, .bytes = table[i].bytes };
		fill(memory + at + table[i].off, table[i].bytes, table[i].kind);
		at += format_padded(table[i].bytes + table[i].off);
	}
	/* A chunk of zeros among others. */
	memset((uint8_t *)(uintptr_t)regions[3].data + 4 * MIB, 0, 4 * MIB);
	fixture_folder(folder);
	return 0;
}

static int begin_without_ring(void)
{
	without_ring = true;
	return begin();
}

static int end(void)
{
	munmap(memory, 64 * MIB);
	fixture_remove(folder);
	return 0;
}

/* A checkpoint of those regions by one rank; its bytes. */
static uint64_t take(enum settings_codec codec, uint64_t rate, struct store_checkpoint *found)
{
	struct store_commit commit = { 0 };
	struct store_image_result result;
	struct fault fault = FAULT_NONE;
	uint8_t run[16];
	uint32_t life;
	struct store *store;
	uint64_t next;

	CU_ASSERT_EQUAL_FATAL(store_open(&store, folder, 0, 1, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(store_begin_life(store, 5, run, &life, &next, &fault), 0);
	store_set_life(store, run, life);
	store_set_way(store, codec, rate);
	CU_ASSERT_EQUAL_FATAL(store_start_writer(store, NULL, NULL, &fault), 0);
	commit.identity = (struct store_identity){ .life = life, .number = next, .nonce = 5, .ranks = 1, .step = 1 };
	memcpy(commit.identity.run, run, sizeof run);
	CU_ASSERT_EQUAL_FATAL(store_begin_image(store, &commit.identity, regions, REGIONS, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(store_finish_image(store, &nothing, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(fixture_image_state(store, &result), STORE_DURABLE);
	commit.table_sum = mix64_pair(0, result.table_hash);
	commit.bytes = result.bytes;
	CU_ASSERT_EQUAL_FATAL(store_begin_commit(store, &commit, 1, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(fixture_commit_state(store, &fault), STORE_DURABLE);
	CU_ASSERT_EQUAL_FATAL(store_newest(store, UINT64_MAX, found, &fault), 0);
	store_close(store);
	return result.bytes;
}

static void check_loaded(const struct store_checkpoint *found)
{
	struct store_image *image;
	struct fault fault = FAULT_NONE;
	struct verify_proof proof;

	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, found, 0, &fault), 0);
	for (size_t i = 0; i < REGIONS; i++) {
		/* Off pages as well, and with something behind it. */
		uint8_t *data = malloc(regions[i].bytes + 32), *at = data + i % 3;

		memset(data, 0x55, regions[i].bytes + 32);
		CU_ASSERT_EQUAL(store_image_load_region(image, i, at, &fault), 0);
		CU_ASSERT_TRUE(!regions[i].bytes || !memcmp(at, regions[i].data, regions[i].bytes));
		CU_ASSERT_EQUAL(at[regions[i].bytes], 0x55);
		CU_ASSERT_EQUAL(store_image_load_region(image, i, NULL, &fault), 0);
		free(data);
	}
	store_close_image(image);
	CU_ASSERT_EQUAL(store_verify(found, NULL, NULL, &proof, &fault), 0);
	CU_ASSERT_EQUAL(proof.regions, REGIONS);
}

static void what_is_saved_is_loaded(void)
{
	struct store_checkpoint found;
	uint64_t plain = take(CODEC_NONE, 0, &found);

	check_loaded(&found);
	/* Zeros are not in it: of 42 MiB, 10 and a chunk. */
	CU_ASSERT_TRUE(plain < 30 * (uint64_t)MIB);
	CU_ASSERT_TRUE(take(CODEC_LZ4, 0, &found) < plain - 8 * (uint64_t)MIB);
	check_loaded(&found);
	CU_ASSERT_TRUE(take(CODEC_ZSTD, 0, &found) < plain - 8 * (uint64_t)MIB);
	check_loaded(&found);
	take(CODEC_AUTO, 0, &found);
	check_loaded(&found);
	/* Held back, it compresses. */
	CU_ASSERT_TRUE(take(CODEC_AUTO, 100 * MIB, &found) < plain - 4 * (uint64_t)MIB);
	check_loaded(&found);
}

/* Each byte of the stored chunks counts: in strides, so that every chunk is hit in many places. */
static void damage_is_found(void)
{
	struct store_checkpoint found;
	struct verify_proof proof;
	char path[4200];
	off_t size;
	int fd;

	take(CODEC_ZSTD, 0, &found);
	snprintf(path, sizeof path, "%s/rank-00000.smk", found.path);
	fd = open(path, O_RDWR);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	for (off_t at = 4096; at < size; at += size / 40) {
		uint8_t was, is;

		CU_ASSERT_EQUAL(pread(fd, &was, 1, at), 1);
		is = was ^ 1;
		CU_ASSERT_EQUAL(pwrite(fd, &is, 1, at), 1);
		CU_ASSERT_EQUAL(store_verify(&found, NULL, NULL, &proof, NULL), SEAMARK_E_DAMAGED);
		CU_ASSERT_EQUAL(pwrite(fd, &was, 1, at), 1);
	}
	CU_ASSERT_EQUAL(store_verify(&found, NULL, NULL, &proof, NULL), 0);
	close(fd);
}

/* All at once, but for those that are left. */
static void load_all(const struct store_checkpoint *found, const bool *leave, struct fault *fault)
{
	struct store_image *image;
	void *data[REGIONS];

	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, found, 0, fault), 0);
	for (size_t i = 0; i < REGIONS; i++) {
		data[i] = i % 4 == 3 ? NULL : malloc(regions[i].bytes + 1);
		if (data[i])
			memset(data[i], 0x55, regions[i].bytes + 1);
	}
	if (!store_image_load_regions(image, data, leave, fault))
		for (size_t i = 0; i < REGIONS; i++) {
			if (!data[i])
				continue;
			CU_ASSERT_EQUAL(((uint8_t *)data[i])[regions[i].bytes], 0x55);
			CU_ASSERT_TRUE(!regions[i].bytes || (!memcmp(data[i], regions[i].data, regions[i].bytes)) != (leave && leave[i]));
		}
	for (size_t i = 0; i < REGIONS; i++)
		free(data[i]);
	store_close_image(image);
}

static void regions_are_loaded_at_once(void)
{
	static const bool leave[REGIONS] = { [2] = true, [6] = true };
	struct store_checkpoint found;
	struct fault fault = FAULT_NONE;

	for (enum settings_codec codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++) {
		take(codec, 0, &found);
		load_all(&found, NULL, &fault);
		load_all(&found, leave, &fault);
		CU_ASSERT_EQUAL(fault.code, 0);
	}
}

/* Whichever thread meets one first, the first that is damaged is told of; one that is left out is not looked at. */
static void the_first_damage_is_told(void)
{
	static const bool leave[REGIONS] = { [2] = true };
	struct store_checkpoint found;
	char path[4200];
	uint8_t page[4096];
	int fd;

	take(CODEC_NONE, 0, &found);
	snprintf(path, sizeof path, "%s/rank-00000.smk", found.path);
	fd = open(path, O_WRONLY);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	memset(page, 0xEE, sizeof page);
	/* The second chunk of `random`, its third, and the last of the file but the index and the record. */
	CU_ASSERT_EQUAL(pwrite(fd, page, 4096, 4096 + 4096 + 4 * MIB), 4096);
	CU_ASSERT_EQUAL(pwrite(fd, page, 4096, 4096 + 4096 + 8 * MIB), 4096);
	CU_ASSERT_EQUAL(pwrite(fd, page, 4096, 4096 + 4096 + 14 * MIB), 4096);
	close(fd);
	for (int i = 0; i < 10; i++) {
		struct fault fault = FAULT_NONE;

		load_all(&found, NULL, &fault);
		CU_ASSERT_EQUAL(fault.code, SEAMARK_E_DAMAGED);
		CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "region 'random', bytes 4194304 to 8388607"));
		fault = FAULT_NONE;
		load_all(&found, leave, &fault);
		CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "region 'text'"));
	}
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void a_limit_of_the_rate_is_kept(void)
{
	struct store_checkpoint found;
	double begun = now_s();
	uint64_t bytes = take(CODEC_NONE, 50 * MIB, &found);

	/* All but the last piece has been waited for. */
	CU_ASSERT_TRUE(now_s() - begun > (double)(bytes - RING_SLOT_SIZE) / (50 * MIB));
	check_loaded(&found);
}

/* --- memory ------------------------------------------------------------------------------------------------------------ */

static uint64_t status_kib(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	unsigned long long value = 0;

	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %llu", &value);
	if (file)
		fclose(file);
	return value;
}

/* The peak of the resident memory begins anew. False: it cannot be told. */
static bool forget_peak(void)
{
	FILE *file = KEEPS_MEMORY ? NULL : fopen("/proc/self/clear_refs", "w");

	if (!file)
		return false;
	fputs("5", file);
	return !fclose(file);
}

/* The regions, and everything else, are there before. */
static void writing_takes_no_more_memory_than_the_ring(void)
{
	static const enum settings_codec codecs[] = { CODEC_NONE, CODEC_LZ4, CODEC_ZSTD, CODEC_AUTO };
	struct store_checkpoint found;

	take(CODEC_NONE, 0, &found);
	for (int i = 0; i < 4 && forget_peak(); i++) {
		uint64_t before = status_kib("VmRSS"), peak;

		take(codecs[i], 0, &found);
		peak = status_kib("VmHWM");
		CU_ASSERT_TRUE(before > 40 << 10);
		if (peak > before + RING_DEPTH * (RING_SLOT_SIZE >> 10) + (8 << 10))
			printf("\n  codec %d: %llu KiB before, %llu at the peak", i, (unsigned long long)before, (unsigned long long)peak);
		CU_ASSERT_TRUE(peak <= before + RING_DEPTH * (RING_SLOT_SIZE >> 10) + (8 << 10));
	}
}

/* Two chunks for each of at most 8 threads, where all is checked and nothing kept. */
static void reading_takes_a_few_chunks(void)
{
	struct store_checkpoint found;
	struct store_image *image;
	struct fault fault = FAULT_NONE;
	void *data[REGIONS] = { NULL };

	take(CODEC_ZSTD, 0, &found);
	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, &found, 0, &fault), 0);
	if (forget_peak()) {
		uint64_t before = status_kib("VmRSS");

		CU_ASSERT_EQUAL(store_image_load_regions(image, data, NULL, &fault), 0);
		CU_ASSERT_TRUE(status_kib("VmHWM") <= before + 16 * (FORMAT_CHUNK_SIZE >> 10) + (8 << 10));
	}
	store_close_image(image);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "what is saved is loaded", what_is_saved_is_loaded },
		{ "damage is found", damage_is_found },
		{ "regions are loaded at once", regions_are_loaded_at_once },
		{ "the first damage is told", the_first_damage_is_told },
		{ "a limit of the rate is kept", a_limit_of_the_rate_is_kept },
		{ "writing takes no more memory than the ring", writing_takes_no_more_memory_than_the_ring },
		{ "reading takes a few chunks", reading_takes_a_few_chunks },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "store: way", begin, end, NULL, NULL, tests },
		{ "store: way, without io_uring", begin_without_ring, end, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};

	return suites_run(suites);
}
