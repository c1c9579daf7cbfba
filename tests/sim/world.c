/* SPDX-License-Identifier: BSD-3-Clause */
/* The world: ranks as coroutines, a scheduler that draws what happens next, lives and restarts. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

enum { STACK_BYTES = 96 << 10, ACTIONS_MOST = 4000000, TRACE_LINES = 400, TRACE_BYTES = 160 };

static char lines[TRACE_LINES][TRACE_BYTES];
static unsigned line_count;

unsigned draw(struct world *world, unsigned below)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return (unsigned)((world->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

bool chance(struct world *world, int percent)
{
	return percent > 0 && draw(world, 100) < (unsigned)percent;
}

void say(struct world *world, const char *format, ...)
{
	if (!world->options.trace && !world->options.show)
		return;
	char *line = lines[line_count++ % TRACE_LINES];
	int used = snprintf(line, TRACE_BYTES, "%d %9.3f ms  ", world->life, (double)world->now_ns / 1e6);
	va_list list;
	va_start(list, format);
	vsnprintf(line + used, TRACE_BYTES - (size_t)used, format, list);
	va_end(list);
	if (world->options.show)
		printf("%s\n", line);
}

void fail(struct world *world, const char *format, ...)
{
	if (world->options.trace)
		for (unsigned i = line_count < TRACE_LINES ? 0 : line_count - TRACE_LINES; i < line_count; i++)
			printf("%s\n", lines[i % TRACE_LINES]);
	va_list list;
	va_start(list, format);
	printf("seed %" PRIu64 ", %s, %d ranks, life %d: ", world->options.seed, world->program->name, world->ranks, world->life);
	vprintf(format, list);
	printf("\n");
	va_end(list);
	fflush(stdout);
	_Exit(1);
}

void *grown(void *list, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return list;
	*room = *room ? *room * 2 : 16;
	return realloc(list, *room * size);
}

struct epoch *world_epoch(struct world *world, uint64_t number)
{
	while (world->epoch_count <= number) {
		size_t room = world->epoch_count + 16;
		world->epochs = realloc(world->epochs, room * sizeof *world->epochs);
		memset(world->epochs + world->epoch_count, 0, 16 * sizeof *world->epochs);
		world->epoch_count = room;
	}
	if (!world->epochs[number])
		world->epochs[number] = calloc(1, sizeof *world->epochs[number]);
	return world->epochs[number];
}

/* --- coroutines --------------------------------------------------------------------------------------------------------- */

void yield(struct rank *rank)
{
	swapcontext(&rank->context, &rank->world->scheduler);
}

static struct rank *starting;

static void start(void)
{
	struct rank *rank = starting;
	if (!rank->restarted)
		rank->world->program->begin(rank);
	rank->world->program->run(rank);
	app_finalize(rank);
}

static struct rank *make_rank(struct world *world, int number)
{
	struct rank *rank = calloc(1, sizeof *rank);
	world->rank[number] = rank;
	rank->world = world;
	rank->rank = number;
	rank->weight = world->fair ? 4 : (int)(1u << draw(world, 5));
	rank->stack = malloc(STACK_BYTES);
	driver_open(rank);
	getcontext(&rank->context);
	rank->context.uc_stack.ss_sp = rank->stack;
	rank->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&rank->context, start, 0);
	return rank;
}

/* --- restart -------------------------------------------------------------------------------------------------------------- */

