/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator: N ranks in one process, each with the protocol, ledger, positions and mailbox that the library has, on a simulated MPI. Everything that may
 * happen next is drawn from one seed, the options too, so that a seed repeats a run exactly. docs/simulator.md says how to use it.
 *
 * Fault model. What may go wrong, and does:
 *   - Any event that can happen next may be the next one, and may be put off for as long as others can happen: a rank's next call, the arrival of a message,
 *     the completion of a matched receive, of a send, of a collective, of a marker, of a write, the clock. Ranks may be slow for a whole run.
 *   - Messages of one source on one communicator arrive in the order they were sent, and are matched by posting order, wildcards too (MPI 4.0, 3.5). Nothing
 *     else is ordered: communicators overtake each other and the orders; completion is in no order. By default no message of the application
 *     overtakes a marker's head that was sent before it on the same ordered pair (measured on real MPIs); with overtaking set, it does.
 *   - A synchronous send completes when it is matched, whoever matched it and however late its sender learns of it. Some standard sends do the same.
 *   - Ranks inside a blocking send or a blocking collective answer nobody.
 *   - Captures, images and manifests come late, or fail one by one; or the disk is full for a time, and all of them fail.
 *   - The clock is an event: it stands still, or leaps beyond every time that is waited for.
 *   - Ranks stay away: they call nothing for longer than anybody waits, or no safepoint.
 *   - All ranks die at once, in the middle of anything, and go on from the newest checkpoint that there is, or from the beginning. (One rank that dies takes the others
 *     with it: MPI has it so.) A manifest that was being written then exists, or not.
 * What does not: messages are not lost, changed or doubled.
 * A life has two phases: in the first there is all of this; in the second nothing of it, and what is outstanding has to end within a number of events.
 *
 * The oracles know what the protocol does not: which message each receive got, what was in flight at the cut, and a vector clock per rank. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "channel/audit.h"
#include "channel/mailbox.h"
#include "channel/position.h"
#include "snapshot/snapshot.h"

enum {
	RANKS_MOST = 1 << 16,
	PEERS_MOST = 32,        /* ranks of a program that keeps something per rank, and of a world with vector clocks */
	COMMS_MOST = 64,
	LANES = COMMS_MOST + 2,
	LANE_ORDERS = COMMS_MOST,
	LANE_MARKERS,
	WORLD_COMM = 0,
	OTHER_COMM = 1,
	ANY = -1
};

/* What a run is like: each drawn from the seed, or given. The table with what they mean is in options.c. */
struct options {
	uint64_t seed;
	int program, ranks, length, snapshots, lives;
	int overtaking, unfair, rendezvous, fail, full, leap, away, die, busy, empty, drill;
};

/* --- tables of numbers, zero unless set ------------------------------------------------------------------------------- */

struct table {
	uint64_t *keys;         /* 0: an empty slot; a key is kept as its successor */
	int64_t *values;
	size_t room, used;
};
/* Made at zero if it is new; valid until the next one is made. */
int64_t *table_at(struct table *table, uint64_t key);
int64_t table_get(const struct table *table, uint64_t key);
/* cursor starts at 0. */
bool table_next(const struct table *table, size_t *cursor, uint64_t *key, int64_t *value);
void table_free(struct table *table);

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
	uint64_t serial;           /* of sending, of its source */
	size_t untold_at;          /* in its receiver's list */
	int source, target, comm, tag;
	enum message_state state;
	struct payload payload;
	struct request *sender;    /* that waits for its being matched */
	int64_t index;             /* its place in its stream, from 1; at or below 0: from a restart */
	uint64_t sent_after;       /* the sender's last cut when it was sent: an epoch */
	uint64_t told_after;       /* the receiver's when it was told */
	int32_t clock[PEERS_MOST]; /* the sender's */
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
	int owner;
	int comm, source, tag;
	uint64_t handle;
	struct message *message;
	struct mail *mail;
	uint64_t key;
	uint64_t count;            /* of a collective */
	int32_t clock[PEERS_MOST]; /* of a receive: its rank's when it was posted; of a send: the matching receive's */
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
	int64_t sent[PEERS_MOST], got[PEERS_MOST], expected[PEERS_MOST];
	/* of what was sent to each and received from each, as sums of mixed values */
	uint64_t gave[PEERS_MOST], took[PEERS_MOST];
	int64_t flags[4];
	bool ended;
};

