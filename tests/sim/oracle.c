/* SPDX-License-Identifier: BSD-3-Clause */
/* The oracles: they know every message, and ask the protocol's counts for nothing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "sim/sim.h"

void merge(int32_t *clock, const int32_t *other)
{
	for (int i = 0; i < PEERS_MOST; i++)
		if (other[i] > clock[i])
			clock[i] = other[i];
}

/* A rank's own time; without vector clocks there is none. */
void tick(struct rank *rank)
{
	if (rank->world->clocked)
		rank->clock[rank->rank]++;
}

void spoke(struct rank *rank, char what, int comm, int peer, int tag, const struct payload *payload)
{
	const uint64_t said[] = {(uint64_t)what, (uint64_t)comm, (uint64_t)peer, (uint64_t)tag, (uint64_t)payload->a, (uint64_t)payload->b};
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		rank->spoken = mix64_pair(rank->spoken, said[i]);
}

void oracle_restored(struct rank *rank, struct message *message)
{
	message->untold_at = rank->untold_count;
	rank->untold = grown(rank->untold, rank->untold_count, &rank->untold_room, sizeof *rank->untold);
	rank->untold[rank->untold_count++] = message;
}

static void no_longer_untold(struct rank *rank, struct message *message)
{
	struct message *last = rank->untold[--rank->untold_count];
	last->untold_at = message->untold_at;
	rank->untold[message->untold_at] = last;
}

void oracle_sent(struct rank *rank, struct message *message)
{
	tick(rank);
	oracle_restored(rank->world->rank[message->target], message);
	memcpy(message->clock, rank->clock, sizeof message->clock);
	message->sent_after = rank->cut_epoch;
	message->index = ++*table_at(&rank->world->rank[message->target]->arrivals,
				     stream_number(rank->rank, message->comm, message->tag));
}

void oracle_told(struct rank *rank, struct message *message)
{
	if (message->state == MESSAGE_TOLD)
		fail(rank->world, "rank %d was told twice of message %" PRId64 " from rank %d", rank->rank, message->index,
		     message->source);
	no_longer_untold(rank, message);
	message->state = MESSAGE_TOLD;
	message->told_after = rank->cut_epoch;
	merge(rank->clock, message->clock);
	tick(rank);
	spoke(rank, 't', message->comm, message->source, message->tag, &message->payload);
	note(rank, "told", rank->cut_epoch, message, "sent after %" PRIu64, message->sent_after);
}

/* MPI's rule: of two messages of a source that match a receive, the one sent first. What a restart brought keeps its order within a stream. */
void oracle_got(struct rank *rank, const struct request *request, const struct message *message)
{
	struct world *world = rank->world;
	for (size_t i = 0; i < rank->untold_count; i++) {
		const struct message *other = rank->untold[i];
		if (other == message || other->source != message->source || other->comm != message->comm || other->order >= message->order ||
		    other->state == MESSAGE_MATCHED || other->state == MESSAGE_DELIVERED)
			continue;
		if (other->index <= 0 && message->index <= 0 && other->tag != message->tag)
			continue;
		if (request->tag == ANY || request->tag == other->tag)
			fail(world, "rank %d got message %" PRIu64 " from rank %d before %" PRIu64, rank->rank, message->order,
			     message->source, other->order);
	}
}

void oracle_position(struct rank *rank, const struct message *message, int64_t position, const char *when)
{
	int64_t offset = table_get(&rank->offset, stream_number(message->source, message->comm, message->tag));
	if (position + offset != message->index)
		fail(rank->world, "rank %d, %s: message %" PRId64 " from rank %d, tag %d, communicator %d has position %" PRId64
		     " beyond a base at %" PRId64, rank->rank, when, message->index, message->source, message->tag,
		     message->comm, position, offset);
}

