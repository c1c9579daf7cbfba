/* SPDX-License-Identifier: BSD-3-Clause */
/* A life that begins while the one before it commits: why folders without a manifest are renamed, and not removed (docs/design.md, 3.15).
 *
 * The old life is a process of its own, which stands still at a call of its checkpoint. Its successor begins, and at one of its own calls it stands still in turn until the old one has gone on and come to its
 * end, as if it had never been disturbed. Then it begins to its end. What the old one has committed by then its successor has found, or goes on from what is newer; what it could not commit is not there; whatever is listed
 * is whole; and nothing that was put aside stays so. Each pair of calls is one trial: all of them with `deep`, else those of the commit with one in so many of the successor's. */
#include <CUnit/Basic.h>

#include "test_old_life.h"

enum { SHARE = 24 };

static bool deep;
static int own_at;
static atomic_int own_calls;
static uint64_t committed, not_committed[2];
static size_t not_count;
static unsigned trials;

/* In whatever thread makes the call. */
static void let_the_old_one_finish(void)
{
	struct word word = { .kind = STANDS };

	if (atomic_fetch_add(&own_calls, 1) + 1 != own_at)
		return;
	atomic_store(&armed, false);
	let_go_on();
	while (word.kind != OVER && hear(&word)) {
		if (word.kind == COMMITTED)
			committed = word.number;
		else if (word.kind == NOT_COMMITTED)
			not_committed[not_count++] = word.number;
	}
	if (word.kind != OVER)
		complain("the old life did not come to its end", "");
}

static bool is_aside(void)
{
	DIR *open = opendir(folder);
	const struct dirent *file;
	bool aside = false;

	while (open && (file = readdir(open)))
		aside |= strstr(file->d_name, ".void") != NULL;
	if (open)
		closedir(open);
	return aside;
}

static void check_successor(struct fixture *second)
{
	struct fault fault = FAULT_NONE;
	uint64_t newest = go_on_from(second, false), number = second->next;

	if (committed > newest)
		complain("the successor has not found what the old life committed", "");
	for (size_t i = 0; i < not_count; i++)
		if (is_listed(not_committed[i], 2))
			complain("what the old one did not commit is listed", "");
	check_folder(second->stores[0]);
	if (!world_take(second, KEEP, &fault))
		complain("the successor cannot commit", fault.text);
	world_wait_for_retention(second);
	if (!is_listed(number, second->life))
		complain("what the successor has committed is gone", "");
	if (is_aside())
		complain("something is left aside", "");
	check_folder(second->stores[0]);
}

/* false: the successor has begun before that call. */
static bool try_pair(pid_t child)
{
	struct fixture second;
	struct fault fault = FAULT_NONE;
	bool stood;

	committed = not_count = 0;
	atomic_store(&own_calls, 0);
	atomic_store(&armed, true);
	if (world_open(&second, folder, &fault))
		fixture_stop("the successor", &fault);
	stood = !atomic_exchange(&armed, false);
	if (stood) {
		check_successor(&second);
		trials++;
	} else {
		kill(child, SIGKILL);
	}
	world_close(&second);
	return stood;
}

static bool is_of_commit(const struct word *word)
{
	return strstr(word->call, "manifest") != NULL;
}

static bool try_at(void)
{
	struct word word = { .kind = STANDS };
	bool more = true, stands = true;

	for (own_at = 1 + (deep ? 0 : at % SHARE); more && stands; own_at += deep ? 1 : SHARE) {
		unsigned before = wrong;
		pid_t child = begin_and_hear(false, &word);

		stands = word.kind == STANDS;
		more = stands && (deep || is_of_commit(&word)) && try_pair(child);
		if (wrong != before)
			printf("\n  (the old one stood at %s, the new one at its call %d)", word.call, own_at);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		close(told);
		close(asked);
	}
	return stands;
}

static void what_is_committed_meanwhile_is_found(void)
{
	wrong = trials = 0;
	at_own_call = let_the_old_one_finish;
	for (at = 1; try_at(); at++)
		;
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(trials > 50);
	printf(" (%u pairs, %d places)", trials, at - 1);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{ "what is committed meanwhile is found", what_is_committed_meanwhile_is_found },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "fencing: a life that begins", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	deep = argc > 1 && !strcmp(argv[1], "deep");
	return suites_run(suites);
}
