/* SPDX-License-Identifier: BSD-3-Clause */
/* The place of each message in the cut: markers come in, messages are told, found and drained; what is late is recorded, an orphan is
 * noticed, and a channel is closed when its marker is here and all late messages of it are recorded. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/text.h"
#include "snapshot/own.h"

static int32_t sender_of(const struct snapshot *snapshot, uint64_t key)
{
	return ledger_world_of(snapshot->config.ledger, key);
}

static bool has_cut(const struct snapshot *snapshot)
{
	return snapshot->phase == SNAPSHOT_WINDOW || snapshot->phase == SNAPSHOT_VERDICT_PHASE;
}

static void doom_memory(struct snapshot *snapshot)
{
	snapshot_doom(snapshot, REASON_COUNTS, "rank %" PRId32 " has no memory for its window", snapshot->config.rank);
}

/* The channel from a rank. After the barrier all markers are here, and the absence of one says zero. Null: no memory, and the snapshot is doomed. */
static struct channel *channel_from(struct snapshot *snapshot, int32_t from)
{
	size_t known = snapshot->channels.count;
	struct channel *channel = channels_at(&snapshot->channels, from);
	if (!channel)
		doom_memory(snapshot);
	else if (snapshot->channels.count != known && snapshot->attempt.barrier_done)
		channel->marker = MARKER_COUNTS;
	return channel;
}

/* This stream's entry, chained to its channel. Null: no memory, and the snapshot is doomed. */
static struct window_stream *entry_of(struct snapshot *snapshot, uint64_t key)
{
	bool made;
	struct channel *channel = channel_from(snapshot, sender_of(snapshot, key));
	if (!channel)
		return NULL;
	struct window_stream *stream = window_stream(&snapshot->window, key, &made);
	if (!stream) {
		doom_memory(snapshot);
		return NULL;
	}
	if (made) {
		stream->next = channel->first;
		channel->first = stream - snapshot->window.streams;
		stream->abandoned = snapshot->config.ledger->comms[ledger_key_comm(key)].freed_early;
	}
	return stream;
}

/* After a change of a stream whose debt was `owed`: keeps the number of streams in debt. */
static void recount(struct snapshot *snapshot, const struct window_stream *stream, int64_t owed)
{
	if (!has_cut(snapshot))
		return;
	if (owed <= 0 && window_owed(stream) > 0)
		snapshot->window.open++;
	else if (owed > 0 && window_owed(stream) <= 0)
		snapshot->window.open--;
}

static void doom_orphan(struct snapshot *snapshot, uint64_t key, int64_t position, int64_t limit)
{
	snapshot_doom(snapshot, REASON_ORPHAN, "rank %" PRId32 " had received message %" PRId64
		      " from rank %" PRId32 " with tag %u, which had sent %" PRId64 " at its cut",
		      snapshot->config.rank, position, sender_of(snapshot, key), ledger_key_tag(key), limit);
}

/* After the cut, of a stream whose marker is here: an orphan is the end of a snapshot. In a drill they are counted, and leave the debt as it is. */
static void look_for_orphans(struct snapshot *snapshot, struct window_stream *stream)
{
	if (stream->highest <= stream->limit || stream->highest <= 0)
		return;
	if (!snapshot_is_drill(snapshot)) {
		doom_orphan(snapshot, stream->key, stream->highest, stream->limit);
		return;
	}
	int64_t owed = window_owed(stream);
	stream->orphans = snapshot->config.told_beyond(snapshot->config.context, stream->key, stream->limit);
	recount(snapshot, stream, owed);
}

/* --- the decision about one message ----------------------------------------------------------------------------------- */

static void keep_or_drop(struct snapshot *snapshot, uint64_t token, bool keep)
{
	if (token != 0 && !snapshot->image_abandoned)
		snapshot_act(snapshot, keep ? SNAPSHOT_KEEP : SNAPSHOT_DROP)->token = token;
}

