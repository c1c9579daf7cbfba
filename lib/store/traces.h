/* SPDX-License-Identifier: BSD-3-Clause */
/* Traces beside the checkpoints (docs/format.md, 10): written by the writer's thread, without any hurry, and never anybody's reason to fail. */
#ifndef STORE_TRACES_H
#define STORE_TRACES_H

#include "store/store.h"

/* Writes it and lets go of its context; rank 0 also removes old ones. */
void traces_write(struct store *store, const struct store_trace *trace);

#endif
