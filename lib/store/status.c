/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/moment.h"
#include "store/internal.h"
#include "store/run_file.h"

#define SECOND_NS INT64_C(1000000000)
/* What is new is written when the thread looks next, which it does once a second; that steps have been made, less often; that nothing has happened, seldom. */
#define STEPS_NS (5 * SECOND_NS)
#define AGAIN_NS (STATUS_AGAIN_S * SECOND_NS)
/* Rates are of so long at least, if anything has happened in it. */
#define RATE_NS (10 * SECOND_NS)

/* --- told --------------------------------------------------------------------------------------------------------------- */

/* One thread stores, one reads: it takes what it reads for whole if `turn` was even before, and the same after. */
void status_tell(struct store *store, const struct status_now *now)
{
	struct status *status = &store->status;
	unsigned turn = atomic_load_explicit(&status->turn, memory_order_relaxed);
	uint64_t words[STATUS_WORDS] = { 0 };

	memcpy(words, now, sizeof *now);
	atomic_store_explicit(&status->turn, turn + 1, memory_order_relaxed);
	for (size_t i = 0; i < STATUS_WORDS; i++)
		atomic_store_explicit(&status->words[i], words[i], memory_order_release);
	atomic_store_explicit(&status->turn, turn + 2, memory_order_release);
}

