/* SPDX-License-Identifier: BSD-3-Clause */
/* What Slurm's commands print is understood, of each version; and what is not of the known form is refused and shown, never guessed. slurm/...-22.05 is as the daemons
 * printed it, the others are of the form that is documented. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slurm/text.h"
#include "suites.h"

static char printed[1 << 17];

static const char *recorded(const char *name)
{
	char path[512];
	FILE *file;
	size_t size;

	snprintf(path, sizeof path, SLURM_RECORDED "/%s.txt", name);
	file = fopen(path, "re");
	if (!file) {
		perror(path);
		abort();
	}
	size = fread(printed, 1, sizeof printed - 1, file);
	printed[size] = 0;
	fclose(file);
	return printed;
}

static struct slurm_job job;
static struct slurm_problem problem;

/* --- times ------------------------------------------------------------------------------------------------------------------ */

static int64_t span(const char *text)
{
	int64_t seconds = -7;

	return slurm_read_span(text, &seconds) ? seconds : -7;
}

static void test_spans(void)
{
	static const char *const none[] = { "", "5", "1-", "1-02", "1-02:03", "-1:00", "1:2:3:4", "01:60", "1:60:00", "1:00:60", "1-24:00:00", "1 :00", "1:00 ", "UNLIMITED", "1.5:00",
		"12:345", "99999999:00", "1-02:03:04:05", "1--02:03:04", ":30", "1::2" };

	CU_ASSERT_EQUAL(span("03:04"), 184);
	CU_ASSERT_EQUAL(span("0:04"), 4);
	CU_ASSERT_EQUAL(span("2:03:04"), 7384);
	CU_ASSERT_EQUAL(span("02:03:04"), 7384);
	CU_ASSERT_EQUAL(span("1-02:03:04"), 93784);
	CU_ASSERT_EQUAL(span("365-00:00:00"), 31536000);
	CU_ASSERT_EQUAL(span("00:00:00"), 0);
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		CU_ASSERT_EQUAL(span(none[i]), -7);
}

static int64_t moment(const char *text)
{
	int64_t seconds = -7;

	return slurm_read_moment(text, &seconds) ? seconds : -7;
}

static void test_moments(void)
{
	static const char *const none[] = { "", "Unknown", "2021-03-02", "2021-03-02T09:13", "2021-03-02 09:13:00", "09:13:00", "2021-02-30T09:13:00", "2021-13-01T09:13:00",
		"2021-03-02T24:13:00", "2021-03-02T09:13:00Z", "Mar 02 09:13", "2021-03-02T9:13:00", "1614676380", "1969-12-31T23:59:59" };

	CU_ASSERT_EQUAL(moment("2021-03-02T09:13:00"), 1614676380);
	CU_ASSERT_EQUAL(moment("2024-02-29T00:00:00"), 1709164800);
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		CU_ASSERT_EQUAL(moment(none[i]), -7);
}

/* --- squeue ------------------------------------------------------------------------------------------------------------------ */

static void test_queue(void)
{
	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-20.11"), 84213, &job, &problem));
	CU_ASSERT_STRING_EQUAL(job.state, "RUNNING");
	CU_ASSERT_STRING_EQUAL(job.nodes, "c[001-004]");
	CU_ASSERT_EQUAL(job.end_s, moment("2021-03-03T09:13:00"));
	CU_ASSERT_EQUAL(job.limit_s, 86400);

	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-23.02-array"), 1007, &job, &problem));
	CU_ASSERT_STRING_EQUAL(job.nodes, "c066");
	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-23.02-array"), 1001, &job, &problem));
	CU_ASSERT_STRING_EQUAL(job.state, "PENDING");
	CU_ASSERT_STRING_EQUAL(job.reason, "Resources");
	CU_ASSERT_EQUAL(job.end_s, SLURM_UNKNOWN);
	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-23.02-array"), 1008, &job, &problem));
	CU_ASSERT_STRING_EQUAL(job.reason, "(Priority | of others)");

	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-24.05"), 747, &job, &problem));
	CU_ASSERT_EQUAL(job.end_s, SLURM_UNLIMITED);
	CU_ASSERT_EQUAL(job.limit_s, SLURM_UNLIMITED);
	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-24.05"), 748, &job, &problem));
	CU_ASSERT_EQUAL(job.limit_s, SLURM_UNKNOWN);
	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-24.05"), 749, &job, &problem));
	CU_ASSERT_EQUAL(job.limit_s, SLURM_UNKNOWN);
	CU_ASSERT_EQUAL(job.end_s, moment("2024-12-31T23:59:59"));
}

