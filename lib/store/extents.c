/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/extents.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

static bool has(const struct extent *extent, uint64_t own, uint64_t size)
{
	return own >= extent->own && own - extent->own < extent->size && size <= extent->size - (own - extent->own);
}

int extents_give(struct extents *extents, struct shared_part *part, uint64_t own, uint64_t size, uint64_t *offset, struct fault *fault)
{
	struct extent *last = extents->count ? &extents->list[extents->count - 1] : NULL, *list;

	if (last && has(last, own, size)) {
		*offset = last->offset + (own - last->own);
		return 0;
	}
	assert(!last || own == last->own + last->size);
	list = list_with_room(extents->list, extents->count, &extents->room, sizeof *list);
	if (!list)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to keep account of the file's parts");
	extents->list = list;
	*offset = shared_take(part, size);
	if (extents->count && list[extents->count - 1].offset + list[extents->count - 1].size == *offset)
		list[extents->count - 1].size += size;
	else
		list[extents->count++] = (struct extent){ own, *offset, size };
	return 0;
}

static int compare(const void *key, const void *element)
{
	uint64_t own = *(const uint64_t *)key;
	const struct extent *extent = element;

	return own < extent->own ? -1 : own - extent->own >= extent->size;
}

uint64_t extents_find(const struct extents *extents, uint64_t own)
{
	const struct extent *found = extents->count ? bsearch(&own, extents->list, extents->count, sizeof *found, compare) : NULL;

	assert(found);
	return found->offset + (own - found->own);
}

void extents_free(struct extents *extents)
{
	free(extents->list);
	memset(extents, 0, sizeof *extents);
}
