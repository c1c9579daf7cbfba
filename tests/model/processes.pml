/* SPDX-License-Identifier: BSD-3-Clause */
/* Who does what when: sections 12 to 14 of docs/model.md. Every step is one atomic act of one rank, and any that can happen may be the next. */

/* --- 12. The options ------------------------------------------------------------------------------------------------------------- */

/* One option per receive, per peer, per stream: spin has no "for some n" that costs nothing. */
#if PENDING == 1
#define SOME_RECEIVE(option) option(0)
#define EACH_BEFORE(is_so, r, n, s) true
#elif PENDING == 2
#define SOME_RECEIVE(option) option(0) option(1)
#define EACH_BEFORE(is_so, r, n, s) (n < 1 || is_so(r, 0, s))
#define EACH_RECEIVE(is_so, r, s) (is_so(r, 0, s) && is_so(r, 1, s))
#else
#define SOME_RECEIVE(option) option(0) option(1) option(2)
#define EACH_BEFORE(is_so, r, n, s) ((n < 1 || is_so(r, 0, s)) && (n < 2 || is_so(r, 1, s)))
#define EACH_RECEIVE(is_so, r, s) (is_so(r, 0, s) && is_so(r, 1, s) && is_so(r, 2, s))
#endif
#if PENDING == 1
#define EACH_RECEIVE(is_so, r, s) (is_so(r, 0, s))
#endif
#if RANKS == 1
#define SOME_RANK(option) option(0)
#elif RANKS == 2
#define SOME_RANK(option) option(0) option(1)
#elif RANKS == 3
#define SOME_RANK(option) option(0) option(1) option(2)
#else
#define SOME_RANK(option) option(0) option(1) option(2) option(3)
#endif
#if TAGS == 1
#define SOME_TAG(option, from) option(from, 0)
#define EACH_TAG(is_so, r, i) is_so(r, i, 0)
#else
#define SOME_TAG(option, from) option(from, 0) option(from, 1)
#define EACH_TAG(is_so, r, i) (is_so(r, i, 0) && is_so(r, i, 1))
#endif
#if RANKS == 2
#define SOME_STREAM(option) SOME_TAG(option, 0) SOME_TAG(option, 1)
#elif RANKS == 3
#define SOME_STREAM(option) SOME_TAG(option, 0) SOME_TAG(option, 1) SOME_TAG(option, 2)
#else
#define SOME_STREAM(option) SOME_TAG(option, 0) SOME_TAG(option, 1) SOME_TAG(option, 2) SOME_TAG(option, 3)
#endif

#define NO_MATCH(r, n, s)      (!(rank[r].receives[n].state == POSTED && MATCHES(rank[r].receives[n], s)))
#define NO_DOUBT(r, n, s)      (!(IS_DOUBT(rank[r].receives[n]) && MATCHES(rank[r].receives[n], s)))
#define NOT_AWAITED(r, n, s)   (!AWAITS(r, n, s))
#define NOT_ASIDE(r, n, s)     (rank[r].receives[n].state != ASIDE)
#define IS_PAID(r, i, tag)     (OWED(STREAM(i, r, tag)) <= 0)
#define IS_CLOSED_FROM(r, i)   (rank[r].marker[i] == COUNTS && EACH_TAG(IS_PAID, r, i))
#define IS_CLOSED(r)           (rank[r].unsure == 0 && EACH_RANK(IS_CLOSED_FROM, r) && EACH_RECEIVE(NOT_ASIDE, r, 0))

#define HAS_BEGUN(r, i)        (rank[i].begun >= rank[r].begun)
#define IS_OVER(r, i)          (rank[i].phase == IDLE && !rank[i].awaiting)

/* --- 13. The rank's protocol: what the session does in its polls ---------------------------------------------------------------------- */

/* A rank in a blocking send or collective answers nobody (though what MPI does by itself goes on). */
#define ANSWERS(r) (!rank[r].inside && !rank[r].left)

#define TAKE_ORDER(from) :: d_step { ANSWERS(me) && from != me && CAN_TAKE_ORDER(me, from) -> take_order(me, from); skip }
#define TAKE_MARKER(from) \
	:: d_step { ANSWERS(me) && from != me && CAN_TAKE_HEAD(me, from) -> take_head(me, from); skip } \
	:: d_step { ANSWERS(me) && from != me && CAN_TAKE_COUNTS(me, from) -> take_counts(me, from); skip }
#define ARRIVE(to) \
	ARRIVE_IN_PARTS(to) \
	:: d_step { mark[PAIR(me, to)] == MARK_FLYING -> mark[PAIR(me, to)] = MARK_HERE_WHOLE }

