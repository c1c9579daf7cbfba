/* SPDX-License-Identifier: BSD-3-Clause */
/* From a trace to a diagram: which events are worth a place, and what they are. */
#include "tracing/svg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "tracing/inside.h"

enum { WHOLE = 40 };            /* messages of a trace that is drawn from its beginning to its end */

struct drawing {
	const struct trace_model *model;
	struct diagram diagram;
	size_t **spots;         /* of each rank's events; NONE: it has no place yet */
	int64_t from, until;    /* ns: the window */
};

/* --- places ----------------------------------------------------------------------------------------------------------------------- */

static bool make_room(struct drawing *drawing)
{
	const struct trace_model *model = drawing->model;

	drawing->spots = calloc(model->ranks, sizeof *drawing->spots);
	for (uint32_t rank = 0; drawing->spots && rank < model->ranks; rank++) {
		drawing->spots[rank] = malloc((model->of[rank].count + 1) * sizeof **drawing->spots);
		if (!drawing->spots[rank])
			return false;
		for (size_t i = 0; i < model->of[rank].count; i++)
			drawing->spots[rank][i] = DIAGRAM_NONE;
	}
	return drawing->spots != NULL;
}

static void free_room(struct drawing *drawing)
{
	for (uint32_t rank = 0; drawing->spots && rank < drawing->model->ranks; rank++)
		free(drawing->spots[rank]);
	free(drawing->spots);
	diagram_free(&drawing->diagram);
}

/* A cut and the sending of its markers are one act, and one place. */
static size_t place(struct drawing *drawing, struct trace_model_end end)
{
	if (end.rank < 0)
		return DIAGRAM_NONE;
	const struct trace_model_rank *of = &drawing->model->of[end.rank];
	size_t index = of->events[end.index].kind == TRACE_MARKER_SENT && of->phases.cut >= 0 ? (size_t)of->phases.cut : end.index;
	size_t *spot = &drawing->spots[end.rank][index];

	if (*spot == DIAGRAM_NONE)
		*spot = diagram_add_spot(&drawing->diagram, (uint32_t)end.rank, of->events[index].ns, of->events[index].order);
	return *spot;
}

static struct trace_model_end phase(uint32_t rank, int32_t index)
{
	return index < 0 ? trace_no_end : (struct trace_model_end){ (int32_t)rank, (uint32_t)index };
}

static bool is_in(const struct drawing *drawing, struct trace_model_end end)
{
	return end.rank >= 0 && trace_event_at(drawing->model, end)->ns >= drawing->from && trace_event_at(drawing->model, end)->ns <= drawing->until;
}

static size_t place_if_in(struct drawing *drawing, struct trace_model_end end)
{
	return is_in(drawing, end) ? place(drawing, end) : DIAGRAM_NONE;
}

/* --- the window --------------------------------------------------------------------------------------------------------------------- */

static void reach(struct drawing *drawing, struct trace_model_end end)
{
	int64_t ns = end.rank < 0 ? 0 : trace_event_at(drawing->model, end)->ns;

	if (end.rank >= 0 && ns < drawing->from)
		drawing->from = ns;
	if (end.rank >= 0 && ns > drawing->until)
		drawing->until = ns;
}

/* From the alert to the last closing, whose marker came last; and as much again as a third of it on both sides. */
static void find_window(struct drawing *drawing)
{
	const struct trace_model *model = drawing->model;
	int64_t margin;

	drawing->from = model->span_ns[0];
	drawing->until = model->span_ns[1];
	if (model->message_count <= WHOLE)
		return;
	drawing->from = INT64_MAX;
	drawing->until = INT64_MIN;
	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		reach(drawing, phase(rank, model->of[rank].phases.alert));
		reach(drawing, phase(rank, model->of[rank].phases.cut));
		reach(drawing, phase(rank, model->of[rank].phases.closed));
	}
	for (size_t i = 0; i < model->marker_count; i++)
		reach(drawing, model->markers[i].head);
	if (drawing->from > drawing->until) {
		drawing->from = model->span_ns[0];
		drawing->until = model->span_ns[1];
		return;
	}
	margin = (drawing->until - drawing->from) / 3;
	drawing->from -= margin;
	drawing->until += margin;
}

