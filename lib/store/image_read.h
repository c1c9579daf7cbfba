/* SPDX-License-Identifier: BSD-3-Clause */
/* An image that is open for reading, as this room sees it. */
#ifndef STORE_IMAGE_READ_H
#define STORE_IMAGE_READ_H

#include <pthread.h>
#include <xxhash.h>

#include "store/codec.h"
#include "store/io.h"
#include "store/parents.h"

struct store_image {
	int fd;
	struct io_path path;
	struct format_header header;
	const struct format_rank *rank;  /* this one's entry in the header */
	struct store_identity identity;
	struct format_index index;
	struct parents *parents;
	struct store_record record;      /* data of messages is null until they are loaded */
	uint8_t *messages;
	pthread_mutex_t lock;            /* of the parents and of these: */
	struct image_direct { int fd, direct; size_t align; } *directs; /* files open once more, to be read past the page cache; direct: -1 if that is refused */
	size_t direct_count, direct_room;
};

/* Where a chunk's bytes are: in the image's own file, or in another's. */
struct image_source {
	int fd;
	const char *path;
	int direct;                      /* the same file, past the page cache; -1: that cannot be had */
	size_t align;                    /* of memory, for that */
};

/* Any thread. What it finds stays until the image is closed. */
int image_find_source(struct store_image *image, const struct format_chunk *chunk, struct image_source *source, struct fault *fault);

/* Opens a file group of a checkpoint and reads its header, which must be what the manifest says. *fd is -1 or to be closed, also after a failure. */
int image_open_file(int *fd, struct format_header *header, const char *path, const struct store_checkpoint *checkpoint, uint32_t group,
		    struct fault *fault);
/* Reads a rank's index. Free with format_free_index, also after a failure. */
int image_read_index(struct format_index *index, int fd, const struct format_header *header, const struct format_rank *rank, const char *path,
		     struct fault *fault);
/* As store_image_load_region, for every region in the index. */
int image_load(struct store_image *image, size_t index, void *data, struct fault *fault);
/* Checks the content of all regions in the index. The fault is of the first that is damaged. */
int image_check_all(struct store_image *image, struct fault *fault);

/* Chunk after chunk, each checked before it is given. What `take` returns, if not 0, ends it. */
int image_each_chunk(struct store_image *image, size_t index, int (*take)(void *context, uint64_t offset, const void *data, uint64_t bytes),
		     void *context, struct fault *fault);

#endif
