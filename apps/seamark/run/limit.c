/* SPDX-License-Identifier: BSD-3-Clause */
/* When the time of a run is over, and what then: the end of the Slurm job, as Slurm tells it, or of --time; the last moment at which a checkpoint can still be asked for; and
 * that the job is queued again. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run/run.h"
#include "slurm/slurm.h"

#define ASK_SOONEST_S 2.0
#define ASK_AGAIN_S 20.0       /* after no answer */
#define ASK_LATEST_S 300.0
#define KILL_WAIT_S 30.0       /* Slurm's default */
#define LOOKS_S 2.0            /* the program looks for the file `stop` once a second, this process for what became of it */
#define LONG_S 10.0            /* a checkpoint that is worth saving the disk from */
#define REFUSALS_MOST 3

static struct {
	const struct run_options *options;
	double began_s, end_s;         /* of the time there is; INFINITY: no end is known */
	double own_end_s, job_end_s;   /* ... by --time, by Slurm */
	double worst_commit_s;         /* of all that were seen; 0: none was */
	struct run_newest first, before, newest; /* when it began; the last two of this life */
	/* Slurm */
	uint64_t job;
	bool batch, no_requeue, told_end, away;
	double kill_wait_s, ask_next_s;
	enum { ASKS_NOTHING, ASKS_JOB, ASKS_CONFIG, ASKS_QUEUE } asks;
	struct slurm_query query;
	enum run_job_end ending;
} limit;

static double since_1970_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- the end ------------------------------------------------------------------------------------------------------------------ */

static void tell_end(double before_s)
{
	struct command_text left = run_time_text(fmax(limit.job_end_s - run_now_s(), 0));

	if (!limit.told_end && isfinite(limit.job_end_s))
		run_say("the time of job %" PRIu64 " ends in %s", limit.job, left.text);
	else if (limit.told_end && isfinite(limit.job_end_s))
		run_say("the time limit of job %" PRIu64 " was changed: it ends in %s", limit.job, left.text);
	else if (limit.told_end && isfinite(before_s))
		run_say("the time limit of job %" PRIu64 " was taken away", limit.job);
	limit.told_end = true;
}

/* The end as Slurm has it, on this process's clock. */
static void set_job_end(int64_t end_s)
{
	double before_s = limit.job_end_s, left_s = (double)end_s - since_1970_s();

	if (end_s == SLURM_UNKNOWN)
		return;
	limit.job_end_s = end_s == SLURM_UNLIMITED ? INFINITY : run_now_s() + left_s;
	limit.end_s = fmin(limit.own_end_s, limit.job_end_s);
	if (!limit.told_end || isfinite(before_s) != isfinite(limit.job_end_s) || fabs(before_s - limit.job_end_s) > 2)
		tell_end(before_s);
}

static double commit_s(void)
{
	double span_s = limit.end_s - limit.began_s;

	return limit.worst_commit_s > 0 ? limit.worst_commit_s : fmin(limit.options->commit_s, isfinite(span_s) ? span_s / 4 : INFINITY);
}

/* What is to be left when the checkpoint is asked for: what the slowest took, half as much again, and the margin. Of a time that is short, not more than half goes to what is
 * beside the checkpoint. */
static double needed_s(void)
{
	double took_s = commit_s(), beside_s = took_s / 2 + LOOKS_S + limit.options->margin_s, span_s = limit.end_s - limit.began_s;

	if (took_s + beside_s > span_s / 2)
		beside_s = fmin(beside_s, fmax((span_s - took_s) / 2, 0));
	return took_s + beside_s;
}

/* Where the next regular checkpoint would come so shortly before the last moment that nobody needs both, it is the last one. */
static double without_a_second(double leave_s)
{
	double ago_s = since_1970_s() - (double)limit.newest.taken_ns / 1e9;
	double interval_s = (double)(limit.newest.taken_ns - limit.before.taken_ns) / 1e9;
	double regular_s = run_now_s() - ago_s + interval_s;

	if (!limit.before.number || interval_s <= 0 || regular_s > leave_s || regular_s < leave_s - commit_s())
		return leave_s;
	return regular_s - LOOKS_S;
}

double run_limit_left_s(void)
{
	return isfinite(limit.end_s) ? without_a_second(limit.end_s - needed_s()) - run_now_s() : INFINITY;
}

double run_limit_end_s(void)
{
	return limit.end_s;
}

bool run_limit_is_long(double seconds)
{
	return limit.worst_commit_s > seconds;
}

double run_limit_margin_s(void)
{
	return fmin(limit.options->margin_s, fmax(needed_s() - commit_s(), 0)) / 2;
}

