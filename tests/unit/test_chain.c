/* SPDX-License-Identifier: BSD-3-Clause */
/* Increments: what is written and what is only referred to, what is kept for whom, and that what comes back is what was saved. */
#include <CUnit/Basic.h>

#include "seamark_files.h"
#include "store/format.h"
#include "store/image_read.h"
#include "store/manifest.h"
#include "store/verify.h"
#include "suites.h"
#include "test_store_fixture.h"

enum { CHUNK = FORMAT_CHUNK_SIZE, FIELD = 3 * CHUNK + 1000, RANKS = 2 };

static char folder[256];
static uint8_t *field[RANKS];
static struct fixture_part parts[RANKS];
static struct store_comm comms[1] = { { .name = "world", .key = 1, .size = RANKS, .members = 5 } };

/* --- what a rank saves ----------------------------------------------------------------------------------------------- */

static void fill(uint8_t *data, size_t size, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t value = mix64_pair(seed, i);

		memcpy(data + i, &value, 8);
	}
}

static void set_state(void)
{
	memset(parts, 0, sizeof parts);
	for (uint32_t rank = 0; rank < RANKS; rank++) {
		field[rank] = realloc(field[rank], 2 * FIELD);
		fill(field[rank], 2 * FIELD, rank);
		parts[rank].regions[0] = (struct store_region){ .name = "field", .data = field[rank], .bytes = FIELD };
		parts[rank].region_count = 1;
		parts[rank].record = (struct store_record){ .comms = comms, .comm_count = 1 };
	}
}

static void begin(void)
{
	fixture_folder(folder);
	set_state();
}

static void end(void)
{
	fixture_remove(folder);
}

static void take(struct fixture *fixture, uint64_t keep)
{
	fixture_take(fixture, fixture->next++, parts, keep);
}

/* --- what there is --------------------------------------------------------------------------------------------------- */

static bool is_there(const char *format, uint64_t number)
{
	char name[64], path[512];

	snprintf(name, sizeof name, format, number);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return !access(path, F_OK);
}

static bool is_listed(uint64_t number)
{
	return is_there("%07" PRIu64 ".L01/manifest.json", number) || is_there("%07" PRIu64 ".L02/manifest.json", number);
}

static bool is_held(uint64_t number)
{
	return is_there("%07" PRIu64 ".L01/manifest.held", number) && !is_listed(number);
}

static bool is_gone(uint64_t number)
{
	return !is_there("%07" PRIu64 ".L01", number) && !is_there("%07" PRIu64 ".L02", number);
}

static void find(uint64_t number, struct store_checkpoint *found)
{
	struct store *store;
	struct fault fault = FAULT_NONE;
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, number);
	if (store_open(&store, folder, 0, RANKS, &fault) || store_at(store, text, found, &fault))
		fixture_stop("store_at", &fault);
	store_close(store);
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

/* The regions as they are now are what a checkpoint gives back. */
static bool gives_back(const struct store_checkpoint *found)
{
	bool good = true;

	for (uint32_t rank = 0; rank < RANKS; rank++) {
		struct store_image *image;
		struct fault fault = FAULT_NONE;

		if (store_open_image(&image, found, rank, &fault)) {
			printf("\n  %s", fault.text);
			return false;
		}
		good = good && !store_open_parents(image, &fault) && store_image_region_count(image) == parts[rank].region_count;
		for (size_t i = 0; good && i < parts[rank].region_count; i++) {
			const struct store_region *region = &parts[rank].regions[i];
			uint8_t *data = malloc(region->bytes + 1);
			size_t at = store_image_find_region(image, region->name);

			good = at != SIZE_MAX && !store_image_load_region(image, at, data, &fault) && !memcmp(data, region->data, region->bytes);
			free(data);
		}
		store_close_image(image);
	}
	return good;
}

static bool is_right(uint64_t number)
{
	static struct store_checkpoint found;

	find(number, &found);
	return verify(number, true) == 0 && gives_back(&found);
}

static uint64_t bytes_of(uint64_t number)
{
	static struct store_checkpoint found;

	find(number, &found);
	return found.bytes;
}

