/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/mix.h"

enum { FIRST_BITS = 6, FIRST_COMMS = 16 };
/* Beside the name of a communicator, in the balance: that it was freed. No count of collectives comes near it. */
#define FREED UINT64_C(0xF4EED00000000000)

static bool table_open(struct ledger_table *table, unsigned bits)
{
	memset(table, 0, sizeof *table);
	table->shift = 64 - bits;
	table->slots = calloc((size_t)1 << bits, sizeof *table->slots);
	return table->slots != NULL;
}

static size_t table_room(const struct ledger_table *table)
{
	return (size_t)1 << (64 - table->shift);
}

/* The slot that holds the key, or the empty one where it belongs. */
static struct ledger_stream *slot_of(const struct ledger_table *table, uint64_t key)
{
	size_t mask = table_room(table) - 1;
	size_t at = (size_t)(ledger_home(table, key) - table->slots);
	while (table->slots[at].key != 0 && table->slots[at].key != key)
		at = (at + 1) & mask;
	return &table->slots[at];
}

/* Moves the streams into a table of another size; without memory the old one stays. */
static bool table_resize(struct ledger_table *table, unsigned bits)
{
	struct ledger_table larger;
	if (!table_open(&larger, bits))
		return false;
	for (size_t i = 0; i < table_room(table); i++)
		if (table->slots[i].key != 0) {
			*slot_of(&larger, table->slots[i].key) = table->slots[i];
			larger.used++;
		}
	larger.broken = table->broken;
	free(table->slots);
	*table = larger;
	return true;
}

struct ledger_stream *ledger_probe(struct ledger_table *table, uint64_t key)
{
	struct ledger_stream *stream = slot_of(table, key);
	if (stream->key == key)
		return stream;
	if ((table->used + 1) * 4 > table_room(table) * 3 && !table_resize(table, 64 - table->shift + 1)) {
		table->broken = true;
		return &table->lost;
	}
	stream = slot_of(table, key);
	stream->key = key;
	table->used++;
	return stream;
}

struct ledger_stream *ledger_find(struct ledger_table *table, uint64_t key)
{
	struct ledger_stream *stream = slot_of(table, key);
	return stream->key == key ? stream : NULL;
}

bool ledger_open(struct ledger *ledger)
{
	memset(ledger, 0, sizeof *ledger);
	ledger->comms = calloc(FIRST_COMMS, sizeof *ledger->comms);
	ledger->comm_room = FIRST_COMMS;
	if (table_open(&ledger->sent, FIRST_BITS) && table_open(&ledger->seen, FIRST_BITS) && ledger->comms)
		return true;
	ledger_close(ledger);
	return false;
}

void ledger_close(struct ledger *ledger)
{
	for (size_t i = 0; ledger->comms && i < ledger->comm_room; i++)
		free(ledger->comms[i].world);
	free(ledger->comms);
	free(ledger->sent.slots);
	free(ledger->seen.slots);
	memset(ledger, 0, sizeof *ledger);
}

/* An unused index, growing the list when there is none; LEDGER_NO_COMM without memory or beyond what a key can hold. */
static int free_index(struct ledger *ledger)
{
	for (; ledger->lowest < ledger->comm_room; ledger->lowest++)
		if (ledger->comms[ledger->lowest].state == LEDGER_COMM_NONE)
			return (int)ledger->lowest;
	size_t room = ledger->comm_room * 2;
	if (room > LEDGER_COMMS_MAX)
		return LEDGER_NO_COMM;
	struct ledger_comm *comms = realloc(ledger->comms, room * sizeof *comms);
	if (!comms)
		return LEDGER_NO_COMM;
	memset(comms + ledger->comm_room, 0, (room - ledger->comm_room) * sizeof *comms);
	int index = (int)ledger->comm_room;
	ledger->comms = comms;
	ledger->comm_room = room;
	return index;
}

int ledger_add_comm(struct ledger *ledger, enum ledger_comm_kind kind, uint64_t name, int32_t own, int32_t peers,
		    int32_t members, const int32_t *world, bool first)
{
	int index = peers <= LEDGER_PEERS_MAX ? free_index(ledger) : LEDGER_NO_COMM;
	int32_t *copy = NULL;
	if (index != LEDGER_NO_COMM && world) {
		copy = malloc((size_t)peers * sizeof *copy);
		if (copy)
			memcpy(copy, world, (size_t)peers * sizeof *copy);
		else
			index = LEDGER_NO_COMM;
	}
	if (index == LEDGER_NO_COMM) {
		ledger->overflow = true;
		return LEDGER_NO_COMM;
	}
	ledger->comms[index] = (struct ledger_comm){
		.state = LEDGER_COMM_LIVE, .kind = kind, .first = first, .name = name, .making = ++ledger->made,
		.own = own, .peers = peers, .members = members, .world = copy,
	};
	return index;
}

