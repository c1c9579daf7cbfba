/* SPDX-License-Identifier: BSD-3-Clause */
/* The poll: what has happened is taken to the protocol as events, and what it orders is carried out, in order, before anything else of the
 * application happens. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

#include "base/crash.h"
#include "base/log.h"
#include "channel/carrier.h"
#include "session/drill.h"
#include "session/inside.h"
#include "session/signals.h"
#include "session/tracing.h"

/* Some 50 us. Much less, and the core is given away, to whoever wants it, in waits that are over in 2 us: the other side of a message of 8 KiB. MPI
 * libraries that are told to yield do so in each test. */
enum { SPINS_BEFORE_YIELD = 2048 };
/* mpirun forwards a signal to every rank: the others leave it to rank 0, and ask themselves if nothing has come of it. */
#define SIGNAL_PATIENCE_NS INT64_C(500000000)

/* Of crash points. */
#define ORDER(message) \
	((const char *const[]){"none", "request", "announce", "ready", "cut", "hasten", "outcome"}[wire_kind((message).data, (message).size)])
#define PART(message) ((message)->part == CARRIER_ORDER ? ORDER(*(message)) : (message)->part == CARRIER_MARKER_HEAD ? "head" : "counts")

int64_t drive_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __rdtsc();
#else
	return (uint64_t)drive_now_ns();
#endif
}

/* --- events in -------------------------------------------------------------------------------------------------------- */

static void watch(void)
{
	bool snapshot = snapshot_phase(inside.snapshot) != SNAPSHOT_IDLE || session.sequence.broken;
	session.watching = (uint8_t)((session.watching & SESSION_WATCH_TRACE) | (snapshot ? SESSION_WATCH_SNAPSHOT : 0));
	if (snapshot)
		session.countdown = 1;
}

void drive_feed(struct snapshot_event event)
{
	struct snapshot_actions actions = {0};
	event.now_ns = drive_now_ns();
	event.open = session.open;
	event.synchronous_pending = session.synchronous_pending;
	event.collectives_pending = session.collectives_pending;
	event.threads_inside = session.outside + inside.meeting_disturbed;
	event.epoch_open = epochs_open_one(&session.epochs);
	event.epochs_over = session.epochs.number;
	event.epoch_unsettled = epochs_newest_unsettled(&session.epochs);
	event.undecided = session.sequence.aside_count;
	event.writer_busy = inside.writer_busy;
	if (tracing_is_on())
		tracing_event(&event);
	snapshot_step(inside.snapshot, &event, &actions);
	watch();
	if (tracing_is_on())
		tracing_stepped();
	drive_act(&actions);
	snapshot_actions_free(&actions);
	watch();
}

static void feed_message(const struct carrier_message *message)
{
	static const enum snapshot_event_kind kinds[] = {
		[CARRIER_ORDER] = SNAPSHOT_ORDER,
		[CARRIER_MARKER_HEAD] = SNAPSHOT_HEAD,
		[CARRIER_MARKER_COUNTS] = SNAPSHOT_COUNTS,
	};
	crash_point_on("message-here", PART(message));
	drive_feed((struct snapshot_event){
		.kind = kinds[message->part], .peer = message->from, .data = message->data, .size = message->size});
	crash_point_on("message-done", PART(message));
}

/* --- actions out ------------------------------------------------------------------------------------------------------ */

static void carrier_failed(const struct fault *fault)
{
	/* Its peer waits for this message: the snapshot cannot end, but the program is not held by that. */
	log_say(LOG_QUIET, "%s: the snapshot under way cannot end", fault->text);
}

