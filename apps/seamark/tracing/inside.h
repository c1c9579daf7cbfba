/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the model share.
 *   read.c   the folder and its files
 *   model.c  from files to a model
 *   place.c  positions of messages
 *   match.c  messages and markers: their two ends
 *   clock.c  what comes after what; clocks
 *   order.c  one causal order */
#ifndef TRACE_INSIDE_H
#define TRACE_INSIDE_H

#include "tracing/model.h"

static const struct trace_model_end trace_no_end = { -1, 0 };

static inline struct trace_model_event *trace_event_at(const struct trace_model *model, struct trace_model_end end)
{
	return &model->of[end.rank].events[end.index];
}

/* Reads the files of a snapshot's trace: files[rank] of those that can be used, problems of the others. */
int trace_read_files(struct trace_model *model, const char *folder, uint64_t number, struct fault *fault);

#define TRACE_ORDER_BY(x, y, field) \
	if ((x)->field != (y)->field) \
	return (x)->field < (y)->field ? -1 : 1

/* A base that moved to the cut of an epoch: by how much, for one stream. */
struct trace_moved {
	uint64_t epoch;
	int32_t from, to, comm;
	uint32_t tag;
	int64_t count;
};

struct trace_bases {
	struct trace_moved *moved;
	size_t count, room;
};

/* By epoch and stream, as qsort() wants it. */
int trace_by_stream(const void *a, const void *b);
/* The stream that a message's event is of; epoch and count are 0. */
struct trace_moved trace_stream_of(const struct trace_model_event *event, uint32_t rank);
/* What all cuts say. false: no memory. The list is freed in any case by the caller. */
bool trace_gather_bases(struct trace_bases *bases, const struct trace_model *model);
/* How many messages of a stream were sent before its sender's cut of an epoch. false: not known. */
bool trace_count_at(const struct trace_bases *bases, struct trace_moved wanted, int64_t *count);

/* Where each event's positions are counted from: puts them to what they are at the cut. false: no memory. */
bool trace_place_positions(struct trace_model *model);
/* Finds both ends. false: no memory. */
bool trace_match_messages(struct trace_model *model);
bool trace_match_markers(struct trace_model *model);
/* Where the messages stand to the cut, when all events have their times. false: no memory. */
bool trace_judge_messages(struct trace_model *model);

/* Offsets of the clocks, corrected times, the order. false: no memory. */
bool trace_correct_clocks(struct trace_model *model);
bool trace_put_in_order(struct trace_model *model);
/* What an event comes after, beside the one before it on its rank: the sending of a message, marker or order. rank -1: nothing. */
struct trace_model_end trace_cause(const struct trace_model *model, struct trace_model_end of);

#endif
