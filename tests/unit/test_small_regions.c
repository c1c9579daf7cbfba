/* SPDX-License-Identifier: BSD-3-Clause */
/* What is small shares pages: of whatever sizes regions are, they come back, in chains and after compaction too; damage in a page is told of the region that it hit; images that say
 * that blocks lie where they may not are refused; and many are read by few calls. */
#include <CUnit/Basic.h>
#include <sys/syscall.h>
#include <xxhash.h>

#include "seamark_files.h"
#include "store/format.h"
#include "store/image_read.h"
#include "store/nearby.h"
#include "store/verify.h"
#include "suites.h"
#include "test_store_fixture.h"

static size_t reads, bytes_read;

ssize_t pread(int fd, void *to, size_t size, off_t offset)
{
	__atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&bytes_read, size, __ATOMIC_RELAXED);
	return syscall(SYS_pread64, fd, to, size, offset);
}

static char folder[256];
static const struct store_record nothing;

static void begin(void)
{
	fixture_folder(folder);
}

static void end(void)
{
	fixture_remove(folder);
}

/* --- regions that are drawn ------------------------------------------------------------------------------------------ */

enum { MOST = 300, CHUNK = FORMAT_CHUNK_SIZE, NAME = 48 };

/* What a checkpoint has. A region is what its number and its version say; of -1 bytes: not there. */
struct state {
	int64_t bytes[MOST];
	uint64_t version[MOST];
	size_t count;
};

static uint64_t drawn;

static uint64_t draw(uint64_t below)
{
	return mix64(++drawn) % below;
}

static void fill(uint8_t *to, int64_t bytes, size_t region, uint64_t version)
{
	/* Some can be compressed, some a little, some not. */
	for (int64_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)mix64_pair(region * 1000 + version, (uint64_t)i / (region % 3 == 0 ? 1 : region % 3 * 40));
}

static uint8_t *made(const struct state *state, size_t region)
{
	uint8_t *data = malloc((size_t)state->bytes[region] + 1);

	fill(data, state->bytes[region], region, state->version[region]);
	return data;
}

static void name_of(char name[NAME], size_t region)
{
	snprintf(name, NAME, "r%zu%s", region, region % 7 ? "" : " with a longer name");
}

/* One rank's checkpoint of it; its bytes. */
static uint64_t take(struct fixture *fixture, const struct state *state, uint64_t keep)
{
	struct store_commit commit = { .identity = fixture_identity(fixture, fixture->next++, 0) };
	static struct store_region regions[MOST];
	static char names[MOST][NAME];
	struct store_image_result result;
	struct fault fault = FAULT_NONE;
	size_t count = 0;

	for (size_t i = 0; i < state->count; i++) {
		if (state->bytes[i] < 0)
			continue;
		name_of(names[count], i);
		regions[count] = (struct store_region){ .name = names[count], .data = made(state, i), .bytes = (uint64_t)state->bytes[i] };
		count++;
	}
	if (store_begin_image(fixture->stores[0], &commit.identity, regions, count, &fault) || store_finish_image(fixture->stores[0], &nothing, &fault))
		fixture_stop("image", &fault);
	if (fixture_image_state(fixture->stores[0], &result) != STORE_DURABLE)
		fixture_stop("image", &result.fault);
	commit.table_sum = mix64_pair(0, result.table_hash);
	commit.bytes = result.bytes;
	commit.referred = result.referred;
	commit.parents = result.parents;
	if (store_begin_commit(fixture->stores[0], &commit, keep, &fault) || fixture_commit_state(fixture->stores[0], &fault) != STORE_DURABLE)
		fixture_stop("commit", &fault);
	if (fixture->full_every)
		fixture_settle(fixture, &commit, true);
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)regions[i].data);
	return result.bytes;
}

static void find(uint64_t number, struct store_checkpoint *found)
{
	struct store *store;
	struct fault fault = FAULT_NONE;
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, number);
	if (store_open(&store, folder, 0, 1, &fault) || store_at(store, text, found, &fault))
		fixture_stop("store_at", &fault);
	store_close(store);
}

static struct store_image *open_image(uint64_t number)
{
	static struct store_checkpoint found;
	struct store_image *image;
	struct fault fault = FAULT_NONE;

	find(number, &found);
	if (store_open_image(&image, &found, 0, &fault))
		fixture_stop("store_open_image", &fault);
	return image;
}