void oracle_cut(struct rank *rank, const struct snapshot_attempt *attempt)
{
	struct cut *cut = &world_epoch(rank->world, attempt->epoch)->cuts[rank->rank];
	/* State captured and markers sent are one act, in this order. */
	if (!attempt->is_void && !(attempt->want & WANT_DRILL) && !cut->captured)
		fail(rank->world, "rank %d: cut %" PRIu64 " without a captured state", rank->rank, attempt->epoch);
	cut->step = attempt->cut_step;
	tick(rank);
	memcpy(cut->clock, rank->clock, sizeof cut->clock);
	memcpy(cut->begun, rank->begun, sizeof cut->begun);
	for (int i = 0; i < rank->world->comms; i++)
		cut->freed[i] = rank->comm_index[i] < 0 ||
				rank->ledger.comms[rank->comm_index[i]].state != LEDGER_COMM_LIVE;
	rank->cut_epoch = attempt->epoch;
	if (rank->world->windows++ != 0 && rank->world->window_epoch != attempt->epoch)
		fail(rank->world, "snapshots %" PRIu64 " and %" PRIu64 " are under way together", rank->world->window_epoch,
		     attempt->epoch);
	rank->world->window_epoch = attempt->epoch;
}

/* Only what is in flight may be taken from the MPI library: the rest may be its own, and nobody's business. */
void oracle_drained(struct rank *rank, const struct message *message)
{
	if (message->sent_after >= rank->cut_epoch)
		fail(rank->world, "rank %d drains message %" PRId64 " from rank %d, tag %d, which was sent after its sender's cut", rank->rank,
		     message->index, message->source, message->tag);
}

/* At most one snapshot is under way. */
void oracle_window_over(struct rank *rank)
{
	rank->world->windows--;
}

static bool sent_before(const struct message *message, uint64_t epoch)
{
	return message->sent_after < epoch;
}

static bool told_before(const struct message *message, uint64_t epoch)
{
	return message->state == MESSAGE_TOLD && message->told_after < epoch;
}

static void check_record(struct world *world, const struct cut *cut, int receiver, uint64_t epoch, size_t expected)
{
	for (size_t i = 0; i < cut->record_count; i++) {
		const struct message *message = cut->record[i];
		if (message->target != receiver || !sent_before(message, epoch) || told_before(message, epoch))
			fail(world, "snapshot %" PRIu64 ": rank %d recorded message %" PRId64 " from rank %d, tag %d, which was not"
			     " in flight", epoch, receiver, message->index, message->source, message->tag);
		for (size_t j = 0; j < i; j++) {
			const struct message *earlier = cut->record[j];
			if (earlier == message)
				fail(world, "snapshot %" PRIu64 ": rank %d recorded message %" PRId64 " from rank %d twice", epoch,
				     receiver, message->index, message->source);
			if (earlier->source == message->source && earlier->comm == message->comm &&
			    earlier->tag == message->tag && earlier->index > message->index)
				fail(world, "snapshot %" PRIu64 ": rank %d recorded message %" PRId64 " from rank %d before %" PRId64,
				     epoch, receiver, earlier->index, message->source, message->index);
		}
	}
	if (cut->record_count != expected)
		fail(world, "snapshot %" PRIu64 ": rank %d recorded %zu messages of %zu in flight", epoch, receiver,
		     cut->record_count, expected);
}

