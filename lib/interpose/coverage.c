/* SPDX-License-Identifier: BSD-3-Clause */
#include "interpose/coverage.h"

#include <string.h>
#include <strings.h>

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

bool coverage_is_function(const char *name)
{
	size_t at = strncmp(name, "MPI_", 4) == 0 ? 4 : strncmp(name, "MPIX_", 5) == 0 ? 5 : 0;
	return at && name[at] >= 'A' && name[at] <= 'Z' &&
	       ((name[at + 1] >= 'a' && name[at + 1] <= 'z') || strncmp(name, "MPI_T_", 6) == 0);
}

bool coverage_is_in_fortran(const char *symbol, const char *function)
{
	static const char *const ends[] = {"", "_", "__", "_f08", "_f08_", "_f08ts", "_f08ts_"};
	size_t length = strlen(function);
	if (strncasecmp(symbol, function, length) != 0)
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (strcmp(symbol + length, ends[i]) == 0)
			return true;
	return false;
}

const char *coverage_word(enum coverage_treatment treatment)
{
	static const char *const words[COVERAGE_TREATMENTS] = {"carried", "counted", "passes", "makes void"};
	return words[treatment];
}
