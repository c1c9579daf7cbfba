/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks on their way into an image's file: gathered in slots of the ring, or from where they lie. */
#ifndef STORE_BLOCKS_H
#define STORE_BLOCKS_H

#include "store/image_write.h"

/* Blocks from here on are written from where they are, if the disk can take them from there; smaller ones are gathered. */
enum { BLOCKS_LARGE = 1 << 20 };

/* Bytes to be written, at most a slot's size of them. */
struct block_source {
	const uint8_t *data;
	size_t size;
	bool stays;               /* until image_settle */
	int slot;                 /* of the ring, at whose beginning they lie, and which is ours; -1: none */
};

int image_given_up(struct fault *fault);
/* Waits for one piece that is under way. */
int blocks_wait(struct image_writer *writer, struct fault *fault);
/* Takes what has come back, so that what is under way is under way. */
int blocks_collect(struct image_writer *writer, struct fault *fault);
/* Where nothing is gathered: so many bytes that follow lie side by side in the file. */
int blocks_together(struct image_writer *writer, uint64_t size, struct fault *fault);
/* Sends off a piece; its slot, if it lies in one, comes back with it. */
int blocks_start(struct image_writer *writer, const void *data, size_t size, uint64_t own, int slot, struct fault *fault);
/* Sends off what is gathered. */
int blocks_flush(struct image_writer *writer, struct fault *fault);
/* Makes writer->slot one with room for a block of so many bytes more. */
int blocks_need_slot(struct image_writer *writer, size_t size, struct fault *fault);
/* Makes a block of so many bytes, for which there is room, the next of the file: where its bytes go, and where that is in the file. */
uint8_t *blocks_next(struct image_writer *writer, size_t size, uint64_t *offset);
/* Appends a block. */
int blocks_put(struct image_writer *writer, struct block_source *source, uint64_t *offset, struct fault *fault);

#endif
