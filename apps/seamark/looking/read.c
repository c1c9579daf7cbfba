/* SPDX-License-Identifier: BSD-3-Clause */
/* A reading of one process: its block, whose waiting loops are written under a number that changes, and how much it has worked so far. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "looking/look.h"

/* Until no waiting loop was being written. A rank that is stopped while it writes leaves an odd number: then that loop is not believed. */
static bool read_block(const struct look_process *process, struct look_block *block)
{
	enum { TRIES = 100 };
	struct look_block again;

	for (int tries = 0; tries < TRIES; tries++) {
		bool steady = true;

		if (pread(process->descriptor, block, sizeof *block, 0) != sizeof *block || pread(process->descriptor, &again, sizeof again, 0) != sizeof again)
			return false;
		for (size_t i = 0; i < LOOK_SLOTS; i++)
			steady &= block->slots[i].turn % 2 == 0 && block->slots[i].turn == again.slots[i].turn;
		if (steady)
			break;
	}
	for (size_t i = 0; i < LOOK_SLOTS; i++) {
		struct look_slot *slot = &block->slots[i];

		if (slot->turn % 2 || slot->turn != again.slots[i].turn || slot->count > LOOK_AWAITED)
			slot->call = LOOK_Nothing;
	}
	block->node[sizeof block->node - 1] = block->job[sizeof block->job - 1] = block->mpi[sizeof block->mpi - 1] = 0;
	block->folder[sizeof block->folder - 1] = 0;
	return !memcmp(block->magic, LOOK_MAGIC, sizeof block->magic) && block->rank >= 0 && block->rank < block->ranks;
}

bool look_stat(pid_t pid, char *state, int *parent)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	size_t length = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[length] = 0;
	/* The name before it may have anything in it. */
	const char *end = strrchr(text, ')');
	if (end)
		sscanf(end, ") %c %d", state, parent);
	return true;
}

static char state_of(pid_t pid)
{
	char state = '?';
	int parent;

	return look_stat(pid, &state, &parent) ? state : 0;
}

static int64_t ran_of(pid_t pid, pid_t thread)
{
	char path[96];
	int64_t ran = -1;

	snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)thread);
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%" SCNd64, &ran) != 1)
		ran = -1;
	fclose(file);
	return ran;
}

/* What its threads have had of the processors, and which of them may be in MPI: the first, or any. */
static void read_threads(pid_t pid, struct look_reading *reading)
{
	char path[64];
	size_t room = 0;

	reading->cpu_ns = -1;
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		const pid_t number = (pid_t)strtol(entry->d_name, NULL, 10);
		struct look_thread thread = {.number = number, .state = '?', .ran_ns = number > 0 ? ran_of(pid, number) : -1}, *list;
		int parent;

		if (number <= 0)
			continue;
		if (thread.ran_ns >= 0)
			reading->cpu_ns = (reading->cpu_ns < 0 ? 0 : reading->cpu_ns) + thread.ran_ns;
		if ((reading->block.first_only && number != pid) || !look_stat(number, &thread.state, &parent))
			continue;
		list = list_with_room(reading->threads, reading->thread_count, &room, sizeof *list);
		if (!list) {
			reading->thread_count = 0; /* whether it has worked is not known */
			break;
		}
		reading->threads = list;
		list[reading->thread_count++] = thread;
	}
	if (folder)
		closedir(folder);
}

static bool same_slot(const struct look_slot *a, const struct look_slot *b)
{
	return a->turn == b->turn && a->inside == b->inside && !memcmp(a->sending, b->sending, sizeof a->sending);
}

/* The tables between two readings of the block: they belong to a base that does not move meanwhile, and to those calls that stay the same. */
static void read_tables(const struct look_process *process, struct look_reading *reading)
{
	enum { TRIES = 20 };
	const struct timespec pause = {.tv_nsec = 1000000};
	struct look_block after;

	for (int tries = 0; tries < TRIES; tries++) {
		look_read_tables(process->pid, reading);
		if (!read_block(process, &after)) {
			reading->there = false;
			return;
		}
		for (size_t i = 0; i < LOOK_SLOTS; i++)
			reading->steady[i] = same_slot(&reading->block.slots[i], &after.slots[i]);
		if (after.base == reading->block.base && after.base % 2 == 0)
			return;
		reading->block = after;
		nanosleep(&pause, NULL);
	}
	if (!reading->why[0])
		snprintf(reading->why, sizeof reading->why, "its counts were being moved to another base while they were read");
}

void look_read(const struct look_process *process, struct look_reading *reading)
{
	memset(reading, 0, sizeof *reading);
	reading->state = state_of(process->pid);
	reading->there = reading->state && reading->state != 'Z' && read_block(process, &reading->block);
	if (!reading->there)
		return;
	if (reading->block.version != LOOK_VERSION || reading->block.bytes != sizeof reading->block) {
		reading->there = false;
		return;
	}
	read_threads(process->pid, reading);
	read_tables(process, reading);
}

void look_forget(struct look_reading *reading)
{
	for (size_t i = 0; i < reading->comm_count; i++)
		free(reading->comms[i].world);
	free(reading->comms);
	free(reading->sent);
	free(reading->taken);
	free(reading->shadows);
	free(reading->threads);
	memset(reading, 0, sizeof *reading);
}

const struct look_comm *look_comm_at(const struct look_reading *reading, int index)
{
	for (size_t i = 0; i < reading->comm_count; i++)
		if (reading->comms[i].index == index)
			return &reading->comms[i];
	return NULL;
}

const struct ledger_stream *look_stream(const struct ledger_stream *list, size_t count, uint64_t key)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && list[low].key == key ? &list[low] : NULL;
}
