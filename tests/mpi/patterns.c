/* SPDX-License-Identifier: BSD-3-Clause */
/* The traffic of real programs, one pattern after the other, each its own oracle: patterns none|event|step AMOUNT [PATTERN...].
 *
 * none: an unchanged program, which makes no call of Seamark. event, step: with safepoints, of a program without and with steps; step leaves out what has
 * no steps in common. AMOUNT multiplies the rounds. Every message has contents and a size that follow from its source, target and number, so the
 * receiver knows what must come; what else a pattern promises is checked in it. Prints a digest of all that was received, which depends on the
 * number of ranks and on AMOUNT only. */
#include <inttypes.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seamark.h"

enum { RANKS_MOST = 64, WORDS_MOST = 32768, POOL = 8, SENDS = 4, CELLS = 16, TOKENS = 3 };

static int rank, ranks;
static MPI_Comm comm;            /* the pattern's */
static const char *pattern = "";
static char kind;                /* 'n', 'e', 's' */
static struct {
	int64_t step;
	uint64_t digest, received;
} state;                         /* protected */

static void wrong(const char *what, uint64_t is, uint64_t should_be)
{
	fprintf(stderr, "patterns: WRONG: %s, rank %d: %s is %" PRIu64 " and not %" PRIu64 "\n", pattern, rank, what, is, should_be);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void expect(const char *what, uint64_t is, uint64_t should_be)
{
	if (is != should_be)
		wrong(what, is, should_be);
}

/* The top of a round: what was received is in `state`. */
static void point(void)
{
	int result = 0;
	if (kind == 'e')
		result = seamark_safepoint(SEAMARK_ANY_STEP);
	else if (kind == 's')
		result = seamark_safepoint(state.step++);
	if (result < 0)
		wrong("the safepoint's result", (uint64_t)-result, 0);
}

/* --- messages ----------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x += 0x9E3779B97F4A7C15u;
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
	return x ^ (x >> 31);
}

static uint64_t draw(uint64_t a, uint64_t b, uint64_t c)
{
	return mix(mix(mix(a) + b) + c);
}

/* The words of a message: mostly few, none, and up to 256 KiB, which is far beyond what is sent eagerly. */
static int words_of(int from, int to, uint64_t number)
{
	uint64_t drawn = draw((uint64_t)from, (uint64_t)to, number), kind_of = drawn % 64;
	if (kind_of == 0)
		return (int)(drawn >> 8) & (WORDS_MOST - 1);
	if (kind_of < 4)
		return 256 + (int)((drawn >> 8) & 4095);
	return kind_of < 8 ? 0 : (int)((drawn >> 8) & 63);
}

static int fill(uint64_t *words, int to, uint64_t number)
{
	int count = words_of(rank, to, number);
	uint64_t first = draw((uint64_t)rank, number, (uint64_t)to);
	for (int i = 0; i < count; i++)
		words[i] = first + (uint64_t)i * 0x100000001B3u;
	return count;
}

static void check(const uint64_t *words, const MPI_Status *status, int from, int tag, uint64_t number)
{
	int count;
	uint64_t first = draw((uint64_t)from, number, (uint64_t)rank);
	MPI_Get_count(status, MPI_UINT64_T, &count);
	expect("a message's source", (uint64_t)status->MPI_SOURCE, (uint64_t)from);
	expect("a message's tag", (uint64_t)status->MPI_TAG, (uint64_t)tag);
	expect("a message's size", (uint64_t)count, (uint64_t)words_of(from, rank, number));
	for (int i = 0; i < count; i++)
		expect("a message's contents", words[i], first + (uint64_t)i * 0x100000001B3u);
	state.digest += draw((uint64_t)from * RANKS_MOST + (uint64_t)rank, (uint64_t)tag, number);
	state.received++;
}

static uint64_t *buffers(int count)
{
	uint64_t *words = malloc((size_t)count * WORDS_MOST * sizeof *words);
	if (!words)
		MPI_Abort(MPI_COMM_WORLD, 2);
	return words;
}

/* --- halo exchange: receives for the next step are pending while this one is computed ---------------------------------------- */

struct halo {
	uint64_t cells[CELLS + 2], in[2][2], out[2][2]; /* by parity of the step, and side */
	MPI_Request receives[2][2], sends[2][2];
};

static void halo_post(struct halo *halo, int parity, bool persistent)
{
	int side_rank[2] = {(rank + ranks - 1) % ranks, (rank + 1) % ranks};
	for (int side = 0; side < 2; side++)
		if (persistent)
			MPI_Start(&halo->receives[parity][side]);
		else
			MPI_Irecv(&halo->in[parity][side], 1, MPI_UINT64_T, side_rank[side], 1 - side, comm, &halo->receives[parity][side]);
}

static void halo_send(struct halo *halo, int parity, bool persistent)
{
	int side_rank[2] = {(rank + ranks - 1) % ranks, (rank + 1) % ranks};
	halo->out[parity][0] = halo->cells[1];
	halo->out[parity][1] = halo->cells[CELLS];
	for (int side = 0; side < 2 && !persistent; side++)
		MPI_Isend(&halo->out[parity][side], 1, MPI_UINT64_T, side_rank[side], side, comm, &halo->sends[parity][side]);
	if (persistent)
		MPI_Startall(2, halo->sends[parity]);
}

/* Every way of waiting has its turn. */
static void halo_wait(MPI_Request *requests, uint64_t step)
{
	int done = 0, indices[2], index, count;
	switch (step % 4) {
	case 0: MPI_Waitall(2, requests, MPI_STATUSES_IGNORE); return;
	case 1:
		while (!done)
			MPI_Testall(2, requests, &done, MPI_STATUSES_IGNORE);
		return;
	case 2:
		for (; done < 2; done++)
			MPI_Waitany(2, requests, &index, MPI_STATUS_IGNORE);
		return;
	default:
		for (; done < 2; done += count)
			MPI_Waitsome(2, requests, &count, indices, MPI_STATUSES_IGNORE);
	}
}

static void halo_next(uint64_t *cells, size_t count)
{
	uint64_t before = cells[0];
	for (size_t i = 1; i <= count; i++) {
		uint64_t here = cells[i];
		cells[i] = 3 * before + 5 * here + 7 * cells[i + 1];
		before = here;
	}
}

/* The whole ring of cells on one rank. */
static void halo_compare(const struct halo *halo, uint64_t steps)
{
	size_t count = (size_t)ranks * CELLS;
	static uint64_t all[RANKS_MOST * CELLS + 2];
	for (size_t i = 1; i <= count; i++)
		all[i] = mix(i - 1);
	for (uint64_t step = 0; step < steps; step++) {
		all[0] = all[count];
		all[count + 1] = all[1];
		halo_next(all, count);
	}
	for (size_t i = 1; i <= CELLS; i++) {
		expect("a cell", halo->cells[i], all[(size_t)rank * CELLS + i]);
		state.digest += halo->cells[i];
	}
}

static void run_halo(uint64_t rounds, bool persistent)
{
	struct halo halo;
	int side_rank[2] = {(rank + ranks - 1) % ranks, (rank + 1) % ranks};
	for (size_t i = 1; i <= CELLS; i++)
		halo.cells[i] = mix((size_t)rank * CELLS + i - 1);
	for (int parity = 0; parity < 2; parity++)
		for (int side = 0; side < 2 && persistent; side++) {
			MPI_Recv_init(&halo.in[parity][side], 1, MPI_UINT64_T, side_rank[side], 1 - side, comm, &halo.receives[parity][side]);
			MPI_Send_init(&halo.out[parity][side], 1, MPI_UINT64_T, side_rank[side], side, comm, &halo.sends[parity][side]);
		}
	halo_post(&halo, 0, persistent);
	for (uint64_t step = 0; step < rounds; step++) {
		int parity = step % 2;
		point();
		halo_send(&halo, parity, persistent);
		if (step + 1 < rounds)
			halo_post(&halo, 1 - parity, persistent);
		halo_wait(halo.receives[parity], step);
		halo_wait(halo.sends[parity], step + 1);
		halo.cells[0] = halo.in[parity][0];
		halo.cells[CELLS + 1] = halo.in[parity][1];
		halo_next(halo.cells, CELLS);
	}
	for (int parity = 0; parity < 2 && persistent; parity++)
		for (int side = 0; side < 2; side++) {
			MPI_Request_free(&halo.receives[parity][side]);
			MPI_Request_free(&halo.sends[parity][side]);
		}
	halo_compare(&halo, rounds);
}

static void halo(uint64_t rounds)
{
	run_halo(rounds, false);
}

static void halo_persistent(uint64_t rounds)
{
	run_halo(rounds, true);
}

/* --- master and workers: wildcards; a task goes to whoever answers --------------------------------------------------------- */

enum { TASK = 1, ANSWER = 2, LEAVE = 3 };

static void work(void)
{
	uint64_t task, answer[2];
	MPI_Status status;
	for (;;) {
		point();
		MPI_Recv(&task, 1, MPI_UINT64_T, 0, MPI_ANY_TAG, comm, &status);
		if (status.MPI_TAG == LEAVE)
			return;
		answer[0] = task;
		answer[1] = mix(task);
		MPI_Send(answer, 2, MPI_UINT64_T, 0, ANSWER, comm);
	}
}

static void give(uint64_t *next, uint64_t tasks, int to)
{
	MPI_Send(next, 1, MPI_UINT64_T, to, *next < tasks ? TASK : LEAVE, comm);
	*next += *next < tasks;
}

static void rule(uint64_t tasks)
{
	uint64_t next = 0, answer[2];
	unsigned char *seen = calloc(tasks, 1);
	if (!seen)
		MPI_Abort(MPI_COMM_WORLD, 2);
	/* Each worker has two tasks at a time, so that messages are always under way. */
	for (int turn = 0; turn < 2; turn++)
		for (int to = 1; to < ranks; to++)
			if (next < tasks)
				give(&next, tasks, to);
	for (uint64_t answers = 0; answers < tasks; answers++) {
		MPI_Status status;
		point();
		MPI_Recv(answer, 2, MPI_UINT64_T, MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &status);
		expect("the tag of an answer", (uint64_t)status.MPI_TAG, ANSWER);
		if (answer[0] >= tasks || seen[answer[0]]++)
			wrong("a task that was answered twice", answer[0], tasks);
		expect("an answer", answer[1], mix(answer[0]));
		state.digest += answer[1];
		if (next < tasks)
			give(&next, tasks, status.MPI_SOURCE);
	}
	for (int to = 1; to < ranks; to++)
		give(&next, tasks, to);
	free(seen);
}

static void workers(uint64_t rounds)
{
	uint64_t tasks = 2 * rounds;
	if (ranks == 1)
		return;
	if (rank == 0)
		rule(tasks);
	else
		work();
}

/* --- pipeline: blocking; the last rank knows what must come out -------------------------------------------------------------- */

static void pipeline(uint64_t rounds)
{
	for (uint64_t item = 0; item < rounds; item++) {
		uint64_t value = mix(item);
		point();
		if (rank > 0)
			MPI_Recv(&value, 1, MPI_UINT64_T, rank - 1, (int)(item % 7), comm, MPI_STATUS_IGNORE);
		value = mix(value + (uint64_t)rank);
		if (rank + 1 < ranks && item % 16 == 15)
			MPI_Ssend(&value, 1, MPI_UINT64_T, rank + 1, (int)(item % 7), comm);
		else if (rank + 1 < ranks)
			MPI_Send(&value, 1, MPI_UINT64_T, rank + 1, (int)(item % 7), comm);
		uint64_t known = mix(item);
		for (int stage = 0; stage <= rank; stage++)
			known = mix(known + (uint64_t)stage);
		expect("an item", value, known);
		state.digest += value;
	}
}

/* --- butterfly: exchanges over distances 1, 2, 4, ...; ranks beyond a power of two go through a partner ---------------------- */

static uint64_t add_everywhere(uint64_t value)
{
	int power = 1, distance;
	uint64_t other;
	while (2 * power <= ranks)
		power *= 2;
	if (rank >= power) {
		MPI_Send(&value, 1, MPI_UINT64_T, rank - power, 1, comm);
		MPI_Recv(&value, 1, MPI_UINT64_T, rank - power, 2, comm, MPI_STATUS_IGNORE);
		return value;
	}
	if (rank + power < ranks) {
		MPI_Recv(&other, 1, MPI_UINT64_T, rank + power, 1, comm, MPI_STATUS_IGNORE);
		value += other;
	}
	for (distance = 1; distance < power; distance *= 2) {
		if (distance % 3 == 1)
			MPI_Sendrecv(&value, 1, MPI_UINT64_T, rank ^ distance, 3, &other, 1, MPI_UINT64_T, rank ^ distance, 3, comm, MPI_STATUS_IGNORE);
		else {
			other = value;
			MPI_Sendrecv_replace(&other, 1, MPI_UINT64_T, rank ^ distance, 3, rank ^ distance, 3, comm, MPI_STATUS_IGNORE);
		}
		value += other;
	}
	if (rank + power < ranks)
		MPI_Send(&value, 1, MPI_UINT64_T, rank + power, 2, comm);
	return value;
}

static void butterfly(uint64_t rounds)
{
	for (uint64_t round = 0; round < rounds; round++) {
		uint64_t sum = 0;
		point();
		for (int other = 0; other < ranks; other++)
			sum += draw(round, (uint64_t)other, 0);
		expect("a sum", add_everywhere(draw(round, (uint64_t)rank, 0)), sum);
		state.digest += sum;
	}
}

/* --- all-to-all by messages --------------------------------------------------------------------------------------------- */

static void finish_sends(int count, MPI_Request *sends)
{
	int done = 0;
	while (!done)
		MPI_Testall(count, sends, &done, MPI_STATUSES_IGNORE);
}

static void all_to_all(uint64_t rounds)
{
	uint64_t *in = buffers(ranks), *out = buffers(ranks);
	MPI_Request receives[RANKS_MOST], sends[RANKS_MOST];
	MPI_Status statuses[RANKS_MOST];
	rounds = rounds / 4 + 1;
	for (uint64_t round = 0; round < rounds; round++) {
		point();
		for (int from = 0; from < ranks; from++)
			MPI_Irecv(in + from * WORDS_MOST, WORDS_MOST, MPI_UINT64_T, from, 5, comm, &receives[from]);
		for (int i = 0; i < ranks; i++) {
			int to = (rank + i) % ranks;
			int count = fill(out + to * WORDS_MOST, to, round);
			MPI_Isend(out + to * WORDS_MOST, count, MPI_UINT64_T, to, 5, comm, &sends[to]);
		}
		MPI_Waitall(ranks, receives, statuses);
		for (int from = 0; from < ranks; from++)
			check(in + from * WORDS_MOST, &statuses[from], from, 5, round);
		finish_sends(ranks, sends);
	}
	free(in);
	free(out);
}

/* --- token ring: several tokens, told apart by their tags, overtake each other -------------------------------------------------- */

static void ring(uint64_t rounds)
{
	uint64_t token, out[TOKENS] = {0}, laps[TOKENS] = {0};
	int right = (rank + 1) % ranks, left = (rank + ranks - 1) % ranks;
	MPI_Request sends[TOKENS] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL};
	for (int tag = 0; tag < TOKENS && rank == 0; tag++)
		MPI_Isend(&out[tag], 1, MPI_UINT64_T, right, tag, comm, &sends[tag]);
	for (uint64_t turn = 0; turn < TOKENS * rounds; turn++) {
		MPI_Status status;
		point();
		MPI_Recv(&token, 1, MPI_UINT64_T, turn % 2 ? left : MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &status);
		int tag = status.MPI_TAG;
		expect("a token's source", (uint64_t)status.MPI_SOURCE, (uint64_t)left);
		expect("a token", token, laps[tag]++ * (uint64_t)ranks + (uint64_t)left);
		MPI_Wait(&sends[tag], MPI_STATUS_IGNORE);
		out[tag] = token + 1;
		state.digest += token;
		if (rank != 0 || laps[tag] < rounds)
			MPI_Isend(&out[tag], 1, MPI_UINT64_T, right, tag, comm, &sends[tag]);
	}
	MPI_Waitall(TOKENS, sends, MPI_STATUSES_IGNORE);
}

