/* SPDX-License-Identifier: BSD-3-Clause */
/* The picture as SVG text. Shapes are told apart by colour (Okabe and Ito's, which all eyes can tell) and by form: markers are dashed, what is in flight is thick, orphans are
 * crossed. Everything has a tooltip. No ids, so that a page may hold several; no fonts, scripts or links. The same diagram gives the same bytes. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagram/diagram.h"
#include "diagram/svg.h"

static const char style[] =
	".sm{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',Arial,sans-serif;font-size:13px;color:#1d2329}\n"
	".sm .paper{fill:#fff}.sm text{fill:currentColor}.sm .soft{color:#59636e}.sm .name{font-size:12px;font-weight:600;stroke:#fff;stroke-width:4px;paint-order:stroke;stroke-linejoin:round}\n"
	".sm .title{font-size:18px;font-weight:600}.sm .past{fill:#0072b2;fill-opacity:.07}.sm .band{fill:#59636e;fill-opacity:.13}.sm .grid{stroke:#59636e;stroke-opacity:.22}\n"
	".sm .break{fill:#fff;stroke:#59636e;stroke-opacity:.55}.sm .line{fill:none;stroke:currentColor;stroke-width:1.5}.sm .head{fill:currentColor}.sm .open{fill:#fff;stroke:currentColor;stroke-width:1.5}\n"
	".sm .before{color:#0072b2}.sm .after{color:#6e7781}.sm .late{color:#c84e00}.sm .late .line{stroke-width:3.2}.sm .orphan{color:#b3005e}.sm .orphan .line{stroke-width:2.4}\n"
	".sm .marker{color:#00815c}.sm .marker .line{stroke-dasharray:6 4}.sm .order{color:#8c6bb1}.sm .order .line{stroke-width:1;stroke-dasharray:1.5 3}\n"
	".sm .many .line{stroke-opacity:.5;stroke-width:1.1}.sm .many .head{fill-opacity:.65}.sm .many .after .line{stroke-opacity:.38}.sm .many .late .line{stroke-opacity:1;stroke-width:2.6}\n"
	".sm .many .late .head{fill-opacity:1}.sm .crowd .late .line{stroke-width:1.5;stroke-opacity:.8}.sm .many .orphan .line{stroke-opacity:1;stroke-width:2.4}.sm .life .line{stroke-width:2.2;stroke-opacity:1}.sm .many .life .line{stroke-width:1.6;stroke-opacity:.8}\n"
	".sm .cut .line{stroke-width:2.6;stroke-opacity:1}.sm .cut .halo{fill:none;stroke:#fff;stroke-width:6.5;stroke-opacity:.85}.sm .void .line{stroke-dasharray:9 5}.sm .held{stroke:currentColor;stroke-opacity:.3;stroke-width:11;fill:none}\n";

/* The same in the dark: after ".sm". */
static const char *const dark[] = {
	"{color:#e6e9ed}", " .paper{fill:#14181d}", " .soft{color:#a3adb8}", " .name{stroke:#14181d}", " .past{fill:#56b4e9;fill-opacity:.11}",
	" .band{fill:#a3adb8}", " .grid{stroke:#a3adb8}", " .break{fill:#14181d;stroke:#a3adb8}", " .open{fill:#14181d}", " .before{color:#56b4e9}",
	" .after{color:#98a2ad}", " .late{color:#ff9f45}", " .orphan{color:#ff7ac0}", " .marker{color:#3fd0a0}", " .order{color:#b99ddb}",
	" .cut .halo{stroke:#14181d}",
};

static void put_dark(FILE *to, const char *where)
{
	for (size_t i = 0; i < sizeof dark / sizeof dark[0]; i++)
		fprintf(to, "%s.sm%s%s", where, dark[i], i % 6 == 5 ? "\n" : "");
}

/* In a page, as the page is: it may have a switch that says data-theme. */
static void put_style(FILE *to, bool inside)
{
	fprintf(to, "<style>\n%s@media (prefers-color-scheme:dark){\n", style);
	put_dark(to, inside ? ":root:not([data-theme=light]) " : "");
	fputs("}\n", to);
	if (inside)
		put_dark(to, ":root[data-theme=dark] ");
	fputs("</style>\n", to);
}

