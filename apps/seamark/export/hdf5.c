/* SPDX-License-Identifier: BSD-3-Clause */
/* One HDF5 file with all, and beside it an XDMF file by which ParaView reads the arrays. HDF5 lays out datasets in one piece each and says where;
 * their bytes are then written like those of any other file. */
#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"

static int failed(const char *what, const char *path)
{
	command_complain("HDF5 cannot %s '%s'", what, path);
	return EXIT_CANNOT_READ;
}

/* As h5py has it. */
static hid_t complex_of(hid_t part)
{
	hid_t type = H5Tcreate(H5T_COMPOUND, 2 * H5Tget_size(part));

	H5Tinsert(type, "r", 0, part);
	H5Tinsert(type, "i", H5Tget_size(part), part);
	return type;
}

static hid_t type_of(uint32_t type)
{
	switch (type) {
	case SEAMARK_INT8: return H5Tcopy(H5T_STD_I8LE);
	case SEAMARK_INT16: return H5Tcopy(H5T_STD_I16LE);
	case SEAMARK_UINT16: return H5Tcopy(H5T_STD_U16LE);
	case SEAMARK_INT32: return H5Tcopy(H5T_STD_I32LE);
	case SEAMARK_UINT32: return H5Tcopy(H5T_STD_U32LE);
	case SEAMARK_INT64: return H5Tcopy(H5T_STD_I64LE);
	case SEAMARK_UINT64: return H5Tcopy(H5T_STD_U64LE);
	case SEAMARK_FLOAT32: return H5Tcopy(H5T_IEEE_F32LE);
	case SEAMARK_FLOAT64: return H5Tcopy(H5T_IEEE_F64LE);
	case SEAMARK_COMPLEX64: return complex_of(H5T_IEEE_F32LE);
	case SEAMARK_COMPLEX128: return complex_of(H5T_IEEE_F64LE);
	default: return H5Tcopy(H5T_STD_U8LE);
	}
}

/* --- the file ------------------------------------------------------------------------------------------------------------ */

struct making {
	hid_t file, layout, links;
	const char *path, *temporary;
};

static int make_dataset(const struct making *making, hid_t at, const char *name, uint32_t type, uint32_t dimensions, const uint64_t *extents,
			struct export_place *place)
{
	hsize_t shape[H5S_MAX_RANK];
	hid_t elements = type_of(type), space, set;
	haddr_t offset;

	for (uint32_t i = 0; i < dimensions; i++)
		shape[i] = extents[i];
	space = H5Screate_simple((int)dimensions, shape, NULL);
	set = H5Dcreate2(at, name, elements, space, making->links, making->layout, H5P_DEFAULT);
	offset = set >= 0 ? H5Dget_offset(set) : HADDR_UNDEF;
	*place = (struct export_place){ making->path, making->temporary, offset == HADDR_UNDEF ? 0 : offset };
	if (set >= 0)
		H5Dclose(set);
	H5Sclose(space);
	H5Tclose(elements);
	for (uint32_t i = 0; set >= 0 && i < dimensions; i++)
		if (!extents[i])
			return EXIT_FINE; /* it has no bytes, and so no place */
	return set >= 0 && offset != HADDR_UNDEF ? EXIT_FINE : failed("make a dataset in", making->path);
}

static int make_item(const struct making *making, const struct export_item *item, struct export_place *places)
{
	hid_t group;
	int status = EXIT_FINE;

	if (item->dimensions)
		return make_dataset(making, making->file, item->label, item->type, item->dimensions, item->global, places);
	group = H5Gcreate2(making->file, item->label, making->links, H5P_DEFAULT, H5P_DEFAULT);
	if (group < 0)
		return failed("make a group in", making->path);
	for (size_t i = 0; !status && i < item->count; i++) {
		char name[32];

		snprintf(name, sizeof name, "rank-%05" PRIu32, item->blocks[i].rank);
		status = make_dataset(making, group, name, SEAMARK_BYTE, 1, &item->blocks[i].bytes, &places[i]);
	}
	H5Gclose(group);
	return status;
}

static bool put_number(hid_t file, const char *name, int64_t number)
{
	hid_t space = H5Screate(H5S_SCALAR), attribute = H5Acreate2(file, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
	bool done = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &number) >= 0;

	if (attribute >= 0)
		H5Aclose(attribute);
	H5Sclose(space);
	return done;
}

static int fill_file(struct making *making, struct export_target *target)
{
	const struct seamark_files_entry *entry = target->plan->entry;
	int status = EXIT_FINE;

	making->layout = H5Pcreate(H5P_DATASET_CREATE);
	making->links = H5Pcreate(H5P_LINK_CREATE);
	/* In one piece, with its place found at once and nothing written to it by HDF5. */
	H5Pset_layout(making->layout, H5D_CONTIGUOUS);
	H5Pset_alloc_time(making->layout, H5D_ALLOC_TIME_EARLY);
	H5Pset_fill_time(making->layout, H5D_FILL_TIME_NEVER);
	H5Pset_char_encoding(making->links, H5T_CSET_UTF8);
	if (!put_number(making->file, "checkpoint", (int64_t)entry->number) || !put_number(making->file, "step", entry->step) ||
	    !put_number(making->file, "ranks", entry->ranks))
		status = failed("write", making->path);
	for (size_t i = 0; !status && i < target->plan->count; i++)
		status = make_item(making, target->plan->items[i], target->places[i]);
	H5Pclose(making->links);
	H5Pclose(making->layout);
	return status;
}

