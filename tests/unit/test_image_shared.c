/* SPDX-License-Identifier: BSD-3-Clause */
/* Several ranks write into one file, all at the same time, each by a thread of its own: what comes back is what was saved, the file has no byte too many, and every rank that fails, gives up, comes late or never ends the
 * attempt without making anybody wait. */
#include <CUnit/Basic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "suites.h"
#define URING_UNTOUCHED
#include "../fault/uring.h"
#include "store/format.h"
#include "store/shared.h"
#include "store/verify.h"
#include "test_store_fixture.h"

enum { MIB = 1 << 20, RANKS_MOST = 100, REGIONS = 5 };

static bool without_ring;

static bool uring_refused(void)
{
	return without_ring;
}

/* --- a world ----------------------------------------------------------------------------------------------------------- */

static char folder[256];
static struct store *stores[RANKS_MOST];
static uint32_t ranks, each;
static uint8_t run[16];
static uint32_t life;
static uint64_t next;
static uint8_t *memory[RANKS_MOST];
static struct store_region regions[RANKS_MOST][REGIONS];
static struct store_comm comm = { .name = "world", .key = 1, .members = 5 };

/* Of each rank other sizes: less than a page, odd ends of what is large, text, zeros, and nothing. */
static void fill(uint32_t rank, uint64_t number, size_t scale)
{
	const struct { const char *name; size_t bytes; } table[REGIONS] = {
		{ "one", 1 + rank }, { "large", scale * (1 + rank % 3) + rank * 77 }, { "text", scale / 2 + 5 * rank }, { "zeros", scale / 3 }, { "none", 0 },
	};
	size_t at = 0;

	if (!memory[rank])
		memory[rank] = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (int i = 0; i < REGIONS; i++) {
		uint8_t *data = memory[rank] + at;

		regions[rank][i] = (struct store_region){ .name = table[i].name, .data = data, .bytes = table[i].bytes };
		for (size_t b = 0; i != 3 && b < table[i].bytes; b++)
			data[b] = i == 2 ? (uint8_t)("what passed"[b / 50 % 11]) : (uint8_t)mix64_pair(mix64_pair(number, rank), b / 8 + (uint64_t)i * 1000003);
		/* At an odd place in a page, too. */
		at += format_padded(table[i].bytes) + (i == 1 && rank % 2 ? 64 : 0);
	}
}

static void set_world(uint64_t number, size_t scale)
{
	comm.size = ranks;
	for (uint32_t rank = 0; rank < ranks; rank++)
		fill(rank, number, scale);
}

static void open_world(uint32_t of, uint32_t in_a_file, enum settings_codec codec, uint32_t full_every, bool read_back)
{
	struct fault fault = FAULT_NONE;

	ranks = of;
	each = in_a_file;
	fixture_folder(folder);
	for (uint32_t rank = 0; rank < ranks; rank++) {
		if (store_open(&stores[rank], folder, rank, ranks, &fault))
			fixture_stop("store_open", &fault);
		store_set_way(stores[rank], codec, 0);
		if (store_start_writer(stores[rank], NULL, NULL, &fault))
			fixture_stop("store_start_writer", &fault);
	}
	if (store_begin_life(stores[0], 0, run, &life, &next, &fault))
		fixture_stop("store_begin_life", &fault);
	for (uint32_t rank = 0; rank < ranks; rank++) {
		store_set_life(stores[rank], run, life);
		store_set_full_every(stores[rank], full_every);
		store_set_read_back(stores[rank], read_back);
	}
	if (!fixture_share(stores, ranks, each))
		fixture_stop("fixture_share", NULL);
}

static void close_world(void)
{
	for (uint32_t rank = 0; rank < ranks; rank++) {
		store_close(stores[rank]);
		if (memory[rank])
			munmap(memory[rank], 16 * MIB);
		memory[rank] = NULL;
	}
	fixture_remove(folder);
}

static struct store_identity identity_of(uint64_t number, uint32_t rank)
{
	struct store_identity identity = { .life = life, .number = number, .nonce = mix64(number), .rank = rank, .ranks = ranks, .step = (int64_t)number };

	memcpy(identity.run, run, sizeof run);
	return identity;
}

static void begin_rank(uint64_t number, uint32_t rank)
{
	struct store_identity identity = identity_of(number, rank);
	struct fault fault = FAULT_NONE;

	if (store_begin_image(stores[rank], &identity, regions[rank], REGIONS, &fault))
		fixture_stop("store_begin_image", &fault);
}

