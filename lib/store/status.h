/* SPDX-License-Identifier: BSD-3-Clause */
/* The file `status` (docs/format.md, 8): how the run is doing, for people who look from outside; and what they ask for by the file `request`. Rank 0's program tells its
 * writer's thread by a few stores in memory, and that writes the file, once a second at most. Nothing depends on it. */
#ifndef STORE_STATUS_H
#define STORE_STATUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct store;

enum status_phase {
	STATUS_IDLE,         /* no snapshot is under way */
	STATUS_ANNOUNCED,    /* ranks are asked how far they are */
	STATUS_ORDERED,      /* ... and told where to cut */
	STATUS_CUTTING,      /* rank 0 takes its state */
	STATUS_WINDOW,       /* ... has cut, and not every channel is closed */
	STATUS_WRITING,      /* they are; rank 0's image is being written */
	STATUS_VERDICT,      /* ... and durable, or its snapshot void: that of the others is awaited */
	STATUS_COMMITTING,
	STATUS_PHASES
};

enum status_answer {
	STATUS_NOBODY,       /* no request */
	STATUS_TAKEN,        /* from the folder */
	STATUS_ASKED,        /* the protocol; an attempt from `number` on answers it */
	STATUS_COMMITTED,    /* by checkpoint `number` */
	STATUS_VOID,         /* attempt `number` (0: none was made) was the last */
	STATUS_LEAVING,      /* to leave, of a program that leaves already */
	STATUS_ANSWERS
};

enum { STATUS_REQUESTS = 8, STATUS_LATE = 8, STATUS_TEXT = 168 };

struct status_request {
	uint64_t token;      /* who asked */
	bool stop;           /* to leave with that checkpoint */
	enum status_answer answer;
	uint64_t number;
	int64_t step;
	const char *reason;  /* a text that stays; null: none */
	char detail[STATUS_TEXT];
};

/* What rank 0's program tells. Times are of CLOCK_MONOTONIC, 0: never; numbers of checkpoints 0: none. */
struct status_now {
	uint64_t from;            /* the checkpoint that this life goes on from */
	int64_t from_step;
	bool stopping;            /* the program was asked to leave, and that checkpoint is committed */
	char unable[STATUS_TEXT]; /* why every snapshot is void; empty: it is not so */
	int64_t every_ns, every_steps;
	int64_t due_ns, due_step; /* of the next; 0: not known */
	uint64_t commits, voids;  /* of this life */

	struct {
		uint64_t number;
		enum status_phase phase;
		bool stop;
		bool is_void;         /* as far as rank 0 knows */
		int64_t since_ns;     /* announced */
		int64_t order_step;   /* or -1 */
		uint32_t answered;    /* ranks that have said how far they are */
		uint32_t cut;         /* ranks that are known to have cut */
		uint32_t late_count;  /* of those not known to have cut, the first few */
		uint32_t late[STATUS_LATE];
		uint64_t recorded_bytes; /* in flight to rank 0, so far */
	} snapshot;
	struct {
		uint64_t number;
		int64_t step;
		int64_t asked_ns, ended_ns, held_ns;
		uint64_t messages, message_bytes, bytes, referred;
		uint32_t attempts;
	} committed;
	struct {
		uint64_t number;
		int64_t ended_ns;
		const char *reason;
		char detail[STATUS_TEXT];
		bool again;
	} gone;                   /* the last that was void */
	struct status_request requests[STATUS_REQUESTS]; /* oldest first */
};

/* --- rank 0's program ------------------------------------------------------------------------------------------------ */

/* Stores, and no more. The file is kept from the first call on. */
void status_tell(struct store *store, const struct status_now *now);
/* At a safepoint. */
void status_step(struct store *store, int64_t step);
/* Whether somebody has asked for a checkpoint: a load. */
bool status_is_asked(struct store *store);
/* Who it was; of several the first. false: nobody. */
bool status_take_request(struct store *store, uint64_t *token, bool *stop);

/* --- the writer's thread --------------------------------------------------------------------------------------------- */

enum { STATUS_WORDS = (sizeof(struct status_now) + 7) / 8, STATUS_SAMPLES = 16, STATUS_HANDED = 4 };

struct status {
	/* between the two */
	_Atomic uint64_t words[STATUS_WORDS]; /* a struct status_now */
	atomic_uint turn;          /* odd while it is being stored; 0: nothing has been told */
	_Atomic int64_t step;
	_Atomic uint64_t safepoints;
	_Atomic uint64_t handed[STATUS_HANDED]; /* tokens ... */
	atomic_bool handed_stop[STATUS_HANDED];
	atomic_uint handed_count, handed_taken;

	/* the thread's alone */
	unsigned written_turn, written_handed;
	uint64_t written_safepoints, written_done;
	int64_t begun_ns, written_ns;
	struct status_sample { int64_t ns, step; uint64_t safepoints; } samples[STATUS_SAMPLES];
	unsigned sample_count;
	uint64_t image_done, image_of; /* bytes of the image that is being written */
	const char *how;           /* the program has ended; null: not yet */
	unsigned torn_looks;       /* at a request that is not whole */
};

/* Takes a request from the folder, if there is one. */
void status_look_for_request(struct store *store);
/* Writes the file if there is something new, or if it was written long ago. */
void status_look(struct store *store, int64_t now_ns);
/* At the thread's end: for the last time. */
void status_end(struct store *store);
/* At the begin of a life: what one that was killed had taken of a request. */
void status_remove_leavings(struct store *store);

/* --- the text -------------------------------------------------------------------------------------------------------- */

struct run_file;

struct status_facts {
	const struct status_now *now;
	uint8_t run[16];
	uint32_t life;
	const char *host;
	int64_t process;
	uint32_t ranks;
	int64_t step;
	uint64_t safepoints;
	double steps_per_s, safepoints_per_s;
	int64_t begun_ns;
	int64_t space;             /* left for this user where the folder lies; -1: not known */
	uint64_t image_done, image_of;
	const char *how;           /* null: it runs */
	int64_t now_ns, realtime_ns; /* the same moment by the two clocks */
};

enum { STATUS_SIZE_MOST = 64 << 10, STATUS_AGAIN_S = 30 };
/* The length; 0: it does not fit. */
size_t status_text(const struct status_facts *facts, char *text, size_t room);
extern const char *const status_phases[STATUS_PHASES], *const status_answers[STATUS_ANSWERS];

/* --- the request ------------------------------------------------------------------------------------------------------ */

enum { REQUEST_SIZE_MOST = 1024 };
struct request_file {
	uint64_t token;
	uint32_t life;             /* that is asked; 0: any */
	bool stop;
};
/* A whole file's text, of at most REQUEST_SIZE_MOST bytes with its NUL. */
void request_text(const struct request_file *request, char text[REQUEST_SIZE_MOST]);
/* 0; SEAMARK_E_DAMAGED: it is none; SEAMARK_E_VERSION: of a newer Seamark. */
int request_read(const char *path, struct request_file *request, struct fault *fault);

#define STATUS_NAME "status"
#define REQUEST_NAME "request"

#endif
