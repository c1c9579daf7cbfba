/* SPDX-License-Identifier: BSD-3-Clause */
/* Before the cut: by which way each region is taken, and the memory that this needs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "state/inside.h"

/* Below, asking the kernel takes as long as the copy. */
#define WORTH_WATCHING ((size_t)256 << 10)
#define FORK_PAUSE 16
enum { FIRST_PAUSE = 4, LONGEST_PAUSE = 64 };
/* What is believed of copying before it was measured, in ns per byte. */
#define COPY_NS 0.1

/* --- the tools ----------------------------------------------------------------------------------------------------------- */

static bool may_watch(const struct state *state)
{
	return state->config.way == STATE_AUTO || state->config.way == STATE_CHANGES;
}

static void open_pages(struct state *state)
{
	const char *why = "no memory";

	state->ranges = malloc(STATE_RANGES * sizeof *state->ranges);
	if (state->ranges)
		state->pages = pages_open(&why);
	if (!state->pages)
		log_say(state->config.way == STATE_CHANGES ? LOG_NOTICE : LOG_INFO, "the state is copied whole at each checkpoint: %s", why);
	else
		log_say(LOG_DEBUG, "a first write to a page that is watched takes %.1f us here", pages_fault_ns(state->pages) / 1e3);
}

static bool has_large(const struct state *state)
{
	for (size_t i = 0; i < state->count; i++)
		if (!state->regions[i]->save && state->regions[i]->bytes >= WORTH_WATCHING)
			return true;
	return false;
}

static void open_tools(struct state *state)
{
	if (!state->mover)
		state->mover = mover_new(state->config.helpers, state->config.place, state->config.context);
	if (state->opened || !may_watch(state) || !has_large(state))
		return;
	state->opened = true;
	state->copy_ns = COPY_NS;
	open_pages(state);
}

/* --- auto: whole, or what has changed? ---------------------------------------------------------------------------------- */

/* What a page costs the program: by its first write, which takes half as long again where pages are scattered as when it was measured, and by the finding and
 * copying of single pages, which is slower than that of all. */
static bool is_worth_watching(const struct state *state, double share, bool now)
{
	double page = 4096 * state->copy_ns;
	double changes = share * (1.5 * pages_fault_ns(state->pages) + 1.5 * page);

	return changes < page * (now ? 1.1 : 0.9);
}

static void size_text(char text[32], uint64_t bytes)
{
	if (bytes >> 30)
		snprintf(text, 32, "%.1f GiB", (double)bytes / (double)(1 << 30));
	else
		snprintf(text, 32, "%.1f MiB", (double)bytes / (1 << 20));
}

/* share: of the region, that had changed since the capture before; negative: it is not known. */
void choose_after(struct state *state, struct region *region, double share)
{
	char size[32];

	if (state->config.way != STATE_AUTO || share < 0 || !state->pages || region->way != WAY_CHANGES)
		return;
	size_text(size, region->bytes);
	if (is_worth_watching(state, share, region->told && !region->whole)) {
		if (region->whole || !region->told)
			log_say(LOG_INFO, "region '%s' (%s): what has changed is copied, as that was %.1f %% of it", region->name, size,
				100 * share);
		region->whole = false;
		region->pause = 0;
	} else {
		if (!region->whole || !region->told)
			log_say(LOG_INFO, "region '%s' (%s): all of it is copied, as %.0f %% of it had changed", region->name, size, 100 * share);
		region->whole = true;
		region->pause = !region->pause ? FIRST_PAUSE : region->pause < LONGEST_PAUSE ? 2 * region->pause : LONGEST_PAUSE;
		region->try_at = state->captures + region->pause;
	}
	region->told = true;
}

/* --- which way -------------------------------------------------------------------------------------------------------------- */

static bool is_same(const struct known *known, const struct region *region)
{
	return known->data == region->data && known->bytes == region->bytes && known->bytes;
}

/* By changes or whole, when there is memory for it. */
static enum way staged_way(const struct state *state, const struct region *region)
{
	if (!may_watch(state) || !state->pages || state->drifted || region->bytes < WORTH_WATCHING || is_same(&region->unwatchable, region))
		return WAY_COPY;
	return region->whole && state->captures < region->try_at ? WAY_COPY : WAY_CHANGES;
}

static bool can_fork(const struct state *state)
{
	return (state->config.way == STATE_AUTO || state->config.way == STATE_FORK) && state->captures >= state->no_fork_until;
}

/* Without staging memory. */
static enum way cheaper_way(const struct state *state, const struct region *region)
{
	return can_fork(state) && !is_same(&region->unforkable, region) ? WAY_FORK : WAY_HELD;
}

static uint64_t memory_for(const struct state *state)
{
	uint64_t left = limits_memory("").left, own = state_staging_left(state);

	return left < own ? left : own;
}

