/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks a program for a checkpoint by a file in its folder, and reads from another what becomes of that. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/values.h"
#include "live/live.h"
#include "looking/look.h"

enum { EXIT_TIMEOUT = 4, EXIT_NOT_THERE = 5 };

#define LOOK_NS 100000000
/* Rank 0 looks once a second. Where locks may not be seen from here, a program that takes nothing for so long, and tells nothing, is not there. */
#define TAKING_S 10.0
/* A request that is not in the folder any more, and that the program does not know of: it is being answered, or was lost. */
#define LOST_S 5.0
/* Between two looks whether the program is there. */
#define THERE_S 1.0

struct asking {
	const char *folder;
	int process;           /* that was named; 0: none */
	uint64_t token;
	uint32_t life;         /* that is asked; 0: none is known */
	int stop, json;
	double timeout_s;      /* INFINITY: none */
	double began_s, seen_s, there_s; /* ... the request was in the folder, or known; the program was looked for */
	double heard_s;        /* when the status was seen to change; 0: never */
	bool asked, taken, lined, looked;
	enum live_state state;
	struct command_text by;
	struct seamark_files_status status;
	bool has_status;
};

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &action, NULL);
}

/* --- telling ------------------------------------------------------------------------------------------------------------ */

static void clear_line(struct asking *asking)
{
	if (asking->lined)
		live_put_line(STDERR_FILENO, "");
	if (asking->lined)
		fputs("\r", stderr);
	asking->lined = false;
}

static void show_progress(struct asking *asking)
{
	struct live_line phase = { "" };
	char line[700], number[40] = "";
	double seconds = live_now_s() - asking->began_s;

	if (!isatty(STDERR_FILENO) || asking->json)
		return;
	if (asking->has_status)
		phase = live_phase(&asking->status);
	if (asking->has_status && asking->status.snapshot.number)
		snprintf(number, sizeof number, "snapshot %" PRIu64 " ", asking->status.snapshot.number);
	snprintf(line, sizeof line, "%s: %s%s", command_span(seconds).text, number, !asking->taken ? "asked, and not taken yet" : phase.text);
	live_put_line(STDERR_FILENO, line);
	asking->lined = true;
}

/* What came of it, for a program that reads. */
static int tell_json(struct asking *asking, const char *result, const struct seamark_files_request *request, const char *why, int status)
{
	json_t *object = json_pack("{s:s, s:o, s:b, s:f}", "result", result, "folder", command_json_text(asking->folder), "stop", asking->stop, "seconds",
				   live_now_s() - asking->began_s);

	json_object_set_new(object, "number", request && request->number ? json_integer((json_int_t)request->number) : json_null());
	json_object_set_new(object, "step", request && request->step >= 0 ? json_integer(request->step) : json_null());
	json_object_set_new(object, "reason", why ? command_json_text(why) : request && request->reason[0] ? command_json_text(request->reason) : json_null());
	json_object_set_new(object, "detail", request && request->detail[0] ? command_json_text(request->detail) : json_null());
	json_object_set_new(object, "status", asking->has_status ? live_json(&asking->status) : json_null());
	if (command_print_json(object))
		return EXIT_CANNOT_READ;
	return status;
}

static int tell_committed(struct asking *asking, const struct seamark_files_request *request)
{
	char at[40] = "", held[160] = "";

	if (asking->json)
		return tell_json(asking, "committed", request, NULL, EXIT_FINE);
	if (request->step >= 0)
		snprintf(at, sizeof at, " at step %" PRId64, request->step);
	if (asking->status.committed.number == request->number)
		snprintf(held, sizeof held, ": held %s, %s", command_span(asking->status.committed.held_s).text, command_size(asking->status.committed.bytes).text);
	command_print("checkpoint %" PRIu64 "%s is committed%s%s", request->number, at, held, request->stop ? "; the program was asked to leave" : "");
	return EXIT_FINE;
}