/* --- sparse dynamic exchange: nobody knows who will send; synchronous sends and a non-blocking barrier ---------------------------- */

/* How many messages a rank sends to another in a round. */
static int sparse_count(uint64_t round, int from, int to)
{
	uint64_t drawn = draw(round, (uint64_t)from, (uint64_t)to) >> 5;
	return drawn % 3 == 0 ? (int)(drawn / 3 % 3) : 0;
}

static int sparse_send(uint64_t round, uint64_t *out, MPI_Request *sends)
{
	int sent = 0;
	for (int i = 1; i <= ranks; i++) {
		int to = (rank + i) % ranks;
		for (int number = 0; number < sparse_count(round, rank, to); number++, sent++) {
			int count = fill(out + sent * WORDS_MOST, to, round * 2 + (uint64_t)number);
			MPI_Issend(out + sent * WORDS_MOST, count, MPI_UINT64_T, to, (int)(round % 2), comm, &sends[sent]);
		}
	}
	return sent;
}

/* Receives one message if there is one, by probe and receive or by matched probe. */
static void sparse_take(uint64_t round, uint64_t *in, int *got)
{
	int found, tag = (int)(round % 2);
	MPI_Message message;
	MPI_Status status;
	if (round % 3 == 0)
		MPI_Improbe(MPI_ANY_SOURCE, tag, comm, &found, &message, &status);
	else
		MPI_Iprobe(MPI_ANY_SOURCE, tag, comm, &found, &status);
	if (!found)
		return;
	int from = status.MPI_SOURCE;
	if (round % 3 == 0)
		MPI_Mrecv(in, WORDS_MOST, MPI_UINT64_T, &message, &status);
	else
		MPI_Recv(in, WORDS_MOST, MPI_UINT64_T, from, tag, comm, &status);
	check(in, &status, from, tag, round * 2 + (uint64_t)got[from]++);
}

