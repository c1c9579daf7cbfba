/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "tempest.h"

int nodes[RANKS_MOST];

static MPI_Comm comms[COMMS_MOST], coming, bridge; /* bridge: for the leaders of intercommunicators, and nobody else */
static MPI_Request idup = MPI_REQUEST_NULL;
static MPI_Errhandler counting;
static int handled, keyval, copies, deletes;
static int attributes[COMMS_MOST];

static void count_error(MPI_Comm *comm, int *code, ...)
{
	int class;
	(void)comm;
	MPI_Error_class(*code, &class);
	if (class != MPI_ERR_TRUNCATE && class != MPI_ERR_IN_STATUS)
		wrong("an error handler was called with class %d", class);
	handled++;
}

static int copy_attribute(MPI_Comm comm, int key, void *extra, void *in, void *out, int *flag)
{
	(void)comm, (void)key, (void)extra;
	*(void **)out = in;
	*flag = 1;
	copies++;
	return MPI_SUCCESS;
}

static int delete_attribute(MPI_Comm comm, int key, void *value, void *extra)
{
	(void)comm, (void)key, (void)extra, (void)value;
	deletes++;
	return MPI_SUCCESS;
}

void worlds_start(void)
{
	MPI_Comm near;
	int lowest = rank;
	OK(MPI_Comm_dup(MPI_COMM_WORLD, &bridge));
	OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &near));
	OK(MPI_Allreduce(MPI_IN_PLACE, &lowest, 1, MPI_INT, MPI_MIN, near));
	OK(MPI_Allgather(&lowest, 1, MPI_INT, nodes, 1, MPI_INT, MPI_COMM_WORLD));
	OK(MPI_Comm_free(&near));
	OK(MPI_Comm_create_errhandler(count_error, &counting));
	OK(MPI_Comm_create_keyval(copy_attribute, delete_attribute, &keyval, NULL));
	OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
	OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
}

void worlds_begin(void)
{
	for (int c = 0; c < COMMS_MOST; c++)
		comms[c] = MPI_COMM_NULL;
	comms[0] = MPI_COMM_WORLD;
	comms[1] = MPI_COMM_SELF;
	handled = 0;
}

MPI_Comm worlds_comm(int comm)
{
	return comms[comm];
}

int worlds_handled(void)
{
	return handled;
}

MPI_Request *worlds_idup_request(void)
{
	return &idup;
}

int world_peers(const struct world *world, int world_rank, int *part)
{
	*part = world->inter ? !world->side[world_rank] : world->side[world_rank];
	return world->size[*part];
}

int worlds_rank_of(int comm, int world_rank)
{
	return world_rank == MPI_ANY_SOURCE ? MPI_ANY_SOURCE : plan.comms[comm].place[world_rank];
}

int worlds_world_rank(int comm, int rank_there)
{
	int part, count = world_peers(&plan.comms[comm], rank, &part);
	if (rank_there < 0 || rank_there >= count)
		wrong("source %d in a status, on communicator %d where there are %d", rank_there, comm, count);
	return plan.comms[comm].members[part][rank_there];
}

/* Its neighbours in the graph, as ranks of its part; a place without a neighbour is MPI_PROC_NULL. */
void world_neighbors(const struct world *world, int world_rank, int *sources, int *in, int *targets, int *out)
{
	int part = world->side[world_rank], size = world->size[part], at = world->place[world_rank];
	int step = 1 + (int)(world->draws % 3);
	*in = *out = 0;
	if (world->maker == CART || world->maker == CART_SUB) {
		int below = 1;
		for (int d = world->dim_count - 1; d >= 0; d--)
			below *= world->dims[d];
		for (int d = 0; d < world->dim_count; d++) {
			int length = world->dims[d];
			below /= length;
			int here = at / below % length, periodic = world->periods[d];
			for (int by = -1; by <= 1; by += 2) {
				int there = here + by, is = there >= 0 && there < length;
				int neighbor = is || periodic ? at + ((there + length) % length - here) * below : MPI_PROC_NULL;
				sources[(*in)++] = targets[(*out)++] = neighbor;
			}
		}
		return;
	}
	int forward = (at + 1) % size, far = (at + 1 + step) % size, back = (at + size - 1) % size, far_back = (at + 2 * size - (1 + step) % size) % size;
	if (world->maker == GRAPH) { /* each edge in both directions */
		sources[0] = targets[0] = forward;
		sources[1] = targets[1] = back;
		*in = *out = 2;
		return;
	}
	targets[0] = forward;
	targets[1] = far;
	sources[0] = back;
	sources[1] = far_back;
	*in = *out = 2;
}

