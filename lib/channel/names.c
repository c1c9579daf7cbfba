/* SPDX-License-Identifier: BSD-3-Clause */
/* What communicators are called, and how a restarted program's get the names that they had. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "channel/comms_inside.h"

/* How often a set of members has made a communicator, for those that count by it. */
struct counter {
	uint64_t key; /* 0: free */
	uint64_t count;
};

static struct old *olds;
static size_t old_count;
static struct counter *counters;
static size_t counters_room, counters_used;
static uint64_t generation; /* of names made since the restart that are not old ones: no image has them */

static struct place *place_of(int index)
{
	return &comms_table.places[index];
}

static const struct ledger_comm *comm_of(int index)
{
	return &comms_table.ledger->comms[index];
}

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

static void drop_olds(void)
{
	for (size_t i = 0; i < old_count; i++)
		free(olds[i].label);
	free(olds);
	olds = NULL;
	old_count = 0;
}

void names_close(void)
{
	drop_olds();
	free(counters);
	counters = NULL;
	counters_room = counters_used = 0;
	generation = 0;
}

/* --- new names -------------------------------------------------------------------------------------------------------- */

uint64_t names_count(uint64_t key)
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

void names_rename(int index, const char *name)
{
	struct place *place = place_of(index);
	if (name != place->name)
		snprintf(place->name, sizeof place->name, "%s", name);
	comms_table.ledger->comms[index].name = comms_key(place->name);
	if (comms_table.on_named)
		comms_table.on_named(index, comm_of(index)->name);
}

