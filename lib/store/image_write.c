/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/image_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/crash.h"
#include "base/list.h"

/* Small blocks are gathered, large ones are written from where they are. */
enum { BUFFER_SIZE = 1 << 20, LARGE = 256 << 10 };

static int given_up(struct fault *fault)
{
	return fault_set(fault, SEAMARK_E_VOID, "the image was given up");
}

static int open_file(struct image_writer *writer, struct fault *fault)
{
	/* Twice: another rank that gave up may have removed the folder between the two. */
	for (int i = 0; i < 2 && writer->fd < 0; i++) {
		if (mkdir(writer->folder.text, 0777) && errno != EEXIST)
			return fault_errno(fault, "cannot make folder '%s'", writer->folder.text);
		crash_point("image-folder-made");
		writer->fd = open(writer->path.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
		crash_point("image-file-made");
		if (writer->fd < 0 && errno != ENOENT)
			break;
	}
	return writer->fd < 0 ? fault_errno(fault, "cannot make '%s'", writer->path.text) : 0;
}

int image_begin(struct image_writer *writer, const char *folder, const struct store_identity *identity, struct fault *fault)
{
	int code;

	writer->fd = -1;
	writer->identity = *identity;
	writer->folder = io_path("%s/%07llu.L%02u", folder, (unsigned long long)identity->number, identity->life);
	writer->path = io_path("%s/rank-%05u.smk", writer->folder.text, identity->rank);
	code = open_file(writer, fault);
	if (code)
		return code;
	/* The header comes last: until then its place holds zeros. */
	writer->offset = FORMAT_HEADER_SIZE;
	writer->buffer = malloc(BUFFER_SIZE);
	if (!writer->buffer)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to write '%s'", writer->path.text);
	return 0;
}

static int write_piece(struct image_writer *writer, const void *data, uint64_t size, uint64_t offset, struct fault *fault)
{
	int code = io_write(writer->fd, data, size, offset, writer->path.text, fault);

	if (!code && !writer->go_on(writer->context))
		code = given_up(fault);
	return code;
}

static int flush_buffer(struct image_writer *writer, struct fault *fault)
{
	size_t size = writer->filled;

	writer->filled = 0;
	return size ? write_piece(writer, writer->buffer, size, writer->offset - size, fault) : 0;
}

/* Writes a block and its padding. */
static int put_block(struct image_writer *writer, const uint8_t *data, size_t size, struct fault *fault)
{
	size_t direct = size >= LARGE ? size / FORMAT_ALIGN * FORMAT_ALIGN : 0;
	size_t rest = size - direct, padded = (size_t)format_padded(rest);
	int code = 0;

	if (direct || writer->filled + padded > BUFFER_SIZE)
		code = flush_buffer(writer, fault);
	if (!code && direct)
		code = write_piece(writer, data, direct, writer->offset, fault);
	if (code)
		return code;
	if (rest)
		memcpy(writer->buffer + writer->filled, data + direct, rest);
	memset(writer->buffer + writer->filled + rest, 0, padded - rest);
	writer->filled += padded;
	writer->offset += direct + padded;
	return 0;
}

static int put_chunk(struct image_writer *writer, const uint8_t *data, size_t size, uint64_t logical, struct fault *fault)
{
	struct format_index *index = &writer->index;
	struct format_chunk *chunk;
	XXH128_hash_t hash;

	struct format_chunk *chunks = list_with_room(index->chunks, index->chunk_count, &writer->chunk_room, sizeof *chunks);
	if (!chunks)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", writer->path.text);
	index->chunks = chunks;
	hash = XXH3_128bits(data, size);
	chunk = &index->chunks[index->chunk_count++];
	*chunk = (struct format_chunk){
		.region = (uint32_t)(index->region_count - 1),
		.logical = logical,
		.length = size,
		.stored = size,
		.checksum = XXH3_64bits(data, size),
		.content_hash = { hash.low64, hash.high64 },
		.offset = writer->offset,
	};
	return put_block(writer, data, size, fault);
}

/* The chunk's memory: where it is, or where it has been read to. */
static const uint8_t *fetch(struct image_writer *writer, const struct store_region *put, uint64_t logical, size_t size, int *code,
			    struct fault *fault)
{
	const uint8_t *data = (const uint8_t *)put->data + logical;

	*code = 0;
	if (!put->read)
		return data;
	if (!writer->fetched)
		writer->fetched = malloc(FORMAT_CHUNK_SIZE);
	if (!writer->fetched)
		*code = fault_set(fault, SEAMARK_E_MEMORY, "no memory to write '%s'", writer->path.text);
	else
		*code = put->read(put->context, data, writer->fetched, size, fault);
	return writer->fetched;
}

int image_put(struct image_writer *writer, enum format_kind kind, const struct store_region *put, struct fault *fault)
{
	struct format_index *index = &writer->index;
	struct format_region *region;
	const char *name = put->name;
	uint64_t bytes = put->bytes;
	uint64_t chunks = (bytes + FORMAT_CHUNK_SIZE - 1) / FORMAT_CHUNK_SIZE;

	if (index->chunk_count + chunks > UINT32_MAX)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "region '%s' is too large for an image", name);
	struct format_region *regions = list_with_room(index->regions, index->region_count, &writer->region_room, sizeof *regions);
	if (!regions)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", writer->path.text);
	index->regions = regions;
	region = &index->regions[index->region_count++];
	*region = (struct format_region){
		.kind = kind,
		.name = (char *)(uintptr_t)name,
		.shape = put->shape,
		.bytes = bytes,
		.first_chunk = index->chunk_count,
		.chunk_count = chunks,
	};
	for (uint64_t logical = 0; logical < bytes; logical += FORMAT_CHUNK_SIZE) {
		size_t size = bytes - logical < FORMAT_CHUNK_SIZE ? (size_t)(bytes - logical) : FORMAT_CHUNK_SIZE;
		int code;
		const uint8_t *data = fetch(writer, put, logical, size, &code, fault);

		if (!code)
			code = put_chunk(writer, data, size, logical, fault);
		if (code)
			return code;
	}
	writer->content += bytes;
	return 0;
}