static void told(void *context, int code, int64_t rank, const char *text)
{
	(void)context;
	printf("\n  rank %d: %d %s", (int)rank, code, text);
}

static int verify(uint64_t number, bool loud)
{
	static struct store_checkpoint found;
	struct verify_proof proof;

	find(number, &found);
	return store_verify(&found, loud ? told : NULL, NULL, &proof, NULL);
}

/* --- what comes back -------------------------------------------------------------------------------------------------- */

static int compare_piece(void *context, uint64_t offset, const void *data, uint64_t bytes)
{
	return memcmp((const uint8_t *)context + offset, data, bytes) != 0;
}

/* Each by itself, in memory of its own and in pieces; then all at once. */
static bool gives_back(uint64_t number, const struct state *state)
{
	struct store_image *image = open_image(number);
	void *all[MOST] = { NULL };
	struct fault fault = FAULT_NONE;
	size_t there = 0;
	bool good = true;

	for (size_t i = 0; i < state->count && good; i++) {
		char name[NAME];

		name_of(name, i);
		size_t at = store_image_find_region(image, name);
		good = (at != SIZE_MAX) == (state->bytes[i] >= 0);
		if (at == SIZE_MAX || !good)
			continue;
		size_t bytes = (size_t)state->bytes[i];
		uint8_t *data = malloc(bytes + 1), *want = made(state, i);

		data[bytes] = 0x55;
		good = !store_image_load_region(image, at, data, &fault) && !memcmp(data, want, bytes) && data[bytes] == 0x55 &&
		       !image_each_chunk(image, at, compare_piece, want, &fault);
		all[at] = data;
		memset(data, 0xAA, bytes);
		free(want);
		there++;
	}
	good = good && there == store_image_region_count(image) && !store_image_load_regions(image, all, NULL, &fault);
	for (size_t i = 0; i < state->count && good; i++) {
		char name[NAME];

		name_of(name, i);
		size_t at = store_image_find_region(image, name);
		uint8_t *want = at == SIZE_MAX ? NULL : made(state, i);
		good = !want || !memcmp(all[at], want, (size_t)state->bytes[i]);
		free(want);
	}
	for (size_t i = 0; i < MOST; i++)
		free(all[i]);
	if (fault.code)
		printf("\n  %s", fault.text);
	store_close_image(image);
	return good;
}

/* The image's own blocks lie where docs/format.md allows it, in the order of the tables. */
static void check_places(uint64_t number)
{
	struct store_image *image = open_image(number);
	uint64_t last = 4096;

	for (size_t i = 0; i < image->index.chunk_count; i++) {
		const struct format_chunk *chunk = &image->index.chunks[i];

		if (chunk->elsewhere || !chunk->stored)
			continue;
		CU_ASSERT_EQUAL(chunk->offset % (chunk->stored < 65536 ? 8 : 4096), 0);
		CU_ASSERT_TRUE(chunk->offset >= last);
		last = chunk->offset + chunk->stored;
	}
	CU_ASSERT_EQUAL(image->rank->index_offset % (image->rank->index_size < 65536 ? 8 : 4096), 0);
	CU_ASSERT_TRUE(image->rank->index_offset >= last);
	last = image->rank->index_offset + image->rank->index_size;
	CU_ASSERT_EQUAL(image->header.file_size, (last + 4095) / 4096 * 4096);
	store_close_image(image);
}

static const int64_t edges[] = { 0, 1, 7, 8, 9, 16, 100, 511, 512, 513, 4088, 4095, 4096, 4097, 5000, 20000, 65527, 65528, 65535, 65536, 65537, 70000, 100000,
	131071, 131072, 131073, 1048575, 1048576, 1048577, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 70000, 2 * CHUNK };
enum { EDGES = sizeof edges / sizeof edges[0] };

/* Each size beside each other kind, in an order that is drawn. */
static void shuffle(struct state *state)
{
	state->count = 2 * EDGES;
	for (size_t i = 0; i < state->count; i++) {
		state->bytes[i] = edges[i / 2] > 200000 && i % 2 ? edges[draw(EDGES / 2)] : edges[i / 2];
		state->version[i] = draw(1000);
	}
	for (size_t i = state->count; i-- > 1;) {
		size_t other = draw(i + 1);
		int64_t bytes = state->bytes[i];

		state->bytes[i] = state->bytes[other];
		state->bytes[other] = bytes;
	}
}

