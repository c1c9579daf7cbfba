/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of the account that `seamark run` gives. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "run/run.h"

void run_say(const char *format, ...)
{
	char text[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	fprintf(stderr, "seamark run: %s\n", text);
}

struct command_text run_time_text(double seconds)
{
	struct command_text text;
	long whole = lround(seconds);

	if (seconds < 9.95)
		snprintf(text.text, sizeof text.text, "%.1f s", seconds);
	else if (whole < 120)
		snprintf(text.text, sizeof text.text, "%ld s", whole);
	else if (whole < 7200)
		snprintf(text.text, sizeof text.text, "%ld min", (whole + 30) / 60);
	else if (whole < 72 * 3600)
		snprintf(text.text, sizeof text.text, "%ld h %ld min", whole / 3600, whole % 3600 / 60);
	else
		snprintf(text.text, sizeof text.text, "%ld days", (whole + 43200) / 86400);
	return text;
}

struct command_text run_short_time_text(double seconds)
{
	struct command_text text;

	if (seconds >= 1)
		return run_time_text(seconds);
	snprintf(text.text, sizeof text.text, seconds < 1e-3 ? "%.0f us" : seconds < 9.95e-3 ? "%.1f ms" : "%.0f ms", seconds * (seconds < 1e-3 ? 1e6 : 1e3));
	return text;
}

struct command_text run_checkpoint_text(const struct run_newest *newest)
{
	struct command_text text;

	if (!newest->number)
		snprintf(text.text, sizeof text.text, "there is no checkpoint");
	else if (newest->step < 0)
		snprintf(text.text, sizeof text.text, "checkpoint %" PRIu64, newest->number);
	else
		snprintf(text.text, sizeof text.text, "checkpoint %" PRIu64 " at step %" PRId64, newest->number, newest->step);
	return text;
}

struct command_text run_status_text(int status)
{
	struct command_text text;

	if (status > 128 && status < 128 + 65)
		snprintf(text.text, sizeof text.text, "status %d (signal %d, %s)", status, status - 128, strsignal(status - 128));
	else
		snprintf(text.text, sizeof text.text, "status %d", status);
	return text;
}
