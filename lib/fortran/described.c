/* SPDX-License-Identifier: BSD-3-Clause */
/* For the Fortran module: calls that take a variable of any type and rank. Only C can ask its descriptor for the size of an element. */
#include <ISO_Fortran_binding.h>
#include <stdbool.h>

#include "seamark.h"

int seamark_fortran_protect(const char *name, const CFI_cdesc_t *data);
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
