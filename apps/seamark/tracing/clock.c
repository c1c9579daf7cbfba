/* SPDX-License-Identifier: BSD-3-Clause */
/* Clocks of different nodes differ. What is known of them: nothing comes before it was sent, and nobody leaves the closing barrier or the verdict before everybody is in it. Each such pair says by how much one clock is at
 * least ahead of the other: difference constraints, solved by relaxation (Bellman and Ford), starting from the clocks' own idea of the time of day. From there once upwards and once downwards, as little as need be; the middle
 * of two solutions is one, and is taken. Where no offsets satisfy them all (clocks that drift, and a trace that goes far back), those of what happened since the alert count alone; what they do not satisfy is pushed behind
 * its cause, as in Lamport's clocks. */
#include <stdlib.h>
#include <string.h>

#include "tracing/inside.h"

/* --- what comes after what ---------------------------------------------------------------------------------------------------- */

/* The entering that those who leave have waited for, of the snapshot in question; -1: it is not in the trace. */
static int32_t entering(const struct trace_model_phases *phases, enum trace_kind left)
{
	return left == TRACE_BARRIER_DONE ? phases->barrier : phases->verdict;
}

struct trace_model_end trace_cause(const struct trace_model *model, struct trace_model_end of)
{
	const struct trace_model_event *event = trace_event_at(model, of);

	if (event->kind == TRACE_TOLD || event->kind == TRACE_RECORDED || event->kind == TRACE_DRAINED)
		return event->message >= 0 ? model->messages[event->message].sent : trace_no_end;
	if (event->kind == TRACE_HEAD_CAME || event->kind == TRACE_COUNTS_CAME || event->kind == TRACE_ORDER_CAME)
		return event->match;
	return trace_no_end;
}

/* --- orders: the i-th of a kind and epoch on a channel is the i-th that comes ---------------------------------------------------- */

struct order {
	uint64_t what, epoch;
	int32_t from, to;
	struct trace_model_end end;
};

static int by_channel(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	if (x->what != y->what)
		return x->what < y->what ? -1 : 1;
	return (x->end.index > y->end.index) - (x->end.index < y->end.index);
}

static bool is_alike(const struct order *x, const struct order *y)
{
	return x->from == y->from && x->to == y->to && x->epoch == y->epoch && x->what == y->what;
}

static struct order *gather_orders(const struct trace_model *model, enum trace_kind kind, size_t *count)
{
	struct order *orders = calloc(model->event_count + 1, sizeof *orders);

	*count = 0;
	for (uint32_t rank = 0; orders && rank < model->ranks; rank++)
		for (size_t i = 0; i < model->of[rank].count; i++) {
			const struct trace_model_event *event = &model->of[rank].events[i];
			const bool out = kind == TRACE_ORDER_SENT;

			/* Those without an epoch, requests, may have begun before the trace. */
			if (event->kind == kind && event->peer >= 0 && event->turn)
				orders[(*count)++] = (struct order){ event->value, event->turn, out ? (int32_t)rank : event->peer, out ? event->peer : (int32_t)rank,
								     { (int32_t)rank, (uint32_t)i } };
		}
	if (*count)
		qsort(orders, *count, sizeof *orders, by_channel);
	return orders;
}

static bool match_orders(struct trace_model *model)
{
	size_t sent_count, came_count, at = 0;
	struct order *sent = gather_orders(model, TRACE_ORDER_SENT, &sent_count), *came = gather_orders(model, TRACE_ORDER_CAME, &came_count);

	for (size_t i = 0; sent && came && i < came_count; i++) {
		while (at < sent_count && !is_alike(&sent[at], &came[i]) && by_channel(&sent[at], &came[i]) < 0)
			at++;
		/* Only where each is there once is it sure which is which. */
		if (at >= sent_count || !is_alike(&sent[at], &came[i]))
			continue;
		const bool one_sent = at + 1 >= sent_count || !is_alike(&sent[at], &sent[at + 1]);
		const bool one_came = (i == 0 || !is_alike(&came[i - 1], &came[i])) && (i + 1 >= came_count || !is_alike(&came[i], &came[i + 1]));

		if (!one_sent || !one_came)
			continue;
		trace_event_at(model, came[i].end)->match = sent[at].end;
		trace_event_at(model, sent[at].end)->match = came[i].end;
	}
	const bool fine = sent && came;

	free(sent);
	free(came);
	return fine;
}

/* --- offsets ---------------------------------------------------------------------------------------------------------------------- */

