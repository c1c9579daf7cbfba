/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file seamark_files.h
 * Reads Seamark's checkpoints without MPI: which there are, the state of every rank, the messages that were in flight, and the proof
 * that nothing was lost. Link with `-lseamark-files`.
 *
 *     seamark_files *files;
 *     if (seamark_files_open(&files, "seamark"))
 *             complain(seamark_files_error());
 *     for (size_t i = 0; i < seamark_files_count(files); i++) {
 *             struct seamark_files_entry entry;
 *             seamark_files_checkpoint *checkpoint;
 *             seamark_files_entry_at(files, i, &entry);
 *             if (seamark_files_checkpoint_open(&checkpoint, entry.path))
 *                     continue;
 *             for (uint32_t rank = 0; rank < entry.ranks; rank++) {
 *                     seamark_files_image *image;
 *                     if (!seamark_files_image_open(&image, checkpoint, rank)) {
 *                             seamark_files_read(image, "temperature", grid, sizeof grid);
 *                             seamark_files_image_close(image);
 *                     }
 *             }
 *             seamark_files_checkpoint_close(checkpoint);
 *     }
 *     seamark_files_close(files);
 *
 * Contracts that hold for every function here, so that only exceptions are told below:
 *
 * - The result is 0 for success and a negative SEAMARK_E_... (seamark.h) for failure; seamark_files_error() then has the details.
 *   A failure changes nothing and leaves every output as it was, but for memory that bytes were being read into.
 * - Files are trusted in nothing: every count, offset and length is checked before it is used, every byte that is returned was
 *   covered by a checksum that held. SEAMARK_E_DAMAGED names the file and what is wrong in it; SEAMARK_E_VERSION: a newer Seamark
 *   wrote it; SEAMARK_E_PERMISSION, SEAMARK_E_IO, SEAMARK_E_MEMORY: as they say.
 * - Nothing here writes, locks or waits, except seamark_files_pin(), seamark_files_compact(), seamark_files_prune(), seamark_files_ask() and seamark_files_withdraw(). A program may be writing new checkpoints meanwhile, and may retire one that
 *   is being read, which is then SEAMARK_E_DAMAGED or SEAMARK_E_NOT_FOUND.
 * - What a pointer in an output points to belongs to the object it was asked from and lives until that is closed.
 * - Objects are used by one thread at a time; different objects by any threads. Close functions take null.
 * - Sizes are in bytes, times in seconds or (named so) nanoseconds. Ranks count from 0.
 */
#ifndef SEAMARK_FILES_H
#define SEAMARK_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "seamark.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- failures, and how far a call is ------------------------------------------------------------------------------ */

/** What the last failure in this thread was, in words. Never null; valid until the next call here in this thread. */
SEAMARK_PUBLIC const char *seamark_files_error(void);

/** How many bytes of checkpoints this process has read so far, as they are stored, in all its threads: while a long call is under way, another thread can show how far it is.
 * It only grows. */
SEAMARK_PUBLIC uint64_t seamark_files_bytes_read(void);

/* --- a folder of checkpoints ------------------------------------------------------------------------------------- */

/** A folder (SEAMARK_DIR) as it was when it was opened. */
typedef struct seamark_files seamark_files;

/** A checkpoint in whose files chunks of another lie. It may have been retired since, and then is no checkpoint any more that could be opened. */
struct seamark_files_parent {
	uint64_t number;
	uint32_t life;
};

/** A checkpoint as its manifest describes it. */
struct seamark_files_entry {
	const char *path;       /**< its folder */
	int status;             /**< 0, or why its manifest cannot be used (then only path, number, life and pinned mean anything) */
	const char *problem;    /**< the status in words; null if it is 0 */
	uint64_t number;
	uint32_t life;          /**< the start of the run, 1, 2, ..., that took it */
	int pinned;             /**< 1 if `seamark keep` keeps it from being retired */
	uint8_t run[16];        /**< the run's identity */
	uint32_t ranks;
	int64_t step;           /**< or SEAMARK_ANY_STEP */
	uint64_t messages;      /**< in flight, over all ranks */
	uint64_t message_bytes;
	uint64_t bytes;         /**< of all images */
	uint64_t referred_bytes; /**< what it has besides, in the files of its parents */
	size_t parent_count;    /**< 0: it needs no other checkpoint */
	const struct seamark_files_parent *parents; /**< oldest number first */
	double held_s;          /**< the longest time that a rank was held for its cut */
	int64_t taken_ns;       /**< when it was asked for, since 1970-01-01 UTC */
};

