/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ranks in one process whose state says of which checkpoint it is: what comes back from a disk that failed, or a machine that crashed, is compared
 * with what was saved, byte by byte. One region stays as it is, so that checkpoints refer to the one before; another changes. */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include "store/internal.h"
#include "store/verify.h"
#include "test_store_fixture.h"

enum { WORLD_RANKS = 2, WORLD_STILL = 60000, WORLD_MOVING = 5000, WORLD_FULL_EVERY = 3 };

static struct fixture_world world;
static bool world_begun[WORLD_RANKS], world_read_back;
static uint32_t world_each = 1; /* ranks in a file */
/* Of the last life that could not begin, and the last commit that failed: before anybody tidies up. */
static bool world_lock_kept, world_manifest_kept;
static uint8_t world_still[WORLD_RANKS][WORLD_STILL], world_moving[WORLD_RANKS][WORLD_MOVING];

static inline void world_fill(uint8_t *data, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i += 8) {
		uint64_t value = mix64_pair(seed, i);

		memcpy(data + i, &value, size - i < 8 ? size - i : 8);
	}
}

static inline void world_set(uint64_t number)
{
	fixture_fill(&world, WORLD_RANKS);
	for (uint32_t rank = 0; rank < WORLD_RANKS; rank++) {
		struct fixture_part *part = &world.parts[rank];

		world_fill(world_still[rank], WORLD_STILL, 1000 + rank);
		world_fill(world_moving[rank], WORLD_MOVING, mix64_pair(number, rank));
		part->regions[part->region_count++] = (struct store_region){ .name = "still", .data = world_still[rank], .bytes = WORLD_STILL };
		part->regions[part->region_count++] = (struct store_region){ .name = "moving", .data = world_moving[rank], .bytes = WORLD_MOVING };
	}
}

static inline bool world_same_region(struct store_image *image, const struct store_region *saved)
{
	static uint8_t data[WORLD_STILL];
	struct fault fault = FAULT_NONE;
	const char *name;
	uint64_t bytes;
	size_t at = store_image_find_region(image, saved->name);

	if (at == SIZE_MAX)
		return false;
	store_image_region(image, at, &name, &bytes);
	return bytes == saved->bytes && !store_image_load_region(image, at, data, &fault) && (!bytes || !memcmp(data, saved->data, bytes));
}

static inline bool world_same_messages(struct store_image *image, const struct store_record *saved)
{
	struct store_record record;
	struct fault fault = FAULT_NONE;

	if (store_image_record(image, &record, &fault) || record.message_count != saved->message_count)
		return false;
	for (size_t i = 0; i < saved->message_count; i++)
		if (record.messages[i].bytes != saved->messages[i].bytes ||
		    memcmp(record.messages[i].data, saved->messages[i].data, saved->messages[i].bytes))
			return false;
	return true;
}

/* As a restart does it. The world's state is that of the checkpoint afterwards. */
static inline bool world_comes_back(const struct store_checkpoint *found, struct fault *fault)
{
	bool good = true;

	world_set(found->number);
	for (uint32_t rank = 0; good && rank < WORLD_RANKS; rank++) {
		struct store_image *image;

		if (store_open_image(&image, found, rank, fault))
			return false;
		good = !store_open_parents(image, fault) && store_image_region_count(image) == world.parts[rank].region_count;
		for (size_t i = 0; good && i < world.parts[rank].region_count; i++)
			good = world_same_region(image, &world.parts[rank].regions[i]);
		good = good && world_same_messages(image, &world.parts[rank].record);
		store_close_image(image);
	}
	return good;
}

static inline bool world_is_proven(const struct store_checkpoint *found)
{
	struct verify_proof proof;

	return store_verify(found, NULL, NULL, &proof, NULL) == 0;
}

/* A session in short. Each step may fail, and says why in `fault`. */

static inline void world_pause(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
}

static inline void world_close(struct fixture *fixture)
{
	for (uint32_t rank = 0; rank < WORLD_RANKS; rank++)
		store_close(fixture->stores[rank]);
	memset(fixture, 0, sizeof *fixture);
}

static inline int world_open(struct fixture *fixture, const char *folder, struct fault *fault)
{
	int code = 0;

	memset(fixture, 0, sizeof *fixture);
	fixture->ranks = WORLD_RANKS;
	for (uint32_t rank = 0; !code && rank < WORLD_RANKS; rank++)
		code = store_open(&fixture->stores[rank], folder, rank, WORLD_RANKS, fault);
	for (uint32_t rank = 0; !code && rank < WORLD_RANKS; rank++)
		code = store_start_writer(fixture->stores[rank], NULL, NULL, fault);
	if (!code)
		code = store_begin_life(fixture->stores[0], 0, fixture->run, &fixture->life, &fixture->next, fault);
	if (code) {
		world_lock_kept = fixture->stores[0] && fixture->stores[0]->lock >= 0;
		world_close(fixture);
		return code;
	}
	for (uint32_t rank = 0; rank < WORLD_RANKS; rank++) {
		store_set_life(fixture->stores[rank], fixture->run, fixture->life);
		store_set_full_every(fixture->stores[rank], WORLD_FULL_EVERY);
		store_set_read_back(fixture->stores[rank], world_read_back);
	}
	if (world_each > 1)
		fixture_share(fixture->stores, WORLD_RANKS, world_each);
	return 0;
}

