/* SPDX-License-Identifier: BSD-3-Clause */
/* What there is to export: every region of every rank, and how the blocks of an array lie to each other. */
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/shape.h"
#include "export/export.h"

static int no_memory(void)
{
	command_complain("no memory for the list of regions");
	return EXIT_CANNOT_READ;
}

static void free_item(struct export_item *item)
{
	for (size_t i = 0; i < item->count; i++) {
		free(item->blocks[i].first);
		free(item->blocks[i].over);
	}
	free(item->blocks);
	free(item->global);
	free(item->name);
	free(item->label);
	free(item);
}

static void leave(void *item)
{
	(void)item;
}

void export_plan_free(struct export_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free_item(plan->items[i]);
	free(plan->items);
	tdestroy(plan->by_name, leave);
	seamark_files_checkpoint_close(plan->checkpoint);
}

/* --- the regions of a rank ------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct export_item *)a)->name, ((const struct export_item *)b)->name);
}

struct export_item *export_plan_find(const struct export_plan *plan, const char *name)
{
	const struct export_item wanted = { .name = (char *)(uintptr_t)name };
	struct export_item *const *found = tfind(&wanted, &plan->by_name, by_name);

	return found ? *found : NULL;
}

static struct export_item *add_item(struct export_plan *plan, const struct seamark_files_region *region)
{
	struct export_item **items = list_with_room(plan->items, plan->count, &plan->room, sizeof *items);
	struct export_item *item = items ? calloc(1, sizeof *item) : NULL;

	if (!items)
		return NULL;
	plan->items = items;
	if (!item)
		return NULL;
	items[plan->count++] = item;
	*item = (struct export_item){ .name = strdup(region->name), .global = calloc(region->dimensions + 1, sizeof *item->global),
		.type = region->type, .dimensions = region->dimensions, .elements = 1 };
	if (!item->name || !item->global || !tsearch(item, &plan->by_name, by_name))
		return NULL;
	/* The reader has seen that no product overflows. */
	for (uint32_t i = 0; i < region->dimensions; i++)
		item->elements *= item->global[i] = region->extents[i].global;
	item->bytes = item->elements * shape_element_size(item->type);
	return item;
}

static bool fits(const struct export_item *item, const struct seamark_files_region *region)
{
	bool same = item->type == region->type && item->dimensions == region->dimensions;

	for (uint32_t i = 0; same && i < item->dimensions; i++)
		same = item->global[i] == region->extents[i].global;
	return same;
}

static int complain_of(const struct export_item *item, const struct seamark_files_region *region, uint32_t rank)
{
	const struct shape shape = { region->type, region->dimensions, (const struct shape_extent *)(const void *)region->extents };
	char text[1024];

	shape_text(&shape, text, sizeof text);
	command_complain("region '%s' is %s on rank %" PRIu32 ", which is not of the same array as on rank %" PRIu32, item->name, text, rank,
			 item->blocks[0].rank);
	return EXIT_PROBLEMS;
}

static int add_block(struct export_plan *plan, const struct seamark_files_region *region, uint32_t rank)
{
	struct export_item *item = export_plan_find(plan, region->name);
	struct export_block *blocks, *block;

	if (!item)
		item = add_item(plan, region);
	if (!item)
		return no_memory();
	if (item->count && !fits(item, region))
		return complain_of(item, region, rank);
	blocks = list_with_room(item->blocks, item->count, &item->room, sizeof *blocks);
	if (!blocks)
		return no_memory();
	item->blocks = blocks;
	block = &blocks[item->count++];
	*block = (struct export_block){ .rank = rank, .bytes = region->bytes, .first = calloc(2 * region->dimensions + 1, sizeof *block->first) };
	if (!block->first)
		return no_memory();
	block->own = block->first + region->dimensions;
	for (uint32_t i = 0; i < region->dimensions; i++) {
		block->first[i] = region->extents[i].first;
		block->own[i] = region->extents[i].local - region->extents[i].before - region->extents[i].after;
	}
	return EXIT_FINE;
}

