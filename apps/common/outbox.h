/* SPDX-License-Identifier: BSD-3-Clause */
/* Small messages on their way out, for the example programs that may never block in a send: the bytes are copied
 * and sent with MPI_Isend.
 *
 * An outbox is not part of the protected state. A send that was begun before a cut has happened, as far as a
 * checkpoint is concerned: Seamark brings the message back, and the program does not send it again. */
#ifndef COMMON_OUTBOX_H
#define COMMON_OUTBOX_H

#include <mpi.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { OUTBOX_LARGEST = 512 }; /* bytes of a message */

struct outbox {
	int slots;
	int free_count;
	int *free_slots;
	int *done;               /* room for the answer of MPI_Testsome */
	MPI_Request *requests;   /* null in the free slots */
	unsigned char (*bytes)[OUTBOX_LARGEST];
};

static inline bool outbox_open(struct outbox *outbox, int slots)
{
	*outbox = (struct outbox){.slots = slots, .free_count = slots};
	outbox->free_slots = calloc((size_t)slots, sizeof *outbox->free_slots);
	outbox->done = calloc((size_t)slots, sizeof *outbox->done);
	outbox->requests = calloc((size_t)slots, sizeof *outbox->requests);
	outbox->bytes = calloc((size_t)slots, sizeof *outbox->bytes);
	if (!outbox->free_slots || !outbox->done || !outbox->requests || !outbox->bytes)
		return false;
	for (int i = 0; i < slots; i++) {
		outbox->free_slots[i] = i;
		outbox->requests[i] = MPI_REQUEST_NULL;
	}
	return true;
}

/* Whether so many messages can be put in. Looks after what has left only if it must. */
static inline bool outbox_has_room(struct outbox *outbox, int messages)
{
	int count;

	if (outbox->free_count >= messages)
		return true;
	MPI_Testsome(outbox->slots, outbox->requests, &count, outbox->done, MPI_STATUSES_IGNORE);
	for (int i = 0; count != MPI_UNDEFINED && i < count; i++)
		outbox->free_slots[outbox->free_count++] = outbox->done[i];
	return outbox->free_count >= messages;
}

/* There must be room. At most OUTBOX_LARGEST bytes. */
static inline void outbox_send(struct outbox *outbox, int destination, int tag, const void *data, size_t bytes)
{
	int slot = outbox->free_slots[--outbox->free_count];

	if (bytes > 0)
		memcpy(outbox->bytes[slot], data, bytes);
	MPI_Isend(outbox->bytes[slot], (int)bytes, MPI_BYTE, destination, tag, MPI_COMM_WORLD, &outbox->requests[slot]);
}

/* Waits until everything has left. */
static inline void outbox_close(struct outbox *outbox)
{
	if (outbox->requests != NULL)
		MPI_Waitall(outbox->slots, outbox->requests, MPI_STATUSES_IGNORE);
	free(outbox->free_slots);
	free(outbox->done);
	free(outbox->requests);
	free(outbox->bytes);
	*outbox = (struct outbox){0};
}

#endif
