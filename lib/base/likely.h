/* SPDX-License-Identifier: BSD-3-Clause */
/* Which way a branch of the hot path usually goes. */
#ifndef BASE_LIKELY_H
#define BASE_LIKELY_H

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* A variable of this library: reached without the table of addresses. */
#define inside_library __attribute__((visibility("hidden")))
/* What the hot path leaves to others: its registers are not saved for it. */
#define out_of_line __attribute__((noinline, cold))
/* A variable that only a rare path needs stays in memory, instead of in a register that would have to be saved. */
#define keep_in_memory(variable) __asm__ volatile("" : "+m"(variable))

#endif