static void record(struct snapshot *snapshot, struct window_stream *stream, const struct snapshot_taking *taking)
{
	int64_t owed = window_owed(stream);
	stream->recorded++;
	recount(snapshot, stream, owed);
	const struct ledger_comm *comm = &snapshot->config.ledger->comms[ledger_key_comm(taking->key)];
	if (comm->nameless)
		snapshot_doom(snapshot, REASON_NAMELESS, "rank %" PRId32 ", from rank %" PRId32 " with tag %u",
			      snapshot->config.rank, sender_of(snapshot, taking->key), ledger_key_tag(taking->key));
	if (stream->had_synchronous && taking->posted_after && taking->position <= stream->synchronous)
		snapshot_doom(snapshot, REASON_SYNCHRONOUS_NEWS, "rank %" PRId32 ", from rank %" PRId32 " with tag %u",
			      snapshot->config.rank, sender_of(snapshot, taking->key), ledger_key_tag(taking->key));
	if (taking->truncated)
		snapshot_doom(snapshot, REASON_TRUNCATED, "rank %" PRId32 ", tag %u", snapshot->config.rank, ledger_key_tag(taking->key));
	keep_or_drop(snapshot, taking->token, true);
}

static bool limit_is_known(const struct snapshot *snapshot, uint64_t key)
{
	const struct channel *channel = channels_find(&snapshot->channels, sender_of(snapshot, key));
	return channel ? channel->marker == MARKER_COUNTS : snapshot->attempt.barrier_done;
}

/* The list, with room for one more item; null: no memory, and the snapshot is doomed. */
static void *with_room(struct snapshot *snapshot, void *list, size_t count, size_t *room, size_t item_size)
{
	list = list_with_room(list, count, room, item_size);
	if (!list)
		doom_memory(snapshot);
	return list;
}

static void wait_for_marker(struct snapshot *snapshot, const struct snapshot_taking *taking)
{
	struct channel *channel = channel_from(snapshot, sender_of(snapshot, taking->key));
	struct unsure *unsure =
		with_room(snapshot, snapshot->unsure, snapshot->unsure_count, &snapshot->unsure_room, sizeof *unsure);
	if (!channel || !unsure)
		return;
	snapshot->unsure = unsure;
	int64_t at = (int64_t)snapshot->unsure_count++;
	unsure[at] = (struct unsure){*taking, -1};
	if (channel->unsure < 0)
		channel->unsure = at;
	else
		unsure[channel->unsure_last].next = at;
	channel->unsure_last = at;
	snapshot->unsure_left++;
}

static void place_after_cut(struct snapshot *snapshot, const struct snapshot_taking *taking)
{
	struct window_stream *stream = entry_of(snapshot, taking->key);
	if (!stream)
		return;
	if (taking->from_mailbox)
		record(snapshot, stream, taking);
	else if (!limit_is_known(snapshot, taking->key))
		wait_for_marker(snapshot, taking);
	else if (taking->position <= stream->limit)
		record(snapshot, stream, taking);
	else
		keep_or_drop(snapshot, taking->token, false);
}

/* Its position was not final at the cut, and is now. */
static void place_before_cut(struct snapshot *snapshot, const struct snapshot_taking *taking)
{
	struct window_stream *stream = entry_of(snapshot, taking->key);
	if (!stream)
		return;
	int64_t owed = window_owed(stream);
	stream->seen++;
	if (taking->position > stream->highest)
		stream->highest = taking->position;
	recount(snapshot, stream, owed);
	if (limit_is_known(snapshot, taking->key))
		look_for_orphans(snapshot, stream);
}

void snapshot_taken(struct snapshot *snapshot, const struct snapshot_taking *taking, int64_t now_ns,
		    struct snapshot_actions *actions)
{
	snapshot->now_ns = now_ns;
	snapshot->out = actions;
	int64_t limit;
	if (snapshot->phase == SNAPSHOT_WINDOW) {
		if (taking->before_cut)
			place_before_cut(snapshot, taking);
		else
			place_after_cut(snapshot, taking);
	} else if (snapshot->phase == SNAPSHOT_ALERT) {
		if (snapshot_limit(snapshot, taking->key, &limit) && taking->position > limit)
			doom_orphan(snapshot, taking->key, taking->position, limit);
	}
	snapshot->out = NULL;
}

enum snapshot_place snapshot_place(const struct snapshot *snapshot, uint64_t key, int64_t position)
{
	int64_t limit;
	if (snapshot->phase == SNAPSHOT_IDLE)
		return SNAPSHOT_PLACE_NONE;
	if (!has_cut(snapshot))
		return SNAPSHOT_PLACE_EARLY;
	if (!snapshot_limit(snapshot, key, &limit))
		return SNAPSHOT_PLACE_UNSURE;
	return position <= limit ? SNAPSHOT_PLACE_LATE : SNAPSHOT_PLACE_NEW;
}

