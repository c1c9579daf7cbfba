/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes a checkpoint hold all its chunks itself. */
#ifndef STORE_COMPACT_H
#define STORE_COMPACT_H

#include "store/store.h"

/* New files are written beside the old ones, and then the manifest is replaced by one that names them: at every moment one of the two is whole. Every chunk that lay in the old
 * files is at the same place in the new ones, so that what refers to it finds it. The folder's lock is held meanwhile: SEAMARK_E_BUSY, a run uses it.
 * *before: the checkpoint as it was; *after: as it is, the same if it needed no other. What only it had needed goes. */
int compact_checkpoint(const char *path, struct store_checkpoint *before, struct store_checkpoint *after, struct fault *fault);

#endif
