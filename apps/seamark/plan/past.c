/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan/past.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "command/command.h"
#include "store/history.h"

/* --- reading --------------------------------------------------------------------------------------------------------------- */

static struct past_life *newest_of(const struct past *past, uint32_t number)
{
	for (size_t i = past->life_count; i--;)
		if (past->lives[i].number == number)
			return &past->lives[i];
	return NULL;
}

static void drop_lives(struct past *past)
{
	for (size_t i = 0; i < past->life_count; i++)
		free(past->lives[i].commits);
	past->life_count = 0;
	past->lives_before = past->failures_before = 0;
	past->lived_before_s = 0;
}

/* The run that has begun last is the one to tell of. */
static void begin_life(struct past *past, const struct history_event *event)
{
	struct past_life *grown;

	if (strcmp(past->run, event->run)) {
		drop_lives(past);
		strcpy(past->run, event->run);
	}
	grown = list_with_room(past->lives, past->life_count, &past->life_room, sizeof *grown);
	past->without_memory |= !grown;
	if (!grown)
		return;
	past->lives = grown;
	grown = &grown[past->life_count++];
	*grown = (struct past_life){ .number = event->life, .began_ns = event->time_ns, .last_ns = event->time_ns, .from = event->from,
		.step = event->step, .ranks = event->ranks, .process = event->process };
	memcpy(grown->host, event->host, sizeof grown->host);
}

static void add_commit(struct past *past, struct past_life *life, const struct history_event *event)
{
	struct past_commit *grown = list_with_room(life->commits, life->commit_count, &life->commit_room, sizeof *grown);

	past->without_memory |= !grown;
	if (!grown)
		return;
	life->commits = grown;
	life->commits[life->commit_count++] = (struct past_commit){ .number = event->number, .bytes = event->bytes,
		.messages = event->messages, .message_bytes = event->message_bytes, .step = event->step,
		.cut_ns = event->time_ns - (int64_t)(event->durable_s * 1e9), .durable_ns = event->time_ns, .held_s = event->held_s,
		.cost_s = event->cost_s > 0 ? event->cost_s : event->held_s, .durable_s = event->durable_s };
	life->end = event->stop ? PAST_STOPPED : PAST_OPEN;
}

static void take(void *context, const struct history_event *event)
{
	struct past *past = context;
	struct past_life *life = event->life ? newest_of(past, event->life) : NULL;

	if (event->kind == HISTORY_BEGIN) {
		begin_life(past, event);
	} else if (event->kind == HISTORY_BEFORE) {
		if (strcmp(past->run, event->run))
			drop_lives(past);
		strcpy(past->run, event->run);
		past->lives_before += event->lives;
		past->failures_before += event->failures;
		past->lived_before_s += event->lived_s;
	} else if (life) {
		life->last_ns = event->time_ns;
		if (event->kind == HISTORY_COMMIT)
			add_commit(past, life, event);
		else
			life->end = event->stop ? PAST_STOPPED : event->ended ? PAST_ENDED : PAST_FINALIZED;
	}
}

/* --- what was lost --------------------------------------------------------------------------------------------------------- */

static double into_life_s(const struct past_life *life, const struct past_commit *commit)
{
	return fmax((double)(commit->cut_ns - life->began_ns) / 1e9, 0);
}

/* How much further the run had been computed at a checkpoint than when that life began. NaN: the history does not have it. */
static double progress_s(const struct past *past, size_t index, uint64_t number)
{
	const struct past_life *own = &past->lives[index];

	for (size_t i = index + 1; i--;) {
		const struct past_life *life = &past->lives[i];

		for (size_t j = life->commit_count; j--;)
			if (life->commits[j].number == number)
				return into_life_s(life, &life->commits[j]) + (life == own ? 0 : life->computed_s - own->computed_s);
	}
	return number == own->from ? 0 : number ? NAN : -own->computed_s;
}

