/* SPDX-License-Identifier: BSD-3-Clause */
/* The files `status` and `request`: what rank 0's program tells is what people read; whatever else lies there is refused and harms nobody; a request reaches the program of its life, once; a life that
 * another has taken the place of writes and takes nothing. */
#include <CUnit/Basic.h>

#include "base/mix.h"
#include "base/moment.h"
#include "seamark_files.h"
#include "store/internal.h"
#include "store/run_file.h"
#include "store/seal.h"
#include "suites.h"
#include "test_store_fixture.h"

static char folder[256], file[300], request[300];

/* So that it is not there. */
static void forget(const char *path)
{
	CU_ASSERT_TRUE(!unlink(path) || errno == ENOENT);
}

static void write_file(const char *path, const char *text, size_t size)
{
	FILE *stream = fopen(path, "w");

	if (!stream || fwrite(text, 1, size, stream) != size || fclose(stream))
		fixture_stop(path, NULL);
}

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

/* --- what is told ------------------------------------------------------------------------------------------------------- */

/* Everything has a value of its own. */
static struct status_now full(void)
{
	struct status_now now = {
		.from = 3, .from_step = 30, .stopping = true, .unable = "rank 1: \"MPI_Comm_spawn\": \\ \x01 \xff \xc3\xa9 \xed\xa0\x80", .every_ns = 1500000000, .every_steps = 50,
		.due_ns = 9000000000, .due_step = 250, .commits = 2, .voids = 4,
		.snapshot = { .number = 9, .phase = STATUS_WINDOW, .stop = true, .is_void = true, .since_ns = 6000000000, .order_step = 222, .answered = 4, .cut = 2,
			      .late_count = 2, .late = { 1, 3 }, .recorded_bytes = 77 },
		.committed = { .number = 5, .step = 200, .asked_ns = 4000000000, .ended_ns = 4500000000, .held_ns = 250000, .messages = 12, .message_bytes = 345,
			       .bytes = 1 << 20, .referred = 99, .attempts = 2 },
		.gone = { .number = 8, .ended_ns = 5000000000, .reason = "a reason", .detail = "rank 2", .again = true },
		.requests = {
			{ .token = 0xabcdef, .answer = STATUS_COMMITTED, .number = 5, .step = 200 },
			{ .token = UINT64_MAX, .stop = true, .answer = STATUS_VOID, .number = 8, .step = -1, .reason = "why", .detail = "so" },
			{ .token = 7, .answer = STATUS_ASKED, .number = 9, .step = -1 },
		},
	};

	return now;
}

static size_t text_of(const struct status_now *now, const char *how, char *text, size_t room)
{
	struct status_facts facts = {
		.now = now, .run = { 0xab, 1 }, .life = 7, .host = "h", .process = 4711, .ranks = 4, .step = 221, .safepoints = 222, .steps_per_s = 12.5,
		.safepoints_per_s = 12.5, .begun_ns = 1000000000, .space = INT64_C(1) << 40, .image_done = 10, .image_of = 20, .how = how,
		.now_ns = INT64_C(7000000000), .realtime_ns = INT64_C(1700000000000000000),
	};

	return status_text(&facts, text, room);
}

