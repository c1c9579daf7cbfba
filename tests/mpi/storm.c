/* SPDX-License-Identifier: BSD-3-Clause */
/* Random MPI traffic whose only purpose is to catch a wrong checkpoint: storm --kind event|step --seed S --work N [--without ABC] [--only ABC].
 *
 * What a rank does next is a function of its protected state (a generator, counts, the receives that it owes to post, the plan of what it does
 * next) and of the messages it gets. Every message carries its stream's serial number, its sender's vector clock and content made from
 * both. So a wrong checkpoint cannot hide:
 *
 * - a message that is lost, doubled or out of its stream's order: the serial numbers of a stream come without a gap, and in the order in which
 *   their receives were posted;
 * - an orphan, also one by way of third ranks: after a restart no rank's clock knows more of another than that one knows itself;
 * - a synchronous send that is known to be complete, and its message not taken: after a restart each such one was seen, or has a receive posted;
 * - a message of a timeline that was cut off: contents depend on the life that sent them, and the digests of what was sent and seen are compared;
 * - a collective made twice or not at all: their counts are compared after a restart.
 *
 * event: safepoints with no step in common. A plan is made, then comes the safepoint, then the plan is carried out: between the safepoint and the MPI
 *        call that closes it nothing of the state is touched. Receives stay posted over safepoints; after a restart they are posted again.
 *        Nobody hangs: a rank blocks only in a send to a lower rank, or for a receive that an answer from a lower rank or from itself will end.
 * step:  who sends what to whom in which step is known to both, so that the digest of all that was received must be that of any other run.
 *
 * Exit status 0: all was right. Else the finding is on standard error, and the run is aborted. */
#include <mpi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "seamark.h"

enum {
	RANKS_MOST = 8,
	WORLD = 0, DUP, HALF, BRIDGE, CART, SELF, COMMS,
	TAG_EMPTY = 4, TAGS, TAG_NEVER = 77, /* messages with TAG_EMPTY have no bytes; nobody sends with TAG_NEVER */
	PENDING_MOST = 64, OUTBOX = 128, AHEAD_WORDS = 4, RING = 16,
	GRAIN = 16, LARGEST = 1 << 20, EAGER = 900, /* what a blocking send never waits with, also to oneself */
	BUFFERED_MOST = 200, BUFFERED_ROOM = 4 << 20
};

/* What a run does beside the simplest; chosen by the seed. */
enum {
	USE_PENDING = 1 << 0,      /* a  receives posted in one turn and told in a later one */
	USE_LARGE = 1 << 1,        /* b  more than eager */
	USE_TYPES = 1 << 2,        /* c  derived datatypes */
	USE_MODES = 1 << 3,        /* d  buffered, ready, Sendrecv */
	USE_SYNCHRONOUS = 1 << 4,  /* e  Issend */
	USE_BLOCKING = 1 << 5,     /* f  blocks in waits, receives, probes and large sends */
	USE_COLLECTIVES = 1 << 6,  /* g  blocking collectives, communicators made and freed */
	USE_ICOLLECTIVES = 1 << 7, /* h  non-blocking ones */
	USE_LAZY = 1 << 8,         /* i  receives seldom */
	USE_AHEAD = 1 << 9,        /* j  receives tested ahead of the step */
	USE_CANCEL = 1 << 10,      /* k  cancelled and freed receives, get_status */
	USE_SSEND = 1 << 11,       /* l  blocking synchronous sends */
	USE_ALL = (1 << 12) - 1
};

enum what { DATA, PING, PONG, DONE };
enum layout { BYTES, STRIPES, BOTTOM, LAYOUTS };
enum mode { ISEND, SEND, BSEND, IBSEND, RSEND, ISSEND, SSEND, SENDRECV, REPLACE };
enum kind {
	NOTHING, SEND_ONE, SEND_DONE, PROBE, PROBE_ONLY, RECEIVE_SELF, BLOCK_PROBE, BLOCK_RECEIVE, BLOCK_WAIT, TEST, OUTBOX_TEST, CANCEL, ASK,
	NOWHERE, FREED, COLLECTIVE, ICOLLECTIVE, EXCHANGE
};

struct header {
	uint32_t magic;
	uint16_t comm, tag;
	uint16_t source, destination; /* in the communicator */
	uint16_t what, answer_tag;
	uint64_t serial, salt, bytes;
	uint64_t clock[RANKS_MOST];
	uint64_t check;
};
#define MAGIC 0x53544f52u
#define MOST (sizeof(struct header) + LARGEST)

struct outgoing {
	uint64_t sent, digest, synchronous; /* the highest serial whose synchronous send is known to be complete */
};

struct incoming {
	uint64_t seen, digest, count;  /* all serials up to `seen` were seen; and `count` in all */
	uint64_t ahead[AHEAD_WORDS];   /* bit i: serial seen + 1 + i */
	uint32_t posts[RING], serials[RING];
	uint32_t ring;
};

struct obligation { /* a receive to be posted, in this order */
	int comm, source, tag, layout, slot;
	uint32_t post;
	int64_t due;
};

struct plan {
	enum kind kind;
	enum mode mode;
	enum what what;
	enum layout layout;
	int comm, peer, tag, bytes, which, how, nap_us;
};

static struct state {
	uint64_t random;
	int64_t step, left, done; /* sends that are left and done */
	uint64_t clock[RANKS_MOST];
	struct outgoing out[COMMS][TAGS][RANKS_MOST];
	struct incoming in[COMMS][TAGS][RANKS_MOST];
	uint64_t expected[COMMS][TAGS][RANKS_MOST];
	struct obligation pending[PENDING_MOST];
	int pending_count;
	uint32_t posts;
	struct plan plan;
	int phase, dones_sent, dones_seen, pings, owed[RANKS_MOST], owed_tag[RANKS_MOST];
	uint64_t collectives[COMMS], collectives_all, icollectives_begun, icollectives_done;
	uint64_t digest, messages;
} state;

/* Not protected: what does not survive. */
static int rank, ranks, uses, patience;
static uint64_t seed, life;
static bool deterministic;
static MPI_Comm comms[COMMS], quiet;
static int sizes[COMMS], self_of[COMMS], peer_ranks[COMMS][RANKS_MOST];
static MPI_Request posted[PENDING_MOST], sending[OUTBOX];
static bool slot_used[PENDING_MOST], is_posted[PENDING_MOST];
static unsigned char *slot_buffer[PENDING_MOST], *linear, *scratch, *taking;
static struct sending {
	unsigned char *bytes;
	struct outgoing *synchronous;
	uint64_t serial;
} sent_with[OUTBOX];
static int buffered;
static void *buffered_room;
static MPI_Request icollective = MPI_REQUEST_NULL;
static uint64_t iresult[RANKS_MOST], isource[RANKS_MOST];

/* --- small things ----------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t value = a * UINT64_C(0x9E3779B97F4A7C15) + b + UINT64_C(0x7F4A7C159E3779B9);
	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

static uint64_t draw_from(uint64_t *generator)
{
	return mix(*generator += UINT64_C(0x9E3779B97F4A7C15), 1);
}

static int draw(int below)
{
	return (int)(draw_from(&state.random) % (uint64_t)below);
}

static bool chance(int percent)
{
	return draw(100) < percent;
}

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *format, ...)
{
	va_list arguments;
	char text[512];
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	fprintf(stderr, "storm: WRONG: rank %d of %d, seed %llu, uses %x, step %lld, sent %lld: %s\n", rank, ranks, (unsigned long long)seed, uses,
		(long long)state.step, (long long)state.done, text);
	fflush(stderr);
	MPI_Abort(MPI_COMM_WORLD, 9);
	abort();
}

static const char *const comm_names[COMMS] = {"world", "dup", "half", "bridge", "cart", "self"};

/* An open safepoint is closed by a call that finds nothing. */
static void close_safepoint(void)
{
	int found;
	MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, quiet, &found, MPI_STATUS_IGNORE);
	if (found)
		wrong("a message on a communicator that nobody sends on");
}

/* --- messages ---------------------------------------------------------------------------------------------------------------- */

static void fill(unsigned char *body, size_t bytes, uint64_t salt)
{
	for (size_t i = 0; i + 8 <= bytes; i += 8) {
		uint64_t word = mix(salt, i);
		memcpy(body + i, &word, 8);
	}
}