static void sparse(uint64_t rounds)
{
	uint64_t *in = buffers(1), *out = buffers(2 * ranks);
	MPI_Request sends[2 * RANKS_MOST];
	rounds = rounds / 4 + 1;
	for (uint64_t round = 0; round < rounds; round++) {
		MPI_Request barrier = MPI_REQUEST_NULL;
		int got[RANKS_MOST] = {0}, sent, done = 0;
		point();
		sent = sparse_send(round, out, sends);
		while (!done) {
			sparse_take(round, in, got);
			if (barrier != MPI_REQUEST_NULL) {
				MPI_Test(&barrier, &done, MPI_STATUS_IGNORE);
				continue;
			}
			int all;
			MPI_Testall(sent, sends, &all, MPI_STATUSES_IGNORE);
			if (all)
				MPI_Ibarrier(comm, &barrier);
		}
		for (int from = 0; from < ranks; from++)
			expect("the number of messages", (uint64_t)got[from], (uint64_t)sparse_count(round, from, rank));
	}
	free(in);
	free(out);
}

/* --- a pool of receives posted beforehand, from any source with any tag ------------------------------------------------------------ */

/* Of each source, what came by which posting: MPI matches in the order of posting. */
struct came {
	uint64_t posting, number;
};

static int by_posting(const void *a, const void *b)
{
	uint64_t left = ((const struct came *)a)->posting, right = ((const struct came *)b)->posting;
	return (left > right) - (left < right);
}

