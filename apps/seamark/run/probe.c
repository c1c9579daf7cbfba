/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/run.h"
#include "run/probe.h"

#define HOST_S 10.0        /* a host that is there answers sooner */
#define STEP_S 40.0        /* Slurm misses a node after its MessageTimeout, 10 s if nothing else was set */
#define AGENT_WORDS 16

/* --- hosts ------------------------------------------------------------------------------------------------------------------- */

/* What the launcher would start its own processes by: "ssh -x : rsh" is the first of these. */
static const char *agent(void)
{
	const char *text = getenv("OMPI_MCA_plm_rsh_agent");

	if (!text || !*text)
		text = getenv("HYDRA_LAUNCHER_EXEC");
	return text && *text ? text : "ssh -o BatchMode=yes -o ConnectTimeout=8";
}

static void ask_host(struct slurm_query *query, char *name)
{
	const char *words[AGENT_WORDS + 3];
	char *text = strdup(agent()), *rest = NULL;
	int count = 0;

	for (char *word = text ? strtok_r(text, " ", &rest) : NULL; word && strcmp(word, ":") && count < AGENT_WORDS; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	words[count++] = name;
	words[count++] = "true";
	words[count] = NULL;
	slurm_begin(query, words, HOST_S);
	free(text);
}

/* --- without waiting ---------------------------------------------------------------------------------------------------------- */

void probe_begin(struct probe *probe, const struct node_list *nodes, bool slurm)
{
	probe_end(probe);
	probe->slurm = slurm;
	probe->queries = calloc(slurm ? 1 : nodes->count, sizeof *probe->queries);
	if (!probe->queries || !node_list_copy(&probe->asked, nodes)) {
		probe_end(probe);
		return;
	}
	probe->count = slurm ? 1 : nodes->count;
	if (slurm)
		slurm_ask_queue(probe->queries, slurm_own_job());
	for (size_t i = 0; !slurm && i < nodes->count; i++)
		ask_host(&probe->queries[i], probe->asked.nodes[i].name);
}

bool probe_is_asking(const struct probe *probe)
{
	return probe->count > 0;
}

static enum probe_job read_job(const struct slurm_query *query, struct node_list *there)
{
	static struct slurm_job job; /* it is large */
	struct slurm_problem problem;

	if (!slurm_read_queue(query->text, slurm_own_job(), &job, &problem)) {
		run_say("%s", problem.text);
		return PROBE_JOB_UNKNOWN;
	}
	if (strcmp(job.state, "RUNNING"))
		return PROBE_JOB_ENDS;
	if (node_list_read(there, job.nodes) && there->count)
		return PROBE_JOB_RUNS;
	node_list_free(there);
	run_say("the job's nodes are not understood: '%s'", job.nodes);
	return PROBE_JOB_UNKNOWN;
}

bool probe_look(struct probe *probe, struct node_list *there)
{
	*there = (struct node_list){ 0 };
	probe->known = false;
	for (size_t i = 0; i < probe->count; i++)
		if (slurm_look(&probe->queries[i]) == SLURM_WAIT)
			return false;
	if (probe->slurm) {
		probe->known = slurm_look(probe->queries) == SLURM_ANSWER && read_job(probe->queries, there) == PROBE_JOB_RUNS;
		return true;
	}
	probe->known = node_list_copy(there, &probe->asked);
	there->count = 0;
	for (size_t i = 0; probe->known && i < probe->count; i++)
		if (slurm_look(&probe->queries[i]) == SLURM_ANSWER)
			there->nodes[there->count++] = probe->asked.nodes[i];
	return true;
}

void probe_end(struct probe *probe)
{
	for (size_t i = 0; i < probe->count; i++)
		slurm_end(&probe->queries[i]);
	free(probe->queries);
	node_list_free(&probe->asked);
	*probe = (struct probe){ 0 };
}

/* --- waiting ------------------------------------------------------------------------------------------------------------------ */

enum probe_job probe_job_nodes(struct node_list *there, double seconds)
{
	struct slurm_query query = { 0 };
	enum probe_job job = PROBE_JOB_UNKNOWN;

	slurm_ask_queue(&query, slurm_own_job());
	query.until_s = run_now_s() + seconds;
	if (slurm_wait(&query) == SLURM_ANSWER)
		job = read_job(&query, there);
	else
		run_say("Slurm does not tell which nodes the job has: %s", query.complaint);
	slurm_end(&query);
	return job;
}

/* A step on all of them, whose tasks tell where they are: those that are there do so before it fails for one that is not. */
static bool try_step(struct node_list *there, const struct node_list *nodes)
{
	char *names = node_list_names(nodes), count[2][32], *line, *rest = NULL;
	struct slurm_query query = { 0 };
	char *where = NULL;

	*there = (struct node_list){ 0 };
	snprintf(count[0], sizeof count[0], "--nodes=%zu", nodes->count);
	snprintf(count[1], sizeof count[1], "--ntasks=%zu", nodes->count);
	if (!names || asprintf(&where, "--nodelist=%s", names) < 0) {
		free(names);
		return false;
	}
	/* It takes the job's nodes from these, and a launcher may have been told of fewer. */
	setenv("SLURM_JOB_NODELIST", names, 1);
	setenv("SLURM_JOB_NUM_NODES", count[0] + strlen("--nodes="), 1);
	setenv("SLURM_NNODES", count[0] + strlen("--nodes="), 1);
	slurm_begin(&query, (const char *const[]){ "srun", where, count[0], count[1], "--ntasks-per-node=1", "--overlap", "--mpi=none", "--input=none",
					"sh", "-c", "echo \"$SLURMD_NODENAME\"", NULL }, STEP_S);
	slurm_wait(&query);
	for (line = query.text ? strtok_r(query.text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		if (node_list_has(nodes, line) && !node_list_has(there, line))
			node_list_add(there, line, 0);
	if (!there->count)
		run_say("nothing can be started on any node now: %s", query.complaint);
	slurm_end(&query);
	free(names);
	free(where);
	return there->count > 0;
}

static bool try_hosts(struct node_list *there, const struct node_list *nodes)
{
	struct probe probe = { 0 };
	bool known;

	probe_begin(&probe, nodes, false);
	for (size_t i = 0; i < probe.count; i++)
		slurm_wait(&probe.queries[i]);
	known = probe_is_asking(&probe) && probe_look(&probe, there) && probe.known;
	probe_end(&probe);
	return known;
}

bool probe_try(struct node_list *there, const struct node_list *nodes, bool slurm)
{
	return slurm ? try_step(there, nodes) : try_hosts(there, nodes);
}
