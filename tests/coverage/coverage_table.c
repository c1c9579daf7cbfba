/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints the table of what becomes of each MPI function: as docs/mpi-coverage.md, or with --plain as lines of name, where, treatment, first word of
 * the note. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "interpose/coverage.h"

static const char *const where_words[] = {
	[COVERAGE_MPI_3] = "", [COVERAGE_MPI_4] = "MPI-4.0", [COVERAGE_REMOVED] = "MPI-1",
	[COVERAGE_OPEN_MPI] = "Open MPI", [COVERAGE_MPICH] = "MPICH", [COVERAGE_BOTH] = "Open MPI, MPICH",
};
static const char *const where_tokens[] = {
	[COVERAGE_MPI_3] = "mpi-3", [COVERAGE_MPI_4] = "mpi-4", [COVERAGE_REMOVED] = "removed",
	[COVERAGE_OPEN_MPI] = "openmpi", [COVERAGE_MPICH] = "mpich", [COVERAGE_BOTH] = "both",
};

static void plain(void)
{
	const struct coverage *row;
	for (size_t i = 0; (row = coverage_at(i)); i++)
		if (row->name)
			printf("%s %s %s %.*s\n", row->name, where_tokens[row->where],
			       row->treatment == COVERAGE_MAKES_VOID ? "void" : coverage_word(row->treatment), (int)strcspn(row->note, " "), row->note);
}

static void count(void)
{
	size_t counts[2][COVERAGE_TREATMENTS] = {{0}};
	const struct coverage *row;
	for (size_t i = 0; (row = coverage_at(i)); i++)
		if (row->name)
			counts[row->where != COVERAGE_MPI_3][row->treatment]++;
	printf("| | of MPI-3.1 | others |\n| --- | ---: | ---: |\n");
	for (enum coverage_treatment t = 0; t < COVERAGE_TREATMENTS; t++)
		printf("| %s | %zu | %zu |\n", coverage_word(t), counts[0][t], counts[1][t]);
}

static void markdown(void)
{
	const struct coverage *row;
	printf("# What becomes of each MPI function\n\n"
	       "Made from lib/interpose/coverage_table.h: a change here would be lost. [mpi-calls.md](mpi-calls.md) says what the words mean.\n\n"
	       "- **carried**: followed in full; messages in flight come back after a restart.\n"
	       "- **counted**: a snapshot is void if the ranks' cuts fall on different sides of the call.\n"
	       "- **passes**: there is nothing in it to save, or what there is is the program's. *Watched*: Seamark looks at it nevertheless.\n"
	       "- **makes void**: works as without Seamark, but from its first use on no checkpoint is made, and the log says which function is why.\n\n"
	       "A function of the MPI library that is not in this list, or that stands in it as followed and is not in the library that Seamark was built with, makes\n"
	       "checkpoints void from the start in a program that is linked to it.\n\n");
	count();
	for (size_t i = 0; (row = coverage_at(i)); i++)
		if (row->group)
			printf("\n## %s\n\n%s%s| function | not of MPI-3.1 | | |\n| --- | --- | --- | --- |\n", row->group, row->note,
			       *row->note ? "\n\n" : "");
		else
			printf("| `%s` | %s | %s | %s |\n", row->name, where_words[row->where], coverage_word(row->treatment), row->note);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--plain") == 0)
		plain();
	else
		markdown();
	return ferror(stdout) || fflush(stdout);
}
