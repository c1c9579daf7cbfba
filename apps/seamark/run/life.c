/* SPDX-License-Identifier: BSD-3-Clause */
/* One life of a run: from the start of the launcher to its end, with what is asked of it between. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run/run.h"

#define LOOK_EVERY_S 1.0
#define LONGEST_QUESTION_S 2.0
#define LOST_S 5.0
/* The program ends itself sooner than that. */
#define SUPERSEDED_S 30.0

/* Of a program whose last step is known: ", 57 % of 7000 steps, about 3 min left". */
static struct command_text progress_text(const struct run_options *options, const struct run_life *life)
{
	const struct run_newest *newest = &life->newest, *first = &life->first;
	struct command_text text = { "" }, left = { "" };
	int length;

	if (!options->steps || newest->step < 0 || newest->step > options->steps)
		return text;
	if (newest->step > first->step)
		left = run_time_text((double)(newest->taken_ns - first->taken_ns) / 1e9 / (double)(newest->step - first->step) *
				     (double)(options->steps - newest->step));
	length = snprintf(text.text, sizeof text.text, ", %.0f %% of %" PRId64 " steps", 100 * (double)newest->step / (double)options->steps, options->steps);
	if (left.text[0])
		snprintf(text.text + length, sizeof text.text - (size_t)length, ", about %.20s left", left.text);
	return text;
}

static void look_for_checkpoint(const struct run_options *options, struct run_life *life)
{
	struct run_newest newest = run_newest(options->folder);

	if (newest.number <= life->newest.number)
		return;
	life->newest = newest;
	if (!life->first.number)
		life->first = newest;
	run_limit_saw(&newest);
	run_say("%s held %s%s", run_checkpoint_text(&newest).text, run_short_time_text(newest.held_s).text, progress_text(options, life).text);
}

static void order_to_end(struct run_life *life, int signal)
{
	life->ordered = true;
	life->until_s = run_now_s() + fmin(30, fmax(run_limit_end_s() - run_now_s() - 1, 1));
	run_signal(&life->launch, signal);
}

/* The folder is another start's then: nothing is asked for there, and nothing taken away. */
static bool look_for_other_start(const struct run_options *options, struct run_life *life)
{
	struct command_text by;

	if (!life->superseded_s && run_is_superseded(options->folder, life->life_before, &by)) {
		run_say("another start has taken the place of this one (%s): the program ends itself", by.text);
		life->superseded_s = run_now_s();
	}
	if (life->superseded_s && !life->ordered && run_now_s() > life->superseded_s + SUPERSEDED_S)
		order_to_end(life, SIGTERM);
	return life->superseded_s;
}

static void take_stop_back(const struct run_options *options, const struct run_life *life)
{
	if (!life->superseded_s)
		run_take_stop_back(options->folder);
}

/* A last checkpoint, for which there are so many seconds. */
static void ask_for_the_last(const struct run_options *options, struct run_life *life, double seconds)
{
	life->wants = WANTS_TO_LEAVE;
	life->until_s = run_now_s() + seconds;
	if (look_for_other_start(options, life)) {
		order_to_end(life, SIGTERM);
	} else if (run_ask_to_stop(options->folder)) {
		run_say("asked to leave: a last checkpoint is taken, for up to %s%s", run_time_text(seconds).text,
			life->why == WANTED_BY_TERM ? "; once more: at once" : "");
	} else {
		run_say("asked to leave; no checkpoint can be asked for, as there is no '%s/stop' to be made: %s", options->folder, strerror(errno));
		order_to_end(life, SIGTERM);
	}
}

/* TERM: from a person, or from Slurm, which ends the job after it. Where a checkpoint takes longer than Slurm waits, it is asked first who it was. */
static void begin_to_leave(const struct run_options *options, struct run_life *life)
{
	life->why = WANTED_BY_TERM;
	if (run_limit_is_in_job()) {
		run_limit_ask_why();
		if (run_limit_is_long(run_limit_kill_wait_s()) && run_limit_why(LONGEST_QUESTION_S) > RUN_JOB_GOES_ON) {
			run_say("the job is ended by Slurm, and a checkpoint takes longer than the %s that it gives; newest: %s",
				run_time_text(run_limit_kill_wait_s()).text, run_checkpoint_text(&life->newest).text);
			life->wants = WANTS_TO_LEAVE;
			order_to_end(life, SIGTERM);
			return;
		}
	}
	ask_for_the_last(options, life, options->commit_s);
}

