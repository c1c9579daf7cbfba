/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/moment.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t moment_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct moment_text moment_text(int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct moment_text moment = { "1970-01-01T00:00:00.000000000Z" };
	struct tm utc;
	char text[40];

	if (ns >= 0 && gmtime_r(&seconds, &utc) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc))
		snprintf(moment.text, sizeof moment.text, "%s.%09dZ", text, (int)(ns % 1000000000));
	return moment;
}

bool moment_read(const char *text, int64_t *ns)
{
	struct tm utc = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	unsigned below;
	int end = 0;

	if (!rest || strlen(rest) != 11 || sscanf(rest, ".%9uZ%n", &below, &end) != 1 || end != 11 || utc.tm_year < 70 || utc.tm_year > 300)
		return false;
	*ns = (int64_t)timegm(&utc) * 1000000000 + below;
	return true;
}