static void finish_rank(uint32_t rank)
{
	const struct store_record record = { .comms = &comm, .comm_count = 1 };
	struct fault fault = FAULT_NONE;

	if (store_finish_image(stores[rank], &record, &fault) && !fault.code)
		fixture_stop("store_finish_image", &fault);
}

static bool add_rank(uint32_t rank, struct store_commit *commit, struct fault *fault)
{
	struct store_image_result result;
	enum store_state state = fixture_image_state(stores[rank], &result);

	*fault = result.fault;
	commit->table_sum += mix64_pair(rank, result.table_hash);
	commit->bytes += result.bytes;
	commit->referred += result.referred;
	commit->parents |= result.parents;
	return state == STORE_DURABLE;
}

static bool commit_attempt(struct store_commit *commit, uint64_t keep)
{
	struct fault fault = FAULT_NONE;
	struct store_outcome outcome;
	bool good;

	if (store_begin_commit(stores[0], commit, keep, &fault))
		fixture_stop("store_begin_commit", &fault);
	good = fixture_commit_state(stores[0], &fault) == STORE_DURABLE;
	outcome = (struct store_outcome){ .number = commit->identity.number, .committed = good, .parents = commit->parents, .bytes = commit->bytes,
		.referred = commit->referred };
	for (uint32_t rank = 0; rank < ranks; rank++)
		store_settle(stores[rank], &outcome);
	return good;
}

/* All but one that did not begin. */
static void give_up(uint64_t number, uint32_t but)
{
	struct store_outcome outcome = { .number = number };

	for (uint32_t rank = 0; rank < ranks; rank++) {
		if (rank != but) {
			store_abandon_image(stores[rank]);
			fixture_image_state(stores[rank], NULL);
		}
		store_settle(stores[rank], &outcome);
	}
	store_drop_attempt(stores[0], number);
}

/* All ranks at the same time. */
static bool take(uint64_t keep)
{
	struct store_commit commit = { .identity = identity_of(next++, 0), .requested_ns = INT64_C(1700000000123456789) };
	struct fault fault = FAULT_NONE;
	bool good = true;

	for (uint32_t rank = 0; rank < ranks; rank++)
		begin_rank(commit.identity.number, rank);
	for (uint32_t rank = 0; rank < ranks; rank++)
		finish_rank(rank);
	for (uint32_t rank = 0; rank < ranks; rank++)
		if (!add_rank(rank, &commit, &fault)) {
			printf("\n  rank %u: %s", rank, fault.text);
			good = false;
		}
	return good && commit_attempt(&commit, keep);
}

/* --- what must hold ------------------------------------------------------------------------------------------------------ */

static void told(void *context, int code, int64_t rank, const char *text)
{
	(void)context;
	(void)code;
	printf("\n  rank %" PRId64 ": %s", rank, text);
}

static bool comes_back(const struct store_checkpoint *found, uint32_t rank)
{
	struct store_image *image;
	struct fault fault = FAULT_NONE;
	bool good = !store_open_image(&image, found, rank, &fault) && !store_open_parents(image, &fault);

	for (size_t i = 0; good && i < REGIONS; i++) {
		uint8_t *data = malloc(regions[rank][i].bytes + 1);

		good = !store_image_load_region(image, store_image_find_region(image, regions[rank][i].name), data, &fault) &&
		       !memcmp(data, regions[rank][i].data, regions[rank][i].bytes);
		free(data);
	}
	if (!good)
		printf("\n  rank %u: %s", rank, fault.text);
	else
		store_close_image(image);
	return good;
}

/* So many files, and no more bytes in them than are told of. */
static bool has_files(const struct store_checkpoint *found)
{
	uint64_t bytes = 0, files = 0, blocks = 0;
	DIR *open = opendir(found->path);
	const struct dirent *file;

	while (open && (file = readdir(open))) {
		struct stat status;

		if (strncmp(file->d_name, "rank-", 5) || fstatat(dirfd(open), file->d_name, &status, 0))
			continue;
		bytes += (uint64_t)status.st_size;
		blocks += (uint64_t)status.st_blocks * 512;
		files++;
	}
	closedir(open);
	return files == (ranks + each - 1) / each && bytes == found->bytes && blocks <= bytes + files * 65536;
}

