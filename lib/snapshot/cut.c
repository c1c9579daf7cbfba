/* SPDX-License-Identifier: BSD-3-Clause */
/* When this rank makes its cut, and the markers that say so. State saved and markers sent are one act. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "snapshot/own.h"

/* How long an event program may put its cut off for what is pending at its safepoints. */
#define PUT_OFF_NS INT64_C(2000000000)

/* --- orders --------------------------------------------------------------------------------------------------------- */

void cut_order(struct snapshot *snapshot, int64_t step, int64_t world, bool mixed)
{
	if (!snapshot->ordered)
		snapshot->ordered_ns = snapshot->now_ns;
	snapshot->ordered = true;
	if (world >= 0)
		snapshot->order_world = world;
	snapshot->order_mixed |= mixed;
	if (step >= 0 && (snapshot->order_step < 0 || step < snapshot->order_step))
		snapshot->order_step = step;
	if (snapshot->phase != SNAPSHOT_ALERT || snapshot->kind != SNAPSHOT_KIND_STEP || step < 0)
		return;
	/* An order between safepoints: the last one is over. In seamark_checkpoint it is not. */
	if (snapshot->here ? snapshot->last_step > snapshot->order_step : snapshot->last_step >= snapshot->order_step) {
		snapshot->overshoot = snapshot->last_step - snapshot->order_step + 1;
		snapshot_doom(snapshot, REASON_PASSED_STEP, "rank %" PRId32 " was at step %" PRId64 " when step %" PRId64
			      " was ordered", snapshot->config.rank, snapshot->last_step, snapshot->order_step);
	}
}

/* --- obstacles ------------------------------------------------------------------------------------------------------ */

/* Why a cut here, at an open safepoint, would be wrong although one is ordered; REASON_NONE: nothing. */
static enum reason pending(const struct snapshot *snapshot)
{
	if (snapshot->synchronous_pending != 0)
		return REASON_SYNCHRONOUS_PENDING;
	if (snapshot->collectives_pending != 0)
		return REASON_COLLECTIVE_PENDING;
	if (snapshot->threads_inside != 0)
		return REASON_THREADS;
	if (snapshot->epoch_open != NULL)
		return REASON_EPOCH;
	if (snapshot->epoch_unsettled > snapshot->ready_epochs)
		return REASON_UNSETTLED;
	return REASON_NONE;
}

static const char *detail_of(const struct snapshot *snapshot, enum reason obstacle)
{
	return obstacle == REASON_EPOCH ? snapshot->epoch_open
	     : obstacle == REASON_UNSETTLED ? "no barrier on all ranks of a window since it was locked" : "";
}

static uint64_t world_begun(const struct snapshot *snapshot)
{
	return snapshot->config.ledger->comms[snapshot->config.world].begun;
}

/* Whether a sender that has cut had begun more collectives than this rank. */
static bool is_behind(const struct snapshot *snapshot)
{
	const struct ledger *ledger = snapshot->config.ledger;
	for (size_t i = 0; i < ledger->comm_room; i++)
		if (ledger->comms[i].state == LEDGER_COMM_LIVE && ledger->comms[i].ahead > ledger->comms[i].begun)
			return true;
	return false;
}

/* Whether a message from after the base was told: then its sender has traffic since the base, and its marker will come. Receives that are only posted,
 * and what was carried over the base, say nothing of that. */
static bool had_inbound(const struct snapshot *snapshot)
{
	const struct ledger_table *table = &snapshot->config.ledger->seen;
	for (size_t i = 0; i < (size_t)1 << (64 - table->shift); i++) {
		const struct ledger_stream *seen = &table->slots[i];
		if (seen->key != 0 && (seen->seen > 0 || seen->high > 0))
			return true;
	}
	return false;
}

void cut_note_safepoint(struct snapshot *snapshot)
{
	if (world_begun(snapshot) == snapshot->world_here)
		return;
	snapshot->world_before = snapshot->world_here;
	snapshot->world_here = world_begun(snapshot);
}

static enum reason event_obstacle(struct snapshot *snapshot)
{
	/* Between two safepoints there may be several collectives: the one for a count is the first with so many or more. One that has come to a higher count in this
	 * way says so in its marker, and the others follow. */
	if (snapshot->order_world >= 0) {
		uint64_t ahead = snapshot->config.ledger->comms[snapshot->config.world].ahead;
		uint64_t ordered = ahead > (uint64_t)snapshot->order_world ? ahead : (uint64_t)snapshot->order_world;
		if (world_begun(snapshot) > ordered && snapshot->world_before >= ordered) {
			snapshot_doom(snapshot, REASON_PASSED_COUNT, "rank %" PRId32 " had begun %" PRIu64
				      " collectives on MPI_COMM_WORLD when a cut at %" PRIu64 " was ordered",
				      snapshot->config.rank, world_begun(snapshot), ordered);
			return REASON_NONE;
		}
		if (world_begun(snapshot) < ordered)
			return REASON_BEHIND;
	}
	if (is_behind(snapshot))
		return REASON_BEHIND;
	return pending(snapshot);
}

