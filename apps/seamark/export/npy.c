/* SPDX-License-Identifier: BSD-3-Clause */
/* NumPy's files (the format's version 1.0: numpy.lib.format), and bytes as they are. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"

/* Version 1.0 has 16 bits for the length of the header; 32 extents of 20 digits are far from that. */
static int npy_frame(const struct export_item *item, struct export_frame *frame)
{
	static const char *const types[] = { "|u1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8", "<c8", "<c16" };
	enum { PREAMBLE = 10, ALIGN = 64 };
	size_t text_size, size;
	char *text = NULL;
	FILE *to = open_memstream(&text, &text_size);

	if (to) {
		fprintf(to, "{'descr': '%s', 'fortran_order': False, 'shape': (", types[item->type]);
		for (uint32_t i = 0; i < item->dimensions; i++)
			fprintf(to, "%s%" PRIu64 "%s", i ? " " : "", item->global[i], i + 1 < item->dimensions || !i ? "," : "");
		fputs("), }", to);
	}
	if (!to || fclose(to)) {
		free(text);
		command_complain("no memory for a header");
		return EXIT_CANNOT_READ;
	}
	size = (PREAMBLE + text_size + 1 + ALIGN - 1) / ALIGN * ALIGN;
	frame->before = malloc(size);
	frame->before_size = frame->before ? size : 0;
	if (frame->before) {
		memset(frame->before, ' ', size);
		memcpy(frame->before, "\x93NUMPY\x01\x00", 8);
		frame->before[8] = (char)((size - PREAMBLE) & 0xff);
		frame->before[9] = (char)((size - PREAMBLE) >> 8);
		memcpy(frame->before + PREAMBLE, text, text_size);
		frame->before[size - 1] = '\n';
	} else {
		command_complain("no memory for a header");
	}
	free(text);
	return frame->before ? EXIT_FINE : EXIT_CANNOT_READ;
}

static int npy_prepare(struct export_target *target)
{
	return export_each_in_a_file(target, npy_frame);
}

static int raw_prepare(struct export_target *target)
{
	return export_each_in_a_file(target, NULL);
}

const struct export_format export_npy = { "npy", ".npy", npy_prepare };
const struct export_format export_raw = { "raw", ".raw", raw_prepare };
