/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "tempest.h"

/* One that is under way: what it sends, what it gets, what it must get. */
struct job {
	MPI_Request request;
	uint64_t *in, *out, *expected;
	int to_get;
	int in_counts[2 * RANKS_MOST], in_places[2 * RANKS_MOST], out_counts[2 * RANKS_MOST], out_places[2 * RANKS_MOST];
	MPI_Datatype types[2 * RANKS_MOST];
};

static struct job jobs[GATHERS_MOST];
static const struct gathering *g;
static struct job *job;
static int n, size, me, peers, part, far, root;
static MPI_Comm on;
static MPI_Op op;

#define EITHER(blocking, begun, ...) OK(g->waits ? blocking(__VA_ARGS__) : begun(__VA_ARGS__, &job->request))

/* What rank i of that part contributes for rank j, at place k. Positive also if signed: MPICH 4.0 compares them so in a reduce-scatter. */
static uint64_t value(int of, int i, int j, int k)
{
	return mix(g->draws, (uint64_t)of << 60 | (uint64_t)(i & 255) << 48 | (uint64_t)(j & 255) << 32 | (uint64_t)k) >> 1;
}

static uint64_t both(uint64_t a, uint64_t b)
{
	return op == MPI_SUM ? a + b : op == MPI_MAX ? (a > b ? a : b) : a ^ b;
}

static uint64_t reduced(int of, int first, int last, int j, int k)
{
	uint64_t sum = value(of, first, j, k);
	for (int i = first + 1; i <= last; i++)
		sum = both(sum, value(of, i, j, k));
	return sum;
}

static void fill(uint64_t *to, int of, int i, int j, int count)
{
	for (int k = 0; k < count; k++)
		to[k] = value(of, i, j, k);
}

static void expect_reduced(int of, int first, int last, int j)
{
	job->to_get = n;
	for (int k = 0; k < n; k++)
		job->expected[k] = reduced(of, first, last, j, k);
}

/* Counts that differ, for the calls that take many. Returns their sum. */
static int uneven(int *counts, int *places, int blocks, int by)
{
	int sum = 0;
	for (int i = 0; i < blocks; i++) {
		counts[i] = n + (i + by) % 3;
		places[i] = sum;
		sum += counts[i];
		job->types[i] = MPI_UINT64_T;
	}
	return sum;
}

static void one_to_all(void)
{
	int root_there = root;
	job->to_get = n;
	if (plan.comms[g->comm].inter) {
		int of = g->root & 1, last = plan.comms[g->comm].size[of];
		root = g->root / 2 % last;
		root_there = of != part ? root : me == root ? MPI_ROOT : MPI_PROC_NULL;
		if (of == part) {
			job->to_get = 0;
			fill(job->out, of, root, 0, n);
		}
		fill(job->expected, of, root, 0, n);
	} else {
		if (me == root)
			fill(job->out, part, root, 0, n);
		fill(job->expected, part, root, 0, n);
	}
	EITHER(MPI_Bcast, MPI_Ibcast, job->out, n, MPI_UINT64_T, root_there, on);
}

static void reductions(void)
{
	bool in_place = g->in_place && g->what != EXSCAN && (g->what != REDUCE || me == root);
	void *from = in_place ? MPI_IN_PLACE : (void *)job->in;
	fill(in_place ? job->out : job->in, part, me, 0, n);
	if (g->what == REDUCE) {
		if (me == root)
			expect_reduced(part, 0, size - 1, 0);
		EITHER(MPI_Reduce, MPI_Ireduce, from, job->out, n, MPI_UINT64_T, op, root, on);
	} else if (g->what == ALLREDUCE) {
		expect_reduced(far, 0, peers - 1, 0);
		EITHER(MPI_Allreduce, MPI_Iallreduce, from, job->out, n, MPI_UINT64_T, op, on);
	} else if (g->what == SCAN) {
		expect_reduced(part, 0, me, 0);
		EITHER(MPI_Scan, MPI_Iscan, from, job->out, n, MPI_UINT64_T, op, on);
	} else {
		if (me > 0)
			expect_reduced(part, 0, me - 1, 0);
		EITHER(MPI_Exscan, MPI_Iexscan, from, job->out, n, MPI_UINT64_T, op, on);
	}
}

