/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark_files.h: the store's reading half, for everybody. */
#include "seamark_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/settings.h"
#include "store/catalogue.h"
#include "store/chunk_read.h"
#include "store/compact.h"
#include "store/files.h"
#include "store/image_read.h"
#include "store/internal.h"
#include "store/manifest.h"
#include "store/prune.h"
#include "store/run_file.h"
#include "store/verify.h"

struct seamark_files {
	struct seamark_files_entry *entries; /* path, problem and parents are owned */
	size_t count;
};

struct seamark_files_checkpoint {
	struct store_checkpoint checkpoint;
};

struct seamark_files_image {
	struct store_image *image;
};

_Static_assert(sizeof(struct seamark_files_parent) == sizeof(struct store_parent) &&
	       offsetof(struct seamark_files_parent, life) == offsetof(struct store_parent, life), "parents are handed out as they are");
_Static_assert(sizeof(struct seamark_files_extent) == sizeof(struct shape_extent), "extents are handed out as they are");

static _Thread_local struct fault last_fault;

const char *seamark_files_error(void)
{
	return last_fault.code ? last_fault.text : fault_text(0);
}

uint64_t seamark_files_bytes_read(void)
{
	return chunk_bytes_read();
}

struct fault *files_fresh_fault(void)
{
	last_fault = FAULT_NONE;
	return &last_fault;
}

static struct fault *fresh_fault(void)
{
	return files_fresh_fault();
}

/* --- a folder ------------------------------------------------------------------------------------------------------ */

static void fill_entry(struct seamark_files_entry *entry, const struct store_checkpoint *found)
{
	memset(entry, 0, sizeof *entry);
	entry->path = found->path;
	entry->number = found->number;
	entry->life = found->life;
	entry->pinned = found->pinned;
	memcpy(entry->run, found->identity.run, sizeof entry->run);
	entry->ranks = found->ranks;
	entry->step = found->step;
	entry->messages = found->messages;
	entry->message_bytes = found->message_bytes;
	entry->bytes = found->bytes;
	entry->referred_bytes = found->referred;
	entry->parent_count = found->parent_count;
	entry->parents = (const struct seamark_files_parent *)(const void *)found->parents;
	entry->held_s = found->held_s;
	entry->taken_ns = found->taken_ns;
}

/* false: no memory. One that was retired since it was listed is left out. */
static bool add_entry(struct seamark_files *files, const char *folder, const struct catalogue_entry *listed, struct store_checkpoint *found)
{
	struct seamark_files_entry *entry = &files->entries[files->count];
	struct fault fault = FAULT_NONE;
	int code = catalogue_read(folder, listed, found, &fault);

	if (code == SEAMARK_E_NOT_FOUND)
		return true;
	fill_entry(entry, found);
	entry->status = code;
	entry->path = strdup(found->path);
	entry->problem = code ? strdup(fault.text) : NULL;
	entry->parents = malloc(sizeof found->parents);
	if (entry->parents)
		memcpy((void *)(uintptr_t)entry->parents, found->parents, sizeof found->parents);
	files->count++;
	return entry->path && entry->parents && (!code || entry->problem);
}

static int read_folder(struct seamark_files *files, const char *folder, struct fault *fault)
{
	struct store_checkpoint *found = malloc(sizeof *found);
	struct catalogue_entry *list = NULL;
	size_t count = 0;
	bool whole = found != NULL;
	int code = catalogue_list(folder, &list, &count, fault);

	if (!code) {
		files->entries = calloc(count + 1, sizeof *files->entries);
		whole = whole && files->entries;
	}
	for (size_t i = 0; !code && whole && i < count; i++)
		if (list[i].committed)
			whole = add_entry(files, folder, &list[i], found);
	free(list);
	free(found);
	return code || whole ? code : fault_set(fault, SEAMARK_E_MEMORY, "no memory to list folder '%s'", folder);
}

int seamark_files_open(seamark_files **opened, const char *folder)
{
	struct fault *fault = fresh_fault();
	struct seamark_files *files;
	int code;

	if (!opened || !folder)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_open: an argument is null");
	files = calloc(1, sizeof *files);
	if (!files)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to list folder '%s'", folder);
	code = read_folder(files, folder, fault);
	if (code)
		seamark_files_close(files);
	else
		*opened = files;
	return code;
}

