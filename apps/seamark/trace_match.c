/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages and markers have two ends, in the files of two ranks. A message is found by its stream (sender, receiver, communicator, tag) and its position there, a marker by its ranks: there is one down
 * each channel in a snapshot. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "trace_inside.h"

/* --- where positions count from --------------------------------------------------------------------------------------------- */

/* A base that moved to the cut of an epoch: by how much, for one stream. */
struct moved {
	uint64_t epoch;
	int32_t from, to, comm;
	uint32_t tag;
	int64_t count;
};

struct bases {
	struct moved *moved;
	size_t count, room;
};

#define ORDER(x, y, field) \
	if ((x)->field != (y)->field) \
	return (x)->field < (y)->field ? -1 : 1

static int by_stream(const void *a, const void *b)
{
	const struct moved *x = a, *y = b;

	ORDER(x, y, epoch);
	ORDER(x, y, from);
	ORDER(x, y, to);
	ORDER(x, y, comm);
	ORDER(x, y, tag);
	return 0;
}

/* What a rank's cut says of its streams; one with a peer of -1 says that nothing was left out. */
static bool gather_cut(struct bases *bases, const struct trace_model_rank *of, uint32_t rank, size_t cut)
{
	bool whole = true;
	size_t i;

	for (i = cut + 1; i <= of->count; i++) {
		const struct trace_model_event *event = i < of->count ? &of->events[i] : NULL;
		const bool ends = !event || (event->kind != TRACE_MARKED && event->kind != TRACE_MARKED_MORE);

		whole &= ends || event->kind != TRACE_MARKED_MORE;
		if (ends && !whole)
			return true;
		if (!ends && event->kind == TRACE_MARKED_MORE)
			continue;
		struct moved *larger = list_with_room(bases->moved, bases->count, &bases->room, sizeof *larger);

		if (!larger)
			return false;
		bases->moved = larger;
		bases->moved[bases->count++] =
			ends ? (struct moved){ of->events[cut].value, (int32_t)rank, -1, -1, 0, 0 }
			     : (struct moved){ of->events[cut].value, (int32_t)rank, event->peer, event->comm, event->tag, event->position };
		if (ends)
			return true;
	}
	return true;
}

static bool gather_bases(struct bases *bases, const struct trace_model *model)
{
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = 0; i < model->of[rank].count; i++)
			if (model->of[rank].events[i].kind == TRACE_CUT && !gather_cut(bases, &model->of[rank], rank, i))
				return false;
	if (bases->count)
		qsort(bases->moved, bases->count, sizeof *bases->moved, by_stream);
	return true;
}

/* How many messages of a stream were sent before its sender's cut of an epoch. false: not known. */
static bool count_at(const struct bases *bases, struct moved wanted, int64_t *count)
{
	const struct moved *found = bases->count ? bsearch(&wanted, bases->moved, bases->count, sizeof wanted, by_stream) : NULL;

	*count = found ? found->count : 0;
	if (found)
		return true;
	wanted = (struct moved){ wanted.epoch, wanted.from, -1, -1, 0, 0 };
	return bases->count && bsearch(&wanted, bases->moved, bases->count, sizeof wanted, by_stream);
}

static bool is_message(const struct trace_model_event *event)
{
	return event->kind == TRACE_SEND || event->kind == TRACE_UNSENT || event->kind == TRACE_TOLD || event->kind == TRACE_PLACED ||
	       event->kind == TRACE_RECORDED || event->kind == TRACE_DRAINED;
}

static bool is_sending(const struct trace_model_event *event)
{
	return event->kind == TRACE_SEND || event->kind == TRACE_UNSENT;
}

static struct moved stream_of(const struct trace_model_event *event, uint32_t rank)
{
	const bool out = is_sending(event);

	return (struct moved){ .from = out ? (int32_t)rank : event->peer, .to = out ? event->peer : (int32_t)rank, .comm = event->comm, .tag = event->tag };
}

/* The events of a rank at which its base moved: few. */
struct moments {
	size_t *at;
	size_t count, room;
};

static bool gather_moments(struct moments *moments, const struct trace_model_rank *of)
{
	moments->count = 0;
	for (size_t i = 0; i < of->count; i++) {
		if (of->events[i].kind != TRACE_REBASED)
			continue;
		size_t *larger = list_with_room(moments->at, moments->count, &moments->room, sizeof *larger);

		if (!larger)
			return false;
		moments->at = larger;
		moments->at[moments->count++] = i;
	}
	return true;
}

