/* SPDX-License-Identifier: BSD-3-Clause */
/* What the report tells, gathered from the folder: the run and its lives, the checkpoints and what is in them, the proof, the disk. */
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/moment.h"
#include "report/report.h"
#include "command/terminal.h"

/* --- the run and its lives ----------------------------------------------------------------------------------------------------- */

static json_t *number_or_null(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *whole_or_null(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *commits_json(const struct past_life *life)
{
	json_t *list = json_array();

	for (size_t i = 0; i < life->commit_count; i++) {
		const struct past_commit *commit = &life->commits[i];

		json_array_append_new(list, json_pack("{s:I, s:o, s:I, s:I, s:f, s:f, s:f, s:I, s:o, s:o}", "number", (json_int_t)commit->number, "step",
						      whole_or_null(commit->step), "cut_ns", (json_int_t)commit->cut_ns, "committed_ns",
						      (json_int_t)commit->durable_ns, "held_s", commit->held_s, "cost_s", commit->cost_s, "durable_s",
						      commit->durable_s, "bytes", (json_int_t)commit->bytes, "messages",
						      whole_or_null(commit->messages), "message_bytes", whole_or_null(commit->message_bytes)));
	}
	return list;
}

json_t *report_lives(const struct past *past)
{
	json_t *list = json_array();

	for (size_t i = 0; i < past->life_count; i++) {
		const struct past_life *life = &past->lives[i];

		json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:s, s:o, s:o}", "life", (json_int_t)life->number, "began_ns",
						      (json_int_t)life->began_ns, "last_ns", (json_int_t)life->last_ns, "from", (json_int_t)life->from,
						      "step", whole_or_null(life->step), "ranks", (json_int_t)life->ranks, "host",
						      command_json_text(life->host), "process", (json_int_t)life->process, "end",
						      past_end_name(life->end), "lost_s", number_or_null(life->lost_s), "commits", commits_json(life)));
	}
	return list;
}

static json_t *so_far_json(const struct past *past)
{
	struct past_sums sums;

	past_sum_up(past, &sums);
	return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:o, s:f, s:o, s:f, s:f, s:f}", "lives", (json_int_t)sums.lives, "failures",
			 (json_int_t)sums.failures, "stops", (json_int_t)sums.stops, "checkpoints", (json_int_t)sums.commits, "lived_s", sums.lived_s,
			 "elapsed_s", sums.elapsed_s, "lost_checkpoints_s", sums.lost_checkpoints_s, "lost_failures_s",
			 number_or_null(sums.lost_failures_s), "between_s", sums.between_s, "every_s", number_or_null(sums.every_s), "held_s",
			 sums.held_s, "cost_s", sums.cost_s, "durable_s", sums.durable_s);
}

static json_t *run_json(const char *folder)
{
	struct seamark_files_life life;
	char run[33];

	if (seamark_files_newest_life(folder, &life))
		return json_null();
	for (size_t i = 0; i < sizeof life.run; i++)
		snprintf(run + 2 * i, 3, "%02x", life.run[i]);
	return json_pack("{s:s, s:I, s:o, s:o, s:I}", "run", run, "life", (json_int_t)life.life, "owner", command_json_text(life.owner), "host",
			 command_json_text(life.host), "process", (json_int_t)life.process);
}

/* --- the proof ----------------------------------------------------------------------------------------------------------------- */

static void note(const struct seamark_files_problem *problem, void *context)
{
	json_t *list = context;

	json_array_append_new(list, json_pack("{s:I, s:o, s:o}", "code", (json_int_t)problem->code, "rank",
					      problem->rank < 0 ? json_null() : json_integer(problem->rank), "text", command_json_text(problem->text)));
}

bool report_is_retired(const struct seamark_files_entry *entry)
{
	seamark_files_checkpoint *checkpoint;
	int code = seamark_files_checkpoint_open(&checkpoint, entry->path);

	if (!code)
		seamark_files_checkpoint_close(checkpoint);
	return code == SEAMARK_E_NOT_FOUND;
}

/* null: it was retired meanwhile. */
static json_t *proof_of(const struct seamark_files_entry *entry, int *status)
{
	json_t *told = json_array();
	struct seamark_files_proof proof = { .problems = 0 };
	char what[48];
	seamark_files_checkpoint *checkpoint;
	int code = seamark_files_checkpoint_open(&checkpoint, entry->path);

	if (!code) {
		snprintf(what, sizeof what, "checkpoint %llu", (unsigned long long)entry->number);
		progress_begin(what, entry->bytes + entry->referred_bytes);
		code = seamark_files_verify(checkpoint, note, told, &proof);
		progress_end();
		seamark_files_checkpoint_close(checkpoint);
	}
	if (code && code != SEAMARK_E_DAMAGED)
		json_array_append_new(told, json_pack("{s:I, s:n, s:o}", "code", (json_int_t)code, "rank", "text", command_json_text(seamark_files_error())));
	if (code && report_is_retired(entry)) {
		json_decref(told);
		return NULL;
	}
	if (code)
		*status = EXIT_PROBLEMS;
	return json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "number", (json_int_t)entry->number, "holds", !code, "problems",
			 (json_int_t)proof.problems, "images", (json_int_t)proof.images, "regions", (json_int_t)proof.regions, "bytes",
			 (json_int_t)proof.bytes, "streams", (json_int_t)proof.streams, "messages", (json_int_t)proof.messages, "abandoned",
			 (json_int_t)proof.abandoned, "referred_bytes", (json_int_t)proof.referred_bytes, "parents", (json_int_t)proof.parents, "told", told);
}