/* As Slurm 22.05.8 printed it. */
static void test_recorded(void)
{
	int64_t seconds;

	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-22.05-running"), 16, &job, &problem));
	CU_ASSERT_EQUAL(job.end_s, moment("2026-11-23T00:09:12"));
	CU_ASSERT_EQUAL(job.limit_s, span("1-02:03:00"));
	CU_ASSERT_STRING_EQUAL(job.nodes, "n[1-2]");
	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-22.05-unlimited"), 18, &job, &problem));
	CU_ASSERT_EQUAL(job.end_s, SLURM_UNLIMITED);
	CU_ASSERT_TRUE(slurm_read_queue(recorded("queue-22.05-array"), 17, &job, &problem));
	CU_ASSERT_STRING_EQUAL(job.state, "RUNNING");

	CU_ASSERT_TRUE(slurm_read_job(recorded("job-22.05-running"), 16, &job, &problem));
	CU_ASSERT_EQUAL(job.end_s, moment("2026-11-23T00:09:12"));
	CU_ASSERT_EQUAL(job.limit_s, span("1-02:03:00"));
	CU_ASSERT_TRUE(job.requeue && job.batch && !job.preempted);
	CU_ASSERT_TRUE(slurm_read_job(recorded("job-22.05-unlimited"), 18, &job, &problem));
	CU_ASSERT_EQUAL(job.end_s, SLURM_UNLIMITED);
	CU_ASSERT_TRUE(!job.requeue && job.batch);
	/* All members of an array, of which the last has the array's number. */
	CU_ASSERT_TRUE(slurm_read_job(recorded("job-22.05-array"), 17, &job, &problem));
	CU_ASSERT_STRING_EQUAL(job.state, "RUNNING");
	CU_ASSERT_TRUE(slurm_read_job(recorded("job-22.05-array"), 19, &job, &problem));
	CU_ASSERT_STRING_EQUAL(job.state, "COMPLETED");
	CU_ASSERT_TRUE(slurm_read_kill_wait(recorded("config-22.05"), &seconds, &problem));
	CU_ASSERT_EQUAL(seconds, 5);
}

static void refused(bool read, const char *shown)
{
	CU_ASSERT_FALSE(read);
	CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, shown));
}

static void test_queue_refused(void)
{
	static const char *const lines[] = { "12", "12|RUNNING", "12||NONE|1:00||None", "x|RUNNING|NONE|1:00||None", "12|RUNNING|tomorrow|1:00||None", "12|RUNNING|NONE|an hour||None",
		"12|RUNNING|NONE|60||None", "slurm_load_jobs error: Invalid job id specified", "12|RUNNING|2021-03-02T09:13|1:00||None", "-12|RUNNING|NONE|1:00||None",
		"12_3|RUNNING|NONE|1:00||None" };

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		job.end_s = 5;
		refused(slurm_read_queue(lines[i], 12, &job, &problem), lines[i]);
		CU_ASSERT_EQUAL(job.end_s, 5); /* nothing half read */
	}
	refused(slurm_read_queue("12|RUNNING|NONE|1:00|n1|None\n12|PENDING|N/A|1:00||None\n", 12, &job, &problem), "12|PENDING");
	refused(slurm_read_queue("", 12, &job, &problem), "does not know job 12");
	refused(slurm_read_queue("\n", 12, &job, &problem), "does not know job 12");
	refused(slurm_read_queue("13|RUNNING|NONE|1:00|n1|None\n", 12, &job, &problem), "does not know job 12");
}

/* --- scontrol ---------------------------------------------------------------------------------------------------------------- */

