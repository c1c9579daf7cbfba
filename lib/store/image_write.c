/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/image_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/crash.h"
#include "base/list.h"

/* Blocks from here on are written from where they are, if the disk can take them from there; smaller ones are gathered. */
enum { LARGE = 1 << 20 };

/* What a checkpoint takes at least of the memory it is of, as far as we can say before. */
enum { LEAST_PART = 16 };
#define PAUSE_NS INT64_C(50000000)

static int given_up(struct fault *fault)
{
	return fault_set(fault, SEAMARK_E_VOID, "the image was given up");
}

static int open_file(struct image_writer *writer, struct fault *fault)
{
	/* Twice: another rank that gave up may have removed the folder between the two. */
	for (int i = 0; i < 2 && writer->fd < 0; i++) {
		if (io_mkdir(writer->folder.text) && errno != EEXIST)
			return fault_errno(fault, "cannot make folder '%s'", writer->folder.text);
		crash_point("image-folder-made");
		writer->fd = io_open(writer->path.text, O_WRONLY | O_CREAT | O_TRUNC);
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

/* 0, or the errno of a disk that has not so much left. A file system that cannot reserve is none the worse. */
static int reserve_bytes(struct image_writer *writer, uint64_t content)
{
	uint64_t size = FORMAT_HEADER_SIZE + format_padded(content);
	int error = TEMP_FAILURE_RETRY(fallocate(writer->fd, 0, 0, (off_t)size)) ? errno : 0;

	crash_point("image-space-reserved");
	if (!error)
		writer->reserved = size;
	return is_full(error) ? error : 0;
}

/* A disk that is plainly full is noticed here; and a file that does not grow can be written in several places at a time. How much it will be is known only if
 * nothing can make it smaller; an increment may be next to nothing. */
static int reserve(struct image_writer *writer, struct fault *fault)
{
	bool certain = writer->way->choice.wanted == CODEC_NONE && !writer->known;
	int error = reserve_bytes(writer, writer->expected);

	if (error && !certain)
		error = reserve_bytes(writer, writer->known ? 0 : writer->expected / LEAST_PART);
	if (!error)
		return 0;
	errno = error;
	return fault_errno(fault, "cannot reserve space for '%s'", writer->path.text);
}

int image_begin(struct image_writer *writer, const char *folder, const struct store_identity *identity, struct fault *fault)
{
	int code;

	writer->fd = -1;
	writer->slot = -1;
	writer->identity = *identity;
	writer->folder = io_path("%s/%07llu.L%02u", folder, (unsigned long long)identity->number, identity->life);
	writer->path = io_path("%s/rank-%05u.smk", writer->folder.text, identity->rank);
	code = open_file(writer, fault);
	if (!code)
		code = reserve(writer, fault);
	writer->way->choice.window_ns = 0;
	/* The header comes last: until then its place holds zeros. */
	writer->offset = FORMAT_HEADER_SIZE;
	return code ? code : ring_open(&writer->ring, writer->fd, writer->path.text, RING_DEPTH, fault);
}

/* --- on their way ------------------------------------------------------------------------------------------------- */

static int wait_for_one(struct image_writer *writer, struct fault *fault)
{
	struct ring_piece done;
	int code = ring_wait(writer->ring, &done, fault);

	if (done.slot >= 0)
		ring_give_slot(writer->ring, done.slot);
	if (ring_tells(writer->ring))
		choice_saw(&writer->way->choice, io_now_ns(), done.size, ring_bytes_under_way(writer->ring));
	if (!code && !writer->go_on(writer->context))
		code = given_up(fault);
	return code;
}

/* Waits until what was written is within the rate. That is progress: the disk is well. */
static int hold_back(struct image_writer *writer, size_t size, struct fault *fault)
{
	struct image_way *way = writer->way;
	int64_t now = io_now_ns();

	if (!way->rate)
		return 0;
	for (; now < way->free_ns; now = io_now_ns()) {
		int64_t pause = way->free_ns - now < PAUSE_NS ? way->free_ns - now : PAUSE_NS;

		nanosleep(&(struct timespec){ .tv_nsec = pause }, NULL);
		if (!writer->go_on(writer->context))
			return given_up(fault);
	}
	way->free_ns = now + (int64_t)((double)size * 1e9 / (double)way->rate);
	return 0;
}

static int start(struct image_writer *writer, const void *data, size_t size, uint64_t offset, int slot, struct fault *fault)
{
	int code = hold_back(writer, size, fault);

	while (!code && !ring_has_room(writer->ring))
		code = wait_for_one(writer, fault);
	if (code)
		return code;
	ring_start(writer->ring, &(struct ring_piece){
		.write = true, .data = (uint8_t *)(uintptr_t)data, .size = size, .offset = offset, .slot = slot,
	});
	return 0;
}

/* Sends off what is gathered. */
static int flush_slot(struct image_writer *writer, struct fault *fault)
{
	int slot = writer->slot, code;

	if (!writer->filled)
		return 0;
	code = start(writer, ring_slot(writer->ring, slot), writer->filled, writer->offset - writer->filled, slot, fault);
	if (!code) {
		writer->slot = -1;
		writer->filled = 0;
	}
	return code;
}

/* A slot with room for so much more. */
static int need_slot(struct image_writer *writer, size_t size, struct fault *fault)
{
	int code = writer->filled + size > RING_SLOT_SIZE ? flush_slot(writer, fault) : 0;

	while (!code && writer->slot < 0 && (writer->slot = ring_take_slot(writer->ring)) < 0)
		code = wait_for_one(writer, fault);
	return code;
}

int image_settle(struct image_writer *writer, struct fault *fault)
{
	int code = 0;

	while (!code && ring_under_way(writer->ring))
		code = wait_for_one(writer, fault);
	return code;
}

/* Bytes to be written, at most a slot's size of them. */
struct source {
	const uint8_t *data;
	size_t size;
	bool stays;               /* until image_settle */
	int slot;                 /* of the ring, at whose beginning they lie, and which is ours; -1: none */
};

/* From where they are, as far as that goes: how much of them, 0 if nothing. */
static int send_off(struct image_writer *writer, struct source *source, size_t *sent, struct fault *fault)
{
	bool whole = source->slot >= 0;
	size_t size = whole ? (size_t)format_padded(source->size) : source->size / FORMAT_ALIGN * FORMAT_ALIGN;
	int code;

	*sent = 0;
	if (source->size < LARGE || !(whole || (source->stays && ring_fits(writer->ring, source->data, size, writer->offset))))
		return 0;
	code = flush_slot(writer, fault);
	if (whole)
		memset(ring_slot(writer->ring, source->slot) + source->size, 0, size - source->size);
	if (!code)
		code = start(writer, source->data, size, writer->offset, source->slot, fault);
	if (code)
		return code;
	source->slot = -1;
	writer->offset += size;
	*sent = whole ? source->size : size;
	return 0;
}

/* Appends a block and its padding. */
static int put_block(struct image_writer *writer, struct source *source, struct fault *fault)
{
	size_t sent, rest, padded;
	int code = send_off(writer, source, &sent, fault);

	rest = source->size - sent;
	padded = (size_t)format_padded(rest);
	if (!code && rest)
		code = need_slot(writer, padded, fault);
	if (code || !rest)
		return code;
	uint8_t *to = ring_slot(writer->ring, writer->slot) + writer->filled;
	memcpy(to, source->data + sent, rest);
	memset(to + rest, 0, padded - rest);
	writer->filled += padded;
	writer->offset += padded;
	return 0;
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
	return writer->go_on(writer->context) ? 0 : given_up(fault);
}

static struct choice_moment moment_now(const struct image_writer *writer)
{
	return (struct choice_moment){
		.watched = ring_tells(writer->ring),
		.behind = ring_bytes_under_way(writer->ring),
		.held_s = writer->way->rate ? (double)(writer->way->free_ns - io_now_ns()) * 1e-9 : 0,
	};
}

/* Codes a chunk into the slot that is being filled. False: it is better written as it is. */
static bool encode(struct image_writer *writer, const struct source *source, struct format_chunk *chunk, enum format_codec how, size_t room)
{
	struct image_way *way = writer->way;
	uint8_t *to = ring_slot(writer->ring, writer->slot) + writer->filled;
	size_t took, padded;

	took = codec_encode(way->codec, how, to, room, source->data, source->size);
	if (!took)
		return false;
	padded = (size_t)format_padded(took);
	memset(to + took, 0, padded - took);
	chunk->codec = how;
	chunk->stored = took;
	chunk->checksum = XXH3_64bits(to, took);
	chunk->offset = writer->offset;
	writer->filled += padded;
	writer->offset += padded;
	return true;
}

/* Chooses how to code a chunk, and does so if it is worth it: chunk->codec is then not plain. */
static int try_to_code(struct image_writer *writer, const struct source *source, struct format_chunk *chunk, struct fault *fault)
{
	struct image_way *way = writer->way;
	struct choice_moment moment = moment_now(writer);
	size_t most = (size_t)format_padded(source->size) - FORMAT_ALIGN, estimate;
	int64_t begun = io_now_ns();
	enum format_codec how;
	int code = 0;

	if (way->choice.wanted == CODEC_NONE || !most || (!way->codec && !(way->codec = codec_open())))
		return 0;
	how = choice_of(&way->choice, &moment, way->codec, source->data, source->size, &estimate);
	/* Somewhat more, as it is an estimate. */
	estimate += estimate / 8 + 2 * FORMAT_ALIGN;
	if (how != FORMAT_PLAIN)
		code = need_slot(writer, estimate < most ? estimate : most, fault);
	if (how == FORMAT_PLAIN || code)
		return code;
	if (most > RING_SLOT_SIZE - writer->filled)
		most = RING_SLOT_SIZE - writer->filled;
	int64_t coding = io_now_ns();
	encode(writer, source, chunk, how, most);
	choice_took(&way->choice, how, (double)(io_now_ns() - coding) * 1e-9);
	way->coding_s += (double)(io_now_ns() - begun) * 1e-9;
	/* The disk shall not wait for a full slot. */
	return !ring_under_way(writer->ring) && writer->filled >= LARGE ? flush_slot(writer, fault) : 0;
}

static int put_plain(struct image_writer *writer, struct source *source, struct format_chunk *chunk, struct fault *fault)
{
	chunk->stored = source->size;
	/* Of more than 240 bytes the one is the lower half of the other. */
	chunk->checksum = source->size > 240 ? chunk->content_hash[0] : XXH3_64bits(source->data, source->size);
	chunk->offset = writer->offset;
	return put_block(writer, source, fault);
}

static void hash_content(struct format_chunk *chunk, const struct source *source)
{
	XXH128_hash_t hash = XXH3_128bits(source->data, source->size);

	chunk->content_hash[0] = hash.low64;
	chunk->content_hash[1] = hash.high64;
}

/* What has come back, so that what is under way is under way. */
static int collect(struct image_writer *writer, struct fault *fault)
{
	int code = 0;

	while (!code && ring_has_done(writer->ring))
		code = wait_for_one(writer, fault);
	return code;
}

static int put_chunk(struct image_writer *writer, struct source *source, uint64_t logical, struct fault *fault)
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
		return writer->go_on(writer->context) ? 0 : given_up(fault);
	}
	known = writer->known && protected ? chain_find(writer->known, writer->identity.number, source->size, chunk->content_hash) : NULL;
	if (known) {
		refer(writer, chunk, known);
		return writer->go_on(writer->context) ? 0 : given_up(fault);
	}
	code = collect(writer, fault);
	if (!code)
		code = try_to_code(writer, source, chunk, fault);
	if (!code && chunk->codec == FORMAT_PLAIN)
		code = put_plain(writer, source, chunk, fault);
	writer->way->chunks[chunk->codec]++;
	return code;
}

