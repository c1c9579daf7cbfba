/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/prune.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/moment.h"
#include "store/history.h"
#include "store/manifest.h"
#include "store/retention.h"
#include "store/run_file.h"

struct pruning {
	struct keeping keeping;
	const struct seamark_files_wish *wish;
	void (*told)(const struct seamark_files_pruned *pruned, void *context);
	void *context;
	uint64_t spared;           /* the newest that is whole */
	uint32_t spared_life;
	uint64_t newer;            /* seen so far */
	struct fault *fault;
};

/* --- what is wanted ------------------------------------------------------------------------------------------------------ */

static bool is_named(const struct seamark_files_wish *wish, uint64_t number)
{
	for (size_t i = 0; i < wish->count; i++)
		if (wish->numbers[i] == number)
			return true;
	return false;
}

/* Pinned ones stay whatever is wanted, and so does the newest that is whole: of what is named that is an error, found before. */
static bool goes(void *context, const struct store_checkpoint *found)
{
	struct pruning *pruning = context;
	const struct seamark_files_wish *wish = pruning->wish;
	uint64_t newer = pruning->newer++;

	if (found->pinned || (found->number == pruning->spared && found->life == pruning->spared_life))
		return false;
	if (wish->count)
		return is_named(wish, found->number);
	if (!wish->keep && !wish->older_than_ns)
		return false;
	return (!wish->keep || newer >= wish->keep) && (!wish->older_than_ns || found->taken_ns < wish->older_than_ns);
}

/* Headers, tables, sizes, and the files of others that it needs: what a restart looks at before it takes it. */
static bool is_whole(const struct store_checkpoint *found)
{
	bool whole = true;

	for (uint32_t rank = 0; whole && rank < found->ranks; rank++) {
		struct store_image *image = NULL;

		whole = !store_open_image(&image, found, rank, NULL);
		if (!whole)
			break;
		whole = !store_open_parents(image, NULL);
		store_close_image(image);
	}
	return whole;
}

/* If none is whole, the newest that can be read: it may be all that somebody has. */
static int find_spared(struct pruning *pruning, const char *folder, struct fault *fault)
{
	struct store_checkpoint *found = malloc(sizeof *found);
	struct catalogue_entry *list = NULL;
	size_t count = 0;
	bool whole = false;
	int code = found ? catalogue_list(folder, &list, &count, fault) : fault_set(fault, SEAMARK_E_MEMORY, "no memory to look through '%s'", folder);

	for (size_t i = code ? 0 : count; i-- && !whole;) {
		if (!list[i].committed || catalogue_read(folder, &list[i], found, NULL))
			continue;
		whole = is_whole(found);
		if (whole || !pruning->spared) {
			pruning->spared = found->number;
			pruning->spared_life = found->life;
		}
	}
	free(list);
	free(found);
	return code;
}

/* What is named must be there, and may go. */
static int check_named(struct pruning *pruning, const char *folder, struct fault *fault)
{
	struct store_checkpoint *found = malloc(sizeof *found);
	int code = found ? 0 : fault_set(fault, SEAMARK_E_MEMORY, "no memory to look through '%s'", folder);

	for (size_t i = 0; !code && i < pruning->wish->count; i++) {
		uint64_t number = pruning->wish->numbers[i];
		struct fault own = FAULT_NONE;

		memset(found, 0, sizeof *found);
		code = catalogue_at_number(folder, number, found, &own);
		if (code && code != SEAMARK_E_DAMAGED && code != SEAMARK_E_VERSION)
			fault_set(fault, code, "%s", own.text);
		else if (found->pinned)
			code = fault_set(fault, SEAMARK_E_ARGUMENT, "checkpoint %" PRIu64 " is pinned: `seamark keep --off %" PRIu64 "` first", number, number);
		else if (number == pruning->spared)
			code = fault_set(fault, SEAMARK_E_ARGUMENT, "checkpoint %" PRIu64 " is the newest that is whole, and stays", number);
		else
			code = 0;
	}
	free(found);
	return code;
}

