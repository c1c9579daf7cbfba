/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark trace: what it shows of a model, and in which forms. */
#ifndef TRACE_H
#define TRACE_H

#include <jansson.h>
#include <stdio.h>

#include "tracing/model.h"

/* What is wanted of a trace. */
struct trace_view {
	bool *ranks;            /* [model->ranks] those to be shown */
	uint32_t shown;         /* how many these are */
	bool given;             /* ... and somebody has chosen them */
	bool all;               /* each event, and not only the snapshot's steps */
};

/* For people, to standard output. */
void trace_print(const struct trace_model *model, const struct trace_view *view);
/* As JSON (docs/tracing.md); null: no memory. */
json_t *trace_json(const struct trace_model *model, const struct trace_view *view);
/* To a file that is open: false: it could not be made, for want of memory (an error of the file is the file's). */
bool trace_put_perfetto(const struct trace_model *model, const struct trace_view *view, FILE *to);
bool trace_put_shiviz(const struct trace_model *model, const struct trace_view *view, FILE *to);

/* What forms share. "1.5 ms". */
struct trace_words { char text[512]; };
struct trace_words trace_time(int64_t ns);
/* What the event says, without its time and rank: "cuts at its safepoint at step 41". */
struct trace_words trace_event_words(const struct trace_model *model, struct trace_model_end end);
/* "before", "late", ... */
const char *trace_place_name(enum trace_model_place place);
/* The name of a communicator, with the program's own if it has one; "?" for one that is not known. */
struct trace_words trace_comm_words(const struct trace_model *model, int32_t comm);

#endif
