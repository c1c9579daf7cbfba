/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"

/* Linux 6.1; the C library's header may be older. */
#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0
#define stx_dio_mem_align stx_blksize
#define stx_dio_offset_align stx_blksize
#endif

enum { PAGE = 4096 };

/* Linux writes no more than 2 GiB - 4 KiB at once. */
#define AT_ONCE (UINT64_C(1) << 30)

struct io_path io_path(const char *format, ...)
{
	struct io_path path;
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(path.text, sizeof path.text, format, list);
	va_end(list);
	if (length < 0 || (size_t)length >= sizeof path.text)
		path.text[0] = 0;
	return path;
}

DIR *io_opendir(const char *path)
{
	DIR *opened;

	do
		opened = opendir(path);
	while (!opened && errno == EINTR);
	return opened;
}

int io_fsync(int fd)
{
	int result;

	do
		result = fsync(fd);
	while (result && errno == EINTR);
	crash_point("fsync-over");
	return result;
}

int io_close(int fd)
{
	return close(fd) && errno != EINTR ? -1 : 0;
}

/* --- whose files, and where ------------------------------------------------------------------------------------------ */

/* "0000013.L02" */
static bool is_checkpoint_name(const char *name, size_t length)
{
	size_t digits = strspn(name, "0123456789");

	return digits && digits + 2 < length && !strncmp(name + digits, ".L", 2) &&
	       digits + 2 + strspn(name + digits + 2, "0123456789") == length;
}

bool io_is_link(const char *folder)
{
	struct stat status;

	return !lstat(folder, &status) && S_ISLNK(status.st_mode);
}

static size_t without_slashes(const char *path, size_t end)
{
	while (end && path[end - 1] == '/')
		end--;
	return end;
}

static size_t start_of_name(const char *path, size_t end)
{
	while (end && path[end - 1] != '/')
		end--;
	return end;
}

static bool is_of_checkpoint(const char *folder, size_t end)
{
	size_t start = start_of_name(folder, end);

	return is_checkpoint_name(folder + start, end - start);
}

/* Nobody but the owner can put a link there between this look and the next call. */
bool io_leads_out(const char *path)
{
	struct io_path folder = io_path("%s", path);
	size_t end = without_slashes(folder.text, start_of_name(folder.text, strlen(folder.text)));

	folder.text[end] = 0;
	if (!is_of_checkpoint(folder.text, end) || !io_is_link(folder.text))
		return false;
	errno = ELOOP;
	return true;
}

/* What the umask has left of the right to write, it is left to read as well. */
static mode_t shared(mode_t mode, mode_t group, mode_t others)
{
	return (mode & 07777) | (mode & S_IWGRP ? group : 0) | (mode & S_IWOTH ? others : 0);
}

int io_open(const char *path, int flags)
{
	/* The folder of all checkpoints may be a link. */
	bool followed = (flags & O_DIRECTORY) && !is_of_checkpoint(path, without_slashes(path, strlen(path)));
	struct stat status;
	int fd;

	if (io_leads_out(path))
		return -1;
	do
		fd = open(path, flags | O_CLOEXEC | (followed ? 0 : O_NOFOLLOW), S_IRUSR | S_IWUSR | S_IWGRP | S_IWOTH);
	while (fd < 0 && errno == EINTR);
	if (fd < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(fd, &status))
		return fd;
	mode_t mode = shared(status.st_mode, S_IRGRP, S_IROTH);
	/* It may be another's: then it is as that one wanted it. */
	if (mode != (status.st_mode & 07777))
		fchmod(fd, mode);
	return fd;
}

int io_mkdir(const char *path)
{
	struct stat status;

	if (TEMP_FAILURE_RETRY(mkdir(path, S_IRWXU | S_IWGRP | S_IWOTH)))
		return -1;
	crash_point("folder-made");
	if (!stat(path, &status)) {
		mode_t mode = shared(status.st_mode, S_IRGRP | S_IXGRP, S_IROTH | S_IXOTH);

		if (mode != (status.st_mode & 07777))
			chmod(path, mode);
	}
	return 0;
}

int io_unlink(const char *path)
{
	int result = io_leads_out(path) ? -1 : TEMP_FAILURE_RETRY(unlink(path));

	crash_point("file-unlinked");
	return result;
}