enum { THREADS_MOST = 2 };

/* A coroutine: the rank's program, or a second thread of it. */
struct thread {
	struct rank *rank;
	void (*run)(struct rank *rank);
	ucontext_t context;
	void *stack;
	jmp_buf at;
	bool started, ended;
	bool blocked;               /* inside a blocking send or collective */
};

struct rank {
	struct world *world;
	int rank;
	struct thread threads[THREADS_MOST];
	int thread_count, thread;   /* how many; the one that runs */
	int weight;
	bool resting;               /* it waits, and nothing has come for it since it last looked */
	int64_t away_until_ns;      /* it calls nothing, or comes to no safepoint, until then */
	bool away_from_all;
	bool begun_program, finalizing;
	bool at_end, left;          /* entered the last barrier; left MPI_Finalize */
	bool restarted;
	struct app app;

	struct ledger ledger;
	struct sequence sequence;
	struct mailbox mailbox;
	struct snapshot *snapshot;
	bool open, polling;
	int standing;               /* what the trace has told of its phase */
	uint64_t doomed;            /* the last epoch of which it has told that it is void here */
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
	uint64_t serial;
	struct message **untold;    /* to this rank, and not told yet */
	size_t untold_count, untold_room;

	/* what came for the protocol */
	struct message **inbox;
	size_t inbox_count, inbox_room;
	int markers_out;            /* that are not matched yet */
	bool giving;
	uint64_t collective_calls, collective_ended; /* of seamark_checkpoint, and attempts for one */
	bool flush;                 /* the barrier is done: what is matched is received in full */
	bool barrier_here, verdict_here; /* explored: they can be noticed */
	bool idle;                  /* explored: its last call found nothing */
	bool broken;                /* explored: from here on it can store nothing */
	const void *place;          /* explored: where its program is */
	bool wait_markers, wait_barrier, wait_verdict, wait_image, wait_publish;
	bool want_request;
	bool request_came;          /* rank 0 has it, and has not begun to end: it owes an answer */
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
	int32_t clock[PEERS_MOST];
	struct table arrivals;      /* by incoming stream_number(): messages sent so far in this life */
	struct table offset;        /* by incoming stream_number(): by how much the base was moved */
	uint64_t spoken;            /* of everything that the program has sent and was told, in order */
	uint64_t rebased_epoch;
	int tombstone[COMMS_MOST];  /* by index in the ledger: snapshots since it was freed, with nothing pending on it */
};

/* --- the world ---------------------------------------------------------------------------------------------------------- */

/* What one rank gave to one snapshot. */
struct cut {
	bool captured, imaged;
	int64_t step;               /* -1: of an event program, or void */
	bool freed[COMMS_MOST];     /* communicators freed before it */
	struct app app;
	int32_t clock[PEERS_MOST];
	uint64_t begun[COMMS_MOST];
	struct message **record;
	size_t record_count;
};

struct epoch {
	int at_barrier, at_verdict;
	struct verdict sum;
	int rebased;
	bool open;
	int ended;
	bool committed;
	struct cut cuts[];          /* by rank */
};

struct collective {
	int entered;
	int64_t sum;
	int32_t clock[PEERS_MOST];
};

struct lane { struct message *first, *last; };