void ledger_free_comm(struct ledger *ledger, int comm)
{
	if (comm == LEDGER_NO_COMM || ledger->comms[comm].state != LEDGER_COMM_LIVE)
		return;
	struct ledger_comm *freed = &ledger->comms[comm];
	freed->state = LEDGER_COMM_FREED;
	ledger->freed++;
	/* One that came and went on some members only, from MPI_Comm_create_group on, would be missed by the sum over those alive. */
	ledger_together(ledger, mix64_pair(freed->name, FREED), freed->members, freed->first);
}

int ledger_comm_named(const struct ledger *ledger, uint64_t name)
{
	int found = LEDGER_NO_COMM;
	for (size_t i = 0; i < ledger->comm_room; i++)
		if (ledger->comms[i].name == name && ledger->comms[i].state != LEDGER_COMM_NONE) {
			found = (int)i;
			if (ledger->comms[i].state == LEDGER_COMM_LIVE)
				break;
		}
	return found;
}

void ledger_together(struct ledger *ledger, uint64_t key, int32_t members, bool first)
{
	ledger->balance += (first ? (uint64_t)members - 1 : UINT64_MAX) * key;
}

void ledger_pair(struct ledger *ledger, uint64_t key, bool first)
{
	ledger->balance += first ? key : -key;
}

uint64_t ledger_collective_sum(const struct ledger *ledger)
{
	uint64_t sum = ledger->balance;
	for (size_t i = 0; i < ledger->comm_room; i++) {
		const struct ledger_comm *comm = &ledger->comms[i];
		if (comm->state != LEDGER_COMM_LIVE)
			continue;
		uint64_t mixed = mix64_pair(comm->name, comm->begun);
		sum -= mixed;
		if (comm->first)
			sum += (uint64_t)comm->members * mixed;
	}
	return sum;
}

bool ledger_is_broken(const struct ledger *ledger)
{
	return ledger->overflow || ledger->sent.broken || ledger->seen.broken;
}

/* Keeps the streams that say something, and shrinks the table to them. */
static void table_sweep(struct ledger_table *table, bool incoming)
{
	size_t kept = 0;
	for (size_t i = 0; i < table_room(table); i++) {
		struct ledger_stream *stream = &table->slots[i];
		if (stream->key == 0)
			continue;
		bool zero = stream->total == 0 && (!incoming || stream->seen == 0);
		if (zero)
			stream->key = 0;
		else
			kept++;
	}
	if (kept == table->used)
		return;
	/* Probing passes over no holes: the survivors are laid anew, in a table that fits them. */
	unsigned bits = FIRST_BITS;
	while (((size_t)1 << bits) * 3 < (kept + 1) * 4 * 2)
		bits++;
	if (table_resize(table, bits))
		return;
	/* No memory even for a smaller table: lay them anew in place, from a copy that the stack holds one at a time. */
	size_t mask = table_room(table) - 1;
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t i = 0; i <= mask; i++) {
			if (table->slots[i].key == 0)
				continue;
			struct ledger_stream stream = table->slots[i];
			table->slots[i].key = 0;
			struct ledger_stream *home = slot_of(table, stream.key);
			moved |= home != &table->slots[i];
			*home = stream;
		}
	}
	table->used = kept;
}

static void mark_comms(const struct ledger_table *table, bool *needed)
{
	for (size_t i = 0; i < table_room(table); i++)
		if (table->slots[i].key != 0)
			needed[ledger_key_comm(table->slots[i].key)] = true;
}

/* A rank that is far behind the others may send on a communicator that they have freed, and no two sweeps prove that there is none: the proof is waited for. But
 * there are not places enough to wait for ever. */
static bool is_over(struct ledger *ledger, struct ledger_comm *comm)
{
	enum { SWEEPS = 2, SWEEPS_WITHOUT_PROOF = 6, MANY = LEDGER_COMMS_MAX / 8 };
	comm->sweeps++;
	return comm->sweeps >= (comm->freed_by_all || ledger->freed > MANY ? SWEEPS : SWEEPS_WITHOUT_PROOF);
}

void ledger_sweep(struct ledger *ledger, bool together)
{
	table_sweep(&ledger->sent, false);
	table_sweep(&ledger->seen, true);
	bool needed[LEDGER_COMMS_MAX] = {false};
	mark_comms(&ledger->sent, needed);
	mark_comms(&ledger->seen, needed);
	for (size_t i = 0; i < ledger->comm_room; i++) {
		struct ledger_comm *comm = &ledger->comms[i];
		needed[i] |= comm->held;
		comm->held = false;
		comm->freed_by_all |= together && comm->freed_early;
		if (comm->state == LEDGER_COMM_FREED && !needed[i] && is_over(ledger, comm)) {
			free(comm->world);
			memset(comm, 0, sizeof *comm);
			ledger->freed--;
			ledger->lowest = i < ledger->lowest ? i : ledger->lowest;
		}
	}
}
