/* SPDX-License-Identifier: BSD-3-Clause */
/* What rank 0 tells those who look from outside, by way of the writer's thread, which keeps the file `status`; and what they ask for. Nothing here waits, or touches a file. */
#include <string.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/text.h"
#include "session/inside.h"

/* The thread looks once a second: how many ranks have answered, or cut, need not be told more often. */
#define COUNTS_NS INT64_C(200000000)

static struct {
	bool begun;
	int64_t counted_ns;
	struct status_now now;
} live;

static void tell(void)
{
	struct snapshot_due due;

	if (!live.begun)
		return;
	snapshot_due(inside.snapshot, &due);
	live.now.every_ns = due.every_ns;
	live.now.every_steps = due.every_steps;
	live.now.due_ns = due.due_ns;
	live.now.due_step = due.due_step;
	live.now.stopping = snapshot_stopping(inside.snapshot);
	text_put(live.now.unable, STATUS_TEXT, "%s", inside.unable);
	status_tell(inside.store, &live.now);
}

void live_begin(void)
{
	if (inside.rank != 0)
		return;
	live.begun = true;
	live.now.from_step = live.now.snapshot.order_step = -1;
	tell();
}

void live_settled(void)
{
	if (inside.rank != 0)
		return;
	live.now.from = inside.restored.number;
	live.now.from_step = inside.restored.number ? inside.restored.step : -1;
	tell();
}

/* --- the snapshot under way -------------------------------------------------------------------------------------------- */

static enum status_phase phase_of(const struct snapshot_progress *progress)
{
	switch (snapshot_phase(inside.snapshot)) {
	case SNAPSHOT_ALERT:
		return progress->ordered ? STATUS_ORDERED : STATUS_ANNOUNCED;
	case SNAPSHOT_CUTTING:
		return STATUS_CUTTING;
	case SNAPSHOT_WINDOW:
		return inside.finishing ? STATUS_WRITING : STATUS_WINDOW;
	case SNAPSHOT_VERDICT_PHASE:
		return STATUS_VERDICT;
	case SNAPSHOT_IDLE:
		break;
	}
	return snapshot_awaits_outcome(inside.snapshot) || inside.committing ? STATUS_COMMITTING : STATUS_IDLE;
}

static void note_snapshot(const struct snapshot_progress *progress, const struct snapshot_attempt *attempt)
{
	live.now.snapshot.number = attempt->number;
	live.now.snapshot.phase = phase_of(progress);
	live.now.snapshot.stop = attempt->want & WANT_STOP;
	live.now.snapshot.is_void = attempt->is_void;
	live.now.snapshot.since_ns = attempt->announced_ns;
	live.now.snapshot.order_step = progress->order_step;
	live.now.snapshot.answered = (uint32_t)progress->answered;
	live.now.snapshot.cut = (uint32_t)progress->cut;
	live.now.snapshot.late_count = (uint32_t)progress->late_count;
	for (int32_t i = 0; i < progress->late_count; i++)
		live.now.snapshot.late[i] = (uint32_t)progress->late[i];
	live.now.snapshot.recorded_bytes = inside.kept_bytes;
}

/* Snapshots without a checkpoint are nothing to people. */
void live_look(int64_t now_ns)
{
	const struct snapshot_progress unknown = { .ordered = live.now.snapshot.phase == STATUS_ORDERED };
	struct snapshot_progress progress;
	struct snapshot_attempt attempt;

	if (inside.rank != 0 || !live.begun)
		return;
	snapshot_attempt(inside.snapshot, &attempt);
	if (attempt.number == 0)
		return;
	if (attempt.number == live.now.snapshot.number && phase_of(&unknown) == live.now.snapshot.phase && now_ns - live.counted_ns < COUNTS_NS)
		return;
	snapshot_progress(inside.snapshot, &progress);
	note_snapshot(&progress, &attempt);
	live.counted_ns = now_ns;
	tell();
}

/* --- its outcome ---------------------------------------------------------------------------------------------------------- */

