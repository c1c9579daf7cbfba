/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/shared.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "store/io.h"

#define FOLDER "/dev/shm/"
enum { FILES = 4, MARK = 16 };

/* The file of one attempt. */
struct shared_file {
	uint64_t number;               /* of the attempt; 0: of none */
	uint64_t nonce;
	uint32_t users;
	uint32_t arrived;
	uint64_t expected;             /* bytes, by those who have begun */
	uint64_t next;                 /* what is free from here on */
};

/* As it lies in the memory. The tables of the files follow. */
struct memory {
	uint8_t mark[MARK];            /* that it is the one that is meant */
	pthread_mutex_t lock;
	uint32_t ranks;
	uint64_t forgotten;            /* the highest number of an attempt whose place was given to another */
	struct shared_file files[FILES];
};

struct store_shared {
	struct memory *memory;
	size_t size;
	char name[STORE_SHARED_NAME];  /* of the file, while it has one and it is ours to remove */
};

static size_t size_of(uint32_t ranks)
{
	return sizeof(struct memory) + (size_t)FILES * ranks * sizeof(struct format_rank);
}

static struct format_rank *table_of(const struct shared_part *part)
{
	struct memory *memory = part->shared->memory;

	return (struct format_rank *)(memory + 1) + (size_t)(part->file - memory->files) * memory->ranks;
}

/* --- the memory ---------------------------------------------------------------------------------------------------- */

static int map(struct store_shared *shared, int fd, uint32_t ranks, struct fault *fault)
{
	void *memory;

	shared->size = size_of(ranks);
	memory = mmap(NULL, shared->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return fault_errno(fault, "cannot map memory below '" FOLDER "'");
	shared->memory = memory;
	return 0;
}

/* One that dies with the lock leaves it to the others: its attempt will never be committed, as it reports nothing any more. */
static int make_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t kind;
	int error = pthread_mutexattr_init(&kind);

	if (error)
		return error;
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	error = pthread_mutex_init(lock, &kind);
	pthread_mutexattr_destroy(&kind);
	return error;
}

static int fill(struct memory *memory, uint32_t ranks, const uint8_t mark[MARK], struct fault *fault)
{
	errno = make_lock(&memory->lock);
	if (errno)
		return fault_errno(fault, "cannot make a lock in memory below '" FOLDER "'");
	memory->ranks = ranks;
	memcpy(memory->mark, mark, MARK);
	return 0;
}

static void make_name(char name[STORE_SHARED_NAME], const uint8_t mark[MARK])
{
	int length = snprintf(name, STORE_SHARED_NAME, "seamark-");

	for (int i = 0; i < MARK; i++)
		length += snprintf(name + length, STORE_SHARED_NAME - (size_t)length, "%02x", mark[i]);
}

static struct io_path path_of(const char *name)
{
	return io_path(FOLDER "%s", name);
}

static int make_memory(struct store_shared *shared, uint32_t ranks, const uint8_t mark[MARK], struct fault *fault)
{
	struct io_path path = path_of(shared->name);
	int fd = open(path.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR), code;

	crash_point("shared-memory-made");
	if (fd < 0) {
		shared->name[0] = 0;
		return fault_errno(fault, "cannot make '%s'", path.text);
	}
	/* Where there is no room for it, a first touch would be a signal. */
	errno = posix_fallocate(fd, 0, (off_t)size_of(ranks));
	code = errno ? fault_errno(fault, "cannot make '%s'", path.text) : map(shared, fd, ranks, fault);
	close(fd);
	return code ? code : fill(shared->memory, ranks, mark, fault);
}

int store_shared_make(struct store_shared **made, uint32_t ranks, char name[STORE_SHARED_NAME], struct fault *fault)
{
	struct store_shared *shared = calloc(1, sizeof *shared);
	uint8_t mark[MARK];
	int code = 0;

	assert(ranks && ranks <= FORMAT_RANKS_MAX);
	if (!shared)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for what the ranks of a file have in common");
	if (TEMP_FAILURE_RETRY(getrandom(mark, sizeof mark, 0)) != (ssize_t)sizeof mark)
		code = fault_errno(fault, "cannot draw a random name below '" FOLDER "'");
	if (!code) {
		make_name(shared->name, mark);
		code = make_memory(shared, ranks, mark, fault);
	}
	if (code) {
		store_shared_close(shared);
		return code;
	}
	strcpy(name, shared->name);
	*made = shared;
	return 0;
}

static bool is_meant(const struct memory *memory, uint32_t ranks, const char *name)
{
	char marked[STORE_SHARED_NAME];

	make_name(marked, memory->mark);
	return memory->ranks == ranks && !strcmp(marked, name);
}

