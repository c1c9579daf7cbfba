/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>

#include "command/command.h"
#include "command/terminal.h"

static int compact(const struct seamark_files_entry *entry, int json)
{
	struct seamark_files_compaction done;
	int code = entry->status;

	if (code) {
		command_complain("%s", entry->problem);
		return code == SEAMARK_E_DAMAGED ? EXIT_PROBLEMS : EXIT_CANNOT_READ;
	}
	progress_begin("compacting", entry->bytes + entry->referred_bytes);
	code = seamark_files_compact(entry->path, &done);
	progress_end();
	if (code) {
		command_complain("%s", seamark_files_error());
		return code == SEAMARK_E_DAMAGED || code == SEAMARK_E_RUN ? EXIT_PROBLEMS : EXIT_CANNOT_READ;
	}
	if (json)
		return command_print_json(json_pack("{s:I, s:I, s:I, s:I}", "number", (json_int_t)entry->number, "parents_before",
						    (json_int_t)done.parents, "bytes_before", (json_int_t)done.bytes_before, "bytes",
						    (json_int_t)done.bytes_after));
	if (done.parents)
		command_print("checkpoint %" PRIu64 " needs no other any more: %s, before %s", entry->number, command_size(done.bytes_after).text,
			      command_size(done.bytes_before).text);
	else
		command_print("checkpoint %" PRIu64 " needs no other: nothing to do", entry->number);
	return EXIT_FINE;
}

int command_compact(int argc, char **argv)
{
	const char *given = NULL;
	int json = 0, status;
	const struct command_option options[] = {
		COMMAND_DIR(&given),
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "compact [--dir DIR] [--json] [N]",
		"Makes checkpoint N (a number, or the path of its folder; the newest, if it is left out) hold all its bytes itself, so that it\n"
		"needs no other checkpoint's files: to take it elsewhere, or to be rid of the others. What no checkpoint needs any more after\n"
		"that is removed. Killed at any moment it leaves the checkpoint whole. A run that uses the folder has to end first.\n\n"
		"Exit status: 0, 1 the checkpoint is damaged and was left as it is, 2 wrong usage, 3 there is no such checkpoint, a run uses\n"
		"the folder, or it may not be changed.", options, 0, 1 };
	struct seamark_files_entry entry;
	seamark_files *files;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	status = command_find(command_folder(given), argc ? argv[0] : NULL, &files, &entry) ? compact(&entry, json) : EXIT_CANNOT_READ;
	seamark_files_close(files);
	return status;
}
