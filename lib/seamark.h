/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file seamark.h
 * Seamark: checkpoint and restart of MPI programs, taken while they run.
 *
 * The program keeps its MPI calls. It is linked with `-lseamark` before the MPI library, or started with
 * libseamark.so in LD_PRELOAD; it names its state and says where that state is whole:
 *
 *     MPI_Init(&argc, &argv);
 *     seamark_protect("temperature", grid, bytes);
 *     int64_t step = 0;
 *     seamark_restore(&step);
 *     for (; step < steps; step++) {
 *         seamark_safepoint(step);
 *         exchange_halos();
 *         update();
 *     }
 *     MPI_Finalize();
 *
 * Contracts that hold for every function here, so that only exceptions are told below:
 *
 * - Calls are made between MPI_Init and MPI_Finalize, from the thread that calls MPI. seamark_version and
 *   seamark_strerror may be called at any time and from any thread.
 * - The result is 0 or positive for success and a negative SEAMARK_E... for failure. A failure is also told on
 *   standard error, with the rank, the thing and the remedy; it changes nothing unless its description says so.
 *   No function ends the program, but for one case, in which a safepoint or any call of MPI may end it, or the library without a call: another
 *   start of the same run has taken the place of this one in the folder (README: Taking over). MPI_Abort, status 76. What such a program does is
 *   lost, and what it writes, its successor writes too.
 * - "Local" means that a rank may call it alone. "Collective" means that every rank of MPI_COMM_WORLD calls it, in the
 *   same order among the collective calls on MPI_COMM_WORLD.
 * - Sizes are in bytes, times in seconds. Names are UTF-8 of 1 to 255 bytes, without a NUL, and are copied.
 * - With SEAMARK_OFF=1 every function does nothing: seamark_restore says SEAMARK_FRESH, the others 0.
 *
 * This header needs no MPI header.
 */
#ifndef SEAMARK_H
#define SEAMARK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- constants and errors --------------------------------------------------------------------------------------------- */

/** Version of this header; compare with seamark_version() for the library that is loaded. */
#define SEAMARK_VERSION "0.1.0"

#if defined(__GNUC__)
#define SEAMARK_PUBLIC __attribute__((visibility("default")))
#else
#define SEAMARK_PUBLIC
#endif

/** Errors, in groups by cause. Texts: seamark_strerror(). */
enum {
	/* The call is wrong. */
	SEAMARK_E_ARGUMENT = -1,      /**< an argument that cannot be: a null pointer, an empty name, a negative step */
	SEAMARK_E_ORDER = -2,         /**< not at this point: before MPI_Init, after MPI_Finalize, twice */
	SEAMARK_E_NOT_FOUND = -3,     /**< no region, checkpoint or folder of that name */
	SEAMARK_E_NOT_CUT = -4,       /**< to wait here could never end: this rank has not made its cut */
	SEAMARK_E_PENDING = -5,       /**< messages of the application are under way where none may be */
	SEAMARK_E_SETTING = -6,       /**< a SEAMARK_ setting has a value that cannot be */

	/* The checkpoint does not fit this run. Nothing of the program's memory was written. */
	SEAMARK_E_RANKS = -20,        /**< it was taken on another number of ranks */
	SEAMARK_E_REGION = -21,       /**< a region is missing, or of another size or shape, or was not protected in time */
	SEAMARK_E_VERSION = -22,      /**< it was written by a newer version, or needs what this one does not have */
	SEAMARK_E_COMMUNICATOR = -23, /**< messages were recorded on a communicator that this run did not make */
	SEAMARK_E_RUN = -24,          /**< it belongs to another run or attempt than its manifest says */

	/* The checkpoint is not whole. */
	SEAMARK_E_DAMAGED = -30,      /**< a file is cut short, changed or missing. From seamark_restore: the regions are undefined */

	/* The world outside. */
	SEAMARK_E_IO = -40,           /**< a file operation failed */
	SEAMARK_E_SPACE = -41,        /**< the disk or the quota is full */
	SEAMARK_E_PERMISSION = -42,   /**< a file may not be read or written */
	SEAMARK_E_BUSY = -43,         /**< another run holds the folder */
	SEAMARK_E_MEMORY = -44,       /**< not enough memory */
	SEAMARK_E_DEVICE = -45,       /**< memory that the host cannot read */

