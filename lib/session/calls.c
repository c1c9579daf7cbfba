/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of the application by name: checks, then events for the protocol and turns of the poll until there is an answer. */
#include <inttypes.h>
#include <math.h>

#include "base/log.h"
#include "channel/comms.h"
#include "session/inside.h"

int calls_ready(const char *call)
{
	struct fault fault = FAULT_NONE;
	int running = 0, over = 0;
	if (inside.begun && !inside.ended && !inside.off)
		return 1;
	if (inside.off && inside.off_code == 0)
		return 0;
	PMPI_Initialized(&running);
	PMPI_Finalized(&over);
	if (inside.off)
		return inside.off_code; /* told at the start */
	if (inside.ended || over)
		fault_set(&fault, SEAMARK_E_ORDER, "MPI_Finalize has been called");
	else if (running)
		fault_set(&fault, SEAMARK_E_NO_WRAPPERS, "the program's MPI calls do not pass through Seamark: link -lseamark before the MPI "
			  "library, or preload libseamark.so. An MPI library that is linked statically into the program cannot be followed");
	else
		fault_set(&fault, SEAMARK_E_ORDER, "MPI_Init has not been called yet");
	report_fault(fault.code, call, &fault);
	return fault.code;
}

static int told(const char *call, int code, const struct fault *fault)
{
	if (code < 0)
		report_fault(code, call, fault);
	return code;
}

/* --- regions -------------------------------------------------------------------------------------------------------------- */

int session_protect(const char *name, void *data, size_t bytes)
{
	struct fault fault = FAULT_NONE;
	int code = calls_ready("seamark_protect");
	if (code <= 0)
		return code;
	code = state_protect(inside.state, name, data, bytes, &fault);
	return code < 0 ? told("seamark_protect", code, &fault) : restore_load_region(name);
}

/* The caller's lists as a shape, of which shape_check says the rest. */
static int describe(struct shape *shape, struct shape_extent *extents, int type, int dimensions, const uint64_t *global,
		    const uint64_t *offset, const uint64_t *local, const uint64_t *before, const uint64_t *after, struct fault *fault)
{
	if (type < 0 || type >= SHAPE_TYPES)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "%d is no type of elements: see enum seamark_type", type);
	if (dimensions < 1 || dimensions > SHAPE_DIMENSIONS_MAX)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "an array has 1 to %d dimensions, and lists of as many numbers: not %d",
				 SHAPE_DIMENSIONS_MAX, dimensions);
	if (!local)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "the local extents are a null pointer");
	for (int i = 0; i < dimensions; i++) {
		struct shape_extent *extent = &extents[i];
		*extent = (struct shape_extent){.first = offset ? offset[i] : 0, .local = local[i], .before = before ? before[i] : 0,
						.after = after ? after[i] : 0};
		/* Without a global array it is this block. More ghosts than elements are refused later, whatever this is then. */
		extent->global = global ? global[i] : extent->first + extent->local - extent->before - extent->after;
	}
	*shape = (struct shape){(uint32_t)type, (uint32_t)dimensions, extents};
	return 0;
}

int session_protect_array(const char *name, void *data, int type, int dimensions, const uint64_t *global, const uint64_t *offset,
			  const uint64_t *local, const uint64_t *before, const uint64_t *after)
{
	struct fault fault = FAULT_NONE;
	struct shape_extent extents[SHAPE_DIMENSIONS_MAX];
	struct shape shape;
	int code = calls_ready("seamark_protect_array");
	if (code <= 0)
		return code;
	code = describe(&shape, extents, type, dimensions, global, offset, local, before, after, &fault);
	if (code == 0)
		code = state_protect_array(inside.state, name, data, &shape, &fault);
	return code < 0 ? told("seamark_protect_array", code, &fault) : restore_load_region(name);
}

int session_protect_with(const char *name, int (*save)(seamark_writer *, void *), int (*load)(seamark_reader *, void *), void *context)
{
	struct fault fault = FAULT_NONE;
	int code = calls_ready("seamark_protect_with");
	if (code <= 0)
		return code;
	code = state_protect_with(inside.state, name, save, load, context, &fault);
	return code < 0 ? told("seamark_protect_with", code, &fault) : restore_load_region(name);
}

