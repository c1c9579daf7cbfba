/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark report: a page about a run. What it tells is gathered as one JSON document first; the tables, the charts and --json are all made of that. */
#ifndef REPORT_H
#define REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "command.h"
#include "past.h"

/* Of so many checkpoints, the newest, the images are looked into; so many channels of one are told singly, the largest; and a matrix has so many rows at most, of several
 * ranks each if need be. */
enum { REPORT_DETAILED = 4, REPORT_CHANNELS = 20000, REPORT_MATRIX = 128 };

enum report_verify { REPORT_VERIFY_NEWEST, REPORT_VERIFY_ALL, REPORT_VERIFY_NONE };

/* Everything, or null: the folder cannot be read, and that was said. *status becomes EXIT_PROBLEMS where damage was found. diagrams: a list, to which the space-time diagrams of the
 * document's traces are added, as SVG or null. */
json_t *report_gather(const char *folder, enum report_verify verify, json_t *diagrams, int *status);
/* What the images of a checkpoint have, rank by rank and channel by channel. null: no memory. */
json_t *report_images(const struct seamark_files_entry *entry, int *status);
/* The lives of a past. */
json_t *report_lives(const struct past *past);

/* What the traces of the newest snapshots tell. */
json_t *report_traces(const char *folder, json_t *diagrams);

/* Writes the page. */
void report_write(FILE *to, const json_t *document, const json_t *diagrams);

/* What is in the page's tables, and the diagrams. */
void report_tables(FILE *to, const json_t *document, const json_t *diagrams);
/* A text between tags or in an attribute. */
void report_text(FILE *to, const char *text);
void report_time(FILE *to, json_int_t since_1970_ns); /* UTC */

/* The page's own script and style, and the charts' script, which is empty in a build without npm. */
extern const char report_css[], report_js[], report_charts[];
extern const uint64_t report_css_size, report_js_size, report_charts_size;

#endif
