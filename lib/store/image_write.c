/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/image_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/crash.h"
#include "base/list.h"
#include "store/blocks.h"
#include "store/internal.h"
#include "store/read_back.h"

/* What a checkpoint takes at least of the memory it is of, as far as we can say before; and chunks that are worth coding. */
enum { LEAST_PART = 16, CODED_LEAST = 512 };

static int open_file(struct image_writer *writer, struct fault *fault)
{
	/* What the others of a file have written stays. No older file can have its name: numbers of attempts are given once. */
	int anew = writer->part.shared ? 0 : O_TRUNC;

	/* Twice: another rank that gave up may have removed the folder between the two. */
	for (int i = 0; i < 2 && writer->fd < 0; i++) {
		if (io_mkdir(writer->folder.text) && errno != EEXIST)
			return fault_errno(fault, "cannot make folder '%s'", writer->folder.text);
		crash_point("image-folder-made");
		writer->fd = io_open(writer->path.text, O_WRONLY | O_CREAT | anew);
		crash_point("image-file-made");
		if (writer->fd < 0 && errno != ENOENT)
			break;
	}
	return writer->fd < 0 ? fault_errno(fault, "cannot make '%s'", writer->path.text) : 0;
}

static bool is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static uint64_t space_left(int fd)
{
	struct statvfs status;

	/* Some file systems do not know. */
	return fstatvfs(fd, &status) || !status.f_blocks ? UINT64_MAX : (uint64_t)status.f_bavail * status.f_frsize;
}

/* 0, or the errno of a disk that has not so much left. A file system that cannot reserve is none the worse. */
static int reserve_bytes(struct image_writer *writer, uint64_t content)
{
	uint64_t size = FORMAT_HEADER_SIZE + format_padded(content);
	uint64_t from = writer->part.shared ? shared_expect(&writer->part, size) : 0;
	int error = TEMP_FAILURE_RETRY(fallocate(writer->fd, 0, (off_t)from, (off_t)size)) ? errno : 0;

	crash_point("image-space-reserved");
	if (!error)
		writer->reserved = size;
	else if (!is_full(error) && space_left(writer->fd) < size)
		error = ENOSPC;
	if (!is_full(error))
		return 0;
	if (writer->part.shared)
		shared_expect_less(&writer->part, size);
	return error;
}

/* A disk that is plainly full is noticed here; and a file that does not grow can be written in several places at a time. How much it will be is known only if
 * nothing can make it smaller; an increment may be next to nothing. */
static int reserve(struct image_writer *writer, struct fault *fault)
{
	bool certain = writer->way->choice.wanted == CODEC_NONE && !writer->known;
	uint64_t least = certain ? writer->expected : writer->known ? 0 : writer->expected / LEAST_PART;
	int error = reserve_bytes(writer, writer->expected);

	if (error && !certain)
		error = reserve_bytes(writer, least);
	if (!error)
		return 0;
	errno = error;
	return fault_errno(fault, "cannot reserve space for '%s', which takes at least %.1f MiB where %.1f MiB are free (a smaller SEAMARK_KEEP, or a SEAMARK_DIR on "
			   "another disk, would help)", writer->path.text, (double)least / 1048576, (double)space_left(writer->fd) / 1048576);
}

int image_begin(struct image_writer *writer, const char *folder, const struct store_identity *identity, struct fault *fault)
{
	const struct store_files *files = writer->files;
	int code = 0;

	writer->fd = -1;
	writer->slot = -1;
	writer->identity = *identity;
	writer->folder = io_path("%s/%07llu.L%02u", folder, (unsigned long long)identity->number, identity->life);
	writer->path = io_path("%s/rank-%05u.smk", writer->folder.text, files->first);
	if (files->shared)
		code = shared_enter(&writer->part, files->shared, identity, files->first, fault);
	if (!code)
		code = open_file(writer, fault);
	if (!code)
		code = reserve(writer, fault);
	writer->way->choice.window_ns = 0;
	/* The header comes last: until then its place holds zeros. */
	writer->offset = FORMAT_HEADER_SIZE;
	return code ? code : ring_open(&writer->ring, writer->fd, writer->path.text, RING_DEPTH, fault);
}

