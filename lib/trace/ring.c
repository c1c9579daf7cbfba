/* SPDX-License-Identifier: BSD-3-Clause */
#include "trace/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

/* An event with its place among those of both rings. */
struct trace_slot {
	struct trace_event event;
	uint64_t turn;
};

enum { APPLICATION, PROTOCOL };
enum { TEXTS = 64, LEAST = 256, SHARE_OF_PROTOCOL = 4, KEPT_BEFORE = 4 /* a part of the ring */ };
/* For what an attempt does once, or twice: the alert, the cut, the verdict. */
enum { RESERVE = 64 };

struct ring {
	struct trace_slot *slots;
	uint64_t mask;
	uint64_t added;        /* so many are, or were, in it */
	uint64_t kept;         /* those from this one on are not overwritten; UINT64_MAX: all may be */
};

struct trace {
	struct ring rings[2];
	uint64_t turn;
	enum trace_kind last_kind;
	int64_t last_position;
	uint64_t left_out;     /* the event that counts them in this attempt: the how manieth in its ring; 0: none */
	struct trace_text *texts;
	uint64_t text_end;     /* the next one's number, from 1 */
};

static bool open_ring(struct ring *ring, uint64_t slots)
{
	uint64_t size = LEAST;
	while (size * 2 <= slots)
		size *= 2;
	ring->slots = calloc(size, sizeof *ring->slots);
	ring->mask = size - 1;
	ring->kept = UINT64_MAX;
	return ring->slots;
}

struct trace *trace_new(uint64_t bytes)
{
	struct trace *trace = calloc(1, sizeof *trace);
	const uint64_t slots = bytes / sizeof(struct trace_slot);
	if (!trace)
		return NULL;
	trace->texts = calloc(TEXTS, sizeof *trace->texts);
	trace->text_end = 1;
	if (trace->texts && open_ring(&trace->rings[APPLICATION], slots) && open_ring(&trace->rings[PROTOCOL], slots / SHARE_OF_PROTOCOL))
		return trace;
	trace_free(trace);
	return NULL;
}

void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	free(trace->rings[APPLICATION].slots);
	free(trace->rings[PROTOCOL].slots);
	free(trace->texts);
	free(trace);
}

/* --- adding ------------------------------------------------------------------------------------------------------------------ */

static void put(struct trace *trace, struct ring *ring, const struct trace_event *event)
{
	struct trace_slot *slot = &ring->slots[ring->added++ & ring->mask];
	slot->event = *event;
	slot->turn = ++trace->turn;
	trace->last_kind = event->kind;
	trace->last_position = event->position;
}

/* The event that says so stands where the first of them would have been. */
static void leave_out(struct trace *trace, int64_t ns)
{
	const struct trace_event event = {.ns = ns, .kind = TRACE_LEFT_OUT, .comm = TRACE_NO_COMM, .peer = -1};
	struct ring *ring = &trace->rings[PROTOCOL];
	if (trace->left_out == 0) {
		put(trace, ring, &event);
		trace->left_out = ring->added;
	}
	ring->slots[(trace->left_out - 1) & ring->mask].event.value++;
}

static bool is_application(unsigned kind)
{
	return kind >= TRACE_SEND && kind <= TRACE_SAFEPOINT;
}

/* Of these there are as many as there are messages, channels, or people who ask. */
static bool is_many(unsigned kind)
{
	return (kind >= TRACE_SEND && kind <= TRACE_COUNTS_CAME) || kind == TRACE_MARKED || kind == TRACE_RECORDED || kind == TRACE_DRAINED;
}

bool trace_has_room(const struct trace *trace, enum trace_kind kind)
{
	const bool application = is_application(kind);
	const struct ring *ring = &trace->rings[application ? APPLICATION : PROTOCOL];
	return !is_many(kind) || ring->kept == UINT64_MAX || ring->added - ring->kept + (application ? 0 : RESERVE) <= ring->mask;
}

