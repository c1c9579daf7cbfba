/* SPDX-License-Identifier: BSD-3-Clause */
/* The recorder: the content of messages as packed bytes, and back into the application's buffers, by messages to oneself on a private duplicate
 * of MPI_COMM_SELF (docs/design.md says why not MPI_Pack). PMPI_ only. */
#ifndef CHANNEL_RECORDER_H
#define CHANNEL_RECORDER_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "channel/mailbox.h"

int recorder_open(struct fault *fault);
void recorder_close(void);

/* PMPI_Request_get_status that raises no error: MPICH calls the error handler of MPI_COMM_WORLD for a truncated receive, whatever its communicator.
 * Returns what MPI does; a request that is complete with an error has *complete set. */
int recorder_ask(MPI_Request request, int *complete, MPI_Status *status);

/* Bytes of the message of a complete receive (or probe), or -1 if the status does not say. */
int64_t recorder_bytes(const MPI_Status *status);

/* Packs what a complete receive put into (buffer, count, type); `bytes` of it, from its status. *data is owned by the caller (free). bytes larger than the receive holds
 * is SEAMARK_E_VOID: the message was truncated. */
int recorder_pack(const void *buffer, int count, MPI_Datatype type, int64_t bytes, void **data, struct fault *fault);

/* Packs the whole of (buffer, count, type), as a send would. */
int recorder_pack_all(const void *buffer, int count, MPI_Datatype type, void **data, int64_t *bytes, struct fault *fault);

/* How packed bytes are named in a send or a receive: count items of a type, which recorder_unname frees. MPI_PACKED as far as an int counts, then blocks and a rest. */
struct recorder_named { MPI_Datatype type; int count; };
int recorder_name(int64_t bytes, struct recorder_named *named);
void recorder_unname(struct recorder_named *named);

/* Puts a mail into (buffer, count, type) and makes up the status of its receive: source, tag, count, elements, not cancelled. What does not fit is cut and the result
 * is MPI_ERR_TRUNCATE, which the caller hands to the communicator's error handler; else an MPI error code. status may be MPI_STATUS_IGNORE. */
int recorder_deliver(struct mail *mail, void *buffer, int count, MPI_Datatype type, MPI_Status *status);
/* As recorder_deliver, but gives a real request, complete or soon complete; source and tag of its status are still to be rewritten with recorder_address. */
int recorder_deliver_request(struct mail *mail, void *buffer, int count, MPI_Datatype type, MPI_Request *request, bool *truncated);
void recorder_address(const struct mail *mail, MPI_Status *status);
/* The status that a probe of this mail has. */
int recorder_probe_status(const struct mail *mail, MPI_Status *status);

/* A message to oneself without content, matched: what the application has in its hands for a mail that a matched probe has found. MPI's error code. */
int recorder_stand_in(MPI_Message *message, MPI_Request *sending);
/* It is received. Not before that may its sending be freed: MPICH 4.0 crashes. */
void recorder_end_stand_in(MPI_Message *message, MPI_Request sending);

/* Whether a mail's data is here; tests the request under which it is on its way. */
bool recorder_arrived(struct mail *mail);

/* Takes a message out of the MPI library into a mail, and waits for nobody: a large one may still be arriving. Peeks at `source` (any tag) on `comm`; if `wanted(context, tag)` agrees, takes it by matched probe.
 * 1: *mail has data, source and tag (owned by the caller); 0: nothing there, or not wanted. Negative: an error. */
int recorder_drain(MPI_Comm comm, int source, bool (*wanted)(void *context, int tag), void *context, struct mail **mail, struct fault *fault);

#endif
