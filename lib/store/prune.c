/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
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
	struct doubt { uint64_t number; uint32_t life; struct fault why; } *doubts; /* newer ones that could not be looked at: who knows whether they are */
	size_t doubt_count, doubt_room;
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

static const struct doubt *doubt_of(const struct pruning *pruning, uint64_t number, uint32_t life)
{
	for (size_t i = 0; i < pruning->doubt_count; i++)
		if (pruning->doubts[i].number == number && pruning->doubts[i].life == life)
			return &pruning->doubts[i];
	return NULL;
}

/* Pinned ones stay whatever is wanted, and so does the newest that is whole, or may be: of what is named that is an error, found before. */
static bool goes(void *context, const struct store_checkpoint *found)
{
	struct pruning *pruning = context;
	const struct seamark_files_wish *wish = pruning->wish;
	uint64_t newer = pruning->newer++;

	if (found->pinned || (found->number == pruning->spared && found->life == pruning->spared_life) || doubt_of(pruning, found->number, found->life))
		return false;
	if (wish->count)
		return is_named(wish, found->number);
	if (!wish->keep && !wish->older_than_ns)
		return false;
	return (!wish->keep || newer >= wish->keep) && (!wish->older_than_ns || found->taken_ns < wish->older_than_ns);
}

/* Headers, tables, sizes, and the files of others that it needs: what a restart looks at before it takes it. */
static int look_at(const struct store_checkpoint *found, struct fault *fault)
{
	int code = 0;

	for (uint32_t rank = 0; !code && rank < found->ranks; rank++) {
		struct store_image *image = NULL;

		code = store_open_image(&image, found, rank, fault);
		if (code)
			break;
		code = store_open_parents(image, fault);
		store_close_image(image);
	}
	return code;
}

/* A disk that cannot be read for a moment, or no memory, says nothing about what is there. */
static bool is_proof(int code)
{
	return code == SEAMARK_E_DAMAGED || code == SEAMARK_E_NOT_FOUND || code == SEAMARK_E_RUN || code == SEAMARK_E_VERSION;
}

static int doubt(struct pruning *pruning, const struct store_checkpoint *found, const struct fault *why, struct fault *fault)
{
	struct doubt *grown = list_with_room(pruning->doubts, pruning->doubt_count, &pruning->doubt_room, sizeof *grown);

	if (!grown)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to look at checkpoint %" PRIu64, found->number);
	pruning->doubts = grown;
	grown[pruning->doubt_count++] = (struct doubt){ found->number, found->life, *why };
	return 0;
}

