/* SPDX-License-Identifier: BSD-3-Clause */
/* Where things lie: x from times or from the order of events, y from the rows.
 *
 * By time: linear, but for stretches in which nothing happens and which are longer than all that is left when they are folded; so a window of 5 ms after a wait of 10 s
 * can be read.
 * By order: one column after the other, in the order of time. An event joins the column before it if nothing of its rank is in it, and what it follows from is in an earlier one. */
#include <stdlib.h>

#include "diagram/svg.h"

enum { PAD = 26, LABELS = 84, HEAD = 96, BREAKS_MOST = 6 };

static int in_order(const void *a, const void *b, void *context)
{
	const struct diagram *diagram = context;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct diagram_spot *x = &diagram->spots[i], *y = &diagram->spots[k];

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return i < k ? -1 : i > k;
}

static bool sort(struct diagram *diagram)
{
	diagram->sorted = malloc((diagram->spot_count + 1) * sizeof *diagram->sorted);
	if (!diagram->sorted)
		return false;
	for (size_t i = 0; i < diagram->spot_count; i++)
		diagram->sorted[i] = i;
	qsort_r(diagram->sorted, diagram->spot_count, sizeof *diagram->sorted, in_order, diagram);
	return true;
}

static bool is_cut(const struct diagram_point *point)
{
	return point->mark == DIAGRAM_CUT || point->mark == DIAGRAM_VOID_CUT;
}

static void find_zero(struct diagram *diagram)
{
	bool found = false;

	if (diagram->spot_count)
		diagram->zero = diagram->spots[diagram->sorted[0]].time;
	for (size_t i = 0; i < diagram->point_count; i++) {
		int64_t time = diagram->spots[diagram->points[i].spot].time;

		if (is_cut(&diagram->points[i]) && (!found || time < diagram->zero)) {
			diagram->zero = time;
			found = true;
		}
	}
}

/* --- by time ------------------------------------------------------------------------------------------------------------------ */

struct gap {
	int64_t ns;
	size_t at;              /* between sorted[at] and sorted[at + 1] */
};