#if WHOLE
#define ARRIVE_IN_PARTS(to)
#else
#define ARRIVE_IN_PARTS(to) \
	:: d_step { mark[PAIR(me, to)] == MARK_FLYING -> mark[PAIR(me, to)] = MARK_HERE } \
	:: d_step { mark[PAIR(me, to)] == MARK_COUNTS && ANSWERS(to) -> mark[PAIR(me, to)] = MARK_COUNTS_HERE }
#endif
#define LOOK(n) \
	:: d_step { ANSWERS(me) && CAN_LEARN(me, n) -> look_and_learn(me, n); skip } \
	:: d_step { ANSWERS(me) && CAN_LOOK(me, n) && EACH_BEFORE(NO_DOUBT, me, n, rank[me].receives[n].stream) -> look(me, n); skip }
#define DRAIN(from, tag) \
	:: d_step { ANSWERS(me) && CAN_DRAIN(me, STREAM(from, me, tag)) && EACH_RECEIVE(NOT_AWAITED, me, STREAM(from, me, tag)) -> \
		drain(me, STREAM(from, me, tag)); skip }

#define MAY_GIVE_UP(r) (DOOMS == 1 || r == RANKS - 1)
proctype protocol(byte me)
{
end:
	do
	SOME_RANK(TAKE_ORDER)
#if WAVES
	:: d_step { ANSWERS(me) && CAN_ANSWER(me) -> answer(me); skip }
#else
	:: d_step { under_way && IS_OVER(0, me) && rank[0].epoch == NEXT(rank[me].epoch) -> e = rank[0].epoch; only_resets = rank[0].resets; \
		join(me, e, only_resets); rank[me].ordered = 1 }
#endif
	SOME_RANK(TAKE_MARKER)
	SOME_RANK(ARRIVE)
	:: d_step { ANSWERS(me) && CAN_CUT(me) -> cut(me); skip }
#ifdef BROKEN_CAPTURE_APART
	:: d_step { rank[me].capture_due -> capture(me); rank[me].capture_due = 0 }
#endif
	:: d_step { ANSWERS(me) && CAN_ENTER_BARRIER(me) -> enter_barrier(me) }
	:: d_step { ANSWERS(me) && CAN_LEAVE_BARRIER(me) -> leave_barrier(me); skip }
	:: d_step { ANSWERS(me) && CAN_FINISH(me) && IS_CLOSED(me) -> finish(me); rank[me].image_done = !FAILS }
#if FAILS
	:: d_step { ANSWERS(me) && CAN_HAVE_IMAGE(me) -> rank[me].image_done = 1 }
	:: d_step { ANSWERS(me) && CAN_HAVE_IMAGE(me) -> rank[me].image_done = 1; doom(me); skip }
#endif
	:: d_step { ANSWERS(me) && CAN_ENTER_VERDICT(me) && IS_THROUGH(me, IS_CLOSED(me)) -> enter_verdict(me); skip }
	:: d_step { ANSWERS(me) && CAN_LEARN_VERDICT(me) -> learn_verdict(me); skip }
	SOME_RECEIVE(LOOK)
	SOME_STREAM(DRAIN)
#if SAFEPOINTS
	/* In MPI_Finalize past its last safepoint. */
	:: d_step { rank[me].phase == ALERT && rank[me].ordered && !rank[me].is_void && rank[me].finalizing && !rank[me].open -> doom(me); skip }
#endif
#if DOOMS
	/* The time is over, a step was passed, a function cannot be carried ... */
	:: d_step { ANSWERS(me) && UNDER(me) && !rank[me].is_void && MAY_GIVE_UP(me) -> doom(me); skip }
	/* The time is over, and a channel is open; what is void otherwise gives up by itself. */
	:: d_step { ANSWERS(me) && rank[me].barrier_done && rank[me].phase == WINDOW && rank[me].resets && !rank[me].given_up && !IS_CLOSED(me) ->
		rank[me].given_up = 1 }
#endif
	od
}

/* rank 0: requests, of anybody and at any time. */
proctype starter()
{
end:
	do
	:: d_step { ANSWERS(0) && CAN_BEGIN -> begin(0, 0); skip }
#if WAVES
	:: d_step { ANSWERS(0) && CAN_BEGIN -> begin(RANKS - 1, 0); skip }
#endif
#if EMPTIES
	:: d_step { ANSWERS(0) && CAN_BEGIN -> begin(0, 1); skip }
#endif
	:: d_step { publishing -> publish(1); skip }
#if FAILS
	:: d_step { publishing -> publish(0); skip }
#endif
	od
}

