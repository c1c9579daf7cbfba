/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>

#include "command/command.h"

static int keep(const struct seamark_files_entry *entry, int off, int json)
{
	if (seamark_files_pin(entry->path, !off)) {
		command_complain("%s", seamark_files_error());
		return EXIT_CANNOT_READ;
	}
	if (json)
		return command_print_json(json_pack("{s:I, s:b}", "number", (json_int_t)entry->number, "pinned", !off));
	command_print(off ? "checkpoint %" PRIu64 " may be retired again" : "checkpoint %" PRIu64 " is kept until `seamark keep --off %" PRIu64 "`",
		      entry->number, entry->number);
	return EXIT_FINE;
}

int command_keep(int argc, char **argv)
{
	const char *given = NULL;
	int json = 0, off = 0, status;
	const struct command_option options[] = {
		{ "off", NULL, "let it be retired again", NULL, &off },
		COMMAND_DIR(&given),
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "keep [--off] [--dir DIR] [--json] N",
		"Keeps checkpoint N (a number, or the path of its folder) from being retired, whatever SEAMARK_KEEP says.\n\n"
		"Exit status: 0, 2 wrong usage, 3 there is no such checkpoint, or its folder may not be changed.", options, 1, 1 };
	struct seamark_files_entry entry;
	seamark_files *files;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	status = command_find(command_folder(given), argv[0], &files, &entry) ? keep(&entry, off, json) : EXIT_CANNOT_READ;
	seamark_files_close(files);
	return status;
}
