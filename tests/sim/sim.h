/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator: N ranks in one process, each with the protocol, ledger, positions and mailbox that the library has, on a simulated MPI. Everything that may
 * happen next is drawn from one seed, so that a seed and its options repeat a run exactly.
 *
 * Fault model. What may go wrong, and does:
 *   - Any event that can happen next may be the next one, and may be put off for as long as others can happen: a rank's next call, the arrival of a message,
 *     the completion of a matched receive, of a send, of a collective, of a marker, of a write. Ranks may be slow for a whole run.
 *   - Messages of one source on one communicator arrive in the order they were sent, and are matched by posting order, wildcards too (MPI 4.0, 3.5). Nothing
 *     else is ordered: communicators overtake each other and the orders; completion is in no order. By default no message of the application
 *     overtakes a marker's head that was sent before it on the same ordered pair (measured on real MPIs); with overtaking set, it does.
 *   - A synchronous send completes when it is matched, whoever matched it and however late its sender learns of it. Some standard sends do the same.
 *   - Ranks inside a blocking send or a blocking collective answer nobody.
 *   - Images and manifests come late, or fail.
 * What does not: messages are not lost, changed or doubled; ranks do not stop. A rank that stops is a restart, from any committed snapshot.
 *
 * The oracles know what the protocol does not: which message each receive got, what was in flight at the cut, and a vector clock per rank. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "channel/audit.h"
#include "channel/mailbox.h"
#include "channel/position.h"
#include "snapshot/snapshot.h"

enum {
	RANKS_MOST = 32,
	COMMS_MOST = 64,
	LANES = COMMS_MOST + 2,
	LANE_ORDERS = COMMS_MOST,
	LANE_MARKERS,
	WORLD_COMM = 0,
	OTHER_COMM = 1,
	ANY = -1
};

struct options {
	uint64_t seed;
	int ranks;             /* 0: drawn */
	int program;           /* -1: drawn */
	int overtaking;        /* percent of turns in which an application message may overtake a head */
	int unfair;            /* percent of runs in which some ranks are slow */
	int rendezvous;        /* percent of standard sends that complete only when matched */
	int fail;              /* percent of images and manifests that fail */
	int lives;             /* restarts after the first run, at most */
	int busy;              /* percent of runs with markers only where there was traffic */
	int empty;             /* percent of runs in which ledgers are small, and are reset by empty snapshots */
	int drill;             /* percent of runs with drills: cuts anywhere, between the snapshots */
	bool trace;            /* the last lines before a failure are printed */
	bool show;             /* all lines, as they come */
	bool quiet;
};

/* --- messages and requests ------------------------------------------------------------------------------------------- */

enum message_state {
	MESSAGE_FLYING,
	MESSAGE_VISIBLE,   /* at its receiver, matched by nobody */
	MESSAGE_MATCHED,   /* by a receive */
	MESSAGE_MAILED,    /* in the mailbox */
	MESSAGE_DELIVERED, /* from there, to a receive that is not told */
	MESSAGE_TOLD
};

struct payload { int64_t a, b; };

struct message {
	struct message *next;      /* in its lane, or among the visible ones */
	uint64_t order;            /* of sending, in the world */
	int source, target, comm, tag;
	enum message_state state;
	struct payload payload;
	struct request *sender;    /* that waits for its being matched */
	int64_t index;             /* its place in its stream, from 1; at or below 0: from a restart */
	uint64_t sent_after;       /* the sender's last cut when it was sent: an epoch */
	uint64_t told_after;       /* the receiver's when it was told */
	int32_t clock[RANKS_MOST]; /* the sender's */
	/* orders and markers */
	struct bytes_out data;
	uint8_t part;              /* of a marker: 0 a head, 1 counts, 2 both */
	bool is_started;           /* its receive has been posted: it is matched when it arrives */
	bool has_arrived;
};

enum request_kind { REQUEST_SEND, REQUEST_RECEIVE, REQUEST_DELIVERY, REQUEST_SYNCHRONOUS, REQUEST_COLLECTIVE };

struct request {
	enum request_kind kind;
	struct request *next;      /* posted, in order */
	bool done;                 /* complete in MPI; the application may not know */
	bool told;
	bool cancelled;
	int comm, source, tag;
	uint64_t handle;
	struct message *message;
	struct mail *mail;
	uint64_t key;
	uint64_t count;            /* of a collective */
	int32_t clock[RANKS_MOST]; /* of a receive: its rank's when it was posted; of a send: the matching receive's */
};

struct status {
	int source, tag;
	struct payload payload;
	bool cancelled;
};

/* --- ranks -------------------------------------------------------------------------------------------------------------- */

struct copy {
	struct message *message;   /* null: none any more */
	uint64_t turn;
	uint64_t key;
	int64_t position;
	bool kept;
};

