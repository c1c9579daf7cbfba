/* SPDX-License-Identifier: BSD-3-Clause */
/* SEAMARK_TRACE, for the hall. Each but open and close only while tracing_is_on(). What the doors tell is in session.h. */
#ifndef SESSION_TRACING_H
#define SESSION_TRACING_H

#include "session/inside.h"

static inline bool tracing_is_on(void)
{
	return unlikely(session.watching & SESSION_WATCH_TRACE);
}

/* In MPI_Init, before the mode is set. */
void tracing_open(void);
void tracing_close(void);

/* The protocol: what is about to be taken to it; it has taken it; what it orders is about to be carried out; the outcome. */
void tracing_event(const struct snapshot_event *event);
void tracing_stepped(void);
void tracing_action(const struct snapshot_action *action);
void tracing_ended(const struct snapshot_outcome *outcome);

/* Messages. */
void tracing_told(const struct taking *taking, bool decided, const MPI_Status *status, bool truncated);
void tracing_told_mail(const struct mail *mail);
void tracing_placed(const struct taking *taking);
void tracing_drained(const struct mail *mail);

#endif
