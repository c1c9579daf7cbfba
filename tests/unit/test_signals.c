/* SPDX-License-Identifier: BSD-3-Clause */
/* The two signals: counted, restarting calls, and handed on to whoever had them before. The room is in the session, which is MPI's;
 * this file of it is not, and is taken in here. */
#include <CUnit/Basic.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "suites.h"
#include "../../lib/session/signals.c"

static struct fault fault;
static volatile sig_atomic_t plain_calls, info_calls, info_value;
static struct sigaction older;
static sigjmp_buf out;

static void plain_handler(int number)
{
	plain_calls += number == SIGUSR1;
	errno = EDOM;
}

static void info_handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	info_calls += context != NULL;
	info_value = info->si_value.sival_int;
}

/* As a well-behaved library: its own work, then whoever was there. */
static void polite_handler(int number, siginfo_t *info, void *context)
{
	info_calls++;
	if (older.sa_flags & SA_SIGINFO)
		older.sa_sigaction(number, info, context);
	else if (older.sa_handler != SIG_DFL && older.sa_handler != SIG_IGN)
		older.sa_handler(number);
}

static void jumping_handler(int number)
{
	(void)number;
	plain_calls++;
	siglongjmp(out, 1);
}

static void set_plain(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(number, &action, NULL);
}

static void set_info(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(number, &action, &older);
}

/* As when the library is loaded. */
static void begin(void)
{
	memset(&request, 0, sizeof request);
	memset(&stop, 0, sizeof stop);
	set_plain(SIGUSR1, SIG_DFL);
	set_plain(SIGUSR2, SIG_DFL);
	plain_calls = info_calls = info_value = 0;
	fault = FAULT_NONE;
}

static void requests_and_stops_are_counted_apart_and_once(void)
{
	begin();
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, SIGUSR2, &fault), 0);
	CU_ASSERT_EQUAL(signals_requests(), 0);
	CU_ASSERT_FALSE(signals_stop());
	raise(SIGUSR1);
	raise(SIGUSR1);
	CU_ASSERT_FALSE(signals_stop());
	CU_ASSERT_EQUAL(signals_requests(), 2);
	CU_ASSERT_EQUAL(signals_requests(), 0);
	raise(SIGUSR2);
	CU_ASSERT_EQUAL(signals_requests(), 0);
	CU_ASSERT_TRUE(signals_stop());
	CU_ASSERT_FALSE(signals_stop());
}

static void none_leaves_a_signal_alone(void)
{
	struct sigaction now;

	begin();
	CU_ASSERT_EQUAL(signals_install(0, 0, &fault), 0);
	sigaction(SIGUSR1, NULL, &now);
	CU_ASSERT_PTR_EQUAL(now.sa_handler, SIG_DFL);
}

static void a_signal_that_cannot_be_handled_is_told(void)
{
	begin();
	CU_ASSERT_EQUAL(signals_install(SIGKILL, 0, &fault), SEAMARK_E_IO);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "signal 9"));
}

static void what_was_there_before_is_called_too(void)
{
	union sigval value = { .sival_int = 4711 };

	begin();
	set_plain(SIGUSR1, plain_handler);
	set_info(SIGUSR2, info_handler);
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, SIGUSR2, &fault), 0);
	errno = ERANGE;
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(errno, ERANGE);
	CU_ASSERT_EQUAL(plain_calls, 1);
	CU_ASSERT_EQUAL(signals_requests(), 1);
	sigqueue(getpid(), SIGUSR2, value);
	nanosleep(&(struct timespec){ .tv_nsec = 1 }, NULL); /* the thread sanitizer delivers it in the next call that may block */
	CU_ASSERT_EQUAL(info_calls, 1);
	CU_ASSERT_EQUAL(info_value, 4711);
	CU_ASSERT_TRUE(signals_stop());
}

static void what_was_ignored_is_counted_and_harms_nobody(void)
{
	begin();
	set_plain(SIGUSR1, SIG_IGN);
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, SIGUSR2, &fault), 0);
	raise(SIGUSR1);
	raise(SIGUSR2); /* its default would end the program */
	CU_ASSERT_EQUAL(signals_requests(), 1);
	CU_ASSERT_TRUE(signals_stop());
}

static void a_handler_set_since_is_chained_to(void)
{
	begin();
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, 0, &fault), 0);
	CU_ASSERT_EQUAL(signals_reinstall(&fault), 0); /* nothing has changed */
	CU_ASSERT_EQUAL(request.chained_count, 0);
	set_plain(SIGUSR1, plain_handler);
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(signals_requests(), 0);
	CU_ASSERT_EQUAL(signals_reinstall(&fault), 0);
	CU_ASSERT_EQUAL(signals_reinstall(&fault), 0);
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(signals_requests(), 1);
	CU_ASSERT_EQUAL(plain_calls, 2);
	set_plain(SIGUSR1, SIG_DFL); /* the program does not want its own any more */
	CU_ASSERT_EQUAL(signals_reinstall(&fault), 0);
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(signals_requests(), 1);
	CU_ASSERT_EQUAL(plain_calls, 2);
}