static uint64_t header_check(const struct header *header)
{
	uint64_t sum = 0;
	const uint64_t *words = (const uint64_t *)(const void *)header;
	for (size_t i = 0; i < offsetof(struct header, check) / 8; i++)
		sum = mix(sum, words[i]);
	return sum;
}

/* The type, count and address of so many bytes in a buffer of twice MOST. The type is freed by the caller. */
static void *lay(enum layout layout, unsigned char *buffer, size_t bytes, MPI_Datatype *type, int *count)
{
	MPI_Datatype block;
	MPI_Aint places[2];
	switch (layout) {
	case STRIPES:
		MPI_Type_contiguous(GRAIN, MPI_BYTE, &block);
		MPI_Type_create_resized(block, 0, 2 * GRAIN, type);
		MPI_Type_free(&block);
		*count = (int)(bytes / GRAIN);
		break;
	case BOTTOM:
		MPI_Get_address(buffer + 8, &places[0]);
		MPI_Get_address(buffer + sizeof(struct header) + 512, &places[1]);
		MPI_Type_create_struct(2, (int[]){(int)sizeof(struct header), (int)(bytes - sizeof(struct header))}, places,
				       (MPI_Datatype[]){MPI_BYTE, MPI_BYTE}, type);
		*count = 1;
		MPI_Type_commit(type);
		return MPI_BOTTOM;
	default:
		MPI_Type_dup(MPI_BYTE, type);
		*count = (int)bytes;
	}
	MPI_Type_commit(type);
	return buffer;
}

static void spread(enum layout layout, unsigned char *buffer, const unsigned char *from, size_t bytes)
{
	if (layout == STRIPES) {
		for (size_t i = 0; i < bytes; i += GRAIN)
			memcpy(buffer + 2 * i, from + i, GRAIN);
	} else if (layout == BOTTOM) {
		memcpy(buffer + 8, from, sizeof(struct header));
		memcpy(buffer + sizeof(struct header) + 512, from + sizeof(struct header), bytes - sizeof(struct header));
	} else {
		memcpy(buffer, from, bytes);
	}
}

static void gather(enum layout layout, const unsigned char *buffer, unsigned char *to, size_t bytes)
{
	if (layout == STRIPES) {
		for (size_t i = 0; i < bytes; i += GRAIN)
			memcpy(to + i, buffer + 2 * i, GRAIN);
	} else if (layout == BOTTOM) {
		memcpy(to, buffer + 8, sizeof(struct header));
		memcpy(to + sizeof(struct header), buffer + sizeof(struct header) + 512, bytes - sizeof(struct header));
	} else {
		memcpy(to, buffer, bytes);
	}
}

/* --- receiving: what is right ---------------------------------------------------------------------------------------------------- */

/* A stream's serials come once each, and later receives have later ones. */
static void in_order(struct incoming *in, int comm, int source, int tag, uint64_t serial, uint32_t post)
{
	const char *name = comm_names[comm];
	uint64_t distance = serial - in->seen - 1;
	if (serial <= in->seen || (distance < AHEAD_WORDS * 64 && (in->ahead[distance / 64] >> (distance % 64) & 1)))
		wrong("twice: message %llu of %s source %d tag %d", (unsigned long long)serial, name, source, tag);
	if (distance >= AHEAD_WORDS * 64)
		wrong("far ahead: message %llu of %s source %d tag %d, seen up to %llu", (unsigned long long)serial, name, source, tag,
		      (unsigned long long)in->seen);
	for (uint32_t i = 0; i < RING && i < in->ring; i++)
		if ((post < in->posts[i]) != (serial < in->serials[i]))
			wrong("order: %s source %d tag %d: receive %u has message %llu, receive %u has %u", name, source, tag, post,
			      (unsigned long long)serial, in->posts[i], in->serials[i]);
	in->posts[in->ring % RING] = post;
	in->serials[in->ring % RING] = (uint32_t)serial;
	in->ring++;
	in->ahead[distance / 64] |= UINT64_C(1) << (distance % 64);
	while (in->ahead[0] & 1) {
		in->seen++;
		for (int i = 0; i < AHEAD_WORDS; i++)
			in->ahead[i] = in->ahead[i] >> 1 | (i + 1 < AHEAD_WORDS ? in->ahead[i + 1] << 63 : 0);
	}
}

static void handle(const struct header *header, int source)
{
	if (header->what == PING) {
		state.owed[source]++; /* always on the world */
		state.owed_tag[source] = header->answer_tag;
	} else if (header->what == PONG) {
		state.pings--;
		if (state.pings < 0)
			wrong("an answer to nothing");
	} else if (header->what == DONE) {
		state.dones_seen++;
	}
}

/* A message was told: `buffer` has it in that layout. */
static void told(int comm, enum layout layout, const unsigned char *buffer, const MPI_Status *status, uint32_t post)
{
	struct header header;
	int source = status->MPI_SOURCE, tag = status->MPI_TAG, count, cancelled;
	const char *name = comm_names[comm];
	MPI_Get_count(status, MPI_BYTE, &count);
	MPI_Test_cancelled(status, &cancelled);
	if (source < 0 || source >= sizes[comm] || tag < 0 || tag >= TAGS || cancelled)
		wrong("a status that cannot be: %s source %d tag %d cancelled %d", name, source, tag, cancelled);
	struct incoming *in = &state.in[comm][tag][source];
	state.clock[rank]++;
	state.messages++;
	in->count++;
	if (tag == TAG_EMPTY) {
		if (count != 0)
			wrong("%d bytes in an empty message on %s from %d", count, name, source);
		in->seen++;
		state.digest += mix(mix((uint64_t)comm, (uint64_t)peer_ranks[comm][source]), (uint64_t)rank);
		return;
	}
	if (count < (int)sizeof header || count > (int)MOST || count % GRAIN)
		wrong("%d bytes on %s from %d tag %d", count, name, source, tag);
	gather(layout, buffer, linear, (size_t)count);
	memcpy(&header, linear, sizeof header);
	if (header.magic != MAGIC || header.check != header_check(&header))
		wrong("garbled: a message of %d bytes on %s from %d tag %d", count, name, source, tag);
	if (header.comm != comm || header.tag != tag || header.source != source || header.destination != self_of[comm] ||
	    header.bytes != (uint64_t)count)
		wrong("misdelivered: on %s from %d tag %d %d bytes: sent on %s from %d to %d tag %d %d bytes", name, source, tag, count,
		      comm_names[header.comm % COMMS], header.source, header.destination, header.tag, (int)header.bytes);
	fill(scratch, (size_t)count - sizeof header, header.salt);
	if (memcmp(scratch, linear + sizeof header, (size_t)count - sizeof header))
		wrong("content: message %llu of %d bytes on %s from %d tag %d", (unsigned long long)header.serial, count, name, source, tag);
	in_order(in, comm, source, tag, header.serial, post);
	in->digest += mix(header.salt, header.serial);
	state.digest += mix(mix(header.salt, (uint64_t)rank), header.bytes);
	for (int i = 0; i < ranks; i++) {
		if (i == rank && header.clock[i] > state.clock[i])
			wrong("from the future: message %llu on %s from %d tag %d knows event %llu of this rank, which has made %llu",
			      (unsigned long long)header.serial, name, source, tag, (unsigned long long)header.clock[i],
			      (unsigned long long)state.clock[i]);
		if (header.clock[i] > state.clock[i])
			state.clock[i] = header.clock[i];
	}
	handle(&header, source);
}

/* --- sending ------------------------------------------------------------------------------------------------------------------- */

static void sent_one(int slot)
{
	free(sent_with[slot].bytes);
	if (sent_with[slot].synchronous && sent_with[slot].synchronous->synchronous < sent_with[slot].serial)
		sent_with[slot].synchronous->synchronous = sent_with[slot].serial;
	sent_with[slot] = (struct sending){0};
}

/* Closes the safepoint. */
static void test_outbox(void)
{
	int count, which[OUTBOX];
	MPI_Testsome(OUTBOX, sending, &count, which, MPI_STATUSES_IGNORE);
	for (int i = 0; count != MPI_UNDEFINED && i < count; i++)
		sent_one(which[i]);
	close_safepoint();
}

static int free_sending(void)
{
	for (int slot = 0; slot < OUTBOX; slot++)
		if (sending[slot] == MPI_REQUEST_NULL)
			return slot;
	return -1;
}

