/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"

static void print_entry(const struct seamark_files_entry *entry)
{
	struct command_text elsewhere = command_elsewhere(entry);
	char flight[96];

	if (entry->status) {
		command_print("%8" PRIu64 " %5" PRIu32 "  %s", entry->number, entry->life, entry->problem);
		return;
	}
	snprintf(flight, sizeof flight, "%" PRIu64 " (%s)", entry->messages, command_size(entry->message_bytes).text);
	command_print("%8" PRIu64 " %5" PRIu32 " %12s  %s %7" PRIu32 " %10s %18s %10.6f s%s%s%s", entry->number, entry->life,
		      command_step(entry->step).text, command_time(entry->taken_ns).text, entry->ranks, command_size(entry->bytes).text, flight,
		      entry->held_s, entry->pinned ? "  kept" : "", elsewhere.text[0] ? "  and " : "", elsewhere.text);
}

static int list_json(const seamark_files *files)
{
	json_t *list = json_array();
	struct seamark_files_entry entry;

	for (size_t i = 0; !seamark_files_entry_at(files, i, &entry); i++)
		json_array_append_new(list, command_json_entry(&entry));
	return command_print_json(json_pack("{s:o}", "checkpoints", list));
}

static int list_lines(const seamark_files *files, const char *folder)
{
	struct seamark_files_entry entry;

	if (!seamark_files_count(files)) {
		command_complain("there is no checkpoint in '%s'", folder);
		return EXIT_FINE;
	}
	command_print("%8s %5s %12s  %-19s %7s %10s %18s %12s", "number", "life", "step", "taken", "ranks", "size", "in flight", "held");
	for (size_t i = 0; !seamark_files_entry_at(files, i, &entry); i++)
		print_entry(&entry);
	return EXIT_FINE;
}

int command_list(int argc, char **argv)
{
	const char *given = NULL;
	int json = 0, status;
	const struct command_option options[] = {
		COMMAND_DIR(&given),
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "list [--dir DIR] [--json]",
		"The checkpoints there are, oldest first: number, life of the run that took it, step, when it was asked for,\n"
		"ranks, size, messages in flight, and the longest time that a rank was held for it; then what it has in the files of\n"
		"other checkpoints, which stay as long as it does. Checkpoints whose manifest is damaged are named as such.\n\nExit status: 0, 2 wrong usage, 3 the folder cannot be read.", options, 0, 0 };
	const char *folder;
	seamark_files *files;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	folder = command_folder(given);
	files = command_open(folder);
	if (!files)
		return EXIT_CANNOT_READ;
	status = json ? list_json(files) : list_lines(files, folder);
	seamark_files_close(files);
	return status;
}
