/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated programs. Their state is a plain struct, whole at each safepoint; each checks a result that is known. */
#include <stdlib.h>
#include <string.h>

#include "sim/programs.h"

static int ranks_of(const struct rank *rank)
{
	return rank->world->ranks;
}

static void compute(struct rank *rank)
{
	for (unsigned turns = draw(rank->world, 4); turns > 0; turns--)
		yield(rank);
}

const char *check_pairs(struct world *world)
{
	for (int i = 0; i < world->ranks; i++)
		for (int j = 0; j < world->ranks; j++)
			if (world->rank[i]->app.gave[j] != world->rank[j]->app.took[i])
				return "what a rank was given is not what the other gave";
	return NULL;
}

/* --- halo: a step program; neighbours exchange, and ranks drift apart ------------------------------------------------------- */

static uint64_t halo_start(int rank)
{
	return (uint64_t)rank * 1000003 + 17;
}

static uint64_t halo_next(uint64_t own, uint64_t left, uint64_t right)
{
	return own * 3 + left * 5 + right * 7 + 1;
}

static void halo_begin(struct rank *rank)
{
	rank->app.value = halo_start(rank->rank);
	rank->app.steps = length(rank, 20 + (int64_t)(rank->world->options.seed % 60));
}

static void halo_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct request *requests[4];
	for (; app->step < app->steps; app->step++) {
		app_safepoint(rank, app->step);
		struct status left, right;
		requests[0] = app_irecv(rank, WORLD_COMM, left_of(rank), 0);
		requests[1] = app_irecv(rank, WORLD_COMM, right_of(rank), 1);
		requests[2] = app_isend(rank, WORLD_COMM, right_of(rank), 0, (int64_t)app->value, app->step);
		requests[3] = app_isend(rank, WORLD_COMM, left_of(rank), 1, (int64_t)app->value, app->step);
		compute(rank);
		app_wait(rank, requests[1], &right);
		app_wait(rank, requests[0], &left);
		app_wait(rank, requests[2], NULL);
		app_wait(rank, requests[3], NULL);
		if (left.payload.b != app->step || right.payload.b != app->step)
			fail(rank->world, "rank %d got values of another step", rank->rank);
		app->value = halo_next(app->value, (uint64_t)left.payload.a, (uint64_t)right.payload.a);
	}
}

static const char *halo_check(struct world *world)
{
	int n = world->ranks;
	uint64_t *now = calloc((size_t)n * 2, sizeof *now), *next = now + n;
	const char *wrong = NULL;
	for (int i = 0; i < n; i++)
		now[i] = halo_start(i);
	for (int64_t step = 0; step < world->rank[0]->app.steps; step++) {
		for (int i = 0; i < n; i++)
			next[i] = halo_next(now[i], now[(i + n - 1) % n], now[(i + 1) % n]);
		memcpy(now, next, (size_t)n * sizeof *now);
	}
	for (int i = 0; i < n; i++)
		if (world->rank[i]->app.value != now[i])
			wrong = "a value of the halo is not the serial one";
	free(now);
	return wrong;
}

/* The same with receives that are posted a step ahead, over the safepoint, and so again after a restart. */
static void ahead_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct request *from_left = NULL, *from_right = NULL;
	if (app->step < app->steps) {
		from_left = app_irecv(rank, WORLD_COMM, left_of(rank), 0);
		from_right = app_irecv(rank, WORLD_COMM, right_of(rank), 1);
	}
	for (; app->step < app->steps; app->step++) {
		app_safepoint(rank, app->step);
		struct status left, right;
		bool more = app->step + 1 < app->steps;
		app_send(rank, WORLD_COMM, right_of(rank), 0, (int64_t)app->value, app->step);
		app_send(rank, WORLD_COMM, left_of(rank), 1, (int64_t)app->value, app->step);
		compute(rank);
		app_wait(rank, from_right, &right);
		if (more)
			from_right = app_irecv(rank, WORLD_COMM, right_of(rank), 1);
		app_wait(rank, from_left, &left);
		if (more)
			from_left = app_irecv(rank, WORLD_COMM, left_of(rank), 0);
		if (left.payload.b != app->step || right.payload.b != app->step)
			fail(rank->world, "rank %d got values of another step", rank->rank);
		app->value = halo_next(app->value, (uint64_t)left.payload.a, (uint64_t)right.payload.a);
	}
}

