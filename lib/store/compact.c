/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/chunk_read.h"
#include "store/compact.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mix.h"
#include "store/catalogue.h"
#include "store/image_read.h"
#include "store/internal.h"
#include "store/manifest.h"
#include "store/nearby.h"

enum { PIECE = 1 << 20 };
#define WHOLE "whole-*.smk"

/* One new file group. */
struct group {
	const struct store_checkpoint *checkpoint;
	uint32_t first;                /* rank */
	uint32_t count;
	uint32_t number;               /* as a file group */
	int fd;
	struct io_path path;
	uint64_t next;                 /* where the last block ends */
	uint8_t *piece;                /* bytes of the file that are not written yet: blocks and zeros between them */
	size_t filled;
	uint64_t from;                 /* where they go */
	struct nearby nearby;          /* what is small is read so */
	XXH3_state_t *checksum;
	struct format_header header;
};

/* --- chunks --------------------------------------------------------------------------------------------------------- */

static int flush(struct group *group, struct fault *fault)
{
	size_t size = group->filled;

	group->filled = 0;
	return size ? io_write(group->fd, group->piece, size, group->from, group->path.text, fault) : 0;
}

/* Room for so many bytes, at most PIECE, that go to a place in the file. What joins the last ones goes with them: between the two is too little for a block of anybody's. */
static int make_room(struct group *group, uint64_t to, size_t size, uint8_t **room, struct fault *fault)
{
	uint64_t end = group->from + group->filled;
	bool joins = group->filled && to >= end && to - end < FORMAT_SMALL_ALIGN && to + size - group->from <= PIECE;
	int code = joins ? 0 : flush(group, fault);

	if (!joins)
		group->from = end = to;
	memset(group->piece + group->filled, 0, (size_t)(to - end));
	group->filled = (size_t)(to + size - group->from);
	*room = group->piece + (to - group->from);
	return code;
}

static int read_bytes(struct group *group, int fd, const char *path, uint64_t from, uint8_t *to, size_t size, struct fault *fault)
{
	const uint8_t *found;
	int code;

	if (size >= FORMAT_SMALL)
		return io_read(fd, to, size, from, path, fault);
	code = nearby_read(&group->nearby, fd, path, from, size, &found, fault);
	if (!code)
		memcpy(to, found, size);
	return code;
}

/* The stored bytes as they are. */
static int copy_chunk(struct group *group, struct store_image *image, const struct format_chunk *chunk, uint64_t to, struct fault *fault)
{
	XXH3_state_t *checksum = group->checksum;
	const char *path = image->path.text;
	int fd = image->fd;
	int code = chunk->elsewhere ? parents_file(image->parents, chunk, &fd, &path, fault) : 0;

	XXH3_64bits_reset(checksum);
	for (uint64_t done = 0; !code && done < chunk->stored; done += PIECE) {
		size_t size = chunk->stored - done < PIECE ? (size_t)(chunk->stored - done) : PIECE;
		uint8_t *room;

		code = make_room(group, to + done, size, &room, fault);
		if (!code)
			code = read_bytes(group, fd, path, chunk->offset + done, room, size, fault);
		if (!code)
			XXH3_64bits_update(checksum, room, size);
		chunk_count_read(size);
	}
	if (!code && XXH3_64bits_digest(checksum) != chunk->checksum)
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is damaged: the checksum of a chunk that checkpoint %" PRIu64 " needs is wrong", path,
				 group->checkpoint->number);
	return code;
}

/* The image's own chunks, where they are: others may name their places. */
static int copy_own(struct group *group, struct store_image *image, struct fault *fault)
{
	int code = 0;

	for (size_t i = 0; !code && i < image->index.chunk_count; i++) {
		const struct format_chunk *chunk = &image->index.chunks[i];

		if (chunk->elsewhere || !chunk->stored)
			continue;
		code = copy_chunk(group, image, chunk, chunk->offset, fault);
		if (chunk->offset + chunk->stored > group->next)
			group->next = chunk->offset + chunk->stored;
	}
	return code;
}

