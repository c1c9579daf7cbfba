/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fault.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A text that was cut short says so. */
static void end_cut_text(struct fault *fault, int length)
{
	if (length >= (int)sizeof fault->text)
		memcpy(fault->text + sizeof fault->text - sizeof "...", "...", sizeof "...");
}

int fault_set(struct fault *fault, int code, const char *format, ...)
{
	va_list list;

	if (!fault)
		return code;
	if (fault->code)
		return fault->code;
	fault->code = code;
	va_start(list, format);
	end_cut_text(fault, vsnprintf(fault->text, sizeof fault->text, format, list));
	va_end(list);
	return code;
}

static int code_of_errno(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return SEAMARK_E_SPACE;
	case EACCES:
	case EPERM:
	case EROFS:
		return SEAMARK_E_PERMISSION;
	case ENOENT:
	case ENOTDIR:
		return SEAMARK_E_NOT_FOUND;
	case ENOMEM:
		return SEAMARK_E_MEMORY;
	default:
		return SEAMARK_E_IO;
	}
}

int fault_errno(struct fault *fault, const char *format, ...)
{
	int number = errno;
	int code = code_of_errno(number);
	char reason[128];
	size_t room;
	int length;
	va_list list;

	if (!fault)
		return code;
	if (fault->code)
		return fault->code;
	fault->code = code;
	/* The reason is at the end and must not be what a long path cuts off. */
	snprintf(reason, sizeof reason, ": %s", strerror(number));
	room = sizeof fault->text - strlen(reason);
	va_start(list, format);
	length = vsnprintf(fault->text, room, format, list);
	va_end(list);
	if (length >= (int)room)
		memcpy(fault->text + room - sizeof "...", "...", sizeof "...");
	strcat(fault->text, reason);
	errno = number;
	return code;
}
