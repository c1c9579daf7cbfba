/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/run_file.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/io.h"
#include "store/seal.h"

enum { SIZE_MOST = 4096 };

static bool get_digits(const char *text, uint8_t run[16])
{
	if (!text || strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		unsigned value;

		if (sscanf(text + 2 * i, "%2x", &value) != 1)
			return false;
		run[i] = (uint8_t)value;
	}
	return true;
}

static bool get_name(json_t *root, const char *member, char *name, size_t room)
{
	const char *text = json_string_value(json_object_get(root, member));

	if (!text || strlen(text) >= room)
		return false;
	strcpy(name, text);
	return true;
}

static bool get_members(json_t *root, struct run_file *file)
{
	json_int_t life = json_integer_value(json_object_get(root, "life"));

	if (json_integer_value(json_object_get(root, "format")) != 1 || !get_digits(json_string_value(json_object_get(root, "run")), file->run) ||
	    life < 1 || life >= UINT32_MAX || !get_name(root, "owner", file->owner, sizeof file->owner) ||
	    !get_name(root, "start", file->start, sizeof file->start) || !get_name(root, "host", file->host, sizeof file->host) ||
	    !json_is_integer(json_object_get(root, "process")))
		return false;
	file->life = (uint32_t)life;
	file->process = json_integer_value(json_object_get(root, "process"));
	return true;
}

int run_file_read(const char *folder, struct run_file *file, struct fault *fault)
{
	struct io_path path = io_path("%s/run.json", folder);
	char *text;
	size_t size;
	json_t *root;
	json_error_t error;
	bool sealed, holds;
	int code = io_read_file(path.text, SIZE_MOST, &text, &size, fault);

	if (code)
		return code;
	sealed = seal_is_there(text, size, &holds);
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!root && json_error_code(&error) == json_error_out_of_memory)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", path.text);
	if (!sealed && json_integer_value(json_object_get(root, "format")) > 1)
		code = fault_set(fault, SEAMARK_E_VERSION, "'%s' was written by a newer Seamark: use that one", path.text);
	else if (!holds || !get_members(root, file))
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is garbled", path.text);
	json_decref(root);
	return code;
}

/* No name in it has anything that JSON would have to escape. */
int run_file_write(const char *folder, const struct run_file *file, struct fault *fault)
{
	struct io_path path = io_path("%s/run.json", folder), temporary = io_path("%s/.life-%" PRIu32 ".tmp", folder, file->life);
	char digits[33], text[SIZE_MOST];
	int length, code;

	for (size_t i = 0; i < 16; i++)
		sprintf(digits + 2 * i, "%02x", file->run[i]);
	length = snprintf(text, sizeof text - SEAL_SIZE, "{\"format\": 1, \"run\": \"%s\", \"life\": %" PRIu32 ", \"owner\": \"%s\", \"start\": \"%s\", "
			  "\"host\": \"%s\", \"process\": %" PRId64, digits, file->life, file->owner, file->start, file->host, file->process);
	seal_make(text + length, text, (size_t)length);
	code = io_publish_by(temporary.text, path.text, text, strlen(text), fault);
	return code ? code : io_sync_folder(folder, fault);
}

void run_file_say(const struct run_file *file, char *text, size_t room)
{
	snprintf(text, room, "life %" PRIu32 " (process %" PRId64 " on host '%s')", file->life, file->process, file->host);
}

void run_file_host(char host[RUN_FILE_HOST_MOST + 1])
{
	char whole[256] = "";

	gethostname(whole, sizeof whole - 1);
	snprintf(host, RUN_FILE_HOST_MOST + 1, "%.*s", (int)RUN_FILE_HOST_MOST, whole);
	for (char *at = host; *at; at++)
		if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\')
			*at = '?';
}
