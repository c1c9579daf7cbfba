/* SPDX-License-Identifier: BSD-3-Clause */
/* Images: what was written comes back, whatever its size; giving up works at any time; storage that fails harms nothing. */
#include <CUnit/Basic.h>
#include <signal.h>
#include <sys/resource.h>

#include "store/format.h"
#include "store/verify.h"
#include "suites.h"
#include "test_store_fixture.h"

static char folder[256];
static struct fixture fixture;
static const struct store_record empty_record;

static int begin(void)
{
	fixture_folder(folder);
	fixture_begin(&fixture, folder, 1);
	return 0;
}

static int end(void)
{
	fixture_end(&fixture);
	fixture_remove(folder);
	return 0;
}

static uint8_t *pattern(uint64_t bytes, uint64_t seed)
{
	uint8_t *data = malloc(bytes + 1);

	for (uint64_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)mix64(seed + i / 8 * 8) + (uint8_t)i;
	return data;
}

static size_t files_in(const char *path)
{
	DIR *open = opendir(path);
	size_t count = 0;
	struct dirent *file;

	while (open && (file = readdir(open)))
		count += file->d_name[0] != '.';
	if (open)
		closedir(open);
	return count;
}

static bool is_there(const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return !access(path, F_OK);
}

static void told(void *context, int code, int64_t rank, const char *text)
{
	(void)context;
	printf("\n  problem %d of rank %lld: %s", code, (long long)rank, text);
}

static void verify_is_whole(const char *number)
{
	struct store_checkpoint found;
	struct verify_proof proof;
	struct fault fault = FAULT_NONE;

	CU_ASSERT_EQUAL_FATAL(store_at(fixture.stores[0], number, &found, &fault), 0);
	CU_ASSERT_EQUAL(store_verify(&found, told, NULL, &proof, &fault), 0);
	CU_ASSERT_EQUAL(proof.problems, 0);
}

static void regions_of_every_size_come_back(void)
{
	static const uint64_t sizes[] = { 0, 1, 4095, 4096, 4097, (256 << 10) + 5, 3 * FORMAT_CHUNK_SIZE + 17, 2 * FORMAT_CHUNK_SIZE };
	static const char *const names[] = { "none", "one", "under a page", "a page", "over a page", "large", "chunks and a bit", "chunks" };
	struct fixture_part part = {0};
	struct store_checkpoint found;
	struct store_image *image;
	struct fault fault = FAULT_NONE;

	for (size_t i = 0; i < 8; i++)
		part.regions[i] = (struct store_region){ .name = names[i], .data = pattern(sizes[i], i), .bytes = sizes[i] };
	part.region_count = 8;
	fixture_take(&fixture, 1, &part, 2);
	verify_is_whole("1");
	CU_ASSERT_EQUAL_FATAL(store_at(fixture.stores[0], "1", &found, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, &found, 0, &fault), 0);
	CU_ASSERT_EQUAL(store_image_region_count(image), 8);
	CU_ASSERT_EQUAL(store_image_identity(image)->step, 10);
	for (size_t i = 0; i < 8; i++) {
		size_t index = store_image_find_region(image, names[i]);
		uint8_t *data = malloc(sizes[i] + 1);
		const char *name;
		uint64_t bytes;

		CU_ASSERT_EQUAL_FATAL(index, i);
		store_image_region(image, index, &name, &bytes);
		CU_ASSERT_STRING_EQUAL(name, names[i]);
		CU_ASSERT_EQUAL(bytes, sizes[i]);
		CU_ASSERT_EQUAL(store_image_load_region(image, index, data, &fault), 0);
		CU_ASSERT_FALSE(memcmp(data, part.regions[i].data, sizes[i]));
		CU_ASSERT_EQUAL(store_image_load_region(image, index, NULL, &fault), 0);
		free(data);
		free((void *)(uintptr_t)part.regions[i].data);
	}
	CU_ASSERT_EQUAL(store_image_find_region(image, "nobody"), SIZE_MAX);
	store_close_image(image);
}

