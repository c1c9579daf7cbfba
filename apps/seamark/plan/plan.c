/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark plan: how often a checkpoint is worth it, by the formulas that SEAMARK_EVERY=auto uses (docs/interval.md), and what was lost so far. */
#include "plan/plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/values.h"
#include "plan/past.h"
#include "command/terminal.h"

/* The intervals of the table: so many times half, and twice, the best. */
enum { STEPS = 3 };

/* What was asked, what is known, and where each term is from. */
struct asked {
	const char *cost, *durable, *restart, *mtbf, *svg;
	const char *folder;
	int json;
	struct past_sums sums;
	char cost_from[80], durable_from[80], restart_from[80], mtbf_from[120];
};

/* --- the terms ------------------------------------------------------------------------------------------------------------- */

static bool time_of(const char *given, const char *option, bool zero, double *seconds)
{
	char word[64];
	int64_t ns;

	if (!values_word(given, word, sizeof word) || !values_time(word, &ns) || (!zero && !ns)) {
		command_complain("--%s takes a time%s as 50ms, 30s, 10min or 24h, not '%s'", option, zero ? "" : " above 0", given);
		return false;
	}
	*seconds = (double)ns / 1e9;
	return true;
}

static bool find_cost(struct asked *asked, struct interval_terms *terms)
{
	snprintf(asked->cost_from, sizeof asked->cost_from, asked->cost ? "as given" : asked->sums.by_steps ? "its steps lose that; of %" PRIu64 " checkpoints" : "moving mean of %" PRIu64 " checkpoints", asked->sums.commits);
	snprintf(asked->durable_from, sizeof asked->durable_from, "%s", asked->durable ? "as given" : asked->sums.commits ? "moving mean of the same" : "as long");
	if (asked->cost && !time_of(asked->cost, "cost", false, &terms->cost_s))
		return false;
	if (asked->durable && !time_of(asked->durable, "durable", true, &terms->durable_s))
		return false;
	if (!asked->cost)
		terms->cost_s = asked->sums.cost_s;
	if (!asked->durable)
		terms->durable_s = asked->sums.commits ? asked->sums.durable_s : terms->cost_s;
	return true;
}

static bool find_restart(struct asked *asked, struct interval_terms *terms)
{
	bool seen = !isnan(asked->sums.restart_s);

	if (asked->restart) {
		snprintf(asked->restart_from, sizeof asked->restart_from, "as given");
		return time_of(asked->restart, "restart", true, &terms->restart_s);
	}
	terms->restart_s = seen ? asked->sums.restart_s : 0;
	snprintf(asked->restart_from, sizeof asked->restart_from, "%s", seen ? "at most: the shortest that was seen, from a life's last checkpoint on" :
									     "not known: there was none; --restart says it");
	return true;
}

static bool find_mtbf(struct asked *asked, struct interval_terms *terms)
{
	if (asked->mtbf) {
		snprintf(asked->mtbf_from, sizeof asked->mtbf_from, "as given");
		return time_of(asked->mtbf, "mtbf", false, &terms->mtbf_s);
	}
	terms->mtbf_s = interval_mtbf(asked->sums.lived_s, (double)asked->sums.failures);
	if (asked->sums.failures)
		snprintf(asked->mtbf_from, sizeof asked->mtbf_from, "learned: %" PRIu64 " in %s", asked->sums.failures, command_span(asked->sums.lived_s).text);
	else
		snprintf(asked->mtbf_from, sizeof asked->mtbf_from, "assumed, as there was none in %s; --mtbf says it", command_span(asked->sums.lived_s).text);
	return true;
}

static int make_plan(struct asked *asked, struct plan *plan)
{
	struct interval_terms *terms = &plan->terms;

	*terms = (struct interval_terms){ .cost_s = 0 };
	if (!find_cost(asked, terms) || !find_restart(asked, terms) || !find_mtbf(asked, terms))
		return EXIT_USAGE;
	if (terms->cost_s <= 0) {
		command_complain("folder '%s' has no history that tells what a checkpoint costs: name it by --cost", asked->folder);
		return EXIT_CANNOT_READ;
	}
	plan->young_s = interval_young(terms->cost_s, terms->mtbf_s);
	plan->daly_s = interval_daly(terms->cost_s, terms->mtbf_s);
	plan->best_s = interval_best(terms);
	plan->from_s = fmax(plan->best_s / (1 << STEPS), terms->durable_s);
	plan->to_s = plan->best_s * (1 << STEPS);
	return EXIT_FINE;
}

