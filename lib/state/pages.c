/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The headers may be older than the kernel. */
#define FEATURE_WP (UINT64_C(1) << 0)
#define FEATURE_WP_UNPOPULATED (UINT64_C(1) << 13)
#define FEATURE_WP_ASYNC (UINT64_C(1) << 15)
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

struct scan {
	uint64_t size, flags, start, end, walk_end, ranges, room, most_pages, inverted, all_of, any_of, wanted;
};
#define SCAN _IOWR('f', 16, struct scan)
enum { SCAN_PROTECT = 1, SCAN_CHECK_WATCHED = 2, WRITTEN = 2 };

struct pages {
	int faults;
	int map;
	int status;
	double fault_ns;
};

static uintptr_t page_size(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}

bool pages_watch(struct pages *pages, uintptr_t from, uintptr_t to)
{
	struct uffdio_register watch = { .range = { from, to - from }, .mode = UFFDIO_REGISTER_MODE_WP };

	if (!ioctl(pages->faults, UFFDIO_REGISTER, &watch))
		return true;
	/* It may have come to a part of it. */
	pages_leave(pages, from, to);
	return false;
}

void pages_leave(struct pages *pages, uintptr_t from, uintptr_t to)
{
	struct uffdio_range range = { from, to - from };

	ioctl(pages->faults, UFFDIO_UNREGISTER, &range);
}

long pages_written(struct pages *pages, uintptr_t *from, uintptr_t to, struct pages_range *ranges, size_t room)
{
	struct scan scan = {
		.size = sizeof scan, .flags = SCAN_PROTECT | SCAN_CHECK_WATCHED, .start = *from, .end = to,
		.ranges = (uintptr_t)ranges, .room = room, .all_of = WRITTEN, .wanted = WRITTEN,
	};
	long count;

	do
		count = ioctl(pages->map, SCAN, &scan);
	while (count < 0 && errno == EINTR);
	if (count < 0 || scan.walk_end <= *from)
		return -1;
	*from = (uintptr_t)scan.walk_end;
	return count;
}

double pages_fault_ns(const struct pages *pages)
{
	return pages->fault_ns;
}

/* Registered memory of network cards and of io_uring is counted there; xpmem maps memory of one process into another, and says so nowhere. */
bool pages_are_held(struct pages *pages)
{
	char text[4096];
	ssize_t size = pread(pages->status, text, sizeof text - 1, 0);
	const char *pinned;

	if (size <= 0)
		return true;
	text[size] = 0;
	pinned = strstr(text, "\nVmPin:");
	return !pinned || strtoull(pinned + strlen("\nVmPin:"), NULL, 10) > 0 || !access("/dev/xpmem", F_OK);
}

/* --- is it as it should be? ------------------------------------------------------------------------------------------ */

#define TRIED_PAGES 512

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* How many pages the kernel says were written; negative: it is not watched. */
static long count_written(struct pages *pages, uint8_t *from, size_t bytes)
{
	struct pages_range ranges[64];
	uintptr_t at = (uintptr_t)from, end = at + bytes;
	long written = 0;

	while (at < end) {
		long count = pages_written(pages, &at, end, ranges, 64);

		if (count < 0)
			return count;
		for (long i = 0; i < count; i++)
			written += (long)((ranges[i].to - ranges[i].from) / page_size());
	}
	return written;
}

static bool write_through_kernel(uint8_t *to)
{
	int ends[2];
	bool done;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	done = write(ends[1], "x", 1) == 1 && read(ends[0], to, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return done;
}

static void touch(uint8_t *data, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += page_size())
		((volatile uint8_t *)data)[at] = 1;
}

/* Writes of each kind are noticed, once; so is memory that was given back, a page or a whole table of them, and memory that is another mapping now. */
static bool notices_all(struct pages *pages, uint8_t *data, size_t bytes)
{
	size_t page = page_size();
	int64_t began;

	touch(data, bytes);
	if (!pages_watch(pages, (uintptr_t)data, (uintptr_t)data + bytes) || count_written(pages, data, bytes) != (long)(bytes / page) ||
	    count_written(pages, data, bytes) != 0)
		return false;
	began = now_ns();
	touch(data, bytes / 4);
	pages->fault_ns = (double)(now_ns() - began) / ((double)(bytes / 4) / (double)page);
	if (count_written(pages, data, bytes) != (long)(bytes / 4 / page))
		return false;
	if (!write_through_kernel(data + 5 * page) || count_written(pages, data, bytes) != 1 || count_written(pages, data, bytes) != 0)
		return false;
	if (madvise(data + 9 * page, page, MADV_DONTNEED) || count_written(pages, data, bytes) != 1 ||
	    madvise(data, bytes, MADV_DONTNEED) || count_written(pages, data, bytes) != (long)(bytes / page) ||
	    count_written(pages, data, bytes) != 0)
		return false;
	if (mmap(data + page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return false;
	return count_written(pages, data, bytes) < 0;
}

/* Once in small pages, once in a large one where there are such: whole tables of pages go in other ways than single ones. */
static bool is_trustworthy(struct pages *pages)
{
	size_t bytes = TRIED_PAGES * page_size();
	uint8_t *data = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *aligned = data + (bytes - (uintptr_t)data % bytes) % bytes;
	bool good;

	if (data == MAP_FAILED)
		return false;
	madvise(aligned, bytes, MADV_HUGEPAGE);
	good = notices_all(pages, aligned, bytes);
	munmap(data, 2 * bytes);
	data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return false;
	madvise(data, bytes, MADV_NOHUGEPAGE);
	good = good && notices_all(pages, data, bytes);
	munmap(data, bytes);
	return good;
}

static bool open_kernel(struct pages *pages)
{
	struct uffdio_api api = { .api = UFFD_API, .features = FEATURE_WP | FEATURE_WP_UNPOPULATED | FEATURE_WP_ASYNC };

	/* Faults in the kernel are none of ours: nobody is asked at a fault, so this right is not needed, and those without privileges have only this. */
	pages->faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	pages->map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	pages->status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	return pages->faults >= 0 && pages->map >= 0 && pages->status >= 0 && !ioctl(pages->faults, UFFDIO_API, &api);
}

struct pages *pages_open(const char **why)
{
	struct pages *pages = calloc(1, sizeof *pages);

	if (!pages) {
		*why = "no memory";
		return NULL;
	}
	if (!open_kernel(pages)) {
		*why = errno == EPERM || errno == EACCES || errno == ENOSYS ? "the system does not let this process ask which pages it wrote"
									    : "this kernel does not tell which pages were written (6.7 and later do)";
	} else if (!is_trustworthy(pages)) {
		*why = "this kernel does not notice every way in which memory changes";
	} else {
		return pages;
	}
	pages_close(pages);
	return NULL;
}

void pages_close(struct pages *pages)
{
	if (!pages)
		return;
	if (pages->faults >= 0)
		close(pages->faults);
	if (pages->map >= 0)
		close(pages->map);
	if (pages->status >= 0)
		close(pages->status);
	free(pages);
}
