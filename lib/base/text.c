/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/text.h"

#include <stdio.h>

void text_put_list(char *text, size_t room, const char *format, va_list list)
{
	vsnprintf(text, room, format, list);
}

void text_put(char *text, size_t room, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	text_put_list(text, room, format, list);
	va_end(list);
}
