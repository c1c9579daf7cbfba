/* SPDX-License-Identifier: BSD-3-Clause */
/* Which ranks put their images into one file (docs/design.md, 3.14): agreed in MPI_Init, for the life of the process. */
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/log.h"
#include "session/inside.h"
#include "store/layout.h"

/* A file per rank is the fastest way, until so many files are a matter of their own. */
enum { ALONE_UP_TO = 1024 };

/* --- the layout, of all ranks ----------------------------------------------------------------------------------------------- */

/* Of the ranks before, and of those behind. */
static void append(void *before, void *behind, int *count, MPI_Datatype *type)
{
	(void)type;
	struct layout *left = before, *right = behind;
	for (int i = 0; i < *count; i++) {
		struct layout whole = left[i];
		layout_append(&whole, &right[i]);
		right[i] = whole;
	}
}

/* Collective: the locators, the same on all ranks. 0: the files are too many different ones. */
static uint32_t locate(struct layout_ranks file, struct store_locator *locators)
{
	struct layout own = layout_of(file, (uint32_t)inside.rank), all = own;
	MPI_Datatype type;
	MPI_Op op;
	PMPI_Type_contiguous(sizeof own, MPI_BYTE, &type);
	PMPI_Type_commit(&type);
	PMPI_Op_create(append, 0, &op);
	PMPI_Reduce(&own, &all, 1, type, op, 0, MPI_COMM_WORLD);
	PMPI_Bcast(&all, 1, type, 0, MPI_COMM_WORLD);
	PMPI_Op_free(&op);
	PMPI_Type_free(&type);
	return layout_locators(&all, locators);
}

/* Collective. The ranks of this node, ascending; null on all ranks if one has no memory for it. */
static uint32_t *list_node(MPI_Comm node, int *count)
{
	uint32_t own = (uint32_t)inside.rank, *ranks;
	PMPI_Comm_size(node, count);
	ranks = calloc((size_t)*count, sizeof *ranks);
	int have = ranks != NULL, all;
	PMPI_Allreduce(&have, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	if (all) {
		PMPI_Allgather(&own, 1, MPI_UINT32_T, ranks, 1, MPI_UINT32_T, node);
		return ranks;
	}
	free(ranks);
	return NULL;
}

/* --- what the ranks of a file have in common ------------------------------------------------------------------------------------ */

/* Collective over the ranks of a file. */
static int share_memory(MPI_Comm file, struct store_shared **shared, struct fault *fault)
{
	struct { int code; char name[STORE_SHARED_NAME]; } made = {0};
	int turn, count, code = 0, here;
	PMPI_Comm_rank(file, &turn);
	PMPI_Comm_size(file, &count);
	if (turn == 0)
		made.code = code = store_shared_make(shared, (uint32_t)count, made.name, fault);
	PMPI_Bcast(&made, sizeof made, MPI_BYTE, 0, file);
	if (turn != 0 && made.code == 0)
		code = store_shared_join(shared, (uint32_t)count, made.name, fault);
	/* Nobody opens it any more. */
	here = code;
	PMPI_Allreduce(&here, &code, 1, MPI_INT, MPI_MIN, file);
	store_shared_forget_name(*shared);
	return code;
}

/* Collective: whether all have what they need; else one says why not. */
static bool agree(int code, const struct fault *fault)
{
	int own = code < 0 && fault->code < 0 ? inside.rank : inside.ranks, lowest;
	PMPI_Allreduce(&own, &lowest, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	if (own == lowest && own < inside.ranks)
		log_say(LOG_INFO, "each rank makes files of its own: %s", fault->text);
	return lowest == inside.ranks;
}

static void tell(const struct store_locator *locators, uint32_t count)
{
	uint32_t files = 0, most = 0;
	for (uint32_t i = 0; i < count; i++) {
		files += (locators[i].ranks - 1) / locators[i].ranks_each + 1;
		most = locators[i].ranks_each > most ? locators[i].ranks_each : most;
	}
	if (inside.rank == 0)
		log_say(LOG_INFO, "a checkpoint has %u files, of up to %u ranks each", files, most);
}

static void take_files(MPI_Comm node, struct layout_ranks file, const struct store_locator *locators, uint32_t count)
{
	struct store_shared *shared = NULL;
	struct fault fault = FAULT_NONE;
	MPI_Comm comm;
	int code = 0;
	PMPI_Comm_split(node, (int)file.first, inside.rank, &comm);
	if (file.count > 1)
		code = share_memory(comm, &shared, &fault);
	PMPI_Comm_free(&comm);
	if (agree(code, &fault)) {
		store_set_files(inside.store, locators, count, shared);
		tell(locators, count);
		crash_point("files-agreed");
	} else {
		store_shared_close(shared);
	}
}

void files_share(int wanted)
{
	uint32_t most = wanted > SETTINGS_RANKS_MAX ? SETTINGS_RANKS_MAX : (uint32_t)wanted, locator_count = 0;
	struct store_locator locators[STORE_LOCATORS_MAX];
	struct layout_ranks file = {0};
	MPI_Comm node;
	int count;
	if (wanted == 0)
		most = inside.ranks > ALONE_UP_TO ? SETTINGS_RANKS_MAX : 1;
	if (most == 1)
		return;
	PMPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
	uint32_t *ranks = list_node(node, &count);
	for (int evenly = 0; ranks && !locator_count && evenly < 2; evenly++) {
		file = layout_file(layout_neighbours(ranks, (uint32_t)count, (uint32_t)inside.rank), (uint32_t)inside.rank, most, evenly);
		locator_count = locate(file, locators);
	}
	free(ranks);
	if (locator_count > 1 || (locator_count == 1 && locators[0].ranks_each > 1))
		take_files(node, file, locators, locator_count);
	else if (inside.rank == 0)
		log_say(LOG_INFO, "each rank makes files of its own, as %s", locator_count ? "neighbours are on different nodes" :
			"the nodes have their ranks in too many different ways");
	PMPI_Comm_free(&node);
}
