/* SPDX-License-Identifier: BSD-3-Clause */
/* Before the C library: a disk on which each read takes SLOW_READS_MS. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef ssize_t (*pread_type)(int, void *, size_t, off_t);

__attribute__((visibility("default"))) ssize_t pread(int fd, void *to, size_t size, off_t offset);

ssize_t pread(int fd, void *to, size_t size, off_t offset)
{
	static pread_type next;
	const char *ms = getenv("SLOW_READS_MS");
	const struct timespec pause = { .tv_nsec = (ms ? atol(ms) : 0) * 1000000 };

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "pread64");
	nanosleep(&pause, NULL);
	return next(fd, to, size, offset);
}

__attribute__((visibility("default"), alias("pread"))) ssize_t pread64(int fd, void *to, size_t size, off_t offset);
