/* SPDX-License-Identifier: BSD-3-Clause */
/* Control groups: proc(5) and cgroups(7) for the files that name them, the kernel's admin-guide/cgroup-v1/memory.rst,
 * cgroup-v2.rst and scheduler/sched-bwc.rst for those that are read. A limit may be set at any height, so each group from the
 * process's own up to the mount counts. What cannot be read limits nothing. */
#include "base/limits.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum version { V1, V2 };

/* Reads a small file of a group. False if it is not there. */
static bool read_text(const char *folder, const char *name, char *text, size_t room)
{
	char path[2 * PATH_MAX];
	size_t size;
	FILE *file;

	if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	size = fread(text, 1, room - 1, file);
	fclose(file);
	text[size] = 0;
	return size > 0;
}

static bool read_number(const char *folder, const char *name, uint64_t *number)
{
	char text[64];

	return read_text(folder, name, text, sizeof text) && sscanf(text, "%" SCNu64, number) == 1;
}

/* The number behind a word that begins a line; 0 if it is not there. */
static uint64_t number_behind(const char *text, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, word, size) && (at[size] == ' ' || at[size] == ':'))
			return strtoull(at + size + 1, NULL, 10);
	}
	return 0;
}

/* --- where the groups are ------------------------------------------------------------------------------------- */

/* Mount points are written with octal escapes for blanks. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = 0;
}

/* Whether a list "cpu,cpuacct" has the word. */
static bool lists(const char *list, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, word, size) && strchr(",\n", at[size]))
			return true;
	}
	return false;
}

