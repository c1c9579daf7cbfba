/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/chunk_read.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Smaller reads are left to the page cache, which reads ahead. */
enum { DIRECT_LEAST = 128 << 10 };

static _Atomic uint64_t bytes_read;

void chunk_count_read(uint64_t bytes)
{
	atomic_fetch_add_explicit(&bytes_read, bytes, memory_order_relaxed);
}

uint64_t chunk_bytes_read(void)
{
	return atomic_load_explicit(&bytes_read, memory_order_relaxed);
}

void chunk_reader_close(struct chunk_reader *reader)
{
	nearby_close(&reader->nearby);
	free(reader->slot);
	free(reader->plain);
	codec_close(reader->codec);
	XXH3_freeState(reader->state);
	memset(reader, 0, sizeof *reader);
}

static int no_memory(const struct chunk_reader *reader, struct fault *fault)
{
	return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", reader->image->path.text);
}

static int damaged(const struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, const char *why,
		   struct fault *fault)
{
	const struct format_region *region = &reader->image->index.regions[chunk->region];
	const char *what = region->kind == FORMAT_PROTECTED ? region->name : region->kind == FORMAT_RECORD ? "(ledger)" : "(messages)";

	return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': region '%s', bytes %llu to %llu: %s", source->path, what,
			 (unsigned long long)chunk->logical, (unsigned long long)(chunk->logical + chunk->length - 1), why);
}

static int check_content(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, XXH128_hash_t hash,
			 struct fault *fault)
{
	if (hash.low64 != chunk->content_hash[0] || hash.high64 != chunk->content_hash[1])
		return damaged(reader, chunk, source, "the content is not what its hash says", fault);
	return 0;
}

/* --- bytes ----------------------------------------------------------------------------------------------------------- */

static bool goes_direct(const struct image_source *source, const void *to, size_t size)
{
	return source->direct >= 0 && size >= DIRECT_LEAST && (uintptr_t)to % source->align == 0;
}

/* Memory with room for whole pages, if they are read past the page cache. What does not come that way, for whatever reason, is asked for again by way of the page cache:
 * that tells why. */
static int fetch(const struct image_source *source, void *to, size_t size, uint64_t offset, struct fault *fault)
{
	if (goes_direct(source, to, size) && pread(source->direct, to, (size_t)format_padded(size), (off_t)offset) >= (ssize_t)size)
		return 0;
	return io_read(source->fd, to, size, offset, source->path, fault);
}

static int fetch_to_slot(struct chunk_reader *reader, const struct image_source *source, size_t size, uint64_t offset, struct fault *fault)
{
	if (!reader->slot)
		reader->slot = aligned_alloc(FORMAT_ALIGN, FORMAT_CHUNK_SIZE);
	return reader->slot ? fetch(source, reader->slot, size, offset, fault) : no_memory(reader, fault);
}

/* All the stored bytes of a chunk, which are at most a slot's size. */
static int fetch_all(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, const uint8_t **place,
		     struct fault *fault)
{
	size_t stored = (size_t)chunk->stored;
	int code;

	if (stored < FORMAT_SMALL)
		return nearby_read(&reader->nearby, source->fd, source->path, chunk->offset, stored, place, fault);
	code = fetch_to_slot(reader, source, stored, chunk->offset, fault);
	*place = reader->slot;
	return code;
}

/* --- a plain chunk --------------------------------------------------------------------------------------------------- */

/* A part of it of at most a slot's size: its place in memory afterwards, the caller's if he wants it. */
static int fetch_part(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, uint64_t at, size_t size,
		      uint8_t *to, const uint8_t **place, struct fault *fault)
{
	size_t whole = size / FORMAT_ALIGN * FORMAT_ALIGN, straight = 0;
	int code = 0;

	/* Straight to where it is wanted, all but the rest of a page that cannot come past the page cache. */
	if (to && source->direct < 0)
		straight = size;
	else if (to && goes_direct(source, to, whole))
		straight = whole;
	if (straight)
		code = fetch(source, to, straight, chunk->offset + at, fault);
	if (!code && straight < size)
		code = fetch_to_slot(reader, source, size - straight, chunk->offset + at + straight, fault);
	if (!code && to && straight < size)
		memcpy(to + straight, reader->slot, size - straight);
	*place = to ? to : reader->slot;
	return code;
}

