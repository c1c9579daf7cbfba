/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer's thread. The program's thread puts jobs into its queue and looks at a few atomics; everything that may wait for a disk is
 * done here. Jobs are done in the order in which they came, so that giving an image up comes after the writing that it ends. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "store/catalogue.h"
#include "store/chain.h"
#include "store/commit.h"
#include "store/history.h"
#include "store/image_read.h"
#include "store/image_write.h"
#include "store/internal.h"
#include "store/manifest.h"
#include "store/read_back.h"
#include "store/traces.h"

enum { END_PATIENCE_S = 10 };

struct job {
	enum { JOB_WRITE, JOB_FINISH, JOB_DISCARD, JOB_COMMIT, JOB_DROP, JOB_SETTLE, JOB_NOTE_BEGIN, JOB_NOTE_END, JOB_TRACE } kind;
	struct image *image;
	struct store_outcome outcome; /* of the attempt to drop, or to settle; such a job without an image is freed when it is done */
	uint32_t life;             /* ... that it was of */
	int64_t step;              /* to note: of the checkpoint outcome.number, from which the program begins */
	bool stopped;              /* ... how it ended */
	struct store_trace trace;
	struct job *next;
};

struct image {
	struct store *store;
	struct store_identity identity;
	struct store_region *regions;
	size_t count;
	char *names;
	struct shape_extent *extents;
	struct bytes_out record;
	struct bytes_out messages;
	struct image_writer file;  /* the thread's alone */
	bool begun;                /* the thread's alone */
	struct job write, finish, discard, settle;
	unsigned jobs;             /* queued or running; under the lock */
	bool replaced;             /* freed after the last of its jobs; under the lock */
	bool finishing, settling;  /* the program's thread alone */

	atomic_bool abandoned;
	atomic_bool regions_written;
	_Atomic int64_t progress_ns;
	_Atomic int state;         /* the rest is written before it is durable or failed, and not after */
	uint64_t bytes;
	uint64_t table_hash;
	uint64_t referred;
	uint64_t parents;
	struct fault fault;
};

struct writer {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, *last;
	bool closing;
	void (*place)(void *context);
	void *context;

	struct image *image;       /* the program's thread alone */

	struct job commit_job;
	struct commit commit;

	struct image_way way;      /* how images are written; the thread's alone */
	bool told_way;
	int64_t busy_ns;           /* with the image that is being written */

	struct chain chain;        /* the thread's alone, once it has been given work */
};

/* --- the image, in the thread -------------------------------------------------------------------------------------- */

static bool image_goes_on(void *context)
{
	struct image *image = context;

	atomic_store(&image->progress_ns, io_now_ns());
	image->store->status.image_done = image->file.offset;
	watch_look(image->store);
	return !atomic_load(&image->abandoned);
}

/* A file that failed is of no use, and its space may be what the program needs. */
static void image_failed(struct image *image)
{
	image_discard(&image->file, true);
	image->begun = false;
	atomic_store(&image->regions_written, true);
	atomic_store(&image->state, STORE_FAILED);
}

static void tell_way(struct writer *writer, const struct image_writer *file)
{
	if (!writer->told_way)
		log_say(LOG_INFO, "images are written by way of %s", ring_way(file->ring));
	writer->told_way = true;
}

/* What the image was made of, and what that tells of the next. */
static void learn(struct writer *writer, const struct image_writer *file)
{
	const uint64_t *chunks = writer->way.chunks;

	if (!ring_tells(file->ring))
		choice_learn(&writer->way.choice, file->offset, (double)writer->busy_ns * 1e-9 - writer->way.coding_s);
	if (writer->store->rank == 0)
		log_say(LOG_INFO, "image: %.1f MiB of state take %.1f MiB in the file: %llu chunks plain, %llu lz4, %llu zstd, %llu of zeros",
			(double)file->content / 1048576, (double)file->offset / 1048576, (unsigned long long)chunks[FORMAT_PLAIN],
			(unsigned long long)chunks[FORMAT_LZ4], (unsigned long long)chunks[FORMAT_ZSTD], (unsigned long long)chunks[FORMAT_ZERO]);
}