static int pool_target(int from, uint64_t number)
{
	return (int)(draw((uint64_t)from, number, 99) % (uint64_t)ranks);
}

struct pool {
	uint64_t *in, postings, posting[POOL], received;
	MPI_Request requests[POOL];
	struct came *came[RANKS_MOST];
	uint64_t count[RANKS_MOST];
};

static void pool_post(struct pool *pool, int slot)
{
	pool->posting[slot] = pool->postings++;
	MPI_Irecv(pool->in + slot * WORDS_MOST, WORDS_MOST, MPI_UINT64_T, MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &pool->requests[slot]);
}

static void pool_take(struct pool *pool, int slot, const MPI_Status *status)
{
	/* The number is not in the message, which may be empty: the tag tells it modulo 1000, and it is looked up at the end. */
	int from = status->MPI_SOURCE, count;
	MPI_Get_count(status, MPI_UINT64_T, &count);
	const uint64_t *words = pool->in + slot * WORDS_MOST;
	uint64_t first = count > 0 ? words[0] : 0;
	for (int i = 0; i < count; i++)
		expect("a message's contents", words[i], first + (uint64_t)i * 0x100000001B3u);
	pool->came[from][pool->count[from]++] = (struct came){pool->posting[slot], (uint64_t)status->MPI_TAG | (uint64_t)count << 16 | first << 40};
	pool->received++;
	pool_post(pool, slot);
}

