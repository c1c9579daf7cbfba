/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder of a Slurm job: of its processes on this host; else of the runs near where it was submitted the one that `seamark run` has given to that job. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live/find.h"
#include "slurm/slurm.h"

/* So many entries of folders are looked at, where a job was submitted. */
enum { ENTRIES_MOST = 20000 };
#define STEP_S 30.0

struct job_text { char text[64]; };

static struct job_text name_of(const struct live_job *job, bool with_step)
{
	struct job_text name;
	int length = snprintf(name.text, sizeof name.text, "%" PRIu64, job->number);

	if (job->task >= 0)
		length += snprintf(name.text + length, sizeof name.text - (size_t)length, "_%" PRId64, job->task);
	if (with_step && job->step >= 0)
		snprintf(name.text + length, sizeof name.text - (size_t)length, ".%" PRId64, job->step);
	return name;
}

/* What is behind a sign, up to another. */
static bool take_number(const char **at, char sign, int64_t *number)
{
	char digits[24];
	size_t length;

	*number = -1;
	if (**at != sign)
		return true;
	length = strspn(*at + 1, "0123456789");
	if (!length || length >= sizeof digits)
		return false;
	snprintf(digits, sizeof digits, "%.*s", (int)length, *at + 1);
	*at += 1 + length;
	return command_whole(digits, INT64_MAX, number);
}

bool live_read_job(const char *text, struct live_job *job)
{
	size_t length = strspn(text, "0123456789");
	char digits[24];
	const char *at = text + length;
	int64_t number;

	if (!length || length >= sizeof digits)
		return false;
	snprintf(digits, sizeof digits, "%.*s", (int)length, text);
	if (!command_whole(digits, INT64_MAX, &number) || !take_number(&at, '_', &job->task) || !take_number(&at, '.', &job->step) || *at)
		return false;
	job->number = (uint64_t)number;
	return true;
}

/* --- its processes here ---------------------------------------------------------------------------------------------------- */

static int64_t number_in(const struct started_with *with, const char *name)
{
	const char *value = started_with_value(with, name);
	int64_t number;

	return value && command_whole(value, INT64_MAX, &number) ? number : -1;
}

/* A task of an array has a number of its own, and one of them that of the array: which is meant by that, the task knows alone. */
static bool is_of_job(const struct started_with *with, const struct live_job *job)
{
	const char *cluster = started_with_value(with, "SLURM_CLUSTER_NAME"), *here = getenv("SLURM_CLUSTER_NAME");
	int64_t own = number_in(with, "SLURM_JOB_ID"), array = number_in(with, "SLURM_ARRAY_JOB_ID"), number = (int64_t)job->number;

	if (cluster && here && strcmp(cluster, here))
		return false;
	if (job->step >= 0 && number_in(with, "SLURM_STEP_ID") != job->step)
		return false;
	if (job->task >= 0)
		return array == number && number_in(with, "SLURM_ARRAY_TASK_ID") == job->task;
	return own == number || (array == number && slurm_own_job() != job->number);
}

static unsigned pick_job(struct processes *all, const struct live_job *job)
{
	unsigned count = 0;

	for (size_t i = 0; i < all->count; i++) {
		struct started_with with;

		started_with_read(&with, all->list[i].number);
		all->list[i].picked = all->list[i].number != getpid() && is_of_job(&with, job);
		count += all->list[i].picked;
		started_with_free(&with);
	}
	return count;
}

/* --- what Slurm says ----------------------------------------------------------------------------------------------------------- */

/* A line of `scontrol show job`. An array has several. */
struct told_job {
	uint64_t id;
	char state[32], reason[64];
	struct path where;
};

static void word_behind(const char *line, const char *key, char *word, size_t room)
{
	const char *at = strstr(line, key);

	snprintf(word, room, "%.*s", at ? (int)strcspn(at + strlen(key), " \n") : 0, at ? at + strlen(key) : "");
}

/* "... WorkDir=/home/me/a folder StdErr=...": up to the next word with a '='. */
static bool work_dir(const char *printed, struct path *folder)
{
	const char *at = strstr(printed, " WorkDir="), *end;

	if (!at)
		return false;
	at += strlen(" WorkDir=");
	for (end = at; *end && *end != '\n'; end++) {
		size_t word = *end == ' ' ? strspn(end + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") : 0;

		if (word && end[1 + word] == '=')
			break;
	}
	return (size_t)snprintf(folder->text, sizeof folder->text, "%.*s", (int)(end - at), at) < sizeof folder->text;
}

/* The next that is understood; null: there is no more. */
static const char *next_told(const char *printed, struct told_job *told)
{
	while (*printed) {
		size_t length = strcspn(printed, "\n");
		char *line = strndup(printed, length);
		bool good = line && sscanf(line, "JobId=%" SCNu64, &told->id) == 1;

		printed += length + (printed[length] == '\n');
		if (good) {
			word_behind(line, " JobState=", told->state, sizeof told->state);
			word_behind(line, " Reason=", told->reason, sizeof told->reason);
			good = told->state[0] && work_dir(line, &told->where);
		}
		free(line);
		if (good)
			return printed;
	}
	return NULL;
}

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words))
		words++;
	return *words;
}

static bool is_running(const struct told_job *told)
{
	static const char *const states[] = { "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING", NULL };

	return is_one_of(told->state, states);
}

static bool is_waiting(const struct told_job *told)
{
	static const char *const states[] = { "PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", NULL };

	return is_one_of(told->state, states);
}

/* --- where it was submitted -------------------------------------------------------------------------------------------------------- */

