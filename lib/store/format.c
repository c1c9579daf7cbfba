/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/format.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const uint8_t magic[8] = { 0x89, 'S', 'M', 'K', '\r', '\n', 0x1A, '\n' };

/* --- header -------------------------------------------------------------------------------------------------------- */

void format_put_header(uint8_t *data, const struct format_header *header)
{
	uint32_t size = format_header_size(header->rank_count);
	struct bytes_out out = { .data = data, .room = size }; /* never grows: it is as large as it gets */
	const struct store_identity *identity = &header->identity;

	assert(header->rank_count <= FORMAT_RANKS_MAX);
	bytes_put(&out, magic, sizeof magic);
	bytes_put_u32(&out, FORMAT_VERSION);
	bytes_put_u32(&out, size);
	bytes_put_u64(&out, 0);
	bytes_put_u64(&out, 0);
	bytes_put(&out, identity->run, sizeof identity->run);
	bytes_put_u64(&out, identity->number);
	bytes_put_u64(&out, identity->nonce);
	bytes_put_u64(&out, (uint64_t)identity->step);
	bytes_put_u32(&out, identity->life);
	bytes_put_u32(&out, 0);
	bytes_put_u32(&out, identity->ranks);
	bytes_put_u32(&out, header->group);
	bytes_put_u64(&out, header->file_size);
	bytes_put_u32(&out, header->rank_count);
	bytes_put_zeros(&out, 28);
	for (uint32_t i = 0; i < header->rank_count; i++) {
		const struct format_rank *rank = &header->ranks[i];

		bytes_put_u32(&out, rank->rank);
		bytes_put_u32(&out, 0);
		bytes_put_u64(&out, rank->index_offset);
		bytes_put_u64(&out, rank->index_size);
		bytes_put_u64(&out, rank->table_hash);
		bytes_put_u64(&out, rank->content);
		bytes_put_zeros(&out, 24);
	}
	bytes_put_zeros(&out, size - 8 - out.size);
	bytes_put_u64(&out, XXH3_64bits(data, size - 8));
	assert(out.data == data && out.size == size);
}

/* One that cannot be is taken for that of one page: then the checksum does not hold. */
uint32_t format_header_span(const uint8_t page[FORMAT_HEADER_SIZE], uint64_t file_size)
{
	struct bytes_in in = bytes_from(page + 12, 4);
	uint32_t size = bytes_get_u32(&in);

	return size && size % FORMAT_HEADER_SIZE == 0 && size <= FORMAT_HEADER_MOST && size <= file_size ? size : FORMAT_HEADER_SIZE;
}

static bool all_zero(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i])
			return false;
	return true;
}

static bool get_zeros(struct bytes_in *in, size_t size)
{
	const uint8_t *at = bytes_get(in, size);

	return at && all_zero(at, size);
}

/* What must be known before anything else of a header can be believed. */
static int check_preamble(struct bytes_in *in, const uint8_t *data, uint32_t size, const char *what, struct fault *fault)
{
	struct bytes_in check = bytes_from(data + size - 8, 8);
	uint32_t version;
	uint64_t must;

	if (all_zero(data, size))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' was never finished", what);
	if (memcmp(bytes_get(in, sizeof magic), magic, sizeof magic))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is not an image of Seamark", what);
	if (bytes_get_u64(&check) != XXH3_64bits(data, size - 8))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the checksum of the header is wrong", what);
	version = bytes_get_u32(in);
	if (version > FORMAT_VERSION)
		return fault_set(fault, SEAMARK_E_VERSION, "'%s' has format %u, this Seamark knows formats up to %u: use a newer Seamark",
				 what, version, FORMAT_VERSION);
	if (version < 1 || bytes_get_u32(in) != size)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the header is of no known kind", what);
	must = bytes_get_u64(in);
	if (must)
		return fault_set(fault, SEAMARK_E_VERSION, "'%s' needs features %#llx that this Seamark does not have: use a newer one",
				 what, (unsigned long long)must);
	bytes_get_u64(in); /* what may be ignored */
	return 0;
}

