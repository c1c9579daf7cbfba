/* SPDX-License-Identifier: BSD-3-Clause */
#include "look/look.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(union look_pages) % LOOK_PAGE == 0, "nothing else is on these pages");
_Alignas(LOOK_PAGE) union look_pages look_pages;

static int descriptor = -1;

const char *look_call_name(unsigned call)
{
	static const char *const names[] = {
#define LOOK_CALL(identifier, name) [LOOK_##identifier] = name,
#include "look/calls.h"
#undef LOOK_CALL
	};
	return call < LOOK_CALLS ? names[call] : "a call that is not known";
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- shared ----------------------------------------------------------------------------------------------------------- */

/* The mapping takes the place of the pages. Its memory is reserved first: a store must not be what finds out that there is none. */
static bool share(const char *name)
{
	if (sysconf(_SC_PAGESIZE) != LOOK_PAGE) {
		errno = ENOTSUP;
		return false;
	}
	descriptor = memfd_create(name, MFD_CLOEXEC);
	if (descriptor < 0)
		return false;
	errno = posix_fallocate(descriptor, 0, sizeof look_pages);
	if (errno == 0 && mmap(&look_pages, sizeof look_pages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0) != MAP_FAILED)
		return true;
	int error = errno;
	close(descriptor);
	descriptor = -1;
	errno = error;
	return false;
}

static void describe(const struct look_config *config)
{
	struct look_block *block = &look_here;
	const char *job = getenv("SLURM_JOB_ID"), *step = getenv("SLURM_STEP_ID");
	char here[PATH_MAX] = "";
	block->version = LOOK_VERSION;
	block->bytes = sizeof *block;
	block->identity = config->identity;
	block->pid = getpid();
	block->rank = config->rank;
	block->ranks = config->ranks;
	block->here = config->here;
	block->threads = config->threads;
	if (config->here_ranks && config->here <= LOOK_RANKS) {
		memcpy(block->here_ranks, config->here_ranks, (size_t)config->here * sizeof *config->here_ranks);
		block->here_told = config->here;
	}
	block->begun_ns = now_ns();
	block->tables = config->tables;
	block->step = -2;
	gethostname(block->node, sizeof block->node - 1);
	snprintf(block->mpi, sizeof block->mpi, "%s", config->mpi);
	if (job)
		snprintf(block->job, sizeof block->job, "%s%s%s", job, step ? "." : "", step ? step : "");
	if (config->folder[0] != '/' && getcwd(here, sizeof here) == NULL)
		here[0] = 0;
	/* One that is too long is none: half a path would be another. */
	if ((size_t)snprintf(block->folder, sizeof block->folder, "%s%s%s", here, here[0] ? "/" : "", config->folder) >= sizeof block->folder)
		block->folder[0] = 0;
}

bool look_open(const struct look_config *config, char *why, size_t room)
{
	char name[64];
	snprintf(name, sizeof name, LOOK_NAME "%016llx-%d", (unsigned long long)config->identity, config->rank);
	bool shared = share(name);
	if (!shared)
		snprintf(why, room, "%s", strerror(errno));
	describe(config);
	/* What has this is complete. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(look_here.magic, LOOK_MAGIC, sizeof look_here.magic);
	return shared;
}

/* The mapping stays: wrappers may still store to it. Without its descriptor, and its first word, nobody takes it for a rank. */
void look_close(void)
{
	memset(look_here.magic, 0, sizeof look_here.magic);
	if (descriptor >= 0)
		close(descriptor);
	descriptor = -1;
}

/* --- the base of the counts ------------------------------------------------------------------------------------------- */

void look_base_moves(void)
{
	look_store(&look_here.base, look_here.base + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void look_base_moved(void)
{
	__atomic_store_n(&look_here.base, look_here.base + 1, __ATOMIC_RELEASE);
}

/* --- waiting ---------------------------------------------------------------------------------------------------------- */

void look_wait_again(struct look_slot *slot)
{
	__atomic_store_n(&slot->turn, slot->turn + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slot->count = 0;
	slot->more = 0;
	slot->base = (uint32_t)look_here.base;
}

void look_wait_begin(struct look_slot *slot, enum look_call call)
{
	look_wait_again(slot);
	slot->call = (uint16_t)call;
	slot->since_ns = now_ns();
	slot->beats = 0;
}

void look_wait_for(struct look_slot *slot, enum look_kind kind, uint64_t key, uint8_t flags, int64_t number, enum look_call call)
{
	if (slot->count == LOOK_AWAITED) {
		slot->more++;
		return;
	}
	slot->awaited[slot->count++] = (struct look_awaited){
		.key = key, .number = number, .kind = (uint8_t)kind, .flags = flags, .call = (uint16_t)call};
}

void look_wait_noted(struct look_slot *slot)
{
	__atomic_store_n(&slot->turn, slot->turn + 1, __ATOMIC_RELEASE);
}

void look_wait_over(struct look_slot *slot)
{
	look_wait_begin(slot, LOOK_Nothing);
	look_wait_noted(slot);
}

struct look_slot *look_free_slot(void)
{
	for (size_t i = 1; i < LOOK_SLOTS; i++) {
		struct look_slot *slot = &look_here.slots[i];
		bool sends = false;
		for (size_t as = 0; as < LOOK_SENDS; as++)
			sends |= slot->sending[as] != 0;
		if (!sends && slot->inside == 0 && slot->call == LOOK_Nothing)
			return slot;
	}
	look_here.unnoted++;
	return NULL;
}
