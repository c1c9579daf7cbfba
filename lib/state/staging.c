/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory in which a large region's copy stays from one capture to the next, so that only what has changed need be copied to it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mix.h"
#include "state/inside.h"

#define BLOCK ((size_t)STATE_BLOCK)
#define PAGES_PER_CHECK 2048

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* --- taking and giving back ------------------------------------------------------------------------------------------- */

static void free_staging(struct state *state, struct staging *staging)
{
	state->staged -= staging->memory.size;
	memory_give_back(&staging->memory);
	free(staging->changed);
	free(staging);
}

void staging_leave(struct state *state, struct staging *staging)
{
	if (staging->from < staging->to)
		pages_leave(state->pages, staging->from, staging->to);
	staging->from = staging->to = 0;
	staging->protected = false;
}

void staging_retire(struct state *state, struct region *region)
{
	struct staging *staging = region->staging;

	region->staging = NULL;
	if (!staging)
		return;
	staging_leave(state, staging);
	staging->last_capture = state->captures;
	staging->next = state->old_stagings;
	state->old_stagings = staging;
}

/* What the last capture gave is still read, or may be. */
void staging_drop_old(struct state *state, bool all)
{
	struct staging **at = &state->old_stagings;

	while (*at) {
		struct staging *staging = *at;

		if (all || !state->live || staging->last_capture < state->captures) {
			*at = staging->next;
			free_staging(state, staging);
		} else {
			at = &staging->next;
		}
	}
}

static struct staging *new_staging(struct state *state, size_t bytes)
{
	struct staging *staging = calloc(1, sizeof *staging);

	if (staging)
		staging->changed = calloc((bytes + BLOCK - 1) / BLOCK, sizeof *staging->changed);
	if (staging && staging->changed && memory_take(&staging->memory, bytes)) {
		state->staged += staging->memory.size;
		return staging;
	}
	if (staging)
		free(staging->changed);
	free(staging);
	return NULL;
}

bool staging_take(struct state *state, struct region *region)
{
	struct staging *staging = region->staging;
	size_t had = staging ? staging->memory.size : 0;

	/* A region that grew, or shrank to less than half. A little less stays where it is. */
	if (staging && (had < region->bytes || had / 2 > region->bytes + page_size()))
		staging_retire(state, region);
	if (!region->staging)
		region->staging = new_staging(state, region->bytes);
	return region->staging != NULL;
}

/* --- watching ----------------------------------------------------------------------------------------------------------- */

/* Whole pages of the region only: what shares a page with it is another's. */
static void pages_of(const struct region *region, uintptr_t *from, uintptr_t *to)
{
	uintptr_t page = page_size(), end = (uintptr_t)region->data + region->bytes;

	*from = ((uintptr_t)region->data + page - 1) / page * page;
	*to = end / page * page;
	if (*to <= *from)
		*from = *to = 0;
}

static bool is_watched(const struct region *region)
{
	uintptr_t from, to;

	pages_of(region, &from, &to);
	return from < to && region->staging && region->staging->from == from && region->staging->to == to;
}

static void cannot_watch(struct region *region)
{
	region->unwatchable = (struct known){ region->data, region->bytes };
	region->way = WAY_COPY;
}

static int by_place(const void *a, const void *b)
{
	uintptr_t left = (uintptr_t)(*(struct region *const *)a)->data, right = (uintptr_t)(*(struct region *const *)b)->data;

	return (left > right) - (left < right);
}

/* Two regions may share memory; what the kernel tells of a page it tells once. */
static void leave_overlapping(struct state *state, struct region **regions, size_t count)
{
	uintptr_t end = 0;

	qsort(regions, count, sizeof(struct region *), by_place);
	for (size_t i = 0; i < count; i++) {
		uintptr_t from, to;

		pages_of(regions[i], &from, &to);
		if (from < end) {
			staging_leave(state, regions[i]->staging);
			cannot_watch(regions[i]);
		}
		end = to > end ? to : end;
	}
}

static void watch_new(struct state *state, struct region **regions, size_t count)
{
	struct maps maps;

	if (!maps_read(&maps, getpid(), false))
		maps = (struct maps){ 0 };
	for (size_t i = 0; i < count; i++) {
		struct region *region = regions[i];
		uintptr_t from, to;

		if (region->way != WAY_CHANGES || is_watched(region))
			continue;
		pages_of(region, &from, &to);
		if (from < to && maps_cover(&maps, from, to, maps_plain) && pages_watch(state->pages, from, to)) {
			region->staging->from = from;
			region->staging->to = to;
		} else {
			cannot_watch(region);
			log_say(LOG_INFO, "region '%s' is copied whole: the kernel does not tell what was written to memory of this kind", region->name);
		}
	}
	maps_free(&maps);
}

