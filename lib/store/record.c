/* SPDX-License-Identifier: BSD-3-Clause */
/* The coding of the record: communicators, ledger and the table of messages (docs/format.md, 4.1). */
#include <stdlib.h>
#include <string.h>

#include "store/format.h"

enum { ANY_SOURCE = 1, ANY_TAG = 2, OUTGOING = 1, ABANDONED = 2, FREED = 1, NAMELESS = 2, PACKED_LIKE_MACHINES = 1 };

/* The fewest bytes that one of them takes: what a count of them must be justified by. */
enum { COMM_LEAST = 22, STREAM_LEAST = 6, MESSAGE_LEAST = 8, POSTED_LEAST = 6 };

void format_put_record(struct bytes_out *out, const struct store_record *record)
{
	bytes_put_varint(out, record->comm_count);
	for (size_t i = 0; i < record->comm_count; i++) {
		const struct store_comm *comm = &record->comms[i];

		bytes_put_text(out, comm->name);
		bytes_put_text(out, comm->label);
		bytes_put_u64(out, comm->key);
		bytes_put_varint(out, comm->kind);
		bytes_put_varint(out, comm->size);
		bytes_put_u64(out, comm->members);
		bytes_put_varint(out, comm->begun);
		bytes_put_u8(out, (uint8_t)((comm->freed ? FREED : 0) | (comm->nameless ? NAMELESS : 0)));
	}
	bytes_put_varint(out, record->stream_count);
	for (size_t i = 0; i < record->stream_count; i++) {
		const struct store_stream *stream = &record->streams[i];

		bytes_put_varint(out, stream->comm);
		bytes_put_varint(out, stream->peer);
		bytes_put_varint(out, stream->tag);
		bytes_put_u8(out, (uint8_t)((stream->outgoing ? OUTGOING : 0) | (stream->abandoned ? ABANDONED : 0)));
		if (stream->outgoing) {
			bytes_put_signed(out, stream->sent);
			bytes_put_signed(out, stream->synchronous);
		} else {
			bytes_put_signed(out, stream->carried);
			bytes_put_signed(out, stream->seen);
			bytes_put_signed(out, stream->recorded);
			bytes_put_signed(out, stream->highest);
		}
	}
	bytes_put_varint(out, record->message_count);
	for (size_t i = 0; i < record->message_count; i++) {
		const struct store_message *message = &record->messages[i];

		bytes_put_varint(out, message->comm);
		bytes_put_varint(out, message->source);
		bytes_put_varint(out, message->source_world);
		bytes_put_varint(out, message->tag);
		bytes_put_varint(out, message->turn);
		bytes_put_signed(out, message->position);
		bytes_put_u8(out, PACKED_LIKE_MACHINES);
		bytes_put_varint(out, message->bytes);
	}
	if (record->posted_count)
		bytes_put_varint(out, record->posted_count);
	for (size_t i = 0; i < record->posted_count; i++) {
		const struct store_posted *posted = &record->posted[i];

		bytes_put_varint(out, posted->comm);
		bytes_put_u8(out, (uint8_t)((posted->any_source ? ANY_SOURCE : 0) | (posted->any_tag ? ANY_TAG : 0)));
		bytes_put_varint(out, posted->source);
		bytes_put_varint(out, posted->source_world);
		bytes_put_varint(out, posted->tag);
		bytes_put_varint(out, posted->turn);
	}
}

/* A number below a limit, or bad. */
static uint32_t get_below(struct bytes_in *in, uint64_t limit)
{
	uint64_t value = bytes_get_varint(in);

	if (value >= limit)
		in->bad = true;
	return in->bad ? 0 : (uint32_t)value;
}

static size_t get_count(struct bytes_in *in, size_t least)
{
	uint64_t count = bytes_get_varint(in);

	if (count > bytes_left(in) / least)
		in->bad = true;
	return in->bad ? 0 : (size_t)count;
}

static void get_comm(struct store_comm *comm, struct bytes_in *in)
{
	uint8_t flags;

	bytes_get_text(in, comm->name, sizeof comm->name);
	bytes_get_text(in, comm->label, sizeof comm->label);
	comm->key = bytes_get_u64(in);
	comm->kind = get_below(in, 2);
	comm->size = get_below(in, UINT64_C(1) << 31);
	comm->members = bytes_get_u64(in);
	comm->begun = bytes_get_varint(in);
	flags = bytes_get_u8(in);
	comm->freed = flags & FREED;
	comm->nameless = flags & NAMELESS;
	if (flags & ~(FREED | NAMELESS) || !comm->size)
		in->bad = true;
}

static void get_stream(struct store_stream *stream, const struct store_record *record, uint32_t ranks, struct bytes_in *in)
{
	uint8_t flags;

	stream->comm = get_below(in, record->comm_count);
	stream->peer = get_below(in, ranks);
	stream->tag = get_below(in, UINT64_C(1) << 31);
	flags = bytes_get_u8(in);
	if (flags & ~(OUTGOING | ABANDONED))
		in->bad = true;
	stream->outgoing = flags & OUTGOING;
	stream->abandoned = flags & ABANDONED;
	if (stream->outgoing) {
		stream->sent = bytes_get_signed(in);
		stream->synchronous = bytes_get_signed(in);
	} else {
		stream->carried = bytes_get_signed(in);
		stream->seen = bytes_get_signed(in);
		stream->recorded = bytes_get_signed(in);
		stream->highest = bytes_get_signed(in);
	}
}