static void what_is_told_is_what_is_read(void)
{
	static char text[STATUS_SIZE_MOST];
	struct seamark_files_status status;
	struct status_now now = full();
	int64_t now_ns = INT64_C(1700000000000000000);

	write_file(file, text, text_of(&now, NULL, text, sizeof text));
	CU_ASSERT_EQUAL_FATAL(seamark_files_status(folder, &status), 0);
	CU_ASSERT_TRUE(status.run[0] == 0xab && status.run[1] == 1 && status.life == 7 && status.process == 4711 && status.ranks == 4 && !status.ended);
	CU_ASSERT_TRUE(status.step == 221 && status.safepoints == 222 && status.steps_per_s == 12.5 && status.from == 3 && status.from_step == 30);
	CU_ASSERT_TRUE(status.begun_ns == now_ns - 6000000000 && status.time_ns == now_ns && status.again_s == STATUS_AGAIN_S);
	CU_ASSERT_TRUE(status.commits == 2 && status.voids == 4 && status.stopping && status.space == INT64_C(1) << 40);
	CU_ASSERT_TRUE(status.every_s == 1.5 && status.every_steps == 50 && status.due_ns == now_ns + 2000000000 && status.due_step == 250);
	/* What is no text, or would write to a terminal, is a question mark. */
	CU_ASSERT_STRING_EQUAL(status.unable, "rank 1: \"MPI_Comm_spawn\": \\ ? ? \xc3\xa9 ???");
	CU_ASSERT_TRUE(status.committed.number == 5 && status.committed.step == 200 && status.committed.asked_ns == now_ns - 3000000000 &&
		       status.committed.time_ns == now_ns - 2500000000 && status.committed.messages == 12 && status.committed.message_bytes == 345 &&
		       status.committed.bytes == 1 << 20 && status.committed.referred_bytes == 99 && status.committed.attempts == 2);
	CU_ASSERT_DOUBLE_EQUAL(status.committed.held_s, 0.00025, 1e-9);
	CU_ASSERT_TRUE(status.voided.number == 8 && status.voided.again && !strcmp(status.voided.reason, "a reason") && !strcmp(status.voided.detail, "rank 2"));
	CU_ASSERT_TRUE(status.snapshot.phase == SEAMARK_FILES_WINDOW && status.snapshot.number == 9 && status.snapshot.stop && status.snapshot.is_void &&
		       status.snapshot.since_ns == now_ns - 1000000000 && status.snapshot.order_step == 222 && status.snapshot.answered == 4 && status.snapshot.cut == 2);
	CU_ASSERT_TRUE(status.snapshot.late_count == 2 && status.snapshot.late[0] == 1 && status.snapshot.late[1] == 3 && status.snapshot.recorded_bytes == 77 &&
		       status.snapshot.image_bytes == 10 && status.snapshot.image_of == 20);
	CU_ASSERT_EQUAL(status.request_count, 3);
	CU_ASSERT_TRUE(status.requests[0].token == 0xabcdef && status.requests[0].answer == SEAMARK_FILES_COMMITTED && status.requests[0].step == 200);
	CU_ASSERT_TRUE(status.requests[1].token == UINT64_MAX && status.requests[1].stop && !strcmp(status.requests[1].reason, "why") && !strcmp(status.requests[1].detail, "so"));
	CU_ASSERT_TRUE(status.requests[2].answer == SEAMARK_FILES_ASKED && status.requests[2].number == 9);
}

static void what_does_not_apply_is_left_out(void)
{
	static char text[STATUS_SIZE_MOST];
	struct seamark_files_status status;
	struct status_now now = { .from_step = -1 };

	write_file(file, text, text_of(&now, "finalized", text, sizeof text));
	CU_ASSERT_EQUAL_FATAL(seamark_files_status(folder, &status), 0);
	CU_ASSERT_TRUE(status.ended && !strcmp(status.how, "finalized") && !status.committed.number && !status.voided.number && !status.due_ns && !status.unable[0]);
	CU_ASSERT_TRUE(status.snapshot.phase == SEAMARK_FILES_IDLE && status.request_count == 0 && status.from_step == -1);
	CU_ASSERT_PTR_NULL(strstr(text, "\"snapshot\""));
}

