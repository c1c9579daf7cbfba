/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs in processes of their own, so that a failure, an assertion of the library and an endless loop all come back as a result; and the search for the shortest
 * failure of a kind. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/sim.h"

enum { SECONDS_ALONE = 200, SEEDS_TRIED = 200, SEEDS_AT_LAST = 4000, FAILURES_COMPARED = 20 };

/* What an assertion said is the kind of the failure. */
static void ended_badly(int status, FILE *said)
{
	char text[300] = "";
	rewind(said);
	if (!fgets(text, sizeof text, said))
		text[0] = 0;
	text[strcspn(text, "\n")] = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(text, sizeof text, "a run does not come to an end in %d s", SECONDS_ALONE);
	else if (WIFSIGNALED(status) && !text[0])
		snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
	else if (!text[0])
		snprintf(text, sizeof text, "status %d", status);
	snprintf(results->kind, sizeof results->kind, "%.199s", text);
	snprintf(results->text, sizeof results->text, "%s", text);
}

static void run_here(const struct options *options, uint64_t first, uint64_t last, bool trace)
{
	for (uint64_t seed = first; seed <= last; seed++) {
		struct options drawn = *options;
		drawn.seed = results->seed = seed;
		results->lines = 0;
		options_draw(&drawn);
		alarm(SECONDS_ALONE);
		world_run(&drawn, trace);
		results->runs++;
	}
}

bool run_apart(const struct options *options, uint64_t first, uint64_t last, bool trace)
{
	FILE *said = tmpfile();
	int status = 0;
	results->kind[0] = 0;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would read what it finds */
		if (said)
			dup2(fileno(said), 2);
		run_here(options, first, last, trace);
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("sim: fork");
		exit(2);
	}
	if (status != 0 && !results->kind[0])
		ended_badly(status, said);
	if (said)
		fclose(said);
	return status != 0;
}

/* --- shrinking -------------------------------------------------------------------------------------------------------- */

struct hunt {
	struct options best;
	uint64_t lines;             /* of its trace */
	char kind[200];
	struct timespec until;
};

static bool is_late(const struct hunt *hunt)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > hunt->until.tv_sec || (now.tv_sec == hunt->until.tv_sec && now.tv_nsec > hunt->until.tv_nsec);
}

/* Whether seeds beside the present one fail in the same way with these options; the shortest of them is kept, in full if `any`, else only if it is shorter. */
static bool try(struct hunt *hunt, const struct options *options, uint64_t seeds, bool any)
{
	uint64_t next = 0, found = 0;
	bool better = false;
	while (next <= seeds && !is_late(hunt)) {
		bool failed = next == 0 ? run_apart(options, options->seed, options->seed, false)
					: run_apart(options, next, seeds, false);
		if (!failed && next != 0)
			break;
		next = next == 0 ? 1 : results->seed + 1;
		if (!failed || strcmp(results->kind, hunt->kind) != 0)
			continue;
		if ((any && !better) || results->lines < hunt->lines) {
			hunt->best = *options;
			hunt->best.seed = results->seed;
			hunt->lines = results->lines;
			better = true;
		}
		if (any && ++found >= FAILURES_COMPARED)
			break;
	}
	return better;
}

static bool try_value(struct hunt *hunt, const struct option_row *row, int value)
{
	struct options options = hunt->best;
	if (*option_at(&options, row) == value)
		return false;
	*option_at(&options, row) = value;
	struct options drawn = options;
	options_draw(&drawn);
	return *option_at(&drawn, row) == value && try(hunt, &options, SEEDS_TRIED, true);
}

static const struct option_row *row_named(const char *name)
{
	for (int i = 0; i < option_count; i++)
		if (strcmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	return NULL;
}

/* The smallest of these that still fails. */
static void try_up_to(struct hunt *hunt, const char *name)
{
	static const int values[] = {1, 2, 3, 4, 5, 6, 8, 12, 20};
	const struct option_row *row = row_named(name);
	for (size_t i = 0; i < sizeof values / sizeof *values && !is_late(hunt); i++) {
		int now = *option_at(&hunt->best, row);
		if (now != row->calm && values[i] >= now)
			return;
		if (try_value(hunt, row, values[i]))
			return;
	}
}

void shrink(struct options *options, double seconds)
{
	struct hunt hunt = {.best = *options, .lines = results->lines};
	snprintf(hunt.kind, sizeof hunt.kind, "%s", results->kind);
	clock_gettime(CLOCK_MONOTONIC, &hunt.until);
	hunt.until.tv_sec += (time_t)seconds;
	for (int i = 0; i < option_count && !is_late(&hunt); i++) {
		const struct option_row *row = &option_rows[i];
		if (strcmp(row->name, "program") == 0 || strcmp(row->name, "ranks") == 0 || strcmp(row->name, "snapshots") == 0)
			continue;
		if (strcmp(row->name, "lives") == 0 && hunt.best.lives > 1 && !try_value(&hunt, row, 0))
			try_value(&hunt, row, 1);
		else
			try_value(&hunt, row, row->calm);
	}
	for (int ranks = programs[hunt.best.program].ranks_least; ranks < hunt.best.ranks; ranks++)
		if (try_value(&hunt, row_named("ranks"), ranks))
			break;
	try_up_to(&hunt, "snapshots");
	try_up_to(&hunt, "length");
	struct options last = hunt.best;
	try(&hunt, &last, SEEDS_AT_LAST, false);
	*options = hunt.best;
}