static void run_write(struct image *image)
{
	struct chain *chain = &image->store->writer->chain;
	int64_t begun_ns = io_now_ns();
	int code;

	if (atomic_load(&image->abandoned))
		return;
	image->file.go_on = image_goes_on;
	image->file.context = image;
	image->file.way = &image->store->writer->way;
	image->file.files = &image->store->files;
	image->file.read_back = image->store->read_back;
	for (size_t i = 0; i < image->count; i++)
		image->file.expected = format_place(image->file.expected, image->regions[i].bytes) + image->regions[i].bytes;
	if (chain_begin(chain, image->store->folder, &image->identity))
		image->file.known = chain->table;
	if (image->file.known && image->file.expected > chain->expected)
		image->file.expected = chain->expected;
	image->begun = true;
	image->store->status.image_done = 0;
	image->store->status.image_of = image->file.expected;
	memset(image->file.way->chunks, 0, sizeof image->file.way->chunks);
	image->file.way->coding_s = 0;
	crash_point("image-to-begin");
	code = image_begin(&image->file, image->store->folder, &image->identity, &image->fault);
	if (!code)
		tell_way(image->store->writer, &image->file);
	for (size_t i = 0; !code && i < image->count; i++)
		code = image_put(&image->file, FORMAT_PROTECTED, &image->regions[i], &image->fault);
	if (!code)
		code = image_settle(&image->file, &image->fault);
	if (code)
		image_failed(image);
	image->store->writer->busy_ns = io_now_ns() - begun_ns;
	crash_point("image-regions-put");
	atomic_store(&image->regions_written, true);
}

static int put_bytes(struct image *image, enum format_kind kind, const struct bytes_out *bytes)
{
	return image_put(&image->file, kind, &(struct store_region){ .name = "", .data = bytes->data, .bytes = bytes->size }, &image->fault);
}

/* All regions of an image are of one capture, and not all have to say of which. */
static uint64_t capture_of(const struct image *image)
{
	uint64_t capture = 0;

	for (size_t i = 0; i < image->count; i++)
		if (image->regions[i].capture > capture)
			capture = image->regions[i].capture;
	return capture;
}

static void run_finish(struct image *image)
{
	struct chain *chain = &image->store->writer->chain;
	int64_t begun_ns = io_now_ns();
	int code;

	if (atomic_load(&image->abandoned) || atomic_load(&image->state) == STORE_FAILED)
		return;
	crash_point("image-record-to-put");
	code = put_bytes(image, FORMAT_RECORD, &image->record);
	if (!code)
		code = put_bytes(image, FORMAT_MESSAGES, &image->messages);
	if (!code)
		code = image_end(&image->file, &image->fault);
	if (code) {
		image_failed(image);
		return;
	}
	image->bytes = image->store->status.image_done = image->file.bytes;
	image->table_hash = image->file.table_hash;
	image->referred = image->file.referred;
	image->parents = image->file.parents;
	chain->expected = image->bytes;
	if (chain->full_every > 1)
		chain_candidate(chain, chain_table_new(&image->file.index, &image->identity, image->store->files.group, capture_of(image)));
	atomic_store(&image->progress_ns, io_now_ns());
	image->store->writer->busy_ns += io_now_ns() - begun_ns;
	learn(image->store->writer, &image->file);
	if (image->store->read_back && !image->file.part.shared && read_back(&image->file, NULL, &image->fault)) {
		chain_drop(chain);
		image_failed(image);
		return;
	}
	image_discard(&image->file, false);
	crash_point("image-durable");
	atomic_store(&image->state, STORE_DURABLE);
}

static void run_discard(struct image *image)
{
	chain_drop(&image->store->writer->chain);
	if (image->begun)
		image_discard(&image->file, true);
	image->begun = false;
	atomic_store(&image->regions_written, true);
	atomic_store(&image->state, STORE_IDLE);
}

/* --- the queue ----------------------------------------------------------------------------------------------------- */

static void put_job(struct writer *writer, struct job *job)
{
	pthread_mutex_lock(&writer->lock);
	job->next = NULL;
	if (writer->last)
		writer->last->next = job;
	else
		writer->first = job;
	writer->last = job;
	if (job->image)
		job->image->jobs++;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
}

static void free_image(struct image *image)
{
	image_discard(&image->file, false);
	bytes_free(&image->record);
	bytes_free(&image->messages);
	free(image->regions);
	free(image->names);
	free(image->extents);
	free(image);
}

