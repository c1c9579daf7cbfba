/* SPDX-License-Identifier: BSD-3-Clause */
/* Events in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "command/command.h"
#include "tracing/trace.h"
#include "tracing/inside.h"

static void say(struct trace_words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct trace_words *words, const char *format, ...)
{
	const size_t used = strlen(words->text);
	va_list list;

	va_start(list, format);
	vsnprintf(words->text + used, sizeof words->text - used, format, list);
	va_end(list);
}

struct trace_words trace_time(int64_t ns)
{
	struct trace_words words = { "" };
	const double value = (double)ns;

	if (ns < 10000 && ns > -10000)
		say(&words, "%.2f us", value / 1e3);
	else if (ns < 1000000 && ns > -1000000)
		say(&words, "%.0f us", value / 1e3);
	else if (ns < 1000000000 && ns > -1000000000)
		say(&words, "%.1f ms", value / 1e6);
	else
		say(&words, "%.2f s", value / 1e9);
	return words;
}

const char *trace_place_name(enum trace_model_place place)
{
	static const char *const names[] = { "before", "late", "new", "orphan", "unknown" };

	return names[place];
}

struct trace_words trace_comm_words(const struct trace_model *model, int32_t comm)
{
	struct trace_words words = { "" };

	if (comm < 0)
		say(&words, "?");
	else if (model->comms[comm].label[0])
		say(&words, "%.127s (%.255s)", model->comms[comm].label, model->comms[comm].name);
	else
		say(&words, "%.255s", model->comms[comm].name);
	return words;
}

/* "(tag 5, 12th of its stream, 32 B)" */
static void say_message(struct trace_words *words, const struct trace_model *model, const struct trace_model_event *event)
{
	say(words, " (tag %" PRIu32, event->tag);
	if (event->comm < 0 || strcmp(model->comms[event->comm].name, "world") != 0)
		say(words, " on %.100s", trace_comm_words(model, event->comm).text);
	if (event->position != TRACE_MODEL_NO_POSITION)
		say(words, ", number %" PRId64 " of its stream", event->position);
	say(words, ", %s)", command_size(event->value).text);
}

/* Why a message is where it is. */
static void say_place(struct trace_words *words, const struct trace_model *model, const struct trace_model_event *event)
{
	const struct trace_model_message *message = event->message >= 0 ? &model->messages[event->message] : NULL;

	if (!message)
		return;
	if (message->sent.rank >= 0)
		say(words, ", sent %s before", trace_time(event->ns - trace_event_at(model, message->sent)->ns).text);
	if (message->place == TRACE_MODEL_LATE)
		say(words, "; late: sent before the cut of rank %" PRId32 ", and %s that of rank %" PRId32 ", so it is in flight", message->from,
		    event->kind == TRACE_TOLD ? "received after" : "not received before", message->to);
	else if (message->place == TRACE_MODEL_ORPHAN)
		say(words, "; an orphan: sent after the cut of rank %" PRId32 ", and rank %" PRId32 " has not cut yet", message->from, message->to);
	else if (message->place == TRACE_MODEL_NEW && event->after)
		say(words, "; new: sent after the cut of rank %" PRId32, message->from);
}

static void say_step(struct trace_words *words, int64_t step)
{
	if (step >= 0)
		say(words, " at step %" PRId64, step);
}

static void say_held(struct trace_words *words, const struct trace_model *model, int32_t rank)
{
	const struct trace_model_rank *of = &model->of[rank];
	const struct trace_model_phases *phases = &of->phases;

	if (phases->capture >= 0 && phases->captured > phases->capture)
		say(words, "; its state was taken in %s", trace_time(of->events[phases->captured].ns - of->events[phases->capture].ns).text);
}

/* "I had sent you 12 messages" */
static void say_marker(struct trace_words *words, const struct trace_model *model, const struct trace_model_event *event)
{
	const struct trace_model_marker *marker = event->marker >= 0 ? &model->markers[event->marker] : NULL;

	if (!marker)
		return;
	if (marker->counted)
		say(words, ": \"my cut is made; before it I had sent you %" PRIu64 " message%s\"", marker->counted, marker->counted == 1 ? "" : "s");
	else
		say(words, ": \"my cut is made; I had sent you nothing\"");
	if (marker->streams > 1)
		say(words, " (in %" PRIu64 " streams)", marker->streams);
}

static void say_order(struct trace_words *words, const struct trace_model_event *event)
{
	static const char *const orders[] = { "?", "a request", "the announcement", "READY", "the order to cut", "the order to cut sooner", "the outcome" };
	const char *order = event->value < sizeof orders / sizeof orders[0] ? orders[event->value] : orders[0];

	if (event->kind == TRACE_ORDER_SENT)
		say(words, "sends %s to rank %" PRId32, order, event->peer);
	else
		say(words, "receives %s from rank %" PRId32, order, event->peer);
	if (event->value == TRACE_ORDER_CUT)
		say_step(words, event->position);
}

