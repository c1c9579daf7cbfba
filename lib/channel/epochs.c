/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/epochs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mix.h"

enum { FIRST_BITS = 4 };

/* What is done on a window, in the balance. */
enum deed { DEED_FENCE, DEED_FREE, DEED_PAIR };

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static size_t mask_of(const struct epochs *epochs)
{
	return ((size_t)1 << (64 - epochs->shift)) - 1;
}

static size_t home_of(const struct epochs *epochs, uint64_t handle)
{
	return (handle * UINT64_C(0x9E3779B97F4A7C15)) >> epochs->shift;
}

struct epochs_window *epochs_probe(const struct epochs *epochs, uint64_t handle)
{
	for (size_t at = home_of(epochs, handle); epochs->slots[at].window; at = (at + 1) & mask_of(epochs))
		if (epochs->slots[at].handle == handle)
			return epochs->slots[at].window;
	return NULL;
}

static void put(struct epochs *epochs, struct epochs_window *window)
{
	size_t at = home_of(epochs, window->handle);
	while (epochs->slots[at].window)
		at = (at + 1) & mask_of(epochs);
	epochs->slots[at] = (struct epochs_slot){window->handle, window};
}

/* Lays all but one window anew, in a table of 2^bits slots. */
static bool lay(struct epochs *epochs, unsigned bits, const struct epochs_window *but)
{
	struct epochs old = *epochs;
	struct epochs_slot *slots = calloc((size_t)1 << bits, sizeof *slots);
	if (!slots)
		return false;
	epochs->slots = slots;
	epochs->shift = 64 - bits;
	for (size_t i = 0; old.slots && i <= mask_of(&old); i++)
		if (old.slots[i].window && old.slots[i].window != but)
			put(epochs, old.slots[i].window);
	free(old.slots);
	return true;
}

bool epochs_open(struct epochs *epochs, struct ledger *ledger, int32_t ranks)
{
	*epochs = (struct epochs){.ledger = ledger, .marks = calloc((size_t)ranks, 1)};
	return lay(epochs, FIRST_BITS, NULL) && epochs->marks;
}

static void free_window(struct epochs_window *window)
{
	free(window->world);
	free(window);
}

void epochs_close(struct epochs *epochs)
{
	for (size_t i = 0; epochs->slots && i <= mask_of(epochs); i++)
		if (epochs->slots[i].window)
			free_window(epochs->slots[i].window);
	free(epochs->slots);
	free(epochs->made);
	free(epochs->marks);
	*epochs = (struct epochs){0};
}

/* --- windows made and freed ----------------------------------------------------------------------------------------------- */

/* The number of a window among those that the same members have made: they make them in the same order. 0: no memory. */
static uint64_t count_made(struct epochs *epochs, uint64_t members)
{
	size_t i = 0;
	while (i < epochs->made_count && epochs->made[i].members != members)
		i++;
	if (i == epochs->made_count) {
		struct epochs_counter *made = realloc(epochs->made, (i + 1) * sizeof *made);
		if (!made)
			return 0;
		epochs->made = made;
		epochs->made[epochs->made_count++] = (struct epochs_counter){members, 0};
	}
	return ++epochs->made[i].count;
}

struct epochs_window *epochs_add(struct epochs *epochs, uint64_t handle, int comm, uint64_t members, bool shared)
{
	const struct ledger_comm *on = &epochs->ledger->comms[comm];
	if ((epochs->count + 1) * 2 > mask_of(epochs) && !lay(epochs, 64 - epochs->shift + 1, NULL))
		return NULL;
	uint64_t number = count_made(epochs, members);
	struct epochs_window *window = number ? malloc(sizeof *window) : NULL;
	if (!window)
		return NULL;
	*window = (struct epochs_window){
		.handle = handle, .key = mix64_pair(members, number), .own = on->own, .members = on->peers, .first = on->first,
		.shared = shared, .comm = comm, .making = on->making, .met_since = true,
	};
	if (on->world) {
		window->world = malloc((size_t)on->peers * sizeof *window->world);
		if (!window->world) {
			free(window);
			return NULL;
		}
		memcpy(window->world, on->world, (size_t)on->peers * sizeof *window->world);
	}
	put(epochs, window);
	epochs->count++;
	return window;
}

struct ledger_comm *epochs_comm(struct epochs *epochs, const struct epochs_window *window)
{
	struct ledger_comm *comm = &epochs->ledger->comms[window->comm];
	return comm->state == LEDGER_COMM_LIVE && comm->making == window->making ? comm : NULL;
}

static void together(struct epochs *epochs, const struct epochs_window *window, enum deed deed, uint64_t number)
{
	uint64_t key = mix64_pair(mix64_pair(window->key, (uint64_t)deed), number);
	ledger_together(epochs->ledger, key, window->members, window->first);
	struct ledger_comm *comm = epochs_comm(epochs, window);
	if (comm)
		comm->begun++;
}

/* --- what is open ---------------------------------------------------------------------------------------------------------- */

static bool is_open(const struct epochs_window *window)
{
	return window->accessed || window->locks != 0 || window->started || window->posted;
}

const char *epochs_open_one(const struct epochs *epochs)
{
	for (size_t i = 0; epochs->open != 0 && i <= mask_of(epochs); i++) {
		const struct epochs_window *window = epochs->slots[i].window;
		if (!window || !is_open(window))
			continue;
		return window->locks ? "a window is locked" : window->started ? "between MPI_Win_start and MPI_Win_complete"
		     : window->posted ? "between MPI_Win_post and MPI_Win_wait" : "operations since the last MPI_Win_fence";
	}
	return NULL;
}