static void run_job(struct writer *writer, struct job *job)
{
	struct image *image = job->image;
	bool done = false;

	switch (job->kind) {
	case JOB_WRITE:
		run_write(image);
		break;
	case JOB_FINISH:
		run_finish(image);
		break;
	case JOB_DISCARD:
		run_discard(image);
		break;
	case JOB_COMMIT:
		commit_run(&writer->commit);
		break;
	case JOB_DROP:
		commit_drop(&writer->commit, job->outcome.number);
		free(job);
		break;
	case JOB_SETTLE:
		chain_settle(&writer->chain, &job->outcome, job->life);
		if (!image)
			free(job);
		break;
	case JOB_NOTE_BEGIN:
		history_begin(writer->store, job->outcome.number, job->step);
		writer->store->watch.next_ns = 0; /* people may look now */
		free(job);
		break;
	case JOB_NOTE_END:
		history_end(writer->store, job->stopped);
		writer->store->status.how = job->stopped ? "stopped" : "finalized";
		free(job);
		break;
	case JOB_TRACE:
		traces_write(writer->store, &job->trace);
		free(job);
		break;
	}
	if (!image)
		return;
	pthread_mutex_lock(&writer->lock);
	done = !--image->jobs && image->replaced;
	pthread_mutex_unlock(&writer->lock);
	if (done)
		free_image(image);
}

/* Waits for a job; null: it is time to look into the folder, or *ended. */
static struct job *next_job(struct writer *writer, bool *ended)
{
	struct job *job;

	pthread_mutex_lock(&writer->lock);
	while (!writer->first && !writer->closing) {
		int64_t next_ns = writer->store->watch.next_ns;
		struct timespec until = { .tv_sec = next_ns / 1000000000, .tv_nsec = next_ns % 1000000000 };

		if (!watch_waits(writer->store))
			pthread_cond_wait(&writer->wake, &writer->lock);
		else if (pthread_cond_timedwait(&writer->wake, &writer->lock, &until) == ETIMEDOUT)
			break;
	}
	job = writer->first;
	if (job) {
		writer->first = job->next;
		if (!writer->first)
			writer->last = NULL;
	}
	*ended = !job && writer->closing;
	pthread_mutex_unlock(&writer->lock);
	return job;
}

static void *write_on(void *argument)
{
	struct writer *writer = argument;
	bool ended = false;

	if (writer->place)
		writer->place(writer->context);
	while (!ended) {
		struct job *job = next_job(writer, &ended);

		if (job)
			run_job(writer, job);
		watch_look(writer->store);
	}
	watch_end(writer->store);
	return NULL;
}

/* --- start and end ------------------------------------------------------------------------------------------------- */

/* No handler of the program's shall ever run here, and no write over a limit end it. */
static int start_thread(struct writer *writer)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&writer->thread, NULL, write_on, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		pthread_setname_np(writer->thread, "seamark-writer");
	return error;
}

void store_set_way(struct store *store, enum settings_codec codec, uint64_t rate)
{
	store->codec = codec;
	store->rate = rate;
}

int store_start_writer(struct store *store, void (*place)(void *context), void *context, struct fault *fault)
{
	pthread_condattr_t clock;
	struct writer *writer;
	int error;

	if (store->writer)
		return fault_set(fault, SEAMARK_E_ORDER, "the writer's thread is started once");
	writer = calloc(1, sizeof *writer);
	if (!writer)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the writer's thread");
	writer->store = store;
	store_set_files(store, NULL, 0, NULL);
	writer->commit.store = store;
	writer->commit.chain = &writer->chain;
	writer->way.choice.wanted = store->codec;
	writer->way.rate = store->rate;
	writer->place = place;
	writer->context = context;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->wake, &clock);
	pthread_condattr_destroy(&clock);
	store->writer = writer;
	error = start_thread(writer);
	if (error) {
		store->writer = NULL;
		free(writer);
		errno = error;
		return fault_errno(fault, "cannot start the writer's thread");
	}
	return 0;
}