static uint32_t parents_of(uint64_t number)
{
	static struct store_checkpoint found;

	find(number, &found);
	return found.parent_count;
}

/* --- what is written ------------------------------------------------------------------------------------------------- */

static void an_unchanged_state_takes_next_to_no_bytes(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	take(&fixture, 0);
	take(&fixture, 0);
	CU_ASSERT_TRUE(bytes_of(1) > RANKS * (uint64_t)FIELD);
	CU_ASSERT_TRUE(bytes_of(2) <= RANKS * 4 * FORMAT_ALIGN);
	CU_ASSERT_TRUE(bytes_of(3) <= RANKS * 4 * FORMAT_ALIGN);
	CU_ASSERT_EQUAL(parents_of(1), 0);
	/* Chains are one hop long: nothing lies in the second. */
	CU_ASSERT_EQUAL(parents_of(3), 1);
	CU_ASSERT_TRUE(is_right(1) && is_right(2) && is_right(3));
	fixture_end(&fixture);
}

static void what_changed_is_written_and_nothing_else(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	field[1][CHUNK + 17] ^= 1;
	take(&fixture, 0);
	CU_ASSERT_TRUE(bytes_of(2) > CHUNK && bytes_of(2) < CHUNK + CHUNK / 2);
	CU_ASSERT_TRUE(is_right(2));
	field[0][FIELD - 1] ^= 1;
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(3), 2);
	CU_ASSERT_TRUE(bytes_of(3) <= RANKS * 5 * FORMAT_ALIGN);
	CU_ASSERT_TRUE(is_right(3));
	for (uint32_t rank = 0; rank < RANKS; rank++)
		fill(field[rank], FIELD, 77 + rank);
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(4), 0);
	CU_ASSERT_TRUE(bytes_of(4) > RANKS * (uint64_t)FIELD);
	CU_ASSERT_TRUE(is_right(4));
	/* Back to what the first had, which is the parent of none any more. */
	for (uint32_t rank = 0; rank < RANKS; rank++)
		fill(field[rank], FIELD, rank);
	take(&fixture, 0);
	CU_ASSERT_TRUE(is_right(5));
	CU_ASSERT_EQUAL(verify(1, true) || verify(2, true) || verify(3, true) || verify(4, true), 0);
	fixture_end(&fixture);
}

static void regions_may_move_grow_shrink_and_vanish(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 20, NULL);
	take(&fixture, 0);
	/* Moved in memory, under another name, behind a new one. */
	for (uint32_t rank = 0; rank < RANKS; rank++) {
		parts[rank].regions[1] = (struct store_region){ .name = "renamed", .data = field[rank], .bytes = FIELD };
		parts[rank].regions[0] = (struct store_region){ .name = "new", .data = "0123456789", .bytes = 10 };
		parts[rank].region_count = 2;
	}
	take(&fixture, 0);
	CU_ASSERT_TRUE(bytes_of(2) <= RANKS * 6 * FORMAT_ALIGN);
	CU_ASSERT_TRUE(is_right(2));
	/* Grown: its last chunk is another, and there is one more. */
	for (uint32_t rank = 0; rank < RANKS; rank++)
		parts[rank].regions[1].bytes += CHUNK;
	take(&fixture, 0);
	CU_ASSERT_TRUE(bytes_of(3) < RANKS * (uint64_t)(CHUNK + CHUNK + CHUNK / 2));
	CU_ASSERT_TRUE(is_right(3));
	/* Shrunk, to whole chunks; another rank's does not. */
	parts[0].regions[1].bytes = 2 * CHUNK;
	take(&fixture, 0);
	CU_ASSERT_TRUE(bytes_of(4) <= RANKS * 6 * FORMAT_ALIGN);
	CU_ASSERT_TRUE(is_right(4));
	/* Vanished, and back again. */
	for (uint32_t rank = 0; rank < RANKS; rank++)
		parts[rank].region_count = 1;
	take(&fixture, 0);
	CU_ASSERT_TRUE(is_right(5));
	for (uint32_t rank = 0; rank < RANKS; rank++)
		parts[rank].region_count = 0;
	take(&fixture, 0);
	CU_ASSERT_TRUE(is_right(6));
	CU_ASSERT_EQUAL(parents_of(6), 0);
	set_state();
	take(&fixture, 0);
	CU_ASSERT_TRUE(bytes_of(7) > RANKS * (uint64_t)FIELD);
	CU_ASSERT_TRUE(is_right(7));
	fixture_end(&fixture);
}

