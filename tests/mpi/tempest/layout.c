/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "tempest.h"

enum { GUARD = 48, GUARD_BYTE = 0xB7 };

enum constructor {
	CONTIGUOUS, VECTOR, HVECTOR, INDEXED, HINDEXED, INDEXED_BLOCK, HINDEXED_BLOCK, STRUCT, SUBARRAY, DARRAY, RESIZED, DUPLICATE, CONSTRUCTORS
};

/* A type under construction: where the elements of one item are, in the order of its map. */
struct map {
	MPI_Datatype type;
	MPI_Aint extent;
	int per, displacements[PER_MOST];
};

MPI_Datatype base_type(int base)
{
	return (MPI_Datatype[BASES]){MPI_BYTE, MPI_INT, MPI_DOUBLE, MPI_SHORT, MPI_UINT64_T, MPI_CHAR}[base];
}

int base_width(int base)
{
	return (int[BASES]){1, 4, 8, 2, 8, 1}[base];
}

/* One more copy of `old`, so many bytes from the start. */
static void at(struct map *map, const struct map *old, MPI_Aint bytes)
{
	for (int i = 0; i < old->per; i++)
		map->displacements[map->per++] = (int)bytes + old->displacements[i];
}

static void blocks_of(struct dice *dice, int *count, int *lengths, int *places, bool equal)
{
	int place = dice_draw(dice, 3);
	*count = 1 + dice_draw(dice, 3);
	for (int i = 0; i < *count; i++) {
		lengths[i] = i && equal ? lengths[0] : 1 + dice_draw(dice, 2);
		places[i] = place;
		place += lengths[i] + dice_draw(dice, 3);
	}
	if (*count > 1 && dice_chance(dice, 40)) { /* not in the order of memory */
		int last = *count - 1, length = lengths[0];
		place = places[0];
		places[0] = places[last];
		places[last] = place;
		lengths[0] = lengths[last];
		lengths[last] = length;
	}
}

static void regular(enum constructor constructor, struct dice *dice, const struct map *old, struct map *map)
{
	int count = 1 + dice_draw(dice, 3), length = 1 + dice_draw(dice, 3), stride = length + dice_draw(dice, 3);
	MPI_Aint x = old->extent, bytes = stride * x + 8 * dice_draw(dice, 3);
	if (constructor == CONTIGUOUS) {
		OK(MPI_Type_contiguous(count, old->type, &map->type));
		for (int i = 0; i < count; i++)
			at(map, old, i * x);
		return;
	}
	if (constructor == VECTOR) {
		OK(MPI_Type_vector(count, length, stride, old->type, &map->type));
		bytes = stride * x;
	} else {
		OK(MPI_Type_create_hvector(count, length, bytes, old->type, &map->type));
	}
	for (int i = 0; i < count; i++)
		for (int j = 0; j < length; j++)
			at(map, old, i * bytes + j * x);
}

static void by_index(enum constructor constructor, struct dice *dice, const struct map *old, struct map *map)
{
	int count, lengths[4], places[4];
	MPI_Aint bytes[4], x = old->extent;
	MPI_Datatype types[4] = {old->type, old->type, old->type, old->type};
	bool equal = constructor == INDEXED_BLOCK || constructor == HINDEXED_BLOCK;
	blocks_of(dice, &count, lengths, places, equal);
	for (int i = 0; i < count; i++)
		bytes[i] = places[i] * x + (constructor == INDEXED || constructor == INDEXED_BLOCK ? 0 : 8 * (places[i] / 2));
	if (constructor == INDEXED)
		OK(MPI_Type_indexed(count, lengths, places, old->type, &map->type));
	else if (constructor == HINDEXED)
		OK(MPI_Type_create_hindexed(count, lengths, bytes, old->type, &map->type));
	else if (constructor == INDEXED_BLOCK)
		OK(MPI_Type_create_indexed_block(count, lengths[0], places, old->type, &map->type));
	else if (constructor == HINDEXED_BLOCK)
		OK(MPI_Type_create_hindexed_block(count, lengths[0], bytes, old->type, &map->type));
	else
		OK(MPI_Type_create_struct(count, lengths, bytes, types, &map->type));
	for (int i = 0; i < count; i++)
		for (int j = 0; j < lengths[i]; j++)
			at(map, old, bytes[i] + j * x);
}

static void of_an_array(enum constructor constructor, struct dice *dice, const struct map *old, struct map *map)
{
	MPI_Aint x = old->extent;
	if (constructor == SUBARRAY) {
		int whole[2], part[2], start[2], order = dice_chance(dice, 50) ? MPI_ORDER_C : MPI_ORDER_FORTRAN;
		for (int d = 0; d < 2; d++) {
			part[d] = 1 + dice_draw(dice, 3);
			start[d] = dice_draw(dice, 3);
			whole[d] = start[d] + part[d] + dice_draw(dice, 2);
		}
		OK(MPI_Type_create_subarray(2, whole, part, start, order, old->type, &map->type));
		int fast = order == MPI_ORDER_C ? 1 : 0, slow = 1 - fast;
		for (int i = 0; i < part[slow]; i++)
			for (int j = 0; j < part[fast]; j++)
				at(map, old, ((start[slow] + i) * whole[fast] + start[fast] + j) * x);
		return;
	}
	int processes = 1 + dice_draw(dice, 3), me = dice_draw(dice, processes), block = 1 + dice_draw(dice, 2);
	int all = block * processes * (1 + dice_draw(dice, 2)), cyclic = MPI_DISTRIBUTE_CYCLIC;
	OK(MPI_Type_create_darray(processes, me, 1, &all, &cyclic, &block, &processes, MPI_ORDER_C, old->type, &map->type));
	for (int i = 0; i < all; i++)
		if (i / block % processes == me)
			at(map, old, i * x);
}