/* Where the bytes of a region lie that must be read by a call, and from which of them on that fails. */
struct elsewhere {
	uint8_t *data;
	uint64_t bytes;
	uint64_t fails_at;
};

static int read_elsewhere(void *context, const void *data, void *to, uint64_t bytes, struct fault *fault)
{
	const struct elsewhere *elsewhere = context;
	uint64_t at = (uintptr_t)data - 1000; /* an address that this process could not read */

	if (at > elsewhere->bytes || bytes > elsewhere->bytes - at)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "read beyond the region");
	if (at + bytes > elsewhere->fails_at)
		return fault_set(fault, SEAMARK_E_UNABLE, "elsewhere is gone");
	memcpy(to, elsewhere->data + at, bytes);
	return 0;
}

static void regions_that_lie_elsewhere_are_read_by_their_call(void)
{
	struct elsewhere elsewhere = { .bytes = 2 * FORMAT_CHUNK_SIZE + 4711, .fails_at = UINT64_MAX };
	uint8_t near[100] = "memory of this process";
	struct fixture_part part = { .region_count = 3 };
	struct store_identity identity;
	struct store_image_result result;
	struct store_checkpoint found;
	struct store_image *image;
	struct fault fault = FAULT_NONE;
	uint8_t *data = malloc(elsewhere.bytes);

	end();
	begin(); /* a folder of its own */
	elsewhere.data = pattern(elsewhere.bytes, 99);
	part.regions[0] = (struct store_region){ .name = "near", .data = near, .bytes = sizeof near };
	part.regions[1] = (struct store_region){
		.name = "far", .data = (void *)1000, .bytes = elsewhere.bytes, .read = read_elsewhere, .context = &elsewhere };
	part.regions[2] = (struct store_region){ .name = "near too", .data = near, .bytes = sizeof near };
	fixture_take(&fixture, 1, &part, 2);
	verify_is_whole("1");
	CU_ASSERT_EQUAL_FATAL(store_at(fixture.stores[0], "1", &found, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, &found, 0, &fault), 0);
	CU_ASSERT_EQUAL(store_image_load_region(image, 1, data, &fault), 0);
	CU_ASSERT_FALSE(memcmp(data, elsewhere.data, elsewhere.bytes));
	CU_ASSERT_EQUAL(store_image_load_region(image, 2, data, &fault), 0);
	CU_ASSERT_FALSE(memcmp(data, near, sizeof near));
	store_close_image(image);

	elsewhere.fails_at = FORMAT_CHUNK_SIZE + 5;
	identity = fixture_identity(&fixture, 2, 0);
	CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, part.regions, 3, &fault), 0);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], &result), STORE_FAILED);
	CU_ASSERT_EQUAL(result.fault.code, SEAMARK_E_UNABLE);
	CU_ASSERT_STRING_EQUAL(result.fault.text, "elsewhere is gone");
	CU_ASSERT_TRUE(result.regions_written);
	CU_ASSERT_FALSE(is_there("0000002.L01/rank-00000.smk"));
	end();
	begin();
	free(elsewhere.data);
	free(data);
}

