/* SPDX-License-Identifier: BSD-3-Clause */
/* One rank's session in the simulator: the same objects in the same order of use as under MPI. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "sim/sim.h"

enum { TIMEOUT_MS = 60 };

static int comm_number(const struct rank *rank, uint64_t key)
{
	return rank->comm_of[ledger_key_comm(key)];
}

static bool in_window(const struct rank *rank)
{
	return snapshot_phase(rank->snapshot) == SNAPSHOT_WINDOW;
}

static struct snapshot_attempt attempt_of(const struct rank *rank)
{
	struct snapshot_attempt attempt;
	snapshot_attempt(rank->snapshot, &attempt);
	return attempt;
}

/* --- opening ---------------------------------------------------------------------------------------------------------- */

void driver_add_comm(struct rank *rank, int comm)
{
	int index = ledger_add_comm(&rank->ledger, LEDGER_COMM_INTRA, mix64((uint64_t)comm + 17), rank->rank, rank->world->ranks,
				    rank->world->ranks, NULL, rank->rank == 0);
	rank->comm_index[comm] = index;
	rank->comm_of[index] = comm;
	rank->begun[comm] = 0;
	mailbox_adopt(&rank->mailbox, mix64((uint64_t)comm + 17), (unsigned)index);
	if (!rank->snapshot)
		return;
	struct snapshot_actions actions = {0};
	snapshot_comm_named(rank->snapshot, index, rank->world->now_ns, &actions);
	if (actions.count)
		fail(rank->world, "actions by a name");
	snapshot_actions_free(&actions);
}

/* The first that asks in the act of the cut finds everything as it was at the cut. */
static void audit_now(struct rank *rank)
{
	uint64_t epoch = attempt_of(rank).epoch;
	if (rank->audited != epoch)
		audit_cut(&rank->audit, &rank->sequence, &rank->ledger, &rank->mailbox);
	rank->audited = epoch;
}

static int64_t told_beyond(void *context, uint64_t key, int64_t limit)
{
	struct rank *rank = context;
	audit_now(rank);
	return audit_told_beyond(&rank->audit, key, limit);
}

static bool is_drill(const struct rank *rank)
{
	return snapshot_phase(rank->snapshot) != SNAPSHOT_IDLE && (attempt_of(rank).want & WANT_DRILL);
}

void driver_open(struct rank *rank)
{
	struct world *world = rank->world;
	ledger_open(&rank->ledger);
	position_open(&rank->sequence);
	for (int i = 0; i < COMMS_MOST; i++)
		rank->comm_index[i] = LEDGER_NO_COMM;
	for (int i = 0; i < world->comms; i++)
		driver_add_comm(rank, i);
	struct snapshot_config config = {
		.rank = rank->rank, .ranks = world->ranks, .timeout_ns = TIMEOUT_MS * INT64_C(1000000), .ledger = &rank->ledger,
		.world = rank->comm_index[WORLD_COMM], .ledger_bound = world->ledger_bound, .seed = world->options.seed,
		.drill_timeout_ns = TIMEOUT_MS * INT64_C(1000000), .drill_seed = ~world->options.seed, .told_beyond = told_beyond,
		.context = rank, .markers_all = !world->options.busy && world->ranks <= PEERS_MOST, .every_ns = world->every_ns, .every_steps = world->every_steps,
	};
	rank->snapshot = snapshot_new(&config);
	uint8_t run[16] = {1};
	if (rank->rank == 0)
		snapshot_set_life(rank->snapshot, run, (uint32_t)world->life, 1);
}

void driver_close(struct rank *rank)
{
	snapshot_free(rank->snapshot);
	mailbox_close(&rank->mailbox);
	position_close(&rank->sequence);
	ledger_close(&rank->ledger);
	table_free(&rank->offset);
	table_free(&rank->arrivals);
	free(rank->untold);
	free(rank->copies);
	audit_close(&rank->audit);
	free(rank->inbox);
	for (size_t i = 0; i < rank->made_count; i++) {
		mail_free(rank->made[i]->mail);
		free(rank->made[i]);
	}
	free(rank->made);
	for (int i = 0; i < rank->thread_count; i++)
		free(rank->threads[i].stack);
	free(rank);
}

/* --- copies ------------------------------------------------------------------------------------------------------------ */

static uint64_t copy_message(struct rank *rank, struct message *message, uint64_t turn)
{
	if (attempt_of(rank).is_void)
		return 0;
	rank->copies = grown(rank->copies, rank->copy_count, &rank->copy_room, sizeof *rank->copies);
	rank->copies[rank->copy_count++] = (struct copy){.message = message, .turn = turn};
	return rank->copy_count;
}

static struct copy *copy_of(struct rank *rank, uint64_t token)
{
	if (token == 0 || token > rank->copy_count || !rank->copies[token - 1].message)
		fail(rank->world, "rank %d: no copy has token %" PRIu64, rank->rank, token);
	return &rank->copies[token - 1];
}

