/* SPDX-License-Identifier: BSD-3-Clause */
/* Section 16 of docs/model.md: what the simulator saw the C code do, done by the model. The trace (follow.py makes it of `sim --trace`) is read at run time
 * from $MODEL_TRACE: one event a line, as numbers. Each event must be possible in the model where it stands in the trace, and what it says of the outcome must be
 * what the model has: the first that is not ends the search with an error. */

c_decl {
\#include <stdio.h>
\#include <stdlib.h>
	struct event { int kind, rank, a, b, c, d; };
	static struct event *events;
	static int event_count;
	static void read_events(void)
	{
		const char *name = getenv("MODEL_TRACE");
		FILE *file = name ? fopen(name, "r") : NULL;
		struct event event;
		int room = 0;
		if (!file) {
			fprintf(stderr, "MODEL_TRACE names no file\n");
			exit(2);
		}
		while (fscanf(file, "%d %d %d %d %d %d", &event.kind, &event.rank, &event.a, &event.b, &event.c, &event.d) == 6) {
			if (event_count == room)
				events = realloc(events, (size_t)(room = room * 2 + 1024) * sizeof *events);
			events[event_count++] = event;
		}
		fclose(file);
	}
}

/* The numbers of follow.py. */
#define E_SEND         2
#define E_POSTS        3
#define E_MATCHED      4
#define E_TELLS        5
#define E_TELLS_MAIL   6
#define E_LEARNS       7
#define E_FINDS        8
#define E_DRAINED      9
#define E_ANNOUNCES    10
#define E_READY        11
#define E_ORDER        12
#define E_TAKES        13
#define E_HEAD_HERE    14
#define E_HEAD         15
#define E_COUNTS_HERE  16
#define E_COUNTS       17
#define E_CUT          18
#define E_MARKER       19
#define E_TO_BARRIER   20
#define E_BARRIER      21
#define E_CLOSED       22
#define E_IMAGE        23
#define E_TO_VERDICT   24
#define E_VERDICT      25
#define E_PUBLISHED    26
#define E_ENDED        27
#define E_DOOMS        28
#define E_STANDS       29
#define E_WINDOW       30
#define E_PROBES       31
#define E_COLLECTIVE   32
#define REASON_NONE    0
#define REASON_ORPHAN  1
#define REASON_EMPTY   27

int at_event, length;
int what, who, a, b, c, d;
byte n, s_of;
bit accepted;
byte stash[RANKS * RANKS];          /* orders that the C code keeps for later */
bit head_stash[RANKS * RANKS], counts_stash[RANKS * RANKS];
byte f;

/* The n-th receive of that rank with handle `b`: n, or PENDING. */
inline find_handle(h)
{
	n = 0;
	do
	:: n < PENDING && (rank[who].receives[n].state == FREE || rank[who].receives[n].state == ASIDE || rank[who].receives[n].handle != h) -> n++
	:: else -> break
	od
}

/* Whether anything that was posted before the n-th is first for stream s. */
inline is_first(h)
{
	final = true;
	for (j : 0 .. PENDING - 1) {
		if
		:: j < n && IS_FIRST_MATCH(who, j, h) -> final = false
		:: else
		fi
	}
}

/* Also what was put aside for later: take_stashed(). */
inline can_take_order(sender)
{
	s_of = PAIR(sender, who);
	final = false;
	if
	:: len(orders[s_of]) == 0
	:: len(orders[s_of]) > 0 && (rank[who].phase == IDLE || !rank[who].announced) -> final = true
	:: len(orders[s_of]) > 0 && !(rank[who].phase == IDLE || !rank[who].announced) ->
		if
		:: orders[s_of]?[ANNOUNCE, _, _, _, _]
		:: orders[s_of]?[READY, _, _, _, _] -> final = true
		:: orders[s_of]?[CUT, _, _, _, _] -> final = true
		:: orders[s_of]?[OUTCOME, _, _, _, _] -> final = true
		fi
	fi
}

inline take_stashed()
{
	f = 0;
	do
	:: f < RANKS ->
		do
		:: true ->
			can_take_order(f);
			if
			:: final && stash[PAIR(f, who)] > 0 -> stash[PAIR(f, who)]--; take_order(who, f)
			:: else -> break
			fi
		od;
		if
		:: head_stash[PAIR(f, who)] && CAN_TAKE_HEAD(who, f) -> head_stash[PAIR(f, who)] = 0; take_head(who, f)
		:: else
		fi;
		if
		:: counts_stash[PAIR(f, who)] && CAN_TAKE_COUNTS(who, f) -> counts_stash[PAIR(f, who)] = 0; take_counts(who, f)
		:: else
		fi;
		f++
	:: else -> break
	od
}

/* The outcome of epoch `a` is known, perhaps by the next announcement. */
#define HAS_ENDED (((rank[who].epoch == a && rank[who].phase == IDLE && !rank[who].awaiting) || rank[who].epoch == NEXT(a)) && \
                   (committed_epoch == a) == b)
