/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies memory, many pieces at once: around the caches, and with helping threads where there are cores for them. */
#ifndef STATE_MOVER_H
#define STATE_MOVER_H

#include <stddef.h>
#include <stdint.h>

struct mover;

/* `helpers` threads beside the caller's; each calls `place` (may be null) first. Null: no memory. Threads that cannot be had are done without. */
struct mover *mover_new(unsigned helpers, void (*place)(void *context), void *context);
void mover_free(struct mover *mover);

/* Puts a piece on the list; it is copied by mover_flush at the latest, and until then both its ends must stay. */
void mover_add(struct mover *mover, void *to, const void *from, size_t bytes);
void mover_flush(struct mover *mover);

/* One piece, in this thread. */
void mover_copy(void *to, const void *from, size_t bytes);

#endif
