/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "store/io.h"

enum { HUGE_PAGE = 2 << 20, BOUNCE = 256 << 10, WORKERS = 4, PAUSE_NS = 1000000 };
/* Beside errno's: the file ended. */
enum { CUT_SHORT = -1 };

struct operation {
	struct ring_piece piece;
	bool used;
	bool direct;                 /* as it was asked for last */
	size_t done;                 /* of its bytes */
};

struct ring {
	int fd;
	const char *path;
	bool direct;                 /* past the page cache */
	size_t memory_align;         /* when direct */
	bool async;                  /* io_uring; else one piece at a time, while it is waited for */
	struct io_uring uring;
	struct operation operations[RING_DEPTH];
	unsigned under_way;
	uint8_t *slots;
	unsigned slot_count;
	bool taken[RING_DEPTH];
};

/* --- opening ------------------------------------------------------------------------------------------------------- */

static bool map_slots(struct ring *ring, unsigned count)
{
	size_t size = (size_t)count * RING_SLOT_SIZE;
	uint8_t *data;
	size_t before;

	ring->slot_count = count;
	if (!count)
		return true;
	data = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (data == MAP_FAILED)
		return false;
	before = (HUGE_PAGE - (uintptr_t)data % HUGE_PAGE) % HUGE_PAGE;
	if (before)
		munmap(data, before);
	munmap(data + before + size, HUGE_PAGE - before);
	ring->slots = data + before;
	madvise(ring->slots, size, MADV_HUGEPAGE);
	/* A child has no use for them, and the disk may be at work on them. */
	madvise(ring->slots, size, MADV_DONTFORK);
	return true;
}

/* Asked for on the open file: at its opening a file system that refuses would leave an empty file behind. */
static void go_direct(struct ring *ring)
{
	int flags = fcntl(ring->fd, F_GETFL);

	ring->memory_align = io_direct_alignment(ring->fd);
	if (!ring->memory_align)
		return;
	ring->direct = flags >= 0 && !fcntl(ring->fd, F_SETFL, flags | O_DIRECT);
}

static void go_buffered(struct ring *ring)
{
	int flags = fcntl(ring->fd, F_GETFL);

	ring->direct = false;
	if (flags >= 0)
		fcntl(ring->fd, F_SETFL, flags & ~O_DIRECT);
}

/* Kernels before 5.11 have io_uring without what we use of it. */
static void go_async(struct ring *ring)
{
	unsigned workers[2] = { WORKERS, WORKERS };
	cpu_set_t cpus;

	if (io_uring_queue_init(RING_DEPTH, &ring->uring, 0))
		return;
	if (!(ring->uring.features & IORING_FEAT_EXT_ARG) || io_uring_ring_dontfork(&ring->uring)) {
		io_uring_queue_exit(&ring->uring);
		return;
	}
	/* The kernel's own threads, for what would wait, stay where this thread is: off the program's cores, if it has been placed. Neither is needed. */
	if (!sched_getaffinity(0, sizeof cpus, &cpus))
		io_uring_register_iowq_aff(&ring->uring, sizeof cpus, &cpus);
	io_uring_register_iowq_max_workers(&ring->uring, workers);
	ring->async = true;
}

int ring_open(struct ring **opened, int fd, const char *path, unsigned slots, struct fault *fault)
{
	struct ring *ring = calloc(1, sizeof *ring);

	assert(slots <= RING_DEPTH);
	*opened = NULL;
	if (!ring || !map_slots(ring, slots)) {
		free(ring);
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the buffers of '%s'", path);
	}
	ring->fd = fd;
	ring->path = path;
	go_direct(ring);
	go_async(ring);
	*opened = ring;
	return 0;
}

void ring_close(struct ring *ring)
{
	struct ring_piece piece;

	if (!ring)
		return;
	while (ring->under_way)
		ring_wait(ring, &piece, NULL);
	if (ring->async)
		io_uring_queue_exit(&ring->uring);
	if (ring->slots)
		munmap(ring->slots, (size_t)ring->slot_count * RING_SLOT_SIZE);
	free(ring);
}

