/* SPDX-License-Identifier: BSD-3-Clause */
/* What stays in a folder, what goes, and what is needed of that: the one rule, for the run's retention and for people who remove checkpoints by hand (prune.c). */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include "store/catalogue.h"
#include "store/internal.h"

/* A folder of checkpoints, and what is to become of each. */
struct keeping {
	struct store *store;
	const char *folder;
	struct catalogue_entry *list;
	size_t count;
	enum fate { FATE_GOES, FATE_KEPT, FATE_UNREADABLE } *fates;
	struct store_parent *needed;   /* what those that stay need, in any order */
	size_t needed_count, needed_room;
	struct store_checkpoint *found;
	/* Asked of each that can be read, the newest first; null: the newest so many stay, and the pinned ones. */
	bool (*goes)(void *context, const struct store_checkpoint *found);
	void *context;
};

/* Zeros but for goes. false: the folder cannot be listed, or there is no memory, and nothing may be removed. To be closed in any case. */
bool retention_open(struct keeping *keeping, struct store *store, uint64_t keep, struct fault *fault);
void retention_close(struct keeping *keeping);
/* By one that is kept; and nobody knows what one needs that cannot be read. */
bool retention_is_needed(const struct keeping *keeping, const struct catalogue_entry *entry);
/* Takes it off the list, and removes it if it is not needed. One that stays on it, or whose files do, in spite of that is FATE_UNREADABLE after it. */
void retention_retire_one(struct keeping *keeping, size_t i, struct fault *fault);
/* Of one that stays what its manifest does not name; what attempts of lives below that one have left; what is held for nobody. */
void retention_tidy_one(struct keeping *keeping, size_t i, uint32_t below, struct fault *fault);

#endif
