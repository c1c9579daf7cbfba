/* SPDX-License-Identifier: BSD-3-Clause */
/* Small blocks of files, read with what lies behind them: who reads them in order asks the file once for many. */
#ifndef STORE_NEARBY_H
#define STORE_NEARBY_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

enum { NEARBY_WINDOWS = 4, NEARBY_SIZE = 256 << 10 };

/* One file's part, in memory. Zeros: nothing. */
struct nearby_window {
	int fd;
	uint64_t from;
	size_t size;
	size_t ahead;             /* so much was asked for */
	uint64_t turn;            /* of its last use; 0: never */
	uint8_t *data;
	size_t room;              /* of data, at most NEARBY_SIZE */
};

/* Of as many files at a time: those in which what is small lies, of a chain's some. */
struct nearby {
	struct nearby_window windows[NEARBY_WINDOWS];
	uint64_t turn;
};

void nearby_close(struct nearby *nearby);
/* A block of at most NEARBY_SIZE / 2 bytes: where it is, until the next call. `path` names the file in faults. */
int nearby_read(struct nearby *nearby, int fd, const char *path, uint64_t offset, size_t size, const uint8_t **data, struct fault *fault);

#endif
