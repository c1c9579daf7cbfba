/* SPDX-License-Identifier: BSD-3-Clause */
/* sim --seed S or --seeds A..B, with options; a failure prints what repeats it, and the run's last lines. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/sim.h"

static const struct option names[] = {
	{"seed", required_argument, NULL, 's'},      {"seeds", required_argument, NULL, 'S'},
	{"ranks", required_argument, NULL, 'r'},     {"program", required_argument, NULL, 'p'},
	{"overtaking", required_argument, NULL, 'o'}, {"unfair", required_argument, NULL, 'u'},
	{"rendezvous", required_argument, NULL, 'z'}, {"fail", required_argument, NULL, 'f'},
	{"lives", required_argument, NULL, 'l'},     {"busy", required_argument, NULL, 'b'},
	{"empty", required_argument, NULL, 'e'},     {"drill", required_argument, NULL, 'd'},
	{"first", required_argument, NULL, '1'},     {"trace", no_argument, NULL, 't'},
	{"show", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},            {NULL, 0, NULL, 0},
};

static const char help[] =
	"sim: the protocol on a simulated MPI\n"
	"  --seed S         one run;  --seeds A..B  many\n"
	"  --program NAME   (drawn from the seed)\n"
	"  --ranks N        (drawn from the seed, 1 to 8)\n"
	"  --overtaking P   percent of turns in which a message may overtake a marker's head, in half of the runs (0)\n"
	"  --unfair P       percent of runs in which some ranks are slow (30)\n"
	"  --rendezvous P   percent of standard sends that complete when matched (20)\n"
	"  --fail P         percent of captures, images and manifests that fail (0)\n"
	"  --lives N        restarts after the first run (1)\n"
	"  --busy P         percent of runs with markers only where there was traffic (30)\n"
	"  --empty P        percent of runs in which ledgers are small, and are reset by empty snapshots (20)\n"
	"  --drill P        percent of runs with drills between the snapshots (0)\n"
	"  --first P        fail unless P percent of the commits of step programs took one attempt\n"
	"  --trace          the last lines before a failure;  --show  all lines\n";

uint64_t paths[PATH_COUNT];
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

static int program_named(const char *name)
{
	for (int i = 0; i < program_count; i++)
		if (strcmp(programs[i].name, name) == 0)
			return i;
	fprintf(stderr, "sim: no program '%s'\n", name);
	exit(2);
}

/* Attempts of the commit at this part of all, of 100. */
static unsigned attempts_at(const struct statistics *count, uint32_t part)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < 64; i++)
		if ((sum += count->attempts[i]) * 100 >= count->commits * part && sum)
			return i;
	return 0;
}

static bool report(int first_least)
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
		if (count->reasons[REASON_OPEN_CHANNEL] && !programs[i].leaks) {
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

int main(int argc, char **argv)
{
	struct options options = {.program = -1, .unfair = 30, .rendezvous = 20, .lives = 1, .busy = 30, .empty = 20};
	uint64_t first = 1, last = 1;
	int first_least = 0, letter;
	while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (letter) {
		case 's':
			first = last = strtoull(optarg, NULL, 0);
			break;
		case 'S':
			if (sscanf(optarg, "%" SCNu64 "..%" SCNu64, &first, &last) != 2)
				last = first;
			break;
		case 'r':
			options.ranks = atoi(optarg);
			if (options.ranks < 1 || options.ranks > RANKS_MOST)
				return fprintf(stderr, "sim: 1 to %d ranks\n", RANKS_MOST), 2;
			break;
		case 'p':
			options.program = program_named(optarg);
			break;
		case 'o':
			options.overtaking = atoi(optarg);
			break;
		case 'u':
			options.unfair = atoi(optarg);
			break;
		case 'z':
			options.rendezvous = atoi(optarg);
			break;
		case 'f':
			options.fail = atoi(optarg);
			break;
		case 'l':
			options.lives = atoi(optarg);
			break;
		case 'b':
			options.busy = atoi(optarg);
			break;
		case 'e':
			options.empty = atoi(optarg);
			break;
		case 'd':
			options.drill = atoi(optarg);
			break;
		case '1':
			first_least = atoi(optarg);
			break;
		case 'v':
			options.show = true;
			break;
		case 't':
			options.trace = true;
			break;
		default:
			fputs(help, letter == 'h' ? stdout : stderr);
			return letter == 'h' ? 0 : 2;
		}
	}
	printf("sim");
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	fflush(stdout);
	options.quiet = first != last;
	for (options.seed = first; options.seed <= last; options.seed++)
		world_run(&options);
	return report(first_least) ? 0 : 1;
}
