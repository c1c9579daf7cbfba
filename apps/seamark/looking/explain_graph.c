/* SPDX-License-Identifier: BSD-3-Clause */
/* Who can go on. A rank that runs can; one that blocks can if one of the things that it waits for is there, or can be brought by those that can go on. What is
 * left when nobody is added any more can never go on: whatever it waits for would have to come from itself. Of whoever nothing is known it is taken that it can.
 *
 * A deadlock of the kind in which all of several must come (a collective's other members) and of the kind in which one is enough (a receive from any source,
 * MPI_Waitany) are both found so: Chandy, Misra and Haas, Distributed Deadlock Detection, ACM TOCS 1(2), 1983, on a look that is one moment. */
#include <stdlib.h>
#include <string.h>

#include "looking/explain.h"

struct graph {
	const struct explain_look *look;
	bool supposed;
	/* Where the ranks go that something waits for; null: it is only asked whether it can come. */
	bool *waits;
	bool stuck_only;
};

/* Needed from a rank. Whether it can give it. */
static bool from(struct graph *graph, int rank)
{
	const struct explain_rank *of = &graph->look->rank[rank];

	if (graph->waits && (!graph->stuck_only || !of->can_go_on))
		graph->waits[rank] = true;
	return of->can_go_on;
}

/* --- messages --------------------------------------------------------------------------------------------------------- */

static bool fits(int wanted, int is)
{
	return wanted == EXPLAIN_ANY || wanted == is;
}

/* How many receives of a stream were posted after one from anywhere. */
static int64_t posted_later(const struct explain_await *await, int source, int tag)
{
	int64_t count = 0;

	for (size_t i = explain_streams_with(&await->later, await->comm, source); i < await->later.count && await->later.list[i].peer == source; i++)
		count += await->later.list[i].tag == tag;
	return count;
}

/* Whether a message that fits was sent by a rank, and no receive was posted for it before this one; or the number-th of a stream, whatever was. */
static bool is_on_its_way(const struct explain_look *look, int to, int source, const struct explain_await *await)
{
	const struct explain_streams *sent = &look->rank[source].sent;

	for (size_t i = explain_streams_with(sent, await->comm, to); i < sent->count; i++) {
		const struct explain_stream *stream = &sent->list[i], *taken;
		int64_t before;

		if (stream->comm != await->comm || stream->peer != to)
			break;
		if (!fits(await->tag, stream->tag))
			continue;
		taken = explain_stream(&look->rank[to].taken, stream->comm, source, stream->tag);
		before = (taken ? taken->total : 0) - posted_later(await, source, stream->tag);
		if (stream->total > (await->number != EXPLAIN_NO_NUMBER ? await->number - 1 : before))
			return true;
	}
	return false;
}

/* A message from one source. */
static bool from_source(struct graph *graph, int rank, int source, const struct explain_await *await)
{
	const struct explain_look *look = graph->look;

	if (look->rank[source].gone) {
		from(graph, source);
		return false;
	}
	if (!explain_comparable(look, rank, source) || is_on_its_way(look, rank, source, await))
		return true;
	return from(graph, source);
}

static bool message_can_come(struct graph *graph, int rank, const struct explain_await *await)
{
	const struct explain_look *look = graph->look;
	bool any = false;

	if (await->comm < 0 || await->peer == EXPLAIN_NOT_KNOWN)
		return true;
	if (await->peer >= 0)
		return from_source(graph, rank, await->peer, await);
	const struct explain_comm *comm = &look->comms[await->comm];
	for (int i = 0; i < (comm->members ? comm->count : look->ranks); i++) {
		const int source = comm->members ? comm->members[i] : i;

		/* It cannot send to itself while it waits. */
		any |= source == rank ? is_on_its_way(look, rank, source, await) : from_source(graph, rank, source, await);
	}
	return any;
}

/* Whether a rank has posted a receive that takes, or may take, the number-th message of a stream. */
static bool is_taken(const struct explain_look *look, int rank, int to, const struct explain_await *await)
{
	const struct explain_rank *receiver = &look->rank[to];
	const struct explain_stream *taken = explain_stream(&receiver->taken, await->comm, rank, await->tag);

	if (await->number != EXPLAIN_NO_NUMBER && taken && taken->total >= await->number)
		return true;
	for (size_t i = 0; i < receiver->posted_count; i++) {
		const struct explain_await *posted = &receiver->posted[i];

		if ((posted->peer == EXPLAIN_ANY || posted->tag == EXPLAIN_ANY) && posted->comm == await->comm && fits(posted->peer, rank) &&
		    fits(posted->tag, await->tag))
			return true;
	}
	return false;
}

static bool send_can_end(struct graph *graph, int rank, const struct explain_await *await)
{
	const struct explain_look *look = graph->look;

	if (await->comm < 0 || await->peer < 0)
		return true;
	if (look->rank[await->peer].gone) {
		from(graph, await->peer);
		return false;
	}
	if (!explain_comparable(look, rank, await->peer) || is_taken(look, rank, await->peer, await))
		return true;
	return from(graph, await->peer);
}