static void make_intercomm(int c, const struct world *world)
{
	int side = world->side[rank];
	OK(MPI_Intercomm_create(comms[world->parent], 0, bridge, world->members[!side][0], 100 + c, &comms[c]));
}

static void make_subset(int c, const struct world *world, const struct world *parent)
{
	MPI_Group all, some;
	int part = -1, count, places[RANKS_MOST];
	for (int i = 0; i < world->parts; i++) /* the part of my part */
		if (parent->side[world->members[i][0]] == parent->side[rank])
			part = i;
	count = world->size[part];
	for (int i = 0; i < count; i++)
		places[i] = parent->place[world->members[part][i]];
	OK(MPI_Comm_group(comms[world->parent], &all));
	OK(MPI_Group_incl(all, count, places, &some));
	if (world->maker == CREATE)
		OK(MPI_Comm_create(comms[world->parent], some, &comms[c]));
	else
		OK(MPI_Comm_create_group(comms[world->parent], some, 50 + c, &comms[c]));
	OK(MPI_Group_free(&some));
	OK(MPI_Group_free(&all));
}

static void make_graph(int c, const struct world *world)
{
	MPI_Comm parent = comms[world->parent];
	int sources[2 * RANKS_MOST], targets[2 * RANKS_MOST], in, out, size = world->size[world->side[rank]];
	int index[RANKS_MOST], edges[2 * RANKS_MOST], place = world->place[rank], ones[2] = {1, 1};
	world_neighbors(world, rank, sources, &in, targets, &out);
	if (world->maker == GRAPH) {
		for (int i = 0; i < size; i++) {
			index[i] = 2 * (i + 1);
			edges[2 * i] = (i + 1) % size;
			edges[2 * i + 1] = (i + size - 1) % size;
		}
		OK(MPI_Graph_create(parent, size, index, edges, 0, &comms[c]));
	} else if (world->maker == DIST_ADJACENT) {
		OK(MPI_Dist_graph_create_adjacent(parent, in, sources, ones, out, targets, ones, MPI_INFO_NULL, 0, &comms[c]));
	} else {
		OK(MPI_Dist_graph_create(parent, 1, &place, &out, targets, ones, MPI_INFO_NULL, 0, &comms[c]));
	}
}

static void make_cart(int c, const struct world *world)
{
	OK(MPI_Cart_create(comms[world->parent], world->dim_count, world->dims, world->periods, 0, &comms[c]));
}

static void make(int c, const struct world *world, const struct world *parent)
{
	MPI_Comm on = comms[world->parent];
	int part = parent->side[rank], place = parent->place[rank];
	switch (world->maker) {
	case DUP:
		OK(MPI_Comm_dup(on, &comms[c]));
		break;
	case DUP_INFO:
		OK(MPI_Comm_dup_with_info(on, MPI_INFO_NULL, &comms[c]));
		break;
	case SPLIT:
		OK(MPI_Comm_split(on, world_color(world->draws, part, place), world_order(world->draws, part, place), &comms[c]));
		break;
	case SPLIT_TYPE:
		OK(MPI_Comm_split_type(on, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &comms[c]));
		break;
	case CREATE:
	case CREATE_GROUP:
		make_subset(c, world, parent);
		break;
	case CART:
		make_cart(c, world);
		break;
	case CART_SUB:
		if (on != MPI_COMM_NULL)
			OK(MPI_Cart_sub(on, world->keep, &comms[c]));
		break;
	case GRAPH:
	case DIST_ADJACENT:
	case DIST_GRAPH:
		make_graph(c, world);
		break;
	case INTERCOMM:
		make_intercomm(c, world);
		break;
	default:
		OK(MPI_Intercomm_merge(on, parent->side[rank] != (int)(world->draws & 1), &comms[c]));
	}
}

