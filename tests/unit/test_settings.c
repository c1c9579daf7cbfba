/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings: what each value means, what is refused and in which words, which slips of the pen are told. */
#include <CUnit/Basic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/settings.h"
#include "suites.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define MIN (60 * S)
#define H (60 * MIN)

static struct settings settings;
static struct fault fault;

static int load(const char *first, const char *second)
{
	char *environment[] = { (char *)"PATH=/bin", (char *)first, (char *)second, NULL };

	fault = FAULT_NONE;
	return settings_load(&settings, environment, &fault);
}

static void the_defaults_are_those_of_the_table(void)
{
	CU_ASSERT_EQUAL(load(NULL, NULL), 0);
	CU_ASSERT_STRING_EQUAL(settings.dir, "seamark");
	CU_ASSERT_EQUAL(settings.every_steps, 0);
	CU_ASSERT_EQUAL(settings.every_ns, 0);
	CU_ASSERT_EQUAL(settings.keep, 2);
	CU_ASSERT_STRING_EQUAL(settings.restart, "newest");
	CU_ASSERT_EQUAL(settings.timeout_ns, 10 * MIN);
	CU_ASSERT_EQUAL(settings.drain_ns, 1 * S);
	CU_ASSERT_EQUAL(settings.markers, MARKERS_AUTO);
	CU_ASSERT_EQUAL(settings.capture, CAPTURE_AUTO);
	CU_ASSERT_EQUAL(settings.memory, UINT64_MAX);
	CU_ASSERT_EQUAL(settings.memory_percent, 0);
	CU_ASSERT_EQUAL(settings.signal, SIGUSR1);
	CU_ASSERT_EQUAL(settings.stop_signal, 0);
	CU_ASSERT_EQUAL(settings.log, LOG_NOTICE);
	CU_ASSERT_FALSE(settings.off);
}

static void every_row_can_read_its_own_default_and_has_words(void)
{
	size_t count;
	const struct settings_row *rows = settings_table(&count);

	CU_ASSERT_EQUAL(count, 23);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_TRUE(rows[i].read(&settings, rows[i].fallback));
		CU_ASSERT_TRUE(strlen(rows[i].type) > 0 && strlen(rows[i].range) > 0 && strlen(rows[i].help) > 0);
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(rows[i].name, rows[j].name);
	}
}

static void an_interval_is_steps_or_a_time(void)
{
	static const struct { const char *value; int64_t steps, ns; } cases[] = {
		{ "500 steps", 500, 0 },   { "500steps", 500, 0 },  { "1 step", 1, 0 },      { "  7\tSteps ", 7, 0 },
		{ "50ms", 0, 50 * MS },    { "30s", 0, 30 * S },    { "10min", 0, 10 * MIN }, { "2h", 0, 2 * H },
		{ "2 h", 0, 2 * H },       { "1.5h", 0, 90 * MIN }, { "0.1s", 0, 100 * MS },  { "0.05 ms", 0, 50000 },
		{ "0.000000001s", 0, 1 },  { "87600h", 0, 87600 * H }, { "none", 0, 0 },      { "None", 0, 0 },
		{ "1000000000000000 steps", INT64_C(1000000000000000), 0 }, { "1.00000000000000000000000001s", 0, S },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char entry[100];

		snprintf(entry, sizeof entry, "SEAMARK_EVERY=%s", cases[i].value);
		CU_ASSERT_EQUAL(load(entry, NULL), 0);
		CU_ASSERT_EQUAL(settings.every_steps, cases[i].steps);
		CU_ASSERT_EQUAL(settings.every_ns, cases[i].ns);
	}
}

