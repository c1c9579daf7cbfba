/* SPDX-License-Identifier: BSD-3-Clause */
#include "field.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The first of `count` points that belongs to part `index` of `parts`. */
static int64_t first_of_part(int64_t count, int index, int parts)
{
	return count * index / parts;
}

static double *new_block(const struct field *field)
{
	double *block = calloc(1, field->bytes);

	if (block == NULL) {
		fprintf(stderr, "heat: not enough memory for %" PRId64 " x %" PRId64 " points\n", field->rows, field->columns);
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	return block;
}

static void fill(struct field *field)
{
	for (int64_t row = 0; row < field->rows; row++)
		for (int64_t column = 0; column < field->columns; column++)
			field->now[(row + 1) * (field->columns + 2) + column + 1] =
				field_exact(field->size, 1, field->first_row + row, field->first_column + column);
}

int field_make(struct field *field, int64_t size, double ratio)
{
	int ranks, rank, place[2];
	int periodic[2] = {0, 0};

	*field = (struct field){.size = size, .ratio = ratio, .ranks = MPI_COMM_NULL, .column = MPI_DATATYPE_NULL};
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	MPI_Dims_create(ranks, 2, field->parts);
	if (field->parts[0] > size || field->parts[1] > size)
		return -1;

	MPI_Cart_create(MPI_COMM_WORLD, 2, field->parts, periodic, 0, &field->ranks);
	MPI_Comm_rank(field->ranks, &rank);
	MPI_Cart_coords(field->ranks, rank, 2, place);
	MPI_Cart_shift(field->ranks, 0, 1, &field->above, &field->below);
	MPI_Cart_shift(field->ranks, 1, 1, &field->left, &field->right);

	field->first_row = first_of_part(size, place[0], field->parts[0]);
	field->rows = first_of_part(size, place[0] + 1, field->parts[0]) - field->first_row;
	field->first_column = first_of_part(size, place[1], field->parts[1]);
	field->columns = first_of_part(size, place[1] + 1, field->parts[1]) - field->first_column;
	field->bytes = (size_t)(field->rows + 2) * (size_t)(field->columns + 2) * sizeof(double);
	field->now = new_block(field);
	field->next = new_block(field);
	MPI_Type_vector((int)field->rows, 1, (int)field->columns + 2, MPI_DOUBLE, &field->column);
	MPI_Type_commit(&field->column);
	fill(field);
	return 0;
}

void field_free(struct field *field)
{
	free(field->now);
	free(field->next);
	if (field->column != MPI_DATATYPE_NULL)
		MPI_Type_free(&field->column);
	if (field->ranks != MPI_COMM_NULL)
		MPI_Comm_free(&field->ranks);
}

/* Tags say which way a message travels. */
enum { UPWARD = 1, DOWNWARD, LEFTWARD, RIGHTWARD };

static void begin_exchange(struct field *field, MPI_Request requests[8])
{
	int64_t width = field->columns + 2;
	int count = (int)field->columns;
	double *first = field->now + width + 1; /* the block's first point */
	double *last_row = first + (field->rows - 1) * width;
	double *last_column = first + field->columns - 1;

	MPI_Irecv(first - width, count, MPI_DOUBLE, field->above, DOWNWARD, field->ranks, &requests[0]);
	MPI_Irecv(last_row + width, count, MPI_DOUBLE, field->below, UPWARD, field->ranks, &requests[1]);
	MPI_Irecv(first - 1, 1, field->column, field->left, RIGHTWARD, field->ranks, &requests[2]);
	MPI_Irecv(last_column + 1, 1, field->column, field->right, LEFTWARD, field->ranks, &requests[3]);
	MPI_Isend(first, count, MPI_DOUBLE, field->above, UPWARD, field->ranks, &requests[4]);
	MPI_Isend(last_row, count, MPI_DOUBLE, field->below, DOWNWARD, field->ranks, &requests[5]);
	MPI_Isend(first, 1, field->column, field->left, LEFTWARD, field->ranks, &requests[6]);
	MPI_Isend(last_column, 1, field->column, field->right, RIGHTWARD, field->ranks, &requests[7]);
}

/* Rows and columns of the array, from the first to the last, both included. Every point is computed by this one
 * expression, in this order of operations, wherever the blocks' borders are: so the field is the same, bit for
 * bit, on any number of ranks. */
static void update(const struct field *field, int64_t first_row, int64_t last_row, int64_t first_column, int64_t last_column)
{
	int64_t width = field->columns + 2;
	double ratio = field->ratio;

	for (int64_t row = first_row; row <= last_row; row++) {
		const double *restrict here = field->now + row * width;
		const double *restrict above = here - width;
		const double *restrict below = here + width;
		double *restrict next = field->next + row * width;

		for (int64_t i = first_column; i <= last_column; i++)
			next[i] = here[i] + ratio * (((above[i] + below[i]) + (here[i - 1] + here[i + 1])) - 4 * here[i]);
	}
}

void field_advance(struct field *field)
{
	int64_t rows = field->rows, columns = field->columns;
	MPI_Request requests[8];

	/* The inner points need no neighbour: they are computed while the messages travel. */
	begin_exchange(field, requests);
	update(field, 2, rows - 1, 2, columns - 1);
	MPI_Waitall(8, requests, MPI_STATUSES_IGNORE);
	/* In a block one point thin the first edge is the last one too, and computed twice, to the same values. */
	update(field, 1, 1, 1, columns);
	update(field, rows, rows, 1, columns);
	update(field, 2, rows - 1, 1, 1);
	update(field, 2, rows - 1, columns, columns);
}

double field_change(const struct field *field)
{
	int64_t width = field->columns + 2;
	double largest = 0;

	for (int64_t row = 1; row <= field->rows; row++)
		for (int64_t i = row * width + 1; i <= row * width + field->columns; i++)
			largest = fmax(largest, fabs(field->next[i] - field->now[i]));
	return largest;
}

void field_swap(struct field *field)
{
	double *old = field->now;

	field->now = field->next;
	field->next = old;
}

/* The five-point operator with a rim of zero has the eigenfunctions sin(pi p i / (n + 1)) sin(pi q j / (n + 1)), i
 * and j from 1, with the eigenvalues -4 (sin^2(pi p / (2 (n + 1))) + sin^2(pi q / (2 (n + 1)))). The one of p = q
 * = 1 fades slowest: what rounding adds of the others fades faster, and the comparison keeps its sharpness however
 * long the run is. */
double field_factor(int64_t size, double ratio)
{
	double sine = sin(M_PI / (2 * (double)(size + 1)));

	return 1 - 8 * ratio * sine * sine;
}

double field_exact(int64_t size, double amplitude, int64_t row, int64_t column)
{
	double angle = M_PI / (double)(size + 1);

	return amplitude * sin(angle * (double)(row + 1)) * sin(angle * (double)(column + 1));
}
