/* SPDX-License-Identifier: BSD-3-Clause */
/* What a simulated program calls: MPI through the wrappers, and Seamark by name. In every call others may go on first. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

static struct request *new_request(struct rank *rank, enum request_kind kind, int comm, int peer, int tag)
{
	struct request *request = calloc(1, sizeof *request);
	rank->made = grown(rank->made, rank->made_count, &rank->made_room, sizeof *rank->made);
	rank->made[rank->made_count++] = request;
	request->handle = rank->made_count * 64;
	request->kind = kind;
	request->owner = rank->rank;
	request->comm = comm;
	request->source = peer;
	request->tag = tag;
	return request;
}

/* place: where in the program. Where all orders are explored a program that found nothing waits until there is something to find. */
static void begin_call(struct rank *rank, const void *place)
{
	rank->place = place;
	if (rank->idle && rank->world->explored)
		rest(rank);
	else
		yield(rank);
	rank->idle = false;
}

static void enter(struct rank *rank, const void *place)
{
	begin_call(rank, place);
	driver_turn(rank);
}

#define HERE __builtin_return_address(0)

static uint64_t outgoing(const struct rank *rank, int comm, int target, int tag)
{
	return ledger_key((unsigned)rank->comm_index[comm], (unsigned)target, (unsigned)tag);
}

/* --- Seamark ------------------------------------------------------------------------------------------------------------- */

void app_safepoint(struct rank *rank, int64_t step)
{
	begin_call(rank, HERE);
	driver_poll(rank);
	/* Away: what would have been a safepoint is none. */
	if (rank->away_until_ns > rank->world->now_ns && !rank->world->calm)
		return;
	note_only(rank, "safepoint", rank->cut_epoch, NULL, "step %lld", (long long)step);
	rank->open = step < 0;
	driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = step});
	if (rank->thread_count > 1)
		rank->open = false; /* other threads may change the state again */
}

/* As in the library: the n-th call of each rank is answered by the n-th attempt of this kind, which may be over, void, before a rank comes. */
void app_checkpoint(struct rank *rank, int64_t step)
{
	if (rank->world->quiet) {
		app_safepoint(rank, step);
		return;
	}
	yield(rank);
	driver_poll(rank);
	rank->open = step < 0;
	rank->collective_calls++;
	if (rank->rank == 0)
		driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_COLLECTIVE});
	driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_ENTER, .step = step});
	while (rank->collective_ended < rank->collective_calls) {
		rest(rank);
		driver_poll(rank);
	}
	driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_LEAVE});
}

void app_finalize(struct rank *rank)
{
	rank->finalizing = true;
	paths[PATH_OPEN_AT_END] += rank->open;
	driver_feed(rank, (struct snapshot_event){.kind = SNAPSHOT_FINALIZE});
	do {
		rest(rank);
		driver_poll(rank);
	} while (!driver_may_leave(rank));
	rank->left = true;
	rank->world->left_count++;
}

/* --- sends ----------------------------------------------------------------------------------------------------------------- */

static struct message *start_send(struct rank *rank, int comm, int target, int tag, int64_t a, int64_t b)
{
	ledger_stream(&rank->ledger.sent, outgoing(rank, comm, target, tag))->total++;
	struct message *message = net_send(rank, target, comm, tag);
	message->payload = (struct payload){a, b};
	oracle_sent(rank, message);
	note(rank, "send", rank->cut_epoch, message, "%s", "");
	spoke(rank, 's', comm, target, tag, &message->payload);
	return message;
}

void app_send(struct rank *rank, int comm, int target, int tag, int64_t a, int64_t b)
{
	enter(rank, HERE);
	rank->open = false;
	struct message *message = start_send(rank, comm, target, tag, a, b);
	if (target == rank->rank || !rank->world->program->blocking || !chance(rank->world, rank->world->options.rendezvous))
		return;
	/* A blocking send answers nobody until it is matched. */
	struct request *request = new_request(rank, REQUEST_SEND, comm, target, tag);
	message->sender = request;
	int thread = rank->thread;
	rank->threads[thread].blocked = true;
	while (!request->done)
		rest(rank);
	rank->threads[thread].blocked = false;
}

struct request *app_isend(struct rank *rank, int comm, int target, int tag, int64_t a, int64_t b)
{
	enter(rank, HERE);
	rank->open = false;
	struct message *message = start_send(rank, comm, target, tag, a, b);
	struct request *request = new_request(rank, REQUEST_SEND, comm, target, tag);
	if (chance(rank->world, rank->world->options.rendezvous))
		message->sender = request;
	else
		request->done = true;
	return request;
}