/* --- regions ------------------------------------------------------------------------------------------------------ */

/* A new line in the table of chunks, of the last region. */
static struct format_chunk *add_chunk(struct image_writer *writer, uint64_t logical, size_t size, struct fault *fault)
{
	struct format_index *index = &writer->index;
	struct format_chunk *chunks = list_with_room(index->chunks, index->chunk_count, &writer->chunk_room, sizeof *chunks);

	if (!chunks) {
		fault_set(fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", writer->path.text);
		return NULL;
	}
	index->chunks = chunks;
	chunks[index->chunk_count] = (struct format_chunk){ .region = (uint32_t)(index->region_count - 1), .logical = logical, .length = size };
	return &chunks[index->chunk_count++];
}

/* A chunk that a checkpoint before has: only where it is goes into the table. Zeros are nowhere. */
static void refer(struct image_writer *writer, struct format_chunk *chunk, const struct format_chunk *known)
{
	const struct format_chunk own = *chunk;

	*chunk = *known;
	chunk->region = own.region;
	chunk->logical = own.logical;
	if (known->codec == FORMAT_ZERO) {
		chunk->elsewhere = false;
		return;
	}
	writer->referred += known->stored;
	writer->parents |= UINT64_C(1) << (writer->identity.number - known->place.number - 1);
}

/* The chunk that the checkpoint before has at this place, if nothing in it has changed since its capture. */
static const struct format_chunk *find_unchanged(const struct image_writer *writer, const struct store_region *put, uint64_t logical, size_t size)
{
	if (!writer->known || !writer->known->capture || !put->changed)
		return NULL;
	for (uint64_t block = logical / STORE_STAMP_BLOCK; block * STORE_STAMP_BLOCK < logical + size; block++)
		if (put->changed[block] > writer->known->capture)
			return NULL;
	return chain_at(writer->known, writer->identity.number, put->name, logical, size);
}

static int put_unchanged(struct image_writer *writer, const struct format_chunk *unchanged, struct fault *fault)
{
	struct format_chunk *chunk = add_chunk(writer, unchanged->logical, (size_t)unchanged->length, fault);

	if (!chunk)
		return SEAMARK_E_MEMORY;
	refer(writer, chunk, unchanged);
	return writer->go_on(writer->context) ? 0 : image_given_up(fault);
}

static struct choice_moment moment_now(const struct image_writer *writer)
{
	return (struct choice_moment){
		.watched = ring_tells(writer->ring),
		.behind = ring_bytes_under_way(writer->ring),
		.held_s = writer->way->rate ? (double)(writer->way->free_ns - io_now_ns()) * 1e-9 : 0,
	};
}

/* Codes a chunk into the slot that is being filled, where it could begin as it is. False: it is better written so. */
static bool encode(struct image_writer *writer, const struct block_source *source, struct format_chunk *chunk, enum format_codec how, size_t most)
{
	uint8_t *slot = ring_slot(writer->ring, writer->slot), *coded, *to;
	size_t before = writer->filled + (size_t)(format_place(writer->offset, source->size) - writer->offset), took;

	if (most > RING_SLOT_SIZE - before)
		most = RING_SLOT_SIZE - before;
	coded = slot + before;
	took = codec_encode(writer->way->codec, how, coded, most, source->data, source->size);
	if (!took)
		return false;
	chunk->codec = how;
	chunk->stored = took;
	/* What has become small may begin before that. */
	to = blocks_next(writer, took, &chunk->offset);
	if (to != coded)
		memmove(to, coded, took);
	chunk->checksum = XXH3_64bits(to, took);
	return true;
}

/* At most how many bytes a chunk may have when it is coded; 0: that is not worth it. */
static size_t worth_while(const struct image_writer *writer, size_t size)
{
	if (writer->way->choice.wanted == CODEC_NONE || size < CODED_LEAST)
		return 0;
	/* A page less, where only that counts. */
	return size < FORMAT_SMALL ? size - size / 8 : (size_t)format_padded(size) - FORMAT_ALIGN;
}

/* Chooses how to code a chunk, and does so if it is worth it: chunk->codec is then not plain. */
static int try_to_code(struct image_writer *writer, const struct block_source *source, struct format_chunk *chunk, struct fault *fault)
{
	struct image_way *way = writer->way;
	size_t most = worth_while(writer, source->size), estimate;
	struct choice_moment moment;
	enum format_codec how;
	int64_t begun;
	int code = 0;

	if (!most || (!way->codec && !(way->codec = codec_open())))
		return 0;
	begun = io_now_ns();
	moment = moment_now(writer);
	how = choice_of(&way->choice, &moment, way->codec, source->data, source->size, &estimate);
	/* Somewhat more, as it is an estimate. */
	estimate += estimate / 8 + 2 * FORMAT_ALIGN;
	if (how != FORMAT_PLAIN)
		code = blocks_need_slot(writer, (estimate < most ? estimate : most) + FORMAT_ALIGN, fault);
	if (how == FORMAT_PLAIN || code)
		return code;
	int64_t coding = io_now_ns();
	encode(writer, source, chunk, how, most);
	choice_took(&way->choice, how, (double)(io_now_ns() - coding) * 1e-9);
	way->coding_s += (double)(io_now_ns() - begun) * 1e-9;
	/* The disk shall not wait for a full slot. */
	return !ring_under_way(writer->ring) && writer->filled >= BLOCKS_LARGE ? blocks_flush(writer, fault) : 0;
}

static int put_plain(struct image_writer *writer, struct block_source *source, struct format_chunk *chunk, struct fault *fault)
{
	chunk->stored = source->size;
	/* Of more than 240 bytes the one is the lower half of the other. */
	chunk->checksum = source->size > 240 ? chunk->content_hash[0] : XXH3_64bits(source->data, source->size);
	return blocks_put(writer, source, &chunk->offset, fault);
}

static void hash_content(struct format_chunk *chunk, const struct block_source *source)
{
	XXH128_hash_t hash = XXH3_128bits(source->data, source->size);

	chunk->content_hash[0] = hash.low64;
	chunk->content_hash[1] = hash.high64;
}

static int put_chunk(struct image_writer *writer, struct block_source *source, uint64_t logical, struct fault *fault)
{
	bool protected = writer->index.regions[writer->index.region_count - 1].kind == FORMAT_PROTECTED;
	struct format_chunk *chunk = add_chunk(writer, logical, source->size, fault);
	const struct format_chunk *known;
	int code;

	if (!chunk)
		return SEAMARK_E_MEMORY;
	hash_content(chunk, source);
	if (codec_is_zero(source->data, source->size)) {
		chunk->codec = FORMAT_ZERO;
		chunk->checksum = XXH3_64bits(NULL, 0);
		writer->way->chunks[FORMAT_ZERO]++;
		return writer->go_on(writer->context) ? 0 : image_given_up(fault);
	}
	known = writer->known && protected ? chain_find(writer->known, writer->identity.number, source->size, chunk->content_hash) : NULL;
	if (known) {
		refer(writer, chunk, known);
		return writer->go_on(writer->context) ? 0 : image_given_up(fault);
	}
	code = blocks_collect(writer, fault);
	if (!code)
		code = try_to_code(writer, source, chunk, fault);
	if (!code && chunk->codec == FORMAT_PLAIN)
		code = put_plain(writer, source, chunk, fault);
	writer->way->chunks[chunk->codec]++;
	return code;
}

/* Where the chunk is, or where it has been read to. */
static int fetch(struct image_writer *writer, const struct store_region *put, uint64_t logical, struct block_source *source, struct fault *fault)
{
	int code = 0;

	source->data = (const uint8_t *)put->data + logical;
	source->stays = true;
	source->slot = -1;
	if (!put->read)
		return 0;
	/* One at most is being filled, and one is ours: the others come back. */
	while (!code && (source->slot = ring_take_slot(writer->ring)) < 0)
		code = blocks_wait(writer, fault);
	if (code)
		return code;
	code = put->read(put->context, source->data, ring_slot(writer->ring, source->slot), source->size, fault);
	source->data = ring_slot(writer->ring, source->slot);
	return code;
}

static int put_region_chunk(struct image_writer *writer, const struct store_region *put, uint64_t logical, struct fault *fault)
{
	struct block_source source = { .size = FORMAT_CHUNK_SIZE };
	const struct format_chunk *unchanged;
	int code;

	if (put->bytes - logical < FORMAT_CHUNK_SIZE)
		source.size = (size_t)(put->bytes - logical);
	unchanged = find_unchanged(writer, put, logical, source.size);
	if (unchanged)
		return put_unchanged(writer, unchanged, fault);
	code = fetch(writer, put, logical, &source, fault);
	if (!code)
		code = put_chunk(writer, &source, logical, fault);
	if (source.slot >= 0)
		ring_give_slot(writer->ring, source.slot);
	return code;
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
		int code = put_region_chunk(writer, put, logical, fault);

		if (code)
			return code;
	}
	writer->content += bytes;
	return 0;
}

