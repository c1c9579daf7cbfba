/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/snapshot.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mix.h"
#include "base/text.h"
#include "snapshot/own.h"

/* --- making and freeing --------------------------------------------------------------------------------------------- */

struct snapshot *snapshot_new(const struct snapshot_config *config)
{
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);
	if (!snapshot)
		return NULL;
	snapshot->config = *config;
	snapshot->last_step = -1;
	snapshot->lead = 2;
	snapshot->world_lead = 1;
	return snapshot;
}

void snapshot_set_life(struct snapshot *snapshot, const uint8_t run[16], uint32_t life, uint64_t next_number)
{
	memcpy(snapshot->run, run, sizeof snapshot->run);
	snapshot->life = life;
	snapshot->next_number = next_number;
}

void snapshot_begin_no_more(struct snapshot *snapshot)
{
	snapshot->ending = true;
	snapshot->wanted = 0;
}

static void clear_stash(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->stash_count; i++)
		free(snapshot->stash[i].data);
	snapshot->stash_count = 0;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	clear_stash(snapshot);
	free(snapshot->stash);
	channels_free(&snapshot->channels);
	free(snapshot->strangers);
	free(snapshot->unsure);
	free(snapshot->sent.slots);
	window_free(&snapshot->window);
	free(snapshot);
}

/* --- actions -------------------------------------------------------------------------------------------------------- */

void snapshot_actions_clear(struct snapshot_actions *actions)
{
	for (size_t i = 0; i < actions->count; i++) {
		bytes_free(&actions->list[i].data);
		bytes_free(&actions->list[i].counts);
	}
	actions->count = 0;
}

void snapshot_actions_free(struct snapshot_actions *actions)
{
	snapshot_actions_clear(actions);
	free(actions->list);
	*actions = (struct snapshot_actions){0};
}

struct snapshot_action *snapshot_act(struct snapshot *snapshot, enum snapshot_action_kind kind)
{
	static struct snapshot_action lost; /* written when there is no memory; never read */
	struct snapshot_actions *out = snapshot->out;
	struct snapshot_action *list = list_with_room(out->list, out->count, &out->room, sizeof *list);
	if (!list) {
		out->failed = true;
		lost = (struct snapshot_action){.kind = kind};
		return &lost;
	}
	out->list = list;
	struct snapshot_action *action = &out->list[out->count++];
	*action = (struct snapshot_action){.kind = kind};
	return action;
}

/* --- void ----------------------------------------------------------------------------------------------------------- */

static void abandon_image(struct snapshot *snapshot)
{
	if (snapshot->image_abandoned)
		return;
	snapshot->image_abandoned = true;
	/* Their copies go, their places are still to be found: void or not, a channel is closed when all of it is accounted for. */
	for (size_t i = 0; i < snapshot->unsure_count; i++)
		snapshot->unsure[i].taking.token = 0;
	snapshot_act(snapshot, SNAPSHOT_ABANDON_IMAGE);
}

void snapshot_doom(struct snapshot *snapshot, enum reason reason, const char *format, ...)
{
	if (snapshot->phase == SNAPSHOT_IDLE || snapshot->phase == SNAPSHOT_VERDICT_PHASE)
		return;
	/* What makes a checkpoint wrong does not make a drill wrong: only counts that are not to be trusted do, and channels that stay open. */
	if (snapshot_is_drill(snapshot) && reason != REASON_COUNTS && reason != REASON_UNABLE && reason != REASON_COPIES &&
	    reason != REASON_OPEN_CHANNEL)
		return;
	/* An empty snapshot is void from the start, and what it is for can still be done. */
	if (snapshot->reason == REASON_NONE || snapshot->reason == REASON_EMPTY) {
		va_list arguments;
		va_start(arguments, format);
		snapshot->reason = reason;
		text_put_list(snapshot->text, sizeof snapshot->text, format, arguments);
		va_end(arguments);
	}
	snapshot->attempt.is_void = true;
	if (snapshot->phase == SNAPSHOT_WINDOW)
		abandon_image(snapshot);
}

/* A marker says that its sender's cut was void: so is this snapshot, for the sender's reason. */
static void void_elsewhere(struct snapshot *snapshot)
{
	if (snapshot->attempt.want & WANT_EMPTY)
		return;
	snapshot->attempt.is_void = true;
	if (snapshot->phase == SNAPSHOT_WINDOW)
		abandon_image(snapshot);
}

