/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark messages: what was in flight at a checkpoint's cut, message by message or summed up. */
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "command/command.h"
#include "checkpoints/messages_way.h"
#include "command/payload.h"
#include "command/terminal.h"
#include "tracing/trace.h"

enum by { BY_NOTHING, BY_CHANNEL, BY_RANK, BY_TAG, BY_COMMUNICATOR };
static const char *const by_names[] = { "nothing", "channel", "rank", "tag", "communicator" };

/* What a sum is of: a channel's two ranks, a rank, a tag, or a communicator. */
struct sum {
	uint64_t key[2];
	char *communicator;
	uint64_t messages, bytes;         /* of a rank: those to it */
	uint64_t messages_out, bytes_out; /* ... and those from it */
};

struct look {
	/* What is wanted. */
	int64_t to, from, tag;            /* -1: any */
	const char *communicator;
	enum by by;
	bool posted;                      /* the receives, and not the messages */
	const struct payload_way *payload;
	uint64_t most;                    /* bytes of a payload; 0: all */
	json_t *list;                     /* null: lines */
	struct terminal_table table;      /* ... of messages */
	struct ways *ways;                /* null: not known */
	/* What was found. */
	uint64_t messages, bytes, receives;
	void *found;                      /* tree of sums */
	struct sum **sums;
	size_t count, room;
	bool without_memory;
};

static bool is_from(const struct look *look, int64_t source_world, int64_t tag, const char *communicator)
{
	return (look->from < 0 || source_world < 0 || look->from == source_world) && (look->tag < 0 || tag < 0 || look->tag == tag) &&
	       (!look->communicator || !strcmp(look->communicator, communicator));
}

