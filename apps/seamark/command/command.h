/* SPDX-License-Identifier: BSD-3-Clause */
/* What the subcommands share: one table of options each, output for people and as JSON, and where checkpoints are. */
#ifndef COMMAND_H
#define COMMAND_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "seamark_files.h"

/* What the command leaves with. */
enum { EXIT_FINE = 0, EXIT_PROBLEMS = 1, EXIT_USAGE = 2, EXIT_CANNOT_READ = 3 };

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

int command_run(int argc, char **argv);
int command_list(int argc, char **argv);
int command_show(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_messages(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_export(int argc, char **argv);
int command_keep(int argc, char **argv);
int command_compact(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_plan(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_report(int argc, char **argv);
int command_settings(int argc, char **argv);
int command_slurm_script(int argc, char **argv);
int command_prune(int argc, char **argv);
int command_snapshot(int argc, char **argv);
int command_watch(int argc, char **argv);

/* --- options ------------------------------------------------------------------------------------------------------- */

/* A row gives parsing and help. A text with a value, or a flag that is set to 1. */
struct command_option {
	const char *name;       /* "dir", or with a letter "o,output" */
	const char *value;      /* what the value is called in the help; null: a flag */
	const char *help;
	const char **text;
	int *flag;
};

/* Rows that many have. */
#define COMMAND_DIR(given) { "dir", "DIR", "the folder of the checkpoints (SEAMARK_DIR, or 'seamark')", given, NULL }
#define COMMAND_JSON(json) { "json", NULL, "as JSON", NULL, json }
#define COMMAND_OPTIONS_END { NULL, NULL, NULL, NULL, NULL }

/* What -h prints, `-h --json` gives to programs, and the manual page seamark-NAME is made of, together with the file manual/NAME.txt, where there is more
 * to say. */
struct command_usage {
	const char *synopsis;   /* after "seamark "; several lines: "\n       seamark " between them */
	const char *description; /* paragraphs; the last is "Exit status: ..." */
	const struct command_option *options; /* ends with a name that is null */
	int least, most;        /* operands */
};

/* Parses, and leaves the operands at argv[0 .. *operands - 1]. false: the command is to end with *status (help was printed, or
 * the usage was wrong and that was said). */
bool command_parse(const struct command_usage *usage, int *argc, char ***argv, int *status);

/* Whether --json is among the arguments. */
bool command_is_json(int argc, char **argv);

/* A whole number from 0 to `most`, in digits alone. false: it is none, and that is the caller's to say. */
bool command_whole(const char *text, int64_t most, int64_t *number);

/* The word that somebody may have meant. */
struct command_guess {
	const char *given;
	const char *best;
	size_t apart;
};
void command_guess_try(struct command_guess *guess, const char *word);
/* null: none is near. */
const char *command_guess(const struct command_guess *guess);
/* Which of the words the value of --option is. -1: none, and that was said, with the one that somebody may have meant. */
int command_choice(const char *option, const char *given, const char *const *words, size_t count);

/* --- output -------------------------------------------------------------------------------------------------------- */

/* The caller frees it; null: no memory. Without control characters, as all that is printed. */
char *command_line(const char *format, va_list list) __attribute__((format(printf, 1, 0)));
/* A line to standard output, broken between words where a terminal ends, without control characters whatever a file's names hold. */
void command_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line to standard error, beginning with "seamark: ". */
void command_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* With --json whatever is said on standard error is also a member `said`, and a command that fails without a document of its own prints one with that and its
 * status: one document in any case. The first is called by command_parse(), the second by main. */
void command_for_programs(void);
int command_end(int status);
/* Prints the document and frees it. EXIT_FINE, or EXIT_CANNOT_READ if it could not be made or written. */
int command_print_json(json_t *document);
/* A text from a file, that need not be UTF-8. */
json_t *command_json_text(const char *text);
/* What list and show say of a checkpoint. */
json_t *command_json_entry(const struct seamark_files_entry *entry);

struct command_text {
	char text[64];
};
/* "4.0 MiB in checkpoints 11, 12 and 3 more"; nothing for one that needs no other. */
struct command_text command_elsewhere(const struct seamark_files_entry *entry);

/* A file for people, "-" for standard output, whole under its name, or not at all; one that is there is replaced. false: it could not be, and that was said. */
bool command_write_file(const char *path, const char *text, size_t size);

struct command_text command_size(uint64_t bytes);     /* "1.5 GiB" */
struct command_text command_span(double seconds);     /* "3.4 ms", "1.2 s", "15.0 min" */
struct command_text command_time(int64_t since_1970_ns); /* local time */
struct command_text command_step(int64_t step);       /* "-" for any */

/* --- checkpoints --------------------------------------------------------------------------------------------------- */

/* The folder that --dir names, or SEAMARK_DIR, or "seamark". */
const char *command_folder(const char *given);
/* Opens it, or complains. */
seamark_files *command_open(const char *folder);
/* Finds a checkpoint by number, by path (with a slash), or, for null, the newest that is not garbled; or complains. What the entry points to
 * lives until *files, which may be null, is closed. */
bool command_find(const char *folder, const char *which, seamark_files **files, struct seamark_files_entry *entry);

#endif
