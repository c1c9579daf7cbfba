/* SPDX-License-Identifier: BSD-3-Clause */
/* Seamark's protocol for spin. docs/model.md explains it section by section; the sections here have the same numbers.
 *
 * A world is chosen by -D (spin and cc do not see the difference: all is done by the preprocessor).
 *   RANKS, TAGS      ranks; streams per channel           SENDS    messages that a rank sends, in a free program
 *   PENDING          receives that a rank may have        ATTEMPTS snapshots that rank 0 begins; 0: without end
 *   RING=n           instead of the free program: n rounds of a given one, which must end
 *   WILDCARDS        receives from anybody                EMPTIES  snapshots that only move the base
 *   BUSY             markers only where there was traffic SAFEPOINTS cuts at open safepoints only, else anywhere
 *   DOOMS            ranks give up when they like; 2: the last   FAILS    images and manifests fail
 *   COLLECTIVES=n    blocking barriers that a rank calls  SYNCHRONOUS sends that tell of their being matched
 *   FINALIZE         the end of MPI                       WAVES=0  without waves: every rank may cut when it likes
 *   WHOLE            counts always come with their heads
 *   GHOSTS           what the oracles know of each message. TRACE: the simulator's events are followed (follow.pml)
 *   BROKEN_...       a deliberate mistake each; run.sh has the list */

#ifndef RANKS
#define RANKS 2
#endif
#ifndef TAGS
#define TAGS 1
#endif
#ifndef SENDS
#define SENDS 1
#endif
#ifndef PENDING
#define PENDING 2
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 1
#endif
#ifndef WILDCARDS
#define WILDCARDS 0
#endif
#ifndef EMPTIES
#define EMPTIES 0
#endif
#ifndef BUSY
#define BUSY 0
#endif
#ifndef SAFEPOINTS
#define SAFEPOINTS 0
#endif
#ifndef DOOMS
#define DOOMS 0
#endif
#ifndef FAILS
#define FAILS 0
#endif
#ifndef COLLECTIVES
#define COLLECTIVES 0
#endif
#ifndef SYNCHRONOUS
#define SYNCHRONOUS 0
#endif
#ifndef RING
#define RING 0
#endif
#ifndef GHOSTS
#define GHOSTS 1
#endif
#ifndef WAVES
#define WAVES 1
#endif
#ifndef WHOLE
#define WHOLE 0
#endif
#ifndef FINALIZE
#define FINALIZE 0
#endif
#ifndef TRACE
#define TRACE 0
#endif
#define NUMBERS (GHOSTS || TRACE)
#ifndef UNSURE
#define UNSURE 4
#endif
#ifndef LANE
#define LANE 3
#endif
#ifndef COMM_TAGS
#define COMM_TAGS TAGS    /* tags of one communicator: the tags of all are numbered through */
#endif
#if TRACE
#define number_t int
#else
#define number_t byte
#endif

/* --- 1. The world ------------------------------------------------------------------------------------------------------------ */

mtype = { ANNOUNCE, READY, CUT, OUTCOME };               /* orders: enum wire_kind */
mtype = { IDLE, ALERT, WINDOW, VERDICT };                /* enum snapshot_phase; CUTTING is inside one step */
mtype = { NONE, HEAD, COUNTS };                          /* enum marker_state */
mtype = { FREE, POSTED, MATCHED, ASIDE, DELIVERY };      /* a receive. ASIDE: told, and its position not final */

#define PAIR(from, to)        ((from) * RANKS + (to))
#define STREAM(from, to, tag) (PAIR(from, to) * TAGS + (tag))
#define STREAMS               (RANKS * RANKS * TAGS)
#define FROM(s)               ((s) / (RANKS * TAGS))
#define TO(s)                 (((s) / TAGS) % RANKS)
#define TAG(s)                ((s) % TAGS)
#define ANY                   255
#define ANY_TAG(comm)         (TAGS + (comm))

/* Orders stay in order between two ranks, and are in no order to anything else. */
chan orders[RANKS * RANKS] = [LANE] of { mtype, number_t, byte, bit, bit }; /* kind, epoch, root, resets, committed */

/* A marker on its way: its head, then its counts, or both at once. A synchronous send completes when it is matched (HERE). */
#define MARK_FLYING       1
#define MARK_FLYING_WHOLE 2   /* counts and head in one */
#define MARK_HERE         3
#define MARK_HERE_WHOLE   4
#define MARK_COUNTS       5   /* the head is taken in, the counts are on their way */
#define MARK_COUNTS_HERE  6
byte mark[RANKS * RANKS];

/* Messages of the program: sent and matched by no receive, per stream. */
number_t unmatched[STREAMS];

/* --- 2. What a rank knows --------------------------------------------------------------------------------------------------------- */

typedef receive_t {           /* struct shadow, struct taking */
	mtype state;
	byte from, tag;           /* what was asked for */
	byte stream;              /* what it is, or got */
	short position;
	bit learned;              /* SHADOW_LEARNED: a wildcard whose stream is known */
	bit recorded;             /* SHADOW_RECORDED */
	bit before_cut;           /* told before the cut */
	bit after_cut;            /* posted after it */
#if NUMBERS
	number_t number;          /* the message that it really got */
#endif
#if TRACE
	int handle;
#endif
};

typedef rank_t {              /* struct snapshot, and the session around it */
	mtype phase;
	number_t epoch;
	bit is_void, resets, announced, ready_sent, ordered, passed_on;
	bit barrier_entered, barrier_done, finishing, image_done, given_up, awaiting;
	bit early, early_well;          /* an outcome that came before the verdict was noticed here */
	byte root, ready_missing;
	mtype marker[RANKS];
	receive_t receives[PENDING];    /* in the order of posting */
	byte unsure;                    /* told after the cut, the marker not here */
	byte unsure_stream[UNSURE];
	short unsure_position[UNSURE];
	bit unsure_after[UNSURE];
	bit head_void, head_resets;      /* what its markers say */
	bit share_void, share_open;     /* its share of the reduction */
	number_t at_barrier, at_verdict;/* the last epoch for which it entered */
	/* the program */
	byte sends, asks;               /* messages still to be sent, and asked for */
#ifdef BROKEN_CAPTURE_APART
	bit capture_due;
#endif
	bit open, inside, finalizing, at_end, left;
#if TRACE
	int cut_step;                   /* -1 in event programs */
#endif
	number_t begun, begun_at_cut;       /* collectives */
};
rank_t rank[RANKS];

