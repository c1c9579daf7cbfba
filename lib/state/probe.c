/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/probe.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FEW_PAGES 256
#define PLACES 64
#define NO_PROCESS -1L

/* The kernel reads a byte of a mask there before it finds that there is no process to give it to, and says so if it cannot, instead of raising a signal. No file is needed for that, which
 * the program might close, and one call takes 0.1 us: there may be hundreds of thousands of regions. Not process_vm_readv: sandboxes forbid it, and it refuses mappings that a copy may read. */
static bool can_read(uintptr_t at)
{
	return !syscall(SYS_sched_setaffinity, NO_PROCESS, (size_t)1, at) || errno != EFAULT;
}

/* A place of each page when they are few; else the first, the last and those at equal distances between. */
static bool can_read_places(uintptr_t first, uintptr_t last, uintptr_t page)
{
	uintptr_t pages = last / page - first / page + 1, count = pages <= FEW_PAGES ? pages : PLACES;

	for (uintptr_t i = 1; i + 1 < count; i++)
		if (!can_read((first / page + (pages - 1) * i / (count - 1)) * page))
			return false;
	return can_read(first) && can_read(last);
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
		char right;

		if (sscanf(line, "%lx-%lx %c", &from, &to, &right) != 3 || to <= next)
			continue;
		if (from > next || right != 'r')
			break;
		next = to;
		covered = to > last;
	}
	free(line);
	fclose(file);
	return covered;
}

bool probe_readable(const void *data, size_t bytes)
{
	static uintptr_t page;
	uintptr_t first = (uintptr_t)data, last = first + (bytes - 1);

	if (!page)
		page = (uintptr_t)sysconf(_SC_PAGESIZE);
	if (last < first || !can_read_places(first, last, page))
		return false;
	return last / page - first / page < FEW_PAGES || mapped_throughout(first, last);
}
