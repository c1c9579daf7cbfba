/* SPDX-License-Identifier: BSD-3-Clause */
/* A reading of one process: its block, whose waiting loops are written under a number that changes, and how much it has worked so far. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "look.h"

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

/* What its threads have had of the processors. */
static int64_t cpu_of(pid_t pid)
{
	char path[320];
	int64_t sum = -1, ran;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *folder = opendir(path);
	if (!folder)
		return -1;
	for (const struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
		FILE *file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%" SCNd64, &ran) == 1)
			sum = (sum < 0 ? 0 : sum) + ran;
		fclose(file);
	}
	closedir(folder);
	return sum;
}

void look_read(const struct look_process *process, struct look_reading *reading)
{
	memset(reading, 0, sizeof *reading);
	reading->state = state_of(process->pid);
	reading->there = reading->state && reading->state != 'Z' && read_block(process, &reading->block);
	if (!reading->there)
		return;
	reading->cpu_ns = cpu_of(process->pid);
	if (reading->block.version != LOOK_VERSION || reading->block.bytes != sizeof reading->block) {
		reading->there = false;
		return;
	}
	look_read_tables(process->pid, reading);
}

void look_forget(struct look_reading *reading)
{
	for (size_t i = 0; i < reading->comm_count; i++)
		free(reading->comms[i].world);
	free(reading->comms);
	free(reading->sent);
	free(reading->taken);
	free(reading->shadows);
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
