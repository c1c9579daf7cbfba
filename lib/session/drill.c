/* SPDX-License-Identifier: BSD-3-Clause */
#include "session/drill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/log.h"
#include "base/mix.h"
#include "base/text.h"
#include "channel/audit.h"
#include "channel/carrier.h"
#include "channel/comms.h"
#include "channel/recorder.h"

/* Between drills at the end, when some ranks have not come to MPI_Finalize yet. */
#define PAUSE_FIRST_NS INT64_C(1000000)
#define PAUSE_MOST_NS INT64_C(100000000)
/* A message is drained this long after the cut at the latest. */
#define PATIENCE_NS 1000000

enum { BUCKETS = 1 << 10 };

/* What was recorded and the program has still to be told. */
struct remembered {
	struct remembered *next;
	uint64_t turn;
	uint64_t key;
	int64_t position;
	uint64_t bytes;
	uint64_t hash;
	bool pending;   /* seen at the cut: something will be told of it */
};

enum figure { RECORDED, DRAINED, ORPHANS, COMPARED, WRONG, FIGURES };

static struct {
	struct audit audit;
	uint64_t audited;            /* epoch */
	struct remembered *buckets[BUCKETS];
	size_t remembered;
	int64_t patience_ns;
	uint64_t figures[FIGURES];   /* of this rank */
	/* rank 0 */
	bool asked;
	int64_t due_ns;
	int64_t calls_left;
	uint32_t countdown;
	uint64_t made, given_up;
	char reason[WIRE_TEXT_BYTES + 128];
	bool resigned;
	bool asked_at_end;
	int64_t pause_ns;
	uint64_t random;
} drill;

/* --- beginning and end --------------------------------------------------------------------------------------------------- */

void drill_open(void)
{
	char every[64];
	if (inside.settings.drill_calls)
		snprintf(every, sizeof every, "%" PRId64 " calls", inside.settings.drill_calls);
	else
		snprintf(every, sizeof every, "%gms", (double)inside.settings.drill_ns / 1e6);
	drill.random = inside.drill_seed;
	drill.calls_left = inside.settings.drill_calls;
	drill.pause_ns = PAUSE_FIRST_NS;
	if (inside.rank == 0)
		log_say(LOG_NOTICE, "drill: a cut every %s, at whatever call each rank is in; nothing is saved by it, and checkpoints that are wanted are "
			"taken between drills; SEAMARK_DRILL='%s seed %" PRIu64 "' draws the same again", every, every, inside.drill_seed);
}

static void forget_all(void)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (drill.buckets[i]) {
			struct remembered *next = drill.buckets[i]->next;
			free(drill.buckets[i]);
			drill.buckets[i] = next;
		}
	drill.remembered = 0;
}

void drill_close(void)
{
	audit_close(&drill.audit);
	forget_all();
}

static struct snapshot_attempt attempt_of(void)
{
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	return attempt;
}

bool drill_is_on(void)
{
	return snapshot_phase(inside.snapshot) != SNAPSHOT_IDLE && (attempt_of().want & WANT_DRILL);
}

/* --- when, on rank 0 ------------------------------------------------------------------------------------------------------- */

static uint64_t draw(void)
{
	return mix64(drill.random++);
}

bool drill_is_due(void)
{
	return inside.rank == 0 && inside.settings.drill_calls && drill.calls_left <= 0;
}

uint32_t drill_count_calls(uint32_t next, bool call)
{
	if (!inside.settings.drill_calls)
		return next;
	if (call)
		drill.calls_left -= drill.countdown;
	/* When a turn of a waiting loop sets a new countdown, what had passed of the old one is lost: a few calls. */
	if (drill.calls_left > 0 && (int64_t)next > drill.calls_left)
		next = (uint32_t)drill.calls_left;
	drill.countdown = next;
	return next;
}

static void ask(void)
{
	drill.asked = true;
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_DRILL});
}

void drill_ask(int64_t now_ns)
{
	if (drill.asked || drill.resigned || inside.finalizing)
		return;
	/* Half to one and a half of the time: cuts shall not keep step with the program. */
	int64_t every_ns = inside.settings.drill_ns;
	if (every_ns && drill.due_ns == 0)
		drill.due_ns = now_ns + every_ns / 2 + (int64_t)(draw() % ((uint64_t)every_ns + 1));
	if (every_ns ? now_ns < drill.due_ns : !drill_is_due())
		return;
	drill.due_ns = 0;
	drill.calls_left = inside.settings.drill_calls;
	ask();
}

bool drill_again_at_end(void)
{
	if (inside.rank != 0 || drill.resigned || (drill.asked_at_end && snapshot_all_finalizing(inside.snapshot)))
		return false;
	int64_t now_ns = drive_now_ns();
	if (drill.asked_at_end && now_ns < drill.due_ns)
		return true;
	drill.asked_at_end = true;
	drill.due_ns = now_ns + drill.pause_ns;
	drill.pause_ns = drill.pause_ns * 2 < PAUSE_MOST_NS ? drill.pause_ns * 2 : PAUSE_MOST_NS;
	ask();
	return true;
}

