/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdlib.h>

#include "base/shape.h"
#include "command/command.h"

/* --- as JSON ------------------------------------------------------------------------------------------------------- */

static json_t *extents_json(const struct seamark_files_region *region)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < region->dimensions; i++)
		json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:I, s:I}", "global", (json_int_t)region->extents[i].global, "first",
						      (json_int_t)region->extents[i].first, "local", (json_int_t)region->extents[i].local,
						      "before", (json_int_t)region->extents[i].before, "after",
						      (json_int_t)region->extents[i].after));
	return list;
}

static json_t *regions_json(const seamark_files_image *image)
{
	json_t *list = json_array();
	struct seamark_files_region region;

	for (size_t i = 0; !seamark_files_region_at(image, i, &region); i++) {
		json_t *object = json_pack("{s:o, s:I, s:I}", "name", command_json_text(region.name), "bytes", (json_int_t)region.bytes,
					   "chunks", (json_int_t)region.chunks);

		if (region.dimensions) {
			json_object_set_new(object, "type", json_string(shape_type_name(region.type)));
			json_object_set_new(object, "extents", extents_json(&region));
		}
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *messages_json(seamark_files_image *image)
{
	json_t *list = json_array();
	struct seamark_files_message message;

	for (size_t i = 0; !seamark_files_message_at(image, i, &message); i++)
		json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "communicator",
						      command_json_text(message.communicator), "source", (json_int_t)message.source, "source_world",
						      (json_int_t)message.source_world, "tag", (json_int_t)message.tag, "turn",
						      (json_int_t)message.turn, "position", (json_int_t)message.position, "bytes",
						      (json_int_t)message.bytes));
	return list;
}

static json_t *stream_json(const struct seamark_files_stream *stream)
{
	json_t *object = json_pack("{s:o, s:s, s:I, s:I}", "communicator", command_json_text(stream->communicator), "direction",
				   stream->outgoing ? "out" : "in", "peer", (json_int_t)stream->peer, "tag", (json_int_t)stream->tag);

	if (stream->abandoned)
		json_object_set_new(object, "abandoned", json_true());
	if (stream->outgoing) {
		json_object_set_new(object, "sent", json_integer(stream->sent));
		json_object_set_new(object, "synchronous", json_integer(stream->synchronous));
	} else {
		json_object_set_new(object, "carried", json_integer(stream->carried));
		json_object_set_new(object, "seen", json_integer(stream->seen));
		json_object_set_new(object, "recorded", json_integer(stream->recorded));
		json_object_set_new(object, "highest", json_integer(stream->highest));
	}
	return object;
}

static json_t *image_json(seamark_files_image *image, uint32_t rank)
{
	json_t *streams = json_array();
	struct seamark_files_stream stream;

	for (size_t i = 0; !seamark_files_stream_at(image, i, &stream); i++)
		json_array_append_new(streams, stream_json(&stream));
	return json_pack("{s:I, s:o, s:o, s:o}", "rank", (json_int_t)rank, "regions", regions_json(image), "messages", messages_json(image),
			 "streams", streams);
}

/* --- for people ---------------------------------------------------------------------------------------------------- */

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void print_checkpoint(const struct seamark_files_entry *entry)
{
	char run[33];

	for (size_t i = 0; i < sizeof entry->run; i++)
		snprintf(run + 2 * i, 3, "%02x", entry->run[i]);
	command_print("checkpoint %" PRIu64 "%s", entry->number, entry->pinned ? " (kept)" : "");
	command_print("  folder     %s", entry->path);
	command_print("  run        %s, life %" PRIu32, run, entry->life);
	command_print("  step       %s", command_step(entry->step).text);
	command_print("  taken      %s", command_time(entry->taken_ns).text);
	command_print("  held       %.6f s", entry->held_s);
	command_print("  ranks      %" PRIu32, entry->ranks);
	command_print("  size       %s", command_size(entry->bytes).text);
	if (entry->parent_count)
		command_print("  elsewhere  %s", command_elsewhere(entry).text);
	command_print("  in flight  %" PRIu64 " message%s (%s)", entry->messages, plural(entry->messages), command_size(entry->message_bytes).text);
}

static void print_summary(seamark_files_image *image, uint32_t rank)
{
	struct seamark_files_region region;
	uint64_t bytes = 0;
	size_t messages = 0, regions = seamark_files_region_count(image), streams = seamark_files_stream_count(image);

	for (size_t i = 0; !seamark_files_region_at(image, i, &region); i++)
		bytes += region.bytes;
	if (seamark_files_message_count(image, &messages))
		command_complain("%s", seamark_files_error());
	command_print("  rank %-5" PRIu32 " %zu region%s (%s), %zu message%s in flight, %zu stream%s", rank, regions, plural(regions), command_size(bytes).text,
		      messages, plural(messages), streams, plural(streams));
}

