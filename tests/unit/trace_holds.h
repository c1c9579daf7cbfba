/* SPDX-License-Identifier: BSD-3-Clause */
/* What is so of every model of a trace, whoever wrote the files: indices are in range, both ends of all that has two know each other, the order is one of all events, and nothing is told before its cause unless
 * the model says that it could not be helped. */
#ifndef TRACE_HOLDS_H
#define TRACE_HOLDS_H

#include <stdlib.h>
#include <string.h>

#include "tracing/inside.h"

static inline bool trace_holds_end(const struct trace_model *model, struct trace_model_end end)
{
	return end.rank == -1 || (end.rank >= 0 && (uint32_t)end.rank < model->ranks && end.index < model->of[end.rank].count);
}

static inline bool trace_holds_is(struct trace_model_end x, struct trace_model_end y)
{
	return x.rank == y.rank && x.index == y.index;
}

/* When it would have been shown if its clock's offset had been enough; against the same zero. */
static inline int64_t trace_holds_pushed(const struct trace_model *model, struct trace_model_end end)
{
	const struct trace_model_end first = model->in_order[0];
	const int64_t zero_ns = trace_event_at(model, first)->own_ns + model->of[first.rank].offset_ns - trace_event_at(model, first)->ns;

	return trace_event_at(model, end)->ns + zero_ns - trace_event_at(model, end)->own_ns - model->of[end.rank].offset_ns;
}

static inline const char *trace_holds_events(const struct trace_model *model, int64_t *worst_ns, uint64_t *unordered)
{
	size_t count = 0;

	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = 0; i < model->of[rank].count; i++, count++) {
			const struct trace_model_end here = { (int32_t)rank, (uint32_t)i };
			const struct trace_model_event *event = trace_event_at(model, here);

			if (!event->order || event->order > model->event_count || !trace_holds_is(model->in_order[event->order - 1], here))
				return "each event is in the order once";
			if (i && (event[-1].order >= event->order || event[-1].ns > event->ns))
				return "order and times grow in a rank";
			if (event->message < -1 || event->message >= (int64_t)model->message_count || event->marker < -1 || event->marker >= (int64_t)model->marker_count ||
			    event->comm < -1 || event->comm >= (int64_t)model->comm_count || event->peer < -1 || event->peer >= (int64_t)model->ranks)
				return "indices are in range";
			if (!trace_holds_end(model, event->match) ||
			    (event->match.rank >= 0 && event->kind != TRACE_COUNTS_CAME && !trace_holds_is(trace_event_at(model, event->match)->match, here)))
				return "what matches knows that";
			const int64_t pushed_ns = trace_holds_pushed(model, here);

			if (pushed_ns < 0)
				return "nothing is shown before its time";
			if (pushed_ns > *worst_ns)
				*worst_ns = pushed_ns;
			const struct trace_model_end cause = trace_cause(model, here);

			if (!trace_holds_end(model, cause))
				return "a cause is an event";
			if (cause.rank >= 0 && (trace_event_at(model, cause)->order >= event->order || trace_event_at(model, cause)->ns >= event->ns))
				(*unordered)++;
		}
	return count == model->event_count ? NULL : "all events are in the order";
}

/* Nobody leaves a meeting before all are in it. */
static inline uint64_t trace_holds_meetings(const struct trace_model *model)
{
	int64_t in_ns[2] = { INT64_MIN, INT64_MIN };
	uint64_t early = 0;

	for (int leaving = 0; leaving < 2; leaving++)
		for (uint32_t rank = 0; rank < model->ranks; rank++) {
			const struct trace_model_phases *phases = &model->of[rank].phases;
			const int32_t at[2] = { leaving ? phases->barrier_done : phases->barrier, leaving ? phases->verdict_done : phases->verdict };

			for (int which = 0; which < 2; which++) {
				if (at[which] < 0)
					continue;
				const int64_t ns = model->of[rank].events[at[which]].ns;

				if (!leaving && ns > in_ns[which])
					in_ns[which] = ns;
				early += leaving && ns <= in_ns[which];
			}
		}
	return early;
}

static inline const char *trace_holds_messages(const struct trace_model *model)
{
	uint64_t late = 0, orphans = 0;

	for (size_t i = 0; i < model->message_count; i++) {
		const struct trace_model_message *message = &model->messages[i];
		const struct trace_model_end ends[] = { message->sent, message->told, message->recorded, message->drained };
		static const enum trace_kind kinds[] = { TRACE_SEND, TRACE_TOLD, TRACE_RECORDED, TRACE_DRAINED };
		int known = 0;

		if (message->from < 0 || message->from >= (int64_t)model->ranks || message->to < 0 || message->to >= (int64_t)model->ranks || message->comm < -1 ||
		    message->comm >= (int64_t)model->comm_count || (unsigned)message->place > TRACE_MODEL_UNKNOWN || message->way_ns < -1)
			return "a message's fields are in range";
		for (int k = 0; k < 4; k++) {
			if (!trace_holds_end(model, ends[k]))
				return "a message's ends are events";
			if (ends[k].rank < 0)
				continue;
			known++;
			if (ends[k].rank != (k ? message->to : message->from) || trace_event_at(model, ends[k])->kind != kinds[k] || trace_event_at(model, ends[k])->message != (int32_t)i)
				return "a message's ends are its own";
		}
		if (!known)
			return "a message is somewhere";
		late += message->place == TRACE_MODEL_LATE;
		orphans += message->place == TRACE_MODEL_ORPHAN;
	}
	return late == model->late && orphans == model->orphans ? NULL : "late messages and orphans are counted";
}

static inline const char *trace_holds_markers(const struct trace_model *model)
{
	for (size_t i = 0; i < model->marker_count; i++) {
		const struct trace_model_marker *marker = &model->markers[i];

		if (!trace_holds_end(model, marker->sent) || !trace_holds_end(model, marker->head) || !trace_holds_end(model, marker->counts) || marker->sent.rank != marker->from ||
		    marker->to < 0 || marker->to >= (int64_t)model->ranks || (marker->head.rank >= 0 && marker->head.rank != marker->to) ||
		    (marker->counts.rank >= 0 && marker->counts.rank != marker->to))
			return "a marker's ends are its own";
	}
	return NULL;
}

static inline const char *trace_holds_phases(const struct trace_model *model)
{
	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		const struct trace_model_rank *of = &model->of[rank];
		int32_t phases[sizeof of->phases / sizeof(int32_t)];

		memcpy(phases, &of->phases, sizeof phases);
		for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
			if (phases[i] < -1 || phases[i] >= (int64_t)of->count)
				return "phases are events";
		if (!of->there && of->count)
			return "who has no file has no events";
	}
	return NULL;
}

/* Null: all is so; else what is not. */
static inline const char *trace_holds(const struct trace_model *model)
{
	int64_t worst_ns = 0;
	uint64_t unordered = 0;
	const char *wrong = trace_holds_phases(model);

	if (!wrong)
		wrong = trace_holds_events(model, &worst_ns, &unordered);
	if (!wrong)
		wrong = trace_holds_messages(model);
	if (!wrong)
		wrong = trace_holds_markers(model);
	if (!wrong && worst_ns > model->pushed_ns)
		wrong = "no event was moved further than is said";
	unordered += trace_holds_meetings(model);
	if (!wrong && unordered && !model->unordered)
		wrong = "every cause comes before its effects, or the trace is said to be damaged";
	return wrong;
}

#endif
