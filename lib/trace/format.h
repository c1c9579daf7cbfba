/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of a trace: one rank's events around one attempt (docs/format.md, 10). Pure. */
#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "trace/event.h"

enum { TRACE_NAME_MAX = 255, TRACE_LABEL_MAX = 127, TRACE_TEXT_MAX = 447, TRACE_RANKS_MAX = 1 << 20, TRACE_COMMS_MAX = 1 << 13, TRACE_TEXTS_MAX = 1 << 10 };
/* Of a file: one that is larger is somebody else's. */
#define TRACE_FILE_MOST (UINT64_C(1) << 30)

struct trace_comm {
	char name[TRACE_NAME_MAX + 1];   /* the same on all members */
	char label[TRACE_LABEL_MAX + 1]; /* what the program called it; empty: nothing */
};

struct trace_text {
	char text[TRACE_TEXT_MAX + 1];
};

struct trace_file {
	uint8_t run[16];
	uint64_t number;       /* of the attempt's checkpoint */
	uint64_t nonce;
	uint64_t epoch;
	uint32_t life;
	uint32_t rank, ranks;
	uint64_t clock;        /* ranks with the same have one clock */
	int64_t real_ns;       /* CLOCK_REALTIME less CLOCK_MONOTONIC */
	uint64_t lost;         /* events before the first */
	struct trace_comm *comms;
	size_t comm_count;
	struct trace_text *texts;
	size_t text_count;
	struct trace_event *events; /* in program order */
	size_t event_count;
};

/* "send": the word for a kind, as people and JSON have it. Never null. */
const char *trace_kind_name(enum trace_kind kind);

void trace_put(struct bytes_out *out, const struct trace_file *file);
/* Every field is checked: indices are in range. The lists are the caller's to free, by trace_file_free. SEAMARK_E_DAMAGED, SEAMARK_E_VERSION, SEAMARK_E_MEMORY. */
int trace_get(struct trace_file *file, const void *data, size_t size, const char *what, struct fault *fault);
void trace_file_free(struct trace_file *file);

#endif
