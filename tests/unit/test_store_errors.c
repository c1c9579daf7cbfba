/* SPDX-License-Identifier: BSD-3-Clause */
/* Storage that fails: each call of the store, one after the other, with each error; once, or from there on until the fault is mended. The program goes on, the attempt is
 * void and says which file and why, what was committed comes back byte by byte and nothing else does, no file stays open and no memory is lost, and as soon
 * as the fault is over the next checkpoint is committed. Interrupted and short calls fail nothing. */
#include <sys/statvfs.h>

#define URING_CALLS
#include "../fault/uring.h"
#include "store/run_file.h"
#include "suites.h"
#include "test_plan.h"

/* A file system that cannot reserve, and says how much it has. */
static bool without_reserving, little_space;
static atomic_int writes_to_images;

int fstatvfs(int fd, struct statvfs *status)
{
	(void)fd;
	*status = (struct statvfs){ .f_blocks = 1000, .f_frsize = 4096, .f_bavail = little_space ? 1 : 900 };
	return 0;
}

static long call_begin(const struct call *call)
{
	if (call->kind == CALL_WRITE && strstr(call->path, ".smk"))
		atomic_fetch_add(&writes_to_images, 1);
	if (call->kind == CALL_RESERVE && without_reserving)
		return -EOPNOTSUPP;
	return plan_fate(call);
}

/* A disk that says that all is well, and has another byte. */
static off_t damage_at = -1, damaged_size;
static const char *damaged = "rank-00001.smk";

static void damage(const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	struct stat status;
	uint8_t byte = 0;

	if (fd < 0 || syscall(SYS_fstat, fd, &status) || syscall(SYS_pread64, fd, &byte, 1, damage_at) != 1)
		byte = 0;
	damaged_size = status.st_size;
	byte ^= 4;
	if (damage_at < damaged_size && syscall(SYS_pwrite64, fd, &byte, 1, damage_at) != 1)
		fixture_stop(path, NULL);
	syscall(SYS_close, fd);
	damage_at = -1;
}

static void call_end(const struct call *call, long result)
{
	(void)result;
	if (damage_at >= 0 && call->kind == CALL_SYNC && strstr(call->path, damaged))
		damage(call->path);
}

static bool with_ring;

static bool uring_refused(void)
{
	return !with_ring;
}

static int uring_fate(int fd)
{
	const struct call call = { .kind = CALL_WRITE, .path = calls_path_of(fd) };
	long fate = call.path ? call_begin(&call) : 0;

	return fate < 0 ? (int)fate : 0;
}

static int uring_result(int fd, int result)
{
	(void)fd;
	return atomic_load(&plan.armed) && plan.way == WAY_SHORT && result > 1 ? result / 2 : result;
}

/* Their errors are of the ring, and of no file. */
static int uring_submitted(void)
{
	const struct call call = { .kind = CALL_SUBMIT, .path = calls_root, .size = 2 };
	long fate = call_begin(&call);

	return fate > 0 ? 1 : (int)fate;
}

static int uring_waited(void)
{
	const struct call call = { .kind = CALL_WAIT, .path = calls_root };

	return (int)call_begin(&call);
}

/* Three checkpoints, of which the second rests on the first; the one after the next is full again. */
static void make_folder(struct fixture *fixture)
{
	struct fault fault = FAULT_NONE;

	committed_count = 0;
	fixture_remove(folder);
	if (world_open(fixture, folder, &fault))
		fixture_stop("life", &fault);
	for (int i = 0; i < 4; i++)
		take_for_sure(fixture, 0);
}

/* As by SIGKILL: what it was doing stays as it is. */
static void kill_life(struct fixture *fixture)
{
	char from[300], to[300];

	snprintf(from, sizeof from, "%s/%07" PRIu64 ".L01", folder, fixture->next);
	snprintf(to, sizeof to, "%s/kept", folder);
	if (rename(from, to))
		fixture_stop(from, NULL);
	world_close(fixture);
	if (rename(to, from))
		fixture_stop(to, NULL);
}

/* Nothing that the disk may still read is given back, and nobody is made to wait. */
static void check_that_it_waits(struct fixture *fixture, uint32_t rank)
{
	struct store_identity identity = fixture_identity(fixture, 999998, rank);
	struct store_image_result result;
	struct fault fault = FAULT_NONE;

	store_abandon_image(fixture->stores[rank]);
	if (store_image_state(fixture->stores[rank], &result) != STORE_WORKING)
		complain("it is said to be over", NULL);
	if (!result.regions_written && store_begin_image(fixture->stores[rank], &identity, NULL, 0, &fault) != SEAMARK_E_IO)
		complain("another image is begun", fault.text);
}

