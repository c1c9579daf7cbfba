/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions that Seamark does not carry: they pass, and snapshots are void from their first use on. */
#include "interpose/inside.h"
#include "session/family.h"

static void notice(const char *function, bool *noticed)
{
	if (!session_enter())
		return;
	*noticed = true;
	interpose_untracked = true;
	session_close_safepoint();
	session_unable(function, "Seamark does not carry it yet");
	session_leave(MPI_SUCCESS);
}

#define NOTICED(name, parameters, arguments)                                                                                   \
	int name parameters                                                                                                    \
	{                                                                                                                      \
		static bool noticed;                                                                                           \
		if (unlikely(session.mode != SESSION_OFF && !noticed))                                                                    \
			notice(#name, &noticed);                                                                               \
		return P##name arguments;                                                                                      \
	}

#include "interpose/noticed.h"
