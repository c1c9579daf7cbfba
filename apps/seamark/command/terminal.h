/* SPDX-License-Identifier: BSD-3-Clause */
/* The terminal that a person sits at, if one does: how wide it is, whether it shows colours, tables that fit it, and how far a long piece of work is. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Columns of standard output: COLUMNS if it is set, what the terminal says if there is one, else 0: no limit. */
size_t terminal_width(void);
/* Whether colours go to the stream: a terminal that is not dumb, and nobody has set NO_COLOR (no-color.org). */
bool terminal_has_colour(FILE *stream);
/* Characters of UTF-8, each of which is taken to fill a column. */
size_t terminal_length(const char *text);

/* --- colour -------------------------------------------------------------------------------------------------------- */

enum terminal_colour { TERMINAL_PLAIN, TERMINAL_GOOD, TERMINAL_DOUBTFUL, TERMINAL_BAD };

/* command_print(), with the first place at which the line has the word in a colour. */
void terminal_print(enum terminal_colour colour, const char *word, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for text that may be long: lines are broken between words where the terminal ends, and go on under column `indent`. */
void terminal_print_filled(size_t indent, enum terminal_colour colour, const char *word, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Both, with a list of arguments; indent SIZE_MAX: the line is not broken. */
void terminal_print_list(size_t indent, enum terminal_colour colour, const char *word, const char *format, va_list list)
	__attribute__((format(printf, 4, 0)));

/* --- tables -------------------------------------------------------------------------------------------------------- */

enum { TERMINAL_COLUMNS_MOST = 12 };

struct terminal_column {
	const char *title;
	int width;      /* at least; negative: the text is at the left of it */
	unsigned leaves; /* where there is no room: 1 leaves first, then 2, ...; 0 stays */
};

struct terminal_table {
	const struct terminal_column *columns;
	size_t count;
	size_t width;   /* of the terminal; 0: no limit */
	bool out[TERMINAL_COLUMNS_MOST];
};

/* Prints the head of a table; tail: columns to be left free for what rows have behind their cells. */
void terminal_table_begin(struct terminal_table *table, const struct terminal_column *columns, size_t count, size_t tail);
/* A row with a text, which may be empty, behind it; that is cut short, with "...", where the terminal ends. */
void terminal_table_row(const struct terminal_table *table, const char *const *cells, const char *tail);

/* --- progress ------------------------------------------------------------------------------------------------------ */

/* From here to the end a line on standard error, if that is a terminal, says how much was read of checkpoints (seamark_files_bytes_read()), how fast, and
 * how long it may still take. total: bytes that are expected; 0: not known. It comes after a moment. */
void progress_begin(const char *what, uint64_t total);
void progress_end(void);
/* Around whatever else is printed: the line makes room. */
void progress_pause(void);
void progress_resume(void);

#endif