/* The newest is that number, and what the world is. */
static void check_newest(uint64_t number)
{
	static struct store_checkpoint found;
	struct verify_proof proof;
	struct fault fault = FAULT_NONE;
	unsigned missing = 0;

	CU_ASSERT_EQUAL_FATAL(store_newest(stores[0], UINT64_MAX, &found, &fault), 0);
	CU_ASSERT_EQUAL(found.number, number);
	CU_ASSERT_EQUAL(store_verify(&found, told, NULL, &proof, &fault), 0);
	CU_ASSERT_EQUAL(proof.images, ranks);
	for (uint32_t rank = 0; rank < ranks; rank++)
		missing += !comes_back(&found, rank);
	CU_ASSERT_EQUAL(missing, 0);
	CU_ASSERT_TRUE(has_files(&found));
}

static bool is_gone(uint64_t number)
{
	char path[300];

	snprintf(path, sizeof path, "%s/%07" PRIu64 ".L01", folder, number);
	for (int i = 0; i < 2000 && !access(path, F_OK); i++)
		fixture_sleep_ms(5);
	return access(path, F_OK);
}

/* --- tests ----------------------------------------------------------------------------------------------------------------- */

static void whatever_the_codec_all_at_once(void)
{
	static const enum settings_codec codecs[] = { CODEC_NONE, CODEC_AUTO, CODEC_LZ4, CODEC_ZSTD };

	for (size_t i = 0; i < 8; i++) {
		without_ring = i % 2;
		open_world(5, i < 4 ? 5 : 3, codecs[i / 2], 1, i == 3);
		set_world(1, i == 0 ? 4 * MIB : 1300000);
		CU_ASSERT_TRUE(take(0));
		check_newest(1);
		close_world();
	}
	without_ring = false;
}

static void increments_over_shared_files(void)
{
	open_world(4, 2, CODEC_AUTO, 5, false);
	for (uint64_t number = 1; number <= 7; number++) {
		set_world(1 + number / 3, 600000);
		memory[number % 4][5000] ^= (uint8_t)number;
		CU_ASSERT_TRUE(take(2));
		check_newest(number);
	}
	close_world();
}

/* A header of two pages; every 509th bit of both, and the first file cut to them. */
static void a_table_of_more_ranks_than_a_page_has_room_for(void)
{
	static struct store_checkpoint found;
	struct verify_proof proof;
	unsigned unnoticed = 0;
	char path[sizeof found.path + 20];
	int fd;

	open_world(70, 70, CODEC_AUTO, 1, true);
	set_world(1, 3000);
	CU_ASSERT_TRUE(take(0));
	check_newest(1);
	CU_ASSERT_EQUAL(store_newest(stores[0], UINT64_MAX, &found, NULL), 0);
	CU_ASSERT_TRUE(found.bytes % 4096 == 0 && format_header_size(70) == 8192 && format_header_size(61) == 4096 && format_header_size(62) == 8192 &&
		       format_header_size(FORMAT_RANKS_MAX) == FORMAT_HEADER_MOST && format_header_size(FORMAT_RANKS_MAX + 1) > FORMAT_HEADER_MOST);
	snprintf(path, sizeof path, "%s/rank-00000.smk", found.path);
	fd = open(path, O_RDWR);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	for (off_t bit = 3; bit < 8 * 8192; bit += 509) {
		struct store_image *image;
		uint8_t byte, flipped;

		if (pread(fd, &byte, 1, bit / 8) != 1)
			fixture_stop(path, NULL);
		flipped = (uint8_t)(byte ^ 1 << bit % 8);
		unnoticed += pwrite(fd, &flipped, 1, bit / 8) != 1 || !store_open_image(&image, &found, 69, NULL);
		unnoticed += pwrite(fd, &byte, 1, bit / 8) != 1;
	}
	CU_ASSERT_EQUAL(unnoticed, 0);
	CU_ASSERT_EQUAL(store_verify(&found, told, NULL, &proof, NULL), 0);
	CU_ASSERT_EQUAL(ftruncate(fd, 8192), 0);
	CU_ASSERT_NOT_EQUAL(store_verify(&found, NULL, NULL, &proof, NULL), 0);
	CU_ASSERT_EQUAL(ftruncate(fd, 4096), 0);
	CU_ASSERT_NOT_EQUAL(store_verify(&found, NULL, NULL, &proof, NULL), 0);
	close(fd);
	close_world();
}

/* A 13th of them; with the argument `deep` all. */
static off_t stride = 13;

