/* SPDX-License-Identifier: BSD-3-Clause */
/* The usual ways of saving a program's state, and Seamark's, under one workload. */
#ifndef BENCH_USUAL_H
#define BENCH_USUAL_H

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

/* What has to come back: the grid of this rank, and the step. */
struct work {
	int rank, ranks;
	size_t count;              /* of doubles */
	double *grid;              /* what is saved; another buffer after each step */
	double *other;
	int64_t step;
	const char *folder;
};

struct way {
	const char *name;
	/* Before the first step, after it has been measured how long they take; null: nothing to do. */
	void (*begin)(struct work *work);
	/* At the top of each step; due: a checkpoint is wanted here. Returns when the program may change its grid. */
	void (*at_step)(struct work *work, int due);
	/* Reads the newest checkpoint into work->grid and work->step. */
	void (*restart)(struct work *work);
};

/* Three names of a file that all ranks write together: while it is written, the newest whole one, and the one before. */
struct names { char new[4096], now[4096], before[4096]; };
struct names names_of(const struct work *work, const char *base);
/* Collective: what is written and durable becomes the newest. */
void put_in_place(const struct work *work, const struct names *names);

extern const struct way way_none, way_files, way_mpiio, way_hdf5, way_seamark;

/* Says what failed, and ends all ranks. */
_Noreturn void give_up(const char *what, const char *name);
/* Errors of MPI-IO. */
void check(int code, const char *what, const char *name);

#endif
