/* SPDX-License-Identifier: BSD-3-Clause */
/* A fault that meets one call after the other of the store in a world of two ranks (test_world.h), once or from there on until it is mended; and what must hold then, whatever it was. For programs
 * that show their calls to plan_fate(). */
#ifndef TEST_PLAN_H
#define TEST_PLAN_H

#include <CUnit/Basic.h>
#include <pthread.h>

#include "../fault/calls.h"
#include "test_world.h"

/* --- the fault ------------------------------------------------------------------------------------------------------- */

enum way { WAY_FAIL, WAY_SHORT, WAY_SLOW, WAY_STUCK, WAY_AWAY, WAY_DONE };

static struct {
	atomic_bool armed;
	enum way way;
	int at;                  /* the call that meets it, from 1 */
	int number;              /* an errno */
	bool lasts;              /* until it is mended */
	enum { OF_FILES, OF_MEMORY, OF_RING } of; /* which calls are counted */
	atomic_int calls;
	atomic_bool stuck, go_on;
	struct call met;
	char path[4096];
} plan;

static char folder[256], away[300];
static _Thread_local bool spared; /* calls of this thread */

/* The calls that say so in their manual. */
static bool can_be_interrupted(enum call_kind kind)
{
	static const bool can[CALL_KINDS] = {
		[CALL_OPEN] = true, [CALL_CLOSE] = true, [CALL_WRITE] = true, [CALL_READ] = true, [CALL_TRUNCATE] = true, [CALL_RESERVE] = true,
		[CALL_SYNC] = true, [CALL_LOCK] = true, [CALL_FCNTL] = true, [CALL_OPENDIR] = true, [CALL_SUBMIT] = true, [CALL_WAIT] = true,
	};

	return can[kind];
}

static int class_of(enum call_kind kind)
{
	return kind == CALL_MEMORY ? OF_MEMORY : kind == CALL_SUBMIT || kind == CALL_WAIT ? OF_RING : OF_FILES;
}

static bool meets(const struct call *call)
{
	int n;

	if (plan.way == WAY_FAIL && plan.number == EINTR && !can_be_interrupted(call->kind))
		return false;
	if (plan.way == WAY_DONE && call->kind != CALL_RENAME && call->kind != CALL_UNLINK && call->kind != CALL_MKDIR && call->kind != CALL_RMDIR)
		return false;
	if (spared || !atomic_load(&plan.armed) || class_of(call->kind) != (int)plan.of)
		return false;
	n = atomic_fetch_add(&plan.calls, 1) + 1;
	if (n == plan.at) {
		plan.met = *call;
		snprintf(plan.path, sizeof plan.path, "%s", call->path);
	}
	return n == plan.at || (plan.lasts && n > plan.at);
}

/* On file systems of a network the answer may be lost, and what is asked again finds it done already. */
static long do_and_fail(const struct call *call)
{
	if (call->kind == CALL_RENAME)
		syscall(SYS_rename, call->path, call->to);
	else if (call->kind == CALL_MKDIR)
		syscall(SYS_mkdir, call->path, 0777);
	else
		syscall(call->kind == CALL_RMDIR ? SYS_rmdir : SYS_unlink, call->path);
	return -plan.number;
}

static long plan_fate(const struct call *call)
{
	if (!meets(call))
		return 0;
	switch (plan.way) {
	case WAY_FAIL:
		return -plan.number;
	case WAY_SHORT:
		return (call->kind == CALL_WRITE || call->kind == CALL_READ || call->kind == CALL_SUBMIT) && call->size > 1 ? (long)(call->size / 2) : 0;
	case WAY_SLOW:
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
		return 0;
	case WAY_STUCK:
		atomic_store(&plan.stuck, true);
		while (!atomic_load(&plan.go_on))
			world_pause();
		return 0;
	case WAY_AWAY:
		syscall(SYS_rename, folder, away);
		return 0;
	case WAY_DONE:
		return do_and_fail(call);
	}
	return 0;
}

static void arm(void)
{
	atomic_store(&plan.calls, 0);
	atomic_store(&plan.stuck, false);
	atomic_store(&plan.go_on, false);
	plan.path[0] = 0;
	atomic_store(&calls_memory, plan.of == OF_MEMORY);
	atomic_store(&plan.armed, true);
}

/* Mends the fault. true: it was met. */
static bool disarm(void)
{
	atomic_store(&plan.armed, false);
	atomic_store(&calls_memory, false);
	atomic_store(&plan.go_on, true);
	if (plan.way == WAY_AWAY)
		syscall(SYS_rename, away, folder);
	return atomic_load(&plan.calls) >= plan.at;
}

/* --- what must hold -------------------------------------------------------------------------------------------------- */

static unsigned trials, wrong;
static uint64_t committed[64];
static size_t committed_count;