/* The bases that moved between where a position was noted and the cut of the snapshot. */
static void place(struct trace_model_event *events, size_t i, uint32_t rank, const struct bases *bases, const struct moments *moments, uint64_t epoch)
{
	struct trace_model_event *event = &events[i];
	struct moved stream = stream_of(event, rank);
	int64_t count;

	for (size_t m = 0; m < moments->count && event->position != TRACE_MODEL_NO_POSITION; m++) {
		const bool later = moments->at[m] > i;

		stream.epoch = events[moments->at[m]].value;
		if ((stream.epoch < epoch) != later)
			continue;
		if (!count_at(bases, stream, &count))
			event->position = TRACE_MODEL_NO_POSITION;
		else
			event->position += later ? -count : count;
	}
}

/* How far back a pair is looked for. */
enum { BACK_MOST = 1 << 16 };

/* What was told without a position got it later; a send that MPI refused gives its position back. */
static void pair_back(struct trace_model_rank *of, size_t i)
{
	const struct trace_model_event *event = &of->events[i];
	const enum trace_kind wanted = event->kind == TRACE_PLACED ? TRACE_TOLD : TRACE_SEND;

	for (size_t at = i; at-- && i - at < BACK_MOST;) {
		struct trace_model_event *other = &of->events[at];

		if (other->kind != wanted)
			continue;
		if (wanted == TRACE_TOLD && (other->flags & TRACE_UNPLACED) && other->turn == event->turn) {
			other->position = event->position;
			return;
		}
		if (wanted == TRACE_SEND && other->peer == event->peer && other->comm == event->comm && other->tag == event->tag &&
		    other->position == event->position) {
			other->position = TRACE_MODEL_NO_POSITION;
			return;
		}
	}
}

bool trace_place_positions(struct trace_model *model)
{
	struct bases bases = { 0 };
	struct moments moments = { 0 };
	bool fine = gather_bases(&bases, model);

	for (uint32_t rank = 0; fine && rank < model->ranks; rank++) {
		struct trace_model_rank *of = &model->of[rank];

		fine = gather_moments(&moments, of);
		for (size_t i = 0; fine && i < of->count; i++)
			if (is_message(&of->events[i]))
				place(of->events, i, rank, &bases, &moments, model->epoch);
		for (size_t i = 0; fine && i < of->count; i++)
			if (of->events[i].kind == TRACE_PLACED || of->events[i].kind == TRACE_UNSENT)
				pair_back(of, i);
	}
	free(bases.moved);
	free(moments.at);
	return fine;
}

/* --- messages ----------------------------------------------------------------------------------------------------------------- */

/* One of the events of a message. */
struct part {
	struct moved stream;    /* epoch 0; count: the position */
	int what;               /* sent, drained, recorded, told: in this order */
	struct trace_model_end end;
};

static int by_message(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int order = by_stream(&x->stream, &y->stream);

	if (order)
		return order;
	ORDER(x, y, stream.count);
	ORDER(x, y, what);
	ORDER(x, y, end.rank);
	ORDER(x, y, end.index);
	return 0;
}

static int part_of(enum trace_kind kind)
{
	return kind == TRACE_SEND ? 0 : kind == TRACE_DRAINED ? 1 : kind == TRACE_RECORDED ? 2 : kind == TRACE_TOLD ? 3 : -1;
}

static struct trace_model_end *end_of(struct trace_model_message *message, int what)
{
	struct trace_model_end *const ends[] = { &message->sent, &message->drained, &message->recorded, &message->told };

	return ends[what];
}

static struct trace_model_message *new_message(struct trace_model *model, const struct part *part)
{
	struct trace_model_message *message = &model->messages[model->message_count++];
	const struct trace_model_event *event = trace_event_at(model, part->end);

	*message = (struct trace_model_message){
		.from = part->stream.from, .to = part->stream.to, .comm = event->comm, .tag = event->tag, .position = event->position,
		.sent = trace_no_end, .told = trace_no_end, .recorded = trace_no_end, .drained = trace_no_end, .way_ns = -1,
	};
	return message;
}

static void add_part(struct trace_model *model, struct trace_model_message *message, const struct part *part)
{
	struct trace_model_event *event = trace_event_at(model, part->end);

	*end_of(message, part->what) = part->end;
	message->bytes = event->value;
	message->synchronous |= event->flags & TRACE_SYNCHRONOUS;
	event->message = (int32_t)(message - model->messages);
}

/* Parts without a position are messages of their own: nobody knows whose other ends they are. */
static void make_messages(struct trace_model *model, const struct part *parts, size_t count)
{
	struct trace_model_message *message = NULL;
	const struct part *last = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct part *part = &parts[i];
		const bool same = last && part->stream.count != TRACE_MODEL_NO_POSITION && !by_stream(&last->stream, &part->stream) &&
				  last->stream.count == part->stream.count;

		if (!same || end_of(message, part->what)->rank >= 0)
			message = new_message(model, part);
		add_part(model, message, part);
		last = part;
	}
}

