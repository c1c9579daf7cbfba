/* SPDX-License-Identifier: BSD-3-Clause */
/* A space-time diagram: what is to be drawn, where it then lies, and the SVG that shows it. It knows no files and no trace: whoever has ranks,
 * messages and cuts fills it in (tracing/svg.c does, from a trace). */
#ifndef DIAGRAM_H
#define DIAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DIAGRAM_NONE SIZE_MAX

/* What the horizontal axis means. */
enum diagram_by {
	DIAGRAM_BY_TIME,        /* time; long stretches in which nothing happens are folded */
	DIAGRAM_BY_ORDER,       /* one column after the other: what follows from what, and no distances */
	DIAGRAM_BY_CUT          /* the same, and everything before the cuts first: the cuts in one moment */
};

struct diagram_options {
	enum diagram_by by;
	const bool *selected;   /* of each rank: it has a line of its own, all others are folded; null: the diagram chooses */
	bool every;             /* each rank has a line of its own, however many there are */
	bool orders;            /* the messages that announce and order the snapshot are drawn too */
	uint32_t most;          /* arrows that do not cross the cut, before they are bundled; 0: as there is room */
	bool inside;            /* to stand inside a page, which gives it width and background */
};

/* A moment of a rank. Within a rank they are in the order of (time, order). */
struct diagram_spot {
	uint32_t rank;
	int64_t time;           /* ns, on one clock: no message comes before it was sent */
	uint64_t order;         /* of spots of one time: causes first */
	double x;
};

enum diagram_kind { DIAGRAM_MESSAGE, DIAGRAM_MARKER, DIAGRAM_ORDER };
enum diagram_fate { DIAGRAM_BEFORE, DIAGRAM_AFTER, DIAGRAM_LATE, DIAGRAM_ORPHAN };

/* The texts belong to the caller, and stay while the diagram does. */
struct diagram_arrow {
	enum diagram_kind kind;
	enum diagram_fate fate; /* of a message: where both ends lie, before or after the cuts */
	uint32_t from, to;
	size_t start, end;      /* spots; NONE: it lies outside of what is drawn, or nobody knows */
	const char *communicator;
	const char *what;       /* of an order: what it says */
	int64_t tag, position;
	uint64_t bytes;
	int64_t told;           /* of a marker: how many messages it says were sent before the cut; -1: not known */
	bool drained;           /* a late message that was taken out of the MPI library before the program asked for it */
	/* Of the layout: */
	uint32_t stands;        /* for so many arrows, itself among them; 0: another one stands for it, or it is not drawn */
	uint32_t name;          /* m1, m2, ...; 0: none */
};

enum diagram_mark { DIAGRAM_START, DIAGRAM_HELD, DIAGRAM_CUT, DIAGRAM_VOID_CUT, DIAGRAM_CLOSED, DIAGRAM_COMMIT, DIAGRAM_VOID };

struct diagram_point {
	enum diagram_mark mark;
	size_t spot, until;     /* until: of what lasts (HELD), else NONE */
	const char *text;       /* more about it, or null */
};

/* A line of the picture: a rank, or several that are folded. */
struct diagram_row {
	uint32_t first, last;   /* ranks */
	bool seen;              /* something happens there */
	double y, cut_first, cut_last, cut_least, cut_most; /* x of the cuts of first and last rank, least and largest; below zero: none */
};

/* A stretch of the axis without events. */
struct diagram_break {
	double x;               /* its middle */
	int64_t from, to;
};

struct diagram {
	uint32_t ranks;
	char *title, *subtitle; /* freed with the diagram */
	bool is_void;
	struct diagram_spot *spots;
	size_t spot_count, spot_room;
	struct diagram_arrow *arrows;
	size_t arrow_count, arrow_room;
	struct diagram_point *points;
	size_t point_count, point_room;
	bool without_memory;    /* something could not be added */
	/* Of the layout: */
	struct diagram_row *rows;
	size_t row_count;
	uint32_t *row_of;       /* of each rank */
	struct diagram_break *breaks;
	size_t break_count;
	size_t *sorted;         /* the spots in order */
	double left, right, top, bottom, width; /* of the plane in which things happen; of the picture */
	double row_height, scale; /* pixels per ns, between breaks */
	int64_t zero;           /* the first cut: times are shown from here */
	struct {
		uint32_t messages, late, orphans, markers; /* in the window */
		uint32_t left_out, folded, late_folded, markers_left_out, bundled; /* messages: too many; between folded ranks; those of them in flight */
	} count;
};

/* All give DIAGRAM_NONE, or change nothing, without memory, which diagram_draw then tells. */
size_t diagram_add_spot(struct diagram *diagram, uint32_t rank, int64_t time, uint64_t order);
struct diagram_arrow *diagram_add_arrow(struct diagram *diagram);
void diagram_add_point(struct diagram *diagram, enum diagram_mark mark, size_t spot, size_t until, const char *text);
void diagram_free(struct diagram *diagram);

/* Lays it out and writes it. false: no memory, or it could not be written. */
bool diagram_draw(struct diagram *diagram, const struct diagram_options *options, FILE *to);

/* The two halves of that. */
bool diagram_lay_out(struct diagram *diagram, const struct diagram_options *options);
bool diagram_write(const struct diagram *diagram, const struct diagram_options *options, FILE *to);

/* Of the layout: where the rows are, and which arrows are drawn. */
bool diagram_make_rows(struct diagram *diagram, const struct diagram_options *options);
bool diagram_thin_out(struct diagram *diagram, const struct diagram_options *options);

static inline const struct diagram_row *diagram_row_of(const struct diagram *diagram, uint32_t rank)
{
	return &diagram->rows[diagram->row_of[rank]];
}

static inline bool diagram_is_folded(const struct diagram *diagram, uint32_t rank)
{
	return diagram_row_of(diagram, rank)->first != diagram_row_of(diagram, rank)->last;
}

#endif
