/* SPDX-License-Identifier: BSD-3-Clause */
#include "topology/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

struct topology {
	hwloc_topology_t machine;   /* cores and CPUs that are allowed to this process, nothing else */
	hwloc_bitmap_t core;        /* the writer's; empty: none was found */
	hwloc_bitmap_t share;       /* this rank's share of the free cores, the writer's among them */
	unsigned share_count;
	char place[160];
};

/* Loading takes milliseconds, most of them for caches, devices and their like. */
static int load_machine(hwloc_topology_t machine)
{
	if (hwloc_topology_set_all_types_filter(machine, HWLOC_TYPE_FILTER_KEEP_NONE) ||
	    hwloc_topology_set_type_filter(machine, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL))
		return -1;
	return hwloc_topology_load(machine);
}

int topology_open(struct topology **opened, struct fault *fault)
{
	struct topology *topology = calloc(1, sizeof *topology);
	int result;

	*opened = NULL;
	if (!topology || hwloc_topology_init(&topology->machine)) {
		free(topology);
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the machine's topology");
	}
	topology->core = hwloc_bitmap_alloc();
	topology->share = hwloc_bitmap_alloc();
	if (!topology->core || !topology->share || load_machine(topology->machine)) {
		result = fault_errno(fault, "hwloc cannot load the machine's topology");
		topology_close(topology);
		return result;
	}
	strcpy(topology->place, "no core looked for");
	*opened = topology;
	return 0;
}

void topology_close(struct topology *topology)
{
	if (!topology)
		return;
	hwloc_bitmap_free(topology->core);
	hwloc_bitmap_free(topology->share);
	hwloc_topology_destroy(topology->machine);
	free(topology);
}

/* A list too long for its room becomes one range: to take more CPUs for bound to is the safe side. */
static void write_list(hwloc_const_bitmap_t set, char *text, size_t room)
{
	if (hwloc_bitmap_list_snprintf(text, room, set) < (int)room)
		return;
	if (hwloc_bitmap_last(set) < 0)
		snprintf(text, room, "%d-", hwloc_bitmap_first(set));
	else
		snprintf(text, room, "%d-%d", hwloc_bitmap_first(set), hwloc_bitmap_last(set));
}

int topology_own_binding(struct topology *topology, char *text, size_t room, struct fault *fault)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	int result = 0;

	*text = 0;
	if (!set)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a set of CPUs");
	if (hwloc_get_cpubind(topology->machine, set, HWLOC_CPUBIND_PROCESS))
		result = fault_errno(fault, "cannot read which CPUs this process is bound to");
	else
		write_list(set, text, room);
	hwloc_bitmap_free(set);
	return result;
}

static bool read_list(hwloc_bitmap_t set, const char *text)
{
	return text && *text && !hwloc_bitmap_list_sscanf(set, text) && !hwloc_bitmap_iszero(set);
}

/* The CPUs that a writer may have: allowed here and to the parent, and no rank's. */
static void find_free_cpus(struct topology *topology, const char *const *bindings, size_t count, const char *parent,
			   hwloc_bitmap_t cpus, hwloc_bitmap_t one)
{
	hwloc_bitmap_zero(cpus);
	if (!read_list(one, parent))
		return;
	hwloc_bitmap_and(cpus, one, hwloc_topology_get_allowed_cpuset(topology->machine));
	for (size_t i = 0; i < count; i++) {
		if (!read_list(one, bindings[i]))
			hwloc_bitmap_fill(one);
		hwloc_bitmap_andnot(cpus, cpus, one);
	}
}

/* The n-th core with all of its CPUs among those; null beyond the last. One thread of a core is not free while a rank computes on the other. */
static hwloc_obj_t free_core(hwloc_topology_t machine, hwloc_const_bitmap_t cpus, size_t n)
{
	hwloc_obj_type_t type = hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
	hwloc_obj_t core = NULL;

	while ((core = hwloc_get_next_obj_by_type(machine, type, core)))
		if (hwloc_bitmap_isincluded(core->cpuset, cpus) && n-- == 0)
			break;
	return core;
}