struct request *app_issend(struct rank *rank, int comm, int target, int tag, int64_t a, int64_t b)
{
	enter(rank, HERE);
	rank->open = false;
	struct request *request = new_request(rank, REQUEST_SYNCHRONOUS, comm, target, tag);
	struct message *message = start_send(rank, comm, target, tag, a, b);
	message->sender = request;
	struct shadow *shadow = shadow_add(&rank->sequence.shadows, request->handle);
	shadow->kind = SHADOW_SYNCHRONOUS;
	shadow->key = outgoing(rank, comm, target, tag);
	struct ledger_stream *stream = ledger_stream(&rank->ledger.sent, shadow->key);
	shadow->position = stream->total;
	stream->seen++;
	rank->synchronous_pending++;
	return request;
}

/* --- receives ------------------------------------------------------------------------------------------------------------------ */

struct request *app_irecv(struct rank *rank, int comm, int source, int tag)
{
	enter(rank, HERE);
	struct request *request = new_request(rank, REQUEST_RECEIVE, comm, source, tag);
	tick(rank);
	memcpy(request->clock, rank->clock, sizeof request->clock);
	note_only(rank, "posts", rank->cut_epoch, NULL, "%" PRIu64 " communicator %d source %d tag %d", request->handle, comm, source, tag);
	struct shadow *shadow = shadow_add(&rank->sequence.shadows, request->handle);
	struct mail *mail = mailbox_find(&rank->mailbox, (unsigned)rank->comm_index[comm], source, tag);
	if (mail) {
		request->kind = REQUEST_DELIVERY;
		request->mail = mail;
		request->done = true;
		memcpy(&request->message, mail->data, sizeof request->message);
		oracle_got(rank, request, request->message);
		request->message->state = MESSAGE_DELIVERED;
		mailbox_remove(&rank->mailbox, mail);
		shadow->kind = SHADOW_DELIVERY;
		shadow->extra = (uint64_t)(uintptr_t)mail;
		return request;
	}
	shadow->kind = SHADOW_RECEIVE;
	shadow->key = ledger_key((unsigned)rank->comm_index[comm], source == ANY ? 0 : (unsigned)source, tag == ANY ? 0 : (unsigned)tag);
	shadow->flags = (uint8_t)((source == ANY ? SHADOW_ANY_SOURCE : 0) | (tag == ANY ? SHADOW_ANY_TAG : 0));
	position_post(&rank->sequence, &rank->ledger, shadow);
	net_post(rank, request);
	return request;
}

/* The request is complete in MPI, and the application is told. */
static void tell(struct rank *rank, struct request *request, struct status *status)
{
	struct status ignored;
	status = status ? status : &ignored;
	driver_before_telling(rank);
	*status = (struct status){.cancelled = request->cancelled};
	if (request->message && !request->cancelled)
		*status = (struct status){request->message->source, request->message->tag, request->message->payload, false};
	if (request->kind == REQUEST_DELIVERY) {
		driver_told_mail(rank, request);
	} else if (request->kind == REQUEST_RECEIVE) {
		if (request->cancelled)
			driver_told_cancelled(rank, request);
		else
			driver_told(rank, request);
	} else if (request->kind == REQUEST_SYNCHRONOUS) {
		driver_told_synchronous(rank, request);
		rank->synchronous_pending--;
	} else if (request->kind == REQUEST_COLLECTIVE) {
		merge(rank->clock, net_collective(rank->world, request->comm, request->count)->clock);
		rank->collectives_pending--;
	}
	rank->open = false;
}

static bool is_done(struct rank *rank, struct request *request)
{
	if (request->kind == REQUEST_COLLECTIVE && !request->done)
		request->done = net_collective(rank->world, request->comm, request->count)->entered == rank->world->ranks &&
				maybe(rank->world, 40, true);
	return request->done;
}

bool app_test(struct rank *rank, struct request *request, struct status *status)
{
	enter(rank, HERE);
	if (is_done(rank, request)) {
		tell(rank, request, status);
		return true;
	}
	rank->open = false;
	rank->idle = true;
	return false;
}

void app_wait(struct rank *rank, struct request *request, struct status *status)
{
	enter(rank, HERE);
	while (!is_done(rank, request)) {
		driver_poll(rank);
		rest(rank);
	}
	tell(rank, request, status);
}