/* The same bytes in many places are read from one. */
static void chunks_that_are_alike_lie_anywhere(void)
{
	struct fixture fixture;

	for (uint32_t rank = 0; rank < RANKS; rank++)
		memset(field[rank], 0, FIELD);
	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	take(&fixture, 0);
	CU_ASSERT_TRUE(bytes_of(2) <= RANKS * 4 * FORMAT_ALIGN);
	CU_ASSERT_TRUE(is_right(2));
	fixture_end(&fixture);
}

static void many_small_regions(void)
{
	enum { MOST = 5 };
	struct fixture fixture;
	static char names[MOST][32];

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	for (uint32_t rank = 0; rank < RANKS; rank++) {
		for (int i = 0; i < MOST; i++) {
			snprintf(names[i], sizeof names[i], "small %d", i);
			parts[rank].regions[i] = (struct store_region){ .name = names[i], .data = field[rank] + i * 1000, .bytes = (uint64_t)i * 8 };
		}
		parts[rank].region_count = MOST;
	}
	for (int round = 0; round < 4; round++) {
		take(&fixture, 0);
		CU_ASSERT_TRUE(is_right(fixture.next - 1));
		field[0][1000 * (round + 1)] ^= 1;
	}
	fixture_end(&fixture);
}

/* What the capture says has not changed is not looked at; the rest is. Here it lies about one chunk, which shows that it was believed. */
static void what_is_said_to_be_unchanged_is_not_read(void)
{
	enum { BLOCKS = FIELD / STORE_STAMP_BLOCK + 1 };
	static uint64_t changed[RANKS][BLOCKS];
	struct fixture fixture;
	static struct store_checkpoint found;
	uint8_t *data = malloc(FIELD);
	struct store_image *image;
	struct fault fault = FAULT_NONE;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	for (uint32_t rank = 0; rank < RANKS; rank++) {
		parts[rank].regions[0].capture = 5;
		parts[rank].regions[0].changed = changed[rank];
		for (size_t i = 0; i < BLOCKS; i++)
			changed[rank][i] = 1;
	}
	take(&fixture, 0);
	CU_ASSERT_TRUE(is_right(1) && bytes_of(1) > FIELD);
	field[0][0] ^= 1;
	field[0][CHUNK] ^= 1;
	field[0][2 * CHUNK] ^= 1;
	parts[0].regions[0].capture = parts[1].regions[0].capture = 7;
	changed[0][CHUNK / STORE_STAMP_BLOCK] = 6;
	changed[0][2 * CHUNK / STORE_STAMP_BLOCK] = 7;
	take(&fixture, 0);
	CU_ASSERT_TRUE(bytes_of(2) > 2 * CHUNK && bytes_of(2) < 2 * CHUNK + CHUNK / 2);
	find(2, &found);
	CU_ASSERT_EQUAL(store_open_image(&image, &found, 0, &fault), 0);
	CU_ASSERT_EQUAL(store_image_load_region(image, 0, data, &fault), 0);
	store_close_image(image);
	data[0] ^= 1;
	CU_ASSERT_EQUAL(memcmp(data, field[0], FIELD), 0);
	/* A region of another length has another last chunk, and one of another name has none that is known. */
	field[0][0] ^= 1;
	parts[0].regions[0].bytes -= 500;
	parts[1].regions[0].name = "other";
	take(&fixture, 0);
	CU_ASSERT_TRUE(is_right(3));
	free(data);
	fixture_end(&fixture);
}

/* --- how long a chain is --------------------------------------------------------------------------------------------- */

