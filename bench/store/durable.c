/* SPDX-License-Identifier: BSD-3-Clause */
/* durable write FOLDER MIB CONTENT: seconds until an image of that many MiB in memory is durable, and those of its commit.
 * durable read FOLDER: seconds until the newest checkpoint in the folder is back in memory, checked.
 * One rank, without MPI. CONTENT: random; field (doubles, few of which differ from their neighbours); zero; mixed (a third of each, chunk by chunk). The settings are the environment's.
 * durable.sh compares with fio. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/mix.h"
#include "base/settings.h"
#include "store/store.h"

static struct settings settings;

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void stop(const char *what, const struct fault *fault)
{
	fprintf(stderr, "durable: %s: %s\n", what, fault->text);
	exit(1);
}

static void check(int code, const char *what, const struct fault *fault)
{
	if (code < 0)
		stop(what, fault);
}

static uint64_t *memory_of(size_t bytes)
{
	uint64_t *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		exit(1);
	madvise(data, bytes, MADV_HUGEPAGE);
	memset(data, 1, bytes);
	return data;
}

/* As a solver's array is where nothing has happened yet in most places: few values differ from their neighbours. */
static void fill_field(double *at, size_t count, size_t from)
{
	for (size_t i = 0; i < count; i++) {
		bool moved = mix64((from + i) / 64) % 8 == 0;
		at[i] = moved ? 300 + (double)(mix64(from + i) % 65536) / 65536 : 300;
	}
}

static void fill(uint64_t *data, size_t bytes, const char *content)
{
	enum { CHUNK = 4 << 20 };
	for (size_t at = 0; at < bytes; at += CHUNK) {
		size_t size = bytes - at < CHUNK ? bytes - at : CHUNK;
		uint64_t *to = data + at / sizeof *data;
		char kind = content[0] == 'm' ? "rfz"[at / CHUNK % 3] : content[0];
		if (kind == 'z')
			memset(to, 0, size);
		else if (kind == 'f')
			fill_field((double *)to, size / sizeof *to, at / sizeof *to);
		else
			for (size_t i = 0; i < size / sizeof *to; i++)
				to[i] = mix64(at + i);
	}
}

static struct store *open_store(const char *folder, uint8_t run[16], uint32_t *life, uint64_t *next)
{
	struct fault fault = FAULT_NONE;
	struct store *store;
	check(store_open(&store, folder, 0, 1, &fault), "open", &fault);
	check(store_begin_life(store, 0, run, life, next, &fault), "life", &fault);
	store_set_life(store, run, *life);
	return store;
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static int write_one(const char *folder, size_t bytes, const char *content)
{
	struct store_identity identity = {.nonce = 1, .ranks = 1, .step = 1};
	struct store_image_result result;
	struct fault fault = FAULT_NONE;
	struct store *store = open_store(folder, identity.run, &identity.life, &identity.number);
	uint64_t *data = memory_of(bytes);
	fill(data, bytes, content);
	store_set_read_back(store, settings.read_back);
	store_set_way(store, settings.codec, settings.rate);
	check(store_start_writer(store, NULL, NULL, &fault), "writer", &fault);
	double begun = now_s();
	check(store_begin_image(store, &identity, &(struct store_region){.name = "state", .data = data, .bytes = bytes}, 1, &fault), "begin", &fault);
	check(store_finish_image(store, &(struct store_record){0}, &fault), "finish", &fault);
	while (store_image_state(store, &result) == STORE_WORKING)
		pause_us(200);
	double durable = now_s();
	if (store_image_state(store, &result) != STORE_DURABLE)
		stop("image", &result.fault);
	struct store_commit commit = {.identity = identity, .table_sum = mix64_pair(0, result.table_hash), .bytes = result.bytes};
	check(store_begin_commit(store, &commit, 1, &fault), "commit", &fault);
	while (store_commit_state(store, &fault) == STORE_WORKING)
		pause_us(200);
	double committed = now_s();
	store_close(store);
	printf("%.4f %.4f %llu\n", durable - begun, committed - durable, (unsigned long long)result.bytes);
	return 0;
}

static int read_one(const char *folder)
{
	struct store_checkpoint found;
	struct store_image *image;
	struct fault fault = FAULT_NONE;
	struct store *store;
	const char *name;
	uint64_t bytes;
	check(store_open(&store, folder, 0, 1, &fault), "open", &fault);
	check(store_newest(store, UINT64_MAX, &found, &fault), "newest", &fault);
	check(store_open_image(&image, &found, 0, &fault), "image", &fault);
	store_image_region(image, 0, &name, &bytes);
	void *data = memory_of(bytes);
	double begun = now_s();
	check(store_image_load_region(image, 0, data, &fault), "load", &fault);
	printf("%.4f\n", now_s() - begun);
	store_close_image(image);
	store_close(store);
	return 0;
}

int main(int argc, char **argv)
{
	struct fault fault = FAULT_NONE;
	check(settings_load(&settings, environ, &fault), "settings", &fault);
	log_open(settings.log, 0);
	if (argc == 5 && strcmp(argv[1], "write") == 0)
		return write_one(argv[2], strtoul(argv[3], NULL, 10) << 20, argv[4]);
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return read_one(argv[2]);
	fprintf(stderr, "durable write FOLDER MIB random|field|zero|mixed | durable read FOLDER\n");
	return 2;
}