/* --- the decision --------------------------------------------------------------------------------------------------- */

static void cut(struct snapshot *snapshot)
{
	snapshot->phase = SNAPSHOT_CUTTING;
	snapshot->attempt.cut_ns = snapshot->now_ns;
	snapshot->attempt.cut_step = snapshot->here ? snapshot->here_step : snapshot->last_step;
	if (snapshot->kind != SNAPSHOT_KIND_STEP || snapshot_is_drill(snapshot))
		snapshot->attempt.cut_step = -1;
	if (snapshot->attempt.is_void || snapshot_is_drill(snapshot))
		cut_finish(snapshot); /* a void cut: no capture, markers and counts as usual */
	else
		snapshot_act(snapshot, SNAPSHOT_CAPTURE);
}

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void consider_event(struct snapshot *snapshot)
{
	if (!snapshot->open) {
		if (snapshot->finalizing)
			snapshot_doom(snapshot, REASON_FINALIZING, "rank %" PRId32 " is in MPI_Finalize past its last safepoint",
				      snapshot->config.rank);
		return;
	}
	/* Beside step ranks a cut on the mere order would come too early: those cut when their step comes. */
	if (snapshot->order_mixed && !snapshot->head_seen && had_inbound(snapshot))
		return;
	enum reason obstacle = event_obstacle(snapshot);
	if (snapshot->attempt.is_void)
		return;
	if (obstacle != REASON_NONE && snapshot->obstructed_ns == 0)
		snapshot->obstructed_ns = snapshot->now_ns;
	int64_t waited = snapshot->now_ns - snapshot->obstructed_ns;
	int64_t put_off_ns = PUT_OFF_NS < snapshot->config.timeout_ns ? PUT_OFF_NS : snapshot->config.timeout_ns;
	if (obstacle == REASON_NONE)
		cut(snapshot);
	else if (waited > put_off_ns)
		snapshot_doom(snapshot, obstacle, "rank %" PRId32 ", for %.1f s of safepoints%s%s", snapshot->config.rank,
			      (double)waited / 1e9, *detail_of(snapshot, obstacle) ? ": " : "", detail_of(snapshot, obstacle));
}

static void consider_step(struct snapshot *snapshot)
{
	/* In seamark_checkpoint every rank will cut at its step, unless that cut is made and only its outcome has still to be noticed. */
	bool meets = snapshot->here && !snapshot->here_done;
	if (!meets && snapshot->order_step >= 0 && snapshot->last_step < snapshot->order_step)
		return;
	enum reason obstacle = pending(snapshot);
	if (obstacle != REASON_NONE)
		snapshot_doom(snapshot, obstacle, "rank %" PRId32 " at step %" PRId64 "%s%s", snapshot->config.rank,
			      snapshot->last_step, *detail_of(snapshot, obstacle) ? ": " : "", detail_of(snapshot, obstacle));
	else
		cut(snapshot);
}

/* In a drill any call will do, and the drawn one is it; also in MPI_Finalize. */
static void consider_drill(struct snapshot *snapshot)
{
	if (snapshot->attempt.is_void)
		cut(snapshot);
	else if (snapshot->ordered && snapshot->moment && snapshot->drill_delay-- == 0)
		cut(snapshot);
}

void cut_consider(struct snapshot *snapshot, bool at_safepoint)
{
	if (snapshot->phase != SNAPSHOT_ALERT)
		return;
	if (snapshot_is_drill(snapshot)) {
		consider_drill(snapshot);
		return;
	}
	if (!snapshot->attempt.is_void && snapshot->ordered) {
		if (snapshot->kind == SNAPSHOT_KIND_STEP) {
			if (at_safepoint || snapshot->here)
				consider_step(snapshot);
			else if (snapshot->finalizing)
				snapshot_doom(snapshot, REASON_FINALIZING, "rank %" PRId32
					      " ended after step %" PRId64 " when a cut at step %" PRId64 " was ordered",
					      snapshot->config.rank, snapshot->last_step, snapshot->order_step);
		} else if (snapshot->kind == SNAPSHOT_KIND_EVENT || snapshot->finalizing) {
			consider_event(snapshot);
		}
	}
	if (snapshot->phase != SNAPSHOT_ALERT)
		return;
	/* A rank that has not come to its first safepoint cannot even say when it could cut. */
	bool awaited = snapshot->ordered || snapshot->kind == SNAPSHOT_KIND_NONE;
	int64_t since_ns = snapshot->ordered ? snapshot->ordered_ns : snapshot->attempt.announced_ns;
	int64_t without_ns = snapshot->now_ns - later_of(since_ns, snapshot->last_safepoint_ns);
	if (awaited && !snapshot->attempt.is_void && without_ns > snapshot_time_allowed(snapshot))
		snapshot_doom(snapshot, REASON_NO_SAFEPOINT, "rank %" PRId32 " came to none for %.1f s", snapshot->config.rank,
			      (double)without_ns / 1e9);
	if (snapshot->attempt.is_void)
		cut(snapshot);
}

