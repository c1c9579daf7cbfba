/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/read_back.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { PIECES = 4 };

struct piece {
	uint8_t *data;
	uint64_t at;                  /* in the file */
	uint64_t size;
	bool here;
};

struct reader {
	struct image_writer *writer;
	struct ring *ring;
	XXH3_state_t *state;
	size_t item;                  /* chunk after chunk, then the index */
	struct format_rank rank;      /* of a whole file: as its header says */
	const struct extent *extents; /* what is read, one after the other */
	size_t extent, extent_count;
	uint64_t within;              /* so much of the extent has been asked for */
	uint64_t started, checked;    /* pieces */
	struct piece pieces[PIECES];  /* around */
};

static int differs(const struct reader *reader, uint64_t from, uint64_t to, struct fault *fault)
{
	return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' was written, and reads otherwise at bytes %llu to %llu: the disk, or the way to it, is not to be trusted",
			 reader->writer->path.text, (unsigned long long)from, (unsigned long long)to - 1);
}

/* What lies where, and its checksum; false: that was all. Zeros and what is in other files have nothing here. */
static bool next_item(struct reader *reader, uint64_t *offset, uint64_t *size, uint64_t *checksum)
{
	const struct format_index *index = &reader->writer->index;

	while (reader->item < index->chunk_count && (index->chunks[reader->item].elsewhere || !index->chunks[reader->item].stored))
		reader->item++;
	if (reader->item > index->chunk_count)
		return false;
	if (reader->item == index->chunk_count) {
		*offset = reader->rank.index_offset;
		*size = reader->rank.index_size;
		*checksum = reader->writer->table_hash;
	} else {
		*offset = index->chunks[reader->item].offset;
		*size = index->chunks[reader->item].stored;
		*checksum = index->chunks[reader->item].checksum;
	}
	return true;
}

static int check_header(struct reader *reader, const uint8_t *page, struct fault *fault)
{
	struct format_header header;
	int code = format_get_header(&header, page, reader->writer->offset, reader->writer->path.text, NULL);

	if (code || header.ranks[0].table_hash != reader->writer->table_hash)
		return differs(reader, 0, FORMAT_HEADER_SIZE, fault);
	reader->rank = header.ranks[0];
	return 0;
}

static bool is_zero(const uint8_t *data, uint64_t size)
{
	return !size || (!data[0] && !memcmp(data, data + 1, (size_t)size - 1));
}

/* The part of an item, or of what pads it, that is in a piece; data is where `from` is. */
static int check_part(struct reader *reader, const uint8_t *data, uint64_t from, uint64_t to, struct fault *fault)
{
	uint64_t offset, length, checksum, found;
	bool any = next_item(reader, &offset, &length, &checksum);

	if (!any || from < offset)
		return is_zero(data, to - from) ? 0 : differs(reader, from, to, fault);
	if (to < offset + length || from > offset) {
		if (from == offset)
			XXH3_64bits_reset(reader->state);
		XXH3_64bits_update(reader->state, data, (size_t)(to - from));
	}
	if (to < offset + length)
		return 0;
	reader->item++;
	found = from == offset ? XXH3_64bits(data, (size_t)length) : XXH3_64bits_digest(reader->state);
	return found == checksum ? 0 : differs(reader, offset, offset + length, fault);
}

/* Where what begins at `from`, or goes on there, ends. */
static uint64_t end_of_part(struct reader *reader, uint64_t from, uint64_t most)
{
	uint64_t offset, length, checksum, end = most;

	if (next_item(reader, &offset, &length, &checksum))
		end = from < offset ? offset : offset + length;
	return end < most ? end : most;
}

/* What goes on in the next piece is carried on with there. */
static int check_piece(struct reader *reader, const uint8_t *data, uint64_t at, uint64_t size, struct fault *fault)
{
	int code = at ? 0 : check_header(reader, data, fault);
	uint64_t from = at ? at : FORMAT_HEADER_SIZE;

	while (!code && from < at + size) {
		uint64_t to = end_of_part(reader, from, at + size);

		code = check_part(reader, data + (from - at), from, to, fault);
		from = to;
	}
	return code;
}

