/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs that never were, with one true time: random ranks that send, receive, and take a few snapshots, each event at a nanosecond of its own; and their traces of the last of these, as clocks would have noted them that are wrong by as much as
 * one likes. What is true of such a run is known, whatever the traces say. */
#ifndef TRACE_WORLDS_H
#define TRACE_WORLDS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mix.h"
#include "trace/format.h"

enum { WORLD_RANKS = 16, WORLD_EVENTS = 4096, WORLD_MESSAGES = 8192, WORLD_TAGS = 2, WORLD_EPOCHS = 3 };

struct world_letter {
	int from, to;
	uint32_t tag;
	int64_t position;       /* since the beginning */
	int64_t sent_ns, told_ns; /* true times; told -1: never */
	bool drained;
	int recorded;           /* for this snapshot, the last */
};

struct world_rank {
	struct trace_event events[WORLD_EVENTS]; /* with true times */
	size_t count;
	int64_t sent[WORLD_RANKS][WORLD_TAGS];
	uint64_t turn;
	int epoch;              /* of the snapshot that it takes, or takes next; from 1 */
	int rebased;            /* of the one at whose cut its base is; 0: none */
	int phase;              /* 0: nothing; 1: alert; 2: cut; 3: in the barrier; 4: out of it; 5: closed; 6: in the verdict; 7: over */
	uint32_t heads;         /* whose markers have come */
};

struct world {
	uint64_t random;
	int ranks, nodes, root;
	int node[WORLD_RANKS];
	int64_t now;
	int epochs;             /* snapshots */
	int64_t cut_ns[WORLD_EPOCHS + 1][WORLD_RANKS];
	int64_t sent_at_cut[WORLD_EPOCHS + 1][WORLD_RANKS][WORLD_RANKS][WORLD_TAGS];
	struct world_letter letters[WORLD_MESSAGES];
	size_t letter_count;
	struct world_rank of[WORLD_RANKS];
	uint64_t late, orphans;
	bool is_void;
	bool waits;             /* nobody receives what would make an orphan */
};

/* A node's clock, and what it believes to be the time of day. */
struct world_clock {
	int64_t offset_ns;      /* what it shows at true time 0 */
	int64_t drift_ppb;
	int64_t real_wrong_ns;  /* its time of day is so much ahead of the true one */
};
#define WORLD_DAY_NS INT64_C(86400000000000)
#define WORLD_REAL_NS INT64_C(1700000000000000000)

static inline uint64_t world_draw(struct world *world, uint64_t below)
{
	world->random += UINT64_C(0x9E3779B97F4A7C15);
	return mix64(world->random) % below;
}

static inline bool world_chance(struct world *world, unsigned percent)
{
	return world_draw(world, 100) < percent;
}

/* --- what happens -------------------------------------------------------------------------------------------------------- */

static inline struct trace_event *world_add(struct world *world, int rank, enum trace_kind kind, int peer, int64_t position, uint64_t value)
{
	struct world_rank *of = &world->of[rank];
	struct trace_event *event = &of->events[of->count < WORLD_EVENTS ? of->count++ : WORLD_EVENTS - 1];

	world->now += 1 + (int64_t)world_draw(world, 2000);
	*event = (struct trace_event){ .ns = world->now, .kind = (uint8_t)kind, .comm = TRACE_NO_COMM, .peer = peer, .position = position, .value = value };
	return event;
}

static inline struct trace_event *world_add_letter(struct world *world, int rank, enum trace_kind kind, const struct world_letter *letter)
{
	const int64_t base = world->sent_at_cut[world->of[rank].rebased][letter->from][letter->to][letter->tag];
	struct trace_event *event = world_add(world, rank, kind, kind == TRACE_SEND ? letter->to : letter->from, letter->position - base, 100 + letter->tag);

	event->comm = 0;
	event->tag = letter->tag;
	if (kind == TRACE_SEND)
		event->text = 1;
	return event;
}

static inline void world_send(struct world *world, int rank)
{
	struct world_letter *letter = &world->letters[world->letter_count];

	if (world->letter_count == WORLD_MESSAGES)
		return;
	world->letter_count++;
	*letter = (struct world_letter){ .from = rank, .to = (int)world_draw(world, (uint64_t)world->ranks), .tag = (uint32_t)world_draw(world, WORLD_TAGS), .told_ns = -1 };
	letter->position = ++world->of[rank].sent[letter->to][letter->tag];
	letter->sent_ns = world_add_letter(world, rank, TRACE_SEND, letter)->ns;
}