/** Reads a folder's catalogue. @return 0; SEAMARK_E_NOT_FOUND: no such folder */
SEAMARK_PUBLIC int seamark_files_open(seamark_files **files, const char *folder);
SEAMARK_PUBLIC void seamark_files_close(seamark_files *files);
/** How many checkpoints have a manifest, whole or garbled. */
SEAMARK_PUBLIC size_t seamark_files_count(const seamark_files *files);
/** The index-th checkpoint, oldest number first. @return 0; SEAMARK_E_ARGUMENT: there are not so many */
SEAMARK_PUBLIC int seamark_files_entry_at(const seamark_files *files, size_t index, struct seamark_files_entry *entry);
/** The checkpoint with a number. @return 0; SEAMARK_E_NOT_FOUND */
SEAMARK_PUBLIC int seamark_files_entry_of(const seamark_files *files, uint64_t number, struct seamark_files_entry *entry);
/** Whether a folder's run.json, which names the run and its newest life, is what was written. No checkpoint needs it: if it is lost or damaged the next life makes it
 * anew. @return 0, also if there is none; SEAMARK_E_DAMAGED */
SEAMARK_PUBLIC int seamark_files_check_run(const char *folder);

/** A start of a run. */
struct seamark_files_life {
	uint8_t run[16];        /**< the run's identity */
	uint32_t life;          /**< 1, 2, ... */
	char owner[128];        /**< SEAMARK_OWNER; empty: nobody's */
	char start[128];        /**< which start of `seamark run` it is of; empty: of none */
	char host[72];          /**< of rank 0 */
	int64_t process;
};
/** The newest life of a folder's run, as far as run.json tells: it may have ended since. @return 0; SEAMARK_E_NOT_FOUND: there was none yet; SEAMARK_E_DAMAGED */
SEAMARK_PUBLIC int seamark_files_newest_life(const char *folder, struct seamark_files_life *life);

/** Keeps a checkpoint (by its folder) from being retired, or with pinned 0 lets it go again. @return 0; SEAMARK_E_NOT_FOUND */
SEAMARK_PUBLIC int seamark_files_pin(const char *path, int pinned);

/** What seamark_files_compact() did. */
struct seamark_files_compaction {
	size_t parents;         /**< checkpoints that it needed before; 0: none, and nothing was done */
	uint64_t bytes_before;  /**< of its own files */
	uint64_t bytes_after;
};
/** Makes a checkpoint (by its folder) hold all its bytes itself, so that it needs no other. Others that need files of it still find what they need. What no checkpoint
 * needs any more after that is removed. A crash at any moment leaves it as it was, or as it is to be. The folder that it is in is locked meanwhile; nobody waits for it.
 * @return 0; SEAMARK_E_BUSY: a run uses the folder; SEAMARK_E_DAMAGED: a chunk is not what it should be, and nothing was changed; SEAMARK_E_SPACE: so, too */
SEAMARK_PUBLIC int seamark_files_compact(const char *path, struct seamark_files_compaction *done);

