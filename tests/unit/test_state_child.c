/* SPDX-License-Identifier: BSD-3-Clause */
/* A child process holds the state: the program does not notice it, and what the child does not have, or the system forbids, is taken otherwise. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "test_state_fixture.h"

/* --- the child ----------------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t signalled;

static void count_signal(int number)
{
	(void)number;
	signalled++;
}

/* The one child of this process that is one for clone. */
static pid_t memory_child(void)
{
	char path[64], text[2000] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
	file = fopen(path, "r");
	if (file) {
		if (!fgets(text, sizeof text, file))
			text[0] = 0;
		fclose(file);
	}
	return (pid_t)atol(text);
}

static int files_of(pid_t process)
{
	char command[100];
	FILE *pipe;
	int count = -1;

	snprintf(command, sizeof command, "ls /proc/%ld/fd | wc -l", (long)process);
	pipe = popen(command, "r");
	if (!pipe || fscanf(pipe, "%d", &count) != 1)
		count = -1;
	if (pipe)
		pclose(pipe);
	return count;
}

static void take_by_fork(void)
{
	grid = map_memory(GRID);
	scribble(grid, GRID);
	begin(STATE_FORK, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	take();
	CU_ASSERT_TRUE(capture.copied);
	CU_ASSERT_PTR_NOT_NULL(capture.regions[0].read);
}

static void the_program_does_not_notice_the_child(void)
{
	struct sigaction action = { .sa_handler = count_signal }, before;
	pid_t child;
	int status;

	signalled = 0;
	sigaction(SIGCHLD, &action, &before);
	take_by_fork();
	child = memory_child();
	CU_ASSERT_TRUE_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(-1, &status, WNOHANG), -1);
	CU_ASSERT_EQUAL(errno, ECHILD);
	sigaction(SIGCHLD, &before, NULL);
	for (int i = 0; i < 1000 && files_of(child) > 1; i++)
		usleep(1000);
	CU_ASSERT_EQUAL(files_of(child), 1); /* its line to the program */
	signalled = 0;
	sigaction(SIGCHLD, &action, NULL);
	state_capture_done(state);
	for (int i = 0; i < 1000 && !kill(child, 0); i++) {
		usleep(1000);
		state_prepare(state);
		state_capture_done(state);
	}
	CU_ASSERT_EQUAL(kill(child, 0), -1);
	CU_ASSERT_EQUAL(signalled, 0);
	sigaction(SIGCHLD, &before, NULL);
	end();
	munmap(grid, GRID);
}

static void a_child_that_is_killed_is_a_failed_read_and_nothing_else(void)
{
	uint8_t byte;
	struct fault why = FAULT_NONE;
	pid_t child;

	take_by_fork();
	child = memory_child();
	CU_ASSERT_EQUAL(capture.regions[0].read(capture.regions[0].context, capture.regions[0].data, &byte, 1, &why), 0);
	kill(child, SIGKILL);
	usleep(20000);
	CU_ASSERT_EQUAL(capture.regions[0].read(capture.regions[0].context, capture.regions[0].data, &byte, 1, &why), SEAMARK_E_UNABLE);
	CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "was ended"));
	expect_now("the next");
	end();
	munmap(grid, GRID);
}

static void the_child_goes_when_the_program_does(void)
{
	int ends[2];
	pid_t program, child = 0;

	if (pipe(ends))
		abort();
	program = fork();
	if (!program) {
		take_by_fork();
		child = memory_child();
		/* Another child has all files of the program, the line to the memory among them. */
		if (!fork()) {
			close(ends[1]);
			usleep(6000000);
			_exit(0);
		}
		if (write(ends[1], &child, sizeof child) < 0)
			_exit(1);
		pause();
	}
	CU_ASSERT_EQUAL(read(ends[0], &child, sizeof child), sizeof child);
	CU_ASSERT_TRUE(child > 0);
	kill(program, SIGKILL);
	waitpid(program, NULL, 0);
	for (int i = 0; i < 3000 && !kill(child, 0); i++)
		usleep(1000);
	CU_ASSERT_EQUAL(kill(child, 0), -1);
	close(ends[0]);
	close(ends[1]);
}

