/* SPDX-License-Identifier: BSD-3-Clause */
/* Which folder a run uses. Of a process that is told by the lock that its rank 0 has open; else by what the ranks on this host were started with, as the library resolves it: SEAMARK_DIR, relative
 * to the working directory; else by what the process itself, a launcher perhaps, was started with. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "live.h"
#include "slurm.h"

struct process {
	int number, parent;
	bool picked;
};

struct processes {
	struct process *list;
	size_t count, room;
};

struct path { char text[4096]; };

static struct path proc_path(int process, const char *name)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "/proc/%d/%s", process, name);
	return path;
}

/* A whole file of /proc, ended by a NUL; null: it cannot be read. */
static char *proc_text(int process, const char *name, size_t *size)
{
	FILE *file = fopen(proc_path(process, name).text, "re");
	char *text = NULL;
	size_t room = 0;

	*size = 0;
	if (!file)
		return NULL;
	for (;;) {
		char *grown = room - *size < 4096 ? realloc(text, room += 65536) : text;
		size_t got;

		if (!grown) {
			free(text);
			fclose(file);
			return NULL;
		}
		text = grown;
		got = fread(text + *size, 1, room - *size - 1, file);
		*size += got;
		if (!got)
			break;
	}
	fclose(file);
	text[*size] = 0;
	return text;
}

/* --- processes ------------------------------------------------------------------------------------------------------------ */

/* "4711 (a name) S 4710 ...": a name may have anything in it. */
static int parent_of(int process)
{
	size_t size;
	char *text = proc_text(process, "stat", &size), *behind = text ? strrchr(text, ')') : NULL;
	int parent = 0;

	if (!behind || sscanf(behind + 1, " %*c %d", &parent) != 1)
		parent = 0;
	free(text);
	return parent;
}

static bool list_processes(struct processes *all)
{
	DIR *open = opendir("/proc");
	struct dirent *entry;

	while (open && (entry = readdir(open))) {
		struct process *grown;
		int64_t number;

		if (!command_whole(entry->d_name, INT_MAX, &number))
			continue;
		grown = list_with_room(all->list, all->count, &all->room, sizeof *grown);
		if (!grown)
			break;
		all->list = grown;
		grown[all->count++] = (struct process){ .number = (int)number, .parent = parent_of((int)number) };
	}
	if (open)
		closedir(open);
	return all->count;
}

/* A process and those that came of it. */
static void pick_below(struct processes *all, int root)
{
	bool more = true;

	for (size_t i = 0; i < all->count; i++)
		all->list[i].picked = all->list[i].number == root;
	while (more) {
		more = false;
		for (size_t i = 0; i < all->count; i++)
			for (size_t j = 0; !all->list[i].picked && j < all->count; j++)
				if (all->list[j].picked && all->list[j].number == all->list[i].parent)
					more = all->list[i].picked = true;
	}
}

/* What it was started with; null: nothing, or it may not be read. */
static char *variable_of(int process, const char *name)
{
	size_t size, length = strlen(name);
	char *text = proc_text(process, "environ", &size), *value = NULL;

	for (char *at = text; at && at < text + size; at += strlen(at) + 1)
		if (!strncmp(at, name, length) && at[length] == '=' && !value)
			value = strdup(at + length + 1);
	free(text);
	return value;
}

static void pick_job(struct processes *all, uint64_t job)
{
	for (size_t i = 0; i < all->count; i++) {
		char *value = variable_of(all->list[i].number, "SLURM_JOB_ID");
		int64_t number;

		all->list[i].picked = value && command_whole(value, INT64_MAX, &number) && (uint64_t)number == job;
		free(value);
	}
}

static bool is_with_seamark(int process)
{
	size_t size;
	char *maps = proc_text(process, "maps", &size);
	bool is = maps && (strstr(maps, "/libseamark.so") || strstr(maps, "/libcrash_points.so"));

	free(maps);
	return is;
}

/* --- its folder ------------------------------------------------------------------------------------------------------------ */

static bool is_run(const char *folder)
{
	struct seamark_files_life life;

	return !seamark_files_newest_life(folder, &life);
}

