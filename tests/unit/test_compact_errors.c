/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark compact on storage that fails: each of its calls, one after the other, with each error. The checkpoint is what it was or what it was to be, and so are those that share files with
 * it; what failed is named; no file stays open and no memory is lost; and when the fault is over it is folded, and a run goes on. */
#define URING_UNTOUCHED
#include "../fault/uring.h"
#include "seamark_files.h"
#include "suites.h"
#include "test_plan.h"

enum { FOLDED = 3 };

static bool uring_refused(void)
{
	return true;
}

static long call_begin(const struct call *call)
{
	return plan_fate(call);
}

static void call_end(const struct call *call, long result)
{
	(void)call;
	(void)result;
}

/* Three checkpoints: 1 is held for 2 and 3, which are kept. */
static void make_folder(void)
{
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	char held[300];

	committed_count = 0;
	fixture_remove(folder);
	if (world_open(&fixture, folder, &fault))
		fixture_stop("life", &fault);
	for (int i = 0; i < FOLDED; i++)
		take_for_sure(&fixture, 2);
	world_close(&fixture);
	snprintf(held, sizeof held, "%s/0000001.L01/manifest.held", folder);
	if (access(held, F_OK))
		fixture_stop("nothing is held", NULL);
}

static int fold(uint64_t *parents, struct fault *fault)
{
	struct seamark_files_compaction done = {0};
	char path[300];
	int code;

	snprintf(path, sizeof path, "%s/%07d.L01", folder, FOLDED);
	code = seamark_files_compact(path, &done);
	*parents = done.parents;
	*fault = FAULT_NONE;
	return code ? fault_set(fault, code, "%s", seamark_files_error()) : 0;
}

static bool is_whole(const char *name)
{
	char path[340];

	snprintf(path, sizeof path, "%s/%07d.L01/%s", folder, FOLDED, name);
	return !access(path, F_OK);
}

/* A fold that was cut short at its end may leave files of both kinds, until the next. */
static void check_files(void)
{
	for (uint32_t rank = 0; rank < WORLD_RANKS; rank++) {
		char old[32], new[32];

		snprintf(old, sizeof old, "rank-%05u.smk", rank);
		snprintf(new, sizeof new, "whole-%05u.smk", rank);
		if (is_whole(old) || !is_whole(new))
			complain("the files are not those of one that is folded", new);
	}
	if (is_whole("manifest.json.tmp"))
		complain("a manifest is left half way", NULL);
}

static void check_life(void)
{
	struct fixture fixture;
	struct fault fault = FAULT_NONE;

	if (world_open(&fixture, folder, &fault)) {
		complain("no life begins any more", fault.text);
		return;
	}
	check_folder(fixture.stores[0], true);
	take_for_sure(&fixture, 0);
	check_folder(fixture.stores[0], true);
	world_close(&fixture);
}

static bool meet_in_compaction(bool must_go_on)
{
	long files = atomic_load(&calls_open_files), blocks = atomic_load(&calls_blocks);
	struct fixture reader = { .ranks = WORLD_RANKS };
	struct fault fault = FAULT_NONE;
	uint64_t parents = 0;
	bool met;
	int code;

	make_folder();
	if (store_open(&reader.stores[0], folder, 0, WORLD_RANKS, &fault))
		fixture_stop("store_open", &fault);
	arm();
	code = fold(&parents, &fault);
	met = disarm();
	if (code && must_go_on)
		complain("it is not folded", fault.text);
	if (code)
		check_reason(&fault);
	if (met && !code && is_final(FOLDED, "whole-"))
		complain("it is said to be folded all the same", NULL);
	check_folder(reader.stores[0], true);
	if (fold(&parents, &fault))
		complain("it cannot be folded though the fault is over", fault.text);
	check_files();
	check_folder(reader.stores[0], true);
	store_close(reader.stores[0]);
	check_life();
	check_losses(files, blocks);
	return met;
}

static bool deep;
static const int errors[] = { EIO, ENOSPC, EDQUOT, EROFS, EMFILE, ENOMEM };

static void it_meets_each_error_once(void)
{
	for (size_t i = 0; i < (deep ? sizeof errors / sizeof errors[0] : 1); i++)
		at_each_call(meet_in_compaction, WAY_FAIL, errors[i], false, false);
	over();
}

static void what_is_done_may_be_said_to_have_failed(void)
{
	at_each_call(meet_in_compaction, WAY_DONE, EIO, false, false);
	over();
}

static void it_meets_an_error_that_lasts(void)
{
	at_each_call(meet_in_compaction, WAY_FAIL, ENOSPC, true, false);
	if (deep)
		at_each_call(meet_in_compaction, WAY_FAIL, EROFS, true, false);
	over();
}

static void it_gets_no_memory(void)
{
	plan.of = OF_MEMORY;
	stride = deep ? 1 : 5;
	at_each_call(meet_in_compaction, WAY_FAIL, ENOMEM, false, false);
	if (deep)
		at_each_call(meet_in_compaction, WAY_FAIL, ENOMEM, true, false);
	stride = 1;
	over();
}

static void interrupted_and_short_calls_fail_nothing(void)
{
	at_each_call(meet_in_compaction, WAY_FAIL, EINTR, false, true);
	at_each_call(meet_in_compaction, WAY_SHORT, 0, true, true);
	over();
}

static void begin(void)
{
	struct fault fault;
	uint64_t parents;

	plan_folder();
	/* What is made once and stays. */
	make_folder();
	if (fold(&parents, &fault) || !parents)
		fixture_stop("compact", &fault);
	check_life();
}

static void end(void)
{
	fixture_remove(folder);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{ "it meets each error once", it_meets_each_error_once },
		{ "it meets an error that lasts", it_meets_an_error_that_lasts },
		{ "what is done may be said to have failed", what_is_done_may_be_said_to_have_failed },
		{ "it gets no memory", it_gets_no_memory },
		{ "interrupted and short calls fail nothing", interrupted_and_short_calls_fail_nothing },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "compact: each call, each error", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	deep = argc > 1 && !strcmp(argv[1], "deep");
	return suites_run(suites);
}
