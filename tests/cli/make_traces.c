/* SPDX-License-Identifier: BSD-3-Clause */
/* make_traces DIR [NUMBER]: a folder with the traces of two snapshots of three ranks, always the same. Snapshot 1 is committed, with three messages in flight; 2 is void, for an orphan. Ranks 0 and 1 have one clock;
 * that of rank 2 is ahead by an hour, and its idea of the time of day is wrong by 5 ms.
 * With a number, instead: the trace of that checkpoint of three ranks, which is there; message i in flight to a rank was sent i ms before its cut. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "seamark_files.h"
#include "trace/format.h"

enum { RANKS = 3, MOST = 256, NONE = -1, WORLD = 0, FREE = 1 };
#define REAL_NS INT64_C(1767225600000000000)
#define HOUR_NS INT64_C(3600000000000)

static struct trace_event events[RANKS][MOST];
static size_t counts[RANKS];
static uint8_t run[16] = { 1, 2, 3 };
static uint64_t beside; /* a checkpoint: all have one clock */
static struct trace_text texts[] = {
	{ "MPI_Send" },
	{ "MPI_Allreduce" },
	{ "a message from after its sender's cut was received before its receiver's: rank 0 has seen 1 of rank 2 with tag 9" },
};
enum { SEND_CALL = 1, ALLREDUCE_CALL, ORPHAN_TEXT };

/* At so many microseconds. */
static struct trace_event *add(int rank, int us, enum trace_kind kind, int peer, int64_t position, uint64_t value)
{
	struct trace_event *event = &events[rank][counts[rank]++];

	*event = (struct trace_event){ .ns = (rank == 2 && !beside ? HOUR_NS : 0) + INT64_C(1000000000) + us * INT64_C(1000), .kind = (uint8_t)kind, .comm = TRACE_NO_COMM,
				       .peer = peer, .position = position, .value = value };
	return event;
}

static void message(int rank, int us, enum trace_kind kind, int peer, int comm, uint32_t tag, int64_t position, uint64_t turn)
{
	struct trace_event *event = add(rank, us, kind, peer, position, 32);

	event->comm = (uint32_t)comm;
	event->tag = tag;
	event->turn = turn;
	event->text = kind == TRACE_SEND ? SEND_CALL : 0;
}

static void order(int from, int sent_us, int to, int came_us, enum trace_order what, uint64_t epoch)
{
	add(from, sent_us, TRACE_ORDER_SENT, to, what == TRACE_ORDER_CUT ? 41 : 0, what)->turn = epoch;
	add(to, came_us, TRACE_ORDER_CAME, from, what == TRACE_ORDER_CUT ? 41 : 0, what)->turn = epoch;
}

static void alert(int rank, int us, uint64_t epoch)
{
	add(rank, us, TRACE_ALERT, NONE, 0, epoch)->turn = epoch;
}

/* The cut as far as the markers: count[to] messages with tag 5 were sent to each. */
static void cut(int rank, int us, uint64_t epoch, int flags, const int *count)
{
	if (!flags) {
		add(rank, us, TRACE_CAPTURE, NONE, 0, 0);
		add(rank, us + 20, TRACE_CAPTURED, NONE, 0, 0);
	}
	add(rank, us + 21, TRACE_CUT, NONE, 41, epoch)->flags = (uint8_t)flags;
	for (int to = 0; to < RANKS; to++) {
		if (!count[to])
			continue;
		struct trace_event *marked = add(rank, us + 21, TRACE_MARKED, to, count[to], 0);

		marked->comm = WORLD;
		marked->tag = 5;
	}
	for (int i = 1; i < RANKS; i++)
		add(rank, us + 21 + i, TRACE_MARKER_SENT, (rank + i) % RANKS, 0, epoch)->flags = (uint8_t)flags;
	add(rank, us + 25, TRACE_GOES_ON, NONE, 0, 0);
}

static void marker(int rank, int us, int from, uint64_t epoch, int flags)
{
	add(rank, us, TRACE_HEAD_CAME, from, 0, epoch)->flags = (uint8_t)flags;
	add(rank, us + 1, TRACE_COUNTS_CAME, from, 0, epoch);
}

/* From the closing barrier to the outcome. */
static void end(int us, uint64_t epoch, bool is_void)
{
	const uint8_t flags = is_void ? TRACE_VOID : 0;

	for (int rank = 0; rank < RANKS; rank++) {
		add(rank, us + rank, TRACE_MATCHED, NONE, 0, 0);
		add(rank, us + rank + 1, TRACE_BARRIER, NONE, 0, 0);
		add(rank, us + 10 + rank, TRACE_BARRIER_DONE, NONE, 0, 0);
		if (!is_void) {
			add(rank, us + 12 + rank, TRACE_CLOSED, NONE, 0, 0);
			add(rank, us + 500 + 100 * rank, TRACE_DURABLE, NONE, 0, 8192);
		}
		add(rank, us + 510 + 100 * rank, TRACE_VERDICT, NONE, 0, 0)->flags = flags;
		add(rank, us + 720 + rank, TRACE_VERDICT_DONE, NONE, 0, 0)->flags = flags;
		add(rank, us + 725 + rank, TRACE_REBASED, NONE, 0, epoch);
	}
	if (!is_void) {
		add(0, us + 730, TRACE_COMMIT, NONE, 0, 0);
		add(0, us + 900, TRACE_COMMITTED, NONE, 0, 0);
		order(0, us + 901, 2, us + 930, TRACE_ORDER_OUTCOME, epoch);
		order(0, us + 902, 1, us + 940, TRACE_ORDER_OUTCOME, epoch);
	}
	for (int rank = 0; rank < RANKS; rank++) {
		struct trace_event *outcome = add(rank, us + 941 + rank, TRACE_OUTCOME, NONE, 0, epoch);

		outcome->flags = flags;
		outcome->text = is_void ? ORPHAN_TEXT : 0;
	}
}

