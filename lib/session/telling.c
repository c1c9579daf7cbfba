/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages told, found complete in the buffers of pending receives, and drained: their places in the cut, and copies of what is late. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "channel/comms.h"
#include "channel/recorder.h"
#include "session/inside.h"

/* Copies that wait for a marker may take as much: beyond it the snapshot is void. */
#define COPIES_MOST (UINT64_C(256) << 20)
#define SCAN_PAUSE_NS INT64_C(20000)
#define SCAN_PAUSE_MOST_NS INT64_C(1000000)
#define DRAIN_PAUSE_NS INT64_C(200000)

static MPI_Request request_of(const struct shadow *shadow)
{
	return (MPI_Request)(uintptr_t)shadow->handle;
}

static MPI_Datatype type_of(const struct shadow *shadow)
{
	return (MPI_Datatype)(uintptr_t)shadow->type;
}

static bool in_window(void)
{
	return snapshot_phase(inside.snapshot) == SNAPSHOT_WINDOW;
}

static bool content_matters(void)
{
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	return !attempt.is_void;
}

void telling_doom(enum reason reason, const char *text)
{
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_DOOM, .reason = reason, .text = text});
}

/* --- copies ------------------------------------------------------------------------------------------------------------ */

static struct copy *copy_new(uint64_t key, uint64_t turn, int64_t position)
{
	struct copy *copy = calloc(1, sizeof *copy);
	if (!copy) {
		telling_doom(REASON_COPIES, "no memory to keep a message");
		return NULL;
	}
	copy->key = key;
	copy->turn = turn;
	copy->position = position;
	copy->next = &inside.copies;
	copy->previous = inside.copies.previous;
	copy->previous->next = copy;
	inside.copies.previous = copy;
	return copy;
}

static void copy_free(struct copy *copy)
{
	copy->previous->next = copy->next;
	copy->next->previous = copy->previous;
	if (copy->kept)
		inside.kept_bytes -= copy->bytes;
	else
		inside.copy_bytes -= copy->bytes;
	free(copy->data);
	free(copy);
}

static void copy_weigh(struct copy *copy)
{
	char text[160];
	inside.copy_bytes += copy->bytes;
	if (inside.copy_bytes <= COPIES_MOST)
		return;
	snprintf(text, sizeof text, "rank %d kept %llu MiB of messages that arrived before their senders' markers", inside.rank,
		 (unsigned long long)(inside.copy_bytes >> 20));
	telling_doom(REASON_COPIES, text);
}

/* Of the message in a complete receive's buffer; null: nothing was kept. Its token may be used at once. */
static struct copy *copy_received(const struct shadow *shadow, const MPI_Status *status)
{
	struct fault fault = FAULT_NONE;
	struct copy *copy = copy_new(shadow->key, shadow->turn, shadow->position);
	if (!copy)
		return NULL;
	int64_t bytes = recorder_bytes(status);
	int code = bytes < 0 ? SEAMARK_E_VOID
			     : recorder_pack(shadow->buffer, shadow->count, type_of(shadow), bytes, &copy->data, &fault);
	if (code == 0) {
		copy->bytes = (uint64_t)bytes;
		copy_weigh(copy);
	} else {
		copy->truncated = true;
	}
	/* Its weight may have ended the snapshot, and that freed all copies. */
	return content_matters() ? copy : NULL;
}

static struct copy *copy_mail(const struct mail *mail)
{
	struct copy *copy = copy_new(mail->key, mail->turn, mail->position);
	if (!copy)
		return NULL;
	copy->data = malloc(mail->bytes ? mail->bytes : 1);
	if (!copy->data) {
		copy_free(copy);
		telling_doom(REASON_COPIES, "no memory to keep a message");
		return NULL;
	}
	memcpy(copy->data, mail->data, mail->bytes);
	copy->bytes = mail->bytes;
	inside.copy_bytes += copy->bytes;
	return copy;
}

void telling_keep(uint64_t token)
{
	struct copy *copy = (struct copy *)(uintptr_t)token;
	copy->kept = true;
	inside.copy_bytes -= copy->bytes;
	inside.kept_bytes += copy->bytes;
	if (copy->truncated) {
		char text[120];
		snprintf(text, sizeof text, "rank %d, tag %u", inside.rank, ledger_key_tag(copy->key));
		telling_doom(REASON_TRUNCATED, text);
	}
}

void telling_drop(uint64_t token)
{
	copy_free((struct copy *)(uintptr_t)token);
}

void telling_drop_all(void)
{
	while (inside.copies.next != &inside.copies)
		copy_free(inside.copies.next);
	/* What is put aside must not name a copy that is gone. */
	for (size_t i = 0; i < session.sequence.aside_count; i++)
		session.sequence.aside[i].token = 0;
}