static void carry_out(struct snapshot_action *action)
{
	struct fault fault = FAULT_NONE;
	if (tracing_is_on())
		tracing_action(action);
	switch (action->kind) {
	case SNAPSHOT_SEND_ORDER:
		crash_point_on("order-to-send", ORDER(action->data));
		inside.orders_sent++;
		inside.bytes_sent += action->data.size;
		if (carrier_send_order(action->peer, action->data.data, action->data.size, &fault) < 0)
			carrier_failed(&fault);
		crash_point_on("order-sent", ORDER(action->data));
		break;
	case SNAPSHOT_CAPTURE:
		crash_point("capture-to-begin");
		live_look(drive_now_ns());
		image_capture();
		crash_point("cut-over");
		break;
	case SNAPSHOT_CUT:
		inside.markers_out = true;
		telling_cut();
		crash_point("cut-noted");
		break;
	case SNAPSHOT_SEND_MARKER:
		crash_point("marker-to-send");
		inside.markers_sent++;
		inside.bytes_sent += action->data.size + action->counts.size;
		if (carrier_send_marker(action->peer, action->data.data, action->data.size, action->counts.data,
					action->counts.size, &fault) < 0)
			carrier_failed(&fault);
		crash_point("marker-sent");
		break;
	case SNAPSHOT_ENTER_BARRIER:
		crash_point("barrier-to-enter");
		carrier_enter_barrier();
		inside.in_barrier = true;
		crash_point("barrier-entered");
		break;
	case SNAPSHOT_FINISH_IMAGE:
		crash_point("channels-closed");
		if (drill_is_on())
			drill_check();
		else
			image_finish();
		crash_point("image-finishing");
		break;
	case SNAPSHOT_ABANDON_IMAGE:
		crash_point("image-to-give-up");
		if (drill_is_on())
			drill_given_up();
		if (inside.captured)
			store_abandon_image(inside.store);
		inside.writer_busy |= inside.captured && !image_memory_is_free();
		inside.captured = false;
		inside.finishing = false;
		copies_drop_all();
		crash_point("image-given-up");
		break;
	case SNAPSHOT_ENTER_VERDICT:
		crash_point("verdict-to-enter");
		carrier_enter_verdict(action->verdict);
		inside.in_verdict = true;
		crash_point("verdict-entered");
		break;
	case SNAPSHOT_KEEP:
		copies_keep(action->token);
		crash_point("message-kept");
		break;
	case SNAPSHOT_DROP:
		copies_drop(action->token);
		crash_point("message-dropped");
		break;
	case SNAPSHOT_REBASE:
		crash_point("base-to-move");
		telling_rebase();
		crash_point("base-moved");
		break;
	case SNAPSHOT_PUBLISH:
		crash_point("commit-to-ask");
		image_publish(action->verdict);
		crash_point("commit-asked");
		break;
	case SNAPSHOT_ENDED:
		crash_point("end-to-tell");
		report_outcome(snapshot_outcome(inside.snapshot));
		if (tracing_is_on())
			tracing_ended(snapshot_outcome(inside.snapshot));
		crash_point("end-told");
		break;
	}
}

void drive_act(struct snapshot_actions *actions)
{
	for (size_t i = 0; i < actions->count; i++)
		carry_out(&actions->list[i]);
	if (actions->failed)
		log_say(LOG_QUIET, "no memory for the messages of a snapshot: it cannot end");
}

/* --- the poll ---------------------------------------------------------------------------------------------------------- */

static void look_at_signals(int64_t now_ns)
{
	bool stop = signals_stop();
	bool request = signals_requests() != 0;
	if (inside.rank == 0) {
		/* The file asks once, until it has been away. */
		bool file = store_stop_seen(inside.store);
		stop |= file && !inside.stop_sent;
		inside.stop_sent = file;
		if (stop)
			crash_point("stop-seen");
		if (stop)
			drive_feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_STOP});
		if (request)
			drive_feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_REQUEST});
		if (status_is_asked(inside.store))
			live_asked();
		return;
	}
	/* A stop that only this rank was sent must not be lost. Where all were sent one, few need to tell rank 0, which makes one of them. */
	if (stop && inside.stop_asked_ns == 0)
		inside.stop_asked_ns = now_ns;
	if (inside.stop_asked_ns != 0 && now_ns - inside.stop_asked_ns >= snapshot_turn_ns(inside.snapshot)) {
		inside.stop_asked_ns = 0;
		if (!snapshot_stop_known(inside.snapshot))
			drive_feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_STOP});
	}
	if (request && inside.signalled_ns == 0)
		inside.signalled_ns = now_ns;
	if (inside.signalled_ns == 0 || now_ns - inside.signalled_ns < SIGNAL_PATIENCE_NS)
		return;
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	/* Rank 0 may have caught the same signal somewhat earlier, and announced before this rank had it. */
	if (attempt.announced_ns < inside.signalled_ns - SIGNAL_PATIENCE_NS)
		drive_feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_REQUEST});
	inside.signalled_ns = 0;
}

static void look_at_markers(void)
{
	if (inside.markers_out && carrier_markers_sent()) {
		inside.markers_out = false;
		crash_point("markers-matched");
		drive_feed((struct snapshot_event){.kind = SNAPSHOT_MARKERS_SENT});
	}
	if (inside.in_barrier && carrier_barrier_done()) {
		inside.in_barrier = false;
		inside.in_flush = true;
		crash_point("barrier-complete");
	}
}

/* true: there were some. */
static bool take_messages(void)
{
	struct carrier_message message;
	bool any = false;
	for (; carrier_receive(&message) != CARRIER_NOTHING; any = true)
		feed_message(&message);
	/* The barrier says that every marker was matched; that none is left here, the flush. */
	while (inside.in_flush) {
		bool flushed = carrier_flush();
		while (carrier_receive(&message) != CARRIER_NOTHING)
			feed_message(&message);
		if (!flushed)
			break;
		inside.in_flush = false;
		any = true;
		crash_point("markers-flushed");
		drive_feed((struct snapshot_event){.kind = SNAPSHOT_BARRIER});
	}
	return any;
}

static void look_at_verdict(void)
{
	struct verdict sum;
	if (!inside.in_verdict || !carrier_verdict_done(&sum))
		return;
	inside.in_verdict = false;
	crash_point("verdict-here");
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_VERDICT, .verdict = &sum});
}

