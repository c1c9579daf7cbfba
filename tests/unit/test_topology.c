/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer's core, on machines that hwloc makes up, and the binding of real threads on this one. */
#include <CUnit/Basic.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topology/topology.h"
#include "suites.h"

static struct fault fault;

/* A machine in hwloc's own words; its CPUs are numbered through. */
static struct topology *machine(const char *description)
{
	struct topology *topology;

	setenv("HWLOC_SYNTHETIC", description, 1);
	fault = FAULT_NONE;
	if (topology_open(&topology, &fault)) {
		fprintf(stderr, "%s\n", fault.text);
		abort();
	}
	unsetenv("HWLOC_SYNTHETIC");
	return topology;
}

static const char *place(struct topology *topology, const char *const *bindings, size_t count, size_t turn,
			 const char *parent, double quota)
{
	bool found = topology_choose_core(topology, bindings, count, turn, parent, quota);

	CU_ASSERT_EQUAL(found, strstr(topology_writer_place(topology), "free of ranks") != NULL);
	return topology_writer_place(topology);
}

static void a_core_without_a_rank_is_found(void)
{
	static const char *const bindings[] = { "0", "1", "3" };
	struct topology *topology = machine("core:4 pu:1");

	for (size_t turn = 0; turn < 3; turn++)
		CU_ASSERT_STRING_EQUAL(place(topology, bindings, 3, turn, "0-3", 1e9), "CPU 2, free of ranks");
	topology_close(topology);
}

static void half_a_core_is_not_free(void)
{
	static const char *const bindings[] = { "0", "2", "7" };
	struct topology *topology = machine("core:4 pu:2"); /* 0,1 2,3 4,5 6,7 */

	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 3, 0, "0-7", 1e9), "CPU 4-5, free of ranks");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 3, 0, "0-4,6-7", 1e9), "no free core, shares CPU 0-7");
	topology_close(topology);
}

static void writers_spread_over_the_free_cores(void)
{
	static const char *const bindings[] = { "0-1", "4-5", "8-9", "12-13" };
	struct topology *topology = machine("package:2 core:8 pu:1"); /* free: 2 3 6 7 10 11 14 15 */

	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 4, 0, "0-15", 1e9), "CPU 2, free of ranks");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 4, 1, "0-15", 1e9), "CPU 6, free of ranks");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 4, 2, "0-15", 1e9), "CPU 10, free of ranks");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 4, 3, "0-15", 1e9), "CPU 14, free of ranks");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 4, 7, "0-15", 1e9), "CPU 14, free of ranks");
	topology_close(topology);
}

static void nothing_is_free_where_ranks_may_be_anywhere(void)
{
	static const char *const bound[] = { "0", "1" }, *const unbound[] = { "0-3", "0-3" }, *const unknown[] = { "0", "" },
		*const rubbish[] = { "0", "here" }, *const null[] = { "0", NULL };
	struct topology *topology = machine("core:4 pu:1");

	CU_ASSERT_STRING_EQUAL(place(topology, bound, 2, 0, "0-3", 1e9), "CPU 2, free of ranks");
	CU_ASSERT_STRING_EQUAL(place(topology, unbound, 2, 0, "0-3", 1e9), "no free core, shares CPU 0-3");
	CU_ASSERT_STRING_EQUAL(place(topology, unknown, 2, 0, "0-3", 1e9), "no free core, shares CPU 0-3");
	CU_ASSERT_STRING_EQUAL(place(topology, rubbish, 2, 0, "0-3", 1e9), "no free core, shares CPU 0-3");
	CU_ASSERT_STRING_EQUAL(place(topology, null, 2, 0, "0-3", 1e9), "no free core, shares CPU 0-3");
	CU_ASSERT_STRING_EQUAL(place(topology, bound, 0, 0, "0-3", 1e9), "no free core, shares CPU 0-3");
	topology_close(topology);
}

static void parent_and_quota_take_cores_away(void)
{
	static const char *const bindings[] = { "0", "1" };
	struct topology *topology = machine("core:4 pu:1");

	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 2, 0, "0-1,3", 1e9), "CPU 3, free of ranks");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 2, 0, "0-1", 1e9), "no free core, shares CPU 0-3");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 2, 0, NULL, 1e9), "no free core, shares CPU 0-3");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 2, 0, "0-3", 2.0), "no free core, shares CPU 0-3");
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 2, 0, "0-3", 2.5), "CPU 2, free of ranks");
	topology_close(topology);
}

