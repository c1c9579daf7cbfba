/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

/* "7f12a000-7f12c000 rw-p 00000000 00:00 0    [stack]" */
static bool read_part(const char *line, struct maps_part *part)
{
	unsigned long from, to, inode;
	char rights[5];
	int end = 0;

	if (sscanf(line, "%lx-%lx %4s %*s %*s %lu %n", &from, &to, rights, &inode, &end) != 4)
		return false;
	*part = (struct maps_part){ .from = from, .to = to, .shared = rights[3] != 'p' };
	part->plain = !part->shared && !inode && !strstr(line + end, "stack");
	return true;
}

bool maps_read(struct maps *maps, pid_t process, bool flags)
{
	char path[64], *line = NULL;
	size_t line_room = 0, room = 0;
	struct maps_part part;
	FILE *file;
	bool whole;

	*maps = (struct maps){ 0 };
	snprintf(path, sizeof path, "/proc/%ld/%s", (long)process, flags ? "smaps" : "maps");
	file = fopen(path, "re");
	if (!file)
		return false;
	while (getline(&line, &line_room, file) > 0) {
		if (!strncmp(line, "VmFlags:", 8) && maps->count) {
			maps->parts[maps->count - 1].wiped = strstr(line, " wf") != NULL;
		} else if (read_part(line, &part)) {
			struct maps_part *parts = list_with_room(maps->parts, maps->count, &room, sizeof *parts);

			if (!parts)
				break;
			maps->parts = parts;
			maps->parts[maps->count++] = part;
		}
	}
	whole = feof(file) && !ferror(file) && maps->count;
	fclose(file);
	free(line);
	if (!whole)
		maps_free(maps);
	return whole;
}

void maps_free(struct maps *maps)
{
	free(maps->parts);
	*maps = (struct maps){ 0 };
}

/* The first part that ends behind it. */
static size_t find(const struct maps *maps, uintptr_t at)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->parts[middle].to > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool maps_cover(const struct maps *maps, uintptr_t from, uintptr_t to, bool (*fits)(const struct maps_part *part))
{
	for (size_t i = find(maps, from); i < maps->count && from < to; i++) {
		if (maps->parts[i].from > from || !fits(&maps->parts[i]))
			return false;
		from = maps->parts[i].to;
	}
	return from >= to;
}

bool maps_plain(const struct maps_part *part)
{
	return part->plain;
}

bool maps_private(const struct maps_part *part)
{
	return !part->shared;
}

bool maps_kept(const struct maps_part *part)
{
	return !part->wiped;
}
