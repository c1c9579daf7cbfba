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
#include "live/find.h"

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

bool processes_list(struct processes *all)
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

void started_with_read(struct started_with *with, int process)
{
	with->text = proc_text(process, "environ", &with->size);
}

const char *started_with_value(const struct started_with *with, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = with->text; at && at < with->text + with->size; at += strlen(at) + 1)
		if (!strncmp(at, name, length) && at[length] == '=')
			return at + length + 1;
	return NULL;
}

void started_with_free(struct started_with *with)
{
	free(with->text);
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

static bool is_same_place(const char *one, const char *other)
{
	struct stat a, b;

	return !stat(one, &a) && !stat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* In a container the process may have another root, where the same name is another folder, or none. */
static bool folder_by_start(int process, const struct started_with *with, struct path *folder)
{
	const char *given = started_with_value(with, "SEAMARK_DIR"), *name = given && given[0] ? given : "seamark";
	struct path where = proc_path(process, name[0] == '/' ? "root" : "cwd");
	ssize_t length = readlink(where.text, folder->text, sizeof folder->text / 2);

	if (length < 0)
		return false;
	folder->text[length] = 0;
	if (!is_same_place(folder->text, where.text) || (name[0] == '/' && !is_same_place("/", where.text)))
		return false;
	length = name[0] == '/' ? 0 : length;
	if ((size_t)length + strlen(name) + 2 >= sizeof folder->text)
		return false;
	sprintf(folder->text + length, "%s%s", length ? "/" : "", name);
	return true;
}

void found_take(struct found *found, const struct path *folder)
{
	bool same = found->count && (!strcmp(found->folder.text, folder->text) || is_same_place(found->folder.text, folder->text));

	if (!found->count)
		found->folder = *folder;
	else if (!same)
		found->other = *folder;
	found->several |= found->count && !same;
	found->count++;
}

/* As the setting is read. */
static bool is_off(const struct started_with *with)
{
	const char *off = started_with_value(with, "SEAMARK_OFF");

	return off && off[0] && strchr("1yYtT", off[0]);
}

static void look_at_start(int process, struct found *found)
{
	struct started_with with;
	struct path folder;

	started_with_read(&with, process);
	if (is_off(&with))
		found->off = true;
	else if (folder_by_start(process, &with, &folder))
		found_take(found, &folder);
	started_with_free(&with);
}

void found_look_through(struct found *found, const struct processes *all)
{
	struct path folder;

	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].picked && folder_by_lock(all->list[i].number, &folder))
			found_take(found, &folder);
	for (size_t i = 0; !found->count && i < all->count; i++)
		if (all->list[i].picked && is_with_seamark(all->list[i].number))
			look_at_start(all->list[i].number, found);
}

enum live_found found_tell(const struct found *found, const char *what, struct live_folder *folder)
{
	if (found->several)
		command_complain("%s has programs that use the folders '%s' and '%s': name one of them", what, found->folder.text, found->other.text);
	else if (!found->count && found->off)
		command_complain("the program of %s was started with SEAMARK_OFF: it takes no checkpoints", what);
	if (found->several || !found->count)
		return found->several ? LIVE_UNKNOWN : LIVE_NOT_RUNNING;
	snprintf(folder->path, sizeof folder->path, "%s", found->folder.text);
	return LIVE_FOUND;
}

/* --- a process -------------------------------------------------------------------------------------------------------------- */

static enum live_found find_process(int process, bool quiet, struct live_folder *folder)
{
	struct processes all = { 0 };
	struct found found = { .count = 0 };
	struct started_with with;
	struct command_text what;

	snprintf(what.text, sizeof what.text, "process %d", process);
	processes_list(&all);
	pick_below(&all, process);
	found_look_through(&found, &all);
	/* Of a launcher whose ranks are on other hosts: what it was started with reaches them. */
	started_with_read(&with, process);
	if (!found.count && !found.off && folder_by_start(process, &with, &found.folder) && is_run(found.folder.text))
		found.count = 1;
	started_with_free(&with);
	free(all.list);
	folder->process = process;
	if (found.count || found.off)
		return found_tell(&found, what.text, folder);
	if (!quiet)
		command_complain("process %d: neither it nor a process that came of it here is a program with Seamark, or they may not be looked at: name the folder", process);
	return LIVE_UNKNOWN;
}

/* --- any of them --------------------------------------------------------------------------------------------------------------- */

static enum live_found find_number(int64_t number, enum live_kind kind, struct live_folder *folder)
{
	const struct live_job job = { (uint64_t)number, -1, -1 };
	struct stat about;
	bool is_process = number <= INT_MAX && !stat(proc_path((int)number, "").text, &about);
	enum live_found found = LIVE_UNKNOWN;

	if (kind == LIVE_PROCESS && !is_process) {
		command_complain("there is no process %" PRId64 " here", number);
		return LIVE_UNKNOWN;
	}
	/* Numbers of jobs and of processes are alike; one of a process that has nothing to do with Seamark may be a job's. */
	if (kind != LIVE_JOB && is_process)
		found = find_process((int)number, kind == LIVE_ANY, folder);
	if (kind == LIVE_PROCESS || found != LIVE_UNKNOWN)
		return found;
	folder->process = 0;
	return live_find_job(&job, is_process, folder);
}

enum live_found live_find(const char *target, enum live_kind kind, struct live_folder *folder)
{
	const char *path = target ? target : command_folder(NULL);
	struct live_job job;
	struct stat about;
	int64_t number;
	bool is_folder = !stat(path, &about) && S_ISDIR(about.st_mode);

	*folder = (struct live_folder){ .process = 0 };
	if (target && command_whole(target, INT64_MAX, &number))
		return find_number(number, kind, folder);
	if (target && kind != LIVE_PROCESS && (kind == LIVE_JOB || !is_folder) && live_read_job(target, &job))
		return live_find_job(&job, false, folder);
	if (kind != LIVE_ANY) {
		command_complain(kind == LIVE_JOB ? "'%s' is no job: 4711, 4711_3 of an array, 4711.0 for a step" : "'%s' is no number", target ? target : "");
		return LIVE_UNKNOWN;
	}
	if (!is_folder) {
		command_complain("'%s' is neither a folder nor a number: %s", path, strerror(stat(path, &about) ? errno : ENOTDIR));
		return LIVE_UNKNOWN;
	}
	snprintf(folder->path, sizeof folder->path, "%s", path);
	return LIVE_FOUND;
}

/* --- whether it is there ----------------------------------------------------------------------------------------------------- */

bool live_may_be_looked_at(const char *folder)
{
	struct seamark_files_life life;
	int code = seamark_files_newest_life(folder, &life);

	if (!code || code == SEAMARK_E_NOT_FOUND || code == SEAMARK_E_DAMAGED)
		return true;
	command_complain("%s", seamark_files_error());
	return false;
}

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
