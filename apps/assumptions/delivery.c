/* SPDX-License-Identifier: BSD-3-Clause */
/* A message is received by MPI alone; what lies in the buffer is packed by a message to oneself, and put into other memory by another: there it must be the
 * same, and the status too. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { AREA = 1 << 16, START = 4096, LARGE_ITEMS = 3 << 17, LARGE_AREA = 8 << 20, MOST = 24 };

enum { SENT, RECEIVED, DELIVERED, AREAS };

struct pair {
	const char *name;
	MPI_Datatype send, type;
	int sent, count;
	bool absolute, large;   /* absolute: the types are made of addresses, for each area */
};

static struct pair pairs[MOST];
static int pair_count;
static MPI_Datatype made[MOST];
static int made_count;
static unsigned char *areas[AREAS];
static MPI_Comm self;

/* --- the kinds ------------------------------------------------------------------------------------------------------------------ */

static void add(const char *name, MPI_Datatype send, int sent, MPI_Datatype type, int count)
{
	pairs[pair_count++] = (struct pair){name, send, type, sent, count, false, false};
}

/* Sent and received alike; the type is committed here. */
static void add_alike(const char *name, MPI_Datatype type, int sent, int count)
{
	MPI_Type_commit(&type);
	made[made_count++] = type;
	add(name, type, sent, type, count);
}

static MPI_Datatype absolute_type(unsigned char *area)
{
	const int lengths[] = {3, 1, 2};
	const MPI_Datatype parts[] = {MPI_INT, MPI_DOUBLE, MPI_CHAR};
	MPI_Aint places[3];
	MPI_Datatype type;

	MPI_Get_address(area + START, &places[0]);
	MPI_Get_address(area + START + 64, &places[1]);
	MPI_Get_address(area + START + 4000, &places[2]);
	MPI_Type_create_struct(3, lengths, places, parts, &type);
	MPI_Type_commit(&type);
	return type;
}

static void add_arrays(void)
{
	const int whole[] = {9, 8}, part[] = {3, 4}, from[] = {2, 1}, lengths[] = {1, 3, 2}, places[] = {0, 4, 9};
	const int spread[] = {MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC}, arguments[] = {MPI_DISTRIBUTE_DFLT_DARG, 2}, grid[] = {2, 2};
	const MPI_Aint bytes[] = {0, 40, 88};
	MPI_Datatype type;

	MPI_Type_indexed(3, lengths, places, MPI_SHORT, &type);
	add_alike("indexed", type, 5, 9);
	MPI_Type_create_hindexed(3, lengths, bytes, MPI_DOUBLE, &type);
	add_alike("hindexed", type, 5, 5);
	MPI_Type_create_indexed_block(3, 2, places, MPI_FLOAT, &type);
	add_alike("indexed block", type, 4, 9);
	MPI_Type_create_subarray(2, whole, part, from, MPI_ORDER_C, MPI_INT, &type);
	add_alike("subarray", type, 3, 3);
	MPI_Type_create_darray(4, 1, 2, whole, spread, arguments, grid, MPI_ORDER_FORTRAN, MPI_DOUBLE, &type);
	add_alike("darray", type, 2, 3);
}

static void add_others(void)
{
	const int lengths[] = {1, 3, 2};
	const MPI_Aint bytes[] = {0, 8, 40};
	const MPI_Datatype parts[] = {MPI_CHAR, MPI_DOUBLE, MPI_INT};
	MPI_Datatype vector, five, type;

	add("basic", MPI_DOUBLE, 13, MPI_DOUBLE, 40);
	add("no items", MPI_INT, 0, MPI_INT, 5);
	MPI_Type_contiguous(5, MPI_INT, &five);
	add_alike("contiguous", five, 7, 7);
	MPI_Type_vector(10, 1, 2, MPI_DOUBLE, &vector);
	add_alike("vector", vector, 4, 6);
	MPI_Type_create_hvector(6, 3, 56, MPI_INT, &type);
	add_alike("hvector", type, 4, 4);
	MPI_Type_create_struct(3, lengths, bytes, parts, &type);
	add_alike("struct", type, 6, 6);
	MPI_Type_create_resized(MPI_INT, -4, 12, &type);
	add_alike("resized", type, 9, 11);
	MPI_Type_dup(vector, &type);
	add_alike("dup", type, 3, 3);
	MPI_Type_contiguous(0, MPI_INT, &type);
	add_alike("of size zero", type, 3, 3);
	add("pair of double and int", MPI_DOUBLE_INT, 9, MPI_DOUBLE_INT, 9);
	add("part of a vector", MPI_DOUBLE, 13, vector, 4);
	add("part of a contiguous", MPI_INT, 7, five, 3);
	add("vector from basic", MPI_DOUBLE, 40, vector, 4);
	pairs[pair_count++] = (struct pair){"MPI_BOTTOM", MPI_DATATYPE_NULL, MPI_DATATYPE_NULL, 1, 1, true, false};
	add("3 MiB", MPI_DOUBLE, LARGE_ITEMS, MPI_DOUBLE, LARGE_ITEMS);
	pairs[pair_count - 1].large = true;
	MPI_Type_vector(LARGE_ITEMS / 8, 8, 16, MPI_DOUBLE, &type);
	add_alike("3 MiB in a vector", type, 1, 1);
	pairs[pair_count - 1].large = true;
}

