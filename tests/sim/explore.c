/* SPDX-License-Identifier: BSD-3-Clause */
/* Small worlds in every order of events. The world is run again from its beginning for each choice that has not been made yet, depth first; a state that was met before
 * (print.c) is not gone on with. Nothing is drawn: what may happen next are the ranks' next calls, the arrival of the first message of each lane, and, in late worlds, each
 * completion, each end of barrier, reduction and writing as seen by one rank, and the content of a marker behind its being matched. Time goes when nothing else can happen, and in
 * worlds that leap, once at any moment, beyond every time that is waited for; in those that break the storage of one rank is gone from any moment on. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/sim.h"

enum { DEPTH_MOST = EXPLORED_DEPTH_MOST, STEPS_MOST = 100000, STILL_MOST = 20000 };
#define LEAP_NS INT64_C(1000000000000) /* beyond every time that is waited for */

static const struct small_world {
	const char *name, *program;
	int ranks, length;
	bool late, scanning, draining, everywhere;
	int overtaking;
	int breaks, leaps;
} small_worlds[] = {
	{"ring-2", "ring", 2, 2, false, true, true, true, 0, 0, 0},
	{"ring-2-long", "ring", 2, 4, false, true, true, false, 0, 0, 0},
	{"hello-2", "hello", 2, 1, false, true, true, true, 0, 0, 0},
	{"hello-2-overtaking", "hello", 2, 1, false, true, true, true, 100, 0, 0},
	{"hello-2-late", "hello", 2, 1, true, true, true, true, 0, 0, 0},
	{"gather-2", "gather", 2, 2, false, true, true, true, 0, 0, 0},
	{"gather-2-unscanned", "gather", 2, 2, true, false, false, true, 0, 0, 0},
	{"one-2-late", "one", 2, 1, true, true, true, true, 0, 0, 0},
	{"one-2-breaks", "one", 2, 1, false, true, true, true, 0, 1, 0},
	{"one-2-breaks-late", "one", 2, 1, true, true, true, true, 0, 1, 0},
	{"one-2-leaps", "one", 2, 1, false, true, true, true, 0, 0, 1},
	{"hello-2-breaks", "hello", 2, 1, false, true, true, true, 0, 1, 0},
	{"hello-2-leaps", "hello", 2, 1, false, true, true, true, 0, 0, 1},
	{"one-3", "one", 3, 1, false, true, true, false, 0, 0, 0},
	{"one-3-overtaking", "one", 3, 1, false, true, true, true, 100, 0, 0},
	{"ring-3", "ring", 3, 1, false, true, true, false, 0, 0, 0},
	{"hello-3", "hello", 3, 1, false, true, true, false, 0, 0, 0},
	{"gather-3", "gather", 3, 1, false, true, false, false, 0, 0, 0},
};
enum { SMALL_WORLDS = sizeof small_worlds / sizeof *small_worlds };

/* --- states that were met -------------------------------------------------------------------------------------------- */

struct met {
	uint64_t *prints;
	size_t room, count;
};

static bool meet(struct met *met, uint64_t print);

static void grow(struct met *met)
{
	struct met old = *met;
	met->room = old.room ? old.room * 2 : 1 << 16;
	met->prints = calloc(met->room, sizeof *met->prints);
	met->count = 0;
	for (size_t i = 0; i < old.room; i++)
		if (old.prints[i])
			meet(met, old.prints[i]);
	free(old.prints);
}

/* true: for the first time. */
static bool meet(struct met *met, uint64_t print)
{
	if (met->count * 2 >= met->room)
		grow(met);
	size_t at = print & (met->room - 1);
	while (met->prints[at] != 0 && met->prints[at] != print)
		at = (at + 1) & (met->room - 1);
	if (met->prints[at])
		return false;
	met->prints[at] = print;
	met->count++;
	return true;
}

/* --- what may happen next -------------------------------------------------------------------------------------------- */

enum happening { CALL, ARRIVAL, COMPLETION, BARRIER, VERDICT, IMAGE, MANIFEST, CONTENT, BREAK, LEAP };
struct event { enum happening what; size_t at, in; };

struct events {
	struct event list[256];
	size_t count;
};

static void may(struct events *events, enum happening what, size_t at, size_t in)
{
	if (events->count == sizeof events->list / sizeof *events->list)
		abort();
	events->list[events->count++] = (struct event){what, at, in};
}

