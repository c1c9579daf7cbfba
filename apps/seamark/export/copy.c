/* SPDX-License-Identifier: BSD-3-Clause */
/* From the images into the files, a stored piece at a time. Where ranks share elements, the lowest rank's are taken. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/shape.h"
#include "export/export.h"

enum { STATUS_NONE = 100 };

/* A block on its way. Its memory is rows along one dimension; all later dimensions are whole, and part of what the row consists of. */
struct way {
	struct export_item *item;
	const struct export_block *block;
	const struct seamark_files_extent *extents;
	uint32_t dimension;         /* that the rows go along */
	uint64_t unit;              /* bytes of one index of a row */
	uint64_t row;               /* bytes in memory */
	int fd;
	const char *path;
	uint64_t offset;            /* in the file */
	int status;
};

static int stop(struct way *way, int status)
{
	way->status = status;
	return 1;
}

/* --- runs: bytes that are neighbours in the image and in the array ---------------------------------------------------- */

static int write_run(struct way *way, const uint8_t *data, uint64_t bytes, uint64_t at)
{
	way->item->written += bytes;
	way->status = export_write(way->fd, data, bytes, way->offset + at, way->path);
	return way->status != EXIT_FINE;
}

static int compare_run(struct way *way, const uint8_t *data, uint64_t bytes, uint64_t at)
{
	uint64_t size = shape_element_size(way->item->type);
	uint8_t there[4096];

	way->item->twice += bytes;
	for (uint64_t done = 0, piece; done < bytes; done += piece) {
		piece = bytes - done < sizeof there ? bytes - done : sizeof there;
		if (pread(way->fd, there, piece, (off_t)(way->offset + at + done)) != (ssize_t)piece) {
			command_complain("cannot read '%s': %s", way->path, strerror(errno));
			return stop(way, EXIT_CANNOT_READ);
		}
		for (uint64_t i = 0; i < piece; i += size)
			way->item->differing += !!memcmp(there + i, data + done + i, piece - i < size ? piece - i : size);
	}
	return 0;
}

/* Which bytes of a row another block has; index: of the row. false: none. */
static bool shared_part(const struct way *way, const struct export_block *other, const uint64_t *index, uint64_t *from, uint64_t *to)
{
	for (uint32_t i = 0; i < way->dimension; i++)
		if (index[i] < other->first[i] || index[i] - other->first[i] >= other->own[i])
			return false;
	*from = other->first[way->dimension] * way->unit;
	*to = *from + other->own[way->dimension] * way->unit;
	return true;
}

/* from..to: bytes along the dimension, in the array. at: where its index 0 is. */
static int put_shared(struct way *way, const uint8_t *data, const uint64_t *index, uint64_t from, uint64_t to, uint64_t at)
{
	int ended = 0;

	for (uint64_t end; !ended && from < to; data += end - from, from = end) {
		bool taken = false;

		end = to;
		for (struct export_block **other = way->block->over; *other; other++) {
			uint64_t first, behind;

			if (!shared_part(way, *other, index, &first, &behind) || behind <= from)
				continue;
			/* Inside one of them the longest of these, outside up to the nearest. */
			if (first <= from) {
				end = taken && end > behind ? end : behind < to ? behind : to;
				taken = true;
			} else if (!taken && first < end) {
				end = first;
			}
		}
		ended = taken ? compare_run(way, data, end - from, at + from) : write_run(way, data, end - from, at + from);
	}
	return ended;
}

/* A part of a row: bytes from..to of it. */
static int put_row(struct way *way, uint64_t row, uint64_t from, uint64_t to, const uint8_t *data)
{
	const struct seamark_files_extent *along = &way->extents[way->dimension];
	uint64_t own_from = along->before * way->unit, own_to = own_from + way->block->own[way->dimension] * way->unit;
	uint64_t index[SHAPE_DIMENSIONS_MAX], at = 0, start;

	for (uint32_t i = way->dimension; i--; row /= way->extents[i].local) {
		uint64_t local = row % way->extents[i].local;

		if (local < way->extents[i].before || local - way->extents[i].before >= way->block->own[i])
			return 0; /* all ghosts */
		index[i] = way->extents[i].first + local - way->extents[i].before;
	}
	for (uint32_t i = 0; i < way->dimension; i++)
		at = (at + index[i]) * way->item->global[i + 1];
	at *= way->unit;
	start = from > own_from ? from : own_from;
	if (to > own_to)
		to = own_to;
	if (start >= to)
		return 0;
	data += start - from;
	start = start - own_from + along->first * way->unit;
	to = to - own_from + along->first * way->unit;
	return way->block->over ? put_shared(way, data, index, start, to, at) : write_run(way, data, to - start, at + start);
}

static int take_rows(void *context, uint64_t offset, const void *data, uint64_t bytes)
{
	struct way *way = context;
	const uint8_t *at = data;
	int ended = 0;

	while (!ended && bytes) {
		uint64_t from = offset % way->row, size = way->row - from < bytes ? way->row - from : bytes;

		ended = put_row(way, offset / way->row, from, from + size, at);
		at += size;
		offset += size;
		bytes -= size;
	}
	return ended;
}