/* What was made is what was planned. */
static void check(int c, const struct world *world)
{
	MPI_Group all, theirs;
	int size, own, inter, in_world[RANKS_MOST], numbers[RANKS_MOST], part;
	if ((comms[c] == MPI_COMM_NULL) != (world->side[rank] < 0))
		wrong("communicator %d (maker %d): this rank is %s it", c, world->maker, world->side[rank] < 0 ? "not to be in" : "to be in");
	if (world->side[rank] < 0)
		return;
	OK(MPI_Comm_rank(comms[c], &own));
	OK(MPI_Comm_test_inter(comms[c], &inter));
	int peers = world_peers(world, rank, &part);
	if (inter)
		OK(MPI_Comm_remote_group(comms[c], &theirs));
	else
		OK(MPI_Comm_group(comms[c], &theirs));
	OK(MPI_Group_size(theirs, &size));
	if (own != world->place[rank] || inter != world->inter || size != peers)
		wrong("communicator %d (maker %d): rank %d of %d, inter %d; planned were %d of %d, %d", c, world->maker, own, size, inter,
		      world->place[rank], peers, world->inter);
	OK(MPI_Comm_group(MPI_COMM_WORLD, &all));
	for (int i = 0; i < size; i++)
		numbers[i] = i;
	OK(MPI_Group_translate_ranks(theirs, size, numbers, all, in_world));
	for (int i = 0; i < size; i++)
		if (in_world[i] != world->members[part][i])
			wrong("communicator %d (maker %d): member %d is rank %d of the world, planned was %d", c, world->maker, i, in_world[i],
			      world->members[part][i]);
	OK(MPI_Group_free(&all));
	OK(MPI_Group_free(&theirs));
}

/* Duplicates have their parent's attributes. */
static void check_attribute(int c, const struct world *world)
{
	void *value;
	int found, duplicate = world->maker == DUP || world->maker == DUP_INFO || world->maker == IDUP;
	const struct world *parent = &plan.comms[world->parent];
	OK(MPI_Comm_get_attr(comms[c], keyval, &value, &found));
	/* Open MPI hands them on to what MPI_Comm_create_group makes, too. */
	if (duplicate && (found != attributes[world->parent] || (found && value != (const void *)parent)))
		wrong("communicator %d (maker %d): attribute %d", c, world->maker, found);
	attributes[c] = found || world->attribute;
	if (attributes[c])
		OK(MPI_Comm_set_attr(comms[c], keyval, (void *)(size_t)world));
}

static void made(int c, const struct world *world)
{
	char name[MPI_MAX_OBJECT_NAME];
	check(c, world);
	if (world->side[rank] < 0)
		return;
	snprintf(name, sizeof name, "tempest %llu.%d.%d", (unsigned long long)plan.seed, c, world->inter ? 0 : world->side[rank]);
	OK(MPI_Comm_set_name(comms[c], name));
	OK(MPI_Comm_set_errhandler(comms[c], world->handler == COUNT ? counting : MPI_ERRORS_RETURN));
	check_attribute(c, world);
}

void worlds_make(int c, bool end)
{
	const struct world *world = &plan.comms[c];
	if (world->maker != IDUP)
		make(c, world, &plan.comms[world->parent]);
	else if (!end)
		OK(MPI_Comm_idup(comms[world->parent], &coming, &idup));
	else
		OK(MPI_Wait(&idup, MPI_STATUS_IGNORE));
	if (end)
		comms[c] = coming;
	if (world->maker != IDUP || end)
		made(c, world);
}

void worlds_unmake(int c)
{
	int before = deletes;
	if (plan.comms[c].side[rank] < 0 || comms[c] == MPI_COMM_NULL || c < 2)
		return;
	OK(MPI_Comm_free(&comms[c]));
	/* An intercommunicator may hold a duplicate of its parent inside; with messages pending MPICH frees it later. */
	if (comms[c] != MPI_COMM_NULL || (!plan.comms[c].inter && deletes - before > attributes[c]))
		wrong("communicator %d was freed: %d attributes were deleted, not %d", c, deletes - before, attributes[c]);
}

void worlds_end(void)
{
	for (int c = plan.comms_count - 1; c >= 2; c--)
		worlds_unmake(c);
}
