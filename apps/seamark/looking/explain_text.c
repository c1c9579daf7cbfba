/* SPDX-License-Identifier: BSD-3-Clause */
/* What a rank waits for, in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "looking/explain.h"

static __attribute__((format(printf, 2, 3))) void add(struct explain_text *text, const char *format, ...)
{
	const size_t length = strlen(text->text);
	va_list list;

	va_start(list, format);
	vsnprintf(text->text + length, sizeof text->text - length, format, list);
	va_end(list);
}

struct explain_text explain_on_text(const struct explain_look *look, int comm)
{
	struct explain_text text = {""};

	if (comm < 0)
		add(&text, " on a communicator that is not known");
	else if (look->comms[comm].label)
		add(&text, " on '%s'", look->comms[comm].label);
	else if (strcmp(look->comms[comm].name, "world"))
		add(&text, " on '%s'", look->comms[comm].name);
	return text;
}

/* In stretches, and the first few of them. */
struct explain_text explain_ranks_text(const int *list, int count)
{
	enum { STRETCHES = 8 };
	struct explain_text text = {""};
	int told = 0, at = 0;

	add(&text, count == 1 ? "rank " : "ranks ");
	for (int stretches = 0; at < count && stretches < STRETCHES; stretches++) {
		int end = at;

		while (end + 1 < count && list[end + 1] == list[end] + 1)
			end++;
		/* Two in a row are better told as two. */
		end = end - at < 2 ? at : end;
		add(&text, "%s%d", told == 0 ? "" : end + 1 == count ? " and " : ", ", list[at]);
		if (end > at)
			add(&text, " to %d", list[end]);
		told++;
		at = end + 1;
	}
	if (at < count)
		add(&text, " and %d more", count - at);
	return text;
}

static void add_stream(struct explain_text *text, const char *preposition, const struct explain_look *look, const struct explain_await *await)
{
	if (await->peer == EXPLAIN_ANY)
		add(text, " %s any rank", preposition);
	else if (await->peer >= 0)
		add(text, " %s rank %d", preposition, await->peer);
	else
		add(text, " %s a rank that is not known", preposition);
	if (await->tag >= 0)
		add(text, ", tag %d", await->tag);
	else
		add(text, ", any tag");
	add(text, "%s", explain_on_text(look, await->comm).text);
}

static void add_await(struct explain_text *text, const struct explain_look *look, const struct explain_call *call, const struct explain_await *await)
{
	const bool blocks = call->awaits == await && call->count == 1;

	switch (await->kind) {
	case EXPLAIN_RECEIVE:
		add(text, "%s", strncmp(call->name, "MPI_Wait", 8) ? "" : " for a receive");
		add_stream(text, "from", look, await);
		break;
	case EXPLAIN_PROBE:
		add_stream(text, "from", look, await);
		break;
	case EXPLAIN_BLOCKING_SEND:
		add_stream(text, "to", look, await);
		break;
	case EXPLAIN_SYNCHRONOUS:
		add(text, " for a synchronous send");
		add_stream(text, "to", look, await);
		break;
	case EXPLAIN_PERSISTENT:
		add(text, " for a persistent send");
		add_stream(text, "to", look, await);
		break;
	case EXPLAIN_SEND:
		add(text, " for a send");
		break;
	case EXPLAIN_COLLECTIVE:
		if (!blocks || (await->call && strcmp(await->call, call->name)))
			add(text, " for %s", await->call ? await->call : "a collective");
		if (await->root >= 0)
			add(text, " with root %d", await->root);
		if (await->comm != EXPLAIN_NOT_KNOWN)
			add(text, "%s", explain_on_text(look, await->comm).text);
		break;
	case EXPLAIN_ARRIVING:
		add(text, " for a message that is arriving");
		break;
	case EXPLAIN_FILE:
		add(text, " for a file");
		break;
	}
}

struct explain_text explain_call_text(const struct explain_look *look, int rank, const struct explain_call *call)
{
	enum { TOLD = 3 };
	struct explain_text text = {""};

	(void)rank;
	add(&text, "%s", call->name);
	for (size_t i = 0; i < call->count && i < TOLD; i++) {
		if (i)
			add(&text, ", or");
		add_await(&text, look, call, &call->awaits[i]);
	}
	if (call->count > TOLD)
		add(&text, ", or %zu others", call->count - TOLD);
	return text;
}

/* --- why -------------------------------------------------------------------------------------------------------------- */

static void why_message(struct explain_text *text, const struct explain_look *look, int rank, const struct explain_await *await)
{
	const struct explain_stream *sent;
	int64_t beyond;

	if (await->peer < 0 || await->tag < 0 || await->comm < 0 || !explain_comparable(look, rank, await->peer))
		return;
	if (await->peer == rank) {
		add(text, "it is itself the rank that would have to send");
		return;
	}
	sent = explain_stream(&look->rank[await->peer].sent, await->comm, rank, await->tag);
	beyond = await->number != EXPLAIN_NO_NUMBER ? (sent ? sent->total : 0) - await->number + 1 : 0;
	if (beyond > 0)
		add(text, "it has been sent");
	else
		add(text, "rank %d has not sent it", await->peer);
}

static void why_send(struct explain_text *text, const struct explain_look *look, int rank, const struct explain_await *await)
{
	const struct explain_stream *taken;

	if (await->peer < 0 || await->comm < 0 || !explain_comparable(look, rank, await->peer))
		return;
	taken = explain_stream(&look->rank[await->peer].taken, await->comm, rank, await->tag);
	if (await->number != EXPLAIN_NO_NUMBER && taken && taken->total >= await->number)
		add(text, "rank %d has a receive for it", await->peer);
	else
		add(text, "rank %d has not posted a receive for it", await->peer);
}

static void why_collective(struct explain_text *text, const struct explain_look *look, int rank, const struct explain_await *await)
{
	enum { MOST = 4096 };
	int missing[MOST], count = 0;
	const struct explain_comm *comm = await->comm >= 0 ? &look->comms[await->comm] : NULL;

	for (int i = 0; comm && await->number != EXPLAIN_NO_NUMBER && i < (comm->members ? comm->count : look->ranks); i++) {
		const int member = comm->members ? comm->members[i] : i;
		const struct explain_rank *other = &look->rank[member];

		if (member != rank && count < MOST && (other->gone || (other->present && other->readable && other->begun[await->comm] >= 0 &&
								      other->begun[await->comm] < await->number)))
			missing[count++] = member;
	}
	if (count)
		add(text, "%s %s not come to it", explain_ranks_text(missing, count).text, count == 1 ? "has" : "have");
}

struct explain_text explain_why_text(const struct explain_look *look, int rank, const struct explain_call *call)
{
	struct explain_text text = {""};
	const struct explain_await *await = call->awaits;

	if (call->count != 1)
		return text;
	if (await->kind == EXPLAIN_RECEIVE || await->kind == EXPLAIN_PROBE)
		why_message(&text, look, rank, await);
	else if (await->kind == EXPLAIN_BLOCKING_SEND || await->kind == EXPLAIN_SYNCHRONOUS)
		why_send(&text, look, rank, await);
	else if (await->kind == EXPLAIN_COLLECTIVE)
		why_collective(&text, look, rank, await);
	return text;
}