static int check_plain(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, XXH128_hash_t hash,
		       uint64_t checksum, struct fault *fault)
{
	if (checksum != chunk->checksum)
		return damaged(reader, chunk, source, "the checksum is wrong", fault);
	return check_content(reader, chunk, source, hash, fault);
}

static int read_small(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, uint8_t *to, struct fault *fault)
{
	size_t size = (size_t)chunk->stored;
	const uint8_t *place;
	int code = fetch_all(reader, chunk, source, &place, fault);

	if (!code)
		code = check_plain(reader, chunk, source, XXH3_128bits(place, size), XXH3_64bits(place, size), fault);
	if (!code && to)
		memcpy(to, place, size);
	return code;
}

/* Of more than 240 bytes. */
static int read_plain(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, uint8_t *to, struct fault *fault)
{
	const uint8_t *place = NULL;
	XXH128_hash_t hash;

	if (!reader->state && !(reader->state = XXH3_createState()))
		return no_memory(reader, fault);
	XXH3_128bits_reset(reader->state);
	for (uint64_t at = 0; at < chunk->stored; at += FORMAT_CHUNK_SIZE) {
		size_t size = chunk->stored - at < FORMAT_CHUNK_SIZE ? (size_t)(chunk->stored - at) : FORMAT_CHUNK_SIZE;
		int code = fetch_part(reader, chunk, source, at, size, to ? to + at : NULL, &place, fault);

		if (code)
			return code;
		XXH3_128bits_update(reader->state, place, size);
	}
	hash = XXH3_128bits_digest(reader->state);
	/* Then the one is the lower half of the other. */
	return check_plain(reader, chunk, source, hash, hash.low64, fault);
}

/* --- a coded one, of at most FORMAT_CHUNK_SIZE bytes ------------------------------------------------------------------- */

static int read_zeros(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, uint8_t *to, struct fault *fault)
{
	size_t size = (size_t)chunk->length;
	bool usual = size == FORMAT_CHUNK_SIZE;
	XXH128_hash_t hash;

	if (XXH3_64bits(NULL, 0) != chunk->checksum)
		return damaged(reader, chunk, source, "the checksum is wrong", fault);
	memset(to, 0, size);
	hash = usual && reader->knows_zeros ? reader->zeros : XXH3_128bits(to, size);
	if (usual)
		reader->zeros = hash;
	reader->knows_zeros = reader->knows_zeros || usual;
	return check_content(reader, chunk, source, hash, fault);
}

static int read_coded(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, uint8_t *to, struct fault *fault)
{
	size_t stored = (size_t)chunk->stored, size = (size_t)chunk->length;
	const uint8_t *coded;
	int code;

	if (!to && !reader->plain && !(reader->plain = malloc(FORMAT_CHUNK_SIZE)))
		return no_memory(reader, fault);
	to = to ? to : reader->plain;
	if (chunk->codec == FORMAT_ZERO)
		return read_zeros(reader, chunk, source, to, fault);
	if (!reader->codec && !(reader->codec = codec_open()))
		return no_memory(reader, fault);
	code = fetch_all(reader, chunk, source, &coded, fault);
	if (code)
		return code;
	if (XXH3_64bits(coded, stored) != chunk->checksum)
		return damaged(reader, chunk, source, "the checksum is wrong", fault);
	if (!codec_decode(reader->codec, chunk->codec, to, size, coded, stored))
		return damaged(reader, chunk, source, "it cannot be decompressed", fault);
	return check_content(reader, chunk, source, XXH3_128bits(to, size), fault);
}

int chunk_read(struct chunk_reader *reader, const struct format_chunk *chunk, uint8_t *to, struct fault *fault)
{
	struct image_source source;
	int code = image_find_source(reader->image, chunk, &source, fault);

	if (code)
		return code;
	if (chunk->codec != FORMAT_PLAIN)
		code = read_coded(reader, chunk, &source, to, fault);
	else if (chunk->stored < FORMAT_SMALL)
		code = read_small(reader, chunk, &source, to, fault);
	else
		code = read_plain(reader, chunk, &source, to, fault);
	chunk_count_read(chunk->stored);
	return code;
}
