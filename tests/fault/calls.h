/* SPDX-License-Identifier: BSD-3-Clause */
/* Every call by which the store reaches its files, for programs that stand before the C library: each is shown to the program before it is made, which may fail it, and
 * after. Only what concerns files below calls_root is shown; memory too, while calls_memory is set. fsync and its like are only shown: nothing here survives
 * the machine anyway. Included once per program, which defines:
 *   long call_begin(const struct call *)              0: it is made. Negative: it fails with that errno. Positive, for writes and reads: only so many bytes
 *   void call_end(const struct call *, long result)   what came of it: as the system call's result, or a negative errno */
#ifndef FAULT_CALLS_H
#define FAULT_CALLS_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call_kind {
	CALL_OPEN, CALL_CLOSE, CALL_WRITE, CALL_READ, CALL_TRUNCATE, CALL_RESERVE, CALL_SYNC, CALL_RENAME, CALL_UNLINK, CALL_MKDIR, CALL_RMDIR,
	CALL_STAT, CALL_ACCESS, CALL_FCNTL, CALL_LOCK, CALL_OPENDIR, CALL_READDIR, CALL_RANDOM, CALL_MEMORY,
	CALL_SUBMIT, CALL_WAIT, /* of io_uring, and nobody's but those who see them (uring.h) */
	CALL_KINDS
};

static const char *const call_names[CALL_KINDS] = {
	"open", "close", "write", "read", "ftruncate", "fallocate", "fsync", "rename", "unlink", "mkdir", "rmdir",
	"stat", "access", "fcntl", "flock", "opendir", "readdir", "getrandom", "malloc", "io_uring_submit", "io_uring_wait_cqe_timeout",
};

struct call {
	enum call_kind kind;
	const char *path;    /* what it is made on */
	const char *to;      /* of a rename */
	int flags;           /* of an open */
	const void *data;    /* of a write */
	size_t size;
	off_t offset;
};

enum { CALLS_FDS = 1024 };

static long call_begin(const struct call *call);
static void call_end(const struct call *call, long result);

static char calls_root[256];
__attribute__((unused)) static atomic_bool calls_memory;
static bool calls_locks_lie;         /* everybody gets each */
static char *calls_paths[CALLS_FDS]; /* of open files below the root; these strings are never freed while a call may use them */
static atomic_long calls_open_files;
__attribute__((unused)) static atomic_long calls_blocks; /* of memory that is not freed */

static bool calls_below(const char *path)
{
	size_t length = strlen(calls_root);

	return length && path && !strncmp(path, calls_root, length) && (!path[length] || path[length] == '/');
}

static const char *calls_path_of(int fd)
{
	return fd >= 0 && fd < CALLS_FDS ? calls_paths[fd] : NULL;
}

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void calls_opened(int fd, const char *path)
{
	if (fd < 0 || fd >= CALLS_FDS)
		return;
	calls_paths[fd] = strcpy((char *)__libc_malloc(strlen(path) + 1), path);
	atomic_fetch_add(&calls_open_files, 1);
}

static void calls_closed(int fd)
{
	if (!calls_path_of(fd))
		return;
	__libc_free(calls_paths[fd]);
	calls_paths[fd] = NULL;
	atomic_fetch_sub(&calls_open_files, 1);
}

/* As a system call returns: a negative errno becomes -1. */
static long calls_result(long result)
{
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

static long calls_made(long result)
{
	return result < 0 ? -errno : result;
}

/* The call's fate if it is not to be made, else the statement's result. */
#define CALLS_DO(call_, make_) \
	({ \
		long calls_fate_ = call_begin(call_); \
		if (!calls_fate_) \
			calls_fate_ = calls_made(make_); \
		call_end(call_, calls_fate_); \
		calls_result(calls_fate_); \
	})

#define CALLS_SHOWN __attribute__((visibility("default")))

CALLS_SHOWN int open(const char *path, int flags, ...)
{
	struct call call = { .kind = CALL_OPEN, .path = path, .flags = flags };
	mode_t mode = 0;
	int fd;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_list list;

		va_start(list, flags);
		mode = va_arg(list, mode_t);
		va_end(list);
	}
	if (!calls_below(path))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	fd = (int)CALLS_DO(&call, syscall(SYS_openat, AT_FDCWD, path, flags, mode));
	calls_opened(fd, path);
	return fd;
}

/* What fails is closed all the same. */
CALLS_SHOWN int close(int fd)
{
	struct call call = { .kind = CALL_CLOSE, .path = calls_path_of(fd) };
	long fate;

	if (!call.path)
		return (int)syscall(SYS_close, fd);
	fate = call_begin(&call);
	call_end(&call, fate);
	calls_closed(fd);
	return syscall(SYS_close, fd) ? -1 : (int)calls_result(fate);
}