void trace_add(struct trace *trace, const struct trace_event *event)
{
	if (trace_has_room(trace, event->kind))
		put(trace, &trace->rings[is_application(event->kind) ? APPLICATION : PROTOCOL], event);
	else
		leave_out(trace, event->ns);
}

static void put_text(struct trace_text *to, const char *text)
{
	const size_t size = strnlen(text, TRACE_TEXT_MAX);
	memcpy(to->text, text, size);
	to->text[size] = 0;
}

uint64_t trace_text(struct trace *trace, const char *text)
{
	struct trace_text *kept = &trace->texts[trace->text_end % TEXTS];
	put_text(kept, text);
	return trace->text_end++;
}

bool trace_is_last(const struct trace *trace, enum trace_kind kind, int64_t position)
{
	return trace->last_kind == kind && trace->last_position == position;
}

void trace_begin(struct trace *trace)
{
	struct ring *ring = &trace->rings[APPLICATION];
	const uint64_t before = (ring->mask + 1) / KEPT_BEFORE;
	ring->kept = ring->added > before ? ring->added - before : 0;
	trace->rings[PROTOCOL].kept = trace->rings[PROTOCOL].added;
	trace->left_out = 0;
}

void trace_end(struct trace *trace)
{
	trace->rings[APPLICATION].kept = trace->rings[PROTOCOL].kept = UINT64_MAX;
}

/* --- taken out ------------------------------------------------------------------------------------------------------------------ */

static bool copy_ring(struct trace_copy *copy, const struct ring *ring, int which)
{
	const size_t size = (size_t)ring->mask + 1, count = ring->added < size ? (size_t)ring->added : size;
	const size_t first = (size_t)((ring->added - count) & ring->mask), at_end = count < size - first ? count : size - first;
	copy->slots[which] = malloc((count + 1) * sizeof *ring->slots);
	if (!copy->slots[which])
		return false;
	memcpy(copy->slots[which], ring->slots + first, at_end * sizeof *ring->slots);
	memcpy(copy->slots[which] + at_end, ring->slots, (count - at_end) * sizeof *ring->slots);
	copy->count[which] = count;
	copy->head.lost += ring->added - count;
	return true;
}

struct trace_copy *trace_copy(const struct trace *trace)
{
	struct trace_copy *copy = calloc(1, sizeof *copy);
	if (!copy)
		return NULL;
	copy->texts = malloc(TEXTS * sizeof *copy->texts);
	if (!copy->texts || !copy_ring(copy, &trace->rings[APPLICATION], APPLICATION) || !copy_ring(copy, &trace->rings[PROTOCOL], PROTOCOL)) {
		trace_copy_free(copy);
		return NULL;
	}
	if (trace->rings[PROTOCOL].added > copy->count[PROTOCOL])
		copy->turns_from = copy->slots[PROTOCOL][0].turn;
	memcpy(copy->texts, trace->texts, TEXTS * sizeof *copy->texts);
	copy->text_end = trace->text_end;
	copy->first_text = trace->text_end > TEXTS ? trace->text_end - TEXTS : 1;
	return copy;
}

void trace_copy_free(struct trace_copy *copy)
{
	if (!copy)
		return;
	free(copy->comms);
	free(copy->slots[APPLICATION]);
	free(copy->slots[PROTOCOL]);
	free(copy->texts);
	free(copy);
}

/* --- as a file has it -------------------------------------------------------------------------------------------------------------- */

/* What events name by pointers and numbers of ours becomes an index in the file's lists, which have what is named and nothing else. */
struct listing {
	const struct trace_copy *copy;
	struct trace_file file;
	struct named { const char *call; uint64_t text; } *named; /* the texts; text is 0 for a call */
	size_t text_room, named_room;
	uint32_t *comm_at;      /* of copy->comms: index in the file + 1 */
	bool failed;
};