/* Whether something is after a rank's cut of a snapshot. */
static inline bool world_is_after(const struct world *world, int epoch, int rank, int64_t ns)
{
	return world->cut_ns[epoch][rank] && ns > world->cut_ns[epoch][rank];
}

static inline bool world_is_late(const struct world *world, int epoch, const struct world_letter *letter)
{
	return !world_is_after(world, epoch, letter->from, letter->sent_ns) && world->cut_ns[epoch][letter->to] &&
	       (letter->told_ns < 0 || world_is_after(world, epoch, letter->to, letter->told_ns));
}

static inline bool world_makes_orphan(const struct world *world, const struct world_letter *letter)
{
	for (int epoch = 1; epoch <= world->epochs; epoch++)
		if (world_is_after(world, epoch, letter->from, letter->sent_ns) && !world->cut_ns[epoch][letter->to])
			return true;
	return false;
}

/* One that has been on the way, of those for this rank that nobody has received. */
static inline struct world_letter *world_find(struct world *world, int rank)
{
	size_t start = world->letter_count ? world_draw(world, world->letter_count) : 0;

	for (size_t i = 0; i < world->letter_count; i++) {
		struct world_letter *letter = &world->letters[(start + i) % world->letter_count];

		if (letter->to == rank && letter->told_ns < 0 && !(world->waits && world_makes_orphan(world, letter)))
			return letter;
	}
	return NULL;
}

static inline void world_record(struct world *world, struct world_letter *letter, uint64_t turn)
{
	const int epoch = world->of[letter->to].epoch;

	if (letter->recorded == epoch)
		return;
	world_add_letter(world, letter->to, TRACE_RECORDED, letter)->turn = turn;
	letter->recorded = epoch;
}

static inline void world_receive(struct world *world, int rank)
{
	struct world_letter *letter = world_find(world, rank);
	struct trace_event *event;

	if (!letter)
		return;
	event = world_add_letter(world, rank, TRACE_TOLD, letter);
	event->turn = ++world->of[rank].turn;
	event->flags = letter->drained ? TRACE_MAIL : 0;
	letter->told_ns = event->ns;
	/* Recorded when the marker is here: whether it is late is known then. */
	if (world_is_late(world, world->of[rank].epoch, letter) && world->of[rank].phase < 5 && (world->of[rank].heads >> letter->from & 1))
		world_record(world, letter, event->turn);
}

/* --- the snapshot ---------------------------------------------------------------------------------------------------------- */

static inline uint32_t world_all_but(const struct world *world, int rank)
{
	return ((1u << world->ranks) - 1) & ~(1u << rank);
}

static inline bool world_all_reached(const struct world *world, int epoch, int phase)
{
	for (int rank = 0; rank < world->ranks; rank++)
		if (world->of[rank].epoch < epoch || (world->of[rank].epoch == epoch && world->of[rank].phase < phase))
			return false;
	return true;
}

static inline void world_alert(struct world *world, int rank)
{
	const struct world_rank *root = &world->of[world->root];
	const uint64_t epoch = (uint64_t)world->of[rank].epoch;

	if (rank != world->root) {
		if (root->epoch < (int)epoch || (root->epoch == (int)epoch && !root->phase))
			return;
		world_add(world, rank, TRACE_ORDER_CAME, world->root, 0, TRACE_ORDER_ANNOUNCE)->turn = epoch;
	}
	world_add(world, rank, TRACE_ALERT, -1, 0, epoch)->turn = epoch;
	for (int other = 0; rank == world->root && other < world->ranks; other++)
		if (other != rank)
			world_add(world, rank, TRACE_ORDER_SENT, other, 0, TRACE_ORDER_ANNOUNCE)->turn = epoch;
	world->of[rank].phase = 1;
}

