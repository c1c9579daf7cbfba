/* SPDX-License-Identifier: BSD-3-Clause */
/* What the machine has left for this process: memory, and time on its CPUs, as the kernel and the control groups (version 1, 2 and
 * both at once) say. `root` is put before every path that is read, and is "" but in tests. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

struct limits_memory {
	uint64_t left;   /* bytes that may be taken without driving anything out but caches; UINT64_MAX: not known */
	uint64_t whole;  /* of the narrowest place: the machine, or the group with the least left */
};
struct limits_memory limits_memory(const char *root);

/* CPUs' worth of time that the control groups allow, 1.5 for one and a half; infinite without a quota. */
double limits_cpus(const char *root);

#endif