/* Where the chunk is, or where it has been read to. */
static int fetch(struct image_writer *writer, const struct store_region *put, uint64_t logical, struct source *source, struct fault *fault)
{
	int code = 0;

	source->data = (const uint8_t *)put->data + logical;
	source->stays = true;
	source->slot = -1;
	if (!put->read)
		return 0;
	/* One at most is being filled, and one is ours: the others come back. */
	while (!code && (source->slot = ring_take_slot(writer->ring)) < 0)
		code = wait_for_one(writer, fault);
	if (code)
		return code;
	code = put->read(put->context, source->data, ring_slot(writer->ring, source->slot), source->size, fault);
	source->data = ring_slot(writer->ring, source->slot);
	return code;
}

static int put_region_chunk(struct image_writer *writer, const struct store_region *put, uint64_t logical, struct fault *fault)
{
	struct source source = { .size = FORMAT_CHUNK_SIZE };
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
	for (size_t at = 0; !code && at < out.size; at += RING_SLOT_SIZE)
		code = put_block(writer, &(struct source){
			.data = out.data + at, .size = out.size - at < RING_SLOT_SIZE ? out.size - at : RING_SLOT_SIZE, .slot = -1,
		}, fault);
	bytes_free(&out);
	return code ? code : flush_slot(writer, fault);
}

