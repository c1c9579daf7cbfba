/* SPDX-License-Identifier: BSD-3-Clause */
/* What a large picture leaves out: ranks that are folded to one line, and arrows that one stands for. Never one that crosses the cut, while its two ends have lines of
 * their own. */
#include <stdlib.h>
#include <string.h>

#include "diagram/diagram.h"

enum {
	ROWS_UNFOLDED = 24,     /* up to so many ranks nothing is folded */
	ROWS_MOST = 64,         /* ranks with lines of their own, if nobody chose them */
	ARROWS_LEAST = 90, ARROWS_MOST = 240, ARROWS_OF_ROW = 16,
	CROSSING_MOST = 120,
	MARKERS_MOST = 72
};

/* --- rows -------------------------------------------------------------------------------------------------------------------- */

/* How much there is to see of a rank. */
static void weigh(const struct diagram *diagram, uint64_t *weight)
{
	size_t voids = 0;

	for (size_t i = 0; i < diagram->arrow_count; i++) {
		const struct diagram_arrow *arrow = &diagram->arrows[i];

		if (arrow->kind == DIAGRAM_MESSAGE && arrow->fate >= DIAGRAM_LATE) {
			weight[arrow->from] += arrow->fate == DIAGRAM_ORPHAN ? UINT32_MAX : 1;
			weight[arrow->to] += arrow->fate == DIAGRAM_ORPHAN ? UINT32_MAX : 1;
		}
	}
	for (size_t i = 0; i < diagram->point_count; i++)
		voids += diagram->points[i].mark == DIAGRAM_VOID_CUT;
	/* Where all cuts are void there is nothing to a void cut. */
	for (size_t i = 0; i < diagram->point_count; i++)
		if (diagram->points[i].mark == DIAGRAM_VOID_CUT || diagram->points[i].mark == DIAGRAM_START)
			weight[diagram->spots[diagram->points[i].spot].rank] += diagram->points[i].mark == DIAGRAM_VOID_CUT && voids > ROWS_MOST ? 1 : UINT32_MAX;
}

static int down(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The ranks with most to see, as many as there may be lines. */
static bool choose(const struct diagram *diagram, bool *own)
{
	uint64_t *weight = calloc(2 * (size_t)diagram->ranks, sizeof *weight), *sorted = weight + diagram->ranks;
	uint64_t least = 1;
	size_t count = 0;

	if (!weight)
		return false;
	weigh(diagram, weight);
	memcpy(sorted, weight, diagram->ranks * sizeof *weight);
	qsort(sorted, diagram->ranks, sizeof *sorted, down);
	if (diagram->ranks > ROWS_MOST && sorted[ROWS_MOST] >= least)
		least = sorted[ROWS_MOST - 1];
	/* Of those that are alike, the first: after all that have more. */
	for (uint32_t rank = 0; rank < diagram->ranks; rank++) {
		own[rank] = weight[rank] > least;
		count += own[rank];
	}
	for (uint32_t rank = 0; rank < diagram->ranks && count < ROWS_MOST; rank++)
		if (weight[rank] == least) {
			own[rank] = true;
			count++;
		}
	free(weight);
	return true;
}

bool diagram_make_rows(struct diagram *diagram, const struct diagram_options *options)
{
	bool *own = calloc(diagram->ranks, sizeof *own);
	bool chosen = own && (options->every || diagram->ranks <= ROWS_UNFOLDED || options->selected || choose(diagram, own));

	diagram->rows = calloc(diagram->ranks, sizeof *diagram->rows);
	diagram->row_of = calloc(diagram->ranks, sizeof *diagram->row_of);
	if (!chosen || !diagram->rows || !diagram->row_of) {
		free(own);
		return false;
	}
	for (uint32_t rank = 0; rank < diagram->ranks; rank++) {
		if (options->selected)
			own[rank] = options->selected[rank];
		else if (options->every || diagram->ranks <= ROWS_UNFOLDED)
			own[rank] = true;
		if (own[rank] || !rank || own[rank - 1])
			diagram->rows[diagram->row_count++] = (struct diagram_row){ .first = rank, .last = rank };
		diagram->rows[diagram->row_count - 1].last = rank;
		diagram->row_of[rank] = (uint32_t)diagram->row_count - 1;
	}
	free(own);
	return true;
}

/* --- arrows ------------------------------------------------------------------------------------------------------------------- */

static double x_of(const struct diagram *diagram, size_t spot)
{
	return spot == DIAGRAM_NONE ? diagram->left : diagram->spots[spot].x;
}

/* What one arrow can stand for: between the same lines, with the same fate, begun close together. */
struct bundle {
	uint64_t rows, bucket;
	size_t arrow;
};

static int compare(const void *a, const void *b)
{
	const struct bundle *x = a, *y = b;

	if (x->rows != y->rows)
		return x->rows < y->rows ? -1 : 1;
	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return x->arrow < y->arrow ? -1 : x->arrow > y->arrow;
}

static size_t sort_into(const struct diagram *diagram, struct bundle *bundles, size_t count, double width)
{
	size_t kinds = 0;

	for (size_t i = 0; i < count; i++) {
		const struct diagram_arrow *arrow = &diagram->arrows[bundles[i].arrow];
		bool open = arrow->end == DIAGRAM_NONE;

		bundles[i].rows = ((uint64_t)diagram->row_of[arrow->from] << 32 | diagram->row_of[arrow->to]) << 2 | (uint64_t)(arrow->fate == DIAGRAM_AFTER) << 1 | open;
		bundles[i].bucket = (uint64_t)(x_of(diagram, arrow->start) / width);
	}
	qsort(bundles, count, sizeof *bundles, compare);
	for (size_t i = 0; i < count; i++)
		kinds += !i || bundles[i].rows != bundles[i - 1].rows || bundles[i].bucket != bundles[i - 1].bucket;
	return kinds;
}

/* The middle one of each bundle stands for it. */
static void gather(struct diagram *diagram, const struct bundle *bundles, size_t count)
{
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && bundles[end].rows == bundles[i].rows && bundles[end].bucket == bundles[i].bucket; end++)
			;
		for (size_t at = i; at < end; at++)
			diagram->arrows[bundles[at].arrow].stands = 0;
		diagram->arrows[bundles[(i + end - 1) / 2].arrow].stands = (uint32_t)(end - i);
		if (end - i > 1)
			diagram->count.bundled += (uint32_t)(end - i);
	}
}

