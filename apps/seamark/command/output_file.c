/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that the command writes for people: whole under their name, or not at all. What is no file (a pipe, /dev/null) is written to as it is, and never replaced. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"

static bool write_whole(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "w");
	bool good = file && fwrite(text, 1, size, file) == size;

	return file && !fclose(file) && good;
}

bool command_write_file(const char *path, const char *text, size_t size)
{
	char *temporary = NULL;
	struct stat about;
	bool good;

	if (!strcmp(path, "-"))
		return fwrite(text, 1, size, stdout) == size && !fflush(stdout);
	if (!stat(path, &about) && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) {
		good = write_whole(path, text, size);
		if (!good)
			command_complain("cannot write '%s': %s", path, strerror(errno));
		return good;
	}
	if (asprintf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)
		return false;
	good = write_whole(temporary, text, size) && !rename(temporary, path);
	if (!good) {
		int error = errno;

		unlink(temporary);
		command_complain("cannot write '%s': %s", path, strerror(error));
	}
	free(temporary);
	return good;
}