/* Goes on from a checkpoint: the next may refer to it. */
static inline int world_go_on_from(struct fixture *fixture, const struct store_checkpoint *found, struct fault *fault)
{
	int code = 0;

	for (uint32_t rank = 0; !code && rank < WORLD_RANKS; rank++) {
		struct store_image *image;

		code = store_open_image(&image, found, rank, fault);
		if (code)
			break;
		store_set_restored(fixture->stores[rank], found, image);
		store_close_image(image);
	}
	return code;
}

/* Set by a test: a session gives an image up that makes no progress. */
static bool (*world_is_impatient)(void);

static inline enum store_state world_wait_image(struct store *store, struct store_image_result *result)
{
	enum store_state state;

	while ((state = store_image_state(store, result)) == STORE_WORKING && !(world_is_impatient && world_is_impatient()))
		world_pause();
	return state;
}

/* One rank's image, whole. The ranks go one after the other, so that the order of their calls is always the same. */
static inline bool world_write(struct fixture *fixture, uint32_t rank, struct store_commit *commit, struct fault *fault)
{
	const struct fixture_part *part = &world.parts[rank];
	struct store_identity identity = fixture_identity(fixture, commit->identity.number, rank);
	struct store_image_result result;

	if (store_begin_image(fixture->stores[rank], &identity, part->regions, part->region_count, fault))
		return false;
	world_begun[rank] = true;
	if (store_finish_image(fixture->stores[rank], &part->record, fault))
		return false;
	if (world_wait_image(fixture->stores[rank], &result) != STORE_DURABLE) {
		*fault = result.fault;
		if (!fault->code)
			fault_set(fault, SEAMARK_E_IO, "no progress");
		return false;
	}
	commit->table_sum += mix64_pair(rank, result.table_hash);
	commit->bytes += result.bytes;
	commit->referred += result.referred;
	commit->parents |= result.parents;
	commit->messages += part->record.message_count;
	for (size_t i = 0; i < part->record.message_count; i++)
		commit->message_bytes += part->record.messages[i].bytes;
	return true;
}

/* Behind all that the writers' threads have been given. */
static inline void world_settle(struct fixture *fixture, const struct store_commit *commit, bool committed, bool distrusted)
{
	struct store_outcome outcome = { .number = commit->identity.number, .committed = committed,
		.distrusted = distrusted, .parents = commit->parents, .bytes = commit->bytes, .referred = commit->referred };

	for (uint32_t rank = 0; rank < WORLD_RANKS; rank++)
		store_settle(fixture->stores[rank], &outcome);
}

static inline void world_give_up(struct fixture *fixture, uint64_t number)
{
	struct store_image_result result;

	for (uint32_t rank = WORLD_RANKS; rank--;) {
		if (!world_begun[rank])
			continue;
		store_abandon_image(fixture->stores[rank]);
		while (store_image_state(fixture->stores[rank], &result) == STORE_WORKING || !result.regions_written)
			world_pause();
	}
	store_drop_attempt(fixture->stores[0], number);
}

/* The writer's thread does one thing after the other. */
static inline void world_wait_for_retention(struct fixture *fixture)
{
	struct store_identity identity = fixture_identity(fixture, 999999, 0);
	struct fault fault = FAULT_NONE;

	if (store_begin_image(fixture->stores[0], &identity, NULL, 0, &fault))
		fixture_stop("store_begin_image", &fault);
	store_abandon_image(fixture->stores[0]);
	while (store_image_state(fixture->stores[0], NULL) == STORE_WORKING)
		world_pause();
}

static inline bool world_has_manifest(const struct fixture *fixture, uint64_t number)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/%07" PRIu64 ".L%02u/manifest.json", store_folder(fixture->stores[0]), number, fixture->life);
	return !access(path, F_OK);
}

/* An attempt at a checkpoint; what fails makes it void. true: it was reported as committed. */
static inline bool world_take(struct fixture *fixture, uint64_t keep, struct fault *fault)
{
	struct store_commit commit = { .identity = fixture_identity(fixture, fixture->next++, 0), .requested_ns = INT64_C(1700000000123456789) };
	enum store_state state = STORE_FAILED;
	bool good = true, begun;

	*fault = FAULT_NONE;
	memset(world_begun, 0, sizeof world_begun);
	world_set(commit.identity.number);
	for (uint32_t rank = 0; good && rank < WORLD_RANKS; rank++)
		good = world_write(fixture, rank, &commit, fault);
	begun = good && !store_begin_commit(fixture->stores[0], &commit, keep, fault);
	if (begun)
		while ((state = store_commit_state(fixture->stores[0], fault)) == STORE_WORKING)
			world_pause();
	good = state == STORE_DURABLE;
	world_manifest_kept = begun && !good && world_has_manifest(fixture, commit.identity.number);
	if (!good)
		world_give_up(fixture, commit.identity.number);
	world_settle(fixture, &commit, good, begun && !good);
	return good;
}

#endif
