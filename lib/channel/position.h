/* SPDX-License-Identifier: BSD-3-Clause */
/* Positions: which message of its stream a receive gets.
 *
 * Everything that takes a message (a posted receive, a draining) joins one sequence per rank when it is posted. The i-th message
 * of a stream belongs to the i-th of those that took from the stream. An exact receive is given the next position when it is posted,
 * provisionally; an earlier pending wildcard that takes from the stream adds one, an earlier receive that is cancelled subtracts
 * one. A position is final when everything posted before it that could take from its stream is decided. What completes before
 * that is put aside, and comes out of position_settle(). Pure. */
#ifndef CHANNEL_POSITION_H
#define CHANNEL_POSITION_H

#include "channel/shadow.h"
#include "snapshot/ledger.h"

/* A message that was taken: told to the application, found complete in the buffer of a pending receive, or drained. */
struct taking {
	uint64_t key;
	uint64_t turn;
	int64_t position;
	uint64_t token;      /* the caller's: a copy of the content, or 0 */
	bool told;           /* to be counted as seen when decided */
	bool before_cut;     /* told before this rank's cut */
};

/* A pending wildcard, or a cancelling receive: it may turn out to take, or not to take, from the streams that differ from its key in no bit of the mask. */
struct doubt {
	uint64_t turn;
	uint64_t key;
	uint64_t mask;
};

struct sequence {
	struct shadow_table shadows;
	uint64_t turn;              /* the last one drawn */
	uint32_t uncertain;         /* how many doubts */
	uint32_t aside_count;
	struct doubt *doubts;       /* in the order of their turns, from first_doubt on */
	size_t first_doubt;         /* wildcards are mostly decided in the order in which they were posted */
	struct taking *aside;       /* taken, position not final; in order of taking */
	size_t doubt_room;
	size_t aside_room;
	bool broken;                /* no memory: a position was lost, no snapshot can be right any more */
};

bool position_open(struct sequence *sequence);
void position_close(struct sequence *sequence);

/* Whether a shadow has a place in the sequence, on an actual stream. */
static inline bool position_has(const struct shadow *shadow)
{
	return (shadow->kind == SHADOW_RECEIVE || shadow->kind == SHADOW_MATCHED) &&
	       !(shadow->flags & (SHADOW_ANY_SOURCE | SHADOW_ANY_TAG));
}

/* Whether told receives may skip the general path: nothing pending that could move a position. */
static inline bool position_is_plain(const struct sequence *sequence)
{
	return likely(sequence->uncertain == 0 && sequence->aside_count == 0);
}

/* A wildcard was posted: the slow half of position_post(). */
void position_doubt(struct sequence *sequence, const struct shadow *shadow);

/* Joins the sequence: draws turn and, if exact, position. key, flags are set; the kind is SHADOW_RECEIVE. */
static inline void position_post(struct sequence *sequence, struct ledger *ledger, struct shadow *shadow)
{
	shadow->turn = ++sequence->turn;
	if (unlikely(shadow->flags & (SHADOW_ANY_SOURCE | SHADOW_ANY_TAG)))
		position_doubt(sequence, shadow);
	else
		shadow->position = ++ledger_stream(&ledger->seen, shadow->key)->total;
}

/* The common case of a receive that was told: positions plain, in order. false: use position_tell(). */
static inline bool position_told_in_order(struct sequence *sequence, struct ledger_stream *stream, int64_t position)
{
	if (unlikely(!position_is_plain(sequence) || stream->seen != position - 1))
		return false;
	stream->seen = position;
	return true;
}

/* The whole of posting an exact receive, in the common case, and of telling it. false: nothing has happened. */
static inline bool position_post_at_home(struct sequence *sequence, struct ledger *ledger, uint64_t handle, const struct shadow_posting *posting)
{
	struct ledger_stream *stream = ledger_home(&ledger->seen, posting->key);
	struct shadow *shadow;
	if (unlikely(stream->key != posting->key || !(shadow = shadow_add_at_home(&sequence->shadows, handle))))
		return false;
	shadow_set_posting(shadow, posting);
	shadow->turn = ++sequence->turn;
	shadow->position = ++stream->total;
	return true;
}

