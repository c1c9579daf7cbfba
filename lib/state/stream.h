/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that callbacks stream: what seamark_write fills and seamark_read empties. */
#ifndef STATE_STREAM_H
#define STATE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seamark.h"
#include "state/memory.h"

/* Kept as long as the state, so that a callback that uses it too late is told so instead of writing anywhere. */
struct seamark_writer {
	struct memory *to;  /* grows, and moves */
	size_t size;        /* written so far, of all regions */
	bool open;          /* inside a save callback */
	bool failed;        /* no memory: what the callback returns does not matter any more */
};

struct seamark_reader {
	const uint8_t *at;
	size_t left;
	bool open;
};

#endif