	/* The snapshot. */
	SEAMARK_E_VOID = -60,         /**< the snapshot was given up; it will be tried again if that can help */
	SEAMARK_E_TIMEOUT = -61,      /**< the time that was given is over; the snapshot goes on */
	SEAMARK_E_UNABLE = -62,       /**< this program, as it is, cannot be saved: the log says why */
	SEAMARK_E_NO_WRAPPERS = -63,  /**< the program's MPI calls do not pass through Seamark: link -lseamark before MPI */
	SEAMARK_E_OTHER_MPI = -64     /**< the library was built for another MPI than the one that is loaded */
};

/** What seamark_restore() did. */
enum {
	SEAMARK_FRESH = 0,    /**< the run starts from the beginning */
	SEAMARK_RESTORED = 1  /**< the regions hold the state of a checkpoint */
};

/** The step of a program whose ranks have no steps in common; see seamark_safepoint(). */
#define SEAMARK_ANY_STEP INT64_C(-1)

/* --- the state -------------------------------------------------------------------------------------------------------- */

/**
 * Names memory that must survive: a protected region. Local; ranks may protect different regions.
 *
 * The memory stays the caller's and must stay readable until it is unprotected or protected anew. It is copied during
 * safepoints in which a cut is made, and written by seamark_restore(). The same name again means that the region moved
 * or changed its size. After a restore, protecting a region that is in the checkpoint and was not protected before
 * loads it now.
 *
 * @param name   the region's name, the same after a restart
 * @param data   its first byte; may be null if bytes is 0
 * @param bytes  its size
 * @return 0; SEAMARK_E_ARGUMENT; SEAMARK_E_MEMORY; SEAMARK_E_DEVICE: the host cannot read it (a GPU's memory: copy it to
 *         the host and protect the copy); SEAMARK_E_REGION or SEAMARK_E_DAMAGED: it could not be loaded
 */
SEAMARK_PUBLIC int seamark_protect(const char *name, void *data, size_t bytes);

/** What the elements of an array are. */
enum seamark_type {
	SEAMARK_BYTE,         /**< a byte that is no number */
	SEAMARK_INT8, SEAMARK_UINT8, SEAMARK_INT16, SEAMARK_UINT16, SEAMARK_INT32, SEAMARK_UINT32, SEAMARK_INT64, SEAMARK_UINT64,
	SEAMARK_FLOAT32, SEAMARK_FLOAT64,
	SEAMARK_COMPLEX64,    /**< two float32: real, imaginary */
	SEAMARK_COMPLEX128    /**< two float64 */
};

/**
 * As seamark_protect(), and says what the bytes are: a block of an array that the ranks hold together. `seamark export` then writes the whole
 * array for other programs (HDF5, NumPy, VTK).
 *
 * The block lies in one piece, row by row: the last index is the fastest (C's order). An array in which the first index is the fastest
 * is described with its extents in reverse order, as the Fortran module does. Ranks may hold blocks of any size, one rank may hold none (an
 * extent of 0, then data may be null). Each rank's own block is checked here; what ranks say of one array is compared when it is exported.
 * After a restart the region has the same type, extents and place: else SEAMARK_E_REGION, and nothing was written. If only one of
 * the two was protected as an array, the size alone must be the same.
 *
 * @param type        of the elements: enum seamark_type
 * @param dimensions  1 to 32
 * @param global      the whole array's extents, one per dimension, slowest first; null: this block is the whole
 * @param offset      the whole array's index of the block's first element; null: 0 in each dimension
 * @param local       the block's extents. offset + local is at most global; no array has more than 2^63 - 1 bytes
 * @return as seamark_protect(); SEAMARK_E_ARGUMENT: there can be no such array (the message says why)
 */
SEAMARK_PUBLIC int seamark_protect_array(const char *name, void *data, int type, int dimensions, const uint64_t *global,
					 const uint64_t *offset, const uint64_t *local);