/* Per stream. struct ledger, the sender's and the receiver's side; the mailbox; struct window; the sender's note at its cut. */
short sent[STREAMS], drawn[STREAMS], seen[STREAMS], high[STREAMS];
short mail[STREAMS];
short limit[STREAMS], seen_at_cut[STREAMS], highest[STREAMS], recorded[STREAMS];
short noted[STREAMS];

/* rank 0 */
bit under_way, ending, publishing;
bit told_committed;             /* the last good verdict became a commit */
byte attempts;

/* What the oracles know. Sets of messages are bits by number. */
number_t committed_epoch;
#if NUMBERS
number_t all_sent[STREAMS], all_matched[STREAMS], base[STREAMS];
#endif
#if GHOSTS
number_t sent_at_cut[STREAMS];
int told[STREAMS], told_at_cut[STREAMS], in_record[STREAMS];
#define BIT(n) (1 << (n))
#define UP_TO(n) (BIT((n) + 1) - 2)
#endif
#if SYNCHRONOUS
short sync_high[STREAMS], sync_noted[STREAMS];
bit had_sync[STREAMS], had_sync_noted[STREAMS];
byte sync_pending[RANKS];       /* the stream, plus one */
number_t sync_number[RANKS];
short sync_position[RANKS];
int news[STREAMS], news_at_cut[STREAMS], early[STREAMS]; /* known to be complete; matched by receives from before the receiver's cut */
#endif

hidden byte i, j, k, g, s, z, bits, place, many;   /* used within a step */
hidden byte final, closed, all, any, again;
hidden short at;

/* A sentence about every rank i, seen from r. */
#if RANKS == 1
#define EACH_RANK(is_so, r) (is_so(r, 0))
#elif RANKS == 2
#define EACH_RANK(is_so, r) (is_so(r, 0) && is_so(r, 1))
#elif RANKS == 3
#define EACH_RANK(is_so, r) (is_so(r, 0) && is_so(r, 1) && is_so(r, 2))
#else
#define EACH_RANK(is_so, r) (is_so(r, 0) && is_so(r, 1) && is_so(r, 2) && is_so(r, 3))
#endif

/* Epochs: with attempts without end they go round, as two ranks are never more than one apart. */
#if ATTEMPTS
#define NEXT(e)     ((e) + 1)
#define LATER(a, b) ((a) > (b))
#else
#define NEXT(e)     (((e) + 1) & 3)
#define LATER(a, b) ((((a) + 4 - (b)) & 3) == 1)
#endif

/* --- 3. Void ----------------------------------------------------------------------------------------------------------------------- */

#define UNDER(r) (rank[r].phase == ALERT || rank[r].phase == WINDOW)

/* snapshot_doom() */
inline doom(r)
{
	if
	:: UNDER(r) -> rank[r].is_void = 1
	:: else
	fi
}

/* An orphan: look_for_orphans(), doom_orphan(). */
inline doom_orphan(r)
{
#ifndef BROKEN_ORPHAN_IGNORED
	doom(r)
#else
	skip
#endif
}

/* --- 4. Positions (lib/channel/position.c) ------------------------------------------------------------------------------------ */

#define IS_WILD(x)       (x.from == ANY || x.tag >= TAGS)
#define IS_PENDING(x)    (x.state == POSTED || x.state == MATCHED)
#define IS_DOUBT(x)      (IS_PENDING(x) && IS_WILD(x) && !x.learned)
#define HAS_POSITION(x)  ((IS_PENDING(x) && (!IS_WILD(x) || x.learned)) || x.state == ASIDE)
#define MATCHES(x, s)    ((x.from == ANY || x.from == FROM(s)) && \
                          (x.tag == TAG(s) || (x.tag >= TAGS && TAG(s) / COMM_TAGS == x.tag - TAGS)))

/* position_is_final(), of the n-th of the sequence and stream s: `final` */
inline is_final(r, n, s)
{
	final = true;
	for (j : 0 .. PENDING - 1) {
		if
		:: j < n && IS_DOUBT(rank[r].receives[j]) && MATCHES(rank[r].receives[j], s) -> final = false
		:: else
		fi
	}
}

/* position_learn() */
inline learn(r, n)
{
	if
	:: IS_DOUBT(rank[r].receives[n]) ->
		z = rank[r].receives[n].stream;
		many = 0;
#ifndef BROKEN_LEARN_SHIFTS_NOTHING
		for (j : 0 .. PENDING - 1) {
			if
			:: j > n && HAS_POSITION(rank[r].receives[j]) && rank[r].receives[j].stream == z ->
				rank[r].receives[j].position++;
				many++
			:: else
			fi
		}
#endif
		drawn[z]++;
		rank[r].receives[n].position = drawn[z] - many;
		rank[r].receives[n].learned = 1
	:: else
	fi
}

/* A final position is that of the message that the receive got. */
inline check_position(r, n)
{
#if NUMBERS
	assert(rank[r].receives[n].position + base[rank[r].receives[n].stream] == rank[r].receives[n].number)
#else
	skip
#endif
}

