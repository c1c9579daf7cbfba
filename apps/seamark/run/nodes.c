/* SPDX-License-Identifier: BSD-3-Clause */
/* The nodes of a run: those of the Slurm job that it is in, or of --hosts. Which of them are left after a failure, and on which the next life is to be; the launcher is told so
 * by its environment, srun by arguments before its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "slurm/node_list.h"
#include "run/run.h"
#include "run/probe.h"
#include "slurm/slurm.h"

#define ANSWER_S 15.0
#define LAST_ANSWER_S 5.0
#define GRACE_S 10.0   /* a launcher that misses a node ends by itself, mostly */

#define NOT_IN_JOB "the job does not have it any more"

static struct {
	enum { NODES_UNKNOWN, NODES_OF_SLURM, NODES_OF_HOSTS } kind;
	char *const *arguments;
	char **placed;                  /* arguments for the nodes that were chosen; NULL: the user's own */
	size_t ranks;                   /* --ranks; 0: not told */
	double watch_s;
	struct node_list all, left, used;
	bool ending;                    /* Slurm ends the job */
	/* while a life runs */
	struct probe probe;
	double next_s, lost_s;          /* when it is asked again; since when a node is missed, 0: none is */
	char files[64];                 /* the folder for lists of hosts */
} nodes;

/* --- which there are ------------------------------------------------------------------------------------------------------- */

/* Slots are the tasks that the job has on each node. */
static void take_from_slurm(void)
{
	const char *names = getenv("SLURM_JOB_NODELIST"), *slots = getenv("SLURM_TASKS_PER_NODE");

	if (!slurm_own_job() || !names)
		return;
	if (!node_list_read(&nodes.all, names) || !slots || !node_list_read_slots(&nodes.all, slots)) {
		run_say("the job's nodes are not understood, so none is left out when it is lost: SLURM_JOB_NODELIST=%s SLURM_TASKS_PER_NODE=%s", names, slots ? slots : "");
		node_list_free(&nodes.all);
		return;
	}
	nodes.kind = NODES_OF_SLURM;
	/* Or srun waits for the others when a rank was killed. */
	setenv("SLURM_KILL_BAD_EXIT", "1", 0);
}

bool run_nodes_begin(const struct run_options *options)
{
	nodes.arguments = options->arguments;
	nodes.ranks = options->ranks;
	nodes.watch_s = options->watch_s;
	if (options->hosts && !node_list_read_hosts(&nodes.all, options->hosts)) {
		command_complain("--hosts takes names with the ranks that each may have, as h1:4,h2:4, not '%s'", options->hosts);
		return false;
	}
	if (options->hosts)
		nodes.kind = NODES_OF_HOSTS;
	else
		take_from_slurm();
	if (nodes.ranks && !nodes.kind) {
		command_complain("--ranks is for a Slurm job, or goes with --hosts");
		return false;
	}
	if (nodes.ranks > node_list_slots(&nodes.all) && nodes.kind) {
		command_complain("--ranks %zu: there is place for %zu", nodes.ranks, node_list_slots(&nodes.all));
		return false;
	}
	return node_list_copy(&nodes.left, &nodes.all) && node_list_copy(&nodes.used, &nodes.all);
}

/* --- telling the launcher -------------------------------------------------------------------------------------------------- */

static bool is_srun(void)
{
	const char *slash = strrchr(nodes.arguments[0], '/');

	return !strcmp(slash ? slash + 1 : nodes.arguments[0], "srun");
}

/* srun's options that say where: with them in its own arguments it cannot be told otherwise. Up to the program, as far as that can be seen. */
static bool says_where(void)
{
	static const char *const options[] = { "-N", "--nodes", "-w", "--nodelist", "-x", "--exclude", "-r", "--relative", "-F", "--nodefile" };

	for (char *const *word = nodes.arguments + 1; *word && (**word == '-' || (word > nodes.arguments + 1 && word[-1][0] == '-')); word++)
		for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
			size_t length = strlen(options[i]);

			if (!strncmp(*word, options[i], length) && (!(*word)[length] || length == 2 || (*word)[length] == '='))
				return true;
		}
	return false;
}

static bool set_number(const char *name, size_t number)
{
	char text[32];

	snprintf(text, sizeof text, "%zu", number);
	return !setenv(name, text, 1);
}

