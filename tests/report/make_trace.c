/* SPDX-License-Identifier: BSD-3-Clause */
/* make_trace FOLDER RANKS NUMBER [NAME]: the trace of a committed snapshot, in which each rank has a message of 40 bytes from the one before it in flight. Rank r is held for 100 + r us, its channels
 * are open for 400 us, and its image is durable after 2 ms.
 * NAME: what the communicator and the call are called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "trace/format.h"

enum { MOST = 4096, CUT_US = 200 };

static struct trace_event events[MOST];
static size_t count;

static struct trace_event *add(int us, enum trace_kind kind, int peer, int64_t position, uint64_t value)
{
	struct trace_event *event = &events[count++];

	*event = (struct trace_event){ .ns = INT64_C(1000000000) + us * INT64_C(1000), .kind = (uint8_t)kind, .comm = TRACE_NO_COMM, .peer = peer, .position = position, .value = value };
	return event;
}

static void message(int us, enum trace_kind kind, int peer, uint64_t turn)
{
	struct trace_event *event = add(us, kind, peer, 1, 40);

	event->comm = 0;
	event->tag = 7;
	event->turn = turn;
	event->text = kind == TRACE_SEND ? 1 : 0;
}

static void make(int rank, int ranks, uint64_t number)
{
	count = 0;
	add(rank, TRACE_ALERT, -1, 0, number)->turn = number;
	message(50 + rank, TRACE_SEND, (rank + 1) % ranks, 0);
	add(CUT_US - 1, TRACE_SAFEPOINT, -1, 40, 0);
	add(CUT_US, TRACE_CAPTURE, -1, 0, 0);
	add(CUT_US + 60, TRACE_CAPTURED, -1, 0, 0);
	add(CUT_US + 61, TRACE_CUT, -1, 40, number);
	message(CUT_US + 61, TRACE_MARKED, (rank + 1) % ranks, 0);
	for (int i = 1; i < ranks; i++)
		add(CUT_US + 62, TRACE_MARKER_SENT, (rank + i) % ranks, 0, number);
	add(CUT_US + 100 + rank, TRACE_GOES_ON, -1, 0, 0);
	for (int i = 1; i < ranks; i++) {
		add(CUT_US + 300, TRACE_HEAD_CAME, (rank + i) % ranks, 0, number);
		add(CUT_US + 300, TRACE_COUNTS_CAME, (rank + i) % ranks, 0, number);
	}
	message(CUT_US + 320, TRACE_TOLD, (rank + ranks - 1) % ranks, 1);
	message(CUT_US + 321, TRACE_RECORDED, (rank + ranks - 1) % ranks, 1);
	add(CUT_US + 461, TRACE_CLOSED, -1, 0, 0);
	add(CUT_US + 2061, TRACE_DURABLE, -1, 0, 8192);
	add(CUT_US + 2100, TRACE_VERDICT_DONE, -1, 0, 0);
	if (!rank)
		add(CUT_US + 2200, TRACE_COMMITTED, -1, 0, 0);
	add(CUT_US + 2300, TRACE_OUTCOME, -1, 0, number);
}

int main(int argc, char **argv)
{
	static struct trace_comm comm = { "world", "" };
	static struct trace_text call = { "MPI_Isend" };
	int ranks = argc > 2 ? atoi(argv[2]) : 0;
	unsigned long long number = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	char path[4096], name[4200];

	if (ranks < 2 || ranks > MOST / 4 || !number)
		return 2;
	if (argc > 4) {
		snprintf(comm.label, sizeof comm.label, "%s", argv[4]);
		snprintf(call.text, sizeof call.text, "%s", argv[4]);
	}
	snprintf(path, sizeof path, "%s/trace", argv[1]);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/trace/%07llu.L01", argv[1], number);
	mkdir(path, 0700);
	for (int rank = 0; rank < ranks; rank++) {
		struct trace_file file = { .run = { 1 }, .number = number, .nonce = number, .epoch = number, .life = 1, .rank = (uint32_t)rank, .ranks = (uint32_t)ranks, .clock = 1,
			.real_ns = INT64_C(1000000000000000000), .comms = &comm, .comm_count = 1, .texts = &call, .text_count = 1, .events = events };
		struct bytes_out out = { 0 };
		FILE *to;

		make(rank, ranks, number);
		file.event_count = count;
		trace_put(&out, &file);
		snprintf(name, sizeof name, "%s/rank-%05d.trace", path, rank);
		to = fopen(name, "w");
		if (out.failed || !to || fwrite(out.data, out.size, 1, to) != 1 || fclose(to)) {
			perror(name);
			return 1;
		}
		bytes_free(&out);
	}
	return 0;
}