/* A failed fsync is final: the kernel may have dropped the pages, and asked again would say that all is well. */
static int make_durable(struct image_writer *writer, struct fault *fault)
{
	int fd = writer->fd;
	int code = 0;

	if (writer->reserved != writer->offset && TEMP_FAILURE_RETRY(ftruncate(fd, (off_t)writer->offset)))
		return fault_errno(fault, "cannot write '%s'", writer->path.text);
	crash_point("image-to-sync");
	if (io_fsync(fd))
		code = fault_errno(fault, "cannot make '%s' durable", writer->path.text);
	else if (!writer->go_on(writer->context))
		code = given_up(fault);
	if (code)
		return code;
	crash_point("image-synced");
	writer->fd = -1;
	if (io_close(fd))
		return fault_errno(fault, "cannot write '%s'", writer->path.text);
	return io_sync_folder(writer->folder.text, fault);
}

static int put_header(struct image_writer *writer, const struct format_header *header, struct fault *fault)
{
	int code = need_slot(writer, FORMAT_HEADER_SIZE, fault), slot = writer->slot;

	if (code)
		return code;
	format_put_header(ring_slot(writer->ring, slot), header);
	writer->slot = -1;
	code = start(writer, ring_slot(writer->ring, slot), FORMAT_HEADER_SIZE, 0, slot, fault);
	return code ? code : image_settle(writer, fault);
}

int image_end(struct image_writer *writer, struct fault *fault)
{
	struct format_header header = { .identity = writer->identity, .group = writer->identity.rank, .rank_count = 1 };
	int code = put_index(writer, &header.ranks[0], fault);

	if (!code)
		code = image_settle(writer, fault);
	if (code)
		return code;
	crash_point("image-header-to-write");
	header.file_size = writer->offset;
	code = put_header(writer, &header, fault);
	return code ? code : make_durable(writer, fault);
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
}
