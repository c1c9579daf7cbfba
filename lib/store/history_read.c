/* SPDX-License-Identifier: BSD-3-Clause */
/* What the lines of a history say. Each is believed by itself: torn ones, and those of others, are passed over. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/interval.h"
#include "base/list.h"
#include "base/moment.h"
#include "store/history.h"

#define LONGEST_S 1e12

struct life {
	uint32_t number;
	bool of_other_run;
	bool over;             /* it ended, or was to be stopped and its checkpoint for that was the last */
	int64_t began_ns, last_ns;
	struct interval_told told; /* what was known at its end */
	unsigned commits_kept;
};

struct line {
	const char *text;
	size_t size;
	enum { LINE_OTHER, LINE_BEGIN, LINE_COMMIT, LINE_END } kind;
	size_t life;
};

struct reading {
	const char *run;       /* its digits; null: any */
	struct life *lives;
	size_t life_count, life_room;
	struct line *lines;    /* null: they are not wanted */
	size_t line_count, line_room;
	bool keep_lines, failed;
	/* of lives that were summed up */
	uint64_t lives_before, failures_before;
	double lived_before_s;
};

/* --- a line ---------------------------------------------------------------------------------------------------------------- */

/* A line is read where it lies: without memory, which readers of JSON at large need. */
enum { MEMBERS_MOST = 32, TEXT_MOST = 64 };

struct event {
	struct member {
		const char *name, *value;
		size_t name_size, value_size;
		bool is_text;
	} members[MEMBERS_MOST];
	size_t count;
};

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	return at;
}

/* A text in quotes, in which nothing is escaped. Null: it is none. */
static const char *take_text(const char *at, const char *end, const char **text, size_t *size)
{
	if (at == end || *at != '"')
		return NULL;
	*text = ++at;
	while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ')
		at++;
	*size = (size_t)(at - *text);
	return at < end && *at == '"' ? at + 1 : NULL;
}

static bool is_of_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'E';
}

static const char *take_value(const char *at, const char *end, struct member *member)
{
	member->is_text = at < end && *at == '"';
	if (member->is_text)
		return take_text(at, end, &member->value, &member->value_size);
	member->value = at;
	while (at < end && is_of_word(*at))
		at++;
	member->value_size = (size_t)(at - member->value);
	return member->value_size ? at : NULL;
}

/* false: it is not one flat object. */
static bool read_members(struct event *event, const char *at, const char *end)
{
	event->count = 0;
	at = skip_blanks(at, end);
	if (at == end || *at != '{')
		return false;
	do {
		struct member *member = &event->members[event->count++];

		at = take_text(skip_blanks(at + 1, end), end, &member->name, &member->name_size);
		at = at ? skip_blanks(at, end) : NULL;
		if (!at || at == end || *at != ':')
			return false;
		at = take_value(skip_blanks(at + 1, end), end, member);
		at = at ? skip_blanks(at, end) : NULL;
		if (!at || at == end)
			return false;
	} while (*at == ',' && event->count < MEMBERS_MOST);
	return *at == '}' && skip_blanks(at + 1, end) == end;
}

static const struct member *find(const struct event *event, const char *name)
{
	for (size_t i = 0; i < event->count; i++)
		if (event->members[i].name_size == strlen(name) && !memcmp(event->members[i].name, name, strlen(name)))
			return &event->members[i];
	return NULL;
}

static bool get_text(const struct event *event, const char *name, char text[TEXT_MOST])
{
	const struct member *member = find(event, name);

	text[0] = 0;
	if (!member || !member->is_text || member->value_size >= TEXT_MOST)
		return false;
	memcpy(text, member->value, member->value_size);
	text[member->value_size] = 0;
	return true;
}

static bool is_true(const struct event *event, const char *name)
{
	const struct member *member = find(event, name);

	return member && !member->is_text && member->value_size == 4 && !memcmp(member->value, "true", 4);
}

