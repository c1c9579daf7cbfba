/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded into a command: it is on another host, whose locks are its own. */
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

__attribute__((visibility("default"))) int gethostname(char *name, size_t room)
{
	memset(name, 0, room);
	strncpy(name, "elsewhere", room ? room - 1 : 0);
	return 0;
}

__attribute__((visibility("default"))) int flock(int fd, int operation)
{
	(void)fd;
	(void)operation;
	return 0;
}