static int by_stands(const void *a, const void *b, void *context)
{
	const struct diagram *diagram = context;
	const struct bundle *x = a, *y = b;
	uint32_t of_x = diagram->arrows[x->arrow].stands, of_y = diagram->arrows[y->arrow].stands;

	if (of_x != of_y)
		return of_x > of_y ? -1 : 1;
	return x->arrow < y->arrow ? -1 : x->arrow > y->arrow;
}

/* Makes arrows stand for others, coarser and coarser, until there are few enough; leaves out the smallest, if `drop`, when nothing else helps. */
static void bundle(struct diagram *diagram, struct bundle *bundles, size_t count, size_t most, bool drop)
{
	double width = 8;
	size_t kinds;

	if (count <= most)
		return;
	while ((kinds = sort_into(diagram, bundles, count, width)) > most && width < 4 * diagram->width)
		width *= 1.5;
	gather(diagram, bundles, count);
	if (kinds <= most || !drop)
		return;
	qsort_r(bundles, count, sizeof *bundles, by_stands, diagram);
	for (size_t i = most; i < count; i++) {
		diagram->count.left_out += diagram->arrows[bundles[i].arrow].stands;
		diagram->arrows[bundles[i].arrow].stands = 0;
	}
}

/* Of each rank's markers, those that the first and the last came to it. */
static bool thin_markers(struct diagram *diagram)
{
	size_t *ends = malloc(2 * (size_t)diagram->ranks * sizeof *ends);

	if (diagram->count.markers <= MARKERS_MOST)
		return free(ends), true;
	if (!ends)
		return false;
	for (size_t i = 0; i < 2 * (size_t)diagram->ranks; i++)
		ends[i] = DIAGRAM_NONE;
	for (size_t i = 0; i < diagram->arrow_count; i++) {
		const struct diagram_arrow *arrow = &diagram->arrows[i];
		size_t *of = &ends[2 * (size_t)arrow->to];

		if (arrow->kind != DIAGRAM_MARKER || arrow->end == DIAGRAM_NONE)
			continue;
		if (of[0] == DIAGRAM_NONE || x_of(diagram, arrow->end) < x_of(diagram, diagram->arrows[of[0]].end))
			of[0] = i;
		if (of[1] == DIAGRAM_NONE || x_of(diagram, arrow->end) >= x_of(diagram, diagram->arrows[of[1]].end))
			of[1] = i;
	}
	for (size_t i = 0; i < diagram->arrow_count; i++) {
		struct diagram_arrow *arrow = &diagram->arrows[i];

		if (arrow->kind == DIAGRAM_MARKER && arrow->stands && (diagram_is_folded(diagram, arrow->to) ||
		    (ends[2 * (size_t)arrow->to] != i && ends[2 * (size_t)arrow->to + 1] != i))) {
			arrow->stands = 0;
			diagram->count.markers_left_out++;
		}
	}
	free(ends);
	return true;
}

