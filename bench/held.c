/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a checkpoint holds the program, and what it costs the program in all, against a memcpy of the same pages, scattered as they are, in the
 * same run, all ranks at once.
 *
 *     mpirun -n 2 held [MiB per rank (256) [rounds (7) [limit (0: none) [share in percent (100) ...]]]]
 *
 * A step of the program rewrites a share of the pages of its memory, drawn once, in whole. Each round measures: steps with no checkpoint under way; a memcpy
 * of these pages into memory touched before; a cut; and the steps from then on until the outcome is known, with what they take longer than the others did. A time is that of the slowest rank. For
 * each share the medians are printed, and
 *     held   the time of the safepoint that made the cut, and its ratio to memcpy
 *     goal   the same ratio to 1.1 times memcpy and 1 ms per GiB of memory
 *     lost   held, and what steps lost until the image was written and the outcome known, and its ratio to memcpy
 * Exit status 1 if a limit is given and a ratio of held to memcpy reaches it. Checkpoints go where SEAMARK_DIR says, taken as SEAMARK_CAPTURE says. */
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <seamark.h>

enum { ROUNDS_MAX = 1000, PAGE = 4096, WORDS = PAGE / 8, QUIET_STEPS = 5, FIRST_ROUNDS = 2 };

static int64_t step;
static uint64_t *memory, *copy;
static size_t pages, *chosen, chosen_count;

static double slowest(double seconds)
{
	double most;

	MPI_Allreduce(&seconds, &most, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
	return most;
}

static uint64_t mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

static void choose_pages(double share)
{
	chosen_count = 0;
	for (size_t i = 0; i < pages; i++)
		if (share >= 100 || (double)(mix(i + 1) % 1000000) < share * 10000)
			chosen[chosen_count++] = i;
}

static double work(void)
{
	double begin = MPI_Wtime();

	for (size_t i = 0; i < chosen_count; i++) {
		uint64_t *page = memory + chosen[i] * WORDS;

		for (size_t j = 0; j < WORDS; j++)
			page[j] = page[j] * 3 + 1;
	}
	return MPI_Wtime() - begin;
}

static double quiet_step(void)
{
	double sum = 0;

	for (int i = 0; i < QUIET_STEPS; i++)
		sum += work();
	return sum / QUIET_STEPS;
}

/* Pages that lie together in one piece. */
static double time_memcpy(void)
{
	double begin;

	MPI_Barrier(MPI_COMM_WORLD);
	begin = MPI_Wtime();
	for (size_t i = 0, n; i < chosen_count; i += n) {
		for (n = 1; i + n < chosen_count && chosen[i + n] == chosen[i] + n; n++)
			;
		memcpy(copy + chosen[i] * WORDS, memory + chosen[i] * WORDS, n * PAGE);
	}
	return slowest(MPI_Wtime() - begin);
}

struct times {
	double copied, held, lost;
};

static void take(struct times *times)
{
	double quiet, begin, spent = 0, held = 0;
	int rank, made = 0, outcome;
	long steps = 0;

	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	work(); /* its first writes are over */
	quiet = quiet_step();
	times->copied = time_memcpy();
	if (rank == 0 && seamark_request())
		MPI_Abort(MPI_COMM_WORLD, 2);
	while (!made) {
		MPI_Barrier(MPI_COMM_WORLD);
		begin = MPI_Wtime();
		made = seamark_safepoint(step++);
		held = MPI_Wtime() - begin;
		if (made < 0)
			MPI_Abort(MPI_COMM_WORLD, 2);
	}
	do {
		spent += work();
		steps++;
		outcome = seamark_wait(0);
	} while (outcome == SEAMARK_E_TIMEOUT);
	MPI_Allreduce(MPI_IN_PLACE, &outcome, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	if (outcome)
		MPI_Abort(MPI_COMM_WORLD, 2);
	times->held = slowest(held);
	times->lost = slowest(held + spent - (double)steps * quiet);
}

static int in_order(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, in_order);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Gives the ratio of the time held to memcpy's. */
static double measure(double share, int rounds)
{
	static double copied[ROUNDS_MAX], held[ROUNDS_MAX], lost[ROUNDS_MAX];
	double gib = (double)pages * PAGE / (1 << 30);
	double memcpy_s, held_s, lost_s;
	int rank;

	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	choose_pages(share);
	for (int round = -FIRST_ROUNDS; round < rounds; round++) {
		struct times times;

		take(&times);
		if (round < 0)
			continue; /* what is chosen by measuring was not chosen yet */
		copied[round] = times.copied;
		held[round] = times.held;
		lost[round] = times.lost;
	}
	memcpy_s = median(copied, rounds);
	held_s = median(held, rounds);
	lost_s = median(lost, rounds);
	if (rank == 0)
		printf("%5.1f %%: memcpy %8.2f ms, held %8.2f ms (%5.2f), goal %5.2f, lost %8.2f ms (%5.2f)\n", share, memcpy_s * 1e3,
		       held_s * 1e3, held_s / memcpy_s, held_s / (1.1 * memcpy_s + 1e-3 * gib), lost_s * 1e3, lost_s / memcpy_s);
	return held_s / memcpy_s;
}

static bool number(const char *text, double least, double most, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && *value >= least && *value <= most;
}

int main(int argc, char **argv)
{
	double mib = 256, rounds = 7, limit = 0, share = 100, worst = 0;
	bool usage;
	int rank, ranks;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	usage = (argc > 1 && !number(argv[1], 1, 1 << 20, &mib)) || (argc > 2 && !number(argv[2], 1, ROUNDS_MAX, &rounds)) ||
		(argc > 3 && !number(argv[3], 0, 1e6, &limit));
	for (int i = 4; i < argc; i++)
		usage |= !number(argv[i], 0, 100, &share);
	if (usage) {
		if (rank == 0)
			fprintf(stderr, "usage: held [MiB per rank [rounds [limit [share in percent ...]]]]\n");
		MPI_Finalize();
		return 2;
	}
	pages = (size_t)(mib * 1048576) / PAGE;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	copy = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	chosen = calloc(pages, sizeof *chosen);
	if (memory == MAP_FAILED || copy == MAP_FAILED || !chosen)
		MPI_Abort(MPI_COMM_WORLD, 2);
	madvise(copy, pages * PAGE, MADV_HUGEPAGE);
	for (size_t i = 0; i < pages * WORDS; i++)
		memory[i] = mix(i + (size_t)rank);
	memset(copy, 1, pages * PAGE);
	if (seamark_protect("memory", memory, pages * PAGE) || seamark_restore(&step) < 0)
		MPI_Abort(MPI_COMM_WORLD, 2);
	if (rank == 0)
		printf("%d ranks, %.0f MiB each, medians of %.0f rounds\n", ranks, mib, rounds);
	for (int i = 4; i < argc || i == 4; i++) {
		double ratio;

		if (i < argc)
			number(argv[i], 0, 100, &share);
		ratio = measure(share, (int)rounds);
		worst = ratio > worst ? ratio : worst;
	}
	MPI_Finalize();
	return limit > 0 && worst >= limit;
}
