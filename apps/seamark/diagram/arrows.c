/* SPDX-License-Identifier: BSD-3-Clause */
/* The arrows of a diagram as SVG, their names, and what stands below it. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagram/svg.h"

struct box { double x, y, half_width, half_height; };

/* What is written so far, so that names do not lie over each other. */
struct names {
	struct box *boxes;
	size_t count;
};

struct ends { double x1, y1, x2, y2; };

/* How high the arc of a message to oneself reaches for, in rows; it comes half as far. */
#define ARC 0.7

static bool is_flat(const struct ends *ends)
{
	return !(ends->y1 < ends->y2 || ends->y1 > ends->y2);
}

static const char *class_of(const struct diagram_arrow *arrow)
{
	static const char *const fates[] = { "before", "after", "late", "orphan" };

	return arrow->kind == DIAGRAM_MARKER ? "marker" : arrow->kind == DIAGRAM_ORDER ? "order" : fates[arrow->fate];
}

static bool is_crossing(const struct diagram_arrow *arrow)
{
	return arrow->kind == DIAGRAM_MESSAGE && arrow->fate >= DIAGRAM_LATE;
}

/* Arrows end at the middle of a line, and at the edge of a folded one. */
static double y_of(const struct diagram *diagram, uint32_t rank, uint32_t other)
{
	const struct diagram_row *row = diagram_row_of(diagram, rank);
	double y = row->y, edge = diagram_is_folded(diagram, rank) ? diagram->row_height * 0.3 : 0;

	return y + (diagram_row_of(diagram, other)->y > y ? edge : -edge);
}

/* Where one end is not in the picture: a message that crosses the cut comes from the left border, or leaves at the right one; of others there is the half that is known. */
static struct ends ends_of(const struct diagram *diagram, const struct diagram_arrow *arrow)
{
	const double stub = 44;
	bool crosses = is_crossing(arrow);
	struct ends ends = { diagram->left, y_of(diagram, arrow->from, arrow->to), diagram->right, y_of(diagram, arrow->to, arrow->from) };

	if (arrow->start != DIAGRAM_NONE)
		ends.x1 = diagram->spots[arrow->start].x;
	if (arrow->end != DIAGRAM_NONE)
		ends.x2 = diagram->spots[arrow->end].x;
	if (!crosses && arrow->start == DIAGRAM_NONE) {
		ends.x1 = fmax(diagram->left, ends.x2 - stub);
		ends.y1 = (ends.y1 + ends.y2) / 2;
	}
	if (!crosses && arrow->end == DIAGRAM_NONE) {
		ends.x2 = fmin(diagram->right, ends.x1 + stub);
		ends.y2 = (ends.y1 + ends.y2) / 2;
	}
	return ends;
}

/* --- tooltips ----------------------------------------------------------------------------------------------------------------------- */

static void put_times(FILE *to, const struct diagram *diagram, const struct diagram_arrow *arrow)
{
	if (arrow->start != DIAGRAM_NONE)
		fprintf(to, "; sent at %s", diagram_time(diagram->spots[arrow->start].time - diagram->zero, 1).text);
	if (arrow->end != DIAGRAM_NONE)
		fprintf(to, "; %s at %s", arrow->kind == DIAGRAM_MESSAGE ? "received" : "noticed", diagram_time(diagram->spots[arrow->end].time - diagram->zero, 1).text);
	else
		fputs(arrow->kind == DIAGRAM_MESSAGE ? "; received later, or not at all" : "; not seen to arrive", to);
}

