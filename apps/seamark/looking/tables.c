/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank's tables, read out of its memory while it runs, or hangs. What is read of one that runs may be half of one moment and half of another: everything is looked at as
 * if somebody had made it up, and what does not hold together is read again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "channel/position.h"
#include "channel/tables.h"
#include "looking/look.h"

enum { TRIES = 5, MOST = 1 << 24 };

static bool copy(pid_t pid, uint64_t from, void *to, size_t bytes)
{
	struct iovec here = { to, bytes }, there = { (void *)(uintptr_t)from, bytes };

	errno = 0;
	return bytes == 0 || process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

/* An array of its own memory; null: it cannot be. */
static void *copy_array(pid_t pid, const void *from, size_t count, size_t size)
{
	void *array = count <= MOST ? malloc(count * size + 1) : NULL;

	if (array && copy(pid, (uint64_t)(uintptr_t)from, array, count * size))
		return array;
	free(array);
	return NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct ledger_stream *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static bool copy_streams(pid_t pid, const struct ledger_table *table, struct ledger_stream **list, size_t *count)
{
	size_t slots = table->shift > 40 && table->shift < 64 ? (size_t)1 << (64 - table->shift) : 0, used = 0;

	free(*list);
	*count = 0;
	*list = slots ? copy_array(pid, table->slots, slots, sizeof **list) : NULL;
	if (!*list)
		return false;
	for (size_t i = 0; i < slots; i++)
		if ((*list)[i].key)
			(*list)[used++] = (*list)[i];
	qsort(*list, used, sizeof **list, by_key);
	*count = used;
	return used == table->used;
}

static bool copy_shadows(pid_t pid, const struct shadow_table *table, struct look_reading *reading)
{
	size_t homes = table->mask / sizeof(struct shadow) + 1, others = table->others.slots && table->others.bits < 25 ? (size_t)1 << table->others.bits : 0;
	struct shadow *list = NULL;
	size_t used = 0;

	free(reading->shadows);
	reading->shadow_count = 0;
	reading->shadows = NULL;
	if (homes > MOST || others > MOST || !(list = malloc((homes + others) * sizeof *list)))
		return false;
	if (!copy(pid, (uint64_t)(uintptr_t)table->slots, list, homes * sizeof *list) ||
	    !copy(pid, (uint64_t)(uintptr_t)table->others.slots, list + homes, others * sizeof *list)) {
		free(list);
		return false;
	}
	for (size_t i = 0; i < homes + others; i++)
		if (list[i].handle > 1)
			list[used++] = list[i];
	reading->shadows = list;
	reading->shadow_count = used;
	return used == table->used;
}

/* --- communicators ---------------------------------------------------------------------------------------------------- */

static bool copy_comm(pid_t pid, const struct look_tables *tables, uint64_t names, const struct ledger_comm *from, struct look_comm *comm)
{
	const uint64_t place = names + (uint64_t)comm->index * tables->name_stride;
	uint64_t label = 0;

	comm->inter = from->kind == LEDGER_COMM_INTER;
	comm->own = from->own;
	comm->peers = from->peers;
	comm->begun = from->begun;
	if (from->peers < 0 || from->peers > LEDGER_PEERS_MAX || tables->name_bytes > sizeof comm->name)
		return false;
	if (from->world && !(comm->world = copy_array(pid, from->world, (size_t)from->peers, sizeof *comm->world)))
		return false;
	if (!copy(pid, place + tables->name_offset, comm->name, tables->name_bytes) || !copy(pid, place + tables->label_offset, &label, sizeof label))
		return false;
	comm->name[sizeof comm->name - 1] = 0;
	/* A label may end just before memory that is not there. */
	for (size_t i = 0; label && i + 1 < sizeof comm->label; i++)
		if (!copy(pid, label + i, &comm->label[i], 1) || !comm->label[i])
			break;
	return true;
}

static bool copy_comms(pid_t pid, const struct look_tables *tables, const struct ledger *ledger, struct look_reading *reading)
{
	struct ledger_comm *list = ledger->comm_room <= LEDGER_COMMS_MAX ? copy_array(pid, ledger->comms, ledger->comm_room, sizeof *list) : NULL;
	uint64_t names = 0, room = 0;
	bool fine = list && copy(pid, tables->names, &names, sizeof names) && copy(pid, tables->names_room, &room, sizeof room);

	for (size_t i = 0; i < reading->comm_count; i++)
		free(reading->comms[i].world);
	free(reading->comms);
	reading->comm_count = 0;
	reading->comms = fine ? calloc(ledger->comm_room + 1, sizeof *reading->comms) : NULL;
	fine = fine && reading->comms;
	for (size_t i = 0; fine && i < ledger->comm_room; i++) {
		struct look_comm *comm = &reading->comms[reading->comm_count];

		if (list[i].state != LEDGER_COMM_LIVE)
			continue;
		comm->index = (int)i;
		reading->comm_count++;
		fine = i < room && copy_comm(pid, tables, names, &list[i], comm);
	}
	free(list);
	return fine;
}

/* --- all -------------------------------------------------------------------------------------------------------------- */

static bool copy_all(pid_t pid, struct look_reading *reading)
{
	const struct look_tables *tables = &reading->block.tables;
	struct ledger ledger;
	struct sequence sequence;

	if (!copy(pid, tables->ledger, &ledger, sizeof ledger) || !copy(pid, tables->sequence, &sequence, sizeof sequence))
		return false;
	reading->turn = sequence.turn;
	return copy_streams(pid, &ledger.sent, &reading->sent, &reading->sent_count) &&
	       copy_streams(pid, &ledger.seen, &reading->taken, &reading->taken_count) && copy_shadows(pid, &sequence.shadows, reading) &&
	       copy_comms(pid, tables, &ledger, reading);
}

void look_read_tables(pid_t pid, struct look_reading *reading)
{
	char probe;

	if (reading->block.tables.layout != tables_layout()) {
		snprintf(reading->why, sizeof reading->why, "its libseamark is of another version than this command");
		return;
	}
	for (int tries = 0; tries < TRIES; tries++)
		if (copy_all(pid, reading))
			return;
	if (!copy(pid, reading->block.tables.ledger, &probe, 1))
		snprintf(reading->why, sizeof reading->why, "its memory may not be read (process_vm_readv: %s)%s", strerror(errno),
			 errno == EPERM || errno == ENOSYS ? "; root may, if kernel.yama.ptrace_scope is why, and in a container one with --cap-add=SYS_PTRACE" : "");
	else
		snprintf(reading->why, sizeof reading->why, "its tables changed while they were read");
}
