/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of one file on their way to the disk, or from it, several at a time: by io_uring, and one after the other where that is refused; past the page
 * cache where the file system lets us. The memory that a piece lies in belongs to the kernel until the piece has come back. */
#ifndef STORE_RING_H
#define STORE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

enum {
	RING_DEPTH = 8,             /* pieces under way at a time, and slots at most */
	RING_SLOT_SIZE = 4 << 20,
	RING_ALIGN = 4096           /* of offsets and sizes, and of memory where nothing better is known */
};

struct ring;

struct ring_piece {
	bool write;
	uint8_t *data;              /* only read when it is written */
	size_t size;
	uint64_t offset;
	int slot;                   /* the one it lies in; -1: other memory */
	uint64_t tag;               /* the caller's */
};

/* For a file, that stays open as long as the ring; `path` names it in faults, and stays too. The slots take no memory until they are used. */
int ring_open(struct ring **ring, int fd, const char *path, unsigned slots, struct fault *fault);
/* Waits until nothing is under way, whatever comes of it, and lets go of all memory. */
void ring_close(struct ring *ring);

/* A slot of RING_SLOT_SIZE bytes that nobody has; -1: there is none, one comes back when a piece does that lies in it. */
int ring_take_slot(struct ring *ring);
void ring_give_slot(struct ring *ring, int slot);
uint8_t *ring_slot(struct ring *ring, int slot);

/* Whether a piece can be read or written where it is. */
bool ring_fits(const struct ring *ring, const void *data, size_t size, uint64_t offset);
unsigned ring_under_way(const struct ring *ring);
uint64_t ring_bytes_under_way(const struct ring *ring);
/* Whether what is under way tells how busy the disk is: it is told to the disk itself, and several pieces at a time. */
bool ring_tells(const struct ring *ring);
/* Whether another may be started. */
bool ring_has_room(const struct ring *ring);
/* Data that does not fit must be in a slot. */
void ring_start(struct ring *ring, const struct ring_piece *piece);
/* Waits for one of those under way, of which there must be one, and tells which, in any order. Its slot stays taken. Short and interrupted operations have been
 * carried on with; a file that ends before a read does is SEAMARK_E_DAMAGED. */
int ring_wait(struct ring *ring, struct ring_piece *done, struct fault *fault);

/* Whether ring_wait would not have to wait. */
bool ring_has_done(const struct ring *ring);

/* How it is done, for the log. */
const char *ring_way(const struct ring *ring);

#endif
