/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "command/terminal.h"

/* What was said on standard error, for the document; null: nobody asked for one. */
static json_t *said;
static bool printed;

/* Neither control characters, nor those of the second set (U+0080 to U+009F), nor anything that is no UTF-8 reaches a terminal. */
static void tame(char *text)
{
	json_t *is_utf8 = json_string(text);

	for (unsigned char *at = (unsigned char *)text; *at; at++)
		if (*at < ' ' || *at == 0x7f || (*at >= 0x80 && !is_utf8))
			*at = '?';
		else if (*at == 0xc2 && at[1] < 0xa0)
			at[0] = at[1] = '?';
	json_decref(is_utf8);
}

char *command_line(const char *format, va_list list)
{
	char *text;

	if (vasprintf(&text, format, list) < 0)
		return NULL;
	tame(text);
	return text;
}

void command_print(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	terminal_print_list(4, TERMINAL_PLAIN, NULL, format, list);
	va_end(list);
}

void command_complain(const char *format, ...)
{
	va_list list;
	char *line;

	/* In the order in which things were said, also where both go to one file. */
	fflush(stdout);
	va_start(list, format);
	line = command_line(format, list);
	va_end(list);
	progress_pause();
	if (line)
		fprintf(stderr, "seamark: %s\n", line);
	progress_resume();
	if (line && said)
		json_array_append_new(said, command_json_text(line));
	free(line);
}

/* --- JSON ---------------------------------------------------------------------------------------------------------- */

void command_for_programs(void)
{
	if (!said)
		said = json_array();
}

static int print_json(json_t *document)
{
	int failed = !document || json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) ||
		     putchar('\n') < 0 || fflush(stdout);

	json_decref(document);
	printed = true;
	if (failed)
		command_complain("cannot print JSON");
	return failed ? EXIT_CANNOT_READ : EXIT_FINE;
}

int command_print_json(json_t *document)
{
	if (document && json_array_size(said)) {
		json_object_set_new(document, "said", json_copy(said));
		json_array_clear(said);
	}
	return print_json(document);
}

int command_end(int status)
{
	json_t *document = said && !printed && status != EXIT_FINE ? json_pack("{s:i, s:O}", "status", status, "said", said) : NULL;

	if (document)
		print_json(document);
	json_decref(said);
	said = NULL;
	return status;
}

json_t *command_json_text(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value)
		return value;
	copy = strdup(text);
	for (char *at = copy; at && *at; at++)
		if (*at & 0x80)
			*at = '?';
	value = copy ? json_string(copy) : NULL;
	free(copy);
	return value;
}

/* A json_int_t has a sign; what does not fit is a made-up number anyway. */
static json_int_t number(uint64_t value)
{
	return (json_int_t)(value > INT64_MAX ? INT64_MAX : value);
}

json_t *command_json_entry(const struct seamark_files_entry *entry)
{
	json_t *object = json_pack("{s:I, s:I, s:o, s:b}", "number", number(entry->number), "life", (json_int_t)entry->life, "path",
				   command_json_text(entry->path), "pinned", entry->pinned);
	json_t *parents;
	char run[33];

	if (entry->status) {
		json_object_set_new(object, "error", json_integer(entry->status));
		json_object_set_new(object, "problem", command_json_text(entry->problem));
		return object;
	}
	for (size_t i = 0; i < sizeof entry->run; i++)
		sprintf(run + 2 * i, "%02x", entry->run[i]);
	json_object_set_new(object, "run", json_string(run));
	json_object_set_new(object, "step", entry->step == SEAMARK_ANY_STEP ? json_null() : json_integer(entry->step));
	json_object_set_new(object, "ranks", json_integer(entry->ranks));
	json_object_set_new(object, "taken_ns", json_integer(entry->taken_ns));
	json_object_set_new(object, "held_s", json_real(entry->held_s));
	json_object_set_new(object, "bytes", json_integer(number(entry->bytes)));
	json_object_set_new(object, "referred_bytes", json_integer(number(entry->referred_bytes)));
	json_object_set_new(object, "parents", parents = json_array());
	for (size_t i = 0; i < entry->parent_count; i++)
		json_array_append_new(parents, json_pack("{s:I, s:I}", "number", number(entry->parents[i].number), "life",
							 (json_int_t)entry->parents[i].life));
	json_object_set_new(object, "messages", json_integer(number(entry->messages)));
	json_object_set_new(object, "message_bytes", json_integer(number(entry->message_bytes)));
	return object;
}

struct command_text command_size(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	struct command_text size;
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(size.text, sizeof size.text, "%u B", (unsigned)bytes);
		return size;
	}
	for (; value >= 1023.95 && unit + 1 < sizeof units / sizeof units[0]; unit++)
		value /= 1024;
	snprintf(size.text, sizeof size.text, "%.1f %s", value, units[unit]);
	return size;
}

struct command_text command_elsewhere(const struct seamark_files_entry *entry)
{
	enum { NAMED = 2 };
	struct command_text text = {""};
	char numbers[48] = "", more[32] = "";
	size_t named = entry->parent_count <= NAMED + 1 ? entry->parent_count : NAMED;

	if (!entry->parent_count)
		return text;
	if (entry->parent_count > named)
		snprintf(more, sizeof more, " and %zu more", entry->parent_count - named);
	for (size_t i = 0; i < named && strlen(numbers) < 12; i++)
		snprintf(numbers + strlen(numbers), sizeof numbers - strlen(numbers), "%s%llu", i ? ", " : "",
			 (unsigned long long)entry->parents[i].number);
	snprintf(text.text, sizeof text.text, "%.10s in checkpoint%s %.16s%.18s", command_size(entry->referred_bytes).text,
		 entry->parent_count > 1 ? "s" : "", numbers, more);
	return text;
}

struct command_text command_span(double seconds)
{
	struct command_text text;

	if (seconds <= 0)
		snprintf(text.text, sizeof text.text, "0 s");
	else if (seconds < 1e-3)
		snprintf(text.text, sizeof text.text, "%.0f us", seconds * 1e6);
	else if (seconds < 1)
		snprintf(text.text, sizeof text.text, "%.1f ms", seconds * 1e3);
	else if (seconds < 120)
		snprintf(text.text, sizeof text.text, "%.1f s", seconds);
	else if (seconds < 7200)
		snprintf(text.text, sizeof text.text, "%.1f min", seconds / 60);
	else if (seconds < 100 * 3600)
		snprintf(text.text, sizeof text.text, "%.1f h", seconds / 3600);
	else
		snprintf(text.text, sizeof text.text, "%.1f days", seconds / 86400);
	return text;
}

struct command_text command_time(int64_t since_1970_ns)
{
	struct command_text time = {"?"};
	time_t seconds = (time_t)(since_1970_ns / 1000000000);
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(time.text, sizeof time.text, "%Y-%m-%d %H:%M:%S", &local);
	return time;
}

struct command_text command_step(int64_t step)
{
	struct command_text text = {"-"};

	if (step != SEAMARK_ANY_STEP)
		snprintf(text.text, sizeof text.text, "%lld", (long long)step);
	return text;
}