void seamark_files_close(seamark_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->count; i++) {
		free((char *)(uintptr_t)files->entries[i].path);
		free((char *)(uintptr_t)files->entries[i].problem);
		free((void *)(uintptr_t)files->entries[i].parents);
	}
	free(files->entries);
	free(files);
}

size_t seamark_files_count(const seamark_files *files)
{
	return files->count;
}

int seamark_files_entry_at(const seamark_files *files, size_t index, struct seamark_files_entry *entry)
{
	if (index >= files->count)
		return fault_set(fresh_fault(), SEAMARK_E_ARGUMENT, "there are %zu checkpoints, not %zu", files->count, index + 1);
	*entry = files->entries[index];
	return 0;
}

/* Of two lives' the newest. */
int seamark_files_entry_of(const seamark_files *files, uint64_t number, struct seamark_files_entry *entry)
{
	for (size_t i = files->count; i--;)
		if (files->entries[i].number == number) {
			*entry = files->entries[i];
			return 0;
		}
	return fault_set(fresh_fault(), SEAMARK_E_NOT_FOUND, "there is no checkpoint %llu", (unsigned long long)number);
}

int seamark_files_check_run(const char *folder)
{
	struct fault *fault = fresh_fault();
	struct run_file file;
	int code;

	if (!folder)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_check_run: an argument is null");
	code = run_file_read(folder, &file, fault);
	return code == SEAMARK_E_NOT_FOUND ? 0 : code;
}

int seamark_files_newest_life(const char *folder, struct seamark_files_life *life)
{
	struct fault *fault = fresh_fault();
	struct run_file file;
	int code;

	if (!folder || !life)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_newest_life: an argument is null");
	code = run_file_read(folder, &file, fault);
	if (code)
		return code;
	*life = (struct seamark_files_life){ .life = file.life, .process = file.process };
	memcpy(life->run, file.run, sizeof life->run);
	snprintf(life->owner, sizeof life->owner, "%s", file.owner);
	snprintf(life->start, sizeof life->start, "%s", file.start);
	snprintf(life->host, sizeof life->host, "%s", file.host);
	return 0;
}

int seamark_files_pin(const char *path, int pinned)
{
	struct fault *fault = fresh_fault();
	struct io_path manifest, file;
	int fd;

	if (!path)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_pin: an argument is null");
	manifest = io_path("%s/" MANIFEST_NAME, path);
	file = io_path("%s/" MANIFEST_PINNED, path);
	if (access(manifest.text, F_OK))
		return fault_errno(fault, "'%s' is no checkpoint", path);
	if (pinned) {
		fd = io_open(file.text, O_WRONLY | O_CREAT);
		if (fd < 0)
			return fault_errno(fault, "cannot make '%s'", file.text);
		close(fd);
	} else if (unlink(file.text) && errno != ENOENT) {
		return fault_errno(fault, "cannot remove '%s'", file.text);
	}
	/* A run may be retiring it: that looks for the pin once more, behind which this looks. */
	if (pinned && access(manifest.text, F_OK)) {
		unlink(file.text);
		return fault_set(fault, SEAMARK_E_NOT_FOUND, "'%s' has just been retired", path);
	}
	return io_sync_folder(path, fault);
}

int seamark_files_compact(const char *path, struct seamark_files_compaction *done)
{
	struct fault *fault = fresh_fault();
	struct store_checkpoint *both;
	int code;

	if (!path)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_compact: an argument is null");
	both = calloc(2, sizeof *both);
	if (!both)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to rewrite '%s'", path);
	code = compact_checkpoint(path, &both[0], &both[1], fault);
	if (!code && done)
		*done = (struct seamark_files_compaction){ both[0].parent_count, both[0].bytes, both[1].bytes };
	free(both);
	return code;
}

int seamark_files_prune(const char *folder, const struct seamark_files_wish *wish, void (*told)(const struct seamark_files_pruned *pruned, void *context), void *context)
{
	struct fault *fault = fresh_fault(), own = FAULT_NONE;
	int code;

	if (!folder || !wish || (wish->count && !wish->numbers))
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_prune: an argument is null");
	/* Others are called meanwhile that tell their own. */
	code = prune_folder(folder, wish, told, context, &own);
	*fault = own;
	return code;
}

/* --- a checkpoint -------------------------------------------------------------------------------------------------- */

