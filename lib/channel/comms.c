/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/comms_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"

/* The table is never null, so that a look-up before MPI_Init or after MPI_Finalize finds nothing. */
static struct comms_entry nothing[2] = {{.index = LEDGER_NO_COMM}, {.index = LEDGER_NO_COMM}};
struct comms_cache comms_cache = {nothing, sizeof *nothing};

struct comms_table comms_table;
static size_t entered; /* live entries of the cache */
static MPI_Group world_group = MPI_GROUP_NULL;

/* --- the cache -------------------------------------------------------------------------------------------------------- */

static size_t home_of(const struct comms_cache *cache, MPI_Comm comm)
{
	return (size_t)(comms_home(cache, comm) - cache->slots);
}

static size_t cache_mask(const struct comms_cache *cache)
{
	return cache->mask / sizeof *cache->slots;
}

int comms_probe(MPI_Comm comm)
{
	size_t mask = cache_mask(&comms_cache);
	for (size_t at = home_of(&comms_cache, comm); comms_cache.slots[at].index != LEDGER_NO_COMM; at = (at + 1) & mask)
		if (comms_cache.slots[at].comm == comm)
			return comms_cache.slots[at].index;
	return LEDGER_NO_COMM;
}

static void cache_put(struct comms_cache *cache, const struct comms_entry *entry)
{
	size_t mask = cache_mask(cache), at = home_of(cache, entry->comm);
	while (cache->slots[at].index != LEDGER_NO_COMM)
		at = (at + 1) & mask;
	cache->slots[at] = *entry;
}

/* An empty slot has index LEDGER_NO_COMM, so that a hit by a handle that is zero is none. */
static bool cache_resize(size_t room)
{
	size_t bytes = room * sizeof(struct comms_entry);
	struct comms_cache cache = {aligned_alloc(sizeof(struct comms_entry), bytes), bytes - sizeof(struct comms_entry)};
	if (cache.slots == NULL)
		return false;
	for (size_t i = 0; i < room; i++)
		cache.slots[i] = (struct comms_entry){.index = LEDGER_NO_COMM};
	for (size_t i = 0; comms_cache.slots != nothing && i <= cache_mask(&comms_cache); i++)
		if (comms_cache.slots[i].index != LEDGER_NO_COMM)
			cache_put(&cache, &comms_cache.slots[i]);
	if (comms_cache.slots != nothing)
		free(comms_cache.slots);
	comms_cache = cache;
	return true;
}

static bool cache_add(MPI_Comm comm, int index)
{
	if ((entered + 1) * 4 > cache_mask(&comms_cache) + 1 && !cache_resize((cache_mask(&comms_cache) + 1) * 2))
		return false;
	cache_put(&comms_cache, &(struct comms_entry){comm, ledger_key((unsigned)index, 0, 0), comms_table.ledger->comms[index].peers, index});
	entered++;
	return true;
}

/* Those behind the gap move up, so that probing meets no holes. */
static void cache_remove(MPI_Comm comm)
{
	size_t mask = cache_mask(&comms_cache), gap = home_of(&comms_cache, comm);
	struct comms_entry *slots = comms_cache.slots;
	while (slots[gap].index != LEDGER_NO_COMM && slots[gap].comm != comm)
		gap = (gap + 1) & mask;
	if (slots[gap].index == LEDGER_NO_COMM)
		return;
	entered--;
	for (size_t at = (gap + 1) & mask; slots[at].index != LEDGER_NO_COMM; at = (at + 1) & mask)
		if (((at - home_of(&comms_cache, slots[at].comm)) & mask) >= ((at - gap) & mask)) {
			slots[gap] = slots[at];
			gap = at;
		}
	slots[gap] = (struct comms_entry){.index = LEDGER_NO_COMM};
}

/* --- who is in it ----------------------------------------------------------------------------------------------------- */

struct people {
	int32_t *world;      /* of the group that can be named in a send */
	int32_t peers;
	int32_t members;     /* both groups together */
	int32_t own;         /* this rank, in its own group */
	uint32_t leader;     /* world rank */
	uint64_t hash;
	enum ledger_comm_kind kind;
	bool identity;       /* the world, in its order */
};

