/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

enum { OPTIONS_MOST = 16, HELP = 'h', FIRST = 256 };

/* The name of an option may be "o,output": then -o is the same. */
static char letter_of(const struct command_option *option)
{
	return option->name[0] && option->name[1] == ',' ? option->name[0] : 0;
}

static const char *name_of(const struct command_option *option)
{
	return option->name + (letter_of(option) ? 2 : 0);
}

static void help(const struct command_usage *usage)
{
	printf("usage: seamark %s\n\n%s\n\n", usage->synopsis, usage->description);
	for (const struct command_option *option = usage->options; option->name; option++) {
		char name[64], letter[] = { '-', letter_of(option), ',', ' ', 0 };

		snprintf(name, sizeof name, "%s--%s%s%s", letter_of(option) ? letter : "", name_of(option), option->value ? " " : "",
			 option->value ? option->value : "");
		printf("  %-18s %s\n", name, option->help);
	}
	printf("  %-18s %s\n", "-h, --help", "this text");
}

static int wrong(const struct command_usage *usage, const char *why, const char *what)
{
	command_complain("%s%s%s%s", why, what ? " '" : "", what ? what : "", what ? "'" : "");
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

bool command_parse(const struct command_usage *usage, int *argc, char ***argv, int *status)
{
	struct option table[OPTIONS_MOST + 2] = {0};
	char letters[2 * OPTIONS_MOST + 3];
	int found;

	fill_table(usage, table, letters);
	opterr = 0;
	while ((found = getopt_long(*argc, *argv, letters, table, NULL)) != -1) {
		const struct command_option *option = option_of(usage, found);

		if (found == HELP) {
			help(usage);
			*status = EXIT_FINE;
			return false;
		}
		if (!option) {
			*status = wrong(usage, found == ':' ? "a value is missing after" : "there is no option", (*argv)[optind - 1]);
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