/* srun LIST-OF-NODES, and then its own. */
static bool place_srun(const char *names, size_t ranks)
{
	size_t count = 0;
	char **words;

	while (nodes.arguments[count])
		count++;
	words = calloc(count + 4, sizeof *words);
	if (!words)
		return false;
	words[0] = nodes.arguments[0];
	if (asprintf(&words[1], "--nodelist=%s", names) < 0 || asprintf(&words[2], "--nodes=%zu", nodes.used.count) < 0 ||
	    asprintf(&words[3], "--ntasks=%zu", ranks) < 0)
		return false;
	memcpy(words + 4, nodes.arguments + 1, (count - 1) * sizeof *words);
	nodes.placed = words;
	/* It compares this with what the job has now. */
	return set_number("SLURM_JOB_NUM_NODES", nodes.left.count) && set_number("SLURM_NNODES", nodes.left.count);
}

/* What mpirun and mpiexec take for the job. */
static bool place_in_job(const char *names, const char *counts, size_t ranks)
{
	return !setenv("SLURM_JOB_NODELIST", names, 1) && !setenv("SLURM_NODELIST", names, 1) && !setenv("SLURM_TASKS_PER_NODE", counts, 1) &&
	       set_number("SLURM_JOB_NUM_NODES", nodes.used.count) && set_number("SLURM_NNODES", nodes.used.count) && set_number("SLURM_NTASKS", ranks) &&
	       set_number("SLURM_NPROCS", ranks);
}

static void remove_files(void)
{
	char path[96];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", nodes.files, i ? "mpich" : "openmpi");
		unlink(path);
	}
	rmdir(nodes.files);
}

/* A file of hosts, as Open MPI reads it and as MPICH does. */
static bool write_hosts(const char *variable, const char *name, const char *format)
{
	char path[96];
	FILE *file;
	bool good;

	snprintf(path, sizeof path, "%s/%s", nodes.files, name);
	file = fopen(path, "we");
	for (size_t i = 0; file && i < nodes.used.count; i++)
		fprintf(file, "%s%s%d\n", nodes.used.nodes[i].name, format, nodes.used.nodes[i].slots);
	good = file && !ferror(file);
	return file && !fclose(file) && good && !setenv(variable, path, 1);
}

static bool place_on_hosts(void)
{
	if (!nodes.files[0]) {
		snprintf(nodes.files, sizeof nodes.files, "/tmp/seamark-hosts.XXXXXX");
		if (!mkdtemp(nodes.files)) {
			nodes.files[0] = 0;
			return false;
		}
		atexit(remove_files);
	}
	return write_hosts("OMPI_MCA_orte_default_hostfile", "openmpi", " slots=") && write_hosts("HYDRA_HOST_FILE", "mpich", ":");
}

static bool tell_launcher(size_t ranks)
{
	char *names = node_list_names(&nodes.used), *counts = node_list_counts(&nodes.used);
	bool done = false;

	if (names && counts) {
		run_say("%zu ranks on %s", ranks, names);
		if (nodes.kind == NODES_OF_HOSTS)
			done = place_on_hosts();
		else
			done = is_srun() ? place_srun(names, ranks) : place_in_job(names, counts, ranks);
	}
	free(names);
	free(counts);
	return done;
}

char *const *run_nodes_arguments(void)
{
	return nodes.placed ? nodes.placed : nodes.arguments;
}

/* --- choosing ------------------------------------------------------------------------------------------------------------------ */

bool run_nodes_may_come_back(void)
{
	return nodes.kind == NODES_OF_HOSTS;
}

enum run_nodes run_nodes_choose(const struct run_newest *newest)
{
	size_t ranks = nodes.ranks ? nodes.ranks : newest->ranks ? newest->ranks : node_list_slots(&nodes.all);
	bool whole = nodes.left.count == nodes.all.count;

