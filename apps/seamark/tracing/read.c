/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder of traces. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "store/io.h"
#include "tracing/inside.h"

/* "0000013.L02", and written as we write it: no two names mean the same. */
static bool is_attempt(const char *name, uint64_t *number, uint32_t *life)
{
	char same[64];

	if (sscanf(name, "%" SCNu64 ".L%" SCNu32, number, life) != 2)
		return false;
	snprintf(same, sizeof same, "%07" PRIu64 ".L%02" PRIu32, *number, *life);
	return !strcmp(name, same);
}

static bool is_rank(const char *name, uint32_t *rank)
{
	char same[64];

	if (sscanf(name, "rank-%" SCNu32, rank) != 1)
		return false;
	snprintf(same, sizeof same, "rank-%05" PRIu32 ".trace", *rank);
	return !strcmp(name, same);
}

static uint32_t count_files(const char *folder, const char *name)
{
	DIR *open = io_opendir(io_path("%s/trace/%s", folder, name).text);
	struct dirent *file;
	uint32_t count = 0, rank;

	while (open && (file = readdir(open)))
		count += is_rank(file->d_name, &rank);
	if (open)
		closedir(open);
	return count;
}

static int in_order(const void *a, const void *b)
{
	const struct trace_model_entry *x = a, *y = b;

	return x->number != y->number ? (x->number > y->number) - (x->number < y->number) : (x->life > y->life) - (x->life < y->life);
}

int trace_model_list(const char *folder, struct trace_model_entry **entries, size_t *count, struct fault *fault)
{
	struct io_path path = io_path("%s/trace", folder);
	DIR *open = io_opendir(path.text);
	struct trace_model_entry *list = NULL, entry;
	struct dirent *file;
	size_t room = 0;

	*entries = NULL;
	*count = 0;
	if (!open)
		return errno == ENOENT ? fault_set(fault, SEAMARK_E_NOT_FOUND, "there is no trace in '%s': SEAMARK_TRACE=1 makes a run keep them", folder)
				       : fault_errno(fault, "cannot read '%s'", path.text);
	while ((file = readdir(open))) {
		if (!is_attempt(file->d_name, &entry.number, &entry.life) || !(entry.files = count_files(folder, file->d_name)))
			continue;
		struct trace_model_entry *larger = list_with_room(list, *count, &room, sizeof *list);

		if (!larger) {
			free(list);
			closedir(open);
			return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of traces");
		}
		list = larger;
		list[(*count)++] = entry;
	}
	closedir(open);
	if (*count)
		qsort(list, *count, sizeof *list, in_order);
	*entries = list;
	return 0;
}

static int find(const char *folder, uint64_t number, struct trace_model_entry *found, struct fault *fault)
{
	struct trace_model_entry *entries;
	size_t count;
	bool any = false;
	int code = trace_model_list(folder, &entries, &count, fault);

	if (code)
		return code;
	for (size_t i = 0; i < count; i++)
		if (!number || entries[i].number == number) {
			*found = entries[i];
			any = true;
		}
	free(entries);
	if (any)
		return 0;
	return number ? fault_set(fault, SEAMARK_E_NOT_FOUND, "there is no trace of snapshot %" PRIu64 " in '%s'", number, folder)
		      : fault_set(fault, SEAMARK_E_NOT_FOUND, "there is no trace in '%s': SEAMARK_TRACE=1 makes a run keep them", folder);
}

/* --- the files ----------------------------------------------------------------------------------------------------------- */

static int read_file(const char *path, struct trace_file *file, struct fault *fault)
{
	char *data;
	size_t size;
	int code = io_read_file(path, TRACE_FILE_MOST, &data, &size, fault);

	if (code)
		return code;
	code = trace_get(file, data, size, path, fault);
	free(data);
	return code;
}