static int add_rank(struct export_plan *plan, uint32_t rank, const char *only)
{
	struct seamark_files_region region;
	seamark_files_image *image;
	int status = EXIT_FINE;

	if (seamark_files_image_open(&image, plan->checkpoint, rank)) {
		command_complain("rank %" PRIu32 ": %s", rank, seamark_files_error());
		return EXIT_PROBLEMS;
	}
	for (size_t i = 0; !status && !seamark_files_region_at(image, i, &region); i++)
		if (!only || !strcmp(only, region.name))
			status = add_block(plan, &region, rank);
	seamark_files_image_close(image);
	return status;
}

/* --- blocks that share elements -------------------------------------------------------------------------------------- */

static uint64_t elements_of(const struct export_item *item, const struct export_block *block)
{
	uint64_t elements = 1;

	for (uint32_t i = 0; i < item->dimensions; i++)
		elements *= block->own[i];
	return elements;
}

static bool share(const struct export_item *item, const struct export_block *a, const struct export_block *b)
{
	for (uint32_t i = 0; i < item->dimensions; i++)
		if (a->first[i] >= b->first[i] + b->own[i] || b->first[i] >= a->first[i] + a->own[i])
			return false;
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct export_block *x = *(struct export_block *const *)a, *y = *(struct export_block *const *)b;

	return x->first[0] != y->first[0] ? (x->first[0] > y->first[0]) - (x->first[0] < y->first[0]) : (x->rank > y->rank) - (x->rank < y->rank);
}

static bool note_sharing(struct export_item *item, struct export_block *a, struct export_block *b)
{
	struct export_block *low = a->rank < b->rank ? a : b, *high = low == a ? b : a, **over;
	size_t count = 0;

	while (high->over && high->over[count])
		count++;
	over = realloc(high->over, (count + 2) * sizeof *over);
	if (!over)
		return false;
	over[count] = low;
	over[count + 1] = NULL;
	high->over = over;
	item->shared = true;
	return true;
}

/* Sorted by the first dimension, a block meets only those that begin before it ends there. */
static int find_sharing(struct export_item *item)
{
	struct export_block **sorted = calloc(item->count + 1, sizeof *sorted);
	uint64_t sum = 0;
	size_t count = 0;
	bool whole = sorted != NULL;

	for (size_t i = 0; whole && i < item->count; i++)
		if (elements_of(item, &item->blocks[i])) {
			sorted[count++] = &item->blocks[i];
			sum += elements_of(item, &item->blocks[i]);
		}
	if (whole)
		qsort(sorted, count, sizeof *sorted, by_first);
	for (size_t i = 0; whole && i < count; i++)
		for (size_t j = i + 1; whole && j < count && sorted[j]->first[0] < sorted[i]->first[0] + sorted[i]->own[0]; j++)
			if (share(item, sorted[i], sorted[j]))
				whole = note_sharing(item, sorted[i], sorted[j]);
	item->holes = item->shared || sum < item->elements;
	free(sorted);
	return whole ? EXIT_FINE : no_memory();
}

int export_plan_make(struct export_plan *plan, const struct seamark_files_entry *entry, const char *only)
{
	int status = EXIT_FINE;

	*plan = (struct export_plan){ .entry = entry };
	if (entry->status || seamark_files_checkpoint_open(&plan->checkpoint, entry->path)) {
		command_complain("%s", entry->status ? entry->problem : seamark_files_error());
		return entry->status == SEAMARK_E_DAMAGED ? EXIT_PROBLEMS : EXIT_CANNOT_READ;
	}
	for (uint32_t rank = 0; !status && rank < entry->ranks; rank++)
		status = add_rank(plan, rank, only);
	if (!status && only && !plan->count) {
		command_complain("no rank has a region '%s'", only);
		status = EXIT_CANNOT_READ;
	}
	for (size_t i = 0; !status && i < plan->count; i++)
		if (plan->items[i]->dimensions)
			status = find_sharing(plan->items[i]);
	return status;
}
