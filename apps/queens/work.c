/* SPDX-License-Identifier: BSD-3-Clause */
#include "work.h"

#include <string.h>

/* The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t draw(uint64_t *state)
{
	uint64_t value = *state += UINT64_C(0x9E3779B97F4A7C15);

	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

void work_begin(struct work *work, int rank, int queens, int depth)
{
	memset(work, 0, sizeof *work);
	work->queens = queens;
	work->depth = depth;
	work->random = (uint64_t)rank;
	if (rank == 0) {
		work->stack_size = board_first(queens, work->stack);
		work->has_token = 1;
		work->token.black = 1; /* no round has been made: it says nothing yet */
	}
}

static void send(struct place *place, int destination, int tag, const void *data, size_t bytes)
{
	outbox_send(&place->outbox, destination, tag, data, bytes);
}

static void send_to_others(struct place *place, int tag)
{
	for (int rank = 0; rank < place->ranks; rank++)
		if (rank != place->rank)
			send(place, rank, tag, NULL, 0);
}

/* Searching. */

/* A board with fewer than `depth` rows gives way to those with one row more; of the others the whole subtree is
 * counted in one go. */
static void search(struct work *work)
{
	struct board board = work->stack[--work->stack_size];

	if (board.rows < work->depth) {
		work->stack_size += board_next((int)work->queens, &board, work->stack + work->stack_size);
	} else {
		work->solutions += board_count((int)work->queens, &board);
		work->subtrees++;
	}
}

/* The oldest boards are the largest parts of the search. Half of them go, the rest moves down. */
static void answer(struct work *work, struct place *place, int thief)
{
	int64_t count = work->stack_size / 2;

	if (count > WORK_GIVEN)
		count = WORK_GIVEN;
	send(place, thief, WORK_ANSWER, work->stack, (size_t)count * sizeof *work->stack);
	if (count == 0)
		return;
	work->stack_size -= count;
	memmove(work->stack, work->stack + count, (size_t)work->stack_size * sizeof *work->stack);
	work->given += (uint64_t)count;
	work->balance++;
}

static void take_answer(struct work *work, const struct message *message)
{
	size_t count = (size_t)message->bytes / sizeof(struct board);

	work->asked = 0;
	if (count == 0) {
		work->refused++;
		return;
	}
	memcpy(work->stack + work->stack_size, message->content.boards, count * sizeof(struct board));
	work->stack_size += (int64_t)count;
	work->stolen += count;
	work->balance--;
	work->black = 1;
}

static void ask(struct work *work, struct place *place)
{
	int victim = (int)(draw(&work->random) % (uint64_t)(place->ranks - 1));

	send(place, victim < place->rank ? victim : victim + 1, WORK_ASK, NULL, 0);
	work->asked = 1;
}

/* Finding the end: Safra. */

/* The token is back at rank 0, or was never away: nothing is left if everybody has stayed white and the balances
 * add up to zero. */
static bool round_was_quiet(const struct work *work)
{
	return !work->token.black && !work->black && work->token.balance + work->balance == 0;
}

static void pass_token(struct work *work, struct place *place)
{
	struct token token = work->token;

	if (place->rank == 0) {
		token = (struct token){0}; /* a new round */
	} else {
		token.balance += work->balance;
		token.black |= work->black;
	}
	work->black = 0;
	work->has_token = 0;
	send(place, (place->rank + 1) % place->ranks, WORK_TOKEN, &token, sizeof token);
}

/* The rank has no boards, and has the token. */
static void handle_token(struct work *work, struct place *place)
{
	if (place->rank == 0 && (place->ranks == 1 || round_was_quiet(work))) {
		work->phase = WORK_ENDING;
		send_to_others(place, WORK_END);
	} else {
		pass_token(work, place);
	}
}

/* Adding up. */

static void add_report(struct work *work, struct place *place, uint64_t count)
{
	work->total += count;
	if (++work->reports == place->ranks) {
		work->phase = WORK_OVER;
		send_to_others(place, WORK_LEAVE);
	}
}

/* All is counted, and the answer that this rank may have waited for is here. */
static void report(struct work *work, struct place *place)
{
	work->phase = WORK_COUNTED;
	if (place->rank == 0)
		add_report(work, place, work->solutions);
	else
		send(place, 0, WORK_REPORT, &work->solutions, sizeof work->solutions);
}

static bool may_ask(const struct work *work, const struct place *place)
{
	return !work->asked && place->ranks > 1;
}

bool work_is_at_hand(const struct work *work, const struct place *place)
{
	if (work->phase == WORK_SEARCHING)
		return work->stack_size > 0 || work->has_token || may_ask(work, place);
	return work->phase == WORK_ENDING && !work->asked;
}

void work_do(struct work *work, struct place *place)
{
	if (work->phase == WORK_ENDING)
		report(work, place);
	else if (work->stack_size > 0)
		search(work);
	else if (work->has_token)
		handle_token(work, place);
	else
		ask(work, place);
}

void work_take(struct work *work, struct place *place, const struct message *message)
{
	switch (message->tag) {
	case WORK_ASK:
		answer(work, place, message->source);
		break;
	case WORK_ANSWER:
		take_answer(work, message);
		break;
	case WORK_TOKEN:
		work->has_token = 1;
		work->token = message->content.token;
		break;
	case WORK_END:
		work->phase = WORK_ENDING;
		break;
	case WORK_REPORT:
		add_report(work, place, message->content.count);
		break;
	case WORK_LEAVE:
		work->phase = WORK_OVER;
		break;
	}
}