/** Which checkpoints are to go: those that are named, or else all but the newest `keep` that are older than `older_than_ns`; one of the two may be 0, and then does not count. All 0: none, only leavings. */
struct seamark_files_wish {
	uint64_t keep;
	int64_t older_than_ns;  /**< since 1970-01-01 UTC */
	const uint64_t *numbers;
	size_t count;
	int dry_run;            /**< 1: nothing is changed or locked, and what would be is told */
};
/** What becomes of a checkpoint, or of what was left of one. */
enum seamark_files_fate {
	SEAMARK_FILES_REMOVED,  /**< a checkpoint */
	SEAMARK_FILES_HIDDEN,   /**< ... that is one no more; its files stay while a checkpoint that stays needs them */
	SEAMARK_FILES_FREED,    /**< the files of one that had been hidden before, and that nothing needs any more */
	SEAMARK_FILES_LEFT      /**< what an attempt has left, or a rewriting */
};
/** One that goes, or has gone. */
struct seamark_files_pruned {
	enum seamark_files_fate fate;
	uint64_t number;
	uint32_t life;
	uint64_t bytes;         /**< of the files that go */
};
/**
 * Removes checkpoints. Pinned ones stay, and so does the newest that is whole: whose images and the files that they need are there, with tables that hold. What a checkpoint that stays needs of another
 * stays as well, out of the list; by the rule, and in the code, by which a run retires its old ones. What attempts have left goes too. A crash at any moment leaves each checkpoint whole, or none. The
 * folder is locked meanwhile; nobody waits for it.
 *
 * @param told     called for each, the newest first; may be null
 * @param context  handed to it
 * @return 0; SEAMARK_E_BUSY: a run uses the folder; SEAMARK_E_NOT_FOUND: one that was named, or the folder, is not there; SEAMARK_E_ARGUMENT: one that was named has to stay. After these nothing was
 * changed; after another error some may be gone
 */
SEAMARK_PUBLIC int seamark_files_prune(const char *folder, const struct seamark_files_wish *wish, void (*told)(const struct seamark_files_pruned *pruned, void *context),
				       void *context);

/* --- a run that goes on ------------------------------------------------------------------------------------------ */

/** Where a snapshot under way is, as far as rank 0 knows. */
enum seamark_files_phase {
	SEAMARK_FILES_IDLE,       /**< none is under way */
	SEAMARK_FILES_ANNOUNCED,  /**< ranks are asked how far they are, each when it next calls MPI or a safepoint */
	SEAMARK_FILES_ORDERED,    /**< ... have been told where to cut */
	SEAMARK_FILES_CUTTING,    /**< rank 0 takes its state */
	SEAMARK_FILES_WINDOW,     /**< ... has cut; messages in flight are recorded */
	SEAMARK_FILES_WRITING,    /**< ... they are; its image is being written */
	SEAMARK_FILES_VERDICT,    /**< ... is done; that of the others is awaited */
	SEAMARK_FILES_COMMITTING  /**< all are done */
};

/** What has become of a request. */
enum seamark_files_answer {
	SEAMARK_FILES_UNKNOWN,    /**< the program does not know of it (yet, or any more) */
	SEAMARK_FILES_TAKEN,      /**< it will be asked for */
	SEAMARK_FILES_ASKED,      /**< it is under way, or tried again; `number` is the first attempt */
	SEAMARK_FILES_COMMITTED,  /**< checkpoint `number` */
	SEAMARK_FILES_VOID,       /**< given up, for a reason; attempt `number`, or 0: none was made */
	SEAMARK_FILES_LEAVING     /**< to leave, of a program that has been asked to already */
};

/** A request for a checkpoint from outside, and what has become of it. */
struct seamark_files_request {
	uint64_t token;
	int stop;                 /**< 1: to leave with that checkpoint */
	enum seamark_files_answer answer;
	uint64_t number;
	int64_t step;
	char reason[160];         /**< of a void one */
	char detail[168];
};