static void settle(struct epochs *epochs, struct epochs_window *window)
{
	epochs->unsettled -= window->unsettled != 0;
	window->unsettled = 0;
}

void epochs_remove(struct epochs *epochs, struct epochs_window *window)
{
	/* Nobody leaves MPI_Win_free before all have called it, where there may have been locks. */
	together(epochs, window, DEED_FREE, 0);
	settle(epochs, window);
	epochs->open -= is_open(window);
	/* Probing must meet no holes. Without memory for a table without it, it stays as one that nothing is known of. */
	if (lay(epochs, 64 - epochs->shift, window)) {
		free_window(window);
		epochs->count--;
		return;
	}
	window->handle = 0;
	window->accessed = window->started = window->posted = false;
	window->locks = 0;
	for (size_t i = 0; i <= mask_of(epochs); i++)
		if (epochs->slots[i].window == window)
			epochs->slots[i].handle = 0;
}

/* --- what the application does ----------------------------------------------------------------------------------------------- */

void epochs_accessed(struct epochs *epochs, struct epochs_window *window)
{
	epochs->open += !is_open(window);
	window->accessed = true;
}

bool epochs_fence(struct epochs *epochs, struct epochs_window *window, bool no_precede, bool no_succeed)
{
	/* One that ends no epoch need not wait for anybody. */
	bool meets = window->fenced && !no_precede;
	bool was = is_open(window);
	together(epochs, window, DEED_FENCE, ++window->fences);
	window->fenced = !no_succeed;
	window->accessed = false;
	epochs->open -= was && !is_open(window);
	window->fenced_since = true;
	return meets;
}

void epochs_lock(struct epochs *epochs, struct epochs_window *window)
{
	epochs->open += !is_open(window);
	window->locks++;
}

void epochs_unlock(struct epochs *epochs, struct epochs_window *window)
{
	if (window->locks == 0)
		return;
	/* Memory that is shared is written without a call. */
	if (window->reached || (window->shared && window->members > 1)) {
		epochs->unsettled += window->unsettled == 0;
		window->unsettled = ++epochs->number;
	}
	if (--window->locks != 0)
		return;
	window->reached = false;
	epochs->open -= !is_open(window);
}

static void pair(struct epochs *epochs, const struct epochs_window *window, int origin, int target, bool first)
{
	uint64_t key = mix64_pair(window->key, (uint64_t)DEED_PAIR);
	ledger_pair(epochs->ledger, mix64_pair(key, (uint64_t)(uint32_t)origin << 32 | (uint32_t)target), first);
}

void epochs_start(struct epochs *epochs, struct epochs_window *window, const int *targets, int count)
{
	for (int i = 0; i < count; i++)
		pair(epochs, window, window->own, targets[i], true);
	epochs->open += !is_open(window);
	window->started = true;
}

void epochs_complete(struct epochs *epochs, struct epochs_window *window)
{
	bool was = is_open(window);
	window->started = false;
	epochs->open -= was && !is_open(window);
}

void epochs_post(struct epochs *epochs, struct epochs_window *window, const int *origins, int count)
{
	for (int i = 0; i < count; i++)
		pair(epochs, window, origins[i], window->own, false);
	epochs->open += !is_open(window);
	window->posted = true;
}

void epochs_waited(struct epochs *epochs, struct epochs_window *window)
{
	bool was = is_open(window);
	window->posted = false;
	epochs->open -= was && !is_open(window);
}

/* --- meetings -------------------------------------------------------------------------------------------------------------- */

static bool all_marked(const struct epochs *epochs, const struct epochs_window *window)
{
	for (int32_t i = 0; i < window->members; i++)
		if (!epochs->marks[epochs_world_of(window, i)])
			return false;
	return true;
}

void epochs_met(struct epochs *epochs, const int32_t *world, int32_t members, uint64_t number)
{
	for (int32_t i = 0; world && i < members; i++)
		epochs->marks[world[i]] = true;
	for (size_t i = 0; i <= mask_of(epochs); i++) {
		struct epochs_window *window = epochs->slots[i].window;
		if (!window || (world && !all_marked(epochs, window)))
			continue;
		if (window->unsettled != 0 && window->unsettled <= number)
			settle(epochs, window);
		window->met_since = true;
	}
	for (int32_t i = 0; world && i < members; i++)
		epochs->marks[world[i]] = false;
}

/* --- what a cut asks --------------------------------------------------------------------------------------------------------- */

uint64_t epochs_newest_unsettled(const struct epochs *epochs)
{
	uint64_t newest = 0;
	for (size_t i = 0; epochs->unsettled != 0 && i <= mask_of(epochs); i++) {
		const struct epochs_window *window = epochs->slots[i].window;
		if (window && window->unsettled > newest)
			newest = window->unsettled;
	}
	return newest;
}

void epochs_cut(struct epochs *epochs)
{
	for (size_t i = 0; i <= mask_of(epochs); i++)
		if (epochs->slots[i].window) {
			epochs->slots[i].window->fenced_since = false;
			epochs->slots[i].window->met_since = false;
		}
}

bool epochs_is_early(const struct epochs_window *window, int32_t target)
{
	if (target == window->own || window->met_since)
		return false;
	if (window->locks != 0)
		return true;
	return !window->started && !window->fenced_since;
}