/* `seamark run` gives a run to its job: "slurm-CLUSTER-ID". */
static bool belongs_to_job(const char *folder, uint64_t job)
{
	struct seamark_files_life life;
	char end[32];
	size_t length = (size_t)snprintf(end, sizeof end, "-%" PRIu64, job);

	return !seamark_files_newest_life(folder, &life) && !strncmp(life.owner, "slurm-", 6) && strlen(life.owner) > length &&
	       !strcmp(life.owner + strlen(life.owner) - length, end);
}

/* Folders in a folder, and in those: the members of an array have one each. */
static void search(const char *where, int below, uint64_t job, unsigned *entries, struct found *found)
{
	DIR *open = opendir(where);
	struct dirent *entry;

	while (open && *entries < ENTRIES_MOST && (entry = readdir(open))) {
		struct path path, run;
		struct stat about;

		++*entries;
		if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN) ||
		    (size_t)snprintf(path.text, sizeof path.text, "%s/%s", where, entry->d_name) >= sizeof path.text - 16)
			continue;
		snprintf(run.text, sizeof run.text, "%.4080s/run.json", path.text);
		if (!stat(run.text, &about)) {
			if (belongs_to_job(path.text, job))
				found_take(found, &path);
		} else if (below && entry->d_type != DT_LNK) {
			search(path.text, below - 1, job, entries, found);
		}
	}
	if (open)
		closedir(open);
}

/* --- the job ------------------------------------------------------------------------------------------------------------------------- */

struct asked_job {
	const struct live_job *job;
	struct job_text name;
	bool here, is_process;   /* it has processes on this host; its number is a process's as well */
	unsigned running, waiting;
	struct told_job last;
	struct found found;
};

static void look_at_answer(struct asked_job *asked, const char *printed)
{
	struct told_job told;

	while ((printed = next_told(printed, &told))) {
		unsigned entries = 0;

		asked->running += is_running(&told);
		asked->waiting += is_waiting(&told);
		/* Of several, one that could be asked is the one to tell of. */
		if (!asked->last.id || is_running(&told) || !is_running(&asked->last))
			asked->last = told;
		if (is_running(&told))
			search(told.where.text, 1, told.id, &entries, &asked->found);
	}
}

static enum live_found tell_unknown(const struct asked_job *asked)
{
	const char *name = asked->name.text;

	if (!asked->last.id) {
		command_complain("Slurm does not tell where job %s works: name the folder", name);
		return LIVE_UNKNOWN;
	}
	if (!asked->running) {
		if (asked->waiting)
			command_complain("job %s does not run yet: it is %s (%s)", name, asked->last.state, asked->last.reason);
		else
			command_complain("job %s has ended: it is %s", name, asked->last.state);
		return LIVE_NOT_RUNNING;
	}
	command_complain("the folder of job %s is not known from here: %s, and no run in '%s' was given to it by `seamark run`: name the folder (SEAMARK_DIR of the job), or "
			 "call this on a node of the job, as by `srun --jobid %" PRIu64 " --overlap -N 1 -n 1 seamark snapshot %s`", name,
			 asked->here ? "none of its processes on this host is a program with Seamark" : "no process of it is on this host", asked->last.where.text, asked->last.id, name);
	return LIVE_UNKNOWN;
}

/* Of a step that has processes elsewhere the folder is that of its job, as far as can be known from here; but it must be there. */
static bool has_step(const struct asked_job *asked)
{
	struct slurm_query query;
	bool has;

	slurm_begin(&query, (const char *[]){ "scontrol", "-o", "show", "step", asked->name.text, NULL }, STEP_S);
	has = slurm_wait(&query) == SLURM_ANSWER && strstr(query.text, "StepId=");
	if (!has)
		command_complain("Slurm tells of no step %s that runs: %s", asked->name.text, query.complaint[0] ? query.complaint : "it may have ended");
	slurm_end(&query);
	return has;
}

static enum live_found ask_slurm(struct asked_job *asked)
{
	struct slurm_query query;
	bool answered;

	slurm_ask_job_named(&query, name_of(asked->job, false).text);
	answered = slurm_wait(&query) == SLURM_ANSWER;
	if (!answered)
		command_complain(asked->is_process ? "process %s and what came of it are no programs with Seamark (or may not be looked at), and Slurm tells of no such job: %s: name the folder"
				 : asked->here ? "no process of job %s on this host is a program with Seamark, and Slurm does not tell of it: %s: name the folder"
				 : "there is no process %s here, and Slurm tells of no such job: %s", asked->name.text, query.complaint);
	else
		look_at_answer(asked, query.text);
	slurm_end(&query);
	if (!answered)
		return LIVE_UNKNOWN;
	if (asked->running && asked->job->step >= 0 && !has_step(asked))
		return LIVE_NOT_RUNNING;
	return asked->found.count ? LIVE_FOUND : tell_unknown(asked);
}

enum live_found live_find_job(const struct live_job *job, bool is_process, struct live_folder *folder)
{
	struct processes all = { 0 };
	struct asked_job asked = { .job = job, .name = name_of(job, true), .is_process = is_process };
	enum live_found result = LIVE_FOUND;
	struct command_text what;

	processes_list(&all);
	asked.here = pick_job(&all, job);
	found_look_through(&asked.found, &all);
	free(all.list);
	if (!asked.found.count && !asked.found.off)
		result = ask_slurm(&asked);
	if (result != LIVE_FOUND)
		return result;
	snprintf(what.text, sizeof what.text, "job %.50s", asked.name.text);
	result = found_tell(&asked.found, what.text, folder);
	if (asked.found.several && job->task < 0)
		command_complain("or a task of an array, as %" PRIu64 "_3; a step, as %s.0", job->number, name_of(job, false).text);
	return result;
}
