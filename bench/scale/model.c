/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts by formula; time by LogGP (Alexandrov, Ionescu, Schauser, Scheiman: LogGP, SPAA 1995): a message of k bytes keeps its sender busy for o, is on its way for
 * L + (k - 1) G, keeps its receiver busy for o, and is followed by the next after g at the earliest. Each rank has a clock; the waves go along their trees, and
 * every rank looks for messages at times of its own.
 *
 * Taken for granted: all are at a safepoint when the order comes, and nobody cuts by a marker before it; capture and image take no time; late messages
 * are asked for at once; nothing else uses the network, and it has no bottlenecks. Barrier and reduction as in Open MPI's libnbc for small messages:
 * dissemination, and a binomial tree up and down. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "snapshot/verdict.h"
#include "scale.h"

enum { FEW = 64 };

static void *array(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (!memory) {
		fprintf(stderr, "scale: no memory\n");
		exit(1);
	}
	return memory;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

int32_t model_log2(int32_t ranks)
{
	int32_t bits = 0;
	while (INT64_C(1) << bits < ranks)
		bits++;
	return bits;
}

/* --- counts --------------------------------------------------------------------------------------------------------------- */

/* In a binomial tree, of the rank at a place: below it are the places with one more bit, lower than its lowest. */
static int32_t children(int32_t place, int32_t ranks)
{
	int32_t number = 0;
	for (int64_t bit = 1; bit < ranks && !(place & bit); bit *= 2)
		number += (place | bit) < ranks;
	return number;
}

struct sent model_sent(const struct run *run, int32_t rank)
{
	struct sent sent = {0};
	int32_t place = (rank - run->asked_by + run->ranks) % run->ranks;
	uint64_t below = (uint64_t)children(place, run->ranks);
	bool elsewhere = run->asked_by != 0;
	sent.orders[REQUEST] = elsewhere && rank == run->asked_by;
	sent.orders[ANNOUNCE] = below + (elsewhere && rank == 0);
	sent.orders[READY] = rank != run->asked_by;
	sent.orders[CUT] = below;
	sent.orders[OUTCOME] = (uint64_t)children(rank, run->ranks);
	int32_t most = pattern_most(run->pattern, run->ranks, rank), targets[FEW];
	sent.markers = (uint64_t)(run->markers_all ? run->ranks - 1 : most);
	if (!run->markers_all && most <= FEW) /* some of a box's may be the same rank, or this one */
		sent.markers = (uint64_t)pattern_targets(run->pattern, run->ranks, rank, targets);
	return sent;
}

/* How many markers each rank gets. */
static int32_t *sources(const struct run *run)
{
	int32_t *number = array((size_t)run->ranks, sizeof *number);
	for (int32_t rank = 0; rank < run->ranks; rank++) {
		if (run->pattern != SPARSE || run->markers_all) {
			number[rank] = (int32_t)model_sent(run, rank).markers; /* both directions are alike */
			continue;
		}
		int32_t targets[FEW], count = pattern_targets(run->pattern, run->ranks, rank, targets);
		for (int32_t i = 0; i < count; i++)
			number[targets[i]]++;
	}
	return number;
}

struct counts model_counts(const struct run *run)
{
	struct counts counts = {.within = true};
	uint64_t ranks = (uint64_t)run->ranks, rounds = (uint64_t)model_log2(run->ranks);
	int32_t *in = sources(run);
	counts.barrier = ranks * rounds;
	counts.verdict = 2 * (ranks - 1);
	for (int32_t rank = 0; rank < run->ranks; rank++) {
		struct sent sent = model_sent(run, rank);
		uint64_t own = 0, both = sent.markers + (uint64_t)in[rank];
		for (int kind = 0; kind < ORDERS; kind++) {
			counts.all.orders[kind] += sent.orders[kind];
			counts.total += sent.orders[kind];
			/* What goes down a tree comes up it, and the other way. */
			own += sent.orders[kind] + (kind == READY ? sent.orders[ANNOUNCE] : kind == REQUEST ? 0 : 1);
		}
		own += 2 * rounds + 2 * (uint64_t)children(rank, run->ranks) + 2;
		counts.within &= own <= 8 * rounds + 8;
		counts.all.markers += sent.markers;
		counts.most = own + both > counts.most ? own + both : counts.most;
		counts.most_neighbours = (int32_t)both > counts.most_neighbours ? (int32_t)both : counts.most_neighbours;
	}
	free(in);
	counts.neighbours = (double)counts.all.markers / (double)ranks;
	counts.total += counts.all.markers + counts.barrier + counts.verdict;
	return counts;
}

/* --- time ------------------------------------------------------------------------------------------------------------------- */

struct clocks {
	const struct run *run;
	const struct network *net;
	double attention;
	uint64_t draws;
};

/* Until a rank looks. */
static double look(struct clocks *clocks)
{
	if (clocks->attention == 0)
		return 0;
	return (double)(mix64(++clocks->draws) >> 11) * 0x1p-53 * clocks->attention;
}

static double on_its_way(const struct network *net, double bytes)
{
	return net->L + (bytes > 1 ? bytes - 1 : 0) * net->G;
}

static double gap(const struct network *net)
{
	return larger(net->o, net->g);
}

/* Down a binomial tree by places, from time[0] on. */
static void down(struct clocks *clocks, double *time, double bytes)
{
	int32_t ranks = clocks->run->ranks;
	for (int32_t place = 0; place < ranks; place++) {
		double sends = time[place];
		int64_t bit = 1;
		while (bit < ranks && !(place & bit))
			bit *= 2;
		while (bit > 1) {
			bit /= 2;
			if ((place | bit) >= ranks)
				continue;
			time[place | bit] = sends + clocks->net->o + on_its_way(clocks->net, bytes) + look(clocks) + clocks->net->o;
			sends += gap(clocks->net);
		}
	}
}

/* Up the same tree: time[place] is when its own part is ready, and becomes when all below it are. */
static void up(struct clocks *clocks, double *time, double bytes)
{
	for (int32_t place = clocks->run->ranks - 1; place > 0; place--) {
		double arrives = time[place] + clocks->net->o + on_its_way(clocks->net, bytes) + look(clocks);
		int32_t parent = place & (place - 1);
		time[parent] = larger(time[parent], arrives) + clocks->net->o;
	}
}

/* A dissemination barrier: in round k with the ranks 2^k before and behind. */
static void barrier(struct clocks *clocks, double **time, double **other)
{
	int32_t ranks = clocks->run->ranks;
	for (int64_t away = 1; away < ranks; away *= 2) {
		for (int32_t rank = 0; rank < ranks; rank++) {
			double arrives = (*time)[rank >= away ? rank - away : rank - away + ranks] + clocks->net->o + on_its_way(clocks->net, 1) + look(clocks);
			(*other)[rank] = larger((*time)[rank] + clocks->net->o, arrives) + clocks->net->o;
		}
		double *swap = *time;
		*time = *other;
		*other = swap;
	}
}

static double latest(const double *time, int32_t ranks)
{
	double most = time[0];
	for (int32_t rank = 1; rank < ranks; rank++)
		most = larger(most, time[rank]);
	return most;
}

/* When every rank sends and receives this many messages from time `begun` on: both keep it busy. */
static double exchanged(const struct network *net, double begun, double messages, double bytes)
{
	return begun + messages * (gap(net) + net->o) + on_its_way(net, bytes);
}

struct arrival { float at; int32_t from; };

static int by_time(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;
	return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : (x->from > y->from) - (x->from < y->from);
}

static void sort(struct arrival *list, int32_t count)
{
	if (count > FEW) {
		qsort(list, (size_t)count, sizeof *list, by_time);
		return;
	}
	for (int32_t i = 1; i < count; i++)
		for (int32_t j = i; j > 0 && by_time(&list[j], &list[j - 1]) < 0; j--) {
			struct arrival other = list[j];
			list[j] = list[j - 1];
			list[j - 1] = other;
		}
}

/* Every marker by itself. `from_cut` of each rank becomes when its own markers are known to be matched; `here`, when the last one has come. */
static void each_marker(struct clocks *clocks, double bytes, double *from_cut, double *here)
{
	const struct run *run = clocks->run;
	const struct network *net = clocks->net;
	int32_t *in = sources(run);
	size_t *start = array((size_t)run->ranks + 1, sizeof *start);
	for (int32_t rank = 0; rank < run->ranks; rank++)
		start[rank + 1] = start[rank] + (size_t)in[rank];
	struct arrival *arrivals = array(start[run->ranks], sizeof *arrivals);
	memset(in, 0, (size_t)run->ranks * sizeof *in);
	int32_t *targets = array((size_t)run->ranks, sizeof *targets);
	for (int32_t rank = 0; rank < run->ranks; rank++) {
		int32_t count = pattern_targets(run->pattern, run->ranks, rank, targets);
		for (int32_t i = 0; i < count; i++)
			arrivals[start[targets[i]] + (size_t)in[targets[i]]++] = (struct arrival){
				(float)(from_cut[rank] + i * gap(net) + net->o + on_its_way(net, bytes)), rank};
	}
	free(targets);
	for (int32_t rank = 0; rank < run->ranks; rank++) {
		struct arrival *own = &arrivals[start[rank]];
		sort(own, in[rank]);
		double time = 0, looks = look(clocks);
		for (int32_t i = 0; i < in[rank]; i++) {
			time = larger(time, (double)own[i].at) + net->o;
			own[i].at = (float)(time + looks);
		}
		here[rank] = time + looks;
	}
	for (int32_t rank = 0; rank < run->ranks; rank++)
		for (int32_t i = 0; i < in[rank]; i++) {
			const struct arrival *arrival = &arrivals[start[rank] + (size_t)i];
			from_cut[arrival->from] = larger(from_cut[arrival->from], (double)arrival->at + net->L);
		}
	free(arrivals);
	free(start);
	free(in);
}

static void markers(struct clocks *clocks, double bytes, double *from_cut, double *here)
{
	const struct run *run = clocks->run;
	if (run->pattern != ALL_TO_ALL && !run->markers_all) {
		each_marker(clocks, bytes, from_cut, here);
		return;
	}
	double done = exchanged(clocks->net, latest(from_cut, run->ranks), run->ranks - 1, bytes) + clocks->attention;
	for (int32_t rank = 0; rank < run->ranks; rank++) {
		here[rank] = done;
		from_cut[rank] = done + clocks->net->L;
	}
}

/* The program stands still from the first barrier to the second; all come to it at the same time, and look all the time. */
static double standing_still(const struct run *run, const struct network *net)
{
	return 2 * model_log2(run->ranks) * (net->o + on_its_way(net, 1) + net->o);
}

struct times model_times(const struct run *run, const struct network *network, const struct real *sizes, double attention)
{
	struct clocks clocks = {run, network, attention, 0};
	struct times times = {0};
	size_t ranks = (size_t)run->ranks;
	double *time = array(ranks, sizeof *time), *here = array(ranks, sizeof *here), *other = array(ranks, sizeof *other);
	down(&clocks, time, sizes->order_bytes[ANNOUNCE]);
	up(&clocks, time, sizes->order_bytes[READY]);
	times.alert = time[0];
	memset(time, 0, ranks * sizeof *time);
	down(&clocks, time, sizes->order_bytes[CUT]);
	times.cut = latest(time, run->ranks);
	markers(&clocks, sizes->marker_bytes, time, here);
	times.markers = latest(here, run->ranks);
	barrier(&clocks, &time, &other);
	for (size_t rank = 0; rank < ranks; rank++)
		time[rank] = larger(time[rank], here[rank]);
	times.closure = latest(time, run->ranks);
	up(&clocks, time, sizeof(struct verdict));
	down(&clocks, time, sizeof(struct verdict));
	times.verdict = latest(time, run->ranks);
	times.posting = network->o * (run->pattern == ALL_TO_ALL || run->markers_all ? run->ranks - 1 : pattern_most(run->pattern, run->ranks, 0));
	/* The first rank's markers reach everybody, and everybody answers with as many. */
	times.textbook = exchanged(network, 2 * network->o + network->L + attention, run->ranks - 1, sizes->marker_bytes) + attention;
	times.barrier = standing_still(run, network);
	free(time);
	free(here);
	free(other);
	return times;
}
