/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "state/inside.h"
#include "state/probe.h"

struct state *state_new(const struct state_config *config)
{
	struct state *state = calloc(1, sizeof *state);

	if (state)
		state->config = config ? *config : (struct state_config){ .way = STATE_AUTO, .memory = UINT64_MAX };
	return state;
}

static void drop_shape(struct region *region)
{
	free((struct shape_extent *)(uintptr_t)region->shape.extents);
	region->shape = SHAPE_NONE;
}

static void free_region(struct region *region)
{
	drop_shape(region);
	free(region->name);
	free(region);
}

void state_free(struct state *state)
{
	if (!state)
		return;
	state_capture_done(state);
	if (state->child)
		child_free(state->child, true);
	regions_close_up(state);
	for (size_t i = 0; i < state->count; i++) {
		staging_retire(state, state->regions[i]);
		free_region(state->regions[i]);
	}
	staging_drop_old(state, true);
	regions_drop_old(state, true);
	copies_free(state);
	names_free(&state->names);
	pages_close(state->pages);
	mover_free(state->mover);
	free(state->ranges);
	free(state->regions);
	free(state);
}

void regions_close_up(struct state *state)
{
	size_t to = 0;

	if (!state->holes)
		return;
	for (size_t from = 0; from < state->count; from++)
		if (state->regions[from]) {
			state->regions[to] = state->regions[from];
			state->regions[to]->place = to;
			to++;
		}
	state->count = to;
	state->holes = 0;
}

/* What the last capture gave has their names. */
void regions_drop_old(struct state *state, bool all)
{
	struct region **at = &state->old_regions;

	while (*at) {
		struct region *region = *at;

		if (all || !state->live || region->last_capture < state->captures) {
			*at = region->next;
			free_region(region);
		} else {
			at = &region->next;
		}
	}
}

size_t state_count(const struct state *state)
{
	return state->count - state->holes;
}

void state_view(struct state *state, size_t index, struct state_region_view *view)
{
	const struct region *region;

	regions_close_up(state);
	region = state->regions[index];
	*view = (struct state_region_view){ region->name, region->data, region->bytes, region->save != NULL, region->shape };
}

size_t state_find(struct state *state, const char *name)
{
	const struct region *region = names_find(&state->names, name);

	regions_close_up(state);
	return region ? region->place : SIZE_MAX;
}

/* --- naming regions -------------------------------------------------------------------------------------------- */

static int check_call(const struct state *state, const char *name, struct fault *fault)
{
	if (state->busy)
		return fault_set(fault, SEAMARK_E_ORDER, "regions cannot be named or forgotten inside a save or load callback");
	if (!name || !*name)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "a region needs a name");
	if (strnlen(name, NAME_ROOM) == NAME_ROOM)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "the name '%.40s...' of a region is longer than %d bytes", name,
				 NAME_ROOM - 1);
	return 0;
}

/* The region of that name, or a new one behind the others. */
static struct region *region_of(struct state *state, const char *name)
{
	struct region *region = names_find(&state->names, name);

	if (region)
		return region;
	struct region **regions = list_with_room(state->regions, state->count, &state->room, sizeof *regions);
	if (!regions)
		return NULL;
	state->regions = regions;
	region = calloc(1, sizeof *region);
	if (!region)
		return NULL;
	region->name = strdup(name);
	if (!region->name || !names_add(&state->names, region)) {
		free_region(region);
		return NULL;
	}
	region->place = state->count;
	state->regions[state->count++] = region;
	state->prepared = false;
	return region;
}

static bool is_known(const struct region *region, const void *data, size_t bytes)
{
	for (int i = 0; i < 2; i++) {
		const struct known *known = &region->known[i];
		uintptr_t start = (uintptr_t)known->data, from = (uintptr_t)data;

		if (known->bytes >= bytes && from >= start && from - start <= known->bytes - bytes)
			return true;
	}
	return false;
}

static int check_readable(const char *name, const void *data, size_t bytes, struct fault *fault)
{
	if (probe_readable(data, bytes))
		return 0;
	return fault_set(fault, SEAMARK_E_DEVICE,
			 "region '%s': the host cannot read all of the %zu bytes at %p; copy a device's memory to "
			 "the host and protect the copy", name, bytes, data);
}

