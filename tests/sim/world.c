/* SPDX-License-Identifier: BSD-3-Clause */
/* The world: ranks as coroutines, a scheduler that draws what happens next, lives and restarts. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/sim.h"

enum {
	STACK_BYTES = 96 << 10, STACK_BYTES_MANY = 32 << 10, MANY_RANKS = 64,
	REQUESTS_FREE = 100,
	CALM_MOST = 3000000, /* events of the second phase, in a small world */
	STILL = 2000,        /* turns of each rank in which nothing happens: then time goes fast, ... */
	STILL_MOST = 100000, /* ... and after so many events more of 1 ms it is over */
};

unsigned draw(struct world *world, unsigned below)
{
	if (world->explored)
		return 0;
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return (unsigned)((world->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

bool chance(struct world *world, int percent)
{
	return percent >= 100 || (percent > 0 && !world->explored && draw(world, 100) < (unsigned)percent);
}

bool maybe(struct world *world, int percent, bool explored)
{
	return world->explored ? explored : chance(world, percent);
}

void note_line(struct rank *rank, const char *kind, uint64_t epoch, const struct message *message, const char *format, ...)
{
	struct world *world = rank->world;
	char stream[48] = "-", position[24] = "-";
	if (message) {
		snprintf(stream, sizeof stream, "%d>%d:%d:%d", message->source, message->target, message->comm, message->tag);
		snprintf(position, sizeof position, "%" PRId64, message->index);
	}
	printf("%d %10.3f %4d %-13s %3" PRIu64 " %-12s %3s  ", world->life, (double)world->now_ns / 1e6, rank->rank, kind, epoch, stream,
	       position);
	va_list list;
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
}

void fail(struct world *world, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vsnprintf(results->text, sizeof results->text, format, list);
	va_end(list);
	snprintf(results->kind, sizeof results->kind, "%s", format);
	if (world->tracing)
		printf("%d %10.3f    - fail            - -              -  %s\n", world->life, (double)world->now_ns / 1e6, results->text);
	fflush(stdout);
	_exit(1);
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
		world->epochs[number] = calloc(1, sizeof *world->epochs[number] + (size_t)world->ranks * sizeof(struct cut));
	return world->epochs[number];
}

/* --- coroutines --------------------------------------------------------------------------------------------------------- */

static jmp_buf scheduler;
static struct thread *starting;

void yield(struct rank *rank)
{
	struct thread *thread = &rank->threads[rank->thread];
	if (_setjmp(thread->at) == 0)
		_longjmp(scheduler, 1);
}

/* What only time brings is looked for again and again. */
void rest(struct rank *rank)
{
	rank->resting = rank->world->explored || (!rank->wait_image && !rank->wait_publish && !rank->wait_barrier && !rank->wait_verdict);
	yield(rank);
	rank->resting = false;
}

void wake_all(struct world *world)
{
	for (int i = 0; i < world->ranks; i++)
		wake(world->rank[i]);
}

static void start(void)
{
	struct thread *thread = starting;
	struct rank *rank = thread->rank;
	if (thread == &rank->threads[0]) {
		if (!rank->restarted)
			rank->world->program->begin(rank);
		rank->begun_program = true;
		rank->world->program->run(rank);
		while (rank->thread_count > 1 && !rank->threads[1].ended)
			yield(rank);
		app_finalize(rank);
	} else {
		while (!rank->begun_program)
			yield(rank);
		rank->world->program->second(rank);
		thread->ended = true;
	}
	for (;;)
		yield(rank);
}

/* The first time by a context of its own, later by jumps, which cost no system call. */
void world_resume(struct rank *rank, int number)
{
	struct thread *thread = &rank->threads[number];
	rank->thread = number;
	if (_setjmp(scheduler) != 0)
		return;
	if (thread->started)
		_longjmp(thread->at, 1);
	thread->started = true;
	starting = thread;
	setcontext(&thread->context);
}

static void make_thread(struct rank *rank, int number)
{
	struct thread *thread = &rank->threads[number];
	size_t size = rank->world->ranks > MANY_RANKS ? STACK_BYTES_MANY : STACK_BYTES;
	thread->rank = rank;
	thread->stack = malloc(size);
	getcontext(&thread->context);
	thread->context.uc_stack.ss_sp = thread->stack;
	thread->context.uc_stack.ss_size = size;
	makecontext(&thread->context, start, 0);
}

static struct rank *make_rank(struct world *world, int number)
{
	struct rank *rank = calloc(1, sizeof *rank);
	world->rank[number] = rank;
	rank->world = world;
	rank->rank = number;
	rank->weight = world->options.unfair ? (int)(1u << draw(world, 5)) : 4;
	rank->thread_count = world->program->second ? 2 : 1;
	for (int i = 0; i < rank->thread_count; i++)
		make_thread(rank, i);
	driver_open(rank);
	return rank;
}

/* --- restart -------------------------------------------------------------------------------------------------------------- */

void world_restore(struct rank *rank, const struct cut *cut)
{
	struct world *world = rank->world;
	rank->app = cut->app;
	rank->restarted = true;
	for (size_t i = 0; i < cut->record_count; i++) {
		struct message *message = calloc(1, sizeof *message);
		*message = (struct message){.order = ++world->order, .serial = world->order, .source = cut->record[i]->source, .target = rank->rank,
			.comm = cut->record[i]->comm, .tag = cut->record[i]->tag, .payload = cut->record[i]->payload,
			.state = MESSAGE_MAILED};
		world->messages = grown(world->messages, world->message_count, &world->message_room, sizeof *world->messages);
		world->messages[world->message_count++] = message;
		oracle_restored(rank, message);
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
	struct table given = {0};
	for (struct mail *mail = rank->mailbox.first; mail; mail = mail->next) {
		struct message *message;
		memcpy(&message, mail->data, sizeof message);
		mail->position = ledger_find(&rank->ledger.seen, mail->key)->seen +
				 ++*table_at(&given, stream_number(message->source, message->comm, message->tag));
		message->index = mail->position;
	}
	table_free(&given);
}

/* --- a life ---------------------------------------------------------------------------------------------------------------- */

static void draw_faults(struct world *world)
{
	const struct options *options = &world->options;
	world->calm_at = (uint64_t)draw(world, 4) * (uint64_t)draw(world, 20000) * (uint64_t)world->ranks / 4;
	world->dies_at = options->die && world->life <= options->lives ? 1 + (uint64_t)draw(world, 6000) * (uint64_t)world->ranks : 0;
	if (world->dies_at)
		world->calm_at = UINT64_MAX;
	if (options->full) {
		world->full_from_ns = (int64_t)draw(world, 100) * 1000000;
		world->full_to_ns = world->full_from_ns + (int64_t)draw(world, 100) * 1000000;
	}
}

static void draw_requests(struct world *world)
{
	world->requests_left = world->options.snapshots;
	world->request_pause_ns = (int64_t)(1 + draw(world, 30)) * 1000000;
	world->end_requests_ns = (int64_t)(1 + draw(world, 200)) * 1000000;
	unsigned how = draw(world, 4);
	int64_t pause_ns = (int64_t)(1 + draw(world, 20)) * 1000000, steps = 1 + (int64_t)draw(world, 20);
	world->next_request_ns = (int64_t)draw(world, 10) * 1000000;
	if (world->requests_left < REQUESTS_FREE)
		return; /* requests are counted: those of the clock and of the steps are not */
	if (how == 0)
		world->every_ns = pause_ns;
	else if (how == 1)
		world->every_steps = steps;
}

/* before: the life before this one, or null. */
struct world *world_make(const struct options *options, int life, struct world *before, bool trace)
{
	struct world *world = calloc(1, sizeof *world);
	world->options = *options;
	world->tracing = trace;
	world->random = before ? before->random : (options->seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
	world->life = life;
	for (int i = 0; i < 8; i++)
		draw(world, 2);
	world->program = &programs[options->program];
	world->ranks = options->ranks;
	world->clocked = world->ranks <= PEERS_MOST;
	world->overtaking = options->overtaking;
	world->comms = 2;
	world->ledger_bound = options->empty ? 4 + draw(world, 40) : 1 << 16;
	world->drain_ns = INT64_C(100000) << draw(world, 8);
	world->drill_pause_ns = options->drill ? INT64_C(100000) << draw(world, 8) : 0;
	draw_requests(world);
	draw_faults(world);
	world->rank = calloc((size_t)world->ranks, sizeof(struct rank *));
	for (int i = 0; i < world->ranks; i++)
		make_rank(world, i);
	return world;
}

static void free_epoch(struct epoch *epoch, int ranks)
{
	for (int i = 0; epoch && i < ranks; i++)
		free(epoch->cuts[i].record);
	free(epoch);
}

void world_free(struct world *world)
{
	for (int i = 0; i < world->ranks; i++)
		driver_close(world->rank[i]);
	for (size_t i = 0; i < world->message_count; i++) {
		struct message *message = world->messages[i];
		bytes_free(&message->data);
		free(message);
	}
	for (size_t i = 0; i < world->epoch_count; i++)
		free_epoch(world->epochs[i], world->ranks);
	for (int i = 0; i < COMMS_MOST; i++)
		free(world->collectives[i]);
	free(world->messages);
	free(world->epochs);
	free(world->completing);
	free(world->lanes);
	table_free(&world->lane_index);
	free(world->rank);
	free(world->active);
	free(world);
}

static void maybe_request(struct world *world)
{
	if (world->now_ns < world->next_request_ns || world->now_ns > world->end_requests_ns || world->every_ns ||
	    world->every_steps || world->requests_left == 0)
		return;
	struct rank *rank = world->rank[draw(world, (unsigned)world->ranks)];
	rank->want_request = !rank->left;
	world->requests_left--;
	world->next_request_ns = world->now_ns + (int64_t)draw(world, (unsigned)world->request_pause_ns) + 1;
}

/* A rank that does not call: it computes, or it calls and passes no safepoint. */
static void maybe_away(struct world *world, struct rank *rank)
{
	if (!world->options.away || world->calm || draw(world, 3000) != 0)
		return;
	rank->away_until_ns = world->now_ns + (int64_t)draw(world, 1u << (10 + draw(world, 19)));
	rank->away_from_all = draw(world, 2) == 0;
	note(rank, "away", rank->cut_epoch, NULL, "from %s for %.3f ms", rank->away_from_all ? "all calls" : "safepoints",
	     (double)(rank->away_until_ns - world->now_ns) / 1e6);
}

static void resume_one(struct world *world)
{
	struct rank *rank = world->rank[draw(world, (unsigned)world->ranks)];
	/* In large worlds most ranks wait: those that something has come for are looked for first. */
	for (int i = 0; world->ranks > PEERS_MOST && (rank->resting || rank->left) && i < 16; i++)
		rank = world->rank[draw(world, (unsigned)world->ranks)];
	if (rank->weight != 4 && !world->calm && draw(world, 16) >= (unsigned)rank->weight)
		return;
	maybe_away(world, rank);
	if (rank->away_until_ns > world->now_ns && rank->away_from_all && !world->calm)
		return;
	world_resume(rank, rank->thread_count > 1 ? (int)draw(world, (unsigned)rank->thread_count) : 0);
}

/* The clock is an event. In large worlds a rank's turn comes seldom: time goes by turns of a rank. */
static void pass_time(struct world *world)
{
	if (world->ranks > PEERS_MOST && draw(world, (unsigned)world->ranks) >= PEERS_MOST)
		return;
	if (!world->options.leap || world->calm)
		world->now_ns += draw(world, 4000) + (draw(world, 20000) == 0 ? draw(world, 30000000) : 0);
	else if (draw(world, 1000) == 0)
		world->now_ns += draw(world, 1u << (10 + draw(world, 18)));
}

static void what_hangs(struct world *world)
{
	for (int i = 0; i < world->ranks; i++) {
		struct rank *rank = world->rank[i];
		struct snapshot_attempt attempt;
		snapshot_attempt(rank->snapshot, &attempt);
		note(rank, "hangs", attempt.epoch, NULL, "phase %d, void %d, barrier %d, %s, quiet %d, awaits %d, markers out %d, inbox %zu,"
		     " undecided %" PRIu32, snapshot_phase(rank->snapshot), attempt.is_void, attempt.barrier_done,
		     rank->left ? "gone" : rank->finalizing ? "finalizing" : "running", snapshot_is_quiet(rank->snapshot),
		     snapshot_awaits_outcome(rank->snapshot), rank->markers_out, rank->inbox_count, rank->sequence.aside_count);
	}
	fail(world, "what was outstanding when the faults ended does not end");
}

/* The second phase: no more faults, ranks are as fast as each other, and one request more, which has to be answered too. */
static void calm_down(struct world *world)
{
	struct rank *rank = world->rank[draw(world, (unsigned)world->ranks)];
	world->calm = true;
	world->overtaking = 0;
	world->calm_at = world->actions;
	rank->want_request |= !rank->left && world->requests_left > 0;
}

void world_check_end(struct world *world)
{
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
		if (snapshot_is_wanted(world->rank[i]->snapshot) && world->rank[i]->request_came)
			fail(world, "rank %d: a request was never answered", i);
	}
}

/* What waits for a time need not be waited for. */
static void look_for_stillness(struct world *world, uint64_t *lines, uint64_t *since)
{
	uint64_t still = (uint64_t)world->ranks * STILL;
	if (*lines != results->lines) {
		*lines = results->lines;
		*since = world->actions;
	}
	if (world->actions - *since > still)
		world->now_ns += 1000000;
	if (world->actions - *since > still + STILL_MOST)
		what_hangs(world);
}

void world_live(struct world *world)
{
	uint64_t calm_most = CALM_MOST + (uint64_t)world->ranks * 5000, lines = 0, since = 0;
	while (world->left_count < world->ranks) {
		unsigned what = draw(world, 100);
		pass_time(world);
		maybe_request(world);
		if (what < 45)
			net_deliver(world);
		else if (what < 55)
			net_complete(world);
		else
			resume_one(world);
		if (++world->actions == world->dies_at) {
			world->died = true;
			return;
		}
		if (!world->calm && world->actions >= world->calm_at)
			calm_down(world);
		if (world->calm)
			look_for_stillness(world, &lines, &since);
		if (world->actions > calm_most + (world->calm_at == UINT64_MAX ? world->dies_at : world->calm_at))
			what_hangs(world);
	}
	world_check_end(world);
}

/* The snapshot to go on from: any that was committed, after a death the newest. A manifest that was on its way when all died is there, or is not. */
static struct epoch *choose(struct world *world)
{
	struct rank *first = world->rank[0];
	struct epoch *chosen = NULL;
	unsigned of = 0;
	if (world->died && first->wait_publish && draw(world, 2)) {
		world_epoch(world, first->cut_epoch)->committed = true;
		oracle_commit(world, first->cut_epoch);
	}
	for (size_t i = 0; i < world->epoch_count; i++)
		if (world->epochs[i] && world->epochs[i]->committed && (world->died || draw(world, ++of) == 0))
			chosen = world->epochs[i];
	return chosen;
}

/* The same program without snapshots: what it says and is told has to be the same. */
static void compare_with_quiet(struct world *world)
{
	struct options options = world->options;
	options.lives = options.drill = options.die = options.away = options.empty = 0;
	struct world *quiet = world_make(&options, 0, NULL, false);
	quiet->requests_left = 0;
	quiet->every_ns = quiet->every_steps = 0;
	quiet->quiet = true;
	world_live(quiet);
	for (int i = 0; i < world->ranks; i++)
		if (world->rank[i]->spoken != quiet->rank[i]->spoken)
			fail(world, "rank %d does not say or hear what it does without snapshots", i);
	world_free(quiet);
}

void world_run(const struct options *options, bool trace)
{
	struct world *world = world_make(options, 1, NULL, trace);
	world_live(world);
	if (world->program->same && !world->died && options->seed % 4 == 0)
		compare_with_quiet(world);
	for (int life = 2; life <= 1 + options->lives; life++) {
		struct epoch *chosen = choose(world);
		if (!chosen && !world->died)
			break;
		struct world *next = world_make(options, life, world, trace);
		for (int i = 0; chosen && i < next->ranks; i++)
			world_restore(next->rank[i], &chosen->cuts[i]);
		world_free(world);
		world = next;
		world_live(world);
	}
	world_free(world);
}
