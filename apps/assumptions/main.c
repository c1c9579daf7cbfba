/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { EXIT_HOLDS = 0, EXIT_DOES_NOT_HOLD = 1, EXIT_TROUBLE = 2, LIMIT_S = 120, ROOM = 240 };

struct check {
	const char *name;
	void (*run)(void);
	int ranks;             /* as many it needs */
	const char *claim;
	const char *without;
};

static const struct check checks[] = {
	{ "matched-probe", check_matched_probe, 2, "a matched probe of a source with any tag finds nothing while an earlier receive that could match has not matched",
	  "a message could be taken from under a pending receive: late messages would be recorded in the wrong order" },
	{ "get-status", check_asking, 2, "MPI_Request_get_status works on receives, exact, wildcard and persistent, makes progress, and leaves the request",
	  "messages in flight that lie in the buffers of posted receives could not be recorded" },
	{ "self-delivery", check_self_delivery, 1, "a message to oneself sent or received as MPI_PACKED gives the same memory and status for every kind of type",
	  "a message could come back from a checkpoint with another content" },
	{ "eager-markers", check_eager_markers, 2, "a head of at most 1 KiB in a receive posted in advance is never overtaken by a later message",
	  "ranks would learn late of cuts: no wrong checkpoint, but most attempts of programs without steps would be void" },
	{ "progress", check_progress, 2, "a rank in a blocking receive, send or barrier progresses a non-blocking collective that it has entered",
	  "a snapshot would wait for the ranks that block, and the folder would be locked for so long" },
	{ "handles", check_handles, 2, "live receives, matched messages and persistent requests have handles of their own",
	  "a receive could be taken for another, and checkpoints would be void or wrong" },
	{ "inactive-requests", check_inactive, 1, "an inactive persistent request tests complete with an empty status",
	  "a program that waits for inactive requests would see something else than without Seamark" },
	{ "cancel", check_cancel, 1, "the cancelling of a receive that has no message succeeds, and it takes none",
	  "a message could count as received twice or never: checkpoints would be void" },
	{ "finalize", check_finalize, 1, "the callback of an attribute set first on MPI_COMM_SELF runs in MPI_Finalize after all others, and can communicate",
	  "the last checkpoint of a run could not be finished" },
};

enum { CHECKS = sizeof checks / sizeof *checks };

struct world world = {.turns = 200};

static bool records, some_fail, some_hold;
static bool is_wrong;
static char wrong[ROOM], seen[ROOM];
static const struct check *running;

/* --- for the checks ------------------------------------------------------------------------------------------------------ */

void violated(const char *format, ...)
{
	va_list list;

	if (is_wrong)
		return;
	is_wrong = true;
	int length = snprintf(wrong, sizeof wrong, "rank %d: ", world.rank);
	va_start(list, format);
	vsnprintf(wrong + length, sizeof wrong - (size_t)length, format, list);
	va_end(list);
}

void saw(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(seen, sizeof seen, format, list);
	va_end(list);
}

double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void nap_ms(int ms)
{
	const struct timespec nap = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&nap, NULL);
}

void say_go(void)
{
	MPI_Send(NULL, 0, MPI_BYTE, world.partner, TAG_GO, world.talk);
}

void await_go(void)
{
	MPI_Recv(NULL, 0, MPI_BYTE, world.partner, TAG_GO, world.talk, MPI_STATUS_IGNORE);
}

void fill(unsigned char *bytes, size_t count, unsigned number)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (unsigned char)(number + i * 7 + i / 251);
}

bool is_filled(const unsigned char *bytes, size_t count, unsigned number)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != (unsigned char)(number + i * 7 + i / 251))
			return false;
	return true;
}

uint64_t handle_of(const void *handle, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, handle, size < sizeof value ? size : sizeof value);
	return value;
}

/* --- telling --------------------------------------------------------------------------------------------------------------- */

static void tell(const struct check *check, const char *verdict, const char *text)
{
	if (records)
		printf("%s\t%s\t%s\t%s\t%s\n", check->name, verdict, check->claim, text, check->without);
	else
		printf("%s: %s%s%s\n", check->name, verdict, *text ? ": " : "", text);
	if (!records && strcmp(verdict, "does not hold") == 0)
		printf("    assumed: %s\n    without it: %s\n", check->claim, check->without);
	fflush(stdout);
}