/* --- beginning and end of an attempt ---------------------------------------------------------------------------------- */

void snapshot_join(struct snapshot *snapshot, uint64_t epoch, uint64_t number, uint64_t nonce, uint8_t want)
{
	snapshot->phase = SNAPSHOT_ALERT;
	snapshot->attempt = (struct snapshot_attempt){
		.epoch = epoch, .number = number, .nonce = nonce, .want = want, .cut_step = -1,
		.announced_ns = snapshot->now_ns,
	};
	snapshot->reason = REASON_NONE;
	snapshot->text[0] = 0;
	snapshot->announced = false;
	snapshot->ready_sent = false;
	snapshot->ready_epochs = 0;
	snapshot->ordered = false;
	snapshot->obstructed_ns = 0;
	snapshot->order_step = -1;
	snapshot->order_world = -1;
	snapshot->order_mixed = false;
	snapshot->order_passed_on = false;
	snapshot->head_seen = false;
	snapshot->overshoot = 0;
	channels_clear(&snapshot->channels);
	struct ledger *ledger = snapshot->config.ledger;
	for (size_t i = 0; i < ledger->comm_room; i++)
		ledger->comms[i].ahead = 0;
	window_clear(&snapshot->window);
	snapshot->stranger_count = 0;
	snapshot->unsure_count = 0;
	snapshot->unsure_left = 0;
	snapshot->markers_missing = snapshot->config.ranks - 1;
	snapshot->markers_sent = false;
	snapshot->barrier_entered = false;
	snapshot->finishing = false;
	snapshot->image_done = false;
	snapshot->image_abandoned = false;
	snapshot->share = (struct verdict){.step = -1, .step_least = INT64_MIN, .reason_rank = INT32_MAX};
	/* Cuts that lie apart: a few ranks at once, others some or many calls later. */
	uint64_t drawn = mix64_pair(nonce, (uint64_t)snapshot->config.rank);
	snapshot->drill_delay = (uint32_t)((drawn >> 8) % (UINT64_C(1) << (drawn % 8)));
	if (want & WANT_EMPTY)
		snapshot_doom(snapshot, REASON_EMPTY, "%s", "");
}

void snapshot_end(struct snapshot *snapshot, bool committed, enum reason reason, const char *text)
{
	struct snapshot_outcome *outcome = &snapshot->outcome;
	snapshot->awaiting = false;
	outcome->epoch = snapshot->attempt.epoch;
	outcome->number = snapshot->attempt.number;
	outcome->want = snapshot->attempt.want;
	outcome->committed = committed;
	outcome->reason = committed ? REASON_NONE : reason;
	text_put(outcome->text, sizeof outcome->text, "%s", text);
	outcome->announced_ns = snapshot->attempt.announced_ns;
	outcome->ended_ns = snapshot->now_ns;
	if (!(outcome->want & (WANT_EMPTY | WANT_DRILL)))
		snapshot->asked = false;
	if (committed && (outcome->want & WANT_STOP))
		snapshot->stopping = true;
	if (snapshot->config.rank == 0)
		start_learn(snapshot, outcome);
	snapshot_act(snapshot, SNAPSHOT_ENDED);
}

static void enter_verdict(struct snapshot *snapshot)
{
	struct verdict *share = &snapshot->share;
	share->voids = snapshot->attempt.is_void;
	share->open = !places_closed(snapshot);
	share->overshoot = snapshot->overshoot;
	if (snapshot->reason != REASON_NONE) {
		share->reason_rank = snapshot->config.rank;
		share->reason = (int32_t)snapshot->reason;
		memcpy(share->text, snapshot->text, sizeof share->text);
	}
	for (size_t i = 0; i < snapshot->window.count; i++) {
		const struct window_stream *stream = &snapshot->window.streams[i];
		share->messages += (uint64_t)stream->recorded;
		share->abandoned += (uint64_t)window_lost(stream);
		share->orphans += (uint64_t)stream->orphans;
	}
	snapshot->phase = SNAPSHOT_VERDICT_PHASE;
	snapshot_act(snapshot, SNAPSHOT_ENTER_VERDICT)->verdict = share;
}

