/* SPDX-License-Identifier: BSD-3-Clause */
/* What members know of a communicator that was alive at the cut. All have it, but one may have passed its first safepoint when it was made, and another not; and labels are every
 * member's own. So each tells the rank that a name's hash falls on what it knows of it, and is told what counts for all: the name if any member can find it
 * again by that, the label if all have given it. */
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "channel/comms_inside.h"

struct claim {
	uint64_t key;
	uint64_t label;
	uint64_t nameless;
	uint64_t at;       /* in the list of the rank that judges */
};
enum { CLAIM_WORDS = sizeof(struct claim) / sizeof(uint64_t), NAMED = 1, LABELLED = 2 };

static struct claim claim_of(const struct old *old)
{
	return (struct claim){mix64_pair(comms_key(old->name), mix64_pair(old->members, old->kind)),
			      old->label ? comms_key(old->label) : 0, old->nameless, 0};
}

static int by_key(const void *a, const void *b)
{
	const struct claim *one = a, *other = b;
	return (one->key > other->key) - (one->key < other->key);
}

static void judge(struct claim *claims, size_t count, unsigned char *verdicts)
{
	for (size_t i = 0; i < count; i++)
		claims[i].at = i;
	qsort(claims, count, sizeof *claims, by_key);
	for (size_t first = 0, end; first < count; first = end) {
		unsigned char verdict = LABELLED;
		for (end = first; end < count && claims[end].key == claims[first].key; end++) {
			if (claims[end].label != claims[first].label)
				verdict &= (unsigned char)~LABELLED;
			if (!claims[end].nameless)
				verdict |= NAMED;
		}
		for (size_t i = first; i < end; i++)
			verdicts[claims[i].at] = verdict;
	}
}

struct exchange {
	int ranks;
	int *counts, *starts, *their_counts, *their_starts;
	struct claim *claims, *their_claims;
	unsigned char *verdicts, *their_verdicts;
	size_t *from; /* the old of each claim */
	size_t their_total;
};

static void close_exchange(struct exchange *exchange)
{
	free(exchange->counts);
	free(exchange->claims);
	free(exchange->their_claims);
	free(exchange->verdicts);
	free(exchange->their_verdicts);
	free(exchange->from);
}

/* Claims by the rank that judges them. */
static bool fill_exchange(struct exchange *exchange, const struct old *olds, size_t count)
{
	PMPI_Comm_size(MPI_COMM_WORLD, &exchange->ranks);
	const size_t ranks = (size_t)exchange->ranks;
	exchange->counts = calloc(4 * ranks, sizeof *exchange->counts);
	exchange->claims = calloc(count + 1, sizeof *exchange->claims);
	exchange->verdicts = calloc(count + 1, 1);
	exchange->from = calloc(count + 1, sizeof *exchange->from);
	if (!exchange->counts || !exchange->claims || !exchange->verdicts || !exchange->from)
		return false;
	exchange->starts = exchange->counts + ranks;
	exchange->their_counts = exchange->starts + ranks;
	exchange->their_starts = exchange->their_counts + ranks;
	for (size_t i = 0; i < count; i++)
		exchange->counts[claim_of(&olds[i]).key % ranks]++;
	for (size_t rank = 1; rank < ranks; rank++)
		exchange->starts[rank] = exchange->starts[rank - 1] + exchange->counts[rank - 1];
	for (size_t i = 0; i < count; i++) {
		struct claim claim = claim_of(&olds[i]);
		size_t at = (size_t)exchange->starts[claim.key % ranks]++;
		exchange->claims[at] = claim;
		exchange->from[at] = i;
	}
	for (size_t rank = 0; rank < ranks; rank++)
		exchange->starts[rank] -= exchange->counts[rank];
	return true;
}

static bool make_room_for_theirs(struct exchange *exchange)
{
	PMPI_Alltoall(exchange->counts, 1, MPI_INT, exchange->their_counts, 1, MPI_INT, MPI_COMM_WORLD);
	for (int rank = 0; rank < exchange->ranks; rank++) {
		exchange->their_starts[rank] = (int)exchange->their_total;
		exchange->their_total += (size_t)exchange->their_counts[rank];
	}
	exchange->their_claims = calloc(exchange->their_total + 1, sizeof *exchange->their_claims);
	exchange->their_verdicts = calloc(exchange->their_total + 1, 1);
	return exchange->their_claims && exchange->their_verdicts;
}

static void ask(struct exchange *exchange)
{
	MPI_Datatype type;
	PMPI_Type_contiguous(CLAIM_WORDS, MPI_UINT64_T, &type);
	PMPI_Type_commit(&type);
	PMPI_Alltoallv(exchange->claims, exchange->counts, exchange->starts, type, exchange->their_claims, exchange->their_counts,
		       exchange->their_starts, type, MPI_COMM_WORLD);
	PMPI_Type_free(&type);
	judge(exchange->their_claims, exchange->their_total, exchange->their_verdicts);
	PMPI_Alltoallv(exchange->their_verdicts, exchange->their_counts, exchange->their_starts, MPI_BYTE, exchange->verdicts,
		       exchange->counts, exchange->starts, MPI_BYTE, MPI_COMM_WORLD);
}

static void obey(const struct exchange *exchange, struct old *olds, size_t *count)
{
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++) {
		struct old *old = &olds[exchange->from[i]];
		old->nameless = !(exchange->verdicts[i] & NAMED);
		if (exchange->verdicts[i] & LABELLED)
			continue;
		free(old->label);
		old->label = NULL;
	}
	for (size_t i = 0; i < *count; i++) {
		if (olds[i].nameless)
			free(olds[i].label);
		else
			olds[kept++] = olds[i];
	}
	*count = kept;
}

/* Collective: the highest of what the ranks have, twice. */
static void highest_of_all(uint64_t own[2])
{
	uint64_t all[2] = {0, 0};
	PMPI_Allreduce(own, all, 2, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD);
	memcpy(own, all, sizeof all);
}

bool claims_settle(struct old *olds, size_t *count, bool able, uint64_t *highest)
{
	struct exchange exchange = {0};
	able = able && fill_exchange(&exchange, olds, *count);
	uint64_t all[2] = {*highest, !able};
	highest_of_all(all);
	*highest = all[0];
	if (all[1] == 0) {
		all[1] = !make_room_for_theirs(&exchange);
		highest_of_all(all);
	}
	if (all[1] == 0) {
		ask(&exchange);
		obey(&exchange, olds, count);
	}
	close_exchange(&exchange);
	return all[1] == 0;
}
