/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/catalogue.h"
#include "store/manifest.h"

/* What nobody would miss on a disk. */
#define SMALL (UINT64_C(1) << 20)
enum { WORTH_IT = 8, IDLE_MOST = 5 };

/* --- a table --------------------------------------------------------------------------------------------------------- */

static bool has_content(const struct format_chunk *chunk, uint64_t length, const uint64_t hash[2])
{
	return chunk->length == length && chunk->content_hash[0] == hash[0] && chunk->content_hash[1] == hash[1];
}

/* The slot of a content: empty, or of the chunk that has it. */
static uint32_t *slot_of(const struct chain_table *table, uint64_t length, const uint64_t hash[2])
{
	size_t at = (size_t)hash[0] & (table->slot_count - 1);

	while (table->slots[at] && !has_content(&table->chunks[table->slots[at] - 1], length, hash))
		at = (at + 1) & (table->slot_count - 1);
	return &table->slots[at];
}

static bool take_memory(struct chain_table *table, const struct format_index *index)
{
	size_t names = 1;

	for (size_t i = 0; i < index->region_count; i++)
		names += strlen(index->regions[i].name) + 1;
	table->slot_count = 16;
	while (table->slot_count < 2 * index->chunk_count)
		table->slot_count *= 2;
	table->slots = calloc(table->slot_count, sizeof *table->slots);
	table->chunks = malloc((index->chunk_count + 1) * sizeof *table->chunks);
	table->regions = malloc((index->region_count + 1) * sizeof *table->regions);
	table->names = malloc(names);
	return table->slots && table->chunks && table->regions && table->names;
}

static int compare_regions(const void *a, const void *b)
{
	return strcmp(((const struct chain_region *)a)->name, ((const struct chain_region *)b)->name);
}

static void add_regions(struct chain_table *table, const struct format_index *index)
{
	char *name = table->names;

	for (size_t i = 0; i < index->region_count; i++) {
		const struct format_region *region = &index->regions[i];

		if (region->kind != FORMAT_PROTECTED)
			break;
		table->regions[table->region_count++] = (struct chain_region){ name, (size_t)region->first_chunk, (size_t)region->chunk_count };
		table->count = (size_t)(region->first_chunk + region->chunk_count);
		name = stpcpy(name, region->name) + 1;
	}
	if (table->region_count)
		qsort(table->regions, table->region_count, sizeof *table->regions, compare_regions);
}

struct chain_table *chain_table_new(const struct format_index *index, const struct store_identity *identity, uint32_t group, uint64_t capture)
{
	struct chain_table *table = calloc(1, sizeof *table);

	if (!table || !take_memory(table, index)) {
		chain_table_free(table);
		return NULL;
	}
	memcpy(table->run, identity->run, sizeof table->run);
	table->number = identity->number;
	table->capture = capture;
	/* The protected regions and their chunks come first. */
	add_regions(table, index);
	for (size_t i = 0; i < table->count; i++) {
		struct format_chunk *chunk = &table->chunks[i];
		uint32_t *slot;

		*chunk = index->chunks[i];
		if (!chunk->elsewhere)
			chunk->place = (struct format_place){ identity->number, identity->life, group, identity->rank, (uint32_t)i };
		chunk->elsewhere = true;
		slot = slot_of(table, chunk->length, chunk->content_hash);
		if (!*slot)
			*slot = (uint32_t)i + 1;
	}
	return table;
}

void chain_table_free(struct chain_table *table)
{
	if (!table)
		return;
	free(table->regions);
	free(table->names);
	free(table->chunks);
	free(table->slots);
	free(table);
}

/* It was not forgotten, and the numbers are not too far apart for a manifest to name it, as they may be after many void attempts. */
static bool may_be_named(const struct format_chunk *chunk, uint64_t number)
{
	return chunk->place.number && number > chunk->place.number && number - chunk->place.number <= STORE_PARENTS_MAX;
}

const struct format_chunk *chain_find(const struct chain_table *table, uint64_t number, uint64_t length, const uint64_t hash[2])
{
	uint32_t slot = *slot_of(table, length, hash);
	const struct format_chunk *chunk = slot ? &table->chunks[slot - 1] : NULL;

	return chunk && may_be_named(chunk, number) ? chunk : NULL;
}

static int compare_logical(const void *key, const void *element)
{
	uint64_t logical = *(const uint64_t *)key, other = ((const struct format_chunk *)element)->logical;

	return (logical > other) - (logical < other);
}

const struct format_chunk *chain_at(const struct chain_table *table, uint64_t number, const char *region, uint64_t logical, uint64_t length)
{
	const struct chain_region key = { .name = (char *)(uintptr_t)region };
	const struct chain_region *found = table->region_count ? bsearch(&key, table->regions, table->region_count, sizeof key, compare_regions) : NULL;
	const struct format_chunk *chunk = found && found->count ?
		bsearch(&logical, table->chunks + found->first, found->count, sizeof *chunk, compare_logical) : NULL;

	return chunk && chunk->length == length && may_be_named(chunk, number) ? chunk : NULL;
}

