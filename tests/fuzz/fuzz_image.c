/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole image, of a checkpoint that has a parent: opened, read and verified by all ways there are, with checksums that hold. Input: a byte that says which of them, and which other
 * fields, are put right; then the pages of the file, each as two bytes for its length and so many bytes, zeros after them. */
#include <string.h>
#include <xxhash.h>

#include "fuzz.h"
#include "seamark_files.h"
#include "store/codec.h"
#include "store/image_read.h"
#include "store/verify.h"
#include "test_store_fixture.h"

size_t fuzz_accepted;

enum { PAGES_MOST = 48, PAGE = FORMAT_ALIGN, REGION_MOST = 1 << 22, RANKS_MOST = 4 };
/* Of the first byte: what is left as it is. */
enum { LEAVE_SUMS = 1, LEAVE_IDENTITY = 2, LEAVE_SIZE = 4, LEAVE_PREAMBLE = 8 };

static char folder[256], path[340], image_path[400];
static uint8_t run[16];
static uint8_t *parent;       /* the file of the parent's rank 0 */
static size_t parent_size;
static uint8_t image[PAGES_MOST * PAGE];
static uint8_t plain[FORMAT_CHUNK_SIZE];
static struct codec *coder;

static void clean_up(void)
{
	fixture_remove(folder);
	codec_close(coder);
	free(parent);
}

static void load_parent(void)
{
	char name[400];
	FILE *file;

	snprintf(name, sizeof name, "%s/0000001.L01/rank-00000.smk", folder);
	file = fopen(name, "rb");
	parent = malloc(sizeof image);
	FUZZ_HOLDS(file && parent);
	parent_size = fread(parent, 1, sizeof image, file);
	fclose(file);
}