static inline void world_cut(struct world *world, int rank)
{
	const int epoch = world->of[rank].epoch;

	world_add(world, rank, TRACE_CAPTURE, -1, 0, 0);
	world_add(world, rank, TRACE_CAPTURED, -1, 0, 0);
	world->cut_ns[epoch][rank] = world_add(world, rank, TRACE_CUT, -1, -1, (uint64_t)epoch)->ns;
	memcpy(world->sent_at_cut[epoch][rank], world->of[rank].sent, sizeof world->sent_at_cut[epoch][rank]);
	for (int to = 0; to < world->ranks; to++)
		for (uint32_t tag = 0; tag < WORLD_TAGS; tag++) {
			const int64_t sent = world->of[rank].sent[to][tag] - world->sent_at_cut[world->of[rank].rebased][rank][to][tag];
			struct trace_event *event = sent ? world_add(world, rank, TRACE_MARKED, to, sent, 0) : NULL;

			if (event) {
				event->comm = 0;
				event->tag = tag;
			}
		}
	for (int to = 0; to < world->ranks; to++)
		if (to != rank)
			world_add(world, rank, TRACE_MARKER_SENT, to, 0, (uint64_t)epoch);
	world_add(world, rank, TRACE_GOES_ON, -1, 0, 0);
	world->of[rank].phase = 2;
}

static inline void world_take_marker(struct world *world, int rank)
{
	struct world_rank *of = &world->of[rank];
	int from = (int)world_draw(world, (uint64_t)world->ranks);

	if (from == rank || !world->cut_ns[of->epoch][from] || (of->heads >> from & 1))
		return;
	world_add(world, rank, TRACE_HEAD_CAME, from, 0, (uint64_t)of->epoch);
	world_add(world, rank, TRACE_COUNTS_CAME, from, 0, (uint64_t)of->epoch);
	of->heads |= 1u << from;
}

/* Whatever is late and not told is drained; what is late and was told before its marker was here is recorded. */
static inline void world_close(struct world *world, int rank)
{
	for (size_t i = 0; i < world->letter_count; i++) {
		struct world_letter *letter = &world->letters[i];

		if (letter->to != rank || !world_is_late(world, world->of[rank].epoch, letter))
			continue;
		if (letter->told_ns < 0 && !letter->drained) {
			world_add_letter(world, rank, TRACE_DRAINED, letter)->turn = ++world->of[rank].turn;
			letter->drained = true;
		}
		world_record(world, letter, world->of[rank].turn);
	}
	world_add(world, rank, TRACE_CLOSED, -1, 0, 0);
	world->of[rank].phase = 5;
}

static inline void world_end(struct world *world, int rank)
{
	struct world_rank *of = &world->of[rank];

	world_add(world, rank, TRACE_VERDICT_DONE, -1, 0, 0);
	world_add(world, rank, TRACE_REBASED, -1, 0, (uint64_t)of->epoch);
	of->rebased = of->epoch;
	world_add(world, rank, TRACE_OUTCOME, -1, 0, (uint64_t)of->epoch);
	of->phase = of->epoch < world->epochs ? 0 : 7;
	of->heads = of->phase ? of->heads : 0;
	of->epoch += !of->phase;
}

static inline void world_go_on(struct world *world, int rank)
{
	struct world_rank *of = &world->of[rank];

	if (of->phase && of->phase < 3)
		world_take_marker(world, rank);
	if (of->phase == 0)
		world_alert(world, rank);
	else if (of->phase == 1)
		world_cut(world, rank);
	else if (of->phase == 2 && of->heads == world_all_but(world, rank)) {
		world_add(world, rank, TRACE_BARRIER, -1, 0, 0);
		of->phase = 3;
	} else if (of->phase == 3 && world_all_reached(world, of->epoch, 3)) {
		world_add(world, rank, TRACE_BARRIER_DONE, -1, 0, 0);
		of->phase = 4;
	} else if (of->phase == 4) {
		world_close(world, rank);
	} else if (of->phase == 5) {
		world_add(world, rank, TRACE_VERDICT, -1, 0, 0);
		of->phase = 6;
	} else if (of->phase == 6 && world_all_reached(world, of->epoch, 6)) {
		world_end(world, rank);
	}
}

/* As a rank whose trace is over: it does nothing more. */
static inline void world_turn(struct world *world, int rank, unsigned snapshot)
{
	if (world->of[rank].phase == 7)
		return;
	/* Long enough for clocks that drift to part by more than a message takes. */
	if (world_chance(world, 1))
		world->now += (int64_t)world_draw(world, 50000000);
	if (world_chance(world, snapshot))
		world_go_on(world, rank);
	else if (world_chance(world, 55))
		world_send(world, rank);
	else
		world_receive(world, rank);
}

