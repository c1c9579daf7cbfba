/* SPDX-License-Identifier: BSD-3-Clause */
/* What a fuzzer calls with bytes that it makes up, again and again. A harness aborts when something comes back that cannot be; replay.c and libFuzzer
 * are the programs around it. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Inputs in which nothing wrong was found: a harness that knows none tries nothing. */
extern size_t fuzz_accepted;

#define FUZZ_HOLDS(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

static inline uint64_t fuzz_number(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static inline void fuzz_put(uint8_t *at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

#endif