int session_unprotect(const char *name)
{
	struct fault fault = FAULT_NONE;
	int code = calls_ready("seamark_unprotect");
	return code <= 0 ? code : told("seamark_unprotect", state_unprotect(inside.state, name, &fault), &fault);
}

/* --- safepoints ------------------------------------------------------------------------------------------------------------ */

/* A safepoint begins; the first ends the program's setting up. */
static int settle(void)
{
	struct fault fault = FAULT_NONE;
	if (inside.look_for_objects)
		inside.look_for_objects(false);
	if (restore_settle() < 0)
		return SEAMARK_E_REGION;
	if (inside.settled)
		return 0;
	for (const struct mail *mail = session.mailbox.first; mail; mail = mail->next)
		if (mail->unknown)
			return told("seamark_safepoint", fault_set(&fault, SEAMARK_E_COMMUNICATOR, "checkpoint %" PRIu64
				    " has a message from rank %u with tag %u on a communicator that this run has not made: make it before "
				    "the first safepoint, as the run that wrote the checkpoint did", inside.restored.number, mail->source,
				    mail->tag), &fault);
	inside.settled = true;
	comms_settled();
	report_hello();
	if (inside.rank != 0 || inside.spawned)
		return 0;
	if (restore_begin_life(&fault) < 0)
		log_say(LOG_QUIET, "%s; no checkpoint is taken", fault.text);
	else
		every_begin();
	live_settled();
	return 0;
}

static int check_step(const char *call, int64_t step)
{
	static int64_t last = -1;
	struct fault fault = FAULT_NONE;
	if (step < 0 && step != SEAMARK_ANY_STEP)
		fault_set(&fault, SEAMARK_E_ARGUMENT, "step %" PRId64 " is negative", step);
	else if (step >= 0 && step < last)
		fault_set(&fault, SEAMARK_E_ARGUMENT, "step %" PRId64 " after step %" PRId64 ": steps never fall", step, last);
	else
		last = step;
	return told(call, fault.code, &fault);
}

/* Waits, inside Seamark, until `over`: nothing is received meanwhile, so late messages are drained at once. Negative timeout: none. */
static bool wait_until(bool (*over)(void), double timeout_s)
{
	int64_t began_ns = drive_now_ns();
	inside.drain_now = true;
	session_poll();
	while (!over() && (timeout_s < 0 || (double)(drive_now_ns() - began_ns) < timeout_s * 1e9)) {
		session.countdown = 1;
		session_spin(LOOK_Seamark, SESSION_AWAITS_ALL, 0, 0);
		session_poll();
	}
	session_waited();
	inside.drain_now = inside.finalizing;
	return over();
}

static bool nothing_is_under_way(void)
{
	return snapshot_phase(inside.snapshot) == SNAPSHOT_IDLE && !snapshot_awaits_outcome(inside.snapshot) && !inside.committing;
}

static uint64_t awaited_epoch;

/* Not that nothing is under way: the next attempt may have been announced already, and waits for this rank's next safepoint. */
static bool awaited_has_ended(void)
{
	return snapshot_outcome(inside.snapshot)->epoch >= awaited_epoch;
}

/* In step programs the safepoint that cuts for a stop waits for the outcome, so that all ranks are told at the same step. The window may be over already. */
static void wait_for_stop(int64_t step)
{
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	if (step < 0 || !(attempt.want & WANT_STOP) || !inside.cut_made)
		return;
	awaited_epoch = attempt.epoch;
	wait_until(awaited_has_ended, -1);
}

static bool take_cut_made(void)
{
	bool made = inside.cut_made;
	inside.cut_made = false;
	return made;
}

int session_safepoint(int64_t step)
{
	int code = calls_ready("seamark_safepoint");
	if (code > 0)
		code = check_step("seamark_safepoint", step);
	else
		return code;
	if (code == 0)
		code = settle();
	if (code < 0)
		return code;
	session.open = false;
	looking_safepoint(step);
	state_prepare(inside.state);
	session_poll();
	session.open = step < 0;
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = step});
	if (inside.rank == 0)
		status_step(inside.store, step);
	wait_for_stop(step);
	session.countdown = 1;
	session.open = session.open && !session.several;
	return take_cut_made();
}

/* --- requests -------------------------------------------------------------------------------------------------------------- */

