/* SPDX-License-Identifier: BSD-3-Clause */
#include "oracle.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "channel/comms.h"
#include "seamark.h"
#include "session/session.h"

int oracle_rank, oracle_size;

/* One side's count of a stream. */
struct line {
	uint64_t comm;
	int64_t from, to, tag, sent, seen;
};

static struct line *lines_of(const struct ledger_table *table, bool outgoing, struct line *to)
{
	size_t room = (size_t)1 << (64 - table->shift);
	for (size_t i = 0; i < room; i++) {
		const struct ledger_stream *stream = &table->slots[i];
		if (stream->key == 0)
			continue;
		int64_t peer = ledger_world_of(&session.ledger, stream->key);
		*to++ = (struct line){
			.comm = session.ledger.comms[ledger_key_comm(stream->key)].name,
			.from = outgoing ? oracle_rank : peer, .to = outgoing ? peer : oracle_rank,
			.tag = ledger_key_tag(stream->key),
			.sent = outgoing ? stream->total : 0, .seen = outgoing ? 0 : stream->seen,
		};
		if (!outgoing)
			CU_ASSERT_EQUAL(stream->total, stream->seen);
	}
	return to;
}

static int by_stream(const void *one, const void *other)
{
	return memcmp(one, other, offsetof(struct line, sent));
}

static void compare(struct line *lines, size_t count)
{
	qsort(lines, count, sizeof *lines, by_stream);
	for (size_t i = 0; i < count;) {
		int64_t sent = 0, seen = 0;
		size_t first = i;
		for (; i < count && by_stream(&lines[first], &lines[i]) == 0; i++) {
			sent += lines[i].sent;
			seen += lines[i].seen;
		}
		if (sent != seen)
			fprintf(stderr, "stream %016llx %lld -> %lld tag %lld: %lld sent, %lld seen\n", (unsigned long long)lines[first].comm,
				(long long)lines[first].from, (long long)lines[first].to, (long long)lines[first].tag, (long long)sent,
				(long long)seen);
		CU_ASSERT_EQUAL(sent, seen);
	}
}

void oracle_balanced(void)
{
	CU_ASSERT_TRUE(session.mode != SESSION_OFF);
	CU_ASSERT_EQUAL(session.sequence.shadows.used, 0);
	CU_ASSERT_EQUAL(session.sequence.uncertain, 0);
	CU_ASSERT_EQUAL(session.sequence.aside_count, 0);
	CU_ASSERT_EQUAL(session.synchronous_pending, 0);
	CU_ASSERT_EQUAL(session.collectives_pending, 0);
	CU_ASSERT_EQUAL(session.mailbox.count, 0);
	uint64_t own = ledger_collective_sum(&session.ledger), sum = 0;
	PMPI_Allreduce(&own, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
	CU_ASSERT_EQUAL(sum, 0);
	struct line *lines = malloc((session.ledger.sent.used + session.ledger.seen.used + 1) * sizeof *lines);
	struct line *end = lines_of(&session.ledger.seen, false, lines_of(&session.ledger.sent, true, lines));
	int bytes = (int)((size_t)(end - lines) * sizeof *lines), *sizes = malloc(2 * (size_t)oracle_size * sizeof *sizes), all = 0;
	PMPI_Gather(&bytes, 1, MPI_INT, sizes, 1, MPI_INT, 0, MPI_COMM_WORLD);
	for (int i = 0; oracle_rank == 0 && i < oracle_size; all += sizes[i++])
		sizes[oracle_size + i] = all;
	struct line *gathered = malloc((size_t)all + 1);
	PMPI_Gatherv(lines, bytes, MPI_BYTE, gathered, sizes, sizes + oracle_size, MPI_BYTE, 0, MPI_COMM_WORLD);
	/* Under drill bases move at any time, and each drill compares the counts itself. */
	if (getenv("ORACLE_DRILL") == NULL)
		compare(gathered, (size_t)all / sizeof *gathered);
	free(gathered);
	free(sizes);
	free(lines);
}

static bool snapshots;
static unsigned points;

void oracle_point(void)
{
	if (!snapshots)
		return;
	if (++points % 16 == 1 && oracle_rank == (int)(points / 16) % oracle_size)
		seamark_request();
	CU_ASSERT(seamark_safepoint(SEAMARK_ANY_STEP) >= 0);
}

/* A snapshot at rest must commit: nothing is under way. Then no base is about to move. */
static void settle(void)
{
	int result, worst = -1;
	for (int tries = 0; tries < 50 && worst < 0; tries++) {
		/* An attempt that was void a moment ago may still be writing its image. */
		if (tries)
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		result = seamark_checkpoint(SEAMARK_ANY_STEP, 60);
		PMPI_Allreduce(&result, &worst, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	}
	CU_ASSERT_EQUAL(worst, 0);
}

enum { TESTS = 64 };
static void (*tests[TESTS])(void);
static int test_count, next_test;

static void run(void)
{
	oracle_point();
	tests[next_test++]();
	PMPI_Barrier(MPI_COMM_WORLD);
	if (snapshots)
		settle();
	PMPI_Barrier(MPI_COMM_WORLD);
	oracle_balanced();
}

void oracle_add(CU_pSuite suite, const char *name, void (*test)(void))
{
	const char *only = getenv("ONLY");
	if (only && strstr(name, only) == NULL)
		return;
	tests[test_count++] = test;
	CU_add_test(suite, name, run);
}

int oracle_main(int argc, char **argv, void (*add)(CU_pSuite suite))
{
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &oracle_rank);
	MPI_Comm_size(MPI_COMM_WORLD, &oracle_size);
	snapshots = getenv("ORACLE_SNAPSHOTS") != NULL;
	static char state[64] = "what is protected must not change while a safepoint is open";
	if (snapshots && (seamark_protect("state", state, sizeof state) < 0 || seamark_restore(NULL) < 0))
		return 2;
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	add(CU_add_suite(argv[0], NULL, NULL));
	CU_basic_set_mode(oracle_rank ? CU_BRM_SILENT : getenv("VERBOSE") ? CU_BRM_VERBOSE : CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	MPI_Finalize();
	return failures != 0;
}
