/* SPDX-License-Identifier: BSD-3-Clause */
/* The sections of the report's page, which are there without charts and without scripts. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "plan/plan.h"
#include "report/report.h"

/* Beyond so many rows a table has only the first; the charts have all. */
enum { CHANNEL_ROWS = 100, COMMIT_ROWS = 1000, PROBLEM_ROWS = 20 };

static const struct {
	const char *id, *heading, *link;
} sections[] = {
	{ "section-lives", "Lives, steps and checkpoints", "Lives" },
	{ "section-checkpoints", "Checkpoints", "Checkpoints" },
	{ "section-inside", "What was in flight, and the ranks beside each other", "In flight" },
	{ "section-traces", "Space-time diagrams", "Diagrams" },
	{ "section-storage", "Storage", "Storage" },
	{ "section-certificate", "Certificate", "Certificate" },
};
enum section { LIVES, CHECKPOINTS, INSIDE, TRACES, STORAGE, CERTIFICATE };

static void begin_section(FILE *to, enum section section, const char *words)
{
	const char *id = sections[section].id;

	fprintf(to, "<section id=\"%s\" aria-labelledby=\"%s-heading\"><h2 id=\"%s-heading\">%s</h2>\n<p>%s</p>\n", id, id, id, sections[section].heading, words);
}

void report_links(FILE *to)
{
	fputs("<nav aria-label=\"Sections\">", to);
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
		fprintf(to, "<a href=\"#%s\">%s</a>%s", sections[i].id, sections[i].link, i + 1 < sizeof sections / sizeof sections[0] ? " " : "</nav>\n");
}

/* What a browser with charts draws into; `words` for those who do not see it. */
static void put_chart(FILE *to, const char *name, const char *kind, const char *words)
{
	fprintf(to, "<div class=\"chart%s\" id=\"chart-%s\" role=\"img\" aria-label=\"Chart: %s. The tables have its numbers.\"></div>\n", kind, name, words);
}

static void put_damage(FILE *to, const char *words)
{
	fputs("<p class=\"bad\">", to);
	report_text(to, words);
	fputs("</p>\n", to);
}

/* --- the run --------------------------------------------------------------------------------------------------------------------- */

static void card(FILE *to, const char *id, const char *name, const char *value, const char *more)
{
	fprintf(to, "<div class=\"card\"><dt>%s</dt><dd id=\"%s\">", name, id);
	report_text(to, value);
	fprintf(to, "</dd><dd class=\"more\">");
	report_text(to, more);
	fputs("</dd></div>\n", to);
}

static const json_t *newest_of(const json_t *document)
{
	const json_t *list = json_object_get(document, "checkpoints"), *newest = NULL, *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (!json_object_get(entry, "error"))
			newest = entry;
	return newest;
}

static void put_newest(FILE *to, const json_t *document)
{
	const json_t *newest = newest_of(document);
	char value[64], step[64] = "", more[256] = "none";

	snprintf(value, sizeof value, "%zu", json_array_size(json_object_get(document, "checkpoints")));
	if (json_is_integer(json_object_get(newest, "step")))
		snprintf(step, sizeof step, ", at step %lld", (long long)report_whole(newest, "step"));
	if (newest)
		snprintf(more, sizeof more, "the newest is %lld%s, of %lld ranks", (long long)report_whole(newest, "number"), step, (long long)report_whole(newest, "ranks"));
	card(to, "card-checkpoints", "checkpoints that are there", value, more);
}

/* Of a run without a history only what the newest checkpoint says of itself is known. */
static void put_held(FILE *to, const json_t *document)
{
	const json_t *so_far = json_object_get(document, "so_far"), *newest = newest_of(document);
	bool known = report_whole(so_far, "checkpoints") > 0;
	char more[128];

	snprintf(more, sizeof more, known ? "durable after %s; moving means" : "the newest", command_span(report_real(so_far, "durable_s")).text);
	card(to, "card-held", "held by a checkpoint", known ? command_span(report_real(so_far, "held_s")).text : newest ? command_span(report_real(newest, "held_s")).text : "-", more);
}

