/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether checkpoints can be written where they are to lie: what a commit needs is tried, in a folder that is taken away again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "doctor/doctor.h"

/* --- file systems, by the numbers of statfs(2) ----------------------------------------------------------------------- */

enum reach { HERE, SHARED, MEMORY };

static const struct {
	unsigned type;
	const char *name;
	enum reach reach;
	const char *more;
} systems[] = {
	{ 0xef53, "ext2, ext3 or ext4", HERE, "" },
	{ 0x58465342, "XFS", HERE, "" },
	{ 0x9123683e, "Btrfs", HERE, "" },
	{ 0x2fc12fc1, "ZFS", HERE, "" },
	{ 0xf2f52010, "F2FS", HERE, "" },
	{ 0x794c7630, "overlay", HERE, "; what a container wrote into its own layer goes with it" },
	{ 0x01021994, "tmpfs", MEMORY, "" },
	{ 0x858458f6, "ramfs", MEMORY, "" },
	{ 0x6969, "NFS", SHARED, "; a node may see an old listing for some seconds; mounted with 'async' on the server, what was synced can be lost" },
	{ 0x0bd00bd0, "Lustre", SHARED, "; mounted with 'flock', or the folder cannot be locked" },
	{ 0x47504653, "GPFS", SHARED, "" },
	{ 0x19830326, "BeeGFS", SHARED, "" },
	{ 0x00c36400, "Ceph", SHARED, "" },
	{ 0xaad7aaea, "PanFS", SHARED, "" },
	{ 0xff534d42, "CIFS", SHARED, "" },
	{ 0xfe534d42, "SMB", SHARED, "" },
	{ 0x01021997, "9p", SHARED, "" },
	{ 0x65735546, "FUSE", SHARED, "; what lies behind it decides" },
};

static void tell_system(struct doctor *doctor, const char *path)
{
	struct statfs about;

	if (statfs(path, &about)) {
		doctor_say(doctor, "folder", DOCTOR_NOTE, "its file system cannot be asked: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
		if (systems[i].type != (unsigned)about.f_type)
			continue;
		if (systems[i].reach == MEMORY)
			doctor_say(doctor, "folder", DOCTOR_NOTE, "%s: lies in memory, and is gone when the machine starts again", systems[i].name);
		else
			doctor_say(doctor, "folder", *systems[i].more ? DOCTOR_NOTE : DOCTOR_FINE, "%s: %s%s", systems[i].name,
				   systems[i].reach == HERE ? "of this machine; ranks on several nodes need one that they share" : "shared by nodes",
				   systems[i].more);
		return;
	}
	doctor_say(doctor, "folder", DOCTOR_NOTE, "a file system that is not known here (0x%lx): every rank must reach it",
		   (unsigned long)about.f_type);
}

static void tell_space(struct doctor *doctor, const char *path)
{
	struct statvfs about;
	uint64_t left;

	if (statvfs(path, &about))
		return;
	left = (uint64_t)about.f_bavail * about.f_frsize;
	if (doctor->report)
		json_object_set_new(doctor->report, "folder_bytes_free", json_integer((json_int_t)(left > INT64_MAX ? INT64_MAX : left)));
	if (left < 1 << 20 || (about.f_files && !about.f_favail))
		doctor_say(doctor, "folder", DOCTOR_PROBLEM, "its file system is full (%s free)", command_size(left).text);
	else
		doctor_say(doctor, "folder", DOCTOR_FINE, "%s free; SEAMARK_KEEP checkpoints and one more must find room", command_size(left).text);
}

/* --- what a commit does ---------------------------------------------------------------------------------------------- */

/* Null: all went well. Else what failed, with errno. */
static const char *try_file(int folder)
{
	static const char text[] = "seamark doctor\n";
	const char *failed = NULL;
	int fd = openat(folder, "new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0)
		return "no file can be made in it";
	if (write(fd, text, sizeof text - 1) != sizeof text - 1)
		failed = "a file in it cannot be written";
	else if (fsync(fd))
		failed = "a file in it cannot be made durable (fsync)";
	else if (flock(fd, LOCK_EX | LOCK_NB))
		failed = "a file in it cannot be locked (flock)";
	else if (renameat(folder, "new", folder, "named"))
		failed = "a file in it cannot be renamed";
	else if (fsync(folder))
		failed = "it cannot be made durable itself (fsync of a folder)";
	int error = errno;
	close(fd);
	errno = error;
	return failed;
}

static const char *try_commit(const char *in)
{
	char path[PATH_MAX];
	const char *failed;
	int folder, error;

	if (snprintf(path, sizeof path, "%s/.seamark-doctor-XXXXXX", in) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return "its name is too long";
	}
	if (!mkdtemp(path))
		return "no folder can be made in it";
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	failed = folder < 0 ? "it cannot be opened" : try_file(folder);
	error = errno;
	if (folder >= 0) {
		unlinkat(folder, "new", 0);
		unlinkat(folder, "named", 0);
		close(folder);
	}
	rmdir(path);
	errno = error;
	return failed;
}

/* The nearest folder above that exists, which is where the rest would be made; false: what is there is no folder. */
static bool find_existing(const char *folder, char *path, size_t room, bool *itself)
{
	struct stat about;

	*itself = true;
	if (snprintf(path, room, "%s", *folder ? folder : ".") >= (int)room)
		return false;
	while (stat(path, &about)) {
		char *slash = strrchr(path, '/');
		if (errno != ENOENT)
			return false;
		*itself = false;
		if (!slash)
			strcpy(path, ".");
		else
			slash[slash == path] = 0;
	}
	errno = ENOTDIR;
	return S_ISDIR(about.st_mode);
}

void doctor_folder(struct doctor *doctor, const char *folder)
{
	char path[PATH_MAX];
	const char *failed;
	bool itself;

	if (doctor->report)
		json_object_set_new(doctor->report, "folder", command_json_text(folder));
	if (!find_existing(folder, path, sizeof path, &itself)) {
		doctor_say(doctor, "folder", DOCTOR_PROBLEM, "'%s' cannot be used: %s", folder, strerror(errno));
		return;
	}
	if ((failed = try_commit(path))) {
		const char *why = strerror(errno);
		doctor_say(doctor, "folder", DOCTOR_PROBLEM, "'%s' %s: %s: %s", itself ? folder : path, itself ? "cannot be used" :
			   "is where the folder would be made", failed, why);
	} else {
		doctor_say(doctor, "folder", DOCTOR_FINE, itself ? "'%s' can be written: files are made durable, renamed and locked"
			   : "'%s' does not exist and can be made: files are made durable, renamed and locked there", folder);
	}
	tell_system(doctor, path);
	tell_space(doctor, path);
}