static void the_record_comes_back(void)
{
	static struct fixture_world world;
	struct store_checkpoint found;
	struct store_image *image;
	struct store_record record;
	struct fault fault = FAULT_NONE;
	struct fixture_part *part = &world.parts[0];

	/* As of one rank among four, though the others are not there. */
	fixture_fill(&world, 4);
	fixture.ranks = 1;
	world.comms[0][1].freed = true;
	world.comms[0][0].nameless = true;
	strcpy(world.comms[0][1].label, "ghosts");
	for (size_t i = 0; i < part->record.stream_count; i++)
		world.streams[0][i].peer = 0;
	for (size_t i = 0; i < part->record.message_count; i++)
		world.messages[0][i].source_world = 0;
	for (size_t i = 0; i < part->record.posted_count; i++)
		world.posted[0][i].source_world = 0;
	fixture_take(&fixture, 2, part, 2);
	CU_ASSERT_EQUAL_FATAL(store_at(fixture.stores[0], "2", &found, &fault), 0);
	CU_ASSERT_EQUAL(found.messages, part->record.message_count);
	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, &found, 0, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(store_image_record(image, &record, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(record.comm_count, 2);
	CU_ASSERT_STRING_EQUAL(record.comms[1].name, "world/0/1");
	CU_ASSERT_EQUAL(record.comms[1].begun, 12345678901);
	CU_ASSERT_EQUAL(record.comms[1].key, 2);
	CU_ASSERT_STRING_EQUAL(record.comms[1].label, "ghosts");
	CU_ASSERT_STRING_EQUAL(record.comms[0].label, "");
	CU_ASSERT_TRUE(record.comms[1].freed && !record.comms[1].nameless);
	CU_ASSERT_TRUE(record.comms[0].nameless && !record.comms[0].freed);
	CU_ASSERT_EQUAL_FATAL(record.stream_count, part->record.stream_count);
	CU_ASSERT_FALSE(memcmp(record.streams, part->record.streams, record.stream_count * sizeof *record.streams));
	CU_ASSERT_EQUAL_FATAL(record.message_count, part->record.message_count);
	for (size_t i = 0; i < record.message_count; i++) {
		const struct store_message *is = &record.messages[i], *was = &part->record.messages[i];

		CU_ASSERT_EQUAL(is->turn, was->turn);
		CU_ASSERT_EQUAL(is->position, was->position);
		CU_ASSERT_EQUAL(is->source, was->source);
		CU_ASSERT_EQUAL(is->tag, was->tag);
		CU_ASSERT_EQUAL(is->bytes, was->bytes);
		CU_ASSERT_EQUAL((uintptr_t)is->data % 16, 0);
		CU_ASSERT_FALSE(memcmp(is->data, was->data, is->bytes));
	}
	CU_ASSERT_EQUAL_FATAL(record.posted_count, part->record.posted_count);
	for (size_t i = 0; i < record.posted_count; i++) {
		const struct store_posted *is = &record.posted[i], *was = &part->record.posted[i];

		CU_ASSERT_EQUAL(is->turn, was->turn);
		CU_ASSERT_EQUAL(is->comm, was->comm);
		CU_ASSERT_EQUAL(is->any_source, was->any_source);
		CU_ASSERT_EQUAL(is->any_tag, was->any_tag);
		CU_ASSERT_EQUAL(is->source, was->source);
		CU_ASSERT_EQUAL(is->source_world, was->source_world);
		CU_ASSERT_EQUAL(is->tag, was->tag);
	}
	store_close_image(image);
}

static void a_record_that_cannot_be_is_refused(void)
{
	struct store_comm comm = { .name = "world", .size = 1 };
	struct store_stream stream = { .comm = 1 };
	struct store_message messages[2] = { { .turn = 2 }, { .turn = 1 } };
	struct store_posted posted[] = { { .comm = 1 }, { .source = 1 }, { .source_world = 2 }, { .any_source = true, .source = 1 },
		{ .any_tag = true, .tag = 1 }, { .turn = 2 }, { .turn = 1 } };
	struct store_record records[] = {
		{ .comms = &comm, .comm_count = 1, .posted = &posted[0], .posted_count = 1 },
		{ .comms = &comm, .comm_count = 1, .posted = &posted[1], .posted_count = 1 },
		{ .comms = &comm, .comm_count = 1, .posted = &posted[2], .posted_count = 1 },
		{ .comms = &comm, .comm_count = 1, .posted = &posted[3], .posted_count = 1 },
		{ .comms = &comm, .comm_count = 1, .posted = &posted[4], .posted_count = 1 },
		{ .comms = &comm, .comm_count = 1, .posted = &posted[5], .posted_count = 2 },
		{ .comms = &comm, .comm_count = 1, .streams = &stream, .stream_count = 1 },
		{ .comms = &comm, .comm_count = 1, .messages = messages, .message_count = 2 },
	};
	struct store_identity identity = fixture_identity(&fixture, 3, 0);

	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		struct fault fault = FAULT_NONE;

		CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, NULL, 0, &fault), 0);
		CU_ASSERT_EQUAL(store_finish_image(fixture.stores[0], &records[i], &fault), SEAMARK_E_ARGUMENT);
		store_abandon_image(fixture.stores[0]);
		CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], NULL), STORE_IDLE);
	}
	CU_ASSERT_FALSE(is_there("0000003.L01"));
}