bool snapshot_limit(const struct snapshot *snapshot, uint64_t key, int64_t *limit)
{
	if (snapshot->phase == SNAPSHOT_IDLE || !limit_is_known(snapshot, key))
		return false;
	const struct window_stream *stream = window_find(&snapshot->window, key);
	*limit = stream ? stream->limit : 0;
	return true;
}

/* --- markers in ------------------------------------------------------------------------------------------------------- */

static void compare_steps(struct snapshot *snapshot, const struct channel *channel)
{
	const struct wire_head *head = &channel->head;
	if (head->stepped && snapshot->kind == SNAPSHOT_KIND_STEP && !head->is_void && !snapshot->attempt.is_void &&
	    head->step != snapshot->attempt.cut_step)
		snapshot_doom(snapshot, REASON_UNEQUAL_STEPS, "rank %" PRId32 " at %" PRId64 ", rank %" PRId32 " at %" PRId64,
			      snapshot->config.rank, snapshot->attempt.cut_step, channel->from, head->step);
}

void places_head(struct snapshot *snapshot, int32_t from, const void *data, size_t size)
{
	struct wire_head head;
	if (!wire_get_head(data, size, &head) || head.epoch < snapshot->attempt.epoch)
		return;
	if (head.epoch > snapshot->attempt.epoch) {
		if (snapshot->phase != SNAPSHOT_IDLE || snapshot->awaiting) {
			snapshot_stash(snapshot, SNAPSHOT_HEAD, from, data, size);
			return;
		}
		snapshot_join(snapshot, head.epoch, head.number, head.nonce, head.want);
	}
	if (snapshot->phase == SNAPSHOT_IDLE || snapshot->phase == SNAPSHOT_VERDICT_PHASE)
		return;
	struct channel *channel = channel_from(snapshot, from);
	if (!channel)
		return;
	channel->head = head;
	channel->marker = MARKER_HEAD;
	snapshot->head_seen = true;
	struct ledger_comm *world = &snapshot->config.ledger->comms[snapshot->config.world];
	if (head.world > world->ahead)
		world->ahead = head.world;
	/* An event rank's marker names no step. The order that does has been given, and is on its way. */
	bool awaits_step = snapshot->kind == SNAPSHOT_KIND_STEP && !head.stepped && !snapshot->here;
	if (!awaits_step || head.is_void || snapshot_is_drill(snapshot))
		cut_order(snapshot, head.stepped && !head.is_void ? head.step : -1, -1, false);
	if (snapshot->phase == SNAPSHOT_WINDOW)
		compare_steps(snapshot, channel);
}

/* Takes in what a marker says of one stream. */
static void take_count(struct snapshot *snapshot, int32_t from, int comm, const struct wire_stream *said)
{
	struct ledger *ledger = snapshot->config.ledger;
	uint64_t key = ledger_key((unsigned)comm, said->peer, said->tag);
	if (said->peer >= (uint32_t)ledger->comms[comm].peers || ledger_world_of(ledger, key) != from)
		return;
	struct window_stream *stream = entry_of(snapshot, key);
	if (!stream)
		return;
	int64_t owed = window_owed(stream);
	stream->limit = said->sent;
	stream->synchronous = said->synchronous;
	stream->had_synchronous = said->had_synchronous;
	recount(snapshot, stream, owed);
	if (has_cut(snapshot)) {
		look_for_orphans(snapshot, stream);
	} else {
		const struct ledger_stream *seen = ledger_find(&ledger->seen, key);
		int64_t highest = !seen ? 0 : seen->seen > seen->high ? seen->seen : seen->high;
		if (highest > said->sent && highest > 0)
			doom_orphan(snapshot, key, highest, said->sent);
	}
}

/* On a communicator that was freed since the cut, and the marker came too late to say what to drain before: what was not told either is lost for this
 * snapshot, and nobody can ask for it any more. */
static void abandon_freed(struct snapshot *snapshot, struct window_stream *stream)
{
	int64_t owed = window_owed(stream);
	if (owed <= 0 || snapshot->config.ledger->comms[ledger_key_comm(stream->key)].state != LEDGER_COMM_FREED)
		return;
	if (!snapshot_is_drill(snapshot))
		snapshot_doom(snapshot, REASON_OPEN_CHANNEL, "rank %" PRId32 " freed a communicator with a message from rank %" PRId32
			      " under way", snapshot->config.rank, sender_of(snapshot, stream->key));
	stream->abandoned = true;
	recount(snapshot, stream, owed);
}

