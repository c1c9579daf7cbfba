/* SPDX-License-Identifier: BSD-3-Clause */
/* What the file `status` says, by hand: a program whose memory is refused must not be ended by a library that writes JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/moment.h"
#include "store/seal.h"
#include "store/status.h"

const char *const status_phases[STATUS_PHASES] = {
	[STATUS_IDLE] = "idle", [STATUS_ANNOUNCED] = "announced", [STATUS_ORDERED] = "ordered", [STATUS_CUTTING] = "cutting",
	[STATUS_WINDOW] = "window", [STATUS_WRITING] = "writing", [STATUS_VERDICT] = "verdict", [STATUS_COMMITTING] = "committing",
};
const char *const status_answers[STATUS_ANSWERS] = {
	[STATUS_NOBODY] = "", [STATUS_TAKEN] = "taken", [STATUS_ASKED] = "asked", [STATUS_COMMITTED] = "committed", [STATUS_VOID] = "void",
	[STATUS_LEAVING] = "leaving",
};

/* A text that grows into a given room. */
struct growing {
	char *text;
	size_t length, room;       /* length == room: it did not fit */
	const struct status_facts *facts;
};

static void put(struct growing *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct growing *out, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(out->text + out->length, out->room - out->length, format, list);
	va_end(list);
	if (length < 0 || (size_t)length >= out->room - out->length)
		out->length = out->room;
	else
		out->length += (size_t)length;
}

/* How many bytes the character at `at` has, as UTF-8 has them; 0: it is none. */
static size_t character(const unsigned char *at)
{
	size_t more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : (*at & 0xf0) == 0xe0 ? 2 : *at >= 0xf0 && *at < 0xf5 ? 3 : 4;

	if (more == 4 || (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0) || (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] >= 0x90))
		return 0;
	for (size_t i = 1; i <= more; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return more + 1;
}

/* Names and paths are anybody's. */
static void put_quoted(struct growing *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	put(out, "\"");
	while (*at) {
		size_t size = character(at);

		if (!size || *at < ' ' || *at == 0x7f)
			put(out, "?");
		else
			put(out, "%s%.*s", *at == '"' || *at == '\\' ? "\\" : "", (int)size, (const char *)at);
		at += size ? size : 1;
	}
	put(out, "\"");
}

static double number(double value)
{
	return isfinite(value) && value > 0 ? value : 0;
}

static struct moment_text moment_of(const struct growing *out, int64_t monotonic_ns)
{
	return moment_text(out->facts->realtime_ns - (out->facts->now_ns - monotonic_ns));
}

static void put_run(struct growing *out)
{
	const struct status_facts *facts = out->facts;

	put(out, "{\"format\": 1, \"run\": \"");
	for (size_t i = 0; i < sizeof facts->run; i++)
		put(out, "%02x", facts->run[i]);
	put(out, "\", \"life\": %" PRIu32 ", \"host\": ", facts->life);
	put_quoted(out, facts->host);
	put(out, ", \"process\": %" PRId64 ", \"ranks\": %" PRIu32 ",\n \"state\": \"%s\"", facts->process, facts->ranks, facts->how ? "ended" : "running");
	if (facts->how)
		put(out, ", \"how\": \"%s\"", facts->how);
	put(out, ", \"begun\": \"%s\", \"time\": \"%s\", \"again_s\": %d", moment_of(out, facts->begun_ns).text, moment_text(facts->realtime_ns).text, STATUS_AGAIN_S);
}

static void put_progress(struct growing *out)
{
	const struct status_facts *facts = out->facts;
	const struct status_now *now = facts->now;

	put(out, ",\n \"step\": %" PRId64 ", \"safepoints\": %" PRIu64 ", \"steps_per_s\": %.6g, \"safepoints_per_s\": %.6g", facts->step, facts->safepoints,
	    number(facts->steps_per_s), number(facts->safepoints_per_s));
	put(out, ", \"from\": %" PRIu64 ", \"from_step\": %" PRId64 ", \"commits\": %" PRIu64 ", \"voids\": %" PRIu64 ", \"stopping\": %s", now->from,
	    now->from_step, now->commits, now->voids, now->stopping ? "true" : "false");
	if (facts->space >= 0)
		put(out, ", \"space\": %" PRId64, facts->space);
	put(out, ", \"every_s\": %.9g, \"every_steps\": %" PRId64, number((double)now->every_ns / 1e9), now->every_steps);
	if (now->due_ns)
		put(out, ", \"due\": \"%s\"", moment_of(out, now->due_ns).text);
	if (now->due_step)
		put(out, ", \"due_step\": %" PRId64, now->due_step);
	if (now->unable[0]) {
		put(out, ", \"unable\": ");
		put_quoted(out, now->unable);
	}
}

