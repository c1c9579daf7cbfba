/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/window.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BITS = 6 };

void window_clear(struct window *window)
{
	window->count = 0;
	window->open = 0;
	window->failed = false;
	if (window->index)
		memset(window->index, 0, sizeof *window->index << (64 - window->shift));
}

void window_free(struct window *window)
{
	free(window->streams);
	free(window->index);
	*window = (struct window){0};
}

static size_t place_of(const struct window *window, uint64_t key)
{
	size_t mask = ((size_t)1 << (64 - window->shift)) - 1;
	size_t at = (key * UINT64_C(0x9E3779B97F4A7C15)) >> window->shift;
	while (window->index[at] != 0 && window->streams[window->index[at] - 1].key != key)
		at = (at + 1) & mask;
	return at;
}

struct window_stream *window_find(const struct window *window, uint64_t key)
{
	if (window->count == 0)
		return NULL;
	uint32_t place = window->index[place_of(window, key)];
	return place ? &window->streams[place - 1] : NULL;
}

/* Twice as much room, the index half full at most. */
static bool grow(struct window *window)
{
	unsigned bits = window->index ? 64 - window->shift + 1 : FIRST_BITS;
	size_t room = (size_t)1 << (bits - 1);
	struct window_stream *streams = realloc(window->streams, room * sizeof *streams);
	if (streams)
		window->streams = streams;
	uint32_t *index = calloc((size_t)1 << bits, sizeof *index);
	if (!streams || !index) {
		free(index);
		return false;
	}
	free(window->index);
	window->index = index;
	window->shift = 64 - bits;
	window->room = room;
	for (size_t i = 0; i < window->count; i++)
		index[place_of(window, window->streams[i].key)] = (uint32_t)i + 1;
	return true;
}

struct window_stream *window_stream(struct window *window, uint64_t key, bool *made)
{
	struct window_stream *stream = window_find(window, key);
	*made = !stream;
	if (stream)
		return stream;
	if (window->count == window->room && !grow(window)) {
		window->failed = true;
		return NULL;
	}
	stream = &window->streams[window->count++];
	*stream = (struct window_stream){.key = key, .synchronous = INT64_MIN, .highest = INT64_MIN, .next = -1};
	window->index[place_of(window, key)] = (uint32_t)window->count;
	return stream;
}
