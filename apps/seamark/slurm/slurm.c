/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "slurm/slurm.h"

/* A controller that is busy may take a while; its own commands give up after some ten seconds. */
#define PATIENCE_S 30.0
#define OUTPUT_MOST (1 << 20)

extern char **environ;

static struct slurm_query *asked; /* those whose process has not ended */

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

uint64_t slurm_own_job(void)
{
	const char *text = getenv("SLURM_JOB_ID");
	char *end;
	uint64_t id;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	id = strtoull(text, &end, 10);
	return errno || *end ? 0 : id;
}

bool slurm_in_batch_script(void)
{
	const char *kind = getenv("ENVIRONMENT");

	return slurm_own_job() && kind && !strcmp(kind, "BATCH") && !getenv("SLURM_STEP_ID");
}

/* --- the process ------------------------------------------------------------------------------------------------------------ */

/* What a user has set for tables on a screen must not change what is read here. Times are those of UTC. */
static void clean_environment(void)
{
	static const char *const others[] = { "SLURM_TIME_FORMAT", "SCONTROL_ONE_LINER", "SCONTROL_ALL", "SCONTROL_FUTURE", NULL };
	char **variable = environ;

	while (*variable) {
		size_t length = strcspn(*variable, "=");
		char name[64];

		snprintf(name, sizeof name, "%.*s", (int)length, *variable);
		if (!strncmp(name, "SQUEUE_", 7) && !unsetenv(name))
			variable = environ;
		else
			variable++;
	}
	for (int i = 0; others[i]; i++)
		unsetenv(others[i]);
	setenv("TZ", "UTC", 1);
	setenv("LC_ALL", "C", 1);
}

static void execute(const char *const *arguments, int output, int errors)
{
	static const int ignored[] = { SIGTERM, SIGUSR1, SIGUSR2, SIGHUP };
	int nothing = open("/dev/null", O_RDONLY);
	sigset_t none;

	/* What Slurm sends to all processes of the job, the end of which this may have asked for, is not for this one; it has its time. */
	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		signal(ignored[i], SIG_IGN);
	clean_environment();
	sigemptyset(&none);
	if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0)
		_exit(126);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(arguments[0], (char *const *)arguments);
	fprintf(stderr, "cannot start '%s': %s\n", arguments[0], strerror(errno));
	_exit(127);
}

static enum slurm_answer fail(struct slurm_query *query, const char *why)
{
	if (!query->complaint[0])
		snprintf(query->complaint, sizeof query->complaint, "%s", why);
	query->ended = true;
	if (!query->status)
		query->status = 1;
	return SLURM_FAILURE;
}

void slurm_begin(struct slurm_query *query, const char *const *arguments, double seconds)
{
	int output[2] = { -1, -1 }, errors[2] = { -1, -1 };

	*query = (struct slurm_query){ .output = -1, .errors = -1, .until_s = now_s() + seconds };
	query->text = calloc(1, 1);
	if (!query->text || pipe2(output, O_CLOEXEC) || pipe2(errors, O_CLOEXEC) || (query->process = fork()) < 0) {
		query->process = 0;
		fail(query, strerror(errno));
	} else if (!query->process) {
		execute(arguments, output[1], errors[1]);
	} else {
		query->output = output[0];
		query->errors = errors[0];
		fcntl(output[0], F_SETFL, O_NONBLOCK);
		fcntl(errors[0], F_SETFL, O_NONBLOCK);
		query->next = asked;
		asked = query;
		output[0] = errors[0] = -1;
	}
	for (int i = 0; i < 2; i++) {
		if (output[i] >= 0)
			close(output[i]);
		if (errors[i] >= 0)
			close(errors[i]);
	}
}

static void forget(struct slurm_query *query)
{
	for (struct slurm_query **link = &asked; *link; link = &(*link)->next)
		if (*link == query) {
			*link = query->next;
			return;
		}
}

bool slurm_child_ended(pid_t process, int status)
{
	for (struct slurm_query *query = asked; query; query = query->next)
		if (query->process == process) {
			query->ended = true;
			query->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			query->process = 0;
			forget(query);
			return true;
		}
	return false;
}