/* Whoever is in another container may see another file there, or none. */
static int join_memory(struct store_shared *shared, uint32_t ranks, const char *name, struct fault *fault)
{
	struct io_path path = path_of(name);
	int fd = open(path.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW), code;
	struct stat status;

	if (fd < 0)
		return fault_errno(fault, "cannot open '%s'", path.text);
	if (fstat(fd, &status) || (size_t)status.st_size < size_of(ranks))
		code = fault_set(fault, SEAMARK_E_IO, "'%s' is not what another rank made", path.text);
	else
		code = map(shared, fd, ranks, fault);
	close(fd);
	if (!code && !is_meant(shared->memory, ranks, name))
		code = fault_set(fault, SEAMARK_E_IO, "'%s' is not what another rank made", path.text);
	return code;
}

int store_shared_join(struct store_shared **joined, uint32_t ranks, const char *name, struct fault *fault)
{
	struct store_shared *shared = calloc(1, sizeof *shared);
	int code = shared ? join_memory(shared, ranks, name, fault) :
			    fault_set(fault, SEAMARK_E_MEMORY, "no memory for what the ranks of a file have in common");

	if (code)
		store_shared_close(shared);
	else
		*joined = shared;
	return code;
}

void store_shared_forget_name(struct store_shared *shared)
{
	if (!shared || !shared->name[0])
		return;
	unlink(path_of(shared->name).text);
	crash_point("shared-memory-nameless");
	shared->name[0] = 0;
}

void store_shared_close(struct store_shared *shared)
{
	if (!shared)
		return;
	store_shared_forget_name(shared);
	if (shared->memory)
		munmap(shared->memory, shared->size);
	free(shared);
}

uint32_t shared_ranks(const struct store_shared *shared)
{
	return shared->memory->ranks;
}

/* --- an attempt ---------------------------------------------------------------------------------------------------- */

static void lock(struct memory *memory)
{
	int error = pthread_mutex_lock(&memory->lock);

	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(&memory->lock);
	assert(!error);
}

static void unlock(struct memory *memory)
{
	pthread_mutex_unlock(&memory->lock);
}

/* The attempt's, or that of the oldest in which nobody is any more. An attempt that lost its place gets none again: its ranks would count for themselves. */
static struct shared_file *find_file(struct memory *memory, uint64_t number, uint64_t nonce)
{
	struct shared_file *oldest = NULL;

	for (int i = 0; i < FILES; i++) {
		struct shared_file *file = &memory->files[i];

		if (file->number == number && file->nonce == nonce)
			return file;
		if (!file->users && (!oldest || file->number < oldest->number))
			oldest = file;
	}
	if (!oldest || number <= memory->forgotten)
		return NULL;
	if (oldest->number > memory->forgotten)
		memory->forgotten = oldest->number;
	*oldest = (struct shared_file){ .number = number, .nonce = nonce, .next = format_header_size(memory->ranks) };
	return oldest;
}

int shared_enter(struct shared_part *part, struct store_shared *shared, const struct store_identity *identity, uint32_t first, struct fault *fault)
{
	struct memory *memory = shared->memory;

	*part = (struct shared_part){ .rank = identity->rank - first };
	lock(memory);
	part->file = find_file(memory, identity->number, identity->nonce);
	if (part->file) {
		part->shared = shared;
		part->file->users++;
	}
	unlock(memory);
	return part->file ? 0 : fault_set(fault, SEAMARK_E_IO, "the file of an attempt that other ranks have left cannot be joined any more");
}

void shared_leave(struct shared_part *part)
{
	if (!part->shared)
		return;
	lock(part->shared->memory);
	part->file->users--;
	unlock(part->shared->memory);
	part->shared = NULL;
}

uint64_t shared_expect(struct shared_part *part, uint64_t bytes)
{
	struct memory *memory = part->shared->memory;
	uint64_t before;

	lock(memory);
	before = part->file->expected;
	part->file->expected += bytes;
	unlock(memory);
	return format_header_size(memory->ranks) + before;
}

void shared_expect_less(struct shared_part *part, uint64_t bytes)
{
	lock(part->shared->memory);
	part->file->expected -= bytes;
	unlock(part->shared->memory);
}

uint64_t shared_take(struct shared_part *part, uint64_t bytes)
{
	uint64_t at;

	lock(part->shared->memory);
	at = part->file->next;
	part->file->next += bytes;
	unlock(part->shared->memory);
	return at;
}

bool shared_arrive(struct shared_part *part, const struct format_rank *rank, struct format_header *header)
{
	struct memory *memory = part->shared->memory;
	struct format_rank *table = table_of(part);
	bool all;

	lock(memory);
	table[part->rank] = *rank;
	all = ++part->file->arrived == memory->ranks;
	if (all) {
		header->rank_count = memory->ranks;
		header->file_size = part->file->next;
		memcpy(header->ranks, table, memory->ranks * sizeof *table);
	}
	unlock(memory);
	return all;
}