/* --- lag: what is sent in a step is received three steps later, so that every cut has messages in flight --------------------------- */

enum { LAG = 3 };

static void lag_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	for (; app->step < app->steps + LAG; app->step++) {
		app_safepoint(rank, app->step);
		if (app->step < app->steps)
			app_send(rank, (int)(app->step % 2), right_of(rank), 3, (int64_t)app->value, app->step);
		compute(rank);
		if (app->step < LAG)
			continue;
		app_recv(rank, (int)((app->step - LAG) % 2), left_of(rank), 3, &status);
		if (status.payload.b != app->step - LAG)
			fail(rank->world, "rank %d got a value of another step", rank->rank);
		app->value = halo_next(app->value, (uint64_t)status.payload.a, 0);
	}
}

static const char *lag_check(struct world *world)
{
	enum { STEPS = 100 };
	uint64_t sent[STEPS][PEERS_MOST], now[PEERS_MOST];
	int n = world->ranks;
	int64_t steps = world->rank[0]->app.steps;
	for (int i = 0; i < n; i++)
		now[i] = halo_start(i);
	for (int64_t step = 0; step < steps + LAG; step++) {
		memcpy(sent[step], now, sizeof now);
		for (int i = 0; i < n && step >= LAG; i++)
			now[i] = halo_next(now[i], sent[step - LAG][(i + n - 1) % n], 0);
	}
	for (int i = 0; i < n; i++)
		if (world->rank[i]->app.value != now[i])
			return "a value is not the serial one";
	return NULL;
}

/* What is sent to the right in a step is received from the left LAG steps later. */
static void pass_along(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	if (app->step < app->steps)
		app_send(rank, (int)(app->step % 2), right_of(rank), 3, (int64_t)app->value, app->step);
	if (app->step < LAG)
		return;
	app_recv(rank, (int)((app->step - LAG) % 2), left_of(rank), 3, &status);
	app->value = halo_next(app->value, (uint64_t)status.payload.a, 0);
}

/* The same with a safepoint in every other step on every other rank: cuts at one step are a matter of luck. */
static void stride_run(struct rank *rank)
{
	struct app *app = &rank->app;
	for (; app->step < app->steps + LAG; app->step++) {
		if (rank->rank % 2 == 0 || app->step % 2 == 0)
			app_safepoint(rank, app->step);
		pass_along(rank);
	}
}

/* --- pipeline: a step program whose first rank may run far ahead --------------------------------------------------------------- */

static void pipeline_begin(struct rank *rank)
{
	rank->app.steps = length(rank, 20 + (int64_t)(rank->world->options.seed % 50));
}

static void pipeline_run(struct rank *rank)
{
	struct app *app = &rank->app;
	for (; app->step < app->steps; app->step++) {
		app_safepoint(rank, app->step);
		struct status status = {.payload = {app->step, 0}};
		if (rank->rank > 0)
			app_recv(rank, WORLD_COMM, rank->rank - 1, 2, &status);
		compute(rank);
		if (rank->rank < ranks_of(rank) - 1)
			app_send(rank, WORLD_COMM, rank->rank + 1, 2, status.payload.a * 3 + rank->rank, 0);
		app->sum += status.payload.a;
	}
}

static const char *pipeline_check(struct world *world)
{
	for (int i = 0; i < world->ranks; i++) {
		int64_t sum = 0;
		for (int64_t step = 0; step < world->rank[0]->app.steps; step++) {
			int64_t value = step;
			for (int j = 0; j < i; j++)
				value = value * 3 + j;
			sum += value;
		}
		if (world->rank[i]->app.sum != sum)
			return "a sum of the pipeline is not the serial one";
	}
	return NULL;
}

/* --- bank: an event program; transfers at random, from anybody, at any time ------------------------------------------------------ */

