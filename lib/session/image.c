/* SPDX-License-Identifier: BSD-3-Clause */
/* From the capture and the record to the store: this rank's image, and on rank 0 the commit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mix.h"
#include "channel/comms.h"
#include "session/inside.h"

/* --- the capture -------------------------------------------------------------------------------------------------------- */

static void identify(struct store_identity *identity)
{
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	store_set_life(inside.store, attempt.run, attempt.life);
	*identity = (struct store_identity){
		.life = attempt.life, .number = attempt.number, .nonce = attempt.nonce, .rank = (uint32_t)inside.rank,
		.ranks = (uint32_t)inside.ranks, .step = attempt.cut_step,
	};
	memcpy(identity->run, attempt.run, sizeof identity->run);
}

static int begin_image(struct fault *fault)
{
	struct store_identity identity;
	struct store_region *regions = malloc((inside.capture.count + 1) * sizeof *regions);
	if (!regions)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of regions");
	for (size_t i = 0; i < inside.capture.count; i++)
		regions[i] = (struct store_region){
			inside.capture.regions[i].name, inside.capture.regions[i].data, inside.capture.regions[i].bytes};
	identify(&identity);
	int code = store_begin_image(inside.store, &identity, regions, inside.capture.count, fault);
	free(regions);
	return code;
}

/* An image that was given up may still be on its way to a slow disk, out of the memory that a capture would change. */
bool image_memory_is_free(void)
{
	struct store_image_result last;
	store_image_state(inside.store, &last);
	return last.regions_written;
}

/* Without memory for a copy the program waits for the writing. */
static void wait_for_regions(void)
{
	struct store_image_result result;
	struct timespec pause = {.tv_nsec = 100000};
	for (;;) {
		store_image_state(inside.store, &result);
		if (result.regions_written || drive_now_ns() - result.progress_ns > inside.settings.timeout_ns)
			return;
		nanosleep(&pause, NULL);
	}
}

/* The cut's one act, as far as it is the state's; the protocol then sends the markers, nested in this call. */
void image_capture(void)
{
	struct fault fault = FAULT_NONE;
	int64_t began_ns = drive_now_ns();
	enum reason reason = REASON_WRITER;
	int code = image_memory_is_free() ? 0 : fault_set(&fault, SEAMARK_E_IO, "rank %d", inside.rank);
	if (code == 0) {
		reason = REASON_CAPTURE;
		code = state_capture(inside.state, &inside.capture, &fault);
	}
	if (code == 0) {
		reason = REASON_IMAGE;
		code = begin_image(&fault);
	}
	inside.captured = code == 0;
	inside.cut_made |= code == 0;
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_CAPTURED, .failed = code < 0, .reason = reason, .text = fault.text});
	if (inside.captured && !inside.capture.copied)
		wait_for_regions();
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_CUT_MADE, .held_ns = drive_now_ns() - began_ns});
}

/* --- the rest: communicators, ledger, messages ---------------------------------------------------------------------------- */

struct draft {
	struct store_comm *comms;
	size_t comm_count;
	uint32_t *place;         /* from a communicator's index to its place in comms */
	struct store_stream *streams;
	size_t stream_count;
	struct store_message *messages;
	size_t message_count;
};

static void draft_free(struct draft *draft)
{
	free(draft->comms);
	free(draft->place);
	free(draft->streams);
	free(draft->messages);
}

static int by_making(const void *a, const void *b)
{
	uint64_t x = session.ledger.comms[*(const uint32_t *)a].making, y = session.ledger.comms[*(const uint32_t *)b].making;
	return (x > y) - (x < y);
}

/* At the cut, which all ranks make at the same place: images are finished at any later time, and if one had a communicator that was made in between, and another
 * had not, they would take other names for it after a restart. One that was freed since was alive: the restarted program makes it again, and
 * its messages wait for it. A label says by itself which it is. */
static bool was_alive(int index)
{
	const struct ledger_comm *comm = &session.ledger.comms[index];
	if (comm->making > inside.made_at_cut)
		return comm->state == LEDGER_COMM_LIVE && *comms_label(index);
	return comm->state == LEDGER_COMM_LIVE || !comm->freed_early;
}

