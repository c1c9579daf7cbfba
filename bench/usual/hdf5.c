/* SPDX-License-Identifier: BSD-3-Clause */
/* Parallel HDF5: one dataset over all ranks, collective transfers. */
#include <hdf5.h>

#include <fcntl.h>
#include <unistd.h>

#include "usual.h"

static hid_t sure(hid_t id, const char *name)
{
	if (id < 0)
		give_up("HDF5 fails on", name);
	return id;
}

enum { PIECE = 1 << 24 }; /* doubles a call: under 2 GiB, for the MPI library below */

/* write: from work->grid; else into it. */
static void transfer(struct work *work, hid_t file, int write, const char *name)
{
	hsize_t whole = (hsize_t)work->count * (hsize_t)work->ranks, one = 1;
	hid_t space = sure(H5Screate_simple(1, &whole, NULL), name), scalar = sure(H5Screate_simple(1, &one, NULL), name);
	hid_t how = sure(H5Pcreate(H5P_DATASET_XFER), name);
	hid_t grid = sure(write ? H5Dcreate2(file, "grid", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)
				: H5Dopen2(file, "grid", H5P_DEFAULT), name);
	hid_t step = sure(write ? H5Dcreate2(file, "step", H5T_NATIVE_INT64, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)
				: H5Dopen2(file, "step", H5P_DEFAULT), name);
	sure(H5Pset_dxpl_mpio(how, H5FD_MPIO_COLLECTIVE), name);
	for (size_t at = 0; at < work->count; at += PIECE) {
		hsize_t count = work->count - at < PIECE ? work->count - at : PIECE, first = (hsize_t)work->rank * work->count + at;
		hid_t memory = sure(H5Screate_simple(1, &count, NULL), name);
		sure(H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &count, NULL), name);
		sure(write ? H5Dwrite(grid, H5T_NATIVE_DOUBLE, memory, space, how, work->grid + at)
			   : H5Dread(grid, H5T_NATIVE_DOUBLE, memory, space, how, work->grid + at), name);
		H5Sclose(memory);
	}
	sure(write ? H5Dwrite(step, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, how, &work->step)
		   : H5Dread(step, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, how, &work->step), name);
	H5Dclose(step);
	H5Dclose(grid);
	H5Pclose(how);
	H5Sclose(scalar);
	H5Sclose(space);
}

static hid_t open_file(const char *name, int write)
{
	hid_t how = sure(H5Pcreate(H5P_FILE_ACCESS), name);
	sure(H5Pset_fapl_mpio(how, MPI_COMM_WORLD, MPI_INFO_NULL), name);
	sure(H5Pset_alignment(how, 1 << 20, 1 << 20), name);
	hid_t file = sure(write ? H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, how) : H5Fopen(name, H5F_ACC_RDONLY, how), name);
	H5Pclose(how);
	return file;
}

static void hdf5_at_step(struct work *work, int due)
{
	struct names names = names_of(work, "state.h5");
	if (!due)
		return;
	hid_t file = open_file(names.new, 1);
	transfer(work, file, 1, names.new);
	sure(H5Fclose(file), names.new);
	/* Closing is not being durable. */
	int fd = open(names.new, O_RDWR);
	if (fd < 0 || fsync(fd) || close(fd))
		give_up("cannot make durable", names.new);
	put_in_place(work, &names);
}

static void hdf5_restart(struct work *work)
{
	struct names names = names_of(work, "state.h5");
	hid_t file = open_file(names.now, 0);
	transfer(work, file, 0, names.now);
	H5Fclose(file);
}

const struct way way_hdf5 = {"hdf5", NULL, hdf5_at_step, hdf5_restart};
