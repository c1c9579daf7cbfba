/* SPDX-License-Identifier: BSD-3-Clause */
/* make_arrays FOLDER RANKS [SEED]: a checkpoint with arrays of every type, in 1 to 4 dimensions, cut unevenly into blocks with and without ghosts; and what is wrong
 * with arrays. check_arrays.py knows what their elements are. With a seed there is a second checkpoint, in which elements that it draws are other ones; a line for each
 * region of which some are: rank, how many, the first, the largest difference of a float64 (else -), name. */
#include <math.h>

#include "base/mix.h"
#include "base/shape.h"
#include "test_store_fixture.h"

enum { DIMENSIONS_MAX = 4 };

struct array {
	const char *name;
	uint32_t type, dimensions;
	uint64_t global[DIMENSIONS_MAX];
	uint64_t before[DIMENSIONS_MAX], after[DIMENSIONS_MAX];
	enum { WHOLE, HOLE, TWICE, ALONE } how;
};

static const struct array arrays[] = {
	{ "byte", SEAMARK_BYTE, 1, { 1000 }, {0}, {0}, WHOLE },
	{ "int8", SEAMARK_INT8, 1, { 7 }, { 1 }, { 2 }, WHOLE },
	{ "uint8", SEAMARK_UINT8, 2, { 37, 53 }, {0}, {0}, WHOLE },
	{ "int16", SEAMARK_INT16, 2, { 37, 53 }, { 1, 1 }, { 1, 1 }, WHOLE },
	{ "uint16", SEAMARK_UINT16, 2, { 5, 1 }, { 0, 2 }, { 3, 0 }, WHOLE },
	{ "int32", SEAMARK_INT32, 3, { 11, 13, 17 }, {0}, {0}, WHOLE },
	{ "uint32", SEAMARK_UINT32, 3, { 11, 13, 17 }, { 2, 2, 2 }, { 2, 2, 2 }, WHOLE },
	{ "int64", SEAMARK_INT64, 3, { 4, 4, 4 }, { 0, 0, 1 }, { 1, 0, 0 }, WHOLE },
	{ "uint64", SEAMARK_UINT64, 1, { 100003 }, { 1 }, { 1 }, WHOLE },
	{ "float32", SEAMARK_FLOAT32, 2, { 300, 500 }, { 1, 0 }, { 1, 0 }, WHOLE },
	{ "float64", SEAMARK_FLOAT64, 2, { 1500, 1001 }, { 1, 1 }, { 1, 1 }, WHOLE }, /* in several chunks */
	{ "complex64", SEAMARK_COMPLEX64, 3, { 6, 5, 4 }, {0}, {0}, WHOLE },
	{ "complex128", SEAMARK_COMPLEX128, 2, { 401, 1003 }, { 0, 3 }, { 0, 1 }, WHOLE },
	{ "rows", SEAMARK_FLOAT64, 3, { 1003, 100, 9 }, {0}, {0}, WHOLE },
	{ "four", SEAMARK_INT16, 4, { 3, 4, 5, 6 }, {0}, {0}, WHOLE },
	{ "empty", SEAMARK_FLOAT64, 2, { 4, 0 }, {0}, {0}, WHOLE },
	{ "hole/float", SEAMARK_FLOAT32, 2, { 20, 30 }, {0}, {0}, HOLE },
	{ "hole int", SEAMARK_INT32, 2, { 20, 30 }, {0}, {0}, HOLE },
	{ "twice", SEAMARK_INT32, 2, { 30, 40 }, { 2, 3 }, { 1, 2 }, TWICE },
	{ "alone", SEAMARK_UINT16, 1, { 10 }, {0}, {0}, ALONE },
};
enum { ARRAYS = sizeof arrays / sizeof arrays[0] };

static struct shape_extent extents[FIXTURE_RANKS_MAX][ARRAYS][DIMENSIONS_MAX];

