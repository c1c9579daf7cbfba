/* SPDX-License-Identifier: BSD-3-Clause */
/* What most codes do: a barrier, one file per rank, fsync, rename, a barrier. The last two checkpoints are kept. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "usual.h"

struct path { char text[4096]; };

static struct path path_of(const struct work *work, const char *suffix)
{
	struct path path;
	snprintf(path.text, sizeof path.text, "%s/rank-%05d.%s", work->folder, work->rank, suffix);
	return path;
}

static void write_all(int fd, const void *data, size_t bytes, const char *name)
{
	for (const char *at = data; bytes > 0;) {
		ssize_t done = write(fd, at, bytes);
		if (done < 0)
			give_up("cannot write", name);
		at += done;
		bytes -= (size_t)done;
	}
}

static void files_at_step(struct work *work, int due)
{
	struct path new = path_of(work, "new"), now = path_of(work, "now"), before = path_of(work, "before");
	if (!due)
		return;
	MPI_Barrier(MPI_COMM_WORLD);
	int fd = open(new.text, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0)
		give_up("cannot make", new.text);
	write_all(fd, &work->step, sizeof work->step, new.text);
	write_all(fd, work->grid, work->count * sizeof *work->grid, new.text);
	if (fsync(fd) || close(fd))
		give_up("cannot make durable", new.text);
	/* Nobody's old file goes before everybody's new one is there. */
	MPI_Barrier(MPI_COMM_WORLD);
	rename(now.text, before.text);
	if (rename(new.text, now.text))
		give_up("cannot rename", new.text);
	int folder = open(work->folder, O_RDONLY | O_DIRECTORY);
	if (folder < 0 || fsync(folder) || close(folder))
		give_up("cannot make durable", work->folder);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void read_all(int fd, void *data, size_t bytes, const char *name)
{
	for (char *at = data; bytes > 0;) {
		ssize_t done = read(fd, at, bytes);
		if (done <= 0)
			give_up("cannot read", name);
		at += done;
		bytes -= (size_t)done;
	}
}

static void files_restart(struct work *work)
{
	struct path now = path_of(work, "now");
	int fd = open(now.text, O_RDONLY);
	if (fd < 0)
		give_up("cannot open", now.text);
	read_all(fd, &work->step, sizeof work->step, now.text);
	read_all(fd, work->grid, work->count * sizeof *work->grid, now.text);
	close(fd);
}

const struct way way_files = {"files", NULL, files_at_step, files_restart};
