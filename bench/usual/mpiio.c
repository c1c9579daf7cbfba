/* SPDX-License-Identifier: BSD-3-Clause */
/* Collective MPI-IO to one shared file: the step, and the ranks' grids one after the other. */
#include "usual.h"

enum { HEADER = 4096, PIECE = 1 << 24 }; /* doubles a call: its count is an int */

static MPI_Offset place_of(const struct work *work, size_t at)
{
	return HEADER + (MPI_Offset)(((size_t)work->rank * work->count + at) * sizeof(double));
}

static void mpiio_at_step(struct work *work, int due)
{
	struct names names = names_of(work, "shared");
	MPI_File file;
	if (!due)
		return;
	check(MPI_File_open(MPI_COMM_WORLD, names.new, MPI_MODE_CREATE | MPI_MODE_WRONLY, MPI_INFO_NULL, &file), "cannot make", names.new);
	check(MPI_File_set_size(file, 0), "cannot cut", names.new);
	if (work->rank == 0)
		check(MPI_File_write_at(file, 0, &work->step, 1, MPI_INT64_T, MPI_STATUS_IGNORE), "cannot write", names.new);
	for (size_t at = 0; at < work->count; at += PIECE) {
		size_t left = work->count - at;
		check(MPI_File_write_at_all(file, place_of(work, at), work->grid + at, (int)(left < PIECE ? left : PIECE), MPI_DOUBLE,
					    MPI_STATUS_IGNORE), "cannot write", names.new);
	}
	check(MPI_File_sync(file), "cannot make durable", names.new);
	check(MPI_File_close(&file), "cannot close", names.new);
	put_in_place(work, &names);
}

static void mpiio_restart(struct work *work)
{
	struct names names = names_of(work, "shared");
	MPI_File file;
	check(MPI_File_open(MPI_COMM_WORLD, names.now, MPI_MODE_RDONLY, MPI_INFO_NULL, &file), "cannot open", names.now);
	check(MPI_File_read_at_all(file, 0, &work->step, 1, MPI_INT64_T, MPI_STATUS_IGNORE), "cannot read", names.now);
	for (size_t at = 0; at < work->count; at += PIECE) {
		size_t left = work->count - at;
		check(MPI_File_read_at_all(file, place_of(work, at), work->grid + at, (int)(left < PIECE ? left : PIECE), MPI_DOUBLE,
					   MPI_STATUS_IGNORE), "cannot read", names.now);
	}
	check(MPI_File_close(&file), "cannot close", names.now);
}

const struct way way_mpiio = {"mpiio", NULL, mpiio_at_step, mpiio_restart};
