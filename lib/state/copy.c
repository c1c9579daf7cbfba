/* SPDX-License-Identifier: BSD-3-Clause */
/* The copy of the state. All that takes time beside the copying itself (looking for memory, mapping, touching) is done in
 * state_prepare. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/limits.h"
#include "base/log.h"
#include "state/inside.h"

#define CACHE_LINE 64
#define PAGE 4096
#define LARGE (64 << 10)

/* Where a region lies: large ones on pages, for the sake of direct writing. */
static size_t copy_place(size_t offset, size_t bytes)
{
	size_t edge = bytes >= LARGE ? PAGE : CACHE_LINE;

	return (offset + edge - 1) / edge * edge;
}

/* --- making ready -------------------------------------------------------------------------------------------------- */

static void free_copy(struct copy *copy)
{
	memory_give_back(&copy->blocks);
	memory_give_back(&copy->saved);
	free(copy->captured);
	free(copy->names);
	*copy = (struct copy){ 0 };
}

void copies_free(struct state *state)
{
	free_copy(&state->copies[0]);
	free_copy(&state->copies[1]);
}

static size_t bytes_of_blocks(const struct state *state)
{
	size_t end = 0;

	for (size_t i = 0; i < state->count; i++)
		end = copy_place(end, state->regions[i]->bytes) + state->regions[i]->bytes;
	return end;
}

static bool has_callbacks(const struct state *state)
{
	for (size_t i = 0; i < state->count; i++)
		if (state->regions[i]->save)
			return true;
	return false;
}

/* The memory of the last capture is the one to use again, if it fits: it is overwritten only by the next. */
static struct copy *choose_copy(struct state *state, size_t bytes)
{
	struct copy *copies = state->copies, *live = state->live;

	if (!live)
		return &copies[copies[1].blocks.size > copies[0].blocks.size];
	if (live->room >= state->count && live->blocks.size >= bytes)
		return live;
	return live == copies ? copies + 1 : copies;
}

static bool make_list(struct copy *copy, size_t count)
{
	size_t room = count + count / 4 + 16;

	if (copy->room >= count && copy->captured)
		return true;
	free(copy->captured);
	free(copy->names);
	copy->captured = calloc(room, sizeof *copy->captured);
	copy->names = calloc(room, sizeof *copy->names);
	copy->room = copy->captured && copy->names ? room : 0;
	return copy->room != 0;
}

/* A state that grows will grow again. */
static bool make_blocks(struct copy *copy, size_t bytes)
{
	size_t more = copy->blocks.size + copy->blocks.size / 4;

	if (bytes <= copy->blocks.size)
		return true;
	return (more > bytes && memory_take(&copy->blocks, more)) || memory_take(&copy->blocks, bytes);
}

static void tell_once(struct state *state, size_t bytes)
{
	struct limits_memory memory;

	if (state->told)
		return;
	state->told = true;
	memory = limits_memory("");
	log_say(LOG_NOTICE,
		"no memory for a copy of the state: %.1f MiB needed, %.1f MiB of %.1f MiB free; until there is, the program is "
		"held while its checkpoints are written",
		(double)bytes / 1048576, (double)memory.left / 1048576, (double)memory.whole / 1048576);
}

void state_prepare(struct state *state)
{
	struct copy *copy, *other;
	size_t bytes;

	if (state->prepared || state->busy)
		return;
	bytes = bytes_of_blocks(state);
	copy = choose_copy(state, bytes);
	other = copy == state->copies ? state->copies + 1 : state->copies;
	if (other != state->live)
		free_copy(other);
	if (copy != state->live && copy->blocks.size / 2 > bytes)
		memory_shrink(&copy->blocks, bytes);
	state->copied = make_list(copy, state->count) && make_blocks(copy, bytes);
	if (state->copied)
		state->told = false;
	else
		tell_once(state, bytes);
	/* Its pages are there from the last time, or it is small, or it is new and is touched here. */
	if (copy != state->live && has_callbacks(state))
		memory_take(&copy->saved, state->saved_bytes);
	state->ready = copy;
	state->prepared = true;
}

/* --- the cut ------------------------------------------------------------------------------------------------------- */

static int save_region(struct state *state, struct region *region, struct state_captured *captured, struct fault *fault)
{
	seamark_writer *writer = &state->writer;
	size_t before = writer->size;
	int result;

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

static int capture_regions(struct state *state, struct copy *copy, struct fault *fault)
{
	size_t place = 0;
	int result = 0;

	state->writer = (seamark_writer){ .to = &copy->saved };
	for (size_t i = 0; i < state->count && !result; i++) {
		struct region *region = state->regions[i];
		struct state_captured *captured = &copy->captured[i];

		strcpy(copy->names[i], region->name);
		*captured = (struct state_captured){ copy->names[i], region->data, region->bytes, region->shape };
		if (region->save) {
			result = save_region(state, region, captured, fault);
		} else if (state->copied && region->bytes) {
			place = copy_place(place, region->bytes);
			captured->data = memcpy(copy->blocks.data + place, region->data, region->bytes);
			place += region->bytes;
		}
		crash_point("region-captured");
	}
	return result;
}

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
	}
}

int state_capture(struct state *state, struct state_capture *capture, struct fault *fault)
{
	struct copy *copy;
	int result;

	*capture = (struct state_capture){ 0 };
	if (state->busy)
		return fault_set(fault, SEAMARK_E_ORDER, "the state cannot be captured inside a save or load callback");
	state_prepare(state);
	copy = state->ready;
	state->prepared = false; /* there is something to give back, or to look for, afterwards */
	state->live = NULL;
	if (copy->room < state->count || !copy->captured)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a list of %zu regions", state->count);
	result = capture_regions(state, copy, fault);
	if (result)
		return result;
	capture->regions = copy->captured;
	capture->count = state->count;
	capture->copied = state->copied;
	place_saved(state, copy, capture);
	state->saved_bytes = state->writer.size;
	state->live = copy;
	return 0;
}

void state_capture_done(struct state *state)
{
	state->live = NULL;
	state->prepared = false;
}
