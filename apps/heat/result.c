/* SPDX-License-Identifier: BSD-3-Clause */
#include "result.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far a right field may be from the closed form, relative to the amplitude.
 *
 * In one step the roundings of a point add up to at most 2 epsilon times the amplitude of that step: three sums of
 * two or four values, times ratio <= 1/4, and the last sum. Such an error is then multiplied by the same operator
 * as the field: that has no eigenvalue greater in size than the factor of our eigenfunction, and a field that is
 * one everywhere stays below (4/pi)^2 < 1.7 times that factor's power. So a step adds less than 4 epsilon,
 * relative to the amplitude of the end. The closed form's own error is below one epsilon a step (a rounded factor,
 * raised to the power), and like the start's a few for the sines. A halo that is one step old even once is off by
 * far more.
 */
static double allowed(int64_t step)
{
	return (8 * (double)step + 32) * DBL_EPSILON;
}

bool result_right(const struct field *field, int64_t step)
{
	double amplitude = pow(field_factor(field->size, field->ratio), (double)step);
	double error = 0;
	int rank;

	for (int64_t row = 0; row < field->rows; row++) {
		for (int64_t column = 0; column < field->columns; column++) {
			double off = fabs(field_value(field, row, column) -
					  field_exact(field->size, amplitude, field->first_row + row, field->first_column + column));
			if (!(off <= error)) /* so that not-a-number is kept */
				error = isnan(off) ? INFINITY : off;
		}
	}
	MPI_Allreduce(MPI_IN_PLACE, &error, 1, MPI_DOUBLE, MPI_MAX, field->ranks);
	error /= amplitude;
	bool right = error <= allowed(step);
	MPI_Comm_rank(field->ranks, &rank);
	if (rank == 0)
		printf("heat: step %" PRId64 ": largest error %.3g of the amplitude, allowed %.3g: the field is %s\n", step, error,
		       allowed(step), right ? "right" : "wrong");
	return right;
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t value)
{
	value += UINT64_C(0x9E3779B97F4A7C15);
	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

/* A sum over all points of a mix of place and bits: it can be added up in any order, so the decomposition does not
 * matter; and the field's bits do not depend on it either (see update in field.c). */
uint64_t result_checksum(const struct field *field)
{
	uint64_t sum = 0;

	for (int64_t row = 0; row < field->rows; row++) {
		for (int64_t column = 0; column < field->columns; column++) {
			double value = field_value(field, row, column);
			int64_t place = (field->first_row + row) * field->size + field->first_column + column;
			uint64_t bits;
			memcpy(&bits, &value, sizeof bits);
			sum += mix(mix((uint64_t)place) ^ bits);
		}
	}
	MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_UINT64_T, MPI_SUM, field->ranks);
	return sum;
}

/* One block at rank 0, without a border. */
struct block {
	int64_t place[4]; /* first row, first column, rows, columns */
	double *values;
};

struct sink {
	FILE *file;
	int64_t size;
	long start;       /* of the first point in the file */
	double white;     /* the value that becomes 255; 0: values are written as they are */
	unsigned char *row;
};

static bool write_row(struct sink *sink, const double *values, int64_t row, int64_t column, int64_t count)
{
	size_t width = sink->white != 0 ? 1 : sizeof *values;
	const void *bytes = values;

	if (sink->white != 0) {
		for (int64_t i = 0; i < count; i++) {
			double shade = 255 * values[i] / sink->white;
			sink->row[i] = (unsigned char)(shade > 255 ? 255 : shade > 0 ? lrint(shade) : 0);
		}
		bytes = sink->row;
	}
	long at = sink->start + (long)width * (row * sink->size + column);
	return fseek(sink->file, at, SEEK_SET) == 0 && fwrite(bytes, width, (size_t)count, sink->file) == (size_t)count;
}

static bool write_block(struct sink *sink, const struct block *block)
{
	for (int64_t row = 0; row < block->place[2]; row++)
		if (!write_row(sink, block->values + row * block->place[3], block->place[0] + row, block->place[1], block->place[3]))
			return false;
	return true;
}

