/* SPDX-License-Identifier: BSD-3-Clause */
/* What checkpoints cost a whole run, by the usual ways and by Seamark.
 *
 *     mpirun -n N usual run WAY MIB STEPS EVERY FOLDER       a program bound by memory, MIB per rank, all of it new in each step; a checkpoint every EVERY steps
 *     mpirun -n N usual restart WAY MIB FOLDER               reads the newest one back
 *
 * WAY: none, files (barrier, a file per rank, fsync), mpiio (collective, one file), hdf5 (parallel, one file), seamark. A line of numbers is printed; usual.sh makes the table. */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "usual.h"

enum { CHECKPOINTS_MOST = 10000, STEPS_MOST = 10000000 };

_Noreturn void give_up(const char *what, const char *name)
{
	fprintf(stderr, "usual: %s '%s'\n", what, name);
	MPI_Abort(MPI_COMM_WORLD, 1);
	exit(1);
}

void check(int code, const char *what, const char *name)
{
	if (code != MPI_SUCCESS)
		give_up(what, name);
}

struct names names_of(const struct work *work, const char *base)
{
	struct names names;
	snprintf(names.new, sizeof names.new, "%s/new.%s", work->folder, base);
	snprintf(names.now, sizeof names.now, "%s/%s", work->folder, base);
	snprintf(names.before, sizeof names.before, "%s/before.%s", work->folder, base);
	return names;
}

void put_in_place(const struct work *work, const struct names *names)
{
	MPI_Barrier(MPI_COMM_WORLD);
	if (work->rank == 0) {
		rename(names->now, names->before);
		int folder = open(work->folder, O_RDONLY | O_DIRECTORY);
		if (rename(names->new, names->now) || folder < 0 || fsync(folder) || close(folder))
			give_up("cannot rename", names->new);
	}
	MPI_Barrier(MPI_COMM_WORLD);
}

static void no_checkpoint(struct work *work, int due)
{
	(void)work;
	(void)due;
}

static void no_restart(struct work *work)
{
	give_up("no restart without checkpoints in", work->folder);
}

const struct way way_none = {"none", NULL, no_checkpoint, no_restart};

static const struct way *const ways[] = {
	&way_none, &way_files, &way_mpiio,
#ifdef BENCH_HDF5
	&way_hdf5,
#endif
	&way_seamark,
};

static const struct way *way_of(const char *name)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (strcmp(ways[i]->name, name) == 0)
			return ways[i];
	give_up("not a way, or one that was not built:", name);
}

/* --- the program ------------------------------------------------------------------------------------------------------ */

static double *new_grid(const struct work *work)
{
	double *grid = aligned_alloc(4096, (work->count * sizeof *grid + 4095) / 4096 * 4096);
	if (!grid)
		give_up("no memory for", "the grid");
	for (size_t i = 0; i < work->count; i++)
		grid[i] = (double)((i * 2654435761u + (size_t)work->rank * 97) % 1000);
	return grid;
}

