/* SPDX-License-Identifier: BSD-3-Clause */
/* One-sided operations in a snapshot: what reaches a rank that has not cut, from one that has, would be in its state, and be done again after a restart. */
#include <stdio.h>

#include "session/inside.h"

void session_one_sided(const struct epochs_window *window, int target)
{
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	if (snapshot_phase(inside.snapshot) != SNAPSHOT_WINDOW || attempt.is_void || !epochs_is_early(window, target))
		return;
	int32_t rank = epochs_world_of(window, target);
	if (snapshot_has_cut(inside.snapshot, rank))
		return;
	char text[160];
	snprintf(text, sizeof text, "rank %d, after its cut, reached into the window of rank %d, which may not have made its own", inside.rank,
		 rank);
	telling_doom(REASON_UNSETTLED, text);
}