int seamark_files_checkpoint_open(seamark_files_checkpoint **opened, const char *path)
{
	struct fault *fault = fresh_fault();
	struct seamark_files_checkpoint *checkpoint;
	int code;

	if (!opened || !path)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "seamark_files_checkpoint_open: an argument is null");
	checkpoint = calloc(1, sizeof *checkpoint);
	if (!checkpoint)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to open '%s'", path);
	code = catalogue_at_path(path, &checkpoint->checkpoint, fault);
	if (code)
		free(checkpoint);
	else
		*opened = checkpoint;
	return code;
}

void seamark_files_checkpoint_close(seamark_files_checkpoint *checkpoint)
{
	free(checkpoint);
}

void seamark_files_checkpoint_entry(const seamark_files_checkpoint *checkpoint, struct seamark_files_entry *entry)
{
	fill_entry(entry, &checkpoint->checkpoint);
}

/* --- an image ------------------------------------------------------------------------------------------------------ */

int seamark_files_image_open(seamark_files_image **opened, const seamark_files_checkpoint *checkpoint, uint32_t rank)
{
	struct fault *fault = fresh_fault();
	struct seamark_files_image *image = calloc(1, sizeof *image);
	int code;

	if (!image)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to open an image");
	code = store_open_image(&image->image, &checkpoint->checkpoint, rank, fault);
	if (code)
		free(image);
	else
		*opened = image;
	return code;
}

void seamark_files_image_close(seamark_files_image *image)
{
	if (image)
		store_close_image(image->image);
	free(image);
}

size_t seamark_files_region_count(const seamark_files_image *image)
{
	return image->image->index.protected_count;
}

int seamark_files_region_at(const seamark_files_image *image, size_t index, struct seamark_files_region *region)
{
	const struct format_region *found;

	if (index >= image->image->index.protected_count)
		return fault_set(fresh_fault(), SEAMARK_E_ARGUMENT, "rank %u has %zu regions, not %zu", image->image->identity.rank,
				 image->image->index.protected_count, index + 1);
	found = &image->image->index.regions[index];
	region->name = found->name;
	region->bytes = found->bytes;
	region->chunks = found->chunk_count;
	region->type = found->shape.type;
	region->dimensions = found->shape.dimensions;
	region->extents = (const struct seamark_files_extent *)(const void *)found->shape.extents;
	return 0;
}

static size_t find_region(const seamark_files_image *image, const char *name)
{
	size_t index = name ? format_find_region(&image->image->index, name) : SIZE_MAX;

	if (index == SIZE_MAX)
		fault_set(fresh_fault(), SEAMARK_E_NOT_FOUND, "rank %u has no region '%s'", image->image->identity.rank, name ? name : "");
	return index;
}

int seamark_files_region_of(const seamark_files_image *image, const char *name, struct seamark_files_region *region)
{
	size_t index = find_region(image, name);

	return index == SIZE_MAX ? SEAMARK_E_NOT_FOUND : seamark_files_region_at(image, index, region);
}

int seamark_files_read(seamark_files_image *image, const char *name, void *data, uint64_t bytes)
{
	size_t index = find_region(image, name);

	if (index == SIZE_MAX)
		return SEAMARK_E_NOT_FOUND;
	if (bytes != image->image->index.regions[index].bytes)
		return fault_set(fresh_fault(), SEAMARK_E_REGION, "region '%s' of rank %u has %llu bytes, not %llu", name,
				 image->image->identity.rank, (unsigned long long)image->image->index.regions[index].bytes,
				 (unsigned long long)bytes);
	if (!data && bytes)
		return fault_set(fresh_fault(), SEAMARK_E_ARGUMENT, "seamark_files_read: data is null");
	return image_load(image->image, index, data, fresh_fault());
}

int seamark_files_read_pieces(seamark_files_image *image, const char *name,
			      int (*take)(void *context, uint64_t offset, const void *data, uint64_t bytes), void *context)
{
	size_t index = find_region(image, name);

	return index == SIZE_MAX ? SEAMARK_E_NOT_FOUND : image_each_chunk(image->image, index, take, context, fresh_fault());
}

int seamark_files_message_count(seamark_files_image *image, size_t *count)
{
	struct store_record record;
	int code = store_image_record(image->image, &record, fresh_fault());

	if (!code)
		*count = record.message_count;
	return code;
}