static int tell_void(struct asking *asking, const struct seamark_files_request *request)
{
	if (asking->json)
		return tell_json(asking, "void", request, NULL, EXIT_PROBLEMS);
	if (request->number)
		command_complain("no checkpoint: attempt %" PRIu64 " is void, and is not tried again: %s%s%s%s", request->number, request->reason,
				 request->detail[0] ? " (" : "", request->detail, request->detail[0] ? ")" : "");
	else
		command_complain("no checkpoint can be taken: %s (%s)", request->reason, request->detail);
	return EXIT_PROBLEMS;
}

static int tell_leaving(struct asking *asking, const struct seamark_files_request *request)
{
	if (asking->json)
		return tell_json(asking, "leaving", request, NULL, EXIT_FINE);
	command_print("the program was asked to leave before, with checkpoint %" PRIu64, asking->status.committed.number);
	return EXIT_FINE;
}

/* What is to be said of why nothing has come yet. */
static struct live_line why_not(const struct asking *asking)
{
	struct live_line line;

	if (!asking->taken)
		snprintf(line.text, sizeof line.text, "rank 0 has not taken the request: its writer's thread waits for the disk, or the process does not run");
	else if (!asking->has_status || asking->status.snapshot.phase == SEAMARK_FILES_IDLE)
		snprintf(line.text, sizeof line.text, "the request was taken, and rank 0 has not called MPI or a safepoint since");
	else
		line = live_phase(&asking->status);
	return line;
}

/* Nobody waits any more. What was not taken is taken back; what was taken cannot be. */
static int give_up(struct asking *asking, const char *result, int status)
{
	bool back = !asking->taken && asking->asked && seamark_files_is_asked(asking->folder, asking->token);
	const char *after = back ? "the request is taken back" : asking->asked ? "the checkpoint will be taken all the same" : "nothing was asked";

	clear_line(asking);
	if (back)
		seamark_files_withdraw(asking->folder, asking->token);
	if (asking->json && !caught)
		return tell_json(asking, result, NULL, why_not(asking).text, status);
	if (caught)
		command_complain("left by a signal; %s", after);
	else
		command_complain("no checkpoint after %s: %s; %s", command_span(asking->timeout_s).text, why_not(asking).text, after);
	return status;
}

static int not_there(struct asking *asking, const char *what)
{
	clear_line(asking);
	if (asking->asked)
		seamark_files_withdraw(asking->folder, asking->token);
	if (asking->json && !asking->has_status)
		asking->has_status = !seamark_files_status(asking->folder, &asking->status);
	if (asking->json)
		return tell_json(asking, "not there", NULL, what, EXIT_NOT_THERE);
	command_complain("%s", what);
	return EXIT_NOT_THERE;
}

/* --- asking --------------------------------------------------------------------------------------------------------------- */

static uint64_t draw_token(void)
{
	uint64_t token = 0;

	while (!token)
		if (getrandom(&token, sizeof token, 0) != (ssize_t)sizeof token)
			token = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	return token;
}

static uint32_t newest_life(const char *folder)
{
	struct seamark_files_life life;

	return seamark_files_newest_life(folder, &life) ? 0 : life.life;
}

/* Puts the request into the folder, unless another's is there, which is gone soon. -1: go on. */
static int ask(struct asking *asking)
{
	int code = seamark_files_ask(asking->folder, asking->life, asking->stop, asking->token);

	if (code == SEAMARK_E_BUSY)
		return -1;
	if (code) {
		command_complain("%s", seamark_files_error());
		return EXIT_CANNOT_READ;
	}
	asking->asked = true;
	asking->seen_s = live_now_s();
	return -1;
}

static const struct seamark_files_request *own_request(const struct asking *asking)
{
	for (size_t i = 0; asking->has_status && i < asking->status.request_count; i++)
		if (asking->status.requests[i].token == asking->token)
			return &asking->status.requests[i];
	return NULL;
}