bool io_is_there(const char *path)
{
	return !io_leads_out(path) && !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

static int cannot_open(const char *path, struct fault *fault)
{
	if (errno == ELOOP)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is a symbolic link, or its folder is, and that is not followed", path);
	return fault_errno(fault, "cannot open '%s'", path);
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

int io_write(int fd, const void *data, uint64_t size, uint64_t offset, const char *what, struct fault *fault)
{
	const uint8_t *at = data;

	while (size) {
		ssize_t done = pwrite(fd, at, size < AT_ONCE ? size : AT_ONCE, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (!done)
			errno = EIO;
		if (done <= 0)
			return fault_errno(fault, "cannot write '%s'", what);
		at += done;
		size -= (uint64_t)done;
		offset += (uint64_t)done;
		crash_point_on("file-written", what);
	}
	return 0;
}

int io_read(int fd, void *data, uint64_t size, uint64_t offset, const char *what, struct fault *fault)
{
	uint8_t *at = data;

	while (size) {
		ssize_t done = pread(fd, at, size < AT_ONCE ? size : AT_ONCE, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fault_errno(fault, "cannot read '%s'", what);
		if (!done)
			return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is cut short", what);
		at += done;
		size -= (uint64_t)done;
		offset += (uint64_t)done;
	}
	return 0;
}

size_t io_direct_alignment(int fd)
{
	struct statx status;

	/* Where nobody tells, pages will do. */
	if (!STATX_DIOALIGN || statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) || !(status.stx_mask & STATX_DIOALIGN))
		return PAGE;
	if (!status.stx_dio_mem_align || PAGE % status.stx_dio_mem_align || !status.stx_dio_offset_align || PAGE % status.stx_dio_offset_align)
		return 0;
	return status.stx_dio_mem_align;
}

int io_read_file(const char *path, size_t most, char **data, size_t *size, struct fault *fault)
{
	struct stat status;
	char *text = NULL;
	int code = 0;
	/* Whatever lies there instead of a file must not make us wait. */
	int fd = io_open(path, O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return cannot_open(path, fault);
	if (fstat(fd, &status))
		code = fault_errno(fault, "cannot read '%s'", path);
	else if (!S_ISREG(status.st_mode))
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is not a file", path);
	else if ((uint64_t)status.st_size > most)
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is too large", path);
	else if (!(text = malloc((size_t)status.st_size + 1)))
		code = fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", path);
	else
		code = io_read(fd, text, (uint64_t)status.st_size, 0, path, fault);
	close(fd);
	if (code) {
		free(text);
		return code;
	}
	text[status.st_size] = 0;
	*data = text;
	*size = (size_t)status.st_size;
	return 0;
}

int io_publish_by(const char *temporary, const char *path, const void *data, size_t size, struct fault *fault)
{
	int fd = io_open(temporary, O_WRONLY | O_CREAT | O_TRUNC);
	int code;

	if (fd < 0)
		return fault_errno(fault, "cannot make '%s'", temporary);
	crash_point_on("publish-made", path);
	code = io_write(fd, data, size, 0, temporary, fault);
	/* Once only: the kernel may have dropped the pages that it failed to write, and a second fsync would then succeed. */
	if (!code && io_fsync(fd))
		code = fault_errno(fault, "cannot make '%s' durable", temporary);
	crash_point_on("publish-synced", path);
	if (io_close(fd) && !code)
		code = fault_errno(fault, "cannot write '%s'", temporary);
	if (!code && rename(temporary, path))
		code = fault_errno(fault, "cannot rename '%s' to '%s'", temporary, path);
	crash_point_on("publish-renamed", path);
	if (code) {
		unlink(temporary);
		crash_point_on("publish-failed", path);
	}
	return code;
}

int io_publish(const char *path, const void *data, size_t size, struct fault *fault)
{
	return io_publish_by(io_path("%s.tmp", path).text, path, data, size, fault);
}

int io_sync_folder(const char *path, struct fault *fault)
{
	int fd = io_open(path, O_RDONLY | O_DIRECTORY);
	int code = 0;

	if (fd < 0)
		return fault_errno(fault, "cannot open folder '%s'", path);
	crash_point_on("folder-to-sync", path);
	if (io_fsync(fd))
		code = fault_errno(fault, "cannot make folder '%s' durable", path);
	crash_point_on("folder-synced", path);
	close(fd);
	return code;
}

static int make_folder(const char *path, struct fault *fault)
{
	struct io_path above;
	char *slash;

	if (io_mkdir(path))
		return errno == EEXIST ? 0 : fault_errno(fault, "cannot make folder '%s'", path);
	above = io_path("%s", path);
	slash = strrchr(above.text, '/');
	if (!slash)
		return 0;
	slash[slash == above.text] = 0;
	return io_sync_folder(above.text, fault);
}

int io_make_folders(const char *path, struct fault *fault)
{
	struct io_path part = io_path("%s", path);
	struct stat status;

	if (!part.text[0])
		return fault_set(fault, SEAMARK_E_ARGUMENT, "the name of folder '%s' is too long", path);
	/* Folders above may exist and yet refuse to be asked for their making. */
	if (!stat(path, &status) && S_ISDIR(status.st_mode))
		return 0;
	for (char *at = part.text + 1; *at; at++) {
		int code;

		if (*at != '/')
			continue;
		*at = 0;
		code = stat(part.text, &status) ? make_folder(part.text, fault) : 0;
		*at = '/';
		if (code)
			return code;
	}
	if (make_folder(part.text, fault))
		return fault ? fault->code : SEAMARK_E_IO;
	if (stat(path, &status) || !S_ISDIR(status.st_mode))
		return fault_set(fault, SEAMARK_E_IO, "'%s' is not a folder", path);
	return 0;
}

int64_t io_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
