/* SPDX-License-Identifier: BSD-3-Clause */
/* For Perfetto and chrome://tracing: their JSON object format (docs/tracing.md). A rank is a process; what its program does is one thread of it, each phase of the snapshot, so that none overlap, another.
 * Messages and markers are flows between slices. */
#include "command/command.h"
#include "tracing/trace.h"
#include "tracing/inside.h"

struct perfetto {
	const struct trace_model *model;
	const struct trace_view *view;
	FILE *to;
	bool any, failed;
};

/* Threads of a rank. */
enum { PROGRAM = 1, SNAPSHOT, PHASES };

static const struct {
	const char *name;
	size_t from, to;
} phases[] = {
#define PHASE(name, from, to) { name, offsetof(struct trace_model_phases, from), offsetof(struct trace_model_phases, to) }
	PHASE("alert", alert, cut), PHASE("state taken", capture, captured), PHASE("program held", capture, goes_on), PHASE("window", cut, closed),
	PHASE("closing barrier", barrier, barrier_done), PHASE("image written", closed, durable), PHASE("verdict", verdict, verdict_done),
	PHASE("outcome awaited", verdict_done, outcome),
#undef PHASE
};
enum { PHASE_COUNT = sizeof phases / sizeof phases[0] };

static void put(struct perfetto *perfetto, json_t *event)
{
	if (perfetto->any)
		fputs(",\n", perfetto->to);
	perfetto->any = true;
	perfetto->failed |= !event || json_dumpf(event, perfetto->to, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(16));
	json_decref(event);
}

/* Microseconds since the first event. */
static double stamp(const struct perfetto *perfetto, int64_t ns)
{
	return (double)(ns - perfetto->model->span_ns[0]) / 1e3;
}

static void put_name(struct perfetto *perfetto, const char *what, uint32_t rank, int thread, const char *name)
{
	put(perfetto, json_pack("{s:s, s:s, s:I, s:i, s:{s:s}}", "name", what, "ph", "M", "pid", (json_int_t)rank, "tid", thread, "args", "name", name));
}

static void put_names(struct perfetto *perfetto, uint32_t rank)
{
	char name[32];

	snprintf(name, sizeof name, "rank %u", (unsigned)rank);
	put_name(perfetto, "process_name", rank, 0, name);
	put(perfetto, json_pack("{s:s, s:s, s:I, s:i, s:{s:I}}", "name", "process_sort_index", "ph", "M", "pid", (json_int_t)rank, "tid", 0, "args",
				"sort_index", (json_int_t)rank));
	put_name(perfetto, "thread_name", rank, PROGRAM, "messages");
	put_name(perfetto, "thread_name", rank, SNAPSHOT, "snapshot");
	for (int i = 0; i < PHASE_COUNT; i++)
		put_name(perfetto, "thread_name", rank, PHASES + i, phases[i].name);
}

static void put_phases(struct perfetto *perfetto, uint32_t rank)
{
	const struct trace_model_rank *of = &perfetto->model->of[rank];

	for (int i = 0; i < PHASE_COUNT; i++) {
		const int32_t from = *(const int32_t *)((const char *)&of->phases + phases[i].from), to = *(const int32_t *)((const char *)&of->phases + phases[i].to);

		if (from < 0 || to <= from)
			continue;
		put(perfetto, json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:i}", "name", phases[i].name, "cat", "snapshot", "ph", "X",
					"ts", stamp(perfetto, of->events[from].ns), "dur", (double)(of->events[to].ns - of->events[from].ns) / 1e3,
					"pid", (json_int_t)rank, "tid", PHASES + i));
	}
}

static bool is_message(enum trace_kind kind)
{
	return kind >= TRACE_SEND && kind <= TRACE_SAFEPOINT;
}

/* Something that takes no time is drawn as a microsecond, or what there is until the next. */
static double length(const struct trace_model_rank *of, size_t i)
{
	const double most = 1;
	double gap;

	for (size_t next = i + 1; next < of->count; next++)
		if (is_message(of->events[next].kind) == is_message(of->events[i].kind)) {
			gap = (double)(of->events[next].ns - of->events[i].ns) / 1e3;
			return gap < most ? gap : most;
		}
	return most;
}

static void put_event(struct perfetto *perfetto, struct trace_model_end end)
{
	const struct trace_model_event *event = trace_event_at(perfetto->model, end);
	const struct trace_model_rank *of = &perfetto->model->of[end.rank];
	json_t *args = json_pack("{s:o}", "what", command_json_text(trace_event_words(perfetto->model, end).text));

	if (event->message >= 0)
		json_object_set_new(args, "place", json_string(trace_place_name(perfetto->model->messages[event->message].place)));
	put(perfetto, json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:i, s:o}", "name", trace_kind_name(event->kind), "cat", is_message(event->kind) ? "message" : "snapshot",
				"ph", "X", "ts", stamp(perfetto, event->ns), "dur", length(of, end.index), "pid", (json_int_t)end.rank,
				"tid", is_message(event->kind) ? PROGRAM : SNAPSHOT, "args", args));
}

static void put_flow(struct perfetto *perfetto, const char *name, const char *category, int64_t id, struct trace_model_end from, struct trace_model_end to, int thread)
{
	if (from.rank < 0 || to.rank < 0 || !perfetto->view->ranks[from.rank] || !perfetto->view->ranks[to.rank])
		return;
	put(perfetto, json_pack("{s:s, s:s, s:s, s:I, s:f, s:I, s:i}", "name", name, "cat", category, "ph", "s", "id", (json_int_t)id,
				"ts", stamp(perfetto, trace_event_at(perfetto->model, from)->ns), "pid", (json_int_t)from.rank, "tid", thread));
	put(perfetto, json_pack("{s:s, s:s, s:s, s:s, s:I, s:f, s:I, s:i}", "name", name, "cat", category, "ph", "f", "bp", "e", "id", (json_int_t)id,
				"ts", stamp(perfetto, trace_event_at(perfetto->model, to)->ns), "pid", (json_int_t)to.rank, "tid", thread));
}

bool trace_put_perfetto(const struct trace_model *model, const struct trace_view *view, FILE *to)
{
	struct perfetto perfetto = { .model = model, .view = view, .to = to };
	char name[32];

	fputs("{\"traceEvents\": [\n", to);
	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		if (!view->ranks[rank] || !model->of[rank].there)
			continue;
		put_names(&perfetto, rank);
		put_phases(&perfetto, rank);
		for (size_t i = 0; i < model->of[rank].count; i++)
			put_event(&perfetto, (struct trace_model_end){ (int32_t)rank, (uint32_t)i });
	}
	for (size_t i = 0; i < model->message_count; i++) {
		snprintf(name, sizeof name, "%s message", trace_place_name(model->messages[i].place));
		put_flow(&perfetto, name, "message", (int64_t)i + 1, model->messages[i].sent, model->messages[i].told, PROGRAM);
	}
	for (size_t i = 0; i < model->marker_count; i++)
		put_flow(&perfetto, "marker", "marker", (int64_t)(model->message_count + i) + 1, model->markers[i].sent, model->markers[i].head, SNAPSHOT);
	fprintf(to, "\n], \"displayTimeUnit\": \"ns\", \"otherData\": {\"snapshot\": \"%llu\", \"outcome\": \"%s\"}}\n", (unsigned long long)model->number,
		model->committed ? "committed" : model->is_void ? "void" : "unknown");
	return !perfetto.failed;
}
