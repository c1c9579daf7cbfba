/* SPDX-License-Identifier: BSD-3-Clause */
/* The manifest: what makes a folder a checkpoint (docs/format.md, 5). */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include "store/store.h"

#define MANIFEST_NAME "manifest.json"
#define MANIFEST_RETIRED "manifest.retired" /* of one whose files go */
#define MANIFEST_HELD "manifest.held" /* of one that was retired, and whose chunks others need */
#define MANIFEST_PINNED "pinned"

/* The manifest's text; the caller frees it. null: no memory. Of the checkpoint, path and pinned are not told. */
char *manifest_text(const struct store_checkpoint *checkpoint);
/* Decodes a manifest; `what` names it in faults. path and pinned of the checkpoint are left alone. */
int manifest_decode(struct store_checkpoint *found, const char *text, size_t size, const char *what, struct fault *fault);
/* Reads the manifest in a folder, and whether the checkpoint is pinned. SEAMARK_E_NOT_FOUND: there is none. */
int manifest_read(struct store_checkpoint *found, const char *folder, struct fault *fault);
/* The same, also of one that is only held for others, or was retired by a life that was not to: its files are still there then. */
int manifest_read_held(struct store_checkpoint *found, const char *folder, struct fault *fault);
/* The locator that has a rank, the first rank of its file, and that file's number as a file group. Null: none has it. */
const struct store_locator *manifest_place(const struct store_locator *locators, uint32_t count, uint32_t rank, uint32_t *first, uint32_t *group);
/* The name of the file that has a rank's image, and its number as a file group. false: no locator has the rank. */
bool manifest_locate(const struct store_checkpoint *checkpoint, uint32_t rank, char *name, size_t room, uint32_t *group);

#endif
