/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages told: their places in the cut. */
#include <stdio.h>

#include "base/crash.h"
#include "channel/recorder.h"
#include "session/drill.h"
#include "session/telling.h"
#include "session/tracing.h"

bool telling_in_window(void)
{
	return snapshot_phase(inside.snapshot) == SNAPSHOT_WINDOW;
}

bool telling_content_matters(void)
{
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	return !attempt.is_void;
}

void telling_doom(enum reason reason, const char *text)
{
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_DOOM, .reason = reason, .text = text});
}

/* --- places ------------------------------------------------------------------------------------------------------------ */

void telling_give(const struct taking *taking, bool from_mailbox)
{
	struct snapshot_actions actions = {0};
	struct copy *copy = (struct copy *)(uintptr_t)taking->token;
	if (copy)
		copy->position = taking->position;
	if (unlikely(session.drilling) && taking->before_cut && telling_in_window() && drill_is_on())
		drill_settled(taking);
	snapshot_taken(inside.snapshot, &(struct snapshot_taking){
		.key = taking->key, .position = taking->position, .token = taking->token, .before_cut = taking->before_cut,
		.posted_after = telling_in_window() && taking->turn > inside.turn_at_cut, .from_mailbox = from_mailbox,
		.truncated = copy && copy->truncated,
	}, drive_now_ns(), &actions);
	drive_act(&actions);
	snapshot_actions_free(&actions);
}

void telling_settle(void)
{
	struct taking taking;
	while (session.sequence.aside_count != 0 && position_settle(&session.sequence, &session.ledger, &taking)) {
		for (struct mail *mail = session.mailbox.first; !taking.told && mail; mail = mail->next)
			if (mail->turn == taking.turn)
				mail->position = taking.position;
		if (tracing_is_on() && taking.told)
			tracing_placed(&taking);
		if (session_in_snapshot())
			telling_give(&taking, false);
	}
}

void telling_learn(struct shadow *shadow, const MPI_Status *status)
{
	if (!(shadow->flags & (SHADOW_ANY_SOURCE | SHADOW_ANY_TAG)))
		return;
	uint64_t key = ledger_key(ledger_key_comm(shadow->key), (unsigned)status->MPI_SOURCE, (unsigned)status->MPI_TAG);
	position_learn(&session.sequence, &session.ledger, shadow, key);
}

/* Whether a copy is wanted of a message that is being told. */
static bool wants_copy(const struct shadow *shadow, bool final)
{
	if (!telling_in_window() || (shadow->flags & SHADOW_RECORDED) || !telling_content_matters())
		return false;
	return !final || snapshot_place(inside.snapshot, shadow->key, shadow->position) != SNAPSHOT_PLACE_NEW;
}

void session_told(struct shadow *shadow, const MPI_Status *status)
{
	struct taking taking;
	uint64_t token = 0;
	telling_learn(shadow, status);
	bool final = position_is_final(&session.sequence, shadow->key, shadow->turn);
	if (unlikely(session.drilling))
		drill_told(shadow, status);
	if (session_in_snapshot() && wants_copy(shadow, final))
		token = (uint64_t)(uintptr_t)copies_received(shadow, status);
	bool recorded = shadow->flags & SHADOW_RECORDED, failed = shadow->spare == SHADOW_FAILED;
	bool decided = position_tell(&session.sequence, &session.ledger, shadow, token, &taking);
	shadow_end(&session.sequence.shadows, shadow);
	taking.token = token;
	if (tracing_is_on())
		tracing_told(&taking, decided, status, failed);
	if (decided && session_in_snapshot() && !recorded)
		telling_give(&taking, false);
	telling_settle();
}

void session_told_mail(struct mail *mail)
{
	ledger_stream(&session.ledger.seen, mail->key)->seen++;
	if (unlikely(session.drilling))
		drill_told_mail(mail);
	if (tracing_is_on())
		tracing_told_mail(mail);
	mail_free(mail);
	crash_point("mail-told");
}

bool session_mail_arrived(struct mail *mail)
{
	if (likely(mail->arriving == 0))
		return true;
	if (!recorder_arrived(mail))
		return false;
	inside.arriving--;
	/* Drained in this window, or in an earlier one and still unseen: late in any case, and recorded when there is something to record. */
	if (telling_in_window())
		telling_record_mail(mail);
	return true;
}

void telling_arrivals(void)
{
	for (struct mail *mail = session.mailbox.first; inside.arriving != 0 && mail; mail = mail->next)
		session_mail_arrived(mail);
	for (struct mail **at = &session.mailbox.forgotten; *at;) {
		struct mail *mail = *at;
		if (!recorder_arrived(mail)) {
			at = &mail->next;
			continue;
		}
		*at = mail->next;
		mail_free(mail);
		inside.arriving--;
	}
}

void session_told_cancelled(struct shadow *shadow)
{
	position_cancelled(&session.sequence, &session.ledger, shadow);
	shadow_end(&session.sequence.shadows, shadow);
	telling_settle();
}

