/* SPDX-License-Identifier: BSD-3-Clause */
#include "interpose/coverage.h"

#include <string.h>

static const struct coverage rows[] = {
#define GROUP(title, text) {.group = title, .note = text},
#define CALL(name, where, treatment, note) {#name, NULL, COVERAGE_##where, COVERAGE_##treatment, note},
#include "interpose/coverage_table.h"
#undef GROUP
#undef CALL
};

enum {ROWS = sizeof rows / sizeof rows[0]};

const struct coverage *coverage_at(size_t index)
{
	return index < ROWS ? &rows[index] : NULL;
}

const struct coverage *coverage_of(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].name && strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const char *coverage_word(enum coverage_treatment treatment)
{
	static const char *const words[COVERAGE_TREATMENTS] = {"carried", "counted", "passes", "makes void"};
	return words[treatment];
}
