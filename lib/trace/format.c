/* SPDX-License-Identifier: BSD-3-Clause */
#include "trace/format.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "seamark.h"

static const uint8_t magic[8] = { 0x89, 'S', 'M', 'T', 0x0d, 0x0a, 0x1a, 0x0a };
enum { VERSION = 1 };

/* The fewest bytes that one of them takes: what a count of them must be justified by. */
enum { COMM_LEAST = 2, TEXT_LEAST = 1, EVENT_LEAST = 4 };

/* Which fields of an event follow. */
enum { HAS_COMM = 1, HAS_PEER = 2, HAS_TAG = 4, HAS_POSITION = 8, HAS_VALUE = 16, HAS_TURN = 32, HAS_TEXT = 64, HAS_ALL = 127 };
enum { FLAGS_ALL = TRACE_SYNCHRONOUS | TRACE_MAIL | TRACE_UNPLACED | TRACE_TRUNCATED | TRACE_VOID | TRACE_FAILED };

const char *trace_kind_name(enum trace_kind kind)
{
	static const char *const names[TRACE_KINDS] = {
		[TRACE_SEND] = "send", [TRACE_UNSENT] = "unsent", [TRACE_TOLD] = "told", [TRACE_PLACED] = "placed",
		[TRACE_COLLECTIVE] = "collective", [TRACE_SAFEPOINT] = "safepoint", [TRACE_REQUEST] = "request",
		[TRACE_ORDER_SENT] = "order-sent", [TRACE_ORDER_CAME] = "order-came", [TRACE_MARKER_SENT] = "marker-sent",
		[TRACE_HEAD_CAME] = "head-came", [TRACE_COUNTS_CAME] = "counts-came", [TRACE_ALERT] = "alert", [TRACE_CAPTURE] = "capture",
		[TRACE_CAPTURED] = "captured", [TRACE_CUT] = "cut", [TRACE_MARKED] = "marked", [TRACE_MARKED_MORE] = "marked-more",
		[TRACE_GOES_ON] = "goes-on", [TRACE_MATCHED] = "markers-matched", [TRACE_RECORDED] = "recorded", [TRACE_DRAINED] = "drained",
		[TRACE_BARRIER] = "barrier", [TRACE_BARRIER_DONE] = "barrier-done", [TRACE_CLOSED] = "closed", [TRACE_DURABLE] = "durable",
		[TRACE_VOID_HERE] = "void-here", [TRACE_GIVEN_UP] = "given-up", [TRACE_VERDICT] = "verdict", [TRACE_VERDICT_DONE] = "verdict-done",
		[TRACE_REBASED] = "rebased", [TRACE_COMMIT] = "commit", [TRACE_COMMITTED] = "committed", [TRACE_OUTCOME] = "outcome", [TRACE_LEFT_OUT] = "left-out",
	};
	return (unsigned)kind < TRACE_KINDS && names[kind] ? names[kind] : "?";
}

/* --- written ----------------------------------------------------------------------------------------------------------------- */

static void put_event(struct bytes_out *out, const struct trace_event *event, int64_t since_ns)
{
	unsigned has = (event->comm != TRACE_NO_COMM ? HAS_COMM : 0) | (event->peer >= 0 ? HAS_PEER : 0) | (event->tag ? HAS_TAG : 0) |
		       (event->position ? HAS_POSITION : 0) | (event->value ? HAS_VALUE : 0) | (event->turn ? HAS_TURN : 0) |
		       (event->text ? HAS_TEXT : 0);
	bytes_put_u8(out, event->kind);
	bytes_put_u8(out, event->flags);
	bytes_put_u8(out, (uint8_t)has);
	bytes_put_signed(out, event->ns - since_ns);
	if (has & HAS_COMM)
		bytes_put_varint(out, event->comm);
	if (has & HAS_PEER)
		bytes_put_varint(out, (uint64_t)event->peer);
	if (has & HAS_TAG)
		bytes_put_varint(out, event->tag);
	if (has & HAS_POSITION)
		bytes_put_signed(out, event->position);
	if (has & HAS_VALUE)
		bytes_put_varint(out, event->value);
	if (has & HAS_TURN)
		bytes_put_varint(out, event->turn);
	if (has & HAS_TEXT)
		bytes_put_varint(out, event->text - 1);
}

void trace_put(struct bytes_out *out, const struct trace_file *file)
{
	int64_t since_ns = 0;
	bytes_put(out, magic, sizeof magic);
	bytes_put_u32(out, VERSION);
	bytes_put(out, file->run, sizeof file->run);
	bytes_put_u64(out, file->number);
	bytes_put_u64(out, file->nonce);
	bytes_put_u64(out, file->epoch);
	bytes_put_u32(out, file->life);
	bytes_put_u32(out, file->rank);
	bytes_put_u32(out, file->ranks);
	bytes_put_u64(out, file->clock);
	bytes_put_u64(out, (uint64_t)file->real_ns);
	bytes_put_varint(out, file->lost);
	bytes_put_varint(out, file->comm_count);
	for (size_t i = 0; i < file->comm_count; i++) {
		bytes_put_text(out, file->comms[i].name);
		bytes_put_text(out, file->comms[i].label);
	}
	bytes_put_varint(out, file->text_count);
	for (size_t i = 0; i < file->text_count; i++)
		bytes_put_text(out, file->texts[i].text);
	bytes_put_varint(out, file->event_count);
	for (size_t i = 0; i < file->event_count; i++) {
		put_event(out, &file->events[i], since_ns);
		since_ns = file->events[i].ns;
	}
	if (!out->failed)
		bytes_put_u64(out, XXH3_64bits(out->data, out->size));
}

/* --- read -------------------------------------------------------------------------------------------------------------------- */

