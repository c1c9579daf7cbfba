/* SPDX-License-Identifier: BSD-3-Clause */
/* SEAMARK_TRACE: what happens on this rank is noted in memory, and around each attempt handed to the writer. While it is on, session.watching is never 0, so that all calls take their long ways, where the hooks are. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/log.h"
#include "base/mix.h"
#include "base/moment.h"
#include "channel/comms.h"
#include "channel/recorder.h"
#include "session/telling.h"
#include "session/tracing.h"
#include "snapshot/wire.h"
#include "trace/ring.h"

static struct {
	struct trace *trace;
	uint64_t clock;
	struct snapshot_attempt attempt; /* that is being traced, or was last */
	bool open;             /* ... whose outcome is to come */
	bool said_void;        /* ... and why it is void here has been noted */
} tracing;

static const struct trace_event nothing = {.comm = TRACE_NO_COMM, .peer = -1};

/* --- begin and end ------------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of_file(const char *path, uint64_t seed)
{
	char text[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (fd >= 0)
		close(fd);
	return size <= 0 ? 0 : XXH3_64bits_withSeed(text, (size_t)size, seed);
}

/* Processes of one kernel, with the same shift of its monotonic clock, have one clock. Where that cannot be known each has its own. */
static uint64_t find_clock(void)
{
	uint64_t kernel = hash_of_file("/proc/sys/kernel/random/boot_id", 0);
	if (kernel == 0)
		return mix64_pair((uint64_t)inside.rank, (uint64_t)drive_now_ns());
	return mix64_pair(kernel, hash_of_file("/proc/self/timens_offsets", kernel));
}

void tracing_open(void)
{
	if (inside.settings.trace == 0)
		return;
	tracing.trace = trace_new(inside.settings.trace);
	if (!tracing.trace) {
		log_say(LOG_QUIET, "no memory for SEAMARK_TRACE: nothing is traced");
		return;
	}
	tracing.clock = find_clock();
	session.watching |= SESSION_WATCH_TRACE;
}

void tracing_close(void)
{
	trace_free(tracing.trace);
	tracing.trace = NULL;
}

/* --- events -------------------------------------------------------------------------------------------------------------------- */

static void add(struct trace_event event)
{
	event.ns = drive_now_ns();
	trace_add(tracing.trace, &event);
}

static void add_kind(enum trace_kind kind, int32_t peer, int64_t position, uint64_t value, bool is_void)
{
	struct trace_event event = nothing;
	event.kind = (uint8_t)kind;
	event.peer = peer;
	event.position = position;
	event.value = value;
	event.flags = is_void ? TRACE_VOID : 0;
	add(event);
}

/* What tells one communicator from another that had its index before. */
static uint32_t comm_id(unsigned index)
{
	_Static_assert(LEDGER_COMMS_MAX == 1 << 12, "an index takes 12 bits");
	return index | (uint32_t)session.ledger.comms[index].making << 12;
}

static struct trace_event about(enum trace_kind kind, uint64_t key, int64_t position, uint64_t bytes)
{
	struct trace_event event = nothing;
	event.kind = (uint8_t)kind;
	event.comm = comm_id(ledger_key_comm(key));
	event.peer = ledger_world_of(&session.ledger, key);
	event.tag = ledger_key_tag(key);
	event.position = position;
	event.value = bytes;
	return event;
}

/* --- what the application does ---------------------------------------------------------------------------------------------- */

void session_trace_send(const char *call, uint64_t key, uint64_t bytes, bool synchronous)
{
	const struct ledger_stream *stream = ledger_stream(&session.ledger.sent, key);
	struct trace_event event = about(TRACE_SEND, key, stream->total, bytes);
	event.flags = synchronous ? TRACE_SYNCHRONOUS : 0;
	event.call = call;
	add(event);
}

void session_trace_unsent(uint64_t key)
{
	add(about(TRACE_UNSENT, key, ledger_stream(&session.ledger.sent, key)->total, 0));
}

void session_trace_collective(const char *call, int comm)
{
	struct trace_event event = nothing;
	event.kind = TRACE_COLLECTIVE;
	event.comm = comm_id((unsigned)comm);
	event.value = session.ledger.comms[comm].begun;
	event.call = call;
	add(event);
}

