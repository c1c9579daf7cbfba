/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies of messages in the window: made before the application has them, kept or dropped when their place is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/recorder.h"
#include "session/drill.h"
#include "session/telling.h"

/* Copies that wait for a marker may take as much: beyond it the snapshot is void. */
#define COPIES_MOST (UINT64_C(256) << 20)

static struct copy *copy_new(uint64_t key, uint64_t turn, int64_t position)
{
	struct copy *copy = calloc(1, sizeof *copy);
	if (!copy) {
		telling_doom(REASON_COPIES, "no memory to keep a message");
		return NULL;
	}
	copy->key = key;
	copy->turn = turn;
	copy->position = position;
	copy->next = &inside.copies;
	copy->previous = inside.copies.previous;
	copy->previous->next = copy;
	inside.copies.previous = copy;
	return copy;
}

static void copy_free(struct copy *copy)
{
	copy->previous->next = copy->next;
	copy->next->previous = copy->previous;
	if (copy->kept)
		inside.kept_bytes -= copy->bytes;
	else
		inside.copy_bytes -= copy->bytes;
	free(copy->data);
	free(copy);
}

static void copy_weigh(struct copy *copy)
{
	char text[160];
	inside.copy_bytes += copy->bytes;
	if (inside.copy_bytes <= COPIES_MOST)
		return;
	snprintf(text, sizeof text, "rank %d kept %llu MiB of messages that arrived before their senders' markers", inside.rank,
		 (unsigned long long)(inside.copy_bytes >> 20));
	telling_doom(REASON_COPIES, text);
}

struct copy *copies_received(const struct shadow *shadow, const MPI_Status *status)
{
	struct fault fault = FAULT_NONE;
	struct copy *copy = copy_new(shadow->key, shadow->turn, shadow->position);
	if (!copy)
		return NULL;
	/* Of a truncated message some MPIs say how long it was, and others only that it was. */
	int64_t bytes = shadow->spare == SHADOW_FAILED ? -1 : recorder_bytes(status);
	int code = bytes < 0 ? SEAMARK_E_VOID
			     : recorder_pack(shadow->buffer, shadow->count, telling_type(shadow), bytes, &copy->data, &fault);
	if (code == 0) {
		if (drill_is_on()) {
			drill_hash(copy, copy->data, (uint64_t)bytes);
			free(copy->data);
			copy->data = NULL;
		} else {
			copy->bytes = (uint64_t)bytes;
			copy_weigh(copy);
		}
	} else {
		copy->truncated = true;
	}
	/* Its weight may have ended the snapshot, and that freed all copies. */
	return telling_content_matters() ? copy : NULL;
}

struct copy *copies_mail(const struct mail *mail)
{
	struct copy *copy = copy_new(mail->key, mail->turn, mail->position);
	if (!copy)
		return NULL;
	if (drill_is_on()) {
		drill_hash(copy, mail->data, mail->bytes);
		return copy;
	}
	copy->data = malloc(mail->bytes ? mail->bytes : 1);
	if (!copy->data) {
		copy_free(copy);
		telling_doom(REASON_COPIES, "no memory to keep a message");
		return NULL;
	}
	memcpy(copy->data, mail->data, mail->bytes);
	copy->bytes = mail->bytes;
	inside.copy_bytes += copy->bytes;
	return copy;
}

void copies_keep(uint64_t token)
{
	struct copy *copy = (struct copy *)(uintptr_t)token;
	if (copy->kept)
		return; /* counted once */
	copy->kept = true;
	inside.copy_bytes -= copy->bytes;
	inside.kept_bytes += copy->bytes;
	if (drill_is_on())
		drill_kept(copy);
}

void copies_drop(uint64_t token)
{
	copy_free((struct copy *)(uintptr_t)token);
}

void copies_drop_all(void)
{
	while (inside.copies.next != &inside.copies)
		copy_free(inside.copies.next);
	/* What is put aside must not name a copy that is gone. */
	for (size_t i = 0; i < session.sequence.aside_count; i++)
		session.sequence.aside[i].token = 0;
}
