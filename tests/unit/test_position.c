/* SPDX-License-Identifier: BSD-3-Clause */
/* Positions against a model of MPI's matching that knows which message each receive got: whatever the order of posting, arrival, telling,
 * looking, cancelling, draining and moving of the base, a decided position is the message's true place in its stream. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/position.h"

enum { SOURCES = 3, TAGS = 2, COMMS = 2, STREAMS = SOURCES * TAGS * COMMS, MESSAGES = 400, RECEIVES = 600, STEPS = 600 };

struct message {
	int stream;
	int64_t place;   /* true place in its stream, from 1 */
	bool taken;
};

struct receive {
	int comm, source, tag; /* -1: any */
	int message;           /* -1: none yet */
	bool live, cancelling;
	uint64_t handle;
};

static struct {
	uint64_t random;
	struct ledger ledger;
	struct sequence sequence;
	struct message messages[MESSAGES];
	int message_count;
	struct receive receives[RECEIVES];
	int receive_count;
	int64_t arrived[STREAMS], told[STREAMS], base[STREAMS];
	int64_t move[STREAMS];
	bool decided[STREAMS][MESSAGES + 1];
	int failures;
} model;

static unsigned draw(unsigned below)
{
	model.random ^= model.random << 13;
	model.random ^= model.random >> 7;
	model.random ^= model.random << 17;
	return (unsigned)(model.random >> 33) % below;
}

static void check(bool right, const char *what)
{
	if (!right && model.failures++ == 0)
		printf("\n    %s\n", what);
}

static int comm_of(int stream)
{
	return stream / (SOURCES * TAGS);
}

static int source_of(int stream)
{
	return stream / TAGS % SOURCES;
}

static int tag_of(int stream)
{
	return stream % TAGS;
}

static uint64_t key_of(int stream)
{
	return ledger_key((unsigned)comm_of(stream), (unsigned)source_of(stream), (unsigned)tag_of(stream));
}

static int stream_of(uint64_t key)
{
	return (int)((ledger_key_comm(key) * SOURCES + ledger_key_peer(key)) * TAGS + ledger_key_tag(key));
}

static bool matches(const struct receive *receive, int stream)
{
	return receive->comm == comm_of(stream) && (receive->source < 0 || receive->source == source_of(stream)) &&
	       (receive->tag < 0 || receive->tag == tag_of(stream));
}

static void arrive(void)
{
	if (model.message_count == MESSAGES)
		return;
	struct message *message = &model.messages[model.message_count];
	*message = (struct message){.stream = (int)draw(STREAMS)};
	message->place = ++model.arrived[message->stream];
	for (int i = 0; i < model.receive_count && !message->taken; i++) {
		struct receive *receive = &model.receives[i];
		if (receive->live && receive->message < 0 && matches(receive, message->stream)) {
			receive->message = model.message_count;
			message->taken = true;
		}
	}
	model.message_count++;
}

static void post(void)
{
	if (model.receive_count == RECEIVES)
		return;
	struct receive *receive = &model.receives[model.receive_count++];
	int stream = (int)draw(STREAMS);
	unsigned kind = draw(8);
	*receive = (struct receive){.live = true, .message = -1, .comm = comm_of(stream), .source = source_of(stream),
		.tag = tag_of(stream), .handle = (uint64_t)model.receive_count * 64};
	if (kind == 0 || kind == 2)
		receive->source = -1;
	if (kind == 1 || kind == 2)
		receive->tag = -1;
	for (int i = 0; i < model.message_count && receive->message < 0; i++)
		if (!model.messages[i].taken && matches(receive, model.messages[i].stream)) {
			receive->message = i;
			model.messages[i].taken = true;
		}
	struct shadow *shadow = shadow_add(&model.sequence.shadows, receive->handle);
	shadow->kind = SHADOW_RECEIVE;
	shadow->key = ledger_key((unsigned)receive->comm, receive->source < 0 ? 0 : (unsigned)receive->source,
				 receive->tag < 0 ? 0 : (unsigned)receive->tag);
	shadow->flags = (uint8_t)((receive->source < 0 ? SHADOW_ANY_SOURCE : 0) | (receive->tag < 0 ? SHADOW_ANY_TAG : 0));
	shadow->extra = (uint64_t)(receive - model.receives);
	position_post(&model.sequence, &model.ledger, shadow);
}