static void pool_poll(struct pool *pool, bool wait)
{
	int count, indices[POOL];
	MPI_Status statuses[POOL];
	if (wait)
		MPI_Waitsome(POOL, pool->requests, &count, indices, statuses);
	else
		MPI_Testsome(POOL, pool->requests, &count, indices, statuses);
	for (int i = 0; i < count; i++)
		pool_take(pool, indices[i], &statuses[i]);
}

/* In the order of posting, each source's messages are those that it sent, in the order of sending. */
static void pool_judge(struct pool *pool, uint64_t messages)
{
	for (int from = 0; from < ranks; from++) {
		uint64_t at = 0;
		qsort(pool->came[from], pool->count[from], sizeof *pool->came[from], by_posting);
		for (uint64_t number = 0; number < messages; number++)
			if (pool_target(from, number) == rank) {
				uint64_t count = (uint64_t)words_of(from, rank, number);
				uint64_t first = count ? draw((uint64_t)from, number, (uint64_t)rank) : 0;
				if (at == pool->count[from])
					wrong("the number of messages", at, at + 1);
				expect("a message in its order", pool->came[from][at++].number, number % 1000 | count << 16 | first << 40);
				state.digest += draw((uint64_t)from, number, count);
			}
		expect("the number of messages", pool->count[from], at);
		free(pool->came[from]);
	}
}

