/* SPDX-License-Identifier: BSD-3-Clause */
/* What people are told: a line at the start, a line per checkpoint, and errors. */
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "session/drill.h"
#include "session/inside.h"

static void size_in_words(uint64_t bytes, char *text, size_t room)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t unit = 0;
	while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
		value /= 1024;
		unit++;
	}
	snprintf(text, room, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void time_in_words(int64_t ns, char *text, size_t room)
{
	if (ns < 1000000)
		snprintf(text, room, "%.0f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(text, room, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(text, room, "%.2f s", (double)ns / 1e9);
}

struct report_text report_time(int64_t ns)
{
	struct report_text text;
	if (ns < INT64_C(120000000000))
		time_in_words(ns, text.text, sizeof text.text);
	else if (ns < INT64_C(7200000000000))
		snprintf(text.text, sizeof text.text, "%.0f min", (double)ns / 60e9);
	else
		snprintf(text.text, sizeof text.text, "%.1f h", (double)ns / 3600e9);
	return text;
}

static void step_in_words(int64_t step, char *text, size_t room)
{
	if (step >= 0)
		snprintf(text, room, " at step %" PRId64, step);
	else
		text[0] = 0;
}

void report_hello(void)
{
	char mpi[256], start[128], step[40];
	if (inside.said_hello)
		return;
	inside.said_hello = true;
	if (inside.rank != 0)
		return;
	load_mpi_matches(mpi, sizeof mpi);
	if (inside.restored.number) {
		step_in_words(inside.restored.step, step, sizeof step);
		snprintf(start, sizeof start, "restored from checkpoint %" PRIu64 "%s", inside.restored.number, step);
	} else if (inside.spawned) {
		snprintf(start, sizeof start, "spawned by another program, so no checkpoint is taken");
	} else {
		snprintf(start, sizeof start, "%s", inside.restore_failed ? "seamark_restore failed, so no checkpoint is taken"
			 : inside.restore_called ? "fresh start" : "fresh start (seamark_restore was not called)");
	}
	log_say(LOG_NOTICE, "Seamark %s, %s, %d ranks, folder '%s': %s; %s", SEAMARK_VERSION, mpi, inside.ranks,
		store_folder(inside.store), start,
		session.mode == SESSION_THREADS ? "MPI calls pass through the wrappers, one thread at a time (MPI_THREAD_MULTIPLE)"
						: "MPI calls pass through the wrappers");
	if (inside.topology)
		log_say(LOG_INFO, "the writer: %s", topology_writer_place(inside.topology));
}

static void report_committed(const struct snapshot_outcome *outcome)
{
	const struct verdict *verdict = &outcome->verdict;
	char held[32], bytes[32], whole[32], of[40] = "", messages[32], took[32], step[40], tries[40] = "", abandoned[80] = "";
	time_in_words(verdict->held_ns, held, sizeof held);
	time_in_words(outcome->ended_ns - outcome->announced_ns, took, sizeof took);
	size_in_words(verdict->image_bytes, bytes, sizeof bytes);
	size_in_words(verdict->image_bytes + verdict->referred_bytes, whole, sizeof whole);
	if (verdict->parents && strcmp(bytes, whole) != 0)
		snprintf(of, sizeof of, " of %s", whole);
	size_in_words(verdict->message_bytes, messages, sizeof messages);
	step_in_words(verdict->step, step, sizeof step);
	if (outcome->attempts > 1)
		snprintf(tries, sizeof tries, " (attempt %" PRIu32 ")", outcome->attempts);
	if (verdict->abandoned)
		snprintf(abandoned, sizeof abandoned, ", %" PRIu64 " messages on freed communicators left out", verdict->abandoned);
	log_say(LOG_NOTICE, "checkpoint %" PRIu64 "%s: held %s, %" PRIu64 " message%s in flight (%s)%s, %s%s, committed in %s%s",
		outcome->number, step, held, verdict->messages, verdict->messages == 1 ? "" : "s", messages, abandoned, bytes, of,
		took, tries);
}

static void report_void(const struct snapshot_outcome *outcome)
{
	char after[120], pause[32];
	const char *advice = reason_advice(outcome->reason);
	if (outcome->again && outcome->again_ns == 0)
		snprintf(after, sizeof after, "it is tried again at once");
	else if (outcome->again) {
		time_in_words(outcome->again_ns, pause, sizeof pause);
		snprintf(after, sizeof after, "it is tried again in %s", pause);
	} else if (outcome->resigned)
		snprintf(after, sizeof after, "void %d times in a row for this reason: the next is the next scheduled one", 8);
	else
		snprintf(after, sizeof after, "it is not tried again");
	/* That a program ends before its next interval is nothing to tell. */
	bool expected = outcome->want == WANT_INTERVAL && outcome->reason == REASON_FINALIZING;
	log_say(expected ? LOG_INFO : LOG_NOTICE, "checkpoint %" PRIu64 " is void: %s%s%s%s; %s%s%s", outcome->number, reason_text(outcome->reason),
		outcome->text[0] ? " (" : "", outcome->text, outcome->text[0] ? ")" : "", after,
		outcome->resigned && advice[0] ? "; what would help: " : "", outcome->resigned ? advice : "");
}

static void report_sent(const struct snapshot_outcome *outcome)
{
	log_say(LOG_DEBUG, "%s %" PRIu64 ", %s: this rank has sent %" PRIu64 " orders and %" PRIu64 " markers, %" PRIu64 " bytes",
		outcome->want & (WANT_EMPTY | WANT_DRILL) ? "snapshot without a checkpoint, epoch" : "checkpoint",
		outcome->want & (WANT_EMPTY | WANT_DRILL) ? outcome->epoch : outcome->number, outcome->committed ? "committed" : "void",
		inside.orders_sent, inside.markers_sent, inside.bytes_sent);
	inside.orders_sent = inside.markers_sent = inside.bytes_sent = 0;
}

void report_outcome(const struct snapshot_outcome *outcome)
{
	report_sent(outcome);
	if (outcome->committed) {
		inside.captured = false; /* its file is the checkpoint's now */
		inside.has_committed = true;
		inside.committed_number = outcome->number;
		inside.committed_step = outcome->verdict.step;
	}
	if (outcome->want & WANT_DRILL) {
		drill_ended(outcome);
		return;
	}
	if (outcome->want & WANT_COLLECTIVE) {
		inside.collective_ended++;
		inside.collective_code = calls_outcome_code(outcome);
	}
	if (!(outcome->want & WANT_EMPTY))
		store_settle(inside.store, &(struct store_outcome){
			.number = outcome->number, .committed = outcome->committed,
			.distrusted = outcome->reason == REASON_MANIFEST, .parents = outcome->verdict.parents,
			.bytes = outcome->verdict.image_bytes, .referred = outcome->verdict.referred_bytes});
	every_outcome(outcome);
	if (inside.rank != 0)
		return;
	live_outcome(outcome);
	if (outcome->want & WANT_EMPTY) {
		log_say(LOG_DEBUG, "the ledger was reset%s", outcome->verdict.open ? ", but for open channels" : "");
		return;
	}
	if (outcome->committed)
		report_committed(outcome);
	else
		report_void(outcome);
	if (!outcome->committed)
		store_drop_attempt(inside.store, outcome->number);
	else if (outcome->want & WANT_STOP)
		store_clear_stop(inside.store);
}

void report_fault(int code, const char *call, const struct fault *fault)
{
	log_say(LOG_QUIET, "%s: %s", call, fault->text[0] ? fault->text : seamark_strerror(code));
}
