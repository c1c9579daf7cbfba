/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder, its lock, and the lives of a run on it (docs/format.md, 6). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/crash.h"
#include "base/log.h"
#include "store/catalogue.h"
#include "store/history.h"

/* And the number of a life: a file of one that begins. */
#define CLAIM ".life-"
enum { RUN_SIZE_MOST = 4096, LOCK_TEXT_MOST = 400, FOLDER_MOST = 3500 };

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

/* --- the lock ------------------------------------------------------------------------------------------------------ */

/* A child of fork shares the lock with its parent and would hold it for as long as it lives. */
static _Atomic int lock_to_drop = -1;

static void drop_lock_in_child(void)
{
	int fd = atomic_exchange(&lock_to_drop, -1);

	if (fd >= 0)
		close(fd);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, drop_lock_in_child);
}

static int refuse_busy(struct store *store, int fd, struct fault *fault)
{
	char text[LOCK_TEXT_MOST + 1] = "";
	ssize_t size = pread(fd, text, LOCK_TEXT_MOST, 0);

	text[size > 0 ? size : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	return fault_set(fault, SEAMARK_E_BUSY, "folder '%s' is used by another run (%s): end that one, or set SEAMARK_DIR to another folder",
			 store->folder, text[0] ? text : "it has not said who it is");
}

static int wait_for_lock(struct store *store, int fd, double patience_s, const char *path, struct fault *fault)
{
	int64_t until = io_now_ns() + (int64_t)(patience_s * 1e9);
	const struct timespec pause = { .tv_nsec = 50000000 };

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return fault_errno(fault, "cannot lock '%s'", path);
		if (io_now_ns() >= until)
			return refuse_busy(store, fd, fault);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int take_lock(struct store *store, double patience_s, struct fault *fault)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct io_path path = io_path("%s/lock", store->folder);
	int code = io_make_folders(store->folder, fault);
	int fd;

	if (code)
		return code;
	fd = io_open(path.text, O_RDWR | O_CREAT);
	if (fd < 0)
		return fault_errno(fault, "cannot open '%s'", path.text);
	crash_point("lock-file-open");
	code = wait_for_lock(store, fd, patience_s, path.text, fault);
	crash_point("lock-taken");
	if (code) {
		close(fd);
		return code;
	}
	pthread_once(&once, watch_forks);
	atomic_store(&lock_to_drop, fd);
	store->lock = fd;
	return 0;
}

/* For people only, so it may fail. */
static void sign_lock(struct store *store)
{
	char host[256] = "", text[LOCK_TEXT_MOST];
	int length;

	gethostname(host, sizeof host - 1);
	if (store->life)
		length = snprintf(text, sizeof text, "process %ld on host '%s', life %" PRIu32 "\n", (long)getpid(), host, store->life);
	else
		length = snprintf(text, sizeof text, "process %ld on host '%s', seamark compact\n", (long)getpid(), host);
	if (ftruncate(store->lock, 0) || pwrite(store->lock, text, (size_t)length, 0) != length)
		log_say(LOG_DEBUG, "the lock could not be signed: %s", strerror(errno));
	crash_point("lock-signed");
}

int lives_lock(struct store *store, struct fault *fault)
{
	int code = take_lock(store, 0, fault);

	if (!code)
		sign_lock(store);
	return code;
}

void lives_release_lock(struct store *store)
{
	if (store->lock < 0)
		return;
	atomic_store(&lock_to_drop, -1);
	crash_point("lock-to-release");
	close(store->lock);
	store->lock = -1;
	crash_point("lock-released");
}

/* --- run.json ------------------------------------------------------------------------------------------------------ */

static bool get_digits(const char *text, uint8_t run[16])
{
	if (!text || strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		unsigned value;

		if (sscanf(text + 2 * i, "%2x", &value) != 1)
			return false;
		run[i] = (uint8_t)value;
	}
	return true;
}

/* The last bytes of run.json: the digits are the hash of everything before. */
static const char seal_before[] = ", \"xxh3\": \"";
enum { SEAL_SIZE = sizeof seal_before - 1 + 16 + 3 };

static void make_seal(char seal[SEAL_SIZE + 1], const char *text, size_t size)
{
	sprintf(seal, "%s%016" PRIx64 "\"}\n", seal_before, (uint64_t)XXH3_64bits(text, size));
}

/* Whether it ends as this version ends it; *holds: with the hash that it should have. */
static bool is_sealed(const char *text, size_t size, bool *holds)
{
	char seal[SEAL_SIZE + 1];

	*holds = false;
	if (size < SEAL_SIZE)
		return false;
	make_seal(seal, text, size - SEAL_SIZE);
	*holds = !memcmp(text + size - SEAL_SIZE, seal, SEAL_SIZE);
	return !memcmp(text + size - SEAL_SIZE, seal_before, sizeof seal_before - 1);
}

int lives_read_run(const char *folder, uint8_t run[16], uint32_t *life, struct fault *fault)
{
	struct io_path path = io_path("%s/run.json", folder);
	char *text;
	size_t size;
	json_t *root;
	json_error_t error;
	json_int_t number;
	bool sealed, holds;
	int code = io_read_file(path.text, RUN_SIZE_MOST, &text, &size, fault);

	if (code)
		return code;
	sealed = is_sealed(text, size, &holds);
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!root && json_error_code(&error) == json_error_out_of_memory)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", path.text);
	number = json_integer_value(json_object_get(root, "life"));
	if (!sealed && json_integer_value(json_object_get(root, "format")) > 1)
		code = fault_set(fault, SEAMARK_E_VERSION, "'%s' was written by a newer Seamark: use that one", path.text);
	else if (!holds || json_integer_value(json_object_get(root, "format")) != 1 || !get_digits(json_string_value(json_object_get(root, "run")), run) ||
		 number < 1 || number >= UINT32_MAX)
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is garbled", path.text);
	else
		*life = (uint32_t)number;
	json_decref(root);
	return code;
}