/**
 * As seamark_protect_array(), for a block with ghost cells (a halo): a border where copies of other ranks' elements stand, or values beyond the
 * array's edge. The border is saved and restored with the block, and is not part of what is exported.
 *
 * @param offset  the whole array's index of the first element that is not a ghost; null: 0 in each dimension
 * @param local   the block's extents in memory, with the border
 * @param before  ghosts at the beginning of each dimension; null: none
 * @param after   ghosts at the end of each dimension; null: none. offset + local - before - after is at most global; without `global` the block
 *                without its border is the whole
 */
SEAMARK_PUBLIC int seamark_protect_array_with_halo(const char *name, void *data, int type, int dimensions, const uint64_t *global,
						   const uint64_t *offset, const uint64_t *local, const uint64_t *before,
						   const uint64_t *after);

/** Bytes going out to a checkpoint; given to a save callback. */
typedef struct seamark_writer seamark_writer;
/** Bytes coming in from a checkpoint; given to a load callback. */
typedef struct seamark_reader seamark_reader;

/**
 * Names state that is not one block of memory. As seamark_protect(), but `save` is called in the cut and streams the state's
 * bytes by seamark_write(), and `load` is called in seamark_restore() (or here, after a restore) and reads them back by
 * seamark_read(), which it need not do to the end. Both return 0, or any other value to say that it failed: a failed
 * save makes the snapshot void, a failed load is SEAMARK_E_REGION. They call no MPI function.
 *
 * @param context  handed to both; owned by the caller
 */
SEAMARK_PUBLIC int seamark_protect_with(const char *name, int (*save)(seamark_writer *to, void *context),
					int (*load)(seamark_reader *from, void *context), void *context);

/** Appends bytes of a region; in a save callback only. @return 0 or SEAMARK_E_MEMORY */
SEAMARK_PUBLIC int seamark_write(seamark_writer *to, const void *data, size_t bytes);

/** Reads the next bytes of a region; in a load callback only. @return 0, or SEAMARK_E_REGION: fewer are left (nothing was read) */
SEAMARK_PUBLIC int seamark_read(seamark_reader *from, void *data, size_t bytes);

/** Forgets a region. Local. Checkpoints taken from now on do not have it. @return 0 or SEAMARK_E_NOT_FOUND */
SEAMARK_PUBLIC int seamark_unprotect(const char *name);

/* --- a restart -------------------------------------------------------------------------------------------------------- */

/**
 * Takes the program back to its newest checkpoint that is whole on all ranks, or to the one that SEAMARK_RESTART names.
 * Collective; once, before the first safepoint. No message of the application may be pending or unreceived here. It may be called again after an
 * error that wrote nothing, when what was wrong has been put right.
 *
 * After an error no checkpoint is taken until a later call succeeds: it would take the place of those that are there.
 *
 * Everything about a checkpoint is read and agreed on before the program's memory is written. A damaged checkpoint is named
 * and the one before it is taken. Messages that were in flight when the checkpoint was taken are delivered to the
 * receives that the program posts from now on.
 *
 * @param step  out, on every rank: the step of the safepoint at which the checkpoint was taken, which the program now
 *              makes again; unchanged if it was SEAMARK_ANY_STEP or the run is fresh. May be null.
 * @return SEAMARK_FRESH or SEAMARK_RESTORED, the same on all ranks; or, the same on all ranks: SEAMARK_E_RANKS,
 *         SEAMARK_E_REGION, SEAMARK_E_VERSION, SEAMARK_E_PERMISSION, SEAMARK_E_NOT_FOUND, SEAMARK_E_IO,
 *         SEAMARK_E_PENDING, SEAMARK_E_BUSY, SEAMARK_E_MEMORY (nothing was written, unless SEAMARK_E_REGION is from a
 *         load callback); SEAMARK_E_DAMAGED: no checkpoint is whole; regions may have been written and are undefined
 */
SEAMARK_PUBLIC int seamark_restore(int64_t *step);

/**
 * The size of a region in the checkpoint that was restored, for programs that learn their sizes from it. Local; after
 * seamark_restore() said SEAMARK_RESTORED, until the first safepoint.
 * @return 0; SEAMARK_E_NOT_FOUND: the checkpoint has no such region on this rank; SEAMARK_E_ORDER
 */
SEAMARK_PUBLIC int seamark_saved_bytes(const char *name, size_t *bytes);