/* First all that is not to be watched any more is left, then the rest is begun with. */
void staging_watch(struct state *state)
{
	struct region **regions = malloc((state->count + 1) * sizeof *regions);
	size_t count = 0, new = 0;

	for (size_t i = 0; i < state->count; i++) {
		struct region *region = state->regions[i];

		if (region->way != WAY_CHANGES) {
			if (region->staging)
				staging_leave(state, region->staging);
			continue;
		}
		if (!is_watched(region)) {
			staging_leave(state, region->staging);
			new++;
		}
		if (regions)
			regions[count++] = region;
		else
			region->way = WAY_COPY;
	}
	if (new && regions) {
		leave_overlapping(state, regions, count);
		watch_new(state, regions, count);
	}
	free(regions);
}

/* --- at the cut ----------------------------------------------------------------------------------------------------------- */

static void stamp(struct state *state, struct staging *staging, size_t from, size_t to)
{
	for (size_t block = from / BLOCK; block * BLOCK < to; block++)
		staging->changed[block] = state->captures;
}

static size_t copy_part(struct state *state, struct region *region, uintptr_t from, uintptr_t to)
{
	size_t at = from - (uintptr_t)region->data;

	if (from >= to)
		return 0;
	mover_add(state->mover, region->staging->memory.data + at, (const uint8_t *)region->data + at, to - from);
	stamp(state, region->staging, at, at + (to - from));
	return to - from;
}

static void copy_all(struct state *state, struct region *region)
{
	copy_part(state, region, (uintptr_t)region->data, (uintptr_t)region->data + region->bytes);
}

/* Parts of pages, which are not watched. */
static void copy_edge(struct state *state, struct region *region, uintptr_t from, uintptr_t to)
{
	if (from < to && memcmp(region->staging->memory.data + (from - (uintptr_t)region->data), (const void *)from, to - from))
		copy_part(state, region, from, to);
}

/* Gives how many bytes were written; negative: it is not known. `keep` copies them. */
static int64_t take_written(struct state *state, struct region *region, bool keep)
{
	struct staging *staging = region->staging;
	uintptr_t at = staging->from, start = (uintptr_t)region->data;
	int64_t bytes = 0;

	while (at < staging->to) {
		long count = pages_written(state->pages, &at, staging->to, state->ranges, STATE_RANGES);

		if (count < 0)
			return -1;
		for (long i = 0; keep && i < count; i++)
			bytes += (int64_t)copy_part(state, region, state->ranges[i].from, state->ranges[i].to);
	}
	if (keep) {
		copy_edge(state, region, start, staging->from);
		copy_edge(state, region, staging->to, start + region->bytes);
	}
	return bytes;
}

/* Pages are declared unwritten before they are copied: what is written to them from now on counts for the next time. */
void staging_refresh(struct state *state, struct region *region)
{
	struct staging *staging = region->staging;
	bool same = staging->data == region->data && staging->bytes == region->bytes;
	bool watched = region->way == WAY_CHANGES && is_watched(region);
	bool keep = same && watched && staging->protected;
	int64_t bytes = watched ? take_written(state, region, keep) : -1;

	staging->protected = watched && bytes >= 0;
	if (watched && bytes < 0)
		staging_leave(state, staging);
	if (!keep || bytes < 0)
		copy_all(state, region);
	if (keep && bytes >= 0)
		region->share = (double)bytes / (double)region->bytes;
	else
		region->share = staging->data && !same ? 1 : -1;
	staging->data = region->data;
	staging->bytes = region->bytes;
}

/* A few pages, others each time. */
static bool differs(struct state *state, const struct region *region, uintptr_t *where)
{
	const struct staging *staging = region->staging;
	size_t page = page_size(), pages = (staging->to - staging->from) / page;

	for (size_t i = 0; i < pages / PAGES_PER_CHECK + 1; i++) {
		size_t at = staging->from - (uintptr_t)region->data + (size_t)(mix64_pair(state->captures, i) % pages) * page;

		*where = (uintptr_t)region->data + at;
		if (memcmp(staging->memory.data + at, (const uint8_t *)region->data + at, page))
			return true;
	}
	return false;
}

/* What devices write to pages that they hold the kernel does not see. They are asked about, but something may hold them that does not say so. */
bool staging_check(struct state *state, struct region *region)
{
	struct staging *staging = region->staging;
	uintptr_t where, at;
	struct pages_range range;

	if (!staging->protected || !differs(state, region, &where))
		return true;
	/* Written since it was copied, by another thread or a message that arrives: not of this capture, and the next will find it. */
	at = where;
	if (pages_written(state->pages, &at, where + page_size(), &range, 1) == 1) {
		staging->protected = false;
		return true;
	}
	log_say(LOG_QUIET, "region '%s': memory has changed in a way that the kernel did not notice (a device?): all of it is copied from now on, "
			   "and earlier checkpoints of this start may lack such changes", region->name);
	copy_all(state, region);
	mover_flush(state->mover);
	state->drifted = true;
	return false;
}