static int get_rank(struct format_header *header, struct bytes_in *in, uint32_t header_size, const char *what, struct fault *fault)
{
	struct format_rank *rank = &header->ranks[header->rank_count];
	const struct format_rank *last = header->rank_count ? rank - 1 : NULL;
	bool zeros;

	rank->rank = bytes_get_u32(in);
	zeros = bytes_get_u32(in) == 0;
	rank->index_offset = bytes_get_u64(in);
	rank->index_size = bytes_get_u64(in);
	rank->table_hash = bytes_get_u64(in);
	rank->content = bytes_get_u64(in);
	zeros = get_zeros(in, 24) && zeros;
	if (!zeros || rank->rank >= header->identity.ranks || (last && rank->rank <= last->rank))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the table of ranks is wrong", what);
	if (rank->index_offset % format_align(rank->index_size) || rank->index_offset < header_size ||
	    rank->index_offset > header->file_size || rank->index_size > header->file_size - rank->index_offset)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the index of rank %u is not in the file", what, rank->rank);
	header->rank_count++;
	return 0;
}

int format_get_header(struct format_header *header, const uint8_t *data, uint64_t file_size, const char *what, struct fault *fault)
{
	uint32_t size = format_header_span(data, file_size), scope, count;
	struct bytes_in in = bytes_from(data, size - 8);
	struct store_identity *identity = &header->identity;
	int code = check_preamble(&in, data, size, what, fault);

	if (code)
		return code;
	memset(header, 0, sizeof *header);
	memcpy(identity->run, bytes_get(&in, sizeof identity->run), sizeof identity->run);
	identity->number = bytes_get_u64(&in);
	identity->nonce = bytes_get_u64(&in);
	identity->step = (int64_t)bytes_get_u64(&in);
	identity->life = bytes_get_u32(&in);
	scope = bytes_get_u32(&in);
	identity->ranks = bytes_get_u32(&in);
	header->group = bytes_get_u32(&in);
	header->file_size = bytes_get_u64(&in);
	count = bytes_get_u32(&in);
	if (scope)
		return fault_set(fault, SEAMARK_E_VERSION, "'%s' is of a scope that this Seamark does not know: use a newer one", what);
	if (!get_zeros(&in, 28) || !count || count > FORMAT_RANKS_MAX || format_header_size(count) != size || !identity->life || identity->step < SEAMARK_ANY_STEP)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the header is wrong", what);
	if (header->file_size != file_size)
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' has %llu bytes, its header says %llu", what,
				 (unsigned long long)file_size, (unsigned long long)header->file_size);
	while (header->rank_count < count) {
		code = get_rank(header, &in, size, what, fault);
		if (code)
			return code;
	}
	if (!all_zero(in.at, bytes_left(&in)))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s': the header is wrong", what);
	return 0;
}

/* --- index --------------------------------------------------------------------------------------------------------- */

static void put_region(struct bytes_out *out, const struct format_region *region)
{
	size_t name = strlen(region->name);

	bytes_put_u32(out, region->kind);
	bytes_put_u32(out, region->shape.type);
	bytes_put_u64(out, region->bytes);
	bytes_put_u64(out, region->first_chunk);
	bytes_put_u64(out, region->chunk_count);
	bytes_put_u32(out, region->shape.dimensions);
	bytes_put_u32(out, (uint32_t)name);
	bytes_put_u64(out, 0);
	for (uint32_t i = 0; i < region->shape.dimensions; i++) {
		bytes_put_u64(out, region->shape.extents[i].global);
		bytes_put_u64(out, region->shape.extents[i].first);
		bytes_put_u64(out, region->shape.extents[i].local);
		bytes_put_u64(out, region->shape.extents[i].before);
		bytes_put_u64(out, region->shape.extents[i].after);
	}
	bytes_put(out, region->name, name);
	bytes_put_zeros(out, -name & 7);
}

static void put_chunk(struct bytes_out *out, const struct format_chunk *chunk, const struct format_place *own)
{
	const struct format_place *place = chunk->elsewhere ? &chunk->place : own;

	bytes_put_u32(out, chunk->region);
	bytes_put_u32(out, chunk->codec);
	bytes_put_u64(out, chunk->logical);
	bytes_put_u64(out, chunk->length);
	bytes_put_u64(out, chunk->stored);
	bytes_put_u64(out, chunk->checksum);
	bytes_put_u64(out, chunk->content_hash[0]);
	bytes_put_u64(out, chunk->content_hash[1]);
	bytes_put_u64(out, place->number);
	bytes_put_u32(out, place->life);
	bytes_put_u32(out, place->group);
	bytes_put_u32(out, place->rank);
	bytes_put_u32(out, place->chunk);
	bytes_put_u64(out, chunk->offset);
	bytes_put_u64(out, 0);
}

