/* SPDX-License-Identifier: BSD-3-Clause */
/* The copies of small regions lie one behind the other. All that takes time beside the copying itself (looking for memory, mapping, touching) is done
 * before the cut. */
#include <stdlib.h>

#include "state/inside.h"

#define CACHE_LINE 64
#define PAGE 4096

/* Where a region lies: large ones on pages, for the sake of direct writing. */
size_t copy_place(size_t offset, size_t bytes)
{
	size_t edge = bytes >= STATE_LARGE ? PAGE : CACHE_LINE;

	return (offset + edge - 1) / edge * edge;
}

static void free_copy(struct copy *copy)
{
	memory_give_back(&copy->blocks);
	memory_give_back(&copy->saved);
	free(copy->captured);
	*copy = (struct copy){ 0 };
}

void copies_free(struct state *state)
{
	free_copy(&state->copies[0]);
	free_copy(&state->copies[1]);
}

size_t copy_bytes(const struct state *state)
{
	return state->copies[0].blocks.size + state->copies[0].saved.size + state->copies[1].blocks.size + state->copies[1].saved.size;
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
	copy->captured = calloc(room, sizeof *copy->captured);
	copy->room = copy->captured ? room : 0;
	return copy->room != 0;
}

/* A state that grows will grow again. */
static bool make_blocks(const struct state *state, struct copy *copy, size_t bytes)
{
	size_t more = copy->blocks.size + copy->blocks.size / 4;
	uint64_t left = state_staging_left(state) + copy->blocks.size;

	if (bytes <= copy->blocks.size)
		return true;
	if (bytes > left)
		return false;
	return (more > bytes && more <= left && memory_take(&copy->blocks, more)) || memory_take(&copy->blocks, bytes);
}

/* False: there is no memory for the blocks (and perhaps none for the list: its room is too small then). */
bool copy_prepare(struct state *state, size_t bytes)
{
	struct copy *copy = choose_copy(state, bytes);
	struct copy *other = copy == state->copies ? state->copies + 1 : state->copies;
	bool made;

	if (other != state->live)
		free_copy(other);
	if (copy != state->live && copy->blocks.size / 2 > bytes)
		memory_shrink(&copy->blocks, bytes);
	made = make_list(copy, state->count) && make_blocks(state, copy, bytes);
	/* Its pages are there from the last time, or it is small, or it is new and is touched here. */
	if (copy != state->live && has_callbacks(state))
		memory_take(&copy->saved, state->saved_bytes);
	state->ready = copy;
	return made;
}