static void put_committed(struct growing *out)
{
	const struct status_now *now = out->facts->now;

	put(out, ",\n \"committed\": {\"number\": %" PRIu64 ", \"step\": %" PRId64 ", \"asked\": \"%s\", \"time\": \"%s\"", now->committed.number,
	    now->committed.step, moment_of(out, now->committed.asked_ns).text, moment_of(out, now->committed.ended_ns).text);
	put(out, ", \"held_s\": %.9f, \"messages\": %" PRIu64 ", \"message_bytes\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"referred_bytes\": %" PRIu64
	    ", \"attempts\": %" PRIu32 "}", number((double)now->committed.held_ns / 1e9), now->committed.messages, now->committed.message_bytes,
	    now->committed.bytes, now->committed.referred, now->committed.attempts);
}

static void put_reason(struct growing *out, const char *reason, const char *detail)
{
	put(out, ", \"reason\": ");
	put_quoted(out, reason ? reason : "");
	put(out, ", \"detail\": ");
	put_quoted(out, detail);
}

static void put_void(struct growing *out)
{
	const struct status_now *now = out->facts->now;

	put(out, ",\n \"void\": {\"number\": %" PRIu64 ", \"time\": \"%s\"", now->gone.number, moment_of(out, now->gone.ended_ns).text);
	put_reason(out, now->gone.reason, now->gone.detail);
	put(out, ", \"again\": %s}", now->gone.again ? "true" : "false");
}

static void put_snapshot(struct growing *out)
{
	const struct status_facts *facts = out->facts;
	const struct status_now *now = facts->now;

	put(out, ",\n \"snapshot\": {\"number\": %" PRIu64 ", \"phase\": \"%s\", \"since\": \"%s\", \"stop\": %s, \"void\": %s, \"order_step\": %" PRId64,
	    now->snapshot.number, status_phases[now->snapshot.phase], moment_of(out, now->snapshot.since_ns).text, now->snapshot.stop ? "true" : "false",
	    now->snapshot.is_void ? "true" : "false", now->snapshot.order_step);
	put(out, ", \"answered\": %" PRIu32 ", \"cut\": %" PRIu32 ", \"late\": [", now->snapshot.answered, now->snapshot.cut);
	for (uint32_t i = 0; i < now->snapshot.late_count; i++)
		put(out, "%s%" PRIu32, i ? ", " : "", now->snapshot.late[i]);
	put(out, "], \"recorded_bytes\": %" PRIu64 ", \"image_bytes\": %" PRIu64 ", \"image_of\": %" PRIu64 "}", now->snapshot.recorded_bytes, facts->image_done,
	    facts->image_of);
}

static void put_requests(struct growing *out)
{
	const struct status_request *requests = out->facts->now->requests;
	bool any = false;

	put(out, ",\n \"requests\": [");
	for (int i = 0; i < STATUS_REQUESTS; i++) {
		if (requests[i].answer == STATUS_NOBODY)
			continue;
		put(out, "%s\n  {\"token\": \"%016" PRIx64 "\", \"stop\": %s, \"answer\": \"%s\", \"number\": %" PRIu64 ", \"step\": %" PRId64, any ? "," : "",
		    requests[i].token, requests[i].stop ? "true" : "false", status_answers[requests[i].answer], requests[i].number, requests[i].step);
		if (requests[i].answer == STATUS_VOID)
			put_reason(out, requests[i].reason, requests[i].detail);
		put(out, "}");
		any = true;
	}
	put(out, "]");
}

size_t status_text(const struct status_facts *facts, char *text, size_t room)
{
	struct growing out = { .text = text, .room = room, .facts = facts };
	char seal[SEAL_SIZE + 1];

	put_run(&out);
	put_progress(&out);
	if (facts->now->committed.number)
		put_committed(&out);
	if (facts->now->gone.number)
		put_void(&out);
	if (facts->now->snapshot.phase != STATUS_IDLE && !facts->how)
		put_snapshot(&out);
	put_requests(&out);
	if (out.length < room) {
		seal_make(seal, text, out.length);
		put(&out, "%s", seal);
	}
	return out.length < room ? out.length : 0;
}
