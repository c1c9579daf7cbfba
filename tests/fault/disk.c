/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk that fails, to be preloaded. DISK_FAILS says how, for files of checkpoints only:
 *   full:N   from the N-th write to an image on, the disk is full, for DISK_FOR writes (default: for good)
 *   none     it does not
 *   fsync:N  the N-th fsync of an image fails with an input/output error
 *   name:N   the N-th rename of a manifest into place fails
 *   folder:N the N-th fsync of a checkpoint's folder that has its manifest fails with an input/output error
 * Writes are counted per process, those by io_uring among them. DISK_RING=refused: io_uring cannot be had. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "uring.h"

static atomic_long calls;

static bool is_image(int fd)
{
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof path - 1);
	if (size < 0)
		return false;
	path[size] = 0;
	return strstr(path, ".smk") != NULL && strstr(path, "rank") != NULL;
}

static bool is_published_folder(int fd)
{
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof path - 64);
	if (size < 0)
		return false;
	strcpy(path + size, "/manifest.json");
	return access(path, F_OK) == 0;
}

/* Whether this call of a kind is one that fails. */
static bool fails(const char *kind)
{
	const char *how = getenv("DISK_FAILS"), *last = getenv("DISK_FOR");
	size_t length = strlen(kind);
	if (!how || strncmp(how, kind, length) != 0 || how[length] != ':')
		return false;
	long call = atomic_fetch_add(&calls, 1) + 1, first = atol(how + length + 1);
	return call >= first && (!last || call < first + atol(last));
}

static bool uring_refused(void)
{
	const char *how = getenv("DISK_RING");
	return how && strcmp(how, "refused") == 0;
}

static int uring_fate(int fd)
{
	return is_image(fd) && fails("full") ? -ENOSPC : 0;
}

static int uring_result(int fd, int result)
{
	(void)fd;
	return result;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pwrite");
	if (is_image(fd) && fails("full")) {
		errno = ENOSPC;
		return -1;
	}
	return real(fd, data, size, offset);
}

int fsync(int fd)
{
	static int (*real)(int);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fsync");
	if ((is_image(fd) && fails("fsync")) || (is_published_folder(fd) && fails("folder"))) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}

int rename(const char *from, const char *to)
{
	static int (*real)(const char *, const char *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "rename");
	if (strstr(to, "manifest.json") && fails("name")) {
		errno = EIO;
		return -1;
	}
	return real(from, to);
}