/** How a run is doing: what rank 0 wrote last into the folder's file `status`. Times are of its host, in nanoseconds since 1970-01-01 UTC; 0: never, or not known. */
struct seamark_files_status {
	uint8_t run[16];
	uint32_t life;
	char host[72];            /**< of rank 0 */
	int64_t process;
	uint32_t ranks;
	int ended;                /**< 1: the program has ended by itself */
	char how[16];             /**< ... "finalized", or "stopped" if it had been asked to leave */
	int64_t begun_ns;
	int64_t time_ns;          /**< when it was written */
	double again_s;           /**< it is written at least so often */
	int64_t step;             /**< of rank 0's last safepoint; -1: it has none */
	uint64_t safepoints;      /**< of rank 0 */
	double steps_per_s, safepoints_per_s;
	uint64_t from;            /**< checkpoint that this life went on from; 0: none */
	int64_t from_step;
	uint64_t commits, voids;  /**< of this life */
	int stopping;             /**< 1: it was asked to leave, and may */
	int64_t space;            /**< bytes left where the folder lies; -1: not known */
	double every_s;           /**< as SEAMARK_EVERY has it; 0: not by the clock */
	int64_t every_steps;
	int64_t due_ns, due_step; /**< of the next; 0: not known */
	char unable[168];         /**< why no checkpoint can be taken; empty: it can */
	struct {
		uint64_t number;  /**< 0: none in this life */
		int64_t step;
		int64_t asked_ns, time_ns;
		double held_s;
		uint64_t messages, message_bytes, bytes, referred_bytes;
		uint32_t attempts;
	} committed;              /**< the last one */
	struct {
		uint64_t number;  /**< 0: none in this life */
		int64_t time_ns;
		char reason[160];
		char detail[168];
		int again;        /**< 1: it is tried again */
	} voided;                 /**< the last attempt that was given up */
	struct {
		enum seamark_files_phase phase;
		uint64_t number;
		int64_t since_ns;
		int stop, is_void;
		int64_t order_step; /**< at which ranks cut; -1: none, or not known yet */
		uint32_t answered;  /**< ranks that have said how far they are */
		uint32_t cut;       /**< ranks that are known to have cut */
		uint32_t late_count;
		uint32_t late[8];   /**< of those not known to have cut the first few, where they are known one by one */
		uint64_t recorded_bytes; /**< in flight to rank 0 so far */
		uint64_t image_bytes, image_of; /**< written of rank 0's image, and at most how much it is */
	} snapshot;
	size_t request_count;
	struct seamark_files_request requests[8];
};

/** Reads the status. Whether the program is still there it does not tell, if that was killed: see seamark_files_is_used().
 * @return 0; SEAMARK_E_NOT_FOUND: there is none, or only one of a life that is not the newest; SEAMARK_E_DAMAGED, of one that is just being made after a crash, too */
SEAMARK_PUBLIC int seamark_files_status(const char *folder, struct seamark_files_status *status);

/** Whether a process has the folder's lock, which rank 0 does from its first safepoint, or seamark_restore(), to its end. Nobody else can have it for the moment of this call.
 * On a file system that does not honour locks between hosts, those of other hosts are not seen. @return 1, 0; SEAMARK_E_NOT_FOUND: no such folder */
SEAMARK_PUBLIC int seamark_files_is_used(const char *folder);

/** Asks the program that uses a folder for a checkpoint, by the file `request` in it. What becomes of it is in seamark_files_status(), under the token, some seconds later. One request can be there at a
 * time; the program takes it within a second or two.
 * @param life   the life that is asked (no other does it); 0: any
 * @param stop   1: to leave with that checkpoint
 * @param token  who asks: not 0, and different for each
 * @return 0; SEAMARK_E_BUSY: another's is there, which is not taken yet */
SEAMARK_PUBLIC int seamark_files_ask(const char *folder, uint32_t life, int stop, uint64_t token);
/** Whether a request is still there that nobody has taken. @return 1, 0 */
SEAMARK_PUBLIC int seamark_files_is_asked(const char *folder, uint64_t token);
/** Takes one back that nobody has taken. @return 0, also if it is not there any more */
SEAMARK_PUBLIC int seamark_files_withdraw(const char *folder, uint64_t token);

/* --- a checkpoint ------------------------------------------------------------------------------------------------ */

/** A checkpoint that is open for reading. */
typedef struct seamark_files_checkpoint seamark_files_checkpoint;

/** Opens the checkpoint in a folder (entry.path) by its manifest. @return 0; SEAMARK_E_NOT_FOUND: it has none */
SEAMARK_PUBLIC int seamark_files_checkpoint_open(seamark_files_checkpoint **checkpoint, const char *path);
SEAMARK_PUBLIC void seamark_files_checkpoint_close(seamark_files_checkpoint *checkpoint);
/** What the manifest says of it. */
SEAMARK_PUBLIC void seamark_files_checkpoint_entry(const seamark_files_checkpoint *checkpoint, struct seamark_files_entry *entry);

/* --- what one rank saved ----------------------------------------------------------------------------------------- */

/** The image of one rank. */
typedef struct seamark_files_image seamark_files_image;

/** Opens a rank's image and checks its header, its identity and its tables. @return 0; SEAMARK_E_ARGUMENT: no such rank;
 * SEAMARK_E_RUN: the file belongs to another run or attempt */
