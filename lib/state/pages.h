/* SPDX-License-Identifier: BSD-3-Clause */
/* Which pages were written since they were asked about last, as the kernel knows it: asynchronous write protection of userfaultfd and PAGEMAP_SCAN
 * (Linux 6.7). A first write to a page after that costs the program a fault in the kernel, a microsecond or two. */
#ifndef STATE_PAGES_H
#define STATE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pages;

/* Null if this kernel cannot, may not, or does not do it as is needed here, which is tried: why says what is amiss. */
struct pages *pages_open(const char **why);
/* Nothing is watched any more. */
void pages_close(struct pages *pages);

/* Begins to watch whole pages of private anonymous memory. False: the kernel refuses; nothing is watched. */
bool pages_watch(struct pages *pages, uintptr_t from, uintptr_t to);
void pages_leave(struct pages *pages, uintptr_t from, uintptr_t to);

struct pages_range {
	uint64_t from;
	uint64_t to;
	uint64_t categories;
};
/* The ranges within *from .. to that were written since this was asked for them last, or that are new; each counts as unwritten from then on. Gives how
 * many ranges, and moves *from behind what was looked at: ask again until it is `to`. Negative: part of it is not watched any more (unmapped, moved,
 * mapped anew), and nothing is known of any of it. */
long pages_written(struct pages *pages, uintptr_t *from, uintptr_t to, struct pages_range *ranges, size_t room);

/* What the first write to a page costs the program, as it was measured when this was opened. */
double pages_fault_ns(const struct pages *pages);

/* Whether devices or other processes may write to memory of this process by pages that they hold, which the kernel does not see as writing. */
bool pages_are_held(struct pages *pages);

#endif
