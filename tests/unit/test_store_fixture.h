/* SPDX-License-Identifier: BSD-3-Clause */
/* Checkpoints for tests: several ranks in one process, each with a store of its own. */
#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mix.h"
#include "store/layout.h"
#include "store/store.h"

enum { FIXTURE_RANKS_MAX = 8 };

static inline void fixture_stop(const char *what, const struct fault *fault)
{
	fprintf(stderr, "fixture: %s: %s\n", what, fault ? fault->text : strerror(errno));
	exit(3);
}

static inline int fixture_unlink(const char *path, const struct stat *status, int flag, struct FTW *at)
{
	(void)status;
	(void)flag;
	(void)at;
	return remove(path);
}

static inline void fixture_remove(const char *folder)
{
	nftw(folder, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* A folder of its own below TMPDIR, without anything in it. */
static inline const char *fixture_folder(char room[256])
{
	const char *above = getenv("TMPDIR");

	snprintf(room, 256, "%s/seamark-test-XXXXXX", above && above[0] ? above : "/tmp");
	if (!mkdtemp(room))
		fixture_stop("mkdtemp", NULL);
	return room;
}

static inline void fixture_sleep_ms(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Waits until the image is in a state other than working; at most 20 s. */
static inline enum store_state fixture_image_state(struct store *store, struct store_image_result *result)
{
	enum store_state state = STORE_WORKING;

	for (int i = 0; i < 20000 && (state = store_image_state(store, result)) == STORE_WORKING; i++)
		fixture_sleep_ms(1);
	return state;
}

static inline enum store_state fixture_commit_state(struct store *store, struct fault *fault)
{
	enum store_state state = STORE_WORKING;

	for (int i = 0; i < 20000 && (state = store_commit_state(store, fault)) == STORE_WORKING; i++)
		fixture_sleep_ms(1);
	return state;
}

/* A world of ranks on one folder. */
struct fixture {
	struct store *stores[FIXTURE_RANKS_MAX];
	uint32_t ranks;
	uint8_t run[16];
	uint32_t life;
	uint64_t next;
	uint32_t full_every;   /* after fixture_chain */
	struct store_outcome last; /* as each rank was told it */
};

static inline void fixture_begin(struct fixture *fixture, const char *folder, uint32_t ranks)
{
	struct fault fault = FAULT_NONE;

	memset(fixture, 0, sizeof *fixture);
	fixture->ranks = ranks;
	for (uint32_t rank = 0; rank < ranks; rank++)
		if (store_open(&fixture->stores[rank], folder, rank, ranks, &fault))
			fixture_stop("store_open", &fault);
	if (store_begin_life(fixture->stores[0], 0, fixture->run, &fixture->life, &fixture->next, &fault))
		fixture_stop("store_begin_life", &fault);
	for (uint32_t rank = 0; rank < ranks; rank++) {
		store_set_life(fixture->stores[rank], fixture->run, fixture->life);
		if (store_start_writer(fixture->stores[rank], NULL, NULL, &fault))
			fixture_stop("store_start_writer", &fault);
	}
}

/* So many ranks to a file, as a session would have it: where that cannot be, each has its own. */
static inline bool fixture_share(struct store **stores, uint32_t ranks, uint32_t each)
{
	struct store_locator locators[STORE_LOCATORS_MAX];
	struct store_shared *shared[128] = { NULL };
	struct layout all = {0};
	bool good = ranks <= sizeof shared / sizeof shared[0];
	char name[STORE_SHARED_NAME] = "";
	uint32_t count;

	for (uint32_t rank = 0; good && rank < ranks; rank++) {
		struct layout_ranks file = layout_file((struct layout_ranks){ 0, ranks }, rank, each, false);
		struct layout own = layout_of(file, rank);

		layout_append(&all, &own);
		if (file.first == rank && file.count > 1)
			good = !store_shared_make(&shared[rank], file.count, name, NULL);
		else if (file.count > 1)
			good = !store_shared_join(&shared[rank], file.count, name, NULL);
	}
	count = layout_locators(&all, locators);
	for (uint32_t rank = 0; rank < ranks && rank < sizeof shared / sizeof shared[0]; rank++) {
		store_shared_forget_name(shared[rank]);
		if (good && count)
			store_set_files(stores[rank], locators, count, shared[rank]);
		else
			store_shared_close(shared[rank]);
	}
	return good && count;
}

/* Increments from now on, as a session would have them; from a checkpoint, if one was restored. */
static inline void fixture_chain(struct fixture *fixture, uint32_t full_every, const struct store_checkpoint *restored)
{
	struct fault fault = FAULT_NONE;

	fixture->full_every = full_every;
	for (uint32_t rank = 0; rank < fixture->ranks; rank++) {
		struct store_image *image;

		store_set_full_every(fixture->stores[rank], full_every);
		if (!restored)
			continue;
		if (store_open_image(&image, restored, rank, &fault))
			fixture_stop("restored", &fault);
		store_set_restored(fixture->stores[rank], restored, image);
		store_close_image(image);
	}
}

static inline void fixture_settle(struct fixture *fixture, const struct store_commit *commit, bool committed)
{
	fixture->last = (struct store_outcome){ .number = commit->identity.number, .committed = committed,
		.parents = commit->parents, .bytes = commit->bytes, .referred = commit->referred };
	for (uint32_t rank = 0; rank < fixture->ranks; rank++)
		store_settle(fixture->stores[rank], &fixture->last);
}

static inline void fixture_end(struct fixture *fixture)
{
	for (uint32_t rank = 0; rank < fixture->ranks; rank++)
		store_close(fixture->stores[rank]);
}

static inline struct store_identity fixture_identity(const struct fixture *fixture, uint64_t number, uint32_t rank)
{
	struct store_identity identity = {
		.life = fixture->life, .number = number, .nonce = mix64(number), .rank = rank, .ranks = fixture->ranks, .step = (int64_t)number * 10,
	};

	memcpy(identity.run, fixture->run, sizeof identity.run);
	return identity;
}

/* What a rank saved: how the checkpoints of the tests differ. */
struct fixture_part {
	struct store_region regions[64];
	size_t region_count;
	struct store_record record;
};

static inline void fixture_begin_part(struct fixture *fixture, uint64_t number, uint32_t rank, const struct fixture_part *part)
{
	struct store_identity identity = fixture_identity(fixture, number, rank);
	struct fault fault = FAULT_NONE;

	if (store_begin_image(fixture->stores[rank], &identity, part->regions, part->region_count, &fault))
		fixture_stop("store_begin_image", &fault);
}

static inline void fixture_finish_part(struct fixture *fixture, uint32_t rank, const struct fixture_part *part, struct store_commit *commit)
{
	struct store_image_result result;
	struct fault fault = FAULT_NONE;

	if (store_finish_image(fixture->stores[rank], &part->record, &fault))
		fixture_stop("store_finish_image", &fault);
	if (fixture_image_state(fixture->stores[rank], &result) != STORE_DURABLE)
		fixture_stop("image", &result.fault);
	commit->table_sum += mix64_pair(rank, result.table_hash);
	commit->bytes += result.bytes;
	commit->referred += result.referred;
	commit->parents |= result.parents;
	commit->messages += part->record.message_count;
	for (size_t i = 0; i < part->record.message_count; i++)
		commit->message_bytes += part->record.messages[i].bytes;
}

/* Takes and commits a whole checkpoint. */
static inline void fixture_take(struct fixture *fixture, uint64_t number, const struct fixture_part *parts, uint64_t keep)
{
	struct store_commit commit = {
		.identity = fixture_identity(fixture, number, 0), .held_s = 0.25, .requested_ns = INT64_C(1700000000123456789),
	};
	struct fault fault = FAULT_NONE;

	for (uint32_t rank = 0; rank < fixture->ranks; rank++)
		fixture_begin_part(fixture, number, rank, &parts[rank]);
	for (uint32_t rank = 0; rank < fixture->ranks; rank++)
		fixture_finish_part(fixture, rank, &parts[rank], &commit);
	if (store_begin_commit(fixture->stores[0], &commit, keep, &fault))
		fixture_stop("store_begin_commit", &fault);
	if (fixture_commit_state(fixture->stores[0], &fault) != STORE_DURABLE)
		fixture_stop("commit", &fault);
	if (fixture->full_every)
		fixture_settle(fixture, &commit, true);
}

/* A small world in which every count has a meaning: rank r sends each other rank 3 messages with tag 7 and one with tag 0; the receiver has seen
 * the first with tag 7 and records the other two, and has one from before the base. */
struct fixture_world {
	struct fixture_part parts[FIXTURE_RANKS_MAX];
	struct store_comm comms[FIXTURE_RANKS_MAX][2];
	struct store_stream streams[FIXTURE_RANKS_MAX][4 * FIXTURE_RANKS_MAX];
	struct store_message messages[FIXTURE_RANKS_MAX][4 * FIXTURE_RANKS_MAX];
	struct store_posted posted[FIXTURE_RANKS_MAX][2];
	char text[FIXTURE_RANKS_MAX][32];
	uint8_t field[FIXTURE_RANKS_MAX][64];
	struct shape_extent extents[FIXTURE_RANKS_MAX][2];
	uint64_t bytes[FIXTURE_RANKS_MAX];
};

static inline void fixture_fill(struct fixture_world *world, uint32_t ranks)
{
	memset(world, 0, sizeof *world);
	for (uint32_t rank = 0; rank < ranks; rank++) {
		struct fixture_part *part = &world->parts[rank];
		struct store_record *record = &part->record;
		size_t streams = 0, messages = 0;

		for (size_t i = 0; i < sizeof world->field[rank]; i++)
			world->field[rank][i] = (uint8_t)(rank * 100 + i);
		/* Blocks of 2 x 2 with a ghost at each side of the second dimension, one rank beside the other. */
		world->extents[rank][0] = (struct shape_extent){ .global = 2, .local = 2 };
		world->extents[rank][1] = (struct shape_extent){ .global = 2 * ranks, .first = 2 * rank, .local = 4, .before = 1, .after = 1 };
		snprintf(world->text[rank], sizeof world->text[rank], "from the past of %u", rank);
		part->regions[0] = (struct store_region){ .name = "field", .data = world->field[rank], .bytes = sizeof world->field[rank],
			.shape = { SEAMARK_FLOAT64, 2, world->extents[rank] } };
		part->regions[1] = (struct store_region){ .name = "empty" };
		part->regions[2] = (struct store_region){ .name = "text", .data = world->text[rank], .bytes = strlen(world->text[rank]) };
		part->region_count = 3;
		world->comms[rank][0] = (struct store_comm){ .name = "world", .key = 1, .size = ranks, .members = 5, .begun = 3 };
		world->comms[rank][1] = (struct store_comm){ .name = "world/0/1", .key = 2, .size = ranks, .members = 5, .begun = 12345678901 };
		for (uint32_t peer = 0; peer < ranks; peer++) {
			if (peer == rank)
				continue;
			world->streams[rank][streams++] = (struct store_stream){ .comm = 0, .peer = peer, .tag = 7, .outgoing = true, .sent = 3 };
			world->streams[rank][streams++] = (struct store_stream){ .comm = 1, .peer = peer, .tag = 0, .outgoing = true, .sent = 1,
				.synchronous = 1 };
			world->streams[rank][streams++] = (struct store_stream){ .comm = 0, .peer = peer, .tag = 7, .carried = 1, .seen = 1,
				.recorded = 3, .highest = 1 };
			world->streams[rank][streams++] = (struct store_stream){ .comm = 1, .peer = peer, .tag = 0, .seen = 1, .highest = 1 };
			for (int64_t position = 0; position <= 3; position++)
				if (position != 1) {
					world->messages[rank][messages] = (struct store_message){ .comm = 0, .source = peer, .source_world = peer,
						.tag = 7, .turn = messages * 2, .position = position, .data = world->text[peer], .bytes = 5 + (uint64_t)position };
					messages++;
				}
		}
		record->comms = world->comms[rank];
		record->comm_count = 2;
		record->streams = world->streams[rank];
		record->stream_count = streams;
		record->messages = world->messages[rank];
		record->message_count = messages;
		world->posted[rank][0] = (struct store_posted){ .comm = 1, .any_source = true, .tag = 5, .turn = 1 };
		world->posted[rank][1] = (struct store_posted){ .comm = 0, .any_tag = true, .source = ranks - 1, .source_world = ranks - 1, .turn = 99 };
		record->posted = world->posted[rank];
		record->posted_count = 2;
	}
}

#endif
