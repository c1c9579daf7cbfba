/* SPDX-License-Identifier: BSD-3-Clause */
/* `seamark export`: what is to be written (plan), where its bytes go (files of a format), and the way there (copy). */
#ifndef EXPORT_H
#define EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command/command.h"

/* --- the plan ------------------------------------------------------------------------------------------------------ */

/* What one rank has of a region. */
struct export_block {
	uint32_t rank;
	uint64_t bytes;             /* in the image */
	uint64_t *first, *own;      /* of an array: the box it fills, without ghosts */
	struct export_block **over; /* the blocks of lower ranks that share elements with it; ended by null, or null: none */
};

/* A region: one array of all ranks, or bytes without a shape on each. */
struct export_item {
	char *name;
	uint32_t type, dimensions;  /* 0 dimensions: no shape */
	uint64_t *global;
	uint64_t elements, bytes;   /* of the whole array */
	struct export_block *blocks; /* in order of ranks */
	size_t count, room;
	bool shared;                /* any block has something in `over` */
	bool holes;                 /* there may be elements that no rank has */
	uint64_t written, twice, differing; /* elements, as the copy finds them */
	const char *left_out;       /* why this format does not have it; null: it has */
	char *label;                /* its name in the file, or of it */
};

struct export_plan {
	const struct seamark_files_entry *entry;
	seamark_files_checkpoint *checkpoint;
	struct export_item **items; /* in the order in which the ranks have them */
	size_t count, room;
	void *by_name;
};

/* Reads the tables of all images. only: a region's name, or null for all. EXIT_..., after a complaint. */
int export_plan_make(struct export_plan *plan, const struct seamark_files_entry *entry, const char *only);
void export_plan_free(struct export_plan *plan);
/* null: there is none. */
struct export_item *export_plan_find(const struct export_plan *plan, const char *name);

/* --- the files ----------------------------------------------------------------------------------------------------- */

/* Files get a temporary name, and their own when all are whole. */
struct export_file {
	char *path, *temporary;
};

struct export_files {
	struct export_file *list;
	size_t count, room;
	int force;
};

/* Makes an empty file; *index finds it in the list. EXIT_... */
int export_files_make(struct export_files *files, const char *path, size_t *index);
/* Makes all durable and names them. After a failure none of those that were made is there. */
int export_files_publish(struct export_files *files);
/* Removes what is not published. */
void export_files_free(struct export_files *files);
int export_write(int fd, const void *data, uint64_t bytes, uint64_t offset, const char *path);

/* --- formats ------------------------------------------------------------------------------------------------------- */

/* Where the bytes of an array, or of one rank's block without a shape, go. */
struct export_place {
	const char *path, *temporary;
	uint64_t offset;
};

struct export_target {
	const struct export_plan *plan;
	struct export_files files;
	const char *out;            /* what -o says, or null */
	const char *only;           /* the region's name, or null for all */
	const char *extension;      /* ".npy" */
	struct export_place **places; /* by item: one, or one for each block of those without a shape */
};

struct export_format {
	const char *name;
	const char *extension;
	/* Makes the files with all but the arrays' bytes, and fills in the places. EXIT_... */
	int (*prepare)(struct export_target *target);
};

extern const struct export_format export_hdf5, export_npy, export_vtk, export_raw;

/* A file for each item and block; header: what comes before the array's bytes, made by the format, which is null for nothing before or `after` them. */
struct export_frame {
	char *before, *after;
	size_t before_size;
};
int export_each_in_a_file(struct export_target *target, int (*frame)(const struct export_item *item, struct export_frame *frame));
/* The path of a file for a label. Null: no memory. */
char *export_path(const struct export_target *target, const char *label, const char *extension);

/* Copies everything from the images to its place. EXIT_... */
int export_copy(struct export_target *target);

#endif
