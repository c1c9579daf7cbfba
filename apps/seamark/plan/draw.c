/* SPDX-License-Identifier: BSD-3-Clause */
/* What is lost against the interval, on a logarithmic axis: what is computed again below, what checkpoints cost upon it. What restarts take is the same at each, and would hide these. */
#include <math.h>
#include <string.h>

#include "plan/plan.h"
#include "command/terminal.h"

struct plan_waste plan_waste(const struct plan *plan, double interval_s)
{
	const struct interval_terms *terms = &plan->terms;

	return (struct plan_waste){ .checkpoints = terms->cost_s / interval_s, .again = (interval_s / 2 + terms->durable_s) / terms->mtbf_s,
		.restarts = terms->restart_s / terms->mtbf_s, .all = interval_waste(interval_s, terms) };
}

struct command_text plan_share(double share)
{
	struct command_text text;
	double percent = share * 100;
	int decimals = percent >= 100 ? 0 : percent >= 10 ? 1 : percent >= 1 ? 2 : percent >= 0.1 ? 3 : 4;

	if (percent <= 0)
		snprintf(text.text, sizeof text.text, "0 %%");
	else if (percent < 0.00005)
		snprintf(text.text, sizeof text.text, "below 0.0001 %%");
	else
		snprintf(text.text, sizeof text.text, "%.*f %%", decimals, percent);
	return text;
}

static double interval_at(const struct plan *plan, double part)
{
	return plan->from_s * pow(plan->to_s / plan->from_s, part);
}

static double part_of(const struct plan *plan, double interval_s)
{
	return log(interval_s / plan->from_s) / log(plan->to_s / plan->from_s);
}

/* Without restarts. */
static double drawn_at(const struct plan *plan, double interval_s, double *again)
{
	struct plan_waste waste = plan_waste(plan, interval_s);

	*again = fmin(waste.again, 1);
	return fmin(waste.again + waste.checkpoints, 1);
}

static double highest(const struct plan *plan)
{
	double again;

	return fmax(drawn_at(plan, plan->from_s, &again), drawn_at(plan, plan->to_s, &again));
}

/* --- in characters ------------------------------------------------------------------------------------------------------- */

enum { ROWS = 10, MARGIN = 11, WIDEST = 100 };

static void put_axis(const struct plan *plan, int width)
{
	struct command_text from = command_span(plan->from_s), best = command_span(plan->best_s), to = command_span(plan->to_s);
	char line[WIDEST + 64], axis[WIDEST + 1];
	int at = (int)lround(part_of(plan, plan->best_s) * (width - 1)), begin;

	memset(axis, '-', (size_t)width);
	axis[width] = 0;
	axis[at] = '^';
	command_print("%*s+%s", MARGIN - 1, "", axis);
	memset(line, ' ', sizeof line);
	if (at > (int)strlen(from.text) + 2)
		memcpy(line, from.text, strlen(from.text));
	memcpy(line + width - (int)strlen(to.text), to.text, strlen(to.text));
	strcat(best.text, ", the best");
	begin = at - (int)strlen(best.text) / 2;
	begin = begin < 0 || at <= (int)strlen(from.text) + 2 ? 0 : begin;
	memcpy(line + begin, best.text, strlen(best.text));
	line[width] = 0;
	command_print("%*s%s", MARGIN, "", line);
}

void plan_draw_text(const struct plan *plan, int columns)
{
	int width = columns - MARGIN < 24 ? 24 : columns - MARGIN > WIDEST ? WIDEST : columns - MARGIN;
	double top = highest(plan);
	char line[WIDEST + 1];

	for (int row = ROWS; row > 0; row--) {
		double level = top * (row - 0.5) / ROWS;

		for (int x = 0; x < width; x++) {
			double again, all = drawn_at(plan, interval_at(plan, (double)x / (width - 1)), &again);

			line[x] = again >= level ? '.' : all >= level ? '#' : ' ';
		}
		line[width] = 0;
		command_print("%*s|%s", MARGIN - 1, row == ROWS ? plan_share(top).text : row == ROWS / 2 ? plan_share(top / 2).text : "", line);
	}
	put_axis(plan, width);
	terminal_print_filled(MARGIN, TERMINAL_PLAIN, NULL, "%*s# checkpoints   . computed again   (restarts, %s at each interval, are not drawn)", MARGIN, "",
		      plan_share(plan_waste(plan, plan->best_s).restarts).text);
}

