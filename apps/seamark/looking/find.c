/* SPDX-License-Identifier: BSD-3-Clause */
/* Which processes there are: their status blocks are open files of theirs, with a name that tells the run and the rank. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "command/command.h"
#include "looking/look.h"

#define LINK "/memfd:" LOOK_NAME

/* The number that a file name is, or -1. */
static int64_t number_of(const char *name)
{
	int64_t number;

	return command_whole(name, INT_MAX, &number) ? number : -1;
}

/* The number of the process in its own namespace, which is what its block has. A child that was forked has its parent's block too. */
static pid_t own_number(pid_t pid)
{
	char path[64], line[256];
	long number = pid;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof line, file)) {
		if (strncmp(line, "NSpid:", 6))
			continue;
		const char *last = strrchr(line, '\t');

		number = last ? strtol(last, NULL, 10) : number;
	}
	fclose(file);
	return (pid_t)number;
}

bool look_shares_numbers(pid_t pid)
{
	char path[64];
	struct stat own, its;

	snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
	return !stat("/proc/self/ns/pid", &own) && !stat(path, &its) && own.st_dev == its.st_dev && own.st_ino == its.st_ino;
}

static bool add(struct look_processes *found, struct look_process process)
{
	struct look_process *list = list_with_room(found->list, found->count, &found->room, sizeof *list);

	if (!list)
		return false;
	found->list = list;
	list[found->count++] = process;
	return true;
}

/* Whether this descriptor is a block, of this very process. */
static bool is_block(pid_t pid, const char *descriptor, struct look_process *process)
{
	char path[320], link[128];
	unsigned long long identity;
	int rank;

	snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, descriptor);
	ssize_t length = readlink(path, link, sizeof link - 1);
	if (length <= 0)
		return false;
	link[length] = 0;
	if (sscanf(link, LINK "%16llx-%d", &identity, &rank) != 2)
		return false;
	*process = (struct look_process){.pid = pid, .identity = identity, .rank = rank, .descriptor = open(path, O_RDONLY | O_CLOEXEC)};
	int32_t own = -1;
	if (process->descriptor >= 0 && pread(process->descriptor, &own, sizeof own, offsetof(struct look_block, pid)) == sizeof own && own == own_number(pid))
		return true;
	if (process->descriptor >= 0)
		close(process->descriptor);
	return false;
}

static bool find_in(struct look_processes *found, pid_t pid)
{
	char path[64];
	struct look_process process;
	bool fine = true;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	if (!folder)
		return true; /* somebody else's, or gone */
	for (const struct dirent *entry; fine && (entry = readdir(folder));)
		if (entry->d_name[0] != '.' && is_block(pid, entry->d_name, &process)) {
			fine = add(found, process);
			break;
		}
	closedir(folder);
	return fine;
}

static int by_run_and_rank(const void *a, const void *b)
{
	const struct look_process *x = a, *y = b;

	if (x->identity != y->identity)
		return x->identity < y->identity ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

bool look_find(struct look_processes *found)
{
	DIR *folder = opendir("/proc");
	bool fine = true;

	*found = (struct look_processes){0};
	if (!folder) {
		command_complain("cannot open '/proc': %s", strerror(errno));
		return false;
	}
	for (const struct dirent *entry; fine && (entry = readdir(folder));)
		if (number_of(entry->d_name) > 0)
			fine = find_in(found, (pid_t)number_of(entry->d_name));
	closedir(folder);
	if (!fine)
		command_complain("no memory for the list of processes");
	if (found->count)
		qsort(found->list, found->count, sizeof *found->list, by_run_and_rank);
	return fine;
}

void look_lose(struct look_processes *found)
{
	for (size_t i = 0; i < found->count; i++)
		close(found->list[i].descriptor);
	free(found->list);
	*found = (struct look_processes){0};
}

/* --- picked ----------------------------------------------------------------------------------------------------------- */

static pid_t parent_of(pid_t pid)
{
	char state;
	int parent = 0;

	look_stat(pid, &state, &parent);
	return parent;
}

static bool descends_from(pid_t pid, pid_t ancestor)
{
	for (int generations = 0; pid > 1 && generations < 64; generations++, pid = parent_of(pid))
		if (pid == ancestor)
			return true;
	return false;
}

static bool read_text(const struct look_process *process, size_t offset, char *text, size_t room)
{
	ssize_t length = pread(process->descriptor, text, room - 1, (off_t)offset);

	text[length > 0 ? length : 0] = 0;
	return length > 0;
}

/* "1234" is the job of "1234.0". */
static bool is_of_job(const struct look_process *process, const char *job)
{
	char text[sizeof((struct look_block *)0)->job];
	size_t length = strlen(job);

	return read_text(process, offsetof(struct look_block, job), text, sizeof text) && !strncmp(text, job, length) &&
	       (text[length] == 0 || text[length] == '.');
}

static bool is_of_folder(const struct look_process *process, const char *folder)
{
	char text[LOOK_FOLDER], real[PATH_MAX];

	return read_text(process, offsetof(struct look_block, folder), text, sizeof text) && realpath(text, real) && !strcmp(real, folder);
}

/* All ranks of one run; several are the caller's mistake. */
static bool pick_run(struct look_processes *found, const bool *hit, const char *target)
{
	const struct look_process *first = NULL;

	for (size_t i = 0; i < found->count; i++) {
		if (!hit[i])
			continue;
		if (first && first->identity != found->list[i].identity) {
			command_complain("'%s' means several runs: name one by a process of it, such as %d or %d", target, (int)first->pid,
					 (int)found->list[i].pid);
			return false;
		}
		first = &found->list[i];
	}
	for (size_t i = 0; i < found->count; i++)
		found->list[i].picked = first && found->list[i].identity == first->identity;
	return first != NULL;
}

static void complain_of_none(const struct look_processes *found, const char *target, bool number)
{
	if (found->count == 0)
		command_complain("no program with Seamark that you may look at runs on this node");
	else if (number)
		command_complain("on this node, neither process %s nor one below it nor job %s is a rank of a program with Seamark", target, target);
	else
		command_complain("no program on this node writes its checkpoints to '%s'", target);
	if (number && getenv("SLURM_CONF"))
		command_complain("on the nodes of a job: srun --jobid=%s --overlap --ntasks-per-node=1 seamark snapshot %s --look -o FOLDER", target, target);
}

bool look_pick(struct look_processes *found, const char *target)
{
	const int64_t number = number_of(target);
	bool *hit = calloc(found->count + 1, sizeof *hit), any = false, picked;
	char folder[PATH_MAX];

	for (int way = 0; hit && way < 3 && !any; way++) {
		if (way == 2 && (number >= 0 || !realpath(target, folder)))
			break;
		for (size_t i = 0; i < found->count && (way == 2 || number >= 0); i++) {
			const struct look_process *process = &found->list[i];

			hit[i] = way == 0 ? descends_from(process->pid, (pid_t)number) : way == 1 ? is_of_job(process, target) : is_of_folder(process, folder);
			any |= hit[i];
		}
	}
	if (!any)
		complain_of_none(found, target, number >= 0);
	picked = any && pick_run(found, hit, target);
	free(hit);
	return picked;
}