static int take_bytes(void *context, uint64_t offset, const void *data, uint64_t bytes)
{
	struct way *way = context;

	way->status = export_write(way->fd, data, bytes, way->offset + offset, way->path);
	return way->status != EXIT_FINE;
}

/* --- blocks ------------------------------------------------------------------------------------------------------------ */

static void find_rows(struct way *way)
{
	way->dimension = way->item->dimensions - 1;
	way->unit = shape_element_size(way->item->type);
	/* Of an array that others share in, rows stay rows: the others may have parts of them. */
	while (way->dimension && !way->block->over && way->extents[way->dimension].local == way->item->global[way->dimension] &&
	       way->block->own[way->dimension] == way->extents[way->dimension].local)
		way->unit *= way->extents[way->dimension--].local;
	way->row = way->extents[way->dimension].local * way->unit;
}

static int copy_block(struct way *way, seamark_files_image *image, const struct export_place *place)
{
	int code;

	way->path = place->temporary;
	way->offset = place->offset;
	way->fd = open(way->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (way->fd < 0) {
		command_complain("cannot write '%s': %s", way->path, strerror(errno));
		return EXIT_CANNOT_READ;
	}
	way->status = STATUS_NONE;
	if (way->item->dimensions)
		find_rows(way);
	code = seamark_files_read_pieces(image, way->item->name, way->item->dimensions ? take_rows : take_bytes, way);
	if (close(way->fd) && !code) {
		command_complain("cannot write '%s': %s", way->path, strerror(errno));
		return EXIT_CANNOT_READ;
	}
	if (!code)
		return EXIT_FINE;
	if (way->status != STATUS_NONE && way->status != EXIT_FINE)
		return way->status;
	command_complain("rank %" PRIu32 ": %s", way->block->rank, seamark_files_error());
	return EXIT_PROBLEMS;
}

static int copy_rank(struct export_target *target, uint32_t rank, size_t *next)
{
	struct seamark_files_region region;
	seamark_files_image *image;
	int status = EXIT_FINE;

	if (seamark_files_image_open(&image, target->plan->checkpoint, rank)) {
		command_complain("rank %" PRIu32 ": %s", rank, seamark_files_error());
		return EXIT_PROBLEMS;
	}
	for (size_t i = 0; !status && i < target->plan->count; i++) {
		struct export_item *item = target->plan->items[i];
		struct way way = { .item = item };

		if (item->left_out || next[i] >= item->count || item->blocks[next[i]].rank != rank)
			continue;
		way.block = &item->blocks[next[i]];
		status = seamark_files_region_of(image, item->name, &region) ? EXIT_PROBLEMS : EXIT_FINE;
		way.extents = region.extents;
		if (!status && way.block->bytes)
			status = copy_block(&way, image, &target->places[i][item->dimensions ? 0 : next[i]]);
		next[i]++;
	}
	seamark_files_image_close(image);
	return status;
}

/* --- what no rank has ---------------------------------------------------------------------------------------------------- */

/* Numbers that can say that they are none do; all others are 0. */
static int fill(const struct export_item *item, const struct export_place *place)
{
	enum { PIECE = 1 << 16 };
	static const float nan32 = __builtin_nanf("");
	static const double nan64 = __builtin_nan("");
	bool single = item->type == SEAMARK_FLOAT32 || item->type == SEAMARK_COMPLEX64;
	size_t size = single ? sizeof nan32 : sizeof nan64;
	uint8_t *piece = malloc(PIECE);
	int fd = open(place->temporary, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int status = piece && fd >= 0 ? EXIT_FINE : EXIT_CANNOT_READ;

	if (status)
		command_complain("cannot write '%s': %s", place->temporary, strerror(errno));
	for (size_t i = 0; !status && i < PIECE; i += size)
		memcpy(piece + i, single ? (const void *)&nan32 : &nan64, size);
	for (uint64_t done = 0; !status && done < item->bytes; done += PIECE)
		status = export_write(fd, piece, item->bytes - done < PIECE ? item->bytes - done : PIECE, place->offset + done, place->temporary);
	if (fd >= 0)
		close(fd);
	free(piece);
	return status;
}

int export_copy(struct export_target *target)
{
	const struct export_plan *plan = target->plan;
	size_t *next = calloc(plan->count + 1, sizeof *next);
	int status = next ? EXIT_FINE : EXIT_CANNOT_READ;

	if (status)
		command_complain("no memory for the list of regions");
	for (size_t i = 0; !status && i < plan->count; i++)
		if (!plan->items[i]->left_out && plan->items[i]->holes && plan->items[i]->type >= SEAMARK_FLOAT32)
			status = fill(plan->items[i], target->places[i]);
	for (uint32_t rank = 0; !status && rank < plan->entry->ranks; rank++)
		status = copy_rank(target, rank, next);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i]->dimensions) {
			plan->items[i]->written /= shape_element_size(plan->items[i]->type);
			plan->items[i]->twice /= shape_element_size(plan->items[i]->type);
		}
	free(next);
	return status;
}
