/* SPDX-License-Identifier: BSD-3-Clause */
/* The store, as the hall sees it: a folder of checkpoints, the image of this rank, the manifest, the lock of a life.
 * docs/format.md specifies the files. Nothing here knows MPI. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/settings.h"
#include "base/shape.h"

/* What an image and its manifest agree on. */
struct store_identity {
	uint8_t run[16];     /* made at the run's first life, kept through its restarts */
	uint32_t life;       /* 1, 2, ... : the start of the run that took it */
	uint64_t number;     /* of the checkpoint; an attempt has one of its own */
	uint64_t nonce;      /* of the attempt */
	uint32_t rank;
	uint32_t ranks;
	int64_t step;        /* or SEAMARK_ANY_STEP */
};

/* Of what size the blocks are whose last change is known. */
#define STORE_STAMP_BLOCK (UINT64_C(64) << 10)

struct store_region {
	const char *name;
	const void *data;    /* read by the writer's thread until the image is durable, failed or abandoned */
	uint64_t bytes;
	struct shape shape;  /* copied, as the name is */
	/* Null: data is memory of this process. Else its bytes are had by this call, from the writer's thread: `bytes` of them from `data` on go
	 * to `to`. Not 0: they cannot be had, for the reason in `fault`, and the image has failed. */
	int (*read)(void *context, const void *data, void *to, uint64_t bytes, struct fault *fault);
	void *context;
	/* What need not be looked at again. The captures of a process are counted, from 1, also those of attempts that are void; `capture` is the number of this one, and changed[i]
	 * that of the one that first found block i as it is now (STORE_STAMP_BLOCK bytes each, from the region's start). If changed[i] <= n, then
	 * the block is what capture n had at that place of the region of that name. Null: nothing is known. Stays as long as data. */
	uint64_t capture;
	const uint64_t *changed;
};

/* A communicator that was alive at the cut, in order of making; streams and messages name it by its index here. */
struct store_comm {
	char name[256];      /* the same on every member and after a restart */
	char label[128];     /* what the program gave it by MPI_Comm_set_name; empty: nothing */
	uint64_t key;        /* hash of the name */
	bool nameless;       /* made after the first safepoint */
	uint32_t kind;       /* enum ledger_comm_kind */
	uint32_t size;       /* of the group, or of the remote group */
	uint64_t members;    /* hash of the world ranks in order */
	uint64_t begun;      /* collectives begun at the cut */
	bool freed;          /* a tombstone: freed before the cut with messages unseen */
};

/* One stream of the ledger at the cut. Outgoing: sent, synchronous. Incoming: carried, seen, recorded, highest. */
struct store_stream {
	uint32_t comm;       /* index of a store_comm */
	uint32_t peer;       /* world rank */
	uint32_t tag;
	bool outgoing;
	bool abandoned;      /* owed on a communicator that the receiver had freed */
	int64_t sent;        /* since the base */
	int64_t synchronous; /* the highest position whose synchronous send was known to be complete */
	int64_t carried;     /* unseen when the base moved, or from a restart */
	int64_t seen;        /* since the base, carried ones among them */
	int64_t recorded;
	int64_t highest;     /* position seen before the cut */
};

/* An in-flight message. */
struct store_message {
	uint32_t comm;       /* index of a store_comm */
	uint32_t source;     /* rank in the communicator (remote group of an intercommunicator) */
	uint32_t source_world;
	uint32_t tag;
	uint64_t turn;       /* its place in the rank's one sequence of taking */
	int64_t position;    /* in its stream, from the base */
	const void *data;    /* packed, as MPI_PACKED */
	uint64_t bytes;
};

/* A receive that was posted before the cut, and that no message from before its sender's cut came for. */
struct store_posted {
	uint32_t comm;       /* index of a store_comm */
	bool any_source;     /* then both are 0 */
	bool any_tag;
	uint32_t source;     /* rank in the communicator (remote group of an intercommunicator) */
	uint32_t source_world;
	uint32_t tag;
	uint64_t turn;       /* its place in the rank's one sequence of taking */
};

/* What is known when the channels are closed. Messages and posted receives in ascending turn. */
struct store_record {
	const struct store_comm *comms;
	size_t comm_count;
	const struct store_stream *streams;
	size_t stream_count;
	const struct store_message *messages;
	size_t message_count;
	const struct store_posted *posted;
	size_t posted_count;
};