static void of_so_many_one_is_full(void)
{
	for (uint32_t every = 1; every <= 4; every++) {
		struct fixture fixture;

		fixture_remove(folder);
		fixture_begin(&fixture, folder, RANKS);
		fixture_chain(&fixture, every, NULL);
		for (uint64_t number = 1; number <= 9; number++) {
			take(&fixture, 0);
			CU_ASSERT_EQUAL(parents_of(number) == 0, (number - 1) % every == 0);
			CU_ASSERT_TRUE(parents_of(number) < every);
		}
		CU_ASSERT_TRUE(is_right(9));
		fixture_end(&fixture);
	}
}

/* When files of a chain take twice what the state does, it begins anew, though every chunk might go on. */
static void a_chain_ends_when_its_files_take_too_much(void)
{
	struct fixture fixture;
	uint64_t sum = 0, whole = 0;
	uint32_t most = 0;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 64, NULL);
	for (uint64_t number = 1; number <= 12; number++) {
		for (uint32_t rank = 0; rank < RANKS; rank++)
			fill(field[rank] + number % 2 * 2 * CHUNK, CHUNK, number * RANKS + rank);
		take(&fixture, 0);
		if (!parents_of(number)) {
			sum = 0;
			whole = bytes_of(number);
		}
		sum += bytes_of(number);
		if (parents_of(number) > most)
			most = parents_of(number);
		CU_ASSERT_TRUE(sum < 3 * whole);
	}
	CU_ASSERT_EQUAL(most, 2);
	CU_ASSERT_TRUE(is_right(12));
	fixture_end(&fixture);
}

/* For a few bytes that never change, the files of a whole state are not kept. */
static void what_saves_next_to_nothing_is_seldom_tried(void)
{
	struct fixture fixture;
	uint64_t tried = 0;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 64, NULL);
	for (uint64_t number = 1; number <= 20; number++) {
		for (uint32_t rank = 0; rank < RANKS; rank++) {
			fill(field[rank], FIELD, number * RANKS + rank);
			parts[rank].regions[1] = (struct store_region){ .name = "constant", .data = "0123456789", .bytes = 10 };
			parts[rank].region_count = 2;
		}
		take(&fixture, 1);
		tried += parents_of(number) > 0;
	}
	CU_ASSERT_EQUAL(tried, 4);
	CU_ASSERT_TRUE(is_right(20));
	/* Once it is worth while, it is done. */
	for (uint64_t number = 21; number <= 40; number++)
		take(&fixture, 1);
	CU_ASSERT_TRUE(parents_of(40) == 1 && is_right(40));
	fixture_end(&fixture);
}

/* --- attempts that are void ------------------------------------------------------------------------------------------ */

static void attempt(struct fixture *fixture, bool tell)
{
	struct store_commit commit = { .identity = fixture_identity(fixture, fixture->next++, 0) };
	struct store_image_result result;

	for (uint32_t rank = 0; rank < RANKS; rank++)
		fixture_begin_part(fixture, commit.identity.number, rank, &parts[rank]);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		fixture_finish_part(fixture, rank, &parts[rank], &commit);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		store_abandon_image(fixture->stores[rank]);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		CU_ASSERT_EQUAL(fixture_image_state(fixture->stores[rank], &result), STORE_IDLE);
	if (tell)
		fixture_settle(fixture, &commit, false);
}

static void a_void_attempt_is_no_parent(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	attempt(&fixture, true);
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(2), 0);
	field[0][0] ^= 1;
	attempt(&fixture, true);
	attempt(&fixture, false);
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(5), 1);
	CU_ASSERT_TRUE(bytes_of(5) > CHUNK);
	CU_ASSERT_TRUE(is_right(5));
	fixture_end(&fixture);
}

/* An image is durable, and what became of it is not known when the next is begun: neither it nor what it was based on is referred to. */
static void what_is_not_known_to_be_committed_is_no_parent(void)
{
	struct fixture fixture;
	struct store_commit commit = {0};

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	commit.identity = fixture_identity(&fixture, fixture.next++, 0);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		fixture_begin_part(&fixture, 2, rank, &parts[rank]);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		fixture_finish_part(&fixture, rank, &parts[rank], &commit);
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(3), 0);
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(4), 1);
	CU_ASSERT_TRUE(is_right(4));
	fixture_end(&fixture);
}

