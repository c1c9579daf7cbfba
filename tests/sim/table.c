/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of numbers by number: most of what could be asked for is never there. */
#include <stdlib.h>

#include "base/mix.h"
#include "sim/sim.h"

enum { FIRST_ROOM = 16 };

static size_t place_of(const struct table *table, uint64_t kept)
{
	size_t at = mix64(kept) & (table->room - 1);
	while (table->keys[at] != 0 && table->keys[at] != kept)
		at = (at + 1) & (table->room - 1);
	return at;
}

static void grow(struct table *table)
{
	struct table old = *table;
	table->room = old.room ? old.room * 2 : FIRST_ROOM;
	table->keys = calloc(table->room, sizeof *table->keys);
	table->values = calloc(table->room, sizeof *table->values);
	for (size_t i = 0; i < old.room; i++)
		if (old.keys[i]) {
			size_t at = place_of(table, old.keys[i]);
			table->keys[at] = old.keys[i];
			table->values[at] = old.values[i];
		}
	free(old.keys);
	free(old.values);
}

int64_t *table_at(struct table *table, uint64_t key)
{
	if (table->used * 2 >= table->room)
		grow(table);
	size_t at = place_of(table, key + 1);
	table->used += table->keys[at] == 0;
	table->keys[at] = key + 1;
	return &table->values[at];
}

int64_t table_get(const struct table *table, uint64_t key)
{
	return table->room ? table->values[place_of(table, key + 1)] : 0;
}

bool table_next(const struct table *table, size_t *cursor, uint64_t *key, int64_t *value)
{
	while (*cursor < table->room) {
		size_t at = (*cursor)++;
		if (table->keys[at] == 0)
			continue;
		*key = table->keys[at] - 1;
		*value = table->values[at];
		return true;
	}
	return false;
}

void table_free(struct table *table)
{
	free(table->keys);
	free(table->values);
	*table = (struct table){0};
}