static uint32_t next_post(void)
{
	return ++state.posts;
}

static void buffer_room(bool attach)
{
	int bytes;
	if (!attach)
		MPI_Buffer_detach(&buffered_room, &bytes);
	MPI_Buffer_attach(buffered_room, BUFFERED_ROOM);
}

/* Sends, and then writes down that it did: the safepoint is closed by the send. The message goes to `peer` of the communicator. */
static void send_one(int comm, int peer, int tag, int body, enum mode mode, enum layout layout, enum what what, int answer_tag)
{
	struct outgoing *out = &state.out[comm][tag][peer];
	struct header header = {.magic = MAGIC, .comm = (uint16_t)comm, .tag = (uint16_t)tag, .source = (uint16_t)self_of[comm],
				.destination = (uint16_t)peer, .what = what, .answer_tag = (uint16_t)answer_tag, .serial = out->sent + 1};
	size_t bytes = tag == TAG_EMPTY ? 0 : sizeof header + (size_t)(body / GRAIN * GRAIN);
	int slot = free_sending(), count;
	bool waits = mode == ISEND || mode == IBSEND || mode == ISSEND;
	MPI_Datatype type;
	MPI_Status status;
	if (waits && slot < 0) {
		test_outbox();
		return;
	}
	if (mode == BSEND || mode == IBSEND) {
		if (++buffered % BUFFERED_MOST == 0) {
			close_safepoint();
			buffer_room(false);
		}
	}
	unsigned char *buffer = malloc(2 * bytes + 1024), *copy = malloc(bytes + 1), *back = NULL;
	header.bytes = bytes;
	header.salt = mix(mix(mix(seed, (uint64_t)comm * 64 + (uint64_t)tag), (uint64_t)rank * 64 + (uint64_t)peer), header.serial);
	if (!deterministic)
		header.salt = mix(mix(header.salt, state.random), life);
	memcpy(header.clock, state.clock, sizeof header.clock);
	header.clock[rank]++;
	header.check = header_check(&header);
	if (bytes) {
		memcpy(copy, &header, sizeof header);
		fill(copy + sizeof header, bytes - sizeof header, header.salt);
	} else {
		layout = BYTES;
	}
	spread(layout, buffer, copy, bytes);
	void *data = lay(layout, buffer, bytes, &type, &count);
	MPI_Comm on = comms[comm];
	switch (mode) {
	case ISEND:
		MPI_Isend(data, count, type, peer, tag, on, &sending[slot]);
		break;
	case SEND:
		MPI_Send(data, count, type, peer, tag, on);
		break;
	case BSEND:
		MPI_Bsend(data, count, type, peer, tag, on);
		break;
	case IBSEND:
		MPI_Ibsend(data, count, type, peer, tag, on, &sending[slot]);
		break;
	case RSEND:
		MPI_Rsend(data, count, type, peer, tag, on);
		break;
	case ISSEND:
		MPI_Issend(data, count, type, peer, tag, on, &sending[slot]);
		break;
	case SSEND:
		MPI_Ssend(data, count, type, peer, tag, on);
		break;
	case SENDRECV: /* to oneself and from oneself; or to another, and nothing back */
		back = malloc(2 * MOST);
		MPI_Sendrecv(data, count, type, peer, tag, back, (int)MOST, MPI_BYTE, peer == self_of[comm] ? peer : MPI_PROC_NULL, tag, on,
			     &status);
		break;
	case REPLACE:
		MPI_Sendrecv_replace(data, count, type, peer, tag, peer == self_of[comm] ? peer : MPI_PROC_NULL, tag, on, &status);
		break;
	}
	MPI_Type_free(&type);
	/* From here on the safepoint is closed. */
	out->sent++;
	if (tag == TAG_EMPTY)
		header.salt = header.serial = 0;
	else
		out->digest += mix(header.salt, header.serial);
	state.clock[rank]++;
	if (waits)
		sent_with[slot] = (struct sending){buffer, mode == ISSEND ? out : NULL, header.serial};
	if (mode == SSEND && out->synchronous < header.serial)
		out->synchronous = header.serial;
	if ((mode == SENDRECV || mode == REPLACE) && peer == self_of[comm])
		told(comm, mode == REPLACE ? layout : BYTES, mode == REPLACE ? buffer : back, &status, next_post());
	if (!waits)
		free(buffer);
	free(copy);
	free(back);
}

/* --- receives that stay posted ------------------------------------------------------------------------------------------------------ */

/* Before the safepoint: the receive is owed. It is posted after it. */
static void owe(int comm, int source, int tag, enum layout layout, int64_t due)
{
	int slot = 0;
	while (slot_used[slot])
		slot++;
	slot_used[slot] = true;
	state.pending[state.pending_count++] = (struct obligation){comm, source, tag, layout, slot, next_post(), due};
}

static void post(const struct obligation *owed)
{
	MPI_Datatype type;
	int count;
	if (!slot_buffer[owed->slot])
		slot_buffer[owed->slot] = malloc(2 * MOST);
	void *buffer = lay((enum layout)owed->layout, slot_buffer[owed->slot], MOST, &type, &count);
	MPI_Irecv(buffer, count, type, owed->source, owed->tag, comms[owed->comm], &posted[owed->slot]);
	MPI_Type_free(&type); /* while it is in use */
	is_posted[owed->slot] = true;
}

static void post_owed(void)
{
	for (int i = 0; i < state.pending_count; i++)
		if (!is_posted[state.pending[i].slot])
			post(&state.pending[i]);
}

static void forget(int i)
{
	int slot = state.pending[i].slot;
	slot_used[slot] = is_posted[slot] = false;
	posted[slot] = MPI_REQUEST_NULL;
	memmove(&state.pending[i], &state.pending[i + 1], (size_t)(--state.pending_count - i) * sizeof *state.pending);
}

/* The owed receive is complete: its message is taken, and it is owed no more. */
static void complete(int i, const MPI_Status *status)
{
	struct obligation owed = state.pending[i];
	if ((owed.source != MPI_ANY_SOURCE && owed.source != status->MPI_SOURCE) || (owed.tag != MPI_ANY_TAG && owed.tag != status->MPI_TAG))
		wrong("a receive of source %d tag %d has source %d tag %d", owed.source, owed.tag, status->MPI_SOURCE, status->MPI_TAG);
	forget(i);
	told(owed.comm, (enum layout)owed.layout, slot_buffer[owed.slot], status, owed.post);
}

/* Whether a pending receive might take from this; -1: any. */
static int pending_matching(int comm, int source, int tag)
{
	int count = 0;
	for (int i = 0; i < state.pending_count; i++) {
		const struct obligation *owed = &state.pending[i];
		count += owed->comm == comm && owed->tag != TAG_NEVER && (source < 0 || owed->source < 0 || owed->source == source) &&
			 (tag < 0 || owed->tag < 0 || owed->tag == tag);
	}
	return count;
}

enum how { HOW_TEST, HOW_TESTANY, HOW_TESTSOME, HOW_TESTALL, HOW_WAIT, HOW_WAITANY, HOW_WAITSOME, HOW_WAITALL, HOWS };

/* Asks for the first `count` of those posted; closes the safepoint. Returns how many were told. */
static int ask_for(enum how how, int count, int which)
{
	MPI_Request requests[PENDING_MOST];
	MPI_Status statuses[PENDING_MOST];
	int indices[PENDING_MOST], found = 0, flag = 0;
	if (count == 0) {
		close_safepoint();
		return 0;
	}
	for (int i = 0; i < count; i++)
		requests[i] = posted[state.pending[i].slot];
	switch (how) {
	case HOW_TEST:
		MPI_Test(&requests[which], &found, &statuses[0]);
		indices[0] = which;
		break;
	case HOW_TESTANY:
		MPI_Testany(count, requests, &indices[0], &found, &statuses[0]);
		break;
	case HOW_TESTSOME:
		MPI_Testsome(count, requests, &found, indices, statuses);
		break;
	case HOW_TESTALL:
		MPI_Testall(count, requests, &flag, statuses);
		break;
	case HOW_WAIT:
		MPI_Wait(&requests[which], &statuses[0]);
		indices[0] = which;
		found = 1;
		break;
	case HOW_WAITANY:
		MPI_Waitany(count, requests, &indices[0], &statuses[0]);
		found = 1;
		break;
	case HOW_WAITSOME:
		MPI_Waitsome(count, requests, &found, indices, statuses);
		break;
	default:
		MPI_Waitall(count, requests, statuses);
		flag = 1;
	}
	if (flag) {
		found = count;
		for (int i = 0; i < count; i++)
			indices[i] = i;
	}
	/* From the highest index down: the others keep theirs. */
	for (int i = count - 1; i >= 0; i--)
		for (int j = 0; j < found; j++)
			if (indices[j] == i)
				complete(i, &statuses[j]);
	return found;
}