/* --- as SVG ------------------------------------------------------------------------------------------------------------------ */

enum { LEFT = 70, TOP = 20, ACROSS = 540, DOWN = 260, POINTS = 108 };

static double x_of(double part)
{
	return LEFT + part * ACROSS;
}

static double y_of(double share, double top)
{
	return TOP + DOWN * (1 - share / top);
}

/* The area between zero and what is computed again, or on to all. */
static void put_area(const struct plan *plan, FILE *to, double top, bool all)
{
	fprintf(to, "<path class=\"%s\" d=\"M%.1f %.1f", all ? "checkpoints" : "again", x_of(0), y_of(0, top));
	for (int i = 0; i <= POINTS; i++) {
		double again, sum = drawn_at(plan, interval_at(plan, (double)i / POINTS), &again);

		fprintf(to, " L%.1f %.1f", x_of((double)i / POINTS), y_of(all ? sum : again, top));
	}
	fprintf(to, " L%.1f %.1f Z\"/>\n", x_of(1), y_of(0, top));
}

static void put_ticks(const struct plan *plan, FILE *to, double top)
{
	for (int i = 0; i <= 4; i++) {
		double y = y_of(top * i / 4, top);

		fprintf(to, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT, y, LEFT + ACROSS,
			LEFT - 6, y + 4, plan_share(top * i / 4).text);
	}
	for (double interval = plan->best_s; interval <= plan->to_s * 1.001; interval *= 2)
		fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x_of(part_of(plan, interval)), TOP + DOWN + 18, command_span(interval).text);
	for (double interval = plan->best_s / 2; interval >= plan->from_s * 0.999; interval /= 2)
		fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x_of(part_of(plan, interval)), TOP + DOWN + 18, command_span(interval).text);
}

void plan_draw_svg(const struct plan *plan, FILE *to)
{
	double top = highest(plan), best = x_of(part_of(plan, plan->best_s));

	fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 350\" role=\"img\">\n"
	      "<title>What is lost against the interval between checkpoints</title>\n"
	      "<style>text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd;fill:none}.again{fill:#b7c9e2}.checkpoints{fill:#e0a458}"
	      ".best{stroke:#b00020;stroke-dasharray:4 3;fill:none}.back{fill:#fff}"
	      "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.again{fill:#3f5878}.checkpoints{fill:#a8742f}.best{stroke:#ff7b88}.back{fill:#16181c}}"
	      "</style>\n<rect class=\"back\" width=\"640\" height=\"350\"/>\n", to);
	put_area(plan, to, top, true);
	put_area(plan, to, top, false);
	put_ticks(plan, to, top);
	fprintf(to, "<path class=\"best\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">the best: %s, loses %s</text>\n", best, TOP, TOP + DOWN,
		best, TOP - 6, command_span(plan->best_s).text, plan_share(plan_waste(plan, plan->best_s).all).text);
	fprintf(to, "<rect class=\"checkpoints\" x=\"%d\" y=\"322\" width=\"12\" height=\"12\"/><text x=\"%d\" y=\"332\">checkpoints</text>\n", LEFT, LEFT + 18);
	fprintf(to, "<rect class=\"again\" x=\"%d\" y=\"322\" width=\"12\" height=\"12\"/><text x=\"%d\" y=\"332\">computed again (restarts, %s at each interval, are not drawn)</text>\n</svg>\n",
		LEFT + 120, LEFT + 138, plan_share(plan_waste(plan, plan->best_s).restarts).text);
}