struct app {
	int64_t step, steps, phase, round;
	uint64_t value;
	int64_t balance, remaining, sum, count;
	int64_t sent[RANKS_MOST], got[RANKS_MOST], expected[RANKS_MOST];
	int64_t flags[4];
	bool ended;
};

struct rank {
	struct world *world;
	int rank;
	ucontext_t context;
	void *stack;
	int weight;
	bool finalizing;
	bool at_end, left;          /* entered the last barrier; left MPI_Finalize */
	bool restarted;
	struct app app;

	struct ledger ledger;
	struct sequence sequence;
	struct mailbox mailbox;
	struct snapshot *snapshot;
	bool open, polling;
	uint32_t synchronous_pending, collectives_pending;
	int comm_index[COMMS_MOST]; /* in the ledger; LEDGER_NO_COMM */
	int comm_of[COMMS_MOST];    /* and back */
	uint64_t begun[COMMS_MOST];
	int comms_made;

	/* MPI */
	struct request *posted, *posted_last;
	struct message *visible, *visible_last;
	uint64_t handles;
	struct request **made;
	size_t made_count, made_room;

	/* what came for the protocol */
	struct message **inbox;
	size_t inbox_count, inbox_room;
	int markers_out;            /* that are not matched yet */
	bool giving;
	uint64_t last_collective;   /* epoch of the last outcome that a checkpoint call returned */
	bool flush;                 /* the barrier is done: what is matched is received in full */
	bool wait_markers, wait_barrier, wait_verdict, wait_image, wait_publish;
	bool want_request;
	int64_t image_at, publish_at;

	/* window */
	uint64_t turn_at_cut;
	uint64_t cut_epoch;
	uint64_t capture_epoch;     /* of the state in the image */
	struct copy *copies;
	size_t copy_count, copy_room;
	struct audit audit;
	uint64_t audited;           /* epoch */

	/* oracle */
	int32_t clock[RANKS_MOST];
	int64_t *arrivals;          /* by incoming stream_number(): messages sent so far in this life */
	int64_t *offset;            /* by incoming stream_number(): by how much the base was moved */
	uint64_t rebased_epoch;
};

/* --- the world ---------------------------------------------------------------------------------------------------------- */

/* What one rank gave to one snapshot. */
struct cut {
	bool captured, imaged;
	bool freed[COMMS_MOST];     /* communicators freed before it */
	struct app app;
	int32_t clock[RANKS_MOST];
	uint64_t begun[COMMS_MOST];
	struct message **record;
	size_t record_count;
};

struct epoch {
	struct cut cuts[RANKS_MOST];
	int at_barrier, at_verdict;
	struct verdict sum;
	int rebased;
	bool open;
	int ended;
	bool committed;
};

struct collective {
	int entered;
	int64_t sum;
	int32_t clock[RANKS_MOST];
};

struct lane { struct message *first, *last; };

struct program {
	const char *name;
	int ranks_least;
	bool stepped;
	bool blocking;     /* it would end if every standard send waited for its receive */
	bool leaks;        /* it frees communicators with messages that nobody asks for */
	void (*begin)(struct rank *rank);
	void (*run)(struct rank *rank);
	/* At the end of a run, by rank 0's eyes: null, or what is wrong. */
	const char *(*check)(struct world *world);
};
extern const struct program programs[];
extern const int program_count;

struct world {
	struct options options;
	uint64_t random;
	const struct program *program;
	int ranks;
	int life;
	int64_t now_ns;
	int64_t end_requests_ns;
	int64_t next_request_ns, request_pause_ns;
	bool fair, busy;
	int at_end;
	size_t ledger_bound;
	int64_t drain_ns;
	int64_t every_ns, every_steps;
	int64_t drill_pause_ns, next_drill_ns; /* 0: no drills */
	bool drilling;              /* one was asked for, and has not ended */
	int overtaking;
	uint64_t order;
	uint64_t actions;
	struct rank *rank[RANKS_MOST];
	struct rank *running;
	ucontext_t scheduler;
	struct lane *lanes;         /* by source, target and lane */
	uint32_t *active;           /* lanes that are not empty */
	size_t active_count;
	struct message **messages;
	size_t message_count, message_room;
	struct request **completing; /* done soon */
	size_t completing_count, completing_room;
	struct collective *collectives[COMMS_MOST];
	size_t collective_count[COMMS_MOST];
	int comms;
	struct epoch **epochs;      /* by epoch */
	size_t epoch_count;
	/* committed snapshots */
	struct epoch *kept;
	int outcomes, commits;
};

enum { TAGS_MOST = 8 };
static inline size_t stream_number(int source, int comm, int tag)
{
	return ((size_t)source * COMMS_MOST + (size_t)comm) * TAGS_MOST + (size_t)tag;
}
enum { STREAMS_MOST = RANKS_MOST * COMMS_MOST * TAGS_MOST };

