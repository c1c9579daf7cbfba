/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/position.h"

#include <stdlib.h>
#include <string.h>

bool position_open(struct sequence *sequence)
{
	memset(sequence, 0, sizeof *sequence);
	return shadow_open(&sequence->shadows);
}

void position_close(struct sequence *sequence)
{
	shadow_close(&sequence->shadows);
	free(sequence->aside);
	memset(sequence, 0, sizeof *sequence);
}

/* Whether a shadow has a place in the sequence, on an actual stream. */
static bool has_position(const struct shadow *shadow)
{
	return (shadow->kind == SHADOW_RECEIVE || shadow->kind == SHADOW_MATCHED) &&
	       !(shadow->flags & (SHADOW_ANY_SOURCE | SHADOW_ANY_TAG));
}

/* Whether a wildcard or a cancelling receive could still turn out to take (or not to take) from a stream. */
static bool could_take(const struct shadow *shadow, uint64_t key)
{
	if (shadow->kind != SHADOW_RECEIVE)
		return false;
	if (has_position(shadow))
		return (shadow->flags & SHADOW_CANCELLING) && shadow->key == key;
	return ledger_key_comm(shadow->key) == ledger_key_comm(key) &&
	       ((shadow->flags & SHADOW_ANY_SOURCE) || ledger_key_peer(shadow->key) == ledger_key_peer(key)) &&
	       ((shadow->flags & SHADOW_ANY_TAG) || ledger_key_tag(shadow->key) == ledger_key_tag(key));
}

/* Moves everything on a stream that joined after `turn` by one place up or down. Returns how many there were. */
static int64_t shift_later(struct sequence *sequence, uint64_t key, uint64_t turn, int64_t by)
{
	int64_t shifted = 0;
	struct shadow *shadow = NULL;
	while ((shadow = shadow_next(&sequence->shadows, shadow)))
		if (shadow->key == key && shadow->turn > turn && has_position(shadow)) {
			shadow->position += by;
			shifted++;
		}
	for (size_t i = 0; i < sequence->aside_count; i++)
		if (sequence->aside[i].key == key && sequence->aside[i].turn > turn) {
			sequence->aside[i].position += by;
			shifted++;
		}
	return shifted;
}

void position_learn(struct sequence *sequence, struct ledger *ledger, struct shadow *shadow, uint64_t key)
{
	struct ledger_stream *stream = ledger_stream(&ledger->seen, key);
	/* All that took from the stream and joined later is still pending or put aside: this very wildcard kept it from being decided. Where
	 * everything drawn has been seen there is nothing of the kind, and no table to go through. */
	int64_t later = stream->total == stream->seen ? 0 : shift_later(sequence, key, shadow->turn, 1);
	shadow->position = ++stream->total - later;
	shadow->key = key;
	/* It has a message: a cancelling of it came too late, and holds up nobody any more. */
	shadow->flags = (uint8_t)((shadow->flags & ~(SHADOW_ANY_SOURCE | SHADOW_ANY_TAG | SHADOW_CANCELLING)) | SHADOW_LEARNED);
	sequence->uncertain--;
}

bool position_is_final(const struct sequence *sequence, uint64_t key, uint64_t turn)
{
	if (sequence->uncertain == 0)
		return true;
	struct shadow *shadow = NULL;
	while ((shadow = shadow_next(&sequence->shadows, shadow)))
		if (shadow->turn < turn && could_take(shadow, key))
			return false;
	return true;
}

static void put_aside(struct sequence *sequence, const struct taking *taking)
{
	if (sequence->aside_count == sequence->aside_room) {
		size_t room = sequence->aside_room ? sequence->aside_room * 2 : 16;
		struct taking *aside = realloc(sequence->aside, room * sizeof *aside);
		if (!aside) {
			sequence->broken = true;
			return;
		}
		sequence->aside = aside;
		sequence->aside_room = room;
	}
	sequence->aside[sequence->aside_count++] = *taking;
}

static void count_seen(struct ledger *ledger, const struct taking *taking)
{
	struct ledger_stream *stream = ledger_stream(&ledger->seen, taking->key);
	stream->seen++;
	if (taking->position > stream->high)
		stream->high = taking->position;
}

bool position_tell(struct sequence *sequence, struct ledger *ledger, const struct shadow *shadow, uint64_t token,
		   struct taking *taking)
{
	*taking = (struct taking){.key = shadow->key, .turn = shadow->turn, .position = shadow->position, .told = true};
	if (position_is_final(sequence, shadow->key, shadow->turn)) {
		count_seen(ledger, taking);
		return true;
	}
	struct taking later = *taking;
	later.token = token;
	put_aside(sequence, &later);
	return false;
}

bool position_drain(struct sequence *sequence, struct ledger *ledger, uint64_t key, uint64_t token, struct taking *taking)
{
	*taking = (struct taking){
		.key = key, .turn = ++sequence->turn, .position = ++ledger_stream(&ledger->seen, key)->total};
	if (position_is_final(sequence, key, taking->turn))
		return true;
	struct taking later = *taking;
	later.token = token;
	put_aside(sequence, &later);
	return false;
}

void position_cancelling(struct sequence *sequence, struct shadow *shadow)
{
	/* What is known to have its message cannot be cancelled any more. */
	if (shadow->flags & (SHADOW_CANCELLING | SHADOW_LEARNED | SHADOW_RECORDED))
		return;
	shadow->flags |= SHADOW_CANCELLING;
	if (has_position(shadow))
		sequence->uncertain++;
}

void position_cancelled(struct sequence *sequence, struct ledger *ledger, struct shadow *shadow)
{
	if (has_position(shadow)) {
		ledger_stream(&ledger->seen, shadow->key)->total--;
		shift_later(sequence, shadow->key, shadow->turn, -1);
		if (shadow->flags & SHADOW_CANCELLING)
			sequence->uncertain--;
	} else {
		sequence->uncertain--;
	}
	/* Took nothing and takes nothing: the caller drops it, and until then it must not be in anybody's way. */
	shadow->kind = SHADOW_OTHER;
}

void position_not_cancelled(struct sequence *sequence, struct shadow *shadow)
{
	if ((shadow->flags & SHADOW_CANCELLING) && has_position(shadow))
		sequence->uncertain--;
	shadow->flags &= (uint8_t)~SHADOW_CANCELLING;
}

bool position_settle(struct sequence *sequence, struct ledger *ledger, struct taking *taking)
{
	for (size_t i = 0; i < sequence->aside_count; i++) {
		const struct taking *candidate = &sequence->aside[i];
		if (!position_is_final(sequence, candidate->key, candidate->turn))
			continue;
		*taking = *candidate;
		memmove(&sequence->aside[i], &sequence->aside[i + 1],
			(sequence->aside_count - i - 1) * sizeof *sequence->aside);
		sequence->aside_count--;
		if (taking->told)
			count_seen(ledger, taking);
		return true;
	}
	return false;
}

void position_mark_cut(struct sequence *sequence)
{
	for (size_t i = 0; i < sequence->aside_count; i++)
		sequence->aside[i].before_cut |= sequence->aside[i].told;
}

void position_rebase(struct sequence *sequence, int64_t (*moved)(void *context, uint64_t key), void *context)
{
	struct shadow *shadow = NULL;
	while ((shadow = shadow_next(&sequence->shadows, shadow)))
		if (has_position(shadow))
			shadow->position -= moved(context, shadow->key);
	for (size_t i = 0; i < sequence->aside_count; i++)
		sequence->aside[i].position -= moved(context, sequence->aside[i].key);
}