/* A snapshot was committed: it must be a consistent cut, with all that was in flight, exactly once. */
void oracle_commit(struct world *world, uint64_t number)
{
	struct epoch *epoch = world_epoch(world, number);
	size_t *flying = calloc((size_t)world->ranks, sizeof *flying), all = 0;
	int64_t step = -1;
	for (int i = 0; i < world->ranks; i++) {
		/* Step ranks all cut at one step; event ranks have none. */
		if (epoch->cuts[i].step >= 0 && step >= 0 && epoch->cuts[i].step != step)
			fail(world, "snapshot %" PRIu64 ": rank %d cut at step %" PRId64 ", others at %" PRId64, number, i, epoch->cuts[i].step,
			     step);
		step = epoch->cuts[i].step >= 0 ? epoch->cuts[i].step : step;
		if (!epoch->cuts[i].captured || !epoch->cuts[i].imaged)
			fail(world, "snapshot %" PRIu64 " was committed without rank %d", number, i);
		for (int j = 0; world->clocked && j < world->ranks; j++)
			if (epoch->cuts[j].clock[i] > epoch->cuts[i].clock[i])
				fail(world, "snapshot %" PRIu64 ": rank %d knows what rank %d did after its cut", number, j, i);
		if (memcmp(epoch->cuts[i].begun, epoch->cuts[0].begun, sizeof epoch->cuts[0].begun) != 0)
			fail(world, "snapshot %" PRIu64 ": ranks 0 and %d had not begun the same collectives", number, i);
	}
	for (size_t i = 0; i < world->message_count; i++) {
		const struct message *message = world->messages[i];
		if (message->comm >= COMMS_MOST)
			continue;
		bool sent = sent_before(message, number), told = told_before(message, number);
		if (told && !sent)
			fail(world, "snapshot %" PRIu64 ": message %" PRId64 " from rank %d to rank %d is an orphan", number,
			     message->index, message->source, message->target);
		/* What its receiver freed the communicator of is abandoned: nobody can ask for it. */
		flying[message->target] += sent && !told && !epoch->cuts[message->target].freed[message->comm];
	}
	for (int i = 0; i < world->ranks; i++) {
		check_record(world, &epoch->cuts[i], i, number, flying[i]);
		all += flying[i];
	}
	if (epoch->sum.messages != all)
		fail(world, "snapshot %" PRIu64 ": the verdict counts %" PRIu64 " messages in flight of %zu", number,
		     epoch->sum.messages, all);
	free(flying);
	statistics[world->program - programs].in_flight += all != 0;
}

/* Everything that was sent before its sender's cut and told after this rank's was recorded, once, and nothing else; the orphans are those that there are;
 * and the audit agrees. */
void oracle_drill(struct rank *rank)
{
	struct world *world = rank->world;
	struct epoch *epoch = world_epoch(world, rank->cut_epoch);
	struct cut *cut = &epoch->cuts[rank->rank];
	struct snapshot_incoming in;
	size_t flying = 0;
	int64_t orphans = 0;
	char text[200];
	for (size_t i = 0; i < world->message_count; i++) {
		const struct message *message = world->messages[i];
		if (message->comm >= COMMS_MOST || message->target != rank->rank)
			continue;
		bool sent = sent_before(message, rank->cut_epoch), told = told_before(message, rank->cut_epoch);
		bool freed = rank->comm_index[message->comm] < 0 ||
			     rank->ledger.comms[rank->comm_index[message->comm]].state != LEDGER_COMM_LIVE;
		orphans += told && !sent;
		bool kept = false;
		for (size_t j = 0; j < cut->record_count; j++)
			kept |= cut->record[j] == message;
		/* On a communicator that was freed, before or after the cut, it may be abandoned. */
		flying += kept || (sent && !told && !freed);
	}
	check_record(world, cut, rank->rank, rank->cut_epoch, flying);
	paths[PATH_DRILL_LATE] += flying;
	paths[PATH_ORPHAN] += (uint64_t)orphans;
	for (size_t cursor = 0; snapshot_next_incoming(rank->snapshot, &cursor, &in);) {
		struct audit_claim claim = {.key = in.key, .limit = in.limit, .seen = in.seen, .recorded = in.recorded,
					    .orphans = in.orphans, .abandoned = in.abandoned};
		if (!audit_stream(&rank->audit, &claim, text, sizeof text))
			fail(world, "drill %" PRIu64 ": rank %d, from rank %u with tag %u: %s", rank->cut_epoch, rank->rank,
			     ledger_key_peer(in.key), ledger_key_tag(in.key), text);
		orphans -= in.orphans;
	}
	if (orphans != 0)
		fail(world, "drill %" PRIu64 ": rank %d counts %" PRId64 " orphans too few", rank->cut_epoch, rank->rank, orphans);
}

static bool is_live(const struct rank *rank, int comm)
{
	return rank->comm_index[comm] >= 0 && rank->ledger.comms[rank->comm_index[comm]].state == LEDGER_COMM_LIVE;
}