enum { TRANSFER = 0, LAST = 2, STARTING_BALANCE = 100000 };

static void bank_begin(struct rank *rank)
{
	rank->app.balance = STARTING_BALANCE;
	rank->app.remaining = length(rank, (int64_t)draw(rank->world, 60));
	for (int i = 0; i < ranks_of(rank); i++)
		rank->app.expected[i] = -1;
}

static bool bank_is_over(const struct rank *rank)
{
	if (!rank->app.ended)
		return false;
	for (int i = 0; i < ranks_of(rank); i++)
		if (rank->app.expected[i] != rank->app.got[i])
			return false;
	return true;
}

static void bank_take(struct rank *rank, const struct status *status)
{
	if (status->tag == LAST) {
		rank->app.expected[status->source] = status->payload.a;
	} else {
		rank->app.balance += status->payload.a;
		rank->app.got[status->source]++;
		took(rank, status);
	}
}

/* One transfer, or the news that there are no more. */
static void bank_give(struct rank *rank)
{
	struct app *app = &rank->app;
	if (app->remaining > 0) {
		int to = (int)draw(rank->world, (unsigned)ranks_of(rank));
		int64_t amount = (int64_t)draw(rank->world, 100);
		app_send(rank, (int)draw(rank->world, 2), to, (int)draw(rank->world, 2), amount, app->remaining);
		gave(rank, to, amount, app->remaining);
		app->balance -= amount;
		app->sent[to]++;
		app->remaining--;
	} else {
		for (int to = 0; to < ranks_of(rank); to++)
			app_send(rank, WORLD_COMM, to, LAST, app->sent[to], 0);
		app->ended = true;
	}
}

static void bank_run(struct rank *rank)
{
	struct status status;
	while (!bank_is_over(rank)) {
		app_safepoint(rank, -1);
		if (!rank->app.ended && draw(rank->world, 3) == 0)
			bank_give(rank);
		for (int comm = 0; comm < 2; comm++)
			if (app_iprobe(rank, comm, ANY, ANY, &status)) {
				app_recv(rank, comm, status.source, status.tag, &status);
				bank_take(rank, &status);
				break;
			}
		compute(rank);
	}
	if (rank->world->options.seed % 2)
		app_safepoint(rank, -1);
}

/* The same with receives that stay posted, on both communicators, with and without a source. */
static void posted_run(struct rank *rank)
{
	struct request *requests[4];
	struct status status;
	for (int i = 0; i < 4; i++)
		requests[i] = app_irecv(rank, i & 1, ANY, ANY);
	while (!bank_is_over(rank)) {
		app_safepoint(rank, -1);
		int at = -1;
		if (!rank->app.ended && draw(rank->world, 3) == 0)
			bank_give(rank);
		else if (rank->app.ended)
			at = app_waitany(rank, requests, 4, &status);
		else
			at = app_testany(rank, requests, 4, &status);
		if (at >= 0) {
			bank_take(rank, &status);
			requests[at] = app_irecv(rank, at & 1, ANY, ANY);
		}
	}
	for (int i = 0; i < 4; i++) {
		app_cancel(rank, requests[i]);
		app_wait(rank, requests[i], &status);
		if (!status.cancelled)
			fail(rank->world, "rank %d: a message too many", rank->rank);
	}
}

/* The same with some transfers sent synchronously: their senders learn that they were matched. */
static void synchronous_run(struct rank *rank)
{
	struct request *send = NULL;
	struct status status;
	while (!bank_is_over(rank) || send) {
		app_safepoint(rank, -1);
		if (send) {
			if (app_test(rank, send, NULL))
				send = NULL;
		} else if (rank->app.remaining > 0 && draw(rank->world, 3) == 0) {
			int to = (int)draw(rank->world, (unsigned)ranks_of(rank));
			int64_t amount = (int64_t)draw(rank->world, 100);
			send = app_issend(rank, OTHER_COMM, to, TRANSFER, amount, rank->app.remaining);
			gave(rank, to, amount, rank->app.remaining);
			rank->app.balance -= amount;
			rank->app.sent[to]++;
			rank->app.remaining--;
		} else if (!rank->app.ended && draw(rank->world, 3) == 0) {
			bank_give(rank);
		}
		for (int comm = 0; comm < 2; comm++)
			if (app_iprobe(rank, comm, ANY, ANY, &status)) {
				app_recv(rank, comm, status.source, status.tag, &status);
				bank_take(rank, &status);
				break;
			}
	}
}