/* The time is nearly over. */
static void begin_to_leave_in_time(const struct run_options *options, struct run_life *life)
{
	double left_s = run_limit_end_s() - run_now_s();

	life->why = WANTED_BY_LIMIT;
	if (life->launch.signal)
		run_say("signal %s: the time is nearly over", sigabbrev_np(life->launch.signal));
	else
		run_say("the time is over in %s", run_time_text(fmax(left_s, 0)).text);
	if (life->newest.number > life->before.number && run_limit_has_just_committed(&life->newest)) {
		run_say("%s was committed just now, and no other is taken: the program is ended", run_checkpoint_text(&life->newest).text);
		life->wants = WANTS_TO_LEAVE;
		life->committed = life->just_committed = true;
		order_to_end(life, SIGTERM);
	} else {
		ask_for_the_last(options, life, fmin(options->commit_s, fmax(left_s - run_limit_margin_s(), 1)));
	}
}

/* A signal, which may not be the first. That the time is nearly over is no news to a program that is leaving. */
static void take_leave(const struct run_options *options, struct run_life *life)
{
	bool in_time = life->launch.signal == options->leave_on;

	if (life->wants == WANTS_NOTHING && in_time)
		begin_to_leave_in_time(options, life);
	else if (life->wants == WANTS_NOTHING)
		begin_to_leave(options, life);
	else if (!in_time && !life->ordered)
		order_to_end(life, SIGTERM);
}

static void begin_to_quit(const struct run_options *options, struct run_life *life)
{
	if (life->wants == WANTS_TO_LEAVE && !life->committed)
		take_stop_back(options, life);
	life->wants = WANTS_TO_QUIT;
	if (!life->launch.told)
		order_to_end(life, life->launch.signal);
}

/* What leaving waits for. */
static void go_on_leaving(const struct run_options *options, struct run_life *life)
{
	bool late = run_now_s() > life->until_s;

	if (!life->committed && !life->ordered && !run_is_asked_to_stop(options->folder) && life->newest.number > life->before.number) {
		life->committed = true;
		life->until_s = fmin(run_now_s() + options->leave_s, fmax(run_limit_end_s() - run_limit_margin_s() / 2, run_now_s()));
		return;
	}
	if (!late)
		return;
	if (life->ordered) {
		run_signal(&life->launch, SIGKILL);
	} else {
		run_say(life->committed ? "the program does not leave by itself (seamark_stopping): it is ended"
					: "no checkpoint was committed in time: the program is ended all the same");
		order_to_end(life, SIGTERM);
	}
}

/* A launcher that waits for a node that is no more. */
static void end_after_loss(struct run_life *life)
{
	run_say("the launcher does not end after that: it is ended");
	order_to_end(life, SIGTERM);
	life->until_s = fmin(life->until_s, run_now_s() + LOST_S);
}

bool run_live(const struct run_options *options, struct run_life *life)
{
	enum run_event event;

	*life = (struct run_life){ .before = run_newest(options->folder), .began_s = run_now_s(),
		.life_before = run_newest_life(options->folder) };
	life->newest = life->before;
	life->history = run_history_size(options->folder);
	run_limit_new_life(&life->before);
	if (!run_start(&life->launch, run_nodes_arguments()))
		return false;
	do {
		event = run_wait(&life->launch, fmin(LOOK_EVERY_S, life->wants ? LOOK_EVERY_S : fmax(run_limit_left_s(), 0)));
		look_for_checkpoint(options, life);
		look_for_other_start(options, life);
		run_limit_look();
		if (run_nodes_look() && !life->ordered && event != RUN_ENDED)
			end_after_loss(life);
		if (event == RUN_LEAVE)
			take_leave(options, life);
		else if (event == RUN_QUIT)
			begin_to_quit(options, life);
		else if (event == RUN_NOTHING && (life->wants == WANTS_TO_LEAVE || life->ordered))
			go_on_leaving(options, life);
		else if (event == RUN_NOTHING && run_limit_left_s() <= 0)
			begin_to_leave_in_time(options, life);
	} while (event != RUN_ENDED);
	if (life->wants == WANTS_TO_LEAVE && !life->ordered && !run_is_asked_to_stop(options->folder) && life->newest.number > life->before.number)
		life->committed = true;
	if (life->wants == WANTS_TO_LEAVE)
		take_stop_back(options, life);
	if (life->just_committed && !life->superseded_s)
		run_note_end(options->folder, life->newest.life, life->history);
	life->left = !life->launch.status && life->wants == WANTS_NOTHING && life->newest.number && run_has_left(options->folder, life->history);
	return true;
}