/* What was used cannot be saved: nothing that is under way on this rank can be right. */
static void look_at_unable(void)
{
	enum snapshot_phase phase = snapshot_phase(inside.snapshot);
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	if (attempt.is_void || (attempt.want & WANT_EMPTY) || (phase != SNAPSHOT_ALERT && phase != SNAPSHOT_WINDOW))
		return;
	if (inside.look_for_objects)
		inside.look_for_objects(false);
	if (inside.unable[0])
		telling_doom(REASON_UNABLE, inside.unable);
	else if (session.sequence.broken)
		telling_doom(REASON_COUNTS, "no memory for the positions of messages");
	else if (attempt.want & WANT_DRILL)
		return; /* what is not protected is nothing to it */
	else if (inside.restore_failed)
		telling_doom(REASON_UNABLE, "seamark_restore failed: new checkpoints would take the place of those that it could not use; set "
			     "SEAMARK_RESTART=none to start afresh");
	else if (inside.region_missing)
		telling_doom(REASON_REGION, "what was restored has not all been protected");
}

/* All of a poll but the messages. */
static void poll_others(int64_t now_ns)
{
	if (unlikely(store_is_superseded(inside.store)))
		superseded_end();
	if (inside.arriving)
		telling_arrivals();
	look_at_signals(now_ns);
	if (session_in_snapshot()) {
		look_at_unable();
		inside.writer_busy = inside.writer_busy && !image_memory_is_free();
		if (inside.freed)
			drive_test_freed();
		look_at_markers();
		if (inside.in_flush)
			take_messages();
		if (snapshot_phase(inside.snapshot) == SNAPSHOT_WINDOW) {
			drain_scan(now_ns, false);
			drain_when_due(now_ns);
			image_watch(now_ns);
		}
		look_at_verdict();
	} else if (inside.freed) {
		drive_test_freed();
	}
	if (inside.committing)
		image_watch_commit();
	if (inside.capture_live)
		image_let_go();
	if (unlikely(inside.collective_asked != inside.collective_calls))
		calls_ask_for_collective();
	if (unlikely(session.drilling) && inside.rank == 0)
		drill_ask(now_ns);
	if (session_in_snapshot() || inside.committing)
		live_look(now_ns);
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_MOMENT});
}

void session_poll(void)
{
	if (inside.polling || !inside.snapshot)
		return;
	inside.polling = true;
	int64_t now_ns = drive_now_ns();
	take_messages();
	poll_others(now_ns);
	inside.polling = false;
}

/* In a snapshot, between polls: orders and markers only. What they bring is acted on as in a poll. */
static void glance(void)
{
	if (inside.polling || !inside.snapshot)
		return;
	inside.polling = true;
	if (unlikely(take_messages()))
		poll_others(drive_now_ns());
	inside.polling = false;
}

static bool poll_is_due(unsigned patience)
{
	uint64_t now = ticks();
	bool due = now - session.last_look > session.ticks_between_polls * patience;
	if (due)
		session.last_look = now;
	return due;
}

enum { IN_VAIN = 1 };

/* patience: that of the call whose countdown has run out; IN_VAIN: a turn of a waiting loop, or a test that found nothing. */
static void look(unsigned patience)
{
	const bool call = patience != IN_VAIN;
	if (session_in_snapshot()) {
		session.countdown = 1;
		if (unlikely(session.drilling))
			drill_count_calls(1, call);
		if (poll_is_due(patience) || session.drilling)
			session_poll();
		else if (!call) /* a call that will tell something glances before that */
			glance();
		return;
	}
	bool slow = poll_is_due(patience);
	/* A program that computes long between its calls is asked in each of them. */
	session.countdown = slow ? 1 : SESSION_CALLS_BETWEEN_LOOKS;
	if (unlikely(session.drilling)) {
		session.countdown = drill_count_calls(session.countdown, call);
		slow |= drill_is_due();
	}
	if (!slow)
		return;
	session_poll();
	if (session_in_snapshot())
		session.countdown = 1;
}

void session_look(enum session_call call)
{
	look(call);
}

void session_in_vain(void)
{
	if (inside.snapshot)
		look(IN_VAIN);
}

/* A wait is noted for looks when it has seen its second poll: after some tens of microseconds, however long its turns take. */
enum { POLLS_BEFORE_NOTE = 2 };

void session_spin(enum look_call call, enum session_wait what, uint64_t which, int64_t many)
{
	static uint32_t polls;
	const uint64_t before = session.last_look;
	if (session.spins == 0)
		polls = 0;
	if (inside.snapshot)
		look(IN_VAIN);
	if (unlikely(session.last_look != before) && ++polls >= POLLS_BEFORE_NOTE)
		looking_note(call, what, which, many);
	if (unlikely(session.noted != 0))
		looking_beat();
	if (unlikely(session.mode == SESSION_THREADS))
		session_let_others();
	if (++session.spins >= SPINS_BEFORE_YIELD) {
		session.spins = 1;
		sched_yield();
	}
}

void session_before_telling_slow(void)
{
	if (session_in_snapshot())
		glance();
}