/* A pool of exact receives and wildcards of all kinds, some of them cancelled on the way. */
static struct request *pool_receive(struct rank *rank, int at)
{
	int source = (int)draw(rank->world, (unsigned)ranks_of(rank)), tag = (int)draw(rank->world, 3);
	/* The first two of each communicator can have anything, so that nothing is left. */
	unsigned kind = at < 2 ? 0 : draw(rank->world, 4);
	return app_irecv(rank, at & 1, kind == 0 || kind == 1 ? ANY : source, kind == 0 || kind == 2 ? ANY : tag);
}

static void pool_run(struct rank *rank)
{
	enum { POOL = 8 };
	struct request *requests[POOL];
	struct status status;
	for (int i = 0; i < POOL; i++)
		requests[i] = pool_receive(rank, i);
	while (!bank_is_over(rank)) {
		int at = -1;
		/* Several are told between two safepoints: what a rank is told while none is open may be an orphan. */
		if (draw(rank->world, 3))
			app_safepoint(rank, -1);
		if (!rank->app.ended && draw(rank->world, 3) == 0) {
			bank_give(rank);
		} else if (draw(rank->world, 6) == 0) {
			at = 2 + (int)draw(rank->world, POOL - 2);
			app_cancel(rank, requests[at]);
			app_wait(rank, requests[at], &status);
		} else {
			at = app_testany(rank, requests, POOL, &status);
		}
		if (at >= 0) {
			if (!status.cancelled)
				bank_take(rank, &status);
			requests[at] = pool_receive(rank, at);
		}
	}
	for (int i = 0; i < POOL; i++) {
		app_cancel(rank, requests[i]);
		app_wait(rank, requests[i], &status);
		if (!status.cancelled)
			fail(rank->world, "rank %d: a message too many", rank->rank);
	}
}

static const char *bank_check(struct world *world)
{
	int64_t sum = 0;
	for (int i = 0; i < world->ranks; i++)
		sum += world->rank[i]->app.balance;
	return sum == (int64_t)world->ranks * STARTING_BALANCE ? check_pairs(world) : "money was lost or made";
}

/* --- jumble: several receives of one stream are pending, and told in any order ------------------------------------------------------- */

static void jumble_begin(struct rank *rank)
{
	rank->app.steps = length(rank, 150 + (int64_t)(rank->world->options.seed % 100));
}

static void jumble_run(struct rank *rank)
{
	enum { WINDOW = 4 };
	struct app *app = &rank->app;
	struct request *requests[WINDOW] = {NULL};
	struct status status;
	int64_t posted = app->count;
	while (app->count < app->steps || app->step < app->steps) {
		/* Seldom: several are told between two. */
		if (draw(rank->world, 6) == 0)
			app_safepoint(rank, -1);
		for (int i = 0; i < WINDOW; i++)
			if (!requests[i] && posted < app->steps) {
				requests[i] = app_irecv(rank, WORLD_COMM, left_of(rank), 0);
				posted++;
			}
		if (app->step < app->steps && draw(rank->world, 2)) {
			app_send(rank, WORLD_COMM, right_of(rank), 0, app->step, 0);
			app->step++;
			continue;
		}
		int at = app_testany(rank, requests, WINDOW, &status);
		if (at >= 0) {
			requests[at] = NULL;
			app->count++;
			app->sum += status.payload.a * status.payload.a;
		}
	}
}

static const char *jumble_check(struct world *world)
{
	int64_t steps = world->rank[0]->app.steps;
	for (int i = 0; i < world->ranks; i++)
		if (world->rank[i]->app.sum != (steps - 1) * steps * (2 * steps - 1) / 6)
			return "a message was lost, or there twice";
	return NULL;
}