static void drop_copies(struct rank *rank)
{
	rank->copy_count = 0;
	for (size_t i = 0; i < rank->sequence.aside_count; i++)
		rank->sequence.aside[i].token = 0;
}

static int by_turn(const void *a, const void *b)
{
	const struct copy *x = a, *y = b;
	return (x->turn > y->turn) - (x->turn < y->turn);
}

/* The record in its order. A copy of which the protocol has not said whether it belongs there is a mistake. */
static void finish_image(struct rank *rank)
{
	struct cut *cut = &world_epoch(rank->world, rank->cut_epoch)->cuts[rank->rank];
	struct copy *kept = calloc(rank->copy_count + 1, sizeof *kept);
	cut->record = calloc(rank->copy_count + 1, sizeof *cut->record);
	for (size_t i = 0; i < rank->copy_count; i++) {
		if (!rank->copies[i].message)
			continue;
		if (!rank->copies[i].kept)
			fail(rank->world, "rank %d: a message's place is not known, and all channels are closed", rank->rank);
		kept[cut->record_count++] = rank->copies[i];
	}
	qsort(kept, cut->record_count, sizeof *kept, by_turn);
	for (size_t i = 0; i < cut->record_count; i++)
		cut->record[i] = kept[i].message;
	free(kept);
	rank->copy_count = 0;
	if (is_drill(rank)) {
		oracle_drill(rank);
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_IMAGE});
		return;
	}
	note(rank, "closed", rank->cut_epoch, NULL, "%zu recorded", cut->record_count);
	rank->wait_image = true;
	rank->image_at = rank->world->late ? INT64_MAX : rank->world->now_ns + (int64_t)draw(rank->world, 2000000);
}

/* --- actions ----------------------------------------------------------------------------------------------------------- */

static void act(struct rank *rank, struct snapshot_actions *actions);

/* The model is told of what became void by itself before it is told of what follows. */
static void note_doom(struct rank *rank)
{
	struct snapshot_attempt attempt = attempt_of(rank);
	if (attempt.is_void && rank->doomed != attempt.epoch) {
		rank->doomed = attempt.epoch;
		note_only(rank, "dooms", attempt.epoch, NULL, "%d", (int)snapshot_reason(rank->snapshot));
	}
}

static void note_standing(struct rank *rank)
{
	int phase = (int)snapshot_phase(rank->snapshot);
	int standing = phase * 2 + (phase != SNAPSHOT_IDLE && attempt_of(rank).is_void);
	if (standing != rank->standing)
		note_only(rank, "stands", attempt_of(rank).epoch, NULL, "%d %d", phase, standing % 2);
	rank->standing = standing;
}

static void give(struct rank *rank, const struct taking *taking, bool from_mailbox)
{
	struct snapshot_actions actions = {0};
	if (taking->token) {
		copy_of(rank, taking->token)->key = taking->key;
		copy_of(rank, taking->token)->position = taking->position;
	}
	if (taking->before_cut && in_window(rank) && is_drill(rank))
		audit_settled(&rank->audit, taking->key, taking->position);
	snapshot_taken(rank->snapshot, &(struct snapshot_taking){
		.key = taking->key, .position = taking->position, .token = taking->token, .before_cut = taking->before_cut,
		.posted_after = in_window(rank) && taking->turn > rank->turn_at_cut, .from_mailbox = from_mailbox,
	}, rank->world->now_ns, &actions);
	rank->giving = true;
	act(rank, &actions);
	note_standing(rank);
	rank->giving = false;
	snapshot_actions_free(&actions);
}

static struct message *message_of_mail(const struct mail *mail)
{
	struct message *message;
	memcpy(&message, mail->data, sizeof message);
	return message;
}

static void record_mail(struct rank *rank, const struct mail *mail)
{
	paths[PATH_MAIL_AT_CUT]++;
	struct message *message = message_of_mail(mail);
	oracle_position(rank, message, mail->position, "mail at the cut");
	note(rank, "in-mailbox", attempt_of(rank).epoch, message, "recorded again");
	give(rank, &(struct taking){.key = mail->key, .turn = mail->turn, .position = mail->position,
				    .token = copy_message(rank, message, mail->turn)}, true);
}

