/* SPDX-License-Identifier: BSD-3-Clause */
/* A snapshot step by step, as text. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "tracing/trace.h"
#include "tracing/inside.h"

/* Beyond so many ranks, and unless some are chosen, the steps are summed up. */
enum { RANKS_IN_STEPS = 16, LIKE_EACH_OTHER = 3, ROWS = 64 };

/* --- the head ------------------------------------------------------------------------------------------------------------- */

static void print_head(const struct trace_model *model)
{
	const char *outcome = model->committed ? "committed" : model->is_void ? "void" : "its outcome is not in the trace";

	command_print("snapshot %" PRIu64 " (life %" PRIu32 "), %" PRIu32 " ranks: %s; %" PRIu64 " message%s in flight (%s)", model->number, model->life,
		      model->ranks, outcome, model->late, model->late == 1 ? "" : "s", command_size(model->late_bytes).text);
	if (model->is_void)
		command_print("void, because %s", model->why[0] ? model->why : "somebody said so");
	if (model->orphans)
		command_print("%" PRIu64 " orphan%s: sent after the sender's cut, received before the receiver's", model->orphans, model->orphans == 1 ? "" : "s");
	command_print("announced %s; times are since then", command_time(model->announced_at_ns).text);
	if (model->clocks > 1 || model->pushed_ns)
		command_print("%" PRIu64 " clock%s, aligned by what passed between them%s%s", model->clocks, model->clocks == 1 ? "" : "s",
			      model->pushed_ns ? "; where that was not enough, events moved by up to " : "", model->pushed_ns ? trace_time(model->pushed_ns).text : "");
	if (model->unordered)
		command_print("%" PRIu64 " events could not be put behind their causes: the trace is damaged", model->unordered);
	command_print("%s", "");
}

/* --- the steps ------------------------------------------------------------------------------------------------------------- */

static bool is_crossing(const struct trace_model *model, const struct trace_model_event *event)
{
	const struct trace_model_message *message = event->message >= 0 ? &model->messages[event->message] : NULL;

	if (!message)
		return false;
	if (message->place == TRACE_MODEL_ORPHAN)
		return event->kind == TRACE_SEND || event->kind == TRACE_TOLD;
	if (message->place != TRACE_MODEL_LATE)
		return false;
	/* Told of where it is received; where it is not, when it is drained or recorded. */
	return event->kind == TRACE_TOLD || event->kind == TRACE_DRAINED ||
	       (event->kind == TRACE_RECORDED && message->told.rank < 0 && message->drained.rank < 0);
}

static bool is_step(const struct trace_model *model, const struct trace_model_event *event)
{
	switch (event->kind) {
	case TRACE_SEND:
	case TRACE_TOLD:
	case TRACE_RECORDED:
	case TRACE_DRAINED:
		return is_crossing(model, event);
	case TRACE_UNSENT:
	case TRACE_PLACED:
	case TRACE_COLLECTIVE:
	case TRACE_SAFEPOINT:
	case TRACE_COUNTS_CAME:
	case TRACE_CAPTURE:
	case TRACE_MARKED:
	case TRACE_MARKED_MORE:
	case TRACE_REBASED:
		return false;
	case TRACE_CAPTURED:
		return event->flags & TRACE_FAILED;
	default:
		return true;
	}
}

/* Where the story begins: with the request, or else the announcement. */
static uint32_t first_step(const struct trace_model *model)
{
	uint32_t first = UINT32_MAX;

	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		const struct trace_model_rank *of = &model->of[rank];
		int32_t i = of->phases.alert;

		if (i < 0)
			continue;
		if (of->events[i].order < first)
			first = of->events[i].order;
		while (i-- > 0 && of->events[i].kind != TRACE_OUTCOME)
			if ((of->events[i].kind == TRACE_REQUEST || (of->events[i].kind == TRACE_ORDER_CAME && of->events[i].turn == model->epoch)) &&
			    of->events[i].order < first)
				first = of->events[i].order;
	}
	return first == UINT32_MAX ? 0 : first;
}