static void put_tooltip(FILE *to, const struct diagram *diagram, const struct diagram_arrow *arrow)
{
	static const char *const fates[] = {
		"before the cut", "after the cut", "in flight: sent before its sender's cut, received after its receiver's",
		"an orphan: sent after its sender's cut, received before its receiver's",
	};

	fputs("<title>", to);
	if (arrow->stands > 1)
		fprintf(to, "%" PRIu32 " messages like this one: ", arrow->stands);
	if (arrow->name)
		fprintf(to, "m%" PRIu32 ", ", arrow->name);
	if (arrow->kind == DIAGRAM_MARKER) {
		fprintf(to, "marker, rank %" PRIu32 " to %" PRIu32, arrow->from, arrow->to);
		if (arrow->told >= 0)
			fprintf(to, ": before my cut I had sent you %" PRId64 " message%s that you may not have seen at my last", arrow->told, arrow->told == 1 ? "" : "s");
	} else if (arrow->kind == DIAGRAM_ORDER) {
		fprintf(to, "%s, rank %" PRIu32 " to %" PRIu32, arrow->what ? arrow->what : "order", arrow->from, arrow->to);
	} else {
		fprintf(to, "rank %" PRIu32 " to %" PRIu32 ", ", arrow->from, arrow->to);
		diagram_put_text(to, arrow->communicator ? arrow->communicator : "?");
		fprintf(to, ", tag %" PRId64 ", ", arrow->tag);
		if (arrow->position != INT64_MIN)
			fprintf(to, "number %" PRId64 " of its stream, ", arrow->position);
		fprintf(to, "%" PRIu64 " bytes; %s", arrow->bytes, fates[arrow->fate]);
		if (arrow->drained)
			fputs("; taken out of the MPI library before the program asked for it", to);
	}
	put_times(to, diagram, arrow);
	fputs("</title>", to);
}

/* --- names -------------------------------------------------------------------------------------------------------------------------- */

/* Between two lines the cut is straight. */
static bool is_on_cut(const struct diagram *diagram, const struct box *box)
{
	for (size_t i = 0; i + 1 < diagram->row_count; i++) {
		const struct diagram_row *above = &diagram->rows[i], *below = above + 1;
		double part = (box->y - above->y) / (below->y - above->y);

		if (part >= 0 && part <= 1 && above->cut_most >= 0 && below->cut_most >= 0 &&
		    fabs(above->cut_most + part * (below->cut_least - above->cut_most) - box->x) < box->half_width + 3)
			return true;
	}
	return false;
}

static bool is_free(const struct names *names, const struct diagram *diagram, const struct box *box)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct box *other = &names->boxes[i];

		if (fabs(other->x - box->x) < other->half_width + box->half_width && fabs(other->y - box->y) < other->half_height + box->half_height)
			return false;
	}
	for (size_t i = 0; i < diagram->row_count; i++)
		if (fabs(diagram->rows[i].y - box->y) < box->half_height)
			return false;
	return !is_on_cut(diagram, box);
}

/* Beside the arrow, at the first of some places where nothing else is written. false: there is none. */
static bool find_place(const struct names *names, const struct diagram *diagram, const struct ends *ends, bool late, struct box *box)
{
	static const double of_all[2][7] = { { 0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78 }, { 0.72, 0.78, 0.65, 0.58, 0.5, 0.42, 0.35 } };
	const double *along = of_all[late];
	double dx = ends->x2 - ends->x1, dy = ends->y2 - ends->y1, length = hypot(dx, dy);

	if (length < 1)
		return false;
	if (is_flat(ends)) { /* an arc: above its top */
		box->x = ends->x1 + dx / 2;
		box->y = ends->y1 - diagram->row_height * ARC / 2 - 10;
		return is_free(names, diagram, box);
	}
	for (size_t i = 0; i < sizeof of_all[0] / sizeof of_all[0][0]; i++)
		for (int side = -1; side <= 1; side += 2) {
			double away = side * (4 + box->half_height * fabs(dx) / length + box->half_width * fabs(dy) / length);

			box->x = ends->x1 + along[i] * dx + away * fabs(dy) / length * (dy * dx > 0 ? -1 : 1) * (dx == 0 ? -1 : 1);
			box->y = ends->y1 + along[i] * dy + away * fabs(dx) / length;
			if (is_free(names, diagram, box))
				return true;
		}
	return false;
}

/* --- arrows ------------------------------------------------------------------------------------------------------------------------- */

