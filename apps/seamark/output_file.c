/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that the command writes for people: whole under their name, or not at all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

static bool write_whole(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "w");
	bool good = file && fwrite(text, 1, size, file) == size;

	return file && !fclose(file) && good;
}

bool command_write_file(const char *path, const char *text, size_t size)
{
	char *temporary = NULL;
	bool good;

	if (!strcmp(path, "-"))
		return fwrite(text, 1, size, stdout) == size && !fflush(stdout);
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
