/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the bytes of an image go in its file. The writer counts offsets from the beginning of a file that it has for itself (*own* offsets). If ranks share the file, each piece that is
 * sent off is given the next free bytes of it, and the offsets in the index are put right in the end. */
#ifndef STORE_EXTENTS_H
#define STORE_EXTENTS_H

#include "store/shared.h"

/* Bytes that lie side by side. Both offsets ascend from one to the next. */
struct extent {
	uint64_t own;
	uint64_t offset;               /* in the file */
	uint64_t size;
};

struct extents {
	struct extent *list;
	size_t count, room;
};

/* The next `size` bytes, from the own offset `own` on, will lie side by side: where. They may be in what was given before, as a whole. */
int extents_give(struct extents *extents, struct shared_part *part, uint64_t own, uint64_t size, uint64_t *offset, struct fault *fault);
/* Where the byte at an own offset is, that was given. */
uint64_t extents_find(const struct extents *extents, uint64_t own);
void extents_free(struct extents *extents);

#endif
