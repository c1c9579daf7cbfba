/* SPDX-License-Identifier: BSD-3-Clause */
/* changing STEPS SEED: a step program whose regions change in every way that increments and the taking of changes have to see through: nothing, a byte, pages here and there,
 * all; bytes that move within a region; zeros; a region that grows and shrinks, and one that comes and goes. What they are at a step follows from the seed alone.
 * changing --check SEED: reads every checkpoint in SEAMARK_DIR without MPI, and compares every byte with what it has to be; prints how many there are, and how many of them
 * need others. */
#include <inttypes.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seamark.h"
#include "seamark_files.h"

enum { REGIONS = 6, GROWER = 4, COMER = 5, MIB = 1 << 20, MOST = 6 * MIB, PAGE = 4096 };

static const char *const names[REGIONS] = {"small", "odd", "chunk", "large", "grower", "comer"};

/* What a rank has at a step. Memory stays where it is: a region that grows has room for it. */
struct world {
	uint64_t seed;
	int rank;
	int64_t step;
	uint8_t *data[REGIONS];
	size_t bytes[REGIONS];
	bool there[REGIONS];
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	a ^= b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2);
	a *= UINT64_C(0xff51afd7ed558ccd);
	a ^= a >> 33;
	a *= UINT64_C(0xc4ceb9fe1a85ec53);
	return a ^ a >> 29;
}

static void fill(uint8_t *data, size_t bytes, uint64_t draw)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(mix(draw, i / 8) >> i % 8 * 8);
}

static void begin(struct world *world, uint64_t seed, int rank)
{
	static const size_t first[REGIONS] = {8, 100003, 4 * MIB, 9 * MIB + 123, MIB, 300000};
	for (int i = 0; i < REGIONS; i++) {
		world->data[i] = world->data[i] ? world->data[i] : aligned_alloc(PAGE, 10 * MIB);
		world->bytes[i] = first[i];
		world->there[i] = true;
		memset(world->data[i], 0, 10 * MIB);
		fill(world->data[i], first[i], mix(seed, (uint64_t)(rank * REGIONS + i)));
	}
	world->seed = seed;
	world->rank = rank;
	world->step = 0;
}

/* Eight bytes on every so manieth page. */
static void touch_pages(uint8_t *data, size_t bytes, uint64_t every, uint64_t draw)
{
	for (size_t page = draw % every; page * PAGE + 8 <= bytes; page += every)
		data[page * PAGE + mix(draw, page) % (bytes - page * PAGE < PAGE ? 8 : PAGE)] ^= (uint8_t)(1 + mix(page, draw) % 255);
}

static void change(struct world *world, int region, uint64_t draw)
{
	uint8_t *data = world->data[region];
	size_t bytes = world->bytes[region];
	switch (draw % 40) {
	case 0:
	case 1:
		data[mix(draw, 1) % bytes] ^= 1;
		break;
	case 2:
	case 3:
		touch_pages(data, bytes, 100, mix(draw, 2));
		break;
	case 4:
		touch_pages(data, bytes, 10, mix(draw, 3));
		break;
	case 5:
		touch_pages(data, bytes, 2, mix(draw, 4));
		break;
	case 6:
		fill(data, bytes, mix(draw, 5));
		break;
	case 7: /* its second half to the front */
		memmove(data, data + bytes / 2, bytes / 2);
		break;
	case 8:
		memset(data + bytes / 3, 0, bytes / 2);
		break;
	default:
		break;
	}
}

/* From one step to the next. */
static void advance(struct world *world)
{
	uint64_t draw = mix(mix(world->seed, (uint64_t)world->rank), (uint64_t)world->step);
	for (int i = 0; i < REGIONS; i++)
		change(world, i, mix(draw, (uint64_t)i));
	world->step++;
	if (world->step % 7 == 0)
		world->bytes[GROWER] = 1 + mix(draw, 99) % MOST;
	if (world->step % 5 == 0)
		world->there[COMER] = !world->there[COMER];
}

/* --- the program --------------------------------------------------------------------------------------------------------- */

