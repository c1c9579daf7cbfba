/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the hall: what its files share.
 *   load.c     at library load: settings, signals, which MPI
 *   session.c  MPI_Init to MPI_Finalize
 *   threads.c  the lock under MPI_THREAD_MULTIPLE
 *   drive.c    the poll: what has happened goes to the protocol, what it orders is carried out
 *   telling.c  messages told: their places in the cut
 *   copies.c   copies of what is, or may be, late
 *   drain.c    late messages that the program does not ask for: in the buffers of its receives, and drained
 *   drill.c    snapshots without an image, whose counts and messages are checked
 *   onesided.c one-sided operations in a snapshot
 *   looking.c  what looks from outside find
 *   image.c    from the capture and the record to the store
 *   files.c    the agreement on who shares a file
 *   restore.c  the agreement on a checkpoint, and its loading
 *   calls.c    the calls of the application by name
 *   every.c    how often, when it chooses by itself; the run's history
 *   live.c     what rank 0 tells those who look from outside, and what they ask for
 *   superseded.c  the end of a life that another has taken the place of
 *   report.c   what people are told
 *   tracing.c  SEAMARK_TRACE */
#ifndef SESSION_INSIDE_H
#define SESSION_INSIDE_H

#include <pthread.h>

#include "session/session.h"
#include "snapshot/snapshot.h"
#include "state/state.h"
#include "store/status.h"
#include "store/store.h"
#include "topology/topology.h"

/* The content of a message in the window. Its address is the protocol's token. */
struct copy {
	struct copy *next, *previous;
	uint64_t key;
	uint64_t turn;
	int64_t position;
	void *data;
	uint64_t bytes;
	uint64_t hash, hashed_bytes; /* in a drill, instead of the data */
	bool kept;      /* belongs to the record */
	bool truncated; /* the receive was too small: if it is late, the snapshot is void */
};

struct inside {
	struct settings settings;
	struct fault settings_fault;
	bool off;                    /* SEAMARK_OFF, another MPI, or a start that failed */
	int off_code;                /* why, when it is an error */
	bool begun, ended;           /* MPI_Init was seen; MPI_Finalize is over */
	bool finalizing;
	bool spawned;                /* by another world, whose folder this is: it takes no checkpoints */
	int rank, ranks;
	int here;                    /* ranks on this node */
	int world;                   /* ledger's index of MPI_COMM_WORLD */
	uint64_t drill_seed;

	struct snapshot *snapshot;
	struct state *state;
	struct store *store;
	struct topology *topology;

	/* the life */
	bool life_begun;             /* rank 0: tried */
	int life_code;               /* why there is none */
	uint8_t run[16];
	uint32_t life;               /* on other ranks than 0 known once it is shared */
	bool life_shared;            /* every rank knows that code */
	bool restore_called;
	bool restore_failed;         /* and the program goes on: its checkpoints shall not retire those that were there */
	bool settled;                /* past the first safepoint */
	bool said_hello;
	bool region_missing;         /* a safepoint was refused: what was restored has not all been protected */
	struct store_image *image;   /* of the restored checkpoint, until the first safepoint */
	struct store_checkpoint restored;
	bool *loaded;                /* its regions that have been loaded */
	bool has_committed;
	uint64_t committed_number;
	int64_t committed_step;
	bool stop_sent;

	/* seamark_checkpoint: how often it was called here, how often rank 0 has asked for it, how often it has ended, and how it ended last */
	uint64_t collective_calls, collective_asked, collective_ended;
	int collective_code;
	bool meeting;                /* a thread is in seamark_checkpoint, and several may be in MPI */
	bool meeting_disturbed;      /* since then, another one has gone back to the application */
	pthread_t meeting_thread;

	/* the poll */
	bool polling;
	int64_t stop_asked_ns;       /* a stop was caught here; 0: none that rank 0 may not know of */
	int64_t signalled_ns;        /* a signal was caught here that rank 0 should have had too; 0: none */
	bool markers_out, in_barrier, in_flush, in_verdict, finishing, committing;
	int64_t next_scan_ns, scan_pause_ns;
	int64_t next_drain_ns;
	bool drain_now;              /* the program waits inside Seamark: nothing will be received meanwhile */

	/* what this rank has sent since a snapshot ended last */
	uint64_t orders_sent, markers_sent, bytes_sent;

	/* the cut */
	struct state_capture capture;
	bool captured;
	bool capture_live;           /* the capture's memory may be read by the writer */
	bool writer_busy;            /* an image that was given up is still read from the capture's memory */
	bool cut_made;               /* since the program was last told by a safepoint */
	uint64_t turn_at_cut;
	struct copy copies;          /* ring with this as its head */
	uint64_t copy_bytes;         /* of those that are not kept */
	uint64_t kept_bytes;

