/* SPDX-License-Identifier: BSD-3-Clause */
/* Late messages that the program does not ask for: found complete in the buffers of pending receives, and drained into the mailbox. */
#include "base/crash.h"
#include "base/log.h"
#include "channel/comms.h"
#include "channel/recorder.h"
#include "session/drill.h"
#include "session/telling.h"
#include "session/tracing.h"

#define SCAN_PAUSE_NS INT64_C(20000)
#define SCAN_PAUSE_MOST_NS INT64_C(1000000)
#define DRAIN_PAUSE_NS INT64_C(200000)

void drain_begin(void)
{
	inside.scan_pause_ns = SCAN_PAUSE_NS;
	inside.next_scan_ns = 0;
}

/* --- pending receives in a window ----------------------------------------------------------------------------------------- */

/* A receive that is complete and not told: its stream is learned, and what is late in its buffer is recorded. */
static void look_at_receive(struct shadow *shadow)
{
	MPI_Status status;
	int complete = 0, cancelled = 0;
	int64_t limit;
	int error = recorder_ask(telling_request(shadow), &complete, &status);
	if (!complete)
		return;
	if (error != MPI_SUCCESS)
		shadow->spare = SHADOW_FAILED;
	PMPI_Test_cancelled(&status, &cancelled);
	if (cancelled)
		return;
	telling_learn(shadow, &status);
	if (!position_is_final(&session.sequence, shadow->key, shadow->turn) ||
	    !snapshot_limit(inside.snapshot, shadow->key, &limit) || shadow->position > limit)
		return;
	struct copy *copy = telling_content_matters() ? copies_received(shadow, &status) : NULL;
	struct taking taking = {.key = shadow->key, .turn = shadow->turn, .position = shadow->position,
				.token = (uint64_t)(uintptr_t)copy};
	if (copy && drill_is_on())
		drill_remember(copy);
	shadow->flags |= SHADOW_RECORDED;
	telling_give(&taking, false);
	crash_point("message-recorded-in-buffer");
}

void drain_scan(int64_t now_ns, bool at_once)
{
	if (!at_once && now_ns < inside.next_scan_ns)
		return;
	inside.next_scan_ns = now_ns + inside.scan_pause_ns;
	if (inside.scan_pause_ns < SCAN_PAUSE_MOST_NS)
		inside.scan_pause_ns *= 2;
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));)
		if (shadow->kind == SHADOW_RECEIVE && !(shadow->flags & (SHADOW_RECORDED | SHADOW_COMPLETE)) && telling_in_window())
			look_at_receive(shadow);
	telling_settle();
}

/* --- draining ---------------------------------------------------------------------------------------------------------- */

struct wanted {
	unsigned comm, peer;
};

bool drain_is_awaited(uint64_t key)
{
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));) {
		if (shadow->kind != SHADOW_RECEIVE || (shadow->flags & (SHADOW_RECORDED | SHADOW_LEARNED)) ||
		    ledger_key_comm(shadow->key) != ledger_key_comm(key))
			continue;
		bool source = (shadow->flags & SHADOW_ANY_SOURCE) || ledger_key_peer(shadow->key) == ledger_key_peer(key);
		bool tag = (shadow->flags & SHADOW_ANY_TAG) || ledger_key_tag(shadow->key) == ledger_key_tag(key);
		if (source && tag)
			return true;
	}
	return false;
}

static bool is_wanted(void *context, int tag)
{
	const struct wanted *wanted = context;
	uint64_t key = ledger_key(wanted->comm, wanted->peer, (unsigned)tag);
	int64_t limit;
	return snapshot_owes(inside.snapshot, key, inside.finalizing, &limit) &&
	       ledger_stream(&session.ledger.seen, key)->total < limit && !drain_is_awaited(key) &&
	       position_is_final(&session.sequence, key, session.sequence.turn + 1);
}

/* true: a message was taken. */
static bool drain_one(uint64_t owed)
{
	struct fault fault = FAULT_NONE;
	struct wanted wanted = {ledger_key_comm(owed), ledger_key_peer(owed)};
	struct mail *mail = NULL;
	MPI_Comm comm = comms_handle((int)wanted.comm);
	if (comm == MPI_COMM_NULL || recorder_drain(comm, (int)wanted.peer, is_wanted, &wanted, &mail, &fault) != 1) {
		if (fault.code < 0)
			log_say(LOG_INFO, "%s", fault.text);
		return false;
	}
	mail->key = ledger_key(wanted.comm, wanted.peer, mail->tag);
	mail->comm_name = session.ledger.comms[wanted.comm].name;
	struct taking taking;
	position_drain(&session.sequence, &session.ledger, mail->key, 0, &taking);
	mail->turn = taking.turn;
	mail->position = taking.position;
	mailbox_put(&session.mailbox, mail);
	crash_point("message-drained");
	if (drill_is_on())
		drill_drained();
	if (tracing_is_on())
		tracing_drained(mail);
	if (mail->arriving == 0)
		telling_record_mail(mail);
	else
		inside.arriving++;
	return true;
}

static void drain_owed(int only_comm)
{
	uint64_t key;
	int64_t limit;
	for (size_t cursor = 0; snapshot_next_owed(inside.snapshot, &cursor, inside.finalizing, &key, &limit);)
		while ((only_comm < 0 || (int)ledger_key_comm(key) == only_comm) && drain_one(key))
			;
}

void drain_when_due(int64_t now_ns)
{
	struct snapshot_attempt attempt;
	if (now_ns < inside.next_drain_ns)
		return;
	inside.next_drain_ns = now_ns + DRAIN_PAUSE_NS;
	snapshot_attempt(inside.snapshot, &attempt);
	bool at_once = inside.finalizing || inside.drain_now;
	bool drill = attempt.want & WANT_DRILL;
	/* A drill that was given up may have wrong counts, and what they say is owed is not to be touched. */
	if (drill && attempt.is_void)
		return;
	if (at_once || now_ns - attempt.cut_ns > (drill ? drill_patience_ns() : inside.settings.drain_ns))
		drain_owed(-1);
}

void session_comm_freeing(MPI_Comm comm)
{
	int index = comms_index(comm);
	if (!inside.snapshot || index < 0)
		return;
	if (session_in_snapshot() && telling_in_window()) {
		session_poll();
		drain_scan(drive_now_ns(), true);
		drain_owed(index);
		snapshot_comm_freed(inside.snapshot, index);
	}
	if (!inside.settled)
		restore_take_back_mail(index);
	mailbox_forget(&session.mailbox, &session.ledger, (unsigned)index);
}
