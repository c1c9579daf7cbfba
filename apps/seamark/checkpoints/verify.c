/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "command/command.h"
#include "command/terminal.h"

/* One checkpoint's problems on their way to one of the two outputs. */
struct telling {
	uint64_t number;
	json_t *problems;   /* null: as lines */
};

static void told(const struct seamark_files_problem *problem, void *context)
{
	const struct telling *telling = context;

	if (telling->problems)
		json_array_append_new(telling->problems, json_pack("{s:i, s:o, s:o}", "error", problem->code, "rank",
				      problem->rank < 0 ? json_null() : json_integer(problem->rank), "text", command_json_text(problem->text)));
	else if (problem->rank < 0)
		command_print("checkpoint %" PRIu64 ": %s", telling->number, problem->text);
	else
		command_print("checkpoint %" PRIu64 ", rank %" PRId64 ": %s", telling->number, problem->rank, problem->text);
}

static void print_verdict(const struct seamark_files_entry *entry, int code, const struct seamark_files_proof *proof)
{
	struct command_text elsewhere = command_elsewhere(entry);

	if (!code)
		terminal_print_filled(4, TERMINAL_GOOD, "whole", "checkpoint %" PRIu64 " is whole: %" PRIu64 " images (%s%s%s), %" PRIu64 " streams balanced, %" PRIu64
			      " messages in flight%s", entry->number, proof->images, command_size(proof->bytes).text,
			      elsewhere.text[0] ? ", and " : "", elsewhere.text, proof->streams, proof->messages,
			      proof->abandoned ? ", some abandoned" : "");
	else if (code == SEAMARK_E_DAMAGED)
		terminal_print(TERMINAL_BAD, "problem", "checkpoint %" PRIu64 " has %" PRIu64 " problem%s", entry->number, proof->problems, proof->problems == 1 ? "" : "s");
}

static json_t *verdict_json(const struct seamark_files_entry *entry, int code, const struct seamark_files_proof *proof, json_t *problems)
{
	return json_pack("{s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "number", (json_int_t)entry->number, "life",
			 (json_int_t)entry->life, "whole", !code, "images", (json_int_t)proof->images, "regions", (json_int_t)proof->regions,
			 "bytes", (json_int_t)proof->bytes, "referred_bytes", (json_int_t)proof->referred_bytes, "parents",
			 (json_int_t)proof->parents, "streams", (json_int_t)proof->streams, "messages", (json_int_t)proof->messages, "abandoned",
			 (json_int_t)proof->abandoned, "problems", problems);
}

static int exit_status(int code)
{
	if (!code)
		return EXIT_FINE;
	return code == SEAMARK_E_DAMAGED || code == SEAMARK_E_RUN ? EXIT_PROBLEMS : EXIT_CANNOT_READ;
}

static void progress_of(const struct seamark_files_entry *entry)
{
	char what[48];

	snprintf(what, sizeof what, "checkpoint %" PRIu64, entry->number);
	progress_begin(what, entry->bytes + entry->referred_bytes);
}

/* Verifies one; results: null for lines. */
static int verify(const struct seamark_files_entry *entry, json_t *results)
{
	struct telling telling = { entry->number, results ? json_array() : NULL };
	struct seamark_files_proof proof = {0};
	seamark_files_checkpoint *checkpoint;
	int code = entry->status ? entry->status : seamark_files_checkpoint_open(&checkpoint, entry->path);

	if (!code) {
		progress_of(entry);
		code = seamark_files_verify(checkpoint, told, &telling, &proof);
		progress_end();
		seamark_files_checkpoint_close(checkpoint);
	}
	if (code && !proof.problems) {
		const struct seamark_files_problem problem = { code, -1, entry->status ? entry->problem : seamark_files_error() };

		told(&problem, &telling);
	}
	if (results)
		json_array_append_new(results, verdict_json(entry, code, &proof, telling.problems));
	else if (!code || proof.problems)
		print_verdict(entry, code, &proof);
	return exit_status(code);
}

/* The gravest status of several. */
static int verify_all(const seamark_files *files, const char *folder, json_t *results)
{
	struct seamark_files_entry entry;
	int status = EXIT_FINE;

	if (seamark_files_check_run(folder)) {
		command_complain("%s (no checkpoint needs it; the next start of the run makes it anew)", seamark_files_error());
		status = EXIT_PROBLEMS;
	}

	if (!seamark_files_count(files)) {
		command_complain("there is no checkpoint to verify");
		return EXIT_CANNOT_READ;
	}
	for (size_t i = 0; !seamark_files_entry_at(files, i, &entry); i++) {
		int own = verify(&entry, results);

		if (own > status)
			status = own;
	}
	return status;
}

int command_verify(int argc, char **argv)
{
	const char *given = NULL;
	int json = 0, status;
	const struct command_option options[] = {
		COMMAND_DIR(&given),
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "verify [--dir DIR] [--json] [N]",
		"Proves, from the files alone, that checkpoint N (a number, or the path of its folder), or every checkpoint, is whole:\n"
		"every byte is what was written, all images belong together, and for every stream of messages between two ranks\n"
		"sent + carried = seen + recorded, position by position: nothing lost, nothing twice, nothing received that was not sent.\n\n"
		"Exit status: 0 all is well, 1 problems were found (each is named), 2 wrong usage, 3 a checkpoint cannot be read:\n"
		"no such one, no permission, or written by a newer Seamark.", options, 0, 1 };
	struct seamark_files_entry entry;
	seamark_files *files;
	json_t *results;
	bool found;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (argc)
		found = command_find(command_folder(given), argv[0], &files, &entry);
	else
		found = (files = command_open(command_folder(given))) != NULL;
	if (!found) {
		seamark_files_close(files);
		return EXIT_CANNOT_READ;
	}
	results = json ? json_array() : NULL;
	status = argc ? verify(&entry, results) : verify_all(files, command_folder(given), results);
	if (results && command_print_json(json_pack("{s:o}", "checkpoints", results)))
		status = EXIT_CANNOT_READ;
	seamark_files_close(files);
	return status;
}