/* --- XDMF ---------------------------------------------------------------------------------------------------------------- */

static void put_quoted(FILE *to, const char *text)
{
	for (; *text; text++)
		if (*text == '&' || *text == '<' || *text == '>' || *text == '"')
			fprintf(to, "&#%d;", *text);
		else
			fputc(*text, to);
}

static const char *const numbers[] = { "UChar\" Precision=\"1", "Char\" Precision=\"1", "UChar\" Precision=\"1", "Int\" Precision=\"2",
	"UInt\" Precision=\"2", "Int\" Precision=\"4", "UInt\" Precision=\"4", "Int\" Precision=\"8", NULL, "Float\" Precision=\"4", "Float\" Precision=\"8",
	NULL, NULL };

/* The grid of an array: one point for each element. ParaView's readers want a grid of two dimensions for arrays of one and two. */
static void put_grid(FILE *to, const struct export_item *item, const char *file)
{
	bool solid = item->dimensions == 3;

	fputs("<Grid Name=\"", to);
	put_quoted(to, item->label);
	fprintf(to, "\" GridType=\"Uniform\">\n<Topology TopologyType=\"%s\" Dimensions=\"", solid ? "3DCoRectMesh" : "2DCoRectMesh");
	for (uint32_t i = 0; i < (solid ? 3U : 2U); i++)
		fprintf(to, "%s%" PRIu64, i ? " " : "", i < item->dimensions ? item->global[i] : 1);
	fprintf(to, "\"/>\n<Geometry GeometryType=\"%s\">\n", solid ? "ORIGIN_DXDYDZ" : "ORIGIN_DXDY");
	for (int i = 0; i < 2; i++)
		fprintf(to, "<DataItem Dimensions=\"%d\" NumberType=\"Float\" Format=\"XML\">%d %d%s</DataItem>\n", solid ? 3 : 2, i, i,
			!solid ? "" : i ? " 1" : " 0");
	fputs("</Geometry>\n<Attribute Name=\"", to);
	put_quoted(to, item->label);
	fputs("\" AttributeType=\"Scalar\" Center=\"Node\">\n<DataItem Dimensions=\"", to);
	for (uint32_t i = 0; i < item->dimensions; i++)
		fprintf(to, "%s%" PRIu64, i ? " " : "", item->global[i]);
	fprintf(to, "\" NumberType=\"%s\" Format=\"HDF\">", numbers[item->type]);
	put_quoted(to, file);
	fputs(":/", to);
	put_quoted(to, item->label);
	fputs("</DataItem>\n</Attribute>\n</Grid>\n", to);
}

/* Grids have up to 3 dimensions, and XDMF knows neither complex numbers nor, as ParaView reads it, uint64: those are in the HDF5 file only. */
static bool has_grid(const struct export_item *item)
{
	return item->dimensions && item->dimensions <= 3 && numbers[item->type] && item->elements;
}

static int make_xdmf(struct export_target *target, const char *path)
{
	size_t length = strlen(path), index;
	char *beside = malloc(length + sizeof ".xdmf");
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	int status;
	FILE *to;

	if (!beside)
		return failed("write", path);
	if (length > 3 && !strcmp(path + length - 3, ".h5"))
		length -= 3;
	memcpy(beside, path, length);
	strcpy(beside + length, ".xdmf");
	status = export_files_make(&target->files, beside, &index);
	free(beside);
	if (status)
		return status;
	to = fopen(target->files.list[index].temporary, "w");
	if (to) {
		fputs("<?xml version=\"1.0\"?>\n<Xdmf Version=\"2.0\">\n<Domain>\n", to);
		for (size_t i = 0; i < target->plan->count; i++)
			if (has_grid(target->plan->items[i]))
				put_grid(to, target->plan->items[i], name);
		fputs("</Domain>\n</Xdmf>\n", to);
	}
	if (to && !ferror(to) && !fclose(to))
		return EXIT_FINE;
	command_complain("cannot write '%s'", target->files.list[index].path);
	return EXIT_CANNOT_READ;
}

static int hdf5_prepare(struct export_target *target)
{
	struct making making = { .file = H5I_INVALID_HID };
	char own[64];
	size_t index;
	bool grids = false;
	int status;

	snprintf(own, sizeof own, "seamark-%" PRIu64 ".h5", target->plan->entry->number);
	status = export_files_make(&target->files, target->out ? target->out : own, &index);
	if (status)
		return status;
	making.path = target->files.list[index].path;
	making.temporary = target->files.list[index].temporary;
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	making.file = H5Fcreate(making.temporary, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
	status = making.file < 0 ? failed("make", making.path) : fill_file(&making, target);
	if (making.file >= 0 && H5Fclose(making.file) < 0 && !status)
		status = failed("write", making.path);
	for (size_t i = 0; i < target->plan->count; i++)
		grids |= has_grid(target->plan->items[i]);
	return status || !grids ? status : make_xdmf(target, making.path);
}

const struct export_format export_hdf5 = { "hdf5", ".h5", hdf5_prepare };