static void cut(struct rank *rank)
{
	struct snapshot_attempt attempt = attempt_of(rank);
	note(rank, attempt.is_void ? "void-cut" : "cut", attempt.epoch, NULL, "step %" PRId64 " %s", attempt.cut_step,
	     attempt.is_void ? reason_text(snapshot_reason(rank->snapshot)) : "");
	paths[PATH_VOID_CUT] += attempt.is_void;
	paths[PATH_DRILL] += is_drill(rank);
	if (is_drill(rank))
		audit_now(rank);
	paths[PATH_EMPTY] += (attempt.want & WANT_EMPTY) != 0;
	paths[PATH_CUT_IN_CALL] += rank->polling && rank->open;
	position_mark_cut(&rank->sequence);
	rank->turn_at_cut = rank->sequence.turn;
	oracle_cut(rank, &attempt);
	rank->wait_markers = true;
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&rank->sequence.shadows, shadow));) {
		shadow->flags &= (uint8_t)~SHADOW_RECORDED;
		paths[PATH_DELIVERY_AT_CUT] += shadow->kind == SHADOW_DELIVERY;
		if (shadow->kind == SHADOW_DELIVERY)
			record_mail(rank, (const struct mail *)(uintptr_t)shadow->extra);
	}
	for (const struct mail *mail = rank->mailbox.first; mail; mail = mail->next)
		record_mail(rank, mail);
}

static void send_marker(struct rank *rank, struct snapshot_action *action)
{
	struct world *world = rank->world;
	struct message *head = net_send(rank, action->peer, LANE_MARKERS, 0);
	head->data = action->data;
	action->data = (struct bytes_out){0};
	rank->markers_out++;
	note(rank, "marker", attempt_of(rank).epoch, NULL, "to %d", action->peer);
	if (maybe(world, 50, !world->late)) {
		head->part = 2;
		head->next = NULL;
	}
	struct message *counts = head->part == 2 ? calloc(1, sizeof *counts) : net_send(rank, action->peer, LANE_MARKERS, 1);
	counts->data = action->counts;
	counts->part = 1;
	action->counts = (struct bytes_out){0};
	if (head->part == 2)
		head->sender = (struct request *)counts; /* travels with its head */
	else
		rank->markers_out++;
}

static int64_t moved(void *context, uint64_t key)
{
	return snapshot_moved_incoming(((struct rank *)context)->snapshot, key);
}

static void rebase(struct rank *rank)
{
	struct snapshot_incoming stream;
	for (size_t cursor = 0; snapshot_next_incoming(rank->snapshot, &cursor, &stream);) {
		int comm = comm_number(rank, stream.key);
		int64_t by = snapshot_moved_incoming(rank->snapshot, stream.key);
		if (by)
			*table_at(&rank->offset, stream_number(ledger_world_of(&rank->ledger, stream.key), comm,
							       (int)ledger_key_tag(stream.key))) += by;
	}
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&rank->sequence.shadows, shadow));) {
		if (shadow->kind == SHADOW_SYNCHRONOUS)
			shadow->position -= snapshot_moved_outgoing(rank->snapshot, shadow->key);
		if (shadow->kind == SHADOW_DELIVERY) {
			struct mail *mail = (struct mail *)(uintptr_t)shadow->extra;
			mail->position -= snapshot_moved_incoming(rank->snapshot, mail->key);
		}
	}
	position_rebase(&rank->sequence, moved, rank);
	mailbox_rebase(&rank->mailbox, moved, rank);
	snapshot_rebased(rank->snapshot);
	for (int comm = 0; comm < rank->world->comms; comm++) /* tombstones that were swept */
		if (rank->comm_index[comm] >= 0 && rank->ledger.comms[rank->comm_index[comm]].state == LEDGER_COMM_NONE)
			rank->comm_index[comm] = LEDGER_NO_COMM;
}

static void ended(struct rank *rank)
{
	struct world *world = rank->world;
	const struct snapshot_outcome *outcome = snapshot_outcome(rank->snapshot);
	struct statistics *count = &statistics[world->program - programs];
	note(rank, outcome->committed ? "committed" : "void", outcome->epoch, NULL, "%s%s%s",
	     outcome->committed ? "" : reason_text(outcome->reason), *outcome->text ? ": " : "", outcome->text);
	struct epoch *epoch = world_epoch(world, outcome->epoch);
	if (outcome->committed != epoch->committed)
		fail(world, "rank %d has the wrong outcome of snapshot %" PRIu64, rank->rank, outcome->epoch);
	epoch->ended++;
	if (!(outcome->want & (WANT_EMPTY | WANT_DRILL)))
		rank->request_came = false;
	rank->collective_ended += (outcome->want & WANT_COLLECTIVE) != 0;
	/* Of a communicator that was freed, what is owed may be known too late to be drained before. Else what is late is there, and is found. */
	if (rank->rank == 0 && outcome->reason == REASON_OPEN_CHANNEL && !(outcome->want & WANT_DRILL) &&
	    !world->options.away && !world->options.leap && !strstr(outcome->text, "freed a communicator"))
		fail(world, "snapshot %" PRIu64 " was void because late messages were not found: %s", outcome->epoch, outcome->text);
	if (rank->rank == 0 && !outcome->committed && reason_cause(outcome->reason) == REASON_TIMING && !outcome->again && !outcome->resigned &&
	    !(outcome->want & (WANT_EMPTY | WANT_DRILL | WANT_COLLECTIVE)))
		fail(world, "snapshot %" PRIu64 " was void for a matter of timing, and is not tried again", outcome->epoch);
	/* All are in the call, and begin no collective more. */
	if (rank->rank == 0 && (outcome->want & WANT_COLLECTIVE) && !world->options.away && !world->options.leap &&
	    (outcome->reason == REASON_BEHIND || outcome->reason == REASON_PASSED_COUNT))
		fail(world, "snapshot %" PRIu64 ", in seamark_checkpoint, was void because of collectives still to begin: %s", outcome->epoch, outcome->text);
	if (rank->rank == 0 && (outcome->want & WANT_DRILL)) {
		world->drilling = false;
		paths[PATH_DRILL_GIVEN_UP] += outcome->reason != REASON_NONE;
	}
	if (rank->rank != 0 || (outcome->want & (WANT_EMPTY | WANT_DRILL)))
		return;
	world->outcomes++;
	count->reasons[outcome->reason]++;
	if (outcome->committed) {
		world->commits++;
		count->commits++;
		count->attempts[outcome->attempts < 63 ? outcome->attempts : 63]++;
	} else if (outcome->resigned) {
		count->resigned++;
	} else if (!outcome->again) {
		count->lasting++;
	}
}

