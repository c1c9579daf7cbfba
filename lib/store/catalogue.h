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
	bool held;           /* was retired: may have chunks that others need */
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
/* What becomes of a checkpoint: its manifest has one of three names, each tells what it is. */
enum catalogue_fate {
	CATALOGUE_LISTED,    /* a checkpoint */
	CATALOGUE_HELD,      /* listed no more; others need its files */
	CATALOGUE_RETIRED    /* ... and nobody does */
};
/* Gives it that name, whichever it has; *was, which may be null: which that was. A folder without a manifest stays as it is. */
int catalogue_rename(const char *path, enum catalogue_fate to, enum catalogue_fate *was, struct fault *fault);
/* Removes from a folder what Seamark makes, and the folder if nothing else is in it. The manifest goes first. */
int catalogue_remove(const char *path, struct fault *fault);
/* The same with an attempt's folder, for which another life may be just about to make a manifest: it is taken out of the way in one step. After that the other life finds no folder to put a manifest
 * into; and if it was there already, the folder is a checkpoint's and comes back. */
int catalogue_revoke(const char *path, struct fault *fault);
/* Folders that were taken out of the way and are checkpoints come back; the others go. What a life has left that was killed meanwhile. */
void catalogue_put_back(const char *folder, struct fault *fault);
/* Removes from a checkpoint's folder what its manifest, which is made durable first, does not name: what was left when it was rewritten. */
int catalogue_sweep(const struct store_checkpoint *checkpoint, struct fault *fault);
/* How many bytes these files have. */
uint64_t catalogue_leavings(const struct store_checkpoint *checkpoint);

/* Rank 0, in the writer's thread: all but the newest `keep` (0: none) and pinned ones are retired; of what is retired, the files go that nothing needs
 * which is kept; and attempts of earlier lives, whose ranks were still writing when this one began. Failures are told in the log: they cost space, nothing else. */
void retention_retire(struct store *store, uint64_t keep);
/* Rank 0, at the start of a life: removes what void attempts left, and what is held for nobody. */
void retention_tidy(struct store *store);
/* Whoever has the lock: removes what is held for nobody. */
void retention_release(struct store *store);

#endif
