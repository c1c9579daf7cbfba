/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/channels.h"

#include <stdlib.h>

void channels_clear(struct channels *channels)
{
	channels->count = 0;
	channels->failed = false;
	index_clear(&channels->index);
}

void channels_free(struct channels *channels)
{
	free(channels->list);
	index_free(&channels->index);
	*channels = (struct channels){0};
}

static uint64_t key_of(const void *list, size_t item)
{
	return (uint64_t)((const struct channel *)list)[item].from;
}

static uint32_t *place_of(const struct channels *channels, int32_t from)
{
	return index_at(&channels->index, (uint64_t)from, key_of, channels->list);
}

struct channel *channels_find(const struct channels *channels, int32_t from)
{
	if (channels->count == 0)
		return NULL;
	uint32_t place = *place_of(channels, from);
	return place ? &channels->list[place - 1] : NULL;
}

static bool grow(struct channels *channels)
{
	size_t room = index_next_room(&channels->index);
	struct channel *list = realloc(channels->list, room * sizeof *list);
	if (list)
		channels->list = list;
	if (!list || !index_grow(&channels->index, key_of, channels->list, channels->count))
		return false;
	channels->room = room;
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
	*place_of(channels, from) = (uint32_t)channels->count;
	return channel;
}
