/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes one rank's image, block after block, from whichever thread calls. */
#ifndef STORE_IMAGE_WRITE_H
#define STORE_IMAGE_WRITE_H

#include "store/format.h"
#include "store/io.h"

struct image_writer {
	/* Called after each write; false: give up. */
	bool (*go_on)(void *context);
	void *context;

	int fd;                   /* -1: there is no file */
	struct io_path folder;    /* the attempt's */
	struct io_path path;
	struct store_identity identity;
	uint64_t offset;          /* of the next block */
	uint8_t *buffer;          /* the blocks that end at offset and are not written yet */
	size_t filled;
	struct format_index index;
	size_t region_room;
	size_t chunk_room;
	uint64_t content;
	uint64_t table_hash;      /* after image_end */
	uint8_t *fetched;         /* a chunk of a region that has to be read; made when there is one */
};

/* Makes the attempt's folder, if no other rank has, and the file. Every function here gives 0, a fault, or SEAMARK_E_VOID: given up. After any
 * failure only image_discard may follow. */
int image_begin(struct image_writer *writer, const char *folder, const struct store_identity *identity, struct fault *fault);
/* Appends a region; its name and the extents of its shape must stay until the end. */
int image_put(struct image_writer *writer, enum format_kind kind, const struct store_region *put, struct fault *fault);
/* Writes index and header and makes file and folder durable; the file is closed. */
int image_end(struct image_writer *writer, struct fault *fault);
/* Lets go of everything, and with `remove` takes the file away. May be called at any time after image_begin, also twice. */
void image_discard(struct image_writer *writer, bool remove);

#endif