static void add_stranger(struct snapshot *snapshot, int32_t from, const struct wire_stream *said)
{
	struct stranger *strangers =
		with_room(snapshot, snapshot->strangers, snapshot->stranger_count, &snapshot->stranger_room, sizeof *strangers);
	if (!strangers)
		return;
	snapshot->strangers = strangers;
	snapshot->strangers[snapshot->stranger_count++] = (struct stranger){from, *said};
}

/* The marker of a channel is whole: what it did not name is zero, and what waited for it is placed. */
static void complete_marker(struct snapshot *snapshot, struct channel *channel)
{
	channel->marker = MARKER_COUNTS;
	if (!has_cut(snapshot))
		return;
	for (int64_t i = channel->first; i >= 0; i = snapshot->window.streams[i].next)
		look_for_orphans(snapshot, &snapshot->window.streams[i]);
	/* The channel is there already: placing makes none. */
	for (int64_t i = channel->unsure; i >= 0; i = snapshot->unsure[i].next) {
		/* A copy: giving up the image on the way takes the tokens from those in the list. */
		struct snapshot_taking taking = snapshot->unsure[i].taking;
		place_after_cut(snapshot, &taking);
		snapshot->unsure_left--;
	}
	channel->unsure = channel->unsure_last = -1;
	for (int64_t i = channel->first; i >= 0; i = snapshot->window.streams[i].next)
		abandon_freed(snapshot, &snapshot->window.streams[i]);
}

void places_counts(struct snapshot *snapshot, int32_t from, const void *data, size_t size)
{
	struct ledger *ledger = snapshot->config.ledger;
	struct bytes_in in = bytes_from(data, size);
	uint64_t epoch = bytes_get_varint(&in);
	if (epoch > snapshot->attempt.epoch) {
		snapshot_stash(snapshot, SNAPSHOT_COUNTS, from, data, size);
		return;
	}
	struct channel *channel = channels_find(&snapshot->channels, from);
	if (epoch < snapshot->attempt.epoch || !channel || channel->marker != MARKER_HEAD ||
	    snapshot->phase == SNAPSHOT_IDLE || snapshot->phase == SNAPSHOT_VERDICT_PHASE)
		return;
	uint64_t streams = bytes_get_varint(&in);
	for (uint64_t i = 0; i < streams && !in.bad; i++) {
		struct wire_stream said;
		wire_get_stream(&in, &said);
		int comm = in.bad ? LEDGER_NO_COMM : ledger_comm_named(ledger, said.comm);
		if (comm != LEDGER_NO_COMM)
			take_count(snapshot, from, comm, &said);
		else if (!in.bad)
			add_stranger(snapshot, from, &said);
	}
	uint64_t begun = bytes_get_varint(&in);
	for (uint64_t i = 0; i < begun && !in.bad; i++) {
		struct wire_begun said;
		wire_get_begun(&in, &said);
		int comm = in.bad ? LEDGER_NO_COMM : ledger_comm_named(ledger, said.comm);
		if (comm != LEDGER_NO_COMM && said.begun > ledger->comms[comm].ahead)
			ledger->comms[comm].ahead = said.begun;
	}
	if (in.bad)
		snapshot_doom(snapshot, REASON_COUNTS, "the marker from rank %" PRId32 " was garbled", from);
	complete_marker(snapshot, channel);
	snapshot->markers_missing--;
}

void snapshot_comm_named(struct snapshot *snapshot, int comm, int64_t now_ns, struct snapshot_actions *actions)
{
	snapshot->now_ns = now_ns;
	snapshot->out = actions;
	size_t kept = 0;
	for (size_t i = 0; i < snapshot->stranger_count; i++) {
		struct stranger stranger = snapshot->strangers[i];
		if (stranger.stream.comm == snapshot->config.ledger->comms[comm].name)
			take_count(snapshot, stranger.from, comm, &stranger.stream);
		else
			snapshot->strangers[kept++] = stranger;
	}
	snapshot->stranger_count = kept;
	snapshot->out = NULL;
}