unsigned topology_count_cores(struct topology *topology)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	unsigned count = 0;

	if (cpus && !hwloc_get_cpubind(topology->machine, cpus, HWLOC_CPUBIND_PROCESS))
		while (free_core(topology->machine, cpus, count))
			count++;
	hwloc_bitmap_free(cpus);
	return count;
}

static void describe(struct topology *topology)
{
	char list[96];
	struct fault fault = FAULT_NONE;

	if (!hwloc_bitmap_iszero(topology->core)) {
		write_list(topology->core, list, sizeof list);
		snprintf(topology->place, sizeof topology->place, "CPU %s, free of ranks", list);
	} else if (topology_own_binding(topology, list, sizeof list, &fault)) {
		strcpy(topology->place, "no free core");
	} else {
		snprintf(topology->place, sizeof topology->place, "no free core, shares CPU %s", list);
	}
}

/* Ranks that come to the cut at the same time do not help each other by sharing a core: with fewer free cores than ranks none has one for that. */
static void choose_share(struct topology *topology, hwloc_const_bitmap_t cpus, size_t first, size_t count)
{
	hwloc_bitmap_zero(topology->share);
	topology->share_count = (unsigned)count;
	for (size_t i = first; i < first + count; i++)
		hwloc_bitmap_or(topology->share, topology->share, free_core(topology->machine, cpus, i)->cpuset);
}

bool topology_choose_core(struct topology *topology, const char *const *bindings, size_t count, size_t turn, const char *parent,
			  double quota)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc(), one = hwloc_bitmap_alloc();
	size_t free_cores = 0;

	hwloc_bitmap_zero(topology->core);
	topology->share_count = 0;
	if (cpus && one && count && quota > (double)count) {
		find_free_cpus(topology, bindings, count, parent, cpus, one);
		while (free_core(topology->machine, cpus, free_cores))
			free_cores++;
		/* In proportion: ranks are placed in order as a rule, so a writer comes to lie near its rank. */
		if (free_cores) {
			size_t first = turn % count * free_cores / count;

			hwloc_bitmap_copy(topology->core, free_core(topology->machine, cpus, first)->cpuset);
			choose_share(topology, cpus, first, free_cores / count);
		}
	}
	hwloc_bitmap_free(cpus);
	hwloc_bitmap_free(one);
	describe(topology);
	return !hwloc_bitmap_iszero(topology->core);
}

/* What started the ranks: its own CPUs tell of limits that were set before it, by taskset or a batch system. */
static bool parent_binding(struct topology *topology, char *text, size_t room)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	bool known = set && !hwloc_get_proc_cpubind(topology->machine, getppid(), set, HWLOC_CPUBIND_THREAD);

	if (known)
		known = hwloc_bitmap_list_snprintf(text, room, set) < (int)room;
	hwloc_bitmap_free(set);
	return known;
}

bool topology_find_free_core(struct topology *topology, const char *const *bindings, size_t count, size_t turn)
{
	char parent[4096];
	bool known = parent_binding(topology, parent, sizeof parent);

	return topology_choose_core(topology, bindings, count, turn, known ? parent : NULL, limits_cpus(""));
}

void topology_bind_writer(void *context)
{
	struct topology *topology = context;

	if (!topology || hwloc_bitmap_iszero(topology->core))
		return;
	if (hwloc_set_cpubind(topology->machine, topology->core, HWLOC_CPUBIND_THREAD))
		log_say(LOG_INFO, "cannot bind the writer to %s: %s", topology->place, strerror(errno));
}

unsigned topology_share(const struct topology *topology)
{
	return topology->share_count;
}

void topology_bind_helper(void *context)
{
	struct topology *topology = context;

	if (topology->share_count && hwloc_set_cpubind(topology->machine, topology->share, HWLOC_CPUBIND_THREAD))
		log_say(LOG_INFO, "cannot bind a thread that copies to a free core: %s", strerror(errno));
}

const char *topology_writer_place(const struct topology *topology)
{
	return topology->place;
}
