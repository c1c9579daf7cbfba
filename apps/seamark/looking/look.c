/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark snapshot --look: a snapshot of a running program for looking only. All ranks on this node are read, and after a while all once more; again while
 * some that seem to be where they were have not had the processor in between. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "looking/look.h"

#define PAUSE_NS 300000000L
#define PATIENCE_NS INT64_C(10000000000)

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void read_all(const struct look_process *processes, struct look_pair *pairs, size_t count, bool again)
{
	const int64_t at_ns = now_ns(CLOCK_REALTIME);

	for (size_t i = 0; i < count; i++) {
		struct look_reading *reading = again ? &pairs[i].second : &pairs[i].first;

		look_forget(reading);
		look_read(&processes[i], reading);
		*(again ? &pairs[i].second_ns : &pairs[i].first_ns) = at_ns;
	}
}

/* Whether there is one of which it cannot be said yet whether it goes on. */
static bool is_undecided(const struct look_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!pairs[i].first.there || !pairs[i].second.there || pairs[i].second.state == 'T' || pairs[i].second.state == 't')
			continue;
		for (size_t k = 0; k < LOOK_SLOTS; k++)
			if (look_slot_is_used(&pairs[i].second.block.slots[k]) && look_same(&pairs[i], k) && !look_tried(&pairs[i], k))
				return true;
	}
	return false;
}

static bool is_dead(pid_t pid)
{
	char state = '?', path[64];
	int parent, threads = 0;

	if (kill(pid, 0) && errno == ESRCH)
		return true;
	if (!look_stat(pid, &state, &parent) || state != 'Z')
		return false;
	/* The first thread of one whose others go on is one of those, too. */
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && (entry = readdir(folder));)
		threads += entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return threads == 1;
}

/* The ranks on this node whose processes have ended. Of one that is not found but has a process nothing is known: it may have closed its block's descriptor, or be another user's. */
static json_t *gone_of(const struct look_process *processes, const struct look_pair *pairs, size_t count)
{
	json_t *gone = json_array();
	size_t teller = 0;

	while (teller < count && !(pairs[teller].second.there && pairs[teller].second.block.here_told &&
				   pairs[teller].second.block.pid == processes[teller].pid && look_shares_numbers(processes[teller].pid)))
		teller++;
	if (teller == count)
		return gone;
	const struct look_block *block = &pairs[teller].second.block;
	for (int32_t i = 0; i < block->here_told && i < LOOK_RANKS; i++)
		if (block->here_ranks[i].pid > 0 && is_dead(block->here_ranks[i].pid))
			json_array_append_new(gone, json_integer(block->here_ranks[i].rank));
	return gone;
}

static json_t *look_at(const struct look_process *processes, size_t count)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	const int64_t until_ns = now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	struct look_pair *pairs = calloc(count, sizeof *pairs);
	json_t *document;

	if (!pairs) {
		command_complain("no memory to look at %zu processes", count);
		return NULL;
	}
	read_all(processes, pairs, count, false);
	do {
		nanosleep(&pause, NULL);
		read_all(processes, pairs, count, true);
	} while (is_undecided(pairs, count) && now_ns(CLOCK_MONOTONIC) < until_ns);
	document = look_document(processes, pairs, count, gone_of(processes, pairs, count));
	if (!document)
		command_complain("the program has ended meanwhile, or is one of another version of Seamark");
	for (size_t i = 0; i < count; i++) {
		look_forget(&pairs[i].first);
		look_forget(&pairs[i].second);
	}
	free(pairs);
	return document;
}

json_t *look_take(const char *target)
{
	struct look_processes found;
	json_t *document = NULL;
	size_t first = 0, count = 0;

	if (look_find(&found) && look_pick(&found, target)) {
		while (!found.list[first].picked)
			first++;
		while (first + count < found.count && found.list[first + count].picked)
			count++;
		document = look_at(found.list + first, count);
	}
	look_lose(&found);
	return document;
}

/* --- written ------------------------------------------------------------------------------------------------------------ */

/* A name of its own in a folder, by node and time. */
static bool name_file(const json_t *document, const char *folder, char *path, size_t room)
{
	const char *taken = json_string_value(json_object_get(document, "taken")), *node = json_string_value(json_object_get(document, "node"));
	char stamp[32] = "", host[64];
	size_t length = 0;

	for (const char *at = taken; *at && length + 1 < sizeof stamp; at++)
		if ((*at >= '0' && *at <= '9') || *at == 'T')
			stamp[length++] = *at;
	snprintf(host, sizeof host, "%s", node);
	for (char *at = host; *at; at++)
		*at = *at == '/' ? '_' : *at;
	return (size_t)snprintf(path, room, "%s/look-%s-%s.json", folder, host, stamp) < room;
}

static int write_look(const json_t *document, const char *path)
{
	FILE *file = fopen(path, "we");
	bool fine = file && !json_dumpf(document, file, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) && fputc('\n', file) != EOF;

	if (file && fclose(file))
		fine = false;
	if (!fine) {
		command_complain("cannot write '%s': %s", path, strerror(errno));
		return EXIT_CANNOT_READ;
	}
	command_print("%s: %zu of %" JSON_INTEGER_FORMAT " ranks; `seamark explain %s` says who waits for whom", path,
		      json_array_size(json_object_get(document, "processes")), json_integer_value(json_object_get(document, "ranks")), path);
	return EXIT_FINE;
}

int look_main(const char *target, const char *output)
{
	json_t *document = look_take(target);
	struct stat about;
	char path[4096];
	int status = EXIT_CANNOT_READ;

	if (!document)
		return EXIT_CANNOT_READ;
	if (output && !strcmp(output, "-"))
		return command_print_json(document);
	if (output && (stat(output, &about) || !S_ISDIR(about.st_mode)))
		status = write_look(document, output);
	else if (name_file(document, output ? output : ".", path, sizeof path))
		status = write_look(document, path);
	else
		command_complain("the name of folder '%s' is too long", output);
	json_decref(document);
	return status;
}