static size_t gather_parts(const struct trace_model *model, struct part *parts)
{
	size_t count = 0;

	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = 0; i < model->of[rank].count; i++) {
			const struct trace_model_event *event = &model->of[rank].events[i];
			struct part part = { stream_of(event, rank), event->peer >= 0 ? part_of(event->kind) : -1, { (int32_t)rank, (uint32_t)i } };

			part.stream.count = event->position;
			/* What was recorded for an earlier snapshot says nothing of this one. */
			if (event->kind == TRACE_RECORDED && !event->after)
				part.what = -1;
			if (part.what >= 0 && parts)
				parts[count] = part;
			count += part.what >= 0;
		}
	return count;
}

bool trace_match_messages(struct trace_model *model)
{
	size_t count = gather_parts(model, NULL);
	struct part *parts = calloc(count + 1, sizeof *parts);

	model->messages = calloc(count + 1, sizeof *model->messages);
	if (!parts || !model->messages) {
		free(parts);
		return false;
	}
	gather_parts(model, parts);
	qsort(parts, count, sizeof *parts, by_message);
	make_messages(model, parts, count);
	free(parts);
	for (size_t i = 0; i < model->message_count; i++) {
		const struct trace_model_message *message = &model->messages[i];

		if (message->sent.rank < 0 || message->told.rank < 0)
			continue;
		trace_event_at(model, message->sent)->match = message->told;
		trace_event_at(model, message->told)->match = message->sent;
	}
	return true;
}

/* --- markers ------------------------------------------------------------------------------------------------------------------ */

static int by_ranks(const void *a, const void *b)
{
	const struct trace_model_marker *x = a, *y = b;

	ORDER(x, y, from);
	ORDER(x, y, to);
	return 0;
}

/* The streams and messages that a cut has for a receiver, from what follows it. */
static void count_streams(struct trace_model *model, struct trace_model_marker *marker)
{
	const struct trace_model_rank *of = &model->of[marker->from];

	for (size_t i = (size_t)of->phases.cut + 1; of->phases.cut >= 0 && i < of->count && of->events[i].kind == TRACE_MARKED; i++) {
		if (of->events[i].peer != marker->to)
			continue;
		marker->streams++;
		marker->counted += of->events[i].position > 0 ? (uint64_t)of->events[i].position : 0;
	}
}

static bool is_marker(const struct trace_model *model, const struct trace_model_event *event, enum trace_kind kind)
{
	return event->kind == kind && event->value == model->epoch && event->peer >= 0;
}

static size_t gather_markers(struct trace_model *model, bool add)
{
	size_t count = 0;

	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = 0; i < model->of[rank].count; i++) {
			const struct trace_model_event *event = &model->of[rank].events[i];

			if (!is_marker(model, event, TRACE_MARKER_SENT))
				continue;
			if (add)
				model->markers[count] = (struct trace_model_marker){
					.from = (int32_t)rank, .to = event->peer, .is_void = event->flags & TRACE_VOID,
					.sent = { (int32_t)rank, (uint32_t)i }, .head = trace_no_end, .counts = trace_no_end,
				};
			count++;
		}
	return count;
}

static void join_marker(struct trace_model *model, struct trace_model_end here)
{
	struct trace_model_event *event = trace_event_at(model, here);
	const struct trace_model_marker wanted = { .from = event->peer, .to = here.rank };
	struct trace_model_marker *marker = bsearch(&wanted, model->markers, model->marker_count, sizeof wanted, by_ranks);
	struct trace_model_end *end;

	if (!marker)
		return;
	end = event->kind == TRACE_HEAD_CAME ? &marker->head : &marker->counts;
	if (end->rank >= 0)
		return;
	*end = here;
	event->marker = (int32_t)(marker - model->markers);
	event->match = marker->sent;
	if (event->kind == TRACE_HEAD_CAME)
		trace_event_at(model, marker->sent)->match = here;
}

bool trace_match_markers(struct trace_model *model)
{
	model->marker_count = gather_markers(model, false);
	model->markers = calloc(model->marker_count + 1, sizeof *model->markers);
	if (!model->markers)
		return false;
	gather_markers(model, true);
	qsort(model->markers, model->marker_count, sizeof *model->markers, by_ranks);
	for (size_t i = 0; i < model->marker_count; i++) {
		trace_event_at(model, model->markers[i].sent)->marker = (int32_t)i;
		count_streams(model, &model->markers[i]);
	}
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = 0; i < model->of[rank].count; i++)
			if (is_marker(model, &model->of[rank].events[i], TRACE_HEAD_CAME) || is_marker(model, &model->of[rank].events[i], TRACE_COUNTS_CAME))
				join_marker(model, (struct trace_model_end){ (int32_t)rank, (uint32_t)i });
	return true;
}

/* --- where they stand to the cut ------------------------------------------------------------------------------------------------ */

enum side { SIDE_BEFORE, SIDE_AFTER, SIDE_UNKNOWN };

