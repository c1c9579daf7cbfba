/* SPDX-License-Identifier: BSD-3-Clause */
/* For ShiViz: a log whose first line is the expression that reads it, and whose events have vector clocks (docs/tracing.md). What is left out still carries the clocks on. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "tracing/trace.h"
#include "tracing/inside.h"

/* Its picture has a column for each rank; and a clock as many numbers. */
enum { RANKS_MOST = 256 };

struct shiviz {
	const struct trace_model *model;
	const struct trace_view *view;
	FILE *to;
	uint32_t count;         /* ranks in a clock */
	int32_t *column;        /* [ranks] of the clock, or -1 */
	uint32_t *clocks;       /* [ranks][count] */
	uint32_t *meeting[2];   /* of all that have entered the barrier, the verdict */
	uint32_t **kept;        /* [events] of those that have effects still to come */
	uint8_t *effects;       /* [events] how many */
};

static uint32_t *clock_of(const struct shiviz *shiviz, int32_t rank)
{
	return shiviz->clocks + (size_t)rank * shiviz->count;
}

static void merge(const struct shiviz *shiviz, uint32_t *clock, const uint32_t *other)
{
	for (uint32_t i = 0; i < shiviz->count; i++)
		if (clock[i] < other[i])
			clock[i] = other[i];
}

/* What is no step of its own, nor one end of anything. */
static bool is_shown(const struct shiviz *shiviz, struct trace_model_end end)
{
	const struct trace_model_event *event = trace_event_at(shiviz->model, end);

	if (!shiviz->view->ranks[end.rank])
		return false;
	return shiviz->view->all || (event->kind != TRACE_MARKED && event->kind != TRACE_MARKED_MORE && event->kind != TRACE_PLACED && event->kind != TRACE_UNSENT &&
				     event->kind != TRACE_CAPTURE && event->kind != TRACE_CAPTURED && event->kind != TRACE_SAFEPOINT && event->kind != TRACE_COUNTS_CAME);
}

/* The entering of a meeting, or its end: 0 the barrier, 1 the verdict, of this snapshot; -1: neither. */
static int meeting_of(const struct trace_model *model, struct trace_model_end end, bool leaving)
{
	const struct trace_model_phases *phases = &model->of[end.rank].phases;
	const int32_t at = (int32_t)end.index;

	if (at == (leaving ? phases->barrier_done : phases->barrier))
		return 0;
	return at == (leaving ? phases->verdict_done : phases->verdict) ? 1 : -1;
}

static void print_clock(const struct shiviz *shiviz, int32_t rank)
{
	const uint32_t *clock = clock_of(shiviz, rank);
	const char *before = "";

	fprintf(shiviz->to, "rank%" PRId32 " {", rank);
	for (uint32_t other = 0; other < shiviz->model->ranks; other++) {
		if (shiviz->column[other] < 0 || !clock[shiviz->column[other]])
			continue;
		fprintf(shiviz->to, "%s\"rank%" PRIu32 "\":%" PRIu32, before, other, clock[shiviz->column[other]]);
		before = ", ";
	}
	fputs("}\n", shiviz->to);
}

/* In one line of UTF-8, whatever a name holds. false: no memory. */
static bool print_event(const struct shiviz *shiviz, struct trace_model_end end)
{
	struct trace_words words = trace_event_words(shiviz->model, end);
	json_t *text;

	for (char *at = words.text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	text = command_json_text(words.text);
	if (text)
		fprintf(shiviz->to, "%.3fus %s\n", (double)trace_event_at(shiviz->model, end)->ns / 1e3, json_string_value(text));
	json_decref(text);
	return text;
}

static size_t place_of(const struct shiviz *shiviz, struct trace_model_end end)
{
	return trace_event_at(shiviz->model, end)->order - 1;
}

/* false: no memory. */
static bool step(struct shiviz *shiviz, struct trace_model_end end)
{
	const struct trace_model *model = shiviz->model;
	const struct trace_model_end cause = trace_cause(model, end);
	const int entered = meeting_of(model, end, false), left = meeting_of(model, end, true);
	uint32_t *clock = clock_of(shiviz, end.rank);
	const size_t here = place_of(shiviz, end);

	if (cause.rank >= 0 && shiviz->kept[place_of(shiviz, cause)]) {
		merge(shiviz, clock, shiviz->kept[place_of(shiviz, cause)]);
		if (!--shiviz->effects[place_of(shiviz, cause)]) {
			free(shiviz->kept[place_of(shiviz, cause)]);
			shiviz->kept[place_of(shiviz, cause)] = NULL;
		}
	}
	if (left >= 0)
		merge(shiviz, clock, shiviz->meeting[left]);
	if (is_shown(shiviz, end)) {
		clock[shiviz->column[end.rank]]++;
		if (!print_event(shiviz, end))
			return false;
		print_clock(shiviz, end.rank);
	}
	if (entered >= 0)
		merge(shiviz, shiviz->meeting[entered], clock);
	if (!shiviz->effects[here])
		return true;
	shiviz->kept[here] = malloc(shiviz->count * sizeof *clock);
	if (shiviz->kept[here])
		memcpy(shiviz->kept[here], clock, shiviz->count * sizeof *clock);
	return shiviz->kept[here];
}

static bool open(struct shiviz *shiviz)
{
	const struct trace_model *model = shiviz->model;

	shiviz->column = calloc(model->ranks, sizeof *shiviz->column);
	shiviz->clocks = calloc((size_t)model->ranks * (shiviz->view->shown + 1), sizeof *shiviz->clocks);
	shiviz->kept = calloc(model->event_count + 1, sizeof *shiviz->kept);
	shiviz->effects = calloc(model->event_count + 1, sizeof *shiviz->effects);
	for (int i = 0; i < 2; i++)
		shiviz->meeting[i] = calloc(shiviz->view->shown + 1, sizeof *shiviz->meeting[i]);
	if (!shiviz->column || !shiviz->clocks || !shiviz->kept || !shiviz->effects || !shiviz->meeting[0] || !shiviz->meeting[1])
		return false;
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		shiviz->column[rank] = shiviz->view->ranks[rank] ? (int32_t)shiviz->count++ : -1;
	for (size_t i = 0; i < model->event_count; i++) {
		const struct trace_model_end cause = trace_cause(model, model->in_order[i]);

		if (cause.rank >= 0 && place_of(shiviz, cause) < i)
			shiviz->effects[place_of(shiviz, cause)]++;
	}
	return true;
}

static void close(struct shiviz *shiviz)
{
	for (size_t i = 0; shiviz->kept && i < shiviz->model->event_count; i++)
		free(shiviz->kept[i]);
	free(shiviz->column);
	free(shiviz->clocks);
	free(shiviz->kept);
	free(shiviz->effects);
	free(shiviz->meeting[0]);
	free(shiviz->meeting[1]);
}

bool trace_put_shiviz(const struct trace_model *model, const struct trace_view *view, FILE *to)
{
	struct shiviz shiviz = { .model = model, .view = view, .to = to };
	bool fine;

	if (view->shown > RANKS_MOST) {
		command_complain("ShiViz shows a column for each rank: choose at most %d of them with --ranks", RANKS_MOST);
		return false;
	}
	fine = open(&shiviz);
	if (fine)
		fputs("(?<time>\\S+) (?<event>.*)\\n(?<host>\\S*) (?<clock>{.*})\n\n", to);
	for (size_t i = 0; fine && i < model->event_count; i++)
		fine = step(&shiviz, model->in_order[i]);
	close(&shiviz);
	return fine;
}
