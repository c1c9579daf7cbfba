/* SPDX-License-Identifier: BSD-3-Clause */
/* The run's history: what lives write is what the next one reads; torn lines and those of others are passed over; it stays small and says the same. */
#include <CUnit/Basic.h>
#include <math.h>

#include "base/mix.h"
#include "base/moment.h"
#include "store/history.h"
#include "suites.h"
#include "test_store_fixture.h"

static char folder[256], file[300];
static struct fixture_world world;
static const uint8_t own_run[16] = { 0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

#define OWN "ab0102030405060708090a0b0c0d0e0f"
#define NEAR(value, wanted) CU_ASSERT_DOUBLE_EQUAL(value, wanted, 1e-6)

static void write_file(const char *text, size_t size)
{
	FILE *stream = fopen(file, "w");

	if (!stream || fwrite(text, 1, size, stream) != size || fclose(stream))
		fixture_stop(file, NULL);
}

static char *read_file(size_t *size)
{
	struct fault fault = FAULT_NONE;
	char *text;

	if (io_read_file(file, SIZE_MAX, &text, size, &fault))
		fixture_stop(file, &fault);
	return text;
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

static struct store_past past_of(const char *text, uint32_t below)
{
	struct store_past past;
	struct fault fault = FAULT_NONE;

	write_file(text, strlen(text));
	CU_ASSERT_EQUAL(history_past(folder, own_run, below, &past, &fault), 0);
	return past;
}

/* --- what lives write ------------------------------------------------------------------------------------------------------ */

enum end { ENDS, STOPS, IS_KILLED, ASKED_AND_KILLED };

/* What all commits told. */
static struct {
	int64_t messages, bytes;
} in_flight;

static void live(struct store_past *past, unsigned commits, enum end end)
{
	struct fixture fixture;

	fixture_begin(&fixture, folder, 2);
	store_past(fixture.stores[0], past);
	store_note_begin(fixture.stores[0], fixture.next - 1, -1);
	for (unsigned i = 0; i < commits; i++) {
		struct store_commit commit = { .identity = fixture_identity(&fixture, fixture.next, 0), .held_s = 0.25, .cost_s = 0.5,
			.stop = end == ASKED_AND_KILLED && i + 1 == commits, .requested_ns = moment_now_ns() - 3000000000 };
		struct fault fault = FAULT_NONE;

		for (uint32_t rank = 0; rank < 2; rank++)
			fixture_begin_part(&fixture, fixture.next, rank, &world.parts[rank]);
		for (uint32_t rank = 0; rank < 2; rank++)
			fixture_finish_part(&fixture, rank, &world.parts[rank], &commit);
		in_flight.messages += (int64_t)commit.messages;
		in_flight.bytes += (int64_t)commit.message_bytes;
		if (store_begin_commit(fixture.stores[0], &commit, 2, &fault) || fixture_commit_state(fixture.stores[0], &fault) != STORE_DURABLE)
			fixture_stop("commit", &fault);
		fixture.next++;
	}
	if (end == ENDS || end == STOPS)
		store_note_end(fixture.stores[0], end == STOPS);
	fixture_end(&fixture);
}

static void what_lives_write_the_next_one_reads(void)
{
	struct store_past past;
	size_t size;
	char *text;

	live(&past, 2, IS_KILLED);
	CU_ASSERT_TRUE(past.lives == 0 && past.failures == 0 && past.durable_s == 0);
	live(&past, 1, STOPS);
	CU_ASSERT_TRUE(past.lives == 1 && past.failures == 1);
	NEAR(past.cost_s, 0.5);
	CU_ASSERT_TRUE(past.durable_s >= 3 && past.durable_s < 60);
	live(&past, 0, ENDS);
	CU_ASSERT_TRUE(past.lives == 2 && past.failures == 1 && past.durable_s >= 3);
	live(&past, 1, ASKED_AND_KILLED);
	CU_ASSERT_TRUE(past.lives == 3 && past.failures == 1);
	live(&past, 0, IS_KILLED);
	CU_ASSERT_TRUE(past.lives == 4 && past.failures == 1);
	live(&past, 0, ENDS);
	CU_ASSERT_TRUE(past.lives == 5 && past.failures == 2);
	text = read_file(&size);
	CU_ASSERT_EQUAL(count_of(text, "\n"), 6 + 4 + 3);
	CU_ASSERT_EQUAL(count_of(text, "\"from\": 3"), 2);
	free(text);
}

static void a_life_that_was_replaced_notes_no_end(void)
{
	struct fixture fixture;
	char path[300], *before, *after;
	size_t size;

	fixture_begin(&fixture, folder, 1);
	store_note_begin(fixture.stores[0], 0, -1);
	for (int i = 0; i < 2000 && access(file, F_OK); i++)
		fixture_sleep_ms(1);
	before = read_file(&size);
	snprintf(path, sizeof path, "%s/lock", folder);
	remove(path); /* nobody believes it */
	struct fixture other;
	fixture_begin(&other, folder, 1);
	store_note_end(fixture.stores[0], false);
	fixture_end(&fixture);
	after = read_file(&size);
	CU_ASSERT_STRING_EQUAL(before, after);
	fixture_end(&other);
	free(before);
	free(after);
}

static void without_a_history_checkpoints_are_taken(void)
{
	struct store_past past;
	struct stat status;

	if (mkdir(file, 0700))
		fixture_stop(file, NULL);
	live(&past, 2, ENDS);
	live(&past, 1, ENDS);
	CU_ASSERT_TRUE(past.lives == 0);
	CU_ASSERT_TRUE(!stat(file, &status) && S_ISDIR(status.st_mode));
	rmdir(file);
}

static void a_torn_line_does_not_spoil_the_next(void)
{
	struct store_past past;
	static const char torn[] = "{\"event\": \"begin\", \"life\": 1, \"ti";
	size_t size;
	char *text;

	write_file(torn, strlen(torn));
	live(&past, 1, ENDS);
	CU_ASSERT_EQUAL(past.lives, 0);
	live(&past, 0, ENDS);
	CU_ASSERT_TRUE(past.lives == 1 && past.failures == 0);
	text = read_file(&size);
	CU_ASSERT_EQUAL(strncmp(text + strlen(torn), "\n{\"event\": \"begin\", \"life\": 1,", 30), 0);
	free(text);
}

/* --- what is read ----------------------------------------------------------------------------------------------------------- */

#define BEGIN(life, time) "{\"event\": \"begin\", \"life\": " #life ", \"time\": \"2026-01-01T" time ".000000000Z\", \"run\": \"" OWN "\"}\n"
#define COMMIT(life, time) "{\"event\": \"commit\", \"life\": " #life ", \"time\": \"2026-01-01T" time ".000000000Z\", \"durable_s\": 2}\n"
#define END(life, time) "{\"event\": \"end\", \"life\": " #life ", \"time\": \"2026-01-01T" time ".000000000Z\", \"how\": \"finalized\"}\n"

static void a_life_without_an_end_was_a_failure(void)
{
	struct store_past past = past_of(BEGIN(1, "00:00:00") COMMIT(1, "00:10:00") BEGIN(2, "00:20:00") END(2, "00:25:00") BEGIN(4, "01:00:00"), 5);

	CU_ASSERT_TRUE(past.lives == 3 && past.failures == 2);
	NEAR(past.lived_s, 15 * 60);
	/* The one that asks for it is not its own past. */
	past = past_of(BEGIN(1, "00:00:00") COMMIT(1, "00:10:00") BEGIN(2, "00:20:00") END(2, "00:25:00") BEGIN(4, "01:00:00"), 4);
	CU_ASSERT_TRUE(past.lives == 2 && past.failures == 1);
}

static void what_makes_no_sense_is_passed_over(void)
{
	static const char *const lines[] = {
		"", "hello", "null", "[1]", "{}", "{\"event\": 5}", "{\"event\": \"begin\"}", "{\"event\": \"begin\", \"life\": 0, \"time\": \"2026-01-01T00:00:00.000000000Z\"}",
		"{\"event\": \"begin\", \"life\": 1e300, \"time\": \"2026-01-01T00:00:00.000000000Z\", \"run\": \"" OWN "\"}",
		"{\"event\": \"begin\", \"life\": 7, \"time\": \"yesterday\", \"run\": \"" OWN "\"}",
		"{\"event\": \"begin\", \"life\": 7, \"time\": \"2026-01-01T00:00:00.000000000Z\", \"run\": \"00000000000000000000000000000000\"}",
		"{\"event\": \"begin\", \"life\": 7, \"time\": \"2026-01-01T00:00:00.000000000Z\"}",
		"{\"event\": \"end\", \"life\": 3, \"time\": \"2026-01-01T00:00:00.000000000Z\"}",
		"{\"event\": \"before\", \"lives\": 100, \"failures\": 50, \"lived_s\": 1e6}",
		"{\"event\": \"before\", \"run\": \"" OWN "\", \"lives\": -4, \"failures\": \"x\", \"lived_s\": 1e40}",
		"\xff\xfe\x01", "{\"event\": \"commit\", \"life\": 1, \"time\": \"2025-01-01T00:00:00.000000000Z\", \"held_s\": -1, \"durable_s\": 1e99}",
	};
	char text[4096];

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct store_past past;

		snprintf(text, sizeof text, "%s%s\n%s", BEGIN(1, "00:00:00") COMMIT(1, "00:10:00"), lines[i], END(1, "00:10:00") BEGIN(2, "00:10:00"));
		past = past_of(text, 3);
		CU_ASSERT_TRUE(past.lives == 2 && past.failures == 1);
		NEAR(past.lived_s, 600);
	}
}

static unsigned whole_begins(const char *text, size_t size)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, "{\"event\": \"begin\"")); at++)
		count += strchr(at, '\n') < text + size;
	return count;
}

