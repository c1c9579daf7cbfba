/* SPDX-License-Identifier: BSD-3-Clause */
/* Two readings of all ranks, the second of all after the first of all, as a document: what stands in both was so at the moment between. docs/looking.md has its form. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "channel/position.h"
#include "command/command.h"
#include "looking/look.h"

/* --- one thread's call, in both readings ----------------------------------------------------------------------------------- */

/* The stream of a blocking send, while there is one. */
static uint64_t sending_of(const struct look_slot *slot, unsigned *as)
{
	for (*as = 0; *as < LOOK_SENDS; ++*as)
		if (slot->sending[*as])
			return slot->sending[*as];
	return 0;
}

static bool same_stream(const struct look_pair *pair, uint64_t key)
{
	const struct ledger_stream *first = look_stream(pair->first.sent, pair->first.sent_count, key);
	const struct ledger_stream *second = look_stream(pair->second.sent, pair->second.sent_count, key);

	return !pair->first.why[0] && !pair->second.why[0] && first && second && first->total == second->total;
}

static bool same_collective(const struct look_pair *pair, uint64_t inside)
{
	const struct look_comm *first = look_comm_at(&pair->first, look_inside_comm(inside));
	const struct look_comm *second = look_comm_at(&pair->second, look_inside_comm(inside));

	return !pair->first.why[0] && !pair->second.why[0] && first && second && first->begun == second->begun;
}

bool look_same(const struct look_pair *pair, size_t at)
{
	const struct look_slot *first = &pair->first.block.slots[at], *second = &pair->second.block.slots[at];
	unsigned as, as_then;
	uint64_t key = sending_of(second, &as);

	if (!pair->second.steady[at])
		return false;
	if (second->call != LOOK_Nothing)
		return first->since_ns == second->since_ns && first->call == second->call && second->base == (uint32_t)pair->second.block.base;
	if (key)
		return key == sending_of(first, &as_then) && as == as_then && same_stream(pair, key);
	return second->inside && second->inside == first->inside && same_collective(pair, second->inside);
}

/* One that sleeps in MPI waits for the kernel to wake it. */
static bool has_worked(const struct look_reading *before, const struct look_thread *thread, int64_t enough_ns)
{
	for (size_t i = 0; i < before->thread_count; i++) {
		const struct look_thread *then = &before->threads[i];

		if (then->number == thread->number)
			return thread->ran_ns - then->ran_ns >= enough_ns || (then->state == 'S' && thread->state == 'S');
	}
	return false;
}

bool look_tried(const struct look_pair *pair, size_t at)
{
	enum { TURNS = 2, ENOUGH_NS = 5000000 };
	const struct look_slot *first = &pair->first.block.slots[at], *second = &pair->second.block.slots[at];

	if (second->call != LOOK_Nothing)
		return second->beats >= first->beats + TURNS;
	for (size_t i = 0; i < pair->second.thread_count; i++)
		if (!has_worked(&pair->first, &pair->second.threads[i], ENOUGH_NS))
			return false;
	return pair->second.thread_count != 0;
}

/* --- names -------------------------------------------------------------------------------------------------------------- */

static json_t *comm_name(const struct look_reading *reading, int index)
{
	const struct look_comm *comm = look_comm_at(reading, index);

	return comm ? command_json_text(comm->name) : index == 0 ? json_string("world") : json_null();
}

/* In MPI_COMM_WORLD, or -1: not known. */
static int world_of(const struct look_reading *reading, uint64_t key)
{
	const struct look_comm *comm = look_comm_at(reading, (int)ledger_key_comm(key));
	const unsigned peer = ledger_key_peer(key);

	if (!comm)
		return ledger_key_comm(key) == 0 && (int)peer < reading->block.ranks ? (int)peer : -1;
	if ((int32_t)peer >= comm->peers)
		return -1;
	return comm->world ? comm->world[peer] : (int)peer;
}

static json_t *number_or_null(int64_t number)
{
	return number < 0 ? json_null() : json_integer(number);
}

static json_t *time_text(int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm parts;
	char text[40], whole[64];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(whole, sizeof whole, "%s.%03dZ", text, (int)(ns / 1000000 % 1000));
	return json_string(whole);
}

/* --- calls -------------------------------------------------------------------------------------------------------------- */

