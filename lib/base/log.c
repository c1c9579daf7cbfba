/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A fault's text and some more; a longer line is cut and says so. */
#define LINE_ROOM 2048

/* Read by the writer's thread too. */
static atomic_int level_shown = LOG_NOTICE;
static atomic_int own_rank;

void log_open(enum log_level shown, int rank)
{
	atomic_store(&level_shown, (int)shown);
	atomic_store(&own_rank, rank);
}

int log_shows(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&level_shown, memory_order_relaxed);
}

/* Names come from files and users: they shall not make lines or drive a terminal. */
static void tame(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void write_whole(const char *line, size_t size)
{
	while (size) {
		ssize_t done = write(STDERR_FILENO, line, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nobody can be told */
		line += done;
		size -= (size_t)done;
	}
}

void log_say(enum log_level level, const char *format, ...)
{
	char line[LINE_ROOM];
	int rank = atomic_load_explicit(&own_rank, memory_order_relaxed);
	int error = errno;
	size_t start, room;
	int length;
	va_list list;

	if (!log_shows(level))
		return;
	start = (size_t)(rank > 0 ? sprintf(line, "seamark[%d]: ", rank) : sprintf(line, "seamark: "));
	room = sizeof line - start - 1; /* one for the newline */
	errno = error; /* for %m */
	va_start(list, format);
	length = vsnprintf(line + start, room, format, list);
	va_end(list);
	if (length >= (int)room)
		memcpy(line + start + room - sizeof "...", "...", sizeof "...");
	tame(line);
	strcat(line, "\n");
	write_whole(line, strlen(line));
	errno = error;
}