/* Each cell becomes the mean of three, in a ring over all ranks: the sum stays. */
static void advance(struct work *work)
{
	int left = (work->rank + work->ranks - 1) % work->ranks, right = (work->rank + 1) % work->ranks;
	double *from = work->grid, *to = work->other, before, after;
	size_t last = work->count - 1;
	MPI_Sendrecv(&from[last], 1, MPI_DOUBLE, right, 1, &before, 1, MPI_DOUBLE, left, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Sendrecv(&from[0], 1, MPI_DOUBLE, left, 2, &after, 1, MPI_DOUBLE, right, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	to[0] = (before + from[0] + from[1]) / 3;
	for (size_t i = 1; i < last; i++)
		to[i] = (from[i - 1] + from[i] + from[i + 1]) / 3;
	to[last] = (from[last - 1] + from[last] + after) / 3;
	work->grid = to;
	work->other = from;
}

static double sum_of(const struct work *work)
{
	double sum = 0, all;
	for (size_t i = 0; i < work->count; i++)
		sum += work->grid[i];
	MPI_Allreduce(&sum, &all, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
	return all;
}

static void expect_sum(const struct work *work, double before)
{
	double now = sum_of(work);
	if (fabs(now - before) > 1e-6 * fabs(before))
		give_up("the sum has changed in", work->folder);
}

/* --- measuring ----------------------------------------------------------------------------------------------------------- */

static double slowest(double seconds)
{
	double most;
	MPI_Allreduce(&seconds, &most, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
	return most;
}

static double sum(double value)
{
	double all;
	MPI_Allreduce(&value, &all, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
	return all;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof *values, ascending);
	return count ? values[count / 2] : 0;
}

/* What this process has had written to disks, by its own calls. */
static double bytes_written(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	char line[256];
	double bytes = 0;
	while (file && fgets(line, sizeof line, file))
		sscanf(line, "write_bytes: %lf", &bytes);
	if (file)
		fclose(file);
	return bytes;
}

/* Between two checkpoints that are due, the longest time at the top of a step is the one for which the program was held. */
static void run(struct work *work, const struct way *way, int64_t steps, int64_t every)
{
	double *held = calloc(CHECKPOINTS_MOST, sizeof *held), before = sum_of(work), written = bytes_written();
	size_t count = 0;
	if (!held)
		give_up("no memory for", "the times");
	if (way->begin)
		way->begin(work);
	MPI_Barrier(MPI_COMM_WORLD);
	double begin = MPI_Wtime();
	for (; work->step < steps; work->step++) {
		bool due = work->step % every == every / 2;
		count += due && count < CHECKPOINTS_MOST;
		double at = MPI_Wtime();
		way->at_step(work, due);
		at = MPI_Wtime() - at;
		if (count > 0 && held[count - 1] < at)
			held[count - 1] = at;
		advance(work);
	}
	MPI_Barrier(MPI_COMM_WORLD);
	double took = MPI_Wtime() - begin;
	expect_sum(work, before);
	for (size_t i = 0; i < count; i++)
		held[i] = slowest(held[i]);
	double bytes = sum(bytes_written() - written);
	if (work->rank == 0)
		printf("run %s %d %zu %zu %.4f %.4f %.0f\n", way->name, work->ranks, work->count >> 17, count, took, median(held, count), bytes);
	free(held);
}

static void restart(struct work *work, const struct way *way)
{
	double before = sum_of(work);
	memset(work->grid, 0, work->count * sizeof *work->grid);
	MPI_Barrier(MPI_COMM_WORLD);
	double took = MPI_Wtime();
	way->restart(work);
	took = slowest(MPI_Wtime() - took);
	expect_sum(work, before);
	if (work->rank == 0)
		printf("restart %s %d %zu %.4f step %" PRId64 "\n", way->name, work->ranks, work->count >> 17, took, work->step);
}

int main(int argc, char **argv)
{
	struct work work = {0};
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &work.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &work.ranks);
	bool runs = argc == 7 && strcmp(argv[1], "run") == 0, restarts = argc == 5 && strcmp(argv[1], "restart") == 0;
	if (!runs && !restarts)
		give_up("usage: usual run WAY MIB STEPS EVERY FOLDER | usual restart WAY MIB FOLDER; not", argc > 1 ? argv[1] : "");
	const struct way *way = way_of(argv[2]);
	long mib = atol(argv[3]), steps = runs ? atol(argv[4]) : 1, every = runs ? atol(argv[5]) : 1;
	if (mib < 1 || steps < 1 || steps > STEPS_MOST || every < 1)
		give_up("MiB, steps and every are numbers from 1, not", argv[3]);
	work.folder = argv[runs ? 6 : 4];
	work.count = (size_t)mib << 17;
	work.grid = new_grid(&work);
	work.other = new_grid(&work);
	if (runs)
		run(&work, way, steps, every);
	else
		restart(&work, way);
	MPI_Finalize();
	free(work.grid);
	free(work.other);
	return 0;
}