static double *new_values(int64_t count)
{
	double *values = malloc((size_t)count * sizeof *values);

	if (values == NULL) {
		fprintf(stderr, "heat: not enough memory to write the field\n");
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	return values;
}

/* This rank's block, without its border. */
static struct block own_block(const struct field *field)
{
	struct block block = {.place = {field->first_row, field->first_column, field->rows, field->columns}};

	block.values = new_values(field->rows * field->columns);
	for (int64_t row = 0; row < field->rows; row++)
		memcpy(block.values + row * field->columns, field->now + (row + 1) * (field->columns + 2) + 1,
		       (size_t)field->columns * sizeof *block.values);
	return block;
}

/* Rank 0 takes the blocks one after the other and puts each in its place in the file. On a failure it takes the
 * rest all the same. */
static bool gather(const struct field *field, struct sink *sink)
{
	struct block block = own_block(field);
	int rank, ranks, written = 1;

	MPI_Comm_rank(field->ranks, &rank);
	MPI_Comm_size(field->ranks, &ranks);
	if (rank != 0) {
		MPI_Send(block.place, 4, MPI_INT64_T, 0, 0, field->ranks);
		MPI_Send(block.values, (int)(field->rows * field->columns), MPI_DOUBLE, 0, 0, field->ranks);
	} else {
		written = write_block(sink, &block);
		for (int source = 1; source < ranks; source++) {
			MPI_Recv(block.place, 4, MPI_INT64_T, source, 0, field->ranks, MPI_STATUS_IGNORE);
			free(block.values);
			block.values = new_values(block.place[2] * block.place[3]);
			MPI_Recv(block.values, (int)(block.place[2] * block.place[3]), MPI_DOUBLE, source, 0, field->ranks,
				 MPI_STATUS_IGNORE);
			written = written && write_block(sink, &block);
		}
	}
	free(block.values);
	return written;
}

/* Opens the file on rank 0; the same answer on all ranks. */
static bool open_sink(const struct field *field, struct sink *sink, const char *path)
{
	int rank, opened = 1;

	*sink = (struct sink){.size = field->size};
	MPI_Comm_rank(field->ranks, &rank);
	if (rank == 0) {
		sink->row = malloc((size_t)field->size);
		sink->file = fopen(path, "wb");
		opened = sink->row != NULL && sink->file != NULL;
		if (!opened)
			fprintf(stderr, "heat: cannot open '%s': %s\n", path, strerror(errno));
	}
	MPI_Bcast(&opened, 1, MPI_INT, 0, field->ranks);
	return opened;
}

static bool close_sink(const struct field *field, struct sink *sink, const char *path, int written)
{
	if (sink->file != NULL && fclose(sink->file) != 0)
		written = 0;
	if (sink->file != NULL && !written)
		fprintf(stderr, "heat: cannot write '%s': %s\n", path, strerror(errno));
	free(sink->row);
	MPI_Bcast(&written, 1, MPI_INT, 0, field->ranks);
	return written;
}

bool result_write_picture(const struct field *field, const char *path)
{
	struct sink sink;
	double white = 0;

	for (int64_t row = 0; row < field->rows; row++)
		for (int64_t column = 0; column < field->columns; column++)
			white = fmax(white, field_value(field, row, column));
	MPI_Allreduce(MPI_IN_PLACE, &white, 1, MPI_DOUBLE, MPI_MAX, field->ranks);
	if (!open_sink(field, &sink, path))
		return false;
	sink.white = white > 0 ? white : 1;
	if (sink.file != NULL) {
		fprintf(sink.file, "P5\n%" PRId64 " %" PRId64 "\n255\n", field->size, field->size);
		sink.start = ftell(sink.file);
	}
	return close_sink(field, &sink, path, gather(field, &sink));
}

bool result_write_raw(const struct field *field, const char *path)
{
	struct sink sink;

	if (!open_sink(field, &sink, path))
		return false;
	return close_sink(field, &sink, path, gather(field, &sink));
}
