/* SPDX-License-Identifier: BSD-3-Clause */
/* What the images of a checkpoint tell the report: each rank's sums, and who had sent whom what. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "report/report.h"

struct channel {
	uint32_t from, to;
	uint64_t messages, bytes;  /* in flight */
	uint64_t sent;             /* since the streams' bases */
};

/* What is known of one rank. */
struct rank {
	uint64_t state, regions, streams;
	uint64_t in_messages, in_bytes, out_messages, out_bytes, sent;
	bool damaged;
};

struct images {
	uint32_t ranks;
	struct rank *rank;
	struct channel *row;       /* of one image, by peer */
	struct channel *channels;
	size_t count, room;
	json_t *problems;
	bool without_memory;
};

/* --- gathering --------------------------------------------------------------------------------------------------------------- */

static void begin_row(struct images *images, uint32_t rank, bool outgoing)
{
	for (uint32_t peer = 0; peer < images->ranks; peer++)
		images->row[peer] = (struct channel){ .from = outgoing ? rank : peer, .to = outgoing ? peer : rank };
}

static void end_row(struct images *images)
{
	for (uint32_t peer = 0; peer < images->ranks; peer++) {
		struct channel *grown;

		if (!images->row[peer].messages && !images->row[peer].sent)
			continue;
		grown = list_with_room(images->channels, images->count, &images->room, sizeof *grown);
		images->without_memory |= !grown;
		if (!grown)
			return;
		images->channels = grown;
		grown[images->count++] = images->row[peer];
	}
}

static int take_messages(struct images *images, seamark_files_image *image, uint32_t rank)
{
	struct seamark_files_message message;
	size_t count;
	int code = seamark_files_message_count(image, &count);

	begin_row(images, rank, false);
	for (size_t i = 0; !code && !seamark_files_message_at(image, i, &message); i++) {
		struct rank *from = &images->rank[message.source_world], *to = &images->rank[rank];

		images->row[message.source_world].messages++;
		images->row[message.source_world].bytes += message.bytes;
		to->in_messages++;
		to->in_bytes += message.bytes;
		from->out_messages++;
		from->out_bytes += message.bytes;
	}
	end_row(images);
	return code;
}

static void take_streams(struct images *images, const seamark_files_image *image, uint32_t rank)
{
	struct seamark_files_stream stream;

	begin_row(images, rank, true);
	for (size_t i = 0; !seamark_files_stream_at(image, i, &stream); i++) {
		images->rank[rank].streams++;
		if (!stream.outgoing || stream.sent <= 0)
			continue;
		images->row[stream.peer].sent += (uint64_t)stream.sent;
		images->rank[rank].sent += (uint64_t)stream.sent;
	}
	end_row(images);
}

static void take_regions(struct images *images, const seamark_files_image *image, uint32_t rank)
{
	struct seamark_files_region region;

	for (size_t i = 0; !seamark_files_region_at(image, i, &region); i++) {
		images->rank[rank].regions++;
		images->rank[rank].state += region.bytes;
	}
}

static void note_problem(struct images *images, uint32_t rank)
{
	images->rank[rank].damaged = true;
	json_array_append_new(images->problems, json_pack("{s:I, s:o}", "rank", (json_int_t)rank, "text", command_json_text(seamark_files_error())));
}

static void take_image(struct images *images, const seamark_files_checkpoint *checkpoint, uint32_t rank)
{
	seamark_files_image *image;

	if (seamark_files_image_open(&image, checkpoint, rank)) {
		note_problem(images, rank);
		return;
	}
	take_regions(images, image, rank);
	take_streams(images, image, rank);
	if (take_messages(images, image, rank))
		note_problem(images, rank);
	seamark_files_image_close(image);
}

/* --- channels and matrix ------------------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const struct channel *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

static int by_size(const void *a, const void *b)
{
	const struct channel *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	if (x->messages != y->messages)
		return x->messages > y->messages ? -1 : 1;
	if (x->sent != y->sent)
		return x->sent > y->sent ? -1 : 1;
	return by_place(a, b);
}

/* Sorts by place, and makes one of those that are at the same. */
static size_t join(struct channel *channels, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(channels, count, sizeof *channels, by_place);
	for (size_t i = 0; i < count; i++) {
		if (kept && !by_place(&channels[kept - 1], &channels[i])) {
			channels[kept - 1].messages += channels[i].messages;
			channels[kept - 1].bytes += channels[i].bytes;
			channels[kept - 1].sent += channels[i].sent;
		} else {
			channels[kept++] = channels[i];
		}
	}
	return kept;
}

