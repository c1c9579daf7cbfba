/* SPDX-License-Identifier: BSD-3-Clause */
/* A file that several ranks write: what they must agree on, in memory that they have in common (docs/design.md, 3.14). Nobody waits for another but for
 * some arithmetic. */
#ifndef STORE_SHARED_H
#define STORE_SHARED_H

#include "store/format.h"

/* A rank's part in the file of one attempt. */
struct shared_part {
	struct store_shared *shared;   /* null: it has no part */
	struct shared_file *file;
	uint32_t rank;                 /* its place among those of the file */
};

/* Before anything else of an attempt. */
int shared_enter(struct shared_part *part, struct store_shared *shared, const struct store_identity *identity, uint32_t first, struct fault *fault);
/* The rank has done with the file, whatever became of it. Does nothing if it has no part. */
void shared_leave(struct shared_part *part);
/* Space will be needed, or less than was said: where that begins, as far as can be said now. */
uint64_t shared_expect(struct shared_part *part, uint64_t bytes);
void shared_expect_less(struct shared_part *part, uint64_t bytes);
/* So many bytes of the file are this rank's: where they begin. */
uint64_t shared_take(struct shared_part *part, uint64_t bytes);
/* This rank's part is whole, with that entry in the header. true: all are, and *header has all but the identity: this rank ends the file. */
bool shared_arrive(struct shared_part *part, const struct format_rank *rank, struct format_header *header);
uint32_t shared_ranks(const struct store_shared *shared);

#endif