void snapshot_comm_freed(struct snapshot *snapshot, int comm)
{
	if (snapshot->phase != SNAPSHOT_WINDOW)
		return;
	for (size_t i = 0; i < snapshot->window.count; i++) {
		struct window_stream *stream = &snapshot->window.streams[i];
		if (ledger_key_comm(stream->key) != (unsigned)comm || !limit_is_known(snapshot, stream->key))
			continue;
		int64_t owed = window_owed(stream);
		stream->abandoned = true;
		recount(snapshot, stream, owed);
	}
}

/* --- the cut and the closing ------------------------------------------------------------------------------------------- */

void places_cut(struct snapshot *snapshot)
{
	struct ledger *ledger = snapshot->config.ledger;
	for (size_t i = 0; i < ledger->comm_room; i++)
		ledger->comms[i].freed_early = ledger->comms[i].state == LEDGER_COMM_FREED;
	for (size_t i = 0; i < (size_t)1 << (64 - ledger->seen.shift); i++) {
		const struct ledger_stream *seen = &ledger->seen.slots[i];
		if (seen->key == 0)
			continue;
		struct window_stream *stream = entry_of(snapshot, seen->key);
		if (!stream)
			return;
		stream->seen = seen->seen;
		stream->highest = seen->seen > seen->high ? seen->seen : seen->high;
	}
	snapshot->window.open = 0;
	for (size_t i = 0; i < snapshot->window.count; i++) {
		struct window_stream *stream = &snapshot->window.streams[i];
		stream->abandoned = ledger->comms[ledger_key_comm(stream->key)].freed_early;
		snapshot->window.open += window_owed(stream) > 0;
		if (limit_is_known(snapshot, stream->key))
			look_for_orphans(snapshot, stream);
	}
	for (size_t i = 0; i < snapshot->channels.count; i++)
		if (snapshot->channels.list[i].marker != MARKER_NONE)
			compare_steps(snapshot, &snapshot->channels.list[i]);
}

void places_own_marker(struct snapshot *snapshot)
{
	int32_t own = snapshot->config.rank;
	for (size_t i = 0; i < (size_t)1 << (64 - snapshot->sent.shift); i++) {
		const struct ledger_stream *sent = &snapshot->sent.slots[i];
		if (sent->key == 0 || sender_of(snapshot, sent->key) != own)
			continue;
		int comm = (int)ledger_key_comm(sent->key);
		take_count(snapshot, own, comm, &(struct wire_stream){
			.peer = ledger_key_peer(sent->key), .tag = ledger_key_tag(sent->key),
			.sent = sent->total, .synchronous = sent->high, .had_synchronous = sent->seen != 0,
		});
	}
	struct channel *channel = channel_from(snapshot, own);
	if (channel)
		complete_marker(snapshot, channel);
}

void places_absent(struct snapshot *snapshot)
{
	snapshot->markers_missing = 0;
	for (size_t i = 0; i < snapshot->channels.count; i++) {
		struct channel *channel = &snapshot->channels.list[i];
		snapshot->markers_missing += channel->marker == MARKER_HEAD;
		if (channel->marker == MARKER_NONE)
			complete_marker(snapshot, channel);
	}
}

bool places_closed(const struct snapshot *snapshot)
{
	return snapshot->phase != SNAPSHOT_ALERT && snapshot->markers_missing == 0 && snapshot->window.open == 0 &&
	       snapshot->unsure_left == 0 && snapshot->stranger_count == 0 && snapshot->undecided == 0 &&
	       !snapshot->window.failed && !snapshot->channels.failed;
}

void places_describe_open(const struct snapshot *snapshot, char *text, size_t room)
{
	for (size_t i = 0; i < snapshot->window.count; i++) {
		const struct window_stream *stream = &snapshot->window.streams[i];
		if (window_owed(stream) > 0) {
			text_put(text, room, "rank %" PRId32 " has not received %" PRId64 " messages from rank %" PRId32
				 " with tag %u, and %zu more streams", snapshot->config.rank, window_owed(stream),
				 sender_of(snapshot, stream->key), ledger_key_tag(stream->key), snapshot->window.open - 1);
			return;
		}
	}
	text_put(text, room, "rank %" PRId32 ": %" PRId32 " markers, %zu messages and %zu communicators are not known",
		 snapshot->config.rank, snapshot->markers_missing, snapshot->unsure_left + snapshot->undecided,
		 snapshot->stranger_count);
}

/* --- draining ----------------------------------------------------------------------------------------------------------- */

static bool may_drain(const struct snapshot *snapshot, const struct window_stream *stream, bool all)
{
	return window_owed(stream) > 0 && limit_is_known(snapshot, stream->key) && (all || !stream->had_synchronous);
}