static void an_interval_may_be_chosen_by_what_is_known_of_failures(void)
{
	CU_ASSERT_EQUAL(load("SEAMARK_EVERY= Auto ", NULL), 0);
	CU_ASSERT_TRUE(settings.every_auto && settings.every_ns == 0 && settings.every_steps == 0 && settings.mtbf_ns == 0);
	CU_ASSERT_EQUAL(load("SEAMARK_EVERY=auto", "SEAMARK_MTBF=36h"), 0);
	CU_ASSERT_TRUE(settings.every_auto && settings.mtbf_ns == 36 * H);
	CU_ASSERT_EQUAL(load("SEAMARK_EVERY=5s", "SEAMARK_MTBF=Learned"), 0);
	CU_ASSERT_TRUE(!settings.every_auto && settings.every_ns == 5 * S && settings.mtbf_ns == 0);
	CU_ASSERT_EQUAL(load("SEAMARK_MTBF=0", NULL), SEAMARK_E_SETTING);
	CU_ASSERT_EQUAL(load("SEAMARK_MTBF=auto", NULL), SEAMARK_E_SETTING);
	CU_ASSERT_EQUAL(load("SEAMARK_EVERY=auto 5s", NULL), SEAMARK_E_SETTING);
}

static void memory_is_a_size_a_share_or_what_is_free(void)
{
	static const struct { const char *value; uint64_t bytes, percent; } cases[] = {
		{ "512 MiB", UINT64_C(512) << 20, 0 }, { "4gib", UINT64_C(4) << 30, 0 }, { "1 TiB", UINT64_C(1) << 40, 0 },
		{ "64 KiB", 64 << 10, 0 }, { "3 KB", 3000, 0 }, { "2 MB", 2000000, 0 }, { "2GB", UINT64_C(2000000000), 0 },
		{ "1 TB", UINT64_C(1000000000000), 0 }, { "1.5 GiB", UINT64_C(3) << 29, 0 }, { "0.5 kB", 500, 0 }, { "0", 0, 0 }, { "0 MiB", 0, 0 }, { "25%", UINT64_MAX, 25 },
		{ " 100 % ", UINT64_MAX, 100 }, { "1%", UINT64_MAX, 1 }, { "Free", UINT64_MAX, 0 }, { "1048576 TiB", UINT64_C(1) << 60, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char entry[100];

		snprintf(entry, sizeof entry, "SEAMARK_MEMORY=%s", cases[i].value);
		CU_ASSERT_EQUAL(load(entry, NULL), 0);
		CU_ASSERT_EQUAL(settings.memory, cases[i].bytes);
		CU_ASSERT_EQUAL(settings.memory_percent, cases[i].percent);
	}
}

static void an_owner_is_a_name_and_a_start_may_tell_after_which_life(void)
{
	static const char *const wrong[] = { "SEAMARK_OWNER=a b", "SEAMARK_OWNER=\"", "SEAMARK_START=run after", "SEAMARK_START=run after x", "SEAMARK_START=run before 3",
		"SEAMARK_START= after 3", "SEAMARK_START=run after 4294967296" };
	char longest[200] = "SEAMARK_OWNER=";

	CU_ASSERT_EQUAL(load("SEAMARK_OWNER=slurm-big.cluster-4711", "SEAMARK_START=run-n1-77-1763760000 after 12"), 0);
	CU_ASSERT_STRING_EQUAL(settings.owner, "slurm-big.cluster-4711");
	CU_ASSERT_STRING_EQUAL(settings.start, "run-n1-77-1763760000");
	CU_ASSERT_TRUE(settings.start_fenced);
	CU_ASSERT_EQUAL(settings.start_after, 12);
	CU_ASSERT_EQUAL(load("SEAMARK_OWNER=none", "SEAMARK_START=run-n1-77-1763760000"), 0);
	CU_ASSERT_STRING_EQUAL(settings.owner, "");
	CU_ASSERT_FALSE(settings.start_fenced);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CU_ASSERT_EQUAL(load(wrong[i], NULL), SEAMARK_E_SETTING);
	memset(longest + 14, 'x', SETTINGS_NAME_MAX);
	CU_ASSERT_EQUAL(load(longest, NULL), 0);
	longest[14 + SETTINGS_NAME_MAX] = 'x';
	CU_ASSERT_EQUAL(load(longest, NULL), SEAMARK_E_SETTING);
}

static void values_that_can_be_are_taken(void)
{
	CU_ASSERT_EQUAL(load("SEAMARK_DIR=/scratch/my run ", NULL), 0);
	CU_ASSERT_STRING_EQUAL(settings.dir, "/scratch/my run ");
	CU_ASSERT_EQUAL(settings.full_every, 8);
	CU_ASSERT_EQUAL(load("SEAMARK_FULL_EVERY=64", NULL), 0);
	CU_ASSERT_EQUAL(settings.full_every, 64);
	CU_ASSERT_FALSE(settings.read_back);
	CU_ASSERT_EQUAL(load("SEAMARK_READ_BACK=yes", NULL), 0);
	CU_ASSERT_TRUE(settings.read_back);
	CU_ASSERT_EQUAL(load("SEAMARK_KEEP=all", NULL), 0);
	CU_ASSERT_EQUAL(settings.keep, 0);
	CU_ASSERT_EQUAL(load("SEAMARK_KEEP=1", NULL), 0);
	CU_ASSERT_EQUAL(settings.keep, 1);
	CU_ASSERT_EQUAL(load("SEAMARK_RESTART= 17 ", NULL), 0);
	CU_ASSERT_STRING_EQUAL(settings.restart, "17");
	CU_ASSERT_EQUAL(load("SEAMARK_RESTART=none", NULL), 0);
	CU_ASSERT_STRING_EQUAL(settings.restart, "none");
	CU_ASSERT_EQUAL(load("SEAMARK_RESTART=./Old/0000013.L02", NULL), 0);
	CU_ASSERT_STRING_EQUAL(settings.restart, "./Old/0000013.L02");
	CU_ASSERT_EQUAL(load("SEAMARK_TIMEOUT=0.5s", "SEAMARK_DRAIN=0s"), 0);
	CU_ASSERT_EQUAL(settings.timeout_ns, 500 * MS);
	CU_ASSERT_EQUAL(settings.drain_ns, 0);
	CU_ASSERT_EQUAL(load("SEAMARK_DRAIN=0", NULL), 0);
	CU_ASSERT_EQUAL(settings.drain_ns, 0);
	CU_ASSERT_EQUAL(load("SEAMARK_DRILL=0.5ms", NULL), 0);
	CU_ASSERT_TRUE(settings.drill_ns == MS / 2 && settings.drill_calls == 0 && !settings.drill_seeded);
	CU_ASSERT_EQUAL(load("SEAMARK_DRILL=200 Calls", NULL), 0);
	CU_ASSERT_TRUE(settings.drill_ns == 0 && settings.drill_calls == 200 && !settings.drill_seeded);
	CU_ASSERT_EQUAL(load("SEAMARK_DRILL= 1call seed 18446744073709551615 ", NULL), 0);
	CU_ASSERT_TRUE(settings.drill_calls == 1 && settings.drill_seeded && settings.drill_seed == UINT64_MAX);
	CU_ASSERT_EQUAL(load("SEAMARK_DRILL=5ms seed 0", NULL), 0);
	CU_ASSERT_TRUE(settings.drill_ns == 5 * MS && settings.drill_seeded && settings.drill_seed == 0);
	CU_ASSERT_EQUAL(load("SEAMARK_DRILL=none", NULL), 0);
	CU_ASSERT_TRUE(settings.drill_ns == 0 && settings.drill_calls == 0 && !settings.drill_seeded);
	CU_ASSERT_EQUAL(load("SEAMARK_MARKERS=busy", "SEAMARK_LOG=debug"), 0);
	CU_ASSERT_EQUAL(settings.markers, MARKERS_BUSY);
	CU_ASSERT_EQUAL(settings.log, LOG_DEBUG);
	CU_ASSERT_EQUAL(load("SEAMARK_MARKERS=all", "SEAMARK_LOG=quiet"), 0);
	CU_ASSERT_EQUAL(settings.markers, MARKERS_ALL);
	CU_ASSERT_EQUAL(settings.log, LOG_QUIET);
	CU_ASSERT_EQUAL(load("SEAMARK_CAPTURE=Fork", NULL), 0);
	CU_ASSERT_EQUAL(settings.capture, CAPTURE_FORK);
	CU_ASSERT_EQUAL(load("SEAMARK_CAPTURE=changes", NULL), 0);
	CU_ASSERT_EQUAL(settings.capture, CAPTURE_CHANGES);
	CU_ASSERT_EQUAL(load("SEAMARK_CAPTURE=copy", NULL), 0);
	CU_ASSERT_EQUAL(settings.capture, CAPTURE_COPY);
	CU_ASSERT_EQUAL(load("SEAMARK_CAPTURE=hold", NULL), 0);
	CU_ASSERT_EQUAL(settings.capture, CAPTURE_HOLD);
	CU_ASSERT_EQUAL(load("SEAMARK_CODEC=ZSTD", "SEAMARK_RATE=none"), 0);
	CU_ASSERT_TRUE(settings.codec == CODEC_ZSTD && settings.rate == 0);
	CU_ASSERT_EQUAL(load("SEAMARK_CODEC=none", "SEAMARK_RATE=200MB/s"), 0);
	CU_ASSERT_TRUE(settings.codec == CODEC_NONE && settings.rate == 200000000);
	CU_ASSERT_EQUAL(load("SEAMARK_CODEC= lz4", "SEAMARK_RATE=1.5 gib/s"), 0);
	CU_ASSERT_TRUE(settings.codec == CODEC_LZ4 && settings.rate == 3 * (UINT64_C(1) << 29));
	CU_ASSERT_EQUAL(load("SEAMARK_CODEC=auto", "SEAMARK_RATE=0.1 MB/s"), 0);
	CU_ASSERT_TRUE(settings.codec == CODEC_AUTO && settings.rate == 100000);
	CU_ASSERT_EQUAL(settings.ranks_per_file, 0);
	CU_ASSERT_EQUAL(load("SEAMARK_RANKS_PER_FILE= 509", NULL), 0);
	CU_ASSERT_EQUAL(settings.ranks_per_file, SETTINGS_RANKS_MAX);
	CU_ASSERT_EQUAL(load("SEAMARK_RANKS_PER_FILE=Node", NULL), 0);
	CU_ASSERT_EQUAL(settings.ranks_per_file, SETTINGS_NODE);
	CU_ASSERT_EQUAL(load("SEAMARK_RANKS_PER_FILE=auto", NULL), 0);
	CU_ASSERT_EQUAL(settings.ranks_per_file, 0);
	CU_ASSERT_EQUAL(load("SEAMARK_DIR=", "SEAMARK_KEEP="), 0);
	CU_ASSERT_STRING_EQUAL(settings.dir, "seamark");
	CU_ASSERT_EQUAL(settings.keep, 2);
	CU_ASSERT_EQUAL(load("SEAMARK_KEEP=3", "SEAMARK_KEEP=4"), 0);
	CU_ASSERT_EQUAL(settings.keep, 3);
}

static void signals_go_by_name_or_number(void)
{
	char entry[40];

	CU_ASSERT_EQUAL(load("SEAMARK_SIGNAL=SIGUSR2", "SEAMARK_STOP_SIGNAL=USR1"), 0);
	CU_ASSERT_EQUAL(settings.signal, SIGUSR2);
	CU_ASSERT_EQUAL(settings.stop_signal, SIGUSR1);
	CU_ASSERT_EQUAL(load("SEAMARK_SIGNAL=none", "SEAMARK_STOP_SIGNAL=term"), 0);
	CU_ASSERT_EQUAL(settings.signal, 0);
	CU_ASSERT_EQUAL(settings.stop_signal, SIGTERM);
	snprintf(entry, sizeof entry, "SEAMARK_SIGNAL=%d", SIGRTMIN + 2);
	CU_ASSERT_EQUAL(load(entry, NULL), 0);
	CU_ASSERT_EQUAL(settings.signal, SIGRTMIN + 2);
	CU_ASSERT_EQUAL(load("SEAMARK_SIGNAL=none", "SEAMARK_STOP_SIGNAL=none"), 0);
	CU_ASSERT_EQUAL(settings.signal | settings.stop_signal, 0);
}

static void off_in_all_its_words(void)
{
	static const char *const on[] = { "1", "yes", "true", "TRUE", " 1 " }, *const out[] = { "0", "no", "false" };
	char entry[40];

	for (size_t i = 0; i < sizeof on / sizeof on[0]; i++) {
		snprintf(entry, sizeof entry, "SEAMARK_OFF=%s", on[i]);
		CU_ASSERT_EQUAL(load(entry, "SEAMARK_KEEP=rubbish"), 0); /* off: nothing else can be wrong */
		CU_ASSERT_TRUE(settings.off);
		CU_ASSERT_EQUAL(settings.keep, 2);
	}
	for (size_t i = 0; i < sizeof out / sizeof out[0]; i++) {
		snprintf(entry, sizeof entry, "SEAMARK_OFF=%s", out[i]);
		CU_ASSERT_EQUAL(load(entry, NULL), 0);
		CU_ASSERT_FALSE(settings.off);
	}
}

static void what_cannot_be_is_refused_with_name_value_and_range(void)
{
	static const char *const cases[] = {
		"SEAMARK_EVERY=0", "SEAMARK_EVERY=500", "SEAMARK_EVERY=0s", "SEAMARK_EVERY=0 steps", "SEAMARK_EVERY=-1s",
		"SEAMARK_EVERY=-5 steps", "SEAMARK_EVERY=+5s", "SEAMARK_EVERY=1.5 steps", "SEAMARK_EVERY=10m",
		"SEAMARK_EVERY=1.s", "SEAMARK_EVERY=.5s", "SEAMARK_EVERY=1,5h", "SEAMARK_EVERY=1e3s", "SEAMARK_EVERY=s",
		"SEAMARK_EVERY=steps", "SEAMARK_EVERY= ", "SEAMARK_EVERY=87601h", "SEAMARK_EVERY=87600.0001h",
		"SEAMARK_EVERY=99999999999999999999999999s", "SEAMARK_EVERY=1000000000000001 steps",
		"SEAMARK_EVERY=18446744073709551617 steps", "SEAMARK_EVERY=0.0000000001s", "SEAMARK_EVERY=5s 5s",
		"SEAMARK_EVERY=0x10s", "SEAMARK_EVERY=nan s", "SEAMARK_EVERY=inf s", "SEAMARK_KEEP=0", "SEAMARK_KEEP=-1",
		"SEAMARK_FULL_EVERY=0", "SEAMARK_FULL_EVERY=65", "SEAMARK_FULL_EVERY=all", "SEAMARK_KEEP=2.5", "SEAMARK_KEEP=two", "SEAMARK_KEEP=1000000001", "SEAMARK_KEEP=2 3",
		"SEAMARK_RESTART=newset", "SEAMARK_RESTART=-1", "SEAMARK_RESTART=9223372036854775808",
		"SEAMARK_RESTART=13.L02", "SEAMARK_TIMEOUT=0s", "SEAMARK_TIMEOUT=0", "SEAMARK_TIMEOUT=none", "SEAMARK_TIMEOUT=10",
		"SEAMARK_DRAIN=-1s", "SEAMARK_DRAIN=1", "SEAMARK_DRAIN=0.0", "SEAMARK_DRILL=0", "SEAMARK_DRILL=0 calls",
		"SEAMARK_DRILL=200", "SEAMARK_DRILL=5ms seed", "SEAMARK_DRILL=seed 5", "SEAMARK_DRILL=none seed 5", "SEAMARK_DRILL=5ms seed 1 2",
		"SEAMARK_DRILL=200 steps", "SEAMARK_MARKERS=some", "SEAMARK_CAPTURE=spoon", "SEAMARK_CAPTURE=1", "SEAMARK_MEMORY=12", "SEAMARK_MEMORY=0%",
		"SEAMARK_MEMORY=101%", "SEAMARK_MEMORY=1.GiB", "SEAMARK_MEMORY=1048577 TiB", "SEAMARK_MEMORY=-1 MiB", "SEAMARK_MEMORY=all", "SEAMARK_SIGNAL=KILL",
		"SEAMARK_SIGNAL=SIGSTOP", "SEAMARK_SIGNAL=9", "SEAMARK_SIGNAL=19", "SEAMARK_SIGNAL=0", "SEAMARK_SIGNAL=SEGV",
		"SEAMARK_SIGNAL=11", "SEAMARK_SIGNAL=32", "SEAMARK_SIGNAL=65", "SEAMARK_SIGNAL=-10",
		"SEAMARK_SIGNAL=4294967306", "SEAMARK_SIGNAL=USR3", "SEAMARK_SIGNAL=SIG", "SEAMARK_STOP_SIGNAL=kill",
		"SEAMARK_STOP_SIGNAL=USR1" /* the default of the other */, "SEAMARK_LOG=loud", "SEAMARK_LOG=3",
		"SEAMARK_RANKS_PER_FILE=0", "SEAMARK_RANKS_PER_FILE=510", "SEAMARK_RANKS_PER_FILE=all", "SEAMARK_RANKS_PER_FILE=2 3",
		"SEAMARK_CODEC=gzip", "SEAMARK_CODEC=lz4 zstd", "SEAMARK_RATE=200", "SEAMARK_RATE=200MB", "SEAMARK_RATE=0", "SEAMARK_RATE=0MB/s",
		"SEAMARK_RATE=99kB/s", "SEAMARK_RATE=1001GB/s", "SEAMARK_RATE=-1MB/s", "SEAMARK_RATE=1.MB/s", "SEAMARK_RATE=18446744073709551617MB/s",
		"SEAMARK_RATE=931.4GiB/s",
		"SEAMARK_TRACE=2", "SEAMARK_TRACE=63KiB", "SEAMARK_TRACE=5GiB", "SEAMARK_TRACE=-1MiB", "SEAMARK_TRACE=often",
		"SEAMARK_OFF=2", "SEAMARK_OFF=maybe",
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *value = strchr(cases[i], '=') + 1;
		char start[200];
		size_t count;
		const struct settings_row *rows = settings_table(&count);

		if (load(cases[i], NULL) != SEAMARK_E_SETTING)
			CU_FAIL("taken, but cannot be");
		snprintf(start, sizeof start, "%.*s='%s' cannot be; allowed: ", (int)(value - 1 - cases[i]), cases[i], value);
		CU_ASSERT_EQUAL(strncmp(fault.text, start, strlen(start)), 0);
		for (size_t row = 0; row < count; row++)
			if (!strncmp(cases[i], rows[row].name, strlen(rows[row].name)) &&
			    cases[i][strlen(rows[row].name)] == '=')
				CU_ASSERT_STRING_EQUAL(fault.text + strlen(start), rows[row].range);
	}
}

static void a_trace_has_its_size(void)
{
	CU_ASSERT_TRUE(load("SEAMARK_DIR=x", NULL) == 0 && settings.trace == 0);
	CU_ASSERT_TRUE(load("SEAMARK_TRACE=1", NULL) == 0 && settings.trace == 1280 << 10);
	CU_ASSERT_TRUE(load("SEAMARK_TRACE=yes", NULL) == 0 && settings.trace == 1280 << 10);
	CU_ASSERT_TRUE(load("SEAMARK_TRACE=0", NULL) == 0 && settings.trace == 0);
	CU_ASSERT_TRUE(load("SEAMARK_TRACE=64KiB", NULL) == 0 && settings.trace == 64 << 10);
	CU_ASSERT_TRUE(load("SEAMARK_TRACE=1.5 MiB", NULL) == 0 && settings.trace == 1536 << 10);
}

static void the_two_signals_must_differ(void)
{
	CU_ASSERT_EQUAL(load("SEAMARK_SIGNAL=TERM", "SEAMARK_STOP_SIGNAL=15"), SEAMARK_E_SETTING);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "SEAMARK_STOP_SIGNAL='15'"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "another than SEAMARK_SIGNAL"));
	CU_ASSERT_EQUAL(settings.stop_signal, 0);
}

