/* SPDX-License-Identifier: BSD-3-Clause */
/* From the capture and the record to the store: this rank's image, and on rank 0 the commit. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mix.h"
#include "base/moment.h"
#include "channel/comms.h"
#include "session/inside.h"

/* --- the communicators of the cut ------------------------------------------------------------------------------------------ */

/* All ranks make the cut at the same place, but finish their images at any later time: if one listed a communicator, or its label, that is of later, and another did not, they
 * would give it different names after a restart. */
static struct {
	struct store_comm *comms; /* in order of making */
	size_t count;
	uint32_t *place;          /* from a communicator's index to its place in comms */
	size_t room;
} at_cut;
enum { NO_PLACE = UINT32_MAX };

static void forget_comms(void)
{
	free(at_cut.comms);
	free(at_cut.place);
	memset(&at_cut, 0, sizeof at_cut);
}

static uint32_t place_of(uint64_t key)
{
	return ledger_key_comm(key) < at_cut.room ? at_cut.place[ledger_key_comm(key)] : NO_PLACE;
}

static int by_making(const void *a, const void *b)
{
	uint64_t x = session.ledger.comms[*(const uint32_t *)a].making, y = session.ledger.comms[*(const uint32_t *)b].making;
	return (x > y) - (x < y);
}

static void list_comm(uint32_t index)
{
	const struct ledger_comm *comm = &session.ledger.comms[index];
	struct store_comm *listed = &at_cut.comms[at_cut.count];
	at_cut.place[index] = (uint32_t)at_cut.count++;
	snprintf(listed->name, sizeof listed->name, "%s", comms_name((int)index));
	snprintf(listed->label, sizeof listed->label, "%s", comms_label((int)index));
	listed->key = comm->name;
	listed->nameless = comm->nameless;
	listed->kind = comm->kind;
	listed->size = (uint32_t)comm->peers;
	listed->members = comms_members((int)index);
	listed->begun = comm->begun;
	listed->freed = comm->state == LEDGER_COMM_FREED;
}

static int list_comms(struct fault *fault)
{
	const struct ledger *ledger = &session.ledger;
	size_t count = 0;
	forget_comms();
	uint32_t *order = calloc(ledger->comm_room, sizeof *order);
	at_cut.place = calloc(ledger->comm_room, sizeof *at_cut.place);
	for (size_t i = 0; order && at_cut.place && i < ledger->comm_room; i++) {
		at_cut.place[i] = NO_PLACE;
		if (ledger->comms[i].state != LEDGER_COMM_NONE)
			order[count++] = (uint32_t)i;
	}
	at_cut.comms = calloc(count + 1, sizeof *at_cut.comms);
	if (!order || !at_cut.place || !at_cut.comms) {
		free(order);
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of communicators");
	}
	at_cut.room = ledger->comm_room;
	qsort(order, count, sizeof *order, by_making);
	for (size_t i = 0; i < count; i++)
		list_comm(order[i]);
	free(order);
	return 0;
}

/* --- the receives of the cut -------------------------------------------------------------------------------------------------- */

/* Those that were posted. When the channels are closed it is known which of them a message in flight had come for. */
static struct {
	struct store_posted *list; /* in ascending turn */
	size_t count;
} posted;

static void forget_posted(void)
{
	free(posted.list);
	memset(&posted, 0, sizeof posted);
}

static int posted_by_turn(const void *a, const void *b)
{
	uint64_t x = ((const struct store_posted *)a)->turn, y = ((const struct store_posted *)b)->turn;
	return (x > y) - (x < y);
}

static bool is_posted(const struct shadow *shadow)
{
	return shadow->kind == SHADOW_RECEIVE && place_of(shadow->key) != NO_PLACE;
}

static struct store_posted posted_of(const struct shadow *shadow)
{
	struct store_posted one = {.comm = place_of(shadow->key), .turn = shadow->turn};
	bool known = shadow->flags & SHADOW_LEARNED;
	one.any_source = !known && shadow->flags & SHADOW_ANY_SOURCE;
	one.any_tag = !known && shadow->flags & SHADOW_ANY_TAG;
	if (!one.any_source) {
		one.source = ledger_key_peer(shadow->key);
		one.source_world = (uint32_t)ledger_world_of(&session.ledger, shadow->key);
	}
	if (!one.any_tag)
		one.tag = ledger_key_tag(shadow->key);
	return one;
}