/* The longest texts that there can be; and a room that is too small by one byte, or by many. */
static void it_is_written_whole_or_not_at_all(void)
{
	static char text[STATUS_SIZE_MOST], small[STATUS_SIZE_MOST];
	struct seamark_files_status status;
	struct status_now now = full();
	size_t size;

	memset(now.unable, '"', sizeof now.unable - 1);
	for (int i = 0; i < STATUS_REQUESTS; i++) {
		now.requests[i] = (struct status_request){ .token = UINT64_MAX, .answer = STATUS_VOID, .number = INT64_MAX, .step = -1, .reason = now.unable };
		memset(now.requests[i].detail, '\\', STATUS_TEXT - 1);
		now.requests[i].reason = "r";
	}
	size = text_of(&now, NULL, text, sizeof text);
	CU_ASSERT_TRUE_FATAL(size > 0);
	write_file(file, text, size);
	CU_ASSERT_EQUAL(seamark_files_status(folder, &status), 0);
	CU_ASSERT_EQUAL(strlen(status.requests[7].detail), STATUS_TEXT - 1);
	for (size_t room = 1; room <= size; room += room + 64 > size ? 1 : 64)
		CU_ASSERT_EQUAL(text_of(&now, NULL, small, room), 0);
	CU_ASSERT_EQUAL(text_of(&now, NULL, small, size + 1), size);
}

/* --- what else may lie there ---------------------------------------------------------------------------------------------- */

static size_t sealed(char *text, size_t size)
{
	char seal[SEAL_SIZE + 1];

	seal_make(seal, text, size);
	memcpy(text + size, seal, SEAL_SIZE);
	return size + SEAL_SIZE;
}