static void put_lost(FILE *to, const json_t *so_far)
{
	double elapsed_s = report_real(so_far, "elapsed_s"), failures_s = report_real(so_far, "lost_failures_s"), all_s = failures_s + report_real(so_far, "lost_checkpoints_s");
	bool known = json_is_number(json_object_get(so_far, "lost_failures_s"));
	char more[256];

	snprintf(more, sizeof more, "%s by checkpoints, %s by failures", command_span(report_real(so_far, "lost_checkpoints_s")).text, known ? command_span(failures_s).text : "an unknown time");
	card(to, "card-lost", "lost so far", known && elapsed_s > 0 ? plan_share(all_s / elapsed_s).text : "-", more);
}

static void put_cards(FILE *to, const json_t *document)
{
	const json_t *so_far = json_object_get(document, "so_far"), *proof, *proofs = json_object_get(document, "certificates");
	char value[64], more[256];
	size_t i, bad = 0;

	fputs("<dl class=\"cards\">\n", to);
	put_newest(to, document);
	snprintf(value, sizeof value, "%lld", (long long)report_whole(so_far, "lives"));
	snprintf(more, sizeof more, "%lld ended by a failure, %lld otherwise before the next", (long long)report_whole(so_far, "failures"), (long long)report_whole(so_far, "stops"));
	card(to, "card-lives", "lives", value, more);
	put_held(to, document);
	put_lost(to, so_far);
	json_array_foreach(proofs, i, proof)
		bad += !json_is_true(json_object_get(proof, "holds"));
	snprintf(more, sizeof more, "%zu of %zu checkpoints were read to the last byte", json_array_size(proofs), json_array_size(json_object_get(document, "checkpoints")));
	card(to, "card-certificate", "certificate", !json_array_size(proofs) ? "not asked for" : bad ? "DAMAGED" : "holds", more);
	fputs("</dl>\n", to);
}

static void put_commit_count(FILE *to, const json_t *life)
{
	fprintf(to, "<td>%zu</td>", json_array_size(json_object_get(life, "commits")));
}

static void put_lives(FILE *to, const json_t *document)
{
	static const struct report_column columns[] = {
		{ "life", "life", REPORT_WHOLE, NULL }, { "began", "began_ns", REPORT_TIME, NULL }, { "last known", "last_ns", REPORT_TIME, NULL },
		{ "ranks", "ranks", REPORT_WHOLE, NULL }, { "host", "host", REPORT_TEXT, NULL }, { "from checkpoint", "from", REPORT_NOT_NONE, NULL },
		{ "at step", "step", REPORT_WHOLE, NULL }, { "checkpoints", NULL, REPORT_WHOLE, put_commit_count }, { "end", "end", REPORT_TEXT, NULL },
		{ "lost", "lost_s", REPORT_SECONDS, NULL }, { NULL, NULL, REPORT_WHOLE, NULL },
	};
	const json_t *lives = json_object_get(document, "lives"), *before = json_object_get(document, "before");

	begin_section(to, LIVES, "Each start of the run is a life. <em>Lost</em> is from the cut that the next one went on from until it computed again. Times are UTC.");
	if (!json_array_size(lives)) {
		fputs("<p>The folder has no history.</p></section>\n", to);
		return;
	}
	put_chart(to, "timeline", " tall", "steps, checkpoints and restarts over time");
	report_table(to, "lives", "Lives", columns, lives);
	if (report_whole(before, "lives"))
		fprintf(to, "<p>Before these were %lld more lives, which the history has only as a sum: %lld ended by a failure.</p>\n", (long long)report_whole(before, "lives"),
			(long long)report_whole(before, "failures"));
	fputs("</section>\n", to);
}

/* --- checkpoints ------------------------------------------------------------------------------------------------------------------- */

static void put_parents(FILE *to, const json_t *entry)
{
	const json_t *parent, *parents = json_object_get(entry, "parents");
	size_t i;

	fputs("<td class=\"text\">", to);
	json_array_foreach(parents, i, parent)
		fprintf(to, "%s%lld", i ? ", " : "", (long long)report_whole(parent, "number"));
	fprintf(to, "%s</td>", json_is_true(json_object_get(entry, "pinned")) ? " kept" : "");
}