/* --- 14. The rank's program ----------------------------------------------------------------------------------------------------------- */

/* What MPI does by itself: the first message that has come is the first receive's. */
#define MATCH_RECEIVE_FROM(from, tag, n) \
	:: d_step { unmatched[STREAM(from, me, tag)] > 0 && IS_FIRST_MATCH(me, n, STREAM(from, me, tag)) && \
		EACH_BEFORE(NO_MATCH, me, n, STREAM(from, me, tag)) -> match_receive(me, n, STREAM(from, me, tag)); skip }
#if PENDING == 1
#define MATCH(from, tag) MATCH_RECEIVE_FROM(from, tag, 0)
#elif PENDING == 2
#define MATCH(from, tag) MATCH_RECEIVE_FROM(from, tag, 0) MATCH_RECEIVE_FROM(from, tag, 1)
#else
#define MATCH(from, tag) MATCH_RECEIVE_FROM(from, tag, 0) MATCH_RECEIVE_FROM(from, tag, 1) MATCH_RECEIVE_FROM(from, tag, 2)
#endif
proctype matching(byte me)
{
end:
	do
	SOME_STREAM(MATCH)
	od
}

#ifdef BROKEN_HELD_BACK
/* What must never be: a message that is known to be from after its sender's cut waits for its receiver's. */
#define IS_HELD(r, n) (rank[r].phase == ALERT && rank[r].marker[rank[r].receives[n].from] != NONE)
#else
#define IS_HELD(r, n) false
#endif

#define LAST_IS_FREE(n) (rank[me].receives[n].state == FREE && (n == 0 || rank[me].receives[n - 1].state != FREE))
#if !RING

#if TAGS > 1
#define ANY_OF 1
#endif
#define SEND(to, tag)  :: d_step { rank[me].sends > 0 && to != me && ANSWERS(me) && !rank[me].finalizing -> \
	rank[me].sends--; send_message(me, STREAM(me, to, tag)); match_now(to); skip }
#if SYNCHRONOUS
#define SEND_SYNCHRONOUSLY(to, tag)  :: d_step { rank[me].sends > 0 && to != me && !sync_pending[me] && !rank[me].finalizing -> \
	rank[me].sends--; send_message(me, STREAM(me, to, tag)); match_now(to); had_sync[STREAM(me, to, tag)] = 1; \
	sync_pending[me] = STREAM(me, to, tag) + 1; sync_number[me] = all_sent[STREAM(me, to, tag)]; sync_position[me] = sent[STREAM(me, to, tag)] }
#endif
#define POST_AT(from, label, n) \
	:: d_step { LAST_IS_FREE(n) && from != me && ANSWERS(me) && !rank[me].finalizing && rank[me].asks > 0 -> rank[me].asks--; \
		post_receive(me, n, from, label); match_now(me); skip }
#if PENDING == 1
#define POST(from, label) POST_AT(from, label, 0)
#elif PENDING == 2
#define POST(from, label) POST_AT(from, label, 0) POST_AT(from, label, 1)
#else
#define POST(from, label) POST_AT(from, label, 0) POST_AT(from, label, 1) POST_AT(from, label, 2)
#endif
#define TELL(n) \
	:: d_step { rank[me].receives[n].state == MATCHED && ANSWERS(me) -> tell_receive(me, n); skip } \
	:: d_step { rank[me].receives[n].state == DELIVERY && ANSWERS(me) -> tell_mail(me, n); skip }

/* Any program: it sends, asks, and is told, in whatever order. */
proctype program(byte me)
{
end:
	do
	SOME_STREAM(SEND)
#if SYNCHRONOUS
	SOME_STREAM(SEND_SYNCHRONOUSLY)
	:: d_step { sync_pending[me] && all_matched[sync_pending[me] - 1] >= sync_number[me] ->      /* its wait returns */
		s = sync_pending[me] - 1;
		if
		:: sync_position[me] > sync_high[s] -> sync_high[s] = sync_position[me]
		:: else
		fi;
		news[s] = news[s] | BIT(sync_number[me]);
		sync_pending[me] = 0;
		sync_number[me] = 0;
		sync_position[me] = 0;
		rank[me].open = 0 }
#endif
	SOME_STREAM(POST)
#if WILDCARDS
	POST(ANY, ANY_TAG(0))
#endif
	SOME_RECEIVE(TELL)
#if SAFEPOINTS
	:: d_step { !rank[me].open && !rank[me].inside && !rank[me].finalizing -> rank[me].open = 1 }
#endif
#if COLLECTIVES
	:: d_step { rank[me].begun < COLLECTIVES && !rank[me].inside && !rank[me].finalizing -> rank[me].begun++; rank[me].inside = 1; rank[me].open = 0 }
	:: d_step { rank[me].inside && EACH_RANK(HAS_BEGUN, me) -> rank[me].inside = 0 }
#endif
#if FINALIZE
	:: d_step { rank[me].receives[0].state == FREE && !rank[me].inside && !rank[me].finalizing && rank[me].sends == 0 && rank[me].begun == COLLECTIVES -> \
		rank[me].finalizing = 1 }
#endif
	od
}

