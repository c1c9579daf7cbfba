/* SPDX-License-Identifier: BSD-3-Clause */
/* The launcher's process. It stays in the process group of this one, so that a terminal reaches both; processes that it leaves behind become children of this one, so that
 * ranks of an ended life can be ended before the next. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "run/run.h"
#include "slurm/slurm.h"

#define LEFTOVERS_S 5.0

static sigset_t waited, before;
static int leave_on;

double run_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void run_take_signals(const struct run_options *options)
{
	static const int taken[] = { SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH };
	struct sigaction action;

	leave_on = options->leave_on;
	sigemptyset(&waited);
	/* What the caller ignores, as nohup does, stays ignored, here and in the launcher. */
	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
		if (!sigaction(taken[i], NULL, &action) && (action.sa_handler != SIG_IGN || taken[i] == SIGCHLD))
			sigaddset(&waited, taken[i]);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &waited, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

bool run_start(struct run_launch *launch, char *const *arguments)
{
	pid_t child = fork();

	*launch = (struct run_launch){ 0 };
	if (!child) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		run_speak_into();
		execvp(arguments[0], arguments);
		command_complain("cannot start '%s': %s", arguments[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (child < 0)
		command_complain("cannot start '%s': %s", arguments[0], strerror(errno));
	launch->process = child > 0 ? child : 0;
	return child > 0;
}

void run_signal(const struct run_launch *launch, int signal)
{
	if (launch->process)
		kill(launch->process, signal);
}

/* Whatever has ended, orphans of the launcher among it. */
static bool reap(struct run_launch *launch)
{
	bool ended = false;
	int status;
	pid_t child;

	while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
		if (child != launch->process) {
			slurm_child_ended(child, status);
			continue;
		}
		launch->process = 0;
		launch->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		ended = true;
	}
	return ended;
}

static enum run_event take_signal(struct run_launch *launch, const siginfo_t *info)
{
	if (info->si_signo == leave_on) {
		launch->signal = leave_on;
		return RUN_LEAVE;
	}
	switch (info->si_signo) {
	case SIGCHLD:
		return reap(launch) ? RUN_ENDED : RUN_NOTHING;
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
	case SIGHUP:
		launch->signal = info->si_signo;
		launch->told = info->si_code == SI_KERNEL;
		return info->si_signo == SIGTERM ? RUN_LEAVE : RUN_QUIT;
	default:
		if (info->si_code != SI_KERNEL)
			run_signal(launch, info->si_signo);
		return RUN_NOTHING;
	}
}

enum run_event run_wait(struct run_launch *launch, double seconds)
{
	double until = run_now_s() + seconds;

	for (;;) {
		double left = until - run_now_s();
		struct timespec time = { .tv_sec = left > 0 ? (time_t)left : 0, .tv_nsec = left > 0 ? (long)((left - (double)(time_t)left) * 1e9) : 0 };
		enum run_event event = RUN_NOTHING;
		siginfo_t info;

		if (sigtimedwait(&waited, &info, &time) > 0)
			event = take_signal(launch, &info);
		if (event != RUN_NOTHING || left <= 0)
			return event;
	}
}

/* --- what is left behind -------------------------------------------------------------------------------------------------- */

/* Signals all children of this process, and gives how many there are. */
static int signal_children(int signal)
{
	char name[64];
	FILE *file;
	int child, count = 0;

	snprintf(name, sizeof name, "/proc/self/task/%d/children", (int)getpid());
	file = fopen(name, "re");
	while (file && fscanf(file, "%d", &child) == 1) {
		kill(child, signal);
		count++;
	}
	if (file)
		fclose(file);
	return count;
}

static bool wait_for_none(double seconds)
{
	struct run_launch nobody = { 0 };
	double until = run_now_s() + seconds;
	struct timespec pause = { .tv_nsec = 20000000 };

	for (;;) {
		reap(&nobody);
		if (!signal_children(0))
			return true;
		if (run_now_s() > until)
			return false;
		nanosleep(&pause, NULL);
	}
}

void run_end_leftovers(void)
{
	run_limit_drop_questions();
	run_nodes_drop_questions();
	if (wait_for_none(LEFTOVERS_S))
		return;
	run_say("%d processes of the ended life are still there: they are ended", signal_children(SIGTERM));
	if (wait_for_none(LEFTOVERS_S))
		return;
	signal_children(SIGKILL);
	wait_for_none(LEFTOVERS_S);
}
