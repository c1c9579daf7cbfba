/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark explain: who waits for whom. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command/command.h"
#include "looking/explain.h"
#include "looking/look.h"

enum { FILES_MOST = 16384, LINES_MOST = 16 };

struct documents {
	json_t **list;
	size_t count, room;
};

/* --- read --------------------------------------------------------------------------------------------------------------- */

static bool add_document(struct documents *documents, json_t *document)
{
	json_t **list = documents->count < FILES_MOST ? realloc(documents->list, (documents->count + 1) * sizeof *list) : NULL;

	if (!list || !document) {
		if (!list)
			command_complain("no memory for so many looks");
		json_decref(document);
		return false;
	}
	documents->list = list;
	list[documents->count++] = document;
	return true;
}

static bool add_file(struct documents *documents, const char *path)
{
	json_error_t error;
	json_t *document = json_load_file(path, 0, &error);

	if (!document) {
		command_complain("cannot read '%s': %s", path, error.text);
		return false;
	}
	if (!explain_is_look(document, path)) {
		json_decref(document);
		return false;
	}
	return add_document(documents, document);
}

static int is_part(const struct dirent *entry)
{
	const size_t length = strlen(entry->d_name);

	return !strncmp(entry->d_name, "look-", 5) && length > 10 && !strcmp(entry->d_name + length - 5, ".json");
}