/* A manifest can name only what is at most 64 numbers away. */
static void after_many_void_attempts_all_is_written(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 64, NULL);
	take(&fixture, 0);
	fixture.next = 65;
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(65), 1);
	CU_ASSERT_TRUE(bytes_of(65) <= RANKS * 4 * FORMAT_ALIGN);
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(66), 0);
	CU_ASSERT_TRUE(is_right(65) && is_right(66));
	fixture_end(&fixture);
}

/* --- what is kept ---------------------------------------------------------------------------------------------------- */

static void what_is_needed_stays_and_goes_when_it_is_not(void)
{
	for (uint64_t keep = 1; keep <= 4; keep++) {
		struct fixture fixture;

		fixture_remove(folder);
		fixture_begin(&fixture, folder, RANKS);
		fixture_chain(&fixture, 4, NULL);
		for (uint64_t number = 1; number <= 12; number++) {
			struct store_image_result unused;
			struct fault fault = FAULT_NONE;
			uint64_t first;

			field[0][number % 3 * CHUNK] ^= 1;
			take(&fixture, keep);
			/* Behind the retention, which is the same thread's. */
			store_drop_attempt(fixture.stores[0], 9999);
			fixture_begin_part(&fixture, 9999, 0, &parts[0]);
			store_abandon_image(fixture.stores[0]);
			while (fixture_image_state(fixture.stores[0], &unused) != STORE_IDLE)
				;
			(void)fault;
			/* The oldest that is kept, and the full one that it rests on. */
			first = number > keep ? number - keep + 1 : 1;
			for (uint64_t old = 1; old < (first - 1) / 4 * 4 + 1; old++)
				CU_ASSERT_TRUE(is_gone(old));
			for (uint64_t kept = first; kept <= number; kept++)
				CU_ASSERT_TRUE(is_listed(kept) && verify(kept, true) == 0);
			for (uint64_t old = (first - 1) / 4 * 4 + 1; old < first; old++)
				CU_ASSERT_TRUE(is_held(old) || (is_gone(old) && old % 4 != 1));
			CU_ASSERT_TRUE(is_right(number));
		}
		fixture_end(&fixture);
	}
}

static void a_pinned_one_keeps_its_parents(void)
{
	struct fixture fixture;
	char path[512];

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 3, NULL);
	take(&fixture, 1);
	take(&fixture, 1);
	snprintf(path, sizeof path, "%s/0000002.L01", folder);
	CU_ASSERT_EQUAL(seamark_files_pin(path, 1), 0);
	for (int i = 0; i < 4; i++)
		take(&fixture, 1);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_held(1) && is_listed(2) && is_gone(3) && is_held(4) && is_gone(5) && is_listed(6));
	CU_ASSERT_TRUE(is_right(2));
	CU_ASSERT_EQUAL(seamark_files_pin(path, 0), 0);
	/* The next life finds that it is kept for nobody only when it has been retired. */
	fixture_begin(&fixture, folder, RANKS);
	CU_ASSERT_TRUE(is_held(1) && is_listed(2) && is_held(4));
	take(&fixture, 1);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_gone(1) && is_gone(2) && is_gone(4) && is_gone(6) && is_listed(7));
	CU_ASSERT_TRUE(is_right(7));
}

/* It may be all that somebody has, and nobody knows what it needs. */
static void what_a_garbled_one_may_need_stays(void)
{
	struct fixture fixture;
	char path[512];

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	take(&fixture, 0);
	snprintf(path, sizeof path, "%s/0000002.L01/manifest.json", folder);
	CU_ASSERT_EQUAL(truncate(path, 100), 0);
	fixture_end(&fixture);
	fixture_begin(&fixture, folder, RANKS);
	take(&fixture, 1);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_held(1) && is_listed(2) && is_listed(3));
}