/* After the cut: what follows when nothing else happens. */
static void go_on(struct snapshot *snapshot)
{
	bool empty = snapshot->attempt.want & WANT_EMPTY;
	if (snapshot->markers_sent && !snapshot->barrier_entered) {
		snapshot->barrier_entered = true;
		snapshot_act(snapshot, SNAPSHOT_ENTER_BARRIER);
	}
	bool closed = places_closed(snapshot);
	if (closed && !snapshot->attempt.is_void && !snapshot->finishing) {
		snapshot->finishing = true;
		snapshot_act(snapshot, SNAPSHOT_FINISH_IMAGE);
	}
	if (!snapshot->attempt.barrier_done)
		return;
	if (!closed && snapshot->now_ns - snapshot->barrier_ns > snapshot_time_allowed(snapshot)) {
		char owed[160];
		places_describe_open(snapshot, owed, sizeof owed);
		snapshot_doom(snapshot, REASON_OPEN_CHANNEL, "%s", owed);
		empty = false;
	}
	/* What a marker names and this rank has not made it cannot make any more. */
	if (!closed && snapshot->finalizing && snapshot->stranger_count > 0) {
		snapshot_doom(snapshot, REASON_OPEN_CHANNEL, "rank %d is in MPI_Finalize, and was sent messages on a communicator that "
			      "it has not made", (int)snapshot->config.rank);
		empty = false;
	}
	bool given_up = snapshot->attempt.is_void && !empty;
	if (given_up || (closed && (empty || snapshot->image_done)))
		enter_verdict(snapshot);
}

/* What is wrong that no rank could see by itself. */
static enum reason wrong_together(const struct verdict *sum)
{
	if (sum->collectives != 0)
		return REASON_COLLECTIVES;
	/* Markers compare the steps of two ranks, and not all send each other some. */
	if (sum->step_least != INT64_MIN && sum->step != -sum->step_least)
		return REASON_UNEQUAL_STEPS;
	return REASON_NONE;
}

static void verdict(struct snapshot *snapshot, const struct verdict *sum)
{
	enum reason reason = sum->reason_rank == INT32_MAX ? wrong_together(sum) : (enum reason)sum->reason;
	bool good = sum->voids == 0 && sum->open == 0 && reason == REASON_NONE;
	snapshot->phase = SNAPSHOT_IDLE;
	snapshot->outcome.verdict = *sum;
	snapshot->outcome.reason_rank = sum->reason_rank;
	snapshot->moved = sum->open == 0;
	if (snapshot->moved)
		snapshot_act(snapshot, SNAPSHOT_REBASE);
	if (snapshot_is_drill(snapshot)) {
		abandon_image(snapshot);
		snapshot_end(snapshot, false, sum->reason_rank == INT32_MAX ? REASON_NONE : (enum reason)sum->reason, sum->text);
		return;
	}
	if (!good) {
		abandon_image(snapshot);
		snapshot_end(snapshot, false, reason, sum->text);
		return;
	}
	snapshot->awaiting = true;
	if (snapshot->config.rank == 0)
		snapshot_act(snapshot, SNAPSHOT_PUBLISH)->verdict = &snapshot->outcome.verdict;
	else if (snapshot->early.epoch == snapshot->attempt.epoch)
		wave_outcome(snapshot, &(struct wire_outcome){0});
}

/* rank 0: the manifest is in place, or is not. */
static void published(struct snapshot *snapshot, const struct snapshot_event *event)
{
	struct wire_outcome outcome = {.epoch = snapshot->attempt.epoch, .committed = !event->failed};
	if (event->failed) {
		outcome.reason = event->reason ? (uint8_t)event->reason : REASON_MANIFEST;
		text_put(outcome.text, sizeof outcome.text, "%s", event->text ? event->text : "");
		abandon_image(snapshot);
	}
	snapshot->told = outcome;
	wave_outcome(snapshot, &outcome);
}

/* --- the entry ------------------------------------------------------------------------------------------------------ */

void snapshot_stash(struct snapshot *snapshot, enum snapshot_event_kind kind, int32_t peer, const void *data, size_t size)
{
	struct stashed *stash = list_with_room(snapshot->stash, snapshot->stash_count, &snapshot->stash_room, sizeof *stash);
	if (!stash) {
		snapshot->out->failed = true;
		return;
	}
	snapshot->stash = stash;
	void *copy = malloc(size ? size : 1);
	if (!copy) {
		snapshot->out->failed = true;
		return;
	}
	memcpy(copy, data, size);
	snapshot->stash[snapshot->stash_count++] = (struct stashed){kind, peer, copy, size};
}