void tracing_told(const struct taking *taking, bool decided, const MPI_Status *status, bool truncated)
{
	int64_t bytes = status ? recorder_bytes(status) : 0;
	struct trace_event event = about(TRACE_TOLD, taking->key, decided ? taking->position : 0, bytes > 0 ? (uint64_t)bytes : 0);
	event.turn = taking->turn;
	event.flags = (uint8_t)((decided ? 0 : TRACE_UNPLACED) | (truncated ? TRACE_TRUNCATED : 0));
	add(event);
}

void tracing_told_mail(const struct mail *mail)
{
	struct trace_event event = about(TRACE_TOLD, mail->key, mail->position, mail->bytes);
	event.turn = mail->turn;
	event.flags = TRACE_MAIL;
	add(event);
}

void tracing_placed(const struct taking *taking)
{
	struct trace_event event = about(TRACE_PLACED, taking->key, taking->position, 0);
	event.turn = taking->turn;
	add(event);
}

/* --- what the snapshot does --------------------------------------------------------------------------------------------------- */

void tracing_drained(const struct mail *mail)
{
	struct trace_event event = about(TRACE_DRAINED, mail->key, mail->position, mail->bytes);
	event.turn = mail->turn;
	add(event);
}

static void keep(const struct copy *copy)
{
	struct trace_event event = about(TRACE_RECORDED, copy->key, copy->position, copy->bytes);
	event.turn = copy->turn;
	if (!copy->kept)
		add(event);
}

/* An order's epoch, and of an order to cut its step. */
static void add_order(enum trace_kind kind, int32_t peer, const void *data, size_t size)
{
	struct wire_announce announce;
	struct wire_ready ready;
	struct wire_cut cut;
	struct wire_hasten hasten;
	struct wire_outcome outcome;
	struct trace_event event = nothing;
	event.kind = (uint8_t)kind;
	event.peer = peer;
	event.value = wire_kind(data, size);
	if (wire_get_announce(data, size, &announce))
		event.turn = announce.epoch;
	else if (wire_get_ready(data, size, &ready))
		event.turn = ready.epoch;
	else if (wire_get_cut(data, size, &cut)) {
		event.turn = cut.epoch;
		event.position = cut.step;
	} else if (wire_get_hasten(data, size, &hasten))
		event.turn = hasten.epoch;
	else if (wire_get_outcome(data, size, &outcome))
		event.turn = outcome.epoch;
	if (event.value != 0)
		add(event);
}

static void add_head(enum trace_kind kind, int32_t peer, const void *data, size_t size)
{
	struct wire_head head;
	if (wire_get_head(data, size, &head))
		add_kind(kind, peer, 0, head.epoch, head.is_void);
}

/* Counts begin with their epoch. */
static void add_counts(int32_t peer, const void *data, size_t size)
{
	struct bytes_in in = bytes_from(data, size);
	uint64_t epoch = bytes_get_varint(&in);
	if (!in.bad)
		add_kind(TRACE_COUNTS_CAME, peer, 0, epoch, false);
}

static void add_safepoint(int64_t step)
{
	/* A loop that finds nothing to do is one safepoint. */
	if (!trace_is_last(tracing.trace, TRACE_SAFEPOINT, step))
		add_kind(TRACE_SAFEPOINT, -1, step, 0, false);
}