SEAMARK_PUBLIC int seamark_files_image_open(seamark_files_image **image, const seamark_files_checkpoint *checkpoint, uint32_t rank);
/** May be called before or after the checkpoint is closed. */
SEAMARK_PUBLIC void seamark_files_image_close(seamark_files_image *image);

/** Where a region lies in one dimension of the global array. */
struct seamark_files_extent {
	uint64_t global;        /**< the array's extent */
	uint64_t first;         /**< the index in it of the region's first element that is not a ghost */
	uint64_t local;         /**< the region's extent in memory, with its ghosts */
	uint64_t before;        /**< ghosts at the beginning: they are no part of the array */
	uint64_t after;         /**< and at the end. first + local - before - after is at most global */
};

/** A protected region. */
struct seamark_files_region {
	const char *name;
	uint64_t bytes;
	uint64_t chunks;        /**< pieces it is stored in */
	uint32_t type;          /**< enum seamark_type */
	uint32_t dimensions;    /**< 0: it has no shape; at most 32 */
	const struct seamark_files_extent *extents; /**< one per dimension, slowest first */
};

SEAMARK_PUBLIC size_t seamark_files_region_count(const seamark_files_image *image);
/** The index-th region. @return 0; SEAMARK_E_ARGUMENT */
SEAMARK_PUBLIC int seamark_files_region_at(const seamark_files_image *image, size_t index, struct seamark_files_region *region);
/** The region with a name. @return 0; SEAMARK_E_NOT_FOUND */
SEAMARK_PUBLIC int seamark_files_region_of(const seamark_files_image *image, const char *name, struct seamark_files_region *region);
/** Reads a whole region into `data`, which has exactly the region's size. @return 0; SEAMARK_E_NOT_FOUND; SEAMARK_E_REGION: it
 * has another size; SEAMARK_E_DAMAGED: what `data` holds is undefined */
SEAMARK_PUBLIC int seamark_files_read(seamark_files_image *image, const char *name, void *data, uint64_t bytes);

/**
 * Reads a region piece by piece, in order and without memory for the whole. A piece is what was stored together (4 MiB as this version writes), and was
 * checked before it is handed over.
 *
 * @param take     called for each piece: where it begins in the region, its bytes (valid during the call), how many there are. Any value but 0 ends
 *                 the reading, and is the result
 * @param context  handed to it
 * @return 0; SEAMARK_E_NOT_FOUND; SEAMARK_E_DAMAGED; what take returned (seamark_files_error() has nothing of that)
 */
SEAMARK_PUBLIC int seamark_files_read_pieces(seamark_files_image *image, const char *name,
					     int (*take)(void *context, uint64_t offset, const void *data, uint64_t bytes), void *context);

/** A message that was in flight to this rank when its cut was made: sent before its sender's cut, not received before this one. */
struct seamark_files_message {
	const char *communicator; /**< its name in the run; the world is "world" */
	uint32_t source;        /**< rank in the communicator (in the remote group of an intercommunicator) */
	uint32_t source_world;  /**< rank in MPI_COMM_WORLD */
	uint32_t tag;
	uint64_t turn;          /**< its place in the order in which messages reached this rank; messages come sorted by it */
	int64_t position;       /**< its place in its stream */
	const void *data;       /**< as MPI_Pack wrote it: for one contiguous basic type, the elements themselves; aligned to 16 bytes */
	uint64_t bytes;
};

/** How many messages were in flight to this rank. Reads them when first asked. @return 0, or why they cannot be had */
SEAMARK_PUBLIC int seamark_files_message_count(seamark_files_image *image, size_t *count);
/** The index-th message, in the order in which they came. @return 0; SEAMARK_E_ARGUMENT */
SEAMARK_PUBLIC int seamark_files_message_at(seamark_files_image *image, size_t index, struct seamark_files_message *message);

/** A receive that this rank had posted before its cut, and that no message from before its sender's cut came for. */
struct seamark_files_posted {
	const char *communicator;
	int64_t source;         /**< rank in the communicator (in the remote group of an intercommunicator); -1: MPI_ANY_SOURCE */
	int64_t source_world;   /**< rank in MPI_COMM_WORLD; -1: MPI_ANY_SOURCE */
	int64_t tag;            /**< -1: MPI_ANY_TAG */
	uint64_t turn;          /**< its place in the order in which messages reach this rank; they come sorted by it */
};

