/* SPDX-License-Identifier: BSD-3-Clause */
/* Shadows and mail, each against a plain list. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "channel/mailbox.h"
#include "channel/shadow.h"
#include "snapshot/ledger.h"

static uint64_t state = 88172645463325252u;

static unsigned draw(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % below;
}

static void try_shadows(uint64_t first, uint64_t apart)
{
	enum { HANDLES = 500 };
	size_t others = 0;
	struct shadow_table table;
	bool live[HANDLES] = {false};
	CU_ASSERT_FATAL(shadow_open(&table));
	for (int i = 0; i < 200000; i++) {
		unsigned at = draw(i % 40000 < 20000 ? HANDLES : 20);
		uint64_t handle = first + at * apart;
		struct shadow *shadow = shadow_find(&table, handle);
		if ((shadow != NULL) != live[at] || (shadow && shadow->extra != at)) {
			CU_FAIL("found and not found differ from the list");
			break;
		}
		if (shadow && draw(2)) {
			shadow_drop(&table, shadow);
			live[at] = false;
		} else if (!shadow && draw(2) && (shadow = shadow_add_at_home(&table, handle))) {
			*shadow = (struct shadow){.handle = handle, .extra = at};
			live[at] = true;
		} else if (!shadow) {
			shadow = shadow_add(&table, handle);
			CU_ASSERT_PTR_NOT_NULL_FATAL(shadow);
			if (shadow->handle != handle || shadow->key != 0 || shadow->flags != 0)
				CU_FAIL("a new shadow is empty but for its handle");
			shadow->extra = at;
			live[at] = true;
		}
		others += table.others.used != 0;
	}
	CU_ASSERT_NOT_EQUAL(others, 0);
	size_t alive = 0, walked = 0;
	for (int i = 0; i < HANDLES; i++)
		alive += live[i];
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&table, shadow));) {
		walked++;
		CU_ASSERT_TRUE(live[shadow->extra]);
		shadow_drop(&table, shadow); /* on the way */
	}
	CU_ASSERT_EQUAL(walked, alive);
	CU_ASSERT_EQUAL(table.used, 0);
	CU_ASSERT_EQUAL(table.others.used, 0);
	CU_ASSERT_PTR_NULL(shadow_next(&table, NULL));
	shadow_close(&table);
}

static void test_shadows_are_found_and_dropped_like_in_a_list(void)
{
	try_shadows(UINT64_C(0x7f0000000000), 192); /* addresses */
	try_shadows(UINT64_C(0x98000000), 1);       /* numbers */
	try_shadows(UINT64_C(0x7f0000000000), 1 << 26); /* all with the same home */
}

static struct mail *mail(struct mailbox *mailbox, unsigned comm, unsigned source, unsigned tag, uint64_t turn)
{
	struct mail *new = mail_new(8);
	new->key = ledger_key(comm, source, tag);
	new->source = source;
	new->tag = tag;
	new->turn = turn;
	new->position = (int64_t)turn;
	mailbox_put(mailbox, new);
	return new;
}

static void test_mail_is_found_in_order_of_taking(void)
{
	struct mailbox mailbox = {0};
	mail(&mailbox, 0, 1, 5, 30);
	struct mail *first = mail(&mailbox, 0, 1, 5, 10);
	struct mail *other = mail(&mailbox, 0, 2, 5, 20);
	mail(&mailbox, 1, 1, 5, 1);
	struct mail *last = mail(&mailbox, 0, 3, 6, 40);
	CU_ASSERT_EQUAL(mailbox.count, 5);
	CU_ASSERT_PTR_EQUAL(mailbox_find(&mailbox, 0, -1, -1), first);
	CU_ASSERT_PTR_EQUAL(mailbox_find(&mailbox, 0, 1, 5), first);
	CU_ASSERT_PTR_EQUAL(mailbox_find(&mailbox, 0, 2, -1), other);
	CU_ASSERT_PTR_EQUAL(mailbox_find(&mailbox, 0, -1, 6), last);
	CU_ASSERT_PTR_NULL(mailbox_find(&mailbox, 0, 3, 5));
	CU_ASSERT_PTR_NULL(mailbox_find(&mailbox, 2, -1, -1));
	mailbox_remove(&mailbox, first);
	mail_free(first);
	CU_ASSERT_EQUAL(mailbox_find(&mailbox, 0, 1, -1)->turn, 30);
	mailbox_remove(&mailbox, last);
	mail_free(last);
	mail(&mailbox, 0, 4, 0, 50);
	CU_ASSERT_EQUAL(mailbox.last->turn, 50);
	CU_ASSERT_EQUAL(mailbox.count, 4);
	mailbox_close(&mailbox);
	CU_ASSERT_EQUAL(mailbox.count, 0);
}

