/* SPDX-License-Identifier: BSD-3-Clause */
/* The waves: announcement and order down a binomial tree rooted at the initiator, readiness up; the outcome down the tree of
 * rank 0. Nobody waits: a rank answers when it next calls MPI or a safepoint. */
#include <string.h>

#include "snapshot/own.h"

/* --- the tree ------------------------------------------------------------------------------------------------------- */

static int32_t from_root(const struct snapshot *snapshot, int32_t root, int32_t rank)
{
	return (rank - root + snapshot->config.ranks) % snapshot->config.ranks;
}

static int32_t parent_of(const struct snapshot *snapshot, int32_t root)
{
	int32_t place = from_root(snapshot, root, snapshot->config.rank);
	return ((place & (place - 1)) + root) % snapshot->config.ranks;
}

/* Walks this rank's children, those with the most ranks below them first: *below starts at 0, and is that number at most. -1: no more. */
static int32_t next_child(const struct snapshot *snapshot, int32_t root, int32_t *below)
{
	int32_t place = from_root(snapshot, root, snapshot->config.rank), ranks = snapshot->config.ranks;
	if (*below == 0)
		for (*below = 1; *below < ranks && !(place & *below);)
			*below *= 2;
	while (*below > 1) {
		*below /= 2;
		if ((place | *below) < ranks)
			return ((place | *below) + root) % ranks;
	}
	return -1;
}

void wave_send(struct snapshot *snapshot, int32_t to, struct bytes_out *data)
{
	struct snapshot_action *action = snapshot_act(snapshot, SNAPSHOT_SEND_ORDER);
	action->peer = to;
	action->data = *data;
	if (data->failed)
		snapshot->out->failed = true;
}

static int32_t root_of(const struct snapshot *snapshot)
{
	return (int32_t)snapshot->announce.root;
}

/* --- announcement and readiness -------------------------------------------------------------------------------------- */

void wave_announce(struct snapshot *snapshot, const struct wire_announce *announce)
{
	bool joined = announce->epoch == snapshot->attempt.epoch && snapshot->phase != SNAPSHOT_IDLE;
	if (announce->epoch <= snapshot->attempt.epoch && (!joined || snapshot->announced))
		return;
	if (!joined) {
		if (snapshot->awaiting && announce->last.epoch == snapshot->attempt.epoch)
			wave_outcome(snapshot, &announce->last);
		snapshot_join(snapshot, announce->epoch, announce->number, announce->nonce, announce->want);
	}
	snapshot->announced = true;
	snapshot->announce = *announce;
	memcpy(snapshot->attempt.run, announce->run, sizeof announce->run);
	snapshot->attempt.life = announce->life;
	snapshot->step_at_announce = snapshot->last_step;
	snapshot->ready = (struct wire_ready){.epoch = announce->epoch, .step = -1};
	snapshot->ready_missing = 0;
	snapshot->ready_ranks = 0;
	int32_t below = 0;
	for (int32_t child; (child = next_child(snapshot, root_of(snapshot), &below)) >= 0;) {
		struct bytes_out data = {0};
		wire_put_announce(&data, announce);
		wave_send(snapshot, child, &data);
		snapshot->ready_missing++;
	}
}

static void gather(struct snapshot *snapshot, const struct wire_ready *ready)
{
	struct wire_ready *sum = &snapshot->ready;
	if (ready->step > sum->step)
		sum->step = ready->step;
	if (ready->world > sum->world)
		sum->world = ready->world;
	sum->kinds |= ready->kinds;
}

static void send_order(struct snapshot *snapshot, const struct wire_cut *cut)
{
	int32_t below = 0;
	for (int32_t child; (child = next_child(snapshot, root_of(snapshot), &below)) >= 0;) {
		struct bytes_out data = {0};
		wire_put_cut(&data, cut);
		wave_send(snapshot, child, &data);
	}
	snapshot->order_passed_on = true;
	cut_order(snapshot, cut->step, cut->world, cut->mixed);
}

/* The step to order: beyond the highest that a rank had reached, by what the initiator did meanwhile, and by the lead. */
static int64_t step_to_order(const struct snapshot *snapshot, bool regular)
{
	int64_t highest = snapshot->ready.step > snapshot->last_step ? snapshot->ready.step : snapshot->last_step;
	int64_t meanwhile = snapshot->kind == SNAPSHOT_KIND_STEP ? snapshot->last_step - snapshot->step_at_announce : 0;
	int64_t step = highest + meanwhile + snapshot->announce.lead;
	int64_t every = regular ? snapshot->announce.every : 0;
	return every > 0 ? (step + every - 1) / every * every : step;
}