/* Jobs that came before are still done, as far as that goes in a reasonable time: a disk that hangs must not hold up the end of a program. */
bool writer_stop(struct store *store)
{
	struct writer *writer = store->writer;
	struct timespec until;

	if (!writer)
		return true;
	if (writer->image && atomic_load(&writer->image->state) == STORE_WORKING)
		store_abandon_image(store);
	pthread_mutex_lock(&writer->lock);
	writer->closing = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_PATIENCE_S;
	if (pthread_timedjoin_np(writer->thread, NULL, &until)) {
		log_say(LOG_QUIET, "the writer's thread hangs in '%s' and is left behind", store->folder);
		return false;
	}
	if (writer->image)
		free_image(writer->image);
	chain_close(&writer->chain);
	codec_close(writer->way.codec);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
	store->writer = NULL;
	store_shared_close(store->files.shared);
	store->files.shared = NULL;
	return true;
}

/* --- what the program's thread calls ------------------------------------------------------------------------------- */

static int copy_regions(struct image *image, const struct store_region *regions, size_t count, struct fault *fault)
{
	size_t room = 1, dimensions = 1;
	struct shape_extent *extents;
	char *name;

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(regions[i].name);

		if (!length || length > FORMAT_NAME_MAX || (!regions[i].data && regions[i].bytes))
			return fault_set(fault, SEAMARK_E_ARGUMENT, "region '%s' cannot be saved: it has no memory or a bad name", regions[i].name);
		room += length + 1;
		dimensions += regions[i].shape.dimensions;
	}
	image->regions = calloc(count + 1, sizeof *image->regions);
	image->names = name = malloc(room);
	image->extents = extents = calloc(dimensions, sizeof *extents);
	if (!image->regions || !image->names || !extents)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of regions");
	for (size_t i = 0; i < count; i++) {
		image->regions[i] = regions[i];
		image->regions[i].name = name;
		name = stpcpy(name, regions[i].name) + 1;
		image->regions[i].shape.extents = extents;
		for (uint32_t d = 0; d < regions[i].shape.dimensions; d++)
			*extents++ = regions[i].shape.extents[d];
	}
	image->count = count;
	return 0;
}

static void let_go_of_image(struct writer *writer)
{
	struct image *image = writer->image;
	bool free_now;

	writer->image = NULL;
	if (!image)
		return;
	pthread_mutex_lock(&writer->lock);
	image->replaced = true;
	free_now = !image->jobs;
	pthread_mutex_unlock(&writer->lock);
	if (free_now)
		free_image(image);
}

int store_begin_image(struct store *store, const struct store_identity *identity, const struct store_region *regions,
		      size_t count, struct fault *fault)
{
	struct writer *writer = store->writer;
	struct image *image;
	int code;

	if (!writer || (writer->image && atomic_load(&writer->image->state) == STORE_WORKING && !atomic_load(&writer->image->abandoned)))
		return fault_set(fault, SEAMARK_E_ORDER, "an image is begun when the writer's thread runs and no other image is under way");
	if (writer->image && !atomic_load(&writer->image->regions_written))
		return fault_set(fault, SEAMARK_E_IO, "the writing of the image before, which was given up, has not ended yet: the disk of '%s' is slow",
				 store->folder);
	image = calloc(1, sizeof *image);
	if (!image)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for an image");
	image->file.fd = -1;
	code = copy_regions(image, regions, count, fault);
	if (code) {
		free_image(image);
		return code;
	}
	let_go_of_image(writer);
	image->store = store;
	image->identity = *identity;
	image->write = (struct job){ .kind = JOB_WRITE, .image = image };
	image->finish = (struct job){ .kind = JOB_FINISH, .image = image };
	image->discard = (struct job){ .kind = JOB_DISCARD, .image = image };
	atomic_store(&image->progress_ns, io_now_ns());
	atomic_store(&image->state, STORE_WORKING);
	writer->image = image;
	put_job(writer, &image->write);
	return 0;
}

