/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "slurm/text.h"

static bool wrong(struct slurm_problem *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(struct slurm_problem *problem, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(problem->text, sizeof problem->text, format, list);
	va_end(list);
	return false;
}

/* --- numbers and times ------------------------------------------------------------------------------------------------------ */

/* So many digits, and what they are; the rest of the text. null: there are others. */
static const char *digits(const char *text, int least, int most, int64_t *number)
{
	int count = 0;

	for (*number = 0; text[count] >= '0' && text[count] <= '9'; count++) {
		if (count == most)
			return NULL;
		*number = *number * 10 + (text[count] - '0');
	}
	return count >= least ? text + count : NULL;
}

static bool number(const char *text, uint64_t *value)
{
	int64_t read;
	const char *rest = digits(text, 1, 18, &read);

	*value = (uint64_t)read;
	return rest && !*rest;
}

bool slurm_read_span(const char *text, int64_t *seconds)
{
	int64_t days = 0, part[3] = { 0 };
	const char *dash = strchr(text, '-'), *rest = text;
	int parts = 0;

	if (dash) {
		rest = digits(text, 1, 6, &days);
		if (rest != dash)
			return false;
		rest++;
	}
	for (;;) {
		rest = digits(rest, 1, dash || parts ? 2 : 6, &part[parts]);
		if (!rest)
			return false;
		parts++;
		if (!*rest)
			break;
		if (*rest++ != ':' || parts == 3)
			return false;
	}
	/* Days go with hours, minutes and seconds; without hours there are minutes and seconds. One number alone would be guessed. */
	if (parts < 2 || (dash && parts < 3))
		return false;
	if (parts == 2) {
		part[2] = part[1];
		part[1] = part[0];
		part[0] = 0;
	}
	if (part[2] > 59 || (parts == 3 && part[1] > 59) || (dash && part[0] > 23))
		return false;
	*seconds = ((days * 24 + part[0]) * 60 + part[1]) * 60 + part[2];
	return true;
}

bool slurm_read_moment(const char *text, int64_t *since_1970_s)
{
	static const char between[] = "--T::";
	int64_t part[6];
	struct tm time = { 0 }, again;
	time_t moment;

	for (int i = 0; i < 6; i++) {
		text = digits(text, i ? 2 : 4, i ? 2 : 4, &part[i]);
		if (!text || *text != between[i])
			return false;
		text++;
	}
	time.tm_year = (int)part[0] - 1900;
	time.tm_mon = (int)part[1] - 1;
	time.tm_mday = (int)part[2];
	time.tm_hour = (int)part[3];
	time.tm_min = (int)part[4];
	time.tm_sec = (int)part[5];
	again = time;
	moment = timegm(&again);
	/* The 31st of February would be another day. */
	if (moment < 0 || again.tm_mon != time.tm_mon || again.tm_mday != time.tm_mday || again.tm_hour != time.tm_hour || again.tm_min != time.tm_min ||
	    again.tm_sec != time.tm_sec)
		return false;
	*since_1970_s = moment;
	return true;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return true;
	return false;
}

/* An end or a limit, which there need not be. */
static bool read_time(const char *text, bool (*read)(const char *text, int64_t *seconds), int64_t *seconds)
{
	static const char *const unlimited[] = { "UNLIMITED", "NONE", NULL };
	static const char *const unknown[] = { "NOT_SET", "INVALID", "N/A", "NA", "Unknown", "None", "Partition_Limit", NULL };

	if (is_one_of(text, unlimited))
		*seconds = SLURM_UNLIMITED;
	else if (is_one_of(text, unknown))
		*seconds = SLURM_UNKNOWN;
	else
		return read(text, seconds);
	return true;
}

/* --- lines ------------------------------------------------------------------------------------------------------------------- */

struct line {
	char text[65536];
};

/* The next line, without its end. false: there is none; a line that is too long is cut, and no reader takes it for whole. */
static bool next_line(const char **printed, struct line *line, bool *cut)
{
	size_t length = strcspn(*printed, "\n");

	if (!**printed)
		return false;
	*cut = length >= sizeof line->text;
	snprintf(line->text, sizeof line->text, "%.*s", (int)(*cut ? sizeof line->text - 1 : length), *printed);
	*printed += length + ((*printed)[length] == '\n');
	return true;
}

static bool put(char *into, size_t room, const char *text)
{
	return snprintf(into, room, "%s", text) < (int)room;
}

/* --- squeue ------------------------------------------------------------------------------------------------------------------ */

enum { ID, STATE, END, LIMIT, NODES, REASON, COLUMNS };

static bool split(char *line, char *column[COLUMNS])
{
	for (int i = 0; i < COLUMNS; i++) {
		column[i] = line;
		if (i + 1 == COLUMNS)
			return true;
		line = strchr(line, '|');
		if (!line)
			return false;
		*line++ = 0;
	}
	return false;
}

static bool read_columns(char *const column[COLUMNS], struct slurm_job *job)
{
	put(job->reason, sizeof job->reason, column[REASON]);
	return *column[STATE] && put(job->state, sizeof job->state, column[STATE]) && read_time(column[END], slurm_read_moment, &job->end_s) &&
	       read_time(column[LIMIT], slurm_read_span, &job->limit_s) && put(job->nodes, sizeof job->nodes, column[NODES]);
}

bool slurm_read_queue(const char *printed, uint64_t id, struct slurm_job *job, struct slurm_problem *problem)
{
	struct line line;
	bool found = false, cut;

	while (next_line(&printed, &line, &cut)) {
		char *column[COLUMNS];
		struct line whole = line;
		struct slurm_job read = { 0 };

		if (!line.text[strspn(line.text, " ")])
			continue;
		if (cut || !split(line.text, column) || !number(column[ID], &read.id))
			return wrong(problem, "squeue printed what is not understood: '%.300s'", whole.text);
		if (read.id != id)
			continue;
		if (found || !read_columns(column, &read))
			return wrong(problem, "squeue printed what is not understood: '%.300s'", whole.text);
		*job = read;
		found = true;
	}
	return found || wrong(problem, "squeue does not know job %" PRIu64, id);
}

/* --- scontrol ---------------------------------------------------------------------------------------------------------------- */

/* The value of " KEY=" in a line of scontrol. Names and comments may hold anything, blanks too: what is there twice, with different values, is nothing to rely on. */
static bool field(const char *line, const char *key, char *value, size_t room)
{
	char wanted[64];
	bool found = false;

	snprintf(wanted, sizeof wanted, " %s=", key);
	for (const char *at = line; (at = strstr(at, wanted)); at++) {
		const char *begin = at + strlen(wanted);
		size_t length = strcspn(begin, " ");

		if (length >= room || (found && (strlen(value) != length || strncmp(value, begin, length))))
			return false;
		memcpy(value, begin, length);
		value[length] = 0;
		found = true;
	}
	return found;
}

static bool flag(const char *line, const char *key, bool *value)
{
	char text[8];

	if (!field(line, key, text, sizeof text) || (strcmp(text, "0") && strcmp(text, "1")))
		return false;
	*value = text[0] == '1';
	return true;
}

static bool read_fields(const char *line, struct slurm_job *job, const char **missing)
{
	char text[64];
	uint64_t restarts;

	*missing = "JobState";
	if (!field(line, *missing, job->state, sizeof job->state) || !job->state[0])
		return false;
	*missing = "Reason";
	if (!field(line, *missing, job->reason, sizeof job->reason))
		return false;
	*missing = "EndTime";
	if (!field(line, *missing, text, sizeof text) || !read_time(text, slurm_read_moment, &job->end_s))
		return false;
	*missing = "TimeLimit";
	if (!field(line, *missing, text, sizeof text) || !read_time(text, slurm_read_span, &job->limit_s))
		return false;
	*missing = "Requeue";
	if (!flag(line, *missing, &job->requeue))
		return false;
	*missing = "BatchFlag";
	if (!flag(line, *missing, &job->batch))
		return false;
	*missing = "Restarts";
	if (!field(line, *missing, text, sizeof text) || !number(text, &restarts))
		return false;
	job->restarts = (int64_t)restarts;
	*missing = "NodeList";
	if (!field(line, *missing, job->nodes, sizeof job->nodes))
		return false;
	if (!strcmp(job->nodes, "(null)"))
		job->nodes[0] = 0;
	/* Only where the cluster preempts, and in a job that can be. */
	job->preempted = field(line, "PreemptTime", text, sizeof text) && strcmp(text, "None") && strcmp(text, "N/A");
	if (job->end_s == SLURM_UNKNOWN && job->limit_s == SLURM_UNLIMITED)
		job->end_s = SLURM_UNLIMITED;
	return true;
}

bool slurm_read_job(const char *printed, uint64_t id, struct slurm_job *job, struct slurm_problem *problem)
{
	struct line line;
	bool cut;

	while (next_line(&printed, &line, &cut)) {
		struct slurm_job read = { 0 };
		const char *missing = "JobId";
		char text[24];

		if (!line.text[strspn(line.text, " ")])
			continue;
		snprintf(text, sizeof text, "%.*s", (int)strcspn(line.text, " "), line.text);
		if (cut || strncmp(text, "JobId=", 6) || !number(text + 6, &read.id))
			return wrong(problem, "scontrol printed what is not understood (JobId): '%.300s'", line.text);
		if (read.id != id)
			continue;
		if (!read_fields(line.text, &read, &missing))
			return wrong(problem, "scontrol printed what is not understood (%s): '%.300s'", missing, line.text);
		*job = read;
		return true;
	}
	return wrong(problem, "scontrol does not know job %" PRIu64, id);
}

/* "KillWait                = 30 sec" */
bool slurm_read_kill_wait(const char *printed, int64_t *seconds, struct slurm_problem *problem)
{
	struct line line;
	bool cut;

	while (next_line(&printed, &line, &cut)) {
		const char *rest = line.text;
		int64_t read;

		if (strncmp(rest, "KillWait", 8) || (rest[8] != ' ' && rest[8] != '='))
			continue;
		rest += 8;
		rest += strspn(rest, " ");
		if (*rest == '=')
			rest = digits(rest + 1 + strspn(rest + 1, " "), 1, 9, &read);
		else
			rest = NULL;
		if (!rest || strcmp(rest, " sec"))
			return wrong(problem, "scontrol printed what is not understood: '%.300s'", line.text);
		*seconds = read;
		return true;
	}
	return wrong(problem, "scontrol does not say what KillWait is");
}
