/* SPDX-License-Identifier: BSD-3-Clause */
/* Rank 0 starts attempts, one at a time: requests of any rank, step intervals, the clock; and tries again what was void for a
 * matter of timing, soon and then less often. */
#include <string.h>

#include "base/mix.h"
#include "snapshot/own.h"

enum {
	LEAD_LEAST = 2,
	LEAD_MOST = 1 << 16,
	RESIGN_AFTER = 8,           /* voids in a row for the same reason */
	PAUSE_DOUBLINGS = 10
};

#define TURN_NS 1000 /* between two ranks that would ask for the same */
#define PAUSE_FIRST_NS INT64_C(1000000) /* between the second and the third attempt; the second follows at once */

static void want(struct snapshot *snapshot, uint8_t what, int32_t by)
{
	if (what == WANT_DRILL) {
		snapshot->wanted |= what; /* who initiates it is drawn */
		return;
	}
	/* When several asked, rank 0 is the initiator. */
	if (!(snapshot->wanted & (WANT_REQUEST | WANT_STOP | WANT_COLLECTIVE)))
		snapshot->wanted_by = by;
	else if (snapshot->wanted_by != by)
		snapshot->wanted_by = 0;
	if (what & (WANT_INTERVAL | WANT_EMPTY | WANT_COLLECTIVE))
		snapshot->wanted_by = 0;
	snapshot->wanted |= what;
}

int64_t snapshot_turn_ns(const struct snapshot *snapshot)
{
	uint64_t place = mix64((uint64_t)snapshot->config.rank) % (uint64_t)snapshot->config.ranks;
	return snapshot->config.rank == 0 ? 0 : (int64_t)place * TURN_NS;
}

void start_request(struct snapshot *snapshot, uint8_t what, int32_t by)
{
	if (by == snapshot->config.rank && !(what & (WANT_EMPTY | WANT_DRILL)))
		snapshot->asked = true;
	if (snapshot->config.rank != 0) {
		struct bytes_out data = {0};
		wire_put_request(&data, &(struct wire_request){.want = what});
		wave_send(snapshot, 0, &data);
		return;
	}
	/* One stop is enough: a signal reaches every rank. */
	if ((what & WANT_STOP) && (snapshot->stopping || (snapshot->wanted & WANT_STOP) ||
				   (snapshot->under_way && (snapshot->begun & WANT_STOP))))
		return;
	/* A plain request that comes before rank 0's cut is one with what is under way. */
	bool joins = what == WANT_REQUEST && snapshot->under_way && snapshot->phase <= SNAPSHOT_ALERT &&
		     !snapshot->awaiting && !(snapshot->begun & (WANT_EMPTY | WANT_DRILL));
	if (joins)
		wave_hasten(snapshot);
	else
		want(snapshot, what, by);
}

/* Any rank: a ledger that has grown past its bound is reset by an empty snapshot. The next may follow soon, since communicators that were freed stay through one;
 * if that does not help, because the program really has so many streams, it is tried less and less often. */
void start_reset_if_due(struct snapshot *snapshot)
{
	if (likely(ledger_weight(snapshot->config.ledger) <= snapshot->config.ledger_bound)) {
		snapshot->resets = 0;
		snapshot->heavy = false;
		return;
	}
	/* The ranks of a program often come to the bound together. */
	int64_t turn_ns = snapshot_turn_ns(snapshot);
	if (!snapshot->heavy && snapshot->next_reset_ns < snapshot->now_ns + turn_ns)
		snapshot->next_reset_ns = snapshot->now_ns + turn_ns;
	snapshot->heavy = true;
	if (snapshot->finalizing || snapshot->now_ns < snapshot->next_reset_ns)
		return;
	snapshot->next_reset_ns = snapshot->now_ns + (PAUSE_FIRST_NS << snapshot->resets) + turn_ns;
	if (snapshot->resets < PAUSE_DOUBLINGS)
		snapshot->resets++;
	start_request(snapshot, WANT_EMPTY, snapshot->config.rank);
}

