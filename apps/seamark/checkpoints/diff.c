/* SPDX-License-Identifier: BSD-3-Clause */
/* seamark diff: where the protected state of two checkpoints differs, rank by rank and region by region. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "checkpoints/diff.h"
#include "command/terminal.h"

struct diff {
	struct seamark_files_entry a, b;
	seamark_files_checkpoint *open_a, *open_b;
	const char *region;       /* null: all */
	int64_t rank;             /* -1: all */
	struct diff_tolerance tolerance;
	json_t *list;             /* null: lines */
	uint64_t compared, bytes, differences, ranks_that_differ;
};

/* --- telling --------------------------------------------------------------------------------------------------------------------- */

/* What cannot be compared element by element. */
static void tell_other(struct diff *diff, uint32_t rank, const char *region, const char *text)
{
	diff->differences++;
	if (diff->list)
		json_array_append_new(diff->list, json_pack("{s:I, s:o, s:o}", "rank", (json_int_t)rank, "region", command_json_text(region), "text",
							    command_json_text(text)));
	else
		command_print("rank %" PRIu32 ", '%s': %s", rank, region, text);
}

/* Where an element lies in the array that the ranks hold together. */
struct place {
	uint64_t index[SHAPE_DIMENSIONS_MAX];
	bool ghost;
	char text[160];
};

static struct place place_of(const struct seamark_files_region *region, uint64_t element)
{
	struct place place = { .text = "" };
	size_t length = 0;

	for (uint32_t i = region->dimensions; i--;) {
		const struct seamark_files_extent *extent = &region->extents[i];
		uint64_t local = element % extent->local;

		element /= extent->local;
		place.index[i] = extent->first + local - extent->before;
		place.ghost |= local < extent->before || local >= extent->local - extent->after;
	}
	if (!place.ghost)
		for (uint32_t i = 0; i < region->dimensions && length + 24 < sizeof place.text; i++)
			length += (size_t)snprintf(place.text + length, sizeof place.text - length, "%s%" PRIu64 "%s", i ? ", " : " [", place.index[i],
						   i + 1 == region->dimensions ? "]" : "");
	return place;
}

/* JSON has no word for what is infinite. */
static json_t *number_json(long double value)
{
	return isfinite((double)value) ? json_real((double)value) : json_null();
}

static json_t *found_json(const struct diff_found *found, const struct seamark_files_region *region, const struct place *place, uint32_t rank)
{
	json_t *first = json_pack("{s:I, s:s, s:s, s:b}", "element", (json_int_t)found->first, "a", found->a, "b", found->b, "ghost", place->ghost);
	json_t *index = json_array();

	for (uint32_t i = 0; i < region->dimensions && !place->ghost; i++)
		json_array_append_new(index, json_integer((json_int_t)place->index[i]));
	json_object_set_new(first, "index", index);
	return json_pack("{s:I, s:o, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "rank", (json_int_t)rank, "region", command_json_text(region->name), "type",
			 shape_type_name(region->type), "elements", (json_int_t)found->elements, "differ", (json_int_t)found->differ, "not_numbers",
			 (json_int_t)found->not_numbers, "absolute", number_json(found->absolute), "relative", number_json(found->relative), "first", first);
}

static void tell_found(struct diff *diff, uint32_t rank, const struct seamark_files_region *region, const struct diff_found *found)
{
	struct place place = place_of(region, found->first);
	char apart[160] = "", numbers[80] = "";

	diff->differences++;
	if (diff->list) {
		json_array_append_new(diff->list, found_json(found, region, &place, rank));
		return;
	}
	if (region->type != SEAMARK_BYTE)
		snprintf(apart, sizeof apart, ", by up to %.3Lg (of the value: %.3Lg)", found->absolute, found->relative);
	if (found->not_numbers)
		snprintf(numbers, sizeof numbers, "; %" PRIu64 " are NaN in one only", found->not_numbers);
	command_print("rank %" PRIu32 ", '%s': %" PRIu64 " of %" PRIu64 " %s differ%s%s; first %" PRIu64 "%s%s: %s, %s", rank, region->name, found->differ,
		      found->elements, region->dimensions ? "elements" : "bytes", apart, numbers, found->first, place.text, place.ghost ? " (a ghost)" : "",
		      found->a, found->b);
}

/* --- one rank --------------------------------------------------------------------------------------------------------------------- */

static struct shape shape_of(const struct seamark_files_region *region)
{
	return (struct shape){ region->type, region->dimensions, (const struct shape_extent *)(const void *)region->extents };
}