/* --- steal: idle ranks ask for work and wait for the answer, answering others meanwhile -------------------------------------------- */

enum { ASK = 3, ANSWER = 4, REPORT = 5, STOP = 6 };

static void steal_begin(struct rank *rank)
{
	rank->app.remaining = length(rank, rank->rank == 0 ? 100 : (int64_t)draw(rank->world, 20));
	rank->app.sum = rank->app.remaining; /* what began here */
	rank->app.phase = ANY;               /* whom it has asked */
	if (rank->rank != 0)
		app_send(rank, WORLD_COMM, 0, REPORT, -rank->app.remaining, 1);
	else
		rank->app.flags[0] = -rank->app.remaining;
	rank->app.flags[1] = 1;              /* reports of beginnings, here */
}

static void steal_report(struct rank *rank, int64_t count, int64_t beginnings)
{
	rank->app.flags[0] += count;
	rank->app.flags[1] += beginnings;
}

static void steal_serve(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	if (!app_iprobe(rank, WORLD_COMM, ANY, ASK, &status))
		return;
	app_recv(rank, WORLD_COMM, status.source, ASK, &status);
	int64_t give = app->remaining / 2;
	app->remaining -= give;
	app_send(rank, WORLD_COMM, status.source, ANSWER, give, 0);
}

static void steal_work(struct rank *rank)
{
	struct app *app = &rank->app;
	compute(rank);
	if (rank->rank != 0)
		app_send(rank, WORLD_COMM, 0, REPORT, 1, 0);
	else
		steal_report(rank, 1, 0);
	app->remaining--;
	app->count++;
}

/* Rank 0: what was done less what was begun is zero, and all have begun. */
static void steal_lead(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	if (app_iprobe(rank, WORLD_COMM, ANY, REPORT, &status)) {
		app_recv(rank, WORLD_COMM, status.source, REPORT, &status);
		steal_report(rank, status.payload.a, status.payload.b);
	}
	if (app->flags[0] != 0 || app->flags[1] != ranks_of(rank) || app->flags[2])
		return;
	for (int to = 0; to < ranks_of(rank); to++)
		app_send(rank, WORLD_COMM, to, STOP, 0, 0);
	app->flags[2] = 1;
}

static void steal_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct request *answer = app->phase != ANY ? app_irecv(rank, WORLD_COMM, (int)app->phase, ANSWER) : NULL;
	struct status status;
	while (!app->ended || answer) {
		app_safepoint(rank, -1);
		steal_serve(rank);
		if (rank->rank == 0)
			steal_lead(rank);
		if (answer && app_test(rank, answer, &status)) {
			answer = NULL;
			app->phase = ANY;
			app->remaining += status.payload.a;
		}
		if (app->remaining > 0) {
			steal_work(rank);
		} else if (!answer && !app->ended && ranks_of(rank) > 1) {
			int victim = (rank->rank + 1 + (int)draw(rank->world, (unsigned)ranks_of(rank) - 1)) % ranks_of(rank);
			app_send(rank, WORLD_COMM, victim, ASK, 0, 0);
			app->phase = victim;
			answer = app_irecv(rank, WORLD_COMM, victim, ANSWER);
		}
		if (!app->ended && app_iprobe(rank, WORLD_COMM, 0, STOP, &status)) {
			app_recv(rank, WORLD_COMM, 0, STOP, &status);
			app->ended = true;
		}
	}
	/* Others may still ask: all leave together. */
	if (app->round == 0) {
		struct request *barrier = app_ibarrier(rank, WORLD_COMM);
		while (!app_test(rank, barrier, NULL))
			steal_serve(rank);
		while (app_iprobe(rank, WORLD_COMM, ANY, ASK, &status))
			steal_serve(rank);
		app->round = 1;
	}
}

static const char *steal_check(struct world *world)
{
	int64_t begun = 0, done = 0;
	for (int i = 0; i < world->ranks; i++) {
		begun += world->rank[i]->app.sum;
		done += world->rank[i]->app.count;
	}
	return begun == done ? NULL : "tasks were lost or done twice";
}