static void may_on_rank(const struct world *world, struct events *events, size_t number)
{
	const struct rank *rank = world->rank[number];
	if (!rank->left && !rank->resting)
		may(events, CALL, number, 0);
	if (world->breaks_left > 0 && !rank->broken && !rank->left)
		may(events, BREAK, number, 0);
	if (!world->late)
		return;
	const struct epoch *epoch = rank->cut_epoch < world->epoch_count ? world->epochs[rank->cut_epoch] : NULL;
	if (rank->wait_barrier && !rank->barrier_here && epoch->at_barrier == world->ranks)
		may(events, BARRIER, number, 0);
	if (rank->wait_verdict && !rank->verdict_here && epoch->at_verdict == world->ranks)
		may(events, VERDICT, number, 0);
	if (rank->wait_image && rank->image_at == INT64_MAX)
		may(events, IMAGE, number, 0);
	if (rank->wait_publish && rank->publish_at == INT64_MAX)
		may(events, MANIFEST, number, 0);
	for (size_t i = 0; i < rank->inbox_count; i++)
		if (rank->inbox[i]->comm == LANE_MARKERS && rank->inbox[i]->part == 1 && rank->inbox[i]->is_started &&
		    !rank->inbox[i]->has_arrived)
			may(events, CONTENT, number, i);
}

static void list_events(struct world *world, struct events *events)
{
	events->count = 0;
	for (size_t i = 0; i < (size_t)world->ranks; i++)
		may_on_rank(world, events, i);
	for (size_t i = 0; i < world->active_count; i++)
		if (!net_is_behind_head(world, world->lanes[world->active[i]].first))
			may(events, ARRIVAL, i, 0);
	for (size_t i = 0; i < world->completing_count; i++)
		may(events, COMPLETION, i, 0);
	if (world->leaps_left > 0 && events->count > 0)
		may(events, LEAP, 0, 0);
}

/* A rank that waits, and whose look has changed something, looks again. awake: whether it does, known from an order that began in the same way, or to be found out. */
static void call(struct rank *rank, bool known, uint8_t *awake)
{
	uint64_t before = known ? 0 : print_rank(rank);
	world_resume(rank, 0);
	if (!known)
		*awake = rank->resting && print_rank(rank) != before;
	if (*awake)
		rank->resting = false;
}

static void happen(struct world *world, const struct event *event, bool known, uint8_t *awake)
{
	struct rank *rank = event->what == ARRIVAL || event->what == COMPLETION || event->what == LEAP ? NULL : world->rank[event->at];
	switch (event->what) {
	case CALL:
		call(rank, known, awake);
		return;
	case ARRIVAL:
		net_deliver_from(world, event->at);
		return;
	case COMPLETION:
		net_complete_at(world, event->at);
		return;
	case LEAP:
		world->leaps_left--;
		world->now_ns += LEAP_NS;
		wake_all(world);
		return;
	case BREAK:
		world->breaks_left--;
		rank->broken = true;
		return;
	case BARRIER:
		rank->barrier_here = true;
		break;
	case VERDICT:
		rank->verdict_here = true;
		break;
	case IMAGE:
		rank->image_at = world->now_ns;
		break;
	case MANIFEST:
		rank->publish_at = world->now_ns;
		break;
	case CONTENT:
		rank->inbox[event->in]->has_arrived = true;
		break;
	}
	wake(rank);
}

/* --- one order ------------------------------------------------------------------------------------------------------- */

struct search {
	const struct small_world *small;
	int asker;
	struct options options;
	struct met met;
	uint64_t orders, ends, commits, voids, in_flight;
	uint8_t *chosen, *of;       /* by depth: the choice, and of how many */
	size_t depth;               /* of choices made before this order */
	size_t *step;               /* by depth: the number of the event that was chosen */
	uint8_t *awake;             /* by number of event */
};

static struct world *begin(struct search *search, bool trace)
{
	const struct small_world *small = search->small;
	struct world *world = world_make(&search->options, 1, NULL, trace);
	world->explored = world->calm = true;
	world->late = small->late;
	world->scanning = small->scanning;
	world->drain_ns = small->draining ? -1 : INT64_MAX;
	world->requests_left = 0;
	world->every_ns = world->every_steps = 0;
	world->rank[search->asker]->want_request = true;
	world->overtaking = small->overtaking;
	world->breaks_left = small->breaks;
	world->leaps_left = small->leaps;
	return world;
}

/* Time is all that is left. */
static void let_time_go(struct world *world, int *still)
{
	if (++*still > STILL_MOST)
		fail(world, "nothing can happen any more, and the world has not ended");
	world->now_ns += 1000000;
	wake_all(world);
}

/* From each commit the program goes on to a right end. */
static void go_on(struct search *search, struct world *world)
{
	world_check_end(world);
	search->ends++;
	for (size_t i = 0; i < world->epoch_count; i++) {
		const struct epoch *epoch = world->epochs[i];
		search->voids += epoch && !epoch->committed;
		if (!epoch || !epoch->committed)
			continue;
		search->commits++;
		search->in_flight += epoch->sum.messages != 0;
		struct world *next = world_make(&search->options, 2, world, world->tracing);
		next->requests_left = 0;
		next->every_ns = next->every_steps = 0;
		for (int j = 0; j < next->ranks; j++)
			world_restore(next->rank[j], &epoch->cuts[j]);
		world_live(next);
		world_free(next);
	}
}