/* --- the folder ---------------------------------------------------------------------------------------------- */

struct store; /* one per process */
/* store/status.h: what rank 0 tells of itself in the file `status`, and who asks for a checkpoint by the file `request`. */

/* Opens the folder, which need not be there: a life makes it. Local. */
int store_open(struct store **store, const char *folder, uint32_t rank, uint32_t ranks, struct fault *fault);
/* false: the writer's thread hangs and was left behind: it may still read what it was given, and the store stays for it. */
bool store_close(struct store *store);
/* The folder's absolute path, for messages. */
const char *store_folder(const struct store *store);

/* Before a life: whose it is, and of which start of `seamark run` (each may be empty). A life whose owner is that of the lock's holder takes its place. fenced: this start is over if another
 * start has begun a life with a number greater than `after`. */
void store_set_owner(struct store *store, const char *owner, const char *start, bool fenced, uint32_t after);
/* Rank 0 only: makes the folder if it is not there and takes its lock, waiting up to `patience_s` for an old life to end, and half as long again for one whose place it takes; numbers this life; makes
 * or reads the run's id; removes what void attempts of earlier lives left, which from then on commit nothing. next: the first number that no checkpoint or leaving has.
 * SEAMARK_E_BUSY names host and process of the holder, or of the life that has begun since this start. */
int store_begin_life(struct store *store, double patience_s, uint8_t run[16], uint32_t *life, uint64_t *next, struct fault *fault);
/* Every rank, told by rank 0: the life that its images belong to. */
void store_set_life(struct store *store, const uint8_t run[16], uint32_t life);
/* Rank 0 only: whether this process still holds the newest life; if not, nothing may be committed any more. */
bool store_is_newest_life(struct store *store);
/* Every rank, before its writer's thread is started: that is to look for newer lives, rank 0 about once a second, the others more seldom. Called from that thread when there is one, and once more, late,
 * if the process is still there some seconds later. */
void store_watch_lives(struct store *store, void (*on_superseded)(const char *by, bool late));
/* Whether it has found one, and told. A load. */
bool store_is_superseded(const struct store *store);
/* Rank 0 only: the file `stop` was answered, and is removed in the background, unless a newer life has begun. */
void store_clear_stop(struct store *store);

/* What the history tells of the lives of this run before this one (docs/format.md, 7). */
struct store_past {
	uint64_t lives;        /* that began to compute */
	uint64_t failures;     /* of these, ended by one: they say of no end, and another followed */
	double lived_s;        /* all of them together, as far as is known */
	double cost_s, durable_s; /* what a checkpoint is thought to cost the program, and to take (base/interval.h); 0: not known */
};
/* Rank 0, in its life. All 0: nothing is known. */
void store_past(const struct store *store, struct store_past *past);
/* Rank 0, in its life, for the history, in the background: the program begins to compute, from a checkpoint (0: afresh) ... */
void store_note_begin(struct store *store, uint64_t from, int64_t step);
/* ... and has ended by itself; stopped: because it was asked to leave. Before store_close. */
void store_note_end(struct store *store, bool stopped);

/* --- writing --------------------------------------------------------------------------------------------------- */

/* How images are written: the codec of what is in them, and at most how many bytes a second (0: any). Before the writer's thread is started. */
void store_set_way(struct store *store, enum settings_codec codec, uint64_t rate);
/* Starts the writer's thread. `place` (may be null) is called once in the new thread, to bind it. */
int store_start_writer(struct store *store, void (*place)(void *context), void *context, struct fault *fault);

/* Begins the image: makes the attempt's folder and file, and writes the regions while the program goes on. Returns at once. One
 * image is under way at most: SEAMARK_E_IO if one that was given up is still being read (regions_written is false), which is also the
 * time in which its regions' memory must not be freed or written. */
int store_begin_image(struct store *store, const struct store_identity *identity, const struct store_region *regions,
		      size_t count, struct fault *fault);
/* Hands over the rest; everything in it is copied or written before the call returns, and the image becomes durable in the background. */
int store_finish_image(struct store *store, const struct store_record *record, struct fault *fault);
/* Gives the image up, whatever its state, and removes its file; regions may be reused when store_image_state says IDLE. */
void store_abandon_image(struct store *store);

enum store_state { STORE_IDLE, STORE_WORKING, STORE_DURABLE, STORE_FAILED };