static int draft_comms(struct draft *draft)
{
	const struct ledger *ledger = &session.ledger;
	uint32_t *order = calloc(ledger->comm_room, sizeof *order);
	draft->comms = calloc(ledger->comm_room, sizeof *draft->comms);
	draft->place = calloc(ledger->comm_room, sizeof *draft->place);
	if (!order || !draft->comms || !draft->place) {
		free(order);
		return SEAMARK_E_MEMORY;
	}
	size_t count = 0;
	for (size_t i = 0; i < ledger->comm_room; i++)
		if (ledger->comms[i].state != LEDGER_COMM_NONE)
			order[count++] = (uint32_t)i;
	qsort(order, count, sizeof *order, by_making);
	for (size_t i = 0; i < count; i++) {
		const struct ledger_comm *comm = &ledger->comms[order[i]];
		struct store_comm *drafted = &draft->comms[i];
		draft->place[order[i]] = (uint32_t)i;
		snprintf(drafted->name, sizeof drafted->name, "%s", comms_name((int)order[i]));
		snprintf(drafted->label, sizeof drafted->label, "%s", comms_label((int)order[i]));
		drafted->key = comm->name;
		drafted->nameless = comm->nameless;
		drafted->kind = comm->kind;
		drafted->size = (uint32_t)comm->peers;
		drafted->members = comms_members((int)order[i]);
		drafted->begun = comm->begun;
		drafted->freed = !was_alive((int)order[i]);
	}
	draft->comm_count = count;
	free(order);
	return 0;
}

static int64_t carried_of(uint64_t key)
{
	int64_t carried = 0;
	for (const struct copy *copy = inside.copies.next; copy != &inside.copies; copy = copy->next)
		carried += copy->kept && copy->key == key && copy->position <= 0;
	return carried;
}

static bool any_carried(void)
{
	for (const struct copy *copy = inside.copies.next; copy != &inside.copies; copy = copy->next)
		if (copy->kept && copy->position <= 0)
			return true;
	return false;
}

static struct store_stream *add_stream(struct draft *draft, size_t *room, uint64_t key)
{
	struct store_stream *streams = list_with_room(draft->streams, draft->stream_count, room, sizeof *streams);
	if (!streams)
		return NULL;
	draft->streams = streams;
	struct store_stream *stream = &draft->streams[draft->stream_count++];
	*stream = (struct store_stream){
		.comm = draft->place[ledger_key_comm(key)], .peer = (uint32_t)ledger_world_of(&session.ledger, key),
		.tag = ledger_key_tag(key),
	};
	return stream;
}

static int draft_streams(struct draft *draft)
{
	struct snapshot_outgoing out;
	struct snapshot_incoming in;
	struct store_stream *stream;
	size_t room = 0;
	bool carries = any_carried();
	for (size_t cursor = 0; snapshot_next_outgoing(inside.snapshot, &cursor, &out);) {
		if (!(stream = add_stream(draft, &room, out.key)))
			return SEAMARK_E_MEMORY;
		stream->outgoing = true;
		stream->sent = out.sent;
		stream->synchronous = out.synchronous;
	}
	for (size_t cursor = 0; snapshot_next_incoming(inside.snapshot, &cursor, &in);) {
		if (in.limit == 0 && in.seen == 0 && in.recorded == 0)
			continue;
		if (!(stream = add_stream(draft, &room, in.key)))
			return SEAMARK_E_MEMORY;
		stream->carried = carries ? carried_of(in.key) : 0;
		stream->seen = in.seen + stream->carried;
		stream->recorded = in.recorded;
		stream->highest = in.highest > 0 ? in.highest : 0;
		stream->abandoned = in.abandoned;
	}
	return 0;
}

static int by_turn(const void *a, const void *b)
{
	uint64_t x = ((const struct store_message *)a)->turn, y = ((const struct store_message *)b)->turn;
	return (x > y) - (x < y);
}

static int draft_messages(struct draft *draft)
{
	size_t count = 0;
	for (const struct copy *copy = inside.copies.next; copy != &inside.copies; copy = copy->next)
		count += copy->kept;
	draft->messages = calloc(count + 1, sizeof *draft->messages);
	if (!draft->messages)
		return SEAMARK_E_MEMORY;
	for (const struct copy *copy = inside.copies.next; copy != &inside.copies; copy = copy->next) {
		if (!copy->kept)
			continue;
		draft->messages[draft->message_count++] = (struct store_message){
			.comm = draft->place[ledger_key_comm(copy->key)], .source = ledger_key_peer(copy->key),
			.source_world = (uint32_t)ledger_world_of(&session.ledger, copy->key), .tag = ledger_key_tag(copy->key),
			.turn = copy->turn, .position = copy->position, .data = copy->data, .bytes = copy->bytes,
		};
	}
	qsort(draft->messages, count, sizeof *draft->messages, by_turn);
	return 0;
}

