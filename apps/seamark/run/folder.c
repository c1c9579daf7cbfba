/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/moment.h"
#include "run/run.h"
#include "seamark_files.h"

struct path { char text[4096]; };

static struct path stop_file(const char *folder)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "%s/stop", folder);
	return path;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* From the request to the manifest. Its time is that of the folder's server, whose clock may be another: it cannot have come after now. */
static double commit_s(const struct seamark_files_entry *entry)
{
	struct path path;
	struct stat manifest;
	double taken_s = (double)entry->taken_ns / 1e9;

	if (snprintf(path.text, sizeof path.text, "%s/manifest.json", entry->path) >= (int)sizeof path.text || stat(path.text, &manifest))
		return 0;
	return fmax(0, fmin((double)manifest.st_mtim.tv_sec + (double)manifest.st_mtim.tv_nsec / 1e9, now_s()) - taken_s);
}

struct run_newest run_newest(const char *folder)
{
	struct run_newest newest = { 0 };
	struct seamark_files_entry entry;
	seamark_files *files;

	if (seamark_files_open(&files, folder))
		return newest;
	for (size_t i = seamark_files_count(files); i-- && !newest.number;)
		if (!seamark_files_entry_at(files, i, &entry) && !entry.status)
			newest = (struct run_newest){ entry.number, entry.step, entry.taken_ns, entry.held_s, commit_s(&entry), entry.ranks, entry.life };
	seamark_files_close(files);
	return newest;
}

bool run_ask_to_stop(const char *folder)
{
	const char *name = run_start_name();
	int fd = open(stop_file(folder).text, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

	/* Who asks, for a start that finds it there when this one has gone. */
	if (fd >= 0 && write(fd, name, strlen(name)) < 0)
		close(fd);
	else if (fd >= 0)
		return !close(fd);
	return false;
}

bool run_forget_stop(const char *folder)
{
	char name[128] = "";
	int fd = open(stop_file(folder).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t size = fd >= 0 ? read(fd, name, sizeof name - 1) : -1;

	if (fd >= 0)
		close(fd);
	/* A person's is empty. */
	return size > 0 && run_is_start_name(name) && strcmp(name, run_start_name()) && !unlink(stop_file(folder).text);
}

bool run_is_asked_to_stop(const char *folder)
{
	return !access(stop_file(folder).text, F_OK);
}

void run_take_stop_back(const char *folder)
{
	unlink(stop_file(folder).text);
}

/* --- the history ------------------------------------------------------------------------------------------------------------ */

#define HISTORY_MOST (4 << 20)

static struct path history_file(const char *folder)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "%s/history", folder);
	return path;
}

int64_t run_history_size(const char *folder)
{
	struct stat about;

	return stat(history_file(folder).text, &about) ? 0 : about.st_size;
}

enum said { SAID_NOT_TO_BE_READ, SAID_NOTHING, SAID_BEGUN, SAID_STOPPED, SAID_FINALIZED };

/* A line that is whole: what it says of how a life goes. */
static enum said says(const char *line, size_t length)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	const char *event = json_string_value(json_object_get(object, "event")), *how = json_string_value(json_object_get(object, "how"));
	enum said said = SAID_NOTHING;

	if (event && !strcmp(event, "begin"))
		said = SAID_BEGUN;
	else if (event && how && !strcmp(event, "end"))
		said = !strcmp(how, "stopped") ? SAID_STOPPED : !strcmp(how, "finalized") ? SAID_FINALIZED : SAID_NOTHING;
	json_decref(object);
	return said;
}

/* What its last line that says something says, of those since then. */
static enum said last_said(const char *folder, int64_t since)
{
	FILE *file = fopen(history_file(folder).text, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	enum said last = SAID_NOTHING;

	if (!file)
		return SAID_NOT_TO_BE_READ;
	/* It was made shorter, and what is new is at its end. */
	if (run_history_size(folder) > HISTORY_MOST || fseeko(file, run_history_size(folder) < since ? 0 : since, SEEK_SET)) {
		fclose(file);
		return SAID_NOT_TO_BE_READ;
	}
	while ((length = getline(&line, &room, file)) > 0) {
		enum said said = line[length - 1] == '\n' ? says(line, (size_t)length) : SAID_NOTHING;

		last = said == SAID_NOTHING ? last : said;
	}
	free(line);
	fclose(file);
	return last;
}

bool run_has_left(const char *folder, int64_t since)
{
	return last_said(folder, since) == SAID_STOPPED;
}

bool run_has_finalized(const char *folder, int64_t since)
{
	return last_said(folder, since) == SAID_FINALIZED;
}

/* One write, at the end of the file, behind whatever the last writer did not come to the end of. */
static void append_line(int fd, const char *line)
{
	struct stat about;
	char text[256], last = '\n';
	int length;

	if (fstat(fd, &about) || !S_ISREG(about.st_mode) || about.st_size > HISTORY_MOST || (about.st_size && pread(fd, &last, 1, about.st_size - 1) != 1))
		return;
	length = snprintf(text, sizeof text, "%s%s\n", last == '\n' ? "" : "\n", line);
	if (write(fd, text, (size_t)length) != length)
		run_say("the run's history cannot be written: this end will count as a failure in it: %s", strerror(errno));
}

void run_note_end(const char *folder, uint32_t life, int64_t since)
{
	/* It may have come to its own end. */
	int fd = last_said(folder, since) != SAID_BEGUN ? -1 : open(history_file(folder).text, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char line[200];

	if (fd < 0)
		return;
	snprintf(line, sizeof line, "{\"event\": \"end\", \"life\": %" PRIu32 ", \"time\": \"%s\", \"how\": \"ended\"}", life, moment_text(moment_now_ns()).text);
	append_line(fd, line);
	close(fd);
}

/* Whether a line tells of the beginning of a life of this owner. */
static bool has_begun(const char *line, size_t length, const char *owner, uint32_t life)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	const char *event = json_string_value(json_object_get(object, "event")), *whose = json_string_value(json_object_get(object, "owner"));
	bool has = event && whose && !strcmp(event, "begin") && !strcmp(whose, owner) && json_integer_value(json_object_get(object, "life")) == life;

	json_decref(object);
	return has;
}

bool run_is_of_owner(const char *folder, const struct run_newest *newest, const char *owner)
{
	FILE *file = newest->number && run_history_size(folder) <= HISTORY_MOST ? fopen(history_file(folder).text, "re") : NULL;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	bool is = false;

	while (file && !is && (length = getline(&line, &room, file)) > 0)
		is = has_begun(line, (size_t)length, owner, newest->life);
	free(line);
	if (file)
		fclose(file);
	return is;
}

bool run_has_not_begun(const char *folder, int64_t since)
{
	return since > 0 && last_said(folder, since) == SAID_NOTHING;
}