void status_step(struct store *store, int64_t step)
{
	struct status *status = &store->status;

	atomic_store_explicit(&status->step, step, memory_order_relaxed);
	atomic_store_explicit(&status->safepoints, atomic_load_explicit(&status->safepoints, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* false: it is just being stored, or nothing has been told. */
static bool hear(struct status *status, struct status_now *now, unsigned *turn)
{
	uint64_t words[STATUS_WORDS];

	*turn = atomic_load_explicit(&status->turn, memory_order_acquire);
	if (!*turn || *turn % 2)
		return false;
	for (size_t i = 0; i < STATUS_WORDS; i++)
		words[i] = atomic_load_explicit(&status->words[i], memory_order_acquire);
	if (atomic_load_explicit(&status->turn, memory_order_relaxed) != *turn)
		return false;
	memcpy(now, words, sizeof *now);
	return true;
}

/* What was taken from the folder, and the program has not looked at: it computes. */
struct waiting {
	struct status_request list[STATUS_HANDED];
	unsigned count;
};

/* Before it is heard what the program tells, so that a request is in one of the two, or in both. */
static struct waiting waiting_requests(struct status *status)
{
	unsigned to = atomic_load(&status->handed_count);
	struct waiting waiting = { .count = 0 };

	for (unsigned i = atomic_load(&status->handed_taken); i != to; i++)
		waiting.list[waiting.count++] = (struct status_request){ .token = atomic_load(&status->handed[i % STATUS_HANDED]),
			.stop = atomic_load(&status->handed_stop[i % STATUS_HANDED]), .answer = STATUS_TAKEN, .step = -1 };
	return waiting;
}

/* In place of the oldest that is answered. */
static void add_waiting(struct status_now *now, const struct status_request *request)
{
	struct status_request *requests = now->requests;
	int gone = -1;

	for (int i = STATUS_REQUESTS; i--;) {
		if (requests[i].answer != STATUS_NOBODY && requests[i].token == request->token)
			return;
		if (requests[i].answer != STATUS_TAKEN && requests[i].answer != STATUS_ASKED)
			gone = i;
	}
	if (gone < 0)
		return;
	memmove(&requests[gone], &requests[gone + 1], (size_t)(STATUS_REQUESTS - 1 - gone) * sizeof *requests);
	requests[STATUS_REQUESTS - 1] = *request;
}

/* --- rates -------------------------------------------------------------------------------------------------------------- */

/* How far the program was when; the oldest goes when there are enough that span the time. */
static void sample(struct status *status, int64_t now_ns)
{
	struct status_sample *samples = status->samples, new = { now_ns, atomic_load(&status->step), atomic_load(&status->safepoints) };
	unsigned old = 0;

	while (status->sample_count && old + 1 < status->sample_count &&
	       (now_ns - samples[old + 1].ns > RATE_NS || status->sample_count - old == STATUS_SAMPLES))
		old++;
	memmove(samples, samples + old, (status->sample_count - old) * sizeof *samples);
	status->sample_count -= old;
	samples[status->sample_count++] = new;
}

static void rates(const struct status *status, struct status_facts *facts)
{
	const struct status_sample *first = status->samples, *last = first + status->sample_count - 1;
	double seconds;

	if (status->sample_count < 2)
		return;
	seconds = (double)(last->ns - first->ns) / 1e9;
	facts->safepoints_per_s = (double)(last->safepoints - first->safepoints) / seconds;
	if (first->step >= 0 && last->step >= first->step)
		facts->steps_per_s = (double)(last->step - first->step) / seconds;
}

/* --- written ------------------------------------------------------------------------------------------------------------ */

static int64_t space_at(const char *folder)
{
	struct statvfs about;

	if (statvfs(folder, &about))
		return -1;
	return about.f_bavail > INT64_MAX / about.f_frsize ? INT64_MAX : (int64_t)(about.f_bavail * about.f_frsize);
}

/* By a rename, so that who reads it finds it whole; nothing is synced, as a crash may take it. */
static bool publish(const struct store *store, const char *text, size_t size)
{
	struct io_path path = io_path("%s/" STATUS_NAME, store->folder), temporary = io_path("%s/.status-%" PRIu32 ".tmp", store->folder, store->life);
	int fd = io_open(temporary.text, O_WRONLY | O_CREAT | O_TRUNC);
	bool done;

	crash_point("status-made");
	if (fd < 0)
		return false;
	done = !io_write(fd, text, size, 0, temporary.text, NULL);
	done = !io_close(fd) && done;
	done = done && !rename(temporary.text, path.text);
	crash_point("status-renamed");
	if (!done)
		io_unlink(temporary.text);
	return done;
}

static void write_status(struct store *store, const struct status_now *now, int64_t now_ns)
{
	struct status *status = &store->status;
	char host[RUN_FILE_HOST_MOST + 1], text[STATUS_SIZE_MOST];
	struct status_facts facts = {
		.now = now, .life = store->life, .host = host, .process = getpid(), .ranks = store->ranks, .step = -1,
		.safepoints = atomic_load(&status->safepoints), .begun_ns = status->begun_ns, .space = space_at(store->folder),
		.image_done = status->image_done, .image_of = status->image_of, .how = status->how, .now_ns = now_ns, .realtime_ns = moment_now_ns(),
	};
	size_t size;

	if (facts.safepoints)
		facts.step = atomic_load(&status->step);
	run_file_host(host);
	memcpy(facts.run, store->run, sizeof facts.run);
	rates(status, &facts);
	size = status_text(&facts, text, sizeof text);
	/* As with all that is in the folder: a life that another has taken the place of changes nothing. Between this look and the rename nothing need be known: who reads a status of a life
	 * that is not the newest takes it for none, and the newest writes its own again. */
	if (size && lives_is_newest(store))
		publish(store, text, size);
}

void status_look(struct store *store, int64_t now_ns)
{
	struct status *status = &store->status;
	struct waiting waiting = waiting_requests(status);
	struct status_now now;
	uint64_t safepoints = atomic_load_explicit(&status->safepoints, memory_order_relaxed);
	int64_t ago_ns = now_ns - status->written_ns;
	unsigned turn, handed = atomic_load(&status->handed_count);

	if (!atomic_load(&store->life_known) || atomic_load(&store->superseded) || !hear(status, &now, &turn))
		return;
	if (!status->begun_ns)
		status->begun_ns = now_ns;
	sample(status, now_ns);
	if (turn == status->written_turn && handed == status->written_handed && status->image_done == status->written_done &&
	    ago_ns < (safepoints != status->written_safepoints ? STEPS_NS : AGAIN_NS))
		return;
	for (unsigned i = 0; i < waiting.count; i++)
		add_waiting(&now, &waiting.list[i]);
	status->written_turn = turn;
	status->written_handed = handed;
	status->written_safepoints = safepoints;
	status->written_done = status->image_done;
	status->written_ns = now_ns;
	write_status(store, &now, now_ns);
}

void status_end(struct store *store)
{
	struct status *status = &store->status;
	struct status_now now;
	unsigned turn;

	if (!atomic_load(&store->life_known) || atomic_load(&store->superseded) || !hear(status, &now, &turn))
		return;
	if (!status->begun_ns)
		status->begun_ns = io_now_ns();
	if (!status->how)
		status->how = "closed";
	write_status(store, &now, io_now_ns());
}