/* If none is whole, the newest that can be read: it may be all that somebody has. */
static int find_spared(struct pruning *pruning, const char *folder, struct fault *fault)
{
	struct store_checkpoint *found = malloc(sizeof *found);
	struct catalogue_entry *list = NULL;
	size_t count = 0;
	bool whole = false;
	int code = found ? catalogue_list(folder, &list, &count, fault) : fault_set(fault, SEAMARK_E_MEMORY, "no memory to look through '%s'", folder);

	for (size_t i = code ? 0 : count; !code && i-- && !whole;) {
		struct fault why = FAULT_NONE;
		bool readable;

		if (!list[i].committed)
			continue;
		readable = !catalogue_read(folder, &list[i], found, &why);
		whole = readable && !look_at(found, &why);
		if (!whole && !is_proof(why.code))
			code = doubt(pruning, found, &why, fault);
		if (whole || (readable && !pruning->spared)) {
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
		const struct doubt *unsure;
		struct fault own = FAULT_NONE;

		memset(found, 0, sizeof *found);
		code = catalogue_at_number(folder, number, found, &own);
		if (code && code != SEAMARK_E_DAMAGED && code != SEAMARK_E_VERSION)
			fault_set(fault, code, "%s", own.text);
		else if ((unsure = doubt_of(pruning, number, found->life)))
			code = fault_set(fault, unsure->why.code, "checkpoint %" PRIu64 " may be the newest that is whole, and stays: %s", number, unsure->why.text);
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

	if (pruning->wish->dry_run && entry->committed) {
		uint64_t left = keeping->fates[i] == FATE_KEPT && !catalogue_read(keeping->folder, entry, keeping->found, NULL) ? catalogue_leavings(keeping->found) : 0;

		if (left)
			tell(pruning, SEAMARK_FILES_LEFT, entry, left);
	} else if (pruning->wish->dry_run) {
		tell(pruning, SEAMARK_FILES_LEFT, entry, before);
	} else {
		struct io_path away = io_path("%s.void", path.text);
		uint64_t after;
		bool gone;

		retention_tidy_one(keeping, i, UINT32_MAX, pruning->fault);
		/* A person's files stay, in one of the two. */
		after = bytes_in(path.text) + bytes_in(away.text);
		gone = !entry->committed && !io_is_there(path.text) && !io_is_there(away.text);
		if (!pruning->fault->code && (gone || after < before))
			tell(pruning, SEAMARK_FILES_LEFT, entry, before > after ? before - after : 0);
	}
}

/* An attempt that was taken out of the way, and not removed any more: the folder ends in ".void", and has no manifest. */
static bool is_left(const char *folder, const char *name, struct catalogue_entry *entry)
{
	struct io_path path = io_path("%s/%s", folder, name);
	char rest[8] = "";

	return sscanf(name, "%" SCNu64 ".L%" SCNu32 "%7s", &entry->number, &entry->life, rest) == 3 && !strcmp(rest, ".void") && !io_is_link(path.text) &&
	       !io_is_there(io_path("%s/" MANIFEST_NAME, path.text).text);
}

struct left { struct catalogue_entry entry; uint64_t bytes; };

static int list_left(const char *folder, struct left **list, size_t *count, struct fault *fault)
{
	DIR *open = io_opendir(folder);
	struct dirent *file;
	size_t room = 0;
	int code = 0;

	while (open && !code && (file = readdir(open))) {
		struct left left = { .bytes = 0 }, *grown;

		if (!is_left(folder, file->d_name, &left.entry))
			continue;
		grown = list_with_room(*list, *count, &room, sizeof *grown);
		if (!grown) {
			code = fault_set(fault, SEAMARK_E_MEMORY, "no memory to look through '%s'", folder);
			break;
		}
		left.bytes = bytes_in(io_path("%s/%s", folder, file->d_name).text);
		snprintf(left.entry.name, sizeof left.entry.name, "%.31s", file->d_name);
		*list = grown;
		grown[(*count)++] = left;
	}
	if (open)
		closedir(open);
	return code;
}

static void prune_voids(struct pruning *pruning, const char *folder, struct fault *fault)
{
	bool dry_run = pruning->wish->dry_run;
	struct left *list = NULL;
	size_t count = 0;
	int code = list_left(folder, &list, &count, fault);

	if (!code && !dry_run)
		catalogue_put_back(folder, fault);
	for (size_t i = 0; !code && i < count; i++)
		if (dry_run || !io_is_there(io_path("%s/%s", folder, list[i].entry.name).text))
			tell(pruning, SEAMARK_FILES_LEFT, &list[i].entry, list[i].bytes);
	free(list);
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
	/* Where locks are not honoured. Nothing was changed since. */
	if (!pruning->fault->code && !pruning->wish->dry_run && !lives_is_newest(keeping->store))
		fault_set(pruning->fault, SEAMARK_E_BUSY, "a run has begun to use folder '%s': what is still to be removed stays", keeping->folder);
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

/* How long ago, by the clock of whoever keeps the files: those of two hosts need not agree. The lock was written just now. A time to come tells no more than one that is as long ago. */
static double told_ago_s(const struct store *store)
{
	struct stat status, lock;

	if (stat(io_path("%s/" STATUS_NAME, store->folder).text, &status) || fstat(store->lock, &lock))
		return 0;
	return fabs((double)(lock.st_mtim.tv_sec - status.st_mtim.tv_sec) + (double)(lock.st_mtim.tv_nsec - status.st_mtim.tv_nsec) / 1e9);
}

/* As the newest life, which is over, so that one which begins now is noticed. Where locks are not honoured between hosts a run may be there all the same: it writes its status now and then. */
static int be_newest_life(struct store *store, struct fault *fault)
{
	struct seamark_files_status status;
	struct run_file newest;
	char host[RUN_FILE_HOST_MOST + 1];
	double left_s;
	int code = run_file_read(store->folder, &newest, fault);

	if (code == SEAMARK_E_NOT_FOUND || code == SEAMARK_E_DAMAGED) {
		*fault = FAULT_NONE;
		return 0;
	}
	if (code)
		return code;
	run_file_host(host);
	left_s = strcmp(newest.host, host) && !seamark_files_status(store->folder, &status) && !status.ended ? 3 * status.again_s - told_ago_s(store) : 0;
	if (left_s > 0)
		return fault_set(fault, SEAMARK_E_BUSY, "folder '%s' seems to be used by life %" PRIu32 " (process %" PRId64 " on host '%s'), which has told how it is just now: "
				 "if that has ended, this can be done in %.0f s", store->folder, newest.life, newest.process, newest.host, left_s);
	memcpy(store->run, newest.run, sizeof store->run);
	store->life = newest.life;
	return 0;
}

static int prune(struct pruning *pruning, struct store *store, struct fault *fault)
{
	struct fault left = FAULT_NONE;
	int code = pruning->wish->dry_run ? 0 : be_newest_life(store, fault);

	if (code)
		return code;
	code = find_spared(pruning, store->folder, fault);
	if (!code)
		code = check_named(pruning, store->folder, fault);
	if (code)
		return code;
	prune_voids(pruning, store->folder, &left);
	pruning->keeping.goes = goes;
	pruning->keeping.context = pruning;
	pruning->fault = fault;
	if (retention_open(&pruning->keeping, store, 0, fault))
		prune_all(pruning);
	else if (!fault->code)
		fault_set(fault, SEAMARK_E_MEMORY, "no memory to look through '%s'", store->folder);
	retention_close(&pruning->keeping);
	if (left.code)
		fault_set(fault, left.code, "%s", left.text);
	if (!fault->code && !pruning->wish->dry_run)
		remove_old_files(store);
	return fault->code;
}

/* Before a lock is made beside something else. */
static int look_for_any(const char *folder, struct fault *fault)
{
	struct io_path path = io_path("%s/run.json", folder);
	struct catalogue_entry *list;
	struct stat about;
	size_t count;
	int code;

	if (!stat(path.text, &about))
		return 0;
	if (errno != ENOENT)
		return fault_errno(fault, "cannot look at '%s'", path.text);
	code = catalogue_list(folder, &list, &count, fault);
	if (code)
		return code;
	free(list);
	return count ? 0 : fault_set(fault, SEAMARK_E_NOT_FOUND, "there is no checkpoint in '%s'", folder);
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
	code = look_for_any(folder, fault);
	if (code)
		return code;
	code = store_open(&store, folder, 0, 1, fault);
	if (code)
		return code;
	if (!wish->dry_run)
		code = lives_lock(store, fault);
	if (!code)
		code = prune(&pruning, store, fault);
	free(pruning.doubts);
	store_close(store);
	return code;
}