static const struct report_column checkpoint_columns[] = {
	{ "number", "number", REPORT_WHOLE, NULL }, { "life", "life", REPORT_WHOLE, NULL }, { "step", "step", REPORT_WHOLE, NULL }, { "taken", "taken_ns", REPORT_TIME, NULL },
	{ "ranks", "ranks", REPORT_WHOLE, NULL }, { "held", "held_s", REPORT_SECONDS, NULL }, { "messages in flight", "messages", REPORT_WHOLE, NULL },
	{ "their bytes", "message_bytes", REPORT_BYTES, NULL }, { "bytes on disk", "bytes", REPORT_BYTES, NULL }, { "elsewhere", "referred_bytes", REPORT_BYTES, NULL },
	{ "in checkpoints", NULL, REPORT_TEXT, put_parents }, { NULL, NULL, REPORT_WHOLE, NULL },
};

static void put_entry(FILE *to, const json_t *entry)
{
	if (!json_object_get(entry, "error")) {
		report_row(to, checkpoint_columns, entry);
		return;
	}
	fprintf(to, "<tr><td>%lld</td><td>%lld</td><td colspan=\"9\" class=\"text bad\">", (long long)report_whole(entry, "number"), (long long)report_whole(entry, "life"));
	report_text(to, report_member(entry, "problem"));
	fputs("</td></tr>\n", to);
}

/* A checkpoint of the history, with the life that it is of. */
static void put_commit(FILE *to, const struct report_column *columns, const json_t *life, json_t *commit)
{
	json_t *row = json_copy(commit);

	json_object_set(row, "life", json_object_get(life, "life"));
	report_row(to, columns, row);
	json_decref(row);
}

/* Newest first. */
static void put_commits(FILE *to, const json_t *lives)
{
	static const struct report_column columns[] = {
		{ "number", "number", REPORT_WHOLE, NULL }, { "life", "life", REPORT_WHOLE, NULL }, { "step", "step", REPORT_WHOLE, NULL },
		{ "cut", "cut_ns", REPORT_TIME, NULL }, { "held", "held_s", REPORT_SECONDS, NULL }, { "the program lost", "cost_s", REPORT_SECONDS, NULL }, { "durable after", "durable_s", REPORT_SECONDS, NULL }, { "messages in flight", "messages", REPORT_WHOLE, NULL },
		{ "their bytes", "message_bytes", REPORT_BYTES, NULL }, { "bytes on disk", "bytes", REPORT_BYTES, NULL }, { NULL, NULL, REPORT_WHOLE, NULL },
	};
	const json_t *life;
	size_t rows = 0, all = 0, i;

	json_array_foreach(lives, i, life)
		all += json_array_size(json_object_get(life, "commits"));
	fprintf(to, "<details><summary>All that the history tells of, those that are retired too%s</summary>\n", all > COMMIT_ROWS ? " (the newest 1,000)" : "");
	report_begin_table(to, "commits", "Checkpoints in the history", columns);
	for (i = json_array_size(lives); i--;) {
		const json_t *commits;

		life = json_array_get(lives, i);
		commits = json_object_get(life, "commits");
		for (size_t j = json_array_size(commits); j-- && rows < COMMIT_ROWS; rows++)
			put_commit(to, columns, life, json_array_get(commits, j));
	}
	report_end_table(to);
	fputs("</details>\n", to);
}

static void put_checkpoints(FILE *to, const json_t *document)
{
	const json_t *entries = json_object_get(document, "checkpoints");

	begin_section(to, CHECKPOINTS, "<em>Held</em> is the longest time that a rank waited for its cut; <em>durable</em> is from the request to the commit, while the program went on. "
		      "<em>Elsewhere</em> is what a checkpoint has in the files of others. The newest is first.");
	put_chart(to, "times", "", "how long ranks were held, and until each checkpoint was durable");
	fputs("<div class=\"two\">\n", to);
	put_chart(to, "flight", "", "messages and bytes in flight at each checkpoint");
	put_chart(to, "storage", "", "bytes of each checkpoint");
	fputs("</div>\n", to);
	report_begin_table(to, "checkpoints", "Checkpoints that are there", checkpoint_columns);
	for (size_t i = json_array_size(entries); i--;)
		put_entry(to, json_array_get(entries, i));
	report_end_table(to);
	put_commits(to, json_object_get(document, "lives"));
	fputs("</section>\n", to);
}

