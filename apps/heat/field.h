/* SPDX-License-Identifier: BSD-3-Clause */
/* The temperature of a square plate on size x size points whose rim is kept at zero, cut into one block per rank. */
#ifndef HEAT_FIELD_H
#define HEAT_FIELD_H

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

/* This rank's part. Its arrays have a border of one point, where the neighbours' values (or the plate's rim: zero)
 * stand. */
struct field {
	MPI_Comm ranks;          /* in two dimensions, not periodic */
	int parts[2];            /* ranks in each dimension: rows, columns */
	int above, below, left, right;
	int64_t size;            /* of the whole plate, in points, without the rim */
	double ratio;            /* conductivity x time step / spacing^2 */
	int64_t first_row, first_column;
	int64_t rows, columns;   /* of the block, without the border */
	double *now, *next;      /* (rows + 2) x (columns + 2) points */
	size_t bytes;            /* of each */
	MPI_Datatype column;     /* one column of the block, without the border */
};

/* Collective. Cuts the plate into blocks and sets the field to the eigenfunction. 0; or -1, the same on all ranks:
 * there are more ranks in one dimension than points; or, on this rank, there is not enough memory: MPI_Abort. */
int field_make(struct field *field, int64_t size, double ratio);
void field_free(struct field *field);

/* Collective among neighbours. Computes `next` from `now`. */
void field_advance(struct field *field);
/* The largest change from `now` to `next` in this block. Local. */
double field_change(const struct field *field);
/* Makes `next` the field. Local. */
void field_swap(struct field *field);

/* By what one step multiplies the eigenfunction. */
double field_factor(int64_t size, double ratio);
/* The value at a point of the whole plate (rows and columns count from 0) after so many steps that the factors
 * make `amplitude`. */
double field_exact(int64_t size, double amplitude, int64_t row, int64_t column);

/* The value at a point of the block, without the border. */
static inline double field_value(const struct field *field, int64_t row, int64_t column)
{
	return field->now[(row + 1) * (field->columns + 2) + column + 1];
}

#endif