/* The world ranks of a group; null: no memory, or somebody is not in MPI_COMM_WORLD. */
static int32_t *world_of(MPI_Group group, int32_t *count)
{
	int size;
	if (PMPI_Group_size(group, &size) != MPI_SUCCESS || size < 1)
		return NULL;
	int *from = malloc(2 * (size_t)size * sizeof *from);
	int32_t *world = malloc((size_t)size * sizeof *world);
	bool known = from && world;
	for (int i = 0; known && i < size; i++)
		from[i] = i;
	known = known && PMPI_Group_translate_ranks(group, size, from, world_group, from + size) == MPI_SUCCESS;
	for (int i = 0; known && i < size; i++) {
		world[i] = from[size + i];
		known = world[i] != MPI_UNDEFINED;
	}
	free(from);
	*count = size;
	if (known)
		return world;
	free(world);
	return NULL;
}

static uint64_t hash_of(const int32_t *world, int32_t count)
{
	uint64_t hash = mix64((uint64_t)count);
	for (int32_t i = 0; i < count; i++)
		hash = mix64_pair(hash, (uint64_t)world[i]);
	return hash;
}

static bool is_world(const int32_t *world, int32_t count)
{
	int size;
	PMPI_Comm_size(MPI_COMM_WORLD, &size);
	for (int32_t i = 0; i < count; i++)
		if (world[i] != i)
			return false;
	return count == size;
}

static bool people_of(MPI_Comm comm, struct people *people)
{
	int inter;
	MPI_Group group, remote;
	*people = (struct people){.kind = LEDGER_COMM_INTRA};
	if (PMPI_Comm_test_inter(comm, &inter) != MPI_SUCCESS || PMPI_Comm_group(comm, &group) != MPI_SUCCESS)
		return false;
	PMPI_Comm_rank(comm, &people->own);
	int32_t count, *local = world_of(group, &count);
	PMPI_Group_free(&group);
	if (local == NULL)
		return false;
	people->hash = hash_of(local, count);
	people->leader = (uint32_t)local[0];
	people->members = people->peers = count;
	people->world = local;
	people->identity = !inter && is_world(local, count);
	if (!inter)
		return true;
	people->world = NULL;
	if (PMPI_Comm_remote_group(comm, &remote) == MPI_SUCCESS) {
		people->world = world_of(remote, &people->peers);
		PMPI_Group_free(&remote);
	}
	if (people->world) {
		/* The side with the lower rank 0 comes first, whoever asks. */
		uint64_t other = hash_of(people->world, people->peers);
		bool lower = local[0] < people->world[0];
		people->hash = lower ? mix64_pair(people->hash, other) : mix64_pair(other, people->hash);
		people->leader = (uint32_t)(lower ? local[0] : people->world[0]);
		people->members = count + people->peers;
		people->kind = LEDGER_COMM_INTER;
	}
	free(local);
	return people->world != NULL;
}

/* --- entering --------------------------------------------------------------------------------------------------------- */

static struct place *place_for(int index)
{
	if ((size_t)index >= comms_table.room) {
		size_t room = comms_table.ledger->comm_room;
		struct place *grown = realloc(comms_table.places, room * sizeof *grown);
		if (grown == NULL)
			return NULL;
		memset(grown + comms_table.room, 0, (room - comms_table.room) * sizeof *grown);
		comms_table.places = grown;
		comms_table.room = room;
	}
	free(comms_table.places[index].label);
	comms_table.places[index] = (struct place){.comm = MPI_COMM_NULL};
	return &comms_table.places[index];
}

/* Enters a communicator; *place is its place, still without a name. */
static int enter(MPI_Comm comm, const struct people *people, struct place **place, struct fault *fault)
{
	int rank;
	PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
	int index = ledger_add_comm(comms_table.ledger, people->kind, 0, people->own, people->peers, people->members,
				    people->identity ? NULL : people->world, (uint32_t)rank == people->leader);
	if (index == LEDGER_NO_COMM) {
		fault_set(fault, SEAMARK_E_UNABLE, "too many communicators (%d), or one of more than %d ranks, or no memory",
			  LEDGER_COMMS_MAX, LEDGER_PEERS_MAX);
		return index;
	}
	*place = place_for(index);
	if (*place == NULL || !cache_add(comm, index)) {
		ledger_free_comm(comms_table.ledger, index);
		comms_table.ledger->overflow = true;
		fault_set(fault, SEAMARK_E_MEMORY, "no memory for a communicator");
		return LEDGER_NO_COMM;
	}
	(*place)->comm = comm;
	(*place)->members = people->hash;
	(*place)->leader = people->leader;
	comms_table.ledger->comms[index].nameless = comms_table.settled;
	return index;
}

