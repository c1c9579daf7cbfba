/* SPDX-License-Identifier: BSD-3-Clause */
/* make_world FOLDER RANKS COUNT: checkpoints of a world of many ranks on a torus, each of which has sent each of its four neighbours five messages; some of the last are in flight.
 * One rank after the other, so that there may be thousands. */
#include "test_store_fixture.h"

enum { SENT = 5, NEIGHBOURS = 4 };

struct own {
	struct store_region regions[2];
	struct store_stream streams[2 * NEIGHBOURS];
	struct store_message messages[NEIGHBOURS];
	struct store_comm comm;
	struct store_record record;
	char state[4096];
};

static bool is_in_flight(uint32_t from, uint32_t to)
{
	return mix64_pair(from, to) % 5 == 0;
}

static uint64_t bytes_of(uint32_t from, uint32_t to)
{
	return 8 + mix64_pair(to, from) % 4000;
}

static void fill(struct own *own, uint32_t rank, uint32_t ranks, uint32_t across)
{
	const uint32_t steps[NEIGHBOURS] = { 1, across, ranks - across, ranks - 1 };
	static char payload[8192];
	struct store_record *record = &own->record;

	memset(own, 0, sizeof *own);
	own->comm = (struct store_comm){ .name = "world", .key = 1, .size = ranks, .members = 5, .begun = 3 };
	*record = (struct store_record){ .comms = &own->comm, .comm_count = 1, .streams = own->streams, .messages = own->messages };
	for (size_t i = 0; i < NEIGHBOURS; i++) {
		uint32_t peer = (rank + steps[i]) % ranks;
		int64_t late = is_in_flight(peer, rank);

		own->streams[record->stream_count++] = (struct store_stream){ .peer = peer, .tag = 7, .outgoing = true, .sent = SENT };
		own->streams[record->stream_count++] = (struct store_stream){ .peer = peer, .tag = 7, .seen = SENT - late, .recorded = late, .highest = SENT - late };
		if (late) {
			own->messages[record->message_count] = (struct store_message){ .source = peer, .source_world = peer, .tag = 7, .turn = i,
				.position = SENT, .data = payload, .bytes = bytes_of(peer, rank) };
			record->message_count++;
		}
	}
	own->regions[0] = (struct store_region){ .name = "field", .data = own->state, .bytes = 1024 + mix64(rank) % 3000 };
}

static void take_rank(struct fixture *fixture, struct store *store, uint32_t rank, uint32_t across, struct store_commit *commit)
{
	struct store_identity identity = fixture_identity(fixture, commit->identity.number, rank);
	struct store_image_result result;
	struct fault fault = FAULT_NONE;
	static struct own own;

	fill(&own, rank, fixture->ranks, across);
	if (store_begin_image(store, &identity, own.regions, 1, &fault) || store_finish_image(store, &own.record, &fault))
		fixture_stop("image", &fault);
	if (fixture_image_state(store, &result) != STORE_DURABLE)
		fixture_stop("image", &result.fault);
	commit->table_sum += mix64_pair(rank, result.table_hash);
	commit->bytes += result.bytes;
	commit->messages += own.record.message_count;
	for (size_t i = 0; i < own.record.message_count; i++)
		commit->message_bytes += own.messages[i].bytes;
}

static void take(struct fixture *fixture, const char *folder, uint64_t number, uint32_t across)
{
	struct store_commit commit = { .identity = fixture_identity(fixture, number, 0), .held_s = 0.001 * (double)number,
		.requested_ns = INT64_C(1700000000000000000) + (int64_t)number * 60000000000 };
	struct fault fault = FAULT_NONE;

	take_rank(fixture, fixture->stores[0], 0, across, &commit);
	for (uint32_t rank = 1; rank < fixture->ranks; rank++) {
		struct store *store;

		if (store_open(&store, folder, rank, fixture->ranks, &fault))
			fixture_stop("store_open", &fault);
		store_set_life(store, fixture->run, fixture->life);
		if (store_start_writer(store, NULL, NULL, &fault))
			fixture_stop("store_start_writer", &fault);
		take_rank(fixture, store, rank, across, &commit);
		store_close(store);
	}
	if (store_begin_commit(fixture->stores[0], &commit, 0, &fault) || fixture_commit_state(fixture->stores[0], &fault) != STORE_DURABLE)
		fixture_stop("commit", &fault);
}

int main(int argc, char **argv)
{
	struct fixture fixture = { .ranks = argc > 2 ? (uint32_t)atoi(argv[2]) : 0 };
	int count = argc > 3 ? atoi(argv[3]) : 0;
	struct fault fault = FAULT_NONE;
	uint32_t across = 1;

	if (fixture.ranks < 16 || count < 1) {
		fputs("usage: make_world FOLDER RANKS COUNT\n", stderr);
		return 2;
	}
	while (across * across < fixture.ranks)
		across++;
	if (store_open(&fixture.stores[0], argv[1], 0, fixture.ranks, &fault) ||
	    store_begin_life(fixture.stores[0], 0, fixture.run, &fixture.life, &fixture.next, &fault) || store_start_writer(fixture.stores[0], NULL, NULL, &fault))
		fixture_stop(argv[1], &fault);
	for (int i = 0; i < count; i++)
		take(&fixture, argv[1], fixture.next++, across);
	store_close(fixture.stores[0]);
	return 0;
}