/* What was void takes no space, once a commit has come after it; unless it was the taking away that failed, or nobody could tell. */
static void check_space(uint64_t number)
{
	char own[300];

	snprintf(own, sizeof own, "%s/%07" PRIu64 ".L01", folder, number);
	if (!plan.lasts && plan.way != WAY_AWAY && plan.met.kind != CALL_UNLINK && plan.met.kind != CALL_RMDIR && !access(own, F_OK))
		complain("what was void stays on the disk", own);
}

/* The fault meets an attempt, with what is retired after it. true: there was such a call. */
static bool meet_in_attempt(bool must_go_on)
{
	long files = atomic_load(&calls_open_files), blocks = atomic_load(&calls_blocks);
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	uint64_t number;
	bool good, met;

	make_folder(&fixture);
	arm();
	good = world_take(&fixture, 1, &fault);
	note(fixture.next - 1, good);
	spared = true;
	/* In a folder that is away nothing is known to be gone, not even what is dropped. */
	if (good || plan.way == WAY_AWAY)
		world_wait_for_retention(&fixture);
	spared = false;
	met = disarm();
	/* What is still to be taken away may go while we look. */
	if (!good)
		world_wait_for_retention(&fixture);
	if (met && !good && must_go_on)
		complain("void", fault.text);
	if (!good)
		check_reason(&fault);
	if (world_manifest_kept && plan.way == WAY_FAIL && !plan.lasts && plan.met.kind != CALL_UNLINK)
		complain("a commit that failed leaves its manifest", NULL);
	if (met && good && is_final(fixture.next - 1, world_read_back ? NULL : "rank-"))
		complain("it is committed all the same", NULL);
	check_folder(fixture.stores[0], !plan.lasts && plan.way != WAY_AWAY);
	number = fixture.next - 1;
	take_for_sure(&fixture, 2);
	if (!good)
		check_space(number);
	world_close(&fixture);
	if (world_open(&fixture, folder, &fault))
		complain("no life begins any more", fault.text);
	else {
		check_folder(fixture.stores[0], true);
		take_for_sure(&fixture, 2);
		check_folder(fixture.stores[0], true);
		world_close(&fixture);
	}
	check_losses(files, blocks);
	return met;
}

/* A life begins on a folder with leavings, and with one checkpoint that is held for another. */
static bool meet_in_life(bool must_go_on)
{
	long files = atomic_load(&calls_open_files), blocks = atomic_load(&calls_blocks);
	struct store_commit commit;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	struct run_file told;
	char held[300];
	bool met;
	int code;

	make_folder(&fixture);
	take_for_sure(&fixture, 1);
	snprintf(held, sizeof held, "%s/0000004.L01/manifest.held", folder);
	if (access(held, F_OK))
		fixture_stop("nothing is held", NULL);
	commit = (struct store_commit){ .identity = fixture_identity(&fixture, fixture.next, 0) };
	world_begun[1] = world_write(&fixture, 0, &commit, &fault) && world_write(&fixture, 1, &commit, &fault);
	kill_life(&fixture);
	arm();
	code = world_open(&fixture, folder, &fault);
	met = disarm();
	if (code && must_go_on)
		complain("no life begins", fault.text);
	if (code)
		check_reason(&fault);
	if (code && world_lock_kept)
		complain("a life that could not begin keeps the lock", NULL);
	if (met && !code && plan.way == WAY_FAIL && plan.number != EINTR && plan.of == OF_FILES && plan.met.kind == CALL_LOCK)
		complain("a life begins without the lock", NULL);
	if (!code && (run_file_read(folder, &told, NULL) || told.life != fixture.life))
		complain("a life begins, and run.json does not tell of it", NULL);
	if (code && world_open(&fixture, folder, &fault))
		fixture_stop("life", &fault);
	check_folder(fixture.stores[0], true);
	take_for_sure(&fixture, 2);
	check_folder(fixture.stores[0], true);
	world_close(&fixture);
	check_losses(files, blocks);
	return met;
}