/* --- words ------------------------------------------------------------------------------------------------------------------- */

/* Text that may come from a file, as XML: neither markup nor what XML forbids. */
void diagram_put_text(FILE *to, const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++)
		switch (*at) {
		case '&': fputs("&amp;", to); break;
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '"': fputs("&quot;", to); break;
		default: putc(*at < ' ' || *at >= 0x7f ? '?' : *at, to);
		}
}

struct diagram_words diagram_time(int64_t ns, int64_t step)
{
	static const struct { int64_t ns; const char *name; } units[] = { { 1, "ns" }, { 1000, "us" }, { 1000000, "ms" }, { 1000000000, "s" } };
	size_t unit = 0;
	struct diagram_words words;
	int digits = 0;

	while (unit < 3 && (ns < 0 ? -ns : ns) >= units[unit + 1].ns)
		unit++;
	for (int64_t rest = units[unit].ns; step > 0 && rest > step && rest > 1 && digits < 4; digits++)
		rest /= 10;
	snprintf(words.text, sizeof words.text, "%.*f %s", digits, (double)ns / (double)units[unit].ns, units[unit].name);
	return words;
}

/* Three digits are enough for people. */
static struct diagram_words about(int64_t ns)
{
	int64_t step = 1;

	for (int64_t at = ns < 0 ? -ns : ns; at >= 1000; at /= 10)
		step *= 10;
	return diagram_time(ns, step);
}

static struct diagram_words rank_words(const struct diagram_row *row)
{
	struct diagram_words words;

	if (row->first == row->last)
		snprintf(words.text, sizeof words.text, "rank %" PRIu32, row->first);
	else
		snprintf(words.text, sizeof words.text, "%" PRIu32 " to %" PRIu32, row->first, row->last);
	return words;
}

/* --- the plane ----------------------------------------------------------------------------------------------------------------- */

static bool is_band(const struct diagram_row *row)
{
	return row->first != row->last;
}

static void put_points(FILE *to, const struct diagram *diagram)
{
	for (size_t i = 0; i < diagram->row_count; i++) {
		const struct diagram_row *row = &diagram->rows[i];
		double half = is_band(row) ? diagram->row_height * 0.3 : 0;

		if (row->cut_most < 0)
			continue;
		fprintf(to, " %.1f,%.1f", row->cut_first >= 0 ? row->cut_first : row->cut_least, row->y - half);
		if (half > 0)
			fprintf(to, " %.1f,%.1f", row->cut_last >= 0 ? row->cut_last : row->cut_most, row->y + half);
	}
}

/* x where the cut comes in at the top, and where it leaves. */
static bool ends_of_cut(const struct diagram *diagram, double *top, double *bottom)
{
	bool any = false;

	for (size_t i = 0; i < diagram->row_count; i++) {
		const struct diagram_row *row = &diagram->rows[i];

		if (row->cut_most < 0)
			continue;
		if (!any)
			*top = row->cut_first >= 0 ? row->cut_first : row->cut_least;
		*bottom = row->cut_last >= 0 ? row->cut_last : row->cut_most;
		any = true;
	}
	return any;
}

static void put_past(FILE *to, const struct diagram *diagram)
{
	double top, bottom;

	if (!ends_of_cut(diagram, &top, &bottom))
		return;
	fprintf(to, "<polygon class=\"past\" points=\"%.1f,%.1f %.1f,%.1f", diagram->left, diagram->top, top, diagram->top);
	put_points(to, diagram);
	fprintf(to, " %.1f,%.1f %.1f,%.1f\"/>\n", bottom, diagram->bottom, diagram->left, diagram->bottom);
}

void diagram_put_cut(FILE *to, const struct diagram *diagram)
{
	double top, bottom;

	if (!ends_of_cut(diagram, &top, &bottom))
		return;
	fprintf(to, "<g class=\"cut%s\"><title>the cut%s</title>", diagram->is_void ? " void" : "", diagram->is_void ? " of a snapshot that was void" : "");
	for (int i = 0; i < 2; i++) {
		fprintf(to, "<polyline class=\"%s\" points=\"%.1f,%.1f", i ? "line" : "halo", top, diagram->top - 6);
		put_points(to, diagram);
		fprintf(to, " %.1f,%.1f\"/>", bottom, diagram->bottom + 4);
	}
	fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-weight=\"600\">the cut</text></g>\n", top, diagram->top - 11);
	if (top > diagram->left + 130)
		fprintf(to, "<text class=\"before\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">before &#8592;</text>\n", top - 34, diagram->top - 11);
	if (top < diagram->right - 100)
		fprintf(to, "<text class=\"after\" x=\"%.1f\" y=\"%.1f\">&#8594; after</text>\n", top + 34, diagram->top - 11);
}