static bool start_piece(struct reader *reader)
{
	unsigned which = (unsigned)(reader->started % PIECES);
	struct piece *piece = &reader->pieces[which];
	const struct extent *extent = &reader->extents[reader->extent];

	if (reader->extent == reader->extent_count || reader->started - reader->checked == PIECES || !ring_has_room(reader->ring))
		return false;
	piece->at = extent->offset + reader->within;
	piece->size = extent->size - reader->within < RING_SLOT_SIZE ? extent->size - reader->within : RING_SLOT_SIZE;
	ring_start(reader->ring, &(struct ring_piece){ .data = piece->data, .size = (size_t)piece->size, .offset = piece->at, .slot = (int)which, .tag = which });
	reader->started++;
	reader->within += piece->size;
	if (reader->within == extent->size) {
		reader->within = 0;
		reader->extent++;
	}
	return true;
}

static int read_pieces(struct reader *reader, struct fault *fault)
{
	for (;;) {
		struct piece *next = &reader->pieces[reader->checked % PIECES];
		struct ring_piece done;
		int code = 0;

		while (start_piece(reader))
			;
		if (reader->checked == reader->started)
			break;
		while (!code && !next->here) {
			code = ring_wait(reader->ring, &done, fault);
			reader->pieces[done.tag].here = true;
		}
		if (!code && !reader->writer->go_on(reader->writer->context))
			code = fault_set(fault, SEAMARK_E_VOID, "the image was given up");
		if (!code)
			code = check_piece(reader, next->data, next->at, next->size, fault);
		if (code)
			return code;
		next->here = false;
		reader->checked++;
	}
	return reader->item > reader->writer->index.chunk_count ? 0 : differs(reader, 0, reader->writer->offset, fault);
}

static int open_again(struct ring **ring, int *fd, const char *path, unsigned slots, struct fault *fault)
{
	*fd = io_open(path, O_RDONLY | O_NOFOLLOW);
	if (*fd < 0)
		return fault_errno(fault, "cannot open '%s' to read it back", path);
	/* For where the page cache cannot be passed by: what is clean is let go of, and comes from the disk. */
	posix_fadvise(*fd, 0, 0, POSIX_FADV_DONTNEED);
	return ring_open(ring, *fd, path, slots, fault);
}

int read_back(struct image_writer *writer, const struct format_rank *part, struct fault *fault)
{
	const struct extent whole = { .size = writer->offset };
	struct reader reader = { .writer = writer, .state = XXH3_createState(), .extents = &whole, .extent_count = 1 };
	int code = 0, fd = -1;

	/* Its memory is for one ring at a time. */
	ring_close(writer->ring);
	writer->ring = NULL;
	if (!reader.state)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s' back", writer->path.text);
	if (part) {
		reader.rank = *part;
		reader.extents = writer->extents.list;
		reader.extent_count = writer->extents.count;
	}
	code = open_again(&reader.ring, &fd, writer->path.text, PIECES, fault);
	for (int i = 0; !code && i < PIECES; i++) {
		int slot = ring_take_slot(reader.ring);

		assert(slot == i);
		reader.pieces[i].data = ring_slot(reader.ring, slot);
	}
	if (!code)
		code = read_pieces(&reader, fault);
	ring_close(reader.ring);
	if (fd >= 0)
		io_close(fd);
	XXH3_freeState(reader.state);
	return code;
}

int read_back_header(struct image_writer *writer, const struct format_header *header, struct fault *fault)
{
	uint32_t size = format_header_size(header->rank_count);
	uint8_t *should = malloc(size);
	struct reader reader = { .writer = writer };
	struct ring_piece piece = { .size = size };
	int code = should ? 0 : fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s' back", writer->path.text), fd = -1;

	if (!code)
		code = open_again(&reader.ring, &fd, writer->path.text, 1, fault);
	if (!code) {
		format_put_header(should, header);
		piece.slot = ring_take_slot(reader.ring);
		piece.data = ring_slot(reader.ring, piece.slot);
		ring_start(reader.ring, &piece);
		code = ring_wait(reader.ring, &piece, fault);
		if (!code && memcmp(piece.data, should, size))
			code = differs(&reader, 0, size, fault);
	}
	ring_close(reader.ring);
	if (fd >= 0)
		io_close(fd);
	free(should);
	return code;
}
