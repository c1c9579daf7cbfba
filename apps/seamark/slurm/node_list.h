/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of nodes and of counts, as Slurm and MPI launchers write them. Pure: text in, facts out; what is not understood is refused. */
#ifndef NODE_LIST_H
#define NODE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define NODE_LIST_MOST 65536

struct node {
	char name[256];
	int slots;             /* ranks that it may have; 0: not told */
};

struct node_list {
	struct node *nodes;
	size_t count, room;
};

/* "n[1-3,07],login,r[1-2]n[1-2]": Slurm's lists. An empty text is an empty list. */
bool node_list_read(struct node_list *list, const char *text);
/* "2(x3),1": the slots of the list's nodes, in their order, as SLURM_TASKS_PER_NODE has them. There must be one for each. */
bool node_list_read_slots(struct node_list *list, const char *text);
/* "h1:2,h2": names with slots, 1 where none are told; each name once. */
bool node_list_read_hosts(struct node_list *list, const char *text);
void node_list_free(struct node_list *list);
bool node_list_add(struct node_list *list, const char *name, int slots);
bool node_list_copy(struct node_list *list, const struct node_list *from);

bool node_list_has(const struct node_list *list, const char *name);
size_t node_list_slots(const struct node_list *list);
/* Only those that are in the other list stay, in their order. */
void node_list_keep(struct node_list *list, const struct node_list *others);
/* The first nodes, as many as are needed for so many ranks, and of the last no more slots than that; false: they are too few, and nothing was changed. */
bool node_list_cut(struct node_list *list, size_t ranks);
/* "n1,n3" and "2,1", for the environment; to be freed. NULL: no memory. */
char *node_list_names(const struct node_list *list);
char *node_list_counts(const struct node_list *list);

#endif