/* --- nbx: rounds of synchronous sends to whom it may concern, ended by a non-blocking barrier ---------------------------------------- */

static void nbx_begin(struct rank *rank)
{
	rank->app.steps = length(rank, 5 + (int64_t)(rank->world->options.seed % 15));
}

/* One round of it. */
struct nbx {
	struct request *sends[4], *barrier;
	int tag, count, left;   /* sends begun, and those not known to be received */
};

static void nbx_give(struct rank *rank, struct nbx *nbx)
{
	for (int i = 0; i < nbx->count; i++) {
		int to = (int)draw(rank->world, (unsigned)ranks_of(rank));
		int64_t value = (int64_t)draw(rank->world, 1000);
		nbx->sends[i] = app_issend(rank, WORLD_COMM, to, nbx->tag, value, rank->app.step);
		gave(rank, to, value, rank->app.step);
		rank->app.balance -= value;
	}
	nbx->left = nbx->count;
}

/* true: everybody's sends were received. */
static bool nbx_look(struct rank *rank, struct nbx *nbx)
{
	struct status status;
	if (app_iprobe(rank, WORLD_COMM, ANY, nbx->tag, &status)) {
		app_recv(rank, WORLD_COMM, status.source, nbx->tag, &status);
		rank->app.balance += status.payload.a;
		took(rank, &status);
	}
	for (int i = 0; i < nbx->count; i++)
		if (nbx->sends[i] && app_test(rank, nbx->sends[i], NULL)) {
			nbx->sends[i] = NULL;
			nbx->left--;
		}
	if (nbx->left > 0 || nbx->barrier)
		return nbx->barrier && app_test(rank, nbx->barrier, NULL);
	nbx->barrier = app_ibarrier(rank, WORLD_COMM);
	return false;
}

static void nbx_round(struct rank *rank)
{
	struct nbx nbx = {.tag = (int)(rank->app.step % 2), .count = (int)draw(rank->world, 4)};
	nbx_give(rank, &nbx);
	while (!nbx_look(rank, &nbx))
		;
}

static void nbx_run(struct rank *rank)
{
	for (; rank->app.step < rank->app.steps; rank->app.step++) {
		app_safepoint(rank, -1);
		nbx_round(rank);
	}
}

/* The same with a safepoint at every look: synchronous sends and the barrier may be pending there, and put the cut off. phase 1: this round's sends were
 * begun, and those that were pending at the cut are none. */
static void rounds_round(struct rank *rank)
{
	struct nbx nbx = {.tag = (int)(rank->app.step % 2)};
	if (rank->app.phase == 0) {
		nbx.count = (int)draw(rank->world, 3);
		nbx_give(rank, &nbx);
		rank->app.phase = 1;
	}
	do
		app_safepoint(rank, -1);
	while (!nbx_look(rank, &nbx));
	rank->app.phase = 0;
}

static void rounds_run(struct rank *rank)
{
	for (; rank->app.step < rank->app.steps; rank->app.step++) {
		app_safepoint(rank, -1);
		rounds_round(rank);
	}
}

static const char *nbx_check(struct world *world)
{
	int64_t sum = 0;
	for (int i = 0; i < world->ranks; i++)
		sum += world->rank[i]->app.balance;
	return sum == 0 ? check_pairs(world) : "a synchronous message was missed";
}

/* --- reduce: an event program in which all ranks reduce now and then ------------------------------------------------------------------- */

static void reduce_begin(struct rank *rank)
{
	bank_begin(rank);
	rank->app.steps = length(rank, 10 + (int64_t)(rank->world->options.seed % 20));
	rank->app.remaining = rank->app.steps * 3;
}

static void reduce_take(struct rank *rank)
{
	struct status status;
	for (int comm = 0; comm < 2; comm++)
		if (app_iprobe(rank, comm, ANY, ANY, &status)) {
			app_recv(rank, comm, status.source, status.tag, &status);
			bank_take(rank, &status);
		}
}