CALLS_SHOWN ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	struct call call = { .kind = CALL_WRITE, .path = calls_path_of(fd), .data = data, .size = size, .offset = offset };
	long result;

	if (!call.path)
		return syscall(SYS_pwrite64, fd, data, size, offset);
	result = call_begin(&call);
	if (result >= 0)
		result = calls_made(syscall(SYS_pwrite64, fd, data, result ? (size_t)result : size, offset));
	call_end(&call, result);
	return calls_result(result);
}

CALLS_SHOWN ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
	struct call call = { .kind = CALL_READ, .path = calls_path_of(fd), .size = size, .offset = offset };
	long result;

	if (!call.path)
		return syscall(SYS_pread64, fd, data, size, offset);
	result = call_begin(&call);
	if (result >= 0)
		result = calls_made(syscall(SYS_pread64, fd, data, result ? (size_t)result : size, offset));
	call_end(&call, result);
	return calls_result(result);
}

CALLS_SHOWN int ftruncate(int fd, off_t size)
{
	struct call call = { .kind = CALL_TRUNCATE, .path = calls_path_of(fd), .offset = size };

	return (int)(call.path ? CALLS_DO(&call, syscall(SYS_ftruncate, fd, size)) : syscall(SYS_ftruncate, fd, size));
}

CALLS_SHOWN int fallocate(int fd, int mode, off_t offset, off_t size)
{
	struct call call = { .kind = CALL_RESERVE, .path = calls_path_of(fd), .offset = offset + size };

	return (int)(call.path ? CALLS_DO(&call, syscall(SYS_fallocate, fd, mode, offset, size)) : syscall(SYS_fallocate, fd, mode, offset, size));
}

CALLS_SHOWN int fsync(int fd)
{
	struct call call = { .kind = CALL_SYNC, .path = calls_path_of(fd) };

	return (int)(call.path ? CALLS_DO(&call, 0) : syscall(SYS_fsync, fd));
}

CALLS_SHOWN int rename(const char *from, const char *to)
{
	struct call call = { .kind = CALL_RENAME, .path = from, .to = to };

	return (int)(calls_below(from) ? CALLS_DO(&call, syscall(SYS_rename, from, to)) : syscall(SYS_rename, from, to));
}

CALLS_SHOWN int unlink(const char *path)
{
	struct call call = { .kind = CALL_UNLINK, .path = path };

	return (int)(calls_below(path) ? CALLS_DO(&call, syscall(SYS_unlink, path)) : syscall(SYS_unlink, path));
}

CALLS_SHOWN int unlinkat(int folder, const char *name, int flags)
{
	char path[4096];
	struct call call = { .kind = flags & AT_REMOVEDIR ? CALL_RMDIR : CALL_UNLINK, .path = path };

	if (!calls_path_of(folder))
		return (int)syscall(SYS_unlinkat, folder, name, flags);
	snprintf(path, sizeof path, "%s/%s", calls_path_of(folder), name);
	return (int)CALLS_DO(&call, syscall(SYS_unlinkat, folder, name, flags));
}

CALLS_SHOWN int mkdir(const char *path, mode_t mode)
{
	struct call call = { .kind = CALL_MKDIR, .path = path };

	return (int)(calls_below(path) ? CALLS_DO(&call, syscall(SYS_mkdir, path, mode)) : syscall(SYS_mkdir, path, mode));
}

CALLS_SHOWN int rmdir(const char *path)
{
	struct call call = { .kind = CALL_RMDIR, .path = path };

	return (int)(calls_below(path) ? CALLS_DO(&call, syscall(SYS_rmdir, path)) : syscall(SYS_rmdir, path));
}

CALLS_SHOWN int stat(const char *path, struct stat *status)
{
	struct call call = { .kind = CALL_STAT, .path = path };

	return (int)(calls_below(path) ? CALLS_DO(&call, syscall(SYS_newfstatat, AT_FDCWD, path, status, 0)) :
					 syscall(SYS_newfstatat, AT_FDCWD, path, status, 0));
}

CALLS_SHOWN int fstat(int fd, struct stat *status)
{
	struct call call = { .kind = CALL_STAT, .path = calls_path_of(fd) };

	return (int)(call.path ? CALLS_DO(&call, syscall(SYS_fstat, fd, status)) : syscall(SYS_fstat, fd, status));
}

CALLS_SHOWN int statx(int fd, const char *restrict path, int flags, unsigned mask, struct statx *restrict status)
{
	struct call call = { .kind = CALL_STAT, .path = calls_path_of(fd) };

	return (int)(call.path ? CALLS_DO(&call, syscall(SYS_statx, fd, path, flags, mask, status)) :
				 syscall(SYS_statx, fd, path, flags, mask, status));
}

