/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/position.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

bool position_open(struct sequence *sequence)
{
	memset(sequence, 0, sizeof *sequence);
	return shadow_open(&sequence->shadows);
}

void position_close(struct sequence *sequence)
{
	shadow_close(&sequence->shadows);
	free(sequence->doubts);
	free(sequence->aside);
	memset(sequence, 0, sizeof *sequence);
}

/* --- doubts ------------------------------------------------------------------------------------------------------------- */

static uint64_t mask_of(const struct shadow *shadow)
{
	uint64_t mask = UINT64_MAX;
	if (shadow->flags & SHADOW_ANY_SOURCE)
		mask &= ~(ledger_key(0, LEDGER_PEERS_MAX - 1, 0) ^ ledger_key(0, 0, 0));
	if (shadow->flags & SHADOW_ANY_TAG)
		mask &= ~(ledger_key(0, 0, INT32_MAX) ^ ledger_key(0, 0, 0));
	return mask;
}

/* Room for one more at the end: that of those decided before is used again once it is half of all. */
static bool make_room(struct sequence *sequence)
{
	if (sequence->first_doubt != 0 && sequence->first_doubt >= sequence->uncertain) {
		memmove(sequence->doubts, sequence->doubts + sequence->first_doubt, sequence->uncertain * sizeof *sequence->doubts);
		sequence->first_doubt = 0;
	}
	size_t end = sequence->first_doubt + sequence->uncertain;
	struct doubt *doubts = list_with_room(sequence->doubts, end, &sequence->doubt_room, sizeof *doubts);
	if (!doubts)
		return false;
	sequence->doubts = doubts;
	return true;
}

void position_doubt(struct sequence *sequence, const struct shadow *shadow)
{
	if (sequence->first_doubt + sequence->uncertain == sequence->doubt_room && !make_room(sequence)) {
		sequence->broken = true;
		return;
	}
	struct doubt *first = sequence->doubts + sequence->first_doubt;
	/* A wildcard's turn is the last one drawn; that of a cancelling receive may be any. */
	uint32_t at = sequence->uncertain++;
	for (; at > 0 && first[at - 1].turn > shadow->turn; at--)
		first[at] = first[at - 1];
	first[at] = (struct doubt){.turn = shadow->turn, .key = shadow->key, .mask = mask_of(shadow)};
}

/* What the shadow is about is decided. Without memory it was never among them. */
static void decide(struct sequence *sequence, const struct shadow *shadow)
{
	struct doubt *first = sequence->doubts + sequence->first_doubt;
	for (uint32_t i = 0; i < sequence->uncertain; i++) {
		if (first[i].turn != shadow->turn)
			continue;
		sequence->uncertain--;
		if (i == 0)
			sequence->first_doubt++;
		else
			memmove(&first[i], &first[i + 1], (sequence->uncertain - i) * sizeof *first);
		if (sequence->uncertain == 0)
			sequence->first_doubt = 0;
		return;
	}
}

bool position_is_final(const struct sequence *sequence, uint64_t key, uint64_t turn)
{
	const struct doubt *doubt = sequence->doubts + sequence->first_doubt, *end = doubt + sequence->uncertain;
	for (; doubt < end && doubt->turn < turn; doubt++)
		if (((doubt->key ^ key) & doubt->mask) == 0)
			return false;
	return true;
}

/* --- positions ---------------------------------------------------------------------------------------------------------- */

/* Moves everything on a stream that joined after `turn` by one place up or down. Returns how many there were. */
static int64_t shift_later(struct sequence *sequence, uint64_t key, uint64_t turn, int64_t by)
{
	int64_t shifted = 0;
	struct shadow *shadow = NULL;
	while ((shadow = shadow_next(&sequence->shadows, shadow)))
		if (shadow->key == key && shadow->turn > turn && position_has(shadow)) {
			shadow->position += by;
			shifted++;
		}
	for (uint32_t i = 0; i < sequence->aside_count; i++)
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
	decide(sequence, shadow);
	shadow->position = ++stream->total - later;
	shadow->key = key;
	/* It has a message: a cancelling of it came too late, and holds up nobody any more. */
	shadow->flags = (uint8_t)((shadow->flags & ~(SHADOW_ANY_SOURCE | SHADOW_ANY_TAG | SHADOW_CANCELLING)) | SHADOW_LEARNED);
}

static void put_aside(struct sequence *sequence, const struct taking *taking)
{
	struct taking *aside = list_with_room(sequence->aside, sequence->aside_count, &sequence->aside_room, sizeof *aside);
	if (!aside) {
		sequence->broken = true;
		return;
	}
	sequence->aside = aside;
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
	if (position_has(shadow))
		position_doubt(sequence, shadow);
}

void position_cancelled(struct sequence *sequence, struct ledger *ledger, struct shadow *shadow)
{
	if (position_has(shadow)) {
		ledger_stream(&ledger->seen, shadow->key)->total--;
		shift_later(sequence, shadow->key, shadow->turn, -1);
	}
	decide(sequence, shadow);
	/* Took nothing and takes nothing: the caller drops it, and until then it must not be in anybody's way. */
	shadow->kind = SHADOW_OTHER;
}

void position_not_cancelled(struct sequence *sequence, struct shadow *shadow)
{
	if ((shadow->flags & SHADOW_CANCELLING) && position_has(shadow))
		decide(sequence, shadow);
	shadow->flags &= (uint8_t)~SHADOW_CANCELLING;
}

bool position_settle(struct sequence *sequence, struct ledger *ledger, struct taking *taking)
{
	for (uint32_t i = 0; i < sequence->aside_count; i++) {
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
	for (uint32_t i = 0; i < sequence->aside_count; i++)
		sequence->aside[i].before_cut |= sequence->aside[i].told;
}

void position_rebase(struct sequence *sequence, int64_t (*moved)(void *context, uint64_t key), void *context)
{
	struct shadow *shadow = NULL;
	while ((shadow = shadow_next(&sequence->shadows, shadow)))
		if (position_has(shadow))
			shadow->position -= moved(context, shadow->key);
	for (uint32_t i = 0; i < sequence->aside_count; i++)
		sequence->aside[i].position -= moved(context, sequence->aside[i].key);
}