void format_put_index(struct bytes_out *out, const struct format_index *index, const struct store_identity *own, uint32_t group)
{
	struct bytes_out regions = {0};

	for (size_t i = 0; i < index->region_count; i++)
		put_region(&regions, &index->regions[i]);
	bytes_put_u64(out, index->region_count);
	bytes_put_u64(out, index->chunk_count);
	bytes_put_u64(out, regions.size);
	bytes_put_u64(out, 0);
	bytes_put(out, regions.data, regions.size);
	out->failed = out->failed || regions.failed;
	bytes_free(&regions);
	for (size_t i = 0; i < index->chunk_count; i++) {
		const struct format_place place = { own->number, own->life, group, own->rank, (uint32_t)i };

		put_chunk(out, &index->chunks[i], &place);
	}
}

/* Everything that decoding an index passes around. */
struct decoding {
	struct format_index *index;
	const struct format_header *header;
	const struct format_rank *rank;
	const char *what;
	struct fault *fault;
	char *names;                  /* where the next name goes */
	struct shape_extent *extents; /* where the next extents go */
};

static int damaged(const struct decoding *d, const char *why)
{
	return fault_set(d->fault, SEAMARK_E_DAMAGED, "'%s': the index of rank %u is wrong: %s", d->what, d->rank->rank, why);
}

static int get_shape(struct decoding *d, struct format_region *region, struct bytes_in *in)
{
	uint64_t bytes;
	const char *why;

	region->shape.extents = d->extents;
	for (uint32_t i = 0; i < region->shape.dimensions; i++) {
		struct shape_extent *extent = d->extents++;

		extent->global = bytes_get_u64(in);
		extent->first = bytes_get_u64(in);
		extent->local = bytes_get_u64(in);
		extent->before = bytes_get_u64(in);
		extent->after = bytes_get_u64(in);
	}
	if (!region->shape.dimensions)
		return 0;
	why = shape_check(&region->shape, &bytes);
	if (why)
		return fault_set(d->fault, SEAMARK_E_DAMAGED, "'%s': the index of rank %u is wrong: a region cannot be as it says: %s",
				 d->what, d->rank->rank, why);
	if (bytes != region->bytes)
		return damaged(d, "a region has another size than its shape");
	return 0;
}

static int get_region(struct decoding *d, struct format_region *region, struct bytes_in *in)
{
	uint32_t kind = bytes_get_u32(in);
	uint32_t type = bytes_get_u32(in);
	uint32_t dimensions, length;
	const uint8_t *name;
	int code;

	region->bytes = bytes_get_u64(in);
	region->first_chunk = bytes_get_u64(in);
	region->chunk_count = bytes_get_u64(in);
	dimensions = bytes_get_u32(in);
	length = bytes_get_u32(in);
	if (bytes_get_u64(in) || in->bad)
		return damaged(d, "the table of regions ends too early");
	if (kind > FORMAT_MESSAGES || type >= SHAPE_TYPES || dimensions > SHAPE_DIMENSIONS_MAX || (type && !dimensions))
		return damaged(d, "a region is of no known kind");
	if ((kind == FORMAT_PROTECTED) != (length > 0) || length > FORMAT_NAME_MAX)
		return damaged(d, "a region has a name that cannot be");
	region->kind = (enum format_kind)kind;
	region->shape.type = type;
	region->shape.dimensions = dimensions;
	if (bytes_left(in) < (uint64_t)dimensions * FORMAT_EXTENT_ENTRY)
		return damaged(d, "the table of regions ends too early");
	code = get_shape(d, region, in);
	if (code)
		return code;
	name = bytes_get(in, length);
	if (!name || !get_zeros(in, -length & 7))
		return damaged(d, "the table of regions ends too early");
	if (memchr(name, 0, length))
		return damaged(d, "a region has a name that cannot be");
	region->name = d->names;
	memcpy(d->names, name, length);
	d->names += length;
	*d->names++ = 0;
	return 0;
}

static int compare_names(const void *a, const void *b, void *regions)
{
	const struct format_region *table = regions;

	return strcmp(table[*(const size_t *)a].name, table[*(const size_t *)b].name);
}

/* The protected ones first, with different names, then the record, then the messages. */
static int check_regions(struct decoding *d)
{
	struct format_index *index = d->index;
	size_t count = index->region_count;

	if (count < 2 || index->regions[count - 2].kind != FORMAT_RECORD || index->regions[count - 1].kind != FORMAT_MESSAGES)
		return damaged(d, "there is no record");
	index->protected_count = count - 2;
	for (size_t i = 0; i < index->protected_count; i++) {
		if (index->regions[i].kind != FORMAT_PROTECTED)
			return damaged(d, "there is more than one record");
		index->by_name[i] = i;
	}
	qsort_r(index->by_name, index->protected_count, sizeof *index->by_name, compare_names, index->regions);
	for (size_t i = 1; i < index->protected_count; i++)
		if (!strcmp(index->regions[index->by_name[i - 1]].name, index->regions[index->by_name[i]].name))
			return damaged(d, "two regions have the same name");
	return 0;
}

