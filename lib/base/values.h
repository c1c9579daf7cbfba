/* SPDX-License-Identifier: BSD-3-Clause */
/* What the values of settings are made of: words, numbers, times, sizes, signals. The C library's own readers follow the program's locale. All say false for what cannot
 * be, and then leave their outputs as they were. */
#ifndef BASE_VALUES_H
#define BASE_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest time: far below what overflows when it is added to a clock. */
#define VALUES_LONGEST_NS (INT64_C(87600) * 3600 * 1000000000)

/* The value without the blanks around it, in small letters: what the others read. */
bool values_word(const char *value, char *word, size_t room);
/* Digits, and nothing else. */
bool values_number(const char *word, uint64_t most, uint64_t *number);
/* "500 steps", "1 step": above 0. */
bool values_count(const char *word, const char *of_what, int64_t *count);
/* "25%": 1 to 100. */
bool values_percent(const char *word, uint64_t *percent);
/* "30s", "1.5 h": exact, as far as nanoseconds go. Zero needs no unit. */
bool values_time(const char *word, int64_t *ns);
/* "512 MiB", "1.5 GB"; behind: what must follow the unit ("/s"). Zero needs no unit. */
bool values_size(const char *word, const char *behind, uint64_t most, uint64_t *bytes);
/* A name or a number; not of a fault, after which no program can go on, nor KILL and STOP. */
bool values_signal(const char *word, int *number);
/* The value's index in a null-ended list; -1: it is not in it. */
int values_choice(const char *value, const char *const *choices);

#endif
