/* SPDX-License-Identifier: BSD-3-Clause */
/* make_regions FOLDER RANKS FULL_EVERY CODEC SOURCE...: a checkpoint of each source, a folder with a file for each region: "RANK TYPE NAME" is what it is called, its bytes are the region's. TYPE is a
 * number of enum seamark_type, and '-' for bytes without a shape. FULL_EVERY above 1: with increments. CODEC is one of enum settings_codec. */
#include "base/shape.h"
#include "test_store_fixture.h"

enum { REGIONS_MAX = 64 };

static struct shape_extent extents[FIXTURE_RANKS_MAX][REGIONS_MAX];
static char names[FIXTURE_RANKS_MAX][REGIONS_MAX][64];

static uint8_t *read_whole(const char *path, uint64_t *bytes)
{
	int fd = open(path, O_RDONLY);
	struct stat about;
	uint8_t *data;

	if (fd < 0 || fstat(fd, &about))
		fixture_stop(path, NULL);
	data = malloc((size_t)about.st_size + 1);
	*bytes = 0;
	while (data && *bytes < (uint64_t)about.st_size) {
		ssize_t count = read(fd, data + *bytes, (size_t)about.st_size - *bytes);

		if (count <= 0)
			fixture_stop(path, NULL);
		*bytes += (uint64_t)count;
	}
	close(fd);
	return data;
}

static void add(struct fixture_part *parts, const char *source, const char *file)
{
	char path[600], kind[8];
	unsigned rank;
	int behind = 0;
	struct fixture_part *part;
	struct store_region *region;
	size_t i;

	if (sscanf(file, "%u %7s %n", &rank, kind, &behind) != 2 || !behind || rank >= FIXTURE_RANKS_MAX || parts[rank].region_count == REGIONS_MAX)
		return;
	part = &parts[rank];
	i = part->region_count++;
	region = &part->regions[i];
	snprintf(path, sizeof path, "%s/%s", source, file);
	snprintf(names[rank][i], sizeof names[rank][i], "%s", file + behind);
	*region = (struct store_region){ .name = names[rank][i] };
	region->data = read_whole(path, &region->bytes);
	if (kind[0] != '-') {
		uint32_t type = (uint32_t)atoi(kind);
		uint64_t elements = region->bytes / shape_element_size(type);

		extents[rank][i] = (struct shape_extent){ .global = elements, .local = elements };
		region->shape = (struct shape){ type, 1, &extents[rank][i] };
	}
}

static void take(struct fixture *fixture, const char *source)
{
	static struct fixture_part parts[FIXTURE_RANKS_MAX];
	DIR *open = opendir(source);
	struct dirent *file;

	if (!open)
		fixture_stop(source, NULL);
	memset(parts, 0, sizeof parts);
	while ((file = readdir(open)))
		add(parts, source, file->d_name);
	closedir(open);
	fixture_take(fixture, fixture->next++, parts, 0);
	for (uint32_t rank = 0; rank < FIXTURE_RANKS_MAX; rank++)
		for (size_t i = 0; i < parts[rank].region_count; i++)
			free((void *)(uintptr_t)parts[rank].regions[i].data);
}

static void begin(struct fixture *fixture, const char *folder, uint32_t ranks, uint32_t full_every, enum settings_codec codec)
{
	struct fault fault = FAULT_NONE;

	*fixture = (struct fixture){ .ranks = ranks };
	for (uint32_t rank = 0; rank < ranks; rank++)
		if (store_open(&fixture->stores[rank], folder, rank, ranks, &fault))
			fixture_stop("store_open", &fault);
	if (store_begin_life(fixture->stores[0], 0, fixture->run, &fixture->life, &fixture->next, &fault))
		fixture_stop("store_begin_life", &fault);
	for (uint32_t rank = 0; rank < ranks; rank++) {
		store_set_life(fixture->stores[rank], fixture->run, fixture->life);
		store_set_way(fixture->stores[rank], codec, 0);
		if (store_start_writer(fixture->stores[rank], NULL, NULL, &fault))
			fixture_stop("store_start_writer", &fault);
	}
	if (full_every > 1)
		fixture_chain(fixture, full_every, NULL);
}

int main(int argc, char **argv)
{
	struct fixture fixture;
	int ranks = argc > 2 ? atoi(argv[2]) : 0;

	if (argc < 6 || ranks < 1 || ranks > FIXTURE_RANKS_MAX) {
		fputs("usage: make_regions FOLDER RANKS FULL_EVERY CODEC SOURCE...\n", stderr);
		return 2;
	}
	begin(&fixture, argv[1], (uint32_t)ranks, (uint32_t)atoi(argv[3]), (enum settings_codec)atoi(argv[4]));
	for (int i = 5; i < argc; i++)
		take(&fixture, argv[i]);
	fixture_end(&fixture);
	return 0;
}