/* A slot for a send: one that was never used, or whose send is complete. Negative: none. */
static int free_send(MPI_Request *sends)
{
	int slot, done;
	for (slot = 0; slot < SENDS; slot++)
		if (sends[slot] == MPI_REQUEST_NULL)
			return slot;
	MPI_Testany(SENDS, sends, &slot, &done, MPI_STATUS_IGNORE);
	return done ? slot : -1;
}

static void pool_cancel(struct pool *pool)
{
	for (int slot = 0; slot < POOL; slot++) {
		int cancelled;
		MPI_Status status;
		MPI_Cancel(&pool->requests[slot]);
		MPI_Wait(&pool->requests[slot], &status);
		MPI_Test_cancelled(&status, &cancelled);
		expect("a cancelled receive", (uint64_t)cancelled, 1);
	}
}

static void pool(uint64_t messages)
{
	struct pool pool = {.in = buffers(POOL)};
	uint64_t *out = buffers(SENDS), expected = 0, sent = 0;
	MPI_Request sends[SENDS] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL};
	for (int from = 0; from < ranks; from++) {
		pool.came[from] = malloc((size_t)(messages + 1) * sizeof(struct came));
		for (uint64_t number = 0; number < messages; number++)
			expected += pool_target(from, number) == rank;
	}
	for (int slot = 0; slot < POOL; slot++)
		pool_post(&pool, slot);
	while (pool.received < expected || sent < messages) {
		point();
		int slot = sent < messages ? free_send(sends) : -1;
		if (slot >= 0) {
			int to = pool_target(rank, sent), count = fill(out + slot * WORDS_MOST, to, sent);
			MPI_Isend(out + slot * WORDS_MOST, count, MPI_UINT64_T, to, (int)(sent % 1000), comm, &sends[slot]);
			sent++;
		}
		pool_poll(&pool, sent == messages && pool.received < expected);
	}
	MPI_Waitall(SENDS, sends, MPI_STATUSES_IGNORE);
	MPI_Barrier(comm);
	expect("the number of messages", pool.received, expected);
	pool_cancel(&pool);
	pool_judge(&pool, messages);
	free(pool.in);
	free(out);
}