static int put_index(struct image_writer *writer, struct format_rank *rank, struct fault *fault)
{
	struct bytes_out out = {0};
	int code;

	format_put_index(&out, &writer->index, &writer->identity, writer->identity.rank);
	if (out.failed) {
		bytes_free(&out);
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", writer->path.text);
	}
	writer->table_hash = XXH3_64bits(out.data, out.size);
	*rank = (struct format_rank){
		.rank = writer->identity.rank,
		.index_offset = writer->offset,
		.index_size = out.size,
		.table_hash = writer->table_hash,
		.content = writer->content,
	};
	code = 0;
	/* In pieces, so that the buffer holds what is not written from its place. */
	for (size_t at = 0; !code && at < out.size; at += FORMAT_CHUNK_SIZE)
		code = put_block(writer, out.data + at, out.size - at < FORMAT_CHUNK_SIZE ? out.size - at : FORMAT_CHUNK_SIZE, fault);
	bytes_free(&out);
	return code ? code : flush_buffer(writer, fault);
}

/* A failed fsync is final: the kernel may have dropped the pages, and asked again would say that all is well. */
static int make_durable(struct image_writer *writer, struct fault *fault)
{
	int fd = writer->fd;
	int code = 0;

	crash_point("image-to-sync");
	if (fsync(fd))
		code = fault_errno(fault, "cannot make '%s' durable", writer->path.text);
	else if (!writer->go_on(writer->context))
		code = given_up(fault);
	if (code)
		return code;
	crash_point("image-synced");
	writer->fd = -1;
	if (close(fd))
		return fault_errno(fault, "cannot write '%s'", writer->path.text);
	return io_sync_folder(writer->folder.text, fault);
}

int image_end(struct image_writer *writer, struct fault *fault)
{
	struct format_header header = { .identity = writer->identity, .group = writer->identity.rank, .rank_count = 1 };
	uint8_t page[FORMAT_HEADER_SIZE];
	int code = put_index(writer, &header.ranks[0], fault);

	if (code)
		return code;
	crash_point("image-header-to-write");
	header.file_size = writer->offset;
	format_put_header(page, &header);
	code = write_piece(writer, page, sizeof page, 0, fault);
	return code ? code : make_durable(writer, fault);
}

void image_discard(struct image_writer *writer, bool remove)
{
	if (writer->fd >= 0)
		close(writer->fd);
	writer->fd = -1;
	free(writer->buffer);
	free(writer->fetched);
	free(writer->index.regions);
	free(writer->index.chunks);
	writer->buffer = NULL;
	writer->fetched = NULL;
	writer->filled = 0;
	memset(&writer->index, 0, sizeof writer->index);
	writer->region_room = writer->chunk_room = 0;
	if (remove && writer->path.text[0]) {
		unlink(writer->path.text);
		crash_point("image-removed");
		/* The last rank to give up takes the folder along; from the others it is not empty. */
		rmdir(writer->folder.text);
		crash_point("image-folder-removed");
		writer->path.text[0] = 0;
	}
}