/* Step intervals: an attempt is announced two leads before the multiple. */
static void look_at_steps(struct snapshot *snapshot)
{
	int64_t every = snapshot->config.every_steps;
	if (every == 0 || snapshot->kind != SNAPSHOT_KIND_STEP)
		return;
	int64_t multiple = (snapshot->last_step / every + 1) * every;
	if (multiple == snapshot->last_multiple || multiple - snapshot->last_step > 2 * snapshot->lead)
		return;
	snapshot->last_multiple = multiple;
	want(snapshot, WANT_INTERVAL, 0);
}

static void look_at_clock(struct snapshot *snapshot)
{
	int64_t every = snapshot->config.every_ns;
	/* The clock starts with the first safepoint: before it nobody could cut. */
	if (every == 0 || snapshot->kind == SNAPSHOT_KIND_NONE)
		return;
	if (snapshot->clock_ns == 0)
		snapshot->clock_ns = snapshot->now_ns;
	if (snapshot->now_ns - snapshot->clock_ns < every)
		return;
	snapshot->clock_ns = snapshot->now_ns;
	want(snapshot, WANT_INTERVAL, 0);
}

void snapshot_set_clock(struct snapshot *snapshot, int64_t every_ns, int64_t from_ns)
{
	snapshot->config.every_ns = every_ns;
	if (from_ns > snapshot->clock_ns)
		snapshot->clock_ns = from_ns;
}

static void begin(struct snapshot *snapshot, uint8_t what)
{
	struct wire_announce announce = {
		.epoch = snapshot->attempt.epoch + 1,
		.want = what,
		.root = (uint32_t)snapshot->wanted_by,
		.lead = snapshot->lead,
		/* Those who meet in seamark_checkpoint begin no collective more before their cuts. */
		.world_lead = snapshot->guided && !(what & WANT_COLLECTIVE) ? snapshot->world_lead : 0,
		.last = snapshot->told,
	};
	/* Counts are reset by a snapshot of their own, which takes no number. */
	if ((announce.want & WANT_EMPTY) && announce.want != WANT_EMPTY)
		announce.want &= (uint8_t)~WANT_EMPTY;
	if (!(announce.want & (WANT_EMPTY | WANT_DRILL)))
		announce.number = snapshot->next_number++;
	if (announce.want == WANT_INTERVAL)
		announce.every = snapshot->config.every_steps;
	memcpy(announce.run, snapshot->run, sizeof announce.run);
	announce.life = snapshot->life;
	announce.nonce = mix64_pair(what == WANT_DRILL ? snapshot->config.drill_seed : snapshot->config.seed, announce.epoch);
	/* Whoever it is, the waves come through; at the end rank 0 wants to know from all of them where they are. */
	if (announce.want & WANT_DRILL)
		announce.root = snapshot->finalizing ? 0 : (uint32_t)(announce.nonce % (uint32_t)snapshot->config.ranks);
	snapshot->wanted &= (uint8_t)~announce.want;
	snapshot->under_way = true;
	snapshot->begun = announce.want;
	snapshot->attempts++;
	if (announce.root == 0) {
		wave_announce(snapshot, &announce);
		wave_go_on(snapshot);
		cut_consider(snapshot, false);
		return;
	}
	struct bytes_out data = {0};
	wire_put_announce(&data, &announce);
	wave_send(snapshot, (int32_t)announce.root, &data);
}

