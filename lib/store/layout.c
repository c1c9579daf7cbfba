/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/layout.h"

#include <string.h>

struct layout_ranks layout_neighbours(const uint32_t *node, uint32_t count, uint32_t rank)
{
	struct layout_ranks around = {0};

	for (uint32_t i = 0; i < count; i++) {
		if (!around.count || node[i] != around.first + around.count) {
			if (around.count && rank < node[i])
				break;
			around = (struct layout_ranks){ .first = node[i] };
		}
		around.count++;
	}
	return around;
}

static uint32_t largest_divisor(uint32_t of, uint32_t most)
{
	uint32_t divisor = most < of ? most : of;

	while (of % divisor)
		divisor--;
	return divisor;
}

struct layout_ranks layout_file(struct layout_ranks around, uint32_t rank, uint32_t most, bool evenly)
{
	uint32_t files = (around.count - 1) / most + 1, each = evenly ? largest_divisor(around.count, most) : (around.count - 1) / files + 1;
	uint32_t before = (rank - around.first) / each * each, left = around.count - before;

	return (struct layout_ranks){ around.first + before, left < each ? left : each };
}

struct layout layout_of(struct layout_ranks file, uint32_t rank)
{
	struct layout layout = {0};

	if (file.first == rank) {
		layout.count = 1;
		layout.stretches[0] = (struct layout_stretch){ file.count, 1 };
	}
	return layout;
}

void layout_append(struct layout *layout, const struct layout *behind)
{
	uint32_t from = 0;

	if (layout->count > LAYOUT_STRETCHES || behind->count > LAYOUT_STRETCHES) {
		layout->count = LAYOUT_STRETCHES + 1;
		return;
	}
	if (layout->count && behind->count && layout->stretches[layout->count - 1].each == behind->stretches[0].each)
		layout->stretches[layout->count - 1].files += behind->stretches[from++].files;
	for (; from < behind->count; from++) {
		if (layout->count < LAYOUT_STRETCHES)
			layout->stretches[layout->count] = behind->stretches[from];
		if (layout->count++ == LAYOUT_STRETCHES)
			return;
	}
}

uint32_t layout_locators(const struct layout *layout, struct store_locator locators[STORE_LOCATORS_MAX])
{
	uint32_t count = 0, first = 0;

	if (layout->count > LAYOUT_STRETCHES)
		return 0;
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct layout_stretch *stretch = &layout->stretches[i];
		struct store_locator *last = count ? &locators[count - 1] : NULL;
		uint32_t ranks = stretch->each * stretch->files;

		/* The last file of a locator may have fewer ranks than the others. */
		if (last && stretch->files == 1 && stretch->each < last->ranks_each && last->ranks % last->ranks_each == 0) {
			last->ranks += ranks;
		} else if (count == STORE_LOCATORS_MAX) {
			return 0;
		} else {
			locators[count] = (struct store_locator){ .first_rank = first, .ranks = ranks, .ranks_each = stretch->each };
			strcpy(locators[count++].pattern, "rank-*.smk");
		}
		first += ranks;
	}
	return count;
}