#define STANDS    (rank[who].phase == (a == 0 -> IDLE : (a == 1 -> ALERT : (a == 3 -> WINDOW : VERDICT))) && \
                   (rank[who].phase == IDLE || rank[who].is_void == b))

proctype follower()
{
	do
	:: at_event < length && accepted -> atomic { d_step {
		c_code {
			struct event *event = &events[now.at_event];
			now.what = event->kind;
			now.who = event->rank;
			now.a = event->a;
			now.b = event->b;
			now.c = event->c;
			now.d = event->d;
		};
		accepted = 0 };
		if
		:: what >= E_READY && what != E_HEAD_HERE && what != E_COUNTS_HERE && what != E_PROBES && what != E_COLLECTIVE &&
		   !(what == E_ENDED && HAS_ENDED) && !(what == E_STANDS && STANDS) && what != E_WINDOW -> d_step { take_stashed(); skip }
		:: else
		fi;
		if
		:: what == E_SEND -> d_step {
			send_message(who, a);
			accepted = (all_sent[a] == b); skip }
		:: what == E_POSTS -> d_step {
			n = 0;
			do
			:: n < PENDING - 1 && rank[who].receives[n].state != FREE -> n++
			:: else -> break
			od;
			assert(rank[who].receives[n].state == FREE);
			post_receive(who, n, b, c);
			rank[who].receives[n].handle = a;
			accepted = 1; skip }
		:: what == E_MATCHED -> d_step {
			find_handle(b);
			if
			:: n < PENDING && unmatched[a] > 0 && IS_FIRST_MATCH(who, n, a) ->
				is_first(a);
				match_receive(who, n, a);
				accepted = final && rank[who].receives[n].number == c
			:: else
			fi; skip }
		:: what == E_TELLS -> d_step {
			find_handle(b);
			if
			:: n < PENDING && rank[who].receives[n].state == MATCHED && rank[who].receives[n].stream == a && rank[who].receives[n].number == c ->
				tell_receive(who, n);
				accepted = 1
			:: else
			fi; skip }
		:: what == E_TELLS_MAIL -> d_step {
			find_handle(b);
			if
			:: n < PENDING && rank[who].receives[n].state == DELIVERY && rank[who].receives[n].stream == a && rank[who].receives[n].number == c ->
				tell_mail(who, n);
				accepted = 1
			:: else
			fi; skip }
		:: what == E_LEARNS -> d_step {
			find_handle(b);
			if
			:: n < PENDING && CAN_LEARN(who, n) -> look_and_learn(who, n); accepted = 1
			:: n < PENDING && !CAN_LEARN(who, n) -> accepted = rank[who].receives[n].stream == a && rank[who].receives[n].number == c
			:: else
			fi; skip }
		:: what == E_FINDS -> d_step {
			find_handle(b);
			is_final(who, n, a);
			if
			:: n < PENDING && CAN_LOOK(who, n) && final && rank[who].receives[n].number == c -> look(who, n); accepted = 1
			:: else
			fi; skip }
		:: what == E_DRAINED -> d_step {
			any = false;
			for (i : 0 .. PENDING - 1) {
				any = any || AWAITS(who, i, a)
			}
			if
			:: CAN_DRAIN(who, a) && !any -> drain(who, a); accepted = all_matched[a] == b
			:: else
			fi; skip }
		:: what == E_ANNOUNCES -> d_step {
			/* The first one of an attempt is rank 0's beginning; the others are the model's own doing, and taken below. */
			if
			:: who == 0 && !under_way ->
				if
				:: CAN_BEGIN && NEXT(rank[0].epoch) == a -> begin(b, c); accepted = 1
				:: else
				fi
			:: else -> accepted = 1
			fi; skip }
		:: what == E_READY -> d_step {
			if
			:: CAN_ANSWER(who) && who != rank[who].root && PARENT(who, rank[who].root) == a -> answer(who); accepted = 1
			:: else
			fi; skip }
		:: what == E_ORDER -> d_step {
			if
			:: who == rank[who].root && !rank[who].passed_on && CAN_ANSWER(who) -> answer(who); accepted = 1
			:: else -> accepted = rank[who].passed_on
			fi; skip }
		:: what == E_TAKES -> d_step {
			can_take_order(a);
			if
			:: stash[PAIR(a, who)] > 0 || !final -> stash[PAIR(a, who)]++; accepted = (len(orders[PAIR(a, who)]) >= stash[PAIR(a, who)])
			:: else -> take_order(who, a); accepted = (kind == (b == 1 -> ANNOUNCE : (b == 2 -> READY : (b == 3 -> CUT : OUTCOME))))
			fi; skip }
		:: what == E_HEAD_HERE -> d_step {
			if
			:: mark[PAIR(a, who)] == MARK_FLYING -> mark[PAIR(a, who)] = (b -> MARK_HERE_WHOLE : MARK_HERE); accepted = 1
			:: else
			fi; skip }
		:: what == E_HEAD -> d_step {
			if
			:: CAN_TAKE_HEAD(who, a) -> take_head(who, a); accepted = 1
			:: !CAN_TAKE_HEAD(who, a) && (mark[PAIR(a, who)] == MARK_HERE || mark[PAIR(a, who)] == MARK_HERE_WHOLE) ->
				head_stash[PAIR(a, who)] = 1; accepted = 1
			:: else
			fi; skip }
		:: what == E_COUNTS_HERE -> d_step {
			if
			:: mark[PAIR(a, who)] == MARK_COUNTS -> mark[PAIR(a, who)] = MARK_COUNTS_HERE; accepted = 1
			:: mark[PAIR(a, who)] == MARK_HERE -> mark[PAIR(a, who)] = MARK_HERE_WHOLE; accepted = 1
			:: else
			fi; skip }
		:: what == E_COUNTS -> d_step {
			if
			:: CAN_TAKE_COUNTS(who, a) -> take_counts(who, a); accepted = 1
			:: head_stash[PAIR(a, who)] -> counts_stash[PAIR(a, who)] = 1; accepted = 1
			:: else
			fi; skip }
		:: what == E_CUT -> d_step {
			if
			:: CAN_CUT(who) && rank[who].is_void == b && rank[who].epoch == a -> cut(who); rank[who].cut_step = c; accepted = 1
			:: else
			fi; skip }
		:: what == E_MARKER -> d_step { 
			/* One where nothing was sent is a matter of settings, one where something was sent is not. */
			if
			:: mark[PAIR(who, a)] == 0 -> mark[PAIR(who, a)] = MARK_FLYING
			:: else
			fi;
			accepted = (mark[PAIR(who, a)] == MARK_FLYING); skip }
		:: what == E_TO_BARRIER -> d_step {
			if
			:: CAN_ENTER_BARRIER(who) -> enter_barrier(who); accepted = 1
			:: else
			fi; skip }
		:: what == E_BARRIER -> d_step {
			if
			:: CAN_LEAVE_BARRIER(who) -> leave_barrier(who); accepted = 1
			:: else
			fi; skip }
		:: what == E_CLOSED -> d_step {
			is_closed(who);
			if
			:: CAN_FINISH(who) && closed ->
				finish(who);
				at = 0;
				for (i : 0 .. STREAMS - 1) {
					if
					:: TO(i) == who -> at = at + recorded[i]
					:: else
					fi
				}
				accepted = (at == a)
			:: else
			fi; skip }
		:: what == E_IMAGE -> d_step {
			if
			:: CAN_HAVE_IMAGE(who) ->
				rank[who].image_done = 1;
				if
				:: !a -> doom(who)
				:: else
				fi;
				accepted = 1
			:: else
			fi; skip }
		:: what == E_TO_VERDICT -> d_step {
			is_closed(who);
			rank[who].given_up = (rank[who].resets && !closed);
			if
			:: CAN_ENTER_VERDICT(who) && IS_THROUGH(who, closed) ->
				enter_verdict(who);
				accepted = (rank[who].share_void == a && rank[who].share_open == b)
			:: else
			fi; skip }
		:: what == E_VERDICT -> d_step {
			if
			:: CAN_LEARN_VERDICT(who) -> learn_verdict(who); accepted = 1
			:: else
			fi; skip }
		:: what == E_PUBLISHED -> d_step {
			if
			:: publishing && who == 0 -> publish(a); accepted = 1
			:: else
			fi; skip }
		:: what == E_ENDED -> accepted = HAS_ENDED
		:: what == E_DOOMS -> d_step {
			/* What the model knows nothing of may make void whenever it likes; orphans, and marks of void, it must have seen by itself. */
			if
			:: rank[who].is_void || a == REASON_EMPTY -> accepted = 1
			:: !rank[who].is_void && UNDER(who) && a != REASON_NONE && a != REASON_ORPHAN && a != REASON_EMPTY -> doom(who); accepted = 1
			:: else
			fi; skip }
		:: what == E_PROBES -> d_step {
			if
			:: rank[who].phase == ALERT && LIMIT_IS_KNOWN(who, a) && drawn[a] + 1 > limit[a] -> doom(who); accepted = 1
			:: else
			fi; skip }
		:: what == E_STANDS -> accepted = STANDS
		:: what == E_WINDOW -> d_step { accepted = (limit[a] == b && seen_at_cut[a] == c && recorded[a] == d); skip }
		:: what == E_COLLECTIVE -> d_step { rank[who].begun = rank[who].begun + a; accepted = 1; skip }
		:: else
		fi;
		at_event = at_event + accepted
	}
	:: else -> break
	od;
	c_code { printf("followed %d of %d\n", now.at_event, now.length); };
	assert(at_event == length);
	assert(!under_way && !publishing);
	for (i : 0 .. RANKS - 1) {
		assert(rank[i].phase == IDLE && !rank[i].awaiting)
	}
}

init {
	d_step {
		c_code { read_events(); now.length = event_count; };
		for (k : 0 .. RANKS - 1) {
			rank[k].phase = IDLE;
			for (j : 0 .. RANKS - 1) {
				rank[k].marker[j] = NONE
			}
			for (j : 0 .. PENDING - 1) {
				rank[k].receives[j].state = FREE
			}
		}
		accepted = 1
	}
	run follower()
}