static int answer(struct asking *asking, const struct seamark_files_request *request)
{
	clear_line(asking);
	if (request->answer == SEAMARK_FILES_COMMITTED)
		return tell_committed(asking, request);
	return request->answer == SEAMARK_FILES_VOID ? tell_void(asking, request) : tell_leaving(asking, request);
}

/* One look. -1: go on. */
static int look(struct asking *asking)
{
	struct seamark_files_status status;
	const struct seamark_files_request *request;
	uint32_t life = newest_life(asking->folder);
	double now_s = live_now_s();

	if (!seamark_files_status(asking->folder, &status)) {
		if (asking->looked && (!asking->has_status || status.time_ns != asking->status.time_ns))
			asking->heard_s = now_s;
		asking->status = status;
		asking->has_status = true;
	}
	asking->looked = true;
	request = own_request(asking);
	if (request) {
		asking->taken = true;
		asking->seen_s = now_s;
	}
	if (request && request->answer >= SEAMARK_FILES_COMMITTED)
		return answer(asking, request);
	if (asking->life && life && life != asking->life)
		return not_there(asking, "the program was started again meanwhile: ask again");
	if (asking->has_status && asking->status.ended && asking->status.life == asking->life)
		return not_there(asking, asking->asked ? "the program has ended before it took the checkpoint" : "the program has ended");
	if (!asking->asked)
		return ask(asking);
	if (!request && seamark_files_is_asked(asking->folder, asking->token))
		asking->seen_s = now_s;
	else if (!request && now_s - asking->seen_s > LOST_S)
		return ask(asking);
	return -1;
}

/* Where its lock may not be seen from here: it takes the request soon, and tells of itself now and then. */
static bool is_heard_of(const struct asking *asking, double now_s)
{
	return now_s - asking->began_s < TAKING_S || (asking->heard_s > 0 && now_s - asking->heard_s < 3 * asking->status.again_s);
}

/* -1: go on; else what to leave with. Who uses the folder without a life that began in it may be `seamark compact`, or a start that waits for its first safepoint. */
static int look_whether_there(struct asking *asking)
{
	char text[600];
	const char *hint = asking->process ? "; one that has come to no safepoint yet uses none" : "";
	double now_s = live_now_s();

	if (now_s - asking->there_s < THERE_S)
		return -1;
	asking->there_s = now_s;
	asking->state = live_state(asking->folder, &asking->by);
	if (asking->state == LIVE_THERE || (asking->state == LIVE_UNSURE && is_heard_of(asking, now_s)))
		return -1;
	/* What it said last it said before it let go of the lock. */
	if (asking->asked) {
		int status = look(asking);

		if (status != -1)
			return status;
	}
	if (!asking->by.text[0])
		snprintf(text, sizeof text, "no program has used '%s' yet%s", asking->folder, hint);
	else if (asking->heard_s > 0 && asking->state == LIVE_UNSURE)
		snprintf(text, sizeof text, "nothing is heard of the program that uses '%s' any more (%s), for %s", asking->folder, asking->by.text,
			 command_span(now_s - asking->heard_s).text);
	else
		snprintf(text, sizeof text, "no program uses '%s' (the last was %s)%s", asking->folder, asking->by.text, hint);
	return not_there(asking, text);
}

static int wait_for_it(struct asking *asking)
{
	struct timespec pause = { .tv_nsec = LOOK_NS };
	int status;

	for (;;) {
		status = look_whether_there(asking);
		if (status == -1)
			status = look(asking);
		if (status != -1)
			return status;
		if (caught)
			return give_up(asking, "left", EXIT_TIMEOUT);
		if (live_now_s() - asking->began_s > asking->timeout_s)
			return give_up(asking, "timeout", EXIT_TIMEOUT);
		show_progress(asking);
		nanosleep(&pause, NULL);
	}
}