/* Every cut of it can be read, and is never more than the whole. */
static void any_part_of_it_can_be_read(void)
{
	static const char text[] = BEGIN(1, "00:00:00") COMMIT(1, "00:10:00") BEGIN(2, "00:20:00") END(2, "00:25:00") BEGIN(3, "01:00:00");
	struct store_past past;
	struct fault fault = FAULT_NONE;

	for (size_t size = 0; size < sizeof text; size++) {
		write_file(text, size);
		CU_ASSERT_EQUAL(history_past(folder, own_run, 9, &past, &fault), 0);
		CU_ASSERT_TRUE(past.lives <= 3 && past.failures <= 2 && past.lived_s <= 900);
		CU_ASSERT_EQUAL(past.lives, whole_begins(text, size));
	}
}

struct counted {
	unsigned begins, commits, ends, befores, stops;
	int64_t messages, message_bytes;
	struct history_event last;
};

static void count_event(void *context, const struct history_event *event)
{
	struct counted *counted = context;

	counted->begins += event->kind == HISTORY_BEGIN;
	counted->commits += event->kind == HISTORY_COMMIT;
	counted->ends += event->kind == HISTORY_END;
	counted->befores += event->kind == HISTORY_BEFORE;
	counted->stops += event->stop;
	if (event->kind == HISTORY_COMMIT) {
		counted->messages += event->messages;
		counted->message_bytes += event->message_bytes;
	}
	counted->last = *event;
}