static void the_first_error_is_told_and_the_rest_is_read(void)
{
	CU_ASSERT_EQUAL(load("SEAMARK_KEEP=7", "SEAMARK_EVERY=often"), SEAMARK_E_SETTING);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "SEAMARK_EVERY"));
	CU_ASSERT_EQUAL(settings.keep, 7);
	CU_ASSERT_EQUAL(settings.every_ns, 0);
}

static void a_path_too_long_is_refused_and_quoted_in_part(void)
{
	static char entry[6000];
	const size_t start = strlen("SEAMARK_DIR=");

	memcpy(entry, "SEAMARK_DIR=", start);
	memset(entry + start, 'd', 4096);
	CU_ASSERT_EQUAL(load(entry, NULL), SEAMARK_E_SETTING);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "ddd...' cannot be; allowed: a path of at most 4095 bytes"));
	entry[start + 4095] = 0;
	CU_ASSERT_EQUAL(load(entry, NULL), 0);
	CU_ASSERT_EQUAL(strlen(settings.dir), 4095);
}

static void told(char *const *environment, char *text, size_t room)
{
	int ends[2], old = dup(STDERR_FILENO);
	ssize_t size;

	if (old < 0 || pipe(ends)) {
		CU_FAIL("no pipe");
		return;
	}
	dup2(ends[1], STDERR_FILENO);
	settings_tell_unknown(environment);
	dup2(old, STDERR_FILENO);
	close(old);
	close(ends[1]);
	size = read(ends[0], text, room - 1);
	text[size > 0 ? size : 0] = 0;
	close(ends[0]);
}

