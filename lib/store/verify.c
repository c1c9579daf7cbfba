/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "store/image_read.h"
#include "store/nearby.h"

/* One end of a stream, as one rank's ledger has it, or one recorded position in it. */
struct line {
	const char *comm;         /* one pointer per name */
	uint32_t sender;
	uint32_t receiver;
	uint32_t tag;
	enum { LINE_OUTGOING, LINE_INCOMING, LINE_POSITION } kind;
	bool abandoned;
	int64_t position;         /* of a position; sent of an outgoing end */
	int64_t carried;
	int64_t seen;
	int64_t recorded;
	int64_t highest;
};

struct verification {
	const struct store_checkpoint *checkpoint;
	void (*told)(void *context, int code, int64_t rank, const char *text);
	void *context;
	struct verify_proof *proof;
	struct line *lines;
	size_t line_count, line_room;
	char **names;             /* open addressing by hash */
	size_t name_count, name_room;
	uint64_t table_sum;
	uint64_t file_bytes;
	uint64_t message_bytes;
	uint64_t referred;
	bool used[STORE_PARENTS_MAX]; /* the manifest's parents in which a chunk lies */
	bool no_memory;
};

static void tell(struct verification *v, int code, int64_t rank, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void tell(struct verification *v, int code, int64_t rank, const char *format, ...)
{
	char text[640];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	v->proof->problems += code != 0;
	if (v->told)
		v->told(v->context, code, rank, text);
}

/* --- the files ----------------------------------------------------------------------------------------------------- */

struct extent {
	uint64_t offset;
	uint64_t size;
};

static int compare_extents(const void *a, const void *b)
{
	const struct extent *left = a, *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/* What lies between blocks, often a few bytes, is read with what lies behind it. */
static bool is_zero(struct store_image *image, struct nearby *nearby, uint64_t from, uint64_t to)
{
	while (from < to) {
		size_t size = to - from < NEARBY_SIZE / 2 ? (size_t)(to - from) : NEARBY_SIZE / 2;
		const uint8_t *piece;

		if (nearby_read(nearby, image->fd, image->path.text, from, size, &piece, NULL))
			return false;
		if (piece[0] || memcmp(piece, piece + 1, size - 1))
			return false;
		from += size;
	}
	return true;
}

/* What lies between blocks is zero, and the last one's page ends the file. */
static const char *check_extents(struct store_image *image, struct nearby *nearby, struct extent *extents, size_t count)
{
	uint64_t end = format_header_size(image->header.rank_count);

	qsort(extents, count, sizeof *extents, compare_extents);
	for (size_t i = 0; i < count; i++) {
		if (extents[i].offset < end)
			return "blocks overlap";
		if (!is_zero(image, nearby, end, extents[i].offset))
			return "there are bytes that belong to nothing";
		end = extents[i].offset + extents[i].size;
	}
	if (!is_zero(image, nearby, end, image->header.file_size) || format_padded(end) != image->header.file_size)
		return "there are bytes that belong to nothing";
	return NULL;
}

static bool add_extents(const struct store_image *image, struct extent **extents, size_t *count)
{
	struct extent *grown = realloc(*extents, (*count + image->index.chunk_count + 1) * sizeof *grown);

	if (!grown)
		return false;
	*extents = grown;
	grown[(*count)++] = (struct extent){ image->rank->index_offset, image->rank->index_size };
	for (size_t i = 0; i < image->index.chunk_count; i++)
		if (!image->index.chunks[i].elsewhere && image->index.chunks[i].stored)
			grown[(*count)++] = (struct extent){ image->index.chunks[i].offset, image->index.chunks[i].stored };
	return true;
}

/* Once for a file, whoever is the first rank in it; the images of the others are opened for it. */
static void check_layout(struct verification *v, struct store_image *image)
{
	struct extent *extents = NULL;
	size_t count = 0;
	bool whole = add_extents(image, &extents, &count);
	const char *why;

	for (uint32_t i = 1; whole && i < image->header.rank_count; i++) {
		struct store_image *other;

		if (store_open_image(&other, v->checkpoint, image->header.ranks[i].rank, NULL)) {
			free(extents);
			return; /* told when its turn comes */
		}
		whole = add_extents(other, &extents, &count);
		store_close_image(other);
	}
	if (!whole) {
		v->no_memory = true;
	} else {
		struct nearby nearby = {0};

		why = check_extents(image, &nearby, extents, count);
		nearby_close(&nearby);
		if (why)
			tell(v, SEAMARK_E_DAMAGED, image->identity.rank, "'%s': %s", image->path.text, why);
	}
	v->file_bytes += image->header.file_size;
	free(extents);
}

/* The chunks that lie elsewhere are what the tables there say: with their content read, as every chunk's is, nothing about them is taken on trust. */
static bool check_references(struct verification *v, struct store_image *image)
{
	const struct store_checkpoint *is = v->checkpoint;
	bool good = true;

	for (size_t i = 0; i < image->index.chunk_count; i++) {
		const struct format_chunk *chunk = &image->index.chunks[i];
		struct fault fault = FAULT_NONE;

		if (!chunk->elsewhere)
			continue;
		v->referred += chunk->stored;
		for (uint32_t p = 0; p < is->parent_count; p++)
			v->used[p] = v->used[p] || (is->parents[p].number == chunk->place.number && is->parents[p].life == chunk->place.life);
		/* Once: they are all in few files. */
		if (good && parents_check(image->parents, chunk, &fault)) {
			tell(v, fault.code, image->identity.rank, "%s", fault.text);
			good = false;
		}
	}
	return good;
}

static bool is_in_own_file(const struct store_image *image, const struct format_region *region)
{
	for (uint64_t i = 0; i < region->chunk_count; i++)
		if (image->index.chunks[region->first_chunk + i].elsewhere)
			return false;
	return true;
}

/* Each by itself, so that each that is damaged is told of. */
static void check_regions(struct verification *v, struct store_image *image, bool references)
{
	for (size_t i = 0; i < image->index.region_count; i++) {
		struct fault fault = FAULT_NONE;

		if (!references && !is_in_own_file(image, &image->index.regions[i]))
			continue;
		if (image_load(image, i, NULL, &fault))
			tell(v, fault.code, image->identity.rank, "%s", fault.text);
		else if (i < image->index.protected_count)
			v->proof->regions++;
	}
}

static void check_content(struct verification *v, struct store_image *image)
{
	uint64_t problems = v->proof->problems;
	bool references = check_references(v, image);

	if (references && !image_check_all(image, NULL))
		v->proof->regions += image->index.protected_count;
	else
		check_regions(v, image, references);
	if (image->rank == image->header.ranks)
		check_layout(v, image);
	v->proof->images += problems == v->proof->problems;
}

/* --- the ledgers, gathered ------------------------------------------------------------------------------------------ */

static struct line *add_line(struct verification *v)
{
	if (v->line_count == v->line_room) {
		size_t room = v->line_room ? 2 * v->line_room : 256;
		struct line *grown = realloc(v->lines, room * sizeof *grown);

		if (!grown) {
			v->no_memory = true;
			return NULL;
		}
		v->lines = grown;
		v->line_room = room;
	}
	return memset(&v->lines[v->line_count++], 0, sizeof *v->lines);
}

static char **name_slot(char **names, size_t room, const char *name)
{
	size_t at = (size_t)XXH3_64bits(name, strlen(name)) & (room - 1);

	while (names[at] && strcmp(names[at], name))
		at = (at + 1) & (room - 1);
	return &names[at];
}

static bool grow_names(struct verification *v)
{
	size_t room = v->name_room ? 2 * v->name_room : 64;
	char **grown = calloc(room, sizeof *grown);

	if (!grown)
		return false;
	for (size_t i = 0; i < v->name_room; i++)
		if (v->names[i])
			*name_slot(grown, room, v->names[i]) = v->names[i];
	free(v->names);
	v->names = grown;
	v->name_room = room;
	return true;
}

static const char *one_name(struct verification *v, const char *name)
{
	char **slot;

	if (2 * v->name_count >= v->name_room && !grow_names(v)) {
		v->no_memory = true;
		return "";
	}
	slot = name_slot(v->names, v->name_room, name);
	if (!*slot) {
		*slot = strdup(name);
		v->name_count++;
	}
	if (!*slot)
		v->no_memory = true;
	return *slot ? *slot : "";
}

static void add_stream(struct verification *v, uint32_t rank, const char *comm, const struct store_stream *stream)
{
	struct line *line = add_line(v);

	if (!line)
		return;
	line->comm = comm;
	line->sender = stream->outgoing ? rank : stream->peer;
	line->receiver = stream->outgoing ? stream->peer : rank;
	line->tag = stream->tag;
	line->kind = stream->outgoing ? LINE_OUTGOING : LINE_INCOMING;
	line->abandoned = stream->abandoned;
	line->position = stream->sent;
	line->carried = stream->carried;
	line->seen = stream->seen;
	line->recorded = stream->recorded;
	line->highest = stream->highest;
}

static void add_record(struct verification *v, const struct store_image *image)
{
	const struct store_record *record = &image->record;
	uint32_t rank = image->identity.rank;
	const char **names = calloc(record->comm_count + 1, sizeof *names);

	v->no_memory = v->no_memory || !names;
	for (size_t i = 0; names && i < record->comm_count; i++)
		names[i] = one_name(v, record->comms[i].name);
	for (size_t i = 0; names && i < record->stream_count; i++)
		add_stream(v, rank, names[record->streams[i].comm], &record->streams[i]);
	for (size_t i = 0; names && i < record->message_count; i++) {
		const struct store_message *message = &record->messages[i];
		struct line *line = add_line(v);

		if (!line)
			break;
		line->comm = names[message->comm];
		line->sender = message->source_world;
		line->receiver = rank;
		line->tag = message->tag;
		line->kind = LINE_POSITION;
		line->position = message->position;
		v->message_bytes += message->bytes;
	}
	v->proof->messages += record->message_count;
	free(names);
}

/* --- the certificate ----------------------------------------------------------------------------------------------- */

static int compare_streams(const struct line *left, const struct line *right)
{
	int order = left->comm == right->comm ? 0 : strcmp(left->comm, right->comm);

	if (order)
		return order;
	if (left->sender != right->sender)
		return left->sender < right->sender ? -1 : 1;
	if (left->receiver != right->receiver)
		return left->receiver < right->receiver ? -1 : 1;
	if (left->tag != right->tag)
		return left->tag < right->tag ? -1 : 1;
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	const struct line *left = a, *right = b;
	int order = compare_streams(left, right);

	if (!order && left->kind != right->kind)
		order = left->kind < right->kind ? -1 : 1;
	if (!order && left->position != right->position)
		order = left->position < right->position ? -1 : 1;
	return order;
}

/* Positions ascending: what is wrong with them, or null. */
static const char *check_positions(const struct line *positions, size_t count, int64_t sent, const struct line *in)
{
	int64_t high = in->highest > in->seen ? in->highest : in->seen;
	int64_t carried = 0, below = 0, above = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t position = positions[i].position;

		if (i && position == positions[i - 1].position)
			return "a message is recorded twice";
		if (position > sent)
			return "a message is recorded that was not sent before the cut";
		if (position == high && in->seen > 0)
			return "a message is recorded that had been received";
		if (position <= 0)
			carried++;
		else if (position < high)
			below++;
		else
			above++;
	}
	if (high > sent)
		return "a message was received that was sent after the cut";
	if (carried != in->carried || (int64_t)count != in->recorded)
		return "the record is not what the ledger says";
	if (in->seen < 0 || below != high - in->seen || above != sent - high)
		return "a message is neither received nor recorded, or both";
	return NULL;
}

static void check_stream(struct verification *v, const struct line *lines, size_t count)
{
	struct line out = {0}, in = {0};
	size_t outs = 0, ins = 0;
	const char *why = NULL;
	int64_t sent, difference;

	while (outs < count && lines[outs].kind == LINE_OUTGOING)
		out = lines[outs++];
	while (outs + ins < count && lines[outs + ins].kind == LINE_INCOMING)
		in = lines[outs + ins++];
	sent = out.position;
	/* Modulo 2^64, as the numbers are a stranger's. */
	difference = (int64_t)((uint64_t)sent + (uint64_t)in.carried - (uint64_t)in.seen - (uint64_t)in.recorded);
	if (outs > 1 || ins > 1)
		why = "it stands in a ledger twice";
	else if (out.abandoned || in.abandoned)
		v->proof->abandoned += difference > 0 ? (uint64_t)difference : 0;
	else if (difference)
		why = difference > 0 ? "messages are lost" : "there are messages that were not sent";
	else if (sent < 0 || in.seen < 0 || in.highest > INT64_MAX / 2 || sent > INT64_MAX / 2 || in.seen > INT64_MAX / 2)
		why = "its counts cannot be";
	else
		why = check_positions(lines + outs + ins, count - outs - ins, sent, &in);
	if (why)
		tell(v, SEAMARK_E_DAMAGED, lines->receiver, "stream from rank %u to rank %u, tag %u, communicator '%s': %s (sent %" PRId64
		     " + carried %" PRId64 ", seen %" PRId64 " + recorded %" PRId64 ")", lines->sender, lines->receiver, lines->tag,
		     lines->comm, why, sent, in.carried, in.seen, in.recorded);
	else if (out.abandoned || in.abandoned)
		tell(v, 0, lines->receiver, "stream from rank %u to rank %u, tag %u, communicator '%s': abandoned messages: %" PRId64
		     " (the communicator was freed before they were received)", lines->sender, lines->receiver, lines->tag, lines->comm,
		     difference);
	else
		v->proof->streams++;
}

static void check_certificate(struct verification *v)
{
	if (v->line_count)
		qsort(v->lines, v->line_count, sizeof *v->lines, compare_lines);
	for (size_t from = 0, to; from < v->line_count; from = to) {
		for (to = from + 1; to < v->line_count && !compare_streams(&v->lines[from], &v->lines[to]); to++)
			;
		check_stream(v, v->lines + from, to - from);
	}
}

static void check_sums(struct verification *v)
{
	const struct store_checkpoint *is = v->checkpoint;

	if (v->table_sum != is->table_sum)
		tell(v, SEAMARK_E_DAMAGED, -1, "the images' tables are not those that were committed");
	if (v->file_bytes != is->bytes)
		tell(v, SEAMARK_E_DAMAGED, -1, "the images have %" PRIu64 " bytes, the manifest says %" PRIu64, v->file_bytes, is->bytes);
	if (v->referred != is->referred)
		tell(v, SEAMARK_E_DAMAGED, -1, "the images have %" PRIu64 " bytes in other checkpoints, the manifest says %" PRIu64, v->referred,
		     is->referred);
	for (uint32_t i = 0; i < is->parent_count; i++)
		if (!v->used[i])
			tell(v, SEAMARK_E_DAMAGED, -1, "nothing lies in checkpoint %" PRIu64 ", which the manifest says is needed", is->parents[i].number);
	if (v->proof->messages != is->messages || v->message_bytes != is->message_bytes)
		tell(v, SEAMARK_E_DAMAGED, -1, "the images hold %" PRIu64 " messages of %" PRIu64 " bytes, the manifest says %" PRIu64
		     " of %" PRIu64, v->proof->messages, v->message_bytes, is->messages, is->message_bytes);
}

int store_verify(const struct store_checkpoint *checkpoint, void (*told)(void *context, int code, int64_t rank, const char *text),
		 void *context, struct verify_proof *proof, struct fault *fault)
{
	struct verification v = { .checkpoint = checkpoint, .told = told, .context = context, .proof = proof };
	uint32_t opened = 0;

	memset(proof, 0, sizeof *proof);
	for (uint32_t rank = 0; rank < checkpoint->ranks && !v.no_memory; rank++) {
		struct fault own = FAULT_NONE;
		struct store_image *image;

		if (store_open_image(&image, checkpoint, rank, &own)) {
			tell(&v, own.code, rank, "%s", own.text);
			continue;
		}
		opened++;
		check_content(&v, image);
		add_record(&v, image);
		v.table_sum += mix64_pair(rank, image->rank->table_hash);
		store_close_image(image);
	}
	if (opened < checkpoint->ranks && !v.no_memory)
		tell(&v, SEAMARK_E_DAMAGED, -1, "%" PRIu32 " of %" PRIu32 " images cannot be used: the messages between ranks cannot be checked",
		     checkpoint->ranks - opened, checkpoint->ranks);
	else if (!v.no_memory) {
		check_sums(&v);
		check_certificate(&v);
	}
	proof->bytes = v.file_bytes;
	proof->referred = v.referred;
	proof->parents = checkpoint->parent_count;
	for (size_t i = 0; i < v.name_room; i++)
		free(v.names[i]);
	free(v.names);
	free(v.lines);
	if (v.no_memory)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to verify '%s'", checkpoint->path);
	return proof->problems ? fault_set(fault, SEAMARK_E_DAMAGED, "checkpoint %" PRIu64 " is damaged", checkpoint->number) : 0;
}
