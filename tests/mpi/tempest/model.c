/* SPDX-License-Identifier: BSD-3-Clause */
/* A receive gets the first message, in the order in which its sender sent them, that fits it and that no receive posted before it has
 * taken. So what a receive got can be judged when all that were posted before it on that communicator are decided. */
#include <string.h>

#include "tempest.h"

enum { NONE = -1 };

void content_make(const struct message *m, unsigned char *elements, size_t bytes)
{
	uint64_t salt = mix(mix(mix(plan.seed, (uint64_t)m->comm), (uint64_t)m->source << 32 | (uint64_t)m->target),
			    (uint64_t)m->tag << 32 | (uint64_t)m->serial);
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word = mix(salt, i);
		memcpy(elements + i, &word, bytes - i < 8 ? bytes - i : 8);
	}
}

uint64_t content_digest(const unsigned char *elements, size_t bytes)
{
	uint64_t sum = bytes, word = 0;
	for (size_t i = 0; i < bytes; i += 8) {
		memcpy(&word, elements + i, bytes - i < 8 ? bytes - i : 8);
		sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		sum ^= sum >> 29;
	}
	return sum;
}

static uint64_t digest_of(const struct message *m)
{
	static unsigned char room[4 << 20];
	size_t bytes = (size_t)m->n * (size_t)base_width(plan_base(m->comm));
	content_make(m, room, bytes);
	return content_digest(room, bytes);
}

void model_posted(int receive)
{
	int comm = plan.messages[receive].comm;
	state.got[receive].post = ++state.posts;
	state.order[comm][state.order_count[comm]++] = receive;
	state.flags[receive] |= POSTED;
}

/* Which message has that content, if any. */
static const struct message *whose(const struct got *got, int width)
{
	for (int i = 0; i < plan.messages_count; i++) {
		const struct message *m = &plan.messages[i];
		if (m->n == got->elements && base_width(plan_base(m->comm)) == width && m->n && digest_of(m) == got->digest)
			return m;
	}
	return NULL;
}

static const struct message *due(const struct message *receive, const struct got *got, int *index)
{
	for (int i = 0; i < plan.messages_count; i++) {
		const struct message *m = &plan.messages[*index = plan.by_begin[i]];
		if (m->comm == receive->comm && m->target == rank && m->source == got->source && !state.taken[*index] &&
		    (got->with_tag == MPI_ANY_TAG || got->with_tag == m->tag))
			return m;
	}
	return NULL;
}

static void judge(int receive)
{
	const struct message *r = &plan.messages[receive];
	const struct got *got = &state.got[receive];
	int index, width = base_width(plan_base(r->comm));
	const struct message *m = due(r, got, &index);
	if ((got->from != MPI_ANY_SOURCE && got->from != got->source) || (got->with_tag != MPI_ANY_TAG && got->with_tag != got->tag))
		wrong("receive %d of source %d tag %d on communicator %d has source %d tag %d", receive, got->from, got->with_tag, r->comm, got->source,
		      got->tag);
	if (!m)
		wrong("receive %d on communicator %d: a message of source %d tag %d that was not sent", receive, r->comm, got->source, got->tag);
	if (m->tag != got->tag)
		wrong("receive %d on communicator %d: of source %d tag %d, but a message of tag %d was sent before", receive, r->comm, got->source,
		      got->tag, m->tag);
	state.taken[index] = 1;
	state.flags[receive] |= VERIFIED;
	if (r->receive_freed || r->truncated)
		return;
	if ((got->elements >= 0 && got->elements != m->n) || digest_of(m) != got->digest) {
		const struct message *other = whose(got, width);
		wrong("receive %d on communicator %d of source %d tag %d: to come was message %d of the stream with %d elements of %d bytes; it has %d, %s %d "
		      "(on %d from %d to %d tag %d)", receive, r->comm, got->source, got->tag, m->serial, m->n, width, got->elements,
		      other ? "which are message" : "of no message:", other ? other->serial : 0, other ? other->comm : 0, other ? other->source : 0,
		      other ? other->target : 0, other ? other->tag : 0);
	}
}

static void judge_ripe(int comm)
{
	while (state.order_done[comm] < state.order_count[comm]) {
		int receive = state.order[comm][state.order_done[comm]];
		if (receive != NONE && !(state.flags[receive] & RECEIVED))
			return;
		state.order_done[comm]++;
		if (receive != NONE)
			judge(receive);
	}
}

void model_received(int receive, int source, int tag, int elements, uint64_t digest)
{
	const struct message *m = &plan.messages[receive];
	struct got *got = &state.got[receive];
	if (state.flags[receive] & RECEIVED)
		wrong("receive %d is complete twice", receive);
	state.flags[receive] |= RECEIVED;
	state.messages++;
	got->source = source == NOBODY ? m->source : source;
	got->tag = tag == NOBODY ? m->tag : tag;
	got->elements = elements;
	got->digest = digest;
	if (m->matching == LOOSE)
		state.loose[m->comm]++;
	judge_ripe(m->comm);
}

/* Nobody will be told of it; only exact receives are freed, and what they take is known. */
void model_freed(int receive)
{
	model_received(receive, NOBODY, NOBODY, -1, 0);
}

void model_missed(int receive)
{
	int comm = plan.messages[receive].comm;
	for (int i = 0; i < state.order_count[comm]; i++)
		if (state.order[comm][i] == receive)
			state.order[comm][i] = NONE;
	state.flags[receive] &= (uint8_t)~POSTED;
	judge_ripe(comm);
}

void model_end(void)
{
	for (int c = 0; c < plan.comms_count; c++)
		if (state.order_done[c] != state.order_count[c])
			wrong("at the end: on communicator %d receive %d is not complete", c, state.order[c][state.order_done[c]]);
	for (int i = 0; i < plan.messages_count; i++) {
		const struct message *m = &plan.messages[i];
		if (m->target == rank && !state.taken[i])
			wrong("at the end: message %d of source %d tag %d on communicator %d was not received", m->serial, m->source, m->tag, m->comm);
		if (m->target == rank && !(state.flags[i] & VERIFIED))
			wrong("at the end: receive %d was not judged", i);
	}
}
