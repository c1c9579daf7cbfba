/* SPDX-License-Identifier: BSD-3-Clause */
/* Which ranks share a file, and how a manifest tells it (docs/design.md, 3.14). Pure: the caller knows the nodes, and brings together what the ranks say. */
#ifndef STORE_LAYOUT_H
#define STORE_LAYOUT_H

#include "store/store.h"

/* The files of consecutive ranks, as stretches of equal ones. Two are a locator at most, when one shorter file follows. May be sent to other ranks as it is. */
enum { LAYOUT_STRETCHES = 2 * STORE_LOCATORS_MAX };

struct layout {
	uint32_t count;              /* above LAYOUT_STRETCHES: too many to say */
	struct layout_stretch {
		uint32_t each;       /* ranks in a file */
		uint32_t files;
	} stretches[LAYOUT_STRETCHES];
};

/* Consecutive ranks. */
struct layout_ranks {
	uint32_t first;
	uint32_t count;
};

/* Those around a rank among the ranks of its node, which ascend. */
struct layout_ranks layout_neighbours(const uint32_t *node, uint32_t count, uint32_t rank);
/* The file with a rank, of the files into which such are cut: as few as can be with at most `most` ranks in each, the last perhaps shorter, or, evenly, all alike. */
struct layout_ranks layout_file(struct layout_ranks around, uint32_t rank, uint32_t most, bool evenly);

/* What a rank adds: the file that begins with it, if one does. */
struct layout layout_of(struct layout_ranks file, uint32_t rank);
/* The files of the ranks behind those. Associative. */
void layout_append(struct layout *layout, const struct layout *behind);
/* The locators of all files: how many, 0 if they would be too many. */
uint32_t layout_locators(const struct layout *layout, struct store_locator locators[STORE_LOCATORS_MAX]);

#endif
