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
	char name[32];
};

/* All folders named like a checkpoint's, ascending by number, then life. The caller frees *list. */
int catalogue_list(const char *folder, struct catalogue_entry **list, size_t *count, struct fault *fault);
struct io_path catalogue_path(const char *folder, uint64_t number, uint32_t life);
/* Reads the manifest of an entry and sees that its name tells the truth. found has path, number and life also after a failure. */
int catalogue_read(const char *folder, const struct catalogue_entry *entry, struct store_checkpoint *found, struct fault *fault);
/* As store_newest and store_at. */
int catalogue_newest(const char *folder, uint64_t below, struct store_checkpoint *found, struct fault *fault);
int catalogue_at_number(const char *folder, uint64_t number, struct store_checkpoint *found, struct fault *fault);
int catalogue_at_path(const char *path, struct store_checkpoint *found, struct fault *fault);
/* Removes from a folder what Seamark makes, and the folder if nothing else is in it. The manifest goes first. */
int catalogue_remove(const char *path, struct fault *fault);

/* Rank 0, in the writer's thread: all but the newest `keep` and pinned ones go. Failures are told in the log: they cost space, nothing else. */
void retention_retire(const char *folder, uint64_t keep);

#endif