inline move_receive(r, here, next)
{
	rank[r].receives[here].state = rank[r].receives[next].state;
	rank[r].receives[here].from = rank[r].receives[next].from;
	rank[r].receives[here].tag = rank[r].receives[next].tag;
	rank[r].receives[here].stream = rank[r].receives[next].stream;
	rank[r].receives[here].position = rank[r].receives[next].position;
	rank[r].receives[here].learned = rank[r].receives[next].learned;
	rank[r].receives[here].recorded = rank[r].receives[next].recorded;
	rank[r].receives[here].before_cut = rank[r].receives[next].before_cut;
	rank[r].receives[here].after_cut = rank[r].receives[next].after_cut;
#if NUMBERS
	rank[r].receives[here].number = rank[r].receives[next].number;
#endif
#if TRACE
	rank[r].receives[here].handle = rank[r].receives[next].handle;
#endif
	skip
}

/* Takes the n-th out of the sequence. */
inline drop(r, n)
{
	k = n;
	do
	:: k < PENDING - 1 && rank[r].receives[k + 1].state != FREE -> g = k + 1; move_receive(r, k, g); k++
	:: else -> break
	od;
	rank[r].receives[k].state = FREE;
	rank[r].receives[k].from = 0;
	rank[r].receives[k].tag = 0;
	rank[r].receives[k].stream = 0;
	rank[r].receives[k].position = 0;
	rank[r].receives[k].learned = 0;
	rank[r].receives[k].recorded = 0;
	rank[r].receives[k].before_cut = 0;
	rank[r].receives[k].after_cut = 0;
#if NUMBERS
	rank[r].receives[k].number = 0;
#endif
#if TRACE
	rank[r].receives[k].handle = 0;
#endif
	skip
}

/* --- 5. The place of a message in the cut (lib/snapshot/places.c) -------------------------------------------------------------- */

#define OWED(s) (limit[s] - seen_at_cut[s] - recorded[s])
#define LIMIT_IS_KNOWN(r, s) (rank[r].marker[FROM(s)] == COUNTS)

/* record(): position `p` of stream s; after: its receive was posted after the cut */
inline record(r, s, p, after)
{
	recorded[s]++;
#if GHOSTS
	assert(rank[r].is_void || !(in_record[s] & BIT(p + base[s]))); /* not twice */
	in_record[s] = in_record[s] | BIT(p + base[s]);
#endif
#if SYNCHRONOUS
	if
	:: had_sync_noted[s] && after && p <= sync_noted[s] ->
#ifndef BROKEN_SYNCHRONOUS_NEWS_IGNORED
		doom(r)
#else
		skip
#endif
	:: else
	fi;
#endif
	skip
}

/* place_after_cut() */
inline place_after_cut(r, s, p, after)
{
	if
	:: !LIMIT_IS_KNOWN(r, s) ->
#ifndef BROKEN_UNSURE_DROPPED
		assert(rank[r].unsure < UNSURE);
		rank[r].unsure_stream[rank[r].unsure] = s;
		rank[r].unsure_position[rank[r].unsure] = p;
		rank[r].unsure_after[rank[r].unsure] = after;
		rank[r].unsure++
#else
		skip
#endif
	:: LIMIT_IS_KNOWN(r, s) && p <= limit[s] -> record(r, s, p, after)
	:: else
	fi
}

/* snapshot_taken(), of the n-th of the sequence */
inline taken(r, n)
{
	z = rank[r].receives[n].stream;
	at = rank[r].receives[n].position;
	if
	:: rank[r].phase == WINDOW && rank[r].receives[n].before_cut ->      /* place_before_cut() */
		seen_at_cut[z]++;
		if
		:: at > highest[z] -> highest[z] = at
		:: else
		fi;
		if
		:: LIMIT_IS_KNOWN(r, z) && highest[z] > limit[z] && highest[z] > 0 -> doom_orphan(r)
		:: else
		fi
	:: rank[r].phase == WINDOW && !rank[r].receives[n].before_cut ->
		any = rank[r].receives[n].after_cut;
		place_after_cut(r, z, at, any)
	:: rank[r].phase == ALERT && LIMIT_IS_KNOWN(r, z) && at > limit[z] -> doom_orphan(r)
	:: else
	fi
}

inline count_seen(r, n)
{
	z = rank[r].receives[n].stream;
	seen[z]++;
	if
	:: rank[r].receives[n].position > high[z] -> high[z] = rank[r].receives[n].position
	:: else
	fi
}

/* position_settle(): what was put aside and is final now */
inline settle(r)
{
	do
	:: true ->
		again = false;
		for (i : 0 .. PENDING - 1) {
			if
			:: !again && rank[r].receives[i].state == ASIDE ->
				z = rank[r].receives[i].stream;
				is_final(r, i, z);
				if
				:: final ->
					check_position(r, i);
					count_seen(r, i);
					if
					:: !rank[r].receives[i].recorded -> taken(r, i)
					:: else
					fi;
					drop(r, i);
					again = true
				:: else
				fi
			:: else
			fi
		}
		if
		:: !again -> break
		:: else
		fi
	od
}

/* A marker's counts of one stream, noted by its sender: take_count(). */
inline take_count(r, s)
{
	limit[s] = noted[s];
#if SYNCHRONOUS
	/* sync_noted and had_sync_noted are the sender's note, too */
#endif
	if
	:: rank[r].phase == ALERT && (seen[s] > limit[s] || high[s] > limit[s]) && (seen[s] > 0 || high[s] > 0) -> doom_orphan(r)
	:: else
	fi
}

/* complete_marker(): the marker of `from` is whole, or its absence means zero */
inline complete_marker(r, from)
{
	rank[r].marker[from] = COUNTS;
	if
	:: rank[r].phase == WINDOW ->
		for (g : 0 .. TAGS - 1) {
			s = STREAM(from, r, g);
			if
			:: highest[s] > limit[s] && highest[s] > 0 -> doom_orphan(r)
			:: else
			fi
		}
		/* What waited for it is placed: all are taken out, and those of others put back. */
		many = rank[r].unsure;
		rank[r].unsure = 0;
		for (i : 0 .. UNSURE - 1) {
			if
			:: i < many ->
				z = rank[r].unsure_stream[i];
				at = rank[r].unsure_position[i];
				any = rank[r].unsure_after[i];
				rank[r].unsure_stream[i] = 0;
				rank[r].unsure_position[i] = 0;
				rank[r].unsure_after[i] = 0;
				place_after_cut(r, z, at, any)
			:: else
			fi
		}
	:: else
	fi
}