static void print_streams(const seamark_files_image *image)
{
	struct seamark_files_stream stream;

	for (size_t i = 0; !seamark_files_stream_at(image, i, &stream); i++) {
		const char *abandoned = stream.abandoned ? ", abandoned" : "";

		if (stream.outgoing)
			command_print("    stream   to rank %" PRIu32 ", tag %" PRIu32 ", '%s': sent %" PRId64 "%s", stream.peer, stream.tag,
				      stream.communicator, stream.sent, abandoned);
		else
			command_print("    stream   from rank %" PRIu32 ", tag %" PRIu32 ", '%s': carried %" PRId64 ", seen %" PRId64
				      ", recorded %" PRId64 "%s", stream.peer, stream.tag, stream.communicator, stream.carried, stream.seen,
				      stream.recorded, abandoned);
	}
}

static void print_region(const struct seamark_files_region *region)
{
	const struct shape shape = { region->type, region->dimensions, (const struct shape_extent *)(const void *)region->extents };
	char text[1024];

	shape_text(&shape, text, sizeof text);
	command_print("    region   '%s': %s%s%s", region->name, command_size(region->bytes).text, region->dimensions ? ", " : "",
		      region->dimensions ? text : "");
}

static void print_image(seamark_files_image *image, uint32_t rank)
{
	struct seamark_files_region region;
	struct seamark_files_message message;

	print_summary(image, rank);
	for (size_t i = 0; !seamark_files_region_at(image, i, &region); i++)
		print_region(&region);
	for (size_t i = 0; !seamark_files_message_at(image, i, &message); i++)
		command_print("    message  from rank %" PRIu32 ", tag %" PRIu32 ", '%s', position %" PRId64 ": %s", message.source_world,
			      message.tag, message.communicator, message.position, command_size(message.bytes).text);
	print_streams(image);
}

/* --- */

/* ranks from..to - 1; details: every region, message and stream. list: null for lines. */
static int show_ranks(const seamark_files_checkpoint *checkpoint, uint32_t from, uint32_t to, bool details, json_t *list)
{
	int status = EXIT_FINE;

	for (uint32_t rank = from; rank < to; rank++) {
		seamark_files_image *image;

		if (seamark_files_image_open(&image, checkpoint, rank)) {
			command_complain("rank %" PRIu32 ": %s", rank, seamark_files_error());
			status = EXIT_PROBLEMS;
			continue;
		}
		if (list)
			json_array_append_new(list, image_json(image, rank));
		else if (details)
			print_image(image, rank);
		else
			print_summary(image, rank);
		seamark_files_image_close(image);
	}
	return status;
}

static bool parse_rank(const char *text, uint32_t ranks, uint32_t *from, uint32_t *to)
{
	int64_t rank;

	*from = 0;
	*to = ranks;
	if (!text)
		return true;
	if (!command_whole(text, (int64_t)ranks - 1, &rank)) {
		command_complain("'%s' is no rank: the checkpoint has ranks 0 to %" PRIu32, text, ranks - 1);
		return false;
	}
	*from = (uint32_t)rank;
	*to = (uint32_t)rank + 1;
	return true;
}

static int show(const struct seamark_files_entry *entry, const char *only, int json)
{
	seamark_files_checkpoint *checkpoint;
	json_t *document = NULL, *list = NULL;
	uint32_t from, to;
	int status;

	if (entry->status || seamark_files_checkpoint_open(&checkpoint, entry->path)) {
		command_complain("%s", entry->status ? entry->problem : seamark_files_error());
		return entry->status == SEAMARK_E_DAMAGED ? EXIT_PROBLEMS : EXIT_CANNOT_READ;
	}
	if (!parse_rank(only, entry->ranks, &from, &to)) {
		seamark_files_checkpoint_close(checkpoint);
		return EXIT_USAGE;
	}
	if (json) {
		document = command_json_entry(entry);
		json_object_set_new(document, "images", list = json_array());
	} else {
		print_checkpoint(entry);
	}
	status = show_ranks(checkpoint, from, to, only != NULL, list);
	seamark_files_checkpoint_close(checkpoint);
	if (json && command_print_json(document))
		return EXIT_CANNOT_READ;
	return status;
}

int command_show(int argc, char **argv)
{
	const char *given = NULL, *only = NULL;
	int json = 0, status;
	const struct command_option options[] = {
		{ "rank", "R", "all that rank R saved: regions, messages in flight, streams", &only, NULL },
		COMMAND_DIR(&given),
		{ "json", NULL, "as JSON, with everything for every rank shown", NULL, &json },
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "show [--rank R] [--dir DIR] [--json] [N]",
		"What is in checkpoint N (a number, or the path of its folder; the newest, if it is left out).\n\n"
		"Exit status: 0, 1 an image is damaged (it is named), 2 wrong usage, 3 the checkpoint cannot be read.", options, 0, 1 };
	struct seamark_files_entry entry;
	seamark_files *files;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	status = command_find(command_folder(given), argc ? argv[0] : NULL, &files, &entry) ? show(&entry, only, json) : EXIT_CANNOT_READ;
	seamark_files_close(files);
	return status;
}
