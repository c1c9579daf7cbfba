/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/traces.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crash.h"
#include "base/list.h"
#include "base/log.h"
#include "store/internal.h"

enum { KEPT = 16 };

#define TRACES "trace"

static int make_folder(const char *path, struct fault *fault)
{
	int failed = io_mkdir(path);

	crash_point("trace-folder-made");
	return failed && errno != EEXIST ? fault_errno(fault, "cannot make '%s'", path) : 0;
}

static void remove_file(const char *path)
{
	unlink(path);
	crash_point("trace-file-removed");
}

static int write_file(const char *path, const struct bytes_out *bytes, struct fault *fault)
{
	int fd = io_open(path, O_WRONLY | O_CREAT | O_TRUNC), code;

	crash_point("trace-file-made");
	if (fd < 0)
		return fault_errno(fault, "cannot make '%s'", path);
	code = io_write(fd, bytes->data, bytes->size, 0, path, fault);
	crash_point("trace-written");
	if (io_close(fd) && !code)
		code = fault_errno(fault, "cannot write '%s'", path);
	/* A half of one is of no use, and takes space. (One that a kill leaves is known by its checksum.) */
	if (code)
		remove_file(path);
	return code;
}

static int write_trace(struct store *store, const struct store_trace *trace, const struct bytes_out *bytes, struct fault *fault)
{
	struct io_path above = io_path("%s/" TRACES, store->folder);
	struct io_path folder = io_path("%s/%07" PRIu64 ".L%02" PRIu32, above.text, trace->number, trace->life);
	struct io_path path = io_path("%s/rank-%05" PRIu32 ".trace", folder.text, store->rank);
	int code;

	if (bytes->failed)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for '%s'", path.text);
	code = make_folder(above.text, fault);
	if (!code)
		code = make_folder(folder.text, fault);
	if (!code)
		code = write_file(path.text, bytes, fault);
	return code;
}

/* --- old ones ------------------------------------------------------------------------------------------------------------- */

struct old {
	uint64_t number;
	uint32_t life;
	char name[64];
};

static int newest_first(const void *a, const void *b)
{
	const struct old *x = a, *y = b;

	return x->number != y->number ? (x->number < y->number) - (x->number > y->number) : (x->life < y->life) - (x->life > y->life);
}

/* false: it is not one of ours. */
static bool is_trace(const char *name, struct old *old)
{
	if (sscanf(name, "%" SCNu64 ".L%" SCNu32, &old->number, &old->life) != 2)
		return false;
	snprintf(old->name, sizeof old->name, "%07" PRIu64 ".L%02" PRIu32, old->number, old->life);
	return !strcmp(name, old->name);
}

static struct old *list_traces(const char *above, size_t *count)
{
	DIR *open = io_opendir(above);
	struct old *list = NULL, *larger, old;
	struct dirent *file;
	size_t room = 0;

	*count = 0;
	while (open && (file = readdir(open))) {
		if (!is_trace(file->d_name, &old))
			continue;
		larger = list_with_room(list, *count, &room, sizeof *list);
		if (!larger)
			break;
		list = larger;
		list[(*count)++] = old;
	}
	if (open)
		closedir(open);
	return list;
}

static void remove_trace(const char *above, const struct old *old)
{
	struct io_path folder = io_path("%s/%s", above, old->name);
	DIR *open = io_opendir(folder.text);
	struct dirent *file;

	while (open && (file = readdir(open)))
		if (!strncmp(file->d_name, "rank-", 5))
			remove_file(io_path("%s/%s", folder.text, file->d_name).text);
	if (open)
		closedir(open);
	rmdir(folder.text);
	crash_point("trace-folder-removed");
}

/* The newest stay, and those of checkpoints that are there. */
static void retire(struct store *store)
{
	struct io_path above = io_path("%s/" TRACES, store->folder);
	size_t count;
	struct old *list = list_traces(above.text, &count);

	if (count > KEPT)
		qsort(list, count, sizeof *list, newest_first);
	for (size_t i = KEPT; i < count; i++)
		if (!io_is_there(io_path("%s/%s/manifest.json", store->folder, list[i].name).text))
			remove_trace(above.text, &list[i]);
	free(list);
}

void traces_write(struct store *store, const struct store_trace *trace)
{
	struct fault fault = FAULT_NONE;
	struct bytes_out bytes = {0};

	if (!atomic_load(&store->superseded)) {
		trace->put(trace->context, &bytes);
		write_trace(store, trace, &bytes, &fault);
		if (fault.code && !store->traces_failed)
			log_say(LOG_NOTICE, "a trace is not kept: %s", fault.text);
		store->traces_failed |= fault.code;
		if (store->rank == 0)
			retire(store);
	}
	bytes_free(&bytes);
	trace->done(trace->context);
	atomic_fetch_sub(&store->traces_waiting, 1);
}
