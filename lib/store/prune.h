/* SPDX-License-Identifier: BSD-3-Clause */
/* Removes checkpoints that a person does not want, by the rule that retention has. */
#ifndef STORE_PRUNE_H
#define STORE_PRUNE_H

#include "seamark_files.h"
#include "base/fault.h"

/* As seamark_files_prune. */
int prune_folder(const char *folder, const struct seamark_files_wish *wish, void (*told)(const struct seamark_files_pruned *pruned, void *context), void *context,
		 struct fault *fault);

#endif
