/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark-assumptions: what Seamark takes for granted of an MPI library beyond the standard's words, one check for each.
 *   main.c       the table, the order, the telling
 *   matching.c   probes and earlier receives; markers and what overtakes them
 *   requests.c   asking, handles, inactive requests, cancelling
 *   delivery.c   messages to oneself as MPI_PACKED
 *   progress.c   non-blocking collectives inside blocking calls
 *   finalize.c   what runs in MPI_Finalize
 *
 * Ranks work in pairs, r of the first half with r + size / 2 of the second, so that pairs lie on two nodes where there are two. A check never leaves early:
 * what is not as expected is noted, and the exchange goes on, so that the ranks stay together. With --control each check is made to meet what it must not
 * find: then it has to say so. */
#ifndef CHECK_H
#define CHECK_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAG_A = 1, TAG_B, TAG_GO, TAG_BACK };

struct world {
	int rank, size, partner;
	bool receives, sends;  /* of a pair: the first, the second; neither, if it has none */
	bool control;
	int turns;             /* how often what may go wrong seldom is tried */
	MPI_Comm talk;         /* for what the partners tell each other beside the check */
};

extern struct world world;

/* Notes what is not as it should be; the first is told. */
void violated(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What is told if it holds. */
void saw(const char *format, ...) __attribute__((format(printf, 1, 2)));

double now_s(void);
void nap_ms(int ms);
/* From the receiver to the sender of a pair, who waits for it. */
void say_go(void);
void await_go(void);
/* Bytes that differ with their number, and whether they are there. */
void fill(unsigned char *bytes, size_t count, unsigned number);
bool is_filled(const unsigned char *bytes, size_t count, unsigned number);
uint64_t handle_of(const void *handle, size_t size);

void check_matched_probe(void);
void check_eager_markers(void);
void check_asking(void);
void check_handles(void);
void check_inactive(void);
void check_cancel(void);
void check_self_delivery(void);
void check_progress(void);

/* In three parts: at the start, as the last check, and when MPI_Finalize has returned. */
void finalize_watch(void (*tell)(void));
void check_finalize(void);
bool finalize_has_told(void);

#endif