/* The looks in a folder; false also if there are none. */
static bool add_folder(struct documents *documents, const char *folder, bool *any)
{
	struct dirent **names;
	int count = scandir(folder, &names, is_part, alphasort);
	bool fine = true;

	*any = count > 0;
	for (int i = 0; i < count; i++) {
		char path[4096];

		snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
		fine = fine && add_file(documents, path);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return fine;
}

/* A file, a folder of looks, or what can be looked at. */
static bool add_operand(struct documents *documents, const char *operand)
{
	struct stat about;
	bool any = false;

	if (!stat(operand, &about) && S_ISREG(about.st_mode))
		return add_file(documents, operand);
	if (!stat(operand, &about) && S_ISDIR(about.st_mode) && !add_folder(documents, operand, &any))
		return false;
	return any || add_document(documents, look_take(operand));
}

static const char *text_at(const json_t *document, const char *key)
{
	const char *text = json_string_value(json_object_get(document, key));

	return text ? text : "";
}

static int by_time(const void *a, const void *b)
{
	return strcmp(text_at(*(json_t *const *)a, "taken"), text_at(*(json_t *const *)b, "taken"));
}

/* The first of each node, and the last of each. Returns how many nodes there are. */
static size_t split(struct documents *documents, json_t **first, json_t **last)
{
	size_t nodes = 0, at;

	qsort(documents->list, documents->count, sizeof *documents->list, by_time);
	for (size_t i = 0; i < documents->count; i++) {
		for (at = 0; at < nodes && strcmp(text_at(first[at], "node"), text_at(documents->list[i], "node"));)
			at++;
		if (at == nodes)
			first[nodes++] = documents->list[i];
		last[at] = documents->list[i];
	}
	return nodes;
}

/* --- both looks ----------------------------------------------------------------------------------------------------------- */

/* The calls without what grows while nothing happens. */
static json_t *still(const json_t *calls)
{
	json_t *copy = json_deep_copy(calls);

	for (size_t i = 0; i < json_array_size(copy); i++)
		json_object_del(json_array_get(copy, i), "turns");
	return copy;
}

/* What was the same in an earlier look was so all the time. */
static void stretch(struct explain_look *look, const struct explain_look *before)
{
	for (int i = 0; i < look->ranks; i++) {
		struct explain_rank *rank = &look->rank[i];
		const struct explain_rank *then = &before->rank[i];

		if (!rank->present || !then->present || !explain_blocked_call(rank) || !explain_blocked_call(then))
			continue;
		json_t *now_calls = still(rank->source), *then_calls = still(then->source);
		if (json_equal(now_calls, then_calls) && rank->safepoints == then->safepoints && rank->base == then->base)
			rank->from_s = then->from_s;
		json_decref(now_calls);
		json_decref(then_calls);
	}
}

/* --- the verdict ---------------------------------------------------------------------------------------------------------- */

enum verdict { SOUND, UNKNOWN, SUSPECTED, DEADLOCK };
static const char *const verdict_words[] = { "sound", "unknown", "suspected", "deadlock" };

struct finding {
	struct explain_look look;
	enum verdict verdict;
	bool supposed;
	char sentence[600];
	struct explain_waits circle;      /* of ranks that wait for each other, in its order */
	struct explain_waits stuck, gone, missing, running, slow;
	int64_t first_step;
};

static struct explain_waits those(const struct explain_look *look, bool (*is)(const struct explain_rank *))
{
	struct explain_waits list = { calloc((size_t)look->ranks, sizeof *list.list), 0 };

	for (int i = 0; list.list && i < look->ranks; i++)
		if (is(&look->rank[i]))
			list.list[list.count++] = i;
	return list;
}

static bool is_stuck(const struct explain_rank *rank)
{
	return rank->present && !rank->can_go_on;
}

static bool is_gone(const struct explain_rank *rank)
{
	return rank->gone;
}

static bool is_missing(const struct explain_rank *rank)
{
	return !rank->present && !rank->gone;
}

static bool is_running(const struct explain_rank *rank)
{
	return rank->present && !explain_blocked_call(rank);
}

/* From a rank that is stuck along what it waits for, until one comes again. */
static struct explain_waits circle_of(const struct explain_look *look, const struct explain_waits *stuck, bool supposed)
{
	struct explain_waits path = { calloc((size_t)look->ranks + 1, sizeof *path.list), 0 };
	int at = stuck->count ? stuck->list[0] : -1;

	while (path.list && at >= 0) {
		for (int i = 0; i < path.count; i++)
			if (path.list[i] == at) {
				memmove(path.list, path.list + i, (size_t)(path.count - i) * sizeof *path.list);
				path.count -= i;
				return path;
			}
		path.list[path.count++] = at;
		struct explain_waits waits = explain_waits_for(look, at, true, supposed);
		at = waits.count ? waits.list[0] : -1;
		free(waits.list);
	}
	path.count = 0; /* it ends at a rank that is gone */
	return path;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* "ranks 0, 1 and 2", whatever order they wait in. */
static struct explain_text circle_text(const struct explain_waits *circle)
{
	int *sorted = malloc(((size_t)circle->count + 1) * sizeof *sorted);
	struct explain_text text = {"some ranks"};

	if (sorted) {
		memcpy(sorted, circle->list, (size_t)circle->count * sizeof *sorted);
		qsort(sorted, (size_t)circle->count, sizeof *sorted, by_number);
		text = explain_ranks_text(sorted, circle->count);
	}
	free(sorted);
	return text;
}

/* Members of one collective in different calls. */
static bool in_different_collectives(const struct explain_look *look, const struct explain_waits *circle, int *a, int *b)
{
	for (int i = 0; i < circle->count; i++)
		for (int k = 0; k < i; k++) {
			const struct explain_call *x = explain_blocked_call(&look->rank[circle->list[k]]), *y = explain_blocked_call(&look->rank[circle->list[i]]);

			if (x && y && x->count == 1 && y->count == 1 && x->awaits->kind == EXPLAIN_COLLECTIVE && y->awaits->kind == EXPLAIN_COLLECTIVE &&
			    x->awaits->comm == y->awaits->comm && x->awaits->number == y->awaits->number && x->awaits->call && y->awaits->call &&
			    strcmp(x->awaits->call, y->awaits->call)) {
				*a = circle->list[k];
				*b = circle->list[i];
				return true;
			}
		}
	return false;
}

static void say_stuck(struct finding *finding)
{
	const char *how = finding->verdict == DEADLOCK ? "Deadlock" : "Perhaps a deadlock";
	const int others = finding->stuck.count - finding->circle.count;
	int a, b, length;
	const size_t room = sizeof finding->sentence;

	if (finding->circle.count == 0)
		length = snprintf(finding->sentence, room, "%s: %s can never go on: %s %s gone", how,
				  explain_ranks_text(finding->stuck.list, finding->stuck.count).text,
				  explain_ranks_text(finding->gone.list, finding->gone.count).text, finding->gone.count == 1 ? "is" : "are");
	else if (in_different_collectives(&finding->look, &finding->circle, &a, &b))
		length = snprintf(finding->sentence, room, "%s: rank %d is in %s where rank %d is in %s", how, a,
				  explain_blocked_call(&finding->look.rank[a])->awaits->call, b, explain_blocked_call(&finding->look.rank[b])->awaits->call);
	else if (finding->circle.count == 1)
		length = snprintf(finding->sentence, room, "%s: rank %d waits for itself", how, finding->circle.list[0]);
	else
		length = snprintf(finding->sentence, room, "%s: %s wait for each other", how, circle_text(&finding->circle).text);
	if (finding->circle.count && others > 0 && (size_t)length < room)
		snprintf(finding->sentence + length, room - (size_t)length, ", and %d other%s for them", others, others == 1 ? " waits" : "s wait");
}

static void say_sound(struct finding *finding)
{
	const size_t room = sizeof finding->sentence;
	const int waiting = finding->look.ranks - finding->running.count - finding->missing.count - finding->gone.count;

	if (finding->running.count == 0)
		snprintf(finding->sentence, room, "No deadlock: all ranks are in calls that can end");
	else if (waiting == 0)
		snprintf(finding->sentence, room, "No deadlock: no rank waits");
	else
		snprintf(finding->sentence, room, "No deadlock: %s run%s, and %d wait%s", explain_ranks_text(finding->running.list, finding->running.count).text,
			 finding->running.count == 1 ? "s" : "", waiting, waiting == 1 ? "s" : "");
}

static bool could_not_be_read(const struct explain_rank *rank)
{
	return rank->present && !rank->readable;
}

/* Steps say who is behind. */
static void find_slowest(struct finding *finding)
{
	int64_t low = INT64_MAX, high = -1;

	for (int i = 0; i < finding->look.ranks; i++) {
		const int64_t step = finding->look.rank[i].step;

		low = step >= 0 && step < low ? step : low;
		high = step > high ? step : high;
	}
	finding->first_step = high;
	finding->slow = (struct explain_waits){ calloc((size_t)finding->look.ranks, sizeof(int)), 0 };
	for (int i = 0; finding->slow.list && low < high && i < finding->look.ranks; i++)
		if (finding->look.rank[i].step == low)
			finding->slow.list[finding->slow.count++] = i;
}

static bool have_one_base(const struct explain_look *look)
{
	int64_t base = -1;
	for (int rank = 0; rank < look->ranks; rank++) {
		const struct explain_rank *one = &look->rank[rank];
		if (!one->present || !one->readable)
			continue;
		if (base >= 0 && one->base != base)
			return false;
		base = one->base;
	}
	return true;
}

static void judge(struct finding *finding)
{
	struct explain_look *look = &finding->look;
	size_t stuck = explain_settle(look, false);

	finding->verdict = stuck ? explain_at_one_moment(look) ? DEADLOCK : SUSPECTED : SOUND;
	if (!stuck && (stuck = explain_settle(look, true))) {
		finding->supposed = true;
		finding->verdict = SUSPECTED;
	}
	finding->stuck = those(look, is_stuck);
	finding->gone = those(look, is_gone);
	finding->missing = those(look, is_missing);
	finding->running = those(look, is_running);
	finding->circle = circle_of(look, &finding->stuck, finding->supposed);
	find_slowest(finding);
	struct explain_waits unread = those(look, could_not_be_read);
	if (finding->verdict == SOUND && (unread.count || (finding->running.count == 0 && (finding->missing.count || !have_one_base(look)))))
		finding->verdict = UNKNOWN;
	if (finding->verdict >= SUSPECTED)
		say_stuck(finding);
	else if (finding->verdict == SOUND)
		say_sound(finding);
	else if (unread.count)
		snprintf(finding->sentence, sizeof finding->sentence, "It cannot be said: the counts of %s could not be read: %s",
			 explain_ranks_text(unread.list, unread.count).text, look->rank[unread.list[0]].unreadable);
	else if (!finding->missing.count)
		snprintf(finding->sentence, sizeof finding->sentence, "It cannot be said: a snapshot moved the base of the counts meanwhile, and they cannot be compared: look again");
	else
		snprintf(finding->sentence, sizeof finding->sentence, "It cannot be said: %s %s not looked at",
			 explain_ranks_text(finding->missing.list, finding->missing.count).text, finding->missing.count == 1 ? "was" : "were");
	free(unread.list);
}

/* --- told ----------------------------------------------------------------------------------------------------------------- */

static bool awaits_message(const struct explain_rank *rank)
{
	const struct explain_call *call = explain_blocked_call(rank);

	return call && call->count && (call->awaits->kind == EXPLAIN_RECEIVE || call->awaits->kind == EXPLAIN_PROBE);
}

static void tell(const struct finding *finding, const struct explain_look *before)
{
	command_print("%s.", finding->sentence);
	explain_tell_ranks(&finding->look, &finding->circle);
	if (finding->missing.count)
		command_print("  not looked at: %s", explain_ranks_text(finding->missing.list, finding->missing.count).text);
	for (int i = 0; finding->verdict >= SUSPECTED && i < finding->stuck.count && i < LINES_MOST; i++)
		if (awaits_message(&finding->look.rank[finding->stuck.list[i]]))
			explain_unreceived(&finding->look, finding->stuck.list[i], NULL);
	if (finding->supposed)
		command_print("It is one if nothing else ends these calls: another thread, or an MPI library that waits for less than it may. A look some minutes later tells.");
	else if (finding->verdict == SUSPECTED)
		command_print("The nodes were not looked at in one moment: it is one if another look at each shows the same.");
	if (finding->slow.count && finding->verdict < SUSPECTED)
		command_print("Behind in steps: %s, at step %" PRId64 "; the first is at %" PRId64 ".", explain_ranks_text(finding->slow.list, finding->slow.count).text,
			      finding->look.rank[finding->slow.list[0]].step, finding->first_step);
	if (before)
		explain_leaks(before, &finding->look, NULL);
}

static json_t *list_of(const struct explain_waits *waits)
{
	json_t *list = json_array();

	for (int i = 0; i < waits->count; i++)
		json_array_append_new(list, json_integer(waits->list[i]));
	return list;
}

static void add_text(json_t *object, const char *member, const char *text)
{
	if (!json_object_get(object, member))
		json_object_set_new(object, member, json_array());
	json_array_append_new(json_object_get(object, member), command_json_text(text));
}

static json_t *rank_document(const struct finding *finding, int number)
{
	const struct explain_rank *rank = &finding->look.rank[number];
	const struct explain_call *call = explain_blocked_call(rank);
	struct explain_waits waits = explain_waits_for(&finding->look, number, false, finding->supposed);
	json_t *item = json_pack("{s:i, s:s, s:o, s:b, s:o}", "rank", number, "state", rank->gone ? "gone" : rank->stopped ? "stopped" : call ? "waits" : "runs",
				 "step", rank->step >= 0 ? json_integer(rank->step) : json_null(), "stuck", !rank->can_go_on, "waits_for", list_of(&waits));

	if (call)
		json_object_set_new(item, "call", command_json_text(explain_call_text(&finding->look, number, call).text));
	for (size_t i = 0; i < rank->call_count; i++)
		if (&rank->calls[i] != call && rank->calls[i].same)
			add_text(item, "other_calls", explain_call_text(&finding->look, number, &rank->calls[i]).text);
	if (call && call->since)
		json_object_set_new(item, "since", command_json_text(call->since));
	free(waits.list);
	return item;
}

static json_t *document_of(const struct finding *finding, const struct explain_look *before)
{
	json_t *ranks = json_array(), *unreceived = json_array(), *leaks = json_array();

	for (int i = 0; i < finding->look.ranks; i++)
		if (finding->look.rank[i].present || finding->look.rank[i].gone)
			json_array_append_new(ranks, rank_document(finding, i));
	explain_unreceived(&finding->look, -1, unreceived);
	if (before)
		explain_leaks(before, &finding->look, leaks);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "verdict", verdict_words[finding->verdict], "sentence",
			 command_json_text(finding->sentence), "circle", list_of(&finding->circle), "stuck", list_of(&finding->stuck), "not_looked_at",
			 list_of(&finding->missing), "slowest", list_of(&finding->slow), "unreceived", unreceived, "leaks", leaks, "ranks", ranks);
}

/* --- the command ---------------------------------------------------------------------------------------------------------- */

static int explain(json_t *const *last, const struct explain_look *before, size_t nodes, bool json)
{
	struct finding finding = { .verdict = SOUND };
	int status = EXIT_CANNOT_READ;

	if (explain_model(last, nodes, &finding.look)) {
		if (before && !strcmp(before->run, finding.look.run) && before->ranks == finding.look.ranks)
			stretch(&finding.look, before);
		else
			before = NULL;
		judge(&finding);
		status = finding.verdict == DEADLOCK ? EXIT_PROBLEMS : EXIT_FINE;
		if (!json)
			tell(&finding, before);
		else if (command_print_json(document_of(&finding, before)) != EXIT_FINE)
			status = EXIT_CANNOT_READ;
	}
	free(finding.circle.list);
	free(finding.stuck.list);
	free(finding.gone.list);
	free(finding.missing.list);
	free(finding.running.list);
	free(finding.slow.list);
	explain_free(&finding.look);
	return status;
}

static int explain_all(struct documents *documents, bool json)
{
	json_t **first = calloc(documents->count, sizeof *first), **last = calloc(documents->count, sizeof *last);
	struct explain_look before;
	int status = EXIT_CANNOT_READ;

	if (first && last) {
		const size_t nodes = split(documents, first, last);
		const bool two = nodes < documents->count;

		if (!two)
			status = explain(last, NULL, nodes, json);
		else if (explain_model(first, nodes, &before))
			status = explain(last, &before, nodes, json);
		if (two)
			explain_free(&before);
	}
	free(first);
	free(last);
	return status;
}

int command_explain(int argc, char **argv)
{
	int json = 0, status;
	const struct command_option options[] = {
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "explain [--json] LOOK... | PID | JOB | DIR",
		"Says who waits for whom in a running program: by looks that `seamark snapshot --look` has written (files, or a folder of them: of several nodes, and\n"
		"of one or two times), or by one that it takes itself, of the program with a process PID, of a Slurm job, or with checkpoints in DIR, on this node.\n"
		"A deadlock is told as one only if no message, and no rank that still runs, can end it.\n\n"
		"Exit status: 0 none was found, 1 there is a deadlock, 2 wrong usage, 3 it could not be looked at.", options, 1, 4096 };
	struct documents documents = { NULL, 0, 0 };

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	status = EXIT_FINE;
	for (int i = 0; i < argc && status == EXIT_FINE; i++)
		status = add_operand(&documents, argv[i]) ? EXIT_FINE : EXIT_CANNOT_READ;
	if (status == EXIT_FINE)
		status = explain_all(&documents, json);
	for (size_t i = 0; i < documents.count; i++)
		json_decref(documents.list[i]);
	free(documents.list);
	return status;
}