/* --- for people ------------------------------------------------------------------------------------------------------------ */

static void print_term(const char *name, double seconds, const char *from)
{
	command_print("%-38s %10s  (%s)", name, command_span(seconds).text, from);
}

static const struct terminal_column table_columns[] = {
	{ "a cut every", 12, 0 }, { "checkpoints", 14, 2 }, { "computed again", 14, 3 }, { "restarts", 14, 1 }, { "lost", 14, 0 },
};
enum { TABLE_COLUMNS = sizeof table_columns / sizeof table_columns[0] };

static void print_row(const struct terminal_table *table, const struct plan *plan, double interval_s, const char *note)
{
	struct plan_waste waste = plan_waste(plan, interval_s);
	struct command_text every = command_span(interval_s), checkpoints = plan_share(waste.checkpoints), again = plan_share(waste.again),
			    restarts = plan_share(waste.restarts), all = plan_share(waste.all);

	terminal_table_row(table, (const char *[TABLE_COLUMNS]){ every.text, checkpoints.text, again.text, restarts.text, all.text }, note);
}

static void print_table(const struct plan *plan)
{
	static const char note[] = "  the best";
	struct terminal_table table;

	terminal_table_begin(&table, table_columns, TABLE_COLUMNS, strlen(note));
	for (int i = -STEPS; i <= STEPS; i++) {
		double interval_s = plan->best_s * pow(2, i);

		if (interval_s >= plan->from_s * 0.999999)
			print_row(&table, plan, interval_s, i ? "" : note);
	}
}

static void print_lost(const struct past_sums *sums, const struct plan *plan)
{
	double elapsed_s = fmax(sums->elapsed_s, 1e-9);

	if (!sums->lives)
		return;
	command_print("%s", "");
	command_print("so far: %" PRIu64 " li%s in %s, %" PRIu64 " checkpoint%s", sums->lives, sums->lives == 1 ? "fe" : "ves", command_span(sums->elapsed_s).text,
		      sums->commits, sums->commits == 1 ? "" : "s");
	command_print("  lost by checkpoints %14s %14s", command_span(sums->lost_checkpoints_s).text, plan_share(sums->lost_checkpoints_s / elapsed_s).text);
	if (isnan(sums->lost_failures_s))
		command_print("  lost by failures    %14s %14s  (%" PRIu64 "; of some the history has no more than the number)", "?", "", sums->failures);
	else
		command_print("  lost by failures    %14s %14s  (%" PRIu64 ")", command_span(sums->lost_failures_s).text,
			      plan_share(sums->lost_failures_s / elapsed_s).text, sums->failures);
	if (sums->stops)
		command_print("  between two lives   %14s %14s  (%" PRIu64 " without a failure)", command_span(sums->between_s).text,
			      plan_share(sums->between_s / elapsed_s).text, sums->stops);
	if (!isnan(sums->every_s))
		command_print("  a cut every %s, by which %s is lost in the long run", command_span(sums->every_s).text,
			      plan_share(plan_waste(plan, sums->every_s).all).text);
}

/* As SEAMARK_EVERY takes it. */
static struct command_text setting_of(double seconds)
{
	struct command_text text;

	snprintf(text.text, sizeof text.text, seconds < 1 ? "%.0fms" : seconds < 600 ? "%.0fs" : "%.0fmin", seconds < 1 ? fmax(seconds * 1e3, 1) : seconds < 600 ? seconds : seconds / 60);
	return text;
}

static int print_plan(const struct asked *asked, const struct plan *plan)
{
	const struct interval_terms *terms = &plan->terms;

	print_term("what the program loses by a checkpoint", terms->cost_s, asked->cost_from);
	print_term("from its cut until it is durable", terms->durable_s, asked->durable_from);
	print_term("from a failure until it computes again", terms->restart_s, asked->restart_from);
	print_term("mean time between failures", terms->mtbf_s, asked->mtbf_from);
	command_print("%s", "");
	command_print("Young's interval: %s; Daly's: %s", command_span(plan->young_s).text, command_span(plan->daly_s).text);
	command_print("the best: SEAMARK_EVERY=%s%s", setting_of(plan->best_s).text,
		      plan->best_s <= terms->durable_s ? ", no more often, as one is under way at a time" : ", by Daly's formula");
	command_print("%s", "");
	print_table(plan);
	command_print("%s", "");
	plan_draw_text(plan, terminal_width() ? (int)terminal_width() - 1 : 80);
	print_lost(&asked->sums, plan);
	return EXIT_FINE;
}

