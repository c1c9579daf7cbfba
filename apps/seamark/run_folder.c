/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "run.h"
#include "seamark_files.h"

struct path { char text[4096]; };

static struct path stop_file(const char *folder)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "%s/stop", folder);
	return path;
}

struct run_newest run_newest(const char *folder)
{
	struct run_newest newest = { 0 };
	struct seamark_files_entry entry;
	seamark_files *files;

	if (seamark_files_open(&files, folder))
		return newest;
	for (size_t i = seamark_files_count(files); i-- && !newest.number;)
		if (!seamark_files_entry_at(files, i, &entry) && !entry.status)
			newest = (struct run_newest){ entry.number, entry.step, entry.taken_ns };
	seamark_files_close(files);
	return newest;
}

bool run_ask_to_stop(const char *folder)
{
	int fd = open(stop_file(folder).text, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

	return fd >= 0 && !close(fd);
}

bool run_is_asked_to_stop(const char *folder)
{
	return !access(stop_file(folder).text, F_OK);
}

void run_take_stop_back(const char *folder)
{
	unlink(stop_file(folder).text);
}
