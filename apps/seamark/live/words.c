/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "live/live.h"

double live_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const char *const phases[] = { "idle", "announced", "ordered", "cutting", "window", "writing", "verdict", "committing" };

const char *live_phase_word(enum seamark_files_phase phase)
{
	return phases[phase];
}

/* "; not known of 1, 2 and others" */
static void put_late(const struct seamark_files_status *status, char *text, size_t room)
{
	size_t length = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < status->snapshot.late_count && length + 24 < room; i++)
		length += (size_t)snprintf(text + length, room - length, "%s%" PRIu32, i ? ", " : "; still to come: ", status->snapshot.late[i]);
	if (status->snapshot.cut + status->snapshot.late_count < status->ranks && length)
		snprintf(text + length, room - length, ", ...");
}

struct live_line live_phase(const struct seamark_files_status *status)
{
	struct live_line line;
	uint32_t ranks = status->ranks;
	char late[160], at[40] = "";

	put_late(status, late, sizeof late);
	if (status->snapshot.order_step >= 0)
		snprintf(at, sizeof at, " at step %" PRId64, status->snapshot.order_step);
	switch (status->snapshot.phase) {
	case SEAMARK_FILES_IDLE:
		snprintf(line.text, sizeof line.text, "no snapshot is under way");
		break;
	case SEAMARK_FILES_ANNOUNCED:
		snprintf(line.text, sizeof line.text, "announced: %" PRIu32 " of %" PRIu32 " ranks have answered, each when it next calls MPI or a safepoint", status->snapshot.answered, ranks);
		break;
	case SEAMARK_FILES_ORDERED:
		snprintf(line.text, sizeof line.text, "ordered%s: %" PRIu32 " of %" PRIu32 " ranks have cut%s", at, status->snapshot.cut, ranks, late);
		break;
	case SEAMARK_FILES_CUTTING:
		snprintf(line.text, sizeof line.text, "cutting: rank 0 takes its state");
		break;
	case SEAMARK_FILES_WINDOW:
		snprintf(line.text, sizeof line.text, "window: %" PRIu32 " of %" PRIu32 " ranks have cut, messages in flight are recorded%s", status->snapshot.cut, ranks, late);
		break;
	case SEAMARK_FILES_WRITING:
		snprintf(line.text, sizeof line.text, "writing: rank 0 has %s of up to %s", command_size(status->snapshot.image_bytes).text,
			 command_size(status->snapshot.image_of).text);
		break;
	case SEAMARK_FILES_VERDICT:
		snprintf(line.text, sizeof line.text, "verdict: rank 0 is done and waits for the others");
		break;
	case SEAMARK_FILES_COMMITTING:
		snprintf(line.text, sizeof line.text, "committing: all ranks are done");
		break;
	}
	return line;
}

/* --- JSON --------------------------------------------------------------------------------------------------------------- */

static json_int_t whole(uint64_t value)
{
	return (json_int_t)(value > INT64_MAX ? INT64_MAX : value);
}

/* Times that are not known are null. */
static json_t *moment(int64_t ns)
{
	return ns ? json_integer(ns) : json_null();
}

static json_t *step(int64_t step)
{
	return step < 0 ? json_null() : json_integer(step);
}

static json_t *committed(const struct seamark_files_status *status)
{
	if (!status->committed.number)
		return json_null();
	return json_pack("{s:I, s:o, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I}", "number", whole(status->committed.number), "step", step(status->committed.step),
			 "asked_ns", (json_int_t)status->committed.asked_ns, "time_ns", (json_int_t)status->committed.time_ns, "held_s", status->committed.held_s,
			 "messages", whole(status->committed.messages), "message_bytes", whole(status->committed.message_bytes),
			 "bytes", whole(status->committed.bytes), "referred_bytes", whole(status->committed.referred_bytes),
			 "attempts", (json_int_t)status->committed.attempts);
}

static json_t *voided(const struct seamark_files_status *status)
{
	if (!status->voided.number)
		return json_null();
	return json_pack("{s:I, s:I, s:o, s:o, s:b}", "number", whole(status->voided.number), "time_ns", (json_int_t)status->voided.time_ns, "reason",
			 command_json_text(status->voided.reason), "detail", command_json_text(status->voided.detail), "again", status->voided.again);
}

static json_t *snapshot(const struct seamark_files_status *status)
{
	json_t *late;

	if (status->snapshot.phase == SEAMARK_FILES_IDLE)
		return json_null();
	late = json_array();
	for (uint32_t i = 0; i < status->snapshot.late_count; i++)
		json_array_append_new(late, json_integer(status->snapshot.late[i]));
	return json_pack("{s:I, s:s, s:I, s:b, s:b, s:o, s:I, s:I, s:o, s:I, s:I, s:I}", "number", whole(status->snapshot.number), "phase",
			 live_phase_word(status->snapshot.phase), "since_ns", (json_int_t)status->snapshot.since_ns, "stop", status->snapshot.stop, "void",
			 status->snapshot.is_void, "order_step", step(status->snapshot.order_step), "answered", (json_int_t)status->snapshot.answered, "cut",
			 (json_int_t)status->snapshot.cut, "late", late, "recorded_bytes", whole(status->snapshot.recorded_bytes),
			 "image_bytes", whole(status->snapshot.image_bytes), "image_of", whole(status->snapshot.image_of));
}

json_t *live_json(const struct seamark_files_status *status)
{
	json_t *object = json_pack("{s:I, s:o, s:I, s:I, s:I, s:I}", "life", (json_int_t)status->life, "host", command_json_text(status->host), "process",
				   (json_int_t)status->process, "ranks", (json_int_t)status->ranks, "begun_ns", (json_int_t)status->begun_ns,
				   "time_ns", (json_int_t)status->time_ns);

	json_object_set_new(object, "ended", status->ended ? command_json_text(status->how) : json_null());
	json_object_set_new(object, "step", step(status->step));
	json_object_set_new(object, "safepoints", json_integer(whole(status->safepoints)));
	json_object_set_new(object, "steps_per_s", json_real(status->steps_per_s));
	json_object_set_new(object, "safepoints_per_s", json_real(status->safepoints_per_s));
	json_object_set_new(object, "from", status->from ? json_integer(whole(status->from)) : json_null());
	json_object_set_new(object, "commits", json_integer(whole(status->commits)));
	json_object_set_new(object, "voids", json_integer(whole(status->voids)));
	json_object_set_new(object, "stopping", json_boolean(status->stopping));
	json_object_set_new(object, "unable", status->unable[0] ? command_json_text(status->unable) : json_null());
	json_object_set_new(object, "space", status->space < 0 ? json_null() : json_integer(status->space));
	json_object_set_new(object, "due_ns", moment(status->due_ns));
	json_object_set_new(object, "due_step", status->due_step ? json_integer(status->due_step) : json_null());
	json_object_set_new(object, "committed", committed(status));
	json_object_set_new(object, "void", voided(status));
	json_object_set_new(object, "snapshot", snapshot(status));
	return object;
}

/* --- the terminal --------------------------------------------------------------------------------------------------------- */

int live_width(int to)
{
	struct winsize size;

	return !ioctl(to, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

/* Cut at the terminal's width, or it would take two. What is in it is told by Seamark in ASCII, but for names. */
void live_put_line(int to, const char *text)
{
	char line[1024];
	int length = snprintf(line, sizeof line, "\r%.*s\033[K", live_width(to) - 1, text);

	for (int i = 1; i + 3 < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	if (write(to, line, (size_t)length) < 0)
		return;
}
