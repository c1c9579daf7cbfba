/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of the SVG of a diagram. */
#ifndef DIAGRAM_SVG_H
#define DIAGRAM_SVG_H

#include "diagram/diagram.h"

#define DIAGRAM_BREAK 30 /* pixels of a folded stretch */

enum {
	FEW = 150,      /* messages and markers, beyond which they are drawn thinner */
	CROWD = 60      /* the same of messages in flight */
};

struct diagram_words { char text[48]; };

/* "+1.25 ms", with as many digits as a step of the axis needs. */
struct diagram_words diagram_time(int64_t ns, int64_t step);
void diagram_put_text(FILE *to, const char *text);
void diagram_put_mark(FILE *to, enum diagram_mark mark, double x, double y, double size);
void diagram_put_cut(FILE *to, const struct diagram *diagram);

/* Arrows, and the cut in the midst of them. */
void diagram_put_arrows(FILE *to, const struct diagram *diagram);
/* What they are called, where there is room. false: no memory. */
bool diagram_put_names(FILE *to, const struct diagram *diagram);

/* The legend, and what the picture does not show. */
double diagram_foot_height(const struct diagram *diagram);
void diagram_put_foot(FILE *to, const struct diagram *diagram, double y);

#endif