static void need(int code, const char *what)
{
	if (code >= 0)
		return;
	fprintf(stderr, "changing: %s: %s\n", what, seamark_strerror(code));
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void protect(struct world *world, int region)
{
	need(seamark_protect(names[region], world->data[region], world->bytes[region]), "seamark_protect");
}

static void advance_protected(struct world *world)
{
	size_t bytes = world->bytes[GROWER];
	bool there = world->there[COMER];
	advance(world);
	if (bytes != world->bytes[GROWER]) {
		need(seamark_unprotect(names[GROWER]), "seamark_unprotect");
		protect(world, GROWER);
	}
	if (there && !world->there[COMER])
		need(seamark_unprotect(names[COMER]), "seamark_unprotect");
	else if (!there && world->there[COMER])
		protect(world, COMER);
}

/* What is read back must be what this step has to be, region by region, as they are protected. */
static void restore(struct world *world, struct world *should)
{
	int64_t step = 0;
	int restored = seamark_restore(&step);
	need(restored, "seamark_restore");
	while (should->step < step)
		advance(should);
	world->step = should->step;
	memcpy(world->bytes, should->bytes, sizeof world->bytes);
	memcpy(world->there, should->there, sizeof world->there);
	for (int i = 0; i < REGIONS; i++) {
		if (world->there[i])
			protect(world, i);
		/* What is not protected now has its content from before. */
		if (!world->there[i] || (i == GROWER && restored == SEAMARK_RESTORED))
			memcpy(world->data[i] + (world->there[i] ? world->bytes[i] : 0), should->data[i] + (world->there[i] ? world->bytes[i] : 0),
			       10 * MIB - (world->there[i] ? world->bytes[i] : 0));
		if (memcmp(world->data[i], should->data[i], world->bytes[i]) != 0) {
			fprintf(stderr, "changing: WRONG: rank %d, step %" PRId64 ": region '%s' is not what was saved\n", world->rank, step, names[i]);
			MPI_Abort(MPI_COMM_WORLD, 1);
		}
	}
	if (world->rank == 0)
		printf("changing: %s at step %" PRId64 "\n", restored == SEAMARK_RESTORED ? "restored" : "fresh", step);
	fflush(stdout);
}

static int run(int64_t steps, uint64_t seed)
{
	static struct world world, should;
	int rank, ranks;
	MPI_Init(NULL, NULL);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	begin(&world, seed, rank);
	begin(&should, seed, rank);
	restore(&world, &should);
	while (world.step < steps) {
		int got = -1, mine = rank;
		need(seamark_safepoint(world.step), "seamark_safepoint");
		MPI_Sendrecv(&mine, 1, MPI_INT, (rank + 1) % ranks, 5, &got, 1, MPI_INT, (rank + ranks - 1) % ranks, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		advance_protected(&world);
	}
	MPI_Finalize();
	return 0;
}

/* --- the check ----------------------------------------------------------------------------------------------------------- */

static void told(const struct seamark_files_problem *problem, void *context)
{
	(void)context;
	printf("changing: rank %" PRId64 ": %s\n", problem->rank, problem->text);
}

static bool is_right(seamark_files_image *image, const struct world *world)
{
	size_t count = 0;
	for (int i = 0; i < REGIONS; i++) {
		uint8_t *data = malloc(world->bytes[i]);
		count += world->there[i];
		bool good = !world->there[i] || (seamark_files_read(image, names[i], data, world->bytes[i]) == 0 &&
						 memcmp(data, world->data[i], world->bytes[i]) == 0);
		free(data);
		if (!good)
			return false;
	}
	return seamark_files_region_count(image) == count;
}

static bool check_checkpoint(const struct seamark_files_entry *entry, uint64_t seed)
{
	seamark_files_checkpoint *checkpoint;
	if (entry->status || seamark_files_checkpoint_open(&checkpoint, entry->path))
		return false;
	bool good = seamark_files_verify(checkpoint, told, NULL, NULL) == 0;
	for (uint32_t rank = 0; good && rank < entry->ranks; rank++) {
		static struct world world;
		seamark_files_image *image;
		begin(&world, seed, (int)rank);
		while (world.step < entry->step)
			advance(&world);
		good = seamark_files_image_open(&image, checkpoint, rank) == 0 && is_right(image, &world);
		seamark_files_image_close(image);
	}
	seamark_files_checkpoint_close(checkpoint);
	return good;
}

static int check(uint64_t seed)
{
	const char *folder = getenv("SEAMARK_DIR");
	seamark_files *files;
	struct seamark_files_entry entry;
	size_t chained = 0, wrong = 0;
	if (seamark_files_open(&files, folder ? folder : "seamark")) {
		printf("changing: %s\n", seamark_files_error());
		return 1;
	}
	for (size_t i = 0; seamark_files_entry_at(files, i, &entry) == 0; i++) {
		bool good = check_checkpoint(&entry, seed);
		chained += entry.parent_count > 0;
		wrong += !good;
		if (!good)
			printf("changing: WRONG: checkpoint %" PRIu64 ", step %" PRId64 ", with %zu parents\n", entry.number, entry.step, entry.parent_count);
	}
	printf("changing: checked %zu chained %zu\n", seamark_files_count(files), chained);
	seamark_files_close(files);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check(strtoull(argv[2], NULL, 10));
	if (argc == 3)
		return run(atoll(argv[1]), strtoull(argv[2], NULL, 10));
	fputs("usage: changing STEPS SEED | changing --check SEED\n", stderr);
	return 2;
}
