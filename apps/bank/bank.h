/* SPDX-License-Identifier: BSD-3-Clause */
/* The three things that the program does, and what they have in common. */
#ifndef BANK_BANK_H
#define BANK_BANK_H

#include <stdbool.h>
#include <stdint.h>

enum { BANK_RIGHT = 0, BANK_WRONG = 1, BANK_TROUBLE = 2 };

struct bank_options {
	int64_t initial;       /* money of each branch */
	int64_t transfers;     /* of each branch; 0: no such limit */
	double seconds;        /* 0: no such limit */
	int64_t checkpoints;   /* to be committed in this life; 0: no such limit */
	int64_t every;         /* a checkpoint is asked for once in so many transfers, on average; 0: not */
	uint64_t seed;
	const char *audit;     /* a folder, or null */
	const char *script;    /* a file, "-", or null */
	bool delay;            /* messages of the script are received after the snapshot */
	bool example;
};

/* What the branches say to each other: every message is one of these, under one tag. */
struct bank_letter {
	int64_t kind;          /* enum bank_kind */
	uint64_t serial;       /* 1, 2, ... from this sender to this receiver */
	int64_t amount;        /* of a transfer */
	int64_t time;          /* of the sender's clock (script.c), else 0 */
};

enum bank_kind {
	BANK_TRANSFER = 1,
	BANK_REQUEST,          /* ask for a checkpoint */
	BANK_ENOUGH,           /* rank 0: begin no more transfers */
	BANK_CLOSE,            /* this is my last message to you */
	BANK_LEAVE             /* the run was asked to stop, and its checkpoint is made */
};

enum { BANK_TAG = 1 };

/* The protected regions, as the audit finds them in the files. */
#define BANK_BRANCH "branch"
#define BANK_POST "post"

struct bank_branch {
	int64_t initial;
	int64_t ranks;
	uint64_t seed;
	int64_t balance;
	uint64_t random;       /* the state of this branch's generator */
	uint64_t sent, received; /* transfers */
	int64_t enough;        /* no more transfers are begun here */
	int64_t closed;        /* BANK_CLOSE has gone to all */
};

/* One of these for each rank: the letters between it and this one. */
struct bank_post {
	uint64_t sent, received;
	int64_t closed;        /* its BANK_CLOSE is here */
};

/* Collective, between MPI_Init and MPI_Finalize. The exit status of this rank. */
int bank_trade(const struct bank_options *options);
int bank_play(const struct bank_options *options);

/* Adds up every checkpoint in a folder, without MPI. The exit status. */
int bank_audit(const char *folder);

/* For options that play a script, before MPI_Init: if this process was not started by an MPI launcher, reads the
 * script, asking for it where standard input is a terminal, and becomes a launcher with as many ranks as it wants.
 * Returns if there is nothing to do; else never, or with an exit status that is not 0. */
int bank_launch(const struct bank_options *options, const char *program);

#endif