static void begin(void)
{
	static struct fixture_world world;
	struct fixture fixture;

	if (!getenv("TMPDIR") && !access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	fixture_folder(folder);
	atexit(clean_up);
	fixture_fill(&world, 2);
	fixture_begin(&fixture, folder, 2);
	fixture_take(&fixture, 1, world.parts, 0);
	memcpy(run, fixture.run, sizeof run);
	fixture_end(&fixture);
	load_parent();
	coder = codec_open();
	FUZZ_HOLDS(coder);
	snprintf(path, sizeof path, "%s/0000002.L01", folder);
	snprintf(image_path, sizeof image_path, "%s/rank-00000.smk", path);
	FUZZ_HOLDS(!mkdir(path, 0777));
}

/* --- the file ---------------------------------------------------------------------------------------------------------- */

static size_t expand(const uint8_t *data, size_t size)
{
	size_t pages = 0;

	memset(image, 0, sizeof image);
	while (size >= 2 && pages < PAGES_MOST) {
		size_t length = fuzz_number(data, 2) % (PAGE + 1);

		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		memcpy(image + pages++ * PAGE, data, length);
		data += length;
		size -= length;
	}
	return pages * PAGE;
}

/* What an entry of the table of chunks says of content that lies in `file`. */
static void seal_chunk(uint8_t *entry, const uint8_t *file, size_t size)
{
	uint64_t offset = fuzz_number(entry + 80, 8), stored = fuzz_number(entry + 24, 8);
	uint64_t length = fuzz_number(entry + 16, 8), codec = fuzz_number(entry + 4, 4);
	const uint8_t *content = plain;
	XXH128_hash_t hash;

	if (offset > size || stored > size - offset)
		return;
	fuzz_put(entry + 32, XXH3_64bits(file + offset, stored), 8);
	if (codec && length > FORMAT_CHUNK_SIZE)
		return;
	if (!codec)
		content = file + offset;
	if (codec == FORMAT_ZERO)
		memset(plain, 0, length);
	else if (codec && !codec_decode(coder, (enum format_codec)codec, plain, length, file + offset, stored))
		return;
	hash = XXH3_128bits(content, codec ? length : stored);
	fuzz_put(entry + 40, hash.low64, 8);
	fuzz_put(entry + 48, hash.high64, 8);
}

static void seal_index(uint8_t *entry, size_t size)
{
	uint64_t offset = fuzz_number(entry + 8, 8), length = fuzz_number(entry + 16, 8), chunks, table;
	uint8_t *index;

	if (offset > size || length > size - offset || length < 32)
		return;
	index = image + offset;
	chunks = fuzz_number(index + 8, 8);
	table = fuzz_number(index + 16, 8);
	for (uint64_t i = 0; table <= length - 32 && i < chunks && (i + 1) * FORMAT_CHUNK_ENTRY <= length - 32 - table; i++) {
		uint8_t *chunk = index + 32 + table + i * FORMAT_CHUNK_ENTRY;

		if (fuzz_number(chunk + 56, 8) == 2)
			seal_chunk(chunk, image, size);
		else
			seal_chunk(chunk, parent, parent_size);
	}
	fuzz_put(entry + 24, XXH3_64bits(index, length), 8);
}

static void seal(uint8_t flags, size_t size)
{
	static const uint8_t magic[] = { 0x89, 'S', 'M', 'K', '\r', '\n', 0x1a, '\n', FORMAT_VERSION, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

	uint64_t ranks = fuzz_number(image + 96, 4);
	uint32_t header;

	if (!(flags & LEAVE_PREAMBLE))
		memcpy(image, magic, sizeof magic);
	if (!(flags & LEAVE_PREAMBLE) && ranks <= FORMAT_RANKS_MAX)
		fuzz_put(image + 12, format_header_size((uint32_t)ranks), 4);
	if (!(flags & LEAVE_IDENTITY)) {
		memcpy(image + 32, run, sizeof run);
		fuzz_put(image + 48, 2, 8);
		fuzz_put(image + 72, 1, 4);
		fuzz_put(image + 84, 0, 4);
	}
	if (!(flags & LEAVE_SIZE))
		fuzz_put(image + 88, size, 8);
	for (uint64_t i = 0; !(flags & LEAVE_SUMS) && i < ranks && i < FORMAT_RANKS_MAX; i++)
		seal_index(image + 128 + i * 64, size);
	header = format_header_span(image, size);
	if (!(flags & LEAVE_SUMS))
		fuzz_put(image + header - 8, XXH3_64bits(image, header - 8), 8);
}

static void put_file(size_t size)
{
	int fd = open(image_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	FUZZ_HOLDS(fd >= 0 && write(fd, image, size) == (ssize_t)size);
	close(fd);
}

/* --- its reading --------------------------------------------------------------------------------------------------------- */

struct reading {
	uint8_t *whole;           /* what was read at once */
	uint64_t next;
};

static int take(void *context, uint64_t offset, const void *data, uint64_t bytes)
{
	struct reading *reading = context;

	FUZZ_HOLDS(offset == reading->next && bytes);
	FUZZ_HOLDS(!memcmp(reading->whole + offset, data, bytes));
	reading->next += bytes;
	return 0;
}

static void read_regions(struct store_image *opened)
{
	for (size_t i = 0; i < store_image_region_count(opened); i++) {
		struct reading reading = {0};
		struct fault fault = FAULT_NONE;
		const char *name;
		uint64_t bytes;

		store_image_region(opened, i, &name, &bytes);
		FUZZ_HOLDS(store_image_find_region(opened, name) == i);
		if (bytes > REGION_MOST)
			continue;
		reading.whole = malloc(bytes + 1);
		FUZZ_HOLDS(reading.whole);
		if (!store_image_load_region(opened, i, reading.whole, &fault)) {
			FUZZ_HOLDS(!image_each_chunk(opened, i, take, &reading, &fault));
			FUZZ_HOLDS(reading.next == bytes);
			fuzz_accepted += bytes > 0 && i == 0;
			FUZZ_HOLDS(!store_image_load_region(opened, i, NULL, &fault));
		}
		free(reading.whole);
	}
}

static void read_record(struct store_image *opened)
{
	struct store_record record;
	uint64_t sum = 0;

	if (store_image_record(opened, &record, NULL))
		return;
	for (size_t i = 0; i < record.message_count; i++)
		for (uint64_t at = 0; at < record.messages[i].bytes; at++)
			sum += ((const uint8_t *)record.messages[i].data)[at];
	FUZZ_HOLDS(sum != 1 || record.message_count);
}

static void told(void *context, int code, int64_t rank, const char *text)
{
	(void)code;
	(void)rank;
	*(size_t *)context += text[0] != 0;
}

static void check(struct store_checkpoint *checkpoint)
{
	struct verify_proof proof;
	struct fault fault = FAULT_NONE;
	size_t problems = 0;
	int code;

	for (uint64_t i = 0; i < fuzz_number(image + 96, 4) && i < RANKS_MOST; i++) {
		struct store_image *opened;

		if (store_open_image(&opened, checkpoint, (uint32_t)fuzz_number(image + 128 + i * 64, 4), &fault))
			continue;
		read_regions(opened);
		read_record(opened);
		store_open_parents(opened, &fault);
		store_close_image(opened);
	}
	if (checkpoint->ranks > RANKS_MOST)
		return;
	code = store_verify(checkpoint, told, &problems, &proof, &fault);
	FUZZ_HOLDS((code == 0) == (proof.problems == 0) && problems >= proof.problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct store_checkpoint checkpoint;
	size_t bytes;

	if (!folder[0])
		begin();
	bytes = size ? expand(data + 1, size - 1) : 0;
	if (bytes < PAGE)
		return 0;
	seal(data[0], bytes);
	put_file(bytes);
	checkpoint = (struct store_checkpoint){ .number = 2, .life = 1, .ranks = (uint32_t)fuzz_number(image + 80, 4),
		.step = (int64_t)fuzz_number(image + 64, 8), .bytes = bytes, .locator_count = 1, .parent_count = 1, .parents = { { 1, 1 } } };
	checkpoint.identity = (struct store_identity){ .life = 1, .number = 2, .nonce = fuzz_number(image + 56, 8), .ranks = checkpoint.ranks,
		.step = checkpoint.step };
	memcpy(checkpoint.identity.run, run, sizeof run);
	checkpoint.locators[0] = (struct store_locator){ .ranks = checkpoint.ranks, .ranks_each = checkpoint.ranks, .pattern = "rank-*.smk" };
	strcpy(checkpoint.path, path);
	if (checkpoint.ranks)
		check(&checkpoint);
	return 0;
}
