/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads chunks and checks them. Each thread has a reader of its own. */
#ifndef STORE_CHUNK_READ_H
#define STORE_CHUNK_READ_H

#include "store/image_read.h"
#include "store/nearby.h"

struct chunk_reader {
	struct store_image *image;
	struct nearby nearby;      /* for small ones */
	uint8_t *slot;             /* FORMAT_CHUNK_SIZE bytes on a page: what is in the file. These are null until they are needed */
	uint8_t *plain;            /* as many: content that nobody wants */
	struct codec *codec;
	XXH3_state_t *state;
	bool knows_zeros;
	XXH128_hash_t zeros;       /* of FORMAT_CHUNK_SIZE zeros */
};

void chunk_reader_close(struct chunk_reader *reader);
/* A chunk's content; to: null, if it is only to be checked. */
int chunk_read(struct chunk_reader *reader, const struct format_chunk *chunk, uint8_t *to, struct fault *fault);
/* Stored bytes of chunks that were read in this process, by all threads: how far a long piece of work is. */
uint64_t chunk_bytes_read(void);
void chunk_count_read(uint64_t bytes);

#endif