static bool named(MPI_Datatype type)
{
	int integers, addresses, types, combiner;
	OK(MPI_Type_get_envelope(type, &integers, &addresses, &types, &combiner));
	return combiner == MPI_COMBINER_NAMED;
}

/* Makes a type of the old one, which is freed. */
static void construct(struct map *map, struct dice *dice)
{
	struct map old = *map;
	MPI_Aint lower;
	enum constructor constructor = (enum constructor)dice_draw(dice, CONSTRUCTORS);
	map->per = 0;
	switch (constructor) {
	case CONTIGUOUS:
	case VECTOR:
	case HVECTOR:
		regular(constructor, dice, &old, map);
		break;
	case SUBARRAY:
	case DARRAY:
		of_an_array(constructor, dice, &old, map);
		break;
	case RESIZED:
		OK(MPI_Type_create_resized(old.type, 0, old.extent + 8 * (1 + dice_draw(dice, 3)), &map->type));
		at(map, &old, 0);
		break;
	case DUPLICATE:
		OK(MPI_Type_dup(old.type, &map->type));
		at(map, &old, 0);
		break;
	default:
		by_index(constructor, dice, &old, map);
	}
	OK(MPI_Type_get_extent(map->type, &lower, &map->extent));
	if (!named(old.type))
		OK(MPI_Type_free(&old.type));
}

static void map_plain(struct map *map, int base)
{
	*map = (struct map){.type = base_type(base), .extent = base_width(base), .per = 1};
}

static void map_draw(struct map *map, int base, uint64_t draws)
{
	struct dice dice = {draws};
	int depth = 1 + dice_draw(&dice, 2);
	map_plain(map, base);
	for (int i = 0; i < depth; i++)
		if (i == 0 || map->per <= 6)
			construct(map, &dice);
	if (!named(map->type))
		OK(MPI_Type_commit(&map->type));
}

static size_t place_of(const struct area *area, int element)
{
	return GUARD + (size_t)(element / area->item * area->extent + area->displacements[element % area->item]);
}

void area_make(struct area *area, uint64_t draws, int base, int n, bool whole, bool plain)
{
	struct map map;
	MPI_Aint end = 0;
	*area = (struct area){.width = base_width(base)};
	if (plain) {
		map_plain(&map, base);
	} else {
		map_draw(&map, base, draws);
		if (whole && n % map.per) {
			if (!named(map.type))
				OK(MPI_Type_free(&map.type));
			map_plain(&map, base);
		}
	}
	area->count = (n + map.per - 1) / map.per;
	area->room = area->count * map.per;
	area->item = area->per = map.per;
	area->extent = map.extent;
	area->type = area->inner = map.type;
	area->own_type = !named(map.type);
	memcpy(area->displacements, map.displacements, sizeof area->displacements);
	for (int i = 0; i < map.per; i++)
		end = map.displacements[i] + area->width > end ? map.displacements[i] + area->width : end;
	area->bytes = (size_t)(2 * GUARD + (area->count ? (area->count - 1) * map.extent + end : 0));
	area->raw = malloc(area->bytes);
	area->address = area->start = area->raw + GUARD;
	if (!plain && area->count && mix(draws, 4) % 4 == 0) { /* one item that holds all, at an absolute address */
		MPI_Aint address;
		OK(MPI_Get_address(area->raw + GUARD, &address));
		OK(MPI_Type_create_hindexed(1, &area->count, &address, area->inner, &area->type));
		OK(MPI_Type_commit(&area->type));
		area->bottom = true;
		area->address = MPI_BOTTOM;
		area->per = area->room;
		area->count = 1;
	}
	area_guard(area);
}

void area_free(struct area *area)
{
	if (area->bottom)
		OK(MPI_Type_free(&area->type));
	if (area->own_type)
		OK(MPI_Type_free(&area->inner));
	free(area->raw);
	*area = (struct area){0};
}

void area_guard(struct area *area)
{
	memset(area->raw, GUARD_BYTE, area->bytes);
}

static bool dense(const struct area *area)
{
	return area->item == 1 && area->extent == area->width && area->displacements[0] == 0;
}

void area_put(struct area *area, int n, const unsigned char *elements)
{
	size_t width = (size_t)area->width;
	if (dense(area)) {
		if (n)
			memcpy(area->raw + GUARD, elements, (size_t)n * width);
		return;
	}
	for (int i = 0; i < n; i++)
		memcpy(area->raw + place_of(area, i), elements + (size_t)i * width, width);
}

long area_take(struct area *area, int n, unsigned char *elements)
{
	size_t width = (size_t)area->width, bytes = (size_t)n * width;
	if (dense(area)) {
		if (n) {
			memcpy(elements, area->raw + GUARD, bytes);
			memset(area->raw + GUARD, GUARD_BYTE, bytes);
		}
	} else {
		for (int i = 0; i < n; i++) {
			memcpy(elements + (size_t)i * width, area->raw + place_of(area, i), width);
			memset(area->raw + place_of(area, i), GUARD_BYTE, width);
		}
	}
	if (area->raw[0] == GUARD_BYTE && memcmp(area->raw, area->raw + 1, area->bytes - 1) == 0)
		return 0;
	long changed = 0;
	while (area->raw[changed] == GUARD_BYTE)
		changed++;
	return -1 - changed;
}