static void an_unknown_name_is_told_with_the_nearest(void)
{
	char *slips[] = { (char *)"SEAMARK_EVRY=5s", (char *)"SEAMARK_STOPSIGNAL=USR2", (char *)"SEAMARKS=1",
			  (char *)"SEAMARK_KEEP=2", (char *)"HOME=/", (char *)"SEAMARK_Dir", NULL };
	char *fine[] = { (char *)"SEAMARK_OFF=1", (char *)"SEAMARK=1", NULL };
	char text[2000];

	told(slips, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text,
		"seamark: 'SEAMARK_EVRY' is no setting and does nothing; the nearest is SEAMARK_EVERY\n"
		"seamark: 'SEAMARK_STOPSIGNAL' is no setting and does nothing; the nearest is SEAMARK_STOP_SIGNAL\n"
		"seamark: 'SEAMARK_Dir' is no setting and does nothing; the nearest is SEAMARK_DIR\n");
	told(fine, text, sizeof text);
	CU_ASSERT_STRING_EQUAL(text, "");
}

static void a_name_of_any_length_is_told(void)
{
	static char entry[5000];
	char *environment[] = { entry, NULL };
	char text[2000];

	memset(entry, 'X', sizeof entry - 1);
	memcpy(entry, "SEAMARK_", 8);
	told(environment, text, sizeof text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "' is no setting"));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the defaults are those of the table", the_defaults_are_those_of_the_table },
		{ "every row can read its own default and has words", every_row_can_read_its_own_default_and_has_words },
		{ "an interval is steps or a time", an_interval_is_steps_or_a_time },
		{ "an interval may be chosen by what is known of failures", an_interval_may_be_chosen_by_what_is_known_of_failures },
		{ "an owner is a name, and a start may tell after which life", an_owner_is_a_name_and_a_start_may_tell_after_which_life },
		{ "values that can be are taken", values_that_can_be_are_taken },
		{ "memory is a size, a share, or what is free", memory_is_a_size_a_share_or_what_is_free },
		{ "signals go by name or number", signals_go_by_name_or_number },
		{ "off in all its words", off_in_all_its_words },
		{ "what cannot be is refused with name, value and range", what_cannot_be_is_refused_with_name_value_and_range },
		{ "a trace has its size", a_trace_has_its_size },
		{ "the two signals must differ", the_two_signals_must_differ },
		{ "the first error is told and the rest is read", the_first_error_is_told_and_the_rest_is_read },
		{ "a path too long is refused and quoted in part", a_path_too_long_is_refused_and_quoted_in_part },
		{ "an unknown name is told with the nearest", an_unknown_name_is_told_with_the_nearest },
		{ "a name of any length is told", a_name_of_any_length_is_told },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "settings", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
