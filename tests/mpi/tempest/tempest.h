/* SPDX-License-Identifier: BSD-3-Clause */
/* Random MPI programs, and a model of MPI's rules that says what each of them must see.
 *
 * plan.c     from a seed, alike on every rank: who calls what in which order. Legal, and free of deadlock by construction.
 * worlds.c   communicators of every maker: who is in them, made, checked and freed
 * layout.c   datatypes of every constructor, and where their elements lie
 * gather.c   collectives, and what they must bring
 * run.c      carries out this rank's part of the plan
 * model.c    what was received, held against MPI's rules
 * tempest.c  options, seeds, safepoints and restarts
 *
 * Time in a plan is a key, larger for later. Every rank carries out its actions in the order of their keys. Whatever a call may wait for is begun
 * elsewhere at a smaller key, or at the same one by a call that can begin (both sides of a blocking exchange, the members of a collective):
 * by induction over the keys nobody waits for ever. */
#ifndef TEMPEST_H
#define TEMPEST_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RANKS_MOST = 16, COMMS_MOST = 14, PARTS_MOST = 16,
	MESSAGES_MOST = 2048, STREAMS_MOST = 2048, SERIES_MOST = 128, GATHERS_MOST = 256, SLOTS_MOST = 512, ODDS_MOST = 128,
	PER_MOST = 64, SMALL = 900, /* bytes that a standard send does not wait with */
	TAG_NEVER = 9999, NOBODY = -1000,
	BUFFER_ROOM = 4 << 20
};

/* What a program may do; each can be switched off. The order is that of the names in tempest.c. */
enum {
	USE_TYPES = 1 << 0, USE_PERSISTENT = 1 << 1, USE_MATCHED = 1 << 2, USE_PROBE = 1 << 3, USE_ANYSOURCE = 1 << 4, USE_ANYTAG = 1 << 5,
	USE_LOOSE = 1 << 6, USE_COLLECTIVE = 1 << 7, USE_ICOLLECTIVE = 1 << 8, USE_COMMS = 1 << 9, USE_INTER = 1 << 10, USE_SYNCHRONOUS = 1 << 11,
	USE_BUFFERED = 1 << 12, USE_READY = 1 << 13, USE_SENDRECV = 1 << 14, USE_LARGE = 1 << 15, USE_TRUNCATE = 1 << 16, USE_CANCEL = 1 << 17,
	USE_FREED = 1 << 18, USE_NOWHERE = 1 << 19, USE_GREQUEST = 1 << 20, USE_PEEK = 1 << 21, USE_HANDLER = 1 << 22, USE_BLOCKING = 1 << 23,
	USE_SELF = 1 << 24, USE_IDUP = 1 << 25,
	USE_ALL = (1 << 26) - 1
};

/* --- the plan ------------------------------------------------------------------------------------------------------------------------ */

enum maker {
	THE_WORLD, THE_SELF, DUP, DUP_INFO, IDUP, SPLIT, SPLIT_TYPE, CREATE, CREATE_GROUP, CART, CART_SUB, GRAPH, DIST_ADJACENT, DIST_GRAPH,
	INTERCOMM, MERGE, MAKERS
};
enum handler { RETURN, COUNT };

struct world { /* a communicator: its parts have no member in common, and each is a communicator to its members */
	enum maker maker;
	enum handler handler;
	int parent, parts, size[PARTS_MOST], members[PARTS_MOST][RANKS_MOST];
	int side[RANKS_MOST], place[RANKS_MOST]; /* of a rank of the world: its part, or -1, and its rank there */
	bool inter;                              /* two parts, that talk with each other */
	int dims[3], periods[3], dim_count, keep[3];       /* of cart, the dimensions of each part */
	int made, freed;                         /* slots: used after the first and before the second */
	uint64_t draws;
	bool attribute, gathered, quiet; /* has collectives; may have none */
};

