/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions that Seamark does not carry: they pass, and snapshots are void from their first use on. */
#include "interpose/inside.h"

#if defined(OPEN_MPI) && defined(__has_include)
#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#endif
#endif

static void notice(const char *function, bool *noticed)
{
	*noticed = true;
	interpose_untracked = true;
	session_close_safepoint();
	session_unable(function, "Seamark does not carry it yet");
}

#define NOTICED(name, parameters, arguments)                                                                                   \
	int name parameters                                                                                                    \
	{                                                                                                                      \
		static bool noticed;                                                                                           \
		if (unlikely(session.counting && !noticed))                                                                    \
			notice(#name, &noticed);                                                                               \
		return P##name arguments;                                                                                      \
	}

#include "interpose/noticed.h"