static json_t *stream_awaited(const char *kind, const struct look_reading *reading, uint64_t key, unsigned flags, int64_t number)
{
	json_t *awaited = json_pack("{s:s, s:o, s:o, s:o}", "kind", kind, "communicator", comm_name(reading, (int)ledger_key_comm(key)), "peer",
				    flags & LOOK_ANY_SOURCE ? json_string("any") : number_or_null(world_of(reading, key)), "tag",
				    flags & LOOK_ANY_TAG ? json_string("any") : json_integer((json_int_t)ledger_key_tag(key)));

	if (number != INT64_MIN)
		json_object_set_new(awaited, "number", json_integer(number));
	return awaited;
}

static json_t *collective_awaited(const struct look_reading *reading, int index, int64_t number, unsigned call, int root)
{
	const struct look_comm *comm = look_comm_at(reading, index);
	json_t *awaited = json_pack("{s:s, s:o, s:s}", "kind", "collective", "communicator", index < 0 ? json_null() : comm_name(reading, index), "call",
				    look_call_name(call));

	if (number >= 0 || comm)
		json_object_set_new(awaited, "number", json_integer(number >= 0 ? number : (json_int_t)comm->begun));
	if (root >= 0 && comm && !comm->inter && root < comm->peers)
		json_object_set_new(awaited, "root", json_integer(comm->world ? comm->world[root] : root));
	return awaited;
}

static bool is_later(const struct shadow *shadow, const struct look_awaited *than)
{
	return position_has(shadow) && shadow->turn > (uint64_t)than->number && ledger_key_comm(shadow->key) == ledger_key_comm(than->key) &&
	       (than->flags & LOOK_ANY_SOURCE || ledger_key_peer(shadow->key) == ledger_key_peer(than->key)) &&
	       (than->flags & LOOK_ANY_TAG || ledger_key_tag(shadow->key) == ledger_key_tag(than->key));
}

/* Of any source, or any tag. Receives that were posted later, of one stream, have drawn places that this one may take first. */
static json_t *wildcard_awaited(const struct look_reading *reading, const struct look_awaited *from)
{
	json_t *awaited = stream_awaited("receive", reading, from->key, from->flags, INT64_MIN), *later = json_array();

	for (size_t i = 0; i < reading->shadow_count; i++)
		if (is_later(&reading->shadows[i], from))
			json_array_append_new(later, json_pack("[i, i]", world_of(reading, reading->shadows[i].key), (int)ledger_key_tag(reading->shadows[i].key)));
	if (json_array_size(later))
		json_object_set(awaited, "later", later);
	json_decref(later);
	return awaited;
}

static json_t *sending_awaited(const struct look_reading *reading, uint64_t key)
{
	const struct ledger_stream *stream = look_stream(reading->sent, reading->sent_count, key);

	return stream_awaited("blocking send", reading, key, 0, stream ? stream->total : INT64_MIN);
}

static json_t *one_awaited(const struct look_reading *reading, const struct look_awaited *from)
{

	switch ((enum look_kind)from->kind) {
	case LOOK_RECEIVE:
		if (from->flags & (LOOK_ANY_SOURCE | LOOK_ANY_TAG))
			return wildcard_awaited(reading, from);
		return stream_awaited("receive", reading, from->key, 0, from->number);
	case LOOK_PROBE:
		return stream_awaited("probe", reading, from->key, from->flags, INT64_MIN);
	case LOOK_SYNCHRONOUS:
		return stream_awaited("synchronous", reading, from->key, 0, from->number);
	case LOOK_STANDARD:
		return stream_awaited("persistent", reading, from->key, 0, INT64_MIN);
	case LOOK_COLLECTIVE:
		return collective_awaited(reading, (int)ledger_key_comm(from->key), from->number, from->call, -1);
	case LOOK_ARRIVING:
		return json_pack("{s:s}", "kind", "arriving");
	case LOOK_SENDING:
		return sending_awaited(reading, from->key);
	case LOOK_FILE:
		return json_pack("{s:s}", "kind", "file");
	case LOOK_UNKNOWN:
		break;
	}
	return json_pack("{s:s}", "kind", "send");
}

static json_t *waiting_call(const struct look_reading *reading, const struct look_slot *slot)
{
	json_t *awaits = json_array();

	for (unsigned i = 0; i < slot->count; i++)
		json_array_append_new(awaits, one_awaited(reading, &slot->awaited[i]));
	json_t *call = json_pack("{s:s, s:o, s:o, s:I}", "call", look_call_name(slot->call), "awaits", awaits, "since", time_text(slot->since_ns), "turns",
				 (json_int_t)slot->beats);
	if (slot->more)
		json_object_set_new(call, "more", json_integer(slot->more));
	return call;
}

