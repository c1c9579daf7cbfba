/* SPDX-License-Identifier: BSD-3-Clause */
/* A traced snapshot as a space-time diagram in SVG (diagram.h says what of it can be chosen). */
#ifndef TRACE_SVG_H
#define TRACE_SVG_H

#include <stdbool.h>
#include <stdio.h>

#include "diagram/diagram.h"
#include "tracing/model.h"

/* Writes it. What is drawn: every message that crosses the cut, and of the others those that were sent or received between the request and the last closing of the channels, or a little
 * before or after. false: no memory, or it could not be written. */
bool trace_svg_write(FILE *to, const struct trace_model *model, const struct diagram_options *options);

/* What the command line says. */
struct trace_svg_request {
	const char *path;       /* of the file; "-": standard output */
	const char *by;         /* "time", "order", "cut"; null: time */
	const char *ranks;      /* "0-3,7": these have lines of their own; "all"; null: the diagram chooses */
	int orders;
};
/* Writes the file. EXIT_..., after a complaint. */
int trace_svg_save(const struct trace_model *model, const struct trace_svg_request *request);

#endif
