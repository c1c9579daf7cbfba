/* SPDX-License-Identifier: BSD-3-Clause */
/* The rings of SEAMARK_TRACE and their file: what stays when there is no more room, and that nothing is read from a file that was changed. */
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "trace/format.h"
#include "trace/ring.h"

enum { SLOTS = 256 }; /* of each ring, the smallest there is */
enum { NAMED = 7 << 12 };

static struct trace *trace;
static int64_t clock_ns;

static void begin(void)
{
	clock_ns = 1000;
	trace = trace_new(1);
}

static void end(void)
{
	trace_free(trace);
}

static void add(enum trace_kind kind, int64_t position)
{
	struct trace_event event = { .kind = (uint8_t)kind, .ns = clock_ns++, .comm = TRACE_NO_COMM, .peer = -1, .position = position };

	if (kind == TRACE_SEND) {
		event.comm = NAMED;
		event.peer = 1;
		event.call = "MPI_Send";
	}
	trace_add(trace, &event);
}

/* As it would be written. */
static struct bytes_out written(void)
{
	struct trace_copy *copy = trace_copy(trace);
	struct bytes_out out = { 0 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	copy->comms = calloc(1, sizeof *copy->comms);
	copy->comms[0] = (struct trace_known_comm){ .id = NAMED, .comm = { .name = "world", .label = "all" } };
	copy->comm_count = 1;
	copy->head.number = 12;
	copy->head.rank = 1;
	copy->head.ranks = 3;
	trace_copy_put(copy, &out);
	trace_copy_free(copy);
	CU_ASSERT_FALSE_FATAL(out.failed);
	return out;
}

static struct trace_file read_again(void)
{
	struct bytes_out out = written();
	struct trace_file file;
	struct fault fault = FAULT_NONE;

	CU_ASSERT_EQUAL_FATAL(trace_get(&file, out.data, out.size, "a trace", &fault), 0);
	bytes_free(&out);
	return file;
}

static size_t count_of(const struct trace_file *file, enum trace_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < file->event_count; i++)
		count += file->events[i].kind == kind;
	return count;
}

static void the_newest_stay_in_their_order(void)
{
	struct trace_file file;

	for (int i = 0; i < 3 * SLOTS; i++) {
		add(TRACE_SEND, i);
		if (i % 100 == 0)
			add(TRACE_CUT, i);
	}
	file = read_again();
	CU_ASSERT_EQUAL(count_of(&file, TRACE_SEND), SLOTS);
	/* Many messages push out no cut. */
	CU_ASSERT_EQUAL(count_of(&file, TRACE_CUT), 8);
	CU_ASSERT_EQUAL(file.lost, 2 * SLOTS);
	CU_ASSERT_EQUAL(file.number, 12);
	CU_ASSERT_EQUAL(file.comm_count, 1);
	CU_ASSERT_STRING_EQUAL(file.comms[0].label, "all");
	for (size_t i = 1; i < file.event_count; i++)
		CU_ASSERT_TRUE(file.events[i].ns > file.events[i - 1].ns);
	for (size_t i = 0; i < file.event_count; i++)
		if (file.events[i].kind == TRACE_SEND) {
			CU_ASSERT_STRING_EQUAL(file.texts[file.events[i].text - 1].text, "MPI_Send");
			CU_ASSERT_EQUAL(file.events[i].comm, 0);
		} else {
			CU_ASSERT_EQUAL(file.events[i].comm, TRACE_NO_COMM);
		}
	trace_file_free(&file);
}

static void in_an_attempt_nothing_is_overwritten(void)
{
	struct trace_file file;
	size_t i = 0;

	for (int before = 0; before < SLOTS; before++)
		add(TRACE_SEND, -before);
	trace_begin(trace);
	add(TRACE_ALERT, 0);
	for (int during = 1; during <= 2 * SLOTS; during++)
		add(TRACE_SEND, during);
	add(TRACE_CUT, 0);
	file = read_again();
	CU_ASSERT_EQUAL(count_of(&file, TRACE_ALERT), 1);
	CU_ASSERT_EQUAL(count_of(&file, TRACE_CUT), 1);
	CU_ASSERT_EQUAL(count_of(&file, TRACE_SEND), SLOTS);
	CU_ASSERT_EQUAL(count_of(&file, TRACE_LEFT_OUT), 1);
	/* A quarter from before, and as many from its beginning as there is room for; what was left out is counted where it would have been. */
	while (i < file.event_count && file.events[i].kind != TRACE_LEFT_OUT)
		i++;
	CU_ASSERT_EQUAL_FATAL(i, 1 + SLOTS);
	CU_ASSERT_EQUAL(file.events[0].position, -(SLOTS - SLOTS / 4));
	CU_ASSERT_EQUAL(file.events[i - 1].position, SLOTS - SLOTS / 4);
	CU_ASSERT_EQUAL(file.events[i].value, 2 * SLOTS - (SLOTS - SLOTS / 4));
	trace_file_free(&file);

	trace_end(trace);
	add(TRACE_SEND, 12345);
	file = read_again();
	CU_ASSERT_EQUAL(file.events[file.event_count - 1].position, 12345);
	trace_file_free(&file);
}