struct program {
	const char *name;
	int ranks_least, ranks_most;
	bool stepped;
	bool blocking;     /* it would end if every standard send waited for its receive */
	bool leaks;        /* it frees communicators with messages that nobody asks for */
	bool same;         /* each rank always sends and is told the same, in the same order */
	void (*begin)(struct rank *rank);
	void (*run)(struct rank *rank);
	void (*second)(struct rank *rank); /* a second thread of each rank; null: none */
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
	int requests_left;
	int64_t full_from_ns, full_to_ns;
	uint64_t dies_at, calm_at;  /* actions */
	bool calm;                  /* the second phase: no faults */
	bool died;
	bool explored;              /* nothing is drawn: what happens next is chosen from outside */
	bool late;                  /* ... and completions, and what is known of others, come as events of their own */
	int breaks_left, leaps_left; /* ... and so many ranks may lose their storage, the clock may leap so often */
	bool scanning;              /* ... and receives that are pending are looked at in every poll of a window */
	bool quiet;                 /* without Seamark's snapshots, for comparison */
	bool clocked;               /* there are vector clocks */
	bool tracing;
	int at_end, left_count;
	size_t ledger_bound;
	int64_t drain_ns;
	int64_t every_ns, every_steps;
	int64_t drill_pause_ns, next_drill_ns; /* 0: no drills */
	bool drilling;              /* one was asked for, and has not ended */
	int overtaking;
	uint64_t order;
	uint64_t actions;
	struct rank **rank;
	struct lane *lanes;
	size_t lane_count, lane_room;
	struct table lane_index;    /* by source, target and lane: its place in lanes plus one */
	uint32_t *active;           /* lanes that are not empty */
	size_t active_count, active_room;
	struct message **messages;
	size_t message_count, message_room;
	struct request **completing; /* done soon */
	size_t completing_count, completing_room;
	struct collective *collectives[COMMS_MOST];
	size_t collective_count[COMMS_MOST];
	int comms;
	struct epoch **epochs;      /* by epoch */
	size_t epoch_count;
	int windows;                /* ranks in one */
	uint64_t window_epoch;
	int outcomes, commits;
};

enum { TAGS_MOST = 8 };
static inline size_t stream_number(int source, int comm, int tag)
{
	return ((size_t)source * COMMS_MOST + (size_t)comm) * TAGS_MOST + (size_t)tag;
}

/* --- what a run leaves, also when it fails ------------------------------------------------------------------------------ */

enum { PROGRAMS_MOST = 32, EXPLORED_DEPTH_MOST = 4000 };

struct statistics {
	uint32_t attempts[64];      /* commits by the number of attempts they took */
	uint32_t commits, resigned, lasting, first_of;
	uint64_t in_flight;         /* commits with messages in flight */
	uint64_t reasons[REASON_COUNT];
};

/* Which of the rarer paths the runs came through. */
enum path {
	PATH_DRAINED, PATH_LOOKED_AT, PATH_LATE, PATH_KEPT_UNSURE, PATH_DROPPED_UNSURE, PATH_SETTLED_LATE, PATH_TOLD_BEFORE,
	PATH_MAIL_AT_CUT, PATH_DELIVERY_AT_CUT, PATH_DELIVERED, PATH_CANCELLED, PATH_VOID_CUT, PATH_CUT_IN_CALL, PATH_OPEN_AT_END,
	PATH_EARLY_HEAD, PATH_EMPTY, PATH_DRILL, PATH_DRILL_LATE, PATH_ORPHAN, PATH_DRILL_GIVEN_UP, PATH_COUNT
};

/* Shared by the process that runs seeds and the one that waits for it. */
struct results {
	uint64_t seed;              /* the one that runs, or failed */
	uint64_t runs;
	uint64_t lines;             /* that its trace has so far */
	char kind[200];             /* of failure: its text before numbers are put in; empty: none */
	char text[600];
	size_t depth;               /* explored: choices made so far */
	uint8_t chosen[EXPLORED_DEPTH_MOST];
	uint64_t paths[PATH_COUNT];
	struct statistics statistics[PROGRAMS_MOST];
};
extern struct results *results;
extern uint64_t *paths;
extern struct statistics *statistics;

