/* SPDX-License-Identifier: BSD-3-Clause */
/* How far a snapshot is, as far as this rank knows; for people. */
#include "snapshot/own.h"

/* Where every rank sends one, and to look for them all is nothing. */
enum { NAMED_UP_TO = 1024 };

/* Those whose markers are here. A rank that sends none is not known to have cut before the barrier. */
static void look_for_cuts(const struct snapshot *snapshot, struct snapshot_progress *progress)
{
	bool own = snapshot->phase == SNAPSHOT_WINDOW || snapshot->phase == SNAPSHOT_VERDICT_PHASE || snapshot->awaiting;
	int32_t ranks = snapshot->config.ranks;

	if (snapshot->attempt.barrier_done || snapshot->awaiting) {
		progress->cut = ranks;
		return;
	}
	progress->cut = own;
	for (size_t i = 0; i < snapshot->channels.count; i++)
		progress->cut += snapshot->channels.list[i].from != snapshot->config.rank && snapshot->channels.list[i].marker != MARKER_NONE;
	for (int32_t rank = 0; snapshot->config.markers_all && ranks <= NAMED_UP_TO && rank < ranks && progress->late_count < SNAPSHOT_LATE; rank++) {
		const struct channel *channel = rank == snapshot->config.rank ? NULL : channels_find(&snapshot->channels, rank);
		bool has_cut = rank == snapshot->config.rank ? own : channel && channel->marker != MARKER_NONE;

		if (!has_cut)
			progress->late[progress->late_count++] = rank;
	}
}

void snapshot_progress(const struct snapshot *snapshot, struct snapshot_progress *progress)
{
	bool under_way = snapshot->phase != SNAPSHOT_IDLE || snapshot->awaiting;

	*progress = (struct snapshot_progress){ .order_step = -1 };
	if (!under_way)
		return;
	progress->ordered = snapshot->ordered;
	progress->order_step = snapshot->ordered ? snapshot->order_step : -1;
	/* This rank tells itself at last, and has something to tell from its first safepoint on. */
	progress->answered = snapshot->ordered ? snapshot->config.ranks
			     : (snapshot->announced ? snapshot->ready_ranks : 0) + (snapshot->kind != SNAPSHOT_KIND_NONE);
	look_for_cuts(snapshot, progress);
}

void snapshot_due(const struct snapshot *snapshot, struct snapshot_due *due)
{
	int64_t every_steps = snapshot->config.every_steps, every_ns = snapshot->config.every_ns;

	*due = (struct snapshot_due){ .every_ns = every_ns, .every_steps = every_steps };
	if (every_ns && snapshot->clock_ns)
		due->due_ns = snapshot->clock_ns + every_ns;
	if (every_steps && snapshot->kind == SNAPSHOT_KIND_STEP)
		due->due_step = (snapshot->last_step / every_steps + 1) * every_steps;
}

uint64_t snapshot_answering(const struct snapshot *snapshot)
{
	if (snapshot->wanted & (uint8_t)~(WANT_EMPTY | WANT_DRILL))
		return snapshot->next_number;
	if (snapshot->under_way && !(snapshot->begun & (WANT_EMPTY | WANT_DRILL)))
		return snapshot->next_number - 1;
	return 0;
}
