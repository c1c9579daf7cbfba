/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of communicators are the same on every member, differ from each other, and are found again after a restart in which
 * temporary communicators are made in other numbers. */
#include <CUnit/Basic.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/comms.h"

static int rank, size;
static struct ledger ledger;

static MPI_Comm by_all(MPI_Comm parent, MPI_Comm made, struct comms_making making)
{
	(void)parent;
	if (made != MPI_COMM_NULL)
		CU_ASSERT_NOT_EQUAL_FATAL(comms_made(&making, made, NULL), LEDGER_NO_COMM);
	return made;
}

static MPI_Comm dup(MPI_Comm parent)
{
	MPI_Comm made;
	struct comms_making making = comms_making(parent, COMMS_BY_ALL);
	PMPI_Comm_dup(parent, &made);
	return by_all(parent, made, making);
}

static MPI_Comm split(MPI_Comm parent, int color, int key)
{
	MPI_Comm made;
	struct comms_making making = comms_making(parent, COMMS_BY_ALL);
	PMPI_Comm_split(parent, color, key, &made);
	return by_all(parent, made, making);
}

/* Only ranks below `below` call it. */
static MPI_Comm group(int below)
{
	MPI_Comm made;
	MPI_Group all, some;
	PMPI_Comm_group(MPI_COMM_WORLD, &all);
	int range[1][3] = {{0, below - 1, 1}};
	PMPI_Group_range_incl(all, 1, range, &some);
	struct comms_making making = comms_making(MPI_COMM_WORLD, COMMS_BY_GROUP);
	PMPI_Comm_create_group(MPI_COMM_WORLD, some, 3, &made);
	PMPI_Group_free(&all);
	PMPI_Group_free(&some);
	return by_all(MPI_COMM_WORLD, made, making);
}

static MPI_Comm bridge(MPI_Comm local)
{
	MPI_Comm made;
	struct comms_making making = comms_making(local, COMMS_BY_BRIDGE);
	/* The parts are split in falling order: the other one's leader is the last rank, or the one before. */
	PMPI_Intercomm_create(local, 0, MPI_COMM_WORLD, (size - 1) % 2 == rank % 2 ? size - 2 : size - 1, 9, &made);
	return by_all(local, made, making);
}

static void release(MPI_Comm *comm)
{
	int index = comms_index(*comm);
	PMPI_Comm_free(comm);
	comms_freed(index);
}

/* The name is what every member has; the sum of `first` over the members is one, and so is the count of members. */
static void same_everywhere(MPI_Comm comm)
{
	char mine[COMMS_NAME_BYTES] = "", all[64 * COMMS_NAME_BYTES];
	int index = comms_index(comm), inter, first, firsts = 0, others = 0, peers;
	CU_ASSERT_NOT_EQUAL_FATAL(index, LEDGER_NO_COMM);
	CU_ASSERT_EQUAL(comms_handle(index), comm);
	snprintf(mine, sizeof mine, "%s", comms_name(index));
	PMPI_Comm_test_inter(comm, &inter);
	if (inter)
		PMPI_Comm_remote_size(comm, &peers);
	else
		PMPI_Comm_size(comm, &peers);
	PMPI_Allgather(mine, sizeof mine, MPI_CHAR, all, sizeof mine, MPI_CHAR, comm);
	for (int i = 0; i < peers; i++)
		CU_ASSERT_STRING_EQUAL(all + i * COMMS_NAME_BYTES, mine);
	CU_ASSERT_EQUAL(ledger.comms[index].peers, peers);
	CU_ASSERT_EQUAL(ledger.comms[index].name, comms_key(mine));
	first = ledger.comms[index].first;
	PMPI_Allreduce(&first, &firsts, 1, MPI_INT, MPI_SUM, comm);
	if (inter) {
		MPI_Comm merged;
		PMPI_Intercomm_merge(comm, rank % 2, &merged);
		PMPI_Comm_size(merged, &others);
		PMPI_Allreduce(&first, &firsts, 1, MPI_INT, MPI_SUM, merged);
		PMPI_Comm_free(&merged);
	} else {
		others = peers;
	}
	CU_ASSERT_EQUAL(firsts, 1);
	CU_ASSERT_EQUAL(ledger.comms[index].members, others);
}

static void different(MPI_Comm one, MPI_Comm other)
{
	CU_ASSERT_NOT_EQUAL(comms_index(one), comms_index(other));
	CU_ASSERT_STRING_NOT_EQUAL(comms_name(comms_index(one)), comms_name(comms_index(other)));
}