/* --- arrows ------------------------------------------------------------------------------------------------------------------------- */

static enum diagram_fate fate_of(const struct trace_model *model, const struct trace_model_message *message)
{
	struct trace_model_end known = message->told.rank >= 0 ? message->told : message->sent;

	switch (message->place) {
	case TRACE_MODEL_BEFORE: return DIAGRAM_BEFORE;
	case TRACE_MODEL_LATE: return DIAGRAM_LATE;
	case TRACE_MODEL_NEW: return DIAGRAM_AFTER;
	case TRACE_MODEL_ORPHAN: return DIAGRAM_ORPHAN;
	case TRACE_MODEL_UNKNOWN: break;
	}
	return known.rank >= 0 && trace_event_at(model, known)->after ? DIAGRAM_AFTER : DIAGRAM_BEFORE;
}

static const char *communicator(const struct trace_model *model, int32_t comm)
{
	if (comm < 0)
		return NULL;
	return model->comms[comm].label[0] ? model->comms[comm].label : model->comms[comm].name;
}

/* A late message that the program asked for long after the snapshot ends where Seamark took it. */
static struct trace_model_end arrival(const struct drawing *drawing, const struct trace_model_message *message)
{
	if (is_in(drawing, message->told) || message->place != TRACE_MODEL_LATE)
		return message->told;
	return is_in(drawing, message->drained) ? message->drained : is_in(drawing, message->recorded) ? message->recorded : message->told;
}

static void add_message(struct drawing *drawing, const struct trace_model_message *message)
{
	struct trace_model_end end = arrival(drawing, message);
	enum diagram_fate fate = fate_of(drawing->model, message);

	if (fate < DIAGRAM_LATE && !is_in(drawing, message->sent) && !is_in(drawing, end))
		return;
	struct diagram_arrow arrow = {
		.kind = DIAGRAM_MESSAGE, .fate = fate, .from = (uint32_t)message->from, .to = (uint32_t)message->to, .communicator = communicator(drawing->model, message->comm),
		.tag = message->tag, .position = message->position, .bytes = message->bytes, .told = -1, .drained = message->drained.rank >= 0,
		.start = place_if_in(drawing, message->sent), .end = place_if_in(drawing, end),
	};
	struct diagram_arrow *added = diagram_add_arrow(&drawing->diagram);

	if (added)
		*added = arrow;
}

static void add_marker(struct drawing *drawing, const struct trace_model_marker *marker)
{
	struct diagram_arrow arrow = { .kind = DIAGRAM_MARKER, .from = (uint32_t)marker->from, .to = (uint32_t)marker->to, .told = (int64_t)marker->counted,
				       .start = place(drawing, marker->sent), .end = place(drawing, marker->head) };
	struct diagram_arrow *added = diagram_add_arrow(&drawing->diagram);

	if (added)
		*added = arrow;
}

static void add_order(struct drawing *drawing, struct trace_model_end came)
{
	static const char *const words[] = { NULL, "request", "announcement", "ready", "order to cut", "order to cut sooner", "outcome" };
	const struct trace_model_event *event = trace_event_at(drawing->model, came);
	struct trace_model_end sent = trace_cause(drawing->model, came);

	if (event->value >= sizeof words / sizeof words[0] || event->value == TRACE_ORDER_OUTCOME || sent.rank < 0 || !is_in(drawing, sent))
		return;
	struct diagram_arrow arrow = { .kind = DIAGRAM_ORDER, .from = (uint32_t)sent.rank, .to = (uint32_t)came.rank, .what = words[event->value], .told = -1,
				       .start = place(drawing, sent), .end = place(drawing, came) };
	struct diagram_arrow *added = diagram_add_arrow(&drawing->diagram);

	if (added)
		*added = arrow;
}

static void add_orders(struct drawing *drawing)
{
	for (uint32_t rank = 0; rank < drawing->model->ranks; rank++)
		for (size_t i = 0; i < drawing->model->of[rank].count; i++)
			if (drawing->model->of[rank].events[i].kind == TRACE_ORDER_CAME)
				add_order(drawing, (struct trace_model_end){ (int32_t)rank, (uint32_t)i });
}

