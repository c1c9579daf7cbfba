/* SPDX-License-Identifier: BSD-3-Clause */
/* What the writer's thread looks for in the folder now and then: on rank 0 the files `stop` and `request`, and what there is to tell in `status`; on all ranks whether another life has begun. */
#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

struct watch {
	int64_t next_ns;            /* the thread's alone, as all that is not atomic */
	atomic_bool stop_seen;
	atomic_bool clear_stop;
	void (*on_superseded)(const char *by, bool late); /* null: nobody looks for other lives */
	int64_t superseded_ns;      /* since when that is known; 0: it is not so */
	atomic_bool told;           /* ... to whoever asked to be told */
	bool told_late;
};

/* Whether there is anything to look for, on this rank. */
bool watch_is_due(const struct store *store, int64_t now_ns);
bool watch_waits(const struct store *store);
/* Looks, if it is time to. */
void watch_look(struct store *store);
/* At the thread's end: what was still to be removed. */
void watch_end(struct store *store);
/* At the begin of a life: a file `stop` that an earlier one had taken and was not to take. */
void watch_put_stop_back(struct store *store);

#endif
