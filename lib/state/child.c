/* SPDX-License-Identifier: BSD-3-Clause */
/* The child is made by clone without a signal for its end, so that only a wait that asks for such children finds it, and without what the C library does in fork: no
 * handler of MPI or of the program runs, and no lock is taken. In it there are system calls and nothing else. */
#include "state/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OLDEST_CLOSED = 1 << 16 };

struct child {
	pid_t id;
	int line;                 /* to the child, which goes when it is closed */
	pthread_mutex_t lock;     /* a child that is being read is not waited for: its number might be another's then */
	bool ended, gone;
	bool by_line;             /* the system does not let us read another process */
	bool flags_read;
	struct maps flags;
	bool wiped;
};

struct order {
	uint64_t data;
	uint64_t bytes;
};

/* --- in the child ------------------------------------------------------------------------------------------------------- */

/* The program's files, sockets and locks are to go when the program goes, and pipes to end. */
static void close_all_but(int line)
{
	bool closed = true;

#ifdef SYS_close_range
	closed = (!line || !syscall(SYS_close_range, 0, line - 1, 0)) && !syscall(SYS_close_range, line + 1, ~0U, 0);
	if (closed)
		return;
#endif
	for (int fd = 0; fd < OLDEST_CLOSED; fd++)
		if (fd != line)
			syscall(SYS_close, fd);
}

/* When there is not enough memory for both, the program stays. */
static void go_first(void)
{
	long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);

	if (fd >= 0) {
		syscall(SYS_write, fd, "1000", 4);
		syscall(SYS_close, fd);
	}
}

static bool serve(int line)
{
	struct order order;
	long got = syscall(SYS_recvfrom, line, &order, sizeof order, MSG_WAITALL, NULL, NULL);

	if (got != sizeof order)
		return false;
	while (order.bytes) {
		long done = syscall(SYS_sendto, line, order.data, order.bytes, MSG_NOSIGNAL, NULL, 0);

		if (done <= 0)
			return false;
		order.data += (uint64_t)done;
		order.bytes -= (uint64_t)done;
	}
	return true;
}

/* Other children of the program may hold the other end of the line: its end alone would not tell that the program is gone. */
static void be_memory(int line, pid_t program)
{
	close_all_but(line);
	go_first();
	syscall(SYS_prctl, PR_SET_NAME, "seamark-memory", 0, 0, 0);
	for (;;) {
		struct pollfd look = { .fd = line, .events = POLLIN };
		struct timespec second = { .tv_sec = 1 };
		long ready = syscall(SYS_ppoll, &look, 1, &second, NULL, 0);

		if (ready < 0 || (ready && !serve(line)) || (!ready && syscall(SYS_getppid) != program))
			syscall(SYS_exit_group, 0);
	}
}

/* --- in the program ------------------------------------------------------------------------------------------------------ */

static pid_t clone_silently(void)
{
#ifdef __s390x__
	return (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
#else
	return (pid_t)syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
#endif
}

static bool can_be_read(pid_t id, const void *data)
{
	uint8_t byte;
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)data, 1 };

	return syscall(SYS_process_vm_readv, id, &here, 1UL, &there, 1UL, 0UL) == 1;
}

struct child *child_make(struct fault *fault)
{
	struct child *child = calloc(1, sizeof *child);
	pid_t program = getpid();
	sigset_t all, before;
	int ends[2];

	if (!child || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		fault_errno(fault, "cannot make a line to a child process");
		free(child);
		return NULL;
	}
	/* No handler of the program's shall ever run in it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child->id = clone_silently();
	if (!child->id)
		be_memory(ends[1], program);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (child->id < 0)
		fault_errno(fault, "cannot make a child process");
	close(ends[1]);
	if (child->id < 0) {
		close(ends[0]);
		free(child);
		return NULL;
	}
	child->line = ends[0];
	pthread_mutex_init(&child->lock, NULL);
	child->by_line = !can_be_read(child->id, child);
	return child;
}

bool child_maps(struct child *child, struct maps *maps)
{
	return maps_read(maps, child->id, false);
}

static int died(struct fault *fault)
{
	return fault_set(fault, SEAMARK_E_UNABLE, "the child process that held the state was ended (by the system, for want of memory?)");
}

static int read_directly(const struct child *child, const uint8_t *data, uint8_t *to, uint64_t bytes, struct fault *fault)
{
	while (bytes) {
		struct iovec here = { to, bytes }, there = { (void *)(uintptr_t)data, bytes };
		long done = syscall(SYS_process_vm_readv, child->id, &here, 1UL, &there, 1UL, 0UL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == ESRCH)
			return died(fault);
		if (done <= 0)
			return fault_errno(fault, "cannot read the memory of the child process that holds the state");
		data += done;
		to += done;
		bytes -= (uint64_t)done;
	}
	return 0;
}

static int read_by_line(const struct child *child, const uint8_t *data, uint8_t *to, uint64_t bytes, struct fault *fault)
{
	struct order order = { (uintptr_t)data, bytes };

	if (send(child->line, &order, sizeof order, MSG_NOSIGNAL) != sizeof order)
		return died(fault);
	while (bytes) {
		ssize_t done = recv(child->line, to, bytes, 0);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return died(fault);
		to += done;
		bytes -= (uint64_t)done;
	}
	return 0;
}

/* Nobody would wipe what is to be saved. But then it would be saved as zeros, so it is looked at, where the program does not wait for it. */
static int check_kept(struct child *child, uintptr_t from, uintptr_t to, struct fault *fault)
{
	if (!child->flags_read)
		maps_read(&child->flags, child->id, true);
	child->flags_read = true;
	if (maps_cover(&child->flags, from, to, maps_kept))
		return 0;
	child->wiped = true;
	return fault_set(fault, SEAMARK_E_REGION, "memory at %p is not inherited by a child process (MADV_WIPEONFORK): it cannot be saved by fork",
			 (void *)from);
}

int child_read(struct child *child, const void *data, void *to, uint64_t bytes, struct fault *fault)
{
	int result;

	pthread_mutex_lock(&child->lock);
	if (child->ended)
		result = fault_set(fault, SEAMARK_E_VOID, "the image was given up");
	else
		result = check_kept(child, (uintptr_t)data, (uintptr_t)data + bytes, fault);
	if (!result && child->by_line)
		result = read_by_line(child, data, to, bytes, fault);
	else if (!result)
		result = read_directly(child, data, to, bytes, fault);
	pthread_mutex_unlock(&child->lock);
	return result;
}

bool child_found_wiped(struct child *child)
{
	bool wiped;

	pthread_mutex_lock(&child->lock);
	wiped = child->wiped;
	pthread_mutex_unlock(&child->lock);
	return wiped;
}

void child_end(struct child *child)
{
	/* A reader that waits for it on the line comes back at once. */
	kill(child->id, SIGKILL);
	pthread_mutex_lock(&child->lock);
	if (!child->ended)
		close(child->line);
	child->ended = true;
	pthread_mutex_unlock(&child->lock);
}

bool child_free(struct child *child, bool wait)
{
	pid_t found;

	if (!child->ended)
		child_end(child);
	do
		found = waitpid(child->id, NULL, __WCLONE | (wait ? 0 : WNOHANG));
	while (found < 0 && errno == EINTR);
	/* An error: somebody else has found it. */
	if (!found)
		return false;
	maps_free(&child->flags);
	pthread_mutex_destroy(&child->lock);
	free(child);
	return true;
}