/* --- start ----------------------------------------------------------------------------------------------------------------------------- */

static void make_comms(void)
{
	int dims[2] = {0, 0}, periods[2] = {1, 0}, bridged = ranks > 1;
	for (int c = 0; c < COMMS; c++)
		comms[c] = MPI_COMM_NULL;
	comms[WORLD] = MPI_COMM_WORLD;
	MPI_Comm_dup(MPI_COMM_WORLD, &comms[DUP]);
	MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &comms[HALF]);
	if (bridged)
		MPI_Intercomm_create(comms[HALF], 0, MPI_COMM_WORLD, rank % 2 ? (ranks - 1) / 2 * 2 : (ranks - 2) / 2 * 2 + 1, 5, &comms[BRIDGE]);
	MPI_Dims_create(ranks, 2, dims);
	MPI_Cart_create(MPI_COMM_WORLD, 2, dims, periods, 0, &comms[CART]);
	MPI_Comm_dup(MPI_COMM_SELF, &comms[SELF]);
	MPI_Comm_dup(MPI_COMM_SELF, &quiet);
	for (int c = 0; c < COMMS; c++) {
		MPI_Group all, group;
		int numbers[RANKS_MOST] = {0, 1, 2, 3, 4, 5, 6, 7};
		if (comms[c] == MPI_COMM_NULL)
			continue;
		MPI_Comm_group(MPI_COMM_WORLD, &all);
		MPI_Comm_rank(comms[c], &self_of[c]);
		if (c == BRIDGE)
			MPI_Comm_remote_group(comms[c], &group);
		else
			MPI_Comm_group(comms[c], &group);
		MPI_Group_size(group, &sizes[c]);
		MPI_Group_translate_ranks(group, sizes[c], numbers, all, peer_ranks[c]);
		MPI_Group_free(&group);
		MPI_Group_free(&all);
	}
	sizes[SELF] = 1;
	self_of[SELF] = 0;
}

static bool was_seen(const struct incoming *in, uint64_t serial)
{
	uint64_t distance = serial - in->seen - 1;
	return serial <= in->seen || (distance < AHEAD_WORDS * 64 && (in->ahead[distance / 64] >> (distance % 64) & 1));
}

/* A restored state: what every rank knows fits what the others know. */
static void check_streams(int c)
{
	uint64_t mine[RANKS_MOST][TAGS][2], theirs[RANKS_MOST][TAGS][2];
	memset(mine, 0, sizeof mine);
	memset(theirs, 0, sizeof theirs);
	for (int peer = 0; peer < sizes[c]; peer++)
		for (int tag = 0; tag < TAGS; tag++) {
			mine[peer][tag][0] = state.out[c][tag][peer].sent;
			mine[peer][tag][1] = state.out[c][tag][peer].synchronous;
		}
	MPI_Alltoall(mine, TAGS * 2, MPI_UINT64_T, theirs, TAGS * 2, MPI_UINT64_T, comms[c]);
	for (int peer = 0; peer < sizes[c]; peer++)
		for (int tag = 0; tag < TAGS; tag++) {
			const struct incoming *in = &state.in[c][tag][peer];
			uint64_t sent = theirs[peer][tag][0], done = theirs[peer][tag][1], missing = 0;
			if (in->count > sent)
				wrong("orphan: %llu messages seen on %s from %d tag %d, %llu sent", (unsigned long long)in->count,
				      comm_names[c], peer, tag, (unsigned long long)sent);
			for (uint64_t serial = in->seen + 1; serial <= done; serial++)
				missing += !was_seen(in, serial);
			if (missing > (uint64_t)pending_matching(c, peer, tag))
				wrong("synchronous send known complete, its message not taken: %s from %d tag %d: %llu, seen %llu",
				      comm_names[c], peer, tag, (unsigned long long)done, (unsigned long long)in->seen);
		}
}

static void check_restored(void)
{
	uint64_t clocks[RANKS_MOST][RANKS_MOST], least, most;
	MPI_Allgather(state.clock, RANKS_MOST, MPI_UINT64_T, clocks, RANKS_MOST, MPI_UINT64_T, MPI_COMM_WORLD);
	for (int i = 0; i < ranks; i++)
		for (int j = 0; j < ranks; j++)
			if (clocks[i][j] > clocks[j][j])
				wrong("orphan: rank %d knows of event %llu of rank %d, which has made %llu", i, (unsigned long long)clocks[i][j], j,
				      (unsigned long long)clocks[j][j]);
	for (int c = 0; c < COMMS; c++) {
		if (comms[c] == MPI_COMM_NULL)
			continue;
		check_streams(c);
		MPI_Comm of = c == BRIDGE ? MPI_COMM_WORLD : comms[c];
		MPI_Allreduce(&state.collectives[c], &least, 1, MPI_UINT64_T, MPI_MIN, of);
		MPI_Allreduce(&state.collectives[c], &most, 1, MPI_UINT64_T, MPI_MAX, of);
		if (least != most)
			wrong("collectives on %s: %llu here, %llu there", comm_names[c], (unsigned long long)least, (unsigned long long)most);
	}
	if (state.icollectives_begun != state.icollectives_done)
		wrong("a collective was pending at the cut");
	for (int i = 0; i < state.pending_count; i++)
		slot_used[state.pending[i].slot] = true;
}

/* --- collectives --------------------------------------------------------------------------------------------------------------------------- */

/* The number of events that others have made is news that collectives bring. */
static void learn_clock(const uint64_t *clock)
{
	for (int i = 0; i < ranks; i++)
		if (clock[i] > state.clock[i])
			state.clock[i] = clock[i];
}

/* Makes a communicator, talks on it, frees it. */
static void passing_comm(uint64_t draws)
{
	MPI_Comm made;
	int own, size, from_left = -1;
	if (draws % 3 == 0)
		MPI_Comm_split(MPI_COMM_WORLD, (int)(((draws >> 8) + (uint64_t)rank) % 3), 0, &made);
	else
		MPI_Comm_dup(comms[draws % 3 == 1 ? WORLD : CART], &made);
	MPI_Comm_rank(made, &own);
	MPI_Comm_size(made, &size);
	MPI_Sendrecv(&own, 1, MPI_INT, (own + 1) % size, 3, &from_left, 1, MPI_INT, (own + size - 1) % size, 3, made, MPI_STATUS_IGNORE);
	if (from_left != (own + size - 1) % size)
		wrong("a ring on a new communicator brought %d", from_left);
	MPI_Comm_free(&made);
}

static void collective(void)
{
	static const int on[] = {WORLD, DUP, HALF, CART, WORLD};
	uint64_t draws = mix(mix(seed, 77), state.collectives_all), now[RANKS_MOST], got[RANKS_MOST * RANKS_MOST] = {0};
	int c = on[draws % 5], what = (int)((draws >> 16) % 6);
	memcpy(now, state.clock, sizeof now);
	now[rank]++;
	switch (what) {
	case 0:
		MPI_Barrier(comms[c]);
		break;
	case 1:
	case 2:
		MPI_Allreduce(now, got, RANKS_MOST, MPI_UINT64_T, MPI_MAX, comms[c]);
		break;
	case 3:
		memcpy(got, now, sizeof now);
		MPI_Bcast(got, RANKS_MOST, MPI_UINT64_T, (int)((draws >> 32) % (uint64_t)sizes[c]), comms[c]);
		break;
	case 4:
		MPI_Allgather(now, RANKS_MOST, MPI_UINT64_T, got, RANKS_MOST, MPI_UINT64_T, comms[c]);
		for (int i = 0; i < sizes[c]; i++)
			if (got[i * RANKS_MOST + peer_ranks[c][i]] == 0)
				wrong("a gather brought nothing of %d", i);
		break;
	default:
		passing_comm(draws >> 20);
		c = WORLD; /* that is where all took part */
	}
	state.clock[rank]++;
	for (int i = 0; i < sizes[c]; i++)
		learn_clock(got + i * RANKS_MOST);
	state.collectives[c]++;
	state.collectives_all++;
}

