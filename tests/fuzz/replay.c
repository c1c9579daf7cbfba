/* SPDX-License-Identifier: BSD-3-Clause */
/* PROGRAM FOLDER...: a harness with every file in the folders, and every file cut short in 16 places, with any compiler. 1 if not even two are accepted: then
 * the checksums are not what the reader wants. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t replayed;

static void replay(const char *path)
{
	struct stat status;
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	size_t size;

	if (!file || fstat(fileno(file), &status)) {
		perror(path);
		exit(2);
	}
	data = malloc((size_t)status.st_size + 1);
	size = data ? fread(data, 1, (size_t)status.st_size, file) : 0;
	fclose(file);
	for (size_t part = 0; part <= 16; part++) {
		/* On its own, so that what is read beyond the end is seen. */
		uint8_t *piece = malloc(size * part / 16 + !part);

		if (!piece)
			exit(2);
		memcpy(piece, data, size * part / 16);
		LLVMFuzzerTestOneInput(piece, size * part / 16);
		free(piece);
	}
	free(data);
	replayed++;
}

static void replay_folder(const char *folder)
{
	DIR *open = opendir(folder);
	struct dirent *entry;
	char path[4096];

	if (!open) {
		perror(folder);
		exit(2);
	}
	while ((entry = readdir(open)))
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
			replay(path);
		}
	closedir(open);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay_folder(argv[i]);
	printf("%zu files in 17 lengths each, nothing wrong with %zu of them\n", replayed, fuzz_accepted);
	return replayed && fuzz_accepted >= 2 ? 0 : 1;
}