/* --- checkpoints ------------------------------------------------------------------------------------------------------ */

/**
 * Says that the protected regions are whole here, and makes the cut if a snapshot wants it. Local: ranks need not call it
 * together, and it waits for nobody.
 *
 * A *step program* counts its safepoints by a step that all ranks have in common and that never falls: the ranks cut at
 * the same step. Each rank passes every step, or at least the first at or beyond any step.
 *
 * An *event program* (work stealing, discrete events, servers) passes SEAMARK_ANY_STEP at the top of its loop. Its
 * safepoint stays *open* until the next MPI call that sends, begins a collective, completes any request of the application,
 * hands it a received message, or returns having found nothing; posting a receive leaves it open, and so does a probe that
 * finds a message, until the receive. While it is open the program must not change protected memory: a rank that waits
 * for a message there can make its cut there. This cannot be checked.
 *
 * @return 1 if the cut was made here (in an event program: since the last safepoint), else 0; SEAMARK_E_ARGUMENT: a
 *         negative or falling step; SEAMARK_E_ORDER; SEAMARK_E_REGION: a region of the restored checkpoint has not been
 *         protected (no snapshot can be taken until it is); SEAMARK_E_NO_WRAPPERS
 */
SEAMARK_PUBLIC int seamark_safepoint(int64_t step);

/** Asks for a checkpoint, soon. Local; any rank. Waits for nothing. @return 0, or SEAMARK_E_UNABLE */
SEAMARK_PUBLIC int seamark_request(void);

/**
 * Waits until the checkpoint that was asked for (by any rank, as far as this one knows) has its outcome. Local; but the outcome needs
 * every rank: wait where no other rank needs a message or a collective of this one before it comes back to a safepoint, or with a limit.
 * seamark_checkpoint() is the call for ranks that come together.
 * @param timeout_s  the longest time to wait; negative: no limit
 * @return 0: committed, or nothing was asked for; SEAMARK_E_NOT_CUT: this rank must first come to a safepoint;
 *         SEAMARK_E_VOID: the attempt was given up (and is made again, if that can help); SEAMARK_E_TIMEOUT
 */
SEAMARK_PUBLIC int seamark_wait(double timeout_s);

/**
 * Takes a checkpoint here. Collective: a safepoint of all ranks at the same step (or all SEAMARK_ANY_STEP) that returns with
 * the outcome. Messages may be in flight.
 * @return 0: committed; SEAMARK_E_VOID; SEAMARK_E_UNABLE; SEAMARK_E_TIMEOUT: the attempt goes on, and the next call waits for
 *         its outcome before it makes its own; SEAMARK_E_BUSY, SEAMARK_E_PERMISSION, SEAMARK_E_IO, SEAMARK_E_SPACE: the
 *         checkpoint folder cannot be used; else as seamark_safepoint()
 */
SEAMARK_PUBLIC int seamark_checkpoint(int64_t step, double timeout_s);

/**
 * The last checkpoint that this rank knows to be committed, in this life or restored from. Local.
 * @param number  out, may be null: its number
 * @param step    out, may be null: its step, or SEAMARK_ANY_STEP
 * @return 1, or 0 if there is none (nothing is written)
 */
SEAMARK_PUBLIC int seamark_committed(int64_t *number, int64_t *step);

/**
 * Whether someone asked the program to checkpoint and leave (the signal SEAMARK_STOP_SIGNAL, or a file `stop` in the
 * checkpoint folder) and that checkpoint is committed. Local. In step programs the safepoint that cuts for a stop waits for
 * the outcome, and this is then true on all ranks at the same step. In event programs it becomes true on each rank in its own
 * time, and leaving together is the program's business.
 * @return 1 or 0
 */
SEAMARK_PUBLIC int seamark_stopping(void);

/* --- the library ------------------------------------------------------------------------------------------------------ */

/** The version of the library, "major.minor.patch". Never freed. */
SEAMARK_PUBLIC const char *seamark_version(void);

/** The text of an error, in lower case, without the details that were logged. Never null, never freed. */
SEAMARK_PUBLIC const char *seamark_strerror(int error);

#ifdef __cplusplus
}
#endif
#endif