static void icollective_begin(void)
{
	static const int on[] = {WORLD, DUP, CART};
	uint64_t draws = mix(mix(seed, 78), state.icollectives_begun);
	int c = on[draws % 3];
	memset(iresult, 0, sizeof iresult);
	memcpy(isource, state.clock, sizeof isource);
	isource[rank]++;
	switch ((draws >> 16) % 3) {
	case 0:
		MPI_Ibarrier(comms[c], &icollective);
		break;
	case 1:
		MPI_Iallreduce(isource, iresult, RANKS_MOST, MPI_UINT64_T, MPI_MAX, comms[c], &icollective);
		break;
	default:
		memcpy(iresult, isource, sizeof iresult);
		MPI_Ibcast(iresult, RANKS_MOST, MPI_UINT64_T, (int)((draws >> 32) % (uint64_t)ranks), comms[c], &icollective);
	}
	state.clock[rank]++;
	state.icollectives_begun++;
	state.collectives[c]++;
}

static void icollective_test(void)
{
	int complete = 0;
	MPI_Test(&icollective, &complete, MPI_STATUS_IGNORE);
	if (complete) {
		state.icollectives_done++;
		learn_clock(iresult);
	}
}

/* --- event programs: plans -------------------------------------------------------------------------------------------------------------------- */

static int pick_comm(void)
{
	int c;
	do
		c = draw(COMMS);
	while (comms[c] == MPI_COMM_NULL);
	return c;
}

static int pick_bytes(void)
{
	int kind = draw(100);
	if (kind < 70 || !(uses & USE_LARGE))
		return draw(kind < 10 ? 1 : kind < 60 ? 200 : EAGER - 200);
	return draw(kind < 85 ? 4096 : kind < 97 ? 65536 : LARGEST);
}

static enum layout pick_layout(void)
{
	return uses & USE_TYPES && chance(40) ? (enum layout)draw(LAYOUTS) : BYTES;
}

static bool self_is_quiet(int c, int tag)
{
	int self = self_of[c];
	return c != BRIDGE && pending_matching(c, self, tag) == 0 && state.out[c][tag][self].sent == state.in[c][tag][self].count;
}

/* A ready send needs a receive that is posted and has no message yet: one of its own, exact, to itself. */
static bool may_send_ready(int c, int tag)
{
	int self = self_of[c], exact = 0;
	if (c == BRIDGE || state.in[c][tag][self].count != state.out[c][tag][self].sent)
		return false;
	for (int i = 0; i < state.pending_count; i++)
		exact += state.pending[i].comm == c && state.pending[i].source == self && state.pending[i].tag == tag;
	return exact > 0;
}

/* Nobody promises that a message to oneself is buffered, and to detach a buffer is to wait for the messages in it. */
static int to_oneself(int mode)
{
	return mode == SEND || mode == BSEND || mode == IBSEND ? ISEND : mode;
}

static struct plan plan_send(void)
{
	int c = pick_comm(), tag = draw(TAGS), mode = ISEND;
	struct plan plan = {.kind = SEND_ONE, .mode = ISEND, .comm = c, .peer = draw(sizes[c]), .tag = tag, .bytes = pick_bytes(),
			    .layout = pick_layout()};
	bool small = plan.bytes + (int)sizeof(struct header) <= EAGER;
	if (small && chance(40))
		mode = SEND;
	if (uses & USE_MODES && chance(30)) {
		mode = small ? (int[]){BSEND, IBSEND, SEND, ISEND}[draw(4)] : ISEND;
		if (chance(30) && self_is_quiet(c, tag) && tag != TAG_EMPTY) {
			mode = chance(50) ? SENDRECV : REPLACE;
			plan.peer = self_of[c];
			if (mode == REPLACE && chance(50))
				plan.layout = STRIPES;
		} else if (may_send_ready(c, tag)) {
			mode = RSEND;
			plan.peer = self_of[c];
		} else if (small && chance(10) && plan.peer != self_of[c]) {
			mode = SENDRECV;
		}
	}
	if (uses & USE_SYNCHRONOUS && state.done / 64 % 12 == 0 && chance(20)) /* in times, as no cut can be made while one is pending */
		mode = ISSEND;
	bool down = peer_ranks[c][plan.peer] < rank;
	if (uses & USE_SSEND && down && chance(30))
		mode = SSEND;
	if (uses & USE_BLOCKING && down && chance(20))
		mode = SEND;
	if (plan.peer == self_of[c] && !may_send_ready(c, tag))
		mode = to_oneself(mode);
	plan.mode = (enum mode)mode;
	return plan;
}

static struct plan plan_ping(void)
{
	int peer = draw(rank + 1);
	return (struct plan){.kind = SEND_ONE, .mode = peer == rank ? ISEND : SEND, .what = PING, .comm = WORLD, .peer = peer, .tag = draw(TAG_EMPTY),
			     .which = draw(TAG_EMPTY), .bytes = draw(100)};
}

static bool has_catch_all(void)
{
	for (int i = 0; i < state.pending_count; i++)
		if (state.pending[i].comm == WORLD && state.pending[i].source < 0 && state.pending[i].tag == MPI_ANY_TAG)
			return true;
	return false;
}

static struct plan plan_block(void)
{
	if (state.pings == 0)
		return plan_ping();
	if (pending_matching(WORLD, -1, -1) == 0)
		return (struct plan){.kind = chance(60) ? BLOCK_RECEIVE : BLOCK_PROBE, .comm = WORLD, .layout = pick_layout()};
	if (!has_catch_all())
		return (struct plan){.kind = TEST, .how = HOW_TESTSOME};
	return (struct plan){.kind = BLOCK_WAIT, .how = chance(50) ? HOW_WAITANY : HOW_WAITSOME};
}

static struct plan plan_take(void)
{
	int kind = draw(100), c = pick_comm();
	if (kind < 50 && state.pending_count)
		return (struct plan){.kind = TEST, .how = draw(4), .which = draw(state.pending_count)};
	if (kind < 55 && uses & USE_CANCEL && state.pending_count)
		return (struct plan){.kind = chance(50) ? CANCEL : ASK, .which = draw(state.pending_count), .how = draw(3)};
	if (kind < 58)
		return (struct plan){.kind = NOWHERE, .how = draw(4)};
	if (kind < 60)
		return (struct plan){.kind = PROBE_ONLY, .comm = c, .peer = MPI_ANY_SOURCE, .tag = MPI_ANY_TAG};
	if (kind < 62 && state.phase == 0 && uses & USE_CANCEL && self_is_quiet(c, TAG_EMPTY) && sizes[c] > 1)
		return (struct plan){.kind = FREED, .comm = c};
	if (kind < 65 && c != BRIDGE) {
		int tag = draw(TAGS), self = self_of[c];
		if (state.out[c][tag][self].sent - state.in[c][tag][self].count > 0 && pending_matching(c, self, tag) == 0)
			return (struct plan){.kind = RECEIVE_SELF, .comm = c, .tag = tag, .which = draw(4), .layout = pick_layout()};
	}
	return (struct plan){.kind = PROBE, .comm = c, .peer = chance(50) ? MPI_ANY_SOURCE : draw(sizes[c]),
			     .tag = chance(50) ? MPI_ANY_TAG : draw(TAGS), .which = draw(3), .layout = pick_layout()};
}

static void owe_more(void)
{
	int goal = uses & USE_BLOCKING && uses & USE_PENDING ? (int)(mix(seed, 5) % 3) * 6 : (int)(mix(seed, 6) % 16) + 1;
	while (uses & USE_PENDING && state.pending_count < goal && chance(60)) {
		int c = pick_comm(), tag = chance(30) ? MPI_ANY_TAG : draw(TAGS);
		owe(c, chance(50) ? MPI_ANY_SOURCE : draw(sizes[c]), uses & USE_CANCEL && chance(5) ? TAG_NEVER : tag, pick_layout(), 0);
	}
}

