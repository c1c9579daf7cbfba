/* SPDX-License-Identifier: BSD-3-Clause */
/* A life in a process of its own, which stands still at a call on files that the test names (`at`), until it is let go on or killed: another life begins meanwhile. Included once per program. */
#ifndef TEST_OLD_LIFE_H
#define TEST_OLD_LIFE_H

#include <signal.h>
#include <sys/wait.h>

#include "test_lives.h"

enum { KEEP = 1 };

static int told = -1, asked = -1;
static bool is_old;            /* this process */
static void (*at_own_call)(void); /* what the other does at each call of its own while it is armed */

/* What the old life's process says of itself. */
struct word {
	enum { STANDS = 1, COMMITTED, NOT_COMMITTED, OVER } kind;
	uint64_t number;
	char call[300];
};

static void say(const struct word *word)
{
	if (write(told, word, sizeof *word) != (ssize_t)sizeof *word)
		_exit(3);
}

static void stand(const struct call *call)
{
	struct word word = { .kind = STANDS };
	char byte;

	snprintf(word.call, sizeof word.call, "%s '%.200s'", call_names[call->kind], call->path);
	say(&word);
	if (syscall(SYS_read, asked, &byte, 1) != 1)
		_exit(3);
}

static long call_begin(const struct call *call)
{
	if (!atomic_load(&armed))
		return 0;
	if (!is_old && at_own_call) {
		at_own_call();
	} else if (is_old && atomic_fetch_add(&calls, 1) + 1 == at) {
		atomic_store(&armed, false);
		stand(call);
	}
	return 0;
}

static void put_file(const char *name)
{
	FILE *file = fopen(io_path("%s/%s", folder, name).text, "w");

	if (!file || fclose(file))
		fixture_stop(name, NULL);
}

/* --- the old life ---------------------------------------------------------------------------------------------------- */

/* Or from the oldest that there is, as a person may choose: one that the old life may be about to retire. The newest is told. */
static uint64_t go_on_from(struct fixture *fixture, bool oldest)
{
	struct fault fault = FAULT_NONE;
	uint64_t newest = 0, number = UINT64_MAX;

	for (int code = 0; !code && (!newest || oldest); number = found.number) {
		code = store_newest(fixture->stores[0], number, &found, &fault);
		newest = newest ? newest : found.number;
		if (code)
			break;
	}
	fault = FAULT_NONE;
	if (store_newest(fixture->stores[0], number + 1, &found, &fault) || !world_comes_back(&found, &fault) || world_go_on_from(fixture, &found, &fault))
		complain("there is nothing to go on from", fault.text);
	return newest;
}

/* whole: each of its checkpoints holds all its bytes, so that the one before goes, and is not only held. */
static void live_as_the_old_one(bool whole)
{
	struct fixture first;
	struct fault fault = FAULT_NONE;

	if (world_open(&first, folder, &fault))
		fixture_stop("the old life", &fault);
	for (uint32_t rank = 0; whole && rank < WORLD_RANKS; rank++)
		store_set_full_every(first.stores[rank], 1);
	go_on_from(&first, false);
	if (!world_take(&first, KEEP, &fault))
		fixture_stop("its first checkpoint", &fault);
	world_wait_for_retention(&first);
	put_file("stop");
	atomic_store(&armed, true);
	for (int i = 0; i < 2; i++) {
		bool took = world_take(&first, KEEP, &fault);

		say(&(struct word){ .kind = took ? COMMITTED : NOT_COMMITTED, .number = first.next - 1 });
		world_wait_for_retention(&first);
	}
	store_clear_stop(first.stores[0]);
	world_close(&first);
	atomic_store(&armed, false);
	say(&(struct word){ .kind = OVER });
}

static pid_t begin_old_one(bool whole)
{
	int up[2], down[2];
	pid_t child;

	if (pipe(up) || pipe(down) || (child = fork()) < 0)
		fixture_stop("fork", NULL);
	if (!child) {
		is_old = true;
		close(up[0]);
		close(down[1]);
		told = up[1];
		asked = down[0];
		live_as_the_old_one(whole);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	told = up[0];
	asked = down[1];
	return child;
}

static void let_go_on(void)
{
	if (write(asked, "", 1) != 1)
		fixture_stop("write", NULL);
}

static bool hear(struct word *word)
{
	return read(told, word, sizeof *word) == (ssize_t)sizeof *word;
}

/* A first checkpoint, by a life that is over. */
static void prepare(void)
{
	struct fixture fixture;
	struct fault fault = FAULT_NONE;

	fixture_remove(folder);
	if (world_open(&fixture, folder, &fault) || !world_take(&fixture, 0, &fault))
		fixture_stop("first life", &fault);
	world_close(&fixture);
}

/* Until it stands, or is over. */
static pid_t begin_and_hear(bool whole, struct word *word)
{
	pid_t child;

	prepare();
	child = begin_old_one(whole);
	while (hear(word) && word->kind != STANDS && word->kind != OVER)
		;
	return child;
}

#endif