static void memory_that_a_child_does_not_have_is_taken_otherwise(void)
{
	grid = map_memory(GRID);
	scribble(grid, GRID);
	madvise(grid + MIB, MIB, MADV_DONTFORK);
	begin(STATE_FORK, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	expect_now("memory that is not inherited");
	CU_ASSERT_FALSE(capture.copied); /* for once */
	expect_now("memory that is not inherited");
	CU_ASSERT_TRUE(capture.copied);
	end();
	munmap(grid, GRID);

	grid = mmap(NULL, GRID, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(grid, 4, GRID);
	begin(STATE_FORK, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	take();
	CU_ASSERT_FALSE(capture.copied);
	take();
	CU_ASSERT_TRUE(capture.copied);
	memset(grid, 5, GRID);
	CU_ASSERT_EQUAL(*(const uint8_t *)capture.regions[0].data, 4);
	end();
	munmap(grid, GRID);
}

static void memory_that_a_child_has_as_zeros_is_not_saved_as_zeros(void)
{
	uint8_t byte;
	struct fault why = FAULT_NONE;

	grid = map_memory(GRID);
	memset(grid, 9, GRID);
	madvise(grid + MIB, MIB, MADV_WIPEONFORK);
	begin(STATE_FORK, UINT64_MAX, 0);
	protect("grid", grid, GRID);
	take();
	CU_ASSERT_EQUAL(capture.regions[0].read(capture.regions[0].context, grid + MIB, &byte, 1, &why), SEAMARK_E_REGION);
	CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "MADV_WIPEONFORK"));
	expect_now("memory that is wiped");
	end();
	munmap(grid, GRID);
}

static bool forbid(long call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* As in containers. */
static void run_forbidden(long call, int (*run)(void))
{
	pid_t child = fork();
	int status = -1;

	if (!child)
		_exit(forbid(call) ? run() : 77);
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		printf(" (no seccomp here) ");
	else
		CU_ASSERT_EQUAL(status, 0);
}

static int fork_works(void)
{
	uint8_t *expected = malloc(GRID), *data;

	seed = 3;
	grid = map_memory(GRID);
	scribble(grid, GRID);
	memcpy(expected, grid, GRID);
	begin(STATE_FORK, UINT64_MAX, 0);
	if (state_protect(state, "grid", grid, GRID, &fault) || state_capture(state, &capture, &fault) || !capture.regions[0].read)
		return 1;
	memset(grid, 1, GRID);
	data = read_captured(&capture.regions[0]);
	if (memcmp(data, expected, GRID))
		return 2;
	kill(memory_child(), SIGKILL);
	return capture.regions[0].read(capture.regions[0].context, grid, data, GRID, &fault) == SEAMARK_E_UNABLE ? 0 : 3;
}

static void a_child_that_may_not_be_read_sends_its_memory(void)
{
	run_forbidden(SYS_process_vm_readv, fork_works);
}

static int copies_whole(void)
{
	grid = map_memory(GRID);
	memset(grid, 1, GRID);
	begin(STATE_CHANGES, UINT64_MAX, 0);
	if (state_protect(state, "grid", grid, GRID, &fault))
		return 1;
	for (int i = 0; i < 4; i++) {
		grid[i] = (uint8_t)i;
		if (state_capture(state, &capture, &fault) || fresh_blocks() != GRID / BLOCK || memcmp(capture.regions[0].data, grid, GRID))
			return 2;
	}
	return 0;
}

static void without_help_of_the_kernel_all_is_copied(void)
{
	run_forbidden(SYS_userfaultfd, copies_whole);
}

static int holds_the_program(void)
{
	grid = map_memory(GRID);
	memset(grid, 1, GRID);
	begin(STATE_FORK, UINT64_MAX, 0);
	if (state_protect(state, "grid", grid, GRID, &fault) || state_capture(state, &capture, &fault) || capture.copied)
		return 1; /* for once */
	return state_capture(state, &capture, &fault) || !capture.copied || capture.regions[0].data == grid;
}

static void without_a_child_the_program_is_held_once_and_then_copied(void)
{
	run_forbidden(SYS_clone, holds_the_program);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the program does not notice the child", the_program_does_not_notice_the_child },
		{ "a child that is killed is a failed read and nothing else", a_child_that_is_killed_is_a_failed_read_and_nothing_else },
		{ "the child goes when the program does", the_child_goes_when_the_program_does },
		{ "memory that a child does not have is taken otherwise", memory_that_a_child_does_not_have_is_taken_otherwise },
		{ "memory that a child has as zeros is not saved as zeros", memory_that_a_child_has_as_zeros_is_not_saved_as_zeros },
		{ "a child that may not be read sends its memory", a_child_that_may_not_be_read_sends_its_memory },
		{ "without help of the kernel all is copied", without_help_of_the_kernel_all_is_copied },
		{ "without a child the program is held once and then copied", without_a_child_the_program_is_held_once_and_then_copied },
		CU_TEST_INFO_NULL,
	};

	return run_tests("state: child", tests);
}
