/* SPDX-License-Identifier: BSD-3-Clause */
/* Open addressing, linear probing; what is removed leaves no mark, as those behind it move up. */
#include "state/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "state/inside.h"

static size_t home_of(const struct names *names, const char *name)
{
	uint64_t hash = 0;

	for (size_t left = strlen(name), at = 0; left; ) {
		uint64_t word = 0;
		size_t size = left < sizeof word ? left : sizeof word;

		memcpy(&word, name + at, size);
		hash = mix64(hash ^ word);
		at += size;
		left -= size;
	}
	return (size_t)hash & (names->room - 1);
}

static size_t next(const struct names *names, size_t slot)
{
	return (slot + 1) & (names->room - 1);
}

struct region *names_find(const struct names *names, const char *name)
{
	if (!names->room)
		return NULL;
	for (size_t slot = home_of(names, name); names->slots[slot]; slot = next(names, slot))
		if (!strcmp(names->slots[slot]->name, name))
			return names->slots[slot];
	return NULL;
}

static void put(struct names *names, struct region *region)
{
	size_t slot = home_of(names, region->name);

	while (names->slots[slot])
		slot = next(names, slot);
	names->slots[slot] = region;
}

bool names_add(struct names *names, struct region *region)
{
	if (names->room < 2 * (names->count + 1)) {
		struct names larger = { .room = names->room ? 2 * names->room : 64, .count = names->count };

		larger.slots = calloc(larger.room, sizeof *larger.slots);
		if (!larger.slots)
			return false;
		for (size_t i = 0; i < names->room; i++)
			if (names->slots[i])
				put(&larger, names->slots[i]);
		free(names->slots);
		*names = larger;
	}
	put(names, region);
	names->count++;
	return true;
}

void names_remove(struct names *names, const struct region *region)
{
	size_t hole = home_of(names, region->name);

	while (names->slots[hole] != region)
		hole = next(names, hole);
	for (size_t slot = next(names, hole); names->slots[slot]; slot = next(names, slot)) {
		size_t home = home_of(names, names->slots[slot]->name);

		/* It may stand in the hole if that is not before its home. */
		if (((slot - home) & (names->room - 1)) >= ((slot - hole) & (names->room - 1))) {
			names->slots[hole] = names->slots[slot];
			hole = slot;
		}
	}
	names->slots[hole] = NULL;
	names->count--;
}

void names_free(struct names *names)
{
	free(names->slots);
	*names = (struct names){ 0 };
}
