/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/manifest.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/moment.h"
#include "store/io.h"

enum { FORMAT = 1, SIZE_MOST = 16 << 20 };

/* The last bytes of a manifest: the digits are the hash of everything before. */
static const char tail_before[] = ",\n  \"xxh3\": \"";
static const char tail_after[] = "\"\n}\n";
enum { TAIL_SIZE = sizeof tail_before - 1 + 16 + sizeof tail_after - 1 };

/* --- writing ------------------------------------------------------------------------------------------------------- */

static json_t *hex(uint64_t value)
{
	char text[17];

	snprintf(text, sizeof text, "%016" PRIx64, value);
	return json_string(text);
}

static json_t *hex_bytes(const uint8_t *data, size_t size)
{
	char text[65] = "";

	for (size_t i = 0; i < size && i < 32; i++)
		sprintf(text + 2 * i, "%02x", data[i]);
	return json_string(text);
}

/* A json_int_t has a sign; larger counts than it holds do not exist. */
static json_t *count(uint64_t value)
{
	return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value));
}

static json_t *groups(const struct store_checkpoint *checkpoint)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < checkpoint->locator_count; i++) {
		const struct store_locator *locator = &checkpoint->locators[i];

		json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:s, s:s, s:{s:s, s:i}}", "first_rank", (json_int_t)locator->first_rank,
						      "ranks", (json_int_t)locator->ranks, "ranks_each", (json_int_t)locator->ranks_each,
						      "locator", locator->pattern, "level", "folder", "redundancy", "scheme", "none",
						      "group", 1));
	}
	return list;
}

static json_t *parents(const struct store_checkpoint *checkpoint)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < checkpoint->parent_count; i++)
		json_array_append_new(list, json_pack("{s:o, s:I}", "number", count(checkpoint->parents[i].number), "life",
						      (json_int_t)checkpoint->parents[i].life));
	return list;
}

static char *make_text(const struct store_checkpoint *checkpoint)
{
	const struct store_identity *identity = &checkpoint->identity;
	char *body = NULL, *text = NULL;
	size_t size;
	json_t *root = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:s, s:I, s:I, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"format", FORMAT, "writer", "seamark " SEAMARK_VERSION, "must_understand", hex(0), "may_ignore", hex(0),
		"run", hex_bytes(identity->run, sizeof identity->run), "number", count(identity->number),
		"life", (json_int_t)identity->life, "nonce", hex(identity->nonce), "scope", "world",
		"ranks", (json_int_t)identity->ranks, "step", (json_int_t)identity->step, "taken", json_string(moment_text(checkpoint->taken_ns).text),
		"held_s", isfinite(checkpoint->held_s) ? checkpoint->held_s : 0.0, "bytes", count(checkpoint->bytes),
		"referred_bytes", count(checkpoint->referred), "messages", count(checkpoint->messages), "message_bytes",
		count(checkpoint->message_bytes), "table_sum", hex(checkpoint->table_sum), "groups", groups(checkpoint),
		"parents", parents(checkpoint));

	if (root)
		body = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
	json_decref(root);
	/* It ends with a newline and a brace, in whose place the hash goes. */
	size = body ? strlen(body) : 0;
	if (size > 2 && (text = malloc(size - 2 + TAIL_SIZE + 1)))
		sprintf(text, "%.*s%s%016" PRIx64 "%s", (int)(size - 2), body, tail_before, (uint64_t)XXH3_64bits(body, size - 2), tail_after);
	free(body);
	return text;
}