/* A checkpoint that rests on another is read. */
static bool meet_in_restart(bool must_go_on)
{
	static struct store_checkpoint found;
	long files = atomic_load(&calls_open_files), blocks = atomic_load(&calls_blocks);
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	bool good, met;

	/* Reading changes nothing. */
	if (plan.at > 1) {
		if (world_open(&fixture, folder, &fault))
			fixture_stop("life", &fault);
	} else {
		make_folder(&fixture);
		take_for_sure(&fixture, 1);
	}
	arm();
	good = !store_newest(fixture.stores[0], UINT64_MAX, &found, &fault);
	if (good && found.number != committed[committed_count - 1])
		complain("another checkpoint is chosen", found.path);
	good = good && world_comes_back(&found, &fault);
	met = disarm();
	if (met && !good && must_go_on)
		complain("it does not come back", fault.text);
	if (plan.at == 1)
		check_folder(fixture.stores[0], true);
	world_close(&fixture);
	check_losses(files, blocks);
	return met;
}

/* A ring that fails is asked again and again. */
static bool is_stuck(void)
{
	return plan.way == WAY_STUCK ? atomic_load(&plan.stuck) : atomic_load(&plan.calls) >= plan.at + 5;
}

/* true: it is committed. A commit that hangs is given up, and whatever the disk does with it later is undone. */
static bool commit_while_it_hangs(struct fixture *fixture, struct store_commit *commit)
{
	struct fault fault = FAULT_NONE;
	enum store_state state;

	if (store_begin_commit(fixture->stores[0], commit, 1, &fault))
		fixture_stop("commit", &fault);
	while ((state = store_commit_state(fixture->stores[0], &fault)) == STORE_WORKING && !is_stuck())
		world_pause();
	if (state == STORE_WORKING && store_abandon_commit(fixture->stores[0])) {
		if (store_commit_state(fixture->stores[0], &fault) != STORE_WORKING)
			complain("the commit that was given up is said to be over", NULL);
		if (store_abandon_commit(fixture->stores[0]))
			complain("it is given up twice", NULL);
		if (store_begin_commit(fixture->stores[0], commit, 1, &fault) != SEAMARK_E_ORDER)
			complain("another commit is begun", fault.text);
		return false;
	}
	return store_commit_state(fixture->stores[0], &fault) == STORE_DURABLE;
}

/* By the thread itself, before anybody says that the attempt can be dropped. */
static void check_that_it_is_undone(struct fixture *fixture, uint64_t number)
{
	char manifest[340];

	snprintf(manifest, sizeof manifest, "%s/%07" PRIu64 ".L01/manifest.json", folder, number);
	while (store_commit_state(fixture->stores[0], NULL) == STORE_WORKING)
		world_pause();
	if (!access(manifest, F_OK))
		complain("a commit that was given up leaves its manifest", manifest);
}

