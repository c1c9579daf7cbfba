/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Within IOV_MAX, and within a pipe of one page. */
#define FEW_PAGES 256
#define PLACES 64

/* The kernel copies a byte of each place into a pipe, as a program's own read would; where it cannot, it says so instead of
 * raising a signal. Not process_vm_readv: sandboxes forbid it, and it refuses mappings that a copy may read. */
static int ask_kernel(struct iovec *places, int count, bool *readable, struct fault *fault)
{
	int ends[2];
	ssize_t size;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return fault_errno(fault, "cannot make a pipe to look at memory with");
	/* Not by the C library's name: a sanitizer would judge the places itself. */
	size = syscall(SYS_writev, ends[1], places, count);
	*readable = size == count;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* One byte of each page when they are few; else of the first, the last and those at equal distances between. */
static int ask_at_places(uintptr_t first, uintptr_t last, uintptr_t page, bool *readable, struct fault *fault)
{
	struct iovec places[FEW_PAGES];
	uintptr_t pages = last / page - first / page + 1;
	int count = pages <= FEW_PAGES ? (int)pages : PLACES;

	for (int i = 0; i < count; i++) {
		uintptr_t number = count < 2 ? 0 : (pages - 1) * (uintptr_t)i / (uintptr_t)(count - 1);
		uintptr_t at = (first / page + number) * page;

		if (i == 0)
			at = first;
		else if (i == count - 1)
			at = last;
		places[i] = (struct iovec){ (void *)at, 1 };
	}
	return ask_kernel(places, count, readable, fault);
}

/* Whether readable mappings cover it without a gap. True if the list cannot be had. */
static bool mapped_throughout(uintptr_t first, uintptr_t last)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char *line = NULL;
	size_t room = 0;
	uintptr_t next = first;
	bool covered = false;

	if (!file)
		return true;
	while (!covered && getline(&line, &room, file) > 0) {
		unsigned long from, to;
		char can_read;

		if (sscanf(line, "%lx-%lx %c", &from, &to, &can_read) != 3 || to <= next)
			continue;
		if (from > next || can_read != 'r')
			break;
		next = to;
		covered = to > last;
	}
	free(line);
	fclose(file);
	return covered;
}

int probe_readable(const void *data, size_t bytes, bool *readable, struct fault *fault)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t)data, last = first + (bytes - 1);
	int result;

	*readable = false;
	if (last < first)
		return 0;
	result = ask_at_places(first, last, page, readable, fault);
	if (!result && *readable && last / page - first / page >= FEW_PAGES)
		*readable = mapped_throughout(first, last);
	return result;
}