struct statistics {
	uint32_t attempts[64];      /* commits by the number of attempts they took */
	uint32_t commits, resigned, lasting, first_of;
	uint64_t in_flight;         /* commits with messages in flight */
	uint64_t reasons[REASON_COUNT];
};
extern struct statistics statistics[];

/* Which of the rarer paths the runs came through. */
enum path {
	PATH_DRAINED, PATH_LOOKED_AT, PATH_LATE, PATH_KEPT_UNSURE, PATH_DROPPED_UNSURE, PATH_SETTLED_LATE, PATH_TOLD_BEFORE,
	PATH_MAIL_AT_CUT, PATH_DELIVERY_AT_CUT, PATH_DELIVERED, PATH_CANCELLED, PATH_VOID_CUT, PATH_CUT_IN_CALL, PATH_OPEN_AT_END,
	PATH_EARLY_HEAD, PATH_EMPTY, PATH_DRILL, PATH_DRILL_LATE, PATH_ORPHAN, PATH_DRILL_GIVEN_UP, PATH_COUNT
};
extern uint64_t paths[PATH_COUNT];

/* world.c */
unsigned draw(struct world *world, unsigned below);
bool chance(struct world *world, int percent);
void yield(struct rank *rank);
void world_run(const struct options *options);
struct epoch *world_epoch(struct world *world, uint64_t epoch);
void say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void *grown(void *list, size_t count, size_t *room, size_t size);

/* net.c: the simulated MPI */
struct message *net_send(struct rank *rank, int target, int lane, int tag);
void net_post(struct rank *rank, struct request *request);
bool net_cancel(struct rank *rank, struct request *request);
/* The first visible message that a receive would match. */
struct message *net_probe(struct rank *rank, int comm, int source, int tag);
void net_take(struct rank *rank, struct message *message);
bool net_deliver(struct world *world);
bool net_complete(struct world *world);
struct collective *net_collective(struct world *world, int comm, uint64_t count);

/* driver.c: one rank's session */
void driver_open(struct rank *rank);
void driver_close(struct rank *rank);
void driver_add_comm(struct rank *rank, int comm);
void driver_poll(struct rank *rank);
void driver_turn(struct rank *rank);
void driver_before_telling(struct rank *rank);
void driver_feed(struct rank *rank, struct snapshot_event event);
void driver_told(struct rank *rank, struct request *request);
void driver_told_mail(struct rank *rank, struct request *request);
void driver_told_cancelled(struct rank *rank, struct request *request);
void driver_told_synchronous(struct rank *rank, struct request *request);
void driver_probed(struct rank *rank, const struct message *message);
void driver_comm_freeing(struct rank *rank, int comm);
bool driver_may_leave(struct rank *rank);

/* app.c: what a program calls */
void app_safepoint(struct rank *rank, int64_t step);
void app_checkpoint(struct rank *rank, int64_t step);
void app_send(struct rank *rank, int comm, int target, int tag, int64_t a, int64_t b);
struct request *app_isend(struct rank *rank, int comm, int target, int tag, int64_t a, int64_t b);
struct request *app_issend(struct rank *rank, int comm, int target, int tag, int64_t a, int64_t b);
struct request *app_irecv(struct rank *rank, int comm, int source, int tag);
struct request *app_ibarrier(struct rank *rank, int comm);
bool app_test(struct rank *rank, struct request *request, struct status *status);
void app_wait(struct rank *rank, struct request *request, struct status *status);
int app_waitany(struct rank *rank, struct request **requests, int count, struct status *status);
int app_testany(struct rank *rank, struct request **requests, int count, struct status *status);
void app_recv(struct rank *rank, int comm, int source, int tag, struct status *status);
bool app_iprobe(struct rank *rank, int comm, int source, int tag, struct status *status);
void app_cancel(struct rank *rank, struct request *request);
int64_t app_allreduce(struct rank *rank, int comm, int64_t value);
int app_comm_dup(struct rank *rank, int comm);
void app_comm_free(struct rank *rank, int comm);
void app_finalize(struct rank *rank);

/* oracle.c */
void oracle_sent(struct rank *rank, struct message *message);
void oracle_told(struct rank *rank, struct message *message);
void oracle_got(struct rank *rank, const struct request *request, const struct message *message);
void oracle_cut(struct rank *rank, uint64_t epoch);
void oracle_position(struct rank *rank, const struct message *message, int64_t position, const char *when);
void oracle_commit(struct world *world, uint64_t epoch);
/* A drill's channels are closed on this rank. */
void oracle_drill(struct rank *rank);
void oracle_rebased(struct rank *rank);
void oracle_windows(struct world *world);
void merge(int32_t *clock, const int32_t *other);

#endif
