/* SPDX-License-Identifier: BSD-3-Clause */
/* Which way a branch of the hot path usually goes. */
#ifndef BASE_LIKELY_H
#define BASE_LIKELY_H

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
