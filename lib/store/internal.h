/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/io.h"
#include "store/store.h"

struct image;
struct writer;

/* Which ranks share a file, and the one that this rank's images are in. */
struct store_files {
	struct store_locator locators[STORE_LOCATORS_MAX];
	uint32_t count;
	struct store_shared *shared; /* null: the file is this rank's alone */
	uint32_t first;              /* rank in it */
	uint32_t group;              /* its number */
};

struct store {
	char folder[4096];       /* absolute */
	uint32_t rank;
	uint32_t ranks;
	uint8_t run[16];
	uint32_t life;           /* 0: not known yet */
	int lock;                /* the locked file; -1: not held */
	bool read_back;          /* images are checked on the disk before they count */
	struct writer *writer;   /* null: not started */
	struct store_past past;  /* rank 0, in its life */
	bool history_failed;     /* and that was said; the writer's thread */
	enum settings_codec codec;
	uint64_t rate;
	struct store_files files;
};

/* What run.json says. SEAMARK_E_NOT_FOUND: there is none yet; SEAMARK_E_DAMAGED: it is not what was written. */
int lives_read_run(const char *folder, uint8_t run[16], uint32_t *life, struct fault *fault);
/* Rank 0: whether run.json still has this life. Any thread. */
bool lives_is_newest(const struct store *store);
/* Takes the folder's lock if nobody has it, without beginning a life. */
int lives_lock(struct store *store, struct fault *fault);
void lives_release_lock(struct store *store);

/* Ends the thread, giving up what is not durable. false: it did not end in time and still uses the store. */
bool writer_stop(struct store *store);

#endif