/* An error of a file, which was told. */
static int diff_region(struct diff *diff, struct diff_side sides[2], uint32_t rank, const struct seamark_files_region *a)
{
	struct seamark_files_region b;
	struct shape shape_a, shape_b;
	struct diff_found found;
	char text_a[512], text_b[512], text[1200];
	int code;

	if (seamark_files_region_of(sides[1].image, a->name, &b)) {
		tell_other(diff, rank, a->name, "only the first has it");
		return 0;
	}
	shape_a = shape_of(a);
	shape_b = shape_of(&b);
	if (a->bytes != b.bytes || !shape_equal(&shape_a, &shape_b)) {
		shape_text(&shape_a, text_a, sizeof text_a);
		shape_text(&shape_b, text_b, sizeof text_b);
		snprintf(text, sizeof text, "%s, %s; and %s, %s", command_size(a->bytes).text, text_a, command_size(b.bytes).text, text_b);
		tell_other(diff, rank, a->name, text);
		return 0;
	}
	code = diff_pair(&sides[0], &sides[1], a->name, a->type, &diff->tolerance, &found);
	if (code) {
		command_complain("rank %" PRIu32 ": %s", rank, sides[0].fault[0] ? sides[0].fault : sides[1].fault);
		return code;
	}
	diff->compared++;
	diff->bytes += a->bytes;
	if (found.differ)
		tell_found(diff, rank, a, &found);
	return 0;
}

static int diff_regions(struct diff *diff, struct diff_side sides[2], uint32_t rank)
{
	struct seamark_files_region region, other;
	int code = 0;

	for (size_t i = 0; !code && !seamark_files_region_at(sides[0].image, i, &region); i++)
		if (!diff->region || !strcmp(diff->region, region.name))
			code = diff_region(diff, sides, rank, &region);
	for (size_t i = 0; !code && !seamark_files_region_at(sides[1].image, i, &region); i++)
		if ((!diff->region || !strcmp(diff->region, region.name)) && seamark_files_region_of(sides[0].image, region.name, &other))
			tell_other(diff, rank, region.name, "only the second has it");
	return code;
}

