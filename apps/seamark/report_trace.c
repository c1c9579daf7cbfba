/* SPDX-License-Identifier: BSD-3-Clause */
/* What traces of the newest snapshots tell the report, and their space-time diagrams. */
#include <stdlib.h>

#include "report.h"
#include "trace_svg.h"

enum { DIAGRAMS = 3 };

/* Null: one of them is not in the trace. */
static json_t *between(const struct trace_model_rank *of, int32_t from, int32_t to)
{
	return from < 0 || to < 0 ? json_null() : json_real((double)(of->events[to].ns - of->events[from].ns) / 1e9);
}

static json_t *ranks_of(const struct trace_model *model)
{
	json_t *list = json_array();

	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		const struct trace_model_rank *of = &model->of[rank];
		const struct trace_model_phases *phases = &of->phases;

		if (of->there)
			json_array_append_new(list, json_pack("{s:I, s:o, s:o, s:o, s:b}", "rank", (json_int_t)rank, "held_s",
							      between(of, phases->capture >= 0 ? phases->capture : phases->cut, phases->goes_on), "open_s",
							      between(of, phases->cut, phases->closed), "durable_s", between(of, phases->cut, phases->durable), "void",
							      (int)of->is_void));
	}
	return list;
}

static json_t *facts_of(const struct trace_model *model)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "number", (json_int_t)model->number, "life", (json_int_t)model->life,
			 "ranks_in_all", (json_int_t)model->ranks, "read", (json_int_t)model->read, "committed", (int)model->committed, "void",
			 (int)model->is_void, "why", command_json_text(model->why ? model->why : ""), "messages", (json_int_t)model->message_count, "late",
			 (json_int_t)model->late, "late_bytes", (json_int_t)model->late_bytes, "orphans", (json_int_t)model->orphans, "markers",
			 (json_int_t)model->marker_count, "clocks", (json_int_t)model->clocks, "ranks", ranks_of(model));
}

static json_t *diagram_of(const struct trace_model *model)
{
	const struct diagram_options options = { .by = DIAGRAM_BY_TIME, .inside = true };
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	bool good = to && trace_svg_write(to, model, &options);
	json_t *diagram;

	if (to && fclose(to))
		good = false;
	diagram = good ? json_stringn(text, size) : NULL;
	free(text);
	return diagram ? diagram : json_null();
}

static void put_trace(json_t *list, json_t *diagrams, const char *folder, uint64_t number)
{
	struct fault fault = FAULT_NONE;
	struct trace_model *model;

	if (trace_model_of_snapshot(folder, number, &model, &fault)) {
		command_complain("the trace of snapshot %llu is left out: %s", (unsigned long long)number, fault.text);
		return;
	}
	json_array_append_new(list, facts_of(model));
	json_array_append_new(diagrams, diagram_of(model));
	trace_model_free(model);
}

json_t *report_traces(const char *folder, json_t *diagrams)
{
	struct trace_model_entry *entries = NULL;
	struct fault fault = FAULT_NONE;
	json_t *list = json_array();
	size_t count = 0;

	if (trace_model_list(folder, &entries, &count, &fault))
		count = 0;
	for (size_t i = count > DIAGRAMS ? count - DIAGRAMS : 0; i < count; i++)
		if (!i || entries[i].number != entries[i - 1].number)
			put_trace(list, diagrams, folder, entries[i].number);
	free(entries);
	return list;
}