/* All pieces but the last end with a page, so each is where the one before ends. */
static int put_pieces(struct image_writer *writer, const struct bytes_out *out, uint64_t *offset, struct fault *fault)
{
	int code = 0;

	for (size_t at = 0; !code && at < out->size; at += RING_SLOT_SIZE) {
		size_t left = out->size - at;
		uint64_t of_piece = 0;

		code = blocks_put(writer, &(struct block_source){ .data = out->data + at, .size = left < RING_SLOT_SIZE ? left : RING_SLOT_SIZE, .slot = -1 },
				  &of_piece, fault);
		if (!at)
			*offset = of_piece;
	}
	return code;
}

/* What is gathered is sent off, so that all chunks have their places, and the index after them has one. */
static int settle_places(struct image_writer *writer, struct fault *fault)
{
	struct format_index *index = &writer->index;
	int code = writer->part.shared ? blocks_flush(writer, fault) : 0;

	for (size_t i = 0; !code && writer->part.shared && i < index->chunk_count; i++)
		if (!index->chunks[i].elsewhere && index->chunks[i].stored)
			index->chunks[i].offset = extents_find(&writer->extents, index->chunks[i].offset);
	return code;
}

static int put_index(struct image_writer *writer, struct format_rank *rank, struct fault *fault)
{
	struct bytes_out out = {0};
	int code = settle_places(writer, fault);

	if (code)
		return code;
	format_put_index(&out, &writer->index, &writer->identity, writer->files->group);
	if (out.failed) {
		bytes_free(&out);
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", writer->path.text);
	}
	writer->table_hash = XXH3_64bits(out.data, out.size);
	*rank = (struct format_rank){
		.rank = writer->identity.rank,
		.index_size = out.size,
		.table_hash = writer->table_hash,
		.content = writer->content,
	};
	code = blocks_together(writer, format_padded(out.size), fault);
	if (!code)
		code = put_pieces(writer, &out, &rank->index_offset, fault);
	if (!code && writer->part.shared)
		rank->index_offset = extents_find(&writer->extents, rank->index_offset);
	bytes_free(&out);
	return code ? code : blocks_flush(writer, fault);
}

