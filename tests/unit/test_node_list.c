/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of nodes and slots, as Slurm and launchers write them: what they say, and that anything else is refused. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "slurm/node_list.h"
#include "suites.h"

static struct node_list list;

static void is(const char *text, const char *wanted)
{
	char *names;

	CU_ASSERT_TRUE_FATAL(node_list_read(&list, text));
	names = node_list_names(&list);
	CU_ASSERT_PTR_NOT_NULL_FATAL(names);
	if (strcmp(names, wanted))
		printf("%s: %s\n", text, names);
	CU_ASSERT_STRING_EQUAL(names, wanted);
	free(names);
	node_list_free(&list);
}

static void test_names(void)
{
	is("", "");
	is("login", "login");
	is("n1,n3", "n1,n3");
	is("n[1-3]", "n1,n2,n3");
	is("n[1,3],m", "n1,n3,m");
	is("n[08-11,100]", "n08,n09,n10,n11,n100");
	is("r[1-2]n[07-08]-ib,a.b_c-d", "r1n07-ib,r1n08-ib,r2n07-ib,r2n08-ib,a.b_c-d");
}

static void test_refused(void)
{
	static const char *const bad[] = { ",", "n1,", ",n1", "n[", "n[]", "n[1", "n]1", "n[1-]", "n[-1]", "n[3-1]", "n[1,]", "n[a-b]", "n[1-3", "n[[1]]", "n 1",
					   "n[1-99999]", "n[0-9999999999]", "n(null)", "n[1-300]m[1-300]", "n;rm" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		CU_ASSERT_FALSE(node_list_read(&list, bad[i]));
		CU_ASSERT_EQUAL(list.count, 0);
	}
}

static bool slots_are(const char *text)
{
	bool read;

	CU_ASSERT_TRUE_FATAL(node_list_read(&list, "n[1-4]"));
	read = node_list_read_slots(&list, text);
	return read;
}

static void test_slots(void)
{
	static const char *const bad[] = { "", "2", "2(x3)", "2(x5)", "2(x4),1", "2,2,2,", "x", "2(4)", "2(x)", "-1(x4)", "2(x4" };

	CU_ASSERT_TRUE(slots_are("2(x4)"));
	CU_ASSERT_EQUAL(node_list_slots(&list), 8);
	node_list_free(&list);
	CU_ASSERT_TRUE(slots_are("4,2(x2),1"));
	CU_ASSERT_EQUAL(list.nodes[0].slots, 4);
	CU_ASSERT_EQUAL(list.nodes[2].slots, 2);
	CU_ASSERT_EQUAL(list.nodes[3].slots, 1);
	node_list_free(&list);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		CU_ASSERT_FALSE(slots_are(bad[i]));
		node_list_free(&list);
	}
}

static void test_hosts(void)
{
	static const char *const bad[] = { "", ":2", "h1:", "h1:0", "h1:x", "h1,", "h1,h1", "h1:2:3", "-h", "h 1", "h1;x" };
	char *counts;

	CU_ASSERT_TRUE_FATAL(node_list_read_hosts(&list, "h1:4,h2,10.0.0.3:2"));
	counts = node_list_counts(&list);
	CU_ASSERT_STRING_EQUAL(counts, "4,1,2");
	CU_ASSERT_STRING_EQUAL(list.nodes[2].name, "10.0.0.3");
	free(counts);
	node_list_free(&list);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CU_ASSERT_FALSE(node_list_read_hosts(&list, bad[i]));
}

static void cut_gives(size_t ranks, const char *names, const char *counts)
{
	struct node_list cut = { 0 };
	char *text;

	CU_ASSERT_TRUE_FATAL(node_list_copy(&cut, &list));
	CU_ASSERT_TRUE(node_list_cut(&cut, ranks));
	text = node_list_names(&cut);
	CU_ASSERT_STRING_EQUAL(text, names);
	free(text);
	text = node_list_counts(&cut);
	CU_ASSERT_STRING_EQUAL(text, counts);
	free(text);
	node_list_free(&cut);
}

static void test_cut(void)
{
	struct node_list others;

	CU_ASSERT_TRUE_FATAL(node_list_read_hosts(&list, "a:2,b:2,c:2,d:2"));
	cut_gives(1, "a", "1");
	cut_gives(4, "a,b", "2,2");
	cut_gives(5, "a,b,c", "2,2,1");
	cut_gives(8, "a,b,c,d", "2,2,2,2");
	CU_ASSERT_FALSE(node_list_cut(&list, 9));
	CU_ASSERT_FALSE(node_list_cut(&list, 0));
	CU_ASSERT_EQUAL(list.count, 4);
	CU_ASSERT_TRUE_FATAL(node_list_read(&others, "d,a,x"));
	node_list_keep(&list, &others);
	cut_gives(3, "a,d", "2,1");
	CU_ASSERT_EQUAL(list.count, 2);
	node_list_free(&others);
	node_list_free(&list);
}

int main(void)
{
	static CU_TestInfo tests[] = {
		{ "names", test_names },
		{ "names: what is not understood", test_refused },
		{ "slots", test_slots },
		{ "hosts", test_hosts },
		{ "as many as are needed", test_cut },
		CU_TEST_INFO_NULL,
	};
	static CU_SuiteInfo suites[] = {
		{ "node_list", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};

	return suites_run(suites);
}