/* Digits, with a point and an exponent: the C library's reader follows the program's locale. Of what makes no sense: 0. */
static double get_number(const struct event *event, const char *name)
{
	const struct member *member = find(event, name);
	int exponent = 0, behind = 0, sign = 1;
	double value = 0;
	const char *at, *end;

	if (!member || member->is_text)
		return 0;
	end = member->value + member->value_size;
	for (at = member->value; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && !behind)); at++)
		if (*at == '.') {
			behind = 1;
		} else {
			value = value * 10 + (*at - '0');
			exponent -= behind;
		}
	if (at < end && (*at == 'e' || *at == 'E')) {
		int given = 0;

		if (++at < end && (*at == '-' || *at == '+'))
			sign = *at++ == '-' ? -1 : 1;
		for (; at < end && *at >= '0' && *at <= '9'; at++)
			given = given < 10000 ? given * 10 + (*at - '0') : given;
		exponent += sign * given;
	}
	value = at == end ? value * pow(10, exponent) : 0;
	return isfinite(value) && value < LONGEST_S ? value : 0;
}

/* Digits and nothing else; of anything more: 0. */
static uint64_t get_whole(const struct event *event, const char *name)
{
	const struct member *member = find(event, name);
	uint64_t value = 0;

	for (size_t i = 0; member && i < member->value_size; i++) {
		unsigned digit = (unsigned char)member->value[i] - '0';

		if (member->is_text || digit > 9 || __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
			return 0;
	}
	return value;
}

/* The same; -1: the line does not say it, or that there is none. */
static int64_t get_whole_if_any(const struct event *event, const char *name)
{
	const struct member *member = find(event, name);
	uint64_t value = get_whole(event, name);

	return !member || member->value[0] == '-' || value > INT64_MAX ? -1 : (int64_t)value;
}

/* --- the lives ------------------------------------------------------------------------------------------------------------- */

static bool is_of_run(const struct reading *reading, const struct event *event)
{
	char run[TEXT_MOST];

	return get_text(event, "run", run) ? !reading->run || !strcmp(run, reading->run) : !reading->run;
}

static struct life *add_life(struct reading *reading, uint32_t number)
{
	struct life *grown = list_with_room(reading->lives, reading->life_count, &reading->life_room, sizeof *grown);

	reading->failed |= !grown;
	if (!grown)
		return NULL;
	reading->lives = grown;
	grown = &grown[reading->life_count++];
	*grown = (struct life){ .number = number };
	return grown;
}

/* The newest of that number: null if there is none. */
static struct life *life_of(const struct reading *reading, uint32_t number)
{
	for (size_t i = reading->life_count; i--;)
		if (reading->lives[i].number == number)
			return &reading->lives[i];
	return NULL;
}

static void read_before(struct reading *reading, const struct event *event)
{
	if (!is_of_run(reading, event))
		return;
	reading->lives_before += (uint64_t)get_number(event, "lives");
	reading->failures_before += (uint64_t)get_number(event, "failures");
	reading->lived_before_s += get_number(event, "lived_s");
}

/* The newest life but one is the one before. */
static struct interval_told known_before(const struct reading *reading)
{
	struct interval_told told = { .begins = true };

	for (size_t i = reading->life_count - 1; i--;)
		if (!reading->lives[i].of_other_run) {
			told = reading->lives[i].told;
			break;
		}
	interval_told_life(&told);
	return told;
}

static void read_commit(struct life *life, const struct event *event)
{
	interval_told_over(&life->told, get_number(event, "held_s"), get_number(event, "cost_s"), get_number(event, "durable_s"));
	life->over = is_true(event, "stop");
}

static int read_event(struct reading *reading, const struct event *event, struct line *kept)
{
	double number = get_number(event, "life");
	char kind[TEXT_MOST], time[TEXT_MOST];
	struct life *life;
	int64_t ns;

	if (get_text(event, "event", kind) && !strcmp(kind, "before"))
		read_before(reading, event);
	if (!get_text(event, "time", time) || !moment_read(time, &ns) || number < 1 || number >= UINT32_MAX)
		return LINE_OTHER;
	if (!strcmp(kind, "begin")) {
		life = add_life(reading, (uint32_t)number);
		if (!life)
			return LINE_OTHER;
		life->of_other_run = !is_of_run(reading, event);
		life->told = known_before(reading);
		life->began_ns = life->last_ns = ns;
		kept->life = reading->life_count - 1;
		return LINE_BEGIN;
	}
	life = life_of(reading, (uint32_t)number);
	if (!life || (strcmp(kind, "commit") && strcmp(kind, "end")))
		return LINE_OTHER;
	kept->life = (size_t)(life - reading->lives);
	life->last_ns = ns;
	if (!strcmp(kind, "end")) {
		life->over = true;
		return LINE_END;
	}
	read_commit(life, event);
	return LINE_COMMIT;
}

static void keep_line(struct reading *reading, const struct line *line)
{
	struct line *grown = list_with_room(reading->lines, reading->line_count, &reading->line_room, sizeof *grown);

	reading->failed |= !grown;
	if (!grown)
		return;
	reading->lines = grown;
	reading->lines[reading->line_count++] = *line;
}

static void read_text(struct reading *reading, const char *text, size_t size)
{
	const char *end = text + size, *feed;
	struct event event;

	/* What has no end was not written to its end. */
	for (; (feed = memchr(text, '\n', (size_t)(end - text))); text = feed + 1) {
		struct line line = { .text = text, .size = (size_t)(feed - text) };

		if (line.size <= HISTORY_LINE && read_members(&event, text, feed))
			line.kind = read_event(reading, &event, &line);
		if (reading->keep_lines && line.kind != LINE_OTHER)
			keep_line(reading, &line);
	}
}

static void close_reading(struct reading *reading)
{
	free(reading->lives);
	free(reading->lines);
}

static void digits_of(const uint8_t run[16], char digits[33])
{
	for (size_t i = 0; i < 16; i++)
		sprintf(digits + 2 * i, "%02x", run[i]);
}

json_t *history_run(const uint8_t run[16])
{
	char digits[33];

	digits_of(run, digits);
	return json_string(digits);
}

char *history_line(json_t *line)
{
	char *text = line ? json_dumps(line, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) : NULL;

	json_decref(line);
	return text;
}

/* A clock that was set back makes no life shorter than nothing. */
static double lived_s(const struct life *life)
{
	return life->last_ns > life->began_ns ? (double)(life->last_ns - life->began_ns) / 1e9 : 0;
}

/* --- what the past tells ------------------------------------------------------------------------------------------------- */

/* Every life has been followed by another: that which asks, or that of the next line. */
static void sum_up(const struct reading *reading, uint32_t below, struct store_past *past)
{
	*past = (struct store_past){ .lives = reading->lives_before, .failures = reading->failures_before, .lived_s = reading->lived_before_s };
	for (size_t i = 0; i < reading->life_count; i++) {
		const struct life *life = &reading->lives[i];

		if (life->of_other_run || life->number >= below)
			continue;
		past->lives++;
		past->failures += !life->over;
		past->lived_s += lived_s(life);
		past->cost_s = life->told.cost_s;
		past->durable_s = life->told.durable_s;
	}
}

int history_past(const char *folder, const uint8_t run[16], uint32_t below, struct store_past *past, struct fault *fault)
{
	struct io_path path = io_path("%s/" HISTORY_NAME, folder);
	char digits[33], *text;
	struct reading reading = { .run = run ? digits : NULL };
	size_t size;
	int code;

	memset(past, 0, sizeof *past);
	if (run)
		digits_of(run, digits);
	code = io_read_file(path.text, HISTORY_LARGEST, &text, &size, fault);
	if (code)
		return code;
	read_text(&reading, text, size);
	free(text);
	if (reading.failed)
		code = fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", path.text);
	else
		sum_up(&reading, below, past);
	close_reading(&reading);
	return code;
}

/* --- line by line ---------------------------------------------------------------------------------------------------------- */

/* false: it is none that counts. */
static bool make_event(const struct event *line, struct history_event *event)
{
	static const char *const kinds[] = { "begin", "commit", "end", "before" };
	char kind[TEXT_MOST], time[TEXT_MOST];
	uint64_t life = get_whole(line, "life");
	size_t i = 0;

	memset(event, 0, sizeof *event);
	get_text(line, "event", kind);
	while (i < sizeof kinds / sizeof kinds[0] && strcmp(kind, kinds[i]))
		i++;
	if (i == sizeof kinds / sizeof kinds[0])
		return false;
	event->kind = i;
	if (get_text(line, "run", time) && strlen(time) < sizeof event->run)
		strcpy(event->run, time);
	if (event->kind == HISTORY_BEFORE)
		return true;
	event->life = (uint32_t)life;
	return life && life < UINT32_MAX && get_text(line, "time", time) && moment_read(time, &event->time_ns);
}

static void fill_event(const struct event *line, struct history_event *event)
{
	char text[TEXT_MOST];

	if (get_text(line, "host", text))
		strcpy(event->host, text);
	event->process = get_whole(line, "process");
	event->ranks = get_whole(line, "ranks");
	event->from = get_whole(line, "from");
	event->step = get_whole_if_any(line, "step");
	event->number = get_whole(line, "number");
	event->bytes = get_whole(line, "bytes");
	event->messages = get_whole_if_any(line, "messages");
	event->message_bytes = get_whole_if_any(line, "message_bytes");
	event->held_s = get_number(line, "held_s");
	event->cost_s = get_number(line, "cost_s");
	event->durable_s = get_number(line, "durable_s");
	event->stop = is_true(line, "stop");
	if (event->kind == HISTORY_END && get_text(line, "how", text)) {
		event->stop = !strcmp(text, "stopped");
		event->ended = !strcmp(text, "ended");
	}
	event->lives = get_whole(line, "lives");
	event->failures = get_whole(line, "failures");
	event->lived_s = get_number(line, "lived_s");
}

int history_read(const char *folder, void (*told)(void *context, const struct history_event *event), void *context, struct fault *fault)
{
	struct io_path path = io_path("%s/" HISTORY_NAME, folder);
	const char *at, *end, *feed;
	size_t size;
	char *text;
	int code = io_read_file(path.text, HISTORY_LARGEST, &text, &size, fault);

	if (code)
		return code;
	for (at = text, end = text + size; (feed = memchr(at, '\n', (size_t)(end - at))); at = feed + 1) {
		struct history_event event;
		struct event line;

		if (feed - at > HISTORY_LINE || !read_members(&line, at, feed) || !make_event(&line, &event))
			continue;
		fill_event(&line, &event);
		told(context, &event);
	}
	free(text);
	return 0;
}

/* --- a shorter one --------------------------------------------------------------------------------------------------------- */

static bool is_kept(struct reading *reading, const struct line *line)
{
	struct life *life = &reading->lives[line->life];

	if (life->of_other_run || line->life + HISTORY_LIVES < reading->life_count)
		return false;
	return line->kind != LINE_COMMIT || life->commits_kept++ < HISTORY_COMMITS;
}

static char *before_line(struct reading *reading)
{
	uint64_t lives = reading->lives_before, failures = reading->failures_before;
	double lived = reading->lived_before_s;

	for (size_t i = 0; i + HISTORY_LIVES < reading->life_count; i++) {
		const struct life *life = &reading->lives[i];

		if (life->of_other_run)
			continue;
		lives++;
		failures += !life->over;
		lived += lived_s(life);
	}
	return history_line(json_pack("{s:s, s:s, s:I, s:I, s:f}", "event", "before", "run", reading->run, "lives", (json_int_t)lives,
				      "failures", (json_int_t)failures, "lived_s", lived));
}

static char *write_shorter(struct reading *reading)
{
	char *before = before_line(reading), *text = NULL, *at;
	size_t size = before ? strlen(before) + 2 : 0;
	bool *kept = calloc(reading->line_count + 1, sizeof *kept);

	for (size_t i = reading->line_count; before && kept && i--;) {
		kept[i] = is_kept(reading, &reading->lines[i]);
		size += kept[i] ? reading->lines[i].size + 1 : 0;
	}
	if (before && kept)
		text = malloc(size);
	if (text) {
		at = text + sprintf(text, "%s\n", before);
		for (size_t i = 0; i < reading->line_count; i++)
			if (kept[i])
				at += sprintf(at, "%.*s\n", (int)reading->lines[i].size, reading->lines[i].text);
	}
	free(kept);
	free(before);
	return text;
}

char *history_shorter(const char *text, size_t size, const uint8_t run[16])
{
	char digits[33], *shorter;
	struct reading reading = { .run = digits, .keep_lines = true };

	digits_of(run, digits);
	read_text(&reading, text, size);
	shorter = reading.failed ? NULL : write_shorter(&reading);
	close_reading(&reading);
	return shorter;
}