/* Two cores whose CPUs alternate: 0,2,4 ... 126 and 1,3,5 ... 127. */
static void a_list_too_long_for_its_room_is_widened(void)
{
	static const char *const bindings[] = { "1" };
	char description[1000], *at = description;
	struct topology *topology;

	at += sprintf(at, "core:2 pu:64(indexes=0");
	for (int cpu = 1; cpu < 128; cpu++)
		at += sprintf(at, ",%d", cpu < 64 ? 2 * cpu : 2 * (cpu - 64) + 1);
	strcpy(at, ")");
	topology = machine(description);
	CU_ASSERT_STRING_EQUAL(place(topology, bindings, 1, 0, "0-127", 1e9), "CPU 0-126, free of ranks");
	topology_close(topology);
}

/* --- this machine ------------------------------------------------------------------------------------------------ */

static void own_binding_is_what_the_kernel_says(void)
{
	struct topology *topology;
	cpu_set_t all, one;
	char text[64], expected[64];
	int first = 0;

	CU_ASSERT_EQUAL_FATAL(topology_open(&topology, &fault), 0);
	sched_getaffinity(0, sizeof all, &all);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof one, &one), 0);
	CU_ASSERT_EQUAL(topology_own_binding(topology, text, sizeof text, &fault), 0);
	snprintf(expected, sizeof expected, "%d", first);
	CU_ASSERT_STRING_EQUAL(text, expected);
	sched_setaffinity(0, sizeof all, &all);
	topology_close(topology);
}

struct bound {
	struct topology *topology;
	cpu_set_t set;
};

static void *bind_and_look(void *context)
{
	struct bound *bound = context;

	topology_bind_writer(bound->topology);
	sched_getaffinity(0, sizeof bound->set, &bound->set);
	return NULL;
}

static void writer_of(struct bound *bound)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, bind_and_look, bound))
		abort();
	pthread_join(thread, NULL);
}

/* Of two cores, a rank on one: the writer goes to the other, and the rank's own thread stays. */
static void the_writer_s_thread_and_no_other_is_bound(void)
{
	struct bound bound;
	cpu_set_t all, now;
	char binding[16];
	const char *bindings[] = { binding };
	int first = 0;

	sched_getaffinity(0, sizeof all, &all);
	while (!CPU_ISSET(first, &all))
		first++;
	snprintf(binding, sizeof binding, "%d", first);
	CU_ASSERT_EQUAL_FATAL(topology_open(&bound.topology, &fault), 0);
	if (topology_find_free_core(bound.topology, bindings, 1, 0)) {
		writer_of(&bound);
		CU_ASSERT_FALSE(CPU_ISSET(first, &bound.set));
		CU_ASSERT_TRUE(CPU_COUNT(&bound.set) >= 1 && CPU_COUNT(&bound.set) < CPU_COUNT(&all));
	} else {
		printf(" (no free core here: %s) ", topology_writer_place(bound.topology));
		writer_of(&bound);
		CU_ASSERT_TRUE(CPU_EQUAL(&bound.set, &all));
	}
	sched_getaffinity(0, sizeof now, &now);
	CU_ASSERT_TRUE(CPU_EQUAL(&now, &all));
	topology_close(bound.topology);
}

/* mpirun under taskset: the CPUs that it may not use are not free, whatever the ranks may do. */
static void a_parent_held_to_one_cpu_leaves_none(void)
{
	cpu_set_t all, one;
	int first = 0, status = -1;
	pid_t parent;

	sched_getaffinity(0, sizeof all, &all);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	fflush(stdout);
	parent = fork();
	if (parent == 0) {
		pid_t child;

		sched_setaffinity(0, sizeof one, &one);
		child = fork();
		if (child == 0) {
			char binding[16];
			const char *bindings[] = { binding };
			struct topology *topology;

			sched_setaffinity(0, sizeof all, &all);
			snprintf(binding, sizeof binding, "%d", first);
			if (topology_open(&topology, &fault))
				_exit(2);
			_exit(topology_find_free_core(topology, bindings, 1, 0));
		}
		waitpid(child, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
	}
	waitpid(parent, &status, 0);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "a core without a rank is found", a_core_without_a_rank_is_found },
		{ "half a core is not free", half_a_core_is_not_free },
		{ "writers spread over the free cores", writers_spread_over_the_free_cores },
		{ "nothing is free where ranks may be anywhere", nothing_is_free_where_ranks_may_be_anywhere },
		{ "parent and quota take cores away", parent_and_quota_take_cores_away },
		{ "a list too long for its room is widened", a_list_too_long_for_its_room_is_widened },
		{ "own binding is what the kernel says", own_binding_is_what_the_kernel_says },
		{ "the writer's thread and no other is bound", the_writer_s_thread_and_no_other_is_bound },
		{ "a parent held to one CPU leaves none", a_parent_held_to_one_cpu_leaves_none },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "topology", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
