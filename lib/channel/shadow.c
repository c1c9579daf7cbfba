/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/shadow.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BITS = 6, DROPPED = 1 };

static size_t table_room(const struct shadow_table *table)
{
	return (size_t)1 << (64 - table->shift);
}

static bool table_open(struct shadow_table *table, unsigned bits)
{
	size_t bytes = sizeof(struct shadow) << bits;
	*table = (struct shadow_table){.shift = 64 - bits, .slots = aligned_alloc(64, bytes)};
	if (table->slots)
		memset(table->slots, 0, bytes);
	return table->slots != NULL;
}

bool shadow_open(struct shadow_table *table)
{
	return table_open(table, FIRST_BITS);
}

void shadow_close(struct shadow_table *table)
{
	free(table->slots);
	*table = (struct shadow_table){0};
}

struct shadow *shadow_probe(const struct shadow_table *table, uint64_t handle)
{
	size_t mask = table_room(table) - 1;
	for (size_t at = (shadow_home(table, handle) + 1) & mask; table->slots[at].handle != 0; at = (at + 1) & mask)
		if (table->slots[at].handle == handle)
			return &table->slots[at];
	return NULL;
}

/* A slot for a new handle: the first that is empty or dropped. */
static struct shadow *slot_for(struct shadow_table *table, uint64_t handle)
{
	size_t mask = table_room(table) - 1;
	size_t at = shadow_home(table, handle);
	while (table->slots[at].handle > DROPPED)
		at = (at + 1) & mask;
	struct shadow *shadow = &table->slots[at];
	table->filled += shadow->handle == 0;
	table->used++;
	memset(shadow, 0, sizeof *shadow);
	shadow->handle = handle;
	return shadow;
}

/* Half full at most, so that a miss ends soon. */
static bool make_room(struct shadow_table *table)
{
	if ((table->filled + 1) * 2 <= table_room(table))
		return true;
	unsigned bits = 64 - table->shift;
	if (table->used * 4 > table_room(table))
		bits++;
	struct shadow_table other;
	if (!table_open(&other, bits))
		return table->filled + 1 < table_room(table);
	for (size_t i = 0; i < table_room(table); i++)
		if (table->slots[i].handle > DROPPED)
			*slot_for(&other, table->slots[i].handle) = table->slots[i];
	free(table->slots);
	*table = other;
	return true;
}

struct shadow *shadow_add(struct shadow_table *table, uint64_t handle)
{
	return make_room(table) ? slot_for(table, handle) : NULL;
}

void shadow_drop(struct shadow_table *table, struct shadow *shadow)
{
	size_t mask = table_room(table) - 1;
	size_t at = (size_t)(shadow - table->slots);
	table->used--;
	if (table->slots[(at + 1) & mask].handle != 0) {
		shadow->handle = DROPPED; /* somebody may have been laid beyond it */
		return;
	}
	shadow->handle = 0;
	table->filled--;
	/* Dropped ones before an empty slot hide nothing any more. */
	for (at = (at - 1) & mask; table->slots[at].handle == DROPPED; at = (at - 1) & mask) {
		table->slots[at].handle = 0;
		table->filled--;
	}
}

void shadow_end(struct shadow_table *table, struct shadow *shadow)
{
	if (!(shadow->flags & SHADOW_PERSISTENT)) {
		shadow_drop(table, shadow);
		return;
	}
	shadow->kind = SHADOW_INACTIVE;
	shadow->flags = SHADOW_PERSISTENT;
	shadow->key = ((const struct shadow_pattern *)(uintptr_t)shadow->extra)->key;
}

struct shadow *shadow_next(const struct shadow_table *table, struct shadow *previous)
{
	struct shadow *end = table->slots + table_room(table);
	for (struct shadow *shadow = previous ? previous + 1 : table->slots; shadow < end; shadow++)
		if (shadow->handle > DROPPED)
			return shadow;
	return NULL;
}
