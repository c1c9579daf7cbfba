/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/carrier.h"

#include <assert.h>
#include <limits.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/likely.h"

enum { RING = 16, ENVELOPE_BYTES = 8 };
enum { TAG_HEAD, TAG_REST };
enum { KIND_ORDER = 1, KIND_MARKER = 2 };

/* A message on its way out. */
struct sending {
	struct sending *next;
	MPI_Request request;
	uint8_t bytes[];
};

/* The counts of a marker that did not fit behind its head. */
struct rest {
	struct rest *next;
	MPI_Request request;
	int from;
	size_t size;
	uint8_t bytes[];
};

struct slot {
	MPI_Request request; /* null: it holds a message, or was taken back */
	int from;
	size_t size;         /* 0: it holds none */
	uint8_t bytes[CARRIER_HEAD_BYTES];
};

/* Messages, the snapshot's barrier and reduction, and the last barrier are apart: a rank may enter the last one while others are in a snapshot. */
static MPI_Comm messages = MPI_COMM_NULL, meetings = MPI_COMM_NULL, farewell = MPI_COMM_NULL;
static struct slot ring[RING];
static unsigned turn;          /* the slot that was posted longest ago: messages are matched in the order of posting */
static bool given;             /* the message in slot `turn` was given out, and its slot is free at the next call */
static size_t counts_at;       /* where in slot `turn` the counts are that come next; 0: none */
static bool flushing;
static struct rest *rests;     /* in order of matching */
static struct rest *rest_given;
static struct sending *orders, *markers;
static MPI_Request barrier = MPI_REQUEST_NULL, reduction = MPI_REQUEST_NULL, finish = MPI_REQUEST_NULL;

static struct {
	size_t bytes;
	void *mine, *sum;
	MPI_Datatype type;
	MPI_Op op;
	void (*combine)(void *sum, const void *other);
} verdict = {.type = MPI_DATATYPE_NULL, .op = MPI_OP_NULL};

static void combine_all(void *in, void *inout, int *count, MPI_Datatype *type)
{
	(void)type;
	for (int i = 0; i < *count; i++)
		verdict.combine((char *)inout + (size_t)i * verdict.bytes, (const char *)in + (size_t)i * verdict.bytes);
}

static void post(struct slot *slot)
{
	slot->size = 0;
	if (PMPI_Irecv(slot->bytes, CARRIER_HEAD_BYTES, MPI_BYTE, MPI_ANY_SOURCE, TAG_HEAD, messages, &slot->request) != MPI_SUCCESS)
		slot->request = MPI_REQUEST_NULL;
}

static int duplicate(MPI_Comm *comm, struct fault *fault)
{
	if (PMPI_Comm_dup(MPI_COMM_WORLD, comm) != MPI_SUCCESS)
		return fault_set(fault, SEAMARK_E_MEMORY, "cannot duplicate MPI_COMM_WORLD");
	PMPI_Comm_set_errhandler(*comm, MPI_ERRORS_RETURN);
	return 0;
}

int carrier_open(size_t verdict_bytes, void (*combine)(void *sum, const void *other), struct fault *fault)
{
	int result = duplicate(&messages, fault);
	if (result == 0)
		result = duplicate(&meetings, fault);
	if (result == 0)
		result = duplicate(&farewell, fault);
	if (result < 0)
		return result;
	verdict.bytes = verdict_bytes;
	verdict.combine = combine;
	verdict.mine = calloc(1, verdict_bytes);
	verdict.sum = calloc(1, verdict_bytes);
	if (verdict.mine == NULL || verdict.sum == NULL)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the verdict of snapshots");
	if (PMPI_Type_contiguous((int)verdict_bytes, MPI_BYTE, &verdict.type) != MPI_SUCCESS ||
	    PMPI_Type_commit(&verdict.type) != MPI_SUCCESS || PMPI_Op_create(combine_all, 1, &verdict.op) != MPI_SUCCESS)
		return fault_set(fault, SEAMARK_E_MEMORY, "cannot make the reduction of snapshots");
	for (int i = 0; i < RING; i++)
		post(&ring[i]);
	return 0;
}