/* Of a request of an ordinary send it is not known which it is: one of those that nobody has taken. Another one may be meant, that is only slow. */
static bool some_send_can_end(struct graph *graph, int rank)
{
	const struct explain_look *look = graph->look;
	const struct explain_streams *sent = &look->rank[rank].sent;
	bool any = !graph->supposed, some = false;

	for (size_t i = 0; i < sent->count; i++) {
		const struct explain_stream *stream = &sent->list[i];
		const struct explain_await one = {.comm = stream->comm, .peer = stream->peer, .tag = stream->tag, .number = stream->total};

		if (explain_comparable(look, rank, stream->peer) && is_taken(look, rank, stream->peer, &one))
			continue;
		some = true;
		any |= send_can_end(graph, rank, &one);
	}
	return any || !some;
}

/* --- collectives ------------------------------------------------------------------------------------------------------ */

enum need { NEEDS_ALL, NEEDS_ROOT, ROOT_NEEDS_ALL, NEEDS_SOME };

/* Whom a member of a collective must wait for. What the MPI library is free to do as it likes is NEEDS_SOME. */
static enum need need_of(const char *call)
{
	static const struct { const char *call; enum need need; } needs[] = {
		{"MPI_Barrier", NEEDS_ALL}, {"MPI_Allgather", NEEDS_ALL}, {"MPI_Alltoall", NEEDS_ALL}, {"MPI_Allreduce", NEEDS_ALL},
		{"MPI_Reduce_scatter_block", NEEDS_ALL}, {"MPI_Ibarrier", NEEDS_ALL}, {"MPI_Iallgather", NEEDS_ALL}, {"MPI_Ialltoall", NEEDS_ALL},
		{"MPI_Iallreduce", NEEDS_ALL}, {"MPI_Comm_dup", NEEDS_ALL}, {"MPI_Comm_split", NEEDS_ALL}, {"MPI_Bcast", NEEDS_ROOT},
		{"MPI_Scatter", NEEDS_ROOT}, {"MPI_Reduce", ROOT_NEEDS_ALL}, {"MPI_Gather", ROOT_NEEDS_ALL},
	};

	for (size_t i = 0; call && i < sizeof needs / sizeof needs[0]; i++)
		if (!strcmp(needs[i].call, call))
			return needs[i].need;
	return NEEDS_SOME;
}

/* What a rank is in as the number-th collective on a communicator; null: it is not blocked in that. */
static const char *collective_at(const struct explain_look *look, int rank, int comm, int64_t number)
{
	const struct explain_call *call = explain_blocked_call(&look->rank[rank]);

	for (size_t i = 0; call && i < call->count; i++)
		if (call->awaits[i].kind == EXPLAIN_COLLECTIVE && call->awaits[i].comm == comm && call->awaits[i].number == number)
			return call->awaits[i].call;
	return NULL;
}

/* Whether a member has come, or might have; *other: it is in another collective. */
static bool has_come(const struct explain_look *look, int member, const struct explain_await *await, bool *other)
{
	const struct explain_rank *rank = &look->rank[member];
	const char *call;

	*other = false;
	if (rank->gone)
		return false;
	if (!rank->present || !rank->readable || rank->begun[await->comm] < 0)
		return true;
	if (rank->begun[await->comm] < await->number)
		return false;
	call = rank->begun[await->comm] == await->number ? collective_at(look, member, await->comm, await->number) : NULL;
	*other = call && await->call && strcmp(call, await->call);
	return !*other;
}