static int longest_first(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

static int64_t time_at(const struct diagram *diagram, size_t place)
{
	return diagram->spots[diagram->sorted[place]].time;
}

/* How many of the longest gaps are to be folded: as many as make the last of them still longer than all that remains. */
static size_t count_folds(const struct gap *gaps, size_t count, int64_t span, int64_t *remains)
{
	size_t folds = 0;

	*remains = span;
	for (size_t i = 0; i < count / 4 + 1 && i < BREAKS_MOST; i++) {
		span -= gaps[i].ns;
		if (span > 0 && gaps[i].ns > span) {
			folds = i + 1;
			*remains = span;
		}
	}
	return folds;
}

static int by_place(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Places all spots from the left, and the breaks between them. */
static void place_by_time(struct diagram *diagram, const struct gap *folded, size_t folds)
{
	double x = diagram->left + PAD;
	size_t fold = 0;

	for (size_t i = 0; i < diagram->spot_count; i++) {
		if (i && fold < folds && folded[fold].at == i - 1) {
			diagram->breaks[fold++] = (struct diagram_break){ .x = x + DIAGRAM_BREAK / 2.0, .from = time_at(diagram, i - 1), .to = time_at(diagram, i) };
			x += DIAGRAM_BREAK;
		} else if (i) {
			x += (double)(time_at(diagram, i) - time_at(diagram, i - 1)) * diagram->scale;
		}
		diagram->spots[diagram->sorted[i]].x = x;
	}
	diagram->break_count = folds;
	diagram->right = x + PAD;
}

static double plane_by_time(const struct diagram *diagram)
{
	double wanted = 14.0 * (double)diagram->spot_count;

	return wanted < 860 ? 860 : wanted > 1500 ? 1500 : wanted;
}

static bool by_time(struct diagram *diagram)
{
	size_t count = diagram->spot_count ? diagram->spot_count - 1 : 0, distinct = 0, folds;
	struct gap *gaps = malloc((count + 1) * sizeof *gaps);
	int64_t span, remains;

	diagram->breaks = calloc(BREAKS_MOST, sizeof *diagram->breaks);
	if (!gaps || !diagram->breaks) {
		free(gaps);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		if (time_at(diagram, i + 1) > time_at(diagram, i))
			gaps[distinct++] = (struct gap){ .ns = time_at(diagram, i + 1) - time_at(diagram, i), .at = i };
	span = distinct ? time_at(diagram, count) - time_at(diagram, 0) : 0;
	qsort(gaps, distinct, sizeof *gaps, longest_first);
	folds = count_folds(gaps, distinct, span, &remains);
	qsort(gaps, folds, sizeof *gaps, by_place);
	diagram->scale = remains > 0 ? (plane_by_time(diagram) - (double)folds * DIAGRAM_BREAK) / (double)remains : 0;
	place_by_time(diagram, gaps, folds);
	free(gaps);
	return true;
}

/* --- by order ----------------------------------------------------------------------------------------------------------------- */

/* For each spot the column of what it follows from, as far as that is placed; and for each rank the column of its last spot. */
struct columns {
	size_t *cause;          /* of each spot: the spot where the message that ends there was sent; NONE: nothing ends there, or more than one does */
	size_t *column;         /* of each spot */
	size_t *last;           /* of each rank */
	int64_t *cut;           /* of each rank: time and order of its cut */
	uint64_t *cut_order;
	size_t now;
};

static bool is_before(const struct columns *columns, const struct diagram_spot *spot)
{
	return spot->time < columns->cut[spot->rank] || (spot->time == columns->cut[spot->rank] && spot->order < columns->cut_order[spot->rank]);
}

static bool is_here(const struct columns *columns, const struct diagram_spot *spot)
{
	return spot->time == columns->cut[spot->rank] && spot->order == columns->cut_order[spot->rank];
}

static void put(struct diagram *diagram, struct columns *columns, size_t spot)
{
	size_t rank = diagram->spots[spot].rank, cause = columns->cause[spot], least = 0;

	if (columns->last[rank] != DIAGRAM_NONE)
		least = columns->last[rank] + 1;
	if (cause != DIAGRAM_NONE && columns->column[cause] != DIAGRAM_NONE && columns->column[cause] + 1 > least)
		least = columns->column[cause] + 1;
	if (least > columns->now)
		columns->now = least;
	columns->column[spot] = columns->last[rank] = columns->now;
}

static void put_all(struct diagram *diagram, struct columns *columns, bool (*wanted)(const struct columns *, const struct diagram_spot *))
{
	for (size_t i = 0; i < diagram->spot_count; i++) {
		size_t spot = diagram->sorted[i];

		if (columns->column[spot] == DIAGRAM_NONE && (!wanted || wanted(columns, &diagram->spots[spot])))
			put(diagram, columns, spot);
	}
}

static void note_causes_and_cuts(const struct diagram *diagram, struct columns *columns)
{
	for (size_t i = 0; i < diagram->spot_count; i++)
		columns->cause[i] = columns->column[i] = DIAGRAM_NONE;
	for (uint32_t rank = 0; rank < diagram->ranks; rank++) {
		columns->last[rank] = DIAGRAM_NONE;
		columns->cut[rank] = INT64_MAX;
	}
	for (size_t i = 0; i < diagram->arrow_count; i++)
		if (diagram->arrows[i].end != DIAGRAM_NONE)
			columns->cause[diagram->arrows[i].end] = diagram->arrows[i].start;
	for (size_t i = 0; i < diagram->point_count; i++)
		if (is_cut(&diagram->points[i])) {
			const struct diagram_spot *spot = &diagram->spots[diagram->points[i].spot];

			columns->cut[spot->rank] = spot->time;
			columns->cut_order[spot->rank] = spot->order;
		}
}

/* All cuts in one column: what follows from the cuts of others, markers, is not asked. */
static void put_cuts(struct diagram *diagram, struct columns *columns)
{
	columns->now++;
	for (size_t i = 0; i < diagram->spot_count; i++)
		if (columns->column[i] == DIAGRAM_NONE && is_here(columns, &diagram->spots[i]))
			columns->column[i] = columns->last[diagram->spots[i].rank] = columns->now;
	columns->now++;
}

static void place_by_column(struct diagram *diagram, const struct columns *columns)
{
	double step = columns->now ? 1440.0 / (double)columns->now : 0, most = diagram->ranks > 8 ? 24 : 38;

	/* A small picture is given room, a large one what there is. */
	if (most * (double)columns->now < 640)
		most = columns->now > 10 ? 640 / (double)columns->now : 64;
	if (step < 5)
		step = 5 * (double)columns->now > 2400 ? 2400 / (double)columns->now : 5;
	step = step > most ? most : step;
	for (size_t i = 0; i < diagram->spot_count; i++)
		diagram->spots[i].x = diagram->left + PAD + (double)columns->column[i] * step;
	diagram->right = diagram->left + 2 * PAD + (double)columns->now * step;
}

static bool by_order(struct diagram *diagram, bool cuts)
{
	struct columns columns = {
		.cause = malloc((diagram->spot_count + 1) * sizeof *columns.cause), .column = malloc((diagram->spot_count + 1) * sizeof *columns.column),
		.last = malloc((size_t)diagram->ranks * sizeof *columns.last), .cut = malloc((size_t)diagram->ranks * sizeof *columns.cut),
		.cut_order = calloc(diagram->ranks, sizeof *columns.cut_order),
	};
	bool fine = columns.cause && columns.column && columns.last && columns.cut && columns.cut_order;

	if (fine) {
		note_causes_and_cuts(diagram, &columns);
		if (cuts) {
			put_all(diagram, &columns, is_before);
			put_cuts(diagram, &columns);
		}
		put_all(diagram, &columns, NULL);
		place_by_column(diagram, &columns);
	}
	free(columns.cause);
	free(columns.column);
	free(columns.last);
	free(columns.cut);
	free(columns.cut_order);
	return fine;
}

/* --- rows --------------------------------------------------------------------------------------------------------------------- */

static double height_of_row(size_t rows)
{
	return rows <= 3 ? 96 : rows <= 5 ? 76 : rows <= 8 ? 58 : rows <= 16 ? 40 : rows <= 32 ? 26 : 18;
}

static void place_rows(struct diagram *diagram)
{
	double height = diagram->row_height = height_of_row(diagram->row_count);

	diagram->top = HEAD;
	for (size_t i = 0; i < diagram->row_count; i++) {
		struct diagram_row *row = &diagram->rows[i];

		row->y = HEAD + height * ((double)i + 0.6);
		row->cut_first = row->cut_last = row->cut_least = row->cut_most = -1;
	}
	diagram->bottom = HEAD + height * ((double)diagram->row_count + 0.2);
}

static void place_cuts(struct diagram *diagram)
{
	for (size_t i = 0; i < diagram->spot_count; i++)
		diagram->rows[diagram->row_of[diagram->spots[i].rank]].seen = true;
	for (size_t i = 0; i < diagram->point_count; i++) {
		const struct diagram_spot *spot = &diagram->spots[diagram->points[i].spot];
		struct diagram_row *row = &diagram->rows[diagram->row_of[spot->rank]];

		if (!is_cut(&diagram->points[i]))
			continue;
		if (spot->rank == row->first)
			row->cut_first = spot->x;
		if (spot->rank == row->last)
			row->cut_last = spot->x;
		if (row->cut_least < 0 || spot->x < row->cut_least)
			row->cut_least = spot->x;
		if (spot->x > row->cut_most)
			row->cut_most = spot->x;
	}
}

bool diagram_lay_out(struct diagram *diagram, const struct diagram_options *options)
{
	diagram->left = LABELS;
	if (!sort(diagram) || !diagram_make_rows(diagram, options))
		return false;
	find_zero(diagram);
	if (!(options->by == DIAGRAM_BY_TIME ? by_time(diagram) : by_order(diagram, options->by == DIAGRAM_BY_CUT)))
		return false;
	diagram->width = diagram->right + PAD < 700 ? 700 : diagram->right + PAD;
	place_rows(diagram);
	place_cuts(diagram);
	return diagram_thin_out(diagram, options);
}