static void take_back(MPI_Request *request)
{
	if (*request == MPI_REQUEST_NULL)
		return;
	PMPI_Cancel(request);
	PMPI_Wait(request, MPI_STATUS_IGNORE);
}

/* Frees those that have completed. */
static void reap(struct sending **list)
{
	while (*list) {
		int complete = 0;
		if (PMPI_Test(&(*list)->request, &complete, MPI_STATUS_IGNORE) == MPI_SUCCESS && !complete) {
			list = &(*list)->next;
			continue;
		}
		struct sending *done = *list;
		*list = done->next;
		free(done);
	}
}

/* What is still under way may yet be read by MPI: it is left to the end of the process. */
static void abandon(struct sending **list)
{
	reap(list);
	for (struct sending *left = *list; left; left = left->next)
		PMPI_Request_free(&left->request);
	*list = NULL;
}

void carrier_close(void)
{
	if (messages == MPI_COMM_NULL)
		return;
	for (int i = 0; i < RING; i++)
		take_back(&ring[i].request);
	abandon(&orders);
	abandon(&markers);
	free(rest_given);
	rest_given = NULL;
	while (rests) {
		struct rest *next = rests->next;
		take_back(&rests->request);
		free(rests);
		rests = next;
	}
	if (verdict.op != MPI_OP_NULL)
		PMPI_Op_free(&verdict.op);
	if (verdict.type != MPI_DATATYPE_NULL)
		PMPI_Type_free(&verdict.type);
	free(verdict.mine);
	free(verdict.sum);
	verdict.mine = verdict.sum = NULL;
	PMPI_Comm_free(&messages);
	if (meetings != MPI_COMM_NULL)
		PMPI_Comm_free(&meetings);
	if (farewell != MPI_COMM_NULL)
		PMPI_Comm_free(&farewell);
	turn = 0;
	counts_at = 0;
	given = flushing = false;
}

/* --- sending ---------------------------------------------------------------------------------------------------------- */

/* Before every first part: what it is, the size of its head, and the size of what follows in a second message. */
static void put_envelope(uint8_t *to, unsigned kind, size_t head, size_t following)
{
	uint64_t word = kind | (uint64_t)head << 8 | (uint64_t)following << 24;
	memcpy(to, &word, ENVELOPE_BYTES);
}

static int send(struct sending **list, int to, int tag, struct sending *sending, size_t size, bool synchronous, struct fault *fault)
{
	int error = synchronous ? PMPI_Issend(sending->bytes, (int)size, MPI_BYTE, to, tag, messages, &sending->request)
				: PMPI_Isend(sending->bytes, (int)size, MPI_BYTE, to, tag, messages, &sending->request);
	if (error != MPI_SUCCESS) {
		free(sending);
		return fault_set(fault, SEAMARK_E_IO, "MPI cannot send to rank %d", to);
	}
	sending->next = *list;
	*list = sending;
	return 0;
}

static struct sending *sending_new(size_t size, struct fault *fault)
{
	struct sending *sending = malloc(sizeof *sending + size);
	if (sending == NULL)
		fault_set(fault, SEAMARK_E_MEMORY, "no memory for a message of %zu bytes", size);
	return sending;
}

int carrier_send_order(int to, const void *data, size_t size, struct fault *fault)
{
	reap(&orders);
	if (size > CARRIER_HEAD_BYTES - ENVELOPE_BYTES)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "an order of %zu bytes is too long", size);
	struct sending *sending = sending_new(ENVELOPE_BYTES + size, fault);
	if (sending == NULL)
		return SEAMARK_E_MEMORY;
	put_envelope(sending->bytes, KIND_ORDER, size, 0);
	if (size)
		memcpy(sending->bytes + ENVELOPE_BYTES, data, size);
	return send(&orders, to, TAG_HEAD, sending, ENVELOPE_BYTES + size, false, fault);
}