/* --- places ------------------------------------------------------------------------------------------------------------ */

/* A taking whose position is final goes to the protocol. */
static void give(const struct taking *taking, bool from_mailbox)
{
	struct snapshot_actions actions = {0};
	struct copy *copy = (struct copy *)(uintptr_t)taking->token;
	if (copy)
		copy->position = taking->position;
	snapshot_taken(inside.snapshot, &(struct snapshot_taking){
		.key = taking->key, .position = taking->position, .token = taking->token, .before_cut = taking->before_cut,
		.posted_after = in_window() && taking->turn > inside.turn_at_cut, .from_mailbox = from_mailbox,
	}, drive_now_ns(), &actions);
	drive_act(&actions);
	snapshot_actions_free(&actions);
}

static void settle(void)
{
	struct taking taking;
	while (session.sequence.aside_count != 0 && position_settle(&session.sequence, &session.ledger, &taking)) {
		for (struct mail *mail = session.mailbox.first; !taking.told && mail; mail = mail->next)
			if (mail->turn == taking.turn)
				mail->position = taking.position;
		if (session.watching)
			give(&taking, false);
	}
}

static void learn(struct shadow *shadow, const MPI_Status *status)
{
	if (!(shadow->flags & (SHADOW_ANY_SOURCE | SHADOW_ANY_TAG)))
		return;
	uint64_t key = ledger_key(ledger_key_comm(shadow->key), (unsigned)status->MPI_SOURCE, (unsigned)status->MPI_TAG);
	position_learn(&session.sequence, &session.ledger, shadow, key);
}

/* Whether a copy is wanted of a message that is being told. */
static bool wants_copy(const struct shadow *shadow, bool final)
{
	if (!in_window() || (shadow->flags & SHADOW_RECORDED) || !content_matters())
		return false;
	return !final || snapshot_place(inside.snapshot, shadow->key, shadow->position) != SNAPSHOT_PLACE_NEW;
}

void session_told(struct shadow *shadow, const MPI_Status *status)
{
	struct taking taking;
	uint64_t token = 0;
	learn(shadow, status);
	bool final = position_is_final(&session.sequence, shadow->key, shadow->turn);
	if (session.watching && wants_copy(shadow, final))
		token = (uint64_t)(uintptr_t)copy_received(shadow, status);
	bool recorded = shadow->flags & SHADOW_RECORDED;
	bool decided = position_tell(&session.sequence, &session.ledger, shadow, token, &taking);
	shadow_drop(&session.sequence.shadows, shadow);
	taking.token = token;
	if (decided && session.watching && !recorded)
		give(&taking, false);
	settle();
}

void session_told_mail(struct mail *mail)
{
	ledger_stream(&session.ledger.seen, mail->key)->seen++;
	mail_free(mail);
}

static void record_mail(const struct mail *mail);

bool session_mail_arrived(struct mail *mail)
{
	if (likely(mail->arriving == 0))
		return true;
	if (!recorder_arrived(mail))
		return false;
	inside.arriving--;
	/* Drained in this window, or in an earlier one and still unseen: late in any case, and recorded when there is something to record. */
	if (in_window())
		record_mail(mail);
	return true;
}

void telling_arrivals(void)
{
	for (struct mail *mail = session.mailbox.first; inside.arriving != 0 && mail; mail = mail->next)
		session_mail_arrived(mail);
}

