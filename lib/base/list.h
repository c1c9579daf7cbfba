/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists that grow. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdlib.h>

/* The list, with room for one more item of a size: as it was, or moved and twice as large. Null: no memory, and list and room are as they were. */
static inline void *list_with_room(void *list, size_t count, size_t *room, size_t size)
{
	enum { FIRST = 16 };
	if (count < *room)
		return list;
	size_t larger = *room ? *room * 2 : FIRST;
	void *grown = realloc(list, larger * size);
	if (grown)
		*room = larger;
	return grown;
}

#endif