bool snapshot_next_owed(const struct snapshot *snapshot, size_t *cursor, bool all, uint64_t *key, int64_t *limit)
{
	if (snapshot->phase != SNAPSHOT_WINDOW)
		return false;
	while (*cursor < snapshot->window.count) {
		const struct window_stream *stream = &snapshot->window.streams[(*cursor)++];
		if (!may_drain(snapshot, stream, all))
			continue;
		*key = stream->key;
		*limit = stream->limit;
		return true;
	}
	return false;
}

bool snapshot_owes(const struct snapshot *snapshot, uint64_t key, bool all, int64_t *limit)
{
	const struct window_stream *stream =
		snapshot->phase == SNAPSHOT_WINDOW ? window_find(&snapshot->window, key) : NULL;
	if (!stream || !may_drain(snapshot, stream, all))
		return false;
	*limit = stream->limit;
	return true;
}

/* --- the ledger at the cut ---------------------------------------------------------------------------------------------- */

int64_t snapshot_moved_incoming(const struct snapshot *snapshot, uint64_t key)
{
	const struct window_stream *stream = snapshot->moved ? window_find(&snapshot->window, key) : NULL;
	return stream ? stream->limit : 0;
}

int64_t snapshot_moved_outgoing(const struct snapshot *snapshot, uint64_t key)
{
	struct ledger_table sent = snapshot->sent;
	const struct ledger_stream *stream = snapshot->moved && sent.slots ? ledger_find(&sent, key) : NULL;
	return stream ? stream->total : 0;
}

/* What nobody has drawn on a communicator that is freed is lost, and no debt; what is drawn and pending may still be told. */
static void rebase_freed(struct ledger_stream *seen, const struct ledger_comm *comm)
{
	if (comm->state != LEDGER_COMM_FREED)
		return;
	if (seen->total < 0) {
		seen->seen -= seen->total;
		seen->total = 0;
	}
	/* Freed before the cut, and nothing is pending: it is over, also if a wildcard had taken what counted as lost. */
	if (comm->freed_early && seen->seen == seen->total)
		seen->total = seen->seen = seen->high = 0;
}

void snapshot_rebased(struct snapshot *snapshot)
{
	struct ledger *ledger = snapshot->config.ledger;
	for (size_t i = 0; i < snapshot->window.count; i++) {
		const struct window_stream *stream = &snapshot->window.streams[i];
		struct ledger_stream *seen = ledger_find(&ledger->seen, stream->key);
		if (!seen)
			continue;
		ledger_rebase(seen, stream->limit, true);
		rebase_freed(seen, &ledger->comms[ledger_key_comm(stream->key)]);
	}
	for (size_t i = 0; i < (size_t)1 << (64 - snapshot->sent.shift); i++) {
		const struct ledger_stream *stream = &snapshot->sent.slots[i];
		struct ledger_stream *sent = stream->key ? ledger_find(&ledger->sent, stream->key) : NULL;
		if (!sent)
			continue;
		ledger_rebase(sent, stream->total, false);
		sent->seen -= stream->seen; /* the synchronous ones from before the base are all recorded: they stand in no draining's way */
	}
	ledger_sweep(ledger, snapshot->outcome.verdict.collectives == 0);
	snapshot->moved = false;
}

bool snapshot_next_outgoing(const struct snapshot *snapshot, size_t *cursor, struct snapshot_outgoing *stream)
{
	while (*cursor < (size_t)1 << (64 - snapshot->sent.shift)) {
		const struct ledger_stream *sent = &snapshot->sent.slots[(*cursor)++];
		if (sent->key == 0)
			continue;
		*stream = (struct snapshot_outgoing){sent->key, sent->total, sent->seen ? sent->high : 0};
		return true;
	}
	return false;
}

bool snapshot_next_incoming(const struct snapshot *snapshot, size_t *cursor, struct snapshot_incoming *stream)
{
	if (*cursor >= snapshot->window.count)
		return false;
	const struct window_stream *own = &snapshot->window.streams[(*cursor)++];
	*stream = (struct snapshot_incoming){
		.key = own->key, .limit = own->limit, .seen = own->seen, .recorded = own->recorded,
		.highest = own->highest, .orphans = own->orphans, .abandoned = window_lost(own) > 0,
	};
	return true;
}