/* *representation is 0 as long as all are known. */
static void get_message(struct store_message *message, const struct store_record *record, uint32_t ranks, uint8_t *representation,
			struct bytes_in *in)
{
	uint8_t own;

	message->comm = get_below(in, record->comm_count);
	message->source = get_below(in, in->bad ? 0 : record->comms[message->comm].size);
	message->source_world = get_below(in, ranks);
	message->tag = get_below(in, UINT64_C(1) << 31);
	message->turn = bytes_get_varint(in);
	message->position = bytes_get_signed(in);
	own = bytes_get_u8(in);
	message->bytes = bytes_get_varint(in);
	if (!in->bad && own != PACKED_LIKE_MACHINES)
		*representation = own ? own : 255;
}

static void get_posted(struct store_posted *posted, const struct store_record *record, uint32_t ranks, struct bytes_in *in)
{
	uint8_t flags;

	posted->comm = get_below(in, record->comm_count);
	flags = bytes_get_u8(in);
	posted->any_source = flags & ANY_SOURCE;
	posted->any_tag = flags & ANY_TAG;
	posted->source = get_below(in, in->bad ? 0 : posted->any_source ? 1 : record->comms[posted->comm].size);
	posted->source_world = get_below(in, posted->any_source ? 1 : ranks);
	posted->tag = get_below(in, posted->any_tag ? 1 : UINT64_C(1) << 31);
	posted->turn = bytes_get_varint(in);
	if (flags & ~(ANY_SOURCE | ANY_TAG))
		in->bad = true;
}

static void *take(size_t count, size_t size, bool *failed)
{
	void *memory = calloc(count + 1, size);

	if (!memory)
		*failed = true;
	return memory;
}

static void get_messages(struct store_record *record, uint64_t *message_size, uint32_t ranks, uint8_t *representation,
			 struct store_message *messages, size_t count, struct bytes_in *in)
{
	uint64_t end = 0;

	for (size_t i = 0; i < count && !in->bad; i++) {
		get_message(&messages[i], record, ranks, representation, in);
		/* The sum must not overflow, nor the rounding up of it. */
		if (messages[i].bytes > UINT64_MAX / 2 - 32 || end > UINT64_MAX / 2 - 32 ||
		    (i && messages[i].turn < messages[i - 1].turn))
			in->bad = true;
		end = format_message_offset(end) + messages[i].bytes;
	}
	*message_size = end;
}

int format_get_record(struct store_record *record, uint64_t *message_size, const void *data, size_t size, uint32_t ranks,
		      const char *what, struct fault *fault)
{
	struct bytes_in in = bytes_from(data, size);
	struct store_comm *comms;
	struct store_stream *streams;
	struct store_message *messages;
	struct store_posted *posted;
	uint8_t representation = 0;
	bool failed = false, ends;
	size_t count;

	memset(record, 0, sizeof *record);
	count = get_count(&in, COMM_LEAST);
	record->comms = comms = take(count, sizeof *comms, &failed);
	record->comm_count = count;
	for (size_t i = 0; i < count && !in.bad && !failed; i++)
		get_comm(&comms[i], &in);
	count = get_count(&in, STREAM_LEAST);
	record->streams = streams = take(count, sizeof *streams, &failed);
	record->stream_count = count;
	for (size_t i = 0; i < count && !in.bad && !failed; i++)
		get_stream(&streams[i], record, ranks, &in);
	count = get_count(&in, MESSAGE_LEAST);
	record->messages = messages = take(count, sizeof *messages, &failed);
	record->message_count = count;
	if (!failed)
		get_messages(record, message_size, ranks, &representation, messages, count, &in);
	/* Where there are none the record ends here, and in no other way. */
	ends = !bytes_left(&in);
	count = ends ? 0 : get_count(&in, POSTED_LEAST);
	in.bad |= !ends && !count;
	record->posted = posted = take(count, sizeof *posted, &failed);
	record->posted_count = count;
	for (size_t i = 0; i < count && !in.bad && !failed; i++) {
		get_posted(&posted[i], record, ranks, &in);
		in.bad |= i && posted[i].turn < posted[i - 1].turn;
	}
	if (failed)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the record of '%s'", what);
	if (in.bad || bytes_left(&in))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the record of messages and counts is wrong", what);
	if (representation)
		return fault_set(fault, SEAMARK_E_VERSION,
				 "'%s' has messages in a form that this Seamark does not know: use a newer one", what);
	return 0;
}

void format_free_record(struct store_record *record)
{
	free((void *)(uintptr_t)record->comms);
	free((void *)(uintptr_t)record->streams);
	free((void *)(uintptr_t)record->messages);
	free((void *)(uintptr_t)record->posted);
	memset(record, 0, sizeof *record);
}
