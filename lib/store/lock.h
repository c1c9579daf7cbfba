/* SPDX-License-Identifier: BSD-3-Clause */
/* The lock of a folder. It keeps two starts apart that happen on one machine, or on a file system that honours it, and names the holder; what must not go wrong does not rest on
 * it, but on the numbers of lives (lives.c). */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "store/internal.h"

/* Makes the folder if it is not there and takes its lock, waiting up to `patience_s`. If it is held then by a life of the same owner, that life is to be superseded: the lock file is
 * open, and store->locked false. SEAMARK_E_BUSY names another holder. */
int lock_take(struct store *store, double patience_s, struct fault *fault);
/* Writes into it who this is. */
void lock_sign(struct store *store);
/* After a life was superseded in spite of its lock: waits for up to so long for it to end, and to let go of the lock. */
void lock_await(struct store *store, double patience_s);
/* Takes it if it has become free, and does not wait. */
void lock_follow(struct store *store);

#endif