/* Follows the choices that were made, and then takes the first ones, to the end or to a state that was met. trace: to the end. */
static void follow(struct search *search, bool trace)
{
	results->depth = search->depth;
	struct world *world = begin(search, trace);
	struct events events;
	int still = 0;
	size_t depth = 0, step = 0, known = search->depth ? search->step[search->depth - 1] : 0;
	for (;; step++) {
		list_events(world, &events);
		if (world->left_count == world->ranks) {
			go_on(search, world);
			break;
		}
		if (events.count == 0) {
			let_time_go(world, &still);
			step--;
			continue;
		}
		size_t chosen = 0;
		if (events.count > 1) {
			if (depth == DEPTH_MOST)
				fail(world, "an order of more than %d choices", DEPTH_MOST);
			if (depth == search->depth) {
				if (trace || !meet(&search->met, print_world(world) | 1))
					break;
				search->chosen[search->depth] = 0;
				search->step[search->depth] = step;
				search->of[search->depth++] = (uint8_t)events.count;
				results->depth = search->depth;
			}
			chosen = search->chosen[depth++];
		}
		if (step == STEPS_MOST)
			fail(world, "an order of more than %d events", STEPS_MOST);
		happen(world, &events.list[chosen], step < known, &search->awake[step]);
	}
	search->orders++;
	world_free(world);
}

/* --- all orders ------------------------------------------------------------------------------------------------------ */

/* The next choice that has not been made; false: there is none. */
static bool next_order(struct search *search)
{
	while (search->depth > 0) {
		size_t last = search->depth - 1;
		if (++search->chosen[last] < search->of[last])
			return true;
		search->depth--;
	}
	return false;
}

static bool set_up(struct search *search, const struct small_world *small, int asker)
{
	*search = (struct search){.small = small, .asker = asker};
	options_unset(&search->options);
	for (int i = 0; i < option_count; i++)
		*option_at(&search->options, &option_rows[i]) = option_rows[i].calm;
	search->options.busy = !small->everywhere;
	search->options.ranks = small->ranks;
	search->options.length = small->length;
	search->options.overtaking = small->overtaking;
	search->options.leap = small->leaps > 0;
	search->chosen = results->chosen;
	search->of = calloc(DEPTH_MOST, 1);
	search->step = calloc(DEPTH_MOST, sizeof *search->step);
	search->awake = calloc(STEPS_MOST, 1);
	return search->of && search->step && search->awake && options_set(&search->options, "program", small->program);
}

static void explore_here(const struct small_world *small, int asker, uint64_t states_most)
{
	struct search search;
	if (!set_up(&search, small, asker))
		_exit(2);
	bool all = true;
	do {
		follow(&search, false);
		all = search.met.count < states_most;
	} while (all && next_order(&search));
	printf("%-20s rank %d asks: %9zu states, %9" PRIu64 " orders, %7" PRIu64 " ends, %7" PRIu64 " commits (%" PRIu64
	       " with messages in flight), %7" PRIu64 " voids%s\n", small->name, asker, search.met.count, search.orders, search.ends,
	       search.commits, search.in_flight, search.voids, all ? "" : ": NOT ALL");
	fflush(stdout);
	_exit(0);
}

static void show(const struct small_world *small, int asker)
{
	struct search search;
	if (!set_up(&search, small, asker))
		_exit(2);
	search.depth = results->depth;
	search.step[search.depth ? search.depth - 1 : 0] = 0; /* nothing is known */
	follow(&search, true);
	_exit(0);
}

/* In a process of its own. */
static int apart(const struct small_world *small, int asker, uint64_t states_most, bool trace)
{
	int status = 0;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would read what it finds */
		if (trace)
			show(small, asker);
		explore_here(small, asker, states_most);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

bool explore(uint64_t states_most, const char *only)
{
	bool any = false;
	for (int i = 0; i < SMALL_WORLDS; i++) {
		const struct small_world *small = &small_worlds[i];
		if (strcmp(only, "all") != 0 && strcmp(only, small->name) != 0)
			continue;
		for (int asker = 0; asker < small->ranks; asker++) {
			any = true;
			results->depth = 0;
			int status = apart(small, asker, states_most, false);
			if (status != 0) {
				printf("FAILED: %s, rank %d asks: %s\n", small->name, asker, results->text);
				apart(small, asker, states_most, true);
				return false;
			}
		}
	}
	return any;
}