CALLS_SHOWN int access(const char *path, int mode)
{
	struct call call = { .kind = CALL_ACCESS, .path = path };

	return (int)(calls_below(path) ? CALLS_DO(&call, syscall(SYS_access, path, mode)) : syscall(SYS_access, path, mode));
}

CALLS_SHOWN int faccessat(int folder, const char *name, int mode, int flags)
{
	static int (*real)(int, const char *, int, int);
	char path[4096];
	struct call call = { .kind = CALL_ACCESS, .path = path };

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "faccessat");
	if (!calls_path_of(folder))
		return real(folder, name, mode, flags);
	snprintf(path, sizeof path, "%s/%s", calls_path_of(folder), name);
	return (int)CALLS_DO(&call, real(folder, name, mode, flags));
}

CALLS_SHOWN int fcntl(int fd, int command, ...)
{
	struct call call = { .kind = CALL_FCNTL, .path = calls_path_of(fd) };
	va_list list;
	long argument;

	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);
	return (int)(call.path ? CALLS_DO(&call, syscall(SYS_fcntl, fd, command, argument)) : syscall(SYS_fcntl, fd, command, argument));
}

CALLS_SHOWN int flock(int fd, int operation)
{
	struct call call = { .kind = CALL_LOCK, .path = calls_path_of(fd) };

	return (int)(call.path ? CALLS_DO(&call, calls_locks_lie ? 0 : syscall(SYS_flock, fd, operation)) : syscall(SYS_flock, fd, operation));
}

CALLS_SHOWN ssize_t getrandom(void *data, size_t size, unsigned flags)
{
	struct call call = { .kind = CALL_RANDOM, .path = calls_root };

	return CALLS_DO(&call, syscall(SYS_getrandom, data, size, flags));
}

CALLS_SHOWN DIR *opendir(const char *path)
{
	static DIR *(*real)(const char *);
	struct call call = { .kind = CALL_OPENDIR, .path = path };
	DIR *opened = NULL;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "opendir");
	if (!calls_below(path))
		return real(path);
	opened = CALLS_DO(&call, (opened = real(path)) ? 0 : -1) ? NULL : opened;
	if (opened)
		calls_opened(dirfd(opened), path);
	return opened;
}

CALLS_SHOWN struct dirent *readdir(DIR *folder)
{
	static struct dirent *(*real)(DIR *);
	struct call call = { .kind = CALL_READDIR, .path = calls_path_of(dirfd(folder)) };
	int before = errno; /* all that tells the end from an error */
	long fate;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	fate = call.path ? call_begin(&call) : 0;
	errno = fate ? (int)-fate : before;
	return fate ? NULL : real(folder);
}

CALLS_SHOWN int closedir(DIR *folder)
{
	static int (*real)(DIR *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "closedir");
	calls_closed(dirfd(folder));
	return real(folder);
}

/* --- memory; the sanitizers have their own ------------------------------------------------------------------------ */

#ifndef __SANITIZE_ADDRESS__

static bool calls_refuse_memory(void)
{
	struct call call = { .kind = CALL_MEMORY, .path = "" };

	if (!atomic_load(&calls_memory) || !call_begin(&call))
		return false;
	errno = ENOMEM;
	return true;
}

static void *calls_taken(void *block)
{
	if (block)
		atomic_fetch_add(&calls_blocks, 1);
	return block;
}

CALLS_SHOWN void *malloc(size_t size)
{
	return calls_refuse_memory() ? NULL : calls_taken(__libc_malloc(size));
}

CALLS_SHOWN void *calloc(size_t count, size_t size)
{
	return calls_refuse_memory() ? NULL : calls_taken(__libc_calloc(count, size));
}

CALLS_SHOWN void *realloc(void *block, size_t size)
{
	if (!block)
		return malloc(size);
	return calls_refuse_memory() ? NULL : __libc_realloc(block, size);
}

CALLS_SHOWN void *aligned_alloc(size_t align, size_t size)
{
	return calls_refuse_memory() ? NULL : calls_taken(__libc_memalign(align, size));
}

CALLS_SHOWN void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return calls_refuse_memory() ? MAP_FAILED : (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

/* The store asks for large pages where it gathers what it writes: to fill them with zeros takes longer than all the rest of a small checkpoint. */
CALLS_SHOWN int madvise(void *at, size_t size, int advice)
{
	return advice == MADV_HUGEPAGE ? 0 : (int)syscall(SYS_madvise, at, size, advice);
}

CALLS_SHOWN void free(void *block)
{
	if (block)
		atomic_fetch_sub(&calls_blocks, 1);
	__libc_free(block);
}

#endif

#endif