static void sizes_of_all_kinds_come_back(void)
{
	static const enum settings_codec codecs[] = { CODEC_NONE, CODEC_LZ4, CODEC_ZSTD, CODEC_AUTO };
	static struct state state;

	for (int i = 0; i < 4; i++) {
		struct fixture fixture;
		struct fault fault = FAULT_NONE;
		uint64_t number;

		shuffle(&state);
		memset(&fixture, 0, sizeof fixture);
		fixture.ranks = 1;
		if (store_open(&fixture.stores[0], folder, 0, 1, &fault) ||
		    store_begin_life(fixture.stores[0], 0, fixture.run, &fixture.life, &fixture.next, &fault))
			fixture_stop("store", &fault);
		store_set_life(fixture.stores[0], fixture.run, fixture.life);
		store_set_way(fixture.stores[0], codecs[i], 0);
		store_set_read_back(fixture.stores[0], i % 2 == 0);
		if (store_start_writer(fixture.stores[0], NULL, NULL, &fault))
			fixture_stop("writer", &fault);
		number = fixture.next;
		take(&fixture, &state, 1);
		fixture_end(&fixture);
		CU_ASSERT_EQUAL(verify(number, true), 0);
		CU_ASSERT_TRUE(gives_back(number, &state));
		check_places(number);
	}
}

/* --- chains ------------------------------------------------------------------------------------------------------------ */

static int64_t any_size(void)
{
	switch (draw(40)) {
	case 0:
		return (int64_t)draw(3 * CHUNK);
	case 1:
	case 2:
		return 65536 - 8 + (int64_t)draw(16);
	case 3:
		return (int64_t)draw(200000);
	case 4:
	case 5:
		return -1;
	default:
		return (int64_t)draw(draw(2) ? 20 : 6000);
	}
}

static void change(struct state *state)
{
	for (size_t i = 0; i < state->count; i++)
		switch (draw(12)) {
		case 0:
			state->bytes[i] = any_size();
			break;
		case 1:
			state->version[i]++;
			break;
		}
}

static void regions_grow_shrink_come_and_go_in_a_chain(void)
{
	enum { ROUNDS = 9 };
	static struct state states[ROUNDS];
	struct fixture fixture;
	char path[400];

	fixture_begin(&fixture, folder, 1);
	fixture_chain(&fixture, 5, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		if (round)
			states[round] = states[round - 1];
		else
			states[0].count = 150;
		for (size_t i = 0; i < states[round].count && !round; i++)
			states[0].bytes[i] = any_size();
		change(&states[round]);
		take(&fixture, &states[round], 0);
		CU_ASSERT_EQUAL(verify((uint64_t)round + 1, true), 0);
		check_places((uint64_t)round + 1);
	}
	fixture_end(&fixture);
	/* The last, and one in the middle in which chunks of others lie. */
	for (int number = ROUNDS; number > 0; number -= 4) {
		snprintf(path, sizeof path, "%s/%07d.L01", folder, number);
		CU_ASSERT_EQUAL(seamark_files_compact(path, NULL), 0);
		for (int round = 0; round < ROUNDS; round++) {
			CU_ASSERT_EQUAL(verify((uint64_t)round + 1, true), 0);
			CU_ASSERT_TRUE(gives_back((uint64_t)round + 1, &states[round]));
		}
	}
}

/* --- damage ------------------------------------------------------------------------------------------------------------ */

static int open_file(uint64_t number)
{
	char path[400];
	int fd;

	snprintf(path, sizeof path, "%s/%07" PRIu64 ".L01/rank-00000.smk", folder, number);
	fd = open(path, O_RDWR);
	if (fd < 0)
		fixture_stop(path, NULL);
	return fd;
}

static void flip(int fd, uint64_t at)
{
	uint8_t byte;

	if (syscall(SYS_pread64, fd, &byte, 1, at) != 1)
		fixture_stop("pread", NULL);
	byte ^= (uint8_t)(1 << at % 8);
	if (pwrite(fd, &byte, 1, (off_t)at) != 1)
		fixture_stop("pwrite", NULL);
}

/* The protected region's chunk in which a byte lies; SIZE_MAX: none. */
static size_t owner_of(const struct store_image *image, uint64_t at)
{
	for (size_t i = 0; i < image->index.chunk_count; i++)
		if (at >= image->index.chunks[i].offset && at - image->index.chunks[i].offset < image->index.chunks[i].stored)
			return image->index.chunks[i].region;
	return SIZE_MAX;
}

