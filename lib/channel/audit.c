/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/audit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/text.h"

/* --- lists of places -------------------------------------------------------------------------------------------------- */

static void note(struct audit *audit, struct audit_places *places, uint64_t key, int64_t position)
{
	struct audit_place *list = list_with_room(places->list, places->count, &places->room, sizeof *list);
	if (!list) {
		audit->broken = true;
		return;
	}
	places->list = list;
	places->list[places->count++] = (struct audit_place){key, position};
	places->sorted = false;
}

static int by_place(const void *a, const void *b)
{
	const struct audit_place *x = a, *y = b;
	return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->position > y->position) - (x->position < y->position);
}

static void sort(struct audit_places *places)
{
	if (!places->sorted && places->count > 1)
		qsort(places->list, places->count, sizeof *places->list, by_place);
	places->sorted = true;
}

/* How many come before this one. */
static size_t before(struct audit_places *places, uint64_t key, int64_t position)
{
	struct audit_place wanted = {key, position};
	sort(places);
	size_t low = 0, high = places->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_place(&places->list[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many of a stream's have a position from `first` to `last`. */
static int64_t within(struct audit_places *places, uint64_t key, int64_t first, int64_t last)
{
	if (places->count == 0 || last < first)
		return 0;
	size_t end = last == INT64_MAX ? before(places, key + 1, INT64_MIN) : before(places, key, last + 1);
	return (int64_t)(end - before(places, key, first));
}

/* The number noted for a stream, in a list with one place per stream. */
static int64_t number_of(struct audit_places *places, uint64_t key)
{
	size_t at = before(places, key, INT64_MIN);
	return at < places->count && places->list[at].key == key ? places->list[at].position : 0;
}

static void empty(struct audit_places *places)
{
	places->count = 0;
	places->sorted = true;
}

void audit_close(struct audit *audit)
{
	free(audit->drawn.list);
	free(audit->told.list);
	free(audit->held.list);
	free(audit->settled.list);
	free(audit->recorded.list);
	*audit = (struct audit){0};
}

/* --- notes ------------------------------------------------------------------------------------------------------------- */

void audit_cut(struct audit *audit, const struct sequence *sequence, const struct ledger *ledger, const struct mailbox *mailbox)
{
	empty(&audit->drawn);
	empty(&audit->told);
	empty(&audit->held);
	empty(&audit->settled);
	empty(&audit->recorded);
	audit->broken = false;
	for (size_t i = 0; i < (size_t)1 << (64 - ledger->seen.shift); i++) {
		const struct ledger_stream *stream = &ledger->seen.slots[i];
		if (stream->key == 0)
			continue;
		note(audit, &audit->drawn, stream->key, stream->total);
		note(audit, &audit->told, stream->key, stream->seen);
	}
	for (struct shadow *shadow = NULL; (shadow = shadow_next(&sequence->shadows, shadow));) {
		const struct mail *mail = (const struct mail *)(uintptr_t)shadow->extra;
		if (shadow->kind == SHADOW_DELIVERY)
			note(audit, &audit->held, mail->key, mail->position);
		else if (position_has(shadow))
			note(audit, &audit->held, shadow->key, shadow->position);
	}
	for (const struct mail *mail = mailbox->first; mail; mail = mail->next)
		if (!mail->unknown)
			note(audit, &audit->held, mail->key, mail->position);
	/* What was drained and put aside lies in the mailbox. */
	for (size_t i = 0; i < sequence->aside_count; i++)
		if (sequence->aside[i].told)
			note(audit, &audit->held, sequence->aside[i].key, sequence->aside[i].position);
}

void audit_settled(struct audit *audit, uint64_t key, int64_t position)
{
	note(audit, &audit->settled, key, position);
}

void audit_recorded(struct audit *audit, uint64_t key, int64_t position)
{
	note(audit, &audit->recorded, key, position);
}

/* --- questions --------------------------------------------------------------------------------------------------------- */

static int64_t smaller_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t audit_told_beyond(struct audit *audit, uint64_t key, int64_t limit)
{
	int64_t drawn = number_of(&audit->drawn, key);
	int64_t beyond = drawn > limit ? drawn - limit - within(&audit->held, key, limit + 1, drawn) : 0;
	return beyond + within(&audit->settled, key, limit + 1, INT64_MAX);
}

/* A position that was told before the cut, and noted again after it. 0: none. (Those at or below zero are counted.) */
static bool is_twice(struct audit *audit, struct audit_places *places, const struct audit_claim *claim, int64_t *position)
{
	int64_t drawn = number_of(&audit->drawn, claim->key);
	for (size_t i = before(places, claim->key, INT64_MIN); i < places->count && places->list[i].key == claim->key; i++) {
		*position = places->list[i].position;
		if (within(&audit->settled, claim->key, *position, *position) + within(&audit->recorded, claim->key, *position, *position) > 1)
			return true;
		if (*position > 0 && *position <= drawn && within(&audit->held, claim->key, *position, *position) == 0)
			return true;
	}
	return false;
}

static bool check_sum(const char *what, int64_t is, int64_t should, char *text, size_t room)
{
	if (is == should)
		return true;
	text_put(text, room, "%s: %" PRId64 ", and should be %" PRId64, what, is, should);
	return false;
}

bool audit_stream(struct audit *audit, const struct audit_claim *claim, char *text, size_t room)
{
	const uint64_t key = claim->key;
	int64_t drawn = number_of(&audit->drawn, key), position;
	struct audit_places *held = &audit->held, *settled = &audit->settled, *recorded = &audit->recorded;
	if (audit->broken)
		return true;
	/* The ledger at the cut: what was drawn and is not held was told. */
	if (!check_sum("told before the cut", number_of(&audit->told, key), drawn - within(held, key, INT64_MIN, INT64_MAX), text, room))
		return false;
	if (is_twice(audit, settled, claim, &position) || is_twice(audit, recorded, claim, &position)) {
		text_put(text, room, "message %" PRId64 " is there twice", position);
		return false;
	}
	/* From before the base: drawn and held, or not drawn yet. */
	int64_t carried = within(held, key, INT64_MIN, 0) + (drawn < 0 ? -drawn : 0);
	int64_t again = within(settled, key, INT64_MIN, 0) + within(recorded, key, INT64_MIN, 0);
	int64_t first = smaller_of(drawn, claim->limit);
	int64_t before_cut = (first > 0 ? first : 0) - within(held, key, 1, first) + within(settled, key, 1, claim->limit);
	int64_t late = within(recorded, key, 1, claim->limit);
	if (!check_sum("seen, by the protocol", claim->seen, number_of(&audit->told, key) + within(settled, key, INT64_MIN, INT64_MAX), text, room) ||
	    !check_sum("recorded, by the protocol", claim->recorded, within(recorded, key, INT64_MIN, INT64_MAX), text, room) ||
	    !check_sum("orphans, by the protocol", claim->orphans, audit_told_beyond(audit, key, claim->limit), text, room) ||
	    !check_sum("recorded beyond what was sent", within(recorded, key, claim->limit + 1, INT64_MAX), 0, text, room))
		return false;
	if (claim->abandoned)
		return true;
	return check_sum("carried over the base, and accounted for", again, carried, text, room) &&
	       check_sum("sent before the cut, and accounted for", before_cut + late, claim->limit, text, room);
}
