/* SPDX-License-Identifier: BSD-3-Clause */
/* Storage that fails under a program of several ranks, to be preloaded. From the environment:
 *   STORAGE_ROOT  the folder of checkpoints; nothing else is touched
 *   STORAGE_HOW   an errno by name (EIO, ENOSPC, EDQUOT, EROFS, EMFILE, ENOMEM, EINTR), of calls that can end with it; or
 *                 short   writes and reads do half of what is asked
 *                 slow    each call takes 20 ms
 *                 stuck   the call does not come back before STORAGE_MS have passed; `ever`: it never does
 *                 away    the folder is somewhere else for STORAGE_MS
 *                 gone    so, and then there is an empty one in its place
 *                 memory  the writer's thread gets no memory
 *   STORAGE_WHEN  writing, commit, retirement, restore: which calls are meant
 *   STORAGE_RANK  a rank, or `all`
 *   STORAGE_FROM  the call that meets it first, counted from 1 on each rank
 *   STORAGE_FOR   how many calls meet it, from that one on
 *   STORAGE_RING  refused: io_uring cannot be had
 * When it begins and when it is over is said on standard error. */
#include <pthread.h>
#include <strings.h>
#include <sys/prctl.h>
#include <time.h>

#include "calls.h"
#include "uring.h"

static const struct { const char *name; int number; } errors[] = {
	{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EROFS", EROFS }, { "EMFILE", EMFILE }, { "ENOMEM", ENOMEM }, { "EINTR", EINTR },
};

enum how { HOW_NONE, HOW_ERROR, HOW_SHORT, HOW_SLOW, HOW_STUCK, HOW_AWAY, HOW_GONE, HOW_MEMORY };
enum when { WHEN_WRITING, WHEN_COMMIT, WHEN_RETIREMENT, WHEN_RESTORE };

static enum how how;
static enum when when;
static int number, rank;
static long from = 1, count = 1, away_ms;
static bool for_ever, without_ring;
static char away[300];
static atomic_long calls;
static atomic_bool begun, over, image_begun, is_away;
static _Atomic int64_t away_until_ns;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void say(const char *what, const struct call *call)
{
	char line[600];
	int length = snprintf(line, sizeof line, "storage: rank %d: the fault %s%s%s%s%s\n", rank, what, call ? ": " : "", call ? call_names[call->kind] : "",
			      call ? " of " : "", call ? call->path : "");

	if (write(2, line, (size_t)length) < 0)
		abort();
}

static void find_how(const char *name)
{
	static const char *const ways[] = { "none", "error", "short", "slow", "stuck", "away", "gone", "memory" };

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (!strcmp(name, errors[i].name)) {
			how = HOW_ERROR;
			number = errors[i].number;
		}
	for (size_t i = HOW_SHORT; i <= HOW_MEMORY; i++)
		if (!strcmp(name, ways[i]))
			how = (enum how)i;
	if (how == HOW_NONE)
		abort();
}

__attribute__((constructor)) static void storage_open(void)
{
	static const char *const times[] = { "writing", "commit", "retirement", "restore" };
	const char *name = getenv("STORAGE_HOW"), *time = getenv("STORAGE_WHEN"), *root = getenv("STORAGE_ROOT"), *who = getenv("STORAGE_RANK");
	const char *own = getenv("OMPI_COMM_WORLD_RANK"), *ms = getenv("STORAGE_MS"), *ring = getenv("STORAGE_RING");

	own = own ? own : getenv("PMI_RANK");
	/* Not in mpirun. */
	if (!own || !name || !time || !root)
		return;
	rank = atoi(own);
	without_ring = ring && !strcmp(ring, "refused");
	snprintf(calls_root, sizeof calls_root, "%s", root);
	snprintf(away, sizeof away, "%s.away", root);
	while (strcmp(times[when], time))
		if (++when > WHEN_RESTORE)
			abort();
	if (who && strcmp(who, "all") && atoi(who) != rank)
		return;
	from = atol(getenv("STORAGE_FROM") ?: "1");
	count = atol(getenv("STORAGE_FOR") ?: "1");
	for_ever = ms && !strcmp(ms, "ever");
	away_ms = ms && !for_ever ? atol(ms) : 0;
	find_how(name);
	atomic_store(&calls_memory, how == HOW_MEMORY);
}

/* --- which calls --------------------------------------------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool writes(const struct call *call)
{
	return call->kind == CALL_OPEN && (call->flags & O_ACCMODE) != O_RDONLY;
}

static bool is_image(const struct call *call)
{
	return !strncmp(last_part(call->path), "rank-", 5) || !strncmp(last_part(call->path), "node-", 5);
}

static bool is_manifest(const char *path)
{
	return path && !strncmp(last_part(path), "manifest.json", 13);
}

static bool is_meant(const struct call *call)
{
	/* A life that begins reads manifests, publishes and syncs, too, and its program waits for it. */
	if ((when == WHEN_COMMIT || when == WHEN_RETIREMENT) && !atomic_load(&image_begun))
		return false;
	switch (when) {
	case WHEN_WRITING:
		return call->kind == CALL_MKDIR || (is_image(call) && (writes(call) || call->kind == CALL_WRITE || call->kind == CALL_RESERVE ||
								       call->kind == CALL_TRUNCATE || call->kind == CALL_SYNC || call->kind == CALL_CLOSE));
	case WHEN_COMMIT:
		if (call->kind == CALL_RENAME)
			return is_manifest(call->to);
		if (call->kind == CALL_SYNC)
			return !is_image(call);
		return is_manifest(call->path) && (writes(call) || call->kind == CALL_WRITE || call->kind == CALL_CLOSE);
	case WHEN_RETIREMENT:
		if (call->kind == CALL_RENAME)
			return is_manifest(call->path) && !is_manifest(call->to);
		return call->kind == CALL_UNLINK || call->kind == CALL_RMDIR || call->kind == CALL_OPENDIR ||
		       (is_manifest(call->path) && (call->kind == CALL_OPEN || call->kind == CALL_READ) && !writes(call));
	case WHEN_RESTORE:
		return !atomic_load(&image_begun);
	}
	return false;
}

