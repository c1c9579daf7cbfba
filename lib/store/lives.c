/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder, and the lives of a run on it (docs/format.md, 6; docs/design.md, 3.15). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "store/catalogue.h"
#include "store/history.h"
#include "store/lock.h"
#include "store/run_file.h"

/* And the number of a life: what a life has claimed its number by. */
#define CLAIM ".life-"
enum { FOLDER_MOST = 3500 };

/* --- the folder ---------------------------------------------------------------------------------------------------- */

/* The program may change its working directory later. */
static int make_absolute(struct store *store, const char *folder, struct fault *fault)
{
	size_t length;

	store->folder[0] = 0;
	if (folder[0] != '/' && !getcwd(store->folder, FOLDER_MOST))
		return fault_errno(fault, "cannot tell where folder '%s' is", folder);
	length = strlen(store->folder);
	if (length + 1 + strlen(folder) >= FOLDER_MOST)
		return fault_set(fault, SEAMARK_E_SETTING, "the name of folder '%s' is too long", folder);
	sprintf(store->folder + length, "%s%s", length && folder[0] ? "/" : "", folder);
	length = strlen(store->folder);
	while (length > 1 && store->folder[length - 1] == '/')
		store->folder[--length] = 0;
	return 0;
}

int store_open(struct store **opened, const char *folder, uint32_t rank, uint32_t ranks, struct fault *fault)
{
	struct store *store;
	int code;

	if (!folder[0] || rank >= ranks)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "a store needs a folder and a rank of its world");
	store = calloc(1, sizeof *store);
	if (!store)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the store");
	store->rank = rank;
	store->ranks = ranks;
	store->lock = -1;
	code = make_absolute(store, folder, fault);
	if (code) {
		free(store);
		return code;
	}
	*opened = store;
	return 0;
}

bool store_close(struct store *store)
{
	if (!store)
		return true;
	if (!writer_stop(store))
		return false;
	lives_release_lock(store);
	free(store);
	return true;
}

const char *store_folder(const struct store *store)
{
	return store->folder;
}

int store_newest(struct store *store, uint64_t below, struct store_checkpoint *found, struct fault *fault)
{
	return catalogue_newest(store->folder, below, found, fault);
}

int store_at(struct store *store, const char *number_or_path, struct store_checkpoint *found, struct fault *fault)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(number_or_path, &end, 10);
	if (number_or_path[0] >= '0' && number_or_path[0] <= '9' && !*end && !errno)
		return catalogue_at_number(store->folder, number, found, fault);
	return catalogue_at_path(number_or_path, found, fault);
}

/* --- claims ---------------------------------------------------------------------------------------------------------- */

/* A file that only one can make, whatever becomes of locks (on NFS, say), and which stays until a later life has begun. So no two lives ever have one number, or write into one folder, and of two
 * that begin at the same moment each can see which is the later. */
static int make_claim(struct store *store, bool *taken, struct fault *fault)
{
	struct io_path path = io_path("%s/" CLAIM "%" PRIu32, store->folder, store->life);
	int fd = io_open(path.text, O_WRONLY | O_CREAT | O_EXCL);

	crash_point("life-claimed");
	*taken = fd < 0 && errno == EEXIST;
	if (fd >= 0)
		close(fd);
	return fd >= 0 || *taken ? 0 : fault_errno(fault, "cannot make '%s'", path.text);
}

static uint32_t number_of_claim(const char *name)
{
	unsigned long number = strncmp(name, CLAIM, sizeof CLAIM - 1) ? 0 : strtoul(name + sizeof CLAIM - 1, NULL, 10);

	return number < UINT32_MAX ? (uint32_t)number : 0;
}

/* The highest that there is; 0: none. */
static uint32_t highest_claim(const char *folder)
{
	DIR *open = io_opendir(folder);
	struct dirent *file;
	uint32_t highest = 0;

	while (open && (file = readdir(open))) {
		uint32_t number = number_of_claim(file->d_name);

		highest = number > highest ? number : highest;
	}
	if (open)
		closedir(open);
	return highest;
}