static void announce(int us, uint64_t epoch)
{
	add(0, us - 5, TRACE_REQUEST, NONE, 0, 1);
	alert(0, us, epoch);
	order(0, us + 2, 2, us + 30, TRACE_ORDER_ANNOUNCE, epoch);
	order(0, us + 3, 1, us + 25, TRACE_ORDER_ANNOUNCE, epoch);
	alert(1, us + 26, epoch);
	alert(2, us + 31, epoch);
	order(1, us + 27, 0, us + 40, TRACE_ORDER_READY, epoch);
	order(2, us + 32, 0, us + 60, TRACE_ORDER_READY, epoch);
	order(0, us + 61, 2, us + 95, TRACE_ORDER_CUT, epoch);
	order(0, us + 62, 1, us + 90, TRACE_ORDER_CUT, epoch);
}

/* --- the files ---------------------------------------------------------------------------------------------------------------- */

static void write_rank(const char *folder, int rank, uint64_t number)
{
	static struct trace_comm comms[] = { { "world", "" }, { "world/0:1", "the \x1b[1mcarriers" } };
	struct trace_file file = {
		.number = number, .nonce = 77 + number, .epoch = number, .life = 1, .rank = (uint32_t)rank, .ranks = RANKS,
		.clock = rank == 2 && number != beside ? 2 : 1, .real_ns = REAL_NS - (rank == 2 && !beside ? HOUR_NS + 5000000 : 0),
		.comms = comms, .comm_count = 2, .texts = texts, .text_count = sizeof texts / sizeof texts[0], .events = events[rank], .event_count = counts[rank],
	};
	struct bytes_out out = { 0 };
	char path[4200];
	FILE *to;

	memcpy(file.run, run, sizeof file.run);
	trace_put(&out, &file);
	snprintf(path, sizeof path, "%s/rank-%05d.trace", folder, rank);
	to = fopen(path, "w");
	if (out.failed || !to || fwrite(out.data, out.size, 1, to) != 1 || fclose(to)) {
		fprintf(stderr, "make_traces: cannot write '%s'\n", path);
		exit(1);
	}
	bytes_free(&out);
}

static void write_all(const char *where, uint64_t number)
{
	char path[4096];

	mkdir(where, 0777);
	snprintf(path, sizeof path, "%s/trace", where);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/trace/%07llu.L01", where, (unsigned long long)number);
	if (mkdir(path, 0777) && errno != EEXIST) {
		fprintf(stderr, "make_traces: cannot make '%s'\n", path);
		exit(1);
	}
	for (int rank = 0; rank < RANKS; rank++)
		write_rank(path, rank, number);
}

