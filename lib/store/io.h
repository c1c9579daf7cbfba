/* SPDX-License-Identifier: BSD-3-Clause */
/* File operations with their faults: whole writes, small files read and published, folders. */
#ifndef STORE_IO_H
#define STORE_IO_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

struct io_path {
	char text[4096];
};

/* A path from a format; one that is too long becomes one that names no file, so that the operation on it fails. */
struct io_path io_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What is interrupted goes on. Files are their owner's alone, unless the umask lets others write: those who may write may read too. No symbolic link is followed at the end of a path, nor in the place of a
 * checkpoint's folder: errno is ELOOP. */
int io_open(const char *path, int flags);
int io_mkdir(const char *path);
int io_unlink(const char *path);
DIR *io_opendir(const char *path);
/* As the calls. A close that was interrupted has closed; an fsync that was has failed nothing yet. */
int io_fsync(int fd);
int io_close(int fd);
/* Whether the checkpoint's folder that a file is said to be in is a link; errno says so. */
bool io_leads_out(const char *path);
/* Whether there is a file, or a link, of that name. */
bool io_is_there(const char *path);
/* Whether the folder itself, which is a checkpoint's, is a link. */
bool io_is_link(const char *folder);

/* Writes all at an offset; interrupted and short writes go on. */
int io_write(int fd, const void *data, uint64_t size, uint64_t offset, const char *what, struct fault *fault);
/* Reads exactly so many bytes; SEAMARK_E_DAMAGED if the file ends before. */
int io_read(int fd, void *data, uint64_t size, uint64_t offset, const char *what, struct fault *fault);
/* A whole file of at most `most` bytes, ended by a NUL that is not counted. The caller frees *data. */
int io_read_file(const char *path, size_t most, char **data, size_t *size, struct fault *fault);
/* Makes or replaces a file: temporary file beside it, fsync, rename. The folder's fsync is the caller's: what its failure means differs. */
int io_publish(const char *path, const void *data, size_t size, struct fault *fault);
/* The same with a name for the temporary file, in the same folder. */
int io_publish_by(const char *temporary, const char *path, const void *data, size_t size, struct fault *fault);
int io_sync_folder(const char *path, struct fault *fault);
/* Makes a folder with those above it. */
int io_make_folders(const char *path, struct fault *fault);
/* Of memory that an open file is read to or written from past the page cache, with offsets and sizes in multiples of 4096; 0: that cannot be. */
size_t io_direct_alignment(int fd);
int64_t io_now_ns(void);

#endif