static void damage_in_a_page_is_told_of_what_it_hit(void)
{
	static struct state state = { .count = 90 };
	struct store_image *image;
	struct fixture fixture;
	size_t gaps = 0, wrong = 0;
	int fd;

	for (size_t i = 0; i < state.count; i++)
		state.bytes[i] = (int64_t)i;
	fixture_begin(&fixture, folder, 1);
	take(&fixture, &state, 0);
	fixture_end(&fixture);
	image = open_image(1);
	fd = open_file(1);
	for (uint64_t at = 4096; at < 4096 + 4100; at++) {
		size_t owner = owner_of(image, at);
		char quoted[40] = "";

		flip(fd, at);
		wrong += verify(1, false) != SEAMARK_E_DAMAGED;
		gaps += owner == SIZE_MAX;
		/* It and its neighbours. */
		for (size_t i = owner == SIZE_MAX || !owner ? 0 : owner - 1; owner != SIZE_MAX && i <= owner + 1 && i < state.count; i++) {
			uint8_t data[100];
			struct fault fault = FAULT_NONE;
			int code = store_image_load_region(image, i, data, &fault);

			if (owner == i)
				snprintf(quoted, sizeof quoted, "region '%s'", image->index.regions[i].name);
			wrong += code != (i == owner ? SEAMARK_E_DAMAGED : 0) || (code && !strstr(fault.text, quoted));
		}
		flip(fd, at);
	}
	CU_ASSERT_TRUE(gaps > 200);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(verify(1, true), 0);
	close(fd);
	store_close_image(image);
}

/* --- places that cannot be ----------------------------------------------------------------------------------------------- */

static void put_number(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, 8);
}

static uint64_t get_number(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, 8);
	return value;
}

/* A file in memory, to lie with. */
struct file {
	int fd;
	uint8_t *was, *data;
	size_t size;
};

static uint8_t *chunk_entry(const struct file *file, size_t number)
{
	uint8_t *index = file->data + get_number(file->data + 136);

	return index + 32 + get_number(index + 16) + number * FORMAT_CHUNK_ENTRY;
}

static void seal(struct file *file)
{
	uint64_t offset = get_number(file->data + 136), size = get_number(file->data + 144);

	put_number(file->data + 152, XXH3_64bits(file->data + offset, size));
	put_number(file->data + 4088, XXH3_64bits(file->data, 4088));
	if (pwrite(file->fd, file->data, file->size, 0) != (ssize_t)file->size)
		fixture_stop("pwrite", NULL);
}

/* What opening says of it; then it is as it was. */
static int opens(struct file *file)
{
	static struct store_checkpoint found;
	struct store_image *image = NULL;
	struct fault fault = FAULT_NONE;
	int code;

	seal(file);
	find(1, &found);
	code = store_open_image(&image, &found, 0, &fault);
	store_close_image(image);
	memcpy(file->data, file->was, file->size);
	return code;
}

static int opens_with_chunk_at(struct file *file, size_t chunk, uint64_t offset)
{
	put_number(chunk_entry(file, chunk) + 80, offset);
	return opens(file);
}

static uint64_t offset_of(const struct file *file, size_t chunk)
{
	return get_number(chunk_entry(file, chunk) + 80);
}