/* options.c */
enum { UNSET = -1 };
extern const char options_help[];
void options_unset(struct options *options);
/* One argument of the command, and its value. false: no such option. */
bool options_set(struct options *options, const char *name, const char *value);
/* What is not given is drawn from the seed. */
void options_draw(struct options *options);
/* As arguments: all that is given, or only what differs from a calm run. */
void options_print(const struct options *options, char *text, size_t room);
struct option_row { const char *name; size_t at; int calm; int least, most; const char *help; signed char drawn[8]; };
extern const struct option_row option_rows[];
extern const int option_count;
int *option_at(struct options *options, const struct option_row *row);

/* shrink.c */
/* Runs seeds until one fails, in a process of its own. */
bool run_apart(const struct options *options, uint64_t first, uint64_t last, bool trace);
/* A failure that is as short as can be found in the time, of the same kind. */
void shrink(struct options *options, double seconds);

/* world.c */
unsigned draw(struct world *world, unsigned below);
bool chance(struct world *world, int percent);
void yield(struct rank *rank);
/* The same, of a rank that waits. */
void rest(struct rank *rank);
static inline void wake(struct rank *rank) { rank->resting = false; }
void wake_all(struct world *world);
/* The options are drawn in full. */
void world_run(const struct options *options, bool trace);
/* A life, and what it is made of. before: the one before it, or null. */
struct world *world_make(const struct options *options, int life, struct world *before, bool trace);
void world_restore(struct rank *rank, const struct cut *cut);
void world_live(struct world *world);
void world_check_end(struct world *world);
void world_free(struct world *world);
/* Until the rank's coroutine yields. */
void world_resume(struct rank *rank, int thread);
/* By chance; where all orders of events are explored, as it says. */
bool maybe(struct world *world, int percent, bool explored);

/* print.c: a number for the state of a rank, and of the world: equal numbers, equal futures. */
uint64_t print_rank(const struct rank *rank);
uint64_t print_world(const struct world *world);

/* explore.c: every order of events of some small worlds, as far as states_most states of each go. false: one is wrong. */
bool explore(uint64_t states_most, const char *only);
struct epoch *world_epoch(struct world *world, uint64_t epoch);
/* One line of the trace (docs/simulator.md). message: null, or whose stream and position it is. */
void note_line(struct rank *rank, const char *kind, uint64_t epoch, const struct message *message, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
#define note_only(rank, ...) do { if ((rank)->world->tracing) note_line(rank, __VA_ARGS__); } while (0)
#define note(rank, ...) do { results->lines++; if ((rank)->world->tracing) note_line(rank, __VA_ARGS__); } while (0)
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
bool net_deliver_from(struct world *world, size_t active);
bool net_is_behind_head(struct world *world, const struct message *message);
void net_complete_at(struct world *world, size_t completing);
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
void tick(struct rank *rank);
void oracle_sent(struct rank *rank, struct message *message);
void oracle_restored(struct rank *rank, struct message *message);
void oracle_told(struct rank *rank, struct message *message);
void oracle_got(struct rank *rank, const struct request *request, const struct message *message);
void oracle_cut(struct rank *rank, const struct snapshot_attempt *attempt);
void oracle_drained(struct rank *rank, const struct message *message);
void oracle_position(struct rank *rank, const struct message *message, int64_t position, const char *when);
void oracle_commit(struct world *world, uint64_t epoch);
/* A drill's channels are closed on this rank. */
void oracle_drill(struct rank *rank);
void oracle_rebased(struct rank *rank);
/* The rank has entered the verdict: its window is over. */
void oracle_window_over(struct rank *rank);
void merge(int32_t *clock, const int32_t *other);
void spoke(struct rank *rank, char what, int comm, int peer, int tag, const struct payload *payload);

#endif
