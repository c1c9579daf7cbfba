/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes one rank's image, block after block, from whichever thread calls; several blocks are on their way to the disk at a time. */
#ifndef STORE_IMAGE_WRITE_H
#define STORE_IMAGE_WRITE_H

#include "store/chain.h"
#include "store/choice.h"
#include "store/extents.h"
#include "store/io.h"
#include "store/ring.h"

/* How a process writes its images, and what it learns from one to the next. The writer's thread alone. */
struct image_way {
	struct choice choice;
	struct codec *codec;      /* null: not made yet */
	uint64_t rate;            /* bytes a second at most; 0: any */
	int64_t free_ns;          /* with that: when the next byte may be written */
	double coding_s;          /* went into coding in the image that is being written */
	uint64_t chunks[FORMAT_CODECS]; /* of it, by codec */
};

struct image_writer {
	/* Called after each write; false: give up. */
	bool (*go_on)(void *context);
	void *context;
	struct image_way *way;
	const struct store_files *files;
	bool read_back;           /* of a file that ranks share, this one's part is read again and compared before it counts as whole */
	uint64_t expected;        /* bytes of all regions: so much is reserved on the disk, if it is there, before anything is written */

	int fd;                   /* -1: there is no file */
	struct io_path folder;    /* the attempt's */
	struct io_path path;
	struct store_identity identity;
	struct shared_part part;  /* of a file that others write too; else not shared */
	struct extents extents;   /* of it */
	uint64_t offset;          /* as in a file of its own: where the last block ends; the next begins at format_place() from there on */
	uint64_t reserved;        /* how long the file was made beforehand */
	struct ring *ring;
	int slot;                 /* of the ring, with the blocks that end at offset and are not on their way yet; -1: none */
	size_t filled;            /* of it: whole pages but for the last. offset - filled is a multiple of FORMAT_ALIGN */
	struct format_index index;
	size_t region_room;
	size_t chunk_room;
	const struct chain_table *known; /* chunks that need not be written; null: all are */
	uint64_t referred;        /* as in struct store_image_result */
	uint64_t parents;
	uint64_t content;
	uint64_t table_hash;      /* after image_end */
	uint64_t bytes;           /* too: of the file; of one that is shared this rank's, and with those of the first rank the header's */
};

/* Makes the attempt's folder, if no other rank has, and the file. Every function here gives 0, a fault, or SEAMARK_E_VOID: given up. After any
 * failure only image_discard may follow. */
int image_begin(struct image_writer *writer, const char *folder, const struct store_identity *identity, struct fault *fault);
/* Appends a region; its name and the extents of its shape must stay until the end, its bytes until image_settle has returned, or image_discard. */
int image_put(struct image_writer *writer, enum format_kind kind, const struct store_region *put, struct fault *fault);
/* Waits until nothing that was put is read any more. */
int image_settle(struct image_writer *writer, struct fault *fault);
/* Writes index and header and makes file and folder durable; the file is closed. Where ranks share it, the last to come here does that for all. */
int image_end(struct image_writer *writer, struct fault *fault);
/* Lets go of everything, and with `remove` takes the file away. May be called at any time after image_begin, also twice. */
void image_discard(struct image_writer *writer, bool remove);

#endif
