/* SPDX-License-Identifier: BSD-3-Clause */
/* Why a snapshot is void. One table: code, what kind of cause, the words, what would help. */
#ifndef SNAPSHOT_REASON_H
#define SNAPSHOT_REASON_H

/* Of timing: tried again. Lasting: ends the request, the program as it is cannot be saved. Storage: ends the request. */
enum reason_cause { REASON_TIMING, REASON_LASTING, REASON_STORAGE };

enum reason {
	REASON_NONE,
	/* timing */
	REASON_ORPHAN,
	REASON_PASSED_STEP,
	REASON_UNEQUAL_STEPS,
	REASON_PASSED_COUNT,
	REASON_SYNCHRONOUS_PENDING,
	REASON_COLLECTIVE_PENDING,
	REASON_THREADS,
	REASON_BEHIND,
	REASON_COLLECTIVES,
	REASON_UNSETTLED,
	REASON_SYNCHRONOUS_NEWS,
	REASON_COPIES,
	REASON_NO_SAFEPOINT,
	REASON_OPEN_CHANNEL,
	REASON_TRUNCATED,
	REASON_NAMELESS,
	REASON_WRITER,
	/* lasting */
	REASON_UNABLE,
	REASON_FINALIZING,
	REASON_EPOCH,
	REASON_REGION,
	REASON_COUNTS,
	REASON_SUPERSEDED,
	/* storage, and what it stands on */
	REASON_CAPTURE,
	REASON_IMAGE,
	REASON_MANIFEST,
	/* of an empty snapshot: it is void by design, and only moves the base */
	REASON_EMPTY,
	REASON_COUNT
};

enum reason_cause reason_cause(enum reason reason);
/* In a few words, lower case: "an orphan message". */
const char *reason_text(enum reason reason);
/* What would help, as a sentence; "" if nothing is known. */
const char *reason_advice(enum reason reason);

#endif
