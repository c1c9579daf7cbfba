/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/terminal.h"

enum { OPTIONS_MOST = 32, HELP = 'h', FIRST = 256 };

/* The name of an option may be "o,output": then -o is the same. */
static char letter_of(const struct command_option *option)
{
	return option->name[0] && option->name[1] == ',' ? option->name[0] : 0;
}

static const char *name_of(const struct command_option *option)
{
	return option->name + (letter_of(option) ? 2 : 0);
}

struct heading { char text[64]; };

/* "-o, --output PATH" */
static struct heading heading_of(const struct command_option *option)
{
	struct heading heading;
	char letter[] = { '-', letter_of(option), ',', ' ', 0 };

	snprintf(heading.text, sizeof heading.text, "%s--%s%s%s", letter_of(option) ? letter : "", name_of(option), option->value ? " " : "",
		 option->value ? option->value : "");
	return heading;
}

/* A paragraph whose lines do not fit is filled anew; of a list each line is. */
static void print_paragraph(char *text, size_t width)
{
	bool list = strstr(text, "\n ") != NULL, fits = true;
	char *rest = text;

	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
		fits = fits && strcspn(at, "\n") <= width;
	for (char *at = text; !fits && !list && *at; at++)
		*at = *at == '\n' ? ' ' : *at;
	for (char *line; (line = strsep(&rest, "\n"));)
		terminal_print_filled(list ? 9 : 0, TERMINAL_PLAIN, NULL, "%s", line);
	putchar('\n');
}

static void print_paragraphs(const char *text)
{
	size_t width = terminal_width() ? terminal_width() : SIZE_MAX;

	while (*text) {
		const char *end = strstr(text, "\n\n");
		char *paragraph = strndup(text, end ? (size_t)(end - text) : strlen(text));

		text += paragraph ? strlen(paragraph) : strlen(text);
		text += strspn(text, "\n");
		if (paragraph)
			print_paragraph(paragraph, width);
		free(paragraph);
	}
}

static void print_synopsis(const char *synopsis)
{
	enum { INDENT = sizeof "usage: seamark " - 1 };
	char *copy = strdup(synopsis), *rest = copy;

	for (char *line; rest && (line = strsep(&rest, "\n"));)
		terminal_print_filled(INDENT, TERMINAL_PLAIN, NULL, "%s%s", line == copy ? "usage: seamark " : "", line);
	free(copy);
	putchar('\n');
}

static void help_lines(const struct command_usage *usage)
{
	int width = 18;

	print_synopsis(usage->synopsis);
	print_paragraphs(usage->description);
	for (const struct command_option *option = usage->options; option->name; option++)
		if ((int)strlen(heading_of(option).text) > width)
			width = (int)strlen(heading_of(option).text);
	for (const struct command_option *option = usage->options; option->name; option++)
		terminal_print_filled((size_t)width + 3, TERMINAL_PLAIN, NULL, "  %-*s %s", width, heading_of(option).text, option->help);
	printf("  %-*s %s\n", width, "-h, --help", "this text");
}

/* The description without its last paragraph, which is `Exit status: ...`, and that. */
static json_t *help_texts(const struct command_usage *usage)
{
	const char *exit_status = strstr(usage->description, "\n\nExit status: ");
	size_t length = exit_status ? (size_t)(exit_status - usage->description) : strlen(usage->description);

	return json_pack("{s:s, s:s%, s:s}", "synopsis", usage->synopsis, "description", usage->description, length, "exit_status",
			 exit_status ? exit_status + strlen("\n\nExit status: ") : "");
}

/* What the manual pages are made of. */
static int help_json(const struct command_usage *usage)
{
	json_t *document = help_texts(usage), *list = json_array();

	for (const struct command_option *option = usage->options; option->name; option++) {
		char letter[] = { letter_of(option), 0 };

		json_array_append_new(list, json_pack("{s:s?, s:s, s:s?, s:s}", "letter", letter[0] ? letter : NULL, "name", name_of(option), "value",
						      option->value, "help", option->help));
	}
	json_object_set_new(document, "options", list);
	return command_print_json(document);
}

