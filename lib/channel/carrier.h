/* SPDX-License-Identifier: BSD-3-Clause */
/* The carrier of Seamark's own messages: orders and markers on a private duplicate of MPI_COMM_WORLD, beside the application's
 * traffic on the same ordered pairs of ranks; the barrier and the reduction that end a snapshot on another. PMPI_ only; errors of MPI on the
 * private communicators are returned, not raised. */
#ifndef CHANNEL_CARRIER_H
#define CHANNEL_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* A message's first part, always eager, received in a receive posted in advance. What does not fit follows in a second one. */
enum { CARRIER_HEAD_BYTES = 1024 };

/* Collective, in MPI_Init. `combine(sum, other)` is the reduction of the verdict: `verdict_bytes` of plain memory; associative and commutative. */
int carrier_open(size_t verdict_bytes, void (*combine)(void *sum, const void *other), struct fault *fault);
/* In the end of MPI_Finalize, when every rank is past carrier_all_finished. */
void carrier_close(void);

/* Sends an order (at most CARRIER_HEAD_BYTES - 8 bytes): not synchronous, copied, never waits. */
int carrier_send_order(int to, const void *data, size_t size, struct fault *fault);
/* Sends a marker: a head (at most CARRIER_HEAD_BYTES - 8 bytes), and counts of any size, which follow in the same message when they fit. Synchronous: done when matched. Copied, never waits. */
int carrier_send_marker(int to, const void *head, size_t head_size, const void *counts, size_t counts_size, struct fault *fault);
/* Whether all marker sends, heads and counts, have completed. */
bool carrier_markers_sent(void);

enum carrier_part {
	CARRIER_NOTHING,
	CARRIER_ORDER,        /* a whole order */
	CARRIER_MARKER_HEAD,  /* a marker's head; its counts follow as CARRIER_MARKER_COUNTS, always (perhaps of size 0, at the next call) */
	CARRIER_MARKER_COUNTS
};
struct carrier_message {
	enum carrier_part part;
	int from;
	const uint8_t *data;  /* valid until the next call */
	size_t size;
};
/* The next message that is here, in order of matching per source; one MPI_Test when nothing is. */
enum carrier_part carrier_receive(struct carrier_message *message);
/* After the barrier: takes the posted receives back (cancel, and receive what cannot be cancelled), so that every marker that was matched has
 * been, or will be, given out by carrier_receive. true when everything matched is given out and complete; call until then. Then posts anew. */
bool carrier_flush(void);

void carrier_enter_barrier(void);
bool carrier_barrier_done(void);
/* Copies `verdict`. */
void carrier_enter_verdict(const void *verdict);
/* When done, fills `sum`. */
bool carrier_verdict_done(void *sum);
/* The last barrier, in MPI_Finalize: a rank enters it once, when it will start no snapshot any more. */
void carrier_enter_finish(void);
bool carrier_all_finished(void);
/* Collective, when all have finished: the sums over all ranks, on rank 0. */
void carrier_add_up(const uint64_t *numbers, uint64_t *sums, int count);

#endif
