/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark slurm-script: writes a batch script. Those in slurm/ are made by it. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"

struct script {
	const char *name, *time, *partition, *account, *array, *modules, *folder, *output;
	long nodes, ranks, threads, spare, chain, signal, requeue_exit;
	int preempt, interactive;
	char made_by[1024];
	char **words;           /* the launcher, the program and their arguments */
	FILE *to;
};

/* --- words ------------------------------------------------------------------------------------------------------------------ */

/* As a shell reads it. What has a $ is for the shell of the job to fill in. */
static void quoted(char *text, size_t room, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-";
	const char *special = strchr(word, '$') ? "\"`\\" : "'";
	size_t length = 0;

	if (*word && strspn(word, plain) == strlen(word)) {
		snprintf(text, room, "%s", word);
		return;
	}
	text[length++] = *special == '"' ? '"' : '\'';
	for (; *word && length + 6 < room; word++) {
		if (strchr(special, *word) && *special == '"')
			text[length++] = '\\';
		if (*special == '\'' && *word == '\'') {
			memcpy(text + length, "'\\'", 3);
			length += 3;
		}
		text[length++] = *word;
	}
	text[length++] = *special == '"' ? '"' : '\'';
	text[length] = 0;
}

static void put_words(FILE *to, char *const *words)
{
	char text[4096];

	for (; *words; words++) {
		quoted(text, sizeof text, *words);
		fprintf(to, " %s", text);
	}
}

static void remember_command(struct script *script, int argc, char **argv)
{
	char text[1024];
	size_t length = (size_t)snprintf(script->made_by, sizeof script->made_by, "seamark");

	for (int i = 0; i < argc && length < sizeof script->made_by; i++) {
		quoted(text, sizeof text, argv[i]);
		length += (size_t)snprintf(script->made_by + length, sizeof script->made_by - length, " %s", text);
	}
	script->made_by[strcspn(script->made_by, "\n")] = 0;
}

/* What goes into a line that sbatch reads. */
static bool is_one_word(const char *option, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-[]";

	if (!text || (*text && strspn(text, plain) == strlen(text)))
		return true;
	command_complain("--%s takes a word without blanks and quotes, not '%s'", option, text);
	return false;
}

static bool number_of(const char *option, const char *text, long least, long *number)
{
	char *end;

	if (!text)
		return true;
	errno = 0;
	*number = strtol(text, &end, 10);
	if (!errno && end != text && !*end && *number >= least && *number <= 100000000)
		return true;
	command_complain("--%s takes a number from %ld, not '%s'", option, least, text);
	return false;
}

/* --- the script ----------------------------------------------------------------------------------------------------------- */