/* --- as JSON ----------------------------------------------------------------------------------------------------------------- */

static json_t *row_json(const struct plan *plan, double interval_s)
{
	struct plan_waste waste = plan_waste(plan, interval_s);

	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "interval_s", interval_s, "checkpoints", waste.checkpoints, "again", waste.again, "restarts", waste.restarts,
			 "waste", waste.all);
}

static json_t *number_or_null(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *so_far_json(const struct past_sums *sums)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:o, s:f, s:o}", "lives", (json_int_t)sums->lives, "failures", (json_int_t)sums->failures,
			 "stops", (json_int_t)sums->stops, "checkpoints", (json_int_t)sums->commits, "lived_s", sums->lived_s, "elapsed_s", sums->elapsed_s,
			 "lost_checkpoints_s", sums->lost_checkpoints_s, "lost_failures_s", number_or_null(sums->lost_failures_s), "between_s",
			 sums->between_s, "every_s", number_or_null(sums->every_s));
}

static int plan_json(const struct asked *asked, const struct plan *plan)
{
	const struct interval_terms *terms = &plan->terms;
	json_t *table = json_array();

	for (int i = -STEPS; i <= STEPS; i++)
		if (plan->best_s * pow(2, i) >= plan->from_s * 0.999999)
			json_array_append_new(table, row_json(plan, plan->best_s * pow(2, i)));
	return command_print_json(json_pack("{s:f, s:f, s:f, s:f, s:b, s:b, s:f, s:f, s:f, s:o, s:o}", "cost_s", terms->cost_s, "durable_s", terms->durable_s,
					    "restart_s", terms->restart_s, "mtbf_s", terms->mtbf_s, "cost_given", asked->cost != NULL, "mtbf_given",
					    asked->mtbf != NULL, "young_s", plan->young_s, "daly_s", plan->daly_s, "best_s", plan->best_s,
					    "table", table, "so_far", so_far_json(&asked->sums)));
}

/* --- the command ------------------------------------------------------------------------------------------------------------- */

static bool write_svg(const struct plan *plan, const char *path)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	bool good = stream != NULL;

	if (stream) {
		plan_draw_svg(plan, stream);
		good = !fclose(stream) && command_write_file(path, text, size);
	}
	free(text);
	return good;
}

static int plan_for(struct asked *asked)
{
	struct past past;
	struct plan plan;
	int status = EXIT_CANNOT_READ;

	if (past_read(&past, asked->folder)) {
		past_sum_up(&past, &asked->sums);
		status = make_plan(asked, &plan);
	}
	past_free(&past);
	if (!status && asked->svg && !write_svg(&plan, asked->svg))
		return EXIT_CANNOT_READ;
	if (status)
		return status;
	return asked->json ? plan_json(asked, &plan) : print_plan(asked, &plan);
}

int command_plan(int argc, char **argv)
{
	const char *given = NULL;
	struct asked asked = { .json = 0 };
	const struct command_option options[] = {
		{ "mtbf", "TIME", "the mean time between failures of the run (else learned from its history)", &asked.mtbf, NULL },
		{ "cost", "TIME", "what the program loses by a checkpoint (else from the history)", &asked.cost, NULL },
		{ "durable", "TIME", "from a checkpoint's cut until it is durable (else from the history, or the cost)", &asked.durable, NULL },
		{ "restart", "TIME", "from a failure until the program computes again (else from the history)", &asked.restart, NULL },
		{ "svg", "FILE", "the plot as a picture too", &asked.svg, NULL },
		COMMAND_DIR(&given),
		COMMAND_JSON(&asked.json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "plan [OPTIONS] [DIR]",
		"How often a checkpoint is worth it for the run in DIR (or --dir), by Young's and Daly's formulas, and what share of the time is lost at\n"
		"that and other intervals: by checkpoints, by what is computed again after failures, by restarts. SEAMARK_EVERY=auto does the\n"
		"same while the program runs. Then what the run has lost so far, as its history tells: by checkpoints; by failures, from the cut that was gone back\n"
		"to until it computed again. TIME is as 50ms, 30s, 10min, 24h.\n\n"
		"Exit status: 0, 2 wrong usage, 3 the history cannot be read, or does not tell what a checkpoint costs.", options, 0, 1 };
	int status;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	asked.folder = argc ? argv[0] : command_folder(given);
	return plan_for(&asked);
}
