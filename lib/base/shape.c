/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/shape.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *name; size_t size; } types[SHAPE_TYPES] = {
	{ "byte", 1 }, { "int8", 1 }, { "uint8", 1 }, { "int16", 2 }, { "uint16", 2 }, { "int32", 4 }, { "uint32", 4 }, { "int64", 8 },
	{ "uint64", 8 }, { "float32", 4 }, { "float64", 8 }, { "complex64", 8 }, { "complex128", 16 },
};

size_t shape_element_size(uint32_t type)
{
	return type < SHAPE_TYPES ? types[type].size : 0;
}

const char *shape_type_name(uint32_t type)
{
	return type < SHAPE_TYPES ? types[type].name : NULL;
}

/* An extent of 0 does not make the others smaller: whoever multiplies them in another order must not overflow. */
static bool multiply(uint64_t *product, uint64_t factor)
{
	return !__builtin_mul_overflow(*product, factor ? factor : 1, product) && *product <= INT64_MAX;
}

const char *shape_check(const struct shape *shape, uint64_t *bytes)
{
	uint64_t own = shape_element_size(shape->type), whole = own;
	bool empty = false;

	if (!own)
		return "its type is none that there is";
	if (shape->dimensions < 1 || shape->dimensions > SHAPE_DIMENSIONS_MAX)
		return "it has not 1 to 32 dimensions";
	for (uint32_t i = 0; i < shape->dimensions; i++) {
		const struct shape_extent *extent = &shape->extents[i];

		if (extent->before > extent->local || extent->after > extent->local - extent->before)
			return "its ghosts are more than its elements";
		if (extent->first > extent->global || extent->local - extent->before - extent->after > extent->global - extent->first)
			return "it lies outside of the global array";
		if (!multiply(&own, extent->local))
			return "its extents multiply to more than 2^63 - 1 bytes";
		if (!multiply(&whole, extent->global))
			return "the global array's extents multiply to more than 2^63 - 1 bytes";
		empty |= !extent->local;
	}
	*bytes = empty ? 0 : own;
	return NULL;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
	return a->type == b->type && a->dimensions == b->dimensions &&
	       (!a->dimensions || !memcmp(a->extents, b->extents, a->dimensions * sizeof *a->extents));
}

struct writing {
	char *at;
	size_t room;
};

static void __attribute__((format(printf, 2, 3))) put(struct writing *to, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(to->at, to->room, format, list);
	va_end(list);
	if (length < 0 || (size_t)length >= to->room)
		length = to->room ? (int)to->room - 1 : 0;
	to->at += length;
	to->room -= (size_t)length;
}

void shape_text(const struct shape *shape, char *text, size_t room)
{
	struct writing to = { text, room };

	if (!shape->dimensions) {
		put(&to, "bytes");
		return;
	}
	put(&to, "%s [", shape_type_name(shape->type));
	for (uint32_t i = 0; i < shape->dimensions; i++) {
		const struct shape_extent *extent = &shape->extents[i];
		uint64_t own = extent->local - extent->before - extent->after;

		put(&to, i ? ", " : "");
		if (extent->before || extent->after)
			put(&to, "%" PRIu64 "+%" PRIu64 "+%" PRIu64, extent->before, own, extent->after);
		else
			put(&to, "%" PRIu64, own);
		if (own != extent->global)
			put(&to, " at %" PRIu64 " of %" PRIu64, extent->first, extent->global);
	}
	put(&to, "]");
}