static json_t *rows_of(const struct channel *channels, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("[I, I, I, I, I]", (json_int_t)channels[i].from, (json_int_t)channels[i].to,
						      (json_int_t)channels[i].messages, (json_int_t)channels[i].bytes, (json_int_t)channels[i].sent));
	return list;
}

/* The largest channels, and then the matrix of all of them. */
static void put_channels(struct images *images, json_t *document)
{
	uint32_t fold = 1;
	size_t told;

	images->count = join(images->channels, images->count);
	if (images->count)
		qsort(images->channels, images->count, sizeof *images->channels, by_size);
	told = images->count < REPORT_CHANNELS ? images->count : REPORT_CHANNELS;
	json_object_set_new(document, "channels", rows_of(images->channels, told));
	json_object_set_new(document, "channels_left_out", json_integer((json_int_t)(images->count - told)));
	while ((images->ranks + fold - 1) / fold > REPORT_MATRIX)
		fold *= 2;
	for (size_t i = 0; i < images->count; i++) {
		images->channels[i].from /= fold;
		images->channels[i].to /= fold;
	}
	images->count = join(images->channels, images->count);
	json_object_set_new(document, "matrix", json_pack("{s:I, s:o}", "ranks_each", (json_int_t)fold, "cells", rows_of(images->channels, images->count)));
}

static json_t *ranks_of(const struct images *images)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < images->ranks; i++) {
		const struct rank *rank = &images->rank[i];

		json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "rank", (json_int_t)i, "state_bytes",
						      (json_int_t)rank->state, "regions", (json_int_t)rank->regions, "streams",
						      (json_int_t)rank->streams, "in_messages", (json_int_t)rank->in_messages, "in_bytes",
						      (json_int_t)rank->in_bytes, "out_messages", (json_int_t)rank->out_messages, "out_bytes",
						      (json_int_t)rank->out_bytes, "sent", (json_int_t)rank->sent, "damaged", (int)rank->damaged));
	}
	return list;
}

/* --- */

/* What was wrong is told, unless the program that uses the folder has retired the checkpoint meanwhile: then there is nothing to tell of it. */
static bool settle_problems(const struct images *images, const struct seamark_files_entry *entry, int *status)
{
	const json_t *problem;
	size_t i;

	if (json_array_size(images->problems) && report_is_retired(entry))
		return false;
	json_array_foreach(images->problems, i, problem) {
		const json_t *rank = json_object_get(problem, "rank");

		if (rank)
			command_complain("rank %lld: %s", (long long)json_integer_value(rank), report_member(problem, "text"));
		else
			command_complain("%s", report_member(problem, "text"));
		*status = EXIT_PROBLEMS;
	}
	return true;
}

static json_t *look_into(struct images *images, const struct seamark_files_entry *entry, int *status)
{
	json_t *document = json_pack("{s:I, s:I}", "number", (json_int_t)entry->number, "ranks_in_all", (json_int_t)entry->ranks);
	seamark_files_checkpoint *checkpoint;

	if (seamark_files_checkpoint_open(&checkpoint, entry->path)) {
		json_array_append_new(images->problems, json_pack("{s:o}", "text", command_json_text(seamark_files_error())));
	} else {
		for (uint32_t rank = 0; rank < entry->ranks; rank++)
			take_image(images, checkpoint, rank);
		seamark_files_checkpoint_close(checkpoint);
	}
	json_object_set_new(document, "ranks", ranks_of(images));
	put_channels(images, document);
	json_object_set(document, "problems", images->problems);
	if (settle_problems(images, entry, status))
		return document;
	json_decref(document);
	return NULL;
}

json_t *report_images(const struct seamark_files_entry *entry, int *status)
{
	struct images images = { .ranks = entry->ranks, .rank = calloc(entry->ranks, sizeof *images.rank), .row = calloc(entry->ranks, sizeof *images.row),
		.problems = json_array() };
	json_t *document = images.rank && images.row ? look_into(&images, entry, status) : NULL;

	if (images.without_memory) {
		json_decref(document);
		document = NULL;
	}
	json_decref(images.problems);
	free(images.rank);
	free(images.row);
	free(images.channels);
	return document;
}