static void name_of_parent(const struct place *place, char *name, size_t room)
{
	const struct comms_making *making = &place->making;
	/* One that was freed since has its name in its children's. */
	if (comms_is_live(making->parent) && comm_of(making->parent)->making == making->parent_making) {
		snprintf(name, room, "%s", place_of(making->parent)->name);
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

static void name_anew(int index, const char *prefix)
{
	char name[COMMS_NAME_BYTES + 48];
	int length = snprintf(name, sizeof name, "%s%" PRIu64, prefix, place_of(index)->making.number);
	if (generation)
		snprintf(name + length, sizeof name - (size_t)length, "+%" PRIu64, generation);
	if (strcmp(name, place_of(index)->name) != 0)
		names_rename(index, name);
}

/* --- old names -------------------------------------------------------------------------------------------------------- */

/* All members must take the same name without a word between them. So what is decided here depends on nothing but what all of them know: the olds, which comms_restore has made the same
 * for all, and which communicators of a kind were made by whom, on what, as the how-manieth, and labelled how; not on when a member was told of it. */

static bool same_label(const char *one, const char *other)
{
	return one && other && strcmp(one, other) == 0;
}

static bool is_like(const struct old *old, int index)
{
	return old->kind == comm_of(index)->kind && old->members == place_of(index)->members;
}

/* The old communicator with this label, if exactly one has it, and it agrees. */
static struct old *old_labelled(int index)
{
	const struct place *place = place_of(index);
	struct old *found = NULL;
	for (size_t i = 0; place->label && i < old_count; i++) {
		if (!same_label(olds[i].label, place->label) || !is_like(&olds[i], index))
			continue;
		if (found)
			return NULL;
		found = &olds[i];
	}
	return found;
}

/* The first old communicator that has this prefix, agrees and is free. */
static struct old *old_in_order(int index, const char *prefix)
{
	const struct place *place = place_of(index);
	size_t length = strlen(prefix);
	for (size_t i = 0; i < old_count; i++) {
		struct old *old = &olds[i];
		bool labels = !place->label || !old->label || same_label(place->label, old->label);
		if (!old->taken && labels && is_like(old, index) && strncmp(old->name, prefix, length) == 0 &&
		    strpbrk(old->name + length, "./") == NULL)
			return old;
	}
	return NULL;
}

static void let_go(int index)
{
	struct place *place = place_of(index);
	if (place->old == NULL)
		return;
	place->old->taken = false;
	place->old = NULL;
	place->by_label = false;
	if (comms_table.on_unnamed)
		comms_table.on_unnamed(index);
}

static void take(int index, struct old *old, bool by_label)
{
	old->taken = true;
	place_of(index)->old = old;
	place_of(index)->by_label = by_label;
	names_rename(index, old->name);
}

static bool is_made(int index)
{
	const struct comms_making *making = &place_of(index)->making;
	return making->parent != LEDGER_NO_COMM || making->way == COMMS_BY_BRIDGE;
}

/* Made from the same, which may be gone. */
static bool are_siblings(int one, int other)
{
	const struct comms_making *a = &place_of(one)->making, *b = &place_of(other)->making;
	return is_made(one) && is_made(other) && a->way == b->way && a->parent == b->parent && a->parent_making == b->parent_making;
}

/* No name of another hangs on this one's: no later sibling's, and no child's. */
static bool is_last(int index)
{
	for (int i = 0; i < (int)comms_table.room; i++) {
		if (i == index || !comms_is_live(i))
			continue;
		if (are_siblings(i, index) && place_of(i)->making.number > place_of(index)->making.number)
			return false;
		if (is_made(i) && place_of(i)->making.parent == index && place_of(i)->making.parent_making == comm_of(index)->making)
			return false;
	}
	return true;
}

static bool has_unique_label(int index)
{
	const struct place *place = place_of(index);
	bool unique = place->label != NULL;
	for (int i = 0; i < (int)comms_table.room; i++)
		unique = unique && (i == index || !comms_is_live(i) || place_of(i)->members != place->members ||
				    comm_of(i)->kind != comm_of(index)->kind || !same_label(place_of(i)->label, place->label));
	return unique;
}

static void name_in_order(int index)
{
	char prefix[COMMS_NAME_BYTES];
	prefix_of(place_of(index), prefix);
	struct old *old = old_in_order(index, prefix);
	if (old)
		take(index, old, false);
	else
		name_anew(index, prefix);
}

/* The live one that was made next after `making`, or LEDGER_NO_COMM. */
static int made_after(uint64_t making)
{
	int next = LEDGER_NO_COMM;
	for (int i = 0; i < (int)comms_table.room; i++)
		if (comms_is_live(i) && comm_of(i)->making > making &&
		    (next == LEDGER_NO_COMM || comm_of(i)->making < comm_of(next)->making))
			next = i;
	return next;
}

/* The unnamed sibling with the lowest number, which may have been made later: a non-blocking constructor is told complete at another time on each member. */
static int first_sibling(int index, const bool *named)
{
	int first = index;
	for (int i = 0; i < (int)comms_table.room; i++)
		if (comms_is_live(i) && !named[i] && are_siblings(i, index) && place_of(i)->making.number < place_of(first)->making.number)
			first = i;
	return first;
}

/* All choose anew: by their labels, then in order, parents before children, since a child's prefix is its parent's name of now. */
static void name_all(void)
{
	bool named[LEDGER_COMMS_MAX] = {false};
	int index;
	for (uint64_t making = 0; (index = made_after(making)) != LEDGER_NO_COMM; making = comm_of(index)->making)
		let_go(index);
	for (uint64_t making = 0; (index = made_after(making)) != LEDGER_NO_COMM; making = comm_of(index)->making) {
		struct old *old = has_unique_label(index) ? old_labelled(index) : NULL;
		if (old && !old->taken) {
			take(index, old, true);
			named[index] = true;
		}
	}
	for (uint64_t making = 0; (index = made_after(making)) != LEDGER_NO_COMM; making = comm_of(index)->making) {
		while (is_made(index) && !named[index]) {
			int first = first_sibling(index, named);
			name_in_order(first);
			named[first] = true;
		}
		if (!is_made(index))
			names_rename(index, place_of(index)->name); /* its mail is there now */
	}
}

void names_give(int index)
{
	if (comms_table.settled || old_count == 0 || is_last(index))
		name_in_order(index);
	else
		name_all();
}

/* Before the first safepoint it has had nothing of what was restored, and what is made after it may be what was meant. */
void names_freed(int index)
{
	if (comms_table.settled || place_of(index)->old == NULL)
		return;
	place_of(index)->old->taken = false;
	place_of(index)->old = NULL;
	name_all();
}

void comms_labelled(MPI_Comm comm, const char *label)
{
	int index = comms_index(comm);
	if (index == LEDGER_NO_COMM || !is_made(index))
		return;
	struct place *place = place_of(index);
	free(place->label);
	place->label = label && *label ? strdup(label) : NULL;
	if (!has_unique_label(index))
		return;
	comms_table.ledger->comms[index].nameless = false;
	struct old *old = old_labelled(index);
	bool other = place->old && place->old->label && !same_label(place->old->label, place->label);
	if ((old == NULL || old == place->old) && !other)
		return;
	if (old && !old->taken && (comms_table.settled || is_last(index))) {
		let_go(index);
		take(index, old, true);
	} else if (!comms_table.settled) {
		name_all();
	}
}

/* --- after a restart -------------------------------------------------------------------------------------------------- */

static void forget_olds(void)
{
	for (size_t i = 0; i < comms_table.room; i++)
		comms_table.places[i].old = NULL;
	drop_olds();
}

static int keep_olds(const struct comms_old *old, size_t count, struct fault *fault)
{
	forget_olds();
	olds = calloc(count ? count : 1, sizeof *olds);
	if (olds == NULL)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the names of %zu communicators", count);
	for (size_t i = 0; i < count; i++) {
		if (strchr(old[i].name, '/') == NULL)
			continue; /* the world and this rank itself */
		struct old *kept = &olds[old_count++];
		snprintf(kept->name, sizeof kept->name, "%s", old[i].name);
		kept->label = old[i].label && *old[i].label ? strdup(old[i].label) : NULL;
		kept->kind = old[i].kind;
		kept->members = old[i].members;
		kept->nameless = old[i].nameless;
	}
	return 0;
}

/* The number at the end of a name, and the generation of that. */
static void numbers_of(const char *name, size_t *prefix, uint64_t *made_in, uint64_t *number)
{
	const char *dot = strrchr(name, '.');
	char *end;
	*prefix = dot ? (size_t)(dot - name) : strlen(name);
	*number = dot ? strtoull(dot + 1, &end, 10) : 0;
	*made_in = dot && *end == '+' ? strtoull(end + 1, NULL, 10) : 0;
}

/* Those of one prefix by generation and number: the order in which all members know them to have been made. */
static int by_name(const void *a, const void *b)
{
	const struct old *one = a, *other = b;
	size_t prefix[2];
	uint64_t made_in[2], number[2];
	numbers_of(one->name, &prefix[0], &made_in[0], &number[0]);
	numbers_of(other->name, &prefix[1], &made_in[1], &number[1]);
	int order = memcmp(one->name, other->name, prefix[0] < prefix[1] ? prefix[0] : prefix[1]);
	if (order != 0)
		return order;
	if (prefix[0] != prefix[1])
		return prefix[0] < prefix[1] ? -1 : 1;
	if (made_in[0] != made_in[1])
		return made_in[0] < made_in[1] ? -1 : 1;
	return (number[0] > number[1]) - (number[0] < number[1]);
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

int comms_restore(const struct comms_old *old, size_t count, struct fault *fault)
{
	int result = keep_olds(old, count, fault);
	uint64_t highest = generation_of_olds();
	if (!claims_settle(olds, &old_count, result == 0, &highest)) {
		forget_olds();
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the names of communicators, here or on another rank");
	}
	generation = highest + 1;
	qsort(olds, old_count, sizeof *olds, by_name);
	name_all();
	return 0;
}