static int claim_life(struct store *store, struct fault *fault)
{
	struct run_file newest;
	bool taken;
	int code;

	for (;; store->life++) {
		code = make_claim(store, &taken, fault);
		if (code)
			return code;
		if (taken)
			continue;
		/* Another may have had it, and have written it, since run.json was read. */
		if (run_file_read(store->folder, &newest, NULL) || newest.life < store->life)
			return 0;
		memcpy(store->run, newest.run, sizeof store->run);
		store->life = newest.life;
	}
}

/* Of lives that begin at the same moment the one with the highest number goes on. It has been claimed by then if run.json could be written over after it was. */
static int write_own_run(struct store *store, struct fault *fault)
{
	struct run_file own = { .life = store->life, .process = getpid() }, newest;
	struct fault why = FAULT_NONE;
	int code;

	memcpy(own.run, store->run, sizeof own.run);
	strcpy(own.owner, store->owner);
	strcpy(own.start, store->start);
	run_file_host(own.host);
	code = run_file_write(store->folder, &own, &why);
	if (highest_claim(store->folder) > store->life || (!run_file_read(store->folder, &newest, NULL) && newest.life > store->life))
		return fault_set(fault, SEAMARK_E_BUSY, "folder '%s' is used by another run, which began at the same moment: end that one, or set "
				 "SEAMARK_DIR to another folder", store->folder);
	return code ? fault_set(fault, code, "%s", why.text) : 0;
}

/* Of earlier lives, and of those that never began. */
void lives_remove_claims(const struct store *store)
{
	DIR *open = io_opendir(store->folder);
	struct dirent *file;

	while (open && (file = readdir(open))) {
		uint32_t number = number_of_claim(file->d_name);

		if (number && number < store->life)
			unlinkat(dirfd(open), file->d_name, 0);
		crash_point("claim-removed");
	}
	if (open)
		closedir(open);
}

static int make_run(struct store *store, struct fault *fault)
{
	if (getrandom(store->run, sizeof store->run, 0) != (ssize_t)sizeof store->run)
		return fault_errno(fault, "cannot draw a random number for the run");
	crash_point("run-drawn");
	return 0;
}

/* A start that somebody else's life has come after goes no further. */
static int look_at_start(const struct store *store, const struct run_file *newest, struct fault *fault)
{
	char life[160];

	if (!store->fenced || newest->life <= store->start_after || !strcmp(newest->start, store->start))
		return 0;
	run_file_say(newest, life, sizeof life);
	return fault_set(fault, SEAMARK_E_BUSY, "folder '%s' is used by %s of this run, which was started elsewhere since: this start is over", store->folder, life);
}

/* Of the newest checkpoint, or a new one. */
static int find_run(struct store *store, struct fault *fault)
{
	struct store_checkpoint *newest = malloc(sizeof *newest);
	struct fault own = FAULT_NONE;
	int code;

	if (!newest)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read the newest checkpoint");
	code = catalogue_newest(store->folder, UINT64_MAX, newest, &own);
	if (!code)
		memcpy(store->run, newest->identity.run, sizeof store->run);
	else if (code == SEAMARK_E_NOT_FOUND || code == SEAMARK_E_DAMAGED)
		code = make_run(store, fault);
	else
		fault_set(fault, code, "%s", own.text);
	free(newest);
	return code;
}

/* Reads who this run is, or finds it out, or makes it up; and numbers the life. */
static int name_life(struct store *store, const struct catalogue_entry *list, size_t count, struct fault *fault)
{
	struct run_file newest = { .life = 0 };
	struct fault own = FAULT_NONE;
	int code = run_file_read(store->folder, &newest, &own);
	uint32_t life = highest_claim(store->folder);

	if (code)
		newest.life = 0;
	if (newest.life > life)
		life = newest.life;
	for (size_t i = 0; i < count; i++)
		if (list[i].life > life)
			life = list[i].life;
	if (life >= UINT32_MAX - 1)
		return fault_set(fault, SEAMARK_E_DAMAGED, "folder '%s' holds a life that cannot be", store->folder);
	store->life = life + 1;
	memcpy(store->run, newest.run, sizeof store->run);
	if (!code)
		return look_at_start(store, &newest, fault);
	if (code != SEAMARK_E_NOT_FOUND && code != SEAMARK_E_DAMAGED)
		return fault_set(fault, code, "%s", own.text);
	if (code == SEAMARK_E_DAMAGED)
		log_say(LOG_QUIET, "%s: it is made anew", own.text);
	return find_run(store, fault);
}