static void publish(struct rank *rank)
{
	note(rank, "publish", rank->cut_epoch, NULL, "%s", "");
	rank->wait_publish = true;
	rank->publish_at = rank->world->late ? INT64_MAX : rank->world->now_ns + (int64_t)draw(rank->world, 1000000);
}

/* What this rank found of each stream. */
static void note_window(struct rank *rank)
{
	struct snapshot_incoming in;
	for (size_t cursor = 0; snapshot_next_incoming(rank->snapshot, &cursor, &in);)
		note_only(rank, "window", rank->cut_epoch, NULL, "%u %d %u limit %" PRId64 " seen %" PRId64 " recorded %" PRId64,
			  ledger_key_peer(in.key), comm_number(rank, in.key), ledger_key_tag(in.key), in.limit, in.seen, in.recorded);
}

static void enter_verdict(struct rank *rank, const struct verdict *share)
{
	note_window(rank);
	struct epoch *epoch = world_epoch(rank->world, rank->cut_epoch);
	note(rank, "to-verdict", rank->cut_epoch, NULL, "voids %" PRIu64 ", open %" PRIu64 ", %" PRIu64 " recorded", (uint64_t)share->voids,
	     (uint64_t)share->open, (uint64_t)share->messages);
	oracle_window_over(rank);
	if (epoch->at_verdict++ == 0)
		epoch->sum = *share;
	else
		verdict_combine(&epoch->sum, share);
	rank->wait_verdict = true;
	if (epoch->at_verdict == rank->world->ranks)
		wake_all(rank->world);
}

static const char *const order_names[] = {
	"", [WIRE_REQUEST] = "request", [WIRE_ANNOUNCE] = "announce", [WIRE_READY] = "ready", [WIRE_CUT] = "order",
	[WIRE_HASTEN] = "hasten", [WIRE_OUTCOME] = "outcome",
};

/* Whether what is written now fails: by itself, or because the disk is full. */
static bool storage_fails(struct rank *rank)
{
	struct world *world = rank->world;
	if (rank->broken)
		return true;
	if (world->calm)
		return false;
	return chance(world, world->options.fail) || (world->now_ns >= world->full_from_ns && world->now_ns < world->full_to_ns);
}

static void note_announcement(struct rank *rank, const struct snapshot_action *action)
{
	struct wire_announce announce;
	if (wire_kind(action->data.data, action->data.size) == WIRE_ANNOUNCE &&
	    wire_get_announce(action->data.data, action->data.size, &announce))
		note_only(rank, "announces", announce.epoch, NULL, "root %" PRIu32 " want %u", announce.root, announce.want);
}