/* A call does not return for as long as anybody waits. */
static bool meet_what_hangs(bool unused)
{
	long files = atomic_load(&calls_open_files), blocks = atomic_load(&calls_blocks);
	struct store_commit commit;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	bool met, written = true, good = false;

	(void)unused;
	make_folder(&fixture);
	arm();
	world_is_impatient = is_stuck;
	commit = (struct store_commit){ .identity = fixture_identity(&fixture, fixture.next++, 0) };
	memset(world_begun, 0, sizeof world_begun);
	world_set(commit.identity.number);
	for (uint32_t rank = 0; rank < WORLD_RANKS && written; rank++) {
		written = world_write(&fixture, rank, &commit, &fault);
		if (!written)
			check_that_it_waits(&fixture, rank);
	}
	if (written)
		good = commit_while_it_hangs(&fixture, &commit);
	world_is_impatient = NULL;
	met = disarm();
	note(commit.identity.number, good);
	if (written && !good)
		check_that_it_is_undone(&fixture, commit.identity.number);
	if (!good)
		world_give_up(&fixture, commit.identity.number);
	world_settle(&fixture, &commit, good, written && !good);
	world_wait_for_retention(&fixture);
	check_folder(fixture.stores[0], true);
	take_for_sure(&fixture, 2);
	world_close(&fixture);
	check_losses(files, blocks);
	return met;
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static bool deep; /* every error, however alike they are treated */
static const int errors[] = { EIO, ENOSPC, EDQUOT, EROFS, EMFILE, ENOMEM };

static void an_attempt_meets_each_error_once(void)
{
	for (size_t i = 0; i < (deep ? sizeof errors / sizeof errors[0] : 2); i++)
		at_each_call(meet_in_attempt, WAY_FAIL, errors[i], false, false);
	over();
}

static void an_attempt_meets_an_error_that_lasts(void)
{
	at_each_call(meet_in_attempt, WAY_FAIL, EIO, true, false);
	if (deep)
		at_each_call(meet_in_attempt, WAY_FAIL, ENOSPC, true, false);
	over();
}

static void an_attempt_gets_no_memory(void)
{
	plan.of = OF_MEMORY;
	at_each_call(meet_in_attempt, WAY_FAIL, ENOMEM, false, false);
	if (deep)
		at_each_call(meet_in_attempt, WAY_FAIL, ENOMEM, true, false);
	over();
}

static void interrupted_short_and_slow_calls_fail_nothing(void)
{
	at_each_call(meet_in_attempt, WAY_FAIL, EINTR, false, true);
	at_each_call(meet_in_attempt, WAY_SHORT, 0, false, true);
	if (deep)
		at_each_call(meet_in_attempt, WAY_SHORT, 0, true, true);
	if (deep)
		at_each_call(meet_in_attempt, WAY_SLOW, 0, false, true);
	over();
}

static void what_is_done_may_be_said_to_have_failed(void)
{
	at_each_call(meet_in_attempt, WAY_DONE, EIO, false, false);
	at_each_call(meet_in_life, WAY_DONE, EIO, false, false);
	over();
}

static void the_folder_goes_away_and_comes_back(void)
{
	at_each_call(meet_in_attempt, WAY_AWAY, 0, false, false);
	over();
}

static void a_life_that_begins_meets_each_error(void)
{
	at_each_call(meet_in_life, WAY_FAIL, EIO, false, false);
	at_each_call(meet_in_life, WAY_FAIL, EROFS, true, false);
	at_each_call(meet_in_life, WAY_FAIL, EINTR, false, true);
	at_each_call(meet_in_life, WAY_SHORT, 0, true, true);
	plan.of = OF_MEMORY;
	at_each_call(meet_in_life, WAY_FAIL, ENOMEM, false, false);
	over();
}

static void a_restart_meets_each_error(void)
{
	at_each_call(meet_in_restart, WAY_FAIL, EIO, false, false);
	at_each_call(meet_in_restart, WAY_FAIL, EMFILE, true, false);
	at_each_call(meet_in_restart, WAY_FAIL, EINTR, false, true);
	at_each_call(meet_in_restart, WAY_SHORT, 0, true, true);
	plan.of = OF_MEMORY;
	at_each_call(meet_in_restart, WAY_FAIL, ENOMEM, false, false);
	over();
}

static void a_call_that_hangs_holds_up_nobody(void)
{
	at_each_call(meet_what_hangs, WAY_STUCK, 0, false, false);
	over();
}

static void an_attempt_by_io_uring_meets_each_error(void)
{
	with_ring = true;
	at_each_call(meet_in_attempt, WAY_FAIL, EIO, false, false);
	if (deep)
		at_each_call(meet_in_attempt, WAY_FAIL, ENOSPC, true, false);
	at_each_call(meet_in_attempt, WAY_FAIL, EINTR, false, true);
	if (deep)
		at_each_call(meet_in_attempt, WAY_SHORT, 0, true, true);
	with_ring = false;
	over();
}

static void a_ring_that_takes_nothing_now_is_asked_again(void)
{
	static const int passing[] = { EINTR, EAGAIN, EBUSY, ENOMEM };

	with_ring = true;
	plan.of = OF_RING;
	for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
		at_each_call(meet_in_attempt, WAY_FAIL, passing[i], false, true);
	at_each_call(meet_in_attempt, WAY_SHORT, 0, false, true);
	world_read_back = true;
	at_each_call(meet_in_attempt, WAY_FAIL, EAGAIN, false, true);
	world_read_back = false;
	with_ring = false;
	over();
}

static void a_ring_that_fails_for_ever_holds_up_nobody(void)
{
	with_ring = true;
	plan.of = OF_RING;
	at_each_call(meet_what_hangs, WAY_FAIL, EIO, true, false);
	with_ring = false;
	over();
}

static void too_little_space_is_noticed_before_writing(void)
{
	struct fixture fixture;
	struct fault fault = FAULT_NONE;

	make_folder(&fixture);
	/* How much an increment takes is not known before: of one that holds all it is. */
	take_for_sure(&fixture, 0);
	take_for_sure(&fixture, 0);
	without_reserving = little_space = true;
	atomic_store(&writes_to_images, 0);
	CU_ASSERT_FALSE(world_take(&fixture, 1, &fault));
	CU_ASSERT_EQUAL(fault.code, SEAMARK_E_SPACE);
	CU_ASSERT_EQUAL(atomic_load(&writes_to_images), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "where 0.0 MiB are free (a smaller SEAMARK_KEEP"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "No space left on device"));
	check_folder(fixture.stores[0], true);
	/* That it cannot be reserved is nothing, where there is some. */
	little_space = false;
	take_for_sure(&fixture, 1);
	without_reserving = false;
	take_for_sure(&fixture, 1);
	check_folder(fixture.stores[0], true);
	world_close(&fixture);
	over();
}