static void complain(const char *what, const char *text)
{
	if (wrong++ < 20)
		printf("\n  call %d (%s of '%s'%s), %s: %s%s%s", plan.at, call_names[plan.met.kind], plan.path, plan.lasts ? ", and on" : "",
		       plan.way == WAY_FAIL ? strerror(plan.number) : plan.way == WAY_SHORT ? "short" : plan.way == WAY_AWAY ? "folder away" :
		       plan.way == WAY_DONE ? "done, and failed" : "slow",
		       what, text ? ": " : "", text ? text : "");
	/* For mutants: one is enough. */
	if (getenv("PLAN_STOPS"))
		exit(1);
}

static bool was_committed(uint64_t number)
{
	for (size_t i = 0; i < committed_count; i++)
		if (committed[i] == number)
			return true;
	return false;
}

/* Nothing comes back that was not committed, and what is listed is whole; the newest is the last that was committed. A disk that lets nothing be
 * done any more may keep the manifest of a commit that failed on it, until the fault is over and the next is committed. */
static void check_folder(struct store *store, bool strictly)
{
	static struct store_checkpoint found;
	uint64_t below = UINT64_MAX, newest = 0;
	struct fault fault = FAULT_NONE;

	for (; !store_newest(store, below, &found, &fault); below = found.number) {
		if (!strictly && !was_committed(found.number))
			continue;
		newest = newest ? newest : found.number;
		if (!was_committed(found.number))
			complain("a void attempt is listed", found.path);
		else if (!world_comes_back(&found, &fault))
			complain("what was saved does not come back", fault.text);
		else if (!world_is_proven(&found))
			complain("it does not verify", found.path);
	}
	if (newest != committed[committed_count - 1])
		complain("the newest is not the one that was committed last", NULL);
}

static void note(uint64_t number, bool good)
{
	if (good)
		committed[committed_count++] = number;
}

static void take_for_sure(struct fixture *fixture, uint64_t keep)
{
	struct fault fault = FAULT_NONE;
	bool good = world_take(fixture, keep, &fault);

	note(fixture->next - 1, good);
	if (good)
		world_wait_for_retention(fixture);
	else
		complain("the next checkpoint fails though the fault is over", fault.text);
}

/* The reason names the file, or what was on its way to it, and the error. */
static void check_reason(const struct fault *fault)
{
	if (!fault->code || !fault->text[0])
		complain("void without a reason", NULL);
	else if (plan.of == OF_MEMORY ? fault->code != SEAMARK_E_MEMORY || !strstr(fault->text, "memory") :
			       !strstr(fault->text, calls_root) || (plan.way == WAY_FAIL && !strstr(fault->text, strerror(plan.number))))
		complain("the reason is not the error", fault->text);
}

/* Whether what met the fault is a call without which the checkpoint of a number is none: what is written or read in its folder, and what makes that durable. `written`: how its files' names
 * begin, if they are opened for nothing else. */
__attribute__((unused)) static bool is_final(uint64_t number, const char *written)
{
	const char *name = strrchr(plan.path, '/');
	bool temporary = strstr(plan.path, ".tmp");
	char own[300];

	snprintf(own, sizeof own, "%s/%07" PRIu64 ".L01", folder, number);
	if (plan.way != WAY_FAIL || plan.of != OF_FILES || plan.number == EINTR)
		return false;
	if (plan.met.kind == CALL_SYNC && !strcmp(plan.path, folder))
		return true;
	if (strncmp(plan.path, own, strlen(own)))
		return false;
	switch (plan.met.kind) {
	case CALL_SYNC:
	case CALL_WRITE:
	case CALL_RENAME:
	case CALL_TRUNCATE:
	case CALL_MKDIR:
		return true;
	case CALL_CLOSE:
		return temporary || (written && name && !strncmp(name + 1, written, strlen(written)));
	case CALL_READ:
		/* Where it is read back. Elsewhere what could not be read together with more is read once again by itself. */
		return !written && strstr(plan.path, ".smk");
	default:
		return false;
	}
}

static void check_losses(long files, long blocks)
{
	if (atomic_load(&calls_open_files) != files)
		complain("a file stays open", NULL);
	if (atomic_load(&calls_blocks) != blocks)
		complain("memory is lost", NULL);
	trials++;
}

static int stride = 1; /* from one call that meets it to the next */

static void at_each_call(bool (*meet)(bool), enum way way, int number, bool lasts, bool must_go_on)
{
	plan.way = way;
	plan.number = number;
	plan.lasts = lasts;
	for (plan.at = 1; meet(must_go_on); plan.at += stride)
		;
}

static void over(void)
{
	CU_ASSERT_EQUAL(wrong, 0);
	printf(" (%u trials)", trials);
	wrong = trials = 0;
	plan.of = OF_FILES;
}

/* Where all is, not on a disk: none of this outlives a machine. */
static void plan_folder(void)
{
	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	fixture_folder(folder);
	snprintf(away, sizeof away, "%s.away", folder);
	snprintf(calls_root, sizeof calls_root, "%s", folder);
}

#endif