/* Ranks in each dimension. */
static void cut(uint32_t ranks, uint32_t dimensions, uint32_t parts[DIMENSIONS_MAX])
{
	for (uint32_t i = 0; i < DIMENSIONS_MAX; i++)
		parts[i] = 1;
	if (ranks == 4 && dimensions > 1)
		parts[dimensions - 1] = parts[0] = 2;
	else if (ranks == 4)
		parts[0] = 4;
	else
		parts[dimensions > 2 ? dimensions - 2 : 0] = ranks;
}

/* The i-th of the parts of a dimension begins here: the first are smaller. */
static uint64_t bound(uint64_t extent, uint32_t i, uint32_t parts)
{
	return extent * i * (i + 1) / ((uint64_t)parts * (parts + 1));
}

static void place(const struct array *array, uint32_t rank, uint32_t ranks, struct shape_extent *extent)
{
	uint32_t parts[DIMENSIONS_MAX], at = rank;

	cut(ranks, array->dimensions, parts);
	for (uint32_t i = array->dimensions; i--; at /= parts[i]) {
		uint64_t from = bound(array->global[i], at % parts[i], parts[i]), to = bound(array->global[i], at % parts[i] + 1, parts[i]);

		extent[i] = (struct shape_extent){ array->global[i], from, to - from + array->before[i] + array->after[i], array->before[i],
			array->after[i] };
	}
	/* The last row is nobody's. */
	if (array->how == HOLE && extent[0].first + extent[0].local == extent[0].global && extent[0].local)
		extent[0].local--;
	/* The borders are no ghosts, as far as they lie in the array. */
	for (uint32_t i = 0; array->how == TWICE && i < array->dimensions; i++) {
		uint64_t own = extent[i].local - extent[i].before - extent[i].after;
		uint64_t before = extent[i].before < extent[i].first ? extent[i].before : extent[i].first;
		uint64_t behind = extent[i].global - extent[i].first - own, after = extent[i].after < behind ? extent[i].after : behind;

		extent[i] = (struct shape_extent){ extent[i].global, extent[i].first - before, own + before + after, 0, 0 };
	}
}

/* --- elements -------------------------------------------------------------------------------------------------------- */

static void put_element(uint32_t type, uint64_t index, uint8_t *to)
{
	uint64_t whole = (index + 1) * UINT64_C(0x9e3779b97f4a7c15) + type;
	double real = (double)(index * 37 % 10007) - 5000.5, imaginary = -(double)(index % 1000);
	float reals[2] = { (float)real, (float)imaginary };
	double doubles[2] = { real, imaginary };

	if (type < SEAMARK_FLOAT32)
		memcpy(to, &whole, shape_element_size(type));
	else if (type == SEAMARK_FLOAT32 || type == SEAMARK_COMPLEX64)
		memcpy(to, reals, shape_element_size(type));
	else
		memcpy(to, doubles, shape_element_size(type));
}

/* Ghosts are garbage. What a second rank has of an element is another value in every third column. */
static void put_elements(const struct array *array, const struct shape_extent *extent, uint32_t rank, uint8_t *to, uint64_t count)
{
	size_t size = shape_element_size(array->type);

	for (uint64_t element = 0; element < count; element++, to += size) {
		uint64_t index = 0, rest = element, local[DIMENSIONS_MAX];
		bool ghost = false;

		for (uint32_t i = array->dimensions; i--; rest /= extent[i].local) {
			local[i] = rest % extent[i].local;
			ghost |= local[i] < extent[i].before || local[i] >= extent[i].local - extent[i].after;
		}
		for (uint32_t i = 0; i < array->dimensions; i++)
			index = index * extent[i].global + extent[i].first + local[i] - extent[i].before;
		if (ghost)
			memset(to, 0xa5, size);
		else
			put_element(array->type, index, to);
		if (array->how == TWICE && index % 3 == 0)
			to[0] = (uint8_t)rank;
	}
}

static struct store_region region_of(const struct array *array, uint32_t rank, uint32_t ranks)
{
	struct shape_extent *extent = extents[rank][array - arrays];
	struct store_region region = { .name = array->name, .shape = { array->type, array->dimensions, extent } };
	const char *why;