void session_synchronous_done(uint64_t key, int64_t position)
{
	/* Positions from before the base are no news any more. */
	if (position <= 0)
		return;
	struct ledger_stream *stream = ledger_stream(&session.ledger.sent, key);
	if (position > stream->high)
		stream->high = position;
}

void session_probed(uint64_t key, int64_t position)
{
	int64_t limit;
	if (!session_in_snapshot() || snapshot_phase(inside.snapshot) != SNAPSHOT_ALERT || session.open)
		return;
	if (!snapshot_limit(inside.snapshot, key, &limit) || position <= limit)
		return;
	char text[160];
	snprintf(text, sizeof text, "rank %d found by a probe message %lld from rank %d with tag %u, which had sent %lld at its cut",
		 inside.rank, (long long)position, (int)ledger_world_of(&session.ledger, key), ledger_key_tag(key),
		 (long long)limit);
	telling_doom(REASON_ORPHAN, text);
}

/* --- the cut ------------------------------------------------------------------------------------------------------------ */

void telling_record_mail(const struct mail *mail)
{
	struct copy *copy = telling_content_matters() ? copies_mail(mail) : NULL;
	if (copy && drill_is_on())
		drill_remember(copy);
	struct taking taking = {
		.key = mail->key, .turn = mail->turn, .position = mail->position, .token = (uint64_t)(uintptr_t)copy};
	telling_give(&taking, true);
}

void telling_cut(void)
{
	position_mark_cut(&session.sequence);
	epochs_cut(&session.epochs);
	inside.turn_at_cut = session.sequence.turn;
	drain_begin();
	if (drill_is_on())
		drill_cut();
	bool freed = false;
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));) {
		shadow->flags &= (uint8_t)~SHADOW_RECORDED;
		if (shadow->kind == SHADOW_DELIVERY)
			telling_record_mail((const struct mail *)(uintptr_t)shadow->extra);
		/* Nobody could post this receive again after a restart. */
		freed |= (shadow->kind == SHADOW_RECEIVE || shadow->kind == SHADOW_MATCHED) &&
			 session.ledger.comms[ledger_key_comm(shadow->key)].state == LEDGER_COMM_FREED;
	}
	if (freed && telling_content_matters())
		telling_doom(REASON_NAMELESS, "a receive is pending on a communicator that was freed");
	bool strange = false;
	for (const struct mail *mail = session.mailbox.first; mail; mail = mail->next) {
		strange |= mail->unknown;
		if (!mail->unknown && mail->arriving == 0)
			telling_record_mail(mail);
	}
	if (strange && telling_content_matters())
		telling_doom(REASON_NAMELESS, "restored messages wait for a communicator that has not been made again");
}

/* --- freed receives ------------------------------------------------------------------------------------------------------ */

void session_adopt_freed(struct shadow *shadow, MPI_Request request)
{
	(void)request; /* it is the shadow's handle */
	shadow->flags |= SHADOW_FREED;
	inside.freed++;
}

void drive_test_freed(void)
{
	for (struct shadow *shadow = NULL; inside.freed && (shadow = shadow_next(&session.sequence.shadows, shadow));) {
		if (!(shadow->flags & SHADOW_FREED))
			continue;
		MPI_Request request = telling_request(shadow);
		MPI_Status status;
		int complete = 0, cancelled = 0;
		int error = PMPI_Test(&request, &complete, &status);
		if (!complete)
			continue;
		if (error != MPI_SUCCESS && shadow->kind == SHADOW_RECEIVE)
			shadow->spare = SHADOW_FAILED;
		inside.freed--;
		if (request != MPI_REQUEST_NULL)
			PMPI_Request_free(&request); /* it was a persistent one */
		PMPI_Test_cancelled(&status, &cancelled);
		if (shadow->kind == SHADOW_DELIVERY) {
			session_told_mail((struct mail *)(uintptr_t)shadow->extra);
			shadow_drop(&session.sequence.shadows, shadow);
		} else if (cancelled) {
			session_told_cancelled(shadow);
		} else {
			session_told(shadow, &status);
		}
	}
}

/* --- the base moves ------------------------------------------------------------------------------------------------------ */

static int64_t moved(void *context, uint64_t key)
{
	(void)context;
	return snapshot_moved_incoming(inside.snapshot, key);
}

void telling_rebase(void)
{
	look_base_moves();
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));) {
		/* A wildcard has no stream yet, and its communicator may be freed: its index is not to be given to another. */
		if (shadow->key != 0)
			session.ledger.comms[ledger_key_comm(shadow->key)].held = true;
		if (shadow->kind == SHADOW_SYNCHRONOUS)
			shadow->position -= snapshot_moved_outgoing(inside.snapshot, shadow->key);
		if (shadow->kind == SHADOW_DELIVERY) {
			struct mail *mail = (struct mail *)(uintptr_t)shadow->extra;
			mail->position -= snapshot_moved_incoming(inside.snapshot, mail->key);
		}
	}
	position_rebase(&session.sequence, moved, NULL);
	mailbox_rebase(&session.mailbox, moved, NULL);
	drill_rebase(moved);
	snapshot_rebased(inside.snapshot);
	look_base_moved();
}