/* A taking came out: its token is the message's number plus one. */
static void decided(const struct taking *taking, uint64_t token)
{
	const struct message *message = &model.messages[token - 1];
	check(taking->key == key_of(message->stream), "a taking is of the stream of its message");
	check(taking->position + model.base[message->stream] == message->place, "a decided position is the true one");
	check(!model.decided[message->stream][message->place], "a message is decided once");
	model.decided[message->stream][message->place] = true;
	model.told[message->stream] += taking->told;
}

static void settle(void)
{
	struct taking taking;
	while (position_settle(&model.sequence, &model.ledger, &taking))
		decided(&taking, taking.token);
}

static struct receive *some(bool complete)
{
	for (int tries = 0; tries < 10 && model.receive_count; tries++) {
		struct receive *receive = &model.receives[draw((unsigned)model.receive_count)];
		if (receive->live && (receive->message >= 0) == complete)
			return receive;
	}
	return NULL;
}

static struct shadow *learned(const struct receive *receive)
{
	struct shadow *shadow = shadow_find(&model.sequence.shadows, receive->handle);
	if (shadow->flags & (SHADOW_ANY_SOURCE | SHADOW_ANY_TAG))
		position_learn(&model.sequence, &model.ledger, shadow, key_of(model.messages[receive->message].stream));
	return shadow;
}

/* Whether an earlier receive that could take from the stream is undecided, by the model's own eyes. */
static bool is_open_before(const struct receive *receive, int stream)
{
	for (const struct receive *other = model.receives; other < receive; other++) {
		if (!other->live || other == receive)
			continue;
		const struct shadow *shadow = shadow_find(&model.sequence.shadows, other->handle);
		bool wild = shadow->flags & (SHADOW_ANY_SOURCE | SHADOW_ANY_TAG);
		if ((wild || other->cancelling) && matches(other, stream) && !(shadow->flags & SHADOW_LEARNED))
			return true;
	}
	return false;
}

static void tell(void)
{
	struct receive *receive = some(true);
	if (!receive)
		return;
	struct taking taking;
	struct shadow *shadow = shadow_find(&model.sequence.shadows, receive->handle);
	int stream = model.messages[receive->message].stream;
	uint64_t token = (uint64_t)receive->message + 1;
	if (receive->cancelling) {
		position_not_cancelled(&model.sequence, shadow);
		receive->cancelling = false;
	}
	shadow = learned(receive);
	struct ledger_stream *seen = ledger_stream(&model.ledger.seen, shadow->key);
	if (draw(2) && position_told_in_order(&model.sequence, seen, shadow->position)) {
		taking = (struct taking){.key = shadow->key, .turn = shadow->turn, .position = shadow->position, .told = true};
		decided(&taking, token);
	} else {
		bool open = is_open_before(receive, stream);
		bool now = position_tell(&model.sequence, &model.ledger, shadow, token, &taking);
		check(now == !open, "a position is final if nothing posted before can change it, and only then");
		if (now)
			decided(&taking, token);
	}
	receive->live = false;
	shadow_drop(&model.sequence.shadows, shadow);
	settle();
}

/* A look at a complete receive, which tells the application nothing. */
static void look(void)
{
	struct receive *receive = some(true);
	if (!receive || receive->cancelling)
		return;
	struct shadow *shadow = learned(receive);
	const struct message *message = &model.messages[receive->message];
	if (position_is_final(&model.sequence, shadow->key, shadow->turn))
		check(shadow->position + model.base[message->stream] == message->place, "a final position is the true one");
	settle();
}

static void cancel(void)
{
	struct receive *receive = some(draw(3) == 0);
	if (!receive || receive->cancelling)
		return;
	receive->cancelling = true;
	position_cancelling(&model.sequence, shadow_find(&model.sequence.shadows, receive->handle));
}

/* A cancelled receive that had no message when its cancelling is found to be done has none ever. */
static void end_cancel(void)
{
	for (int i = 0; i < model.receive_count; i++) {
		struct receive *receive = &model.receives[i];
		if (!receive->live || !receive->cancelling || draw(2))
			continue;
		struct shadow *shadow = shadow_find(&model.sequence.shadows, receive->handle);
		receive->cancelling = false;
		if (receive->message < 0) {
			position_cancelled(&model.sequence, &model.ledger, shadow);
			receive->live = false;
			shadow_drop(&model.sequence.shadows, shadow);
		} else if (draw(2)) {
			position_not_cancelled(&model.sequence, shadow);
		} else {
			learned(receive); /* a look finds that it has a message, before anybody says that it was not cancelled */
			position_not_cancelled(&model.sequence, shadow);
		}
		settle();
		return;
	}
}