/* Rank 0 has the lock of its folder open. */
static bool folder_by_lock(int process, struct path *folder)
{
	struct path path = proc_path(process, "fd");
	DIR *open = opendir(path.text);
	struct dirent *entry;
	bool found = false;

	while (open && !found && (entry = readdir(open))) {
		char *slash;
		ssize_t length = readlinkat(dirfd(open), entry->d_name, folder->text, sizeof folder->text - 1);

		if (length <= 0)
			continue;
		folder->text[length] = 0;
		slash = strrchr(folder->text, '/');
		if (!slash || strcmp(slash, "/lock"))
			continue;
		*slash = 0;
		found = is_run(folder->text);
	}
	if (open)
		closedir(open);
	return found;
}

static bool folder_by_start(int process, struct path *folder)
{
	char *given = variable_of(process, "SEAMARK_DIR");
	const char *name = given && given[0] ? given : "seamark";
	ssize_t length = 0;

	if (name[0] != '/')
		length = readlink(proc_path(process, "cwd").text, folder->text, sizeof folder->text / 2);
	if (length >= 0 && (size_t)length + strlen(name) + 2 < sizeof folder->text)
		sprintf(folder->text + length, "%s%s", length ? "/" : "", name);
	else
		length = -1;
	free(given);
	return length >= 0;
}

/* The one folder that all have in common that tell of one; *several: they do not. */
struct found {
	struct path folder, other;
	unsigned count;
	bool several;
};

static void take(struct found *found, const struct path *folder)
{
	struct stat a, b;
	bool same = found->count && (!strcmp(found->folder.text, folder->text) ||
				     (!stat(found->folder.text, &a) && !stat(folder->text, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino));

	if (!found->count)
		found->folder = *folder;
	else if (!same)
		found->other = *folder;
	found->several |= found->count && !same;
	found->count++;
}

static void look_through(const struct processes *all, struct found *found)
{
	struct path folder;

	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].picked && folder_by_lock(all->list[i].number, &folder))
			take(found, &folder);
	for (size_t i = 0; !found->count && i < all->count; i++)
		if (all->list[i].picked && is_with_seamark(all->list[i].number) && folder_by_start(all->list[i].number, &folder))
			take(found, &folder);
}

static bool tell(const struct found *found, const char *what, struct live_folder *folder)
{
	if (found->several)
		command_complain("%s has programs that use the folders '%s' and '%s': name one of them", what, found->folder.text, found->other.text);
	else if (found->count)
		snprintf(folder->path, sizeof folder->path, "%s", found->folder.text);
	return found->count && !found->several;
}

/* --- a process -------------------------------------------------------------------------------------------------------------- */

static bool find_process(int process, bool quiet, struct live_folder *folder)
{
	struct processes all = { 0 };
	struct found found = { .count = 0 };
	struct command_text what;

	snprintf(what.text, sizeof what.text, "process %d", process);
	list_processes(&all);
	pick_below(&all, process);
	look_through(&all, &found);
	/* Of a launcher whose ranks are on other hosts: what it was started with reaches them. */
	if (!found.count && folder_by_start(process, &found.folder) && is_run(found.folder.text))
		found.count = 1;
	free(all.list);
	folder->process = process;
	if (!found.count && !quiet)
		command_complain("process %d: neither it nor a process that came of it here is a program with Seamark, or they may not be looked at: name the folder", process);
	return tell(&found, what.text, folder);
}

/* --- a job ------------------------------------------------------------------------------------------------------------------- */