enum mode { STANDARD, BUFFERED, SYNCHRONOUS, READY };
enum how_sent { SEND, ISEND, SEND_SERIES, SEND_EXCHANGE, SEND_REPLACE };
enum how_received { RECV, IRECV, RECV_SERIES, RECV_EXCHANGE, RECV_REPLACE, PROBE_RECV, PROBE_IRECV, IPROBE_RECV, MPROBE_MRECV, MPROBE_IMRECV,
		    IMPROBE_MRECV, IMPROBE_IMRECV };
enum matching { EXACT, ANY_TAG_OF_ONE, ANY_SOURCE_OF_TAG, ALL_WILD, LOOSE };

struct message { /* the i-th message, and the i-th receive of its like, which takes it unless wildcards make it another */
	int comm, source, target, tag, n, stream, serial, next; /* ranks of the world; n elements */
	enum matching matching;
	enum mode mode;
	enum how_sent how_sent;
	enum how_received how_received;
	int from, with_tag, room;                  /* what the receive asks for: a world rank or MPI_ANY_SOURCE; elements it has room for */
	int send_series, receive_series;           /* or -1 */
	bool packed, truncated, ignored, send_freed, receive_freed, reposted;
	uint64_t begin, end, post, take, received; /* keys; end and received: 0 if by another action */
};

struct stream {
	int comm, source, target, tag, first, last, count;
};

struct series { /* a persistent request */
	int comm, source, target, tag, n, from, with_tag;
	bool sends;
	enum mode mode;
	uint64_t draws;
};

enum gather {
	BARRIER, BROADCAST, REDUCE, ALLREDUCE, GATHER, GATHERV, SCATTER, SCATTERV, ALLGATHER, ALLGATHERV, ALLTOALL, ALLTOALLV, ALLTOALLW, SCAN, EXSCAN,
	REDUCE_SCATTER_BLOCK, REDUCE_SCATTER, NEIGHBOR_ALLGATHER, NEIGHBOR_ALLTOALL, GATHERS
};

struct gathering {
	int comm, count, root;
	enum gather what;
	bool waits, in_place;
	uint64_t draws;
};

enum act {
	SEND_BEGIN, SEND_END, POST, TAKE, RECEIVE_END, EXCHANGE, SERIES_INIT, SERIES_FREE, GATHER_BEGIN, GATHER_END, MAKE, MAKE_END, UNMAKE,
	PEEK, NOWHERE, CANCEL, NEVER_POST, NEVER_CANCEL, SAFEPOINT, FENCE, GREQUEST
};

struct action {
	uint64_t key, draws;
	enum act act;
	int index, other;
};

struct plan {
	uint64_t seed;
	int uses, slots, messages_count, streams_count, series_count, gathers_count, actions_count, comms_count, odds_count, safepoints, segments;
	int segment_end[64];
	struct world comms[COMMS_MOST];
	struct message messages[MESSAGES_MOST];
	struct stream streams[STREAMS_MOST];
	struct series series[SERIES_MOST];
	struct gathering gathers[GATHERS_MOST];
	struct action actions[8 * MESSAGES_MOST]; /* of this rank */
	int by_begin[MESSAGES_MOST];              /* the messages in the order of their sending */
};

/* The programs with safepoints leave out what a restarted program cannot know (whether a freed receive was complete). */
void plan_make(uint64_t seed, int uses, bool safepoints);
/* What a split asks for of who is at that place of that part of the parent. */
int world_color(uint64_t draws, int part, int place);
int world_order(uint64_t draws, int part, int place);
void plan_print(void);
int plan_base(int comm); /* which base type its messages are made of */

/* --- the state that survives --------------------------------------------------------------------------------------------------------- */

enum { BEGUN = 1, SENT = 2, POSTED = 4, MATCHED = 8, RECEIVED = 16, VERIFIED = 32, MISSED = 64 /* cancelled: it took no message */ };

struct got {
	int32_t from, with_tag;        /* what the receive asked for, when it was posted last */
	int32_t source, tag, elements; /* world rank; elements -1: not known, since the status was ignored */
	uint32_t post;
	uint64_t digest;
};