/* --- sums -------------------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;

	for (size_t i = 0; i < 2; i++)
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	return x->communicator && y->communicator ? strcmp(x->communicator, y->communicator) : 0;
}

static struct sum *sum_of(struct look *look, uint64_t first, uint64_t second, const char *communicator)
{
	struct sum wanted = { .key = { first, second }, .communicator = (char *)(uintptr_t)communicator };
	struct sum *const *there = tfind(&wanted, &look->found, compare), *fresh, **sums;

	if (there)
		return *there;
	sums = list_with_room(look->sums, look->count, &look->room, sizeof *sums);
	if (!sums)
		return NULL;
	look->sums = sums;
	fresh = malloc(sizeof *fresh);
	if (!fresh)
		return NULL;
	*fresh = wanted;
	fresh->communicator = communicator ? strdup(communicator) : NULL;
	if ((communicator && !fresh->communicator) || !tsearch(fresh, &look->found, compare)) {
		free(fresh->communicator);
		free(fresh);
		return NULL;
	}
	return sums[look->count++] = fresh;
}

static void count_in(struct look *look, struct sum *sum, const struct seamark_files_message *message, bool out)
{
	if (!sum) {
		look->without_memory = true;
	} else if (out) {
		sum->messages_out++;
		sum->bytes_out += message->bytes;
	} else {
		sum->messages++;
		sum->bytes += message->bytes;
	}
}

static void sum_up(struct look *look, const struct seamark_files_message *message, uint32_t to)
{
	switch (look->by) {
	case BY_CHANNEL:
		count_in(look, sum_of(look, message->source_world, to, NULL), message, false);
		return;
	case BY_RANK:
		count_in(look, sum_of(look, to, 0, NULL), message, false);
		count_in(look, sum_of(look, message->source_world, 0, NULL), message, true);
		return;
	case BY_TAG:
		count_in(look, sum_of(look, message->tag, 0, NULL), message, false);
		return;
	case BY_COMMUNICATOR:
		count_in(look, sum_of(look, 0, 0, message->communicator), message, false);
		return;
	case BY_NOTHING:
		return;
	}
}

static int in_order(const void *a, const void *b)
{
	return compare(*(struct sum *const *)a, *(struct sum *const *)b);
}

static json_t *sum_json(const struct look *look, const struct sum *sum)
{
	json_int_t first = (json_int_t)sum->key[0], second = (json_int_t)sum->key[1];
	json_t *object = look->by == BY_CHANNEL ? json_pack("{s:I, s:I}", "from", first, "to", second) :
			 look->by == BY_COMMUNICATOR ? json_pack("{s:o}", "communicator", command_json_text(sum->communicator)) :
			 json_pack("{s:I}", by_names[look->by], first);

	json_object_set_new(object, "messages", json_integer((json_int_t)sum->messages));
	json_object_set_new(object, "bytes", json_integer((json_int_t)sum->bytes));
	if (look->by != BY_RANK)
		return object;
	json_object_set_new(object, "messages_out", json_integer((json_int_t)sum->messages_out));
	json_object_set_new(object, "bytes_out", json_integer((json_int_t)sum->bytes_out));
	return object;
}

static const struct terminal_column channel_columns[] = { { "from", 8, 0 }, { "to", 8, 0 }, { "messages", 10, 0 }, { "size", 10, 1 } };
static const struct terminal_column rank_columns[] = { { "rank", 8, 0 }, { "to it", 10, 0 }, { "size", 10, 2 }, { "from it", 12, 0 }, { "size", 10, 1 } };
static const struct terminal_column tag_columns[] = { { "messages", 10, 0 }, { "size", 10, 0 }, { "tag", -10, 0 } };
static const struct terminal_column communicator_columns[] = { { "messages", 10, 0 }, { "size", 10, 0 }, { "communicator", -12, 0 } };

static void begin_sums(enum by by, struct terminal_table *table)
{
	if (by == BY_CHANNEL)
		terminal_table_begin(table, channel_columns, 4, 0);
	else if (by == BY_RANK)
		terminal_table_begin(table, rank_columns, 5, 0);
	else
		terminal_table_begin(table, by == BY_TAG ? tag_columns : communicator_columns, 3, 0);
}

static struct command_text number_text(uint64_t number)
{
	struct command_text text;

	snprintf(text.text, sizeof text.text, "%" PRIu64, number);
	return text;
}

static void print_sum(enum by by, const struct terminal_table *table, const struct sum *sum)
{
	struct command_text first = number_text(sum->key[0]), second = number_text(sum->key[1]), messages = number_text(sum->messages),
			    size = command_size(sum->bytes), out = number_text(sum->messages_out), size_out = command_size(sum->bytes_out);

	if (by == BY_CHANNEL)
		terminal_table_row(table, (const char *[]){ first.text, second.text, messages.text, size.text }, "");
	else if (by == BY_RANK)
		terminal_table_row(table, (const char *[]){ first.text, messages.text, size.text, out.text, size_out.text }, "");
	else
		terminal_table_row(table, (const char *[]){ messages.text, size.text, by == BY_TAG ? first.text : sum->communicator }, "");
}

static void tell_sums(const struct look *look)
{
	struct terminal_table table;

	if (look->count)
		qsort(look->sums, look->count, sizeof *look->sums, in_order);
	if (!look->list && look->count)
		begin_sums(look->by, &table);
	for (size_t i = 0; i < look->count; i++)
		if (look->list)
			json_array_append_new(look->list, sum_json(look, look->sums[i]));
		else
			print_sum(look->by, &table, look->sums[i]);
}

static void leave(void *sum)
{
	(void)sum;
}

static void free_sums(struct look *look)
{
	tdestroy(look->found, leave);
	for (size_t i = 0; i < look->count; i++) {
		free(look->sums[i]->communicator);
		free(look->sums[i]);
	}
	free(look->sums);
}

/* --- messages ------------------------------------------------------------------------------------------------------------------ */

static json_t *payload_json(const struct seamark_files_message *message)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *data = message->data;
	char *text = malloc(2 * message->bytes + 1);
	json_t *value;

	if (!text)
		return json_null();
	for (uint64_t i = 0; i < message->bytes; i++) {
		text[2 * i] = digits[data[i] >> 4];
		text[2 * i + 1] = digits[data[i] & 15];
	}
	value = json_stringn(text, 2 * message->bytes);
	free(text);
	return value;
}

