/* SPDX-License-Identifier: BSD-3-Clause */
/* Where positions count from: a rank notes them from its newest base, which moves to its cut when a snapshot has closed all channels. By how much the cuts say; all positions are brought to the base that the snapshot in
 * question has. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "tracing/inside.h"

int trace_by_stream(const void *a, const void *b)
{
	const struct trace_moved *x = a, *y = b;

	TRACE_ORDER_BY(x, y, epoch);
	TRACE_ORDER_BY(x, y, from);
	TRACE_ORDER_BY(x, y, to);
	TRACE_ORDER_BY(x, y, comm);
	TRACE_ORDER_BY(x, y, tag);
	return 0;
}

/* What a rank's cut says of its streams; one with a peer of -1 says that nothing was left out. */
static bool gather_cut(struct trace_bases *bases, const struct trace_model_rank *of, uint32_t rank, size_t cut)
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
		struct trace_moved *larger = list_with_room(bases->moved, bases->count, &bases->room, sizeof *larger);

		if (!larger)
			return false;
		bases->moved = larger;
		bases->moved[bases->count++] =
			ends ? (struct trace_moved){ of->events[cut].value, (int32_t)rank, -1, -1, 0, 0 }
			     : (struct trace_moved){ of->events[cut].value, (int32_t)rank, event->peer, event->comm, event->tag, event->position };
		if (ends)
			return true;
	}
	return true;
}

bool trace_gather_bases(struct trace_bases *bases, const struct trace_model *model)
{
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = 0; i < model->of[rank].count; i++)
			if (model->of[rank].events[i].kind == TRACE_CUT && !gather_cut(bases, &model->of[rank], rank, i))
				return false;
	if (bases->count)
		qsort(bases->moved, bases->count, sizeof *bases->moved, trace_by_stream);
	return true;
}

bool trace_count_at(const struct trace_bases *bases, struct trace_moved wanted, int64_t *count)
{
	const struct trace_moved *found = bases->count ? bsearch(&wanted, bases->moved, bases->count, sizeof wanted, trace_by_stream) : NULL;

	*count = found ? found->count : 0;
	if (found)
		return true;
	wanted = (struct trace_moved){ wanted.epoch, wanted.from, -1, -1, 0, 0 };
	return bases->count && bsearch(&wanted, bases->moved, bases->count, sizeof wanted, trace_by_stream);
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

struct trace_moved trace_stream_of(const struct trace_model_event *event, uint32_t rank)
{
	const bool out = is_sending(event);

	return (struct trace_moved){ .from = out ? (int32_t)rank : event->peer, .to = out ? event->peer : (int32_t)rank, .comm = event->comm, .tag = event->tag };
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

/* A message's event, by its stream. */
struct noted {
	struct trace_moved stream;
	size_t index;
};

static int by_noted(const void *a, const void *b)
{
	const struct noted *x = a, *y = b;
	const int order = trace_by_stream(&x->stream, &y->stream);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* By how much positions of a stream that are noted at some moment differ from those at the cut of the snapshot: bases that moved before that cut and after the moment make it less, those that moved after the cut and
 * before the moment more. From one moment to the next the difference grows by what the base moves there, on either side of the cut. */
struct shift {
	int64_t count;
	size_t unknown;         /* of those moves, how many nobody knows */
	size_t passed;          /* moments that are passed */
	bool lost;              /* counts of a damaged file lead anywhere */
};

static void pass(struct shift *shift, struct trace_moved stream, const struct trace_bases *bases, const struct trace_model_event *moment, uint64_t epoch)
{
	int64_t count;

	stream.epoch = moment->value;
	shift->passed++;
	if (trace_count_at(bases, stream, &count))
		shift->lost |= __builtin_add_overflow(shift->count, count, &shift->count);
	else
		shift->unknown += stream.epoch < epoch ? (size_t)-1 : 1;
}

static struct shift first_shift(struct trace_moved stream, const struct trace_bases *bases, const struct trace_model_event *events, const struct moments *moments, uint64_t epoch)
{
	struct shift shift = { 0 };
	int64_t count;

	for (size_t m = 0; m < moments->count; m++) {
		stream.epoch = events[moments->at[m]].value;
		if (stream.epoch >= epoch)
			continue;
		if (trace_count_at(bases, stream, &count))
			shift.lost |= __builtin_sub_overflow(shift.count, count, &shift.count);
		else
			shift.unknown++;
	}
	return shift;
}

static void place(struct trace_model_event *events, const struct noted *noted, size_t count, const struct trace_bases *bases, const struct moments *moments, uint64_t epoch)
{
	struct shift shift = { 0 };

	for (size_t n = 0; n < count; n++) {
		struct trace_model_event *event = &events[noted[n].index];

		if (!n || trace_by_stream(&noted[n - 1].stream, &noted[n].stream))
			shift = first_shift(noted[n].stream, bases, events, moments, epoch);
		while (shift.passed < moments->count && moments->at[shift.passed] < noted[n].index)
			pass(&shift, noted[n].stream, bases, &events[moments->at[shift.passed]], epoch);
		if (event->position == TRACE_MODEL_NO_POSITION)
			continue;
		if (shift.unknown || shift.lost || __builtin_add_overflow(event->position, shift.count, &event->position))
			event->position = TRACE_MODEL_NO_POSITION;
	}
}

static bool place_rank(struct trace_model_rank *of, uint32_t rank, const struct trace_bases *bases, const struct moments *moments, uint64_t epoch)
{
	struct noted *noted = moments->count ? malloc((of->count + 1) * sizeof *noted) : NULL;
	size_t count = 0;

	if (!moments->count)
		return true;
	if (!noted)
		return false;
	for (size_t i = 0; i < of->count; i++)
		if (is_message(&of->events[i]))
			noted[count++] = (struct noted){ trace_stream_of(&of->events[i], rank), i };
	qsort(noted, count, sizeof *noted, by_noted);
	place(of->events, noted, count, bases, moments, epoch);
	free(noted);
	return true;
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
	struct trace_bases bases = { 0 };
	struct moments moments = { 0 };
	bool fine = trace_gather_bases(&bases, model);

	for (uint32_t rank = 0; fine && rank < model->ranks; rank++) {
		struct trace_model_rank *of = &model->of[rank];

		fine = gather_moments(&moments, of) && place_rank(of, rank, &bases, &moments, model->epoch);
		for (size_t i = 0; fine && i < of->count; i++)
			if (of->events[i].kind == TRACE_PLACED || of->events[i].kind == TRACE_UNSENT)
				pair_back(of, i);
	}
	free(bases.moved);
	free(moments.at);
	return fine;
}
