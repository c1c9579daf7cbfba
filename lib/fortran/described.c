/* SPDX-License-Identifier: BSD-3-Clause */
/* For the Fortran module: calls that take a variable of any type and rank. Only C can ask its descriptor for the size of an element. */
#include <ISO_Fortran_binding.h>
#include <stdbool.h>

#include "seamark.h"

int seamark_fortran_protect(const char *name, const CFI_cdesc_t *data);
int seamark_fortran_protect_array(const char *name, const CFI_cdesc_t *data, int dimensions, const int64_t *global, const int64_t *offset,
				  const int64_t *before, const int64_t *after);
int seamark_fortran_write(seamark_writer *to, const CFI_cdesc_t *data);
int seamark_fortran_read(seamark_reader *from, CFI_cdesc_t *data);

/* Its bytes, if they lie in one block: the compiler must not make a copy, whose address would be of no use later. */
static bool is_block(const CFI_cdesc_t *data, size_t *bytes)
{
	bool block = true;
	*bytes = data->elem_len;
	for (int i = 0; i < data->rank; i++) {
		block &= data->dim[i].extent == 1 || data->dim[i].sm == (CFI_index_t)*bytes;
		*bytes *= (size_t)data->dim[i].extent;
	}
	return block || *bytes == 0;
}

/* What cannot be protected is refused by the library, which says so in its own way. */
int seamark_fortran_protect(const char *name, const CFI_cdesc_t *data)
{
	size_t bytes;
	bool block = data->base_addr != NULL && is_block(data, &bytes);
	return block ? seamark_protect(name, data->base_addr, bytes) : seamark_protect(name, NULL, 1);
}

/* -1: none of seamark.h. */
static int type_of(const CFI_cdesc_t *data)
{
	static const struct { CFI_type_t type; int ours; } types[] = {
		{ CFI_type_int8_t, SEAMARK_INT8 }, { CFI_type_int16_t, SEAMARK_INT16 }, { CFI_type_int32_t, SEAMARK_INT32 },
		{ CFI_type_int64_t, SEAMARK_INT64 }, { CFI_type_float, SEAMARK_FLOAT32 }, { CFI_type_double, SEAMARK_FLOAT64 },
		{ CFI_type_float_Complex, SEAMARK_COMPLEX64 }, { CFI_type_double_Complex, SEAMARK_COMPLEX128 },
	};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (data->type == types[i].type)
			return types[i].ours;
	if (data->type == CFI_type_char && data->elem_len == 1)
		return SEAMARK_BYTE;
	if (data->type == CFI_type_Bool)
		return SEAMARK_UINT8;
	return -1;
}

/* Fortran's first index is the fastest, a file's the slowest: all lists are turned round. A list that is not given is null; one of another length than the
 * array has dimensions was made so that `dimensions` says it. */
int seamark_fortran_protect_array(const char *name, const CFI_cdesc_t *data, int dimensions, const int64_t *global, const int64_t *offset,
				  const int64_t *before, const int64_t *after)
{
	uint64_t lists[5][CFI_MAX_RANK];
	const int64_t *given[4] = {global, offset, before, after};
	int rank = data->rank;
	size_t bytes;
	if (data->base_addr == NULL || !is_block(data, &bytes))
		return seamark_protect(name, NULL, 1);
	if (dimensions != rank)
		return seamark_protect_array(name, NULL, type_of(data), 0, NULL, NULL, NULL);
	for (int i = 0; i < rank; i++) {
		int from = rank - 1 - i;
		lists[4][i] = (uint64_t)data->dim[from].extent;
		for (int list = 0; list < 4; list++)
			lists[list][i] = given[list] ? (uint64_t)given[list][from] : 0;
	}
	return seamark_protect_array_with_halo(name, data->base_addr, type_of(data), rank, global ? lists[0] : NULL, lists[1], lists[4],
					       lists[2], lists[3]);
}

int seamark_fortran_write(seamark_writer *to, const CFI_cdesc_t *data)
{
	size_t bytes;
	return data->base_addr && is_block(data, &bytes) ? seamark_write(to, data->base_addr, bytes) : SEAMARK_E_ARGUMENT;
}

int seamark_fortran_read(seamark_reader *from, CFI_cdesc_t *data)
{
	size_t bytes;
	return data->base_addr && is_block(data, &bytes) ? seamark_read(from, data->base_addr, bytes) : SEAMARK_E_ARGUMENT;
}
