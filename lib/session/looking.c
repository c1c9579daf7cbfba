/* SPDX-License-Identifier: BSD-3-Clause */
/* What looks from outside find: the status block is opened, and what a waiting loop waits for is noted in it. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "channel/comms.h"
#include "channel/tables.h"
#include "session/inside.h"

/* What this thread has noted. */
static _Thread_local struct look_slot *own __attribute__((tls_model("initial-exec")));
static _Thread_local struct {
	bool noted;
	enum look_call call;
	enum session_wait what;
	uint64_t which;
	uint64_t base;
} waiting __attribute__((tls_model("initial-exec")));

/* The ranks on this node; how many: 0, if that is not known. */
static struct look_rank met[LOOK_RANKS];
static int met_count;

/* Numbers of processes mean something in one namespace only. */
void looking_meet(MPI_Comm node)
{
	struct meeting {
		int32_t rank, pid;
		uint64_t device, space;
	} all[LOOK_RANKS], mine = {.rank = inside.rank, .pid = getpid()};
	struct stat about;
	int count;
	PMPI_Comm_size(node, &count);
	if (count > LOOK_RANKS)
		return;
	if (stat("/proc/self/ns/pid", &about) == 0) {
		mine.device = about.st_dev;
		mine.space = about.st_ino;
	}
	PMPI_Allgather(&mine, sizeof mine, MPI_BYTE, all, sizeof mine, MPI_BYTE, node);
	for (int i = 0; i < count; i++) {
		const bool alike = mine.space != 0 && all[i].space == mine.space && all[i].device == mine.device;
		met[i] = (struct look_rank){all[i].rank, alike ? all[i].pid : 0};
	}
	met_count = count;
}

void looking_open(uint64_t identity)
{
	char mpi[MPI_MAX_LIBRARY_VERSION_STRING], why[128];
	int length;
	const struct comms_where where = comms_where();
	PMPI_Get_library_version(mpi, &length);
	mpi[strcspn(mpi, ",\n")] = 0;
	const struct look_config config = {
		.identity = identity, .rank = inside.rank, .ranks = inside.ranks, .here = inside.here, .here_ranks = met_count == inside.here ? met : NULL,
		.threads = false, .mpi = mpi, .folder = inside.settings.dir,
		.tables = {
			.layout = tables_layout(), .ledger = (uint64_t)(uintptr_t)&session.ledger, .sequence = (uint64_t)(uintptr_t)&session.sequence,
			.names = (uint64_t)(uintptr_t)where.places, .names_room = (uint64_t)(uintptr_t)where.room,
			.name_stride = (uint32_t)where.stride, .name_offset = (uint32_t)where.name, .label_offset = (uint32_t)where.label,
			.name_bytes = COMMS_NAME_BYTES,
		},
	};
	if (!look_open(&config, why, sizeof why))
		log_say(LOG_INFO, "seamark snapshot --look cannot see this process: %s", why);
}

void looking_close(void)
{
	look_close();
}

void looking_safepoint(int64_t step)
{
	look_here.step = step;
	look_here.safepoints++;
}

/* --- slots ------------------------------------------------------------------------------------------------------------ */

struct look_slot *looking_slot(void)
{
	if (own == NULL)
		own = session.mode == SESSION_THREADS ? look_free_slot() : &look_here.slots[0];
	return own;
}

void looking_slot_free(void)
{
	if (own == NULL || session.mode != SESSION_THREADS)
		return;
	for (int as = 0; as < LOOK_SENDS; as++)
		look_store(&own->sending[as], 0);
	look_store(&own->inside, 0);
	/* An error handler's call, from a waiting loop that is noted. */
	if (!waiting.noted)
		own = NULL;
}

/* --- waiting loops ---------------------------------------------------------------------------------------------------- */

void looking_beat(void)
{
	if (waiting.noted && own)
		own->beats++;
}

/* A receive that was cancelled and that took nothing gives its place back when that is known. The lowest place that this one may have then. */
static int64_t lowest_place(const struct shadow *of)
{
	int64_t place = of->position;
	if (likely(position_is_final(&session.sequence, of->key, of->turn)))
		return place;
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));)
		place -= shadow->kind == SHADOW_RECEIVE && (shadow->flags & SHADOW_CANCELLING) && shadow->key == of->key && shadow->turn < of->turn;
	return place;
}

