/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions by name: a table that grows. Programs have hundreds of thousands of regions. */
#ifndef STATE_NAMES_H
#define STATE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct region;

struct names {
	struct region **slots;
	size_t room;     /* a power of two, or 0 */
	size_t count;
};

struct region *names_find(const struct names *names, const char *name);
/* Of a name that is not there. False: no memory. */
bool names_add(struct names *names, struct region *region);
void names_remove(struct names *names, const struct region *region);
void names_free(struct names *names);

#endif
