/* SPDX-License-Identifier: BSD-3-Clause */
/* sim --seed S or --seeds A..B, with options; a failure prints what repeats it, is made shorter, and its trace printed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/sim.h"

struct results *results;
uint64_t *paths;
struct statistics *statistics;

static const char help[] =
	"sim: the protocol on a simulated MPI (docs/simulator.md)\n"
	"  --seed S         one run;  --seeds A..B  many, until one fails\n"
	"  --trace          every line of a run;  --shrink SECONDS  for making a failure shorter (20)\n"
	"  --first P        fail unless P percent of the commits of step programs took one attempt\n"
	"  --exhaust NAME   every order of events of a small world, or of all;  --states N  of each, at most\n"
	"  --calm           what is not given is without faults, else it is drawn from the seed:\n";

static const char *const path_names[PATH_COUNT] = {
	[PATH_DRAINED] = "drained",
	[PATH_LOOKED_AT] = "late in a pending receive",
	[PATH_LATE] = "told late or unsure",
	[PATH_KEPT_UNSURE] = "kept when the marker came",
	[PATH_DROPPED_UNSURE] = "dropped when the marker came",
	[PATH_SETTLED_LATE] = "settled in a window, told in it",
	[PATH_TOLD_BEFORE] = "settled in a window, told before",
	[PATH_MAIL_AT_CUT] = "mail at a cut",
	[PATH_DELIVERY_AT_CUT] = "mail in a receive at a cut",
	[PATH_DELIVERED] = "mail told",
	[PATH_CANCELLED] = "cancelled",
	[PATH_VOID_CUT] = "void cuts",
	[PATH_CUT_IN_CALL] = "cuts in a call",
	[PATH_OPEN_AT_END] = "open safepoint in finalize",
	[PATH_EARLY_HEAD] = "head before announcement",
	[PATH_EMPTY] = "cuts of empty snapshots",
	[PATH_DRILL] = "drills' cuts",
	[PATH_DRILL_LATE] = "late in a drill",
	[PATH_ORPHAN] = "orphans in a drill",
	[PATH_DRILL_GIVEN_UP] = "drills given up",
};

/* Attempts of the commit at this part of all, of 100. */
static unsigned attempts_at(const struct statistics *count, uint32_t part)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < 64; i++)
		if ((sum += count->attempts[i]) * 100 >= count->commits * part && sum)
			return i;
	return 0;
}

static bool report(int first_least, bool timely)
{
	bool good = true;
	uint64_t stepped = 0, stepped_first = 0;
	printf("%-10s %8s %6s %6s %8s %9s %9s %8s\n", "program", "commits", "median", "95 %", "first %", "in flight", "resigned",
	       "lasting");
	for (int i = 0; i < program_count; i++) {
		const struct statistics *count = &statistics[i];
		if (count->commits + count->resigned + count->lasting == 0)
			continue;
		double first = count->commits ? 100.0 * count->attempts[1] / count->commits : 0;
		printf("%-10s %8u %6u %6u %8.1f %9" PRIu64 " %9u %8u ", programs[i].name, count->commits, attempts_at(count, 50),
		       attempts_at(count, 95), first, count->in_flight, count->resigned, count->lasting);
		for (int j = 1; j < REASON_COUNT; j++)
			if (count->reasons[j])
				printf(" %d:%" PRIu64, j, count->reasons[j]);
		printf("\n");
		if (count->reasons[REASON_OPEN_CHANNEL] && !programs[i].leaks && timely) {
			printf("%s: snapshots were void because late messages were not found\n", programs[i].name);
			good = false;
		}
		if (programs[i].stepped) {
			stepped += count->commits;
			stepped_first += count->attempts[1];
		}
	}
	if (stepped && stepped_first * 100 < stepped * (uint64_t)first_least) {
		printf("step programs: fewer than %d %% of the commits took one attempt\n", first_least);
		good = false;
	}
	for (int i = 0; i < PATH_COUNT; i++)
		printf("%s%s %" PRIu64, i ? ", " : "", path_names[i], paths[i]);
	printf("\n");
	return good;
}

static void usage(FILE *to)
{
	fputs(help, to);
	for (int i = option_count - 1; i >= 0; i--)
		fprintf(to, "  --%-12s  %s (%d)\n", option_rows[i].name, option_rows[i].help, option_rows[i].calm);
	fprintf(to, "  programs:");
	for (int i = 0; i < program_count; i++)
		fprintf(to, " %s", programs[i].name);
	fprintf(to, "\n");
}

struct command {
	struct options options;
	uint64_t first, last;
	int first_least;
	double shrink_s;
	bool trace, calm;
	const char *exhaust;
	uint64_t states_most;
};

static bool parse(struct command *command, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strncmp(name, "--", 2) != 0)
			return false;
		name += 2;
		command->trace |= strcmp(name, "trace") == 0;
		command->calm |= strcmp(name, "calm") == 0;
		if (strcmp(name, "trace") == 0 || strcmp(name, "calm") == 0)
			continue;
		if (!value)
			return false;
		i++;
		if (strcmp(name, "seed") == 0)
			command->first = command->last = strtoull(value, NULL, 0);
		else if (strcmp(name, "seeds") == 0 && sscanf(value, "%" SCNu64 "..%" SCNu64, &command->first, &command->last) == 2)
			continue;
		else if (strcmp(name, "exhaust") == 0)
			command->exhaust = value;
		else if (strcmp(name, "states") == 0)
			command->states_most = strtoull(value, NULL, 0);
		else if (strcmp(name, "first") == 0)
			command->first_least = atoi(value);
		else if (strcmp(name, "shrink") == 0)
			command->shrink_s = atof(value);
		else if (!options_set(&command->options, name, value))
			return false;
	}
	for (int i = 0; command->calm && i < option_count; i++) {
		int *value = option_at(&command->options, &option_rows[i]);
		if (*value == UNSET && strcmp(option_rows[i].name, "program") != 0)
			*value = option_rows[i].calm;
	}
	return true;
}

/* The failure that is known, as it was found; then its shortest kin, and that one's trace. */
static void explain(struct command *command)
{
	char text[400];
	struct options options = command->options;
	options.seed = results->seed;
	options_draw(&options);
	options_print(&options, text, sizeof text);
	printf("FAILED: %s\n  repeat: sim %s\n", results->text, text);
	fflush(stdout);
	if (command->shrink_s > 0) {
		shrink(&options, command->shrink_s);
		options_print(&options, text, sizeof text);
		printf("  shorter: sim %s --trace\n", text);
		run_apart(&options, options.seed, options.seed, true);
	}
}

int main(int argc, char **argv)
{
	struct command command = {.first = 1, .last = 1, .shrink_s = 20, .states_most = UINT64_MAX};
	options_unset(&command.options);
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout), 0;
	if (!parse(&command, argc, argv))
		return usage(stderr), 2;
	results = mmap(NULL, sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED)
		return perror("sim: mmap"), 2;
	paths = results->paths;
	statistics = results->statistics;
	printf("sim");
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	if (command.exhaust)
		return explore(command.states_most, command.exhaust) ? 0 : 1;
	if (run_apart(&command.options, command.first, command.last, command.trace)) {
		explain(&command);
		return 1;
	}
	return report(command.first_least, command.options.leap == 0 && command.options.away == 0) ? 0 : 1;
}