/* From the begin of one life to that of the next the clock has gone on by more than the computing has: the difference is lost. */
static void settle(struct past *past)
{
	for (size_t i = 0; i < past->life_count; i++) {
		struct past_life *life = &past->lives[i], *next = life + 1;
		double progress;

		if (!i)
			life->computed_s = life->from ? NAN : 0;
		life->lost_s = NAN;
		if (i + 1 == past->life_count)
			return;
		if (life->end == PAST_OPEN)
			life->end = PAST_FAILED;
		progress = progress_s(past, i, next->from);
		next->computed_s = life->computed_s + progress;
		life->lost_s = fmax((double)(next->began_ns - life->began_ns) / 1e9, 0) - progress;
	}
}

bool past_read(struct past *past, const char *folder)
{
	struct fault fault = FAULT_NONE;
	int code;

	memset(past, 0, sizeof *past);
	code = history_read(folder, take, past, &fault);
	if (past->without_memory)
		code = fault_set(&fault, SEAMARK_E_MEMORY, "no memory for the history in '%s'", folder);
	settle(past);
	if (!code || code == SEAMARK_E_NOT_FOUND)
		return true;
	command_complain("%s", fault.text);
	return false;
}

void past_free(struct past *past)
{
	drop_lives(past);
	free(past->lives);
}

const char *past_end_name(enum past_end end)
{
	static const char *const names[] = { "open", "failed", "stopped", "ended", "finalized" };

	return names[end];
}

/* --- sums ------------------------------------------------------------------------------------------------------------------- */

/* What a life lost by checkpoints, but for those that were taken in vain: the failure has cost these. */
static void sum_commits(const struct past *past, size_t index, struct past_sums *sums, struct interval_told *told, struct interval_meter *holds)
{
	const struct past_life *life = &past->lives[index];
	uint64_t last = index + 1 < past->life_count ? life[1].from : UINT64_MAX;

	interval_told_life(told);
	for (size_t i = 0; i < life->commit_count; i++) {
		const struct past_commit *commit = &life->commits[i];

		sums->commits++;
		if (commit->number <= last)
			sums->lost_checkpoints_s += commit->cost_s;
		interval_told_over(told, commit->held_s, commit->cost_s, commit->durable_s);
		interval_meter_over(holds, -1, 0, commit->held_s, commit->durable_s);
	}
}

static double between_cuts_s(const struct past *past)
{
	double sum_s = 0;
	size_t count = 0;

	for (size_t i = 0; i < past->life_count; i++) {
		const struct past_life *life = &past->lives[i];

		if (life->commit_count < 2)
			continue;
		sum_s += (double)(life->commits[life->commit_count - 1].cut_ns - life->commits[0].cut_ns) / 1e9;
		count += life->commit_count - 1;
	}
	return count && sum_s > 0 ? sum_s / (double)count : NAN;
}

void past_sum_up(const struct past *past, struct past_sums *sums)
{
	struct interval_told told = { .begins = true };
	struct interval_meter holds = { .cut = false };

	*sums = (struct past_sums){ .lives = past->lives_before + past->life_count, .failures = past->failures_before, .lived_s = past->lived_before_s,
		.restart_s = NAN, .every_s = between_cuts_s(past) };
	for (size_t i = 0; i < past->life_count; i++) {
		const struct past_life *life = &past->lives[i];
		double gap_s = i + 1 < past->life_count ? fmax((double)(life[1].began_ns - life->last_ns) / 1e9, 0) : 0;

		sums->lived_s += fmax((double)(life->last_ns - life->began_ns) / 1e9, 0);
		sum_commits(past, i, sums, &told, &holds);
		if (life->end == PAST_FAILED) {
			sums->failures++;
			sums->restart_s = fmin(sums->restart_s, gap_s);
			sums->lost_failures_s += life->lost_s;
		} else if (i + 1 < past->life_count) {
			sums->stops++;
			sums->between_s += gap_s;
		}
	}
	if (past->failures_before)
		sums->lost_failures_s = NAN;
	if (past->life_count)
		sums->elapsed_s = fmax((double)(past->lives[past->life_count - 1].last_ns - past->lives[0].began_ns) / 1e9, 0);
	sums->cost_s = told.cost_s;
	sums->by_steps = told.by_steps;
	sums->durable_s = told.durable_s;
	sums->held_s = holds.held_s;
}