/* Jansson leaves out what it finds no memory for, deep inside: what is missing is noticed by reading it. */
char *manifest_text(const struct store_checkpoint *checkpoint)
{
	struct store_checkpoint *again = calloc(1, sizeof *again);
	char *text = again ? make_text(checkpoint) : NULL;

	if (text && (manifest_decode(again, text, strlen(text), MANIFEST_NAME, NULL) || again->locator_count != checkpoint->locator_count ||
		     again->parent_count != checkpoint->parent_count)) {
		free(text);
		text = NULL;
	}
	free(again);
	return text;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

struct reading {
	const char *what;
	struct fault *fault;
	int code;            /* the first thing that was wrong */
};

static void refuse(struct reading *r, int code, const char *member, const char *why)
{
	if (!r->code)
		r->code = fault_set(r->fault, code, "'%s': %s %s%s", r->what, member, why,
				    code == SEAMARK_E_VERSION ? ": use a newer Seamark" : "");
}

static const char *get_text(struct reading *r, json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	if (!text)
		refuse(r, SEAMARK_E_DAMAGED, member, "is missing or no text");
	return text ? text : "";
}

static uint64_t get_number(struct reading *r, json_t *object, const char *member, int64_t least, uint64_t most)
{
	json_t *value = json_object_get(object, member);
	json_int_t number = json_integer_value(value);

	if (json_is_integer(value) && number >= least && (number < 0 || (uint64_t)number <= most))
		return (uint64_t)number;
	refuse(r, SEAMARK_E_DAMAGED, member, "is missing or a number that cannot be");
	return 0;
}

static void get_bytes(struct reading *r, json_t *object, const char *member, uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const char *text = get_text(r, object, member);

	memset(data, 0, size);
	for (size_t i = 0; i < 2 * size || text[i]; i++) {
		const char *digit = i < 2 * size && text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit) {
			refuse(r, SEAMARK_E_DAMAGED, member, "is not in hexadecimal digits");
			return;
		}
		data[i / 2] = (uint8_t)(data[i / 2] << 4 | (digit - digits));
	}
}

static uint64_t get_hex(struct reading *r, json_t *object, const char *member)
{
	uint8_t data[8];
	uint64_t value = 0;

	get_bytes(r, object, member, data, sizeof data);
	for (size_t i = 0; i < sizeof data; i++)
		value = value << 8 | data[i];
	return value;
}

static int64_t get_taken(struct reading *r, json_t *object)
{
	int64_t ns = 0;

	if (!moment_read(get_text(r, object, "taken"), &ns))
		refuse(r, SEAMARK_E_DAMAGED, "taken", "is no time");
	return ns;
}

static void get_known(struct reading *r, json_t *object, const char *member, const char *known)
{
	if (strcmp(get_text(r, object, member), known))
		refuse(r, SEAMARK_E_VERSION, member, "is of a kind that this Seamark does not know");
}

/* A name below the checkpoint's folder, whoever wrote it. */
static bool is_pattern(const char *text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_*";
	const char *star = strchr(text, '*');

	return star && !strchr(star + 1, '*') && text[0] != '.' && strspn(text, allowed) == strlen(text) &&
	       strlen(text) < sizeof ((struct store_locator *)0)->pattern;
}

static void get_locator(struct reading *r, json_t *group, struct store_checkpoint *found, uint32_t first)
{
	struct store_locator *locator = &found->locators[found->locator_count++];
	json_t *redundancy = json_object_get(group, "redundancy");
	const char *pattern = get_text(r, group, "locator");

	locator->first_rank = (uint32_t)get_number(r, group, "first_rank", first, first);
	locator->ranks = (uint32_t)get_number(r, group, "ranks", 1, found->ranks - first);
	locator->ranks_each = (uint32_t)get_number(r, group, "ranks_each", 1, UINT32_MAX);
	get_known(r, group, "level", "folder");
	get_known(r, redundancy, "scheme", "none");
	get_number(r, redundancy, "group", 1, 1);
	if (!is_pattern(pattern))
		refuse(r, SEAMARK_E_DAMAGED, "locator", "names no file in the folder");
	else
		strcpy(locator->pattern, pattern);
}