static void put_storage(FILE *to, const json_t *document)
{
	static const struct report_column columns[] = {
		{ "files", "files", REPORT_WHOLE, NULL }, { "bytes of all", "bytes", REPORT_BYTES, NULL },
		{ "of these in checkpoints that are there", "checkpoints_bytes", REPORT_BYTES, NULL }, { "free on that disk", "free_bytes", REPORT_BYTES, NULL },
		{ NULL, NULL, REPORT_WHOLE, NULL },
	};

	begin_section(to, STORAGE, "The folder as it is now.");
	report_begin_table(to, "storage", "Storage", columns);
	report_row(to, columns, json_object_get(document, "storage"));
	report_end_table(to);
	fputs("</section>\n", to);
}

/* --- inside a checkpoint --------------------------------------------------------------------------------------------------------- */

static void put_channels(FILE *to, const json_t *images)
{
	static const struct report_column columns[] = {
		{ "from", NULL, REPORT_WHOLE, NULL }, { "to", NULL, REPORT_WHOLE, NULL }, { "in flight", NULL, REPORT_WHOLE, NULL }, { "bytes", NULL, REPORT_BYTES, NULL },
		{ "sent since the base", NULL, REPORT_WHOLE, NULL }, { NULL, NULL, REPORT_WHOLE, NULL },
	};
	const json_t *channels = json_object_get(images, "channels");
	size_t rows = json_array_size(channels);

	if (rows > CHANNEL_ROWS || report_whole(images, "channels_left_out"))
		fprintf(to, "<p>The largest %d of %lld channels:</p>\n", CHANNEL_ROWS, (long long)rows + (long long)report_whole(images, "channels_left_out"));
	report_begin_table(to, "channels", "Channels", columns);
	for (size_t i = 0; i < rows && i < CHANNEL_ROWS; i++)
		report_row(to, columns, json_array_get(channels, i));
	report_end_table(to);
}

static void put_whether_damaged(FILE *to, const json_t *rank)
{
	fprintf(to, "<td class=\"text bad\">%s</td>", json_is_true(json_object_get(rank, "damaged")) ? "damaged" : "");
}

static void put_ranks(FILE *to, const json_t *images)
{
	static const struct report_column columns[] = {
		{ "rank", "rank", REPORT_WHOLE, NULL }, { "state", "state_bytes", REPORT_BYTES, NULL }, { "regions", "regions", REPORT_WHOLE, NULL },
		{ "in flight to it", "in_messages", REPORT_WHOLE, NULL }, { "bytes", "in_bytes", REPORT_BYTES, NULL }, { "in flight from it", "out_messages", REPORT_WHOLE, NULL },
		{ "bytes", "out_bytes", REPORT_BYTES, NULL }, { "sent since the base", "sent", REPORT_WHOLE, NULL }, { "streams", "streams", REPORT_WHOLE, NULL },
		{ "damage", NULL, REPORT_TEXT, put_whether_damaged }, { NULL, NULL, REPORT_WHOLE, NULL },
	};

	fputs("<details open><summary>Rank by rank</summary>\n", to);
	report_table(to, "ranks", "Ranks", columns, json_object_get(images, "ranks"));
	fputs("</details>\n", to);
}

