/* SPDX-License-Identifier: BSD-3-Clause */
/* Damage: whatever happens to the files of a checkpoint is found and named, and files that somebody made up harm nobody. Random choices come
 * from a seed that is printed; TEST_SEED=... repeats them. */
#include <CUnit/Basic.h>
#include <time.h>
#include <xxhash.h>

#include "seamark_files.h"
#include "store/format.h"
#include "suites.h"
#include "test_store_fixture.h"

enum { RANKS = 2, HOSTILE_ROUNDS = 6000 };

static char folder[256];
static char checkpoint_path[300];
static char image_path[340];
static char manifest_path[340];
static uint8_t *image;       /* whole, as written */
static size_t image_size;
static uint8_t *manifest;
static size_t manifest_size;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
	return mix64(state++) % below;
}

static uint8_t *load(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;

	if (!file || fseek(file, 0, SEEK_END))
		fixture_stop(path, NULL);
	*size = (size_t)ftell(file);
	rewind(file);
	data = malloc(*size + 1);
	if (fread(data, 1, *size, file) != *size)
		fixture_stop(path, NULL);
	fclose(file);
	return data;
}

static void put(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		fixture_stop(path, NULL);
	close(fd);
}

static void put_byte(const char *path, size_t at, uint8_t value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || pwrite(fd, &value, 1, (off_t)at) != 1)
		fixture_stop(path, NULL);
	close(fd);
}

static int begin(void)
{
	static struct fixture_world world;
	const char *given = getenv("TEST_SEED");
	struct fixture fixture;

	state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	printf("\n  TEST_SEED=%" PRIu64 "\n", state);
	fixture_fill(&world, RANKS);
	fixture_folder(folder);
	fixture_begin(&fixture, folder, RANKS);
	fixture_take(&fixture, 1, world.parts, 0);
	fixture_end(&fixture);
	snprintf(checkpoint_path, sizeof checkpoint_path, "%s/0000001.L01", folder);
	snprintf(image_path, sizeof image_path, "%s/rank-00001.smk", checkpoint_path);
	snprintf(manifest_path, sizeof manifest_path, "%s/manifest.json", checkpoint_path);
	image = load(image_path, &image_size);
	manifest = load(manifest_path, &manifest_size);
	return 0;
}

static int end(void)
{
	fixture_remove(folder);
	free(image);
	free(manifest);
	return 0;
}

struct telling {
	size_t count;
	size_t of_rank_1;
	char text[512];
};

static void told(const struct seamark_files_problem *problem, void *context)
{
	struct telling *telling = context;

	telling->count += problem->code != 0;
	telling->of_rank_1 += problem->rank == 1;
	if (telling->count <= 1)
		snprintf(telling->text, sizeof telling->text, "%s", problem->text);
}

/* What verify says of the checkpoint as it now lies there. */
static int verify(struct telling *telling, struct seamark_files_proof *proof)
{
	seamark_files_checkpoint *checkpoint;
	int code = seamark_files_checkpoint_open(&checkpoint, checkpoint_path);

	memset(telling, 0, sizeof *telling);
	memset(proof, 0, sizeof *proof);
	if (code)
		return code;
	code = seamark_files_verify(checkpoint, told, telling, proof);
	seamark_files_checkpoint_close(checkpoint);
	return code;
}

static void an_unhurt_checkpoint_is_whole(void)
{
	struct telling telling;
	struct seamark_files_proof proof;

	CU_ASSERT_EQUAL(verify(&telling, &proof), 0);
	CU_ASSERT_EQUAL(proof.problems, 0);
	CU_ASSERT_EQUAL(proof.images, RANKS);
	CU_ASSERT_EQUAL(proof.regions, 3 * RANKS);
	CU_ASSERT_EQUAL(proof.streams, 4);
	CU_ASSERT_EQUAL(proof.messages, 6);
	CU_ASSERT_EQUAL(proof.bytes, 2 * image_size);
}