static void test_mail_waits_for_its_communicator_and_goes_with_it(void)
{
	struct mailbox mailbox = {0};
	struct mail *waiting = mail(&mailbox, 0, 1, 5, 1);
	waiting->unknown = true;
	waiting->comm_name = 77;
	mail(&mailbox, 0, 2, 5, 2);
	CU_ASSERT_EQUAL(mailbox_find(&mailbox, 0, -1, -1)->turn, 2);
	CU_ASSERT_EQUAL(mailbox_adopt(&mailbox, 78, 3), 0);
	CU_ASSERT_EQUAL(mailbox_adopt(&mailbox, 77, 3), 1);
	CU_ASSERT_PTR_EQUAL(mailbox_find(&mailbox, 3, 1, 5), waiting);
	CU_ASSERT_EQUAL(waiting->key, ledger_key(3, 1, 5));
	struct ledger ledger;
	CU_ASSERT_FATAL(ledger_open(&ledger));
	mailbox_forget(&mailbox, &ledger, 3);
	CU_ASSERT_PTR_NULL(mailbox_find(&mailbox, 3, -1, -1));
	CU_ASSERT_EQUAL(mailbox.count, 1);
	CU_ASSERT_EQUAL(ledger_stream(&ledger.seen, ledger_key(3, 1, 5))->seen, 1);
	/* What a receive waits for is found by nobody else; what MPI still writes into stays. */
	struct mail *taken = mailbox_find(&mailbox, 0, 2, 5);
	taken->taken = true;
	CU_ASSERT_PTR_NULL(mailbox_find(&mailbox, 0, -1, -1));
	taken->arriving = 64;
	mailbox_forget(&mailbox, &ledger, 0);
	CU_ASSERT_EQUAL(mailbox.count, 0);
	CU_ASSERT_PTR_EQUAL_FATAL(mailbox.forgotten, taken);
	mailbox.forgotten = NULL;
	mail_free(taken);
	ledger_close(&ledger);
	mailbox_close(&mailbox);
}

static int64_t moved(void *context, uint64_t key)
{
	return key == *(uint64_t *)context ? 10 : 0;
}

static void test_mail_moves_with_the_base_of_its_stream(void)
{
	struct mailbox mailbox = {0};
	struct mail *one = mail(&mailbox, 0, 1, 5, 7), *two = mail(&mailbox, 0, 1, 6, 8);
	uint64_t key = one->key;
	mailbox_rebase(&mailbox, moved, &key);
	CU_ASSERT_EQUAL(one->position, -3);
	CU_ASSERT_EQUAL(two->position, 8);
	mailbox_close(&mailbox);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("shadows and mail", NULL, NULL);
	CU_add_test(suite, "shadows are found and dropped like in a list", test_shadows_are_found_and_dropped_like_in_a_list);
	CU_add_test(suite, "mail is found in order of taking", test_mail_is_found_in_order_of_taking);
	CU_add_test(suite, "mail waits for its communicator, and goes with it", test_mail_waits_for_its_communicator_and_goes_with_it);
	CU_add_test(suite, "mail moves with the base of its stream", test_mail_moves_with_the_base_of_its_stream);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
