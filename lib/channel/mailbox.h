/* SPDX-License-Identifier: BSD-3-Clause */
/* The mailbox: late messages that are out of the MPI library's hands and not yet the application's, drained in a window or brought
 * back by a restart. Every receive and probe looks here first. Kept in order of taking, which within a stream is the order of sending.
 * Pure. */
#ifndef CHANNEL_MAILBOX_H
#define CHANNEL_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger;

struct mail {
	uint64_t key;        /* ledger_key; meaningless while the communicator is unknown */
	uint64_t comm_name;  /* hash of the communicator's name */
	bool unknown;        /* from a restart, on a communicator that has not been made again yet */
	uint32_t source;     /* rank in the communicator */
	uint32_t tag;
	uint64_t turn;
	int64_t position;
	void *data;          /* packed; owned */
	uint64_t bytes;
	bool taken;          /* a receive has it, and waits for its data: others do not find it */
	uint64_t arriving;   /* the C handle of the request under which the data is still on its way; 0: it is here */
	/* Where its content was put for the application; the type as a C handle. */
	bool delivered;
	void *buffer;
	uint64_t type;
	int count;
	struct mail *next;
};

struct mailbox {
	struct mail *first;
	struct mail *last;
	struct mail *forgotten; /* nobody's, but the MPI library still writes into them */
	size_t count;
};

void mailbox_close(struct mailbox *mailbox);
/* A mail with room for `bytes` of data, not in any mailbox; null: no memory. Freed by mail_free. */
struct mail *mail_new(uint64_t bytes);
void mail_free(struct mail *mail);
/* Puts it in its place by turn; the mailbox owns it. */
void mailbox_put(struct mailbox *mailbox, struct mail *mail);
/* The first that a receive with this pattern would get; source or tag -1 is any. null: none. */
struct mail *mailbox_find(const struct mailbox *mailbox, unsigned comm, int64_t source, int64_t tag);
/* Takes it out; the caller owns it. */
void mailbox_remove(struct mailbox *mailbox, struct mail *mail);
/* The communicator with this name was made, and is `comm`: its mail becomes findable. Returns how many. */
size_t mailbox_adopt(struct mailbox *mailbox, uint64_t comm_name, unsigned comm);
/* The communicator is being freed: nobody can ask for its mail any more, and its index will be another's. It counts as seen: no account waits for it. */
void mailbox_forget(struct mailbox *mailbox, struct ledger *ledger, unsigned comm);
/* The base moves: `moved` says by how much for a stream's key, and so do the positions of its mail. */
void mailbox_rebase(struct mailbox *mailbox, int64_t (*moved)(void *context, uint64_t key), void *context);

#endif