static bool collective_can_end(struct graph *graph, int rank, const struct explain_await *await)
{
	const struct explain_look *look = graph->look;
	const struct explain_comm *comm = await->comm >= 0 ? &look->comms[await->comm] : NULL;
	const enum need need = need_of(await->call);
	bool all = true, other;

	if (!comm || await->number == EXPLAIN_NO_NUMBER)
		return true;
	/* Those that are certain: all, the root, or for the root all. */
	const bool all_for_sure = !comm->inter && (need == NEEDS_ALL || (need == ROOT_NEEDS_ALL && await->root == rank));
	for (int i = 0; i < (comm->members ? comm->count : look->ranks); i++) {
		const int member = comm->members ? comm->members[i] : i;
		const bool sure = all_for_sure || (!comm->inter && need == NEEDS_ROOT && await->root == member);

		if (member == rank || has_come(look, member, await, &other))
			continue;
		if (sure || other || graph->supposed)
			all &= from(graph, member);
	}
	return all;
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

static bool can_come(struct graph *graph, int rank, const struct explain_await *await)
{
	switch (await->kind) {
	case EXPLAIN_RECEIVE:
	case EXPLAIN_PROBE:
		return message_can_come(graph, rank, await);
	case EXPLAIN_BLOCKING_SEND:
	case EXPLAIN_SYNCHRONOUS:
		return send_can_end(graph, rank, await);
	case EXPLAIN_PERSISTENT:
		return graph->supposed ? send_can_end(graph, rank, await) : true;
	case EXPLAIN_SEND:
		return some_send_can_end(graph, rank);
	case EXPLAIN_COLLECTIVE:
		return collective_can_end(graph, rank, await);
	case EXPLAIN_ARRIVING:
	case EXPLAIN_FILE:
		break;
	}
	return true;
}

/* MPI_Finalize waits for all to come there. */
static bool is_in_finalize(const struct explain_rank *rank)
{
	const struct explain_call *call = explain_blocked_call(rank);

	return call && !strcmp(call->name, "MPI_Finalize");
}

static bool finalize_can_end(struct graph *graph)
{
	const struct explain_look *look = graph->look;
	bool all = true;

	for (int i = 0; i < look->ranks; i++)
		if (look->rank[i].present && !is_in_finalize(&look->rank[i]))
			all &= from(graph, i);
	return all;
}

static bool call_can_end(struct graph *graph, int rank, const struct explain_call *call)
{
	bool any = false;

	if (!call->same || call->more)
		return true;
	if (!strcmp(call->name, "MPI_Finalize"))
		return finalize_can_end(graph);
	/* What it sends is copied, however long that takes. */
	if (!strcmp(call->name, "MPI_Bsend"))
		return true;
	for (size_t i = 0; i < call->count; i++)
		any |= can_come(graph, rank, &call->awaits[i]);
	return any || call->count == 0;
}

/* Of several threads one that goes on is enough; and one that is not in MPI may be anywhere. */
static bool is_free(struct graph *graph, int number)
{
	const struct explain_rank *rank = &graph->look->rank[number];
	bool any = rank->call_count == 0 || (rank->several && !graph->supposed);

	if (rank->gone)
		return false;
	if (!rank->present || rank->stopped)
		return true;
	for (size_t i = 0; i < rank->call_count; i++)
		any |= call_can_end(graph, number, &rank->calls[i]);
	return any;
}

size_t explain_settle(struct explain_look *look, bool supposed)
{
	struct graph graph = {.look = look, .supposed = supposed};
	size_t stuck = 0;

	for (int i = 0; i < look->ranks; i++)
		look->rank[i].can_go_on = false;
	/* Upwards and downwards in turns: chains are mostly one of the two. */
	for (bool more = true, up = true; more; up = !up) {
		more = false;
		for (int i = 0; i < look->ranks; i++) {
			const int at = up ? i : look->ranks - 1 - i;

			if (!look->rank[at].can_go_on && is_free(&graph, at))
				more = look->rank[at].can_go_on = true;
		}
	}
	for (int i = 0; i < look->ranks; i++)
		stuck += !look->rank[i].can_go_on && look->rank[i].present;
	return stuck;
}

struct explain_waits explain_waits_for(const struct explain_look *look, int rank, bool stuck, bool supposed)
{
	struct explain_waits waits = {calloc((size_t)look->ranks, sizeof *waits.list), 0};
	bool *marked = calloc((size_t)look->ranks, sizeof *marked);
	struct graph graph = {.look = look, .supposed = supposed, .waits = marked, .stuck_only = stuck};

	for (size_t i = 0; marked && i < look->rank[rank].call_count; i++)
		call_can_end(&graph, rank, &look->rank[rank].calls[i]);
	for (int i = 0; marked && waits.list && i < look->ranks; i++)
		if (marked[i])
			waits.list[waits.count++] = i;
	free(marked);
	return waits;
}

/* A blocking send may end although nobody asks for its message: the MPI library found room for it. */
static bool may_end_unasked(const struct explain_rank *rank)
{
	bool may = false;

	for (size_t i = 0; i < rank->call_count; i++)
		for (size_t k = 0; k < rank->calls[i].count; k++)
			may |= rank->calls[i].awaits[k].kind == EXPLAIN_BLOCKING_SEND && strcmp(rank->calls[i].name, "MPI_Ssend");
	return may;
}

/* Whatever else a rank that cannot go on waits for would be in the counts of another of them. Let one be the first of them to go on after it was looked at: what it waited for came from another
 * one, either before that was looked at, which its counts would show, or after it, which then was first. So all of them are still there when the last is looked at; only ranks in blocking sends
 * must be seen to be. Clocks of different nodes are taken to be right to a second. */
bool explain_at_one_moment(const struct explain_look *look)
{
	const double clocks_s = 1;
	const struct explain_rank *last = NULL;

	for (int i = 0; i < look->ranks; i++)
		if (!look->rank[i].can_go_on && look->rank[i].present && (!last || look->rank[i].from_s > last->from_s))
			last = &look->rank[i];
	for (int i = 0; last && i < look->ranks; i++) {
		const struct explain_rank *rank = &look->rank[i];

		if (!rank->can_go_on && rank->present && may_end_unasked(rank) && strcmp(rank->node, last->node) && rank->to_s < last->from_s + clocks_s)
			return false;
	}
	return true;
}