#else

/* One that must end: RING rounds around a ring, with blocking sends that wait to be matched. */
inline safepoint(me)
{
#if SAFEPOINTS
	d_step { rank[me].open = 1 };
#endif
	skip
}
inline ring_send(me)
{
	d_step { send_message(me, STREAM(me, (me + 1) % RANKS, 0)); match_now((me + 1) % RANKS); rank[me].inside = 1 };
	d_step { unmatched[STREAM(me, (me + 1) % RANKS, 0)] == 0 -> rank[me].inside = 0 }
}
inline ring_receive(me)
{
	d_step { LAST_IS_FREE(0) -> post_receive(me, 0, (me + RANKS - 1) % RANKS, 0); match_now(me); skip };
	if
	:: d_step { rank[me].receives[0].state == MATCHED && !IS_HELD(me, 0) -> tell_receive(me, 0); skip }
	:: d_step { rank[me].receives[0].state == DELIVERY -> tell_mail(me, 0); skip }
	fi
}
proctype program(byte me)
{
	byte rounds = RING;
	do
	:: rounds > 0 ->
		safepoint(me);
		if
		:: me == 0 -> ring_send(me); ring_receive(me)
		:: else -> ring_receive(me); ring_send(me)
		fi;
		rounds--
	:: else -> break
	od;
	rank[me].finalizing = 1
}
#endif

/* MPI_Finalize: rank 0 enters the last barrier when it is quiet and begins nothing any more; the others enter at once and serve until all have. */
#define IS_QUIET(r) (rank[r].phase == IDLE && !rank[r].awaiting)
#define IS_AT_END(r, i) (rank[i].at_end)
proctype finalize(byte me)
{
	d_step { rank[me].finalizing && (me != 0 || (IS_QUIET(0) && !under_way)) -> rank[me].at_end = 1; ending = ending || me == 0 };
	d_step { EACH_RANK(IS_AT_END, me) && IS_QUIET(me) -> rank[me].left = 1 }
}

/* --- 15. What must hold ---------------------------------------------------------------------------------------------------------------- */

/* When nothing can happen any more, no snapshot is under way, and what could be told has been. */
#define IS_IN(r, i)    (rank[i].finalizing)
#define HAS_LEFT(r, i) (rank[i].left)
proctype judge()
{
	timeout ->
		assert(!under_way && !publishing);
		assert(EACH_RANK(IS_OVER, 0));
#if FINALIZE
		assert(!EACH_RANK(IS_IN, 0) || EACH_RANK(HAS_LEFT, 0));    /* MPI_Finalize returns */
#endif
		d_step {
			for (i : 0 .. RANKS * RANKS - 1) {
				assert(mark[i] == 0)
			}
#if GHOSTS
			/* Invariant 3, at the end: what is not told lies in MPI, in a receive or in the mailbox. */
			for (s : 0 .. STREAMS - 1) {
				assert(sent[s] + base[s] == all_sent[s] && seen[s] <= drawn[s])
			}
#endif
			skip
		}
}

init {
	atomic {
		for (k : 0 .. RANKS - 1) {
			rank[k].phase = IDLE;
			for (j : 0 .. RANKS - 1) { rank[k].marker[j] = NONE }
			for (j : 0 .. PENDING - 1) { rank[k].receives[j].state = FREE }
			rank[k].sends = SENDS;
			rank[k].asks = SENDS * (RANKS - 1);
			run protocol(k);
#if WILDCARDS
			run matching(k);
#endif
			run program(k);
#if FINALIZE
			run finalize(k)
#endif
		}
		run starter();
#if ATTEMPTS
		run judge()
#endif
	}
}

#if !ATTEMPTS
/* Every snapshot ends: again and again none is under way, and again and again a rank is in none. */
ltl ends { []<> !under_way }
ltl ends_here { []<> IS_OVER(0, 1) }
/* No rank is blocked for ever: the program comes to its end, whatever snapshots there are. */
ltl goes_on { <> EACH_RANK(IS_IN, 0) }
#endif
