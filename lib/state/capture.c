/* SPDX-License-Identifier: BSD-3-Clause */
/* The cut. */
#include <stdlib.h>
#include <time.h>

#include "base/crash.h"
#include "base/log.h"
#include "state/inside.h"

#define ENOUGH_TO_MEASURE ((uint64_t)4 << 20)

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int save_region(struct state *state, struct region *region, struct state_captured *captured, struct fault *fault)
{
	seamark_writer *writer = &state->writer;
	size_t before = writer->size;
	int result;

	/* A callback may change what was taken before it. */
	mover_flush(state->mover);
	writer->open = true;
	state->busy = true;
	result = region->save(writer, region->context);
	state->busy = false;
	writer->open = false;
	if (writer->failed)
		return fault_set(fault, SEAMARK_E_MEMORY, "region '%s': no memory for what its save callback writes", region->name);
	if (result)
		return fault_set(fault, SEAMARK_E_REGION, "region '%s': its save callback failed with %d", region->name, result);
	captured->bytes = writer->size - before;
	return 0;
}

static int read_child(void *context, const void *data, void *to, uint64_t bytes, struct fault *fault)
{
	return child_read(context, data, to, bytes, fault);
}

static void take_region(struct state *state, struct region *region, struct state_captured *captured, size_t *place)
{
	switch (region->way) {
	case WAY_PACKED:
		*place = copy_place(*place, region->bytes);
		mover_add(state->mover, state->ready->blocks.data + *place, region->data, region->bytes);
		captured->data = state->ready->blocks.data + *place;
		*place += region->bytes;
		break;
	case WAY_COPY:
	case WAY_CHANGES:
		staging_refresh(state, region);
		captured->data = region->staging->memory.data;
		captured->changed = region->staging->changed;
		break;
	case WAY_NONE:
	case WAY_FORK:
	case WAY_HELD:
		break;
	}
}

static int capture_regions(struct state *state, struct copy *copy, struct fault *fault)
{
	size_t place = 0;
	int result = 0;

	state->writer = (seamark_writer){ .to = &copy->saved };
	for (size_t i = 0; i < state->count && !result; i++) {
		struct region *region = state->regions[i];
		struct state_captured *captured = &copy->captured[i];

		*captured = (struct state_captured){ .name = region->name, .data = region->data, .bytes = region->bytes,
						       .shape = region->shape };
		if (region->save)
			result = save_region(state, region, captured, fault);
		else
			take_region(state, region, captured, &place);
		crash_point("region-captured");
	}
	mover_flush(state->mover);
	return result;
}

/* What is copied whole tells how fast copying is. */
static uint64_t bytes_copied_whole(const struct state *state)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < state->count; i++)
		if (state->regions[i]->way == WAY_COPY || (state->regions[i]->way == WAY_CHANGES && state->regions[i]->share < 0))
			bytes += state->regions[i]->bytes;
		else if (state->regions[i]->way != WAY_NONE)
			return 0;
	return bytes;
}

static void look_back(struct state *state, double took_ns)
{
	uint64_t whole = bytes_copied_whole(state);
	bool good = true;

	if (whole >= ENOUGH_TO_MEASURE)
		state->copy_ns = state->copy_ns ? 0.5 * state->copy_ns + 0.5 * took_ns / (double)whole : took_ns / (double)whole;
	for (size_t i = 0; i < state->count && good; i++)
		if (state->regions[i]->way == WAY_CHANGES)
			good = staging_check(state, state->regions[i]);
	/* If one region was not watched well, none was. */
	for (size_t i = 0; i < state->count; i++) {
		if (!good && state->regions[i]->way == WAY_CHANGES) {
			state->regions[i]->staging->data = NULL;
			staging_refresh(state, state->regions[i]);
		}
		choose_after(state, state->regions[i], state->regions[i]->share);
	}
	mover_flush(state->mover);
}

/* Pages that devices hold may be written to without a fault. */
static void distrust_held_pages(struct state *state)
{
	if (!state->pages || state->drifted || !pages_are_held(state->pages))
		return;
	state->drifted = true;
	log_say(LOG_INFO, "the state is copied whole at each checkpoint: pages of this process are registered with a device, or may be shared by xpmem, and then "
			  "the kernel does not notice every change");
	for (size_t i = 0; i < state->count; i++)
		if (state->regions[i]->way == WAY_CHANGES) {
			state->regions[i]->way = WAY_COPY;
			staging_leave(state, state->regions[i]->staging);
		}
}