static void take_message(struct snapshot *snapshot, enum snapshot_event_kind kind, int32_t peer, const void *data, size_t size)
{
	if (kind == SNAPSHOT_ORDER)
		wave_order(snapshot, peer, data, size);
	else if (kind == SNAPSHOT_HEAD)
		places_head(snapshot, peer, data, size);
	else
		places_counts(snapshot, peer, data, size);
	const struct channel *channel = snapshot->phase != SNAPSHOT_IDLE ? channels_find(&snapshot->channels, peer) : NULL;
	if (channel && channel->marker != MARKER_NONE && channel->head.is_void)
		void_elsewhere(snapshot);
}

/* What came too early is taken again, in its order; what is still too early is kept again. */
static void take_stashed(struct snapshot *snapshot)
{
	size_t count = snapshot->stash_count;
	for (size_t i = 0; i < count; i++) {
		struct stashed stashed = snapshot->stash[i];
		snapshot->stash[i].data = NULL;
		take_message(snapshot, stashed.kind, stashed.peer, stashed.data, stashed.size);
		free(stashed.data);
	}
	memmove(snapshot->stash, snapshot->stash + count, (snapshot->stash_count - count) * sizeof *snapshot->stash);
	snapshot->stash_count -= count;
}

static void safepoint(struct snapshot *snapshot, int64_t step)
{
	snapshot->kind = step >= 0 ? SNAPSHOT_KIND_STEP : SNAPSHOT_KIND_EVENT;
	if (snapshot->last_safepoint_ns != 0 && snapshot->now_ns - snapshot->last_safepoint_ns > snapshot->longest_gap_ns)
		snapshot->longest_gap_ns = snapshot->now_ns - snapshot->last_safepoint_ns;
	snapshot->last_safepoint_ns = snapshot->now_ns;
	cut_note_safepoint(snapshot);
	snapshot->last_step = step;
}

static void react(struct snapshot *snapshot, const struct snapshot_event *event)
{
	switch (event->kind) {
	case SNAPSHOT_MOMENT:
		break;
	case SNAPSHOT_SAFEPOINT:
		safepoint(snapshot, event->step);
		break;
	case SNAPSHOT_REQUEST:
		start_request(snapshot, event->want, snapshot->config.rank);
		break;
	case SNAPSHOT_ORDER:
	case SNAPSHOT_HEAD:
	case SNAPSHOT_COUNTS:
		take_message(snapshot, event->kind, event->peer, event->data, event->size);
		break;
	case SNAPSHOT_CAPTURED:
		if (event->failed)
			snapshot_doom(snapshot, event->reason ? event->reason : REASON_CAPTURE, "%s", event->text);
		cut_finish(snapshot);
		break;
	case SNAPSHOT_CUT_MADE:
		snapshot->share.held_ns = event->held_ns;
		break;
	case SNAPSHOT_MARKERS_SENT:
		snapshot->markers_sent = true;
		break;
	case SNAPSHOT_BARRIER:
		snapshot->attempt.barrier_done = true;
		snapshot->barrier_ns = snapshot->now_ns;
		places_absent(snapshot);
		break;
	case SNAPSHOT_IMAGE:
		snapshot->image_done = true;
		snapshot->share.image_bytes = event->bytes;
		snapshot->share.referred_bytes = event->referred_bytes;
		snapshot->share.parents = event->parents;
		snapshot->share.tables = event->table_hash;
		snapshot->share.message_bytes = event->message_bytes;
		if (event->failed)
			snapshot_doom(snapshot, event->reason ? event->reason : REASON_IMAGE, "%s", event->text);
		break;
	case SNAPSHOT_VERDICT:
		verdict(snapshot, event->verdict);
		break;
	case SNAPSHOT_PUBLISHED:
		published(snapshot, event);
		break;
	case SNAPSHOT_DOOM:
		snapshot_doom(snapshot, event->reason, "%s", event->text);
		break;
	case SNAPSHOT_FINALIZE:
		snapshot->finalizing = true;
		break;
	case SNAPSHOT_ENTER:
		safepoint(snapshot, event->step);
		snapshot->here = true;
		snapshot->here_step = event->step;
		snapshot->here_done = false;
		break;
	case SNAPSHOT_LEAVE:
		snapshot->here = false;
		break;
	}
}