static void carry_out(struct rank *rank, struct snapshot_action *action)
{
	struct world *world = rank->world;
	struct message *message;
	struct cut *own;
	switch (action->kind) {
	case SNAPSHOT_SEND_ORDER:
		message = net_send(rank, action->peer, LANE_ORDERS, 0);
		note_announcement(rank, action);
		note(rank, order_names[wire_kind(action->data.data, action->data.size)], attempt_of(rank).epoch, NULL, "to %d", action->peer);
		message->data = action->data;
		action->data = (struct bytes_out){0};
		break;
	case SNAPSHOT_CAPTURE:
		own = &world_epoch(world, attempt_of(rank).epoch)->cuts[rank->rank];
		own->app = rank->app;
		if (rank->synchronous_pending || rank->collectives_pending)
			fail(world, "rank %d: a cut with something pending that a restart could not complete", rank->rank);
		own->captured = !rank->broken && (world->calm || !chance(world, world->options.fail));
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_CAPTURED, .failed = !own->captured, .text = "no memory"});
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_CUT_MADE, .held_ns = 1000});
		break;
	case SNAPSHOT_CUT:
		cut(rank);
		break;
	case SNAPSHOT_SEND_MARKER:
		send_marker(rank, action);
		break;
	case SNAPSHOT_ENTER_BARRIER:
		note(rank, "to-barrier", rank->cut_epoch, NULL, "%s", "");
		if (++world_epoch(world, rank->cut_epoch)->at_barrier == world->ranks)
			wake_all(world);
		rank->wait_barrier = true;
		break;
	case SNAPSHOT_FINISH_IMAGE:
		finish_image(rank);
		break;
	case SNAPSHOT_ABANDON_IMAGE:
		rank->wait_image = false;
		drop_copies(rank);
		break;
	case SNAPSHOT_ENTER_VERDICT:
		enter_verdict(rank, action->verdict);
		break;
	case SNAPSHOT_KEEP:
		paths[PATH_KEPT_UNSURE] += !rank->giving;
		copy_of(rank, action->token)->kept = true;
		note(rank, "recorded", rank->cut_epoch, copy_of(rank, action->token)->message, "%s", "late");
		if (is_drill(rank))
			audit_recorded(&rank->audit, copy_of(rank, action->token)->key, copy_of(rank, action->token)->position);
		break;
	case SNAPSHOT_DROP:
		paths[PATH_DROPPED_UNSURE] += !rank->giving;
		note(rank, "dropped", rank->cut_epoch, copy_of(rank, action->token)->message, "%s", "not late");
		copy_of(rank, action->token)->message = NULL;
		break;
	case SNAPSHOT_REBASE:
		rebase(rank);
		break;
	case SNAPSHOT_PUBLISH:
		publish(rank);
		break;
	case SNAPSHOT_ENDED:
		ended(rank);
		break;
	}
}

static void act(struct rank *rank, struct snapshot_actions *actions)
{
	note_doom(rank);
	for (size_t i = 0; i < actions->count; i++)
		carry_out(rank, &actions->list[i]);
	if (actions->failed)
		fail(rank->world, "rank %d: an action was lost", rank->rank);
}

void driver_feed(struct rank *rank, struct snapshot_event event)
{
	struct snapshot_actions actions = {0};
	event.now_ns = rank->world->now_ns;
	event.open = rank->open;
	event.synchronous_pending = rank->synchronous_pending;
	event.collectives_pending = rank->collectives_pending;
	event.undecided = rank->sequence.aside_count;
	for (int i = 0; i < rank->thread_count; i++)
		event.threads_inside += i != rank->thread && rank->threads[i].blocked;
	snapshot_step(rank->snapshot, &event, &actions);
	act(rank, &actions);
	note_standing(rank);
	snapshot_actions_free(&actions);
}

/* --- telling ------------------------------------------------------------------------------------------------------------ */

/* The message behind a taking that comes out of being aside: the simulator looks for it by its turn. */
static void settle(struct rank *rank)
{
	struct taking taking;
	while (position_settle(&rank->sequence, &rank->ledger, &taking)) {
		for (size_t i = 0; i < rank->made_count; i++)
			if (rank->made[i]->kind == REQUEST_RECEIVE && rank->made[i]->told && rank->made[i]->count == taking.turn)
				oracle_position(rank, rank->made[i]->message, taking.position, "settled");
		if (in_window(rank))
			paths[taking.before_cut ? PATH_TOLD_BEFORE : PATH_SETTLED_LATE]++;
		give(rank, &taking, false);
	}
}

static uint64_t key_of(const struct rank *rank, const struct message *message)
{
	return ledger_key((unsigned)rank->comm_index[message->comm], (unsigned)message->source, (unsigned)message->tag);
}

static void learn(struct rank *rank, struct shadow *shadow, const struct message *message)
{
	if (shadow->flags & (SHADOW_ANY_SOURCE | SHADOW_ANY_TAG))
		position_learn(&rank->sequence, &rank->ledger, shadow,
			       ledger_key(ledger_key_comm(shadow->key), (unsigned)message->source, (unsigned)message->tag));
}