struct store_image_result {
	uint64_t bytes;        /* of the file */
	uint64_t referred;     /* stored bytes of chunks that lie in checkpoints before it */
	uint64_t parents;      /* which these are: bit i for the one whose number is this one's less i + 1 */
	uint64_t table_hash;   /* of the image's chunk table */
	struct fault fault;    /* when failed */
	int64_t progress_ns;   /* CLOCK_MONOTONIC when the last write was finished */
	bool regions_written;  /* the regions' memory is no longer read */
};
/* Asked often from the program's thread: a few loads. */
enum store_state store_image_state(struct store *store, struct store_image_result *result);

/* --- several ranks in one file: consecutive ones of one node (docs/design.md, 3.14) ------------------------------------------ */

struct store_locator;
struct store_shared; /* memory that the ranks of a file have in common */
enum { STORE_SHARED_NAME = 64 };

/* One of the ranks makes it; the others join it by its name, when they are told that. Local. */
int store_shared_make(struct store_shared **made, uint32_t ranks, char name[STORE_SHARED_NAME], struct fault *fault);
int store_shared_join(struct store_shared **joined, uint32_t ranks, const char *name, struct fault *fault);
/* When all have joined, or will not: nothing is left of it when they end, however that is. */
void store_shared_forget_name(struct store_shared *shared);
void store_shared_close(struct store_shared *shared);
/* Every rank, alike, when the writer's thread runs and before the first image: which ranks share a file (without this call none do), and what this rank has in common with
 * those of its own file, which belongs to the store from then on; null: it has a file for itself. */
void store_set_files(struct store *store, const struct store_locator *locators, uint32_t count, struct store_shared *own);

struct store_checkpoint;
struct store_image; /* an image open for reading */

/* --- increments: a chunk whose content (length and XXH3-128) is in the checkpoint before is not written again ------- */

/* Before the first image: whether an image is read again and checked when it is on the disk, before it counts as durable. */
void store_set_read_back(struct store *store, bool on);
/* Every rank, before its first image, alike: of so many committed checkpoints one holds all its chunks. 1 (as without this call): each does. */
void store_set_full_every(struct store *store, uint32_t every);
/* Every rank, before its first image: the checkpoint that was restored, whose chunks the next may refer to. */
void store_set_restored(struct store *store, const struct store_checkpoint *restored, const struct store_image *image);

struct store_outcome {
	uint64_t number;       /* of the attempt, in this life */
	bool committed;
	bool distrusted;       /* void because of what is in the folder: the next holds all its chunks */
	uint64_t parents;      /* of a committed one: as in struct store_commit */
	uint64_t bytes;
	uint64_t referred;
};
/* Every rank, when it knows the outcome of an attempt, before its next image: only a committed one may be referred to. */
void store_settle(struct store *store, const struct store_outcome *outcome);

/* Rank 0 only. What the verdict sums up. */
struct store_commit {
	struct store_identity identity; /* rank is ignored */
	uint64_t table_sum;    /* sum over ranks, modulo 2^64, of mix64_pair(rank, table_hash) */
	uint64_t messages;     /* in flight, over all ranks */
	uint64_t message_bytes;
	uint64_t bytes;        /* of all images */
	uint64_t referred;     /* as in struct store_image_result, summed */
	uint64_t parents;      /* as there, of any rank */
	double held_s;         /* maximum over ranks */
	int64_t requested_ns;  /* CLOCK_REALTIME of the announcement, for `taken` in the manifest */
	double cost_s;         /* what the program is thought to lose by a checkpoint; for the history, as is */
	bool stop;             /* it was taken for the program to leave */
};
/* Writes the manifest, publishes it, fsyncs, then retires old checkpoints: all but the newest `keep` (0: all) and pinned ones. In the background;
 * store_commit_state tells. A failed fsync of the folder takes the manifest away again and is FAILED. */
int store_begin_commit(struct store *store, const struct store_commit *commit, uint64_t keep, struct fault *fault);
enum store_state store_commit_state(struct store *store, struct fault *fault);
/* CLOCK_MONOTONIC when the commit under way made its last step. */
int64_t store_commit_progress_ns(struct store *store);
/* Gives the commit up, wherever it hangs: whatever comes of it is taken away again, and until then it is WORKING. false: it has ended meanwhile. */
bool store_abandon_commit(struct store *store);
/* Rank 0 only: removes the folder of a void attempt, as far as it is empty, now or with the next commit. */
void store_drop_attempt(struct store *store, uint64_t number);
/* Rank 0 only: a file `stop` was seen in the folder by the writer's thread (which looks every second). */
bool store_stop_seen(struct store *store);