/* Over all ranks: the lowest that has found something tells it. */
static void agree(void)
{
	int mine = is_wrong ? world.rank : world.size, lowest;

	MPI_Allreduce(&mine, &lowest, 1, MPI_INT, MPI_MIN, world.talk);
	if (lowest < world.size) {
		is_wrong = true;
		MPI_Bcast(wrong, sizeof wrong, MPI_CHAR, lowest, world.talk);
	}
	some_fail |= is_wrong;
	some_hold |= !is_wrong;
	if (world.rank == 0)
		tell(running, is_wrong ? "does not hold" : "holds", is_wrong ? wrong : seen);
}

static void in_time(int signal)
{
	char text[ROOM];

	(void)signal;
	if (world.rank == 0) {
		/* Not for every handler, but nothing else of this process will print any more. */
		snprintf(text, sizeof text, "it has not ended in %d s", LIMIT_S);
		tell(running, "does not hold", text);
	}
	_exit(EXIT_TROUBLE);
}

static void run(const struct check *check)
{
	running = check;
	is_wrong = false;
	*seen = *wrong = 0;
	if (check->ranks > world.size) {
		if (world.rank == 0)
			tell(check, "not checked", "it needs two ranks");
		return;
	}
	alarm(LIMIT_S + (world.rank != 0) * 5);
	check->run();
	if (check->run != check_finalize) /* told in MPI_Finalize */
		agree();
	alarm(0);
}

/* --- which ------------------------------------------------------------------------------------------------------------------- */

static int usage(const char *program)
{
	if (world.rank == 0) {
		fprintf(stderr, "usage: mpirun -n N %s [--turns N] [--records] [--control] [CHECK...]\n"
				"Says which of the things hold here that Seamark takes for granted of an MPI library. `seamark doctor --mpi` starts it.\n"
				"Exit status: 0 all hold, 1 some do not, 2 trouble. --control: every check is made to fail, 0 if it does.\n", program);
		for (int i = 0; i < CHECKS; i++)
			fprintf(stderr, "  %-18s %s\n", checks[i].name, checks[i].claim);
	}
	MPI_Finalize();
	return EXIT_TROUBLE;
}

static const struct check *find(const char *name)
{
	for (int i = 0; i < CHECKS; i++)
		if (strcmp(checks[i].name, name) == 0)
			return &checks[i];
	return NULL;
}

static void begin(int *argc, char ***argv)
{
	MPI_Init(argc, argv);
	finalize_watch(agree); /* first thing */
	signal(SIGALRM, in_time);
	MPI_Comm_rank(MPI_COMM_WORLD, &world.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &world.size);
	MPI_Comm_dup(MPI_COMM_WORLD, &world.talk);
	const int half = world.size / 2;
	world.receives = world.rank < half;
	world.sends = world.rank >= half && world.rank < 2 * half;
	world.partner = world.receives ? world.rank + half : world.sends ? world.rank - half : MPI_PROC_NULL;
}

static void tell_library(void)
{
	char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
	int length;

	MPI_Get_library_version(version, &length);
	version[strcspn(version, "\n,")] = 0;
	for (char *at = version; *at; at++)
		if (*at == '\t')
			*at = ' ';
	if (world.rank == 0)
		printf(records ? "library\t%s\t%d\n" : "%s, %d rank%s\n", version, world.size, world.size == 1 ? "" : "s");
}

int main(int argc, char **argv)
{
	bool chosen[CHECKS] = {false}, some = false;

	begin(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		const struct check *check = find(argv[i]);
		if (strcmp(argv[i], "--records") == 0)
			records = true;
		else if (strcmp(argv[i], "--control") == 0)
			world.control = true;
		else if (strcmp(argv[i], "--turns") == 0 && i + 1 < argc && (world.turns = atoi(argv[i + 1])) > 0)
			i++;
		else if (check == NULL)
			return usage(argv[0]);
		else
			chosen[check - checks] = some = true;
	}
	tell_library();
	for (int i = 0; i < CHECKS; i++)
		if (!some || chosen[i])
			run(&checks[i]);
	alarm(LIMIT_S);
	MPI_Finalize();
	alarm(0);
	if (running->run == check_finalize && !finalize_has_told()) {
		some_fail = true;
		if (world.rank == 0)
			tell(running, "does not hold", "the callback did not run");
	}
	if (world.control)
		return some_hold ? EXIT_DOES_NOT_HOLD : EXIT_HOLDS;
	return some_fail ? EXIT_DOES_NOT_HOLD : EXIT_HOLDS;
}
