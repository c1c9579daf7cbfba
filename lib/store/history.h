/* SPDX-License-Identifier: BSD-3-Clause */
/* The run's history: a file of lines in its folder (docs/format.md, 7). Whatever becomes of it, no checkpoint does. */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include <jansson.h>

#include "store/internal.h"

#define HISTORY_NAME "history"
/* Beyond this it is made shorter. What nobody of ours wrote may be much larger, and is left alone. */
enum { HISTORY_MOST = 256 << 10, HISTORY_LARGEST = 4 << 20, HISTORY_LIVES = 8, HISTORY_COMMITS = 64, HISTORY_LINE = 1024 };

/* In the writer's thread, on rank 0. The first that fails is told, the others are not. */
void history_begin(struct store *store, uint64_t from, int64_t step);
void history_commit(struct store *store, const struct store_commit *commit, int64_t durable_ns);
/* Writes nothing if another life has begun. */
void history_end(struct store *store, bool stopped);

/* What the lives below a number tell: those of this run, or, for null, of any. SEAMARK_E_NOT_FOUND: there is no history. */
int history_past(const char *folder, const uint8_t run[16], uint32_t below, struct store_past *past, struct fault *fault);
/* What a line says; of what it does not say, and of what makes no sense, unless noted: 0 and empty texts. */
struct history_event {
	enum { HISTORY_BEGIN, HISTORY_COMMIT, HISTORY_END, HISTORY_BEFORE } kind;
	uint32_t life;
	int64_t time_ns;
	char run[33];          /* of a begin, and of a line for those that were left out */
	/* a begin */
	char host[65];
	uint64_t process, ranks, from;
	int64_t step;          /* of a commit too; -1: none */
	/* a commit */
	uint64_t number, bytes;
	int64_t messages, message_bytes; /* in flight; -1: it does not say */
	double held_s, cost_s, durable_s;
	bool stop;             /* of an end: it had been asked to leave */
	bool ended;            /* an end: by `seamark run`, at a checkpoint that was just committed */
	/* in place of lines that were left out */
	uint64_t lives, failures;
	double lived_s;
};
/* Line by line, in the order of writing; the event lives during the call. SEAMARK_E_NOT_FOUND: there is no history. */
int history_read(const char *folder, void (*told)(void *context, const struct history_event *event), void *context, struct fault *fault);

/* The same file with its old lines summed up, which the caller frees. Null: no memory. */
char *history_shorter(const char *text, size_t size, const uint8_t run[16]);
/* A line; null: no memory. */
char *history_line(json_t *line);
json_t *history_run(const uint8_t run[16]);

#endif