struct bytes_out;

/* What was traced around an attempt (lib/trace knows what that is). */
struct store_trace {
	uint64_t number;       /* of the attempt */
	uint32_t life;
	void (*put)(void *context, struct bytes_out *out); /* called from the writer's thread: the file's bytes */
	void (*done)(void *context);                       /* the context is not needed any more */
	void *context;
};
/* Every rank: writes it in the background; if that fails, or is not done with earlier ones, it is not kept. */
void store_write_trace(struct store *store, const struct store_trace *trace);

/* --- reading --------------------------------------------------------------------------------------------------- */

/* Like file groups that follow each other: which ranks, how many to a file, and the file's name with a `*` for its first rank. */
struct store_locator {
	uint32_t first_rank;
	uint32_t ranks;
	uint32_t ranks_each;
	char pattern[48];
};

enum { STORE_LOCATORS_MAX = 16, STORE_PARENTS_MAX = 64 };

/* A checkpoint in which chunks of another lie. */
struct store_parent {
	uint64_t number;
	uint32_t life;
};

/* A checkpoint that a manifest says exists. Without pointers: it may be sent to other ranks as it is. */
struct store_checkpoint {
	char path[4096];
	uint64_t number;
	uint32_t life;
	uint32_t ranks;
	int64_t step;
	struct store_identity identity; /* of its images; rank is 0 */
	uint64_t table_sum;             /* as in struct store_commit */
	uint64_t messages;
	uint64_t message_bytes;
	uint64_t bytes;
	uint64_t referred;              /* stored bytes of chunks that lie in its parents */
	double held_s;
	int64_t taken_ns;               /* CLOCK_REALTIME */
	bool pinned;
	uint32_t locator_count;
	struct store_locator locators[STORE_LOCATORS_MAX];
	uint32_t parent_count;
	struct store_parent parents[STORE_PARENTS_MAX]; /* ascending by number */
};

/* Rank 0: the newest checkpoint with a manifest whose number is below `below` (UINT64_MAX: the newest at all). SEAMARK_E_NOT_FOUND: none. A manifest that
 * is garbled is SEAMARK_E_DAMAGED, with the number filled in, so that the caller can name it and go on below it. */
int store_newest(struct store *store, uint64_t below, struct store_checkpoint *found, struct fault *fault);
/* The checkpoint at a path (its folder; anything with a slash or that is no number), or with a number in this folder. */
int store_at(struct store *store, const char *number_or_path, struct store_checkpoint *found, struct fault *fault);

/* Opens this rank's image in a checkpoint and checks header, identity and all tables (not the regions' content). */
int store_open_image(struct store_image **image, const struct store_checkpoint *checkpoint, uint32_t rank, struct fault *fault);
/* Opens the files of other checkpoints in which chunks of it lie, which else happens when the first is read: SEAMARK_E_DAMAGED if one is missing. */
int store_open_parents(struct store_image *image, struct fault *fault);
void store_close_image(struct store_image *image);
const struct store_identity *store_image_identity(const struct store_image *image);
uint64_t store_image_table_hash(const struct store_image *image);
size_t store_image_region_count(const struct store_image *image);
/* name stays valid until the image is closed. */
void store_image_region(const struct store_image *image, size_t index, const char **name, uint64_t *bytes);
const struct shape *store_image_shape(const struct store_image *image, size_t index);
/* SIZE_MAX if there is none. */
size_t store_image_find_region(const struct store_image *image, const char *name);
/* Reads a region's bytes, checked; `data` null: check only. On failure `data` is undefined. */
int store_image_load_region(struct store_image *image, size_t index, void *data, struct fault *fault);
/* As that for all regions at once, which is faster. data: by region, null where it is only to be checked; leave: those that are left out. */
int store_image_load_regions(struct store_image *image, void *const *data, const bool *leave, struct fault *fault);
/* Ledger and messages; everything in it belongs to the image. */
int store_image_record(struct store_image *image, struct store_record *record, struct fault *fault);

#endif