/* --- all of them -------------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(uint64_t rounds);
	bool steps;          /* each rank passes every round */
	unsigned rounds;     /* at AMOUNT 1 */
} patterns[] = {
	{"halo", halo, true, 400},
	{"halo-persistent", halo_persistent, true, 400},
	{"workers", workers, false, 400},
	{"pipeline", pipeline, true, 800},
	{"butterfly", butterfly, true, 400},
	{"all-to-all", all_to_all, true, 240},
	{"ring", ring, true, 120},
	{"sparse", sparse, true, 160},
	{"pool", pool, false, 400},
};

static bool wanted(size_t index, int argc, char **argv)
{
	if (kind == 's' && !patterns[index].steps)
		return false;
	for (int i = 3; i < argc; i++)
		if (strcmp(argv[i], patterns[index].name) == 0)
			return true;
	return argc <= 3;
}

/* What was received in all, and nothing is left. */
static void finish(MPI_Comm *comms)
{
	uint64_t all[2] = {state.digest, state.received};
	int left;
	MPI_Barrier(MPI_COMM_WORLD);
	for (int i = 0; i < 3; i++) {
		MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comms[i], &left, MPI_STATUS_IGNORE);
		expect("a message that nobody received", (uint64_t)left, 0);
	}
	MPI_Allreduce(MPI_IN_PLACE, all, 2, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
	if (rank == 0)
		printf("patterns: digest %016" PRIx64 "\n", all[0]);
}

int main(int argc, char **argv)
{
	MPI_Comm comms[3] = {MPI_COMM_WORLD};
	uint64_t amount = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	int world_rank;

	MPI_Init(&argc, &argv);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	MPI_Comm_rank(MPI_COMM_WORLD, &world_rank);
	rank = world_rank;
	if (amount == 0 || ranks > RANKS_MOST || !strchr("nes", argv[1][0])) {
		fprintf(stderr, "usage: patterns none|event|step AMOUNT [PATTERN...]\n");
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	kind = argv[1][0];
	MPI_Comm_dup(MPI_COMM_WORLD, &comms[1]);
	MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &comms[2]); /* the other way round */
	if (kind != 'n' && (seamark_protect("state", &state, sizeof state) < 0 || seamark_restore(NULL) != SEAMARK_FRESH))
		MPI_Abort(MPI_COMM_WORLD, 2);
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
		if (wanted(i, argc, argv)) {
			double begin = MPI_Wtime();
			pattern = patterns[i].name;
			comm = comms[i % 3];
			MPI_Comm_rank(comm, &rank);
			patterns[i].run(patterns[i].rounds * amount);
			if (world_rank == 0)
				fprintf(stderr, "patterns: %s: %.0f ms\n", pattern, (MPI_Wtime() - begin) * 1e3);
		}
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	finish(comms);
	MPI_Comm_free(&comms[1]);
	MPI_Comm_free(&comms[2]);
	MPI_Finalize();
	return 0;
}