/* Of the checkpoint itself it is the image's own; else of one before it, and not so far that a manifest could not name it. */
static int check_place(const struct decoding *d, struct format_chunk *chunk, uint32_t number)
{
	const struct store_identity *identity = &d->header->identity;
	const struct format_place *place = &chunk->place;

	if (place->number == identity->number) {
		if (place->life != identity->life || place->group != d->header->group || place->rank != d->rank->rank || place->chunk != number)
			return damaged(d, "a chunk is said to be where another is");
		return 0;
	}
	chunk->elsewhere = true;
	if (place->number > identity->number || identity->number - place->number > FORMAT_PARENTS_MAX || !place->life ||
	    place->life > identity->life)
		return damaged(d, "a chunk is said to be in a checkpoint that cannot have it");
	return 0;
}

/* What is coded is bounded, so that nobody can make a reader take memory, or time, for what a few bytes claim. */
static bool sizes_can_be(const struct format_chunk *chunk)
{
	if (!chunk->length)
		return false;
	if (chunk->codec == FORMAT_PLAIN)
		return chunk->stored == chunk->length;
	if (chunk->length > FORMAT_CHUNK_SIZE)
		return false;
	if (chunk->codec == FORMAT_ZERO)
		return !chunk->stored && !chunk->offset;
	return chunk->stored && chunk->stored < chunk->length;
}

