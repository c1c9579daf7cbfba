/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"

const char *command_folder(const char *given)
{
	const char *set = getenv("SEAMARK_DIR");

	if (given)
		return given;
	return set && set[0] ? set : "seamark";
}

seamark_files *command_open(const char *folder)
{
	seamark_files *files;

	if (!seamark_files_open(&files, folder))
		return files;
	command_complain("%s", seamark_files_error());
	return NULL;
}

static bool find_newest(const seamark_files *files, struct seamark_files_entry *entry)
{
	for (size_t i = seamark_files_count(files); i--;)
		if (!seamark_files_entry_at(files, i, entry) && !entry->status)
			return true;
	command_complain("there is no checkpoint");
	return false;
}

/* A checkpoint that is anywhere: its folder need not be among the others. */
static bool find_path(const char *path, struct seamark_files_entry *entry)
{
	static struct seamark_files_parent parents[64];
	const size_t most = sizeof parents / sizeof parents[0];
	seamark_files_checkpoint *checkpoint;

	if (seamark_files_checkpoint_open(&checkpoint, path)) {
		command_complain("%s", seamark_files_error());
		return false;
	}
	seamark_files_checkpoint_entry(checkpoint, entry);
	entry->parent_count = entry->parent_count < most ? entry->parent_count : most;
	memcpy(parents, entry->parents, entry->parent_count * sizeof *parents);
	entry->parents = parents;
	seamark_files_checkpoint_close(checkpoint);
	entry->path = path;
	return true;
}

static bool find_number(const seamark_files *files, const char *which, struct seamark_files_entry *entry)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(which, &end, 10);
	if (which[0] < '0' || which[0] > '9' || *end || errno) {
		command_complain("'%s' is neither the number of a checkpoint nor the path of its folder", which);
		return false;
	}
	if (!seamark_files_entry_of(files, number, entry))
		return true;
	command_complain("%s", seamark_files_error());
	return false;
}

bool command_find(const char *folder, const char *which, seamark_files **files, struct seamark_files_entry *entry)
{
	*files = NULL;
	if (which && strchr(which, '/'))
		return find_path(which, entry);
	*files = command_open(folder);
	if (!*files)
		return false;
	return which ? find_number(*files, which, entry) : find_newest(*files, entry);
}