static json_t *blocking_call(const struct look_reading *reading, const struct look_slot *slot)
{
	static const unsigned calls[] = { LOOK_Send, LOOK_Bsend, LOOK_Rsend, LOOK_Ssend };
	unsigned as;
	const uint64_t key = sending_of(slot, &as);
	json_t *awaited;

	if (key)
		return json_pack("{s:s, s:[o]}", "call", look_call_name(calls[as]), "awaits", sending_awaited(reading, key));
	awaited = collective_awaited(reading, look_inside_comm(slot->inside), -1, look_inside_call(slot->inside), look_inside_root(slot->inside));
	return json_pack("{s:s, s:[o]}", "call", look_call_name(look_inside_call(slot->inside)), "awaits", awaited);
}

static json_t *calls_of(const struct look_pair *pair)
{
	json_t *calls = json_array();

	for (size_t i = 0; i < LOOK_SLOTS; i++) {
		const struct look_slot *slot = &pair->second.block.slots[i];

		if (!look_slot_is_used(slot))
			continue;
		json_t *call = slot->call != LOOK_Nothing ? waiting_call(&pair->second, slot) : blocking_call(&pair->second, slot);
		/* Of what has not had the processor nothing can be said. */
		json_object_set_new(call, "same", json_boolean(look_same(pair, i) && look_tried(pair, i)));
		json_array_append_new(calls, call);
	}
	return calls;
}

/* --- tables ------------------------------------------------------------------------------------------------------------- */

static json_t *streams_of(const struct look_reading *reading, const struct ledger_stream *list, size_t count, bool taken)
{
	json_t *streams = json_array();

	for (size_t i = 0; i < count; i++) {
		const int peer = world_of(reading, list[i].key);
		json_t *stream;

		if (peer < 0 || !look_comm_at(reading, (int)ledger_key_comm(list[i].key)))
			continue; /* of a communicator that was freed */
		stream = json_pack("[o, i, i, I]", comm_name(reading, (int)ledger_key_comm(list[i].key)), peer, (int)ledger_key_tag(list[i].key),
				   (json_int_t)list[i].total);
		if (taken)
			json_array_append_new(stream, json_integer(list[i].seen));
		json_array_append_new(streams, stream);
	}
	return streams;
}

static json_t *posted_of(const struct look_reading *reading)
{
	json_t *posted = json_array();

	for (size_t i = 0; i < reading->shadow_count; i++) {
		const struct shadow *shadow = &reading->shadows[i];
		const unsigned flags = (shadow->flags & SHADOW_ANY_SOURCE ? LOOK_ANY_SOURCE : 0) | (shadow->flags & SHADOW_ANY_TAG ? LOOK_ANY_TAG : 0);

		if (shadow->kind == SHADOW_RECEIVE && !(shadow->flags & (SHADOW_COMPLETE | SHADOW_LEARNED)))
			json_array_append_new(posted, stream_awaited("receive", reading, shadow->key, flags, flags ? INT64_MIN : shadow->position));
	}
	return posted;
}

static json_t *collectives_of(const struct look_reading *reading)
{
	json_t *begun = json_object();

	for (size_t i = 0; i < reading->comm_count; i++)
		if (strncmp(reading->comms[i].name, "self.", 5))
			json_object_set_new(begun, reading->comms[i].name, json_integer((json_int_t)reading->comms[i].begun));
	return begun;
}

/* Whether it has sent, or received, or begun a collective, or passed a safepoint between the readings. */
static bool has_moved(const struct look_pair *pair)
{
	const struct look_reading *first = &pair->first, *second = &pair->second;

	if (first->block.safepoints != second->block.safepoints || first->block.base != second->block.base || first->turn != second->turn ||
	    first->sent_count != second->sent_count || first->taken_count != second->taken_count || first->comm_count != second->comm_count)
		return true;
	for (size_t i = 0; i < second->comm_count; i++)
		if (first->comms[i].index != second->comms[i].index || first->comms[i].begun != second->comms[i].begun)
			return true;
	return (second->sent_count && memcmp(first->sent, second->sent, second->sent_count * sizeof *second->sent)) ||
	       (second->taken_count && memcmp(first->taken, second->taken, second->taken_count * sizeof *second->taken));
}

