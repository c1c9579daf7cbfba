/* SPDX-License-Identifier: BSD-3-Clause */
/* How a run is doing, from the file that its rank 0 keeps; on a terminal in place, else a line for each change. */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "live/live.h"

#define LOOK_NS 500000000
/* One that is gone may be started again. */
#define AGAIN_S 5.0
#define THERE_S 2.0
/* Who is there, and has told nothing for so long, has come to no safepoint yet. */
#define SILENT_S 3.0
enum { LINES_MOST = 12, LINE_MOST = 600 };

struct watching {
	const char *folder;
	int once, json;
	struct seamark_files_status status;
	bool has_status;
	double told_s;         /* when it was first seen, by this clock */
	double began_s;
	double there_s, gone_s; /* when the program was looked for; since when it is gone, 0: it is not */
	bool newer, said;      /* its status is a newer Seamark's; that there is none was said */
	enum live_state state;
	struct command_text by;
	int drawn;             /* lines on the terminal that are to be written over */
	bool colours;
};

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* --- lines ---------------------------------------------------------------------------------------------------------------- */

struct lines {
	char text[LINES_MOST][LINE_MOST];
	int count;
};

static void add(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct lines *lines, const char *format, ...)
{
	va_list list;

	if (lines->count == LINES_MOST)
		return;
	va_start(list, format);
	vsnprintf(lines->text[lines->count++], LINE_MOST, format, list);
	va_end(list);
}

/* Since a moment of rank 0's host, by that host's clock and, from when it told of it, by ours: the two need not agree. */
static struct command_text ago(const struct watching *watching, int64_t since_ns)
{
	double since_s = (double)(watching->status.time_ns - since_ns) / 1e9;

	return command_span((since_s < 0 ? 0 : since_s) + (watching->once ? 0 : live_now_s() - watching->told_s));
}

struct at { char text[40]; };

static struct at at_step(int64_t step)
{
	struct at at = { "" };

	if (step >= 0)
		snprintf(at.text, sizeof at.text, " at step %" PRId64, step);
	return at;
}

static void add_run(struct lines *lines, const struct watching *watching)
{
	const struct seamark_files_status *status = &watching->status;
	char from[80] = "afresh";

	if (status->from)
		snprintf(from, sizeof from, "from checkpoint %" PRIu64 "%s", status->from, at_step(status->from_step).text);
	add(lines, "run         life %" PRIu32 ", process %" PRId64 " on host '%s', %" PRIu32 " rank%s, %s, for %s", status->life, status->process, status->host,
	    status->ranks, status->ranks == 1 ? "" : "s", from, ago(watching, status->begun_ns).text);
}

static void add_progress(struct lines *lines, const struct watching *watching)
{
	const struct seamark_files_status *status = &watching->status;

	if (!status->safepoints)
		add(lines, "step        rank 0 has come to no safepoint yet");
	else if (status->step >= 0)
		add(lines, "step        %" PRId64 ", %.3g a second", status->step, status->steps_per_s);
	else
		add(lines, "safepoints  %" PRIu64 " on rank 0, %.3g a second", status->safepoints, status->safepoints_per_s);
}

static void add_checkpoint(struct lines *lines, const struct watching *watching)
{
	const struct seamark_files_status *status = &watching->status;

	if (status->committed.number)
		add(lines, "checkpoint  %" PRIu64 "%s, %s ago: held %s, %" PRIu64 " message%s in flight (%s), %s", status->committed.number,
		    at_step(status->committed.step).text, ago(watching, status->committed.time_ns).text, command_span(status->committed.held_s).text,
		    status->committed.messages, status->committed.messages == 1 ? "" : "s", command_size(status->committed.message_bytes).text,
		    command_size(status->committed.bytes).text);
	else
		add(lines, "checkpoint  none in this life");
	if (status->voided.number > status->committed.number)
		add(lines, "void        attempt %" PRIu64 ", %s ago: %s%s%s%s%s", status->voided.number, ago(watching, status->voided.time_ns).text, status->voided.reason,
		    status->voided.detail[0] ? " (" : "", status->voided.detail, status->voided.detail[0] ? ")" : "",
		    status->voided.again ? "; it is tried again" : "");
}

static void add_next(struct lines *lines, const struct watching *watching)
{
	const struct seamark_files_status *status = &watching->status;
	double in_s = (double)(status->due_ns - status->time_ns) / 1e9 - (watching->once ? 0 : live_now_s() - watching->told_s);

	if (status->unable[0])
		add(lines, "next        none can be taken: %s", status->unable);
	else if (status->due_step)
		add(lines, "next        at step %" PRId64, status->due_step);
	else if (status->due_ns)
		add(lines, "next        in %s", command_span(in_s < 0 ? 0 : in_s).text);
	else if (!status->every_s && !status->every_steps)
		add(lines, "next        when somebody asks");
	if (status->stopping)
		add(lines, "            the program was asked to leave, and may");
}

