/* SPDX-License-Identifier: BSD-3-Clause */
/* Moments as texts: UTC, as 2026-01-31T12:00:00.000000000Z. */
#ifndef BASE_MOMENT_H
#define BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

struct moment_text {
	char text[64];
};

/* CLOCK_REALTIME. */
int64_t moment_now_ns(void);
struct moment_text moment_text(int64_t ns);
/* false: it is no moment, from 1970 to 2200, in that form. */
bool moment_read(const char *text, int64_t *ns);

#endif