void tracing_event(const struct snapshot_event *event)
{
	switch (event->kind) {
	case SNAPSHOT_SAFEPOINT:
	case SNAPSHOT_ENTER:
		add_safepoint(event->step);
		break;
	case SNAPSHOT_REQUEST:
		add_kind(TRACE_REQUEST, -1, 0, event->want, false);
		break;
	case SNAPSHOT_ORDER:
		add_order(TRACE_ORDER_CAME, event->peer, event->data, event->size);
		break;
	case SNAPSHOT_HEAD:
		add_head(TRACE_HEAD_CAME, event->peer, event->data, event->size);
		break;
	case SNAPSHOT_COUNTS:
		add_counts(event->peer, event->data, event->size);
		break;
	case SNAPSHOT_CAPTURED:
		add((struct trace_event){.kind = TRACE_CAPTURED, .comm = TRACE_NO_COMM, .peer = -1, .flags = event->failed ? TRACE_FAILED : 0});
		break;
	case SNAPSHOT_CUT_MADE:
		add_kind(TRACE_GOES_ON, -1, 0, 0, false);
		break;
	case SNAPSHOT_MARKERS_SENT:
		add_kind(TRACE_MATCHED, -1, 0, 0, false);
		break;
	case SNAPSHOT_BARRIER:
		add_kind(TRACE_BARRIER_DONE, -1, 0, 0, false);
		break;
	case SNAPSHOT_IMAGE:
		if (!event->failed)
			add_kind(TRACE_DURABLE, -1, 0, event->bytes, false);
		break;
	case SNAPSHOT_VERDICT:
		add_kind(TRACE_VERDICT_DONE, -1, 0, 0, event->verdict->voids != 0);
		break;
	case SNAPSHOT_PUBLISHED:
		add((struct trace_event){.kind = TRACE_COMMITTED, .comm = TRACE_NO_COMM, .peer = -1, .flags = event->failed ? TRACE_FAILED : 0});
		break;
	case SNAPSHOT_MOMENT:
	case SNAPSHOT_DOOM:
	case SNAPSHOT_FINALIZE:
	case SNAPSHOT_LEAVE:
		break;
	}
}

/* "an orphan message: rank 2 ..." */
static uint64_t why(enum reason reason, const char *detail)
{
	char text[TRACE_TEXT_MAX + 1];
	snprintf(text, sizeof text, "%s%s%s", reason_text(reason), detail[0] ? ": " : "", detail);
	return trace_text(tracing.trace, text);
}

void tracing_stepped(void)
{
	struct snapshot_attempt attempt;
	const enum reason reason = snapshot_reason(inside.snapshot);
	if (snapshot_phase(inside.snapshot) == SNAPSHOT_IDLE)
		return;
	snapshot_attempt(inside.snapshot, &attempt);
	const bool begins = attempt.epoch != tracing.attempt.epoch;
	/* An announcement may be the first that this rank hears of the outcome of the attempt before. */
	if (begins)
		tracing_ended(snapshot_outcome(inside.snapshot));
	tracing.attempt = attempt;
	if (begins) {
		struct trace_event event = nothing;
		tracing.open = true;
		tracing.said_void = false;
		trace_begin(tracing.trace);
		event.kind = TRACE_ALERT;
		event.value = attempt.epoch;
		event.turn = attempt.number;
		add(event);
	}
	if (attempt.is_void && !tracing.said_void && reason != REASON_NONE) {
		struct trace_event event = nothing;
		tracing.said_void = true;
		event.kind = TRACE_VOID_HERE;
		event.text = why(reason, snapshot_reason_detail(inside.snapshot));
		add(event);
	}
}

/* So many streams are listed with a cut; of more, how many there are. */
enum { MARKED_MOST = 256 };

static void add_cut(void)
{
	struct snapshot_attempt attempt;
	struct snapshot_outgoing stream;
	uint64_t marked = 0, more = 0;
	snapshot_attempt(inside.snapshot, &attempt);
	add_kind(TRACE_CUT, -1, attempt.cut_step, attempt.epoch, attempt.is_void);
	for (size_t cursor = 0; snapshot_next_outgoing(inside.snapshot, &cursor, &stream);) {
		if (stream.sent == 0)
			continue;
		if (marked < MARKED_MOST && trace_has_room(tracing.trace, TRACE_MARKED)) {
			add(about(TRACE_MARKED, stream.key, stream.sent, 0));
			marked++;
		} else {
			more++;
		}
	}
	if (more != 0)
		add_kind(TRACE_MARKED_MORE, -1, 0, more, false);
}