static void restore(struct rank *rank, const struct cut *cut)
{
	struct world *world = rank->world;
	rank->app = cut->app;
	rank->restarted = true;
	for (size_t i = 0; i < cut->record_count; i++) {
		struct message *message = calloc(1, sizeof *message);
		*message = (struct message){.order = ++world->order, .source = cut->record[i]->source, .target = rank->rank,
			.comm = cut->record[i]->comm, .tag = cut->record[i]->tag, .payload = cut->record[i]->payload,
			.state = MESSAGE_MAILED};
		world->messages = grown(world->messages, world->message_count, &world->message_room, sizeof *world->messages);
		world->messages[world->message_count++] = message;
		struct mail *mail = mail_new(sizeof message);
		memcpy(mail->data, &message, sizeof message);
		mail->source = (uint32_t)message->source;
		mail->tag = (uint32_t)message->tag;
		mail->key = ledger_key((unsigned)rank->comm_index[message->comm], mail->source, mail->tag);
		mail->turn = ++rank->sequence.turn;
		ledger_stream(&rank->ledger.seen, mail->key)->seen--;
		mailbox_put(&rank->mailbox, mail);
	}
	/* Places at or below zero, the last at zero. */
	int64_t *given = calloc(STREAMS_MOST, sizeof *given);
	for (struct mail *mail = rank->mailbox.first; mail; mail = mail->next) {
		struct message *message;
		memcpy(&message, mail->data, sizeof message);
		mail->position = ledger_find(&rank->ledger.seen, mail->key)->seen +
				 ++given[stream_number(message->source, message->comm, message->tag)];
		message->index = mail->position;
	}
	free(given);
}

/* --- a life ---------------------------------------------------------------------------------------------------------------- */