static struct plan make_plan(void)
{
	int owed = -1, period = 40 + (int)(mix(seed, 8) % 100);
	for (int i = 0; i < ranks; i++)
		if (state.owed[i] && (owed < 0 || chance(50)))
			owed = i;
	if (state.phase == 1)
		return (struct plan){.kind = EXCHANGE};
	if (owed >= 0 && chance(50))
		return (struct plan){.kind = SEND_ONE, .mode = owed == rank ? ISEND : SEND, .what = PONG, .comm = WORLD, .peer = owed,
				     .tag = state.owed_tag[owed]};
	if (uses & USE_COLLECTIVES && state.phase == 0 && state.done / period > (int64_t)state.collectives_all)
		return (struct plan){.kind = COLLECTIVE};
	if (uses & USE_ICOLLECTIVES && state.phase == 0 && state.done / period > (int64_t)state.icollectives_begun &&
	    icollective == MPI_REQUEST_NULL)
		return (struct plan){.kind = ICOLLECTIVE};
	if (state.phase == 2)
		return plan_take();
	if (state.left == 0 && state.pings == 0 && state.dones_sent < ranks && icollective == MPI_REQUEST_NULL && chance(50))
		return (struct plan){.kind = SEND_DONE, .comm = WORLD, .peer = state.dones_sent};
	if (uses & USE_BLOCKING && state.left && owed < 0 && chance(10))
		return plan_block();
	if (state.left && chance(uses & USE_LAZY ? 70 : 35))
		return plan_send();
	if (chance(10))
		return (struct plan){.kind = OUTBOX_TEST};
	if (uses & USE_LAZY && state.left && chance(80))
		return (struct plan){.kind = NOTHING};
	return plan_take();
}

/* --- event programs: carrying out ------------------------------------------------------------------------------------------------------------ */

/* Receives with that pattern what is there or will come. */
static void receive_any(int comm, enum layout layout, int source, int tag)
{
	MPI_Status status;
	MPI_Datatype type;
	int count;
	void *data = lay(layout, taking, MOST, &type, &count);
	MPI_Recv(data, count, type, source, tag, comms[comm], &status);
	MPI_Type_free(&type);
	told(comm, layout, taking, &status, next_post());
}

/* Receives what a probe found, with its size, into that layout. */
static void receive_found(int comm, const MPI_Status *found, enum layout layout)
{
	MPI_Status status;
	MPI_Datatype type;
	int bytes, again, count;
	MPI_Get_count(found, MPI_BYTE, &bytes);
	if (bytes < (int)sizeof(struct header) + GRAIN)
		layout = BYTES;
	void *data = lay(layout, taking, (size_t)bytes, &type, &count);
	MPI_Recv(data, count, type, found->MPI_SOURCE, found->MPI_TAG, comms[comm], &status);
	MPI_Type_free(&type);
	MPI_Get_count(&status, MPI_BYTE, &again);
	if (status.MPI_SOURCE != found->MPI_SOURCE || status.MPI_TAG != found->MPI_TAG || again != bytes)
		wrong("a probe found %d bytes from %d tag %d, the receive %d from %d tag %d", bytes, found->MPI_SOURCE, found->MPI_TAG, again,
		      status.MPI_SOURCE, status.MPI_TAG);
	told(comm, layout, taking, &status, next_post());
}

static void act_probe(const struct plan *plan)
{
	MPI_Status status;
	int found;
	MPI_Iprobe(plan->peer, plan->tag, comms[plan->comm], &found, &status);
	if (found && plan->kind == PROBE && plan->which == 0) /* another source's message may be first for the receive */
		receive_any(plan->comm, plan->layout, plan->peer, plan->tag);
	else if (found && plan->kind == PROBE)
		receive_found(plan->comm, &status, plan->layout);
	else
		close_safepoint();
}

/* A message from oneself is there: the receive is sure to end. */
static void act_receive_self(const struct plan *plan)
{
	MPI_Status status;
	int self = self_of[plan->comm], source = plan->which & 1 ? MPI_ANY_SOURCE : self;
	if (plan->which & 2) {
		MPI_Probe(source, plan->tag, comms[plan->comm], &status);
		receive_found(plan->comm, &status, plan->layout);
	} else {
		receive_any(plan->comm, plan->layout, source, plan->tag);
	}
}

static void act_block(const struct plan *plan)
{
	MPI_Status status;
	if (plan->kind == BLOCK_PROBE) {
		MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, comms[plan->comm], &status);
		receive_found(plan->comm, &status, plan->layout);
		return;
	}
	receive_any(plan->comm, plan->layout, MPI_ANY_SOURCE, MPI_ANY_TAG);
}

static void act_cancel(const struct plan *plan)
{
	MPI_Status status;
	int cancelled, i = plan->which;
	MPI_Request request = posted[state.pending[i].slot];
	MPI_Cancel(&request);
	MPI_Wait(&request, &status);
	MPI_Test_cancelled(&status, &cancelled);
	if (!cancelled && state.pending[i].tag == TAG_NEVER)
		wrong("a receive that nothing can match was not cancelled");
	if (cancelled)
		forget(i);
	else
		complete(i, &status);
}

/* What MPI_Request_get_status has told is told: the message is taken at once; the request may then be waited for, tested or freed. */
static void act_ask(const struct plan *plan)
{
	MPI_Status status, again;
	int flag, i = plan->which, first, second;
	MPI_Request request = posted[state.pending[i].slot];
	MPI_Request_get_status(request, &flag, &status);
	if (!flag) {
		close_safepoint();
		return;
	}
	complete(i, &status);
	if (plan->how == 0) {
		MPI_Request_free(&request);
		return;
	}
	if (plan->how == 1)
		MPI_Wait(&request, &again);
	else
		MPI_Test(&request, &flag, &again);
	MPI_Get_count(&status, MPI_BYTE, &first);
	MPI_Get_count(&again, MPI_BYTE, &second);
	if (!flag || status.MPI_SOURCE != again.MPI_SOURCE || status.MPI_TAG != again.MPI_TAG || first != second)
		wrong("two statuses of one request: %d from %d tag %d, %d from %d tag %d", first, status.MPI_SOURCE, status.MPI_TAG, second,
		      again.MPI_SOURCE, again.MPI_TAG);
}

static void act_nowhere(const struct plan *plan)
{
	MPI_Status status;
	MPI_Request request;
	if (plan->how == 0) {
		MPI_Send(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 1, MPI_COMM_WORLD);
	} else if (plan->how == 1) {
		MPI_Recv(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 1, MPI_COMM_WORLD, &status);
		if (status.MPI_SOURCE != MPI_PROC_NULL)
			wrong("a message from nowhere has source %d", status.MPI_SOURCE);
	} else if (plan->how == 2) {
		MPI_Irecv(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 1, comms[DUP], &request);
		MPI_Wait(&request, &status);
	} else {
		MPI_Isend(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 1, comms[DUP], &request);
		MPI_Request_free(&request);
	}
	close_safepoint();
}

/* A receive that is freed at once, and the message for it, from oneself: it is complete when the send has returned. */
static void act_freed(const struct plan *plan)
{
	int c = plan->comm, self = self_of[c];
	struct incoming *in = &state.in[c][TAG_EMPTY][self];
	MPI_Request request;
	MPI_Irecv(NULL, 0, MPI_BYTE, self, TAG_EMPTY, comms[c], &request);
	MPI_Request_free(&request);
	send_one(c, self, TAG_EMPTY, 0, SEND, BYTES, DATA, 0);
	in->count++;
	in->seen++;
	state.clock[rank]++;
}

static void act_send(const struct plan *plan)
{
	uint64_t before = state.out[plan->comm][plan->tag][plan->peer].sent;
	send_one(plan->comm, plan->peer, plan->tag, plan->bytes, plan->mode, plan->layout, plan->what, plan->which);
	if (state.out[plan->comm][plan->tag][plan->peer].sent == before)
		return;
	if (plan->what == PING) {
		state.pings++;
	} else if (plan->what == PONG) {
		state.owed[plan->peer]--;
	} else if (plan->what == DONE) {
		state.dones_sent++;
	} else {
		state.left--;
		state.done++;
	}
}

