/* SPDX-License-Identifier: BSD-3-Clause */
/* The model as JSON. */
#include "command/command.h"
#include "tracing/trace.h"
#include "tracing/inside.h"

static json_t *end_json(struct trace_model_end end)
{
	return end.rank < 0 ? json_null() : json_pack("{s:I, s:I}", "rank", (json_int_t)end.rank, "event", (json_int_t)end.index);
}

static json_t *number_or_null(int64_t number, int64_t none)
{
	return number == none ? json_null() : json_integer(number);
}

static json_int_t number(uint64_t value)
{
	return (json_int_t)(value > INT64_MAX ? INT64_MAX : value);
}

static json_t *comm_json(const struct trace_model *model, int32_t comm)
{
	return comm < 0 ? json_null() : command_json_text(model->comms[comm].name);
}

static json_t *event_json(const struct trace_model *model, const struct trace_model_event *event)
{
	json_t *object = json_pack("{s:s, s:I, s:I, s:b}", "kind", trace_kind_name(event->kind), "ns", (json_int_t)event->ns, "order", (json_int_t)event->order,
				   "after_cut", event->after);

	json_object_set_new(object, "own_ns", json_integer(event->own_ns));
	json_object_set_new(object, "step", number_or_null(event->step, TRACE_MODEL_NO_STEP));
	if (event->peer >= 0)
		json_object_set_new(object, "peer", json_integer(event->peer));
	if (event->comm >= 0)
		json_object_set_new(object, "communicator", comm_json(model, event->comm));
	if (event->message >= 0)
		json_object_set_new(object, "message", json_integer(event->message));
	if (event->marker >= 0)
		json_object_set_new(object, "marker", json_integer(event->marker));
	if (event->value)
		json_object_set_new(object, "value", json_integer(number(event->value)));
	if (event->position && event->position != TRACE_MODEL_NO_POSITION)
		json_object_set_new(object, "position", json_integer(event->position));
	if (event->text)
		json_object_set_new(object, "text", command_json_text(event->text));
	if (event->flags & (TRACE_VOID | TRACE_FAILED))
		json_object_set_new(object, "bad", json_true());
	return object;
}

static json_t *rank_json(const struct trace_model *model, uint32_t rank)
{
	const struct trace_model_rank *of = &model->of[rank];
	json_t *events = json_array(), *object = json_pack("{s:I, s:b}", "rank", (json_int_t)rank, "there", of->there);

	if (of->problem[0])
		json_object_set_new(object, "problem", command_json_text(of->problem));
	json_object_set_new(object, "step", number_or_null(of->step, TRACE_MODEL_NO_STEP));
	json_object_set_new(object, "void", json_boolean(of->is_void));
	json_object_set_new(object, "cut", number_or_null(of->phases.cut, -1));
	json_object_set_new(object, "closed", number_or_null(of->phases.closed, -1));
	json_object_set_new(object, "offset_ns", json_integer(of->offset_ns));
	json_object_set_new(object, "lost", json_integer(number(of->lost)));
	json_object_set_new(object, "events", events);
	for (size_t i = 0; i < of->count; i++)
		json_array_append_new(events, event_json(model, &of->events[i]));
	return object;
}

static json_t *message_json(const struct trace_model *model, const struct trace_model_message *message)
{
	return json_pack("{s:I, s:I, s:o, s:I, s:o, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "from", (json_int_t)message->from, "to", (json_int_t)message->to,
			 "communicator", comm_json(model, message->comm), "tag", (json_int_t)message->tag,
			 "position", number_or_null(message->position, TRACE_MODEL_NO_POSITION), "bytes", number(message->bytes),
			 "place", trace_place_name(message->place), "synchronous", message->synchronous, "way_ns", number_or_null(message->way_ns, -1),
			 "sent", end_json(message->sent), "told", end_json(message->told), "recorded", end_json(message->recorded),
			 "drained", end_json(message->drained));
}

static json_t *marker_json(const struct trace_model_marker *marker)
{
	return json_pack("{s:I, s:I, s:b, s:I, s:I, s:o, s:o, s:o}", "from", (json_int_t)marker->from, "to", (json_int_t)marker->to, "void", marker->is_void,
			 "streams", number(marker->streams), "messages", number(marker->counted), "sent", end_json(marker->sent),
			 "head", end_json(marker->head), "counts", end_json(marker->counts));
}

json_t *trace_json(const struct trace_model *model, const struct trace_view *view)
{
	json_t *ranks = json_array(), *messages = json_array(), *markers = json_array(), *comms = json_array();
	json_t *object = json_pack("{s:I, s:I, s:I, s:I, s:b, s:b, s:o}", "number", number(model->number), "life", (json_int_t)model->life,
				   "epoch", number(model->epoch), "ranks", (json_int_t)model->ranks, "committed", model->committed, "void", model->is_void,
				   "why", command_json_text(model->why));

	json_object_set_new(object, "announced_at_ns", json_integer(model->announced_at_ns));
	json_object_set_new(object, "late", json_integer(number(model->late)));
	json_object_set_new(object, "late_bytes", json_integer(number(model->late_bytes)));
	json_object_set_new(object, "orphans", json_integer(number(model->orphans)));
	json_object_set_new(object, "clocks", json_integer(number(model->clocks)));
	json_object_set_new(object, "pushed_ns", json_integer(model->pushed_ns));
	json_object_set_new(object, "unordered", json_integer(number(model->unordered)));
	json_object_set_new(object, "communicators", comms);
	json_object_set_new(object, "of", ranks);
	json_object_set_new(object, "messages", messages);
	json_object_set_new(object, "markers", markers);
	for (size_t i = 0; i < model->comm_count; i++)
		json_array_append_new(comms, json_pack("{s:o, s:o}", "name", command_json_text(model->comms[i].name), "label",
						       command_json_text(model->comms[i].label)));
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		if (view->ranks[rank])
			json_array_append_new(ranks, rank_json(model, rank));
	/* All of them: events name them by their place in the list. */
	for (size_t i = 0; i < model->message_count; i++)
		json_array_append_new(messages, message_json(model, &model->messages[i]));
	for (size_t i = 0; i < model->marker_count; i++)
		json_array_append_new(markers, marker_json(&model->markers[i]));
	return object;
}