static void blocks_where_none_may_be_are_refused(void)
{
	static struct state state = { .count = 5, .bytes = { 16, 16, 65536, 24, 65535 } };
	struct fixture fixture;
	struct file file = { 0 };
	uint64_t first, index;

	fixture_begin(&fixture, folder, 1);
	take(&fixture, &state, 0);
	fixture_end(&fixture);
	file.fd = open_file(1);
	file.size = (size_t)lseek(file.fd, 0, SEEK_END);
	file.data = malloc(file.size);
	file.was = malloc(file.size);
	if (syscall(SYS_pread64, file.fd, file.was, file.size, 0) != (ssize_t)file.size)
		fixture_stop("pread", NULL);
	memcpy(file.data, file.was, file.size);
	first = offset_of(&file, 0);
	CU_ASSERT_EQUAL(first, 4096);
	CU_ASSERT_EQUAL(offset_of(&file, 1), first + 16);
	CU_ASSERT_EQUAL(opens(&file), 0);
	/* Off its edges, */
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 3, offset_of(&file, 3) + 4), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 1, first + 4096 - 4), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 2, offset_of(&file, 2) + 8), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 2, offset_of(&file, 2) - 2048), SEAMARK_E_DAMAGED);
	/* in the header, or outside, */
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 0, 4088), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 0, 0), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 4, file.size - 8), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 4, UINT64_MAX - 7), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 4, INT64_MAX - 7), SEAMARK_E_DAMAGED);
	/* on another, whole or in part, before it or behind. */
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 1, first), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 1, first + 8), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 0, first + 8), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 3, offset_of(&file, 2) + 65536 - 8), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(opens_with_chunk_at(&file, 4, offset_of(&file, 3) + 16), SEAMARK_E_DAMAGED);
	/* Two of one size may change places. */
	put_number(chunk_entry(&file, 0) + 80, first + 16);
	put_number(chunk_entry(&file, 1) + 80, first);
	CU_ASSERT_EQUAL(opens(&file), 0);
	/* The index. */
	index = get_number(file.data + 136);
	CU_ASSERT_TRUE(index % 8 == 0 && index % 4096);
	memmove(file.data + index + 4, file.data + index, get_number(file.data + 144));
	put_number(file.data + 136, index + 4);
	CU_ASSERT_EQUAL(opens(&file), SEAMARK_E_DAMAGED);
	memmove(file.data + index + 8, file.data + index, get_number(file.data + 144));
	put_number(file.data + 136, index + 8);
	CU_ASSERT_EQUAL(opens(&file), 0);
	free(file.data);
	free(file.was);
	close(file.fd);
}

/* --- many -------------------------------------------------------------------------------------------------------------- */

enum { MANY = 20000, OF = 16 };