/* The initiator: everybody has answered. */
static void give_order(struct snapshot *snapshot)
{
	struct wire_cut cut = {.epoch = snapshot->attempt.epoch, .step = -1, .world = -1};
	uint8_t kinds = snapshot->ready.kinds;
	if (snapshot->attempt.want & WANT_COLLECTIVE)
		cut.step = snapshot->here ? snapshot->here_step : -1;
	else if ((kinds & SNAPSHOT_KIND_STEP) && !snapshot_is_drill(snapshot))
		cut.step = step_to_order(snapshot, true);
	if (snapshot->announce.world_lead > 0)
		cut.world = (int64_t)snapshot->ready.world + snapshot->announce.world_lead;
	cut.mixed = (kinds & SNAPSHOT_KIND_STEP) && (kinds & SNAPSHOT_KIND_EVENT);
	send_order(snapshot, &cut);
}

/* Whether this rank's answer is to come later. A rank that has cut (void) has nothing to wait for, and others wait for it; and what kind of program
 * this is must be known some time. */
static bool is_not_ready(const struct snapshot *snapshot)
{
	if (snapshot->phase != SNAPSHOT_ALERT || snapshot->finalizing ||
	    snapshot_is_drill(snapshot) || snapshot->now_ns - snapshot->attempt.announced_ns > snapshot_time_allowed(snapshot))
		return false;
	/* What kind of program this is, and how far, is known from the first safepoint on; ranks that will meet in seamark_checkpoint answer from there. */
	return snapshot->kind == SNAPSHOT_KIND_NONE || snapshot->writer_busy || ((snapshot->attempt.want & WANT_COLLECTIVE) && !snapshot->here);
}

void wave_go_on(struct snapshot *snapshot)
{
	if (!snapshot->announced || snapshot->ready_sent || snapshot->ready_missing != 0 || snapshot->phase == SNAPSHOT_IDLE)
		return;
	if (snapshot->attempt.want & WANT_EMPTY)
		return; /* void cuts need no order */
	if (is_not_ready(snapshot))
		return;
	snapshot->ready_sent = true;
	snapshot->ready_epochs = snapshot->epochs_over;
	gather(snapshot, &(struct wire_ready){
		.step = snapshot->kind == SNAPSHOT_KIND_STEP ? snapshot->last_step : -1,
		.world = snapshot->config.ledger->comms[snapshot->config.world].begun,
		.kinds = (uint8_t)(snapshot->kind | (snapshot->finalizing ? 0 : READY_RUNNING)),
	});
	if (snapshot->config.rank == root_of(snapshot)) {
		give_order(snapshot);
		return;
	}
	struct bytes_out data = {0};
	wire_put_ready(&data, &snapshot->ready);
	wave_send(snapshot, parent_of(snapshot, root_of(snapshot)), &data);
}

bool snapshot_all_finalizing(const struct snapshot *snapshot)
{
	return snapshot->announced && snapshot->ready_sent && root_of(snapshot) == snapshot->config.rank &&
	       !(snapshot->ready.kinds & READY_RUNNING);
}

/* --- the order ------------------------------------------------------------------------------------------------------ */

static void pass_on(struct snapshot *snapshot, const struct wire_cut *cut)
{
	bool nearer = cut->step >= 0 && cut->step < snapshot->order_step;
	if (snapshot->order_passed_on && !nearer)
		return;
	send_order(snapshot, cut);
}

/* The ordered step is far, and somebody would rather not wait: the initiator names a nearer one. */
static void hasten(struct snapshot *snapshot)
{
	if (snapshot->phase != SNAPSHOT_ALERT)
		return;
	if (!snapshot->order_passed_on)
		snapshot->announce.every = 0; /* the order is still to come, and is to be a near one */
	if (!snapshot->order_passed_on || snapshot->order_step < 0)
		return;
	struct wire_cut cut = {.epoch = snapshot->attempt.epoch, .world = snapshot->order_world, .mixed = snapshot->order_mixed};
	cut.step = step_to_order(snapshot, false);
	pass_on(snapshot, &cut);
}

