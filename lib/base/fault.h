/* SPDX-License-Identifier: BSD-3-Clause */
/* An error on its way up: the code for the program, the words for the person. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdarg.h>

#include "seamark.h"

struct fault {
	int code;        /* 0 or SEAMARK_E... */
	char text[480];  /* lower case, quotes the subject, ends with the remedy where there is one */
};

#define FAULT_NONE ((struct fault){0})

/* Sets code and text and returns the code. A fault that is already set is kept: the first error is the one to tell.
 * fault may be null: only the code is wanted. */
int fault_set(struct fault *fault, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As fault_set for a failed system call: the code is made from errno (SPACE, PERMISSION, NOT_FOUND, MEMORY, else IO) and the
 * text ends with ": " and strerror(errno). */
int fault_errno(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of a code, from the one table: what seamark_strerror() says. Never null. */
const char *fault_text(int code);

#endif
