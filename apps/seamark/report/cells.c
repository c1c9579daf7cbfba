/* SPDX-License-Identifier: BSD-3-Clause */
/* Cells, rows and tables of the report's page. Numbers that are shown rounded are in data-value as they are. */
#include <string.h>
#include <time.h>

#include "report/report.h"

void report_text(FILE *to, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '&': fputs("&amp;", to); break;
		case '"': fputs("&quot;", to); break;
		case '\'': fputs("&#39;", to); break;
		default: fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
		}
}

void report_time(FILE *to, json_int_t since_1970_ns)
{
	time_t seconds = (time_t)(since_1970_ns / 1000000000);
	char text[64] = "?";
	struct tm utc;

	if (gmtime_r(&seconds, &utc))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
	fprintf(to, "<time data-value=\"%lld\">%s</time>", (long long)since_1970_ns, text);
}

json_int_t report_whole(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

double report_real(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

const char *report_member(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

/* --- tables ------------------------------------------------------------------------------------------------------------------- */

static void put_value(FILE *to, enum report_as as, const json_t *value)
{
	switch (as) {
	case REPORT_BYTES:
		if (json_is_integer(value))
			fprintf(to, "<td data-value=\"%lld\">%s</td>", (long long)json_integer_value(value), command_size((uint64_t)json_integer_value(value)).text);
		else
			fputs("<td>-</td>", to);
		return;
	case REPORT_SECONDS: /* null: not known */
		if (json_is_number(value))
			fprintf(to, "<td data-value=\"%.9g\">%s</td>", json_number_value(value), command_span(json_number_value(value)).text);
		else
			fputs("<td>-</td>", to);
		return;
	case REPORT_TIME:
		fputs("<td>", to);
		report_time(to, json_integer_value(value));
		fputs("</td>", to);
		return;
	case REPORT_TEXT:
		fputs("<td class=\"text\">", to);
		report_text(to, json_is_string(value) ? json_string_value(value) : "");
		fputs("</td>", to);
		return;
	case REPORT_NOT_NONE:
		if (!json_integer_value(value)) {
			fputs("<td>-</td>", to);
			return;
		} /* fall through */
	case REPORT_WHOLE:
		json_is_integer(value) ? (void)fprintf(to, "<td>%lld</td>", (long long)json_integer_value(value)) : (void)fputs("<td>-</td>", to);
	}
}

void report_begin_table(FILE *to, const char *id, const char *label, const struct report_column *columns)
{
	fprintf(to, "<div class=\"table\" role=\"region\" tabindex=\"0\" aria-label=\"%s\"><table id=\"%s\"><thead><tr>", label, id);
	for (; columns->head; columns++)
		fprintf(to, "<th scope=\"col\"%s>%s</th>", columns->as == REPORT_TEXT ? " class=\"text\"" : "", columns->head);
	fputs("</tr></thead><tbody>\n", to);
}

void report_row(FILE *to, const struct report_column *columns, const json_t *row)
{
	fputs("<tr>", to);
	for (size_t i = 0; columns[i].head; i++)
		if (columns[i].put)
			columns[i].put(to, row);
		else
			put_value(to, columns[i].as, json_is_array(row) ? json_array_get(row, i) : json_object_get(row, columns[i].member));
	fputs("</tr>\n", to);
}

void report_end_table(FILE *to)
{
	fputs("</tbody></table></div>\n", to);
}

void report_table(FILE *to, const char *id, const char *label, const struct report_column *columns, const json_t *rows)
{
	const json_t *row;
	size_t i;

	report_begin_table(to, id, label, columns);
	json_array_foreach(rows, i, row)
		report_row(to, columns, row);
	report_end_table(to);
}