	nodes.lost_s = 0;
	nodes.next_s = run_now_s() + nodes.watch_s;
	if (nodes.kind == NODES_UNKNOWN)
		return RUN_NODES_ENOUGH;
	if (nodes.ending)
		return RUN_NODES_ENDING;
	/* As the launcher does it by itself. */
	if (nodes.kind == NODES_OF_SLURM && whole && !nodes.ranks && !nodes.placed)
		return RUN_NODES_ENOUGH;
	if (!node_list_copy(&nodes.used, &nodes.left) || !node_list_cut(&nodes.used, ranks)) {
		run_say("%zu ranks have no place on the nodes that are left", ranks);
		return RUN_NODES_TOO_FEW;
	}
	if (!whole && nodes.kind == NODES_OF_SLURM && is_srun() && says_where()) {
		run_say("srun's own arguments say where it starts the program, so no node can be left out");
		return RUN_NODES_TOO_FEW;
	}
	return tell_launcher(ranks) ? RUN_NODES_ENOUGH : RUN_NODES_TOO_FEW;
}

/* Of those that were asked, the nodes that are not in the list are told, and left no more. true: some are in use. */
static bool miss(const struct node_list *asked, const struct node_list *list, const char *why)
{
	bool missed = false;
	size_t left = 0;

	for (size_t i = 0; i < nodes.left.count; i++) {
		const struct node *node = &nodes.left.nodes[i];

		if (node_list_has(list, node->name) || !node_list_has(asked, node->name)) {
			nodes.left.nodes[left++] = *node;
			continue;
		}
		run_say("node %s is lost: %s", node->name, why);
		missed = missed || node_list_has(&nodes.used, node->name);
	}
	nodes.left.count = left;
	return missed;
}

/* What is in the list is there again, whatever was before. */
static void take_back(const struct node_list *list)
{
	if (node_list_copy(&nodes.left, &nodes.all))
		node_list_keep(&nodes.left, list);
}

bool run_nodes_were_lost(void)
{
	struct node_list list = { 0 };
	bool lost = nodes.lost_s > 0;

	run_nodes_drop_questions();
	if (nodes.kind == NODES_OF_SLURM && probe_job_nodes(&list, LAST_ANSWER_S) == PROBE_JOB_RUNS)
		lost |= miss(&nodes.all, &list, NOT_IN_JOB);
	node_list_free(&list);
	if (lost)
		nodes.lost_s = run_now_s();
	return lost;
}

bool run_nodes_look_again(void)
{
	struct node_list list = { 0 };
	bool lost = nodes.lost_s > 0;

	run_nodes_drop_questions();
	if (nodes.kind == NODES_OF_SLURM) {
		enum probe_job job = probe_job_nodes(&list, ANSWER_S);

		nodes.ending = job == PROBE_JOB_ENDS;
		if (job == PROBE_JOB_RUNS) {
			lost |= miss(&nodes.all, &list, NOT_IN_JOB);
			take_back(&list);
		}
		node_list_free(&list);
		if (nodes.ending)
			return lost;
	}
	if (nodes.kind && probe_try(&list, nodes.kind == NODES_OF_SLURM ? &nodes.left : &nodes.all, nodes.kind == NODES_OF_SLURM)) {
		lost |= miss(&nodes.all, &list, "nothing can be started on it");
		take_back(&list);
	}
	node_list_free(&list);
	/* What the old life has on a lost node is in nobody's way. */
	if (nodes.kind == NODES_OF_SLURM)
		setenv("SLURM_OVERLAP", "1", 0);
	return lost;
}

/* --- while a life runs ------------------------------------------------------------------------------------------------------- */

bool run_nodes_look(void)
{
	struct node_list list = { 0 };

	if (!nodes.kind || nodes.watch_s <= 0)
		return false;
	if (!probe_is_asking(&nodes.probe) && !nodes.lost_s && run_now_s() >= nodes.next_s)
		probe_begin(&nodes.probe, &nodes.used, nodes.kind == NODES_OF_SLURM);
	if (probe_is_asking(&nodes.probe) && probe_look(&nodes.probe, &list)) {
		if (nodes.probe.known && miss(&nodes.used, &list, nodes.kind == NODES_OF_SLURM ? NOT_IN_JOB : "it does not answer"))
			nodes.lost_s = run_now_s();
		probe_end(&nodes.probe);
		node_list_free(&list);
		nodes.next_s = run_now_s() + nodes.watch_s;
	}
	if (nodes.lost_s <= 0 || run_now_s() < nodes.lost_s + GRACE_S)
		return false;
	nodes.lost_s = run_now_s();
	return true;
}

void run_nodes_drop_questions(void)
{
	probe_end(&nodes.probe);
}
