/* SPDX-License-Identifier: BSD-3-Clause */
/* docs/settings.md tells every setting with its real default, and none that does not exist. $TEST_SOURCE is the source tree. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "suites.h"

static char text[1 << 16];

static int read_readme(void)
{
	const char *source = getenv("TEST_SOURCE");
	char path[4096];
	FILE *file;
	size_t size;

	snprintf(path, sizeof path, "%s/docs/settings.md", source ? source : ".");
	file = fopen(path, "r");
	if (!file) {
		perror(path);
		return 1;
	}
	size = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[size] = 0;
	return size == sizeof text - 1;
}

static void every_setting_is_told_with_its_default(void)
{
	size_t count;
	const struct settings_row *rows = settings_table(&count);

	CU_ASSERT_TRUE(count > 0);
	for (size_t i = 0; i < count; i++) {
		char row[256];

		snprintf(row, sizeof row, "\n| `%s` | `%s` |", rows[i].name, rows[i].fallback);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, row));
		if (!strstr(text, row))
			fprintf(stderr, "docs/settings.md lacks:%s\n", row);
	}
}

static void no_row_tells_of_a_setting_that_is_none(void)
{
	size_t count, rows_told = 0;

	settings_table(&count);
	for (const char *at = text; (at = strstr(at, "\n| `SEAMARK_")); at++)
		rows_told++;
	CU_ASSERT_EQUAL(rows_told, count);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "every setting is told with its default", every_setting_is_told_with_its_default },
		{ "no row tells of a setting that is none", no_row_tells_of_a_setting_that_is_none },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "readme", read_readme, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