void driver_told(struct rank *rank, struct request *request)
{
	note_only(rank, "tells", rank->cut_epoch, request->message, "%" PRIu64, request->handle);
	struct shadow *shadow = shadow_find(&rank->sequence.shadows, request->handle);
	struct taking taking;
	uint64_t token = 0;
	if (shadow->flags & SHADOW_CANCELLING)
		position_not_cancelled(&rank->sequence, shadow);
	learn(rank, shadow, request->message);
	if (snapshot_phase(rank->snapshot) == SNAPSHOT_IDLE &&
	    position_told_in_order(&rank->sequence, ledger_stream(&rank->ledger.seen, shadow->key), shadow->position)) {
		oracle_position(rank, request->message, shadow->position, "told in order");
		shadow_drop(&rank->sequence.shadows, shadow);
		oracle_told(rank, request->message);
		return;
	}
	bool final = position_is_final(&rank->sequence, shadow->key, shadow->turn);
	bool recorded = shadow->flags & SHADOW_RECORDED;
	if (in_window(rank) && !recorded &&
	    (!final || snapshot_place(rank->snapshot, shadow->key, shadow->position) != SNAPSHOT_PLACE_NEW))
		token = copy_message(rank, request->message, shadow->turn);
	bool decided = position_tell(&rank->sequence, &rank->ledger, shadow, token, &taking);
	taking.token = token;
	request->count = shadow->turn;
	shadow_drop(&rank->sequence.shadows, shadow);
	oracle_told(rank, request->message);
	request->told = true;
	if (decided)
		oracle_position(rank, request->message, taking.position, "told");
	paths[PATH_LATE] += token && decided;
	if (decided && !recorded)
		give(rank, &taking, false);
	settle(rank);
}

void driver_told_mail(struct rank *rank, struct request *request)
{
	note_only(rank, "tells-mail", rank->cut_epoch, request->message, "%" PRIu64, request->handle);
	struct shadow *shadow = shadow_find(&rank->sequence.shadows, request->handle);
	struct mail *mail = request->mail;
	paths[PATH_DELIVERED]++;
	oracle_position(rank, request->message, mail->position, "told of mail");
	oracle_told(rank, request->message);
	ledger_stream(&rank->ledger.seen, mail->key)->seen++;
	shadow_drop(&rank->sequence.shadows, shadow);
	mail_free(mail);
	request->mail = NULL;
}

void driver_told_cancelled(struct rank *rank, struct request *request)
{
	struct shadow *shadow = shadow_find(&rank->sequence.shadows, request->handle);
	paths[PATH_CANCELLED]++;
	position_cancelled(&rank->sequence, &rank->ledger, shadow);
	shadow_drop(&rank->sequence.shadows, shadow);
	settle(rank);
}

void driver_told_synchronous(struct rank *rank, struct request *request)
{
	struct shadow *shadow = shadow_find(&rank->sequence.shadows, request->handle);
	merge(rank->clock, request->clock);
	tick(rank);
	if (shadow->position > 0) {
		struct ledger_stream *stream = ledger_stream(&rank->ledger.sent, shadow->key);
		if (shadow->position > stream->high)
			stream->high = shadow->position;
	}
	shadow_drop(&rank->sequence.shadows, shadow);
}

void driver_probed(struct rank *rank, const struct message *message)
{
	int64_t limit;
	if (snapshot_phase(rank->snapshot) != SNAPSHOT_ALERT || rank->open)
		return;
	uint64_t key = key_of(rank, message);
	if (snapshot_limit(rank->snapshot, key, &limit) && ledger_stream(&rank->ledger.seen, key)->total + 1 > limit) {
		note_only(rank, "probes", rank->cut_epoch, message, "%s", "beyond its marker");
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_DOOM, .reason = REASON_ORPHAN, .text = "found by a probe"});
	}
}

/* --- the window ------------------------------------------------------------------------------------------------------------ */

static struct request *request_of(struct rank *rank, uint64_t handle)
{
	return rank->made[handle / 64 - 1];
}

static void scan(struct rank *rank)
{
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&rank->sequence.shadows, shadow));) {
		int64_t limit;
		if (shadow->kind != SHADOW_RECEIVE || (shadow->flags & SHADOW_RECORDED) || !in_window(rank))
			continue;
		struct request *request = request_of(rank, shadow->handle);
		if (!request->done || request->cancelled)
			continue;
		note_only(rank, "learns", rank->cut_epoch, request->message, "%" PRIu64, request->handle);
		learn(rank, shadow, request->message);
		if (!position_is_final(&rank->sequence, shadow->key, shadow->turn))
			continue;
		oracle_position(rank, request->message, shadow->position, "looked at");
		if (!snapshot_limit(rank->snapshot, shadow->key, &limit) || shadow->position > limit)
			continue;
		shadow->flags |= SHADOW_RECORDED;
		note_only(rank, "finds", rank->cut_epoch, request->message, "%" PRIu64, request->handle);
		paths[PATH_LOOKED_AT]++;
		give(rank, &(struct taking){.key = shadow->key, .turn = shadow->turn, .position = shadow->position,
			.token = copy_message(rank, request->message, shadow->turn)}, false);
	}
	settle(rank);
}

static bool is_awaited(struct rank *rank, uint64_t key)
{
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&rank->sequence.shadows, shadow));) {
		if (shadow->kind != SHADOW_RECEIVE || (shadow->flags & (SHADOW_RECORDED | SHADOW_LEARNED)) ||
		    ledger_key_comm(shadow->key) != ledger_key_comm(key))
			continue;
		if (((shadow->flags & SHADOW_ANY_SOURCE) || ledger_key_peer(shadow->key) == ledger_key_peer(key)) &&
		    ((shadow->flags & SHADOW_ANY_TAG) || ledger_key_tag(shadow->key) == ledger_key_tag(key)))
			return true;
	}
	return false;
}

