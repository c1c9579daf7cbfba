/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking: a status block in memory that others may read (a memfd: it has no name in any folder, and is gone with the process). What a rank blocks in stands
 * there, so that `seamark snapshot --look` sees it without the rank's help, a hung rank's first of all. docs/looking.md says what is in it and how it is
 * read. Calls that block inside MPI are noted by plain stores before and after, waiting loops of our own once they have waited for a while. Pure: numbers
 * and addresses, whose meaning is the session's. */
#ifndef LOOK_LOOK_H
#define LOOK_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/likely.h"

#define LOOK_MAGIC "seamlook"
/* What the descriptor of the block is called: this, then the run's identity in hex, a dash and the rank. */
#define LOOK_NAME "seamark-look-"
enum { LOOK_VERSION = 1, LOOK_SLOTS = 24, LOOK_AWAITED = 16, LOOK_RANKS = 448, LOOK_PAGE = 4096, LOOK_FOLDER = 1024 };

enum look_call {
#define LOOK_CALL(identifier, name) LOOK_##identifier,
#include "look/calls.h"
#undef LOOK_CALL
	LOOK_CALLS
};
const char *look_call_name(unsigned call);

/* What one of the things that a call waits for is. */
enum look_kind {
	LOOK_UNKNOWN,     /* an ordinary send's request, or one that is not MPI's: nobody keeps its peer */
	LOOK_RECEIVE,     /* a posted receive; `key` its stream or pattern, `number` its place in the stream, or in the rank's receives if it is a pattern */
	LOOK_PROBE,       /* a message that fits; likewise, without a number */
	LOOK_SYNCHRONOUS, /* a synchronous send's being matched */
	LOOK_STANDARD,    /* a persistent send */
	LOOK_COLLECTIVE,  /* a non-blocking collective: the number-th on the communicator of `key`; `call` which */
	LOOK_ARRIVING,    /* it is here, or on its way */
	LOOK_FILE,        /* a request of a file */
	LOOK_SENDING      /* the last send of the stream `key`: one that is a part of a blocking call */
};
enum { LOOK_ANY_SOURCE = 1, LOOK_ANY_TAG = 2 };

/* One of the things one of which is awaited. */
struct look_awaited {
	uint64_t key;
	int64_t number;
	uint8_t kind;     /* enum look_kind */
	uint8_t flags;
	uint16_t call;
	uint32_t unused;
};

/* Ways to send that block, as places in look_slot.sending. */
enum look_send { LOOK_AS_Send, LOOK_AS_Bsend, LOOK_AS_Rsend, LOOK_AS_Ssend, LOOK_SENDS };

/* Where one thread is. */
struct look_slot {
	uint64_t sending[LOOK_SENDS]; /* the key of a blocking send's stream, while it is inside MPI */
	uint64_t inside;              /* look_inside, of a call that blocks inside MPI; 0: none */
	/* A waiting loop. `turn` is odd while this is written, and another each time. */
	uint32_t turn;
	uint16_t call;                /* enum look_call; LOOK_Nothing: none */
	uint16_t count;               /* of `awaited` */
	uint32_t more;                /* awaited, for which there was no room */
	uint32_t base;                /* look_block.base when it was noted: its numbers are those of that base */
	uint64_t beats;               /* turns of the loop since it was noted: what was awaited was asked about so often, in vain */
	int64_t since_ns;             /* CLOCK_REALTIME when it was first noted: no two waits of a thread have the same */
	struct look_awaited awaited[LOOK_AWAITED];
};

/* Where the rank's tables lie in its memory, for whoever may read that. */
struct look_tables {
	uint64_t layout;              /* a hash of their making: a command of another version cannot read them */
	uint64_t ledger, sequence;    /* struct ledger, struct sequence */
	uint64_t names;               /* a pointer to an array, by the ledger's index of communicators, ... */
	uint64_t names_room;          /* ... the address of its size_t of items, ... */
	uint32_t name_stride, name_offset, label_offset; /* ... with a text at one offset, and a pointer to one at the other */
	uint32_t name_bytes;
};

