/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes as people read them: dumped, as text, or as numbers of a type. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct payload_way {
	enum { PAYLOAD_HEX, PAYLOAD_TEXT, PAYLOAD_ELEMENTS } kind;
	uint32_t type;         /* enum seamark_type, for elements */
};

/* hex, text, or the name of a type (float64). false: it is none of them, and that was said. */
bool payload_parse(const char *text, struct payload_way *way);
/* Lines, each after `before`; at most `most` bytes are shown (0: all). */
void payload_print(const struct payload_way *way, const void *data, uint64_t bytes, uint64_t most, const char *before);
/* One element of a type as a number that reads back as the same; its length. */
size_t payload_element(uint32_t type, const void *at, char *text, size_t room);

#endif