static int make_ranks(struct trace_model *model, const struct trace_file *first, struct fault *fault)
{
	model->ranks = first->ranks;
	model->life = first->life;
	model->number = first->number;
	model->epoch = first->epoch;
	model->nonce = first->nonce;
	memcpy(model->run, first->run, sizeof model->run);
	model->of = calloc(model->ranks, sizeof *model->of);
	model->files = calloc(model->ranks, sizeof *model->files);
	return model->of && model->files ? 0 : fault_set(fault, SEAMARK_E_MEMORY, "no memory for the ranks of a trace");
}

/* The file of a rank: the model's, or a problem. */
static int take_file(struct trace_model *model, uint32_t rank, struct trace_file *file, const char *path, struct fault *fault)
{
	const char *problem = NULL;
	int code = model->of ? 0 : make_ranks(model, file, fault);

	if (code)
		problem = "";
	else if (file->rank != rank)
		problem = "it is another rank's";
	else if (file->ranks != model->ranks || file->number != model->number || file->life != model->life || file->epoch != model->epoch ||
		 memcmp(file->run, model->run, sizeof model->run) || file->nonce != model->nonce)
		problem = "it is of another attempt than the other ranks'";
	if (!problem) {
		model->files[rank] = *file;
		model->of[rank].there = true;
		model->read++;
		return 0;
	}
	if (!code && rank < model->ranks)
		snprintf(model->of[rank].problem, sizeof model->of[rank].problem, "'%.100s': %s", path, problem);
	trace_file_free(file);
	return code;
}

struct bad {
	uint32_t rank;
	struct fault fault;
};

static void tell_bad(struct trace_model *model, const struct bad *bad, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bad[i].rank < model->ranks)
			snprintf(model->of[bad[i].rank].problem, sizeof model->of->problem, "%.159s", bad[i].fault.text);
}

/* In the order of ranks, so that the first that can be used says what the trace is of. */
static int take_ranks(struct trace_model *model, const char *folder, const uint32_t *ranks, size_t count, struct fault *fault)
{
	struct bad *bad = calloc(count + 1, sizeof *bad);
	size_t bad_count = 0;
	int code = bad ? 0 : fault_set(fault, SEAMARK_E_MEMORY, "no memory for a list of files");

	for (size_t i = 0; !code && i < count; i++) {
		struct io_path path = io_path("%s/rank-%05" PRIu32 ".trace", folder, ranks[i]);
		struct trace_file file;

		bad[bad_count] = (struct bad){ ranks[i], FAULT_NONE };
		if (read_file(path.text, &file, &bad[bad_count].fault))
			bad_count++;
		else
			code = take_file(model, ranks[i], &file, path.text, fault);
	}
	if (!code && !model->read)
		code = bad_count ? fault_set(fault, bad[0].fault.code, "%s", bad[0].fault.text)
				 : fault_set(fault, SEAMARK_E_DAMAGED, "'%s' holds no file that can be used", folder);
	if (!code)
		tell_bad(model, bad, bad_count);
	free(bad);
	return code;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int trace_read_files(struct trace_model *model, const char *folder, uint64_t number, struct fault *fault)
{
	struct trace_model_entry entry = { 0 };
	uint32_t *ranks = NULL, rank;
	size_t count = 0, room = 0;
	struct dirent *file;
	int code = find(folder, number, &entry, fault);

	if (code)
		return code;
	struct io_path path = io_path("%s/trace/%07" PRIu64 ".L%02" PRIu32, folder, entry.number, entry.life);
	DIR *open = io_opendir(path.text);

	if (!open)
		return fault_errno(fault, "cannot read '%s'", path.text);
	while ((file = readdir(open))) {
		if (!is_rank(file->d_name, &rank))
			continue;
		uint32_t *larger = list_with_room(ranks, count, &room, sizeof *ranks);

		if (!larger)
			break;
		ranks = larger;
		ranks[count++] = rank;
	}
	closedir(open);
	if (count)
		qsort(ranks, count, sizeof *ranks, by_number);
	code = take_ranks(model, path.text, ranks, count, fault);
	free(ranks);
	return code;
}