static void a_handler_that_chains_to_ours_makes_no_endless_chain(void)
{
	begin();
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, 0, &fault), 0);
	set_info(SIGUSR1, polite_handler);
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(signals_requests(), 1);
	CU_ASSERT_EQUAL(signals_reinstall(&fault), 0);
	for (int i = 0; i < 3; i++) {
		info_calls = 0;
		raise(SIGUSR1);
		CU_ASSERT_EQUAL(info_calls, 1);
		CU_ASSERT_TRUE(signals_requests() >= 1);
	}
}

/* From two depths of the stack, so that a context does not lie where the one before lay. */
static __attribute__((noinline)) void raise_deeper(int depth)
{
	volatile char room[4096];

	memset((char *)room, 0, sizeof room);
	if (depth)
		raise_deeper(depth - 1);
	else
		raise(SIGUSR1);
	room[0] = 1;
}

static void a_handler_may_leave_by_a_jump(void)
{
	volatile int turn;

	begin();
	set_plain(SIGUSR1, jumping_handler);
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, 0, &fault), 0);
	for (turn = 0; turn < 4; turn++)
		if (!sigsetjmp(out, 1))
			raise_deeper(turn);
	CU_ASSERT_EQUAL(plain_calls, 4);
	CU_ASSERT_EQUAL(signals_requests(), 4);
	handing_on = NULL;
}

static void a_program_that_takes_the_signal_back_for_ever_is_left_alone(void)
{
	struct sigaction now;

	begin();
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, 0, &fault), 0);
	for (int i = 0; i < 50; i++) {
		set_plain(SIGUSR1, plain_handler);
		CU_ASSERT_EQUAL(signals_reinstall(&fault), 0);
	}
	sigaction(SIGUSR1, NULL, &now);
	CU_ASSERT_PTR_EQUAL(now.sa_handler, plain_handler);
	raise(SIGUSR1);
	CU_ASSERT_EQUAL(plain_calls, 1);
}

static void interrupted_calls_go_on(void)
{
	int ends[2];
	char byte = 0;
	pid_t child;

	begin();
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, 0, &fault), 0);
	if (pipe(ends))
		abort();
	child = fork();
	if (child == 0) {
		usleep(30000);
		kill(getppid(), SIGUSR1);
		usleep(30000);
		_exit(write(ends[1], "x", 1) != 1);
	}
	CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1); /* without SA_RESTART: -1, EINTR */
	CU_ASSERT_EQUAL(byte, 'x');
	CU_ASSERT_EQUAL(signals_requests(), 1);
	waitpid(child, NULL, 0);
	close(ends[0]);
	close(ends[1]);
}

static void *send_many(void *context)
{
	for (int i = 0; i < 20000; i++)
		pthread_kill(*(pthread_t *)context, SIGUSR1);
	return NULL;
}

/* Signals of one kind that are pending are one; those that were handled must all be counted. */
static void no_handled_signal_is_lost_while_somebody_asks(void)
{
	pthread_t self = pthread_self(), sender;
	unsigned counted = 0;

	begin();
	set_plain(SIGUSR1, plain_handler);
	CU_ASSERT_EQUAL(signals_install(SIGUSR1, 0, &fault), 0);
	if (pthread_create(&sender, NULL, send_many, &self))
		abort();
	for (int i = 0; i < 200000; i++)
		counted += signals_requests();
	pthread_join(sender, NULL);
	counted += signals_requests();
	CU_ASSERT_EQUAL(counted, (unsigned)plain_calls);
	CU_ASSERT_TRUE(counted > 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "requests and stops are counted apart and once", requests_and_stops_are_counted_apart_and_once },
		{ "none leaves a signal alone", none_leaves_a_signal_alone },
		{ "a signal that cannot be handled is told", a_signal_that_cannot_be_handled_is_told },
		{ "what was there before is called too", what_was_there_before_is_called_too },
		{ "what was ignored is counted and harms nobody", what_was_ignored_is_counted_and_harms_nobody },
		{ "a handler set since is chained to", a_handler_set_since_is_chained_to },
		{ "a handler that chains to ours makes no endless chain", a_handler_that_chains_to_ours_makes_no_endless_chain },
		{ "a handler may leave by a jump", a_handler_may_leave_by_a_jump },
		{ "a program that takes the signal back for ever is left alone",
		  a_program_that_takes_the_signal_back_for_ever_is_left_alone },
		{ "interrupted calls go on", interrupted_calls_go_on },
		{ "no handled signal is lost while somebody asks", no_handled_signal_is_lost_while_somebody_asks },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "signals", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