/* --- the disk -------------------------------------------------------------------------------------------------------------------- */

static struct report_disk disk;

static int add_file(const char *path, const struct stat *status, int flag, struct FTW *at)
{
	(void)path;
	(void)at;
	if (flag == FTW_F) {
		disk.files++;
		disk.bytes += status->st_size;
	}
	return 0;
}

struct report_disk report_disk_of(const char *path)
{
	disk = (struct report_disk){ 0, 0 };
	nftw(path, add_file, 16, FTW_PHYS);
	return disk;
}

static json_t *storage_json(const char *folder, json_int_t listed)
{
	struct report_disk used = report_disk_of(folder);
	json_t *object = json_pack("{s:I, s:I, s:I}", "files", used.files, "bytes", used.bytes, "checkpoints_bytes", listed);
	struct statvfs system;

	if (!statvfs(folder, &system))
		json_object_set_new(object, "free_bytes", json_integer((json_int_t)system.f_bavail * (json_int_t)system.f_frsize));
	return object;
}

/* --- all together ---------------------------------------------------------------------------------------------------------------- */

static void append(json_t *list, json_t *item)
{
	if (item)
		json_array_append_new(list, item);
}

/* What is in the newest of those that are whole, and the proofs that were asked for. A running program may retire the oldest of them meanwhile. */
static void look_inside(json_t *images, json_t *proofs, const seamark_files *files, size_t whole, enum report_verify verify, int *status)
{
	struct seamark_files_entry entry;

	for (size_t i = 0; !seamark_files_entry_at(files, i, &entry); i++) {
		if (entry.status)
			continue;
		if (whole <= REPORT_DETAILED)
			append(images, report_images(&entry, status));
		if (verify == REPORT_VERIFY_ALL || (verify == REPORT_VERIFY_NEWEST && whole == 1))
			append(proofs, proof_of(&entry, status));
		whole--;
	}
}

static void put_checkpoints(json_t *document, const seamark_files *files, const char *folder, enum report_verify verify, int *status)
{
	json_t *list = json_array(), *images = json_array(), *proofs = json_array();
	struct seamark_files_entry entry;
	size_t whole = 0;
	json_int_t bytes = 0;

	for (size_t i = 0; !seamark_files_entry_at(files, i, &entry); i++) {
		json_array_append_new(list, command_json_entry(&entry));
		whole += !entry.status;
		bytes += entry.status ? 0 : (json_int_t)entry.bytes;
		if (entry.status)
			*status = EXIT_PROBLEMS;
	}
	look_inside(images, proofs, files, whole, verify, status);
	json_object_set_new(document, "checkpoints", list);
	json_object_set_new(document, "images", images);
	json_object_set_new(document, "certificates", proofs);
	json_object_set_new(document, "storage", storage_json(folder, bytes));
}

static void put_traces(json_t *document, const char *folder, json_t *diagrams)
{
	json_t *left_out = json_array();

	json_object_set_new(document, "traces", report_traces(folder, diagrams, left_out));
	json_object_set_new(document, "traces_left_out", left_out);
}

static json_t *absolute(const char *folder)
{
	char path[PATH_MAX];

	return command_json_text(realpath(folder, path) ? path : folder);
}

json_t *report_gather(const char *folder, enum report_verify verify, json_t *diagrams, int *status)
{
	seamark_files *files = command_open(folder);
	struct past past;
	json_t *document;

	if (!files)
		return NULL;
	if (!past_read(&past, folder)) {
		past_free(&past);
		seamark_files_close(files);
		return NULL;
	}
	document = json_pack("{s:s, s:o, s:I, s:o, s:o, s:{s:I, s:I, s:f}, s:o}", "seamark", seamark_version(), "folder", absolute(folder), "made_ns",
			     (json_int_t)moment_now_ns(), "run", run_json(folder), "lives", report_lives(&past), "before", "lives",
			     (json_int_t)past.lives_before, "failures", (json_int_t)past.failures_before, "lived_s", past.lived_before_s, "so_far",
			     so_far_json(&past));
	past_free(&past);
	put_checkpoints(document, files, folder, verify, status);
	put_traces(document, folder, diagrams);
	seamark_files_close(files);
	return document;
}
