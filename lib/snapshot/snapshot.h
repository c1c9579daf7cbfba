/* SPDX-License-Identifier: BSD-3-Clause */
/* The protocol: Chandy and Lamport's snapshot (ACM TOCS 1985) with Mattern's counts in the markers (docs/design.md).
 *
 * One entry: an event in, a list of actions out, to be carried out in order, before anything else of the application happens. Time comes in with
 * the event. Pure: no MPI, no files, no clock, no threads; the same object code runs under mpirun and in tests/sim.
 *
 * Beside the entry stand the questions that the telling of a message asks: what is its place in the cut. */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "snapshot/ledger.h"
#include "snapshot/reason.h"
#include "snapshot/verdict.h"
#include "snapshot/wire.h"

struct snapshot;

struct snapshot_config {
	int32_t rank;
	int32_t ranks;
	bool markers_all;        /* a marker down every channel, or only down those with traffic since the base */
	int64_t timeout_ns;      /* SEAMARK_TIMEOUT */
	int64_t every_steps;     /* rank 0: 0 for none */
	int64_t every_ns;        /* rank 0: 0 for none */
	uint64_t seed;           /* rank 0: of the attempts' nonces */
	struct ledger *ledger;
	int world;               /* index of MPI_COMM_WORLD in the ledger */
	size_t ledger_bound;     /* weight beyond which rank asks for an empty snapshot */
	/* Of drills. How many of a stream's messages that were told before this rank's cut have a position above `limit`: asked from the cut on, within
	 * that step first. */
	int64_t drill_timeout_ns;
	uint64_t drill_seed;     /* rank 0 */
	int64_t (*told_beyond)(void *context, uint64_t key, int64_t limit);
	void *context;
};

/* null: no memory. */
struct snapshot *snapshot_new(const struct snapshot_config *config);
void snapshot_free(struct snapshot *snapshot);

/* rank 0, before its first attempt: the run and life that images belong to, and the next checkpoint's number. Nothing is begun before. */
void snapshot_set_life(struct snapshot *snapshot, const uint8_t run[16], uint32_t life, uint64_t next_number);

/* rank 0: from now on a checkpoint by the clock every so often; the interval that runs began at from_ns (0: with the last such, or the first safepoint). */
void snapshot_set_clock(struct snapshot *snapshot, int64_t every_ns, int64_t from_ns);

/* rank 0, in MPI_Finalize, when it is quiet and before it lets the others go: it begins nothing any more, whoever asks. */
void snapshot_begin_no_more(struct snapshot *snapshot);

/* --- events ---------------------------------------------------------------------------------------------------------- */

enum snapshot_event_kind {
	SNAPSHOT_MOMENT,       /* somewhere in an MPI call, or time has passed */
	SNAPSHOT_SAFEPOINT,    /* `step`, or -1 */
	SNAPSHOT_REQUEST,      /* `want`, on this rank */
	SNAPSHOT_ORDER,        /* from `peer`: `data` */
	SNAPSHOT_HEAD,         /* from `peer`: a marker's head in `data` */
	SNAPSHOT_COUNTS,       /* from `peer`: that marker's counts */
	SNAPSHOT_CAPTURED,     /* the state is captured, or `failed`, with `text` */
	SNAPSHOT_CUT_MADE,     /* the program goes on: `held_ns` */
	SNAPSHOT_MARKERS_SENT, /* all of them have completed */
	SNAPSHOT_BARRIER,      /* it is complete, and every marker that was matched was given in */
	SNAPSHOT_IMAGE,        /* durable (`bytes`, `referred_bytes`, `parents`, `table_hash`, `message_bytes`), or `failed`, with `text` */
	SNAPSHOT_VERDICT,      /* `verdict` */
	SNAPSHOT_PUBLISHED,    /* rank 0: the manifest is in place, or `failed`, with `text` */
	SNAPSHOT_DOOM,         /* the snapshot cannot be right: `reason`, `text` */
	SNAPSHOT_FINALIZE,     /* MPI_Finalize was entered */
	SNAPSHOT_ENTER,        /* seamark_checkpoint(`step` or -1) was entered: cut here */
	SNAPSHOT_LEAVE         /* ... and left */
};

