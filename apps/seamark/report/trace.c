/* SPDX-License-Identifier: BSD-3-Clause */
/* What traces of the newest snapshots tell the report, and their space-time diagrams. */
#include <limits.h>
#include <stdlib.h>

#include "report/report.h"
#include "tracing/svg.h"

/* In memory they take some thirty times as much. Of snapshots whose traces have more than this the page has no diagram. */
enum { BYTES_MOST = 48 << 20 };

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

/* Ranks that are not in the trace, and why. */
static json_t *problems_of(const struct trace_model *model)
{
	json_t *list = json_array();

	for (uint32_t rank = 0; rank < model->ranks; rank++)
		if (!model->of[rank].there)
			json_array_append_new(list, json_pack("{s:I, s:o}", "rank", (json_int_t)rank, "text",
							      command_json_text(model->of[rank].problem[0] ? model->of[rank].problem : "it has no file")));
	return list;
}

static json_t *facts_of(const struct trace_model *model)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "number", (json_int_t)model->number, "life", (json_int_t)model->life,
			 "ranks_in_all", (json_int_t)model->ranks, "read", (json_int_t)model->read, "committed", (int)model->committed, "void",
			 (int)model->is_void, "why", command_json_text(model->why ? model->why : ""), "messages", (json_int_t)model->message_count, "late",
			 (json_int_t)model->late, "late_bytes", (json_int_t)model->late_bytes, "orphans", (json_int_t)model->orphans, "markers",
			 (json_int_t)model->marker_count, "clocks", (json_int_t)model->clocks, "ranks", ranks_of(model), "problems", problems_of(model));
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

/* number 0: all of them. */
static void leave_out(json_t *left_out, uint64_t number, const char *why)
{
	char which[48] = "every trace", text[600];

	if (number)
		snprintf(which, sizeof which, "the trace of snapshot %llu", (unsigned long long)number);
	snprintf(text, sizeof text, "%s is left out: %s", which, why);
	command_complain("%s", text);
	json_array_append_new(left_out, json_pack("{s:o, s:o}", "number", number ? json_integer((json_int_t)number) : json_null(), "text", command_json_text(text)));
}

static bool is_too_large(const char *folder, const struct trace_model_entry *entry, char *why, size_t room)
{
	char path[PATH_MAX];
	struct report_disk used;

	snprintf(path, sizeof path, "%s/trace/%07llu.L%02u", folder, (unsigned long long)entry->number, (unsigned)entry->life);
	used = report_disk_of(path);
	if (used.bytes <= BYTES_MOST)
		return false;
	snprintf(why, room, "its %lld files have %s, too much for a page (seamark trace %llu tells of it; a run with SEAMARK_TRACE=256KiB keeps less)", (long long)used.files, command_size((uint64_t)used.bytes).text,
		 (unsigned long long)entry->number);
	return true;
}

static void put_trace(json_t *list, json_t *diagrams, json_t *left_out, const char *folder, const struct trace_model_entry *entry)
{
	struct fault fault = FAULT_NONE;
	struct trace_model *model;
	char why[200];

	if (is_too_large(folder, entry, why, sizeof why)) {
		leave_out(left_out, entry->number, why);
		return;
	}
	if (trace_model_of_snapshot(folder, entry->number, &model, &fault)) {
		leave_out(left_out, entry->number, fault.text);
		return;
	}
	json_array_append_new(list, facts_of(model));
	json_array_append_new(diagrams, diagram_of(model));
	trace_model_free(model);
}

json_t *report_traces(const char *folder, json_t *diagrams, json_t *left_out)
{
	struct trace_model_entry *entries = NULL;
	struct fault fault = FAULT_NONE;
	json_t *list = json_array();
	size_t count = 0;
	int code = trace_model_list(folder, &entries, &count, &fault);

	if (code && code != SEAMARK_E_NOT_FOUND)
		leave_out(left_out, 0, fault.text);
	for (size_t i = count > REPORT_TRACES ? count - REPORT_TRACES : 0; i < count; i++)
		if (i + 1 == count || entries[i].number != entries[i + 1].number)
			put_trace(list, diagrams, left_out, folder, &entries[i]);
	free(entries);
	return list;
}