static void put_tip(FILE *to, const struct ends *ends, double size, bool open)
{
	double dx = ends->x2 - ends->x1, dy = ends->y2 - ends->y1, length = hypot(dx, dy);

	if (open || length < 1) {
		fprintf(to, "<circle class=\"open\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", ends->x2, ends->y2, size * 0.4);
		return;
	}
	dx *= size / length;
	dy *= size / length;
	fprintf(to, "<path class=\"head\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fz\"/>", ends->x2, ends->y2, ends->x2 - dx + 0.42 * dy, ends->y2 - dy - 0.42 * dx, ends->x2 - dx - 0.42 * dy,
		ends->y2 - dy + 0.42 * dx);
}

/* A message to oneself: an arc above the line. */
static void put_arc(FILE *to, const struct ends *ends, double height)
{
	double middle = (ends->x1 + ends->x2) / 2;

	fprintf(to, "<path class=\"line\" d=\"M%.1f %.1fQ%.1f %.1f %.1f %.1f\"/>", ends->x1, ends->y1, middle, ends->y1 - height, ends->x2, ends->y2);
}

static void put_shape(FILE *to, const struct diagram *diagram, const struct diagram_arrow *arrow, const struct ends *ends)
{
	double size = (is_crossing(arrow) ? 12 : 8.5) * (diagram->row_height < 20 ? 0.65 : diagram->row_height < 40 ? 0.8 : 1);
	double middle_x = (ends->x1 + ends->x2) / 2, middle_y = (ends->y1 + ends->y2) / 2;
	struct ends tip = *ends;

	if (!is_flat(ends)) {
		fprintf(to, "<path class=\"line\"");
		if (arrow->stands > 1)
			fprintf(to, " style=\"stroke-width:%.1f\"", (arrow->fate != DIAGRAM_LATE ? 1.1 : diagram->count.late > CROWD ? 1.5 : 2.6) + (arrow->fate != DIAGRAM_LATE ? 0.5 : 0.8) * log2(arrow->stands));
		fprintf(to, " d=\"M%.1f %.1fL%.1f %.1f\"/>", ends->x1, ends->y1, ends->x2, ends->y2);
	} else {
		put_arc(to, ends, diagram->row_height * ARC);
		tip.x1 = middle_x;
		tip.y1 -= diagram->row_height * ARC;
	}
	put_tip(to, &tip, size, arrow->end == DIAGRAM_NONE);
	if (arrow->fate == DIAGRAM_ORPHAN && arrow->kind == DIAGRAM_MESSAGE)
		fprintf(to, "<path class=\"line\" d=\"M%.1f %.1fl14 14m0 -14l-14 14\"/>", middle_x - 7, middle_y - 7);
}

static void put_arrow(FILE *to, const struct diagram *diagram, const struct diagram_arrow *arrow)
{
	struct ends ends = ends_of(diagram, arrow);

	fprintf(to, "<g class=\"%s\" data-from=\"%" PRIu32 "\" data-to=\"%" PRIu32 "\" data-count=\"%" PRIu32 "\">", class_of(arrow), arrow->from, arrow->to, arrow->stands);
	put_tooltip(to, diagram, arrow);
	put_shape(to, diagram, arrow, &ends);
	fputs("</g>\n", to);
}

/* Below the cut, or above it. */
enum layer { MARKERS, MESSAGES, CROSSING, LAYERS };

static enum layer layer_of(const struct diagram_arrow *arrow)
{
	return arrow->kind != DIAGRAM_MESSAGE ? MARKERS : is_crossing(arrow) ? CROSSING : MESSAGES;
}

static void put_layer(FILE *to, const struct diagram *diagram, enum layer layer)
{
	for (size_t i = 0; i < diagram->arrow_count; i++)
		if (diagram->arrows[i].stands && layer_of(&diagram->arrows[i]) == layer)
			put_arrow(to, diagram, &diagram->arrows[i]);
}

