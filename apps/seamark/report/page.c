/* SPDX-License-Identifier: BSD-3-Clause */
/* The page: one file, with everything in it, that asks nobody for anything. */
#include <stdlib.h>
#include <string.h>

#include "report/report.h"

/* What a browser may load is what stands in the page. */
#define POLICY "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

#define CHARTS "Charts: Apache ECharts (Copyright 2017-2026 The Apache Software Foundation, Apache License 2.0, apache.org/licenses/LICENSE-2.0; " \
	"this product includes software developed at The Apache Software Foundation), with ZRender (Copyright 2013 Baidu Inc., BSD 3-clause) and " \
	"tslib (Copyright Microsoft Corporation, 0BSD)"

/* Within a script's tags no < may stand that could end it; in JSON it can be written otherwise. */
static void put_data(FILE *to, const json_t *document)
{
	char *text = json_dumps(document, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));

	fputs("<script type=\"application/json\" id=\"data\">", to);
	for (const char *at = text; at && *at; at++)
		*at == '<' ? fputs("\\u003c", to) : fputc(*at, to);
	fputs("</script>\n", to);
	free(text);
}

static void put_head(FILE *to, const json_t *document)
{
	const json_t *run = json_object_get(document, "run");

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY "\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n<title>Seamark: ", to);
	report_text(to, json_string_value(json_object_get(document, "folder")));
	fputs("</title>\n<style>\n", to);
	fwrite(report_css, 1, report_css_size, to);
	fputs("</style>\n</head>\n<body>\n<header><h1>Seamark</h1>\n<p id=\"folder\">", to);
	report_text(to, json_string_value(json_object_get(document, "folder")));
	fputs("</p>\n<p>", to);
	if (json_is_object(run)) {
		fputs("run <code id=\"run\">", to);
		report_text(to, json_string_value(json_object_get(run, "run")));
		fprintf(to, "</code>, life %lld", (long long)json_integer_value(json_object_get(run, "life")));
	}
	fputs("; made ", to);
	report_time(to, json_integer_value(json_object_get(document, "made_ns")));
	fprintf(to, " UTC by seamark %s</p>\n<button id=\"theme\" type=\"button\" hidden>light or dark</button>\n", json_string_value(json_object_get(document, "seamark")));
	report_links(to);
	fputs("</header>\n<main>\n", to);
}

void report_write(FILE *to, const json_t *document, const json_t *diagrams)
{
	bool charts = report_charts_size > 0;

	put_head(to, document);
	fputs(charts ? "<noscript><p class=\"note\">The charts need scripts; the numbers are in the tables.</p></noscript>\n" :
		       "<p class=\"note\" id=\"without-charts\">This seamark was built without charts (they need npm when it is built); the numbers are in the tables.</p>\n", to);
	report_tables(to, document, diagrams);
	fprintf(to, "</main>\n<footer><p>Seamark, BSD 3-clause licence.%s%s%s</p></footer>\n", charts ? " " : "", charts ? CHARTS : "", charts ? "." : "");
	put_data(to, document);
	if (charts) {
		fputs("<script>\n/* " CHARTS ". */\n", to);
		fwrite(report_charts, 1, report_charts_size, to);
		fputs("</script>\n", to);
	}
	fputs("<script>\n", to);
	fwrite(report_js, 1, report_js_size, to);
	fputs("</script>\n</body>\n</html>\n", to);
}