static void say_own(struct trace_words *words, const struct trace_model *model, struct trace_model_end end)
{
	static const char *const plain[TRACE_KINDS] = {
		[TRACE_ALERT] = "knows that a snapshot is to be taken: the alert begins", [TRACE_CAPTURE] = "begins to take its state",
		[TRACE_GOES_ON] = "goes on with the program", [TRACE_MATCHED] = "has its markers matched, all of them",
		[TRACE_BARRIER] = "enters the closing barrier", [TRACE_BARRIER_DONE] = "sees the closing barrier complete: every marker is there",
		[TRACE_CLOSED] = "has its channels closed: the record of late messages is complete", [TRACE_GIVEN_UP] = "gives its image up",
		[TRACE_COMMIT] = "writes the manifest", [TRACE_REBASED] = "counts messages from this cut on", [TRACE_UNSENT] = "is refused that send by MPI",
		[TRACE_PLACED] = "knows the position of a message that it has received",
	};
	const struct trace_model_event *event = trace_event_at(model, end);
	const bool bad = event->flags & (TRACE_VOID | TRACE_FAILED);

	switch (event->kind) {
	case TRACE_CAPTURED:
		say(words, bad ? "cannot take its state" : "has its state");
		return;
	case TRACE_CUT:
		say(words, "%s", bad ? "makes a void cut" : "cuts at its safepoint");
		say_step(words, event->position);
		if (!bad)
			say_held(words, model, end.rank);
		return;
	case TRACE_DURABLE:
		say(words, "has its image on the disk (%s)", command_size(event->value).text);
		return;
	case TRACE_VERDICT:
		say(words, "enters the verdict%s", bad ? ": void" : "");
		return;
	case TRACE_VERDICT_DONE:
		say(words, "has the verdict: %s", bad ? "void" : "all well");
		return;
	case TRACE_COMMITTED:
		say(words, bad ? "has failed to write the manifest" : "has the manifest in place: the commit");
		return;
	case TRACE_OUTCOME:
		say(words, "knows the outcome: %s", bad ? "void" : "committed");
		return;
	case TRACE_VOID_HERE:
		say(words, "cannot go along: %s", event->text ? event->text : "void");
		return;
	case TRACE_LEFT_OUT:
		say(words, "had no room for %" PRIu64 " of its events from here to the outcome", event->value);
		return;
	default:
		say(words, "%s", plain[event->kind] ? plain[event->kind] : trace_kind_name(event->kind));
	}
}

static void say_stream(struct trace_words *words, const struct trace_model *model, const struct trace_model_event *event)
{
	say(words, "had sent rank %" PRId32 " %" PRId64 " with tag %" PRIu32, event->peer, event->position, event->tag);
	if (event->comm < 0 || strcmp(model->comms[event->comm].name, "world") != 0)
		say(words, " on %.100s", trace_comm_words(model, event->comm).text);
}

struct trace_words trace_event_words(const struct trace_model *model, struct trace_model_end end)
{
	const struct trace_model_event *event = trace_event_at(model, end);
	struct trace_words words = { "" };

	switch (event->kind) {
	case TRACE_SEND:
		say(&words, "sends to rank %" PRId32, event->peer);
		say_message(&words, model, event);
		if (event->text)
			say(&words, " by %.40s", event->text);
		break;
	case TRACE_TOLD:
		say(&words, "receives from rank %" PRId32, event->peer);
		say_message(&words, model, event);
		say_place(&words, model, event);
		break;
	case TRACE_RECORDED:
	case TRACE_DRAINED:
		say(&words, "%s a message from rank %" PRId32, event->kind == TRACE_RECORDED ? "records" : "takes out of the MPI library", event->peer);
		say_message(&words, model, event);
		if (event->kind == TRACE_DRAINED)
			say_place(&words, model, event);
		break;
	case TRACE_COLLECTIVE:
		say(&words, "begins %.60s on %.100s", event->text ? event->text : "a collective", trace_comm_words(model, event->comm).text);
		break;
	case TRACE_SAFEPOINT:
		say(&words, "is at a safepoint");
		say_step(&words, event->position);
		break;
	case TRACE_REQUEST:
		say(&words, "is asked for a snapshot");
		break;
	case TRACE_ORDER_SENT:
	case TRACE_ORDER_CAME:
		say_order(&words, event);
		break;
	case TRACE_MARKER_SENT:
		say(&words, "sends a%s marker to rank %" PRId32, event->flags & TRACE_VOID ? " void" : "", event->peer);
		say_marker(&words, model, event);
		break;
	case TRACE_HEAD_CAME:
		say(&words, "notices the%s marker of rank %" PRId32, event->flags & TRACE_VOID ? " void" : "", event->peer);
		break;
	case TRACE_COUNTS_CAME:
		say(&words, "has the counts of the marker of rank %" PRId32, event->peer);
		break;
	case TRACE_MARKED:
		say_stream(&words, model, event);
		break;
	default:
		say_own(&words, model, end);
	}
	return words;
}
