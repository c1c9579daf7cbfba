/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/list.h"
#include "store/manifest.h"

/* Only the one way in which we would write it, so that a folder has one name and a name one folder. */
static bool parse_name(const char *name, struct catalogue_entry *entry)
{
	char *end;

	if (strlen(name) >= sizeof entry->name || name[0] < '0' || name[0] > '9')
		return false;
	errno = 0;
	entry->number = strtoull(name, &end, 10);
	if (errno || entry->number > INT64_MAX || strncmp(end, ".L", 2) || end[2] < '0' || end[2] > '9')
		return false;
	entry->life = (uint32_t)strtoul(end + 2, &end, 10);
	snprintf(entry->name, sizeof entry->name, "%07" PRIu64 ".L%02" PRIu32, entry->number, entry->life);
	return entry->life && !strcmp(entry->name, name);
}

static int compare_entries(const void *a, const void *b)
{
	const struct catalogue_entry *left = a, *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return (left->life > right->life) - (left->life < right->life);
}

static bool append(struct catalogue_entry **list, size_t *count, size_t *room, const struct catalogue_entry *entry)
{
	struct catalogue_entry *grown = list_with_room(*list, *count, room, sizeof *grown);
	if (!grown)
		return false;
	*list = grown;
	(*list)[(*count)++] = *entry;
	return true;
}

/* What cannot be looked at is not known to be absent. */
static bool may_be_there(int folder, const char *name)
{
	return !faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) || (errno != ENOENT && errno != ENOTDIR);
}

/* A link with a checkpoint's name is none, and leads to none. */
static bool is_link_in(int folder, const char *name)
{
	struct stat status;

	return !fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) && S_ISLNK(status.st_mode);
}

int catalogue_list(const char *folder, struct catalogue_entry **list, size_t *count, struct fault *fault)
{
	DIR *open = io_opendir(folder);
	struct dirent *file;
	size_t room = 0;
	int code = 0;

	*list = NULL;
	*count = 0;
	if (!open)
		return fault_errno(fault, "cannot open folder '%s'", folder);
	while (!code && (errno = 0, file = readdir(open))) {
		struct catalogue_entry entry = {0};
		char manifest[64], held[64], retired[64];

		if (!parse_name(file->d_name, &entry))
			continue;
		snprintf(manifest, sizeof manifest, "%s/" MANIFEST_NAME, entry.name);
		snprintf(held, sizeof held, "%s/" MANIFEST_HELD, entry.name);
		snprintf(retired, sizeof retired, "%s/" MANIFEST_RETIRED, entry.name);
		if (!is_link_in(dirfd(open), entry.name)) {
			entry.committed = may_be_there(dirfd(open), manifest);
			entry.held = !entry.committed && (may_be_there(dirfd(open), held) || may_be_there(dirfd(open), retired));
		}
		if (!append(list, count, &room, &entry))
			code = fault_set(fault, SEAMARK_E_MEMORY, "no memory to list folder '%s'", folder);
	}
	if (!code && errno)
		code = fault_errno(fault, "cannot list folder '%s'", folder);
	closedir(open);
	if (code) {
		free(*list);
		*list = NULL;
		*count = 0;
		return code;
	}
	if (*count)
		qsort(*list, *count, sizeof **list, compare_entries);
	return 0;
}

struct io_path catalogue_path(const char *folder, uint64_t number, uint32_t life)
{
	return io_path("%s/%07" PRIu64 ".L%02" PRIu32, folder, number, life);
}

/* Not by "..", where the name tells: a folder may be there by a link. */
struct io_path catalogue_above(const char *path)
{
	size_t length = strlen(path), end;

	while (length > 1 && path[length - 1] == '/')
		length--;
	for (end = length; end && path[end - 1] != '/'; end--)
		;
	if (!strncmp(path + end, ".", length - end) || !strncmp(path + end, "..", length - end))
		return io_path("%.*s/..", (int)length, path);
	while (end > 1 && path[end - 1] == '/')
		end--;
	return end ? io_path("%.*s", (int)end, path) : io_path(".");
}

struct io_path catalogue_beside(const char *path, uint64_t number, uint32_t life)
{
	struct io_path above = catalogue_above(path);

	return catalogue_path(above.text, number, life);
}

int catalogue_read(const char *folder, const struct catalogue_entry *entry, struct store_checkpoint *found, struct fault *fault)
{
	struct io_path path = catalogue_path(folder, entry->number, entry->life);
	int code;

	memset(found, 0, sizeof *found);
	strcpy(found->path, path.text);
	code = manifest_read(found, path.text, fault);
	if (!code && (found->number != entry->number || found->life != entry->life))
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' holds the manifest of checkpoint %" PRIu64 ", life %" PRIu32, path.text,
				 found->number, found->life);
	found->number = entry->number;
	found->life = entry->life;
	return code;
}

