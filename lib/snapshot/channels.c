/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/channels.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BITS = 6 };

void channels_clear(struct channels *channels)
{
	channels->count = 0;
	channels->failed = false;
	if (channels->index)
		memset(channels->index, 0, sizeof *channels->index << (64 - channels->shift));
}

void channels_free(struct channels *channels)
{
	free(channels->list);
	free(channels->index);
	*channels = (struct channels){0};
}

static size_t place_of(const struct channels *channels, int32_t from)
{
	size_t mask = ((size_t)1 << (64 - channels->shift)) - 1;
	size_t at = ((uint64_t)from * UINT64_C(0x9E3779B97F4A7C15)) >> channels->shift;
	while (channels->index[at] != 0 && channels->list[channels->index[at] - 1].from != from)
		at = (at + 1) & mask;
	return at;
}

struct channel *channels_find(const struct channels *channels, int32_t from)
{
	if (channels->count == 0)
		return NULL;
	uint32_t place = channels->index[place_of(channels, from)];
	return place ? &channels->list[place - 1] : NULL;
}

/* Twice as much room, the index half full at most. */
static bool grow(struct channels *channels)
{
	unsigned bits = channels->index ? 64 - channels->shift + 1 : FIRST_BITS;
	size_t room = (size_t)1 << (bits - 1);
	struct channel *list = realloc(channels->list, room * sizeof *list);
	if (list)
		channels->list = list;
	uint32_t *index = calloc((size_t)1 << bits, sizeof *index);
	if (!list || !index) {
		free(index);
		return false;
	}
	free(channels->index);
	channels->index = index;
	channels->shift = 64 - bits;
	channels->room = room;
	for (size_t i = 0; i < channels->count; i++)
		index[place_of(channels, channels->list[i].from)] = (uint32_t)i + 1;
	return true;
}

struct channel *channels_at(struct channels *channels, int32_t from)
{
	struct channel *channel = channels_find(channels, from);
	if (channel)
		return channel;
	if (channels->count == channels->room && !grow(channels)) {
		channels->failed = true;
		return NULL;
	}
	channel = &channels->list[channels->count++];
	*channel = (struct channel){.from = from, .marker = MARKER_NONE, .first = -1, .unsure = -1, .unsure_last = -1};
	channels->index[place_of(channels, from)] = (uint32_t)channels->count;
	return channel;
}