static void drain(void)
{
	int stream = (int)draw(STREAMS);
	struct taking taking;
	for (int i = 0; i < model.message_count; i++)
		if (!model.messages[i].taken && model.messages[i].stream == stream) {
			model.messages[i].taken = true;
			if (position_drain(&model.sequence, &model.ledger, key_of(stream), (uint64_t)i + 1, &taking)) {
				check(!taking.told, "a drained message is not told");
				decided(&taking, (uint64_t)i + 1);
			}
			return;
		}
}

static int64_t moved(void *context, uint64_t key)
{
	(void)context;
	return model.move[stream_of(key)];
}

static void rebase(void)
{
	for (int i = 0; i < STREAMS; i++)
		model.move[i] = draw(2) ? (int64_t)draw(5) : 0;
	position_rebase(&model.sequence, moved, NULL);
	for (int i = 0; i < STREAMS; i++) {
		ledger_rebase(ledger_stream(&model.ledger.seen, key_of(i)), model.move[i], true);
		model.base[i] += model.move[i];
	}
	ledger_sweep(&model.ledger, true);
}

static void finish(void)
{
	for (int i = 0; i < model.receive_count; i++) {
		struct receive *receive = &model.receives[i];
		if (!receive->live || receive->message >= 0)
			continue;
		struct shadow *shadow = shadow_find(&model.sequence.shadows, receive->handle);
		if (draw(2) && !receive->cancelling)
			position_cancelling(&model.sequence, shadow);
		position_cancelled(&model.sequence, &model.ledger, shadow);
		receive->live = false;
		receive->cancelling = false;
		shadow_drop(&model.sequence.shadows, shadow);
		settle();
	}
	while (some(true) || some(true) || some(true))
		tell();
	for (int i = 0; i < model.receive_count; i++)
		while (model.receives[i].live)
			tell();
	check(model.sequence.uncertain == 0, "nothing stays uncertain");
	check(model.sequence.aside_count == 0, "nothing stays aside");
	check(model.sequence.shadows.used == 0, "no shadow stays");
	for (int i = 0; i < model.message_count; i++)
		if (model.messages[i].taken)
			check(model.decided[model.messages[i].stream][model.messages[i].place], "all that was taken is decided");
	for (int i = 0; i < STREAMS; i++) {
		const struct ledger_stream *seen = ledger_stream(&model.ledger.seen, key_of(i));
		check(seen->seen + model.base[i] == model.told[i], "the ledger counts what was told");
	}
}

static void run(uint64_t seed)
{
	memset(&model, 0, sizeof model);
	model.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	ledger_open(&model.ledger);
	position_open(&model.sequence);
	unsigned arrivals = 1 + draw(8), posts = 1 + draw(8), tells = draw(8), looks = draw(4), cancels = draw(3),
		 drains = draw(2), bases = draw(2);
	unsigned all = arrivals + posts + tells + looks + 2 * cancels + drains + bases;
	for (int step = 0; step < STEPS && model.failures == 0; step++) {
		unsigned what = draw(all);
		if (what < arrivals)
			arrive();
		else if ((what -= arrivals) < posts)
			post();
		else if ((what -= posts) < tells)
			tell();
		else if ((what -= tells) < looks)
			look();
		else if ((what -= looks) < cancels)
			cancel();
		else if ((what -= cancels) < cancels)
			end_cancel();
		else if ((what -= cancels) < drains)
			drain();
		else if (draw(8) == 0)
			rebase();
	}
	if (model.failures == 0)
		finish();
	if (model.failures)
		printf("    seed %llu\n", (unsigned long long)seed);
	CU_ASSERT_EQUAL(model.failures, 0);
	position_close(&model.sequence);
	ledger_close(&model.ledger);
}

static void test_decided_positions_are_true(void)
{
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		run(seed);
		if (model.failures)
			return;
	}
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("position", NULL, NULL);
	CU_add_test(suite, "a decided position is the message's true place in its stream", test_decided_positions_are_true);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