static void test_all_members_make_the_same_name(void)
{
	MPI_Comm made[6];
	/* Some ranks make communicators that others do not: nothing shifts. */
	MPI_Comm alone = rank == 0 ? dup(MPI_COMM_SELF) : MPI_COMM_NULL;
	MPI_Comm few = rank < (size + 1) / 2 ? group((size + 1) / 2) : MPI_COMM_NULL;
	made[0] = dup(MPI_COMM_WORLD);
	made[1] = split(MPI_COMM_WORLD, rank % 2, -rank);
	made[2] = dup(made[1]);
	made[3] = split(made[0], 0, rank);
	made[4] = group(size);
	made[5] = group(size);
	for (int i = 0; i < 6; i++) {
		same_everywhere(made[i]);
		for (int j = 0; j < i; j++)
			different(made[i], made[j]);
	}
	if (few != MPI_COMM_NULL)
		same_everywhere(few);
	/* The two parts of a split are different ones. */
	uint64_t key = ledger.comms[comms_index(made[1])].name, keys[64];
	PMPI_Allgather(&key, 1, MPI_UINT64_T, keys, 1, MPI_UINT64_T, MPI_COMM_WORLD);
	for (int i = 0; i < size; i++)
		CU_ASSERT_EQUAL(keys[i] == key, i % 2 == rank % 2);
	if (size > 1) {
		MPI_Comm two[2] = {bridge(made[1]), bridge(made[1])};
		same_everywhere(two[0]);
		same_everywhere(two[1]);
		different(two[0], two[1]);
		MPI_Comm deep = dup(two[0]);
		same_everywhere(deep);
		release(&deep);
		release(&two[0]);
		release(&two[1]);
	}
	for (int i = 0; i < 6; i++)
		release(&made[i]);
	if (few != MPI_COMM_NULL)
		release(&few);
	if (alone != MPI_COMM_NULL)
		release(&alone);
}

static void test_handles_are_found_whatever_was_freed(void)
{
	enum { MANY = 40 };
	MPI_Comm made[MANY];
	int at[MANY];
	for (int i = 0; i < MANY; i++) {
		made[i] = dup(MPI_COMM_SELF);
		at[i] = comms_index(made[i]);
	}
	for (int i = 0; i < MANY; i += 3) {
		MPI_Comm was = made[i];
		release(&made[i]);
		CU_ASSERT_EQUAL(comms_index(was), LEDGER_NO_COMM);
		CU_ASSERT_EQUAL(comms_handle(at[i]), MPI_COMM_NULL);
	}
	for (int i = 0; i < MANY; i++)
		if (made[i] != MPI_COMM_NULL) {
			CU_ASSERT_EQUAL(comms_index(made[i]), at[i]);
			release(&made[i]);
		}
	CU_ASSERT_EQUAL(comms_index(MPI_COMM_NULL), LEDGER_NO_COMM);
	CU_ASSERT_EQUAL(comms_index((MPI_Comm)0), LEDGER_NO_COMM);
}

static void test_a_path_that_grows_long_stays_a_name(void)
{
	enum { DEEP = 80 };
	MPI_Comm chain[DEEP];
	chain[0] = dup(MPI_COMM_WORLD);
	for (int i = 1; i < DEEP; i++) {
		chain[i] = dup(chain[i - 1]);
		CU_ASSERT_STRING_NOT_EQUAL(comms_name(comms_index(chain[i])), comms_name(comms_index(chain[i - 1])));
	}
	same_everywhere(chain[DEEP - 1]);
	for (int i = 0; i < DEEP; i++)
		release(&chain[i]);
}

static void reopen(void)
{
	comms_close();
	ledger_close(&ledger);
	CU_ASSERT_TRUE_FATAL(ledger_open(&ledger));
	CU_ASSERT_EQUAL_FATAL(comms_open(&ledger, NULL), 0);
}

static struct comms_old old_of(int index)
{
	return (struct comms_old){strdup(comms_name(index)), strdup(comms_label(index)), ledger.comms[index].kind, comms_members(index),
				  ledger.comms[index].nameless};
}

static void free_olds(struct comms_old *olds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free((char *)olds[i].name);
		free((char *)olds[i].label);
	}
}

static void is_named(MPI_Comm comm, const struct comms_old *old)
{
	CU_ASSERT_STRING_EQUAL(comms_name(comms_index(comm)), old->name);
	CU_ASSERT_EQUAL(ledger.comms[comms_index(comm)].name, comms_key(old->name));
}

