/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/comms.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"

/* What the ledger does not know of a communicator. */
struct place {
	MPI_Comm comm;         /* MPI_COMM_NULL: freed */
	char name[COMMS_NAME_BYTES];
	char *label;           /* null: none */
	uint64_t members;
	struct comms_making making;
	uint64_t constructors; /* called on it, with all of its members */
	uint32_t leader;       /* world rank */
	bool old_name;         /* it has the name of one alive at the cut that was restored */
};

/* One that was alive at the cut. */
struct old {
	char name[COMMS_NAME_BYTES];
	char *label;
	uint64_t members;
	uint32_t kind;
	bool taken;
};

/* How often a set of members has made a communicator, for those that count by it. */
struct counter {
	uint64_t key; /* 0: free */
	uint64_t count;
};

/* The table is never null, so that a look-up before MPI_Init or after MPI_Finalize finds nothing. */
static struct comms_entry nothing[2] = {{.index = LEDGER_NO_COMM}, {.index = LEDGER_NO_COMM}};
struct comms_cache comms_cache = {nothing, sizeof *nothing};

static struct ledger *ledger;
static struct place *places;
static size_t places_room;
static size_t entered; /* live entries of the cache */
static struct old *olds;
static size_t old_count;
static struct counter *counters;
static size_t counters_room, counters_used;
static uint64_t generation; /* of names made since the restart that are not old ones: no image has them */
static bool settled;
static MPI_Group world_group = MPI_GROUP_NULL;
static void (*on_named)(int index, uint64_t key);

uint64_t comms_key(const char *name)
{
	uint64_t key = mix64(strlen(name));
	while (*name) {
		uint64_t word = 0;
		for (int shift = 0; shift < 64 && *name; shift += 8)
			word |= (uint64_t)(unsigned char)*name++ << shift;
		key = mix64_pair(key, word);
	}
	return key;
}

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

static void cache_put(struct comms_cache *cache, struct comms_entry entry)
{
	size_t mask = cache_mask(cache), at = home_of(cache, entry.comm);
	while (cache->slots[at].index != LEDGER_NO_COMM)
		at = (at + 1) & mask;
	cache->slots[at] = entry;
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
			cache_put(&cache, comms_cache.slots[i]);
	if (comms_cache.slots != nothing)
		free(comms_cache.slots);
	comms_cache = cache;
	return true;
}

