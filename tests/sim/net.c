/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated MPI: lanes in which messages keep their order, matching by posting order, completion when it pleases. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

static uint64_t lane_key(int source, int target, int lane)
{
	return ((uint64_t)source * RANKS_MOST + (uint64_t)target) * LANES + (uint64_t)lane;
}

/* Its place among the lanes that have been used. */
static size_t lane_made(struct world *world, uint64_t key)
{
	int64_t *place = table_at(&world->lane_index, key);
	if (*place == 0) {
		world->lanes = grown(world->lanes, world->lane_count, &world->lane_room, sizeof *world->lanes);
		world->lanes[world->lane_count++] = (struct lane){0};
		*place = (int64_t)world->lane_count;
	}
	return (size_t)*place - 1;
}

/* lane: a communicator, or LANE_ORDERS, LANE_MARKERS. */
struct message *net_send(struct rank *rank, int target, int lane, int tag)
{
	struct world *world = rank->world;
	struct message *message = calloc(1, sizeof *message);
	message->order = ++world->order;
	message->serial = ++rank->serial;
	message->source = rank->rank;
	message->target = target;
	message->comm = lane;
	message->tag = tag;
	world->messages = grown(world->messages, world->message_count, &world->message_room, sizeof *world->messages);
	world->messages[world->message_count++] = message;
	size_t number = lane_made(world, lane_key(rank->rank, target, lane));
	struct lane *way = &world->lanes[number];
	if (way->last)
		way->last->next = message;
	else
		way->first = message;
	way->last = message;
	if (way->first == message) {
		world->active = grown(world->active, world->active_count, &world->active_room, sizeof *world->active);
		world->active[world->active_count++] = (uint32_t)number;
	}
	return message;
}

static bool matches(const struct request *request, const struct message *message)
{
	return request->comm == message->comm && (request->source == ANY || request->source == message->source) &&
	       (request->tag == ANY || request->tag == message->tag);
}

static void done_soon(struct world *world, struct request *request, int percent_now)
{
	if (maybe(world, percent_now, !world->late)) {
		request->done = true;
		wake(world->rank[request->owner]);
		return;
	}
	world->completing = grown(world->completing, world->completing_count, &world->completing_room,
				  sizeof *world->completing);
	world->completing[world->completing_count++] = request;
}

static void match(struct world *world, struct request *request, struct message *message)
{
	request->message = message;
	message->state = MESSAGE_MATCHED;
	note_only(world->rank[message->target], "matched", 0, message, "%" PRIu64, request->handle);
	oracle_got(world->rank[message->target], request, message);
	done_soon(world, request, 70);
	if (message->sender) {
		memcpy(message->sender->clock, request->clock, sizeof request->clock);
		done_soon(world, message->sender, 30);
		message->sender = NULL;
	}
}

/* --- receiving --------------------------------------------------------------------------------------------------------- */

static void take_out(struct rank *rank, struct message *message)
{
	struct message *previous = NULL;
	for (struct message *at = rank->visible; at != message; at = at->next)
		previous = at;
	if (previous)
		previous->next = message->next;
	else
		rank->visible = message->next;
	if (rank->visible_last == message)
		rank->visible_last = previous;
	message->next = NULL;
}

struct message *net_probe(struct rank *rank, int comm, int source, int tag)
{
	struct request pattern = {.comm = comm, .source = source, .tag = tag};
	for (struct message *message = rank->visible; message; message = message->next)
		if (matches(&pattern, message))
			return message;
	return NULL;
}

void net_post(struct rank *rank, struct request *request)
{
	struct message *message = net_probe(rank, request->comm, request->source, request->tag);
	if (message) {
		take_out(rank, message);
		match(rank->world, request, message);
		return;
	}
	request->next = NULL;
	if (rank->posted_last)
		rank->posted_last->next = request;
	else
		rank->posted = request;
	rank->posted_last = request;
}

static void unpost(struct rank *rank, struct request *request)
{
	struct request *previous = NULL;
	for (struct request *at = rank->posted; at != request; at = at->next)
		previous = at;
	if (previous)
		previous->next = request->next;
	else
		rank->posted = request->next;
	if (rank->posted_last == request)
		rank->posted_last = previous;
	request->next = NULL;
}

