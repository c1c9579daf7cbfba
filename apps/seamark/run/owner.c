/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose the run is, and whether it is still ours: another start of it, on another node perhaps, may have begun a life since. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "run/run.h"
#include "seamark_files.h"

static struct { char text[100]; } own;

/* What a setting may not have in it becomes a '-'. */
static void tame(char *text)
{
	for (; *text; text++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *text))
			*text = '-';
}

/* A job that is queued again keeps its number, and so its owner. */
static void name_owner(void)
{
	const char *job = getenv("SLURM_JOB_ID"), *cluster = getenv("SLURM_CLUSTER_NAME"), *owner = getenv("SEAMARK_OWNER");
	char name[sizeof own.text];

	if (owner && *owner)
		return;
	if (job)
		snprintf(name, sizeof name, "slurm-%.60s-%.20s", cluster ? cluster : "", job);
	else
		snprintf(name, sizeof name, "%s", own.text);
	tame(name);
	setenv("SEAMARK_OWNER", name, 1);
}

void run_own(void)
{
	char host[64] = "";

	gethostname(host, sizeof host - 1);
	snprintf(own.text, sizeof own.text, "run-%s-%ld-%lld", host, (long)getpid(), (long long)time(NULL));
	tame(own.text);
	name_owner();
	setenv("SEAMARK_START", own.text, 1);
}

const char *run_start_name(void)
{
	return own.text;
}

bool run_is_start_name(const char *name)
{
	return !strncmp(name, "run-", 4);
}

/* What cannot be read now counts as no life. */
static struct seamark_files_life newest_life(const char *folder)
{
	struct seamark_files_life newest;

	if (seamark_files_newest_life(folder, &newest))
		newest = (struct seamark_files_life){ .life = 0 };
	return newest;
}

uint32_t run_newest_life(const char *folder)
{
	return newest_life(folder).life;
}

void run_own_next(const char *folder)
{
	char start[sizeof own.text + 24];

	snprintf(start, sizeof start, "%s after %" PRIu32, own.text, run_newest_life(folder));
	setenv("SEAMARK_START", start, 1);
}

/* A life that does not say of which start it is may be of this one: a launcher need not take the environment along. */
bool run_is_superseded(const char *folder, uint32_t after, struct command_text *by)
{
	struct seamark_files_life newest = newest_life(folder);

	if (newest.life <= after || !newest.start[0] || !strcmp(newest.start, own.text))
		return false;
	snprintf(by->text, sizeof by->text, "life %" PRIu32 ", on host '%.30s'", newest.life, newest.host);
	return true;
}
