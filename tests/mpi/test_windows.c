/* SPDX-License-Identifier: BSD-3-Clause */
/* test_windows KIND STEPS [DIE]: every rank adds numbers to cells of other ranks' windows, which are protected; when it ends, or is
 * started again and ends, each cell has exactly what was added to it. KIND says how operations, epochs and safepoints lie (the table below). At step DIE
 * one rank kills itself.
 *
 * test_windows check FOLDER: each checkpoint there is right: the cells have what all ranks, as far as they had come at their cuts, had added. A lost
 * operation or a doubled one shows. Prints how many there are. */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seamark.h"
#include "seamark_files.h"

enum { CELLS = 8, OPERATIONS = 4, NOBODY = -1 };

static int rank, size;
static MPI_Win win;
static int64_t *cells;
static int64_t done; /* steps whose operations this rank has begun */
static MPI_Group before, after; /* in the ring */

static void fail(const char *text)
{
	fprintf(stderr, "rank %d: %s\n", rank, text);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

/* --- what is added: known from rank, step and number -------------------------------------------------------------------------- */

struct addition { int target, cell; int64_t amount; };

static uint64_t mixed(uint64_t value)
{
	value += UINT64_C(0x9E3779B97F4A7C15);
	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

static struct addition addition(int by, int ranks, int64_t step, int number, int ring)
{
	uint64_t draw = mixed(mixed((uint64_t)by << 48 ^ (uint64_t)step << 8 ^ (uint64_t)number));
	int target = ring ? (by + 1) % ranks : (int)(draw % (uint64_t)ranks);
	return (struct addition){target, (int)(draw >> 20 & (CELLS - 1)), (int64_t)(draw >> 30 & 0xFFFFF) + 1};
}

/* Whether the cells of all ranks are what was added by ranks that have done so many steps each. */
static int is_right(int ranks, const int64_t *steps, const int64_t *all, int ring)
{
	int64_t *sums = calloc((size_t)ranks * CELLS, sizeof *sums);
	for (int by = 0; by < ranks; by++)
		for (int64_t step = 0; step < steps[by]; step++)
			for (int i = 0; i < OPERATIONS; i++) {
				struct addition add = addition(by, ranks, step, i, ring);
				sums[add.target * CELLS + add.cell] += add.amount;
			}
	int right = memcmp(sums, all, (size_t)ranks * CELLS * sizeof *sums) == 0;
	for (int i = 0; !right && i < ranks * CELLS; i++)
		if (sums[i] != all[i])
			fprintf(stderr, "cell %d of rank %d is %lld and not %lld\n", i % CELLS, i / CELLS, (long long)all[i], (long long)sums[i]);
	free(sums);
	return right;
}

/* WINDOWS_SLOW_US: so long each step takes at least, that orders come in time. */
static useconds_t slow_us;

/* Nobody comes at the same time twice. */
static void dawdle(int64_t step, int place)
{
	uint64_t draw = mixed((uint64_t)rank << 40 ^ (uint64_t)step << 4 ^ (uint64_t)place);
	if (draw % 4 == 0)
		usleep((useconds_t)(draw >> 8) % 500);
	if (slow_us)
		usleep(slow_us);
}

static void add_all(int64_t step, int ring)
{
	dawdle(step, 1);
	static int64_t amounts[OPERATIONS];
	for (int i = 0; i < OPERATIONS; i++) {
		struct addition add = addition(rank, size, step, i, ring);
		amounts[i] = add.amount;
		MPI_Accumulate(&amounts[i], 1, MPI_INT64_T, add.target, add.cell, 1, MPI_INT64_T, MPI_SUM, win);
	}
	done = step + 1;
}

static void add_each_locked(int64_t step)
{
	dawdle(step, 1);
	for (int i = 0; i < OPERATIONS; i++) {
		struct addition add = addition(rank, size, step, i, 0);
		int64_t old;
		MPI_Win_lock(i % 2 ? MPI_LOCK_SHARED : MPI_LOCK_EXCLUSIVE, add.target, 0, win);
		if (i == 0)
			MPI_Fetch_and_op(&add.amount, &old, MPI_INT64_T, add.target, add.cell, MPI_SUM, win);
		else
			MPI_Accumulate(&add.amount, 1, MPI_INT64_T, add.target, add.cell, 1, MPI_INT64_T, MPI_SUM, win);
		MPI_Win_unlock(add.target, win);
	}
	done = step + 1;
}

/* --- the kinds ------------------------------------------------------------------------------------------------------------------ */

static void nothing(void) { }
static void one_fence(void) { MPI_Win_fence(0, win); }
static void one_lock(void) { MPI_Win_lock_all(MPI_MODE_NOCHECK, win); MPI_Barrier(MPI_COMM_WORLD); }
static void unlock_all(void) { MPI_Win_unlock_all(win); MPI_Barrier(MPI_COMM_WORLD); }
static void meet(void) { MPI_Barrier(MPI_COMM_WORLD); }

static void fences(int64_t step)
{
	seamark_safepoint(step);
	MPI_Win_fence(step % 2 ? 0 : MPI_MODE_NOPRECEDE, win);
	add_all(step, 0);
	MPI_Win_fence(step % 2 ? MPI_MODE_NOSUCCEED : 0, win);
}

static void event_fences(int64_t step)
{
	MPI_Win_fence(0, win);
	seamark_safepoint(SEAMARK_ANY_STEP);
	MPI_Win_fence(0, win);
	add_all(step, 0);
	MPI_Win_fence(0, win);
}

static void between_fences(int64_t step)
{
	seamark_safepoint(step);
	add_all(step, 0);
	MPI_Win_fence(0, win);
}

static void open_fence(int64_t step)
{
	add_all(step, 0);
	seamark_safepoint(step);
	MPI_Win_fence(0, win);
}

static void pairs(int64_t step)
{
	int flag = step % 2 == 0;
	seamark_safepoint(step);
	MPI_Win_post(before, 0, win);
	MPI_Win_start(after, 0, win);
	add_all(step, 1);
	MPI_Win_complete(win);
	if (flag)
		MPI_Win_wait(win);
	while (!flag)
		MPI_Win_test(win, &flag);
}

static void event_pairs(int64_t step)
{
	MPI_Win_post(before, 0, win);
	MPI_Win_start(after, 0, win);
	add_all(step, 1);
	MPI_Win_complete(win);
	MPI_Win_wait(win);
	seamark_safepoint(SEAMARK_ANY_STEP);
}

static void open_pairs(int64_t step)
{
	MPI_Win_post(before, 0, win);
	seamark_safepoint(step);
	MPI_Win_start(after, 0, win);
	add_all(step, 1);
	MPI_Win_complete(win);
	MPI_Win_wait(win);
}

static void locks_between_barriers(int64_t step)
{
	int64_t own = step, most;
	seamark_safepoint(step);
	meet();
	add_each_locked(step);
	if (step % 2)
		meet();
	else
		MPI_Allreduce(&own, &most, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
}

static void locks_and_a_barrier(int64_t step)
{
	seamark_safepoint(step);
	add_each_locked(step);
	meet();
}

static void locks_before_a_barrier_after(int64_t step)
{
	add_each_locked(step);
	seamark_safepoint(step + 1);
	meet();
}

static void locks_alone(int64_t step)
{
	seamark_safepoint(step);
	add_each_locked(step);
}

static void event_locks(int64_t step)
{
	seamark_safepoint(SEAMARK_ANY_STEP);
	add_each_locked(step);
	if (step % 64 == 0)
		meet();
}

static void held_lock(int64_t step)
{
	seamark_safepoint(step);
	meet();
	add_all(step, 0);
	MPI_Win_flush_all(win);
	meet();
}

/* Locks are seldom; what keeps the ranks together says nothing of them. */
static void rare_locks(int64_t step)
{
	int out = (int)step, in;
	seamark_safepoint(step);
	MPI_Sendrecv(&out, 1, MPI_INT, (rank + 1) % size, 3, &in, 1, MPI_INT, (rank + size - 1) % size, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	if (step % 40 == 39)
		for (int64_t s = done; s <= step; s++)
			add_each_locked(s);
}

/* Windows that come and go, on communicators that come and go. */
static void short_lived(int64_t step)
{
	MPI_Comm comm;
	MPI_Win other;
	int64_t value = rank, got = -1;
	seamark_safepoint(step);
	/* All ranks but one: Open MPI 4.1 gives the windows of two parts of a split the same file. */
	MPI_Comm_split(MPI_COMM_WORLD, rank == 0 ? MPI_UNDEFINED : 0, 0, &comm);
	if (comm != MPI_COMM_NULL) {
		MPI_Win_create(&value, sizeof value, sizeof value, MPI_INFO_NULL, comm, &other);
		if (step % 2)
			MPI_Comm_free(&comm);
		MPI_Win_fence(0, other);
		MPI_Get(&got, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, other);
		MPI_Win_fence(0, other);
		if (got != 1)
			fail("a value was not got");
	}
	MPI_Win_fence(0, win);
	add_all(step, 0);
	MPI_Win_fence(0, win);
	if (rank != 0)
		MPI_Win_free(&other);
	if (rank != 0 && step % 2 == 0)
		MPI_Comm_free(&comm);
}

/* seamark_checkpoint is a meeting itself. */
static void checkpoints(int64_t step)
{
	if (step % 50 == 25 && seamark_checkpoint(step, -1) != 0)
		fail("no checkpoint was made in seamark_checkpoint");
	add_each_locked(step);
}

struct kind {
	const char *name;
	int ring;
	void (*begin)(void);
	void (*step)(int64_t step);
	void (*end)(void);
};

static const struct kind kinds[] = {
	{"fences", 0, nothing, fences, nothing},
	{"event-fences", 0, one_fence, event_fences, nothing},
	{"between-fences", 0, one_fence, between_fences, nothing},
	{"open-fence", 0, one_fence, open_fence, nothing},
	{"pairs", 1, nothing, pairs, meet},
	{"event-pairs", 1, nothing, event_pairs, meet},
	{"open-pairs", 1, nothing, open_pairs, meet},
	{"locks-between-barriers", 0, nothing, locks_between_barriers, nothing},
	{"locks-and-a-barrier", 0, nothing, locks_and_a_barrier, nothing},
	{"locks-before-a-barrier-after", 0, nothing, locks_before_a_barrier_after, nothing},
	{"locks-alone", 0, nothing, locks_alone, meet},
	{"event-locks", 0, nothing, event_locks, meet},
	{"held-lock", 0, one_lock, held_lock, unlock_all},
	{"rare-locks", 0, nothing, rare_locks, meet},
	{"short-lived", 0, nothing, short_lived, nothing},
	{"checkpoints", 0, nothing, checkpoints, meet},
};

static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	fprintf(stderr, "no kind '%s'\n", name);
	exit(2);
}

/* --- the run --------------------------------------------------------------------------------------------------------------------- */

static MPI_Group group_of(int member)
{
	MPI_Group world, group;
	MPI_Comm_group(MPI_COMM_WORLD, &world);
	MPI_Group_incl(world, 1, &member, &group);
	MPI_Group_free(&world);
	return group;
}

static void check_end(int ring, int64_t steps)
{
	int64_t *all = malloc((size_t)size * CELLS * sizeof *all), *dones = malloc((size_t)size * sizeof *dones);
	MPI_Gather(cells, CELLS, MPI_INT64_T, all, CELLS, MPI_INT64_T, 0, MPI_COMM_WORLD);
	MPI_Gather(&done, 1, MPI_INT64_T, dones, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
	for (int i = 0; rank == 0 && i < size; i++)
		if (dones[i] > steps)
			fail("too many steps");
	if (rank == 0 && !is_right(size, dones, all, ring))
		fail("the windows are wrong at the end");
	free(all);
	free(dones);
}

static int run(int argc, char **argv)
{
	const struct kind *kind = kind_of(argv[1]);
	int64_t steps = argc > 2 ? atoll(argv[2]) : 100, die = argc > 3 ? atoll(argv[3]) : NOBODY;
	slow_us = getenv("WINDOWS_SLOW_US") ? (useconds_t)atoi(getenv("WINDOWS_SLOW_US")) : 0;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	before = group_of((rank + size - 1) % size);
	after = group_of((rank + 1) % size);
	MPI_Win_allocate(CELLS * sizeof *cells, sizeof *cells, MPI_INFO_NULL, MPI_COMM_WORLD, &cells, &win);
	memset(cells, 0, CELLS * sizeof *cells);
	seamark_protect("cells", cells, CELLS * sizeof *cells);
	seamark_protect("done", &done, sizeof done);
	int restored = seamark_restore(NULL);
	if (restored < 0)
		fail("it was not restored");
	if (rank == 0)
		printf("%s at step %lld\n", restored == SEAMARK_RESTORED ? "restored" : "fresh", (long long)done);
	meet();
	kind->begin();
	for (int64_t step = done; step < steps; step++) {
		if (step == die && rank == size - 1)
			kill(getpid(), SIGKILL);
		dawdle(step, 2);
		kind->step(step);
	}
	kind->end();
	meet();
	check_end(kind->ring, steps);
	MPI_Win_free(&win);
	MPI_Group_free(&before);
	MPI_Group_free(&after);
	MPI_Finalize();
	return 0;
}

/* --- the proof of what was saved -------------------------------------------------------------------------------------------------- */

static int check_one(const char *path, int ring)
{
	seamark_files_checkpoint *checkpoint;
	struct seamark_files_entry entry;
	if (seamark_files_checkpoint_open(&checkpoint, path) != 0) {
		fprintf(stderr, "%s\n", seamark_files_error());
		return 0;
	}
	seamark_files_checkpoint_entry(checkpoint, &entry);
	int64_t *all = calloc((size_t)entry.ranks * CELLS, sizeof *all), *dones = calloc(entry.ranks, sizeof *dones);
	int read = 1;
	for (uint32_t i = 0; i < entry.ranks && read; i++) {
		seamark_files_image *image;
		read = seamark_files_image_open(&image, checkpoint, i) == 0;
		if (!read)
			break;
		read = seamark_files_read(image, "cells", all + i * CELLS, CELLS * sizeof *all) == 0 &&
		       seamark_files_read(image, "done", &dones[i], sizeof *dones) == 0;
		seamark_files_image_close(image);
	}
	int right = read && is_right((int)entry.ranks, dones, all, ring);
	if (!right)
		fprintf(stderr, "%s is wrong (%s)\n", path, read ? "operations were lost or doubled" : seamark_files_error());
	seamark_files_checkpoint_close(checkpoint);
	free(all);
	free(dones);
	return right;
}

static int check(const char *name, const char *folder)
{
	const struct kind *kind = kind_of(name);
	seamark_files *files;
	struct seamark_files_entry entry;
	int wrong = 0, count = 0;
	if (seamark_files_open(&files, folder) == 0) {
		count = (int)seamark_files_count(files);
		for (int i = 0; i < count; i++)
			wrong += seamark_files_entry_at(files, (size_t)i, &entry) != 0 || !check_one(entry.path, kind->ring);
		seamark_files_close(files);
	}
	printf("%d\n", count);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	return strcmp(argv[1], "check") == 0 && argc == 4 ? check(argv[2], argv[3]) : run(argc, argv);
}