/* Somebody may have removed it, or the folder, which another rank has then made again. A file that is opened is looked up anew, on shared file systems too. */
static int is_in_place(const struct image_writer *writer, struct fault *fault)
{
	int fd = io_open(writer->path.text, O_RDONLY);

	return fd < 0 || io_close(fd) ? fault_errno(fault, "'%s' was removed while it was written", writer->path.text) : 0;
}

static int close_file(struct image_writer *writer, struct fault *fault)
{
	int fd = writer->fd;

	writer->fd = -1;
	return io_close(fd) ? fault_errno(fault, "cannot write '%s'", writer->path.text) : 0;
}

/* A failed fsync is final: the kernel may have dropped the pages, and asked again would say that all is well. */
static int sync_file(struct image_writer *writer, struct fault *fault)
{
	int code = 0;

	if (io_fsync(writer->fd))
		code = fault_errno(fault, "cannot make '%s' durable", writer->path.text);
	else if (!writer->go_on(writer->context))
		code = image_given_up(fault);
	if (!code)
		crash_point("image-synced");
	return code;
}

static int make_durable(struct image_writer *writer, uint64_t size, struct fault *fault)
{
	int code;

	if ((writer->part.shared || writer->reserved != size) && TEMP_FAILURE_RETRY(ftruncate(writer->fd, (off_t)size)))
		return fault_errno(fault, "cannot write '%s'", writer->path.text);
	crash_point("image-to-sync");
	code = sync_file(writer, fault);
	if (!code)
		code = close_file(writer, fault);
	if (!code)
		code = io_sync_folder(writer->folder.text, fault);
	return code ? code : is_in_place(writer, fault);
}