static void a_life_removes_what_is_held_for_nobody(void)
{
	struct fixture fixture;
	char from[512], to[512];

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	take(&fixture, 0);
	take(&fixture, 0);
	fixture_end(&fixture);
	/* As if it had died while it retired the first two. */
	for (int number = 1; number <= 2; number++) {
		snprintf(from, sizeof from, "%s/000000%d.L01/manifest.json", folder, number);
		snprintf(to, sizeof to, "%s/000000%d.L01/manifest.held", folder, number);
		CU_ASSERT_EQUAL(rename(from, to), 0);
	}
	fixture_begin(&fixture, folder, RANKS);
	CU_ASSERT_TRUE(is_held(1) && is_gone(2) && is_listed(3));
	CU_ASSERT_EQUAL(fixture.next, 4);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_right(3));
}

/* --- lives ----------------------------------------------------------------------------------------------------------- */

static void a_life_goes_on_from_what_it_restored(void)
{
	static struct store_checkpoint restored;
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 4, NULL);
	take(&fixture, 2);
	field[0][5] ^= 1;
	take(&fixture, 2);
	fixture_end(&fixture);
	fixture_begin(&fixture, folder, RANKS);
	find(2, &restored);
	fixture_chain(&fixture, 4, &restored);
	take(&fixture, 2);
	CU_ASSERT_EQUAL(parents_of(3), 2);
	CU_ASSERT_TRUE(bytes_of(3) <= RANKS * 4 * FORMAT_ALIGN);
	field[1][5] ^= 1;
	take(&fixture, 2);
	CU_ASSERT_EQUAL(parents_of(4), 2);
	take(&fixture, 2);
	CU_ASSERT_EQUAL(parents_of(5), 0);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_right(5));
	CU_ASSERT_EQUAL(verify(4, true), 0);
	CU_ASSERT_TRUE(is_held(1) && is_held(2) && is_gone(3));
}

static void what_was_restored_from_elsewhere_is_no_parent(void)
{
	static struct store_checkpoint restored;
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 4, NULL);
	take(&fixture, 2);
	fixture_end(&fixture);
	fixture_begin(&fixture, folder, RANKS);
	find(1, &restored);
	strcat(restored.path, "/.");
	fixture_chain(&fixture, 4, &restored);
	take(&fixture, 2);
	CU_ASSERT_EQUAL(parents_of(2), 0);
	fixture_end(&fixture);
}

/* --- somebody, or something, has been at the files ------------------------------------------------------------------- */

static void remove_folder(uint64_t number)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%07" PRIu64 ".L01", folder, number);
	fixture_remove(path);
}

static void parents_that_were_removed_are_written_anew(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		field[rank][0] ^= 1;
	take(&fixture, 0);
	remove_folder(1);
	CU_ASSERT_EQUAL(verify(2, false), SEAMARK_E_DAMAGED);
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(3), 1);
	CU_ASSERT_TRUE(is_right(3));
	fixture_end(&fixture);
}

/* After the images were written, before the manifest: the attempt fails, and the next is whole again. */
static void a_parent_removed_before_the_commit_makes_it_void(void)
{
	struct fixture fixture;
	struct store_commit commit = {0};
	struct fault fault = FAULT_NONE;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	commit.identity = fixture_identity(&fixture, fixture.next++, 0);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		fixture_begin_part(&fixture, 2, rank, &parts[rank]);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		fixture_finish_part(&fixture, rank, &parts[rank], &commit);
	remove_folder(1);
	CU_ASSERT_EQUAL(store_begin_commit(fixture.stores[0], &commit, 0, &fault), 0);
	CU_ASSERT_EQUAL(fixture_commit_state(fixture.stores[0], &fault), STORE_FAILED);
	CU_ASSERT_FALSE(is_listed(2));
	for (uint32_t rank = 0; rank < RANKS; rank++)
		store_settle(fixture.stores[rank], &(struct store_outcome){ .number = 2, .distrusted = true });
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(3), 0);
	CU_ASSERT_TRUE(is_right(3));
	fixture_end(&fixture);
}