static void put_images(FILE *to, const json_t *document)
{
	const json_t *list = json_object_get(document, "images"), *newest = json_array_get(list, json_array_size(list) - 1), *problem;
	size_t i;

	begin_section(to, INSIDE, "A message is in flight if it was sent before its sender's cut and not received before its receiver's. The counts of what was sent run from the base of its stream, "
		      "usually the checkpoint before.");
	if (!newest) {
		fputs("<p>There is no checkpoint to look into.</p></section>\n", to);
		return;
	}
	fputs("<p class=\"controls\" id=\"inside-controls\"></p>\n<div class=\"two\"><div>", to);
	put_chart(to, "matrix", " square", "who had sent whom how much, a row for each sender and a column for each receiver");
	fputs("<p id=\"matrix-words\"></p></div><div>", to);
	put_chart(to, "ranks", "", "the ranks beside each other");
	fprintf(to, "<p id=\"spread-words\"></p><div id=\"picked\" aria-live=\"polite\"></div></div></div>\n<h3>Checkpoint %lld</h3>\n", (long long)report_whole(newest, "number"));
	json_array_foreach(json_object_get(newest, "problems"), i, problem)
		put_damage(to, report_member(problem, "text"));
	put_channels(to, newest);
	put_ranks(to, newest);
	fputs("</section>\n", to);
}

/* --- the proof ----------------------------------------------------------------------------------------------------------------------- */

static void put_result(FILE *to, const json_t *proof)
{
	bool holds = json_is_true(json_object_get(proof, "holds"));

	fprintf(to, "<td class=\"text %s\">%s</td>", holds ? "good" : "bad", holds ? "holds" : "DAMAGED");
}

static void put_proofs(FILE *to, const json_t *document)
{
	static const struct report_column columns[] = {
		{ "checkpoint", "number", REPORT_WHOLE, NULL }, { "result", NULL, REPORT_TEXT, put_result }, { "problems", "problems", REPORT_WHOLE, NULL },
		{ "images", "images", REPORT_WHOLE, NULL }, { "regions", "regions", REPORT_WHOLE, NULL }, { "bytes", "bytes", REPORT_BYTES, NULL },
		{ "streams", "streams", REPORT_WHOLE, NULL }, { "messages", "messages", REPORT_WHOLE, NULL }, { "abandoned", "abandoned", REPORT_WHOLE, NULL },
		{ "parents", "parents", REPORT_WHOLE, NULL }, { "bytes in these", "referred_bytes", REPORT_BYTES, NULL }, { NULL, NULL, REPORT_WHOLE, NULL },
	};
	const json_t *proof, *told;
	size_t i, j;

	begin_section(to, CERTIFICATE, "Proved from the files alone: every byte is what was written, all images belong together, and for every stream of messages between two ranks sent + carried = seen + "
		      "recorded, position by position. So no message was lost, none is there twice, and none was received that had not been sent.");
	report_begin_table(to, "certificates", "Certificates", columns);
	json_array_foreach(json_object_get(document, "certificates"), i, proof) {
		report_row(to, columns, proof);
		json_array_foreach(json_object_get(proof, "told"), j, told) {
			fputs("<tr><td></td><td class=\"text bad\" colspan=\"10\">", to);
			report_text(to, report_member(told, "text"));
			fputs("</td></tr>\n", to);
		}
	}
	report_end_table(to);
	fputs("</section>\n", to);
}

/* --- traces ---------------------------------------------------------------------------------------------------------------------------- */

static void put_outcome(FILE *to, const json_t *trace)
{
	fprintf(to, "<td class=\"text\">%s</td>", json_is_true(json_object_get(trace, "void")) ? "void" : json_is_true(json_object_get(trace, "committed")) ? "committed" : "not known");
}

static void put_read(FILE *to, const json_t *trace)
{
	fprintf(to, "<td>%lld of %lld</td>", (long long)report_whole(trace, "read"), (long long)report_whole(trace, "ranks_in_all"));
}

/* What of the traces cannot be read, and why. */
static void put_unread(FILE *to, const json_t *traces, const json_t *left_out)
{
	const json_t *trace, *problem;
	size_t i, j;

	json_array_foreach(left_out, i, trace)
		put_damage(to, report_member(trace, "text"));
	json_array_foreach(traces, i, trace) {
		const json_t *problems = json_object_get(trace, "problems");

		if (json_array_size(problems))
			fprintf(to, "<p class=\"bad\">Snapshot %lld is drawn without %zu of its ranks, of which nothing can be read:</p>\n<ul class=\"bad\">", (long long)report_whole(trace, "number"),
				json_array_size(problems));
		json_array_foreach(problems, j, problem) {
			fprintf(to, "<li>rank %lld: ", (long long)report_whole(problem, "rank"));
			report_text(to, report_member(problem, "text"));
			fputs("</li>\n", to);
			if (j + 1 == PROBLEM_ROWS && json_array_size(problems) > PROBLEM_ROWS)
				break;
		}
		if (json_array_size(problems) > PROBLEM_ROWS)
			fprintf(to, "<li>and %zu more</li>\n", json_array_size(problems) - PROBLEM_ROWS);
		if (json_array_size(problems))
			fputs("</ul>\n", to);
	}
}