static int put_header(struct image_writer *writer, const struct format_header *header, struct fault *fault)
{
	uint32_t size = format_header_size(header->rank_count);
	int code = blocks_need_slot(writer, size, fault), slot = writer->slot;

	if (code)
		return code;
	format_put_header(ring_slot(writer->ring, slot), header);
	writer->slot = -1;
	code = blocks_start(writer, ring_slot(writer->ring, slot), size, 0, slot, fault);
	return code ? code : image_settle(writer, fault);
}

/* What this rank has put into a file that is not whole yet. */
static int check_part(struct image_writer *writer, const struct format_rank *rank, struct fault *fault)
{
	int code = sync_file(writer, fault);

	if (!code)
		code = read_back(writer, rank, fault);
	return code ? code : ring_open(&writer->ring, writer->fd, writer->path.text, 1, fault);
}

/* The one who comes last does what is left for all. */
static int end_shared(struct image_writer *writer, struct format_header *header, struct fault *fault)
{
	const struct format_rank rank = header->ranks[0];
	int code = writer->read_back ? check_part(writer, &rank, fault) : 0;

	writer->bytes = writer->offset - FORMAT_HEADER_SIZE;
	if (rank.rank == writer->files->first)
		writer->bytes += format_header_size(shared_ranks(writer->part.shared));
	if (code)
		return code;
	crash_point("image-to-arrive");
	if (!shared_arrive(&writer->part, &rank, header))
		return close_file(writer, fault);
	crash_point("image-last-to-arrive");
	code = put_header(writer, header, fault);
	if (!code)
		code = make_durable(writer, header->file_size, fault);
	return code || !writer->read_back ? code : read_back_header(writer, header, fault);
}

static int end_own(struct image_writer *writer, struct format_header *header, struct fault *fault)
{
	int code;

	writer->bytes = header->file_size = writer->offset;
	header->rank_count = 1;
	crash_point("image-header-to-write");
	code = put_header(writer, header, fault);
	return code ? code : make_durable(writer, header->file_size, fault);
}

int image_end(struct image_writer *writer, struct fault *fault)
{
	struct format_header *header = calloc(1, sizeof *header);
	int code;

	if (!header)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the header of '%s'", writer->path.text);
	header->identity = writer->identity;
	header->group = writer->files->group;
	code = put_index(writer, &header->ranks[0], fault);
	if (!code)
		code = image_settle(writer, fault);
	if (!code)
		code = writer->part.shared ? end_shared(writer, header, fault) : end_own(writer, header, fault);
	free(header);
	return code;
}

void image_discard(struct image_writer *writer, bool remove)
{
	/* First: the disk may still be at work on the regions. */
	ring_close(writer->ring);
	writer->ring = NULL;
	if (writer->fd >= 0)
		close(writer->fd);
	writer->fd = -1;
	free(writer->index.regions);
	free(writer->index.chunks);
	writer->filled = 0;
	writer->reserved = 0;
	memset(&writer->index, 0, sizeof writer->index);
	writer->region_room = writer->chunk_room = 0;
	if (remove && writer->path.text[0]) {
		io_unlink(writer->path.text);
		crash_point("image-removed");
		/* The last rank to give up takes the folder along; from the others it is not empty. */
		rmdir(writer->folder.text);
		crash_point("image-folder-removed");
		writer->path.text[0] = 0;
	}
	extents_free(&writer->extents);
	shared_leave(&writer->part);
}