static void every_bit_of_the_file(void)
{
	static struct store_checkpoint found;
	struct verify_proof proof;
	struct stat status;
	unsigned unnoticed = 0;
	char path[sizeof found.path + 20];
	int fd;

	setenv("TMPDIR", "/dev/shm", 0);
	open_world(3, 3, CODEC_AUTO, 1, false);
	set_world(1, 900);
	CU_ASSERT_TRUE(take(0));
	check_newest(1);
	CU_ASSERT_EQUAL(store_newest(stores[0], UINT64_MAX, &found, NULL), 0);
	snprintf(path, sizeof path, "%s/rank-00000.smk", found.path);
	fd = open(path, O_RDWR);
	CU_ASSERT_TRUE_FATAL(fd >= 0 && !fstat(fd, &status));
	for (off_t bit = stride > 1 ? time(NULL) % stride : 0; bit < 8 * status.st_size; bit += stride) {
		uint8_t byte = 0, flipped;

		unnoticed += pread(fd, &byte, 1, bit / 8) != 1;
		flipped = (uint8_t)(byte ^ 1 << bit % 8);
		unnoticed += pwrite(fd, &flipped, 1, bit / 8) != 1 || !store_verify(&found, NULL, NULL, &proof, NULL);
		unnoticed += pwrite(fd, &byte, 1, bit / 8) != 1;
	}
	CU_ASSERT_EQUAL(unnoticed, 0);
	CU_ASSERT_EQUAL(store_verify(&found, told, NULL, &proof, NULL), 0);
	close(fd);
	close_world();
	printf(" (%lld bits)", (long long)(8 * status.st_size / stride));
}

static int fails(void *context, const void *data, void *to, uint64_t bytes, struct fault *fault)
{
	(void)context, (void)data, (void)to, (void)bytes;
	return fault_set(fault, SEAMARK_E_IO, "the bytes of '%s' cannot be had", folder);
}

/* In each place among the others; nothing is left, and the next attempt is committed. */
static void a_rank_that_fails_holds_up_nobody(void)
{
	open_world(4, 4, CODEC_NONE, 3, false);
	set_world(1, 200000);
	CU_ASSERT_TRUE(take(0));
	for (uint32_t bad = 0; bad < 4; bad++) {
		uint64_t number = next++;
		struct store_commit commit = {0};
		struct fault fault = FAULT_NONE;

		regions[bad][1].read = fails;
		for (uint32_t rank = 0; rank < ranks; rank++)
			begin_rank(number, (rank + bad) % ranks);
		for (uint32_t rank = 0; rank < ranks; rank++)
			finish_rank(rank);
		for (uint32_t rank = 0; rank < ranks; rank++)
			CU_ASSERT_EQUAL(add_rank(rank, &commit, &fault), rank != bad);
		give_up(number, ranks);
		CU_ASSERT_TRUE(is_gone(number));
		set_world(number, 200000);
		CU_ASSERT_TRUE(take(0));
		check_newest(next - 1);
	}
	close_world();
}

/* Before it has begun, before it has finished, and when all have. */
static void a_rank_that_gives_up_holds_up_nobody(void)
{
	open_world(3, 3, CODEC_NONE, 3, false);
	set_world(1, 200000);
	CU_ASSERT_TRUE(take(0));
	for (uint32_t when = 0; when < 9; when++) {
		uint64_t number = next++;
		uint32_t bad = when % 3;
		struct store_commit commit = {0};
		struct fault fault = FAULT_NONE;

		for (uint32_t rank = 0; rank < ranks; rank++)
			if (when >= 3 || rank != bad)
				begin_rank(number, rank);
		if (when >= 3 && when < 6)
			store_abandon_image(stores[bad]);
		for (uint32_t rank = 0; rank < ranks; rank++)
			if (rank != bad || when >= 6)
				finish_rank(rank);
		for (uint32_t rank = 0; rank < ranks; rank++)
			if (rank != bad || when >= 6)
				CU_ASSERT_TRUE(add_rank(rank, &commit, &fault));
		give_up(number, when < 3 ? bad : ranks);
		CU_ASSERT_TRUE(is_gone(number));
		CU_ASSERT_TRUE(take(0));
		check_newest(next - 1);
	}
	close_world();
}

