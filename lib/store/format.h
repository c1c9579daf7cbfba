/* SPDX-License-Identifier: BSD-3-Clause */
/* The coding of an image's header and index, as docs/format.md has them. Knows no files: bytes in, structures out. */
#ifndef STORE_FORMAT_H
#define STORE_FORMAT_H

#include "base/bytes.h"
#include "store/store.h"

enum {
	FORMAT_VERSION = 1,
	FORMAT_ALIGN = 4096,           /* every large block begins at a multiple */
	FORMAT_SMALL = 65536,          /* a block of fewer bytes need not: */
	FORMAT_SMALL_ALIGN = 8,        /* it begins at a multiple of that */
	FORMAT_HEADER_SIZE = 4096,     /* at least; a multiple of it: format_header_size() */
	FORMAT_HEADER_MOST = 32768,
	FORMAT_RANKS_MAX = 509,        /* in one file: as many as have room in such a header */
	FORMAT_CHUNK_SIZE = 4 << 20,   /* what is written; any is read, if it is plain; coded ones have at most that */
	FORMAT_NAME_MAX = 255,
	FORMAT_REGION_ENTRY = 48,
	FORMAT_EXTENT_ENTRY = 40,      /* of each dimension */
	FORMAT_CHUNK_ENTRY = 96,
	FORMAT_MESSAGE_ALIGN = 16,
	FORMAT_PARENTS_MAX = STORE_PARENTS_MAX
};

enum format_kind { FORMAT_PROTECTED, FORMAT_RECORD, FORMAT_MESSAGES };
enum format_codec { FORMAT_PLAIN, FORMAT_ZERO, FORMAT_LZ4, FORMAT_ZSTD };
enum { FORMAT_CODECS = FORMAT_ZSTD + 1 };

struct format_rank {
	uint32_t rank;
	uint64_t index_offset;
	uint64_t index_size;
	uint64_t table_hash;
	uint64_t content;              /* bytes of all regions */
};

struct format_header {
	struct store_identity identity; /* rank is not in the header: it is 0 */
	uint32_t group;
	uint64_t file_size;
	uint32_t rank_count;
	struct format_rank ranks[FORMAT_RANKS_MAX];
};

struct format_region {
	enum format_kind kind;
	uint64_t bytes;
	uint64_t first_chunk;
	uint64_t chunk_count;
	struct shape shape;
	char *name;
};

/* The file that has a chunk's bytes, when it is not the image's own: always the one that they were written to, never one that refers to another. */
struct format_place {
	uint64_t number;               /* of the checkpoint */
	uint32_t life;
	uint32_t group;
	uint32_t rank;
	uint32_t chunk;                /* its index in that rank's table */
};

struct format_chunk {
	uint32_t region;
	enum format_codec codec;
	uint64_t logical;
	uint64_t length;
	uint64_t stored;
	uint64_t checksum;
	uint64_t content_hash[2];      /* low, high */
	uint64_t offset;               /* in the file that has it */
	bool elsewhere;                /* not in the image's own file, but at: */
	struct format_place place;
};

struct format_index {
	struct format_region *regions;
	size_t region_count;
	struct format_chunk *chunks;
	size_t chunk_count;
	size_t *by_name;               /* protected regions, sorted */
	size_t protected_count;        /* they come first */
	void *memory;                  /* names and extents */
};

/* With what follows it up to the next page. */
static inline uint64_t format_padded(uint64_t size)
{
	return (size + FORMAT_ALIGN - 1) / FORMAT_ALIGN * FORMAT_ALIGN;
}

/* Of what the place of a block of so many bytes is a multiple. */
static inline uint64_t format_align(uint64_t size)
{
	return size < FORMAT_SMALL ? FORMAT_SMALL_ALIGN : FORMAT_ALIGN;
}

/* The first place that it may have, from `end` on. */
static inline uint64_t format_place(uint64_t end, uint64_t size)
{
	return (end + format_align(size) - 1) / format_align(size) * format_align(size);
}

/* Of a file with so many ranks. */
static inline uint32_t format_header_size(uint32_t ranks)
{
	return (uint32_t)format_padded(128 + UINT32_C(64) * ranks + 8);
}

/* header: format_header_size() bytes. */
void format_put_header(uint8_t *data, const struct format_header *header);
/* How many bytes the header has that begins so, in a file of that size. */
uint32_t format_header_span(const uint8_t page[FORMAT_HEADER_SIZE], uint64_t file_size);
/* data: as many. file_size: what the file system says. `what` names the file in faults. */
int format_get_header(struct format_header *header, const uint8_t *data, uint64_t file_size, const char *what, struct fault *fault);

/* own: number, life, and as rank the image's own. */
void format_put_index(struct bytes_out *out, const struct format_index *index, const struct store_identity *own, uint32_t group);
/* Free with format_free_index, also after a failure. */
int format_get_index(struct format_index *index, const void *data, size_t size, const struct format_header *header,
		     const struct format_rank *rank, const char *what, struct fault *fault);
void format_free_index(struct format_index *index);
/* The protected region with a name, SIZE_MAX: none. */
size_t format_find_region(const struct format_index *index, const char *name);

/* The record, without the messages' bytes; these are laid out by format_message_offset. */
void format_put_record(struct bytes_out *out, const struct store_record *record);
/* Decodes a record for an image of a scope of `ranks`; data of messages is null. *message_size: how long the region of their bytes must be. The
 * arrays belong to the record: format_free_record, also after a failure. */
int format_get_record(struct store_record *record, uint64_t *message_size, const void *data, size_t size, uint32_t ranks,
		      const char *what, struct fault *fault);
void format_free_record(struct store_record *record);

static inline uint64_t format_message_offset(uint64_t end_of_last)
{
	return (end_of_last + FORMAT_MESSAGE_ALIGN - 1) / FORMAT_MESSAGE_ALIGN * FORMAT_MESSAGE_ALIGN;
}

#endif
