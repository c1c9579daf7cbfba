/* SPDX-License-Identifier: BSD-3-Clause */
/* Seamark's calls, doing nothing: example programs are linked with this to be measured without Seamark. */
#include "seamark.h"

int seamark_protect(const char *name, void *data, size_t bytes)
{
	(void)name, (void)data, (void)bytes;
	return 0;
}

int seamark_protect_array_with_halo(const char *name, void *data, int type, int dimensions, const uint64_t *global, const uint64_t *offset,
				    const uint64_t *local, const uint64_t *before, const uint64_t *after)
{
	(void)name, (void)data, (void)type, (void)dimensions, (void)global, (void)offset, (void)local, (void)before, (void)after;
	return 0;
}

int seamark_restore(int64_t *step)
{
	(void)step;
	return SEAMARK_FRESH;
}

int seamark_safepoint(int64_t step)
{
	(void)step;
	return 0;
}

int seamark_stopping(void)
{
	return 0;
}

const char *seamark_strerror(int error)
{
	(void)error;
	return "Seamark is absent";
}