static int protect_block(struct state *state, const char *name, void *data, size_t bytes, struct fault *fault)
{
	int result = check_call(state, name, fault);
	struct region *region;
	bool known;

	if (result)
		return result;
	if (bytes && !data)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "region '%s': %zu bytes at a null pointer", name, bytes);
	region = names_find(&state->names, name);
	known = !bytes || (region && is_known(region, data, bytes));
	if (!known) {
		result = check_readable(name, data, bytes, fault);
		if (result)
			return result;
	}
	region = region_of(state, name);
	if (!region)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for region '%s'", name);
	if (!known) {
		region->known[1] = region->known[0];
		region->known[0] = (struct known){ data, bytes };
	}
	if (region->bytes != bytes || region->save)
		state->prepared = false;
	region->data = data;
	region->bytes = bytes;
	region->save = NULL;
	region->load = NULL;
	region->context = NULL;
	return 0;
}

int state_protect(struct state *state, const char *name, void *data, size_t bytes, struct fault *fault)
{
	int result = protect_block(state, name, data, bytes, fault);

	if (!result)
		drop_shape(names_find(&state->names, name));
	return result;
}

int state_protect_array(struct state *state, const char *name, void *data, const struct shape *shape, struct fault *fault)
{
	struct shape_extent *extents;
	struct region *region;
	uint64_t bytes;
	const char *why = shape_check(shape, &bytes);
	int result;

	if (why)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "region '%s': %s", name ? name : "", why);
	extents = malloc(shape->dimensions * sizeof *extents);
	if (!extents)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for region '%s'", name ? name : "");
	memcpy(extents, shape->extents, shape->dimensions * sizeof *extents);
	result = protect_block(state, name, data, (size_t)bytes, fault);
	region = result ? NULL : names_find(&state->names, name);
	if (result || shape_equal(&region->shape, shape)) {
		free(extents);
		return result;
	}
	drop_shape(region);
	region->shape = (struct shape){ shape->type, shape->dimensions, extents };
	return 0;
}

int state_protect_with(struct state *state, const char *name, int (*save)(seamark_writer *, void *),
		       int (*load)(seamark_reader *, void *), void *context, struct fault *fault)
{
	int result = check_call(state, name, fault);
	struct region *region;

	if (result)
		return result;
	if (!save || !load)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "region '%s' needs both a save and a load callback", name);
	region = region_of(state, name);
	if (!region)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for region '%s'", name);
	if (!region->save)
		state->prepared = false;
	drop_shape(region);
	region->data = NULL;
	region->bytes = 0;
	region->save = save;
	region->load = load;
	region->context = context;
	return 0;
}

int state_unprotect(struct state *state, const char *name, struct fault *fault)
{
	int result = check_call(state, name, fault);
	struct region *region;

	if (result)
		return result;
	region = names_find(&state->names, name);
	if (!region)
		return fault_set(fault, SEAMARK_E_NOT_FOUND, "no region '%s' is protected", name);
	names_remove(&state->names, region);
	state->regions[region->place] = NULL;
	state->holes++;
	staging_retire(state, region);
	region->last_capture = state->captures;
	region->next = state->old_regions;
	state->old_regions = region;
	state->prepared = false;
	return 0;
}

/* --- loading ----------------------------------------------------------------------------------------------------- */

static int call_load(struct state *state, struct region *region, const void *data, uint64_t bytes, struct fault *fault)
{
	int result;

	state->reader = (seamark_reader){ data, bytes, true };
	state->busy = true;
	result = region->load(&state->reader, region->context);
	state->busy = false;
	state->reader.open = false;
	if (result)
		return fault_set(fault, SEAMARK_E_REGION, "region '%s': its load callback failed with %d", region->name, result);
	return 0;
}

int state_load(struct state *state, size_t index, const void *data, uint64_t bytes, struct fault *fault)
{
	struct region *region;

	regions_close_up(state);
	region = state->regions[index];
	if (state->busy)
		return fault_set(fault, SEAMARK_E_ORDER, "region '%s' cannot be loaded inside a save or load callback",
				 region->name);
	if (region->save)
		return call_load(state, region, data, bytes, fault);
	if (bytes != region->bytes)
		return fault_set(fault, SEAMARK_E_REGION, "region '%s' has %zu bytes, not the %llu that were saved", region->name,
				 region->bytes, (unsigned long long)bytes);
	if (bytes)
		memcpy(region->data, data, bytes);
	return 0;
}
