/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark: looks after checkpoints, without MPI and without the program that made them. */
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "command/terminal.h"

static const struct command commands[] = {
	{ "run", command_run, "run a program, and restart it from its checkpoints when it fails" },
	{ "list", command_list, "the checkpoints there are" },
	{ "show", command_show, "what is in a checkpoint" },
	{ "verify", command_verify, "prove that checkpoints are whole and lost no message" },
	{ "messages", command_messages, "what was in flight at a checkpoint" },
	{ "trace", command_trace, "what happened around a snapshot, step by step" },
	{ "diff", command_diff, "where two checkpoints differ" },
	{ "export", command_export, "write whole arrays for HDF5, NumPy, VTK" },
	{ "keep", command_keep, "keep a checkpoint from being retired" },
	{ "prune", command_prune, "remove checkpoints that are not wanted" },
	{ "compact", command_compact, "make a checkpoint hold all its bytes itself" },
	{ "snapshot", command_snapshot, "ask a running program for a checkpoint, and wait for it" },
	{ "watch", command_watch, "how a running program is doing, live" },
	{ "plan", command_plan, "how often a checkpoint is worth it, and what was lost so far" },
	{ "explain", command_explain, "who waits for whom in a program that runs, or hangs" },
	{ "report", command_report, "write a page about a run, with charts" },
	{ "doctor", command_doctor, "what would keep a program's checkpoints from being taken, before it runs" },
	{ "slurm-script", command_slurm_script, "write a batch script for Slurm" },
	{ "settings", command_settings, "the settings that a run reads from its environment" },
};

static const char usage[] = "usage: seamark COMMAND [OPTIONS]\n\nLooks after checkpoints.\n\n";
static const char *const others[] = { "  -h, --help     this text; after a command, its options; with --json for programs", "  --version      the version" };
static const char statuses[] = "Exit status: 0 fine, 1 problems were found, 2 wrong usage, 3 something could not be read or written.";
enum { INDENT = 17 };

static void help(void)
{
	fputs(usage, stdout);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		terminal_print_filled(INDENT - 1, TERMINAL_PLAIN, NULL, "  %-12s  %s", commands[i].name, commands[i].summary);
	putchar('\n');
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		terminal_print_filled(INDENT, TERMINAL_PLAIN, NULL, "%s", others[i]);
	putchar('\n');
	terminal_print_filled(0, TERMINAL_PLAIN, NULL, "%s", statuses);
}

/* To somebody who has mistyped. */
static void complain(void)
{
	fputs(usage, stderr);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		fprintf(stderr, "  %-12s  %s\n", commands[i].name, commands[i].summary);
	fprintf(stderr, "\n%s\n%s\n\n%s\n", others[0], others[1], statuses);
}

static int help_json(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", commands[i].name, "summary", commands[i].summary));
	return command_print_json(json_pack("{s:s, s:o}", "version", seamark_version(), "commands", list));
}

/* Whether a word was found that may have been meant. */
static bool guess_at(const char *name)
{
	struct command_guess guess = { .given = name };

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		command_guess_try(&guess, commands[i].name);
	if (!command_guess(&guess))
		return false;
	command_complain("there is no command '%s'; did you mean '%s'?", name, command_guess(&guess));
	return true;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "-h") || !strcmp(name, "--help")) {
		if (command_is_json(argc, argv))
			return help_json();
		help();
		return EXIT_FINE;
	}
	if (!strcmp(name, "--version")) {
		command_print("seamark %s", seamark_version());
		return EXIT_FINE;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (!strcmp(name, commands[i].name))
			return command_end(commands[i].run(argc - 1, argv + 1));
	if (argc > 1 && guess_at(name))
		return EXIT_USAGE;
	if (argc > 1)
		command_complain("there is no command '%s'", name);
	complain();
	return EXIT_USAGE;
}