static void put_line(FILE *to, const char *class, double from, double end, double y)
{
	if (end > from)
		fprintf(to, "<g class=\"life %s\"><path class=\"line\" d=\"M%.1f %.1fH%.1f\"/></g>", class, from, y, end);
}

static void put_rows(FILE *to, const struct diagram *diagram)
{
	for (size_t i = 0; i < diagram->row_count; i++) {
		const struct diagram_row *row = &diagram->rows[i];
		double half = diagram->row_height * 0.3;

		fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\"%s>%s</text>", diagram->left - 10, row->y + 4, diagram->row_height < 20 ? " font-size=\"11\"" : "",
			rank_words(row).text);
		if (is_band(row)) {
			fprintf(to, "<g><title>%" PRIu32 " ranks, folded</title><rect class=\"band\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></g>\n",
				row->last - row->first + 1, diagram->left, row->y - half, diagram->right - diagram->left, 2 * half);
			continue;
		}
		if (!row->seen) {
			fprintf(to, "<g class=\"soft void\"><title>rank %" PRIu32 ": nothing of it is in the trace</title><path class=\"line\" d=\"M%.1f %.1fH%.1f\"/></g>\n", row->first,
				diagram->left, row->y, diagram->right);
			continue;
		}
		put_line(to, "before", diagram->left, row->cut_most < 0 ? diagram->right : row->cut_most, row->y);
		put_line(to, "after", row->cut_most < 0 ? diagram->right : row->cut_most, diagram->right, row->y);
		fputc('\n', to);
	}
}

static void put_breaks(FILE *to, const struct diagram *diagram)
{
	enum { TOOTH = 9, HALF = 5 };

	for (size_t i = 0; i < diagram->break_count; i++) {
		const struct diagram_break *at = &diagram->breaks[i];

		fprintf(to, "<g><title>%s without anything to draw</title><path class=\"break\" d=\"", about(at->to - at->from).text);
		for (int side = -1; side <= 1; side += 2) {
			int teeth = 0;

			for (double y = diagram->top; y <= diagram->bottom; y += TOOTH, teeth++) {
				double of = side < 0 ? y : diagram->bottom - (y - diagram->top);

				fprintf(to, "%c%.1f %.1f", side < 0 && !teeth ? 'M' : 'L', at->x + side * HALF + (teeth % 2 ? 2.5 : -2.5) * side, of);
			}
		}
		fputs("z\"/></g>\n", to);
	}
}

/* --- the axis -------------------------------------------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten. */
static int64_t nice_step(double ns)
{
	static const int factors[] = { 1, 2, 5 };

	for (int64_t power = 1; power < INT64_C(1000000000000000000); power *= 10)
		for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++)
			if ((double)(power * factors[i]) >= ns)
				return power * factors[i];
	return INT64_C(1000000000000000000);
}

