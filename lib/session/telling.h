/* SPDX-License-Identifier: BSD-3-Clause */
/* What telling.c, copies.c and drain.c do for each other. */
#ifndef SESSION_TELLING_H
#define SESSION_TELLING_H

#include "session/inside.h"

static inline MPI_Request telling_request(const struct shadow *shadow)
{
	return (MPI_Request)(uintptr_t)shadow->handle;
}

static inline MPI_Datatype telling_type(const struct shadow *shadow)
{
	return (MPI_Datatype)(uintptr_t)shadow->type;
}

/* --- telling.c --- */
bool telling_in_window(void);
/* Whether what is copied may still be needed. */
bool telling_content_matters(void);
/* A taking whose position is final goes to the protocol. */
void telling_give(const struct taking *taking, bool from_mailbox);
/* What was put aside and has become final likewise. */
void telling_settle(void);
/* A wildcard that is complete learns its stream. */
void telling_learn(struct shadow *shadow, const MPI_Status *status);
/* What lies in the mailbox, or in a receive served from there, is in flight. */
void telling_record_mail(const struct mail *mail);

/* --- copies.c --- */
/* Of the message in a complete receive's buffer; null: nothing was kept. Its token may be used at once. */
struct copy *copies_received(const struct shadow *shadow, const MPI_Status *status);
struct copy *copies_mail(const struct mail *mail);

/* --- drain.c --- */
void drain_begin(void);

#endif
