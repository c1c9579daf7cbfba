/* SPDX-License-Identifier: BSD-3-Clause */
/* What the bytes of a region are: the type of its elements, and its place in an array that the ranks hold together. */
#ifndef BASE_SHAPE_H
#define BASE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHAPE_TYPES = 13, SHAPE_DIMENSIONS_MAX = 32 };

/* Of one dimension. The region holds `local` elements: `before` ghosts, then those from index `first` of the global array on, then `after` ghosts. */
struct shape_extent {
	uint64_t global;
	uint64_t first;
	uint64_t local;
	uint64_t before;
	uint64_t after;
};

struct shape {
	uint32_t type;       /* enum seamark_type */
	uint32_t dimensions; /* 0: bytes without a shape */
	const struct shape_extent *extents; /* slowest first */
};

#define SHAPE_NONE ((struct shape){ 0, 0, NULL })

/* 0: there is no such type. */
size_t shape_element_size(uint32_t type);
/* As `seamark show` and exported files call it: "float64". null: there is none. */
const char *shape_type_name(uint32_t type);
/* null, with the bytes that the region then has; or why there can be no such shape. Neither number of bytes, the region's or the whole array's, is
 * beyond 2^63 - 1, even where another extent is 0. */
const char *shape_check(const struct shape *shape, uint64_t *bytes);
bool shape_equal(const struct shape *a, const struct shape *b);
/* For messages: "float64 [2+6+2 at 8 of 100, 50]"; cut off where the room ends. */
void shape_text(const struct shape *shape, char *text, size_t room);

#endif