/* What is between ranks that are folded; but for messages that cross the cut, which are drawn from one folded line to another. */
static bool is_hidden(const struct diagram *diagram, const struct diagram_arrow *arrow)
{
	return diagram_is_folded(diagram, arrow->from) && diagram_is_folded(diagram, arrow->to) &&
	       (diagram->row_of[arrow->from] == diagram->row_of[arrow->to] || arrow->kind != DIAGRAM_MESSAGE || arrow->fate < DIAGRAM_LATE);
}

static void count(struct diagram *diagram, struct diagram_arrow *arrow, const struct diagram_options *options)
{
	bool hidden = is_hidden(diagram, arrow), message = arrow->kind == DIAGRAM_MESSAGE, late = message && arrow->fate >= DIAGRAM_LATE;

	arrow->stands = !hidden && (arrow->kind != DIAGRAM_ORDER || options->orders) && (message || options->by != DIAGRAM_BY_CUT);
	diagram->count.messages += message;
	diagram->count.late += message && arrow->fate == DIAGRAM_LATE;
	diagram->count.orphans += message && arrow->fate == DIAGRAM_ORPHAN;
	diagram->count.markers += arrow->kind == DIAGRAM_MARKER;
	diagram->count.folded += message && hidden;
	diagram->count.late_folded += late && hidden;
	if (arrow->kind == DIAGRAM_MARKER && hidden)
		diagram->count.markers_left_out++;
}

static int by_start(const void *a, const void *b, void *context)
{
	const struct diagram *diagram = context;
	const struct bundle *x = a, *y = b;
	double of_x = x_of(diagram, diagram->arrows[x->arrow].start), of_y = x_of(diagram, diagram->arrows[y->arrow].start);

	if (of_x < of_y || of_x > of_y)
		return of_x < of_y ? -1 : 1;
	return x->arrow < y->arrow ? -1 : x->arrow > y->arrow;
}

/* Names in the order of sending, where there are few enough to be read: all messages, or those that cross. */
static void name(struct diagram *diagram, struct bundle *drawn, size_t count)
{
	enum { ALL = 30, LATE = 60 };
	uint32_t number = 0;

	if (diagram->count.late + diagram->count.orphans > LATE || diagram->count.bundled)
		return;
	qsort_r(drawn, count, sizeof *drawn, by_start, diagram);
	for (size_t i = 0; i < count; i++) {
		struct diagram_arrow *arrow = &diagram->arrows[drawn[i].arrow];

		if (arrow->stands && (count <= ALL || arrow->fate >= DIAGRAM_LATE))
			arrow->name = ++number;
	}
}

/* How many arrows there may be before they are bundled: a few lines have room for fewer. */
static size_t room_for(const struct diagram *diagram, const struct diagram_options *options)
{
	size_t room = ARROWS_OF_ROW * diagram->row_count;

	if (options->most)
		return options->most;
	return room < ARROWS_LEAST ? ARROWS_LEAST : room > ARROWS_MOST ? ARROWS_MOST : room;
}

bool diagram_thin_out(struct diagram *diagram, const struct diagram_options *options)
{
	struct bundle *bundles = malloc((2 * diagram->arrow_count + 1) * sizeof *bundles), *late = bundles + diagram->arrow_count;
	size_t most = room_for(diagram, options), ordinary = 0, crossing = 0;

	if (!bundles)
		return false;
	for (size_t i = 0; i < diagram->arrow_count; i++) {
		struct diagram_arrow *arrow = &diagram->arrows[i];

		count(diagram, arrow, options);
		if (arrow->stands && arrow->kind == DIAGRAM_MESSAGE && arrow->fate == DIAGRAM_LATE)
			late[crossing++].arrow = i;
		else if (arrow->stands && arrow->kind == DIAGRAM_MESSAGE && arrow->fate != DIAGRAM_ORPHAN)
			bundles[ordinary++].arrow = i;
	}
	bundle(diagram, bundles, ordinary, most, true);
	bundle(diagram, late, crossing, CROSSING_MOST, false);
	ordinary = 0;
	for (size_t i = 0; i < diagram->arrow_count; i++)
		if (diagram->arrows[i].stands && diagram->arrows[i].kind == DIAGRAM_MESSAGE)
			bundles[ordinary++].arrow = i;
	name(diagram, bundles, ordinary);
	bool fine = thin_markers(diagram);
	free(bundles);
	return fine;
}
