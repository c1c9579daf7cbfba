/* SPDX-License-Identifier: BSD-3-Clause */
/* What tests of several lives on one folder, whose locks are not to be believed, have in common. Included once per program, which defines call_begin (tests/fault/calls.h). */
#ifndef TEST_LIVES_H
#define TEST_LIVES_H

#include "suites.h"
#include "../fault/calls.h"
#define URING_UNTOUCHED
#include "../fault/uring.h"
#include "test_world.h"

static char folder[256];
static atomic_bool armed;
static atomic_int calls; /* since it was armed */
static int at;           /* the call that something happens at */
static unsigned wrong;
static struct store_checkpoint found;

static void complain(const char *what, const char *text)
{
	if (wrong++ < 20)
		printf("\n  call %d: %s: %s", at, what, text);
}

static void call_end(const struct call *call, long result)
{
	(void)call;
	(void)result;
}

static bool uring_refused(void)
{
	return true;
}

static bool is_listed(uint64_t number, uint32_t life)
{
	return !access(io_path("%s/%07" PRIu64 ".L%02" PRIu32 "/manifest.json", folder, number, life).text, F_OK);
}

/* Whatever is listed is whole with all that it needs. */
static void check_folder(struct store *store)
{
	struct fault fault = FAULT_NONE;
	uint64_t below = UINT64_MAX;

	for (; !store_newest(store, below, &found, &fault); below = found.number)
		if (!world_comes_back(&found, &fault) || !world_is_proven(&found))
			complain("what is listed is not whole", fault.text);
	if (fault.code != SEAMARK_E_NOT_FOUND)
		complain("what is listed cannot be read", fault.text);
}

static void begin(void)
{
	/* Not on a disk: none of this outlives a machine. */
	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	fixture_folder(folder);
	snprintf(calls_root, sizeof calls_root, "%s", folder);
	calls_locks_lie = true;
	wrong = 0;
}

static void end(void)
{
	fixture_remove(folder);
}

#endif
