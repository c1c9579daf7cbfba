/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads an image. Everything in it is checked before it is used or memory is taken for it; what a chunk claims about its content is
 * checked whenever the content is read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/list.h"
#include "store/image_read.h"
#include "store/manifest.h"

/* Chunks that are worth another opening of their file. */
enum { LARGE = 128 << 10 };

static int open_file(int *fd, const char *path, uint64_t *size, struct fault *fault)
{
	struct stat status;

	/* Not to wait for whatever lies there instead of a file. */
	*fd = io_open(path, O_RDONLY | O_NONBLOCK);
	if (*fd < 0 && errno == ENOENT)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is missing", path);
	if (*fd < 0 && errno == ELOOP)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is a symbolic link, or its folder is, and that is not followed", path);
	if (*fd < 0 || fstat(*fd, &status))
		return fault_errno(fault, "cannot open '%s'", path);
	if (!S_ISREG(status.st_mode))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is not a file", path);
	*size = (uint64_t)status.st_size;
	return 0;
}

static int read_header(int *fd, struct format_header *header, const char *path, struct fault *fault)
{
	uint8_t data[FORMAT_HEADER_MOST];
	uint64_t size = 0;
	int code = open_file(fd, path, &size, fault);

	if (!code && size < FORMAT_HEADER_SIZE)
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is cut short", path);
	if (!code)
		code = io_read(*fd, data, FORMAT_HEADER_SIZE, 0, path, fault);
	if (!code)
		code = io_read(*fd, data + FORMAT_HEADER_SIZE, format_header_span(data, size) - FORMAT_HEADER_SIZE, FORMAT_HEADER_SIZE, path, fault);
	return code ? code : format_get_header(header, data, size, path, fault);
}

int image_open_file(int *fd, struct format_header *header, const char *path, const struct store_checkpoint *checkpoint, uint32_t group,
		    struct fault *fault)
{
	const struct store_identity *is = &header->identity, *should = &checkpoint->identity;
	int code = read_header(fd, header, path, fault);

	if (code)
		return code;
	if (memcmp(is->run, should->run, sizeof is->run) || is->number != should->number || is->life != should->life ||
	    is->nonce != should->nonce || is->ranks != should->ranks || is->step != should->step || header->group != group)
		return fault_set(fault, SEAMARK_E_RUN, "'%s' is of another run or attempt than the manifest beside it", path);
	return 0;
}

static int find_rank(struct store_image *image, uint32_t rank, struct fault *fault)
{
	image->identity = image->header.identity;
	image->identity.rank = rank;
	for (uint32_t i = 0; i < image->header.rank_count; i++)
		if (image->header.ranks[i].rank == rank) {
			image->rank = &image->header.ranks[i];
			return 0;
		}
	return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' has no image of rank %u", image->path.text, rank);
}

int image_read_index(struct format_index *index, int fd, const struct format_header *header, const struct format_rank *rank, const char *path,
		     struct fault *fault)
{
	size_t size = (size_t)rank->index_size;
	void *data = malloc(size + 1);
	int code;

	memset(index, 0, sizeof *index);
	if (!data)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", path);
	code = io_read(fd, data, size, rank->index_offset, path, fault);
	if (!code)
		code = format_get_index(index, data, size, header, rank, path, fault);
	free(data);
	return code;
}

/* --- content ------------------------------------------------------------------------------------------------------- */

/* The file that is open, whatever has become of its name. */
static void go_direct(int fd, struct image_direct *direct)
{
	struct io_path path = io_path("/proc/self/fd/%d", fd);

	*direct = (struct image_direct){ .fd = fd, .direct = -1, .align = io_direct_alignment(fd) };
	if (direct->align)
		direct->direct = open(path.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_DIRECT);
}

/* Without it there is the page cache. */
static const struct image_direct *find_direct(struct store_image *image, int fd)
{
	static const struct image_direct none = { .fd = -1, .direct = -1 };
	struct image_direct *directs;

	for (size_t i = 0; i < image->direct_count; i++)
		if (image->directs[i].fd == fd)
			return &image->directs[i];
	directs = list_with_room(image->directs, image->direct_count, &image->direct_room, sizeof *directs);
	if (!directs)
		return &none;
	image->directs = directs;
	go_direct(fd, &directs[image->direct_count]);
	return &directs[image->direct_count++];
}

int image_find_source(struct store_image *image, const struct format_chunk *chunk, struct image_source *source, struct fault *fault)
{
	const struct image_direct *direct;
	int code = 0;

	*source = (struct image_source){ .fd = image->fd, .path = image->path.text, .direct = -1 };
	if (!chunk->elsewhere && chunk->stored < LARGE)
		return 0;
	pthread_mutex_lock(&image->lock);
	if (chunk->elsewhere)
		code = parents_file(image->parents, chunk, &source->fd, &source->path, fault);
	if (!code && chunk->stored >= LARGE) {
		direct = find_direct(image, source->fd);
		source->direct = direct->direct;
		source->align = direct->align;
	}
	pthread_mutex_unlock(&image->lock);
	return code;
}

