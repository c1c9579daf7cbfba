/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits of memory and CPU time, read from trees of files like the kernel's: both versions of control groups, any height. */
#include <CUnit/Basic.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "suites.h"

#define GIB (UINT64_C(1) << 30)

static char root[64];

static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
}

static void put(const char *name, const char *format, ...)
{
	char path[1000];
	va_list list;
	FILE *file;

	snprintf(path, sizeof path, "%s%s", root, name);
	make_folders(path);
	file = fopen(path, "w");
	if (!file) {
		perror(path);
		abort();
	}
	va_start(list, format);
	vfprintf(file, format, list);
	va_end(list);
	fclose(file);
}

static void new_root(void)
{
	strcpy(root, "/tmp/seamark-limits-XXXXXX");
	if (!mkdtemp(root))
		abort();
	put("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    8388608 kB\n");
}

static void end_root(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf '%s'", root);
	if (system(command))
		abort();
}

static void put_v2(const char *group)
{
	put("/proc/self/cgroup", "0::%s\n", group);
	put("/proc/self/mountinfo", "22 27 0:21 / /proc rw - proc proc rw\n"
		"35 31 0:32 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
}

static void without_groups_the_machine_is_the_limit(void)
{
	struct limits_memory memory;

	new_root();
	memory = limits_memory(root);
	CU_ASSERT_EQUAL(memory.left, 8 * GIB);
	CU_ASSERT_EQUAL(memory.whole, 16 * GIB);
	CU_ASSERT_TRUE(isinf(limits_cpus(root)));
	end_root();
}

static void without_proc_nothing_is_known(void)
{
	struct limits_memory memory = limits_memory("/nowhere/at/all");

	CU_ASSERT_EQUAL(memory.left, UINT64_MAX);
	CU_ASSERT_TRUE(isinf(limits_cpus("/nowhere/at/all")));
}

static void version_2_counts_at_any_height(void)
{
	struct limits_memory memory;

	new_root();
	put_v2("/slice/job/task");
	put("/sys/fs/cgroup/slice/job/task/memory.max", "max\n");
	put("/sys/fs/cgroup/slice/job/task/memory.current", "1000\n");
	put("/sys/fs/cgroup/slice/job/memory.max", "%llu\n", 4ULL * GIB);
	put("/sys/fs/cgroup/slice/job/memory.current", "%llu\n", 3ULL * GIB);
	put("/sys/fs/cgroup/slice/job/memory.stat", "anon 5\nfile 7\ninactive_file %llu\nactive_file %llu\n",
	    (unsigned long long)GIB, (unsigned long long)GIB / 2);
	put("/sys/fs/cgroup/slice/memory.max", "%llu\n", 12ULL * GIB);
	put("/sys/fs/cgroup/slice/memory.current", "%llu\n", 6ULL * GIB);
	put("/sys/fs/cgroup/slice/job/task/cpu.max", "max 100000\n");
	put("/sys/fs/cgroup/slice/job/cpu.max", "250000 100000\n");
	put("/sys/fs/cgroup/slice/cpu.max", "400000 100000\n");
	memory = limits_memory(root);
	CU_ASSERT_EQUAL(memory.left, 2 * GIB + GIB / 2);
	CU_ASSERT_EQUAL(memory.whole, 4 * GIB);
	CU_ASSERT_DOUBLE_EQUAL(limits_cpus(root), 2.5, 1e-9);
	end_root();
}

static void version_1_with_controllers_mounted_apart(void)
{
	struct limits_memory memory;

	new_root();
	put("/proc/self/cgroup", "9:name=systemd:/\n4:memory:/jobs/7\n3:cpuset:/x\n1:cpuacct,cpu:/jobs/8\n0::/\n");
	put("/proc/self/mountinfo", "35 31 0:32 / /cg/memory rw,relatime - cgroup cgroup rw,memory\n"
		"33 31 0:30 / /cg/cpu\\040time rw,relatime - cgroup cgroup rw,cpuacct,cpu\n"
		"34 31 0:31 / /cg/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
		"41 31 0:38 / /cg/unified rw,relatime - cgroup2 cgroup2 rw\n");
	put("/cg/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("/cg/memory/memory.usage_in_bytes", "%llu\n", 15ULL * GIB);
	put("/cg/memory/jobs/7/memory.limit_in_bytes", "%llu\n", 2ULL * GIB);
	put("/cg/memory/jobs/7/memory.usage_in_bytes", "%llu\n", (unsigned long long)GIB);
	put("/cg/memory/jobs/7/memory.stat", "inactive_file 1\nactive_file 1\ntotal_inactive_file 1024\ntotal_active_file 2048\n");
	put("/cg/cpu time/jobs/8/cpu.cfs_quota_us", "-1\n");
	put("/cg/cpu time/jobs/8/cpu.cfs_period_us", "100000\n");
	put("/cg/cpu time/jobs/cpu.cfs_quota_us", "50000\n");
	put("/cg/cpu time/jobs/cpu.cfs_period_us", "100000\n");
	memory = limits_memory(root);
	CU_ASSERT_EQUAL(memory.left, GIB + 3072);
	CU_ASSERT_EQUAL(memory.whole, 2 * GIB);
	CU_ASSERT_DOUBLE_EQUAL(limits_cpus(root), 0.5, 1e-9);
	end_root();
}

/* A container sees its own group at the mount point, under the name that the host gave it. */
static void a_container_s_part_of_the_hierarchy_is_found(void)
{
	new_root();
	put("/proc/self/cgroup", "0::/docker/abc/inner\n");
	put("/proc/self/mountinfo", "35 31 0:32 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n");
	put("/sys/fs/cgroup/inner/memory.max", "%llu\n", 3ULL * GIB);
	put("/sys/fs/cgroup/inner/memory.current", "%llu\n", (unsigned long long)GIB);
	put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
	CU_ASSERT_EQUAL(limits_memory(root).left, 2 * GIB);
	CU_ASSERT_DOUBLE_EQUAL(limits_cpus(root), 1.0, 1e-9);
	put("/proc/self/cgroup", "0::/docker/abcdef\n"); /* not a part of it: the mount point is the nearest */
	CU_ASSERT_EQUAL(limits_memory(root).left, 8 * GIB);
	CU_ASSERT_DOUBLE_EQUAL(limits_cpus(root), 1.0, 1e-9);
	put("/proc/self/cgroup", "0::/docker/abc/../other\n");
	CU_ASSERT_DOUBLE_EQUAL(limits_cpus(root), 1.0, 1e-9);
	end_root();
}

static void a_group_over_its_limit_has_nothing_left(void)
{
	new_root();
	put_v2("/");
	put("/sys/fs/cgroup/memory.max", "1000\n");
	put("/sys/fs/cgroup/memory.current", "2000\n");
	CU_ASSERT_EQUAL(limits_memory(root).left, 0);
	end_root();
}

static void rubbish_limits_nothing(void)
{
	static const char *const rubbish[] = { "", "\n", ":::", "0::", "a b c d e - ", "1 2 3 4 5 - cgroup2", "0:", " - - - ",
		"1 2 3 4 5 - cgroup2 x", "0::relative" };
	const size_t count = sizeof rubbish / sizeof rubbish[0];

	new_root();
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			put("/proc/self/cgroup", "%s\n", rubbish[i]);
			put("/proc/self/mountinfo", "%s\n", rubbish[j]);
			CU_ASSERT_EQUAL(limits_memory(root).left, 8 * GIB);
			CU_ASSERT_TRUE(isinf(limits_cpus(root)));
		}
	put_v2("/");
	put("/sys/fs/cgroup/cpu.max", "100000 0\n");
	put("/sys/fs/cgroup/memory.max", "much\n");
	CU_ASSERT_EQUAL(limits_memory(root).left, 8 * GIB);
	CU_ASSERT_TRUE(isinf(limits_cpus(root)));
	end_root();
}

static void this_machine_is_read(void)
{
	struct limits_memory memory = limits_memory("");

	CU_ASSERT_TRUE(memory.left > 0 && memory.left <= memory.whole);
	CU_ASSERT_TRUE(limits_cpus("") > 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "without groups the machine is the limit", without_groups_the_machine_is_the_limit },
		{ "without proc nothing is known", without_proc_nothing_is_known },
		{ "version 2 counts at any height", version_2_counts_at_any_height },
		{ "version 1 with controllers mounted apart", version_1_with_controllers_mounted_apart },
		{ "a container's part of the hierarchy is found", a_container_s_part_of_the_hierarchy_is_found },
		{ "a group over its limit has nothing left", a_group_over_its_limit_has_nothing_left },
		{ "rubbish limits nothing", rubbish_limits_nothing },
		{ "this machine is read", this_machine_is_read },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "limits", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
