/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger as an oracle: when nothing is under way, every message that was sent on a stream has been seen on it. */
#ifndef TESTS_MPI_ORACLE_H
#define TESTS_MPI_ORACLE_H

#include <CUnit/Basic.h>
#include <stdbool.h>

/* Collective; when no message and no request is left: counts differ by nothing, nothing is pending, collectives are balanced. */
void oracle_balanced(void);
/* Called at the top of loops: with ORACLE_SNAPSHOTS set, a safepoint of an event program, and now and then a request. Nothing is protected that changes. */
void oracle_point(void);
/* Adds the test, followed by oracle_balanced; with ORACLE_SNAPSHOTS set, what was requested is awaited before that. */
#define ORACLE_ADD(suite, test) oracle_add(suite, #test, test)
void oracle_add(CU_pSuite suite, const char *name, void (*test)(void));
/* MPI_Init, the tests of `add`, MPI_Finalize; the program's exit status. */
int oracle_main(int argc, char **argv, void (*add)(CU_pSuite suite));

extern int oracle_rank, oracle_size;
#endif
