/* SPDX-License-Identifier: BSD-3-Clause */
/* The checkpoints' folders below SEAMARK_DIR, by their names. */
#ifndef STORE_CATALOGUE_H
#define STORE_CATALOGUE_H

#include "store/io.h"
#include "store/store.h"

struct catalogue_entry {
	uint64_t number;
	uint32_t life;
	bool committed;      /* has a manifest, whole or not */
	bool held;           /* was retired, and has chunks that others need */
	char name[32];
};

/* All folders named like a checkpoint's, ascending by number, then life. The caller frees *list. */
int catalogue_list(const char *folder, struct catalogue_entry **list, size_t *count, struct fault *fault);
struct io_path catalogue_path(const char *folder, uint64_t number, uint32_t life);
/* The folder that the one at a path lies in, and the path of another beside it. */
struct io_path catalogue_above(const char *path);
struct io_path catalogue_beside(const char *path, uint64_t number, uint32_t life);
/* Reads the manifest of an entry and sees that its name tells the truth. found has path, number and life also after a failure. */
int catalogue_read(const char *folder, const struct catalogue_entry *entry, struct store_checkpoint *found, struct fault *fault);
/* As store_newest and store_at. */
int catalogue_newest(const char *folder, uint64_t below, struct store_checkpoint *found, struct fault *fault);
int catalogue_at_number(const char *folder, uint64_t number, struct store_checkpoint *found, struct fault *fault);
int catalogue_at_path(const char *path, struct store_checkpoint *found, struct fault *fault);
/* Retires a checkpoint whose files others need: it is no longer listed, and can be read from. */
int catalogue_hold(const char *path, struct fault *fault);
/* Removes from a folder what Seamark makes, and the folder if nothing else is in it. The manifest goes first. */
int catalogue_remove(const char *path, struct fault *fault);
/* Removes from a checkpoint's folder what its manifest, which is made durable first, does not name: what was left when it was rewritten. */
int catalogue_sweep(const struct store_checkpoint *checkpoint, struct fault *fault);

/* Rank 0, in the writer's thread: all but the newest `keep` (0: none) and pinned ones are retired; of what is retired, the files go that nothing needs
 * which is kept. Failures are told in the log: they cost space, nothing else. */
void retention_retire(const char *folder, uint64_t keep);
/* Rank 0, at the start of a life: removes what void attempts left, and what is held for nobody. */
void retention_tidy(const char *folder);
/* Whoever has the lock: removes what is held for nobody. */
void retention_release(const char *folder);

#endif
