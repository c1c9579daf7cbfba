/* SPDX-License-Identifier: BSD-3-Clause */
/* SEAMARK_EVERY=auto, on rank 0: how often is worth it, by what checkpoints are seen to cost and how often the run is seen to fail; and what the history is told. */
#include <inttypes.h>
#include <stdio.h>

#include "base/interval.h"
#include "base/log.h"
#include "session/inside.h"

/* Until a checkpoint has shown what it costs. */
#define FIRST_S 60.0
/* What is told only if it is of interest. */
#define NOTICEABLE 2.0

static struct {
	struct interval_meter meter;
	struct store_past past;
	int64_t began_ns;
	double told_s;         /* the interval that people know of; 0: none */
} every;

static double failures_apart_s(void)
{
	if (inside.settings.mtbf_ns)
		return (double)inside.settings.mtbf_ns / 1e9;
	return interval_mtbf(every.past.lived_s + (double)(drive_now_ns() - every.began_ns) / 1e9, (double)every.past.failures);
}

/* Who says so. */
static void source_in_words(char *text, size_t room)
{
	if (inside.settings.mtbf_ns)
		snprintf(text, room, "SEAMARK_MTBF");
	else if (every.past.failures)
		snprintf(text, room, "this run has had %" PRIu64 " in %s", every.past.failures, report_time((int64_t)(every.past.lived_s * 1e9)).text);
	else
		snprintf(text, room, "assumed, as this run has had none; SEAMARK_MTBF says it");
}

static void tell(const struct interval_terms *terms, double interval_s, bool by_steps)
{
	bool noticeable = every.told_s <= 0 || interval_s > every.told_s * NOTICEABLE || interval_s < every.told_s / NOTICEABLE;

	char source[120];

	if (!noticeable)
		return;
	source_in_words(source, sizeof source);
	log_say(LOG_NOTICE, "a checkpoint every %s from now on: one costs the program %s (%s), and a failure is to be expected every %s (%s); %s",
		report_time((int64_t)(interval_s * 1e9)).text, report_time((int64_t)(terms->cost_s * 1e9)).text,
		by_steps ? "its steps lose that while it is written" : "it is held for that", report_time((int64_t)(terms->mtbf_s * 1e9)).text, source,
		interval_s > terms->durable_s ? "by Daly's formula" : "no more often, as it takes that long until one is durable");
	every.told_s = interval_s;
}

static void set(int64_t from_ns)
{
	struct interval_terms terms = { .durable_s = every.meter.durable_s, .mtbf_s = failures_apart_s() };
	double interval_s;
	bool by_steps;

	terms.cost_s = interval_meter_cost(&every.meter, &by_steps);
	interval_s = interval_best(&terms);
	tell(&terms, interval_s, by_steps);
	snapshot_set_clock(inside.snapshot, (int64_t)(interval_s * 1e9), from_ns);
}

void every_begin(void)
{
	store_note_begin(inside.store, inside.restored.number, inside.restored.number ? inside.restored.step : -1);
	if (!inside.settings.every_auto)
		return;
	store_past(inside.store, &every.past);
	every.began_ns = drive_now_ns();
	every.meter = (struct interval_meter){ .held_s = every.past.cost_s, .durable_s = every.past.durable_s };
	if (every.past.durable_s > 0) {
		set(0);
		return;
	}
	log_say(LOG_NOTICE, "the first checkpoint is taken after %s, and tells how often is worth it", report_time((int64_t)(FIRST_S * 1e9)).text);
	snapshot_set_clock(inside.snapshot, (int64_t)(FIRST_S * 1e9), 0);
}

void every_cut(int64_t now_ns)
{
	struct snapshot_attempt attempt;

	if (!inside.settings.every_auto || inside.rank != 0)
		return;
	snapshot_attempt(inside.snapshot, &attempt);
	interval_meter_cut(&every.meter, attempt.cut_step, now_ns);
}

void every_outcome(const struct snapshot_outcome *outcome)
{
	int64_t step, safepoint_ns;

	if (!inside.settings.every_auto || inside.rank != 0 || (outcome->want & WANT_EMPTY))
		return;
	if (!outcome->committed || !snapshot_last_safepoint(inside.snapshot, &step, &safepoint_ns)) {
		interval_meter_disturbed(&every.meter);
		return;
	}
	interval_meter_over(&every.meter, step, safepoint_ns, (double)outcome->verdict.held_ns / 1e9,
			    (double)(outcome->ended_ns - outcome->announced_ns) / 1e9);
	set(outcome->announced_ns);
}

double every_cost_s(const struct verdict *verdict)
{
	bool by_steps;
	double known_s = inside.settings.every_auto ? interval_meter_cost(&every.meter, &by_steps) : 0;

	return known_s > 0 ? known_s : (double)verdict->held_ns / 1e9;
}
