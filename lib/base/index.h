/* SPDX-License-Identifier: BSD-3-Clause */
/* An index of a dense list whose items are found by a key of 64 bits. The list is its owner's, who only appends; the index knows places, and asks for the key of one. */
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t index_key(const void *list, size_t item);

struct index {
	uint32_t *places;         /* open addressing, at most half full: place in the list plus one */
	unsigned shift;
};

enum { INDEX_FIRST_BITS = 6 };

/* How many items it has place for. */
static inline size_t index_room(const struct index *index)
{
	return index->places ? (size_t)1 << (63 - index->shift) : 0;
}

static inline size_t index_next_room(const struct index *index)
{
	return index->places ? 2 * index_room(index) : (size_t)1 << (INDEX_FIRST_BITS - 1);
}

static inline void index_clear(struct index *index)
{
	if (index->places)
		memset(index->places, 0, 2 * index_room(index) * sizeof *index->places);
}

static inline void index_free(struct index *index)
{
	free(index->places);
	*index = (struct index){0};
}

/* Where the item with a key stands, or would: zero there says that there is none. The index has room. */
static inline uint32_t *index_at(const struct index *index, uint64_t key, index_key *key_of, const void *list)
{
	size_t mask = 2 * index_room(index) - 1;
	size_t at = (key * UINT64_C(0x9E3779B97F4A7C15)) >> index->shift;
	while (index->places[at] != 0 && key_of(list, index->places[at] - 1) != key)
		at = (at + 1) & mask;
	return &index->places[at];
}

/* Twice as much room, for a list of `count` items. False: no memory, and nothing has changed. */
static inline bool index_grow(struct index *index, index_key *key_of, const void *list, size_t count)
{
	size_t room = index_next_room(index);
	struct index larger = {calloc(2 * room, sizeof *larger.places), index->places ? index->shift - 1 : 64 - INDEX_FIRST_BITS};
	if (!larger.places)
		return false;
	for (size_t i = 0; i < count; i++)
		*index_at(&larger, key_of(list, i), key_of, list) = (uint32_t)i + 1;
	free(index->places);
	*index = larger;
	return true;
}

#endif