static int write_run(struct store *store, struct fault *fault)
{
	struct io_path path = io_path("%s/run.json", store->folder);
	char digits[33], text[192];
	int length, code;

	for (size_t i = 0; i < 16; i++)
		sprintf(digits + 2 * i, "%02x", store->run[i]);
	/* By a name that only this life has, or two that do not see each other's locks would write into one file. */
	length = sprintf(text, "{\"format\": 1, \"run\": \"%s\", \"life\": %" PRIu32, digits, store->life);
	make_seal(text + length, text, (size_t)length);
	code = io_publish_by(io_path("%s/" CLAIM "%" PRIu32, store->folder, store->life).text, path.text, text, strlen(text), fault);
	return code ? code : io_sync_folder(store->folder, fault);
}

/* --- claims ---------------------------------------------------------------------------------------------------------- */

/* A file that only one can make, whatever becomes of locks (on NFS, say), and which becomes run.json when this life writes that. So no two lives ever
 * have one number, or write into one folder. One that is found is of a life that is just beginning, or was killed then. */
static int claim_life(struct store *store, struct fault *fault)
{
	uint8_t run[16];
	uint32_t life;

	for (;; store->life++) {
		struct io_path path = io_path("%s/" CLAIM "%" PRIu32, store->folder, store->life);
		int fd = io_open(path.text, O_WRONLY | O_CREAT | O_EXCL);

		crash_point("life-claimed");
		if (fd < 0 && errno != EEXIST)
			return fault_errno(fault, "cannot make '%s'", path.text);
		if (fd < 0)
			continue;
		close(fd);
		/* Another may have had it, and have written it, since run.json was read. */
		if (lives_read_run(store->folder, run, &life, NULL) || life < store->life)
			return 0;
		memcpy(store->run, run, sizeof store->run);
		store->life = life;
	}
}