static bool drain_one(struct rank *rank, uint64_t owed)
{
	int comm = comm_number(rank, owed);
	int64_t limit;
	struct message *message = net_probe(rank, comm, (int)ledger_key_peer(owed), ANY);
	if (!message || rank->ledger.comms[ledger_key_comm(owed)].state != LEDGER_COMM_LIVE)
		return false;
	uint64_t key = key_of(rank, message);
	if (!snapshot_owes(rank->snapshot, key, rank->finalizing, &limit) ||
	    ledger_stream(&rank->ledger.seen, key)->total >= limit || is_awaited(rank, key) ||
	    !position_is_final(&rank->sequence, key, rank->sequence.turn + 1))
		return false;
	oracle_drained(rank, message);
	net_take(rank, message);
	paths[PATH_DRAINED]++;
	message->state = MESSAGE_MAILED;
	struct taking taking;
	if (!position_drain(&rank->sequence, &rank->ledger, key, 0, &taking))
		fail(rank->world, "a drained position is not final");
	oracle_position(rank, message, taking.position, "drained");
	struct mail *mail = mail_new(sizeof message);
	memcpy(mail->data, &message, sizeof message);
	mail->key = key;
	mail->source = (uint32_t)message->source;
	mail->tag = (uint32_t)message->tag;
	mail->turn = taking.turn;
	mail->position = taking.position;
	mailbox_put(&rank->mailbox, mail);
	taking.token = copy_message(rank, message, mail->turn);
	note(rank, "drained", rank->cut_epoch, message, "%s", "into the mailbox");
	give(rank, &taking, false);
	return true;
}

static void drain(struct rank *rank, int only)
{
	uint64_t key;
	int64_t limit;
	for (size_t cursor = 0; snapshot_next_owed(rank->snapshot, &cursor, rank->finalizing, &key, &limit);)
		while ((only < 0 || comm_number(rank, key) == only) && drain_one(rank, key))
			;
}

void driver_comm_freeing(struct rank *rank, int comm)
{
	if (in_window(rank)) {
		driver_poll(rank);
		scan(rank);
		drain(rank, comm);
		snapshot_comm_freed(rank->snapshot, rank->comm_index[comm]);
	}
	mailbox_forget(&rank->mailbox, &rank->ledger, (unsigned)rank->comm_index[comm]);
}

/* --- the poll -------------------------------------------------------------------------------------------------------------- */

static void feed_bytes(struct rank *rank, enum snapshot_event_kind kind, int peer, struct bytes_out *data)
{
	driver_feed(rank, (struct snapshot_event){.kind = kind, .peer = peer, .data = data->data, .size = data->size});
	bytes_free(data);
}

static void take_inbox(struct rank *rank)
{
	for (size_t i = 0; i < rank->inbox_count;) {
		struct message *message = rank->inbox[i];
		/* Counts arrive in two parts: their being there, which matches them, and their content. */
		if (message->comm == LANE_MARKERS && message->part == 1 && !message->is_started) {
			message->is_started = true;
			note_only(rank, "counts-here", 0, NULL, "from %d", message->source);
			rank->world->rank[message->source]->markers_out--;
			wake(rank->world->rank[message->source]);
		}
		if (message->comm == LANE_MARKERS && message->part == 1 && !rank->flush &&
		    maybe(rank->world, 50, rank->world->late && !message->has_arrived)) {
			i++;
			continue;
		}
		memmove(&rank->inbox[i], &rank->inbox[i + 1], (rank->inbox_count - i - 1) * sizeof *rank->inbox);
		rank->inbox_count--;
		message->state = MESSAGE_TOLD;
		if (message->comm == LANE_ORDERS) {
			if (wire_kind(message->data.data, message->data.size) == WIRE_REQUEST)
				rank->world->rank[message->source]->request_came = !rank->at_end;
			note_only(rank, "takes", 0, NULL, "%s from %d", order_names[wire_kind(message->data.data, message->data.size)], message->source);
			feed_bytes(rank, SNAPSHOT_ORDER, message->source, &message->data);
		} else if (message->part == 1) {
			note(rank, "marker-counts", attempt_of(rank).epoch, NULL, "from %d", message->source);
			feed_bytes(rank, SNAPSHOT_COUNTS, message->source, &message->data);
		} else {
			struct message *counts = message->part == 2 ? (struct message *)message->sender : NULL;
			note(rank, "marker-head", attempt_of(rank).epoch, NULL, "from %d", message->source);
			paths[PATH_EARLY_HEAD] += snapshot_phase(rank->snapshot) == SNAPSHOT_IDLE;
			feed_bytes(rank, SNAPSHOT_HEAD, message->source, &message->data);
			if (counts) {
				note(rank, "marker-counts", attempt_of(rank).epoch, NULL, "from %d", message->source);
				feed_bytes(rank, SNAPSHOT_COUNTS, message->source, &counts->data);
			}
			free(counts);
		}
	}
}

