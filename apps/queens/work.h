/* SPDX-License-Identifier: BSD-3-Clause */
/* Work stealing among ranks, with an end that is found by a token. */
#ifndef QUEENS_WORK_H
#define QUEENS_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/outbox.h"
#include "board.h"

enum {
	WORK_STACK = BOARD_LARGEST * (BOARD_LARGEST + 1), /* depth first: at most one row's boards for each row */
	WORK_GIVEN = 16                                   /* boards in one answer, at most */
};

/* How far the search has come, as this rank knows. */
enum work_phase {
	WORK_SEARCHING,
	WORK_ENDING,    /* nothing is left anywhere; an answer to this rank may still be on its way */
	WORK_COUNTED,   /* told rank 0 what was counted here; nothing will be asked any more */
	WORK_OVER
};

struct token {
	int64_t balance;
	int64_t black;
};

/* Everything that this rank knows, in one block of memory: this is what is protected. It is whole between any two
 * messages, because it says what was sent and what is expected, and not how far some conversation has come in the
 * code. */
struct work {
	int64_t queens, depth;     /* the problem; the same on all ranks */
	uint64_t solutions;        /* counted here */
	uint64_t subtrees;
	uint64_t given, stolen, refused; /* boards to others, boards from others, requests in vain */
	uint64_t random;           /* whom to steal from next */
	int64_t asked;             /* a request of this rank is not answered yet */
	int64_t phase;             /* enum work_phase */

	/* Safra's algorithm (EWD 998). balance: messages with work that were sent, less those that were received. */
	int64_t balance;
	int64_t black;             /* received work since the token was here */
	int64_t has_token;
	struct token token;

	/* Rank 0 only. */
	uint64_t total;
	int64_t reports;           /* ranks that have told their count */

	int64_t stack_size;
	struct board stack[WORK_STACK];
};

/* A place in the world, which is the same for every life of the run. */
struct place {
	int rank;
	int ranks;
	struct outbox outbox;
};

/* The state at the beginning: rank 0 has the whole board and the token. */
void work_begin(struct work *work, int rank, int queens, int depth);

/* Whether there is something to do but wait for a message. */
bool work_is_at_hand(const struct work *work, const struct place *place);
/* Does one thing: counts a part of the search, or passes the token on, or asks for work, or reports. */
void work_do(struct work *work, struct place *place);
/* Takes in a message. */
struct message;
void work_take(struct work *work, struct place *place, const struct message *message);

/* What the ranks say to each other. */
enum work_tag {
	WORK_ASK = 1,   /* give me work: empty */
	WORK_ANSWER,    /* boards; none: I have none to give */
	WORK_TOKEN,     /* a token */
	WORK_END,       /* rank 0 to all: nothing is left anywhere */
	WORK_REPORT,    /* to rank 0: a count */
	WORK_LEAVE,     /* rank 0 to all: all have reported */
	WORK_STOP       /* to all: the run was asked to stop, and its checkpoint is made */
};

struct message {
	int source;
	int tag;
	int bytes;
	union {
		struct board boards[WORK_GIVEN];
		struct token token;
		uint64_t count;
	} content;
};

#endif