/* Shadows know receives, synchronous sends, persistent requests and collectives. */
static void note_request(struct look_slot *slot, uint64_t handle)
{
	struct shadow *shadow = shadow_find(&session.sequence.shadows, handle);
	uint8_t flags = 0;
	if (shadow == NULL) {
		look_wait_for(slot, LOOK_UNKNOWN, 0, 0, 0, LOOK_Nothing);
		return;
	}
	flags |= shadow->flags & SHADOW_ANY_SOURCE ? LOOK_ANY_SOURCE : 0;
	flags |= shadow->flags & SHADOW_ANY_TAG ? LOOK_ANY_TAG : 0;
	switch ((enum shadow_kind)shadow->kind) {
	case SHADOW_RECEIVE:
		if (shadow->flags & (SHADOW_LEARNED | SHADOW_COMPLETE))
			look_wait_for(slot, LOOK_ARRIVING, shadow->key, 0, 0, LOOK_Nothing);
		else if (flags)
			look_wait_for(slot, LOOK_RECEIVE, shadow->key, flags, (int64_t)shadow->turn, LOOK_Nothing);
		else
			look_wait_for(slot, LOOK_RECEIVE, shadow->key, 0, lowest_place(shadow), LOOK_Nothing);
		break;
	case SHADOW_SYNCHRONOUS:
		look_wait_for(slot, LOOK_SYNCHRONOUS, shadow->key, 0, shadow->position, LOOK_Nothing);
		break;
	case SHADOW_COLLECTIVE:
		if (shadow->extra)
			look_wait_for(slot, LOOK_COLLECTIVE, ledger_key((unsigned)look_inside_comm(shadow->extra), 0, 0), 0, shadow->position,
				      look_inside_call(shadow->extra));
		else
			look_wait_for(slot, LOOK_UNKNOWN, 0, 0, 0, LOOK_Nothing);
		break;
	case SHADOW_INACTIVE: /* of a persistent send, while it is under way */
		look_wait_for(slot, shadow->key ? LOOK_STANDARD : LOOK_UNKNOWN, shadow->key, 0, 0, LOOK_Nothing);
		break;
	case SHADOW_DELIVERY:
	case SHADOW_MATCHED:
		look_wait_for(slot, LOOK_ARRIVING, 0, 0, 0, LOOK_Nothing);
		break;
	case SHADOW_OTHER:
		look_wait_for(slot, LOOK_FILE, 0, 0, 0, LOOK_Nothing);
		break;
	}
}

static void note_message(struct look_slot *slot, uint64_t key, int64_t wildcards)
{
	uint8_t flags = (uint8_t)((wildcards & SHADOW_ANY_SOURCE ? LOOK_ANY_SOURCE : 0) | (wildcards & SHADOW_ANY_TAG ? LOOK_ANY_TAG : 0));
	look_wait_for(slot, key ? LOOK_PROBE : LOOK_UNKNOWN, key, flags, 0, LOOK_Nothing);
}

static bool is_noted(enum look_call call, enum session_wait what, uint64_t which)
{
	return waiting.noted && waiting.call == call && waiting.what == what && waiting.which == which;
}

static void note(struct look_slot *slot, enum look_call call, enum session_wait what, uint64_t which, int64_t many)
{
	const MPI_Request *requests = (const MPI_Request *)(uintptr_t)which;
	if (is_noted(call, what, which))
		look_wait_again(slot);
	else
		look_wait_begin(slot, call);
	switch (what) {
	case SESSION_AWAITS_REQUEST:
		note_request(slot, which);
		break;
	case SESSION_AWAITS_REQUESTS:
		for (int64_t i = 0; i < many; i++)
			if (requests[i] != MPI_REQUEST_NULL)
				note_request(slot, (uint64_t)(uintptr_t)requests[i]);
		break;
	case SESSION_AWAITS_MESSAGE:
		note_message(slot, which, many);
		break;
	case SESSION_AWAITS_ARRIVAL:
		look_wait_for(slot, LOOK_ARRIVING, 0, 0, 0, LOOK_Nothing);
		break;
	case SESSION_AWAITS_SENDING:
		look_wait_for(slot, which ? LOOK_SENDING : LOOK_UNKNOWN, which, 0, 0, LOOK_Nothing);
		break;
	case SESSION_AWAITS_FILE:
		look_wait_for(slot, LOOK_FILE, 0, 0, 0, LOOK_Nothing);
		break;
	case SESSION_AWAITS_ALL:
		break;
	}
	look_wait_noted(slot);
}

void looking_note(enum look_call call, enum session_wait what, uint64_t which, int64_t many)
{
	if (is_noted(call, what, which) && waiting.base == look_here.base)
		return;
	struct look_slot *slot = looking_slot();
	if (slot == NULL)
		return;
	note(slot, call, what, which, many);
	session.noted += !waiting.noted;
	waiting.noted = true;
	waiting.call = call;
	waiting.what = what;
	waiting.which = which;
	waiting.base = look_here.base;
}

void session_waited_slow(void)
{
	if (!waiting.noted)
		return;
	waiting.noted = false;
	session.noted--;
	look_wait_over(own);
	looking_slot_free();
}
