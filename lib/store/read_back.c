/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/read_back.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { PIECES = 4 };

struct reader {
	struct image_writer *writer;
	struct ring *ring;
	XXH3_state_t *state;
	size_t item;                  /* chunk after chunk, then the index */
	struct format_rank rank;      /* as the header says */
	uint64_t started, checked;    /* bytes of the file */
	uint8_t *pieces[PIECES];      /* one after the other, around */
	bool here[PIECES];
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

static uint64_t piece_size(const struct reader *reader, uint64_t at)
{
	return reader->writer->offset - at < RING_SLOT_SIZE ? reader->writer->offset - at : RING_SLOT_SIZE;
}

static void start_pieces(struct reader *reader)
{
	while (reader->started < reader->writer->offset && reader->started - reader->checked < (uint64_t)PIECES * RING_SLOT_SIZE &&
	       ring_has_room(reader->ring)) {
		unsigned which = (unsigned)(reader->started / RING_SLOT_SIZE % PIECES);

		ring_start(reader->ring, &(struct ring_piece){ .data = reader->pieces[which], .size = (size_t)piece_size(reader, reader->started),
							       .offset = reader->started, .slot = (int)which, .tag = which });
		reader->started += piece_size(reader, reader->started);
	}
}

static int read_pieces(struct reader *reader, struct fault *fault)
{
	while (reader->checked < reader->writer->offset) {
		unsigned next = (unsigned)(reader->checked / RING_SLOT_SIZE % PIECES);
		struct ring_piece done;
		int code = 0;

		start_pieces(reader);
		while (!code && !reader->here[next]) {
			code = ring_wait(reader->ring, &done, fault);
			reader->here[done.tag] = true;
		}
		if (!code && !reader->writer->go_on(reader->writer->context))
			code = fault_set(fault, SEAMARK_E_VOID, "the image was given up");
		if (!code)
			code = check_piece(reader, reader->pieces[next], reader->checked, piece_size(reader, reader->checked), fault);
		if (code)
			return code;
		reader->here[next] = false;
		reader->checked += piece_size(reader, reader->checked);
	}
	return reader->item > reader->writer->index.chunk_count ? 0 : differs(reader, 0, reader->writer->offset, fault);
}

int read_back(struct image_writer *writer, struct fault *fault)
{
	struct reader reader = { .writer = writer, .state = XXH3_createState() };
	const char *path = writer->path.text;
	int code = 0, fd = -1;

	/* Its memory is for one ring at a time. */
	ring_close(writer->ring);
	writer->ring = NULL;
	if (!reader.state)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s' back", path);
	fd = io_open(path, O_RDONLY | O_NOFOLLOW);
	if (fd < 0)
		code = fault_errno(fault, "cannot open '%s' to read it back", path);
	/* For where the page cache cannot be passed by: what is clean is let go of, and comes from the disk. */
	if (!code)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (!code)
		code = ring_open(&reader.ring, fd, path, PIECES, fault);
	for (int i = 0; !code && i < PIECES; i++) {
		int slot = ring_take_slot(reader.ring);

		assert(slot == i);
		reader.pieces[i] = ring_slot(reader.ring, slot);
	}
	if (!code)
		code = read_pieces(&reader, fault);
	ring_close(reader.ring);
	if (fd >= 0)
		io_close(fd);
	XXH3_freeState(reader.state);
	return code;
}