/* Adds what a ledger says of its streams, by receiver and stream. */
static void add_ledger(struct table *sums, const struct rank *rank, bool incoming)
{
	const struct ledger_table *ledger = incoming ? &rank->ledger.seen : &rank->ledger.sent;
	for (size_t i = 0; i < (size_t)1 << (64 - ledger->shift); i++) {
		const struct ledger_stream *stream = &ledger->slots[i];
		int peer = (int)ledger_key_peer(stream->key), comm = rank->comm_of[ledger_key_comm(stream->key)];
		if (stream->key == 0 || rank->comm_index[comm] != (int)ledger_key_comm(stream->key))
			continue;
		peer = ledger_world_of(&rank->ledger, stream->key);
		int source = incoming ? peer : rank->rank, target = incoming ? rank->rank : peer;
		*table_at(sums, (uint64_t)target << 40 | stream_number(source, comm, (int)ledger_key_tag(stream->key))) +=
			incoming ? -stream->seen : stream->total;
	}
}

static void take_untold(struct table *sums, const struct rank *rank)
{
	uint64_t target = (uint64_t)rank->rank << 40;
	for (size_t i = 0; i < rank->untold_count; i++) {
		const struct message *message = rank->untold[i];
		--*table_at(sums, target | stream_number(message->source, message->comm, message->tag));
	}
	for (size_t i = 0; i < rank->sequence.aside_count; i++) {
		const struct taking *taking = &rank->sequence.aside[i];
		if (taking->told)
			--*table_at(sums, target | stream_number(ledger_world_of(&rank->ledger, taking->key),
								rank->comm_of[ledger_key_comm(taking->key)],
								(int)ledger_key_tag(taking->key)));
	}
}

/* When the last rank has moved its base: per stream, what was sent and not told is what the simulator knows to be under way. */
static void check_balance(struct world *world, uint64_t number)
{
	struct table sums = {0};
	size_t cursor = 0;
	uint64_t key;
	int64_t left;
	for (int i = 0; i < world->ranks; i++) {
		add_ledger(&sums, world->rank[i], false);
		add_ledger(&sums, world->rank[i], true);
		take_untold(&sums, world->rank[i]);
	}
	while (table_next(&sums, &cursor, &key, &left)) {
		uint64_t stream = key & ((UINT64_C(1) << 40) - 1);
		int target = (int)(key >> 40), tag = (int)(stream % TAGS_MOST), comm = (int)(stream / TAGS_MOST % COMMS_MOST),
		    source = (int)(stream / TAGS_MOST / COMMS_MOST);
		/* What is under way on a communicator that was freed may be abandoned. */
		if (left != 0 && is_live(world->rank[target], comm) && world->rank[source]->comm_index[comm] >= 0)
			fail(world, "after snapshot %" PRIu64 ": from rank %d to rank %d on communicator %d with tag %d: sent - seen is"
			     " more than what is under way by %" PRId64, number, source, target, comm, tag, left);
	}
	table_free(&sums);
}

/* The place of a freed communicator is given away again when the base has moved a few times, unless something is pending on it. */
static void check_tombstones(struct rank *rank)
{
	enum { PATIENCE = 8 };
	for (size_t i = 0; i < rank->ledger.comm_room && i < COMMS_MOST; i++) {
		bool freed = rank->ledger.comms[i].state == LEDGER_COMM_FREED;
		for (struct shadow *shadow = NULL; freed && (shadow = shadow_next(&rank->sequence.shadows, shadow));)
			freed = ledger_key_comm(shadow->key) != i;
		rank->tombstone[i] = freed ? rank->tombstone[i] + 1 : 0;
		if (rank->tombstone[i] > PATIENCE)
			fail(rank->world, "rank %d: communicator %zu was freed %d snapshots ago, and its counts stay", rank->rank, i, PATIENCE);
	}
}

/* The base of this rank has moved, or was left where it was, after the verdict. */
void oracle_rebased(struct rank *rank)
{
	struct world *world = rank->world;
	struct snapshot_attempt attempt;
	snapshot_attempt(rank->snapshot, &attempt);
	struct epoch *epoch = world_epoch(world, attempt.epoch);
	rank->rebased_epoch = attempt.epoch;
	check_tombstones(rank);
	if (++epoch->rebased == world->ranks)
		check_balance(world, attempt.epoch);
}