/* A rank of the run and its process. */
struct look_rank {
	int32_t rank, pid;
};

struct look_block {
	char magic[8];
	uint32_t version;
	uint32_t bytes;               /* of the block */
	uint64_t identity;            /* of the run: the same on all ranks */
	int32_t pid;                  /* as the process sees it */
	int32_t rank, ranks;
	int32_t here;                 /* how many ranks of the run are on this node */
	int32_t threads;              /* 1: MPI_THREAD_MULTIPLE */
	int32_t several;              /* a second thread was seen in MPI */
	int64_t begun_ns;             /* CLOCK_REALTIME, in MPI_Init */
	char node[64];
	char job[64];                 /* Slurm's, "1234.0", or empty */
	char mpi[64];
	char folder[LOOK_FOLDER];     /* of the checkpoints, from the root on */
	struct look_tables tables;
	int64_t step;                 /* of the last safepoint; -1: it had none, -2: there was no safepoint yet */
	uint64_t safepoints;
	uint64_t base;                /* twice how often the base of the counts has moved; odd: it moves, and the tables are of no use */
	uint64_t unnoted;             /* calls for which there was no slot */
	/* The ranks on this node, as far as there is room, if all of them are told (here_told == here); 0: one whose number this process cannot know. */
	int32_t here_told;
	int32_t first_only;           /* 1: no thread of the process but the first may be in MPI */
	struct look_rank here_ranks[LOOK_RANKS];
	_Alignas(64) struct look_slot slots[LOOK_SLOTS];
};

enum { LOOK_BYTES = (sizeof(struct look_block) + LOOK_PAGE - 1) / LOOK_PAGE * LOOK_PAGE };

/* On pages of its own: in MPI_Init a mapping that others may open takes their place. */
union look_pages {
	struct look_block block;
	char pages[LOOK_BYTES];
};
extern union look_pages look_pages inside_library;
#define look_here look_pages.block

/* Which call, on which communicator (the ledger's index, or -1), with which root (or -1). */
static inline uint64_t look_inside(enum look_call call, int comm, int root)
{
	return (uint64_t)call << 48 | (uint64_t)(uint16_t)(comm + 1) << 32 | (uint32_t)root;
}

static inline unsigned look_inside_call(uint64_t inside)
{
	return (unsigned)(inside >> 48);
}

static inline int look_inside_comm(uint64_t inside)
{
	return (int)(uint16_t)(inside >> 32) - 1;
}

static inline int look_inside_root(uint64_t inside)
{
	return (int)(int32_t)(uint32_t)inside;
}

/* Around what moves the base. */
void look_base_moves(void);
void look_base_moved(void);

static inline void look_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* The only thread's, or the first's: of a process in which one thread calls MPI. */
static inline void look_sending(enum look_send as, uint64_t key)
{
	look_store(&look_here.slots[0].sending[as], key);
}

struct look_config {
	uint64_t identity;
	int rank, ranks, here;
	const struct look_rank *here_ranks; /* here of them; null: not known */
	bool threads;
	const char *mpi, *folder;
	struct look_tables tables;
};
/* false: others cannot see the block, and `why` says why; it is written all the same. */
bool look_open(const struct look_config *config, char *why, size_t room);
void look_close(void);

/* A waiting loop is noted in a slot: begin, then each thing that it waits for, then end. */
void look_wait_begin(struct look_slot *slot, enum look_call call);
/* ... of the same wait, whose numbers are others: the base has moved. */
void look_wait_again(struct look_slot *slot);
void look_wait_for(struct look_slot *slot, enum look_kind kind, uint64_t key, uint8_t flags, int64_t number, enum look_call call);
void look_wait_noted(struct look_slot *slot);
void look_wait_over(struct look_slot *slot);
/* A slot in which nothing is noted, not the first; null: none. For processes in which several threads call MPI, in their lock. */
struct look_slot *look_free_slot(void);

#endif
