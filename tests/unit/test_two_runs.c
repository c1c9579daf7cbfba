/* SPDX-License-Identifier: BSD-3-Clause */
/* Two runs on one folder whose locks are not to be believed: both are given to everybody. At each call that the one makes, from the start of its life to the retention after
 * its second checkpoint, the other begins and takes a checkpoint. One of them goes on and the other commits nothing more; what was
 * reported as committed stays, whole, and nothing else is listed. */
#include <CUnit/Basic.h>

#include "test_lives.h"

static struct fixture second;
static bool second_began, second_took;
static unsigned trials;

/* With nothing changed of what the first one is writing. */
static void let_the_second_begin(void)
{
	static struct fixture_world kept;
	static uint8_t still[WORLD_RANKS][WORLD_STILL], moving[WORLD_RANKS][WORLD_MOVING];
	bool begun[WORLD_RANKS];
	struct fault fault = FAULT_NONE;

	kept = world;
	memcpy(still, world_still, sizeof still);
	memcpy(moving, world_moving, sizeof moving);
	memcpy(begun, world_begun, sizeof begun);
	second_began = !world_open(&second, folder, &fault);
	second_took = second_began && world_take(&second, 0, &fault);
	if (!second_took)
		complain("the second does not begin", fault.text);
	else
		world_wait_for_retention(&second);
	world = kept;
	memcpy(world_still, still, sizeof still);
	memcpy(world_moving, moving, sizeof moving);
	memcpy(world_begun, begun, sizeof begun);
}

static long call_begin(const struct call *call)
{
	(void)call;
	if (!atomic_load(&armed) || atomic_fetch_add(&calls, 1) + 1 != at)
		return 0;
	atomic_store(&armed, false);
	let_the_second_begin();
	return 0;
}

/* What the first one is told of each of its checkpoints. */
static void take(struct fixture *first, bool *took, uint64_t *number)
{
	struct fault fault = FAULT_NONE;

	*took = world_take(first, 0, &fault);
	*number = first->next - 1;
	if (*took)
		world_wait_for_retention(first);
	else if (fault.code != SEAMARK_E_BUSY && !strstr(fault.text, folder))
		complain("void without a reason", fault.text);
}

static bool try_at(void)
{
	struct fixture first;
	struct fault fault = FAULT_NONE;
	bool took[3] = { false }, goes_on, met;
	uint64_t number[3];
	uint32_t life = 0;

	fixture_remove(folder);
	second_began = second_took = false;
	if (world_open(&first, folder, &fault) || !world_take(&first, 0, &fault))
		fixture_stop("first life", &fault);
	world_close(&first);
	atomic_store(&calls, 0);
	atomic_store(&armed, true);
	if (!world_open(&first, folder, &fault)) {
		life = first.life;
		for (int i = 0; i < 2; i++)
			take(&first, &took[i], &number[i]);
	} else if (fault.code != SEAMARK_E_BUSY) {
		complain("the first does not begin", fault.text);
	}
	met = !atomic_exchange(&armed, false);
	if (!met) {
		world_close(&first);
		return false;
	}
	if (life)
		take(&first, &took[2], &number[2]);
	goes_on = second_began && world_take(&second, 0, &fault);
	if (took[2] == goes_on)
		complain(goes_on ? "both go on" : "neither goes on", fault.text);
	for (int i = 0; life && i < 3; i++)
		if (is_listed(number[i], life) != took[i])
			complain(took[i] ? "what the first committed is gone" : "what the first did not commit is listed", folder);
	if (second_took && !is_listed(goes_on ? second.next - 2 : second.next - 2, second.life))
		complain("what the second committed is gone", folder);
	if (second_began && second.life == life)
		complain("both have one number", folder);
	if (second_began)
		check_folder(second.stores[0]);
	if (life)
		world_close(&first);
	if (second_began)
		world_close(&second);
	trials++;
	return true;
}

static void one_of_two_goes_on(void)
{
	for (at = 1; try_at(); at++)
		;
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(trials > 50);
	printf(" (%u trials)", trials);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "one of two goes on", one_of_two_goes_on },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "two runs on one folder", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