static int enter_first(MPI_Comm comm, const char *name, struct fault *fault)
{
	struct people people;
	struct place *place;
	if (!people_of(comm, &people))
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a communicator");
	int index = enter(comm, &people, &place, fault);
	free(people.world);
	if (index == LEDGER_NO_COMM)
		return SEAMARK_E_MEMORY;
	names_rename(index, name);
	place->making.parent = LEDGER_NO_COMM;
	return 0;
}

int comms_open(struct ledger *of, struct fault *fault)
{
	char name[COMMS_NAME_BYTES];
	int rank;
	comms_table.ledger = of;
	PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
	if (PMPI_Comm_group(MPI_COMM_WORLD, &world_group) != MPI_SUCCESS || !cache_resize(64))
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for communicators");
	snprintf(name, sizeof name, "self.%d", rank);
	int result = enter_first(MPI_COMM_WORLD, "world", fault);
	return result < 0 ? result : enter_first(MPI_COMM_SELF, name, fault);
}

void comms_close(void)
{
	for (size_t i = 0; i < comms_table.room; i++)
		free(comms_table.places[i].label);
	free(comms_table.places);
	names_close();
	if (comms_cache.slots != nothing)
		free(comms_cache.slots);
	comms_cache = (struct comms_cache){nothing, sizeof *nothing};
	comms_table = (struct comms_table){.on_named = comms_table.on_named, .on_unnamed = comms_table.on_unnamed};
	entered = 0;
	if (world_group != MPI_GROUP_NULL)
		PMPI_Group_free(&world_group);
}

/* --- making ----------------------------------------------------------------------------------------------------------- */

struct comms_making comms_making(MPI_Comm parent, enum comms_way way)
{
	struct comms_making making = {.parent = comms_index(parent), .way = way};
	if (making.parent == LEDGER_NO_COMM)
		return making;
	making.parent_making = comms_table.ledger->comms[making.parent].making;
	memcpy(making.parent_name, comms_table.places[making.parent].name, sizeof making.parent_name);
	if (way == COMMS_BY_ALL)
		making.number = ++comms_table.places[making.parent].constructors;
	return making;
}

int comms_made(const struct comms_making *making, MPI_Comm made, struct fault *fault)
{
	struct people people;
	struct place *place;
	if (making->parent == LEDGER_NO_COMM && making->way != COMMS_BY_BRIDGE) {
		fault_set(fault, SEAMARK_E_UNABLE, "it was made from a communicator that Seamark does not know");
		return LEDGER_NO_COMM;
	}
	if (!people_of(made, &people)) {
		fault_set(fault, SEAMARK_E_UNABLE, "a communicator with processes that are not in MPI_COMM_WORLD");
		return LEDGER_NO_COMM;
	}
	int index = enter(made, &people, &place, fault);
	free(people.world);
	if (index == LEDGER_NO_COMM)
		return index;
	place->making = *making;
	if (making->way == COMMS_BY_GROUP)
		place->making.number = names_count(mix64_pair(making->parent_making, place->members));
	else if (making->way == COMMS_BY_BRIDGE)
		place->making.number = names_count(mix64_pair(0, place->members));
	names_give(index);
	return index;
}

void comms_freed(int index)
{
	if (index == LEDGER_NO_COMM)
		return;
	/* Another thread may have made a new one, under the same handle. */
	if (comms_index(comms_table.places[index].comm) == index)
		cache_remove(comms_table.places[index].comm);
	comms_table.places[index].comm = MPI_COMM_NULL;
	ledger_free_comm(comms_table.ledger, index);
	names_freed(index);
}

MPI_Comm comms_handle(int index)
{
	return comms_is_live(index) ? comms_table.places[index].comm : MPI_COMM_NULL;
}

const char *comms_name(int index)
{
	return index >= 0 && (size_t)index < comms_table.room ? comms_table.places[index].name : "";
}

const char *comms_label(int index)
{
	return index >= 0 && (size_t)index < comms_table.room && comms_table.places[index].label ? comms_table.places[index].label : "";
}

uint64_t comms_members(int index)
{
	return index >= 0 && (size_t)index < comms_table.room ? comms_table.places[index].members : 0;
}

void comms_settled(void)
{
	comms_table.settled = true;
}

void comms_on_named(void (*named)(int index, uint64_t key), void (*unnamed)(int index))
{
	comms_table.on_named = named;
	comms_table.on_unnamed = unnamed;
}

struct comms_where comms_where(void)
{
	return (struct comms_where){&comms_table.places, &comms_table.room, sizeof(struct place), offsetof(struct place, name), offsetof(struct place, label)};
}
