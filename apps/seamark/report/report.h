/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark report: a page about a run. What it tells is gathered as one JSON document first; the tables, the charts and --json are all made of that. */
#ifndef REPORT_H
#define REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "command/command.h"
#include "plan/past.h"

/* Of so many checkpoints, the newest, the images are looked into; of so many snapshots, the newest that were traced, the traces; so many channels of one are told singly, the largest; and a matrix has so many rows at most, of several
 * ranks each if need be. */
enum { REPORT_DETAILED = 4, REPORT_TRACES = 3, REPORT_CHANNELS = 20000, REPORT_MATRIX = 128 };

enum report_verify { REPORT_VERIFY_NEWEST, REPORT_VERIFY_ALL, REPORT_VERIFY_NONE };

/* Everything, or null: the folder cannot be read, and that was said. *status becomes EXIT_PROBLEMS where damage was found. diagrams: a list, to which the space-time diagrams of the
 * document's traces are added, as SVG or null. */
json_t *report_gather(const char *folder, enum report_verify verify, json_t *diagrams, int *status);
/* What the images of a checkpoint have, rank by rank and channel by channel. null: no memory, or the checkpoint was retired meanwhile. */
json_t *report_images(const struct seamark_files_entry *entry, int *status);
/* Whether a checkpoint that was there has been retired since, by the program that goes on. */
bool report_is_retired(const struct seamark_files_entry *entry);
/* The lives of a past. */
json_t *report_lives(const struct past *past);

/* What the traces of the newest snapshots tell. left_out: a list, to which those are added that cannot be read, and why. */
json_t *report_traces(const char *folder, json_t *diagrams, json_t *left_out);

/* The files below a folder. */
struct report_disk {
	json_int_t files, bytes;
};
struct report_disk report_disk_of(const char *path);

/* Writes the page. */
void report_write(FILE *to, const json_t *document, const json_t *diagrams);

/* What is in the page's tables, and the diagrams; and the links to its sections. */
void report_tables(FILE *to, const json_t *document, const json_t *diagrams);
void report_links(FILE *to);

/* --- cells --------------------------------------------------------------------------------------------------------------------- */

/* A text between tags or in an attribute. */
void report_text(FILE *to, const char *text);
void report_time(FILE *to, json_int_t since_1970_ns); /* UTC */
/* Members of an object: 0 and "" if there is none. */
json_int_t report_whole(const json_t *object, const char *name);
double report_real(const json_t *object, const char *name);
const char *report_member(const json_t *object, const char *name);

enum report_as { REPORT_WHOLE, REPORT_NOT_NONE, REPORT_BYTES, REPORT_SECONDS, REPORT_TIME, REPORT_TEXT };
/* Of rows that are objects a member, of those that are arrays what stands at the column's place. Tables of columns end with one that has no head. */
struct report_column {
	const char *head, *member;
	enum report_as as;
	void (*put)(FILE *to, const json_t *row);  /* the whole cell, instead */
};
/* label: what it is, for those who do not see the page. */
void report_begin_table(FILE *to, const char *id, const char *label, const struct report_column *columns);
void report_row(FILE *to, const struct report_column *columns, const json_t *row);
void report_end_table(FILE *to);
/* All of a list's rows. */
void report_table(FILE *to, const char *id, const char *label, const struct report_column *columns, const json_t *rows);

/* The page's own script and style, and the charts' script, which is empty in a build without npm. */
extern const char report_css[], report_js[], report_charts[];
extern const uint64_t report_css_size, report_js_size, report_charts_size;

#endif
