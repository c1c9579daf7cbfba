/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "store/lock.h"
#include "store/run_file.h"

#define SECOND_NS INT64_C(1000000000)
/* Rank 0 looks once a second. All others together look a hundred times a second at most, so that a large world is no burden to the disk. */
#define OTHERS_EVERY_NS (5 * SECOND_NS)
#define TURN_NS (SECOND_NS / 100)
/* A life that was superseded has so long to end in its own way. */
#define GRACE_NS (5 * SECOND_NS)

/* And the number of the life that is about to remove it: the file `stop` meanwhile. */
#define TAKEN_STOP ".stop-"

/* --- the file `stop` ----------------------------------------------------------------------------------------------- */

static bool rename_stop(const char *from, const char *to)
{
	bool done = !rename(from, to);

	crash_point("stop-file-renamed");
	return done;
}

/* Taken first, and removed when it is known that no other life had begun: it would be that one's. */
static void clear_stop_file(struct store *store)
{
	struct io_path path = io_path("%s/stop", store->folder), taken = io_path("%s/" TAKEN_STOP "%" PRIu32, store->folder, store->life);

	if (!atomic_exchange(&store->watch.clear_stop, false) || !lives_is_newest(store))
		return;
	crash_point("stop-file-to-remove");
	if (!rename_stop(path.text, taken.text)) {
		if (errno != ENOENT)
			log_say(LOG_QUIET, "cannot remove '%s': %s", path.text, strerror(errno));
		return;
	}
	if (!lives_is_newest(store)) {
		rename_stop(taken.text, path.text);
		return;
	}
	if (unlink(taken.text) && errno != ENOENT)
		log_say(LOG_QUIET, "cannot remove '%s': %s", taken.text, strerror(errno));
	crash_point("stop-file-removed");
}

void watch_put_stop_back(struct store *store)
{
	struct io_path path = io_path("%s/stop", store->folder);
	DIR *open = io_opendir(store->folder);
	struct dirent *file;

	while (open && (file = readdir(open)))
		if (!strncmp(file->d_name, TAKEN_STOP, sizeof TAKEN_STOP - 1) && strtoul(file->d_name + sizeof TAKEN_STOP - 1, NULL, 10) < store->life)
			rename_stop(io_path("%s/%s", store->folder, file->d_name).text, path.text);
	if (open)
		closedir(open);
}

static void look_for_stop(struct store *store)
{
	struct io_path path = io_path("%s/stop", store->folder);

	clear_stop_file(store);
	if (io_is_there(path.text) && !atomic_load(&store->watch.clear_stop))
		atomic_store(&store->watch.stop_seen, true);
}

bool store_stop_seen(struct store *store)
{
	return store->writer && atomic_load(&store->watch.stop_seen);
}

void store_clear_stop(struct store *store)
{
	if (!store->writer)
		return;
	atomic_store(&store->watch.clear_stop, true);
	atomic_store(&store->watch.stop_seen, false);
}

/* --- other lives --------------------------------------------------------------------------------------------------- */

static void look_for_lives(struct store *store, int64_t now_ns)
{
	struct watch *watch = &store->watch;
	struct run_file newest;
	char by[160] = "another life";

	if (!watch->on_superseded || !atomic_load(&store->life_known))
		return;
	if (!watch->superseded_ns && !lives_look(store, &newest)) {
		if (newest.life)
			run_file_say(&newest, by, sizeof by);
		watch->superseded_ns = now_ns;
		watch->on_superseded(by, false);
		atomic_store(&watch->told, true);
	}
	if (watch->superseded_ns && !watch->told_late && now_ns - watch->superseded_ns > GRACE_NS) {
		watch->told_late = true;
		watch->on_superseded(by, true);
	}
}

void store_watch_lives(struct store *store, void (*on_superseded)(const char *by, bool late))
{
	store->watch.on_superseded = on_superseded;
}

bool store_is_superseded(const struct store *store)
{
	return atomic_load_explicit(&store->watch.told, memory_order_relaxed);
}

/* --- when ---------------------------------------------------------------------------------------------------------- */

bool watch_waits(const struct store *store)
{
	return store->rank == 0 || store->watch.on_superseded;
}

bool watch_is_due(const struct store *store, int64_t now_ns)
{
	return watch_waits(store) && now_ns >= store->watch.next_ns;
}

static int64_t pause_of(const struct store *store)
{
	int64_t turns_ns = TURN_NS * (int64_t)store->ranks;

	if (store->rank == 0 || store->watch.superseded_ns)
		return SECOND_NS;
	return turns_ns > OTHERS_EVERY_NS ? turns_ns : OTHERS_EVERY_NS;
}

void watch_look(struct store *store)
{
	int64_t now_ns = io_now_ns();

	if (!watch_is_due(store, now_ns))
		return;
	if (store->rank == 0)
		look_for_stop(store);
	if (store->rank == 0 && atomic_load(&store->life_known))
		lock_follow(store);
	look_for_lives(store, now_ns);
	if (store->rank == 0) {
		status_look_for_request(store);
		status_look(store, now_ns);
	}
	store->watch.next_ns = now_ns + pause_of(store);
}

void watch_end(struct store *store)
{
	if (store->rank == 0) {
		clear_stop_file(store);
		status_end(store);
	}
}
