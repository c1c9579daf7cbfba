/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors and the log: the first error is kept, texts are whole, lines are one write each. */
#include <CUnit/Basic.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "suites.h"

static void the_first_fault_is_kept(void)
{
	struct fault fault = FAULT_NONE;

	CU_ASSERT_EQUAL(fault_set(&fault, SEAMARK_E_REGION, "region '%s' is missing", "grid"), SEAMARK_E_REGION);
	CU_ASSERT_EQUAL(fault_set(&fault, SEAMARK_E_IO, "later"), SEAMARK_E_REGION);
	errno = ENOSPC;
	CU_ASSERT_EQUAL(fault_errno(&fault, "later still"), SEAMARK_E_REGION);
	CU_ASSERT_STRING_EQUAL(fault.text, "region 'grid' is missing");
}

static void without_a_fault_the_code_is_still_given(void)
{
	CU_ASSERT_EQUAL(fault_set(NULL, SEAMARK_E_BUSY, "x"), SEAMARK_E_BUSY);
	errno = EACCES;
	CU_ASSERT_EQUAL(fault_errno(NULL, "x"), SEAMARK_E_PERMISSION);
}

static void errno_gives_code_and_reason(void)
{
	static const struct { int number, code; } cases[] = {
		{ ENOSPC, SEAMARK_E_SPACE }, { EDQUOT, SEAMARK_E_SPACE },     { EACCES, SEAMARK_E_PERMISSION },
		{ EPERM, SEAMARK_E_PERMISSION }, { EROFS, SEAMARK_E_PERMISSION }, { ENOENT, SEAMARK_E_NOT_FOUND },
		{ ENOMEM, SEAMARK_E_MEMORY }, { EIO, SEAMARK_E_IO },          { ESTALE, SEAMARK_E_IO },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault = FAULT_NONE;
		char expected[200];

		errno = cases[i].number;
		CU_ASSERT_EQUAL(fault_errno(&fault, "cannot open '%s'", "a/b"), cases[i].code);
		CU_ASSERT_EQUAL(errno, cases[i].number);
		snprintf(expected, sizeof expected, "cannot open 'a/b': %s", strerror(cases[i].number));
		CU_ASSERT_STRING_EQUAL(fault.text, expected);
	}
}

static void a_long_text_is_cut_but_keeps_its_reason(void)
{
	struct fault fault = FAULT_NONE;
	char name[1000];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	fault_set(&fault, SEAMARK_E_IO, "cannot open '%s'", name);
	CU_ASSERT_EQUAL(strlen(fault.text), sizeof fault.text - 1);
	CU_ASSERT_STRING_EQUAL(fault.text + strlen(fault.text) - 4, "x...");

	fault = FAULT_NONE;
	errno = ENOENT;
	fault_errno(&fault, "cannot open '%s'", name);
	CU_ASSERT_EQUAL(strlen(fault.text), sizeof fault.text - 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "x...: No such file or directory"));
}

static void every_error_has_a_text_of_its_own(void)
{
	static const int codes[] = { SEAMARK_E_ARGUMENT, SEAMARK_E_ORDER, SEAMARK_E_NOT_FOUND, SEAMARK_E_NOT_CUT,
		SEAMARK_E_PENDING, SEAMARK_E_SETTING, SEAMARK_E_RANKS, SEAMARK_E_REGION, SEAMARK_E_VERSION,
		SEAMARK_E_COMMUNICATOR, SEAMARK_E_RUN, SEAMARK_E_DAMAGED, SEAMARK_E_IO, SEAMARK_E_SPACE,
		SEAMARK_E_PERMISSION, SEAMARK_E_BUSY, SEAMARK_E_MEMORY, SEAMARK_E_DEVICE, SEAMARK_E_VOID,
		SEAMARK_E_TIMEOUT, SEAMARK_E_UNABLE, SEAMARK_E_NO_WRAPPERS, SEAMARK_E_OTHER_MPI };
	const size_t count = sizeof codes / sizeof codes[0];

	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_STRING_NOT_EQUAL(fault_text(codes[i]), fault_text(-9999));
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(fault_text(codes[i]), fault_text(codes[j]));
	}
	CU_ASSERT_STRING_EQUAL(fault_text(0), "success");
	CU_ASSERT_STRING_EQUAL(fault_text(SEAMARK_RESTORED), "success");
}

