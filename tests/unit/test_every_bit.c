/* SPDX-License-Identifier: BSD-3-Clause */
/* Every bit of every file of a small checkpoint, and of one that lies in part in another, flipped alone; and every length that a file can be cut to: verify
 * finds each of them. With a sanitizer one in 61 is tried, and as many others in the next run. */
#include <CUnit/Basic.h>

#include "seamark_files.h"
#include "store/format.h"
#include "suites.h"
#include "test_store_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 61 };
#else
enum { STRIDE = 1 };
#endif

enum { KEPT = 800, LITTLE = 13 };

static char folder[256];
static char paths[2][300];      /* of the checkpoints: the second needs the first */
static size_t first;            /* below STRIDE */

/* --- two checkpoints ------------------------------------------------------------------------------------------------- */

static void fill_part(struct fixture_part *part, uint8_t *kept, uint8_t *changed, uint8_t value)
{
	static struct store_comm comm = { .name = "world", .key = 1, .size = 1, .members = 5 };
	static struct store_stream streams[] = {
		{ .tag = 7, .outgoing = true, .sent = 2 }, { .tag = 7, .seen = 1, .recorded = 1, .highest = 1 },
	};
	static const struct store_posted posted = { .any_source = true, .tag = 9, .turn = 4 };
	static struct store_message message = { .tag = 7, .turn = 3, .position = 2, .data = "under way", .bytes = 9 };
	static const struct shape_extent extents[] = { { .global = 30, .first = 10, .local = 20, .before = 2, .after = 3 }, { .global = 5, .local = 5 } };

	for (size_t i = 0; i < KEPT; i++) {
		kept[i] = (uint8_t)(i * 7 + i / 256);
		changed[i] = (uint8_t)(i * 5 + value);
	}
	part->region_count = 0;
	part->regions[part->region_count++] = (struct store_region){ .name = "kept", .data = kept, .bytes = KEPT,
		.shape = { SEAMARK_FLOAT64, 2, extents } };
	/* What is small shares a page, with zeros between. */
	part->regions[part->region_count++] = (struct store_region){ .name = "little", .data = kept + 100, .bytes = LITTLE };
	part->regions[part->region_count++] = (struct store_region){ .name = "changed", .data = changed, .bytes = 777 };
	part->regions[part->region_count++] = (struct store_region){ .name = "a byte", .data = changed + 100, .bytes = 1 };
	part->regions[part->region_count++] = (struct store_region){ .name = "empty" };
	part->record = (struct store_record){ &comm, 1, streams, 2, &message, 1, &posted, 1 };
}