static struct counted counted_of(const char *text)
{
	struct counted counted = { .begins = 0 };
	struct fault fault = FAULT_NONE;

	write_file(text, strlen(text));
	CU_ASSERT_EQUAL(history_read(folder, count_event, &counted, &fault), 0);
	return counted;
}

/* The file as lives have written it, and numbers at their limits. */
static void lines_are_told_one_by_one(void)
{
	struct store_past past;
	struct counted counted = { .begins = 0 };
	struct fault fault = FAULT_NONE;

	in_flight.messages = in_flight.bytes = 0;
	CU_ASSERT_EQUAL(history_read(folder, count_event, &counted, &fault), SEAMARK_E_NOT_FOUND);
	live(&past, 2, ENDS);
	live(&past, 1, ASKED_AND_KILLED);
	live(&past, 0, STOPS);
	CU_ASSERT_EQUAL(history_read(folder, count_event, &counted, NULL), 0);
	CU_ASSERT_TRUE(counted.begins == 3 && counted.commits == 3 && counted.ends == 2 && counted.stops == 2 && counted.befores == 0);
	CU_ASSERT_TRUE(counted.messages > 0 && counted.messages == in_flight.messages && counted.message_bytes == in_flight.bytes);
	counted = counted_of(BEGIN(1, "00:00:00") "{\"event\": \"commit\", \"life\": 1, \"time\": \"2026-01-01T00:00:00.000000001Z\", \"number\": 18446744073709551615, \"step\": -1, "
			     "\"held_s\": 0.25, \"cost_s\": 5e-1, \"durable_s\": 3.5, \"bytes\": 20000000000000, \"message_bytes\": 0, \"stop\": true}\n{\"event\": \"commit\", \"life\": 1, \"time\": \"2026-01");
	CU_ASSERT_TRUE(counted.begins == 1 && counted.commits == 1 && counted.last.life == 1 && counted.last.step == -1 && counted.last.stop);
	CU_ASSERT_TRUE(counted.last.number == UINT64_MAX && counted.last.bytes == UINT64_C(20000000000000));
	CU_ASSERT_TRUE(counted.last.messages == -1 && counted.last.message_bytes == 0);
	CU_ASSERT_TRUE(counted.last.held_s == 0.25 && counted.last.cost_s == 0.5 && counted.last.durable_s == 3.5);
	counted = counted_of("{\"event\": \"before\", \"run\": \"" OWN "\", \"lives\": 7, \"failures\": 3, \"lived_s\": 1e6}\n"
			     "{\"event\": \"begin\", \"life\": 4294967295, \"time\": \"2026-01-01T00:00:00.000000001Z\"}\n"
			     "{\"event\": \"begin\", \"life\": -1, \"time\": \"2026-01-01T00:00:00.000000001Z\"}\n{\"event\": \"begin\", \"life\": 1}\n{\"event\": \"later\", \"life\": 1}\n"
			     "{\"event\": \"begin\", \"life\": 18446744073709551617, \"time\": \"2026-01-01T00:00:00.000000001Z\"}\n");
	CU_ASSERT_TRUE(counted.befores == 1 && counted.begins == 0 && counted.last.lives == 7 && counted.last.failures == 3 && counted.last.lived_s == 1e6);
	CU_ASSERT_STRING_EQUAL(counted.last.run, OWN);
	counted = counted_of("{\"event\": \"begin\", \"life\": 2, \"time\": \"2026-01-01T00:00:00.000000001Z\", \"run\": \"" OWN "0\", \"host\": \"n1\", \"process\": 12, "
			     "\"ranks\": 1024, \"from\": 99999999999999999999, \"step\": 12345678901234}\n");
	CU_ASSERT_TRUE(counted.begins == 1 && !counted.last.run[0] && !strcmp(counted.last.host, "n1") && counted.last.process == 12 && counted.last.ranks == 1024);
	CU_ASSERT_TRUE(counted.last.from == 0 && counted.last.step == INT64_C(12345678901234));
}

