/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory of this process as it was at one moment: a child that does nothing has it, copied by the kernel as it is written to. The program does not notice the
 * child: no signal comes of it, no wait finds it, it holds none of the program's files. */
#ifndef STATE_CHILD_H
#define STATE_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "state/maps.h"

struct child;

/* Null: there is none, for the reason in fault. */
struct child *child_make(struct fault *fault);
/* The mappings that the child has; asked where the program is held. Those marked against being inherited are missing. */
bool child_maps(struct child *child, struct maps *maps);
/* Copies bytes of the child's memory, from whichever thread. Not 0: they cannot be had, and fault says why. */
int child_read(struct child *child, const void *data, void *to, uint64_t bytes, struct fault *fault);
/* Memory was found that a child of fork has as zeros. */
bool child_found_wiped(struct child *child);
/* Ends it, without waiting for it to be gone. Reads fail from now on. */
void child_end(struct child *child);
/* Frees it if it is gone; `wait`: until it is. */
bool child_free(struct child *child, bool wait);

#endif