static void reductions_by_block(void)
{
	int places[RANKS_MOST], at = 0;
	if (g->what == REDUCE_SCATTER) {
		uneven(job->in_counts, places, size, 0);
	} else {
		for (int j = 0; j < size; j++)
			job->in_counts[j] = n;
	}
	for (int j = 0; j < size; j++) {
		fill(job->in + at, part, me, j, job->in_counts[j]);
		at += job->in_counts[j];
	}
	job->to_get = job->in_counts[me];
	for (int k = 0; k < job->to_get; k++)
		job->expected[k] = reduced(part, 0, size - 1, me, k);
	if (g->what == REDUCE_SCATTER)
		EITHER(MPI_Reduce_scatter, MPI_Ireduce_scatter, job->in, job->out, job->in_counts, MPI_UINT64_T, op, on);
	else
		EITHER(MPI_Reduce_scatter_block, MPI_Ireduce_scatter_block, job->in, job->out, n, MPI_UINT64_T, op, on);
}

static void rooted(void)
{
	int sum = g->what == GATHERV || g->what == SCATTERV ? uneven(job->in_counts, job->in_places, size, 0) : 0;
	int own = sum ? job->in_counts[me] : n;
	if (!sum)
		for (int i = 0; i < size; i++)
			job->in_counts[i] = n, job->in_places[i] = i * n;
	if (g->what == GATHER || g->what == GATHERV) {
		fill(job->in, part, me, 0, own);
		for (int i = 0; me == root && i < size; i++) {
			fill(job->expected + job->in_places[i], part, i, 0, job->in_counts[i]);
			job->to_get = job->in_places[i] + job->in_counts[i];
		}
	} else {
		for (int i = 0; me == root && i < size; i++)
			fill(job->in + job->in_places[i], part, root, i, job->in_counts[i]);
		fill(job->expected, part, root, me, own);
		job->to_get = own;
	}
	if (g->what == GATHER)
		EITHER(MPI_Gather, MPI_Igather, job->in, n, MPI_UINT64_T, job->out, n, MPI_UINT64_T, root, on);
	else if (g->what == GATHERV)
		EITHER(MPI_Gatherv, MPI_Igatherv, job->in, own, MPI_UINT64_T, job->out, job->in_counts, job->in_places, MPI_UINT64_T, root, on);
	else if (g->what == SCATTER)
		EITHER(MPI_Scatter, MPI_Iscatter, job->in, n, MPI_UINT64_T, job->out, n, MPI_UINT64_T, root, on);
	else
		EITHER(MPI_Scatterv, MPI_Iscatterv, job->in, job->in_counts, job->in_places, MPI_UINT64_T, job->out, own, MPI_UINT64_T, root, on);
}

static void all_gather(void)
{
	int own = n;
	if (g->what == ALLGATHERV) {
		job->to_get = uneven(job->out_counts, job->out_places, size, 0);
		own = job->out_counts[me];
	} else {
		job->to_get = peers * n;
		for (int i = 0; i < peers; i++)
			job->out_counts[i] = n, job->out_places[i] = i * n;
	}
	fill(job->in, part, me, 0, own);
	for (int i = 0; i < peers; i++)
		fill(job->expected + job->out_places[i], far, i, 0, job->out_counts[i]);
	void *from = g->in_place ? MPI_IN_PLACE : (void *)job->in;
	if (g->in_place)
		fill(job->out + job->out_places[me], part, me, 0, own);
	if (g->what == ALLGATHER)
		EITHER(MPI_Allgather, MPI_Iallgather, from, n, MPI_UINT64_T, job->out, n, MPI_UINT64_T, on);
	else
		EITHER(MPI_Allgatherv, MPI_Iallgatherv, from, own, MPI_UINT64_T, job->out, job->out_counts, job->out_places, MPI_UINT64_T, on);
}

/* What i sends to j has n + (i + j) % 3 elements in the calls that take many counts. */
static void all_to_all(void)
{
	bool even = g->what == ALLTOALL;
	for (int i = 0; i < peers; i++) {
		job->in_counts[i] = job->out_counts[i] = even ? n : n + (i + me) % 3;
		job->in_places[i] = job->out_places[i] = i ? job->in_places[i - 1] + job->in_counts[i - 1] : 0;
		job->types[i] = MPI_UINT64_T;
		fill(job->in + job->in_places[i], part, me, i, job->in_counts[i]);
		fill(job->expected + job->out_places[i], far, i, me, job->out_counts[i]);
		job->to_get = job->out_places[i] + job->out_counts[i];
	}
	if (even && g->in_place)
		memcpy(job->out, job->in, (size_t)job->to_get * 8);
	if (even) {
		EITHER(MPI_Alltoall, MPI_Ialltoall, g->in_place ? MPI_IN_PLACE : (void *)job->in, n, MPI_UINT64_T, job->out, n, MPI_UINT64_T, on);
	} else if (g->what == ALLTOALLV) {
		EITHER(MPI_Alltoallv, MPI_Ialltoallv, job->in, job->in_counts, job->in_places, MPI_UINT64_T, job->out, job->out_counts, job->out_places,
		       MPI_UINT64_T, on);
	} else {
		for (int i = 0; i < peers; i++)
			job->in_places[i] *= 8, job->out_places[i] *= 8;
		EITHER(MPI_Alltoallw, MPI_Ialltoallw, job->in, job->in_counts, job->in_places, job->types, job->out, job->out_counts, job->out_places,
		       job->types, on);
	}
}