/* --- points ------------------------------------------------------------------------------------------------------------------------- */

static void add_point(struct drawing *drawing, enum diagram_mark mark, struct trace_model_end at, struct trace_model_end until, const char *text)
{
	if (at.rank >= 0)
		diagram_add_point(&drawing->diagram, mark, place(drawing, at), place(drawing, until), text);
}

static void add_phases(struct drawing *drawing, uint32_t rank, bool held)
{
	const struct trace_model_rank *of = &drawing->model->of[rank];
	const struct trace_model_phases *phases = &of->phases;
	const char *why = phases->void_here >= 0 ? of->events[phases->void_here].text : NULL;

	if (held && phases->goes_on >= 0)
		add_point(drawing, DIAGRAM_HELD, phase(rank, phases->capture >= 0 ? phases->capture : phases->cut), phase(rank, phases->goes_on), NULL);
	add_point(drawing, of->is_void ? DIAGRAM_VOID_CUT : DIAGRAM_CUT, phase(rank, phases->cut), trace_no_end, of->is_void ? why : NULL);
	add_point(drawing, DIAGRAM_CLOSED, phase(rank, phases->closed), trace_no_end, NULL);
}

/* Who asked for it: the last request before the first alert of all, if it was after the outcome of the snapshot before. */
static void add_request(struct drawing *drawing)
{
	const struct trace_model *model = drawing->model;
	struct trace_model_end request = trace_no_end, first = trace_no_end;

	for (size_t i = 0; i < model->event_count && first.rank < 0; i++) {
		const struct trace_model_event *event = trace_event_at(model, model->in_order[i]);

		if (event->kind == TRACE_REQUEST)
			request = model->in_order[i];
		else if (event->kind == TRACE_OUTCOME)
			request = trace_no_end;
		else if (model->of[model->in_order[i].rank].phases.alert == (int32_t)model->in_order[i].index)
			first = model->in_order[i];
	}
	add_point(drawing, DIAGRAM_START, request.rank >= 0 ? request : first, trace_no_end, NULL);
}

/* The commit, or why there is none: where it was decided, and else where it was first known. */
static void add_end(struct drawing *drawing)
{
	const struct trace_model *model = drawing->model;
	int32_t known = model->of[0].phases.outcome;

	for (size_t i = 0; i < model->of[0].count && model->committed; i++)
		if (model->of[0].events[i].kind == TRACE_COMMITTED)
			known = (int32_t)i;
	if (model->committed || model->is_void)
		add_point(drawing, model->is_void ? DIAGRAM_VOID : DIAGRAM_COMMIT, phase(0, known), trace_no_end, model->is_void && model->why[0] ? model->why : NULL);
}

/* --- all of it ------------------------------------------------------------------------------------------------------------------------ */

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static bool put_titles(struct drawing *drawing)
{
	const struct trace_model *model = drawing->model;
	struct diagram *diagram = &drawing->diagram;
	char clocks[160], missing[64] = "";

	if (model->is_void)
		snprintf(clocks, sizeof clocks, "void: %.140s", model->why[0] ? model->why : "the reason is not in the trace");
	else
		snprintf(clocks, sizeof clocks, "%s", model->committed ? "committed" : "how it ended is not in the trace");
	if (asprintf(&diagram->title, "%s %" PRIu64 ": %" PRIu32 " ranks, %" PRIu64 " message%s in flight (%s)", model->is_void ? "Attempt" : "Checkpoint", model->number, model->ranks,
		     model->late, plural(model->late), command_size(model->late_bytes).text) < 0) {
		diagram->title = NULL;
		return false;
	}
	if (model->read < model->ranks)
		snprintf(missing, sizeof missing, "; %" PRIu32 " ranks have no trace", model->ranks - model->read);
	if (asprintf(&diagram->subtitle, "%s; %" PRIu64 " clock%s%s%s", clocks, model->clocks, plural(model->clocks),
		     model->clocks > 1 || model->pushed_ns ? ", corrected so that every cause comes before its effects" : "", missing) < 0) {
		diagram->subtitle = NULL;
		return false;
	}
	return true;
}

