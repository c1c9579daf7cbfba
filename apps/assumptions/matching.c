/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "check.h"

enum { LARGE = 1 << 20, HEAD = 1024 };

static const int sizes[] = {0, 8, 4096, 65536, LARGE};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* --- matched probes ---------------------------------------------------------------------------------------------------------- */

/* A receive is posted, then two messages are sent: one for it, and another. When a probe has found the other, the receive is cancelled: that must come too
 * late. */
static void probe_one(MPI_Comm comm, unsigned char *buffer, int turn)
{
	const int bytes = sizes[turn % SIZES];
	const bool any_source = turn / SIZES % 2, any_tag = turn / SIZES / 2 % 2 && !world.control;
	unsigned char other = 0;
	int found = 0, cancelled;
	MPI_Request receive;
	MPI_Message message;
	MPI_Status status;

	MPI_Irecv(buffer, bytes, MPI_BYTE, any_source ? MPI_ANY_SOURCE : world.partner, any_tag ? MPI_ANY_TAG : TAG_A, comm, &receive);
	say_go();
	while (!found)
		MPI_Improbe(world.partner, MPI_ANY_TAG, comm, &found, &message, &status);
	MPI_Cancel(&receive);
	MPI_Send(NULL, 0, MPI_BYTE, world.partner, TAG_BACK, world.talk);
	const int tag = status.MPI_TAG;
	MPI_Wait(&receive, &status);
	MPI_Test_cancelled(&status, &cancelled);
	if (cancelled) {
		violated("a receive of %d bytes had not matched when a later message with tag %d was found", bytes, tag);
		MPI_Recv(buffer, bytes, MPI_BYTE, world.partner, TAG_A, comm, MPI_STATUS_IGNORE);
	}
	if (!is_filled(buffer, (size_t)bytes, (unsigned)turn))
		violated("the receive posted first did not get the message sent first, of %d bytes", bytes);
	MPI_Mrecv(&other, 1, MPI_BYTE, &message, MPI_STATUS_IGNORE);
	if (other != 'b' || tag != TAG_B)
		violated("the probe found a message with tag %d that a receive was posted for", tag);
}

static void send_two(MPI_Comm comm, unsigned char *buffer, int turn)
{
	const int bytes = sizes[turn % SIZES];
	const bool synchronous = turn / SIZES / 4 % 2;
	MPI_Request requests[2];

	fill(buffer, (size_t)bytes, (unsigned)turn);
	await_go();
	if (world.control) { /* the other way round */
		MPI_Isend("b", 1, MPI_BYTE, world.partner, TAG_B, comm, &requests[1]);
		MPI_Recv(NULL, 0, MPI_BYTE, world.partner, TAG_BACK, world.talk, MPI_STATUS_IGNORE);
	}
	if (synchronous)
		MPI_Issend(buffer, bytes, MPI_BYTE, world.partner, TAG_A, comm, &requests[0]);
	else
		MPI_Isend(buffer, bytes, MPI_BYTE, world.partner, TAG_A, comm, &requests[0]);
	if (!world.control) {
		MPI_Isend("b", 1, MPI_BYTE, world.partner, TAG_B, comm, &requests[1]);
		MPI_Recv(NULL, 0, MPI_BYTE, world.partner, TAG_BACK, world.talk, MPI_STATUS_IGNORE);
	}
	MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
}

void check_matched_probe(void)
{
	unsigned char *buffer = malloc(LARGE);
	MPI_Comm comm;

	MPI_Comm_dup(MPI_COMM_WORLD, &comm);
	for (int turn = 0; turn < world.turns; turn++)
		if (world.receives)
			probe_one(comm, buffer, turn);
		else if (world.sends)
			send_two(comm, buffer, turn);
	MPI_Comm_free(&comm);
	free(buffer);
	saw("%d probes, up to %d bytes", world.turns, LARGE);
}

/* --- markers ------------------------------------------------------------------------------------------------------------------- */

static int overtaken;

static void receive_both(MPI_Comm markers, MPI_Comm messages, unsigned char *head, unsigned char *buffer, int turn)
{
	const int bytes = sizes[turn % SIZES];
	const bool posted = turn / SIZES % 2;
	int here;
	MPI_Request marker, message;

	MPI_Irecv(head, HEAD, MPI_BYTE, world.partner, TAG_A, markers, &marker);
	if (posted)
		MPI_Irecv(buffer, bytes, MPI_BYTE, world.partner, TAG_A, messages, &message);
	say_go();
	if (posted)
		MPI_Wait(&message, MPI_STATUS_IGNORE);
	else
		MPI_Recv(buffer, bytes, MPI_BYTE, world.partner, TAG_A, messages, MPI_STATUS_IGNORE);
	MPI_Test(&marker, &here, MPI_STATUS_IGNORE); /* one look, as Seamark looks before it tells */
	if (!here) {
		overtaken++;
		MPI_Wait(&marker, MPI_STATUS_IGNORE);
	}
	if (!is_filled(head, turn / SIZES / 2 % 2 ? HEAD : 64, (unsigned)turn))
		violated("a marker has changed on its way");
}

static void send_both(MPI_Comm markers, MPI_Comm messages, unsigned char *head, unsigned char *buffer, int turn)
{
	const int bytes = sizes[turn % SIZES], head_bytes = turn / SIZES / 2 % 2 ? HEAD : 64;
	MPI_Request marker;

	fill(head, (size_t)head_bytes, (unsigned)turn);
	await_go();
	if (!world.control)
		MPI_Issend(head, head_bytes, MPI_BYTE, world.partner, TAG_A, markers, &marker);
	MPI_Send(buffer, bytes, MPI_BYTE, world.partner, TAG_A, messages);
	if (world.control) {
		nap_ms(1);
		MPI_Issend(head, head_bytes, MPI_BYTE, world.partner, TAG_A, markers, &marker);
	}
	MPI_Wait(&marker, MPI_STATUS_IGNORE);
}

void check_eager_markers(void)
{
	unsigned char *buffer = calloc(1, LARGE), head[HEAD];
	MPI_Comm markers, messages;

	overtaken = 0;
	MPI_Comm_dup(MPI_COMM_WORLD, &markers);
	MPI_Comm_dup(MPI_COMM_WORLD, &messages);
	for (int turn = 0; turn < world.turns; turn++)
		if (world.receives)
			receive_both(markers, messages, head, buffer, turn);
		else if (world.sends)
			send_both(markers, messages, head, buffer, turn);
	MPI_Comm_free(&messages);
	MPI_Comm_free(&markers);
	free(buffer);
	if (overtaken)
		violated("%d of %d markers were overtaken", overtaken, world.turns);
	saw("%d markers, none overtaken by messages of up to %d bytes", world.turns, LARGE);
}