static int list_posted(struct fault *fault)
{
	size_t count = 0;
	forget_posted();
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));)
		count += is_posted(shadow);
	if (count == 0)
		return 0;
	posted.list = calloc(count, sizeof *posted.list);
	if (!posted.list)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of posted receives");
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));)
		if (is_posted(shadow))
			posted.list[posted.count++] = posted_of(shadow);
	qsort(posted.list, posted.count, sizeof *posted.list, posted_by_turn);
	return 0;
}

/* Both lists ascend by turn, and a message that a pending receive took has its turn. */
static void drop_matched(const struct store_message *messages, size_t count)
{
	size_t kept = 0, at = 0;
	for (size_t i = 0; i < posted.count; i++) {
		while (at < count && messages[at].turn < posted.list[i].turn)
			at++;
		if (at == count || messages[at].turn != posted.list[i].turn)
			posted.list[kept++] = posted.list[i];
	}
	posted.count = kept;
}

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

static_assert(STATE_BLOCK == STORE_STAMP_BLOCK, "what the state knows of its changes, the store understands");

static struct store_region region_to_store(const struct state_captured *region, uint64_t capture)
{
	return (struct store_region){
		.name = region->name, .data = region->data, .bytes = region->bytes, .shape = region->shape,
		.read = region->read, .context = region->context, .capture = capture, .changed = region->changed,
	};
}

static int begin_image(struct fault *fault)
{
	struct store_identity identity;
	struct store_region *regions = malloc((inside.capture.count + 1) * sizeof *regions);
	if (!regions)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of regions");
	for (size_t i = 0; i < inside.capture.count; i++)
		regions[i] = region_to_store(&inside.capture.regions[i], inside.capture.number);
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

static const char *stalled(char *text, size_t room)
{
	snprintf(text, room, "rank %d: the disk finished no write in SEAMARK_TIMEOUT", inside.rank);
	return text;
}

/* Without memory for a copy the program waits for the writing. false: it cannot wait longer, and its memory will change while it is read. */
static bool wait_for_regions(void)
{
	struct store_image_result result;
	struct timespec pause = {.tv_nsec = 100000};
	for (;;) {
		store_image_state(inside.store, &result);
		if (result.regions_written)
			return true;
		if (drive_now_ns() - result.progress_ns > inside.settings.timeout_ns)
			return false;
		nanosleep(&pause, NULL);
	}
}

/* The cut's one act, as far as it is the state's; the protocol then sends the markers, nested in this call. */
void image_capture(void)
{
	struct fault fault = FAULT_NONE;
	int64_t began_ns = drive_now_ns();
	enum reason reason = REASON_WRITER;
	every_cut(began_ns);
	int code = image_memory_is_free() ? 0 : fault_set(&fault, SEAMARK_E_IO, "rank %d", inside.rank);
	if (code == 0) {
		reason = REASON_CAPTURE;
		code = list_comms(&fault);
		if (code == 0)
			code = list_posted(&fault);
	}
	crash_point("communicators-listed");
	if (code == 0)
		code = state_capture(inside.state, &inside.capture, &fault);
	crash_point("state-captured");
	if (code == 0) {
		reason = REASON_IMAGE;
		code = begin_image(&fault);
		if (code < 0)
			state_capture_done(inside.state);
		crash_point("image-asked");
	}
	inside.captured = inside.capture_live = code == 0;
	inside.cut_made |= code == 0;
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_CAPTURED, .failed = code < 0, .reason = reason, .text = fault.text});
	crash_point("cut-markers-out");
	bool whole = !inside.captured || inside.capture.copied || wait_for_regions();
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_CUT_MADE, .held_ns = drive_now_ns() - began_ns});
	if (!whole)
		drive_feed((struct snapshot_event){.kind = SNAPSHOT_IMAGE, .failed = true, .text = stalled(fault.text, sizeof fault.text)});
}

/* --- the rest: ledger, messages ---------------------------------------------------------------------------------------------- */

struct draft {
	struct store_stream *streams;
	size_t stream_count;
	struct store_message *messages;
	size_t message_count;
};