static inline void world_count(struct world *world)
{
	for (size_t i = 0; i < world->letter_count; i++) {
		const struct world_letter *letter = &world->letters[i];

		world->late += world_is_late(world, world->epochs, letter);
		world->orphans += world_is_after(world, world->epochs, letter->from, letter->sent_ns) && letter->told_ns >= 0 &&
				  !world_is_after(world, world->epochs, letter->to, letter->told_ns);
	}
	world->is_void = world->orphans > 0;
	for (int rank = 0; rank < world->ranks; rank++)
		if (world->is_void)
			world->of[rank].events[world->of[rank].count - 1].flags = TRACE_VOID;
}

static inline void world_run(struct world *world, uint64_t seed)
{
	memset(world, 0, sizeof *world);
	world->random = mix64(seed);
	world->ranks = 2 + (int)world_draw(world, WORLD_RANKS - 1);
	world->nodes = 1 + (int)world_draw(world, (uint64_t)world->ranks);
	world->root = (int)world_draw(world, (uint64_t)world->ranks);
	world->now = 1;
	world->waits = seed % 4 > 0;
	world->epochs = 1 + (int)world_draw(world, WORLD_EPOCHS);
	for (int rank = 0; rank < world->ranks; rank++) {
		world->of[rank].epoch = 1;
		world->node[rank] = (int)world_draw(world, (uint64_t)world->nodes);
	}
	for (int turn = 20 * world->ranks; turn--;)
		world_turn(world, (int)world_draw(world, (uint64_t)world->ranks), 0);
	/* It goes quickly or slowly. */
	for (unsigned snapshot = 10 + (unsigned)world_draw(world, 60); !world_all_reached(world, world->epochs, 7);)
		world_turn(world, (int)world_draw(world, (uint64_t)world->ranks), snapshot);
	world_count(world);
}

/* --- the traces ------------------------------------------------------------------------------------------------------------ */

static inline int64_t world_own_ns(const struct world_clock *clock, int64_t true_ns)
{
	return clock->offset_ns + true_ns + (int64_t)((__int128)true_ns * clock->drift_ppb / 1000000000);
}

/* A file of a rank, in memory; events are the caller's. */
static inline struct trace_file world_file(const struct world *world, int rank, const struct world_clock *clocks, struct trace_event *events)
{
	static struct trace_comm comm = { "world", "" };
	static struct trace_text call = { "MPI_Isend" };
	const struct world_clock *clock = &clocks[world->node[rank]];
	const struct world_rank *of = &world->of[rank];
	struct trace_file file = {
		.run = { 7 }, .number = 1, .nonce = 5, .epoch = (uint64_t)world->epochs, .life = 1, .rank = (uint32_t)rank, .ranks = (uint32_t)world->ranks, .clock = (uint64_t)world->node[rank] + 1,
		.comms = &comm, .comm_count = 1, .texts = &call, .text_count = 1, .events = events, .event_count = of->count,
	};

	memcpy(events, of->events, of->count * sizeof *events);
	for (size_t i = 0; i < of->count; i++)
		events[i].ns = world_own_ns(clock, events[i].ns);
	/* Asked at the end, as a rank does. */
	file.real_ns = WORLD_REAL_NS + world->now + clock->real_wrong_ns - world_own_ns(clock, world->now);
	return file;
}

/* false: it could not be written. */
static inline bool world_put(const struct trace_file *file, const char *folder)
{
	struct bytes_out out = { 0 };
	char path[400];
	FILE *to;
	bool fine;

	snprintf(path, sizeof path, "%s/trace", folder);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/trace/%07" PRIu64 ".L01", folder, file->number);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/trace/%07" PRIu64 ".L01/rank-%05" PRIu32 ".trace", folder, file->number, file->rank);
	trace_put(&out, file);
	to = fopen(path, "w");
	fine = to && !out.failed && fwrite(out.data, out.size, 1, to) == 1;
	if (to)
		fine = !fclose(to) && fine;
	bytes_free(&out);
	return fine;
}

#endif
