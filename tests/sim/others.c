/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs of other shapes: servers that are asked and answer, ranks with two threads, and one that is wrong for checkpointing. */
#include "sim/programs.h"

enum { ASK = 0, ANSWER = 1, DONE = 2 };

/* --- replies: half of the ranks ask servers, one question at a time, and wait for the answer ------------------------------------ */

static int servers_of(const struct world *world)
{
	return world->ranks / 2;
}

void replies_begin(struct rank *rank)
{
	rank->app.steps = length(rank, 10 + (int64_t)(rank->world->options.seed % 30));
}

static int64_t answer_to(int server, int64_t question)
{
	return question * 2 + server;
}

/* phase: the server that was asked, plus one. */
static void replies_ask(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	int servers = servers_of(rank->world);
	while (app->step < app->steps) {
		app_safepoint(rank, -1);
		if (app->phase == 0) {
			int server = (int)draw(rank->world, (unsigned)servers);
			app_send(rank, WORLD_COMM, server, ASK, rank->rank * 1000 + app->step, app->step);
			gave(rank, server, rank->rank * 1000 + app->step, app->step);
			app->phase = server + 1;
			continue;
		}
		app_recv(rank, WORLD_COMM, (int)app->phase - 1, ANSWER, &status);
		if (status.payload.a != answer_to((int)app->phase - 1, rank->rank * 1000 + app->step))
			fail(rank->world, "rank %d was answered another question", rank->rank);
		app->phase = 0;
		app->step++;
	}
	while (app->count < servers) {
		app_safepoint(rank, -1);
		app_send(rank, OTHER_COMM, (int)app->count, DONE, 0, 0);
		app->count++;
	}
}

static void replies_serve(struct rank *rank)
{
	struct status status;
	int clients = rank->world->ranks - servers_of(rank->world);
	while (rank->app.count < clients) {
		app_safepoint(rank, -1);
		if (app_iprobe(rank, WORLD_COMM, ANY, ASK, &status)) {
			app_recv(rank, WORLD_COMM, status.source, ASK, &status);
			took(rank, &status);
			app_send(rank, WORLD_COMM, status.source, ANSWER, answer_to(rank->rank, status.payload.a), 0);
		} else if (app_iprobe(rank, OTHER_COMM, ANY, DONE, &status)) {
			app_recv(rank, OTHER_COMM, status.source, DONE, &status);
			rank->app.count++;
		}
	}
}

void replies_run(struct rank *rank)
{
	if (rank->rank < servers_of(rank->world))
		replies_serve(rank);
	else
		replies_ask(rank);
}

/* --- threads: two of each rank, each with a ring of its own; only the first passes safepoints ------------------------------------ */

void threads_begin(struct rank *rank)
{
	rank->app.steps = length(rank, 10 + (int64_t)(rank->world->options.seed % 30));
}

static int64_t threads_value(int rank, int64_t step, int ring)
{
	return rank * 1000 + step * 2 + ring;
}

/* Every call returns with the state whole: what it did and what the program knows of it are not apart when another thread runs. */
void threads_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	while (app->step < app->steps) {
		app_safepoint(rank, -1);
		if (app->phase == 0) {
			app_send(rank, WORLD_COMM, right_of(rank), 0, threads_value(rank->rank, app->step, 0), 0);
			app->phase = 1;
			continue;
		}
		app_recv(rank, WORLD_COMM, left_of(rank), 0, &status);
		app->sum += status.payload.a * (app->step + 1);
		app->phase = 0;
		app->step++;
	}
	while (!app->ended)
		app_safepoint(rank, -1);
}

/* round, flags[0]: the second thread's step and phase; flags[1]: its sum. */
void threads_second(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	while (app->round < app->steps) {
		if (app->flags[0] == 0) {
			app_send(rank, OTHER_COMM, right_of(rank), 0, threads_value(rank->rank, app->round, 1), 0);
			app->flags[0] = 1;
		} else if (app->flags[0] == 1) {
			app_recv(rank, OTHER_COMM, left_of(rank), ANY, &status);
			app->flags[1] += status.payload.a * (app->round + 1);
			app->flags[0] = app->round % 3 == 2 ? 2 : 0;
			app->round += app->flags[0] == 0;
		} else {
			int64_t sum = app_allreduce(rank, OTHER_COMM, app->round);
			if (sum != app->round * rank->world->ranks)
				fail(rank->world, "rank %d reduced with ranks in another round", rank->rank);
			app->flags[0] = 0;
			app->round++;
		}
	}
	app->ended = true;
}

const char *threads_check(struct world *world)
{
	for (int i = 0; i < world->ranks; i++) {
		int left = (i + world->ranks - 1) % world->ranks;
		int64_t sums[2] = {0, 0};
		for (int64_t step = 0; step < world->rank[0]->app.steps; step++)
			for (int ring = 0; ring < 2; ring++)
				sums[ring] += threads_value(left, step, ring) * (step + 1);
		if (world->rank[i]->app.sum != sums[0] || world->rank[i]->app.flags[1] != sums[1])
			return "a thread was told something else";
	}
	return NULL;
}

/* --- blocked: wrong for checkpointing. Rank 0 passes a safepoint and sends; the others wait for that message with no safepoint open, and it may be an orphan. Nearly all
 * snapshots are void, and the program must not notice. ------------------------------------------------------------------------------ */

void blocked_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status = {0};
	for (; app->step < app->steps; app->step++) {
		if (rank->rank == 0 || app->step % 4 == 0)
			app_safepoint(rank, -1);
		/* Sending to oneself closes it. */
		app_send(rank, OTHER_COMM, rank->rank, 0, app->step, 0);
		app_recv(rank, OTHER_COMM, rank->rank, 0, &status);
		if (rank->rank == 0)
			app_send(rank, WORLD_COMM, right_of(rank), 1, app->step, 0);
		app_recv(rank, WORLD_COMM, left_of(rank), 1, &status);
		app->sum = app->sum * 3 + status.payload.a;
		if (rank->rank != 0)
			app_send(rank, WORLD_COMM, right_of(rank), 1, status.payload.a + rank->rank, 0);
	}
}

const char *blocked_check(struct world *world)
{
	int64_t hops = 0;
	for (int i = 1; i <= world->ranks; i++) {
		int64_t sum = 0;
		for (int64_t step = 0; step < world->rank[0]->app.steps; step++)
			sum = sum * 3 + step + hops;
		if (world->rank[i % world->ranks]->app.sum != sum)
			return "a rank of the chain was told something else";
		hops += i;
	}
	return NULL;
}
