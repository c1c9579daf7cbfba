/* SPDX-License-Identifier: BSD-3-Clause */
/* One life of a run: from the start of the launcher to its end, with what is asked of it between. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "run.h"

#define LOOK_EVERY_S 1.0

/* A checkpoint that was not there before: how far it is, if the last step is known. */
static void look_for_checkpoint(const struct run_options *options, struct run_life *life)
{
	struct run_newest newest = run_newest(options->folder);
	double per_step, share = options->steps ? (double)newest.step / (double)options->steps : 0;

	if (newest.number <= life->newest.number)
		return;
	life->newest = newest;
	if (!life->first.number)
		life->first = newest;
	if (!options->steps || newest.step < 0 || newest.step > options->steps)
		return;
	if (newest.step <= life->first.step) {
		run_say("%s of %" PRId64 ", %.0f %%", run_checkpoint_text(&newest).text, options->steps, 100 * share);
		return;
	}
	per_step = (double)(newest.taken_ns - life->first.taken_ns) / 1e9 / (double)(newest.step - life->first.step);
	run_say("%s of %" PRId64 ", %.0f %%, about %s left", run_checkpoint_text(&newest).text, options->steps, 100 * share,
		run_time_text(per_step * (double)(options->steps - newest.step)).text);
}

static void order_to_end(struct run_life *life, int signal)
{
	life->ordered = true;
	life->until_s = run_now_s() + 30;
	run_signal(&life->launch, signal);
}

/* Checkpoint, and leave. */
static void begin_to_leave(const struct run_options *options, struct run_life *life)
{
	if (life->wants != WANTS_NOTHING) {
		order_to_end(life, SIGTERM);
		return;
	}
	life->wants = WANTS_TO_LEAVE;
	life->until_s = run_now_s() + options->commit_s;
	if (run_ask_to_stop(options->folder)) {
		run_say("asked to leave: a last checkpoint is taken, for up to %s; once more: at once", run_time_text(options->commit_s).text);
	} else {
		run_say("asked to leave; no checkpoint can be asked for, as there is no '%s/stop' to be made: %s", options->folder, strerror(errno));
		order_to_end(life, SIGTERM);
	}
}

static void begin_to_quit(const struct run_options *options, struct run_life *life)
{
	if (life->wants == WANTS_TO_LEAVE && !life->committed)
		run_take_stop_back(options->folder);
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
		life->until_s = run_now_s() + options->leave_s;
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

bool run_live(const struct run_options *options, struct run_life *life)
{
	enum run_event event;

	*life = (struct run_life){ .before = run_newest(options->folder), .began_s = run_now_s() };
	life->newest = life->before;
	if (!run_start(&life->launch, options->arguments))
		return false;
	do {
		event = run_wait(&life->launch, LOOK_EVERY_S);
		look_for_checkpoint(options, life);
		if (event == RUN_LEAVE)
			begin_to_leave(options, life);
		else if (event == RUN_QUIT)
			begin_to_quit(options, life);
		else if (event == RUN_NOTHING && (life->wants == WANTS_TO_LEAVE || life->ordered))
			go_on_leaving(options, life);
	} while (event != RUN_ENDED);
	if (life->wants == WANTS_TO_LEAVE && !life->ordered && !run_is_asked_to_stop(options->folder) && life->newest.number > life->before.number)
		life->committed = true;
	if (life->wants == WANTS_TO_LEAVE)
		run_take_stop_back(options->folder);
	return true;
}