/* --- what is wrong --------------------------------------------------------------------------------------------------------- */

static void wrong(uint64_t key, const char *text)
{
	const char *name = comms_name((int)ledger_key_comm(key));
	drill.figures[WRONG]++;
	log_say(LOG_QUIET, "drill: WRONG: rank %d, messages from rank %d with tag %u on communicator %s: %s", inside.rank,
		ledger_world_of(&session.ledger, key), ledger_key_tag(key), name ? name : "?", text);
}

/* --- the cut and the closing ----------------------------------------------------------------------------------------------- */

/* The first that asks in the act of the cut finds everything as it was at the cut. */
static void audit_now(void)
{
	uint64_t epoch = attempt_of().epoch;
	if (drill.audited != epoch)
		audit_cut(&drill.audit, &session.sequence, &session.ledger, &session.mailbox);
	drill.audited = epoch;
}

int64_t drill_told_beyond(void *context, uint64_t key, int64_t limit)
{
	(void)context;
	audit_now();
	return audit_told_beyond(&drill.audit, key, limit);
}

static struct remembered **place_of(uint64_t turn)
{
	struct remembered **at = &drill.buckets[turn % BUCKETS];
	while (*at && (*at)->turn != turn)
		at = &(*at)->next;
	return at;
}

static void forget(struct remembered **at)
{
	struct remembered *gone = *at;
	*at = gone->next;
	free(gone);
	drill.remembered--;
}

static void mark(uint64_t turn)
{
	struct remembered *known = *place_of(turn);
	if (known)
		known->pending = true;
}

/* What nobody will be told of any more (it was taken back, or its communicator freed) is forgotten. */
static void sweep(void)
{
	if (drill.remembered == 0)
		return;
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&session.sequence.shadows, shadow));)
		mark(shadow->kind == SHADOW_DELIVERY ? ((const struct mail *)(uintptr_t)shadow->extra)->turn : shadow->turn);
	for (const struct mail *mail = session.mailbox.first; mail; mail = mail->next)
		mark(mail->turn);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct remembered **at = &drill.buckets[i]; *at;) {
			if (!(*at)->pending) {
				forget(at);
				continue;
			}
			(*at)->pending = false;
			at = &(*at)->next;
		}
}

void drill_cut(void)
{
	struct snapshot_attempt attempt = attempt_of();
	uint64_t drawn = mix64_pair(attempt.nonce, (uint64_t)inside.rank + (UINT64_C(1) << 32));
	audit_now();
	sweep();
	drill.patience_ns = drawn % 4 == 0 ? 0 : (int64_t)((drawn >> 8) % PATIENCE_NS);
}

int64_t drill_patience_ns(void)
{
	return drill.patience_ns;
}

void drill_drained(void)
{
	drill.figures[DRAINED]++;
}

void drill_check(void)
{
	struct snapshot_incoming in;
	char text[160];
	for (size_t cursor = 0; snapshot_next_incoming(inside.snapshot, &cursor, &in);) {
		struct audit_claim claim = {.key = in.key, .limit = in.limit, .seen = in.seen, .recorded = in.recorded,
					    .orphans = in.orphans, .abandoned = in.abandoned};
		if (!audit_stream(&drill.audit, &claim, text, sizeof text))
			wrong(in.key, text);
		drill.figures[ORPHANS] += (uint64_t)in.orphans;
		drill.figures[RECORDED] += (uint64_t)in.recorded;
	}
	copies_drop_all();
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_IMAGE});
}

/* In MPI_Finalize nothing more will be received, all that is there was drained, and what is missing was never sent: or was received below Seamark. */
void drill_given_up(void)
{
	struct snapshot_incoming in;
	char text[160];
	if (!inside.finalizing || snapshot_reason(inside.snapshot) != REASON_OPEN_CHANNEL || inside.arriving)
		return;
	for (size_t cursor = 0; snapshot_next_incoming(inside.snapshot, &cursor, &in);) {
		int64_t owed = in.limit - (in.seen - in.orphans) - in.recorded, limit;
		if (owed <= 0 || in.abandoned || !snapshot_limit(inside.snapshot, in.key, &limit) || drain_is_awaited(in.key))
			continue;
		text_put(text, sizeof text, "%" PRId64 " were sent since the last cut, %" PRId64 " of them never came through Seamark",
			 in.limit, owed);
		wrong(in.key, text);
	}
}