/* A line that sbatch reads, and why; for salloc, an argument. */
static void ask(const struct script *script, const char *why, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void ask(const struct script *script, const char *why, const char *format, ...)
{
	char text[512];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	if (script->interactive)
		fprintf(script->to, " --%s", text);
	else if (why)
		fprintf(script->to, "#SBATCH --%-28s # %s\n", text, why);
	else
		fprintf(script->to, "#SBATCH --%s\n", text);
}

static const char *subject(const struct script *script)
{
	if (script->interactive)
		return "a run in an allocation that one waits for, by salloc: it is restarted in it; started again, it goes on";
	if (script->chain)
		return "a chain of jobs, each of which goes on where the one before stopped";
	if (script->array)
		return "many runs, each with a folder and checkpoints of its own; each is queued again by itself until it is done";
	if (script->spare)
		return "one job with more nodes than it needs: when one fails it goes on with those that are left";
	if (script->preempt)
		return "one job that gives way to others: it checkpoints when it is told to, is queued again, and goes on";
	return "one job that checkpoints itself, leaves before its time limit, is queued again, and goes on until it is done";
}

/* What it takes: of a batch job and of an allocation. */
static void ask_for_room(const struct script *script)
{
	ask(script, NULL, "job-name=%s", script->name);
	if (script->partition)
		ask(script, NULL, "partition=%s", script->partition);
	if (script->account)
		ask(script, NULL, "account=%s", script->account);
	if (script->spare)
		ask(script, "those that are needed, and the spare ones", "nodes=%ld", script->nodes + script->spare);
	else
		ask(script, NULL, "nodes=%ld", script->nodes);
	if (script->spare)
		ask(script, NULL, "ntasks-per-node=%ld", script->ranks / script->nodes);
	else
		ask(script, NULL, "ntasks=%ld", script->ranks);
	if (script->threads)
		ask(script, NULL, "cpus-per-task=%ld", script->threads);
	ask(script, NULL, "time=%s", script->time);
	if (script->spare)
		ask(script, script->interactive ? NULL : "the job outlives a node", "no-kill");
}

static void ask_as_batch(const struct script *script)
{
	if (script->array)
		ask(script, "the members", "array=%s", script->array);
	if (script->chain)
		ask(script, "the next of the chain goes on instead", "no-requeue");
	else
		ask(script, "by seamark run, or by Slurm if a node fails", "requeue");
	ask(script, "all lives of the job write one log", "open-mode=append");
	ask(script, NULL, "output=%s", script->array ? "%x-%a.log" : "%x-%j.log");
	if (script->signal)
		ask(script, script->preempt ? "so many seconds before it is taken" : "so many seconds before the end", "signal=B:USR1@%ld", script->signal);
}

static void put_environment(const struct script *script)
{
	FILE *to = script->to;

	if (script->modules) {
		char *modules = strdup(script->modules);

		fprintf(to, "\nmodule load");
		for (char *rest = modules, *one; (one = strsep(&rest, " ,"));)
			if (*one)
				fprintf(to, " %s", one);
		fprintf(to, "\n");
		free(modules);
	}
	if (script->array)
		fprintf(to, "\n# Each member works in a folder of its own.\n"
			    "mkdir -p \"member-$SLURM_ARRAY_TASK_ID\" && cd \"member-$SLURM_ARRAY_TASK_ID\" || exit\n");
	fprintf(to, "\n# The checkpoints: of this run alone, on a disk that all its nodes reach. The next start goes on from the newest.\n");
	if (script->folder)
		fprintf(to, "export SEAMARK_DIR=\"%s\"\n", script->folder);
	else
		fprintf(to, "export SEAMARK_DIR=\"seamark-%s\"\n", script->interactive ? script->name : "$SLURM_JOB_NAME");
	fprintf(to, "export SEAMARK_EVERY=auto\n");
}

static void put_run(const struct script *script)
{
	fprintf(script->to, "seamark run");
	if (script->spare)
		fprintf(script->to, " --ranks %ld", script->ranks);
	if (script->requeue_exit)
		fprintf(script->to, " --requeue-exit %ld", script->requeue_exit);
	if (script->chain)
		fprintf(script->to, " --no-requeue");
	fprintf(script->to, " --");
	put_words(script->to, script->words);
}

/* The next job waits for this one to end without being done. Which it is not to do if there is nothing left to be done, or nothing to be had by it. */
static void put_chain(const struct script *script)
{
	FILE *to = script->to;

	fprintf(to, "\n# All jobs of the chain are one run: the next may take over from one that was cut off.\n"
		    "export SEAMARK_OWNER=\"${SEAMARK_OWNER:-chain-$SLURM_CLUSTER_NAME-$SLURM_JOB_ID}\"\n"
		    "export CHAIN_LEFT=\"${CHAIN_LEFT:-%ld}\"\n\n"
		    "# The next one is submitted now, in case that this one does not come to its end.\n"
		    "next=\nif [ \"$CHAIN_LEFT\" -gt 1 ]; then\n"
		    "\tnext=$(CHAIN_LEFT=$((CHAIN_LEFT - 1)) sbatch --parsable --dependency=\"afternotok:$SLURM_JOB_ID\" \\\n"
		    "\t\t--kill-on-invalid-dep=yes \"$0\")\nfi\n\n", script->chain);
	fprintf(to, "# Slurm's TERM is for seamark run, which gets it too: this shell waits for what it does.\ntrap : TERM\n");
	put_run(script);
	fprintf(to, "\nstatus=$?\n");
	fprintf(to, "\n# 75: stopped at a checkpoint, there is more to do. Else it is done, or another start would not help.\n"
		    "if [ \"$status\" -ne 75 ] && [ -n \"$next\" ]; then\n\tscancel \"${next%%%%;*}\"\nfi\nexit \"$status\"\n");
}

static void put_script(const struct script *script)
{
	FILE *to = script->to;

	fprintf(to, "#!/bin/bash\n# %s: %s.\n# Made by: %s\n", script->name, subject(script), script->made_by);
	if (!script->interactive) {
		ask_for_room(script);
		ask_as_batch(script);
	}
	put_environment(script);
	if (script->interactive) {
		fprintf(to, "\nexec salloc");
		ask_for_room(script);
		fprintf(to, " \\\n\t");
		put_run(script);
		fprintf(to, "\n");
	} else if (script->chain) {
		put_chain(script);
	} else {
		fprintf(to, "\n# It takes the place of the shell, so that Slurm's signals reach it.\nexec ");
		put_run(script);
		fprintf(to, "\n");
	}
}

/* --- the command ------------------------------------------------------------------------------------------------------------ */

static bool fits(const struct script *script)
{
	const char *why = NULL;

	if (script->interactive && (script->chain || script->array || script->preempt || script->requeue_exit || script->signal))
		why = "--interactive is no batch job: it takes no --chain, --array, --preempt, --signal and --requeue-exit";
	else if (script->chain && (script->array || script->requeue_exit || script->preempt || script->signal))
		why = "--chain is for sites that queue no job again: it takes no --array, --preempt, --signal and --requeue-exit";
	else if (script->spare && script->ranks % script->nodes)
		why = "with --spare the ranks are a multiple of the nodes, so that any of these can take the place of another";
	else if (script->ranks < script->nodes)
		why = "there are more nodes than ranks";
	if (why)
		command_complain("%s", why);
	return !why;
}

static int write_out(struct script *script)
{
	bool good;

	script->to = script->output ? fopen(script->output, "wx") : stdout;
	if (!script->to) {
		command_complain("cannot make '%s': %s", script->output, strerror(errno));
		return EXIT_CANNOT_READ;
	}
	put_script(script);
	good = !ferror(script->to);
	if (script->output)
		good = !fclose(script->to) && good;
	else
		good = !fflush(stdout) && good;
	if (!good)
		command_complain("cannot write '%s': %s", script->output ? script->output : "the script", strerror(errno));
	return good ? EXIT_FINE : EXIT_CANNOT_READ;
}

/* As the program is called: the first word behind the launcher that is a path. */
static const char *name_of(char *const *words)
{
	const char *name = words[0];

	for (words++; *words; words++)
		if (strchr(*words, '/')) {
			name = strrchr(*words, '/') + 1;
			break;
		}
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == strlen(name) ? name : "seamark";
}

int command_slurm_script(int argc, char **argv)
{
	struct script script = { .nodes = 1, .time = "24:00:00" };
	const char *nodes = NULL, *ranks = NULL, *threads = NULL, *spare = NULL, *chain = NULL, *signal = NULL, *requeue_exit = NULL;
	const struct command_option table[] = {
		{ "name", "NAME", "of the job, and of its folder (the program's)", &script.name, NULL },
		{ "nodes", "N", "that the program needs (1)", &nodes, NULL },
		{ "ranks", "N", "over all nodes (one per node)", &ranks, NULL },
		{ "threads", "N", "cores for each rank", &threads, NULL },
		{ "time", "TIME", "limit of a job, as Slurm reads it: hours:minutes:seconds (24:00:00)", &script.time, NULL },
		{ "partition", "NAME", "where it runs", &script.partition, NULL },
		{ "account", "NAME", "who pays", &script.account, NULL },
		{ "chain", "N", "a chain of up to N jobs, for sites that queue no job again", &chain, NULL },
		{ "array", "RANGE", "an array of runs: 1-10, 1-100%8", &script.array, NULL },
		{ "spare", "N", "nodes beside those that are needed, in whose place they go on", &spare, NULL },
		{ "preempt", NULL, "for a partition whose jobs give way to others", NULL, &script.preempt },
		{ "interactive", NULL, "by salloc, at the terminal", NULL, &script.interactive },
		{ "signal", "SECONDS", "Slurm tells it so long before the end (else it asks Slurm)", &signal, NULL },
		{ "requeue-exit", "N", "the exit status on which the site queues jobs again (RequeueExit)", &requeue_exit, NULL },
		{ "modules", "LIST", "that are loaded first: \"gcc/12 openmpi\"", &script.modules, NULL },
		COMMAND_DIR(&script.folder),
		{ "o,output", "FILE", "a new file, instead of standard output", &script.output, NULL },
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "slurm-script [OPTIONS] -- LAUNCHER ARGUMENTS... PROGRAM ARGUMENTS...",
		"Writes a batch script for Slurm that runs the program, restarts it from its checkpoints, and goes on over time limits and lost\n"
		"nodes until it is done. The launcher is srun or mpirun. What has a $ in it is filled in by the job: 'input-$SLURM_ARRAY_TASK_ID'.\n\n"
		"Exit status: 0, 2 wrong usage, 3 the script could not be written.", table, 1, INT_MAX };
	int status;

	remember_command(&script, argc, argv);
	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (!number_of("nodes", nodes, 1, &script.nodes) || !number_of("threads", threads, 1, &script.threads) ||
	    !number_of("spare", spare, 1, &script.spare) || !number_of("chain", chain, 2, &script.chain) ||
	    !number_of("signal", signal, 1, &script.signal) || !number_of("requeue-exit", requeue_exit, 1, &script.requeue_exit))
		return EXIT_USAGE;
	script.ranks = script.nodes;
	script.words = argv;
	if (!script.name)
		script.name = name_of(argv);
	if (script.preempt && !script.signal)
		script.signal = 120;
	if (!number_of("ranks", ranks, 1, &script.ranks) || !is_one_word("name", script.name) || !is_one_word("time", script.time) ||
	    !is_one_word("partition", script.partition) || !is_one_word("account", script.account) || !is_one_word("array", script.array) || !fits(&script))
		return EXIT_USAGE;
	return write_out(&script);
}
