/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/values.h"
#include "command/command.h"

struct pruned {
	int dry_run, json;
	uint64_t bytes, count;
	json_t *list;
};

static const char *const fates[] = { "removed", "hidden", "freed", "leaving" };

static void add(struct pruned *pruned, const struct seamark_files_pruned *one)
{
	json_array_append_new(pruned->list, json_pack("{s:I, s:I, s:s, s:I}", "number", (json_int_t)one->number, "life", (json_int_t)one->life, "fate",
						      fates[one->fate], "bytes", (json_int_t)one->bytes));
}

static void print(const struct pruned *pruned, const struct seamark_files_pruned *one)
{
	const char *would = pruned->dry_run ? "would be " : "";
	struct command_text size = command_size(one->bytes);

	if (one->fate == SEAMARK_FILES_REMOVED)
		command_print("checkpoint %" PRIu64 " %sremoved: %s", one->number, would, size.text);
	else if (one->fate == SEAMARK_FILES_HIDDEN)
		command_print("checkpoint %" PRIu64 " %staken off the list; its files stay, as one that stays needs them (`seamark compact` ends that)", one->number, would);
	else if (one->fate == SEAMARK_FILES_FREED)
		command_print("the files of checkpoint %" PRIu64 ", which was off the list, %sremoved: %s", one->number, would, size.text);
	else
		command_print("what attempt %" PRIu64 " has left %sremoved: %s", one->number, would, size.text);
}

static void take(const struct seamark_files_pruned *one, void *context)
{
	struct pruned *pruned = context;

	pruned->bytes += one->bytes;
	pruned->count++;
	if (pruned->json)
		add(pruned, one);
	else
		print(pruned, one);
}

static int exit_of(int code)
{
	return code == SEAMARK_E_ARGUMENT ? EXIT_PROBLEMS : EXIT_CANNOT_READ;
}

static int prune(const char *folder, const struct seamark_files_wish *wish, int json)
{
	struct pruned pruned = { .dry_run = wish->dry_run, .json = json, .list = json_array() };
	int code = seamark_files_prune(folder, wish, take, &pruned);

	if (code)
		command_complain("%s", seamark_files_error());
	if (json && (!code || pruned.count))
		return command_print_json(json_pack("{s:b, s:o, s:I}", "dry_run", wish->dry_run, "pruned", pruned.list, "bytes", (json_int_t)pruned.bytes)) ?
		       EXIT_CANNOT_READ : code ? exit_of(code) : EXIT_FINE;
	json_decref(pruned.list);
	if (!code && !pruned.count)
		command_print("nothing to remove");
	else if (!json && pruned.count > 1)
		command_print("%s %s", command_size(pruned.bytes).text, wish->dry_run ? "would be free" : "are free");
	return code ? exit_of(code) : EXIT_FINE;
}

/* "14d" beside what settings allow. */
static bool read_age(const char *text, int64_t *ns)
{
	size_t length = strlen(text);
	char word[64];
	int64_t days;

	if (length > 1 && length < sizeof word && text[length - 1] == 'd') {
		memcpy(word, text, length - 1);
		word[length - 1] = 0;
		if (!command_whole(word, 36500, &days))
			return false;
		*ns = days * 86400 * INT64_C(1000000000);
		return true;
	}
	return values_word(text, word, sizeof word) && values_time(word, ns);
}

static bool read_wish(const char *keep, const char *older, struct seamark_files_wish *wish)
{
	int64_t number, ns;

	if (keep && (!command_whole(keep, INT64_MAX, &number) || number < 1)) {
		command_complain("'%s' is no number of checkpoints, from 1", keep);
		return false;
	}
	wish->keep = keep ? (uint64_t)number : 0;
	if (older && !read_age(older, &ns)) {
		command_complain("'%s' is no time: 30min, 12h, 14d", older);
		return false;
	}
	wish->older_than_ns = older ? (int64_t)time(NULL) * 1000000000 - ns : 0;
	if ((keep || older) && wish->count) {
		command_complain("the numbers of checkpoints, or --keep and --older-than");
		return false;
	}
	return true;
}

/* Numbers, and perhaps the folder first. */
static bool read_numbers(int argc, char **argv, const char **folder, uint64_t *numbers, struct seamark_files_wish *wish)
{
	int first = argc && !*folder && (argv[0][0] < '0' || argv[0][0] > '9' || strchr(argv[0], '/'));

	if (first)
		*folder = argv[0];
	for (int i = first; i < argc; i++) {
		int64_t number;

		if (!command_whole(argv[i], INT64_MAX, &number)) {
			command_complain("'%s' is no number of a checkpoint", argv[i]);
			return false;
		}
		numbers[wish->count++] = (uint64_t)number;
	}
	wish->numbers = numbers;
	return true;
}

int command_prune(int argc, char **argv)
{
	const char *given = NULL, *keep = NULL, *older = NULL;
	int json = 0, dry_run = 0, status;
	const struct command_option options[] = {
		{ "keep", "N", "the newest N stay", &keep, NULL },
		{ "older-than", "TIME", "only those go that were taken longer ago: 30min, 12h, 14d", &older, NULL },
		{ "n,dry-run", NULL, "change nothing, and tell what would be done", NULL, &dry_run },
		COMMAND_DIR(&given),
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "prune [--keep N] [--older-than TIME] [--dry-run] [--dir DIR] [--json] [DIR] [NUMBER...]",
		"Removes checkpoints: all but the newest N, those that are older than TIME (with both: only what is neither), or those with the\n"
		"numbers; and in any case what void attempts and crashes have left. Pinned ones stay (`seamark keep`), and so does the newest that\n"
		"is whole. The files of one stay that others need, off the list, until nothing needs them any more. It is the rule by which a run\n"
		"retires its old ones (SEAMARK_KEEP), and killed at any moment it leaves each checkpoint whole, or gone. A run that uses the folder\n"
		"has to end first; with --dry-run it need not.\n\n"
		"Exit status: 0, 1 one that was named has to stay, and nothing was removed, 2 wrong usage, 3 there is no such checkpoint, a run uses\n"
		"the folder, or it cannot be read or changed.", options, 0, 4096 };
	struct seamark_files_wish wish = { 0 };
	uint64_t *numbers;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	numbers = calloc((size_t)argc + 1, sizeof *numbers);
	wish.dry_run = dry_run;
	if (numbers && read_numbers(argc, argv, &given, numbers, &wish) && read_wish(keep, older, &wish))
		status = prune(command_folder(given), &wish, json);
	else
		status = numbers ? EXIT_USAGE : EXIT_CANNOT_READ;
	free(numbers);
	return status;
}