void start_if_due(struct snapshot *snapshot)
{
	if (snapshot->ending) {
		snapshot->wanted = 0;
	} else if (snapshot->finalizing && snapshot->life == 0) {
		snapshot->wanted &= WANT_DRILL;
	} else if (!snapshot->finalizing) {
		look_at_steps(snapshot);
		look_at_clock(snapshot);
	} else {
		/* Who asked is answered, if only by a void that says why; nobody asked for these. */
		snapshot->wanted &= (uint8_t)~(WANT_INTERVAL | WANT_EMPTY);
	}
	if (snapshot->under_way || snapshot->phase != SNAPSHOT_IDLE || snapshot->wanted == 0)
		return;
	uint8_t other = snapshot->wanted & (uint8_t)~WANT_DRILL;
	bool due = other != 0 && snapshot->life != 0 &&
		   ((other & WANT_COLLECTIVE) || snapshot->now_ns >= snapshot->not_before_ns);
	/* A drill needs no life, and stands back. */
	if (due)
		begin(snapshot, other);
	else if (snapshot->wanted & WANT_DRILL)
		begin(snapshot, WANT_DRILL);
}

/* The order of a world count helps against sums that differ by the world's collectives, and against nothing else. */
static bool world_differed(const struct snapshot_outcome *outcome)
{
	return outcome->reason == REASON_PASSED_COUNT ||
	       (outcome->reason == REASON_COLLECTIVES && outcome->verdict.world_most != -outcome->verdict.world_least);
}

/* Quick ranks pass the count that was named before they hear of it: then the next is named further off. One that nobody came to was too far. */
static void learn_world_lead(struct snapshot *snapshot, const struct snapshot_outcome *outcome)
{
	snapshot->guided = world_differed(outcome);
	if (outcome->reason == REASON_PASSED_COUNT && snapshot->world_lead < LEAD_MOST)
		snapshot->world_lead *= 2;
	else if (outcome->reason == REASON_BEHIND)
		snapshot->world_lead = 1;
}

static void try_again(struct snapshot *snapshot, struct snapshot_outcome *outcome)
{
	snapshot->same_reason = outcome->reason == snapshot->last_reason ? snapshot->same_reason + 1 : 1;
	snapshot->last_reason = outcome->reason;
	learn_world_lead(snapshot, outcome);
	if (outcome->reason == REASON_PASSED_STEP || outcome->reason == REASON_UNEQUAL_STEPS) {
		snapshot->lead *= 2;
		while (snapshot->lead < outcome->verdict.overshoot)
			snapshot->lead *= 2;
		if (snapshot->lead > LEAD_MOST)
			snapshot->lead = LEAD_MOST;
	}
	if (outcome->want & WANT_COLLECTIVE)
		return; /* its callers are told, and decide */
	if (snapshot->same_reason >= RESIGN_AFTER) {
		outcome->resigned = true;
		snapshot->same_reason = 0;
		return;
	}
	uint32_t doublings = snapshot->attempts < 2 ? 0 : snapshot->attempts - 2;
	if (doublings > PAUSE_DOUBLINGS)
		doublings = PAUSE_DOUBLINGS;
	outcome->again = true;
	outcome->again_ns = snapshot->attempts < 2 ? 0 : PAUSE_FIRST_NS << doublings;
	snapshot->not_before_ns = snapshot->now_ns + outcome->again_ns;
	want(snapshot, WANT_REQUEST | (outcome->want & WANT_STOP), (int32_t)snapshot->announce.root);
}

void start_learn(struct snapshot *snapshot, struct snapshot_outcome *outcome)
{
	snapshot->under_way = false;
	outcome->again = false;
	outcome->resigned = false;
	outcome->attempts = snapshot->attempts;
	if (outcome->want & (WANT_EMPTY | WANT_DRILL)) {
		snapshot->attempts--; /* not an attempt at a checkpoint */
		return;
	}
	if (outcome->committed) {
		snapshot->lead = snapshot->lead / 2 < LEAD_LEAST ? LEAD_LEAST : snapshot->lead / 2;
		snapshot->guided = false;
		snapshot->world_lead = snapshot->world_lead / 2 < 1 ? 1 : snapshot->world_lead / 2;
		snapshot->same_reason = 0;
		snapshot->last_reason = REASON_NONE;
	} else if (reason_cause(outcome->reason) == REASON_TIMING) {
		try_again(snapshot, outcome);
	}
	if (!outcome->again) {
		snapshot->attempts = 0;
		snapshot->not_before_ns = 0;
	}
}