/* Of two that began at the same moment the one goes on that wrote last. */
static int write_own_run(struct store *store, struct fault *fault)
{
	struct fault own = FAULT_NONE;
	uint8_t run[16];
	uint32_t life;
	int code = write_run(store, &own);

	if (!lives_read_run(store->folder, run, &life, NULL) && (life > store->life || (!code && life != store->life)))
		return fault_set(fault, SEAMARK_E_BUSY, "folder '%s' is used by another run, which began at the same moment: end that one, or set "
				 "SEAMARK_DIR to another folder", store->folder);
	return code ? fault_set(fault, code, "%s", own.text) : 0;
}

/* What others claimed that never began, or lost. */
static void remove_claims(const struct store *store)
{
	DIR *open = io_opendir(store->folder);
	struct dirent *file;

	while (open && (file = readdir(open))) {
		if (!strncmp(file->d_name, CLAIM, sizeof CLAIM - 1) && strtoul(file->d_name + sizeof CLAIM - 1, NULL, 10) < store->life)
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

/* Reads who this run is, or finds it out, or makes it up; and numbers the life. */
static int name_life(struct store *store, const struct catalogue_entry *list, size_t count, struct fault *fault)
{
	struct store_checkpoint *newest;
	struct fault own = FAULT_NONE;
	uint32_t life = 0;
	int code = lives_read_run(store->folder, store->run, &life, &own);

	for (size_t i = 0; i < count; i++)
		if (list[i].life > life)
			life = list[i].life;
	if (life >= UINT32_MAX - 1)
		return fault_set(fault, SEAMARK_E_DAMAGED, "folder '%s' holds a life that cannot be", store->folder);
	store->life = life + 1;
	if (!code)
		return 0;
	if (code != SEAMARK_E_NOT_FOUND && code != SEAMARK_E_DAMAGED)
		return fault_set(fault, code, "%s", own.text);
	if (code == SEAMARK_E_DAMAGED)
		log_say(LOG_QUIET, "%s: it is made anew", own.text);
	newest = malloc(sizeof *newest);
	if (!newest)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read the newest checkpoint");
	own = FAULT_NONE;
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

/* --- a life -------------------------------------------------------------------------------------------------------- */

/* What is left of attempts whose ranks have ended, or will commit nothing any more. */
static void remove_leavings(struct store *store)
{
	crash_point("leavings-to-remove");
	remove_claims(store);
	retention_tidy(store->folder);
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

int store_begin_life(struct store *store, double patience_s, uint8_t run[16], uint32_t *life, uint64_t *next, struct fault *fault)
{
	struct catalogue_entry *list = NULL;
	size_t count = 0;
	int code = store->rank || store->lock >= 0 ? fault_set(fault, SEAMARK_E_ORDER, "a life is begun once, by rank 0") :
						     take_lock(store, patience_s, fault);

	if (code)
		return code;
	code = catalogue_list(store->folder, &list, &count, fault);
	if (!code)
		code = name_life(store, list, count, fault);
	if (!code)
		code = claim_life(store, fault);
	if (!code)
		code = write_own_run(store, fault);
	crash_point("life-named");
	/* Again: whatever another life has made since, before it could know of this one. */
	free(list);
	list = NULL;
	if (!code)
		code = catalogue_list(store->folder, &list, &count, fault);
	if (code) {
		lives_release_lock(store);
	} else {
		sign_lock(store);
		remove_leavings(store);
		crash_point("leavings-removed");
		look_back(store);
		memcpy(run, store->run, sizeof store->run);
		*life = store->life;
		*next = count ? list[count - 1].number + 1 : 1;
	}
	free(list);
	return code;
}

void store_set_life(struct store *store, const uint8_t run[16], uint32_t life)
{
	memcpy(store->run, run, sizeof store->run);
	store->life = life;
}

/* Only proof of another life counts: a file that cannot be read for a moment must not end a run. */
bool lives_is_newest(const struct store *store)
{
	uint8_t run[16];
	uint32_t life;

	if (lives_read_run(store->folder, run, &life, NULL))
		return true;
	return life == store->life && !memcmp(run, store->run, sizeof run);
}

bool store_is_newest_life(struct store *store)
{
	return store->lock >= 0 && lives_is_newest(store);
}