/* Clock `to` plus its offset is at least clock `from` plus its offset where one message came. */
struct bound {
	uint32_t from, to;      /* clocks */
	int64_t least_ns;       /* offset of `to` less that of `from` */
};

struct clocks {
	uint32_t *of;           /* [ranks] */
	size_t count;
	int64_t *guess, *up, *down, *offsets;
	struct bound *bounds;
	size_t bound_count;
};

static int by_clock(const void *a, const void *b, void *context)
{
	const struct trace_model *model = context;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const uint64_t clock_x = model->files[x].clock, clock_y = model->files[y].clock;

	return clock_x != clock_y ? (clock_x > clock_y) - (clock_x < clock_y) : (x > y) - (x < y);
}

/* Ranks of one node have one clock. Its first rank's idea of the time of day, less that of the first clock, is the guess. */
static bool number_clocks(struct clocks *clocks, const struct trace_model *model)
{
	uint32_t *ranks = calloc(model->ranks, sizeof *ranks);
	size_t count = 0;

	clocks->of = calloc(model->ranks, sizeof *clocks->of);
	clocks->guess = calloc(model->ranks + 1, sizeof *clocks->guess);
	if (!ranks || !clocks->of || !clocks->guess) {
		free(ranks);
		return false;
	}
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		if (model->of[rank].there)
			ranks[count++] = rank;
	qsort_r(ranks, count, sizeof *ranks, by_clock, (void *)(uintptr_t)model);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || model->files[ranks[i]].clock != model->files[ranks[i - 1]].clock)
			clocks->guess[clocks->count++] = model->files[ranks[i]].real_ns;
		clocks->of[ranks[i]] = (uint32_t)clocks->count - 1;
	}
	free(ranks);
	return true;
}

static void add_bound(struct clocks *clocks, const struct trace_model *model, struct trace_model_end cause, struct trace_model_end effect)
{
	const uint32_t from = clocks->of[cause.rank], to = clocks->of[effect.rank];

	if (from != to)
		clocks->bounds[clocks->bound_count++] =
			(struct bound){ from, to, trace_event_at(model, cause)->own_ns + 1 - trace_event_at(model, effect)->own_ns };
}

static int by_pair(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->least_ns < y->least_ns) - (x->least_ns > y->least_ns);
}

/* Of each pair of clocks the bound that says most. */
static void keep_tightest(struct clocks *clocks)
{
	size_t kept = 0;

	if (clocks->bound_count)
		qsort(clocks->bounds, clocks->bound_count, sizeof *clocks->bounds, by_pair);
	for (size_t i = 0; i < clocks->bound_count; i++)
		if (!kept || clocks->bounds[kept - 1].from != clocks->bounds[i].from || clocks->bounds[kept - 1].to != clocks->bounds[i].to)
			clocks->bounds[kept++] = clocks->bounds[i];
	clocks->bound_count = kept;
}

/* Of the barrier and the verdict: of each clock the last to enter, the first to leave. */
enum { CLOCKS_ALL_PAIRS = 512 };

static void bound_meetings(struct clocks *clocks, const struct trace_model *model, enum trace_kind left, struct trace_model_end *last, struct trace_model_end *first)
{
	for (size_t i = 0; i < clocks->count; i++)
		last[i] = first[i] = trace_no_end;
	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		const struct trace_model_phases *phases = &model->of[rank].phases;
		const int32_t in = entering(phases, left), out = left == TRACE_BARRIER_DONE ? phases->barrier_done : phases->verdict_done;
		const uint32_t clock = clocks->of[rank];

		if (!model->of[rank].there)
			continue;
		const struct trace_model_event *events = model->of[rank].events;

		if (in >= 0 && (last[clock].rank < 0 || events[in].own_ns > trace_event_at(model, last[clock])->own_ns))
			last[clock] = (struct trace_model_end){ (int32_t)rank, (uint32_t)in };
		if (out >= 0 && (first[clock].rank < 0 || events[out].own_ns < trace_event_at(model, first[clock])->own_ns))
			first[clock] = (struct trace_model_end){ (int32_t)rank, (uint32_t)out };
	}
	for (size_t i = 0; i < clocks->count; i++)
		for (size_t j = 0; j < clocks->count; j++)
			if (last[i].rank >= 0 && first[j].rank >= 0)
				add_bound(clocks, model, last[i], first[j]);
}