void drill_ended(const struct snapshot_outcome *outcome)
{
	if (inside.rank != 0)
		return;
	const struct verdict *verdict = &outcome->verdict;
	drill.asked = false;
	if (outcome->reason == REASON_NONE) {
		drill.made++;
		log_say(LOG_DEBUG, "drill: %" PRIu64 " messages in flight, %" PRIu64 " orphans, %" PRIu64 " abandoned", verdict->messages,
			verdict->orphans, verdict->abandoned);
		return;
	}
	drill.given_up++;
	snprintf(drill.reason, sizeof drill.reason, "%s%s%s%s", reason_text(outcome->reason), outcome->text[0] ? " (" : "", outcome->text,
		 outcome->text[0] ? ")" : "");
	log_say(LOG_INFO, "drill: given up: %s", drill.reason);
	if (reason_cause(outcome->reason) != REASON_LASTING)
		return;
	drill.resigned = true;
	log_say(LOG_NOTICE, "drill: no more are made: %s", drill.reason);
}

void drill_report(void)
{
	uint64_t sums[FIGURES];
	char given_up[sizeof drill.reason + 64] = "", end[64] = "nothing wrong";
	carrier_add_up(drill.figures, sums, FIGURES);
	if (inside.rank != 0)
		return;
	if (drill.given_up)
		snprintf(given_up, sizeof given_up, ", %" PRIu64 " more given up (the last: %s)", drill.given_up, drill.reason);
	if (sums[WRONG])
		snprintf(end, sizeof end, "%" PRIu64 " WRONG", sums[WRONG]);
	log_say(sums[WRONG] ? LOG_QUIET : LOG_NOTICE, "drill: %" PRIu64 " cuts%s; in flight: %" PRIu64 " messages recorded, %" PRIu64
		" of them drained; %" PRIu64 " orphans; %" PRIu64 " payloads compared; %s", drill.made, given_up, sums[RECORDED],
		sums[DRAINED], sums[ORPHANS], sums[COMPARED], end);
}

/* --- messages -------------------------------------------------------------------------------------------------------------- */

void drill_hash(struct copy *copy, const void *data, uint64_t bytes)
{
	copy->hash = XXH3_64bits(data, bytes);
	copy->hashed_bytes = bytes;
}

void drill_settled(const struct taking *taking)
{
	audit_settled(&drill.audit, taking->key, taking->position);
}

void drill_kept(const struct copy *copy)
{
	audit_recorded(&drill.audit, copy->key, copy->position);
}

static void compare(const struct remembered *known, uint64_t key, int64_t position, uint64_t bytes, uint64_t hash, const char *when)
{
	char text[200];
	drill.figures[COMPARED]++;
	if (known->key == key && known->position == position && known->bytes == bytes && known->hash == hash)
		return;
	text_put(text, sizeof text, "message %" PRId64 " was recorded as message %" PRId64 " of %s stream, with %" PRIu64
		 " bytes, hash %016" PRIx64 "; %s it has %" PRIu64 " bytes, hash %016" PRIx64, position, known->position,
		 known->key == key ? "its" : "another", known->bytes, known->hash, when, bytes, hash);
	wrong(key, text);
}

void drill_remember(const struct copy *copy)
{
	struct remembered **at = place_of(copy->turn);
	if (copy->truncated)
		return;
	if (*at) {
		compare(*at, copy->key, copy->position, copy->hashed_bytes, copy->hash, "recorded again");
		return;
	}
	*at = calloc(1, sizeof **at);
	if (!*at)
		return; /* one comparison less */
	**at = (struct remembered){.turn = copy->turn, .key = copy->key, .position = copy->position, .bytes = copy->hashed_bytes,
				   .hash = copy->hash};
	drill.remembered++;
}

/* The content of what the program is about to be told, as far as it lies in its buffer. */
static void told(struct remembered **at, uint64_t key, int64_t position, const void *buffer, int count, MPI_Datatype type, int64_t bytes)
{
	struct fault fault = FAULT_NONE;
	void *data = NULL;
	if (bytes >= 0 && recorder_pack(buffer, count, type, bytes, &data, &fault) == 0) {
		compare(*at, key, position, (uint64_t)bytes, XXH3_64bits(data, (size_t)bytes), "received");
		free(data);
	}
	forget(at);
}

void drill_told(const struct shadow *shadow, const MPI_Status *status)
{
	struct remembered **at = drill.remembered ? place_of(shadow->turn) : NULL;
	/* Without a status (a wait that wanted none, after the window) its length is taken on trust. */
	if (at && *at)
		told(at, shadow->key, shadow->position, shadow->buffer, shadow->count, (MPI_Datatype)(uintptr_t)shadow->type,
		     status ? recorder_bytes(status) : (int64_t)(*at)->bytes);
}

void drill_told_mail(const struct mail *mail)
{
	struct remembered **at = drill.remembered && mail->delivered ? place_of(mail->turn) : NULL;
	if (at && *at)
		told(at, mail->key, mail->position, mail->buffer, mail->count, (MPI_Datatype)(uintptr_t)mail->type, (int64_t)mail->bytes);
}

void drill_rebase(int64_t (*moved)(void *context, uint64_t key))
{
	for (size_t i = 0; drill.remembered && i < BUCKETS; i++)
		for (struct remembered *known = drill.buckets[i]; known; known = known->next)
			known->position -= moved(NULL, known->key);
}