bool run_limit_has_just_committed(const struct run_newest *newest)
{
	return limit.worst_commit_s >= LONG_S && since_1970_s() - (double)newest->taken_ns / 1e9 - newest->commit_s < limit.worst_commit_s / 4;
}

void run_limit_saw(const struct run_newest *newest)
{
	limit.before = limit.newest;
	limit.newest = *newest;
	limit.worst_commit_s = fmax(limit.worst_commit_s, newest->commit_s);
}

void run_limit_new_life(const struct run_newest *newest)
{
	limit.before = limit.newest = (struct run_newest){ 0 };
	limit.worst_commit_s = fmax(limit.worst_commit_s, newest->commit_s);
}

/* --- asking ------------------------------------------------------------------------------------------------------------------- */

/* Of a job that has ended, the end that is told is that. */
static bool is_running(const struct slurm_job *job)
{
	return !strcmp(job->state, "RUNNING");
}

static void note_state(const struct slurm_job *job)
{
	if (!strcmp(job->reason, "TimeLimit") || !strcmp(job->state, "TIMEOUT"))
		limit.ending = RUN_JOB_TIMED_OUT;
	else if (!is_running(job))
		limit.ending = RUN_JOB_ENDS;
	else
		limit.ending = job->preempted ? RUN_JOB_PREEMPTED : RUN_JOB_GOES_ON;
}

static bool understand(struct slurm_problem *problem)
{
	static struct slurm_job job; /* it is large */
	int64_t seconds;

	switch (limit.asks) {
	case ASKS_JOB:
		if (!slurm_read_job(limit.query.text, limit.job, &job, problem))
			return false;
		limit.no_requeue = !job.requeue || !job.batch;
		note_state(&job);
		if (is_running(&job))
			set_job_end(job.end_s);
		return true;
	case ASKS_CONFIG:
		if (!slurm_read_kill_wait(limit.query.text, &seconds, problem))
			return false;
		limit.kill_wait_s = (double)seconds;
		return true;
	case ASKS_QUEUE:
		if (!slurm_read_queue(limit.query.text, limit.job, &job, problem))
			return false;
		if (is_running(&job))
			set_job_end(job.end_s);
		return true;
	default:
		return true;
	}
}

static void ask(int what)
{
	slurm_end(&limit.query);
	limit.asks = what;
	if (what == ASKS_JOB)
		slurm_ask_job(&limit.query, limit.job);
	else if (what == ASKS_CONFIG)
		slurm_ask_config(&limit.query);
	else
		slurm_ask_queue(&limit.query, limit.job);
}

/* Said once, until it is over. */
static void could_not_ask(const char *why)
{
	if (!limit.away)
		run_say("what Slurm knows of job %" PRIu64 " cannot be had; it is asked again: %s", limit.job, why);
	limit.away = true;
}

static void take_answer(enum slurm_answer answer)
{
	struct slurm_problem problem = { "" };

	if (answer == SLURM_FAILURE)
		could_not_ask(limit.query.complaint);
	else if (!understand(&problem))
		could_not_ask(problem.text);
	else if (limit.away) {
		run_say("Slurm answers again");
		limit.away = false;
	}
	slurm_end(&limit.query);
	limit.asks = ASKS_NOTHING;
}

void run_limit_look(void)
{
	enum slurm_answer answer;
	double left_s;

	if (!limit.job)
		return;
	if (limit.asks) {
		int asked = limit.asks;

		answer = slurm_look(&limit.query);
		if (answer == SLURM_WAIT)
			return;
		take_answer(answer);
		if (asked == ASKS_JOB && !limit.away && limit.kill_wait_s < 0) {
			limit.kill_wait_s = KILL_WAIT_S;
			ask(ASKS_CONFIG);
			return;
		}
		left_s = run_limit_left_s();
		limit.ask_next_s = run_now_s() + fmin(fmax(left_s / 3, ASK_SOONEST_S), limit.away ? ASK_AGAIN_S : ASK_LATEST_S);
	} else if (run_now_s() >= limit.ask_next_s) {
		ask(limit.kill_wait_s < 0 ? ASKS_JOB : ASKS_QUEUE);
	}
}

void run_limit_drop_questions(void)
{
	slurm_end(&limit.query);
	limit.asks = ASKS_NOTHING;
}

bool run_limit_is_in_job(void)
{
	return limit.job != 0;
}

void run_limit_ask_why(void)
{
	limit.ending = RUN_JOB_UNKNOWN;
	if (limit.job)
		ask(ASKS_JOB);
}

bool run_limit_is_over(enum run_job_end end)
{
	return end == RUN_JOB_TIMED_OUT || end == RUN_JOB_PREEMPTED;
}