struct snapshot_event {
	enum snapshot_event_kind kind;
	/* The scene: told with every event. */
	int64_t now_ns;
	bool open;                     /* an event program's safepoint is open */
	uint32_t synchronous_pending;
	uint32_t collectives_pending;
	uint32_t threads_inside;       /* other threads, in blocking sends and collectives */
	const char *epoch_open;        /* a one-sided epoch in which no cut may be, in words; null: none */
	uint64_t epochs_over;          /* number of the last one that its target knows nothing of */
	uint64_t epoch_unsettled;      /* number of the last of those that no collective came after; 0: none */
	size_t undecided;              /* takings put aside */
	bool writer_busy;              /* no state can be captured now: the last image is still read from the capture's memory */
	/* What the kind needs. */
	int32_t peer;
	const void *data;
	size_t size;
	int64_t step;
	uint8_t want;
	bool failed;
	enum reason reason;
	const char *text;
	int64_t held_ns;
	uint64_t bytes;
	uint64_t referred_bytes;
	uint64_t parents;
	uint64_t table_hash;
	uint64_t message_bytes;        /* recorded on this rank */
	const struct verdict *verdict;
};

enum snapshot_action_kind {
	SNAPSHOT_SEND_ORDER,    /* `data` to `peer` */
	SNAPSHOT_CAPTURE,       /* take the state now; answer SNAPSHOT_CAPTURED at once, before anything else */
	SNAPSHOT_CUT,           /* this rank's cut is here: mark what was put aside; record mailbox and deliveries (snapshot_taken) */
	SNAPSHOT_SEND_MARKER,   /* head in `data`, counts in `counts`, to `peer`; after the last one of a cut, answer SNAPSHOT_CUT_MADE */
	SNAPSHOT_ENTER_BARRIER,
	SNAPSHOT_FINISH_IMAGE,  /* channels are closed: write ledger and record; in a drill, check them. Answer SNAPSHOT_IMAGE */
	SNAPSHOT_ABANDON_IMAGE, /* void: the image, and all copies of messages, are not needed */
	SNAPSHOT_ENTER_VERDICT, /* `verdict` */
	SNAPSHOT_KEEP,          /* the message with `token` belongs to the record */
	SNAPSHOT_DROP,          /* it does not */
	SNAPSHOT_REBASE,        /* positions move by snapshot_moved(); then call snapshot_rebased() */
	SNAPSHOT_PUBLISH,       /* rank 0: write the manifest from `verdict` and snapshot_attempt() */
	SNAPSHOT_ENDED          /* the outcome is known on this rank: snapshot_outcome() */
};

struct snapshot_action {
	enum snapshot_action_kind kind;
	int32_t peer;
	uint64_t token;
	struct bytes_out data;    /* owned by the list */
	struct bytes_out counts;  /* owned by the list */
	const struct verdict *verdict; /* the protocol's own: until its next step */
};

struct snapshot_actions {
	struct snapshot_action *list;
	size_t count;
	size_t room;
	bool failed;              /* no memory for an action: the protocol of this process cannot go on */
};
void snapshot_actions_clear(struct snapshot_actions *actions);
void snapshot_actions_free(struct snapshot_actions *actions);

/* Takes an event; actions are added to the list. */
void snapshot_step(struct snapshot *snapshot, const struct snapshot_event *event, struct snapshot_actions *actions);

/* --- where it stands --------------------------------------------------------------------------------------------------- */

enum snapshot_phase {
	SNAPSHOT_IDLE,
	SNAPSHOT_ALERT,    /* announced; this rank's cut is to come */
	SNAPSHOT_CUTTING,  /* between SNAPSHOT_CAPTURE and its answer */
	SNAPSHOT_WINDOW,   /* cut; channels open, markers under way */
	SNAPSHOT_VERDICT_PHASE /* in the reduction */
};
enum snapshot_phase snapshot_phase(const struct snapshot *snapshot);

