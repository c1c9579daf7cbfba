/* SPDX-License-Identifier: BSD-3-Clause */
/* One order of all events in which every cause comes before its effects: of those ranks whose next event has nothing to wait for, the one with the earliest is next. */
#include <stdlib.h>
#include <string.h>

#include "tracing/inside.h"

struct ordering {
	struct trace_model *model;
	uint32_t *heap;         /* ranks whose next event is ready, by its time */
	size_t ready;
	size_t *next;           /* [ranks] index of the next event */
	int32_t *waiting;       /* [ranks] first of those that wait for an event of this rank; -1: none */
	int32_t *after;         /* [ranks] ... and the next of these */
	int32_t meeting[2];     /* first of those that wait for all to enter the barrier, the verdict */
	uint32_t to_enter[2];   /* ranks that have not */
	int64_t latest_ns[2];   /* the last that has */
	int64_t *floor_ns;      /* [ranks] no event may be shown earlier */
};

enum { BARRIER, VERDICT };

static struct trace_model_event *head(const struct ordering *ordering, uint32_t rank)
{
	return &ordering->model->of[rank].events[ordering->next[rank]];
}

static int64_t shown(const struct ordering *ordering, uint32_t rank)
{
	const int64_t ns = head(ordering, rank)->ns;

	return ns > ordering->floor_ns[rank] ? ns : ordering->floor_ns[rank];
}

static bool is_less(const struct ordering *ordering, uint32_t a, uint32_t b)
{
	const int64_t x = shown(ordering, a), y = shown(ordering, b);

	return x != y ? x < y : a < b;
}

static void swap(uint32_t *a, uint32_t *b)
{
	const uint32_t kept = *a;

	*a = *b;
	*b = kept;
}