/* The others behind all of these. */
static int fetch_others(struct group *group, struct store_image *image, struct fault *fault)
{
	int code = 0;

	for (size_t i = 0; !code && i < image->index.chunk_count; i++) {
		struct format_chunk *chunk = &image->index.chunks[i];
		uint64_t to = format_place(group->next, chunk->stored);

		if (!chunk->elsewhere)
			continue;
		code = copy_chunk(group, image, chunk, to, fault);
		chunk->offset = to;
		chunk->elsewhere = false;
		group->next = to + chunk->stored;
	}
	return code;
}

/* --- a file ----------------------------------------------------------------------------------------------------------- */

static int put_index(struct group *group, const struct store_image *image, uint64_t *table_sum, struct fault *fault)
{
	struct format_rank *rank = &group->header.ranks[group->header.rank_count++];
	struct bytes_out out = {0};
	int code;

	format_put_index(&out, &image->index, &image->identity, group->number);
	*rank = (struct format_rank){ .rank = image->identity.rank, .index_offset = format_place(group->next, out.size), .index_size = out.size,
				      .content = image->rank->content };
	if (out.failed) {
		bytes_free(&out);
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", group->path.text);
	}
	rank->table_hash = XXH3_64bits(out.data, out.size);
	*table_sum += mix64_pair(rank->rank, rank->table_hash);
	code = io_write(group->fd, out.data, out.size, rank->index_offset, group->path.text, fault);
	group->next = rank->index_offset + out.size;
	bytes_free(&out);
	return code;
}

/* To a whole page: what was not written is zeros. */
static int end_file(struct group *group, struct fault *fault)
{
	static const uint8_t zeros[FORMAT_ALIGN];
	uint64_t end = group->next;

	group->next = format_padded(end);
	return end < group->next ? io_write(group->fd, zeros, group->next - end, end, group->path.text, fault) : 0;
}

static int put_header(struct group *group, struct fault *fault)
{
	uint8_t data[FORMAT_HEADER_MOST];
	int code;

	group->header.identity = group->checkpoint->identity;
	group->header.group = group->number;
	group->header.file_size = group->next;
	format_put_header(data, &group->header);
	code = io_write(group->fd, data, format_header_size(group->count), 0, group->path.text, fault);
	if (!code && io_fsync(group->fd))
		code = fault_errno(fault, "cannot make '%s' durable", group->path.text);
	return code;
}

/* Of one rank after the other, as each may need many files: what lies in the old file, where it is; then, behind all of that, the rest. */
static int fill_file(struct group *group, struct store_checkpoint *after, struct fault *fault)
{
	int code = 0;

	group->next = format_header_size(group->count);
	for (uint32_t i = 0; !code && i < 2 * group->count; i++) {
		struct store_image *image;

		code = store_open_image(&image, group->checkpoint, group->first + i % group->count, fault);
		if (code)
			break;
		code = i < group->count ? copy_own(group, image, fault) : fetch_others(group, image, fault);
		if (!code && i >= group->count)
			code = put_index(group, image, &after->table_sum, fault);
		/* It knows files by their numbers, and those are given again. */
		nearby_close(&group->nearby);
		store_close_image(image);
	}
	if (!code)
		code = flush(group, fault);
	if (!code)
		code = end_file(group, fault);
	if (!code)
		code = put_header(group, fault);
	after->bytes += group->next;
	return code;
}