/* --- what is told -------------------------------------------------------------------------------------------------------- */

static uint64_t bytes_in(const char *path)
{
	DIR *open = io_opendir(path);
	struct dirent *file;
	struct stat about;
	uint64_t bytes = 0;

	while (open && (file = readdir(open)))
		if (!fstatat(dirfd(open), file->d_name, &about, AT_SYMLINK_NOFOLLOW) && S_ISREG(about.st_mode))
			bytes += (uint64_t)about.st_size;
	if (open)
		closedir(open);
	return bytes;
}

static void tell(struct pruning *pruning, enum seamark_files_fate fate, const struct catalogue_entry *entry, uint64_t bytes)
{
	if (pruning->told)
		pruning->told(&(struct seamark_files_pruned){ .fate = fate, .number = entry->number, .life = entry->life, .bytes = bytes }, pruning->context);
}

/* --- what is done -------------------------------------------------------------------------------------------------------- */

/* A checkpoint, or one that was retired before and was needed until now. */
static void prune_checkpoint(struct pruning *pruning, size_t i)
{
	struct keeping *keeping = &pruning->keeping;
	const struct catalogue_entry *entry = &keeping->list[i];
	bool needed = retention_is_needed(keeping, entry);
	uint64_t bytes = bytes_in(catalogue_path(keeping->folder, entry->number, entry->life).text);

	if (needed && !entry->committed)
		return;
	if (!pruning->wish->dry_run)
		retention_retire_one(keeping, i, pruning->fault);
	if (keeping->fates[i] == FATE_GOES && !pruning->fault->code)
		tell(pruning, !entry->committed ? SEAMARK_FILES_FREED : needed ? SEAMARK_FILES_HIDDEN : SEAMARK_FILES_REMOVED, entry, needed ? 0 : bytes);
}

/* What an attempt has left, or a rewriting. */
static void prune_leavings(struct pruning *pruning, size_t i)
{
	struct keeping *keeping = &pruning->keeping;
	const struct catalogue_entry *entry = &keeping->list[i];
	struct io_path path = catalogue_path(keeping->folder, entry->number, entry->life);
	uint64_t before = bytes_in(path.text);

	if (!entry->committed && pruning->wish->dry_run) {
		tell(pruning, SEAMARK_FILES_LEFT, entry, before);
	} else if (!pruning->wish->dry_run) {
		uint64_t after;

		retention_tidy_one(keeping, i, UINT32_MAX, pruning->fault);
		after = bytes_in(path.text);
		if (!pruning->fault->code && (!entry->committed || after < before))
			tell(pruning, SEAMARK_FILES_LEFT, entry, before - after);
	}
}

/* Attempts that were taken out of the way, and not removed any more: the folder ends in ".void", and has no manifest. */
static void tell_voids(struct pruning *pruning, const char *folder)
{
	DIR *open = io_opendir(folder);
	struct dirent *file;

	while (open && (file = readdir(open))) {
		struct io_path path = io_path("%s/%s", folder, file->d_name);
		struct catalogue_entry entry = { 0 };
		char rest[8] = "";

		if (sscanf(file->d_name, "%" SCNu64 ".L%" SCNu32 "%7s", &entry.number, &entry.life, rest) != 3 || strcmp(rest, ".void") || io_is_link(path.text) ||
		    io_is_there(io_path("%s/" MANIFEST_NAME, path.text).text))
			continue;
		tell(pruning, SEAMARK_FILES_LEFT, &entry, bytes_in(path.text));
	}
	if (open)
		closedir(open);
}

/* Newest first, as retention does: what is needed by one that goes may go after it. */
static void prune_all(struct pruning *pruning)
{
	struct keeping *keeping = &pruning->keeping;

	for (size_t i = keeping->count; i-- && !pruning->fault->code;) {
		const struct catalogue_entry *entry = &keeping->list[i];

		/* What cannot be read stays unless it is named. */
		if (keeping->fates[i] == FATE_UNREADABLE && is_named(pruning->wish, entry->number))
			keeping->fates[i] = FATE_GOES;
		if (keeping->fates[i] == FATE_GOES && (entry->committed || entry->held))
			prune_checkpoint(pruning, i);
		else
			prune_leavings(pruning, i);
	}
}

