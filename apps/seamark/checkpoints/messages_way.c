/* SPDX-License-Identifier: BSD-3-Clause */
#include "checkpoints/messages_way.h"

#include <stdlib.h>
#include <string.h>

#include "tracing/model.h"

struct ways {
	struct trace_model *model;
	const struct trace_model_message **late; /* in order */
	size_t count;
};

static const char *name_of(const struct trace_model *model, const struct trace_model_message *message)
{
	return message->comm < 0 ? "" : model->comms[message->comm].name;
}

static int compare(const struct trace_model_message *x, const char *x_comm, const struct trace_model_message *y, const char *y_comm)
{
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return strcmp(x_comm, y_comm);
}

static int in_order(const void *a, const void *b, void *model)
{
	const struct trace_model_message *x = *(const struct trace_model_message *const *)a, *y = *(const struct trace_model_message *const *)b;

	return compare(x, name_of(model, x), y, name_of(model, y));
}

struct ways *ways_open(const struct seamark_files_entry *entry)
{
	struct ways *ways = calloc(1, sizeof *ways);
	struct fault fault = FAULT_NONE;
	char *folder = strdup(entry->path), *slash = folder ? strrchr(folder, '/') : NULL;

	if (slash)
		*slash = 0;
	if (ways && folder && !trace_model_of_snapshot(slash ? folder : ".", entry->number, &ways->model, &fault))
		ways->late = calloc(ways->model->message_count + 1, sizeof *ways->late);
	free(folder);
	/* Another life may have had that number. */
	if (!ways || !ways->late || ways->model->life != entry->life || memcmp(ways->model->run, entry->run, sizeof entry->run) != 0) {
		ways_close(ways);
		return NULL;
	}
	for (size_t i = 0; i < ways->model->message_count; i++)
		if (ways->model->messages[i].place == TRACE_MODEL_LATE && ways->model->messages[i].way_ns >= 0)
			ways->late[ways->count++] = &ways->model->messages[i];
	qsort_r(ways->late, ways->count, sizeof *ways->late, in_order, ways->model);
	return ways;
}

void ways_close(struct ways *ways)
{
	if (!ways)
		return;
	free(ways->late);
	trace_model_free(ways->model);
	free(ways);
}

int64_t ways_of(const struct ways *ways, const struct seamark_files_message *message, uint32_t to)
{
	const struct trace_model_message wanted = {
		.from = (int32_t)message->source_world, .to = (int32_t)to, .tag = message->tag, .position = message->position,
	};

	for (size_t low = 0, high = ways ? ways->count : 0; low < high;) {
		const size_t middle = low + (high - low) / 2;
		const int order = compare(&wanted, message->communicator, ways->late[middle], name_of(ways->model, ways->late[middle]));

		if (order == 0)
			return ways->late[middle]->way_ns;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}
