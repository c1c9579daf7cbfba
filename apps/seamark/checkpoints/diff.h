/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of `seamark diff` share: diff.c finds pairs of regions and tells, diff_pair.c reads both and compares. */
#ifndef DIFF_H
#define DIFF_H

#include <stdbool.h>

#include "command/command.h"

/* How much may be between two numbers that count as equal: absolute + relative * the larger of the two, if that is not infinite. */
struct diff_tolerance {
	bool given;            /* else all bits must be equal */
	long double absolute, relative;
};

/* Of two regions of one type and size. */
struct diff_found {
	uint64_t elements;     /* that there are; bytes for what has no type */
	uint64_t differ;
	uint64_t not_numbers;  /* of these: where one is NaN, or a part of it, and the other is not */
	long double absolute, relative; /* the largest differences between numbers */
	uint64_t first;        /* the first that differs, with what it is in both */
	char a[64], b[64];
};

/* The reason is seamark_files_error() of `*fault`, a copy. The images may be of one checkpoint. */
struct diff_side {
	seamark_files_image *image;
	char fault[512];
};
/* Compares a region by its name, piece by piece. 0, or an error of one side, which `fault` tells. */
int diff_pair(struct diff_side *a, struct diff_side *b, const char *name, uint32_t type, const struct diff_tolerance *tolerance, struct diff_found *found);

#endif