static void find_neighbors(const struct world *world, int *sources, int *in, int *targets, int *out)
{
	int weights[2 * RANKS_MOST], more[2 * RANKS_MOST], weighted;
	world_neighbors(world, rank, sources, in, targets, out);
	if (world->maker != DIST_GRAPH)
		return;
	OK(MPI_Dist_graph_neighbors_count(on, in, out, &weighted)); /* their order is the library's */
	OK(MPI_Dist_graph_neighbors(on, *in, sources, weights, *out, targets, more));
}

static void neighborly(void)
{
	int sources[2 * RANKS_MOST], targets[2 * RANKS_MOST], in, out;
	bool all = g->what == NEIGHBOR_ALLGATHER;
	find_neighbors(&plan.comms[g->comm], sources, &in, targets, &out);
	if (all)
		fill(job->in, part, me, 0, n);
	for (int j = 0; !all && j < out; j++)
		fill(job->in + j * n, part, me, targets[j] < 0 ? 0 : targets[j], n);
	job->to_get = in * n;
	for (int i = 0; i < in; i++) {
		if (sources[i] >= 0)
			fill(job->expected + i * n, part, sources[i], all ? 0 : me, n);
		else
			memset(job->expected + i * n, 0, (size_t)n * 8); /* nothing comes from nowhere */
	}
	if (all)
		EITHER(MPI_Neighbor_allgather, MPI_Ineighbor_allgather, job->in, n, MPI_UINT64_T, job->out, n, MPI_UINT64_T, on);
	else
		EITHER(MPI_Neighbor_alltoall, MPI_Ineighbor_alltoall, job->in, n, MPI_UINT64_T, job->out, n, MPI_UINT64_T, on);
}

static void look(int index)
{
	g = &plan.gathers[index];
	job = &jobs[index];
	const struct world *world = &plan.comms[g->comm];
	on = worlds_comm(g->comm);
	part = world->side[rank];
	size = world->size[part];
	me = world->place[rank];
	peers = world_peers(world, rank, &far);
	root = g->root % size;
	n = g->count;
	op = (MPI_Op[]){MPI_SUM, MPI_MAX, MPI_BXOR}[g->draws % 3];
}

void gather_begin(int index)
{
	look(index);
	size_t room = (size_t)(n + 3) * 2 * RANKS_MOST + 1;
	*job = (struct job){.request = MPI_REQUEST_NULL};
	job->in = calloc(room, 8);
	job->out = calloc(room, 8);
	job->expected = calloc(room, 8);
	switch (g->what) {
	case BARRIER:
		OK(g->waits ? MPI_Barrier(on) : MPI_Ibarrier(on, &job->request));
		break;
	case BROADCAST:
		one_to_all();
		break;
	case REDUCE:
	case ALLREDUCE:
	case SCAN:
	case EXSCAN:
		reductions();
		break;
	case REDUCE_SCATTER_BLOCK:
	case REDUCE_SCATTER:
		reductions_by_block();
		break;
	case GATHER:
	case GATHERV:
	case SCATTER:
	case SCATTERV:
		rooted();
		break;
	case ALLGATHER:
	case ALLGATHERV:
		all_gather();
		break;
	case ALLTOALL:
	case ALLTOALLV:
	case ALLTOALLW:
		all_to_all();
		break;
	default:
		neighborly();
	}
	state.collectives++;
	if (g->waits)
		gather_done(index);
}

MPI_Request *gather_request(int index)
{
	return &jobs[index].request;
}

void gather_done(int index)
{
	look(index);
	for (int k = 0; k < job->to_get; k++)
		if (job->out[k] != job->expected[k])
			wrong("collective %d (kind %d, %s%s) of %d on communicator %d: value %d of %d is not what was to come", index, g->what,
			      g->waits ? "blocking" : "non-blocking", g->in_place ? ", perhaps in place" : "", n, g->comm, k, job->to_get);
	free(job->in);
	free(job->out);
	free(job->expected);
	*job = (struct job){.request = MPI_REQUEST_NULL};
}

void gathers_clear(void)
{
	for (int i = 0; i < GATHERS_MOST; i++)
		jobs[i] = (struct job){.request = MPI_REQUEST_NULL};
}
