/* SPDX-License-Identifier: BSD-3-Clause */
/* What stays in the folder: the checkpoints that are kept, and the files of others in which chunks of them lie. */
#include <stdlib.h>

#include "base/list.h"
#include "base/log.h"
#include "store/catalogue.h"
#include "store/internal.h"
#include "store/manifest.h"
#include "store/retention.h"

static void need(struct keeping *keeping, const struct store_parent *parent, bool *failed)
{
	struct store_parent *grown = list_with_room(keeping->needed, keeping->needed_count, &keeping->needed_room, sizeof *grown);

	if (!grown) {
		*failed = true;
		return;
	}
	keeping->needed = grown;
	keeping->needed[keeping->needed_count++] = *parent;
}

/* By what a person wants, or by how many are newer. */
static bool goes(const struct keeping *keeping, uint64_t keep, uint64_t *newer)
{
	if (keeping->goes)
		return keeping->goes(keeping->context, keeping->found);
	return keep && (*newer)++ >= keep && !keeping->found->pinned;
}

/* The newest `keep`, all for 0, and the pinned ones stay. One that cannot be read stays too: it is no checkpoint to count, and may be all that somebody has. */
static bool choose(struct keeping *keeping, uint64_t keep)
{
	uint64_t newer = 0;
	bool failed = false;

	for (size_t i = keeping->count; i--;) {
		const struct catalogue_entry *entry = &keeping->list[i];

		if (!entry->committed)
			continue;
		if (catalogue_read(keeping->folder, entry, keeping->found, NULL)) {
			keeping->fates[i] = FATE_UNREADABLE;
			continue;
		}
		if (goes(keeping, keep, &newer))
			continue;
		keeping->fates[i] = FATE_KEPT;
		for (uint32_t p = 0; p < keeping->found->parent_count; p++)
			need(keeping, &keeping->found->parents[p], &failed);
	}
	return !failed;
}

bool retention_is_needed(const struct keeping *keeping, const struct catalogue_entry *entry)
{
	for (size_t i = 0; i < keeping->needed_count; i++)
		if (keeping->needed[i].number == entry->number && keeping->needed[i].life == entry->life)
			return true;
	for (size_t i = 0; i < keeping->count; i++) {
		uint64_t number = keeping->list[i].number;

		if (keeping->fates[i] == FATE_UNREADABLE && number > entry->number && number - entry->number <= STORE_PARENTS_MAX)
			return true;
	}
	return false;
}

bool retention_open(struct keeping *keeping, struct store *store, uint64_t keep, struct fault *fault)
{
	const char *folder = store->folder;

	keeping->store = store;
	keeping->folder = folder;
	keeping->found = malloc(sizeof *keeping->found);
	if (!keeping->found || catalogue_list(folder, &keeping->list, &keeping->count, fault))
		return false;
	keeping->fates = calloc(keeping->count + 1, sizeof *keeping->fates);
	return keeping->fates && choose(keeping, keep);
}

void retention_close(struct keeping *keeping)
{
	free(keeping->found);
	free(keeping->fates);
	free(keeping->needed);
	free(keeping->list);
}

/* Its manifest's name first. If another life has begun by then, it may have seen this as a checkpoint, and rest on it: then the name comes back, and nothing else is done. If not, no later one will take it for one,
 * and what follows may happen at any time. So it is with one that somebody has pinned since it was looked at: who pins one looks for the name afterwards. false: it stays. */
static bool take_off_the_list(struct keeping *keeping, const char *path, enum catalogue_fate to, struct fault *fault)
{
	enum catalogue_fate was;

	if (!lives_is_newest(keeping->store) || catalogue_rename(path, to, &was, fault))
		return false;
	if (lives_is_newest(keeping->store) && (was != CATALOGUE_LISTED || !io_is_there(io_path("%s/" MANIFEST_PINNED, path).text)))
		return true;
	catalogue_rename(path, was, NULL, NULL);
	return false;
}

void retention_retire_one(struct keeping *keeping, size_t i, struct fault *fault)
{
	const struct catalogue_entry *entry = &keeping->list[i];
	struct io_path path = catalogue_path(keeping->folder, entry->number, entry->life);

	bool gone = true;

	if (!retention_is_needed(keeping, entry))
		gone = take_off_the_list(keeping, path.text, CATALOGUE_RETIRED, fault) && !catalogue_remove(path.text, fault);
	else if (entry->committed)
		gone = take_off_the_list(keeping, path.text, CATALOGUE_HELD, fault);
	/* One that could not be taken away may be restored still, so what it needs stays. */
	if (!gone)
		keeping->fates[i] = FATE_UNREADABLE;
}

void retention_retire(struct store *store, uint64_t keep)
{
	struct keeping keeping = {0};
	struct fault fault = FAULT_NONE;

	if (keep && retention_open(&keeping, store, keep, &fault))
		for (size_t i = keeping.count; i--;) {
			const struct catalogue_entry *entry = &keeping.list[i];

			if (keeping.fates[i] != FATE_GOES)
				continue;
			if (entry->committed || entry->held)
				retention_retire_one(&keeping, i, &fault);
			else if (entry->life < store->life) /* of this life: perhaps one that is under way */
				catalogue_revoke(catalogue_path(store->folder, entry->number, entry->life).text, &fault);
		}
	if (fault.code)
		log_say(LOG_NOTICE, "an old checkpoint could not be removed: %s", fault.text);
	retention_close(&keeping);
}

void retention_release(struct store *store)
{
	struct keeping keeping = {0};
	struct fault fault = FAULT_NONE;

	if (retention_open(&keeping, store, 0, &fault))
		for (size_t i = 0; i < keeping.count; i++) {
			struct io_path path = catalogue_path(store->folder, keeping.list[i].number, keeping.list[i].life);

			if (keeping.list[i].held && !retention_is_needed(&keeping, &keeping.list[i]))
				catalogue_remove(path.text, &fault);
		}
	if (fault.code)
		log_say(LOG_NOTICE, "what is not needed any more could not be removed: %s", fault.text);
	retention_close(&keeping);
}

void retention_tidy_one(struct keeping *keeping, size_t i, uint32_t below, struct fault *fault)
{
	const struct catalogue_entry *entry = &keeping->list[i];
	struct io_path path = catalogue_path(keeping->folder, entry->number, entry->life);

	if (keeping->fates[i] == FATE_KEPT && !catalogue_read(keeping->folder, entry, keeping->found, NULL))
		catalogue_sweep(keeping->found, fault);
	else if (!entry->committed && entry->life < below && !(entry->held && retention_is_needed(keeping, entry)))
		catalogue_revoke(path.text, fault);
}

/* Who made it may have been killed before its manifest was durable, and this life goes on from it. */
static void sync_newest(const struct keeping *keeping, struct fault *fault)
{
	size_t newest = keeping->count;

	while (newest && !keeping->list[newest - 1].committed)
		newest--;
	if (newest)
		io_sync_folder(catalogue_path(keeping->folder, keeping->list[newest - 1].number, keeping->list[newest - 1].life).text, fault);
}

void retention_tidy(struct store *store)
{
	struct keeping keeping = {0};
	struct fault fault = FAULT_NONE;

	if (retention_open(&keeping, store, 0, &fault)) {
		sync_newest(&keeping, &fault);
		for (size_t i = 0; i < keeping.count; i++)
			retention_tidy_one(&keeping, i, store->life, &fault);
	}
	if (fault.code)
		log_say(LOG_NOTICE, "leavings of an earlier run could not be removed: %s", fault.text);
	retention_close(&keeping);
}