void tracing_action(const struct snapshot_action *action)
{
	switch (action->kind) {
	case SNAPSHOT_SEND_ORDER:
		add_order(TRACE_ORDER_SENT, action->peer, action->data.data, action->data.size);
		break;
	case SNAPSHOT_CAPTURE:
		add_kind(TRACE_CAPTURE, -1, 0, 0, false);
		break;
	case SNAPSHOT_CUT:
		add_cut();
		break;
	case SNAPSHOT_SEND_MARKER:
		add_head(TRACE_MARKER_SENT, action->peer, action->data.data, action->data.size);
		break;
	case SNAPSHOT_ENTER_BARRIER:
		add_kind(TRACE_BARRIER, -1, 0, 0, false);
		break;
	case SNAPSHOT_FINISH_IMAGE:
		add_kind(TRACE_CLOSED, -1, 0, 0, false);
		break;
	case SNAPSHOT_ABANDON_IMAGE:
		add_kind(TRACE_GIVEN_UP, -1, 0, 0, false);
		break;
	case SNAPSHOT_ENTER_VERDICT:
		add_kind(TRACE_VERDICT, -1, 0, 0, action->verdict->voids != 0);
		break;
	case SNAPSHOT_KEEP:
		keep((const struct copy *)(uintptr_t)action->token);
		break;
	case SNAPSHOT_REBASE:
		add_kind(TRACE_REBASED, -1, 0, tracing.attempt.epoch, false);
		break;
	case SNAPSHOT_PUBLISH:
		add_kind(TRACE_COMMIT, -1, 0, 0, false);
		break;
	case SNAPSHOT_DROP:
	case SNAPSHOT_ENDED:
		break;
	}
}

/* --- the file -------------------------------------------------------------------------------------------------------------------- */

static struct trace_known_comm *list_comms(size_t *count)
{
	const struct ledger *ledger = &session.ledger;
	*count = 0;
	for (size_t i = 0; i < ledger->comm_room; i++)
		*count += ledger->comms[i].state != LEDGER_COMM_NONE;
	struct trace_known_comm *list = calloc(*count + 1, sizeof *list);
	*count = 0;
	for (size_t i = 0; list && i < ledger->comm_room; i++) {
		if (ledger->comms[i].state == LEDGER_COMM_NONE)
			continue;
		struct trace_known_comm *known = &list[(*count)++];
		known->id = comm_id((unsigned)i);
		snprintf(known->comm.name, sizeof known->comm.name, "%s", comms_name((int)i));
		snprintf(known->comm.label, sizeof known->comm.label, "%s", comms_label((int)i));
	}
	return list;
}

static void put_copy(void *context, struct bytes_out *out)
{
	trace_copy_put(context, out);
}

static void free_copy(void *context)
{
	trace_copy_free(context);
}

static void hand_over(void)
{
	const struct snapshot_attempt *attempt = &tracing.attempt;
	struct trace_copy *copy = trace_copy(tracing.trace);
	if (!copy)
		return;
	copy->comms = list_comms(&copy->comm_count);
	memcpy(copy->head.run, attempt->run, sizeof copy->head.run);
	copy->head.number = attempt->number;
	copy->head.nonce = attempt->nonce;
	copy->head.epoch = attempt->epoch;
	copy->head.life = attempt->life;
	copy->head.rank = (uint32_t)inside.rank;
	copy->head.ranks = (uint32_t)inside.ranks;
	copy->head.clock = tracing.clock;
	copy->head.real_ns = moment_now_ns() - drive_now_ns();
	store_write_trace(inside.store, &(struct store_trace){
		.number = attempt->number, .life = attempt->life, .put = put_copy, .done = free_copy, .context = copy});
}

void tracing_ended(const struct snapshot_outcome *outcome)
{
	struct trace_event event = nothing;
	/* Noted already, when the next attempt began. */
	if (!tracing.open || outcome->epoch != tracing.attempt.epoch)
		return;
	tracing.open = false;
	event.kind = TRACE_OUTCOME;
	event.value = outcome->epoch;
	event.flags = outcome->committed ? 0 : TRACE_VOID;
	if (!outcome->committed)
		event.text = why(outcome->reason, outcome->text);
	add(event);
	trace_end(tracing.trace);
	/* A drill, and what only resets the counts, has no number. */
	if (!(outcome->want & (WANT_EMPTY | WANT_DRILL)) && tracing.attempt.life != 0)
		hand_over();
}
