/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/reason.h"

static const struct {
	enum reason_cause cause;
	const char *text;
	const char *advice;
} table[REASON_COUNT] = {
	[REASON_NONE] = {REASON_TIMING, "no reason", ""},
	[REASON_ORPHAN] = {REASON_TIMING, "a message from after its sender's cut was received before its receiver's",
			   "a safepoint directly before each place where ranks wait for messages lets them cut in time"},
	[REASON_PASSED_STEP] = {REASON_TIMING, "a rank had passed the ordered step", "the next order leads further"},
	[REASON_UNEQUAL_STEPS] = {REASON_TIMING, "ranks made their cuts at different steps",
				  "every rank should call seamark_safepoint with every step"},
	[REASON_PASSED_COUNT] = {REASON_TIMING, "a rank had begun more collectives than the order named",
				 "a safepoint before each collective on MPI_COMM_WORLD lets every rank cut at the same one"},
	[REASON_SYNCHRONOUS_PENDING] = {REASON_TIMING, "a synchronous send was pending at the safepoint",
					"put the safepoint where synchronous sends are complete"},
	[REASON_COLLECTIVE_PENDING] = {REASON_TIMING, "a non-blocking collective was pending at the safepoint",
				       "put the safepoint where non-blocking collectives are complete"},
	[REASON_THREADS] = {REASON_TIMING, "another thread was at work in MPI at the safepoint",
			    "at a safepoint no other thread may be inside a call that sends or begins a collective, and in seamark_checkpoint "
			    "none may return from an MPI call"},
	[REASON_BEHIND] = {REASON_TIMING, "a rank had begun fewer collectives than others at their cuts",
			   "a safepoint before each collective lets every rank cut at the same one"},
	[REASON_COLLECTIVES] = {REASON_TIMING, "the ranks had not begun the same collectives at their cuts",
				"a safepoint before each collective lets every rank cut at the same one"},
	[REASON_UNSETTLED] = {REASON_TIMING, "one-sided operations and the cuts were not kept apart",
			      "a barrier directly before and after the safepoint, or seamark_checkpoint on all ranks, keeps them apart"},
	[REASON_SYNCHRONOUS_NEWS] = {REASON_TIMING,
				     "a synchronous send was known to be complete before one cut and received after the other",
				     "put the safepoint where synchronous sends are complete"},
	[REASON_COPIES] = {REASON_TIMING, "more messages arrived before a sender's marker than can be kept",
			   "shorter distances between safepoints bring the markers sooner"},
	[REASON_NO_SAFEPOINT] = {REASON_TIMING, "a rank came to no safepoint in the time allowed",
				 "raise SEAMARK_TIMEOUT, or call seamark_safepoint more often on every rank"},
	[REASON_OPEN_CHANNEL] = {REASON_TIMING, "in-flight messages could not be recorded in the time allowed",
				 "receive every message that is sent, or raise SEAMARK_TIMEOUT"},
	[REASON_TRUNCATED] = {REASON_TIMING, "an in-flight message was longer than its receive", ""},
	[REASON_NAMELESS] = {REASON_TIMING,
			     "a message was in flight on a communicator that a restart could not find again",
			     "make communicators before the first safepoint"},
	[REASON_WRITER] = {REASON_TIMING, "the image of the last attempt was still being written", ""},
	[REASON_UNABLE] = {REASON_LASTING, "the program does what cannot be saved", ""},
	[REASON_FINALIZING] = {REASON_LASTING, "a rank was past its last safepoint, in MPI_Finalize", ""},
	[REASON_EPOCH] = {REASON_LASTING, "a one-sided epoch was open at the safepoint",
			  "put the safepoint where windows are fenced and nothing is locked, started or posted"},
	[REASON_REGION] = {REASON_LASTING, "a region of the restored checkpoint is not protected", ""},
	[REASON_COUNTS] = {REASON_LASTING, "messages could not be counted", ""},
	[REASON_SUPERSEDED] = {REASON_LASTING, "a newer life of this run holds the folder", ""},
	[REASON_CAPTURE] = {REASON_STORAGE, "the state could not be copied", ""},
	[REASON_IMAGE] = {REASON_STORAGE, "an image could not be written", ""},
	[REASON_MANIFEST] = {REASON_STORAGE, "the manifest could not be written", ""},
	[REASON_EMPTY] = {REASON_TIMING, "only the counts were to be reset", ""},
};

enum reason_cause reason_cause(enum reason reason)
{
	return table[reason].cause;
}

const char *reason_text(enum reason reason)
{
	return table[reason].text;
}

const char *reason_advice(enum reason reason)
{
	return table[reason].advice;
}