/* What a rank is: known from its safepoints. */
enum snapshot_kind { SNAPSHOT_KIND_NONE = 0, SNAPSHOT_KIND_STEP = 1, SNAPSHOT_KIND_EVENT = 2 };

/* The attempt under way, or the last one. */
struct snapshot_attempt {
	uint64_t epoch;
	uint64_t number;
	uint64_t nonce;
	uint8_t want;
	uint8_t run[16];
	uint32_t life;
	int64_t cut_step;        /* this rank's cut: its step, or -1 */
	int64_t announced_ns;
	int64_t cut_ns;
	bool is_void;            /* known on this rank */
	bool barrier_done;
};
void snapshot_attempt(const struct snapshot *snapshot, struct snapshot_attempt *attempt);

/* This rank's own reason why it is void; REASON_NONE: it has none. */
enum reason snapshot_reason(const struct snapshot *snapshot);
/* ... and what there is to say of it. */
const char *snapshot_reason_detail(const struct snapshot *snapshot);

/* This rank's last safepoint: its step, or -1, and when. false: there was none. */
bool snapshot_last_safepoint(const struct snapshot *snapshot, int64_t *step, int64_t *ns);

/* The last snapshot that ended on this rank. */
struct snapshot_outcome {
	uint64_t epoch;          /* 0: none yet */
	uint64_t number;
	uint8_t want;
	bool committed;
	enum reason reason;      /* when not */
	int32_t reason_rank;
	char text[WIRE_TEXT_BYTES];
	struct verdict verdict;
	int64_t announced_ns;
	int64_t ended_ns;
	bool again;              /* rank 0: it will be tried again ... */
	int64_t again_ns;        /* ... after this time */
	bool resigned;           /* rank 0: it will not, having failed for the same reason again and again */
	uint32_t attempts;       /* rank 0: made for this request so far */
};
const struct snapshot_outcome *snapshot_outcome(const struct snapshot *snapshot);
/* A good verdict whose commit is not known yet here. */
bool snapshot_awaits_outcome(const struct snapshot *snapshot);
/* Nothing is under way, nor, on rank 0, begun or due. */
bool snapshot_is_quiet(const struct snapshot *snapshot);
/* rank 0, as the initiator of the last attempt: every rank's answer came from within MPI_Finalize. */
bool snapshot_all_finalizing(const struct snapshot *snapshot);
/* A request, made here or (on rank 0) anywhere, has not found its end. */
bool snapshot_is_wanted(const struct snapshot *snapshot);
/* What all ranks may want at once, one request to rank 0 is enough for: for how long this rank leaves it to the others. A microsecond for each rank of the
 * world, in an order that is drawn; rank 0 goes first. */
int64_t snapshot_turn_ns(const struct snapshot *snapshot);
/* This rank's program has been asked to stop, and that checkpoint is committed. */
bool snapshot_stopping(const struct snapshot *snapshot);
/* ... or under way. */
bool snapshot_stop_known(const struct snapshot *snapshot);

/* How far the snapshot under way is, as far as this rank knows. Nothing but for people. */
enum { SNAPSHOT_LATE = 8 };
struct snapshot_progress {
	int32_t answered;        /* ranks that have said how far they are; of the initiator */
	bool ordered;
	int64_t order_step;      /* or -1 */
	int32_t cut;             /* ranks that are known to have cut */
	int32_t late_count;      /* of the others the first few */
	int32_t late[SNAPSHOT_LATE];
};
void snapshot_progress(const struct snapshot *snapshot, struct snapshot_progress *progress);

/* rank 0: when the next checkpoint is due that nobody asks for; 0: none by that, or not known. */
struct snapshot_due {
	int64_t every_ns, every_steps;
	int64_t due_ns, due_step;
};
void snapshot_due(const struct snapshot *snapshot, struct snapshot_due *due);