/* Nothing depends on it. */
static void look_back(struct store *store)
{
	struct fault fault = FAULT_NONE;

	io_unlink(io_path("%s/" HISTORY_NAME ".tmp", store->folder).text);
	if (history_past(store->folder, store->run, store->life, &store->past, &fault) && fault.code != SEAMARK_E_NOT_FOUND)
		log_say(LOG_NOTICE, "nothing is learned from the run's history: %s", fault.text);
}

void store_past(const struct store *store, struct store_past *past)
{
	*past = store->past;
}

void store_set_owner(struct store *store, const char *owner, const char *start, bool fenced, uint32_t after)
{
	snprintf(store->owner, sizeof store->owner, "%s", owner);
	snprintf(store->start, sizeof store->start, "%s", start);
	store->fenced = fenced;
	store->start_after = after;
}

/* The number, in the folder for all to see. */
static int number_life(struct store *store, struct fault *fault)
{
	struct catalogue_entry *list = NULL;
	size_t count = 0;
	int code = catalogue_list(store->folder, &list, &count, fault);

	if (!code)
		code = name_life(store, list, count, fault);
	free(list);
	if (!code)
		code = claim_life(store, fault);
	if (!code)
		code = write_own_run(store, fault);
	crash_point("life-named");
	return code;
}

/* From here on no earlier life begins a commit. What one of them had begun is finished, or cannot be finished any more. */
static int clear_folder(struct store *store, uint64_t *next, struct fault *fault)
{
	struct catalogue_entry *list = NULL;
	struct fault own = FAULT_NONE;
	size_t count = 0;
	int code;

	catalogue_put_back(store->folder, &own);
	if (own.code)
		log_say(LOG_NOTICE, "leavings of an earlier run could not be removed: %s", own.text);
	code = catalogue_list(store->folder, &list, &count, fault);
	if (code)
		return code;
	*next = count ? list[count - 1].number + 1 : 1;
	free(list);
	lock_sign(store);
	crash_point("leavings-to-remove");
	lives_remove_claims(store);
	watch_put_stop_back(store);
	status_remove_leavings(store);
	retention_tidy(store);
	crash_point("leavings-removed");
	look_back(store);
	return 0;
}

int store_begin_life(struct store *store, double patience_s, uint8_t run[16], uint32_t *life, uint64_t *next, struct fault *fault)
{
	int code = store->rank || store->lock >= 0 ? fault_set(fault, SEAMARK_E_ORDER, "a life is begun once, by rank 0") :
						     lock_take(store, patience_s, fault);

	if (code)
		return code;
	code = number_life(store, fault);
	/* One that is superseded ends itself, in moments if it can: what its program writes besides is then over when this one's begins. */
	if (!code && !store->locked)
		lock_await(store, patience_s / 2);
	if (!code)
		code = clear_folder(store, next, fault);
	if (code) {
		store->life = 0;
		lives_release_lock(store);
		return code;
	}
	memcpy(run, store->run, sizeof store->run);
	*life = store->life;
	atomic_store(&store->life_known, true);
	return 0;
}

/* Once is enough: a process has one life. The writer's thread may be reading it. */
void store_set_life(struct store *store, const uint8_t run[16], uint32_t life)
{
	if (atomic_load(&store->life_known))
		return;
	memcpy(store->run, run, sizeof store->run);
	store->life = life;
	atomic_store(&store->life_known, true);
}

/* Only proof of another life counts: a file that cannot be read for a moment must not end a run. A smaller number was written by a life that had claimed it long ago, and finds out at once that it
 * comes too late. */
bool lives_look(struct store *store, struct run_file *newest)
{
	bool other;

	*newest = (struct run_file){ .life = 0 };
	if (!store->life)
		return true;
	if (run_file_read(store->folder, newest, NULL))
		return !atomic_load(&store->superseded);
	other = memcmp(newest->run, store->run, sizeof store->run) || newest->life > store->life ||
		(newest->life < store->life && highest_claim(store->folder) > store->life);
	if (other)
		atomic_store(&store->superseded, true);
	return !atomic_load(&store->superseded);
}

bool lives_is_newest(struct store *store)
{
	struct run_file newest;

	return lives_look(store, &newest);
}

bool store_is_newest_life(struct store *store)
{
	return store->lock >= 0 && lives_is_newest(store);
}