static void get_groups(struct reading *r, json_t *root, struct store_checkpoint *found)
{
	json_t *groups = json_object_get(root, "groups"), *group;
	uint32_t covered = 0;
	size_t i;

	if (json_array_size(groups) > STORE_LOCATORS_MAX)
		refuse(r, SEAMARK_E_VERSION, "groups", "are more than this Seamark knows");
	json_array_foreach(groups, i, group) {
		if (r->code)
			return;
		if (covered == found->ranks)
			refuse(r, SEAMARK_E_DAMAGED, "groups", "do not cover the ranks");
		else
			get_locator(r, group, found, covered);
		covered += r->code ? 0 : found->locators[found->locator_count - 1].ranks;
	}
	if (covered != found->ranks)
		refuse(r, SEAMARK_E_DAMAGED, "groups", "do not cover the ranks");
}

static void get_identity(struct reading *r, json_t *root, struct store_checkpoint *found)
{
	struct store_identity *identity = &found->identity;

	get_bytes(r, root, "run", identity->run, sizeof identity->run);
	found->number = identity->number = get_number(r, root, "number", 0, INT64_MAX);
	found->life = identity->life = (uint32_t)get_number(r, root, "life", 1, UINT32_MAX);
	found->ranks = identity->ranks = (uint32_t)get_number(r, root, "ranks", 1, INT32_MAX);
	found->step = identity->step = (int64_t)get_number(r, root, "step", SEAMARK_ANY_STEP, INT64_MAX);
	identity->nonce = get_hex(r, root, "nonce");
}

/* Ascending, before the checkpoint itself, and near enough for a chunk to name them. */
static void get_parents(struct reading *r, json_t *root, struct store_checkpoint *found)
{
	json_t *list = json_object_get(root, "parents"), *parent;
	uint64_t least = found->number > STORE_PARENTS_MAX ? found->number - STORE_PARENTS_MAX : 0;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > STORE_PARENTS_MAX) {
		refuse(r, SEAMARK_E_DAMAGED, "parents", "are missing or too many");
		return;
	}
	json_array_foreach(list, i, parent) {
		struct store_parent *next = &found->parents[found->parent_count];

		if (least >= found->number)
			refuse(r, SEAMARK_E_DAMAGED, "parents", "are not before their child");
		if (r->code)
			return;
		next->number = get_number(r, parent, "number", (int64_t)least, found->number - 1);
		next->life = (uint32_t)get_number(r, parent, "life", 1, found->life);
		least = next->number + 1;
		found->parent_count++;
	}
}

static void get_rest(struct reading *r, json_t *root, struct store_checkpoint *found)
{
	json_t *held = json_object_get(root, "held_s");

	get_text(r, root, "writer");
	get_hex(r, root, "may_ignore");
	get_known(r, root, "scope", "world");
	found->taken_ns = get_taken(r, root);
	found->held_s = json_number_value(held);
	if (!json_is_number(held) || !(found->held_s >= 0))
		refuse(r, SEAMARK_E_DAMAGED, "held_s", "is missing or a number that cannot be");
	found->bytes = get_number(r, root, "bytes", 0, INT64_MAX);
	found->messages = get_number(r, root, "messages", 0, INT64_MAX);
	found->message_bytes = get_number(r, root, "message_bytes", 0, INT64_MAX);
	found->table_sum = get_hex(r, root, "table_sum");
	found->referred = get_number(r, root, "referred_bytes", 0, INT64_MAX);
	get_parents(r, root, found);
	get_groups(r, root, found);
}

static bool hash_holds(const char *text, size_t size)
{
	char digits[17];

	if (size <= TAIL_SIZE || memcmp(text + size - TAIL_SIZE, tail_before, sizeof tail_before - 1) ||
	    memcmp(text + size - (sizeof tail_after - 1), tail_after, sizeof tail_after - 1))
		return false;
	snprintf(digits, sizeof digits, "%016" PRIx64, (uint64_t)XXH3_64bits(text, size - TAIL_SIZE));
	return !memcmp(text + size - TAIL_SIZE + sizeof tail_before - 1, digits, 16);
}