static inline bool position_tell_at_home(struct sequence *sequence, struct ledger *ledger, struct shadow *shadow)
{
	struct ledger_stream *stream = ledger_home(&ledger->seen, shadow->key);
	if (unlikely(stream->key != shadow->key || !position_told_in_order(sequence, stream, shadow->position)))
		return false;
	shadow_drop_home(&sequence->shadows, shadow);
	return true;
}

/* Both in one, for a receive of which nobody was told before it was complete. */
static inline bool position_pass(struct sequence *sequence, struct ledger *ledger, uint64_t key)
{
	struct ledger_stream *stream = ledger_home(&ledger->seen, key);
	if (unlikely(stream->key != key || !position_is_plain(sequence) || stream->seen != stream->total))
		return false;
	stream->seen = ++stream->total;
	return true;
}

/* The whole of telling a wildcard whose message is of the stream `key`, in the common case: it is the first of those pending, and nothing of the stream is. false: nothing
 * has happened. */
static inline bool position_tell_wildcard(struct sequence *sequence, struct ledger *ledger, struct shadow *shadow, uint64_t key)
{
	struct ledger_stream *stream = ledger_home(&ledger->seen, key);
	if (unlikely(sequence->aside_count != 0 || sequence->uncertain == 0 ||
		     sequence->doubts[sequence->first_doubt].turn != shadow->turn || stream->key != key || stream->seen != stream->total))
		return false;
	stream->seen = ++stream->total;
	sequence->uncertain--;
	sequence->first_doubt = sequence->uncertain ? sequence->first_doubt + 1 : 0;
	shadow_drop_home(&sequence->shadows, shadow);
	return true;
}

/* A pending wildcard is complete, and its message is of the stream `key`: it takes its place there, and is SHADOW_LEARNED. */
void position_learn(struct sequence *sequence, struct ledger *ledger, struct shadow *shadow, uint64_t key);

/* Whether the position of something that joined at `turn` and takes from stream `key` can no longer change. */
bool position_is_final(const struct sequence *sequence, uint64_t key, uint64_t turn);

/* The application was told of a receive (exact, or learned). Fills `taking` with token 0. true: decided, and counted as seen; false: put
 * aside with `token`, to come out of position_settle(). The caller drops the shadow in either case, after this call. */
bool position_tell(struct sequence *sequence, struct ledger *ledger, const struct shadow *shadow, uint64_t token,
		   struct taking *taking);

/* Draws turn and position for a message that was drained from stream `key`: it is taken, and not told. true: decided; false: put aside with `token`. */
bool position_drain(struct sequence *sequence, struct ledger *ledger, uint64_t key, uint64_t token, struct taking *taking);

/* A cancelled receive: cancelling says that the outcome is not known yet, cancelled that it took nothing (the caller drops the shadow),
 * not_cancelled that it stays as it was. */
void position_cancelling(struct sequence *sequence, struct shadow *shadow);
void position_cancelled(struct sequence *sequence, struct ledger *ledger, struct shadow *shadow);
void position_not_cancelled(struct sequence *sequence, struct shadow *shadow);

/* Takes one taking whose position has become final from those put aside; told ones are counted as seen. false: there is none. */
bool position_settle(struct sequence *sequence, struct ledger *ledger, struct taking *taking);

/* This rank's cut is made: what was told and put aside so far was told before it. */
void position_mark_cut(struct sequence *sequence);

/* The base moves: `moved` says by how much for a stream's key (0: not), and so do the positions of what is pending and put aside. */
void position_rebase(struct sequence *sequence, int64_t (*moved)(void *context, uint64_t key), void *context);

#endif