static void any_other_byte_is_noticed(void)
{
	static char text[STATUS_SIZE_MOST];
	struct seamark_files_status status, before;
	struct status_now now = full();
	size_t size = text_of(&now, NULL, text, sizeof text);
	int wrong = 0;

	memset(&before, 0x5a, sizeof before);
	for (size_t i = 0; i < size; i++) {
		text[i] ^= 1 << (i % 8);
		write_file(file, text, size);
		status = before;
		wrong += seamark_files_status(folder, &status) != SEAMARK_E_DAMAGED || memcmp(&status, &before, sizeof status);
		text[i] ^= 1 << (i % 8);
	}
	for (size_t i = 0; i < size; i += 7) {
		write_file(file, text, i);
		wrong += seamark_files_status(folder, &status) != SEAMARK_E_DAMAGED;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* With a seal that holds: bytes that are drawn, put, left out or doubled. Whatever it says must be within its bounds. */
static void lies_are_within_bounds(void)
{
	static char text[STATUS_SIZE_MOST], lie[2 * STATUS_SIZE_MOST];
	struct seamark_files_status status;
	struct status_now now = full();
	size_t size = text_of(&now, NULL, text, sizeof text) - SEAL_SIZE;
	uint64_t seed = 20261122;
	int read = 0;

	for (int turn = 0; turn < 3000; turn++) {
		size_t length = size, at = mix64(seed++) % size, some = mix64(seed++) % 12;

		memcpy(lie, text, size);
		switch (mix64(seed++) % 3) {
		case 0:
			lie[at] = "0123456789-\"{}[],:etrufalsn.\x80 "[mix64(seed++) % 30];
			break;
		case 1:
			some = at + some > size ? size - at : some;
			memmove(lie + at, lie + at + some, size - at - some);
			length -= some;
			break;
		default:
			some = at + some > size ? size - at : some;
			memmove(lie + at + some, lie + at, size - at);
			length += some;
		}
		write_file(file, lie, sealed(lie, length));
		if (seamark_files_status(folder, &status))
			continue;
		read++;
		CU_ASSERT_TRUE(status.ranks >= 1 && status.snapshot.late_count <= 8 && status.request_count <= 8 && status.snapshot.answered <= status.ranks);
		for (uint32_t i = 0; i < status.snapshot.late_count; i++)
			CU_ASSERT_TRUE(status.snapshot.late[i] < status.ranks);
	}
	CU_ASSERT_TRUE(read > 0);
}

static void what_is_no_file_is_not_waited_for(void)
{
	struct seamark_files_status status;
	char newer[200] = "{\"format\": 2, \"who\": \"knows\"}\n";

	forget(file);
	CU_ASSERT_EQUAL(seamark_files_status(folder, &status), SEAMARK_E_NOT_FOUND);
	CU_ASSERT_EQUAL(mkfifo(file, 0600), 0);
	CU_ASSERT_EQUAL(seamark_files_status(folder, &status), SEAMARK_E_DAMAGED);
	forget(file);
	CU_ASSERT_EQUAL(symlink("/dev/zero", file), 0);
	CU_ASSERT_EQUAL(seamark_files_status(folder, &status), SEAMARK_E_DAMAGED);
	forget(file);
	CU_ASSERT_EQUAL(mkdir(file, 0700), 0);
	CU_ASSERT_TRUE(seamark_files_status(folder, &status) < 0);
	CU_ASSERT_EQUAL(rmdir(file), 0);
	write_file(file, newer, strlen(newer));
	CU_ASSERT_EQUAL(seamark_files_status(folder, &status), SEAMARK_E_VERSION);
	forget(file);
}

/* --- the writer's thread --------------------------------------------------------------------------------------------------- */

/* Until a status is there that says so; at most 20 s. */
static bool comes(bool (*is)(const struct seamark_files_status *), struct seamark_files_status *status)
{
	for (int i = 0; i < 2000; i++) {
		if (!seamark_files_status(folder, status) && is(status))
			return true;
		fixture_sleep_ms(10);
	}
	return false;
}

static bool is_any(const struct seamark_files_status *status)
{
	return status->life;
}

static bool has_committed(const struct seamark_files_status *status)
{
	return status->committed.number == 5;
}

static bool has_steps(const struct seamark_files_status *status)
{
	return status->step == 41 && status->safepoints == 42;
}

static void it_is_written_when_there_is_something_to_tell(void)
{
	struct fixture fixture;
	struct seamark_files_status status;
	struct status_now now = { .from_step = -1 };

	fixture_begin(&fixture, folder, 2);
	store_note_begin(fixture.stores[0], 0, -1);
	fixture_sleep_ms(50);
	CU_ASSERT_FALSE(is_there(file)); /* nothing has been told */
	status_tell(fixture.stores[0], &now);
	CU_ASSERT_TRUE(comes(is_any, &status));
	CU_ASSERT_TRUE(status.life == fixture.life && status.process == getpid() && status.ranks == 2 && status.step == -1 && !status.ended && status.space > 0);
	for (int64_t step = 0; step < 42; step++)
		status_step(fixture.stores[0], step);
	CU_ASSERT_TRUE(comes(has_steps, &status));
	now.committed.number = 5;
	status_tell(fixture.stores[0], &now);
	CU_ASSERT_TRUE(comes(has_committed, &status));
	store_note_end(fixture.stores[0], true);
	fixture_end(&fixture);
	CU_ASSERT_EQUAL(seamark_files_status(folder, &status), 0);
	CU_ASSERT_TRUE(status.ended && !strcmp(status.how, "stopped"));
	CU_ASSERT_EQUAL(seamark_files_is_used(folder), 0);
}

static void a_life_that_was_replaced_writes_and_takes_nothing(void)
{
	struct fixture fixture;
	struct seamark_files_status status;
	struct status_now now = { .from_step = -1 };
	struct run_file newest;
	struct fault fault = FAULT_NONE;
	uint64_t token;
	bool stop;

	fixture_begin(&fixture, folder, 1);
	status_tell(fixture.stores[0], &now);
	CU_ASSERT_TRUE(comes(is_any, &status));
	CU_ASSERT_EQUAL(seamark_files_is_used(folder), 1);
	CU_ASSERT_EQUAL_FATAL(run_file_read(folder, &newest, &fault), 0);
	newest.life++;
	CU_ASSERT_EQUAL(run_file_write(folder, &newest, &fault), 0);
	CU_ASSERT_EQUAL(seamark_files_status(folder, &status), SEAMARK_E_NOT_FOUND); /* of a life that is over */
	forget(file);
	CU_ASSERT_EQUAL(seamark_files_ask(folder, 0, 0, 5), 0);
	now.commits = 1;
	status_tell(fixture.stores[0], &now);
	fixture_sleep_ms(2500);
	CU_ASSERT_FALSE(is_there(file));
	CU_ASSERT_TRUE(is_there(request));
	CU_ASSERT_FALSE(status_take_request(fixture.stores[0], &token, &stop));
	fixture_end(&fixture);
	CU_ASSERT_FALSE(is_there(file));
	CU_ASSERT_EQUAL(seamark_files_withdraw(folder, 5), 0);
}

/* --- requests ---------------------------------------------------------------------------------------------------------------- */

static bool is_asked(struct store *store)
{
	for (int i = 0; i < 2000 && !status_is_asked(store); i++)
		fixture_sleep_ms(10);
	return status_is_asked(store);
}

static bool goes(const char *path)
{
	for (int i = 0; i < 2000 && is_there(path); i++)
		fixture_sleep_ms(10);
	return !is_there(path);
}

static void a_request_reaches_the_program_once(void)
{
	struct fixture fixture;
	struct status_now now = { .from_step = -1 };
	uint64_t token;
	bool stop;

	fixture_begin(&fixture, folder, 1);
	CU_ASSERT_EQUAL(seamark_files_ask(folder, 0, 1, 77), 0);
	CU_ASSERT_EQUAL(seamark_files_ask(folder, 0, 1, 78), SEAMARK_E_BUSY);
	CU_ASSERT_TRUE(seamark_files_is_asked(folder, 77) && !seamark_files_is_asked(folder, 78));
	CU_ASSERT_EQUAL(seamark_files_withdraw(folder, 78), 0);
	CU_ASSERT_TRUE(is_there(request)); /* another's */
	status_tell(fixture.stores[0], &now);
	CU_ASSERT_TRUE(is_asked(fixture.stores[0]));
	CU_ASSERT_FALSE(is_there(request));
	CU_ASSERT_TRUE(status_take_request(fixture.stores[0], &token, &stop));
	CU_ASSERT_TRUE(token == 77 && stop);
	CU_ASSERT_FALSE(status_take_request(fixture.stores[0], &token, &stop));
	/* Another life's is none of ours, and what is no request is removed; neither keeps those away that come behind it. */
	CU_ASSERT_EQUAL(seamark_files_ask(folder, fixture.life + 1, 0, 79), 0);
	CU_ASSERT_TRUE(goes(request));
	write_file(request, "please", 6);
	CU_ASSERT_TRUE(goes(request));
	CU_ASSERT_FALSE(status_is_asked(fixture.stores[0]));
	CU_ASSERT_EQUAL(seamark_files_ask(folder, fixture.life, 0, 80), 0);
	CU_ASSERT_TRUE(is_asked(fixture.stores[0]));
	CU_ASSERT_TRUE(status_take_request(fixture.stores[0], &token, &stop) && token == 80 && !stop);
	fixture_end(&fixture);
}

static bool is_taken(const struct seamark_files_status *status)
{
	return status->request_count && status->requests[status->request_count - 1].token == 92 && status->requests[status->request_count - 1].answer == SEAMARK_FILES_TAKEN;
}

static bool is_told(const struct seamark_files_status *status)
{
	return status->commits == 1;
}

/* The program computes, and has not looked: who asks is to know that it was taken. In place of what was answered before; once it is told of by the program, once. */
static void what_was_taken_is_told_before_the_program_looks(void)
{
	struct fixture fixture;
	struct seamark_files_status status;
	struct status_now now = { .from_step = -1 };
	uint64_t token;
	bool stop;

	for (int i = 0; i < STATUS_REQUESTS; i++)
		now.requests[i] = (struct status_request){ .token = 1 + (uint64_t)i, .answer = i == 1 ? STATUS_COMMITTED : STATUS_ASKED, .number = 3, .step = -1 };
	fixture_begin(&fixture, folder, 1);
	status_tell(fixture.stores[0], &now);
	CU_ASSERT_TRUE(comes(is_any, &status));
	CU_ASSERT_EQUAL(seamark_files_ask(folder, 0, 1, 92), 0);
	CU_ASSERT_TRUE(comes(is_taken, &status));
	CU_ASSERT_TRUE(status.request_count == 8 && status.requests[0].token == 1 && status.requests[1].token == 3 && status.requests[7].stop);
	CU_ASSERT_TRUE(status_take_request(fixture.stores[0], &token, &stop) && token == 92 && stop);
	now.requests[1] = (struct status_request){ .token = 92, .answer = STATUS_ASKED, .number = 4, .step = -1 };
	now.commits = 1;
	status_tell(fixture.stores[0], &now);
	CU_ASSERT_TRUE(comes(is_told, &status));
	CU_ASSERT_TRUE(status.request_count == 8 && status.requests[1].token == 92 && status.requests[1].answer == SEAMARK_FILES_ASKED && status.requests[7].token == 8);
	fixture_end(&fixture);
}

static void what_a_killed_life_had_taken_is_removed(void)
{
	struct fixture fixture;
	char taken[300], temporary[300];

	snprintf(taken, sizeof taken, "%s/.request-1", folder);
	snprintf(temporary, sizeof temporary, "%s/.status-1.tmp", folder);
	write_file(taken, "x", 1);
	write_file(temporary, "x", 1);
	fixture_begin(&fixture, folder, 1);
	CU_ASSERT_TRUE(fixture.life > 1 && !is_there(taken) && !is_there(temporary));
	fixture_end(&fixture);
}

/* tests/fault/crash.sh has it in these words. */
static void a_request_by_hand(void)
{
	static const char text[] = "{\"format\": 1, \"token\": \"0000000000000001\", \"life\": 0, \"stop\": false";
	char whole[REQUEST_SIZE_MOST];
	struct request_file found;
	struct fault fault = FAULT_NONE;

	request_text(&(struct request_file){ .token = 1 }, whole);
	CU_ASSERT_NSTRING_EQUAL(whole, text, sizeof text - 1);
	write_file(request, whole, strlen(whole));
	CU_ASSERT_STRING_EQUAL(whole + sizeof text - 1, ", \"xxh3\": \"8b046475a0fa3971\"}\n");
	CU_ASSERT_EQUAL(request_read(request, &found, &fault), 0);
	CU_ASSERT_TRUE(found.token == 1 && found.life == 0 && !found.stop);
	for (size_t i = 0; i < strlen(whole); i++) {
		whole[i] ^= 4;
		write_file(request, whole, strlen(whole));
		CU_ASSERT_EQUAL(request_read(request, &found, &fault), SEAMARK_E_DAMAGED);
		whole[i] ^= 4;
	}
	forget(request);
}

int main(void)
{
	CU_TestInfo text[] = {
		{ "what is told is what is read", what_is_told_is_what_is_read },
		{ "what does not apply is left out", what_does_not_apply_is_left_out },
		{ "it is written whole or not at all", it_is_written_whole_or_not_at_all },
		{ "any other byte is noticed", any_other_byte_is_noticed },
		{ "lies are within bounds", lies_are_within_bounds },
		{ "what is no file is not waited for", what_is_no_file_is_not_waited_for },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo run[] = {
		{ "it is written when there is something to tell", it_is_written_when_there_is_something_to_tell },
		{ "a request reaches the program once", a_request_reaches_the_program_once },
		{ "what was taken is told before the program looks", what_was_taken_is_told_before_the_program_looks },
		{ "what a killed life had taken is removed", what_a_killed_life_had_taken_is_removed },
		{ "a request by hand", a_request_by_hand },
		{ "a life that was replaced writes and takes nothing", a_life_that_was_replaced_writes_and_takes_nothing },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "text", NULL, NULL, NULL, NULL, text },
		{ "run", NULL, NULL, NULL, NULL, run },
		CU_SUITE_INFO_NULL,
	};
	int result;

	fixture_folder(folder);
	snprintf(file, sizeof file, "%s/status", folder);
	snprintf(request, sizeof request, "%s/request", folder);
	result = suites_run(suites);
	fixture_remove(folder);
	return result;
}