static void add_space(struct lines *lines, const struct seamark_files_status *status)
{
	if (status->space >= 0)
		add(lines, "space       %s left; %" PRIu64 " checkpoint%s in this life, %" PRIu64 " void", command_size((uint64_t)status->space).text, status->commits,
		    status->commits == 1 ? "" : "s", status->voids);
}

static void describe(struct lines *lines, const struct watching *watching)
{
	const struct seamark_files_status *status = &watching->status;

	lines->count = 0;
	add_run(lines, watching);
	add_progress(lines, watching);
	add_checkpoint(lines, watching);
	if (status->snapshot.phase != SEAMARK_FILES_IDLE) {
		add(lines, "snapshot    %" PRIu64 ", for %s, %s", status->snapshot.number, ago(watching, status->snapshot.since_ns).text, live_phase(status).text);
		if (status->snapshot.recorded_bytes)
			add(lines, "            %s in flight to rank 0", command_size(status->snapshot.recorded_bytes).text);
	} else if (!status->ended) {
		add(lines, "snapshot    none is under way");
	}
	if (!status->ended)
		add_next(lines, watching);
	add_space(lines, status);
}

/* --- shown ----------------------------------------------------------------------------------------------------------------- */

/* In place of what was drawn before. Where the terminal is not high enough for it, it goes on below. */
static void draw(struct watching *watching)
{
	int width = live_width(STDOUT_FILENO);
	struct lines lines;

	describe(&lines, watching);
	if (watching->drawn)
		printf("\033[%dA\r\033[J", watching->drawn);
	for (int i = 0; i < lines.count; i++) {
		lines.text[i][width - 1 < LINE_MOST - 1 ? width - 1 : LINE_MOST - 1] = 0;
		if (watching->colours && strlen(lines.text[i]) > 12)
			printf("\033[1m%.12s\033[0m", lines.text[i]);
		command_print("%s", lines.text[i] + (watching->colours && strlen(lines.text[i]) > 12 ? 12 : 0));
	}
	fflush(stdout);
	watching->drawn = lines.count;
}

/* In one line, what changes. */
static void print_line(const struct watching *watching)
{
	const struct seamark_files_status *status = &watching->status;
	char step[80] = "", checkpoint[120] = "no checkpoint", snapshot[600] = "";

	if (status->step >= 0)
		snprintf(step, sizeof step, "step %" PRId64 " (%.3g a second), ", status->step, status->steps_per_s);
	else if (status->safepoints)
		snprintf(step, sizeof step, "%" PRIu64 " safepoints (%.3g a second), ", status->safepoints, status->safepoints_per_s);
	if (status->committed.number)
		snprintf(checkpoint, sizeof checkpoint, "checkpoint %" PRIu64 "%s", status->committed.number, at_step(status->committed.step).text);
	if (status->snapshot.phase != SEAMARK_FILES_IDLE)
		snprintf(snapshot, sizeof snapshot, "; snapshot %" PRIu64 " %s", status->snapshot.number, live_phase(status).text);
	else if (status->voided.number > status->committed.number)
		snprintf(snapshot, sizeof snapshot, "; attempt %" PRIu64 " void: %s%s%s%s", status->voided.number, status->voided.reason,
			 status->voided.detail[0] ? " (" : "", status->voided.detail, status->voided.detail[0] ? ")" : "");
	command_print("%s  life %" PRIu32 ": %s%s%s", command_time(status->time_ns).text, status->life, step, checkpoint, snapshot);
	fflush(stdout);
}

static json_t *document(const struct watching *watching)
{
	static const char *const there[] = { "no", "unsure", "yes" };
	json_t *object = live_json(&watching->status);

	json_object_set_new(object, "there", json_string(there[watching->state]));
	return object;
}

/* One object in a line, for who reads them as they come. */
static void print_object(const struct watching *watching)
{
	json_t *object = document(watching);

	if (object && !json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)))
		putchar('\n');
	fflush(stdout);
	json_decref(object);
}

static void show(struct watching *watching, bool changed)
{
	if (!watching->has_status)
		return;
	if (!watching->json && isatty(STDOUT_FILENO))
		draw(watching);
	else if (changed && watching->json)
		print_object(watching);
	else if (changed)
		print_line(watching);
}

/* --- watched --------------------------------------------------------------------------------------------------------------- */

/* Whether it says something new. */
static bool look(struct watching *watching)
{
	struct seamark_files_status status;
	int code = seamark_files_status(watching->folder, &status);

	watching->newer = code == SEAMARK_E_VERSION;
	if (code)
		return false;
	if (watching->has_status && status.time_ns == watching->status.time_ns && status.life == watching->status.life)
		return false;
	watching->status = status;
	watching->has_status = true;
	watching->told_s = live_now_s();
	return true;
}