int session_request(void)
{
	struct fault fault = FAULT_NONE;
	int code = calls_ready("seamark_request");
	if (code <= 0)
		return code;
	if (inside.unable[0])
		return told("seamark_request", fault_set(&fault, SEAMARK_E_UNABLE, "%s", inside.unable), &fault);
	if (inside.life_code < 0)
		return told("seamark_request", fault_set(&fault, SEAMARK_E_UNABLE, "%s: no checkpoint is taken",
			    seamark_strerror(inside.life_code)), &fault);
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_REQUEST});
	session.countdown = 1;
	return 0;
}

int calls_outcome_code(const struct snapshot_outcome *outcome)
{
	if (outcome->epoch == 0 || outcome->committed)
		return 0;
	return reason_cause(outcome->reason) == REASON_LASTING ? SEAMARK_E_UNABLE : SEAMARK_E_VOID;
}

int session_wait(double timeout_s)
{
	int code = calls_ready("seamark_wait");
	if (code <= 0)
		return code;
	if (isnan(timeout_s))
		return told("seamark_wait", SEAMARK_E_ARGUMENT, &FAULT_NONE);
	session_poll();
	enum snapshot_phase phase = snapshot_phase(inside.snapshot);
	if (phase == SNAPSHOT_ALERT || (phase == SNAPSHOT_IDLE && nothing_is_under_way() && snapshot_is_wanted(inside.snapshot)))
		return SEAMARK_E_NOT_CUT;
	if (nothing_is_under_way())
		return calls_outcome_code(snapshot_outcome(inside.snapshot));
	struct snapshot_attempt attempt;
	snapshot_attempt(inside.snapshot, &attempt);
	awaited_epoch = attempt.epoch;
	if (!wait_until(awaited_has_ended, timeout_s))
		return SEAMARK_E_TIMEOUT;
	return calls_outcome_code(snapshot_outcome(inside.snapshot));
}

/* The n-th call on each rank is answered by the n-th attempt of this kind, which may be over (void) before a rank that comes late has entered its call.
 * So rank 0 makes no two requests into one, even if it had left a call without waiting for its outcome. */
void calls_ask_for_collective(void)
{
	if (inside.rank != 0 || inside.finalizing || inside.collective_asked == inside.collective_calls ||
	    inside.collective_asked != inside.collective_ended)
		return;
	inside.collective_asked++;
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_COLLECTIVE});
}

static bool collective_is_over(void)
{
	return inside.collective_ended >= inside.collective_calls;
}

/* Collective, but only the first time. Without a folder no attempt is ever begun. */
static int folder_is_ours(void)
{
	struct fault fault = FAULT_NONE;
	if (inside.spawned)
		fault_set(&fault, SEAMARK_E_UNABLE, "%s", inside.unable);
	else if (!inside.life_shared)
		restore_share_life(&fault);
	else if (inside.life_code < 0)
		fault_set(&fault, inside.life_code, "%s: no checkpoint is taken", seamark_strerror(inside.life_code));
	if (fault.code < 0 && inside.rank == 0)
		report_fault(fault.code, "seamark_checkpoint", &fault);
	return fault.code;
}

int session_checkpoint(int64_t step, double timeout_s)
{
	int code = calls_ready("seamark_checkpoint");
	if (code > 0)
		code = isnan(timeout_s) ? told("seamark_checkpoint", SEAMARK_E_ARGUMENT, &FAULT_NONE)
					: check_step("seamark_checkpoint", step);
	else
		return code;
	if (code == 0)
		code = folder_is_ours();
	if (code == 0)
		code = settle();
	if (code < 0)
		return code;
	looking_safepoint(step);
	state_prepare(inside.state);
	session_poll();
	session.open = step < 0;
	threads_meet(true);
	inside.collective_calls++;
	calls_ask_for_collective();
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_ENTER, .step = step});
	if (inside.rank == 0)
		status_step(inside.store, step);
	bool over = wait_until(collective_is_over, timeout_s);
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_LEAVE});
	threads_meet(false);
	take_cut_made();
	return over ? inside.collective_code : SEAMARK_E_TIMEOUT;
}

int session_committed(int64_t *number, int64_t *step)
{
	int code = calls_ready("seamark_committed");
	if (code <= 0 || !inside.has_committed)
		return code < 0 ? code : 0;
	if (number)
		*number = (int64_t)inside.committed_number;
	if (step)
		*step = inside.committed_step;
	return 1;
}

int session_stopping(void)
{
	return inside.snapshot && snapshot_stopping(inside.snapshot);
}
