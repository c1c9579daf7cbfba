/* SPDX-License-Identifier: BSD-3-Clause */
/* The line that says how far a long piece of work is. A thread writes it, so that the work need not know of it. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/terminal.h"

enum { FIRST_MS = 300, EACH_MS = 200, BAR = 20, TEXT = 200 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	pthread_t thread;
	bool runs, over;
	size_t shown;            /* columns of the line that is there */
	char what[48];
	uint64_t total, before;  /* bytes: expected, and read before it began */
	struct timespec begin;
} progress = { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER };

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - progress.begin.tv_sec) + (double)(now.tv_nsec - progress.begin.tv_nsec) / 1e9;
}

static void clear(void)
{
	if (progress.shown)
		fprintf(stderr, "\r%*s\r", (int)progress.shown, "");
	progress.shown = 0;
	fflush(stderr);
}

static struct command_text time_left(double left_s)
{
	struct command_text text;

	if (left_s < 100)
		snprintf(text.text, sizeof text.text, "%.0f s left", left_s);
	else if (left_s < 6000)
		snprintf(text.text, sizeof text.text, "%.0f min left", left_s / 60);
	else
		snprintf(text.text, sizeof text.text, "%.1f h left", left_s / 3600);
	return text;
}

static size_t room_for_it(void)
{
	struct winsize size;

	/* The last column stays free: some terminals go on to the next line there. */
	return !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 1 && size.ws_col < TEXT ? size.ws_col - 1u : 79;
}

static void draw(void)
{
	uint64_t done = seamark_files_bytes_read() - progress.before;
	double passed_s = seconds(), part = progress.total ? (double)done / (double)progress.total : 0;
	char text[TEXT], bar[BAR + 1];
	size_t room = room_for_it();

	part = part > 1 ? 1 : part;
	memset(bar, '.', BAR);
	memset(bar, '#', (size_t)(part * BAR));
	bar[BAR] = 0;
	if (progress.total && done)
		snprintf(text, sizeof text, "%s %3.0f %%, %s/s, %s", progress.what, part * 100, command_size((uint64_t)((double)done / passed_s)).text,
			 time_left(passed_s / part - passed_s).text);
	else
		snprintf(text, sizeof text, "%s %s, %s/s", progress.what, command_size(done).text, command_size((uint64_t)((double)done / passed_s)).text);
	clear();
	if (progress.total && done && strlen(text) + BAR + 3 <= room)
		progress.shown = (size_t)fprintf(stderr, "[%s] %s", bar, text);
	else
		progress.shown = (size_t)fprintf(stderr, "%.*s", (int)room, text);
	fflush(stderr);
}

static void *watch(void *nothing)
{
	struct timespec next = progress.begin;
	long wait_ms = FIRST_MS;

	pthread_mutex_lock(&progress.lock);
	while (!progress.over) {
		next.tv_nsec += wait_ms * 1000000;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		while (!progress.over && !pthread_cond_clockwait(&progress.ended, &progress.lock, CLOCK_MONOTONIC, &next))
			;
		if (!progress.over)
			draw();
		wait_ms = EACH_MS;
	}
	pthread_mutex_unlock(&progress.lock);
	return nothing;
}

void progress_begin(const char *what, uint64_t total)
{
	if (progress.runs || !isatty(STDERR_FILENO))
		return;
	snprintf(progress.what, sizeof progress.what, "%s", what);
	progress.total = total;
	progress.before = seamark_files_bytes_read();
	progress.over = false;
	clock_gettime(CLOCK_MONOTONIC, &progress.begin);
	progress.runs = !pthread_create(&progress.thread, NULL, watch, NULL);
}

void progress_end(void)
{
	if (!progress.runs)
		return;
	pthread_mutex_lock(&progress.lock);
	progress.over = true;
	clear();
	pthread_cond_signal(&progress.ended);
	pthread_mutex_unlock(&progress.lock);
	pthread_join(progress.thread, NULL);
	progress.runs = false;
}

void progress_pause(void)
{
	if (!progress.runs)
		return;
	pthread_mutex_lock(&progress.lock);
	clear();
}

void progress_resume(void)
{
	if (!progress.runs)
		return;
	/* Before the next line of it, or the two come mixed. */
	fflush(stdout);
	pthread_mutex_unlock(&progress.lock);
}