static void giving_up_works_at_any_time(void)
{
	const uint64_t bytes = 8 << 20;
	uint8_t *data = pattern(bytes, 9);
	const struct store_region region = { .name = "field", .data = data, .bytes = bytes };

	/* From before the thread has begun to after the image is durable, with and without its end being asked for. */
	for (int i = 0; i < 24; i++) {
		struct store_identity identity = fixture_identity(&fixture, 4, 0);
		struct fault fault = FAULT_NONE;
		struct store_image_result result;
		int code;

		/* The one before may still be read; that is over soon. */
		while (code = store_begin_image(fixture.stores[0], &identity, &region, 1, NULL), code == SEAMARK_E_IO) {
			store_image_state(fixture.stores[0], &result);
			fixture_sleep_ms(1);
		}
		CU_ASSERT_EQUAL_FATAL(code, 0);
		if (i % 2)
			CU_ASSERT_EQUAL(store_finish_image(fixture.stores[0], &empty_record, &fault), 0);
		if (i < 23)
			fixture_sleep_ms(i * 2);
		else
			fixture_image_state(fixture.stores[0], &result);
		store_abandon_image(fixture.stores[0]);
		store_abandon_image(fixture.stores[0]);
		CU_ASSERT_NOT_EQUAL(store_image_state(fixture.stores[0], &result), STORE_DURABLE);
		if (i % 3 == 0)
			continue; /* and the next may begin at once */
		CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], &result), STORE_IDLE);
		CU_ASSERT_TRUE(result.regions_written);
		CU_ASSERT_FALSE(is_there("0000004.L01"));
		CU_ASSERT_EQUAL(store_finish_image(fixture.stores[0], &empty_record, &fault), SEAMARK_E_ORDER);
	}
	free(data);
}

static void a_second_image_waits_for_the_first(void)
{
	struct store_identity identity = fixture_identity(&fixture, 5, 0);
	struct fault fault = FAULT_NONE;

	CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, NULL, 0, &fault), 0);
	CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, NULL, 0, &fault), SEAMARK_E_ORDER);
	store_abandon_image(fixture.stores[0]);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], NULL), STORE_IDLE);
}

/* A limit on the size of files is the nearest thing to a full disk that needs no rights. */
static void a_full_disk_is_a_failed_image_and_no_file(void)
{
	const uint64_t bytes = 8 << 20;
	uint8_t *data = pattern(bytes, 1);
	const struct store_region region = { .name = "field", .data = data, .bytes = bytes };
	struct store_identity identity = fixture_identity(&fixture, 6, 0);
	struct store_image_result result;
	struct fault fault = FAULT_NONE;
	struct rlimit before, small;

	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_FSIZE, &small); /* SIGXFSZ is not ignored here: the thread must not let it end the program */
	CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, &region, 1, &fault), 0);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], &result), STORE_FAILED);
	setrlimit(RLIMIT_FSIZE, &before);
	CU_ASSERT_EQUAL(result.fault.code, SEAMARK_E_SPACE);
	CU_ASSERT_PTR_NOT_NULL(strstr(result.fault.text, "0000006.L01/rank-00000.smk"));
	CU_ASSERT_TRUE(result.regions_written);
	CU_ASSERT_EQUAL(store_finish_image(fixture.stores[0], &empty_record, &fault), SEAMARK_E_SPACE);
	CU_ASSERT_FALSE(is_there("0000006.L01"));
	store_abandon_image(fixture.stores[0]);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], &result), STORE_IDLE);
	free(data);
	verify_is_whole("1");
}

