/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/shape.h"
#include "export/export.h"
#include "command/terminal.h"

static const struct export_format *const formats[] = { &export_hdf5, &export_npy, &export_vtk, &export_raw };

/* --- labels ---------------------------------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* A region's name as that of a file or dataset: what could mean something else there becomes '_'. */
static char *label_of(const char *name)
{
	char *label = strdup(name);

	for (char *c = label; label && *c; c++)
		if (!is_plain(*c) || (*c == '.' && c == label))
			*c = '_';
	return label;
}

static int by_label(const void *a, const void *b)
{
	return strcmp(((const struct export_item *)a)->label, ((const struct export_item *)b)->label);
}

static void leave(void *item)
{
	(void)item;
}

static int label_all(const struct export_plan *plan)
{
	void *labels = NULL;
	int status = EXIT_FINE;

	for (size_t i = 0; !status && i < plan->count; i++) {
		struct export_item *item = plan->items[i], **other;

		item->label = label_of(item->name);
		other = item->label ? tsearch(item, &labels, by_label) : NULL;
		if (!other) {
			command_complain("no memory for the list of regions");
			status = EXIT_CANNOT_READ;
		} else if (*other != item) {
			command_complain("regions '%s' and '%s' would both be '%s': export one of them, by --region", (*other)->name, item->name,
					 item->label);
			status = EXIT_CANNOT_READ;
		}
	}
	tdestroy(labels, leave);
	return status;
}

/* --- what is told ------------------------------------------------------------------------------------------------------ */

static json_t *item_json(const struct export_item *item, const struct export_place *places)
{
	json_t *object = json_pack("{s:o}", "name", command_json_text(item->name)), *list = json_array();

	if (item->left_out) {
		json_object_set_new(object, "left_out", json_string(item->left_out));
		json_decref(list);
		return object;
	}
	if (item->dimensions) {
		for (uint32_t i = 0; i < item->dimensions; i++)
			json_array_append_new(list, json_integer((json_int_t)item->global[i]));
		json_object_set_new(object, "type", json_string(shape_type_name(item->type)));
		json_object_set_new(object, "shape", list);
		json_object_set_new(object, "missing", json_integer((json_int_t)(item->elements - item->written)));
		json_object_set_new(object, "twice", json_integer((json_int_t)item->twice));
		json_object_set_new(object, "differing", json_integer((json_int_t)item->differing));
		json_object_set_new(object, "file", command_json_text(places->path));
		return object;
	}
	for (size_t i = 0; i < item->count; i++)
		json_array_append_new(list, json_pack("{s:I, s:I, s:o}", "rank", (json_int_t)item->blocks[i].rank, "bytes",
						      (json_int_t)item->blocks[i].bytes, "file", command_json_text(places[i].path)));
	json_object_set_new(object, "ranks", list);
	return object;
}

static void print_item(const struct export_item *item, const struct export_place *places)
{
	char shape[32 * 21 + 1] = "";
	size_t length = 0;

	if (item->left_out)
		return;
	if (!item->dimensions) {
		command_print("'%s': bytes of %zu ranks, from '%s' on", item->name, item->count, places->path);
		return;
	}
	for (uint32_t i = 0; i < item->dimensions; i++)
		length += (size_t)snprintf(shape + length, sizeof shape - length, "%s%" PRIu64, i ? ", " : "", item->global[i]);
	command_print("'%s': %s [%s] in '%s'", item->name, shape_type_name(item->type), shape, places->path);
}

/* What somebody who uses the array should know. */
static int warn_of(const struct export_item *item)
{
	if (item->left_out) {
		command_complain("region '%s' is left out: %s", item->name, item->left_out);
		return EXIT_PROBLEMS;
	}
	if (item->dimensions && item->written < item->elements)
		command_complain("region '%s': no rank has %" PRIu64 " of %" PRIu64 " elements; they are %s", item->name,
				 item->elements - item->written, item->elements, item->type >= SEAMARK_FLOAT32 ? "NaN" : "0");
	if (item->twice)
		command_complain("region '%s': %" PRIu64 " elements are on a second rank too, %" PRIu64 " of them with another value; the lowest "
				 "rank's are taken. Ghost cells are named by seamark_protect_array_with_halo", item->name, item->twice,
				 item->differing);
	return EXIT_FINE;
}

static int report(const struct export_target *target, const char *format, int json)
{
	json_t *list = json ? json_array() : NULL;
	int status = EXIT_FINE;

	for (size_t i = 0; i < target->plan->count; i++) {
		const struct export_item *item = target->plan->items[i];

		if (warn_of(item))
			status = EXIT_PROBLEMS;
		if (json)
			json_array_append_new(list, item_json(item, target->places[i]));
		else
			print_item(item, target->places[i]);
	}
	if (json && command_print_json(json_pack("{s:I, s:s, s:o}", "number", (json_int_t)target->plan->entry->number, "format", format, "regions",
						 list)))
		return EXIT_CANNOT_READ;
	return status;
}

