/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark_files.h: a run that goes on: what its file `status` says, and asking it for a checkpoint. Nothing in the files is trusted. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/moment.h"
#include "seamark_files.h"
#include "store/files.h"
#include "store/internal.h"
#include "store/run_file.h"
#include "store/seal.h"

_Static_assert((int)SEAMARK_FILES_COMMITTING == (int)STATUS_COMMITTING && (int)SEAMARK_FILES_LEAVING == (int)STATUS_LEAVING, "they are handed out as they are");
_Static_assert(sizeof ((struct seamark_files_request *)0)->detail == STATUS_TEXT, "nothing is cut twice");

/* Whoever waits for three times of it waits no longer than that. */
#define AGAIN_MOST_S 3600

/* --- members ------------------------------------------------------------------------------------------------------------ */

/* Reads an object's members; the first that is missing or cannot be fails all. */
struct reading {
	json_t *object;
	bool failed;
};

static int64_t get_whole(struct reading *in, const char *name, int64_t least, int64_t most)
{
	json_t *value = json_object_get(in->object, name);
	json_int_t whole = json_integer_value(value);

	in->failed |= !json_is_integer(value) || whole < least || whole > most;
	return in->failed ? 0 : whole;
}

static uint64_t get_count(struct reading *in, const char *name)
{
	return (uint64_t)get_whole(in, name, 0, INT64_MAX);
}

static int get_flag(struct reading *in, const char *name)
{
	json_t *value = json_object_get(in->object, name);

	in->failed |= !json_is_boolean(value);
	return json_is_true(value);
}

static double get_number(struct reading *in, const char *name)
{
	json_t *value = json_object_get(in->object, name);
	double number = json_number_value(value);

	in->failed |= !json_is_number(value) || !isfinite(number) || number < 0;
	return in->failed ? 0 : number;
}

static void get_text(struct reading *in, const char *name, char *text, size_t room)
{
	const char *value = json_string_value(json_object_get(in->object, name));

	in->failed |= !value || strlen(value) >= room;
	if (!in->failed)
		strcpy(text, value);
}

static int64_t get_moment(struct reading *in, const char *name)
{
	const char *value = json_string_value(json_object_get(in->object, name));
	int64_t ns = 0;

	in->failed |= !value || !moment_read(value, &ns);
	return in->failed ? 0 : ns;
}

static int get_word(struct reading *in, const char *name, const char *const *words, int count)
{
	const char *value = json_string_value(json_object_get(in->object, name));

	for (int i = 0; value && i < count; i++)
		if (!strcmp(words[i], value))
			return i;
	in->failed = true;
	return 0;
}

static void get_run(struct reading *in, uint8_t run[16])
{
	const char *digits = json_string_value(json_object_get(in->object, "run"));

	in->failed |= !digits || strlen(digits) != 32 || strspn(digits, "0123456789abcdef") != 32;
	for (size_t i = 0; !in->failed && i < 16; i++)
		run[i] = (uint8_t)strtoul((char[]){ digits[2 * i], digits[2 * i + 1], 0 }, NULL, 16);
}

static bool has(const struct reading *in, const char *name)
{
	return json_object_get(in->object, name);
}

/* --- the parts ---------------------------------------------------------------------------------------------------------- */

static void get_committed(struct reading *in, struct seamark_files_status *status)
{
	status->committed.number = (uint64_t)get_whole(in, "number", 1, INT64_MAX);
	status->committed.step = get_whole(in, "step", -1, INT64_MAX);
	status->committed.asked_ns = get_moment(in, "asked");
	status->committed.time_ns = get_moment(in, "time");
	status->committed.held_s = get_number(in, "held_s");
	status->committed.messages = get_count(in, "messages");
	status->committed.message_bytes = get_count(in, "message_bytes");
	status->committed.bytes = get_count(in, "bytes");
	status->committed.referred_bytes = get_count(in, "referred_bytes");
	status->committed.attempts = (uint32_t)get_whole(in, "attempts", 0, UINT32_MAX);
}

static void get_void(struct reading *in, struct seamark_files_status *status)
{
	status->voided.number = (uint64_t)get_whole(in, "number", 1, INT64_MAX);
	status->voided.time_ns = get_moment(in, "time");
	get_text(in, "reason", status->voided.reason, sizeof status->voided.reason);
	get_text(in, "detail", status->voided.detail, sizeof status->voided.detail);
	status->voided.again = get_flag(in, "again");
}

static void get_late(struct reading *in, struct seamark_files_status *status)
{
	json_t *late = json_object_get(in->object, "late");
	size_t most = sizeof status->snapshot.late / sizeof status->snapshot.late[0];

	in->failed |= !json_is_array(late) || json_array_size(late) > most;
	for (size_t i = 0; !in->failed && i < json_array_size(late); i++) {
		json_int_t rank = json_integer_value(json_array_get(late, i));

		in->failed |= !json_is_integer(json_array_get(late, i)) || rank < 0 || rank >= status->ranks;
		status->snapshot.late[i] = (uint32_t)rank;
		status->snapshot.late_count = (uint32_t)i + 1;
	}
}