static void draft_free(struct draft *draft)
{
	free(draft->streams);
	free(draft->messages);
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
		.comm = place_of(key), .peer = (uint32_t)ledger_world_of(&session.ledger, key),
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
			.comm = place_of(copy->key), .source = ledger_key_peer(copy->key),
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
	int code = draft_streams(&draft);
	if (code == 0)
		code = draft_messages(&draft);
	if (code < 0)
		fault_set(&fault, code, "no memory for the record of messages");
	else if (bytes_of_messages(&draft) != inside.kept_bytes)
		code = fault_set(&fault, SEAMARK_E_VOID, "the record does not add up: a mistake in Seamark, please report it");
	message_bytes = inside.kept_bytes;
	drop_matched(draft.messages, draft.message_count);
	if (code == 0)
		code = store_finish_image(inside.store, &(struct store_record){
			at_cut.comms, at_cut.count, draft.streams, draft.stream_count, draft.messages, draft.message_count,
			posted.list, posted.count},
			&fault);
	draft_free(&draft);
	forget_comms();
	forget_posted();
	copies_drop_all();
	inside.finishing = code == 0;
	if (code < 0)
		drive_feed((struct snapshot_event){.kind = SNAPSHOT_IMAGE, .failed = true, .text = fault.text});
}

/* --- waiting for it ------------------------------------------------------------------------------------------------------- */

/* The memory that the capture took may go back as soon as nobody reads it: a child that holds it makes the program pay for each page it writes to. */
void image_let_go(void)
{
	if (!image_memory_is_free())
		return;
	inside.capture_live = false;
	state_capture_done(inside.state);
}

void image_watch(int64_t now_ns)
{
	struct store_image_result result;
	char text[sizeof result.fault.text + 40];
	if (!inside.captured)
		return;
	enum store_state state = store_image_state(inside.store, &result);
	bool stalls = state == STORE_WORKING && now_ns - result.progress_ns > inside.settings.timeout_ns && inside.finishing;
	if (state == STORE_FAILED || stalls) {
		if (stalls)
			stalled(text, sizeof text);
		else
			snprintf(text, sizeof text, "rank %d: %s", inside.rank, result.fault.text);
		crash_point("image-failure-seen");
		drive_feed((struct snapshot_event){.kind = SNAPSHOT_IMAGE, .failed = true, .text = text});
	} else if (state == STORE_DURABLE && inside.finishing) {
		inside.finishing = false;
		crash_point("image-durable-seen");
		drive_feed((struct snapshot_event){
			.kind = SNAPSHOT_IMAGE, .bytes = result.bytes, .referred_bytes = result.referred, .parents = result.parents,
			.message_bytes = message_bytes,
			.table_hash = mix64_pair((uint64_t)inside.rank, result.table_hash)});
	}
}

/* --- the commit, on rank 0 ------------------------------------------------------------------------------------------------- */

static void published(const struct fault *fault)
{
	inside.committing = false;
	crash_point("commit-seen");
	drive_feed((struct snapshot_event){
		.kind = SNAPSHOT_PUBLISHED, .failed = fault->code < 0, .text = fault->text,
		.reason = fault->code == SEAMARK_E_BUSY ? REASON_SUPERSEDED : REASON_MANIFEST});
}

void image_publish(const struct verdict *verdict)
{
	struct fault fault = FAULT_NONE;
	struct snapshot_attempt attempt;
	struct store_commit commit = {
		.table_sum = verdict->tables, .messages = verdict->messages, .message_bytes = verdict->message_bytes,
		.bytes = verdict->image_bytes, .referred = verdict->referred_bytes, .parents = verdict->parents, .held_s = (double)verdict->held_ns / 1e9,
		.cost_s = every_cost_s(verdict),
	};
	identify(&commit.identity);
	commit.identity.step = verdict->step;
	snapshot_attempt(inside.snapshot, &attempt);
	commit.requested_ns = moment_now_ns() - (drive_now_ns() - attempt.announced_ns);
	commit.stop = attempt.want & WANT_STOP;
	inside.committing = true;
	if (store_begin_commit(inside.store, &commit, inside.settings.keep, &fault) < 0)
		published(&fault);
}

void image_watch_commit(void)
{
	struct fault fault = FAULT_NONE;
	enum store_state state = store_commit_state(inside.store, &fault);
	bool stalls = state == STORE_WORKING && drive_now_ns() - store_commit_progress_ns(inside.store) > inside.settings.timeout_ns;
	if (stalls && store_abandon_commit(inside.store)) {
		state = STORE_FAILED;
		fault_set(&fault, SEAMARK_E_IO, "the disk of '%s' finished no step of the commit in SEAMARK_TIMEOUT", store_folder(inside.store));
	}
	if (state == STORE_DURABLE || state == STORE_FAILED)
		published(&fault);
}
