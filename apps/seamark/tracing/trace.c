/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark trace: what happened around a snapshot, step by step, or for other programs to show. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "tracing/trace.h"
#include "tracing/svg.h"

/* --- which ranks ----------------------------------------------------------------------------------------------------------- */

static bool show(struct trace_view *view, uint32_t ranks, int64_t from, int64_t to)
{
	if (from > to || to >= ranks)
		return false;
	for (int64_t rank = from; rank <= to; rank++) {
		view->shown += !view->ranks[rank];
		view->ranks[rank] = true;
	}
	return true;
}

/* "0-3,7". */
static bool choose(struct trace_view *view, uint32_t ranks, const char *text)
{
	char *copy = strdup(text), *rest = copy, *item;
	bool fine = copy;

	while (fine && (item = strsep(&rest, ","))) {
		char *dash = strchr(item, '-');
		int64_t from, to;

		if (dash)
			*dash++ = 0;
		fine = command_whole(item, INT32_MAX, &from) && command_whole(dash ? dash : item, INT32_MAX, &to) && show(view, ranks, from, to);
	}
	free(copy);
	if (!fine)
		command_complain("--ranks takes ranks from 0 to %" PRIu32 " as '0-3,7', not '%s'", ranks - 1, text);
	return fine;
}

static bool open_view(struct trace_view *view, const struct trace_model *model, const char *ranks)
{
	view->ranks = calloc(model->ranks, sizeof *view->ranks);
	if (!view->ranks) {
		command_complain("no memory for a list of ranks");
		return false;
	}
	view->given = ranks;
	return ranks ? choose(view, model->ranks, ranks) : show(view, model->ranks, 0, (int64_t)model->ranks - 1);
}

/* --- the command ------------------------------------------------------------------------------------------------------------- */

static int list(const char *folder, int json)
{
	struct trace_model_entry *entries;
	struct fault fault = FAULT_NONE;
	size_t count;
	json_t *array = json ? json_array() : NULL;

	if (trace_model_list(folder, &entries, &count, &fault)) {
		json_decref(array);
		command_complain("%s", fault.text);
		return EXIT_CANNOT_READ;
	}
	if (!json && count)
		command_print("%10s %6s %8s", "snapshot", "life", "ranks");
	for (size_t i = 0; i < count; i++)
		if (json)
			json_array_append_new(array, json_pack("{s:I, s:I, s:I}", "number", (json_int_t)entries[i].number, "life",
							       (json_int_t)entries[i].life, "ranks", (json_int_t)entries[i].files));
		else
			command_print("%10" PRIu64 " %6" PRIu32 " %8" PRIu32, entries[i].number, entries[i].life, entries[i].files);
	free(entries);
	return json ? command_print_json(json_pack("{s:o}", "traces", array)) : EXIT_FINE;
}

static int put_file(const char *path, const struct trace_model *model, const struct trace_view *view,
		    bool (*put)(const struct trace_model *model, const struct trace_view *view, FILE *to))
{
	FILE *to = strcmp(path, "-") ? fopen(path, "w") : stdout;
	bool made;
	int failed;

	if (!to) {
		command_complain("cannot write '%s': %s", path, strerror(errno));
		return EXIT_CANNOT_READ;
	}
	made = put(model, view, to);
	failed = ferror(to) | fflush(to);
	if (to != stdout)
		failed |= fclose(to);
	if (!made || failed)
		command_complain("cannot write '%s': %s", path, made ? strerror(errno) : "no memory");
	return made && !failed ? EXIT_FINE : EXIT_CANNOT_READ;
}

static int tell_problems(const struct trace_model *model)
{
	uint32_t missing = 0;

	for (uint32_t rank = 0; rank < model->ranks; rank++)
		if (model->of[rank].problem[0])
			command_complain("rank %" PRIu32 ": %s", rank, model->of[rank].problem);
		else
			missing += !model->of[rank].there;
	if (missing)
		command_complain("%" PRIu32 " of %" PRIu32 " ranks have no trace of this snapshot", missing, model->ranks);
	return model->read == model->ranks ? EXIT_FINE : EXIT_PROBLEMS;
}

struct wanted {
	struct trace_svg_request svg;
	const char *perfetto, *shiviz;
	int json;
};

static int show_model(const struct wanted *wanted, const struct trace_model *model, const struct trace_view *view)
{
	int status = EXIT_FINE;

	if (wanted->svg.path)
		status = trace_svg_save(model, &wanted->svg);
	if (wanted->perfetto && !status)
		status = put_file(wanted->perfetto, model, view, trace_put_perfetto);
	if (wanted->shiviz && !status)
		status = put_file(wanted->shiviz, model, view, trace_put_shiviz);
	if (wanted->json && !status)
		status = command_print_json(trace_json(model, view));
	else if (!wanted->svg.path && !wanted->perfetto && !wanted->shiviz && !status)
		trace_print(model, view);
	return status;
}

int command_trace(int argc, char **argv)
{
	const char *given = NULL, *ranks = NULL;
	int all = 0, listing = 0, status, failed;
	struct wanted wanted = { 0 };
	const struct command_option options[] = {
		{ "ranks", "LIST", "only what happened on these ranks, as 0-3,7", &ranks, NULL },
		{ "all", NULL, "every event, and not only the snapshot's steps", NULL, &all },
		{ "svg", "FILE", "draw it (- is standard output)", &wanted.svg.path, NULL },
		{ "by", "WHAT", "with --svg: what goes from left to right: time, order (no distances), or cut (all cuts in one moment)", &wanted.svg.by, NULL },
		{ "orders", NULL, "with --svg: orders too", NULL, &wanted.svg.orders },
		{ "perfetto", "FILE", "write it for Perfetto and chrome://tracing", &wanted.perfetto, NULL },
		{ "shiviz", "FILE", "write it for ShiViz", &wanted.shiviz, NULL },
		{ "list", NULL, "which snapshots have a trace", NULL, &listing },
		COMMAND_DIR(&given),
		COMMAND_JSON(&wanted.json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "trace [OPTIONS] [N]",
		"What happened around snapshot N, committed or void (the newest that has a trace, if it is left out), in a run with\n"
		"SEAMARK_TRACE=1: who cut when, which marker went where, which messages were late and why. Causes come before their effects,\n"
		"also where the clocks of nodes differ. Times are since the announcement.\n\n"
		"Exit status: 0, 1 the traces of some ranks are missing or damaged (they are named), 2 wrong usage, 3 there is no trace.", options, 0, 1 };
	struct trace_model *model;
	struct trace_view view = { 0 };
	struct fault fault = FAULT_NONE;
	int64_t number = 0;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (argc && (!command_whole(argv[0], INT64_MAX, &number) || !number)) {
		command_complain("'%s' is not the number of a snapshot", argv[0]);
		return EXIT_USAGE;
	}
	if (listing)
		return list(command_folder(given), wanted.json);
	if (trace_model_of_snapshot(command_folder(given), (uint64_t)number, &model, &fault)) {
		command_complain("%s", fault.text);
		return EXIT_CANNOT_READ;
	}
	view.all = all;
	wanted.svg.ranks = ranks ? ranks : all ? "all" : NULL;
	status = open_view(&view, model, ranks) ? tell_problems(model) : EXIT_USAGE;
	if (status != EXIT_USAGE && (failed = show_model(&wanted, model, &view)))
		status = failed;
	free(view.ranks);
	trace_model_free(model);
	return status;
}
