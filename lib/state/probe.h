/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether memory can be read, asked without touching it. */
#ifndef STATE_PROBE_H
#define STATE_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the host can read bytes > 0 at data. Exact, but in regions of more than 256 pages for what a mapping hides from the kernel's
 * list of mappings (a file that is shorter than its mapping): there only some places are tried. */
bool probe_readable(const void *data, size_t bytes);

#endif