static void get_snapshot(struct reading *in, struct seamark_files_status *status)
{
	status->snapshot.number = (uint64_t)get_whole(in, "number", 1, INT64_MAX);
	status->snapshot.phase = (enum seamark_files_phase)get_word(in, "phase", status_phases, STATUS_PHASES);
	status->snapshot.since_ns = get_moment(in, "since");
	status->snapshot.stop = get_flag(in, "stop");
	status->snapshot.is_void = get_flag(in, "void");
	status->snapshot.order_step = get_whole(in, "order_step", -1, INT64_MAX);
	status->snapshot.answered = (uint32_t)get_whole(in, "answered", 0, status->ranks);
	status->snapshot.cut = (uint32_t)get_whole(in, "cut", 0, status->ranks);
	get_late(in, status);
	status->snapshot.recorded_bytes = get_count(in, "recorded_bytes");
	status->snapshot.image_bytes = get_count(in, "image_bytes");
	status->snapshot.image_of = get_count(in, "image_of");
}

static void get_request(struct reading *in, struct seamark_files_request *request)
{
	const char *token = json_string_value(json_object_get(in->object, "token"));

	in->failed |= !token || strlen(token) != 16 || strspn(token, "0123456789abcdef") != 16;
	request->token = in->failed ? 0 : strtoull(token, NULL, 16);
	request->stop = get_flag(in, "stop");
	request->answer = (enum seamark_files_answer)get_word(in, "answer", status_answers, STATUS_ANSWERS);
	request->number = get_count(in, "number");
	request->step = get_whole(in, "step", -1, INT64_MAX);
	if (request->answer == SEAMARK_FILES_VOID) {
		get_text(in, "reason", request->reason, sizeof request->reason);
		get_text(in, "detail", request->detail, sizeof request->detail);
	}
}

static void get_part(struct reading *in, const char *name, void (*get)(struct reading *, struct seamark_files_status *), struct seamark_files_status *status)
{
	struct reading part = { .object = json_object_get(in->object, name) };

	if (!part.object)
		return;
	get(&part, status);
	in->failed |= part.failed;
}

static void get_requests(struct reading *in, struct seamark_files_status *status)
{
	json_t *list = json_object_get(in->object, "requests");
	size_t most = sizeof status->requests / sizeof status->requests[0];

	in->failed |= !json_is_array(list) || json_array_size(list) > most;
	for (size_t i = 0; !in->failed && i < json_array_size(list); i++) {
		struct reading part = { .object = json_array_get(list, i) };

		get_request(&part, &status->requests[i]);
		in->failed |= part.failed;
		status->request_count = i + 1;
	}
}

static void get_state(struct reading *in, struct seamark_files_status *status)
{
	static const char *const states[] = { "running", "ended" };

	get_run(in, status->run);
	status->life = (uint32_t)get_whole(in, "life", 1, UINT32_MAX - 1);
	get_text(in, "host", status->host, sizeof status->host);
	status->process = get_whole(in, "process", 1, INT64_MAX);
	status->ranks = (uint32_t)get_whole(in, "ranks", 1, INT32_MAX);
	status->ended = get_word(in, "state", states, 2);
	if (status->ended)
		get_text(in, "how", status->how, sizeof status->how);
	status->begun_ns = get_moment(in, "begun");
	status->time_ns = get_moment(in, "time");
	status->again_s = get_number(in, "again_s");
	in->failed |= status->again_s > AGAIN_MOST_S;
}

static void get_progress(struct reading *in, struct seamark_files_status *status)
{
	status->step = get_whole(in, "step", -1, INT64_MAX);
	status->safepoints = get_count(in, "safepoints");
	status->steps_per_s = get_number(in, "steps_per_s");
	status->safepoints_per_s = get_number(in, "safepoints_per_s");
	status->from = get_count(in, "from");
	status->from_step = get_whole(in, "from_step", -1, INT64_MAX);
	status->commits = get_count(in, "commits");
	status->voids = get_count(in, "voids");
	status->stopping = get_flag(in, "stopping");
	status->space = has(in, "space") ? get_whole(in, "space", 0, INT64_MAX) : -1;
	status->every_s = get_number(in, "every_s");
	status->every_steps = get_whole(in, "every_steps", 0, INT64_MAX);
	status->due_ns = has(in, "due") ? get_moment(in, "due") : 0;
	status->due_step = has(in, "due_step") ? get_whole(in, "due_step", 1, INT64_MAX) : 0;
	if (has(in, "unable"))
		get_text(in, "unable", status->unable, sizeof status->unable);
}

/* --- the file ------------------------------------------------------------------------------------------------------------- */