/* What log_say wrote, through a datagram-like pipe: O_DIRECT keeps writes apart, so one read is one write. */
static ssize_t logged(char *text, size_t room, int rank, enum log_level shown, enum log_level level, const char *what)
{
	int ends[2], old = dup(STDERR_FILENO);
	ssize_t size;

	if (old < 0 || pipe2(ends, O_DIRECT | O_NONBLOCK))
		return -1;
	dup2(ends[1], STDERR_FILENO);
	log_open(shown, rank);
	errno = EDOM;
	log_say(level, "%s", what);
	CU_ASSERT_EQUAL(errno, EDOM);
	dup2(old, STDERR_FILENO);
	size = read(ends[0], text, room - 1);
	if (size < 0)
		size = 0;
	text[size] = 0;
	close(old);
	close(ends[0]);
	close(ends[1]);
	log_open(LOG_NOTICE, 0);
	return size;
}

static void a_line_is_one_write_with_the_rank(void)
{
	char text[4096];

	logged(text, sizeof text, 0, LOG_NOTICE, LOG_NOTICE, "checkpoint 1");
	CU_ASSERT_STRING_EQUAL(text, "seamark: checkpoint 1\n");
	logged(text, sizeof text, 3, LOG_QUIET, LOG_QUIET, "cannot write");
	CU_ASSERT_STRING_EQUAL(text, "seamark[3]: cannot write\n");
}

static void levels_above_the_one_shown_are_silent(void)
{
	char text[4096];

	for (int shown = LOG_QUIET; shown <= LOG_DEBUG; shown++)
		for (int level = LOG_QUIET; level <= LOG_DEBUG; level++) {
			ssize_t size = logged(text, sizeof text, 0, (enum log_level)shown, (enum log_level)level, "x");

			CU_ASSERT_EQUAL(size > 0, level <= shown);
		}
}

static void a_name_from_a_file_cannot_make_a_line(void)
{
	char text[4096];

	logged(text, sizeof text, 0, LOG_NOTICE, LOG_NOTICE, "region 'a\nseamark: all is well\033[2J' is missing, é stays");
	CU_ASSERT_STRING_EQUAL(text, "seamark: region 'a?seamark: all is well?[2J' is missing, é stays\n");
}

static void a_line_too_long_is_cut_and_ends(void)
{
	char text[4096], what[3000];
	ssize_t size;

	memset(what, 'y', sizeof what - 1);
	what[sizeof what - 1] = 0;
	size = logged(text, sizeof text, 7, LOG_NOTICE, LOG_NOTICE, what);
	CU_ASSERT_EQUAL(size, 2047);
	CU_ASSERT_STRING_EQUAL(text + size - 5, "y...\n");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the first fault is kept", the_first_fault_is_kept },
		{ "without a fault the code is still given", without_a_fault_the_code_is_still_given },
		{ "errno gives code and reason", errno_gives_code_and_reason },
		{ "a long text is cut but keeps its reason", a_long_text_is_cut_but_keeps_its_reason },
		{ "every error has a text of its own", every_error_has_a_text_of_its_own },
		{ "a line is one write with the rank", a_line_is_one_write_with_the_rank },
		{ "levels above the one shown are silent", levels_above_the_one_shown_are_silent },
		{ "a name from a file cannot make a line", a_name_from_a_file_cannot_make_a_line },
		{ "a line too long is cut and ends", a_line_too_long_is_cut_and_ends },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "fault", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