static const char *state_word(const struct look_pair *pair, const json_t *calls)
{
	if (pair->second.state == 'T' || pair->second.state == 't')
		return "stopped";
	return json_array_size(calls) ? "in a call" : "running";
}

static json_t *process_of(const struct look_process *process, const struct look_pair *pair)
{
	const struct look_reading *reading = &pair->second;
	const bool readable = !pair->first.why[0] && !reading->why[0];
	json_t *calls = calls_of(pair), *item;

	item = json_pack("{s:i, s:i, s:s, s:o, s:b, s:o, s:I, s:o}", "rank", reading->block.rank, "pid", (int)process->pid, "state", state_word(pair, calls),
			 "calls", calls, "several", reading->block.several != 0 || reading->block.threads != 0, "step",
			 reading->block.step >= 0 ? json_integer(reading->block.step) : json_null(), "safepoints", (json_int_t)reading->block.safepoints,
			 "cpu_s", pair->second.cpu_ns >= 0 ? json_real((double)(pair->second.cpu_ns - pair->first.cpu_ns) / 1e9) : json_null());
	if (!readable) {
		json_object_set_new(item, "unreadable", command_json_text(reading->why[0] ? reading->why : pair->first.why));
		return item;
	}
	json_object_set_new(item, "moved", json_boolean(has_moved(pair)));
	json_object_set_new(item, "base", json_integer((json_int_t)(reading->block.base / 2)));
	json_object_set_new(item, "sent", streams_of(reading, reading->sent, reading->sent_count, false));
	json_object_set_new(item, "taken", streams_of(reading, reading->taken, reading->taken_count, true));
	json_object_set_new(item, "posted", posted_of(reading));
	json_object_set_new(item, "collectives", collectives_of(reading));
	return item;
}

/* --- the whole ---------------------------------------------------------------------------------------------------------- */

static void add_comms(json_t *comms, const struct look_reading *reading)
{
	for (size_t i = 0; i < reading->comm_count; i++) {
		const struct look_comm *comm = &reading->comms[i];
		json_t *members, *item = json_object_get(comms, comm->name);

		/* Each side of an intercommunicator knows the other. */
		if (!strncmp(comm->name, "self.", 5) || (item && !comm->inter))
			continue;
		members = comm->world ? json_array() : NULL;
		for (int32_t k = 0; comm->world && k < comm->peers; k++)
			json_array_append_new(members, json_integer(comm->world[k]));
		if (!item) {
			item = json_pack("{s:b}", "inter", comm->inter);
			json_object_set_new(comms, comm->name, item);
		}
		if (comm->label[0])
			json_object_set_new(item, "label", command_json_text(comm->label));
		if (!members)
			continue;
		if (comm->inter && json_object_get(item, "members") && !json_equal(json_object_get(item, "members"), members))
			json_object_set_new(item, "others", members);
		else
			json_object_set_new(item, "members", members);
	}
}

json_t *look_document(const struct look_process *processes, const struct look_pair *pairs, size_t count, json_t *gone)
{
	json_t *list = json_array(), *comms = json_pack("{s:{s:b}}", "world", "inter", 0);
	const struct look_block *any = NULL;
	int64_t first_ns = 0, second_ns = 0;
	char identity[32];

	for (size_t i = 0; i < count; i++) {
		if (!pairs[i].first.there || !pairs[i].second.there)
			continue;
		any = &pairs[i].second.block;
		first_ns = pairs[i].first_ns;
		second_ns = pairs[i].second_ns;
		json_array_append_new(list, process_of(&processes[i], &pairs[i]));
		if (!pairs[i].second.why[0])
			add_comms(comms, &pairs[i].second);
	}
	if (!any) {
		json_decref(gone);
		json_decref(list);
		json_decref(comms);
		return NULL;
	}
	snprintf(identity, sizeof identity, "%016" PRIx64, any->identity);
	return json_pack("{s:s, s:i, s:s, s:i, s:i, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "format", "seamark-look", "version", 1, "run", identity, "ranks",
			 any->ranks, "ranks_here", any->here, "node", command_json_text(any->node), "taken", time_text(second_ns), "seconds",
			 (double)(second_ns - first_ns) / 1e9, "mpi", command_json_text(any->mpi), "job",
			 any->job[0] ? command_json_text(any->job) : json_null(), "folder", command_json_text(any->folder), "communicators", comms, "processes",
			 list, "gone", gone);
}