/* --- what it prints --------------------------------------------------------------------------------------------------------- */

/* What there is to read now; closed at its end. */
static bool take(int *from, char **text, size_t *length)
{
	char piece[4096];
	ssize_t count;

	while (*from >= 0 && (count = read(*from, piece, sizeof piece)) != 0) {
		char *more;

		if (count < 0)
			return errno == EAGAIN || errno == EINTR;
		more = *length + (size_t)count < OUTPUT_MOST ? realloc(*text, *length + (size_t)count + 1) : NULL;
		if (!more)
			return false;
		memcpy(more + *length, piece, (size_t)count);
		*length += (size_t)count;
		more[*length] = 0;
		*text = more;
	}
	if (*from >= 0)
		close(*from);
	*from = -1;
	return true;
}

/* Errors are for people: the first line of them is enough. */
static void take_errors(struct slurm_query *query)
{
	char piece[512];
	ssize_t count;

	while (query->errors >= 0 && (count = read(query->errors, piece, sizeof piece - 1)) != 0) {
		if (count < 0)
			return;
		piece[count] = 0;
		piece[strcspn(piece, "\n")] = 0;
		if (!query->complaint[0])
			snprintf(query->complaint, sizeof query->complaint, "%.255s", piece);
	}
	if (query->errors >= 0)
		close(query->errors);
	query->errors = -1;
}

bool slurm_is_asking(const struct slurm_query *query)
{
	return query->text != NULL || query->ended;
}

enum slurm_answer slurm_look(struct slurm_query *query)
{
	char why[64];
	int status;

	if (query->process && waitpid(query->process, &status, WNOHANG) == query->process)
		slurm_child_ended(query->process, status);
	if (!take(&query->output, &query->text, &query->length))
		return fail(query, "it printed too much");
	take_errors(query);
	if (query->ended && query->output < 0) {
		if (!query->status)
			return SLURM_ANSWER;
		snprintf(why, sizeof why, "it ended with status %d", query->status);
		return fail(query, why);
	}
	if (now_s() > query->until_s)
		return fail(query, "no answer in time");
	return SLURM_WAIT;
}

enum slurm_answer slurm_wait(struct slurm_query *query)
{
	struct timespec pause = { .tv_nsec = 5000000 };
	enum slurm_answer answer;

	while ((answer = slurm_look(query)) == SLURM_WAIT)
		nanosleep(&pause, NULL);
	return answer;
}

void slurm_end(struct slurm_query *query)
{
	if (query->process) {
		kill(query->process, SIGKILL);
		while (waitpid(query->process, NULL, 0) < 0 && errno == EINTR)
			;
		forget(query);
	}
	if (query->text && query->output >= 0)
		close(query->output);
	if (query->text && query->errors >= 0)
		close(query->errors);
	free(query->text);
	*query = (struct slurm_query){ 0 };
}

/* --- what is asked ---------------------------------------------------------------------------------------------------------- */

struct word {
	char text[24];
};

static struct word id_word(uint64_t id)
{
	struct word word;

	snprintf(word.text, sizeof word.text, "%" PRIu64, id);
	return word;
}

void slurm_ask_queue(struct slurm_query *query, uint64_t id)
{
	struct word word = id_word(id);

	slurm_begin(query, (const char *[]){ "squeue", "-h", "-o", SLURM_QUEUE_FORMAT, "-j", word.text, NULL }, PATIENCE_S);
}

void slurm_ask_job(struct slurm_query *query, uint64_t id)
{
	slurm_ask_job_named(query, id_word(id).text);
}

void slurm_ask_job_named(struct slurm_query *query, const char *name)
{
	slurm_begin(query, (const char *[]){ "scontrol", "-o", "show", "job", name, NULL }, PATIENCE_S);
}

void slurm_ask_config(struct slurm_query *query)
{
	slurm_begin(query, (const char *[]){ "scontrol", "show", "config", NULL }, PATIENCE_S);
}

void slurm_requeue(struct slurm_query *query, uint64_t id)
{
	struct word word = id_word(id);

	slurm_begin(query, (const char *[]){ "scontrol", "requeue", word.text, NULL }, PATIENCE_S);
}