static bool cache_add(MPI_Comm comm, int index)
{
	if ((entered + 1) * 4 > cache_mask(&comms_cache) + 1 && !cache_resize((cache_mask(&comms_cache) + 1) * 2))
		return false;
	cache_put(&comms_cache, (struct comms_entry){comm, ledger_key((unsigned)index, 0, 0), ledger->comms[index].peers, index});
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

static void rename_to(int index, const char *name)
{
	struct place *place = &places[index];
	if (name != place->name)
		snprintf(place->name, sizeof place->name, "%s", name);
	ledger->comms[index].name = comms_key(place->name);
	if (on_named)
		on_named(index, ledger->comms[index].name);
}

static struct place *place_for(int index)
{
	if ((size_t)index >= places_room) {
		size_t room = ledger->comm_room;
		struct place *grown = realloc(places, room * sizeof *grown);
		if (grown == NULL)
			return NULL;
		memset(grown + places_room, 0, (room - places_room) * sizeof *grown);
		places = grown;
		places_room = room;
	}
	free(places[index].label);
	places[index] = (struct place){.comm = MPI_COMM_NULL};
	return &places[index];
}

static bool is_live(int index)
{
	return index >= 0 && (size_t)index < places_room && ledger->comms[index].state == LEDGER_COMM_LIVE;
}

/* Enters a communicator; *place is its place, still without a name. */
static int enter(MPI_Comm comm, const struct people *people, struct place **place, struct fault *fault)
{
	int rank;
	PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
	int index = ledger_add_comm(ledger, people->kind, 0, people->own, people->peers, people->members,
				    people->identity ? NULL : people->world, (uint32_t)rank == people->leader);
	if (index == LEDGER_NO_COMM) {
		fault_set(fault, SEAMARK_E_UNABLE, "too many communicators (%d), or one of more than %d ranks, or no memory",
			  LEDGER_COMMS_MAX, LEDGER_PEERS_MAX);
		return index;
	}
	*place = place_for(index);
	if (*place == NULL || !cache_add(comm, index)) {
		ledger_free_comm(ledger, index);
		ledger->overflow = true;
		fault_set(fault, SEAMARK_E_MEMORY, "no memory for a communicator");
		return LEDGER_NO_COMM;
	}
	(*place)->comm = comm;
	(*place)->members = people->hash;
	(*place)->leader = people->leader;
	ledger->comms[index].nameless = settled;
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
	rename_to(index, name);
	place->making.parent = LEDGER_NO_COMM;
	return 0;
}

int comms_open(struct ledger *of, struct fault *fault)
{
	char name[COMMS_NAME_BYTES];
	int rank;
	ledger = of;
	PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
	if (PMPI_Comm_group(MPI_COMM_WORLD, &world_group) != MPI_SUCCESS || !cache_resize(64))
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for communicators");
	snprintf(name, sizeof name, "self.%d", rank);
	int result = enter_first(MPI_COMM_WORLD, "world", fault);
	return result < 0 ? result : enter_first(MPI_COMM_SELF, name, fault);
}

void comms_close(void)
{
	for (size_t i = 0; i < places_room; i++)
		free(places[i].label);
	for (size_t i = 0; i < old_count; i++)
		free(olds[i].label);
	free(places);
	free(olds);
	free(counters);
	if (comms_cache.slots != nothing)
		free(comms_cache.slots);
	comms_cache = (struct comms_cache){nothing, sizeof *nothing};
	places = NULL;
	olds = NULL;
	counters = NULL;
	places_room = old_count = entered = counters_room = counters_used = 0;
	settled = false;
	if (world_group != MPI_GROUP_NULL)
		PMPI_Group_free(&world_group);
}

/* --- names ------------------------------------------------------------------------------------------------------------ */

/* The number of what these members make together. Without memory the number is one that nobody else has: the name will match nothing. */
static uint64_t count_of(uint64_t key)
{
	key |= 1;
	if ((counters_used + 1) * 2 > counters_room) {
		size_t room = counters_room ? counters_room * 2 : 16;
		struct counter *grown = calloc(room, sizeof *grown);
		if (grown == NULL)
			return UINT64_MAX;
		for (size_t i = 0; i < counters_room; i++) {
			size_t at = (counters[i].key >> 32) & (room - 1);
			while (counters[i].key && grown[at].key)
				at = (at + 1) & (room - 1);
			if (counters[i].key)
				grown[at] = counters[i];
		}
		free(counters);
		counters = grown;
		counters_room = room;
	}
	size_t at = (key >> 32) & (counters_room - 1);
	while (counters[at].key && counters[at].key != key)
		at = (at + 1) & (counters_room - 1);
	counters_used += counters[at].key == 0;
	counters[at].key = key;
	return ++counters[at].count;
}

static void name_of_parent(const struct place *place, char *name, size_t room)
{
	const struct comms_making *making = &place->making;
	/* One that was freed since has its name in its children's. */
	if (is_live(making->parent) && ledger->comms[making->parent].making == making->parent_making) {
		snprintf(name, room, "%s", places[making->parent].name);
		return;
	}
	if (*place->name == '\0') {
		snprintf(name, room, "%s", making->parent_name);
		return;
	}
	const char *end = strrchr(place->name, '/');
	snprintf(name, room, "%.*s", end ? (int)(end - place->name) : 0, place->name);
}

/* The name up to its number. A path that grows too long is cut to its hash. */
static void prefix_of(const struct place *place, char *prefix)
{
	char parent[COMMS_NAME_BYTES], tail[48];
	name_of_parent(place, parent, sizeof parent);
	if (place->making.way == COMMS_BY_BRIDGE)
		snprintf(parent, sizeof parent, "inter");
	if (place->making.way == COMMS_BY_ALL)
		snprintf(tail, sizeof tail, "/%" PRIu32 ".", place->leader);
	else
		snprintf(tail, sizeof tail, "/%s%016" PRIx64 ".", place->making.way == COMMS_BY_GROUP ? "g" : "", place->members);
	enum { PARENT_BYTES = 160 }; /* leaves room for the tail and two numbers */
	if (strlen(parent) > PARENT_BYTES)
		snprintf(parent, sizeof parent, "~%016" PRIx64, comms_key(parent));
	snprintf(prefix, COMMS_NAME_BYTES, "%.*s%s", PARENT_BYTES, parent, tail);
}

static bool same_label(const char *one, const char *other)
{
	return one && other && strcmp(one, other) == 0;
}

/* The old communicator with this label, if exactly one has it and it agrees and is free. */
static struct old *old_labelled(int index)
{
	const struct place *place = &places[index];
	struct old *found = NULL;
	for (size_t i = 0; place->label && i < old_count; i++) {
		struct old *old = &olds[i];
		if (!same_label(old->label, place->label) || old->kind != ledger->comms[index].kind || old->members != place->members)
			continue;
		if (found)
			return NULL;
		found = old;
	}
	return found && !found->taken ? found : NULL;
}

/* The first old communicator, in order of making, that has this prefix, agrees and is free. */
static struct old *old_in_order(int index, const char *prefix)
{
	const struct place *place = &places[index];
	size_t length = strlen(prefix);
	for (size_t i = 0; i < old_count; i++) {
		struct old *old = &olds[i];
		bool labels = !place->label || !old->label || same_label(place->label, old->label);
		if (!old->taken && labels && old->kind == ledger->comms[index].kind && old->members == place->members &&
		    strncmp(old->name, prefix, length) == 0 && strpbrk(old->name + length, "./") == NULL)
			return old;
	}
	return NULL;
}

static void take_name(int index, struct old *old)
{
	for (size_t i = 0; places[index].old_name && i < old_count; i++)
		if (strcmp(olds[i].name, places[index].name) == 0)
			olds[i].taken = false;
	old->taken = true;
	places[index].old_name = true;
	rename_to(index, old->name);
}

static void give_name(int index)
{
	char prefix[COMMS_NAME_BYTES], name[COMMS_NAME_BYTES + 48];
	prefix_of(&places[index], prefix);
	struct old *old = old_in_order(index, prefix);
	if (old) {
		take_name(index, old);
		return;
	}
	int length = snprintf(name, sizeof name, "%s%" PRIu64, prefix, places[index].making.number);
	if (generation)
		snprintf(name + length, sizeof name - (size_t)length, "+%" PRIu64, generation);
	rename_to(index, name);
}

struct comms_making comms_making(MPI_Comm parent, enum comms_way way)
{
	struct comms_making making = {.parent = comms_index(parent), .way = way};
	if (making.parent == LEDGER_NO_COMM)
		return making;
	making.parent_making = ledger->comms[making.parent].making;
	memcpy(making.parent_name, places[making.parent].name, sizeof making.parent_name);
	if (way == COMMS_BY_ALL)
		making.number = ++places[making.parent].constructors;
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
		place->making.number = count_of(mix64_pair(making->parent_making, place->members));
	else if (making->way == COMMS_BY_BRIDGE)
		place->making.number = count_of(mix64_pair(0, place->members));
	give_name(index);
	return index;
}

void comms_freed(int index)
{
	if (index == LEDGER_NO_COMM)
		return;
	/* Another thread may have made a new one, under the same handle. */
	if (comms_index(places[index].comm) == index)
		cache_remove(places[index].comm);
	places[index].comm = MPI_COMM_NULL;
	ledger_free_comm(ledger, index);
}

void comms_labelled(MPI_Comm comm, const char *label)
{
	int index = comms_index(comm);
	if (index == LEDGER_NO_COMM || comm == MPI_COMM_WORLD || comm == MPI_COMM_SELF)
		return;
	struct place *place = &places[index];
	free(place->label);
	place->label = label && *label ? strdup(label) : NULL;
	bool unique = place->label != NULL;
	for (size_t i = 0; i < places_room; i++)
		unique = unique && ((int)i == index || !is_live((int)i) || !same_label(places[i].label, place->label));
	if (unique)
		ledger->comms[index].nameless = false;
	struct old *old = old_labelled(index);
	if (old && unique)
		take_name(index, old);
}

MPI_Comm comms_handle(int index)
{
	return is_live(index) ? places[index].comm : MPI_COMM_NULL;
}

const char *comms_name(int index)
{
	return index >= 0 && (size_t)index < places_room ? places[index].name : "";
}

const char *comms_label(int index)
{
	return index >= 0 && (size_t)index < places_room && places[index].label ? places[index].label : "";
}

uint64_t comms_members(int index)
{
	return index >= 0 && (size_t)index < places_room ? places[index].members : 0;
}

void comms_settled(void)
{
	settled = true;
}

void comms_on_named(void (*named)(int index, uint64_t key))
{
	on_named = named;
}

/* --- after a restart -------------------------------------------------------------------------------------------------- */

static int keep_olds(const struct comms_old *old, size_t count, struct fault *fault)
{
	olds = calloc(count ? count : 1, sizeof *olds);
	if (olds == NULL)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the names of %zu communicators", count);
	for (old_count = 0; old_count < count; old_count++) {
		struct old *kept = &olds[old_count];
		snprintf(kept->name, sizeof kept->name, "%s", old[old_count].name);
		kept->label = old[old_count].label && *old[old_count].label ? strdup(old[old_count].label) : NULL;
		kept->kind = old[old_count].kind;
		kept->members = old[old_count].members;
		kept->taken = strchr(kept->name, '/') == NULL; /* the world and this rank itself */
	}
	return 0;
}

/* The highest generation in any name here. */
static uint64_t generation_of_olds(void)
{
	uint64_t highest = 0;
	for (size_t i = 0; i < old_count; i++)
		for (const char *at = strchr(olds[i].name, '+'); at; at = strchr(at + 1, '+')) {
			uint64_t found = strtoull(at + 1, NULL, 10);
			highest = found > highest && found < UINT32_MAX ? found : highest;
		}
	return highest;
}

/* The live one that was made next after `making`, or LEDGER_NO_COMM. */
static int made_after(uint64_t making)
{
	int next = LEDGER_NO_COMM;
	for (size_t i = 0; i < places_room; i++)
		if (is_live((int)i) && ledger->comms[i].making > making &&
		    (next == LEDGER_NO_COMM || ledger->comms[i].making < ledger->comms[next].making))
			next = (int)i;
	return next;
}

static void name_again(void)
{
	int index;
	for (uint64_t making = 0; (index = made_after(making)) != LEDGER_NO_COMM; making = ledger->comms[index].making) {
		struct old *old = old_labelled(index);
		if (old)
			take_name(index, old);
	}
	/* Parents before children: a child's prefix is its parent's name of now. */
	for (uint64_t making = 0; (index = made_after(making)) != LEDGER_NO_COMM; making = ledger->comms[index].making) {
		if (places[index].making.parent == LEDGER_NO_COMM && places[index].making.way != COMMS_BY_BRIDGE)
			rename_to(index, places[index].name);
		else if (!places[index].old_name)
			give_name(index);
	}
}

int comms_restore(const struct comms_old *old, size_t count, struct fault *fault)
{
	int result = keep_olds(old, count, fault);
	uint64_t highest[2] = {generation_of_olds(), result < 0}, all[2] = {0, 0};
	PMPI_Allreduce(highest, all, 2, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD);
	if (all[1])
		return result < 0 ? result : fault_set(fault, SEAMARK_E_MEMORY, "another rank has no memory for the names of communicators");
	generation = all[0] + 1;
	name_again();
	return 0;
}
