/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "command/terminal.h"

static const struct terminal_column columns[] = {
	{ "number", 8, 0 }, { "life", 5, 2 }, { "step", 12, 0 }, { "taken", -19, 5 }, { "ranks", 7, 3 }, { "size", 10, 0 }, { "in flight", 18, 4 }, { "held", 12, 1 },
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void print_entry(const struct terminal_table *table, const struct seamark_files_entry *entry)
{
	struct command_text elsewhere = command_elsewhere(entry), step = command_step(entry->step), taken = command_time(entry->taken_ns),
			    size = command_size(entry->bytes), flown = command_size(entry->message_bytes);
	char number[24], life[12], ranks[12], flight[96], held[32], tail[96];

	snprintf(number, sizeof number, "%" PRIu64, entry->number);
	snprintf(life, sizeof life, "%" PRIu32, entry->life);
	snprintf(ranks, sizeof ranks, "%" PRIu32, entry->ranks);
	snprintf(flight, sizeof flight, "%" PRIu64 " (%s)", entry->messages, flown.text);
	snprintf(held, sizeof held, "%.6f s", entry->held_s);
	snprintf(tail, sizeof tail, "%s%s%s", entry->pinned ? "  kept" : "", elsewhere.text[0] ? "  and " : "", elsewhere.text);
	if (entry->status)
		terminal_print_filled(16, TERMINAL_BAD, entry->problem, "%8s %5s  %s", number, life, entry->problem);
	else
		terminal_table_row(table, (const char *[COLUMNS]){ number, life, step.text, taken.text, ranks, size.text, flight, held }, tail);
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
	struct terminal_table table;
	size_t tail = 0;

	if (!seamark_files_count(files)) {
		command_complain("there is no checkpoint in '%s'", folder);
		return EXIT_FINE;
	}
	for (size_t i = 0; !seamark_files_entry_at(files, i, &entry); i++)
		tail = entry.pinned ? strlen("  kept") : tail;
	terminal_table_begin(&table, columns, COLUMNS, tail);
	for (size_t i = 0; !seamark_files_entry_at(files, i, &entry); i++)
		print_entry(&table, &entry);
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