/* places_closed(): `closed` */
inline is_closed(r)
{
	closed = rank[r].unsure == 0;
	for (i : 0 .. RANKS - 1) {
		if
		:: rank[r].marker[i] != COUNTS -> closed = false
		:: else
		fi;
		for (g : 0 .. TAGS - 1) {
			if
			:: OWED(STREAM(i, r, g)) > 0 -> closed = false
			:: else
			fi
		}
	}
	for (i : 0 .. PENDING - 1) {
		if
		:: rank[r].receives[i].state == ASIDE -> closed = false
		:: else
		fi
	}
}

/* --- 6. The program's calls (lib/interpose, lib/session/telling.c) --------------------------------------------------------------- */

/* None of these asks the protocol whether it may: the first law. */

inline send_message(r, s)
{
	sent[s]++;
	unmatched[s]++;
#if NUMBERS
	all_sent[s]++;
#endif
	rank[r].open = 0
}

/* The n-th is free, and the last: place of the new receive. Mail comes first. */
inline post_receive(r, n, source, label)
{
	rank[r].receives[n].from = source;
	rank[r].receives[n].tag = label;
	rank[r].receives[n].after_cut = (rank[r].phase == WINDOW);
	any = false;
	for (i : 0 .. STREAMS - 1) {
		if
		:: !any && TO(i) == r && mail[i] > 0 && MATCHES(rank[r].receives[n], i) ->
			any = true;
			mail[i]--;
			rank[r].receives[n].state = DELIVERY;
			rank[r].receives[n].stream = i;
#if NUMBERS
			rank[r].receives[n].number = drawn[i] - mail[i] + base[i];
#endif
		:: else
		fi
	}
	if
	:: !any ->
		rank[r].receives[n].state = POSTED;
		if
		:: !IS_WILD(rank[r].receives[n]) ->
			s = STREAM(source, r, label);
			drawn[s]++;
			rank[r].receives[n].stream = s;
			rank[r].receives[n].position = drawn[s]
		:: else
		fi
	:: else
	fi
}

/* MPI matches the first message of a stream with the first receive that was posted and takes it. */
#define IS_FIRST_MATCH(r, n, s) (rank[r].receives[n].state == POSTED && MATCHES(rank[r].receives[n], s))
inline match_receive(r, n, s)
{
	unmatched[s]--;
	rank[r].receives[n].state = MATCHED;
	rank[r].receives[n].stream = s;
#if NUMBERS
	all_matched[s]++;
	rank[r].receives[n].number = all_matched[s];
#endif
#if SYNCHRONOUS
	if
	:: !rank[r].receives[n].after_cut -> early[s] = early[s] | BIT(all_matched[s])
	:: else
	fi;
#endif
	skip
}

/* Without wildcards it makes no difference when that is: whoever would see it sooner can always look later. */
inline match_now(r)
{
#if !WILDCARDS && !TRACE
	for (i : 0 .. PENDING - 1) {
		if
		:: rank[r].receives[i].state == POSTED && unmatched[rank[r].receives[i].stream] > 0 ->
			s = rank[r].receives[i].stream;
			match_receive(r, i, s)
		:: else
		fi
	}
#endif
	skip
}

/* The program is told of its n-th receive: driver_told(), telling.c. */
inline tell_receive(r, n)
{
	rank[r].open = 0;
	learn(r, n);
	z = rank[r].receives[n].stream;
#ifdef BROKEN_POSITION_BY_SEEING
	rank[r].receives[n].position = seen[z] + 1;
#endif
#if GHOSTS
	assert(!(told[z] & BIT(rank[r].receives[n].number)));
	told[z] = told[z] | BIT(rank[r].receives[n].number);
#endif
	is_final(r, n, z);
#ifdef BROKEN_ALWAYS_FINAL
	final = true;
#endif
	if
	:: final ->
		check_position(r, n);
		count_seen(r, n);
		if
#ifndef BROKEN_RECORDED_TWICE
		:: rank[r].receives[n].recorded
#endif
		:: else -> taken(r, n)
		fi;
		drop(r, n)
	:: else ->
		rank[r].receives[n].state = ASIDE
	fi;
	settle(r)
}

/* Of one that was served from the mailbox. */
inline tell_mail(r, n)
{
	rank[r].open = 0;
	z = rank[r].receives[n].stream;
	seen[z]++;
#if GHOSTS
	assert(!(told[z] & BIT(rank[r].receives[n].number)));
	told[z] = told[z] | BIT(rank[r].receives[n].number);
#endif
	drop(r, n)
}

/* --- 7. Waves (lib/snapshot/wave.c, start.c) --------------------------------------------------------------------------------------- */

/* Sends an order to this rank's children in the binomial tree: next_child(). `many`: how many they are. */
inline to_children(r, tree, kind, e, only_resets, well)
{
	place = (r + RANKS - tree) % RANKS;
	bits = 1;
	many = 0;
	do
	:: bits < RANKS && !(place & bits) ->
		if
		:: place + bits < RANKS ->
			orders[PAIR(r, (place + bits + tree) % RANKS)] ! kind(e, tree, only_resets, well);
			many++
		:: else
		fi;
		bits = bits * 2
	:: else -> break
	od
}

#define PARENT(r, tree) (((((r) + RANKS - (tree)) % RANKS) & ((((r) + RANKS - (tree)) % RANKS) - 1)) + (tree)) % RANKS