static int get_all(json_t *root, struct seamark_files_status *status)
{
	struct reading in = { .object = root };

	if (get_whole(&in, "format", 1, 1) != 1)
		return SEAMARK_E_DAMAGED;
	get_state(&in, status);
	if (!in.failed)
		get_progress(&in, status);
	if (in.failed)
		return SEAMARK_E_DAMAGED;
	get_part(&in, "committed", get_committed, status);
	get_part(&in, "void", get_void, status);
	get_part(&in, "snapshot", get_snapshot, status);
	get_requests(&in, status);
	return in.failed ? SEAMARK_E_DAMAGED : 0;
}

static int parse(const char *path, const char *text, size_t size, struct seamark_files_status *status, struct fault *fault)
{
	bool holds, sealed = seal_is_there(text, size, &holds);
	json_error_t error;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	int code = 0;

	if (!root && json_error_code(&error) == json_error_out_of_memory)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", path);
	if (!sealed && json_integer_value(json_object_get(root, "format")) > 1)
		code = fault_set(fault, SEAMARK_E_VERSION, "'%s' was written by a newer Seamark: use that one", path);
	else if (!holds || get_all(root, status))
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is garbled", path);
	json_decref(root);
	return code;
}

/* Of a life that is not the newest it tells nothing. */
static int is_of_newest(const char *folder, const char *path, const struct seamark_files_status *status, struct fault *fault)
{
	struct run_file newest;

	if (run_file_read(folder, &newest, NULL) || (newest.life == status->life && !memcmp(newest.run, status->run, sizeof newest.run)))
		return 0;
	return fault_set(fault, SEAMARK_E_NOT_FOUND, "'%s' is of life %" PRIu32 ", and life %" PRIu32 " has begun", path, status->life, newest.life);
}

int seamark_files_status(const char *folder, struct seamark_files_status *status)
{
	struct fault *fault = files_fresh_fault();
	struct seamark_files_status found = { 0 };
	struct io_path path;
	char *text;
	size_t size;
	int code;

	if (!folder || !status)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_status: an argument is null");
	path = io_path("%s/" STATUS_NAME, folder);
	code = io_read_file(path.text, STATUS_SIZE_MOST, &text, &size, fault);
	if (code)
		return code;
	code = parse(path.text, text, size, &found, fault);
	free(text);
	if (!code)
		code = is_of_newest(folder, path.text, &found, fault);
	if (!code)
		*status = found;
	return code;
}

/* --- its program ------------------------------------------------------------------------------------------------------------ */

int seamark_files_is_used(const char *folder)
{
	struct fault *fault = files_fresh_fault();
	struct io_path path;
	struct stat about;
	int fd, result;

	if (!folder)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_is_used: an argument is null");
	if (stat(folder, &about))
		return fault_errno(fault, "cannot look at folder '%s'", folder);
	path = io_path("%s/lock", folder);
	fd = io_open(path.text, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : fault_errno(fault, "cannot open '%s'", path.text);
	do
		result = flock(fd, LOCK_SH | LOCK_NB);
	while (result && errno == EINTR);
	result = result ? errno == EWOULDBLOCK ? 1 : fault_errno(fault, "cannot ask for the lock of '%s'", folder) : 0;
	close(fd);
	return result;
}

int seamark_files_ask(const char *folder, uint32_t life, int stop, uint64_t token)
{
	struct fault *fault = files_fresh_fault();
	struct request_file request = { token, life, stop != 0 };
	char text[REQUEST_SIZE_MOST];
	struct io_path path;
	int fd, code;

	if (!folder || !token)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_ask: an argument is null");
	path = io_path("%s/" REQUEST_NAME, folder);
	fd = io_open(path.text, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0 && errno == EEXIST)
		return fault_set(fault, SEAMARK_E_BUSY, "'%s' is there already, and nobody has taken it", path.text);
	if (fd < 0)
		return fault_errno(fault, "cannot make '%s'", path.text);
	request_text(&request, text);
	code = io_write(fd, text, strlen(text), 0, path.text, fault);
	if (io_close(fd) && !code)
		code = fault_errno(fault, "cannot write '%s'", path.text);
	if (code)
		unlink(path.text);
	return code;
}

int seamark_files_is_asked(const char *folder, uint64_t token)
{
	struct request_file request;

	files_fresh_fault();
	return folder && !request_read(io_path("%s/" REQUEST_NAME, folder).text, &request, NULL) && request.token == token;
}

int seamark_files_withdraw(const char *folder, uint64_t token)
{
	struct fault *fault = files_fresh_fault();
	struct io_path path;

	if (!folder)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_withdraw: an argument is null");
	path = io_path("%s/" REQUEST_NAME, folder);
	if (seamark_files_is_asked(folder, token) && unlink(path.text) && errno != ENOENT)
		return fault_errno(fault, "cannot remove '%s'", path.text);
	return 0;
}
