/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static const char before[] = ", \"xxh3\": \"";

void seal_make(char seal[SEAL_SIZE + 1], const char *text, size_t size)
{
	sprintf(seal, "%s%016" PRIx64 "\"}\n", before, (uint64_t)XXH3_64bits(text, size));
}

bool seal_is_there(const char *text, size_t size, bool *holds)
{
	char seal[SEAL_SIZE + 1];

	*holds = false;
	if (size < SEAL_SIZE)
		return false;
	seal_make(seal, text, size - SEAL_SIZE);
	*holds = !memcmp(text + size - SEAL_SIZE, seal, SEAL_SIZE);
	return !memcmp(text + size - SEAL_SIZE, before, sizeof before - 1);
}
