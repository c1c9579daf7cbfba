/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads regions: several threads, each with a chunk of its own, so that the disk always has some to give while others are checked and decompressed. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/chunk_read.h"

/* Threads wait for the disk more than they compute, so there are some also where there is one core. Little is read by the caller alone. */
enum { THREADS_LEAST = 4, THREADS_MOST = 8, ALONE = 8 << 20 };

/* A thread takes chunks that follow each other until they are so much, so that what is small and lies side by side is read by one. */
enum { LOT = 256 << 10 };

struct load {
	struct store_image *image;
	size_t end;                    /* of the chunks to load */
	uint8_t *one;                  /* where the region goes if it is only one */
	void *const *data;             /* by region; null: only checked. Null itself: as `one` says */
	const bool *leave;             /* by region; null: none is left out */
	atomic_size_t next;
	pthread_mutex_t lock;
	size_t bad;                    /* the first chunk that is known to be bad; under the lock */
	struct fault fault;            /* why */
	int code;
};

static void note_bad(struct load *load, size_t at, int code, const struct fault *fault)
{
	pthread_mutex_lock(&load->lock);
	if (at < load->bad) {
		load->bad = at;
		load->fault = *fault;
		load->code = code;
	}
	pthread_mutex_unlock(&load->lock);
	/* Chunks are given out in order: those before it are being read, so the first bad one is always the one that is told of. */
	atomic_store(&load->next, load->end);
}

static int load_chunk(struct load *load, struct chunk_reader *reader, const struct format_chunk *chunk, struct fault *fault)
{
	uint8_t *to = load->data ? load->data[chunk->region] : load->one;

	if (load->leave && load->leave[chunk->region])
		return 0;
	return chunk_read(reader, chunk, to ? to + chunk->logical : NULL, fault);
}

/* The next chunks that nobody has taken; false: there are none. */
static bool take_lot(struct load *load, size_t *from, size_t *to)
{
	*from = atomic_load(&load->next);
	do {
		uint64_t bytes = 0;

		for (*to = *from; *to < load->end && bytes < LOT; ++*to)
			bytes += load->image->index.chunks[*to].length;
	} while (*from < load->end && !atomic_compare_exchange_weak(&load->next, from, *to));
	return *from < load->end;
}

static void *load_on(void *argument)
{
	struct load *load = argument;
	struct chunk_reader reader = { .image = load->image };
	size_t from, to;

	while (take_lot(load, &from, &to))
		for (size_t at = from; at < to; at++) {
			struct fault fault = FAULT_NONE;
			int code = load_chunk(load, &reader, &load->image->index.chunks[at], &fault);

			if (!code)
				continue;
			note_bad(load, at, code, &fault);
			break;
		}
	chunk_reader_close(&reader);
	return NULL;
}

static unsigned threads_for(const struct store_image *image, size_t first, size_t end)
{
	unsigned threads = THREADS_LEAST;
	uint64_t stored = 0;
	cpu_set_t cpus;

	for (size_t i = first; i < end && stored < ALONE; i++)
		stored += image->index.chunks[i].length;
	if (stored < ALONE)
		return 1;
	if (!sched_getaffinity(0, sizeof cpus, &cpus) && CPU_COUNT(&cpus) > THREADS_LEAST)
		threads = CPU_COUNT(&cpus) < THREADS_MOST ? (unsigned)CPU_COUNT(&cpus) : THREADS_MOST;
	return end - first < threads ? (unsigned)(end - first) : threads;
}

/* Without signals: they are the program's. */
static bool start(pthread_t *thread, struct load *load)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, load_on, load);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return !error;
}

static int load_chunks(struct load *load, size_t first, size_t end, struct fault *fault)
{
	unsigned wanted = threads_for(load->image, first, end), others = 0;
	pthread_t threads[THREADS_MOST];

	load->end = end;
	load->bad = SIZE_MAX;
	atomic_init(&load->next, first);
	pthread_mutex_init(&load->lock, NULL);
	while (others + 1 < wanted && start(&threads[others], load))
		others++;
	load_on(load);
	for (unsigned i = 0; i < others; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&load->lock);
	return load->code ? fault_set(fault, load->code, "%s", load->fault.text) : 0;
}

int image_load(struct store_image *image, size_t index, void *data, struct fault *fault)
{
	const struct format_region *region = &image->index.regions[index];
	struct load load = { .image = image, .one = data };

	return load_chunks(&load, (size_t)region->first_chunk, (size_t)(region->first_chunk + region->chunk_count), fault);
}

int image_check_all(struct store_image *image, struct fault *fault)
{
	struct load load = { .image = image };

	return load_chunks(&load, 0, image->index.chunk_count, fault);
}

int store_image_load_regions(struct store_image *image, void *const *data, const bool *leave, struct fault *fault)
{
	size_t count = image->index.protected_count, end = 0;
	struct load load = { .image = image, .data = data, .leave = leave };

	if (count)
		end = (size_t)(image->index.regions[count - 1].first_chunk + image->index.regions[count - 1].chunk_count);
	return load_chunks(&load, 0, end, fault);
}

int image_each_chunk(struct store_image *image, size_t index, int (*take)(void *context, uint64_t offset, const void *data, uint64_t bytes),
		     void *context, struct fault *fault)
{
	const struct format_region *region = &image->index.regions[index];
	struct chunk_reader reader = { .image = image };
	uint8_t *data = NULL;
	uint64_t room = 0;
	int code = 0;

	for (uint64_t i = 0; !code && i < region->chunk_count; i++) {
		const struct format_chunk *chunk = &image->index.chunks[region->first_chunk + i];

		if (chunk->length > room) {
			free(data);
			room = chunk->length;
			data = aligned_alloc(FORMAT_ALIGN, (size_t)format_padded(room));
		}
		code = data ? chunk_read(&reader, chunk, data, fault) : fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", image->path.text);
		if (!code)
			code = take(context, chunk->logical, data, chunk->length);
	}
	free(data);
	chunk_reader_close(&reader);
	return code;
}