/* --- */

static int make_places(struct export_target *target)
{
	target->places = calloc(target->plan->count + 1, sizeof *target->places);
	for (size_t i = 0; target->places && i < target->plan->count; i++) {
		target->places[i] = calloc(target->plan->items[i]->count + 1, sizeof **target->places);
		if (!target->places[i])
			return EXIT_CANNOT_READ;
	}
	return target->places ? EXIT_FINE : EXIT_CANNOT_READ;
}

/* -o names the folder of files of which there may be several. *made: it was not there. */
static int make_folder(const struct export_target *target, const struct export_format *format, bool *made)
{
	if (format == &export_hdf5 || !target->out || target->only)
		return EXIT_FINE;
	*made = !mkdir(target->out, 0777);
	if (*made || errno == EEXIST)
		return EXIT_FINE;
	command_complain("cannot make folder '%s': %s", target->out, strerror(errno));
	return EXIT_CANNOT_READ;
}

static int export(struct export_target *target, const struct export_format *format, int json)
{
	bool made = false;
	int status = label_all(target->plan);

	if (!status && make_places(target)) {
		command_complain("no memory for the list of regions");
		status = EXIT_CANNOT_READ;
	}
	if (!status)
		status = make_folder(target, format, &made);
	if (!status)
		status = format->prepare(target);
	progress_begin("exporting", target->only ? 0 : target->plan->entry->bytes + target->plan->entry->referred_bytes);
	if (!status)
		status = export_copy(target);
	progress_end();
	if (!status)
		status = export_files_publish(&target->files);
	if (!status)
		return report(target, format->name, json);
	export_files_free(&target->files);
	target->files = (struct export_files){0};
	if (made)
		rmdir(target->out);
	return status;
}

static const struct export_format *format_of(const char *name)
{
	enum { FORMATS = sizeof formats / sizeof formats[0] };
	const char *names[FORMATS];
	int choice;

	for (size_t i = 0; i < FORMATS; i++)
		names[i] = formats[i]->name;
	if (!name) {
		command_complain("a format is needed: --format hdf5, npy, vtk or raw");
		return NULL;
	}
	choice = command_choice("format", name, names, FORMATS);
	return choice < 0 ? NULL : formats[choice];
}

int command_export(int argc, char **argv)
{
	const char *given = NULL, *name = NULL;
	struct export_target target = {0};
	struct export_plan plan = {0};
	int json = 0, status;
	const struct command_option options[] = {
		{ "format", "FORMAT", "hdf5, npy, vtk or raw", &name, NULL },
		{ "region", "NAME", "only this one", &target.only, NULL },
		{ "o,output", "PATH", "the file to write; for npy, vtk and raw without --region the folder for the files", &target.out, NULL },
		{ "force", NULL, "replace files that are there", NULL, &target.files.force },
		COMMAND_DIR(&given),
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "export --format FORMAT [--region NAME] [-o PATH] [--force] [--dir DIR] [--json] [N]",
		"Writes the arrays of checkpoint N (a number, or the path of its folder; by default the newest) whole, put together from what the ranks have:\n"
		"  hdf5   all in one file, and beside it an .xdmf file by which ParaView reads it\n"
		"  npy    a file for each, for NumPy\n"
		"  vtk    a file for each, image data (.vti) of up to 3 dimensions\n"
		"  raw    a file for each, the elements alone: little-endian, the last index the fastest\n"
		"Regions that were not protected as arrays are written as they are, for each rank.\n\n"
		"Exit status: 0 all is there, 1 damage was found, or ranks do not fit together (then nothing is written), or a region was left out, 2 wrong\n"
		"usage, 3 something could not be read or written.", options, 0, 1 };
	struct seamark_files_entry entry;
	const struct export_format *format;
	seamark_files *files = NULL;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	format = format_of(name);
	if (!format)
		return EXIT_USAGE;
	target.plan = &plan;
	target.extension = format->extension;
	status = EXIT_CANNOT_READ;
	if (command_find(command_folder(given), argc ? argv[0] : NULL, &files, &entry)) {
		status = export_plan_make(&plan, &entry, target.only);
		if (!status)
			status = export(&target, format, json);
	}
	for (size_t i = 0; target.places && i < plan.count; i++)
		free(target.places[i]);
	free(target.places);
	export_files_free(&target.files);
	export_plan_free(&plan);
	seamark_files_close(files);
	return status;
}