void session_told_cancelled(struct shadow *shadow)
{
	position_cancelled(&session.sequence, &session.ledger, shadow);
	shadow_drop(&session.sequence.shadows, shadow);
	settle();
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

void session_probed(int comm_index, const MPI_Status *status)
{
	int64_t limit;
	if (!session.watching || comm_index < 0 || snapshot_phase(inside.snapshot) != SNAPSHOT_ALERT || session.open)
		return;
	uint64_t key = ledger_key((unsigned)comm_index, (unsigned)status->MPI_SOURCE, (unsigned)status->MPI_TAG);
	if (!snapshot_limit(inside.snapshot, key, &limit))
		return;
	int64_t next = ledger_stream(&session.ledger.seen, key)->total + 1;
	if (next <= limit)
		return;
	char text[160];
	snprintf(text, sizeof text, "rank %d found by a probe message %lld from rank %d with tag %d, which had sent %lld at its cut",
		 inside.rank, (long long)next, (int)ledger_world_of(&session.ledger, key), status->MPI_TAG, (long long)limit);
	telling_doom(REASON_ORPHAN, text);
}

/* --- the cut ------------------------------------------------------------------------------------------------------------ */

static void record_mail(const struct mail *mail)
{
	struct copy *copy = content_matters() ? copy_mail(mail) : NULL;
	struct taking taking = {
		.key = mail->key, .turn = mail->turn, .position = mail->position, .token = (uint64_t)(uintptr_t)copy};
	give(&taking, true);
}

void telling_cut(void)
{
	position_mark_cut(&session.sequence);
	inside.turn_at_cut = session.sequence.turn;
	inside.scan_pause_ns = SCAN_PAUSE_NS;
	inside.next_scan_ns = 0;
	bool freed = false;
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));) {
		shadow->flags &= (uint8_t)~SHADOW_RECORDED;
		if (shadow->kind == SHADOW_DELIVERY)
			record_mail((const struct mail *)(uintptr_t)shadow->extra);
		/* Nobody could post this receive again after a restart. */
		freed |= shadow->kind == SHADOW_RECEIVE &&
			 session.ledger.comms[ledger_key_comm(shadow->key)].state == LEDGER_COMM_FREED;
	}
	if (freed && content_matters())
		telling_doom(REASON_NAMELESS, "a receive is pending on a communicator that was freed");
	bool strange = false;
	for (const struct mail *mail = session.mailbox.first; mail; mail = mail->next) {
		strange |= mail->unknown;
		if (!mail->unknown && mail->arriving == 0)
			record_mail(mail);
	}
	if (strange && content_matters())
		telling_doom(REASON_NAMELESS, "restored messages wait for a communicator that has not been made again");
}

/* --- pending receives in a window ----------------------------------------------------------------------------------------- */

/* A receive that is complete and not told: its stream is learned, and what is late in its buffer is recorded. */
static void look_at_receive(struct shadow *shadow)
{
	MPI_Status status;
	int complete = 0, cancelled = 0;
	int64_t limit;
	recorder_ask(request_of(shadow), &complete, &status);
	if (!complete)
		return;
	PMPI_Test_cancelled(&status, &cancelled);
	if (cancelled)
		return;
	learn(shadow, &status);
	if (!position_is_final(&session.sequence, shadow->key, shadow->turn) ||
	    !snapshot_limit(inside.snapshot, shadow->key, &limit) || shadow->position > limit)
		return;
	struct copy *copy = content_matters() ? copy_received(shadow, &status) : NULL;
	struct taking taking = {.key = shadow->key, .turn = shadow->turn, .position = shadow->position,
				.token = (uint64_t)(uintptr_t)copy};
	shadow->flags |= SHADOW_RECORDED;
	give(&taking, false);
}

void telling_scan(int64_t now_ns, bool at_once)
{
	if (!at_once && now_ns < inside.next_scan_ns)
		return;
	inside.next_scan_ns = now_ns + inside.scan_pause_ns;
	if (inside.scan_pause_ns < SCAN_PAUSE_MOST_NS)
		inside.scan_pause_ns *= 2;
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));)
		if (shadow->kind == SHADOW_RECEIVE && !(shadow->flags & (SHADOW_RECORDED | SHADOW_COMPLETE)) && in_window())
			look_at_receive(shadow);
	settle();
}

/* --- draining ---------------------------------------------------------------------------------------------------------- */

struct wanted {
	unsigned comm, peer;
};

/* Whether a pending receive that is not complete would match: it may have an earlier message, and this one may be new. */
static bool is_awaited(uint64_t key)
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
	       ledger_stream(&session.ledger.seen, key)->total < limit && !is_awaited(key) &&
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
	if (mail->arriving == 0)
		record_mail(mail);
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

void telling_drain(int64_t now_ns)
{
	struct snapshot_attempt attempt;
	if (now_ns < inside.next_drain_ns)
		return;
	inside.next_drain_ns = now_ns + DRAIN_PAUSE_NS;
	snapshot_attempt(inside.snapshot, &attempt);
	bool at_once = inside.finalizing || inside.drain_now;
	if (at_once || now_ns - attempt.cut_ns > inside.settings.drain_ns)
		drain_owed(-1);
}

void session_comm_freeing(MPI_Comm comm)
{
	int index = comms_index(comm);
	if (!inside.snapshot || index < 0)
		return;
	if (session.watching && in_window()) {
		session_poll();
		telling_scan(drive_now_ns(), true);
		drain_owed(index);
		snapshot_comm_freed(inside.snapshot, index);
	}
	mailbox_forget(&session.mailbox, (unsigned)index);
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
		MPI_Request request = request_of(shadow);
		MPI_Status status;
		int complete = 0, cancelled = 0;
		PMPI_Test(&request, &complete, &status);
		if (!complete)
			continue;
		inside.freed--;
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
	snapshot_rebased(inside.snapshot);
}
