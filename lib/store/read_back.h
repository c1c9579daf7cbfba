/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether an image that is durable can be read. */
#ifndef STORE_READ_BACK_H
#define STORE_READ_BACK_H

#include "store/image_write.h"

/* After image_end: reads the file, past the page cache where that can be had, and compares the checksums of all that was written. 0, SEAMARK_E_DAMAGED, why it
 * could not be read, or SEAMARK_E_VOID: given up. part: of a file that is not whole yet, only what this rank has in it, which is synced. */
int read_back(struct image_writer *writer, const struct format_rank *part, struct fault *fault);
/* The same for the header of a file that several ranks have written. */
int read_back_header(struct image_writer *writer, const struct format_header *header, struct fault *fault);

#endif