/* Of the errors those that the call's manual names, and that a disk or a system in trouble really gives. */
static bool can_end_with(const struct call *call)
{
	bool makes = writes(call) || call->kind == CALL_MKDIR;

	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return makes || call->kind == CALL_WRITE || call->kind == CALL_RESERVE || call->kind == CALL_RENAME;
	case EROFS:
		return makes || call->kind == CALL_RENAME || call->kind == CALL_UNLINK || call->kind == CALL_RMDIR;
	case EMFILE:
		return call->kind == CALL_OPEN || call->kind == CALL_OPENDIR;
	case ENOMEM:
		return call->kind != CALL_WRITE && call->kind != CALL_READ && call->kind != CALL_CLOSE && call->kind != CALL_SYNC && call->kind != CALL_LOCK &&
		       call->kind != CALL_RESERVE;
	case EINTR:
		return call->kind == CALL_OPEN || call->kind == CALL_CLOSE || call->kind == CALL_WRITE || call->kind == CALL_READ || call->kind == CALL_SYNC ||
		       call->kind == CALL_RESERVE || call->kind == CALL_TRUNCATE || call->kind == CALL_LOCK;
	default:
		/* A file system that cannot reserve is none the worse. */
		return call->kind != CALL_ACCESS && call->kind != CALL_RESERVE && call->kind != CALL_LOCK && call->kind != CALL_FCNTL && call->kind != CALL_RANDOM;
	}
}

static bool is_writer(void)
{
	char name[16] = "";

	return !prctl(PR_GET_NAME, name) && !strcmp(name, "seamark-writer");
}

static bool could_meet(const struct call *call)
{
	if (how == HOW_NONE || (call->kind == CALL_MEMORY) != (how == HOW_MEMORY))
		return false;
	if (how == HOW_MEMORY)
		return is_writer();
	if (!is_meant(call))
		return false;
	if (how == HOW_SHORT)
		return (call->kind == CALL_WRITE || call->kind == CALL_READ) && call->size > 1;
	return how != HOW_ERROR || can_end_with(call);
}

/* --- what becomes of them ------------------------------------------------------------------------------------------------- */

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void end_fault(void)
{
	if (!atomic_exchange(&over, true))
		say("is over", NULL);
}

/* Several ranks may do it: the first does. */
static void take_away(void)
{
	if (atomic_exchange(&is_away, true))
		return;
	atomic_store(&away_until_ns, now_ns() + away_ms * INT64_C(1000000));
	syscall(SYS_rename, calls_root, away);
}

static void bring_back(void)
{
	if (!atomic_exchange(&is_away, false))
		return;
	if (how == HOW_GONE)
		syscall(SYS_mkdir, calls_root, 0777);
	else
		syscall(SYS_rename, away, calls_root);
	end_fault();
}

static void hang(void)
{
	int64_t until = now_ns() + away_ms * INT64_C(1000000);

	while (for_ever || now_ns() < until)
		pause_ms(for_ever ? 1000 : 5);
}

static long fate_of(const struct call *call)
{
	switch (how) {
	case HOW_NONE:
		break;
	case HOW_ERROR:
		return -number;
	case HOW_SHORT:
		return (long)(call->size / 2);
	case HOW_SLOW:
		pause_ms(20);
		break;
	case HOW_STUCK:
		hang();
		end_fault();
		break;
	case HOW_AWAY:
	case HOW_GONE:
		take_away();
		break;
	case HOW_MEMORY:
		return -ENOMEM;
	}
	return 0;
}

static long call_begin(const struct call *call)
{
	long turn, fate;

	if (call->kind != CALL_MEMORY && is_image(call) && writes(call))
		atomic_store(&image_begun, true);
	if (atomic_load(&is_away) && now_ns() >= atomic_load(&away_until_ns))
		bring_back();
	if (atomic_load(&over) || !could_meet(call))
		return 0;
	turn = atomic_fetch_add(&calls, 1) + 1;
	if (turn < from || turn >= from + count)
		return 0;
	if (!atomic_exchange(&begun, true) && call->kind != CALL_MEMORY)
		say("begins", call);
	fate = fate_of(call);
	if (turn == from + count - 1 && how != HOW_AWAY && how != HOW_GONE)
		end_fault();
	return fate;
}

static void call_end(const struct call *call, long result)
{
	(void)call;
	(void)result;
}

__attribute__((destructor)) static void storage_close(void)
{
	bring_back();
}

/* --- by io_uring ------------------------------------------------------------------------------------------------------------ */

static bool uring_refused(void)
{
	return without_ring;
}

static int uring_fate(int fd)
{
	const struct call call = { .kind = CALL_WRITE, .path = calls_path_of(fd), .size = 2 };
	long fate = call.path && how != HOW_SHORT ? call_begin(&call) : 0;

	return fate < 0 ? (int)fate : 0;
}

static int uring_result(int fd, int result)
{
	const struct call call = { .kind = CALL_WRITE, .path = calls_path_of(fd), .size = (size_t)result };
	long fate = call.path && how == HOW_SHORT ? call_begin(&call) : 0;

	return fate > 0 ? (int)fate : result;
}