/* snapshot_join() */
inline join(r, e, only_resets)
{
	rank[r].phase = ALERT;
	rank[r].epoch = e;
	rank[r].resets = only_resets;
	rank[r].is_void = only_resets;
	rank[r].announced = 0;
	rank[r].root = 0;
	rank[r].ready_missing = 0;
	rank[r].ready_sent = 0;
	rank[r].ordered = 0;
	rank[r].passed_on = 0;
	rank[r].barrier_entered = 0;
	rank[r].barrier_done = 0;
	rank[r].finishing = 0;
	rank[r].image_done = 0;
	rank[r].given_up = 0;
	for (i : 0 .. RANKS - 1) {
		rank[r].marker[i] = NONE;
		for (g : 0 .. TAGS - 1) {
			s = STREAM(i, r, g);
			limit[s] = 0;
			seen_at_cut[s] = 0;
			highest[s] = 0;
			recorded[s] = 0;
#if GHOSTS
			in_record[s] = 0;
#endif
		}
	}
}

/* wave_outcome(): the outcome of this rank's epoch is known */
inline learn_outcome(r, e, well)
{
	rank[r].awaiting = 0;
	assert(well == (committed_epoch == e));  /* nobody is told otherwise */
#ifndef BROKEN_OUTCOME_NOT_PASSED_ON
	to_children(r, 0, OUTCOME, e, 0, well)
#endif
}

/* wave_announce() */
inline announce(r, e, tree, only_resets, well)
{
	any = (rank[r].phase != IDLE && rank[r].epoch == e);
	if
	:: LATER(e, rank[r].epoch) || (any && !rank[r].announced) ->
		if
		:: !any ->
			/* The announcement carries the outcome of the one before. */
			if
			:: rank[r].awaiting -> last = rank[r].epoch; learn_outcome(r, last, well)
			:: else
			fi;
			join(r, e, only_resets)
		:: else
		fi;
		rank[r].announced = 1;
		rank[r].root = tree;
		to_children(r, tree, ANNOUNCE, e, only_resets, well);
		rank[r].ready_missing = many
	:: else
	fi
}

#define CAN_BEGIN (!under_way && !ending && rank[0].phase == IDLE && (ATTEMPTS == 0 || attempts < ATTEMPTS))
#ifdef BROKEN_TWO_AT_ONCE
#undef CAN_BEGIN
#define CAN_BEGIN (!ending && (rank[0].phase == IDLE || rank[0].phase == VERDICT) && attempts < ATTEMPTS)
#endif

/* begin(): whoever asked is the root */
inline begin(tree, only_resets)
{
	assert(!under_way);    /* at most one */
	under_way = 1;
#if ATTEMPTS
	attempts++;
#endif
#if !WAVES
	e = NEXT(rank[0].epoch);
	join(0, e, only_resets);
	rank[0].ordered = 1
#else
	if
	:: tree == 0 -> e = NEXT(rank[0].epoch); well = told_committed; announce(0, e, tree, only_resets, well)
	:: else -> orders[PAIR(0, tree)] ! ANNOUNCE(NEXT(rank[0].epoch), tree, only_resets, told_committed)
	fi
#endif
}

/* wave_go_on(): everybody below has answered */
#define CAN_ANSWER(r) (rank[r].announced && !rank[r].ready_sent && rank[r].ready_missing == 0 && rank[r].phase != IDLE && !rank[r].resets)
#ifdef BROKEN_NO_ANSWER_AFTER_THE_CUT
#undef CAN_ANSWER
#define CAN_ANSWER(r) (rank[r].announced && !rank[r].ready_sent && rank[r].ready_missing == 0 && rank[r].phase == ALERT && !rank[r].resets)
#endif
inline answer(r)
{
	rank[r].ready_sent = 1;
	if
	:: r == rank[r].root ->         /* give_order() */
		rank[r].passed_on = 1;
		tree = rank[r].root; e = rank[r].epoch; to_children(r, tree, CUT, e, 0, 0);
		rank[r].ordered = 1
	:: else -> orders[PAIR(r, PARENT(r, rank[r].root))] ! READY(rank[r].epoch, 0, 0, 0)
	fi
}

/* An order is taken when this rank is through with the epoch before; until then it stays in its lane, which in C is the stash. */
hidden mtype kind; hidden number_t e, last; hidden byte tree; hidden byte only_resets, well;
#define CAN_TAKE_ORDER(r, from) (nempty(orders[PAIR(from, r)]) && (rank[r].phase == IDLE || rank[r].announced == 0 || \
                                 !(orders[PAIR(from, r)]?[ANNOUNCE, _, _, _, _])))
inline take_order(r, from)
{
	orders[PAIR(from, r)] ? kind, e, tree, only_resets, well;
	if
	:: kind == ANNOUNCE -> announce(r, e, tree, only_resets, well)
	:: kind == READY && e == rank[r].epoch && rank[r].announced -> rank[r].ready_missing--   /* answered() */
	:: kind == CUT && e == rank[r].epoch && rank[r].announced && rank[r].phase != IDLE && !rank[r].passed_on ->
		rank[r].passed_on = 1;                                                          /* pass_on() */
		tree = rank[r].root; to_children(r, tree, CUT, e, 0, 0);
		rank[r].ordered = 1
	:: kind == OUTCOME && rank[r].awaiting && e == rank[r].epoch -> learn_outcome(r, e, well)
#ifndef BROKEN_EARLY_OUTCOME_FORGOTTEN
	:: kind == OUTCOME && rank[r].phase != IDLE && e == rank[r].epoch -> rank[r].early = 1; rank[r].early_well = well
#endif
	:: else                                                                                /* known already */
	fi
}

/* --- 8. Markers in (places_head(), places_counts()) ---------------------------------------------------------------------------- */

/* Of an epoch that cannot begin here yet: it stays. */
#define MARKER_TOO_EARLY(r, from) (rank[from].epoch != rank[r].epoch && (rank[r].phase != IDLE || rank[r].awaiting))
#define CAN_TAKE_HEAD(r, from) ((mark[PAIR(from, r)] == MARK_HERE || mark[PAIR(from, r)] == MARK_HERE_WHOLE) && !MARKER_TOO_EARLY(r, from))
#define CAN_TAKE_COUNTS(r, from) (mark[PAIR(from, r)] == MARK_COUNTS_HERE)

