/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs of a few messages: short enough that every order of events can be explored. They draw nothing, and their state says all there is to say of them. */
#include "sim/programs.h"

/* --- ring: a step program; each rank sends to the right and receives from the left ------------------------------------------- */

void ring_begin(struct rank *rank)
{
	rank->app.steps = length(rank, 10);
}

void ring_run(struct rank *rank)
{
	struct app *app = &rank->app;
	for (; app->step < app->steps; app->step++) {
		app_safepoint(rank, app->step);
		struct status status;
		app_send(rank, WORLD_COMM, right_of(rank), 0, rank->rank * 100 + app->step, 0);
		app_recv(rank, WORLD_COMM, left_of(rank), 0, &status);
		app->sum = app->sum * 7 + status.payload.a;
	}
	app_safepoint(rank, app->step);
}

const char *ring_check(struct world *world)
{
	for (int i = 0; i < world->ranks; i++) {
		int64_t sum = 0;
		for (int64_t step = 0; step < world->rank[0]->app.steps; step++)
			sum = sum * 7 + (i + world->ranks - 1) % world->ranks * 100 + step;
		if (world->rank[i]->app.sum != sum)
			return "a rank of the ring was told something else";
	}
	return NULL;
}

/* --- hello: the same as an event program, with a safepoint before each call --------------------------------------------------- */

void hello_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	while (app->step < app->steps) {
		app_safepoint(rank, -1);
		if (app->phase == 0) {
			app_send(rank, WORLD_COMM, right_of(rank), 0, rank->rank * 100 + app->step, 0);
			app->phase = 1;
			continue;
		}
		app_recv(rank, WORLD_COMM, left_of(rank), 0, &status);
		app->sum = app->sum * 7 + status.payload.a;
		app->phase = 0;
		app->step++;
	}
	app_safepoint(rank, -1);
}

/* --- one: the last but one sends one message to the last; the others only pass a safepoint ------------------------------------- */

void one_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	int last = rank->world->ranks - 1;
	app_safepoint(rank, -1);
	if (app->step == 0 && rank->rank == last - 1)
		app_send(rank, WORLD_COMM, last, 0, 7, 0);
	if (app->step == 0 && rank->rank == last) {
		app_recv(rank, WORLD_COMM, last - 1, 0, &status);
		app->sum += status.payload.a;
	}
	app->step = 1;
	if (rank->rank >= last - 1)
		app_safepoint(rank, -1);
}

const char *one_check(struct world *world)
{
	return world->rank[world->ranks - 1]->app.sum == 7 ? NULL : "the one message was not told once";
}

/* --- gather: wildcards of rank 0, posted ahead, and an exact receive behind them ------------------------------------------------ */

void gather_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	int64_t each = app->steps;
	if (rank->rank != 0) {
		while (app->step < each) {
			app_safepoint(rank, -1);
			app_send(rank, WORLD_COMM, 0, 0, rank->rank * 100 + app->step, app->step);
			app->step++;
		}
		app_safepoint(rank, -1);
		return;
	}
	/* All but the last are told by wildcards; nobody knows of whom the last one is, before. */
	int64_t all = each * (rank->world->ranks - 1);
	while (app->step < all) {
		app_safepoint(rank, -1);
		app_recv(rank, WORLD_COMM, ANY, 0, &status);
		if (status.payload.b != app->got[status.source]++)
			fail(rank->world, "rank 0 was told of messages of rank %d out of order", status.source);
		app->sum += status.payload.a;
		app->step++;
	}
	app_safepoint(rank, -1);
}

const char *gather_check(struct world *world)
{
	int64_t sum = 0, each = world->rank[world->ranks - 1]->app.steps;
	for (int64_t i = 1; i < world->ranks; i++)
		sum += each * i * 100 + each * (each - 1) / 2;
	return world->rank[0]->app.sum == sum ? NULL : "rank 0 has not gathered what was sent";
}
