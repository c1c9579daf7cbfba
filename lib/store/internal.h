/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/io.h"
#include "store/status.h"
#include "store/store.h"
#include "store/watch.h"

struct image;
struct run_file;
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
	atomic_bool life_known;  /* run and life stay as they are */
	atomic_bool superseded;  /* another life was seen: this one writes nothing more */
	char owner[SETTINGS_NAME_MAX + 1]; /* empty: nobody's */
	char start[SETTINGS_NAME_MAX + 1]; /* of `seamark run`; empty: not started by it */
	bool fenced;             /* this start goes on only if no other has begun a life after `start_after` */
	uint32_t start_after;
	int lock;                /* rank 0, in its life: the lock's file, open; else -1 */
	bool locked;             /* ... and locked. It is not while a life that was superseded in spite of its lock is still there */
	struct watch watch;
	struct status status;    /* rank 0 */
	bool read_back;          /* images are checked on the disk before they count */
	struct writer *writer;   /* null: not started */
	struct store_past past;  /* rank 0, in its life */
	bool history_failed;     /* and that was said; the writer's thread */
	bool traces_failed;      /* likewise */
	_Atomic unsigned traces_waiting; /* to be written */
	bool traces_left_out;    /* that was said; the program's thread alone */
	enum settings_codec codec;
	uint64_t rate;
	struct store_files files;
};

/* Whether run.json still has this life, and what it has. Any thread. */
bool lives_look(struct store *store, struct run_file *newest);
bool lives_is_newest(struct store *store);
/* Takes the folder's lock if nobody has it, without beginning a life. */
int lives_lock(struct store *store, struct fault *fault);
void lives_release_lock(struct store *store);
/* Claims of lives before store->life. */
void lives_remove_claims(const struct store *store);

/* Ends the thread, giving up what is not durable. false: it did not end in time and still uses the store. */
bool writer_stop(struct store *store);

#endif
