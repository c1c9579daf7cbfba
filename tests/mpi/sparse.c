/* SPDX-License-Identifier: BSD-3-Clause */
/* A program whose state changes here and there, much and little, by steps, moves and grows; what it is at a step can be told without having been there.
 *
 *     sparse STEPS [MiB] [verify]
 *
 * Each step rewrites pages of a large region, drawn by the step: none, all, or a share; writes to some of many small ones; and passes a value around. At a certain step the
 * large region moves, and at another it grows. A restart, each 16th step and the end compare all memory with what it must be; with `verify` the program then leaves. */
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <seamark.h>

enum { PAGE = 4096, WORDS = PAGE / 8, SMALL = 300, MOVES_AT = 9, GROWS_AT = 17 };

static uint64_t *field, small[SMALL][3];
static size_t pages, passed;
static int rank, ranks;
static int64_t step;

static uint64_t mix(uint64_t value)
{
	value += UINT64_C(0x9E3779B97F4A7C15);
	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

static bool is_chosen(uint64_t at, uint64_t page)
{
	static const uint64_t shares[] = { 1, 1, 0, 10, 2, 50, 1, 100, 1, 3, 0, 1, 2 };

	return mix(at << 32 ^ page ^ (uint64_t)rank << 50) % 100 < shares[(at / 2) % (sizeof shares / sizeof shares[0])];
}

/* The last step before `at` in which it was written. */
static int64_t last_written(int64_t at, size_t page)
{
	while (--at >= 0 && !is_chosen((uint64_t)at, page))
		;
	return at;
}

static void write_page(uint64_t *data, int64_t at, size_t page)
{
	for (size_t i = 0; i < WORDS; i++)
		data[i] = mix((uint64_t)(at + 1) << 40 ^ (uint64_t)page << 10 ^ i);
}

static void check(const char *when)
{
	uint64_t expected[WORDS];
	int64_t newest;

	for (size_t page = 0; page < pages; page++) {
		write_page(expected, last_written(step, page), page);
		if (memcmp(field + page * WORDS, expected, PAGE)) {
			fprintf(stderr, "sparse: rank %d, %s at step %lld: page %zu is wrong\n", rank, when, (long long)step, page);
			MPI_Abort(MPI_COMM_WORLD, 3);
		}
	}
	for (int i = 0; i < SMALL; i++) {
		for (newest = step; --newest >= 0 && (newest + i) % 7; )
			;
		if (small[i][0] != (uint64_t)(newest + 1) || small[i][2] != mix((uint64_t)(newest + 1) + (uint64_t)i)) {
			fprintf(stderr, "sparse: rank %d, %s at step %lld: small region %d is wrong\n", rank, when, (long long)step, i);
			MPI_Abort(MPI_COMM_WORLD, 3);
		}
	}
}

static void place_field(size_t count, bool fresh)
{
	uint64_t *old = field;
	size_t had = pages;

	field = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (field == MAP_FAILED)
		MPI_Abort(MPI_COMM_WORLD, 2);
	if (old)
		memcpy(field, old, had * PAGE);
	pages = count;
	for (size_t page = had; fresh && page < count; page++)
		write_page(field + page * WORDS, last_written(step, page), page);
	if (seamark_protect("field", field, pages * PAGE))
		MPI_Abort(MPI_COMM_WORLD, 2);
	if (old)
		munmap(old, had * PAGE);
}

static void write_small(int i, int64_t at)
{
	small[i][0] = (uint64_t)(at + 1);
	small[i][2] = mix((uint64_t)(at + 1) + (uint64_t)i);
}

static void change(void)
{
	uint64_t token = mix((uint64_t)step), got = 0;

	for (size_t page = 0; page < pages; page++)
		if (is_chosen((uint64_t)step, page))
			write_page(field + page * WORDS, step, page);
	for (int i = 0; i < SMALL; i++)
		if ((step + i) % 7 == 0)
			write_small(i, step);
	MPI_Sendrecv(&token, 1, MPI_UINT64_T, (rank + 1) % ranks, 5, &got, 1, MPI_UINT64_T, (rank + ranks - 1) % ranks, 5, MPI_COMM_WORLD,
		     MPI_STATUS_IGNORE);
	if (got != token)
		MPI_Abort(MPI_COMM_WORLD, 3);
	passed++;
}

int main(int argc, char **argv)
{
	int64_t steps = argc > 1 ? atoll(argv[1]) : 40;
	size_t count = (size_t)(argc > 2 ? atoll(argv[2]) : 3) * 256 + 7, saved = 0;
	bool verify = argc > 3 && !strcmp(argv[3], "verify");
	int restored;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	for (int i = 0; i < SMALL; i++) {
		char name[40];

		snprintf(name, sizeof name, "small %d", i);
		write_small(i, -1);
		if (seamark_protect(name, small[i], i % 3 ? sizeof small[i] : sizeof small[i] / 3 * 3))
			MPI_Abort(MPI_COMM_WORLD, 2);
	}
	restored = seamark_restore(&step);
	if (restored < 0 || (restored == SEAMARK_RESTORED && seamark_saved_bytes("field", &saved)))
		MPI_Abort(MPI_COMM_WORLD, 2);
	place_field(restored == SEAMARK_RESTORED ? saved / PAGE : count, restored == SEAMARK_FRESH);
	if (restored == SEAMARK_RESTORED)
		check("restored");
	if (verify) {
		if (rank == 0)
			printf("sparse: step %lld is right\n", (long long)step);
		MPI_Finalize();
		return restored != SEAMARK_RESTORED;
	}
	for (; step < steps; step++) {
		if (step == MOVES_AT)
			place_field(pages, false);
		if (step == GROWS_AT && pages == count)
			place_field(count + count / 3, true);
		if (step % 16 == 0)
			check("going on");
		if (seamark_safepoint(step) < 0)
			MPI_Abort(MPI_COMM_WORLD, 2);
		change();
		while (seamark_wait(0) == SEAMARK_E_TIMEOUT && step % 4 == 3)
			;
	}
	check("ended");
	if (rank == 0)
		printf("sparse: %lld steps are right\n", (long long)steps);
	MPI_Finalize();
	return 0;
}