int seamark_files_message_at(seamark_files_image *image, size_t index, struct seamark_files_message *message)
{
	struct store_record record;
	int code = store_image_record(image->image, &record, fresh_fault());

	if (code)
		return code;
	if (index >= record.message_count)
		return fault_set(&last_fault, SEAMARK_E_ARGUMENT, "rank %u has %zu messages, not %zu", image->image->identity.rank,
				 record.message_count, index + 1);
	message->communicator = record.comms[record.messages[index].comm].name;
	message->source = record.messages[index].source;
	message->source_world = record.messages[index].source_world;
	message->tag = record.messages[index].tag;
	message->turn = record.messages[index].turn;
	message->position = record.messages[index].position;
	message->data = record.messages[index].data;
	message->bytes = record.messages[index].bytes;
	return 0;
}

size_t seamark_files_posted_count(const seamark_files_image *image)
{
	return image->image->record.posted_count;
}

int seamark_files_posted_at(const seamark_files_image *image, size_t index, struct seamark_files_posted *posted)
{
	const struct store_record *record = &image->image->record;
	const struct store_posted *found;

	if (index >= record->posted_count)
		return fault_set(fresh_fault(), SEAMARK_E_ARGUMENT, "rank %u has %zu posted receives, not %zu", image->image->identity.rank,
				 record->posted_count, index + 1);
	found = &record->posted[index];
	posted->communicator = record->comms[found->comm].name;
	posted->source = found->any_source ? -1 : (int64_t)found->source;
	posted->source_world = found->any_source ? -1 : (int64_t)found->source_world;
	posted->tag = found->any_tag ? -1 : (int64_t)found->tag;
	posted->turn = found->turn;
	return 0;
}

size_t seamark_files_stream_count(const seamark_files_image *image)
{
	return image->image->record.stream_count;
}

int seamark_files_stream_at(const seamark_files_image *image, size_t index, struct seamark_files_stream *stream)
{
	const struct store_record *record = &image->image->record;
	const struct store_stream *found;

	if (index >= record->stream_count)
		return fault_set(fresh_fault(), SEAMARK_E_ARGUMENT, "rank %u has %zu streams, not %zu", image->image->identity.rank,
				 record->stream_count, index + 1);
	found = &record->streams[index];
	stream->communicator = record->comms[found->comm].name;
	stream->peer = found->peer;
	stream->tag = found->tag;
	stream->outgoing = found->outgoing;
	stream->abandoned = found->abandoned;
	stream->sent = found->sent;
	stream->synchronous = found->synchronous;
	stream->carried = found->carried;
	stream->seen = found->seen;
	stream->recorded = found->recorded;
	stream->highest = found->highest;
	return 0;
}

/* --- the proof ----------------------------------------------------------------------------------------------------- */

struct teller {
	void (*told)(const struct seamark_files_problem *problem, void *context);
	void *context;
};

static void pass_on(void *context, int code, int64_t rank, const char *text)
{
	const struct teller *teller = context;
	const struct seamark_files_problem problem = { .code = code, .rank = rank, .text = text };

	if (teller->told)
		teller->told(&problem, teller->context);
}

int seamark_files_verify(const seamark_files_checkpoint *checkpoint, void (*told)(const struct seamark_files_problem *problem, void *context),
			 void *context, struct seamark_files_proof *proof)
{
	struct teller teller = { .told = told, .context = context };
	struct verify_proof own;
	int code = store_verify(&checkpoint->checkpoint, pass_on, &teller, &own, fresh_fault());

	if (proof)
		*proof = (struct seamark_files_proof){ .problems = own.problems, .images = own.images, .regions = own.regions,
			.bytes = own.bytes, .streams = own.streams, .messages = own.messages, .abandoned = own.abandoned,
			.referred_bytes = own.referred, .parents = own.parents };
	return code;
}

/* --- settings ------------------------------------------------------------------------------------------------------ */

int seamark_files_setting_at(size_t index, struct seamark_files_setting *setting)
{
	size_t count;
	const struct settings_row *rows = settings_table(&count);

	if (index >= count)
		return fault_set(fresh_fault(), SEAMARK_E_ARGUMENT, "there are %zu settings, not %zu", count, index + 1);
	setting->name = rows[index].name;
	setting->type = rows[index].type;
	setting->range = rows[index].range;
	setting->fallback = rows[index].fallback;
	setting->help = rows[index].help;
	return 0;
}