static void a_folder_that_is_gone_is_a_failed_image(void)
{
	struct store_identity identity = fixture_identity(&fixture, 7, 0);
	struct store_image_result result;
	struct fault fault = FAULT_NONE;
	char away[300];

	snprintf(away, sizeof away, "%s.away", folder);
	rename(folder, away);
	CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, NULL, 0, &fault), 0);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], &result), STORE_FAILED);
	CU_ASSERT_EQUAL(result.fault.code, SEAMARK_E_NOT_FOUND);
	rename(away, folder);
	store_abandon_image(fixture.stores[0]);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], &result), STORE_IDLE);
}

static void many_small_regions_fit(void)
{
	enum { COUNT = 2000 };
	static struct store_region regions[COUNT];
	static char names[COUNT][16];
	static uint32_t values[COUNT];
	struct store_identity identity = fixture_identity(&fixture, 8, 0);
	struct store_commit commit = { .identity = identity };
	struct store_image_result result;
	struct fault fault = FAULT_NONE;

	for (uint32_t i = 0; i < COUNT; i++) {
		values[i] = i * 77;
		snprintf(names[i], sizeof names[i], "r%u", i);
		regions[i] = (struct store_region){ .name = names[i], .data = &values[i], .bytes = i % 2 ? 4 : 0 };
	}
	CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, regions, COUNT, &fault), 0);
	CU_ASSERT_EQUAL(store_finish_image(fixture.stores[0], &empty_record, &fault), 0);
	CU_ASSERT_EQUAL(fixture_image_state(fixture.stores[0], &result), STORE_DURABLE);
	commit.bytes = result.bytes;
	commit.table_sum = mix64_pair(0, result.table_hash);
	CU_ASSERT_EQUAL(store_begin_commit(fixture.stores[0], &commit, 0, &fault), 0);
	CU_ASSERT_EQUAL(fixture_commit_state(fixture.stores[0], &fault), STORE_DURABLE);
	verify_is_whole("8");
}

static void closing_gives_up_what_is_not_durable(void)
{
	const uint64_t bytes = 16 << 20;
	uint8_t *data = pattern(bytes, 1);
	const struct store_region region = { .name = "field", .data = data, .bytes = bytes };
	struct fault fault = FAULT_NONE;
	struct store_identity identity = fixture_identity(&fixture, 9, 0);
	size_t before;

	before = files_in(folder);
	CU_ASSERT_EQUAL(store_begin_image(fixture.stores[0], &identity, &region, 1, &fault), 0);
	fixture_end(&fixture);
	CU_ASSERT_EQUAL(files_in(folder), before);
	free(data);
	fixture_begin(&fixture, folder, 1);
	CU_ASSERT_EQUAL(fixture.life, 2);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "regions that lie elsewhere are read by their call", regions_that_lie_elsewhere_are_read_by_their_call },
		{ "regions of every size come back", regions_of_every_size_come_back },
		{ "the record comes back", the_record_comes_back },
		{ "a record that cannot be is refused", a_record_that_cannot_be_is_refused },
		{ "giving up works at any time", giving_up_works_at_any_time },
		{ "a second image waits for the first", a_second_image_waits_for_the_first },
		{ "a full disk is a failed image and no file", a_full_disk_is_a_failed_image_and_no_file },
		{ "a folder that is gone is a failed image", a_folder_that_is_gone_is_a_failed_image },
		{ "many small regions fit", many_small_regions_fit },
		{ "closing gives up what is not durable", closing_gives_up_what_is_not_durable },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "store: images", begin, end, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
