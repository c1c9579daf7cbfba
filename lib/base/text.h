/* SPDX-License-Identifier: BSD-3-Clause */
/* Formatting into a given room, for rooms that include no input or output. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Cut to fit; always ended by a NUL. */
void text_put(char *text, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));
void text_put_list(char *text, size_t room, const char *format, va_list list) __attribute__((format(printf, 3, 0)));

#endif
