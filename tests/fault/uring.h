/* SPDX-License-Identifier: BSD-3-Clause */
/* Fates of writes by io_uring, for programs that stand before liburing: what is submitted is looked at, and what a completion says is changed. Includes this once per
 * program, and defines:
 *   int uring_fate(int fd)                 asked when a write is handed over: 0, or the negative errno with which it will fail
 *   int uring_result(int fd, int result)   what a completion shall say instead of a good result
 *   bool uring_refused(void)               whether io_uring cannot be had
 * With URING_UNTOUCHED defined before, all writes go as they go, and only the last is wanted. With URING_CALLS defined before, also these, of the ring itself:
 *   int uring_submitted(void)              asked when something is handed over: 0, the negative errno with which that fails, or 1: nothing is taken, and nothing said
 *   int uring_waited(void)                 asked when a completion is waited for: 0, or the negative errno with which that fails */
#ifndef FAULT_URING_H
#define FAULT_URING_H

#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static int uring_fate(int fd);
static int uring_result(int fd, int result);
static bool uring_refused(void);

#ifdef URING_CALLS
static int uring_submitted(void);
static int uring_waited(void);
#else
static int uring_submitted(void)
{
	return 0;
}

static int uring_waited(void)
{
	return 0;
}
#endif

#ifdef URING_UNTOUCHED
static int uring_fate(int fd)
{
	(void)fd;
	return 0;
}

static int uring_result(int fd, int result)
{
	(void)fd;
	return result;
}
#endif

/* Writes under way, of all rings. */
enum { URING_MOST = 1024 };
static struct uring_write { const struct io_uring *ring; uint64_t data; int fd; int fate; } uring_writes[URING_MOST];
static pthread_mutex_t uring_lock = PTHREAD_MUTEX_INITIALIZER;

static struct uring_write *uring_find(const struct io_uring *ring, uint64_t data)
{
	for (int i = 0; i < URING_MOST; i++)
		if (uring_writes[i].ring == ring && uring_writes[i].data == data)
			return &uring_writes[i];
	return NULL;
}

static void uring_note(const struct io_uring *ring, const struct io_uring_sqe *sqe)
{
	int fate = uring_fate(sqe->fd);
	struct uring_write *write;

	pthread_mutex_lock(&uring_lock);
	write = uring_find(ring, sqe->user_data);
	if (!write)
		write = uring_find(NULL, 0);
	if (!write)
		abort();
	*write = (struct uring_write){ ring, sqe->user_data, sqe->fd, fate };
	pthread_mutex_unlock(&uring_lock);
}

__attribute__((visibility("default"))) int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	static int (*real)(unsigned, struct io_uring *, unsigned);

	if (uring_refused())
		return -ENOSYS;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init");
	return real(entries, ring, flags);
}

__attribute__((visibility("default"))) int io_uring_submit(struct io_uring *ring)
{
	static int (*real)(struct io_uring *);
	int fate = uring_submitted();

	if (fate)
		return fate < 0 ? fate : 0;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit");
	for (unsigned at = ring->sq.sqe_head; at != ring->sq.sqe_tail; at++)
		if (ring->sq.sqes[at & ring->sq.ring_mask].opcode == IORING_OP_WRITE)
			uring_note(ring, &ring->sq.sqes[at & ring->sq.ring_mask]);
	return real(ring);
}

__attribute__((visibility("default"))) int io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, struct __kernel_timespec *time)
{
	static int (*real)(struct io_uring *, struct io_uring_cqe **, struct __kernel_timespec *);
	struct uring_write *write;
	int code = uring_waited();

	if (code)
		return code;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_wait_cqe_timeout");
	code = real(ring, cqe, time);
	if (code)
		return code;
	pthread_mutex_lock(&uring_lock);
	write = uring_find(ring, (*cqe)->user_data);
	if (write) {
		if (write->fate)
			(*cqe)->res = write->fate;
		else if ((*cqe)->res > 0)
			(*cqe)->res = uring_result(write->fd, (*cqe)->res);
		*write = (struct uring_write){ NULL, 0, 0, 0 };
	}
	pthread_mutex_unlock(&uring_lock);
	return 0;
}

#endif