static void put_tick(FILE *to, const struct diagram *diagram, double x, int64_t time, int64_t step, double *free_from)
{
	struct diagram_words words = diagram_time(time - diagram->zero, step);
	double half = 3.6 * (double)(strlen(words.text) + 1);

	fprintf(to, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>", x, diagram->top, diagram->bottom + 4);
	if (x - half < *free_from)
		return;
	fprintf(to, "<text class=\"soft\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"12\">%s%s</text>\n", x, diagram->bottom + 19, time > diagram->zero ? "+" : "",
		time == diagram->zero ? "0" : words.text);
	*free_from = x + half + 6;
}

/* The ticks between two breaks. */
static void put_ticks(FILE *to, const struct diagram *diagram, double x, int64_t from, int64_t end, int64_t step, double *free_from)
{
	int64_t first = (from - diagram->zero) / step * step;

	if (first < from - diagram->zero)
		first += step;
	for (int64_t at = first + diagram->zero; at <= end; at += step)
		put_tick(to, diagram, x + (double)(at - from) * diagram->scale, at, step, free_from);
}

static void put_axis(FILE *to, const struct diagram *diagram, const struct diagram_options *options)
{
	double free_from = diagram->left - 30, broken_from = 0;
	int64_t step = diagram->scale > 0 ? nice_step(105 / diagram->scale) : 0;

	if (options->by != DIAGRAM_BY_TIME) {
		fprintf(to, "<text class=\"soft\" x=\"%.1f\" y=\"%.1f\" font-size=\"12\">%s</text>\n", diagram->left, diagram->bottom + 19, options->by == DIAGRAM_BY_ORDER ?
			"the order of events, from left to right; distances mean nothing" : diagram->count.orphans ? "everything before the cuts first: an orphan would have to go back in time" :
			"everything before the cuts first, in an order that could have been; distances mean nothing");
		return;
	}
	if (!diagram->spot_count || !step)
		return;
	for (size_t i = 0; i <= diagram->break_count; i++) {
		const struct diagram_break *before = i ? &diagram->breaks[i - 1] : NULL, *behind = i < diagram->break_count ? &diagram->breaks[i] : NULL;
		const struct diagram_spot *first = &diagram->spots[diagram->sorted[0]], *last = &diagram->spots[diagram->sorted[diagram->spot_count - 1]];

		put_ticks(to, diagram, before ? before->x + DIAGRAM_BREAK / 2.0 : first->x, before ? before->to : first->time, behind ? behind->from : last->time, step, &free_from);
		if (behind && behind->x > broken_from) {
			fprintf(to, "<text class=\"soft\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"12\">%s</text>\n", behind->x, diagram->bottom + 35,
				about(behind->to - behind->from).text);
			broken_from = behind->x + 56;
		}
	}
}

/* --- points -------------------------------------------------------------------------------------------------------------------- */

static const char *const mark_words[] = {
	[DIAGRAM_START] = "the snapshot is asked for", [DIAGRAM_HELD] = "the program is held while its state is taken", [DIAGRAM_CUT] = "cut",
	[DIAGRAM_VOID_CUT] = "void cut: no state is taken", [DIAGRAM_CLOSED] = "all channels are closed: what was in flight is recorded",
	[DIAGRAM_COMMIT] = "the checkpoint is committed", [DIAGRAM_VOID] = "the snapshot is given up",
};

void diagram_put_mark(FILE *to, enum diagram_mark mark, double x, double y, double size)
{
	switch (mark) {
	case DIAGRAM_CUT:
		fprintf(to, "<path class=\"head\" d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"/>", x, y - size, size, size, -size, size, -size, -size);
		return;
	case DIAGRAM_VOID_CUT:
		fprintf(to, "<path class=\"open\" d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"/>", x, y - size, size, size, -size, size, -size, -size);
		return;
	case DIAGRAM_START:
		fprintf(to, "<circle class=\"open\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/><circle class=\"head\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", x, y, size * 0.85, x, y, size * 0.35);
		return;
	case DIAGRAM_CLOSED:
		fprintf(to, "<rect class=\"open\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x - size * 0.6, y - size * 0.6, size * 1.2, size * 1.2);
		return;
	case DIAGRAM_COMMIT:
		fprintf(to, "<circle class=\"open\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/><path class=\"line\" d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1f\"/>", x, y, size, x - size * 0.5, y, size * 0.38,
			size * 0.42, size * 0.62, -size * 0.85);
		return;
	case DIAGRAM_VOID:
		fprintf(to, "<circle class=\"open\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/><path class=\"line\" d=\"M%.1f %.1fl%.1f %.1fm0 %.1fl%.1f %.1f\"/>", x, y, size, x - size * 0.45, y - size * 0.45,
			size * 0.9, size * 0.9, -size * 0.9, -size * 0.9, size * 0.9);
		return;
	case DIAGRAM_HELD:
		fprintf(to, "<path class=\"held\" d=\"M%.1f %.1fh%.1f\"/>", x - 2 * size, y, 4 * size);
		return;
	}
}

static void put_point(FILE *to, const struct diagram *diagram, const struct diagram_point *point)
{
	const struct diagram_spot *spot = &diagram->spots[point->spot];
	double y = diagram_row_of(diagram, spot->rank)->y, size = diagram->row_height < 20 ? 4 : diagram->row_height < 40 ? 5.5 : 7.5;

	if (diagram_is_folded(diagram, spot->rank))
		return;
	fprintf(to, "<g class=\"%s\" data-rank=\"%" PRIu32 "\"><title>rank %" PRIu32 ": %s", point->mark == DIAGRAM_CLOSED ? "soft" : "point", spot->rank, spot->rank, mark_words[point->mark]);
	if (point->text) {
		fputs(", ", to);
		diagram_put_text(to, point->text);
	}
	fprintf(to, "; %s%s</title>", spot->time > diagram->zero ? "+" : "", about(spot->time - diagram->zero).text);
	if (point->mark == DIAGRAM_HELD && point->until != DIAGRAM_NONE)
		fprintf(to, "<path class=\"held\" d=\"M%.1f %.1fH%.1f\"/>", spot->x, y, fmax(diagram->spots[point->until].x, spot->x + 1));
	else
		diagram_put_mark(to, point->mark, spot->x, y, size);
	fputs("</g>\n", to);
}

/* What lasts, below the arrows; then the others, and the cuts over all. */
enum layer { LASTING, SMALL, CUTS };

static enum layer layer_of(enum diagram_mark mark)
{
	return mark == DIAGRAM_HELD ? LASTING : mark == DIAGRAM_CUT || mark == DIAGRAM_VOID_CUT ? CUTS : SMALL;
}

static void put_marks(FILE *to, const struct diagram *diagram, enum layer layer)
{
	for (size_t i = 0; i < diagram->point_count; i++)
		if (layer_of(diagram->points[i].mark) == layer)
			put_point(to, diagram, &diagram->points[i]);
}

/* --- all of it --------------------------------------------------------------------------------------------------------------------- */

static void put_head(FILE *to, const struct diagram *diagram, const struct diagram_options *options, double height)
{
	fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"sm\" role=\"img\" viewBox=\"0 0 %.0f %.0f\"", diagram->width, height);
	if (!options->inside)
		fprintf(to, " width=\"%.0f\" height=\"%.0f\"", diagram->width, height);
	fputs(">\n<title>", to);
	diagram_put_text(to, diagram->title ? diagram->title : "a snapshot");
	fprintf(to, "</title>\n<desc>A space-time diagram of %" PRIu32 " ranks, time from left to right: %" PRIu32 " messages, of which %" PRIu32 " cross the cut (in flight) and %" PRIu32
		" are orphans; %" PRIu32 " markers.</desc>\n", diagram->ranks, diagram->count.messages, diagram->count.late, diagram->count.orphans, diagram->count.markers);
	put_style(to, options->inside);
	if (!options->inside)
		fprintf(to, "<rect class=\"paper\" width=\"%.0f\" height=\"%.0f\"/>\n", diagram->width, height);
	if (diagram->title) {
		fprintf(to, "<text class=\"title\" x=\"20\" y=\"29\">");
		diagram_put_text(to, diagram->title);
		fputs("</text>\n", to);
	}
	if (diagram->subtitle) {
		fprintf(to, "<text class=\"soft\" x=\"20\" y=\"50\">");
		diagram_put_text(to, diagram->subtitle);
		fputs("</text>\n", to);
	}
}

bool diagram_write(const struct diagram *diagram, const struct diagram_options *options, FILE *to)
{
	double height = diagram->bottom + 54 + diagram_foot_height(diagram);

	put_head(to, diagram, options, height);
	fprintf(to, "<g%s>\n", diagram->count.late > CROWD ? " class=\"many crowd\"" : diagram->count.messages + diagram->count.markers > FEW ? " class=\"many\"" : "");
	put_past(to, diagram);
	put_axis(to, diagram, options);
	put_rows(to, diagram);
	put_breaks(to, diagram);
	put_marks(to, diagram, LASTING);
	diagram_put_arrows(to, diagram);
	fputs("</g>\n", to);
	put_marks(to, diagram, SMALL);
	put_marks(to, diagram, CUTS);
	if (!diagram_put_names(to, diagram))
		return false;
	diagram_put_foot(to, diagram, diagram->bottom + 62);
	fputs("</svg>\n", to);
	return !fflush(to) && !ferror(to);
}
