/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that are there whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "export/export.h"

static int cannot(const char *what, const char *path)
{
	command_complain("cannot %s '%s': %s", what, path, strerror(errno));
	return EXIT_CANNOT_READ;
}

static int is_there(const char *path)
{
	command_complain("'%s' is there already: --force replaces it", path);
	return EXIT_CANNOT_READ;
}

int export_files_make(struct export_files *files, const char *path, size_t *index)
{
	struct export_file *list = list_with_room(files->list, files->count, &files->room, sizeof *list);
	struct export_file *file;
	int fd;

	if (!list)
		return cannot("make", path);
	files->list = list;
	if (!files->force && !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW))
		return is_there(path);
	file = &list[files->count];
	*file = (struct export_file){ .path = strdup(path) };
	if (!file->path || asprintf(&file->temporary, "%s.XXXXXX", path) < 0) {
		free(file->path);
		errno = ENOMEM;
		return cannot("make", path);
	}
	*index = files->count++;
	fd = mkostemp(file->temporary, O_CLOEXEC);
	if (fd < 0) {
		*file->temporary = 0;
		return cannot("make a file beside", path);
	}
	/* It gets the permissions that a file would have that is not made this way. */
	mode_t mask = umask(0);
	umask(mask);
	if (fchmod(fd, 0666 & ~mask)) {
		close(fd);
		return cannot("make", path);
	}
	close(fd);
	return EXIT_FINE;
}

/* Whatever lies where the file is to be stays, unless it may be replaced. */
static int name_file(const struct export_file *file, int force)
{
	if (force ? !rename(file->temporary, file->path) : !renameat2(AT_FDCWD, file->temporary, AT_FDCWD, file->path, RENAME_NOREPLACE))
		return EXIT_FINE;
	if (!force && errno == EEXIST)
		return is_there(file->path);
	/* Not every file system can do that; a link is refused just so where something is. */
	if (!force && errno == EINVAL && !link(file->temporary, file->path)) {
		unlink(file->temporary);
		return EXIT_FINE;
	}
	return cannot("make", file->path);
}

static int make_durable(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int status = EXIT_FINE;

	if (fd < 0 || fsync(fd))
		status = cannot("write", path);
	if (fd >= 0)
		close(fd);
	return status;
}

int export_files_publish(struct export_files *files)
{
	size_t named = 0;
	int status = EXIT_FINE;

	for (size_t i = 0; !status && i < files->count; i++)
		status = make_durable(files->list[i].temporary);
	while (!status && named < files->count) {
		status = name_file(&files->list[named], files->force);
		if (!status)
			*files->list[named++].temporary = 0;
	}
	for (size_t i = 0; status && i < named; i++)
		unlink(files->list[i].path);
	return status;
}

void export_files_free(struct export_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		if (*files->list[i].temporary)
			unlink(files->list[i].temporary);
		free(files->list[i].path);
		free(files->list[i].temporary);
	}
	free(files->list);
}

int export_write(int fd, const void *data, uint64_t bytes, uint64_t offset, const char *path)
{
	const char *at = data;

	while (bytes) {
		ssize_t done = pwrite(fd, at, bytes < (UINT64_C(1) << 30) ? bytes : UINT64_C(1) << 30, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			errno = done ? errno : EIO;
			return cannot("write", path);
		}
		at += done;
		bytes -= (uint64_t)done;
		offset += (uint64_t)done;
	}
	return EXIT_FINE;
}

/* --- one for each ---------------------------------------------------------------------------------------------------- */

char *export_path(const struct export_target *target, const char *label, const char *extension)
{
	char *path = NULL;
	int length;

	if (target->only && target->out)
		return strdup(target->out);
	length = target->out ? asprintf(&path, "%s/%s%s", target->out, label, extension) : asprintf(&path, "%s%s", label, extension);
	return length < 0 ? NULL : path;
}

static int make_one(struct export_target *target, const char *path, const struct export_frame *frame, uint64_t bytes, struct export_place *place)
{
	size_t index, after = frame->after ? strlen(frame->after) : 0;
	int status = export_files_make(&target->files, path, &index), fd;

	if (status)
		return status;
	place->path = target->files.list[index].path;
	place->temporary = target->files.list[index].temporary;
	place->offset = frame->before_size;
	fd = open(place->temporary, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return cannot("write", path);
	/* What nobody writes is zero. */
	status = ftruncate(fd, (off_t)(place->offset + bytes)) ? cannot("write", path) : EXIT_FINE;
	if (!status)
		status = export_write(fd, frame->before, frame->before_size, 0, path);
	if (!status)
		status = export_write(fd, frame->after, after, place->offset + bytes, path);
	close(fd);
	return status;
}

static int make_array(struct export_target *target, const struct export_item *item, int (*frame_of)(const struct export_item *, struct export_frame *),
		      struct export_place *place)
{
	struct export_frame frame = {0};
	char *path = export_path(target, item->label, target->extension);
	int status = path ? EXIT_FINE : cannot("write", item->name);

	if (!status && frame_of)
		status = frame_of(item, &frame);
	if (!status)
		status = make_one(target, path, &frame, item->bytes, place);
	free(frame.before);
	free(frame.after);
	free(path);
	return status;
}

/* Bytes without a shape: one file for each rank. With -o FILE, its name comes before the rank. */
static int make_blocks(struct export_target *target, const struct export_item *item, struct export_place *places)
{
	int status = EXIT_FINE;

	for (size_t i = 0; !status && i < item->count; i++) {
		const struct export_frame frame = {0};
		char extension[32], *path, *whole = NULL;

		snprintf(extension, sizeof extension, ".rank-%05u.raw", item->blocks[i].rank);
		path = export_path(target, item->label, target->only && target->out ? "" : extension);
		if (path && target->only && target->out && asprintf(&whole, "%s%s", path, extension) < 0)
			whole = NULL;
		else if (path && !(target->only && target->out))
			whole = strdup(path);
		status = whole ? make_one(target, whole, &frame, item->blocks[i].bytes, &places[i]) : cannot("write", item->name);
		free(path);
		free(whole);
	}
	return status;
}

int export_each_in_a_file(struct export_target *target, int (*frame)(const struct export_item *item, struct export_frame *frame))
{
	int status = EXIT_FINE;

	for (size_t i = 0; !status && i < target->plan->count; i++) {
		const struct export_item *item = target->plan->items[i];

		if (item->left_out)
			continue;
		status = item->dimensions ? make_array(target, item, frame, target->places[i]) : make_blocks(target, item, target->places[i]);
	}
	return status;
}