/* Every byte of a parent's file that a child needs, and what says where it is. */
static void damage_in_a_parent_is_damage_in_its_children(void)
{
	static struct store_checkpoint found;
	struct fixture fixture;
	char path[512];
	size_t missed = 0, harmless = 0;
	int fd;

	for (uint32_t rank = 0; rank < RANKS; rank++)
		parts[rank].regions[0].bytes = 10000;
	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 1);
	take(&fixture, 1);
	fixture_end(&fixture);
	CU_ASSERT_TRUE(is_held(1) && is_right(2));
	find(2, &found);
	snprintf(path, sizeof path, "%s/0000001.L01/rank-00000.smk", folder);
	fd = open(path, O_RDWR);
	for (off_t at = 0; at < 4096 + 10000; at += 111) {
		uint8_t byte, changed;

		if (pread(fd, &byte, 1, at) != 1)
			break;
		changed = byte ^ 64;
		missed += pwrite(fd, &changed, 1, at) != 1;
		missed += verify(2, false) != SEAMARK_E_DAMAGED;
		harmless += gives_back(&found);
		missed += pwrite(fd, &byte, 1, at) != 1;
	}
	close(fd);
	CU_ASSERT_EQUAL(missed, 0);
	CU_ASSERT_EQUAL(harmless, 0);
	CU_ASSERT_TRUE(is_right(2));
	CU_ASSERT_EQUAL(truncate(path, 8192), 0);
	CU_ASSERT_EQUAL(verify(2, false), SEAMARK_E_DAMAGED);
}

/* What is like it, but of another run, is not what was saved with it. */
static void a_parent_of_another_run_is_refused(void)
{
	struct fixture fixture;
	char other[256], from[512], to[512];
	static struct store_checkpoint found;
	struct store_image *image;
	struct fault fault = FAULT_NONE;

	for (int run = 0; run < 2; run++) {
		if (run)
			fixture_folder(folder);
		fixture_begin(&fixture, folder, RANKS);
		fixture_chain(&fixture, 8, NULL);
		take(&fixture, 0);
		take(&fixture, 0);
		fixture_end(&fixture);
		if (!run)
			strcpy(other, folder);
	}
	remove_folder(1);
	snprintf(from, sizeof from, "%s/0000001.L01", other);
	snprintf(to, sizeof to, "%s/0000001.L01", folder);
	CU_ASSERT_EQUAL(rename(from, to), 0);
	fixture_remove(other);
	CU_ASSERT_EQUAL(verify(1, true), 0);
	CU_ASSERT_EQUAL(verify(2, false), SEAMARK_E_DAMAGED);
	find(2, &found);
	CU_ASSERT_EQUAL(store_open_image(&image, &found, 0, &fault), 0);
	CU_ASSERT_EQUAL(store_open_parents(image, &fault), SEAMARK_E_RUN);
	store_close_image(image);
}

/* Each word that a reference has of a chunk must be what the table there says. */
static void a_reference_that_differs_in_anything_is_noticed(void)
{
	static struct store_checkpoint found;
	struct store_image *image;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	struct format_chunk chunk;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	take(&fixture, 0);
	fixture_end(&fixture);
	find(2, &found);
	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, &found, 0, &fault), 0);
	chunk = image->index.chunks[0];
	CU_ASSERT_TRUE_FATAL(chunk.elsewhere);
	CU_ASSERT_EQUAL(parents_check(image->parents, &chunk, &fault), 0);
	for (int i = 0; i < 9; i++) {
		struct format_chunk other = chunk;

		other.codec = (enum format_codec)(chunk.codec + (i == 0));
		other.offset += i == 1 ? FORMAT_ALIGN : 0;
		other.length -= i == 2;
		other.stored -= i == 3;
		other.checksum ^= i == 4;
		other.content_hash[0] ^= i == 5;
		other.content_hash[1] ^= i == 6;
		other.place.chunk += i == 7;
		other.place.rank += i == 8 ? 1 : 0; /* whose file is another group */
		CU_ASSERT_EQUAL(parents_check(image->parents, &other, &fault), SEAMARK_E_DAMAGED);
	}
	store_close_image(image);
}