/* --- the child ----------------------------------------------------------------------------------------------------------------- */

static bool any_forked(const struct state *state)
{
	for (size_t i = 0; i < state->count; i++)
		if (state->regions[i]->way == WAY_FORK)
			return true;
	return false;
}

static bool child_has(const struct maps *maps, const struct region *region)
{
	uintptr_t from = (uintptr_t)region->data;

	return maps_cover(maps, from, from + region->bytes, maps_private);
}

static void hold(struct region *region, struct state_capture *capture)
{
	region->unforkable = (struct known){ region->data, region->bytes };
	capture->copied = false;
	log_say(LOG_NOTICE, "region '%s' is shared with others, or not inherited by a child process: the program is held while it is written", region->name);
}

static void fork_regions(struct state *state, struct copy *copy, struct state_capture *capture)
{
	struct fault fault = FAULT_NONE;
	struct maps maps = { 0 };

	state->child = child_make(&fault);
	if (!state->child) {
		capture->copied = false;
		state->no_fork_until = state->captures + 16;
		log_say(LOG_NOTICE, "%s: the program is held while its checkpoint is written", fault.text);
		return;
	}
	if (!child_maps(state->child, &maps))
		log_say(LOG_DEBUG, "the mappings of the child process that holds the state cannot be read");
	for (size_t i = 0; i < state->count; i++) {
		struct region *region = state->regions[i];

		if (region->way != WAY_FORK)
			continue;
		if (child_has(&maps, region)) {
			copy->captured[i].read = read_child;
			copy->captured[i].context = state->child;
		} else {
			hold(region, capture);
		}
	}
	maps_free(&maps);
}

static void end_last_child(struct state *state)
{
	if (!state->child)
		return;
	if (child_found_wiped(state->child))
		state->no_fork_until = UINT64_MAX;
	child_free(state->child, true);
	state->child = NULL;
	state->child_ended = false;
}

/* --- all of it ------------------------------------------------------------------------------------------------------------------- */

/* Streamed bytes moved as they grew; now they stay. */
static void place_saved(const struct state *state, struct copy *copy, struct state_capture *capture)
{
	size_t at = 0;

	for (size_t i = 0; i < state->count; i++) {
		if (state->regions[i]->save && copy->captured[i].bytes) {
			copy->captured[i].data = copy->saved.data + at;
			at += copy->captured[i].bytes;
		}
		capture->bytes += copy->captured[i].bytes;
		capture->copied &= state->regions[i]->way != WAY_HELD;
	}
}

static int capture_all(struct state *state, struct copy *copy, struct state_capture *capture, struct fault *fault)
{
	double began = now_ns();
	int result;

	state->captures++;
	distrust_held_pages(state);
	result = capture_regions(state, copy, fault);
	if (result)
		return result;
	look_back(state, now_ns() - began);
	*capture = (struct state_capture){ .regions = copy->captured, .count = state->count, .copied = true, .number = state->captures };
	place_saved(state, copy, capture);
	if (any_forked(state))
		fork_regions(state, copy, capture);
	return 0;
}

int state_capture(struct state *state, struct state_capture *capture, struct fault *fault)
{
	struct copy *copy;
	int result;

	*capture = (struct state_capture){ 0 };
	if (state->busy)
		return fault_set(fault, SEAMARK_E_ORDER, "the state cannot be captured inside a save or load callback");
	end_last_child(state);
	state_prepare(state);
	copy = state->ready;
	state->prepared = false; /* there is something to give back, or to look for, afterwards */
	state->live = NULL;
	if (!state->mover || copy->room < state->count || !copy->captured)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a list of %zu regions", state->count);
	result = capture_all(state, copy, capture, fault);
	if (result)
		return result;
	state->saved_bytes = state->writer.size;
	state->live = copy;
	return 0;
}

void state_capture_done(struct state *state)
{
	state->live = NULL;
	state->prepared = false;
	choose_end_child(state);
}
