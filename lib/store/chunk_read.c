/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/chunk_read.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Smaller reads are left to the page cache, which reads ahead. */
enum { DIRECT_LEAST = 128 << 10 };

void chunk_reader_close(struct chunk_reader *reader)
{
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

/* --- bytes ----------------------------------------------------------------------------------------------------------- */

static bool goes_direct(const struct image_source *source, const void *to, size_t size)
{
	return source->direct >= 0 && size >= DIRECT_LEAST && (uintptr_t)to % source->align == 0 && size % FORMAT_ALIGN == 0;
}

/* What does not come past the page cache, for whatever reason, is asked for again by way of it: that tells why. */
static int fetch(const struct image_source *source, void *to, size_t size, uint64_t offset, struct fault *fault)
{
	if (goes_direct(source, to, size) && pread(source->direct, to, size, (off_t)offset) == (ssize_t)size)
		return 0;
	return io_read(source->fd, to, size, offset, source->path, fault);
}

static int need_slot(struct chunk_reader *reader, struct fault *fault)
{
	if (!reader->slot)
		reader->slot = aligned_alloc(FORMAT_ALIGN, FORMAT_CHUNK_SIZE);
	return reader->slot ? 0 : no_memory(reader, fault);
}

/* The last of a chunk's stored bytes, or all, at most a slot's size, with their padding. */
static int fetch_end(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, size_t size, struct fault *fault)
{
	int code = need_slot(reader, fault);

	reader->end = size;
	return code ? code : fetch(source, reader->slot, (size_t)format_padded(size), chunk->offset + chunk->stored - size, fault);
}

/* Last: what is wrong with the chunk itself is worth more. */
static int check_padding(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, struct fault *fault)
{
	for (size_t i = reader->end; i < format_padded(reader->end); i++)
		if (reader->slot[i])
			return damaged(reader, chunk, source, "what follows it is not zero", fault);
	return 0;
}

/* --- a plain chunk --------------------------------------------------------------------------------------------------- */

/* A part of it of at most a slot's size: its place in memory afterwards, the caller's if he wants it. */
static int fetch_part(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, uint64_t at, size_t size,
		      uint8_t *to, const uint8_t **place, struct fault *fault)
{
	size_t whole = size / FORMAT_ALIGN * FORMAT_ALIGN;
	int code = 0;

	/* Straight to where it is wanted, all but the rest of a page. */
	if (to && whole >= DIRECT_LEAST && (source->direct < 0 || goes_direct(source, to, whole)))
		code = fetch(source, to, whole, chunk->offset + at, fault);
	else
		whole = 0;
	if (!code && whole < size && at + size == chunk->stored)
		code = fetch_end(reader, chunk, source, size - whole, fault);
	else if (!code && whole < size && !(code = need_slot(reader, fault)))
		code = fetch(source, reader->slot, size - whole, chunk->offset + at + whole, fault);
	if (!code && to && whole < size)
		memcpy(to + whole, reader->slot, size - whole);
	*place = to ? to : reader->slot;
	return code;
}

static int read_plain(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, uint8_t *to, struct fault *fault)
{
	const uint8_t *place = NULL;
	XXH128_hash_t hash;
	uint64_t checksum;

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
	/* Of more than 240 bytes the one is the lower half of the other. */
	checksum = chunk->stored > 240 ? hash.low64 : XXH3_64bits(place, (size_t)chunk->stored);
	if (checksum != chunk->checksum)
		return damaged(reader, chunk, source, "the checksum is wrong", fault);
	if (hash.low64 != chunk->content_hash[0] || hash.high64 != chunk->content_hash[1])
		return damaged(reader, chunk, source, "the content is not what its hash says", fault);
	return check_padding(reader, chunk, source, fault);
}

/* --- a coded one, of at most FORMAT_CHUNK_SIZE bytes ------------------------------------------------------------------- */

static int check_content(struct chunk_reader *reader, const struct format_chunk *chunk, const struct image_source *source, XXH128_hash_t hash,
			 struct fault *fault)
{
	if (hash.low64 != chunk->content_hash[0] || hash.high64 != chunk->content_hash[1])
		return damaged(reader, chunk, source, "the content is not what its hash says", fault);
	return 0;
}

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
	int code;

	if (!to && !reader->plain && !(reader->plain = malloc(FORMAT_CHUNK_SIZE)))
		return no_memory(reader, fault);
	to = to ? to : reader->plain;
	if (chunk->codec == FORMAT_ZERO)
		return read_zeros(reader, chunk, source, to, fault);
	if (!reader->codec && !(reader->codec = codec_open()))
		return no_memory(reader, fault);
	code = fetch_end(reader, chunk, source, stored, fault);
	if (code)
		return code;
	if (XXH3_64bits(reader->slot, stored) != chunk->checksum)
		return damaged(reader, chunk, source, "the checksum is wrong", fault);
	if (!codec_decode(reader->codec, chunk->codec, to, size, reader->slot, stored))
		return damaged(reader, chunk, source, "it cannot be decompressed", fault);
	code = check_content(reader, chunk, source, XXH3_128bits(to, size), fault);
	return code ? code : check_padding(reader, chunk, source, fault);
}

int chunk_read(struct chunk_reader *reader, const struct format_chunk *chunk, uint8_t *to, struct fault *fault)
{
	struct image_source source;
	int code = image_find_source(reader->image, chunk, &source, fault);

	reader->end = 0;
	if (code)
		return code;
	return chunk->codec == FORMAT_PLAIN ? read_plain(reader, chunk, &source, to, fault) : read_coded(reader, chunk, &source, to, fault);
}