static void test_names_are_found_again_after_a_restart(void)
{
	/* A first life: three dups of the world, of which the first is freed; a part, and its dup; one with a label. */
	reopen();
	MPI_Comm temporary = dup(MPI_COMM_WORLD), one = dup(MPI_COMM_WORLD), part = split(MPI_COMM_WORLD, rank % 2, rank);
	MPI_Comm below = dup(part), two = dup(MPI_COMM_WORLD), labelled = dup(MPI_COMM_WORLD);
	comms_labelled(labelled, "solver");
	release(&temporary);
	struct comms_old olds[7] = {old_of(comms_index(MPI_COMM_WORLD)), old_of(comms_index(MPI_COMM_SELF)), old_of(comms_index(one)),
				    old_of(comms_index(part)), old_of(comms_index(below)), old_of(comms_index(two)),
				    old_of(comms_index(labelled))};
	MPI_Comm *all[] = {&one, &part, &below, &two, &labelled};
	for (int i = 0; i < 5; i++)
		release(all[i]);
	/* The second makes no temporary one, the labelled one first, and `two` and one that is new only after the restore. */
	reopen();
	labelled = dup(MPI_COMM_WORLD);
	comms_labelled(labelled, "solver");
	one = dup(MPI_COMM_WORLD);
	part = split(MPI_COMM_WORLD, rank % 2, rank);
	below = dup(part);
	CU_ASSERT_EQUAL(comms_restore(olds, 7, NULL), 0);
	two = dup(MPI_COMM_WORLD);
	MPI_Comm further = dup(MPI_COMM_WORLD);
	is_named(one, &olds[2]);
	is_named(part, &olds[3]);
	is_named(below, &olds[4]);
	is_named(two, &olds[5]);
	is_named(labelled, &olds[6]);
	same_everywhere(further);
	for (int i = 0; i < 7; i++)
		CU_ASSERT_STRING_NOT_EQUAL(comms_name(comms_index(further)), olds[i].name);
	for (int i = 0; i < 5; i++)
		release(all[i]);
	release(&further);
	free_olds(olds, 7);
	reopen();
}

static void test_other_members_do_not_take_an_old_name(void)
{
	reopen();
	MPI_Comm part = split(MPI_COMM_WORLD, rank < size / 2, rank);
	struct comms_old old = old_of(comms_index(part));
	release(&part);
	/* Rank 0 leads its part in both lives; on two ranks the parts are the same. */
	reopen();
	part = split(MPI_COMM_WORLD, rank % 2, rank);
	CU_ASSERT_EQUAL(comms_restore(&old, 1, NULL), 0);
	same_everywhere(part);
	CU_ASSERT_EQUAL(strcmp(comms_name(comms_index(part)), old.name) == 0, size <= 2);
	release(&part);
	free_olds(&old, 1);
	reopen();
}

static void test_what_is_made_after_the_first_safepoint_needs_a_label(void)
{
	reopen();
	MPI_Comm before = dup(MPI_COMM_WORLD);
	comms_settled();
	MPI_Comm after = dup(MPI_COMM_WORLD);
	CU_ASSERT_FALSE(ledger.comms[comms_index(before)].nameless);
	CU_ASSERT_TRUE(ledger.comms[comms_index(after)].nameless);
	comms_labelled(after, "late");
	CU_ASSERT_FALSE(ledger.comms[comms_index(after)].nameless);
	struct comms_old olds[1] = {old_of(comms_index(after))};
	release(&before);
	release(&after);
	reopen();
	CU_ASSERT_EQUAL(comms_restore(olds, 1, NULL), 0);
	comms_settled();
	before = dup(MPI_COMM_SELF);
	after = dup(MPI_COMM_WORLD);
	comms_labelled(after, "late");
	is_named(after, &olds[0]);
	release(&before);
	release(&after);
	free_olds(olds, 1);
	reopen();
}

/* Members know different things of a communicator: whether it was made before their first safepoint, and a label is theirs alone. */
static void test_members_that_know_different_things_agree(void)
{
	reopen();
	MPI_Comm mixed = dup(MPI_COMM_WORLD), labelled = dup(MPI_COMM_WORLD), lost = dup(MPI_COMM_WORLD), last = dup(MPI_COMM_WORLD);
	MPI_Comm *all[] = {&mixed, &labelled, &lost, &last};
	if (rank == 0)
		comms_labelled(labelled, "of rank 0");
	struct comms_old olds[4];
	for (int i = 0; i < 4; i++)
		olds[i] = old_of(comms_index(*all[i]));
	olds[0].nameless = rank % 2 == 1;
	olds[2].nameless = true;
	for (int i = 0; i < 4; i++)
		release(all[i]);
	reopen();
	CU_ASSERT_EQUAL(comms_restore(olds, 4, NULL), 0);
	mixed = dup(MPI_COMM_WORLD);
	labelled = dup(MPI_COMM_WORLD);
	if (rank == 0)
		comms_labelled(labelled, "of rank 0");
	last = dup(MPI_COMM_WORLD);
	MPI_Comm further = dup(MPI_COMM_WORLD);
	is_named(mixed, &olds[0]);
	is_named(labelled, &olds[1]);
	is_named(last, &olds[3]);
	same_everywhere(further);
	CU_ASSERT_STRING_NOT_EQUAL(comms_name(comms_index(further)), olds[2].name);
	release(&mixed);
	release(&labelled);
	release(&last);
	release(&further);
	free_olds(olds, 4);
	reopen();
}

