/* SPDX-License-Identifier: BSD-3-Clause */
/* The oracles: they know every message, and ask the protocol's counts for nothing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

void merge(int32_t *clock, const int32_t *other)
{
	for (int i = 0; i < RANKS_MOST; i++)
		if (other[i] > clock[i])
			clock[i] = other[i];
}

void oracle_sent(struct rank *rank, struct message *message)
{
	rank->clock[rank->rank]++;
	memcpy(message->clock, rank->clock, sizeof message->clock);
	message->sent_after = rank->cut_epoch;
	message->index = ++rank->world->rank[message->target]->arrivals[stream_number(rank->rank, message->comm, message->tag)];
}

void oracle_told(struct rank *rank, struct message *message)
{
	if (message->state == MESSAGE_TOLD)
		fail(rank->world, "rank %d was told twice of message %" PRId64 " from rank %d", rank->rank, message->index,
		     message->source);
	message->state = MESSAGE_TOLD;
	message->told_after = rank->cut_epoch;
	merge(rank->clock, message->clock);
	rank->clock[rank->rank]++;
}

/* MPI's rule: of two messages of a source that match a receive, the one sent first. What a restart brought keeps its order within a stream. */
void oracle_got(struct rank *rank, const struct request *request, const struct message *message)
{
	struct world *world = rank->world;
	for (size_t i = 0; i < world->message_count; i++) {
		const struct message *other = world->messages[i];
		if (other->state == MESSAGE_TOLD || other == message || other->source != message->source ||
		    other->target != message->target || other->comm != message->comm || other->order >= message->order ||
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
	int64_t offset = rank->offset[stream_number(message->source, message->comm, message->tag)];
	if (position + offset != message->index)
		fail(rank->world, "rank %d, %s: message %" PRId64 " from rank %d, tag %d, communicator %d has position %" PRId64
		     " beyond a base at %" PRId64, rank->rank, when, message->index, message->source, message->tag,
		     message->comm, position, offset);
}

void oracle_cut(struct rank *rank, uint64_t epoch)
{
	struct cut *cut = &world_epoch(rank->world, epoch)->cuts[rank->rank];
	rank->clock[rank->rank]++;
	memcpy(cut->clock, rank->clock, sizeof cut->clock);
	memcpy(cut->begun, rank->begun, sizeof cut->begun);
	for (int i = 0; i < rank->world->comms; i++)
		cut->freed[i] = rank->comm_index[i] < 0 ||
				rank->ledger.comms[rank->comm_index[i]].state != LEDGER_COMM_LIVE;
	rank->cut_epoch = epoch;
	oracle_windows(rank->world);
}

/* At most one snapshot is under way. */
void oracle_windows(struct world *world)
{
	uint64_t epoch = 0;
	for (int i = 0; i < world->ranks; i++) {
		struct snapshot_attempt attempt;
		if (snapshot_phase(world->rank[i]->snapshot) != SNAPSHOT_WINDOW)
			continue;
		snapshot_attempt(world->rank[i]->snapshot, &attempt);
		if (epoch != 0 && epoch != attempt.epoch)
			fail(world, "snapshots %" PRIu64 " and %" PRIu64 " are under way together", epoch, attempt.epoch);
		epoch = attempt.epoch;
	}
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
	size_t flying[RANKS_MOST] = {0}, all = 0;
	for (int i = 0; i < world->ranks; i++) {
		if (!epoch->cuts[i].captured || !epoch->cuts[i].imaged)
			fail(world, "snapshot %" PRIu64 " was committed without rank %d", number, i);
		for (int j = 0; j < world->ranks; j++)
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

/* When the last rank has moved its base: per stream, what was sent and not told is what the simulator knows to be under way. */
static void check_balance(struct world *world, uint64_t number)
{
	for (int i = 0; i < world->ranks; i++) {
		struct rank *rank = world->rank[i];
		int64_t *untold = calloc(STREAMS_MOST, sizeof *untold);
		for (size_t j = 0; j < world->message_count; j++) {
			const struct message *message = world->messages[j];
			if (message->comm < COMMS_MOST && message->target == i && message->state != MESSAGE_TOLD)
				untold[stream_number(message->source, message->comm, message->tag)]++;
		}
		for (size_t j = 0; j < rank->sequence.aside_count; j++) {
			const struct taking *taking = &rank->sequence.aside[j];
			if (taking->told)
				untold[stream_number((int)ledger_key_peer(taking->key), rank->comm_of[ledger_key_comm(taking->key)],
						     (int)ledger_key_tag(taking->key))]++;
		}
		for (int source = 0; source < world->ranks; source++)
			for (int comm = 0; comm < world->comms; comm++)
				for (int tag = 0; tag < TAGS_MOST; tag++) {
					struct rank *sender = world->rank[source];
					if (rank->comm_index[comm] < 0 || sender->comm_index[comm] < 0 ||
					    rank->ledger.comms[rank->comm_index[comm]].state == LEDGER_COMM_FREED)
						continue; /* what is under way on it may be abandoned */
					const struct ledger_stream *sent = ledger_find(&sender->ledger.sent,
						ledger_key((unsigned)sender->comm_index[comm], (unsigned)i, (unsigned)tag));
					const struct ledger_stream *seen = ledger_find(&rank->ledger.seen,
						ledger_key((unsigned)rank->comm_index[comm], (unsigned)source, (unsigned)tag));
					int64_t difference = (sent ? sent->total : 0) - (seen ? seen->seen : 0);
					if (difference != untold[stream_number(source, comm, tag)])
						fail(world, "after snapshot %" PRIu64 ": from rank %d to rank %d on communicator %d with"
						     " tag %d: sent - seen is %" PRId64 ", under way are %" PRId64, number, source, i,
						     comm, tag, difference, untold[stream_number(source, comm, tag)]);
				}
		free(untold);
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
	if (++epoch->rebased == world->ranks)
		check_balance(world, attempt.epoch);
}