SEAMARK_PUBLIC size_t seamark_files_posted_count(const seamark_files_image *image);
/** The index-th of them, in the order of posting. @return 0; SEAMARK_E_ARGUMENT */
SEAMARK_PUBLIC int seamark_files_posted_at(const seamark_files_image *image, size_t index, struct seamark_files_posted *posted);

/** One line of the ledger: a stream is what one rank sends another with one communicator and one tag. Counts run from the stream's base. */
struct seamark_files_stream {
	const char *communicator;
	uint32_t peer;          /**< rank in MPI_COMM_WORLD at the other end */
	uint32_t tag;
	int outgoing;           /**< 1: this rank sends, 0: it receives */
	int abandoned;          /**< 1: its messages were never asked for before the communicator was freed */
	int64_t sent;           /**< outgoing: messages sent */
	int64_t synchronous;    /**< outgoing: the highest position whose synchronous send was known to be complete */
	int64_t carried;        /**< incoming: recorded messages from before the base */
	int64_t seen;           /**< incoming: messages received before the cut */
	int64_t recorded;       /**< incoming: messages in flight */
	int64_t highest;        /**< incoming: the highest position received before the cut */
};

SEAMARK_PUBLIC size_t seamark_files_stream_count(const seamark_files_image *image);
/** The index-th stream. @return 0; SEAMARK_E_ARGUMENT */
SEAMARK_PUBLIC int seamark_files_stream_at(const seamark_files_image *image, size_t index, struct seamark_files_stream *stream);

/* --- the proof ----------------------------------------------------------------------------------------------------- */

/** One thing that is wrong with a checkpoint, or worth knowing. */
struct seamark_files_problem {
	int code;               /**< SEAMARK_E_...; 0: no problem, worth knowing (abandoned messages) */
	int64_t rank;           /**< whose image it concerns; -1: the checkpoint as a whole */
	const char *text;       /**< in words; valid during the callback */
};

/** What a verification covered. */
struct seamark_files_proof {
	uint64_t problems;      /**< how many were told with a code other than 0 */
	uint64_t images;        /**< read whole and unhurt */
	uint64_t regions;
	uint64_t bytes;         /**< of all files read */
	uint64_t streams;       /**< balanced, position by position */
	uint64_t messages;      /**< in flight */
	uint64_t abandoned;     /**< messages nobody can ask for any more */
	uint64_t referred_bytes; /**< of chunks in the files of other checkpoints, each read as if it were its own */
	uint64_t parents;       /**< these checkpoints */
};

/**
 * Checks every byte of every image, that together they are what the manifest says, and the certificate: for every stream
 * sent + carried = seen + recorded, position by position, the sender's ledger against the receiver's. So no message was lost, none is
 * there twice, and none was received that had not been sent. Chunks that lie in files of other checkpoints are read there.
 *
 * @param told     called for each problem, in the order of ranks; may be null
 * @param context  handed to it
 * @param proof    out, may be null: what was covered
 * @return 0: everything holds; SEAMARK_E_DAMAGED: there are problems; another error: the verification could not be done
 */
SEAMARK_PUBLIC int seamark_files_verify(const seamark_files_checkpoint *checkpoint,
					void (*told)(const struct seamark_files_problem *problem, void *context), void *context,
					struct seamark_files_proof *proof);

/* --- settings -------------------------------------------------------------------------------------------------------- */

/** A setting that a run of Seamark reads from its environment; texts are never freed. */
struct seamark_files_setting {
	const char *name;       /**< of the variable */
	const char *type;
	const char *range;      /**< what is allowed, in words */
	const char *fallback;   /**< the default, as it would be written */
	const char *help;       /**< one sentence */
};

/** The index-th setting. @return 0; SEAMARK_E_ARGUMENT: there are not so many */
SEAMARK_PUBLIC int seamark_files_setting_at(size_t index, struct seamark_files_setting *setting);

#ifdef __cplusplus
}
#endif
#endif
