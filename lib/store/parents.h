/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of other checkpoints in which chunks of an image lie. Each is opened once, when a chunk of it is first wanted. */
#ifndef STORE_PARENTS_H
#define STORE_PARENTS_H

#include "store/format.h"
#include "store/io.h"

struct parents;

/* For an image of this checkpoint. null: no memory. */
struct parents *parents_open(const struct store_checkpoint *checkpoint);
void parents_close(struct parents *parents);

/* The file that has a chunk which lies elsewhere, as far as its header and its size go; *path names it in faults. Both are valid until parents_close.
 * SEAMARK_E_DAMAGED: it is not there, or not what the chunk says. */
int parents_file(struct parents *parents, const struct format_chunk *chunk, int *fd, const char **path, struct fault *fault);
/* Whether the table of the rank there has this very chunk. */
int parents_check(struct parents *parents, const struct format_chunk *chunk, struct fault *fault);

#endif