static bool ends_with(const char *name, const char *ending)
{
	size_t length = strlen(name), end = strlen(ending);

	return length >= end && !strcmp(name + length - end, ending);
}

static bool is_image(const char *name)
{
	return (!strncmp(name, "rank-", 5) || !strncmp(name, "whole-", 6)) && ends_with(name, ".smk");
}

static bool is_ours(const char *name)
{
	return is_image(name) || !strcmp(name, MANIFEST_RETIRED) || !strcmp(name, MANIFEST_PINNED) || ends_with(name, ".tmp");
}

static const char *const manifest_names[] = { [CATALOGUE_LISTED] = MANIFEST_NAME, [CATALOGUE_HELD] = MANIFEST_HELD, [CATALOGUE_RETIRED] = MANIFEST_RETIRED };

/* 1: it has another name now; 0: there is none of that name. */
static int rename_manifest(const char *path, const char *from, const char *to, struct fault *fault)
{
	struct io_path before = io_path("%s/%s", path, from), after = io_path("%s/%s", path, to);
	int code;

	if (rename(before.text, after.text))
		return errno == ENOENT ? 0 : fault_errno(fault, "cannot rename '%s' to '%s'", before.text, to);
	crash_point_on("manifest-retired", to);
	code = io_sync_folder(path, fault);
	return code ? code : 1;
}

int catalogue_rename(const char *path, enum catalogue_fate to, enum catalogue_fate *was, struct fault *fault)
{
	int code = 0;

	if (was)
		*was = to;
	if (io_is_link(path))
		return 0;
	for (int from = 0; !code && from < (int)(sizeof manifest_names / sizeof manifest_names[0]); from++) {
		if (from == (int)to)
			continue;
		code = rename_manifest(path, manifest_names[from], manifest_names[to], fault);
		if (code == 1 && was)
			*was = (enum catalogue_fate)from;
	}
	return code < 0 ? code : 0;
}

/* A name that a locator makes. */
static bool is_named(const struct store_checkpoint *checkpoint, const char *name)
{
	for (uint32_t i = 0; i < checkpoint->locator_count; i++) {
		const char *pattern = checkpoint->locators[i].pattern;
		size_t before = strcspn(pattern, "*");

		if (!strncmp(name, pattern, before) && ends_with(name, pattern + before + 1))
			return true;
	}
	return false;
}

static bool is_leaving(const struct store_checkpoint *checkpoint, const char *name)
{
	return is_image(name) ? !is_named(checkpoint, name) : ends_with(name, ".tmp");
}

uint64_t catalogue_leavings(const struct store_checkpoint *checkpoint)
{
	DIR *open = io_opendir(checkpoint->path);
	struct dirent *file;
	struct stat about;
	uint64_t bytes = 0;

	while (open && (file = readdir(open)))
		if (is_leaving(checkpoint, file->d_name) && !fstatat(dirfd(open), file->d_name, &about, AT_SYMLINK_NOFOLLOW) && S_ISREG(about.st_mode))
			bytes += (uint64_t)about.st_size;
	if (open)
		closedir(open);
	return bytes;
}

int catalogue_sweep(const struct store_checkpoint *checkpoint, struct fault *fault)
{
	DIR *open = io_opendir(checkpoint->path);
	struct dirent *file;
	bool synced = false;
	int code = 0;

	if (!open)
		return fault_errno(fault, "cannot open folder '%s'", checkpoint->path);
	while (!code && (errno = 0, file = readdir(open))) {
		bool left = is_leaving(checkpoint, file->d_name);

		if (left && !synced)
			code = io_sync_folder(checkpoint->path, fault);
		synced = synced || left;
		left = left && !code;
		if (left && unlinkat(dirfd(open), file->d_name, 0) && errno != ENOENT)
			code = fault_errno(fault, "cannot remove '%s/%s'", checkpoint->path, file->d_name);
		if (left)
			crash_point_on("leaving-swept", file->d_name);
	}
	if (!code && errno)
		code = fault_errno(fault, "cannot list folder '%s'", checkpoint->path);
	closedir(open);
	return code;
}