void diagram_put_arrows(FILE *to, const struct diagram *diagram)
{
	put_layer(to, diagram, MARKERS);
	put_layer(to, diagram, MESSAGES);
	diagram_put_cut(to, diagram);
	put_layer(to, diagram, CROSSING);
}

static void name_arrow(FILE *to, struct names *names, const struct diagram *diagram, const struct diagram_arrow *arrow)
{
	struct ends ends = ends_of(diagram, arrow);
	struct box box = { .half_height = 6.5 };
	char text[32] = "";

	if (arrow->stands > 1 && is_crossing(arrow))
		snprintf(text, sizeof text, "%" PRIu32, arrow->stands);
	else if (arrow->name)
		snprintf(text, sizeof text, "m%" PRIu32, arrow->name);
	else if (arrow->kind == DIAGRAM_MARKER && arrow->told >= 0 && diagram->count.markers <= 24 && diagram->count.messages <= FEW)
		snprintf(text, sizeof text, diagram->count.markers <= 6 ? "%" PRId64 " sent" : "%" PRId64, arrow->told);
	box.half_width = 3.8 * (double)strlen(text) + 1;
	if (!text[0] || !find_place(names, diagram, &ends, arrow->kind == DIAGRAM_MARKER, &box))
		return;
	names->boxes[names->count++] = box;
	fprintf(to, "<text class=\"name %s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", class_of(arrow), box.x, box.y + 4.3, text);
}

/* Marks are in the way of names. */
static void keep_off_marks(struct names *names, const struct diagram *diagram)
{
	for (size_t i = 0; i < diagram->point_count; i++) {
		const struct diagram_spot *spot = &diagram->spots[diagram->points[i].spot];

		names->boxes[names->count++] = (struct box){ .x = spot->x, .y = diagram_row_of(diagram, spot->rank)->y, .half_width = 8, .half_height = 8 };
	}
}

bool diagram_put_names(FILE *to, const struct diagram *diagram)
{
	struct names names = { .boxes = malloc((diagram->arrow_count + diagram->point_count + 1) * sizeof *names.boxes) };

	if (!names.boxes)
		return false;
	keep_off_marks(&names, diagram);
	for (int layer = LAYERS - 1; layer >= 0; layer--)
		for (size_t i = 0; i < diagram->arrow_count; i++)
			if (diagram->arrows[i].stands && layer_of(&diagram->arrows[i]) == (enum layer)layer)
				name_arrow(to, &names, diagram, &diagram->arrows[i]);
	free(names.boxes);
	return true;
}

/* --- below it --------------------------------------------------------------------------------------------------------------------------- */

struct sample {
	const char *class, *text;
	bool shown;
	int mark;               /* -1: an arrow */
};

enum { SAMPLES = 13, LINE = 22 };

static size_t list_samples(const struct diagram *diagram, struct sample *samples)
{
	static const struct sample all[] = {
		{ "before", "message before the cut", false, -1 }, { "after", "message after the cut", false, -1 }, { "late", "in flight: it crosses the cut", false, -1 },
		{ "orphan", "orphan", false, -1 }, { "marker", "marker", false, -1 }, { "order", "order", false, -1 },
		{ "point", "asks for the snapshot", false, DIAGRAM_START }, { "point", "a rank's cut", false, DIAGRAM_CUT }, { "point", "void cut", false, DIAGRAM_VOID_CUT },
		{ "soft", "all its channels are closed", false, DIAGRAM_CLOSED }, { "point", "committed", false, DIAGRAM_COMMIT }, { "point", "given up", false, DIAGRAM_VOID },
		{ "point", "held while its state is taken", false, DIAGRAM_HELD },
	};
	bool shown[SAMPLES] = {0};
	size_t count = 0;

	for (size_t i = 0; i < diagram->arrow_count; i++)
		if (diagram->arrows[i].stands)
			shown[diagram->arrows[i].kind == DIAGRAM_MESSAGE ? (size_t)diagram->arrows[i].fate : diagram->arrows[i].kind == DIAGRAM_MARKER ? 4 : 5] = true;
	for (size_t i = 0; i < diagram->point_count; i++)
		if (!diagram_is_folded(diagram, diagram->spots[diagram->points[i].spot].rank))
			for (size_t k = 6; k < SAMPLES; k++)
				shown[k] |= all[k].mark == (int)diagram->points[i].mark;
	for (size_t i = 0; i < SAMPLES; i++)
		if (shown[i])
			samples[count++] = all[i];
	return count;
}