/* A rank is still at the end of one attempt when the others begin the next. */
static void two_attempts_at_a_time_are_kept_apart(void)
{
	struct store_commit commit = {0};
	struct fault fault = FAULT_NONE;
	uint64_t late;

	open_world(3, 3, CODEC_NONE, 1, false);
	set_world(1, 100000);
	late = next++;
	begin_rank(late, 0);
	begin_rank(late, 1);
	begin_rank(late, 2);
	finish_rank(0);
	CU_ASSERT_TRUE(add_rank(0, &commit, &fault));
	store_abandon_image(stores[0]);
	fixture_image_state(stores[0], NULL);
	memset(&commit, 0, sizeof commit);
	commit.identity = identity_of(next++, 0);
	begin_rank(commit.identity.number, 0);
	finish_rank(0);
	finish_rank(1);
	store_abandon_image(stores[1]);
	store_abandon_image(stores[2]);
	fixture_image_state(stores[1], NULL);
	fixture_image_state(stores[2], NULL);
	for (uint32_t rank = 1; rank < ranks; rank++) {
		begin_rank(commit.identity.number, rank);
		finish_rank(rank);
	}
	for (uint32_t rank = 0; rank < ranks; rank++)
		CU_ASSERT_TRUE(add_rank(rank, &commit, &fault));
	CU_ASSERT_TRUE(commit_attempt(&commit, 0));
	check_newest(commit.identity.number);
	store_drop_attempt(stores[0], late);
	CU_ASSERT_TRUE(is_gone(late));
	close_world();
}

static struct shared_part enter(struct store_shared *shared, uint64_t number, uint32_t rank)
{
	struct shared_part part;
	struct store_identity identity = { .number = number, .nonce = number + 5, .rank = rank };
	struct fault fault = FAULT_NONE;

	CU_ASSERT_EQUAL(shared_enter(&part, shared, &identity, 0, &fault) != 0, part.shared == NULL);
	return part;
}

/* What is kept of attempts has an end: one whose place was needed cannot be joined again, or its ranks would count by themselves. */
static void an_attempt_that_was_forgotten_cannot_be_joined(void)
{
	char name[STORE_SHARED_NAME];
	struct store_shared *shared, *again;
	struct shared_part part, held;
	static struct format_header header;

	CU_ASSERT_EQUAL_FATAL(store_shared_make(&shared, 2, name, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(store_shared_join(&again, 2, name, NULL), 0);
	store_shared_forget_name(shared);
	held = enter(shared, 3, 0);
	for (uint64_t number = 4; number < 20; number++) {
		part = enter(again, number, 1);
		CU_ASSERT_PTR_NOT_NULL(part.shared);
		shared_leave(&part);
	}
	part = enter(shared, 4, 0);
	CU_ASSERT_PTR_NULL(part.shared);
	CU_ASSERT_FALSE(shared_arrive(&held, &header.ranks[0], &header));
	part = enter(again, 3, 1);
	CU_ASSERT_PTR_NOT_NULL(part.shared);
	CU_ASSERT_EQUAL(shared_take(&held, 4096), 4096);
	CU_ASSERT_EQUAL(shared_take(&part, 8192), 8192);
	CU_ASSERT_TRUE(shared_arrive(&part, &header.ranks[1], &header));
	CU_ASSERT_EQUAL(header.file_size, 16384);
	shared_leave(&part);
	shared_leave(&held);
	store_shared_close(again);
	store_shared_close(shared);
	CU_ASSERT_NOT_EQUAL(store_shared_join(&again, 2, name, NULL), 0);
}

/* A process that is killed with the lock, whenever that is. */
static void whoever_is_killed_holds_up_nobody(void)
{
	char name[STORE_SHARED_NAME];
	struct store_shared *shared;
	struct shared_part part;

	CU_ASSERT_EQUAL_FATAL(store_shared_make(&shared, 2, name, NULL), 0);
	store_shared_forget_name(shared);
	for (uint64_t number = 1; number <= 20; number++) {
		pid_t child = fork();

		if (!child) {
			part = enter(shared, number, 0);
			for (;;)
				shared_take(&part, 4096);
		}
		fixture_sleep_ms(3);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		part = enter(shared, number, 1);
		if (part.shared)
			CU_ASSERT_EQUAL(shared_take(&part, 4096) % 4096, 0);
		shared_leave(&part);
	}
	store_shared_close(shared);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{ "whatever the codec, all at once", whatever_the_codec_all_at_once },
		{ "increments over shared files", increments_over_shared_files },
		{ "a table of more ranks than a page has room for", a_table_of_more_ranks_than_a_page_has_room_for },
		{ "every bit of the file", every_bit_of_the_file },
		{ "a rank that fails holds up nobody", a_rank_that_fails_holds_up_nobody },
		{ "a rank that gives up holds up nobody", a_rank_that_gives_up_holds_up_nobody },
		{ "two attempts at a time are kept apart", two_attempts_at_a_time_are_kept_apart },
		{ "an attempt that was forgotten cannot be joined", an_attempt_that_was_forgotten_cannot_be_joined },
		{ "whoever is killed holds up nobody", whoever_is_killed_holds_up_nobody },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "several ranks write one file", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	if (argc > 1 && !strcmp(argv[1], "deep"))
		stride = 1;
	return suites_run(suites);
}