/* Some label at once, others later: it is the same in the end. */
static void test_when_a_member_labels_does_not_matter(void)
{
	reopen();
	MPI_Comm labelled = dup(MPI_COMM_WORLD), plain = dup(MPI_COMM_WORLD), below = dup(plain);
	comms_labelled(labelled, "halo");
	struct comms_old olds[3] = {old_of(comms_index(labelled)), old_of(comms_index(plain)), old_of(comms_index(below))};
	release(&labelled);
	release(&plain);
	release(&below);
	reopen();
	CU_ASSERT_EQUAL(comms_restore(olds, 3, NULL), 0);
	plain = dup(MPI_COMM_WORLD);
	labelled = dup(MPI_COMM_WORLD);
	if (rank % 2)
		comms_labelled(labelled, "halo");
	below = dup(plain);
	MPI_Comm further = dup(MPI_COMM_WORLD);
	if (rank % 2 == 0)
		comms_labelled(labelled, "halo");
	is_named(labelled, &olds[0]);
	is_named(plain, &olds[1]);
	is_named(below, &olds[2]);
	same_everywhere(further);
	release(&labelled);
	release(&plain);
	release(&below);
	release(&further);
	free_olds(olds, 3);
	reopen();
}

static void test_a_temporary_one_gives_its_name_back(void)
{
	reopen();
	MPI_Comm temporary = dup(MPI_COMM_WORLD), one = dup(MPI_COMM_WORLD), two = dup(MPI_COMM_WORLD);
	release(&temporary);
	struct comms_old olds[2] = {old_of(comms_index(one)), old_of(comms_index(two))};
	release(&one);
	release(&two);
	reopen();
	CU_ASSERT_EQUAL(comms_restore(olds, 2, NULL), 0);
	temporary = dup(MPI_COMM_WORLD);
	one = dup(MPI_COMM_WORLD);
	release(&temporary);
	is_named(one, &olds[0]);
	two = dup(MPI_COMM_WORLD);
	is_named(two, &olds[1]);
	release(&one);
	release(&two);
	free_olds(olds, 2);
	reopen();
}

/* As MPI_Comm_idup, which members may find complete in any order. */
static void test_the_order_of_completion_does_not_matter(void)
{
	reopen();
	MPI_Comm made[2] = {dup(MPI_COMM_WORLD), dup(MPI_COMM_WORLD)};
	struct comms_old olds[2] = {old_of(comms_index(made[rank % 2])), old_of(comms_index(made[!(rank % 2)]))};
	release(&made[0]);
	release(&made[1]);
	reopen();
	CU_ASSERT_EQUAL(comms_restore(olds, 2, NULL), 0);
	struct comms_making making[2];
	for (int i = 0; i < 2; i++) {
		making[i] = comms_making(MPI_COMM_WORLD, COMMS_BY_ALL);
		PMPI_Comm_dup(MPI_COMM_WORLD, &made[i]);
	}
	for (int i = 0; i < 2; i++) {
		int which = (i + rank) % 2;
		CU_ASSERT_NOT_EQUAL(comms_made(&making[which], made[which], NULL), LEDGER_NO_COMM);
	}
	is_named(made[rank % 2], &olds[0]);
	is_named(made[!(rank % 2)], &olds[1]);
	release(&made[0]);
	release(&made[1]);
	free_olds(olds, 2);
	reopen();
}

int main(int argc, char **argv)
{
	PMPI_Init(&argc, &argv);
	PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
	PMPI_Comm_size(MPI_COMM_WORLD, &size);
	if (!ledger_open(&ledger) || comms_open(&ledger, NULL) < 0 || CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	CU_pSuite suite = CU_add_suite("comms", NULL, NULL);
	CU_ADD_TEST(suite, test_all_members_make_the_same_name);
	CU_ADD_TEST(suite, test_handles_are_found_whatever_was_freed);
	CU_ADD_TEST(suite, test_a_path_that_grows_long_stays_a_name);
	CU_ADD_TEST(suite, test_names_are_found_again_after_a_restart);
	CU_ADD_TEST(suite, test_other_members_do_not_take_an_old_name);
	CU_ADD_TEST(suite, test_what_is_made_after_the_first_safepoint_needs_a_label);
	CU_ADD_TEST(suite, test_members_that_know_different_things_agree);
	CU_ADD_TEST(suite, test_when_a_member_labels_does_not_matter);
	CU_ADD_TEST(suite, test_a_temporary_one_gives_its_name_back);
	CU_ADD_TEST(suite, test_the_order_of_completion_does_not_matter);
	CU_basic_set_mode(rank ? CU_BRM_SILENT : CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	comms_close();
	ledger_close(&ledger);
	PMPI_Finalize();
	return failures != 0;
}