static void print_event(const struct trace_model *model, struct trace_model_end end)
{
	command_print("%12s  rank %-4" PRId32 "  %s", trace_time(trace_event_at(model, end)->ns).text, end.rank, trace_event_words(model, end).text);
}

/* Messages like the ones before are counted: of each rank the last kind that was printed, and how many. */
struct alike {
	enum trace_kind kind;
	enum trace_model_place place;
	uint64_t count;
};

static void print_more(struct alike *alike, int32_t rank)
{
	if (alike->count > LIKE_EACH_OTHER)
		command_print("%12s  rank %-4" PRId32 "  ... and %" PRIu64 " more like that", "", rank, alike->count - LIKE_EACH_OTHER);
	alike->count = 0;
}

/* Whether this one is only counted. */
static bool is_alike(struct alike *alike, const struct trace_model *model, struct trace_model_end end)
{
	const struct trace_model_event *event = trace_event_at(model, end);
	const enum trace_model_place place = event->message >= 0 ? model->messages[event->message].place : TRACE_MODEL_UNKNOWN;

	if (event->message < 0 || alike->kind != event->kind || alike->place != place)
		print_more(alike, end.rank);
	if (event->message < 0)
		return false;
	alike->kind = event->kind;
	alike->place = place;
	return ++alike->count > LIKE_EACH_OTHER;
}

static void print_steps(const struct trace_model *model, const struct trace_view *view)
{
	struct alike *alike = calloc(model->ranks, sizeof *alike);
	const uint32_t first = view->all ? 0 : first_step(model);

	for (size_t i = 0; alike && i < model->event_count; i++) {
		const struct trace_model_end end = model->in_order[i];
		const struct trace_model_event *event = trace_event_at(model, end);

		if (!view->ranks[end.rank] || event->order < first || (!view->all && !is_step(model, event)))
			continue;
		if (view->all || !is_alike(&alike[end.rank], model, end))
			print_event(model, end);
	}
	for (uint32_t rank = 0; alike && rank < model->ranks; rank++)
		print_more(&alike[rank], (int32_t)rank);
	if (!alike)
		command_complain("no memory for the steps");
	free(alike);
}

/* --- summed up ----------------------------------------------------------------------------------------------------------------- */

struct spread {
	const char *words;
	size_t offset;          /* of the phase */
};

static int32_t phase_at(const struct trace_model_phases *phases, size_t offset)
{
	int32_t at;

	memcpy(&at, (const char *)phases + offset, sizeof at);
	return at;
}

static void print_spread(const struct trace_model *model, const struct trace_view *view, const struct spread *spread)
{
	int64_t least = INT64_MAX, most = INT64_MIN;
	uint32_t count = 0, first = 0, last = 0;

	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		const int32_t at = phase_at(&model->of[rank].phases, spread->offset);

		if (!view->ranks[rank] || at < 0)
			continue;
		const int64_t ns = model->of[rank].events[at].ns;

		count++;
		if (ns < least) {
			least = ns;
			first = rank;
		}
		if (ns > most) {
			most = ns;
			last = rank;
		}
	}
	if (count)
		command_print("%-28s %8" PRIu32 " %12s %8" PRIu32 " %12s %8" PRIu32, spread->words, count, trace_time(least).text, first, trace_time(most).text, last);
}

