/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages and markers have two ends, in the files of two ranks. A message is found by its stream (sender, receiver, communicator, tag) and its position there, a marker by its ranks: there is one down
 * each channel in a snapshot. */
#include <stdlib.h>
#include <string.h>

#include "tracing/inside.h"

/* --- messages ----------------------------------------------------------------------------------------------------------------- */

/* One of the events of a message. */
struct part {
	struct trace_moved stream;    /* epoch 0; count: the position */
	int what;               /* sent, drained, recorded, told: in this order */
	struct trace_model_end end;
};

static int by_message(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int order = trace_by_stream(&x->stream, &y->stream);

	if (order)
		return order;
	TRACE_ORDER_BY(x, y, stream.count);
	TRACE_ORDER_BY(x, y, what);
	TRACE_ORDER_BY(x, y, end.rank);
	TRACE_ORDER_BY(x, y, end.index);
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
		const bool same = last && part->stream.count != TRACE_MODEL_NO_POSITION && !trace_by_stream(&last->stream, &part->stream) &&
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
			struct part part = { trace_stream_of(event, rank), event->peer >= 0 ? part_of(event->kind) : -1, { (int32_t)rank, (uint32_t)i } };

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

	TRACE_ORDER_BY(x, y, from);
	TRACE_ORDER_BY(x, y, to);
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

static enum side sent_side(const struct trace_model *model, const struct trace_model_message *message, const struct trace_bases *bases)
{
	int64_t count;

	if (message->sent.rank >= 0)
		return side_of(model, message->sent);
	if (message->recorded.rank >= 0)
		return SIDE_BEFORE;
	if (message->position == TRACE_MODEL_NO_POSITION ||
	    !trace_count_at(bases, (struct trace_moved){ model->epoch, message->from, message->to, message->comm, message->tag, 0 }, &count))
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

static enum trace_model_place judge(const struct trace_model *model, const struct trace_model_message *message, const struct trace_bases *bases)
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
	/* In a damaged trace it may have been told before. */
	if (message->told.rank < 0 || time_of(model, message->told) < time_of(model, message->sent))
		return -1;
	return time_of(model, message->told) - time_of(model, message->sent);
}

/* Those whose sending is not in the trace first. */
static int by_sending(const void *a, const void *b, void *context)
{
	const struct trace_model *model = context;
	const struct trace_model_message *x = a, *y = b;
	const uint32_t sent_x = x->sent.rank < 0 ? 0 : trace_event_at(model, x->sent)->order, sent_y = y->sent.rank < 0 ? 0 : trace_event_at(model, y->sent)->order;

	if (sent_x != sent_y)
		return sent_x < sent_y ? -1 : 1;
	TRACE_ORDER_BY(x, y, to);
	TRACE_ORDER_BY(x, y, from);
	TRACE_ORDER_BY(x, y, comm);
	TRACE_ORDER_BY(x, y, tag);
	TRACE_ORDER_BY(x, y, position);
	return 0;
}

bool trace_judge_messages(struct trace_model *model)
{
	struct trace_bases bases = { 0 };
	bool fine = trace_gather_bases(&bases, model);

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