/* rank 0, directly after a request of its own: the number of the first attempt whose outcome answers it: of the one under way, which it joined, or of the next. 0: none is
 * begun for it, as to leave has been asked for and is granted. */
uint64_t snapshot_answering(const struct snapshot *snapshot);

/* --- the place of a message in the cut --------------------------------------------------------------------------------- */

enum snapshot_place {
	SNAPSHOT_PLACE_NONE,   /* no snapshot here */
	SNAPSHOT_PLACE_EARLY,  /* before this rank's cut */
	SNAPSHOT_PLACE_LATE,   /* in flight: copy, then snapshot_taken */
	SNAPSHOT_PLACE_NEW,    /* from after its sender's cut */
	SNAPSHOT_PLACE_UNSURE  /* the marker is not here: copy, then snapshot_taken, which keeps or drops it later */
};
/* Where a message of this stream with this (final) position stands. */
enum snapshot_place snapshot_place(const struct snapshot *snapshot, uint64_t key, int64_t position);

struct snapshot_taking {
	uint64_t key;
	int64_t position;      /* final */
	uint64_t token;        /* of the copy; 0: none */
	bool before_cut;       /* the application was told before this rank's cut */
	bool posted_after;     /* the receive that took it was posted after this rank's cut */
	bool from_mailbox;     /* it lay there, or in a receive served from there, at the cut: late in any case */
	bool truncated;        /* it was longer than its receive: if it is late, it cannot be recorded */
};
/* A message has been told, found in a buffer, or drained, and its position is final. Before the cut: an orphan is noticed. In the window: SNAPSHOT_KEEP or
 * SNAPSHOT_DROP follow, now or when the marker is here. */
void snapshot_taken(struct snapshot *snapshot, const struct snapshot_taking *taking, int64_t now_ns,
		    struct snapshot_actions *actions);

/* The number of a stream's messages that are before its sender's cut; false: not known yet. */
bool snapshot_limit(const struct snapshot *snapshot, uint64_t key, int64_t *limit);
/* In the window: whether a rank is known to have made its cut. */
bool snapshot_has_cut(const struct snapshot *snapshot, int32_t rank);
/* Walks the streams that still owe late messages and may be drained. cursor starts at 0. false: no more. `all`: those with synchronous sends too. */
bool snapshot_next_owed(const struct snapshot *snapshot, size_t *cursor, bool all, uint64_t *key, int64_t *limit);
/* Whether this stream is one of those. */
bool snapshot_owes(const struct snapshot *snapshot, uint64_t key, bool all, int64_t *limit);
/* A communicator was given its name: marker entries that waited for it are placed. */
void snapshot_comm_named(struct snapshot *snapshot, int comm, int64_t now_ns, struct snapshot_actions *actions);
/* A communicator is being freed, in a window and after draining: what is still owed on it is abandoned. */
void snapshot_comm_freed(struct snapshot *snapshot, int comm);

/* --- the ledger at the cut ----------------------------------------------------------------------------------------------- */

/* By how much the base of a stream moves. */
int64_t snapshot_moved_incoming(const struct snapshot *snapshot, uint64_t key);
int64_t snapshot_moved_outgoing(const struct snapshot *snapshot, uint64_t key);
/* Moves the ledger itself, after positions and mail. */
void snapshot_rebased(struct snapshot *snapshot);

struct snapshot_outgoing { uint64_t key; int64_t sent; int64_t synchronous; };
struct snapshot_incoming { uint64_t key; int64_t limit; int64_t seen; int64_t recorded; int64_t highest; int64_t orphans; bool abandoned; };
/* Walk the streams at the cut; cursor starts at 0. */
bool snapshot_next_outgoing(const struct snapshot *snapshot, size_t *cursor, struct snapshot_outgoing *stream);
bool snapshot_next_incoming(const struct snapshot *snapshot, size_t *cursor, struct snapshot_incoming *stream);

#endif
