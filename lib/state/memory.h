/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory for copies: mapped, in huge pages where there are some, touched beforehand, and taken only when it is there. */
#ifndef STATE_MEMORY_H
#define STATE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory {
	uint8_t *data;
	size_t size;
};

/* Whether that much can be taken, with something left for others: asked of the machine and of the control groups. */
bool memory_is_there(uint64_t bytes);
/* Makes it at least that large, its content lost. False: there is no memory, and it is empty. */
bool memory_take(struct memory *memory, size_t bytes);
/* Makes it at least that large, its content kept, with room for more; it may move. Not touched beforehand. False: nothing has changed. */
bool memory_extend(struct memory *memory, size_t bytes);
/* Gives back what is beyond that size. */
void memory_shrink(struct memory *memory, size_t bytes);
void memory_give_back(struct memory *memory);

#endif