int carrier_send_marker(int to, const void *head, size_t head_size, const void *counts, size_t counts_size, struct fault *fault)
{
	size_t first = ENVELOPE_BYTES + head_size;
	if (first > CARRIER_HEAD_BYTES || counts_size > INT_MAX)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "a marker of %zu and %zu bytes is too long", head_size, counts_size);
	bool fits = first + counts_size <= CARRIER_HEAD_BYTES;
	if (fits)
		first += counts_size;
	struct sending *sending = sending_new(first, fault);
	struct sending *following = fits || sending == NULL ? NULL : sending_new(counts_size, fault);
	if (sending == NULL || (!fits && following == NULL)) {
		free(sending);
		return SEAMARK_E_MEMORY;
	}
	put_envelope(sending->bytes, KIND_MARKER, head_size, fits ? 0 : counts_size);
	if (head_size)
		memcpy(sending->bytes + ENVELOPE_BYTES, head, head_size);
	if (counts_size)
		memcpy(fits ? sending->bytes + ENVELOPE_BYTES + head_size : following->bytes, counts, counts_size);
	int result = send(&markers, to, TAG_HEAD, sending, first, true, fault);
	if (following == NULL)
		return result;
	crash_point("marker-between-head-and-counts");
	if (result < 0) {
		free(following);
		return result;
	}
	return send(&markers, to, TAG_REST, following, counts_size, true, fault);
}

bool carrier_markers_sent(void)
{
	/* One that is incomplete is enough to know: the others are not asked, which may be many. */
	while (markers) {
		int complete = 0;
		if (PMPI_Test(&markers->request, &complete, MPI_STATUS_IGNORE) == MPI_SUCCESS && !complete)
			break;
		struct sending *done = markers;
		markers = done->next;
		free(done);
	}
	return markers == NULL;
}

/* --- receiving -------------------------------------------------------------------------------------------------------- */

static enum carrier_part give(struct carrier_message *message, enum carrier_part part, int from, const uint8_t *data, size_t size)
{
	*message = (struct carrier_message){part, from, data, size};
	return part;
}

/* A marker whose counts come in a second message: receives it. */
static bool expect_rest(int from, size_t size)
{
	struct rest *rest = size <= INT_MAX ? malloc(sizeof *rest + size) : NULL;
	if (rest == NULL)
		return false;
	*rest = (struct rest){.from = from, .size = size, .request = MPI_REQUEST_NULL};
	if (PMPI_Irecv(rest->bytes, (int)size, MPI_BYTE, from, TAG_REST, messages, &rest->request) != MPI_SUCCESS) {
		free(rest);
		return false;
	}
	struct rest **last = &rests;
	while (*last)
		last = &(*last)->next;
	*last = rest;
	return true;
}

static enum carrier_part take_rest(struct carrier_message *message)
{
	for (struct rest **link = &rests; *link; link = &(*link)->next) {
		int complete = 0;
		PMPI_Test(&(*link)->request, &complete, MPI_STATUS_IGNORE);
		if (!complete)
			continue;
		rest_given = *link;
		*link = rest_given->next;
		return give(message, CARRIER_MARKER_COUNTS, rest_given->from, rest_given->bytes, rest_given->size);
	}
	return CARRIER_NOTHING;
}

/* The message in a slot. Without memory for the second part the first waits, and is looked at again. */
static enum carrier_part open_slot(const struct slot *slot, struct carrier_message *message)
{
	uint64_t word;
	memcpy(&word, slot->bytes, ENVELOPE_BYTES);
	size_t head = (word >> 8) & 0xFFFF, following = (size_t)(word >> 24);
	const uint8_t *data = slot->bytes + ENVELOPE_BYTES;
	assert(ENVELOPE_BYTES + head <= slot->size);
	if (following && !expect_rest(slot->from, following))
		return CARRIER_NOTHING;
	given = true;
	if ((word & 0xFF) == KIND_ORDER)
		return give(message, CARRIER_ORDER, slot->from, data, head);
	counts_at = following ? 0 : ENVELOPE_BYTES + head;
	return give(message, CARRIER_MARKER_HEAD, slot->from, data, head);
}