/* --- the chain ------------------------------------------------------------------------------------------------------- */

static void set_table(struct chain_table **to, struct chain_table *table)
{
	chain_table_free(*to);
	*to = table;
}

void chain_close(struct chain *chain)
{
	set_table(&chain->table, NULL);
	set_table(&chain->candidate, NULL);
}

/* Those that are too far away for a chunk to name them are the first. */
static void know(struct chain *chain, uint64_t number, uint32_t life)
{
	if (chain->known_count == STORE_PARENTS_MAX)
		memmove(chain->known, chain->known + 1, --chain->known_count * sizeof *chain->known);
	chain->known[chain->known_count++] = (struct store_parent){ number, life };
}

void chain_restored(struct chain *chain, const struct store_checkpoint *restored, struct chain_table *table)
{
	set_table(&chain->table, table);
	chain->length = restored->parent_count;
	chain->chain_bytes = chain->whole_bytes = restored->bytes + restored->referred;
	chain->known_count = restored->parent_count;
	memcpy(chain->known, restored->parents, sizeof chain->known);
	know(chain, restored->number, restored->life);
}

/* What cannot be looked at is not known to be absent. */
static bool may_be_there(const char *path)
{
	return !io_leads_out(path) && (!access(path, F_OK) || (errno != ENOENT && errno != ENOTDIR));
}

static bool is_there(const char *folder, const struct store_parent *parent)
{
	struct io_path path = catalogue_path(folder, parent->number, parent->life);
	struct io_path manifest = io_path("%s/" MANIFEST_NAME, path.text), held = io_path("%s/" MANIFEST_HELD, path.text);

	return may_be_there(manifest.text) || may_be_there(held.text);
}

/* A number of 0 is no checkpoint's, so nothing refers to the chunk any more. It keeps its slot, or others would not be found. */
static void forget_parent(struct chain_table *table, const struct store_parent *parent)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->chunks[i].place.number == parent->number && table->chunks[i].place.life == parent->life)
			table->chunks[i].place.number = 0;
}

bool chain_begin(struct chain *chain, const char *folder, const struct store_identity *identity)
{
	/* Not told yet what became of the image before: what it was based on may be gone, and so may it. */
	if (chain->candidate) {
		chain_drop(chain);
		set_table(&chain->table, NULL);
	}
	if (!chain->table || chain->wait || memcmp(chain->table->run, identity->run, sizeof identity->run) || chain->length + 1 >= chain->full_every || chain->chain_bytes > 2 * chain->whole_bytes + SMALL)
		return false;
	for (uint32_t i = 0; i < chain->known_count; i++)
		if (!is_there(folder, &chain->known[i]))
			forget_parent(chain->table, &chain->known[i]);
	return true;
}

void chain_candidate(struct chain *chain, struct chain_table *table)
{
	set_table(&chain->candidate, table);
}

void chain_drop(struct chain *chain)
{
	set_table(&chain->candidate, NULL);
}

/* An increment that shares an eighth with its parents, or less, makes their files stay for nothing: the next hold all their chunks, one at first, and twice as many after each such. */
static void weigh(struct chain *chain, const struct store_outcome *outcome)
{
	if (!outcome->parents) {
		chain->wait -= chain->wait > 0;
	} else if (chain->chain_bytes < SMALL || outcome->referred > chain->whole_bytes / WORTH_IT) {
		chain->idle = 0;
	} else {
		chain->wait = UINT32_C(1) << chain->idle;
		chain->idle += chain->idle < IDLE_MOST;
	}
}

/* All ranks count alike, as all are told the same. */
void chain_settle(struct chain *chain, const struct store_outcome *outcome, uint32_t life)
{
	bool own = chain->candidate && chain->candidate->number == outcome->number;

	if (!outcome->committed) {
		if (own)
			chain_drop(chain);
		if (outcome->distrusted)
			set_table(&chain->table, NULL);
		return;
	}
	set_table(&chain->table, own ? chain->candidate : NULL);
	if (own)
		chain->candidate = NULL;
	chain->whole_bytes = outcome->bytes + outcome->referred;
	if (!outcome->parents) {
		chain->length = chain->known_count = 0;
		chain->chain_bytes = 0;
	} else {
		chain->length++;
	}
	chain->chain_bytes += outcome->bytes;
	weigh(chain, outcome);
	know(chain, outcome->number, life);
}

bool chain_name_parents(const struct chain *chain, const char *folder, uint64_t parents, struct store_checkpoint *checkpoint)
{
	uint64_t left = parents;

	checkpoint->parent_count = 0;
	for (uint32_t i = 0; i < chain->known_count; i++) {
		uint64_t back = checkpoint->number - chain->known[i].number;
		uint64_t bit = back >= 1 && back <= STORE_PARENTS_MAX ? UINT64_C(1) << (back - 1) : 0;

		if (!(left & bit))
			continue;
		if (!is_there(folder, &chain->known[i]))
			return false;
		left &= ~bit;
		checkpoint->parents[checkpoint->parent_count++] = chain->known[i];
	}
	return !left;
}
