/* SPDX-License-Identifier: BSD-3-Clause */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

static bool write_page(const char *path, const json_t *document, const json_t *diagrams)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	bool good = stream != NULL;

	if (stream) {
		report_write(stream, document, diagrams);
		good = !fclose(stream) && command_write_file(path, text, size);
	}
	free(text);
	return good;
}

static bool verify_of(const char *text, enum report_verify *verify)
{
	static const char *const names[] = { "newest", "all", "none" };
	int choice = text ? command_choice("verify", text, names, sizeof names / sizeof names[0]) : REPORT_VERIFY_NEWEST;

	if (choice >= 0)
		*verify = (enum report_verify)choice;
	return choice >= 0;
}

static int report(const char *folder, const char *path, enum report_verify verify, int json)
{
	int status = EXIT_FINE;
	json_t *diagrams = json_array(), *document = report_gather(folder, verify, diagrams, &status);

	if (!document || json) {
		json_decref(diagrams);
		return !document || command_print_json(document) ? EXIT_CANNOT_READ : status;
	}
	if (!write_page(path, document, diagrams))
		status = EXIT_CANNOT_READ;
	else if (strcmp(path, "-"))
		command_print("written: %s", path);
	json_decref(document);
	json_decref(diagrams);
	return status;
}

int command_report(int argc, char **argv)
{
	const char *given = NULL, *output = "seamark-report.html", *verified = NULL;
	int json = 0, status;
	const struct command_option options[] = {
		{ "o,output", "FILE", "the page (seamark-report.html; - for standard output); one that is there is replaced", &output, NULL },
		{ "verify", "WHICH", "of which checkpoints every byte is read for the certificate: newest, all, none (newest)", &verified, NULL },
		COMMAND_DIR(&given),
		{ "json", NULL, "prints what the page tells as JSON, and writes none", NULL, &json },
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "report [OPTIONS] [DIR]",
		"Writes one HTML file about the run in DIR (or --dir): its lives, steps, checkpoints and restarts over time, how long ranks were held and\n"
		"until checkpoints were durable, what was in flight, between whom and to whom, the ranks beside each other, the disk, and the\n"
		"proof that the newest checkpoint is whole; and space-time diagrams of the newest snapshots that were traced. It needs no network and nothing beside it, and can be sent to others.\n\n"
		"Exit status: 0, 1 damage was found (the page is written and names it), 2 wrong usage, 3 something could not be read or written.", options, 0, 1 };
	enum report_verify verify;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (!verify_of(verified, &verify))
		return EXIT_USAGE;
	return report(argc ? argv[0] : command_folder(given), output, verify, json);
}