/* --- markers -------------------------------------------------------------------------------------------------------- */

/* Something a marker tells one rank: a stream, or a communicator's count of collectives. */
struct entry {
	int32_t to;
	int32_t comm;          /* of a count; -1 for a stream */
	const struct ledger_stream *stream;
};

static int by_rank(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return x->to != y->to ? (x->to > y->to) - (x->to < y->to) : (x->comm > y->comm) - (x->comm < y->comm);
}

struct entries {
	struct entry *list;
	size_t count;
	size_t room;
	bool failed;
};

static void add_entry(struct entries *entries, struct entry entry)
{
	struct entry *list = list_with_room(entries->list, entries->count, &entries->room, sizeof *list);
	if (!list) {
		entries->failed = true;
		return;
	}
	entries->list = list;
	entries->list[entries->count++] = entry;
}

static void sort_entries(struct entries *entries)
{
	if (entries->count != 0)
		qsort(entries->list, entries->count, sizeof *entries->list, by_rank);
}

/* Where the entries of a rank, or of those above it, begin among the first `count` of a sorted list. */
static size_t begin_of(const struct entries *entries, size_t count, int32_t to)
{
	size_t low = 0;
	while (low < count) {
		size_t middle = low + (count - low) / 2;
		if (entries->list[middle].to < to)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

/* The count of a communicator's collectives, for those of its members that get a marker: in large worlds they are few. */
static void add_counts(const struct snapshot *snapshot, struct entries *entries, size_t streams, int32_t index)
{
	const struct ledger_comm *comm = &snapshot->config.ledger->comms[index];
	if (!comm->world && !snapshot->config.markers_all) {
		for (size_t i = 0; i < streams; i++)
			if (i == 0 || entries->list[i].to != entries->list[i - 1].to)
				add_entry(entries, (struct entry){entries->list[i].to, index, NULL});
		return;
	}
	for (int32_t peer = 0; peer < comm->peers; peer++) {
		int32_t to = comm->world ? comm->world[peer] : peer;
		size_t at = snapshot->config.markers_all ? 0 : begin_of(entries, streams, to);
		if (snapshot->config.markers_all || (at < streams && entries->list[at].to == to))
			add_entry(entries, (struct entry){to, index, NULL});
	}
}

static struct entries list_entries(struct snapshot *snapshot)
{
	const struct ledger *ledger = snapshot->config.ledger;
	struct entries entries = {0};
	for (size_t i = 0; i < (size_t)1 << (64 - snapshot->sent.shift); i++) {
		const struct ledger_stream *stream = &snapshot->sent.slots[i];
		if (stream->key != 0)
			add_entry(&entries, (struct entry){ledger_world_of(ledger, stream->key), -1, stream});
	}
	sort_entries(&entries);
	size_t streams = entries.count;
	/* Collectives are compared by event programs only: those of step programs agree by their steps, or the sum says so. */
	for (size_t i = 0; snapshot->kind == SNAPSHOT_KIND_EVENT && !snapshot_is_drill(snapshot) && i < ledger->comm_room; i++) {
		const struct ledger_comm *comm = &ledger->comms[i];
		if (comm->state == LEDGER_COMM_LIVE && comm->kind == LEDGER_COMM_INTRA && comm->begun != 0)
			add_counts(snapshot, &entries, streams, (int32_t)i);
	}
	if (entries.count != streams)
		sort_entries(&entries);
	return entries;
}

static void put_counts(struct snapshot *snapshot, struct bytes_out *out, const struct entry *first, size_t count)
{
	const struct ledger *ledger = snapshot->config.ledger;
	size_t streams = 0;
	while (streams < count && first[streams].comm < 0)
		streams++;
	bytes_put_varint(out, snapshot->attempt.epoch);
	bytes_put_varint(out, streams);
	for (size_t i = 0; i < streams; i++) {
		const struct ledger_stream *stream = first[i].stream;
		const struct ledger_comm *comm = &ledger->comms[ledger_key_comm(stream->key)];
		wire_put_stream(out, &(struct wire_stream){
			.comm = comm->name, .peer = (uint32_t)comm->own, .tag = ledger_key_tag(stream->key),
			.sent = stream->total, .synchronous = stream->high, .had_synchronous = stream->seen != 0,
		});
	}
	bytes_put_varint(out, count - streams);
	for (size_t i = streams; i < count; i++)
		wire_put_begun(out, &(struct wire_begun){
			.comm = ledger->comms[first[i].comm].name, .begun = ledger->comms[first[i].comm].begun});
}

static void send_marker(struct snapshot *snapshot, int32_t to, const struct entry *first, size_t count)
{
	struct bytes_out head = {0}, counts = {0};
	bool stepped = snapshot->kind == SNAPSHOT_KIND_STEP && !snapshot_is_drill(snapshot);
	wire_put_head(&head, &(struct wire_head){
		.epoch = snapshot->attempt.epoch, .number = snapshot->attempt.number, .nonce = snapshot->attempt.nonce,
		.want = snapshot->attempt.want, .is_void = snapshot->attempt.is_void, .stepped = stepped,
		.step = snapshot->attempt.cut_step, .world = world_begun(snapshot),
	});
	put_counts(snapshot, &counts, first, count);
	struct snapshot_action *action = snapshot_act(snapshot, SNAPSHOT_SEND_MARKER);
	action->peer = to;
	action->data = head;
	action->counts = counts;
	if (head.failed || counts.failed)
		snapshot->out->failed = true;
}

/* Sends one rank its marker, and gives the number of entries in it. */
static size_t send_entries(struct snapshot *snapshot, const struct entries *entries, int32_t to)
{
	size_t first = begin_of(entries, entries->count, to), at = first;
	while (at < entries->count && entries->list[at].to == to)
		at++;
	send_marker(snapshot, to, entries->list + first, at - first);
	return at - first;
}

static void send_markers(struct snapshot *snapshot)
{
	struct entries entries = list_entries(snapshot);
	if (entries.failed)
		snapshot->out->failed = true;
	/* From the next rank on, and around: if all began with rank 0, it would have all markers at once, and then rank 1. */
	int32_t own = snapshot->config.rank;
	if (snapshot->config.markers_all) {
		for (int32_t to = own + 1; to < snapshot->config.ranks; to++)
			send_entries(snapshot, &entries, to);
		for (int32_t to = 0; to < own; to++)
			send_entries(snapshot, &entries, to);
	} else {
		size_t beyond = begin_of(&entries, entries.count, own + 1);
		for (size_t at = beyond; at < entries.count;)
			at += send_entries(snapshot, &entries, entries.list[at].to);
		for (size_t at = 0; at < beyond && entries.list[at].to != own;)
			at += send_entries(snapshot, &entries, entries.list[at].to);
	}
	free(entries.list);
}

/* Outgoing totals as they are at the cut: what the markers say, and later by how much the base moves. */
static bool note_sent(struct snapshot *snapshot)
{
	const struct ledger_table *sent = &snapshot->config.ledger->sent;
	size_t room = (size_t)1 << (64 - sent->shift);
	struct ledger_stream *slots = malloc(room * sizeof *slots);
	if (!slots)
		return false;
	memcpy(slots, sent->slots, room * sizeof *slots);
	free(snapshot->sent.slots);
	snapshot->sent = *sent;
	snapshot->sent.slots = slots;
	return true;
}

void cut_finish(struct snapshot *snapshot)
{
	/* Without memory for the counts no marker can be right, and none can be left out: the last resort is to mark them all void. */
	if (!note_sent(snapshot)) {
		snapshot_doom(snapshot, REASON_COUNTS, "rank %" PRId32 " has no memory for its counts", snapshot->config.rank);
		snapshot->out->failed = true;
		return;
	}
	snapshot->world_at_cut = world_begun(snapshot);
	snapshot->here_done |= snapshot->here && (snapshot->attempt.want & WANT_COLLECTIVE);
	snapshot->phase = SNAPSHOT_WINDOW;
	if (ledger_is_broken(snapshot->config.ledger) && !snapshot->attempt.is_void)
		snapshot_doom(snapshot, REASON_COUNTS, "rank %" PRId32 " ran out of keys or memory for its streams",
			      snapshot->config.rank);
	places_cut(snapshot);
	snapshot->share.step = snapshot->attempt.cut_step;
	if (snapshot->attempt.cut_step >= 0)
		snapshot->share.step_least = -snapshot->attempt.cut_step;
	snapshot->share.collectives = ledger_collective_sum(snapshot->config.ledger);
	snapshot->share.world_most = (int64_t)snapshot->world_at_cut;
	snapshot->share.world_least = -(int64_t)snapshot->world_at_cut;
	snapshot_act(snapshot, SNAPSHOT_CUT);
	send_markers(snapshot);
	places_own_marker(snapshot);
}