static void reduce_round(struct rank *rank)
{
	struct app *app = &rank->app;
	while (app->phase < 3) {
		app_safepoint(rank, -1);
		bank_give(rank);
		app->phase++;
		reduce_take(rank);
	}
	app_safepoint(rank, -1);
	for (int i = 0; i <= app->step % 3; i++)
		if (app_allreduce(rank, WORLD_COMM, app->step) != app->step * ranks_of(rank))
			fail(rank->world, "rank %d reduced with ranks at another step", rank->rank);
	app->phase = 4;
}

static void reduce_rest(struct rank *rank)
{
	while (!bank_is_over(rank)) {
		app_safepoint(rank, -1);
		if (!rank->app.ended)
			bank_give(rank);
		reduce_take(rank);
	}
}

static void reduce_run(struct rank *rank)
{
	struct app *app = &rank->app;
	for (; app->step < app->steps; app->step++) {
		reduce_round(rank);
		app->phase = 0;
	}
	reduce_rest(rank);
}

/* --- meeting: the same, and after some reductions all ask for a snapshot together ------------------------------------------------------- */

static void meeting_run(struct rank *rank)
{
	struct app *app = &rank->app;
	for (; app->step < app->steps; app->step++) {
		if (app->phase < 4)
			reduce_round(rank);
		if (app->step % 4 == 3)
			app_checkpoint(rank, -1);
		app->phase = 0;
	}
	reduce_rest(rank);
}

/* --- server: step ranks, and one that takes what they send, an event rank ------------------------------------------------------------------ */

static void server_begin(struct rank *rank)
{
	rank->app.steps = length(rank, 20 + (int64_t)(rank->world->options.seed % 40));
}

static void server_run(struct rank *rank)
{
	struct app *app = &rank->app;
	struct status status;
	int clients = ranks_of(rank) - 1;
	if (rank->rank < clients) {
		for (; app->step < app->steps; app->step++) {
			app_safepoint(rank, app->step);
			app_send(rank, WORLD_COMM, clients, 0, app->step, 0);
			if (app->step % 16 == 0)
				app_recv(rank, WORLD_COMM, clients, 1, &status);
			compute(rank);
		}
		return;
	}
	while (app->count < clients * app->steps) {
		app_safepoint(rank, -1);
		app_recv(rank, WORLD_COMM, ANY, 0, &status);
		app->count++;
		app->sum += status.payload.a;
		if (status.payload.a != app->got[status.source]++)
			fail(rank->world, "the server got a message out of order");
		if (status.payload.a % 16 == 0)
			app_send(rank, WORLD_COMM, status.source, 1, 0, 0);
	}
}

static const char *server_check(struct world *world)
{
	int64_t steps = world->rank[0]->app.steps;
	return world->rank[world->ranks - 1]->app.sum == (world->ranks - 1) * steps * (steps - 1) / 2 ? NULL : "the server's sum is wrong";
}

/* --- comms: communicators that are made, used and freed with receives pending on them, and with messages that nobody asks for ------------- */

static void comms_run(struct rank *rank)
{
	struct app *app = &rank->app;
	for (; app->step < app->steps; app->step++) {
		app_safepoint(rank, app->step);
		struct status left;
		int comm = app->step % 4 == 3 ? app_comm_dup(rank, WORLD_COMM) : WORLD_COMM;
		struct request *receive = app_irecv(rank, comm, left_of(rank), 0);
		struct request *send = app_isend(rank, comm, right_of(rank), 0, (int64_t)app->value, app->step);
		if (comm != WORLD_COMM) {
			if (draw(rank->world, 2)) /* never received */
				app_isend(rank, comm, (int)draw(rank->world, (unsigned)ranks_of(rank)), (int)draw(rank->world, 2), 0, 0);
			compute(rank);
			app_comm_free(rank, comm);
		}
		compute(rank);
		app_wait(rank, receive, &left);
		app_wait(rank, send, NULL);
		if (left.payload.b != app->step)
			fail(rank->world, "rank %d got a value of another step", rank->rank);
		app->value = halo_next(app->value, (uint64_t)left.payload.a, 0);
	}
}