/* Where the next sample begins: in this line, or in a new one. */
static void next_place(const struct diagram *diagram, const struct sample *sample, double *x, size_t *line, double *at)
{
	double width = 38 + 7.2 * (double)strlen(sample->text) + 26;

	if (*x > 24 && *x + width > diagram->width - 10) {
		*x = 24;
		(*line)++;
	}
	*at = *x;
	*x += width;
}

static size_t count_lines(const struct diagram *diagram, const struct sample *samples, size_t count)
{
	double x = 24, at;
	size_t line = 0;

	for (size_t i = 0; i < count; i++)
		next_place(diagram, &samples[i], &x, &line, &at);
	return line + 1;
}

static void put_sample(FILE *to, const struct sample *sample, double x, double y)
{
	const struct ends ends = { x, y, x + 30, y };

	fprintf(to, "<g class=\"%s\">", sample->class);
	if (sample->mark >= 0) {
		diagram_put_mark(to, (enum diagram_mark)sample->mark, x + 15, y, 6.5);
	} else {
		fprintf(to, "<path class=\"line\" d=\"M%.1f %.1fH%.1f\"/>", x, y, x + 26);
		put_tip(to, &ends, !strcmp(sample->class, "late") ? 12 : 8.5, false);
	}
	fprintf(to, "</g><text class=\"soft\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + 38, y + 4.5, sample->text);
}

/* What is not in the picture, or not as it was. */
static size_t list_notes(const struct diagram *diagram, char notes[][128])
{
	size_t count = 0;

	if (diagram->count.bundled)
		snprintf(notes[count++], 128, "Thicker arrows stand for several messages each; their tooltips say for how many.");
	if (diagram->count.left_out)
		snprintf(notes[count++], 128, "%" PRIu32 " more messages within the window are not drawn; none of them crosses the cut.", diagram->count.left_out);
	if (diagram->count.folded)
		snprintf(notes[count++], 128, "%" PRIu32 " messages between folded ranks are not drawn%s.", diagram->count.folded, diagram->count.late_folded ? "" : "; none of them crosses the cut");
	if (diagram->count.late_folded)
		snprintf(notes[count++], 128, "%" PRIu32 " of these cross the cut.", diagram->count.late_folded);
	if (diagram->count.markers_left_out)
		snprintf(notes[count++], 128, "%" PRIu32 " more markers are not drawn: of each rank there are the first and the last that came to it.", diagram->count.markers_left_out);
	return count;
}

double diagram_foot_height(const struct diagram *diagram)
{
	struct sample samples[SAMPLES];
	char notes[5][128];
	size_t count = list_samples(diagram, samples), more = list_notes(diagram, notes);

	return 14 + LINE * (double)(count_lines(diagram, samples, count) + more);
}

void diagram_put_foot(FILE *to, const struct diagram *diagram, double y)
{
	struct sample samples[SAMPLES];
	char notes[5][128];
	size_t count = list_samples(diagram, samples), more = list_notes(diagram, notes), line = 0;
	double x = 24, at;

	for (size_t i = 0; i < count; i++) {
		next_place(diagram, &samples[i], &x, &line, &at);
		put_sample(to, &samples[i], at, y + LINE * (double)line);
	}
	for (size_t i = 0; i < more; i++)
		fprintf(to, "<text class=\"soft\" x=\"24\" y=\"%.1f\">%s</text>\n", y + 4.5 + LINE * (double)(line + 1 + i), notes[i]);
}
