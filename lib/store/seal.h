/* SPDX-License-Identifier: BSD-3-Clause */
/* The last bytes of a small JSON text: `, "xxh3": "xxxxxxxxxxxxxxxx"}` and a line feed, the digits being the hash of everything before (docs/format.md, 6). */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include <stdbool.h>
#include <stddef.h>

enum { SEAL_SIZE = sizeof ", \"xxh3\": \"" - 1 + 16 + 3 };

/* The seal, with a NUL behind it, of what it is to end. */
void seal_make(char seal[SEAL_SIZE + 1], const char *text, size_t size);
/* Whether a text ends as this version ends it; *holds: with the hash that it should have. */
bool seal_is_there(const char *text, size_t size, bool *holds);

#endif