/* Bytes of padding are many and alike: of them one in 16. */
static void every_byte_changed_in_an_image_is_found(void)
{
	size_t missed = 0, unnamed = 0;

	for (size_t at = 0; at < image_size; at++) {
		struct telling telling;
		struct seamark_files_proof proof;

		if (!image[at] && at % FORMAT_ALIGN > 2048 && draw(16))
			continue;
		put_byte(image_path, at, image[at] ^ (uint8_t)(1 << draw(8)));
		if (verify(&telling, &proof) != SEAMARK_E_DAMAGED) {
			missed++;
			printf("\n  a change at byte %zu was not found", at);
		}
		unnamed += !telling.of_rank_1 || !strstr(telling.text, "rank-00001.smk");
		put_byte(image_path, at, image[at]);
	}
	CU_ASSERT_EQUAL(missed, 0);
	CU_ASSERT_EQUAL(unnamed, 0);
	an_unhurt_checkpoint_is_whole();
}

static void an_image_of_any_other_length_is_found(void)
{
	struct telling telling;
	struct seamark_files_proof proof;

	for (size_t block = 0; block <= image_size; block += FORMAT_ALIGN)
		for (int near = -1; near <= 1; near++) {
			size_t size = block + (size_t)near;

			if ((!block && near < 0) || size >= image_size)
				continue;
			put(image_path, image, size);
			CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_DAMAGED);
			CU_ASSERT_PTR_NOT_NULL(strstr(telling.text, "rank-00001.smk"));
		}
	for (int i = 0; i < 200; i++) {
		put(image_path, image, draw(image_size));
		CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_DAMAGED);
	}
	/* Longer, by zeros too. */
	put(image_path, image, image_size);
	CU_ASSERT_EQUAL(truncate(image_path, (off_t)image_size + 1), 0);
	CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(truncate(image_path, (off_t)image_size + FORMAT_ALIGN), 0);
	CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_DAMAGED);
	put(image_path, image, image_size);
	an_unhurt_checkpoint_is_whole();
}

static void random_damage_is_found(void)
{
	for (int i = 0; i < 500; i++) {
		struct telling telling;
		struct seamark_files_proof proof;
		uint8_t *hurt = malloc(image_size);
		size_t from = draw(image_size), size = 1 + draw(image_size - from);
		uint64_t kind = draw(3);

		memcpy(hurt, image, image_size);
		for (size_t at = from; at < from + size; at++)
			hurt[at] = kind == 0 ? 0 : kind == 1 ? (uint8_t)draw(256) : image[draw(image_size)];
		put(image_path, hurt, image_size);
		CU_ASSERT_EQUAL(verify(&telling, &proof), memcmp(hurt, image, image_size) ? SEAMARK_E_DAMAGED : 0);
		free(hurt);
	}
	put(image_path, image, image_size);
}

static void a_missing_file_is_named(void)
{
	struct telling telling;
	struct seamark_files_proof proof;

	unlink(image_path);
	CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(telling.of_rank_1, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(telling.text, "rank-00001.smk' is missing"));
	CU_ASSERT_EQUAL(mkdir(image_path, 0777), 0);
	CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_DAMAGED);
	rmdir(image_path);
	CU_ASSERT_EQUAL(mkfifo(image_path, 0666), 0); /* nobody will ever write into it */
	CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_DAMAGED);
	unlink(image_path);
	put(image_path, image, image_size);
	unlink(manifest_path);
	CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_NOT_FOUND);
	put(manifest_path, manifest, manifest_size);
	an_unhurt_checkpoint_is_whole();
}

/* A whole image, of another attempt: its own checksums hold. */
static void an_image_of_another_attempt_is_found(void)
{
	char other[340];
	uint8_t *data;
	size_t size;
	struct telling telling;
	struct seamark_files_proof proof;

	snprintf(other, sizeof other, "%s/rank-00000.smk", checkpoint_path);
	data = load(other, &size);
	put(image_path, data, size);
	CU_ASSERT_EQUAL(verify(&telling, &proof), SEAMARK_E_DAMAGED);
	CU_ASSERT_EQUAL(telling.of_rank_1, 1);
	free(data);
	put(image_path, image, image_size);
}

