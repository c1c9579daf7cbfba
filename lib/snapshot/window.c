/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/window.h"

#include <stdlib.h>

void window_clear(struct window *window)
{
	window->count = 0;
	window->open = 0;
	window->failed = false;
	index_clear(&window->index);
}

void window_free(struct window *window)
{
	free(window->streams);
	index_free(&window->index);
	*window = (struct window){0};
}

static uint64_t key_of(const void *list, size_t item)
{
	return ((const struct window_stream *)list)[item].key;
}

static uint32_t *place_of(const struct window *window, uint64_t key)
{
	return index_at(&window->index, key, key_of, window->streams);
}

struct window_stream *window_find(const struct window *window, uint64_t key)
{
	if (window->count == 0)
		return NULL;
	uint32_t place = *place_of(window, key);
	return place ? &window->streams[place - 1] : NULL;
}

static bool grow(struct window *window)
{
	size_t room = index_next_room(&window->index);
	struct window_stream *streams = realloc(window->streams, room * sizeof *streams);
	if (streams)
		window->streams = streams;
	if (!streams || !index_grow(&window->index, key_of, window->streams, window->count))
		return false;
	window->room = room;
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
	*place_of(window, key) = (uint32_t)window->count;
	return stream;
}