/* One of those that are done, drawn; -1: none. */
static int tell_any(struct rank *rank, struct request **requests, int count, struct status *status)
{
	int first = (int)draw(rank->world, (unsigned)count);
	for (int i = 0; i < count; i++) {
		int at = (first + i) % count;
		if (requests[at] && is_done(rank, requests[at])) {
			tell(rank, requests[at], status);
			return at;
		}
	}
	return -1;
}

int app_testany(struct rank *rank, struct request **requests, int count, struct status *status)
{
	enter(rank, HERE);
	int at = tell_any(rank, requests, count, status);
	if (at < 0) {
		rank->open = false;
		rank->idle = true;
	}
	return at;
}

int app_waitany(struct rank *rank, struct request **requests, int count, struct status *status)
{
	enter(rank, HERE);
	for (;;) {
		int at = tell_any(rank, requests, count, status);
		if (at >= 0)
			return at;
		driver_poll(rank);
		rest(rank);
	}
}

void app_recv(struct rank *rank, int comm, int source, int tag, struct status *status)
{
	app_wait(rank, app_irecv(rank, comm, source, tag), status);
}

bool app_iprobe(struct rank *rank, int comm, int source, int tag, struct status *status)
{
	enter(rank, HERE);
	const struct mail *mail = mailbox_find(&rank->mailbox, (unsigned)rank->comm_index[comm], source, tag);
	const struct message *message;
	if (mail)
		memcpy(&message, mail->data, sizeof message);
	else
		message = net_probe(rank, comm, source, tag);
	if (!message) {
		rank->open = false;
		rank->idle = true;
		return false;
	}
	driver_before_telling(rank);
	if (!mail)
		driver_probed(rank, message);
	*status = (struct status){message->source, message->tag, message->payload, false};
	return true;
}

void app_cancel(struct rank *rank, struct request *request)
{
	enter(rank, HERE);
	if (request->kind == REQUEST_DELIVERY || request->done)
		return;
	note_only(rank, "cancels", rank->cut_epoch, NULL, "%" PRIu64, request->handle);
	position_cancelling(&rank->sequence, shadow_find(&rank->sequence.shadows, request->handle));
	net_cancel(rank, request);
}

/* --- collectives --------------------------------------------------------------------------------------------------------------- */

static uint64_t begin_collective(struct rank *rank, int comm, int64_t value)
{
	rank->open = false;
	tick(rank);
	note(rank, "collective", rank->cut_epoch, NULL, "on %d", comm);
	uint64_t count = ++rank->begun[comm];
	rank->ledger.comms[rank->comm_index[comm]].begun++;
	struct collective *collective = net_collective(rank->world, comm, count);
	if (++collective->entered == rank->world->ranks)
		wake_all(rank->world);
	collective->sum += value;
	merge(collective->clock, rank->clock);
	return count;
}

struct request *app_ibarrier(struct rank *rank, int comm)
{
	enter(rank, HERE);
	struct request *request = new_request(rank, REQUEST_COLLECTIVE, comm, 0, 0);
	request->count = begin_collective(rank, comm, 0);
	rank->collectives_pending++;
	return request;
}

/* Blocking: answers nobody. */
int64_t app_allreduce(struct rank *rank, int comm, int64_t value)
{
	enter(rank, HERE);
	uint64_t count = begin_collective(rank, comm, value);
	int thread = rank->thread;
	rank->threads[thread].blocked = true;
	while (net_collective(rank->world, comm, count)->entered < rank->world->ranks || maybe(rank->world, 50, false))
		rest(rank);
	rank->threads[thread].blocked = false;
	struct collective *collective = net_collective(rank->world, comm, count);
	merge(rank->clock, collective->clock);
	return collective->sum;
}

/* The i-th communicator that the ranks make together has the same number on each. */
int app_comm_dup(struct rank *rank, int comm)
{
	struct world *world = rank->world;
	app_allreduce(rank, comm, 0);
	int made = ++rank->comms_made + OTHER_COMM;
	if (made >= COMMS_MOST)
		fail(world, "too many communicators");
	if (made >= world->comms)
		world->comms = made + 1;
	driver_add_comm(rank, made);
	return made;
}

void app_comm_free(struct rank *rank, int comm)
{
	enter(rank, HERE);
	rank->open = false;
	driver_comm_freeing(rank, comm);
	ledger_free_comm(&rank->ledger, rank->comm_index[comm]);
}