static uint64_t list_text(struct listing *listing, struct named named)
{
	struct trace_file *file = &listing->file;
	const char *text = named.text ? listing->copy->texts[named.text % TEXTS].text : named.call;
	for (size_t i = 0; i < file->text_count; i++)
		if (listing->named[i].call == named.call && listing->named[i].text == named.text)
			return i + 1;
	if (file->text_count >= TRACE_TEXTS_MAX)
		return 0;
	struct trace_text *texts = list_with_room(file->texts, file->text_count, &listing->text_room, sizeof *texts);
	file->texts = texts ? texts : file->texts;
	struct named *list = list_with_room(listing->named, file->text_count, &listing->named_room, sizeof *list);
	listing->named = list ? list : listing->named;
	listing->failed |= !texts || !list;
	if (listing->failed)
		return 0;
	listing->named[file->text_count] = named;
	put_text(&texts[file->text_count], text);
	return ++file->text_count;
}

static int by_id(const void *a, const void *b)
{
	const struct trace_known_comm *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static uint32_t list_comm(struct listing *listing, uint32_t id)
{
	const struct trace_copy *copy = listing->copy;
	const struct trace_known_comm wanted = {.id = id};
	const struct trace_known_comm *known =
		copy->comm_count ? bsearch(&wanted, copy->comms, copy->comm_count, sizeof wanted, by_id) : NULL;
	if (id == TRACE_NO_COMM || !known)
		return TRACE_NO_COMM;
	uint32_t *at = &listing->comm_at[known - copy->comms];
	if (*at == 0) {
		listing->file.comms[listing->file.comm_count++] = known->comm;
		*at = (uint32_t)listing->file.comm_count;
	}
	return *at - 1;
}

static void list_event(struct listing *listing, const struct trace_event *from)
{
	struct trace_event *event = &listing->file.events[listing->file.event_count++];
	*event = *from;
	event->comm = list_comm(listing, from->comm);
	event->text = 0;
	if (from->kind == TRACE_SEND || from->kind == TRACE_COLLECTIVE)
		event->text = from->call ? list_text(listing, (struct named){from->call, 0}) : 0;
	else if (from->text >= listing->copy->first_text && from->text < listing->copy->text_end)
		event->text = list_text(listing, (struct named){NULL, from->text});
}

/* Where positions count from is known from the snapshots that moved the base: what was before the first that is still here is not told. */
static size_t count_untold(const struct trace_copy *copy)
{
	size_t count = 0;
	while (copy->turns_from != 0 && count < copy->count[APPLICATION] && copy->slots[APPLICATION][count].turn < copy->turns_from)
		count++;
	return count;
}

static void list_events(struct listing *listing)
{
	const struct trace_copy *copy = listing->copy;
	size_t at[2] = {count_untold(copy), 0};
	listing->file.lost += at[APPLICATION];
	while (!listing->failed && (at[0] < copy->count[0] || at[1] < copy->count[1])) {
		int which = at[0] >= copy->count[0] ||
			    (at[1] < copy->count[1] && copy->slots[1][at[1]].turn < copy->slots[0][at[0]].turn);
		list_event(listing, &copy->slots[which][at[which]++].event);
	}
}

void trace_copy_put(const struct trace_copy *copy, struct bytes_out *out)
{
	struct listing listing = {.copy = copy, .file = copy->head};
	listing.file.events = calloc(copy->count[0] + copy->count[1] + 1, sizeof *listing.file.events);
	listing.file.comms = calloc(copy->comm_count + 1, sizeof *listing.file.comms);
	listing.comm_at = calloc(copy->comm_count + 1, sizeof *listing.comm_at);
	listing.failed = !listing.file.events || !listing.file.comms || !listing.comm_at;
	if (!listing.failed) {
		if (copy->comm_count)
			qsort(copy->comms, copy->comm_count, sizeof *copy->comms, by_id);
		list_events(&listing);
	}
	if (listing.failed)
		out->failed = true;
	else
		trace_put(out, &listing.file);
	trace_file_free(&listing.file);
	free(listing.named);
	free(listing.comm_at);
}
