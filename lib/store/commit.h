/* SPDX-License-Identifier: BSD-3-Clause */
/* Rank 0's part of a checkpoint, in the writer's thread: the manifest, retention, and the folders of attempts that were void. */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include <stdatomic.h>

#include "store/chain.h"
#include "store/internal.h"

enum { COMMIT_DROPS_MAX = 64 };
/* Beside enum store_state: nobody waits for it any more, and the thread has not come to its end. */
enum { COMMIT_GIVEN_UP = STORE_FAILED + 1 };

struct commit {
	struct store *store;
	struct chain *chain;
	struct store_commit of;
	uint64_t keep;
	_Atomic int state;         /* enum store_state: the rest is the thread's while it is WORKING, or given up */
	_Atomic int64_t progress_ns; /* when its last step was done */
	struct fault fault;

	uint64_t drops[COMMIT_DROPS_MAX]; /* attempts whose folders were not empty; the thread's alone */
	size_t drop_count;
};

/* Makes `of` a checkpoint, and retires older ones. */
void commit_run(struct commit *commit);
/* Removes what a void attempt left, now or with the next commit. Other ranks may not have removed their files yet; the next life removes what is left in the end. */
void commit_drop(struct commit *commit, uint64_t number);

#endif