static struct world *make_world(const struct options *options, int life, struct world *before)
{
	struct world *world = calloc(1, sizeof *world);
	world->options = *options;
	world->random = before ? before->random : (options->seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
	world->life = life;
	for (int i = 0; i < 8; i++)
		draw(world, 2);
	int program = before ? (int)(before->program - programs)
			     : options->program >= 0 ? options->program : (int)draw(world, (unsigned)program_count);
	world->program = &programs[program];
	world->ranks = before ? before->ranks : options->ranks ? options->ranks : 1 + (int)draw(world, 8);
	if (world->ranks < world->program->ranks_least)
		world->ranks = world->program->ranks_least;
	world->fair = !chance(world, options->unfair);
	world->busy = chance(world, options->busy);
	world->overtaking = chance(world, 50) ? options->overtaking : 0;
	world->comms = 2;
	world->ledger_bound = chance(world, options->empty) ? 4 + draw(world, 40) : 1 << 16;
	world->drain_ns = INT64_C(100000) << draw(world, 8);
	world->drill_pause_ns = chance(world, options->drill) ? INT64_C(100000) << draw(world, 8) : 0;
	world->request_pause_ns = (int64_t)(1 + draw(world, 30)) * 1000000;
	world->end_requests_ns = (int64_t)(1 + draw(world, 200)) * 1000000;
	switch (draw(world, 4)) {
	case 0:
		world->every_ns = (int64_t)(1 + draw(world, 20)) * 1000000;
		break;
	case 1:
		world->every_steps = 1 + (int64_t)draw(world, 20);
		break;
	default:
		break;
	}
	world->next_request_ns = (int64_t)draw(world, 10) * 1000000;
	size_t lanes = (size_t)world->ranks * (size_t)world->ranks * LANES;
	world->lanes = calloc(lanes, sizeof *world->lanes);
	world->active = calloc(lanes, sizeof *world->active);
	for (int i = 0; i < world->ranks; i++)
		make_rank(world, i);
	return world;
}

static void free_epoch(struct epoch *epoch)
{
	for (int i = 0; epoch && i < RANKS_MOST; i++)
		free(epoch->cuts[i].record);
	free(epoch);
}

static void free_world(struct world *world)
{
	for (int i = 0; i < world->ranks; i++)
		driver_close(world->rank[i]);
	for (size_t i = 0; i < world->message_count; i++) {
		struct message *message = world->messages[i];
		bytes_free(&message->data);
		free(message);
	}
	for (size_t i = 0; i < world->epoch_count; i++)
		free_epoch(world->epochs[i]);
	for (int i = 0; i < COMMS_MOST; i++)
		free(world->collectives[i]);
	free(world->messages);
	free(world->epochs);
	free(world->completing);
	free(world->lanes);
	free(world->active);
	free(world);
}

static bool is_over(const struct world *world)
{
	for (int i = 0; i < world->ranks; i++)
		if (!world->rank[i]->left)
			return false;
	return true;
}

static void maybe_request(struct world *world)
{
	if (world->now_ns < world->next_request_ns || world->now_ns > world->end_requests_ns || world->every_ns ||
	    world->every_steps)
		return;
	struct rank *rank = world->rank[draw(world, (unsigned)world->ranks)];
	rank->want_request = !rank->left;
	world->next_request_ns = world->now_ns + (int64_t)draw(world, (unsigned)world->request_pause_ns) + 1;
}

static void resume_one(struct world *world)
{
	struct rank *rank = world->rank[draw(world, (unsigned)world->ranks)];
	if (!world->fair && draw(world, 16) >= (unsigned)rank->weight)
		return;
	starting = rank;
	swapcontext(&world->scheduler, &rank->context);
}

static void what_hangs(struct world *world)
{
	for (int i = 0; i < world->ranks; i++) {
		struct rank *rank = world->rank[i];
		struct snapshot_attempt attempt;
		snapshot_attempt(rank->snapshot, &attempt);
		say(world, "rank %d: phase %d of snapshot %" PRIu64 ", void %d, barrier %d, %s, quiet %d, awaits %d, markers out %d,"
		    " inbox %zu, undecided %" PRIu32, i, snapshot_phase(rank->snapshot), attempt.epoch, attempt.is_void,
		    attempt.barrier_done, rank->finalizing ? "finalizing" : "running", snapshot_is_quiet(rank->snapshot),
		    snapshot_awaits_outcome(rank->snapshot), rank->markers_out, rank->inbox_count, rank->sequence.aside_count);
	}
	fail(world, "does not end");
}

static void live(struct world *world)
{
	while (!is_over(world)) {
		unsigned what = draw(world, 100);
		world->now_ns += draw(world, 4000);
		if (draw(world, 20000) == 0)
			world->now_ns += draw(world, 30000000);
		maybe_request(world);
		if (what < 45)
			net_deliver(world);
		else if (what < 55)
			net_complete(world);
		else
			resume_one(world);
		if (++world->actions > ACTIONS_MOST)
			what_hangs(world);
	}
	const char *wrong = world->program->check(world);
	if (wrong)
		fail(world, "wrong result: %s", wrong);
	for (size_t i = 0; i < world->epoch_count; i++)
		if (world->epochs[i] && world->epochs[i]->ended != world->ranks)
			fail(world, "%d ranks know the outcome of snapshot %zu", world->epochs[i]->ended, i);
	for (int i = 0; i < world->ranks; i++) {
		if (world->rank[i]->mailbox.count)
			fail(world, "rank %d: mail was never asked for", i);
		if (world->rank[i]->sequence.aside_count)
			fail(world, "rank %d: something stays aside", i);
	}
}

void world_run(const struct options *options)
{
	struct world *world = make_world(options, 1, NULL);
	live(world);
	for (int life = 2; life <= 1 + options->lives; life++) {
		struct epoch *chosen = NULL;
		unsigned of = 0;
		for (size_t i = 0; i < world->epoch_count; i++)
			if (world->epochs[i] && world->epochs[i]->committed && draw(world, ++of) == 0)
				chosen = world->epochs[i];
		if (!chosen)
			break;
		struct world *next = make_world(options, life, world);
		say(next, "restart");
		for (int i = 0; i < next->ranks; i++)
			restore(next->rank[i], &chosen->cuts[i]);
		free_world(world);
		world = next;
		live(world);
	}
	if (!options->quiet)
		printf("seed %" PRIu64 ": %s, %d ranks, life %d: %d snapshots, %d committed\n", options->seed, world->program->name,
		       world->ranks, world->life, world->outcomes, world->commits);
	free_world(world);
}