static int by_time(const void *a, const void *b)
{
	const struct trace_event *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

/* What was added in another order than it happened; what has one time stays as it was added. */
static void sort(void)
{
	for (int rank = 0; rank < RANKS; rank++)
		for (size_t i = 1; i < counts[rank]; i++)
			for (size_t at = i; at && by_time(&events[rank][at - 1], &events[rank][at]) > 0; at--) {
				struct trace_event kept = events[rank][at];

				events[rank][at] = events[rank][at - 1];
				events[rank][at - 1] = kept;
			}
}

static void make_committed(void)
{
	const int of_0[RANKS] = { 0, 1, 0 }, of_1[RANKS] = { 2, 0, 0 }, of_2[RANKS] = { 1, 0, 0 };

	for (int rank = 0; rank < RANKS; rank++) {
		struct trace_event *collective = add(rank, -90 + rank, TRACE_COLLECTIVE, NONE, 0, 7);

		collective->comm = WORLD;
		collective->text = ALLREDUCE_CALL;
		add(rank, -80 + rank, TRACE_SAFEPOINT, NONE, 40, 0);
	}
	message(1, -50, TRACE_SEND, 0, WORLD, 5, 1, 0); /* before */
	message(0, -20, TRACE_TOLD, 1, WORLD, 5, 1, 1);
	message(2, -40, TRACE_SEND, 0, WORLD, 5, 1, 0); /* late: told after the cut of rank 0 */
	announce(0, 1);
	message(0, 70, TRACE_SEND, 1, WORLD, 5, 1, 0);  /* late: drained */
	add(0, 100, TRACE_SAFEPOINT, NONE, 41, 0);
	cut(0, 100, 1, 0, of_0);
	message(1, 105, TRACE_SEND, 0, WORLD, 5, 2, 0); /* late: its sender cuts later */
	add(1, 110, TRACE_SAFEPOINT, NONE, 41, 0);
	cut(1, 110, 1, 0, of_1);
	message(0, 140, TRACE_SEND, 2, FREE, 9, 1, 0);  /* new */
	marker(0, 150, 1, 1, 0);
	add(2, 150, TRACE_SAFEPOINT, NONE, 41, 0);
	cut(2, 150, 1, 0, of_2);
	message(0, 200, TRACE_TOLD, 1, WORLD, 5, 2, 2);
	message(0, 201, TRACE_RECORDED, 1, WORLD, 5, 2, 2);
	message(0, 210, TRACE_TOLD, 2, WORLD, 5, 1, 3);
	marker(0, 212, 2, 1, 0);
	message(0, 214, TRACE_RECORDED, 2, WORLD, 5, 1, 3);
	marker(1, 160, 0, 1, 0);
	marker(1, 215, 2, 1, 0);
	message(1, 220, TRACE_DRAINED, 0, WORLD, 5, 1, 1);
	message(1, 221, TRACE_RECORDED, 0, WORLD, 5, 1, 1);
	marker(2, 180, 0, 1, 0);
	marker(2, 182, 1, 1, 0);
	message(2, 190, TRACE_TOLD, 0, FREE, 9, 1, 1);
	end(300, 1, false);
}

/* Two seconds later, with what came before still in memory. */
static void make_void(void)
{
	const int us = 2000000, none[RANKS] = { 0, 0, 0 };

	announce(us, 2);
	cut(2, us + 100, 2, 0, none);
	message(2, us + 130, TRACE_SEND, 0, WORLD, 9, 1, 0);
	message(0, us + 160, TRACE_TOLD, 2, WORLD, 9, 1, 4); /* an orphan */
	marker(0, us + 170, 2, 2, 0);
	add(0, us + 172, TRACE_VOID_HERE, NONE, 0, 0)->text = ORPHAN_TEXT;
	cut(0, us + 173, 2, TRACE_VOID, none);
	marker(1, us + 150, 2, 2, 0);
	cut(1, us + 160, 2, 0, none);
	marker(1, us + 260, 0, 2, TRACE_VOID);
	add(1, us + 262, TRACE_GIVEN_UP, NONE, 0, 0);
	marker(0, us + 270, 1, 2, 0);
	marker(2, us + 250, 0, 2, TRACE_VOID);
	add(2, us + 252, TRACE_GIVEN_UP, NONE, 0, 0);
	marker(2, us + 255, 1, 2, 0);
	end(us + 300, 2, true);
}

/* The messages in flight of a checkpoint; those of other communicators than the world are left out. */
static void take_messages(const seamark_files_checkpoint *checkpoint, uint32_t to)
{
	struct seamark_files_message in_flight;
	seamark_files_image *image;
	size_t count = 0;

	if (seamark_files_image_open(&image, checkpoint, to) || seamark_files_message_count(image, &count))
		exit(1);
	alert((int)to, 5000, 1);
	add((int)to, 10000, TRACE_CUT, NONE, 1, 1);
	for (size_t i = 0; i < count && !seamark_files_message_at(image, i, &in_flight); i++) {
		const int from = (int)in_flight.source_world;

		if (strcmp(in_flight.communicator, "world") != 0)
			continue;
		message(from, 10000 - 1000 * ((int)i + 1), TRACE_SEND, (int)to, WORLD, in_flight.tag, in_flight.position, 0);
		message((int)to, 11000, TRACE_RECORDED, from, WORLD, in_flight.tag, in_flight.position, in_flight.turn);
	}
	add((int)to, 20000, TRACE_OUTCOME, NONE, 0, 1);
	seamark_files_image_close(image);
}

static void make_beside(const char *where, uint64_t number)
{
	seamark_files *files;
	struct seamark_files_entry entry;
	seamark_files_checkpoint *checkpoint;

	if (seamark_files_open(&files, where) || seamark_files_entry_of(files, number, &entry) || entry.ranks != RANKS ||
	    seamark_files_checkpoint_open(&checkpoint, entry.path)) {
		fprintf(stderr, "make_traces: %s\n", seamark_files_error());
		exit(1);
	}
	memcpy(run, entry.run, sizeof run);
	beside = number;
	for (uint32_t rank = 0; rank < RANKS; rank++)
		take_messages(checkpoint, rank);
	sort();
	write_all(where, number);
	seamark_files_checkpoint_close(checkpoint);
	seamark_files_close(files);
}

int main(int argc, char **argv)
{
	if (argc == 3) {
		make_beside(argv[1], strtoull(argv[2], NULL, 10));
		return 0;
	}
	if (argc != 2) {
		fprintf(stderr, "usage: make_traces DIR [NUMBER]\n");
		return 2;
	}
	make_committed();
	sort();
	write_all(argv[1], 1);
	make_void();
	sort();
	write_all(argv[1], 2);
	return 0;
}
