/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines go to the end of the history, each by one write. Nothing here is synced: what a crash takes of it was only good to know. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/moment.h"
#include "store/history.h"

/* The last line of the file is somebody's who was killed in it, or found no space: the next begins behind it. */
static int is_torn(int fd, off_t size, const char *path, bool *torn, struct fault *fault)
{
	char last = '\n';
	int code = size ? io_read(fd, &last, 1, (uint64_t)size - 1, path, fault) : 0;

	*torn = last != '\n';
	return code;
}

static int append_to(int fd, const char *path, const char *line, off_t *size, struct fault *fault)
{
	struct stat status;
	char *text;
	bool torn;
	int code;

	if (fstat(fd, &status))
		return fault_errno(fault, "cannot read '%s'", path);
	if (!S_ISREG(status.st_mode))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is not a file", path);
	if (status.st_size > HISTORY_LARGEST)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is too large", path);
	code = is_torn(fd, status.st_size, path, &torn, fault);
	if (code)
		return code;
	text = malloc(strlen(line) + 3);
	if (!text)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a line");
	sprintf(text, "%s%s\n", torn ? "\n" : "", line);
	*size = status.st_size + (off_t)strlen(text);
	code = io_write(fd, text, strlen(text), (uint64_t)status.st_size, path, fault);
	crash_point("history-written");
	free(text);
	return code;
}

static int shorten(struct store *store, const char *path, struct fault *fault)
{
	char *text, *shorter;
	size_t size;
	int code = io_read_file(path, HISTORY_LARGEST, &text, &size, fault);

	if (code)
		return code;
	shorter = history_shorter(text, size, store->run);
	free(text);
	if (!shorter)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to make '%s' shorter", path);
	code = io_publish(path, shorter, strlen(shorter), fault);
	free(shorter);
	return code;
}

static int append(struct store *store, const char *line, struct fault *fault)
{
	struct io_path path = io_path("%s/" HISTORY_NAME, store->folder);
	int fd = io_open(path.text, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK);
	off_t size = 0;
	int code;

	crash_point("history-open");
	if (fd < 0)
		return fault_errno(fault, "cannot open '%s'", path.text);
	code = append_to(fd, path.text, line, &size, fault);
	if (io_close(fd) && !code)
		code = fault_errno(fault, "cannot write '%s'", path.text);
	return code || size <= HISTORY_MOST ? code : shorten(store, path.text, fault);
}

/* Consumes the line. */
static void add(struct store *store, json_t *line)
{
	struct fault fault = FAULT_NONE;
	char *text = history_line(line);

	if (!text)
		fault_set(&fault, SEAMARK_E_MEMORY, "no memory for a line");
	else
		append(store, text, &fault);
	free(text);
	if (fault.code && !store->history_failed)
		log_say(LOG_NOTICE, "the run's history is not kept, so that the mean time between failures is not learned from it: %s", fault.text);
	store->history_failed |= fault.code;
}

static json_t *now(void)
{
	return json_string(moment_text(moment_now_ns()).text);
}

/* Nothing that would have to be escaped. */
static json_t *host(void)
{
	char name[65] = "";

	gethostname(name, sizeof name - 1);
	for (char *at = name; *at; at++)
		if (*at <= ' ' || *at >= 0x7f || *at == '"' || *at == '\\')
			*at = '?';
	return json_string(name);
}

void history_begin(struct store *store, uint64_t from, int64_t step)
{
	add(store, json_pack("{s:s, s:I, s:o, s:o, s:o, s:I, s:s, s:I, s:I, s:I}", "event", "begin", "life", (json_int_t)store->life, "time", now(), "run",
			     history_run(store->run), "host", host(), "process", (json_int_t)getpid(), "owner", store->owner,
			     "ranks", (json_int_t)store->ranks, "from", (json_int_t)from, "step", (json_int_t)step));
}

static double number(double value)
{
	return isfinite(value) && value > 0 ? value : 0;
}

void history_commit(struct store *store, const struct store_commit *commit, int64_t durable_ns)
{
	add(store, json_pack("{s:s, s:I, s:o, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:b}", "event", "commit", "life", (json_int_t)store->life, "time", now(),
			     "number", (json_int_t)commit->identity.number, "step", (json_int_t)commit->identity.step, "held_s", number(commit->held_s),
			     "cost_s", number(commit->cost_s), "durable_s", number((double)(durable_ns - commit->requested_ns) / 1e9),
			     "bytes", (json_int_t)commit->bytes, "messages", (json_int_t)commit->messages,
			     "message_bytes", (json_int_t)commit->message_bytes, "stop", (int)commit->stop));
}

void history_end(struct store *store, bool stopped)
{
	if (lives_is_newest(store))
		add(store, json_pack("{s:s, s:I, s:o, s:s}", "event", "end", "life", (json_int_t)store->life, "time", now(),
				     "how", stopped ? "stopped" : "finalized"));
}
