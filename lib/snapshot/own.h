/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the room: the protocol's state, and what its files do for each other.
 *   snapshot.c  the entry, and what follows when nothing else does: barrier, closing, verdict
 *   start.c     rank 0: requests become attempts, voids are tried again
 *   wave.c      announcement, readiness, order, outcome along the trees
 *   cut.c       when this rank cuts, and its markers
 *   places.c    what is told, found and drained: early, late, new
 *   progress.c  how far it is, for people */
#ifndef SNAPSHOT_OWN_H
#define SNAPSHOT_OWN_H

#include "snapshot/channels.h"
#include "snapshot/snapshot.h"
#include "snapshot/window.h"

/* A stream in a marker whose communicator is not known here yet. */
struct stranger {
	int32_t from;
	struct wire_stream stream;
};

/* A message that waits for its channel's marker. */
struct unsure {
	struct snapshot_taking taking;
	int64_t next;           /* of the same channel; -1: none */
};

/* A message of an epoch that cannot begin before this rank has noticed the end of the one before. */
struct stashed {
	enum snapshot_event_kind kind;
	int32_t peer;
	void *data;
	size_t size;
};

struct snapshot {
	struct snapshot_config config;
	enum snapshot_phase phase;
	struct snapshot_attempt attempt;
	enum reason reason;            /* this rank's own reason to be void */
	char text[WIRE_TEXT_BYTES];

	/* the scene of the event at hand */
	int64_t now_ns;
	bool open;
	uint32_t synchronous_pending;
	uint32_t collectives_pending;
	const char *epoch_open;
	uint64_t epochs_over;
	uint64_t epoch_unsettled;
	uint32_t threads_inside;
	size_t undecided;
	bool writer_busy;
	bool moment;                   /* SNAPSHOT_MOMENT: nothing is half told */
	struct snapshot_actions *out;

	/* the program */
	enum snapshot_kind kind;
	int64_t last_step;
	int64_t last_safepoint_ns;
	uint64_t world_here;           /* collectives begun on the world, at the last safepoint */
	uint64_t world_before;         /* ... and at the last one that had fewer */
	int64_t longest_gap_ns;
	bool here;                     /* inside seamark_checkpoint */
	int64_t here_step;
	bool here_done;                /* its cut is made */
	bool finalizing;
	bool stopping;
	int64_t next_reset_ns;         /* no empty snapshot is asked for before */
	bool heavy;                    /* the ledger is past its bound */
	int resets;                    /* asked for since the ledger was within its bound */
	bool asked;                    /* this rank asked for a snapshot and has seen no outcome since */

	/* alert */
	bool announced;
	struct wire_announce announce;
	struct wire_ready ready;       /* gathered from this part of the tree */
	int32_t ready_missing;         /* children that have not answered */
	int32_t ready_ranks;           /* those that have, and the ranks below them */
	bool ready_sent;
	uint64_t ready_epochs;         /* epochs_over when it was: no cut comes before the last READY, so these are before all cuts */
	int64_t step_at_announce;
	bool ordered;
	int64_t ordered_ns;
	int64_t obstructed_ns;         /* since when a cut that is due is put off; 0: it is not */
	int64_t order_step;            /* -1: none */
	int64_t order_world;           /* -1: none */
	bool order_mixed;
	bool order_passed_on;
	bool head_seen;
	int64_t overshoot;
	uint32_t drill_delay;          /* moments until this rank's cut in a drill */

	/* window */
	struct channels channels;
	struct window window;
	struct ledger_table sent;      /* outgoing totals and synchronous completions at the cut */
	int32_t markers_missing;
	struct stranger *strangers;
	size_t stranger_count;
	size_t stranger_room;
	struct unsure *unsure;         /* of this snapshot, placed or not */
	size_t unsure_count;
	size_t unsure_room;
	size_t unsure_left;            /* not placed yet */
	bool markers_sent;
	bool barrier_entered;
	int64_t barrier_ns;
	bool finishing;                /* SNAPSHOT_FINISH_IMAGE was ordered */
	bool image_done;
	bool image_abandoned;
	uint64_t world_at_cut;
	struct verdict share;          /* this rank's */
	bool moved;                    /* the verdict said that every channel was closed */

