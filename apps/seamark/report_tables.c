/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of the report, which are there without charts and without scripts. Numbers that are shown rounded are in data-value as they are. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "plan.h"
#include "report.h"

/* Beyond so many rows a table has only the first; the charts have all. */
enum { CHANNEL_ROWS = 100, COMMIT_ROWS = 1000 };

void report_text(FILE *to, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '&': fputs("&amp;", to); break;
		case '"': fputs("&quot;", to); break;
		case '\'': fputs("&#39;", to); break;
		default: fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
		}
}

void report_time(FILE *to, json_int_t since_1970_ns)
{
	time_t seconds = (time_t)(since_1970_ns / 1000000000);
	char text[64] = "?";
	struct tm utc;

	if (gmtime_r(&seconds, &utc))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
	fprintf(to, "<time data-value=\"%lld\">%s</time>", (long long)since_1970_ns, text);
}

/* --- cells --------------------------------------------------------------------------------------------------------------------- */

static json_int_t whole(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static double real(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

static void cell(FILE *to, json_int_t value)
{
	fprintf(to, "<td>%lld</td>", (long long)value);
}

static void cell_bytes(FILE *to, json_int_t value)
{
	fprintf(to, "<td data-value=\"%lld\">%s</td>", (long long)value, command_size((uint64_t)value).text);
}

/* Null: not known. */
static void cell_seconds(FILE *to, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_number(value))
		fprintf(to, "<td data-value=\"%.9g\">%s</td>", json_number_value(value), plan_time(json_number_value(value)).text);
	else
		fputs("<td>-</td>", to);
}

static void cell_step(FILE *to, const json_t *object)
{
	const json_t *step = json_object_get(object, "step");

	fprintf(to, "<td>%s</td>", command_step(json_is_integer(step) ? json_integer_value(step) : SEAMARK_ANY_STEP).text);
}

static void cell_time(FILE *to, json_int_t ns)
{
	fputs("<td>", to);
	report_time(to, ns);
	fputs("</td>", to);
}

static void cell_text(FILE *to, const char *value)
{
	fputs("<td class=\"text\">", to);
	report_text(to, value);
	fputs("</td>", to);
}

/* The heads of the columns, with | between. */
static void begin_table(FILE *to, const char *id, const char *heads)
{
	fprintf(to, "<div class=\"table\"><table id=\"%s\"><thead><tr><th>", id);
	for (; *heads; heads++)
		*heads == '|' ? fputs("</th><th>", to) : fputc(*heads, to);
	fputs("</th></tr></thead><tbody>\n", to);
}

static void end_table(FILE *to)
{
	fputs("</tbody></table></div>\n", to);
}

static void begin_section(FILE *to, const char *id, const char *heading, const char *words)
{
	fprintf(to, "<section id=\"%s\"><h2>%s</h2>\n<p>%s</p>\n", id, heading, words);
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
	const json_t *newest = newest_of(document), *step = json_object_get(newest, "step");
	char value[64], more[256];

	snprintf(value, sizeof value, "%zu", json_array_size(json_object_get(document, "checkpoints")));
	snprintf(more, sizeof more, newest ? "the newest is %lld, step %s, of %lld ranks" : "none", (long long)whole(newest, "number"),
		 command_step(json_is_integer(step) ? json_integer_value(step) : SEAMARK_ANY_STEP).text, (long long)whole(newest, "ranks"));
	card(to, "card-checkpoints", "checkpoints that are there", value, more);
}

/* Of a run without a history only what the newest checkpoint says of itself is known. */
static void put_held(FILE *to, const json_t *document)
{
	const json_t *so_far = json_object_get(document, "so_far"), *newest = newest_of(document);
	bool known = whole(so_far, "checkpoints") > 0;
	char more[128];

	snprintf(more, sizeof more, known ? "durable after %s; moving means" : "the newest", plan_time(real(so_far, "durable_s")).text);
	card(to, "card-held", "held by a checkpoint", known ? plan_time(real(so_far, "held_s")).text : newest ? plan_time(real(newest, "held_s")).text : "-", more);
}

static void put_lost(FILE *to, const json_t *so_far)
{
	double elapsed_s = real(so_far, "elapsed_s"), failures_s = real(so_far, "lost_failures_s"), all_s = failures_s + real(so_far, "lost_checkpoints_s");
	bool known = json_is_number(json_object_get(so_far, "lost_failures_s"));
	char more[256];

	snprintf(more, sizeof more, "%s by checkpoints, %s by failures", plan_time(real(so_far, "lost_checkpoints_s")).text, known ? plan_time(failures_s).text : "an unknown time");
	card(to, "card-lost", "lost so far", known && elapsed_s > 0 ? plan_share(all_s / elapsed_s).text : "-", more);
}

static void put_cards(FILE *to, const json_t *document)
{
	const json_t *so_far = json_object_get(document, "so_far"), *proof, *proofs = json_object_get(document, "certificates");
	char value[64], more[256];
	size_t i, bad = 0;

	fputs("<dl class=\"cards\">\n", to);
	put_newest(to, document);
	snprintf(value, sizeof value, "%lld", (long long)whole(so_far, "lives"));
	snprintf(more, sizeof more, "%lld ended by a failure, %lld otherwise before the next", (long long)whole(so_far, "failures"), (long long)whole(so_far, "stops"));
	card(to, "card-lives", "lives", value, more);
	put_held(to, document);
	put_lost(to, so_far);
	json_array_foreach(proofs, i, proof)
		bad += !json_is_true(json_object_get(proof, "holds"));
	snprintf(more, sizeof more, "%zu of %zu checkpoints were read to the last byte", json_array_size(proofs), json_array_size(json_object_get(document, "checkpoints")));
	card(to, "card-certificate", "certificate", !json_array_size(proofs) ? "not asked for" : bad ? "DAMAGED" : "holds", more);
	fputs("</dl>\n", to);
}

static void put_lives(FILE *to, const json_t *document)
{
	const json_t *life;
	size_t i;

	begin_section(to, "section-lives", "Lives, steps and checkpoints",
		      "Each start of the run is a life. <em>Lost</em> is from the cut that the next one went on from until it computed again. Times are UTC.");
	if (!json_array_size(json_object_get(document, "lives"))) {
		fputs("<p>The folder has no history.</p></section>\n", to);
		return;
	}
	fputs("<div class=\"chart tall\" id=\"chart-timeline\"></div>\n", to);
	begin_table(to, "lives", "life|began|last known|ranks|host|from checkpoint|at step|checkpoints|end|lost");
	json_array_foreach(json_object_get(document, "lives"), i, life) {
		fputs("<tr>", to);
		cell(to, whole(life, "life"));
		cell_time(to, whole(life, "began_ns"));
		cell_time(to, whole(life, "last_ns"));
		cell(to, whole(life, "ranks"));
		cell_text(to, text(life, "host"));
		whole(life, "from") ? cell(to, whole(life, "from")) : cell_text(to, "-");
		cell_step(to, life);
		cell(to, (json_int_t)json_array_size(json_object_get(life, "commits")));
		cell_text(to, text(life, "end"));
		cell_seconds(to, life, "lost_s");
		fputs("</tr>\n", to);
	}
	end_table(to);
	if (whole(json_object_get(document, "before"), "lives"))
		fprintf(to, "<p>Before these were %lld more lives, which the history has only as a sum: %lld ended by a failure.</p>\n",
			(long long)whole(json_object_get(document, "before"), "lives"), (long long)whole(json_object_get(document, "before"), "failures"));
	fputs("</section>\n", to);
}

/* --- checkpoints ------------------------------------------------------------------------------------------------------------------- */

static void checkpoint_row(FILE *to, const json_t *entry)
{
	const json_t *parent, *parents = json_object_get(entry, "parents");
	size_t i;

	fputs("<tr>", to);
	cell(to, whole(entry, "number"));
	cell(to, whole(entry, "life"));
	if (json_object_get(entry, "error")) {
		fputs("<td colspan=\"9\" class=\"text bad\">", to);
		report_text(to, text(entry, "problem"));
		fputs("</td></tr>\n", to);
		return;
	}
	cell_step(to, entry);
	cell_time(to, whole(entry, "taken_ns"));
	cell(to, whole(entry, "ranks"));
	cell_seconds(to, entry, "held_s");
	cell(to, whole(entry, "messages"));
	cell_bytes(to, whole(entry, "message_bytes"));
	cell_bytes(to, whole(entry, "bytes"));
	cell_bytes(to, whole(entry, "referred_bytes"));
	fputs("<td class=\"text\">", to);
	json_array_foreach(parents, i, parent)
		fprintf(to, "%s%lld", i ? ", " : "", (long long)whole(parent, "number"));
	fprintf(to, "%s</td></tr>\n", json_is_true(json_object_get(entry, "pinned")) ? " kept" : "");
}

/* Newest first. */
static void put_commits(FILE *to, const json_t *document)
{
	const json_t *lives = json_object_get(document, "lives");
	size_t rows = 0;

	fputs("<details><summary>All that the history tells of</summary>\n", to);
	begin_table(to, "commits", "number|life|step|cut|held|the program lost|durable after|bytes");
	for (size_t i = json_array_size(lives); i--;) {
		const json_t *life = json_array_get(lives, i), *commits = json_object_get(life, "commits");

		for (size_t j = json_array_size(commits); j-- && rows < COMMIT_ROWS; rows++) {
			const json_t *commit = json_array_get(commits, j);

			fputs("<tr>", to);
			cell(to, whole(commit, "number"));
			cell(to, whole(life, "life"));
			cell_step(to, commit);
			cell_time(to, whole(commit, "cut_ns"));
			cell_seconds(to, commit, "held_s");
			cell_seconds(to, commit, "cost_s");
			cell_seconds(to, commit, "durable_s");
			cell_bytes(to, whole(commit, "bytes"));
			fputs("</tr>\n", to);
		}
	}
	end_table(to);
	fputs("</details>\n", to);
}

static void put_checkpoints(FILE *to, const json_t *document)
{
	const json_t *entry;
	size_t i;

	begin_section(to, "section-checkpoints", "Checkpoints",
		      "<em>Held</em> is the longest time that a rank waited for its cut; <em>durable</em> is from the request to the commit, while the program went on. "
		      "<em>Elsewhere</em> is what a checkpoint has in the files of others.");
	fputs("<div class=\"chart\" id=\"chart-times\"></div>\n<div class=\"two\"><div class=\"chart\" id=\"chart-flight\"></div><div class=\"chart\" id=\"chart-storage\"></div></div>\n", to);
	begin_table(to, "checkpoints", "number|life|step|taken|ranks|held|messages in flight|their bytes|bytes on disk|elsewhere|in checkpoints");
	json_array_foreach(json_object_get(document, "checkpoints"), i, entry)
		checkpoint_row(to, entry);
	end_table(to);
	put_commits(to, document);
	fputs("</section>\n", to);
}

static void put_storage(FILE *to, const json_t *document)
{
	const json_t *storage = json_object_get(document, "storage"), *free_bytes = json_object_get(storage, "free_bytes");

	begin_section(to, "section-storage", "Storage", "The folder as it is now.");
	begin_table(to, "storage", "files|bytes of all|of these in checkpoints that are there|free on that disk");
	fputs("<tr>", to);
	cell(to, whole(storage, "files"));
	cell_bytes(to, whole(storage, "bytes"));
	cell_bytes(to, whole(storage, "checkpoints_bytes"));
	free_bytes ? cell_bytes(to, json_integer_value(free_bytes)) : cell_text(to, "-");
	fputs("</tr>\n", to);
	end_table(to);
	fputs("</section>\n", to);
}

/* --- inside a checkpoint --------------------------------------------------------------------------------------------------------- */

static json_int_t item(const json_t *row, size_t index)
{
	return json_integer_value(json_array_get(row, index));
}

static void put_channels(FILE *to, const json_t *images)
{
	const json_t *channels = json_object_get(images, "channels"), *row;
	size_t rows = json_array_size(channels), i;

	if (rows > CHANNEL_ROWS || whole(images, "channels_left_out"))
		fprintf(to, "<p>The largest %d of %lld channels:</p>\n", CHANNEL_ROWS, (long long)rows + (long long)whole(images, "channels_left_out"));
	begin_table(to, "channels", "from|to|in flight|bytes|sent since the base");
	json_array_foreach(channels, i, row) {
		if (i == CHANNEL_ROWS)
			break;
		fputs("<tr>", to);
		cell(to, item(row, 0));
		cell(to, item(row, 1));
		cell(to, item(row, 2));
		cell_bytes(to, item(row, 3));
		cell(to, item(row, 4));
		fputs("</tr>\n", to);
	}
	end_table(to);
}

static void put_ranks(FILE *to, const json_t *images)
{
	const json_t *rank;
	size_t i;

	fputs("<details open><summary>Rank by rank</summary>\n", to);
	begin_table(to, "ranks", "rank|state|regions|in flight to it|bytes|in flight from it|bytes|sent since the base|streams|");
	json_array_foreach(json_object_get(images, "ranks"), i, rank) {
		fputs("<tr>", to);
		cell(to, whole(rank, "rank"));
		cell_bytes(to, whole(rank, "state_bytes"));
		cell(to, whole(rank, "regions"));
		cell(to, whole(rank, "in_messages"));
		cell_bytes(to, whole(rank, "in_bytes"));
		cell(to, whole(rank, "out_messages"));
		cell_bytes(to, whole(rank, "out_bytes"));
		cell(to, whole(rank, "sent"));
		cell(to, whole(rank, "streams"));
		fprintf(to, "<td class=\"text bad\">%s</td></tr>\n", json_is_true(json_object_get(rank, "damaged")) ? "damaged" : "");
	}
	end_table(to);
	fputs("</details>\n", to);
}

static void put_images(FILE *to, const json_t *document)
{
	const json_t *list = json_object_get(document, "images"), *newest = json_array_get(list, json_array_size(list) - 1), *problem;
	size_t i;

	begin_section(to, "section-inside", "What was in flight, and the ranks beside each other",
		      "A message is in flight if it was sent before its sender's cut and not received before its receiver's. The counts of what was sent run from the base of its stream, "
		      "usually the checkpoint before.");
	if (!newest) {
		fputs("<p>There is no checkpoint to look into.</p></section>\n", to);
		return;
	}
	fprintf(to, "<p class=\"controls\" id=\"inside-controls\"></p>\n<div class=\"two\"><div class=\"chart square\" id=\"chart-matrix\"></div>"
		    "<div><div class=\"chart\" id=\"chart-ranks\"></div><p id=\"spread-words\"></p><div id=\"picked\"></div></div></div>\n<h3>Checkpoint %lld</h3>\n", (long long)whole(newest, "number"));
	json_array_foreach(json_object_get(newest, "problems"), i, problem) {
		fputs("<p class=\"bad\">", to);
		report_text(to, text(problem, "text"));
		fputs("</p>\n", to);
	}
	put_channels(to, newest);
	put_ranks(to, newest);
	fputs("</section>\n", to);
}

/* --- the proof ----------------------------------------------------------------------------------------------------------------------- */

static void put_proofs(FILE *to, const json_t *document)
{
	const json_t *proof, *told;
	size_t i, j;

	begin_section(to, "section-certificate", "Certificate",
		      "Proved from the files alone: every byte is what was written, all images belong together, and for every stream of messages between two ranks sent + carried = seen + "
		      "recorded, position by position. So no message was lost, none is there twice, and none was received that had not been sent.");
	begin_table(to, "certificates", "checkpoint|result|problems|images|regions|bytes|streams|messages|abandoned|parents|bytes in these");
	json_array_foreach(json_object_get(document, "certificates"), i, proof) {
		bool holds = json_is_true(json_object_get(proof, "holds"));

		fputs("<tr>", to);
		cell(to, whole(proof, "number"));
		fprintf(to, "<td class=\"text %s\">%s</td>", holds ? "good" : "bad", holds ? "holds" : "DAMAGED");
		cell(to, whole(proof, "problems"));
		cell(to, whole(proof, "images"));
		cell(to, whole(proof, "regions"));
		cell_bytes(to, whole(proof, "bytes"));
		cell(to, whole(proof, "streams"));
		cell(to, whole(proof, "messages"));
		cell(to, whole(proof, "abandoned"));
		cell(to, whole(proof, "parents"));
		cell_bytes(to, whole(proof, "referred_bytes"));
		fputs("</tr>\n", to);
		json_array_foreach(json_object_get(proof, "told"), j, told) {
			fputs("<tr><td></td><td class=\"text bad\" colspan=\"10\">", to);
			report_text(to, text(told, "text"));
			fputs("</td></tr>\n", to);
		}
	}
	end_table(to);
	fputs("</section>\n", to);
}

/* --- traces ---------------------------------------------------------------------------------------------------------------------------- */

static void trace_row(FILE *to, const json_t *trace)
{
	fputs("<tr>", to);
	cell(to, whole(trace, "number"));
	fprintf(to, "<td class=\"text\">%s</td>", json_is_true(json_object_get(trace, "void")) ? "void" : json_is_true(json_object_get(trace, "committed")) ? "committed" : "not known");
	fprintf(to, "<td>%lld of %lld</td>", (long long)whole(trace, "read"), (long long)whole(trace, "ranks_in_all"));
	cell(to, whole(trace, "messages"));
	cell(to, whole(trace, "late"));
	cell_bytes(to, whole(trace, "late_bytes"));
	cell(to, whole(trace, "orphans"));
	cell(to, whole(trace, "markers"));
	cell(to, whole(trace, "clocks"));
	cell_text(to, text(trace, "why"));
	fputs("</tr>\n", to);
}

static void put_traces(FILE *to, const json_t *document, const json_t *diagrams)
{
	const json_t *traces = json_object_get(document, "traces");

	begin_section(to, "section-traces", "Space-time diagrams",
		      "A line for each rank, time from left to right; messages are arrows, markers are dashed, what was in flight crosses the cut. A wheel with Ctrl held zooms, dragging moves, a double click shows all.");
	if (!json_array_size(traces)) {
		fputs("<p id=\"without-traces\">No snapshot of this run was traced. With <code>SEAMARK_TRACE=1</code> a run keeps what happened around its snapshots, and a report has the newest three here.</p></section>\n", to);
		return;
	}
	begin_table(to, "traces", "snapshot|outcome|ranks|messages|in flight|their bytes|orphans|markers|clocks|why");
	for (size_t i = json_array_size(traces); i--;)
		trace_row(to, json_array_get(traces, i));
	end_table(to);
	for (size_t i = json_array_size(traces); i--;) {
		const char *svg = json_string_value(json_array_get(diagrams, i));

		fprintf(to, "<details%s><summary>Snapshot %lld</summary><div class=\"diagram\">%s</div></details>\n", i + 1 == json_array_size(traces) ? " open" : "",
			(long long)whole(json_array_get(traces, i), "number"), svg ? svg : "<p>There is no memory for its diagram.</p>");
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
