/* SPDX-License-Identifier: BSD-3-Clause */
/* make_checkpoints FOLDER RANKS COUNT [KIND]: checkpoints to try the command on, without MPI. Kinds of the last one's ledger: whole; lost (a message
 * neither received nor recorded); orphan (one received that was sent after the cut); twice (one recorded twice); received (one recorded that had
 * been received); abandoned; strange (names that are no text); chain (increments, of which all but the newest two are retired). */
#include "test_store_fixture.h"

static struct store_stream *incoming(struct fixture_world *world, uint32_t rank)
{
	struct store_stream *stream = world->streams[rank];

	while (stream->outgoing || stream->tag != 7)
		stream++;
	return stream;
}

static void spoil(struct fixture_world *world, const char *kind)
{
	struct store_stream *stream = incoming(world, 0);
	struct store_message *messages = world->messages[0];

	if (!strcmp(kind, "lost"))
		world->parts[0].record.message_count--;
	if (!strcmp(kind, "lost"))
		stream->recorded--;
	else if (!strcmp(kind, "orphan"))
		world->streams[1][1].sent = 0, world->streams[1][1].synchronous = 0;
	else if (!strcmp(kind, "twice"))
		messages[1].position = messages[2].position;
	else if (!strcmp(kind, "received"))
		messages[1].position = stream->highest;
	else if (!strcmp(kind, "abandoned"))
		stream->abandoned = true, stream->seen = 0;
	else if (!strcmp(kind, "strange"))
		world->parts[0].regions[0].name = "fie\x1b[31mld\xff", strcpy(world->comms[0][1].name, "wor\nld"), strcpy(world->comms[1][1].name, "wor\nld");
}

int main(int argc, char **argv)
{
	static struct fixture_world world;
	struct fixture fixture;
	uint32_t ranks = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	int count = argc > 3 ? atoi(argv[3]) : 0;
	bool chain;

	if (ranks < 2 || ranks > FIXTURE_RANKS_MAX || count < 1) {
		fputs("usage: make_checkpoints FOLDER RANKS COUNT [KIND]\n", stderr);
		return 2;
	}
	chain = argc > 4 && !strcmp(argv[4], "chain");
	fixture_begin(&fixture, argv[1], ranks);
	if (chain)
		fixture_chain(&fixture, 8, NULL);
	for (int i = 0; i < count; i++) {
		fixture_fill(&world, ranks);
		if (i == count - 1)
			spoil(&world, argc > 4 ? argv[4] : "whole");
		if (chain)
			world.text[1][0] = (char)('A' + i);
		fixture_take(&fixture, fixture.next++, world.parts, chain ? 2 : 0);
	}
	fixture_end(&fixture);
	return 0;
}