static const struct terminal_column message_columns[] = {
	{ "to", 8, 0 }, { "from", 8, 0 }, { "tag", 10, 0 }, { "position", 12, 1 }, { "size", 10, 0 }, { "communicator", -12, 2 },
};
static const struct terminal_column traced_columns[] = {
	{ "to", 8, 0 }, { "from", 8, 0 }, { "tag", 10, 0 }, { "position", 12, 1 }, { "size", 10, 0 }, { "on the way", 10, 1 }, { "communicator", -12, 2 },
};
enum { MESSAGE_COLUMNS = sizeof message_columns / sizeof message_columns[0], TRACED_COLUMNS = sizeof traced_columns / sizeof traced_columns[0] };

static void tell_line(struct look *look, const struct seamark_files_message *message, uint32_t to, int64_t way_ns)
{
	const struct trace_words way = trace_time(way_ns);
	struct command_text receiver = number_text(to), sender = number_text(message->source_world), tag = number_text(message->tag),
			    size = command_size(message->bytes);
	char position[24];

	snprintf(position, sizeof position, "%" PRId64, message->position);
	if (look->messages == 1)
		terminal_table_begin(&look->table, look->ways ? traced_columns : message_columns, look->ways ? TRACED_COLUMNS : MESSAGE_COLUMNS, 0);
	if (look->ways)
		terminal_table_row(&look->table, (const char *[TRACED_COLUMNS]){ receiver.text, sender.text, tag.text, position, size.text, way_ns < 0 ? "-" : way.text,
			message->communicator }, "");
	else
		terminal_table_row(&look->table, (const char *[MESSAGE_COLUMNS]){ receiver.text, sender.text, tag.text, position, size.text, message->communicator }, "");
	if (look->payload)
		payload_print(look->payload, message->data, message->bytes, look->most, "             ");
}

static void tell(struct look *look, const struct seamark_files_message *message, uint32_t to)
{
	const int64_t way_ns = ways_of(look->ways, message, to);
	json_t *object;

	if (!look->list) {
		tell_line(look, message, to, way_ns);
		return;
	}
	object = json_pack("{s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "to", (json_int_t)to, "from", (json_int_t)message->source_world,
			   "communicator", command_json_text(message->communicator), "source", (json_int_t)message->source,
			   "tag", (json_int_t)message->tag, "turn", (json_int_t)message->turn, "position", (json_int_t)message->position,
			   "bytes", (json_int_t)message->bytes);
	if (way_ns >= 0)
		json_object_set_new(object, "way_ns", json_integer(way_ns));
	if (look->payload)
		json_object_set_new(object, "payload", payload_json(message));
	json_array_append_new(look->list, object);
}

/* --- posted receives ------------------------------------------------------------------------------------------------------------ */

struct word {
	char text[24];
};

static struct word number_or_any(int64_t number)
{
	struct word word = { "any" };

	if (number >= 0)
		snprintf(word.text, sizeof word.text, "%" PRId64, number);
	return word;
}

static json_t *number_or_null(int64_t number)
{
	return number < 0 ? json_null() : json_integer((json_int_t)number);
}

static void tell_posted(const struct look *look, const struct seamark_files_posted *posted, uint32_t rank)
{
	if (look->list) {
		json_array_append_new(look->list, json_pack("{s:I, s:o, s:o, s:o, s:o, s:I}", "rank", (json_int_t)rank, "from",
			number_or_null(posted->source_world), "communicator", command_json_text(posted->communicator), "source",
			number_or_null(posted->source), "tag", number_or_null(posted->tag), "turn", (json_int_t)posted->turn));
		return;
	}
	if (look->receives == 1)
		command_print("%8s %8s %10s  %s", "rank", "from", "tag", "communicator");
	command_print("%8" PRIu32 " %8s %10s  %s", rank, number_or_any(posted->source_world).text, number_or_any(posted->tag).text,
		      posted->communicator);
}