bool command_is_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--json"))
			return true;
	return false;
}

static int help(const struct command_usage *usage, int argc, char **argv)
{
	if (command_is_json(argc, argv))
		return help_json(usage);
	help_lines(usage);
	return EXIT_FINE;
}

static int wrong(const struct command_usage *usage, const char *why, const char *what)
{
	command_complain("%s%s%s%s", why, what ? " '" : "", what ? what : "", what ? "'" : "");
	fprintf(stderr, "usage: seamark %s\n", usage->synopsis);
	return EXIT_USAGE;
}

static int no_such_option(const struct command_usage *usage, const char *given)
{
	size_t dashes = strspn(given, "-"), length = strcspn(given + dashes, "=");
	char word[32] = "";
	struct command_guess guess = { .given = word };

	if (dashes == 2 && length < sizeof word) {
		memcpy(word, given + dashes, length);
		for (const struct command_option *option = usage->options; option->name; option++)
			command_guess_try(&guess, name_of(option));
		command_guess_try(&guess, "help");
	}
	if (!command_guess(&guess))
		return wrong(usage, "there is no option", given);
	command_complain("there is no option '%s'; did you mean '--%s'?", given, command_guess(&guess));
	fprintf(stderr, "usage: seamark %s\n", usage->synopsis);
	return EXIT_USAGE;
}

static void fill_table(const struct command_usage *usage, struct option *table, char *letters)
{
	size_t count = 0;

	*letters++ = ':';
	*letters++ = HELP;
	for (; usage->options[count].name; count++) {
		const struct command_option *option = &usage->options[count];

		table[count] = (struct option){ name_of(option), option->value ? required_argument : no_argument, NULL, FIRST + (int)count };
		if (letter_of(option))
			*letters++ = letter_of(option);
		if (letter_of(option) && option->value)
			*letters++ = ':';
	}
	table[count] = (struct option){ "help", no_argument, NULL, HELP };
	*letters = 0;
}

static const struct command_option *option_of(const struct command_usage *usage, int found)
{
	const struct command_option *option = usage->options;

	if (found >= FIRST)
		return &option[found - FIRST];
	while (option->name && (found == '?' || found == ':' || letter_of(option) != found))
		option++;
	return option->name ? option : NULL;
}

/* Whether a command that can print JSON is asked to: known before anything is said of the other options. */
static bool is_for_programs(const struct command_usage *usage, int argc, char **argv)
{
	const struct command_option *option = usage->options;

	while (option->name && strcmp(option->name, "json") != 0)
		option++;
	return option->name && command_is_json(argc, argv);
}

bool command_parse(const struct command_usage *usage, int *argc, char ***argv, int *status)
{
	struct option table[OPTIONS_MOST + 2] = {0};
	char letters[2 * OPTIONS_MOST + 3];
	int found;

	if (is_for_programs(usage, *argc, *argv))
		command_for_programs();
	fill_table(usage, table, letters);
	opterr = 0;
	while ((found = getopt_long(*argc, *argv, letters, table, NULL)) != -1) {
		const struct command_option *option = option_of(usage, found);

		if (found == HELP) {
			*status = help(usage, *argc, *argv);
			return false;
		}
		if (!option) {
			*status = found == ':' ? wrong(usage, "a value is missing after", (*argv)[optind - 1]) : no_such_option(usage, (*argv)[optind - 1]);
			return false;
		}
		if (option->value)
			*option->text = optarg;
		else
			*option->flag = 1;
	}
	*argc -= optind;
	*argv += optind;
	if (*argc < usage->least || *argc > usage->most) {
		*status = wrong(usage, *argc < usage->least ? "something is missing" : "this is one too many:",
				*argc < usage->least ? NULL : (*argv)[usage->most]);
		return false;
	}
	return true;
}

bool command_whole(const char *text, int64_t most, int64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoll(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *number <= most;
}
