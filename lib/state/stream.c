/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/stream.h"

#include <string.h>

int seamark_write(seamark_writer *to, const void *data, size_t bytes)
{
	if (!to || (bytes && !data))
		return SEAMARK_E_ARGUMENT;
	if (!to->open)
		return SEAMARK_E_ORDER;
	if (to->failed || bytes > SIZE_MAX - to->size || !memory_extend(to->to, to->size + bytes)) {
		to->failed = true;
		return SEAMARK_E_MEMORY;
	}
	if (bytes)
		memcpy(to->to->data + to->size, data, bytes);
	to->size += bytes;
	return 0;
}

int seamark_read(seamark_reader *from, void *data, size_t bytes)
{
	if (!from || (bytes && !data))
		return SEAMARK_E_ARGUMENT;
	if (!from->open)
		return SEAMARK_E_ORDER;
	if (bytes > from->left)
		return SEAMARK_E_REGION;
	if (bytes)
		memcpy(data, from->at, bytes);
	from->at += bytes;
	from->left -= bytes;
	return 0;
}