/* Whether it says something new. */
static bool look_whether_there(struct watching *watching)
{
	double now_s = live_now_s();
	enum live_state before = watching->state;

	if (watching->there_s && now_s - watching->there_s < THERE_S && !watching->status.ended)
		return false;
	watching->there_s = now_s;
	watching->state = live_state(watching->folder, &watching->by);
	/* Where locks are not seen from here: it writes now and then. */
	if (watching->state == LIVE_UNSURE && watching->has_status && !watching->status.ended && now_s - watching->told_s < 3 * watching->status.again_s)
		watching->state = LIVE_THERE;
	if (watching->state == LIVE_THERE)
		watching->gone_s = 0;
	else if (!watching->gone_s)
		watching->gone_s = now_s;
	return watching->state != before;
}

/* Else a person would wait before an empty screen. */
static void say_silence(struct watching *watching)
{
	struct seamark_files_status none;

	if (watching->has_status || watching->said || watching->state == LIVE_GONE || live_now_s() - watching->began_s < SILENT_S)
		return;
	if (seamark_files_status(watching->folder, &none))
		command_complain("nothing is told in '%s' yet: %s", watching->folder, seamark_files_error());
	watching->said = true;
}

static int tell_end(const struct watching *watching)
{
	const struct seamark_files_status *status = &watching->status;

	if (watching->has_status && status->ended) {
		if (!watching->json)
			command_print("the program has ended%s", !strcmp(status->how, "stopped") ? ": it was asked to leave" : "");
		return EXIT_FINE;
	}
	if (watching->by.text[0])
		command_complain("no program uses '%s' any more: %s was killed, or ended without MPI_Finalize", watching->folder, watching->by.text);
	else
		command_complain("no program has used '%s' yet", watching->folder);
	return EXIT_PROBLEMS;
}

static int tell_newer(struct watching *watching)
{
	seamark_files_status(watching->folder, &watching->status);
	command_complain("%s", seamark_files_error());
	return EXIT_CANNOT_READ;
}

static int show_once(struct watching *watching)
{
	struct lines lines;

	look(watching);
	if (!watching->has_status) {
		command_complain("nothing is told in '%s': %s", watching->folder, seamark_files_error());
		return EXIT_CANNOT_READ;
	}
	look_whether_there(watching);
	if (watching->json)
		return command_print_json(document(watching));
	describe(&lines, watching);
	add(&lines, "told        %s%s", command_time(watching->status.time_ns).text,
	    watching->status.ended ? ": it has ended" : watching->state == LIVE_GONE ? ": and no program uses the folder any more" : "");
	for (int i = 0; i < lines.count; i++)
		command_print("%s", lines.text[i]);
	return EXIT_FINE;
}

static int watch(struct watching *watching)
{
	struct timespec pause = { .tv_nsec = LOOK_NS };

	if (!live_may_be_looked_at(watching->folder))
		return EXIT_CANNOT_READ;
	for (;;) {
		bool changed = look(watching), moved = look_whether_there(watching);

		show(watching, changed || (moved && watching->json));
		if (watching->newer)
			return tell_newer(watching);
		say_silence(watching);
		if (watching->gone_s && (live_now_s() - watching->gone_s > AGAIN_S || (watching->has_status && watching->status.ended)))
			return tell_end(watching);
		if (caught)
			return EXIT_FINE;
		nanosleep(&pause, NULL);
	}
}

int command_watch(int argc, char **argv)
{
	int once = 0, json = 0, is_job = 0, is_process = 0, status;
	const struct command_option options[] = {
		{ "once", NULL, "tell how it is now, and end", NULL, &once },
		{ "job", NULL, "the number is that of a Slurm job", NULL, &is_job },
		{ "pid", NULL, "the number is that of a process", NULL, &is_process },
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "watch [--once] [--job | --pid] [--json] [JOB | PID | DIR]",
		"Shows how a run is doing, until it ends: its step and how fast it is, the last checkpoint, the snapshot under way and how far that\n"
		"is, and space; from a small file that its rank 0 keeps in its folder. The run is named as for `seamark snapshot`. On a terminal it\n"
		"is shown in place; else there is a line for each change, and with --json an object in each line.\n\n"
		"Exit status: 0 it has ended by itself (or was told, with --once), 1 it is gone and has said nothing, 2 wrong usage, 3 there is\n"
		"nothing to be read.", options, 0, 1 };
	struct live_folder folder;
	struct watching watching = { .folder = folder.path };
	const char *no_colour = getenv("NO_COLOR");

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (is_job && is_process) {
		command_complain("a number is that of a job or of a process: --job or --pid");
		return EXIT_USAGE;
	}
	if (live_find(argc ? argv[0] : NULL, is_job ? LIVE_JOB : is_process ? LIVE_PROCESS : LIVE_ANY, &folder) != LIVE_FOUND)
		return EXIT_CANNOT_READ;
	watching.began_s = live_now_s();
	watching.once = once;
	watching.json = json;
	watching.colours = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	return once ? show_once(&watching) : watch(&watching);
}
