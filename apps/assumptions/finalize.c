/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

static bool watches, later_ran, first_ran;
static void (*tell_it)(void);

static int later(MPI_Comm comm, int key, void *value, void *extra)
{
	(void)comm, (void)key, (void)value, (void)extra;
	later_ran = true;
	return MPI_SUCCESS;
}

/* What Seamark does there: point to point, collectives, asking. */
static void communicate(void)
{
	const int to = (world.rank + 1) % world.size, from = (world.rank + world.size - 1) % world.size;
	int sum = 0, in = -1, complete = 0;
	MPI_Request receive, send, barrier;

	MPI_Allreduce(&(int){1}, &sum, 1, MPI_INT, MPI_SUM, world.talk);
	MPI_Irecv(&in, 1, MPI_INT, from, TAG_A, world.talk, &receive);
	MPI_Issend(&world.rank, 1, MPI_INT, to, TAG_A, world.talk, &send);
	while (!complete)
		MPI_Request_get_status(receive, &complete, MPI_STATUS_IGNORE);
	MPI_Wait(&receive, MPI_STATUS_IGNORE);
	MPI_Wait(&send, MPI_STATUS_IGNORE);
	MPI_Ibarrier(world.talk, &barrier);
	MPI_Wait(&barrier, MPI_STATUS_IGNORE);
	if (sum != world.size || in != from)
		violated("messages in MPI_Finalize arrive wrong");
}

static int first(MPI_Comm comm, int key, void *value, void *extra)
{
	int finalized = 1;

	(void)comm, (void)key, (void)value, (void)extra;
	if (!watches)
		return MPI_SUCCESS;
	first_ran = true;
	MPI_Finalized(&finalized);
	if (finalized)
		violated("MPI says in the callback that it is finalized");
	if (!later_ran)
		violated("the callback ran before one that was set later");
	communicate();
	saw("after a later callback; messages, collectives and requests work in it");
	tell_it();
	return MPI_SUCCESS;
}

void finalize_watch(void (*tell)(void))
{
	int key;

	tell_it = tell;
	MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, first, &key, NULL);
	MPI_Comm_set_attr(MPI_COMM_SELF, key, NULL);
}

void check_finalize(void)
{
	int key;

	watches = true;
	MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, later, &key, NULL);
	if (!world.control)
		MPI_Comm_set_attr(MPI_COMM_SELF, key, NULL);
}

bool finalize_has_told(void)
{
	return first_ran;
}
