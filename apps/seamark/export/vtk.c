/* SPDX-License-Identifier: BSD-3-Clause */
/* VTK's XML image data (.vti): arrays of up to 3 dimensions, the bytes appended raw. VTK's x is the fastest dimension. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"

static void put_quoted(FILE *to, const char *text)
{
	for (; *text; text++)
		if (*text == '&' || *text == '<' || *text == '>' || *text == '"')
			fprintf(to, "&#%d;", *text);
		else
			fputc(*text, to);
}

static void put_extent(FILE *to, const struct export_item *item)
{
	for (uint32_t i = 0; i < 3; i++)
		fprintf(to, "%s0 %" PRIu64, i ? " " : "", i < item->dimensions ? item->global[item->dimensions - 1 - i] - 1 : 0);
}

static int vtk_frame(const struct export_item *item, struct export_frame *frame)
{
	static const char *const types[] = { "UInt8", "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float32", "Float64",
		"Float32", "Float64" };
	FILE *to = open_memstream(&frame->before, &frame->before_size);

	if (to) {
		fputs("<?xml version=\"1.0\"?>\n<VTKFile type=\"ImageData\" version=\"1.0\" byte_order=\"LittleEndian\" header_type=\"UInt64\">\n"
		      "<ImageData WholeExtent=\"", to);
		put_extent(to, item);
		fputs("\" Origin=\"0 0 0\" Spacing=\"1 1 1\">\n<Piece Extent=\"", to);
		put_extent(to, item);
		fputs("\">\n<PointData Scalars=\"", to);
		put_quoted(to, item->label);
		fprintf(to, "\">\n<DataArray type=\"%s\" Name=\"", types[item->type]);
		put_quoted(to, item->label);
		fprintf(to, "\" NumberOfComponents=\"%d\" format=\"appended\" offset=\"0\"/>\n</PointData>\n</Piece>\n</ImageData>\n"
			"<AppendedData encoding=\"raw\">\n_", item->type >= SEAMARK_COMPLEX64 ? 2 : 1);
		fwrite(&item->bytes, sizeof item->bytes, 1, to); /* little-endian, as all that Seamark runs on */
	}
	frame->after = strdup("\n</AppendedData>\n</VTKFile>\n");
	if (to && !fclose(to) && frame->after)
		return EXIT_FINE;
	command_complain("no memory for a header");
	return EXIT_CANNOT_READ;
}

static int vtk_prepare(struct export_target *target)
{
	for (size_t i = 0; i < target->plan->count; i++) {
		struct export_item *item = target->plan->items[i];

		if (item->dimensions > 3)
			item->left_out = "VTK's images have up to 3 dimensions";
		else if (item->dimensions && !item->elements)
			item->left_out = "VTK's images have at least one element";
	}
	return export_each_in_a_file(target, vtk_frame);
}

const struct export_format export_vtk = { "vtk", ".vti", vtk_prepare };