enum run_job_end run_limit_why(double seconds)
{
	struct timespec pause = { .tv_nsec = 5000000 };

	for (double until_s = run_now_s() + seconds; limit.asks == ASKS_JOB && run_now_s() < until_s;) {
		enum slurm_answer answer = slurm_look(&limit.query);

		if (answer != SLURM_WAIT)
			take_answer(answer);
		else
			nanosleep(&pause, NULL);
	}
	return limit.ending;
}

double run_limit_kill_wait_s(void)
{
	return limit.kill_wait_s < 0 ? KILL_WAIT_S : limit.kill_wait_s;
}

void run_limit_begin(const struct run_options *options, const struct run_newest *newest)
{
	const char *end = getenv("SLURM_JOB_END_TIME");

	limit.options = options;
	limit.first = *newest;
	limit.began_s = limit.ask_next_s = run_now_s();
	limit.own_end_s = limit.began_s + options->time_s;
	limit.job_end_s = INFINITY;
	limit.end_s = limit.own_end_s;
	limit.job = slurm_own_job();
	limit.batch = slurm_in_batch_script();
	limit.kill_wait_s = -1;
	if (limit.job && end) {
		char *rest;
		long long seconds = strtoll(end, &rest, 10);

		if (seconds > 0 && !*rest)
			set_job_end(seconds);
		else
			run_say("SLURM_JOB_END_TIME is not understood: '%s'", end);
	}
	run_limit_look();
}

/* --- queued again --------------------------------------------------------------------------------------------------------------- */

/* Another start would be of use: this one has brought the run forward. */
static bool has_progressed(const struct run_newest *newest)
{
	if (newest->step >= 0 && limit.first.number && limit.first.step >= 0)
		return newest->step > limit.first.step;
	return newest->number > limit.first.number;
}

/* What the controller, which would not do it, says of the job. A refusal of one that answers is meant; a job that does not run any more was queued again all the same. */
static enum run_job_end look_again(void)
{
	limit.ending = RUN_JOB_UNKNOWN;
	ask(ASKS_JOB);
	take_answer(slurm_wait(&limit.query));
	return limit.ending;
}

/* true: the job does not go on here. */
static bool requeue(void)
{
	struct run_launch nobody = { 0 };
	struct slurm_query query;

	for (unsigned refusals = 0, tries = 0;; tries++) {
		bool done;
		enum run_job_end end = RUN_JOB_ENDS;

		slurm_requeue(&query, limit.job);
		done = slurm_wait(&query) == SLURM_ANSWER;
		if (!done)
			end = look_again();
		refusals += end != RUN_JOB_ENDS && end != RUN_JOB_UNKNOWN;
		if (end == RUN_JOB_ENDS)
			run_say(done ? "job %" PRIu64 " is queued again" : "job %" PRIu64 " does not run any more: Slurm has ended it, or queued it again", limit.job);
		else if (!tries || refusals == REFUSALS_MOST)
			run_say("job %" PRIu64 " cannot be queued again%s: %s", limit.job, refusals == REFUSALS_MOST ? "" : " now; it is tried once more", query.complaint);
		slurm_end(&query);
		if (end == RUN_JOB_ENDS || refusals == REFUSALS_MOST || run_wait(&nobody, fmin(ldexp(1, (int)(tries < 5 ? tries : 5)), 30)) != RUN_NOTHING)
			return end == RUN_JOB_ENDS;
	}
}

/* What this is to leave with: 75 or the site's, or this status if it cannot be. */
static int queue_again(int status)
{
	if (limit.options->requeue_exit) {
		run_say("status %d: the job is to be queued again for it", limit.options->requeue_exit);
		return limit.options->requeue_exit;
	}
	if (limit.no_requeue)
		run_say("job %" PRIu64 " was submitted as one that is not queued again (--no-requeue, or the site's JobRequeue=0)", limit.job);
	else if (requeue())
		return EXIT_STOPPED;
	return status;
}

int run_limit_requeue(const struct run_newest *newest)
{
	const struct run_options *options = limit.options;

	run_limit_drop_questions();
	if (options->no_requeue || (!options->requeue_exit && !limit.batch))
		return EXIT_STOPPED;
	if (!has_progressed(newest)) {
		run_say("it is not queued again: no checkpoint was made that is further than where this start began");
		return EXIT_STOPPED;
	}
	return queue_again(EXIT_STOPPED);
}

int run_limit_requeue_elsewhere(int status)
{
	run_limit_drop_questions();
	if (limit.options->no_requeue || (!limit.options->requeue_exit && !limit.batch)) {
		run_say("the job is not queued again from here: no batch job, or --no-requeue");
		return status;
	}
	return queue_again(status);
}