/* What has become of a slot's receive: true if it is over, with or without a message. */
static bool settle(struct slot *slot)
{
	int complete = 0, cancelled = 0, size = 0;
	MPI_Status status;
	PMPI_Test(&slot->request, &complete, &status);
	if (likely(!complete))
		return false;
	slot->request = MPI_REQUEST_NULL;
	slot->size = 0;
	PMPI_Test_cancelled(&status, &cancelled);
	if (!cancelled && PMPI_Get_count(&status, MPI_BYTE, &size) == MPI_SUCCESS && size >= ENVELOPE_BYTES) {
		slot->from = status.MPI_SOURCE;
		slot->size = (size_t)size;
	}
	return true;
}

/* The slot that was posted longest ago is free: it becomes the last one. */
static void next_slot(void)
{
	if (!flushing)
		post(&ring[turn]);
	else
		ring[turn].size = 0;
	turn = (turn + 1) % RING;
	given = false;
}

enum carrier_part carrier_receive(struct carrier_message *message)
{
	struct slot *slot = &ring[turn];
	if (unlikely(counts_at)) {
		size_t at = counts_at;
		counts_at = 0;
		return give(message, CARRIER_MARKER_COUNTS, slot->from, slot->bytes + at, slot->size - at);
	}
	if (unlikely(given))
		next_slot();
	if (unlikely(rest_given)) {
		free(rest_given);
		rest_given = NULL;
	}
	if (unlikely(rests) && take_rest(message) != CARRIER_NOTHING)
		return message->part;
	for (int looked = 0; looked < RING; looked++, next_slot()) {
		slot = &ring[turn];
		if (slot->request != MPI_REQUEST_NULL && !settle(slot))
			break;
		if (slot->size)
			return open_slot(slot, message);
	}
	message->part = CARRIER_NOTHING;
	return CARRIER_NOTHING;
}

bool carrier_flush(void)
{
	if (!flushing) {
		/* A receive that was cancelled in vain has a message, and carrier_receive gives it out. */
		flushing = true;
		for (int i = 0; i < RING; i++)
			if (ring[i].request != MPI_REQUEST_NULL)
				PMPI_Cancel(&ring[i].request);
	}
	if (rests || counts_at)
		return false;
	for (int i = 0; i < RING; i++) {
		struct slot *slot = &ring[(turn + (unsigned)i) % RING];
		if (i == 0 && given)
			continue;
		if ((slot->request != MPI_REQUEST_NULL && !settle(slot)) || slot->size)
			return false;
	}
	/* Slot `turn` may hold what was given out last, and is posted at the next call. */
	flushing = false;
	for (unsigned i = given ? 1 : 0; i < RING; i++)
		post(&ring[(turn + i) % RING]);
	return true;
}

/* --- together --------------------------------------------------------------------------------------------------------- */

static bool done(MPI_Request *request)
{
	int complete = 0;
	return PMPI_Test(request, &complete, MPI_STATUS_IGNORE) != MPI_SUCCESS || complete;
}

void carrier_enter_barrier(void)
{
	PMPI_Ibarrier(meetings, &barrier);
}

bool carrier_barrier_done(void)
{
	return done(&barrier);
}

void carrier_enter_verdict(const void *own)
{
	memcpy(verdict.mine, own, verdict.bytes);
	PMPI_Iallreduce(verdict.mine, verdict.sum, 1, verdict.type, verdict.op, meetings, &reduction);
}

bool carrier_verdict_done(void *sum)
{
	if (!done(&reduction))
		return false;
	memcpy(sum, verdict.sum, verdict.bytes);
	return true;
}

void carrier_enter_finish(void)
{
	PMPI_Ibarrier(farewell, &finish);
}

bool carrier_all_finished(void)
{
	return done(&finish);
}

void carrier_add_up(const uint64_t *numbers, uint64_t *sums, int count)
{
	PMPI_Reduce(numbers, sums, count, MPI_UINT64_T, MPI_SUM, 0, farewell);
}
