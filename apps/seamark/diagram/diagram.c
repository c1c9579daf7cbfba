/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagram/diagram.h"

#include <stdlib.h>

#include "base/list.h"

size_t diagram_add_spot(struct diagram *diagram, uint32_t rank, int64_t time, uint64_t order)
{
	struct diagram_spot *grown = list_with_room(diagram->spots, diagram->spot_count, &diagram->spot_room, sizeof *grown);

	if (!grown) {
		diagram->without_memory = true;
		return DIAGRAM_NONE;
	}
	diagram->spots = grown;
	grown[diagram->spot_count] = (struct diagram_spot){ .rank = rank, .time = time, .order = order };
	return diagram->spot_count++;
}

struct diagram_arrow *diagram_add_arrow(struct diagram *diagram)
{
	struct diagram_arrow *grown = list_with_room(diagram->arrows, diagram->arrow_count, &diagram->arrow_room, sizeof *grown);

	if (!grown) {
		diagram->without_memory = true;
		return NULL;
	}
	diagram->arrows = grown;
	grown[diagram->arrow_count] = (struct diagram_arrow){ .start = DIAGRAM_NONE, .end = DIAGRAM_NONE, .told = -1 };
	return &grown[diagram->arrow_count++];
}

void diagram_add_point(struct diagram *diagram, enum diagram_mark mark, size_t spot, size_t until, const char *text)
{
	struct diagram_point *grown = list_with_room(diagram->points, diagram->point_count, &diagram->point_room, sizeof *grown);

	if (!grown || spot == DIAGRAM_NONE) {
		diagram->without_memory = true;
		return;
	}
	diagram->points = grown;
	grown[diagram->point_count++] = (struct diagram_point){ .mark = mark, .spot = spot, .until = until, .text = text };
}

void diagram_free(struct diagram *diagram)
{
	free(diagram->title);
	free(diagram->subtitle);
	free(diagram->spots);
	free(diagram->arrows);
	free(diagram->points);
	free(diagram->rows);
	free(diagram->row_of);
	free(diagram->breaks);
	free(diagram->sorted);
	*diagram = (struct diagram){0};
}

bool diagram_draw(struct diagram *diagram, const struct diagram_options *options, FILE *to)
{
	return !diagram->without_memory && diagram_lay_out(diagram, options) && diagram_write(diagram, options, to);
}