static int snapshot(const struct live_folder *folder, double timeout_s, int stop, int json)
{
	struct asking asking = { .folder = folder->path, .process = folder->process, .token = draw_token(), .life = newest_life(folder->path), .stop = stop,
				 .json = json, .timeout_s = timeout_s, .began_s = live_now_s() };
	int status;

	if (!live_may_be_looked_at(folder->path))
		return EXIT_CANNOT_READ;
	catch_signals();
	status = wait_for_it(&asking);
	if (caught) {
		signal(caught, SIG_DFL);
		raise(caught);
	}
	return status;
}

static bool read_timeout(const char *text, double *seconds)
{
	char word[64];
	int64_t ns;

	*seconds = INFINITY;
	if (!values_word(text, word, sizeof word))
		return false;
	if (!strcmp(word, "none"))
		return true;
	if (!values_time(word, &ns))
		return false;
	*seconds = (double)ns / 1e9;
	return true;
}

int command_snapshot(int argc, char **argv)
{
	const char *timeout = NULL, *output = NULL;
	int stop = 0, json = 0, is_job = 0, is_process = 0, is_look = 0, status;
	double timeout_s;
	const struct command_option options[] = {
		{ "stop", NULL, "ask the program to leave with that checkpoint, as the file `stop` does", NULL, &stop },
		{ "look", NULL, "only look: write what each rank on this host is in, for `seamark explain`; no checkpoint is asked for", NULL, &is_look },
		{ "o,output", "PATH", "with --look: a file, a folder, or - for standard output (a new file here)", &output, NULL },
		{ "timeout", "TIME", "how long to wait, as 30s or 10min; none: for ever (10min)", &timeout, NULL },
		{ "job", NULL, "the number is that of a Slurm job", NULL, &is_job },
		{ "pid", NULL, "the number is that of a process", NULL, &is_process },
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "snapshot [--stop] [--timeout TIME] [--job | --pid] [--json] [JOB | PID | DIR]\n"
		"       seamark snapshot --look [-o PATH] [JOB | PID | DIR]",
		"Asks a running program for a checkpoint, and waits for it. The program is named by its folder (SEAMARK_DIR, or 'seamark', if it is\n"
		"left out); by the number of a process on this host, of a rank or of mpirun or `seamark run`; or by that of a Slurm job, of an array's\n"
		"task (4711_3) or of a step (4711.0). A job's folder is known on a host where a process of it runs, or if `seamark run` started it\n"
		"and the folder is where it was submitted, or in a folder there; else it must be named. The program takes the checkpoint at its next safepoints, as always. A request that was not taken\n"
		"is taken back when nobody waits any more.\n\n"
		"With --look no checkpoint is asked for, and the program need not come to a safepoint, or to anything: the ranks on this host are\n"
		"looked at from outside, also hung ones. `seamark explain` says who waits for whom in what was seen.\n\n"
		"Exit status: 0 a checkpoint is committed, 1 the attempt was given up (void), 2 wrong usage, 3 something cannot be read or\n"
		"written, 4 there was none in time, 5 no program uses the folder, or it ended before, or the job does not run.", options, 0, 1 };
	struct live_folder folder;
	enum live_found found;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if ((is_look && (stop || timeout || json || is_job || is_process)) || (!is_look && output)) {
		command_complain(is_look ? "--look asks for no checkpoint: the other options are not for it, but -o" : "--output is for --look");
		return EXIT_USAGE;
	}
	if (is_look)
		return look_main(argc ? argv[0] : command_folder(NULL), output);
	if (!read_timeout(timeout ? timeout : "10min", &timeout_s) || (is_job && is_process)) {
		command_complain(is_job && is_process ? "a number is that of a job or of a process: --job or --pid" : "'%s' is no time: 30s, 10min, none", timeout);
		return EXIT_USAGE;
	}
	found = live_find(argc ? argv[0] : NULL, is_job ? LIVE_JOB : is_process ? LIVE_PROCESS : LIVE_ANY, &folder);
	if (found != LIVE_FOUND)
		return found == LIVE_NOT_RUNNING ? EXIT_NOT_THERE : EXIT_CANNOT_READ;
	return snapshot(&folder, timeout_s, stop, json);
}