/* Nor is what the snapshot itself does, however many messages and channels it has. */
static void in_an_attempt_the_steps_of_the_snapshot_stay(void)
{
	static const enum trace_kind many[] = { TRACE_MARKER_SENT, TRACE_HEAD_CAME, TRACE_COUNTS_CAME, TRACE_RECORDED, TRACE_DRAINED, TRACE_ORDER_CAME };
	struct trace_file file;
	uint64_t left_out = 0, kept = 0;

	for (int i = 0; i < SLOTS; i++)
		add(TRACE_ORDER_CAME, i);
	trace_begin(trace);
	add(TRACE_ALERT, 1);
	add(TRACE_CUT, 1);
	for (int i = 0; i < SLOTS; i++)
		for (size_t k = 0; k < sizeof many / sizeof many[0]; k++)
			add(many[k], i);
	CU_ASSERT_FALSE(trace_has_room(trace, TRACE_MARKED));
	CU_ASSERT_TRUE(trace_has_room(trace, TRACE_SEND));
	for (int i = 0; i < SLOTS + 1; i++)
		add(TRACE_SEND, i);
	add(TRACE_CLOSED, 1);
	add(TRACE_OUTCOME, 1);
	file = read_again();
	CU_ASSERT_EQUAL(count_of(&file, TRACE_ALERT), 1);
	CU_ASSERT_EQUAL(count_of(&file, TRACE_CUT), 1);
	CU_ASSERT_EQUAL(count_of(&file, TRACE_CLOSED), 1);
	CU_ASSERT_EQUAL(count_of(&file, TRACE_OUTCOME), 1);
	CU_ASSERT_EQUAL(count_of(&file, TRACE_LEFT_OUT), 1);
	for (size_t i = 0; i < file.event_count; i++)
		if (file.events[i].kind == TRACE_LEFT_OUT)
			left_out += file.events[i].value;
	for (size_t k = 0; k < sizeof many / sizeof many[0]; k++)
		kept += count_of(&file, many[k]);
	kept += count_of(&file, TRACE_SEND);
	CU_ASSERT_TRUE(left_out > 0 && kept > SLOTS);
	/* Each is there, or was overwritten before the attempt, or is counted. */
	CU_ASSERT_EQUAL(kept + left_out + file.lost, 6 * SLOTS + SLOTS + 1 + SLOTS);
	trace_file_free(&file);
	trace_end(trace);
	CU_ASSERT_TRUE(trace_has_room(trace, TRACE_MARKED));
}

/* Positions count from the newest base: what was before the first moving of it that is still known would be counted from nowhere. */
static void nothing_is_told_that_counts_from_an_unknown_base(void)
{
	struct trace_file file;
	size_t first_send = 0;

	for (int i = 0; i < 5 * SLOTS; i++) {
		if (i % 10 == 0)
			add(TRACE_SEND, i);
		add(TRACE_REBASED, i);
	}
	file = read_again();
	CU_ASSERT_EQUAL(count_of(&file, TRACE_REBASED), SLOTS);
	while (first_send < file.event_count && file.events[first_send].kind != TRACE_SEND)
		first_send++;
	CU_ASSERT_TRUE_FATAL(first_send > 0 && first_send < file.event_count);
	CU_ASSERT_TRUE(file.events[first_send].position >= file.events[0].position);
	CU_ASSERT_EQUAL(file.event_count + file.lost, 5 * SLOTS + 5 * SLOTS / 10);
	trace_file_free(&file);
}

static void texts_stay_as_long_as_there_is_room(void)
{
	struct trace_event event = { .kind = TRACE_VOID_HERE, .comm = TRACE_NO_COMM, .peer = -1 };
	struct trace_file file;
	char text[2 * TRACE_TEXT_MAX];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = 0;
	for (int i = 0; i < 100; i++) {
		event.text = trace_text(trace, i == 99 ? text : "why");
		trace_add(trace, &event);
	}
	file = read_again();
	CU_ASSERT_EQUAL_FATAL(file.event_count, 100);
	CU_ASSERT_EQUAL(file.events[0].text, 0);
	CU_ASSERT_STRING_EQUAL(file.texts[file.events[98].text - 1].text, "why");
	CU_ASSERT_EQUAL(strlen(file.texts[file.events[99].text - 1].text), TRACE_TEXT_MAX);
	trace_file_free(&file);
}

static void every_change_of_a_file_is_found(void)
{
	struct bytes_out out;
	struct trace_file file;

	trace_text(trace, "why");
	for (int i = 0; i < 20; i++)
		add(i % 3 ? TRACE_SEND : TRACE_CUT, i);
	out = written();
	for (size_t bit = 0; bit < 8 * out.size; bit++) {
		struct fault fault = FAULT_NONE;

		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT_TRUE(trace_get(&file, out.data, out.size, "a trace", &fault) < 0);
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t size = 0; size < out.size; size++) {
		struct fault fault = FAULT_NONE;
		uint8_t *cut = malloc(size + 1); /* so that a reader beyond its end is seen */

		memcpy(cut, out.data, size);
		CU_ASSERT_EQUAL(trace_get(&file, cut, size, "a trace", &fault), SEAMARK_E_DAMAGED);
		free(cut);
	}
	bytes_free(&out);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the newest stay in their order", the_newest_stay_in_their_order },
		{ "in an attempt nothing is overwritten", in_an_attempt_nothing_is_overwritten },
		{ "in an attempt the steps of the snapshot stay", in_an_attempt_the_steps_of_the_snapshot_stay },
		{ "nothing is told that counts from an unknown base", nothing_is_told_that_counts_from_an_unknown_base },
		{ "texts stay as long as there is room", texts_stay_as_long_as_there_is_room },
		{ "every change of a file is found", every_change_of_a_file_is_found },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "trace", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