static void look_at_storage(struct rank *rank)
{
	struct world *world = rank->world;
	bool failed = (rank->wait_image || rank->wait_publish) && storage_fails(rank);
	if (rank->wait_image && world->now_ns >= rank->image_at) {
		rank->wait_image = false;
		world_epoch(world, rank->cut_epoch)->cuts[rank->rank].imaged = !failed;
		note(rank, "image", rank->cut_epoch, NULL, "%s", failed ? "failed" : "durable");
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_IMAGE, .failed = failed, .text = "disk full"});
	}
	if (rank->wait_publish && world->now_ns >= rank->publish_at) {
		rank->wait_publish = false;
		if (!failed) {
			world_epoch(world, rank->cut_epoch)->committed = true;
			oracle_commit(world, rank->cut_epoch);
		}
		note_only(rank, "published", rank->cut_epoch, NULL, "%s", failed ? "failed" : "durable");
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_PUBLISHED, .failed = failed, .text = "disk full"});
	}
}

static void look_at_marks(struct rank *rank)
{
	struct world *world = rank->world;
	if (rank->wait_markers && rank->markers_out == 0) {
		rank->wait_markers = false;
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_MARKERS_SENT});
	}
	if (rank->wait_barrier && world_epoch(world, rank->cut_epoch)->at_barrier == world->ranks &&
	    maybe(world, 50, !world->late || rank->barrier_here)) {
		rank->wait_barrier = rank->barrier_here = false;
		rank->flush = true;
		take_inbox(rank); /* every marker was matched: here they are in full */
		rank->flush = false;
		note(rank, "barrier", rank->cut_epoch, NULL, "%s", "complete");
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_BARRIER});
	}
}

static void look_at_verdict(struct rank *rank)
{
	struct world *world = rank->world;
	struct epoch *epoch = rank->wait_verdict ? world_epoch(world, rank->cut_epoch) : NULL;
	if (!epoch || epoch->at_verdict < world->ranks || maybe(world, 50, world->late && !rank->verdict_here))
		return;
	rank->wait_verdict = rank->verdict_here = false;
	note(rank, "verdict", rank->cut_epoch, NULL, "%s", epoch->sum.open ? "a channel is open" : "");
	struct verdict sum = epoch->sum;
	driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_VERDICT, .verdict = &sum});
	oracle_rebased(rank);
}

void driver_poll(struct rank *rank)
{
	struct world *world = rank->world;
	if (rank->polling)
		return;
	rank->polling = true;
	take_inbox(rank);
	if (rank->want_request) {
		rank->want_request = false;
		rank->request_came = rank->rank == 0 && !rank->at_end;
		note(rank, "asks", rank->cut_epoch, NULL, "%s", "");
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_REQUEST});
	}
	if (rank->rank == 0 && world->drill_pause_ns && !world->drilling && !rank->finalizing &&
	    !world->calm && world->now_ns >= world->next_drill_ns) {
		world->drilling = true;
		world->next_drill_ns = world->now_ns + (int64_t)draw(world, (unsigned)world->drill_pause_ns) + 1;
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_DRILL});
	}
	look_at_marks(rank);
	if (in_window(rank) && !(is_drill(rank) && attempt_of(rank).is_void)) {
		if (maybe(world, 30, world->scanning))
			scan(rank);
		if (rank->finalizing || world->now_ns - attempt_of(rank).cut_ns > world->drain_ns)
			drain(rank, -1);
	}
	look_at_storage(rank);
	look_at_verdict(rank);
	driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_MOMENT});
	rank->polling = false;
}

/* At the beginning of a call: between snapshots seldom, in one always. */
void driver_turn(struct rank *rank)
{
	if (snapshot_phase(rank->snapshot) != SNAPSHOT_IDLE || maybe(rank->world, 30, true))
		driver_poll(rank);
}

void driver_before_telling(struct rank *rank)
{
	if (snapshot_phase(rank->snapshot) != SNAPSHOT_IDLE)
		driver_poll(rank);
}

/* In MPI_Finalize: rank 0 enters the last barrier when it will begin nothing more; the others serve until it is complete. True: this rank may leave. */
bool driver_may_leave(struct rank *rank)
{
	bool quiet = snapshot_is_quiet(rank->snapshot) && !rank->wait_publish;
	if (!rank->at_end && (rank->rank != 0 || quiet)) {
		rank->at_end = true;
		if (++rank->world->at_end == rank->world->ranks)
			wake_all(rank->world);
		if (rank->rank == 0)
			snapshot_begin_no_more(rank->snapshot);
	}
	return rank->world->at_end == rank->world->ranks && quiet;
}
