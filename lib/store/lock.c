/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "store/run_file.h"

enum { TEXT_MOST = 400 };
/* Who looks whether the folder is used has the lock for a moment. */
#define LOOKS_S 0.2

/* A child of fork shares the lock with its parent and would hold it for as long as it lives. */
static _Atomic int to_drop = -1;

static void drop_in_child(void)
{
	int fd = atomic_exchange(&to_drop, -1);

	if (fd >= 0)
		close(fd);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, drop_in_child);
}

/* What the holder has written: a line for people, and behind it its owner, if it has one. */
static void read_holder(int fd, char text[TEXT_MOST + 1], const char **owner)
{
	static const char before[] = "owner ";
	ssize_t size = pread(fd, text, TEXT_MOST, 0);
	char *line;

	text[size > 0 ? size : 0] = 0;
	*owner = "";
	line = strchr(text, '\n');
	if (!line)
		return;
	*line++ = 0;
	/* Without its end it is not whole. */
	if (!strncmp(line, before, sizeof before - 1) && strchr(line, '\n')) {
		line[strcspn(line, "\n")] = 0;
		*owner = line + sizeof before - 1;
	}
}

static int refuse(struct store *store, int fd, struct fault *fault)
{
	char text[TEXT_MOST + 1];
	const char *owner;

	read_holder(fd, text, &owner);
	if (store->owner[0] && !strcmp(owner, store->owner)) {
		log_say(LOG_NOTICE, "folder '%s' is used by an earlier life of this run (%s), which does not let go of it: this one takes its place", store->folder,
			text);
		return 0;
	}
	return fault_set(fault, SEAMARK_E_BUSY, "folder '%s' is used by another run (%s): end that one, or set SEAMARK_DIR to another folder",
			 store->folder, text[0] ? text : "it has not said who it is");
}

static void pause_shortly(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
}

static int wait_for_lock(struct store *store, int fd, double patience_s, const char *path, struct fault *fault)
{
	int64_t until = io_now_ns() + (int64_t)(patience_s * 1e9);

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return fault_errno(fault, "cannot lock '%s'", path);
		if (io_now_ns() >= until)
			return refuse(store, fd, fault);
		pause_shortly();
	}
	store->locked = true;
	return 0;
}

int lock_take(struct store *store, double patience_s, struct fault *fault)
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
	store->locked = false;
	code = wait_for_lock(store, fd, patience_s, path.text, fault);
	crash_point("lock-taken");
	if (code) {
		close(fd);
		return code;
	}
	pthread_once(&once, watch_forks);
	atomic_store(&to_drop, fd);
	store->lock = fd;
	return 0;
}

/* It may fail: then nobody can take over, and people are not told who it is. Other hosts see it when it is synced. */
void lock_sign(struct store *store)
{
	char host[RUN_FILE_HOST_MOST + 1], text[TEXT_MOST];
	int length;

	run_file_host(host);
	if (store->life)
		length = snprintf(text, sizeof text, "process %ld on host '%s', life %" PRIu32 "\n", (long)getpid(), host, store->life);
	else
		length = snprintf(text, sizeof text, "process %ld on host '%s', seamark\n", (long)getpid(), host);
	if (store->life && store->owner[0])
		length += snprintf(text + length, sizeof text - (size_t)length, "owner %s\n", store->owner);
	if (ftruncate(store->lock, 0) || pwrite(store->lock, text, (size_t)length, 0) != length || io_fsync(store->lock))
		log_say(LOG_DEBUG, "the lock could not be signed: %s", strerror(errno));
	crash_point("lock-signed");
}

void lock_follow(struct store *store)
{
	if (store->lock >= 0 && !store->locked)
		store->locked = !flock(store->lock, LOCK_EX | LOCK_NB);
}

void lock_await(struct store *store, double patience_s)
{
	int64_t until = io_now_ns() + (int64_t)(patience_s * 1e9);

	while (lock_follow(store), !store->locked && io_now_ns() < until)
		pause_shortly();
}

int lives_lock(struct store *store, struct fault *fault)
{
	int code = lock_take(store, LOOKS_S, fault);

	if (!code)
		lock_sign(store);
	return code;
}

void lives_release_lock(struct store *store)
{
	if (store->lock < 0)
		return;
	atomic_store(&to_drop, -1);
	crash_point("lock-to-release");
	close(store->lock);
	store->lock = -1;
	store->locked = false;
	crash_point("lock-released");
}
