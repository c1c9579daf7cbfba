/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of a unit test's main. */
#ifndef SUITES_H
#define SUITES_H

#include <CUnit/Basic.h>

/* Runs them all; what main returns. A suite that could not begin has failed. */
static inline int suites_run(CU_SuiteInfo *suites)
{
	unsigned failures;

	if (CU_initialize_registry() || CU_register_suites(suites))
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}

#endif
