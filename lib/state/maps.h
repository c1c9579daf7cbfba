/* SPDX-License-Identifier: BSD-3-Clause */
/* The mappings of a process, as the kernel lists them. */
#ifndef STATE_MAPS_H
#define STATE_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct maps {
	struct maps_part {
		uintptr_t from, to;
		bool shared;     /* with other processes: a child of fork has the same memory, not a copy */
		bool plain;      /* private, of no file, and no stack, which grows */
		bool wiped;      /* a child of fork finds zeros there (with `flags` only) */
	} *parts;                /* ascending */
	size_t count;
};

/* `flags`: with what only the long list tells, for which the kernel walks through all pages. False: it cannot be had; *maps is empty. */
bool maps_read(struct maps *maps, pid_t process, bool flags);
void maps_free(struct maps *maps);

/* Whether mappings cover the range without a gap, and `fits` of each. */
bool maps_cover(const struct maps *maps, uintptr_t from, uintptr_t to, bool (*fits)(const struct maps_part *part));
bool maps_plain(const struct maps_part *part);
bool maps_private(const struct maps_part *part);
bool maps_kept(const struct maps_part *part);

#endif
