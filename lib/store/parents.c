/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/parents.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "store/catalogue.h"
#include "store/image_read.h"
#include "store/manifest.h"

/* A file group of a parent. */
struct file {
	uint64_t number;
	uint32_t life;
	uint32_t group;
	int fd;
	struct io_path path;
	struct format_header header;
	struct format_index *indexes;  /* of its ranks, read when they are asked after: null before */
	bool *known;                   /* which of them are read */
};

struct parents {
	struct store_checkpoint child;
	struct file **files;
	size_t count, room;
};

struct parents *parents_open(const struct store_checkpoint *checkpoint)
{
	struct parents *parents = calloc(1, sizeof *parents);

	if (parents)
		parents->child = *checkpoint;
	return parents;
}

static void close_file(struct file *file)
{
	for (uint32_t i = 0; file->indexes && i < file->header.rank_count; i++)
		format_free_index(&file->indexes[i]);
	free(file->indexes);
	free(file->known);
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

void parents_close(struct parents *parents)
{
	if (!parents)
		return;
	for (size_t i = 0; i < parents->count; i++)
		close_file(parents->files[i]);
	free(parents->files);
	free(parents);
}

static bool is_parent(const struct store_checkpoint *child, const struct format_place *place)
{
	for (uint32_t i = 0; i < child->parent_count; i++)
		if (child->parents[i].number == place->number && child->parents[i].life == place->life)
			return true;
	return false;
}

static int read_manifest(const struct parents *parents, const struct format_place *place, struct store_checkpoint *parent, struct fault *fault)
{
	const struct store_checkpoint *child = &parents->child;
	struct io_path path = catalogue_beside(child->path, place->number, place->life);
	struct fault own = FAULT_NONE;
	int code;

	if (!is_parent(child, place))
		return fault_set(fault, SEAMARK_E_DAMAGED, "checkpoint %" PRIu64 " has a chunk in checkpoint %" PRIu64 ", of which its manifest does not tell",
				 child->number, place->number);
	memset(parent, 0, sizeof *parent);
	strcpy(parent->path, path.text);
	code = manifest_read_held(parent, path.text, &own);
	if (code == SEAMARK_E_NOT_FOUND)
		return fault_set(fault, SEAMARK_E_DAMAGED, "checkpoint %" PRIu64 " needs files of checkpoint %" PRIu64 ", and there is no '%s': put that folder "
				 "there; `seamark compact %" PRIu64 "`, where both are, makes one that needs no other", child->number, place->number,
				 path.text, child->number);
	if (code)
		return fault_set(fault, code, "checkpoint %" PRIu64 " needs checkpoint %" PRIu64 ": %s", child->number, place->number, own.text);
	if (parent->number != place->number || parent->life != place->life || memcmp(parent->identity.run, child->identity.run, sizeof child->identity.run))
		return fault_set(fault, SEAMARK_E_RUN, "'%s' is of another run than checkpoint %" PRIu64 ", which needs it", path.text, child->number);
	return 0;
}

static int open_file(const struct parents *parents, const struct format_place *place, struct file *file, struct fault *fault)
{
	struct store_checkpoint *parent = malloc(sizeof *parent);
	uint32_t group;
	char name[96];
	int code;

	if (!parent)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to open checkpoint %" PRIu64, place->number);
	code = read_manifest(parents, place, parent, fault);
	if (!code && (place->rank >= parent->ranks || !manifest_locate(parent, place->rank, name, sizeof name, &group) || group != place->group))
		code = fault_set(fault, SEAMARK_E_DAMAGED, "checkpoint %" PRIu64 " has no rank %u in file group %u, where checkpoint %" PRIu64
				 " has a chunk", place->number, place->rank, place->group, parents->child.number);
	if (!code) {
		file->path = io_path("%s/%s", parent->path, name);
		code = image_open_file(&file->fd, &file->header, file->path.text, parent, group, fault);
	}
	free(parent);
	return code;
}

static int add_file(struct parents *parents, const struct format_place *place, struct file **added, struct fault *fault)
{
	struct file **grown = list_with_room(parents->files, parents->count, &parents->room, sizeof(*grown));
	struct file *file = grown ? calloc(1, sizeof *file) : NULL;
	int code;

	if (grown)
		parents->files = grown;
	if (!file)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to open checkpoint %" PRIu64, place->number);
	*file = (struct file){ .number = place->number, .life = place->life, .group = place->group, .fd = -1 };
	code = open_file(parents, place, file, fault);
	if (code) {
		close_file(file);
		return code;
	}
	parents->files[parents->count++] = file;
	*added = file;
	return 0;
}

static int find_file(struct parents *parents, const struct format_place *place, struct file **found, struct fault *fault)
{
	for (size_t i = parents->count; i--;) {
		struct file *file = parents->files[i];

		if (file->number == place->number && file->life == place->life && file->group == place->group) {
			*found = file;
			return 0;
		}
	}
	return add_file(parents, place, found, fault);
}

int parents_file(struct parents *parents, const struct format_chunk *chunk, int *fd, const char **path, struct fault *fault)
{
	struct file *file;
	int code = find_file(parents, &chunk->place, &file, fault);

	if (code)
		return code;
	if (chunk->offset > file->header.file_size || chunk->stored > file->header.file_size - chunk->offset)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is too short for a chunk of checkpoint %" PRIu64, file->path.text, parents->child.number);
	*fd = file->fd;
	*path = file->path.text;
	return 0;
}

/* --- the tables there ------------------------------------------------------------------------------------------------ */

static int read_index(struct file *file, uint32_t at, struct fault *fault)
{
	if (!file->indexes)
		file->indexes = calloc(file->header.rank_count, sizeof *file->indexes);
	if (!file->known)
		file->known = calloc(file->header.rank_count, sizeof *file->known);
	if (!file->indexes || !file->known)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", file->path.text);
	if (file->known[at])
		return 0;
	file->known[at] = true;
	return image_read_index(&file->indexes[at], file->fd, &file->header, &file->header.ranks[at], file->path.text, fault);
}

static bool is_same(const struct format_chunk *left, const struct format_chunk *right)
{
	return left->codec == right->codec && left->offset == right->offset && left->length == right->length && left->stored == right->stored &&
	       left->checksum == right->checksum && left->content_hash[0] == right->content_hash[0] && left->content_hash[1] == right->content_hash[1];
}

int parents_check(struct parents *parents, const struct format_chunk *chunk, struct fault *fault)
{
	const struct format_index *index;
	struct file *file;
	uint32_t at = 0;
	int code = find_file(parents, &chunk->place, &file, fault);

	if (code)
		return code;
	while (at < file->header.rank_count && file->header.ranks[at].rank != chunk->place.rank)
		at++;
	if (at == file->header.rank_count)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' has no image of rank %u", file->path.text, chunk->place.rank);
	code = read_index(file, at, fault);
	if (code)
		return code;
	index = &file->indexes[at];
	if (chunk->place.chunk >= index->chunk_count || index->chunks[chunk->place.chunk].elsewhere ||
	    !is_same(&index->chunks[chunk->place.chunk], chunk))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' does not have the chunk that checkpoint %" PRIu64 " says is there", file->path.text,
				 parents->child.number);
	return 0;
}