/* --- how it stays small -------------------------------------------------------------------------------------------------------- */

static char *random_history(uint64_t seed, size_t *size)
{
	char *text = malloc(2 << 20), *at = text;
	int64_t now_ns = INT64_C(1700000000) * 1000000000;

	for (uint32_t life = 1; life <= 60; life++) {
		at += sprintf(at, "{\"event\": \"begin\", \"life\": %u, \"time\": \"%s\", \"run\": \"%s\"}\n", life, moment_text(now_ns).text,
			      mix64(seed++) % 10 ? OWN : "ffffffffffffffffffffffffffffffff");
		for (uint64_t commits = mix64(seed++) % 150; commits--;) {
			now_ns += (int64_t)(mix64(seed++) % 1000000000000);
			at += sprintf(at, "{\"event\": \"commit\", \"life\": %u, \"time\": \"%s\", \"durable_s\": 0.5, \"stop\": %s}\n", life,
				      moment_text(now_ns).text, mix64(seed++) % 8 ? "false" : "true");
		}
		if (mix64(seed++) % 3 == 0)
			at += sprintf(at, "{\"event\": \"end\", \"life\": %u, \"time\": \"%s\"}\n", life, moment_text(now_ns).text);
		if (mix64(seed++) % 5 == 0)
			at += sprintf(at, "not one of ours {\n");
	}
	*size = (size_t)(at - text);
	return text;
}