/* What a reader would refuse is not written: the snapshot is void, with a reason. */
static int check_record(const struct store_record *record, uint32_t ranks, struct fault *fault)
{
	const uint32_t tag_limit = UINT32_C(1) << 31;

	for (size_t i = 0; i < record->comm_count; i++)
		if (record->comms[i].kind > 1 || !record->comms[i].size || record->comms[i].size >= tag_limit)
			return fault_set(fault, SEAMARK_E_ARGUMENT, "communicator '%s' cannot be recorded", record->comms[i].name);
	for (size_t i = 0; i < record->stream_count; i++)
		if (record->streams[i].comm >= record->comm_count || record->streams[i].peer >= ranks || record->streams[i].tag >= tag_limit)
			return fault_set(fault, SEAMARK_E_ARGUMENT, "a stream with rank %u cannot be recorded", record->streams[i].peer);
	for (size_t i = 0; i < record->message_count; i++) {
		const struct store_message *message = &record->messages[i];

		if (message->comm >= record->comm_count || message->source >= record->comms[message->comm].size ||
		    message->source_world >= ranks || message->tag >= tag_limit || (i && message->turn < message[-1].turn))
			return fault_set(fault, SEAMARK_E_ARGUMENT, "a message of rank %u cannot be recorded", message->source_world);
	}
	for (size_t i = 0; i < record->posted_count; i++) {
		const struct store_posted *posted = &record->posted[i];

		if (posted->comm >= record->comm_count || posted->source >= (posted->any_source ? 1 : record->comms[posted->comm].size) ||
		    posted->source_world >= (posted->any_source ? 1 : ranks) || posted->tag >= (posted->any_tag ? 1 : tag_limit) ||
		    (i && posted->turn < posted[-1].turn))
			return fault_set(fault, SEAMARK_E_ARGUMENT, "a posted receive, the %zuth of its rank, cannot be recorded", i + 1);
	}
	return 0;
}

int store_finish_image(struct store *store, const struct store_record *record, struct fault *fault)
{
	struct image *image = store->writer ? store->writer->image : NULL;
	int code;

	if (!image || image->finishing || atomic_load(&image->abandoned))
		return fault_set(fault, SEAMARK_E_ORDER, "an image is finished once, after it was begun");
	if (atomic_load(&image->state) == STORE_FAILED)
		return fault_set(fault, image->fault.code, "%s", image->fault.text);
	code = check_record(record, image->identity.ranks, fault);
	if (code)
		return code;
	format_put_record(&image->record, record);
	for (size_t i = 0; i < record->message_count; i++) {
		bytes_put_zeros(&image->messages, (size_t)format_message_offset(image->messages.size) - image->messages.size);
		bytes_put(&image->messages, record->messages[i].data, record->messages[i].bytes);
	}
	if (image->record.failed || image->messages.failed)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to keep the messages in flight");
	image->finishing = true;
	put_job(store->writer, &image->finish);
	return 0;
}

void store_abandon_image(struct store *store)
{
	struct image *image = store->writer ? store->writer->image : NULL;

	if (image && !atomic_exchange(&image->abandoned, true))
		put_job(store->writer, &image->discard);
}

enum store_state store_image_state(struct store *store, struct store_image_result *result)
{
	const struct image *image = store->writer ? store->writer->image : NULL;
	enum store_state state = STORE_IDLE;

	if (image) {
		state = (enum store_state)atomic_load(&image->state);
		/* Its file is still there, or its memory still read. */
		if (state != STORE_IDLE && atomic_load(&image->abandoned))
			state = STORE_WORKING;
	}
	if (!result)
		return state;
	result->bytes = state == STORE_DURABLE ? image->bytes : 0;
	result->table_hash = state == STORE_DURABLE ? image->table_hash : 0;
	result->referred = state == STORE_DURABLE ? image->referred : 0;
	result->parents = state == STORE_DURABLE ? image->parents : 0;
	result->progress_ns = image ? atomic_load(&image->progress_ns) : 0;
	result->regions_written = state == STORE_IDLE || atomic_load(&image->regions_written);
	if (state == STORE_FAILED)
		result->fault = image->fault;
	else
		result->fault = FAULT_NONE;
	return state;
}

int store_begin_commit(struct store *store, const struct store_commit *commit, uint64_t keep, struct fault *fault)
{
	struct writer *writer = store->writer;

	if (!writer || store->lock < 0 || store_commit_state(store, NULL) == STORE_WORKING)
		return fault_set(fault, SEAMARK_E_ORDER, "a commit is begun by rank 0, in its life, and one at a time");
	writer->commit.of = *commit;
	writer->commit.keep = keep;
	writer->commit.fault = FAULT_NONE;
	writer->commit_job = (struct job){ .kind = JOB_COMMIT };
	atomic_store(&writer->commit.progress_ns, io_now_ns());
	atomic_store(&writer->commit.state, STORE_WORKING);
	put_job(writer, &writer->commit_job);
	return 0;
}

