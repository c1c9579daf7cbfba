/* SPDX-License-Identifier: BSD-3-Clause */
/* File groups: the images of several ranks in one file are read like those of one rank each, whoever has written it: here the blocks of the ranks lie as the library would not
 * lay them, and files have other names. */
#include <CUnit/Basic.h>
#include <jansson.h>
#include <xxhash.h>

#include "seamark_files.h"
#include "store/format.h"
#include "suites.h"
#include "test_store_fixture.h"

enum { RANKS = 3 };

static char folder[256];
static char checkpoint_path[300];

static uint8_t *load(uint32_t rank, size_t *size)
{
	char path[340];
	struct stat status;
	uint8_t *data;
	int fd;

	snprintf(path, sizeof path, "%s/rank-%05u.smk", checkpoint_path, rank);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &status))
		fixture_stop(path, NULL);
	*size = (size_t)status.st_size;
	data = malloc(*size);
	if (read(fd, data, *size) != (ssize_t)*size)
		fixture_stop(path, NULL);
	close(fd);
	return data;
}

static void put(const char *name, const void *data, size_t size)
{
	char path[340];
	int fd;

	snprintf(path, sizeof path, "%s/%s", checkpoint_path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		fixture_stop(path, NULL);
	close(fd);
}

/* The blocks of one more image, moved to where the others end, with an index that says so. */
static void append(struct bytes_out *file, struct format_header *joined, uint32_t rank, uint64_t *sum)
{
	struct format_header header;
	struct format_index index;
	struct bytes_out out = {0};
	struct fault fault = FAULT_NONE;
	size_t size, base;
	uint8_t *data = load(rank, &size);
	struct format_rank *entry = &joined->ranks[joined->rank_count++];

	if (format_get_header(&header, data, size, "image", &fault) ||
	    format_get_index(&index, data + header.ranks[0].index_offset, header.ranks[0].index_size, &header, &header.ranks[0], "image", &fault))
		fixture_stop("image", &fault);
	joined->identity = header.identity;
	base = file->size - FORMAT_HEADER_SIZE;
	bytes_put(file, data + FORMAT_HEADER_SIZE, header.ranks[0].index_offset - FORMAT_HEADER_SIZE);
	for (size_t i = 0; i < index.chunk_count; i++)
		index.chunks[i].offset += base;
	header.identity.rank = rank;
	format_put_index(&out, &index, &header.identity, joined->group);
	*entry = header.ranks[0];
	entry->index_offset = file->size;
	entry->index_size = out.size;
	entry->table_hash = XXH3_64bits(out.data, out.size);
	*sum += mix64_pair(rank, entry->table_hash);
	bytes_put(file, out.data, out.size);
	bytes_put_zeros(file, format_padded(file->size) - file->size);
	bytes_free(&out);
	format_free_index(&index);
	free(data);
}

/* Some ranks in one file. */
static void join(const char *name, uint32_t first, uint32_t count, uint32_t group, uint64_t *sum, uint64_t *bytes)
{
	struct format_header joined = { .group = group };
	struct bytes_out file = {0};

	bytes_put_zeros(&file, FORMAT_HEADER_SIZE);
	for (uint32_t rank = first; rank < first + count; rank++)
		append(&file, &joined, rank, sum);
	joined.file_size = file.size;
	format_put_header(file.data, &joined);
	put(name, file.data, file.size);
	*bytes += file.size;
	bytes_free(&file);
}

static void put_manifest(uint64_t sum, uint64_t bytes)
{
	char path[340], digits[17], *body, *text;
	json_t *root;

	snprintf(path, sizeof path, "%s/manifest.json", checkpoint_path);
	root = json_load_file(path, 0, NULL);
	snprintf(digits, sizeof digits, "%016" PRIx64, sum);
	json_object_set_new(root, "table_sum", json_string(digits));
	json_object_set_new(root, "bytes", json_integer((json_int_t)bytes));
	json_object_set_new(root, "groups", json_pack("[{s:i,s:i,s:i,s:s,s:s,s:{s:s,s:i}}, {s:i,s:i,s:i,s:s,s:s,s:{s:s,s:i}}]",
		"first_rank", 0, "ranks", 2, "ranks_each", 2, "locator", "group-*.smk", "level", "folder", "redundancy", "scheme", "none",
		"group", 1, "first_rank", 2, "ranks", 1, "ranks_each", 5, "locator", "rest-*.smk", "level", "folder", "redundancy", "scheme",
		"none", "group", 1));
	json_object_del(root, "xxh3");
	body = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	body[strlen(body) - 2] = 0;
	text = malloc(strlen(body) + 64);
	sprintf(text, "%s,\n  \"xxh3\": \"%016" PRIx64 "\"\n}\n", body, (uint64_t)XXH3_64bits(body, strlen(body)));
	put("manifest.json", text, strlen(text));
	free(body);
	free(text);
	json_decref(root);
}

/* Ranks 0 and 1 in one file, rank 2 as the only one of its file group. */
static int begin(void)
{
	static struct fixture_world world;
	struct fixture fixture;
	uint64_t sum = 0, bytes = 0;

	fixture_fill(&world, RANKS);
	fixture_folder(folder);
	fixture_begin(&fixture, folder, RANKS);
	fixture_take(&fixture, 1, world.parts, 0);
	fixture_end(&fixture);
	snprintf(checkpoint_path, sizeof checkpoint_path, "%s/0000001.L01", folder);
	join("group-00000.smk", 0, 2, 0, &sum, &bytes);
	join("rest-00002.smk", 2, 1, 1, &sum, &bytes);
	put_manifest(sum, bytes);
	return 0;
}

static int end(void)
{
	fixture_remove(folder);
	return 0;
}

static void told(const struct seamark_files_problem *problem, void *context)
{
	(void)context;
	printf("\n  rank %d: %s", (int)problem->rank, problem->text);
}

static void images_in_groups_are_whole_and_their_ledgers_balance(void)
{
	seamark_files_checkpoint *checkpoint;
	struct seamark_files_proof proof;

	CU_ASSERT_EQUAL_FATAL(seamark_files_checkpoint_open(&checkpoint, checkpoint_path), 0);
	CU_ASSERT_EQUAL(seamark_files_verify(checkpoint, told, NULL, &proof), 0);
	CU_ASSERT_EQUAL(proof.images, RANKS);
	CU_ASSERT_EQUAL(proof.streams, 12);
	seamark_files_checkpoint_close(checkpoint);
}

static void each_rank_has_its_own(void)
{
	seamark_files_checkpoint *checkpoint;

	CU_ASSERT_EQUAL_FATAL(seamark_files_checkpoint_open(&checkpoint, checkpoint_path), 0);
	for (uint32_t rank = 0; rank < RANKS; rank++) {
		seamark_files_image *image;
		uint8_t field[64];
		size_t messages = 0, wrong = 0;

		CU_ASSERT_EQUAL_FATAL(seamark_files_image_open(&image, checkpoint, rank), 0);
		CU_ASSERT_EQUAL(seamark_files_read(image, "field", field, sizeof field), 0);
		for (size_t i = 0; i < sizeof field; i++)
			wrong += field[i] != (uint8_t)(rank * 100 + i);
		CU_ASSERT_EQUAL(wrong, 0);
		CU_ASSERT_EQUAL(seamark_files_message_count(image, &messages), 0);
		CU_ASSERT_EQUAL(messages, 6);
		seamark_files_image_close(image);
	}
	seamark_files_checkpoint_close(checkpoint);
}

static void a_byte_changed_in_the_second_image_is_found(void)
{
	size_t missed = 0, size = 8 * FORMAT_ALIGN;
	char path[340];
	int fd;

	snprintf(path, sizeof path, "%s/group-00000.smk", checkpoint_path);
	fd = open(path, O_RDWR);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	for (size_t at = 61; at < size; at += 307) {
		seamark_files_checkpoint *checkpoint;
		uint8_t byte, changed;

		if (pread(fd, &byte, 1, (off_t)at) != 1)
			break;
		changed = byte ^ 4;
		missed += pwrite(fd, &changed, 1, (off_t)at) != 1;
		CU_ASSERT_EQUAL_FATAL(seamark_files_checkpoint_open(&checkpoint, checkpoint_path), 0);
		missed += seamark_files_verify(checkpoint, NULL, NULL, NULL) != SEAMARK_E_DAMAGED;
		seamark_files_checkpoint_close(checkpoint);
		missed += pwrite(fd, &byte, 1, (off_t)at) != 1;
	}
	close(fd);
	CU_ASSERT_EQUAL(missed, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "images in groups are whole and their ledgers balance", images_in_groups_are_whole_and_their_ledgers_balance },
		{ "each rank has its own", each_rank_has_its_own },
		{ "a byte changed in the second image is found", a_byte_changed_in_the_second_image_is_found },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "file groups", begin, end, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