	void (*look_for_objects)(bool quiet);
	char unable[240];            /* why every snapshot is void; empty: it is not */
	unsigned arriving;           /* mails whose data is still on its way */
	unsigned freed;              /* receives whose handles the application freed */
};
extern struct inside inside;

/* threads.c */
/* Between two turns of a waiting loop: whoever wants the lock may have it. */
void session_let_others(void);
/* Around the waiting in seamark_checkpoint. */
void threads_meet(bool meeting);

/* drive.c */
int64_t drive_now_ns(void);
void drive_feed(struct snapshot_event event);
void drive_act(struct snapshot_actions *actions);
/* Freed receives are tested in the act of the cut, and in polls. */
void drive_test_freed(void);

/* telling.c */
void telling_cut(void);
/* Asks after mails whose data is on its way. */
void telling_arrivals(void);
void telling_rebase(void);
/* A doom that came up while the protocol could not be told. */
void telling_doom(enum reason reason, const char *text);

/* copies.c */
void copies_keep(uint64_t token);
void copies_drop(uint64_t token);
void copies_drop_all(void);

/* drain.c */
void drain_scan(int64_t now_ns, bool at_once);
void drain_when_due(int64_t now_ns);
/* Whether a pending receive that is not complete would match: it may have an earlier message, and this one may be new. */
bool drain_is_awaited(uint64_t key);

/* image.c */
void image_capture(void);
/* Whether the capture's memory is no longer read by the writer. */
bool image_memory_is_free(void);
void image_finish(void);
void image_watch(int64_t now_ns);
void image_let_go(void);
void image_publish(const struct verdict *verdict);
void image_watch_commit(void);

/* files.c */
/* Collective, before the first image: at most so many ranks of a node share a file; as SEAMARK_RANKS_PER_FILE has it, the same on all ranks. */
void files_share(int wanted);

/* restore.c */
/* rank 0: takes the folder's lock and numbers the life, once. */
int restore_begin_life(struct fault *fault);
/* Collective: as that, and all ranks know what came of it. */
int restore_share_life(struct fault *fault);
/* Mail on a communicator that has got its name: positions, and the ledger's debt. */
void restore_place_mail(int comm);
void restore_take_back_mail(int comm);
int restore_load_region(const char *name);
/* Before the first safepoint: what the checkpoint has, the program must have taken. */
int restore_settle(void);

/* looking.c */
/* Collective over the ranks on this node. */
void looking_meet(MPI_Comm node);
void looking_open(uint64_t identity);
void looking_close(void);
/* In a waiting loop: its turn, and after many of them what it waits for, as in session_spin. */
void looking_beat(void);
void looking_note(enum look_call call, enum session_wait what, uint64_t which, int64_t many);
void looking_safepoint(int64_t step);
/* Under MPI_THREAD_MULTIPLE: this thread's slot, for a call that blocks in MPI; null: there was none. */
struct look_slot *looking_slot(void);
void looking_slot_free(void);

/* calls.c */
/* Whether a call has anything to do: 1 yes, 0 the library is off, or why it cannot be, which is told. */
int calls_ready(const char *call);
/* 0, SEAMARK_E_VOID, or SEAMARK_E_UNABLE when trying again cannot help. */
int calls_outcome_code(const struct snapshot_outcome *outcome);
/* rank 0, in polls: asks for what seamark_checkpoint was called for, one attempt after the other. */
void calls_ask_for_collective(void);

/* every.c: SEAMARK_EVERY=auto */
/* rank 0, in its life, when the program begins to compute. */
void every_begin(void);
/* At this rank's cut, and when the outcome of a snapshot is known. */
void every_cut(int64_t now_ns);
void every_outcome(const struct snapshot_outcome *outcome);
/* What a checkpoint costs the program, as far as is known. */
double every_cost_s(const struct verdict *verdict);

/* live.c: on rank 0, the file `status`. What has changed goes to the writer's thread by stores in memory. */
/* The life has begun. */
void live_begin(void);
/* In the first safepoint, after a restart from inside.restored or none. */
void live_settled(void);
/* In a snapshot, where its phase may have changed. */
void live_look(int64_t now_ns);
void live_outcome(const struct snapshot_outcome *outcome);
/* Somebody has asked for a checkpoint by the file `request`. */
void live_asked(void);

/* report.c */
struct report_text { char text[32]; };
struct report_text report_time(int64_t ns);
void report_hello(void);
void report_outcome(const struct snapshot_outcome *outcome);
void report_fault(int code, const char *call, const struct fault *fault);

/* superseded.c */
/* For the store: another life was seen, and (late) this process has not ended since. */
void superseded_noticed(const char *by, bool late);
void superseded_end(void);

/* load.c */
bool load_mpi_matches(char *text, size_t room);

#endif