/* "... WorkDir=/home/me/a folder StdErr=...": up to the next word with a '='. */
static bool work_dir(const char *printed, struct path *folder)
{
	const char *at = strstr(printed, " WorkDir="), *end;

	if (!at)
		return false;
	at += strlen(" WorkDir=");
	for (end = at; *end && *end != '\n'; end++) {
		size_t word = *end == ' ' ? strspn(end + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") : 0;

		if (word && end[1 + word] == '=')
			break;
	}
	return (size_t)snprintf(folder->text, sizeof folder->text, "%.*s", (int)(end - at), at) < sizeof folder->text;
}

/* `seamark run` gives a run to its job: "slurm-CLUSTER-ID". */
static bool belongs_to_job(const char *folder, uint64_t job)
{
	struct seamark_files_life life;
	char end[32];
	size_t length = (size_t)snprintf(end, sizeof end, "-%" PRIu64, job);

	return !seamark_files_newest_life(folder, &life) && !strncmp(life.owner, "slurm-", 6) && strlen(life.owner) > length &&
	       !strcmp(life.owner + strlen(life.owner) - length, end);
}

/* The usual folder where the job was submitted, if that can be seen to be this job's. */
static bool ask_slurm(uint64_t job, bool is_process, struct live_folder *folder)
{
	struct slurm_query query;
	struct path where = { "" }, usual;
	bool answered;

	slurm_ask_job(&query, job);
	answered = slurm_wait(&query) == SLURM_ANSWER;
	if (!answered)
		command_complain(is_process ? "process %" PRIu64 " and what came of it are no programs with Seamark (or may not be looked at), and Slurm tells of no such job: %s: name the folder"
				 : "there is no process %" PRIu64 " here, and Slurm tells of no such job: %s", job, query.complaint);
	else if (!work_dir(query.text, &where))
		command_complain("Slurm does not tell the working directory of job %" PRIu64 ": name the folder", job);
	slurm_end(&query);
	if (!where.text[0])
		return false;
	if (snprintf(usual.text, sizeof usual.text, "%.4000s/seamark", where.text) > 0 && belongs_to_job(usual.text, job)) {
		snprintf(folder->path, sizeof folder->path, "%s", usual.text);
		return true;
	}
	command_complain("the folder of job %" PRIu64 " is not known from here: no process of it is on this host, and '%s/seamark' is not its: name the folder (SEAMARK_DIR "
			 "of the job), or call this on a node of the job", job, where.text);
	return false;
}

static bool find_job(uint64_t job, bool is_process, struct live_folder *folder)
{
	struct processes all = { 0 };
	struct found found = { .count = 0 };
	struct command_text what;

	snprintf(what.text, sizeof what.text, "job %" PRIu64, job);
	list_processes(&all);
	pick_job(&all, job);
	look_through(&all, &found);
	free(all.list);
	return found.count ? tell(&found, what.text, folder) : ask_slurm(job, is_process, folder);
}

/* --- any of them --------------------------------------------------------------------------------------------------------------- */

static bool find_number(int64_t number, enum live_kind kind, struct live_folder *folder)
{
	struct stat about;
	bool is_process = number <= INT_MAX && !stat(proc_path((int)number, "").text, &about);

	if (kind == LIVE_PROCESS && !is_process) {
		command_complain("there is no process %" PRId64 " here", number);
		return false;
	}
	/* Numbers of jobs and of processes are alike; one of a process that has nothing to do with Seamark may be a job's. */
	if (kind != LIVE_JOB && is_process && find_process((int)number, kind == LIVE_ANY, folder))
		return true;
	if (kind == LIVE_PROCESS)
		return false;
	folder->process = 0;
	return find_job((uint64_t)number, is_process, folder);
}

bool live_find(const char *target, enum live_kind kind, struct live_folder *folder)
{
	const char *path = target ? target : command_folder(NULL);
	struct stat about;
	int64_t number;

	*folder = (struct live_folder){ .process = 0 };
	if (target && command_whole(target, INT64_MAX, &number))
		return find_number(number, kind, folder);
	if (kind != LIVE_ANY) {
		command_complain("'%s' is no number", target ? target : "");
		return false;
	}
	if (stat(path, &about) || !S_ISDIR(about.st_mode)) {
		command_complain("'%s' is neither a folder nor a number: %s", path, strerror(stat(path, &about) ? errno : ENOTDIR));
		return false;
	}
	snprintf(folder->path, sizeof folder->path, "%s", path);
	return true;
}

/* --- whether it is there ----------------------------------------------------------------------------------------------------- */

enum live_state live_state(const char *folder, struct command_text *by)
{
	struct seamark_files_life life;
	char host[256] = "";
	int used = seamark_files_is_used(folder);

	by->text[0] = 0;
	if (seamark_files_newest_life(folder, &life))
		return used == 1 ? LIVE_THERE : LIVE_GONE;
	gethostname(host, sizeof host - 1);
	snprintf(by->text, sizeof by->text, "life %" PRIu32 ", process %" PRId64 " on host '%.20s'", life.life, life.process, life.host);
	if (used == 1)
		return LIVE_THERE;
	return used < 0 || strcmp(host, life.host) ? LIVE_UNSURE : LIVE_GONE;
}