void wave_hasten(struct snapshot *snapshot)
{
	if (snapshot->phase != SNAPSHOT_ALERT || !snapshot->announced)
		return;
	if (root_of(snapshot) == snapshot->config.rank) {
		hasten(snapshot);
		return;
	}
	struct bytes_out data = {0};
	wire_put_hasten(&data, &(struct wire_hasten){.epoch = snapshot->attempt.epoch});
	wave_send(snapshot, root_of(snapshot), &data);
}

/* --- the outcome ---------------------------------------------------------------------------------------------------- */

void wave_outcome(struct snapshot *snapshot, const struct wire_outcome *outcome)
{
	if (outcome->epoch != 0)
		snapshot->early = *outcome;
	if (!snapshot->awaiting || snapshot->early.epoch != snapshot->attempt.epoch)
		return; /* known already, or the verdict has not been noticed here yet */
	const struct wire_outcome *known = &snapshot->early;
	int32_t below = 0;
	for (int32_t child; (child = next_child(snapshot, 0, &below)) >= 0;) {
		struct bytes_out data = {0};
		wire_put_outcome(&data, known);
		wave_send(snapshot, child, &data);
	}
	if (!known->committed && snapshot->config.rank != 0)
		snapshot_act(snapshot, SNAPSHOT_ABANDON_IMAGE);
	snapshot->outcome.reason_rank = 0;
	snapshot_end(snapshot, known->committed, (enum reason)known->reason, known->text);
}

/* --- dispatch -------------------------------------------------------------------------------------------------------- */

static void announced(struct snapshot *snapshot, int32_t from, const void *data, size_t size)
{
	struct wire_announce announce;
	if (!wire_get_announce(data, size, &announce))
		return;
	bool later = announce.epoch > snapshot->attempt.epoch;
	if (later && snapshot->phase != SNAPSHOT_IDLE) {
		snapshot_stash(snapshot, SNAPSHOT_ORDER, from, data, size);
	} else {
		wave_announce(snapshot, &announce);
		wave_go_on(snapshot);
	}
}

/* A child of the tree, and those below it. */
static int32_t ranks_from(const struct snapshot *snapshot, int32_t child)
{
	int32_t place = from_root(snapshot, root_of(snapshot), child), most = place & -place, left = snapshot->config.ranks - place;
	return most < left ? most : left;
}

static void answered(struct snapshot *snapshot, int32_t from, const void *data, size_t size)
{
	struct wire_ready ready;
	if (!wire_get_ready(data, size, &ready) || ready.epoch != snapshot->attempt.epoch || !snapshot->announced)
		return;
	gather(snapshot, &ready);
	snapshot->ready_missing--;
	snapshot->ready_ranks += ranks_from(snapshot, from);
	wave_go_on(snapshot);
}

static void ordered(struct snapshot *snapshot, int32_t from, const void *data, size_t size)
{
	struct wire_cut cut;
	if (!wire_get_cut(data, size, &cut))
		return;
	if (cut.epoch > snapshot->attempt.epoch)
		snapshot_stash(snapshot, SNAPSHOT_ORDER, from, data, size);
	else if (cut.epoch == snapshot->attempt.epoch && snapshot->announced && snapshot->phase != SNAPSHOT_IDLE)
		pass_on(snapshot, &cut);
}

void wave_order(struct snapshot *snapshot, int32_t from, const void *data, size_t size)
{
	struct wire_request request;
	struct wire_hasten hasten_order;
	struct wire_outcome outcome;
	switch (wire_kind(data, size)) {
	case WIRE_REQUEST:
		if (wire_get_request(data, size, &request) && snapshot->config.rank == 0)
			start_request(snapshot, request.want, from);
		break;
	case WIRE_ANNOUNCE:
		announced(snapshot, from, data, size);
		break;
	case WIRE_READY:
		answered(snapshot, from, data, size);
		break;
	case WIRE_CUT:
		ordered(snapshot, from, data, size);
		break;
	case WIRE_HASTEN:
		if (wire_get_hasten(data, size, &hasten_order) && hasten_order.epoch == snapshot->attempt.epoch)
			hasten(snapshot);
		break;
	case WIRE_OUTCOME:
		if (wire_get_outcome(data, size, &outcome))
			wave_outcome(snapshot, &outcome);
		break;
	default:
		break;
	}
}
