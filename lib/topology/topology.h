/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine, by hwloc: which core the writer's thread may have. Knows no MPI: the caller gathers the ranks' masks of a node. */
#ifndef TOPOLOGY_TOPOLOGY_H
#define TOPOLOGY_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

struct topology;

int topology_open(struct topology **topology, struct fault *fault);
void topology_close(struct topology *topology);

/* This process's binding, as a list that the other ranks of the node can be given ("0-3,8"). text holds `room` bytes, at least 24; a list that is
 * too long for it is widened to one range. */
int topology_own_binding(struct topology *topology, char *text, size_t room, struct fault *fault);

/* How many cores this process may use in whole. */
unsigned topology_count_cores(struct topology *topology);

/* Looks for a core that is allowed to this process and its parent, and to which none of the node's ranks is bound; with fewer ranks than
 * the CPU quota of the cgroup leaves. bindings: `count` texts of topology_own_binding, one per rank of the node; one that is empty or cannot be
 * read may be anywhere. `turn`: this rank's place among them, so that writers spread over the free cores. */
bool topology_find_free_core(struct topology *topology, const char *const *bindings, size_t count, size_t turn);
/* The same for a given parent's binding (null: not known, and then no core is free) and CPUs' worth of quota. */
bool topology_choose_core(struct topology *topology, const char *const *bindings, size_t count, size_t turn, const char *parent,
			  double quota);
/* Binds the calling thread to the core found, or, when none was, leaves it where it is. Given to store_start_writer. */
void topology_bind_writer(void *topology);
/* How many of the free cores are this rank's share, the writer's among them; 0 when ranks have to share one. */
unsigned topology_share(const struct topology *topology);
/* Binds the calling thread to that share. Given to state_new. */
void topology_bind_helper(void *topology);
/* In words, for the log: "CPU 3, free of ranks" or "no free core, shares CPU 0-1". Valid until topology_close. */
const char *topology_writer_place(const struct topology *topology);

#endif
