/* SPDX-License-Identifier: BSD-3-Clause */
/* At library load, before main: the settings are read, the signal handlers are in place (a signal that comes before MPI_Init must not end the
 * program), and the MPI library that is loaded is compared with the one this library was built for. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "session/family.h"
#include "session/inside.h"
#include "session/signals.h"

bool load_mpi_matches(char *text, size_t room)
{
	char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
	int length = 0;
	PMPI_Get_library_version(version, &length);
	version[strcspn(version, ",\n")] = 0;
	for (char *tab = version; (tab = strchr(tab, '\t'));)
		*tab = ' ';
	snprintf(text, room, "%s", version);
	return FAMILY_FITS(version);
}

bool session_load(void)
{
	struct fault fault = FAULT_NONE;
	char version[256];
	log_open(LOG_NOTICE, 0);
	inside.copies.next = inside.copies.previous = &inside.copies;
	/* What is wrong is told in MPI_Init, by one rank. The program runs on, and a signal must not end it even so. */
	settings_load(&inside.settings, environ, &inside.settings_fault);
	inside.off = inside.settings.off;
	if (inside.off)
		return false;
	if (!load_mpi_matches(version, sizeof version)) {
		log_say(LOG_QUIET, "this libseamark was built for " FAMILY ", but the MPI library that is loaded is %s: it does nothing; use "
			"the one built for it", version);
		inside.off = true;
		inside.off_code = SEAMARK_E_OTHER_MPI;
		return false;
	}
	if (signals_install(inside.settings.signal, inside.settings.stop_signal, &fault) < 0)
		log_say(LOG_QUIET, "%s", fault.text);
	return true;
}
