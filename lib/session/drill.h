/* SPDX-License-Identifier: BSD-3-Clause */
/* Drills: snapshots without an image, cut at arbitrary calls. What is recorded is compared with what the program receives, and the counts
 * are audited position by position (channel/audit.h). */
#ifndef SESSION_DRILL_H
#define SESSION_DRILL_H

#include "session/inside.h"

/* After the rooms are open: says on rank 0 what will happen. */
void drill_open(void);
void drill_close(void);

/* The snapshot under way is one. */
bool drill_is_on(void);
/* rank 0, in polls: asks for the next one if it is due. */
void drill_ask(int64_t now_ns);
/* rank 0, when calls are counted: at the next look but for `next` calls from now; returns so many, or less. call: those of the last time have passed. */
uint32_t drill_count_calls(uint32_t next, bool call);
bool drill_is_due(void);
/* In MPI_Finalize, when nothing is under way: rank 0 asks for drills until one has found every rank there. true: there is one more to come. */
bool drill_again_at_end(void);
/* The last of all, collective: rank 0 says what was found. */
void drill_report(void);

/* What the protocol asks, and orders. */
int64_t drill_told_beyond(void *context, uint64_t key, int64_t limit);
void drill_cut(void);
void drill_check(void);
void drill_given_up(void);
void drill_ended(const struct snapshot_outcome *outcome);

/* How long a late message may wait for the program in this drill. */
int64_t drill_patience_ns(void);
/* A message was taken into the mailbox. */
void drill_drained(void);

/* Of messages. A copy keeps its hash and no data. */
void drill_hash(struct copy *copy, const void *data, uint64_t bytes);
void drill_settled(const struct taking *taking);
void drill_kept(const struct copy *copy);
/* Recorded before the program is told: to be compared when it is. */
void drill_remember(const struct copy *copy);
void drill_told(const struct shadow *shadow, const MPI_Status *status);
void drill_told_mail(const struct mail *mail);
void drill_rebase(int64_t (*moved)(void *context, uint64_t key));

#endif