static int begin(void)
{
	static struct fixture_part part;
	static uint8_t kept[KEPT], changed[KEPT];
	struct fixture fixture;

	if (!getenv("TMPDIR") && !access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	first = (size_t)time(NULL) % STRIDE;
	fixture_folder(folder);
	fixture_begin(&fixture, folder, 1);
	fixture_chain(&fixture, 10, NULL);
	for (int i = 0; i < 2; i++) {
		fill_part(&part, kept, changed, (uint8_t)i);
		fixture_take(&fixture, fixture.next++, &part, 0);
		snprintf(paths[i], sizeof paths[i], "%s/%07d.L01", folder, i + 1);
	}
	fixture_end(&fixture);
	return 0;
}

static int end(void)
{
	fixture_remove(folder);
	return 0;
}

static int verify(const char *path)
{
	seamark_files_checkpoint *checkpoint;
	int code = seamark_files_checkpoint_open(&checkpoint, path);

	if (code)
		return code;
	code = seamark_files_verify(checkpoint, NULL, NULL, NULL);
	seamark_files_checkpoint_close(checkpoint);
	return code;
}

/* --- a file and what becomes of it ------------------------------------------------------------------------------------ */

struct victim {
	int fd;
	uint8_t *data;
	size_t size;
};

static void open_victim(struct victim *victim, const char *path, const char *name)
{
	char whole[400];
	struct stat status;

	snprintf(whole, sizeof whole, "%s/%s", path, name);
	victim->fd = open(whole, O_RDWR);
	if (victim->fd < 0 || fstat(victim->fd, &status))
		fixture_stop(whole, NULL);
	victim->size = (size_t)status.st_size;
	victim->data = malloc(victim->size);
	if (!victim->data || pread(victim->fd, victim->data, victim->size, 0) != status.st_size)
		fixture_stop(whole, NULL);
}

static void close_victim(struct victim *victim)
{
	close(victim->fd);
	free(victim->data);
}

static void put_bit(const struct victim *victim, size_t bit, bool flipped)
{
	uint8_t byte = victim->data[bit / 8] ^ (uint8_t)(flipped << bit % 8);

	if (pwrite(victim->fd, &byte, 1, (off_t)(bit / 8)) != 1)
		fixture_stop("pwrite", NULL);
}

static int check_run(const char *path)
{
	return seamark_files_check_run(path);
}

/* How many of the bits from..to - 1 are flipped without verify's finding it. */
static size_t unnoticed_bits(const struct victim *victim, size_t from, size_t to, const char *verified, int (*check)(const char *))
{
	size_t unnoticed = 0;

	for (size_t bit = from + first; bit < to; bit += STRIDE) {
		put_bit(victim, bit, true);
		if (!check(verified)) {
			printf("\n  bit %zu of byte %zu was not noticed", bit % 8, bit / 8);
			unnoticed++;
		}
		put_bit(victim, bit, false);
	}
	return unnoticed;
}

static size_t unnoticed_lengths(const struct victim *victim, const char *verified, int (*check)(const char *))
{
	static const uint8_t more[FORMAT_ALIGN + 1];
	size_t unnoticed = 0;

	for (size_t size = victim->size; size--;)
		if (size % STRIDE == first) {
			if (ftruncate(victim->fd, (off_t)size))
				fixture_stop("ftruncate", NULL);
			unnoticed += !check(verified);
		}
	for (size_t size = 1; size <= sizeof more; size += size < 20 || size + 20 > sizeof more ? 1 : 101) {
		if (pwrite(victim->fd, victim->data, victim->size, 0) != (ssize_t)victim->size ||
		    pwrite(victim->fd, more, size, (off_t)victim->size) != (ssize_t)size)
			fixture_stop("pwrite", NULL);
		unnoticed += !check(verified);
	}
	if (ftruncate(victim->fd, (off_t)victim->size))
		fixture_stop("ftruncate", NULL);
	return unnoticed;
}

static void all_is_well_again(void)
{
	CU_ASSERT_EQUAL(verify(paths[0]), 0);
	CU_ASSERT_EQUAL(verify(paths[1]), 0);
}

/* --- the tests -------------------------------------------------------------------------------------------------------- */

static void the_second_lies_in_part_in_the_first(void)
{
	seamark_files_checkpoint *checkpoint;
	struct seamark_files_proof proof;

	CU_ASSERT_EQUAL_FATAL(seamark_files_checkpoint_open(&checkpoint, paths[1]), 0);
	CU_ASSERT_EQUAL(seamark_files_verify(checkpoint, NULL, NULL, &proof), 0);
	CU_ASSERT_EQUAL(proof.regions, 5);
	CU_ASSERT_EQUAL(proof.messages, 1);
	CU_ASSERT_EQUAL(proof.referred_bytes, KEPT + LITTLE);
	seamark_files_checkpoint_close(checkpoint);
	all_is_well_again();
}

static void every_bit_of_an_image(void)
{
	for (int i = 0; i < 2; i++) {
		struct victim victim;

		open_victim(&victim, paths[i], "rank-00000.smk");
		CU_ASSERT_EQUAL(unnoticed_bits(&victim, 0, 8 * victim.size, paths[i], verify), 0);
		close_victim(&victim);
	}
	all_is_well_again();
}

/* Of the first checkpoint the second needs the header, and the two chunks that it refers to: the first after the header. */
static void every_bit_that_another_checkpoint_needs(void)
{
	struct victim victim;

	open_victim(&victim, paths[0], "rank-00000.smk");
	CU_ASSERT_EQUAL(unnoticed_bits(&victim, 0, 8 * (FORMAT_HEADER_SIZE + KEPT + LITTLE), paths[1], verify), 0);
	close_victim(&victim);
	open_victim(&victim, paths[0], "manifest.json");
	CU_ASSERT_EQUAL(unnoticed_bits(&victim, 0, 8 * victim.size, paths[1], verify), 0);
	CU_ASSERT_EQUAL(unnoticed_lengths(&victim, paths[1], verify), 0);
	close_victim(&victim);
	all_is_well_again();
}

static void every_bit_and_length_of_a_manifest(void)
{
	for (int i = 0; i < 2; i++) {
		struct victim victim;

		open_victim(&victim, paths[i], "manifest.json");
		CU_ASSERT_EQUAL(unnoticed_bits(&victim, 0, 8 * victim.size, paths[i], verify), 0);
		CU_ASSERT_EQUAL(unnoticed_lengths(&victim, paths[i], verify), 0);
		close_victim(&victim);
	}
	all_is_well_again();
}

static void every_length_of_an_image(void)
{
	for (int i = 0; i < 2; i++) {
		struct victim victim;

		open_victim(&victim, paths[i], "rank-00000.smk");
		CU_ASSERT_EQUAL(unnoticed_lengths(&victim, paths[i], verify), 0);
		CU_ASSERT_EQUAL(pwrite(victim.fd, victim.data, victim.size, 0), (ssize_t)victim.size);
		close_victim(&victim);
	}
	all_is_well_again();
}

/* It is no checkpoint's, but says whose they are. */
static void every_bit_and_length_of_the_run(void)
{
	struct victim victim;

	open_victim(&victim, folder, "run.json");
	CU_ASSERT_EQUAL(seamark_files_check_run(folder), 0);
	CU_ASSERT_EQUAL(unnoticed_bits(&victim, 0, 8 * victim.size, folder, check_run), 0);
	CU_ASSERT_EQUAL(unnoticed_lengths(&victim, folder, check_run), 0);
	CU_ASSERT_EQUAL(pwrite(victim.fd, victim.data, victim.size, 0), (ssize_t)victim.size);
	CU_ASSERT_EQUAL(seamark_files_check_run(folder), 0);
	close_victim(&victim);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the second lies in part in the first", the_second_lies_in_part_in_the_first },
		{ "every bit of an image", every_bit_of_an_image },
		{ "every bit that another checkpoint needs", every_bit_that_another_checkpoint_needs },
		{ "every bit and length of a manifest", every_bit_and_length_of_a_manifest },
		{ "every bit and length of the run", every_bit_and_length_of_the_run },
		{ "every length of an image", every_length_of_an_image },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "every bit", begin, end, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
