/* SPDX-License-Identifier: BSD-3-Clause */
/* Seamark: a safepoint at the top of each step, a request when a checkpoint is wanted. */
#include <seamark.h>

#include "usual.h"

static void protect(struct work *work)
{
	if (seamark_protect("grid", work->grid, work->count * sizeof *work->grid))
		give_up("cannot protect", "grid");
}

static void seamark_begin(struct work *work)
{
	int64_t step;
	protect(work);
	if (seamark_restore(&step) != SEAMARK_FRESH)
		give_up("not a fresh start in", work->folder);
}

static void seamark_at_step(struct work *work, int due)
{
	protect(work); /* the buffers have changed places */
	if (due && work->rank == 0)
		seamark_request();
	seamark_safepoint(work->step);
}

static void seamark_restart(struct work *work)
{
	protect(work);
	if (seamark_restore(&work->step) != SEAMARK_RESTORED)
		give_up("nothing is restored from", work->folder);
}

const struct way way_seamark = {"seamark", seamark_begin, seamark_at_step, seamark_restart};