static int write_group(const struct store_checkpoint *before, struct store_checkpoint *after, uint32_t first, uint32_t ranks, struct fault *fault)
{
	struct group *group = calloc(1, sizeof *group);
	char name[96];
	int code;

	if (ranks > FORMAT_RANKS_MAX) {
		free(group);
		return fault_set(fault, SEAMARK_E_DAMAGED, "the manifest of checkpoint %" PRIu64 " names a file of %" PRIu32 " ranks", before->number, ranks);
	}
	if (!group || !(group->piece = malloc(PIECE)) || !(group->checksum = XXH3_createState())) {
		free(group ? group->piece : NULL);
		free(group);
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to write anew what holds rank %" PRIu32, first);
	}
	group->checkpoint = before;
	group->first = first;
	group->count = ranks;
	manifest_locate(after, first, name, sizeof name, &group->number);
	group->path = io_path("%s/%s", after->path, name);
	group->fd = io_open(group->path.text, O_WRONLY | O_CREAT | O_TRUNC);
	code = group->fd < 0 ? fault_errno(fault, "cannot make '%s'", group->path.text) : fill_file(group, after, fault);
	if (group->fd >= 0 && io_close(group->fd) && !code)
		code = fault_errno(fault, "cannot write '%s'", group->path.text);
	free(group->piece);
	XXH3_freeState(group->checksum);
	free(group);
	return code;
}

/* --- a checkpoint ------------------------------------------------------------------------------------------------------ */

static int write_files(const struct store_checkpoint *before, struct store_checkpoint *after, struct fault *fault)
{
	int code = 0;

	*after = *before;
	after->parent_count = 0;
	after->referred = after->bytes = after->table_sum = 0;
	for (uint32_t i = 0; i < after->locator_count; i++)
		strcpy(after->locators[i].pattern, WHOLE);
	for (uint32_t i = 0; !code && i < before->locator_count; i++) {
		const struct store_locator *locator = &before->locators[i];

		for (uint32_t done = 0; !code && done < locator->ranks; done += locator->ranks_each) {
			uint32_t left = locator->ranks - done;

			code = write_group(before, after, locator->first_rank + done, left < locator->ranks_each ? left : locator->ranks_each, fault);
		}
	}
	return code ? code : io_sync_folder(before->path, fault);
}

static int put_manifest(const struct store_checkpoint *after, struct fault *fault)
{
	struct io_path path = io_path("%s/" MANIFEST_NAME, after->path);
	char *text = manifest_text(after);
	int code;

	if (!text)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for '%s'", path.text);
	code = io_publish(path.text, text, strlen(text), fault);
	free(text);
	return code;
}

/* With the lock. What was left by one that was killed goes first, and then what is not needed any more. */
static int rewrite(struct store *store, struct store_checkpoint *before, struct store_checkpoint *after, struct fault *fault)
{
	int code = manifest_read(before, before->path, fault);

	*after = *before;
	if (code)
		return code;
	code = catalogue_sweep(before, fault);
	if (code || !before->parent_count)
		return code;
	code = write_files(before, after, fault);
	if (!code)
		code = put_manifest(after, fault);
	if (code) {
		/* A rename that failed may have been done all the same, where an answer can be lost: what the manifest names stays. */
		if (!manifest_read(after, before->path, NULL))
			catalogue_sweep(after, NULL);
		return code;
	}
	/* If this fails, nobody knows which manifest the disk has: both sets of files stay. */
	code = io_sync_folder(before->path, fault);
	if (!code)
		code = catalogue_sweep(after, fault);
	if (!code)
		retention_release(store);
	return code;
}

int compact_checkpoint(const char *path, struct store_checkpoint *before, struct store_checkpoint *after, struct fault *fault)
{
	struct io_path above = catalogue_above(path);
	struct store *store;
	int code;

	memset(before, 0, sizeof *before);
	if (!above.text[0] || strlen(path) >= sizeof before->path)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "the path '%s' is too long", path);
	strcpy(before->path, path);
	/* Before a lock is made beside something else. */
	code = manifest_read(before, path, fault);
	if (!code)
		code = store_open(&store, above.text, 0, 1, fault);
	if (code)
		return code;
	code = lives_lock(store, fault);
	if (!code)
		code = rewrite(store, before, after, fault);
	store_close(store);
	return code;
}
