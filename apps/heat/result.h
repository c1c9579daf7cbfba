/* SPDX-License-Identifier: BSD-3-Clause */
/* What is told and written at the end of a run. All are collective. */
#ifndef HEAT_RESULT_H
#define HEAT_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "field.h"

/* Compares every value with the closed form after `step` steps. The same answer on all ranks; rank 0 tells it. */
bool result_right(const struct field *field, int64_t step);

/* A number that stands for every bit of the field and does not depend on the number of ranks. */
uint64_t result_checksum(const struct field *field);

/* Writes the field as a picture (binary PGM, one byte per point; white is the hottest point) or as it is (doubles
 * of this machine, row by row). Only rank 0 touches the file. The same answer on all ranks: whether the file is
 * written. */
bool result_write_picture(const struct field *field, const char *path);
bool result_write_raw(const struct field *field, const char *path);

#endif
