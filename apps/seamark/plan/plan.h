/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark plan: how often a checkpoint is worth it. */
#ifndef PLAN_H
#define PLAN_H

#include <stdio.h>

#include "base/interval.h"
#include "command/command.h"

struct plan {
	struct interval_terms terms;
	double young_s, daly_s, best_s;
	double from_s, to_s;     /* the intervals that are drawn and tabulated */
};

/* What is lost at an interval, by cause; shares of the time. The first three are the sum, but for one above 1. */
struct plan_waste {
	double checkpoints, again, restarts, all;
};
struct plan_waste plan_waste(const struct plan *plan, double interval_s);

struct command_text plan_share(double share);    /* "0.028 %" */

/* Waste against interval: in characters, so many columns wide, and as SVG. */
void plan_draw_text(const struct plan *plan, int columns);
void plan_draw_svg(const struct plan *plan, FILE *to);

#endif