static void a_shorter_one_says_the_same(void)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		size_t size;
		char *text = random_history(seed * 1000003, &size), *shorter = history_shorter(text, size, own_run), *again;
		struct store_past before, after;
		struct fault fault = FAULT_NONE;

		write_file(text, size);
		CU_ASSERT_EQUAL(history_past(folder, own_run, 61, &before, &fault), 0);
		after = past_of(shorter, 61);
		CU_ASSERT_TRUE(strlen(shorter) < HISTORY_MOST / 2 && strlen(shorter) < size);
		CU_ASSERT_TRUE(before.lives == after.lives && before.failures == after.failures && fabs(before.lived_s - after.lived_s) < 1e-3 * before.lived_s);
		CU_ASSERT_TRUE(before.durable_s == after.durable_s && before.lives > 40 && before.failures > 10);
		/* And so on. */
		again = history_shorter(shorter, strlen(shorter), own_run);
		CU_ASSERT_STRING_EQUAL(shorter, again);
		free(text);
		free(shorter);
		free(again);
	}
}

static void a_long_one_is_made_shorter_by_the_life_that_finds_it(void)
{
	size_t size, after;
	char *text = random_history(5, &size), *left;
	struct store_past past;

	while (size <= HISTORY_MOST)
		size += (size_t)sprintf(text + size, "%s", COMMIT(60, "00:00:00"));
	write_file(text, size);
	live(&past, 0, ENDS);
	left = read_file(&after);
	CU_ASSERT_TRUE(after < HISTORY_MOST / 2);
	CU_ASSERT_EQUAL(count_of(left, "\"how\": \"finalized\""), 1);
	free(left);
	free(text);
	snprintf(file + strlen(file), 10, ".tmp");
	CU_ASSERT_NOT_EQUAL(access(file, F_OK), 0);
	file[strlen(file) - 4] = 0;
}

/* Much larger than it ever is: somebody else's. */
static void what_is_too_large_is_left_alone(void)
{
	size_t size = HISTORY_LARGEST + 1, after;
	char *text = malloc(size), *left;
	struct store_past past;

	memset(text, 'x', size);
	write_file(text, size);
	live(&past, 1, ENDS);
	left = read_file(&after);
	CU_ASSERT_TRUE(after == size && !memcmp(left, text, size));
	free(text);
	free(left);
}

/* --- */

static void begin(void)
{
	fixture_folder(folder);
	snprintf(file, sizeof file, "%s/" HISTORY_NAME, folder);
	fixture_fill(&world, 2);
}

static void end(void)
{
	fixture_remove(folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "what lives write, the next one reads", what_lives_write_the_next_one_reads },
		{ "a life that was replaced notes no end", a_life_that_was_replaced_notes_no_end },
		{ "without a history checkpoints are taken", without_a_history_checkpoints_are_taken },
		{ "a torn line does not spoil the next", a_torn_line_does_not_spoil_the_next },
		{ "a life without an end was a failure", a_life_without_an_end_was_a_failure },
		{ "what makes no sense is passed over", what_makes_no_sense_is_passed_over },
		{ "any part of it can be read", any_part_of_it_can_be_read },
		{ "lines are told one by one", lines_are_told_one_by_one },
		{ "a shorter one says the same", a_shorter_one_says_the_same },
		{ "a long one is made shorter by the life that finds it", a_long_one_is_made_shorter_by_the_life_that_finds_it },
		{ "what is too large is left alone", what_is_too_large_is_left_alone },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "history", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
