/* SPDX-License-Identifier: BSD-3-Clause */
/* Where each rank is, a line each; of many ranks, those of which the same is to be said share one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "looking/explain.h"

enum { LINES_MOST = 16, OF_THE_CIRCLE = 8 };

/* Of a rank, or of several alike: what is said before and after the time. */
struct line {
	char before[640], after[440];
};

struct place {
	uint64_t like;         /* a hash of the line */
	int rank;
};

/* A stretch of the places, in their order. */
struct group {
	size_t first, count;
};

/* Of the clock alone, where it is of today. */
static struct command_text local_time(const char *since)
{
	struct tm parts = {0}, here;
	struct command_text text = {""};

	strptime(since, "%Y-%m-%dT%H:%M:%S", &parts);
	const time_t then = timegm(&parts), now = time(NULL);
	localtime_r(&then, &here);
	strftime(text.text, sizeof text.text, now - then < 12 * 3600 ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &here);
	return text;
}

static void make_line(const struct explain_look *look, int number, bool many, struct line *line)
{
	const struct explain_rank *rank = &look->rank[number];
	const struct explain_call *call = explain_blocked_call(rank);
	char step[40] = "";

	if (rank->step >= 0)
		snprintf(step, sizeof step, ", step %" PRId64, rank->step);
	line->after[0] = 0;
	if (rank->gone) {
		snprintf(line->before, sizeof line->before, " %s gone", many ? "are" : "is");
	} else if (rank->stopped) {
		snprintf(line->before, sizeof line->before, " %s stopped by a signal%s", many ? "are" : "is", step);
	} else if (!call && !rank->readable) {
		snprintf(line->before, sizeof line->before, " %s in %s when looked at%s", many ? "were" : "was",
			 rank->call_count ? explain_call_text(look, number, rank->calls).text : "no call", step);
	} else if (!call) {
		snprintf(line->before, sizeof line->before, " run%s%s%s", many ? "" : "s", rank->moved ? "" : ", without sending or receiving anything", step);
	} else {
		const struct explain_text why = explain_why_text(look, number, call);

		snprintf(line->before, sizeof line->before, "%s: %s", step, explain_call_text(look, number, call).text);
		snprintf(line->after, sizeof line->after, "%s%s", why.text[0] ? ": " : "", why.text);
	}
}

/* All of them have been there for so long. */
static void time_text(const struct explain_look *look, const struct place *places, size_t count, char *text, size_t room)
{
	const char *since = NULL;
	double seconds = 0;

	text[0] = 0;
	for (size_t i = 0; i < count; i++) {
		const struct explain_rank *rank = &look->rank[places[i].rank];
		const struct explain_call *call = explain_blocked_call(rank);

		if (rank->gone || rank->stopped || !call)
			return;
		if (call->since)
			since = !since || strcmp(call->since, since) > 0 ? call->since : since;
		seconds = i == 0 || rank->to_s - rank->from_s < seconds ? rank->to_s - rank->from_s : seconds;
	}
	if (since)
		snprintf(text, room, ", since %s", local_time(since).text);
	else
		snprintf(text, room, ", for at least %.1f s", seconds);
}

static void tell(const struct explain_look *look, const struct place *places, size_t count)
{
	const struct explain_rank *rank = &look->rank[places->rank];
	const struct explain_call *call = explain_blocked_call(rank);
	int *ranks = malloc(count * sizeof *ranks);
	struct line line;
	char time[80];

	make_line(look, places->rank, count > 1, &line);
	time_text(look, places, count, time, sizeof time);
	for (size_t i = 0; ranks && i < count; i++)
		ranks[i] = places[i].rank;
	if (ranks)
		command_print("  %s%s%s%s", explain_ranks_text(ranks, (int)count).text, line.before, time, line.after);
	free(ranks);
	/* Of several threads. */
	for (size_t i = 0; count == 1 && call && !rank->gone && !rank->stopped && i < rank->call_count; i++)
		if (&rank->calls[i] != call && rank->calls[i].same)
			command_print("    and in another thread: %s", explain_call_text(look, places->rank, &rank->calls[i]).text);
}

/* --- many --------------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
	return hash;
}

static uint64_t like_what(const struct explain_look *look, int rank)
{
	const struct explain_call *call = explain_blocked_call(&look->rank[rank]);
	struct line line;

	make_line(look, rank, true, &line);
	const uint64_t hash = hash_of(hash_of(UINT64_C(0xCBF29CE484222325), line.before), line.after);
	/* What is said of other threads, and of a time in another way, is not shared. */
	return look->rank[rank].call_count > 1 ? (uint64_t)rank : call && call->since ? hash ^ 1 : hash;
}

static int by_likeness(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->like != y->like)
		return x->like < y->like ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static const struct place *sorted_places;

static int by_first_rank(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	const int first = sorted_places[x->first].rank, second = sorted_places[y->first].rank;

	return first < second ? -1 : first > second;
}

/* Those alike together. Returns how many groups. */
static size_t fold(const struct explain_look *look, struct place *places, size_t count, struct group *groups)
{
	const bool few = look->ranks <= LINES_MOST;
	size_t made = 0;

	for (size_t i = 0; i < count; i++)
		places[i].like = few ? (uint64_t)places[i].rank : like_what(look, places[i].rank);
	if (count)
		qsort(places, count, sizeof *places, by_likeness);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || places[i].like != places[i - 1].like)
			groups[made++] = (struct group){i, 0};
		groups[made - 1].count++;
	}
	sorted_places = places;
	if (made)
		qsort(groups, made, sizeof *groups, by_first_rank);
	return made;
}

/* Those in the circle first, in its order; then the others. */
void explain_tell_ranks(const struct explain_look *look, const struct explain_waits *circle)
{
	const int circle_most = look->ranks <= LINES_MOST ? LINES_MOST : OF_THE_CIRCLE;
	bool *told = calloc((size_t)look->ranks, sizeof *told);
	struct place *places = calloc((size_t)look->ranks, sizeof *places);
	struct group *groups = calloc((size_t)look->ranks, sizeof *groups);
	size_t count = 0, made, left = 0;
	int lines = 0;

	for (; told && lines < circle->count && lines < circle_most; lines++) {
		tell(look, &(struct place){.rank = circle->list[lines]}, 1);
		told[circle->list[lines]] = true;
	}
	for (int i = 0; told && places && i < look->ranks; i++)
		if (!told[i] && (look->rank[i].present || look->rank[i].gone))
			places[count++].rank = i;
	made = groups ? fold(look, places, count, groups) : 0;
	for (size_t i = 0; i < made; i++)
		if (lines++ < LINES_MOST)
			tell(look, &places[groups[i].first], groups[i].count);
		else
			left += groups[i].count;
	if (left)
		command_print("  and %zu ranks more (--json tells of all)", left);
	free(told);
	free(places);
	free(groups);
}