static enum side side_of(const struct trace_model *model, struct trace_model_end end)
{
	if (model->of[end.rank].phases.cut < 0)
		return SIDE_UNKNOWN;
	return trace_event_at(model, end)->after ? SIDE_AFTER : SIDE_BEFORE;
}

static enum side sent_side(const struct trace_model *model, const struct trace_model_message *message, const struct bases *bases)
{
	int64_t count;

	if (message->sent.rank >= 0)
		return side_of(model, message->sent);
	if (message->recorded.rank >= 0)
		return SIDE_BEFORE;
	if (message->position == TRACE_MODEL_NO_POSITION ||
	    !count_at(bases, (struct moved){ model->epoch, message->from, message->to, message->comm, message->tag, 0 }, &count))
		return SIDE_UNKNOWN;
	return message->position <= count ? SIDE_BEFORE : SIDE_AFTER;
}

/* One that nobody was told of, as far as the trace goes: it may have been before the trace begins. */
static enum side untold_side(const struct trace_model *model, const struct trace_model_message *message)
{
	const struct trace_model_rank *to = &model->of[message->to];

	if (message->recorded.rank >= 0 || message->drained.rank >= 0)
		return SIDE_AFTER;
	if (to->phases.cut < 0 || message->position == TRACE_MODEL_NO_POSITION)
		return SIDE_UNKNOWN;
	if (model->committed)
		return message->sent.rank >= 0 && trace_event_at(model, message->sent)->after ? SIDE_AFTER : SIDE_UNKNOWN;
	return to->lost == 0 || (message->sent.rank >= 0 && trace_event_at(model, message->sent)->ns >= to->events[0].ns) ? SIDE_AFTER : SIDE_UNKNOWN;
}

static enum trace_model_place judge(const struct trace_model *model, const struct trace_model_message *message, const struct bases *bases)
{
	enum side sent = sent_side(model, message, bases);
	enum side told = message->told.rank >= 0 ? side_of(model, message->told) : untold_side(model, message);

	if (sent == SIDE_UNKNOWN || told == SIDE_UNKNOWN)
		return TRACE_MODEL_UNKNOWN;
	if (sent == SIDE_BEFORE)
		return told == SIDE_BEFORE ? TRACE_MODEL_BEFORE : TRACE_MODEL_LATE;
	return told == SIDE_BEFORE ? TRACE_MODEL_ORPHAN : TRACE_MODEL_NEW;
}

static int64_t time_of(const struct trace_model *model, struct trace_model_end end)
{
	return trace_event_at(model, end)->ns;
}

static int64_t way_of(const struct trace_model *model, const struct trace_model_message *message)
{
	const int32_t cut = model->of[message->to].phases.cut;

	if (message->sent.rank < 0)
		return -1;
	if (message->place == TRACE_MODEL_LATE && cut >= 0) {
		/* It may have been sent after the receiver's cut, and before its sender's. */
		const int64_t ns = time_of(model, (struct trace_model_end){ message->to, (uint32_t)cut }) - time_of(model, message->sent);

		return ns > 0 ? ns : 0;
	}
	return message->told.rank >= 0 ? time_of(model, message->told) - time_of(model, message->sent) : -1;
}

/* Those whose sending is not in the trace first. */
static int by_sending(const void *a, const void *b, void *context)
{
	const struct trace_model *model = context;
	const struct trace_model_message *x = a, *y = b;
	const uint32_t sent_x = x->sent.rank < 0 ? 0 : trace_event_at(model, x->sent)->order, sent_y = y->sent.rank < 0 ? 0 : trace_event_at(model, y->sent)->order;

	if (sent_x != sent_y)
		return sent_x < sent_y ? -1 : 1;
	ORDER(x, y, to);
	ORDER(x, y, from);
	ORDER(x, y, comm);
	ORDER(x, y, tag);
	ORDER(x, y, position);
	return 0;
}

bool trace_judge_messages(struct trace_model *model)
{
	struct bases bases = { 0 };
	bool fine = gather_bases(&bases, model);

	for (size_t i = 0; fine && i < model->message_count; i++) {
		struct trace_model_message *message = &model->messages[i];

		message->place = judge(model, message, &bases);
		message->way_ns = way_of(model, message);
		model->late += message->place == TRACE_MODEL_LATE;
		model->late_bytes += message->place == TRACE_MODEL_LATE ? message->bytes : 0;
		model->orphans += message->place == TRACE_MODEL_ORPHAN;
	}
	free(bases.moved);
	qsort_r(model->messages, model->message_count, sizeof *model->messages, by_sending, model);
	for (size_t i = 0; i < model->message_count; i++)
		for (int what = 0; what < 4; what++)
			if (end_of(&model->messages[i], what)->rank >= 0)
				trace_event_at(model, *end_of(&model->messages[i], what))->message = (int32_t)i;
	return fine;
}
