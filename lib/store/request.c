/* SPDX-License-Identifier: BSD-3-Clause */
/* The file `request`: somebody asks for a checkpoint from outside (docs/format.md, 8). */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "store/internal.h"
#include "store/seal.h"

/* And the number of the life that is about to remove it. */
#define TAKEN ".request-"
/* Who writes it does so in one go; what is not whole for so many looks is nobody's. */
enum { TORN_MOST = 3 };

/* --- the text ----------------------------------------------------------------------------------------------------------- */

void request_text(const struct request_file *request, char text[REQUEST_SIZE_MOST])
{
	int length = snprintf(text, REQUEST_SIZE_MOST - SEAL_SIZE - 1, "{\"format\": 1, \"token\": \"%016" PRIx64 "\", \"life\": %" PRIu32 ", \"stop\": %s", request->token,
			      request->life, request->stop ? "true" : "false");

	seal_make(text + length, text, (size_t)length);
}

static bool get_members(json_t *root, struct request_file *request)
{
	const char *token = json_string_value(json_object_get(root, "token"));
	json_int_t life = json_integer_value(json_object_get(root, "life"));
	json_t *stop = json_object_get(root, "stop");

	if (json_integer_value(json_object_get(root, "format")) != 1 || !token || strlen(token) != 16 || strspn(token, "0123456789abcdef") != 16 ||
	    !json_is_integer(json_object_get(root, "life")) || life < 0 || life >= UINT32_MAX || !json_is_boolean(stop))
		return false;
	*request = (struct request_file){ .token = strtoull(token, NULL, 16), .life = (uint32_t)life, .stop = json_is_true(stop) };
	return request->token != 0;
}

int request_read(const char *path, struct request_file *request, struct fault *fault)
{
	char *text;
	size_t size;
	json_t *root;
	bool sealed, holds;
	int code = io_read_file(path, REQUEST_SIZE_MOST, &text, &size, fault);

	if (code)
		return code;
	sealed = seal_is_there(text, size, &holds);
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (!sealed && json_integer_value(json_object_get(root, "format")) > 1)
		code = fault_set(fault, SEAMARK_E_VERSION, "'%s' was written by a newer Seamark", path);
	else if (!holds || !get_members(root, request))
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is no request of Seamark's", path);
	json_decref(root);
	return code;
}

/* --- taken ---------------------------------------------------------------------------------------------------------------- */

static bool rename_request(const char *from, const char *to)
{
	bool done = !rename(from, to);

	crash_point("request-renamed");
	return done;
}

/* Out of the way first, and removed when it is known that no other life had begun: it would be that one's. */
static bool take_away(struct store *store, const char *path)
{
	struct io_path taken = io_path("%s/" TAKEN "%" PRIu32, store->folder, store->life);

	if (!lives_is_newest(store))
		return false;
	crash_point("request-to-take");
	if (!rename_request(path, taken.text)) {
		if (errno != ENOENT)
			log_say(LOG_DEBUG, "cannot take '%s': %s", path, strerror(errno));
		return false;
	}
	if (!lives_is_newest(store)) {
		rename_request(taken.text, path);
		return false;
	}
	if (io_unlink(taken.text))
		log_say(LOG_DEBUG, "cannot remove '%s': %s", taken.text, strerror(errno));
	return true;
}

static bool has_room(struct status *status)
{
	return atomic_load(&status->handed_count) - atomic_load(&status->handed_taken) < STATUS_HANDED;
}

static void hand_over(struct status *status, const struct request_file *request)
{
	unsigned count = atomic_load(&status->handed_count);

	atomic_store(&status->handed[count % STATUS_HANDED], request->token);
	atomic_store(&status->handed_stop[count % STATUS_HANDED], request->stop);
	atomic_store(&status->handed_count, count + 1);
}

void status_look_for_request(struct store *store)
{
	struct io_path path = io_path("%s/" REQUEST_NAME, store->folder);
	struct status *status = &store->status;
	struct request_file request;
	struct fault fault = FAULT_NONE;
	int code;

	/* Only who can answer takes it. */
	if (!atomic_load(&store->life_known) || atomic_load(&store->superseded) || !atomic_load(&status->turn) || !has_room(status) || !io_is_there(path.text))
		return;
	code = request_read(path.text, &request, &fault);
	if (code && ++status->torn_looks < TORN_MOST)
		return;
	status->torn_looks = 0;
	if (!take_away(store, path.text))
		return;
	if (code)
		log_say(LOG_NOTICE, "%s: it is removed", fault.text);
	else if (request.life && request.life != store->life)
		log_say(LOG_INFO, "a request that was for life %" PRIu32 " is removed", request.life);
	else
		hand_over(status, &request);
}

void status_remove_leavings(struct store *store)
{
	static const char status_before[] = ".status-";
	DIR *open = io_opendir(store->folder);
	struct dirent *file;

	while (open && (file = readdir(open))) {
		const char *name = file->d_name;
		size_t skip = !strncmp(name, TAKEN, sizeof TAKEN - 1) ? sizeof TAKEN - 1
			      : !strncmp(name, status_before, sizeof status_before - 1) ? sizeof status_before - 1 : 0;

		if (skip && strtoul(name + skip, NULL, 10) < store->life)
			io_unlink(io_path("%s/%s", store->folder, name).text);
	}
	if (open)
		closedir(open);
}

/* --- rank 0's program ------------------------------------------------------------------------------------------------------ */

bool status_is_asked(struct store *store)
{
	return atomic_load_explicit(&store->status.handed_count, memory_order_relaxed) != atomic_load_explicit(&store->status.handed_taken, memory_order_relaxed);
}

bool status_take_request(struct store *store, uint64_t *token, bool *stop)
{
	struct status *status = &store->status;
	unsigned taken = atomic_load(&status->handed_taken);

	if (atomic_load(&status->handed_count) == taken)
		return false;
	*token = atomic_load(&status->handed[taken % STATUS_HANDED]);
	*stop = atomic_load(&status->handed_stop[taken % STATUS_HANDED]);
	atomic_store(&status->handed_taken, taken + 1);
	return true;
}