void snapshot_step(struct snapshot *snapshot, const struct snapshot_event *event, struct snapshot_actions *actions)
{
	snapshot->now_ns = event->now_ns;
	snapshot->open = event->open;
	snapshot->synchronous_pending = event->synchronous_pending;
	snapshot->collectives_pending = event->collectives_pending;
	snapshot->epoch_open = event->epoch_open;
	snapshot->epochs_over = event->epochs_over;
	snapshot->epoch_unsettled = event->epoch_unsettled;
	snapshot->threads_inside = event->threads_inside;
	snapshot->undecided = event->undecided;
	snapshot->writer_busy = event->writer_busy;
	snapshot->moment = event->kind == SNAPSHOT_MOMENT;
	snapshot->out = actions;
	/* In any phase: the announcement may have begun the attempt that a marker waits for here. */
	if (snapshot->stash_count != 0)
		take_stashed(snapshot);
	react(snapshot, event);
	wave_go_on(snapshot);
	if (snapshot->phase == SNAPSHOT_ALERT) {
		cut_consider(snapshot, event->kind == SNAPSHOT_SAFEPOINT);
	} else if (snapshot->phase == SNAPSHOT_WINDOW) {
		go_on(snapshot);
	}
	if (snapshot->phase == SNAPSHOT_IDLE && event->kind == SNAPSHOT_MOMENT)
		start_reset_if_due(snapshot);
	/* Not in the step that ended an attempt: its actions, the moving of the base among them, come first. */
	if (snapshot->config.rank == 0 && event->kind == SNAPSHOT_MOMENT)
		start_if_due(snapshot);
	snapshot->out = NULL;
	snapshot->epoch_open = NULL;
}

/* --- where it stands ------------------------------------------------------------------------------------------------ */

int64_t snapshot_time_allowed(const struct snapshot *snapshot)
{
	int64_t gaps = snapshot->longest_gap_ns * 10;
	if (snapshot_is_drill(snapshot))
		return snapshot->config.drill_timeout_ns;
	return gaps > snapshot->config.timeout_ns ? gaps : snapshot->config.timeout_ns;
}

enum snapshot_phase snapshot_phase(const struct snapshot *snapshot)
{
	return snapshot->phase;
}

bool snapshot_has_cut(const struct snapshot *snapshot, int32_t rank)
{
	const struct channel *channel = channels_find(&snapshot->channels, rank);
	return snapshot->attempt.barrier_done || (channel && channel->marker != MARKER_NONE);
}

void snapshot_attempt(const struct snapshot *snapshot, struct snapshot_attempt *attempt)
{
	*attempt = snapshot->attempt;
}

enum reason snapshot_reason(const struct snapshot *snapshot)
{
	return snapshot->reason;
}

const char *snapshot_reason_detail(const struct snapshot *snapshot)
{
	return snapshot->text;
}

const struct snapshot_outcome *snapshot_outcome(const struct snapshot *snapshot)
{
	return &snapshot->outcome;
}

bool snapshot_awaits_outcome(const struct snapshot *snapshot)
{
	return snapshot->awaiting;
}

bool snapshot_is_quiet(const struct snapshot *snapshot)
{
	return snapshot->phase == SNAPSHOT_IDLE && !snapshot->awaiting && !snapshot->under_way && snapshot->wanted == 0 &&
	       snapshot->stash_count == 0;
}

bool snapshot_is_wanted(const struct snapshot *snapshot)
{
	return snapshot->asked || (snapshot->wanted & (WANT_REQUEST | WANT_STOP | WANT_COLLECTIVE)) != 0;
}

bool snapshot_last_safepoint(const struct snapshot *snapshot, int64_t *step, int64_t *ns)
{
	*step = snapshot->last_step;
	*ns = snapshot->last_safepoint_ns;
	return snapshot->last_safepoint_ns != 0;
}

bool snapshot_stopping(const struct snapshot *snapshot)
{
	return snapshot->stopping;
}

bool snapshot_stop_known(const struct snapshot *snapshot)
{
	bool under_way = snapshot->phase != SNAPSHOT_IDLE || snapshot->awaiting;
	return snapshot->stopping || (under_way && (snapshot->attempt.want & WANT_STOP));
}