/* recent: those of what came since the alert. */
static bool gather_bounds(struct clocks *clocks, const struct trace_model *model, bool recent)
{
	const size_t pairs = clocks->count <= CLOCKS_ALL_PAIRS ? clocks->count * clocks->count : 0;
	struct trace_model_end *ends = calloc(2 * clocks->count + 1, sizeof *ends);

	free(clocks->bounds);
	clocks->bound_count = 0;
	clocks->bounds = calloc(model->event_count + 2 * pairs + 1, sizeof *clocks->bounds);
	if (!ends || !clocks->bounds) {
		free(ends);
		return false;
	}
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = recent && model->of[rank].phases.alert >= 0 ? (size_t)model->of[rank].phases.alert : 0; i < model->of[rank].count; i++) {
			const struct trace_model_end effect = { (int32_t)rank, (uint32_t)i }, cause = trace_cause(model, effect);

			if (cause.rank >= 0)
				add_bound(clocks, model, cause, effect);
		}
	if (pairs) {
		bound_meetings(clocks, model, TRACE_BARRIER_DONE, ends, ends + clocks->count);
		bound_meetings(clocks, model, TRACE_VERDICT_DONE, ends, ends + clocks->count);
	}
	free(ends);
	keep_tightest(clocks);
	return true;
}

/* No sound clocks are as far apart; and sums with it are no overflow. */
#define APART_MOST (INT64_MAX / 4)

/* Raises what must be higher, or lowers what must be lower, until all bounds hold, or nothing can make them hold. */
static void relax(const struct clocks *clocks, int64_t *offsets, bool up)
{
	bool moved = true;

	for (size_t round = 0; moved && round <= clocks->count; round++) {
		moved = false;
		for (size_t i = 0; i < clocks->bound_count; i++) {
			const struct bound *bound = &clocks->bounds[i];

			if (offsets[bound->to] - offsets[bound->from] >= bound->least_ns)
				continue;
			const int64_t moved_ns = up ? offsets[bound->from] + bound->least_ns : offsets[bound->to] - bound->least_ns;

			if (moved_ns > APART_MOST || moved_ns < -APART_MOST)
				continue;
			offsets[up ? bound->to : bound->from] = moved_ns;
			moved = true;
		}
	}
}

static bool make_room(struct clocks *clocks)
{
	const size_t size = clocks->count * sizeof *clocks->guess;

	clocks->up = malloc(size + 1);
	clocks->down = malloc(size + 1);
	clocks->offsets = malloc(size + 1);
	/* From differences: the sum of two times of day would be no number. */
	for (size_t i = clocks->count; i--;) {
		clocks->guess[i] -= clocks->guess[0];
		if (clocks->guess[i] > APART_MOST || clocks->guess[i] < -APART_MOST)
			clocks->guess[i] = 0;
	}
	return clocks->up && clocks->down && clocks->offsets;
}

/* false: not all bounds hold. */
static bool solve(struct clocks *clocks)
{
	const size_t size = clocks->count * sizeof *clocks->guess;
	bool holds = true;

	memcpy(clocks->up, clocks->guess, size);
	memcpy(clocks->down, clocks->guess, size);
	relax(clocks, clocks->up, true);
	relax(clocks, clocks->down, false);
	for (size_t i = 0; i < clocks->count; i++)
		clocks->offsets[i] = clocks->down[i] + (clocks->up[i] - clocks->down[i]) / 2;
	for (size_t i = 0; i < clocks->bound_count; i++)
		holds &= clocks->offsets[clocks->bounds[i].to] - clocks->offsets[clocks->bounds[i].from] >= clocks->bounds[i].least_ns;
	return holds;
}

bool trace_correct_clocks(struct trace_model *model)
{
	struct clocks clocks = { 0 };
	bool fine = match_orders(model) && number_clocks(&clocks, model) && make_room(&clocks) && gather_bounds(&clocks, model, false);

	if (fine && !solve(&clocks)) {
		fine = gather_bounds(&clocks, model, true);
		if (fine)
			solve(&clocks);
	}
	for (uint32_t rank = 0; fine && rank < model->ranks; rank++) {
		struct trace_model_rank *of = &model->of[rank];

		of->offset_ns = of->there ? clocks.offsets[clocks.of[rank]] : 0;
		for (size_t i = 0; i < of->count; i++)
			of->events[i].ns = of->events[i].own_ns + of->offset_ns;
	}
	model->clocks = clocks.count;
	free(clocks.of);
	free(clocks.guess);
	free(clocks.up);
	free(clocks.down);
	free(clocks.offsets);
	free(clocks.bounds);
	return fine;
}