static int get_chunk(struct decoding *d, struct format_chunk *chunk, uint32_t number, struct bytes_in *in)
{
	uint32_t codec;
	bool zeros;
	int code;

	chunk->region = bytes_get_u32(in);
	codec = bytes_get_u32(in);
	chunk->logical = bytes_get_u64(in);
	chunk->length = bytes_get_u64(in);
	chunk->stored = bytes_get_u64(in);
	chunk->checksum = bytes_get_u64(in);
	chunk->content_hash[0] = bytes_get_u64(in);
	chunk->content_hash[1] = bytes_get_u64(in);
	chunk->place.number = bytes_get_u64(in);
	chunk->place.life = bytes_get_u32(in);
	chunk->place.group = bytes_get_u32(in);
	chunk->place.rank = bytes_get_u32(in);
	chunk->place.chunk = bytes_get_u32(in);
	chunk->offset = bytes_get_u64(in);
	zeros = bytes_get_u64(in) == 0;
	if (codec >= FORMAT_CODECS)
		return fault_set(d->fault, SEAMARK_E_VERSION, "'%s' has a chunk that is coded in a way that this Seamark does not know: use a newer one",
				 d->what);
	chunk->codec = (enum format_codec)codec;
	if (!zeros || !sizes_can_be(chunk))
		return damaged(d, "a chunk has a size that cannot be");
	code = check_place(d, chunk, number);
	return !code && codec == FORMAT_ZERO && chunk->elsewhere ? damaged(d, "zeros are kept in another file") : code;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct format_chunk *left = *(const struct format_chunk *const *)a, *right = *(const struct format_chunk *const *)b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/* A file's own chunks lie inside it, in any order, and do not overlap: so all of them together cannot be larger than it. */
static int check_chunk_places(struct decoding *d)
{
	uint64_t size = d->header->file_size, free_from = format_header_size(d->header->rank_count);
	const struct format_chunk **own = calloc(d->index->chunk_count + 1, sizeof *own);
	size_t count = 0;
	bool sorted = true;
	int code = 0;

	if (!own)
		return fault_set(d->fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", d->what);
	for (size_t i = 0; !code && i < d->index->chunk_count; i++) {
		const struct format_chunk *chunk = &d->index->chunks[i];

		if (chunk->codec == FORMAT_ZERO)
			continue;
		if (chunk->offset % format_align(chunk->stored) || chunk->offset < FORMAT_HEADER_SIZE || chunk->offset > INT64_MAX ||
		    chunk->stored > INT64_MAX - chunk->offset)
			code = damaged(d, "a chunk is not in the file");
		if (code || chunk->elsewhere)
			continue;
		sorted = sorted && (!count || own[count - 1]->offset <= chunk->offset);
		own[count++] = chunk;
	}
	if (!code && !sorted)
		qsort(own, count, sizeof(*own), compare_offsets);
	for (size_t i = 0; !code && i < count; i++) {
		if (own[i]->offset < free_from || own[i]->offset > size || own[i]->stored > size - own[i]->offset)
			code = damaged(d, "a chunk is not in the file");
		free_from = own[i]->offset + own[i]->stored;
	}
	free(own);
	return code;
}

/* Each region's chunks are its content without gaps. */
static int check_chunk_order(struct decoding *d)
{
	uint64_t next = 0, content = 0;

	for (size_t i = 0; i < d->index->region_count; i++) {
		const struct format_region *region = &d->index->regions[i];
		uint64_t end = 0;

		if (region->first_chunk != next || region->chunk_count > d->index->chunk_count - next)
			return damaged(d, "chunks are missing");
		for (uint64_t c = 0; c < region->chunk_count; c++) {
			const struct format_chunk *chunk = &d->index->chunks[next++];

			if (chunk->region != i || chunk->logical != end)
				return damaged(d, "chunks are out of order");
			if (chunk->elsewhere && region->kind != FORMAT_PROTECTED)
				return damaged(d, "the record lies in another file");
			if (__builtin_add_overflow(content, chunk->length, &content))
				return damaged(d, "the chunks of a region are not its size");
			end += chunk->length;
		}
		if (end != region->bytes)
			return damaged(d, "the chunks of a region are not its size");
	}
	if (next != d->index->chunk_count || content != d->rank->content)
		return damaged(d, "chunks are left over");
	return 0;
}

/* All memory that decoding needs is at most a few times what the index itself takes. */
static int take_memory(struct decoding *d, size_t table_size)
{
	struct format_index *index = d->index;

	index->regions = calloc(index->region_count + 1, sizeof *index->regions);
	index->chunks = calloc(index->chunk_count + 1, sizeof *index->chunks);
	index->by_name = calloc(index->region_count + 1, sizeof *index->by_name);
	/* Names with their NULs are shorter than the entries they come from, and extents lie in memory as in the file. */
	index->memory = malloc(2 * table_size + 1);
	if (!index->regions || !index->chunks || !index->by_name || !index->memory)
		return fault_set(d->fault, SEAMARK_E_MEMORY, "no memory for the index of '%s'", d->what);
	d->extents = index->memory;
	d->names = (char *)index->memory + table_size;
	return 0;
}

int format_get_index(struct format_index *index, const void *data, size_t size, const struct format_header *header,
		     const struct format_rank *rank, const char *what, struct fault *fault)
{
	struct decoding d = { .index = index, .header = header, .rank = rank, .what = what, .fault = fault };
	struct bytes_in in = bytes_from(data, size), regions;
	uint64_t region_count, chunk_count, table_size, reserved;
	int code;

	memset(index, 0, sizeof *index);
	if (size != rank->index_size || XXH3_64bits(data, size) != rank->table_hash)
		return damaged(&d, "its checksum does not hold");
	region_count = bytes_get_u64(&in);
	chunk_count = bytes_get_u64(&in);
	table_size = bytes_get_u64(&in);
	reserved = bytes_get_u64(&in);
	if (in.bad || reserved || table_size % 8 || table_size > bytes_left(&in) || region_count > table_size / FORMAT_REGION_ENTRY ||
	    chunk_count > UINT32_MAX || bytes_left(&in) - table_size != chunk_count * FORMAT_CHUNK_ENTRY)
		return damaged(&d, "its lengths do not add up");
	index->region_count = (size_t)region_count;
	index->chunk_count = (size_t)chunk_count;
	code = take_memory(&d, (size_t)table_size);
	if (code)
		return code;
	regions = bytes_from(bytes_get(&in, (size_t)table_size), (size_t)table_size);
	for (size_t i = 0; !code && i < index->region_count; i++)
		code = get_region(&d, &index->regions[i], &regions);
	if (!code && bytes_left(&regions))
		code = damaged(&d, "its lengths do not add up");
	for (size_t i = 0; !code && i < index->chunk_count; i++)
		code = get_chunk(&d, &index->chunks[i], (uint32_t)i, &in);
	if (!code)
		code = check_regions(&d);
	if (!code)
		code = check_chunk_places(&d);
	return code ? code : check_chunk_order(&d);
}

void format_free_index(struct format_index *index)
{
	free(index->regions);
	free(index->chunks);
	free(index->by_name);
	free(index->memory);
	memset(index, 0, sizeof *index);
}

size_t format_find_region(const struct format_index *index, const char *name)
{
	size_t low = 0, high = index->protected_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, index->regions[index->by_name[middle]].name);

		if (!order)
			return index->by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return SIZE_MAX;
}