static int decode(struct store_checkpoint *found, const char *text, size_t size, const char *what, struct fault *fault)
{
	struct reading r = { .what = what, .fault = fault };
	json_error_t error;
	json_t *root;

	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(root))
		refuse(&r, SEAMARK_E_DAMAGED, "the text", "is no JSON object");
	else if (get_number(&r, root, "format", 1, INT64_MAX) > FORMAT)
		refuse(&r, SEAMARK_E_VERSION, "format", "is newer than this Seamark");
	else if (get_hex(&r, root, "must_understand") && !r.code)
		refuse(&r, SEAMARK_E_VERSION, "must_understand", "names features that this Seamark does not have");
	if (!r.code) {
		found->locator_count = found->parent_count = 0;
		get_identity(&r, root, found);
	}
	if (!r.code)
		get_rest(&r, root, found);
	json_decref(root);
	return r.code;
}

/* What Jansson makes of it takes no more. */
static bool has_memory_for(size_t size)
{
	void *room = malloc(64 * size);

	free(room);
	return room;
}

/* Jansson does not tell want of memory from a text that it cannot read, and a checkpoint must not pass for damaged by that. */
int manifest_decode(struct store_checkpoint *found, const char *text, size_t size, const char *what, struct fault *fault)
{
	struct fault own = FAULT_NONE;
	int code = SEAMARK_E_DAMAGED;

	if (!hash_holds(text, size))
		return fault_set(fault, SEAMARK_E_DAMAGED, "'%s' is garbled: its checksum does not hold", what);
	for (int i = 0; i < 2 && code == SEAMARK_E_DAMAGED; i++) {
		own = FAULT_NONE;
		code = decode(found, text, size, what, &own);
	}
	if (code == SEAMARK_E_DAMAGED && !has_memory_for(size))
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", what);
	return code ? fault_set(fault, code, "%s", own.text) : 0;
}

static int read_file(struct store_checkpoint *found, const char *folder, const char *name, struct fault *fault)
{
	struct io_path path = io_path("%s/%s", folder, name), pinned = io_path("%s/" MANIFEST_PINNED, folder);
	char *text;
	size_t size;
	int code = io_read_file(path.text, SIZE_MOST, &text, &size, fault);

	if (code)
		return code;
	code = manifest_decode(found, text, size, path.text, fault);
	free(text);
	found->pinned = io_is_there(pinned.text);
	return code;
}

int manifest_read(struct store_checkpoint *found, const char *folder, struct fault *fault)
{
	return read_file(found, folder, MANIFEST_NAME, fault);
}

int manifest_read_held(struct store_checkpoint *found, const char *folder, struct fault *fault)
{
	static const char *const names[] = { MANIFEST_NAME, MANIFEST_HELD, MANIFEST_RETIRED };
	struct fault own = FAULT_NONE;
	int code = SEAMARK_E_NOT_FOUND;

	for (size_t i = 0; i < sizeof names / sizeof names[0] && code == SEAMARK_E_NOT_FOUND; i++) {
		own = FAULT_NONE;
		code = read_file(found, folder, names[i], &own);
	}
	return code ? fault_set(fault, code, "%s", own.text) : 0;
}

const struct store_locator *manifest_place(const struct store_locator *locators, uint32_t count, uint32_t rank, uint32_t *first, uint32_t *group)
{
	*group = 0;
	for (const struct store_locator *locator = locators; locator < locators + count; locator++) {
		uint32_t inside = rank - locator->first_rank;

		if (rank < locator->first_rank || inside >= locator->ranks) {
			*group += (uint32_t)(((uint64_t)locator->ranks + locator->ranks_each - 1) / locator->ranks_each);
			continue;
		}
		*group += inside / locator->ranks_each;
		*first = rank - inside % locator->ranks_each;
		return locator;
	}
	return NULL;
}

bool manifest_locate(const struct store_checkpoint *checkpoint, uint32_t rank, char *name, size_t room, uint32_t *group)
{
	uint32_t first;
	const struct store_locator *locator = manifest_place(checkpoint->locators, checkpoint->locator_count, rank, &first, group);
	int before;

	if (!locator)
		return false;
	before = (int)strcspn(locator->pattern, "*");
	return snprintf(name, room, "%.*s%05u%s", before, locator->pattern, first, locator->pattern + before + 1) < (int)room;
}