static void test_job(void)
{
	CU_ASSERT_TRUE(slurm_read_job(recorded("job-20.11"), 84213, &job, &problem));
	CU_ASSERT_STRING_EQUAL(job.state, "RUNNING");
	CU_ASSERT_STRING_EQUAL(job.reason, "None");
	CU_ASSERT_STRING_EQUAL(job.nodes, "c[001-004]");
	CU_ASSERT_EQUAL(job.end_s, moment("2021-03-03T09:13:00"));
	CU_ASSERT_EQUAL(job.limit_s, 86400);
	CU_ASSERT_EQUAL(job.restarts, 2);
	CU_ASSERT_TRUE(job.requeue && job.batch && !job.preempted);

	/* A name and paths with blanks. */
	CU_ASSERT_TRUE(slurm_read_job(recorded("job-23.02"), 1007, &job, &problem));
	CU_ASSERT_EQUAL(job.end_s, moment("2023-09-26T07:21:52"));
	CU_ASSERT_TRUE(job.requeue && job.batch && job.preempted);

	CU_ASSERT_TRUE(slurm_read_job(recorded("job-24.05"), 747, &job, &problem));
	CU_ASSERT_EQUAL(job.end_s, SLURM_UNLIMITED);
	CU_ASSERT_STRING_EQUAL(job.nodes, "g[010,012-013]");
	CU_ASSERT_TRUE(!job.requeue && !job.batch && !job.preempted);
}

/* Of a good line, one word at a time is taken away, or made another. */
static void test_job_refused(void)
{
	static const char *const needed[] = { " JobState=RUNNING", " Reason=None", " EndTime=2021-03-03T09:13:00", " TimeLimit=1-00:00:00", " Requeue=1", " BatchFlag=1", " Restarts=2",
		" NodeList=c[001-004]" };
	static const char *const others[][2] = { { "JobId=84213", "Job=84213" }, { "JobId=84213", "JobId=84213x" }, { "Requeue=1", "Requeue=yes" }, { "Restarts=2", "Restarts=" },
		{ "BatchFlag=1", "BatchFlag=2" }, { "EndTime=2021-03-03T09:13:00", "EndTime=09:13" }, { "TimeLimit=1-00:00:00", "TimeLimit=1440" },
		/* Whoever names a job like this cannot be told from Slurm. */
		{ "JobName=plate", "JobName=plate Requeue=0" } };
	char whole[4096], line[8192];

	snprintf(whole, sizeof whole, "%s", recorded("job-20.11"));
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		const char *at = strstr(whole, needed[i]);

		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		snprintf(line, sizeof line, "%.*s%s", (int)(at - whole), whole, at + strlen(needed[i]));
		refused(slurm_read_job(line, 84213, &job, &problem), "'JobId=84213");
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		const char *at = strstr(whole, others[i][0]);

		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		snprintf(line, sizeof line, "%.*s%s%s", (int)(at - whole), whole, others[i][1], at + strlen(others[i][0]));
		refused(slurm_read_job(line, 84213, &job, &problem), "not understood");
	}
	/* ... but what is there twice and says the same is no matter. */
	snprintf(line, sizeof line, "JobId=84213 JobName=a Requeue=1%s", strstr(whole, " UserId="));
	CU_ASSERT_TRUE(slurm_read_job(line, 84213, &job, &problem));
	refused(slurm_read_job("", 84213, &job, &problem), "does not know job 84213");
	refused(slurm_read_job(whole, 84214, &job, &problem), "does not know job 84214");
	refused(slurm_read_job("No jobs in the system\n", 84213, &job, &problem), "No jobs in the system");
}

static void test_kill_wait(void)
{
	int64_t seconds = 0;

	CU_ASSERT_TRUE(slurm_read_kill_wait(recorded("config-23.02"), &seconds, &problem));
	CU_ASSERT_EQUAL(seconds, 30);
	refused(slurm_read_kill_wait("KillWait                = 1 min\n", &seconds, &problem), "1 min");
	refused(slurm_read_kill_wait("KillWait 30 sec\n", &seconds, &problem), "KillWait 30");
	refused(slurm_read_kill_wait("SlurmdTimeout = 30 sec\n", &seconds, &problem), "KillWait");
	CU_ASSERT_EQUAL(seconds, 30);
}

int main(void)
{
	static CU_TestInfo tests[] = {
		{ "lengths of time", test_spans },
		{ "moments", test_moments },
		{ "squeue", test_queue },
		{ "what was recorded", test_recorded },
		{ "squeue: what is not understood", test_queue_refused },
		{ "scontrol show job", test_job },
		{ "scontrol show job: what is not understood", test_job_refused },
		{ "scontrol show config", test_kill_wait },
		CU_TEST_INFO_NULL,
	};
	static CU_SuiteInfo suites[] = {
		{ "slurm_text", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};

	return suites_run(suites);
}