struct state {
	uint64_t seeds_done, messages, collectives;
	int64_t step;
	int32_t next; /* the action to come */
	uint32_t posts;
	uint8_t flags[MESSAGES_MOST];
	uint8_t taken[MESSAGES_MOST];
	struct got got[MESSAGES_MOST];
	int32_t loose[COMMS_MOST]; /* received of that matching */
	int32_t order[COMMS_MOST][2 * MESSAGES_MOST], order_count[COMMS_MOST], order_done[COMMS_MOST];
	uint8_t series_alive[SERIES_MOST];
	int32_t series_active[SERIES_MOST]; /* message + 1 */
	uint8_t never_posted[ODDS_MOST];
};

extern struct state state;
extern struct plan plan;
extern int rank, ranks;
extern bool verbose, mpich;

__attribute__((format(printf, 1, 2), noreturn)) void wrong(const char *format, ...);
int expect_ok(int code, const char *call);
#define OK(call) expect_ok(call, #call)

uint64_t mix(uint64_t a, uint64_t b);
struct dice {
	uint64_t at;
};
uint64_t dice_word(struct dice *dice);
int dice_draw(struct dice *dice, int below);
bool dice_chance(struct dice *dice, int percent);

/* --- layouts ------------------------------------------------------------------------------------------------------------------------- */

enum { BASES = 6 };
MPI_Datatype base_type(int base);
int base_width(int base);

struct area { /* memory for some elements in some layout, with guards around and between */
	MPI_Datatype type, inner;
	void *address;
	int count, per; /* to be given to MPI; elements in one item of `type` */
	unsigned char *raw, *start; /* with guards; without */
	size_t bytes;
	int room, width, item; /* elements; item: elements of one inner type */
	MPI_Aint extent;
	int displacements[PER_MOST];
	bool own_type, bottom, packed;
};

/* An area for n elements of that base; with `whole`, its items hold n exactly. */
void area_make(struct area *area, uint64_t draws, int base, int n, bool whole, bool plain);
void area_free(struct area *area);
void area_put(struct area *area, int n, const unsigned char *elements);
void area_guard(struct area *area);
/* The first n elements. Returns 0, or -1 - the place of a byte outside of them that was changed. */
long area_take(struct area *area, int n, unsigned char *elements);

/* --- communicators --------------------------------------------------------------------------------------------------------------------- */

extern int nodes[RANKS_MOST]; /* the first rank that shares memory with each */
void worlds_start(void);
void worlds_begin(void); /* a program's */
MPI_Comm worlds_comm(int comm);
int worlds_rank_of(int comm, int world_rank);     /* as this rank names another on it */
int worlds_world_rank(int comm, int rank_there);
void worlds_make(int comm, bool end);
void worlds_unmake(int comm);
void worlds_end(void);
int worlds_handled(void); /* how often a counting error handler was called */
MPI_Request *worlds_idup_request(void);
int world_peers(const struct world *world, int world_rank, int *part); /* how many, and which part they are */
void world_neighbors(const struct world *world, int world_rank, int *sources, int *in, int *targets, int *out); /* ranks in the part */

/* --- collectives ------------------------------------------------------------------------------------------------------------------------- */

void gather_begin(int index);
MPI_Request *gather_request(int index);
void gather_done(int index);
void gathers_clear(void);

/* --- messages ---------------------------------------------------------------------------------------------------------------------------- */

void content_make(const struct message *message, unsigned char *elements, size_t bytes);
uint64_t content_digest(const unsigned char *elements, size_t bytes);

/* The receive joins the order of those that take on its communicator; returns its number. */
void model_posted(int receive);
/* It took this. */
void model_received(int receive, int source, int tag, int elements, uint64_t digest);
void model_missed(int receive);
void model_freed(int receive);
void model_end(void);

void run_begin(void);
void run_actions(void);
void run_again(void); /* after a restart: posts what is owed */
void run_end(void);
void safepoint(void); /* in tempest.c */

#endif