/* Gives what the small regions need. `missing`: what memory could not be had for. */
static size_t choose_ways(struct state *state, uint64_t *missing)
{
	uint64_t left = memory_for(state);
	size_t packed = 0, large = 0;

	for (size_t i = 0; i < state->count; i++) {
		struct region *region = state->regions[i];
		bool own = region->bytes >= STATE_LARGE && large < STATE_LARGE_MOST;
		uint64_t more = region->staging && region->staging->memory.size >= region->bytes ? 0 : region->bytes;

		region->way = WAY_NONE;
		if (region->save || !region->bytes)
			continue;
		large += own;
		if (state->config.way == STATE_HOLD) {
			region->way = WAY_HELD;
		} else if (!own) {
			region->way = WAY_PACKED;
			packed = copy_place(packed, region->bytes) + region->bytes;
		} else if (state->config.way == STATE_FORK && cheaper_way(state, region) == WAY_FORK) {
			region->way = WAY_FORK;
		} else if (more <= left) {
			region->way = staged_way(state, region);
			left -= more;
		} else {
			region->way = cheaper_way(state, region);
			*missing += region->bytes;
		}
	}
	return packed;
}

static void take_stagings(struct state *state, uint64_t *missing)
{
	for (size_t i = 0; i < state->count; i++) {
		struct region *region = state->regions[i];
		bool staged = region->way == WAY_COPY || region->way == WAY_CHANGES;

		if (!staged || !staging_take(state, region)) {
			staging_retire(state, region);
			if (staged) {
				region->way = cheaper_way(state, region);
				*missing += region->bytes;
			}
		}
	}
}

static void change_ways(struct state *state, enum way from, enum way to)
{
	for (size_t i = 0; i < state->count; i++)
		if (state->regions[i]->way == from)
			state->regions[i]->way = to;
}

/* One region that is not taken holds the program, and then a copy of the others is for nothing. */
static bool hold_all(struct state *state)
{
	bool any = false;

	for (size_t i = 0; i < state->count && !any; i++)
		any = state->regions[i]->way == WAY_HELD;
	for (size_t i = 0; any && i < state->count; i++)
		if (state->regions[i]->way != WAY_NONE) {
			state->regions[i]->way = WAY_HELD;
			staging_retire(state, state->regions[i]);
		}
	return any;
}

static void tell(struct state *state, uint64_t missing, bool held)
{
	struct limits_memory memory = limits_memory("");
	double needed = (double)missing / 1048576, left = (double)memory.left / 1048576, whole = (double)memory.whole / 1048576;
	char bound[400] = "";
	bool *told = held ? &state->told : &state->told_fork;

	if (!missing || *told)
		return;
	if (state->config.memory != UINT64_MAX)
		snprintf(bound, sizeof bound, ", SEAMARK_MEMORY allows %.1f MiB", (double)state->config.memory / 1048576);
	*told = true;
	if (held)
		log_say(LOG_NOTICE,
			"no memory for a copy of the state: %.1f MiB needed, %.1f MiB of %.1f MiB free%s; until there is, the program is held while "
			"its checkpoints are written: fewer ranks on a node%s would avoid it",
			needed, left, whole, bound, bound[0] ? " or more of SEAMARK_MEMORY" :
			state->config.way == STATE_AUTO ? "" : " or SEAMARK_CAPTURE=auto");
	else
		log_say(LOG_NOTICE, "no memory for a copy of the state: %.1f MiB needed, %.1f MiB of %.1f MiB free%s; a child process holds it while it is written",
			needed, left, whole, bound);
}

/* The child of the last capture, when nobody reads it any more. */
void choose_end_child(struct state *state)
{
	if (!state->child)
		return;
	if (!state->child_ended)
		child_end(state->child);
	state->child_ended = true;
	if (child_free(state->child, false)) {
		state->child = NULL;
		state->child_ended = false;
	}
}

void state_prepare(struct state *state)
{
	uint64_t missing = 0;
	size_t packed;
	bool held;

	if (state->prepared || state->busy)
		return;
	regions_close_up(state);
	regions_drop_old(state, false);
	staging_drop_old(state, false);
	if (!state->live)
		choose_end_child(state);
	open_tools(state);
	packed = choose_ways(state, &missing);
	if (!copy_prepare(state, packed)) {
		change_ways(state, WAY_PACKED, can_fork(state) ? WAY_FORK : WAY_HELD);
		missing += packed;
	}
	take_stagings(state, &missing);
	held = hold_all(state);
	tell(state, missing, held);
	if (!held && !missing)
		state->told = state->told_fork = false;
	if (state->pages)
		staging_watch(state);
	staging_drop_old(state, false);
	state->prepared = true;
}