/* How many messages there were on every stream. */
static void act_exchange(void)
{
	uint64_t mine[COMMS][RANKS_MOST][TAGS], theirs[COMMS][RANKS_MOST][TAGS];
	memset(mine, 0, sizeof mine);
	for (int c = 0; c < COMMS; c++) {
		if (comms[c] == MPI_COMM_NULL)
			continue;
		for (int peer = 0; peer < sizes[c]; peer++)
			for (int tag = 0; tag < TAGS; tag++)
				mine[c][peer][tag] = state.out[c][tag][peer].sent;
		if (sizes[c] == 1 && c != BRIDGE) /* what that sends to itself MPICH 4.0 gives to a pending receive of any tag */
			memcpy(theirs[c], mine[c], sizeof mine[c]);
		else
			MPI_Alltoall(mine[c], TAGS, MPI_UINT64_T, theirs[c], TAGS, MPI_UINT64_T, comms[c]);
		for (int peer = 0; peer < sizes[c]; peer++)
			for (int tag = 0; tag < TAGS; tag++)
				state.expected[c][tag][peer] = theirs[c][peer][tag];
		state.collectives[c]++;
	}
	state.phase = 2;
}

static void act(void)
{
	const struct plan plan = state.plan;
	switch (plan.kind) {
	case SEND_ONE:
		act_send(&plan);
		break;
	case SEND_DONE:
		act_send(&(struct plan){.comm = WORLD, .peer = plan.peer, .what = DONE});
		break;
	case PROBE:
	case PROBE_ONLY:
		act_probe(&plan);
		break;
	case RECEIVE_SELF:
		act_receive_self(&plan);
		break;
	case BLOCK_PROBE:
	case BLOCK_RECEIVE:
		act_block(&plan);
		break;
	case BLOCK_WAIT:
	case TEST:
		ask_for((enum how)plan.how, state.pending_count, plan.which);
		break;
	case OUTBOX_TEST:
		test_outbox();
		break;
	case CANCEL:
		act_cancel(&plan);
		break;
	case ASK:
		act_ask(&plan);
		break;
	case NOWHERE:
		act_nowhere(&plan);
		break;
	case FREED:
		act_freed(&plan);
		break;
	case COLLECTIVE:
		collective();
		break;
	case ICOLLECTIVE:
		icollective_begin();
		break;
	case EXCHANGE:
		act_exchange();
		break;
	case NOTHING:
		close_safepoint();
		break;
	}
	if (icollective != MPI_REQUEST_NULL)
		icollective_test();
}

static bool all_is_seen(void)
{
	for (int c = 0; c < COMMS; c++)
		for (int tag = 0; tag < TAGS; tag++)
			for (int peer = 0; peer < sizes[c]; peer++) {
				if (state.in[c][tag][peer].count > state.expected[c][tag][peer])
					wrong("more than was sent: %s source %d tag %d", comm_names[c], peer, tag);
				if (state.in[c][tag][peer].count < state.expected[c][tag][peer])
					return false;
			}
	return true;
}

static void nap(int microseconds)
{
	if (microseconds)
		nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000L}, NULL);
}

static void run_events(bool restored)
{
	for (;;) {
		if (!restored) {
			if (state.phase == 0 && state.dones_seen == ranks)
				state.phase = 1;
			if (state.phase == 2 && all_is_seen())
				break;
			if (state.phase < 2)
				owe_more();
			state.plan = make_plan();
			state.plan.nap_us = draw(1000) < patience ? draw(400) : 0;
		}
		restored = false;
		if (seamark_safepoint(SEAMARK_ANY_STEP) < 0)
			wrong("a safepoint failed");
		post_owed();
		nap(state.plan.nap_us);
		act();
	}
}

/* --- step programs ------------------------------------------------------------------------------------------------------------------------------ */

enum { DELAY_MOST = 4, LEAD_MOST = 2, SENDS_KEPT = 6 };

/* How a stream behaves: its receives are due `delay` steps after the sends, and posted `lead` steps before they are due; lead -1: received
 * directly. All tags of a communicator with wildcards behave alike. */
struct manner {
	bool wild_source, wild_tag;
	int delay, lead;
};

static struct manner manner_of(int comm, int tag)
{
	struct manner manner = {.wild_tag = mix(seed, 100 + (uint64_t)comm) % 4 == 0};
	uint64_t draws = mix(mix(seed, 200), (uint64_t)comm * 64 + (manner.wild_tag ? 63 : (uint64_t)tag));
	manner.wild_source = manner.wild_tag || draws % 3 == 0;
	manner.delay = (int)((draws >> 8) % (DELAY_MOST + 1));
	manner.lead = uses & USE_PENDING ? (int)((draws >> 16) % (LEAD_MOST + 2)) - 1 : -1;
	return manner;
}

static int messages_in(int comm, int tag, int from, int to, int64_t step, int64_t last)
{
	uint64_t draws = mix(mix(mix(seed, 300), (uint64_t)(comm * 64 + tag)), mix((uint64_t)(from * 64 + to), (uint64_t)step));
	return step < 0 || step >= last || draws % (uint64_t)(5 * ranks) ? 0 : 1 + (int)((draws >> 20) % 2);
}

static int step_mode(uint64_t draws, bool small, int delay)
{
	if (uses & USE_SYNCHRONOUS && delay == 0 && draws % 5 == 0)
		return ISSEND;
	if (uses & USE_MODES && small && draws % 3 == 0)
		return (int[]){BSEND, IBSEND, SEND, ISEND}[(draws >> 8) % 4];
	return small && draws % 2 ? SEND : ISEND;
}

static int64_t sending_step[OUTBOX];

static void send_step(int64_t step, int64_t last)
{
	for (int c = 0; c < COMMS; c++)
		for (int tag = 0; tag < TAGS; tag++)
			for (int peer = 0; peer < sizes[c]; peer++) {
				int count = messages_in(c, tag, rank, peer_ranks[c][peer], step, last);
				for (int i = 0; i < count; i++) {
					uint64_t draws = mix(mix(seed, (uint64_t)step * 8 + (uint64_t)i), mix((uint64_t)(c * 64 + tag), (uint64_t)(rank * 64 + peer)));
					int bytes = (int)((draws >> 8) % (uses & USE_LARGE ? (draws % 20 ? draws % 5 ? 1000 : 20000 : LARGEST) : 1000));
					bool small = bytes + (int)sizeof(struct header) <= EAGER;
					struct manner manner = manner_of(c, tag);
					if (manner.wild_source && !small) { /* it might be overtaken by other sources' messages for long */
						bytes %= EAGER - (int)sizeof(struct header);
						small = true;
					}
					enum mode mode = (enum mode)step_mode(draws >> 30, small, manner.wild_source ? -1 : manner.delay);
					if (peer == self_of[c])
						mode = (enum mode)to_oneself((int)mode);
					int slot = free_sending();
					if (slot < 0) {
						test_outbox();
						slot = free_sending();
					}
					if (slot < 0)
						wrong("the outbox is too small");
					send_one(c, peer, tag, bytes, mode, uses & USE_TYPES ? (enum layout)((draws >> 50) % LAYOUTS) : BYTES, DATA, 0);
					sending_step[slot] = mode == ISSEND ? step - SENDS_KEPT : step;
				}
			}
}

/* Sends of long ago are surely received; synchronous ones of this step as well. */
static void finish_sends(int64_t step)
{
	for (int slot = 0; slot < OUTBOX; slot++)
		if (sending[slot] != MPI_REQUEST_NULL && sending_step[slot] <= step - SENDS_KEPT) {
			MPI_Wait(&sending[slot], MPI_STATUS_IGNORE);
			sent_one(slot);
		}
}

/* Calls `visit` for each receive that is due in a step. */
static void receives_of(int64_t due, int64_t last, bool direct, void (*visit)(int comm, int source, int tag, int64_t due))
{
	for (int c = 0; c < COMMS; c++)
		for (int tag = 0; tag < TAGS; tag++)
			for (int peer = 0; peer < sizes[c]; peer++) {
				struct manner manner = manner_of(c, tag);
				int from = peer_ranks[c][peer];
				int count = (manner.lead < 0) == direct ? messages_in(c, tag, from, rank, due - manner.delay, last) : 0;
				for (int i = 0; i < count; i++)
					visit(c, manner.wild_source ? MPI_ANY_SOURCE : peer, manner.wild_tag ? MPI_ANY_TAG : tag, due);
			}
}

static int64_t posting_step;

static void post_if_time(int comm, int source, int tag, int64_t due)
{
	int lead = manner_of(comm, tag < 0 ? 0 : tag).lead;
	if (posting_step != (due - lead < 0 ? 0 : due - lead))
		return;
	if (state.pending_count == PENDING_MOST)
		wrong("too many receives are pending");
	owe(comm, source, tag, uses & USE_TYPES ? (enum layout)(state.posts % LAYOUTS) : BYTES, due);
	post(&state.pending[state.pending_count - 1]);
}

