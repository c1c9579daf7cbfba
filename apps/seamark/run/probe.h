/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks which nodes are there: Slurm, or the nodes themselves, by starting something on them. */
#ifndef RUN_PROBE_H
#define RUN_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "slurm/node_list.h"
#include "slurm/slurm.h"

/* A question that nobody waits for. All zero: none. */
struct probe {
	size_t count;
	struct slurm_query *queries;
	struct node_list asked;
	bool slurm;
	bool known;            /* after probe_look: there was an answer */
};

/* Asks Slurm which nodes the job has, or each host whether it answers. */
void probe_begin(struct probe *probe, const struct node_list *nodes, bool slurm);
bool probe_is_asking(const struct probe *probe);
/* true: all is answered, and these are there; to be freed. */
bool probe_look(struct probe *probe, struct node_list *there);
void probe_end(struct probe *probe);

/* These wait. */
enum probe_job { PROBE_JOB_UNKNOWN, PROBE_JOB_RUNS /* and has these nodes */, PROBE_JOB_ENDS };
enum probe_job probe_job_nodes(struct node_list *there, double seconds);
/* Starts something on each. false: nothing can be said. */
bool probe_try(struct node_list *there, const struct node_list *nodes, bool slurm);

#endif