enum store_state store_commit_state(struct store *store, struct fault *fault)
{
	int state = store->writer ? atomic_load(&store->writer->commit.state) : STORE_IDLE;

	if (state == STORE_FAILED && fault)
		*fault = store->writer->commit.fault;
	return state == COMMIT_GIVEN_UP ? STORE_WORKING : (enum store_state)state;
}

int64_t store_commit_progress_ns(struct store *store)
{
	return store->writer ? atomic_load(&store->writer->commit.progress_ns) : 0;
}

bool store_abandon_commit(struct store *store)
{
	int working = STORE_WORKING;

	return store->writer && atomic_compare_exchange_strong(&store->writer->commit.state, &working, COMMIT_GIVEN_UP);
}

void store_set_read_back(struct store *store, bool on)
{
	store->read_back = on;
}

void store_set_files(struct store *store, const struct store_locator *locators, uint32_t count, struct store_shared *own)
{
	static const struct store_locator alone = { .ranks_each = 1, .pattern = "rank-*.smk" };
	struct store_files *files = &store->files;

	store_shared_close(files->shared);
	files->shared = own;
	files->count = count ? count : 1;
	files->locators[0] = alone;
	files->locators[0].ranks = store->ranks;
	if (count)
		memcpy(files->locators, locators, count * sizeof *locators);
	manifest_place(files->locators, files->count, store->rank, &files->first, &files->group);
}

void store_set_full_every(struct store *store, uint32_t every)
{
	store->writer->chain.full_every = every;
}

/* The files must be those that a commit finds in the folder; a checkpoint may have been restored from elsewhere. */
void store_set_restored(struct store *store, const struct store_checkpoint *restored, const struct store_image *image)
{
	struct io_path path = catalogue_path(store->folder, restored->number, restored->life);
	struct chain *chain = &store->writer->chain;

	if (chain->full_every > 1 && !strcmp(path.text, restored->path))
		chain_restored(chain, restored, chain_table_new(&image->index, &image->identity, image->header.group, 0));
}

void store_settle(struct store *store, const struct store_outcome *outcome)
{
	struct image *image = store->writer ? store->writer->image : NULL;
	bool own = image && image->identity.number == outcome->number && !image->settling;
	struct job *job = own ? &image->settle : store->writer ? calloc(1, sizeof *job) : NULL;

	/* Of an attempt that this rank has no image of: it is void, and nothing rests on it. */
	if (!job)
		return;
	*job = (struct job){ .kind = JOB_SETTLE, .image = own ? image : NULL, .outcome = *outcome, .life = store->life };
	if (own)
		image->settling = true;
	put_job(store->writer, job);
}

void store_drop_attempt(struct store *store, uint64_t number)
{
	struct job *job = store->writer ? calloc(1, sizeof *job) : NULL;

	if (!job)
		return; /* the next life removes it */
	job->kind = JOB_DROP;
	job->outcome.number = number;
	put_job(store->writer, job);
}

static void put_note(struct store *store, struct job note)
{
	struct job *job = store->writer && store->lock >= 0 ? malloc(sizeof *job) : NULL;

	if (!job)
		return;
	*job = note;
	put_job(store->writer, job);
}

void store_note_begin(struct store *store, uint64_t from, int64_t step)
{
	put_note(store, (struct job){ .kind = JOB_NOTE_BEGIN, .outcome.number = from, .step = step });
}

void store_note_end(struct store *store, bool stopped)
{
	put_note(store, (struct job){ .kind = JOB_NOTE_END, .stopped = stopped });
}

void store_write_trace(struct store *store, const struct store_trace *trace)
{
	/* An attempt that is void again and again is given up after eight times. */
	enum { WAITING_MOST = 10 };
	struct job *job = store->writer && atomic_load(&store->traces_waiting) < WAITING_MOST ? calloc(1, sizeof *job) : NULL;

	if (!job) {
		if (!store->traces_left_out)
			log_say(LOG_NOTICE, "a trace is not kept: those before it have not been written yet");
		store->traces_left_out = true;
		trace->done(trace->context);
		return;
	}
	job->kind = JOB_TRACE;
	job->trace = *trace;
	atomic_fetch_add(&store->traces_waiting, 1);
	put_job(store->writer, job);
}