	place(array, array->how == ALONE ? 0 : rank, array->how == ALONE ? 1 : ranks, extent);
	why = shape_check(&region.shape, &region.bytes);
	if (why) {
		fprintf(stderr, "make_arrays: '%s': %s\n", array->name, why);
		exit(3);
	}
	region.data = malloc(region.bytes + 1);
	put_elements(array, extent, rank, (uint8_t *)(uintptr_t)region.data, region.bytes / shape_element_size(array->type));
	return region;
}

/* --- changes ----------------------------------------------------------------------------------------------------------- */

static uint64_t below(uint64_t *draws, uint64_t bound)
{
	return (*draws = mix64(*draws)) % bound;
}

/* Some bit of an element, or, of a float64, a number added; an element may be drawn twice. */
static void change(const struct store_region *region, uint32_t rank, uint64_t *draws)
{
	size_t size = region->shape.dimensions ? shape_element_size(region->shape.type) : 1;
	uint64_t elements = region->bytes / size, changes = below(draws, 4), first = UINT64_MAX, differ = 0;
	uint64_t changed[4];
	double largest = 0;

	for (uint64_t i = 0; elements && i < changes; i++) {
		uint64_t at = below(draws, elements), j = 0;
		uint8_t *element = (uint8_t *)(uintptr_t)region->data + at * size;
		double value, before;

		for (; j < differ && changed[j] != at; j++)
			continue;
		if (j < differ)
			continue;
		changed[differ++] = at;
		first = at < first ? at : first;
		if (region->shape.dimensions && region->shape.type == SEAMARK_FLOAT64) {
			memcpy(&value, element, sizeof value);
			before = value;
			value += 1.0 / (double)(1 + below(draws, 100));
			memcpy(element, &value, sizeof value);
			largest = fmax(largest, fabs(value - before));
		} else {
			element[below(draws, size)] ^= 1;
		}
	}
	if (differ && region->shape.dimensions && region->shape.type == SEAMARK_FLOAT64)
		printf("%u %llu %llu %.17g %s\n", rank, (unsigned long long)differ, (unsigned long long)first, largest, region->name);
	else if (differ)
		printf("%u %llu %llu - %s\n", rank, (unsigned long long)differ, (unsigned long long)first, region->name);
}

int main(int argc, char **argv)
{
	static struct fixture_part parts[FIXTURE_RANKS_MAX];
	static char plain[FIXTURE_RANKS_MAX][32];
	uint32_t ranks = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	struct fixture fixture;

	if (ranks < 1 || ranks > 4) {
		fputs("usage: make_arrays FOLDER RANKS [SEED]\n", stderr);
		return 2;
	}
	fixture_begin(&fixture, argv[1], ranks);
	for (uint32_t rank = 0; rank < ranks; rank++) {
		struct fixture_part *part = &parts[rank];

		for (size_t i = 0; i < ARRAYS; i++)
			if (arrays[i].how != ALONE || rank == ranks - 1)
				part->regions[part->region_count++] = region_of(&arrays[i], rank, ranks);
		snprintf(plain[rank], sizeof plain[rank], "plain of %u%.*s", rank, (int)rank, "....");
		part->regions[part->region_count++] = (struct store_region){ .name = "plain", .data = plain[rank], .bytes = strlen(plain[rank]) };
	}
	fixture_take(&fixture, fixture.next++, parts, 0);
	if (argc > 3) {
		uint64_t draws = mix64(strtoull(argv[3], NULL, 10));

		for (uint32_t rank = 0; rank < ranks; rank++)
			for (size_t i = 0; i < parts[rank].region_count; i++)
				change(&parts[rank].regions[i], rank, &draws);
		fixture_take(&fixture, fixture.next++, parts, 0);
	}
	fixture_end(&fixture);
	for (uint32_t rank = 0; rank < ranks; rank++)
		for (size_t i = 0; i + 1 < parts[rank].region_count; i++)
			free((void *)(uintptr_t)parts[rank].regions[i].data);
	return 0;
}
