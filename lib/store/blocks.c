/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/blocks.h"

#include <string.h>
#include <time.h>

#define PAUSE_NS INT64_C(50000000)

int image_given_up(struct fault *fault)
{
	return fault_set(fault, SEAMARK_E_VOID, "the image was given up");
}

int blocks_wait(struct image_writer *writer, struct fault *fault)
{
	struct ring_piece done;
	int code = ring_wait(writer->ring, &done, fault);

	if (done.slot >= 0)
		ring_give_slot(writer->ring, done.slot);
	if (ring_tells(writer->ring))
		choice_saw(&writer->way->choice, io_now_ns(), done.size, ring_bytes_under_way(writer->ring));
	if (!code && !writer->go_on(writer->context))
		code = image_given_up(fault);
	return code;
}

/* Waits until what was written is within the rate. That is progress: the disk is well. */
static int hold_back(struct image_writer *writer, size_t size, struct fault *fault)
{
	struct image_way *way = writer->way;
	int64_t now = io_now_ns();

	if (!way->rate)
		return 0;
	for (; now < way->free_ns; now = io_now_ns()) {
		int64_t pause = way->free_ns - now < PAUSE_NS ? way->free_ns - now : PAUSE_NS;

		nanosleep(&(struct timespec){ .tv_nsec = pause }, NULL);
		if (!writer->go_on(writer->context))
			return image_given_up(fault);
	}
	way->free_ns = now + (int64_t)((double)size * 1e9 / (double)way->rate);
	return 0;
}

/* The header's place is the same for all. */
static int place(struct image_writer *writer, uint64_t own, size_t size, uint64_t *offset, struct fault *fault)
{
	*offset = own;
	return writer->part.shared && own ? extents_give(&writer->extents, &writer->part, own, size, offset, fault) : 0;
}

int blocks_together(struct image_writer *writer, uint64_t size, struct fault *fault)
{
	uint64_t offset;

	return writer->part.shared ? extents_give(&writer->extents, &writer->part, writer->offset, size, &offset, fault) : 0;
}

int blocks_start(struct image_writer *writer, const void *data, size_t size, uint64_t own, int slot, struct fault *fault)
{
	uint64_t offset;
	int code = hold_back(writer, size, fault);

	if (!code)
		code = place(writer, own, size, &offset, fault);
	while (!code && !ring_has_room(writer->ring))
		code = blocks_wait(writer, fault);
	if (code)
		return code;
	ring_start(writer->ring, &(struct ring_piece){
		.write = true, .data = (uint8_t *)(uintptr_t)data, .size = size, .offset = offset, .slot = slot,
	});
	return 0;
}

/* What is written is whole pages: the next block begins on another. */
int blocks_flush(struct image_writer *writer, struct fault *fault)
{
	size_t size = (size_t)format_padded(writer->filled);
	int slot = writer->slot, code;

	if (!writer->filled)
		return 0;
	memset(ring_slot(writer->ring, slot) + writer->filled, 0, size - writer->filled);
	code = blocks_start(writer, ring_slot(writer->ring, slot), size, writer->offset - writer->filled, slot, fault);
	if (!code) {
		writer->offset += size - writer->filled;
		writer->slot = -1;
		writer->filled = 0;
	}
	return code;
}

static size_t gap_before(const struct image_writer *writer, size_t size)
{
	return (size_t)(format_place(writer->offset, size) - writer->offset);
}

int blocks_need_slot(struct image_writer *writer, size_t size, struct fault *fault)
{
	int code = writer->filled + gap_before(writer, size) + size > RING_SLOT_SIZE ? blocks_flush(writer, fault) : 0;

	while (!code && writer->slot < 0 && (writer->slot = ring_take_slot(writer->ring)) < 0)
		code = blocks_wait(writer, fault);
	return code;
}

uint8_t *blocks_next(struct image_writer *writer, size_t size, uint64_t *offset)
{
	size_t gap = gap_before(writer, size);
	uint8_t *to = ring_slot(writer->ring, writer->slot) + writer->filled;

	memset(to, 0, gap);
	writer->filled += gap + size;
	writer->offset += gap + size;
	*offset = writer->offset - size;
	return to + gap;
}

int image_settle(struct image_writer *writer, struct fault *fault)
{
	int code = 0;

	while (!code && ring_under_way(writer->ring))
		code = blocks_wait(writer, fault);
	return code;
}

/* From where they are, as far as that goes: how much of them, 0 if nothing. */
static int send_off(struct image_writer *writer, struct block_source *source, uint64_t *offset, size_t *sent, struct fault *fault)
{
	bool whole = source->slot >= 0;
	size_t size = whole ? (size_t)format_padded(source->size) : source->size / FORMAT_ALIGN * FORMAT_ALIGN;
	int code;

	*sent = 0;
	if (source->size < BLOCKS_LARGE || !(whole || (source->stays && ring_fits(writer->ring, source->data, size, 0))))
		return 0;
	code = blocks_flush(writer, fault);
	*offset = writer->offset;
	if (whole)
		memset(ring_slot(writer->ring, source->slot) + source->size, 0, size - source->size);
	if (!code)
		code = blocks_together(writer, format_padded(source->size), fault);
	if (!code)
		code = blocks_start(writer, source->data, size, writer->offset, source->slot, fault);
	if (code)
		return code;
	source->slot = -1;
	writer->offset += size;
	*sent = whole ? source->size : size;
	return 0;
}

int blocks_put(struct image_writer *writer, struct block_source *source, uint64_t *offset, struct fault *fault)
{
	uint64_t of_rest;
	size_t sent, rest;
	int code = send_off(writer, source, offset, &sent, fault);

	rest = source->size - sent;
	if (!code && rest)
		code = blocks_need_slot(writer, rest, fault);
	if (code || !rest)
		return code;
	/* What is left of a large one follows it at once: that ends with a page. */
	memcpy(blocks_next(writer, rest, &of_rest), source->data + sent, rest);
	if (!sent)
		*offset = of_rest;
	/* What comes next need not lie beside it. */
	return sent && writer->part.shared ? blocks_flush(writer, fault) : 0;
}

int blocks_collect(struct image_writer *writer, struct fault *fault)
{
	int code = 0;

	while (!code && ring_has_done(writer->ring))
		code = blocks_wait(writer, fault);
	return code;
}