static void every_byte_changed_in_a_manifest_is_found(void)
{
	struct telling telling;
	struct seamark_files_proof proof;
	size_t missed = 0;

	for (size_t at = 0; at < manifest_size; at++) {
		put_byte(manifest_path, at, manifest[at] ^ (uint8_t)(1 << draw(8)));
		missed += verify(&telling, &proof) != SEAMARK_E_DAMAGED;
		put_byte(manifest_path, at, manifest[at]);
	}
	for (size_t size = 0; size < manifest_size; size++) {
		put(manifest_path, manifest, size);
		missed += verify(&telling, &proof) != SEAMARK_E_DAMAGED;
	}
	put(manifest_path, manifest, manifest_size);
	CU_ASSERT_EQUAL(missed, 0);
	an_unhurt_checkpoint_is_whole();
}

/* --- files that somebody made up, with checksums that hold ------------------------------------------------------------ */

static void put_number(uint8_t *at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_number(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static void seal_header(uint8_t *data)
{
	put_number(data + FORMAT_HEADER_SIZE - 8, XXH3_64bits(data, FORMAT_HEADER_SIZE - 8), 8);
}

static void seal_index(uint8_t *data)
{
	uint64_t offset = get_number(data + 136, 8), size = get_number(data + 144, 8);

	put_number(data + 152, XXH3_64bits(data + offset, size), 8);
	seal_header(data);
}

/* The index's chunks, from their table at its end. */
static uint8_t *chunk_entry(uint8_t *data, size_t number)
{
	uint8_t *index = data + get_number(data + 136, 8);

	return index + 32 + get_number(index + 16, 8) + number * FORMAT_CHUNK_ENTRY;
}

static void seal_chunk(uint8_t *data, size_t number)
{
	uint8_t *entry = chunk_entry(data, number), *content = data + get_number(entry + 80, 8);
	size_t size = get_number(entry + 24, 8);
	XXH128_hash_t hash = XXH3_128bits(content, size);

	put_number(entry + 32, XXH3_64bits(content, size), 8);
	put_number(entry + 40, hash.low64, 8);
	put_number(entry + 48, hash.high64, 8);
	seal_index(data);
}

static void lie(uint8_t *data, size_t size)
{
	static const uint64_t values[] = { 0, 1, 2, 127, 128, 255, 4095, 4096, 65535, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 4095,
		UINT64_C(1) << 62 };

	for (uint64_t lies = 1 + draw(3); lies--;) {
		size_t width = (size_t)1 << draw(4), at = draw(size - width + 1) / width * width;
		uint64_t value = draw(2) ? values[draw(sizeof values / sizeof values[0])] : get_number(data + at, width) + draw(5) - 2;

		put_number(data + at, value, width);
	}
}

/* Never a crash, and nothing that is wrong passes for what was committed: the manifest knows the hash of every table. */
static void lies_with_good_checksums_are_found(void)
{
	uint8_t *made_up = malloc(image_size);
	size_t passed = 0;

	for (int i = 0; i < HOSTILE_ROUNDS; i++) {
		struct telling telling;
		struct seamark_files_proof proof;
		uint64_t index;

		memcpy(made_up, image, image_size);
		index = get_number(made_up + 136, 8);
		switch (draw(4)) {
		case 0: /* the header, and half of the time the fields that mean something */
			lie(made_up + 8, draw(2) ? 184 : FORMAT_HEADER_SIZE - 16);
			seal_header(made_up);
			break;
		case 1:
			lie(made_up + index, get_number(made_up + 144, 8));
			seal_index(made_up);
			break;
		case 2: /* the record: the one chunk but last */
			lie(made_up + get_number(chunk_entry(made_up, 2) + 80, 8), get_number(chunk_entry(made_up, 2) + 24, 8));
			seal_chunk(made_up, 2);
			break;
		case 3: { /* a record of nothing but noise */
			uint8_t *record = made_up + get_number(chunk_entry(made_up, 2) + 80, 8);

			for (uint64_t at = draw(64); at < get_number(chunk_entry(made_up, 2) + 24, 8); at++)
				record[at] = (uint8_t)(draw(2) ? draw(256) : draw(4));
			seal_chunk(made_up, 2);
		}
		}
		put(image_path, made_up, image_size);
		/* What may be ignored is all that may be changed. */
		memcpy(made_up + 24, image + 24, 8);
		seal_header(made_up);
		if (verify(&telling, &proof) == 0 && memcmp(made_up, image, image_size))
			passed++;
	}
	free(made_up);
	CU_ASSERT_EQUAL(passed, 0);
	put(image_path, image, image_size);
	an_unhurt_checkpoint_is_whole();
}

static void seal_manifest(char *text)
{
	char *tail = strstr(text, ",\n  \"xxh3\"");
	char digits[17];

	if (!tail)
		return;
	snprintf(digits, sizeof digits, "%016" PRIx64, (uint64_t)XXH3_64bits(text, (size_t)(tail - text)));
	memcpy(strstr(tail, ": \"") + 3, digits, 16);
}

/* Replaces what follows a member's name up to the end of the line. */
static void replace(char *text, const char *member, const char *value)
{
	char name[64], *at, *line_end;
	size_t length = strlen(value);

	snprintf(name, sizeof name, "\"%s\": ", member);
	at = strstr(text, name);
	if (!at)
		fixture_stop(member, NULL);
	at += strlen(name);
	line_end = at + strcspn(at, "\n");
	line_end -= line_end[-1] == ',';
	memmove(at + length, line_end, strlen(line_end) + 1);
	memcpy(at, value, length);
	seal_manifest(text);
}

static void a_manifest_that_lies_is_refused_for_its_lie(void)
{
	static const struct { const char *member, *value; int code; } lies[] = {
		{ "format", "2", SEAMARK_E_VERSION },
		{ "format", "\"1\"", SEAMARK_E_DAMAGED },
		{ "must_understand", "\"0000000000000001\"", SEAMARK_E_VERSION },
		{ "must_understand", "\"1\"", SEAMARK_E_DAMAGED },
		{ "run", "\"00\"", SEAMARK_E_DAMAGED },
		{ "run", "\"00112233445566778899aabbccddeeff\"", SEAMARK_E_DAMAGED },
		{ "number", "-1", SEAMARK_E_DAMAGED },
		{ "number", "2", SEAMARK_E_DAMAGED },
		{ "life", "0", SEAMARK_E_DAMAGED },
		{ "life", "99999999999", SEAMARK_E_DAMAGED },
		{ "nonce", "\"0000000000000000\"", SEAMARK_E_DAMAGED },
		{ "scope", "\"galaxy\"", SEAMARK_E_VERSION },
		{ "ranks", "0", SEAMARK_E_DAMAGED },
		{ "ranks", "3", SEAMARK_E_DAMAGED },
		{ "ranks", "4000000000", SEAMARK_E_DAMAGED },
		{ "step", "-2", SEAMARK_E_DAMAGED },
		{ "step", "11", SEAMARK_E_DAMAGED },
		{ "taken", "\"yesterday\"", SEAMARK_E_DAMAGED },
		{ "held_s", "-1.5", SEAMARK_E_DAMAGED },
		{ "bytes", "1e3", SEAMARK_E_DAMAGED },
		{ "bytes", "7", SEAMARK_E_DAMAGED },
		{ "messages", "7", SEAMARK_E_DAMAGED },
		{ "message_bytes", "null", SEAMARK_E_DAMAGED },
		{ "table_sum", "\"0000000000000000\"", SEAMARK_E_DAMAGED },
		{ "first_rank", "1", SEAMARK_E_DAMAGED },
		{ "ranks_each", "0", SEAMARK_E_DAMAGED },
		{ "locator", "\"../rank-*.smk\"", SEAMARK_E_DAMAGED },
		{ "locator", "\"/etc/*\"", SEAMARK_E_DAMAGED },
		{ "locator", "\"rank.smk\"", SEAMARK_E_DAMAGED },
		{ "locator", "\"rank-*-*.smk\"", SEAMARK_E_DAMAGED },
		{ "locator", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa*\"", SEAMARK_E_DAMAGED },
		{ "locator", "\"other-*.smk\"", SEAMARK_E_DAMAGED },
		{ "level", "\"tape\"", SEAMARK_E_VERSION },
		{ "scheme", "\"xor\"", SEAMARK_E_VERSION },
		{ "referred_bytes", "7", SEAMARK_E_DAMAGED },
		{ "parents", "[1]", SEAMARK_E_DAMAGED },
		{ "parents", "[{\"number\": 0, \"life\": 1}]", SEAMARK_E_DAMAGED },
		{ "parents", "[{\"number\": 1, \"life\": 1}]", SEAMARK_E_DAMAGED },
		{ "parents", "[{\"number\": 0, \"life\": 2}]", SEAMARK_E_DAMAGED },
		{ "parents", "[{\"number\": 0, \"life\": 1}, {\"number\": 0, \"life\": 1}]", SEAMARK_E_DAMAGED },
		{ "parents", "{}", SEAMARK_E_DAMAGED },
	};
	char text[4096];
	struct telling telling;
	struct seamark_files_proof proof;

	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		int code;

		snprintf(text, sizeof text, "%.*s", (int)manifest_size, (const char *)manifest);
		replace(text, lies[i].member, lies[i].value);
		put(manifest_path, text, strlen(text));
		code = verify(&telling, &proof);
		if (code != lies[i].code)
			printf("\n  %s: %s gave %d", lies[i].member, lies[i].value, code);
		CU_ASSERT_EQUAL(code, lies[i].code);
	}
	put(manifest_path, manifest, manifest_size);
	an_unhurt_checkpoint_is_whole();
}

static void a_newer_image_says_so(void)
{
	uint8_t *newer = malloc(image_size);
	seamark_files_checkpoint *checkpoint;
	seamark_files_image *opened;

	CU_ASSERT_EQUAL_FATAL(seamark_files_checkpoint_open(&checkpoint, checkpoint_path), 0);
	memcpy(newer, image, image_size);
	put_number(newer + 8, 2, 4);
	seal_header(newer);
	put(image_path, newer, image_size);
	CU_ASSERT_EQUAL(seamark_files_image_open(&opened, checkpoint, 1), SEAMARK_E_VERSION);
	memcpy(newer, image, image_size);
	put_number(newer + 16, UINT64_C(1) << 63, 8);
	seal_header(newer);
	put(image_path, newer, image_size);
	CU_ASSERT_EQUAL(seamark_files_image_open(&opened, checkpoint, 1), SEAMARK_E_VERSION);
	memcpy(newer, image, image_size);
	put_number(newer + 24, UINT64_MAX, 8);
	seal_header(newer);
	put(image_path, newer, image_size);
	CU_ASSERT_EQUAL(seamark_files_image_open(&opened, checkpoint, 1), 0);
	seamark_files_image_close(opened);
	memcpy(newer, image, image_size);
	put_number(newer + 56, 1, 8);
	seal_header(newer);
	put(image_path, newer, image_size);
	CU_ASSERT_EQUAL(seamark_files_image_open(&opened, checkpoint, 1), SEAMARK_E_RUN);
	put(image_path, image, image_size);
	CU_ASSERT_EQUAL(seamark_files_image_open(&opened, checkpoint, 2), SEAMARK_E_ARGUMENT);
	seamark_files_checkpoint_close(checkpoint);
	free(newer);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "an unhurt checkpoint is whole", an_unhurt_checkpoint_is_whole },
		{ "every byte changed in an image is found", every_byte_changed_in_an_image_is_found },
		{ "an image of any other length is found", an_image_of_any_other_length_is_found },
		{ "random damage is found", random_damage_is_found },
		{ "a missing file is named", a_missing_file_is_named },
		{ "an image of another attempt is found", an_image_of_another_attempt_is_found },
		{ "every byte changed in a manifest is found", every_byte_changed_in_a_manifest_is_found },
		{ "lies with good checksums are found", lies_with_good_checksums_are_found },
		{ "a manifest that lies is refused for its lie", a_manifest_that_lies_is_refused_for_its_lie },
		{ "a newer image says so", a_newer_image_says_so },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "damage", begin, end, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