const char *ring_way(const struct ring *ring)
{
	if (ring->async)
		return ring->direct ? "io_uring, past the page cache" : "io_uring, and the page cache";
	return ring->direct ? "pwrite, past the page cache" : "pwrite, and the page cache";
}

/* --- slots --------------------------------------------------------------------------------------------------------- */

int ring_take_slot(struct ring *ring)
{
	for (unsigned i = 0; i < ring->slot_count; i++)
		if (!ring->taken[i]) {
			ring->taken[i] = true;
			return (int)i;
		}
	return -1;
}

void ring_give_slot(struct ring *ring, int slot)
{
	assert(slot >= 0 && (unsigned)slot < ring->slot_count && ring->taken[slot]);
	ring->taken[slot] = false;
}

uint8_t *ring_slot(struct ring *ring, int slot)
{
	assert(slot >= 0 && (unsigned)slot < ring->slot_count);
	return ring->slots + (size_t)slot * RING_SLOT_SIZE;
}

bool ring_fits(const struct ring *ring, const void *data, size_t size, uint64_t offset)
{
	return !ring->direct || ((uintptr_t)data % ring->memory_align == 0 && size % RING_ALIGN == 0 && offset % RING_ALIGN == 0);
}

unsigned ring_under_way(const struct ring *ring)
{
	return ring->under_way;
}

uint64_t ring_bytes_under_way(const struct ring *ring)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < RING_DEPTH; i++)
		if (ring->operations[i].used)
			bytes += ring->operations[i].piece.size;
	return bytes;
}

bool ring_tells(const struct ring *ring)
{
	return ring->async && ring->direct;
}

bool ring_has_room(const struct ring *ring)
{
	return ring->under_way < (ring->async ? RING_DEPTH : 1);
}

/* --- an operation -------------------------------------------------------------------------------------------------- */

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
}

static uint8_t *place(const struct operation *operation)
{
	return operation->piece.data + operation->done;
}

static size_t left(const struct operation *operation)
{
	return operation->piece.size - operation->done;
}

/* The system call for what is left, at once. As the kernel's result: bytes, or a negative errno. `bounce` may be null, or memory of our own to go by, for what lies
 * where the disk cannot take it from: a device's memory, for one. */
static int carry_out(const struct ring *ring, struct operation *operation, uint8_t *bounce)
{
	size_t size = bounce && left(operation) > BOUNCE ? BOUNCE : left(operation);
	off_t offset = (off_t)(operation->piece.offset + operation->done);
	uint8_t *at = bounce ? bounce : place(operation);
	ssize_t result;

	operation->direct = ring->direct;
	if (operation->piece.write) {
		if (bounce)
			memcpy(bounce, place(operation), size);
		result = pwrite(ring->fd, at, size, offset);
		crash_point_on("piece-written", ring->path);
	} else {
		result = pread(ring->fd, at, size, offset);
		if (bounce && result > 0)
			memcpy(place(operation), bounce, (size_t)result);
	}
	return result < 0 ? -errno : (int)result;
}

/* What the kernel does not take now, for want of memory, stays in the queue. */
static bool push(struct ring *ring)
{
	bool pushed = io_uring_submit(&ring->uring) >= 0;

	crash_point_on("piece-under-way", ring->path);
	return pushed;
}

static void submit(struct ring *ring, struct operation *operation)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
	uint64_t offset = operation->piece.offset + operation->done;

	assert(sqe); /* as many as operations */
	if (operation->piece.write)
		io_uring_prep_write(sqe, ring->fd, place(operation), (unsigned)left(operation), offset);
	else
		io_uring_prep_read(sqe, ring->fd, place(operation), (unsigned)left(operation), offset);
	io_uring_sqe_set_data(sqe, operation);
	operation->direct = ring->direct;
	push(ring);
}

enum step { STEP_AGAIN, STEP_BOUNCE, STEP_OVER };

