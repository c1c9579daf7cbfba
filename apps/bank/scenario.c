/* SPDX-License-Identifier: BSD-3-Clause */
#include "scenario.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reader {
	FILE *file;
	const char *name;
	bool prompts;
	int line;
};

/* The next character, without comments. */
static int next_character(struct reader *reader)
{
	int c = getc(reader->file);

	if (c == '#')
		while (c != '\n' && c != EOF)
			c = getc(reader->file);
	if (c == '\n')
		reader->line++;
	return c;
}

/* Reads the next word into `word`. False at the end, or if it is too long for a number. */
static bool read_word(struct reader *reader, char *word, size_t size)
{
	size_t length = 0;
	int c;

	do
		c = next_character(reader);
	while (c != EOF && isspace(c));
	for (; c != EOF && !isspace(c); c = next_character(reader)) {
		if (length + 1 == size)
			return false;
		word[length++] = (char)c;
	}
	word[length] = '\0';
	return length > 0;
}

/* Asks (if there is somebody to ask) for a number, and reads it. `what` is a format. */
__attribute__((format(printf, 5, 6)))
static bool read_number(struct reader *reader, int64_t *number, int64_t least, int64_t most, const char *what, ...)
{
	char text[128], word[32], *end = word;
	va_list arguments;

	va_start(arguments, what);
	vsnprintf(text, sizeof text, what, arguments);
	va_end(arguments);
	if (reader->prompts) {
		printf("%s: ", text);
		fflush(stdout);
	}
	int line = reader->line;
	if (!read_word(reader, word, sizeof word)) {
		fprintf(stderr, "bank: %s, after line %d: %s is missing\n", reader->name, line, text);
		return false;
	}
	errno = 0;
	*number = strtoll(word, &end, 10);
	if (errno != 0 || *end != '\0' || *number < least || *number > most) {
		fprintf(stderr, "bank: %s, '%s': %s is a whole number from %" PRId64 " to %" PRId64 "\n", reader->name, word,
			text, least, most);
		return false;
	}
	return true;
}

static bool read_process(struct reader *reader, const struct scenario *scenario, int64_t *process, const char *what,
			 int64_t message)
{
	bool read = message > 0 ? read_number(reader, process, 1, scenario->processes, "%s of message %" PRId64, what, message)
				: read_number(reader, process, 1, scenario->processes, "%s", what);

	*process -= 1;
	return read;
}

static bool read_numbers(struct scenario *scenario, struct reader *reader)
{
	if (!read_number(reader, &scenario->processes, 1, SCENARIO_PROCESSES, "number of processes") || !scenario_allocate(scenario))
		return false;
	for (int64_t i = 0; i < scenario->processes; i++)
		if (!read_number(reader, &scenario->state[i], -SCENARIO_VALUE, SCENARIO_VALUE, "initial state of P%" PRId64, i + 1))
			return false;
	if (!read_number(reader, &scenario->messages, 0, SCENARIO_MESSAGES, "number of messages") || !scenario_allocate(scenario))
		return false;
	for (int64_t i = 0; i < scenario->messages; i++) {
		struct scenario_message *message = &scenario->message[i];
		if (!read_process(reader, scenario, &message->sender, "sender", i + 1) ||
		    !read_process(reader, scenario, &message->receiver, "receiver", i + 1) ||
		    !read_number(reader, &message->value, -SCENARIO_VALUE, SCENARIO_VALUE, "value of message %" PRId64, i + 1))
			return false;
	}
	return read_process(reader, scenario, &scenario->initiator, "initiator of the snapshot", 0);
}

bool scenario_read(struct scenario *scenario, FILE *file, const char *name, bool prompts)
{
	struct reader reader = {.file = file, .name = name, .prompts = prompts, .line = 1};

	*scenario = (struct scenario){0};
	if (read_numbers(scenario, &reader))
		return true;
	scenario_free(scenario);
	return false;
}

bool scenario_open(struct scenario *scenario, const char *path)
{
	if (strcmp(path, "-") == 0)
		return scenario_read(scenario, stdin, "standard input", isatty(STDIN_FILENO));

	FILE *file = fopen(path, "r");
	if (file == NULL) {
		fprintf(stderr, "bank: cannot open '%s': %s\n", path, strerror(errno));
		return false;
	}
	bool read = scenario_read(scenario, file, path, false);
	fclose(file);
	return read;
}

bool scenario_write(const struct scenario *scenario, FILE *file)
{
	fprintf(file, "%" PRId64 "\n", scenario->processes);
	for (int64_t i = 0; i < scenario->processes; i++)
		fprintf(file, "%" PRId64 "\n", scenario->state[i]);
	fprintf(file, "%" PRId64 "\n", scenario->messages);
	for (int64_t i = 0; i < scenario->messages; i++)
		fprintf(file, "%" PRId64 "\n%" PRId64 "\n%" PRId64 "\n", scenario->message[i].sender + 1,
			scenario->message[i].receiver + 1, scenario->message[i].value);
	fprintf(file, "%" PRId64 "\n", scenario->initiator + 1);
	return fflush(file) == 0 && !ferror(file);
}

bool scenario_allocate(struct scenario *scenario)
{
	if (scenario->state == NULL)
		scenario->state = calloc((size_t)scenario->processes, sizeof *scenario->state);
	if (scenario->message == NULL && scenario->messages > 0)
		scenario->message = calloc((size_t)scenario->messages, sizeof *scenario->message);
	if (scenario->state != NULL && (scenario->message != NULL || scenario->messages == 0))
		return true;
	fprintf(stderr, "bank: not enough memory\n");
	return false;
}

void scenario_free(struct scenario *scenario)
{
	free(scenario->state);
	free(scenario->message);
	*scenario = (struct scenario){0};
}
