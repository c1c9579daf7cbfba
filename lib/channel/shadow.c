/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/shadow.h"

#include <stdlib.h>
#include <string.h>

/* Up to SMALL_ROOM the table grows when an eighth is full rather than half: handles are mostly addresses at equal distances, which then do not meet, and as long as everybody is at home
 * all calls have short ways. */
enum { FIRST_ROOM = 64, SMALL_ROOM = 1024, OTHERS_FIRST_BITS = 4, DROPPED = 1 };

static struct shadow *slots_new(size_t room)
{
	struct shadow *slots = aligned_alloc(sizeof *slots, room * sizeof *slots);
	if (slots)
		memset(slots, 0, room * sizeof *slots);
	return slots;
}

static size_t table_room(const struct shadow_table *table)
{
	return table->mask / sizeof *table->slots + 1;
}

static bool table_open(struct shadow_table *table, size_t room)
{
	*table = (struct shadow_table){.slots = slots_new(room), .mask = (room - 1) * sizeof *table->slots};
	return table->slots != NULL;
}

bool shadow_open(struct shadow_table *table)
{
	return table_open(table, FIRST_ROOM);
}

void shadow_close(struct shadow_table *table)
{
	free(table->slots);
	free(table->others.slots);
	*table = (struct shadow_table){0};
}

/* --- the others --------------------------------------------------------------------------------------------------------- */

static size_t others_room(const struct shadow_others *others)
{
	return others->slots ? (size_t)1 << others->bits : 0;
}

static size_t others_home(const struct shadow_others *others, uint64_t handle)
{
	return (handle * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - others->bits);
}

static struct shadow *other_find(const struct shadow_others *others, uint64_t handle)
{
	size_t mask = others_room(others) - 1;
	for (size_t at = others_home(others, handle); others->slots[at].handle != 0; at = (at + 1) & mask)
		if (others->slots[at].handle == handle)
			return &others->slots[at];
	return NULL;
}

struct shadow *shadow_find_other(const struct shadow_table *table, uint64_t handle)
{
	return other_find(&table->others, handle);
}

/* A slot for a new handle: the first that is empty or dropped. */
static struct shadow *other_slot(struct shadow_others *others, uint64_t handle)
{
	size_t mask = others_room(others) - 1;
	size_t at = others_home(others, handle);
	while (others->slots[at].handle > DROPPED)
		at = (at + 1) & mask;
	others->filled += others->slots[at].handle == 0;
	others->used++;
	return &others->slots[at];
}

/* Half full at most, so that a miss ends soon. */
static bool others_make_room(struct shadow_others *others)
{
	size_t room = others_room(others);
	if ((others->filled + 1) * 2 <= room)
		return true;
	unsigned bits = room == 0 ? OTHERS_FIRST_BITS : others->bits + (others->used * 4 > room);
	struct shadow_others fresh = {.slots = slots_new((size_t)1 << bits), .bits = bits};
	if (fresh.slots == NULL)
		return others->filled + 1 < room;
	for (size_t i = 0; i < room; i++)
		if (others->slots[i].handle > DROPPED)
			*other_slot(&fresh, others->slots[i].handle) = others->slots[i];
	free(others->slots);
	*others = fresh;
	return true;
}

void shadow_drop_other(struct shadow_table *table, struct shadow *shadow)
{
	struct shadow_others *others = &table->others;
	size_t mask = others_room(others) - 1;
	size_t at = (size_t)(shadow - others->slots);
	table->used--;
	others->used--;
	if (others->slots[(at + 1) & mask].handle != 0) {
		shadow->handle = DROPPED; /* somebody may have been laid beyond it */
		return;
	}
	shadow->handle = 0;
	others->filled--;
	/* Dropped ones before an empty slot hide nothing any more. */
	for (at = (at - 1) & mask; others->slots[at].handle == DROPPED; at = (at - 1) & mask) {
		others->slots[at].handle = 0;
		others->filled--;
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
	shadow->spare = 0;
	shadow->key = ((const struct shadow_pattern *)(uintptr_t)shadow->extra)->key;
}

/* --- all ------------------------------------------------------------------------------------------------------------------ */

/* A slot for a new handle; null: no memory. */
static struct shadow *slot_for(struct shadow_table *table, uint64_t handle)
{
	struct shadow *shadow = shadow_home(table, handle);
	if (shadow->handle != 0) {
		if (!others_make_room(&table->others))
			return NULL;
		shadow = other_slot(&table->others, handle);
	}
	table->used++;
	return shadow;
}

/* Lays everybody anew in a table of another size; without memory the old one stays. */
static void grow(struct shadow_table *table)
{
	struct shadow_table larger;
	if (!table_open(&larger, table_room(table) * 2))
		return;
	for (struct shadow *shadow = NULL; (shadow = shadow_next(table, shadow));) {
		struct shadow *slot = slot_for(&larger, shadow->handle);
		if (slot == NULL) {
			shadow_close(&larger);
			return;
		}
		*slot = *shadow;
	}
	shadow_close(table);
	*table = larger;
}

struct shadow *shadow_add(struct shadow_table *table, uint64_t handle)
{
	size_t room = table_room(table);
	if (shadow_home(table, handle)->handle != 0 && table->used * (room < SMALL_ROOM ? 8 : 2) >= room)
		grow(table);
	struct shadow *shadow = slot_for(table, handle);
	if (shadow)
		*shadow = (struct shadow){.handle = handle};
	return shadow;
}

struct shadow *shadow_next(const struct shadow_table *table, struct shadow *previous)
{
	struct shadow *shadow = previous ? previous + 1 : table->slots;
	if (!previous || shadow_is_home(table, previous)) {
		for (struct shadow *end = table->slots + table_room(table); shadow < end; shadow++)
			if (shadow->handle != 0)
				return shadow;
		shadow = table->others.slots;
	}
	for (struct shadow *end = table->others.slots + others_room(&table->others); shadow < end; shadow++)
		if (shadow->handle > DROPPED)
			return shadow;
	return NULL;
}
