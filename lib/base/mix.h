/* SPDX-License-Identifier: BSD-3-Clause */
/* A strong mixer of 64 bits: the finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), and of two words. */
#ifndef BASE_MIX_H
#define BASE_MIX_H

#include <stdint.h>

static inline uint64_t mix64(uint64_t value)
{
	value += UINT64_C(0x9E3779B97F4A7C15);
	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

/* A quick and weak one for tables of MPI's handles, addresses as well as small numbers: use bits 16 and up. The constant is odd, and small enough to stand in the
 * instruction. */
enum { MIX_HANDLE_SHIFT = 16 };
static inline uint64_t mix_handle(uint64_t handle)
{
	return handle * UINT64_C(0x5851F42D);
}

/* Not zero-preserving in either argument, and not symmetric. */
static inline uint64_t mix64_pair(uint64_t first, uint64_t second)
{
	return mix64(mix64(first) ^ (second * UINT64_C(0xD6E8FEB86659FD93) + 1));
}

#endif
