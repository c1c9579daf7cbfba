/* SPDX-License-Identifier: BSD-3-Clause */
/* From documents to ranks, calls and streams. A document may be anybody's: every number is looked at before it is an index. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "looking/explain.h"

enum { RANKS_MOST = 1 << 20 };

static const json_t *get(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

static int64_t number_of(const json_t *value, int64_t otherwise)
{
	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static const char *text_of(const json_t *value)
{
	return json_is_string(value) ? json_string_value(value) : NULL;
}

/* --- communicators ---------------------------------------------------------------------------------------------------- */

static int comm_named(const struct explain_look *look, const char *name)
{
	for (size_t i = 0; name && i < look->comm_count; i++)
		if (!strcmp(look->comms[i].name, name))
			return (int)i;
	return EXPLAIN_NOT_KNOWN;
}

/* Each once: the looks of several nodes tell of the sides of an intercommunicator. */
static bool add_members(const struct explain_look *look, struct explain_comm *comm, const json_t *list)
{
	bool *has = calloc((size_t)look->ranks, sizeof *has);

	for (int i = 0; has && i < comm->count; i++)
		has[comm->members[i]] = true;
	for (size_t i = 0; has && i < json_array_size(list); i++) {
		const int64_t member = number_of(json_array_get(list, i), -1);

		if (member < 0 || member >= look->ranks || has[member])
			continue;
		comm->members[comm->count++] = (int)member;
		has[member] = true;
	}
	free(has);
	return has != NULL;
}

static bool add_comms(struct explain_look *look, const json_t *comms)
{
	const char *name;
	json_t *item;

	json_object_foreach((json_t *)(uintptr_t)comms, name, item) {
		const int known = comm_named(look, name);
		if (known >= 0 && (!look->comms[known].inter || !look->comms[known].members))
			continue;
		if (known >= 0) {
			if (!add_members(look, &look->comms[known], get(item, "members")) || !add_members(look, &look->comms[known], get(item, "others")))
				return false;
			continue;
		}
		struct explain_comm *list = realloc(look->comms, (look->comm_count + 1) * sizeof *list), *comm;
		if (!list)
			return false;
		look->comms = list;
		comm = &list[look->comm_count++];
		*comm = (struct explain_comm){.name = name, .label = text_of(get(item, "label")), .inter = json_is_true(get(item, "inter"))};
		if (!get(item, "members"))
			continue;
		comm->members = malloc(((size_t)look->ranks + 1) * sizeof *comm->members);
		if (!comm->members)
			return false;
		if (!add_members(look, comm, get(item, "members")) || !add_members(look, comm, get(item, "others")))
			return false;
	}
	return true;
}

/* --- streams ---------------------------------------------------------------------------------------------------------- */

static int peer_or_tag(const json_t *value, int64_t end)
{
	const int64_t number = number_of(value, -1);

	if (json_is_string(value))
		return EXPLAIN_ANY;
	return number >= 0 && number < end ? (int)number : EXPLAIN_NOT_KNOWN;
}

static int compare(const void *a, const void *b)
{
	const struct explain_stream *x = a, *y = b;

	if (x->comm != y->comm)
		return x->comm < y->comm ? -1 : 1;
	if (x->peer != y->peer)
		return x->peer < y->peer ? -1 : 1;
	return x->tag < y->tag ? -1 : x->tag > y->tag;
}

static bool add_streams(const struct explain_look *look, struct explain_streams *streams, const json_t *list)
{
	streams->list = calloc(json_array_size(list) + 1, sizeof *streams->list);
	if (!streams->list)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *from = json_array_get(list, i);
		const struct explain_stream stream = {
			comm_named(look, text_of(json_array_get(from, 0))), peer_or_tag(json_array_get(from, 1), look->ranks),
			peer_or_tag(json_array_get(from, 2), INT64_C(1) << 31), number_of(json_array_get(from, 3), 0), number_of(json_array_get(from, 4), 0)};

		if (stream.comm >= 0 && stream.peer >= 0 && stream.tag >= 0)
			streams->list[streams->count++] = stream;
	}
	qsort(streams->list, streams->count, sizeof *streams->list, compare);
	return true;
}

const struct explain_stream *explain_stream(const struct explain_streams *streams, int comm, int peer, int tag)
{
	const struct explain_stream wanted = {.comm = comm, .peer = peer, .tag = tag};

	return streams->count ? bsearch(&wanted, streams->list, streams->count, sizeof wanted, compare) : NULL;
}

