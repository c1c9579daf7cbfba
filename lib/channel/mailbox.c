/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/mailbox.h"

#include <stdlib.h>

#include "snapshot/ledger.h"

struct mail *mail_new(uint64_t bytes)
{
	struct mail *mail = calloc(1, sizeof *mail);
	if (!mail)
		return NULL;
	mail->data = malloc(bytes ? bytes : 1);
	mail->bytes = bytes;
	if (!mail->data) {
		free(mail);
		return NULL;
	}
	return mail;
}

void mail_free(struct mail *mail)
{
	if (mail)
		free(mail->data);
	free(mail);
}

void mailbox_close(struct mailbox *mailbox)
{
	while (mailbox->first) {
		struct mail *mail = mailbox->first;
		mailbox->first = mail->next;
		mail_free(mail);
	}
	*mailbox = (struct mailbox){0};
}

void mailbox_put(struct mailbox *mailbox, struct mail *mail)
{
	mailbox->count++;
	if (!mailbox->last || mailbox->last->turn <= mail->turn) {
		mail->next = NULL;
		if (mailbox->last)
			mailbox->last->next = mail;
		else
			mailbox->first = mail;
		mailbox->last = mail;
		return;
	}
	struct mail **at = &mailbox->first;
	while ((*at)->turn <= mail->turn)
		at = &(*at)->next;
	mail->next = *at;
	*at = mail;
}

struct mail *mailbox_find(const struct mailbox *mailbox, unsigned comm, int64_t source, int64_t tag)
{
	for (struct mail *mail = mailbox->first; mail; mail = mail->next)
		if (!mail->unknown && !mail->taken && ledger_key_comm(mail->key) == comm && (source < 0 || mail->source == source) &&
		    (tag < 0 || mail->tag == tag))
			return mail;
	return NULL;
}

void mailbox_remove(struct mailbox *mailbox, struct mail *mail)
{
	struct mail *previous = NULL;
	for (struct mail *at = mailbox->first; at != mail; at = at->next)
		previous = at;
	if (previous)
		previous->next = mail->next;
	else
		mailbox->first = mail->next;
	if (mailbox->last == mail)
		mailbox->last = previous;
	mail->next = NULL;
	mail->taken = false;
	mailbox->count--;
}

size_t mailbox_adopt(struct mailbox *mailbox, uint64_t comm_name, unsigned comm)
{
	size_t adopted = 0;
	for (struct mail *mail = mailbox->first; mail; mail = mail->next)
		if (mail->unknown && mail->comm_name == comm_name) {
			mail->unknown = false;
			mail->key = ledger_key(comm, mail->source, mail->tag);
			adopted++;
		}
	return adopted;
}

void mailbox_forget(struct mailbox *mailbox, struct ledger *ledger, unsigned comm)
{
	for (struct mail *mail = mailbox->first, *next; mail; mail = next) {
		next = mail->next;
		if (mail->unknown || ledger_key_comm(mail->key) != comm)
			continue;
		mailbox_remove(mailbox, mail);
		ledger_stream(&ledger->seen, mail->key)->seen++;
		if (mail->arriving == 0) {
			mail_free(mail);
			continue;
		}
		mail->next = mailbox->forgotten;
		mailbox->forgotten = mail;
	}
}

void mailbox_rebase(struct mailbox *mailbox, int64_t (*moved)(void *context, uint64_t key), void *context)
{
	for (struct mail *mail = mailbox->first; mail; mail = mail->next)
		if (!mail->unknown)
			mail->position -= moved(context, mail->key);
}