/* Each image is read again before it counts. */
static void an_image_is_read_back(void)
{
	world_read_back = true;
	at_each_call(meet_in_attempt, WAY_FAIL, EIO, false, false);
	with_ring = true;
	at_each_call(meet_in_attempt, WAY_FAIL, EINTR, false, true);
	if (deep)
		at_each_call(meet_in_attempt, WAY_FAIL, EIO, false, false);
	with_ring = false;
	world_read_back = false;
	over();
}

/* Bytes everywhere that a reader would refuse. */
static void what_the_disk_changed_is_not_committed(void)
{
	unsigned found = 0, harmless = 0;

	world_read_back = true;
	damaged_size = 1;
	for (off_t offset = 0; offset < damaged_size; offset += deep ? 61 : 307) {
		static struct store_checkpoint newest;
		struct fixture fixture;
		struct fault fault = FAULT_NONE, unused = FAULT_NONE;
		bool good;

		make_folder(&fixture);
		plan.at = (int)offset;
		damage_at = offset;
		good = world_take(&fixture, 1, &fault);
		damage_at = -1;
		note(fixture.next - 1, good);
		if (!good && (fault.code != SEAMARK_E_DAMAGED || !strstr(fault.text, damaged)))
			complain("the reason is not the damage", fault.text);
		if (store_newest(fixture.stores[0], UINT64_MAX, &newest, &unused) || !world_comes_back(&newest, &unused))
			complain("damage was committed", unused.text);
		good ? harmless++ : found++;
		take_for_sure(&fixture, 1);
		world_close(&fixture);
		trials++;
	}
	world_read_back = false;
	CU_ASSERT_TRUE(found > harmless / 8 && found > 10);
	over();
}

static void begin(void)
{
	struct fixture warm;

	plan_folder();
	make_folder(&warm);
	world_close(&warm);
}

static void end(void)
{
	fixture_remove(folder);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{ "an attempt meets each error once", an_attempt_meets_each_error_once },
		{ "an attempt meets an error that lasts", an_attempt_meets_an_error_that_lasts },
		{ "an attempt gets no memory", an_attempt_gets_no_memory },
		{ "interrupted, short and slow calls fail nothing", interrupted_short_and_slow_calls_fail_nothing },
		{ "a life that begins meets each error", a_life_that_begins_meets_each_error },
		{ "a restart meets each error", a_restart_meets_each_error },
		{ "a call that hangs holds up nobody", a_call_that_hangs_holds_up_nobody },
		{ "an attempt by io_uring meets each error", an_attempt_by_io_uring_meets_each_error },
		{ "a ring that takes nothing now is asked again", a_ring_that_takes_nothing_now_is_asked_again },
		{ "a ring that fails for ever holds up nobody", a_ring_that_fails_for_ever_holds_up_nobody },
		{ "too little space is noticed before writing", too_little_space_is_noticed_before_writing },
		{ "an image is read back", an_image_is_read_back },
		{ "what the disk changed is not committed", what_the_disk_changed_is_not_committed },
		{ "what is done may be said to have failed", what_is_done_may_be_said_to_have_failed },
		{ "the folder goes away and comes back", the_folder_goes_away_and_comes_back },
		CU_TEST_INFO_NULL,
	};
	/* What is not the same when both ranks write into one file. */
	CU_TestInfo of_shared[] = {
		{ "an attempt meets each error once", an_attempt_meets_each_error_once },
		{ "an attempt meets an error that lasts", an_attempt_meets_an_error_that_lasts },
		{ "an attempt gets no memory", an_attempt_gets_no_memory },
		{ "interrupted, short and slow calls fail nothing", interrupted_short_and_slow_calls_fail_nothing },
		{ "a call that hangs holds up nobody", a_call_that_hangs_holds_up_nobody },
		{ "an attempt by io_uring meets each error", an_attempt_by_io_uring_meets_each_error },
		{ "too little space is noticed before writing", too_little_space_is_noticed_before_writing },
		{ "an image is read back", an_image_is_read_back },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "store: each call, each error", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	deep = argc > 1 && !strcmp(argv[argc - 1], "deep");
	if (argc > 1 && !strcmp(argv[1], "shared")) {
		world_each = WORLD_RANKS;
		suites[0].pTests = of_shared;
	}
	return suites_run(suites);
}