static bool fill(struct drawing *drawing, const struct diagram_options *options)
{
	const struct trace_model *model = drawing->model;

	if (!make_room(drawing) || !put_titles(drawing))
		return false;
	find_window(drawing);
	for (size_t i = 0; i < model->message_count; i++)
		add_message(drawing, &model->messages[i]);
	for (size_t i = 0; i < model->marker_count; i++)
		add_marker(drawing, &model->markers[i]);
	if (options->orders)
		add_orders(drawing);
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		add_phases(drawing, rank, options->by == DIAGRAM_BY_TIME);
	add_request(drawing);
	add_end(drawing);
	return true;
}

bool trace_svg_write(FILE *to, const struct trace_model *model, const struct diagram_options *options)
{
	struct drawing drawing = { .model = model, .diagram = { .ranks = model->ranks, .is_void = model->is_void } };
	bool fine = fill(&drawing, options) && diagram_draw(&drawing.diagram, options, to);

	free_room(&drawing);
	return fine;
}

/* --- the command's part ------------------------------------------------------------------------------------------------------------------ */

static bool number(const char **at, int64_t most, int64_t *value)
{
	char digits[16];
	size_t length = strspn(*at, "0123456789");

	if (!length || length >= sizeof digits)
		return false;
	memcpy(digits, *at, length);
	digits[length] = '\0';
	*at += length;
	return command_whole(digits, most, value);
}

/* "0-3,7" */
static bool select_ranks(const char *list, uint32_t ranks, bool *selected)
{
	for (const char *at = list;; at++) {
		int64_t first, last;

		if (!number(&at, (int64_t)ranks - 1, &first))
			return false;
		last = first;
		if (*at == '-' && (at++, !number(&at, (int64_t)ranks - 1, &last)))
			return false;
		for (int64_t rank = first; rank <= last; rank++)
			selected[rank] = true;
		if (first > last || (*at && *at != ','))
			return false;
		if (!*at)
			return true;
	}
}

static bool by_of(const char *text, enum diagram_by *by)
{
	static const char *const names[] = { [DIAGRAM_BY_TIME] = "time", [DIAGRAM_BY_ORDER] = "order", [DIAGRAM_BY_CUT] = "cut" };
	int choice = text ? command_choice("by", text, names, sizeof names / sizeof names[0]) : 0;

	if (text && choice >= 0)
		*by = (enum diagram_by)choice;
	return choice >= 0;
}

static int save(const struct trace_model *model, const char *path, const struct diagram_options *options)
{
	bool screen = !strcmp(path, "-"), fine;
	FILE *file = screen ? stdout : fopen(path, "w");

	if (!file) {
		command_complain("cannot write '%s': %s", path, strerror(errno));
		return EXIT_CANNOT_READ;
	}
	errno = ENOMEM;
	fine = trace_svg_write(file, model, options);
	if (!screen)
		fine = !fclose(file) && fine;
	if (!fine)
		command_complain("cannot write '%s': %s", path, strerror(errno));
	return fine ? EXIT_FINE : EXIT_CANNOT_READ;
}

int trace_svg_save(const struct trace_model *model, const struct trace_svg_request *request)
{
	struct diagram_options options = { .orders = request->orders != 0, .every = request->ranks && !strcmp(request->ranks, "all") };
	bool *selected = calloc(model->ranks, sizeof *selected);
	int status = EXIT_USAGE;

	if (!selected) {
		command_complain("not enough memory");
		return EXIT_CANNOT_READ;
	}
	if (request->ranks && !options.every)
		options.selected = selected;
	if (options.selected && !select_ranks(request->ranks, model->ranks, selected))
		command_complain("--ranks takes ranks of 0 to %" PRIu32 " as '0-3,7', or 'all', not '%s'", model->ranks - 1, request->ranks);
	else if (by_of(request->by, &options.by))
		status = save(model, request->path, &options);
	free(selected);
	return status;
}
