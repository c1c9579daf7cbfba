/* SPDX-License-Identifier: BSD-3-Clause */
#include "command/terminal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command/command.h"

size_t terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int64_t number;

	if (columns && command_whole(columns, 10000, &number) && number)
		return (size_t)number;
	return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

bool terminal_has_colour(FILE *stream)
{
	const char *no = getenv("NO_COLOR"), *kind = getenv("TERM");

	return !(no && *no) && kind && strcmp(kind, "dumb") != 0 && isatty(fileno(stream));
}

size_t terminal_length(const char *text)
{
	size_t length = 0;

	for (; *text; text++)
		length += (*text & 0xc0) != 0x80;
	return length;
}

/* --- colour -------------------------------------------------------------------------------------------------------- */

static const char *const colours[] = { "", "\033[32m", "\033[33m", "\033[31m" };

/* `length` bytes of a line; *word, which is then over, becomes null when it was found. */
static void put(const char *line, size_t length, enum terminal_colour colour, const char **word)
{
	const char *place = *word && **word && colour && terminal_has_colour(stdout) ? strstr(line, *word) : NULL;
	size_t before = place ? (size_t)(place - line) : 0, inside = place ? strlen(*word) : 0;

	if (!place || before + inside > length) {
		fwrite(line, 1, length, stdout);
		return;
	}
	printf("%.*s%s%s\033[0m%.*s", (int)before, line, colours[colour], *word, (int)(length - before - inside), place + inside);
	*word = NULL;
}

/* Bytes of the text that fit into a line; at least one word. */
static size_t fitting(const char *text, size_t width)
{
	size_t best = 0, columns = 0, at = 0;

	for (; text[at]; at++) {
		if (text[at] == ' ' && columns <= width)
			best = at;
		columns += (text[at] & 0xc0) != 0x80;
		if (columns > width && best)
			return best;
	}
	return columns <= width || !best ? at : best;
}

static void put_line(const char *line, size_t indent, enum terminal_colour colour, const char *word)
{
	size_t width = indent != SIZE_MAX ? terminal_width() : 0, length = width ? fitting(line, width) : strlen(line);

	progress_pause();
	put(line, length, colour, &word);
	putchar('\n');
	/* Where the text has less room beside the indent than the indent takes, it begins at the left. */
	indent = width && indent < width / 2 ? indent : 2;
	for (line += length; *line; line += length) {
		line += strspn(line, " ");
		length = fitting(line, width > indent ? width - indent : 1);
		printf("%*s", (int)indent, "");
		put(line, length, colour, &word);
		putchar('\n');
	}
	progress_resume();
}

void terminal_print_list(size_t indent, enum terminal_colour colour, const char *word, const char *format, va_list list)
{
	char *line = command_line(format, list);

	if (line)
		put_line(line, indent, colour, word);
	free(line);
}

void terminal_print(enum terminal_colour colour, const char *word, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	terminal_print_list(SIZE_MAX, colour, word, format, list);
	va_end(list);
}

void terminal_print_filled(size_t indent, enum terminal_colour colour, const char *word, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	terminal_print_list(indent, colour, word, format, list);
	va_end(list);
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static size_t gap(const struct terminal_table *table, size_t i)
{
	return i == 0 ? 0 : table->columns[i].width < 0 ? 2 : 1;
}

static size_t width_of(const struct terminal_table *table)
{
	size_t width = 0;

	for (size_t i = 0; i < table->count; i++)
		width += table->out[i] ? 0 : gap(table, i) + (size_t)abs(table->columns[i].width);
	return width;
}

void terminal_table_begin(struct terminal_table *table, const struct terminal_column *columns, size_t count, size_t tail)
{
	const char *titles[TERMINAL_COLUMNS_MOST];

	*table = (struct terminal_table){ .columns = columns, .count = count, .width = terminal_width() };
	for (unsigned next = 1; table->width && next <= count && width_of(table) + tail > table->width; next++)
		for (size_t i = 0; i < count; i++)
			table->out[i] |= columns[i].leaves == next;
	for (size_t i = 0; i < count; i++)
		titles[i] = columns[i].title;
	terminal_table_row(table, titles, "");
}

/* Cuts a line where the terminal ends. */
static void shorten(char *line, size_t width)
{
	char *at = line;
	size_t columns = 0;

	if (!width || terminal_length(line) <= width)
		return;
	for (; *at; at++) {
		columns += (*at & 0xc0) != 0x80;
		if (columns + 3 > width)
			break;
	}
	memcpy(at, width >= 3 ? "..." : "", width >= 3 ? 4 : 1);
}

void terminal_table_row(const struct terminal_table *table, const char *const *cells, const char *tail)
{
	char *line = NULL;
	size_t size, end;
	FILE *stream = open_memstream(&line, &size);

	if (!stream)
		return;
	for (size_t i = 0; i < table->count; i++) {
		int room = abs(table->columns[i].width) - (int)terminal_length(cells[i]);

		if (table->out[i])
			continue;
		fprintf(stream, "%*s", (int)gap(table, i), "");
		if (table->columns[i].width < 0)
			fprintf(stream, "%s%*s", cells[i], room > 0 ? room : 0, "");
		else
			fprintf(stream, "%*s%s", room > 0 ? room : 0, "", cells[i]);
	}
	fputs(tail, stream);
	if (fclose(stream) || !line)
		return;
	for (end = strlen(line); end && line[end - 1] == ' '; end--)
		line[end - 1] = 0;
	shorten(line, table->width);
	terminal_print(TERMINAL_GOOD, strstr(tail, "kept") ? "kept" : NULL, "%s", line);
	free(line);
}