inline take_head(r, from)
{
	mark[PAIR(from, r)] = (mark[PAIR(from, r)] == MARK_HERE -> MARK_COUNTS : MARK_COUNTS_HERE);
	if
	:: rank[from].epoch != rank[r].epoch -> e = rank[from].epoch; only_resets = rank[from].head_resets; join(r, e, only_resets)
	:: else
	fi;
	if
	:: UNDER(r) ->
		rank[r].marker[from] = HEAD;
		rank[r].ordered = 1;
		if
		:: rank[from].head_void && !rank[r].resets -> rank[r].is_void = 1       /* void_elsewhere() */
		:: else
		fi
	:: else
	fi
}

inline take_counts(r, from)
{
	mark[PAIR(from, r)] = 0;
	if
	:: UNDER(r) && rank[r].marker[from] == HEAD ->
		for (g : 0 .. TAGS - 1) {
			s = STREAM(from, r, g);
			take_count(r, s)
		}
		complete_marker(r, from)
	:: else
	fi
}

/* --- 9. The cut (lib/snapshot/cut.c) ------------------------------------------------------------------------------------------- */

#if SAFEPOINTS
#define AT_SAFEPOINT(r) (rank[r].open)
#else
#define AT_SAFEPOINT(r) true
#endif
#if SYNCHRONOUS
#ifdef BROKEN_SYNCHRONOUS_PENDING_CUTS
#define NOTHING_PENDING(r) true
#else
#define NOTHING_PENDING(r) (sync_pending[r] == 0)
#endif
#else
#define NOTHING_PENDING(r) true
#endif
#define CAN_CUT(r) (rank[r].phase == ALERT && (rank[r].is_void || (rank[r].ordered && AT_SAFEPOINT(r) && NOTHING_PENDING(r))))

/* The state is taken: what was sent, told and begun before is in it. */
inline capture(r)
{
#if GHOSTS
	for (i : 0 .. STREAMS - 1) {
		if
		:: FROM(i) == r ->
			sent_at_cut[i] = all_sent[i];
#if SYNCHRONOUS
			news_at_cut[i] = news[i];
#endif
		:: else
		fi;
		if
		:: TO(i) == r ->
			told_at_cut[i] = told[i];
#if SYNCHRONOUS
			early[i] = UP_TO(all_matched[i]);
#endif
		:: else
		fi
	}
#endif
	rank[r].begun_at_cut = rank[r].begun
}

/* cut_finish(): capture, note, markers, as one act */
inline cut(r)
{
	/* At most one is under way. */
	for (i : 0 .. RANKS - 1) {
		assert(rank[i].phase != WINDOW || rank[i].epoch == rank[r].epoch)
	}
#ifndef BROKEN_CAPTURE_APART
	capture(r);
#else
	rank[r].capture_due = 1;
#endif
	rank[r].phase = WINDOW;
	rank[r].head_void = rank[r].is_void;
	rank[r].head_resets = rank[r].resets;
	/* places_cut() and note_sent() */
	for (i : 0 .. RANKS - 1) {
		for (g : 0 .. TAGS - 1) {
			s = STREAM(i, r, g);
			seen_at_cut[s] = seen[s];
			highest[s] = (high[s] > seen[s] -> high[s] : seen[s]);
			if
			:: LIMIT_IS_KNOWN(r, s) && highest[s] > limit[s] && highest[s] > 0 -> doom_orphan(r)
			:: else
			fi;
			s = STREAM(r, i, g);
			noted[s] = sent[s];
#if SYNCHRONOUS
			sync_noted[s] = sync_high[s];
			had_sync_noted[s] = had_sync[s]
#endif
		}
	}
	/* SNAPSHOT_CUT: what was put aside was told before it; mail, in the box or in a receive, is late again */
	for (i : 0 .. PENDING - 1) {
		rank[r].receives[i].recorded = 0;
		rank[r].receives[i].after_cut = 0;
		rank[r].receives[i].before_cut = (rank[r].receives[i].state == ASIDE);
		if
		:: rank[r].receives[i].state == DELIVERY ->
			z = rank[r].receives[i].stream;
			recorded[z]++;
#if GHOSTS
			in_record[z] = in_record[z] | BIT(rank[r].receives[i].number)
#endif
		:: else
		fi
	}
#ifndef BROKEN_MAIL_NOT_RECORDED_AGAIN
	for (i : 0 .. STREAMS - 1) {
		if
		:: TO(i) == r && mail[i] > 0 ->
			recorded[i] = recorded[i] + mail[i];
#if GHOSTS
			in_record[i] = in_record[i] | (UP_TO(drawn[i] + base[i]) & ~UP_TO(drawn[i] - mail[i] + base[i]))
#endif
		:: else
		fi
	}
#endif
	/* send_markers() */
	for (i : 0 .. RANKS - 1) {
		any = !BUSY;
		for (g : 0 .. TAGS - 1) {
			any = any || noted[STREAM(r, i, g)] != 0
		}
		if
		:: i != r && any ->
			assert(mark[PAIR(r, i)] == 0);
			mark[PAIR(r, i)] = MARK_FLYING
		:: else
		fi
	}
	/* places_own_marker() */
	for (g : 0 .. TAGS - 1) {
		s = STREAM(r, r, g);
		limit[s] = noted[s]
	}
	complete_marker(r, r)
}

/* --- 10. After the cut (go_on(), verdict(), published() in snapshot.c) ---------------------------------------------------------- */

/* All markers of rank r are matched. */
#define IS_MATCHED(r, i) (mark[PAIR(r, i)] == 0 || mark[PAIR(r, i)] == MARK_HERE_WHOLE || mark[PAIR(r, i)] == MARK_COUNTS_HERE)
#ifdef BROKEN_BARRIER_BEFORE_MARKERS
#define MARKERS_SENT(r) true
#else
#define MARKERS_SENT(r) EACH_RANK(IS_MATCHED, r)
#endif