/* What a result means: the operation is over, with 0 or an errno in *error, or has to be carried on with. */
static enum step take_result(struct ring *ring, struct operation *operation, int result, int *error)
{
	*error = 0;
	if (result == -EINTR || result == -EAGAIN)
		return STEP_AGAIN;
	if (result == -EFAULT && operation->piece.slot < 0)
		return STEP_BOUNCE;
	/* A file system that lets files be opened so, and then refuses. */
	if (result == -EINVAL && operation->direct) {
		go_buffered(ring);
		return STEP_AGAIN;
	}
	if (result <= 0) {
		*error = result ? -result : operation->piece.write ? EIO : CUT_SHORT;
		return STEP_OVER;
	}
	operation->done += (size_t)result < left(operation) ? (size_t)result : left(operation);
	if (!left(operation))
		return STEP_OVER;
	if (operation->done % RING_ALIGN)
		go_buffered(ring);
	return STEP_AGAIN;
}

/* Without io_uring, and for what it could not do. */
static int run_here(struct ring *ring, struct operation *operation, bool bouncing)
{
	uint8_t *bounce = NULL;
	enum step step;
	int error = 0;

	do {
		if (bouncing && !bounce && !(bounce = aligned_alloc(RING_ALIGN, BOUNCE)))
			return ENOMEM;
		int result = carry_out(ring, operation, bounce);

		if (bounce && result == -EFAULT) {
			error = EFAULT;
			break;
		}
		step = take_result(ring, operation, result, &error);
		bouncing = bouncing || step == STEP_BOUNCE;
		if (result == -EAGAIN)
			pause_a_little();
	} while (step != STEP_OVER);
	free(bounce);
	return error;
}

void ring_start(struct ring *ring, const struct ring_piece *piece)
{
	unsigned i = 0;

	assert(ring_has_room(ring) && piece->size && piece->size <= INT32_MAX);
	while (ring->operations[i].used)
		i++;
	ring->operations[i] = (struct operation){ .piece = *piece, .used = true };
	ring->under_way++;
	if (ring->async)
		submit(ring, &ring->operations[i]);
}

/* --- waiting ------------------------------------------------------------------------------------------------------- */

/* The next completion, whatever it says. */
static struct operation *next_completion(struct ring *ring, int *result)
{
	struct __kernel_timespec soon = { .tv_nsec = PAUSE_NS };
	struct operation *operation;
	struct io_uring_cqe *cqe;
	int code;

	do {
		bool queued = io_uring_sq_ready(&ring->uring) && (!push(ring) || io_uring_sq_ready(&ring->uring));

		code = io_uring_wait_cqe_timeout(&ring->uring, &cqe, queued ? &soon : NULL);
		if (code && code != -EINTR && code != -ETIME)
			pause_a_little();
	} while (code);
	operation = io_uring_cqe_get_data(cqe);
	*result = cqe->res;
	io_uring_cqe_seen(&ring->uring, cqe);
	return operation;
}

static struct operation *wait_async(struct ring *ring, int *error)
{
	for (;;) {
		int result;
		struct operation *operation = next_completion(ring, &result);
		enum step step = take_result(ring, operation, result, error);

		crash_point_on("piece-done", ring->path);
		if (step == STEP_OVER)
			return operation;
		/* One by one, while others are under way. */
		if (step == STEP_BOUNCE) {
			*error = run_here(ring, operation, true);
			return operation;
		}
		if (result == -EAGAIN)
			pause_a_little();
		submit(ring, operation);
	}
}

bool ring_has_done(const struct ring *ring)
{
	return ring->async && ring->under_way && io_uring_cq_ready(&ring->uring);
}

int ring_wait(struct ring *ring, struct ring_piece *done, struct fault *fault)
{
	struct operation *operation;
	int error = 0;

	assert(ring->under_way);
	if (ring->async) {
		operation = wait_async(ring, &error);
	} else {
		operation = &ring->operations[0];
		error = run_here(ring, operation, false);
	}
	*done = operation->piece;
	operation->used = false;
	ring->under_way--;
	if (!error)
		return 0;
	if (error == CUT_SHORT)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is cut short", ring->path);
	errno = error;
	return fault_errno(fault, done->write ? "cannot write '%s'" : "cannot read '%s'", ring->path);
}