static uint64_t bytes_of_messages(const struct draft *draft)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < draft->message_count; i++)
		bytes += draft->messages[i].bytes;
	return bytes;
}

static uint64_t message_bytes;

void image_finish(void)
{
	struct fault fault = FAULT_NONE;
	struct draft draft = {0};
	int code = draft_comms(&draft);
	if (code == 0)
		code = draft_streams(&draft);
	if (code == 0)
		code = draft_messages(&draft);
	if (code < 0)
		fault_set(&fault, code, "no memory for the record of messages");
	else if (bytes_of_messages(&draft) != inside.kept_bytes)
		code = fault_set(&fault, SEAMARK_E_VOID, "the record does not add up: a mistake in Seamark, please report it");
	message_bytes = inside.kept_bytes;
	if (code == 0)
		code = store_finish_image(inside.store, &(struct store_record){
			draft.comms, draft.comm_count, draft.streams, draft.stream_count, draft.messages, draft.message_count},
			&fault);
	draft_free(&draft);
	copies_drop_all();
	inside.finishing = code == 0;
	if (code < 0)
		drive_feed((struct snapshot_event){.kind = SNAPSHOT_IMAGE, .failed = true, .text = fault.text});
}

/* --- waiting for it ------------------------------------------------------------------------------------------------------- */

void image_watch(int64_t now_ns)
{
	struct store_image_result result;
	char text[sizeof result.fault.text + 40];
	if (!inside.captured)
		return;
	enum store_state state = store_image_state(inside.store, &result);
	bool stalls = state == STORE_WORKING && now_ns - result.progress_ns > inside.settings.timeout_ns && inside.finishing;
	if (state == STORE_FAILED || stalls) {
		snprintf(text, sizeof text, "rank %d: %s", inside.rank,
			 stalls ? "the disk finished no write in SEAMARK_TIMEOUT" : result.fault.text);
		drive_feed((struct snapshot_event){.kind = SNAPSHOT_IMAGE, .failed = true, .text = text});
	} else if (state == STORE_DURABLE && inside.finishing) {
		inside.finishing = false;
		drive_feed((struct snapshot_event){
			.kind = SNAPSHOT_IMAGE, .bytes = result.bytes, .message_bytes = message_bytes,
			.table_hash = mix64_pair((uint64_t)inside.rank, result.table_hash)});
	}
}

/* --- the commit, on rank 0 ------------------------------------------------------------------------------------------------- */

static void published(const struct fault *fault)
{
	inside.committing = false;
	drive_feed((struct snapshot_event){
		.kind = SNAPSHOT_PUBLISHED, .failed = fault->code < 0, .text = fault->text,
		.reason = fault->code == SEAMARK_E_BUSY ? REASON_SUPERSEDED : REASON_MANIFEST});
}

void image_publish(const struct verdict *verdict)
{
	struct fault fault = FAULT_NONE;
	struct timespec now;
	struct snapshot_attempt attempt;
	struct store_commit commit = {
		.table_sum = verdict->tables, .messages = verdict->messages, .message_bytes = verdict->message_bytes,
		.bytes = verdict->image_bytes, .held_s = (double)verdict->held_ns / 1e9,
	};
	identify(&commit.identity);
	commit.identity.step = verdict->step;
	snapshot_attempt(inside.snapshot, &attempt);
	clock_gettime(CLOCK_REALTIME, &now);
	commit.requested_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (drive_now_ns() - attempt.announced_ns);
	inside.committing = true;
	if (store_begin_commit(inside.store, &commit, inside.settings.keep, &fault) < 0)
		published(&fault);
}

void image_watch_commit(void)
{
	struct fault fault = FAULT_NONE;
	enum store_state state = store_commit_state(inside.store, &fault);
	if (state == STORE_DURABLE || state == STORE_FAILED)
		published(&fault);
}