static void many_take_what_they_are_and_are_read_at_once(void)
{
	static struct store_region regions[MANY];
	static char names[MANY][8];
	static uint8_t data[MANY][OF], loaded[MANY][OF];
	static void *to[MANY];
	struct store_commit commit = { 0 };
	struct store_image_result result;
	struct store_image *image;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	uint64_t index = 32 + MANY * (48 + 8 + 96) + 2 * 48 + 96;

	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "%zu", i);
		fill(data[i], OF, i, 0);
		regions[i] = (struct store_region){ .name = names[i], .data = data[i], .bytes = OF };
		to[i] = loaded[i];
	}
	fixture_begin(&fixture, folder, 1);
	store_set_read_back(fixture.stores[0], true);
	commit.identity = fixture_identity(&fixture, 1, 0);
	CU_ASSERT_EQUAL_FATAL(store_begin_image(fixture.stores[0], &commit.identity, regions, MANY, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(store_finish_image(fixture.stores[0], &nothing, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(fixture_image_state(fixture.stores[0], &result), STORE_DURABLE);
	commit.table_sum = mix64_pair(0, result.table_hash);
	commit.bytes = result.bytes;
	CU_ASSERT_EQUAL_FATAL(store_begin_commit(fixture.stores[0], &commit, 0, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(fixture_commit_state(fixture.stores[0], &fault), STORE_DURABLE);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(result.bytes <= 4096 + MANY * OF + index + 3 * 4096);
	image = open_image(1);
	reads = 0;
	CU_ASSERT_EQUAL(store_image_load_regions(image, to, NULL, &fault), 0);
	CU_ASSERT_TRUE(reads <= 10 + 4 * MANY * OF / NEARBY_SIZE);
	CU_ASSERT_FALSE(memcmp(loaded, data, sizeof data));
	store_close_image(image);
	reads = 0;
	CU_ASSERT_EQUAL(verify(1, true), 0);
	CU_ASSERT_TRUE(reads <= 60 + 8 * result.bytes / NEARBY_SIZE);
}

/* Whatever is coded shares pages as well, also what was large before. */
static void what_becomes_small_shares_pages(void)
{
	static struct state state = { .count = 200 };
	struct fixture fixture;
	struct fault fault = FAULT_NONE;

	for (size_t i = 0; i < state.count; i++)
		state.bytes[i] = i % 2 ? 2000 : 100000;
	memset(&fixture, 0, sizeof fixture);
	fixture.ranks = 1;
	if (store_open(&fixture.stores[0], folder, 0, 1, &fault) || store_begin_life(fixture.stores[0], 0, fixture.run, &fixture.life, &fixture.next, &fault))
		fixture_stop("store", &fault);
	store_set_life(fixture.stores[0], fixture.run, fixture.life);
	store_set_way(fixture.stores[0], CODEC_ZSTD, 0);
	if (store_start_writer(fixture.stores[0], NULL, NULL, &fault))
		fixture_stop("writer", &fault);
	uint64_t bytes = take(&fixture, &state, 0), most = 4096 + 4 * 4096, off_pages = 0;
	struct store_image *image;

	fixture_end(&fixture);
	image = open_image(1);
	for (size_t i = 0; i < image->index.chunk_count; i++) {
		const struct format_chunk *chunk = &image->index.chunks[i];

		most += chunk->stored + (chunk->stored < 65536 ? 8 : 4096);
		off_pages += chunk->length > 65536 && chunk->offset % 4096 != 0;
	}
	CU_ASSERT_TRUE(bytes <= most + image->rank->index_size);
	CU_ASSERT_TRUE(off_pages > 50);
	store_close_image(image);
	CU_ASSERT_TRUE(gives_back(1, &state));
}

/* --- reading with what is near ------------------------------------------------------------------------------------------ */

static void read_from(struct nearby *nearby, int fd, const uint8_t *content, uint64_t offset, size_t size)
{
	const uint8_t *found = NULL;
	struct fault fault = FAULT_NONE;

	CU_ASSERT_EQUAL(nearby_read(nearby, fd, "file", offset, size, &found, &fault), 0);
	CU_ASSERT_TRUE(found && !memcmp(found, content + offset, size));
}

static void what_is_near_is_read_with_it(void)
{
	enum { SIZE = (1 << 20) + 1234, FILES = NEARBY_WINDOWS + 2 };
	static uint8_t content[FILES][SIZE];
	struct nearby nearby = { 0 };
	const uint8_t *found;
	int fds[FILES];

	for (int i = 0; i < FILES; i++) {
		char path[300];

		snprintf(path, sizeof path, "%s/file-%d", folder, i);
		fill(content[i], SIZE, (size_t)i * 3, 1);
		fds[i] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		CU_ASSERT_TRUE_FATAL(fds[i] >= 0 && pwrite(fds[i], content[i], SIZE, 0) == SIZE);
	}
	/* In order, from two files in turn. */
	reads = 0;
	for (uint64_t at = 0; at + 100 < SIZE; at += 100)
		read_from(&nearby, fds[at / 100 % 2], content[at / 100 % 2], at, 100);
	CU_ASSERT_TRUE(reads <= 2 * (8 + SIZE / NEARBY_SIZE));
	/* Jumping about: not much more than is wanted. */
	reads = bytes_read = 0;
	for (int i = 0; i < 1000; i++)
		read_from(&nearby, fds[0], content[0], draw(SIZE - 10), 10);
	CU_ASSERT_TRUE(bytes_read < 1000 * 4 * 4096);
	/* In any, of any size, to the last byte. */
	for (int i = 0; i < 3000; i++) {
		size_t size = 1 + draw(draw(2) ? 65535 : 20), file = draw(FILES);
		uint64_t at = draw(3) ? draw(SIZE - size + 1) : SIZE - size;

		read_from(&nearby, fds[file], content[file], at, size);
	}
	CU_ASSERT_EQUAL(nearby_read(&nearby, fds[0], "file", SIZE - 5, 6, &found, NULL), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(nearby_read(&nearby, fds[0], "file", SIZE + 70000, 6, &found, NULL), SEAMARK_E_DAMAGED);
	read_from(&nearby, fds[0], content[0], SIZE - 5, 5);
	nearby_close(&nearby);
	for (int i = 0; i < FILES; i++)
		close(fds[i]);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "sizes of all kinds come back", sizes_of_all_kinds_come_back },
		{ "regions grow, shrink, come and go in a chain", regions_grow_shrink_come_and_go_in_a_chain },
		{ "damage in a page is told of what it hit", damage_in_a_page_is_told_of_what_it_hit },
		{ "blocks where none may be are refused", blocks_where_none_may_be_are_refused },
		{ "many take what they are, and are read at once", many_take_what_they_are_and_are_read_at_once },
		{ "what becomes small shares pages", what_becomes_small_shares_pages },
		{ "what is near is read with it", what_is_near_is_read_with_it },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "small regions", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