	/* outcome */
	bool awaiting;
	struct wire_outcome early;     /* an outcome that came before this rank had noticed the verdict */
	struct wire_outcome told;      /* rank 0: the last one, for the next announcement */
	struct snapshot_outcome outcome;
	struct stashed *stash;
	size_t stash_count;
	size_t stash_room;

	/* rank 0 */
	uint8_t run[16];
	uint32_t life;                 /* 0: not known yet, nothing may begin */
	uint64_t next_number;
	bool under_way;
	uint8_t begun;                 /* ... and what for: this rank may not have joined it yet */
	bool ending;                   /* nothing is begun any more */
	uint8_t wanted;
	int32_t wanted_by;
	int64_t not_before_ns;
	int64_t clock_ns;              /* when the clock interval began; 0: not yet */
	int64_t last_multiple;
	int64_t lead;
	bool guided;                   /* the next order names a count of the world's collectives, */
	int64_t world_lead;            /* so many beyond the highest */
	uint32_t attempts;
	uint32_t same_reason;
	enum reason last_reason;
};

/* --- snapshot.c --- */
struct snapshot_action *snapshot_act(struct snapshot *snapshot, enum snapshot_action_kind kind);
/* This rank has a reason why the snapshot cannot be right. The first is kept. */
void snapshot_doom(struct snapshot *snapshot, enum reason reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Begins to take part in an attempt. */
void snapshot_join(struct snapshot *snapshot, uint64_t epoch, uint64_t number, uint64_t nonce, uint8_t want);
/* Keeps a message of a later epoch. */
void snapshot_stash(struct snapshot *snapshot, enum snapshot_event_kind kind, int32_t peer, const void *data, size_t size);
/* The attempt's outcome is known on this rank. */
void snapshot_end(struct snapshot *snapshot, bool committed, enum reason reason, const char *text);
static inline bool snapshot_is_drill(const struct snapshot *snapshot)
{
	return snapshot->attempt.want & WANT_DRILL;
}
/* The time a rank may go without a safepoint, or a closing without progress. */
int64_t snapshot_time_allowed(const struct snapshot *snapshot);

/* --- start.c --- */
void start_request(struct snapshot *snapshot, uint8_t want, int32_t by);
void start_reset_if_due(struct snapshot *snapshot);
/* rank 0: begins an attempt if one is due. */
void start_if_due(struct snapshot *snapshot);
/* rank 0: what the outcome means for what was wanted. */
void start_learn(struct snapshot *snapshot, struct snapshot_outcome *outcome);

/* --- wave.c --- */
void wave_order(struct snapshot *snapshot, int32_t from, const void *data, size_t size);
void wave_announce(struct snapshot *snapshot, const struct wire_announce *announce);
/* Sends READY up, or at the root the order down, when everybody below has answered. */
void wave_go_on(struct snapshot *snapshot);
void wave_hasten(struct snapshot *snapshot);
void wave_outcome(struct snapshot *snapshot, const struct wire_outcome *outcome);
void wave_send(struct snapshot *snapshot, int32_t to, struct bytes_out *data);

/* --- cut.c --- */
/* An order stands, from the tree or from a marker. */
/* A safepoint: where the world's count stands. */
void cut_note_safepoint(struct snapshot *snapshot);
void cut_order(struct snapshot *snapshot, int64_t step, int64_t world, bool mixed);
/* Cuts if this is the moment. at_safepoint: inside SNAPSHOT_SAFEPOINT. */
void cut_consider(struct snapshot *snapshot, bool at_safepoint);
/* After the capture: the rest of the one act. */
void cut_finish(struct snapshot *snapshot);

/* --- places.c --- */
void places_head(struct snapshot *snapshot, int32_t from, const void *data, size_t size);
void places_counts(struct snapshot *snapshot, int32_t from, const void *data, size_t size);
/* At the cut: notes what was seen, and counts what is owed. */
void places_cut(struct snapshot *snapshot);
/* This rank's marker to itself. */
void places_own_marker(struct snapshot *snapshot);
/* After the barrier: a marker that is not here says zero. */
void places_absent(struct snapshot *snapshot);
bool places_closed(const struct snapshot *snapshot);
void places_describe_open(const struct snapshot *snapshot, char *text, size_t room);

#endif