static void note_committed(const struct snapshot_outcome *outcome)
{
	const struct verdict *verdict = &outcome->verdict;

	live.now.commits++;
	live.now.committed.number = outcome->number;
	live.now.committed.step = verdict->step;
	live.now.committed.asked_ns = outcome->announced_ns;
	live.now.committed.ended_ns = outcome->ended_ns;
	live.now.committed.held_ns = verdict->held_ns;
	live.now.committed.messages = verdict->messages;
	live.now.committed.message_bytes = verdict->message_bytes;
	live.now.committed.bytes = verdict->image_bytes;
	live.now.committed.referred = verdict->referred_bytes;
	live.now.committed.attempts = outcome->attempts;
}

static void note_void(const struct snapshot_outcome *outcome)
{
	live.now.voids++;
	live.now.gone.number = outcome->number;
	live.now.gone.ended_ns = outcome->ended_ns;
	live.now.gone.reason = reason_text(outcome->reason);
	text_put(live.now.gone.detail, STATUS_TEXT, "%s", outcome->text);
	live.now.gone.again = outcome->again;
}

static void answer(struct status_request *request, const struct snapshot_outcome *outcome)
{
	request->answer = outcome->committed ? STATUS_COMMITTED : STATUS_VOID;
	request->number = outcome->number;
	request->step = outcome->committed ? outcome->verdict.step : -1;
	request->reason = outcome->committed ? NULL : reason_text(outcome->reason);
	text_put(request->detail, STATUS_TEXT, "%s", outcome->committed ? "" : outcome->text);
}

/* What is void and tried again answers nobody yet. */
void live_outcome(const struct snapshot_outcome *outcome)
{
	if (outcome->want & (WANT_EMPTY | WANT_DRILL))
		return;
	if (outcome->committed)
		note_committed(outcome);
	else
		note_void(outcome);
	for (int i = 0; i < STATUS_REQUESTS; i++) {
		struct status_request *request = &live.now.requests[i];

		if (request->answer == STATUS_ASKED && request->number <= outcome->number && (outcome->committed || !outcome->again))
			answer(request, outcome);
	}
	memset(&live.now.snapshot, 0, sizeof live.now.snapshot);
	live.now.snapshot.order_step = -1;
	tell();
}

/* --- requests -------------------------------------------------------------------------------------------------------------- */

static bool is_known(uint64_t token)
{
	for (int i = 0; i < STATUS_REQUESTS; i++)
		if (live.now.requests[i].answer != STATUS_NOBODY && live.now.requests[i].token == token)
			return true;
	return false;
}

static bool has_room(void)
{
	for (int i = 0; i < STATUS_REQUESTS; i++)
		if (live.now.requests[i].answer != STATUS_TAKEN && live.now.requests[i].answer != STATUS_ASKED)
			return true;
	return false;
}

/* The oldest that is answered goes. */
static struct status_request *room_for_request(void)
{
	struct status_request *requests = live.now.requests;

	int gone = 0;

	while (gone + 1 < STATUS_REQUESTS && (requests[gone].answer == STATUS_TAKEN || requests[gone].answer == STATUS_ASKED))
		gone++;
	memmove(&requests[gone], &requests[gone + 1], (size_t)(STATUS_REQUESTS - 1 - gone) * sizeof *requests);
	memset(&requests[STATUS_REQUESTS - 1], 0, sizeof *requests);
	return &requests[STATUS_REQUESTS - 1];
}

/* As seamark_request does. */
static void ask(struct status_request *request)
{
	if (inside.unable[0]) {
		request->answer = STATUS_VOID;
		request->reason = reason_text(REASON_UNABLE);
		text_put(request->detail, STATUS_TEXT, "%s", inside.unable);
		return;
	}
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = request->stop ? WANT_STOP : WANT_REQUEST});
	request->number = snapshot_answering(inside.snapshot);
	request->answer = request->number ? STATUS_ASKED : STATUS_LEAVING;
}

void live_asked(void)
{
	struct status_request *request;
	uint64_t token;
	bool stop;

	if (!live.begun || !has_room())
		return;
	crash_point("request-seen");
	/* Who has not seen for long what became of it asks again. */
	if (!status_take_request(inside.store, &token, &stop) || is_known(token))
		return;
	request = room_for_request();
	request->token = token;
	request->stop = stop;
	request->answer = STATUS_TAKEN;
	request->step = -1;
	log_say(LOG_INFO, "somebody asks for a checkpoint%s", request->stop ? ", and to leave with it" : "");
	ask(request);
	tell();
}