/* The process's own path in the hierarchy that has the controller, from /proc/self/cgroup: "4:memory:/a/b", "0::/a/b". */
static bool own_group(const char *root, enum version version, const char *controller, char *path, size_t room)
{
	char *line = NULL;
	size_t line_room = 0;
	bool found = false;
	char name[PATH_MAX];
	FILE *file;

	snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
	file = fopen(name, "re");
	while (file && !found && getline(&line, &line_room, file) > 0) {
		char *list = strchr(line, ':');
		char *group = list ? strchr(list + 1, ':') : NULL;

		if (!group)
			continue;
		*list++ = 0;
		*group++ = 0;
		group[strcspn(group, "\n")] = 0;
		found = (version == V2 ? !*list : lists(list, controller)) && strlen(group) < room;
		if (found)
			strcpy(path, group);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* Takes a line of /proc/self/mountinfo apart; true if the hierarchy with the controller is mounted there.
 * 35 31 0:32 /part /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory */
static bool mounted_here(char *line, enum version version, const char *controller, char **part, char **point)
{
	char *fields[5], *rest = line, *type;

	for (int i = 0; i < 5; i++)
		fields[i] = strsep(&rest, " ");
	if (!rest || !fields[4])
		return false;
	rest = strstr(rest, " - ");
	if (!rest)
		return false;
	rest += 3;
	type = strsep(&rest, " ");
	strsep(&rest, " ");
	if (strcmp(type, version == V2 ? "cgroup2" : "cgroup") || !rest || (version == V1 && !lists(rest, controller)))
		return false;
	*part = fields[3];
	*point = fields[4];
	unescape(*part);
	unescape(*point);
	return true;
}

/* The folder of the process's own group, and how much of its name is the mount point. A mount may show a part of the hierarchy
 * only; of a group outside that part, the mount point is the nearest that can be seen. */
static bool find_group(const char *root, enum version version, const char *controller, char *folder, size_t room,
		       size_t *point_size)
{
	char group[PATH_MAX], name[PATH_MAX];
	char *line = NULL, *part, *point;
	size_t line_room = 0;
	bool found = false;
	FILE *file;

	if (!own_group(root, version, controller, group, sizeof group))
		return false;
	snprintf(name, sizeof name, "%s/proc/self/mountinfo", root);
	file = fopen(name, "re");
	while (file && !found && getline(&line, &line_room, file) > 0) {
		const char *below = "";
		size_t size;

		if (!mounted_here(line, version, controller, &part, &point))
			continue;
		size = !strcmp(part, "/") ? 0 : strlen(part);
		if (!strncmp(group, part, size) && (group[size] == '/' || !group[size]) && !strstr(group, "/.."))
			below = group + size;
		if (!strcmp(below, "/"))
			below = "";
		found = (size_t)snprintf(folder, room, "%s%s%s", root, point, below) < room;
		*point_size = strlen(root) + strlen(point);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* From a group to the one above it; false at the mount point. */
static bool go_up(char *folder, size_t point_size)
{
	char *slash = strrchr(folder, '/');

	if (!slash || (size_t)(slash - folder) < point_size || strlen(folder) <= point_size)
		return false;
	*slash = 0;
	return true;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static void narrow(struct limits_memory *memory, uint64_t whole, uint64_t used)
{
	uint64_t left = whole > used ? whole - used : 0;

	if (left < memory->left) {
		memory->left = left;
		memory->whole = whole;
	}
}

/* Files in the page cache are charged to the group and given up when somebody needs the memory. */
static uint64_t cached(const char *folder, enum version version)
{
	char text[8192];

	if (!read_text(folder, "memory.stat", text, sizeof text))
		return 0;
	return number_behind(text, version == V2 ? "inactive_file" : "total_inactive_file") +
	       number_behind(text, version == V2 ? "active_file" : "total_active_file");
}

static void narrow_by_groups(struct limits_memory *memory, const char *root, enum version version)
{
	const char *limit = version == V2 ? "memory.max" : "memory.limit_in_bytes";
	const char *usage = version == V2 ? "memory.current" : "memory.usage_in_bytes";
	char folder[2 * PATH_MAX];
	size_t point_size;

	if (!find_group(root, version, "memory", folder, sizeof folder, &point_size))
		return;
	do {
		uint64_t whole, used, cache;

		/* "max" is no number: no limit. */
		if (!read_number(folder, limit, &whole) || !read_number(folder, usage, &used))
			continue;
		cache = cached(folder, version);
		narrow(memory, whole, used > cache ? used - cache : 0);
	} while (go_up(folder, point_size));
}

struct limits_memory limits_memory(const char *root)
{
	struct limits_memory memory = { UINT64_MAX, UINT64_MAX };
	char folder[PATH_MAX], text[8192];

	snprintf(folder, sizeof folder, "%s/proc", root);
	if (read_text(folder, "meminfo", text, sizeof text) && strstr(text, "MemAvailable:")) {
		uint64_t whole = number_behind(text, "MemTotal") * 1024;
		uint64_t left = number_behind(text, "MemAvailable") * 1024;

		narrow(&memory, whole, whole > left ? whole - left : 0);
	}
	narrow_by_groups(&memory, root, V1);
	narrow_by_groups(&memory, root, V2);
	return memory;
}

/* --- CPUs -------------------------------------------------------------------------------------------------------- */

/* Version 2: "200000 100000" or "max 100000". Version 1: two files, the quota -1 without one. */
static bool read_quota(const char *folder, enum version version, double *cpus)
{
	char text[64], more[64];
	long long quota, period;

	if (version == V2) {
		if (!read_text(folder, "cpu.max", text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2)
			return false;
	} else if (!read_text(folder, "cpu.cfs_quota_us", text, sizeof text) || sscanf(text, "%lld", &quota) != 1 ||
		   !read_text(folder, "cpu.cfs_period_us", more, sizeof more) || sscanf(more, "%lld", &period) != 1) {
		return false;
	}
	if (quota <= 0 || period <= 0)
		return false;
	*cpus = (double)quota / (double)period;
	return true;
}

static double cpus_by_groups(const char *root, enum version version)
{
	char folder[2 * PATH_MAX];
	double least = INFINITY, cpus;
	size_t point_size;

	if (!find_group(root, version, "cpu", folder, sizeof folder, &point_size))
		return least;
	do {
		if (read_quota(folder, version, &cpus) && cpus < least)
			least = cpus;
	} while (go_up(folder, point_size));
	return least;
}

double limits_cpus(const char *root)
{
	double v1 = cpus_by_groups(root, V1);
	double v2 = cpus_by_groups(root, V2);

	return v1 < v2 ? v1 : v2;
}