static uint64_t get_below(struct bytes_in *in, uint64_t limit)
{
	uint64_t value = bytes_get_varint(in);
	if (value >= limit)
		in->bad = true;
	return in->bad ? 0 : value;
}

static size_t get_count(struct bytes_in *in, size_t least, size_t most)
{
	uint64_t count = bytes_get_varint(in);
	if (count > bytes_left(in) / least || count > most)
		in->bad = true;
	return in->bad ? 0 : (size_t)count;
}

/* Times of which differences, and sums with another clock's, are no overflow. */
static bool is_time(int64_t ns)
{
	return ns > -(INT64_MAX / 8) && ns < INT64_MAX / 8;
}

static void get_event(struct bytes_in *in, const struct trace_file *file, struct trace_event *event, int64_t since_ns)
{
	event->kind = bytes_get_u8(in);
	event->flags = bytes_get_u8(in);
	unsigned has = bytes_get_u8(in);
	int64_t delta = bytes_get_signed(in);
	in->bad |= event->kind == TRACE_NONE || event->kind >= TRACE_KINDS || (event->flags & ~FLAGS_ALL) || (has & ~HAS_ALL) || !is_time(delta) ||
		   !is_time(since_ns + delta);
	event->ns = in->bad ? 0 : since_ns + delta;
	event->comm = has & HAS_COMM ? (uint32_t)get_below(in, file->comm_count) : TRACE_NO_COMM;
	event->peer = has & HAS_PEER ? (int32_t)get_below(in, file->ranks) : -1;
	event->tag = has & HAS_TAG ? (uint32_t)get_below(in, UINT64_C(1) << 31) : 0;
	event->position = has & HAS_POSITION ? bytes_get_signed(in) : 0;
	event->value = has & HAS_VALUE ? bytes_get_varint(in) : 0;
	event->turn = has & HAS_TURN ? bytes_get_varint(in) : 0;
	event->text = has & HAS_TEXT ? get_below(in, file->text_count) + 1 : 0;
	in->bad |= event->position > INT64_MAX / 4 || event->position < -(INT64_MAX / 4);
}

static void *take(size_t count, size_t size, bool *failed)
{
	void *memory = calloc(count + 1, size);
	*failed |= !memory;
	return memory;
}

static void get_lists(struct bytes_in *in, struct trace_file *file, bool *failed)
{
	size_t count = get_count(in, COMM_LEAST, TRACE_COMMS_MAX);
	int64_t since_ns = 0;
	file->comms = take(count, sizeof *file->comms, failed);
	for (size_t i = 0; i < count && !in->bad && !*failed; i++) {
		bytes_get_text(in, file->comms[i].name, sizeof file->comms[i].name);
		bytes_get_text(in, file->comms[i].label, sizeof file->comms[i].label);
	}
	file->comm_count = count;
	count = get_count(in, TEXT_LEAST, TRACE_TEXTS_MAX);
	file->texts = take(count, sizeof *file->texts, failed);
	for (size_t i = 0; i < count && !in->bad && !*failed; i++)
		bytes_get_text(in, file->texts[i].text, sizeof file->texts[i].text);
	file->text_count = count;
	count = get_count(in, EVENT_LEAST, SIZE_MAX);
	file->events = take(count, sizeof *file->events, failed);
	for (size_t i = 0; i < count && !in->bad && !*failed; i++) {
		get_event(in, file, &file->events[i], since_ns);
		since_ns = file->events[i].ns;
	}
	file->event_count = count;
}

int trace_get(struct trace_file *file, const void *data, size_t size, const char *what, struct fault *fault)
{
	struct bytes_in in = bytes_from(data, size), end;
	bool failed = false;
	memset(file, 0, sizeof *file);
	const uint8_t *start = bytes_get(&in, sizeof magic);
	if (!start || memcmp(start, magic, sizeof magic) != 0)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is no trace", what);
	uint32_t version = bytes_get_u32(&in);
	if (in.bad || version == 0)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is no trace", what);
	if (version > VERSION)
		return fault_set(fault, SEAMARK_E_VERSION, "'%s' is of a newer version: use a newer Seamark", what);
	end = bytes_from((const uint8_t *)data + size - 8, 8);
	if (bytes_left(&in) < 8 || bytes_get_u64(&end) != XXH3_64bits(data, size - 8))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the checksum is wrong", what);
	in.end -= 8;
	const uint8_t *run = bytes_get(&in, sizeof file->run);
	if (run)
		memcpy(file->run, run, sizeof file->run);
	file->number = bytes_get_u64(&in);
	file->nonce = bytes_get_u64(&in);
	file->epoch = bytes_get_u64(&in);
	file->life = bytes_get_u32(&in);
	file->rank = bytes_get_u32(&in);
	file->ranks = bytes_get_u32(&in);
	file->clock = bytes_get_u64(&in);
	file->real_ns = (int64_t)bytes_get_u64(&in);
	file->lost = bytes_get_varint(&in);
	in.bad |= file->rank >= file->ranks || file->ranks > TRACE_RANKS_MAX || file->real_ns < 0 || file->real_ns > INT64_MAX / 2;
	if (!in.bad)
		get_lists(&in, file, &failed);
	if (!failed && !in.bad && bytes_left(&in) == 0)
		return 0;
	trace_file_free(file);
	return failed ? fault_set(fault, SEAMARK_E_MEMORY, "no memory for the trace '%s'", what)
		      : fault_set(fault, SEAMARK_E_DAMAGED, "'%s': a field is wrong", what);
}

void trace_file_free(struct trace_file *file)
{
	free(file->comms);
	free(file->texts);
	free(file->events);
	memset(file, 0, sizeof *file);
}