static void print_spreads(const struct trace_model *model, const struct trace_view *view)
{
#define PHASE(words, name) { words, offsetof(struct trace_model_phases, name) }
	static const struct spread spreads[] = {
		PHASE("alert", alert), PHASE("order to cut, or a marker", ordered), PHASE("cut", cut), PHASE("program goes on", goes_on),
		PHASE("markers matched", matched), PHASE("cannot go along", void_here), PHASE("closing barrier entered", barrier), PHASE("... complete", barrier_done),
		PHASE("channels closed", closed), PHASE("image on the disk", durable), PHASE("verdict entered", verdict), PHASE("... is here", verdict_done),
		PHASE("outcome known", outcome),
	};
#undef PHASE

	command_print("%-28s %8s %12s %8s %12s %8s", "", "ranks", "first at", "rank", "last at", "rank");
	for (size_t i = 0; i < sizeof spreads / sizeof spreads[0]; i++)
		print_spread(model, view, &spreads[i]);
	command_print("%s", "");
}

/* --- per rank ---------------------------------------------------------------------------------------------------------------------- */

struct counts {
	uint64_t sent, received;   /* in the window */
	uint64_t late, late_bytes; /* to it */
};

static struct counts count_messages(const struct trace_model *model, uint32_t rank)
{
	const struct trace_model_rank *of = &model->of[rank];
	const struct trace_model_phases *phases = &of->phases;
	const size_t end = phases->closed >= 0 ? (size_t)phases->closed : of->count;
	struct counts counts = { 0 };

	for (size_t i = phases->cut < 0 ? end : (size_t)phases->cut; i < end; i++) {
		counts.sent += of->events[i].kind == TRACE_SEND;
		counts.received += of->events[i].kind == TRACE_TOLD;
	}
	for (size_t i = 0; i < model->message_count; i++)
		if (model->messages[i].to == (int32_t)rank && model->messages[i].place == TRACE_MODEL_LATE) {
			counts.late++;
			counts.late_bytes += model->messages[i].bytes;
		}
	return counts;
}

static struct trace_words between(const struct trace_model_rank *of, int32_t from, int32_t to)
{
	struct trace_words none = { "-" };

	return from >= 0 && to > from ? trace_time(of->events[to].ns - of->events[from].ns) : none;
}

static void print_rank(const struct trace_model *model, uint32_t rank)
{
	const struct trace_model_rank *of = &model->of[rank];
	const struct trace_model_phases *phases = &of->phases;
	const struct counts counts = count_messages(model, rank);
	char step[32] = "-", cut[64] = "none";

	if (of->step >= 0)
		snprintf(step, sizeof step, "%" PRId64, of->step);
	if (phases->cut >= 0)
		snprintf(cut, sizeof cut, "%.40s%s", trace_time(of->events[phases->cut].ns).text, of->is_void ? " void" : "");
	command_print("%6" PRIu32 " %8s %14s %10s %10s %10s %9" PRIu64 " %9" PRIu64 " %6" PRIu64 " %10s", rank, step, cut,
		      between(of, phases->capture, phases->captured).text, between(of, phases->capture >= 0 ? phases->capture : phases->cut, phases->goes_on).text,
		      between(of, phases->cut, phases->closed).text, counts.sent, counts.received, counts.late, command_size(counts.late_bytes).text);
}

static void print_ranks(const struct trace_model *model, const struct trace_view *view)
{
	uint32_t printed = 0;

	command_print("%s", "");
	command_print("%6s %8s %14s %10s %10s %10s %9s %9s %6s %10s", "rank", "step", "cut at", "taken in", "held", "window", "sent", "received", "late", "size");
	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		if (!view->ranks[rank] || !model->of[rank].there)
			continue;
		if (++printed > ROWS && !view->given)
			continue;
		print_rank(model, rank);
	}
	if (printed > ROWS && !view->given)
		command_print("... and %" PRIu32 " more: --ranks shows them", printed - ROWS);
	command_print("taken in: how long the state was copied; held: the program did not go on; window: from the cut until the channels were closed, with what was sent and received in it; "
		      "late: in flight to this rank");
}

void trace_print(const struct trace_model *model, const struct trace_view *view)
{
	print_head(model);
	if (view->all || view->given || view->shown <= RANKS_IN_STEPS)
		print_steps(model, view);
	else
		print_spreads(model, view);
	print_ranks(model, view);
}