static void heap_put(struct ordering *ordering, uint32_t rank)
{
	uint32_t *heap = ordering->heap;
	size_t at = ordering->ready++;

	heap[at] = rank;
	for (; at && is_less(ordering, heap[at], heap[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&heap[at], &heap[(at - 1) / 2]);
}

static uint32_t heap_take(struct ordering *ordering)
{
	uint32_t *heap = ordering->heap, least = heap[0];

	heap[0] = heap[--ordering->ready];
	for (size_t at = 0;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < ordering->ready && is_less(ordering, heap[child + 1], heap[child]))
			child++;
		if (child >= ordering->ready || !is_less(ordering, heap[child], heap[at]))
			return least;
		swap(&heap[at], &heap[child]);
		at = child;
	}
}

static void wait_in(struct ordering *ordering, int32_t *list, uint32_t rank)
{
	ordering->after[rank] = *list;
	*list = (int32_t)rank;
}

/* Which of the two meetings an event is the leaving, or the entering, of; -1: none. */
static int meeting_of(const struct ordering *ordering, uint32_t rank, bool leaving)
{
	const struct trace_model_phases *phases = &ordering->model->of[rank].phases;
	const int32_t at = (int32_t)ordering->next[rank];

	if (at == (leaving ? phases->barrier_done : phases->barrier))
		return BARRIER;
	return at == (leaving ? phases->verdict_done : phases->verdict) ? VERDICT : -1;
}

static void raise(int64_t *floor_ns, int64_t ns)
{
	if (*floor_ns < ns)
		*floor_ns = ns;
}

/* The rank's next event: among those that are ready, or waiting. `anyway`: it cannot wait for ever. */
static void place(struct ordering *ordering, uint32_t rank, bool anyway)
{
	const struct trace_model *model = ordering->model;

	if (ordering->next[rank] >= model->of[rank].count)
		return;
	const struct trace_model_end here = { (int32_t)rank, (uint32_t)ordering->next[rank] }, cause = trace_cause(model, here);
	const int meeting = meeting_of(ordering, rank, true);

	if (cause.rank >= 0 && ordering->next[cause.rank] <= cause.index) {
		if (!anyway) {
			wait_in(ordering, &ordering->waiting[cause.rank], rank);
			return;
		}
	} else if (cause.rank >= 0) {
		raise(&ordering->floor_ns[rank], trace_event_at(model, cause)->ns + 1);
	}
	if (meeting >= 0 && ordering->to_enter[meeting] && !anyway) {
		wait_in(ordering, &ordering->meeting[meeting], rank);
		return;
	}
	if (meeting >= 0 && !anyway)
		raise(&ordering->floor_ns[rank], ordering->latest_ns[meeting] + 1);
	heap_put(ordering, rank);
}

static void wake(struct ordering *ordering, int32_t *list)
{
	int32_t rank = *list;

	*list = -1;
	while (rank >= 0) {
		const int32_t next = ordering->after[rank];

		place(ordering, (uint32_t)rank, false);
		rank = next;
	}
}

static void emit(struct ordering *ordering, uint32_t rank)
{
	struct trace_model *model = ordering->model;
	struct trace_model_event *event = head(ordering, rank);
	const int64_t ns = shown(ordering, rank);
	const int meeting = meeting_of(ordering, rank, false);

	if (ns - event->ns > model->pushed_ns)
		model->pushed_ns = ns - event->ns;
	event->ns = ns;
	ordering->floor_ns[rank] = ns;
	model->in_order[model->event_count] = (struct trace_model_end){ (int32_t)rank, (uint32_t)ordering->next[rank] };
	event->order = (uint32_t)++model->event_count;
	ordering->next[rank]++;
	if (meeting >= 0) {
		raise(&ordering->latest_ns[meeting], ns);
		if (!--ordering->to_enter[meeting])
			wake(ordering, &ordering->meeting[meeting]);
	}
	wake(ordering, &ordering->waiting[rank]);
	place(ordering, rank, false);
}

/* Causes in a circle: no run makes them, a damaged file may. */
static bool break_circle(struct ordering *ordering)
{
	const struct trace_model *model = ordering->model;
	uint32_t first = model->ranks;

	for (uint32_t rank = 0; rank < model->ranks; rank++)
		if (ordering->next[rank] < model->of[rank].count && (first == model->ranks || is_less(ordering, rank, first)))
			first = rank;
	if (first == model->ranks)
		return false;
	/* Out of the list that it waits in. */
	for (uint32_t i = 0; i < model->ranks + 2; i++)
		for (int32_t *at = i < model->ranks ? &ordering->waiting[i] : &ordering->meeting[i - model->ranks]; *at >= 0; at = &ordering->after[*at])
			if (*at == (int32_t)first) {
				*at = ordering->after[first];
				ordering->model->unordered++;
				place(ordering, first, true);
				return true;
			}
	return false;
}

static bool open(struct ordering *ordering, struct trace_model *model)
{
	const size_t ranks = model->ranks;

	*ordering = (struct ordering){ .model = model, .meeting = { -1, -1 }, .latest_ns = { INT64_MIN, INT64_MIN } };
	ordering->heap = calloc(ranks, sizeof *ordering->heap);
	ordering->next = calloc(ranks, sizeof *ordering->next);
	ordering->waiting = malloc(ranks * sizeof *ordering->waiting);
	ordering->after = malloc(ranks * sizeof *ordering->after);
	ordering->floor_ns = malloc(ranks * sizeof *ordering->floor_ns);
	model->in_order = calloc(model->event_count + 1, sizeof *model->in_order);
	if (!ordering->heap || !ordering->next || !ordering->waiting || !ordering->after || !ordering->floor_ns || !model->in_order)
		return false;
	for (size_t i = 0; i < ranks; i++) {
		ordering->waiting[i] = ordering->after[i] = -1;
		ordering->floor_ns[i] = INT64_MIN;
		ordering->to_enter[BARRIER] += model->of[i].phases.barrier >= 0;
		ordering->to_enter[VERDICT] += model->of[i].phases.verdict >= 0;
	}
	return true;
}

static void close(struct ordering *ordering)
{
	free(ordering->heap);
	free(ordering->next);
	free(ordering->waiting);
	free(ordering->after);
	free(ordering->floor_ns);
}

/* Times count from the announcement: the first alert of all; without one, from the first event. */
static void shift(struct trace_model *model)
{
	int64_t zero_ns = INT64_MAX, own_ns = 0;
	uint32_t at = 0;

	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		const struct trace_model_rank *of = &model->of[rank];

		if (of->phases.alert >= 0 && of->events[of->phases.alert].ns < zero_ns) {
			zero_ns = of->events[of->phases.alert].ns;
			own_ns = of->events[of->phases.alert].own_ns;
			at = rank;
		}
	}
	if (zero_ns == INT64_MAX && model->event_count) {
		zero_ns = trace_event_at(model, model->in_order[0])->ns;
		own_ns = trace_event_at(model, model->in_order[0])->own_ns;
		at = (uint32_t)model->in_order[0].rank;
	}
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = 0; i < model->of[rank].count; i++)
			model->of[rank].events[i].ns -= zero_ns;
	if (!model->event_count)
		return;
	model->announced_at_ns = model->files[at].real_ns + own_ns;
	model->span_ns[0] = trace_event_at(model, model->in_order[0])->ns;
	model->span_ns[1] = trace_event_at(model, model->in_order[model->event_count - 1])->ns;
}

bool trace_put_in_order(struct trace_model *model)
{
	struct ordering ordering;
	bool fine = open(&ordering, model);

	if (fine) {
		model->event_count = 0;
		for (uint32_t rank = 0; rank < model->ranks; rank++)
			place(&ordering, rank, false);
		do {
			while (ordering.ready)
				emit(&ordering, heap_take(&ordering));
		} while (break_circle(&ordering));
		shift(model);
	}
	close(&ordering);
	return fine;
}