/* A region of our own, in memory. */
static int load_own(struct store_image *image, size_t index, uint8_t **data, struct fault *fault)
{
	*data = malloc((size_t)image->index.regions[index].bytes + 1);
	if (!*data)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the record of '%s'", image->path.text);
	return image_load(image, index, *data, fault);
}

static int read_record(struct store_image *image, struct fault *fault)
{
	size_t index = image->index.protected_count;
	const struct format_region *messages = &image->index.regions[index + 1];
	uint8_t *data;
	uint64_t size = 0;
	int code = load_own(image, index, &data, fault);

	if (!code)
		code = format_get_record(&image->record, &size, data, (size_t)image->index.regions[index].bytes, image->identity.ranks,
					 image->path.text, fault);
	if (!code && size != messages->bytes)
		code = fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the messages are not as long as the record says", image->path.text);
	free(data);
	return code;
}

/* --- what the hall calls ------------------------------------------------------------------------------------------- */

static int open_parts(struct store_image *image, const struct store_checkpoint *checkpoint, uint32_t rank, struct fault *fault)
{
	uint32_t group;
	char name[96];
	int code;

	if (rank >= checkpoint->ranks || !manifest_locate(checkpoint, rank, name, sizeof name, &group))
		return fault_set(fault, SEAMARK_E_ARGUMENT, "checkpoint %llu has no rank %u", (unsigned long long)checkpoint->number, rank);
	image->path = io_path("%s/%s", checkpoint->path, name);
	image->parents = parents_open(checkpoint);
	if (!image->parents)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", image->path.text);
	code = image_open_file(&image->fd, &image->header, image->path.text, checkpoint, group, fault);
	if (!code)
		code = find_rank(image, rank, fault);
	if (!code)
		code = image_read_index(&image->index, image->fd, &image->header, image->rank, image->path.text, fault);
	return code ? code : read_record(image, fault);
}

int store_open_image(struct store_image **opened, const struct store_checkpoint *checkpoint, uint32_t rank, struct fault *fault)
{
	struct store_image *image = calloc(1, sizeof *image);
	int code;

	if (!image)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to open an image");
	image->fd = -1;
	pthread_mutex_init(&image->lock, NULL);
	code = open_parts(image, checkpoint, rank, fault);
	if (code) {
		store_close_image(image);
		return code;
	}
	*opened = image;
	return 0;
}

int store_open_parents(struct store_image *image, struct fault *fault)
{
	struct image_source source;
	int code = 0;

	for (size_t i = 0; !code && i < image->index.chunk_count; i++)
		code = image_find_source(image, &image->index.chunks[i], &source, fault);
	return code;
}

void store_close_image(struct store_image *image)
{
	if (!image)
		return;
	if (image->fd >= 0)
		close(image->fd);
	for (size_t i = 0; i < image->direct_count; i++)
		if (image->directs[i].direct >= 0)
			close(image->directs[i].direct);
	free(image->directs);
	pthread_mutex_destroy(&image->lock);
	parents_close(image->parents);
	format_free_index(&image->index);
	format_free_record(&image->record);
	free(image->messages);
	free(image);
}

const struct store_identity *store_image_identity(const struct store_image *image)
{
	return &image->identity;
}

uint64_t store_image_table_hash(const struct store_image *image)
{
	return image->rank->table_hash;
}

size_t store_image_region_count(const struct store_image *image)
{
	return image->index.protected_count;
}

void store_image_region(const struct store_image *image, size_t index, const char **name, uint64_t *bytes)
{
	*name = image->index.regions[index].name;
	*bytes = image->index.regions[index].bytes;
}

const struct shape *store_image_shape(const struct store_image *image, size_t index)
{
	return &image->index.regions[index].shape;
}

size_t store_image_find_region(const struct store_image *image, const char *name)
{
	return format_find_region(&image->index, name);
}

int store_image_load_region(struct store_image *image, size_t index, void *data, struct fault *fault)
{
	if (index >= image->index.protected_count)
		return fault_set(fault, SEAMARK_E_ARGUMENT, "'%s' has no region %zu", image->path.text, index);
	return image_load(image, index, data, fault);
}

/* The messages' bytes may be large: they are read when somebody wants them. */
static int load_messages(struct store_image *image, struct fault *fault)
{
	struct store_message *messages = (struct store_message *)(uintptr_t)image->record.messages;
	uint64_t at = 0;
	int code = load_own(image, image->index.protected_count + 1, &image->messages, fault);

	if (code) {
		free(image->messages);
		image->messages = NULL;
		return code;
	}
	for (size_t i = 0; i < image->record.message_count; i++) {
		at = format_message_offset(at);
		messages[i].data = image->messages + at;
		at += messages[i].bytes;
	}
	return 0;
}

int store_image_record(struct store_image *image, struct store_record *record, struct fault *fault)
{
	int code = image->messages ? 0 : load_messages(image, fault);

	if (!code)
		*record = image->record;
	return code;
}
