/* SPDX-License-Identifier: BSD-3-Clause */
/* Increments: which chunks need not be written again, because a checkpoint that is committed has their content, and which checkpoints it may be.
 * The writer's thread alone, but for making a table. */
#ifndef STORE_CHAIN_H
#define STORE_CHAIN_H

#include "store/format.h"

/* The chunks of one rank's image, by content. Each tells the file that it was written to, whichever checkpoint that is of. */
struct chain_table {
	uint8_t run[16];
	uint64_t number;               /* of the checkpoint */
	uint64_t capture;              /* of its state, as in struct store_region; 0: it is not of this process */
	struct chain_region {
		char *name;
		size_t first;          /* of its chunks, which are in order */
		size_t count;
	} *regions;                    /* sorted by name */
	size_t region_count;
	char *names;
	struct format_chunk *chunks;   /* place is set in all of them */
	size_t count;
	uint32_t *slots;               /* open addressing: index of a chunk plus 1 */
	size_t slot_count;             /* a power of two */
};

/* Of the protected regions in an index; the record is written anew each time. null: no memory. */
struct chain_table *chain_table_new(const struct format_index *index, const struct store_identity *identity, uint32_t group, uint64_t capture);
void chain_table_free(struct chain_table *table);

struct chain {
	uint32_t full_every;           /* 0 and 1: each checkpoint holds all its chunks */
	struct chain_table *table;     /* of the checkpoint that was committed, or restored, last; null: none may be referred to */
	struct chain_table *candidate; /* of the attempt whose outcome is not known */
	uint64_t expected;             /* what the last image has taken on the disk; the next will be like it */
	uint32_t length;               /* checkpoints committed since the last that holds all its chunks */
	uint64_t chain_bytes;          /* of the files of that one and those since, over all ranks */
	uint64_t whole_bytes;          /* what one that held all its chunks would take */
	uint32_t idle;                 /* increments in a row that saved next to nothing */
	uint32_t wait;                 /* so many checkpoints are to hold all their chunks until one is tried again */
	struct store_parent known[STORE_PARENTS_MAX]; /* that one and those since, ascending */
	uint32_t known_count;
};

void chain_close(struct chain *chain);
/* Takes over the table; null: there was no memory for it. */
void chain_restored(struct chain *chain, const struct store_checkpoint *restored, struct chain_table *table);
/* Before an image is written: whether it may refer to chain->table. Parents whose files somebody has removed are forgotten. */
bool chain_begin(struct chain *chain, const char *folder, const struct store_identity *identity);
/* A chunk with this content that an image with this number may refer to, or null. */
const struct format_chunk *chain_find(const struct chain_table *table, uint64_t number, uint64_t length, const uint64_t hash[2]);
/* The chunk at a place of a region, or null: as above, without a look at the content. */
const struct format_chunk *chain_at(const struct chain_table *table, uint64_t number, const char *region, uint64_t logical, uint64_t length);
/* An image that is durable; null: no memory for its table. */
void chain_candidate(struct chain *chain, struct chain_table *table);
/* It was given up. */
void chain_drop(struct chain *chain);
void chain_settle(struct chain *chain, const struct store_outcome *outcome, uint32_t life);
/* Names the parents of a checkpoint that is to be committed. false: one of them is not known, or not there. */
bool chain_name_parents(const struct chain *chain, const char *folder, uint64_t parents, struct store_checkpoint *checkpoint);

#endif