static void look_at_posted(struct look *look, const seamark_files_image *image, uint32_t rank)
{
	struct seamark_files_posted posted;

	for (size_t i = 0; i < seamark_files_posted_count(image) && !seamark_files_posted_at(image, i, &posted); i++) {
		if (!is_from(look, posted.source_world, posted.tag, posted.communicator))
			continue;
		look->receives++;
		if (look->posted)
			tell_posted(look, &posted, rank);
	}
}

/* --- images ---------------------------------------------------------------------------------------------------------------------- */

static int look_at(struct look *look, seamark_files_image *image, uint32_t rank)
{
	struct seamark_files_message message;
	size_t count;

	if (seamark_files_message_count(image, &count))
		return EXIT_PROBLEMS;
	for (size_t i = 0; !seamark_files_message_at(image, i, &message); i++) {
		if (!is_from(look, message.source_world, message.tag, message.communicator))
			continue;
		look->messages++;
		look->bytes += message.bytes;
		if (look->by != BY_NOTHING)
			sum_up(look, &message, rank);
		else if (!look->posted)
			tell(look, &message, rank);
	}
	look_at_posted(look, image, rank);
	return EXIT_FINE;
}

static int look_at_all(struct look *look, const seamark_files_checkpoint *checkpoint, uint32_t ranks)
{
	int status = EXIT_FINE;

	for (uint32_t rank = look->to < 0 ? 0 : (uint32_t)look->to; rank < (look->to < 0 ? ranks : (uint32_t)look->to + 1); rank++) {
		seamark_files_image *image;
		int own = EXIT_PROBLEMS;

		if (!seamark_files_image_open(&image, checkpoint, rank)) {
			own = look_at(look, image, rank);
			if (own)
				command_complain("rank %" PRIu32 ": %s", rank, seamark_files_error());
			seamark_files_image_close(image);
		} else {
			command_complain("rank %" PRIu32 ": %s", rank, seamark_files_error());
		}
		if (own)
			status = own;
	}
	tell_sums(look);
	free_sums(look);
	if (!look->without_memory)
		return status;
	command_complain("no memory for all sums");
	return EXIT_CANNOT_READ;
}

static int look_into(struct look *look, const struct seamark_files_entry *entry)
{
	seamark_files_checkpoint *checkpoint;
	json_t *document = NULL;
	int status;

	if (entry->status || seamark_files_checkpoint_open(&checkpoint, entry->path)) {
		command_complain("%s", entry->status ? entry->problem : seamark_files_error());
		return entry->status == SEAMARK_E_DAMAGED ? EXIT_PROBLEMS : EXIT_CANNOT_READ;
	}
	if (look->to >= entry->ranks) {
		command_complain("there is no rank %" PRId64 ": the checkpoint has ranks 0 to %" PRIu32, look->to, entry->ranks - 1);
		seamark_files_checkpoint_close(checkpoint);
		return EXIT_USAGE;
	}
	if (look->list) {
		document = command_json_entry(entry);
		json_object_set(document, look->posted ? "posted" : look->by == BY_NOTHING ? "in_flight" : "sums", look->list);
	} else {
		command_print("checkpoint %" PRIu64 ", step %s, %" PRIu32 " ranks: %" PRIu64 " messages in flight (%s)", entry->number,
			      command_step(entry->step).text, entry->ranks, entry->messages, command_size(entry->message_bytes).text);
	}
	look->ways = look->by == BY_NOTHING ? ways_open(entry) : NULL;
	status = look_at_all(look, checkpoint, entry->ranks);
	ways_close(look->ways);
	if (!look->list && !look->posted && look->messages != entry->messages)
		command_print("%" PRIu64 " of them (%s) are as was asked", look->messages, command_size(look->bytes).text);
	if (!look->list && look->by == BY_NOTHING && (look->receives || look->posted))
		command_print("%" PRIu64 " receive%s posted, and no message in flight had come for %s%s", look->receives,
			      look->receives == 1 ? " was" : "s were", look->receives == 1 ? "it" : "them", look->posted ? "" : " (--posted)");
	seamark_files_checkpoint_close(checkpoint);
	if (look->list && command_print_json(document))
		return EXIT_CANNOT_READ;
	return status;
}