static void after_a_failure_of_the_folder_all_is_written(void)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 0);
	for (uint32_t rank = 0; rank < RANKS; rank++)
		store_settle(fixture.stores[rank], &(struct store_outcome){ .number = 2, .distrusted = true });
	fixture.next = 3;
	take(&fixture, 0);
	CU_ASSERT_EQUAL(parents_of(3), 0);
	fixture_end(&fixture);
}

static void one_that_is_moved_by_itself_says_what_is_missing(void)
{
	static struct store_checkpoint found;
	struct store_image *image;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	char from[512], to[512];

	fixture_begin(&fixture, folder, RANKS);
	fixture_chain(&fixture, 8, NULL);
	take(&fixture, 1);
	take(&fixture, 1);
	fixture_end(&fixture);
	snprintf(to, sizeof to, "%s/apart", folder);
	CU_ASSERT_EQUAL(mkdir(to, 0777), 0);
	snprintf(from, sizeof from, "%s/0000002.L01", folder);
	snprintf(to, sizeof to, "%s/apart/any-name", folder);
	CU_ASSERT_EQUAL(rename(from, to), 0);
	fixture_begin(&fixture, folder, RANKS);
	CU_ASSERT_EQUAL(store_at(fixture.stores[0], to, &found, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(store_open_image(&image, &found, 0, &fault), 0);
	CU_ASSERT_EQUAL(store_open_parents(image, &fault), SEAMARK_E_DAMAGED);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "needs files of checkpoint 1"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "/apart/0000001.L01'"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "seamark compact 2"));
	store_close_image(image);
	fixture_end(&fixture);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "an unchanged state takes next to no bytes", an_unchanged_state_takes_next_to_no_bytes },
		{ "what changed is written, and nothing else", what_changed_is_written_and_nothing_else },
		{ "regions may move, grow, shrink and vanish", regions_may_move_grow_shrink_and_vanish },
		{ "chunks that are alike lie anywhere", chunks_that_are_alike_lie_anywhere },
		{ "many small regions", many_small_regions },
		{ "what is said to be unchanged is not read", what_is_said_to_be_unchanged_is_not_read },
		{ "of so many one is full", of_so_many_one_is_full },
		{ "a chain ends when its files take too much", a_chain_ends_when_its_files_take_too_much },
		{ "what saves next to nothing is seldom tried", what_saves_next_to_nothing_is_seldom_tried },
		{ "a void attempt is no parent", a_void_attempt_is_no_parent },
		{ "what is not known to be committed is no parent", what_is_not_known_to_be_committed_is_no_parent },
		{ "after many void attempts all is written", after_many_void_attempts_all_is_written },
		{ "what is needed stays, and goes when it is not", what_is_needed_stays_and_goes_when_it_is_not },
		{ "a pinned one keeps its parents", a_pinned_one_keeps_its_parents },
		{ "what a garbled one may need stays", what_a_garbled_one_may_need_stays },
		{ "a life removes what is held for nobody", a_life_removes_what_is_held_for_nobody },
		{ "a life goes on from what it restored", a_life_goes_on_from_what_it_restored },
		{ "what was restored from elsewhere is no parent", what_was_restored_from_elsewhere_is_no_parent },
		{ "parents that were removed are written anew", parents_that_were_removed_are_written_anew },
		{ "a parent removed before the commit makes it void", a_parent_removed_before_the_commit_makes_it_void },
		{ "damage in a parent is damage in its children", damage_in_a_parent_is_damage_in_its_children },
		{ "a parent of another run is refused", a_parent_of_another_run_is_refused },
		{ "a reference that differs in anything is noticed", a_reference_that_differs_in_anything_is_noticed },
		{ "after a failure of the folder all is written", after_a_failure_of_the_folder_all_is_written },
		{ "one that is moved by itself says what is missing", one_that_is_moved_by_itself_says_what_is_missing },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "chains", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