static int diff_rank(struct diff *diff, uint32_t rank)
{
	struct diff_side sides[2] = { { 0 } };
	uint64_t before = diff->differences;
	int code = seamark_files_image_open(&sides[0].image, diff->open_a, rank);

	if (!code)
		code = seamark_files_image_open(&sides[1].image, diff->open_b, rank);
	if (code)
		command_complain("rank %" PRIu32 ": %s", rank, seamark_files_error());
	else
		code = diff_regions(diff, sides, rank);
	seamark_files_image_close(sides[0].image);
	seamark_files_image_close(sides[1].image);
	diff->ranks_that_differ += diff->differences > before;
	return code;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------------------- */

static void tell_verdict(const struct diff *diff, uint32_t ranks)
{
	if (diff->differences)
		command_print("%" PRIu64 " region%s differ%s, on %" PRIu64 " of %" PRIu32 " ranks (%s compared)", diff->differences,
			      diff->differences == 1 ? "" : "s", diff->differences == 1 ? "s" : "", diff->ranks_that_differ, ranks,
			      command_size(diff->bytes).text);
	else
		command_print("equal%s: %" PRIu64 " regions of %" PRIu32 " ranks (%s)", diff->tolerance.given ? " within the tolerance" : "", diff->compared,
			      ranks, command_size(diff->bytes).text);
}

static int diff_all(struct diff *diff)
{
	uint32_t from = diff->rank < 0 ? 0 : (uint32_t)diff->rank, to = diff->rank < 0 ? diff->a.ranks : from + 1;
	int status = EXIT_FINE;

	if (diff->a.ranks != diff->b.ranks) {
		command_complain("they are of %" PRIu32 " and of %" PRIu32 " ranks: there is nothing to compare rank by rank", diff->a.ranks, diff->b.ranks);
		return EXIT_PROBLEMS;
	}
	if (to > diff->a.ranks) {
		command_complain("there is no rank %" PRIu32 ": they have ranks 0 to %" PRIu32, from, diff->a.ranks - 1);
		return EXIT_USAGE;
	}
	/* Of a part of them nobody knows how much it is. */
	progress_begin("comparing", diff->region || diff->rank >= 0 ? 0 :
		       diff->a.bytes + diff->a.referred_bytes + diff->b.bytes + diff->b.referred_bytes);
	for (uint32_t rank = from; rank < to; rank++)
		if (diff_rank(diff, rank))
			status = EXIT_CANNOT_READ;
	progress_end();
	if (!status && diff->region && !diff->compared && !diff->differences) {
		command_complain("no rank has a region '%s'", diff->region);
		return EXIT_CANNOT_READ;
	}
	if (!status && !diff->list)
		tell_verdict(diff, to - from);
	return status ? status : diff->differences ? EXIT_PROBLEMS : EXIT_FINE;
}

static int open_one(const struct seamark_files_entry *entry, seamark_files_checkpoint **checkpoint)
{
	if (!entry->status && !seamark_files_checkpoint_open(checkpoint, entry->path))
		return 0;
	command_complain("%s", entry->status ? entry->problem : seamark_files_error());
	return SEAMARK_E_DAMAGED;
}

static int run(struct diff *diff, int json)
{
	int status = EXIT_CANNOT_READ;

	if (diff->a.step != diff->b.step && !json)
		command_print("they are of steps %s and %s", command_step(diff->a.step).text, command_step(diff->b.step).text);
	diff->list = json ? json_array() : NULL;
	if (!open_one(&diff->a, &diff->open_a) && !open_one(&diff->b, &diff->open_b))
		status = diff_all(diff);
	seamark_files_checkpoint_close(diff->open_a);
	seamark_files_checkpoint_close(diff->open_b);
	if (json && status <= EXIT_PROBLEMS &&
	    command_print_json(json_pack("{s:o, s:o, s:b, s:I, s:I, s:O}", "a", command_json_entry(&diff->a), "b", command_json_entry(&diff->b), "equal",
					 !status, "compared", (json_int_t)diff->compared, "bytes", (json_int_t)diff->bytes, "differences", diff->list)))
		status = EXIT_CANNOT_READ;
	json_decref(diff->list);
	return status;
}

static bool tolerance_of(const char *text, const char *option, struct diff_tolerance *tolerance, long double *value)
{
	char *end;

	if (!text)
		return true;
	errno = 0;
	*value = strtold(text, &end);
	if (end == text || *end || errno || !(*value >= 0)) {
		command_complain("--%s takes a number that is not below 0, not '%s'", option, text);
		return false;
	}
	return tolerance->given = true;
}

static bool rank_of(const char *text, int64_t *rank)
{
	if (!text || command_whole(text, UINT32_MAX - INT64_C(1), rank))
		return true;
	command_complain("'%s' is no rank", text);
	return false;
}

int command_diff(int argc, char **argv)
{
	const char *given = NULL, *other = NULL, *rank = NULL, *absolute = NULL, *relative = NULL;
	int json = 0, status;
	struct diff diff = { .rank = -1 };
	const struct command_option options[] = {
		{ "other", "DIR", "the folder of the second (as --dir); without B: the same number there", &other, NULL },
		{ "region", "NAME", "only this region", &diff.region, NULL },
		{ "rank", "R", "only rank R", &rank, NULL },
		{ "absolute", "X", "numbers that are not further apart than X count as equal", &absolute, NULL },
		{ "relative", "X", "... nor X times the larger of the two; with both: their sum", &relative, NULL },
		COMMAND_DIR(&given),
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "diff [OPTIONS] A [B]",
		"Where the protected state of checkpoints A and B differs (each a number, or the path of its folder): for each rank and region how\n"
		"many elements, by how much, and the first with its place in the array. Without a tolerance all bits count. What is compared is\n"
		"the regions: messages in flight may well differ between two runs that compute the same.\n\n"
		"Exit status: 0 equal, 1 they differ, 2 wrong usage, 3 one cannot be read.", options, 1, 2 };
	seamark_files *files_a = NULL, *files_b = NULL;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (!rank_of(rank, &diff.rank) || !tolerance_of(absolute, "absolute", &diff.tolerance, &diff.tolerance.absolute) ||
	    !tolerance_of(relative, "relative", &diff.tolerance, &diff.tolerance.relative))
		return EXIT_USAGE;
	if (argc < 2 && !other) {
		command_complain("what is it to be compared with? Name B, or another folder by --other");
		return EXIT_USAGE;
	}
	if (command_find(command_folder(given), argv[0], &files_a, &diff.a) &&
	    command_find(other ? other : command_folder(given), argv[argc - 1], &files_b, &diff.b))
		status = run(&diff, json);
	else
		status = EXIT_CANNOT_READ;
	seamark_files_close(files_a);
	seamark_files_close(files_b);
	return status;
}
