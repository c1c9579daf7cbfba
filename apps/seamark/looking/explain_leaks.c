/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages that nobody asks for. */
#include <inttypes.h>
#include <string.h>

#include "command/command.h"
#include "looking/explain.h"

/* A stream must have grown by so much while its receiver took so many others, before anybody is told: in one look messages are always on their way. */
enum { GROWN = 8, OTHERS = 8 };

static int64_t taken_of(const struct explain_look *look, int source, const struct explain_stream *sent)
{
	const struct explain_stream *taken = explain_stream(&look->rank[sent->peer].taken, sent->comm, source, sent->tag);

	return taken ? taken->total : 0;
}

static void tell(const struct explain_look *look, int source, const struct explain_stream *sent, int64_t count, json_t *list, const char *how)
{
	if (list)
		json_array_append_new(list, json_pack("{s:i, s:i, s:i, s:s, s:I}", "from", source, "to", sent->peer, "tag", sent->tag, "communicator",
						      look->comms[sent->comm].name, "messages", (json_int_t)count));
	else
		command_print("  %" PRId64 " message%s from rank %d to rank %d, tag %d%s: %s", count, count == 1 ? "" : "s", source, sent->peer, sent->tag,
			      explain_on_text(look, sent->comm).text, how);
}

void explain_unreceived(const struct explain_look *look, int to, json_t *list)
{
	enum { LINES = 8 };
	int lines = 0;

	for (int source = 0; source < look->ranks; source++)
		for (size_t i = 0; i < look->rank[source].sent.count; i++) {
			const struct explain_stream *sent = &look->rank[source].sent.list[i];

			if ((to >= 0 && sent->peer != to) || !explain_comparable(look, source, sent->peer) || sent->total <= taken_of(look, source, sent))
				continue;
			if (list || lines++ < LINES)
				tell(look, source, sent, sent->total - taken_of(look, source, sent), list, "no receive is posted for it");
		}
}

static int64_t taken_in_all(const struct explain_rank *rank)
{
	int64_t sum = 0;

	for (size_t i = 0; i < rank->taken.count; i++)
		sum += rank->taken.list[i].total;
	return sum;
}

size_t explain_leaks(const struct explain_look *before, const struct explain_look *after, json_t *list)
{
	size_t leaks = 0;

	for (int source = 0; source < after->ranks; source++)
		for (size_t i = 0; i < after->rank[source].sent.count; i++) {
			const struct explain_stream *sent = &after->rank[source].sent.list[i], *then;
			struct explain_stream old = *sent;
			const int to = sent->peer;

			if (!explain_comparable(after, source, to) || !explain_comparable(before, source, to) || before->rank[to].base != after->rank[to].base)
				continue;
			/* The numbers of communicators are those of a look. */
			for (old.comm = 0; old.comm < (int)before->comm_count && strcmp(before->comms[old.comm].name, after->comms[sent->comm].name);)
				old.comm++;
			if (old.comm == (int)before->comm_count)
				continue;
			then = explain_stream(&before->rank[source].sent, old.comm, to, sent->tag);
			const int64_t unseen = sent->total - taken_of(after, source, sent);
			const bool untouched = taken_of(after, source, sent) == taken_of(before, source, &old);
			if (!untouched || unseen < GROWN || sent->total - (then ? then->total : 0) < GROWN ||
			    taken_in_all(&after->rank[to]) - taken_in_all(&before->rank[to]) < OTHERS)
				continue;
			tell(after, source, sent, unseen, list, "they become more, and it receives others meanwhile");
			leaks++;
		}
	return leaks;
}