/* A matched probe's receive: whoever sent it synchronously learns of it. */
void net_take(struct rank *rank, struct message *message)
{
	take_out(rank, message);
	tick(rank);
	if (message->sender) {
		memcpy(message->sender->clock, rank->clock, sizeof rank->clock);
		done_soon(rank->world, message->sender, 30);
		message->sender = NULL;
	}
}

bool net_cancel(struct rank *rank, struct request *request)
{
	if (request->message)
		return false;
	unpost(rank, request);
	request->cancelled = true;
	done_soon(rank->world, request, 50);
	return true;
}

static void arrive(struct world *world, struct message *message)
{
	struct rank *rank = world->rank[message->target];
	message->state = MESSAGE_VISIBLE;
	wake(rank);
	for (struct request *request = rank->posted; request; request = request->next)
		if (matches(request, message)) {
			unpost(rank, request);
			match(world, request, message);
			return;
		}
	message->next = NULL;
	if (rank->visible_last)
		rank->visible_last->next = message;
	else
		rank->visible = message;
	rank->visible_last = message;
}

/* --- delivering ---------------------------------------------------------------------------------------------------------- */

bool net_is_behind_head(struct world *world, const struct message *message)
{
	if (message->comm >= COMMS_MOST || chance(world, world->overtaking))
		return false;
	int64_t place = table_get(&world->lane_index, lane_key(message->source, message->target, LANE_MARKERS));
	for (const struct message *marker = place ? world->lanes[place - 1].first : NULL; marker; marker = marker->next)
		if (marker->part != 1 && marker->order < message->order)
			return true;
	return false;
}

static void marker_matched(struct world *world, const struct message *message)
{
	world->rank[message->source]->markers_out--;
	wake(world->rank[message->source]);
}

static void arrive_for_protocol(struct world *world, struct message *message)
{
	struct rank *rank = world->rank[message->target];
	message->state = MESSAGE_VISIBLE;
	rank->inbox = grown(rank->inbox, rank->inbox_count, &rank->inbox_room, sizeof *rank->inbox);
	rank->inbox[rank->inbox_count++] = message;
	wake(rank);
	/* Heads are received in receives posted in advance; counts when the driver has seen their head. */
	if (message->comm == LANE_MARKERS && message->part != 1) {
		note_only(rank, "head-here", 0, NULL, "from %d%s", message->source, message->part == 2 ? " with counts" : "");
		marker_matched(world, message);
	}
}

bool net_deliver_from(struct world *world, size_t at)
{
	struct lane *lane = &world->lanes[world->active[at]];
	struct message *message = lane->first;
	if (net_is_behind_head(world, message))
		return false;
	lane->first = message->next;
	message->next = NULL;
	if (!lane->first) {
		lane->last = NULL;
		world->active[at] = world->active[--world->active_count];
	}
	if (message->comm >= COMMS_MOST)
		arrive_for_protocol(world, message);
	else
		arrive(world, message);
	return true;
}

/* One message makes its way. false: none could. */
bool net_deliver(struct world *world)
{
	return world->active_count != 0 && net_deliver_from(world, draw(world, (unsigned)world->active_count));
}

void net_complete_at(struct world *world, size_t at)
{
	world->completing[at]->done = true;
	wake(world->rank[world->completing[at]->owner]);
	world->completing[at] = world->completing[--world->completing_count];
}

bool net_complete(struct world *world)
{
	if (world->completing_count == 0)
		return false;
	net_complete_at(world, draw(world, (unsigned)world->completing_count));
	return true;
}

/* --- collectives ----------------------------------------------------------------------------------------------------------- */

struct collective *net_collective(struct world *world, int comm, uint64_t count)
{
	if (count > world->collective_count[comm]) {
		size_t more = count + 15;
		world->collectives[comm] = realloc(world->collectives[comm], more * sizeof *world->collectives[comm]);
		memset(world->collectives[comm] + world->collective_count[comm], 0,
		       (more - world->collective_count[comm]) * sizeof *world->collectives[comm]);
		world->collective_count[comm] = more;
	}
	return &world->collectives[comm][count - 1];
}