static void receive_directly(int comm, int source, int tag, int64_t due)
{
	MPI_Status status;
	enum layout layout = uses & USE_TYPES ? (enum layout)(state.posts % LAYOUTS) : BYTES;
	(void)due;
	if (mix(seed, state.posts) % 3 == 0) {
		MPI_Probe(source, tag, comms[comm], &status);
		receive_found(comm, &status, layout);
	} else {
		receive_any(comm, layout, source, tag);
	}
}

/* Those that are due come first in the array: they are brought there, in order. */
static int due_first(int64_t step)
{
	struct obligation ordered[PENDING_MOST];
	int due = 0, all = 0;
	for (int i = 0; i < state.pending_count; i++)
		if (state.pending[i].due <= step)
			ordered[all++] = state.pending[i];
	due = all;
	for (int i = 0; i < state.pending_count; i++)
		if (state.pending[i].due > step)
			ordered[all++] = state.pending[i];
	memcpy(state.pending, ordered, (size_t)all * sizeof *ordered);
	return due;
}

/* Back to the order in which they were posted: that is how they are posted again. */
static void posted_order(void)
{
	for (int i = 1; i < state.pending_count; i++)
		for (int j = i; j > 0 && state.pending[j].post < state.pending[j - 1].post; j--) {
			struct obligation other = state.pending[j];
			state.pending[j] = state.pending[j - 1];
			state.pending[j - 1] = other;
		}
}

static void await_due(int64_t step)
{
	int due;
	for (uint64_t turn = 0; (due = due_first(step)) > 0; turn++) {
		uint64_t draws = mix(mix(seed, (uint64_t)step), turn * 64 + (uint64_t)rank);
		ask_for((enum how)(draws % HOWS), due, (int)((draws >> 20) % (uint64_t)due));
	}
	posted_order();
}

static void run_steps(int64_t steps)
{
	for (; state.step < steps + DELAY_MOST + 1; state.step++) {
		int64_t step = state.step;
		if (seamark_safepoint(step) < 0)
			wrong("a safepoint failed");
		post_owed();
		uint64_t draws = mix(mix(seed, (uint64_t)step), 1000 + (uint64_t)rank);
		nap(draws % 1000 < (uint64_t)patience ? (int)((draws >> 20) % 400) : 0);
		posting_step = step;
		for (int64_t due = step; due <= step + LEAD_MOST; due++)
			receives_of(due, steps, false, post_if_time);
		if (uses & USE_ICOLLECTIVES && step % 3 == 0)
			icollective_begin();
		send_step(step, steps);
		if (uses & USE_AHEAD && draws % 4 == 0)
			ask_for((enum how)(draws >> 8) % 4, state.pending_count, 0);
		receives_of(step, steps, true, receive_directly);
		await_due(step);
		finish_sends(step);
		while (icollective != MPI_REQUEST_NULL)
			icollective_test();
		if (uses & USE_COLLECTIVES && step % 5 == 0)
			collective();
	}
}

/* --- the end -------------------------------------------------------------------------------------------------------------------------------------- */

static void cancel_pending(void)
{
	MPI_Status status;
	int cancelled;
	while (state.pending_count) {
		MPI_Cancel(&posted[state.pending[0].slot]);
		MPI_Wait(&posted[state.pending[0].slot], &status);
		MPI_Test_cancelled(&status, &cancelled);
		if (!cancelled)
			wrong("a message too many: on %s from %d tag %d", comm_names[state.pending[0].comm], status.MPI_SOURCE, status.MPI_TAG);
		forget(0);
	}
}

static void compare_all(void)
{
	uint64_t mine[RANKS_MOST][TAGS][2], theirs[RANKS_MOST][TAGS][2];
	int found;
	for (int c = 0; c < COMMS; c++) {
		if (comms[c] == MPI_COMM_NULL)
			continue;
		for (int peer = 0; peer < sizes[c]; peer++)
			for (int tag = 0; tag < TAGS; tag++) {
				mine[peer][tag][0] = state.out[c][tag][peer].sent;
				mine[peer][tag][1] = state.out[c][tag][peer].digest;
			}
		MPI_Alltoall(mine, TAGS * 2, MPI_UINT64_T, theirs, TAGS * 2, MPI_UINT64_T, comms[c]);
		for (int peer = 0; peer < sizes[c]; peer++)
			for (int tag = 0; tag < TAGS; tag++) {
				const struct incoming *in = &state.in[c][tag][peer];
				if (in->seen != theirs[peer][tag][0] || in->count != theirs[peer][tag][0])
					wrong("at the end: %s from %d tag %d: %llu sent, %llu seen", comm_names[c], peer, tag,
					      (unsigned long long)theirs[peer][tag][0], (unsigned long long)in->count);
				if (tag != TAG_EMPTY && in->digest != theirs[peer][tag][1])
					wrong("at the end: %s from %d tag %d: other messages were seen than sent", comm_names[c], peer, tag);
			}
		MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comms[c], &found, MPI_STATUS_IGNORE);
		if (found)
			wrong("at the end: a message is left on %s", comm_names[c]);
	}
}

static int letters(const char *text)
{
	int set = 0;
	for (; *text; text++)
		if (*text >= 'a' && *text <= 'l')
			set |= 1 << (*text - 'a');
	return set;
}

/* What does not go together: who blocks in a collective may not be waited for. */
static int choose_uses(const char *only, const char *without)
{
	int chosen = only ? letters(only) : (int)(mix(seed, 3) & USE_ALL) | (int)(mix(seed, 4) & USE_ALL & ~(USE_SYNCHRONOUS | USE_ICOLLECTIVES));
	chosen &= ~(without ? letters(without) : 0);
	if (chosen & USE_COLLECTIVES && !deterministic) {
		if (mix(seed, 9) % 2)
			chosen &= ~(USE_BLOCKING | USE_SSEND);
		else
			chosen &= ~USE_COLLECTIVES;
	}
	return chosen;
}

int main(int argc, char **argv)
{
	const char *kind = "event", *only = NULL, *without = NULL;
	int64_t work = 1000, step = 0;
	uint64_t sums[2], all[2];
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--kind"))
			kind = argv[i + 1];
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--work"))
			work = atol(argv[i + 1]);
		else if (!strcmp(argv[i], "--only"))
			only = argv[i + 1];
		else if (!strcmp(argv[i], "--without"))
			without = argv[i + 1];
		else
			wrong("no such option: %s", argv[i]);
	}
	if (ranks > RANKS_MOST)
		wrong("at most %d ranks", RANKS_MOST);
	deterministic = kind[0] == 's';
	uses = choose_uses(only, without);
	patience = (int)(mix(seed, 10) % 30);
	life = mix((uint64_t)time(NULL), (uint64_t)getpid());
	linear = malloc(2 * MOST);
	scratch = malloc(2 * MOST);
	taking = malloc(2 * MOST);
	buffered_room = malloc(BUFFERED_ROOM);
	for (int i = 0; i < OUTBOX; i++)
		sending[i] = MPI_REQUEST_NULL;
	buffer_room(true);
	make_comms();
	state.random = mix(seed, 1000 + (uint64_t)rank);
	state.left = work;
	if (seamark_protect("state", &state, sizeof state) < 0)
		wrong("seamark_protect failed");
	int restored = seamark_restore(&step);
	if (restored < 0)
		wrong("seamark_restore: %s", seamark_strerror(restored));
	if (restored == SEAMARK_RESTORED)
		check_restored();
	if (deterministic && restored == SEAMARK_RESTORED && step != state.step)
		wrong("restored at step %lld with the state of step %lld", (long long)step, (long long)state.step);
	if (deterministic)
		run_steps(work);
	else
		run_events(restored == SEAMARK_RESTORED);
	cancel_pending();
	MPI_Waitall(OUTBOX, sending, MPI_STATUSES_IGNORE);
	compare_all();
	sums[0] = state.messages;
	sums[1] = state.digest;
	MPI_Reduce(sums, all, 2, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
	if (rank == 0)
		printf("storm: %s seed %llu uses %x on %d ranks: %llu messages, digest %016llx\n", kind, (unsigned long long)seed, uses, ranks,
		       (unsigned long long)all[0], (unsigned long long)(deterministic ? all[1] : 0));
	MPI_Finalize();
	return 0;
}
