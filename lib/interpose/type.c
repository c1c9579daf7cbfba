/* SPDX-License-Identifier: BSD-3-Clause */
/* A late message is packed when its receive is complete, and that needs the receive's datatype. MPI lets a program free a type that a pending or persistent
 * receive uses: it is kept, and freed when no receive needs it any more. (A duplicate per receive would cost as much as the receive.) */
#include <stdlib.h>

#include "base/list.h"
#include "interpose/inside.h"

static MPI_Datatype *kept;
static size_t kept_count, kept_room;

static bool is_needed(MPI_Datatype type)
{
	struct shadow *shadow = NULL;
	while ((shadow = shadow_next(&session.sequence.shadows, shadow))) {
		uint64_t used = shadow->kind == SHADOW_RECEIVE || shadow->kind == SHADOW_INACTIVE ? shadow->type
			: shadow->kind == SHADOW_DELIVERY ? ((const struct mail *)(uintptr_t)shadow->extra)->type : 0;
		if (used == (uint64_t)(uintptr_t)type)
			return true;
	}
	return false;
}

void interpose_free_types(void)
{
	size_t left = 0;
	for (size_t i = 0; i < kept_count; i++)
		if (is_needed(kept[i]))
			kept[left++] = kept[i];
		else
			PMPI_Type_free(&kept[i]);
	kept_count = left;
}

static bool keep(MPI_Datatype type)
{
	int integers, addresses, types, combiner;
	if (!is_needed(type) || PMPI_Type_get_envelope(type, &integers, &addresses, &types, &combiner) != MPI_SUCCESS ||
	    combiner == MPI_COMBINER_NAMED)
		return false;
	MPI_Datatype *grown = list_with_room(kept, kept_count, &kept_room, sizeof *grown);
	if (grown == NULL) {
		session_unable("MPI_Type_free", "there was no memory to keep a type that a pending receive uses");
		return false;
	}
	kept = grown;
	kept[kept_count++] = type;
	return true;
}

int MPI_Type_free(MPI_Datatype *type)
{
	if (unlikely(type == NULL || *type == MPI_DATATYPE_NULL || !session_enter()))
		return PMPI_Type_free(type);
	if (kept_count)
		interpose_free_types();
	if (session.sequence.shadows.used == 0 || !keep(*type))
		return session_leave(PMPI_Type_free(type));
	*type = MPI_DATATYPE_NULL;
	return session_leave(MPI_SUCCESS);
}