static const char *comms_check(struct world *world)
{
	int n = world->ranks;
	uint64_t *now = calloc((size_t)n * 2, sizeof *now), *next = now + n;
	const char *wrong = NULL;
	for (int i = 0; i < n; i++)
		now[i] = halo_start(i);
	for (int64_t step = 0; step < world->rank[0]->app.steps; step++) {
		for (int i = 0; i < n; i++)
			next[i] = halo_next(now[i], now[(i + n - 1) % n], 0);
		memcpy(now, next, (size_t)n * sizeof *now);
	}
	for (int i = 0; i < n; i++)
		if (world->rank[i]->app.value != now[i])
			wrong = "a value is not the serial one";
	free(now);
	return wrong;
}

/* --- checkpoint: all ranks ask for a snapshot together, and wait for it, while messages are in flight --------------------------------------- */

static void checkpoint_run(struct rank *rank)
{
	struct app *app = &rank->app;
	for (; app->step < app->steps + LAG; app->step++) {
		if (app->step % 10 == 5)
			app_checkpoint(rank, app->step);
		else
			app_safepoint(rank, app->step);
		pass_along(rank);
	}
}

#define SMALL PEERS_MOST
const struct program programs[] = {
	{"halo", 1, RANKS_MOST, true, true, false, true, halo_begin, halo_run, NULL, halo_check},
	{"ahead", 1, RANKS_MOST, true, true, false, true, halo_begin, ahead_run, NULL, halo_check},
	{"lag", 1, SMALL, true, false, false, true, halo_begin, lag_run, NULL, lag_check},
	{"comms", 1, SMALL, true, false, true, false, halo_begin, comms_run, NULL, comms_check},
	{"stride", 1, SMALL, true, false, false, true, halo_begin, stride_run, NULL, lag_check},
	{"checkpoint", 1, SMALL, true, false, false, true, halo_begin, checkpoint_run, NULL, lag_check},
	{"pipeline", 1, SMALL, true, true, false, true, pipeline_begin, pipeline_run, NULL, pipeline_check},
	{"bank", 1, SMALL, false, false, false, false, bank_begin, bank_run, NULL, bank_check},
	{"posted", 1, SMALL, false, false, false, false, bank_begin, posted_run, NULL, bank_check},
	{"sync", 1, SMALL, false, false, false, false, bank_begin, synchronous_run, NULL, bank_check},
	{"pool", 1, SMALL, false, false, false, false, bank_begin, pool_run, NULL, bank_check},
	{"jumble", 1, SMALL, false, false, false, false, jumble_begin, jumble_run, NULL, jumble_check},
	{"steal", 2, SMALL, false, false, false, false, steal_begin, steal_run, NULL, steal_check},
	{"nbx", 2, SMALL, false, false, false, false, nbx_begin, nbx_run, NULL, nbx_check},
	{"rounds", 2, SMALL, false, false, false, false, nbx_begin, rounds_run, NULL, nbx_check},
	{"reduce", 1, SMALL, false, false, false, false, reduce_begin, reduce_run, NULL, bank_check},
	{"ring", 1, RANKS_MOST, true, false, false, true, ring_begin, ring_run, NULL, ring_check},
	{"hello", 1, RANKS_MOST, false, false, false, true, ring_begin, hello_run, NULL, ring_check},
	{"one", 2, RANKS_MOST, false, false, false, true, ring_begin, one_run, NULL, one_check},
	{"gather", 2, SMALL, false, true, false, false, ring_begin, gather_run, NULL, gather_check},
	{"replies", 2, SMALL, false, false, false, false, replies_begin, replies_run, NULL, check_pairs},
	{"threads", 1, SMALL, false, false, false, false, threads_begin, threads_run, threads_second, threads_check},
	{"blocked", 2, SMALL, false, false, false, true, replies_begin, blocked_run, NULL, blocked_check},
	{"meeting", 1, SMALL, false, false, false, false, reduce_begin, meeting_run, NULL, bank_check},
	{"server", 2, SMALL, false, true, false, false, server_begin, server_run, NULL, server_check},
};
const int program_count = sizeof programs / sizeof programs[0];
_Static_assert(sizeof programs / sizeof programs[0] <= PROGRAMS_MOST, "more statistics");
