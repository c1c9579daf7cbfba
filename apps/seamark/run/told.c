/* SPDX-License-Identifier: BSD-3-Clause */
/* What the launcher says on standard error: it is passed on as it is, and looked through for the rank that was lost, of which only the launcher knows. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "run/run.h"

static int ends[2] = { -1, -1 };
static atomic_bool passing_on;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct command_text lost; /* the first since it was last asked for */
static bool launch_failed;       /* since then, too */

/* --- the words of launchers ------------------------------------------------------------------------------------------------- */

/* "srun: error: n2: task 3: Killed", "srun: error: n1: tasks 0-2: Terminated" */
static bool is_of_srun(const char *line, struct command_text *text)
{
	char node[32], ranks[16], how[24];

	if (sscanf(line, "srun: error: %31[^: ]: task %15[0-9]: %23[^\n]", node, ranks, how) != 3 &&
	    sscanf(line, "srun: error: %31[^: ]: tasks %15[0-9,-]: %23[^\n]", node, ranks, how) != 3)
		return false;
	snprintf(text->text, sizeof text->text, "rank%s %s on %s", strspn(ranks, "0123456789") == strlen(ranks) ? "" : "s", ranks, node);
	return true;
}

/* Open MPI's "mpirun noticed that process rank 2 with PID 0 on node n2 exited on signal 9 (Killed)."; a node: "  Remote daemon: [[5,0],1] on node n2"; MPICH's
 * "=   RANK 2 PID 31870 RUNNING AT n2", or without the rank, as 4.0 has it */
static bool is_of_mpirun(const char *line, struct command_text *text)
{
	const char *noticed = strstr(line, " noticed that process rank ");
	char node[32], rank[16];

	if ((noticed && sscanf(noticed, " noticed that process rank %15[0-9] with PID %*d on node %31s", rank, node) == 2) ||
	    sscanf(line, "= RANK %15[0-9] PID %*d RUNNING AT %31s", rank, node) == 2)
		snprintf(text->text, sizeof text->text, "rank %s on %s", rank, node);
	else if (sscanf(line, " Remote daemon: [[%*d,%*d],%*d] on node %31s", node) == 1)
		snprintf(text->text, sizeof text->text, "node %s", node);
	else if (sscanf(line, "= PID %*d RUNNING AT %31s", node) == 1)
		snprintf(text->text, sizeof text->text, "a rank on %s", node);
	else
		return false;
	return true;
}

/* srun was seen to end with 0 after these. */
static bool is_failed_launch(const char *line)
{
	return !strncmp(line, "srun: error: ", 13) && (strstr(line, "launch failed") || strstr(line, "Task launch for ") || strstr(line, "Timed out waiting for job step"));
}

static void look_at(const char *line)
{
	struct command_text text;

	if (is_failed_launch(line)) {
		pthread_mutex_lock(&lock);
		launch_failed = true;
		pthread_mutex_unlock(&lock);
	}
	if (!is_of_srun(line, &text) && !is_of_mpirun(line, &text))
		return;
	pthread_mutex_lock(&lock);
	if (!lost.text[0])
		lost = text;
	pthread_mutex_unlock(&lock);
}

/* --- passing on ------------------------------------------------------------------------------------------------------------- */

static void pass_on(const char *bytes, size_t count)
{
	while (count) {
		ssize_t done = write(STDERR_FILENO, bytes, count);

		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (done > 0) {
			bytes += done;
			count -= (size_t)done;
		}
	}
}

static void *listen_on(void *nothing)
{
	static char line[512];
	size_t length = 0;
	char piece[4096];
	ssize_t count;

	for (;;) {
		struct pollfd poll_of = { .fd = ends[0], .events = POLLIN };

		/* What is in no hand is still in the pipe. */
		poll(&poll_of, 1, -1);
		atomic_store(&passing_on, true);
		count = read(ends[0], piece, sizeof piece);
		if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN))
			break;
		pass_on(piece, count > 0 ? (size_t)count : 0);
		for (ssize_t i = 0; i < count; i++) {
			if (piece[i] == '\n') {
				line[length] = 0;
				look_at(line);
				length = 0;
			} else if (length + 1 < sizeof line) {
				line[length++] = piece[i];
			}
		}
		atomic_store(&passing_on, false);
	}
	atomic_store(&passing_on, false);
	return nothing;
}

void run_listen(void)
{
	pthread_t thread;

	if (pipe2(ends, O_CLOEXEC))
		ends[0] = ends[1] = -1;
	else if (pthread_create(&thread, NULL, listen_on, NULL)) {
		close(ends[0]);
		close(ends[1]);
		ends[0] = ends[1] = -1;
	} else {
		pthread_detach(thread);
	}
}

void run_speak_into(void)
{
	if (ends[1] >= 0)
		dup2(ends[1], STDERR_FILENO);
}

/* What has been said is told, or a second has passed: somebody may go on saying more. */
void run_hear_all(void)
{
	struct timespec pause = { .tv_nsec = 2000000 };
	int waiting = 0;

	for (double until_s = run_now_s() + 1; ends[0] >= 0 && run_now_s() < until_s; nanosleep(&pause, NULL))
		if (ioctl(ends[0], FIONREAD, &waiting) || (!waiting && !atomic_load(&passing_on)))
			return;
}

struct command_text run_lost(bool *failed)
{
	struct command_text text;

	run_hear_all();
	pthread_mutex_lock(&lock);
	text = lost;
	*failed = launch_failed;
	lost.text[0] = 0;
	launch_failed = false;
	pthread_mutex_unlock(&lock);
	return text;
}
