/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of what becomes of each MPI function, for those who look one up. Knows no MPI: the command reads it too. */
#ifndef INTERPOSE_COVERAGE_H
#define INTERPOSE_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>

enum coverage_where {COVERAGE_MPI_3, COVERAGE_MPI_4, COVERAGE_REMOVED, COVERAGE_OPEN_MPI, COVERAGE_MPICH, COVERAGE_BOTH};
enum coverage_treatment {COVERAGE_CARRIED, COVERAGE_COUNTED, COVERAGE_PASSES, COVERAGE_MAKES_VOID, COVERAGE_TREATMENTS};

struct coverage {
	const char *name;   /* null: the head of a group, whose title and text are in group and note */
	const char *group;
	enum coverage_where where;
	enum coverage_treatment treatment;
	const char *note;
};

/* The rows in order; null beyond the last. */
const struct coverage *coverage_at(size_t index);
/* The row of a function; null: it is in no MPI library that Seamark knows. */
const struct coverage *coverage_of(const char *name);
/* Whether this is the name of a function of MPI in C, as MPI makes them: MPI_Comm_dup, MPI_T_init_thread, MPIX_Comm_agree; known or not. */
bool coverage_is_function(const char *name);
/* Whether compilers of Fortran, or an MPI library for them, may call this function so: mpi_send_, mpi_send__, mpi_send_f08_, mpi_send_f08ts_,
 * MPI_SEND for MPI_Send. */
bool coverage_is_in_fortran(const char *symbol, const char *function);
/* "carried", "counted", "passes", "makes void". */
const char *coverage_word(enum coverage_treatment treatment);

#endif