/* Nobody is there who could be using it: whatever life there was is over. */
static void remove_old_files(struct store *store)
{
	if (!store->life)
		return;
	lives_remove_claims(store);
	status_remove_leavings(store);
	io_unlink(io_path("%s/" HISTORY_NAME ".tmp", store->folder).text);
}

/* As the newest life, which is over, so that one which begins now is noticed. Where locks are not honoured between hosts a run may be there all the same: it writes its status now and then. */
static int be_newest_life(struct store *store, struct fault *fault)
{
	struct seamark_files_status status;
	struct run_file newest;
	char host[RUN_FILE_HOST_MOST + 1];
	int code = run_file_read(store->folder, &newest, fault);

	if (code == SEAMARK_E_NOT_FOUND || code == SEAMARK_E_DAMAGED) {
		*fault = FAULT_NONE;
		return 0;
	}
	if (code)
		return code;
	run_file_host(host);
	if (strcmp(newest.host, host) && !seamark_files_status(store->folder, &status) && !status.ended &&
	    (double)(moment_now_ns() - status.time_ns) < 3e9 * status.again_s)
		return fault_set(fault, SEAMARK_E_BUSY, "folder '%s' seems to be used by life %" PRIu32 " (process %" PRId64 " on host '%s'), which has told how it is just now: "
				 "if that has ended, this can be done in %.0f s", store->folder, newest.life, newest.process, newest.host, 3 * status.again_s);
	memcpy(store->run, newest.run, sizeof store->run);
	store->life = newest.life;
	return 0;
}

static int prune(struct pruning *pruning, struct store *store, struct fault *fault)
{
	int code = pruning->wish->dry_run ? 0 : be_newest_life(store, fault);

	if (code)
		return code;
	code = find_spared(pruning, store->folder, fault);
	if (!code)
		code = check_named(pruning, store->folder, fault);
	if (code)
		return code;
	tell_voids(pruning, store->folder);
	if (!pruning->wish->dry_run)
		catalogue_put_back(store->folder);
	pruning->keeping.goes = goes;
	pruning->keeping.context = pruning;
	pruning->fault = fault;
	if (retention_open(&pruning->keeping, store, 0, fault))
		prune_all(pruning);
	else if (!fault->code)
		fault_set(fault, SEAMARK_E_MEMORY, "no memory to look through '%s'", store->folder);
	retention_close(&pruning->keeping);
	if (!fault->code && !pruning->wish->dry_run)
		remove_old_files(store);
	return fault->code;
}

static bool has_any(const char *folder)
{
	struct catalogue_entry *list;
	size_t count;

	if (catalogue_list(folder, &list, &count, NULL))
		return false;
	free(list);
	return count;
}

int prune_folder(const char *folder, const struct seamark_files_wish *wish, void (*told)(const struct seamark_files_pruned *pruned, void *context), void *context,
		 struct fault *fault)
{
	struct pruning pruning = { .wish = wish, .told = told, .context = context };
	struct store *store;
	struct stat about;
	int code;

	if (stat(folder, &about))
		return fault_errno(fault, "cannot look at folder '%s'", folder);
	/* Before a lock is made beside something else. */
	if (stat(io_path("%s/run.json", folder).text, &about) && !has_any(folder))
		return fault_set(fault, SEAMARK_E_NOT_FOUND, "there is no checkpoint in '%s'", folder);
	code = store_open(&store, folder, 0, 1, fault);
	if (code)
		return code;
	if (!wish->dry_run)
		code = lives_lock(store, fault);
	if (!code)
		code = prune(&pruning, store, fault);
	store_close(store);
	return code;
}