size_t explain_streams_with(const struct explain_streams *streams, int comm, int peer)
{
	const struct explain_stream wanted = {.comm = comm, .peer = peer, .tag = INT_MIN};
	size_t low = 0, high = streams->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare(&streams->list[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

static enum explain_kind kind_of(const char *word)
{
	static const char *const words[] = {"receive", "probe", "blocking send", "synchronous", "persistent", "send", "collective", "arriving", "file"};

	for (size_t i = 0; word && i < sizeof words / sizeof words[0]; i++)
		if (!strcmp(words[i], word))
			return (enum explain_kind)i;
	return EXPLAIN_ARRIVING; /* of which nothing follows */
}

/* One item each: those of a stream stand together. */
static bool add_later(const struct explain_look *look, struct explain_await *await, const json_t *list)
{
	await->later.list = list ? calloc(json_array_size(list) + 1, sizeof *await->later.list) : NULL;
	for (size_t i = 0; await->later.list && i < json_array_size(list); i++) {
		const json_t *from = json_array_get(list, i);
		const struct explain_stream stream = {
			.comm = await->comm, .peer = peer_or_tag(json_array_get(from, 0), look->ranks), .tag = peer_or_tag(json_array_get(from, 1), INT64_C(1) << 31)};

		if (stream.comm >= 0 && stream.peer >= 0 && stream.tag >= 0)
			await->later.list[await->later.count++] = stream;
	}
	if (await->later.count)
		qsort(await->later.list, await->later.count, sizeof *await->later.list, compare);
	return !list || await->later.list;
}

static struct explain_await await_of(const struct explain_look *look, const json_t *from)
{
	return (struct explain_await){
		.kind = kind_of(text_of(get(from, "kind"))), .comm = comm_named(look, text_of(get(from, "communicator"))),
		.peer = peer_or_tag(get(from, "peer"), look->ranks), .tag = peer_or_tag(get(from, "tag"), INT64_C(1) << 31),
		.number = number_of(get(from, "number"), EXPLAIN_NO_NUMBER), .root = peer_or_tag(get(from, "root"), look->ranks),
		.call = text_of(get(from, "call")),
	};
}

static struct explain_await *awaits_of(const struct explain_look *look, const json_t *list, size_t *count)
{
	struct explain_await *awaits = calloc(json_array_size(list) + 1, sizeof *awaits);

	*count = awaits ? json_array_size(list) : 0;
	for (size_t i = 0; i < *count; i++) {
		awaits[i] = await_of(look, json_array_get(list, i));
		/* Without memory for them nothing is known of it. */
		if (!add_later(look, &awaits[i], get(json_array_get(list, i), "later")))
			awaits[i].kind = EXPLAIN_ARRIVING;
	}
	return awaits;
}

static void free_awaits(struct explain_await *awaits, size_t count)
{
	for (size_t i = 0; awaits && i < count; i++)
		free(awaits[i].later.list);
	free(awaits);
}

/* In an order that is not that in which threads came. */
static int by_call(const void *a, const void *b)
{
	const struct explain_call *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool add_calls(const struct explain_look *look, struct explain_rank *rank, const json_t *list)
{
	rank->calls = calloc(json_array_size(list) + 1, sizeof *rank->calls);
	if (!rank->calls)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *from = json_array_get(list, i);
		struct explain_call *call = &rank->calls[rank->call_count++];

		call->name = text_of(get(from, "call"));
		call->name = call->name ? call->name : "a call";
		call->since = text_of(get(from, "since"));
		call->same = json_is_true(get(from, "same"));
		call->more = get(from, "more") != NULL;
		call->awaits = awaits_of(look, get(from, "awaits"), &call->count);
		if (!call->awaits)
			return false;
	}
	qsort(rank->calls, rank->call_count, sizeof *rank->calls, by_call);
	return true;
}

bool explain_comparable(const struct explain_look *look, int a, int b)
{
	const struct explain_rank *x = &look->rank[a], *y = &look->rank[b];

	return x->present && y->present && x->readable && y->readable && x->base == y->base;
}

const struct explain_call *explain_blocked_call(const struct explain_rank *rank)
{
	for (size_t i = 0; i < rank->call_count; i++)
		if (rank->calls[i].same)
			return &rank->calls[i];
	return NULL;
}

/* --- ranks ------------------------------------------------------------------------------------------------------------ */

static bool add_begun(const struct explain_look *look, struct explain_rank *rank, const json_t *begun)
{
	rank->begun = malloc((look->comm_count + 1) * sizeof *rank->begun);
	for (size_t i = 0; rank->begun && i < look->comm_count; i++)
		rank->begun[i] = number_of(get(begun, look->comms[i].name), -1);
	return rank->begun != NULL;
}

static bool add_rank(struct explain_look *look, const json_t *from, const char *node, double from_s, double to_s)
{
	const int64_t number = number_of(get(from, "rank"), -1);
	const char *state = text_of(get(from, "state"));
	struct explain_rank *rank;

	if (number < 0 || number >= look->ranks || look->rank[number].present)
		return true;
	rank = &look->rank[number];
	rank->present = true;
	rank->unreadable = text_of(get(from, "unreadable"));
	rank->readable = !rank->unreadable;
	rank->stopped = state && !strcmp(state, "stopped");
	rank->moved = json_is_true(get(from, "moved"));
	rank->several = json_is_true(get(from, "several"));
	rank->step = number_of(get(from, "step"), -1);
	rank->safepoints = number_of(get(from, "safepoints"), 0);
	rank->base = number_of(get(from, "base"), -1);
	rank->pid = (int)number_of(get(from, "pid"), 0);
	rank->node = node;
	rank->from_s = from_s;
	rank->to_s = to_s;
	rank->source = get(from, "calls");
	rank->posted = awaits_of(look, get(from, "posted"), &rank->posted_count);
	return rank->posted && add_calls(look, rank, get(from, "calls")) && add_streams(look, &rank->sent, get(from, "sent")) &&
	       add_streams(look, &rank->taken, get(from, "taken")) && add_begun(look, rank, get(from, "collectives"));
}

static double seconds_of(const char *taken)
{
	struct tm parts = {0};
	double fraction = 0;
	const char *rest = taken ? strptime(taken, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;

	if (rest && *rest == '.')
		fraction = strtod(rest, NULL);
	return rest ? (double)timegm(&parts) + fraction : 0;
}

static bool add_document(struct explain_look *look, const json_t *document)
{
	const json_t *list = get(document, "processes");
	const double to_s = seconds_of(text_of(get(document, "taken"))), from_s = to_s - json_number_value(get(document, "seconds"));
	const char *node = text_of(get(document, "node"));
	bool fine = true;

	for (size_t i = 0; fine && i < json_array_size(list); i++)
		fine = add_rank(look, json_array_get(list, i), node ? node : "", from_s, to_s);
	look->from_s = look->to_s == 0 || from_s < look->from_s ? from_s : look->from_s;
	look->to_s = to_s > look->to_s ? to_s : look->to_s;
	for (size_t i = 0; i < json_array_size(get(document, "gone")); i++) {
		const int64_t gone = number_of(json_array_get(get(document, "gone"), i), -1);

		if (gone >= 0 && gone < look->ranks)
			look->rank[gone].gone = true;
	}
	return fine;
}

bool explain_is_look(const json_t *document, const char *name)
{
	const char *format = text_of(get(document, "format"));
	const int64_t ranks = number_of(get(document, "ranks"), 0);

	if (!format || strcmp(format, "seamark-look"))
		command_complain("%s is no look", name);
	else if (number_of(get(document, "version"), 0) != 1)
		command_complain("%s is a look of another version of Seamark", name);
	else if (ranks < 1 || ranks > RANKS_MOST || !text_of(get(document, "run")) || !json_is_array(get(document, "processes")) ||
		 !json_is_object(get(document, "communicators")) || seconds_of(text_of(get(document, "taken"))) <= 0)
		command_complain("%s is a damaged look", name);
	else
		return true;
	return false;
}

bool explain_model(json_t *const *documents, size_t count, struct explain_look *look)
{
	bool fine = true;

	memset(look, 0, sizeof *look);
	look->run = text_of(get(documents[0], "run"));
	look->ranks = (int)number_of(get(documents[0], "ranks"), 0);
	look->rank = calloc((size_t)look->ranks, sizeof *look->rank);
	fine = look->rank != NULL;
	for (size_t i = 0; fine && i < count; i++) {
		if (strcmp(look->run, text_of(get(documents[i], "run"))) || number_of(get(documents[i], "ranks"), 0) != look->ranks) {
			command_complain("these looks are of different runs");
			return false;
		}
		fine = add_comms(look, get(documents[i], "communicators"));
	}
	for (size_t i = 0; fine && i < count; i++)
		fine = add_document(look, documents[i]);
	/* One that was seen was there. */
	for (int i = 0; fine && i < look->ranks; i++)
		look->rank[i].gone &= !look->rank[i].present;
	if (!fine)
		command_complain("no memory for this look");
	return fine;
}

void explain_free(struct explain_look *look)
{
	for (int i = 0; look->rank && i < look->ranks; i++) {
		struct explain_rank *rank = &look->rank[i];

		for (size_t k = 0; k < rank->call_count; k++)
			free_awaits(rank->calls[k].awaits, rank->calls[k].count);
		free(rank->calls);
		free_awaits(rank->posted, rank->posted_count);
		free(rank->sent.list);
		free(rank->taken.list);
		free(rank->begun);
	}
	for (size_t i = 0; i < look->comm_count; i++)
		free(look->comms[i].members);
	free(look->comms);
	free(look->rank);
	memset(look, 0, sizeof *look);
}