/* --- the command ------------------------------------------------------------------------------------------------------------------ */

static bool number_of(const char *text, const char *option, int64_t *number)
{
	if (!text || command_whole(text, INT32_MAX, number))
		return true;
	command_complain("--%s takes a number from 0 to %d, not '%s'", option, INT32_MAX, text);
	return false;
}

static bool by_of(const char *text, enum by *by)
{
	int choice = text ? command_choice("by", text, by_names + BY_CHANNEL, BY_COMMUNICATOR - BY_CHANNEL + 1) : 0;

	if (text && choice >= 0)
		*by = (enum by)(BY_CHANNEL + choice);
	return choice >= 0;
}

int command_messages(int argc, char **argv)
{
	enum { MOST = 256 };
	const char *given = NULL, *to = NULL, *from = NULL, *tag = NULL, *by = NULL, *payload = NULL;
	int json = 0, all = 0, posted = 0, status;
	struct look look = { .to = -1, .from = -1, .tag = -1, .most = MOST };
	const struct command_option options[] = {
		{ "to", "R", "only messages to rank R of MPI_COMM_WORLD", &to, NULL },
		{ "from", "R", "only messages from rank R", &from, NULL },
		{ "tag", "T", "only messages with tag T", &tag, NULL },
		{ "communicator", "NAME", "only messages on this communicator", &look.communicator, NULL },
		{ "by", "WHAT", "sums by channel, rank, tag or communicator", &by, NULL },
		{ "posted", NULL, "instead of messages, the receives that were posted and that none of them had come for", NULL, &posted },
		{ "payload", "HOW", "the bytes: hex, text, or elements of a type as float64", &payload, NULL },
		{ "all", NULL, "with --payload all bytes, and not the first 256", NULL, &all },
		COMMAND_DIR(&given),
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "messages [OPTIONS] [N]",
		"The messages that were in flight when checkpoint N (a number, or the path of its folder; the newest, if it is left out) was cut:\n"
		"sent before their senders' cuts, not received before their receivers'. By receiver, in the order in which they came; the\n"
		"position is a message's place in its stream (same sender, communicator, tag). Where the run kept a trace (SEAMARK_TRACE):\n"
		"how long it had been on the way when its receiver cut.\n\n"
		"Exit status: 0, 1 an image is damaged (it is named), 2 wrong usage, 3 the checkpoint cannot be read.", options, 0, 1 };
	struct seamark_files_entry entry;
	struct payload_way way;
	seamark_files *files;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (!number_of(to, "to", &look.to) || !number_of(from, "from", &look.from) || !number_of(tag, "tag", &look.tag) ||
	    !by_of(by, &look.by) || (payload && !payload_parse(payload, &way)))
		return EXIT_USAGE;
	if (payload && look.by != BY_NOTHING) {
		command_complain("sums have no payload: leave --by or --payload out");
		return EXIT_USAGE;
	}
	if (posted && (payload || look.by != BY_NOTHING)) {
		command_complain("--posted lists receives: leave --by and --payload out");
		return EXIT_USAGE;
	}
	look.posted = posted;
	look.payload = payload ? &way : NULL;
	look.most = all ? 0 : MOST;
	look.list = json ? json_array() : NULL;
	status = command_find(command_folder(given), argc ? argv[0] : NULL, &files, &entry) ? look_into(&look, &entry) : EXIT_CANNOT_READ;
	json_decref(look.list);
	seamark_files_close(files);
	return status;
}