int catalogue_remove(const char *path, struct fault *fault)
{
	int code = catalogue_rename(path, CATALOGUE_RETIRED, NULL, fault);
	struct dirent *file;
	DIR *open;

	if (code || io_is_link(path))
		return code; /* a link is a person's, and what it leads to all the more */
	open = io_opendir(path);
	if (!open)
		return errno == ENOENT ? 0 : fault_errno(fault, "cannot open folder '%s'", path);
	while (errno = 0, file = readdir(open)) {
		if (!is_ours(file->d_name))
			continue;
		if (unlinkat(dirfd(open), file->d_name, 0) && errno != ENOENT)
			code = fault_errno(fault, "cannot remove '%s/%s'", path, file->d_name);
		crash_point_on("old-file-removed", file->d_name);
	}
	if (errno)
		code = fault_errno(fault, "cannot list folder '%s'", path);
	closedir(open);
	/* What a person has put there stays, and the folder with it. */
	if (!code && rmdir(path) && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
		code = fault_errno(fault, "cannot remove folder '%s'", path);
	crash_point("old-folder-removed");
	return code;
}

/* What a folder is called that is out of the way. */
#define VOID ".void"

static bool may_be_checkpoint(const char *path)
{
	return may_be_there(AT_FDCWD, io_path("%s/" MANIFEST_NAME, path).text);
}

static int rename_folder(const char *from, const char *to, struct fault *fault)
{
	int code = rename(from, to) ? fault_errno(fault, "cannot rename '%s' to '%s'", from, to) : 0;

	crash_point_on("folder-renamed", to);
	return code;
}

int catalogue_revoke(const char *path, struct fault *fault)
{
	struct io_path away = io_path("%s" VOID, path);
	struct fault own = FAULT_NONE;
	int code;

	if (io_is_link(path))
		return 0; /* a person's */
	code = rename_folder(path, away.text, &own);
	if (code)
		return code == SEAMARK_E_NOT_FOUND ? 0 : fault_set(fault, code, "%s", own.text);
	return may_be_checkpoint(away.text) ? rename_folder(away.text, path, fault) : catalogue_remove(away.text, fault);
}

void catalogue_put_back(const char *folder, struct fault *fault)
{
	DIR *open = io_opendir(folder);
	struct dirent *file;

	while (open && (file = readdir(open))) {
		struct io_path away = io_path("%s/%s", folder, file->d_name), path = away;
		struct catalogue_entry entry = {0};
		size_t length = strlen(path.text);

		if (!ends_with(file->d_name, VOID))
			continue;
		path.text[length - (sizeof VOID - 1)] = 0;
		if (!parse_name(strrchr(path.text, '/') + 1, &entry) || io_is_link(away.text))
			continue;
		if (may_be_checkpoint(away.text))
			rename_folder(away.text, path.text, fault);
		else
			catalogue_remove(away.text, fault);
	}
	if (open)
		closedir(open);
}

static int find_newest(const char *folder, const struct catalogue_entry *list, size_t count, uint64_t below,
		       struct store_checkpoint *found, struct fault *fault)
{
	size_t newest = SIZE_MAX;

	/* A number may be there for two lives, if a life was killed and its successor did not see its folder. */
	for (size_t i = count; i--;) {
		if (list[i].number >= below || !list[i].committed)
			continue;
		if (newest != SIZE_MAX && list[i].number != list[newest].number)
			break;
		if (!catalogue_read(folder, &list[i], found, NULL))
			return 0;
		if (newest == SIZE_MAX)
			newest = i;
	}
	if (newest == SIZE_MAX)
		return fault_set(fault, SEAMARK_E_NOT_FOUND, "no checkpoint in '%s'", folder);
	return catalogue_read(folder, &list[newest], found, fault);
}

int catalogue_newest(const char *folder, uint64_t below, struct store_checkpoint *found, struct fault *fault)
{
	struct catalogue_entry *list;
	size_t count;
	int code = catalogue_list(folder, &list, &count, fault);

	if (code)
		return code;
	code = find_newest(folder, list, count, below, found, fault);
	free(list);
	return code;
}

int catalogue_at_path(const char *path, struct store_checkpoint *found, struct fault *fault)
{
	struct io_path given = io_path("%s", path);
	size_t length = strlen(given.text);
	char *real = NULL;

	memset(found, 0, sizeof *found);
	if (strlen(path) >= sizeof found->path)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "the path '%s' is too long", path);
	while (length > 1 && given.text[length - 1] == '/')
		given.text[--length] = 0;
	/* A link that somebody names is what he means. */
	if (io_is_link(given.text))
		real = realpath(given.text, NULL);
	snprintf(found->path, sizeof found->path, "%s", real ? real : path);
	free(real);
	return manifest_read(found, found->path, fault);
}

int catalogue_at_number(const char *folder, uint64_t number, struct store_checkpoint *found, struct fault *fault)
{
	struct fault own = FAULT_NONE;
	int code = number == UINT64_MAX ? SEAMARK_E_NOT_FOUND : catalogue_newest(folder, number + 1, found, &own);

	if (code == SEAMARK_E_NOT_FOUND || ((!code || own.code) && found->number != number))
		return fault_set(fault, SEAMARK_E_NOT_FOUND, "no checkpoint %" PRIu64 " in '%s'", number, folder);
	return code ? fault_set(fault, code, "%s", own.text) : 0;
}