#define CAN_ENTER_BARRIER(r) (rank[r].phase == WINDOW && !rank[r].barrier_entered && MARKERS_SENT(r))
inline enter_barrier(r)
{
	rank[r].barrier_entered = 1;
	rank[r].at_barrier = rank[r].epoch
}

#define NO_MARK(r, i)         (mark[PAIR(i, r)] == 0 || mark[PAIR(i, r)] == MARK_FLYING)
#define HAS_ENTERED(r, i)     (!LATER(rank[r].epoch, rank[i].at_barrier))
/* SNAPSHOT_BARRIER: every marker that is matched has been taken in whole, and the absence of one means zero. */
#ifdef BROKEN_ABSENT_BEFORE_MATCHED_ARE_TAKEN
#define ALL_TAKEN(r) true
#else
#define ALL_TAKEN(r) EACH_RANK(NO_MARK, r)
#endif
#define CAN_LEAVE_BARRIER(r) (rank[r].phase == WINDOW && rank[r].barrier_entered && !rank[r].barrier_done && \
                              EACH_RANK(HAS_ENTERED, r) && ALL_TAKEN(r))
inline leave_barrier(r)
{
	rank[r].barrier_done = 1;
	for (bits : 0 .. RANKS - 1) {
		if
		:: rank[r].marker[bits] == NONE -> complete_marker(r, bits)          /* places_absent() */
		:: else
		fi
	}
}

/* SNAPSHOT_FINISH_IMAGE, and the image's being durable or not */
#define CAN_FINISH(r) (rank[r].phase == WINDOW && !rank[r].is_void && !rank[r].finishing)
inline finish(r)
{
	rank[r].finishing = 1
}
#define CAN_HAVE_IMAGE(r) (rank[r].phase == WINDOW && rank[r].finishing && !rank[r].image_done)

/* Into the reduction: with all channels closed and the image there, or given up. Of an empty snapshot only the closing counts. */
#define CAN_ENTER_VERDICT(r) (rank[r].phase == WINDOW && rank[r].barrier_done)
#define GIVES_UP(r) ((rank[r].is_void && !rank[r].resets) || rank[r].given_up)
#ifdef BROKEN_VERDICT_BEFORE_CLOSED
#define IS_THROUGH(r, channels_closed) true
#else
#define IS_THROUGH(r, channels_closed) (GIVES_UP(r) || (channels_closed && (rank[r].resets || rank[r].image_done)))
#endif
inline enter_verdict(r)
{
	is_closed(r);
	rank[r].phase = VERDICT;
	rank[r].at_verdict = rank[r].epoch;
#ifndef BROKEN_VOID_NOT_SAID
	rank[r].share_void = rank[r].is_void;
#else
	rank[r].share_void = 0;
#endif
#ifndef BROKEN_VERDICT_BEFORE_CLOSED
	rank[r].share_open = !closed
#endif
}

/* SNAPSHOT_REBASE: snapshot_rebased(), position_rebase(), mailbox_rebase() */
inline rebase(r)
{
	for (i : 0 .. PENDING - 1) {
		if
		:: HAS_POSITION(rank[r].receives[i]) ->
			rank[r].receives[i].position = rank[r].receives[i].position - limit[rank[r].receives[i].stream]
		:: else
		fi
	}
	for (i : 0 .. STREAMS - 1) {
		if
		:: TO(i) == r ->
#ifndef BROKEN_BASE_MOVED_AT_ONE_END
			drawn[i] = drawn[i] - limit[i];
			seen[i] = seen[i] - limit[i];
			high[i] = high[i] - limit[i];
			if
			:: drawn[i] == 0 && seen[i] == 0 -> high[i] = 0        /* ledger_sweep() */
			:: else
			fi;
#if NUMBERS
			base[i] = base[i] + limit[i]
#endif
#endif
		:: else
		fi;
		if
		:: FROM(i) == r ->
			sent[i] = sent[i] - noted[i];
#if SYNCHRONOUS
			sync_high[i] = sync_high[i] - noted[i];
			if
			:: sync_pending[r] != i + 1 -> had_sync[i] = 0
			:: else -> sync_position[r] = sync_position[r] - noted[i]
			fi
#endif
		:: else
		fi
	}
}

#define SAID_CLOSED(r, i)     (!rank[i].share_open)
#define SAID_GOOD(r, i)       (!rank[i].share_void && !rank[i].share_open)
#define BEGUN_AS_MANY(r, i)   (rank[i].begun_at_cut == rank[0].begun_at_cut)
#define SAME_BEGUN            EACH_RANK(BEGUN_AS_MANY, 0)
#define ALL_CLOSED            EACH_RANK(SAID_CLOSED, 0)

/* A verdict is good: what is committed must be right. */
inline check_commit()
{
#if GHOSTS
	for (i : 0 .. STREAMS - 1) {
		assert(!(told_at_cut[i] & ~UP_TO(sent_at_cut[i])));                       /* no orphan */
		assert(in_record[i] == (UP_TO(sent_at_cut[i]) & ~told_at_cut[i]));        /* all that is late, and nothing else */
#if SYNCHRONOUS
		assert(!(news_at_cut[i] & ~early[i]))                                     /* no orphan completion */
#endif
	}
#endif
	assert(SAME_BEGUN)
}

