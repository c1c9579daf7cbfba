/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

enum { OPTIONS_MOST = 16, HELP = 'h', FIRST = 256 };

static void help(const struct command_usage *usage)
{
	printf("usage: seamark %s\n\n%s\n\n", usage->synopsis, usage->description);
	for (const struct command_option *option = usage->options; option->name; option++) {
		char name[64];

		snprintf(name, sizeof name, "--%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
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

static size_t fill_table(const struct command_usage *usage, struct option *table)
{
	size_t count = 0;

	for (; usage->options[count].name; count++)
		table[count] = (struct option){ usage->options[count].name, usage->options[count].value ? required_argument : no_argument, NULL,
			FIRST + (int)count };
	table[count++] = (struct option){ "help", no_argument, NULL, HELP };
	return count;
}

bool command_parse(const struct command_usage *usage, int *argc, char ***argv, int *status)
{
	struct option table[OPTIONS_MOST + 2] = {0};
	int found;

	fill_table(usage, table);
	opterr = 0;
	while ((found = getopt_long(*argc, *argv, ":h", table, NULL)) != -1) {
		const struct command_option *option = found >= FIRST ? &usage->options[found - FIRST] : NULL;

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
