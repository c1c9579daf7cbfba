/* SPDX-License-Identifier: BSD-3-Clause */
/* What crash points do (lib/base/crash.h), in the library that is built with them. From the environment:
 *   CRASH_LIST  print the names of all points and leave
 *   CRASH_LOG   a file: each point is noted in it ("reached RANK POINT") when a rank reaches it first, and each death ("killed RANK POINT")
 *   CRASH_AT    the point at which to die of SIGKILL: a name, or name=subject. Of paths the last part is the subject, with # for digits
 *   CRASH_RANK  who dies there: a rank, or `all`: those who come there stop, and when all are there, or no more come, every rank is killed at once
 *   CRASH_NTH   the how manieth time; default 1
 *   CRASH_MEET  for `all`: a file, new in each life, by which the ranks of this node find each other */
#include "base/crash.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

extern const char __start_crash_names[], __stop_crash_names[];

enum { RANKS_MOST = 64, POINT_BYTES = 160, POINTS_MOST = 1024, PATIENCE_MS = 100 };

/* Shared by all ranks of a life. */
struct meeting {
	_Atomic pid_t pids[RANKS_MOST];
	atomic_int there;
	atomic_flag over;
};

static int rank, ranks, log_file = -1;
static const char *wanted;
static bool of_all, is_mine;
static long nth = 1;
static atomic_long times;
static struct meeting *meeting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char seen[POINTS_MOST][POINT_BYTES];
static size_t seen_count;

static void list_names(void)
{
	for (const char *name = __start_crash_names; name < __stop_crash_names; name += CRASH_NAME_BYTES)
		if (*name)
			puts(name);
	fflush(stdout);
	_exit(0);
}

/* Of Open MPI and of MPICH. */
static int number_of(const char *one, const char *other)
{
	const char *text = getenv(one);
	if (!text)
		text = getenv(other);
	return text ? atoi(text) : 0;
}

static void meet(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, sizeof *meeting))
		abort();
	meeting = mmap(NULL, sizeof *meeting, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (meeting == MAP_FAILED)
		abort();
	close(fd);
	meeting->pids[rank] = getpid();
}

__attribute__((constructor)) static void crash_open(void)
{
	const char *path = getenv("CRASH_LOG"), *who = getenv("CRASH_RANK"), *count = getenv("CRASH_NTH");
	if (getenv("CRASH_LIST"))
		list_names();
	rank = number_of("OMPI_COMM_WORLD_RANK", "PMI_RANK");
	ranks = number_of("OMPI_COMM_WORLD_SIZE", "PMI_SIZE");
	wanted = getenv("CRASH_AT");
	if (path)
		log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (count)
		nth = atol(count);
	of_all = who && strcmp(who, "all") == 0;
	is_mine = of_all || !who || atoi(who) == rank;
	if (of_all && rank < RANKS_MOST)
		meet(getenv("CRASH_MEET"));
}

static void note(const char *what, const char *point)
{
	char line[POINT_BYTES + 32];
	int length = snprintf(line, sizeof line, "%s %d %s\n", what, rank, point);
	if (log_file >= 0 && write(log_file, line, (size_t)length) != length)
		abort();
}

static void note_first(const char *point)
{
	size_t i = 0;
	pthread_mutex_lock(&lock);
	while (i < seen_count && strcmp(seen[i], point) != 0)
		i++;
	if (i == seen_count && i < POINTS_MOST) {
		strcpy(seen[seen_count++], point);
		note("reached", point);
	}
	pthread_mutex_unlock(&lock);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Whoever comes first waits for the others; some may be unable to come, because they wait for one who is here. */
static void die_together(void)
{
	meeting->there++;
	for (int ms = 0; ms < PATIENCE_MS && meeting->there < ranks; ms++)
		pause_ms(1);
	while (atomic_flag_test_and_set(&meeting->over))
		pause_ms(1);
	for (int other = 0; other < ranks && other < RANKS_MOST; other++)
		if (other != rank && meeting->pids[other])
			kill(meeting->pids[other], SIGKILL);
}

static void name_point(char *point, const char *name, const char *subject)
{
	const char *last = strrchr(subject, '/');
	size_t at = (size_t)snprintf(point, POINT_BYTES, "%s%s", name, *subject ? "=" : "");
	for (subject = last ? last + 1 : subject; *subject && at < POINT_BYTES - 1; subject++) {
		bool digit = *subject >= '0' && *subject <= '9';
		if (digit && point[at - 1] == '#')
			continue;
		point[at++] = digit ? '#' : *subject;
	}
	point[at] = 0;
}

void crash_reached(const char *name, const char *subject)
{
	char point[POINT_BYTES];
	name_point(point, name, subject);
	if (!wanted) {
		if (log_file >= 0)
			note_first(point);
		return;
	}
	if (!is_mine || (strcmp(wanted, point) != 0 && strcmp(wanted, name) != 0) || atomic_fetch_add(&times, 1) + 1 != nth)
		return;
	note("killed", point);
	if (of_all)
		die_together();
	kill(getpid(), SIGKILL);
}