/* Nobody looks at these again; as zeros they cost no states. */
inline forget_window(r)
{
	rank[r].is_void = 0;
	rank[r].announced = 0;
	rank[r].ready_sent = 0;
	rank[r].ready_missing = 0;
	rank[r].root = 0;
	rank[r].ordered = 0;
	rank[r].passed_on = 0;
	rank[r].barrier_entered = 0;
	rank[r].barrier_done = 0;
	rank[r].finishing = 0;
	rank[r].image_done = 0;
	rank[r].given_up = 0;
	for (i : 0 .. PENDING - 1) {
		rank[r].receives[i].recorded = 0;
		rank[r].receives[i].before_cut = 0;
		rank[r].receives[i].after_cut = 0
	}
	for (i : 0 .. RANKS - 1) {
		rank[r].marker[i] = NONE;
		for (g : 0 .. TAGS - 1) {
			s = STREAM(i, r, g);
			limit[s] = 0;
			seen_at_cut[s] = 0;
			highest[s] = 0;
			recorded[s] = 0;
			noted[STREAM(r, i, g)] = 0
		}
	}
	for (i : 0 .. UNSURE - 1) {
		rank[r].unsure_stream[i] = 0;
		rank[r].unsure_position[i] = 0;
		rank[r].unsure_after[i] = 0
	}
	rank[r].unsure = 0
}

/* SNAPSHOT_VERDICT: verdict() */
#define HAS_SAID(r, i) (!LATER(rank[r].epoch, rank[i].at_verdict))
#define CAN_LEARN_VERDICT(r) (rank[r].phase == VERDICT && EACH_RANK(HAS_SAID, r))
#ifdef BROKEN_COLLECTIVES_NOT_SUMMED
#define SUM_IS_ZERO true
#else
/* wrong_together(): traces have steps, too */
#if TRACE
#define SAME_STEP(r, i) (rank[r].cut_step < 0 || rank[i].cut_step < 0 || rank[r].cut_step == rank[i].cut_step)
#define SUM_IS_ZERO (SAME_BEGUN && EACH_RANK(SAME_STEP, 0) && EACH_RANK(SAME_STEP, 1) && EACH_RANK(SAME_STEP, RANKS - 1))
#else
#define SUM_IS_ZERO SAME_BEGUN
#endif
#endif
inline learn_verdict(r)
{
	rank[r].phase = IDLE;
	if
	:: ALL_CLOSED -> rebase(r)
	:: else
	fi;
	forget_window(r);
	if
	:: EACH_RANK(SAID_GOOD, 0) && SUM_IS_ZERO ->
		rank[r].awaiting = 1;
		publishing = publishing || r == 0;
		if
		:: rank[r].early -> last = rank[r].epoch; well = rank[r].early_well; rank[r].early = 0; rank[r].early_well = 0; learn_outcome(r, last, well)
		:: else
		fi
	:: else ->
		if
		:: r == 0 -> under_way = 0                     /* start_learn() */
		:: else
		fi
	fi
}

inline forget_cut()
{
#if GHOSTS
	for (i : 0 .. STREAMS - 1) {
		sent_at_cut[i] = 0;
		told_at_cut[i] = 0;
		in_record[i] = 0
	}
#endif
	skip
}

/* SNAPSHOT_PUBLISHED: the manifest is in place, or is not */
inline publish(works)
{
	publishing = 0;
	if
	:: works ->
		check_commit();
		committed_epoch = rank[0].epoch
	:: else -> committed_epoch = 99
	fi;
	told_committed = works;
	under_way = 0;
	forget_cut();
	e = rank[0].epoch;
	learn_outcome(0, e, works)
}

/* --- 11. Late messages that nobody asks for (lib/session/drain.c) --------------------------------------------------------------- */

/* Complete in the buffer of the n-th receive, which the program has not asked about: its stream is learned ... */
#define CAN_LEARN(r, n) (rank[r].phase == WINDOW && rank[r].receives[n].state == MATCHED && IS_DOUBT(rank[r].receives[n]))
inline look_and_learn(r, n)
{
	learn(r, n);
	settle(r)
}

/* ... and, final and late, it is recorded. */
#define CAN_LOOK(r, n) (rank[r].phase == WINDOW && rank[r].receives[n].state == MATCHED && !IS_DOUBT(rank[r].receives[n]) && \
                        !rank[r].receives[n].recorded && LIMIT_IS_KNOWN(r, rank[r].receives[n].stream) && \
                        rank[r].receives[n].position <= limit[rank[r].receives[n].stream])
inline look(r, n)
{
	check_position(r, n);
	rank[r].receives[n].recorded = 1;
	z = rank[r].receives[n].stream;
	at = rank[r].receives[n].position;
	any = rank[r].receives[n].after_cut;
	record(r, z, at, any)
}

/* drain_one(): taken out of MPI into the mailbox. */
#if SYNCHRONOUS
#define NOT_SYNCHRONOUS(r, s) (!had_sync_noted[s] || rank[r].finalizing)
#else
#define NOT_SYNCHRONOUS(r, s) true
#endif
#define CAN_DRAIN(r, s) (rank[r].phase == WINDOW && LIMIT_IS_KNOWN(r, s) && OWED(s) > 0 && drawn[s] < limit[s] && unmatched[s] > 0 && \
                         NOT_SYNCHRONOUS(r, s))
#ifdef BROKEN_DRAINED_WHERE_NOTHING_IS_OWED
#undef CAN_DRAIN
#define CAN_DRAIN(r, s) (rank[r].phase == WINDOW && LIMIT_IS_KNOWN(r, s) && unmatched[s] > 0)
#endif
/* A pending receive would have got it, or may get it. */
#ifdef BROKEN_DRAINED_ALTHOUGH_AWAITED
#define AWAITS(r, n, s) false
#else
#define AWAITS(r, n, s) (IS_PENDING(rank[r].receives[n]) && !rank[r].receives[n].recorded && !rank[r].receives[n].learned && \
                         MATCHES(rank[r].receives[n], s))
#endif
inline drain(r, s)
{
	unmatched[s]--;
	drawn[s]++;
	mail[s]++;
#if NUMBERS
	all_matched[s]++;
	assert(drawn[s] + base[s] == all_matched[s]);
#endif
	at = drawn[s];
	record(r, s, at, 1)
}

#if !TRACE
#include "processes.pml"
#else
#include "follow.pml"
#endif