/* Of the newest snapshot that was traced. */
static void put_traced_ranks(FILE *to, const json_t *trace)
{
	static const struct report_column columns[] = {
		{ "rank", "rank", REPORT_WHOLE, NULL }, { "held", "held_s", REPORT_SECONDS, NULL }, { "from its cut until its channels were closed", "open_s", REPORT_SECONDS, NULL },
		{ "from its cut until its image was durable", "durable_s", REPORT_SECONDS, NULL }, { NULL, NULL, REPORT_WHOLE, NULL },
	};

	fprintf(to, "<details><summary>Snapshot %lld rank by rank</summary>\n", (long long)report_whole(trace, "number"));
	report_table(to, "traced-ranks", "Ranks of the snapshot", columns, json_object_get(trace, "ranks"));
	fputs("</details>\n", to);
}

static void put_diagrams(FILE *to, const json_t *traces, const json_t *diagrams)
{
	for (size_t i = json_array_size(traces); i--;) {
		const char *svg = json_string_value(json_array_get(diagrams, i));

		fprintf(to, "<details%s><summary>Snapshot %lld</summary><div class=\"diagram\">%s</div></details>\n", i + 1 == json_array_size(traces) ? " open" : "",
			(long long)report_whole(json_array_get(traces, i), "number"), svg ? svg : "<p>There is no memory for its diagram.</p>");
	}
}

static void put_traces(FILE *to, const json_t *document, const json_t *diagrams)
{
	static const struct report_column columns[] = {
		{ "snapshot", "number", REPORT_WHOLE, NULL }, { "outcome", NULL, REPORT_TEXT, put_outcome }, { "ranks", NULL, REPORT_WHOLE, put_read },
		{ "messages", "messages", REPORT_WHOLE, NULL }, { "in flight", "late", REPORT_WHOLE, NULL }, { "their bytes", "late_bytes", REPORT_BYTES, NULL },
		{ "orphans", "orphans", REPORT_WHOLE, NULL }, { "markers", "markers", REPORT_WHOLE, NULL }, { "clocks", "clocks", REPORT_WHOLE, NULL }, { "why", "why", REPORT_TEXT, NULL },
		{ NULL, NULL, REPORT_WHOLE, NULL },
	};
	const json_t *traces = json_object_get(document, "traces"), *left_out = json_object_get(document, "traces_left_out");

	begin_section(to, TRACES, "A line for each rank, time from left to right; messages are arrows, markers are dashed, what was in flight crosses the cut.");
	put_unread(to, traces, left_out);
	if (json_array_size(traces)) {
		report_begin_table(to, "traces", "Snapshots that were traced", columns);
		for (size_t i = json_array_size(traces); i--;)
			report_row(to, columns, json_array_get(traces, i));
		report_end_table(to);
		put_traced_ranks(to, json_array_get(traces, json_array_size(traces) - 1));
		put_diagrams(to, traces, diagrams);
	} else if (!json_array_size(left_out)) {
		fputs("<p id=\"without-traces\">No snapshot of this run was traced. With <code>SEAMARK_TRACE=1</code> a run keeps what happened around its snapshots, and a report has the newest three "
		      "here.</p>\n", to);
	}
	fputs("</section>\n", to);
}

void report_tables(FILE *to, const json_t *document, const json_t *diagrams)
{
	put_cards(to, document);
	put_lives(to, document);
	put_checkpoints(to, document);
	put_images(to, document);
	put_traces(to, document, diagrams);
	put_storage(to, document);
	put_proofs(to, document);
}
