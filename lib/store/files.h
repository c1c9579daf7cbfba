/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files behind seamark_files.h share. */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include "base/fault.h"

/* Each call tells its own failure: this thread's, empty. */
struct fault *files_fresh_fault(void);

#endif