/* --- there and back --------------------------------------------------------------------------------------------------------------- */

static void carry(const void *from, int sent, MPI_Datatype send_type, void *to, int count, MPI_Datatype type, MPI_Status *status)
{
	MPI_Request requests[2];
	MPI_Status statuses[2];

	MPI_Irecv(to, count, type, 0, TAG_A, self, &requests[0]);
	MPI_Isend(from, sent, send_type, 0, TAG_A, self, &requests[1]);
	MPI_Waitall(2, requests, statuses);
	*status = statuses[0];
}

static bool same(const MPI_Status *one, const MPI_Status *other, MPI_Datatype type)
{
	int counts[2], cancelled[2];
	MPI_Count elements[2];

	MPI_Get_count(one, type, &counts[0]);
	MPI_Get_count(other, type, &counts[1]);
	MPI_Get_elements_x(one, type, &elements[0]);
	MPI_Get_elements_x(other, type, &elements[1]);
	MPI_Test_cancelled(one, &cancelled[0]);
	MPI_Test_cancelled(other, &cancelled[1]);
	return counts[0] == counts[1] && elements[0] == elements[1] && !cancelled[0] && !cancelled[1];
}

/* The message that lies in (buffer, type), as bytes. */
static unsigned char *packed(const void *buffer, MPI_Datatype type, MPI_Count bytes)
{
	MPI_Count size;
	MPI_Status status;

	MPI_Type_size_x(type, &size);
	const int items = size ? (int)((bytes + size - 1) / size) : 0; /* the last may be there in part */
	unsigned char *data = malloc((size_t)(items * size) + 1);
	carry(buffer, items, type, data, (int)(items * size), MPI_PACKED, &status);
	return data;
}

static void check_pair(const struct pair *pair)
{
	const size_t area = pair->large ? LARGE_AREA : AREA;
	MPI_Datatype types[AREAS] = {pair->send, pair->type, pair->type};
	void *buffers[AREAS];
	MPI_Status model, made_up;
	MPI_Count size, bytes;

	for (int i = 0; i < AREAS; i++) {
		fill(areas[i], area, i == SENT ? 1 : 2);
		buffers[i] = pair->absolute ? MPI_BOTTOM : areas[i] + START;
		if (pair->absolute)
			types[i] = absolute_type(areas[i]);
	}
	carry(buffers[SENT], pair->sent, types[SENT], buffers[RECEIVED], pair->count, types[RECEIVED], &model);
	MPI_Get_elements_x(&model, MPI_BYTE, &bytes);
	MPI_Type_size_x(types[SENT], &size);
	if (bytes != size * pair->sent)
		violated("%s: a message of %lld bytes is said to have %lld", pair->name, (long long)(size * pair->sent), (long long)bytes);
	unsigned char *data = packed(buffers[RECEIVED], types[RECEIVED], bytes);
	if (world.control)
		data[0] ^= 1;
	carry(data, (int)bytes, MPI_PACKED, buffers[DELIVERED], pair->count, types[DELIVERED], &made_up);
	free(data);
	if (memcmp(areas[RECEIVED], areas[DELIVERED], area) != 0)
		violated("%s: other content", pair->name);
	if (!same(&model, &made_up, types[RECEIVED]))
		violated("%s: another count, number of elements or cancelled", pair->name);
	for (int i = 0; i < AREAS && pair->absolute; i++)
		MPI_Type_free(&types[i]);
}

void check_self_delivery(void)
{
	MPI_Comm_dup(MPI_COMM_SELF, &self);
	pair_count = 0;
	add_others();
	add_arrays();
	for (int i = 0; i < AREAS; i++)
		areas[i] = malloc(LARGE_AREA);
	for (int i = 0; i < pair_count; i++)
		check_pair(&pairs[i]);
	for (int i = 0; i < AREAS; i++)
		free(areas[i]);
	while (made_count)
		MPI_Type_free(&made[--made_count]);
	MPI_Comm_free(&self);
	saw("%d kinds of types, up to 3 MiB", pair_count);
}
